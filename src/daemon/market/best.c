/* SPDX-License-Identifier: Apache-2.0 */
/* best.c - orders that fit together. SPEC poco 5: restrictions and tags of a deal. */
#include <stdio.h>

#include "daemon/market/market_int.h"
#include "encoding/hex.h"

#define APPS_MAX     32
#define DATASETS_MAX 32
#define POOLS_MAX    256

/* A restriction admits a value when it is none, or that value. */
static bool admits(struct address restriction, struct address value)
{
    return address_is_zero(restriction) || address_eq(restriction, value);
}

/* Adds "not restricted, or to this address". */
static void restricted(struct where *w, const char *column, uint64_t bit, const struct address *to)
{
    char cond[96];
    (void)snprintf(cond, sizeof(cond), "((mask & %llu) = 0 OR %s = ?)", (unsigned long long)bit,
                   column);
    where_bytes(w, cond, BYTES_OF(*to));
}

/* Sellers' orders that one request could use, cheapest first. */
static rc candidates(struct market *m, enum order_kind kind, const struct order_row *req,
                     uint64_t max, struct arena *a, struct order_row **out, size_t *n,
                     struct err *e)
{
    struct where w = WHERE_NEW;
    if (kind == ORDER_APP) {
        where_bytes(&w, "app = ?", BYTES_OF(req->app));
        restricted(&w, "dataset", MASK_DATASET, &req->dataset);
    } else if (kind == ORDER_DATASET) {
        where_bytes(&w, "dataset = ?", BYTES_OF(req->dataset));
        restricted(&w, "app", MASK_APP, &req->app);
    } else {
        if (!address_is_zero(req->workerpool)) {
            where_bytes(&w, "workerpool = ?", BYTES_OF(req->workerpool));
            where_number(&w, "+category = ?", req->category);
        } else {
            where_number(&w, "category = ?", req->category);
        }
        restricted(&w, "app", MASK_APP, &req->app);
        restricted(&w, "dataset", MASK_DATASET, &req->dataset);
        if (req->trust > 1) {
            where_number(&w, "trust >= ?", req->trust);
        }
    }
    if (kind != ORDER_WORKERPOOL && !address_is_zero(req->workerpool)) {
        restricted(&w, "workerpool", MASK_WORKERPOOL, &req->workerpool);
    }
    if (!address_is_zero(req->requester)) {
        restricted(&w, "requester", MASK_REQUESTER, &req->requester);
    } else {
        char cond[48];
        (void)snprintf(cond, sizeof(cond), "(mask & %d) = 0", MASK_REQUESTER);
        where_text(&w, cond);
    }
    if (kind == ORDER_APP && tag_is_tee(req->tag)) {
        where_text(&w, "(t0 & 1) = 1");
    }
    if (req->remaining > 1) {
        where_number(&w, "remaining >= ?", req->remaining);
    }
    rc r = orders_fetch(m, kind, &w, "price, published, hash", max, a, out, n, e);
    buf_free(&w.sql);
    return r;
}

rc best_for_request(struct market *m, enum order_kind kind, const struct order_row *request,
                    struct order_row *best, struct arena *a, bool *found, struct err *e)
{
    struct order_row one = *request;
    struct order_row *list;
    size_t n;
    one.remaining = 1; /* a deal may take a part of the request */
    TRY(candidates(m, kind, &one, 1, a, &list, &n, e));
    *found = n == 1;
    if (*found) {
        *best = list[0];
    }
    return RC_OK;
}

struct set {
    const struct order_row *app, *dataset, *pool;
    uint64_t price;
};

/* SPEC poco 5: the dataset's tag counts without the bits that name a TEE. */
static struct hash deal_tag(const struct order_row *app, const struct order_row *dataset,
                            struct hash request)
{
    struct hash t = request;
    for (size_t i = 0; i < sizeof(t.b); i++) {
        uint8_t d = dataset == NULL ? 0 : dataset->tag.b[i];
        t.b[i] |= (uint8_t)(app->tag.b[i] | (i == 31 ? d & 0xf1 : d));
    }
    return t;
}

static bool covers(struct hash tag, struct hash needed)
{
    for (size_t i = 0; i < sizeof(tag.b); i++) {
        if ((needed.b[i] & ~tag.b[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool compatible(const struct order_row *app, const struct order_row *dataset,
                       const struct order_row *pool, struct hash request_tag)
{
    struct hash tag = deal_tag(app, dataset, request_tag);
    return admits(app->workerpool, pool->workerpool) && admits(pool->app, app->app) &&
           (dataset == NULL || admits(dataset->workerpool, pool->workerpool)) &&
           covers(pool->tag, tag) && tag_is_tee(tag) == tag_is_tee(app->tag);
}

/* The cheapest compatible set of three short lists, each sorted by price. */
static bool cheapest(struct set *out, const struct order_row *apps, size_t n_apps,
                     const struct order_row *sets, size_t n_sets, const struct order_row *pools,
                     size_t n_pools, struct hash tag, bool has_dataset)
{
    bool found = false;
    for (size_t i = 0; i < n_apps; i++) {
        for (size_t d = 0; d < (has_dataset ? n_sets : 1); d++) {
            const struct order_row *set = has_dataset ? &sets[d] : NULL;
            uint64_t base = apps[i].price + (set == NULL ? 0 : set->price);
            for (size_t k = 0; k < n_pools; k++) {
                uint64_t price = base + pools[k].price;
                if (found && price >= out->price) {
                    break;
                }
                if (compatible(&apps[i], set, &pools[k], tag)) {
                    *out = (struct set){&apps[i], set, &pools[k], price};
                    found = true;
                    break;
                }
            }
        }
    }
    return found;
}

static rc read_wish(struct http_req *r, struct order_row *q, struct err *e)
{
    bool given;
    bool any;
    struct address a;
    static const char *const names[] = {"app", "dataset", "workerpool", "requester"};
    struct address *to[] = {&q->app, &q->dataset, &q->workerpool, &q->requester};
    *q = (struct order_row){.kind = ORDER_REQUEST, .remaining = 1};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        TRY(query_address(r, names[i], &given, &any, &a, e));
        *to[i] = given && !any ? a : (struct address){0};
    }
    if (address_is_zero(q->app)) {
        return err_set(e, RC_CODE_MALFORMED, "app is a required field");
    }
    TRY(query_number(r, "category", NUMBER_MAX, &given, &q->category, e));
    TRY(query_number(r, "trust", NUMBER_MAX, &given, &q->trust, e));
    TRY(query_number(r, "volume", NUMBER_MAX, &given, &q->remaining, e));
    struct hash tag;
    TRY(query_hash(r, "tag", &given, &tag, e));
    q->tag = given ? tag : (struct hash){0};
    return RC_OK;
}

static rc find(struct market *m, const struct order_row *q, struct arena *a, struct buf *b,
               struct err *e)
{
    struct order_row *apps;
    struct order_row *sets = NULL;
    struct order_row *pools;
    size_t n_apps;
    size_t n_sets = 0;
    size_t n_pools;
    char text[HEX_ADDRESS_MAX];
    bool has_dataset = !address_is_zero(q->dataset);
    TRY(candidates(m, ORDER_APP, q, APPS_MAX, a, &apps, &n_apps, e));
    if (n_apps == 0) {
        return err_set(e, RC_CODE_NOT_FOUND, "No %sapporder published for app %s",
                       tag_is_tee(q->tag) ? "tee enabled " : "", hex_address(text, q->app));
    }
    if (has_dataset) {
        TRY(candidates(m, ORDER_DATASET, q, DATASETS_MAX, a, &sets, &n_sets, e));
        if (n_sets == 0) {
            return err_set(e, RC_CODE_NOT_FOUND, "No datasetorder published for dataset %s",
                           hex_address(text, q->dataset));
        }
    }
    TRY(candidates(m, ORDER_WORKERPOOL, q, POOLS_MAX, a, &pools, &n_pools, e));
    struct set best;
    if (n_pools == 0 ||
        !cheapest(&best, apps, n_apps, sets, n_sets, pools, n_pools, q->tag, has_dataset)) {
        return err_set(e, RC_CODE_NOT_FOUND,
                       "No compatible workerpoolorder published in category %llu",
                       (unsigned long long)q->category);
    }
    put_str(b, "{\"ok\":true,\"apporder\":");
    put_order(m, b, best.app);
    put_str(b, ",\"datasetorder\":");
    if (best.dataset != NULL) {
        put_order(m, b, best.dataset);
    } else {
        put_str(b, "null");
    }
    put_str(b, ",\"workerpoolorder\":");
    put_order(m, b, best.pool);
    put_fmt(b, ",\"price\":%llu}", (unsigned long long)best.price);
    return buf_end(b);
}

void market_on_best(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    struct order_row q;
    struct err e = {0};
    struct arena a;
    if (!request_ok(m, r)) {
        return;
    }
    arena_init(&a, (size_t)64 << 20);
    struct buf b = buf_new(ANSWER_MAX);
    rc res = read_wish(r, &q, &e);
    res = rc_ok(res) ? find(m, &q, &a, &b, &e) : res;
    if (rc_ok(res)) {
        answer(r, &b);
    } else {
        answer_rc(m, r, res, &e);
    }
    buf_free(&b);
    arena_reset(&a);
}
