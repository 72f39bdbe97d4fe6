/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - `souk store`: the content store as a process. */
#include "daemon/store/store.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "io/opts.h"

struct settings {
    const char *state, *listen, *gateway, *allow_origin, *log_level;
    uint64_t max_size, ready_fd;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("state",        OPT_STR,  state,   .arg = "DIR", .def = "souk-store", .help = "where blocks and pins are kept; made when it is not there"),
    S("listen",       OPT_STR,  listen,  .arg = "ADDRESS:PORT", .def = "127.0.0.1:5001", .help = "IPFS HTTP API (it can write: keep it on loopback); port 0 takes a free one"),
    S("gateway",      OPT_STR,  gateway, .arg = "ADDRESS:PORT", .def = "127.0.0.1:8080", .help = "gateway for readers: GET /ipfs/CID; empty: none"),
    S("max-size",     OPT_SIZE, max_size, .arg = "BYTES", .def = "0", .help = "bytes of blocks to keep, such as 20g; beyond it uploads are refused; 0: no limit"),
    S("allow-origin", OPT_STR,  allow_origin, .arg = "ORIGIN", .help = "web page that may use the API from a browser, or *; pages of this machine always may"),
    S("log-level",    OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug"),
    S("ready-fd",     OPT_U64,  ready_fd, .arg = "FD", .def = "0", .max = 65535, .help = "descriptor that gets one line, the URLs of API and gateway, once both serve"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "store",
    .summary =
        "Keeps files by content: what is added gets a CID, and whoever knows the CID can read it. "
        "Speaks the HTTP API of IPFS nodes, for their clients. An upload is acknowledged when it "
        "is on disk.",
    .table = table,
    .example =
        "  souk store --state ./store --max-size 20g\n"
        "  curl -F file=@picture.png http://127.0.0.1:5001/api/v0/add\n"
        "  curl http://127.0.0.1:8080/ipfs/QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o",
};

static rc run(struct loop *l, const struct settings *set, struct err *e)
{
    struct content_store *s;
    struct store_config cfg = {
        .dir = set->state,
        .listen = set->listen,
        .gateway = set->gateway,
        .allow_origin = set->allow_origin,
        .max_size = set->max_size,
    };
    TRY(loop_stop_on_signals(l, e));
    TRY(content_store_open(&s, l, &cfg, e));
    log_info("store", "serves api=%s gateway=%s", content_store_api_url(s),
             content_store_gateway_url(s));
    rc r = cmd_ready(set->ready_fd, e, "%s %s", content_store_api_url(s),
                     content_store_gateway_url(s));
    r = rc_ok(r) ? loop_run(l, e) : r;
    content_store_close(s);
    return r;
}

int cmd_store(int argc, char **argv)
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
    return cmd_exit("store", r, &e);
}
