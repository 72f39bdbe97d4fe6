/* SPDX-License-Identifier: Apache-2.0 */
/* m_sub.c - eth_subscribe: what is new is pushed over the WebSocket that asked for it. */
#include <stdlib.h>

#include "base/log.h"
#include "chain/rpc/rpc_table_int.h"

#define SUB_MEM_MAX ((size_t)256 << 10) /* of one log filter */

enum sub_kind { SUB_HEADS, SUB_LOGS, SUB_PENDING, SUB_SYNCING };

struct sub {
    struct sub *next; /* of the same kind */
    struct hash id;
    enum sub_kind kind;
    struct ws *ws;
    bool full; /* pending: whole transactions */
    struct log_filter f;
    struct arena arena;
};

struct subs {
    struct sub *by_kind[4];
    size_t n;
};

struct subs *subs_new(void)
{
    struct subs *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    return s;
}

static void sub_del(struct rpc *rpc, struct sub **at)
{
    struct sub *s = *at;
    *at = s->next;
    rpc->subs->n--;
    rpc->stats.subs = rpc->subs->n;
    arena_reset(&s->arena);
    free(s);
}

void subs_free(struct subs *s)
{
    for (size_t k = 0; s != NULL && k < ARRAY_LEN(s->by_kind); k++) {
        while (s->by_kind[k] != NULL) {
            struct sub *x = s->by_kind[k];
            s->by_kind[k] = x->next;
            arena_reset(&x->arena);
            free(x);
        }
    }
    free(s);
}

/* How many subscriptions a connection has is kept in its user pointer. */
static size_t count_of(const struct ws *ws)
{
    return (size_t)(uintptr_t)ws_user(ws);
}

static void set_count(struct ws *ws, size_t n)
{
    ws_set_user(ws, (void *)(uintptr_t)n); /* NOLINT: a number */
}

static rc kind_of(struct rpc_req *q, enum sub_kind *kind)
{
    static const char *const names[] = {"newHeads", "logs", "newPendingTransactions", "syncing"};
    const char *name;
    TRY(p_str(q, 0, &name));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (enum sub_kind)i;
            return RC_OK;
        }
    }
    return rpc_fail(q, RPC_METHOD, "no \"%.40s\" subscription in eth namespace", name);
}

rc eth_subscribe(struct rpc_req *q)
{
    enum sub_kind kind = SUB_HEADS;
    struct log_filter probe;
    TRY(kind_of(q, &kind));
    if (kind == SUB_LOGS && p_given(q, 1)) {
        TRY(p_filter(q, 1, q->arena, &probe)); /* faults before anything is made */
    }
    if (count_of(q->ws) >= q->rpc->cfg.subs_max) {
        return rpc_fail(q, RPC_LIMIT, "too many subscriptions on this connection");
    }
    struct sub *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->kind = kind;
    s->ws = q->ws;
    s->full = kind == SUB_PENDING && json_is_true(json_array_get(q->params.v, 1));
    arena_init(&s->arena, SUB_MEM_MAX);
    if (kind == SUB_LOGS && p_given(q, 1)) {
        rc r = p_filter(q, 1, &s->arena, &s->f);
        if (!rc_ok(r)) {
            arena_reset(&s->arena);
            free(s);
            return r;
        }
    }
    rpc_new_id(&s->id);
    struct sub **at = &q->rpc->subs->by_kind[kind];
    s->next = *at;
    *at = s;
    q->rpc->stats.subs = ++q->rpc->subs->n;
    set_count(q->ws, count_of(q->ws) + 1);
    put_q_bytes(q->out, (struct bytes){s->id.b, 16});
    return RC_OK;
}

rc eth_unsubscribe(struct rpc_req *q)
{
    struct bytes id;
    TRY(p_bytes(q, 0, 32, &id));
    for (size_t k = 0; k < ARRAY_LEN(q->rpc->subs->by_kind); k++) {
        for (struct sub **at = &q->rpc->subs->by_kind[k]; *at != NULL; at = &(*at)->next) {
            if (id.n == 16 && memcmp((*at)->id.b, id.p, 16) == 0 && (*at)->ws == q->ws) {
                sub_del(q->rpc, at);
                set_count(q->ws, count_of(q->ws) - 1);
                put_str(q->out, "true");
                return RC_OK;
            }
        }
    }
    return rpc_fail(q, RPC_SERVER, "subscription not found");
}

void subs_on_close(struct rpc *rpc, struct ws *ws)
{
    size_t left = count_of(ws);
    for (size_t k = 0; left > 0 && k < ARRAY_LEN(rpc->subs->by_kind); k++) {
        for (struct sub **at = &rpc->subs->by_kind[k]; *at != NULL;) {
            if ((*at)->ws == ws) {
                sub_del(rpc, at);
                left--;
            } else {
                at = &(*at)->next;
            }
        }
    }
}

/* --- pushing --- */

/* Sends one thing to one subscriber; text is its JSON. A slow one is cut by the queue's limit. */
static void push(struct rpc *rpc, const struct sub *s, struct bytes text, struct buf *scratch)
{
    buf_reset(scratch);
    put_str(scratch,
            "{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":"
            "{\"subscription\":");
    put_q_bytes(scratch, (struct bytes){s->id.b, 16});
    put_str(scratch, ",\"result\":");
    put_bytes(scratch, text);
    put_str(scratch, "}}");
    rc r = ws_push(s->ws, buf_bytes(scratch));
    if (!rc_ok(r)) {
        log_info("rpc", "a subscriber at %s does not read: closed", ws_peer(s->ws));
    }
    rpc->stats.logs_sent++;
}

struct push_ctx {
    struct rpc *rpc;
    struct buf text, scratch;
};

static bool push_log(void *ctx, const struct log *g)
{
    struct push_ctx *c = ctx;
    buf_reset(&c->text);
    put_log(&c->text, g);
    for (struct sub *s = c->rpc->subs->by_kind[SUB_LOGS]; s != NULL; s = s->next) {
        if (log_fits(&s->f, g)) {
            push(c->rpc, s, buf_bytes(&c->text), &c->scratch);
        }
    }
    return true;
}

void subs_on_block(struct rpc *rpc, uint64_t number)
{
    struct push_ctx c = {
        .rpc = rpc, .text = buf_new(BUF_CAP_DEFAULT), .scratch = buf_new(BUF_CAP_DEFAULT)};
    struct arena a;
    struct block k;
    struct err e = {0};
    arena_init(&a, BUF_CAP_DEFAULT);
    if (rpc->subs->by_kind[SUB_HEADS] != NULL) {
        if (rc_ok(ledger_block(rpc->ledger, &a, number, &k))) {
            put_u8(&c.text, '{');
            put_header(&c.text, &k);
            put_u8(&c.text, '}');
            for (struct sub *s = rpc->subs->by_kind[SUB_HEADS]; s != NULL; s = s->next) {
                push(rpc, s, buf_bytes(&c.text), &c.scratch);
            }
        }
    }
    if (rpc->subs->by_kind[SUB_LOGS] != NULL) {
        struct log_query all = {.from = number, .to = number};
        if (!rc_ok(ledger_logs(rpc->ledger, &all, push_log, &c, &e))) {
            log_error("rpc", "logs of block %llu: %s", (unsigned long long)number, e.msg);
        }
    }
    arena_reset(&a);
    buf_free(&c.text);
    buf_free(&c.scratch);
}

void subs_on_pending(struct rpc *rpc, struct hash tx)
{
    if (rpc->subs->by_kind[SUB_PENDING] == NULL) {
        return;
    }
    BUF_FREE hash = buf_new(128);
    BUF_FREE whole = buf_new(BUF_CAP_DEFAULT);
    BUF_FREE scratch = buf_new(BUF_CAP_DEFAULT);
    struct arena a;
    struct tx t;
    arena_init(&a, (size_t)4 << 20);
    put_q_hash(&hash, tx);
    if (rc_ok(ledger_tx(rpc->ledger, &a, tx, &t))) {
        put_tx(&whole, &t);
    }
    for (struct sub *s = rpc->subs->by_kind[SUB_PENDING]; s != NULL; s = s->next) {
        push(rpc, s, buf_bytes(s->full && whole.n > 0 ? &whole : &hash), &scratch);
    }
    arena_reset(&a);
}
