/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/engine/nn_ops.h"

#include <stdlib.h>

static const struct nn_shape *shape_of(const struct nn *net, uint32_t i)
{
    return i == 0 ? &net->in : &net->layer[i - 1].out;
}

/* Tensors of a run by number (0 is the picture), and the layer that needs each of them last. */
struct run {
    const float *x;
    float **tensor;
    uint32_t *last;
};

static const float *tensor_of(const struct run *r, uint32_t i)
{
    return i == 0 ? r->x : r->tensor[i];
}

static bool run_layer(const struct nn *net, struct run *r, uint32_t i)
{
    const struct nn_layer *l = &net->layer[i - 1];
    size_t n = nn_elems(l->out);
    float *out = r->tensor[i] = malloc(n * sizeof(float));
    if (out == NULL) {
        return false;
    }
    const float *a = tensor_of(r, l->in[0]);
    const float *b = tensor_of(r, l->in[1]);
    struct nn_shape s = *shape_of(net, l->in[0]);
    size_t a_n = nn_elems(s);
    switch (l->kind) {
    case NN_CONV:
        if (!op_conv(out, l, a, s)) {
            return false;
        }
        break;
    case NN_DEPTHWISE:
        if (!op_depthwise(out, l, a, s)) {
            return false;
        }
        break;
    case NN_MAXPOOL:
        op_maxpool(out, l, a, s);
        break;
    case NN_UPSAMPLE:
        op_upsample(out, a, s);
        break;
    case NN_CONCAT:
        memcpy(out, a, a_n * sizeof(float));
        memcpy(out + a_n, b, (n - a_n) * sizeof(float));
        break;
    case NN_ADD:
        for (size_t j = 0; j < n; j++) {
            out[j] = a[j] + b[j];
        }
        break;
    case NN_AVGPOOL:
        op_avgpool(out, a, s);
        break;
    case NN_FULL:
        op_full(out, l, a, a_n);
        break;
    }
    op_activate(out, n, l->act);
    return true;
}

/* Tensors that nobody reads any more are freed at once: a run needs little more than its two
 * largest. Results are kept by giving them a last reader that never comes. */
static void plan(const struct nn *net, uint32_t *last)
{
    for (uint32_t i = 1; i <= net->layers; i++) {
        last[i] = i;
        for (int j = 0; j < 2; j++) {
            last[net->layer[i - 1].in[j]] = i;
        }
    }
    for (uint32_t i = 0; i < net->heads; i++) {
        last[net->head[i].layer] = UINT32_MAX;
    }
    if (net->heads == 0) {
        last[net->layers] = UINT32_MAX;
    }
}

static bool run_all(const struct nn *net, struct run *r)
{
    for (uint32_t i = 1; i <= net->layers; i++) {
        if (!run_layer(net, r, i)) {
            return false;
        }
        for (uint32_t j = 1; j <= i; j++) {
            if (r->last[j] == i) {
                free(r->tensor[j]);
                r->tensor[j] = NULL;
            }
        }
    }
    return true;
}

/* Hands the tensor over to the result, or a copy when two heads name the same layer. */
static rc keep(struct nn_result *res, const struct nn *net, struct run *r, uint32_t i,
               struct err *e)
{
    struct nn_shape s = *shape_of(net, i);
    float *t = malloc(nn_elems(s) * sizeof(float));
    if (t == NULL) {
        return err_set(e, RC_CODE_LIMIT, "no memory for the result");
    }
    memcpy(t, r->tensor[i], nn_elems(s) * sizeof(float));
    res->out[res->n] = t;
    res->shape[res->n++] = s;
    for (size_t j = 0; j < nn_elems(s); j++) {
        if (!(t[j] - t[j] == 0)) {
            return err_set(e, RC_CODE_MALFORMED,
                           "the model's results are not finite numbers: not a trained model");
        }
    }
    return RC_OK;
}

rc nn_run(struct nn_result *res, const struct nn *net, const float *x, struct err *e)
{
    *res = (struct nn_result){0};
    struct run r = {x, calloc(net->layers + 1U, sizeof(float *)),
                    calloc(net->layers + 1U, sizeof(uint32_t))};
    rc out = RC_OK;
    if (r.tensor == NULL || r.last == NULL) {
        out = err_set(e, RC_CODE_LIMIT, "no memory to run the model");
    } else {
        plan(net, r.last);
        if (!run_all(net, &r)) {
            out = err_set(e, RC_CODE_LIMIT, "no memory to run the model");
        }
    }
    if (rc_ok(out) && net->heads == 0) {
        out = keep(res, net, &r, net->layers, e);
    }
    for (uint32_t i = 0; i < net->heads && rc_ok(out); i++) {
        out = keep(res, net, &r, net->head[i].layer, e);
    }
    for (uint32_t i = 1; r.tensor != NULL && i <= net->layers; i++) {
        free(r.tensor[i]);
    }
    free(r.tensor);
    free(r.last);
    return out;
}

void nn_result_free(struct nn_result *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        free(r->out[i]);
    }
    *r = (struct nn_result){0};
}
