/* SPDX-License-Identifier: Apache-2.0 */
/* m_send.c - transactions in, and the pool that holds them. */
#include <inttypes.h>

#include "base/log.h"
#include "chain/rpc/rpc_table_int.h"
#include "encoding/hex.h"

/* The pool's sentences are geth's: they go to the client as they are, faults of ours do not. */
rc send_fault(struct rpc_req *q, rc r, const struct err *e)
{
    if (r.code == RC_CODE_IO || r.code == RC_CODE_CORRUPT) {
        log_error("rpc", "transaction: %s", e->msg);
        return rpc_fail(q, RPC_INTERNAL, "internal error");
    }
    return rpc_fail(q, RPC_SERVER, "%s", e->msg);
}

rc eth_send_raw(struct rpc_req *q)
{
    struct bytes raw;
    struct hash h;
    struct err e;
    TRY(p_bytes(q, 0, RPC_DATA_MAX, &raw));
    rc r = ledger_send(q->rpc->ledger, raw, &h, &e);
    if (!rc_ok(r)) {
        return send_fault(q, r, &e);
    }
    put_q_hash(q->out, h);
    return dev_mined(q);
}

rc txpool_status(struct rpc_req *q)
{
    struct pool_counts n = ledger_pool(q->rpc->ledger);
    put_str(q->out, "{\"pending\":");
    put_q_u64(q->out, n.pending);
    put_str(q->out, ",\"queued\":");
    put_q_u64(q->out, n.queued);
    put_u8(q->out, '}');
    return RC_OK;
}

/* One pass of the pool for each of the two halves of the answer. */
struct pool_ctx {
    struct rpc_req *q;
    bool pending, text, any;
    bool only; /* one sender */
    struct address from;
    size_t senders;
};

static void put_summary(struct buf *b, const struct tx *t)
{
    char dec[U256_DEC_MAX];
    put_u8(b, '"');
    if (t->e.has_to) {
        put_address(b, t->e.to);
    } else {
        put_str(b, "contract creation");
    }
    put_fmt(b, ": %s wei + %" PRIu64 " gas \\u00d7 ", u256_dec(t->e.value, dec), t->e.gas);
    put_fmt(b, "%s wei\"", u256_dec(t->e.type == 2 ? t->e.max_fee : t->e.gas_price, dec));
}

static bool put_pooled(void *ctx, const struct tx *t, bool pending)
{
    struct pool_ctx *p = ctx;
    struct buf *b = p->q->out;
    if (pending != p->pending || (p->only && !address_eq(p->from, t->from))) {
        return true;
    }
    bool same = p->senders > 0 && address_eq(p->from, t->from);
    if (!p->only && !same) {
        put_str(b, p->senders++ > 0 ? "},\"" : "\"");
        put_address(b, t->from);
        put_str(b, "\":{");
        p->from = t->from;
    } else if (p->any) {
        put_u8(b, ',');
    }
    p->any = true;
    put_fmt(b, "\"%" PRIu64 "\":", t->e.nonce);
    if (p->text) {
        put_summary(b, t);
    } else {
        put_tx(b, t);
    }
    return true;
}

static rc put_pool(struct rpc_req *q, struct pool_ctx start)
{
    put_u8(q->out, '{');
    for (int half = 0; half < 2; half++) {
        struct pool_ctx p = start;
        p.q = q;
        p.pending = half == 0;
        put_str(q->out, half == 0 ? "\"pending\":{" : ",\"queued\":{");
        rc r = ledger_pool_each(q->rpc->ledger, q->arena, put_pooled, &p);
        if (!rc_ok(r)) {
            return rpc_ledger_fault(q, r);
        }
        put_str(q->out, p.senders > 0 ? "}}" : "}");
    }
    put_u8(q->out, '}');
    return RC_OK;
}

rc txpool_content(struct rpc_req *q)
{
    return put_pool(q, (struct pool_ctx){0});
}

rc txpool_inspect(struct rpc_req *q)
{
    return put_pool(q, (struct pool_ctx){.text = true});
}

rc txpool_content_from(struct rpc_req *q)
{
    struct pool_ctx p = {.only = true};
    TRY(p_address(q, 0, &p.from));
    return put_pool(q, p);
}
