/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text decoders: what decodes must encode back to the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    BUF_FREE raw = buf_new(1 << 20), again = buf_new(1 << 21), text = buf_new(1 << 21);
    if (rc_ok(hex_decode(&raw, in))) {
        put_hex(&text, buf_bytes(&raw));
        CHECK(rc_ok(hex_decode(&again, buf_bytes(&text))));
        CHECK(bytes_eq(buf_bytes(&raw), buf_bytes(&again)));
    }
    buf_reset(&raw);
    buf_reset(&again);
    buf_reset(&text);
    if (rc_ok(base64_decode(&raw, in))) {
        put_base64(&text, buf_bytes(&raw));
        CHECK(rc_ok(base64_decode(&again, buf_bytes(&text))));
        CHECK(bytes_eq(buf_bytes(&raw), buf_bytes(&again)));
    }
    buf_reset(&text);
    put_bytes(&text, in);
    struct u256 v;
    uint64_t small;
    (void)hex_parse_quantity256(&v, buf_cstr(&text), true);
    (void)hex_parse_quantity(&small, buf_cstr(&text), false);
    (void)u256_parse(&v, buf_cstr(&text));
    return 0;
}
