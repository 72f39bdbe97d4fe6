/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_ENGINE_NN_OPS_H
#define SOUK_APPS_ENGINE_NN_OPS_H

/* nn_ops.h - what one layer computes. Shapes are checked by nn_parse; out and in never overlap. */

#include "apps/engine/nn.h"

/* False when the system has no memory for the working buffers. */
bool op_conv(float *out, const struct nn_layer *l, const float *in, struct nn_shape s) MUST_CHECK;
bool op_depthwise(float *out, const struct nn_layer *l, const float *in,
                  struct nn_shape s) MUST_CHECK;

void op_maxpool(float *out, const struct nn_layer *l, const float *in, struct nn_shape s);
void op_upsample(float *out, const float *in, struct nn_shape s);
void op_avgpool(float *out, const float *in, struct nn_shape s);
void op_full(float *out, const struct nn_layer *l, const float *in, size_t n);
void op_activate(float *x, size_t n, enum nn_act act);

#endif /* SOUK_APPS_ENGINE_NN_OPS_H */
