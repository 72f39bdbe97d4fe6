/* SPDX-License-Identifier: Apache-2.0 */
/* What a chain, a market or a disk may hand to the client: the first byte picks the parser. */
#include "daemon/client/client_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_json(uint8_t what, struct bytes text, struct arena *a)
{
    struct err e;
    JSON_FREE *j = json_parse(text, JSON_DEPTH_MAX, &e);
    JSON_FREE *result = NULL;
    struct js top = js_top(j);
    const struct client_log *logs;
    struct client_receipt receipt;
    struct orders o;
    size_t n;
    if (j == NULL) {
        return;
    }
    switch (what) {
    case 0:
        (void)!rc_ok(rpc_reply(&result, j, &e));
        break;
    case 1:
        (void)!rc_ok(client_logs_parse(&logs, &n, a, j, &e));
        break;
    case 2:
        (void)!rc_ok(client_receipt_parse(&receipt, a, j, &e));
        break;
    case 3:
        (void)!rc_ok(app_order_json(&o.app, a, &top, &e));
        (void)!rc_ok(dataset_order_json(&o.dataset, a, &top, &e));
        (void)!rc_ok(workerpool_order_json(&o.workerpool, a, &top, &e));
        break;
    default:
        if (rc_ok(request_order_json(&o.request, a, &top, &e))) { /* writing it gives it again */
            struct request_order again;
            JSON_FREE *back = json_request_order(&o.request);
            struct js back_js = js_top(back);
            CHECK(rc_ok(request_order_json(&again, a, &back_js, &e)));
            CHECK(bytes_eq(again.params, o.request.params));
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct view_deal deal;
    struct view_task task;
    struct client_cursor cursor;
    if (size == 0) {
        return 0;
    }
    struct bytes in = {data + 1, size - 1};
    arena_init(&a, (size_t)4 << 20);
    switch (data[0] % 16) {
    case 5:
        (void)!rc_ok(view_deal_parse(&deal, &a, in));
        break;
    case 6:
        (void)!rc_ok(view_task_parse(&task, &a, in));
        break;
    case 7:
        (void)!rc_ok(cursor_parse(&cursor, in));
        break;
    case 8: {
        BUF_FREE url = buf_new(4096);
        (void)!rc_ok(store_location(&url, "http://127.0.0.1", in, NULL));
        break;
    }
    default:
        on_json(data[0] % 16, in, &a);
        break;
    }
    arena_reset(&a);
    return 0;
}
