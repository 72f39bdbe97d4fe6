/* SPDX-License-Identifier: Apache-2.0 */
/* One call from outside and the frames it makes: dispatch, savepoints, gas. */
#include "chain/poco/poco_int.h"

/* Frames below each other; the reference allows 1024, and no path of the protocol needs ten. */
enum { DEPTH_MAX = 32 };

enum { GAS_CALLDATA_BYTE = 2, OUTPUT_MAX = 64 << 20 };

static enum outcome run_frame(struct frame *f);

/* Contracts whose tables answer calls to a kind of account, the first that knows wins. */
static size_t contracts_of(enum code_kind kind, struct bytes record, enum contract out[2])
{
    static const enum contract one[CODE_KINDS] = {
        [CODE_HUB] = CONTRACT_hub,
        [CODE_TOKEN] = CONTRACT_token,
        [CODE_APP] = CONTRACT_app,
        [CODE_DATASET] = CONTRACT_dataset,
        [CODE_WORKERPOOL] = CONTRACT_workerpool,
        [CODE_GROUP_FACTORY] = CONTRACT_groupFactory,
        [CODE_WALLET_FACTORY] = CONTRACT_walletFactory,
        [CODE_INBOX_FACTORY] = CONTRACT_inboxFactory,
        [CODE_GROUP] = CONTRACT_group,
        [CODE_WALLET] = CONTRACT_wallet,
        [CODE_INBOX] = CONTRACT_inbox,
    };
    if (kind == CODE_FACET) {
        return 0;
    }
    if (kind == CODE_REGISTRY) {
        out[0] = CONTRACT_registry;
        out[1] = (enum contract)(CONTRACT_appRegistry + (record.n > 0 ? record.p[0] : 0));
        return 2;
    }
    out[0] = one[kind];
    return 1;
}

static uint32_t selector_of(struct bytes data)
{
    uint8_t b[4] = {0};
    memcpy(b, data.p, MIN(data.n, sizeof(b)));
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* What an account answers that has no function with the selector. */
static enum outcome no_such_function(struct frame *f, enum code_kind kind)
{
    /* SPEC poco 2: short call data is padded to a selector, so it ends here as well. */
    REQUIRE_TEXT(f, kind != CODE_HUB, REVERT_FALLBACK);
    return revert_empty(f);
}

static enum outcome dispatch(struct frame *f, struct u256 value)
{
    enum code_kind kind;
    enum contract tables[2];
    enum method m = METHOD_NONE;
    DO(gas_charge(f, GAS_CALLDATA_BYTE * f->data.n));
    DO(code_read(f, f->self, &kind, &f->record));
    if (kind == CODE_NONE) {
        return OUT_APPLIED;
    }
    size_t n = contracts_of(kind, f->record, tables);
    bool whole = f->data.n >= 4;
    for (size_t i = 0; i < n && m == METHOD_NONE && (whole || kind == CODE_HUB); i++) {
        f->contract = tables[i];
        m = whole ? iface_find_method(tables[i], selector_of(f->data)) : METHOD_NONE;
    }
    if (m == METHOD_NONE) {
        return no_such_function(f, kind);
    }
    const struct method_row *row = iface_method(m);
    bool served =
        (row->flags & F_UNSERVED) == 0 && ((row->flags & F_BOOST) == 0 || f->run->chain.boost);
    if (!served) {
        return no_such_function(f, kind);
    }
    DO(gas_charge(f, row->gas));
    REQUIRE(f, u256_is_zero(value));        /* every function is nonpayable */
    REQUIRE(f, row->view || !f->is_static); /* a static call may not write */
    f->in = abi_of((struct bytes){f->data.p + 4, f->data.n - 4});
    return handler_of(m)(f);
}

/* Runs with a savepoint over state and logs. */
static enum outcome guarded(struct frame *f, struct u256 value)
{
    struct run *r = f->run;
    state_mark mark = state_save(r->env->state);
    struct log_node **tail = r->tail;
    size_t logs_n = r->logs_n;
    r->depth++;
    enum outcome o = r->depth > DEPTH_MAX ? revert_empty(f) : dispatch(f, value);
    r->depth--;
    if (o == OUT_REVERTED) {
        state_rollback(r->env->state, mark);
        *tail = NULL;
        r->tail = tail;
        r->logs_n = logs_n;
        r->settings_loaded = false; /* what was cached may have been rolled back */
    }
    return o;
}

static enum outcome run_frame(struct frame *f)
{
    return guarded(f, (struct u256){0});
}

enum outcome call_inner(struct frame *f, const struct inner *c, bool *ok, struct bytes *out)
{
    struct run *r = f->run;
    struct frame g = {.run = r,
                      .self = c->to,
                      .from = c->from,
                      .data = c->data,
                      .is_static = c->is_static || f->is_static};
    /* EIP-150: a caller keeps a 64th. */
    uint64_t most = r->gas - r->gas / 64;
    uint64_t give = MIN(c->gas, most), kept = r->gas - give;
    r->gas = give;
    enum outcome o = run_frame(&g);
    r->gas += kept;
    r->out_of_gas = false;
    *ok = o == OUT_APPLIED;
    *out = g.out;
    return o == OUT_FAULT ? OUT_FAULT : OUT_APPLIED;
}

enum outcome call_high(struct frame *f, const struct inner *c, struct bytes *out)
{
    bool ok, code;
    DO(code_is_at(f, c->to, &code));
    REQUIRE(f, code);
    DO(call_inner(f, c, &ok, out));
    return ok ? OUT_APPLIED : revert_data(f, *out);
}

static enum outcome collect_logs(struct frame *f, struct result *res)
{
    struct run *r = f->run;
    if (r->logs_n == 0) {
        return OUT_APPLIED;
    }
    res->logs = ARENA_ARRAY(r->env->arena, struct poco_log, r->logs_n);
    if (res->logs == NULL) {
        return call_fault(f, "no memory for logs");
    }
    for (struct log_node *n = r->logs; n != NULL; n = n->next) {
        res->logs[res->logs_n++] = n->log;
    }
    return OUT_APPLIED;
}

enum outcome poco_apply(struct poco_env *env, const struct call *call, struct result *res)
{
    struct run r = {.env = env, .gas = call->gas, .buf = buf_new(OUTPUT_MAX)};
    struct frame f = {.run = &r, .self = call->to, .from = call->from, .data = call->data};
    r.tail = &r.logs;
    *res = (struct result){0};
    enum outcome o = chain_get(&f, &r.chain);
    if (o == OUT_APPLIED) {
        r.rules = rules_at(r.chain.rules, r.chain.switch_height, env->height);
        o = guarded(&f, call->value);
    }
    if (o == OUT_APPLIED) {
        o = collect_logs(&f, res);
    }
    buf_free(&r.buf);
    res->output = f.out;
    res->fault = o == OUT_FAULT ? r.fault : NULL;
    res->out_of_gas = o == OUT_REVERTED && r.out_of_gas;
    res->gas_used = call->gas - (res->out_of_gas ? 0 : r.gas);
    return o;
}
