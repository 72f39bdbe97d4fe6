/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/dagcbor.h"

#include <math.h>

#include "encoding/base64.h"

enum { UINT, NINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE }; /* RFC 8949 major types */
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22, SIMPLE_F64 = 27 };

struct head {
    unsigned major;
    unsigned info;  /* of the first byte */
    uint64_t value; /* for floats: their bits */
};

static struct head take_head(struct cur *c)
{
    uint64_t first = take_be(c, 1);
    struct head h = {.major = (unsigned)(first >> 5), .info = (unsigned)(first & 31)};
    if (h.info < 24) {
        h.value = h.info;
    } else if (h.info <= 27) {
        size_t size = (size_t)1 << (h.info - 24);
        h.value = take_be(c, size);
        uint64_t least = size == 1 ? 24 : (uint64_t)1 << (4 * size);
        if (h.major != SIMPLE && h.value < least) {
            cur_fail(c, "number is not in its shortest form");
        }
    } else {
        cur_fail(c, "indefinite length");
    }
    if (h.major == SIMPLE && h.info != SIMPLE_FALSE && h.info != SIMPLE_TRUE &&
        h.info != SIMPLE_NULL && h.info != SIMPLE_F64) {
        cur_fail(c, "simple value that DAG-CBOR does not have");
    }
    return h;
}

static struct bytes take_string(struct cur *c, const struct head *h)
{
    if (h->value > c->n) {
        cur_fail(c, "string is longer than its block");
        return (struct bytes){0};
    }
    return take_bytes(c, (size_t)h->value);
}

/* What follows tag 42: a byte string of 0x00 and a binary CID. */
static struct cid take_link(struct cur *c, const struct head *tag)
{
    struct head h = take_head(c);
    if (tag->value != 42 || h.major != BYTES) {
        cur_fail(c, "tag other than that of links");
        return (struct cid){0};
    }
    struct cur in = cur_of(take_string(c, &h));
    if (take_be(&in, 1) != 0) {
        cur_fail(&in, "link without its prefix");
    }
    struct cid id = cid_take(&in);
    if (!rc_ok(cur_end(&in))) {
        cur_fail(c, "link that is no CID");
    }
    return id;
}

struct visit {
    rc (*fn)(void *ctx, const struct cid *link);
    void *ctx;
    struct buf *json;
};

static void say(const struct visit *v, const char *s)
{
    if (v->json != NULL) {
        put_str(v->json, s);
    }
}

/* RFC 8259 strings; bytes that are no UTF-8 do not come here: the text was checked. */
static void put_json_text(struct buf *b, struct bytes t)
{
    put_u8(b, '"');
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] == '"' || t.p[i] == '\\') {
            put_u8(b, '\\');
            put_u8(b, t.p[i]);
        } else if (t.p[i] < 0x20) {
            put_fmt(b, "\\u%04x", t.p[i]);
        } else {
            put_u8(b, t.p[i]);
        }
    }
    put_u8(b, '"');
}

static bool is_utf8(struct bytes t)
{
    for (size_t i = 0; i < t.n;) {
        uint8_t c = t.p[i];
        size_t n = c < 0x80                ? 1
                   : c >= 0xc2 && c < 0xe0 ? 2
                   : c >= 0xe0 && c < 0xf0 ? 3
                   : c >= 0xf0 && c < 0xf5 ? 4
                                           : 0;
        if (n == 0 || n > t.n - i) {
            return false;
        }
        uint32_t v = n == 1 ? c : c & (0xffU >> (n + 1));
        for (size_t k = 1; k < n; k++) {
            if ((t.p[i + k] & 0xc0) != 0x80) {
                return false;
            }
            v = v << 6 | (t.p[i + k] & 0x3fU);
        }
        bool overlong = (n == 3 && v < 0x800) || (n == 4 && v < 0x10000);
        if (overlong || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) {
            return false;
        }
        i += n;
    }
    return true;
}

static void put_json_bytes(const struct visit *v, struct bytes b)
{
    if (v->json == NULL) {
        return;
    }
    put_str(v->json, "{\"/\":{\"bytes\":\"");
    size_t start = v->json->n;
    put_base64(v->json, b);
    while (v->json->n > start && v->json->p[v->json->n - 1] == '=') {
        v->json->n--; /* DAG-JSON: without padding */
    }
    put_str(v->json, "\"}}");
}

static void put_simple(const struct visit *v, struct cur *c, const struct head *h)
{
    if (h->info == SIMPLE_F64) {
        double d; /* a number of the user's data, passed on and not reckoned with */
        memcpy(&d, &h->value, sizeof(d));
        bool whole_number = d > -1e15 && d < 1e15 && (double)(int64_t)d == d;
        if (!isfinite(d)) {
            cur_fail(c, "number that is not finite");
        } else if (v->json != NULL) {
            put_fmt(v->json, whole_number ? "%.1f" : "%.17g", d);
        }
        return;
    }
    say(v, h->info == SIMPLE_NULL ? "null" : h->info == SIMPLE_TRUE ? "true" : "false");
}

static rc item(const struct visit *v, struct cur *c, unsigned depth);

static rc members(const struct visit *v, struct cur *c, const struct head *h, unsigned depth)
{
    if (h->value > c->n) { /* each takes a byte at least */
        cur_fail(c, "more members than bytes");
        return RC_OK;
    }
    say(v, h->major == MAP ? "{" : "[");
    for (uint64_t i = 0; i < h->value && c->bad == NULL; i++) {
        say(v, i > 0 ? "," : "");
        if (h->major == MAP) {
            struct head k = take_head(c);
            struct bytes key = take_string(c, &k);
            if (k.major != TEXT || !is_utf8(key)) {
                cur_fail(c, "key that is no text");
            }
            if (v->json != NULL && c->bad == NULL) {
                put_json_text(v->json, key);
                put_u8(v->json, ':');
            }
        }
        TRY(item(v, c, depth + 1));
    }
    say(v, h->major == MAP ? "}" : "]");
    return RC_OK;
}

static rc item(const struct visit *v, struct cur *c, unsigned depth)
{
    struct head h = take_head(c);
    if (depth > DAGCBOR_DEPTH_MAX) {
        cur_fail(c, "nested too deeply");
    }
    if (c->bad != NULL) {
        return RC_OK;
    }
    switch (h.major) {
    case UINT:
        if (v->json != NULL) {
            put_fmt(v->json, "%llu", (unsigned long long)h.value);
        }
        break;
    case NINT: /* -1 - value */
        if (v->json != NULL && h.value == UINT64_MAX) {
            put_str(v->json, "-18446744073709551616");
        } else if (v->json != NULL) {
            put_fmt(v->json, "-%llu", (unsigned long long)h.value + 1);
        }
        break;
    case BYTES:
        put_json_bytes(v, take_string(c, &h));
        break;
    case TEXT: {
        struct bytes t = take_string(c, &h);
        if (!is_utf8(t)) {
            cur_fail(c, "text that is no UTF-8");
        } else if (v->json != NULL) {
            put_json_text(v->json, t);
        }
        break;
    }
    case ARRAY:
    case MAP:
        return members(v, c, &h, depth);
    case TAG: {
        struct cid id = take_link(c, &h);
        if (c->bad == NULL && v->json != NULL) {
            char s[CID_STR_MAX];
            put_fmt(v->json, "{\"/\":\"%s\"}", cid_str(&id, s));
        }
        if (c->bad == NULL && v->fn != NULL) {
            return v->fn(v->ctx, &id);
        }
        break;
    }
    default:
        put_simple(v, c, &h);
    }
    return RC_OK;
}

static rc whole(const struct visit *v, struct bytes block)
{
    struct cur c = cur_of(block);
    TRY(item(v, &c, 0));
    return cur_end(&c);
}

rc dagcbor_links(struct bytes block, rc (*fn)(void *ctx, const struct cid *link), void *ctx)
{
    return whole(&(struct visit){.fn = fn, .ctx = ctx}, block);
}

rc dagcbor_put_json(struct buf *b, struct bytes block)
{
    TRY(whole(&(struct visit){.json = b}, block));
    return buf_end(b);
}

/* "17" as a number; -1 when it is none. */
static int64_t index_of(struct bytes key)
{
    int64_t v = 0;
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] < '0' || key.p[i] > '9' || v > INT32_MAX) {
            return -1;
        }
        v = v * 10 + (key.p[i] - '0');
    }
    return key.n == 0 || (key.n > 1 && key.p[0] == '0') ? -1 : v;
}

rc dagcbor_get(struct bytes *out, struct cid *link, bool *is_link, struct bytes value,
               struct bytes key)
{
    static const struct visit quiet = {0};
    struct cur c = cur_of(value);
    struct head h = take_head(&c);
    int64_t at = h.major == ARRAY ? index_of(key) : -1;
    *is_link = false;
    if (c.bad != NULL || (h.major != MAP && at < 0)) {
        return c.bad != NULL ? RC(MALFORMED) : RC(NOT_FOUND);
    }
    for (uint64_t i = 0; i < h.value && c.bad == NULL; i++) {
        bool found = h.major == ARRAY && i == (uint64_t)at;
        if (h.major == MAP) {
            struct head k = take_head(&c);
            found = bytes_eq(take_string(&c, &k), key) && k.major == TEXT;
        }
        struct cur start = c;
        TRY(item(&quiet, &c, 1));
        if (found && c.bad == NULL) {
            *out = (struct bytes){start.p, start.n - c.n};
            struct head t = take_head(&start);
            if (t.major == TAG) {
                *link = take_link(&start, &t);
                *is_link = true;
            }
            return RC_OK;
        }
    }
    return c.bad != NULL ? RC(MALFORMED) : RC(NOT_FOUND);
}
