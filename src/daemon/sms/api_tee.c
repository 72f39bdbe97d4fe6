/* SPDX-License-Identifier: Apache-2.0 */
/* api_tee.c - challenges, sessions, framework and properties. SPEC offchain 4.1 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

/* --- deals --- */

enum { DEALS = 256, DEAL_TTL_MS = 30000 }; /* a reorganisation may change what an id stands for */

#define DEAL_ARENA ((size_t)256 << 10)

struct deal_slot {
    struct hash id;
    uint64_t at_ms; /* 0: empty */
    struct view_deal deal;
    struct arena a;
};

void deals_free(struct sms *s)
{
    for (size_t i = 0; s->deals != NULL && i < DEALS; i++) {
        arena_reset(&s->deals[i].a);
    }
    free(s->deals);
    s->deals = NULL;
}

rc sms_deal(struct sms *s, const struct view_deal **out, struct hash id, bool fresh, struct err *e)
{
    if (s->deals == NULL) {
        s->deals = calloc(DEALS, sizeof(*s->deals));
        ASSERT(s->deals != NULL);
        for (size_t i = 0; i < DEALS; i++) {
            arena_init(&s->deals[i].a, DEAL_ARENA);
        }
    }
    struct deal_slot *d = &s->deals[id.b[0]]; /* ids are hashes: the first byte spreads them */
    uint64_t now = clock_mono_ms();
    if (fresh) { /* not kept: it is in the round's arena */
        struct view_deal *v = ARENA_NEW(&s->round, struct view_deal);
        if (v == NULL) {
            return RC(LIMIT);
        }
        *out = v;
        return client_view_deal(s->chain, v, &s->round, id, e);
    }
    if (d->at_ms == 0 || !hash_eq(d->id, id) || now - d->at_ms > DEAL_TTL_MS) {
        d->at_ms = 0;
        arena_reset(&d->a);
        TRY(client_view_deal(s->chain, &d->deal, &d->a, id, e));
        d->id = id;
        d->at_ms = now;
    }
    *out = &d->deal;
    return RC_OK;
}

/* --- challenges --- */

static void run_challenge(struct sms *s, struct job *j)
{
    struct err e = {0};
    const struct view_deal *deal = NULL;
    rc r = rc_ok(j->chain) ? sms_deal(s, &deal, j->view.dealid, false, &e) : j->chain;
    if (sms_is_away(r)) {
        job_error(j, 503, "chain-away", "the chain does not answer now; try again");
        return;
    }
    if (!rc_ok(r) || !address_eq(deal->workerpool.owner, j->signer)) {
        job_error(j, 401, "Unauthorized", "%s",
                  rc_ok(r) ? "the signature is not of the pool's owner"
                           : "the chain knows no such task");
        return;
    }
    struct address a;
    char text[HEX_ADDRESS_MAX];
    r = vault_challenge(s->vault, &a, j->task, j->view.final_deadline, &e);
    if (!rc_ok(r)) {
        log_error("sms", "make a task's signing key: %s", e.msg);
        j->write_failed = true;
        return;
    }
    s->m.challenges++;
    job_text(j, 200, hex_address(text, a));
}

void on_challenge(void *ctx, struct http_req *r)
{
    struct hash task;
    struct address signer;
    const char *text = http_param(r, "task");
    if (text == NULL || !rc_ok(hex_parse_hash(&task, text))) {
        http_reply_error(r, 400, "task: must be 0x and 64 hex digits");
        return;
    }
    struct hash challenge = keccak256(BYTES_OF(task));
    if (!rc_ok(auth_signer(&signer, http_header(r, "authorization"), challenge))) {
        http_reply_error(r, 401, "Unauthorized");
        return;
    }
    struct job *j = job_new(ctx, r, run_challenge);
    j->need = NEED_TASK;
    j->task = task;
    j->signer = signer;
}

/* --- sessions --- */

/* {"error": NAME} and why in words. SPEC offchain 4.1 */
static void session_error(struct job *j, int status, const char *name, const char *why)
{
    char task[HEX_HASH_MAX], worker[HEX_ADDRESS_MAX];
    log_info("sms", "session refused task=%s worker=%s error=%s reason=\"%s\"",
             hex_hash(task, j->task), hex_address(worker, j->session.worker), name, why);
    job_error(j, status, name, "%s", why);
}

#define UNAUTHORIZED "EXECUTION_NOT_AUTHORIZED_"

/* The TEE bit must be set, and the framework in the tag, when it names one, must be ours. */
static bool tag_fits(struct hash tag, const char *framework)
{
    uint8_t low = tag.b[31] & 15;
    uint8_t ours = strcmp(framework, "SCONE") == 0 ? 3 : strcmp(framework, "GRAMINE") == 0 ? 5 : 9;
    return (low & 1) != 0 && (low == 1 || low == ours);
}

static bool authorised(struct sms *s, struct job *j, const struct view_deal **deal)
{
    struct err e = {0};
    if (!rc_ok(j->chain)) {
        session_error(j, 401, UNAUTHORIZED "GET_CHAIN_TASK_FAILED", "the chain has no such task");
        return false;
    }
    if (j->view.status != TASK_ACTIVE) {
        session_error(j, 401, UNAUTHORIZED "TASK_NOT_ACTIVE", "the task is not active");
        return false;
    }
    rc r = sms_deal(s, deal, j->view.dealid, false, &e);
    if (!rc_ok(r)) {
        if (sms_is_away(r)) {
            job_error(j, 503, "chain-away", "the chain does not answer now; try again");
        } else {
            session_error(j, 401, UNAUTHORIZED "GET_CHAIN_DEAL_FAILED",
                          "the chain has no such deal");
        }
        return false;
    }
    if (!tag_fits((*deal)->tag, s->framework)) {
        session_error(j, 401, UNAUTHORIZED "NO_MATCH_ONCHAIN_TYPE",
                      "the deal's tag asks for no TEE, or for another framework than this one's");
        return false;
    }
    struct address by;
    struct hash h = eip191_hash(auth_worker(j->session.worker, j->task, j->session.challenge));
    if (!rc_ok(secp_recover65(&by, h, (struct bytes){j->session.auth, 65})) ||
        !address_eq(by, (*deal)->workerpool.owner)) {
        session_error(j, 401, UNAUTHORIZED "INVALID_SIGNATURE",
                      "the authorisation is not signed by the pool's owner");
        return false;
    }
    return true;
}

/* SPEC offchain 4.2: 10 random alphanumerics, "0000", the task. */
static rc make_id(char out[PROVISION_SESSION_MAX + 1], struct hash task)
{
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint8_t raw[64];
    size_t n = 0;
    while (n < 10) {
        TRY(random_bytes(raw, sizeof(raw)));
        for (size_t i = 0; i < sizeof(raw) && n < 10; i++) {
            if (raw[i] < 252) { /* 7 * 36: no letter is likelier than another */
                out[n++] = set[raw[i] % 36];
            }
        }
    }
    char hex[HEX_HASH_MAX];
    (void)snprintf(out + 10, PROVISION_SESSION_MAX + 1 - 10, "0000%s", hex_hash(hex, task));
    return RC_OK;
}

static void run_session(struct sms *s, struct job *j)
{
    const struct view_deal *deal = NULL;
    struct err e = {0};
    if (!authorised(s, j, &deal)) {
        return;
    }
    struct address ours;
    rc r = vault_challenge_key(s->vault, NULL, &ours, j->task, &e);
    if (r.code == RC_CODE_NOT_FOUND || (rc_ok(r) && !address_eq(ours, j->session.challenge))) {
        session_error(j, 500, "GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CHALLENGE",
                      "the enclave challenge is none that this service made for the task");
        return;
    }
    const char *missing = NULL;
    if (rc_ok(r)) {
        r = contents_check(s, deal, j->session.worker, &missing, &e);
    }
    if (rc_ok(r) && missing != NULL) {
        session_error(j, 500, missing, e.msg);
        return;
    }
    uint64_t now = sms_now_s(s);
    j->session.deal = j->view.dealid;
    j->session.expires_s = MIN(now + s->session_ttl_s, j->view.final_deadline);
    if (rc_ok(r)) {
        r = make_id(j->session.id, j->task);
    }
    if (rc_ok(r)) {
        r = vault_session_add(s->vault, &j->session, now, &e);
    }
    if (!rc_ok(r)) {
        log_error("sms", "make a session: %s", e.msg);
        j->write_failed = true;
        return;
    }
    s->m.sessions++;
    j->status = 200;
    j->type = "application/json";
    put_fmt(&j->body, "{\"data\":{\"sessionId\":\"%s\",\"secretProvisioningUrl\":", j->session.id);
    json_put_str(&j->body, bytes_str(s->provision_url));
    put_str(&j->body, "}}");
}

/* WorkerpoolAuthorization: chainTaskId, workerWallet, enclaveChallenge, signature; others are let
 * be, as clients send more. */
static rc parse_authorization(struct session *out, const struct js *top, struct err *e)
{
    struct js task = js_key(top, "chainTaskId"), worker = js_key(top, "workerWallet");
    struct js challenge = js_key(top, "enclaveChallenge"), sig = js_key(top, "signature");
    struct js value = json_is_object(sig.v) ? js_key(&sig, "value") : sig;
    const char *text;
    TRY(js_object(top, e));
    TRY(js_hash(&out->task, &task, e));
    TRY(js_address(&out->worker, &worker, e));
    TRY(js_address(&out->challenge, &challenge, e));
    TRY(js_str(&text, &value, e));
    if (!rc_ok(hex_decode_exact(out->auth, sizeof(out->auth), bytes_str(text)))) {
        return js_err(&value, e, "must be 65 bytes in hex");
    }
    return RC_OK;
}

rc session_parse(struct session *out, struct bytes body, struct err *e)
{
    JSON_FREE *doc = json_parse(body, 8, e);
    struct js top = js_top(doc);
    *out = (struct session){0};
    return doc != NULL ? parse_authorization(out, &top, e) : RC(MALFORMED);
}

void on_session(void *ctx, struct http_req *r)
{
    struct session se;
    struct err e = {0};
    struct address by;
    if (!rc_ok(session_parse(&se, http_body(r), &e))) {
        http_reply_json(r, 401,
                        json_pack("{s:s, s:s}", "error", UNAUTHORIZED "EMPTY_PARAMS_UNAUTHORIZED",
                                  "message", e.msg));
        return;
    }
    struct hash h = auth_worker(se.worker, se.task, se.challenge);
    if (!rc_ok(auth_signer(&by, http_header(r, "authorization"), h)) ||
        !address_eq(by, se.worker)) {
        http_reply_json(r, 401,
                        json_pack("{s:s, s:s}", "error", "INVALID_AUTHORIZATION", "message",
                                  "Authorization: must be the worker's signature"));
        return;
    }
    struct job *j = job_new(ctx, r, run_session);
    j->need = NEED_TASK;
    j->task = se.task;
    j->session = se;
}

/* --- framework and properties --- */

void on_framework(void *ctx, struct http_req *r)
{
    const struct sms *s = ctx;
    http_reply_json(r, 200, json_string(s->framework));
}

static json_t *empty_stage(void)
{
    return json_pack("{s:s, s:s, s:s, s:i}", "image", "", "fingerprint", "", "entrypoint", "",
                     "heapSizeInBytes", 0);
}

void on_properties(void *ctx, struct http_req *r)
{
    const struct sms *s = ctx;
    const char *fw = http_param(r, "fw"), *version = http_param(r, "version");
    if (fw == NULL || strcasecmp(fw, s->framework) != 0) {
        http_reply_error(r, 409, "this service's framework is %s", s->framework);
        return;
    }
    /* The file: {"version": {"preComputeProperties": {…}, "postComputeProperties": {…}}, …}. Without
     * it there is one version, v1: pre- and post-compute are part of the agent. */
    const json_t *row = NULL;
    if (s->properties != NULL) {
        const char *first = json_object_iter_key(json_object_iter(s->properties));
        version = version != NULL ? version : first;
        row = version != NULL ? json_object_get(s->properties, version) : NULL;
    } else if (version == NULL || strcmp(version, "v1") == 0) {
        version = "v1";
    }
    if (version == NULL || (s->properties != NULL && row == NULL) ||
        (s->properties == NULL && strcmp(version, "v1") != 0)) {
        http_reply_error(r, 404, "no such version of %s", s->framework);
        return;
    }
    json_t *pre = row != NULL ? json_deep_copy(json_object_get(row, "preComputeProperties")) : NULL;
    json_t *post =
        row != NULL ? json_deep_copy(json_object_get(row, "postComputeProperties")) : NULL;
    http_reply_json(r, 200,
                    json_pack("{s:s, s:s, s:o, s:o}", "teeFramework", s->framework,
                              "teeFrameworkVersion", version, "preComputeProperties",
                              pre != NULL ? pre : empty_stage(), "postComputeProperties",
                              post != NULL ? post : empty_stage()));
}
