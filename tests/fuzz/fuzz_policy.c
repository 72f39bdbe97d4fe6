/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* attest_policy_parse(): any text gives a policy or a sentence that says "policy: …". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct attest_policy p;
    struct err e = {0};
    arena_init(&a, 1 << 20);
    if (!rc_ok(attest_policy_parse(&p, &a, (struct bytes){data, size}, &e))) {
        CHECK(strncmp(e.msg, "policy: ", 8) == 0);
    } else {
        CHECK((p.tcb_accept & 1U << TCB_NONE) != 0 && p.n_rule <= ATTEST_RULES_MAX);
    }
    arena_reset(&a);
    return 0;
}
