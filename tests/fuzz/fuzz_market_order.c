/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/market/market_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte: the kind; the rest: an order in JSON. What is accepted gives JSON that is read as the
 * same order. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct market m;
    struct err e;
    struct arena a;
    if (size == 0) {
        return 0;
    }
    enum order_kind kind = (enum order_kind)(data[0] & 3);
    JSON_FREE *doc = json_parse((struct bytes){data + 1, size - 1}, JSON_DEPTH_MAX, &e);
    if (doc == NULL) {
        return 0;
    }
    arena_init(&a, (size_t)4 << 20);
    struct js top = js_top(doc);
    struct order_row o;
    struct order_row again;
    struct bytes sign;
    if (rc_ok(order_parse(&m, &o, &sign, &a, kind, &top, &e))) {
        JSON_FREE *body = json_parse(bytes_str(o.body), JSON_DEPTH_MAX, &e);
        CHECK(body != NULL);
        struct js second = js_top(body);
        CHECK(rc_ok(order_parse(&m, &again, &sign, &a, kind, &second, &e)));
        CHECK(hash_eq(o.hash, again.hash) && strcmp(o.body, again.body) == 0);
    }
    arena_reset(&a);
    return 0;
}
