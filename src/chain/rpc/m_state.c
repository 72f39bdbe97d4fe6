/* SPDX-License-Identifier: Apache-2.0 */
/* m_state.c - methods that read the state or run a message on it without keeping what it changes. */
#include <inttypes.h>

#include "base/log.h"
#include "chain/rpc/rpc_table_int.h"
#include "encoding/hex.h"

rc p_state(struct rpc_req *q, size_t i, uint64_t *number)
{
    struct block_id id;
    TRY(p_block(q, i, &id));
    if (id.tag == BLOCK_PENDING) {
        *number = LEDGER_PENDING;
        return RC_OK;
    }
    rc r = block_resolve(q->rpc, &id, number);
    if (r.code == RC_CODE_NOT_FOUND) {
        return rpc_fail(q, RPC_SERVER,
                        id.tag == BLOCK_HASH ? "header for hash not found" : "header not found");
    }
    return rc_ok(r) ? RC_OK : rpc_ledger_fault(q, r);
}

rc state_fault(struct rpc_req *q, rc r, uint64_t number)
{
    if (r.code == RC_CODE_NOT_FOUND) {
        return rpc_fail(q, RPC_SERVER,
                        "historical state of block %" PRIu64
                        " is not available: the node keeps "
                        "the newest blocks' (--history)",
                        number);
    }
    return rpc_ledger_fault(q, r);
}

#define READ(q, number, expr)                                                                      \
    do {                                                                                           \
        rc read_ = (expr);                                                                         \
        if (!rc_ok(read_)) {                                                                       \
            return state_fault((q), read_, (number));                                              \
        }                                                                                          \
    } while (0)

rc eth_get_balance(struct rpc_req *q)
{
    struct address a;
    uint64_t number;
    struct u256 v;
    TRY(p_address(q, 0, &a));
    TRY(p_state(q, 1, &number));
    READ(q, number, ledger_balance(q->rpc->ledger, number, a, &v));
    put_q_u256(q->out, v);
    return RC_OK;
}

rc eth_get_nonce(struct rpc_req *q)
{
    struct address a;
    uint64_t number;
    uint64_t v;
    TRY(p_address(q, 0, &a));
    TRY(p_state(q, 1, &number));
    READ(q, number, ledger_nonce(q->rpc->ledger, number, a, &v));
    put_q_u64(q->out, v);
    return RC_OK;
}

rc eth_get_code(struct rpc_req *q)
{
    struct address a;
    uint64_t number;
    struct bytes code = {0};
    TRY(p_address(q, 0, &a));
    TRY(p_state(q, 1, &number));
    READ(q, number, ledger_code(q->rpc->ledger, q->arena, number, a, &code));
    put_q_bytes(q->out, code);
    return RC_OK;
}

/* A storage slot comes as a QUANTITY or as 32 bytes, with or without leading zeroes. */
static rc p_slot(struct rpc_req *q, size_t i, struct hash *out)
{
    const char *s;
    struct u256 v;
    TRY(p_str(q, i, &s));
    if (!rc_ok(hex_parse_quantity256(&v, s, true))) {
        return rpc_fail(q, RPC_PARAMS,
                        "invalid argument %zu: unable to decode storage key: hex string invalid",
                        i);
    }
    u256_to_be(out->b, v);
    return RC_OK;
}

rc eth_get_storage(struct rpc_req *q)
{
    struct address a;
    struct hash slot;
    struct hash v = {0};
    uint64_t number;
    TRY(p_address(q, 0, &a));
    TRY(p_slot(q, 1, &slot));
    TRY(p_state(q, 2, &number));
    READ(q, number, ledger_slot(q->rpc->ledger, number, a, slot, &v));
    put_q_hash(q->out, v);
    return RC_OK;
}

/* --- messages --- */

static rc refuse_overrides(struct rpc_req *q, size_t i)
{
    const json_t *v = json_array_get(q->params.v, i);
    if (v != NULL && !json_is_null(v) && json_object_size(v) > 0) {
        return rpc_fail(q, RPC_PARAMS,
                        "invalid argument %zu: state and block overrides are not supported by "
                        "this node",
                        i);
    }
    return RC_OK;
}

static struct u256 call_price(const struct call_args *c)
{
    return c->has_gas_price ? c->gas_price : c->has_max_fee ? c->max_fee : u256_from(0);
}

rc call_run(struct rpc_req *q, uint64_t number, struct call_args *c, uint64_t gas,
            enum call_outcome *how, struct bytes *ret, uint64_t *used)
{
    struct call_msg m = {.from = c->from,
                         .to = c->to,
                         .has_to = c->has_to,
                         .value = c->value,
                         .gas_price = u256_from(0),
                         .data = c->data,
                         .gas = gas};
    struct err e;
    rc r = ledger_call(q->rpc->ledger, q->arena, number, &m, how, ret, used, &e);
    if (rc_ok(r)) {
        return RC_OK;
    }
    if (r.code == RC_CODE_NOT_FOUND) {
        return state_fault(q, r, number);
    }
    if (r.code == RC_CODE_LIMIT) {
        return rpc_no_memory(q);
    }
    log_error("rpc", "call: %s", e.msg);
    return rpc_fail(q, RPC_INTERNAL, "internal error");
}

static rc no_funds(struct rpc_req *q, uint64_t number, const struct call_args *c)
{
    char who[HEX_ADDRESS_MAX];
    char have_text[U256_DEC_MAX];
    char want_text[U256_DEC_MAX];
    struct u256 have = {0};
    READ(q, number, ledger_balance(q->rpc->ledger, number, c->from, &have));
    return rpc_fail(
        q, RPC_SERVER, "insufficient funds for gas * price + value: address %s have %s want %s",
        hex_address(who, c->from), u256_dec(have, have_text), u256_dec(c->value, want_text));
}

rc eth_call(struct rpc_req *q)
{
    struct call_args c;
    uint64_t number;
    enum call_outcome how;
    struct bytes ret = {0};
    uint64_t used;
    TRY(p_call(q, 0, &c));
    TRY(p_state(q, 1, &number));
    TRY(refuse_overrides(q, 2));
    TRY(refuse_overrides(q, 3));
    uint64_t gas = c.has_gas ? MIN(c.gas, q->rpc->cfg.gas_cap) : q->rpc->cfg.gas_cap;
    TRY(call_run(q, number, &c, gas, &how, &ret, &used));
    switch (how) {
    case CALL_OK:
        put_q_bytes(q->out, ret);
        return RC_OK;
    case CALL_REVERTED:
        return rpc_fail_revert(q, ret);
    case CALL_OUT_OF_GAS:
        return rpc_fail(q, RPC_SERVER, "out of gas");
    case CALL_NO_FUNDS:
        return no_funds(q, number, &c);
    }
    return rpc_fail(q, RPC_INTERNAL, "internal error");
}

/* The most gas that the sender can pay for: geth's allowance. */
static rc allowance(struct rpc_req *q, uint64_t number, const struct call_args *c, uint64_t *gas)
{
    struct u256 price = call_price(c);
    struct u256 have;
    struct u256 most;
    uint64_t n;
    *gas = c->has_gas && c->gas >= 21000 ? MIN(c->gas, q->rpc->cfg.gas_cap) : q->rpc->cfg.gas_cap;
    if (u256_is_zero(price)) {
        return RC_OK;
    }
    READ(q, number, ledger_balance(q->rpc->ledger, number, c->from, &have));
    if (!u256_sub(&have, have, c->value)) {
        return rpc_fail(q, RPC_SERVER, "insufficient funds for transfer");
    }
    if (u256_div(&most, NULL, have, price) && u256_to_u64(most, &n)) {
        *gas = MIN(*gas, n);
    }
    return RC_OK;
}

/* What the message uses is what it needs: the schedule has no refunds. Should running with exactly
 * that fail all the same, more is tried up to the allowance. */
rc estimate(struct rpc_req *q, uint64_t number, struct call_args *c, uint64_t *gas)
{
    enum call_outcome how;
    struct bytes ret = {0};
    uint64_t allowed;
    uint64_t used;
    TRY(allowance(q, number, c, &allowed));
    uint64_t most = allowed - MIN(allowed, c->access_gas); /* messages have no access list */
    TRY(call_run(q, number, c, most, &how, &ret, &used));
    if (how == CALL_REVERTED) {
        return rpc_fail_revert(q, ret);
    }
    if (how == CALL_NO_FUNDS) {
        return no_funds(q, number, c);
    }
    if (how == CALL_OUT_OF_GAS) {
        return rpc_fail(q, RPC_SERVER, "gas required exceeds allowance (%" PRIu64 ")", allowed);
    }
    for (*gas = used; *gas < most; *gas = MIN(*gas + *gas / 4 + 1, most)) {
        TRY(call_run(q, number, c, *gas, &how, &ret, &used));
        if (how == CALL_OK) {
            break;
        }
    }
    *gas = MIN(*gas, most) + c->access_gas;
    return RC_OK;
}

rc eth_estimate_gas(struct rpc_req *q)
{
    struct call_args c;
    uint64_t number;
    uint64_t gas;
    TRY(p_call(q, 0, &c));
    TRY(p_state(q, 1, &number));
    TRY(refuse_overrides(q, 2));
    TRY(refuse_overrides(q, 3));
    TRY(estimate(q, number, &c, &gas));
    put_q_u64(q->out, gas);
    return RC_OK;
}
