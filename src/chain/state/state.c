/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/state/state.h"

#include <stdlib.h>

/* A version of a record. Versions of a key form a chain, newest first, so that rolling back is
 * cutting the chain. */
struct version {
    struct version *older;
    size_t write; /* its place in the undo list */
    uint32_t n, room;
    bool removed;
    uint8_t data[];
};

struct record {
    struct record *next;       /* of the same bucket */
    struct version *now;       /* NULL: as committed */
    struct version *committed; /* what the reader said; NULL: not asked yet */
    uint64_t hash;
    uint32_t key_n;
    uint8_t key[];
};

struct undo {
    struct record *r;
};

struct state {
    state_read read;
    void *ctx;
    struct arena mem;
    struct record **bucket;
    size_t buckets, records;
    struct undo *undo; /* one entry a write, in order */
    size_t undo_n, undo_alloc;
    size_t mark; /* the newest savepoint: versions written after it may be overwritten */
};

enum { BUCKETS_MIN = 1024, UNDO_KEEP = 1 << 12 }; /* kept over a reset; more is given back */

static void *must(void *p)
{
    ASSERT(p != NULL);
    return p;
}

struct state *state_new(state_read read, void *ctx)
{
    struct state *s = must(calloc(1, sizeof(*s)));
    s->read = read;
    s->ctx = ctx;
    s->buckets = BUCKETS_MIN;
    s->bucket = must(calloc(s->buckets, sizeof(struct record *)));
    arena_init(&s->mem, SIZE_MAX / 2);
    return s;
}

void state_free(struct state *s)
{
    if (s != NULL) {
        arena_reset(&s->mem);
        free(s->bucket);
        free(s->undo);
        free(s);
    }
}

void state_reset(struct state *s)
{
    arena_reset(&s->mem);
    if (s->buckets > BUCKETS_MIN) {
        free(s->bucket);
        s->buckets = BUCKETS_MIN;
        s->bucket = must(calloc(s->buckets, sizeof(struct record *)));
    } else {
        memset(s->bucket, 0, s->buckets * sizeof(struct record *));
    }
    if (s->undo_alloc > UNDO_KEEP) {
        free(s->undo);
        s->undo = NULL;
        s->undo_alloc = 0;
    }
    s->records = 0;
    s->undo_n = 0;
    s->mark = 0;
}

/* FNV-1a, folded: keys are hashes and addresses already, and the order of buckets is never seen. */
static uint64_t hash_key(struct bytes key)
{
    uint64_t h = 0xcbf29ce484222325u;
    size_t i = 0;
    for (; i + 8 <= key.n; i += 8) {
        uint64_t w;
        memcpy(&w, key.p + i, 8);
        h = (h ^ w) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    for (; i < key.n; i++) {
        h = (h ^ key.p[i]) * 0x100000001b3u;
    }
    return h ^ h >> 32;
}

static void grow(struct state *s)
{
    size_t buckets = s->buckets * 4;
    struct record **bucket = must(calloc(buckets, sizeof(struct record *)));
    for (size_t i = 0; i < s->buckets; i++) {
        for (struct record *r = s->bucket[i], *next; r != NULL; r = next) {
            next = r->next;
            r->next = bucket[r->hash & (buckets - 1)];
            bucket[r->hash & (buckets - 1)] = r;
        }
    }
    free(s->bucket);
    s->bucket = bucket;
    s->buckets = buckets;
}

static struct record *find(struct state *s, struct bytes key, bool make)
{
    uint64_t h = hash_key(key);
    for (struct record *r = s->bucket[h & (s->buckets - 1)]; r != NULL; r = r->next) {
        if (r->hash == h && bytes_eq(key, (struct bytes){r->key, r->key_n})) {
            return r;
        }
    }
    if (!make) {
        return NULL;
    }
    if (s->records >= s->buckets) {
        grow(s);
    }
    ASSERT(key.n > 0 && key.n <= STATE_KEY_MAX);
    struct record *r = must(arena_alloc(&s->mem, sizeof(*r) + key.n));
    r->hash = h;
    r->key_n = (uint32_t)key.n;
    memcpy(r->key, key.p, key.n);
    r->next = s->bucket[h & (s->buckets - 1)];
    s->bucket[h & (s->buckets - 1)] = r;
    s->records++;
    return r;
}

static struct version *version(struct state *s, struct bytes value, bool removed)
{
    struct version *v = must(arena_alloc(&s->mem, sizeof(*v) + value.n));
    v->n = v->room = (uint32_t)value.n;
    v->removed = removed;
    if (value.n > 0) {
        memcpy(v->data, value.p, value.n);
    }
    return v;
}

static rc load(struct state *s, struct record *r)
{
    struct bytes value = {0};
    if (r->committed != NULL) {
        return RC_OK;
    }
    rc got = s->read(s->ctx, (struct bytes){r->key, r->key_n}, &value);
    if (!rc_ok(got) && got.code != RC_CODE_NOT_FOUND) {
        return got;
    }
    r->committed = version(s, value, !rc_ok(got));
    return RC_OK;
}

rc state_get(struct state *s, struct bytes key, struct bytes *value)
{
    struct record *r = find(s, key, true);
    if (r->now == NULL) {
        TRY(load(s, r));
    }
    const struct version *v = r->now != NULL ? r->now : r->committed;
    if (v->removed) {
        return RC(NOT_FOUND);
    }
    *value = (struct bytes){v->data, v->n};
    return RC_OK;
}

static void push(struct state *s, struct record *r, struct version *v)
{
    if (s->undo_n == s->undo_alloc) {
        s->undo_alloc = s->undo_alloc == 0 ? 256 : 2 * s->undo_alloc;
        s->undo = must(realloc(s->undo, s->undo_alloc * sizeof(struct undo)));
    }
    v->write = s->undo_n;
    s->undo[s->undo_n++] = (struct undo){r};
    v->older = r->now;
    r->now = v;
}

void state_put(struct state *s, struct bytes key, struct bytes value)
{
    ASSERT(value.n <= STATE_VALUE_MAX);
    struct record *r = find(s, key, true);
    struct version *v = r->now;
    if (v == NULL || v->write < s->mark || value.n > v->room || value.n == 0) {
        push(s, r, version(s, value, false));
        return;
    }
    /* No savepoint can ask for the version that is there: write over it. */
    memmove(v->data, value.p, value.n);
    v->n = (uint32_t)value.n;
    v->removed = false;
}

void state_del(struct state *s, struct bytes key)
{
    push(s, find(s, key, true), version(s, (struct bytes){0}, true));
}

state_mark state_save(struct state *s)
{
    s->mark = s->undo_n;
    return s->undo_n;
}

void state_rollback(struct state *s, state_mark m)
{
    ASSERT(m <= s->undo_n);
    while (s->undo_n > m) {
        struct record *r = s->undo[--s->undo_n].r;
        r->now = r->now->older;
    }
    s->mark = m; /* it may be rolled back to again */
}

static int cmp_record(const void *a, const void *b)
{
    const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;
    int c = memcmp(x->key, y->key, MIN(x->key_n, y->key_n));
    return c != 0 ? c : (x->key_n > y->key_n) - (x->key_n < y->key_n);
}

static struct bytes view(const struct version *v)
{
    return v->removed ? (struct bytes){0} : (struct bytes){v->data, v->n};
}

static bool same(const struct version *a, const struct version *b)
{
    return a->removed == b->removed && bytes_eq(view(a), view(b));
}

rc state_changes(struct state *s,
                 rc (*fn)(void *ctx, struct bytes key, struct bytes value, struct bytes before),
                 void *ctx)
{
    size_t n = 0;
    struct record **list = must(calloc(s->records + 1, sizeof(struct record *)));
    rc r = RC_OK;
    for (size_t i = 0; i < s->buckets; i++) {
        for (struct record *x = s->bucket[i]; x != NULL; x = x->next) {
            if (x->now != NULL) {
                list[n++] = x;
            }
        }
    }
    qsort(list, n, sizeof(struct record *), cmp_record);
    for (size_t i = 0; i < n && rc_ok(r); i++) {
        r = load(s, list[i]);
        if (rc_ok(r) && !same(list[i]->now, list[i]->committed)) {
            r = fn(ctx, (struct bytes){list[i]->key, list[i]->key_n}, view(list[i]->now),
                   view(list[i]->committed));
        }
    }
    free(list);
    return r;
}

size_t state_memory(const struct state *s)
{
    return s->mem.used + s->buckets * sizeof(struct record *) + s->undo_alloc * sizeof(struct undo);
}
