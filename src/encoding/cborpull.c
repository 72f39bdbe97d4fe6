/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/cborpull.h"

enum { INFO_INDEFINITE = 31, SIMPLE_FALSE = 0xf4, SIMPLE_TRUE, SIMPLE_NULL, SIMPLE_UNDEFINED };
enum { BREAK = 0xff };

/* A head: major type and argument, in the shortest form (RFC 8949 4.2.1). Major type CBOR_NOTHING
 * after a failure. `open` NULL: no indefinite length here. */
static enum cbor_major take_head(struct cur *c, uint64_t *v, bool *open)
{
    uint64_t first = take_be(c, 1);
    unsigned info = first & 31;
    *v = info;
    if (info == INFO_INDEFINITE && open != NULL) {
        *open = true;
    } else if (info >= 28) {
        cur_fail(c, "cbor: length is reserved, or indefinite where that is not allowed");
    } else if (info >= 24) {
        static const uint64_t least[] = {24, 1 << 8, 1 << 16, (uint64_t)1 << 32};
        *v = take_be(c, (size_t)1 << (info - 24));
        if (*v < least[info - 24]) {
            cur_fail(c, "cbor: a number is not in its shortest form");
        }
    }
    return c->bad != NULL ? CBOR_NOTHING : (enum cbor_major)(first >> 5);
}

static uint64_t take_as(struct cur *c, enum cbor_major want, const char *what)
{
    uint64_t v;
    if (cbor_peek(c) != want) {
        cur_fail(c, what);
        return 0;
    }
    return take_head(c, &v, NULL) == want ? v : 0;
}

uint64_t cbor_take_uint(struct cur *c)
{
    return take_as(c, CBOR_UINT, "cbor: an unsigned number is expected");
}

int64_t cbor_take_int(struct cur *c)
{
    bool negative = cbor_peek(c) == CBOR_NINT;
    uint64_t v = negative ? take_as(c, CBOR_NINT, "") : cbor_take_uint(c);
    if (v > INT64_MAX) {
        cur_fail(c, "cbor: a number is too large");
        return 0;
    }
    return c->bad != NULL ? 0 : negative ? -1 - (int64_t)v : (int64_t)v;
}

static struct bytes take_string(struct cur *c, uint64_t n)
{
    if (n > c->n) { /* also when it would not fit a size_t */
        cur_fail(c, "cbor: a string is longer than what is left");
        return (struct bytes){0};
    }
    return take_bytes(c, (size_t)n);
}

struct bytes cbor_take_bytes(struct cur *c)
{
    return take_string(c, take_as(c, CBOR_BYTES, "cbor: a byte string is expected"));
}

/* RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF. */
static bool is_utf8(struct bytes b)
{
    size_t i = 0;
    while (i < b.n) {
        uint8_t ch = b.p[i++];
        size_t more = ch < 0x80 ? 0 : ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;
        uint8_t low = ch == 0xe0 ? 0xa0 : ch == 0xf0 ? 0x90 : 0x80;
        uint8_t high = ch == 0xed ? 0x9f : ch == 0xf4 ? 0x8f : 0xbf;
        if ((ch >= 0x80 && ch < 0xc2) || ch > 0xf4 || more > b.n - i) {
            return false;
        }
        for (; more > 0; more--, i++, low = 0x80, high = 0xbf) {
            if (b.p[i] < low || b.p[i] > high) {
                return false;
            }
        }
    }
    return true;
}

struct bytes cbor_take_text(struct cur *c)
{
    struct bytes t = take_string(c, take_as(c, CBOR_TEXT, "cbor: a text is expected"));
    if (!is_utf8(t)) {
        cur_fail(c, "cbor: a text is not UTF-8");
        return (struct bytes){0};
    }
    return t;
}

uint64_t cbor_take_tag(struct cur *c)
{
    return take_as(c, CBOR_TAG, "cbor: a tag is expected");
}

bool cbor_take_bool(struct cur *c)
{
    uint64_t v = take_be(c, 1);
    if (v != SIMPLE_FALSE && v != SIMPLE_TRUE) {
        cur_fail(c, "cbor: true or false is expected");
    }
    return c->bad == NULL && v == SIMPLE_TRUE;
}

bool cbor_take_null(struct cur *c)
{
    bool is = c->bad == NULL && c->n > 0 && c->p[0] == SIMPLE_NULL;
    (void)take_bytes(c, is ? 1 : 0);
    return is;
}

bool cbor_take_tag_if(struct cur *c, uint64_t t)
{
    struct cur ahead = *c;
    if (cbor_peek(c) != CBOR_TAG || cbor_take_tag(&ahead) != t || ahead.bad != NULL) {
        return false;
    }
    *c = ahead;
    return true;
}

static void open_seq(struct cur *c, struct cbor_seq *s, enum cbor_form form, enum cbor_major want,
                     const char *what)
{
    s->left = 0;
    s->open = false;
    s->n_key = 0;
    if (cbor_peek(c) != want) {
        cur_fail(c, what);
        return;
    }
    (void)take_head(c, &s->left, form == CBOR_ANY_LENGTH ? &s->open : NULL);
    size_t least = want == CBOR_MAP ? 2 : 1; /* bytes of an element */
    if (!s->open && s->left > c->n / least) {
        cur_fail(c, "cbor: more elements than bytes");
    }
}

void cbor_take_array(struct cur *c, struct cbor_seq *s, enum cbor_form form)
{
    open_seq(c, s, form, CBOR_ARRAY, "cbor: an array is expected");
}

void cbor_take_map(struct cur *c, struct cbor_seq *s, enum cbor_form form)
{
    open_seq(c, s, form, CBOR_MAP, "cbor: a map is expected");
}

bool cbor_more(struct cur *c, struct cbor_seq *s)
{
    if (c->bad != NULL) {
        return false;
    }
    if (s->open) {
        bool end = c->n > 0 && c->p[0] == BREAK;
        (void)take_bytes(c, end ? 1 : 0);
        if (c->n == 0 && !end) {
            cur_fail(c, "cbor: truncated");
        }
        s->open = !end && c->bad == NULL;
        s->left = 0;
        return s->open;
    }
    if (s->left == 0) {
        return false;
    }
    s->left--;
    return true;
}

/* Heads are in their shortest form, so equal keys are equal bytes. */
static void keep_key(struct cur *c, struct cbor_seq *s, const uint8_t *from)
{
    if (c->bad != NULL) {
        return;
    }
    struct bytes key = {from, (size_t)(c->p - from)};
    for (size_t i = 0; i < s->n_key; i++) {
        if (bytes_eq(s->key[i], key)) {
            cur_fail(c, "cbor: a key is in a map twice");
            return;
        }
    }
    if (s->n_key == CBOR_KEYS) {
        cur_fail(c, "cbor: a map has more entries than are read");
        return;
    }
    s->key[s->n_key++] = key;
}

int64_t cbor_key_int(struct cur *c, struct cbor_seq *s)
{
    const uint8_t *from = c->p;
    int64_t v = cbor_take_int(c);
    keep_key(c, s, from);
    return v;
}

struct bytes cbor_key_text(struct cur *c, struct cbor_seq *s)
{
    const uint8_t *from = c->p;
    struct bytes v = cbor_take_text(c);
    keep_key(c, s, from);
    return c->bad != NULL ? (struct bytes){0} : v;
}

struct bytes cbor_key_any(struct cur *c, struct cbor_seq *s)
{
    struct bytes v = cbor_skip(c, CBOR_DEFINITE);
    keep_key(c, s, v.p);
    return c->bad != NULL ? (struct bytes){0} : v;
}

static void skip(struct cur *c, enum cbor_form form, int depth);

static void skip_seq(struct cur *c, enum cbor_form form, enum cbor_major what, int depth)
{
    struct cbor_seq s;
    open_seq(c, &s, form, what, "");
    while (cbor_more(c, &s)) {
        if (what == CBOR_MAP) {
            const uint8_t *from = c->p;
            skip(c, CBOR_DEFINITE, depth + 1);
            keep_key(c, &s, from);
        }
        skip(c, form, depth + 1);
    }
}

static void skip(struct cur *c, enum cbor_form form, int depth)
{
    if (depth > CBOR_DEPTH) {
        cur_fail(c, "cbor: nested too deeply");
        return;
    }
    switch (cbor_peek(c)) {
    case CBOR_UINT:
    case CBOR_NINT: {
        uint64_t v;
        (void)take_head(c, &v, NULL);
        return;
    }
    case CBOR_BYTES:
        (void)cbor_take_bytes(c);
        return;
    case CBOR_TEXT:
        (void)cbor_take_text(c);
        return;
    case CBOR_ARRAY:
    case CBOR_MAP:
        skip_seq(c, form, cbor_peek(c), depth);
        return;
    case CBOR_TAG:
        (void)cbor_take_tag(c);
        skip(c, form, depth + 1);
        return;
    case CBOR_SIMPLE: {
        uint64_t v = take_be(c, 1);
        if (v < SIMPLE_FALSE || v > SIMPLE_UNDEFINED) {
            cur_fail(c, "cbor: a float or simple value that no token has");
        }
        return;
    }
    case CBOR_NOTHING:
        cur_fail(c, "cbor: truncated");
    }
}

struct bytes cbor_skip(struct cur *c, enum cbor_form form)
{
    const uint8_t *from = c->p;
    skip(c, form, 1);
    return c->bad != NULL ? (struct bytes){0} : (struct bytes){from, (size_t)(c->p - from)};
}
