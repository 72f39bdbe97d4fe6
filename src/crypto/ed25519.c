/* SPDX-License-Identifier: Apache-2.0 */
/* ed25519.c - the curve -x² + y² = 1 + d x² y² over 2^255 - 19 with numbers of five limbs of 51 bits,
 * points in extended coordinates (Hisil, Wong, Carter, Dawson 2008), S·B - h·A by one interleaved
 * walk over both scalars. */
#include "crypto/ed25519.h"

#include <nettle/sha3.h>
#include <openssl/bn.h>

__extension__ typedef unsigned __int128 u128;

/* --- numbers mod p ------------------------------------------------------------------------------ */

/* Limbs of a product are below 2^52; sums and differences of two such are good factors as they are. */
struct fe {
    uint64_t v[5];
};

enum { LIMB = 51 };
#define MASK (((uint64_t)1 << LIMB) - 1)

static const struct fe fe_one = {{1}};
static const struct fe fe_d = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
static const struct fe fe_2d = {
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
static const struct fe fe_i = {/* a root of -1 */
                               {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                0x2b8324804fc1d}};

static struct fe fe_add(struct fe a, struct fe b)
{
    for (size_t i = 0; i < 5; i++) {
        a.v[i] += b.v[i];
    }
    return a;
}

/* a + 4p - b: no limb goes below zero. */
static struct fe fe_sub(struct fe a, struct fe b)
{
    a.v[0] += 4 * (MASK - 18) - b.v[0];
    for (size_t i = 1; i < 5; i++) {
        a.v[i] += 4 * MASK - b.v[i];
    }
    return a;
}

/* 2^255 = 19, so what goes out at the top comes in at the bottom times 19. */
static struct fe carry(u128 r0, u128 r1, u128 r2, u128 r3, u128 r4)
{
    struct fe r;
    r1 += r0 >> LIMB;
    r2 += r1 >> LIMB;
    r3 += r2 >> LIMB;
    r4 += r3 >> LIMB;
    u128 low = ((uint64_t)r0 & MASK) + (r4 >> LIMB) * 19;
    r.v[0] = (uint64_t)low & MASK;
    r.v[1] = ((uint64_t)r1 & MASK) + (uint64_t)(low >> LIMB);
    r.v[2] = (uint64_t)r2 & MASK;
    r.v[3] = (uint64_t)r3 & MASK;
    r.v[4] = (uint64_t)r4 & MASK;
    return r;
}

#define X(i, j) ((u128)a.v[i] * (j))

static struct fe fe_mul(struct fe a, struct fe b)
{
    uint64_t b0 = b.v[0], b1 = b.v[1], b2 = b.v[2], b3 = b.v[3], b4 = b.v[4];
    uint64_t c1 = 19 * b1, c2 = 19 * b2, c3 = 19 * b3, c4 = 19 * b4;
    return carry(X(0, b0) + X(1, c4) + X(2, c3) + X(3, c2) + X(4, c1),
                 X(0, b1) + X(1, b0) + X(2, c4) + X(3, c3) + X(4, c2),
                 X(0, b2) + X(1, b1) + X(2, b0) + X(3, c4) + X(4, c3),
                 X(0, b3) + X(1, b2) + X(2, b1) + X(3, b0) + X(4, c4),
                 X(0, b4) + X(1, b3) + X(2, b2) + X(3, b1) + X(4, b0));
}

static struct fe fe_sqr(struct fe a)
{
    uint64_t d0 = 2 * a.v[0], d1 = 2 * a.v[1], d2 = 2 * a.v[2];
    uint64_t c3 = 19 * a.v[3], c4 = 19 * a.v[4];
    return carry(X(0, a.v[0]) + X(4, 2 * 19 * a.v[1]) + X(3, 2 * 19 * a.v[2]),
                 X(1, d0) + X(4, 19 * d2) + X(3, c3), X(2, d0) + X(1, a.v[1]) + X(4, 2 * c3),
                 X(3, d0) + X(2, d1) + X(4, c4), X(4, d0) + X(3, d1) + X(2, a.v[2]));
}

#undef X

static struct fe fe_sqr_n(struct fe a, int n)
{
    while (n-- > 0) {
        a = fe_sqr(a);
    }
    return a;
}

/* z^(2^250 - 1), and z^11 beside it: what both exponents below have in common. */
static struct fe fe_pow_250(struct fe z, struct fe *z11)
{
    struct fe z2 = fe_sqr(z);
    struct fe z9 = fe_mul(fe_sqr_n(z2, 2), z);
    *z11 = fe_mul(z9, z2);
    struct fe p5 = fe_mul(fe_sqr(*z11), z9);
    struct fe p10 = fe_mul(fe_sqr_n(p5, 5), p5);
    struct fe p20 = fe_mul(fe_sqr_n(p10, 10), p10);
    struct fe p40 = fe_mul(fe_sqr_n(p20, 20), p20);
    struct fe p50 = fe_mul(fe_sqr_n(p40, 10), p10);
    struct fe p100 = fe_mul(fe_sqr_n(p50, 50), p50);
    struct fe p200 = fe_mul(fe_sqr_n(p100, 100), p100);
    return fe_mul(fe_sqr_n(p200, 50), p50);
}

static struct fe fe_invert(struct fe z) /* z^(p - 2) */
{
    struct fe z11, p = fe_pow_250(z, &z11);
    return fe_mul(fe_sqr_n(p, 5), z11);
}

static struct fe fe_pow_p58(struct fe z) /* z^((p - 5) / 8) */
{
    struct fe z11, p = fe_pow_250(z, &z11);
    return fe_mul(fe_sqr_n(p, 2), z);
}

static struct fe fe_from(const uint8_t b[32]) /* the top bit does not count */
{
    struct fe r = {{0}};
    for (size_t bit = 0; bit < 255; bit++) {
        r.v[bit / LIMB] |= (uint64_t)(b[bit / 8] >> bit % 8 & 1) << bit % LIMB;
    }
    return r;
}

/* The one number below p, little-endian. */
static void fe_to(uint8_t out[32], struct fe a)
{
    a = carry(a.v[0], a.v[1], a.v[2], a.v[3], a.v[4]);
    a = carry(a.v[0], a.v[1], a.v[2], a.v[3], a.v[4]);
    uint64_t q = (a.v[0] + 19) >> LIMB; /* 1 when a >= p */
    for (size_t i = 1; i < 5; i++) {
        q = (a.v[i] + q) >> LIMB;
    }
    a.v[0] += 19 * q;
    for (size_t i = 0; i < 4; i++) {
        a.v[i + 1] += a.v[i] >> LIMB;
        a.v[i] &= MASK;
    }
    a.v[4] &= MASK;
    memset(out, 0, 32);
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < LIMB; k++) {
            size_t bit = i * LIMB + k;
            out[bit / 8] |= (uint8_t)((a.v[i] >> k & 1) << bit % 8);
        }
    }
}

static bool fe_is_zero(struct fe a)
{
    static const uint8_t zero[32];
    uint8_t b[32];
    fe_to(b, a);
    return memcmp(b, zero, sizeof(b)) == 0;
}

/* --- points ------------------------------------------------------------------------------------- */

struct point { /* x = X/Z, y = Y/Z, xy = T/Z */
    struct fe x, y, z, t;
};

struct cached { /* of the second summand */
    struct fe plus, minus, z2, t2d;
};

static const struct point base = {
    {{0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe, 0x216936d3cd6e5}},
    {{0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333, 0x6666666666666}},
    {{1}},
    {{0x68ab3a5b7dda3, 0xeea2a5eadbb, 0x2af8df483c27e, 0x332b375274732, 0x67875f0fd78b7}}};

static struct cached cache(const struct point *p)
{
    return (struct cached){fe_add(p->y, p->x), fe_sub(p->y, p->x), fe_add(p->z, p->z),
                           fe_mul(p->t, fe_2d)};
}

static struct point join(struct fe e, struct fe f, struct fe g, struct fe h)
{
    return (struct point){fe_mul(e, f), fe_mul(g, h), fe_mul(f, g), fe_mul(e, h)};
}

/* p + q, or p - q. The formulas are complete: no case is left out. */
static struct point point_add(const struct point *p, const struct cached *q, bool minus)
{
    struct fe a = fe_mul(fe_sub(p->y, p->x), minus ? q->plus : q->minus);
    struct fe b = fe_mul(fe_add(p->y, p->x), minus ? q->minus : q->plus);
    struct fe c = fe_mul(p->t, q->t2d), d = fe_mul(p->z, q->z2);
    return join(fe_sub(b, a), minus ? fe_add(d, c) : fe_sub(d, c),
                minus ? fe_sub(d, c) : fe_add(d, c), fe_add(b, a));
}

static struct point point_double(const struct point *p)
{
    struct fe a = fe_sqr(p->x), b = fe_sqr(p->y), zz = fe_sqr(p->z);
    struct fe h = fe_add(a, b), g = fe_sub(a, b);
    return join(fe_sub(h, fe_sqr(fe_add(p->x, p->y))), fe_add(fe_add(zz, zz), g), g, h);
}

/* RFC 8032 5.1.3. False: no point, or not in its one encoding. */
static bool point_from(struct point *p, const uint8_t b[32])
{
    uint8_t again[32];
    bool odd = b[31] >> 7 != 0;
    struct fe y = fe_from(b), yy = fe_sqr(y);
    fe_to(again, y);
    again[31] |= (uint8_t)(odd ? 0x80 : 0);
    struct fe u = fe_sub(yy, fe_one), v = fe_add(fe_mul(yy, fe_d), fe_one);
    struct fe v3 = fe_mul(fe_sqr(v), v);
    struct fe uv7 = fe_mul(fe_mul(fe_sqr(v3), v), u);
    struct fe x = fe_mul(fe_mul(u, v3), fe_pow_p58(uv7));
    struct fe vxx = fe_mul(v, fe_sqr(x));
    if (!fe_is_zero(fe_sub(vxx, fe_mul(u, fe_one)))) {
        if (!fe_is_zero(fe_add(vxx, u))) {
            return false;
        }
        x = fe_mul(x, fe_i);
    }
    uint8_t xb[32];
    fe_to(xb, x);
    if (memcmp(again, b, 32) != 0 || (odd && fe_is_zero(x))) {
        return false;
    }
    if (((xb[0] & 1) != 0) != odd) {
        x = fe_mul(fe_sub((struct fe){{0}}, x), fe_one);
    }
    *p = (struct point){x, y, fe_one, fe_mul(x, y)};
    return true;
}

static void point_to(uint8_t out[32], const struct point *p)
{
    uint8_t x[32];
    struct fe inverse = fe_invert(p->z);
    fe_to(x, fe_mul(p->x, inverse));
    fe_to(out, fe_mul(p->y, inverse));
    out[31] |= (uint8_t)((x[0] & 1) << 7);
}

/* --- scalars ------------------------------------------------------------------------------------ */

enum { DIGITS = 257, ODD = 8 }; /* odd multiples 1, 3 … 15 */

/* Signed digits, zero or odd below 16, never two within five places. n < 2^253. */
static void recode(int8_t digit[DIGITS], const uint8_t n[32])
{
    memset(digit, 0, DIGITS);
    for (size_t i = 0; i < 256; i++) {
        digit[i] = (int8_t)(n[i / 8] >> i % 8 & 1);
    }
    for (size_t i = 0; i < DIGITS; i++) {
        if (digit[i] == 0) {
            continue;
        }
        int value = 0;
        size_t width = MIN((size_t)5, DIGITS - i);
        for (size_t k = 0; k < width; k++) {
            value += (digit[i + k] & 1) << k;
            digit[i + k] = 0;
        }
        if (value > 15) { /* the same as value - 32 and one more above */
            value -= 32;
            size_t k = i + 5;
            while (k < DIGITS && digit[k] == 1) {
                digit[k++] = 0;
            }
            ASSERT(k < DIGITS);
            digit[k] = 1;
        }
        digit[i] = (int8_t)value;
        i += 4;
    }
}

static void odd_multiples(struct cached out[ODD], const struct point *p)
{
    struct point twice = point_double(p), at = *p;
    struct cached step = cache(&twice);
    for (size_t i = 0; i < ODD; i++) {
        out[i] = cache(&at);
        at = point_add(&at, &step, false);
    }
}

static void apply(struct point *r, const struct cached odd[ODD], int digit, bool minus)
{
    if (digit != 0) {
        size_t i = (size_t)(digit < 0 ? -digit : digit) / 2;
        *r = point_add(r, &odd[i], (digit < 0) != minus);
    }
}

/* s·B - h·A */
static struct point combine(const uint8_t s[32], const uint8_t h[32], const struct point *a)
{
    int8_t ds[DIGITS], dh[DIGITS];
    struct cached of_b[ODD], of_a[ODD];
    struct point r = {.y = fe_one, .z = fe_one};
    recode(ds, s);
    recode(dh, h);
    odd_multiples(of_b, &base);
    odd_multiples(of_a, a);
    size_t i = DIGITS;
    while (i > 0 && ds[i - 1] == 0 && dh[i - 1] == 0) {
        i--;
    }
    while (i-- > 0) {
        r = point_double(&r);
        apply(&r, of_b, ds[i], false);
        apply(&r, of_a, dh[i], true);
    }
    return r;
}

/* The group's order, little-endian. */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

static bool below_order(const uint8_t s[32])
{
    for (size_t i = 32; i-- > 0;) {
        if (s[i] != order[i]) {
            return s[i] < order[i];
        }
    }
    return false;
}

static bool reduce(uint8_t out[32], const uint8_t challenge[64])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *n = BN_lebin2bn(challenge, 64, NULL), *l = BN_lebin2bn(order, 32, NULL);
    bool good = ctx != NULL && n != NULL && l != NULL && BN_mod(n, n, l, ctx) == 1 &&
                BN_bn2lebinpad(n, out, 32) == 32;
    BN_free(n);
    BN_free(l);
    BN_CTX_free(ctx);
    return good;
}

rc ed25519_check(struct bytes key, const uint8_t challenge[64], struct bytes sig)
{
    struct point a;
    uint8_t h[32], r[32];
    if (key.n != 32 || sig.n != 64 || !below_order(sig.p + 32) || !point_from(&a, key.p)) {
        return RC(MALFORMED);
    }
    if (!reduce(h, challenge)) {
        return RC(IO);
    }
    struct point back = combine(sig.p + 32, h, &a);
    point_to(r, &back);
    return memcmp(r, sig.p, 32) == 0 ? RC_OK : RC(DENIED);
}

rc ed25519_sha3_verify(struct bytes key, struct bytes msg, struct bytes sig)
{
    struct sha3_512_ctx ctx;
    uint8_t challenge[SHA3_512_DIGEST_SIZE];
    if (key.n != 32 || sig.n != 64) {
        return RC(MALFORMED);
    }
    sha3_512_init(&ctx);
    sha3_512_update(&ctx, 32, sig.p);
    sha3_512_update(&ctx, 32, key.p);
    sha3_512_update(&ctx, msg.n, msg.p);
    sha3_512_digest(&ctx, sizeof(challenge), challenge);
    return ed25519_check(key, challenge, sig);
}
