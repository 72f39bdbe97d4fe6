/* SPDX-License-Identifier: Apache-2.0 */
/* tx.c - transactions: built, signed, sent with nonces in a row, waited for. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

#include "daemon/client/client_int.h"
#include "encoding/hex.h"
#include "encoding/tx.h"
#include "io/clock.h"
#include "io/file.h"

#define TX_MAX      ((size_t)1 << 20)
#define FEES_OLD_MS 10000
#define TRIES       3 /* of a nonce that somebody else took meanwhile */

rc tx_sign(struct buf *out, struct hash *hash, const struct signer *s, uint64_t chain_id,
           uint64_t nonce, const struct tx_fees *fees, const struct client_tx *tx)
{
    struct eth_tx t = {
        .type = fees->eip1559 ? 2 : 0,
        .has_chain_id = true,
        .has_to = true,
        .chain_id = chain_id,
        .nonce = nonce,
        .gas = tx->gas,
        .to = tx->to,
        .value = tx->value,
        .data = tx->data,
    };
    if (fees->eip1559) {
        t.max_fee = fees->price;
        t.tip = fees->tip;
    } else {
        t.gas_price = fees->price;
    }
    size_t start = out->n;
    TRY(eth_tx_sign(out, &t, &s->key));
    *hash = eth_tx_hash((struct bytes){out->p + start, out->n - start});
    return RC_OK;
}

/* --- fees, gas, nonces --- */

static rc quantity_of(struct client *c, struct u256 *out, const char *method, json_t *params,
                      struct err *e)
{
    JSON_FREE *v = NULL;
    TRY(client_rpc(c, &v, method, params, e));
    struct js j = js_top(v);
    return err_wrap(e, js_quantity256(out, &j, e), "%s", method);
}

static rc get_fees(struct client *c, struct err *e)
{
    if (c->has_fees && clock_mono_ms() - c->fees_ms < FEES_OLD_MS) {
        return RC_OK;
    }
    struct client_head head;
    struct tx_fees f = {0};
    TRY(client_head(c, &head, e));
    f.eip1559 = !u256_is_zero(head.base_fee);
    if (f.eip1559) {
        struct u256 twice;
        rc r = quantity_of(c, &f.tip, "eth_maxPriorityFeePerGas", NULL, e);
        if (!rc_ok(r)) {
            f.tip = u256_from(1000000000); /* 1 gwei, where a node has no opinion */
        }
        if (!u256_mul(&twice, head.base_fee, u256_from(2)) || !u256_add(&f.price, twice, f.tip)) {
            return err_set(e, RC_CODE_MALFORMED, "the node's base fee is beyond reason");
        }
    } else {
        TRY(quantity_of(c, &f.price, "eth_gasPrice", NULL, e));
    }
    c->fees = f;
    c->has_fees = true;
    c->fees_ms = clock_mono_ms();
    return RC_OK;
}

rc client_prepare(struct client *c, struct err *e)
{
    uint64_t id;
    TRY(client_find_hub(c, e));
    TRY(client_chain_id(c, &id, e));
    return get_fees(c, e);
}

static json_t *call_object(const struct client_tx *tx, struct address from)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "from", json_address(from), "to", json_address(tx->to),
                     "value", json_quantity256(tx->value), "data", json_bytes(tx->data));
}

static rc get_gas(struct client *c, struct address from, struct client_tx *tx, struct err *e)
{
    struct u256 gas;
    uint64_t v;
    if (tx->gas > 0) {
        return RC_OK;
    }
    TRY(quantity_of(c, &gas, "eth_estimateGas", json_pack("[o]", call_object(tx, from)), e));
    if (!u256_to_u64(gas, &v) || v > UINT32_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "eth_estimateGas: beyond reason");
    }
    tx->gas = v + v / 4;
    return RC_OK;
}

static rc get_nonce(struct client *c, uint64_t *out, struct address who, struct err *e)
{
    struct u256 v;
    TRY(quantity_of(c, &v, "eth_getTransactionCount",
                    json_pack("[o, s]", json_address(who), "pending"), e));
    return u256_to_u64(v, out)
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "eth_getTransactionCount: beyond 2^64");
}

/* --- sending --- */

static rc send_once(struct client *c, const struct signer *s, struct client_tx *txs, size_t n,
                    struct err *e)
{
    uint64_t nonce, chain_id;
    TRY(client_chain_id(c, &chain_id, e));
    TRY(get_nonce(c, &nonce, s->address, e));
    struct client_rpc_item *items = calloc(n, sizeof(*items));
    ASSERT(items != NULL);
    rc r = RC_OK;
    size_t built = 0;
    for (; rc_ok(r) && built < n; built++) {
        BUF_FREE raw = buf_new(TX_MAX);
        r = tx_sign(&raw, &txs[built].hash, s, chain_id, nonce + built, &c->fees, &txs[built]);
        if (rc_ok(r)) {
            items[built].method = "eth_sendRawTransaction";
            items[built].params = json_pack("[o]", json_bytes(buf_bytes(&raw)));
        } else {
            r = err_set(e, r.code, "a transaction of %zu bytes is too long, or the key is bad",
                        txs[built].data.n);
        }
    }
    if (rc_ok(r)) {
        r = client_rpc_batch(c, items, n, e);
    }
    for (size_t i = 0; i < n; i++) {
        txs[i].r = rc_ok(r) ? items[i].r : r;
        txs[i].err = items[i].err;
        if (!rc_ok(txs[i].r) && strstr(txs[i].err.msg, "already known") != NULL) {
            txs[i].r = RC_OK; /* this very transaction: sent before an answer was lost */
        }
        json_decref(items[i].params);
        json_decref(items[i].result);
    }
    free(items);
    return r;
}

static bool nonce_taken(const struct client_tx *tx)
{
    return !rc_ok(tx->r) && strstr(tx->err.msg, "nonce") != NULL;
}

static rc lock_account(int *fd, const struct signer *s, struct err *e)
{
    if (s->lock == NULL) {
        return RC_OK;
    }
    *fd = open(s->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0) {
        return err_set(e, RC_CODE_IO, "open %s: %s", s->lock, strerror(errno));
    }
    while (flock(*fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            return err_set(e, RC_CODE_IO, "lock %s: %s", s->lock, strerror(errno));
        }
    }
    return RC_OK;
}

rc client_send(struct client *c, const struct signer *s, struct client_tx *txs, size_t n,
               struct err *e)
{
    CLOSE_FD lock = -1;
    TRY(get_fees(c, e));
    for (size_t i = 0; i < n; i++) {
        TRY(get_gas(c, s->address, &txs[i], e));
    }
    TRY(lock_account(&lock, s, e));
    for (int i = 0; i < TRIES; i++) {
        TRY(send_once(c, s, txs, n, e));
        if (!nonce_taken(&txs[0])) {
            break;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!rc_ok(txs[i].r)) {
            c->has_fees = false; /* it may have been the price */
            return err_set(e, txs[i].r.code, "%s", txs[i].err.msg);
        }
    }
    return RC_OK;
}

/* --- waiting --- */

rc client_receipt(struct client *c, struct client_receipt *out, struct arena *a, struct hash tx,
                  struct err *e)
{
    JSON_FREE *v = NULL;
    char text[HEX_HASH_MAX];
    TRY(client_rpc(c, &v, "eth_getTransactionReceipt", json_pack("[o]", json_hash(tx)), e));
    if (json_is_null(v)) {
        return err_set(e, RC_CODE_NOT_FOUND, "transaction %s is not in a block yet",
                       hex_hash(text, tx));
    }
    return err_wrap(e, client_receipt_parse(out, a, v, e), "eth_getTransactionReceipt");
}

/* The reason of a failed transaction, by running it once more on the state before its block. */
static rc explain(struct client *c, const struct client_tx *tx, struct address from, uint64_t block,
                  struct err *e)
{
    JSON_FREE *v = NULL;
    json_t *params =
        json_pack("[o, o]", call_object(tx, from), json_quantity(block > 0 ? block - 1 : 0));
    rc r = client_rpc(c, &v, "eth_call", params, e);
    if (rc_ok(r) || strstr(e->msg, "reverted") == NULL) {
        return err_set(e, RC_CODE_DENIED, "the transaction failed in block %llu",
                       (unsigned long long)block);
    }
    return RC(DENIED);
}

rc client_wait(struct client *c, struct client_receipt *out, struct arena *a,
               const struct client_tx *tx, struct address from, uint64_t timeout_ms, struct err *e)
{
    uint64_t end = clock_mono_ms() + timeout_ms, pause_ms = 1;
    char text[HEX_HASH_MAX];
    struct err local;
    e = e != NULL ? e : &local;
    for (;;) {
        rc r = client_receipt(c, out, a, tx->hash, e);
        if (rc_ok(r)) {
            return out->ok ? RC_OK : explain(c, tx, from, out->block, e);
        }
        if (r.code != RC_CODE_NOT_FOUND && r.code != RC_CODE_IO && r.code != RC_CODE_LIMIT) {
            return r;
        }
        if (clock_mono_ms() + pause_ms >= end) {
            return err_set(e, RC_CODE_LIMIT, "transaction %s is in no block after %llu ms",
                           hex_hash(text, tx->hash), (unsigned long long)timeout_ms);
        }
        clock_sleep_ms(pause_ms);
        pause_ms = MIN(pause_ms + pause_ms / 2 + 1, (uint64_t)250);
    }
}

rc client_transact(struct client *c, struct client_receipt *out, struct arena *a,
                   const struct signer *s, struct client_tx *tx, uint64_t timeout_ms, struct err *e)
{
    TRY(client_send(c, s, tx, 1, e));
    return client_wait(c, out, a, tx, s->address, timeout_ms, e);
}

const struct client_log *receipt_find(const struct client_receipt *r, enum event ev)
{
    for (size_t i = 0; i < r->n_logs; i++) {
        if (r->logs[i].known && r->logs[i].event == ev) {
            return &r->logs[i];
        }
    }
    return NULL;
}

rc client_match(struct client *c, struct hash *dealid, uint64_t *volume, const struct signer *s,
                const struct orders *o, uint64_t timeout_ms, struct err *e)
{
    BUF_FREE data = buf_new(TX_MAX);
    struct arena a;
    struct client_receipt receipt;
    TRY(client_find_hub(c, e));
    struct abi_out out = call_begin(&data, METHOD_hub_matchOrders, 4);
    put_app_order(&out, &o->app);
    put_dataset_order(&out, &o->dataset);
    put_workerpool_order(&out, &o->workerpool);
    put_request_order(&out, &o->request);
    TRY(buf_end(&data));
    struct client_tx tx = {.to = c->hub, .data = buf_bytes(&data)};
    arena_init(&a, (size_t)1 << 20);
    rc r = client_transact(c, &receipt, &a, s, &tx, timeout_ms, e);
    if (rc_ok(r)) {
        const struct client_log *log = receipt_find(&receipt, EVENT_hub_OrdersMatched);
        struct abi_in in = abi_of(log != NULL ? log->data : (struct bytes){0});
        *dealid = abi_take_hash(&in);
        for (int i = 0; i < 4; i++) {
            (void)abi_take_hash(&in); /* the orders' hashes */
        }
        uint64_t n = abi_take_uint(&in, 64);
        if (volume != NULL) {
            *volume = n;
        }
        r = rc_ok(abi_end(&in)) ? RC_OK
                                : err_set(e, RC_CODE_MALFORMED, "the receipt has no OrdersMatched");
    }
    arena_reset(&a);
    return err_wrap(e, r, "matchOrders");
}
