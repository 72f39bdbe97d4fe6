/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_CBORPULL_H
#define SOUK_ENCODING_CBORPULL_H

/* cborpull.h - a bounded walk over CBOR (RFC 8949) that comes from outside. It allocates nothing and
 * copies nothing; views point into the input, and the first failure sticks in the cursor.
 *
 * Stricter than the RFC, as tokens that are signed must have one reading: every head in its shortest
 * form, strings of definite length and valid UTF-8, no floats, no key twice in a map, at most
 * CBOR_DEPTH levels and CBOR_KEYS entries of a map. Arrays and maps of indefinite length are read
 * only where the caller says that the format has them. */

#include "base/cur.h"

enum { CBOR_DEPTH = 12, CBOR_KEYS = 64 };

enum cbor_major {
    CBOR_UINT,
    CBOR_NINT,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE,
    CBOR_NOTHING, /* the end, or a failure before */
};

/* The next item's major type without taking it. */
static inline enum cbor_major cbor_peek(const struct cur *c)
{
    return c->bad == NULL && c->n > 0 ? (enum cbor_major)(c->p[0] >> 5) : CBOR_NOTHING;
}

uint64_t cbor_take_uint(struct cur *c);
int64_t cbor_take_int(struct cur *c); /* fails outside of int64_t */
struct bytes cbor_take_bytes(struct cur *c);
struct bytes cbor_take_text(struct cur *c);
uint64_t cbor_take_tag(struct cur *c);
bool cbor_take_bool(struct cur *c);

bool cbor_take_null(struct cur *c);               /* takes it when it is next; else false */
bool cbor_take_tag_if(struct cur *c, uint64_t t); /* the same for one tag */

/* The elements of an array, or the entries of a map:
 *     struct cbor_seq s;
 *     cbor_take_array(c, &s, CBOR_DEFINITE);
 *     while (cbor_more(c, &s)) …one element…
 * A map's key is taken with cbor_key_int() or cbor_key_text() (or cbor_key_any(), a view of any
 * key), which refuse one that was there before; then comes the value. */
enum cbor_form { CBOR_DEFINITE, CBOR_ANY_LENGTH };

struct cbor_seq {
    uint64_t left;
    bool open; /* of indefinite length: ends with a break */
    struct bytes key[CBOR_KEYS];
    size_t n_key;
};

void cbor_take_array(struct cur *c, struct cbor_seq *s, enum cbor_form form);
void cbor_take_map(struct cur *c, struct cbor_seq *s, enum cbor_form form);
bool cbor_more(struct cur *c, struct cbor_seq *s);
int64_t cbor_key_int(struct cur *c, struct cbor_seq *s);
struct bytes cbor_key_text(struct cur *c, struct cbor_seq *s);
struct bytes cbor_key_any(struct cur *c, struct cbor_seq *s);

/* Takes one item of any type with all that is in it, checked as above; returns its bytes. */
struct bytes cbor_skip(struct cur *c, enum cbor_form form);

#endif /* SOUK_ENCODING_CBORPULL_H */
