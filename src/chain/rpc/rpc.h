/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_RPC_RPC_H
#define SOUK_CHAIN_RPC_RPC_H

/* rpc.h - Ethereum's JSON-RPC over HTTP and WebSocket on one port, in front of a ledger.
 *
 * The thread that runs the loop owns ledger and server. Methods, limits and examples are in one
 * table, from which docs/rpc.md is written. */

#include "base/buf.h"
#include "io/loop.h"

struct ledger;
struct rpc;

/* Who makes blocks: the node's own sealer, or nobody when a consensus engine does (then all are
 * NULL). seal() makes n blocks, interval_s apart, also empty ones, and tells rpc_on_block(). */
struct rpc_engine {
    void *ctx;
    rc (*seal)(void *ctx, uint64_t n, uint64_t interval_s, struct err *e);
    bool (*automine)(void *ctx);
    void (*set_automine)(void *ctx, bool on);
    void (*set_interval)(void *ctx, uint64_t ms); /* 0: off */
};

struct rpc_config {
    struct loop *loop;
    struct ledger *ledger;
    const char *listen;
    const char *cors_origin;        /* NULL: no CORS headers */
    const char *tls_cert, *tls_key; /* NULL: plain */
    bool dev;                       /* development methods, unlocked accounts */
    struct rpc_engine engine;

    /* 0 takes the default named in `souk node --help`. */
    uint64_t max_conns, held_max, body_max, batch_max, response_max;
    uint64_t subs_max;     /* per connection */
    uint64_t filters_max;  /* in all */
    uint64_t logs_max;     /* results of one eth_getLogs */
    uint64_t ws_queue_max; /* bytes waiting for a slow subscriber */
    uint64_t gas_cap;      /* of eth_call */
};

rc rpc_open(struct rpc **out, const struct rpc_config *cfg, struct err *e);
void rpc_close(struct rpc *r); /* NULL is allowed */

const char *rpc_url(const struct rpc *r);
uint16_t rpc_port(const struct rpc *r);

/* Tells subscribers: block `number` is committed. Once for every block, in order. */
void rpc_on_block(struct rpc *r, uint64_t number);

/* docs/rpc.md, from the method table. */
void rpc_docs(struct buf *b);

#endif /* SOUK_CHAIN_RPC_RPC_H */
