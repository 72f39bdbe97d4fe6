/* SPDX-License-Identifier: Apache-2.0 */
/* market.c - `souk market`: the order book as a process. */
#include "daemon/market/market.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "encoding/hex.h"
#include "io/opts.h"

struct settings {
    const char *state, *listen, *node, *hub, *log_level;
    uint64_t start, poll_ms, max_open, rate, ready_ms, ready_fd;
    bool rate_local;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("state",      OPT_STR,  state,    .arg = "DIR", .def = "souk-market", .help = "where the database is kept; made when it is not there"),
    S("listen",     OPT_STR,  listen,   .arg = "ADDRESS:PORT", .def = "127.0.0.1:3050", .help = "REST API; port 0 takes a free one"),
    S("node",       OPT_STR,  node,     .arg = "URL", .def = "http://127.0.0.1:8545", .help = "JSON-RPC of the chain"),
    S("hub",        OPT_STR,  hub,      .arg = "ADDRESS", .help = "address of the hub (default: the node is asked)"),
    S("from-block", OPT_U64,  start,    .arg = "N", .def = "0", .help = "first block to follow on a first start"),
    S("poll",       OPT_MS,   poll_ms,  .arg = "TIME", .def = "500ms", .min = 10, .max = 600000, .help = "how often the chain is asked for news where it does not tell"),
    S("max-open",   OPT_U64,  max_open, .arg = "N", .def = "50", .min = 1, .help = "open orders of one kind that a wallet may have"),
    S("rate-limit", OPT_U64,  rate,     .arg = "N", .def = "100", .help = "requests a minute from one address; 0: no limit"),
    S("rate-limit-local", OPT_FLAG, rate_local, .help = "count requests of this machine too"),
    S("wait",       OPT_MS,   ready_ms, .arg = "TIME", .def = "30s", .help = "how long to wait for the chain at the start"),
    S("log-level",  OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug"),
    S("ready-fd",   OPT_U64,  ready_fd, .arg = "FD", .def = "0", .max = 65535, .help = "descriptor that gets one line, the URL, once the API serves"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "market",
    .summary =
        "The order book: signed orders of apps, datasets, workerpools and requesters, published, "
        "listed and matched; follows the chain to close what is spent. GET /docs lists the paths.",
    .table = table,
    .example =
        "  souk market --node http://127.0.0.1:8545 --state ./market\n"
        "  curl 'http://127.0.0.1:3050/workerpoolorders?chainId=7685&category=0'",
};

static rc run(struct loop *l, const struct settings *set, struct err *e)
{
    struct market *m;
    struct market_config cfg = {
        .dir = set->state,
        .listen = set->listen,
        .node = set->node,
        .start = set->start,
        .poll_ms = set->poll_ms,
        .max_open = set->max_open,
        .rate = set->rate,
        .rate_local = set->rate_local,
        .ready_ms = set->ready_ms,
    };
    if (set->hub != NULL && !rc_ok(hex_parse_address(&cfg.hub, set->hub))) {
        return err_set(e, RC_CODE_MALFORMED, "--hub: '%.60s' is not an address", set->hub);
    }
    TRY(loop_stop_on_signals(l, e));
    TRY(market_open(&m, l, &cfg, e));
    log_info("market", "serves url=%s", market_url(m));
    rc r = cmd_ready(set->ready_fd, e, "%s", market_url(m));
    r = rc_ok(r) ? loop_run(l, e) : r;
    market_close(m);
    return r;
}

int cmd_market(int argc, char **argv)
{
    struct settings set = {0};
    struct loop *l;
    struct err e = {0};
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&options, &set, NULL, argc, argv, &a);
    if (what != OPTS_RUN) {
        arena_reset(&a);
        return what == OPTS_DONE ? 0 : 2;
    }
    rc r = cmd_log_level(set.log_level, &e);
    if (rc_ok(r)) {
        r = loop_open(&l, &e);
    }
    if (rc_ok(r)) {
        r = run(l, &set, &e);
        loop_close(l);
    }
    arena_reset(&a);
    return cmd_exit("market", r, &e);
}
