/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/enclave/enclave.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the agent tells its worker. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct enclave_report r;
    struct arena a;
    struct err e;
    arena_init(&a, ENCLAVE_REPORT_MAX);
    if (rc_ok(enclave_report_parse(&r, &a, (struct bytes){data, size}, &e))) {
        CHECK(r.exit_code >= -1 && r.exit_code <= 255 && r.evidence_json != NULL);
    }
    arena_reset(&a);
    return 0;
}
