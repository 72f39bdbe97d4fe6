/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/cid.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes, as text and as binary: what is accepted is written back and read as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cid c;
    struct cid again;
    char s[CID_STR_MAX];
    if (rc_ok(cid_parse(&c, (struct bytes){data, size}))) {
        CHECK(rc_ok(cid_parse(&again, bytes_str(cid_str(&c, s)))) && cid_eq(&c, &again));
    }
    struct cur in = cur_of((struct bytes){data, size});
    c = cid_take(&in);
    if (in.bad == NULL) {
        BUF_FREE b = buf_new(CID_BIN_MAX);
        put_cid(&b, &c);
        CHECK(b.n == (size_t)(in.p - data) && memcmp(b.p, data, b.n) == 0);
    }
    return 0;
}
