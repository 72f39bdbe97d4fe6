/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/abi.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte steers which takes follow; every view must lie inside the input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct abi_in a = abi_of((struct bytes){data + 1, size - 1});
    for (unsigned plan = data[0], step = 0; step < 8; step++, plan >>= 1) {
        if ((plan & 1) != 0) {
            struct bytes b = abi_take_bytes(&a);
            CHECK(b.n == 0 || (b.p >= data && b.n <= size && b.p + b.n <= data + size));
        } else if (step % 2 == 0) {
            size_t n;
            struct abi_in sub = abi_take_array(&a, &n, 1 + step);
            CHECK(n <= size / 32);
            for (size_t i = 0; i < n; i++) {
                (void)abi_take_u256(&sub);
            }
            abi_join(&a, &sub);
        } else {
            struct abi_in sub = abi_take_tuple(&a);
            (void)abi_take_address(&sub);
            (void)abi_take_uint(&sub, 8);
            (void)abi_take_selector(&sub);
            abi_join(&a, &sub);
        }
    }
    return 0;
}
