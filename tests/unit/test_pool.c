/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: who is pending, who waits, who goes first, who is pushed out; and a long random life in
 * which what it says of itself must stay true. */
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "tests/test.h"

static const struct standing rich = {.nonce = 0, .balance = {{UINT64_MAX, 0, 0, 0}}};
static uint64_t told;
static uint32_t seed = 2026;

static uint32_t rnd(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static void on_pending(void *ctx, struct hash h)
{
    (void)ctx;
    (void)h;
    told++;
}

static struct pooled *make(uint8_t from, uint64_t nonce, uint64_t price)
{
    static uint64_t serial;
    struct pooled *t = calloc(1, sizeof(*t));
    CHECK(t != NULL);
    serial++;
    memcpy(t->hash.b, &serial, sizeof(serial));
    t->from.b[0] = from;
    t->e = (struct eth_tx){.nonce = nonce, .gas = 21000, .gas_price = u256_from(price)};
    CHECK(tx_cost(&t->cost, &t->e));
    return t;
}

static bool add(struct pool *p, struct pooled *t, struct standing at)
{
    rc r = pool_add(p, t, at, on_pending, NULL, NULL);
    if (!rc_ok(r)) {
        pooled_free(t);
    }
    return rc_ok(r);
}

static void refuse(struct pool *p, struct pooled *t, struct standing at, const char *text)
{
    struct err e = {0};
    CHECK(!rc_ok(pool_add(p, t, at, on_pending, NULL, &e)));
    pooled_free(t);
    if (strncmp(e.msg, text, strlen(text)) != 0) {
        (void)fprintf(stderr, "got \"%s\", want \"%s\"\n", e.msg, text);
    }
    CHECK(strncmp(e.msg, text, strlen(text)) == 0);
}

static void check_counts(const struct pool *p, uint64_t pending, uint64_t queued)
{
    struct pool_counts n = pool_counts(p);
    CHECK(n.pending == pending && n.queued == queued);
}

static void gaps_and_replacements(void)
{
    struct pool *p = pool_new(100);
    struct address a = {{1}};
    CHECK(add(p, make(1, 0, 100), rich) && add(p, make(1, 2, 100), rich));
    check_counts(p, 1, 1);
    CHECK(told == 1 && pool_nonce(p, a, 0) == 1);
    CHECK(add(p, make(1, 1, 100), rich) && told == 3 && pool_nonce(p, a, 0) == 3);
    refuse(p, make(1, 1, 109), rich, "replacement transaction underpriced");
    CHECK(add(p, make(1, 1, 110), rich));
    check_counts(p, 3, 0);
    CHECK(add(p, make(2, 0, 0), rich));
    refuse(p, make(2, 0, 0), rich, "replacement transaction underpriced");
    CHECK(add(p, make(2, 0, 1), rich));
    pool_settle(p, a, 2);
    check_counts(p, 2, 0);
    CHECK(pool_nonce(p, a, 2) == 3);
    refuse(p, make(1, 1, 500), (struct standing){2, rich.balance},
           "nonce too low: next nonce 2, tx nonce 1");
    pool_free(p);
}

static void poor_senders(void)
{
    struct pool *p = pool_new(100);
    struct standing at = {0, u256_from(2 * 21000 * 10)};
    CHECK(add(p, make(1, 0, 10), at) && add(p, make(1, 1, 10), at));
    refuse(
        p, make(1, 2, 10), at,
        "insufficient funds for gas * price + value: balance 420000, queued cost 420000, tx cost "
        "210000, overshot 210000");
    refuse(p, make(2, 0, 21), at,
           "insufficient funds for gas * price + value: balance 420000, tx cost 441000, overshot "
           "21000");
    pool_free(p);
}

static void a_full_pool(void)
{
    struct pool *p = pool_new(20);
    for (uint8_t i = 0; i < 20; i++) {
        CHECK(add(p, make(i, i % 5 == 0 ? 3 : 0, 100 + i), rich));
    }
    check_counts(p, 16, 4);
    refuse(p, make(50, 3, 1), rich, "txpool is full"); /* waits, and offers less */
    CHECK(add(p, make(51, 0, 101), rich));             /* in place of one that waits */
    check_counts(p, 17, 3);
    for (uint8_t i = 0; i < 3; i++) {
        CHECK(add(p, make((uint8_t)(60 + i), 0, 200), rich));
    }
    check_counts(p, 20, 0);
    refuse(p, make(70, 0, 101), rich, "txpool is full"); /* no better than the worst */
    CHECK(add(p, make(71, 0, 102), rich));
    check_counts(p, 20, 0);
    pool_clear(p);
    check_counts(p, 0, 0);
    for (uint64_t i = 0; i < 1024; i++) {
        CHECK(i >= 19 || add(p, make(1, i + 1, 5), rich));
    }
    pool_free(p);
}

static void order_of_blocks(void)
{
    struct pool *p = pool_new(1000);
    CHECK(add(p, make(1, 0, 10), rich) && add(p, make(2, 0, 30), rich) &&
          add(p, make(1, 1, 50), rich) && add(p, make(3, 0, 30), rich) &&
          add(p, make(4, 0, 4), rich));
    static const struct {
        uint8_t from;
        uint64_t nonce;
    } want[] = {{2, 0}, {3, 0}, {1, 0}, {1, 1}};
    pool_pick_begin(p, u256_from(5));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct pooled *t = pool_pick(p);
        CHECK(t != NULL && t->from.b[0] == want[i].from && t->e.nonce == want[i].nonce);
    }
    CHECK(pool_pick(p) == NULL); /* sender 4 does not offer the base fee */
    pool_pick_begin(p, u256_from(0));
    CHECK(pool_pick(p)->from.b[0] == 2);
    pool_pick_skip(p);
    CHECK(pool_pick(p)->from.b[0] == 3 && pool_pick(p)->from.b[0] == 1);
    pool_pick_skip(p); /* nonce 1 of sender 1 with it */
    CHECK(pool_pick(p)->from.b[0] == 4 && pool_pick(p) == NULL);
    pool_free(p);
}

struct seen {
    struct address from;
    uint64_t next, n, pending;
    const uint64_t *nonce;
};

/* Sorted by sender and nonce; pending exactly while there is no gap. */
static bool on_each(void *ctx, const struct pooled *t)
{
    struct seen *s = ctx;
    if (s->n == 0 || !address_eq(s->from, t->from)) {
        CHECK(s->n == 0 || memcmp(s->from.b, t->from.b, 20) < 0);
        s->from = t->from;
        s->next = s->nonce[t->from.b[0]];
    }
    CHECK(t->e.nonce >= s->nonce[t->from.b[0]]);
    CHECK(t->pending == (t->e.nonce == s->next));
    s->next += t->pending;
    s->n++;
    s->pending += t->pending;
    return true;
}

static void a_long_life(void)
{
    struct pool *p = pool_new(200);
    uint64_t nonce[16] = {0};
    struct hash last = {{0}};
    for (int step = 0; step < 60000; step++) {
        uint8_t who = (uint8_t)(rnd() % 16);
        struct standing at = {nonce[who], rich.balance};
        struct address a = {{who}};
        switch (rnd() % 8) {
        case 0:
            nonce[who] += rnd() % 3;
            pool_settle(p, a, nonce[who]);
            break;
        case 1:
            (void)pool_drop(p, last);
            break;
        default: {
            struct pooled *t = make(who, nonce[who] + rnd() % 12, rnd() % 50);
            struct hash h = t->hash;
            pool_settle(p, a, nonce[who]);
            last = add(p, t, at) ? h : last;
        }
        }
        if (step % 50 == 0) {
            struct seen s = {.nonce = nonce};
            pool_each(p, on_each, &s);
            check_counts(p, s.pending, s.n - s.pending);
            CHECK(s.n <= 200);
            uint64_t picked = 0;
            pool_pick_begin(p, u256_from(0));
            while (pool_pick(p) != NULL) {
                picked++;
            }
            CHECK(picked == s.pending);
        }
    }
    pool_free(p);
}

int main(void)
{
    gaps_and_replacements();
    poor_senders();
    a_full_pool();
    order_of_blocks();
    a_long_life();
    return 0;
}
