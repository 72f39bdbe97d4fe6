/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - blocks, transactions and receipts as they are asked for. What a header, a transaction and
 * its logs tell is computed again here; the database keeps none of it twice. */
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"

void key_be64(uint8_t out[8], uint64_t v)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)v;
        v >>= 8;
    }
}

rc ledger_block(struct ledger *l, struct arena *a, uint64_t number, struct block *out)
{
    uint8_t key[8];
    struct bytes rlp;
    const char *why;
    key_be64(key, number);
    TRY(store_get(l->store, T_BLOCK, BYTES_OF(key), &rlp));
    struct cur c = cur_of(rlp);
    uint64_t txs = take_be(&c, 4), body = take_be(&c, 8);
    rc r = header_parse(out, a, (struct bytes){c.p, c.n}, &why);
    if (r.code == RC_CODE_MALFORMED) {
        return RC(CORRUPT);
    }
    TRY(r);
    out->tx_n = txs;
    out->size = body;
    return RC_OK;
}

rc ledger_block_number(struct ledger *l, struct hash hash, uint64_t *number)
{
    struct bytes v;
    TRY(store_get(l->store, T_HASH, (struct bytes){hash.b, 8}, &v));
    struct cur c = cur_of(v);
    while (c.n > 0) {
        struct arena a;
        struct block b;
        uint64_t n = take_be(&c, 8);
        arena_init(&a, 4096);
        rc r = ledger_block(l, &a, n, &b);
        arena_reset(&a);
        if (rc_ok(r) && hash_eq(b.hash, hash)) {
            *number = n;
            return RC_OK;
        }
    }
    return RC(NOT_FOUND);
}

static struct hash hash_of(const struct body_tx *t)
{
    return t->unsigned_ ? keccak256_2(t->raw, BYTES_OF(t->from)) : eth_tx_hash(t->raw);
}

rc place_of_tx(struct ledger *l, struct hash h, uint64_t *number, uint64_t *index)
{
    struct bytes v;
    TRY(store_get(l->store, T_TX, (struct bytes){h.b, 8}, &v));
    struct cur c = cur_of(v);
    while (c.n > 0) {
        struct body_tx t;
        *number = take_be(&c, 8);
        *index = take_be(&c, 4);
        TRY(body_read(l->body, *number, *index, &t));
        if (hash_eq(hash_of(&t), h)) {
            return RC_OK;
        }
    }
    return RC(NOT_FOUND);
}

static rc copy(struct bytes *out, struct arena *a, struct bytes v)
{
    uint8_t *p = arena_alloc(a, v.n);
    if (p == NULL) {
        return RC(LIMIT);
    }
    if (v.n > 0) {
        memcpy(p, v.p, v.n);
    }
    *out = (struct bytes){p, v.n};
    return RC_OK;
}

rc tx_load(struct ledger *l, struct arena *a, const struct block *b, uint64_t index, struct tx *out,
           struct body_tx *body)
{
    const char *why;
    struct bytes raw;
    TRY(body_read(l->body, b->number, index, body));
    TRY(copy(&raw, a, body->raw));
    *out = (struct tx){.hash = hash_of(body),
                       .from = body->from,
                       .mined = true,
                       .block_hash = b->hash,
                       .block_number = b->number,
                       .index = index,
                       .base_fee = b->base_fee};
    if (!rc_ok(eth_tx_parse(&out->e, raw, &why))) {
        return RC(CORRUPT);
    }
    if (body->unsigned_) {
        out->e.sig = (struct secp_sig){0};
        out->e.v = 0;
    }
    return RC_OK;
}

rc ledger_tx_at(struct ledger *l, struct arena *a, uint64_t number, uint64_t index, struct tx *out)
{
    struct block b;
    struct body_tx body;
    TRY(ledger_block(l, a, number, &b));
    return index < b.tx_n ? tx_load(l, a, &b, index, out, &body) : RC(NOT_FOUND);
}

static rc of_pool(struct arena *a, const struct pooled *t, struct tx *out)
{
    const char *why;
    struct bytes raw;
    TRY(copy(&raw, a, t->raw));
    *out = (struct tx){.hash = t->hash, .from = t->from};
    if (!rc_ok(eth_tx_parse(&out->e, raw, &why))) {
        return RC(CORRUPT);
    }
    if (t->unsigned_) {
        out->e.sig = (struct secp_sig){0};
        out->e.v = 0;
    }
    return RC_OK;
}

rc ledger_tx(struct ledger *l, struct arena *a, struct hash hash, struct tx *out)
{
    uint64_t number, index;
    const struct pooled *t = pool_find(l->pool, hash);
    if (t != NULL) {
        return of_pool(a, t, out);
    }
    TRY(place_of_tx(l, hash, &number, &index));
    return ledger_tx_at(l, a, number, index, out);
}

rc ledger_tx_raw(struct ledger *l, struct arena *a, struct hash hash, struct bytes *out)
{
    uint64_t number, index;
    struct body_tx t;
    const struct pooled *p = pool_find(l->pool, hash);
    if (p != NULL) {
        return copy(out, a, p->raw);
    }
    TRY(place_of_tx(l, hash, &number, &index));
    TRY(body_read(l->body, number, index, &t));
    return copy(out, a, t.raw);
}

/* The logs of a transaction, their data copied. */
static rc load_logs(struct arena *a, const struct tx *t, const struct block *b,
                    const struct body_tx *body, struct receipt *r)
{
    struct cur c = cur_of(body->logs);
    r->logs = body->logs_n <= body->logs.n ? ARENA_ARRAY(a, struct log, body->logs_n) : NULL;
    r->logs_n = body->logs_n;
    if (r->logs == NULL) {
        return RC(LIMIT);
    }
    for (size_t i = 0; i < r->logs_n; i++) {
        struct log *log = &r->logs[i];
        body_take_log(&c, log);
        log->tx_hash = t->hash;
        log->tx_index = t->index;
        log->block_hash = b->hash;
        log->block_number = b->number;
        log->block_time = b->timestamp;
        log->index = body->first_log + i;
        if (c.bad != NULL) {
            return RC(CORRUPT);
        }
        TRY(copy(&log->data, a, log->data));
        bloom_add_log(r->bloom, log);
    }
    return RC_OK;
}

rc ledger_receipt_at(struct ledger *l, struct arena *a, uint64_t number, uint64_t index,
                     struct receipt *out)
{
    struct block b;
    struct tx t;
    struct body_tx body;
    TRY(ledger_block(l, a, number, &b));
    if (index >= b.tx_n) {
        return RC(NOT_FOUND);
    }
    TRY(tx_load(l, a, &b, index, &t, &body));
    *out = (struct receipt){.tx_hash = t.hash,
                            .block_hash = b.hash,
                            .block_number = number,
                            .index = index,
                            .from = t.from,
                            .to = t.e.to,
                            .has_to = t.e.has_to,
                            .ok = body.ok,
                            .type = t.e.type,
                            .gas_used = body.gas_used,
                            .cumulative_gas = body.cumulative_gas};
    if (!eth_tx_price(&out->gas_price, &t.e, b.base_fee)) {
        return RC(CORRUPT);
    }
    return load_logs(a, &t, &b, &body, out);
}

rc ledger_receipt(struct ledger *l, struct arena *a, struct hash tx_hash, struct receipt *out)
{
    uint64_t number, index;
    TRY(place_of_tx(l, tx_hash, &number, &index));
    return ledger_receipt_at(l, a, number, index, out);
}

/* --- the pool as asked --- */

struct each {
    struct arena *a;
    bool (*fn)(void *ctx, const struct tx *tx, bool pending);
    void *ctx;
    rc bad;
};

static bool on_pooled(void *ctx, const struct pooled *t)
{
    struct each *k = ctx;
    struct tx tx;
    k->bad = of_pool(k->a, t, &tx);
    return rc_ok(k->bad) && k->fn(k->ctx, &tx, t->pending);
}

rc ledger_pool_each(struct ledger *l, struct arena *a,
                    bool (*fn)(void *ctx, const struct tx *tx, bool pending), void *ctx)
{
    struct each k = {a, fn, ctx, RC_OK};
    pool_each(l->pool, on_pooled, &k);
    return k.bad;
}

struct pool_counts ledger_pool(const struct ledger *l)
{
    return pool_counts(l->pool);
}
