/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_STATE_STATE_H
#define SOUK_CHAIN_STATE_STATE_H

/* state.h - the chain's state as records: key = table byte ‖ fixed big-endian fields, value = a
 * canonical record. An overlay in memory over a reader of what is committed: writes stay in the
 * overlay, with nested savepoints, until the ledger takes the changed records and stores them. What
 * is kept where is decided here alone; databases are unknown to it. */

#include "base/arena.h"
#include "base/rc.h"

/* The first byte of every key. On disk: never renumber. */
enum state_table {
    STATE_ACCOUNT = 1,       /* address -> nonce 8 ‖ balance 32: native coin */
    STATE_DEV_CODE = 2,      /* address -> code that a development node was told */
    STATE_DEV_SLOT = 3,      /* contract ‖ slot -> value that waits on a development node */
    STATE_HUB = 16,          /* u8 which -> singletons: configuration, settings, supply, counters */
    STATE_BALANCE = 17,      /* u8 contract ‖ address -> hub: stake ‖ locked; token: balance */
    STATE_ALLOWANCE = 18,    /* u8 contract ‖ owner ‖ spender -> amount */
    STATE_PRESIGNED = 19,    /* order hash -> signer */
    STATE_CONSUMED = 20,     /* order hash -> volume */
    STATE_DEAL = 21,         /* deal id -> deal */
    STATE_TASK = 22,         /* task id -> task and consensus, without its results */
    STATE_VOTES = 23,        /* task id ‖ result hash -> weight of that group */
    STATE_CONTRIBUTION = 24, /* task id ‖ worker -> contribution */
    STATE_SCORE = 25,        /* worker -> score */
    STATE_CATEGORY = 26,     /* u64 id -> category */
    STATE_CODE = 27,         /* address -> what kind of account with code it is, and its fields */
    STATE_NFT = 28,      /* u8 registry ‖ entry -> owner, approval, places in the lists below */
    STATE_NFT_AT = 29,   /* u8 registry ‖ u64 -> entry; u8 registry ‖ owner ‖ u64 -> entry */
    STATE_OPERATOR = 30, /* u8 registry ‖ owner ‖ operator -> 1 */
    STATE_MEMBER = 31,   /* group ‖ key ‖ purpose -> type; wallet ‖ signer -> place; lists */
    STATE_BOOST = 32,    /* deal id -> boost deal; deal id ‖ u256 index -> task */
    STATE_REGISTRY = 33, /* u8 registry -> registry; u8 registry ‖ owner -> u64 entries */
    STATE_RESULT = 34,   /* task id -> results, callback; inbox ‖ id -> result */
    STATE_CONTRIBUTOR = 35, /* task id ‖ u32 -> worker */
    STATE_IMPORTED = 36,    /* worker -> 1: its score was imported */
};

enum { STATE_KEY_MAX = 120, STATE_VALUE_MAX = 1 << 20 };

struct state;

/* Reads a committed record. NOT_FOUND when there is none; the view must last until the overlay's
 * next read. */
typedef rc (*state_read)(void *ctx, struct bytes key, struct bytes *value);

struct state *state_new(state_read read, void *ctx);
void state_free(struct state *s);

/* Forgets all records and savepoints. */
void state_reset(struct state *s);

/* NOT_FOUND when there is no record. The view lasts until the record is next written, rolled back or
 * the state is reset. CORRUPT, IO from the reader. */
rc state_get(struct state *s, struct bytes key, struct bytes *value);

void state_put(struct state *s, struct bytes key, struct bytes value); /* copies */
void state_del(struct state *s, struct bytes key);

/* Savepoints nest: rolling back undoes every write since the mark, and later marks with them. */
typedef size_t state_mark;
state_mark state_save(struct state *s);
void state_rollback(struct state *s, state_mark m);

/* Calls fn for each record that was written and differs from what is committed, in the order of the
 * keys; value.p is NULL for a removed one. `before` is the committed record, p NULL for none. */
rc state_changes(struct state *s,
                 rc (*fn)(void *ctx, struct bytes key, struct bytes value, struct bytes before),
                 void *ctx);

size_t state_memory(const struct state *s); /* bytes held */

#endif /* SOUK_CHAIN_STATE_STATE_H */
