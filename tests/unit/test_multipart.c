/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/multipart.h"
#include "tests/test.h"

/* Writes what happens as one line of text: [name|filename|type data]. */
static rc on_part(void *ctx, const struct multipart_part *p)
{
    struct buf *b = ctx;
    put_str(b, "[");
    put_bytes(b, p->name);
    put_str(b, p->has_filename ? "|" : "!");
    put_bytes(b, p->filename);
    put_str(b, "|");
    put_bytes(b, p->content_type);
    put_str(b, " ");
    return RC_OK;
}

static rc on_data(void *ctx, struct bytes data)
{
    put_bytes(ctx, data);
    return buf_end(ctx);
}

static rc on_part_end(void *ctx)
{
    put_str(ctx, "]");
    return RC_OK;
}

static const struct multipart_handler handler = {on_part, on_data, on_part_end};

static rc run(struct buf *out, const char *type, struct bytes body, size_t step)
{
    struct multipart m;
    buf_reset(out);
    rc r = multipart_open(&m, bytes_str(type), &handler, out);
    for (size_t i = 0; i < body.n && rc_ok(r); i += step) {
        r = multipart_feed(&m, (struct bytes){body.p + i, MIN(step, body.n - i)});
    }
    if (rc_ok(r)) {
        r = multipart_end(&m);
    }
    multipart_close(&m);
    return r;
}

#define TYPE "multipart/form-data; boundary=XyZ"

static void expect(const char *body, const char *want)
{
    BUF_FREE out = buf_new(4096);
    for (size_t step = 1; step < 300; step++) {
        CHECK(rc_ok(run(&out, TYPE, bytes_str(body), step)));
        CHECK(strcmp(buf_cstr(&out), want) == 0);
    }
}

static void test_bodies(void)
{
    expect(
        "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\nhello\r\n--XyZ--\r\n",
        "[file||application/octet-stream hello]");
    expect(
        "preamble\r\n--XyZ  \r\ncontent-disposition: form-data; filename=\"a \\\"b\\\".txt\" ;"
        " name=x\r\n\r\n\r\n--XyZ\r\n\r\nraw\r\n--XyZ--epilogue\r\n--XyZ",
        "[x|a \"b\".txt| ][!| raw]");
    expect("--XyZ\r\n\r\n\r\n--Xy\r\n--XyZ--", "[!| \r\n--Xy]");
    expect("--XyZ\r\n\r\n\r\r\n\r\n-\r\r\n--XyZ--", "[!| \r\r\n\r\n-\r]");
    expect(
        "--XyZ\r\nContent-Disposition: form-data; name=\"d\"; filename=\"C:\\dir\\f\"\r\n\r\n"
        "\r\n--XyZ--",
        "[d|C:\\dir\\f| ]");
    expect("--XyZ--", "");
}

static void test_types(void)
{
    BUF_FREE out = buf_new(256);
    struct bytes body = BYTES_LIT("--a b\r\n\r\nx\r\n--a b--");
    CHECK(rc_ok(run(&out, "Multipart/Form-Data;charset=\"u;8\"; boundary=\"a b\"", body, 3)));
    CHECK(strcmp(buf_cstr(&out), "[!| x]") == 0);
    static const char *const bad[] = {
        "",
        "text/plain; boundary=a",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a\r\nb\"",
        "multipart/form-data; boundary=0123456789012345678901234567890123456789"
        "0123456789012345678901234567890",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(run(&out, bad[i], body, 3).code == RC_CODE_MALFORMED);
    }
}

static void test_refused(void)
{
    BUF_FREE out = buf_new(4096);
    static const char *const bad[] = {
        "", "--XyZ\r\n\r\nx", "--XyZ\r\n\r\nx\r\n--XyZ", "--XyZab", "--XyZ\r\nContent-Type: x\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(run(&out, TYPE, bytes_str(bad[i]), 2).code == RC_CODE_MALFORMED);
    }
    BUF_FREE long_head = buf_new(20000);
    put_str(&long_head, "--XyZ\r\nX: ");
    for (int i = 0; i < 9000; i++) {
        put_str(&long_head, "y");
    }
    CHECK(run(&out, TYPE, buf_bytes(&long_head), 100).code == RC_CODE_LIMIT);
    BUF_FREE small = buf_new(8); /* a handler refusing comes through */
    CHECK(run(&small, TYPE, BYTES_LIT("--XyZ\r\n\r\n0123456789\r\n--XyZ--"), 99).code ==
          RC_CODE_LIMIT);
}

int main(void)
{
    test_bodies();
    test_types();
    test_refused();
    return 0;
}
