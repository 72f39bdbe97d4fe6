/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - orders on their way into the book.
 *
 * What came in one round of the loop is handled together: one batch of calls asks the chain all that
 * the checks need, one commit stores what passed. Checks and texts: SPEC sdk-surface 4. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "crypto/secp.h"
#include "daemon/market/market_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

enum { CALL_REGISTERED, CALL_OWNER, CALL_CONSUMED, CALL_ACCOUNT, CALLS };

struct publish {
    struct publish *next;
    struct market *m;
    struct http_req *r; /* NULL: the client has gone */
    struct order_row o;
    struct bytes sign;
    struct address who;
    size_t call[CALLS]; /* place in the batch plus one; 0: not asked */
    int status;         /* of the answer */
    struct err e;       /* its text when status is not 200 */
};

/* --- reading --- */

static rc number(uint64_t *out, struct u256 v, const char *name, struct err *e)
{
    if (!u256_to_u64(v, out) || *out > NUMBER_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "order.%s must be less than or equal to %llu", name,
                       (unsigned long long)NUMBER_MAX);
    }
    return RC_OK;
}

static rc body_of(struct order_row *o, struct arena *a, json_t *j, struct err *e)
{
    BUF_FREE b = buf_new(BODY_MAX);
    if (j == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "order.params must be a string");
    }
    json_put(&b, j);
    json_decref(j);
    char *text = b.full ? NULL : arena_alloc(a, b.n + 1);
    if (text == NULL) {
        return err_set(e, RC_CODE_LIMIT, "the order is too large");
    }
    memcpy(text, b.p, b.n);
    o->body = text;
    return RC_OK;
}

static rc parse_app(struct market *m, struct order_row *o, struct bytes *sign, struct arena *a,
                    const struct js *j, struct err *e)
{
    struct app_order v;
    TRY(app_order_json(&v, a, j, e));
    TRY(number(&o->price, v.appprice, "appprice", e));
    TRY(number(&o->volume, v.volume, "volume", e));
    o->app = v.app;
    o->dataset = v.datasetrestrict;
    o->workerpool = v.workerpoolrestrict;
    o->requester = v.requesterrestrict;
    o->tag = v.tag;
    o->hash = app_order_hash(m->domain, &v);
    *sign = v.sign;
    return body_of(o, a, json_app_order(&v), e);
}

static rc parse_dataset(struct market *m, struct order_row *o, struct bytes *sign, struct arena *a,
                        const struct js *j, struct err *e)
{
    struct dataset_order v;
    TRY(dataset_order_json(&v, a, j, e));
    TRY(number(&o->price, v.datasetprice, "datasetprice", e));
    TRY(number(&o->volume, v.volume, "volume", e));
    o->dataset = v.dataset;
    o->app = v.apprestrict;
    o->workerpool = v.workerpoolrestrict;
    o->requester = v.requesterrestrict;
    o->tag = v.tag;
    o->hash = dataset_order_hash(m->domain, &v);
    *sign = v.sign;
    return body_of(o, a, json_dataset_order(&v), e);
}

static rc parse_workerpool(struct market *m, struct order_row *o, struct bytes *sign,
                           struct arena *a, const struct js *j, struct err *e)
{
    struct workerpool_order v;
    TRY(workerpool_order_json(&v, a, j, e));
    TRY(number(&o->price, v.workerpoolprice, "workerpoolprice", e));
    TRY(number(&o->volume, v.volume, "volume", e));
    TRY(number(&o->category, v.category, "category", e));
    TRY(number(&o->trust, v.trust, "trust", e));
    o->workerpool = v.workerpool;
    o->app = v.apprestrict;
    o->dataset = v.datasetrestrict;
    o->requester = v.requesterrestrict;
    o->tag = v.tag;
    o->hash = workerpool_order_hash(m->domain, &v);
    *sign = v.sign;
    return body_of(o, a, json_workerpool_order(&v), e);
}

static rc parse_request(struct market *m, struct order_row *o, struct bytes *sign, struct arena *a,
                        const struct js *j, struct err *e)
{
    struct request_order v;
    TRY(request_order_json(&v, a, j, e));
    TRY(number(&o->price, v.workerpoolmaxprice, "workerpoolmaxprice", e));
    TRY(number(&o->app_max, v.appmaxprice, "appmaxprice", e));
    TRY(number(&o->dataset_max, v.datasetmaxprice, "datasetmaxprice", e));
    TRY(number(&o->volume, v.volume, "volume", e));
    TRY(number(&o->category, v.category, "category", e));
    TRY(number(&o->trust, v.trust, "trust", e));
    o->app = v.app;
    o->dataset = v.dataset;
    o->workerpool = v.workerpool;
    o->requester = v.requester;
    o->beneficiary = v.beneficiary;
    o->tag = v.tag;
    o->hash = request_order_hash(m->domain, &v);
    *sign = v.sign;
    return body_of(o, a, json_request_order(&v), e);
}

rc order_parse(struct market *m, struct order_row *o, struct bytes *sign, struct arena *a,
               enum order_kind kind, const struct js *j, struct err *e)
{
    *o = (struct order_row){.kind = kind};
    TRY(js_object(j, e));
    switch (kind) {
    case ORDER_APP:
        TRY(parse_app(m, o, sign, a, j, e));
        break;
    case ORDER_DATASET:
        TRY(parse_dataset(m, o, sign, a, j, e));
        break;
    case ORDER_WORKERPOOL:
        TRY(parse_workerpool(m, o, sign, a, j, e));
        break;
    case ORDER_REQUEST:
        TRY(parse_request(m, o, sign, a, j, e));
        break;
    }
    if (sign->n == 0) {
        return err_set(e, RC_CODE_MALFORMED, "order.sign is a required field");
    }
    if (o->volume == 0) {
        return err_set(e, RC_CODE_MALFORMED, "order.volume must be greater than or equal to 1");
    }
    return RC_OK;
}

static void on_gone(void *ctx, struct http_req *r)
{
    struct publish *p = http_user(r);
    (void)ctx;
    p->r = NULL; /* the round frees it; its order may still go into the book */
}

static void take(struct market *m, struct http_req *r, enum order_kind kind)
{
    static const char *const members[] = {"order", NULL};
    struct err e = {0};
    struct publish in = {.m = m, .r = r, .status = 200};
    if (!request_ok(m, r)) {
        return;
    }
    JSON_FREE *doc = json_parse(http_body(r), JSON_DEPTH_MAX, &e);
    struct js top = js_top(doc);
    rc res = doc == NULL ? RC(MALFORMED) : js_object(&top, &e);
    res = rc_ok(res) ? js_only(&top, members, &e) : res;
    struct js order = js_key(&top, "order");
    res = rc_ok(res) ? order_parse(m, &in.o, &in.sign, http_arena(r), kind, &order, &e) : res;
    if (!rc_ok(res)) {
        answer_rc(m, r, res, &e);
        return;
    }
    if (!rc_ok(market_auth_check(m, r, &in.who))) {
        answer_error(r, 403, "invalid authorization");
        return;
    }
    struct publish *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    *p = in;
    http_set_user(r, p);
    http_on_gone(r, on_gone);
    *m->pending_tail = p;
    m->pending_tail = &p->next;
}

void market_on_publish_app(void *ctx, struct http_req *r)
{
    take(ctx, r, ORDER_APP);
}

void market_on_publish_dataset(void *ctx, struct http_req *r)
{
    take(ctx, r, ORDER_DATASET);
}

void market_on_publish_workerpool(void *ctx, struct http_req *r)
{
    take(ctx, r, ORDER_WORKERPOOL);
}

void market_on_publish_request(void *ctx, struct http_req *r)
{
    take(ctx, r, ORDER_REQUEST);
}

/* --- asking the chain --- */

static struct address asset_of(const struct order_row *o)
{
    return o->kind == ORDER_APP ? o->app : o->kind == ORDER_DATASET ? o->dataset : o->workerpool;
}

struct batch {
    struct client_call_item *items;
    size_t n;
    struct arena arena;
};

/* Adds a call of one argument, or of none when arg is NULL. */
static size_t ask(struct batch *b, struct address to, enum method method, const struct hash *arg)
{
    BUF_FREE data = buf_new(256);
    struct abi_out out = call_begin(&data, method, arg == NULL ? 0 : 1);
    if (arg != NULL) {
        abi_put_hash(&out, *arg);
    }
    uint8_t *copy = arena_alloc(&b->arena, data.n);
    ASSERT(copy != NULL);
    memcpy(copy, data.p, data.n);
    b->items[b->n++] = (struct client_call_item){.to = to, .data = {copy, data.n}};
    return b->n;
}

static struct hash word_of(struct address a)
{
    struct hash h = {0};
    memcpy(h.b + 12, a.b, sizeof(a.b));
    return h;
}

static void ask_for(struct publish *p, struct batch *b)
{
    struct market *m = p->m;
    struct hash who = word_of(p->who);
    if (p->o.kind != ORDER_REQUEST) {
        struct hash asset = word_of(asset_of(&p->o));
        p->call[CALL_REGISTERED] =
            ask(b, m->registry[p->o.kind], METHOD_registry_isRegistered, &asset);
        p->call[CALL_OWNER] = ask(b, asset_of(&p->o), METHOD_app_owner, NULL);
    }
    p->call[CALL_CONSUMED] = ask(b, client_hub(m->client), METHOD_hub_viewConsumed, &p->o.hash);
    if (p->o.kind == ORDER_WORKERPOOL || p->o.kind == ORDER_REQUEST) {
        p->call[CALL_ACCOUNT] = ask(b, client_hub(m->client), METHOD_hub_viewAccount, &who);
    }
}

/* The first word of an answer; IO when the chain did not give one. */
static rc word(const struct publish *p, const struct batch *b, int which, struct u256 *out,
               struct err *e)
{
    const struct client_call_item *it = &b->items[p->call[which] - 1];
    if (!rc_ok(it->r) || it->out.n < 32) {
        return err_set(e, RC_CODE_IO, "the chain does not answer: %.150s", it->err.msg);
    }
    *out = u256_from_be(it->out.p);
    return RC_OK;
}

/* --- checks --- */

static rc refuse(struct publish *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static rc refuse(struct publish *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(p->e.msg, sizeof(p->e.msg), fmt, ap);
    va_end(ap);
    p->status = 403;
    return RC(DENIED);
}

static rc check_asset(struct publish *p, const struct batch *b, struct err *e)
{
    struct u256 v;
    TRY(word(p, b, CALL_REGISTERED, &v, e));
    if (u256_is_zero(v)) {
        return refuse(p, "Resource not deployed");
    }
    TRY(word(p, b, CALL_OWNER, &v, e));
    uint8_t be[32];
    u256_to_be(be, v);
    memcpy(p->o.signer.b, be + 12, sizeof(p->o.signer.b));
    return RC_OK;
}

static rc check_sign(struct publish *p, struct err *e)
{
    struct address by;
    bool good = false;
    char text[HEX_ADDRESS_MAX];
    if (!address_eq(p->o.signer, p->who)) {
        return refuse(p, "only order signer %s can publish an order",
                      hex_address(text, p->o.signer));
    }
    good = rc_ok(secp_recover65(&by, p->o.hash, p->sign)) && address_eq(by, p->o.signer);
    if (!good) { /* the owner may be a contract that knows better */
        BUF_FREE data = buf_new(4096);
        BUF_FREE out = buf_new(4096);
        struct abi_out args = call_begin(&data, METHOD_hub_verifySignature, 3);
        abi_put_address(&args, p->o.signer);
        abi_put_hash(&args, p->o.hash);
        abi_put_bytes(&args, p->sign);
        rc r = client_call(p->m->client, &out, client_hub(p->m->client), buf_bytes(&data), e);
        if (r.code == RC_CODE_IO || r.code == RC_CODE_LIMIT) {
            return r;
        }
        good = rc_ok(r) && out.n >= 32 && out.p[31] == 1;
    }
    return good ? RC_OK : refuse(p, "invalid sign");
}

/* What one task of the order makes its signer lock. SPEC poco 6: 30 % of the pool's price. */
struct u256 order_lock(const struct order_row *o)
{
    if (o->kind == ORDER_WORKERPOOL) {
        return u256_from(o->price * 30 / 100); /* below 2^53 * 30 */
    }
    return u256_from(o->app_max + o->dataset_max + o->price); /* below 3 * 2^53 */
}

bool order_affordable(const struct order_row *o, struct u256 stake, struct u256 *need)
{
    return u256_mul(need, order_lock(o), u256_from(o->remaining)) && !u256_lt(stake, *need);
}

static rc check_stake(struct publish *p, const struct batch *b, struct err *e)
{
    struct u256 stake;
    struct u256 need;
    char dec[U256_DEC_MAX];
    if (p->o.kind != ORDER_WORKERPOOL && p->o.kind != ORDER_REQUEST) {
        return RC_OK;
    }
    TRY(word(p, b, CALL_ACCOUNT, &stake, e));
    if (order_affordable(&p->o, stake, &need)) {
        return RC_OK;
    }
    return p->o.kind == ORDER_WORKERPOOL
               ? refuse(p, "workerpool owner's stake is too low to cover required workerpool lock")
               : refuse(p,
                        "requester stake is too low to cover requestorder payment, minimum stake "
                        "required is %s nRLC",
                        u256_dec(need, dec));
}

static rc check_counterparts(struct publish *p, struct err *e)
{
    struct order_row best;
    bool found;
    char text[HEX_ADDRESS_MAX];
    struct arena *a = p->r == NULL ? NULL : http_arena(p->r);
    if (p->o.kind != ORDER_REQUEST || a == NULL) {
        return RC_OK;
    }
    TRY(best_for_request(p->m, ORDER_APP, &p->o, &best, a, &found, e));
    if (!found) {
        return refuse(p, "No %sapporder published for app %s",
                      tag_is_tee(p->o.tag) ? "tee enabled " : "", hex_address(text, p->o.app));
    }
    if (best.price > p->o.app_max) {
        return refuse(p, "appmaxprice for app %s is too low, actual best price is %llu nRLC",
                      hex_address(text, p->o.app), (unsigned long long)best.price);
    }
    if (address_is_zero(p->o.dataset)) {
        return RC_OK;
    }
    TRY(best_for_request(p->m, ORDER_DATASET, &p->o, &best, a, &found, e));
    if (!found) {
        return refuse(p, "No datasetorder published for dataset %s",
                      hex_address(text, p->o.dataset));
    }
    if (best.price > p->o.dataset_max) {
        return refuse(p,
                      "datasetmaxprice for dataset %s is too low, actual best price is %llu nRLC",
                      hex_address(text, p->o.dataset), (unsigned long long)best.price);
    }
    return RC_OK;
}

static rc check_book(struct publish *p, struct err *e)
{
    struct order_row old;
    bool found;
    struct arena a;
    arena_init(&a, 2 * BODY_MAX);
    rc r = order_get(p->m, &old, &a, &found, p->o.kind, p->o.hash, e);
    arena_reset(&a);
    TRY(r);
    return found && old.status != ORDER_DEAD ? refuse(p, "order already published") : RC_OK;
}

static rc check_number(struct publish *p, struct err *e)
{
    uint64_t n;
    char text[HEX_ADDRESS_MAX];
    TRY(order_count_open(p->m, p->o.kind, p->o.signer, &n, e));
    return n >= p->m->cfg.max_open
               ? refuse(p, "maximum of %llu published open %ss has been reached for wallet %s",
                        (unsigned long long)p->m->cfg.max_open, kind_names[p->o.kind],
                        hex_address(text, p->o.signer))
               : RC_OK;
}

static rc check_all(struct publish *p, const struct batch *b, struct err *e)
{
    struct u256 consumed;
    uint64_t used;
    TRY(check_book(p, e));
    p->o.signer = p->o.requester;
    if (p->o.kind != ORDER_REQUEST) {
        TRY(check_asset(p, b, e));
    }
    TRY(check_sign(p, e));
    TRY(check_number(p, e));
    TRY(word(p, b, CALL_CONSUMED, &consumed, e));
    if (!u256_to_u64(consumed, &used) || used >= p->o.volume) {
        return refuse(p, "order already consumed");
    }
    p->o.remaining = p->o.volume - used;
    TRY(check_stake(p, b, e));
    return check_counterparts(p, e);
}

static void decide(struct publish *p, const struct batch *b)
{
    struct err e = {0};
    rc r = check_all(p, b, &e);
    if (rc_ok(r)) {
        p->o.published_ms = clock_wall_ms();
        p->o.status = ORDER_OPEN;
        r = order_drop(p->m, p->o.kind, p->o.hash, &e); /* a dead one of the same hash */
        r = rc_ok(r) ? order_put(p->m, &p->o, &e) : r;
    }
    if (!rc_ok(r) && p->status == 200) {
        p->status = r.code == RC_CODE_IO || r.code == RC_CODE_LIMIT ? 503 : 500;
        log_warn("market", "publish: %s", e.msg);
    }
}

static void reply(struct publish *p)
{
    struct market *m = p->m;
    m->m.published += p->status == 200 ? 1 : 0;
    m->m.refused += p->status == 403 ? 1 : 0;
    if (p->r == NULL) {
        return;
    }
    http_on_gone(p->r, NULL);
    if (p->status == 403) {
        answer_error(p->r, 403, "%s", p->e.msg);
    } else if (p->status != 200) {
        answer_error(p->r, p->status, "Something went wrong, you should retry later.");
    } else {
        BUF_FREE b = buf_new(ANSWER_MAX);
        put_str(&b, "{\"ok\":true,\"published\":");
        put_order(m, &b, &p->o);
        put_str(&b, "}");
        answer(p->r, &b);
    }
}

static struct publish *drop(struct publish *p)
{
    struct publish *next = p->next;
    free(p);
    return next;
}

/* Those whose client has gone have no memory any more: the order lives in the request's arena. */
static void drop_gone(struct market *m)
{
    for (struct publish **at = &m->pending; *at != NULL;) {
        if ((*at)->r == NULL) {
            *at = drop(*at);
        } else {
            at = &(*at)->next;
        }
    }
}

void publish_round(struct market *m)
{
    struct err e = {0};
    size_t n = 0;
    drop_gone(m);
    struct publish *list = m->pending;
    m->pending = NULL;
    m->pending_tail = &m->pending;
    for (struct publish *p = list; p != NULL; p = p->next) {
        n++;
    }
    if (n == 0) {
        return;
    }
    struct batch b = {.items = calloc(n * CALLS, sizeof(*b.items))};
    ASSERT(b.items != NULL);
    arena_init(&b.arena, (size_t)256 << 20);
    for (struct publish *p = list; p != NULL; p = p->next) {
        ask_for(p, &b);
    }
    rc r = client_call_batch(m->client, b.items, b.n, &b.arena, &e);
    /* The rc is also that of single calls: only when the chain gave no answers at all is it over. */
    bool away = r.code == RC_CODE_IO && !rc_ok(b.items[0].r) && b.items[0].out.p == NULL;
    r = away ? r : db_begin(m->db, &e);
    for (struct publish *p = list; p != NULL && rc_ok(r); p = p->next) {
        decide(p, &b);
    }
    r = rc_ok(r) ? db_commit(m->db, &e) : r;
    if (!rc_ok(r)) {
        db_rollback(m->db);
        log_warn("market", "publish: %s", e.msg);
    }
    while (list != NULL) {
        list->status = rc_ok(r) || list->status == 403 ? list->status : 503;
        reply(list);
        list = drop(list);
    }
    arena_reset(&b.arena);
    free(b.items);
}

void publish_close(struct market *m)
{
    while (m->pending != NULL) {
        m->pending = drop(m->pending);
    }
}
