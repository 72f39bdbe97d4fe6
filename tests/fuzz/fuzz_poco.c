/* SPDX-License-Identifier: Apache-2.0 */
/* Call data of any method: two bytes choose it, one the caller, the rest are its arguments. No input
 * may be a fault, and what is refused changes nothing. */
#include "tests/poco_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct address target(const struct market *m, enum contract c)
{
    switch (c) {
    case CONTRACT_token:
        return m->config.token;
    case CONTRACT_registry:
    case CONTRACT_appRegistry:
        return m->config.app_registry;
    case CONTRACT_datasetRegistry:
        return m->config.dataset_registry;
    case CONTRACT_workerpoolRegistry:
        return m->config.workerpool_registry;
    case CONTRACT_app:
        return m->app;
    case CONTRACT_dataset:
        return m->dataset;
    case CONTRACT_workerpool:
        return m->pool;
    case CONTRACT_groupFactory:
        return (struct address){{0x50, 0xc0, 0x50, 0xc0, [18] = 0x50, [19] = 6}};
    case CONTRACT_walletFactory:
        return (struct address){{0x50, 0xc0, 0x50, 0xc0, [18] = 0x50, [19] = 7}};
    case CONTRACT_inboxFactory:
        return (struct address){{0x50, 0xc0, 0x50, 0xc0, [18] = 0x50, [19] = 8}};
    case CONTRACT_hub:
    case CONTRACT_group:
    case CONTRACT_wallet:
    case CONTRACT_inbox:
    case CONTRACT_COUNT:
        break;
    }
    return m->config.hub;
}

static rc count(void *ctx, struct bytes key, struct bytes value, struct bytes before)
{
    size_t *n = ctx;
    (void)before;
    *n += key.n + value.n;
    return RC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct market m;
    static bool open;
    static size_t steps;
    if (!open || ++steps % 2000 == 0) { /* versions of records pile up until the state is dropped */
        if (open) {
            market_close(&m);
        }
        market_open_with(&m, RULES_6_2, true);
        market_publish(&m);
        open = true;
    }
    if (size < 3) {
        return 0;
    }
    enum method id = (enum method)(1 + ((unsigned)data[0] << 8 | data[1]) % (METHOD_COUNT - 1));
    begin(&m, id, 0);
    put_mem(&m.data, data + 3, size - 3);
    size_t before = 0, after = 0;
    CHECK(rc_ok(state_changes(m.state, count, &before)));
    state_mark mark = state_save(m.state);
    struct address from = data[2] % 2 == 0 ? OWNER : PAUL;
    enum outcome o = call_gas(&m, from, target(&m, iface_method(id)->contract), 30000000);
    CHECK(o != OUT_FAULT);
    CHECK(m.res.gas_used <= 30000000);
    CHECK(o == OUT_APPLIED || m.res.logs_n == 0);
    if (o == OUT_APPLIED) {
        state_rollback(m.state, mark);
    }
    CHECK(rc_ok(state_changes(m.state, count, &after)) && before == after);
    arena_reset(&m.arena);
    return 0;
}
