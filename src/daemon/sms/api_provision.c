/* SPDX-License-Identifier: Apache-2.0 */
/* api_provision.c - the enclave agent asks, the evidence is judged, secrets are released or not. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "crypto/secp.h"
#include "daemon/sms/sms_int.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/clock.h"

enum { COLLATERAL_MAX = 64 };

#define SIMULATED_TEXT "SIMULATED: no hardware"

struct provision_req {
    struct hash nonce, image, agent;
    uint8_t public_key[64];
    struct bytes evidence;
    struct attest_item item[COLLATERAL_MAX];
    size_t n_item;
    struct bytes report_data, want_nonce; /* POST /attest/verify */
};

/* --- nonce --- */

static void run_nonce(struct sms *s, struct job *j)
{
    struct session se;
    struct err e = {0};
    struct hash nonce;
    rc r = vault_session_get(s->vault, &se, j->session.id, &e);
    if (r.code == RC_CODE_NOT_FOUND) {
        job_error(j, 404, "session-unknown", "there is no session of this id");
        return;
    }
    if (rc_ok(r) && sms_now_s(s) >= se.expires_s) {
        job_error(j, 410, "session-expired", "the session or its task's deadline has passed");
        return;
    }
    if (rc_ok(r)) {
        r = random_bytes(nonce.b, sizeof(nonce.b));
    }
    if (rc_ok(r)) {
        r = vault_session_nonce(s->vault, se.id, &nonce, clock_wall_ms(), &e);
    }
    if (!rc_ok(r)) {
        log_error("sms", "make a nonce: %s", e.msg);
        j->write_failed = true;
        return;
    }
    char task[HEX_HASH_MAX], hex[HEX_HASH_MAX];
    s->m.nonces++;
    j->status = 200;
    j->type = "application/json";
    put_fmt(&j->body, "{\"sessionId\":\"%s\",\"taskId\":\"%s\",\"nonce\":\"%s\",\"expiresInS\":%d}",
            se.id, hex_hash(task, se.task), hex_hash(hex, nonce), PROVISION_NONCE_S);
}

/* The ids are our own: letters and digits. Answers 404 itself. */
static bool take_session(struct http_req *r, struct session *out)
{
    const char *id = http_param(r, "session");
    size_t n = id != NULL ? strlen(id) : 0;
    *out = (struct session){0};
    for (size_t i = 0; i < n && n <= PROVISION_SESSION_MAX; i++) {
        char c = id[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))) {
            n = 0;
        }
    }
    if (n == 0 || n > PROVISION_SESSION_MAX) {
        http_reply_json(r, 404,
                        json_pack("{s:s, s:s}", "error", "session-unknown", "message",
                                  "there is no session of this id"));
        return false;
    }
    memcpy(out->id, id, n);
    return true;
}

void on_nonce(void *ctx, struct http_req *r)
{
    struct session se;
    if (take_session(r, &se)) {
        struct job *j = job_new(ctx, r, run_nonce);
        j->session = se;
    }
}

/* --- the request --- */

static rc take_base64(struct bytes *out, struct arena *a, const struct js *j, struct err *e)
{
    const char *text;
    TRY(js_str(&text, j, e));
    size_t n = strlen(text);
    BUF_FREE raw = buf_new(n);
    if (n == 0 || !rc_ok(base64_decode(&raw, (struct bytes){(const uint8_t *)text, n}))) {
        return js_err(j, e, "must be base64");
    }
    uint8_t *p = arena_alloc(a, raw.n);
    if (p == NULL) {
        return js_err(j, e, "too large");
    }
    memcpy(p, raw.p, raw.n);
    *out = (struct bytes){p, raw.n};
    return RC_OK;
}

static rc take_collateral(struct provision_req *q, struct arena *a, const struct js *list,
                          struct err *e)
{
    static const char *const names[] = {"name", "data", NULL};
    if (list->v == NULL) {
        return RC_OK;
    }
    TRY(js_array(list, COLLATERAL_MAX, e));
    for (size_t i = 0; i < js_n(list); i++) {
        struct js one = js_at(list, i), name = js_key(&one, "name"), data = js_key(&one, "data");
        struct attest_item *it = &q->item[i];
        const char *text;
        TRY(js_object(&one, e));
        TRY(js_only(&one, names, e));
        TRY(js_str(&text, &name, e));
        TRY(take_base64(&it->data, a, &data, e));
        size_t n = strlen(text);
        char *copy = arena_alloc(a, n + 1);
        if (copy == NULL) {
            return js_err(&name, e, "too large");
        }
        memcpy(copy, text, n);
        it->name = copy;
        q->n_item = i + 1;
    }
    return RC_OK;
}

static rc parse_secrets(struct provision_req *q, struct arena *a, const struct js *top,
                        struct err *e)
{
    static const char *const names[] = {"nonce",    "publicKey",  "image", "agent",
                                        "evidence", "collateral", NULL};
    struct js nonce = js_key(top, "nonce"), key = js_key(top, "publicKey");
    struct js image = js_key(top, "image"), agent = js_key(top, "agent");
    struct js evidence = js_key(top, "evidence"), list = js_key(top, "collateral");
    const char *text;
    TRY(js_object(top, e));
    TRY(js_only(top, names, e));
    TRY(js_hash(&q->nonce, &nonce, e));
    TRY(js_str(&text, &key, e));
    if (!rc_ok(hex_decode_exact(q->public_key, sizeof(q->public_key), bytes_str(text)))) {
        return js_err(&key, e, "must be 64 bytes in hex: x and y of the agent's key");
    }
    TRY(js_hash(&q->image, &image, e));
    TRY(js_hash(&q->agent, &agent, e));
    TRY(take_base64(&q->evidence, a, &evidence, e));
    return take_collateral(q, a, &list, e);
}

static rc parse_verify(struct provision_req *q, struct arena *a, const struct js *top,
                       struct err *e)
{
    static const char *const names[] = {"evidence", "collateral", "reportData", "nonce", NULL};
    struct js evidence = js_key(top, "evidence"), list = js_key(top, "collateral");
    struct js data = js_key(top, "reportData"), nonce = js_key(top, "nonce");
    TRY(js_object(top, e));
    TRY(js_only(top, names, e));
    TRY(take_base64(&q->evidence, a, &evidence, e));
    if (data.v != NULL) {
        TRY(js_hex(&q->report_data, a, &data, 64, e));
    }
    if (nonce.v != NULL) {
        TRY(js_hex(&q->want_nonce, a, &nonce, 64, e));
    }
    return take_collateral(q, a, &list, e);
}

rc provision_parse(struct provision_req **out, struct arena *a, struct bytes body, bool verify,
                   struct err *e)
{
    JSON_FREE *doc = json_parse(body, 8, e);
    struct js top = js_top(doc);
    struct provision_req *q = ARENA_NEW(a, struct provision_req);
    if (doc == NULL || q == NULL) {
        return RC(MALFORMED);
    }
    *out = q;
    return verify ? parse_verify(q, a, &top, e) : parse_secrets(q, a, &top, e);
}

/* --- refusals: one log line, one audit row, one sentence --- */

static void audit(struct sms *s, struct job *j, const struct verdict *v, const char *outcome,
                  const char *reason)
{
    struct err e = {0};
    struct audit row = {
        .session = j->session.id,
        .task = j->session.task,
        .worker = j->session.worker,
        .outcome = outcome,
        .reason = reason,
        .kind = v != NULL ? v->kind : NULL,
        .simulated = v != NULL && v->simulated,
    };
    char task[HEX_HASH_MAX], worker[HEX_ADDRESS_MAX];
    log_line(strcmp(outcome, "released") == 0 ? LOG_INFO : LOG_WARN, "sms",
             "secrets %s task=%s worker=%s session=%s evidence=%s%s reason=\"%s\"", outcome,
             hex_hash(task, row.task), hex_address(worker, row.worker), row.session,
             row.kind != NULL ? row.kind : "none", row.simulated ? " " SIMULATED_TEXT : "", reason);
    if (!rc_ok(vault_audit(s->vault, &row, sms_now_s(s), &e))) {
        log_error("sms", "audit: %s", e.msg);
        j->write_failed = true; /* no release without its record */
    }
}

static void refuse(struct sms *s, struct job *j, const struct verdict *v, int status,
                   const char *code, const char *fmt, ...) PRINTF_LIKE(6, 7);

static void refuse(struct sms *s, struct job *j, const struct verdict *v, int status,
                   const char *code, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    s->m.refused++;
    job_error(j, status, code, "%s", text);
    if (v != NULL && !v->accepted) {
        enum attest_link l = attest_first_broken(v);
        j->body.n--; /* the closing brace */
        put_fmt(&j->body, ",\"link\":\"%s\",\"code\":\"%s\"}",
                l < ATTEST_LINKS ? attest_link_name(l) : "policy",
                l < ATTEST_LINKS ? v->line[l].code : "refused");
    }
    audit(s, j, v, code, text);
}

/* --- the checks, in order --- */

static bool check_session(struct sms *s, struct job *j)
{
    struct err e = {0};
    char id[PROVISION_SESSION_MAX + 1];
    memcpy(id, j->session.id, sizeof(id));
    rc r = vault_session_get(s->vault, &j->session, id, &e);
    if (r.code == RC_CODE_NOT_FOUND) {
        job_error(j, 404, "session-unknown", "there is no session of this id");
        return false;
    }
    if (!rc_ok(r)) {
        log_error("sms", "read a session: %s", e.msg);
        j->write_failed = true;
        return false;
    }
    if (sms_now_s(s) >= j->session.expires_s) {
        refuse(s, j, NULL, 410, "session-expired", "the session or its task's deadline has passed");
        return false;
    }
    uint64_t now = clock_wall_ms(), at = j->session.nonce_at_ms;
    bool good = j->session.has_nonce && hash_eq(j->session.nonce, j->provision->nonce) &&
                now >= at && now - at <= (uint64_t)PROVISION_NONCE_S * 1000;
    if (!good) {
        refuse(s, j, NULL, 401, "nonce-unknown",
               "the nonce is not the last one given to this session, is older than %d s, or was "
               "used before: ask for a new one",
               PROVISION_NONCE_S);
        return false;
    }
    /* Good once, whatever comes of it. */
    if (!rc_ok(vault_session_nonce(s->vault, j->session.id, NULL, 0, &e))) {
        log_error("sms", "use up a nonce: %s", e.msg);
        j->write_failed = true;
        return false;
    }
    return true;
}

static struct provision_binding binding_of(const struct job *j)
{
    struct provision_binding b = {
        .session = j->session.id,
        .task = j->session.task,
        .nonce = j->provision->nonce,
        .image = j->provision->image,
    };
    memcpy(b.public_key, j->provision->public_key, sizeof(b.public_key));
    return b;
}

static bool verify(struct sms *s, const struct provision_req *q, struct bytes report_data,
                   struct verdict *v)
{
    struct attest_item *item =
        ARENA_ARRAY(&s->round, struct attest_item, q->n_item + s->n_item + 1);
    if (item == NULL) {
        return false;
    }
    if (q->n_item > 0) {
        memcpy(item, q->item, q->n_item * sizeof(*item));
    }
    if (s->n_item > 0) {
        memcpy(item + q->n_item, s->item, s->n_item * sizeof(*item));
    }
    struct attest_input in = {
        .evidence = q->evidence,
        .item = item,
        .n_item = q->n_item + s->n_item,
        .anchor = s->anchor,
        .n_anchor = s->n_anchor,
        .policy = s->policy,
        .now = (int64_t)sms_now_s(s),
        .report_data = report_data,
        .nonce = q->want_nonce,
    };
    arena_reset(&s->scratch); /* the verdict's texts live until the next verification */
    return attest_verify(v, &in, &s->scratch);
}

static bool agent_may_ask(const struct sms *s, struct hash agent)
{
    for (size_t i = 0; i < s->n_agent; i++) {
        if (hash_eq(s->agent[i], agent)) {
            return true;
        }
    }
    return false;
}

/* Who asks: the agent, as the evidence measured it. */
static bool check_agent(struct sms *s, struct job *j, const struct verdict *v)
{
    const struct provision_req *q = j->provision;
    char a[HEX_HASH_MAX];
    if (!v->simulated) {
        if (s->policy->measurements.n == 0 && s->policy->n_rule == 0) {
            refuse(s, j, v, 403, "agent-unknown",
                   "the policy names no measurement, so any program could ask: name the agent's "
                   "measurements in it");
            return false;
        }
        return true; /* the policy was met */
    }
    if (!agent_may_ask(s, q->agent)) {
        refuse(s, j, v, 403, "agent-unknown", "agent %s is none that may ask here",
               hex_hash(a, q->agent));
        return false;
    }
    const struct attest_claim *m = attest_claim_find(v, "measurement");
    struct hash want = provision_measurement(q->agent, q->image);
    if (m == NULL || !bytes_eq(m->bytes, BYTES_OF(want))) {
        refuse(s, j, v, 403, "measurement-differs",
               "the evidence's measurement is not that of agent and image as stated: expected %s",
               hex_hash(a, want));
        return false;
    }
    return true;
}

struct chain_facts {
    struct view_task task;
    const struct view_deal *deal;
    struct view_app app;
    struct view_dataset dataset;
    bool has_dataset;
};

static bool read_chain(struct sms *s, struct job *j, const struct verdict *v, struct chain_facts *f)
{
    struct err e = {0};
    rc r = client_view_task(s->chain, &f->task, &s->round, j->session.task, &e);
    if (rc_ok(r)) {
        r = sms_deal(s, &f->deal, f->task.dealid, true, &e);
    }
    if (rc_ok(r)) {
        r = client_view_app(s->chain, &f->app, &s->round, f->deal->app.pointer, &e);
    }
    f->has_dataset = rc_ok(r) && !address_is_zero(f->deal->dataset.pointer);
    if (f->has_dataset) {
        r = client_view_dataset(s->chain, &f->dataset, &s->round, f->deal->dataset.pointer, &e);
    }
    if (rc_ok(r)) {
        return true;
    }
    if (sms_is_away(r)) {
        s->m.chain_errors++;
        refuse(s, j, v, 503, "chain-away", "the chain does not answer now; try again");
    } else {
        refuse(s, j, v, 403, "task-not-active", "the chain does not know this task: %s", e.msg);
    }
    return false;
}

static bool check_chain(struct sms *s, struct job *j, const struct verdict *v,
                        const struct chain_facts *f)
{
    char a[HEX_HASH_MAX], b[HEX_HASH_MAX];
    if (f->task.status != TASK_ACTIVE) {
        refuse(s, j, v, 403, "task-not-active", "the task is not active on the chain");
        return false;
    }
    if (!hash_eq(f->task.dealid, j->session.deal)) {
        refuse(s, j, v, 403, "task-not-active", "the task belongs to another deal than before");
        return false;
    }
    if (!hash_eq(f->app.checksum, j->provision->image)) {
        refuse(s, j, v, 403, "measurement-differs",
               "measurement of the application differs: expected %s, evidence says %s",
               hex_hash(a, f->app.checksum), hex_hash(b, j->provision->image));
        return false;
    }
    struct address by;
    struct hash h =
        eip191_hash(auth_worker(j->session.worker, j->session.task, j->session.challenge));
    if (!rc_ok(secp_recover65(&by, h, (struct bytes){j->session.auth, 65})) ||
        !address_eq(by, f->deal->workerpool.owner)) {
        refuse(s, j, v, 403, "authorization-invalid",
               "the pool's owner did not authorise this worker for this task");
        return false;
    }
    return true;
}

static rc seal(struct job *j, const struct verdict *v, const struct secret *plain)
{
    struct provision_binding b = binding_of(j);
    uint8_t ephemeral[64];
    char task[HEX_HASH_MAX];
    BUF_FREE sealed = buf_new((size_t)1 << 20);
    TRY(provision_seal(&sealed, ephemeral, &b, plain));
    j->status = 200;
    j->type = "application/json";
    buf_reset(&j->body);
    put_fmt(&j->body,
            "{\"sessionId\":\"%s\",\"taskId\":\"%s\",\"simulated\":%s,\"warning\":\"%s\","
            "\"publicKey\":\"",
            j->session.id, hex_hash(task, j->session.task), v->simulated ? "true" : "false",
            v->simulated ? SIMULATED_TEXT : "");
    put_0x(&j->body, (struct bytes){ephemeral, sizeof(ephemeral)});
    put_str(&j->body, "\",\"sealed\":\"");
    put_base64(&j->body, buf_bytes(&sealed));
    put_str(&j->body, "\"}");
    return buf_end(&j->body);
}

static void release(struct sms *s, struct job *j, const struct verdict *v,
                    const struct chain_facts *f)
{
    struct err e = {0};
    SECRET_FREE plain = {0};
    const char *missing = NULL;
    struct contents c = {
        .session = &j->session,
        .task = &f->task,
        .deal = f->deal,
        .app = &f->app,
        .dataset = f->has_dataset ? &f->dataset : NULL,
        .simulated = v->simulated,
    };
    rc r = contents_make(s, &plain, &c, &missing, &e);
    if (missing != NULL) {
        refuse(s, j, v, 500, missing, "%s", e.msg);
        return;
    }
    if (rc_ok(r)) {
        r = seal(j, v, &plain);
    }
    if (r.code == RC_CODE_MALFORMED) {
        refuse(s, j, v, 400, "malformed", "publicKey: not a point of the curve");
        return;
    }
    if (!rc_ok(r)) {
        log_error("sms", "seal a session: %s", e.msg);
        refuse(s, j, v, 500, "SECURE_SESSION_GENERATION_FAILED", "the session cannot be made");
        return;
    }
    s->m.released++;
    audit(s, j, v, "released", v->simulated ? SIMULATED_TEXT : "evidence accepted");
}

static void run_secrets(struct sms *s, struct job *j)
{
    struct verdict *v = ARENA_NEW(&s->round, struct verdict);
    struct chain_facts *f = ARENA_NEW(&s->round, struct chain_facts);
    uint8_t report[64];
    if (v == NULL || f == NULL) {
        job_error(j, 503, "busy", "too much at once; try again");
        return;
    }
    if (!check_session(s, j)) {
        return;
    }
    struct provision_binding b = binding_of(j);
    provision_report_data(report, &b);
    if (!verify(s, j->provision, (struct bytes){report, sizeof(report)}, v)) {
        BUF_FREE why = buf_new(4096);
        attest_put_summary(&why, v);
        refuse(s, j, v, 403, "evidence-refused", "%s", buf_cstr(&why));
        return;
    }
    if (check_agent(s, j, v) && read_chain(s, j, v, f) && check_chain(s, j, v, f)) {
        release(s, j, v, f);
    }
}

static struct job *start(struct sms *s, struct http_req *r, bool verify_only,
                         void (*run)(struct sms *s, struct job *j), const struct session *se)
{
    struct provision_req *q = NULL;
    struct err e = {0};
    if (!rc_ok(provision_parse(&q, http_arena(r), http_body(r), verify_only, &e))) {
        http_reply_json(r, 400,
                        json_pack("{s:s, s:s}", "error", "malformed", "message",
                                  e.msg[0] != '\0' ? e.msg : "the body is not as documented"));
        return NULL;
    }
    struct job *j = job_new(s, r, run);
    j->provision = q;
    if (se != NULL) {
        j->session = *se;
    }
    return j;
}

void on_secrets(void *ctx, struct http_req *r)
{
    struct session se;
    if (take_session(r, &se)) {
        (void)start(ctx, r, false, run_secrets, &se);
    }
}

/* --- a verdict for anyone who asks --- */

static void run_verify(struct sms *s, struct job *j)
{
    struct verdict *v = ARENA_NEW(&s->round, struct verdict);
    if (v == NULL) {
        job_error(j, 503, "busy", "too much at once; try again");
        return;
    }
    (void)verify(s, j->provision, j->provision->report_data, v);
    j->status = 200;
    j->type = "application/json";
    attest_put_json(&j->body, v);
}

void on_verify(void *ctx, struct http_req *r)
{
    (void)start(ctx, r, true, run_verify, NULL);
}
