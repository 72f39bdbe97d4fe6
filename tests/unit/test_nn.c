/* SPDX-License-Identifier: Apache-2.0 */
/* The inference engine: each layer against hand-computed values or the plainest loop, bit by bit,
 * and a model file that is wrong in each way that the format allows. */
#include <stdlib.h>
#include <zlib.h>

#include "apps/engine/nn_ops.h"
#include "apps/engine/prob.h"
#include "base/buf.h"
#include "tests/test.h"

static void put_le(struct buf *b, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        put_u8(b, (uint8_t)(v >> 8 * i));
    }
}

static void put_f(struct buf *b, float f)
{
    uint32_t v;
    memcpy(&v, &f, sizeof(v));
    put_le(b, v);
}

/* A classifier for 8 × 8 pictures: average of each colour, then two classes. Word offsets that tests
 * change: task 2, channels 3, height 4, width 5, fit 6, short side 7, mean 8, deviation 11,
 * score 14, overlap 15, labels 16, layers 17, heads 21, first layer 22, second 31, weights 40. */
static struct buf small_model(void)
{
    static const uint32_t head[] = {1, 3, 8, 8, 2, 0};
    static const uint32_t avg[] = {NN_AVGPOOL, 0, 0, 0, 0, 1, 1, 0, 0};
    static const uint32_t full[] = {NN_FULL, 0, 1, 0, 2, 1, 1, 0, 0};
    static const float weights[] = {1, 2, 3, -1, 0, 1, 10, 20};
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    put_mem(&b, "SOUKNET\x01", 8);
    for (size_t i = 0; i < ARRAY_LEN(head); i++) {
        put_le(&b, head[i]);
    }
    for (int i = 0; i < 8; i++) {
        put_f(&b, i < 3 || i > 5 ? 0 : 1);
    }
    put_le(&b, 2);
    put_le(&b, 2);
    put_le(&b, 1);
    put_str(&b, "a");
    put_le(&b, 2);
    put_str(&b, "bc");
    put_zero(&b, 1);
    put_le(&b, 0);
    for (size_t i = 0; i < ARRAY_LEN(avg); i++) {
        put_le(&b, avg[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(full); i++) {
        put_le(&b, full[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(weights); i++) {
        put_f(&b, weights[i]);
    }
    return b;
}

/* Parses b with its check value put behind it. */
static rc parse(struct nn *net, struct buf *b, struct err *e)
{
    put_le(b, (uint32_t)crc32_z(0, b->p, b->n));
    return nn_parse(net, buf_bytes(b), e);
}

static void test_small(void)
{
    struct buf b = small_model();
    struct nn net;
    struct err e;
    struct nn_result r;
    float x[192];
    CHECK(rc_ok(parse(&net, &b, &e)));
    CHECK(net.labels == 2 && bytes_eq(net.label[1], BYTES_LIT("bc")) && net.layers == 2);
    for (int i = 0; i < 192; i++) {
        x[i] = (float)(i / 64 + i % 2); /* averages 0.5, 1.5, 2.5 */
    }
    CHECK(rc_ok(nn_run(&r, &net, x, &e)));
    CHECK(r.n == 1 && r.shape[0].c == 2);
    CHECK(r.out[0][0] == 10 + 0.5F + 3 + 7.5F && r.out[0][1] == 20 - 0.5F + 2.5F);
    nn_result_free(&r);
    x[0] = 3e38F;
    x[64] = 3e38F;
    for (int i = 0; i < 192; i++) {
        x[i] = 3e38F; /* the sum of a colour is infinite */
    }
    CHECK(nn_run(&r, &net, x, &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "finite") != NULL);
    nn_result_free(&r);
    nn_close(&net);
    buf_free(&b);
}

struct wrong {
    size_t word; /* offset in the file / 4 */
    uint32_t value;
    const char *says;
};

static void test_wrong(void)
{
    static const struct wrong cases[] = {
        {2, 9, "unknown task"},
        {3, 4, "three colours"},
        {4, 7, "height"},
        {5, 4000, "width"},
        {6, 3, "fit"},
        {7, 5000, "short side"},
        {8, 0x7fc00000, "not finite"},
        {11, 0, "deviation"},
        {16, 0, "number of labels"},
        {16, 3, ""},
        {17, 0, "number of layers"},
        {17, 1, "one output for each label"},
        {18, 300, "label is not"},
        {21, 1, "heads"},
        {22, 99, "unknown kind"},
        {23, 9, "activation"},
        {24, 1, "comes later"},
        {35, 5, "weights"},
        {35, 0, "do not fit"},
        {36, 0, "window"},
        {37, 0, "step"},
        {38, 1, "padding"},
        {40, 0x7f800000, "finite"},
        {47, 0xffc00000, "finite"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = small_model();
        struct nn net;
        struct err e = {0};
        for (size_t j = 0; j < 4; j++) {
            b.p[cases[i].word * 4 + j] = (uint8_t)(cases[i].value >> 8 * j);
        }
        rc r = parse(&net, &b, &e);
        if (r.code != RC_CODE_MALFORMED || strstr(e.msg, cases[i].says) == NULL) {
            (void)fprintf(stderr, "case %zu: %s\n", i, e.msg);
        }
        CHECK(r.code == RC_CODE_MALFORMED && strstr(e.msg, cases[i].says) != NULL);
        buf_free(&b);
    }
}

static void test_damage(void)
{
    struct buf b = small_model();
    struct nn net;
    struct err e;
    put_le(&b, (uint32_t)crc32_z(0, b.p, b.n));
    for (size_t n = 0; n < b.n; n++) {
        CHECK(nn_parse(&net, (struct bytes){b.p, n}, &e).code == RC_CODE_MALFORMED);
    }
    b.p[100] ^= 1;
    CHECK(nn_parse(&net, buf_bytes(&b), &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "check value") != NULL);
    b.n -= 4;
    b.p[100] ^= 1;
    put_zero(&b, 4);
    CHECK(parse(&net, &b, &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "after the last layer") != NULL);
    buf_free(&b);
}

static uint32_t seed = 12345;

static float random_value(void)
{
    seed = seed * 1664525 + 1013904223;
    return (float)(int32_t)seed / 2147483648.0F;
}

static float *randoms(size_t n)
{
    float *p = malloc(n * sizeof(float));
    CHECK(p != NULL);
    for (size_t i = 0; i < n; i++) {
        p[i] = random_value();
    }
    return p;
}

/* The value at row y, column x of a plane with padding. */
static float at(const float *plane, struct nn_shape s, const struct nn_layer *l, size_t y, size_t x)
{
    bool outside = y < l->pad_lo || x < l->pad_lo || y - l->pad_lo >= s.h || x - l->pad_lo >= s.w;
    return outside ? 0 : plane[(y - l->pad_lo) * s.w + x - l->pad_lo];
}

/* Convolution as its definition says, in the order that the engine promises. */
static float conv_at(const struct nn_layer *l, const float *in, struct nn_shape s, size_t m,
                     size_t y, size_t x)
{
    bool depthwise = l->kind == NN_DEPTHWISE;
    size_t channels = depthwise ? 1 : s.c;
    float sum = l->bias[m];
    const float *w = l->weight + m * channels * l->k * l->k;
    for (size_t c = 0; c < channels; c++) {
        const float *plane = in + (depthwise ? m : c) * s.h * s.w;
        for (size_t ky = 0; ky < l->k; ky++) {
            for (size_t kx = 0; kx < l->k; kx++) {
                sum += *w++ * at(plane, s, l, y * l->stride + ky, x * l->stride + kx);
            }
        }
    }
    return sum;
}

static void test_convolution(void)
{
    static const struct nn_layer cases[] = {
        {.kind = NN_CONV, .k = 1, .stride = 1, .out = {5, 9, 11}},
        {.kind = NN_CONV, .k = 3, .stride = 1, .pad_lo = 1, .pad_hi = 1, .out = {8, 9, 11}},
        {.kind = NN_CONV, .k = 3, .stride = 2, .pad_lo = 0, .pad_hi = 1, .out = {7, 4, 5}},
        {.kind = NN_CONV, .k = 5, .stride = 3, .pad_lo = 2, .pad_hi = 2, .out = {4, 3, 4}},
        {.kind = NN_CONV, .k = 1, .stride = 1, .out = {1, 9, 11}},
        {.kind = NN_DEPTHWISE, .k = 3, .stride = 1, .pad_lo = 1, .pad_hi = 1, .out = {6, 9, 11}},
        {.kind = NN_DEPTHWISE, .k = 3, .stride = 2, .pad_lo = 1, .pad_hi = 1, .out = {6, 5, 6}},
    };
    struct nn_shape s = {6, 9, 11};
    float *in = randoms(nn_elems(s));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct nn_layer l = cases[i];
        float *w = randoms(l.out.c * s.c * l.k * l.k);
        float *bias = randoms(l.out.c);
        float *out = malloc(nn_elems(l.out) * sizeof(float));
        CHECK(out != NULL);
        l.weight = w;
        l.bias = bias;
        CHECK(l.kind == NN_CONV ? op_conv(out, &l, in, s) : op_depthwise(out, &l, in, s));
        for (size_t j = 0; j < nn_elems(l.out); j++) {
            size_t plane = (size_t)l.out.h * l.out.w;
            float want = conv_at(&l, in, s, j / plane, j % plane / l.out.w, j % l.out.w);
            CHECK(memcmp(&out[j], &want, sizeof(want)) == 0);
        }
        free(w);
        free(bias);
        free(out);
    }
    free(in);
}

static void test_layers(void)
{
    static const float in[12] = {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
    static const float pooled[2] = {5, -1};
    static const float same[12] = {5, 6, 6, 5, 6, 6, -1, -2, -3, -4, -5, -6};
    static const float up[8] = {1, 1, 2, 2, 1, 1, 2, 2};
    struct nn_shape s = {2, 2, 3};
    struct nn_layer l = {.kind = NN_MAXPOOL, .k = 2, .stride = 2, .out = {2, 1, 1}};
    float out[24];
    op_maxpool(out, &l, in, s);
    CHECK(memcmp(out, pooled, sizeof(pooled)) == 0);
    /* Step 1 with a border behind: what lies outside never wins, not even against negatives. */
    l = (struct nn_layer){.kind = NN_MAXPOOL, .k = 2, .stride = 1, .pad_hi = 1, .out = {2, 2, 3}};
    op_maxpool(out, &l, in, s);
    CHECK(memcmp(out, same, sizeof(same)) == 0);
    op_upsample(out, in, (struct nn_shape){1, 1, 2});
    CHECK(memcmp(out, up, sizeof(up)) == 0);
    op_avgpool(out, in, s);
    CHECK(out[0] == 3.5F && out[1] == -3.5F);
    float x[4] = {-10, -0.5F, 0.5F, 10};
    op_activate(x, 4, NN_LEAKY);
    CHECK(x[0] == -1 && x[1] == 0.1F * -0.5F && x[3] == 10);
    op_activate(x, 4, NN_RELU6);
    CHECK(x[0] == 0 && x[2] == 0.5F && x[3] == 6);
}

static void test_prob(void)
{
    /* e, e^-10, e^100 to 17 digits. */
    CHECK(prob_exp(0) == 1);
    double e1 = prob_exp(1) / 2.7182818284590452 - 1;
    double e10 = prob_exp(-10) / 4.5399929762484854e-5 - 1;
    double e100 = prob_exp(100) / 2.6881171418161354e43 - 1;
    CHECK(e1 < 1e-14 && e1 > -1e-14 && e10 < 1e-14 && e10 > -1e-14);
    CHECK(e100 < 1e-13 && e100 > -1e-13);
    CHECK(prob_exp(1e9) == prob_exp(700) && prob_exp(-1e9) == prob_exp(-700));
    CHECK(prob_sigmoid(0) == 0.5 && prob_milli(0.7065) == 707 && prob_milli(1) == 1000);
    float x[3] = {1000, 1000, -1000};
    double p[3];
    prob_softmax(p, x, 3);
    CHECK(p[0] == 0.5 && p[1] == 0.5 && p[2] < 1e-300);
}

int main(void)
{
    test_small();
    test_wrong();
    test_damage();
    test_convolution();
    test_layers();
    test_prob();
    return 0;
}
