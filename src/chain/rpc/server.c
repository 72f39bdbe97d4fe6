/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the port: HTTP POST and WebSocket, limits, health, metrics. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "chain/rpc/rpc_int.h"

#define AREA "rpc"

static void on_post(void *ctx, struct http_req *r)
{
    struct rpc *rpc = ctx;
    struct buf out = buf_new(rpc->cfg.response_max + RPC_ERROR_ROOM);
    rpc_answer(rpc, http_arena(r), NULL, http_body(r), &out);
    http_reply_buf(r, 200, "application/json", &out);
}

static void on_get(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200,
                    "This is a souk node: JSON-RPC by POST or WebSocket on this path; "
                    "/health and /metrics.\n");
}

static void on_text(void *ctx, struct ws *w, struct bytes text)
{
    struct rpc *rpc = ctx;
    struct arena a;
    /* an answer must fit into the queue of its connection */
    BUF_FREE out = buf_new(MIN(rpc->cfg.response_max, rpc->cfg.ws_queue_max / 2) + RPC_ERROR_ROOM);
    arena_init(&a, HTTP_ARENA_MAX);
    rpc_answer(rpc, &a, w, text, &out);
    if (out.n > 0 && !rc_ok(ws_send(w, buf_bytes(&out)))) {
        log_info(AREA, "a client at %s does not read its answers: closed", ws_peer(w));
    }
    arena_reset(&a);
}

static void on_ws_close(void *ctx, struct ws *w)
{
    subs_on_close(ctx, w);
}

static void on_pending(void *ctx, struct hash tx)
{
    filters_on_pending(ctx, tx);
    subs_on_pending(ctx, tx);
}

static bool on_health(void *ctx, struct buf *b)
{
    struct rpc *rpc = ctx;
    put_fmt(b, "{\"status\":\"ok\",\"chainId\":%" PRIu64 ",\"block\":%" PRIu64 "}",
            ledger_chain_id(rpc->ledger), ledger_height(rpc->ledger));
    return true;
}

/* clang-format off */
static const struct metric METRICS[] = {
    METRIC("souk_rpc_requests_total",      METRIC_COUNTER, rpc_stats, requests,  "Calls answered."),
    METRIC("souk_rpc_errors_total",        METRIC_COUNTER, rpc_stats, errors,    "Calls answered with an error."),
    METRIC("souk_rpc_notifications_total", METRIC_COUNTER, rpc_stats, logs_sent, "Messages pushed to subscribers."),
    METRIC("souk_rpc_subscriptions",       METRIC_GAUGE,   rpc_stats, subs,      "Subscriptions open."),
    METRIC("souk_node_blocks_total",       METRIC_COUNTER, rpc_stats, blocks,    "Blocks seen since the start."),
    METRIC("souk_node_height_blocks",      METRIC_GAUGE,   rpc_stats, height,    "Number of the newest block."),
    {NULL, METRIC_GAUGE, 0, NULL},
};
/* clang-format on */

static uint64_t or_default(uint64_t v, uint64_t def)
{
    return v == 0 ? def : v;
}

static void fill_defaults(struct rpc_config *c)
{
    c->max_conns = or_default(c->max_conns, 4096);
    c->body_max = or_default(c->body_max, (uint64_t)5 << 20);
    c->batch_max = or_default(c->batch_max, 1000);
    c->response_max = or_default(c->response_max, (uint64_t)32 << 20);
    c->subs_max = or_default(c->subs_max, 128);
    c->filters_max = or_default(c->filters_max, 1000);
    c->logs_max = or_default(c->logs_max, 10000);
    c->ws_queue_max = or_default(c->ws_queue_max, (uint64_t)8 << 20);
    c->gas_cap = or_default(c->gas_cap, 50000000);
}

static rc start(struct rpc *r, struct err *e)
{
    struct http_route *routes = calloc(3, sizeof(*routes));
    ASSERT(routes != NULL);
    routes[0] = (struct http_route){
        .method = "POST", .path = "/", .body_max = r->cfg.body_max, .on_request = on_post};
    routes[1] = (struct http_route){.method = "GET", .path = "/", .on_request = on_get};
    r->routes = routes;
    struct http_config h = {
        .listen = r->cfg.listen,
        .routes = routes,
        .ws = {.path = "/",
               .message_max = r->cfg.body_max,
               .queue_max = r->cfg.ws_queue_max,
               .on_text = on_text,
               .on_close = on_ws_close},
        .ctx = r,
        .cors_origin = r->cfg.cors_origin,
        .tls_cert = r->cfg.tls_cert,
        .tls_key = r->cfg.tls_key,
        .max_conns = r->cfg.max_conns,
        .held_max = r->cfg.held_max,
        .metrics = METRICS,
        .metrics_base = &r->stats,
        .health = on_health,
    };
    if (r->cfg.dev) {
        TRY(dev_open(&r->dev, e));
    }
    r->stats.height = ledger_height(r->ledger);
    ledger_on_pending(r->ledger, on_pending, r);
    return http_server_open(&r->http, r->cfg.loop, &h, e);
}

rc rpc_open(struct rpc **out, const struct rpc_config *cfg, struct err *e)
{
    struct rpc *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->cfg = *cfg;
    r->ledger = cfg->ledger;
    r->filters = filters_new();
    r->subs = subs_new();
    fill_defaults(&r->cfg);
    rc got = start(r, e);
    if (!rc_ok(got)) {
        rpc_close(r);
        return err_wrap(e, got, "JSON-RPC");
    }
    *out = r;
    return RC_OK;
}

void rpc_close(struct rpc *r)
{
    if (r == NULL) {
        return;
    }
    http_server_close(r->http); /* its callbacks still look at the subscriptions */
    ledger_on_pending(r->ledger, NULL, NULL);
    filters_free(r->filters);
    subs_free(r->subs);
    dev_free(r->dev);
    free(r->routes);
    free(r);
}

const char *rpc_url(const struct rpc *r)
{
    return http_server_url(r->http);
}

uint16_t rpc_port(const struct rpc *r)
{
    return http_server_port(r->http);
}

void rpc_on_block(struct rpc *r, uint64_t number)
{
    r->stats.blocks++;
    r->stats.height = number;
    subs_on_block(r, number);
}
