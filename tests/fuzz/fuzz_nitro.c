/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a whole document, and as the payload of one. Nobody here can sign for AWS's root. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct verdict v;
    BUF_FREE wrapped = buf_new(1 << 17);
    put_mem(&wrapped, "\x84\x44\xa1\x01\x38\x22\xa0\x59", 8);
    size_t n = MIN(MAX(size, (size_t)256), (size_t)65535);
    put_be(&wrapped, n, 2);
    put_mem(&wrapped, data, MIN(size, n));
    put_zero(&wrapped, n - MIN(size, n));
    put_mem(&wrapped, "\x58\x60", 2);
    put_zero(&wrapped, 96);
    for (int i = 0; i < 2; i++) {
        struct attest_input in = {.evidence =
                                      i == 0 ? (struct bytes){data, size} : buf_bytes(&wrapped),
                                  .kind = "nitro",
                                  .now = 1750000000};
        arena_init(&a, ATTEST_SCRATCH);
        CHECK(!attest_verify(&v, &in, &a));
        (void)attest_show(&v, &in, &a);
        arena_reset(&a);
    }
    return 0;
}
