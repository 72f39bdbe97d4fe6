/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: what is read back, what is refused and why, scaling and drawing to the pixel. */
#include <stdlib.h>
#include <zlib.h>

#include "apps/lib/img.h"
#include "apps/lib/sum.h"
#include "tests/test.h"

static void put_chunk(struct buf *b, const char *kind, struct bytes data)
{
    put_be(b, data.n, 4);
    size_t from = b->n;
    put_str(b, kind);
    put_bytes(b, data);
    put_be(b, crc32_z(0, b->p + from, b->n - from), 4);
}

/* A PNG of w × h pixels of the given kind, with raw as its rows (a filter byte before each). */
static struct buf png_of(uint32_t w, uint32_t h, uint8_t depth, uint8_t kind, struct bytes raw)
{
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    struct buf head = buf_new(64);
    uint8_t packed[1024];
    uLongf n = sizeof(packed);
    CHECK(compress(packed, &n, raw.p, raw.n) == Z_OK);
    put_be(&head, w, 4);
    put_be(&head, h, 4);
    put_u8(&head, depth);
    put_u8(&head, kind);
    put_zero(&head, 3);
    put_mem(&b, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&b, "IHDR", buf_bytes(&head));
    put_chunk(&b, "IDAT", (struct bytes){packed, n});
    put_chunk(&b, "IEND", (struct bytes){0});
    buf_free(&head);
    return b;
}

static void test_png_kinds(void)
{
    struct img m;
    struct err e;
    /* Grey, 8 bits. */
    struct buf b = png_of(2, 1, 8, 0, (struct bytes){(const uint8_t *)"\0\x10\xf0", 3});
    CHECK(rc_ok(img_decode(&m, buf_bytes(&b), &e)));
    CHECK(m.w == 2 && m.h == 1 && memcmp(m.rgb, "\x10\x10\x10\xf0\xf0\xf0", 6) == 0);
    img_free(&m);
    buf_free(&b);
    /* Colour with transparency: over white. */
    b = png_of(2, 1, 8, 6, (struct bytes){(const uint8_t *)"\0\1\2\3\xff\0\0\0\0", 9});
    CHECK(rc_ok(img_decode(&m, buf_bytes(&b), &e)));
    CHECK(memcmp(m.rgb, "\1\2\3\xff\xff\xff", 6) == 0);
    img_free(&m);
    buf_free(&b);
    /* One bit a pixel. */
    b = png_of(2, 1, 1, 0, (struct bytes){(const uint8_t *)"\0\x40", 2});
    CHECK(rc_ok(img_decode(&m, buf_bytes(&b), &e)));
    CHECK(memcmp(m.rgb, "\0\0\0\xff\xff\xff", 6) == 0);
    img_free(&m);
    buf_free(&b);
}

static void test_refusals(void)
{
    struct img m;
    struct err e;
    CHECK(img_decode(&m, BYTES_LIT(""), &e).code == RC_CODE_MALFORMED && m.rgb == NULL);
    CHECK(img_decode(&m, BYTES_LIT("GIF89a-something"), &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "neither JPEG nor PNG") != NULL);
    CHECK(img_decode(&m, BYTES_LIT("\xff\xd8\xff\xe0 no more"), &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "JPEG picture is damaged") != NULL);
    struct buf b = png_of(2, 1, 8, 0, (struct bytes){(const uint8_t *)"\0\x10\xf0", 3});
    for (size_t n = 0; n < b.n - 12; n++) { /* without its last, empty chunk it is still whole */
        CHECK(img_decode(&m, (struct bytes){b.p, n}, &e).code == RC_CODE_MALFORMED);
    }
    b.p[45] ^= 1;
    CHECK(img_decode(&m, buf_bytes(&b), &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "PNG picture is damaged") != NULL);
    buf_free(&b);
    b = png_of(16000, 16000, 8, 2, (struct bytes){(const uint8_t *)"\0", 1});
    CHECK(img_decode(&m, buf_bytes(&b), &e).code == RC_CODE_LIMIT && m.rgb == NULL);
    buf_free(&b);
    b = png_of(20000, 1, 8, 2, (struct bytes){(const uint8_t *)"\0", 1});
    CHECK(!rc_ok(img_decode(&m, buf_bytes(&b), &e)) && m.rgb == NULL);
    buf_free(&b);
}

static void test_round_trip_and_draw(void)
{
    struct img m = {20, 12, calloc(20 * 12, 3)};
    struct img back;
    struct err e;
    CHECK(m.rgb != NULL);
    img_frame(&m, -3, 1, 10, 5, 1, (struct rgb){255, 0, 0}); /* partly outside */
    img_fill(&m, 18, 10, 1000, 1000, (struct rgb){0, 255, 0});
    img_text(&m, 8, 2, 1, BYTES_LIT("I\xff"), (struct rgb){0, 0, 255});
    CHECK(m.rgb[(1 * 20 + 0) * 3] == 255 && m.rgb[(3 * 20 + 6) * 3] == 255);
    CHECK(m.rgb[(3 * 20 + 3) * 3] == 0 && m.rgb[(11 * 20 + 19) * 3 + 1] == 255);
    CHECK(m.rgb[(2 * 20 + 10) * 3 + 2] == 255); /* the stem of the I */
    struct buf png = buf_new(BUF_CAP_DEFAULT);
    CHECK(rc_ok(img_encode_png(&png, &m, &e)));
    CHECK(rc_ok(img_decode(&back, buf_bytes(&png), &e)));
    CHECK(back.w == 20 && back.h == 12 && memcmp(back.rgb, m.rgb, 720) == 0);
    struct buf tiny = buf_new(20);
    CHECK(img_encode_png(&tiny, &m, &e).code == RC_CODE_LIMIT);
    buf_free(&tiny);
    buf_free(&png);
    img_free(&m);
    img_free(&back);
}

static void test_scale(void)
{
    uint8_t px[6] = {0, 0, 0, 100, 200, 40};
    uint8_t out[12];
    struct img m = {2, 1, px};
    img_scale(out, &m, (struct img_window){4, 1, 0, 0, 4, 1});
    /* Centres at -0.25, 0.25, 0.75, 1.25 between the two pixels. */
    CHECK(out[0] == 0 && out[3] == 25 && out[4] == 50 && out[6] == 75 && out[9] == 100);
    img_scale(out, &m, (struct img_window){2, 1, 1, 0, 1, 1});
    CHECK(out[0] == 100 && out[1] == 200 && out[2] == 40);
}

static void test_sum(void)
{
    static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};
    static const uint8_t nothing[4] = {0xe3, 0xb0, 0xc4, 0x42};
    static const uint8_t two[4] = {0x24, 0x8d, 0x6a, 0x61}; /* FIPS 180-2, B.2 */
    struct hash h = sum_sha256(BYTES_LIT("abc"));
    CHECK(memcmp(h.b, abc, 4) == 0 && h.b[31] == 0xad);
    h = sum_sha256(BYTES_LIT(""));
    CHECK(memcmp(h.b, nothing, 4) == 0);
    h = sum_sha256(BYTES_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    CHECK(memcmp(h.b, two, 4) == 0 && h.b[31] == 0xc1);
}

int main(void)
{
    test_png_kinds();
    test_refusals();
    test_round_trip_and_draw();
    test_scale();
    test_sum();
    return 0;
}
