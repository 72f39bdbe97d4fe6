/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker reads: the scheduler's work items, a deal's parameters, its own journal. */
#include "daemon/worker/worker_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct work_item item;
    struct task_params params;
    struct journal journal;
    struct err e;
    struct bytes in = {data, size};
    arena_init(&a, (size_t)4 << 20);
    JSON_FREE *j = json_parse(in, 8, &e);
    struct js top = js_top(j);
    if (j != NULL && rc_ok(work_item_parse(&item, &top, &e))) {
        CHECK(item.what <= WORK_DROP && strlen(item.sms) < sizeof(item.sms));
    }
    if (rc_ok(task_params_parse(&params, &a, in, &e))) {
        CHECK(params.n_inputs <= INPUTS_MAX);
    }
    if (rc_ok(journal_parse(&journal, &a, in, &e))) {
        CHECK(strlen(journal.link) < LINK_TEXT_MAX);
    }
    arena_reset(&a);
    return 0;
}
