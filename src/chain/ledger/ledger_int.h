/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_LEDGER_INT_H
#define SOUK_CHAIN_LEDGER_LEDGER_INT_H

/* ledger_int.h - what the files of the ledger share.
 *
 *   header.c   headers, receipts and bloom filters as Ethereum encodes them
 *   store.c    the tables, on LMDB
 *   genesis.c  the file that a chain begins with
 *   state_io.c the state on disk: records, their tree, and what they were before
 *   exec.c     one transaction or call on a state
 *   pool.c     transactions that wait
 *   seal.c     a block of them, and rolling blocks back
 *   query.c    blocks, transactions and receipts for readers; logs.c their index
 *   verify.c   export, import and full re-execution
 *   dev.c      what development nodes may do to a state */

#include "base/buf.h"
#include "base/cur.h"
#include "chain/ledger/ledger.h"
#include "chain/ledger/store_int.h"
#include "chain/poco/poco.h"
#include "encoding/tx.h"
#include "io/workers.h"

/* --- the ledger itself --- */

enum { SNAPSHOTS_MAX = 256, LEDGER_SCHEMA = 1, SIG_CACHE = 1 << 16 };

struct pool;

/* Recovered signatures, so that none is recovered twice: a slot by the hash of what was signed. */
struct sig_entry {
    struct hash digest;
    uint8_t sig[65];
    bool used, good;
    struct address signer;
};

struct ledger {
    struct ledger_config cfg;
    struct store *store;
    struct state *state; /* over the newest block */
    struct state *past;  /* for calls: over the block `past_height` */
    uint64_t past_height;
    struct pool *pool;
    struct workers *workers;
    struct sig_entry *sigs;
    struct poco_constants constants;
    uint64_t chain_id;
    struct block head;
    struct hash state_root; /* differs from head.state_root only after dev edits */
    struct u256 base_fee;   /* of the next block */
    uint64_t gas_limit;
    struct address coinbase;
    struct hash genesis_hash; /* of the genesis file's settings */
    void (*on_pending)(void *ctx, struct hash hash);
    void *on_pending_ctx;
    struct arena scratch; /* of one transaction or call */

    int64_t time_shift; /* dev */
    uint64_t next_time; /* dev; 0: none */
    struct {
        uint64_t height;
        int64_t time_shift;
    } snapshot[SNAPSHOTS_MAX];
    uint64_t snapshots;
};

/* --- genesis.c --- */

struct genesis {
    struct poco_config poco;
    uint64_t time, gas_limit;
    struct u256 base_fee;
    struct address coinbase;
    struct u256 *balances; /* native coin, one for each of poco.accounts */
};

/* Strings and arrays live in `a`. */
rc genesis_parse(struct genesis *g, struct arena *a, struct bytes json, struct err *e);

/* --- state_io.c --- */

/* The reader under l->state and l->past. */
rc state_io_read(void *ctx, struct bytes key, struct bytes *value);
rc state_io_read_past(void *ctx, struct bytes key, struct bytes *value);

/* Points l->past at the state after a block; NOT_FOUND when it is no longer kept. */
rc state_io_at(struct ledger *l, uint64_t number);

/* Inside a store transaction: writes the changed records of l->state as part of a block, and brings
 * tree and l->state_root along. */
rc state_io_write(struct ledger *l, uint64_t block, struct err *e);

/* Inside a store transaction: undoes what was written as part of a block. */
rc state_io_undo(struct ledger *l, uint64_t block, struct err *e);

/* Drops what is needed only to read the state before a block. */
rc state_io_forget(struct ledger *l, uint64_t block);

/* --- exec.c --- */

struct account {
    uint64_t nonce;
    struct u256 balance;
};

rc account_get(struct state *s, struct address a, struct account *out);
void account_put(struct state *s, struct address a, const struct account *acc);

struct exec_block {
    uint64_t number, time;
    struct u256 base_fee;
    struct address coinbase;
};

struct executed {
    bool ok;
    uint64_t gas_used;
    struct bytes output; /* in the arena, as the logs are */
    struct poco_log *logs;
    size_t logs_n;
    enum call_outcome how;
};

uint64_t intrinsic_gas(const struct tx *tx);

/* Runs one transaction. DENIED with a sentence when it must not be in a block at all (nonce, funds,
 * price); CORRUPT for a fault. Results live in `a`. */
rc exec_tx(struct ledger *l, struct state *s, const struct exec_block *b, const struct tx *tx,
           struct arena *a, struct executed *out, struct err *e);

/* The recover hook over the ledger's cache. */
bool exec_recover(void *ctx, struct hash digest, const uint8_t sig[65], struct address *out);
void sig_cache_put(struct ledger *l, const struct sig_entry *entry);

/* --- pool.c --- */

struct pool *pool_new(uint64_t max);
void pool_free(struct pool *p);

/* Checks against the newest state and takes tx, whose signed bytes are copied. */
rc pool_add(struct ledger *l, const struct tx *tx, struct bytes raw, bool is_signed, struct err *e);
bool pool_find(const struct ledger *l, struct hash hash, struct tx *out, struct bytes *raw);
bool pool_drop(struct ledger *l, struct hash hash);
uint64_t pool_next_nonce(struct ledger *l, struct address a); /* after what is pending */
bool pool_has_work(const struct ledger *l);

/* The best transaction that may come next, by price and arrival; false when there is none. The pool
 * keeps it until pool_taken() (it is in a block) or pool_refused() (it cannot be). */
struct pool_pick {
    struct tx tx;
    struct bytes raw;
    bool is_signed;
    void *at;
};

void pool_pick_begin(struct ledger *l);
bool pool_pick(struct ledger *l, struct pool_pick *out);
void pool_taken(struct ledger *l, const struct pool_pick *p);
void pool_refused(struct ledger *l, const struct pool_pick *p);
void pool_pick_end(struct ledger *l);
void pool_clear(struct ledger *l);
void pool_reload(struct ledger *l); /* after blocks were rolled back: nonces are read anew */

/* --- seal.c --- */

/* Everything of a block that is stored; used by sealing, import and verification. */
rc block_execute(struct ledger *l, struct block *b, const struct tx *txs, const struct bytes *raw,
                 size_t n, struct receipt *receipts, struct arena *a, struct err *e);
rc block_store(struct ledger *l, struct block *b, const struct tx *txs, const struct bytes *raw,
               struct receipt *receipts, struct err *e);
rc ledger_rollback(struct ledger *l, uint64_t to, struct err *e);
rc head_load(struct ledger *l, struct err *e);
rc ledger_genesis_block(struct ledger *l, const struct genesis *g, struct err *e);

/* --- logs.c --- */

rc logs_index(struct ledger *l, uint64_t block, const struct receipt *receipts, size_t n);
rc logs_unindex(struct ledger *l, uint64_t block, const struct receipt *receipts, size_t n);

/* --- query.c: stored forms --- */

void tx_store_put(struct buf *b, const struct tx *tx, struct bytes raw);
rc tx_store_parse(struct tx *tx, struct bytes *raw, struct arena *a, struct bytes stored);
void receipt_store_put(struct buf *b, const struct receipt *r);
rc receipt_store_parse(struct receipt *r, struct arena *a, struct bytes stored);

/* A decoded transaction as readers see it; views of `raw`, access list in `a`. */
rc tx_from_eth(struct tx *out, struct arena *a, const struct eth_tx *t, struct hash hash,
               struct address from);

static inline void put_u64_be(uint8_t out[8], uint64_t v)
{
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(v >> (56 - 8 * i));
    }
}

/* block 8 ‖ index 4 */
struct place_key {
    uint8_t b[12];
};

struct place_key place_key(uint64_t block, uint64_t index);

/* --- header.c --- */

/* The header's RLP; its keccak is the block's hash. */
void header_put(struct buf *b, const struct block *h);

void bloom_add(uint8_t bloom[256], struct bytes item);
void bloom_add_log(uint8_t bloom[256], const struct log *l);

/* A receipt as the receipts trie holds it (EIP-2718 envelope for types 1 and 2). */
void receipt_put(struct buf *b, const struct receipt *r);

/* EIP-1559: the base fee of the block after one with these numbers; zero stays zero. */
struct u256 base_fee_next(struct u256 fee, uint64_t gas_used, uint64_t gas_limit);

#endif /* SOUK_CHAIN_LEDGER_LEDGER_INT_H */
