/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/jsonpull.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Skipping a value and walking it must agree on where it ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jp j = jp_of((struct bytes){data, size});
    struct bytes whole = jp_skip(&j);
    CHECK(j.bad != NULL || (whole.p >= data && whole.p + whole.n <= data + size));
    struct jp k = jp_of((struct bytes){data, size});
    struct bytes key;
    jp_object(&k);
    while (jp_key(&k, &key)) {
        (void)jp_skip(&k);
    }
    CHECK(k.bad != NULL || (j.bad == NULL && j.p == k.p));
    struct jp r = jp_of((struct bytes){data, size});
    struct bytes raw = jp_skip_raw(&r);
    CHECK(j.bad != NULL || (r.bad == NULL && bytes_eq(raw, whole)));
    struct jp m = jp_of((struct bytes){data, size});
    jp_array(&m);
    while (jp_elem(&m)) {
        (void)jp_u64(&m);
    }
    return 0;
}
