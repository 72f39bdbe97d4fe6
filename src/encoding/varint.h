/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_VARINT_H
#define SOUK_ENCODING_VARINT_H

/* varint.h - unsigned LEB128 integers, as multiformats and protobuf write them. Only the shortest
 * form is accepted, so that equal values have equal bytes. */

#include "base/buf.h"
#include "base/cur.h"

#define VARINT_MAX 10 /* bytes of the longest 64-bit value */

static inline uint64_t take_varint(struct cur *c)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_MAX; i++) {
        uint64_t b = take_be(c, 1);
        if (c->bad != NULL) {
            return 0;
        }
        if (i == VARINT_MAX - 1 && b > 1) {
            break;
        }
        v |= (b & 0x7f) << (7 * i);
        if ((b & 0x80) == 0) {
            if (b == 0 && i > 0) {
                cur_fail(c, "varint is not in its shortest form");
                return 0;
            }
            return v;
        }
    }
    cur_fail(c, "varint over 64 bits");
    return 0;
}

/* Writes v to out; returns the bytes used, 1..VARINT_MAX. */
static inline size_t varint_write(uint8_t out[VARINT_MAX], uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

static inline void put_varint(struct buf *b, uint64_t v)
{
    uint8_t t[VARINT_MAX];
    put_mem(b, t, varint_write(t, v));
}

static inline size_t varint_size(uint64_t v)
{
    uint8_t t[VARINT_MAX];
    return varint_write(t, v);
}

#endif /* SOUK_ENCODING_VARINT_H */
