/* SPDX-License-Identifier: Apache-2.0 */
/* m_souk.c - methods of souk's own. */
#include "chain/rpc/rpc_table_int.h"
#include "encoding/abi.h"
#include "iface/iface.h"

/* Asks the hub, as any client could: the answer to a getter of one address. */
static rc ask_hub(struct rpc_req *q, struct address hub, enum method m, struct address *out)
{
    uint32_t selector = iface_method(m)->selector;
    uint8_t data[4] = {(uint8_t)(selector >> 24), (uint8_t)(selector >> 16),
                       (uint8_t)(selector >> 8), (uint8_t)selector};
    struct call_args c = {.has_to = true, .to = hub, .data = {data, sizeof(data)}};
    enum call_outcome how;
    struct bytes ret = {0};
    uint64_t used;
    TRY(call_run(q, ledger_height(q->rpc->ledger), &c, q->rpc->cfg.gas_cap, &how, &ret, &used));
    struct abi_in in = abi_of(ret);
    *out = abi_take_address(&in);
    return how == CALL_OK && rc_ok(abi_end(&in)) ? RC_OK
                                                 : rpc_fail(q, RPC_INTERNAL, "internal error");
}

rc souk_contracts(struct rpc_req *q)
{
    static const struct {
        const char *name;
        enum method getter;
    } rows[] = {
        {"token", METHOD_hub_token},
        {"appRegistry", METHOD_hub_appregistry},
        {"datasetRegistry", METHOD_hub_datasetregistry},
        {"workerpoolRegistry", METHOD_hub_workerpoolregistry},
    };
    struct address hub = ledger_hub(q->rpc->ledger);
    put_str(q->out, "{\"hub\":");
    put_q_address(q->out, hub);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address a;
        TRY(ask_hub(q, hub, rows[i].getter, &a));
        put_fmt(q->out, ",\"%s\":", rows[i].name);
        put_q_address(q->out, a);
    }
    put_u8(q->out, '}');
    return RC_OK;
}
