/* SPDX-License-Identifier: Apache-2.0 */
/* tee.c - tasks in an enclave: the session, the agent, what it reports, one transaction at the end.
 * SPEC offchain 2.3, 4.1. */
#include <stdio.h>

#include "crypto/secp.h"
#include "daemon/enclave/enclave.h"
#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"

#define GAS_CONTRIBUTE_FINALIZE 700000 /* SPEC offchain 0 */
#define GAS_CALLBACK            210000
#define WAIT_MS                 120000
#define URL_TEXT_MAX            512

struct session {
    char id[URL_TEXT_MAX], url[URL_TEXT_MAX];
};

static json_t *authorization_json(const struct job *j)
{
    const struct work_item *it = j->item;
    char task[HEX_HASH_MAX], deal[HEX_HASH_MAX], who[HEX_ADDRESS_MAX], challenge[HEX_ADDRESS_MAX];
    BUF_FREE sig = buf_new(256);
    put_0x(&sig, (struct bytes){it->authorization, 65});
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:{s:s}}", "chainTaskId", hex_hash(task, it->task),
                     "dealId", hex_hash(deal, it->deal), "taskIndex", (json_int_t)it->idx,
                     "workerWallet", hex_address(who, j->cfg->signer->address), "enclaveChallenge",
                     hex_address(challenge, it->challenge), "signature", "value", buf_cstr(&sig));
}

static rc session_text(char out[URL_TEXT_MAX], const struct js *data, const char *key,
                       struct err *e)
{
    struct js j = js_key(data, key);
    const char *s;
    TRY(js_str(&s, &j, e));
    if (strlen(s) >= URL_TEXT_MAX) {
        return js_err(&j, e, "is too long");
    }
    (void)snprintf(out, URL_TEXT_MAX, "%s", s);
    return RC_OK;
}

static rc ask_session(struct job *j, struct session *out, struct err *e)
{
    uint8_t sig[65];
    const char *sms = j->cfg->sms != NULL ? j->cfg->sms : j->item->sms;
    BUF_FREE url = buf_new(1024);
    BUF_FREE auth = buf_new(256);
    JSON_FREE *body = authorization_json(j);
    JSON_FREE *reply = NULL;
    struct hash digest =
        task_authorization_digest(j->cfg->signer->address, j->item->task, j->item->challenge);
    if (sms[0] == '\0') {
        return job_fail(j, e, "UNKNOWN_SMS",
                        "neither --sms nor the scheduler names a secret "
                        "manager");
    }
    TRY(sign_digest(sig, j->cfg->signer, digest));
    put_str(&auth, "Authorization: ");
    put_0x(&auth, (struct bytes){sig, sizeof(sig)});
    size_t n = strlen(sms);
    put_fmt(&url, "%.*s/tee/sessions", (int)(n > 0 && sms[n - 1] == '/' ? n - 1 : n), sms);
    const char *const headers[] = {buf_cstr(&auth), NULL};
    struct http_call call = {.url = buf_cstr(&url), .headers = headers};
    rc r = http_json(client_http(j->chain), &reply, &call, body, e);
    if (r.code == RC_CODE_DENIED || r.code == RC_CODE_MALFORMED) {
        return job_fail(j, e, "TEE_PREPARATION_FAILED", "the secret manager gives no session: %s",
                        e != NULL ? e->msg : "");
    }
    TRY(err_wrap(e, r, "ask the secret manager for a session"));
    struct js top = js_top(reply), data = js_key(&top, "data");
    TRY(session_text(out->id, &data, "sessionId", e));
    return session_text(out->url, &data, "secretProvisioningUrl", e);
}

static void keep_text(struct buf *b, const char *text)
{
    if (text != NULL) {
        put_str(b, text);
    }
}

/* The agent's word is checked as the chain will check it. */
static rc check_report(struct job *j, const struct enclave_report *r, struct err *e)
{
    struct address me = j->cfg->signer->address, signer;
    struct hash hash = task_result_hash(j->item->task, r->digest),
                seal = task_result_seal(me, j->item->task, r->digest);
    struct bytes sig = {r->signature, sizeof(r->signature)};
    if (!r->ok && r->away) { /* store, secret manager or its chain: again while time is left */
        j->cause = r->cause[0] != '\0' ? r->cause : NULL;
        return err_set(e, RC_CODE_IO, "%s", r->message);
    }
    if (!r->ok) {
        return job_fail(j, e, r->cause[0] != '\0' ? r->cause : "APP_COMPUTE_FAILED", "%s",
                        r->message);
    }
    if (!address_eq(r->challenge, j->item->challenge) ||
        !rc_ok(secp_recover65(&signer, task_enclave_digest(hash, seal), sig)) ||
        !address_eq(signer, j->item->challenge)) {
        return job_fail(j, e, "ENCLAVE_SIGNATURE_NOT_FOUND",
                        "the result is not signed by the enclave that the pool named");
    }
    return strlen(r->link) < LINK_TEXT_MAX
               ? RC_OK
               : job_fail(j, e, "RESULT_LINK_MISSING", "the agent's link is too long");
}

static rc take_report(struct job *j, const struct enclave_report *r, struct err *e)
{
    j->exit_code = r->exit_code < 0 ? 1 : r->exit_code;
    keep_text(&j->out, r->out);
    keep_text(&j->err, r->notes);
    keep_text(&j->err, r->err);
    j->evidence = r->evidence_json;
    TRY(check_report(j, r, e));
    j->journal.digest = r->digest;
    j->journal.challenge = r->challenge;
    memcpy(j->journal.enclave_sign, r->signature, sizeof(r->signature));
    j->journal.tee = true;
    j->journal.callback = r->callback;
    (void)snprintf(j->journal.link, sizeof(j->journal.link), "%s", r->link);
    return RC_OK;
}

rc tee_run(struct job *j, struct err *e)
{
    struct session session;
    struct enclave_report report = {0};
    char work[FILE_PATH_MAX];
    TRY(ask_session(j, &session, e));
    TRY(path_join(work, j->dir, "enclave", e));
    struct enclave_config cfg = {.sms = session.url,
                                 .session = session.id,
                                 .image = j->image_file,
                                 .work = work,
                                 .store = j->cfg->store,
                                 .gateway = j->cfg->gateway,
                                 .limits = job_limits(j),
                                 .data_max = j->cfg->data_max};
    TRY(err_wrap(e, enclave_spawn(&report, j->a, &cfg, j->cfg->tee_key, e), "enclave"));
    TRY(take_report(j, &report, e));
    if (j->cfg->lie) { /* an enclave's signature cannot be forged: the contribution is refused */
        j->journal.digest.b[0] ^= 1;
    }
    return RC_OK;
}

rc tee_finalize(struct job *j, struct err *e)
{
    const struct journal *v = &j->journal;
    struct client_receipt receipt;
    bool callback = !address_is_zero(j->deal.callback);
    BUF_FREE data = buf_new((size_t)1 << 20);
    struct abi_out o = call_begin(&data, METHOD_hub_contributeAndFinalize, 7);
    abi_put_hash(&o, j->item->task);
    abi_put_hash(&o, v->digest);
    abi_put_bytes(&o, bytes_str(v->link));
    abi_put_bytes(&o, callback ? v->callback : (struct bytes){0});
    abi_put_address(&o, v->challenge);
    abi_put_bytes(&o, (struct bytes){v->enclave_sign, 65});
    abi_put_bytes(&o, (struct bytes){j->item->authorization, 65});
    struct client_tx tx = {.to = client_hub(j->chain),
                           .data = buf_bytes(&data),
                           .gas = GAS_CONTRIBUTE_FINALIZE + (callback ? GAS_CALLBACK : 0)};
    TRY(err_wrap(e, client_send(j->chain, j->cfg->signer, &tx, 1, e), "contributeAndFinalize"));
    j->report_now(j); /* while the block is made */
    rc r = client_wait(j->chain, &receipt, j->a, &tx, j->cfg->signer->address, WAIT_MS, e);
    if (r.code == RC_CODE_DENIED) {
        return job_fail(j, e, "CHAIN_RECEIPT_NOT_VALID", "contributeAndFinalize: %s",
                        e != NULL ? e->msg : "");
    }
    return err_wrap(e, r, "contributeAndFinalize");
}
