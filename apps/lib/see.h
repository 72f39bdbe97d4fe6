/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_LIB_SEE_H
#define SOUK_APPS_LIB_SEE_H

/* see.h - from a picture to what a net says about it. */

#include "apps/engine/nn.h"
#include "apps/lib/img.h"

/* The net's input made of the picture as the model file says; heap, the caller frees. NULL without
 * memory. */
float *see_input(const struct nn *net, const struct img *m) MUST_CHECK;

struct see_class {
    uint32_t index;
    uint32_t milli; /* probability in thousandths */
};

/* The n likeliest classes of a classifier's result, likeliest first; equal ones by index. */
rc see_top(struct see_class *out, size_t n, const struct nn_result *r, struct err *e);

struct see_box {
    uint32_t label;
    uint32_t milli;
    int32_t x, y, w, h; /* whole pixels of the picture, clipped to it */
};

#define SEE_BOXES_MAX 1000 /* kept; a picture with more is judged by the surest */

/* Boxes of a detector's result with at least the net's score, best first, without those that overlap
 * a better one of the same label. Returns how many. */
rc see_boxes(struct see_box out[SEE_BOXES_MAX], size_t *n, const struct nn *net,
             const struct nn_result *r, const struct img *m, struct err *e);

#endif /* SOUK_APPS_LIB_SEE_H */
