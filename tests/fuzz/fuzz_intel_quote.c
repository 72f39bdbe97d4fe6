/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/intel_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A quote: every view lies inside of it, and its certificates are read within bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intel_quote q;
    struct pck_info pck;
    const char *why = NULL;
    struct arena a;
    if (!rc_ok(intel_quote_parse(&q, (struct bytes){data, size}, &why))) {
        CHECK(why != NULL);
        return 0;
    }
    CHECK(q.signed_part.n <= size && q.cert_data.n <= size && q.padding <= size);
    CHECK(q.cert_data.n == 0 ||
          (q.cert_data.p >= data && q.cert_data.p + q.cert_data.n <= data + size));
    arena_init(&a, ATTEST_SCRATCH);
    struct intel_store s = {.a = &a};
    (void)intel_store_add_pem(&s, "quote", q.cert_data, &why);
    for (size_t i = 0; i < s.n_cert; i++) {
        (void)!rc_ok(pck_info_parse(&pck, &s.cert[i]->x, &why));
    }
    arena_reset(&a);
    return 0;
}
