/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/runtime.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* computed.json: an accepted path never leaves /iexec_out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct computed c;
    struct arena a;
    struct err e;
    arena_init(&a, 1 << 20);
    if (rc_ok(computed_parse(&c, &a, (struct bytes){data, size}, &e))) {
        CHECK(c.has_callback || c.path != NULL);
        CHECK(c.path == NULL || (c.path[0] != '/' && strstr(c.path, "..") != c.path));
    }
    arena_reset(&a);
    return 0;
}
