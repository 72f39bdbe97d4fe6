/* SPDX-License-Identifier: Apache-2.0 */
/* capi.c - the library's interface over attest.h. */
#include "attest/souk_attest.h"

#include "attest/attest.h"

#define OUT_MAX      ((size_t)8 << 20)
#define INPUTS_ARENA ((size_t)256 << 10)

struct call {
    struct attest_input in;
    struct attest_policy policy;
    struct arena inputs, scratch;
    struct verdict v;
};

static void put_out(char *out, size_t out_size, size_t *out_len, struct bytes text)
{
    if (out_len != NULL) {
        *out_len = text.n;
    }
    if (out != NULL && out_size > 0) {
        size_t n = MIN(text.n, out_size - 1);
        if (n > 0) {
            memcpy(out, text.p, n);
        }
        out[n] = '\0';
    }
}

static rc take_lists(struct call *c, const struct souk_attest_input *in, struct err *e)
{
    if (in->n_items > ATTEST_ITEMS_MAX || in->n_anchors > ATTEST_ITEMS_MAX) {
        return err_set(e, RC_CODE_LIMIT, "more than %d items or anchors", ATTEST_ITEMS_MAX);
    }
    struct attest_item *item = ARENA_ARRAY(&c->inputs, struct attest_item, in->n_items + 1);
    struct attest_anchor *anchor = ARENA_ARRAY(&c->inputs, struct attest_anchor, in->n_anchors + 1);
    if (item == NULL || anchor == NULL) {
        return err_set(e, RC_CODE_LIMIT, "no memory left");
    }
    for (size_t i = 0; i < in->n_items; i++) {
        item[i].name = in->items[i].name != NULL ? in->items[i].name : "";
        item[i].data = (struct bytes){in->items[i].data, in->items[i].size};
    }
    for (size_t i = 0; i < in->n_anchors; i++) {
        const struct souk_attest_anchor *a = &in->anchors[i];
        if (a->kind == NULL || a->type < 0 || a->type > SOUK_ATTEST_ANCHOR_KEY ||
            (a->type == SOUK_ATTEST_ANCHOR_ADDRESS && a->size != sizeof(struct address))) {
            return err_set(e, RC_CODE_MALFORMED, "anchors[%zu]: kind, type or size is wrong", i);
        }
        anchor[i].kind = a->kind;
        anchor[i].type = (enum attest_anchor_type)a->type;
        anchor[i].data = (struct bytes){a->data, a->size};
    }
    c->in.item = item;
    c->in.n_item = in->n_items;
    c->in.anchor = anchor;
    c->in.n_anchor = in->n_anchors;
    return RC_OK;
}

static rc take(struct call *c, const struct souk_attest_input *in, struct err *e)
{
    if (in->struct_size != sizeof(*in)) {
        return err_set(e, RC_CODE_MALFORMED, "struct_size is not of this version of the library");
    }
    if (in->evidence == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "no evidence");
    }
    c->in.evidence = (struct bytes){in->evidence, in->evidence_size};
    c->in.now = in->time;
    c->in.kind = in->kind;
    c->in.no_builtin_roots = in->no_builtin_roots != 0;
    c->in.report_data = (struct bytes){in->report_data, in->report_data_size};
    c->in.nonce = (struct bytes){in->nonce, in->nonce_size};
    c->in.policy = &c->policy;
    attest_policy_default(&c->policy);
    if (in->policy != NULL) {
        struct bytes json = {(const uint8_t *)in->policy, in->policy_size};
        TRY(attest_policy_parse(&c->policy, &c->inputs, json, e));
    }
    return take_lists(c, in, e);
}

static int run(const struct souk_attest_input *in, char *out, size_t out_size, size_t *out_len,
               enum souk_attest_format format, bool judge)
{
    struct call c = {0};
    struct err e = {0};
    BUF_FREE text = buf_new(OUT_MAX);
    arena_init(&c.inputs, INPUTS_ARENA);
    arena_init(&c.scratch, ATTEST_SCRATCH);
    int status = SOUK_ATTEST_BAD_INPUT;
    if (!rc_ok(take(&c, in, &e))) {
        put_str(&text, e.msg);
    } else {
        bool good =
            judge ? attest_verify(&c.v, &c.in, &c.scratch) : attest_show(&c.v, &c.in, &c.scratch);
        status = good ? SOUK_ATTEST_ACCEPTED : SOUK_ATTEST_REFUSED;
        if (format == SOUK_ATTEST_TEXT) {
            attest_put_text(&text, &c.v);
        } else {
            attest_put_json(&text, &c.v);
        }
    }
    put_out(out, out_size, out_len, buf_bytes(&text));
    arena_reset(&c.inputs);
    arena_reset(&c.scratch);
    return status;
}

int souk_attest_verify(const struct souk_attest_input *in, char *out, size_t out_size,
                       size_t *out_len, enum souk_attest_format format)
{
    return run(in, out, out_size, out_len, format, true);
}

int souk_attest_show(const struct souk_attest_input *in, char *out, size_t out_size,
                     size_t *out_len, enum souk_attest_format format)
{
    return run(in, out, out_size, out_len, format, false);
}

const char *souk_attest_kind(size_t i)
{
    return attest_kind_at(i, NULL);
}
