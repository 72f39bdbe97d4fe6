/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_DER_H
#define SOUK_ENCODING_DER_H

/* der.h - a bounded walk over DER (ITU-T X.690): one tag byte, definite minimal lengths, nothing
 * else. It allocates nothing and copies nothing; views point into the input. Recursion is the
 * caller's own calls, so its depth is written in the code that reads a format. */

#include "base/cur.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

#define DER_CONTEXT(n)          (0x80 | (n)) /* [n], primitive */
#define DER_CONTEXT_EXPLICIT(n) (0xa0 | (n)) /* [n], constructed */

/* The next element's tag without taking it; 0 at the end or after a failure. */
static inline uint8_t der_peek(const struct cur *c)
{
    return c->bad == NULL && c->n > 0 ? c->p[0] : 0;
}

/* Takes any element: its tag, and a cursor over its contents. `whole` (may be NULL) gets the
 * element with tag and length. High-tag-number form and indefinite lengths fail. */
struct cur der_take_any(struct cur *c, uint8_t *tag, struct bytes *whole);

/* Takes an element that must have this tag. */
struct cur der_take(struct cur *c, uint8_t tag);

/* Takes it when it is next; false leaves the cursor alone. */
bool der_take_opt(struct cur *c, uint8_t tag, struct cur *body);

struct bytes der_take_oid(struct cur *c); /* encoded contents, at least one byte */

/* A non-negative INTEGER, minimal: magnitude without leading zero (one zero byte for 0). */
struct bytes der_take_unsigned(struct cur *c);
uint64_t der_take_u64(struct cur *c); /* the same, at most 8 bytes */

bool der_take_bool(struct cur *c);           /* 0x00 or 0xff */
struct bytes der_take_bits(struct cur *c);   /* BIT STRING without unused bits */
struct bytes der_take_octets(struct cur *c); /* OCTET STRING */

/* UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5 (seconds, Z): Unix seconds. */
int64_t der_take_time(struct cur *c);

#endif /* SOUK_ENCODING_DER_H */
