/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - `souk node`: a ledger, its JSON-RPC and the sealer that makes blocks, on one thread. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"
#include "chain/ledger/ledger.h"
#include "chain/rpc/rpc.h"
#include "cmd/cmd.h"
#include "crypto/hd.h"
#include "crypto/secp.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/opts.h"

#define AREA         "node"
#define GENESIS_MAX  ((size_t)64 << 20)
#define RETRY_MS     1000       /* after a block could not be written */
#define HEAP_KEEPS   (32 << 20) /* of free memory */
#define DEV_ACCOUNTS 20
#define DEV_CHAIN_ID 31337

struct settings {
    const char *state, *genesis, *listen, *cors, *tls_cert, *tls_key, *history, *log_level;
    bool dev, no_mining, unprotected, print_docs;
    uint64_t block_ms, ready_fd, threads, pool_max;
    uint64_t max_conns, held_max, body_max, batch_max, response_max, subs_max, filters_max,
        logs_max;
    uint64_t ws_queue, gas_cap;
};

/* clang-format off */
#define S(name, type, field, ...) {(name), (type), offsetof(struct settings, field), __VA_ARGS__}
static const struct opt TABLE[] = {
    S("state",        OPT_STR,  state,    .arg = "DIR", .def = "souk-node", .help = "folder of the chain; made when it is not there"),
    S("genesis",      OPT_STR,  genesis,  .arg = "FILE", .help = "what the chain starts from (docs/genesis.md); only read when the folder is empty, else compared. With --dev not needed"),
    S("listen",       OPT_STR,  listen,   .arg = "ADDR:PORT", .def = "127.0.0.1:8545", .help = "JSON-RPC over HTTP and WebSocket; port 0 takes a free one"),
    S("dev",          OPT_FLAG, dev,      .help = "development node: unlocked accounts of the public test phrase and the evm_, hardhat_, anvil_ methods. Anybody who reaches the port owns the chain"),
    S("block-time",   OPT_MS,   block_ms, .arg = "TIME", .def = "0", .help = "a block every so often, also empty ones; 0: whenever there is work"),
    S("no-mining",    OPT_FLAG, no_mining, .help = "with --dev: no block until evm_mine or evm_setAutomine"),
    S("history",      OPT_STR,  history,  .arg = "N|all", .def = "1024", .help = "blocks back whose state can be asked"),
    S("pool",         OPT_U64,  pool_max, .arg = "N", .def = "50000", .min = 16, .max = 1000000, .help = "transactions that may wait"),
    S("allow-unprotected", OPT_FLAG, unprotected, .help = "take transactions without chain id (older than EIP-155)"),
    S("threads",      OPT_U64,  threads,  .arg = "N", .def = "0", .max = 256, .help = "threads that recover signatures; 0: one a core"),
    S("cors",         OPT_STR,  cors,     .arg = "ORIGIN", .def = "*", .help = "web pages that may call; \"none\" for none"),
    S("tls-cert",     OPT_STR,  tls_cert, .arg = "FILE", .help = "certificate chain (PEM): serve HTTPS and WSS"),
    S("tls-key",      OPT_STR,  tls_key,  .arg = "FILE", .help = "its private key (PEM)"),
    S("max-conns",    OPT_U64,  max_conns, .arg = "N", .def = "4096", .min = 8, .max = 100000, .help = "connections at once; beyond it idle ones are closed for new ones"),
    S("max-held",     OPT_SIZE, held_max, .arg = "SIZE", .def = "256m", .min = 1U << 20, .max = 1ULL << 40, .help = "bytes held in memory for all clients together; beyond it the slowest are cut off"),
    S("max-body",     OPT_SIZE, body_max, .arg = "SIZE", .def = "5m", .min = 4096, .max = 1U << 30, .help = "one request, one WebSocket message"),
    S("max-batch",    OPT_U64,  batch_max, .arg = "N", .def = "1000", .min = 1, .max = 100000, .help = "calls in one batch"),
    S("max-response", OPT_SIZE, response_max, .arg = "SIZE", .def = "32m", .min = 65536, .max = 1U << 30, .help = "one answer"),
    S("max-logs",     OPT_U64,  logs_max, .arg = "N", .def = "10000", .min = 1, .max = 10000000, .help = "results of one eth_getLogs"),
    S("max-filters",  OPT_U64,  filters_max, .arg = "N", .def = "1000", .min = 1, .max = 1000000, .help = "filters in all"),
    S("max-subs",     OPT_U64,  subs_max, .arg = "N", .def = "128", .min = 1, .max = 100000, .help = "subscriptions of one connection"),
    S("max-queue",    OPT_SIZE, ws_queue, .arg = "SIZE", .def = "8m", .min = 65536, .max = 1U << 30, .help = "bytes waiting for a WebSocket that does not read; beyond it the connection is closed"),
    S("call-gas",     OPT_U64,  gas_cap,  .arg = "GAS", .def = "50000000", .min = 21000, .help = "most gas of one eth_call"),
    S("ready-fd",     OPT_U64,  ready_fd, .arg = "N", .def = "0", .max = 65535, .help = "write the URL as one line to this descriptor when serving; 0: do not"),
    S("log-level",    OPT_STR,  log_level, .arg = "LEVEL", .def = "info", .help = "error, warn, info, debug or trace"),
    S("print-rpc-docs", OPT_FLAG, print_docs, .help = "write docs/rpc.md to standard output and end"),
    {.name = NULL},
};
#undef S
/* clang-format on */

static const struct opts OPTS = {
    .command = "node",
    .summary =
        "The chain: takes Ethereum transactions, makes blocks, answers Ethereum JSON-RPC. Of a "
        "node that does not run: souk node export, import, verify (each has --help).",
    .table = TABLE,
    .example =
        "  souk node --dev --state /tmp/chain                a chain to play with, on port 8545\n"
        "  souk node --genesis genesis.json --state /var/lib/souk/node --block-time 1s\n"
        "  curl -s -H 'content-type: application/json' http://127.0.0.1:8545 -d \\\n"
        "    '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}'",
};

struct node {
    struct settings set;
    struct loop *loop;
    struct ledger *ledger;
    struct rpc *rpc;
    struct loop_hook hook;
    struct loop_timer timer; /* the next block of --block-time, or a try again */
    bool automine;
    bool stuck; /* the last block could not be written */
    int status;
};

/* --- the sealer --- */

static rc seal(struct node *n, uint64_t now_s, bool empty, struct err *e)
{
    bool sealed = false;
    rc r = ledger_seal(n->ledger, now_s, empty, &sealed, e);
    if (rc_ok(r) && n->stuck) {
        n->stuck = false;
        log_info(AREA, "blocks can be written again");
    }
    if (rc_ok(r) && sealed) {
        log_debug(AREA, "block number=%" PRIu64, ledger_height(n->ledger));
        rpc_on_block(n->rpc, ledger_height(n->ledger));
    }
    return r;
}

static void on_timer(void *ctx);

/* A block that could not be written leaves everything as it was: the node goes on reading and
 * tries again. Damaged data ends it. */
static void on_fault(struct node *n, rc r, const struct err *e)
{
    if (r.code == RC_CODE_CORRUPT) {
        log_error(AREA,
                  "%s: the data in %s are damaged; do not start again, restore a copy or "
                  "re-execute the blocks",
                  e->msg, n->set.state);
        n->status = EXIT_CORRUPT;
        loop_stop(n->loop);
        return;
    }
    if (!n->stuck) {
        log_error(AREA, "no block can be made: %s; trying again every second", e->msg);
    }
    n->stuck = true;
    loop_timer_set(n->loop, &n->timer, RETRY_MS, on_timer, n);
}

static void on_timer(void *ctx)
{
    struct node *n = ctx;
    struct err e;
    bool paced = n->set.block_ms > 0;
    if (paced) {
        loop_timer_set(n->loop, &n->timer, n->set.block_ms, on_timer, n);
    }
    rc r = seal(n, clock_wall_s(), paced, &e);
    if (!rc_ok(r)) {
        on_fault(n, r, &e);
    }
}

/* At the end of a round: all transactions that came in become one block. */
static void on_round(void *ctx)
{
    struct node *n = ctx;
    struct err e;
    if (!n->automine || n->stuck || !ledger_has_work(n->ledger)) {
        return;
    }
    rc r = seal(n, clock_wall_s(), false, &e);
    if (!rc_ok(r)) {
        on_fault(n, r, &e);
    }
}

/* --- what the development methods may do with it --- */

static rc engine_seal(void *ctx, uint64_t count, uint64_t interval_s, struct err *e)
{
    struct node *n = ctx;
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0 && interval_s > 1) {
            ledger_dev_shift_time(n->ledger, interval_s - 1); /* a block takes a second itself */
        }
        TRY(seal(n, clock_wall_s(), true, e));
    }
    return RC_OK;
}

static bool engine_automine(void *ctx)
{
    return ((struct node *)ctx)->automine;
}

static void engine_set_automine(void *ctx, bool on)
{
    ((struct node *)ctx)->automine = on;
}

static void engine_set_interval(void *ctx, uint64_t ms)
{
    struct node *n = ctx;
    n->set.block_ms = ms;
    loop_timer_cancel(n->loop, &n->timer);
    if (ms > 0) {
        n->automine = false;
        loop_timer_set(n->loop, &n->timer, ms, on_timer, n);
    }
}

/* --- start --- */

/* {"chainId": 31337, "owner": …, "accounts": […]}: all development accounts are rich. */
static rc dev_genesis(struct buf *b, struct err *e)
{
    SECRET_FREE seed = {0};
    TRY(hd_seed(&seed, HD_TEST_PHRASE, ""));
    for (uint32_t i = 0; i < DEV_ACCOUNTS; i++) {
        SECRET_FREE key = {0};
        struct address a;
        if (!rc_ok(hd_key(&key, &seed, i)) || !rc_ok(secp_address(&a, &key))) {
            return err_set(e, RC_CODE_IO, "keys of the development accounts");
        }
        if (i == 0) {
            put_fmt(b, "{\"chainId\":%d,\"owner\":\"", DEV_CHAIN_ID);
            put_address(b, a);
            put_str(b, "\",\"accounts\":[");
        }
        put_str(b, i == 0 ? "{\"address\":\"" : ",{\"address\":\"");
        put_address(b, a);
        put_str(b, "\",\"balance\":\"10000000000000000000000\",\"rlc\":\"1000000000000000\"}");
    }
    put_str(b, "]}");
    return buf_end(b);
}

static rc read_genesis(struct node *n, struct buf *b, struct err *e)
{
    if (n->set.genesis != NULL) {
        return file_read(b, n->set.genesis, e);
    }
    return n->set.dev ? dev_genesis(b, e) : RC_OK; /* a chain that has begun needs none */
}

static rc parse_history(const struct settings *s, uint64_t *out, struct err *e)
{
    struct u256 v;
    if (strcmp(s->history, "all") == 0) {
        *out = UINT64_MAX;
        return RC_OK;
    }
    if (!rc_ok(u256_parse(&v, s->history)) || !u256_to_u64(v, out)) {
        return err_set(e, RC_CODE_MALFORMED, "--history: '%.40s' is no number, nor all",
                       s->history);
    }
    return RC_OK;
}

static rc open_ledger(struct node *n, struct err *e)
{
    BUF_FREE genesis = buf_new(GENESIS_MAX);
    struct ledger_config cfg = {.dir = n->set.state,
                                .pool_max = n->set.pool_max,
                                .threads = (unsigned)n->set.threads,
                                .allow_unprotected = n->set.unprotected,
                                .dev = n->set.dev};
    TRY(parse_history(&n->set, &cfg.history, e));
    TRY(read_genesis(n, &genesis, e));
    cfg.genesis = buf_bytes(&genesis);
    rc r = ledger_open(&n->ledger, &cfg, e);
    return r.code != RC_CODE_MALFORMED
               ? r
               : err_wrap(e, r, "%s",
                          n->set.genesis != NULL ? n->set.genesis
                                                 : "give --genesis FILE, or --dev to play");
}

static rc open_rpc(struct node *n, struct err *e)
{
    const struct settings *s = &n->set;
    struct rpc_config cfg = {
        .loop = n->loop,
        .ledger = n->ledger,
        .listen = s->listen,
        .cors_origin = strcmp(s->cors, "none") == 0 ? NULL : s->cors,
        .tls_cert = s->tls_cert,
        .tls_key = s->tls_key,
        .dev = s->dev,
        .engine = {n, engine_seal, engine_automine, engine_set_automine, engine_set_interval},
        .max_conns = s->max_conns,
        .held_max = s->held_max,
        .body_max = s->body_max,
        .batch_max = s->batch_max,
        .response_max = s->response_max,
        .subs_max = s->subs_max,
        .filters_max = s->filters_max,
        .logs_max = s->logs_max,
        .ws_queue_max = s->ws_queue,
        .gas_cap = s->gas_cap,
    };
    return rpc_open(&n->rpc, &cfg, e);
}

/* As many descriptors as the connections need, as far as the system lets us. */
static void raise_files(uint64_t conns)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < conns + 64) {
        rl.rlim_cur = MIN(conns + 64, rl.rlim_max);
        (void)setrlimit(RLIMIT_NOFILE, &rl);
    }
}

static rc say_ready(struct node *n, struct err *e)
{
    log_info(AREA, "listening url=%s chain=%" PRIu64 " block=%" PRIu64 "%s", rpc_url(n->rpc),
             ledger_chain_id(n->ledger), ledger_height(n->ledger),
             n->set.dev ? " dev=true: accounts are unlocked" : "");
    return cmd_ready(n->set.ready_fd, e, "%s", rpc_url(n->rpc));
}

static rc serve(struct node *n, struct err *e)
{
    TRY(cmd_log_level(n->set.log_level, e));
    if ((n->set.tls_cert == NULL) != (n->set.tls_key == NULL)) {
        return err_set(e, RC_CODE_MALFORMED, "--tls-cert and --tls-key go together");
    }
    TRY(loop_open(&n->loop, e));
    TRY(loop_stop_on_signals(n->loop, e));
    raise_files(n->set.max_conns);
    TRY(open_ledger(n, e));
    n->automine = n->set.block_ms == 0 && !n->set.no_mining;
    /* Before the server's own hook: an answer leaves when its transaction is in a block. */
    loop_hook_add(n->loop, &n->hook, on_round, n);
    TRY(open_rpc(n, e));
    if (n->set.block_ms > 0) {
        loop_timer_set(n->loop, &n->timer, n->set.block_ms, on_timer, n);
    }
    TRY(say_ready(n, e));
    TRY(loop_run(n->loop, e));
    log_info(AREA, "stopped block=%" PRIu64, ledger_height(n->ledger));
    return RC_OK;
}

static int print_docs(void)
{
    BUF_FREE b = buf_new(BUF_CAP_DEFAULT);
    rpc_docs(&b);
    (void)fputs(buf_cstr(&b), stdout);
    return 0;
}

int cmd_node(int argc, char **argv)
{
    struct node n = {0};
    struct arena a;
    struct err e = {0};
    if (argc > 1 && (strcmp(argv[1], "export") == 0 || strcmp(argv[1], "import") == 0 ||
                     strcmp(argv[1], "verify") == 0)) {
        return cmd_node_chain(argc - 1, argv + 1);
    }
    arena_init(&a, (size_t)4 << 20);
    enum opts_what what = opts_parse(&OPTS, &n.set, NULL, argc, argv, &a);
    if (what != OPTS_RUN || n.set.print_docs) {
        int status = what == OPTS_BAD ? 2 : what == OPTS_RUN ? print_docs() : 0;
        arena_reset(&a);
        return status;
    }
    /* Blocks and answers of a busy node take and give back megabytes many times a second: they stay. */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEEPS);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEPS);
    rc r = serve(&n, &e);
    if (!rc_ok(r)) {
        n.status = cmd_exit(AREA, r, &e);
    }
    rpc_close(n.rpc);
    ledger_close(n.ledger);
    loop_close(n.loop);
    arena_reset(&a);
    return n.status;
}
