/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"
#include "iface/iface.h"
#include "iface/order.h"
#include "iface/order_types.h"
#include "tests/test.h"

static uint32_t selector_of(const char *sig)
{
    struct hash h = keccak256(bytes_str(sig));
    return (uint32_t)h.b[0] << 24 | (uint32_t)h.b[1] << 16 | (uint32_t)h.b[2] << 8 | h.b[3];
}

static void selectors_are_hashes_and_are_found(void)
{
    for (enum method m = METHOD_NONE + 1; m < METHOD_COUNT; m++) {
        const struct method_row *r = iface_method(m);
        CHECK(selector_of(r->signature) == r->selector);
        CHECK(iface_find_method(r->contract, r->selector) == m);
        if (m > 1 && iface_method(m - 1)->contract == r->contract) {
            CHECK(iface_method(m - 1)->selector < r->selector);
        }
        CHECK(strncmp(r->signature, r->name, strcspn(r->signature, "(")) == 0);
    }
    CHECK(iface_find_method(CONTRACT_hub, 0xffffffff) == METHOD_NONE);
    CHECK(iface_find_method(CONTRACT_token, 0x156194d4) == METHOD_NONE);
    CHECK(iface_find_method(CONTRACT_hub, 0x156194d4) == METHOD_hub_matchOrders);
}

static void topics_are_hashes_and_are_found(void)
{
    for (enum event e = 0; e < EVENT_COUNT; e++) {
        const struct event_row *r = iface_event(e);
        enum event found;
        CHECK(hash_eq(keccak256(bytes_str(r->signature)), r->topic));
        CHECK(iface_find_event(&found, r->contract, r->topic) && found == e);
    }
    enum event none;
    CHECK(!iface_find_event(&none, CONTRACT_hub, (struct hash){0}));
}

static void errors_are_hashes(void)
{
    for (enum revert v = REVERT_NONE + 1; v < REVERT_COUNT; v++) {
        const struct revert_row *r = iface_revert(v);
        CHECK(r->selector == (r->is_text ? SELECTOR_ERROR : selector_of(r->text)));
    }
    CHECK(selector_of("Error(string)") == SELECTOR_ERROR);
    CHECK(selector_of("Panic(uint256)") == SELECTOR_PANIC);
    CHECK(iface_find_revert(BYTES_LIT("\x74\xa0\x58\x3f")) == ERROR_CallerIsNotTheRequester);
    CHECK(iface_find_revert(BYTES_LIT("\x74")) == REVERT_NONE);
    BUF_FREE b = buf_new(4096);
    put_be(&b, SELECTOR_ERROR, 4);
    struct abi_out o = abi_begin(&b, 1);
    abi_put_bytes(&o, BYTES_LIT("task-pending"));
    CHECK(iface_find_revert(buf_bytes(&b)) == REVERT_TASK_PENDING);
    b.p[70] ^= 1;
    CHECK(iface_find_revert(buf_bytes(&b)) == REVERT_NONE);
}

static void type_hashes(void)
{
#define SAME(name, text) CHECK(hash_eq(order_typehash_##name, keccak256(BYTES_LIT(text))))
    SAME(domain, ORDER_TYPE_DOMAIN);
    SAME(app, ORDER_TYPE_APP);
    SAME(dataset, ORDER_TYPE_DATASET);
    SAME(workerpool, ORDER_TYPE_WORKERPOOL);
    SAME(request, ORDER_TYPE_REQUEST);
    SAME(app_operation, ORDER_TYPE_APP_OPERATION);
    SAME(dataset_operation, ORDER_TYPE_DATASET_OPERATION);
    SAME(workerpool_operation, ORDER_TYPE_WORKERPOOL_OPERATION);
    SAME(request_operation, ORDER_TYPE_REQUEST_OPERATION);
#undef SAME
}

static void fill(void *p, size_t n, uint8_t from)
{
    uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        b[i] = (uint8_t)(from + i * 7);
    }
}

static void orders_survive_the_abi(void)
{
    struct orders o, back = {0};
    fill(&o, sizeof(o), 3);
    o.app.sign = BYTES_LIT("a");
    o.dataset.sign = BYTES_LIT("");
    o.workerpool.sign = BYTES_LIT("123456789 123456789 123456789 123456789 ");
    o.request.sign = BYTES_LIT("r");
    o.request.params = BYTES_LIT("{\"iexec_args\":\"x\"}");
    BUF_FREE b = buf_new(1 << 16);
    struct abi_out out = abi_begin(&b, 4);
    put_app_order(&out, &o.app);
    put_dataset_order(&out, &o.dataset);
    put_workerpool_order(&out, &o.workerpool);
    put_request_order(&out, &o.request);
    CHECK(rc_ok(buf_end(&b)));
    struct abi_in in = abi_of(buf_bytes(&b));
    take_orders(&in, &back);
    CHECK(rc_ok(abi_end(&in)));
    struct hash d = order_domain(u256_from(7), o.app.app);
    CHECK(hash_eq(app_order_hash(d, &o.app), app_order_hash(d, &back.app)));
    CHECK(hash_eq(dataset_order_hash(d, &o.dataset), dataset_order_hash(d, &back.dataset)));
    CHECK(hash_eq(workerpool_order_hash(d, &o.workerpool),
                  workerpool_order_hash(d, &back.workerpool)));
    CHECK(hash_eq(request_order_hash(d, &o.request), request_order_hash(d, &back.request)));
    CHECK(bytes_eq(back.request.params, o.request.params));
    CHECK(bytes_eq(back.workerpool.sign, o.workerpool.sign));
    /* Cut anywhere inside the heads it is refused. */
    for (size_t n = 0; n < 4 * 32 + 9 * 32; n += 31) {
        in = abi_of((struct bytes){b.p, n});
        take_orders(&in, &back);
        CHECK(!rc_ok(abi_end(&in)));
    }
}

int main(void)
{
    selectors_are_hashes_and_are_found();
    topics_are_hashes_and_are_found();
    errors_are_hashes();
    type_hashes();
    orders_survive_the_abi();
    return 0;
}
