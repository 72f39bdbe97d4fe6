/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_LEDGER_INT_H
#define SOUK_CHAIN_LEDGER_LEDGER_INT_H

/* ledger_int.h - what the files of the ledger share.
 *
 * header.c   headers, receipts and bloom filters as Ethereum encodes them
 * store.c    the database                     genesis.c  what a chain begins with, from JSON
 * squeeze.c  records without their zeroes
 * body.c     packed transactions and receipts history.c  what records were, block by block
 * logs.c     the index of logs                sigs.c     recovered signatures
 * pool.c     transactions that wait           exec.c     one transaction on the state
 * block.c    blocks made, checked, undone     query.c    blocks, transactions, receipts as asked
 * call.c     messages and reads on a state    dev.c      what development nodes may do
 * ledger.c   opening, sending, sealing        replay.c   export, import, verify */

#include "base/buf.h"
#include "base/cur.h"
#include "chain/ledger/genesis_int.h"
#include "chain/ledger/ledger.h"
#include "chain/ledger/store_int.h"
#include "chain/tree/tree.h"
#include "io/workers.h"

/* --- header.c --- */

/* The header's RLP; its keccak is the block's hash. */
void header_put(struct buf *b, const struct block *h);

void bloom_add(uint8_t bloom[256], struct bytes item);
void bloom_add_log(uint8_t bloom[256], const struct log *l);

/* A receipt as the receipts trie holds it (EIP-2718 envelope for types 1 and 2). */
void receipt_put(struct buf *b, const struct receipt *r);

/* EIP-1559: the base fee of the block after one with these numbers; zero stays zero. */
struct u256 base_fee_next(struct u256 fee, uint64_t gas_used, uint64_t gas_limit);

/* --- body.c --- */

enum { BODY_CHUNK = 64 << 10, BODY_CACHE = 8 };

/* A transaction as the body keeps it. Views live as the chunk, or as what was given. */
struct body_tx {
    struct bytes raw;
    struct address from;
    bool ok, unsigned_; /* unsigned_: of a development node, r = s = 1 */
    uint64_t gas_used, cumulative_gas, first_log, logs_n;
    struct bytes logs; /* logs_n of body_put_log() */
};

void body_put_tx(struct buf *b, const struct body_tx *t);
void body_put_log(struct buf *b, struct address emitter, const struct hash *topics, size_t topics_n,
                  struct bytes data);
/* Takes one log: address, topics and a view of its data. */
void body_take_log(struct cur *c, struct log *l);

struct body;
struct body *body_new(struct store *s);
void body_free(struct body *b);
void body_forget(struct body *b); /* what was unpacked: after blocks were undone */

/* Packs n transactions (put one after the other in `plain`) as the chunk that begins at index. */
rc body_write(struct body *b, uint64_t number, uint64_t first, uint64_t n, struct bytes plain);
rc body_remove(struct body *b, uint64_t number);

/* NOT_FOUND when the block has no such transaction. Views live until the next call. */
rc body_read(struct body *b, uint64_t number, uint64_t index, struct body_tx *out);

/* --- squeeze.c --- */

/* Records as the database keeps them: without their zeroes. */
void squeeze_put(struct buf *b, struct bytes v);
rc unsqueeze_put(struct buf *b, struct bytes v); /* CORRUPT for what squeeze_put() does not write */

/* Reads a record of the state; the view lives in `into`. */
rc record_read(struct store *s, struct buf *into, struct bytes key, struct bytes *value);

/* --- history.c --- */

/* What a write changed, in the order of the keys: before.p NULL when there was no record. */
struct undo {
    struct buf offsets, data;
    uint64_t n;
};

void undo_add(struct undo *u, struct bytes key, struct bytes before);
rc undo_put(struct buf *all, const struct undo *u); /* the record, appended */
rc undo_write(struct store *s, uint64_t number, struct undo *u);
void undo_free(struct undo *u);

/* Entry i of a stored one; n of them. The view of what was before lives in `into`. */
uint64_t undo_n(struct bytes record);
rc undo_at(struct bytes record, uint64_t i, struct buf *into, struct bytes *key,
           struct bytes *before);

/* A reader (state_read) of the state after block `number`. */
struct past {
    struct store *store;
    struct buf *into; /* where a record is unpacked */
    uint64_t number, height;
};

rc past_read(void *ctx, struct bytes key, struct bytes *value);

/* --- sigs.c --- */

struct sigs;
/* threads: in all, the caller's among them. */
rc sigs_open(struct sigs **out, struct workers *w, unsigned threads, struct err *e);
void sigs_close(struct sigs *s); /* NULL is allowed */

/* Asks for a signature to be recovered, unless it is known; sigs_run() does what was asked. */
void sigs_want(struct sigs *s, struct hash digest, const uint8_t sig[65]);
void sigs_run(struct sigs *s);

/* Asks for it without waiting: other threads recover it while this one goes on. */
void sigs_later(struct sigs *s, struct hash digest, const uint8_t sig[65]);

/* A poco_recover: what is known, else recovered here and now. */
bool sigs_recover(void *ctx, struct hash digest, const uint8_t sig[65], struct address *out);

/* The form in which a transaction's signature is asked for. */
struct hash sigs_of_tx(uint8_t sig[65], const struct eth_tx *t);

/* --- pool.c --- */

/* A transaction that waits; it owns its bytes. */
struct pooled {
    struct hash hash;
    struct address from;
    struct eth_tx e; /* views into raw */
    struct bytes raw;
    struct u256 cost; /* the most that it takes from the sender */
    uint64_t arrival;
    bool unsigned_, pending;
    struct pooled *next; /* of the same bucket */
};

struct pool;
struct pool *pool_new(uint64_t max);
void pool_free(struct pool *p);
void pooled_free(struct pooled *t);

struct pooled *pool_find(const struct pool *p, struct hash h);

/* The nonce that follows the account's pending transactions; `nonce` when it has none. */
uint64_t pool_nonce(const struct pool *p, struct address a, uint64_t nonce);

/* What the account stands at after the newest block. */
struct standing {
    uint64_t nonce;
    struct u256 balance;
};

/* Takes ownership of t when OK. DENIED with geth's sentence. fn (may be NULL) hears of every
 * transaction that became pending by it. */
rc pool_add(struct pool *p, struct pooled *t, struct standing at,
            void (*fn)(void *ctx, struct hash h), void *ctx, struct err *e);
bool pool_drop(struct pool *p, struct hash h); /* later ones of the sender wait for a new one */
void pool_clear(struct pool *p);

/* The account's nonce is now this: earlier transactions go, those that fit become pending. */
void pool_settle(struct pool *p, struct address a, uint64_t nonce);

struct pool_counts pool_counts(const struct pool *p);
uint64_t pool_version(const struct pool *p); /* another after every change */

/* The pending transactions in the order of blocks: by tip, then arrival, nonces in order. Between
 * pool_pick_begin() and the last pool_pick() the pool must not change. skip: the rest of that
 * sender's are left out. */
void pool_pick_begin(struct pool *p, struct u256 base_fee);
struct pooled *pool_pick(struct pool *p);
void pool_pick_skip(struct pool *p);

void pool_each(const struct pool *p, bool (*fn)(void *ctx, const struct pooled *t), void *ctx);

/* --- exec.c --- */

struct account {
    uint64_t nonce;
    struct u256 balance;
};

rc account_get(struct state *s, struct address a,
               struct account *out); /* zero when there is none */
void account_put(struct state *s, struct address a, struct account v);

/* The block that transactions run in. */
struct place {
    uint64_t chain_id, number, time, gas_limit;
    struct u256 base_fee;
    struct address coinbase;
    struct sigs *sigs; /* NULL: every signature is recovered where it is met */
    bool dev;          /* a development node's */
};

struct done {
    bool ok, out_of_gas;
    uint64_t gas_used;
    struct bytes output;
    struct poco_log *logs;
    size_t logs_n;
};

/* What gas a transaction or message costs before anything runs. */
uint64_t gas_intrinsic(bool creates, struct bytes data, struct eth_tx_access access);

/* The most that a transaction takes from its sender; false beyond 2^256. */
bool tx_cost(struct u256 *out, const struct eth_tx *t);

/* Runs one transaction. DENIED with the reason in *why when it may not stand in a block of this
 * place (the state is then as it was); CORRUPT with *why for a fault of ours. */
rc exec_tx(struct state *s, const struct place *p, const struct eth_tx *t, struct address from,
           struct arena *a, struct done *out, const char **why);

/* Moves value and runs what stands at `to`, as part of a transaction or a call. */
rc exec_message(struct state *s, const struct place *p, const struct call *c, struct arena *a,
                struct done *out, const char **why);

/* --- block.c --- */

struct tx_in {
    struct bytes raw;
    struct eth_tx e;
    struct address from;
    struct hash hash;
    bool unsigned_;
};

struct maker; /* a block being made */
struct maker *maker_new(struct ledger *l);
void maker_free(struct maker *m);

/* extra must live until the block is finished. */
void maker_begin(struct maker *m, const struct place *p, struct bytes extra);
/* As exec_tx(); LIMIT when its gas does not fit in any more. */
rc maker_add(struct maker *m, const struct tx_in *t, const char **why);
uint64_t maker_count(const struct maker *m);

/* Writes the block; store_commit() is the caller's, then block_adopt(). */
rc maker_finish(struct maker *m, struct block *out, struct err *e);
void block_adopt(struct ledger *l, const struct block *b);

/* Development nodes: writes what l->work holds without a block; how to take it back goes to u. The
 * chain cannot be replayed from its blocks any more, which META_TOUCHED remembers. */
#define META_TOUCHED BYTES_LIT("touched")
rc state_write(struct ledger *l, struct undo *u, struct err *e);

/* Takes the newest block back. NOT_FOUND when its history is gone. Commits. */
rc block_undo(struct ledger *l, struct err *e);
/* Puts records back to what they were; inside a write. */
rc undo_apply(struct ledger *l, struct bytes record);

/* --- logs.c --- */

struct log_index {
    struct log_ref *v;
    size_t n, alloc;
};

void log_index_add(struct log_index *x, struct address emitter, const struct hash *topics,
                   size_t topics_n, uint64_t tx_index);
rc log_index_write(struct log_index *x, struct store *s, uint64_t number);
rc log_index_remove(struct log_index *x, struct store *s, uint64_t number);
void log_index_free(struct log_index *x);

/* --- query.c --- */

void key_be64(uint8_t out[8], uint64_t v);
rc tx_load(struct ledger *l, struct arena *a, const struct block *b, uint64_t index, struct tx *out,
           struct body_tx *body);
rc place_of_tx(struct ledger *l, struct hash h, uint64_t *number, uint64_t *index);

/* --- ledger.c --- */

struct dev;

struct ledger {
    struct ledger_config cfg;
    int lock;
    struct store *store;
    struct arena mem; /* as long as the ledger */
    struct genesis genesis;
    struct poco_constants constants;
    struct workers *workers;
    struct sigs *sigs;
    struct pool *pool;
    struct body *body;
    struct maker *maker;

    struct block head;
    struct buf record;  /* the last record that was read */
    struct hash root;   /* of the state now; the head's, unless dev wrote to it */
    struct state *view; /* what is committed, for reads and checks */
    struct state *work; /* what a block is made on */

    struct state *pend; /* with the pool's transactions */
    uint64_t pend_version, pend_height;
    uint64_t stuck; /* the pool's version when a block found nothing to take; 0: none */

    void (*on_pending)(void *ctx, struct hash h);
    void *on_pending_ctx;
    struct dev *dev; /* NULL without cfg.dev */
};

rc head_read(void *ctx, struct bytes key, struct bytes *value); /* a state_read on a ledger */
void ledger_moved(struct ledger *l);                            /* what is committed has changed */
rc ledger_begin_chain(struct ledger *l, struct bytes json, struct err *e);
struct place next_place(const struct ledger *l, uint64_t now_s);
rc load_head(struct ledger *l, struct err *e);

/* Recovers, on all threads, who signed n transactions and what they carry. DENIED with the index of
 * one that nobody signed. */
rc recover_all(struct ledger *l, struct tx_in *t, size_t n, size_t *bad);

/* --- dev.c --- */

struct dev *dev_new(void);
void dev_free_(struct dev *d);
uint64_t dev_time(const struct ledger *l, uint64_t now_s); /* of the next block */
void dev_sealed(struct ledger *l, uint64_t now_s);
struct u256 dev_base_fee(const struct ledger *l, struct u256 rule);
uint64_t dev_gas_limit(const struct ledger *l, uint64_t rule);
struct address dev_coinbase(const struct ledger *l, struct address rule);

#endif /* SOUK_CHAIN_LEDGER_LEDGER_INT_H */
