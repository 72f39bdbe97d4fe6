/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/engine/nn.h"

#include <stdlib.h>
#include <zlib.h>

static const char magic[8] = {'S', 'O', 'U', 'K', 'N', 'E', 'T', 1};

static uint32_t take_u32(struct cur *c)
{
    return (uint32_t)take_le(c, 4);
}

static float take_f32(struct cur *c)
{
    uint32_t v = take_u32(c);
    float f;
    memcpy(&f, &v, sizeof(f));
    if ((v >> 23 & 0xff) == 0xff) {
        cur_fail(c, "a number is not finite");
        return 0;
    }
    return f;
}

/* A number from outside that must lie in lo..hi; lo after a failure. */
static uint32_t take_range(struct cur *c, uint32_t lo, uint32_t hi, const char *why)
{
    uint32_t v = take_u32(c);
    if (c->bad == NULL && (v < lo || v > hi)) {
        cur_fail(c, why);
    }
    return c->bad == NULL ? v : lo;
}

/* n floats in place. Refuses numbers that are not finite: what they do to a sum is not the same on
 * every machine. */
static const float *take_floats(struct cur *c, uint64_t n)
{
    if (n > c->n / 4) {
        cur_fail(c, "cut short in the weights");
        return NULL;
    }
    struct bytes b = take_bytes(c, (size_t)n * 4);
    if (b.p == NULL || ((uintptr_t)b.p & 3) != 0) {
        cur_fail(c, "weights are not aligned");
        return NULL;
    }
    const float *f = (const float *)(const void *)b.p;
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t v;
        memcpy(&v, f + i, sizeof(v));
        v &= 0x7f800000;
        worst = v > worst ? v : worst;
    }
    if (worst == 0x7f800000) {
        cur_fail(c, "a weight is not a finite number");
        return NULL;
    }
    return f;
}

static struct nn_shape shape_of(const struct nn *net, uint32_t i)
{
    return i == 0 ? net->in : net->layer[i - 1].out;
}

/* Length after a window of k slides over n with padding; 0 when it does not fit. */
static uint32_t slide(uint32_t n, const struct nn_layer *l)
{
    uint32_t padded = n + l->pad_lo + l->pad_hi;
    return padded < l->k ? 0 : (padded - l->k) / l->stride + 1;
}

static bool shape_ok(struct nn_shape s)
{
    return s.c > 0 && s.h > 0 && s.w > 0 && s.c <= NN_CH_MAX && s.h <= NN_SIDE_MAX &&
           s.w <= NN_SIDE_MAX && nn_elems(s) <= NN_ELEMS_MAX;
}

/* The shape that layer l makes of its inputs; out_ch is what the file says for layers with weights.
 * Zero channels when the inputs do not fit. */
static struct nn_shape shape_made(const struct nn *net, const struct nn_layer *l, uint32_t out_ch)
{
    struct nn_shape a = shape_of(net, l->in[0]);
    struct nn_shape b = shape_of(net, l->in[1]);
    bool same_size = a.h == b.h && a.w == b.w;
    switch (l->kind) {
    case NN_CONV:
        return (struct nn_shape){out_ch, slide(a.h, l), slide(a.w, l)};
    case NN_DEPTHWISE:
    case NN_MAXPOOL:
        return (struct nn_shape){a.c, slide(a.h, l), slide(a.w, l)};
    case NN_UPSAMPLE:
        return (struct nn_shape){a.c, 2 * a.h, 2 * a.w};
    case NN_CONCAT:
        return same_size ? (struct nn_shape){a.c + b.c, a.h, a.w} : (struct nn_shape){0};
    case NN_ADD:
        return same_size && a.c == b.c ? a : (struct nn_shape){0};
    case NN_AVGPOOL:
        return (struct nn_shape){a.c, 1, 1};
    case NN_FULL:
        return (struct nn_shape){out_ch, 1, 1};
    }
    return (struct nn_shape){0};
}

/* One record of the layer table with its weights; i layers are already there. */
static void take_layer(struct cur *c, struct nn *net, uint32_t i)
{
    struct nn_layer *l = &net->layer[i];
    l->kind = (enum nn_kind)take_range(c, NN_CONV, NN_FULL, "unknown kind of layer");
    l->act = (enum nn_act)take_range(c, NN_LINEAR, NN_LEAKY, "unknown activation");
    l->in[0] = take_range(c, 0, i, "a layer reads one that comes later");
    l->in[1] = take_range(c, 0, i, "a layer reads one that comes later");
    uint32_t out_ch = take_range(c, 0, NN_CH_MAX, "too many channels");
    l->k = take_range(c, 1, 64, "window size is not 1..64");
    l->stride = take_range(c, 1, 64, "step is not 1..64");
    l->pad_lo = take_range(c, 0, l->k - 1, "padding is not smaller than the window");
    l->pad_hi = take_range(c, 0, l->k - 1, "padding is not smaller than the window");
    if (c->bad != NULL) {
        return;
    }
    l->out = shape_made(net, l, out_ch);
    if (!shape_ok(l->out)) {
        cur_fail(c, "the shapes of a layer and its inputs do not fit, or are too large");
        return;
    }
    struct nn_shape a = shape_of(net, l->in[0]);
    uint64_t per_value = 1; /* multiplications, or comparisons, for one output value */
    uint64_t kk = (uint64_t)l->k * l->k;
    if (l->kind == NN_CONV) {
        per_value = a.c * kk;
    } else if (l->kind == NN_FULL) {
        per_value = nn_elems(a);
    } else if (l->kind == NN_DEPTHWISE || l->kind == NN_MAXPOOL) {
        per_value = kk;
    }
    net->macs += per_value * nn_elems(l->out);
    if (net->macs > NN_MACS_MAX) {
        cur_fail(c, "the model needs more work than is allowed");
        return;
    }
    if (l->kind == NN_CONV || l->kind == NN_DEPTHWISE || l->kind == NN_FULL) {
        l->weight = take_floats(c, l->out.c * per_value);
        l->bias = take_floats(c, l->out.c);
    }
}

static void take_labels(struct cur *c, struct nn *net)
{
    size_t size = 0;
    for (uint32_t i = 0; i < net->labels; i++) {
        uint32_t n = take_range(c, 1, 255, "a label is not 1..255 bytes long");
        net->label[i] = take_bytes(c, n);
        size += n;
        for (uint32_t j = 0; j < net->label[i].n; j++) {
            if (net->label[i].p[j] < ' ' || net->label[i].p[j] == 0x7f) {
                cur_fail(c, "a label holds a control character");
            }
        }
    }
    (void)take_bytes(c, (4 - size % 4) % 4);
}

static void take_heads(struct cur *c, struct nn *net)
{
    net->heads = take_range(c, net->task == NN_DETECT ? 1 : 0,
                            net->task == NN_DETECT ? NN_HEADS_MAX : 0, "wrong number of heads");
    for (uint32_t i = 0; i < net->heads; i++) {
        struct nn_head *h = &net->head[i];
        h->layer = take_u32(c);
        h->n = take_range(c, 1, ARRAY_LEN(h->anchor), "wrong number of anchors");
        for (uint32_t j = 0; j < h->n; j++) {
            for (int d = 0; d < 2; d++) {
                h->anchor[j][d] = take_f32(c);
                if (!(h->anchor[j][d] > 0 && h->anchor[j][d] <= NN_SIDE_MAX)) {
                    cur_fail(c, "an anchor is outside the picture");
                }
            }
        }
    }
}

/* What the applications rely on: as many outputs as labels, heads of the right depth. */
static void check_outputs(struct cur *c, const struct nn *net)
{
    if (c->bad != NULL) {
        return;
    }
    if (net->task == NN_CLASSIFY && nn_elems(net->layer[net->layers - 1].out) != net->labels) {
        cur_fail(c, "the last layer has not one output for each label");
    }
    for (uint32_t i = 0; i < net->heads; i++) {
        uint32_t l = net->head[i].layer;
        if (l < 1 || l > net->layers ||
            net->layer[l - 1].out.c != net->head[i].n * (5 + net->labels)) {
            cur_fail(c, "a head's layer has not the depth that its anchors and labels need");
        }
    }
}

static void take_header(struct cur *c, struct nn *net)
{
    net->task = (enum nn_task)take_range(c, NN_CLASSIFY, NN_DETECT, "unknown task");
    net->in.c = take_range(c, 3, 3, "the input has not three colours");
    net->in.h = take_range(c, 8, NN_SIDE_MAX, "the input's height is not 8..2048");
    net->in.w = take_range(c, 8, NN_SIDE_MAX, "the input's width is not 8..2048");
    net->fit = (enum nn_fit)take_range(c, NN_CROP, NN_STRETCH, "unknown way to fit the picture");
    uint32_t side_min = net->fit == NN_CROP ? MAX(net->in.h, net->in.w) : 0;
    net->short_side = take_range(c, side_min, NN_SIDE_MAX, "the short side is too small or large");
    for (int i = 0; i < 3; i++) {
        net->mean[i] = take_f32(c);
    }
    for (int i = 0; i < 3; i++) {
        net->dev[i] = take_f32(c);
        if (!(net->dev[i] >= 1e-3F && net->dev[i] <= 1e6F)) {
            cur_fail(c, "a deviation is not 0.001..1000000");
        }
    }
    net->score_min = take_f32(c);
    net->overlap_max = take_f32(c);
    if (net->task == NN_DETECT && !(net->score_min >= 0.01F && net->score_min <= 1 &&
                                    net->overlap_max >= 0 && net->overlap_max <= 1)) {
        cur_fail(c, "a threshold is outside 0..1");
    }
    net->labels = take_range(c, 1, NN_LABELS_MAX, "wrong number of labels");
    net->layers = take_range(c, 1, NN_LAYERS_MAX, "wrong number of layers");
}

rc nn_parse(struct nn *net, struct bytes file, struct err *e)
{
    *net = (struct nn){0};
    if (file.n > NN_FILE_MAX) {
        return err_set(e, RC_CODE_LIMIT, "the model file is larger than %zu MiB",
                       NN_FILE_MAX >> 20);
    }
    if (file.n < sizeof(magic) + NN_TRAILER || memcmp(file.p, magic, sizeof(magic)) != 0) {
        return err_set(e, RC_CODE_MALFORMED, "not a model file of format 1 (%zu bytes)", file.n);
    }
    struct cur t = cur_of((struct bytes){file.p + file.n - NN_TRAILER, NN_TRAILER});
    uint32_t crc = take_u32(&t);
#ifndef FUZZING /* the fuzzer cannot guess it */
    if (crc32_z(0, file.p, file.n - NN_TRAILER) != crc) {
        return err_set(e, RC_CODE_MALFORMED,
                       "the model file is damaged or cut short: its check value does not match");
    }
#else
    (void)crc;
#endif
    struct cur c =
        cur_of((struct bytes){file.p + sizeof(magic), file.n - sizeof(magic) - NN_TRAILER});
    take_header(&c, net);
    if (c.bad == NULL) {
        size_t tables = net->labels * sizeof(struct bytes) + net->layers * sizeof(struct nn_layer);
        net->mem = calloc(1, tables);
        if (net->mem == NULL) {
            return err_set(e, RC_CODE_LIMIT, "no memory for the model's tables");
        }
        net->layer = net->mem;
        net->label = (struct bytes *)(void *)(net->layer + net->layers);
        take_labels(&c, net);
        take_heads(&c, net);
    }
    for (uint32_t i = 0; i < net->layers && c.bad == NULL; i++) {
        take_layer(&c, net, i);
    }
    check_outputs(&c, net);
    rc r = cur_end(&c);
    if (!rc_ok(r)) {
        nn_close(net);
        return err_set(e, RC_CODE_MALFORMED, "model file: %s",
                       c.bad != NULL ? c.bad : "bytes after the last layer");
    }
    return RC_OK;
}

void nn_close(struct nn *net)
{
    free(net->mem);
    *net = (struct nn){0};
}
