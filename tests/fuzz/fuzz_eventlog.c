/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/eventlog_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as an event log: read, or refused with a reason and a place inside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct evlog l;
    const char *why;
    size_t at;
    struct bytes b = {data, size};
    (void)evlog_is(b);
    if (!evlog_replay(&l, b, &why, &at)) {
        CHECK(why != NULL && at <= size);
    }
    return 0;
}
