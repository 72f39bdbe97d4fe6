/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_SESSION_H
#define SOUK_CMD_SESSION_H

/* session.h - what the client verbs share: where the market is, who signs, how money is written.
 *
 * A verb finds the market in the state folder that `souk up` keeps (up.json), unless options name
 * the services. Wallets are key files in its folder keys/, called by their names. */

#include "base/arena.h"
#include "daemon/client/client.h"
#include "io/opts.h"

/* First member of a verb's option struct. */
struct session_opts {
    const char *state, *node, *store, *gateway, *market, *sms, *scheduler, *hub;
    const char *wallet, *key;
    bool json;
    bool offline; /* set by verbs that need the state folder and no market */
};

/* Rows of the option table. T is the verb's struct, whose member `so` is a struct session_opts. */
/* clang-format off */
#define SESSION_OPTS(T) \
    {"state", OPT_STR, offsetof(T, so.state), "DIR", NULL, 0, 0, "state folder of souk up (default: $SOUK_STATE, else ~/.souk)"}, \
    {"node", OPT_STR, offsetof(T, so.node), "URL", NULL, 0, 0, "JSON-RPC of the chain (default: from up.json, as for the others)"}, \
    {"hub", OPT_STR, offsetof(T, so.hub), "ADDRESS", NULL, 0, 0, "address of the hub"}, \
    {"json", OPT_FLAG, offsetof(T, so.json), NULL, NULL, 0, 0, "print JSON"}
#define SESSION_SERVICES(T) \
    {"store", OPT_STR, offsetof(T, so.store), "URL", NULL, 0, 0, "IPFS API of the store"}, \
    {"gateway", OPT_STR, offsetof(T, so.gateway), "URL", NULL, 0, 0, "IPFS gateway"}, \
    {"market", OPT_STR, offsetof(T, so.market), "URL", NULL, 0, 0, "order book"}, \
    {"sms", OPT_STR, offsetof(T, so.sms), "URL", NULL, 0, 0, "secret manager"}
#define SESSION_SIGNER(T) \
    {"wallet", OPT_STR, offsetof(T, so.wallet), "NAME", NULL, 0, 0, "who signs: a wallet of the state folder (souk wallet new)"}, \
    {"key", OPT_STR, offsetof(T, so.key), "FILE", NULL, 0, 0, "who signs: a key file, instead of --wallet"}
/* clang-format on */

struct session {
    const struct session_opts *o;
    struct arena a; /* of the whole command */
    struct client *client;
    const char *state, *node, *store, *gateway, *market, *sms, *scheduler;
    struct address hub, workerpool; /* workerpool: of this state folder; zero when unknown */
    uint64_t chain_id;
    struct signer signer; /* when session_signer() was called */
    bool has_signer;
    uint64_t now_ms; /* when the command began, monotonic */
};

/* The hub that a souk node serves; NOT_FOUND for other chains, where it must be given. */
rc hub_of_node(struct address *out, const char *node, struct err *e);

/* Finds the market and opens a client; for an offline verb s->client stays NULL. Names what is
 * missing and how to give it. */
rc session_open(struct session *s, const struct session_opts *o, struct err *e);
void session_close(struct session *s);

/* The wallet that --wallet or --key names. */
rc session_signer(struct session *s, struct err *e);

/* "state/keys/NAME.key" */
const char *session_key_path(struct session *s, const char *name);

/* A name of a wallet, or an address. */
rc session_address(struct session *s, struct address *out, const char *name, struct err *e);

/* What this state folder has published is known by name: "app classify" -> address. Names are letters,
 * digits, '-' and '_'. asset_find() takes an address as well. */
rc asset_save(struct session *s, const char *kind, const char *name, struct address a,
              struct err *e);
rc asset_find(struct session *s, const char *kind, const char *name, struct address *out,
              struct err *e);
rc name_check(const char *what, const char *name, struct err *e);

const char *session_fmt(struct session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define MONEY_MAX 100

/* nRLC as RLC: "1.5 RLC", "0 RLC"; returns out. */
char *money(char out[MONEY_MAX], struct u256 nrlc);

/* "1.5", "0.000000001", "3 RLC" or "200 nRLC" to nRLC. MALFORMED with a sentence. */
rc money_parse(struct u256 *out, const char *text, struct err *e);

/* Prints and drops a JSON value, on one line. */
void print_json(json_t *take);

json_t *json_hash_text(struct hash h);
json_t *json_address_text(struct address a);
json_t *json_u256(struct u256 v); /* decimal string */

/* Runs `verb` with an open session and prints its error: the exit status. */
int session_run(const struct session_opts *o, const char *verb,
                rc (*fn)(struct session *s, void *opts, struct err *e), void *opts);

/* One verb of a command such as `souk wallet VERB`. */
struct verb {
    const char *name, *help;
    int (*run)(int argc, char **argv);
};

/* Finds argv[1] among the verbs (ends with name NULL) and runs it; prints them for --help. */
int verbs_run(const char *command, const char *summary, const struct verb *verbs, int argc,
              char **argv);

#endif /* SOUK_CMD_SESSION_H */
