/* SPDX-License-Identifier: Apache-2.0 */
/* unpublish.c - orders that their signer takes back, and what follows for requests that counted on
 * them. Taking an order out of the book does not cancel it on the chain. */
#include <stdio.h>

#include "daemon/market/market_int.h"
#include "encoding/hex.h"

#define GONE_MAX 4096 /* orders taken back at once */

static const char *const fields[KINDS] = {"app", "dataset", "workerpool", "requester"};

struct unpublish {
    enum order_kind kind;
    enum { TARGET_HASH, TARGET_LAST, TARGET_ALL } target;
    struct hash hash;
    struct address asset;
};

static rc read_target(struct unpublish *u, struct bytes body, struct err *e)
{
    const char *target;
    JSON_FREE *doc = json_parse(body, JSON_DEPTH_MAX, e);
    if (doc == NULL) {
        return RC(MALFORMED);
    }
    const char *const allowed[] = {"target", "orderHash", fields[u->kind], NULL};
    struct js top = js_top(doc);
    TRY(js_object(&top, e));
    TRY(js_only(&top, allowed, e));
    struct js t = js_key(&top, "target");
    TRY(js_str(&target, &t, e));
    struct js hash = js_key(&top, "orderHash");
    struct js asset = js_key(&top, fields[u->kind]);
    if (strcmp(target, "unpublish_orderHash") == 0) {
        u->target = TARGET_HASH;
        return js_hash(&u->hash, &hash, e);
    }
    if (strcmp(target, "unpublish_last") != 0 && strcmp(target, "unpublish_all") != 0) {
        return err_set(e, RC_CODE_MALFORMED,
                       "target must be one of the following values: unpublish_orderHash, "
                       "unpublish_last, unpublish_all");
    }
    u->target = strcmp(target, "unpublish_last") == 0 ? TARGET_LAST : TARGET_ALL;
    return js_address(&u->asset, &asset, e);
}

static struct address field_of(const struct order_row *o)
{
    switch (o->kind) {
    case ORDER_APP:
        return o->app;
    case ORDER_DATASET:
        return o->dataset;
    case ORDER_WORKERPOOL:
        return o->workerpool;
    case ORDER_REQUEST:
        return o->requester;
    }
    return (struct address){0};
}

struct chosen {
    const struct unpublish *u;
    struct order_row *v;
    size_t n;
};

static rc choose(void *ctx, const struct order_row *o, struct err *e)
{
    struct chosen *c = ctx;
    if (!address_eq(field_of(o), c->u->asset)) {
        return RC_OK;
    }
    if (c->u->target == TARGET_LAST && c->n == 1) {
        if (o->published_ms >= c->v[0].published_ms) {
            c->v[0] = *o;
        }
        return RC_OK;
    }
    if (c->n == GONE_MAX) {
        return err_set(e, RC_CODE_LIMIT, "too many orders at once");
    }
    c->v[c->n++] = *o;
    return RC_OK;
}

/* The orders the request means: all the signer's own, all open. */
static rc select_orders(struct market *m, const struct unpublish *u, struct address who,
                        struct arena *a, struct chosen *c, struct err *e)
{
    char t1[HEX_HASH_MAX];
    char t2[HEX_ADDRESS_MAX];
    bool found;
    const char *name = kind_names[u->kind];
    *c = (struct chosen){.u = u, .v = ARENA_ARRAY(a, struct order_row, GONE_MAX)};
    ASSERT(c->v != NULL);
    if (u->target == TARGET_HASH) {
        TRY(order_get(m, &c->v[0], a, &found, u->kind, u->hash, e));
        if (!found || c->v[0].status != ORDER_OPEN) {
            return err_set(e, RC_CODE_DENIED, "%s with orderHash %s is not published", name,
                           hex_hash(t1, u->hash));
        }
        if (!address_eq(c->v[0].signer, who)) {
            return err_set(e, RC_CODE_DENIED, "only order signer %s can unpublish an order",
                           hex_address(t2, c->v[0].signer));
        }
        c->n = 1;
        return RC_OK;
    }
    TRY(order_each_of(m, u->kind, who, choose, c, a, e));
    if (c->n == 0) {
        return err_set(e, RC_CODE_DENIED, "no open %s published by signer %s for %s %s", name,
                       hex_address(t2, who), fields[u->kind], hex_address(t1, u->asset));
    }
    return RC_OK;
}

rc requests_recheck(struct market *m, bool dataset, struct address asset, uint64_t block,
                    struct err *e)
{
    struct arena a;
    struct where w = WHERE_NEW;
    struct order_row *list;
    size_t n = 0;
    arena_init(&a, (size_t)64 << 20);
    where_bytes(&w, dataset ? "dataset = ?" : "app = ?", BYTES_OF(asset));
    rc r = orders_fetch(m, ORDER_REQUEST, &w, "published", GONE_MAX, &a, &list, &n, e);
    buf_free(&w.sql);
    for (size_t i = 0; i < n && rc_ok(r); i++) {
        struct order_row best;
        bool found = false;
        r = best_for_request(m, dataset ? ORDER_DATASET : ORDER_APP, &list[i], &best, &a, &found,
                             e);
        uint64_t max = dataset ? list[i].dataset_max : list[i].app_max;
        if (rc_ok(r) && (!found || best.price > max)) {
            r = order_set(m, ORDER_REQUEST, list[i].hash, list[i].remaining, ORDER_DEAD, block, e);
        }
    }
    arena_reset(&a);
    return r;
}

rc asset_order_gone(struct market *m, const struct order_row *o, uint64_t block, struct err *e)
{
    if (o->kind == ORDER_APP) {
        return requests_recheck(m, false, o->app, block, e);
    }
    return o->kind == ORDER_DATASET ? requests_recheck(m, true, o->dataset, block, e) : RC_OK;
}

static rc remove_all(struct market *m, const struct chosen *c, struct err *e)
{
    TRY(db_begin(m->db, e));
    rc r = RC_OK;
    for (size_t i = 0; i < c->n && rc_ok(r); i++) {
        r = order_drop(m, c->u->kind, c->v[i].hash, e);
        bool last = i + 1 == c->n || !address_eq(field_of(&c->v[i]), field_of(&c->v[i + 1]));
        r = rc_ok(r) && last ? asset_order_gone(m, &c->v[i], 0, e) : r;
    }
    r = rc_ok(r) ? db_commit(m->db, e) : r;
    if (!rc_ok(r)) {
        db_rollback(m->db);
    }
    return r;
}

static void unpublish(struct market *m, struct http_req *r, enum order_kind kind)
{
    struct unpublish u = {.kind = kind};
    struct err e = {0};
    struct address who;
    struct chosen c = {0};
    struct arena a;
    if (!request_ok(m, r)) {
        return;
    }
    rc res = read_target(&u, http_body(r), &e);
    if (!rc_ok(res)) {
        answer_rc(m, r, res, &e);
        return;
    }
    if (!rc_ok(market_auth_check(m, r, &who))) {
        answer_error(r, 403, "invalid authorization");
        return;
    }
    arena_init(&a, (size_t)256 << 20);
    res = select_orders(m, &u, who, &a, &c, &e);
    res = rc_ok(res) ? remove_all(m, &c, &e) : res;
    if (rc_ok(res)) {
        BUF_FREE b = buf_new(ANSWER_MAX);
        char text[HEX_HASH_MAX];
        put_str(&b, "{\"ok\":true,\"unpublished\":[");
        for (size_t i = 0; i < c.n; i++) {
            put_fmt(&b, "%s\"%s\"", i > 0 ? "," : "", hex_hash(text, c.v[i].hash));
        }
        put_str(&b, "]}");
        answer(r, &b);
    } else {
        answer_rc(m, r, res, &e);
    }
    arena_reset(&a);
}

void market_on_unpublish_app(void *ctx, struct http_req *r)
{
    unpublish(ctx, r, ORDER_APP);
}

void market_on_unpublish_dataset(void *ctx, struct http_req *r)
{
    unpublish(ctx, r, ORDER_DATASET);
}

void market_on_unpublish_workerpool(void *ctx, struct http_req *r)
{
    unpublish(ctx, r, ORDER_WORKERPOOL);
}

void market_on_unpublish_request(void *ctx, struct http_req *r)
{
    unpublish(ctx, r, ORDER_REQUEST);
}
