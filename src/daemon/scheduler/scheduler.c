/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.c - opening, the round of work, closing. */
#include "daemon/scheduler/scheduler_int.h"

#include <stdlib.h>

#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

#define READY_MS        10000
#define POLL_BUSY_MS    20   /* between questions to a chain without notices, while there is work */
#define POLL_IDLE_MS    1000 /* and while there is none */
#define HOUSEKEEPING_MS 30000
#define BODY_MAX        ((size_t)1 << 20)

/* clang-format off */
static const struct http_route routes[] = {
    {"GET",  "/version",                            0,        public_version,   NULL},
    {"GET",  "/workers/challenge",                  0,        rest_challenge,   NULL},
    {"POST", "/workers/login",                      4096,     rest_login,       NULL},
    {"POST", "/workers/register",                   4096,     rest_register,    NULL},
    {"POST", "/workers/ping",                       4096,     rest_ping,        NULL},
    {"GET",  "/workers/config",                     0,        rest_config,      NULL},
    {"GET",  "/work",                               0,        rest_work,        NULL},
    {"POST", "/replicates/:id/updateStatus",        BODY_MAX, rest_update,      NULL},
    {"GET",  "/tasks/logs/challenge",               0,        public_challenge, NULL},
    {"GET",  "/tasks/:id",                          0,        public_task,      NULL},
    {"GET",  "/tasks/:id/logs",                     0,        public_logs,      NULL},
    {"GET",  "/tasks/:id/replicates/:wallet",       0,        public_replica,   NULL},
    {"GET",  "/tasks/:id/replicates/:wallet/logs",  0,        public_logs,      NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static const struct metric metrics[] = {
    METRIC("souk_scheduler_tasks_live",             METRIC_GAUGE,   stats, tasks_live,      "Tasks not yet over."),
    METRIC("souk_scheduler_deals_live",             METRIC_GAUGE,   stats, deals,           "Deals with such tasks."),
    METRIC("souk_scheduler_tasks_completed_total",  METRIC_COUNTER, stats, tasks_completed, "Tasks finalized since the start."),
    METRIC("souk_scheduler_tasks_failed_total",     METRIC_COUNTER, stats, tasks_failed,    "Tasks claimed since the start."),
    METRIC("souk_scheduler_workers",                METRIC_GAUGE,   stats, workers,         "Workers that logged in since the start."),
    METRIC("souk_scheduler_replicas_total",         METRIC_COUNTER, stats, replicas,        "Authorisations given since the start."),
    METRIC("souk_scheduler_transactions_total",     METRIC_COUNTER, stats, txs,             "Transactions sent since the start."),
    METRIC("souk_scheduler_refused_total",          METRIC_COUNTER, stats, tx_errors,       "Transactions that the node refused."),
    METRIC("souk_scheduler_chain_errors_total",     METRIC_COUNTER, stats, chain_errors,    "Times that the chain could not be read."),
    METRIC("souk_scheduler_head_blocks",            METRIC_GAUGE,   stats, head,            "Number of the newest block seen."),
    {NULL, METRIC_GAUGE, 0, NULL},
};
/* clang-format on */

static bool on_health(void *ctx, struct buf *json)
{
    struct scheduler *s = ctx;
    put_fmt(json, "{\"status\":\"%s\",\"block\":%llu,\"tasks\":%llu}",
            s->chain_away ? "chain away" : "ok", (unsigned long long)s->head.number,
            (unsigned long long)s->stats.tasks_live);
    return !s->chain_away;
}

static void on_blocks(void *ctx)
{
    struct scheduler *s = ctx;
    (void)chain_read(s);
    act_timers(s);
}

/* After all input of a round: one request to the chain for all that is due, one commit. */
static void on_round(void *ctx)
{
    struct scheduler *s = ctx;
    bool acted = s->act_wanted;
    for (int i = 0; i < 4 && s->act_wanted; i++) {
        act_all(s);
    }
    if (acted) {
        act_timers(s);
    }
    if (s->act_wanted) {
        loop_again(s->loop);
    }
    if (s->supply_wanted) {
        supply_all(s);
    }
    memory_commit(s);
    client_watch_poll(s->watch, s->stats.tasks_live > 0 ? POLL_BUSY_MS : POLL_IDLE_MS);
}

static void on_housekeeping(void *ctx)
{
    struct scheduler *s = ctx;
    uint64_t t;
    memory_old_logs(s);
    if (s->first != NULL && rc_ok(client_time(s->chain, &t, NULL)) && t > sched_now_s(s)) {
        s->head.timestamp = t; /* no block came for a while: the chain's own word for now */
        s->head_mono_ms = clock_mono_ms();
        act_timers(s);
    }
    loop_timer_set(s->loop, &s->housekeeping, HOUSEKEEPING_MS, on_housekeeping, s);
}

static rc read_allowlist(struct scheduler *s, struct err *e)
{
    BUF_FREE text = buf_new((size_t)1 << 20);
    if (s->cfg.allowlist == NULL) {
        return RC_OK;
    }
    TRY(file_read(&text, s->cfg.allowlist, e));
    const char *p = buf_cstr(&text);
    s->allowed = calloc(text.n / 40 + 1, sizeof(*s->allowed));
    ASSERT(s->allowed != NULL);
    while (*p != '\0') {
        char line[64];
        size_t n = strcspn(p, "\r\n");
        (void)snprintf(line, sizeof(line), "%.*s", (int)MIN(n, sizeof(line) - 1), p);
        if (n > 0 && line[0] != '#' &&
            !rc_ok(hex_parse_address(&s->allowed[s->n_allowed++], line))) {
            return err_set(e, RC_CODE_MALFORMED, "%s: '%s' is no address", s->cfg.allowlist, line);
        }
        p += n + strspn(p + n, "\r\n");
    }
    return RC_OK;
}

/* SPEC offchain 0: workers and contracts check authorisations against the pool's owner. */
static rc check_owner(struct scheduler *s, struct err *e)
{
    struct address owner;
    char pool[HEX_ADDRESS_MAX], a[HEX_ADDRESS_MAX], b[HEX_ADDRESS_MAX];
    TRY(client_owner(s->chain, &owner, s->cfg.workerpool, e));
    if (!address_eq(owner, s->cfg.signer->address)) {
        return err_set(e, RC_CODE_DENIED,
                       "workerpool %s belongs to %s, and the key given is %s: a scheduler needs "
                       "the owner's key",
                       hex_address(pool, s->cfg.workerpool), hex_address(a, owner),
                       hex_address(b, s->cfg.signer->address));
    }
    return RC_OK;
}

static rc start(struct scheduler *s, struct err *e)
{
    struct http_config http = {.listen = s->cfg.listen,
                               .routes = routes,
                               .ctx = s,
                               .cors_origin = "*",
                               .metrics = metrics,
                               .metrics_base = &s->stats,
                               .health = on_health};
    uint64_t t;
    TRY(read_allowlist(s, e));
    TRY(client_wait_ready(s->chain, READY_MS, e));
    TRY(client_find_hub(s->chain, e));
    TRY(check_owner(s, e));
    TRY(memory_open(s, e));
    (void)chain_read(s);
    if (rc_ok(client_time(s->chain, &t, NULL)) && t > s->head.timestamp) {
        s->head.timestamp = t; /* deadlines may have passed while no block came */
        s->head_mono_ms = clock_mono_ms();
    }
    TRY(http_server_open(&s->http, s->loop, &http, e));
    TRY(client_watch_open(&s->watch, s->loop, s->chain, POLL_IDLE_MS, on_blocks, s, e));
    loop_hook_add(s->loop, &s->hook, on_round, s);
    act_timers(s);
    on_housekeeping(s);
    return RC_OK;
}

rc scheduler_open(struct scheduler **out, struct loop *l, const struct scheduler_config *cfg,
                  struct err *e)
{
    struct scheduler *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->loop = l;
    s->cfg = *cfg;
    s->chain = cfg->chain;
    rc r = start(s, e);
    if (!rc_ok(r)) {
        scheduler_close(s);
        return r;
    }
    *out = s;
    return RC_OK;
}

const char *scheduler_url(const struct scheduler *s)
{
    return http_server_url(s->http);
}

void scheduler_close(struct scheduler *s)
{
    if (s == NULL) {
        return;
    }
    if (s->watch != NULL) {
        loop_hook_del(s->loop, &s->hook);
    }
    client_watch_close(s->watch);
    http_server_close(s->http);
    loop_timer_cancel(s->loop, &s->tick);
    loop_timer_cancel(s->loop, &s->housekeeping);
    workers_free(s);
    memory_close(s);
    free(s->allowed);
    free(s);
}
