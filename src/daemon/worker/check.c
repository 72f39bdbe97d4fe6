/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - nothing is fetched, run or staked before the chain agrees: SPEC offchain 2.2, START. */
#include "crypto/secp.h"
#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"

#define BATCH 5

struct reading { /* the views of one request */
    struct buf data[BATCH];
    struct client_call_item items[BATCH];
};

static void reading_free(struct reading *r)
{
    for (size_t i = 0; i < BATCH; i++) {
        buf_free(&r->data[i]);
    }
}

static struct abi_out ask(struct reading *r, size_t i, struct client *c, enum method m,
                          size_t words)
{
    r->data[i] = buf_new(256);
    r->items[i].to = client_hub(c);
    return call_begin(&r->data[i], m, words);
}

static rc read_all(struct job *j, struct reading *r, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        r->items[i].data = buf_bytes(&r->data[i]);
    }
    TRY(client_call_batch(j->chain, r->items, n, j->a, e));
    for (size_t i = 0; i < n; i++) {
        if (!rc_ok(r->items[i].r)) {
            return err_set(e, r->items[i].r.code, "%s", r->items[i].err.msg);
        }
    }
    return RC_OK;
}

static rc take_contribution(struct view_contribution *out, struct bytes data)
{
    struct abi_in in = abi_of(data);
    uint64_t status = abi_take_uint(&in, 8);
    *out = (struct view_contribution){.status = (enum contribution_status)status};
    out->result_hash = abi_take_hash(&in);
    out->result_seal = abi_take_hash(&in);
    out->enclave_challenge = abi_take_address(&in);
    out->weight = abi_take_u256(&in);
    return status > CONTRIBUTION_REJECTED ? RC(MALFORMED) : abi_end(&in);
}

/* viewDeal, viewTask, viewContribution, viewAccount, teebroker, in one request. */
static rc read_task(struct job *j, struct u256 *stake, struct address *broker, struct err *e)
{
    struct reading r = {0};
    TRY(client_find_hub(j->chain, e));
    struct abi_out o = ask(&r, 0, j->chain, METHOD_hub_viewDeal, 1);
    abi_put_hash(&o, j->item->deal);
    o = ask(&r, 1, j->chain, METHOD_hub_viewTask, 1);
    abi_put_hash(&o, j->item->task);
    o = ask(&r, 2, j->chain, METHOD_hub_viewContribution, 2);
    abi_put_hash(&o, j->item->task);
    abi_put_address(&o, j->cfg->signer->address);
    o = ask(&r, 3, j->chain, METHOD_hub_viewAccount, 1);
    abi_put_address(&o, j->cfg->signer->address);
    (void)ask(&r, 4, j->chain, METHOD_hub_teebroker, 0);
    rc ok = read_all(j, &r, 5, e);
    reading_free(&r);
    TRY(ok);
    struct abi_in account = abi_of(r.items[3].out), tee = abi_of(r.items[4].out);
    *stake = abi_take_u256(&account);
    *broker = abi_take_address(&tee);
    if (!rc_ok(view_deal_parse(&j->deal, j->a, r.items[0].out)) ||
        !rc_ok(view_task_parse(&j->task, j->a, r.items[1].out)) ||
        !rc_ok(take_contribution(&j->contribution, r.items[2].out)) || !rc_ok(abi_end(&account)) ||
        !rc_ok(abi_end(&tee))) {
        return err_set(e, RC_CODE_MALFORMED, "the chain's views do not fit their types");
    }
    return client_time(j->chain, &j->now_s, e);
}

/* The pool's owner (or the TEE broker, for enclaves) signed over this wallet, task and enclave. */
static rc check_authorization(struct job *j, struct address broker, struct err *e)
{
    const struct work_item *it = j->item;
    struct address signer, want = j->deal.workerpool.owner;
    char a[HEX_ADDRESS_MAX], b[HEX_ADDRESS_MAX];
    struct hash digest =
        task_authorization_digest(j->cfg->signer->address, it->task, it->challenge);
    if (!address_is_zero(it->challenge) && !address_is_zero(broker)) {
        want = broker;
    }
    if (!rc_ok(secp_recover65(&signer, digest, (struct bytes){it->authorization, 65})) ||
        !address_eq(signer, want)) {
        return job_fail(j, e, "WORKERPOOL_AUTHORIZATION_NOT_FOUND",
                        "the authorisation is not signed by %s for worker %s, this task and this "
                        "enclave: it is forged, or was made for another",
                        hex_address(a, want), hex_address(b, j->cfg->signer->address));
    }
    return RC_OK;
}

rc check_read(struct job *j, struct err *e)
{
    struct u256 stake;
    struct address broker;
    return read_task(j, &stake, &broker, e);
}

rc check_task(struct job *j, struct err *e)
{
    struct u256 stake;
    struct address broker;
    char have[U256_DEC_MAX], need[U256_DEC_MAX];
    const struct work_item *it = j->item;
    TRY(err_wrap(e, read_task(j, &stake, &broker, e), "read the task"));
    if (address_is_zero(j->deal.app.pointer) || !hash_eq(j->task.dealid, it->deal) ||
        !hash_eq(order_task_id(it->deal, u256_from(it->idx)), it->task)) {
        return job_fail(j, e, "WORKERPOOL_AUTHORIZATION_NOT_FOUND",
                        "the chain has no such task in such a deal");
    }
    TRY(check_authorization(j, broker, e));
    if (tag_is_tee(j->deal.tag) == address_is_zero(it->challenge)) {
        return job_fail(j, e, "TASK_DESCRIPTION_INVALID",
                        "the deal and the authorisation disagree about an enclave");
    }
    if (tag_is_tee(j->deal.tag) && j->cfg->tee_key == NULL) {
        return job_fail(j, e, "TEE_NOT_SUPPORTED", "this worker has no enclave");
    }
    if (j->contribution.status != CONTRIBUTION_UNSET) {
        return RC_OK; /* goes on behind it: job.c */
    }
    if (j->task.status != TASK_ACTIVE) {
        return job_fail(j, e, "TASK_NOT_ACTIVE", "the task takes no contributions any more");
    }
    if (j->now_s >= j->task.contribution_deadline) {
        return job_fail(j, e, "CONTRIBUTION_TIMEOUT", "the time for contributions is over");
    }
    bool free_of_stake = tag_is_tee(j->deal.tag) && u256_eq(j->deal.trust, u256_from(1));
    if (!free_of_stake && u256_lt(stake, j->deal.worker_stake)) {
        return job_fail(j, e, "STAKE_TOO_LOW",
                        "the deal asks for a stake of %s nRLC and the wallet has deposited %s: "
                        "deposit more",
                        u256_dec(j->deal.worker_stake, need), u256_dec(stake, have));
    }
    j->checked = true;
    return RC_OK;
}

rc check_assets(struct job *j, struct err *e)
{
    bool dataset = !address_is_zero(j->deal.dataset.pointer);
    TRY(client_view_app(j->chain, &j->app, j->a, j->deal.app.pointer, e));
    if (dataset) {
        TRY(client_view_dataset(j->chain, &j->dataset, j->a, j->deal.dataset.pointer, e));
    }
    rc r = task_params_parse(&j->params, j->a, j->deal.params, e);
    if (!rc_ok(r)) {
        return job_fail(j, e, "TASK_DESCRIPTION_INVALID", "the deal's parameters: %s",
                        e != NULL ? e->msg : "");
    }
    if (!tag_is_tee(j->deal.tag) && (j->params.encrypt || j->params.has_secrets)) {
        return job_fail(j, e, "TASK_DESCRIPTION_INVALID",
                        "secrets and encrypted results need an enclave: tag tee");
    }
    return RC_OK;
}
