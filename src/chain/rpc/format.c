/* SPDX-License-Identifier: Apache-2.0 */
/* format.c - blocks, transactions, receipts and logs as JSON, in geth's shape. */
#include "chain/rpc/rpc_int.h"
#include "encoding/rlp.h"

/* keccak256(rlp([])): this chain has no uncles. */
#define NO_UNCLES "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"

static void key(struct buf *b, const char *name)
{
    put_u8(b, '"');
    put_str(b, name);
    put_str(b, "\":");
}

static void member_u64(struct buf *b, const char *name, uint64_t v)
{
    key(b, name);
    put_q_u64(b, v);
    put_u8(b, ',');
}

static void member_u256(struct buf *b, const char *name, struct u256 v)
{
    key(b, name);
    put_q_u256(b, v);
    put_u8(b, ',');
}

static void member_bytes(struct buf *b, const char *name, struct bytes v)
{
    key(b, name);
    put_q_bytes(b, v);
    put_u8(b, ',');
}

static void member_null(struct buf *b, const char *name)
{
    key(b, name);
    put_str(b, "null,");
}

static void member_hash(struct buf *b, const char *name, struct hash v)
{
    member_bytes(b, name, BYTES_OF(v));
}

static void member_address(struct buf *b, const char *name, bool there, struct address v)
{
    if (there) {
        member_bytes(b, name, BYTES_OF(v));
    } else {
        member_null(b, name);
    }
}

void put_header(struct buf *b, const struct block *k)
{
    member_u64(b, "number", k->number);
    member_hash(b, "hash", k->hash);
    member_hash(b, "parentHash", k->parent);
    put_str(b, "\"nonce\":\"0x0000000000000000\",\"sha3Uncles\":\"" NO_UNCLES "\",");
    member_bytes(b, "logsBloom", (struct bytes){k->bloom, sizeof(k->bloom)});
    member_hash(b, "transactionsRoot", k->tx_root);
    member_hash(b, "stateRoot", k->state_root);
    member_hash(b, "receiptsRoot", k->receipts_root);
    member_address(b, "miner", true, k->miner);
    put_str(b, "\"difficulty\":\"0x0\",");
    member_bytes(b, "extraData", k->extra);
    member_u64(b, "gasLimit", k->gas_limit);
    member_u64(b, "gasUsed", k->gas_used);
    member_u64(b, "timestamp", k->timestamp);
    member_hash(b, "mixHash", k->mix);
    key(b, "baseFeePerGas");
    put_q_u256(b, k->base_fee);
}

/* What the sender pays for a unit of gas: EIP-1559. A waiting transaction shows its most. */
struct u256 tx_effective_price(const struct tx *t)
{
    struct u256 price;
    if (t->mined && eth_tx_price(&price, &t->e, t->base_fee)) {
        return price;
    }
    return t->e.type == 2 ? t->e.max_fee : t->e.gas_price;
}

static void put_access(struct buf *b, const struct eth_tx *t)
{
    struct cur list = cur_of(t->access_list);
    for (const char *sep = "["; list.n > 0; sep = ",") {
        struct cur keys;
        struct address a = eth_tx_take_access(&list, &keys);
        put_str(b, sep);
        put_str(b, "{\"address\":");
        put_q_address(b, a);
        put_str(b, ",\"storageKeys\":[");
        for (const char *comma = ""; keys.n > 0; comma = ",") {
            put_str(b, comma);
            put_q_bytes(b, rlp_take_str(&keys));
        }
        put_str(b, "]}");
    }
    put_str(b, t->access_list.n == 0 ? "[]" : "]");
}

void put_tx(struct buf *b, const struct tx *t)
{
    put_u8(b, '{');
    if (t->mined) {
        member_hash(b, "blockHash", t->block_hash);
        member_u64(b, "blockNumber", t->block_number);
        member_u64(b, "transactionIndex", t->index);
    } else {
        member_null(b, "blockHash");
        member_null(b, "blockNumber");
        member_null(b, "transactionIndex");
    }
    member_address(b, "from", true, t->from);
    member_u64(b, "gas", t->e.gas);
    member_u256(b, "gasPrice", tx_effective_price(t));
    if (t->e.type == 2) {
        member_u256(b, "maxFeePerGas", t->e.max_fee);
        member_u256(b, "maxPriorityFeePerGas", t->e.tip);
    }
    member_hash(b, "hash", t->hash);
    member_bytes(b, "input", t->e.data);
    member_u64(b, "nonce", t->e.nonce);
    member_address(b, "to", t->e.has_to, t->e.to);
    member_u256(b, "value", t->e.value);
    member_u64(b, "type", t->e.type);
    if (t->e.type > 0) {
        key(b, "accessList");
        put_access(b, &t->e);
        put_u8(b, ',');
        member_u64(b, "yParity", t->e.v);
    }
    if (t->e.has_chain_id) {
        member_u64(b, "chainId", t->e.chain_id);
    }
    member_u64(b, "v", t->e.v);
    member_u256(b, "r", u256_from_be(t->e.sig.rs));
    key(b, "s");
    put_q_u256(b, u256_from_be(t->e.sig.rs + 32));
    put_u8(b, '}');
}

void put_log(struct buf *b, const struct log *g)
{
    put_u8(b, '{');
    member_address(b, "address", true, g->address);
    put_str(b, "\"topics\":[");
    for (size_t i = 0; i < g->topics_n; i++) {
        put_str(b, i == 0 ? "" : ",");
        put_q_hash(b, g->topics[i]);
    }
    put_str(b, "],");
    member_bytes(b, "data", g->data);
    member_u64(b, "blockNumber", g->block_number);
    member_hash(b, "transactionHash", g->tx_hash);
    member_u64(b, "transactionIndex", g->tx_index);
    member_hash(b, "blockHash", g->block_hash);
    member_u64(b, "blockTimestamp", g->block_time);
    member_u64(b, "logIndex", g->index);
    put_str(b, "\"removed\":false}");
}

void put_receipt(struct buf *b, const struct receipt *r)
{
    put_u8(b, '{');
    member_hash(b, "blockHash", r->block_hash);
    member_u64(b, "blockNumber", r->block_number);
    member_address(b, "contractAddress", r->has_contract, r->contract);
    member_u64(b, "cumulativeGasUsed", r->cumulative_gas);
    member_u256(b, "effectiveGasPrice", r->gas_price);
    member_address(b, "from", true, r->from);
    member_u64(b, "gasUsed", r->gas_used);
    put_str(b, "\"logs\":[");
    for (size_t i = 0; i < r->logs_n; i++) {
        put_str(b, i == 0 ? "" : ",");
        put_log(b, &r->logs[i]);
    }
    put_str(b, "],");
    member_bytes(b, "logsBloom", (struct bytes){r->bloom, sizeof(r->bloom)});
    member_u64(b, "status", r->ok ? 1 : 0);
    member_address(b, "to", r->has_to, r->to);
    member_hash(b, "transactionHash", r->tx_hash);
    member_u64(b, "transactionIndex", r->index);
    key(b, "type");
    put_q_u64(b, r->type);
    put_u8(b, '}');
}
