/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/abi.h"

enum { WORD = 32 };

static void fail(struct abi_in *a, const char *why)
{
    if (a->bad == NULL) {
        a->bad = why;
    }
    a->n = 0;
    a->head = 0;
}

/* The next head word, or 32 zero bytes after a failure. */
static const uint8_t *take_word(struct abi_in *a)
{
    static const uint8_t zero[WORD];
    if (a->n < WORD || a->head > a->n - WORD) {
        fail(a, "abi: data too short");
        return zero;
    }
    const uint8_t *w = a->p + a->head;
    a->head += WORD;
    return w;
}

static bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= p[i];
    }
    return any == 0;
}

static uint64_t word_low(const uint8_t *w)
{
    uint64_t v = 0;
    for (size_t i = WORD - 8; i < WORD; i++) {
        v = v << 8 | w[i];
    }
    return v;
}

/* A word that must be below 2^64: offsets and lengths. */
static uint64_t take_small(struct abi_in *a)
{
    const uint8_t *w = take_word(a);
    if (!is_zero(w, WORD - 8)) {
        fail(a, "abi: offset or length out of range");
        return 0;
    }
    return word_low(w);
}

struct u256 abi_take_u256(struct abi_in *a)
{
    return u256_from_be(take_word(a));
}

uint64_t abi_take_uint(struct abi_in *a, unsigned bits)
{
    const uint8_t *w = take_word(a);
    uint64_t v = word_low(w);
    if (!is_zero(w, WORD - 8) || (bits < 64 && v >> bits != 0)) {
        fail(a, "abi: value out of range");
        return 0;
    }
    return v;
}

struct address abi_take_address(struct abi_in *a)
{
    struct address v = {0};
    const uint8_t *w = take_word(a);
    if (!is_zero(w, WORD - sizeof(v.b))) {
        fail(a, "abi: dirty address");
        return v;
    }
    memcpy(v.b, w + WORD - sizeof(v.b), sizeof(v.b));
    return v;
}

struct hash abi_take_hash(struct abi_in *a)
{
    struct hash v;
    memcpy(v.b, take_word(a), sizeof(v.b));
    return v;
}

bool abi_take_bool(struct abi_in *a)
{
    return abi_take_uint(a, 1) != 0;
}

uint32_t abi_take_selector(struct abi_in *a)
{
    const uint8_t *w = take_word(a);
    if (!is_zero(w + 4, WORD - 4)) {
        fail(a, "abi: dirty bytes4");
        return 0;
    }
    return (uint32_t)w[0] << 24 | (uint32_t)w[1] << 16 | (uint32_t)w[2] << 8 | w[3];
}

/* A view of the data behind the offset in the next head word, at least `least` bytes long. */
static struct abi_in take_tail(struct abi_in *a, size_t least)
{
    uint64_t off = take_small(a);
    if (off > a->n || least > a->n - off) {
        fail(a, "abi: offset beyond the data");
    }
    if (a->bad != NULL) {
        return (struct abi_in){.bad = a->bad};
    }
    return (struct abi_in){.p = a->p + off, .n = a->n - off};
}

struct bytes abi_take_bytes(struct abi_in *a)
{
    struct abi_in t = take_tail(a, WORD);
    uint64_t n = take_small(&t);
    if (t.bad == NULL && n > t.n - WORD) {
        fail(&t, "abi: bytes beyond the data");
    }
    abi_join(a, &t);
    return t.bad == NULL ? (struct bytes){t.p + WORD, n} : (struct bytes){0};
}

const char abi_huge[] = "abi: a length beyond all memory";

/* solc finds out when its free pointer would pass 2^64; it stands within the first kilobytes. */
static bool is_huge(const uint8_t *length, uint64_t unit)
{
    return !is_zero(length, WORD - 8) || word_low(length) > (UINT64_MAX - 4096) / unit;
}

/* The place that a signed offset in the next head word leads to: false where it is before the call
 * data, or after a failure. */
static bool take_place(struct abi_in *a, const uint8_t **at)
{
    const uint8_t *w = take_word(a);
    struct u256 v = u256_from_be(w);
    uint64_t low;
    if (a->bad != NULL) {
        return false;
    }
    if ((w[0] & 0x80) != 0) {
        low = 0 - word_low(w);
        for (size_t i = 0; i < WORD - 8; i++) {
            if (w[i] != 0xff) {
                return false;
            }
        }
        if (low == 0 || low > (uint64_t)(a->p - a->start)) {
            return false;
        }
        *at = a->p - low;
        return true;
    }
    if (!u256_to_u64(v, &low) || low > a->n) {
        fail(a, "abi: offset beyond the data");
        return false;
    }
    *at = a->p + low;
    return true;
}

static struct bytes take_signed(struct abi_in *a)
{
    const uint8_t *at, *end = a->p + a->n;
    uint64_t n;
    if (!take_place(a, &at)) {
        return (struct bytes){0};
    }
    if (end - at < WORD || !u256_to_u64(u256_from_be(at), &n) ||
        n > (size_t)(end - at) - WORD + a->slack) {
        fail(a, "abi: bytes beyond the data");
        return (struct bytes){0};
    }
    return (struct bytes){at + WORD, n};
}

struct abi_in abi_take_signed_struct(struct abi_in *a, size_t words)
{
    const uint8_t *at, *end = a->p + a->n;
    if (!take_place(a, &at) || (size_t)(end - at) < WORD * words) {
        fail(a, "abi: offset beyond the data");
        return (struct abi_in){.bad = a->bad};
    }
    return (struct abi_in){.p = at, .n = (size_t)(end - at), .start = a->start};
}

/* Whether the length behind the next head word is more than memory holds. */
static bool next_is_huge(const struct abi_in *a, uint64_t unit)
{
    struct abi_in at = *a, t = take_tail(&at, WORD);
    return t.bad == NULL && is_huge(t.p, unit);
}

struct bytes abi_take_memory(struct abi_in *a)
{
    if (a->start != NULL) {
        return take_signed(a);
    }
    if (next_is_huge(a, 1)) {
        fail(a, abi_huge);
        return (struct bytes){0};
    }
    return abi_take_bytes(a);
}

struct abi_in abi_take_memory_array(struct abi_in *a, size_t *n, size_t words)
{
    if (next_is_huge(a, WORD * words)) {
        fail(a, abi_huge);
        *n = 0;
        return (struct abi_in){.bad = abi_huge};
    }
    return abi_take_array(a, n, words);
}

struct abi_in abi_take_struct(struct abi_in *a, size_t words)
{
    return take_tail(a, WORD * words);
}

struct abi_in abi_take_tuple(struct abi_in *a)
{
    return take_tail(a, 0);
}

struct abi_in abi_take_array(struct abi_in *a, size_t *n, size_t words)
{
    struct abi_in t = take_tail(a, WORD);
    uint64_t count = take_small(&t);
    if (t.bad == NULL && count > (t.n - WORD) / (WORD * words)) {
        fail(&t, "abi: array beyond the data");
    }
    abi_join(a, &t);
    *n = t.bad == NULL ? count : 0;
    return t.bad == NULL ? (struct abi_in){.p = t.p + WORD, .n = t.n - WORD}
                         : (struct abi_in){.bad = t.bad};
}

struct abi_out abi_begin(struct buf *b, size_t head_words)
{
    struct abi_out o = {b, b->n, b->n};
    put_zero(b, WORD * head_words);
    return o;
}

static void put_word(struct abi_out *o, const uint8_t *p, size_t n, size_t at)
{
    if (!o->b->full) {
        ASSERT(o->head + WORD <= o->b->n);
        memcpy(o->b->p + o->head + at, p, n);
        o->head += WORD;
    }
}

void abi_put_u256(struct abi_out *o, struct u256 v)
{
    uint8_t be[WORD];
    u256_to_be(be, v);
    put_word(o, be, sizeof(be), 0);
}

void abi_put_u64(struct abi_out *o, uint64_t v)
{
    abi_put_u256(o, u256_from(v));
}

void abi_put_address(struct abi_out *o, struct address v)
{
    put_word(o, v.b, sizeof(v.b), WORD - sizeof(v.b));
}

void abi_put_hash(struct abi_out *o, struct hash v)
{
    put_word(o, v.b, sizeof(v.b), 0);
}

void abi_put_bool(struct abi_out *o, bool v)
{
    abi_put_u64(o, v);
}

void abi_put_selector(struct abi_out *o, uint32_t v)
{
    uint8_t be[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    put_word(o, be, sizeof(be), 0);
}

void abi_put_bytes(struct abi_out *o, struct bytes v)
{
    abi_put_u64(o, o->b->n - o->base);
    struct abi_out len = abi_begin(o->b, 1);
    abi_put_u64(&len, v.n);
    put_bytes(o->b, v);
    put_zero(o->b, (WORD - v.n % WORD) % WORD);
}

struct abi_out abi_put_tuple(struct abi_out *o, size_t head_words)
{
    abi_put_u64(o, o->b->n - o->base);
    return abi_begin(o->b, head_words);
}

struct abi_out abi_put_array(struct abi_out *o, size_t n, size_t words)
{
    abi_put_u64(o, o->b->n - o->base);
    struct abi_out len = abi_begin(o->b, 1);
    abi_put_u64(&len, n);
    return abi_begin(o->b, n * words);
}
