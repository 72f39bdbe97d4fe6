/* SPDX-License-Identifier: Apache-2.0 */
/* m_dev.c - what a development node adds: unlocked accounts that sign and send, and the accounts it
 * may speak for without a key. */
#include <stdlib.h>

#include "base/log.h"
#include "chain/rpc/rpc_table_int.h"
#include "crypto/hd.h"
#include "crypto/secp.h"
#include "encoding/tx.h"
#include "io/typed_data.h"

rc dev_open(struct dev **out, struct err *e)
{
    struct dev *d = calloc(1, sizeof(*d));
    SECRET_FREE seed = {0};
    ASSERT(d != NULL);
    rc r = hd_seed(&seed, HD_TEST_PHRASE, "");
    for (uint32_t i = 0; i < DEV_ACCOUNTS && rc_ok(r); i++) {
        r = hd_key(&d->keys[i], &seed, i);
        if (rc_ok(r)) {
            r = secp_address(&d->accounts[i], &d->keys[i]);
        }
    }
    if (!rc_ok(r)) {
        dev_free(d);
        return err_set(e, r.code, "keys of the development accounts");
    }
    *out = d;
    return RC_OK;
}

void dev_free(struct dev *d)
{
    for (size_t i = 0; d != NULL && i < DEV_ACCOUNTS; i++) {
        secret_free(&d->keys[i]);
    }
    free(d);
}

void put_accounts(struct buf *b, const struct rpc *rpc)
{
    put_u8(b, '[');
    for (size_t i = 0; rpc->dev != NULL && i < DEV_ACCOUNTS; i++) {
        put_str(b, i == 0 ? "" : ",");
        put_q_address(b, rpc->dev->accounts[i]);
    }
    put_u8(b, ']');
}

rc dev_mined(struct rpc_req *q)
{
    const struct rpc_engine *en = &q->rpc->cfg.engine;
    struct err e;
    if (!q->rpc->cfg.dev || en->seal == NULL || !en->automine(en->ctx) ||
        !ledger_has_work(q->rpc->ledger)) {
        return RC_OK;
    }
    rc r = en->seal(en->ctx, 1, 0, &e);
    if (!rc_ok(r)) {
        log_error("rpc", "make a block: %s", e.msg);
        return rpc_fail(q, RPC_INTERNAL, "internal error");
    }
    return RC_OK;
}

static const struct secret *key_of(const struct rpc *rpc, struct address a)
{
    for (size_t i = 0; i < DEV_ACCOUNTS; i++) {
        if (address_eq(rpc->dev->accounts[i], a)) {
            return &rpc->dev->keys[i];
        }
    }
    return NULL;
}

static bool speaks_for(const struct dev *d, struct address a)
{
    for (size_t i = 0; i < d->impersonated_n; i++) {
        if (address_eq(d->impersonated[i], a)) {
            return true;
        }
    }
    return d->impersonate_all;
}

rc dev_impersonate(struct rpc_req *q)
{
    struct dev *d = q->rpc->dev;
    struct address a;
    TRY(p_address(q, 0, &a));
    if (!speaks_for(d, a)) {
        if (d->impersonated_n == DEV_IMPERSONATED_MAX) {
            return rpc_fail(q, RPC_LIMIT, "more than %d impersonated accounts",
                            DEV_IMPERSONATED_MAX);
        }
        d->impersonated[d->impersonated_n++] = a;
    }
    put_str(q->out, "null");
    return RC_OK;
}

rc dev_stop_impersonating(struct rpc_req *q)
{
    struct dev *d = q->rpc->dev;
    struct address a;
    TRY(p_address(q, 0, &a));
    for (size_t i = 0; i < d->impersonated_n; i++) {
        if (address_eq(d->impersonated[i], a)) {
            d->impersonated[i] = d->impersonated[--d->impersonated_n];
            break;
        }
    }
    put_str(q->out, "null");
    return RC_OK;
}

rc dev_auto_impersonate(struct rpc_req *q)
{
    TRY(p_bool(q, 0, &q->rpc->dev->impersonate_all));
    put_str(q->out, "null");
    return RC_OK;
}

/* --- signing of words --- */

static rc signer(struct rpc_req *q, size_t i, const struct secret **key)
{
    struct address a;
    TRY(p_address(q, i, &a));
    *key = key_of(q->rpc, a);
    return *key != NULL ? RC_OK : rpc_fail(q, RPC_SERVER, "unknown account");
}

static rc put_signature(struct rpc_req *q, const struct secret *key, struct hash h)
{
    uint8_t sig[65];
    if (!rc_ok(secp_sign65(sig, key, h))) {
        return rpc_fail(q, RPC_INTERNAL, "internal error");
    }
    put_q_bytes(q->out, (struct bytes){sig, sizeof(sig)});
    return RC_OK;
}

/* The message as bytes in hex, or as the text it is: wallets send both. */
static rc p_message(struct rpc_req *q, size_t i, struct bytes *out)
{
    const char *s;
    TRY(p_str(q, i, &s));
    if (s[0] == '0' && s[1] == 'x' && strlen(s) % 2 == 0) {
        return p_bytes(q, i, RPC_DATA_MAX, out);
    }
    *out = bytes_str(s);
    return RC_OK;
}

static rc sign_message(struct rpc_req *q, size_t message_at, size_t address_at)
{
    const struct secret *key;
    struct bytes msg;
    TRY(p_message(q, message_at, &msg));
    TRY(signer(q, address_at, &key));
    return put_signature(q, key, eip191_message(msg));
}

rc eth_sign(struct rpc_req *q)
{
    return sign_message(q, 1, 0);
}

rc personal_sign(struct rpc_req *q)
{
    return sign_message(q, 0, 1);
}

rc eth_sign_typed(struct rpc_req *q)
{
    const struct secret *key;
    json_t *data = json_array_get(q->params.v, 1);
    struct err e;
    struct hash h;
    TRY(signer(q, 0, &key));
    JSON_FREE *parsed = NULL;
    if (json_is_string(data)) { /* some wallets send it as text */
        parsed = json_parse(bytes_str(json_string_value(data)), RPC_DEPTH_MAX, &e);
        if (parsed == NULL) {
            return rpc_fail(q, RPC_PARAMS, "invalid argument 1: %s", e.msg);
        }
        data = parsed;
    }
    if (!rc_ok(typed_data_hash(&h, data, &e))) {
        return rpc_fail(q, RPC_PARAMS, "invalid argument 1: %s", e.msg);
    }
    return put_signature(q, key, h);
}

/* --- transactions --- */

static rc fill_fees(struct rpc_req *q, const struct call_args *c, struct eth_tx *t)
{
    struct u256 base = ledger_base_fee(q->rpc->ledger);
    struct u256 twice;
    struct u256 sum;
    t->tip = c->has_tip ? c->tip : suggest_tip(q->rpc);
    t->gas_price = c->gas_price;
    if (!u256_add(&twice, base, base) || !u256_add(&sum, twice, t->tip)) {
        return rpc_fail(q, RPC_INTERNAL, "the base fee is out of range");
    }
    t->max_fee = c->has_max_fee ? c->max_fee : sum;
    if (t->type < 2 && !c->has_gas_price) {
        t->gas_price = sum;
    }
    if (t->type == 2 && u256_lt(t->max_fee, t->tip)) {
        if (c->has_tip && c->has_max_fee) {
            return rpc_fail(q, RPC_SERVER, "max priority fee per gas higher than max fee per gas");
        }
        t->tip = t->max_fee;
    }
    return RC_OK;
}

/* What eth_sendTransaction leaves out is filled in as a wallet would. */
static rc fill(struct rpc_req *q, struct call_args *c, struct eth_tx *t)
{
    struct ledger *l = q->rpc->ledger;
    if (!c->has_from) {
        c->from = q->rpc->dev->accounts[0];
    }
    if (c->has_type && c->type > 2) {
        return rpc_fail(q, RPC_PARAMS, "invalid argument 0: transaction type not supported");
    }
    *t = (struct eth_tx){.has_chain_id = true,
                         .chain_id = ledger_chain_id(l),
                         .has_to = c->has_to,
                         .to = c->to,
                         .value = c->value,
                         .data = c->data,
                         .nonce = c->nonce,
                         .gas = c->gas,
                         .access_list = c->access_list};
    t->type = c->has_type ? (unsigned)c->type : !c->has_gas_price ? 2 : c->has_access_list ? 1 : 0;
    TRY(fill_fees(q, c, t));
    if (!c->has_nonce) {
        rc r = ledger_nonce(l, LEDGER_PENDING, c->from, &t->nonce);
        if (!rc_ok(r)) {
            return rpc_ledger_fault(q, r);
        }
    }
    if (!c->has_gas) {
        struct call_args probe = *c;
        probe.has_gas_price = probe.has_max_fee = false; /* who cannot pay hears it on sending */
        TRY(estimate(q, LEDGER_PENDING, &probe, &t->gas));
    }
    return RC_OK;
}

rc eth_sign_transaction(struct rpc_req *q)
{
    struct call_args c;
    struct eth_tx t;
    BUF_FREE raw = buf_new(RPC_DATA_MAX * 2);
    TRY(p_call(q, 0, &c));
    TRY(fill(q, &c, &t));
    const struct secret *key = key_of(q->rpc, c.from);
    if (key == NULL) {
        return rpc_fail(q, RPC_SERVER, "unknown account");
    }
    if (!rc_ok(eth_tx_sign(&raw, &t, key))) {
        return rpc_fail(q, RPC_SERVER, "the transaction cannot be signed");
    }
    put_q_bytes(q->out, buf_bytes(&raw));
    return RC_OK;
}

rc eth_send_transaction(struct rpc_req *q)
{
    struct call_args c;
    struct eth_tx t;
    struct hash h;
    struct err e;
    rc r;
    TRY(p_call(q, 0, &c));
    TRY(fill(q, &c, &t));
    const struct secret *key = key_of(q->rpc, c.from);
    if (speaks_for(q->rpc->dev, c.from)) {
        r = ledger_send_unsigned(q->rpc->ledger, c.from, &t, &h, &e);
    } else if (key != NULL) {
        BUF_FREE raw = buf_new(RPC_DATA_MAX * 2);
        r = eth_tx_sign(&raw, &t, key);
        r = rc_ok(r) ? ledger_send(q->rpc->ledger, buf_bytes(&raw), &h, &e)
                     : err_set(&e, r.code, "the transaction cannot be signed");
    } else {
        return rpc_fail(q, RPC_SERVER, "unknown account");
    }
    if (!rc_ok(r)) {
        return send_fault(q, r, &e);
    }
    put_q_hash(q->out, h);
    return dev_mined(q);
}
