/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - `souk worker`: runs tasks of one workerpool with one wallet. */
#include "daemon/worker/worker.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "encoding/hex.h"
#include "io/opts.h"

struct settings {
    const char *state, *node, *hub, *scheduler, *store, *gateway, *sms, *key, *password, *name;
    const char *simulated_tee, *log_level;
    uint64_t slots, memory, data_max, cache_max, ready_fd;
    bool lie;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("state",     OPT_STR,  state,     .arg = "DIR", .def = "souk-worker", .help = "folder of journals and caches; made when it is not there; one worker a folder"),
    S("node",      OPT_STR,  node,      .arg = "URL", .def = "http://127.0.0.1:8545", .help = "JSON-RPC of the chain"),
    S("hub",       OPT_STR,  hub,       .arg = "ADDRESS", .help = "the PoCo hub; a souk node tells it by itself"),
    S("scheduler", OPT_STR,  scheduler, .arg = "URL", .def = "http://127.0.0.1:13000", .help = "scheduler of the workerpool"),
    S("store",     OPT_STR,  store,     .arg = "URL", .def = "http://127.0.0.1:5001", .help = "IPFS HTTP API, for results"),
    S("gateway",   OPT_STR,  gateway,   .arg = "URL", .def = "http://127.0.0.1:8080", .help = "IPFS gateway, for images and datasets"),
    S("sms",       OPT_STR,  sms,       .arg = "URL", .help = "secret manager to use, whatever the scheduler names"),
    S("key",       OPT_STR,  key,       .arg = "FILE", .help = "key of the worker's wallet: hex, or Web3 Secret Storage"),
    S("password-file", OPT_STR, password, .arg = "FILE", .help = "password of an encrypted key"),
    S("name",      OPT_STR,  name,      .arg = "TEXT", .help = "shown to the pool (default: this host's name)"),
    S("slots",     OPT_U64,  slots,     .arg = "N", .def = "1", .min = 1, .max = 256, .help = "tasks at a time"),
    S("memory",    OPT_SIZE, memory,    .arg = "BYTES", .def = "0", .help = "memory of one task; 0: what the runtime allows"),
    S("data-max",  OPT_SIZE, data_max,  .arg = "BYTES", .def = "4g", .min = 1, .help = "largest image, dataset or input file to fetch"),
    S("cache-max", OPT_SIZE, cache_max, .arg = "BYTES", .def = "20g", .min = 1, .help = "datasets to keep for later tasks"),
    S("simulated-tee", OPT_STR, simulated_tee, .arg = "FILE", .help = "take tasks that need an enclave, with SIMULATED evidence made with this key: no hardware protects them"),
    S("lie",       OPT_FLAG, lie,       .help = "for demonstrations and tests of the consensus: contribute a wrong result, and lose the stake"),
    S("log-level", OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug"),
    S("ready-fd",  OPT_U64,  ready_fd,  .arg = "FD", .def = "0", .max = 65535, .help = "descriptor that gets one line, the wallet's address, once the pool has let it in"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "worker",
    .summary =
        "Runs tasks of a workerpool in sandboxes, contributes their results and reveals them. "
        "Checks every authorisation against the chain first. May be killed at any moment. "
        "Its wallet needs a stake deposited where deals ask for one (souk account deposit).",
    .table = table,
    .example = "  souk worker --key worker.key --scheduler http://127.0.0.1:13000 --slots 4\n",
};

struct ready {
    uint64_t fd;
    struct address who;
};

static rc on_ready(void *ctx, struct err *e)
{
    const struct ready *r = ctx;
    char text[HEX_ADDRESS_MAX];
    log_info("worker", "wallet=%s waits for work", hex_address(text, r->who));
    return cmd_ready(r->fd, e, "%s", text);
}

static rc open_signer(struct signer *s, const struct settings *set, struct err *e)
{
    SECRET_FREE password = {0};
    if (set->key == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "--key: name the file with the worker's key");
    }
    if (set->password != NULL) {
        TRY(password_file_read(&password, set->password, e));
    }
    return signer_open(s, set->key, set->password != NULL ? &password : NULL, e);
}

static rc run(const struct settings *set, struct err *e)
{
    SIGNER_FREE signer = {0};
    struct worker_config cfg = {.state = set->state,
                                .node = set->node,
                                .scheduler = set->scheduler,
                                .store = set->store,
                                .gateway = set->gateway,
                                .sms = set->sms,
                                .tee_key = set->simulated_tee,
                                .name = set->name,
                                .signer = &signer,
                                .slots = set->slots,
                                .memory_max = set->memory,
                                .data_max = set->data_max,
                                .cache_max = set->cache_max,
                                .lie = set->lie};
    if (set->hub != NULL && !rc_ok(hex_parse_address(&cfg.hub, set->hub))) {
        return err_set(e, RC_CODE_MALFORMED, "--hub: '%.60s' is no address", set->hub);
    }
    TRY(open_signer(&signer, set, e));
    if (set->simulated_tee != NULL) {
        log_warn("worker", "SIMULATED evidence: no hardware protects what runs in this enclave");
    }
    if (set->lie) {
        log_warn("worker", "--lie: every result contributed here is wrong");
    }
    struct ready ready = {.fd = set->ready_fd, .who = signer.address};
    return worker_serve(&cfg, on_ready, &ready, e);
}

int cmd_worker(int argc, char **argv)
{
    struct settings set = {0};
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
        r = run(&set, &e);
    }
    arena_reset(&a);
    return cmd_exit("worker", r, &e);
}
