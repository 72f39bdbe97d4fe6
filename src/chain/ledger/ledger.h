/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_LEDGER_H
#define SOUK_CHAIN_LEDGER_LEDGER_H

/* ledger.h - the chain: Ethereum transactions in, Ethereum blocks and receipts out, on LMDB.
 *
 * One thread owns a ledger and makes every call; threads of its own only recover signatures and
 * hash, on copies. Every block is one durable commit: what a read shows
 * survives a loss of power. Records given out live in the arena that the caller passes. Numbers of
 * blocks count from 0, the genesis. A block's time is at least its parent's: many blocks may stand in
 * one second. CORRUPT from any call means a fault of ours or damaged data: stop the process. */

#include "base/arena.h"
#include "base/u256.h"
#include "encoding/tx.h"

struct ledger;

/* --- opening --- */

struct ledger_config {
    const char *dir;
    struct bytes genesis;   /* JSON; only read when the folder is empty, else compared */
    uint64_t history;       /* blocks whose state can be asked; UINT64_MAX: all */
    uint64_t pool_max;      /* transactions waiting; 0: 50 000 */
    unsigned threads;       /* for signature recovery; 0: one a core */
    bool allow_unprotected; /* transactions without chain id (before EIP-155) */
    bool dev;               /* the dev_ functions below may be called */
    bool unsafe;            /* commits are not synced to disk: for scratch copies only */
};

rc ledger_open(struct ledger **out, const struct ledger_config *cfg, struct err *e);
void ledger_close(struct ledger *l);

uint64_t ledger_chain_id(const struct ledger *l);
uint64_t ledger_height(const struct ledger *l);    /* number of the newest block */
struct address ledger_hub(const struct ledger *l); /* the market; it names the other contracts */

/* --- blocks, transactions, receipts --- */

struct block {
    uint64_t number;
    struct hash hash, parent, state_root, tx_root, receipts_root, mix;
    uint8_t bloom[256];
    struct address miner;
    uint64_t gas_limit, gas_used, timestamp, size;
    struct u256 base_fee;
    struct bytes extra;
    uint64_t tx_n;
};

struct tx {
    struct eth_tx e; /* as it was signed (sig and v are zero when dev sent it unsigned); views
                        live as the record */
    struct hash hash;
    struct address from;

    bool mined;
    struct hash block_hash;
    uint64_t block_number, index;
    struct u256 base_fee; /* of its block */
};

struct log {
    struct address address;
    struct hash topics[4];
    size_t topics_n;
    struct bytes data;
    struct hash tx_hash, block_hash;
    uint64_t block_number, block_time, tx_index, index; /* index: in the block */
};

struct receipt {
    struct hash tx_hash, block_hash;
    uint64_t block_number, index;
    struct address from, to, contract;
    bool has_to, has_contract, ok;
    unsigned type;
    uint64_t gas_used, cumulative_gas;
    struct u256 gas_price; /* effective */
    uint8_t bloom[256];
    struct log *logs;
    size_t logs_n;
};

/* NOT_FOUND when there is none; CORRUPT when the database is damaged. */
rc ledger_block(struct ledger *l, struct arena *a, uint64_t number, struct block *out);
rc ledger_block_number(struct ledger *l, struct hash hash, uint64_t *number);
rc ledger_tx(struct ledger *l, struct arena *a, struct hash hash, struct tx *out); /* pool too */
rc ledger_tx_at(struct ledger *l, struct arena *a, uint64_t number, uint64_t index, struct tx *out);
rc ledger_receipt(struct ledger *l, struct arena *a, struct hash tx_hash, struct receipt *out);
rc ledger_receipt_at(struct ledger *l, struct arena *a, uint64_t number, uint64_t index,
                     struct receipt *out);

/* RLP of the signed transaction, as it was sent. */
rc ledger_tx_raw(struct ledger *l, struct arena *a, struct hash hash, struct bytes *out);

/* A header's RLP, as a node or a receipt gives it: hash and fields, extra data copied into `a`. For
 * tools that check blocks without a chain. */
rc header_parse(struct block *h, struct arena *a, struct bytes rlp, const char **why);

/* --- logs --- */

struct log_query {
    uint64_t from, to; /* blocks, both included */
    const struct address *addresses;
    size_t addresses_n; /* 0: any */
    struct {
        const struct hash *any;
        size_t n; /* 0: every topic fits */
    } topics[4];
    size_t topics_n; /* a log with fewer topics does not fit */
};

/* Calls fn for each log, oldest first, until it returns false. The log lives during the call. */
rc ledger_logs(struct ledger *l, const struct log_query *q,
               bool (*fn)(void *ctx, const struct log *), void *ctx, struct err *e);

/* --- state --- */

/* State after block `number`; NOT_FOUND beyond history ("missing trie node"-like errors are the
 * caller's words). LEDGER_PENDING: after the newest block and the pool's pending transactions. */
#define LEDGER_PENDING UINT64_MAX

rc ledger_balance(struct ledger *l, uint64_t number, struct address a, struct u256 *out);
rc ledger_nonce(struct ledger *l, uint64_t number, struct address a, uint64_t *out);
rc ledger_code(struct ledger *l, struct arena *a, uint64_t number, struct address of,
               struct bytes *out);
rc ledger_slot(struct ledger *l, uint64_t number, struct address of, struct hash slot,
               struct hash *out);

struct call_msg {
    struct address from, to;
    bool has_to;
    struct u256 value, gas_price;
    struct bytes data;
    uint64_t gas;
};

enum call_outcome { CALL_OK, CALL_REVERTED, CALL_OUT_OF_GAS, CALL_NO_FUNDS };

/* Runs a message on the state of a block (of the newest one: as if in a block made now, so that
 * deadlines are met or missed as they would be when it was sent) without keeping what it changes. *ret: return data, or the
 * revert's; *gas_used: what a transaction would be charged. */
rc ledger_call(struct ledger *l, struct arena *a, uint64_t number, const struct call_msg *m,
               enum call_outcome *how, struct bytes *ret, uint64_t *gas_used, struct err *e);

/* --- transactions in --- */

/* Checks one signed transaction and puts it into the pool. DENIED or MALFORMED with the standard
 * sentence in *e: "nonce too low: …", "already known", "replacement transaction underpriced", … */
rc ledger_send(struct ledger *l, struct bytes raw, struct hash *hash, struct err *e);

/* The same for many: signatures are recovered on all threads. results[i] and errs[i] belong to
 * raw[i]. */
void ledger_send_many(struct ledger *l, const struct bytes *raw, size_t n, struct hash *hashes,
                      rc *results, struct err *errs);

/* Puts a transaction without signature into the pool: of an account that a development node speaks
 * for. With dev only. */
rc ledger_send_unsigned(struct ledger *l, struct address from, const struct eth_tx *tx,
                        struct hash *hash, struct err *e);

struct pool_counts {
    uint64_t pending, queued;
};

struct pool_counts ledger_pool(const struct ledger *l);

/* Each waiting transaction, by sender and nonce. */
rc ledger_pool_each(struct ledger *l, struct arena *a,
                    bool (*fn)(void *ctx, const struct tx *tx, bool pending), void *ctx);

/* Called when a transaction became pending. One receiver. */
void ledger_on_pending(struct ledger *l, void (*fn)(void *ctx, struct hash hash), void *ctx);

/* --- blocks out --- */

struct u256 ledger_base_fee(const struct ledger *l); /* of the next block */
uint64_t ledger_gas_limit(const struct ledger *l);

/* Makes a block of the pending transactions, durable when it returns. *sealed is false when there
 * was nothing to do and `empty` did not allow a block without transactions. now_s: the time. */
rc ledger_seal(struct ledger *l, uint64_t now_s, bool empty, bool *sealed, struct err *e);
bool ledger_has_work(const struct ledger *l);

/* --- proofs --- */

/* What stands under a key of the state (chain/state/state.h) after a block, or that nothing does. */
struct state_proof {
    uint64_t number;
    bool found;
    struct bytes value, proof; /* proof: chain/tree */
    struct bytes header;       /* RLP; keccak256 of it is the block's hash */
};

/* Of the newest block. */
rc ledger_prove(struct ledger *l, struct arena *a, struct bytes key, struct state_proof *out,
                struct err *e);

/* Checks a proof from anywhere, without a chain, and gives the header: whether its hash is that of a
 * block to be trusted is the caller's question. DENIED, MALFORMED with the reason. */
rc state_proof_check(struct block *header, struct arena *a, struct bytes key,
                     const struct state_proof *p, struct err *e);

/* --- the chain as a file --- */

/* Writes genesis and blocks to a new file. */
rc ledger_export(struct ledger *l, const char *path, struct err *e);

/* Executes what a file holds on a chain in cfg.dir, which begins with the file's genesis (cfg.genesis
 * is not read), or goes on when the folder has some of these blocks already. DENIED with what
 * differs; the blocks before it are kept. */
rc ledger_import(const struct ledger_config *cfg, const char *path, uint64_t *height,
                 struct err *e);

/* Executes the whole chain again in an empty folder, which the caller removes, and compares every
 * root, receipt, record and index. DENIED or CORRUPT with what differs. */
rc ledger_verify(struct ledger *l, const char *scratch, struct err *e);

/* --- development: only with config.dev --- */

uint64_t ledger_dev_snapshot(struct ledger *l);
bool ledger_dev_revert(struct ledger *l, uint64_t id); /* that one and later ones are gone */
void ledger_dev_set_balance(struct ledger *l, struct address a, struct u256 v);
void ledger_dev_set_nonce(struct ledger *l, struct address a, uint64_t v);
void ledger_dev_set_code(struct ledger *l, struct address a, struct bytes code);
rc ledger_dev_set_slot(struct ledger *l, struct address a, struct hash slot, struct hash v,
                       struct err *e); /* slots that mean something, e.g. a token balance */
void ledger_dev_shift_time(struct ledger *l, uint64_t seconds);
rc ledger_dev_next_time(struct ledger *l, uint64_t timestamp, struct err *e);
bool ledger_dev_drop(struct ledger *l, struct hash tx);
void ledger_dev_set_coinbase(struct ledger *l, struct address a);
void ledger_dev_set_base_fee(struct ledger *l, struct u256 v); /* of the next block */
void ledger_dev_set_gas_limit(struct ledger *l, uint64_t v);
rc ledger_dev_reset(struct ledger *l, struct err *e); /* back to genesis */

#endif /* SOUK_CHAIN_LEDGER_LEDGER_H */
