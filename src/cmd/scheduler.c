/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.c - `souk scheduler`: a workerpool's scheduler as a process. */
#include "daemon/scheduler/scheduler.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "encoding/hex.h"
#include "io/file.h"
#include "io/opts.h"

struct settings {
    const char *state, *listen, *node, *hub, *sms, *gateway, *key, *password, *workerpool;
    const char *allowlist, *log_level;
    uint64_t from_block, ready_fd;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("state",      OPT_STR, state,      .arg = "DIR", .def = "souk-scheduler", .help = "folder of the database; made when it is not there"),
    S("listen",     OPT_STR, listen,     .arg = "ADDRESS:PORT", .def = "127.0.0.1:13000", .help = "where workers and requesters come; port 0 takes a free one"),
    S("node",       OPT_STR, node,       .arg = "URL", .def = "http://127.0.0.1:8545", .help = "JSON-RPC of the chain: a souk node, or any EVM chain with the PoCo contracts"),
    S("hub",        OPT_STR, hub,        .arg = "ADDRESS", .help = "the PoCo hub; a souk node tells it by itself"),
    S("workerpool", OPT_STR, workerpool, .arg = "ADDRESS", .help = "the pool to work for (souk pool create makes one)"),
    S("key",        OPT_STR, key,        .arg = "FILE", .help = "key of the pool's owner: hex, or Web3 Secret Storage"),
    S("password-file", OPT_STR, password, .arg = "FILE", .help = "password of an encrypted key"),
    S("sms",        OPT_STR, sms,        .arg = "URL", .help = "secret manager; without it tasks that need an enclave are left alone"),
    S("gateway",    OPT_STR, gateway,    .arg = "URL", .help = "of the store: a result is looked up there before it is named on the chain"),
    S("allowlist",  OPT_STR, allowlist,  .arg = "FILE", .help = "addresses of the workers that may log in, one a line; without it all may"),
    S("from-block", OPT_U64, from_block, .arg = "N", .def = "0", .help = "where a first start begins to look for deals"),
    S("log-level",  OPT_STR, log_level,  .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug"),
    S("ready-fd",   OPT_U64, ready_fd,   .arg = "FD", .def = "0", .max = 65535, .help = "descriptor that gets one line, the URL, once it serves"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "scheduler",
    .summary =
        "Runs a workerpool: takes the pool's deals from the chain, hands their tasks to "
        "workers as often as the deal's trust demands, watches every deadline by the "
        "chain's time, and finalizes, reopens or claims. It may be killed at any moment "
        "and goes on where it was.",
    .table = table,
    .example =
        "  souk scheduler --workerpool 0x3Ec0… --key pool.key --sms http://127.0.0.1:13350\n"
        "  curl http://127.0.0.1:13000/tasks/0x7d5f…",
};

static rc open_signer(struct signer *s, const struct settings *set, struct err *e)
{
    SECRET_FREE password = {0};
    if (set->key == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "--key: name the file with the pool owner's key");
    }
    if (set->password != NULL) {
        TRY(password_file_read(&password, set->password, e));
    }
    return signer_open(s, set->key, set->password != NULL ? &password : NULL, e);
}

static rc run(struct loop *l, const struct settings *set, struct err *e)
{
    SIGNER_FREE signer = {0};
    struct client *chain;
    struct scheduler *s;
    struct client_config net = {.url = set->node};
    struct scheduler_config cfg = {.state = set->state,
                                   .listen = set->listen,
                                   .signer = &signer,
                                   .sms = set->sms,
                                   .gateway = set->gateway,
                                   .allowlist = set->allowlist,
                                   .from_block = set->from_block};
    if (set->workerpool == NULL || !rc_ok(hex_parse_address(&cfg.workerpool, set->workerpool))) {
        return err_set(e, RC_CODE_MALFORMED, "--workerpool: must be the address of a workerpool");
    }
    if (set->hub != NULL && !rc_ok(hex_parse_address(&net.hub, set->hub))) {
        return err_set(e, RC_CODE_MALFORMED, "--hub: '%.60s' is no address", set->hub);
    }
    TRY(open_signer(&signer, set, e));
    TRY(loop_stop_on_signals(l, e));
    TRY(client_open(&chain, &net, e));
    cfg.chain = chain;
    rc r = scheduler_open(&s, l, &cfg, e);
    if (rc_ok(r)) {
        log_info("scheduler", "serves url=%s workerpool=%s", scheduler_url(s), set->workerpool);
        r = cmd_ready(set->ready_fd, e, "%s", scheduler_url(s));
        r = rc_ok(r) ? loop_run(l, e) : r;
        scheduler_close(s);
    }
    client_close(chain);
    return r;
}

int cmd_scheduler(int argc, char **argv)
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
    return cmd_exit("scheduler", r, &e);
}
