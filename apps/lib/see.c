/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/lib/see.h"

#include <stdlib.h>

#include "apps/engine/prob.h"

/* The picture scaled so that its short side is short_side, and the net's input cut from the middle;
 * or stretched to the net's input. */
static struct img_window window(const struct nn *net, const struct img *m)
{
    struct img_window win = {net->in.w, net->in.h, 0, 0, net->in.w, net->in.h};
    if (net->fit == NN_CROP) {
        uint64_t s = net->short_side;
        uint64_t least = MIN(m->w, m->h);
        win.full_w = (uint32_t)((2 * m->w * s + least) / (2 * least));
        win.full_h = (uint32_t)((2 * m->h * s + least) / (2 * least));
        win.x0 = (win.full_w - win.w) / 2;
        win.y0 = (win.full_h - win.h) / 2;
    }
    return win;
}

float *see_input(const struct nn *net, const struct img *m)
{
    size_t plane = (size_t)net->in.w * net->in.h;
    uint8_t *rgb = malloc(plane * 3);
    float *x = malloc(plane * 3 * sizeof(float));
    if (rgb == NULL || x == NULL) {
        free(rgb);
        free(x);
        return NULL;
    }
    img_scale(rgb, m, window(net, m));
    for (size_t c = 0; c < 3; c++) {
        float value[256];
        for (int v = 0; v < 256; v++) {
            value[v] = ((float)v - net->mean[c]) / net->dev[c];
        }
        for (size_t i = 0; i < plane; i++) {
            x[c * plane + i] = value[rgb[i * 3 + c]];
        }
    }
    free(rgb);
    return x;
}

rc see_top(struct see_class *out, size_t n, const struct nn_result *r, struct err *e)
{
    size_t classes = nn_elems(r->shape[0]);
    double *p = malloc(classes * sizeof(*p));
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "no memory for the probabilities");
    }
    prob_softmax(p, r->out[0], classes);
    for (size_t k = 0; k < n; k++) {
        size_t best = 0;
        for (size_t i = 1; i < classes; i++) {
            best = p[i] > p[best] ? i : best;
        }
        out[k] = (struct see_class){(uint32_t)best, prob_milli(p[best])};
        p[best] = -1; /* taken */
    }
    free(p);
    return RC_OK;
}

struct candidate {
    struct see_box box;
    double score;
    size_t place; /* order of appearance decides between equal scores */
};

struct candidates {
    struct candidate *v;
    size_t n, cap;
};

static int32_t clip(double v, uint32_t max)
{
    v = v < 0 ? 0 : v;
    v = v > max ? max : v;
    return (int32_t)(v + 0.5);
}

/* The box of one cell and anchor in pixels of the picture. f are its values, plane floats apart. */
static struct see_box box_of(const struct nn *net, const struct img *m, const struct nn_shape *s,
                             const float *anchor, const float *f, size_t plane, size_t cell)
{
    double cx = ((double)(cell % s->w) + prob_sigmoid((double)f[0])) / s->w * m->w;
    double cy = ((double)(cell / s->w) + prob_sigmoid((double)f[plane])) / s->h * m->h;
    double w = prob_exp((double)f[2 * plane]) * (double)anchor[0] / net->in.w * m->w;
    double h = prob_exp((double)f[3 * plane]) * (double)anchor[1] / net->in.h * m->h;
    int32_t x0 = clip(cx - w / 2, m->w);
    int32_t y0 = clip(cy - h / 2, m->h);
    int32_t x1 = clip(cx + w / 2, m->w);
    int32_t y1 = clip(cy + h / 2, m->h);
    return (struct see_box){.x = x0, .y = y0, .w = x1 - x0, .h = y1 - y0};
}

static bool add(struct candidates *c, struct candidate x)
{
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
        struct candidate *v = realloc(c->v, cap * sizeof(*v));
        if (v == NULL) {
            return false;
        }
        c->v = v;
        c->cap = cap;
    }
    x.place = c->n;
    c->v[c->n++] = x;
    return true;
}

static bool head_boxes(struct candidates *c, const struct nn *net, const struct nn_head *head,
                       const float *out, const struct nn_shape *s, const struct img *m)
{
    size_t plane = (size_t)s->w * s->h;
    for (size_t a = 0; a < head->n; a++) {
        for (size_t cell = 0; cell < plane; cell++) {
            const float *f = out + a * (5 + net->labels) * plane + cell;
            double object = prob_sigmoid((double)f[4 * plane]);
            if (object < (double)net->score_min) {
                continue;
            }
            for (uint32_t k = 0; k < net->labels; k++) {
                double score = object * prob_sigmoid((double)f[(5 + k) * plane]);
                if (score < (double)net->score_min) {
                    continue;
                }
                struct candidate x = {box_of(net, m, s, head->anchor[a], f, plane, cell), score, 0};
                x.box.label = k;
                x.box.milli = prob_milli(score);
                if (x.box.w > 0 && x.box.h > 0 && !add(c, x)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static int better_first(const void *pa, const void *pb)
{
    const struct candidate *a = pa;
    const struct candidate *b = pb;
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->place < b->place ? -1 : 1;
}

/* True when the common area is more than max of the area of both together. */
static bool overlaps(const struct see_box *a, const struct see_box *b, double max)
{
    int64_t w = MIN(a->x + a->w, b->x + b->w) - MAX(a->x, b->x);
    int64_t h = MIN(a->y + a->h, b->y + b->h) - MAX(a->y, b->y);
    if (w <= 0 || h <= 0) {
        return false;
    }
    int64_t common = w * h;
    int64_t both = (int64_t)a->w * a->h + (int64_t)b->w * b->h - common;
    return (double)common > max * (double)both;
}

rc see_boxes(struct see_box out[SEE_BOXES_MAX], size_t *n, const struct nn *net,
             const struct nn_result *r, const struct img *m, struct err *e)
{
    struct candidates c = {0};
    *n = 0;
    for (uint32_t i = 0; i < net->heads; i++) {
        if (!head_boxes(&c, net, &net->head[i], r->out[i], &r->shape[i], m)) {
            free(c.v);
            return err_set(e, RC_CODE_LIMIT, "no memory for the boxes");
        }
    }
    if (c.n > 0) {
        qsort(c.v, c.n, sizeof(*c.v), better_first);
    }
    for (size_t i = 0; i < c.n && *n < SEE_BOXES_MAX; i++) {
        bool kept = true;
        for (size_t j = 0; j < *n && kept; j++) {
            kept = out[j].label != c.v[i].box.label ||
                   !overlaps(&out[j], &c.v[i].box, (double)net->overlap_max);
        }
        if (kept) {
            out[(*n)++] = c.v[i].box;
        }
    }
    free(c.v);
    return RC_OK;
}
