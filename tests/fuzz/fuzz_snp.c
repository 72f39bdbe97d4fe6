/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A report that begins as one must, with the input as its rest and as its certificates. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t report[1184 + 4096];
    struct arena a;
    struct verdict v;
    memset(report, 0, sizeof(report));
    size_t n = MIN(size, sizeof(report));
    memcpy(report, data, n);
    memcpy(report, "\x03\0\0\0", 4);
    memcpy(report + 0x34, "\x01\0\0\0", 4);
    report[0x0a] |= 2;
    struct attest_item item = {.name = "input", .data = {data, size}};
    struct attest_input in = {.evidence = {report, MAX(n, (size_t)1184)},
                              .item = &item,
                              .n_item = 1,
                              .kind = "sev-snp",
                              .now = 1750000000};
    arena_init(&a, ATTEST_SCRATCH);
    CHECK(!attest_verify(&v, &in, &a));
    (void)attest_show(&v, &in, &a);
    arena_reset(&a);
    return 0;
}
