/* SPDX-License-Identifier: Apache-2.0 */
/* wallet.c - `souk wallet`: keys, and money between purse (RLC token) and escrow (stake). */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/session.h"
#include "crypto/secp.h"
#include "encoding/hex.h"
#include "io/file.h"

enum { WAIT_MS = 30000 };

struct wallet_opts {
    struct session_opts so;
    const char *amount, *to, *native;
};

#define W(name, type, field, ...) OPT(name, type, wallet_opts, field, __VA_ARGS__)

/* --- balances ----------------------------------------------------------------------------------- */

struct balances {
    struct u256 native, rlc, stake, locked;
};

static rc token_call(struct session *s, struct u256 *out, enum method m, const struct address *args,
                     size_t n, struct err *e)
{
    struct address token;
    BUF_FREE data = buf_new(256), ret = buf_new(4096);
    TRY(client_hub_address(s->client, &token, METHOD_hub_token, e));
    struct abi_out o = call_begin(&data, m, n);
    for (size_t i = 0; i < n; i++) {
        abi_put_address(&o, args[i]);
    }
    TRY(client_call(s->client, &ret, token, buf_bytes(&data), e));
    struct abi_in in = abi_of(buf_bytes(&ret));
    *out = abi_take_u256(&in);
    return rc_ok(abi_end(&in)) ? RC_OK : err_set(e, RC_CODE_MALFORMED, "the token answers oddly");
}

static rc balances_of(struct session *s, struct balances *b, struct address who, struct err *e)
{
    struct view_account acc;
    char text[HEX_ADDRESS_MAX];
    json_t *reply = NULL;
    TRY(client_view_account(s->client, &acc, who, e));
    TRY(token_call(s, &b->rlc, METHOD_token_balanceOf, &who, 1, e));
    TRY(client_rpc(s->client, &reply, "eth_getBalance",
                   json_pack("[s, s]", hex_address(text, who), "latest"), e));
    rc r = json_is_string(reply) ? hex_parse_quantity256(&b->native, json_string_value(reply), true)
                                 : RC(MALFORMED);
    json_decref(reply);
    b->stake = acc.stake;
    b->locked = acc.locked;
    return rc_ok(r) ? r : err_set(e, RC_CODE_MALFORMED, "eth_getBalance: not a number");
}

static json_t *balances_json(const char *name, struct address who, const struct balances *b)
{
    json_t *o = json_object();
    if (name != NULL) {
        (void)json_object_set_new(o, "name", json_string(name));
    }
    (void)json_object_set_new(o, "address", json_address_text(who));
    (void)json_object_set_new(o, "native", json_u256(b->native));
    (void)json_object_set_new(o, "rlc", json_u256(b->rlc));
    (void)json_object_set_new(o, "stake", json_u256(b->stake));
    (void)json_object_set_new(o, "locked", json_u256(b->locked));
    return o;
}

static void balances_print(const char *name, struct address who, const struct balances *b)
{
    char addr[HEX_ADDRESS_MAX], m1[MONEY_MAX], m2[MONEY_MAX], m3[MONEY_MAX];
    (void)printf("%-14s %s  purse %s, escrow %s, locked %s\n", name != NULL ? name : "",
                 hex_address(addr, who), money(m1, b->rlc), money(m2, b->stake),
                 money(m3, b->locked));
}

static rc show_one(struct session *s, const char *name, struct address who, json_t *into,
                   struct err *e)
{
    struct balances b;
    TRY(balances_of(s, &b, who, e));
    if (into != NULL) {
        (void)json_array_append_new(into, balances_json(name, who, &b));
    } else {
        balances_print(name, who, &b);
    }
    return RC_OK;
}

/* --- new, list ----------------------------------------------------------------------------------- */

static rc do_new(struct session *s, void *opts, struct err *e)
{
    const struct wallet_opts *o = opts;
    const char *path = session_key_path(s, o->to);
    SECRET_FREE key = {0};
    struct address a;
    char text[HEX_ADDRESS_MAX];
    TRY(name_check("wallet", o->to, e));
    if (!rc_ok(secp_key_new(&key)) || !rc_ok(secp_address(&a, &key))) {
        return err_set(e, RC_CODE_IO, "no randomness for a key");
    }
    TRY(dir_make(session_fmt(s, "%s/keys", s->state), 0700, e));
    TRY(key_file_create(path, &key, NULL, e));
    if (o->so.json) {
        print_json(json_pack("{s:s, s:s, s:s}", "name", o->to, "address", hex_address(text, a),
                             "file", path));
    } else {
        (void)printf("%s %s\nThe key is in %s. Who has the file has the money: keep a copy.\n",
                     o->to, hex_address(text, a), path);
    }
    return RC_OK;
}

static rc do_list(struct session *s, void *opts, struct err *e)
{
    const struct wallet_opts *o = opts;
    struct dirent **names = NULL;
    JSON_FREE *list = json_array();
    rc r = RC_OK;
    int n = scandir(session_fmt(s, "%s/keys", s->state), &names, NULL, alphasort);
    if (n < 0) {
        return err_set(e, RC_CODE_IO, "%s/keys: %s", s->state, strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]->d_name);
        struct address a;
        if (rc_ok(r) && len > 4 && strcmp(names[i]->d_name + len - 4, ".key") == 0) {
            const char *name = session_fmt(s, "%.*s", (int)len - 4, names[i]->d_name);
            r = session_address(s, &a, name, e);
            if (rc_ok(r)) {
                r = show_one(s, name, a, o->so.json ? list : NULL, e);
            }
        }
        free(names[i]);
    }
    free(names);
    if (rc_ok(r) && o->so.json) {
        print_json(json_incref(list));
    }
    return r;
}

static rc do_show(struct session *s, void *opts, struct err *e)
{
    const struct wallet_opts *o = opts;
    struct address a;
    struct balances b;
    TRY(session_address(s, &a, o->to, e));
    TRY(balances_of(s, &b, a, e));
    if (o->so.json) {
        print_json(balances_json(o->to, a, &b));
    } else {
        balances_print(o->to, a, &b);
    }
    return RC_OK;
}

/* --- moving money -------------------------------------------------------------------------------- */

static rc transact(struct session *s, struct address to, struct bytes data, struct u256 value,
                   const char *what, struct err *e)
{
    struct client_tx tx = {.to = to, .data = data, .value = value};
    struct client_receipt receipt;
    return err_wrap(e, client_transact(s->client, &receipt, &s->a, &s->signer, &tx, WAIT_MS, e),
                    "%s", what);
}

static rc said(const struct wallet_opts *o, const char *what, struct u256 amount)
{
    char m[MONEY_MAX], dec[U256_DEC_MAX];
    if (o->so.json) {
        print_json(
            json_pack("{s:b, s:s, s:s}", "ok", 1, "what", what, "amount", u256_dec(amount, dec)));
    } else {
        (void)printf("%s %s\n", what, money(m, amount));
    }
    return RC_OK;
}

static rc do_fund(struct session *s, void *opts, struct err *e)
{
    struct wallet_opts *o = opts;
    struct address to, token;
    struct u256 amount, coins;
    TRY(session_address(s, &to, o->to, e));
    TRY(money_parse(&amount, o->amount, e));
    if (!rc_ok(u256_parse(&coins, o->native))) {
        return err_set(e, RC_CODE_MALFORMED, "--native: '%.40s' is no number of wei", o->native);
    }
    if (o->so.wallet == NULL && o->so.key == NULL) {
        o->so.wallet = "owner"; /* the purse that a first start of `souk up` fills */
    }
    TRY(session_signer(s, e));
    TRY(client_hub_address(s->client, &token, METHOD_hub_token, e));
    BUF_FREE data = buf_new(256);
    struct abi_out a = call_begin(&data, METHOD_token_transfer, 2);
    abi_put_address(&a, to);
    abi_put_u256(&a, amount);
    TRY(transact(s, token, buf_bytes(&data), u256_from(0), "transfer of RLC", e));
    if (!u256_is_zero(coins)) {
        TRY(transact(s, to, (struct bytes){0}, coins, "transfer of coins", e));
    }
    return said(o, "funded with", amount);
}

/* The token's approveAndCall: one transaction that the hub turns into a deposit. */
static rc do_deposit(struct session *s, void *opts, struct err *e)
{
    const struct wallet_opts *o = opts;
    struct address token;
    struct u256 amount;
    BUF_FREE data = buf_new(512);
    TRY(money_parse(&amount, o->amount, e));
    TRY(session_signer(s, e));
    TRY(client_hub_address(s->client, &token, METHOD_hub_token, e));
    struct abi_out a = call_begin(&data, METHOD_token_approveAndCall, 3);
    abi_put_address(&a, s->hub);
    abi_put_u256(&a, amount);
    abi_put_bytes(&a, (struct bytes){0});
    TRY(transact(s, token, buf_bytes(&data), u256_from(0), "deposit", e));
    return said(o, "deposited", amount);
}

static rc do_withdraw(struct session *s, void *opts, struct err *e)
{
    const struct wallet_opts *o = opts;
    struct u256 amount;
    BUF_FREE data = buf_new(256);
    TRY(money_parse(&amount, o->amount, e));
    TRY(session_signer(s, e));
    struct abi_out a = call_begin(&data, METHOD_hub_withdraw, 1);
    abi_put_u256(&a, amount);
    TRY(transact(s, s->hub, buf_bytes(&data), u256_from(0), "withdraw", e));
    return said(o, "withdrew", amount);
}

/* --- options ------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct opt plain_table[] = {
    SESSION_OPTS(struct wallet_opts), {.name = NULL},
};
static const struct opt fund_table[] = {
    W("native", OPT_STR, native, .arg = "WEI", .def = "1000000000000000000", .help = "coins for gas that go along"),
    SESSION_SIGNER(struct wallet_opts), SESSION_OPTS(struct wallet_opts), {.name = NULL},
};
static const struct opt move_table[] = {
    SESSION_SIGNER(struct wallet_opts), SESSION_OPTS(struct wallet_opts), {.name = NULL},
};

static const struct wallet_verb {
    struct opts opts;
    rc (*fn)(struct session *s, void *opts, struct err *e);
    bool has_name, has_amount; /* positional arguments, in this order */
} table[] = {
    {{"wallet new", "Makes a key in the state folder.", "NAME", 1, 1, plain_table, "  souk wallet new alice"}, do_new, true, false},
    {{"wallet list", "All wallets of the state folder with their money.", NULL, 0, 0, plain_table, "  souk wallet list"}, do_list, false, false},
    {{"wallet show", "What one wallet or address has: purse (RLC), escrow (stake), and what deals have locked.", "NAME|ADDRESS", 1, 1, plain_table, "  souk wallet show alice --json"}, do_show, true, false},
    {{"wallet fund", "Gives RLC, and coins for gas, from the owner's purse of a market of your own.", "NAME|ADDRESS AMOUNT", 2, 2, fund_table, "  souk wallet fund alice 100"}, do_fund, true, true},
    {{"wallet deposit", "Moves RLC from the purse into the escrow, where deals are paid from.", "AMOUNT", 1, 1, move_table, "  souk wallet deposit 50 --wallet alice"}, do_deposit, false, true},
    {{"wallet withdraw", "Moves RLC from the escrow back into the purse.", "AMOUNT", 1, 1, move_table, "  souk wallet withdraw 1.5 --wallet alice"}, do_withdraw, false, true},
};
/* clang-format on */

static int run(const struct wallet_verb *v, int argc, char **argv)
{
    struct wallet_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&v->opts, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        size_t i = 0;
        o.to = v->has_name ? rest.v[i++] : NULL;
        o.so.offline = v->fn == do_new;
        o.amount = v->has_amount ? rest.v[i] : NULL;
        status = session_run(&o.so, v->opts.command, v->fn, &o);
    }
    arena_reset(&a);
    return status;
}

int cmd_wallet(int argc, char **argv)
{
    struct verb verbs[ARRAY_LEN(table) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *name = table[i].opts.command + strlen("wallet ");
        verbs[i] = (struct verb){.name = name, .help = table[i].opts.summary};
        if (argc > 1 && strcmp(argv[1], name) == 0) {
            return run(&table[i], argc - 1, argv + 1);
        }
    }
    return verbs_run("wallet", "keys and money", verbs, argc, argv);
}
