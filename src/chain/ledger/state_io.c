/* SPDX-License-Identifier: Apache-2.0 */
/* state_io.c - the state on disk. Each block leaves behind what its records were before, so that the
 * state after any kept block can be read, and blocks can be rolled back. */
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "chain/tree/tree.h"
#include "crypto/sha2.h"

/* TABLE_UNDO: length of the key ‖ key ‖ block. The length in front keeps the entries of one key
 * together, whatever other keys begin with it. */
struct undo_key {
    uint8_t b[1 + STATE_KEY_MAX + 8];
    size_t n;
};

static struct undo_key undo_key(struct bytes key, uint64_t block)
{
    struct undo_key k;
    ASSERT(key.n <= STATE_KEY_MAX);
    k.b[0] = (uint8_t)key.n;
    memcpy(k.b + 1, key.p, key.n);
    put_u64_be(k.b + 1 + key.n, block);
    k.n = 1 + key.n + 8;
    return k;
}

rc state_io_read(void *ctx, struct bytes key, struct bytes *value)
{
    struct ledger *l = ctx;
    return store_get(l->store, TABLE_STATE, key, value);
}

rc state_io_read_past(void *ctx, struct bytes key, struct bytes *value)
{
    struct ledger *l = ctx;
    struct bytes found, before;
    if (l->past_height < l->head.number) {
        struct undo_key from = undo_key(key, l->past_height + 1);
        rc r = store_seek(l->store, TABLE_UNDO, (struct bytes){from.b, from.n}, &found, &before);
        if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
            return r;
        }
        bool same = rc_ok(r) && found.n == from.n && memcmp(found.p, from.b, 1 + key.n) == 0;
        if (same) { /* the first change after that block says what stood before it */
            if (before.n < 1 || before.p[0] == 0) {
                return RC(NOT_FOUND);
            }
            *value = (struct bytes){before.p + 1, before.n - 1};
            return RC_OK;
        }
    }
    return store_get(l->store, TABLE_STATE, key, value);
}

rc state_io_at(struct ledger *l, uint64_t number)
{
    if (number > l->head.number) {
        return RC(NOT_FOUND);
    }
    if (l->cfg.history != UINT64_MAX && l->head.number - number > l->cfg.history) {
        return RC(NOT_FOUND);
    }
    state_reset(l->past);
    l->past_height = number;
    return RC_OK;
}

static rc tree_get(void *ctx, struct bytes key, struct bytes *node)
{
    return store_get(ctx, TABLE_TREE, key, node);
}

static rc tree_put(void *ctx, struct bytes key, struct bytes node)
{
    return node.n > 0 ? store_put(ctx, TABLE_TREE, key, node) : store_del(ctx, TABLE_TREE, key);
}

struct changes {
    struct ledger *l;
    uint64_t block;
    struct tree_change *list;
    size_t n, alloc;
};

static void add_change(struct changes *c, struct bytes key, struct bytes value)
{
    if (c->n == c->alloc) {
        c->alloc = c->alloc == 0 ? 64 : 2 * c->alloc;
        c->list = realloc(c->list, c->alloc * sizeof(c->list[0]));
        ASSERT(c->list != NULL);
    }
    c->list[c->n++] = (struct tree_change){
        .path = tree_path(key), .content = tree_content(value), .removed = value.p == NULL};
}

/* block 8 ‖ 12 bytes of the key's hash: enough to keep the keys of one block apart, and a second
 * write of the same key finds the first. */
static struct bytes undo_index(uint8_t out[20], uint64_t block, struct bytes key)
{
    struct hash h = sha256(key);
    put_u64_be(out, block);
    memcpy(out + 8, h.b, 12);
    return (struct bytes){out, 20};
}

static rc write_undo(struct ledger *l, uint64_t block, struct bytes key, struct bytes before)
{
    uint8_t index[20];
    struct bytes at = undo_index(index, block, key), there;
    if (rc_ok(store_get(l->store, TABLE_UNDO_KEY, at, &there))) {
        return RC_OK; /* a dev edit came first: what it found is what counts */
    }
    struct undo_key k = undo_key(key, block);
    BUF_FREE b = buf_new(1 + STATE_VALUE_MAX);
    put_u8(&b, before.p != NULL);
    put_bytes(&b, before);
    TRY(store_put(l->store, TABLE_UNDO, (struct bytes){k.b, k.n}, buf_bytes(&b)));
    return store_put(l->store, TABLE_UNDO_KEY, at, key);
}

static rc write_record(struct ledger *l, struct bytes key, struct bytes value)
{
    return value.p != NULL ? store_put(l->store, TABLE_STATE, key, value)
                           : store_del(l->store, TABLE_STATE, key);
}

static rc on_change(void *ctx, struct bytes key, struct bytes value, struct bytes before)
{
    struct changes *c = ctx;
    TRY(write_undo(c->l, c->block, key, before));
    TRY(write_record(c->l, key, value));
    add_change(c, key, value);
    return RC_OK;
}

static rc apply_tree(struct ledger *l, struct changes *c)
{
    struct tree_io io = {l->store, tree_get, tree_put};
    return tree_update(&l->state_root, &io, c->list, c->n);
}

rc state_io_write(struct ledger *l, uint64_t block, struct err *e)
{
    struct changes c = {.l = l, .block = block};
    rc r = state_changes(l->state, on_change, &c);
    if (rc_ok(r)) {
        r = apply_tree(l, &c);
    }
    free(c.list);
    return rc_ok(r)
               ? r
               : err_set(e, r.code, "write the state of block %llu", (unsigned long long)block);
}

struct keys {
    uint64_t block;
    struct buf packed; /* u16 size ‖ key, as store_scan() must not be written under */
};

static bool on_undo_key(void *ctx, struct bytes at, struct bytes key)
{
    struct keys *k = ctx;
    struct cur c = cur_of(at);
    if (take_be(&c, 8) != k->block) {
        return false;
    }
    put_be(&k->packed, key.n, 2);
    put_bytes(&k->packed, key);
    return true;
}

static rc block_keys(struct ledger *l, uint64_t block, struct keys *k)
{
    uint8_t from[8];
    *k = (struct keys){.block = block, .packed = buf_new((size_t)1 << 36)};
    put_u64_be(from, block);
    return store_scan(l->store, TABLE_UNDO_KEY, BYTES_OF(from), on_undo_key, k);
}

static rc drop_undo(struct ledger *l, uint64_t block, struct bytes key)
{
    uint8_t index[20];
    struct undo_key u = undo_key(key, block);
    TRY(store_del(l->store, TABLE_UNDO, (struct bytes){u.b, u.n}));
    return store_del(l->store, TABLE_UNDO_KEY, undo_index(index, block, key));
}

rc state_io_forget(struct ledger *l, uint64_t block)
{
    struct keys k;
    rc r = block_keys(l, block, &k);
    struct cur c = cur_of(buf_bytes(&k.packed));
    while (rc_ok(r) && c.n > 0) {
        r = drop_undo(l, block, take_bytes(&c, take_be(&c, 2)));
    }
    buf_free(&k.packed);
    return r;
}

static rc undo_key_of(struct ledger *l, struct changes *c, struct bytes key)
{
    struct undo_key u = undo_key(key, c->block);
    struct bytes stored;
    TRY(store_get(l->store, TABLE_UNDO, (struct bytes){u.b, u.n}, &stored));
    BUF_FREE before = buf_new(1 + STATE_VALUE_MAX); /* the view does not outlive the writes below */
    put_bytes(&before, stored);
    struct bytes value = {0};
    if (before.n > 0 && before.p[0] != 0) {
        value = (struct bytes){before.p + 1, before.n - 1};
    }
    TRY(write_record(l, key, value));
    add_change(c, key, value);
    return drop_undo(l, c->block, key);
}

rc state_io_undo(struct ledger *l, uint64_t block, struct err *e)
{
    struct keys k;
    struct changes c = {.l = l, .block = block};
    rc r = block_keys(l, block, &k);
    struct cur at = cur_of(buf_bytes(&k.packed));
    while (rc_ok(r) && at.n > 0) {
        r = undo_key_of(l, &c, take_bytes(&at, take_be(&at, 2)));
    }
    if (rc_ok(r)) {
        r = apply_tree(l, &c);
    }
    free(c.list);
    buf_free(&k.packed);
    return rc_ok(r) ? r
                    : err_set(e, r.code, "undo the state of block %llu", (unsigned long long)block);
}
