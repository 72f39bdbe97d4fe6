/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"
#include "base/log.h"
#include "base/u256.h"
#include "tests/test.h"

static void arena_respects_its_cap(void)
{
    struct arena a;
    arena_init(&a, 100);
    CHECK(ARENA_ARRAY(&a, uint64_t, 8) != NULL);
    CHECK(ARENA_ARRAY(&a, uint64_t, 8) == NULL);
    CHECK(ARENA_ARRAY(&a, uint64_t, SIZE_MAX / 4) == NULL);
    arena_reset(&a);
    CHECK(arena_alloc(&a, 0) != NULL);
    arena_reset(&a);
}

static void errors_gain_context_going_up(void)
{
    struct err e = {0};
    rc r = err_set(&e, RC_CODE_IO, "open %s: %s", "/x", "no");
    r = err_wrap(&e, r, "start ledger");
    CHECK(!rc_ok(r) && r.code == RC_CODE_IO);
    CHECK(strcmp(e.msg, "start ledger: open /x: no") == 0);
}

static void cursor_failure_sticks(void)
{
    struct cur c = cur_of(BYTES_LIT("\x01\x02\x03"));
    CHECK(take_be(&c, 2) == 0x0102);
    CHECK(take_be(&c, 2) == 0 && c.bad != NULL);
    CHECK(take_be(&c, 1) == 0 && !rc_ok(cur_end(&c)));
    c = cur_of(BYTES_LIT("\x01\x02"));
    CHECK(take_le(&c, 2) == 0x0201 && rc_ok(cur_end(&c)));
    c = cur_of(BYTES_LIT("\x01"));
    CHECK(hash_is_zero(take_hash(&c)) && c.bad != NULL);
}

static void buffer_refuses_whole_puts(void)
{
    BUF_FREE b = buf_new(8);
    put_str(&b, "1234567");
    put_be(&b, 0x4142, 2);
    CHECK(b.full && b.n == 7 && !rc_ok(buf_end(&b)));
    buf_reset(&b);
    put_fmt(&b, "%d", 42);
    CHECK(strcmp(buf_cstr(&b), "42") == 0 && b.n == 2);
    BUF_FREE big = buf_new(4096);
    put_fmt(&big, "%01000d", 7);
    CHECK(big.n == 1000 && big.p[999] == '7');
}

static uint64_t seed = 88172645463325252u;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct u256 random_u256(void)
{
    struct u256 v = {{next(), next(), next(), next()}};
    for (unsigned keep = (unsigned)(next() % 5), i = keep; i < 4; i++) {
        v.w[i] = 0; /* small numbers as often as large ones */
    }
    return v;
}

/* a = q·b + r with r < b, and the inverses of every operation, over many sizes. */
static void u256_laws_hold(void)
{
    for (int i = 0; i < 20000; i++) {
        struct u256 a = random_u256(), b = random_u256(), q, r, t;
        CHECK(u256_div(&q, &r, a, b) == !u256_is_zero(b));
        if (!u256_is_zero(b)) {
            CHECK(u256_lt(r, b) && u256_mul(&t, q, b) && u256_add(&t, t, r) && u256_eq(t, a));
        }
        bool fits = u256_add(&t, a, b);
        CHECK(fits == !u256_lt(t, a));
        CHECK(u256_sub(&r, a, b) == !u256_lt(a, b));
        uint8_t be[32];
        u256_to_be(be, a);
        CHECK(u256_eq(u256_from_be(be), a));
        char dec[U256_DEC_MAX];
        CHECK(rc_ok(u256_parse(&t, u256_dec(a, dec))) && u256_eq(t, a));
    }
}

static void u256_limits(void)
{
    struct u256 max = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, t;
    CHECK(!u256_add(&t, max, u256_from(1)) && !u256_mul(&t, max, u256_from(2)));
    CHECK(!u256_sub(&t, u256_from(0), u256_from(1)));
    CHECK(u256_bits(max) == 256 && u256_bits(u256_from(0)) == 0 && u256_bits(u256_from(8)) == 4);
    CHECK(rc_ok(u256_parse(&t, "0xff")) && u256_eq(t, u256_from(255)));
    const char *bad[] = {
        "",
        "0x",
        "-1",
        "1 ",
        "0xg",
        "1e9",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!rc_ok(u256_parse(&t, bad[i])));
    }
}

int main(void)
{
    enum log_level l;
    CHECK(log_level_parse(&l, "debug") && l == LOG_DEBUG && !log_level_parse(&l, "loud"));
    arena_respects_its_cap();
    errors_gain_context_going_up();
    cursor_failure_sticks();
    buffer_refuses_whole_puts();
    u256_laws_hold();
    u256_limits();
    return 0;
}
