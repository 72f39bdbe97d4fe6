/* SPDX-License-Identifier: Apache-2.0 */
/* up.c - `souk up`: a whole market on one machine. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/session.h"
#include "cmd/up_int.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/json.h"

#define READY_MS 15000

#define S(name, type, field, ...) OPT(name, type, up_settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("state",        OPT_STR,  state,   .arg = "DIR", .help = "everything that lasts: keys, ledger, databases, logs (default: $SOUK_STATE, else ~/.souk)"),
    S("host",         OPT_STR,  host,    .arg = "ADDRESS", .def = "127.0.0.1", .help = "where all services listen; anything but loopback exposes them to the network"),
    S("chain-id",     OPT_U64,  chain_id, .arg = "N", .def = "7685", .min = 1, .max = 0x7fffffffffff, .help = "chain id of a first start"),
    S("rules",        OPT_STR,  rules,   .arg = "6.1|6.2", .def = "6.2", .help = "version of the PoCo rules of a first start"),
    S("block-time",   OPT_MS,   block_ms, .arg = "TIME", .def = "0", .help = "time between blocks; 0: a block as soon as there is work"),
    S("base-fee",     OPT_U64,  base_fee, .arg = "WEI", .def = "0", .help = "base fee of the first block; 0: gas is free and stays so"),
    S("genesis",      OPT_STR,  genesis, .arg = "FILE", .help = "genesis to start from (docs/genesis.md); accounts of this machine are added"),
    S("hub",          OPT_STR,  hub,     .arg = "ADDRESS", .help = "address of the hub, where it must be a certain one"),
    S("token",        OPT_STR,  token,   .arg = "ADDRESS", .help = "address of the RLC token"),
    S("app-registry", OPT_STR,  app_registry, .arg = "ADDRESS", .help = "address of the registry of applications"),
    S("dataset-registry", OPT_STR, dataset_registry, .arg = "ADDRESS", .help = "address of the registry of datasets"),
    S("workerpool-registry", OPT_STR, workerpool_registry, .arg = "ADDRESS", .help = "address of the registry of workerpools"),
    S("owner",        OPT_STR,  owner,   .arg = "ADDRESS", .help = "owner of hub and registries (default: a key of the state folder)"),
    S("fund",         OPT_LIST, fund,    .arg = "ADDRESS", .help = "give this account coins and RLC in the genesis; may be repeated"),
    S("node-port",    OPT_U64,  node_port, .arg = "PORT", .def = "8545", .max = 65535, .help = "JSON-RPC; 0 takes a free port, as for the others"),
    S("store-port",   OPT_U64,  store_port, .arg = "PORT", .def = "5001", .max = 65535, .help = "IPFS HTTP API"),
    S("gateway-port", OPT_U64,  gateway_port, .arg = "PORT", .def = "8080", .max = 65535, .help = "IPFS gateway"),
    S("market-port",  OPT_U64,  market_port, .arg = "PORT", .def = "3050", .max = 65535, .help = "order book"),
    S("sms-port",     OPT_U64,  sms_port, .arg = "PORT", .def = "13350", .max = 65535, .help = "secret manager"),
    S("scheduler-port", OPT_U64, scheduler_port, .arg = "PORT", .def = "13000", .max = 65535, .help = "scheduler of this machine's workerpool"),
    S("compass-port", OPT_U64,  compass_port, .arg = "PORT", .def = "8069", .max = 65535, .help = "compass: tells clients where workerpools answer"),
    S("announce",     OPT_LIST, announce, .arg = "ADDRESS=URL", .help = "another workerpool that the compass tells of; may be repeated"),
    S("workers",      OPT_U64,  workers, .arg = "N", .def = "1", .max = 16, .help = "workers of this machine's workerpool"),
    S("slots",        OPT_U64,  slots,   .arg = "N", .def = "2", .min = 1, .max = 64, .help = "tasks that one worker runs at a time"),
    S("liars",        OPT_U64,  liars,   .arg = "N", .def = "0", .max = 16, .help = "the last N workers contribute wrong results (for demonstrations)"),
    S("tee",          OPT_STR,  tee,     .arg = "none|simulated", .def = "none", .help = "evidence that this machine's secret manager accepts beside real hardware; simulated protects nothing from this machine's administrator"),
    S("policy",       OPT_STR,  policy,  .arg = "FILE", .help = "policy of the secret manager, instead of the one that --tee writes"),
    S("idle-pool",    OPT_FLAG, idle_pool, .help = "a workerpool that takes deals and does nothing (for demonstrations)"),
    S("dev",          OPT_FLAG, dev,     .help = "node with unlocked accounts and evm_, hardhat_, anvil_ methods"),
    S("log-level",    OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug, for all services"),
    S("json",         OPT_FLAG, json,    .help = "print up.json when everything serves"),
    {.name = NULL},
};

static const struct opts options = {
    .command = "up",
    .summary = "Starts a whole market on this machine: ledger, store, order book, secret manager, and a "
               "workerpool with its workers. Stops all of it on Ctrl-C or SIGTERM. The first start makes keys "
               "and a genesis in the state folder; later ones go on with them.",
    .table = table,
    .example = "  souk up --tee simulated                   a market to try things on\n"
               "  souk up --config docs/examples/sdk.json   one that the iExec SDK takes for its own\n"
               "  souk up --state /tmp/s --node-port 0 --json   another one beside it",
};
/* clang-format on */

static const char *state_dir(struct up *u)
{
    const char *dir = getenv("SOUK_STATE"), *home = getenv("HOME");
    if (dir != NULL && dir[0] != 0) {
        return dir;
    }
    return up_fmt(u, "%s/.souk", home != NULL ? home : "/tmp");
}

static rc check_settings(struct up *u, struct err *e)
{
    struct up_settings *s = &u->set;
    char real[FILE_PATH_MAX];
    if (s->state == NULL) {
        s->state = state_dir(u);
    }
    TRY(dir_make(s->state, 0700, e));
    if (realpath(s->state, real) == NULL) {
        return err_set(e, RC_CODE_IO, "%s: %s", s->state, strerror(errno));
    }
    s->state = up_fmt(u, "%s", real);
    if (strcmp(s->tee, "none") != 0 && strcmp(s->tee, "simulated") != 0) {
        return err_set(e, RC_CODE_MALFORMED, "--tee: '%.40s' is neither none nor simulated",
                       s->tee);
    }
    if (s->announce.n > UP_ANNOUNCED_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "--announce: %d workerpools at most",
                       UP_ANNOUNCED_MAX);
    }
    if (s->liars > s->workers) {
        return err_set(e, RC_CODE_MALFORMED, "--liars: more than --workers");
    }
    return RC_OK;
}

static const char *number(struct up *u, uint64_t v)
{
    return up_fmt(u, "%llu", (unsigned long long)v);
}

static const char *at(struct up *u, uint64_t port)
{
    return up_fmt(u, "%s:%llu", u->set.host, (unsigned long long)port);
}

static const char *key_file(struct up *u, const char *name)
{
    return up_path(u, up_fmt(u, "keys/%s.key", name));
}

static struct up_service *add(struct up *u, const char *name, const char *command)
{
    struct up_service *s = up_add(u, name, command);
    up_arg(s, "--log-level", u->set.log_level);
    return s;
}

/* The words of a ready line: the first is the service's URL, the store's second its gateway's. */
static const char *ready_word(struct up *u, const char *ready, unsigned which)
{
    while (which-- > 0 && ready != NULL) {
        ready = strchr(ready, ' ');
        ready = ready != NULL ? ready + 1 : NULL;
    }
    return ready == NULL ? "" : up_fmt(u, "%.*s", (int)strcspn(ready, " "), ready);
}

static const char *last_ready(struct up *u, unsigned which)
{
    return ready_word(u, u->service[u->n - 1].ready, which);
}

/* A service that took a free port keeps it when it is started again: others have been told. */
static void pin_port(struct up *u, const char *option, unsigned word)
{
    struct up_service *s = &u->service[u->n - 1];
    const char *url = last_ready(u, word);
    for (size_t i = 2; i + 1 < s->n_args; i++) {
        if (strcmp(s->argv[i], option) == 0 && strncmp(url, "http://", 7) == 0) {
            s->argv[i + 1] = url + 7;
        }
    }
}

/* Starts the service that was added last, which listens by --listen. */
static rc start(struct up *u, struct err *e)
{
    TRY(up_start(u, &u->service[u->n - 1], READY_MS, e));
    pin_port(u, "--listen", 0);
    return RC_OK;
}

static rc start_node(struct up *u, struct err *e)
{
    struct up_service *s = add(u, "node", "node");
    up_arg(s, "--state", up_path(u, "node"));
    up_arg(s, "--genesis", up_path(u, "genesis.json"));
    up_arg(s, "--listen", at(u, u->set.node_port));
    if (u->set.block_ms > 0) {
        up_arg(s, "--block-time", number(u, u->set.block_ms));
    }
    if (u->set.dev) {
        up_arg(s, "--dev", NULL);
    }
    return start(u, e);
}

/* The ready line of the store names two addresses: API and gateway. */
static rc start_store(struct up *u, struct err *e)
{
    struct up_service *s = add(u, "store", "store");
    up_arg(s, "--state", up_path(u, "store"));
    up_arg(s, "--listen", at(u, u->set.store_port));
    up_arg(s, "--gateway", at(u, u->set.gateway_port));
    TRY(start(u, e));
    pin_port(u, "--gateway", 1);
    return RC_OK;
}

static rc start_sms(struct up *u, const char *node, const char *gateway, struct err *e)
{
    struct up_service *s = add(u, "sms", "sms");
    up_arg(s, "--state", up_path(u, "sms"));
    up_arg(s, "--listen", at(u, u->set.sms_port));
    up_arg(s, "--node", node);
    up_arg(s, "--hub", u->hub);
    up_arg(s, "--key-file", key_file(u, "sms-storage"));
    up_arg(s, "--gateway", gateway);
    if (strcmp(u->set.tee, "simulated") == 0) {
        struct address tee;
        char text[HEX_ADDRESS_MAX];
        TRY(up_key(u, "simulated-tee", &tee, e));
        up_arg(s, "--anchor", up_fmt(u, "simulated:%s", hex_address(text, tee)));
    }
    up_arg(s, "--policy", u->set.policy != NULL ? u->set.policy : up_path(u, "policy.json"));
    return start(u, e);
}

static rc start_market(struct up *u, const char *node, struct err *e)
{
    struct up_service *s = add(u, "market", "market");
    up_arg(s, "--state", up_path(u, "market"));
    up_arg(s, "--listen", at(u, u->set.market_port));
    up_arg(s, "--node", node);
    up_arg(s, "--hub", u->hub);
    return start(u, e);
}

/* The workerpool of this machine: made on the chain once, found again later. */
static rc make_pool(struct up *u, const char *node, struct err *e)
{
    const char *args[] = {
        "pool",          "create",          "--node", node, "--key", key_file(u, "scheduler"),
        "--description", "souk workerpool", "--json", NULL};
    BUF_FREE out = buf_new(4096);
    TRY(up_command(u, &out, args, e));
    JSON_FREE *reply = json_parse(buf_bytes(&out), JSON_DEPTH_MAX, e);
    struct js top = js_top(reply), pool = js_key(&top, "workerpool");
    const char *text;
    TRY(reply != NULL ? js_str(&text, &pool, e) : RC(MALFORMED));
    (void)snprintf(u->workerpool, sizeof(u->workerpool), "%s", text);
    return RC_OK;
}

static rc start_scheduler(struct up *u, const char *node, const char *sms, struct err *e)
{
    struct up_service *s = add(u, "scheduler", "scheduler");
    up_arg(s, "--state", up_path(u, "scheduler"));
    up_arg(s, "--listen", at(u, u->set.scheduler_port));
    up_arg(s, "--node", node);
    up_arg(s, "--hub", u->hub);
    up_arg(s, "--sms", sms);
    up_arg(s, "--key", key_file(u, "scheduler"));
    up_arg(s, "--workerpool", u->workerpool);
    return start(u, e);
}

static rc start_compass(struct up *u, const char *scheduler, struct err *e)
{
    struct up_service *s = add(u, "compass", "compass");
    up_arg(s, "--listen", at(u, u->set.compass_port));
    up_arg(s, "--chain-id", number(u, u->set.chain_id));
    if (scheduler != NULL) {
        up_arg(s, "--pool", up_fmt(u, "%s=%s", u->workerpool, scheduler));
    }
    for (size_t i = 0; i < MIN(u->set.announce.n, (size_t)UP_ANNOUNCED_MAX); i++) {
        up_arg(s, "--pool", u->set.announce.v[i]);
    }
    return start(u, e);
}

struct urls {
    const char *node, *store, *gateway, *sms, *scheduler;
};

static rc start_worker(struct up *u, uint64_t i, const struct urls *at_url, struct err *e)
{
    const char *name = up_fmt(u, "worker-%llu", (unsigned long long)i);
    struct up_service *s = add(u, name, "worker");
    up_arg(s, "--state", up_path(u, name));
    up_arg(s, "--node", at_url->node);
    up_arg(s, "--hub", u->hub);
    up_arg(s, "--scheduler", at_url->scheduler);
    up_arg(s, "--store", at_url->store);
    up_arg(s, "--gateway", at_url->gateway);
    up_arg(s, "--sms", at_url->sms);
    up_arg(s, "--key", key_file(u, name));
    up_arg(s, "--slots", number(u, u->set.slots));
    if (strcmp(u->set.tee, "simulated") == 0) {
        up_arg(s, "--simulated-tee", key_file(u, "simulated-tee"));
    }
    if (i > u->set.workers - u->set.liars) {
        up_arg(s, "--lie", NULL);
    }
    return start(u, e);
}

static rc start_all(struct up *u, struct err *e)
{
    struct urls url = {0};
    struct address hub;
    TRY(start_node(u, e));
    url.node = last_ready(u, 0);
    TRY(hub_of_node(&hub, url.node, e));
    (void)hex_address(u->hub, hub);
    TRY(start_store(u, e));
    url.store = last_ready(u, 0);
    url.gateway = last_ready(u, 1);
    TRY(start_sms(u, url.node, url.gateway, e));
    url.sms = last_ready(u, 0);
    TRY(start_market(u, url.node, e));
    TRY(make_pool(u, url.node, e));
    if (u->set.idle_pool) {
        return start_compass(u, NULL, e);
    }
    TRY(start_scheduler(u, url.node, url.sms, e));
    url.scheduler = last_ready(u, 0);
    TRY(start_compass(u, url.scheduler, e));
    for (uint64_t i = 1; i <= u->set.workers; i++) {
        TRY(start_worker(u, i, &url, e));
    }
    return RC_OK;
}

static void say_ready(const struct up *u, uint64_t ms)
{
    (void)fprintf(stderr, "souk is up after %llu ms; state and logs: %s\n", (unsigned long long)ms,
                  u->set.state);
    for (size_t i = 0; i < u->n; i++) {
        (void)fprintf(stderr, "  %-11s %s\n", u->service[i].name, u->service[i].ready);
    }
    (void)fprintf(stderr, "  %-11s %s\n", "workerpool", u->workerpool);
    if (strcmp(u->set.tee, "simulated") == 0) {
        (void)fprintf(stderr,
                      "SIMULATED evidence is accepted here: no hardware protects what runs.\n");
    }
}

static rc run(struct up *u, struct err *e)
{
    CLOSE_FD lock = -1;
    uint64_t t0 = clock_mono_ms();
    TRY(check_settings(u, e));
    TRY(dir_lock(&lock, u->set.state, e));
    TRY(up_make_files(u, e));
    TRY(loop_open(&u->loop, e));
    rc r = start_all(u, e);
    if (rc_ok(r)) {
        r = up_write_summary(u, e);
    }
    if (!rc_ok(r)) {
        up_stop_all(u);
        return r;
    }
    say_ready(u, clock_mono_ms() - t0);
    u->status = up_watch(u);
    (void)unlink(up_path(u, "up.json"));
    return RC_OK;
}

int cmd_up(int argc, char **argv)
{
    static struct up u; /* half a megabyte of services: too large for the stack */
    struct arena a;
    struct err e = {0};
    enum log_level level;
    arena_init(&a, (size_t)16 << 20);
    u.a = &a;
    switch (opts_parse(&options, &u.set, NULL, argc, argv, &a)) {
    case OPTS_DONE:
        return 0;
    case OPTS_BAD:
        return 2;
    case OPTS_RUN:
        break;
    }
    ssize_t n = readlink("/proc/self/exe", u.self, sizeof(u.self) - 1);
    if (n <= 0 || !log_level_parse(&level, u.set.log_level)) {
        (void)fprintf(stderr, "souk up: %s\n",
                      n <= 0 ? "/proc is not mounted" : "unknown --log-level");
        return 2;
    }
    (void)umask(077);
    log_set_level(LOG_WARN);
    rc r = run(&u, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "souk up: %s\n", e.msg);
        u.status = 1;
    }
    loop_close(u.loop);
    arena_reset(&a);
    return u.status;
}
