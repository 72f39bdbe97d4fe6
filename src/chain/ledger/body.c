/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - the transactions of a block with their receipts, packed in chunks of about 64 KiB: most of
 * call data is zeroes and names that come again, so a chunk takes a fifth of its plain size. */
#include <stdlib.h>
#include <zstd.h>

#include "base/log.h"
#include "chain/ledger/ledger_int.h"
#include "encoding/varint.h"

enum { LEVEL = 1, KEY = 12, HEAD = 8, FLAG_OK = 1, FLAG_UNSIGNED = 2 };
#define PLAIN_MAX ((size_t)64 << 20) /* of one chunk: a transaction with the most logs fits */

struct chunk {
    uint64_t number, first, n, used; /* used: when it was last asked for; 0: empty */
    struct buf plain;
};

struct body {
    struct store *store;
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
    struct buf packed;
    struct chunk cache[BODY_CACHE];
    uint64_t clock;
};

void body_put_tx(struct buf *b, const struct body_tx *t)
{
    put_u8(b, (uint8_t)((t->ok ? FLAG_OK : 0) | (t->unsigned_ ? FLAG_UNSIGNED : 0)));
    put_bytes(b, BYTES_OF(t->from));
    put_varint(b, t->gas_used);
    put_varint(b, t->cumulative_gas);
    put_varint(b, t->first_log);
    put_varint(b, t->logs_n);
    put_varint(b, t->raw.n);
    put_varint(b, t->logs.n);
    put_bytes(b, t->raw);
    put_bytes(b, t->logs);
}

static void take_tx(struct cur *c, struct body_tx *t)
{
    uint64_t flags = take_be(c, 1);
    t->ok = (flags & FLAG_OK) != 0;
    t->unsigned_ = (flags & FLAG_UNSIGNED) != 0;
    t->from = take_address(c);
    t->gas_used = take_varint(c);
    t->cumulative_gas = take_varint(c);
    t->first_log = take_varint(c);
    t->logs_n = take_varint(c);
    uint64_t raw_n = take_varint(c);
    uint64_t logs_n = take_varint(c);
    t->raw = take_bytes(c, raw_n);
    t->logs = take_bytes(c, logs_n);
}

void body_put_log(struct buf *b, struct address emitter, const struct hash *topics, size_t topics_n,
                  struct bytes data)
{
    put_bytes(b, BYTES_OF(emitter));
    put_u8(b, (uint8_t)topics_n);
    for (size_t i = 0; i < topics_n; i++) {
        put_bytes(b, BYTES_OF(topics[i]));
    }
    put_varint(b, data.n);
    put_bytes(b, data);
}

void body_take_log(struct cur *c, struct log *l)
{
    l->address = take_address(c);
    l->topics_n = take_be(c, 1);
    if (l->topics_n > ARRAY_LEN(l->topics)) {
        cur_fail(c, "a log with more than four topics");
        l->topics_n = 0;
    }
    for (size_t i = 0; i < l->topics_n; i++) {
        l->topics[i] = take_hash(c);
    }
    l->data = take_bytes(c, take_varint(c));
}

struct body *body_new(struct store *s)
{
    struct body *b = calloc(1, sizeof(*b));
    ASSERT(b != NULL);
    b->store = s;
    b->pack = ZSTD_createCCtx();
    b->unpack = ZSTD_createDCtx();
    b->packed = buf_new(ZSTD_COMPRESSBOUND(PLAIN_MAX));
    ASSERT(b->pack != NULL && b->unpack != NULL);
    for (size_t i = 0; i < BODY_CACHE; i++) {
        b->cache[i].plain = buf_new(PLAIN_MAX);
    }
    return b;
}

void body_free(struct body *b)
{
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < BODY_CACHE; i++) {
        buf_free(&b->cache[i].plain);
    }
    buf_free(&b->packed);
    (void)ZSTD_freeCCtx(b->pack);
    (void)ZSTD_freeDCtx(b->unpack);
    free(b);
}

void body_forget(struct body *b)
{
    for (size_t i = 0; i < BODY_CACHE; i++) {
        b->cache[i].used = 0;
    }
}

static struct bytes chunk_key(uint8_t out[KEY], uint64_t number, uint64_t first)
{
    struct buf b = {.p = out, .alloc = KEY, .cap = KEY};
    put_be(&b, number, 8);
    put_be(&b, first, 4);
    return buf_bytes(&b);
}

rc body_write(struct body *b, uint64_t number, uint64_t first, uint64_t n, struct bytes plain)
{
    uint8_t key[KEY];
    if (plain.n > PLAIN_MAX) {
        return RC(LIMIT);
    }
    size_t bound = ZSTD_compressBound(plain.n);
    buf_reset(&b->packed);
    put_be(&b->packed, n, 4);
    put_be(&b->packed, plain.n, 4);
    uint8_t *to = buf_grow(&b->packed, bound);
    if (to == NULL) {
        return RC(LIMIT);
    }
    size_t got = ZSTD_compressCCtx(b->pack, to, bound, plain.p, plain.n, LEVEL);
    if (ZSTD_isError(got)) {
        log_error("ledger", "pack block %llu: %s", (unsigned long long)number,
                  ZSTD_getErrorName(got));
        return RC(IO);
    }
    return store_append(b->store, T_BODY, chunk_key(key, number, first),
                        (struct bytes){b->packed.p, HEAD + got});
}

rc body_remove(struct body *b, uint64_t number)
{
    uint8_t key[KEY];
    struct bytes found, value;
    rc r = store_seek(b->store, T_BODY, chunk_key(key, number, 0), &found, &value);
    while (rc_ok(r) && found.n == KEY && memcmp(found.p, key, 8) == 0) {
        TRY(store_del(b->store, T_BODY, found));
        r = store_next(b->store, T_BODY, &found, &value);
    }
    return rc_ok(r) || r.code == RC_CODE_NOT_FOUND ? RC_OK : r;
}

static rc unpack(struct body *b, struct chunk *c, struct bytes record)
{
    struct cur r = cur_of(record);
    c->used = 0;
    c->n = take_be(&r, 4);
    size_t size = take_be(&r, 4);
    if (r.bad != NULL || size > PLAIN_MAX) {
        return RC(CORRUPT);
    }
    buf_reset(&c->plain);
    uint8_t *to = buf_grow(&c->plain, size);
    if (to == NULL || ZSTD_decompressDCtx(b->unpack, to, size, r.p, r.n) != size) {
        return RC(CORRUPT);
    }
    c->used = ++b->clock;
    return RC_OK;
}

/* The chunk that holds the transaction, from the cache or unpacked into its oldest place. */
static rc chunk_of(struct body *b, uint64_t number, uint64_t index, struct chunk **out)
{
    uint8_t key[KEY];
    struct bytes found, value;
    struct chunk *oldest = &b->cache[0];
    for (size_t i = 0; i < BODY_CACHE; i++) {
        struct chunk *c = &b->cache[i];
        if (c->used != 0 && c->number == number && index >= c->first && index - c->first < c->n) {
            c->used = ++b->clock;
            *out = c;
            return RC_OK;
        }
        oldest = c->used < oldest->used ? c : oldest;
    }
    TRY(store_floor(b->store, T_BODY, chunk_key(key, number, index), &found, &value));
    struct cur k = cur_of(found);
    if (take_be(&k, 8) != number) {
        return RC(NOT_FOUND);
    }
    oldest->number = number;
    oldest->first = take_be(&k, 4);
    TRY(unpack(b, oldest, value));
    if (!rc_ok(cur_end(&k)) || oldest->n == 0) {
        return RC(CORRUPT);
    }
    *out = oldest;
    return index - oldest->first < oldest->n ? RC_OK : RC(NOT_FOUND);
}

rc body_read(struct body *b, uint64_t number, uint64_t index, struct body_tx *out)
{
    struct chunk *chunk;
    TRY(chunk_of(b, number, index, &chunk));
    struct cur c = cur_of(buf_bytes(&chunk->plain));
    for (uint64_t i = chunk->first; i <= index && c.bad == NULL; i++) {
        take_tx(&c, out);
    }
    return c.bad == NULL ? RC_OK : RC(CORRUPT);
}
