/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/engine/nn_ops.h"

#include <stdlib.h>

/* A convolution is a product of matrices: weights (channels out × taps) by patches (taps × output
 * places). Patches are laid out a panel of eight places at a time; the kernels keep four channels of
 * a panel in registers. Each value starts at its bias and adds its taps in the order channel, row,
 * column, whatever the blocking: that is the whole secret of equal bits. */

#define PANEL      8
#define TILE_ELEMS ((size_t)1 << 17) /* floats of patches worked on at once: fits the L2 cache */

typedef float v4 __attribute__((vector_size(16))); /* four independent lanes, never summed across */

static v4 load4(const float *p)
{
    v4 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static v4 all4(float x)
{
    return (v4){x, x, x, x};
}

/* out[r][0..7] for four rows of weights, k taps each. */
static void kernel4(float out[4][PANEL], const float *w, const float *bias, const float *b,
                    size_t k)
{
    v4 a0 = all4(bias[0]);
    v4 a1 = all4(bias[1]);
    v4 a2 = all4(bias[2]);
    v4 a3 = all4(bias[3]);
    v4 b0 = a0;
    v4 b1 = a1;
    v4 b2 = a2;
    v4 b3 = a3;
    const float *w1 = w + k;
    const float *w2 = w1 + k;
    const float *w3 = w2 + k;
    for (size_t i = 0; i < k; i++) {
        v4 lo = load4(b + i * PANEL);
        v4 hi = load4(b + i * PANEL + 4);
        v4 x = all4(w[i]);
        a0 += x * lo;
        b0 += x * hi;
        x = all4(w1[i]);
        a1 += x * lo;
        b1 += x * hi;
        x = all4(w2[i]);
        a2 += x * lo;
        b2 += x * hi;
        x = all4(w3[i]);
        a3 += x * lo;
        b3 += x * hi;
    }
    memcpy(out[0], &a0, sizeof(a0));
    memcpy(out[1], &a1, sizeof(a1));
    memcpy(out[2], &a2, sizeof(a2));
    memcpy(out[3], &a3, sizeof(a3));
    memcpy(out[0] + 4, &b0, sizeof(b0));
    memcpy(out[1] + 4, &b1, sizeof(b1));
    memcpy(out[2] + 4, &b2, sizeof(b2));
    memcpy(out[3] + 4, &b3, sizeof(b3));
}

/* The same for one row. */
static void kernel1(float out[PANEL], const float *w, float bias, const float *b, size_t k)
{
    v4 lo = all4(bias);
    v4 hi = lo;
    for (size_t i = 0; i < k; i++) {
        v4 x = all4(w[i]);
        lo += x * load4(b + i * PANEL);
        hi += x * load4(b + i * PANEL + 4);
    }
    memcpy(out, &lo, sizeof(lo));
    memcpy(out + 4, &hi, sizeof(hi));
}

/* The input with a border of zeroes, so that no window looks outside. Returns in itself when there
 * is no padding; *own is what the caller must free. NULL without memory. */
static const float *padded(float **own, const float *in, struct nn_shape s,
                           const struct nn_layer *l)
{
    *own = NULL;
    if (l->pad_lo == 0 && l->pad_hi == 0) {
        return in;
    }
    size_t pw = (size_t)s.w + l->pad_lo + l->pad_hi;
    size_t ph = (size_t)s.h + l->pad_lo + l->pad_hi;
    float *p = calloc(s.c * ph * pw, sizeof(float));
    if (p == NULL) {
        return NULL;
    }
    for (size_t c = 0; c < s.c; c++) {
        for (size_t y = 0; y < s.h; y++) {
            memcpy(p + (c * ph + y + l->pad_lo) * pw + l->pad_lo, in + (c * s.h + y) * s.w,
                   s.w * sizeof(float));
        }
    }
    *own = p;
    return p;
}

/* Where the patches come from. */
struct patches {
    const float *in;
    size_t channels, ph, pw; /* of the padded input */
    size_t k, stride, out_w, places;
};

/* One panel: taps × 8 values for the places j..j+7; zero beyond the last place. */
static void pack_panel(float *b, const struct patches *p, size_t j)
{
    size_t n = MIN((size_t)PANEL, p->places - j);
    size_t at[PANEL] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t y = (j + i) / p->out_w;
        size_t x = (j + i) % p->out_w;
        at[i] = (y * p->pw + x) * p->stride;
    }
    bool run = n == PANEL && at[PANEL - 1] == at[0] + PANEL - 1;
    for (size_t c = 0; c < p->channels; c++) {
        for (size_t ky = 0; ky < p->k; ky++) {
            const float *row = p->in + (c * p->ph + ky) * p->pw;
            for (size_t kx = 0; kx < p->k; kx++, b += PANEL) {
                if (run) {
                    memcpy(b, row + kx + at[0], PANEL * sizeof(float));
                    continue;
                }
                for (size_t i = 0; i < PANEL; i++) {
                    b[i] = i < n ? row[kx + at[i]] : 0;
                }
            }
        }
    }
}

/* All output channels for the panels packed in b, which start at place j0. */
static void multiply(float *out, const struct nn_layer *l, const float *b, size_t taps, size_t j0,
                     size_t places, size_t panels)
{
    float acc[4][PANEL];
    size_t rows;
    for (size_t m = 0; m < l->out.c; m += rows) {
        rows = l->out.c - m >= 4 ? 4 : 1;
        for (size_t q = 0; q < panels; q++) {
            size_t j = j0 + q * PANEL;
            size_t n = MIN((size_t)PANEL, places - j);
            if (rows == 4) {
                kernel4(acc, l->weight + m * taps, l->bias + m, b + q * taps * PANEL, taps);
            } else {
                kernel1(acc[0], l->weight + m * taps, l->bias[m], b + q * taps * PANEL, taps);
            }
            for (size_t r = 0; r < rows; r++) {
                memcpy(out + (m + r) * places + j, acc[r], n * sizeof(float));
            }
        }
    }
}

bool op_conv(float *out, const struct nn_layer *l, const float *in, struct nn_shape s)
{
    float *own;
    const float *src = padded(&own, in, s, l);
    size_t taps = (size_t)s.c * l->k * l->k;
    size_t places = (size_t)l->out.h * l->out.w;
    size_t panels_all = (places + PANEL - 1) / PANEL;
    size_t panels_max = MIN(MAX(TILE_ELEMS / (taps * PANEL), (size_t)1), panels_all);
    float *b = malloc(panels_max * taps * PANEL * sizeof(float));
    if (src == NULL || b == NULL) {
        free(own);
        free(b);
        return false;
    }
    size_t border = (size_t)l->pad_lo + l->pad_hi;
    struct patches p = {src, s.c, s.h + border, s.w + border, l->k, l->stride, l->out.w, places};
    for (size_t q0 = 0; q0 < panels_all; q0 += panels_max) {
        size_t panels = MIN(panels_max, panels_all - q0);
        for (size_t q = 0; q < panels; q++) {
            pack_panel(b + q * taps * PANEL, &p, (q0 + q) * PANEL);
        }
        multiply(out, l, b, taps, q0 * PANEL, places, panels);
    }
    free(own);
    free(b);
    return true;
}

bool op_depthwise(float *out, const struct nn_layer *l, const float *in, struct nn_shape s)
{
    float *own;
    const float *src = padded(&own, in, s, l);
    if (src == NULL) {
        return false;
    }
    size_t pw = (size_t)s.w + l->pad_lo + l->pad_hi;
    size_t ph = (size_t)s.h + l->pad_lo + l->pad_hi;
    size_t k = l->k;
    size_t stride = l->stride;
    size_t n = l->out.w;
    for (size_t c = 0; c < s.c; c++) {
        for (size_t y = 0; y < l->out.h; y++) {
            float *restrict o = out + (c * l->out.h + y) * n;
            for (size_t x = 0; x < n; x++) {
                o[x] = l->bias[c];
            }
            for (size_t t = 0; t < k * k; t++) {
                const float *row = src + (c * ph + y * stride + t / k) * pw + t % k;
                float w = l->weight[c * k * k + t];
                if (stride == 1) {
                    for (size_t x = 0; x < n; x++) {
                        o[x] += w * row[x];
                    }
                } else {
                    for (size_t x = 0; x < n; x++) {
                        o[x] += w * row[x * stride];
                    }
                }
            }
        }
    }
    free(own);
    return true;
}
