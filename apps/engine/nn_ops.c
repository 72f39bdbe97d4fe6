/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/engine/nn_ops.h"

/* Largest value of the window; places outside the picture do not count. */
static float window_max(const float *plane, const struct nn_layer *l, struct nn_shape s, size_t oy,
                        size_t ox)
{
    size_t y0 = oy * l->stride;
    size_t x0 = ox * l->stride;
    bool any = false;
    float best = 0;
    for (size_t y = y0; y < y0 + l->k; y++) {
        for (size_t x = x0; x < x0 + l->k; x++) {
            if (y < l->pad_lo || x < l->pad_lo || y - l->pad_lo >= s.h || x - l->pad_lo >= s.w) {
                continue;
            }
            float v = plane[(y - l->pad_lo) * s.w + x - l->pad_lo];
            best = !any || v > best ? v : best;
            any = true;
        }
    }
    return best;
}

void op_maxpool(float *out, const struct nn_layer *l, const float *in, struct nn_shape s)
{
    for (size_t c = 0; c < s.c; c++) {
        for (size_t y = 0; y < l->out.h; y++) {
            for (size_t x = 0; x < l->out.w; x++) {
                *out++ = window_max(in + c * s.h * s.w, l, s, y, x);
            }
        }
    }
}

void op_upsample(float *out, const float *in, struct nn_shape s)
{
    for (size_t row = 0; row < (size_t)s.c * s.h; row++) {
        float *o = out + row * 4 * s.w;
        for (size_t x = 0; x < s.w; x++) {
            o[2 * x] = o[2 * x + 1] = in[row * s.w + x];
        }
        memcpy(o + 2 * s.w, o, 2 * s.w * sizeof(float));
    }
}

void op_avgpool(float *out, const float *in, struct nn_shape s)
{
    size_t n = (size_t)s.h * s.w;
    for (size_t c = 0; c < s.c; c++) {
        float sum = 0;
        for (size_t i = 0; i < n; i++) {
            sum += in[c * n + i];
        }
        out[c] = sum / (float)n;
    }
}

void op_full(float *out, const struct nn_layer *l, const float *in, size_t n)
{
    for (size_t m = 0; m < l->out.c; m++) {
        float sum = l->bias[m];
        const float *w = l->weight + m * n;
        for (size_t i = 0; i < n; i++) {
            sum += w[i] * in[i];
        }
        out[m] = sum;
    }
}

void op_activate(float *x, size_t n, enum nn_act act)
{
    switch (act) {
    case NN_LINEAR:
        break;
    case NN_RELU:
        for (size_t i = 0; i < n; i++) {
            x[i] = x[i] > 0 ? x[i] : 0;
        }
        break;
    case NN_RELU6:
        for (size_t i = 0; i < n; i++) {
            float v = x[i] > 0 ? x[i] : 0;
            x[i] = v < 6 ? v : 6;
        }
        break;
    case NN_LEAKY:
        for (size_t i = 0; i < n; i++) {
            x[i] = x[i] > 0 ? x[i] : 0.1F * x[i];
        }
        break;
    }
}
