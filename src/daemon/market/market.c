/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "daemon/market/market_int.h"
#include "io/clock.h"
#include "io/file.h"

void answer_error(struct http_req *r, int status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    BUF_FREE b = buf_new(8192);
    put_str(&b, "{\"ok\":false,\"error\":");
    json_put_str(&b, bytes_str(text));
    put_str(&b, "}");
    http_reply_buf(r, status, "application/json", &b);
}

void answer_rc(struct market *m, struct http_req *r, rc why, const struct err *e)
{
    switch (why.code) {
    case RC_CODE_MALFORMED:
        answer_error(r, 400, "%s", e->msg);
        return;
    case RC_CODE_LIMIT:
        answer_error(r, 413, "%s", e->msg[0] != '\0' ? e->msg : "the answer is too long");
        return;
    case RC_CODE_DENIED:
        answer_error(r, 403, "%s", e->msg);
        return;
    case RC_CODE_NOT_FOUND:
        answer_error(r, 404, "%s", e->msg);
        return;
    case RC_CODE_OK:
    case RC_CODE_IO:
    case RC_CODE_CORRUPT:
        break;
    }
    m->m.errors++;
    log_error("market", "%s %s: %s", http_method(r), http_path(r), e->msg);
    answer_error(r, 500, "Internal error");
}

void answer(struct http_req *r, struct buf *json)
{
    http_reply_buf(r, 200, "application/json", json);
}

bool request_ok(struct market *m, struct http_req *r)
{
    struct err e = {0};
    bool given;
    uint64_t id = 0;
    if (!rate_take(m, http_peer(r))) {
        answer_error(r, 429, "Rate limit exceeded");
        return false;
    }
    if (!rc_ok(query_number(r, "chainId", NUMBER_MAX, &given, &id, &e)) || !given) {
        answer_error(r, 400, "%s", given ? e.msg : "chainId is a required field");
        return false;
    }
    if (id != m->chain_id) {
        answer_error(r, 400, "chainId must be one of the following values: %llu",
                     (unsigned long long)m->chain_id);
        return false;
    }
    return true;
}

static void on_version(void *ctx, struct http_req *r)
{
    if (!rate_take(ctx, http_peer(r))) {
        answer_error(r, 429, "Rate limit exceeded");
        return;
    }
    http_reply(r, 200, "application/json", BYTES_LIT("{\"ok\":true,\"version\":\"souk-0.1.0\"}"));
}

static void on_docs(void *ctx, struct http_req *r)
{
    static const char text[] =
        "souk market: an order book. All answers are JSON; every path but /version and /docs takes "
        "?chainId=N.\n\n"
        "GET  /version\n"
        "GET  /challenge?address=          typed data to sign; send it back as\n"
        "                                  authorization: <its hash>_<signature>_<address>\n"
        "GET  /apporders?app=&appOwner=    also dataset workerpool requester (an address or any),\n"
        "     /datasetorders?dataset=      is…Strict minTag maxTag minVolume pageIndex pageSize\n"
        "     /workerpoolorders?category=  also workerpool workerpoolOwner minTrust\n"
        "     /requestorders?category=     also requester beneficiary maxTrust\n"
        "GET  /{kind}orders/{orderHash}\n"
        "POST /{kind}orders                {\"order\": {…}} publishes a signed order\n"
        "PUT  /{kind}orders                {\"target\": \"unpublish_orderHash\", \"orderHash\": "
        "…}\n"
        "GET  /best?app=&dataset=&category=&trust=&tag=&requester=&workerpool=&volume=\n"
        "                                  the cheapest orders that fit together\n"
        "GET  /deals /deals/{dealid} /categories /categories/{catid} /ohlc?category= /metrics\n";
    (void)ctx;
    http_reply(r, 200, "text/plain; charset=utf-8", bytes_str(text));
}

static bool health(void *ctx, struct buf *json)
{
    const struct market *m = ctx;
    put_fmt(json, "{\"status\":\"%s\",\"head\":%llu}", m->chain_away ? "chain away" : "ok",
            (unsigned long long)m->head);
    return !m->chain_away;
}

/* clang-format off */
static const struct http_route routes[] = {
    {"GET",  "/version",                 0, on_version, NULL},
    {"GET",  "/docs",                    0, on_docs, NULL},
    {"GET",  "/challenge",               0, market_on_challenge, NULL},
    {"GET",  "/apporders",               0, market_on_list_app, NULL},
    {"GET",  "/datasetorders",           0, market_on_list_dataset, NULL},
    {"GET",  "/workerpoolorders",        0, market_on_list_workerpool, NULL},
    {"GET",  "/requestorders",           0, market_on_list_request, NULL},
    {"GET",  "/apporders/:hash",         0, market_on_get_app, NULL},
    {"GET",  "/datasetorders/:hash",     0, market_on_get_dataset, NULL},
    {"GET",  "/workerpoolorders/:hash",  0, market_on_get_workerpool, NULL},
    {"GET",  "/requestorders/:hash",     0, market_on_get_request, NULL},
    {"POST", "/apporders",               BODY_MAX, market_on_publish_app, NULL},
    {"POST", "/datasetorders",           BODY_MAX, market_on_publish_dataset, NULL},
    {"POST", "/workerpoolorders",        BODY_MAX, market_on_publish_workerpool, NULL},
    {"POST", "/requestorders",           BODY_MAX, market_on_publish_request, NULL},
    {"PUT",  "/apporders",               BODY_MAX, market_on_unpublish_app, NULL},
    {"PUT",  "/datasetorders",           BODY_MAX, market_on_unpublish_dataset, NULL},
    {"PUT",  "/workerpoolorders",        BODY_MAX, market_on_unpublish_workerpool, NULL},
    {"PUT",  "/requestorders",           BODY_MAX, market_on_unpublish_request, NULL},
    {"GET",  "/best",                    0, market_on_best, NULL},
    {"GET",  "/deals",                   0, market_on_deals, NULL},
    {"GET",  "/deals/:id",               0, market_on_deal, NULL},
    {"GET",  "/categories",              0, market_on_categories, NULL},
    {"GET",  "/categories/:id",          0, market_on_category, NULL},
    {"GET",  "/ohlc",                    0, market_on_ohlc, NULL},
    {"GET",  "/metrics",                 0, market_on_metrics, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
/* clang-format on */

static void on_round(void *ctx)
{
    publish_round(ctx);
}

/* What the chain says of itself, once. */
static rc ask_chain(struct market *m, struct err *e)
{
    static const enum method registries[] = {METHOD_hub_appregistry, METHOD_hub_datasetregistry,
                                             METHOD_hub_workerpoolregistry};
    struct client_config cfg = {.url = m->cfg.node, .hub = m->cfg.hub, .timeout_ms = 5000};
    TRY(client_open(&m->client, &cfg, e));
    TRY(client_wait_ready(m->client, m->cfg.ready_ms, e));
    TRY(client_chain_id(m->client, &m->chain_id, e));
    TRY(client_domain(m->client, &m->domain, e));
    for (size_t i = 0; i < ARRAY_LEN(registries); i++) {
        TRY(client_hub_address(m->client, &m->registry[i], registries[i], e));
    }
    return RC_OK;
}

/* A database belongs to one chain and hub. */
static rc check_chain(struct market *m, struct err *e)
{
    bool row;
    BUF_FREE b = buf_new(64);
    put_be(&b, m->chain_id, 8);
    struct address hub = client_hub(m->client);
    put_bytes(&b, BYTES_OF(hub));
    stmt_bind_text(m->state_get, 1, "chain");
    rc r = stmt_step(m->state_get, &row, e);
    bool other = rc_ok(r) && row && !bytes_eq(stmt_bytes(m->state_get, 0), buf_bytes(&b));
    stmt_reset(m->state_get);
    TRY(r);
    if (other) {
        return err_set(e, RC_CODE_CORRUPT,
                       "the database in %s belongs to another chain or hub: use another folder",
                       m->cfg.dir);
    }
    stmt_bind_text(m->state_put, 1, "chain");
    stmt_bind_bytes(m->state_put, 2, buf_bytes(&b));
    return stmt_run(m->state_put, e);
}

static rc serve(struct market *m, struct err *e)
{
    struct http_config cfg = {
        .listen = m->cfg.listen,
        .routes = routes,
        .ctx = m,
        .cors_origin = "*",
        .health = health,
    };
    return http_server_open(&m->http, m->loop, &cfg, e);
}

rc market_open(struct market **out, struct loop *l, const struct market_config *cfg, struct err *e)
{
    struct market *m = calloc(1, sizeof(*m));
    ASSERT(m != NULL);
    *out = NULL;
    m->loop = l;
    m->cfg = *cfg;
    m->lock_fd = -1;
    m->pending_tail = &m->pending;
    market_auth_open(m);
    loop_hook_add(l, &m->hook, on_round, m); /* before the server's hook, which sends the answers */
    rc r = dir_lock(&m->lock_fd, cfg->dir, e);
    r = rc_ok(r) ? book_open(m, e) : r;
    r = rc_ok(r) ? ask_chain(m, e) : r;
    r = rc_ok(r) ? check_chain(m, e) : r;
    r = rc_ok(r) ? watch_open(m, e) : r;
    r = rc_ok(r) ? serve(m, e) : r;
    if (!rc_ok(r)) {
        market_close(m);
        return err_wrap(e, r, "start market");
    }
    *out = m;
    return RC_OK;
}

void market_close(struct market *m)
{
    if (m == NULL) {
        return;
    }
    watch_close(m);
    http_server_close(m->http);
    publish_close(m);
    loop_hook_del(m->loop, &m->hook);
    query_close(m);
    db_close(m->db);
    client_close(m->client);
    market_auth_close(m);
    fd_close(&m->lock_fd);
    free(m);
}

const char *market_url(const struct market *m)
{
    return http_server_url(m->http);
}
