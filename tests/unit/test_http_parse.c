/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_parse.h"

#include "io/http_server.h"
#include "tests/test.h"

static rc head(struct http_head *h, const char *text)
{
    static char copy[8192];
    const char *why = NULL;
    size_t n = strlen(text);
    memcpy(copy, text, n + 1);
    rc r = http_head_parse(h, copy, n, &why);
    CHECK(rc_ok(r) || why != NULL);
    return r;
}

static void test_head(void)
{
    struct http_head h;
    CHECK(rc_ok(head(&h, "GET http://x/a?b HTTP/1.1\r\nA:  b c \r\nA-b:\r\n\r\n")));
    CHECK(strcmp(h.target, "/a?b") == 0 && h.n == 2);
    CHECK(strcmp(http_head_get(&h, "a"), "b c") == 0);
    CHECK(strcmp(http_head_get(&h, "A-B"), "") == 0 && http_head_get(&h, "c") == NULL);
    CHECK(rc_ok(head(&h, "GET http://x HTTP/1.0\r\n\r\n")) && strcmp(h.target, "/") == 0);
    CHECK(!rc_ok(head(&h, "GET / HTTP/2.0\r\n\r\n")));
    CHECK(!rc_ok(head(&h, "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n")));
    CHECK(!rc_ok(head(&h, "GET / HTTP/1.1\nA: b\n\n")));
    CHECK(!rc_ok(head(&h, "G\x7fT / HTTP/1.1\r\n\r\n")));
    CHECK(!rc_ok(head(&h, "GET a HTTP/1.1\r\n\r\n")));
    CHECK(!rc_ok(head(&h, "GET / HTTP/1.1\r\nA: b\r\r\n\r\n")));
    CHECK(http_head_end(BYTES_LIT("GET\r\n\r\nx"), 0) == 7);
    CHECK(http_head_end(BYTES_LIT("GET\r\n\r"), 0) == 0);
    CHECK(http_head_end(BYTES_LIT("GET\r\n\r\n"), 6) == 7);
}

static void test_frame_rules(void)
{
    struct http_head h;
    bool chunked;
    uint64_t n;
    const char *why;
    CHECK(rc_ok(head(&h, "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n")));
    CHECK(rc_ok(http_body_frame(&h, &chunked, &n, &why)) && n == 12 && !chunked);
    CHECK(rc_ok(head(&h, "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")));
    CHECK(!rc_ok(http_body_frame(&h, &chunked, &n, &why)));
    CHECK(rc_ok(
        head(&h, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n")));
    CHECK(!rc_ok(http_body_frame(&h, &chunked, &n, &why)));
    CHECK(rc_ok(head(&h, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n")));
    CHECK(!rc_ok(http_body_frame(&h, &chunked, &n, &why)));
}

static void test_query(void)
{
    char q[] = "a=1&b=%26x&&c&d=1+2";
    struct http_pair p[4];
    size_t n;
    CHECK(rc_ok(http_query_parse(q, p, 4, &n)) && n == 4);
    CHECK(strcmp(p[1].value, "&x") == 0 && strcmp(p[2].value, "") == 0);
    CHECK(strcmp(p[3].value, "1 2") == 0);
    char many[] = "a&b&c";
    CHECK(http_query_parse(many, p, 2, &n).code == RC_CODE_LIMIT);
    char nul[] = "a=%00";
    CHECK(http_query_parse(nul, p, 2, &n).code == RC_CODE_MALFORMED);
}

static void test_chunks(void)
{
    const char *text = "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\nX: y\r\n\r\nrest";
    for (size_t step = 1; step < 40; step++) {
        struct http_chunks c = {0};
        char got[16] = {0};
        size_t got_n = 0;
        bool done = false;
        size_t at = 0;
        while (!done && at < strlen(text)) {
            struct bytes part;
            size_t used;
            struct bytes in = {(const uint8_t *)text + at, MIN(step, strlen(text) - at)};
            CHECK(rc_ok(http_chunks_take(&c, in, &part, &used, &done)));
            CHECK(used > 0);
            if (part.n > 0) {
                memcpy(got + got_n, part.p, part.n);
            }
            got_n += part.n;
            at += used;
        }
        CHECK(done && strcmp(got, "hello!") == 0 && strcmp(text + at, "rest") == 0);
    }
    struct http_chunks c = {0};
    struct bytes part;
    size_t used;
    bool done;
    CHECK(!rc_ok(http_chunks_take(&c, BYTES_LIT("\r\n"), &part, &used, &done)));
    c = (struct http_chunks){0};
    CHECK(!rc_ok(http_chunks_take(&c, BYTES_LIT("10000000000000000\r\n"), &part, &used, &done)));
    c = (struct http_chunks){0};
    CHECK(!rc_ok(http_chunks_take(&c, BYTES_LIT("1\nx"), &part, &used, &done)));
}

static void test_range(void)
{
    uint64_t off;
    uint64_t n;
    CHECK(http_range_parse("bytes=0-0", 10, &off, &n) == HTTP_RANGE_PART && off == 0 && n == 1);
    CHECK(http_range_parse("bytes=5-", 10, &off, &n) == HTTP_RANGE_PART && off == 5 && n == 5);
    CHECK(http_range_parse("bytes=5-99", 10, &off, &n) == HTTP_RANGE_PART && n == 5);
    CHECK(http_range_parse("bytes=-99", 10, &off, &n) == HTTP_RANGE_PART && off == 0 && n == 10);
    CHECK(http_range_parse("bytes=10-", 10, &off, &n) == HTTP_RANGE_BAD);
    CHECK(http_range_parse("bytes=-0", 10, &off, &n) == HTTP_RANGE_BAD);
    CHECK(http_range_parse("bytes=3-2", 10, &off, &n) == HTTP_RANGE_NONE && n == 10);
    CHECK(http_range_parse("bytes=0-1,3-4", 10, &off, &n) == HTTP_RANGE_NONE);
    CHECK(http_range_parse(NULL, 10, &off, &n) == HTTP_RANGE_NONE);
}

static void test_ws_frames(void)
{
    struct ws_frame f;
    bool whole;
    CHECK(rc_ok(ws_frame_parse(&f, BYTES_LIT("\x81\x85\x01\x02\x03\x04"), &whole)) && whole);
    CHECK(f.fin && f.opcode == 1 && f.size == 5 && f.head == 6);
    CHECK(rc_ok(ws_frame_parse(&f, BYTES_LIT("\x81"), &whole)) && !whole);
    CHECK(!rc_ok(ws_frame_parse(&f, BYTES_LIT("\x81\x05zzzz"), &whole)));         /* mask */
    CHECK(!rc_ok(ws_frame_parse(&f, BYTES_LIT("\xc1\x85zzzz"), &whole)));         /* rsv */
    CHECK(!rc_ok(ws_frame_parse(&f, BYTES_LIT("\x83\x85zzzz"), &whole)));         /* opcode */
    CHECK(!rc_ok(ws_frame_parse(&f, BYTES_LIT("\x09\x80zzzz"), &whole)));         /* split */
    CHECK(!rc_ok(ws_frame_parse(&f, BYTES_LIT("\x81\xfe\x00\x05zzzz"), &whole))); /* long */
    CHECK(utf8_valid(BYTES_LIT("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    CHECK(!utf8_valid(BYTES_LIT("\xc0\x80")) && !utf8_valid(BYTES_LIT("\xed\xa0\x80")));
    CHECK(!utf8_valid(BYTES_LIT("\xe2\x82")) && !utf8_valid(BYTES_LIT("\xf5\x80\x80\x80")));
}

int main(void)
{
    test_head();
    test_frame_rules();
    test_query();
    test_chunks();
    test_range();
    test_ws_frames();
    return 0;
}
