/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/tree/tree.h"

#include <stdlib.h>

#include "crypto/sha2.h"

enum kind { NONE, LEAF, NODE };

struct entry {
    enum kind kind;
    struct hash hash; /* of a node; content of a leaf */
    struct hash path; /* of a leaf */
};

struct node {
    struct entry child[16];
};

struct walk {
    const struct tree_io *io;
    struct tree_change *changes;
};

struct hash tree_path(struct bytes key)
{
    return sha256(key);
}

struct hash tree_content(struct bytes value)
{
    return sha256(value);
}

static uint8_t nibble(struct hash path, size_t depth)
{
    return depth % 2 == 0 ? path.b[depth / 2] >> 4 : path.b[depth / 2] & 15;
}

static struct hash node_hash(struct bytes record)
{
    static const uint8_t tag = 1;
    return sha256_2(BYTES_OF(tag), record);
}

/* The place of the node at this depth above a path. */
static struct bytes node_key(uint8_t out[TREE_KEY_MAX], struct hash path, size_t depth)
{
    size_t n = (depth + 1) / 2;
    out[0] = (uint8_t)depth;
    memcpy(out + 1, path.b, n);
    if (depth % 2 != 0) {
        out[n] &= 0xf0;
    }
    return (struct bytes){out, 1 + n};
}

static rc node_parse(struct node *out, struct bytes record)
{
    struct cur c = cur_of(record);
    uint64_t has = take_be(&c, 2), leaf = take_be(&c, 2);
    for (size_t i = 0; i < 16; i++) {
        struct entry *e = &out->child[i];
        *e = (struct entry){.kind = NONE};
        if ((has >> i & 1) == 0) {
            continue;
        }
        e->kind = (leaf >> i & 1) != 0 ? LEAF : NODE;
        if (e->kind == LEAF) {
            e->path = take_hash(&c);
        }
        e->hash = take_hash(&c);
    }
    return (leaf & ~has) == 0 && has != 0 ? cur_end(&c) : RC(MALFORMED);
}

static void node_put(struct buf *b, const struct node *n)
{
    uint64_t has = 0, leaf = 0;
    for (size_t i = 0; i < 16; i++) {
        has |= (uint64_t)(n->child[i].kind != NONE) << i;
        leaf |= (uint64_t)(n->child[i].kind == LEAF) << i;
    }
    put_be(b, has, 2);
    put_be(b, leaf, 2);
    for (size_t i = 0; i < 16; i++) {
        if (n->child[i].kind == LEAF) {
            put_bytes(b, BYTES_OF(n->child[i].path));
        }
        if (n->child[i].kind != NONE) {
            put_bytes(b, BYTES_OF(n->child[i].hash));
        }
    }
}

static rc load(struct node *out, const struct walk *w, struct hash path, size_t depth)
{
    uint8_t key[TREE_KEY_MAX];
    struct bytes record;
    if (!rc_ok(w->io->get(w->io->ctx, node_key(key, path, depth), &record)) ||
        !rc_ok(node_parse(out, record))) {
        return RC(CORRUPT);
    }
    return RC_OK;
}

/* Writes the node and makes the entry that stands for it above. */
static rc save(struct entry *out, const struct walk *w, const struct node *n, struct hash path,
               size_t depth)
{
    uint8_t key[TREE_KEY_MAX], record[TREE_NODE_MAX];
    struct buf b = {.p = record, .alloc = sizeof(record), .cap = sizeof(record)};
    node_put(&b, n);
    *out = (struct entry){.kind = NODE, .hash = node_hash(buf_bytes(&b))};
    return w->io->put(w->io->ctx, node_key(key, path, depth), buf_bytes(&b));
}

static rc apply(struct entry *e, const struct walk *w, size_t lo, size_t hi, size_t depth);

/* Changes [lo, hi) below a node that is in memory. `stored`: a record of it exists. */
static rc apply_node(struct entry *e, const struct walk *w, struct node *n, size_t lo, size_t hi,
                     size_t depth, bool stored)
{
    struct hash path = w->changes[lo].path;
    for (size_t i = lo; i < hi;) {
        uint8_t v = nibble(w->changes[i].path, depth);
        size_t start = i;
        while (i < hi && nibble(w->changes[i].path, depth) == v) {
            i++;
        }
        TRY(apply(&n->child[v], w, start, i, depth + 1));
    }
    size_t count = 0;
    struct entry only = {.kind = NONE};
    for (size_t i = 0; i < 16; i++) {
        if (n->child[i].kind != NONE) {
            count++;
            only = n->child[i];
        }
    }
    bool collapses = count == 0 || (count == 1 && only.kind == LEAF && depth > 0);
    if (!collapses) {
        return save(e, w, n, path, depth);
    }
    *e = only;
    uint8_t key[TREE_KEY_MAX];
    return stored ? w->io->put(w->io->ctx, node_key(key, path, depth), (struct bytes){0}) : RC_OK;
}

static rc apply(struct entry *e, const struct walk *w, size_t lo, size_t hi, size_t depth)
{
    struct node n = {0};
    const struct tree_change *c = &w->changes[lo];
    if (e->kind == NODE) {
        TRY(load(&n, w, c->path, depth));
        return apply_node(e, w, &n, lo, hi, depth, true);
    }
    bool alone = hi - lo == 1 && (e->kind == NONE || hash_eq(e->path, c->path));
    if (alone && depth > 0) { /* the common case: one leaf comes, changes or goes */
        *e = c->removed ? (struct entry){.kind = NONE}
                        : (struct entry){.kind = LEAF, .hash = c->content, .path = c->path};
        return RC_OK;
    }
    ASSERT(depth < TREE_DEPTH_MAX);
    if (e->kind == LEAF) {
        n.child[nibble(e->path, depth)] = *e;
    }
    return apply_node(e, w, &n, lo, hi, depth, false);
}

static int cmp_change(const void *a, const void *b)
{
    const struct tree_change *x = a, *y = b;
    return memcmp(x->path.b, y->path.b, sizeof(x->path.b));
}

rc tree_update(struct hash *root, const struct tree_io *io, struct tree_change *changes, size_t n)
{
    if (n == 0) {
        return RC_OK;
    }
    qsort(changes, n, sizeof(*changes), cmp_change);
    struct walk w = {io, changes};
    struct entry e = {.kind = hash_is_zero(*root) ? NONE : NODE, .hash = *root};
    TRY(apply(&e, &w, 0, n, 0));
    *root = e.kind == NODE ? e.hash : (struct hash){0};
    return RC_OK;
}

rc tree_prove(struct buf *out, struct hash root, const struct tree_io *io, struct hash path)
{
    struct entry e = {.kind = hash_is_zero(root) ? NONE : NODE, .hash = root};
    for (size_t depth = 0; e.kind == NODE; depth++) {
        uint8_t key[TREE_KEY_MAX];
        struct bytes record;
        struct node n;
        if (depth == TREE_DEPTH_MAX ||
            !rc_ok(io->get(io->ctx, node_key(key, path, depth), &record)) ||
            !rc_ok(node_parse(&n, record)) || !hash_eq(node_hash(record), e.hash)) {
            return RC(CORRUPT);
        }
        put_be(out, record.n, 2);
        put_bytes(out, record);
        e = n.child[nibble(path, depth)];
    }
    return buf_end(out);
}

rc tree_check(bool *found, struct hash *content, struct hash root, struct hash path,
              struct bytes proof)
{
    struct cur c = cur_of(proof);
    struct entry e = {.kind = hash_is_zero(root) ? NONE : NODE, .hash = root};
    for (size_t depth = 0; e.kind == NODE; depth++) {
        struct node n;
        struct bytes record = take_bytes(&c, take_be(&c, 2));
        if (c.bad != NULL || depth == TREE_DEPTH_MAX || !rc_ok(node_parse(&n, record))) {
            return RC(MALFORMED);
        }
        if (!hash_eq(node_hash(record), e.hash)) {
            return RC(DENIED);
        }
        e = n.child[nibble(path, depth)];
    }
    *found = e.kind == LEAF && hash_eq(e.path, path);
    *content = *found ? e.hash : (struct hash){0};
    return cur_end(&c);
}
