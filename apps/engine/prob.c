/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/engine/prob.h"

double prob_exp(double x)
{
    x = x > 700 ? 700 : x;
    x = x < -700 ? -700 : x;
    /* x = n ln 2 + r with |r| ≤ 0.35; ln 2 in two parts, so that n times the first is exact. */
    double t = x * 1.4426950408889634;
    int n = (int)(t + (t < 0 ? -0.5 : 0.5));
    double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
    double sum = 1;
    for (int i = 14; i > 0; i--) { /* Horner's scheme of the Taylor series */
        sum = 1 + sum * r / i;
    }
    uint64_t bits = (uint64_t)(n + 1023) << 52; /* 2^n */
    double scale;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

double prob_sigmoid(double x)
{
    return 1 / (1 + prob_exp(-x));
}

void prob_softmax(double *p, const float *x, size_t n)
{
    float top = x[0];
    for (size_t i = 1; i < n; i++) {
        top = x[i] > top ? x[i] : top;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        p[i] = prob_exp((double)x[i] - (double)top);
        sum += p[i];
    }
    for (size_t i = 0; i < n; i++) {
        p[i] /= sum;
    }
}

uint32_t prob_milli(double p)
{
    return (uint32_t)(p * 1000 + 0.5);
}
