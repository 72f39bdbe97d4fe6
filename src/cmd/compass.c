/* SPDX-License-Identifier: Apache-2.0 */
/* compass.c - `souk compass`: says where the API of a workerpool is. SPEC sdk-surface 8. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "encoding/hex.h"
#include "io/http_server.h"
#include "io/opts.h"

struct settings {
    const char *listen, *log_level;
    uint64_t chain_id, ready_fd;
    struct opt_list pools;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("listen",    OPT_STR,  listen,    .arg = "ADDRESS:PORT", .def = "127.0.0.1:8069", .help = "where it answers; port 0 takes a free one"),
    S("chain-id",  OPT_U64,  chain_id,  .arg = "N", .def = "7685", .min = 1, .help = "the chain of these workerpools"),
    S("pool",      OPT_LIST, pools,     .arg = "ADDRESS=URL", .help = "a workerpool and its scheduler's URL; may be repeated"),
    S("log-level", OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug"),
    S("ready-fd",  OPT_U64,  ready_fd,  .arg = "FD", .def = "0", .max = 65535, .help = "descriptor that gets one line, the URL, once it serves"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "compass",
    .summary =
        "Tells clients of the market at which URL a workerpool's scheduler answers questions "
        "about tasks and their logs.",
    .table = table,
    .example =
        "  souk compass --chain-id 421614 --pool 0x4f8A…=http://127.0.0.1:13000\n"
        "  curl http://127.0.0.1:8069/421614/workerpools/0x4f8A…      {\"apiUrl\":\"http://…\"}",
};

struct pool {
    struct address address;
    const char *url;
};

struct compass {
    uint64_t chain_id;
    struct pool pools[OPT_LIST_MAX];
    size_t n;
};

static void on_version(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200, "souk");
}

static void on_pool(void *ctx, struct http_req *r)
{
    const struct compass *c = ctx;
    struct address a;
    char chain[24];
    (void)snprintf(chain, sizeof(chain), "%llu", (unsigned long long)c->chain_id);
    if (!rc_ok(hex_parse_address(&a, http_param(r, "address")))) {
        http_reply_error(r, 400, "the last part of the path must be the address of a workerpool");
        return;
    }
    if (strcmp(http_param(r, "chain"), chain) != 0) {
        http_reply_error(r, 404, "only workerpools of chain %s are known here", chain);
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (address_eq(c->pools[i].address, a)) {
            http_reply_json(r, 200, json_pack("{s:s}", "apiUrl", c->pools[i].url));
            return;
        }
    }
    http_reply_error(r, 404, "no such workerpool is known here");
}

static bool on_health(void *ctx, struct buf *json)
{
    const struct compass *c = ctx;
    put_fmt(json, "{\"status\":\"ok\",\"workerpools\":%zu}", c->n);
    return true;
}

static const struct http_route routes[] = {
    {"GET", "/version", 0, on_version, NULL},
    {"GET", "/:chain/workerpools/:address", 0, on_pool, NULL},
    {NULL, NULL, 0, NULL, NULL},
};

static rc read_pools(struct compass *c, const struct settings *set, struct err *e)
{
    for (size_t i = 0; i < set->pools.n; i++) {
        const char *text = set->pools.v[i], *eq = strchr(text, '=');
        struct pool *p = &c->pools[c->n++];
        char address[HEX_ADDRESS_MAX];
        (void)snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "="), text);
        if (eq == NULL || !rc_ok(hex_parse_address(&p->address, address)) ||
            (strncmp(eq + 1, "http://", 7) != 0 && strncmp(eq + 1, "https://", 8) != 0)) {
            return err_set(e, RC_CODE_MALFORMED,
                           "--pool: '%.80s' is not ADDRESS=URL, such as 0x…=http://127.0.0.1:13000",
                           text);
        }
        p->url = eq + 1;
    }
    return RC_OK;
}

static rc run(struct compass *c, struct loop *l, const struct settings *set, struct err *e)
{
    struct http_server *server;
    struct http_config cfg = {.listen = set->listen,
                              .routes = routes,
                              .ctx = c,
                              .cors_origin = "*",
                              .max_conns = 256,
                              .held_max = (size_t)8 << 20,
                              .health = on_health};
    TRY(loop_stop_on_signals(l, e));
    TRY(http_server_open(&server, l, &cfg, e));
    log_info("compass", "serves url=%s workerpools=%zu", http_server_url(server), c->n);
    rc r = cmd_ready(set->ready_fd, e, "%s", http_server_url(server));
    r = rc_ok(r) ? loop_run(l, e) : r;
    http_server_close(server);
    return r;
}

int cmd_compass(int argc, char **argv)
{
    struct settings set = {0};
    struct compass c = {0};
    struct loop *l;
    struct err e = {0};
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&options, &set, NULL, argc, argv, &a);
    if (what != OPTS_RUN) {
        arena_reset(&a);
        return what == OPTS_DONE ? 0 : 2;
    }
    c.chain_id = set.chain_id;
    rc r = cmd_log_level(set.log_level, &e);
    if (rc_ok(r)) {
        r = read_pools(&c, &set, &e);
    }
    if (rc_ok(r)) {
        r = loop_open(&l, &e);
    }
    if (rc_ok(r)) {
        r = run(&c, l, &set, &e);
        loop_close(l);
    }
    arena_reset(&a);
    return cmd_exit("compass", r, &e);
}
