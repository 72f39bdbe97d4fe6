/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A token under no key that is trusted: decoded whatever it says, accepted never. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[32] = {1, 2, 3};
    struct attest_anchor anchor = {"psa", ATTEST_ANCHOR_KEY, BYTES_OF(secret), "secret"};
    struct arena a;
    struct verdict v;
    struct attest_input in = {.evidence = {data, size},
                              .anchor = &anchor,
                              .n_anchor = 1,
                              .kind = "psa",
                              .now = 1750000000};
    arena_init(&a, ATTEST_SCRATCH);
    CHECK(!attest_verify(&v, &in, &a));
    (void)attest_show(&v, &in, &a);
    arena_reset(&a);
    return 0;
}
