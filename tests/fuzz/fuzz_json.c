/* SPDX-License-Identifier: Apache-2.0 */
#include "io/json.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses is written and parses again to the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    JSON_FREE *v = json_parse((struct bytes){data, size}, JSON_DEPTH_MAX, NULL);
    if (v == NULL || size > 100000) {
        return 0;
    }
    BUF_FREE one = buf_new(BUF_CAP_DEFAULT);
    BUF_FREE two = buf_new(BUF_CAP_DEFAULT);
    json_put(&one, v);
    JSON_FREE *again = json_parse(buf_bytes(&one), JSON_DEPTH_MAX, NULL);
    CHECK(again != NULL);
    json_put(&two, again);
    CHECK(bytes_eq(buf_bytes(&one), buf_bytes(&two)));
    return 0;
}
