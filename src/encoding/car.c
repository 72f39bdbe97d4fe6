/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/car.h"

#include "encoding/varint.h"

enum { CBOR_UINT = 0, CBOR_BYTES = 2, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5, CBOR_TAG = 6 };
#define CBOR_TAG_LINK 42

static void put_cbor_head(struct buf *b, unsigned major, uint64_t v)
{
    if (v < 24) {
        put_u8(b, (uint8_t)(major << 5 | v));
        return;
    }
    unsigned log2 = v <= 0xff ? 0 : v <= 0xffff ? 1 : v <= 0xffffffff ? 2 : 3;
    put_u8(b, (uint8_t)(major << 5 | (24 + log2)));
    put_be(b, v, (size_t)1 << log2);
}

static uint64_t take_cbor_head(struct cur *c, unsigned major)
{
    uint64_t first = take_be(c, 1);
    if (c->bad != NULL || first >> 5 != major || (first & 31) > 27) {
        cur_fail(c, "archive header is not the map of roots and version");
        return 0;
    }
    uint64_t v = first & 31;
    return v < 24 ? v : take_be(c, (size_t)1 << (v - 24));
}

void put_car_header(struct buf *b, const struct cid *roots, size_t n)
{
    BUF_FREE h = buf_new(64 + n * (CID_BIN_MAX + 8));
    put_cbor_head(&h, CBOR_MAP, 2);
    put_cbor_head(&h, CBOR_TEXT, 5);
    put_str(&h, "roots");
    put_cbor_head(&h, CBOR_ARRAY, n);
    for (size_t i = 0; i < n; i++) {
        BUF_FREE id = buf_new(CID_BIN_MAX);
        put_cid(&id, &roots[i]);
        put_cbor_head(&h, CBOR_TAG, CBOR_TAG_LINK);
        put_cbor_head(&h, CBOR_BYTES, id.n + 1);
        put_u8(&h, 0); /* DAG-CBOR: the multibase prefix of a binary link */
        put_bytes(&h, buf_bytes(&id));
    }
    put_cbor_head(&h, CBOR_TEXT, 7);
    put_str(&h, "version");
    put_cbor_head(&h, CBOR_UINT, 1);
    put_varint(b, h.n);
    put_bytes(b, buf_bytes(&h));
}

void put_car_section(struct buf *b, const struct cid *cid, size_t n)
{
    BUF_FREE id = buf_new(CID_BIN_MAX);
    put_cid(&id, cid);
    put_varint(b, id.n + n);
    put_bytes(b, buf_bytes(&id));
}

void car_open(struct car_reader *r, const struct car_handler *handler, void *ctx)
{
    *r = (struct car_reader){.handler = handler, .ctx = ctx};
    r->hold = buf_new(CAR_SECTION_MAX + VARINT_MAX);
}

void car_close(struct car_reader *r)
{
    buf_free(&r->hold);
}

static rc take_roots(struct car_reader *r, struct cur *c)
{
    uint64_t n = take_cbor_head(c, CBOR_ARRAY);
    if (n > CAR_ROOTS_MAX) {
        cur_fail(c, "archive has too many roots");
    }
    for (uint64_t i = 0; i < n && c->bad == NULL; i++) {
        if (take_cbor_head(c, CBOR_TAG) != CBOR_TAG_LINK) {
            cur_fail(c, "a root of the archive is no link");
        }
        uint64_t size = take_cbor_head(c, CBOR_BYTES);
        struct cur id = take_sub(c, size > c->n ? c->n + 1 : (size_t)size);
        if (take_be(&id, 1) != 0) {
            cur_fail(c, "a root of the archive is no binary link");
        }
        struct cid root = cid_take(&id);
        if (!rc_ok(cur_end(&id))) {
            cur_fail(c, "a root of the archive is no CID");
        }
        if (c->bad == NULL) {
            TRY(r->handler->on_root(r->ctx, &root));
        }
    }
    return RC_OK;
}

static rc read_header(struct car_reader *r, struct bytes section)
{
    struct cur c = cur_of(section);
    bool roots = false;
    bool version = false;
    uint64_t n = take_cbor_head(&c, CBOR_MAP);
    for (uint64_t i = 0; i < n && c.bad == NULL; i++) {
        uint64_t len = take_cbor_head(&c, CBOR_TEXT);
        struct bytes key = take_bytes(&c, len > c.n ? c.n + 1 : (size_t)len);
        if (bytes_eq(key, BYTES_LIT("roots")) && !roots) {
            roots = true;
            TRY(take_roots(r, &c));
        } else if (bytes_eq(key, BYTES_LIT("version")) && !version) {
            version = true;
            if (take_cbor_head(&c, CBOR_UINT) != 1) {
                cur_fail(&c, "archive is not of version 1");
            }
        } else {
            cur_fail(&c, "archive header has another key than roots and version");
        }
    }
    if (c.bad == NULL && (c.n > 0 || !roots || !version)) {
        cur_fail(&c, "archive header is not the map of roots and version");
    }
    r->bad = c.bad;
    r->has_header = true;
    return cur_end(&c);
}

static rc read_section(struct car_reader *r, struct bytes section)
{
    if (!r->has_header) {
        return read_header(r, section);
    }
    struct cur c = cur_of(section);
    struct cid id = cid_take(&c);
    if (c.bad != NULL) {
        r->bad = c.bad;
        return RC(MALFORMED);
    }
    return r->handler->on_block(r->ctx, &id, (struct bytes){c.p, c.n});
}

/* Reads the whole sections at the front of *in; RC_OK with bytes left over means: more is needed. */
static rc read_sections(struct car_reader *r, struct bytes *in)
{
    while (in->n > 0) {
        struct cur c = cur_of(*in);
        uint64_t n = take_varint(&c);
        if (c.bad != NULL) {
            if (in->n < VARINT_MAX && (in->p[in->n - 1] & 0x80) != 0) {
                return RC_OK;
            }
            r->bad = c.bad;
            return RC(MALFORMED);
        }
        if (n == 0 || n > CAR_SECTION_MAX) {
            r->bad = n == 0 ? "archive section of length 0" : "archive section is too long";
            return RC(MALFORMED);
        }
        if (n > c.n) {
            return RC_OK;
        }
        struct bytes section = take_bytes(&c, (size_t)n);
        TRY(read_section(r, section));
        *in = (struct bytes){c.p, c.n};
    }
    return RC_OK;
}

rc car_feed(struct car_reader *r, struct bytes in)
{
    while (in.n > 0) {
        if (r->hold.n == 0) {
            TRY(read_sections(r, &in));
            put_bytes(&r->hold, in);
            return buf_end(&r->hold);
        }
        /* Fill up the section that is held: no more than it can need is copied at a time. */
        size_t room = r->hold.cap - r->hold.n;
        struct bytes part = {in.p, MIN(in.n, MIN(room, (size_t)256 << 10))};
        put_bytes(&r->hold, part);
        in = (struct bytes){in.p + part.n, in.n - part.n};
        struct bytes rest = buf_bytes(&r->hold);
        TRY(read_sections(r, &rest));
        size_t used = r->hold.n - rest.n;
        memmove(r->hold.p, r->hold.p + used, rest.n);
        r->hold.n = rest.n;
    }
    return RC_OK;
}

rc car_end(struct car_reader *r)
{
    if (r->has_header && r->hold.n == 0) {
        return RC_OK;
    }
    r->bad = "archive is cut short";
    return RC(MALFORMED);
}
