/* SPDX-License-Identifier: Apache-2.0 */
/* exec.c - one transaction on the state: nonce, gas bought and given back, value, the market's rules
 * behind the addresses that have them, and the tip. The base fee is burnt (EIP-1559). */
#include "chain/ledger/ledger_int.h"

/* Yellow Paper, appendix G; EIP-2028 for call data, EIP-2930 for access lists. */
enum {
    GAS_TX = 21000,
    GAS_CREATE = 53000,
    GAS_ZERO = 4,
    GAS_NONZERO = 16,
    GAS_ACCESS_ADDRESS = 2400,
    GAS_ACCESS_KEY = 1900,
    ACCOUNT_SIZE = 40
};

static struct bytes account_key(uint8_t out[21], struct address a)
{
    out[0] = STATE_ACCOUNT;
    memcpy(out + 1, a.b, sizeof(a.b));
    return (struct bytes){out, 21};
}

rc account_get(struct state *s, struct address a, struct account *out)
{
    uint8_t key[21];
    struct bytes v;
    *out = (struct account){0};
    rc r = state_get(s, account_key(key, a), &v);
    if (r.code == RC_CODE_NOT_FOUND) {
        return RC_OK;
    }
    TRY(r);
    if (v.n != ACCOUNT_SIZE) {
        return RC(CORRUPT);
    }
    struct cur c = cur_of(v);
    out->nonce = take_be(&c, 8);
    out->balance = u256_from_be(c.p);
    return RC_OK;
}

void account_put(struct state *s, struct address a, struct account v)
{
    uint8_t key[21], record[ACCOUNT_SIZE];
    if (v.nonce == 0 && u256_is_zero(v.balance)) {
        state_del(s, account_key(key, a));
        return;
    }
    key_be64(record, v.nonce);
    u256_to_be(record + 8, v.balance);
    state_put(s, account_key(key, a), (struct bytes){record, sizeof(record)});
}

uint64_t gas_intrinsic(bool creates, struct bytes data, struct eth_tx_access access)
{
    uint64_t gas = creates ? GAS_CREATE : GAS_TX;
    for (size_t i = 0; i < data.n; i++) {
        gas += data.p[i] == 0 ? GAS_ZERO : GAS_NONZERO;
    }
    return gas + access.addresses * GAS_ACCESS_ADDRESS + access.keys * GAS_ACCESS_KEY;
}

bool tx_cost(struct u256 *out, const struct eth_tx *t)
{
    struct u256 cap = t->type == 2 ? t->max_fee : t->gas_price;
    return u256_mul(out, cap, u256_from(t->gas)) && u256_add(out, *out, t->value);
}

/* Adds to a balance; what is paid came from another, so that a sum beyond 2^256 is our fault. */
static rc credit(struct state *s, struct address a, struct u256 v, const char **why)
{
    struct account acct;
    if (u256_is_zero(v)) {
        return RC_OK;
    }
    rc r = account_get(s, a, &acct);
    if (rc_ok(r) && !u256_add(&acct.balance, acct.balance, v)) {
        r = RC(CORRUPT);
    }
    if (!rc_ok(r)) {
        *why = "native balance out of range";
        return r;
    }
    account_put(s, a, acct);
    return RC_OK;
}

static rc move_value(struct state *s, const struct call *c, const char **why)
{
    struct account from;
    if (u256_is_zero(c->value)) {
        return RC_OK;
    }
    rc r = account_get(s, c->from, &from);
    if (!rc_ok(r)) {
        *why = "an account's record is damaged";
        return r;
    }
    if (!u256_sub(&from.balance, from.balance, c->value)) {
        *why = "insufficient funds for transfer";
        return RC(DENIED);
    }
    account_put(s, c->from, from);
    return credit(s, c->to, c->value, why);
}

rc exec_message(struct state *s, const struct place *p, const struct call *c, struct arena *a,
                struct done *out, const char **why)
{
    state_mark mark = state_save(s);
    *out = (struct done){.ok = true};
    TRY(move_value(s, c, why));
    if (!poco_has_code(s, c->to)) {
        return RC_OK;
    }
    struct poco_env env = {.height = p->number,
                           .time = p->time,
                           .chain_id = p->chain_id,
                           .state = s,
                           .arena = a,
                           .recover = p->sigs != NULL ? sigs_recover : NULL,
                           .recover_ctx = p->sigs,
                           .dev = p->dev};
    struct result res = {0};
    enum outcome how = poco_apply(&env, c, &res);
    if (how == OUT_FAULT) {
        *why = res.fault != NULL ? res.fault : "the market's state is damaged";
        state_rollback(s, mark);
        return RC(CORRUPT);
    }
    *out = (struct done){.ok = how == OUT_APPLIED,
                         .out_of_gas = res.out_of_gas,
                         .gas_used = res.out_of_gas ? c->gas : MIN(res.gas_used, c->gas),
                         .output = res.output,
                         .logs = res.logs,
                         .logs_n = res.logs_n};
    if (how == OUT_REVERTED) {
        state_rollback(s, mark);
        out->logs_n = 0;
    }
    return RC_OK;
}

static rc invalid(const char **why, const char *text)
{
    *why = text;
    return RC(DENIED);
}

/* What must hold for a transaction to stand in a block at all. */
static rc check(const struct place *p, const struct eth_tx *t, const struct account *from,
                uint64_t intrinsic, struct u256 *price, const char **why)
{
    struct u256 cost;
    if (t->has_chain_id && t->chain_id != p->chain_id) {
        return invalid(why, "invalid chain id for signer");
    }
    if (t->nonce != from->nonce) {
        return invalid(why, t->nonce < from->nonce ? "nonce too low" : "nonce too high");
    }
    if (from->nonce == UINT64_MAX) {
        return invalid(why, "nonce has max value");
    }
    if (t->gas < intrinsic) {
        return invalid(why, "intrinsic gas too low");
    }
    if (t->type == 2 && u256_lt(t->max_fee, t->tip)) {
        return invalid(why, "max priority fee per gas higher than max fee per gas");
    }
    if (!eth_tx_price(price, t, p->base_fee)) {
        return invalid(why, "max fee per gas less than block base fee");
    }
    if (!tx_cost(&cost, t) || u256_lt(from->balance, cost)) {
        return invalid(why, "insufficient funds for gas * price + value");
    }
    return RC_OK;
}

/* Gives back what was not used and pays the tip. */
static rc settle(struct state *s, const struct place *p, const struct eth_tx *t,
                 struct address from, struct u256 price, uint64_t used, const char **why)
{
    struct u256 back, tip;
    if (!u256_mul(&back, price, u256_from(t->gas - used)) || !u256_sub(&tip, price, p->base_fee) ||
        !u256_mul(&tip, tip, u256_from(used))) {
        *why = "fees out of range";
        return RC(CORRUPT);
    }
    TRY(credit(s, from, back, why));
    return credit(s, p->coinbase, tip, why);
}

rc exec_tx(struct state *s, const struct place *p, const struct eth_tx *t, struct address from,
           struct arena *a, struct done *out, const char **why)
{
    struct account acct;
    struct u256 price, bought;
    struct eth_tx_access access = eth_tx_count_access(t);
    uint64_t intrinsic = gas_intrinsic(!t->has_to, t->data, access);
    if (!rc_ok(account_get(s, from, &acct))) {
        *why = "an account's record is damaged";
        return RC(CORRUPT);
    }
    TRY(check(p, t, &acct, intrinsic, &price, why));
    ASSERT(u256_mul(&bought, price, u256_from(t->gas)) &&
           u256_sub(&acct.balance, acct.balance, bought));
    acct.nonce++;
    account_put(s, from, acct);
    struct call call = {
        .from = from, .to = t->to, .value = t->value, .data = t->data, .gas = t->gas - intrinsic};
    *out = (struct done){.ok = false}; /* contracts cannot be created: there is no EVM */
    if (t->has_to) {
        TRY(exec_message(s, p, &call, a, out, why));
    }
    out->gas_used += intrinsic;
    return settle(s, p, t, from, price, out->gas_used, why);
}
