/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_ENGINE_PROB_H
#define SOUK_APPS_ENGINE_PROB_H

/* prob.h - logits to probabilities, with an exponential of our own: those of the C libraries differ
 * in the last bits, and a result is hashed. */

#include "base/base.h"

/* e^x from additions and multiplications alone, within 1e-14 of the true value, for |x| ≤ 700;
 * beyond that as at the edge. */
double prob_exp(double x);

double prob_sigmoid(double x); /* 1 / (1 + e^-x) */

/* p[i] = e^x[i] / Σ e^x[j], each x relative to the largest. */
void prob_softmax(double *p, const float *x, size_t n);

/* Thousandths, rounded half up: what results show and hash. */
uint32_t prob_milli(double p);

#endif /* SOUK_APPS_ENGINE_PROB_H */
