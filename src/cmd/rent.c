/* SPDX-License-Identifier: Apache-2.0 */
/* rent.c - `souk rent`: the cheapest offers that fit, one signed request, one deal, one answer. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/publish.h"
#include "cmd/rent_int.h"
#include "cmd/result.h"
#include "crypto/aes.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

#define INPUT_MAX ((size_t)256 << 20)

/* The first order that the market lists for a query, which is the cheapest. */
static rc first_order(struct session *s, json_t **out, const char *query, const char *what,
                      struct err *e)
{
    json_t *reply = NULL;
    *out = NULL;
    if (s->market == NULL) {
        return err_set(e, RC_CODE_NOT_FOUND, "no market: give --market URL");
    }
    TRY(market_get(s->client, &reply, s->market, query, e));
    json_t *item = json_array_get(json_object_get(reply, "orders"), 0);
    *out = json_incref(json_object_get(item, "order"));
    json_decref(reply);
    return *out != NULL ? RC_OK : err_set(e, RC_CODE_NOT_FOUND, "nobody offers %s that fits", what);
}

static const char *addr_text(struct session *s, struct address a)
{
    char text[HEX_ADDRESS_MAX];
    return session_fmt(s, "%s", hex_address(text, a));
}

static rc find_app(struct session *s, struct rent *r, struct err *e)
{
    json_t *j;
    const char *with =
        address_is_zero(r->dataset) ? "" : session_fmt(s, "&dataset=%s", addr_text(s, r->dataset));
    TRY(first_order(s, &j,
                    session_fmt(s, "/apporders?app=%s&requester=%s&workerpool=any%s",
                                addr_text(s, r->app), addr_text(s, s->signer.address), with),
                    "this application", e));
    r->json[0] = j;
    struct js top = js_top(j);
    return app_order_json(&r->orders.app, &s->a, &top, e);
}

static rc find_dataset(struct session *s, struct rent *r, struct err *e)
{
    json_t *j;
    if (address_is_zero(r->dataset)) {
        return RC_OK;
    }
    TRY(first_order(s, &j,
                    session_fmt(s, "/datasetorders?dataset=%s&app=%s&requester=%s&workerpool=any",
                                addr_text(s, r->dataset), addr_text(s, r->app),
                                addr_text(s, s->signer.address)),
                    "this model to this application", e));
    r->json[1] = j;
    struct js top = js_top(j);
    return dataset_order_json(&r->orders.dataset, &s->a, &top, e);
}

static rc find_pool(struct session *s, struct rent *r, struct err *e)
{
    json_t *j;
    char tag[HEX_HASH_MAX];
    const struct orders *o = &r->orders;
    struct address only = o->app.workerpoolrestrict;
    if (address_is_zero(only)) {
        only = o->dataset.workerpoolrestrict;
    }
    const char *pool = !address_is_zero(r->pool) ? addr_text(s, r->pool)
                       : !address_is_zero(only)  ? addr_text(s, only)
                                                 : "any";
    TRY(first_order(s, &j,
                    session_fmt(s,
                                "/workerpoolorders?category=%llu&workerpool=%s&app=%s&dataset=%s"
                                "&requester=%s&minTrust=%llu&minVolume=%llu&minTag=%s",
                                (unsigned long long)r->category, pool, addr_text(s, r->app),
                                address_is_zero(r->dataset) ? "any" : addr_text(s, r->dataset),
                                addr_text(s, s->signer.address), (unsigned long long)r->trust,
                                (unsigned long long)r->volume, hex_hash(tag, r->tag)),
                    "machines for it", e));
    r->json[2] = j;
    struct js top = js_top(j);
    return workerpool_order_json(&r->orders.workerpool, &s->a, &top, e);
}

rc rent_find(struct session *s, struct rent *r, struct err *e)
{
    TRY(find_app(s, r, e));
    TRY(find_dataset(s, r, e));
    if (!r->tag_given) {
        r->tag = r->orders.app.tag; /* what the application is sold for */
    }
    return find_pool(s, r, e);
}

/* A private input: encrypted here, its key left with the secret manager under a name of its own. The
 * agent in the enclave knows an input's key by the form of the secret: docs/apps.md. */
static rc add_private_input(struct session *s, struct rent *r, const char *path, struct err *e)
{
    uint8_t iv[16];
    char cid[160];
    SECRET_FREE key = {0}, value = {0};
    BUF_FREE plain = buf_new(INPUT_MAX), cipher = buf_new(INPUT_MAX + 64), text = buf_new(256);
    TRY(file_read(&plain, path, e));
    rc got = secret_random(&key, 32);
    got = rc_ok(got) ? random_bytes(iv, sizeof(iv)) : got;
    got = rc_ok(got) ? aes_cbc_encrypt(&cipher, key.p, iv, buf_bytes(&plain)) : got;
    if (plain.p != NULL) {
        mem_wipe(plain.p, plain.n);
    }
    TRY(err_wrap(e, got, "encrypt %s", path));
    TRY(store_add(client_http(s->client), cid, s->store, NULL, buf_bytes(&cipher), e));
    size_t n = json_array_size(r->inputs) + 1;
    put_fmt(&text, "souk-input:%zu:", n);
    put_base64(&text, secret_bytes(&key));
    got = secret_copy(&value, buf_bytes(&text));
    mem_wipe(text.p, text.n);
    TRY(got);
    const char *name = session_fmt(s, "input-%.48s", cid);
    TRY(sms_push_requester_secret(client_http(s->client), s->sms, &s->signer, name, &value, e));
    (void)json_array_append_new(r->inputs,
                                json_string(session_fmt(s, "%s/ipfs/%s", s->gateway, cid)));
    (void)json_object_set_new(r->secrets, session_fmt(s, "%zu", n), json_string(name));
    return RC_OK;
}

static rc add_public_input(struct session *s, struct rent *r, const char *path, struct err *e)
{
    char cid[160];
    if (strncmp(path, "http://", 7) == 0 || strncmp(path, "https://", 8) == 0) {
        (void)json_array_append_new(r->inputs, json_string(path));
        return RC_OK;
    }
    TRY(store_add(client_http(s->client), cid, s->store, path, (struct bytes){0}, e));
    (void)json_array_append_new(r->inputs,
                                json_string(session_fmt(s, "%s/ipfs/%s", s->gateway, cid)));
    return RC_OK;
}

/* Wants the result encrypted: the public half of the wallet's result key goes to the secret manager,
 * once. */
static rc want_encryption(struct session *s, struct err *e)
{
    SECRET_FREE pem = {0}, value = {0};
    BUF_FREE pub = buf_new(16384), text = buf_new(32768);
    TRY(result_key(s, &pem, &pub, e));
    const char *mark = session_fmt(s, "%s/keys/%s.result.pushed", s->state, s->o->wallet);
    if (file_exists(mark)) {
        return RC_OK;
    }
    put_base64(&text, buf_bytes(&pub));
    TRY(secret_copy(&value, buf_bytes(&text)));
    TRY(sms_push_web2_secret(client_http(s->client), s->sms, &s->signer,
                             "iexec-result-encryption-public-key", &value, e));
    return file_write(mark, (struct bytes){0}, 0600, e);
}

static rc make_params(struct session *s, struct rent *r, const struct rent_opts *o, struct err *e)
{
    bool tee = tag_is_tee(r->tag);
    r->inputs = json_array();
    r->secrets = json_object();
    r->params = json_object();
    for (size_t i = 0; i < o->input.n; i++) {
        TRY(tee && !o->public_input ? add_private_input(s, r, o->input.v[i], e)
                                    : add_public_input(s, r, o->input.v[i], e));
    }
    if (o->args != NULL) {
        (void)json_object_set_new(r->params, "iexec_args", json_string(o->args));
    }
    if (json_array_size(r->inputs) > 0) {
        (void)json_object_set(r->params, "iexec_input_files", r->inputs);
    }
    if (json_object_size(r->secrets) > 0) {
        (void)json_object_set(r->params, "iexec_secrets", r->secrets);
    }
    if (tee && !o->plain_result) {
        TRY(want_encryption(s, e));
        (void)json_object_set_new(r->params, "iexec_result_encryption", json_true());
    }
    (void)json_object_set_new(r->params, "iexec_result_storage_provider", json_string("ipfs"));
    return RC_OK;
}

static rc check_money(struct session *s, const struct rent *r, struct u256 *each, struct err *e)
{
    const struct orders *o = &r->orders;
    struct view_account acc;
    struct u256 total;
    char m1[MONEY_MAX], m2[MONEY_MAX];
    if (!u256_add(each, o->app.appprice, o->dataset.datasetprice) ||
        !u256_add(each, *each, o->workerpool.workerpoolprice) ||
        !u256_mul(&total, *each, u256_from(r->volume))) {
        return err_set(e, RC_CODE_LIMIT, "the price is beyond all numbers");
    }
    TRY(client_view_account(s->client, &acc, s->signer.address, e));
    if (u256_lt(acc.stake, total)) {
        return err_set(e, RC_CODE_DENIED,
                       "this costs %s and your escrow holds %s: souk wallet deposit AMOUNT",
                       money(m1, total), money(m2, acc.stake));
    }
    return RC_OK;
}

rc rent_match(struct session *s, struct rent *r, const struct rent_opts *o, struct err *e)
{
    struct request_order *q = &r->orders.request;
    BUF_FREE params = buf_new((size_t)1 << 20);
    TRY(make_params(s, r, o, e));
    json_put(&params, r->params);
    *q = (struct request_order){.app = r->app,
                                .appmaxprice = r->orders.app.appprice,
                                .dataset = r->dataset,
                                .datasetmaxprice = r->orders.dataset.datasetprice,
                                .workerpool = r->orders.workerpool.workerpool,
                                .workerpoolmaxprice = r->orders.workerpool.workerpoolprice,
                                .requester = s->signer.address,
                                .volume = u256_from(r->volume),
                                .tag = r->tag,
                                .category = u256_from(r->category),
                                .trust = u256_from(r->trust),
                                .beneficiary = s->signer.address,
                                .params = buf_bytes(&params),
                                .salt = salt_new()};
    TRY(check_money(s, r, &r->price, e));
    TRY(order_sign(s, r->sign, request_order_struct(q), e));
    q->sign = BYTES_OF(r->sign);
    rc got = client_match(s->client, &r->deal, &r->matched, &s->signer, &r->orders, 30000, e);
    q->params = (struct bytes){0}; /* the buffer ends here */
    return err_wrap(e, got, "match the orders");
}

void rent_free(struct rent *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->json); i++) {
        json_decref(r->json[i]);
    }
    json_decref(r->inputs);
    json_decref(r->secrets);
    json_decref(r->params);
}

static rc setup(struct session *s, struct rent *r, const struct rent_opts *o, struct err *e)
{
    *r = (struct rent){.category = o->category, .trust = o->trust, .volume = o->volume};
    if (o->app == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "which application? give --app NAME or ADDRESS");
    }
    TRY(session_signer(s, e));
    TRY(asset_find(s, "app", o->app, &r->app, e));
    if (o->model != NULL) {
        TRY(asset_find(s, "model", o->model, &r->dataset, e));
    }
    if (o->pool != NULL) {
        TRY(session_address(s, &r->pool, o->pool, e));
    }
    if (o->tag != NULL) {
        TRY(tag_parse(&r->tag, o->tag, e));
        r->tag_given = true;
    }
    return RC_OK;
}

static rc report(struct session *s, const struct rent_opts *o, const struct rent *r,
                 const struct view_task *t, struct hash task, const char *dir, bool encrypted)
{
    char deal[HEX_HASH_MAX], m[MONEY_MAX];
    if (o->so.json) {
        print_json(json_pack("{s:o, s:o, s:o, s:I, s:s, s:s, s:b, s:I}", "deal",
                             json_hash_text(r->deal), "task", json_hash_text(task), "price",
                             json_u256(r->price), "tasks", (json_int_t)r->matched, "status",
                             t != NULL ? task_status_text(t->status) : "matched", "folder",
                             dir != NULL ? dir : "", "encrypted", encrypted, "ms",
                             (json_int_t)(clock_mono_ms() - s->now_ms)));
        return RC_OK;
    }
    (void)printf("deal %s: %llu task%s at %s\n", hex_hash(deal, r->deal),
                 (unsigned long long)r->matched, r->matched == 1 ? "" : "s", money(m, r->price));
    if (dir != NULL) {
        (void)printf("result in %s%s\n", dir, encrypted ? " (was encrypted for you)" : "");
    }
    return RC_OK;
}

static rc rent(struct session *s, struct rent *r, const struct rent_opts *o, struct err *e)
{
    struct view_task t;
    bool encrypted = false;
    TRY(setup(s, r, o, e));
    TRY(rent_find(s, r, e));
    TRY(rent_match(s, r, o, e));
    struct hash task = order_task_id(r->deal, u256_from(0));
    if (o->no_wait) {
        return report(s, o, r, NULL, task, NULL, false);
    }
    TRY(task_wait(s, &t, task, o->timeout_ms, !o->so.json, e));
    if (t.status != TASK_COMPLETED) {
        return err_set(e, RC_CODE_IO, "the task failed; the money is back in your escrow");
    }
    char id[HEX_HASH_MAX];
    const char *dir = o->out != NULL ? o->out : session_fmt(s, "result-%.10s", hex_hash(id, task));
    TRY(result_fetch(s, &t, dir, &encrypted, e));
    return report(s, o, r, &t, task, dir, encrypted);
}

static rc run_rent(struct session *s, void *opts, struct err *e)
{
    struct rent r = {0};
    rc got = rent(s, &r, opts, e);
    rent_free(&r);
    return got;
}

#define R(name, type, field, ...) OPT(name, type, rent_opts, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    R("app",      OPT_STR,  app,    .arg = "APP", .help = "which application: its name here, or its address"),
    R("model",    OPT_STR,  model,  .arg = "MODEL", .help = "which model (dataset) it works with"),
    R("input",    OPT_LIST, input,  .arg = "FILE", .help = "a file for the application; encrypted for the enclave when the task runs in one; may be repeated"),
    R("public-input", OPT_FLAG, public_input, .help = "do not encrypt inputs"),
    R("args",     OPT_STR,  args,   .arg = "TEXT", .help = "command line of the application"),
    R("category", OPT_U64,  category, .arg = "ID", .def = "0", .help = "how long it may take: 0 XS (5 min) … 4 XL (10 h)"),
    R("trust",    OPT_U64,  trust,  .arg = "N", .def = "1", .help = "certainty: 1 takes one worker's word, more takes votes"),
    R("volume",   OPT_U64,  volume, .arg = "N", .def = "1", .min = 1, .max = 100000, .help = "number of tasks (a bag)"),
    R("tag",      OPT_STR,  tag,    .arg = "TAG", .help = "what the machine must have (default: what the application is sold for)"),
    R("pool",     OPT_STR,  pool,   .arg = "ADDRESS", .help = "only this workerpool"),
    R("plain-result", OPT_FLAG, plain_result, .help = "do not have the result of an enclave encrypted"),
    R("out",      OPT_STR,  out,    .arg = "DIR", .help = "folder for the result (default: result-TASK)"),
    R("no-wait",  OPT_FLAG, no_wait, .help = "return once the deal is made"),
    R("timeout",  OPT_MS,   timeout_ms, .arg = "TIME", .def = "10m", .min = 1, .help = "give up waiting after this time; the task goes on"),
    SESSION_SIGNER(struct rent_opts), SESSION_SERVICES(struct rent_opts), SESSION_OPTS(struct rent_opts), {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "rent",
    .summary =
        "Rents an application with a model on somebody's machine: takes the cheapest offers "
        "that fit, signs the request, matches it on the chain, waits, and opens the result.",
    .table = table,
    .example =
        "  souk rent --wallet alice --app classify --model mobilenet --input cat.png\n"
        "  souk rent --wallet alice --app hash --args hello --trust 5 --no-wait",
};

int cmd_rent(int argc, char **argv)
{
    struct rent_opts o = {0};
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&options, &o, NULL, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        status = session_run(&o.so, "rent", run_rent, &o);
    }
    arena_reset(&a);
    return status;
}
