/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_RPC_RPC_INT_H
#define SOUK_CHAIN_RPC_RPC_INT_H

/* rpc_int.h - what the files of the JSON-RPC server share.
 *
 *   server.c    HTTP and WebSocket: one port, limits
 *   dispatch.c  JSON-RPC 2.0: single calls and batches, errors
 *   params.c    arguments of a call, with geth's texts when they are wrong
 *   table.c     the methods, sorted; docs.c writes docs/rpc.md from it
 *   m_*.c       the methods, by subject */

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/u256.h"
#include "chain/ledger/ledger.h"
#include "chain/rpc/rpc.h"
#include "crypto/secret.h"
#include "io/http_server.h"
#include "io/json.h"

struct dev;
struct filters;
struct subs;

/* Codes of JSON-RPC 2.0 and those that Ethereum nodes add. */
enum {
    RPC_PARSE = -32700,
    RPC_REQUEST = -32600,
    RPC_METHOD = -32601,
    RPC_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_SERVER = -32000, /* everything a node has no own code for */
    RPC_TOO_LARGE = -32003,
    RPC_LIMIT = -32005,
    RPC_REVERT = 3,
};

#define RPC_DEPTH_MAX  32 /* levels of JSON: typed data of EIP-712 nests a few */
#define RPC_ERROR_MAX  512
#define RPC_ERROR_ROOM ((size_t)1 << 20) /* of an answer, for errors when results have filled it */

/* One call being answered. A handler appends the JSON text of its result to out, or returns what
 * rpc_fail() returned; then what it appended is dropped. */
struct rpc_req {
    struct rpc *rpc;
    struct arena *arena; /* until the answer is out */
    struct js params;    /* an array */
    struct buf *out;
    struct ws *ws; /* NULL over HTTP */
    int code;      /* of an error */
    char msg[RPC_ERROR_MAX];
    struct bytes data; /* of a revert */
    bool has_data;
};

typedef rc (*rpc_fn)(struct rpc_req *q);

enum { RPC_DEV = 1, RPC_WS = 2 };

struct rpc_method {
    const char *name;
    rpc_fn fn;
    unsigned min, max; /* arguments */
    unsigned flags;
    const char *params;  /* for people: "address, block = latest" */
    const char *help;    /* one sentence */
    const char *example; /* the params of an example, JSON; "" when there are none */
};

extern const struct rpc_method rpc_methods[]; /* sorted by name */
extern const size_t rpc_methods_n;
const struct rpc_method *rpc_method_find(const char *name);

/* Records the error; returns a code that is not OK. */
rc rpc_fail(struct rpc_req *q, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
rc rpc_fail_revert(struct rpc_req *q,
                   struct bytes data); /* code 3, with the reason when it is text */

/* Answers one request text, a call or a batch. Nothing is appended when all were notifications. */
void rpc_answer(struct rpc *rpc, struct arena *a, struct ws *ws, struct bytes text,
                struct buf *out);

struct rpc_stats {
    uint64_t requests, errors, blocks, logs_sent, subs, filters, height;
};

struct rpc {
    struct rpc_config cfg; /* defaults filled in */
    struct ledger *ledger;
    struct http_server *http;
    struct http_route *routes;
    struct rpc_stats stats;
    struct dev *dev;         /* NULL without --dev */
    struct filters *filters; /* m_filter.c */
    struct subs *subs;       /* m_sub.c */
};

/* Ready-made failures. */
rc rpc_no_memory(struct rpc_req *q);
rc rpc_ledger_fault(struct rpc_req *q, rc r); /* storage failed: -32603, the text is logged */

/* params.c: argument i of the call. The p_ functions answer -32602 in geth's words. */
bool p_given(const struct rpc_req *q, size_t i); /* there and not null */
rc p_address(struct rpc_req *q, size_t i, struct address *out);
rc p_hash(struct rpc_req *q, size_t i, struct hash *out);
rc p_u64(struct rpc_req *q, size_t i, uint64_t *out); /* QUANTITY */
rc p_u256(struct rpc_req *q, size_t i, struct u256 *out);
rc p_number(struct rpc_req *q, size_t i, uint64_t *out); /* QUANTITY, number or decimal text */
rc p_bytes(struct rpc_req *q, size_t i, size_t max, struct bytes *out);
rc p_bool(struct rpc_req *q, size_t i, bool *out);
rc p_str(struct rpc_req *q, size_t i, const char **out);

/* The same for a value inside an argument; what names it: "invalid argument 0: to: …". */
rc v_address(struct rpc_req *q, size_t i, const struct js *v, struct address *out);
rc v_hash(struct rpc_req *q, size_t i, const struct js *v, struct hash *out);
rc v_u64(struct rpc_req *q, size_t i, const struct js *v, uint64_t *out);
rc v_u256(struct rpc_req *q, size_t i, const struct js *v, struct u256 *out);
rc v_bytes(struct rpc_req *q, size_t i, const struct js *v, size_t max, struct bytes *out);

/* A block as people name it. */
enum block_tag { BLOCK_NUMBER, BLOCK_HASH, BLOCK_LATEST, BLOCK_PENDING, BLOCK_EARLIEST };

struct block_id {
    enum block_tag tag;
    uint64_t number;
    struct hash hash;
};

/* Tag, QUANTITY, 32-byte hash, or EIP-1898's object. */
rc v_block(struct rpc_req *q, size_t i, const struct js *v, struct block_id *out);
rc p_block(struct rpc_req *q, size_t i, struct block_id *out); /* absent: latest */

/* A transaction as eth_call, eth_estimateGas and eth_sendTransaction take it. */
struct call_args {
    bool has_from, has_to, has_gas, has_gas_price, has_max_fee, has_tip, has_nonce, has_type;
    bool has_access_list;
    struct address from, to;
    uint64_t gas, nonce, type;
    struct u256 gas_price, max_fee, tip, value;
    struct bytes data;
    struct bytes access_list; /* RLP items, as in struct eth_tx */
    uint64_t access_gas;      /* what they cost */
};

#define RPC_DATA_MAX ((size_t)131072) /* bytes of one transaction, as in geth's pool */

rc p_call(struct rpc_req *q, size_t i, struct call_args *out);

/* eth_getLogs' filter. */
#define FILTER_ADDRESSES_MAX 1000
#define FILTER_TOPICS_MAX    1000 /* alternatives in one position */

struct log_filter {
    bool has_from, has_to, has_hash;
    struct block_id from, to;
    struct hash hash;
    struct address *addresses;
    size_t addresses_n; /* 0: any */
    struct {
        struct hash *any;
        size_t n; /* 0: every topic fits */
    } topics[4];
    size_t topics_n;
};

rc p_filter(struct rpc_req *q, size_t i, struct arena *a, struct log_filter *out);
rc v_filter(struct rpc_req *q, size_t i, const struct js *v, struct arena *a,
            struct log_filter *out);

/* Result text. */
void put_q_hash(struct buf *b, struct hash h);       /* "0x…" with quotes */
void put_q_address(struct buf *b, struct address a); /* lower case, as geth */
void put_q_bytes(struct buf *b, struct bytes v);
void put_q_u64(struct buf *b, uint64_t v);
void put_q_u256(struct buf *b, struct u256 v);

/* The number behind a block id: NOT_FOUND (no error recorded) when there is no such block. Pending
 * is the height plus one. */
rc block_resolve(struct rpc *rpc, const struct block_id *id, uint64_t *number);

/* The same for state: argument i; LEDGER_PENDING for pending; records geth's errors. */
rc p_state(struct rpc_req *q, size_t i, uint64_t *number);
rc state_fault(struct rpc_req *q, rc r, uint64_t number); /* of a state read that failed */

/* format.c */
void put_header(struct buf *b, const struct block *k); /* members of an object, no braces */
void put_tx(struct buf *b, const struct tx *t);
void put_receipt(struct buf *b, const struct receipt *r);
void put_log(struct buf *b, const struct log *g);
struct u256 tx_effective_price(const struct tx *t);

/* m_filter.c */
struct filters *filters_new(void);
void filters_free(struct filters *f);
void filters_on_pending(struct rpc *rpc, struct hash tx);
bool log_fits(const struct log_filter *f, const struct log *g);
void filter_query(const struct log_filter *f, uint64_t from, uint64_t to, struct log_query *q);

/* m_sub.c */
struct subs *subs_new(void);
void subs_free(struct subs *s);
void subs_on_block(struct rpc *rpc, uint64_t number);
void subs_on_pending(struct rpc *rpc, struct hash tx);
void subs_on_close(struct rpc *rpc, struct ws *w);
void rpc_new_id(struct hash *id); /* 16 random bytes at the front, for filters and subscriptions */

/* m_dev.c */
#define DEV_ACCOUNTS         20
#define DEV_IMPERSONATED_MAX 256

struct dev {
    struct secret keys[DEV_ACCOUNTS];
    struct address accounts[DEV_ACCOUNTS];
    struct address impersonated[DEV_IMPERSONATED_MAX];
    size_t impersonated_n;
    bool impersonate_all;
};

rc dev_open(struct dev **out, struct err *e);
void dev_free(struct dev *d);
rc dev_mined(struct rpc_req *q); /* after a transaction came in: makes its block when automining */
void put_accounts(struct buf *b, const struct rpc *rpc);

/* m_state.c, m_chain.c, m_send.c */
rc call_run(struct rpc_req *q, uint64_t number, struct call_args *c, uint64_t gas,
            enum call_outcome *how, struct bytes *ret, uint64_t *used);
rc estimate(struct rpc_req *q, uint64_t number, struct call_args *c, uint64_t *gas);
struct u256 suggest_tip(const struct rpc *rpc);
rc send_fault(struct rpc_req *q, rc r, const struct err *e);

#endif /* SOUK_CHAIN_RPC_RPC_INT_H */
