/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "crypto/ed25519.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A report under no device key that is trusted, and the curve with any key and signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct verdict v;
    struct attest_input in = {.evidence = {data, size}, .kind = "keystone"};
    arena_init(&a, ATTEST_SCRATCH);
    CHECK(!attest_verify(&v, &in, &a));
    (void)attest_show(&v, &in, &a);
    arena_reset(&a);
    if (size >= 96) {
        (void)ed25519_sha3_verify((struct bytes){data, 32}, (struct bytes){data + 96, size - 96},
                                  (struct bytes){data + 32, 64});
    }
    return 0;
}
