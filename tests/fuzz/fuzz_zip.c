/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/runtime.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A result zip in memory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zip_entry en[8];
    struct arena a;
    struct err e;
    size_t n = 0;
    arena_init(&a, 1 << 20);
    if (rc_ok(zip_parse(en, &n, 8, &a, (struct bytes){data, size}, &e))) {
        for (size_t i = 0; i < n; i++) {
            CHECK(en[i].name[0] != 0 && en[i].name[0] != '/');
        }
    }
    arena_reset(&a);
    return 0;
}
