/* SPDX-License-Identifier: Apache-2.0 */
/* modinv.c - the binary extended Euclidean algorithm. u and v shrink; x·a = u and y·a = v (mod p)
 * always. All trailing zeroes of u are shifted out at once: x must then be divided by 2^k, which
 * adding the right multiple of p makes exact. */
#include "crypto/modinv.h"

__extension__ typedef unsigned __int128 u128;

static bool is_one(const struct u256 *a)
{
    return a->w[0] == 1 && (a->w[1] | a->w[2] | a->w[3]) == 0;
}

static bool less(const struct u256 *a, const struct u256 *b)
{
    for (int i = 3; i >= 0; i--) {
        if (a->w[i] != b->w[i]) {
            return a->w[i] < b->w[i];
        }
    }
    return false;
}

/* a -= b; returns the borrow. */
static uint64_t sub(struct u256 *a, const struct u256 *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        u128 d = (u128)a->w[i] - b->w[i] - borrow;
        a->w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return borrow;
}

static void sub_mod(struct u256 *a, const struct u256 *b, const struct u256 *p)
{
    if (sub(a, b) != 0) {
        u128 carry = 0;
        for (int i = 0; i < 4; i++) {
            carry += (u128)a->w[i] + p->w[i];
            a->w[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
}

/* x / 2^k mod p; 1 <= k <= 63. neg_inverse: -1/p mod 2^64. */
static void shift_mod(struct u256 *x, unsigned k, const struct u256 *p, uint64_t neg_inverse)
{
    uint64_t m = x->w[0] * neg_inverse & (((uint64_t)1 << k) - 1), w[5];
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)p->w[i] * m + x->w[i];
        w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    w[4] = (uint64_t)carry;
    for (int i = 0; i < 4; i++) {
        x->w[i] = w[i] >> k | w[i + 1] << (64 - k);
    }
}

static void strip(struct u256 *u, struct u256 *x, const struct u256 *p, uint64_t neg_inverse)
{
    while ((u->w[0] & 1) == 0) {
        unsigned k = u->w[0] == 0 ? 63 : (unsigned)__builtin_ctzll(u->w[0]);
        for (int i = 0; i < 3; i++) {
            u->w[i] = u->w[i] >> k | u->w[i + 1] << (64 - k);
        }
        u->w[3] >>= k;
        shift_mod(x, k, p, neg_inverse);
    }
}

struct u256 modinv_var(struct u256 a, struct u256 p)
{
    struct u256 u = a, v = p, x = u256_from(1), y = u256_from(0);
    uint64_t inverse = p.w[0]; /* right in 3 bits; each step of Newton's doubles them */
    for (int i = 0; i < 5; i++) {
        inverse *= 2 - p.w[0] * inverse;
    }
    ASSERT((p.w[0] & 1) != 0 && !u256_is_zero(a) && less(&a, &p));
    strip(&u, &x, &p, 0 - inverse);
    while (!is_one(&u)) {
        if (less(&u, &v)) {
            struct u256 t = u;
            u = v;
            v = t;
            t = x;
            x = y;
            y = t;
        }
        (void)sub(&u, &v);
        sub_mod(&x, &y, &p);
        ASSERT(!u256_is_zero(u)); /* else a and p have a common factor */
        strip(&u, &x, &p, 0 - inverse);
    }
    return x;
}
