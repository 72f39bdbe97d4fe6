/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_STORE_INT_H
#define SOUK_CHAIN_LEDGER_STORE_INT_H

/* store_int.h - the database under a ledger: ordered tables of bytes, one durable write at a time.
 *
 * Reads see the newest commit. Views that a read gives last until the next commit or store_close().
 * A write is one transaction over all tables: after store_commit() returned OK it survives a loss
 * of power, before that nothing of it exists. One thread. */

#include "base/rc.h"

enum table {
    T_META,  /* name -> value: schema, genesis, height, root */
    T_STATE, /* record's key -> record */
    T_TREE,  /* place -> node of the authenticated tree (chain/tree) */
    T_UNDO,  /* number 8 -> what the block's records were before it (history.c) */
    T_BLOCK, /* number 8 -> header RLP */
    T_BODY,  /* number 8 ‖ first index 4 -> packed transactions with their receipts (body.c) */
    T_HASH,  /* first 8 bytes of a block's hash -> numbers, 8 bytes each */
    T_TX,    /* first 8 bytes of a transaction's hash -> number 8 ‖ index 4, each */
    T_LOG,   /* index key 8 ‖ number 8 -> indexes of transactions (logs.c) */
    T_COUNT
};

struct store;

/* The folder exists and is locked by the caller. unsafe: commits are not synced. */
rc store_open(struct store **out, const char *dir, bool unsafe, struct err *e);
void store_close(struct store *s); /* NULL is allowed; an open write is dropped */

/* NOT_FOUND when there is none. CORRUPT or IO is logged with its reason. */
rc store_get(struct store *s, enum table t, struct bytes key, struct bytes *value);

/* The first entry at or after key. */
rc store_seek(struct store *s, enum table t, struct bytes key, struct bytes *found,
              struct bytes *value);
/* The last entry at or before key. */
rc store_floor(struct store *s, enum table t, struct bytes key, struct bytes *found,
               struct bytes *value);
rc store_next(struct store *s, enum table t, struct bytes *found, struct bytes *value);

/* One write. store_begin() makes room in the map; store_wget() sees what the write has done. */
rc store_begin(struct store *s, struct err *e);
rc store_wget(struct store *s, enum table t, struct bytes key, struct bytes *value);
rc store_put(struct store *s, enum table t, struct bytes key, struct bytes value);
rc store_append(struct store *s, enum table t, struct bytes key,
                struct bytes value);                           /* key beyond all others */
rc store_del(struct store *s, enum table t, struct bytes key); /* fine when there is none */
rc store_clear(struct store *s, enum table t);                 /* removes all entries */
rc store_commit(struct store *s, struct err *e);               /* after any failure: aborts */
void store_abort(struct store *s);

uint64_t store_bytes(struct store *s); /* pages in use, in bytes */

#endif /* SOUK_CHAIN_LEDGER_STORE_INT_H */
