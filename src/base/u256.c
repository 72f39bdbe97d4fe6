/* SPDX-License-Identifier: Apache-2.0 */
#include "base/u256.h"

int u256_cmp(struct u256 a, struct u256 b)
{
    for (int i = 3; i >= 0; i--) {
        if (a.w[i] != b.w[i]) {
            return a.w[i] < b.w[i] ? -1 : 1;
        }
    }
    return 0;
}

bool u256_add(struct u256 *r, struct u256 a, struct u256 b)
{
    bool carry = false;
    for (int i = 0; i < 4; i++) {
        uint64_t t;
        bool c1 = __builtin_add_overflow(a.w[i], b.w[i], &t);
        bool c2 = __builtin_add_overflow(t, (uint64_t)carry, &r->w[i]);
        carry = c1 || c2;
    }
    return !carry;
}

bool u256_sub(struct u256 *r, struct u256 a, struct u256 b)
{
    bool borrow = false;
    for (int i = 0; i < 4; i++) {
        uint64_t t;
        bool b1 = __builtin_sub_overflow(a.w[i], b.w[i], &t);
        bool b2 = __builtin_sub_overflow(t, (uint64_t)borrow, &r->w[i]);
        borrow = b1 || b2;
    }
    return !borrow;
}

bool u256_mul(struct u256 *r, struct u256 a, struct u256 b)
{
    __extension__ typedef unsigned __int128 u128;
    uint64_t w[8] = {0};
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++) {
            u128 t = (u128)a.w[i] * b.w[j] + w[i + j] + carry;
            w[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        w[i + 4] = carry;
    }
    *r = (struct u256){{w[0], w[1], w[2], w[3]}};
    return (w[4] | w[5] | w[6] | w[7]) == 0;
}

unsigned u256_bits(struct u256 a)
{
    for (int i = 3; i >= 0; i--) {
        if (a.w[i] != 0) {
            return (unsigned)i * 64 + 64 - (unsigned)__builtin_clzll(a.w[i]);
        }
    }
    return 0;
}

static struct u256 shl1(struct u256 a, uint64_t low)
{
    return (struct u256){{a.w[0] << 1 | low, a.w[1] << 1 | a.w[0] >> 63, a.w[2] << 1 | a.w[1] >> 63,
                          a.w[3] << 1 | a.w[2] >> 63}};
}

/* a / b for b < 2^64: schoolbook by words, the case of every ratio and percentage. */
static uint64_t div_word(struct u256 *r, struct u256 a, uint64_t b)
{
    __extension__ typedef unsigned __int128 u128;
    u128 rem = 0;
    for (int i = 3; i >= 0; i--) {
        u128 t = rem << 64 | a.w[i];
        r->w[i] = (uint64_t)(t / b);
        rem = t % b;
    }
    return (uint64_t)rem;
}

bool u256_div(struct u256 *r, struct u256 *rem, struct u256 a, struct u256 b)
{
    struct u256 q = {0}, m = {0};
    uint64_t small;
    if (u256_is_zero(b)) {
        *r = q;
        return false;
    }
    if (u256_to_u64(b, &small)) {
        m = u256_from(div_word(&q, a, small));
    } else {
        /* Bit by bit: b >= 2^64 leaves at most 192 quotient bits, and no hot path comes here. */
        for (int i = (int)u256_bits(a) - 1; i >= 0; i--) {
            bool top = m.w[3] >> 63;
            m = shl1(m, a.w[i / 64] >> (i % 64) & 1);
            q = shl1(q, 0);
            if (top || !u256_lt(m, b)) {
                (void)!u256_sub(&m, m, b);
                q.w[0] |= 1;
            }
        }
    }
    *r = q;
    if (rem != NULL) {
        *rem = m;
    }
    return true;
}

struct u256 u256_from_be(const uint8_t b[32])
{
    struct u256 r;
    for (size_t i = 0; i < 4; i++) {
        uint64_t w;
        memcpy(&w, b + 8 * i, sizeof(w));
        r.w[3 - i] = __builtin_bswap64(w);
    }
    return r;
}

void u256_to_be(uint8_t b[32], struct u256 a)
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t w = __builtin_bswap64(a.w[3 - i]);
        memcpy(b + 8 * i, &w, sizeof(w));
    }
}

bool u256_from_bytes(struct u256 *r, struct bytes be)
{
    uint8_t b[32] = {0};
    if (be.n > 32) {
        return false;
    }
    if (be.n > 0) {
        memcpy(b + 32 - be.n, be.p, be.n);
    }
    *r = u256_from_be(b);
    return true;
}

char *u256_dec(struct u256 a, char out[U256_DEC_MAX])
{
    char rev[U256_DEC_MAX];
    size_t n = 0;
    do {
        struct u256 q;
        rev[n++] = (char)('0' + div_word(&q, a, 10));
        a = q;
    } while (!u256_is_zero(a));
    for (size_t i = 0; i < n; i++) {
        out[i] = rev[n - 1 - i];
    }
    out[n] = 0;
    return out;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

rc u256_parse(struct u256 *r, const char *s)
{
    unsigned radix = 10;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        radix = 16;
        s += 2;
    }
    struct u256 v = {0};
    if (*s == 0) {
        return RC(MALFORMED);
    }
    for (; *s != 0; s++) {
        int d = digit(*s);
        if (d >= (int)radix || !u256_mul(&v, v, u256_from(radix)) ||
            !u256_add(&v, v, u256_from((uint64_t)d))) {
            return RC(MALFORMED);
        }
    }
    *r = v;
    return RC_OK;
}
