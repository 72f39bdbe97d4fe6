/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/cborpull.h"
#include "encoding/cose.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read whole in the strict form is read whole in the wide one too; views stay inside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cur strict = {.p = data, .n = size}, wide = strict, c = strict;
    struct bytes item = cbor_skip(&strict, CBOR_DEFINITE);
    struct bytes same = cbor_skip(&wide, CBOR_ANY_LENGTH);
    CHECK(strict.bad != NULL || (item.n == same.n && item.p == data && item.n <= size));
    struct cose m;
    if (rc_ok(cose_take(&m, &c))) {
        CHECK(m.payload.n <= size && m.sig.n <= size);
        CHECK(!rc_ok(cose_verify_mac0(&m, BYTES_LIT("0123456789abcdef0123456789abcdef"))));
    }
    enum cose_tag tag;
    (void)cose_begins((struct bytes){data, size}, &tag, &c);
    uint8_t point[132];
    struct pubkey k;
    (void)cose_take_key(&k, point, (struct bytes){data, size});
    return 0;
}
