/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - follows the chain: deals, closed orders, stakes that fell, assets that moved, categories.
 *
 * A step collects the events of some blocks, asks the chain in one batch what they mean now, and
 * commits all of it with the cursor: killed at any point, the next start goes on where this one was.
 * What an event means is always asked, never reckoned from the event, so events may come twice. */
#include <stdlib.h>

#include "base/log.h"
#include "daemon/market/market_int.h"
#include "encoding/hex.h"

#define EVENTS_MAX 20000
#define ARENA_MAX  ((size_t)512 << 20)

enum news_kind { NEWS_DEAL, NEWS_CLOSED, NEWS_STAKE, NEWS_MOVED, NEWS_CATEGORY };

struct news {
    enum news_kind what;
    enum order_kind kind; /* of a closed order, a moved asset */
    uint64_t block, number;
    struct hash block_hash, tx;
    struct hash id; /* deal, order */
    struct hash orders[KINDS];
    struct address who, asset;
    size_t call;            /* place in the batch plus one */
    size_t consumed[KINDS]; /* the same, for the orders of a deal that the book knows */
};

struct step {
    struct market *m;
    struct arena a;
    struct news *v;
    size_t n;
    struct client_call_item *calls;
    size_t n_calls, alloc_calls;
    struct err *e;
};

/* --- collecting --- */

static struct news *add_news(struct step *s, enum news_kind what, const struct client_log *log)
{
    if (s->n == EVENTS_MAX) {
        return NULL;
    }
    struct news *n = &s->v[s->n++];
    *n = (struct news){
        .what = what, .block = log->block, .block_hash = log->block_hash, .tx = log->tx_hash};
    return n;
}

static struct address low(struct hash h)
{
    struct address a;
    memcpy(a.b, h.b + 12, sizeof(a.b));
    return a;
}

static bool closes(enum event ev, enum order_kind *kind)
{
    switch ((int)ev) {
    case EVENT_hub_ClosedAppOrder:
        *kind = ORDER_APP;
        return true;
    case EVENT_hub_ClosedDatasetOrder:
        *kind = ORDER_DATASET;
        return true;
    case EVENT_hub_ClosedWorkerpoolOrder:
        *kind = ORDER_WORKERPOOL;
        return true;
    case EVENT_hub_ClosedRequestOrder:
        *kind = ORDER_REQUEST;
        return true;
    default:
        return false;
    }
}

/* Transfer of a registry: (from, to, token) indexed; the token is the asset's address. */
static rc on_registry_log(struct step *s, enum order_kind kind, const struct client_log *log)
{
    struct hash transfer = iface_event(EVENT_registry_Transfer)->topic;
    if (log->n_topics != 4 || !hash_eq(log->topics[0], transfer) || hash_is_zero(log->topics[1])) {
        return RC_OK;
    }
    struct news *n = add_news(s, NEWS_MOVED, log);
    if (n != NULL) {
        n->kind = kind;
        n->who = low(log->topics[1]);
        n->asset = low(log->topics[3]);
    }
    return n == NULL ? RC(LIMIT) : RC_OK;
}

static rc on_hub_log(struct step *s, const struct client_log *log)
{
    struct abi_in in = abi_of(log->data);
    enum order_kind kind;
    struct news *n = NULL;
    if (!log->known) {
        return RC_OK;
    }
    if (log->event == EVENT_hub_OrdersMatched) {
        n = add_news(s, NEWS_DEAL, log);
        if (n != NULL) {
            n->id = abi_take_hash(&in);
            for (int k = 0; k < KINDS; k++) {
                n->orders[k] = abi_take_hash(&in);
            }
            n->number = abi_take_uint(&in, 64);
        }
    } else if (closes(log->event, &kind)) {
        n = add_news(s, NEWS_CLOSED, log);
        if (n != NULL) {
            n->kind = kind;
            n->id = abi_take_hash(&in);
        }
    } else if (log->event == EVENT_hub_CreateCategory) {
        n = add_news(s, NEWS_CATEGORY, log);
        if (n != NULL) {
            n->number = abi_take_uint(&in, 64);
        }
    } else if (log->event == EVENT_hub_Transfer && log->n_topics == 3 &&
               !hash_is_zero(log->topics[1]) && !u256_is_zero(abi_take_u256(&in))) {
        n = add_news(s, NEWS_STAKE, log);
        if (n != NULL) {
            n->who = low(log->topics[1]);
        }
    } else {
        return RC_OK;
    }
    return n == NULL ? RC(LIMIT) : abi_end(&in);
}

static rc on_log(void *ctx, const struct client_log *log, struct err *e)
{
    struct step *s = ctx;
    rc r = RC_OK;
    if (address_eq(log->address, client_hub(s->m->client))) {
        r = on_hub_log(s, log);
    }
    for (int k = 0; k < 3; k++) {
        if (rc_ok(r) && address_eq(log->address, s->m->registry[k])) {
            r = on_registry_log(s, (enum order_kind)k, log);
        }
    }
    return rc_ok(r) ? r
                    : err_set(e, r.code, "log %llu of block %llu cannot be read",
                              (unsigned long long)log->index, (unsigned long long)log->block);
}

/* --- asking --- */

static size_t ask(struct step *s, struct address to, enum method method, const struct hash *arg)
{
    BUF_FREE data = buf_new(256);
    struct abi_out out = call_begin(&data, method, arg == NULL ? 0 : 1);
    if (arg != NULL) {
        abi_put_hash(&out, *arg);
    }
    uint8_t *copy = arena_alloc(&s->a, data.n);
    ASSERT(copy != NULL);
    memcpy(copy, data.p, data.n);
    if (s->n_calls == s->alloc_calls) {
        s->alloc_calls = s->alloc_calls == 0 ? 64 : s->alloc_calls * 2;
        s->calls = reallocarray(s->calls, s->alloc_calls, sizeof(*s->calls));
        ASSERT(s->calls != NULL);
    }
    s->calls[s->n_calls++] = (struct client_call_item){.to = to, .data = {copy, data.n}};
    return s->n_calls;
}

static rc is_known(struct step *s, enum order_kind kind, struct hash hash, bool *found,
                   struct order_row *o)
{
    struct arena a;
    arena_init(&a, 2 * BODY_MAX);
    rc r = order_get(s->m, o, &a, found, kind, hash, s->e);
    o->body = NULL; /* gone with the arena: only the numbers are used here */
    arena_reset(&a);
    return r;
}

static struct hash word_of(struct address a)
{
    struct hash h = {0};
    memcpy(h.b + 12, a.b, sizeof(a.b));
    return h;
}

/* True when an earlier event of the step asks the same. */
static bool asked_before(const struct step *s, size_t i)
{
    for (size_t k = i > 512 ? i - 512 : 0; k < i; k++) {
        if (s->v[k].what == s->v[i].what && s->v[i].what == NEWS_STAKE &&
            address_eq(s->v[k].who, s->v[i].who)) {
            return true;
        }
    }
    return false;
}

static rc ask_all(struct step *s)
{
    struct address hub = client_hub(s->m->client);
    for (size_t i = 0; i < s->n; i++) {
        struct news *n = &s->v[i];
        struct hash who = word_of(n->who);
        uint64_t pools = 0;
        uint64_t requests = 0;
        switch (n->what) {
        case NEWS_DEAL:
            n->call = ask(s, hub, METHOD_hub_viewDeal, &n->id);
            for (int k = 0; k < KINDS; k++) {
                struct order_row o;
                bool found;
                TRY(is_known(s, (enum order_kind)k, n->orders[k], &found, &o));
                n->consumed[k] = found ? ask(s, hub, METHOD_hub_viewConsumed, &n->orders[k]) : 0;
            }
            break;
        case NEWS_STAKE:
            TRY(order_count_open(s->m, ORDER_WORKERPOOL, n->who, &pools, s->e));
            TRY(order_count_open(s->m, ORDER_REQUEST, n->who, &requests, s->e));
            if (pools + requests > 0 && !asked_before(s, i)) {
                n->call = ask(s, hub, METHOD_hub_viewAccount, &who);
            }
            break;
        case NEWS_MOVED:
            n->call = ask(s, n->asset, METHOD_app_owner, NULL);
            break;
        case NEWS_CLOSED:
        case NEWS_CATEGORY:
            break;
        }
    }
    return RC_OK;
}

/* The bytes a call returned; IO when the chain gave none. */
static rc result(const struct step *s, size_t call, struct bytes *out, size_t min)
{
    const struct client_call_item *it = &s->calls[call - 1];
    if (!rc_ok(it->r) || it->out.n < min) {
        return err_set(s->e, RC_CODE_IO, "the chain does not answer: %.150s", it->err.msg);
    }
    *out = it->out;
    return RC_OK;
}

/* --- writing --- */

static rc update_consumed(struct step *s, enum order_kind kind, struct hash hash,
                          struct u256 consumed, uint64_t block)
{
    struct order_row o;
    bool found;
    uint64_t used;
    TRY(is_known(s, kind, hash, &found, &o));
    if (!found) {
        return RC_OK;
    }
    uint64_t left = u256_to_u64(consumed, &used) && used < o.volume ? o.volume - used : 0;
    enum order_status status = left > 0 ? (o.status == ORDER_DEAD ? ORDER_DEAD : ORDER_OPEN)
                               : o.status == ORDER_CANCELED ? ORDER_CANCELED
                                                            : ORDER_FILLED;
    TRY(order_set(s->m, kind, hash, left, status, block, s->e));
    return status == ORDER_OPEN ? RC_OK : asset_order_gone(s->m, &o, block, s->e);
}

static rc write_deal(struct step *s, const struct news *n)
{
    struct view_deal deal;
    struct bytes data = {0};
    struct client_head block;
    TRY(result(s, n->call, &data, 32));
    rc r = view_deal_parse(&deal, &s->a, data);
    if (!rc_ok(r)) {
        return err_set(s->e, RC_CODE_IO, "a deal that the chain gave cannot be read");
    }
    if (!address_is_zero(deal.app.pointer)) { /* zero: undone by a reorganisation meanwhile */
        TRY(client_block_at(s->m->client, &block, n->block, s->e));
        struct deal_row d = {.id = n->id,
                             .volume = n->number,
                             .block = n->block,
                             .block_s = block.timestamp,
                             .tx = n->tx,
                             .deal = &deal};
        memcpy(d.orders, n->orders, sizeof(d.orders));
        TRY(deal_put(s->m, &d, s->e));
    }
    for (int k = 0; k < KINDS; k++) {
        if (n->consumed[k] != 0) {
            TRY(result(s, n->consumed[k], &data, 32));
            TRY(update_consumed(s, (enum order_kind)k, n->orders[k], u256_from_be(data.p),
                                n->block));
        }
    }
    return RC_OK;
}

static rc write_closed(struct step *s, const struct news *n)
{
    struct order_row o;
    bool found;
    TRY(is_known(s, n->kind, n->id, &found, &o));
    if (!found) {
        return RC_OK;
    }
    TRY(order_set(s->m, n->kind, n->id, 0, ORDER_CANCELED, n->block, s->e));
    return asset_order_gone(s->m, &o, n->block, s->e);
}

struct list {
    struct order_row *v;
    size_t n, max;
};

static rc collect(void *ctx, const struct order_row *o, struct err *e)
{
    struct list *l = ctx;
    if (l->n == l->max) {
        return err_set(e, RC_CODE_LIMIT, "too many orders of one signer");
    }
    l->v[l->n++] = *o;
    return RC_OK;
}

static rc orders_of(struct step *s, enum order_kind kind, struct address who, struct list *l)
{
    uint64_t n;
    TRY(order_count_open(s->m, kind, who, &n, s->e));
    *l = (struct list){.v = ARENA_ARRAY(&s->a, struct order_row, n + 1), .max = n};
    if (l->v == NULL) {
        return err_set(s->e, RC_CODE_LIMIT, "too many orders of one signer");
    }
    return n == 0 ? RC_OK : order_each_of(s->m, kind, who, collect, l, &s->a, s->e);
}

/* Orders whose signer can no longer pay for them. */
static rc write_stake(struct step *s, const struct news *n)
{
    static const enum order_kind kinds[] = {ORDER_WORKERPOOL, ORDER_REQUEST};
    struct bytes data = {0};
    struct u256 need;
    TRY(result(s, n->call, &data, 32));
    struct u256 stake = u256_from_be(data.p);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct list l;
        TRY(orders_of(s, kinds[k], n->who, &l));
        for (size_t i = 0; i < l.n; i++) {
            if (!order_affordable(&l.v[i], stake, &need)) {
                TRY(order_set(s->m, kinds[k], l.v[i].hash, l.v[i].remaining, ORDER_DEAD, n->block,
                              s->e));
            }
        }
    }
    return RC_OK;
}

/* Orders whose signer no longer owns what they sell. */
static rc write_moved(struct step *s, const struct news *n)
{
    struct bytes data = {0};
    struct list l;
    TRY(result(s, n->call, &data, 32));
    struct hash word;
    ASSERT(data.n >= sizeof(word.b) && data.p != NULL);
    memcpy(word.b, data.p, sizeof(word.b));
    if (address_eq(low(word), n->who)) {
        return RC_OK;
    }
    TRY(orders_of(s, n->kind, n->who, &l));
    for (size_t i = 0; i < l.n; i++) {
        struct address asset = n->kind == ORDER_APP       ? l.v[i].app
                               : n->kind == ORDER_DATASET ? l.v[i].dataset
                                                          : l.v[i].workerpool;
        if (address_eq(asset, n->asset)) {
            TRY(order_set(s->m, n->kind, l.v[i].hash, l.v[i].remaining, ORDER_DEAD, n->block,
                          s->e));
            TRY(asset_order_gone(s->m, &l.v[i], n->block, s->e));
        }
    }
    return RC_OK;
}

static rc write_category(struct step *s, const struct news *n)
{
    struct view_category c;
    struct client_head block;
    rc r = client_view_category(s->m->client, &c, &s->a, n->number, s->e);
    if (r.code == RC_CODE_NOT_FOUND || r.code == RC_CODE_DENIED) {
        return RC_OK; /* undone by a reorganisation meanwhile */
    }
    TRY(r);
    TRY(client_block_at(s->m->client, &block, n->block, s->e));
    return category_put(s->m, n->number, &c, n->tx, n->block, block.timestamp, s->e);
}

/* --- reorganisations --- */

/* What blocks from `from` on did may not have happened: deals are forgotten (they come again), the
 * orders they touched are asked for anew. */
static rc undo_from(struct step *s, uint64_t from)
{
    struct address hub = client_hub(s->m->client);
    log_warn("market", "the chain was reorganised: looking again from block=%llu",
             (unsigned long long)from);
    stmt_bind_u64(s->m->deal_drop, 1, from);
    TRY(stmt_run(s->m->deal_drop, s->e));
    for (int k = 0; k < KINDS; k++) {
        struct list l = {.v = ARENA_ARRAY(&s->a, struct order_row, EVENTS_MAX), .max = EVENTS_MAX};
        ASSERT(l.v != NULL);
        TRY(order_each_touched(s->m, (enum order_kind)k, from, collect, &l, &s->a, s->e));
        for (size_t i = 0; i < l.n; i++) {
            BUF_FREE data = buf_new(256);
            BUF_FREE out = buf_new(256);
            struct abi_out args = call_begin(&data, METHOD_hub_viewConsumed, 1);
            abi_put_hash(&args, l.v[i].hash);
            TRY(client_call(s->m->client, &out, hub, buf_bytes(&data), s->e));
            uint64_t used;
            if (out.n < 32) {
                return err_set(s->e, RC_CODE_IO, "the chain does not answer");
            }
            bool small = u256_to_u64(u256_from_be(out.p), &used);
            uint64_t left = small && used < l.v[i].volume ? l.v[i].volume - used : 0;
            enum order_status st = left > 0                      ? ORDER_OPEN
                                   : l.v[i].status == ORDER_OPEN ? ORDER_FILLED
                                                                 : l.v[i].status;
            TRY(order_set(s->m, (enum order_kind)k, l.v[i].hash, left, st, from, s->e));
        }
    }
    return RC_OK;
}

/* --- steps --- */

static rc save_cursor(struct market *m, struct err *e)
{
    BUF_FREE b = buf_new(CURSOR_BYTES_MAX);
    put_cursor(&b, &m->cursor);
    stmt_bind_text(m->state_put, 1, "cursor");
    stmt_bind_bytes(m->state_put, 2, buf_bytes(&b));
    return stmt_run(m->state_put, e);
}

static rc write_all(struct step *s, bool reorg)
{
    const struct client_cursor *c = &s->m->cursor;
    if (reorg) {
        TRY(undo_from(s, c->n_seen > 1 ? c->seen[c->n_seen - 2].number + 1 : c->start));
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct news *n = &s->v[i];
        switch (n->what) {
        case NEWS_DEAL:
            TRY(write_deal(s, n));
            break;
        case NEWS_CLOSED:
            TRY(write_closed(s, n));
            break;
        case NEWS_STAKE:
            if (n->call != 0) {
                TRY(write_stake(s, n));
            }
            break;
        case NEWS_MOVED:
            TRY(write_moved(s, n));
            break;
        case NEWS_CATEGORY:
            TRY(write_category(s, n));
            break;
        }
    }
    return save_cursor(s->m, s->e);
}

static void filter_of(const struct market *m, struct client_filter *f)
{
    static const enum event events[] = {
        EVENT_hub_OrdersMatched,      EVENT_hub_ClosedAppOrder,
        EVENT_hub_ClosedDatasetOrder, EVENT_hub_ClosedWorkerpoolOrder,
        EVENT_hub_ClosedRequestOrder, EVENT_hub_CreateCategory,
        EVENT_hub_Transfer, /* the registries' has the same topic */
    };
    *f = (struct client_filter){.address = client_hub(m->client)};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        f->topic0[f->n_topic0++] = iface_event(events[i])->topic;
    }
    for (size_t i = 0; i < 3; i++) {
        f->also[f->n_also++] = m->registry[i];
    }
}

/* Some blocks' news: asked, written and committed, or nothing changed. */
static rc follow(struct market *m, bool *more, struct err *e)
{
    struct step s = {.m = m, .e = e};
    struct client_cursor before = m->cursor;
    struct client_filter f;
    struct client_step at;
    filter_of(m, &f);
    arena_init(&s.a, ARENA_MAX);
    s.v = ARENA_ARRAY(&s.a, struct news, EVENTS_MAX);
    ASSERT(s.v != NULL);
    rc r = client_follow(m->client, &m->cursor, &at, &f, on_log, &s, e);
    bool moved = rc_ok(r) && (m->cursor.next != before.next || at.reorg);
    if (moved) {
        r = ask_all(&s);
        if (rc_ok(r) && s.n_calls > 0) {
            /* A refused call shows where its answer is read; here only the transport counts. */
            rc b = client_call_batch(m->client, s.calls, s.n_calls, &s.a, e);
            r = b.code == RC_CODE_IO || b.code == RC_CODE_LIMIT ? b : RC_OK;
        }
        r = rc_ok(r) ? db_begin(m->db, e) : r;
        r = rc_ok(r) ? write_all(&s, at.reorg) : r;
        r = rc_ok(r) ? db_commit(m->db, e) : r;
        if (!rc_ok(r)) {
            db_rollback(m->db);
            m->cursor = before;
        }
    }
    *more = rc_ok(r) && at.more;
    m->head = rc_ok(r) ? at.head.number : m->head;
    free(s.calls);
    arena_reset(&s.a);
    return r;
}

static void on_hint(void *ctx)
{
    struct market *m = ctx;
    struct err e = {0};
    bool more = false;
    rc r = follow(m, &more, &e);
    if (!rc_ok(r) && !m->chain_away) {
        log_warn("market", "cannot follow the chain, trying again: %s", e.msg);
    } else if (rc_ok(r) && m->chain_away) {
        log_info("market", "follows the chain again block=%llu", (unsigned long long)m->head);
    }
    m->chain_away = !rc_ok(r);
    if (more) { /* others get their turn between two steps */
        loop_timer_set(m->loop, &m->poll, 0, on_hint, m);
    }
}

/* Categories that were there from the start have no event. */
static rc first_categories(struct market *m, struct err *e)
{
    struct u256 count;
    uint64_t n;
    bool row;
    rc r = stmt_step(m->cat_max, &row, e);
    uint64_t have = rc_ok(r) && row ? stmt_u64(m->cat_max, 0) : 0;
    stmt_reset(m->cat_max);
    TRY(r);
    TRY(client_hub_number(m->client, &count, METHOD_hub_countCategory, e));
    if (!u256_to_u64(count, &n) || n > 100000) {
        return err_set(e, RC_CODE_LIMIT, "the hub has more categories than can be");
    }
    for (uint64_t id = have; id < n; id++) {
        struct view_category c;
        struct arena a;
        arena_init(&a, (size_t)4 << 20);
        r = client_view_category(m->client, &c, &a, id, e);
        r = rc_ok(r) ? category_put(m, id, &c, (struct hash){0}, 0, 0, e) : r;
        arena_reset(&a);
        TRY(r);
    }
    return RC_OK;
}

rc watch_open(struct market *m, struct err *e)
{
    bool row;
    m->cursor = (struct client_cursor){.next = m->cfg.start, .start = m->cfg.start};
    stmt_bind_text(m->state_get, 1, "cursor");
    rc r = stmt_step(m->state_get, &row, e);
    if (rc_ok(r) && row && !rc_ok(cursor_parse(&m->cursor, stmt_bytes(m->state_get, 0)))) {
        r = err_set(e, RC_CODE_CORRUPT, "the cursor of the chain is damaged");
    }
    stmt_reset(m->state_get);
    TRY(r);
    TRY(first_categories(m, e));
    TRY(client_watch_open(&m->watch, m->loop, m->client, m->cfg.poll_ms, on_hint, m, e));
    loop_timer_set(m->loop, &m->poll, 0, on_hint, m);
    return RC_OK;
}

void watch_close(struct market *m)
{
    client_watch_close(m->watch);
    loop_timer_cancel(m->loop, &m->poll);
    m->watch = NULL;
}
