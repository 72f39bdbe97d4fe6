/* SPDX-License-Identifier: Apache-2.0 */
/* The book's database: rows, the tally that triggers keep, conditions, and the sums of locks. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "daemon/market/market_int.h"
#include "io/file.h"
#include "tests/test.h"

static struct market m;

static struct address address_of(unsigned i)
{
    struct hash h = keccak256(BYTES_OF(i));
    struct address a = {0};
    if (i > 0) {
        memcpy(a.b, h.b, sizeof(a.b));
    }
    return a;
}

static struct order_row order_of(enum order_kind kind, unsigned i)
{
    struct order_row o = {
        .kind = kind,
        .hash = keccak256(BYTES_OF(i)),
        .signer = address_of(1 + i % 5),
        .app = address_of(kind == ORDER_APP ? 10 + i % 3 : i % 2),
        .dataset = address_of(kind == ORDER_DATASET ? 20 + i % 3 : i / 2 % 2),
        .workerpool = address_of(kind == ORDER_WORKERPOOL ? 30 + i % 3 : i / 4 % 2),
        .requester = address_of(kind == ORDER_REQUEST ? 1 + i % 5 : i / 8 % 2),
        .price = i * 7919 % 100,
        .volume = 10 + i % 10,
        .remaining = 1 + i % 10,
        .category = i % 4,
        .trust = i % 3,
        .published_ms = 1000 + i,
        .body = "{}",
    };
    o.tag.b[31] = (uint8_t)(i % 16);
    o.tag.b[0] = (uint8_t)(i % 11 == 0);
    return o;
}

static uint64_t ask(const char *sql)
{
    struct err e = {0};
    struct where w = WHERE_NEW;
    struct stmt *s = query_stmt(&m, sql, &w, &e);
    bool row;
    CHECK(s != NULL && rc_ok(stmt_step(s, &row, &e)) && row);
    uint64_t n = stmt_u64(s, 0);
    stmt_reset(s);
    buf_free(&w.sql);
    return n;
}

/* Each tally equals a count, for each column, key and mask. */
static void check_tally(void)
{
    static const char *const columns[KINDS][2] = {
        {"app", "dataset"}, {"dataset", "app"}, {"workerpool", "category"}, {"app", "category"}};
    char sql[1024];
    for (int k = 0; k < KINDS; k++) {
        const char *t = kind_names[k];
        (void)snprintf(sql, sizeof(sql),
                       "SELECT ifnull(sum(n), 0) FROM tally WHERE kind = '%s' AND col = ''", t);
        uint64_t all = ask(sql);
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE status = 0", t);
        CHECK(all == ask(sql));
        for (int c = 0; c < 3; c++) {
            const char *col = c == 2 ? "signer" : columns[k][c];
            (void)snprintf(
                sql, sizeof(sql),
                "SELECT count(*) FROM (SELECT %s AS k, mask AS m, t0 AS t, trust AS r, count(*) AS "
                "n FROM %s"
                " WHERE status = 0 GROUP BY 1, 2, 3, 4) AS a LEFT JOIN tally AS b ON"
                " b.kind = '%s' AND b.col = '%s' AND b.key = a.k AND b.mask = a.m AND b.t0 = a.t"
                " AND b.trust = a.r"
                " WHERE b.n IS NULL OR b.n <> a.n",
                col, t, t, col);
            CHECK(ask(sql) == 0);
            (void)snprintf(sql, sizeof(sql),
                           "SELECT sum(n) FROM tally WHERE kind = '%s' AND col = '%s'", t, col);
            CHECK(ask(sql) == all);
        }
    }
}

static void test_rows(void)
{
    struct err e = {0};
    struct arena a;
    arena_init(&a, 1 << 20);
    for (unsigned i = 1; i <= 400; i++) {
        struct order_row o = order_of((enum order_kind)(i % KINDS), i);
        CHECK(rc_ok(order_put(&m, &o, &e)));
        CHECK(!rc_ok(order_put(&m, &o, &e))); /* the same hash twice */
    }
    check_tally();
    for (unsigned i = 1; i <= 400; i += 3) {
        struct order_row o = order_of((enum order_kind)(i % KINDS), i);
        if (i % 2 == 0) {
            CHECK(rc_ok(order_drop(&m, o.kind, o.hash, &e)));
        } else {
            CHECK(rc_ok(order_set(&m, o.kind, o.hash, 0, ORDER_FILLED, i, &e)));
        }
    }
    check_tally();
    for (unsigned i = 1; i <= 400; i += 9) { /* some are open again, after a reorganisation */
        struct order_row o = order_of((enum order_kind)(i % KINDS), i);
        CHECK(rc_ok(order_set(&m, o.kind, o.hash, 1, ORDER_OPEN, i, &e)));
    }
    check_tally();
    struct order_row want = order_of(ORDER_DATASET, 9);
    struct order_row got;
    bool found;
    CHECK(rc_ok(order_get(&m, &got, &a, &found, ORDER_DATASET, want.hash, &e)) && found);
    CHECK(got.volume == want.volume && hash_eq(got.tag, want.tag) && got.status == ORDER_OPEN &&
          address_eq(got.signer, want.signer) && got.published_ms == want.published_ms);
    CHECK(rc_ok(order_get(&m, &got, &a, &found, ORDER_APP, want.hash, &e)) && !found);
    uint64_t n;
    CHECK(rc_ok(order_count_open(&m, ORDER_APP, address_of(99), &n, &e)) && n == 0);
    arena_reset(&a);
}

static void test_fetch(void)
{
    struct err e = {0};
    struct arena a;
    struct order_row *list;
    size_t n;
    arena_init(&a, 1 << 20);
    struct where w = WHERE_NEW;
    where_number(&w, "category = ?", 2);
    where_number(&w, "remaining >= ?", 3);
    CHECK(rc_ok(
        orders_fetch(&m, ORDER_WORKERPOOL, &w, "price, published, hash", 1000, &a, &list, &n, &e)));
    CHECK(n > 3);
    for (size_t i = 0; i < n; i++) {
        CHECK(list[i].category == 2 && list[i].remaining >= 3 && list[i].status == ORDER_OPEN);
        CHECK(i == 0 || list[i - 1].price < list[i].price ||
              (list[i - 1].price == list[i].price &&
               list[i - 1].published_ms < list[i].published_ms));
    }
    CHECK(rc_ok(orders_fetch(&m, ORDER_WORKERPOOL, &w, "price", 2, &a, &list, &n, &e)) && n == 2);
    buf_free(&w.sql);
    arena_reset(&a);
}

static void test_sums(void)
{
    struct u256 need;
    uint64_t t[TAG_WORDS];
    struct hash tag = {0};
    tag.b[31] = 9;
    tag.b[0] = 0x80;
    tag_words(t, tag);
    CHECK(t[0] == 9 && t[1] == 0 && t[4] == 0x80000000);
    struct order_row o = {.kind = ORDER_WORKERPOOL, .price = 101, .remaining = 10};
    CHECK(order_affordable(&o, u256_from(300), &need) && u256_eq(need, u256_from(300)));
    CHECK(!order_affordable(&o, u256_from(299), &need));
    o = (struct order_row){.kind = ORDER_REQUEST,
                           .price = NUMBER_MAX,
                           .app_max = NUMBER_MAX,
                           .dataset_max = NUMBER_MAX,
                           .remaining = NUMBER_MAX};
    CHECK(!order_affordable(&o, u256_from(UINT64_MAX), &need));
    CHECK(order_mask(&o) == 0);
    o.dataset = address_of(1);
    o.tag = tag;
    CHECK(order_mask(&o) == (MASK_DATASET | MASK_HIGH_TAG));
}

static void test_limits(void)
{
    m.cfg.rate = 3;
    CHECK(rate_take(&m, "127.0.0.1") && rate_take(&m, "::1"));
    for (int i = 0; i < 5; i++) {
        CHECK(rate_take(&m, "192.0.2.1") == (i < 3));
    }
    CHECK(rate_take(&m, "192.0.2.2"));
    m.cfg.rate_local = true;
    for (int i = 0; i < 5; i++) {
        CHECK(rate_take(&m, "127.0.0.1") == (i < 3));
    }
}

int main(void)
{
    char dir[] = "/tmp/souk-test-XXXXXX";
    struct err e = {0};
    CHECK(mkdtemp(dir) != NULL);
    m.cfg.dir = dir;
    market_auth_open(&m);
    rc r = book_open(&m, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    test_sums();
    test_rows();
    test_fetch();
    test_limits();
    query_close(&m);
    db_close(m.db);
    market_auth_close(&m);
    CHECK(rc_ok(dir_remove(dir, &e)));
    return 0;
}
