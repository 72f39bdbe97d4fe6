/* SPDX-License-Identifier: Apache-2.0 */
/* ballot.c - the vote: contribute and reveal. SPEC poco 7, offchain 2.2. */
#include "daemon/worker/worker_int.h"

#define WAIT_MS 120000

/* SPEC offchain 0 */
#define GAS_CONTRIBUTE 500000
#define GAS_REVEAL     100000

bool ballot_is_sure(const struct job *j)
{
    return !u256_lt(u256_from(1), j->deal.trust);
}

static void put_contribute(struct buf *b, const struct job *j)
{
    const struct journal *v = &j->journal;
    struct abi_out o = call_begin(b, METHOD_hub_contribute, 6);
    abi_put_hash(&o, j->item->task);
    abi_put_hash(&o, task_result_hash(j->item->task, v->digest));
    abi_put_hash(&o, task_result_seal(j->cfg->signer->address, j->item->task, v->digest));
    abi_put_address(&o, v->challenge);
    abi_put_bytes(&o, v->tee ? (struct bytes){v->enclave_sign, 65} : (struct bytes){0});
    abi_put_bytes(&o, (struct bytes){j->item->authorization, 65});
}

static void put_reveal(struct buf *b, const struct job *j)
{
    struct abi_out o = call_begin(b, METHOD_hub_reveal, 2);
    abi_put_hash(&o, j->item->task);
    abi_put_hash(&o, j->journal.digest);
}

static rc wait_for(struct job *j, const struct client_tx *tx, enum event want, const char *what,
                   struct err *e)
{
    struct client_receipt receipt;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    rc r = client_wait(j->chain, &receipt, &a, tx, j->cfg->signer->address, WAIT_MS, e);
    if (rc_ok(r) && receipt_find(&receipt, want) == NULL) {
        r = err_set(e, RC_CODE_DENIED, "the receipt has no such event");
    }
    arena_reset(&a);
    if (r.code == RC_CODE_DENIED) {
        return job_fail(j, e, "CHAIN_RECEIPT_NOT_VALID", "%s: %s", what, e != NULL ? e->msg : "");
    }
    return err_wrap(e, r, "%s", what);
}

/* Where one vote decides, its reveal follows in the same request: the contribution makes the
 * consensus, so that the reveal behind it is in time. */
rc ballot_cast(struct job *j, struct err *e)
{
    struct client_tx tx[2];
    BUF_FREE contribute = buf_new((size_t)1 << 16);
    BUF_FREE reveal = buf_new((size_t)1 << 16);
    bool both = ballot_is_sure(j);
    put_contribute(&contribute, j);
    put_reveal(&reveal, j);
    tx[0] = (struct client_tx){
        .to = client_hub(j->chain), .data = buf_bytes(&contribute), .gas = GAS_CONTRIBUTE};
    tx[1] = (struct client_tx){
        .to = client_hub(j->chain), .data = buf_bytes(&reveal), .gas = GAS_REVEAL};
    TRY(err_wrap(e, client_send(j->chain, j->cfg->signer, tx, both ? 2 : 1, e), "contribute"));
    job_step(j, "sent");
    j->report_now(j); /* while the block is made */
    job_step(j, "report");
    TRY(wait_for(j, &tx[0], EVENT_hub_TaskContribute, "contribute", e));
    return both ? wait_for(j, &tx[1], EVENT_hub_TaskReveal, "reveal", e) : RC_OK;
}

/* SPEC offchain 2.2, REVEAL: the chain waits for reveals, and for this one. */
rc ballot_reveal(struct job *j, struct err *e)
{
    struct hash hash = task_result_hash(j->item->task, j->journal.digest);
    BUF_FREE data = buf_new((size_t)1 << 16);
    if (j->contribution.status == CONTRIBUTION_PROVED) {
        return RC_OK;
    }
    if (j->task.status != TASK_REVEALING || j->now_s >= j->task.reveal_deadline ||
        j->contribution.status != CONTRIBUTION_CONTRIBUTED ||
        !hash_eq(j->task.consensus_value, hash) || !hash_eq(j->contribution.result_hash, hash)) {
        return job_fail(j, e, "CANNOT_REVEAL",
                        "the chain does not wait for this worker's reveal: it is too late, or "
                        "the consensus is another result");
    }
    put_reveal(&data, j);
    struct client_tx tx = {.to = client_hub(j->chain), .data = buf_bytes(&data), .gas = GAS_REVEAL};
    TRY(err_wrap(e, client_send(j->chain, j->cfg->signer, &tx, 1, e), "reveal"));
    return wait_for(j, &tx, EVENT_hub_TaskReveal, "reveal", e);
}
