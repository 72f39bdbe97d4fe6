/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/enclave/enclave_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a secret manager sends to the agent, opened. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tee_session s;
    struct arena a;
    struct err e;
    arena_init(&a, 4 << 20);
    if (rc_ok(tee_session_parse(&s, &a, (struct bytes){data, size}, &e))) {
        CHECK(s.sign_key.n == 32 && s.data_n <= SESSION_DATA_MAX && s.args != NULL);
        for (size_t i = 0; i < s.data_n; i++) {
            CHECK(s.data[i].key.n == 32 && strchr(s.data[i].name, '/') == NULL);
        }
    }
    tee_session_free(&s);
    arena_reset(&a);
    return 0;
}
