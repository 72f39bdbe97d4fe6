/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - reads and messages on the state: of now, of the past, and of now with what waits. */
#include "base/log.h"
#include "chain/ledger/ledger_int.h"
#include "io/clock.h"

#define VIEW_MEMORY_MAX ((size_t)64 << 20) /* what reads keep until the next block */
#define TX_MEMORY_MAX   ((size_t)256 << 20)
enum { PENDING_MAX = 20000 }; /* transactions that "pending" looks through */

/* A state to read: of the head, of the past (then it is the caller's to free), or pending. */
struct view {
    struct state *state;
    struct past past;
    bool own;
    struct place place;
};

static void close_view(struct view *v)
{
    if (v->own) {
        state_free(v->state);
    }
}

static void run_pending(struct ledger *l, const struct place *p)
{
    struct arena a;
    struct done d;
    const char *why;
    size_t n = 0;
    uint64_t gas = 0;
    arena_init(&a, TX_MEMORY_MAX);
    state_reset(l->pend);
    pool_pick_begin(l->pool, p->base_fee);
    for (struct pooled *t = pool_pick(l->pool); t != NULL && n < PENDING_MAX; n++) {
        bool fits = t->e.gas <= p->gas_limit - gas;
        rc r = fits ? exec_tx(l->pend, p, &t->e, t->from, &a, &d, &why) : RC(DENIED);
        gas += rc_ok(r) ? d.gas_used : 0;
        if (!rc_ok(r)) {
            pool_pick_skip(l->pool);
        }
        t = pool_pick(l->pool);
        arena_reset(&a);
    }
    l->pend_version = pool_version(l->pool);
    l->pend_height = l->head.number;
}

static rc open_view(struct ledger *l, uint64_t number, struct view *v)
{
    struct place next = next_place(l, clock_wall_s());
    *v = (struct view){.state = l->view, .place = next};
    if (number == LEDGER_PENDING) {
        if (pool_counts(l->pool).pending == 0) {
            return RC_OK;
        }
        if (l->pend_version != pool_version(l->pool) || l->pend_height != l->head.number) {
            run_pending(l, &next);
        }
        v->state = l->pend;
        return RC_OK;
    }
    if (number > l->head.number) {
        return RC(NOT_FOUND);
    }
    v->place.number = number;
    if (number == l->head.number) {
        if (state_memory(l->view) > VIEW_MEMORY_MAX) {
            state_reset(l->view);
        }
        return RC_OK;
    }
    if (l->cfg.history != UINT64_MAX && l->head.number - number > l->cfg.history) {
        return RC(NOT_FOUND);
    }
    uint8_t key[8];
    struct bytes record;
    struct block b;
    struct arena a;
    key_be64(key, number + 1); /* a node that kept fewer blocks before has no older ones */
    TRY(store_get(l->store, T_UNDO, BYTES_OF(key), &record));
    arena_init(&a, 4096);
    rc r = ledger_block(l, &a, number, &b);
    arena_reset(&a);
    TRY(r);
    v->place.time = b.timestamp;
    v->place.coinbase = b.miner;
    v->past = (struct past){l->store, &l->record, number, l->head.number};
    v->state = state_new(past_read, &v->past);
    v->own = true;
    return RC_OK;
}

rc ledger_balance(struct ledger *l, uint64_t number, struct address a, struct u256 *out)
{
    struct view v;
    struct account acct;
    TRY(open_view(l, number, &v));
    rc r = account_get(v.state, a, &acct);
    *out = acct.balance;
    close_view(&v);
    return r;
}

rc ledger_nonce(struct ledger *l, uint64_t number, struct address a, uint64_t *out)
{
    struct view v;
    struct account acct;
    TRY(open_view(l, number == LEDGER_PENDING ? l->head.number : number, &v));
    rc r = account_get(v.state, a, &acct);
    *out = number == LEDGER_PENDING ? pool_nonce(l->pool, a, acct.nonce) : acct.nonce;
    close_view(&v);
    return r;
}

static rc read_code(struct state *s, struct arena *a, struct address of, struct bytes *out)
{
    uint8_t key[21] = {STATE_DEV_CODE};
    struct bytes code = {0};
    memcpy(key + 1, of.b, sizeof(of.b));
    rc r = state_get(s, BYTES_OF(key), &code);
    if (r.code == RC_CODE_NOT_FOUND) {
        code = poco_has_code(s, of) ? poco_code(s, of) : (struct bytes){0};
        r = RC_OK;
    }
    TRY(r);
    uint8_t *p = arena_alloc(a, code.n);
    if (p == NULL) {
        return RC(LIMIT);
    }
    if (code.n > 0) {
        memcpy(p, code.p, code.n);
    }
    *out = (struct bytes){p, code.n};
    return RC_OK;
}

rc ledger_code(struct ledger *l, struct arena *a, uint64_t number, struct address of,
               struct bytes *out)
{
    struct view v;
    TRY(open_view(l, number, &v));
    rc r = read_code(v.state, a, of, out);
    close_view(&v);
    return r;
}

rc ledger_slot(struct ledger *l, uint64_t number, struct address of, struct hash slot,
               struct hash *out)
{
    struct view v;
    TRY(open_view(l, number, &v));
    rc r = poco_slot_get(v.state, of, slot, out);
    if (r.code == RC_CODE_NOT_FOUND) { /* as every slot that nobody wrote */
        *out = (struct hash){0};
        r = RC_OK;
    }
    close_view(&v);
    return r;
}

static rc run(struct view *v, struct arena *a, const struct call_msg *m, enum call_outcome *how,
              struct bytes *ret, uint64_t *gas_used, struct err *e)
{
    struct account from;
    struct done d;
    const char *why = "";
    uint64_t intrinsic = gas_intrinsic(!m->has_to, m->data, (struct eth_tx_access){0});
    *ret = (struct bytes){0};
    *gas_used = m->gas;
    if (!rc_ok(account_get(v->state, m->from, &from))) {
        return err_set(e, RC_CODE_CORRUPT, "the account's record is damaged");
    }
    if (u256_lt(from.balance, m->value)) {
        *how = CALL_NO_FUNDS;
        return RC_OK;
    }
    if (m->gas < intrinsic) {
        *how = CALL_OUT_OF_GAS;
        return RC_OK;
    }
    if (!m->has_to) { /* there is no EVM: as if the constructor had reverted */
        *how = CALL_REVERTED;
        *gas_used = intrinsic;
        return RC_OK;
    }
    struct call call = {.from = m->from,
                        .to = m->to,
                        .value = m->value,
                        .data = m->data,
                        .gas = m->gas - intrinsic,
                        .is_static = true};
    rc r = exec_message(v->state, &v->place, &call, a, &d, &why);
    if (!rc_ok(r)) {
        return err_set(e, r.code, "%s", why);
    }
    *how = d.ok ? CALL_OK : d.out_of_gas ? CALL_OUT_OF_GAS : CALL_REVERTED;
    *ret = d.output;
    *gas_used = intrinsic + d.gas_used;
    return RC_OK;
}

rc ledger_call(struct ledger *l, struct arena *a, uint64_t number, const struct call_msg *m,
               enum call_outcome *how, struct bytes *ret, uint64_t *gas_used, struct err *e)
{
    struct view v;
    rc opened = open_view(l, number, &v);
    if (!rc_ok(opened)) {
        return err_set(e, opened.code, "the state of this block is not kept");
    }
    state_mark mark = state_save(v.state);
    rc r = run(&v, a, m, how, ret, gas_used, e);
    state_rollback(v.state, mark);
    close_view(&v);
    return r;
}
