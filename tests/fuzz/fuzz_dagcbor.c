/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/dagcbor.h"
#include "io/json.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rc on_link(void *ctx, const struct cid *link)
{
    (void)link;
    ++*(size_t *)ctx;
    return RC_OK;
}

/* Any bytes; a block that is accepted becomes JSON that a strict parser takes, but for keys that
 * stand twice and NULs. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes block = {data, size};
    size_t links = 0;
    bool good = rc_ok(dagcbor_links(block, on_link, &links));
    BUF_FREE b = buf_new(16 * size + 4096);
    rc r = dagcbor_put_json(&b, block);
    CHECK(!good || rc_ok(r) || b.full || r.code == RC_CODE_MALFORMED);
    if (rc_ok(r)) {
        json_error_t why;
        json_t *j = json_loadb((const char *)b.p, b.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
        CHECK(j != NULL || json_error_code(&why) == json_error_numeric_overflow ||
              json_error_code(&why) == json_error_null_byte_in_key ||
              json_error_code(&why) == json_error_stack_overflow);
        json_decref(j);
    }
    struct bytes out;
    struct cid link;
    bool is_link;
    if (rc_ok(dagcbor_get(&out, &link, &is_link, block, BYTES_LIT("n")))) {
        CHECK(out.p >= data && out.p + out.n <= data + size);
    }
    return 0;
}
