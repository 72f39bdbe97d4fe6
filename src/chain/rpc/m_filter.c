/* SPDX-License-Identifier: Apache-2.0 */
/* m_filter.c - eth_getLogs, and filters that a client polls. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "chain/rpc/rpc_table_int.h"
#include "crypto/secret.h"
#include "io/clock.h"

#define FILTER_TTL_MS  300000 /* a filter that nobody polls for five minutes is forgotten */
#define FILTER_MEM_MAX ((size_t)1 << 20)
#define PENDING_MAX    10000 /* hashes that wait for a poll */

enum filter_kind { FILTER_LOGS, FILTER_BLOCKS, FILTER_PENDING };

struct filter {
    struct hash id;
    enum filter_kind kind;
    struct log_filter f;
    struct arena arena; /* of f */
    uint64_t next;      /* first block not reported yet */
    uint64_t polled_ms;
    struct hash *pending;
    size_t pending_n;
};

struct filters {
    struct filter **v;
    size_t n, alloc;
    size_t pending_n; /* how many are of that kind */
};

/* --- matching --- */

bool log_fits(const struct log_filter *f, const struct log *g)
{
    bool fits = f->addresses_n == 0;
    for (size_t i = 0; i < f->addresses_n && !fits; i++) {
        fits = address_eq(f->addresses[i], g->address);
    }
    if (f->topics_n > g->topics_n) {
        return false;
    }
    for (size_t i = 0; i < f->topics_n && fits; i++) {
        fits = f->topics[i].n == 0;
        for (size_t k = 0; k < f->topics[i].n && !fits; k++) {
            fits = hash_eq(f->topics[i].any[k], g->topics[i]);
        }
    }
    return fits;
}

void filter_query(const struct log_filter *f, uint64_t from, uint64_t to, struct log_query *q)
{
    *q = (struct log_query){.from = from,
                            .to = to,
                            .addresses = f->addresses,
                            .addresses_n = f->addresses_n,
                            .topics_n = f->topics_n};
    for (size_t i = 0; i < f->topics_n; i++) {
        q->topics[i].any = f->topics[i].any;
        q->topics[i].n = f->topics[i].n;
    }
}

/* --- eth_getLogs --- */

struct logs_ctx {
    struct rpc_req *q;
    size_t n;
    bool too_many;
};

static bool put_found(void *ctx, const struct log *g)
{
    struct logs_ctx *c = ctx;
    if (c->n == c->q->rpc->cfg.logs_max || c->q->out->n > c->q->out->cap - RPC_ERROR_ROOM) {
        c->too_many = true;
        return false;
    }
    put_str(c->q->out, c->n++ == 0 ? "" : ",");
    put_log(c->q->out, g);
    return true;
}

static rc put_logs(struct rpc_req *q, const struct log_filter *f, uint64_t from, uint64_t to)
{
    struct log_query lq;
    struct logs_ctx c = {.q = q};
    struct err e;
    put_u8(q->out, '[');
    if (from <= to) {
        filter_query(f, from, to, &lq);
        rc r = ledger_logs(q->rpc->ledger, &lq, put_found, &c, &e);
        if (!rc_ok(r)) {
            log_error("rpc", "logs: %s", e.msg);
            return rpc_fail(q, RPC_INTERNAL, "internal error");
        }
    }
    if (c.too_many) {
        return rpc_fail(q, RPC_LIMIT, "query returned more than %" PRIu64 " results",
                        q->rpc->cfg.logs_max);
    }
    put_u8(q->out, ']');
    return RC_OK;
}

/* The blocks that a filter asks for. Blocks to come are allowed and simply not there yet. */
static rc filter_range(struct rpc_req *q, const struct log_filter *f, uint64_t *from, uint64_t *to)
{
    uint64_t height = ledger_height(q->rpc->ledger);
    if (f->has_hash) {
        struct block_id id = {.tag = BLOCK_HASH, .hash = f->hash};
        rc r = block_resolve(q->rpc, &id, from);
        *to = *from;
        return rc_ok(r) ? RC_OK : rpc_fail(q, RPC_SERVER, "unknown block");
    }
    const struct block_id *ends[2] = {&f->from, &f->to};
    uint64_t at[2];
    for (int i = 0; i < 2; i++) {
        rc r = block_resolve(q->rpc, ends[i], &at[i]);
        if (!rc_ok(r) && ends[i]->tag != BLOCK_NUMBER) {
            return rpc_fail(q, RPC_SERVER, "unknown block");
        }
    }
    if (f->from.tag == BLOCK_NUMBER && f->to.tag == BLOCK_NUMBER && at[0] > at[1]) {
        return rpc_fail(q, RPC_PARAMS, "invalid block range params");
    }
    *from = at[0];
    *to = MIN(at[1], height);
    return RC_OK;
}

rc eth_get_logs(struct rpc_req *q)
{
    struct log_filter f;
    uint64_t from;
    uint64_t to;
    TRY(p_filter(q, 0, q->arena, &f));
    TRY(filter_range(q, &f, &from, &to));
    return put_logs(q, &f, from, to);
}

/* --- the filters --- */

struct filters *filters_new(void)
{
    struct filters *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    return f;
}

static void filter_del(struct filters *all, size_t i)
{
    struct filter *f = all->v[i];
    all->pending_n -= f->kind == FILTER_PENDING;
    all->v[i] = all->v[--all->n];
    arena_reset(&f->arena);
    free(f->pending);
    free(f);
}

void filters_free(struct filters *f)
{
    while (f != NULL && f->n > 0) {
        filter_del(f, f->n - 1);
    }
    if (f != NULL) {
        free(f->v);
        free(f);
    }
}

void rpc_new_id(struct hash *id)
{
    *id = (struct hash){0};
    ASSERT(rc_ok(random_bytes(id->b, 16)));
}

static void put_id(struct buf *b, const struct hash *id)
{
    put_q_bytes(b, (struct bytes){id->b, 16});
}

static struct filter *filter_find(struct rpc_req *q, size_t *at)
{
    struct filters *all = q->rpc->filters;
    struct hash id = {0};
    struct bytes given;
    if (!rc_ok(p_bytes(q, 0, 16, &given)) || given.n != 16) {
        return NULL;
    }
    memcpy(id.b, given.p, 16);
    for (size_t i = 0; i < all->n; i++) {
        if (hash_eq(all->v[i]->id, id)) {
            *at = i;
            return all->v[i];
        }
    }
    return NULL;
}

static void forget_old(struct filters *all)
{
    uint64_t now = clock_mono_ms();
    for (size_t i = all->n; i > 0; i--) {
        if (now - all->v[i - 1]->polled_ms > FILTER_TTL_MS) {
            filter_del(all, i - 1);
        }
    }
}

static rc filter_new(struct rpc_req *q, enum filter_kind kind, struct filter **out)
{
    struct filters *all = q->rpc->filters;
    forget_old(all);
    if (all->n >= q->rpc->cfg.filters_max) {
        return rpc_fail(q, RPC_LIMIT, "too many filters: uninstall some, or use eth_subscribe");
    }
    if (all->n == all->alloc) {
        all->alloc = all->alloc == 0 ? 16 : all->alloc * 2;
        all->v = realloc(all->v, all->alloc * sizeof(struct filter *));
        ASSERT(all->v != NULL);
    }
    struct filter *f = calloc(1, sizeof(*f));
    ASSERT(f != NULL);
    f->kind = kind;
    f->next = ledger_height(q->rpc->ledger) + 1;
    f->polled_ms = clock_mono_ms();
    arena_init(&f->arena, FILTER_MEM_MAX);
    rpc_new_id(&f->id);
    all->v[all->n++] = f;
    all->pending_n += kind == FILTER_PENDING;
    *out = f;
    return RC_OK;
}

rc eth_new_filter(struct rpc_req *q)
{
    struct filter *f;
    uint64_t from;
    uint64_t to;
    struct log_filter probe;
    TRY(p_filter(q, 0, q->arena, &probe)); /* faults before anything is made */
    TRY(filter_range(q, &probe, &from, &to));
    TRY(filter_new(q, FILTER_LOGS, &f));
    rc r = p_filter(q, 0, &f->arena, &f->f);
    if (!rc_ok(r)) {
        filter_del(q->rpc->filters, q->rpc->filters->n - 1);
        return r;
    }
    put_id(q->out, &f->id);
    return RC_OK;
}

static rc new_simple(struct rpc_req *q, enum filter_kind kind)
{
    struct filter *f;
    TRY(filter_new(q, kind, &f));
    put_id(q->out, &f->id);
    return RC_OK;
}

rc eth_new_block_filter(struct rpc_req *q)
{
    return new_simple(q, FILTER_BLOCKS);
}

rc eth_new_pending_filter(struct rpc_req *q)
{
    return new_simple(q, FILTER_PENDING);
}

rc eth_uninstall_filter(struct rpc_req *q)
{
    size_t at;
    bool there = filter_find(q, &at) != NULL;
    if (there) {
        filter_del(q->rpc->filters, at);
    }
    put_str(q->out, there ? "true" : "false");
    return RC_OK;
}

static rc put_new_blocks(struct rpc_req *q, const struct filter *f, uint64_t height)
{
    put_u8(q->out, '[');
    for (uint64_t i = f->next; i <= height && !q->out->full; i++) {
        struct block k;
        rc r = ledger_block(q->rpc->ledger, q->arena, i, &k);
        if (!rc_ok(r)) {
            return rpc_ledger_fault(q, r);
        }
        put_str(q->out, i == f->next ? "" : ",");
        put_q_hash(q->out, k.hash);
    }
    put_u8(q->out, ']');
    return RC_OK;
}

static rc put_new_logs(struct rpc_req *q, const struct filter *f, uint64_t height)
{
    uint64_t from = f->next;
    uint64_t to = height;
    if (f->f.from.tag == BLOCK_NUMBER) {
        from = MAX(from, f->f.from.number);
    }
    if (f->f.to.tag == BLOCK_NUMBER) {
        to = MIN(to, f->f.to.number);
    }
    if (f->f.has_hash) {
        from = to + 1; /* that block was there when the filter was made */
    }
    return put_logs(q, &f->f, from, to);
}

rc eth_get_filter_changes(struct rpc_req *q)
{
    size_t at;
    struct filter *f = filter_find(q, &at);
    uint64_t height = ledger_height(q->rpc->ledger);
    if (f == NULL) {
        return rpc_fail(q, RPC_SERVER, "filter not found");
    }
    f->polled_ms = clock_mono_ms();
    if (f->next > height + 1) {
        f->next = height + 1; /* a development node went back */
    }
    switch (f->kind) {
    case FILTER_BLOCKS:
        TRY(put_new_blocks(q, f, height));
        break;
    case FILTER_LOGS:
        TRY(put_new_logs(q, f, height));
        break;
    case FILTER_PENDING:
        put_u8(q->out, '[');
        for (size_t i = 0; i < f->pending_n; i++) {
            put_str(q->out, i == 0 ? "" : ",");
            put_q_hash(q->out, f->pending[i]);
        }
        put_u8(q->out, ']');
        f->pending_n = 0;
        break;
    }
    f->next = height + 1;
    return RC_OK;
}

rc eth_get_filter_logs(struct rpc_req *q)
{
    size_t at;
    struct filter *f = filter_find(q, &at);
    uint64_t from;
    uint64_t to;
    if (f == NULL || f->kind != FILTER_LOGS) {
        return rpc_fail(q, RPC_SERVER, "filter not found");
    }
    f->polled_ms = clock_mono_ms();
    TRY(filter_range(q, &f->f, &from, &to));
    return put_logs(q, &f->f, from, to);
}

void filters_on_pending(struct rpc *rpc, struct hash tx)
{
    struct filters *all = rpc->filters;
    for (size_t i = 0; all->pending_n > 0 && i < all->n; i++) {
        struct filter *f = all->v[i];
        if (f->kind != FILTER_PENDING || f->pending_n == PENDING_MAX) {
            continue;
        }
        if (f->pending == NULL) {
            f->pending = calloc(PENDING_MAX, sizeof(struct hash));
            ASSERT(f->pending != NULL);
        }
        f->pending[f->pending_n++] = tx;
    }
}
