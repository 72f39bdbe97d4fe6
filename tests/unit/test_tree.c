/* SPDX-License-Identifier: Apache-2.0 */
/* Random updates against a plain table: the root must depend on the set of records alone, and every
 * record must prove what it is, or that it is not there. */
#include "chain/tree/tree.h"

#include "tests/test.h"

enum { PLACES = 4096, KEYS = 300 };

struct place {
    uint8_t key[TREE_KEY_MAX];
    size_t key_n;
    uint8_t node[TREE_NODE_MAX];
    size_t n;
};

struct nodes {
    struct place at[PLACES];
    size_t used;
};

static struct nodes a, b;

static struct place *find(struct nodes *s, struct bytes key)
{
    for (size_t i = 0; i < s->used; i++) {
        if (bytes_eq(key, (struct bytes){s->at[i].key, s->at[i].key_n})) {
            return &s->at[i];
        }
    }
    return NULL;
}

static rc get(void *ctx, struct bytes key, struct bytes *node)
{
    struct place *p = find(ctx, key);
    if (p == NULL || p->n == 0) {
        return RC(NOT_FOUND);
    }
    *node = (struct bytes){p->node, p->n};
    return RC_OK;
}

static rc put(void *ctx, struct bytes key, struct bytes node)
{
    struct nodes *s = ctx;
    struct place *p = find(s, key);
    if (p == NULL) {
        CHECK(s->used < PLACES);
        p = &s->at[s->used++];
        memcpy(p->key, key.p, key.n);
        p->key_n = key.n;
    }
    if (node.n > 0) {
        memcpy(p->node, node.p, node.n);
    }
    p->n = node.n;
    return RC_OK;
}

static uint32_t seed = 12345;

static uint32_t next(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static struct hash path_of(uint32_t key)
{
    return tree_path(BYTES_OF(key));
}

static struct hash content_of(uint32_t value)
{
    return tree_content(BYTES_OF(value));
}

/* The root of the same records, put in at once. */
static struct hash root_afresh(const uint32_t value[KEYS])
{
    static struct tree_change c[KEYS];
    size_t n = 0;
    struct hash root = {0};
    memset(&b, 0, sizeof(b));
    for (uint32_t k = 0; k < KEYS; k++) {
        if (value[k] != 0) {
            c[n++] = (struct tree_change){.path = path_of(k), .content = content_of(value[k])};
        }
    }
    CHECK(rc_ok(tree_update(&root, &(struct tree_io){&b, get, put}, c, n)));
    return root;
}

static void check_proof(struct hash root, const struct tree_io *io, uint32_t key, uint32_t value)
{
    BUF_FREE p = buf_new(1 << 20);
    bool found = false;
    struct hash content;
    CHECK(rc_ok(tree_prove(&p, root, io, path_of(key))));
    CHECK(rc_ok(tree_check(&found, &content, root, path_of(key), buf_bytes(&p))));
    CHECK(found == (value != 0) && (!found || hash_eq(content, content_of(value))));
    if (p.n > 0) {
        size_t at = next() % p.n;
        p.p[at] ^= 4;
        CHECK(!rc_ok(tree_check(&found, &content, root, path_of(key), buf_bytes(&p))));
        p.p[at] ^= 4;
        CHECK(
            !rc_ok(tree_check(&found, &content, root, path_of(key), (struct bytes){p.p, p.n - 1})));
    }
}

int main(void)
{
    static uint32_t value[KEYS];
    struct tree_io io = {&a, get, put};
    struct hash root = {0};
    check_proof(root, &io, 1, 0);
    for (int round = 0; round < 300; round++) {
        struct tree_change c[20];
        bool used[KEYS] = {false};
        size_t n = 0;
        for (uint32_t want = 1 + next() % 20; want > 0; want--) {
            uint32_t k = next() % (round < 30 ? 4 : KEYS);
            if (used[k]) {
                continue;
            }
            used[k] = true;
            value[k] = next() % 3 == 0 ? 0 : 1 + next();
            c[n++] = (struct tree_change){
                .path = path_of(k), .content = content_of(value[k]), .removed = value[k] == 0};
        }
        CHECK(rc_ok(tree_update(&root, &io, c, n)));
        CHECK(hash_eq(root, root_afresh(value)));
        uint32_t k = next() % KEYS;
        check_proof(root, &io, k, value[k]);
    }
    struct tree_change gone[KEYS];
    for (uint32_t k = 0; k < KEYS; k++) {
        gone[k] = (struct tree_change){.path = path_of(k), .removed = true};
    }
    CHECK(rc_ok(tree_update(&root, &io, gone, KEYS)) && hash_is_zero(root));
    for (size_t i = 0; i < a.used; i++) {
        CHECK(a.at[i].n == 0); /* nothing is left behind */
    }
    root = content_of(7);
    CHECK(tree_update(&root, &io, gone, 1).code == RC_CODE_CORRUPT);
    return 0;
}
