/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha2.h"
#include "encoding/car.h"
#include "encoding/varint.h"
#include "tests/test.h"

struct seen {
    size_t roots, blocks, bytes;
    struct cid last;
    rc answer;
};

static rc on_root(void *ctx, const struct cid *root)
{
    struct seen *s = ctx;
    s->roots++;
    s->last = *root;
    return RC_OK;
}

static rc on_block(void *ctx, const struct cid *cid, struct bytes block)
{
    struct seen *s = ctx;
    s->blocks++;
    s->bytes += block.n;
    struct hash h;
    CHECK(cid_sha256(&h, cid) && hash_eq(h, sha256(block)));
    return s->answer;
}

static const struct car_handler handler = {on_root, on_block};

/* Feeds in pieces of step bytes. */
static rc read_all(struct seen *s, struct bytes in, size_t step, const char **why)
{
    struct car_reader r;
    car_open(&r, &handler, s);
    rc res = RC_OK;
    for (size_t i = 0; i < in.n && rc_ok(res); i += step) {
        res = car_feed(&r, (struct bytes){in.p + i, MIN(step, in.n - i)});
    }
    if (rc_ok(res)) {
        res = car_end(&r);
    }
    *why = r.bad;
    car_close(&r);
    return res;
}

static void put_block(struct buf *b, struct bytes block)
{
    struct hash h = sha256(block);
    struct cid c = cid_make(1, CID_RAW, &h);
    put_car_section(b, &c, block.n);
    put_bytes(b, block);
}

static void test_round_trip(void)
{
    struct hash h = sha256(BYTES_LIT("root"));
    struct cid roots[2] = {cid_make(0, CID_DAG_PB, &h), cid_make(1, CID_RAW, &h)};
    BUF_FREE b = buf_new(1 << 20);
    put_car_header(&b, roots, 2);
    put_block(&b, BYTES_LIT(""));
    put_block(&b, BYTES_LIT("one"));
    static uint8_t big[70000];
    put_block(&b, (struct bytes){big, sizeof(big)});
    const char *why;
    for (size_t step = 1; step < 200000; step = step * 3 + 1) {
        struct seen s = {0};
        CHECK(rc_ok(read_all(&s, buf_bytes(&b), step, &why)));
        CHECK(s.roots == 2 && s.blocks == 3 && s.bytes == 70003 && cid_eq(&s.last, &roots[1]));
    }
    struct seen s = {0};
    CHECK(read_all(&s, (struct bytes){b.p, b.n - 1}, 1000, &why).code == RC_CODE_MALFORMED);
    CHECK(strcmp(why, "archive is cut short") == 0 && s.blocks == 2);
    s = (struct seen){.answer = RC(LIMIT)};
    CHECK(read_all(&s, buf_bytes(&b), b.n, &why).code == RC_CODE_LIMIT && why == NULL);
}

static void refused(struct bytes in, const char *text)
{
    struct seen s = {0};
    const char *why;
    CHECK(read_all(&s, in, 7, &why).code == RC_CODE_MALFORMED);
    CHECK(strcmp(why, text) == 0);
}

static void test_refused(void)
{
    refused(BYTES_LIT(""), "archive is cut short");
    refused(BYTES_LIT("\x00"), "archive section of length 0");
    refused(BYTES_LIT("\xff\xff\xff\xff\x7f"), "archive section is too long");
    refused(BYTES_LIT("\x01\x80"), "archive header is not the map of roots and version");
    refused(BYTES_LIT("\x11\xa2\x65roots\x80\x67version\x02"), "archive is not of version 1");
    refused(BYTES_LIT("\x0a\xa1\x67version\x01"),
            "archive header is not the map of roots and version");
    refused(BYTES_LIT("\x11\xa2\x65roots\x80\x67version\x01\x02\x00\x00"),
            "CID version is neither 0 nor 1");
    struct seen s = {0};
    const char *why;
    CHECK(rc_ok(read_all(&s, BYTES_LIT("\x11\xa2\x65roots\x80\x67version\x01"), 1, &why)));
}

int main(void)
{
    test_round_trip();
    test_refused();
    return 0;
}
