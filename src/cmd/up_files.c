/* SPDX-License-Identifier: Apache-2.0 */
/* up_files.c - what `souk up` keeps in its state folder: keys, genesis, policy and up.json. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/up_int.h"
#include "crypto/secp.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/json.h"

/* Money of a first start, in nRLC: the owner's purse, from which `souk wallet fund` gives, and the
 * stakes of pool and workers. */
#define RLC_OWNER       "80000000000000000"
#define STAKE_SCHEDULER "1000000000000000"
#define STAKE_WORKER    "1000000000000"
#define NATIVE_ALL      "1000000000000000000000000" /* wei: a million coins each */

rc up_key(struct up *u, const char *name, struct address *addr, struct err *e)
{
    const char *path = up_path(u, up_fmt(u, "keys/%s.key", name));
    SECRET_FREE key = {0};
    if (file_exists(path)) {
        BUF_FREE text = buf_new(128);
        rc r = file_read(&text, path, e);
        while (text.n > 0 && text.p[text.n - 1] == '\n') {
            text.n--;
        }
        TRY(r);
        TRY(secret_new(&key, 32));
        r = hex_decode_exact(key.p, 32, buf_bytes(&text));
        if (text.p != NULL) {
            mem_wipe(text.p, text.n);
        }
        if (!rc_ok(r) || !secp_key_is_valid(key.p)) {
            return err_set(e, RC_CODE_MALFORMED, "%s: not a private key of 64 hex digits", path);
        }
        return secp_address(addr, &key);
    }
    if (!rc_ok(secp_key_new(&key)) || !rc_ok(secp_address(addr, &key))) {
        return err_set(e, RC_CODE_IO, "make a key for %s: no randomness", name);
    }
    BUF_FREE text = buf_new(128);
    put_0x(&text, secret_bytes(&key));
    put_u8(&text, '\n');
    rc r = file_create(path, buf_bytes(&text), 0600, e);
    mem_wipe(text.p, text.n);
    return r;
}

static json_t *account(struct address a, const char *rlc, const char *stake)
{
    char text[HEX_ADDRESS_MAX];
    return json_pack("{s:s, s:s, s:s, s:s}", "address", hex_address(text, a), "balance", NATIVE_ALL,
                     "rlc", rlc, "stake", stake);
}

static void set_str(json_t *o, const char *key, const char *value)
{
    if (value != NULL) {
        (void)json_object_set_new(o, key, json_string(value));
    }
}

/* Starts from --genesis FILE when given, and adds what the settings say. */
static rc genesis_base(struct up *u, json_t **out, struct err *e)
{
    if (u->set.genesis == NULL) {
        *out = json_object();
        return RC_OK;
    }
    struct bytes text;
    TRY(file_read_arena(&text, u->a, u->set.genesis, (size_t)8 << 20, e));
    *out = json_parse(text, JSON_DEPTH_MAX, e);
    return *out != NULL ? RC_OK : err_wrap(e, RC(MALFORMED), "%s", u->set.genesis);
}

static rc make_genesis(struct up *u, struct err *e)
{
    const char *path = up_path(u, "genesis.json");
    struct address owner, a;
    if (file_exists(path)) {
        return RC_OK; /* the chain has begun with it */
    }
    json_t *base = NULL;
    TRY(genesis_base(u, &base, e));
    JSON_FREE *g = base;
    TRY(up_key(u, "owner", &owner, e));
    if (u->set.owner != NULL && !rc_ok(hex_parse_address(&owner, u->set.owner))) {
        return err_set(e, RC_CODE_MALFORMED, "--owner: '%.60s' is not an address", u->set.owner);
    }
    char text[HEX_ADDRESS_MAX];
    (void)json_object_set_new(g, "chainId", json_integer((json_int_t)u->set.chain_id));
    (void)json_object_set_new(g, "baseFee", json_integer((json_int_t)u->set.base_fee));
    set_str(g, "rules", u->set.rules);
    set_str(g, "owner", hex_address(text, owner));
    set_str(g, "hub", u->set.hub);
    set_str(g, "token", u->set.token);
    set_str(g, "appRegistry", u->set.app_registry);
    set_str(g, "datasetRegistry", u->set.dataset_registry);
    set_str(g, "workerpoolRegistry", u->set.workerpool_registry);
    json_t *accounts = json_object_get(g, "accounts");
    if (accounts == NULL) {
        accounts = json_array();
        (void)json_object_set_new(g, "accounts", accounts);
    }
    (void)json_array_append_new(accounts, account(owner, RLC_OWNER, "0"));
    TRY(up_key(u, "scheduler", &a, e));
    (void)json_array_append_new(accounts, account(a, "0", STAKE_SCHEDULER));
    for (uint64_t i = 1; i <= 16;
         i++) { /* all that may ever run: keys of later starts have stakes */
        TRY(up_key(u, up_fmt(u, "worker-%llu", (unsigned long long)i), &a, e));
        (void)json_array_append_new(accounts, account(a, "0", STAKE_WORKER));
    }
    for (size_t i = 0; i < u->set.fund.n; i++) {
        if (!rc_ok(hex_parse_address(&a, u->set.fund.v[i]))) {
            return err_set(e, RC_CODE_MALFORMED, "--fund: '%.60s' is not an address",
                           u->set.fund.v[i]);
        }
        (void)json_array_append_new(accounts, account(a, "1000000000000000", "0"));
    }
    BUF_FREE out = buf_new((size_t)16 << 20);
    json_put(&out, g);
    put_u8(&out, '\n');
    return file_write(path, buf_bytes(&out), 0600, e);
}

/* The default policy refuses simulated evidence; --tee simulated writes one that names it. */
static rc make_policy(struct up *u, struct err *e)
{
    const char *path = up_path(u, "policy.json");
    if (u->set.policy != NULL || file_exists(path)) {
        return RC_OK;
    }
    struct bytes text = strcmp(u->set.tee, "simulated") == 0
                            ? BYTES_LIT("{\"kinds\": [\"simulated\"]}\n")
                            : BYTES_LIT("{}\n");
    return file_write(path, text, 0600, e);
}

rc up_make_files(struct up *u, struct err *e)
{
    static const char *const dirs[] = {"",      "keys",   "log", "node",
                                       "store", "market", "sms", "scheduler"};
    struct address a;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        TRY(dir_make(up_path(u, dirs[i]), 0700, e));
    }
    TRY(up_key(u, "simulated-tee", &a, e));
    TRY(make_genesis(u, e));
    return make_policy(u, e);
}

static const char *ready_of(const struct up *u, const char *name)
{
    for (size_t i = 0; i < u->n; i++) {
        if (strcmp(u->service[i].name, name) == 0) {
            return u->service[i].ready;
        }
    }
    return "";
}

rc up_write_summary(struct up *u, struct err *e)
{
    static const char *const services[] = {"node", "store",     "market",
                                           "sms",  "scheduler", "compass"};
    char when[CLOCK_TEXT_MAX];
    JSON_FREE *o =
        json_pack("{s:i, s:I, s:s, s:s, s:s, s:s}", "pid", (int)getpid(), "chainId",
                  (json_int_t)u->set.chain_id, "hub", u->hub, "tee", u->set.tee, "workerpool",
                  u->workerpool, "started", clock_text(clock_wall_ms(), when));
    for (size_t i = 0; i < ARRAY_LEN(services); i++) {
        set_str(o, services[i], ready_of(u, services[i]));
    }
    BUF_FREE out = buf_new(1 << 16);
    json_put(&out, o);
    put_u8(&out, '\n');
    /* Who reads the line may call other commands at once: they look for the file. */
    TRY(file_write(up_path(u, "up.json"), buf_bytes(&out), 0600, e));
    return u->set.json ? fd_write_all(STDOUT_FILENO, buf_bytes(&out), e) : RC_OK;
}
