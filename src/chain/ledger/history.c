/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - what records were before each block. The record of a block is u32 n ‖ n × u32 end ‖
 * entries in the order of their keys: u8 size ‖ key ‖ u8 1 ‖ squeezed value, or u8 0 for none. A read of the
 * past asks the blocks after it, oldest first, by halving; the first that has the key knows. */
#include "chain/ledger/ledger_int.h"

#define UNDO_MAX ((size_t)1 << 31) /* of one block */

static uint64_t be32(const uint8_t *p)
{
    return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

void undo_add(struct undo *u, struct bytes key, struct bytes before)
{
    u->offsets.cap = u->data.cap = UNDO_MAX;
    put_u8(&u->data, (uint8_t)key.n);
    put_bytes(&u->data, key);
    put_u8(&u->data, before.p != NULL);
    squeeze_put(&u->data, before);
    put_be(&u->offsets, u->data.n, 4);
    u->n++;
}

void undo_free(struct undo *u)
{
    buf_free(&u->offsets);
    buf_free(&u->data);
    u->n = 0;
}

rc undo_put(struct buf *all, const struct undo *u)
{
    all->cap = UNDO_MAX;
    put_be(all, u->n, 4);
    put_bytes(all, buf_bytes(&u->offsets));
    put_bytes(all, buf_bytes(&u->data));
    return u->offsets.full || u->data.full ? RC(LIMIT) : buf_end(all);
}

rc undo_write(struct store *s, uint64_t number, struct undo *u)
{
    uint8_t key[8];
    BUF_FREE all = buf_new(UNDO_MAX);
    key_be64(key, number);
    TRY(undo_put(&all, u));
    return store_append(s, T_UNDO, BYTES_OF(key), buf_bytes(&all));
}

uint64_t undo_n(struct bytes record)
{
    return record.n >= 4 ? be32(record.p) : 0;
}

/* Entry i as it is stored. */
static rc entry_at(struct bytes record, uint64_t i, struct bytes *key, bool *has,
                   struct bytes *packed)
{
    uint64_t n = undo_n(record);
    struct cur c = cur_of(record);
    struct bytes ends = take_bytes(&c, 4 + n * 4);
    if (c.bad != NULL || i >= n) {
        return RC(CORRUPT);
    }
    uint64_t from = i == 0 ? 0 : be32(ends.p + 4 * i);
    uint64_t to = be32(ends.p + 4 * i + 4);
    (void)take_bytes(&c, from);
    struct cur e = take_sub(&c, to >= from ? to - from : SIZE_MAX);
    *key = take_bytes(&e, take_be(&e, 1));
    *has = take_be(&e, 1) == 1;
    *packed = (struct bytes){e.p, e.n};
    return e.bad == NULL ? RC_OK : RC(CORRUPT);
}

static rc unpack(struct buf *into, bool has, struct bytes packed, struct bytes *before)
{
    *before = (struct bytes){0};
    if (has) {
        buf_reset(into);
        into->cap = STATE_VALUE_MAX;
        TRY(unsqueeze_put(into, packed));
        *before = into->n > 0 ? buf_bytes(into) : BYTES_LIT("");
    }
    return RC_OK;
}

rc undo_at(struct bytes record, uint64_t i, struct buf *into, struct bytes *key,
           struct bytes *before)
{
    struct bytes packed;
    bool has;
    TRY(entry_at(record, i, key, &has, &packed));
    return unpack(into, has, packed, before);
}

/* NOT_FOUND when the block did not change the record. */
static rc undo_find(struct bytes record, struct bytes key, struct buf *into, struct bytes *before)
{
    uint64_t lo = 0, hi = undo_n(record);
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        struct bytes k, packed;
        bool has;
        TRY(entry_at(record, mid, &k, &has, &packed));
        int c = memcmp(k.p, key.p, MIN(k.n, key.n));
        c = c != 0 ? c : (k.n > key.n) - (k.n < key.n);
        if (c == 0) {
            return unpack(into, has, packed, before);
        }
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return RC(NOT_FOUND);
}

rc past_read(void *ctx, struct bytes key, struct bytes *value)
{
    const struct past *p = ctx;
    for (uint64_t i = p->number + 1; i <= p->height; i++) {
        uint8_t number[8];
        struct bytes record;
        key_be64(number, i);
        rc r = store_get(p->store, T_UNDO, BYTES_OF(number), &record);
        if (!rc_ok(r)) {
            return RC(CORRUPT);
        }
        r = undo_find(record, key, p->into, value);
        if (rc_ok(r)) {
            return value->p != NULL ? RC_OK : RC(NOT_FOUND);
        }
        if (r.code != RC_CODE_NOT_FOUND) {
            return r;
        }
    }
    return record_read(p->store, p->into, key, value);
}
