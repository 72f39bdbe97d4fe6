/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_ENGINE_NN_H
#define SOUK_APPS_ENGINE_NN_H

/* nn.h - a small inference engine whose results have the same bits everywhere.
 *
 * A model file (docs/model-format.md) is data: a list of layers with their weights. The engine
 * reads it, checks every shape, and runs it in one thread. Each output value is one chain of float
 * multiplications and additions in an order that only the shapes decide, compiled without
 * contraction to fused operations. So neither the width of the machine's vectors nor the compiler's
 * flags change a bit, and workers can vote on digests of results. */

#include "base/cur.h"

#define NN_LAYERS_MAX 1024
#define NN_LABELS_MAX 65536
#define NN_HEADS_MAX  8
#define NN_SIDE_MAX   2048                 /* pixels of the input, and of any tensor */
#define NN_CH_MAX     65536                /* channels of a tensor */
#define NN_ELEMS_MAX  ((size_t)1 << 26)    /* floats of one tensor: 256 MiB */
#define NN_MACS_MAX   ((uint64_t)50 << 30) /* multiplications of one run: about ten seconds */
#define NN_FILE_MAX   ((size_t)512 << 20)  /* bytes of a model file */
#define NN_TRAILER    4                    /* bytes: CRC-32 of all before */

enum nn_task { NN_CLASSIFY = 1, NN_DETECT = 2 }; /* in files: never renumber */
enum nn_fit { NN_CROP = 1, NN_STRETCH = 2 };     /* in files: never renumber */
enum nn_act { NN_LINEAR = 0, NN_RELU = 1, NN_RELU6 = 2, NN_LEAKY = 3 }; /* leaky: 0.1 x below 0 */

enum nn_kind { /* in files: never renumber */
               NN_CONV = 1,
               NN_DEPTHWISE = 2,
               NN_MAXPOOL = 3,
               NN_UPSAMPLE = 4, /* each value twice in both directions */
               NN_CONCAT = 5,   /* channels of the first input, then of the second */
               NN_ADD = 6,
               NN_AVGPOOL = 7, /* over the whole picture */
               NN_FULL = 8,    /* fully connected, over the flattened input */
};

/* Channels × height × width, row after row. */
struct nn_shape {
    uint32_t c, h, w;
};

struct nn_layer {
    enum nn_kind kind;
    enum nn_act act;
    uint32_t in[2]; /* 0 is the picture, i the output of the i-th layer, counted from 1 */
    uint32_t k, stride, pad_lo, pad_hi; /* same in both directions; lo is the top and the left */
    struct nn_shape out;
    const float *weight; /* out.c × in.c × k × k (depthwise: c × k × k); NULL without weights */
    const float *bias;   /* out.c */
};

struct
    nn_head { /* a detector's output layer: for each cell and anchor x, y, w, h, object, classes */
    uint32_t layer;
    uint32_t n;         /* anchors */
    float anchor[8][2]; /* width, height in input pixels */
};

struct nn {
    enum nn_task task;
    enum nn_fit fit;
    struct nn_shape in;
    uint32_t short_side;   /* NN_CROP: short side is scaled to this before the centre is cut out */
    float mean[3], dev[3]; /* a pixel x becomes (x - mean) / dev */
    struct bytes *label;   /* UTF-8, views into the file */
    uint32_t labels;
    float score_min, overlap_max; /* detector: what to keep, and what counts as the same thing */
    struct nn_head head[NN_HEADS_MAX];
    uint32_t heads;
    struct nn_layer *layer;
    uint32_t layers;
    uint64_t macs;
    void *mem; /* label and layer tables */
};

/* Reads a whole model file. The net points into file, which must start at an address divisible by
 * four and outlive it. MALFORMED or LIMIT with a sentence in e; the caller then need not close. */
rc nn_parse(struct nn *net, struct bytes file, struct err *e);
void nn_close(struct nn *net);

/* What a run leaves: the outputs of the last layer (classifier) or of the heads (detector). */
struct nn_result {
    float *out[NN_HEADS_MAX];
    struct nn_shape shape[NN_HEADS_MAX];
    uint32_t n;
};

/* Runs the net on x (net->in, normalised). MALFORMED when a result is not a finite number: such
 * weights are no trained model. The caller frees r with nn_result_free in every case. */
rc nn_run(struct nn_result *r, const struct nn *net, const float *x, struct err *e);
void nn_result_free(struct nn_result *r);

static inline size_t nn_elems(struct nn_shape s)
{
    return (size_t)s.c * s.h * s.w;
}

#endif /* SOUK_APPS_ENGINE_NN_H */
