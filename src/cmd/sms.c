/* SPDX-License-Identifier: Apache-2.0 */
/* sms.c - `souk sms`: the secret manager as a process; `souk sms rotate`: another storage key. */
#include "daemon/sms/sms.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/attest_files.h"
#include "cmd/cmd.h"
#include "daemon/client/client.h"
#include "encoding/hex.h"
#include "io/opts.h"

struct settings {
    const char *state, *key_file, *listen, *node, *hub, *policy, *framework, *properties;
    const char *provision_url, *collateral, *gateway, *log_level;
    struct opt_list anchor, agent;
    uint64_t at, session_ttl, ready_fd;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("state",         OPT_STR,  state,         .arg = "DIR", .def = "souk-sms", .help = "where the encrypted database is kept; made when it is not there"),
    S("key-file",      OPT_STR,  key_file,      .arg = "FILE", .help = "storage keys, 64 hex digits a line, the first one current; mode 0600, outside of --state; made when there is no database yet. Without it: the environment's SOUK_SMS_KEY"),
    S("listen",        OPT_STR,  listen,        .arg = "ADDRESS:PORT", .def = "127.0.0.1:13350", .help = "where to serve; port 0 takes a free one"),
    S("node",          OPT_STR,  node,          .arg = "URL", .def = "http://127.0.0.1:8545", .help = "JSON-RPC of the chain"),
    S("hub",           OPT_STR,  hub,           .arg = "ADDRESS", .help = "address of the hub on the chain"),
    S("policy",        OPT_STR,  policy,        .arg = "FILE", .help = "what evidence must show (docs/attestation.md); without it the default, which refuses simulated evidence"),
    S("anchor",        OPT_LIST, anchor,        .arg = "KIND:ADDRESS|FILE", .help = "a trust anchor beside the vendors' roots: simulated:0x… (a development key's address), tpm:ca.pem; may be given many times"),
    S("agent",         OPT_LIST, agent,         .arg = "0xDIGEST", .help = "SHA-256 of an enclave agent that may ask under simulated evidence (default: the agent of this build)"),
    S("collateral",    OPT_STR,  collateral,    .arg = "DIR", .help = "folder of vendor collateral: TCB infos, CRLs, certificates"),
    S("tee-framework", OPT_STR,  framework,     .arg = "NAME", .def = "TDX", .help = "TDX, SCONE or GRAMINE: which tags are served"),
    S("tee-properties",OPT_STR,  properties,    .arg = "FILE", .help = "JSON with the images of pre- and post-compute by version"),
    S("provision-url", OPT_STR,  provision_url, .arg = "URL", .help = "where agents reach this service, when it is another URL than its own"),
    S("gateway",       OPT_STR,  gateway,       .arg = "URL", .help = "gateway of the store, where the lists of bulk datasets are; without it bulk tasks are refused"),
    S("session-ttl",   OPT_U64,  session_ttl,   .arg = "SECONDS", .def = "0", .help = "life of a session at most; its task's final deadline ends it earlier; 0: 5 days"),
    S("at",            OPT_U64,  at,            .arg = "SECONDS", .def = "0", .help = "judge evidence as of this Unix time: for tests with old samples only"),
    S("log-level",     OPT_STR,  log_level,     .arg = "LEVEL", .def = "info", .help = "error, warn, info or debug"),
    S("ready-fd",      OPT_U64,  ready_fd,      .arg = "FD", .def = "0", .max = 65535, .help = "descriptor that gets one line, the URL, once the service serves"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "sms",
    .summary =
        "Keeps secrets (dataset keys, developers' and requesters' secrets), encrypted at rest, and "
        "gives a task's secrets to the enclave that runs it: only after its evidence passed the "
        "policy and the deal was read on the chain. `souk sms rotate --state DIR --key-file FILE` "
        "puts everything under a new storage key; `souk sms audit --state DIR` prints the newest "
        "releases and refusals.",
    .table = table,
    .example =
        "  souk sms --state ./sms --key-file ./keys/sms.key --policy policy.json\n"
        "  curl -I 'http://127.0.0.1:13350/secrets/web3?secretAddress=0x76fE…326A'\n"
        "  souk sms rotate --state ./sms --key-file ./keys/sms.key",
};

static rc run(struct loop *l, const struct settings *set, struct arena *a, struct err *e)
{
    static struct attest_policy policy;
    struct attest_anchor *anchor;
    struct attest_item *item;
    struct sms *s;
    struct sms_config cfg = {
        .dir = set->state,
        .key_file = set->key_file,
        .listen = set->listen,
        .node = set->node,
        .policy = &policy,
        .agents = set->agent.v,
        .n_agents = set->agent.n,
        .framework = set->framework,
        .properties_file = set->properties,
        .provision_url = set->provision_url,
        .at = set->at,
        .gateway = set->gateway,
        .session_ttl_s = set->session_ttl,
    };
    if (set->hub == NULL || !rc_ok(hex_parse_address(&cfg.hub, set->hub))) {
        return err_set(e, RC_CODE_MALFORMED, "--hub: must be the hub's address, 0x and 40 digits");
    }
    TRY(attest_load_policy(&policy, a, set->policy, e));
    TRY(attest_load_anchors(&anchor, &cfg.n_anchor, a, &set->anchor, e));
    TRY(attest_load_folder(&item, &cfg.n_item, a, set->collateral, e));
    cfg.anchor = anchor;
    cfg.item = item;
    TRY(loop_stop_on_signals(l, e));
    TRY(sms_open(&s, l, &cfg, e));
    log_info("sms", "serves url=%s", sms_url(s));
    rc r = cmd_ready(set->ready_fd, e, "%s", sms_url(s));
    r = rc_ok(r) ? loop_run(l, e) : r;
    sms_close(s);
    return r;
}

static rc rotate(const struct settings *set, struct err *e)
{
    uint64_t rows = 0;
    TRY(sms_rotate(set->state, set->key_file, &rows, e));
    (void)printf("%llu rows are sealed under a new storage key; the old one opens nothing now\n",
                 (unsigned long long)rows);
    return RC_OK;
}

/* The newest 1,000 rows, one JSON object a line. */
static rc audit(const struct settings *set, struct err *e)
{
    BUF_FREE out = buf_new((size_t)16 << 20);
    TRY(sms_audit(&out, set->state, 1000, e));
    (void)fwrite(out.p, 1, out.n, stdout);
    return RC_OK;
}

int cmd_sms(int argc, char **argv)
{
    const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    bool rotating = strcmp(verb, "rotate") == 0, auditing = strcmp(verb, "audit") == 0;
    int skip = rotating || auditing ? 1 : 0;
    struct settings set = {0};
    struct loop *l;
    struct err e = {0};
    struct arena a;
    arena_init(&a, ATTEST_FILES_ARENA);
    enum opts_what what = opts_parse(&options, &set, NULL, argc - skip, argv + skip, &a);
    if (what != OPTS_RUN) {
        arena_reset(&a);
        return what == OPTS_DONE ? 0 : 2;
    }
    rc r = cmd_log_level(set.log_level, &e);
    if (skip > 0) {
        r = !rc_ok(r) ? r : rotating ? rotate(&set, &e) : audit(&set, &e);
        arena_reset(&a);
        return cmd_exit("sms", r, &e);
    }
    if (rc_ok(r)) {
        r = loop_open(&l, &e);
    }
    if (rc_ok(r)) {
        r = run(l, &set, &a, &e);
        loop_close(l);
    }
    arena_reset(&a);
    return cmd_exit("sms", r, &e);
}
