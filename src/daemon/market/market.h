/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_MARKET_MARKET_H
#define SOUK_DAEMON_MARKET_MARKET_H

/* market.h - the order book: whoever owns something signs an order, publishes it here, and others
 * find it. A REST API (GET /docs lists it) over a database; a watcher that follows the chain closes
 * what was matched, cancelled, or can no longer be paid for.
 *
 * The book is a convenience, not a trusted party: orders are signed, the chain checks everything
 * again, and an order that this book loses is only not found here. */

#include "base/base.h"
#include "io/loop.h"

struct market;

struct market_config {
    const char *dir;    /* database; made when it is not there; one process at a time */
    const char *listen; /* "127.0.0.1:3050" */
    const char *node;   /* URL of the chain's JSON-RPC */
    struct address hub; /* zero: the node is asked */
    uint64_t start;     /* first block to follow */
    uint64_t poll_ms;   /* how often the chain is asked for news */
    uint64_t max_open;  /* open orders of one kind that one signer may have */
    uint64_t rate;      /* requests a minute from one address; 0: no limit */
    bool rate_local;    /* also for addresses of this machine */
    uint64_t ready_ms;  /* how long to wait for the chain at the start */
};

rc market_open(struct market **out, struct loop *l, const struct market_config *cfg, struct err *e);
void market_close(struct market *m); /* NULL is allowed */
const char *market_url(const struct market *m);

#endif /* SOUK_DAEMON_MARKET_MARKET_H */
