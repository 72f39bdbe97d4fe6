/* SPDX-License-Identifier: Apache-2.0 */
/* sms.c - the service: opening, rounds of jobs, what they need from the chain. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/log.h"
#include "daemon/sms/sms_int.h"
#include "io/clock.h"
#include "io/file.h"

enum {
    ROUND_MAX = 512,           /* jobs of one round; the rest waits for the next */
    CHAIN_TIMEOUT_MS = 4000,   /* of one call */
    CHAIN_REST_MS = 1000,      /* after a failed call, jobs that need the chain are told at once */
    PURGE_MS = 60 * 60 * 1000, /* SPEC offchain 4.1: hourly */
    SESSION_TTL_S = 5 * 86400,
};

#define ROUND_ARENA ((size_t)64 << 20)

static const struct metric metrics[] = {
    METRIC("souk_sms_pushes_total", METRIC_COUNTER, sms_stats, pushes, "secrets stored"),
    METRIC("souk_sms_sessions_total", METRIC_COUNTER, sms_stats, sessions, "sessions made"),
    METRIC("souk_sms_challenges_total", METRIC_COUNTER, sms_stats, challenges,
           "requests for a task's signing address that were answered"),
    METRIC("souk_sms_nonces_total", METRIC_COUNTER, sms_stats, nonces, "nonces given to agents"),
    METRIC("souk_sms_released_total", METRIC_COUNTER, sms_stats, released,
           "times that secrets went to an enclave"),
    METRIC("souk_sms_refused_total", METRIC_COUNTER, sms_stats, refused,
           "times that secrets were refused to an enclave"),
    METRIC("souk_sms_rounds_total", METRIC_COUNTER, sms_stats, rounds, "commits, one for a group"),
    METRIC("souk_sms_chain_errors_total", METRIC_COUNTER, sms_stats, chain_errors,
           "calls of the chain that failed"),
    {0},
};

uint64_t sms_now_s(const struct sms *s)
{
    return s->at != 0 ? s->at : clock_wall_s();
}

/* --- jobs --- */

static void on_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct job *j = http_user(r);
    if (j != NULL) {
        j->r = NULL; /* what was parsed lived with the request: the job is dropped */
    }
}

struct job *job_new(struct sms *s, struct http_req *r, void (*run)(struct sms *s, struct job *j))
{
    struct job *j = calloc(1, sizeof(*j));
    ASSERT(j != NULL);
    j->r = r;
    j->run = run;
    j->chain = RC_OK;
    j->body = buf_new((size_t)4 << 20);
    http_set_user(r, j);
    http_on_gone(r, on_gone);
    *s->last = j;
    s->last = &j->next;
    return j;
}

static void job_free(struct job *j)
{
    buf_free(&j->body);
    free(j);
}

void job_text(struct job *j, int status, const char *text)
{
    j->status = status;
    j->type = "text/plain; charset=utf-8";
    buf_reset(&j->body);
    put_str(&j->body, text);
}

void job_error(struct job *j, int status, const char *code, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    j->status = status;
    j->type = "application/json";
    buf_reset(&j->body);
    put_str(&j->body, "{\"error\":");
    json_put_str(&j->body, bytes_str(code));
    put_str(&j->body, ",\"message\":");
    json_put_str(&j->body, bytes_str(text));
    put_str(&j->body, "}");
}

static void answer(struct job *j)
{
    if (j->r == NULL) {
        return;
    }
    struct http_req *r = j->r;
    struct bytes body = http_body(r);
    if (body.n > 0) {
        mem_wipe((void *)(uintptr_t)body.p, body.n); /* it may hold a plain secret */
    }
    http_set_user(r, NULL);
    http_reply_buf(r, j->status, j->type, &j->body);
}

/* --- the chain --- */

static void read_owner(struct job *j, const struct client_call_item *it)
{
    struct abi_in in = abi_of(it->out);
    j->owner = abi_take_address(&in);
    /* No contract there answers with no bytes, one without owner() reverts: nobody owns it. */
    j->chain = sms_is_away(it->r)                                                  ? it->r
               : rc_ok(it->r) && rc_ok(abi_end(&in)) && !address_is_zero(j->owner) ? RC_OK
                                                                                   : RC(NOT_FOUND);
}

static void read_task(struct sms *s, struct job *j, const struct client_call_item *it)
{
    if (sms_is_away(it->r)) {
        j->chain = it->r;
        return;
    }
    bool good = rc_ok(it->r) && rc_ok(view_task_parse(&j->view, &s->round, it->out)) &&
                j->view.status != TASK_UNSET;
    j->chain = good ? RC_OK : RC(NOT_FOUND);
}

static struct bytes copy(struct arena *a, const struct buf *b)
{
    uint8_t *p = arena_alloc(a, b->n);
    if (p != NULL) {
        memcpy(p, b->p, b->n);
    }
    return (struct bytes){p, p != NULL ? b->n : 0};
}

/* All that the jobs of this round need, in one call. */
static void ask_chain(struct sms *s, struct job *jobs, size_t n)
{
    struct client_call_item *it = ARENA_ARRAY(&s->round, struct client_call_item, n);
    struct err e = {0};
    size_t k = 0;
    BUF_FREE data = buf_new(256);
    for (struct job *j = jobs; j != NULL; j = j->next) {
        if (it == NULL || j->need == NEED_NOTHING) {
            continue;
        }
        buf_reset(&data);
        if (j->need == NEED_OWNER) {
            (void)call_begin(&data, METHOD_dataset_owner, 0);
        } else {
            struct abi_out o = call_begin(&data, METHOD_hub_viewTask, 1);
            abi_put_hash(&o, j->task);
        }
        it[k++] = (struct client_call_item){
            .to = j->need == NEED_OWNER ? j->contract : client_hub(s->chain),
            .data = copy(&s->round, &data),
            .r = RC_OK,
        };
    }
    if (k == 0) {
        return;
    }
    rc r = RC(IO);
    if (clock_mono_ms() >= s->chain_away_until_ms) {
        r = client_call_batch(s->chain, it, k, &s->round, &e);
        if (sms_is_away(r)) {
            s->chain_away_until_ms = clock_mono_ms() + CHAIN_REST_MS;
            s->m.chain_errors++;
            log_warn("sms", "the chain is away: %s", e.msg);
        }
    }
    k = 0;
    for (struct job *j = jobs; j != NULL; j = j->next) {
        if (j->need == NEED_NOTHING) {
            continue;
        }
        const struct client_call_item *one = &it[k++];
        if (sms_is_away(r)) {
            j->chain = r;
        } else if (j->need == NEED_OWNER) {
            read_owner(j, one);
        } else {
            read_task(s, j, one);
        }
    }
}

/* --- rounds --- */

static void run_jobs(struct sms *s, struct job *jobs)
{
    struct err e = {0};
    rc r = vault_begin(s->vault, &e);
    for (struct job *j = jobs; rc_ok(r) && j != NULL; j = j->next) {
        if (j->r == NULL) {
            continue;
        }
        if (j->need != NEED_NOTHING && sms_is_away(j->chain)) {
            job_error(j, 503, "chain-away", "the chain does not answer now; try again");
        } else {
            j->run(s, j);
        }
        if (j->write_failed) { /* nothing of this round may be half on disk */
            r = RC(IO);
        }
    }
    if (rc_ok(r)) {
        r = vault_commit(s->vault, &e);
    } else {
        vault_rollback(s->vault);
    }
    if (!rc_ok(r)) {
        log_error("sms", "nothing of this round was stored: %s",
                  e.msg[0] != '\0' ? e.msg : "see above");
        for (struct job *j = jobs; j != NULL; j = j->next) {
            job_error(j, 500, "storage", "the secret manager cannot store now; try again");
        }
    }
    s->m.rounds++;
}

static void on_round(void *ctx)
{
    struct sms *s = ctx;
    if (s->first == NULL) {
        return;
    }
    struct job *jobs = s->first, *end = jobs;
    size_t n = 1;
    while (n < ROUND_MAX && end->next != NULL) {
        end = end->next;
        n++;
    }
    s->first = end->next;
    end->next = NULL;
    if (s->first == NULL) {
        s->last = &s->first;
    } else {
        loop_again(s->loop);
    }
    arena_reset(&s->round);
    ask_chain(s, jobs, n);
    run_jobs(s, jobs);
    while (jobs != NULL) {
        struct job *j = jobs;
        jobs = j->next;
        answer(j);
        job_free(j);
    }
    arena_reset(&s->round);
}

static void on_purge(void *ctx)
{
    struct sms *s = ctx;
    struct err e = {0};
    rc r = vault_begin(s->vault, &e);
    if (rc_ok(r)) {
        r = vault_purge(s->vault, sms_now_s(s), &e);
        if (rc_ok(r)) {
            r = vault_commit(s->vault, &e);
        } else {
            vault_rollback(s->vault);
        }
    }
    if (!rc_ok(r)) {
        log_error("sms", "purge: %s", e.msg);
    }
    loop_timer_set(s->loop, &s->purge, PURGE_MS, on_purge, s);
}

/* --- start and stop --- */

static void on_version(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200, "1.0.0");
}

static void on_actuator(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply(r, 200, "application/json", BYTES_LIT("{\"status\":\"UP\"}"));
}

static bool health(void *ctx, struct buf *json)
{
    const struct sms *s = ctx;
    bool chain = clock_mono_ms() >= s->chain_away_until_ms;
    put_fmt(json, "{\"status\":\"%s\",\"chain\":%s}", chain ? "ok" : "chain away",
            chain ? "true" : "false");
    return true; /* secrets can be kept without the chain */
}

/* clang-format off */
static const struct http_route routes[] = {
    {"GET",  "/secrets/web3",                 0,                    on_web3,       NULL}, /* and HEAD */
    {"POST", "/secrets/web3",                 SECRET_VALUE_MAX,     on_web3,       NULL},
    {"GET",  "/secrets/web2",                 0,                    on_web2,       NULL},
    {"POST", "/secrets/web2",                 SECRET_VALUE_MAX,     on_web2,       NULL},
    {"PUT",  "/secrets/web2",                 SECRET_VALUE_MAX,     on_web2,       NULL},
    {"GET",  "/apps/:app/secrets",            0,                    on_app,        NULL},
    {"POST", "/apps/:app/secrets",            SECRET_VALUE_MAX,     on_app,        NULL},
    {"GET",  "/requesters/:who/secrets/:key", 0,                    on_requester,  NULL},
    {"POST", "/requesters/:who/secrets/:key", SECRET_VALUE_MAX,     on_requester,  NULL},
    {"POST", "/tee/challenges/:task",         1024,                 on_challenge,  NULL},
    {"POST", "/tee/sessions",                 16384,                on_session,    NULL},
    {"GET",  "/tee/framework",                0,                    on_framework,  NULL},
    {"GET",  "/tee/properties/:fw",           0,                    on_properties, NULL},
    {"GET",  "/tee/properties/:fw/:version",  0,                    on_properties, NULL},
    {"POST", "/provision/:session/nonce",     1024,                 on_nonce,      NULL},
    {"POST", "/provision/:session/secrets",   PROVISION_BODY_MAX,   on_secrets,    NULL},
    {"POST", "/attest/verify",                PROVISION_BODY_MAX,   on_verify,     NULL},
    {"GET",  "/version",                      0,                    on_version,    NULL},
    {"GET",  "/actuator/health",              0,                    on_actuator,   NULL},
    {.path = NULL},
};
/* clang-format on */

/* No core dump, no debugger, and no page of ours in swap where the limit allows it. */
static void protect_memory(void)
{
    struct rlimit lim;
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (getrlimit(RLIMIT_MEMLOCK, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &lim);
    }
    bool all = getrlimit(RLIMIT_MEMLOCK, &lim) == 0 && lim.rlim_cur == RLIM_INFINITY &&
               mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
    if (!all) {
        log_info("sms", "only key pages are locked in memory: raise the memlock limit to lock all");
    }
}

static rc open_parts(struct sms *s, const struct sms_config *cfg, struct err *e)
{
    TRY(dir_make(cfg->dir, 0700, e));
    TRY(dir_lock(&s->lock_fd, cfg->dir, e));
    char db[FILE_PATH_MAX];
    TRY(path_join(db, cfg->dir, "sms.db", e));
    TRY(keyring_open(&s->keys, cfg->key_file, cfg->dir, !file_exists(db), e));
    TRY(vault_open(&s->vault, cfg->dir, &s->keys, e));
    TRY(sms_settings(s, cfg, e));
    struct client_config chain = {
        .url = cfg->node, .hub = cfg->hub, .timeout_ms = CHAIN_TIMEOUT_MS};
    TRY(client_open(&s->chain, &chain, e));
    loop_hook_add(s->loop, &s->hook, on_round, s); /* before the server's, which sends answers */
    struct http_config http = {
        .listen = cfg->listen,
        .routes = routes,
        .ctx = s,
        .cors_origin = "*",
        .metrics = metrics,
        .metrics_base = &s->m,
        .health = health,
    };
    TRY(http_server_open(&s->http, s->loop, &http, e));
    if (s->provision_url == NULL) {
        s->provision_url = http_server_url(s->http);
    }
    return RC_OK;
}

rc sms_open(struct sms **out, struct loop *l, const struct sms_config *cfg, struct err *e)
{
    struct sms *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    protect_memory();
    s->loop = l;
    s->lock_fd = -1;
    s->last = &s->first;
    s->at = cfg->at;
    s->session_ttl_s = cfg->session_ttl_s != 0 ? cfg->session_ttl_s : SESSION_TTL_S;
    arena_init(&s->round, ROUND_ARENA);
    arena_init(&s->cfg_arena, ROUND_ARENA);
    arena_init(&s->scratch, ATTEST_SCRATCH);
    rc r = open_parts(s, cfg, e);
    if (!rc_ok(r)) {
        sms_close(s);
        return r;
    }
    on_purge(s);
    *out = s;
    return RC_OK;
}

void sms_close(struct sms *s)
{
    if (s == NULL) {
        return;
    }
    http_server_close(s->http);
    loop_hook_del(s->loop, &s->hook);
    loop_timer_cancel(s->loop, &s->purge);
    while (s->first != NULL) {
        struct job *j = s->first;
        s->first = j->next;
        job_free(j);
    }
    deals_free(s);
    client_close(s->chain);
    vault_close(s->vault);
    keyring_free(&s->keys);
    json_decref(s->properties);
    arena_reset(&s->round);
    arena_reset(&s->scratch);
    arena_reset(&s->cfg_arena);
    fd_close(&s->lock_fd);
    free(s);
}

const char *sms_url(const struct sms *s)
{
    return http_server_url(s->http);
}
