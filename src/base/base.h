/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_BASE_BASE_H
#define SOUK_BASE_BASE_H

/* base.h - the handful of types and macros that every module uses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN          __attribute__((noreturn))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))

/* Kept in release builds: a broken invariant stops the process with its place in the source. */
#define ASSERT(c) ((c) ? (void)0 : assert_failed(#c, __FILE__, __LINE__))

NORETURN void assert_failed(const char *what, const char *file, int line);

/* A read-only view of bytes owned by somebody else. */
struct bytes {
    const uint8_t *p;
    size_t n; /* bytes */
};

/* A 20-byte account address and a 32-byte hash or id, as the chain writes them (big-endian). */
struct address {
    uint8_t b[20];
};

struct hash {
    uint8_t b[32];
};

#define BYTES_OF(x) ((struct bytes){(const uint8_t *)&(x), sizeof(x)}) /* an address, a hash */
#define BYTES_INIT(lit)                                                                            \
    {                                                                                              \
        (const uint8_t *)("" lit), sizeof(lit) - 1                                                 \
    } /* in static tables */
#define BYTES_LIT(lit) ((struct bytes){(const uint8_t *)("" lit), sizeof(lit) - 1})

static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool address_eq(struct address a, struct address b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static inline bool address_is_zero(struct address a)
{
    return address_eq(a, (struct address){0});
}

static inline bool hash_eq(struct hash a, struct hash b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static inline bool hash_is_zero(struct hash a)
{
    return hash_eq(a, (struct hash){0});
}

_Static_assert(sizeof(size_t) == 8 && sizeof(void *) == 8, "LP64 only");

#endif /* SOUK_BASE_BASE_H */
