/* SPDX-License-Identifier: Apache-2.0 */
/* m_evm.c - the helpers that test suites call under evm_, hardhat_ and anvil_ names: blocks and time
 * at will, snapshots, and state written directly. */
#include <inttypes.h>

#include "chain/rpc/rpc_table_int.h"

#define MINE_MAX 100000 /* blocks of one call */

static rc ok(struct rpc_req *q, const char *result)
{
    put_str(q->out, result);
    return RC_OK;
}

static rc no_engine(struct rpc_req *q)
{
    return rpc_fail(q, RPC_SERVER, "blocks are made by the consensus engine, not by this node");
}

static rc mine(struct rpc_req *q, uint64_t n, uint64_t interval)
{
    const struct rpc_engine *en = &q->rpc->cfg.engine;
    struct err e;
    if (en->seal == NULL) {
        return no_engine(q);
    }
    if (n > MINE_MAX) {
        return rpc_fail(q, RPC_LIMIT, "more than %d blocks in one call", MINE_MAX);
    }
    rc r = en->seal(en->ctx, n, interval, &e);
    return rc_ok(r) ? RC_OK : rpc_fail(q, RPC_SERVER, "%s", e.msg);
}

/* --- blocks --- */

static rc next_time(struct rpc_req *q, uint64_t t)
{
    struct err e;
    rc r = ledger_dev_next_time(q->rpc->ledger, t, &e);
    return rc_ok(r) ? RC_OK : rpc_fail(q, RPC_SERVER, "%s", e.msg);
}

/* evm_mine: nothing, a timestamp, or {"blocks": n, "timestamp": t}. */
rc evm_mine(struct rpc_req *q)
{
    struct js v = js_top(json_array_get(q->params.v, 0));
    uint64_t n = 1;
    uint64_t t;
    if (json_is_object(v.v)) {
        struct js blocks = js_key(&v, "blocks"), time = js_key(&v, "timestamp");
        struct u256 wide;
        if (blocks.v != NULL && (!rc_ok(js_u256(&wide, &blocks, NULL)) || !u256_to_u64(wide, &n))) {
            return rpc_fail(q, RPC_PARAMS, "invalid argument 0: blocks must be a number");
        }
        if (time.v != NULL && (!rc_ok(js_u256(&wide, &time, NULL)) || !u256_to_u64(wide, &t))) {
            return rpc_fail(q, RPC_PARAMS, "invalid argument 0: timestamp must be a number");
        }
        TRY(time.v == NULL ? RC_OK : next_time(q, t));
    } else if (p_given(q, 0)) {
        TRY(p_number(q, 0, &t));
        TRY(next_time(q, t));
    }
    TRY(mine(q, n, 0));
    return ok(q, "\"0x0\"");
}

rc dev_mine(struct rpc_req *q)
{
    uint64_t n = 1;
    uint64_t interval = 0;
    TRY(p_given(q, 0) ? p_number(q, 0, &n) : RC_OK);
    TRY(p_given(q, 1) ? p_number(q, 1, &interval) : RC_OK);
    TRY(mine(q, n, interval));
    return ok(q, "null");
}

rc evm_set_automine(struct rpc_req *q)
{
    const struct rpc_engine *en = &q->rpc->cfg.engine;
    bool on;
    TRY(p_bool(q, 0, &on));
    if (en->set_automine == NULL) {
        return no_engine(q);
    }
    en->set_automine(en->ctx, on);
    return ok(q, "true");
}

rc dev_get_automine(struct rpc_req *q)
{
    const struct rpc_engine *en = &q->rpc->cfg.engine;
    return ok(q, en->automine != NULL && en->automine(en->ctx) ? "true" : "false");
}

static rc set_interval(struct rpc_req *q, uint64_t ms)
{
    const struct rpc_engine *en = &q->rpc->cfg.engine;
    if (en->set_interval == NULL) {
        return no_engine(q);
    }
    en->set_interval(en->ctx, ms);
    return ok(q, "true");
}

/* evm_setIntervalMining counts milliseconds on hardhat and seconds on anvil. We present ourselves
 * as anvil, and take its unit; 0 ends it. */
rc evm_set_interval(struct rpc_req *q)
{
    uint64_t s;
    TRY(p_number(q, 0, &s));
    return s > 86400 ? rpc_fail(q, RPC_PARAMS, "invalid argument 0: at most 86400 seconds")
                     : set_interval(q, s * 1000);
}

/* --- time --- */

rc evm_increase_time(struct rpc_req *q)
{
    uint64_t s;
    TRY(p_number(q, 0, &s));
    ledger_dev_shift_time(q->rpc->ledger, s);
    put_fmt(q->out, "%" PRIu64, s);
    return RC_OK;
}

rc evm_set_next_time(struct rpc_req *q)
{
    uint64_t t;
    TRY(p_number(q, 0, &t));
    TRY(next_time(q, t));
    return ok(q, "null");
}

/* --- snapshots --- */

rc evm_snapshot(struct rpc_req *q)
{
    put_q_u64(q->out, ledger_dev_snapshot(q->rpc->ledger));
    return RC_OK;
}

rc evm_revert(struct rpc_req *q)
{
    uint64_t id;
    TRY(p_number(q, 0, &id));
    return ok(q, ledger_dev_revert(q->rpc->ledger, id) ? "true" : "false");
}

rc dev_reset(struct rpc_req *q)
{
    struct err e;
    if (json_object_size(json_array_get(q->params.v, 0)) > 0) {
        return rpc_fail(q, RPC_PARAMS, "invalid argument 0: forking is not supported");
    }
    rc r = ledger_dev_reset(q->rpc->ledger, &e);
    return rc_ok(r) ? ok(q, "true") : rpc_fail(q, RPC_SERVER, "%s", e.msg);
}

/* --- state --- */

/* Amounts come as QUANTITY, with leading zeroes, as decimal text or as a number. */
static rc p_amount(struct rpc_req *q, size_t i, struct u256 *out)
{
    struct js v = js_top(json_array_get(q->params.v, i));
    return rc_ok(js_u256(out, &v, NULL))
               ? RC_OK
               : rpc_fail(q, RPC_PARAMS, "invalid argument %zu: must be a number below 2^256", i);
}

rc dev_set_balance(struct rpc_req *q)
{
    struct address a;
    struct u256 v;
    TRY(p_address(q, 0, &a));
    TRY(p_amount(q, 1, &v));
    ledger_dev_set_balance(q->rpc->ledger, a, v);
    return ok(q, "null");
}

rc dev_set_nonce(struct rpc_req *q)
{
    struct address a;
    uint64_t v;
    TRY(p_address(q, 0, &a));
    TRY(p_number(q, 1, &v));
    ledger_dev_set_nonce(q->rpc->ledger, a, v);
    return ok(q, "null");
}

rc dev_set_code(struct rpc_req *q)
{
    struct address a;
    struct bytes code;
    TRY(p_address(q, 0, &a));
    TRY(p_bytes(q, 1, RPC_DATA_MAX, &code));
    ledger_dev_set_code(q->rpc->ledger, a, code);
    return ok(q, "null");
}

rc dev_set_storage(struct rpc_req *q)
{
    struct address a;
    struct u256 slot;
    struct hash key;
    struct hash v;
    struct err e;
    TRY(p_address(q, 0, &a));
    TRY(p_amount(q, 1, &slot));
    TRY(p_hash(q, 2, &v));
    u256_to_be(key.b, slot);
    rc r = ledger_dev_set_slot(q->rpc->ledger, a, key, v, &e);
    return rc_ok(r) ? ok(q, "true") : rpc_fail(q, RPC_SERVER, "%s", e.msg);
}

rc dev_set_coinbase(struct rpc_req *q)
{
    struct address a;
    TRY(p_address(q, 0, &a));
    ledger_dev_set_coinbase(q->rpc->ledger, a);
    return ok(q, "null");
}

rc dev_set_base_fee(struct rpc_req *q)
{
    struct u256 v;
    TRY(p_amount(q, 0, &v));
    ledger_dev_set_base_fee(q->rpc->ledger, v);
    return ok(q, "null");
}

rc evm_set_gas_limit(struct rpc_req *q)
{
    uint64_t v;
    TRY(p_number(q, 0, &v));
    ledger_dev_set_gas_limit(q->rpc->ledger, v);
    return ok(q, "true");
}

rc dev_drop(struct rpc_req *q)
{
    struct hash h;
    TRY(p_hash(q, 0, &h));
    if (!ledger_dev_drop(q->rpc->ledger, h)) {
        return ok(q, "null");
    }
    put_q_hash(q->out, h);
    return RC_OK;
}
