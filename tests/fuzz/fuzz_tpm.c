/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as quote or HCL report, and as what lies beside it: nothing is accepted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {"tpm", "azure", NULL};
    static struct verdict v;
    struct arena a;
    struct attest_item item = {"pcrs", {data, size}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct attest_input in = {.evidence = {data, size},
                                  .item = &item,
                                  .n_item = 1,
                                  .kind = kinds[i],
                                  .no_builtin_roots = true,
                                  .now = 1750000000};
        arena_init(&a, ATTEST_SCRATCH);
        CHECK(!attest_verify(&v, &in, &a));
        arena_reset(&a);
    }
    return 0;
}
