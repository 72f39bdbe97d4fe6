/* SPDX-License-Identifier: Apache-2.0 */
/* desk.c - the scheduler as its workers see it. */
#include <stdio.h>
#include <unistd.h>

#include "crypto/secp.h"
#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"

#define REPORT_MS 15000

static void put_at(struct buf *b, const struct desk *d, const char *path)
{
    size_t n = strlen(d->cfg->scheduler);
    while (n > 0 && d->cfg->scheduler[n - 1] == '/') {
        n--;
    }
    put_mem(b, d->cfg->scheduler, n);
    put_str(b, path);
}

static rc ask(struct desk *d, struct http_answer *ans, const char *method, struct buf *url,
              const json_t *body, uint64_t timeout_ms, bool (*stop)(void *), struct err *e)
{
    BUF_FREE text = buf_new((size_t)1 << 20);
    char auth[120];
    (void)snprintf(auth, sizeof(auth), "Authorization: Bearer %s", d->token);
    const char *const headers[] = {auth, NULL};
    if (body != NULL) {
        json_put(&text, body);
    }
    struct http_call call = {.method = method,
                             .url = buf_cstr(url),
                             .headers = d->token[0] != '\0' ? headers : NULL,
                             .type = body != NULL ? "application/json" : NULL,
                             .body = buf_bytes(&text),
                             .timeout_ms = timeout_ms,
                             .stop = stop};
    TRY(http_call(d->http, ans, &call, e));
    return http_answer_check(ans, e);
}

/* The pool is part of what is signed, so that no other scheduler can log in with the signature. */
static rc sign_login(struct desk *d, uint8_t sig[65], struct err *e)
{
    const struct signer *s = d->cfg->signer;
    char who[HEX_ADDRESS_MAX], pool[HEX_ADDRESS_MAX];
    BUF_FREE url = buf_new(1024);
    BUF_FREE msg = buf_new(1024);
    HTTP_ANSWER ans = {0};
    JSON_FREE *config = NULL;
    struct address pool_address;
    put_at(&url, d, "/workers/config");
    struct http_call call = {.url = buf_cstr(&url)};
    TRY(http_json(d->http, &config, &call, NULL, e));
    struct js top = js_top(config), p = js_key(&top, "workerPoolAddress");
    TRY(js_address(&pool_address, &p, e));
    buf_reset(&url);
    put_at(&url, d, "/workers/challenge?walletAddress=");
    put_str(&url, hex_address(who, s->address));
    TRY(ask(d, &ans, "GET", &url, NULL, REPORT_MS, NULL, e));
    put_fmt(&msg, "Log in as worker %s at workerpool %s: %s", who, hex_address(pool, pool_address),
            buf_cstr(&ans.body));
    return secp_sign65(sig, &s->key, eip191_message(buf_bytes(&msg)));
}

rc desk_login(struct desk *d, struct err *e)
{
    uint8_t sig[65];
    char who[HEX_ADDRESS_MAX], host[65] = "worker";
    BUF_FREE url = buf_new(1024);
    BUF_FREE hex = buf_new(256);
    HTTP_ANSWER ans = {0};
    d->token[0] = '\0';
    TRY(err_wrap(e, sign_login(d, sig, e), "log in at the scheduler"));
    put_at(&url, d, "/workers/login?walletAddress=");
    put_str(&url, hex_address(who, d->cfg->signer->address));
    put_0x(&hex, (struct bytes){sig, sizeof(sig)});
    JSON_FREE *body = json_pack("{s:s, s:s}", "value", buf_cstr(&hex), "instance", d->instance);
    TRY(err_wrap(e, ask(d, &ans, "POST", &url, body, REPORT_MS, NULL, e),
                 "log in at the scheduler"));
    if (ans.body.n >= sizeof(d->token)) {
        return err_set(e, RC_CODE_MALFORMED, "log in at the scheduler: its token is too long");
    }
    (void)snprintf(d->token, sizeof(d->token), "%s", buf_cstr(&ans.body));
    (void)gethostname(host, sizeof(host) - 1);
    buf_reset(&url);
    put_at(&url, d, "/workers/register");
    JSON_FREE *model = json_pack(
        "{s:s, s:s, s:I, s:b}", "name", d->cfg->name != NULL ? d->cfg->name : host, "walletAddress",
        who, "cpuNb", (json_int_t)d->cfg->slots, "teeEnabled", d->cfg->tee_key != NULL);
    return err_wrap(e, ask(d, &ans, "POST", &url, model, REPORT_MS, NULL, e),
                    "register at the scheduler");
}

rc desk_work(struct desk *d, struct work_item *items, size_t max, size_t *n, size_t slots,
             uint64_t wait_ms, bool lost, bool (*stop)(void *), struct err *e)
{
    BUF_FREE url = buf_new(1024);
    HTTP_ANSWER ans = {0};
    *n = 0;
    put_at(&url, d, "/work");
    put_fmt(&url, "?slots=%zu&wait=%llu%s", slots, (unsigned long long)wait_ms,
            lost ? "&again=1" : "");
    TRY(err_wrap(e, ask(d, &ans, "GET", &url, NULL, wait_ms + REPORT_MS, stop, e),
                 "ask the scheduler for work"));
    JSON_FREE *j = json_parse(buf_bytes(&ans.body), 8, e);
    struct js top = js_top(j), list = js_key(&top, "work");
    TRY(j != NULL ? js_array(&list, max, e) : RC(MALFORMED));
    for (size_t i = 0; i < js_n(&list); i++) {
        struct js one = js_at(&list, i);
        TRY(work_item_parse(&items[*n], &one, e));
        (*n)++;
    }
    return RC_OK;
}

/* What an application printed may be any bytes; JSON takes UTF-8 only. */
static json_t *tail_json(struct bytes b)
{
    BUF_FREE text = buf_new((size_t)4 * LOG_TAIL_MAX);
    if (b.n > LOG_TAIL_MAX) {
        b.p += b.n - LOG_TAIL_MAX;
        b.n = LOG_TAIL_MAX;
    }
    json_t *whole = json_stringn(b.n > 0 ? (const char *)b.p : "", b.n);
    if (whole != NULL && memchr(b.p, 0, b.n) == NULL) {
        return whole;
    }
    json_decref(whole);
    for (size_t i = 0; i < b.n; i++) {
        bool plain = (b.p[i] >= 0x20 && b.p[i] < 0x7f) || b.p[i] == '\n' || b.p[i] == '\t';
        put_u8(&text, plain ? b.p[i] : '?');
    }
    return json_stringn((const char *)text.p, text.n);
}

rc desk_report(struct desk *d, struct hash task, const struct desk_report *r, struct err *e)
{
    char id[HEX_HASH_MAX];
    BUF_FREE url = buf_new(1024);
    HTTP_ANSWER ans = {0};
    JSON_FREE *details = json_object();
    const struct {
        const char *key, *value;
    } texts[] = {{"cause", r->cause},
                 {"errorMessage", r->message},
                 {"resultLink", r->link},
                 {"evidence", r->evidence}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i].value != NULL) {
            (void)json_object_set_new(details, texts[i].key, json_string(texts[i].value));
        }
    }
    if (r->exit_code >= 0) {
        (void)json_object_set_new(details, "exitCode", json_integer(r->exit_code));
        (void)json_object_set_new(
            details, "computeLogs",
            json_pack("{s:o, s:o}", "stdout", tail_json(r->out), "stderr", tail_json(r->err)));
    }
    if (r->callback.n > 0) {
        BUF_FREE hex = buf_new((size_t)1 << 20);
        put_0x(&hex, r->callback);
        (void)json_object_set_new(details, "chainCallbackData", json_string(buf_cstr(&hex)));
    }
    JSON_FREE *body = json_pack("{s:s, s:O}", "status", r->status, "details", details);
    put_at(&url, d, "/replicates/");
    put_fmt(&url, "%s/updateStatus", hex_hash(id, task));
    return err_wrap(e, ask(d, &ans, "POST", &url, body, REPORT_MS, NULL, e),
                    "report %s to the scheduler", r->status);
}
