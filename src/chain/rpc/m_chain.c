/* SPDX-License-Identifier: Apache-2.0 */
/* m_chain.c - methods that read the chain: blocks, transactions, receipts, fees, names. */
#include <inttypes.h>
#include <stdlib.h>

#include "chain/rpc/rpc_table_int.h"
#include "crypto/keccak.h"
#include "io/clock.h"

#define FEE_BLOCKS_MAX      1024 /* of one eth_feeHistory, as geth */
#define FEE_PERCENTILES_MAX 100

__extension__ typedef unsigned __int128 wide;

rc block_resolve(struct rpc *rpc, const struct block_id *id, uint64_t *number)
{
    uint64_t height = ledger_height(rpc->ledger);
    switch (id->tag) {
    case BLOCK_LATEST:
        *number = height;
        return RC_OK;
    case BLOCK_PENDING:
        *number = height + 1;
        return RC_OK;
    case BLOCK_EARLIEST:
        *number = 0;
        return RC_OK;
    case BLOCK_HASH:
        return ledger_block_number(rpc->ledger, id->hash, number);
    case BLOCK_NUMBER:
        *number = id->number;
        return id->number <= height ? RC_OK : RC(NOT_FOUND);
    }
    return RC(NOT_FOUND);
}

/* A read by number, hash and so on that may find nothing: null is its answer then. */
#define OR_NULL(q, expr)                                                                           \
    do {                                                                                           \
        rc or_null_ = (expr);                                                                      \
        if (or_null_.code == RC_CODE_NOT_FOUND) {                                                  \
            put_str((q)->out, "null");                                                             \
            return RC_OK;                                                                          \
        }                                                                                          \
        if (!rc_ok(or_null_)) {                                                                    \
            return rpc_ledger_fault((q), or_null_);                                                \
        }                                                                                          \
    } while (0)

/* A read of what must be there. */
#define MUST(q, expr)                                                                              \
    do {                                                                                           \
        rc must_ = (expr);                                                                         \
        if (!rc_ok(must_)) {                                                                       \
            return rpc_ledger_fault((q), must_);                                                   \
        }                                                                                          \
    } while (0)

/* --- names --- */

rc eth_chain_id(struct rpc_req *q)
{
    put_q_u64(q->out, ledger_chain_id(q->rpc->ledger));
    return RC_OK;
}

rc net_version(struct rpc_req *q)
{
    put_fmt(q->out, "\"%" PRIu64 "\"", ledger_chain_id(q->rpc->ledger));
    return RC_OK;
}

rc net_listening(struct rpc_req *q)
{
    put_str(q->out, "true");
    return RC_OK;
}

rc net_peer_count(struct rpc_req *q)
{
    put_str(q->out, "\"0x0\"");
    return RC_OK;
}

/* Test suites look at the start of the name and then use that node's helper methods, which --dev
 * serves. */
rc web3_client_version(struct rpc_req *q)
{
    put_str(q->out,
            q->rpc->cfg.dev ? "\"anvil/souk/v0.1.0/linux-amd64\"" : "\"souk/v0.1.0/linux-amd64\"");
    return RC_OK;
}

rc web3_sha3(struct rpc_req *q)
{
    struct bytes data;
    TRY(p_bytes(q, 0, RPC_DATA_MAX * 8, &data));
    put_q_hash(q->out, keccak256(data));
    return RC_OK;
}

rc rpc_modules(struct rpc_req *q)
{
    put_str(q->out,
            "{\"eth\":\"1.0\",\"net\":\"1.0\",\"rpc\":\"1.0\",\"souk\":\"1.0\","
            "\"txpool\":\"1.0\",\"web3\":\"1.0\"}");
    return RC_OK;
}

rc eth_syncing(struct rpc_req *q)
{
    put_str(q->out, "false");
    return RC_OK;
}

rc eth_accounts(struct rpc_req *q)
{
    put_accounts(q->out, q->rpc);
    return RC_OK;
}

/* --- blocks --- */

rc eth_block_number(struct rpc_req *q)
{
    put_q_u64(q->out, ledger_height(q->rpc->ledger));
    return RC_OK;
}

struct pending_ctx {
    struct rpc_req *q;
    bool full;
    size_t n;
};

static bool put_pending_tx(void *ctx, const struct tx *t, bool pending)
{
    struct pending_ctx *p = ctx;
    if (pending) {
        put_str(p->q->out, p->n++ == 0 ? "" : ",");
        if (p->full) {
            put_tx(p->q->out, t);
        } else {
            put_q_hash(p->q->out, t->hash);
        }
    }
    return true;
}

/* The block that would come next: no hash, nonce or miner yet. */
static rc put_pending_block(struct rpc_req *q, bool full)
{
    struct block last;
    struct ledger *l = q->rpc->ledger;
    OR_NULL(q, ledger_block(l, q->arena, ledger_height(l), &last));
    put_str(q->out, "{\"number\":");
    put_q_u64(q->out, last.number + 1);
    put_str(q->out, ",\"hash\":null,\"nonce\":null,\"miner\":null,\"parentHash\":");
    put_q_hash(q->out, last.hash);
    put_str(q->out,
            ",\"difficulty\":\"0x0\",\"extraData\":\"0x\",\"gasUsed\":\"0x0\",\"gasLimit\":");
    put_q_u64(q->out, ledger_gas_limit(l));
    put_str(q->out, ",\"timestamp\":");
    put_q_u64(q->out, MAX(clock_wall_s(), last.timestamp));
    put_str(q->out, ",\"baseFeePerGas\":");
    put_q_u256(q->out, ledger_base_fee(l));
    put_str(q->out, ",\"uncles\":[],\"transactions\":[");
    struct pending_ctx p = {.q = q, .full = full};
    rc r = ledger_pool_each(l, q->arena, put_pending_tx, &p);
    put_str(q->out, "]}");
    return rc_ok(r) ? RC_OK : rpc_ledger_fault(q, r);
}

static rc put_block(struct rpc_req *q, uint64_t number, bool full)
{
    struct block k;
    OR_NULL(q, ledger_block(q->rpc->ledger, q->arena, number, &k));
    put_u8(q->out, '{');
    put_header(q->out, &k);
    put_str(q->out, ",\"size\":");
    put_q_u64(q->out, k.size);
    put_str(q->out, ",\"uncles\":[],\"transactions\":[");
    for (uint64_t i = 0; i < k.tx_n; i++) {
        struct tx t;
        MUST(q, ledger_tx_at(q->rpc->ledger, q->arena, number, i, &t));
        put_str(q->out, i == 0 ? "" : ",");
        if (full) {
            put_tx(q->out, &t);
        } else {
            put_q_hash(q->out, t.hash);
        }
    }
    put_str(q->out, "]}");
    return RC_OK;
}

rc eth_get_block_by_number(struct rpc_req *q)
{
    struct block_id id;
    bool full = false;
    uint64_t number;
    TRY(p_block(q, 0, &id));
    if (p_given(q, 1)) {
        TRY(p_bool(q, 1, &full));
    }
    if (id.tag == BLOCK_PENDING) {
        return put_pending_block(q, full);
    }
    OR_NULL(q, block_resolve(q->rpc, &id, &number));
    return put_block(q, number, full);
}

/* Argument 0 as the hash of a block. */
static rc p_block_hash(struct rpc_req *q, struct block_id *id)
{
    *id = (struct block_id){.tag = BLOCK_HASH};
    return p_hash(q, 0, &id->hash);
}

rc eth_get_block_by_hash(struct rpc_req *q)
{
    struct block_id id;
    bool full = false;
    uint64_t number;
    TRY(p_block_hash(q, &id));
    if (p_given(q, 1)) {
        TRY(p_bool(q, 1, &full));
    }
    OR_NULL(q, block_resolve(q->rpc, &id, &number));
    return put_block(q, number, full);
}

static rc put_tx_count(struct rpc_req *q, const struct block_id *id)
{
    struct block k;
    uint64_t number;
    if (id->tag == BLOCK_PENDING) {
        put_q_u64(q->out, ledger_pool(q->rpc->ledger).pending);
        return RC_OK;
    }
    OR_NULL(q, block_resolve(q->rpc, id, &number));
    OR_NULL(q, ledger_block(q->rpc->ledger, q->arena, number, &k));
    put_q_u64(q->out, k.tx_n);
    return RC_OK;
}

rc eth_tx_count_by_number(struct rpc_req *q)
{
    struct block_id id;
    TRY(p_block(q, 0, &id));
    return put_tx_count(q, &id);
}

rc eth_tx_count_by_hash(struct rpc_req *q)
{
    struct block_id id;
    TRY(p_block_hash(q, &id));
    return put_tx_count(q, &id);
}

static rc put_uncles(struct rpc_req *q, const struct block_id *id)
{
    uint64_t number;
    OR_NULL(q, block_resolve(q->rpc, id, &number));
    put_str(q->out, "\"0x0\"");
    return RC_OK;
}

rc eth_uncles_by_number(struct rpc_req *q)
{
    struct block_id id;
    TRY(p_block(q, 0, &id));
    return put_uncles(q, &id);
}

rc eth_uncles_by_hash(struct rpc_req *q)
{
    struct block_id id;
    TRY(p_block_hash(q, &id));
    return put_uncles(q, &id);
}

rc eth_uncle(struct rpc_req *q)
{
    put_str(q->out, "null");
    return RC_OK;
}

/* --- transactions and receipts --- */

rc eth_get_tx(struct rpc_req *q)
{
    struct hash h;
    struct tx t;
    TRY(p_hash(q, 0, &h));
    OR_NULL(q, ledger_tx(q->rpc->ledger, q->arena, h, &t));
    put_tx(q->out, &t);
    return RC_OK;
}

static rc put_tx_at(struct rpc_req *q, const struct block_id *id)
{
    uint64_t number;
    uint64_t index;
    struct tx t;
    TRY(p_u64(q, 1, &index));
    OR_NULL(q, block_resolve(q->rpc, id, &number));
    OR_NULL(q, ledger_tx_at(q->rpc->ledger, q->arena, number, index, &t));
    put_tx(q->out, &t);
    return RC_OK;
}

rc eth_get_tx_by_block_hash(struct rpc_req *q)
{
    struct block_id id;
    TRY(p_block_hash(q, &id));
    return put_tx_at(q, &id);
}

rc eth_get_tx_by_block_number(struct rpc_req *q)
{
    struct block_id id;
    TRY(p_block(q, 0, &id));
    return put_tx_at(q, &id);
}

rc eth_get_raw_tx(struct rpc_req *q)
{
    struct hash h;
    struct bytes raw;
    TRY(p_hash(q, 0, &h));
    OR_NULL(q, ledger_tx_raw(q->rpc->ledger, q->arena, h, &raw));
    put_q_bytes(q->out, raw);
    return RC_OK;
}

rc eth_get_receipt(struct rpc_req *q)
{
    struct hash h;
    struct receipt r;
    TRY(p_hash(q, 0, &h));
    OR_NULL(q, ledger_receipt(q->rpc->ledger, q->arena, h, &r));
    put_receipt(q->out, &r);
    return RC_OK;
}

rc eth_get_block_receipts(struct rpc_req *q)
{
    struct block_id id;
    struct block k;
    uint64_t number;
    TRY(p_block(q, 0, &id));
    if (id.tag == BLOCK_PENDING) {
        put_str(q->out, "null");
        return RC_OK;
    }
    OR_NULL(q, block_resolve(q->rpc, &id, &number));
    OR_NULL(q, ledger_block(q->rpc->ledger, q->arena, number, &k));
    put_u8(q->out, '[');
    for (uint64_t i = 0; i < k.tx_n; i++) {
        struct receipt r;
        MUST(q, ledger_receipt_at(q->rpc->ledger, q->arena, number, i, &r));
        put_str(q->out, i == 0 ? "" : ",");
        put_receipt(q->out, &r);
    }
    put_u8(q->out, ']');
    return RC_OK;
}

/* --- fees --- */

/* Blocks are not full here, so a tip buys little: one gwei, or as much as the base fee when that is
 * smaller. On a chain without fees it is nothing, so that an empty account can act. */
struct u256 suggest_tip(const struct rpc *rpc)
{
    struct u256 base = ledger_base_fee(rpc->ledger);
    struct u256 gwei = u256_from(1000000000);
    return u256_lt(base, gwei) ? base : gwei;
}

rc eth_gas_price(struct rpc_req *q)
{
    struct u256 sum;
    if (!u256_add(&sum, ledger_base_fee(q->rpc->ledger), suggest_tip(q->rpc))) {
        return rpc_fail(q, RPC_INTERNAL, "gas price out of range");
    }
    put_q_u256(q->out, sum);
    return RC_OK;
}

rc eth_max_priority_fee(struct rpc_req *q)
{
    put_q_u256(q->out, suggest_tip(q->rpc));
    return RC_OK;
}

/* used/limit with nine decimals, without floating point. */
static void put_ratio(struct buf *b, uint64_t used, uint64_t limit)
{
    if (used == 0 || limit == 0) {
        put_u8(b, '0');
    } else if (used >= limit) {
        put_u8(b, '1');
    } else {
        uint64_t part = (uint64_t)((wide)used * 1000000000 / limit);
        put_fmt(b, "0.%09" PRIu64, part);
    }
}

struct tip_row {
    struct u256 tip;
    uint64_t gas;
};

static int by_tip(const void *a, const void *b)
{
    return u256_cmp(((const struct tip_row *)a)->tip, ((const struct tip_row *)b)->tip);
}

/* The tips at percentiles of the block's gas; p in millionths of a percent. */
static rc put_rewards(struct rpc_req *q, const struct block *k, const uint64_t *p, size_t p_n)
{
    struct tip_row *rows = ARENA_ARRAY(q->arena, struct tip_row, k->tx_n);
    if (rows == NULL) {
        return rpc_no_memory(q);
    }
    for (uint64_t i = 0; i < k->tx_n; i++) {
        struct receipt r;
        MUST(q, ledger_receipt_at(q->rpc->ledger, q->arena, k->number, i, &r));
        rows[i].gas = r.gas_used;
        if (!u256_sub(&rows[i].tip, r.gas_price, k->base_fee)) {
            rows[i].tip = u256_from(0);
        }
    }
    if (k->tx_n > 1) {
        qsort(rows, k->tx_n, sizeof(rows[0]), by_tip);
    }
    put_u8(q->out, '[');
    uint64_t at = 0;
    uint64_t sum = k->tx_n > 0 ? rows[0].gas : 0;
    for (size_t i = 0; i < p_n; i++) {
        uint64_t want = (uint64_t)((wide)k->gas_used * p[i] / 100000000);
        while (sum < want && at + 1 < k->tx_n) {
            sum += rows[++at].gas;
        }
        put_str(q->out, i == 0 ? "" : ",");
        put_q_u256(q->out, k->tx_n > 0 ? rows[at].tip : u256_from(0));
    }
    put_u8(q->out, ']');
    return RC_OK;
}

static rc p_percentiles(struct rpc_req *q, uint64_t *p, size_t *n)
{
    struct js v = js_top(json_array_get(q->params.v, 2));
    *n = 0;
    if (!p_given(q, 2)) {
        return RC_OK;
    }
    if (!json_is_array(v.v) || js_n(&v) > FEE_PERCENTILES_MAX) {
        return rpc_fail(q, RPC_PARAMS, "invalid argument 2: must be an array of at most %d numbers",
                        FEE_PERCENTILES_MAX);
    }
    for (*n = 0; *n < js_n(&v); (*n)++) {
        const json_t *x = json_array_get(v.v, *n);
        uint64_t last = *n == 0 ? 0 : p[*n - 1];
        /* the only place where a client sends a fraction: made whole at once */
        p[*n] = json_is_integer(x) ? (uint64_t)MAX(json_integer_value(x), -1) * 1000000
                                   : (uint64_t)(json_real_value(x) * 1000000);
        if (!json_is_number(x) || json_number_value(x) < 0 || json_number_value(x) > 100 ||
            p[*n] < last) {
            return rpc_fail(q, RPC_SERVER, "invalid reward percentile");
        }
    }
    return RC_OK;
}

static rc fee_rewards(struct rpc_req *q, uint64_t first, uint64_t n, const uint64_t *p, size_t p_n)
{
    put_str(q->out, ",\"reward\":[");
    for (uint64_t i = 0; i < n; i++) {
        struct block k;
        MUST(q, ledger_block(q->rpc->ledger, q->arena, first + i, &k));
        put_str(q->out, i == 0 ? "" : ",");
        TRY(put_rewards(q, &k, p, p_n));
    }
    put_u8(q->out, ']');
    return RC_OK;
}

rc eth_fee_history(struct rpc_req *q)
{
    uint64_t n;
    uint64_t last;
    struct block_id id;
    uint64_t p[FEE_PERCENTILES_MAX];
    size_t p_n;
    TRY(p_number(q, 0, &n));
    TRY(p_block(q, 1, &id));
    TRY(p_percentiles(q, p, &p_n));
    if (!rc_ok(block_resolve(q->rpc, &id, &last))) {
        return rpc_fail(q, RPC_SERVER,
                        "request beyond head block: requested %" PRIu64 ", head %" PRIu64,
                        id.number, ledger_height(q->rpc->ledger));
    }
    last = MIN(last, ledger_height(q->rpc->ledger));
    n = MIN(MIN(n, (uint64_t)FEE_BLOCKS_MAX), last + 1);
    uint64_t first = last + 1 - n;
    put_str(q->out, "{\"oldestBlock\":");
    put_q_u64(q->out, n == 0 ? 0 : first);
    BUF_FREE ratios = buf_new(FEE_BLOCKS_MAX * 16);
    put_str(q->out, ",\"baseFeePerGas\":[");
    for (uint64_t i = first; i < first + n + (n > 0); i++) {
        struct block k = {.base_fee = ledger_base_fee(q->rpc->ledger)};
        put_str(q->out, i == first ? "" : ",");
        if (i <= ledger_height(q->rpc->ledger)) {
            MUST(q, ledger_block(q->rpc->ledger, q->arena, i, &k));
        }
        put_q_u256(q->out, k.base_fee);
        if (i < first + n) {
            put_str(&ratios, i == first ? "" : ",");
            put_ratio(&ratios, k.gas_used, k.gas_limit);
        }
    }
    put_str(q->out, "],\"gasUsedRatio\":[");
    put_bytes(q->out, buf_bytes(&ratios));
    put_u8(q->out, ']');
    if (p_n > 0 && n > 0) {
        TRY(fee_rewards(q, first, n, p, p_n));
    }
    put_u8(q->out, '}');
    return RC_OK;
}
