/* SPDX-License-Identifier: Apache-2.0 */
/* Records come back as they were squeezed; what cannot have been squeezed is damage. */
#include "chain/ledger/ledger_int.h"
#include "tests/test.h"

static void check(struct bytes v)
{
    BUF_FREE small = buf_new(1 << 16), back = buf_new(1 << 16);
    squeeze_put(&small, v);
    CHECK(rc_ok(unsqueeze_put(&back, buf_bytes(&small))) && bytes_eq(buf_bytes(&back), v));
}

int main(void)
{
    uint8_t v[2000];
    uint32_t seed = 99;
    for (size_t round = 0; round < 3000; round++) {
        size_t n = round % sizeof(v);
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            v[i] = round % 3 == 0 ? (uint8_t)(seed >> 24) : (seed >> 28) == 1 ? 7 : 0;
        }
        check((struct bytes){v, n});
    }
    BUF_FREE back = buf_new(600);
    CHECK(unsqueeze_put(&back, BYTES_LIT("\1\0")).code == RC_CODE_CORRUPT);
    CHECK(unsqueeze_put(&back, BYTES_LIT("\0\0")).code == RC_CODE_CORRUPT);
    CHECK(unsqueeze_put(&back, BYTES_LIT("\0\377\0\377\0\377")).code == RC_CODE_LIMIT);
    return 0;
}
