/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

#define UP_JSON_MAX ((size_t)64 << 10)

const char *session_fmt(struct session *s, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ASSERT(n >= 0);
    size_t size = MIN((size_t)n, sizeof(text) - 1);
    char *copy = arena_alloc(&s->a, size + 1);
    ASSERT(copy != NULL);
    memcpy(copy, text, size);
    return copy;
}

static const char *state_dir(struct session *s)
{
    const char *env = getenv("SOUK_STATE"), *home = getenv("HOME");
    if (s->o->state != NULL) {
        return s->o->state;
    }
    return env != NULL && env[0] != 0 ? env
                                      : session_fmt(s, "%s/.souk", home != NULL ? home : "/tmp");
}

/* A member of up.json that may be absent, copied. */
static const char *text_of(struct session *s, const struct js *top, const char *key)
{
    struct js v = js_key(top, key);
    const char *text = NULL;
    if (!js_has(top, key) || !rc_ok(js_str(&text, &v, NULL)) || text[0] == 0) {
        return NULL;
    }
    return session_fmt(s, "%s", text);
}

/* The first of the words in a ready line, or the second: the store says API and gateway. */
static const char *word_of(struct session *s, const char *text, unsigned which)
{
    while (text != NULL && which-- > 0) {
        text = strchr(text, ' ');
        text = text != NULL ? text + 1 : NULL;
    }
    return text == NULL ? NULL : session_fmt(s, "%.*s", (int)strcspn(text, " "), text);
}

static const char *pick(const char *given, const char *found)
{
    return given != NULL ? given : found;
}

rc hub_of_node(struct address *out, const char *node, struct err *e)
{
    struct client *c;
    json_t *reply = NULL;
    TRY(client_open(&c, &(struct client_config){.url = node}, e));
    rc r = client_rpc(c, &reply, "souk_contracts", NULL, e);
    client_close(c);
    JSON_FREE *hold = reply;
    if (!rc_ok(r)) {
        return err_wrap(e, r, "ask %s for its hub (another chain? give --hub ADDRESS)", node);
    }
    struct js top = js_top(hold), hub = js_key(&top, "hub");
    return js_address(out, &hub, e);
}

static rc read_summary(struct session *s, struct err *e)
{
    const char *path = session_fmt(s, "%s/up.json", s->state), *text = NULL;
    struct bytes raw;
    JSON_FREE *j = NULL;
    if (file_exists(path)) {
        TRY(file_read_arena(&raw, &s->a, path, UP_JSON_MAX, e));
        j = json_parse(raw, JSON_DEPTH_MAX, e);
        if (j == NULL) {
            return err_wrap(e, RC(MALFORMED), "%s", path);
        }
    }
    struct js top = js_top(j);
    s->node = pick(s->o->node, text_of(s, &top, "node"));
    s->store = pick(s->o->store, word_of(s, text_of(s, &top, "store"), 0));
    s->gateway = pick(s->o->gateway, word_of(s, text_of(s, &top, "store"), 1));
    s->market = pick(s->o->market, text_of(s, &top, "market"));
    s->sms = pick(s->o->sms, text_of(s, &top, "sms"));
    s->scheduler = pick(s->o->scheduler, text_of(s, &top, "scheduler"));
    text = text_of(s, &top, "workerpool");
    if (text != NULL) {
        (void)!rc_ok(hex_parse_address(&s->workerpool, text));
    }
    text = pick(s->o->hub, text_of(s, &top, "hub"));
    if (s->node == NULL) {
        return err_set(
            e, RC_CODE_NOT_FOUND,
            "no market found: %s is not there. Start one with `souk up`, or give --node URL", path);
    }
    if (text == NULL) {
        return hub_of_node(&s->hub, s->node, e);
    }
    return rc_ok(hex_parse_address(&s->hub, text))
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "hub: '%.60s' is not an address", text);
}

rc session_open(struct session *s, const struct session_opts *o, struct err *e)
{
    *s = (struct session){.o = o, .now_ms = clock_mono_ms()};
    arena_init(&s->a, (size_t)256 << 20);
    s->state = state_dir(s);
    if (o->offline) {
        return RC_OK;
    }
    TRY(read_summary(s, e));
    TRY(client_open(&s->client, &(struct client_config){.url = s->node, .hub = s->hub}, e));
    return client_chain_id(s->client, &s->chain_id, e);
}

void session_close(struct session *s)
{
    if (s->has_signer) {
        signer_free(&s->signer);
    }
    client_close(s->client);
    arena_reset(&s->a);
}

const char *session_key_path(struct session *s, const char *name)
{
    return session_fmt(s, "%s/keys/%s.key", s->state, name);
}

rc session_signer(struct session *s, struct err *e)
{
    const char *path = s->o->key;
    if (path == NULL && s->o->wallet == NULL) {
        return err_set(e, RC_CODE_MALFORMED,
                       "who signs? give --wallet NAME (souk wallet list shows them) or --key FILE");
    }
    if (path == NULL) {
        path = session_key_path(s, s->o->wallet);
        if (!file_exists(path)) {
            return err_set(e, RC_CODE_NOT_FOUND,
                           "no wallet '%.40s' in %.80s/keys; make it with `souk wallet new %.40s`",
                           s->o->wallet, s->state, s->o->wallet);
        }
    }
    TRY(signer_open(&s->signer, path, NULL, e));
    s->has_signer = true;
    return RC_OK;
}

rc session_address(struct session *s, struct address *out, const char *name, struct err *e)
{
    if (strncmp(name, "0x", 2) == 0) {
        return rc_ok(hex_parse_address(out, name))
                   ? RC_OK
                   : err_set(e, RC_CODE_MALFORMED, "'%.60s' is not an address", name);
    }
    SIGNER_FREE w = {0};
    const char *path = session_key_path(s, name);
    if (!file_exists(path)) {
        return err_set(e, RC_CODE_NOT_FOUND, "no wallet '%.60s' (souk wallet list shows them)",
                       name);
    }
    TRY(signer_open(&w, path, NULL, e));
    *out = w.address;
    return RC_OK;
}

rc name_check(const char *what, const char *name, struct err *e)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    if (name[0] == 0 || strlen(name) > 64 || name[strspn(name, letters)] != 0) {
        return err_set(e, RC_CODE_MALFORMED,
                       "%s: '%.64s' is no name: 1 to 64 letters, digits, '-' and '_'", what, name);
    }
    return RC_OK;
}

static const char *asset_path(struct session *s, const char *kind, const char *name)
{
    return session_fmt(s, "%s/assets/%s-%s", s->state, kind, name);
}

rc asset_save(struct session *s, const char *kind, const char *name, struct address a,
              struct err *e)
{
    char text[HEX_ADDRESS_MAX];
    TRY(name_check(kind, name, e));
    TRY(dir_make(session_fmt(s, "%s/assets", s->state), 0700, e));
    return file_write(asset_path(s, kind, name), bytes_str(hex_address(text, a)), 0600, e);
}

rc asset_find(struct session *s, const char *kind, const char *name, struct address *out,
              struct err *e)
{
    BUF_FREE text = buf_new(64);
    if (strncmp(name, "0x", 2) == 0) {
        return session_address(s, out, name, e);
    }
    TRY(name_check(kind, name, e));
    if (!file_exists(asset_path(s, kind, name))) {
        return err_set(e, RC_CODE_NOT_FOUND,
                       "no %s '%.64s' was published from here; give its address", kind, name);
    }
    TRY(file_read(&text, asset_path(s, kind, name), e));
    return rc_ok(hex_parse_address(out, buf_cstr(&text)))
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "%s is damaged", asset_path(s, kind, name));
}

char *money(char out[MONEY_MAX], struct u256 nrlc)
{
    struct u256 whole, rest;
    char dec[U256_DEC_MAX], frac[16];
    (void)!u256_div(&whole, &rest, nrlc, u256_from(1000000000));
    (void)snprintf(frac, sizeof(frac), ".%09llu", (unsigned long long)rest.w[0]);
    for (size_t n = strlen(frac); n > 0 && (frac[n - 1] == '0' || frac[n - 1] == '.'); n--) {
        bool dot = frac[n - 1] == '.';
        frac[n - 1] = 0;
        if (dot) {
            break;
        }
    }
    (void)snprintf(out, MONEY_MAX, "%s%s RLC", u256_dec(whole, dec), frac);
    return out;
}

rc money_parse(struct u256 *out, const char *text, struct err *e)
{
    char digits[90];
    size_t n = 0, after = 0;
    bool dot = false, good = true;
    const char *p = text;
    for (; good && (*p == '.' || (*p >= '0' && *p <= '9')); p++) {
        good = n < sizeof(digits) - 10 && !(*p == '.' && dot) && !(dot && after == 9);
        if (*p == '.') {
            dot = true;
        } else if (good) {
            digits[n++] = *p;
            after += dot;
        }
    }
    while (*p == ' ') {
        p++;
    }
    bool nano = strcmp(p, "nRLC") == 0;
    if (!good || n == 0 || (nano && dot) || (!nano && *p != 0 && strcmp(p, "RLC") != 0)) {
        return err_set(e, RC_CODE_MALFORMED,
                       "'%.40s' is no amount: write 1.5 for 1.5 RLC, or 200nRLC", text);
    }
    for (; !nano && after < 9; after++) {
        digits[n++] = '0';
    }
    digits[n] = 0;
    return rc_ok(u256_parse(out, digits))
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "'%.40s' is too large an amount", text);
}

void print_json(json_t *take)
{
    BUF_FREE b = buf_new((size_t)64 << 20);
    json_put(&b, take);
    put_u8(&b, '\n');
    (void)!fwrite(b.p, 1, b.n, stdout);
    (void)fflush(stdout);
    json_decref(take);
}

json_t *json_hash_text(struct hash h)
{
    char text[HEX_HASH_MAX];
    return json_string(hex_hash(text, h));
}

json_t *json_address_text(struct address a)
{
    char text[HEX_ADDRESS_MAX];
    return json_string(hex_address(text, a));
}

json_t *json_u256(struct u256 v)
{
    char text[U256_DEC_MAX];
    return json_string(u256_dec(v, text));
}

int session_run(const struct session_opts *o, const char *verb,
                rc (*fn)(struct session *s, void *opts, struct err *e), void *opts)
{
    struct session s;
    struct err e = {0};
    rc r = session_open(&s, o, &e);
    if (rc_ok(r)) {
        r = fn(&s, opts, &e);
    }
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "souk %s: %s\n", verb, e.msg);
    }
    session_close(&s);
    return rc_ok(r) ? 0 : r.code == RC_CODE_MALFORMED ? 2 : 1;
}

int verbs_run(const char *command, const char *summary, const struct verb *verbs, int argc,
              char **argv)
{
    for (const struct verb *v = verbs; argc > 1 && v->name != NULL; v++) {
        if (strcmp(argv[1], v->name) == 0) {
            return v->run(argc - 1, argv + 1);
        }
    }
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    FILE *to = help ? stdout : stderr;
    if (argc > 1 && !help) {
        (void)fprintf(to, "souk %s: no verb '%s'\n\n", command, argv[1]);
    }
    (void)fprintf(to, "souk %s - %s\n\nusage: souk %s VERB [options]; souk %s VERB --help\n\n",
                  command, summary, command, command);
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        (void)fprintf(to, "  %-10s %s\n", v->name, v->help);
    }
    return help ? 0 : 2;
}
