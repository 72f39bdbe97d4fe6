/* SPDX-License-Identifier: Apache-2.0 */
/* dev.c - what development nodes may do: turn the clock, write state, and go back to a snapshot.
 * State written here is committed at once, outside of blocks; how to take it back is kept in memory
 * while a snapshot needs it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "chain/ledger/ledger_int.h"

enum { SNAPSHOTS_MAX = 10000 };

struct written {
    uint64_t height; /* of the newest block when it was written */
    struct buf undo;
};

struct snapshot {
    uint64_t id, height;
    size_t written_n;
    int64_t offset;
};

struct dev {
    int64_t offset; /* seconds that the chain's clock is ahead */
    bool has_next, has_fee, has_limit, has_coinbase;
    uint64_t next, limit;
    struct u256 fee;
    struct address coinbase;
    struct written *written;
    size_t written_n, written_alloc;
    struct snapshot *snapshot;
    size_t snapshot_n, snapshot_alloc;
    uint64_t last_id;
};

struct dev *dev_new(void)
{
    struct dev *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    return d;
}

static void forget_written(struct dev *d, size_t keep)
{
    while (d->written_n > keep) {
        buf_free(&d->written[--d->written_n].undo);
    }
}

void dev_free_(struct dev *d)
{
    if (d != NULL) {
        forget_written(d, 0);
        free(d->written);
        free(d->snapshot);
        free(d);
    }
}

/* --- time and the numbers of the next block --- */

uint64_t dev_time(const struct ledger *l, uint64_t now_s)
{
    const struct dev *d = l->dev;
    uint64_t t = now_s;
    if (d != NULL) {
        t = d->has_next ? d->next : (uint64_t)((int64_t)now_s + d->offset);
    }
    return MAX(t,
               l->head.timestamp); /* many blocks may stand in one second; time never goes back */
}

void dev_sealed(struct ledger *l, uint64_t now_s)
{
    struct dev *d = l->dev;
    if (d == NULL) {
        return;
    }
    if (d->has_next) {
        d->offset = (int64_t)d->next - (int64_t)now_s;
    }
    d->has_next = d->has_fee = false;
}

struct u256 dev_base_fee(const struct ledger *l, struct u256 rule)
{
    return l->dev != NULL && l->dev->has_fee ? l->dev->fee : rule;
}

uint64_t dev_gas_limit(const struct ledger *l, uint64_t rule)
{
    return l->dev != NULL && l->dev->has_limit ? l->dev->limit : rule;
}

struct address dev_coinbase(const struct ledger *l, struct address rule)
{
    return l->dev != NULL && l->dev->has_coinbase ? l->dev->coinbase : rule;
}

void ledger_dev_shift_time(struct ledger *l, uint64_t seconds)
{
    if (l->dev != NULL && seconds < (uint64_t)1 << 40) {
        l->dev->offset += (int64_t)seconds;
    }
}

rc ledger_dev_next_time(struct ledger *l, uint64_t timestamp, struct err *e)
{
    if (l->dev == NULL) {
        return err_set(e, RC_CODE_DENIED, "the time is set on development nodes only (--dev)");
    }
    if (timestamp < l->head.timestamp) {
        return err_set(e, RC_CODE_DENIED,
                       "Timestamp error: %" PRIu64 " is lower than the newest block's, %" PRIu64,
                       timestamp, l->head.timestamp);
    }
    l->dev->has_next = true;
    l->dev->next = timestamp;
    return RC_OK;
}

void ledger_dev_set_coinbase(struct ledger *l, struct address a)
{
    if (l->dev != NULL) {
        l->dev->has_coinbase = true;
        l->dev->coinbase = a;
    }
}

void ledger_dev_set_gas_limit(struct ledger *l, uint64_t v)
{
    if (l->dev != NULL) {
        l->dev->has_limit = true;
        l->dev->limit = v;
    }
}

/* --- state --- */

static void remember(struct dev *d, uint64_t height, const struct undo *u)
{
    if (d->snapshot_n == 0) {
        return;
    }
    if (d->written_n == d->written_alloc) {
        d->written_alloc = d->written_alloc == 0 ? 64 : 2 * d->written_alloc;
        d->written = realloc(d->written, d->written_alloc * sizeof(*d->written));
        ASSERT(d->written != NULL);
    }
    struct written *w = &d->written[d->written_n++];
    *w = (struct written){.height = height};
    ASSERT(rc_ok(undo_put(&w->undo, u)));
}

/* Commits what was put on l->work. */
static rc commit(struct ledger *l, struct err *e)
{
    struct undo u = {0};
    rc r = state_write(l, &u, e);
    if (rc_ok(r)) {
        remember(l->dev, l->head.number, &u);
    }
    undo_free(&u);
    return r;
}

/* For callers that cannot be told: the operator is. */
static void commit_or_log(struct ledger *l)
{
    struct err e = {0};
    if (!rc_ok(commit(l, &e))) {
        log_error("ledger", "write of a development call: %s", e.msg);
    }
}

static bool take_account(struct ledger *l, struct address a, struct account *out)
{
    if (l->dev == NULL) {
        return false;
    }
    state_reset(l->work);
    if (!rc_ok(account_get(l->work, a, out))) {
        log_error("ledger", "an account's record is damaged");
        return false;
    }
    return true;
}

void ledger_dev_set_balance(struct ledger *l, struct address a, struct u256 v)
{
    struct account acct;
    if (take_account(l, a, &acct)) {
        acct.balance = v;
        account_put(l->work, a, acct);
        commit_or_log(l);
    }
}

void ledger_dev_set_nonce(struct ledger *l, struct address a, uint64_t v)
{
    struct account acct;
    if (take_account(l, a, &acct)) {
        acct.nonce = v;
        account_put(l->work, a, acct);
        commit_or_log(l);
        pool_settle(l->pool, a, v);
    }
}

void ledger_dev_set_code(struct ledger *l, struct address a, struct bytes code)
{
    uint8_t key[21] = {STATE_DEV_CODE};
    if (l->dev == NULL) {
        return;
    }
    memcpy(key + 1, a.b, sizeof(a.b));
    state_reset(l->work);
    if (code.n == 0) {
        state_del(l->work, BYTES_OF(key));
    } else {
        state_put(l->work, BYTES_OF(key), code);
    }
    commit_or_log(l);
}

rc ledger_dev_set_slot(struct ledger *l, struct address a, struct hash slot, struct hash v,
                       struct err *e)
{
    if (l->dev == NULL) {
        return err_set(e, RC_CODE_DENIED, "storage is set on development nodes only (--dev)");
    }
    state_reset(l->work);
    rc r = poco_slot_set(l->work, a, slot, v);
    if (r.code == RC_CODE_NOT_FOUND) {
        return err_set(e, r.code,
                       "this storage slot has no meaning here: balances, allowances, "
                       "scores, categories and settings of the contracts have one");
    }
    if (!rc_ok(r)) {
        return err_set(e, r.code, "the value does not fit this storage slot");
    }
    return commit(l, e);
}

void ledger_dev_set_base_fee(struct ledger *l, struct u256 v)
{
    if (l->dev == NULL) {
        return;
    }
    l->dev->has_fee = true;
    l->dev->fee = v;
    l->stuck = 0;
    state_reset(l->work);
    commit_or_log(l); /* nothing but that the rule of base fees is broken from here */
}

/* --- snapshots --- */

uint64_t ledger_dev_snapshot(struct ledger *l)
{
    struct dev *d = l->dev;
    if (d == NULL) {
        return 0;
    }
    if (d->snapshot_n == SNAPSHOTS_MAX) { /* the oldest cannot be gone back to any more */
        memmove(d->snapshot, d->snapshot + 1, --d->snapshot_n * sizeof(*d->snapshot));
    }
    if (d->snapshot_n == d->snapshot_alloc) {
        d->snapshot_alloc = d->snapshot_alloc == 0 ? 16 : 2 * d->snapshot_alloc;
        d->snapshot = realloc(d->snapshot, d->snapshot_alloc * sizeof(*d->snapshot));
        ASSERT(d->snapshot != NULL);
    }
    d->snapshot[d->snapshot_n++] =
        (struct snapshot){++d->last_id, l->head.number, d->written_n, d->offset};
    return d->last_id;
}

/* Takes back the newest thing that was written outside of blocks. */
static rc unwrite(struct ledger *l, struct err *e)
{
    struct written *w = &l->dev->written[l->dev->written_n - 1];
    struct bytes record = buf_bytes(&w->undo);
    state_reset(l->work);
    for (uint64_t i = 0; i < undo_n(record); i++) {
        struct bytes key, before;
        TRY(undo_at(record, i, &l->record, &key, &before));
        if (before.p != NULL) {
            state_put(l->work, key, before);
        } else {
            state_del(l->work, key);
        }
    }
    struct undo none = {0};
    rc r = state_write(l, &none, e);
    undo_free(&none);
    forget_written(l->dev, l->dev->written_n - (rc_ok(r) ? 1 : 0));
    return r;
}

static rc go_back(struct ledger *l, const struct snapshot *to, struct err *e)
{
    struct dev *d = l->dev;
    while (l->head.number > to->height || d->written_n > to->written_n) {
        bool wrote = d->written_n > 0 && d->written[d->written_n - 1].height >= l->head.number;
        TRY(wrote ? unwrite(l, e) : block_undo(l, e));
    }
    return RC_OK;
}

bool ledger_dev_revert(struct ledger *l, uint64_t id)
{
    struct dev *d = l->dev;
    struct err e = {0};
    for (size_t i = 0; d != NULL && i < d->snapshot_n; i++) {
        if (d->snapshot[i].id != id) {
            continue;
        }
        struct snapshot to = d->snapshot[i];
        if (!rc_ok(go_back(l, &to, &e))) {
            log_warn("ledger", "back to a snapshot: %s", e.msg);
            return false;
        }
        d->snapshot_n = i;
        d->offset = to.offset;
        d->has_next = d->has_fee = false;
        pool_clear(l->pool);
        return true;
    }
    return false;
}

bool ledger_dev_drop(struct ledger *l, struct hash tx)
{
    return l->dev != NULL && pool_drop(l->pool, tx);
}

rc ledger_dev_reset(struct ledger *l, struct err *e)
{
    struct bytes json;
    BUF_FREE copy = buf_new(GENESIS_SIZE_MAX);
    if (l->dev == NULL) {
        return err_set(e, RC_CODE_DENIED, "a chain is reset on development nodes only (--dev)");
    }
    rc r = store_get(l->store, T_META, BYTES_LIT("genesis"), &json);
    if (!rc_ok(r)) {
        return err_set(e, r.code, "the genesis is missing");
    }
    put_bytes(&copy, json);
    TRY(store_begin(l->store, e));
    for (int t = 0; t < T_COUNT && rc_ok(r); t++) {
        r = store_clear(l->store, (enum table)t);
    }
    TRY(store_commit(l->store, e));
    body_forget(l->body);
    pool_clear(l->pool);
    dev_free_(l->dev);
    l->dev = dev_new();
    ledger_moved(l);
    return ledger_begin_chain(l, buf_bytes(&copy), e);
}
