/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/jsonpull.h"

struct jp jp_of(struct bytes text)
{
    return (struct jp){.p = text.p, .end = text.p + text.n};
}

static void fail(struct jp *j, const char *why)
{
    if (j->bad == NULL) {
        j->bad = why;
    }
    j->p = j->end;
}

/* The next character that is not white space, not taken; 0 at the end or after a failure. */
static uint8_t peek(struct jp *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t')) {
        j->p++;
    }
    return j->p < j->end ? *j->p : 0;
}

static bool take(struct jp *j, uint8_t c, const char *why)
{
    if (j->bad != NULL || peek(j) != c) {
        fail(j, why);
        return false;
    }
    j->p++;
    return true;
}

static void open_level(struct jp *j, uint8_t c, const char *why)
{
    if (j->depth == JP_DEPTH_MAX) {
        fail(j, "json: too deep");
    } else if (take(j, c, why)) {
        j->depth++;
        j->first = true;
    }
}

void jp_object(struct jp *j)
{
    open_level(j, '{', "json: object expected");
}

void jp_array(struct jp *j)
{
    open_level(j, '[', "json: array expected");
}

/* Steps to the next member or element: over the comma, or out of the level at `close`. */
static bool step(struct jp *j, uint8_t close)
{
    if (j->bad != NULL) {
        return false;
    }
    if (peek(j) == close) {
        j->p++;
        j->depth--;
        j->first = false;
        return false;
    }
    if (!j->first && !take(j, ',', "json: comma expected")) {
        return false;
    }
    j->first = false;
    return true;
}

bool jp_key(struct jp *j, struct bytes *key)
{
    if (!step(j, '}')) {
        return false;
    }
    *key = jp_string(j);
    return take(j, ':', "json: colon expected");
}

bool jp_elem(struct jp *j)
{
    return step(j, ']');
}

struct bytes jp_string(struct jp *j)
{
    if (!take(j, '"', "json: string expected")) {
        return (struct bytes){0};
    }
    const uint8_t *start = j->p;
    while (j->p < j->end && *j->p != '"') {
        if (*j->p < 0x20 || *j->p == '\\') {
            fail(j, "json: escape or control character in a string");
            return (struct bytes){0};
        }
        j->p++;
    }
    if (j->p == j->end) {
        fail(j, "json: string not closed");
        return (struct bytes){0};
    }
    return (struct bytes){start, (size_t)(j->p++ - start)};
}

struct bytes jp_unchecked(struct jp *j)
{
    if (!take(j, '"', "json: string expected")) {
        return (struct bytes){0};
    }
    const uint8_t *start = j->p;
    const uint8_t *quote = memchr(start, '"', (size_t)(j->end - start));
    if (quote == NULL) {
        fail(j, "json: string not closed");
        return (struct bytes){0};
    }
    j->p = quote + 1;
    return (struct bytes){start, (size_t)(quote - start)};
}

uint64_t jp_u64(struct jp *j)
{
    uint64_t v = 0;
    size_t n = 0;
    bool zero = peek(j) == '0';
    while (j->bad == NULL && j->p < j->end && *j->p >= '0' && *j->p <= '9') {
        v = v * 10 + (uint64_t)(*j->p++ - '0');
        if (++n > 18) {
            fail(j, "json: number too large");
        }
    }
    if (n == 0 || (zero && n > 1)) {
        fail(j, "json: non-negative integer expected");
        return 0;
    }
    if (j->p < j->end && (*j->p == '.' || *j->p == 'e' || *j->p == 'E')) {
        fail(j, "json: integer expected");
    }
    return j->bad == NULL ? v : 0;
}

static bool word(struct jp *j, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, w, n) != 0) {
        return false;
    }
    j->p += n;
    return true;
}

bool jp_bool(struct jp *j)
{
    uint8_t c = peek(j);
    if (c == 't' && word(j, "true")) {
        return true;
    }
    if (c != 'f' || !word(j, "false")) {
        fail(j, "json: boolean expected");
    }
    return false;
}

static void skip_string(struct jp *j)
{
    j->p++;
    while (j->p < j->end && *j->p != '"') {
        if (*j->p < 0x20) {
            fail(j, "json: control character in a string");
            return;
        }
        if (*j->p == '\\') {
            j->p++;
            if (j->p == j->end || strchr("\"\\/bfnrtu", *j->p) == NULL || *j->p == 0) {
                fail(j, "json: bad escape");
                return;
            }
        }
        j->p++;
    }
    if (j->p == j->end) {
        fail(j, "json: string not closed");
        return;
    }
    j->p++;
}

static void skip_number(struct jp *j)
{
    const uint8_t *start = j->p;
    while (j->p < j->end && (strchr("+-.eE", *j->p) != NULL || (*j->p >= '0' && *j->p <= '9')) &&
           *j->p != 0) {
        j->p++;
    }
    if (j->p == start) {
        fail(j, "json: value expected");
    }
}

struct bytes jp_skip(struct jp *j)
{
    struct bytes key;
    uint8_t c = peek(j);
    const uint8_t *start = j->p;
    unsigned outer = j->depth;
    bool first = j->first;
    if (c == '{' || c == '[') {
        /* Levels are told apart by one bit each, so that no recursion is needed. */
        uint32_t is_array = 0;
        do {
            c = peek(j);
            if (c == '{' || c == '[') {
                is_array = is_array << 1 | (c == '[');
                (c == '[' ? jp_array : jp_object)(j);
            } else if (c == '"') {
                skip_string(j);
            } else if (!word(j, "true") && !word(j, "false") && !word(j, "null")) {
                skip_number(j);
            }
            while (j->bad == NULL && j->depth > outer &&
                   !((is_array & 1) != 0 ? jp_elem(j) : jp_key(j, &key))) {
                is_array >>= 1;
            }
        } while (j->bad == NULL && j->depth > outer);
    } else if (c == '"') {
        skip_string(j);
    } else if (!word(j, "true") && !word(j, "false") && !word(j, "null")) {
        skip_number(j);
    }
    j->first = first;
    return j->bad == NULL ? (struct bytes){start, (size_t)(j->p - start)} : (struct bytes){0};
}

struct bytes jp_skip_raw(struct jp *j)
{
    uint8_t c = peek(j);
    if (c != '{' && c != '[') {
        return jp_skip(j);
    }
    const uint8_t *start = j->p, *p = j->p, *end = j->end;
    size_t depth = 0;
    while (p < end) {
        c = *p++;
        if (c == '"') {
            while (p < end && *p != '"') {
                p += *p == '\\' && end - p > 1 ? 2 : 1;
            }
            p += p < end ? 1 : 0;
        } else if ((c | 0x20) == '{') { /* also [ */
            depth++;
        } else if ((c | 0x20) == '}' && --depth == 0) { /* also ] */
            j->p = p;
            return (struct bytes){start, (size_t)(p - start)};
        }
    }
    fail(j, "json: value not closed");
    return (struct bytes){0};
}

rc jp_end(struct jp *j)
{
    if (j->bad == NULL && (peek(j) != 0 || j->p != j->end || j->depth != 0)) {
        fail(j, "json: text behind the value");
    }
    return j->bad == NULL ? RC_OK : RC(MALFORMED);
}
