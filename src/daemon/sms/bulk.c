/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.c - many datasets for one task. SPEC sdk-surface 7, offchain 4.2: the deal's params name a
 * root, a list of CIDs; the one at the task's index is a list of signed dataset orders. An order
 * counts only when the hub says that it fits the deal; where it does not, or its key is not here,
 * the application gets empty values in its place.
 *
 * The gateway is not trusted with secrets: what it serves are orders, and each is checked on chain. */
#include <stdio.h>

#include "daemon/sms/sms_int.h"

enum { SLICE_MAX = 100, FETCH_TIMEOUT_MS = 4000, CID_TEXT_MAX = 128 };

#define FETCH_MAX   ((size_t)1 << 20)
#define BULK_VOLUME ((1ULL << 53) - 2) /* SPEC sdk-surface 7: such an order never runs out */

/* GET {gateway}/ipfs/{cid}: a JSON array. */
static rc fetch(struct sms *s, json_t **out, const char *cid, struct err *e)
{
    size_t n = strlen(cid);
    BUF_FREE url = buf_new(1024);
    if (s->gateway == NULL) {
        return err_set(e, RC_CODE_DENIED, "bulk datasets need --gateway");
    }
    if (n == 0 || n > CID_TEXT_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "bulk: not a CID: %.40s", cid);
    }
    put_fmt(&url, "%s/ipfs/", s->gateway);
    put_url(&url, bytes_str(cid));
    struct http_call call = {
        .url = buf_cstr(&url), .timeout_ms = FETCH_TIMEOUT_MS, .answer_max = FETCH_MAX};
    TRY(http_json(client_http(s->chain), out, &call, NULL, e));
    if (!json_is_array(*out)) {
        return err_set(e, RC_CODE_MALFORMED, "bulk: /ipfs/%.60s is no list", cid);
    }
    return RC_OK;
}

static struct bytes call_data(struct sms *s, const struct buf *b)
{
    uint8_t *p = arena_alloc(&s->round, b->n);
    if (p != NULL) {
        memcpy(p, b->p, b->n);
    }
    return (struct bytes){p, p != NULL ? b->n : 0};
}

/* Which orders fit the deal: one call of the hub for each, all in one request. */
static rc check_orders(struct sms *s, struct bulk *out, const struct dataset_order *orders,
                       struct hash deal, struct err *e)
{
    struct client_call_item *it = ARENA_ARRAY(&s->round, struct client_call_item, out->n);
    if (it == NULL) {
        return RC(LIMIT);
    }
    for (size_t i = 0; i < out->n; i++) {
        BUF_FREE data = buf_new(1 << 16);
        struct abi_out o = call_begin(&data, METHOD_hub_assertDatasetDealCompatibility, 2);
        put_dataset_order(&o, &orders[i]);
        abi_put_hash(&o, deal);
        it[i] = (struct client_call_item){.to = client_hub(s->chain), .data = call_data(s, &data)};
    }
    TRY(client_call_batch(s->chain, it, out->n, &s->round, e));
    for (size_t i = 0; i < out->n; i++) {
        struct bulk_item *b = &out->item[i];
        if (sms_is_away(it[i].r)) {
            return err_set(e, it[i].r.code, "%s", it[i].err.msg);
        }
        b->dataset = orders[i].dataset;
        b->fits = rc_ok(it[i].r) && u256_cmp(orders[i].volume, u256_from(BULK_VOLUME)) >= 0;
        if (b->fits) {
            rc r = client_view_dataset(s->chain, &b->view, &s->round, b->dataset, e);
            b->fits = rc_ok(r);
            if (sms_is_away(r)) {
                return r;
            }
        }
    }
    return RC_OK;
}

static rc read_slice(struct sms *s, struct bulk *out, const json_t *slice, struct hash deal,
                     struct err *e)
{
    struct js list = js_top(slice);
    TRY(js_array(&list, SLICE_MAX, e));
    out->n = js_n(&list);
    out->item = ARENA_ARRAY(&s->round, struct bulk_item, out->n + 1);
    struct dataset_order *orders = ARENA_ARRAY(&s->round, struct dataset_order, out->n + 1);
    if (out->item == NULL || orders == NULL) {
        return RC(LIMIT);
    }
    for (size_t i = 0; i < out->n; i++) {
        struct js one = js_at(&list, i);
        TRY(dataset_order_json(&orders[i], &s->round, &one, e));
    }
    return out->n > 0 ? check_orders(s, out, orders, deal, e) : RC_OK;
}

rc bulk_read(struct sms *s, struct bulk *out, const char *root_cid, uint64_t index,
             struct hash deal, struct err *e)
{
    JSON_FREE *root = NULL;
    JSON_FREE *slice = NULL;
    *out = (struct bulk){0};
    TRY(fetch(s, &root, root_cid, e));
    const char *cid =
        index < json_array_size(root) ? json_string_value(json_array_get(root, index)) : NULL;
    if (cid == NULL) {
        return err_set(e, RC_CODE_NOT_FOUND, "bulk: the list has no slice for task %llu",
                       (unsigned long long)index);
    }
    TRY(fetch(s, &slice, cid, e));
    return err_wrap(e, read_slice(s, out, slice, deal, e), "bulk slice %.60s", cid);
}
