/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_STORE_INT_H
#define SOUK_CHAIN_LEDGER_STORE_INT_H

/* store_int.h - the ledger's tables on LMDB, the only file that knows it. A write transaction holds a
 * whole block: it is on disk, or it has never been. One thread uses a store. */

#include "base/rc.h"

struct store;

/* On disk: never renumber. */
enum table {
    TABLE_META,     /* name -> value */
    TABLE_STATE,    /* state key -> record */
    TABLE_TREE,     /* place -> node (chain/tree) */
    TABLE_UNDO,     /* state key ‖ block 8 -> flag 1 ‖ record before that block */
    TABLE_UNDO_KEY, /* block 8 ‖ n 4 -> state key: what TABLE_UNDO holds for that block */
    TABLE_HEADER,   /* block 8 -> header and what belongs to it */
    TABLE_TX,       /* block 8 ‖ index 4 -> sender and signed bytes */
    TABLE_RECEIPT,  /* block 8 ‖ index 4 -> compact receipt */
    TABLE_PLACE,    /* hash 8 ‖ kind -> block 8 (‖ index 4): blocks and transactions by hash */
    TABLE_LOG,      /* address or topic, hashed to 8 ‖ block 8 -> nothing */
    TABLE_COUNT
};

enum { STORE_KEY_MAX = 300 }; /* bytes; LMDB's own limit is 511 */

rc store_open(struct store **out, const char *dir, struct err *e);
void store_close(struct store *s);

/* Between begin and commit or abort all reads and writes belong to one transaction. */
rc store_begin(struct store *s, struct err *e);
rc store_commit(struct store *s, struct err *e); /* synced to disk when it returns */
void store_abort(struct store *s);

/* Views live until the next write or the end of the transaction; outside of one, until the next call
 * of store_refresh(), begin or commit. NOT_FOUND, CORRUPT. */
rc store_get(struct store *s, enum table t, struct bytes key, struct bytes *value);
rc store_put(struct store *s, enum table t, struct bytes key, struct bytes value);
rc store_del(struct store *s, enum table t, struct bytes key); /* fine when it is not there */

/* The first key >= `from`: key and value as views. NOT_FOUND at the end of the table. */
rc store_seek(struct store *s, enum table t, struct bytes from, struct bytes *key,
              struct bytes *value);

/* Calls fn for each entry with key >= from, ascending, until it returns false. fn may only read
 * through what it gets. */
rc store_scan(struct store *s, enum table t, struct bytes from,
              bool (*fn)(void *ctx, struct bytes key, struct bytes value), void *ctx);

uint64_t store_disk_bytes(struct store *s);

#endif /* SOUK_CHAIN_LEDGER_STORE_INT_H */
