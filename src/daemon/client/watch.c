/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - a hint for each new block: eth_subscribe where there is a WebSocket, else a timer. */
#include <stdlib.h>

#include "base/log.h"
#include "daemon/client/client_int.h"
#include "io/ws_client.h"

#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000
#define SAFETY_MS    5000 /* between questions while the subscription is up: it may be half dead */

struct client_watch {
    struct loop *loop;
    char url[512];
    uint64_t poll_ms, retry_ms;
    loop_fn fn;
    void *ctx;
    struct ws_client *ws;
    bool subscribed;
    struct loop_timer poll, retry;
};

static void arm(struct client_watch *w);

static void on_poll(void *ctx)
{
    struct client_watch *w = ctx;
    arm(w);
    w->fn(w->ctx);
}

static void arm(struct client_watch *w)
{
    loop_timer_set(w->loop, &w->poll,
                   w->subscribed ? MAX(w->poll_ms, (uint64_t)SAFETY_MS) : w->poll_ms, on_poll, w);
}

static void on_open(void *ctx, struct ws_client *ws)
{
    (void)ctx;
    ws_client_send(ws, BYTES_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\","
                                 "\"params\":[\"newHeads\"]}"));
}

static void connect_ws(void *ctx);

static void on_close(void *ctx, const char *why)
{
    struct client_watch *w = ctx;
    log_debug("client", "no block notices, asking instead url=%s why=%s", w->url, why);
    w->ws = NULL;
    w->subscribed = false;
    arm(w);
    loop_timer_set(w->loop, &w->retry, w->retry_ms, connect_ws, w);
    w->retry_ms = MIN(w->retry_ms * 2, (uint64_t)RETRY_MAX_MS);
}

/* Either the answer to eth_subscribe, or a notice. */
static void on_text(void *ctx, struct ws_client *ws, struct bytes text)
{
    struct client_watch *w = ctx;
    (void)ws;
    JSON_FREE *j = json_parse(text, JSON_DEPTH_MAX, NULL);
    if (json_is_string(json_object_get(j, "result"))) {
        w->subscribed = true;
        w->retry_ms = RETRY_MIN_MS;
    }
    if (w->subscribed) {
        arm(w);
        w->fn(w->ctx);
    }
}

static void connect_ws(void *ctx)
{
    struct client_watch *w = ctx;
    struct err e;
    struct ws_client_config cfg = {
        .url = w->url, .ctx = w, .on_open = on_open, .on_text = on_text, .on_close = on_close};
    if (!rc_ok(ws_client_open(&w->ws, w->loop, &cfg, &e))) {
        w->ws = NULL;
        loop_timer_set(w->loop, &w->retry, RETRY_MAX_MS, connect_ws, w);
    }
}

rc client_watch_open(struct client_watch **out, struct loop *l, struct client *c, uint64_t poll_ms,
                     loop_fn fn, void *ctx, struct err *e)
{
    (void)e;
    struct client_watch *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->loop = l;
    memcpy(w->url, c->url, sizeof(w->url));
    w->poll_ms = MAX(poll_ms, (uint64_t)1);
    w->retry_ms = RETRY_MIN_MS;
    w->fn = fn;
    w->ctx = ctx;
    arm(w);
    connect_ws(w);
    *out = w;
    return RC_OK;
}

void client_watch_poll(struct client_watch *w, uint64_t poll_ms)
{
    if (w->poll_ms != poll_ms) {
        w->poll_ms = MAX(poll_ms, (uint64_t)1);
        if (!w->subscribed) {
            arm(w);
        }
    }
}

void client_watch_close(struct client_watch *w)
{
    if (w != NULL) {
        loop_timer_cancel(w->loop, &w->poll);
        loop_timer_cancel(w->loop, &w->retry);
        ws_client_close(w->ws);
        free(w);
    }
}
