/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/secp.h"
#include "crypto/sha2.h"
#include "daemon/enclave/enclave_int.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/json.h"

#define PROGRAM_MAX ((size_t)256 << 20)

static rc measure_self(struct hash *out, struct err *e)
{
    BUF_FREE program = buf_new(PROGRAM_MAX);
    TRY(file_read(&program, "/proc/self/exe", e));
    *out = sha256(buf_bytes(&program));
    return RC_OK;
}

static void put_endpoint(struct buf *url, const struct agent *g, const char *what)
{
    const char *base = g->cfg->sms;
    size_t n = strlen(base);
    put_mem(url, base, n - (n > 0 && base[n - 1] == '/'));
    put_str(url, "/provision/");
    put_url(url, bytes_str(g->cfg->session));
    put_fmt(url, "/%s", what);
}

/* Refusals come as {"error", "message", "link"}: the sentence is for people, and holds no secret. */
static rc refusal(const struct http_answer *ans, struct err *e)
{
    JSON_FREE *v = json_parse(buf_bytes(&ans->body), 8, NULL);
    const char *code = json_string_value(json_object_get(v, "error"));
    const char *why = json_string_value(json_object_get(v, "message"));
    if (code == NULL) {
        return http_answer_check(ans, e);
    }
    return err_set(e, ans->status >= 500 ? RC_CODE_IO : RC_CODE_DENIED,
                   "the secret manager refuses: %.40s: %.160s", code, why == NULL ? "" : why);
}

static rc post(json_t **out, struct agent *g, const char *what, struct bytes body, struct err *e)
{
    BUF_FREE url = buf_new(4096);
    HTTP_ANSWER ans = {0};
    put_endpoint(&url, g, what);
    struct http_call call = {.method = "POST",
                             .url = buf_cstr(&url),
                             .type = body.n > 0 ? "application/json" : NULL,
                             .body = body,
                             .answer_max = PROVISION_BODY_MAX * 2};
    TRY(err_wrap(e, http_call(g->http, &ans, &call, e), "secret manager"));
    if (ans.status != 200) {
        return refusal(&ans, e);
    }
    *out = json_parse(buf_bytes(&ans.body), 8, e);
    return *out != NULL ? RC_OK : err_wrap(e, RC(MALFORMED), "the secret manager's answer");
}

static rc get_nonce(struct agent *g, struct err *e)
{
    JSON_FREE *v = NULL;
    TRY(post(&v, g, "nonce", (struct bytes){0}, e));
    struct js top = js_top(v), nonce = js_key(&top, "nonce"), task = js_key(&top, "taskId");
    TRY(js_hash(&g->binding.nonce, &nonce, e));
    return js_hash(&g->binding.task, &task, e);
}

static rc get_secrets(struct secret *plain, struct agent *g, const struct secret *key,
                      struct err *e)
{
    BUF_FREE body = buf_new(PROVISION_BODY_MAX);
    BUF_FREE sealed = buf_new(PROVISION_BODY_MAX);
    JSON_FREE *v = NULL;
    char hex[HEX_HASH_MAX];
    const char *text = NULL;
    uint8_t ephemeral[64];
    put_fmt(&body, "{\"nonce\":\"%s\",\"publicKey\":\"", hex_hash(hex, g->binding.nonce));
    put_0x(&body, BYTES_OF(g->binding.public_key));
    put_fmt(&body, "\",\"image\":\"%s\"", hex_hash(hex, g->image_digest));
    put_fmt(&body, ",\"agent\":\"%s\",\"evidence\":\"", hex_hash(hex, g->agent_digest));
    put_base64(&body, buf_bytes(&g->evidence));
    put_str(&body, "\"}");
    TRY(buf_end(&body));
    TRY(post(&v, g, "secrets", buf_bytes(&body), e));
    struct js top = js_top(v), pub = js_key(&top, "publicKey"), box = js_key(&top, "sealed");
    TRY(js_str(&text, &pub, e));
    if (!rc_ok(hex_decode_exact(ephemeral, sizeof(ephemeral), bytes_str(text)))) {
        return js_err(&pub, e, "must be 64 bytes");
    }
    TRY(js_str(&text, &box, e));
    if (!rc_ok(base64_decode(&sealed, bytes_str(text)))) {
        return js_err(&box, e, "must be base64");
    }
    return rc_ok(provision_open(plain, key, ephemeral, &g->binding, buf_bytes(&sealed)))
               ? RC_OK
               : err_set(e, RC_CODE_DENIED,
                         "the secret manager's answer does not open with our "
                         "key: somebody changed it on the way");
}

rc agent_ask(struct agent *g, struct err *e)
{
    SECRET_FREE key = {0};
    SECRET_FREE plain = {0};
    struct evidence_request q;
    if (strlen(g->cfg->session) > PROVISION_SESSION_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "the session id is too long");
    }
    TRY(measure_self(&g->agent_digest, e));
    TRY(secp_key_new(&key));
    g->binding.session = g->cfg->session;
    g->binding.image = g->image_digest;
    TRY(secp_public(g->binding.public_key, &key));
    TRY(get_nonce(g, e));
    provision_report_data(q.report_data, &g->binding);
    q.agent = g->agent_digest;
    q.image = g->image_digest;
    TRY(g->cfg->provider->quote(g->cfg->provider->ctx, &g->evidence, &q, e));
    TRY(get_secrets(&plain, g, &key, e));
    rc r = tee_session_parse(&g->session, &g->arena, secret_bytes(&plain), e);
    if (!rc_ok(r)) {
        return err_wrap(e, r, "the session that the secret manager gave");
    }
    /* The secret manager looked at the chain for us; we hold it to what we are going to do. */
    if (!hash_eq(g->session.task, g->binding.task) ||
        !hash_eq(g->session.app_checksum, g->image_digest)) {
        return err_set(e, RC_CODE_DENIED, "the session is for another task or application");
    }
    return RC_OK;
}
