/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - the workers' side: login with the wallet, questions for work, reports. In the spirit of
 * SPEC offchain 1.6; both ends are souk's. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/secp.h"
#include "daemon/scheduler/scheduler_int.h"
#include "encoding/base64.h"
#include "encoding/cid.h"
#include "encoding/hex.h"
#include "io/clock.h"

void random_text(char *out, size_t n)
{
    uint8_t raw[64];
    BUF_FREE hex = buf_new(129);
    ASSERT(n <= 128 && rc_ok(random_bytes(raw, sizeof(raw)))); /* without randomness: no logins */
    put_hex(&hex, (struct bytes){raw, sizeof(raw)});
    (void)snprintf(out, n + 1, "%.*s", (int)n, buf_cstr(&hex));
    mem_wipe(raw, sizeof(raw));
}

struct challenge *challenge_get(struct challenge **list, struct address who, uint64_t ttl_ms,
                                bool make)
{
    uint64_t now = clock_mono_ms();
    size_t n = 0;
    struct challenge **p = list, *found = NULL;
    while (*p != NULL) {
        struct challenge *c = *p;
        if (now - c->made_ms >= ttl_ms || n >= CHALLENGES_MAX) {
            *p = c->next;
            free(c);
            continue;
        }
        found = address_eq(c->who, who) ? c : found;
        p = &c->next;
        n++;
    }
    if (found == NULL && make) {
        uint8_t raw[32];
        BUF_FREE text = buf_new(64);
        found = calloc(1, sizeof(*found));
        ASSERT(found != NULL && rc_ok(random_bytes(raw, sizeof(raw))));
        put_base64(&text, (struct bytes){raw, sizeof(raw)});
        (void)snprintf(found->text, sizeof(found->text), "%s", buf_cstr(&text));
        found->who = who;
        found->made_ms = now;
        found->next = *list;
        *list = found;
    }
    return found;
}

static void challenge_drop(struct challenge **list, struct challenge *c)
{
    for (struct challenge **p = list; *p != NULL; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            free(c);
            return;
        }
    }
}

/* --- workers --- */

struct worker *worker_find(struct scheduler *s, struct address a)
{
    struct worker *w = s->workers;
    while (w != NULL && !address_eq(w->address, a)) {
        w = w->next;
    }
    return w;
}

bool worker_alive(const struct worker *w)
{
    return w->waiting != NULL || clock_mono_ms() - w->seen_ms < WORKER_LOST_MS;
}

void workers_free(struct scheduler *s)
{
    while (s->workers != NULL) {
        struct worker *w = s->workers;
        s->workers = w->next;
        loop_timer_cancel(s->loop, &w->answer);
        free(w);
    }
    while (s->logins != NULL) {
        challenge_drop(&s->logins, s->logins);
    }
    while (s->readers != NULL) {
        challenge_drop(&s->readers, s->readers);
    }
}

static bool is_allowed(const struct scheduler *s, struct address a)
{
    for (size_t i = 0; i < s->n_allowed; i++) {
        if (address_eq(s->allowed[i], a)) {
            return true;
        }
    }
    return s->cfg.allowlist == NULL;
}

static struct worker *worker_add(struct scheduler *s, struct address a)
{
    if (s->stats.workers >= WORKERS_MAX) {
        return NULL;
    }
    struct worker *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->address = a;
    w->s = s;
    w->next = s->workers;
    s->workers = w;
    s->stats.workers++;
    return w;
}

/* The worker whose token the request carries; NULL: 401 was answered. */
static struct worker *authorized(struct scheduler *s, struct http_req *r)
{
    const char *h = http_header(r, "authorization");
    if (h != NULL && strncmp(h, "Bearer ", 7) == 0 && strlen(h + 7) == 64) {
        for (struct worker *w = s->workers; w != NULL; w = w->next) {
            if (w->token[0] != '\0' && mem_eq_ct(w->token, h + 7, 64)) {
                w->seen_ms = clock_mono_ms();
                return w;
            }
        }
    }
    http_reply_error(r, 401, "log in first: /workers/challenge, then /workers/login");
    return NULL;
}

static bool wallet_of(struct http_req *r, struct address *out)
{
    const char *text = http_query(r, "walletAddress");
    if (text == NULL || !rc_ok(hex_parse_address(out, text))) {
        http_reply_error(r, 400, "walletAddress must be an address");
        return false;
    }
    return true;
}

void rest_challenge(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct address who;
    if (!wallet_of(r, &who)) {
        return;
    }
    if (!is_allowed(s, who)) {
        http_reply_error(r, 401, "this worker is not on the pool's list");
        return;
    }
    http_reply_text(r, 200, "%s", challenge_get(&s->logins, who, LOGIN_CHALLENGE_MS, true)->text);
}

/* What a worker signs: nothing else that anybody asks a wallet to sign looks like it. */
static struct hash login_message(const struct scheduler *s, struct address who, const char *text)
{
    char a[HEX_ADDRESS_MAX], p[HEX_ADDRESS_MAX];
    BUF_FREE b = buf_new(512);
    put_fmt(&b, "Log in as worker %s at workerpool %s: %s", hex_address(a, who),
            hex_address(p, s->cfg.workerpool), text);
    return eip191_message(buf_bytes(&b));
}

static bool login_signature(struct http_req *r, struct bytes *sig, const char **instance)
{
    struct err e;
    JSON_FREE *j = json_parse(http_body(r), 4, &e);
    struct js top = js_top(j), value = js_key(&top, "value"), inst = js_key(&top, "instance");
    const char *text;
    if (j == NULL || !rc_ok(js_hex(sig, http_arena(r), &value, 65, &e)) || sig->n != 65 ||
        !rc_ok(js_str(&text, &inst, &e)) || strlen(text) > 64) {
        http_reply_error(r, 400,
                         "the body must be {\"value\": \"0x(signature)\", \"instance\": …}");
        return false;
    }
    char *copy = arena_alloc(http_arena(r), strlen(text) + 1);
    if (copy == NULL) {
        http_reply_error(r, 413, "too long");
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    *instance = copy;
    return true;
}

void rest_login(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct address who, signer;
    struct bytes sig;
    const char *instance;
    if (!wallet_of(r, &who) || !login_signature(r, &sig, &instance)) {
        return;
    }
    struct challenge *c = challenge_get(&s->logins, who, LOGIN_CHALLENGE_MS, false);
    if (c == NULL || !is_allowed(s, who)) {
        http_reply_error(r, 401, "ask for a challenge first");
        return;
    }
    rc ok = secp_recover65(&signer, login_message(s, who, c->text), sig);
    if (!rc_ok(ok) || !address_eq(signer, who)) {
        http_reply_error(r, 401, "the signature is not this wallet's over the challenge");
        return;
    }
    challenge_drop(&s->logins, c);
    struct worker *w = worker_find(s, who);
    if (w != NULL && strcmp(w->instance, instance) != 0 && worker_alive(w)) {
        http_reply_error(r, 409,
                         "a worker with this wallet is here already: one wallet, one worker");
        return;
    }
    w = w != NULL ? w : worker_add(s, who);
    if (w == NULL) {
        http_reply_error(r, 503, "the pool has as many workers as it can watch");
        return;
    }
    char a[HEX_ADDRESS_MAX];
    (void)snprintf(w->instance, sizeof(w->instance), "%s", instance);
    random_text(w->token, 64);
    w->session = ++s->next_session; /* what it was told before is told again */
    w->seen_ms = w->login_ms = clock_mono_ms();
    log_info(AREA, "worker=%s logged in", hex_address(a, who));
    http_reply_text(r, 200, "%s", w->token);
}

void rest_register(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct worker *w = authorized(s, r);
    struct err e;
    if (w == NULL) {
        return;
    }
    JSON_FREE *j = json_parse(http_body(r), 4, &e);
    struct js top = js_top(j), name = js_key(&top, "name"), tee = js_key(&top, "teeEnabled");
    const char *text;
    bool on;
    if (j == NULL || !rc_ok(js_str(&text, &name, &e)) || !rc_ok(js_bool(&on, &tee, &e))) {
        http_reply_error(r, 400, "%s", e.msg);
        return;
    }
    (void)snprintf(w->name, sizeof(w->name), "%s", text);
    w->tee = on;
    http_reply_json(r, 200, json_pack("{s:s, s:b}", "name", w->name, "teeEnabled", on));
}

void rest_ping(void *ctx, struct http_req *r)
{
    if (authorized(ctx, r) != NULL) {
        http_reply_text(r, 200, "pong");
    }
}

void rest_config(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    char pool[HEX_ADDRESS_MAX], owner[HEX_ADDRESS_MAX], hub[HEX_ADDRESS_MAX];
    http_reply_json(r, 200,
                    json_pack("{s:s, s:s, s:s}", "workerPoolAddress",
                              hex_address(pool, s->cfg.workerpool), "schedulerPublicAddress",
                              hex_address(owner, s->cfg.signer->address), "hub",
                              hex_address(hub, client_hub(s->chain))));
}

/* --- questions for work --- */

static void no_work(struct worker *w)
{
    struct http_req *r = w->waiting;
    w->waiting = NULL;
    loop_timer_cancel(w->s->loop, &w->answer);
    w->seen_ms = clock_mono_ms();
    http_reply_json(r, 200, json_pack("{s:[]}", "work"));
}

static void on_waited(void *ctx)
{
    no_work(ctx);
}

static void on_gone(void *ctx, struct http_req *r)
{
    struct worker *w = http_user(r);
    (void)ctx;
    if (w->waiting == r) {
        w->waiting = NULL;
        loop_timer_cancel(w->s->loop, &w->answer);
    }
}

static uint64_t number_of(const char *text, uint64_t max)
{
    uint64_t v = text != NULL ? strtoull(text, NULL, 10) : 0;
    return MIN(v, max);
}

void rest_work(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct worker *w = authorized(s, r);
    if (w == NULL) {
        return;
    }
    if (s->chain_away) {
        http_reply_error(r, 503, "the chain is away");
        return;
    }
    if (w->waiting != NULL) {
        no_work(w);
    }
    if (http_query(r, "again") != NULL) {
        w->session = ++s->next_session; /* an answer was lost: what it was told is told again */
    }
    w->waiting = r;
    w->wants = number_of(http_query(r, "slots"), 256);
    http_set_user(r, w);
    http_on_gone(r, on_gone);
    uint64_t wait_ms = number_of(http_query(r, "wait"), WAIT_MAX_MS);
    loop_timer_set(s->loop, &w->answer, wait_ms, on_waited, w);
    s->supply_wanted = true;
}

/* --- reports --- */

static rc optional_str(const char **out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    *out = NULL;
    return js_has(o, key) && !json_is_null(j.v) ? js_str(out, &j, e) : RC_OK;
}

static rc state_parse(enum replica_state *out, const struct js *j, struct err *e)
{
    const char *name;
    TRY(js_str(&name, j, e));
    const struct {
        const char *name;
        enum replica_state state;
    } known[] = {
#define X(n, v) {#n, RP_##n},
        REPLICA_STATES(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            *out = known[i].state;
            return RC_OK;
        }
    }
    return js_err(j, e, "must be a status that workers report");
}

rc report_parse(struct report *out, struct arena *a, const json_t *v, struct err *e)
{
    struct js top = js_top(v), status = js_key(&top, "status"), d = js_key(&top, "details");
    struct js logs = js_key(&d, "computeLogs"), code = js_key(&d, "exitCode"),
              cb = js_key(&d, "chainCallbackData");
    *out = (struct report){0};
    TRY(js_object(&top, e));
    TRY(state_parse(&out->state, &status, e));
    TRY(optional_str(&out->link, &d, "resultLink", e));
    TRY(optional_str(&out->cause, &d, "cause", e));
    TRY(optional_str(&out->message, &d, "errorMessage", e));
    TRY(optional_str(&out->evidence, &d, "evidence", e));
    TRY(optional_str(&out->out, &logs, "stdout", e));
    TRY(optional_str(&out->err, &logs, "stderr", e));
    if (js_has(&d, "exitCode")) {
        TRY(js_u64(&out->exit_code, &code, 255, e));
    }
    if (js_has(&d, "chainCallbackData")) {
        TRY(js_hex(&out->callback, a, &cb, CALLBACK_MAX, e));
    }
    return out->link != NULL ? link_check(out->link, e) : RC_OK;
}

rc link_check(const char *link, struct err *e)
{
    static const char head[] = "{ \"storage\": \"ipfs\", \"location\": \"/ipfs/";
    size_t n = strlen(link), h = sizeof(head) - 1, tail = 3; /* `" }` */
    struct cid cid;
    if (n >= LINK_MAX || n < h + tail || strncmp(link, head, h) != 0 ||
        strcmp(link + n - tail, "\" }") != 0) {
        return err_set(e, RC_CODE_MALFORMED, "resultLink: not of the form %s…\" }", head);
    }
    struct bytes text = {(const uint8_t *)link + h, n - h - tail};
    return rc_ok(cid_parse(&cid, text))
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "resultLink: the location is no CID");
}

static void take_result(struct scheduler *s, struct task *t, struct replica *r,
                        const struct report *rep)
{
    if (rep->link != NULL) {
        (void)snprintf(r->link, sizeof(r->link), "%s", rep->link);
    }
    if (rep->callback.n > 0) {
        free((void *)(uintptr_t)r->callback.p);
        uint8_t *p = malloc(rep->callback.n);
        ASSERT(p != NULL);
        memcpy(p, rep->callback.p, rep->callback.n);
        r->callback = (struct bytes){p, rep->callback.n};
    }
    if (r->link[0] != '\0' &&
        (t->state == ST_AT_LEAST_ONE_REVEALED || t->state == ST_RESULT_UPLOADING)) {
        task_set_state(s, t, ST_RESULT_UPLOADED);
    }
}

static void take_failure(struct scheduler *s, struct task *t, struct replica *r,
                         const struct report *rep)
{
    char text[HEX_HASH_MAX], who[HEX_ADDRESS_MAX];
    log_warn(AREA, "task=%s failed at worker=%s: %s: %s", hex_hash(text, t->id),
             hex_address(who, r->worker), rep->cause != NULL ? rep->cause : "no cause",
             rep->message != NULL ? rep->message : "");
    r->failures++;
    if (r->state < RP_CONTRIBUTED) {
        r->state = RP_FAILED;
        r->given = DO_DROP;
    } else {
        r->given = DO_NOTHING; /* told again, or another is asked */
        t->wake_ms = clock_mono_ms() + 1000;
    }
    (void)s;
}

/* True when the result can be read where the worker says; needs a gateway. */
static bool result_is_there(struct scheduler *s, const char *link)
{
    static const char head[] = "{ \"storage\": \"ipfs\", \"location\": \"";
    HTTP_ANSWER ans = {0};
    BUF_FREE url = buf_new(1024);
    size_t h = sizeof(head) - 1, n = strlen(link);
    if (s->cfg.gateway == NULL || strncmp(link, head, h) != 0) {
        return true;
    }
    put_fmt(&url, "%s%.*s", s->cfg.gateway, (int)(n - h - 3), link + h);
    struct http_call call = {.method = "HEAD", .url = buf_cstr(&url), .timeout_ms = 5000};
    rc r = http_call(client_http(s->chain), &ans, &call, NULL);
    return rc_ok(r) && ans.status >= 200 && ans.status < 300;
}

static void reply_next(struct scheduler *s, struct http_req *r, const struct task *t,
                       const struct replica *rp)
{
    static const char *const names[] = {"PLEASE_WAIT", "PLEASE_CONTINUE", "PLEASE_REVEAL",
                                        "PLEASE_UPLOAD", "PLEASE_ABORT"};
    const char *next = t == NULL ? "PLEASE_COMPLETE" : names[action_of(s, t, rp)];
    http_reply_json(r, 200, json_string(next));
}

/* What a worker says beside its result: for the requester and for receipts. */
static void keep_words(struct scheduler *s, struct hash id, struct address worker,
                       const struct report *rep)
{
    if (rep->evidence != NULL) {
        memory_evidence(s, id, worker, rep->evidence);
    }
    if (rep->out != NULL || rep->err != NULL) {
        memory_log(s, id, worker, rep->out != NULL ? rep->out : "",
                   rep->err != NULL ? rep->err : "");
    }
}

void rest_update(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct worker *w = authorized(s, r);
    struct err e = {0};
    struct hash id;
    struct report rep;
    if (w == NULL) {
        return;
    }
    JSON_FREE *j = json_parse(http_body(r), 8, &e);
    if (!rc_ok(hex_parse_hash(&id, http_param(r, "id"))) || j == NULL ||
        !rc_ok(report_parse(&rep, http_arena(r), j, &e))) {
        http_reply_error(r, 400, "%s", e.msg[0] != '\0' ? e.msg : "no task id");
        return;
    }
    struct task *t = task_find(s, id);
    struct replica *rp = t != NULL ? replica_find(t, w->address) : NULL;
    struct address requester;
    if (t == NULL && memory_requester(s, id, &requester)) {
        JSON_FREE *worked = memory_replica_json(s, id, w->address);
        if (worked != NULL) {
            keep_words(s, id, w->address, &rep); /* the chain may be faster than the worker */
        }
        reply_next(s, r, NULL, NULL); /* over */
        return;
    }
    if (rp == NULL) {
        http_reply_error(r, 404, "this worker was not given this task");
        return;
    }
    if (rep.link != NULL && !result_is_there(s, rep.link)) {
        http_reply_error(r, 409, "the result cannot be read at %s", rep.link);
        return;
    }
    keep_words(s, id, w->address, &rep);
    take_result(s, t, rp, &rep);
    if (rep.state == RP_FAILED) {
        take_failure(s, t, rp, &rep);
    } else if (rep.state == RP_COMPUTED && rp->state == RP_STARTED) {
        rp->state = RP_COMPUTED;
    } else if (rep.state == RP_RESULT_UPLOADED && rp->state == RP_REVEALED) {
        rp->state = RP_RESULT_UPLOADED;
    }
    memory_replica(s, t, rp);
    task_dirty(s, t);
    reply_next(s, r, t, rp);
}
