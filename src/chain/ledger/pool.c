/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - transactions that wait for a block. Each sender's are sorted by nonce; those that follow
 * the account's nonce without a gap are pending, the others queued. */
#include <inttypes.h>
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "encoding/hex.h"

enum { QUEUED_MAX = 1024, POOL_DEF = 50000, BUMP_PERCENT = 10 };

struct sender {
    struct address address;
    uint64_t nonce;     /* of the account, after the newest block */
    struct pooled **tx; /* by nonce */
    size_t n, alloc;
    size_t pending;                /* the first ones of tx */
    struct u256 cost;              /* of all */
    struct sender *next;           /* of the same bucket */
    struct sender *before, *after; /* of all */
    size_t picked;                 /* by pool_pick */
    struct u256 tip;               /* of tx[picked] */
};

struct pool {
    uint64_t max, clock, version;
    size_t buckets; /* a power of two */
    struct pooled **by_hash;
    struct sender **by_address;
    struct sender *all;
    size_t n, pending, senders;

    struct sender **heap; /* of pool_pick: best at 0 */
    size_t heap_n, heap_alloc;
    struct u256 base_fee;
    struct sender *current;
};

static void *must(void *p)
{
    ASSERT(p != NULL);
    return p;
}

struct pool *pool_new(uint64_t max)
{
    struct pool *p = must(calloc(1, sizeof(*p)));
    p->max = max == 0 ? POOL_DEF : max;
    p->buckets = 1024;
    while (p->buckets < p->max) {
        p->buckets *= 2;
    }
    p->by_hash = must(calloc(p->buckets, sizeof(*p->by_hash)));
    p->by_address = must(calloc(p->buckets, sizeof(*p->by_address)));
    p->version = 1;
    return p;
}

void pooled_free(struct pooled *t)
{
    free(t);
}

static void sender_free(struct sender *s)
{
    free(s->tx);
    free(s);
}

void pool_clear(struct pool *p)
{
    for (size_t i = 0; i < p->buckets; i++) {
        for (struct pooled *t = p->by_hash[i], *next; t != NULL; t = next) {
            next = t->next;
            pooled_free(t);
        }
        for (struct sender *s = p->by_address[i], *next; s != NULL; s = next) {
            next = s->next;
            sender_free(s);
        }
        p->by_hash[i] = NULL;
        p->by_address[i] = NULL;
    }
    p->all = NULL;
    p->n = p->pending = p->senders = 0;
    p->version++;
}

void pool_free(struct pool *p)
{
    if (p != NULL) {
        pool_clear(p);
        free(p->by_hash);
        free(p->by_address);
        free(p->heap);
        free(p);
    }
}

static size_t bucket(const struct pool *p, const uint8_t *b)
{
    uint64_t v;
    memcpy(&v, b, sizeof(v));
    return (size_t)(v * 0x9e3779b97f4a7c15u >> 20) & (p->buckets - 1);
}

struct pooled *pool_find(const struct pool *p, struct hash h)
{
    struct pooled *t = p->by_hash[bucket(p, h.b)];
    while (t != NULL && !hash_eq(t->hash, h)) {
        t = t->next;
    }
    return t;
}

static struct sender *find_sender(const struct pool *p, struct address a)
{
    struct sender *s = p->by_address[bucket(p, a.b)];
    while (s != NULL && !address_eq(s->address, a)) {
        s = s->next;
    }
    return s;
}

static struct sender *make_sender(struct pool *p, struct address a)
{
    struct sender *s = find_sender(p, a);
    if (s == NULL) {
        s = must(calloc(1, sizeof(*s)));
        s->address = a;
        s->next = p->by_address[bucket(p, a.b)];
        p->by_address[bucket(p, a.b)] = s;
        s->after = p->all;
        if (p->all != NULL) {
            p->all->before = s;
        }
        p->all = s;
        p->senders++;
    }
    return s;
}

static void drop_if_empty(struct pool *p, struct sender *s)
{
    if (s->n > 0) {
        return;
    }
    struct sender **at = &p->by_address[bucket(p, s->address.b)];
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    *(s->before != NULL ? &s->before->after : &p->all) = s->after;
    if (s->after != NULL) {
        s->after->before = s->before;
    }
    p->senders--;
    sender_free(s);
}

/* Where the nonce stands, or would stand. */
static size_t place(const struct sender *s, uint64_t nonce)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->tx[mid]->e.nonce < nonce) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void forget(struct pool *p, struct pooled *t)
{
    struct pooled **at = &p->by_hash[bucket(p, t->hash.b)];
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    p->n--;
    p->pending -= t->pending;
    pooled_free(t);
}

/* Takes n transactions from place i of a sender out of the pool. */
static void cut(struct pool *p, struct sender *s, size_t i, size_t n)
{
    for (size_t k = i; k < i + n; k++) {
        ASSERT(u256_sub(&s->cost, s->cost, s->tx[k]->cost));
        forget(p, s->tx[k]);
    }
    memmove(&s->tx[i], &s->tx[i + n], (s->n - i - n) * sizeof(*s->tx));
    s->n -= n;
    p->version++;
}

/* Finds anew which of a sender's transactions are pending. */
static void sort_out(struct pool *p, struct sender *s, void (*fn)(void *ctx, struct hash h),
                     void *ctx)
{
    s->pending = 0;
    while (s->pending < s->n && s->tx[s->pending]->e.nonce == s->nonce + s->pending) {
        s->pending++;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct pooled *t = s->tx[i];
        bool now = i < s->pending;
        if (now == t->pending) {
            continue;
        }
        t->pending = now;
        p->pending += now;
        p->pending -= !now;
        if (now && fn != NULL) {
            fn(ctx, t->hash);
        }
    }
}

uint64_t pool_nonce(const struct pool *p, struct address a, uint64_t nonce)
{
    const struct sender *s = find_sender(p, a);
    return s != NULL && s->nonce == nonce ? nonce + s->pending : nonce;
}

struct pool_counts pool_counts(const struct pool *p)
{
    return (struct pool_counts){.pending = p->pending, .queued = p->n - p->pending};
}

uint64_t pool_version(const struct pool *p)
{
    return p->version;
}

/* --- coming in --- */

static struct u256 fee_cap(const struct eth_tx *e)
{
    return e->type == 2 ? e->max_fee : e->gas_price;
}

static struct u256 tip_cap(const struct eth_tx *e)
{
    return e->type == 2 ? e->tip : e->gas_price;
}

/* Is b at least ten percent above a, and above it at all? */
static bool outbids(struct u256 b, struct u256 a)
{
    struct u256 least, offer;
    return u256_lt(a, b) && u256_mul(&least, a, u256_from(100 + BUMP_PERCENT)) &&
           u256_mul(&offer, b, u256_from(100)) && !u256_lt(offer, least);
}

/* geth's words for one that the sender cannot pay beside what waits already. */
static rc check_funds(const struct pooled *t, struct standing at, struct u256 queued, struct err *e)
{
    char have[U256_DEC_MAX], cost[U256_DEC_MAX], other[U256_DEC_MAX], over[U256_DEC_MAX];
    struct u256 sum, left;
    if (u256_lt(at.balance, t->cost)) {
        ASSERT(u256_sub(&left, t->cost, at.balance));
        return err_set(e, RC_CODE_DENIED,
                       "insufficient funds for gas * price + value: balance %s, tx cost %s, "
                       "overshot %s",
                       u256_dec(at.balance, have), u256_dec(t->cost, cost), u256_dec(left, over));
    }
    if (u256_add(&sum, queued, t->cost) && !u256_lt(at.balance, sum)) {
        return RC_OK;
    }
    if (!u256_sub(&left, sum, at.balance)) {
        left = at.balance;
    }
    return err_set(e, RC_CODE_DENIED,
                   "insufficient funds for gas * price + value: balance %s, queued cost %s, tx "
                   "cost %s, overshot %s",
                   u256_dec(at.balance, have), u256_dec(queued, other), u256_dec(t->cost, cost),
                   u256_dec(left, over));
}

/* The one that a better offer pushes out: a queued one when there is any, else the last of the
 * sender whose last offers least. */
static struct sender *weakest(const struct pool *p)
{
    struct sender *worst = NULL;
    bool worst_queued = false;
    for (struct sender *s = p->all; s != NULL; s = s->after) {
        bool queued = s->n > s->pending;
        if (worst != NULL && (worst_queued && !queued)) {
            continue;
        }
        if (worst == NULL || (queued && !worst_queued) ||
            u256_lt(tip_cap(&s->tx[s->n - 1]->e), tip_cap(&worst->tx[worst->n - 1]->e))) {
            worst = s;
            worst_queued = queued;
        }
    }
    return worst;
}

static rc make_room(struct pool *p, const struct pooled *t, bool queued, struct err *e)
{
    if (p->n < p->max) {
        return RC_OK;
    }
    struct sender *s = weakest(p);
    ASSERT(s != NULL && s->n > 0);
    struct pooled *last = s->tx[s->n - 1];
    bool better = (!last->pending && !queued) || u256_lt(tip_cap(&last->e), tip_cap(&t->e));
    if (!better) {
        return err_set(e, RC_CODE_DENIED, "txpool is full");
    }
    if (address_eq(s->address, t->from)) {
        return err_set(e, RC_CODE_DENIED, "txpool is full");
    }
    cut(p, s, s->n - 1, 1);
    s->pending = MIN(s->pending, s->n);
    drop_if_empty(p, s);
    return RC_OK;
}

static void insert(struct pool *p, struct sender *s, size_t i, struct pooled *t)
{
    if (s->n == s->alloc) {
        s->alloc = s->alloc == 0 ? 4 : 2 * s->alloc;
        s->tx = must(realloc(s->tx, s->alloc * sizeof(*s->tx)));
    }
    memmove(&s->tx[i + 1], &s->tx[i], (s->n - i) * sizeof(*s->tx));
    s->tx[i] = t;
    s->n++;
    ASSERT(u256_add(&s->cost, s->cost, t->cost));
    t->next = p->by_hash[bucket(p, t->hash.b)];
    p->by_hash[bucket(p, t->hash.b)] = t;
    t->arrival = ++p->clock;
    t->pending = false;
    p->n++;
    p->version++;
}

static rc check_nonce(const struct pooled *t, struct standing at, struct err *e)
{
    if (t->e.nonce < at.nonce) {
        return err_set(e, RC_CODE_DENIED,
                       "nonce too low: next nonce %" PRIu64 ", tx nonce %" PRIu64, at.nonce,
                       t->e.nonce);
    }
    return RC_OK;
}

rc pool_add(struct pool *p, struct pooled *t, struct standing at,
            void (*fn)(void *ctx, struct hash h), void *ctx, struct err *e)
{
    struct u256 others = u256_from(0);
    if (pool_find(p, t->hash) != NULL) {
        return err_set(e, RC_CODE_DENIED, "already known");
    }
    TRY(check_nonce(t, at, e));
    struct sender *s = find_sender(p, t->from);
    size_t i = s != NULL ? place(s, t->e.nonce) : 0;
    struct pooled *old = s != NULL && i < s->n && s->tx[i]->e.nonce == t->e.nonce ? s->tx[i] : NULL;
    if (s != NULL) {
        others = s->cost;
        if (old != NULL) {
            ASSERT(u256_sub(&others, others, old->cost));
        }
    }
    TRY(check_funds(t, at, others, e));
    if (old != NULL) {
        if (!outbids(fee_cap(&t->e), fee_cap(&old->e)) ||
            !outbids(tip_cap(&t->e), tip_cap(&old->e))) {
            return err_set(e, RC_CODE_DENIED, "replacement transaction underpriced");
        }
        cut(p, s, i, 1);
        s->pending = MIN(s->pending, i);
    } else {
        bool queued = t->e.nonce != (s != NULL ? s->nonce + s->pending : at.nonce);
        if (queued && s != NULL && s->n - s->pending >= QUEUED_MAX) {
            return err_set(e, RC_CODE_DENIED, "account limit exceeded: %d queued transactions",
                           QUEUED_MAX);
        }
        TRY(make_room(p, t, queued, e));
    }
    s = make_sender(p, t->from);
    s->nonce = at.nonce;
    insert(p, s, i, t);
    sort_out(p, s, fn, ctx);
    return RC_OK;
}

/* --- going out --- */

bool pool_drop(struct pool *p, struct hash h)
{
    struct pooled *t = pool_find(p, h);
    if (t == NULL) {
        return false;
    }
    struct sender *s = find_sender(p, t->from);
    cut(p, s, place(s, t->e.nonce), 1);
    sort_out(p, s, NULL, NULL);
    drop_if_empty(p, s);
    return true;
}

void pool_settle(struct pool *p, struct address a, uint64_t nonce)
{
    struct sender *s = find_sender(p, a);
    if (s == NULL) {
        return;
    }
    size_t gone = place(s, nonce);
    if (gone > 0) {
        cut(p, s, 0, gone);
    }
    if (gone > 0 || s->nonce != nonce) {
        s->nonce = nonce;
        sort_out(p, s, NULL, NULL);
        p->version++;
    }
    drop_if_empty(p, s);
}

static int by_address(const void *a, const void *b)
{
    const struct sender *x = *(struct sender *const *)a, *y = *(struct sender *const *)b;
    return memcmp(x->address.b, y->address.b, sizeof(x->address.b));
}

void pool_each(const struct pool *p, bool (*fn)(void *ctx, const struct pooled *t), void *ctx)
{
    struct sender **list = must(calloc(p->senders + 1, sizeof(struct sender *)));
    size_t n = 0;
    bool more = true;
    for (size_t i = 0; i < p->buckets; i++) {
        for (struct sender *s = p->by_address[i]; s != NULL; s = s->next) {
            list[n++] = s;
        }
    }
    qsort(list, n, sizeof(*list), by_address);
    for (size_t i = 0; i < n && more; i++) {
        for (size_t k = 0; k < list[i]->n && more; k++) {
            more = fn(ctx, list[i]->tx[k]);
        }
    }
    free(list);
}

/* --- the order of blocks --- */

static bool goes_before(const struct sender *a, const struct sender *b)
{
    int c = u256_cmp(a->tip, b->tip);
    return c != 0 ? c > 0 : a->tx[a->picked]->arrival < b->tx[b->picked]->arrival;
}

static void sift_down(struct pool *p, size_t i)
{
    for (;;) {
        size_t best = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < p->heap_n; k++) {
            best = goes_before(p->heap[k], p->heap[best]) ? k : best;
        }
        if (best == i) {
            return;
        }
        struct sender *s = p->heap[i];
        p->heap[i] = p->heap[best];
        p->heap[best] = s;
        i = best;
    }
}

/* Does the sender's next transaction offer the base fee? Its tip is then known. */
static bool offers(const struct pool *p, struct sender *s)
{
    struct u256 price;
    return s->picked < s->pending && eth_tx_price(&price, &s->tx[s->picked]->e, p->base_fee) &&
           u256_sub(&s->tip, price, p->base_fee);
}

void pool_pick_begin(struct pool *p, struct u256 base_fee)
{
    p->base_fee = base_fee;
    p->heap_n = 0;
    p->current = NULL;
    if (p->heap_alloc < p->senders) {
        p->heap_alloc = p->senders * 2;
        p->heap = must(realloc(p->heap, p->heap_alloc * sizeof(*p->heap)));
    }
    for (struct sender *s = p->all; s != NULL; s = s->after) {
        s->picked = 0;
        if (offers(p, s)) {
            p->heap[p->heap_n++] = s;
        }
    }
    for (size_t i = p->heap_n / 2; i > 0; i--) {
        sift_down(p, i - 1);
    }
}

static void take_top(struct pool *p)
{
    p->heap[0] = p->heap[--p->heap_n];
    sift_down(p, 0);
}

struct pooled *pool_pick(struct pool *p)
{
    if (p->current != NULL) { /* the one at the top was taken: its next one competes */
        p->current->picked++;
        if (offers(p, p->current)) {
            sift_down(p, 0);
        } else {
            take_top(p);
        }
    }
    p->current = p->heap_n > 0 ? p->heap[0] : NULL;
    return p->current != NULL ? p->current->tx[p->current->picked] : NULL;
}

void pool_pick_skip(struct pool *p)
{
    if (p->current != NULL) {
        take_top(p);
        p->current = NULL;
    }
}
