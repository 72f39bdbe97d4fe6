/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_BASE_U256_H
#define SOUK_BASE_U256_H

/* u256.h - unsigned 256-bit integers, the chain's number. Every operation that can leave the range
 * says so; nothing wraps unless its name does. */

#include "base/rc.h"

struct u256 {
    uint64_t w[4]; /* little-endian words: w[0] is the lowest */
};

static inline struct u256 u256_from(uint64_t v)
{
    return (struct u256){{v, 0, 0, 0}};
}

static inline bool u256_is_zero(struct u256 a)
{
    return (a.w[0] | a.w[1] | a.w[2] | a.w[3]) == 0;
}

/* True when a < 2^64; *out is then its value. */
static inline bool u256_to_u64(struct u256 a, uint64_t *out)
{
    *out = a.w[0];
    return (a.w[1] | a.w[2] | a.w[3]) == 0;
}

int u256_cmp(struct u256 a, struct u256 b); /* <0, 0, >0 */

static inline bool u256_eq(struct u256 a, struct u256 b)
{
    return u256_cmp(a, b) == 0;
}

static inline bool u256_lt(struct u256 a, struct u256 b)
{
    return u256_cmp(a, b) < 0;
}

bool u256_add(struct u256 *r, struct u256 a, struct u256 b) MUST_CHECK; /* false on overflow */
bool u256_sub(struct u256 *r, struct u256 a, struct u256 b) MUST_CHECK; /* false when a < b */
bool u256_mul(struct u256 *r, struct u256 a, struct u256 b) MUST_CHECK; /* false on overflow */

/* Floor of a / b, and a mod b in *rem (may be NULL); false when b is zero. */
bool u256_div(struct u256 *r, struct u256 *rem, struct u256 a, struct u256 b) MUST_CHECK;

unsigned u256_bits(struct u256 a); /* position of the highest set bit plus one; 0 for zero */

struct u256 u256_from_be(const uint8_t b[32]);
void u256_to_be(uint8_t b[32], struct u256 a);

/* Big-endian bytes, at most 32; false when longer. Leading zeroes are allowed. */
bool u256_from_bytes(struct u256 *r, struct bytes be) MUST_CHECK;

#define U256_DEC_MAX 80 /* 78 digits, NUL */

/* Decimal text, NUL-terminated; returns out. */
char *u256_dec(struct u256 a, char out[U256_DEC_MAX]);

/* Decimal or 0x-hexadecimal text without sign, spaces or separators. */
rc u256_parse(struct u256 *r, const char *s);

#endif /* SOUK_BASE_U256_H */
