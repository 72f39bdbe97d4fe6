/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_BASE_CUR_H
#define SOUK_BASE_CUR_H

/* cur.h - the only way to read untrusted bytes.
 *
 * A cursor is a window [p, p+n). take_* consumes from the front; the first failure sticks: the
 * window becomes empty, every later take yields zeroes, and `bad` names the reason. So a parser
 * reads straight down like the format's own field table and asks cur_end() once at its end. */

#include <string.h>

#include "base/rc.h"

struct cur {
    const uint8_t *p;
    size_t n;        /* bytes left */
    const char *bad; /* static string, NULL while good */
};

static inline struct cur cur_of(struct bytes b)
{
    return (struct cur){.p = b.p, .n = b.n};
}

static inline void cur_fail(struct cur *c, const char *why)
{
    if (c->bad == NULL) {
        c->bad = why;
    }
    c->n = 0;
}

static inline struct bytes take_bytes(struct cur *c, size_t n)
{
    if (n > c->n) {
        cur_fail(c, "truncated");
        return (struct bytes){0};
    }
    struct bytes b = {c->p, n};
    if (n > 0) {
        c->p += n;
        c->n -= n;
    }
    return b;
}

/* Big-endian unsigned of size 1..8 bytes. */
static inline uint64_t take_be(struct cur *c, size_t size)
{
    struct bytes b = take_bytes(c, size);
    uint64_t v = 0;
    for (size_t i = 0; i < b.n; i++) {
        v = v << 8 | b.p[i];
    }
    return v;
}

/* Fixed-size values: copied out, zero after a failure. */
static inline struct address take_address(struct cur *c)
{
    struct address a = {0};
    struct bytes b = take_bytes(c, sizeof(a.b));
    if (b.n == sizeof(a.b)) {
        memcpy(a.b, b.p, sizeof(a.b));
    }
    return a;
}

static inline struct hash take_hash(struct cur *c)
{
    struct hash h = {0};
    struct bytes b = take_bytes(c, sizeof(h.b));
    if (b.n == sizeof(h.b)) {
        memcpy(h.b, b.p, sizeof(h.b));
    }
    return h;
}

/* Little-endian unsigned of size 1..8 bytes. */
static inline uint64_t take_le(struct cur *c, size_t size)
{
    struct bytes b = take_bytes(c, size);
    uint64_t v = 0;
    for (size_t i = b.n; i > 0; i--) {
        v = v << 8 | b.p[i - 1];
    }
    return v;
}

/* A cursor over the next n bytes, so a length prefix can never be exceeded by its contents. */
static inline struct cur take_sub(struct cur *c, size_t n)
{
    struct cur sub = cur_of(take_bytes(c, n));
    sub.bad = c->bad;
    return sub;
}

/* OK when nothing failed and nothing is left over. */
static inline rc cur_end(const struct cur *c)
{
    return c->bad == NULL && c->n == 0 ? RC_OK : RC(MALFORMED);
}

#endif /* SOUK_BASE_CUR_H */
