/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's status report, and a result's location, as a scheduler takes them. */
#include "daemon/scheduler/scheduler_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct report r;
    struct err e;
    char link[1024];
    (void)snprintf(link, sizeof(link), "%.*s", (int)(size < 1000 ? size : 1000),
                   size > 0 ? (const char *)data : "");
    if (rc_ok(link_check(link, NULL))) {
        CHECK(strlen(link) < LINK_MAX);
    }
    arena_init(&a, (size_t)1 << 20);
    JSON_FREE *j = json_parse((struct bytes){data, size}, 8, &e);
    if (j != NULL && rc_ok(report_parse(&r, &a, j, &e))) {
        CHECK(r.exit_code <= 255 && (r.link == NULL || strlen(r.link) < LINK_MAX));
    }
    arena_reset(&a);
    return 0;
}
