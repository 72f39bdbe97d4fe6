/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/mpt.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "encoding/rlp.h"

/* Keys are rlp(i): one to five bytes, so at most ten nibbles. */
enum { KEY_MAX = 5, REF_MAX = 33 };

struct key {
    uint8_t b[KEY_MAX];
    uint8_t n;      /* bytes */
    uint32_t index; /* of the item */
};

struct build {
    const struct bytes *items;
    struct key *keys;        /* sorted */
    struct buf node;         /* a stack of nodes under construction */
    struct mpt_proof *proof; /* NULL: none asked for */
    struct arena *a;
    uint32_t want; /* item whose path is collected */
    bool failed;
};

/* How a parent holds a child: the node itself when shorter than 32 bytes, else its hash. */
struct ref {
    uint8_t b[REF_MAX];
    size_t n;
};

static struct key key_of(size_t i)
{
    struct key k = {.index = (uint32_t)i};
    if (i == 0) {
        k.b[k.n++] = 0x80;
        return k;
    }
    if (i >= 0x80) {
        k.b[k.n++] = (uint8_t)(0x80 + (i > 0xffffff ? 4 : i > 0xffff ? 3 : i > 0xff ? 2 : 1));
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (i >> shift != 0) {
            k.b[k.n++] = (uint8_t)(i >> shift);
        }
    }
    return k;
}

static uint8_t nibble(const struct key *k, size_t at)
{
    return at % 2 == 0 ? k->b[at / 2] >> 4 : k->b[at / 2] & 15;
}

static int cmp_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int c = memcmp(x->b, y->b, MIN(x->n, y->n));
    return c != 0 ? c : (int)x->n - (int)y->n;
}

/* Hex-prefix encoding (appendix C) of nibbles [from, to) of a key, as one RLP string. */
static void put_path(struct buf *b, const struct key *k, size_t from, size_t to, bool leaf)
{
    uint8_t out[KEY_MAX + 1];
    size_t n = 0, odd = (to - from) % 2;
    out[n++] = (uint8_t)((leaf ? 0x20 : 0) | (odd != 0 ? 0x10 | nibble(k, from) : 0));
    for (size_t i = from + odd; i < to; i += 2) {
        out[n++] = (uint8_t)(nibble(k, i) << 4 | nibble(k, i + 1));
    }
    rlp_put_str(b, (struct bytes){out, n});
}

/* Closes the node that starts at `start`: makes its reference, keeps it for the proof when it is on
 * the path, and takes it off the stack. */
static struct ref close_node(struct build *w, size_t start, bool on_path, bool is_root)
{
    struct ref r = {.n = 0};
    struct bytes node = {w->node.p + start, w->node.n - start};
    if (w->proof != NULL && on_path && (node.n >= 32 || is_root)) {
        uint8_t *copy = arena_alloc(w->a, node.n);
        if (copy == NULL || w->proof->n == MPT_PROOF_MAX) {
            w->failed = true;
        } else {
            memcpy(copy, node.p, node.n);
            w->proof->node[w->proof->n++] = (struct bytes){copy, node.n};
        }
    }
    if (node.n < 32 && !is_root) {
        memcpy(r.b, node.p, node.n);
        r.n = node.n;
    } else {
        struct hash h = keccak256(node);
        r.b[0] = 0xa0;
        memcpy(r.b + 1, h.b, sizeof(h.b));
        r.n = REF_MAX;
    }
    w->node.n = start;
    return r;
}

static bool covers(const struct build *w, size_t lo, size_t hi)
{
    for (size_t i = lo; w->proof != NULL && i < hi; i++) {
        if (w->keys[i].index == w->want) {
            return true;
        }
    }
    return false;
}

static struct ref build(struct build *w, size_t lo, size_t hi, size_t at, bool is_root);

/* No key is a prefix of another, so a branch never holds a value of its own. */
static struct ref build_branch(struct build *w, size_t lo, size_t hi, size_t at, bool is_root)
{
    struct ref child[16];
    for (size_t v = 0, i = lo; v < 16; v++) {
        size_t start = i;
        while (i < hi && nibble(&w->keys[i], at) == v) {
            i++;
        }
        child[v].n = 0;
        if (i > start) {
            child[v] = build(w, start, i, at + 1, false);
        }
    }
    size_t start = w->node.n, list = rlp_list_begin(&w->node);
    for (size_t v = 0; v < 16; v++) {
        if (child[v].n == 0) {
            put_u8(&w->node, 0x80);
        } else {
            put_mem(&w->node, child[v].b, child[v].n);
        }
    }
    put_u8(&w->node, 0x80);
    rlp_list_end(&w->node, list);
    return close_node(w, start, covers(w, lo, hi), is_root);
}

static struct ref build(struct build *w, size_t lo, size_t hi, size_t at, bool is_root)
{
    const struct key *first = &w->keys[lo], *last = &w->keys[hi - 1];
    if (hi - lo == 1) {
        size_t start = w->node.n, list = rlp_list_begin(&w->node);
        put_path(&w->node, first, at, 2 * (size_t)first->n, true);
        rlp_put_str(&w->node, w->items[first->index]);
        rlp_list_end(&w->node, list);
        return close_node(w, start, covers(w, lo, hi), is_root);
    }
    size_t same = at;
    while (nibble(first, same) == nibble(last, same)) {
        same++;
    }
    if (same == at) {
        return build_branch(w, lo, hi, at, is_root);
    }
    struct ref below = build_branch(w, lo, hi, same, false);
    size_t start = w->node.n, list = rlp_list_begin(&w->node);
    put_path(&w->node, first, at, same, false);
    put_mem(&w->node, below.b, below.n);
    rlp_list_end(&w->node, list);
    return close_node(w, start, covers(w, lo, hi), is_root);
}

static struct hash run(struct build *w, size_t n)
{
    struct hash root;
    ASSERT(n > 0 && n <= MPT_ITEMS_MAX);
    w->node = buf_new((size_t)1 << 40); /* grows with the largest item, which exists already */
    w->keys = calloc(n, sizeof(*w->keys));
    ASSERT(w->keys != NULL);
    for (size_t i = 0; i < n; i++) {
        w->keys[i] = key_of(i);
    }
    qsort(w->keys, n, sizeof(*w->keys), cmp_key);
    struct ref r = build(w, 0, n, 0, true);
    memcpy(root.b, r.b + 1, sizeof(root.b));
    free(w->keys);
    buf_free(&w->node);
    return root;
}

struct hash mpt_list_root(const struct bytes *items, size_t n)
{
    struct build w = {.items = items};
    return n == 0 ? keccak256(BYTES_LIT("\x80")) : run(&w, n);
}

rc mpt_list_prove(struct mpt_proof *out, struct arena *a, const struct bytes *items, size_t n,
                  size_t i)
{
    *out = (struct mpt_proof){0};
    if (i >= n) {
        return RC(NOT_FOUND);
    }
    struct build w = {.items = items, .proof = out, .a = a, .want = (uint32_t)i};
    (void)run(&w, n);
    for (size_t k = 0; k < out->n / 2; k++) { /* collected from the leaf up */
        struct bytes t = out->node[k];
        out->node[k] = out->node[out->n - 1 - k];
        out->node[out->n - 1 - k] = t;
    }
    return w.failed ? RC(LIMIT) : RC_OK;
}

/* Follows the path of a leaf or extension node; false when the key goes elsewhere. */
static bool follow(const struct key *k, size_t *at, struct bytes path, bool *leaf)
{
    if (path.n == 0 || path.p[0] >> 6 != 0 || ((path.p[0] & 0x10) == 0 && (path.p[0] & 15) != 0)) {
        return false;
    }
    *leaf = (path.p[0] & 0x20) != 0;
    for (size_t i = (path.p[0] & 0x10) != 0 ? 1 : 2; i < 2 * path.n; i++) {
        uint8_t want = i % 2 == 0 ? path.p[i / 2] >> 4 : path.p[i / 2] & 15;
        if (*at >= 2 * (size_t)k->n || nibble(k, *at) != want) {
            return false;
        }
        (*at)++;
    }
    return true;
}

/* One RLP item with its head, and whether it is a list. */
static struct bytes take_item(struct cur *c, bool *is_list)
{
    const uint8_t *start = c->p;
    *is_list = c->n > 0 && c->p[0] >= 0xc0;
    if (*is_list) {
        (void)rlp_take_list(c);
    } else {
        (void)rlp_take_str(c);
    }
    return (struct bytes){start, c->bad == NULL ? (size_t)(c->p - start) : 0};
}

enum step { STEP_DOWN, STEP_FOUND, STEP_BAD };

/* Reads one node: *next gets the child reference (an RLP item), or the leaf's value. */
static enum step step(struct bytes node, const struct key *k, size_t *at, struct bytes *next)
{
    struct bytes item[17];
    bool is_list[17], leaf = false;
    size_t n = 0;
    struct cur c = cur_of(node);
    struct cur l = rlp_take_list(&c);
    while (n < 17 && l.bad == NULL && l.n > 0) {
        item[n] = take_item(&l, &is_list[n]);
        n++;
    }
    if (!rc_ok(cur_end(&l)) || !rc_ok(cur_end(&c))) {
        return STEP_BAD;
    }
    if (n == 17 && *at < 2 * (size_t)k->n) {
        *next = item[nibble(k, (*at)++)];
        return STEP_DOWN;
    }
    if (n != 2 || is_list[0]) {
        return STEP_BAD;
    }
    struct cur p = cur_of(item[0]);
    if (!follow(k, at, rlp_take_str(&p), &leaf)) {
        return STEP_BAD;
    }
    *next = item[1];
    if (!leaf) {
        return STEP_DOWN;
    }
    struct cur v = cur_of(item[1]);
    *next = rlp_take_str(&v);
    return *at == 2 * (size_t)k->n && rc_ok(cur_end(&v)) ? STEP_FOUND : STEP_BAD;
}

rc mpt_list_verify(struct bytes *item, struct hash root, size_t i, const struct mpt_proof *proof)
{
    struct key k = key_of(i);
    size_t at = 0, used = 0;
    struct bytes ref = {0}, node;
    uint8_t want[REF_MAX] = {0xa0};
    memcpy(want + 1, root.b, sizeof(root.b));
    ref = (struct bytes){want, REF_MAX};
    if (i >= MPT_ITEMS_MAX) {
        return RC(MALFORMED);
    }
    for (;;) {
        if (ref.n == REF_MAX && ref.p[0] == 0xa0) {
            if (used == proof->n || used == MPT_PROOF_MAX) {
                return RC(DENIED);
            }
            node = proof->node[used++];
            struct hash h = keccak256(node);
            if (memcmp(h.b, ref.p + 1, sizeof(h.b)) != 0) {
                return RC(DENIED);
            }
        } else if (ref.n > 0 && ref.n < 32 && ref.p[0] >= 0xc0) {
            node = ref; /* held inside its parent */
        } else {
            return RC(DENIED);
        }
        switch (step(node, &k, &at, &ref)) {
        case STEP_FOUND:
            *item = ref;
            return used == proof->n ? RC_OK : RC(DENIED);
        case STEP_BAD:
            return RC(DENIED);
        case STEP_DOWN:
            break;
        }
    }
}
