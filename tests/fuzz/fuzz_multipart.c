/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/multipart.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rc on_part(void *ctx, const struct multipart_part *p)
{
    put_bytes(ctx, p->name);
    put_bytes(ctx, p->filename);
    put_bytes(ctx, p->content_type);
    return RC_OK;
}

static rc on_data(void *ctx, struct bytes data)
{
    put_bytes(ctx, data);
    return RC_OK;
}

static rc on_part_end(void *ctx)
{
    put_str(ctx, "\n");
    return RC_OK;
}

/* First byte: size of the pieces; then a line: the content type; then the body. In pieces and in
 * one the same comes out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct multipart_handler handler = {on_part, on_data, on_part_end};
    const uint8_t *nl = size == 0 ? NULL : memchr(data, '\n', size);
    if (nl == NULL || nl == data) {
        return 0;
    }
    struct bytes type = {data + 1, (size_t)(nl - data - 1)};
    struct bytes body = {nl + 1, size - type.n - 2};
    BUF_FREE one = buf_new((size_t)1 << 24);
    BUF_FREE two = buf_new((size_t)1 << 24);
    struct buf *out[2] = {&one, &two};
    enum rc_code res[2];
    size_t step = (size_t)data[0] + 1;
    for (size_t k = 0; k < 2; k++) {
        struct multipart m;
        rc r = multipart_open(&m, type, &handler, out[k]);
        for (size_t i = 0; i < body.n && rc_ok(r); i += step) {
            r = multipart_feed(&m, (struct bytes){body.p + i, MIN(step, body.n - i)});
        }
        res[k] = rc_ok(r) ? multipart_end(&m).code : r.code;
        multipart_close(&m);
        step = size;
    }
    CHECK(res[0] == res[1]);
    CHECK(res[0] != RC_CODE_OK || bytes_eq(buf_bytes(&one), buf_bytes(&two)));
    return 0;
}
