/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "daemon/enclave/enclave_int.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/json.h"
#include "io/proc.h"

#define TAIL_MAX ((size_t)100000) /* SPEC offchain 1.1 */

static void put_text(struct buf *b, const char *key, struct bytes v)
{
    put_fmt(b, ",\"%s\":", key);
    json_put_str(b, v);
}

static void put_hash(struct buf *b, const char *key, struct hash h)
{
    char hex[HEX_HASH_MAX];
    put_fmt(b, ",\"%s\":\"%s\"", key, hex_hash(hex, h));
}

static void put_hex_field(struct buf *b, const char *key, struct bytes v)
{
    put_fmt(b, ",\"%s\":\"", key);
    put_0x(b, v);
    put_str(b, "\"");
}

/* Logs are the application's bytes: JSON takes UTF-8 alone, others become '?'. */
static void put_log(struct buf *b, const char *key, const struct buf *log)
{
    BUF_WIPE text = buf_new(TAIL_MAX + 1);
    size_t from = log->n > TAIL_MAX ? log->n - TAIL_MAX : 0;
    for (size_t i = from; i < log->n; i++) {
        uint8_t c = log->p[i];
        put_u8(&text, (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' ? c : '?');
    }
    put_text(b, key, buf_bytes(&text));
}

static void put_evidence(struct buf *b, const struct agent *g)
{
    put_fmt(b, ",\"evidence\":{\"kind\":\"%s\",\"simulated\":%s", g->cfg->provider->kind,
            g->cfg->provider->simulated ? "true" : "false");
    put_text(b, "sessionId", bytes_str(g->cfg->session));
    put_hash(b, "taskId", g->binding.task);
    put_hash(b, "nonce", g->binding.nonce);
    put_hex_field(b, "publicKey", BYTES_OF(g->binding.public_key));
    put_hash(b, "image", g->image_digest);
    put_hash(b, "agent", g->agent_digest);
    put_str(b, ",\"evidence\":\"");
    put_base64(b, buf_bytes(&g->evidence));
    put_str(b, "\"}");
}

void agent_report(struct buf *b, const struct agent *g, bool ok, const struct err *e)
{
    const struct tee_session *s = &g->session;
    bool show_logs = g->ran && !s->encrypt;
    put_fmt(b, "{\"ok\":%s,\"exitCode\":%d,\"encrypted\":%s", ok ? "true" : "false",
            g->ran ? g->run.exit_code : -1, s->encrypt ? "true" : "false");
    put_text(b, "cause",
             bytes_str(ok                 ? ""
                       : g->cause[0] != 0 ? g->cause
                                          : "POST_COMPUTE_FAILED_UNKNOWN_ISSUE"));
    put_text(b, "message", bytes_str(ok ? "" : e->msg));
    put_fmt(b, ",\"away\":%s", !ok && g->away ? "true" : "false");
    put_hash(b, "taskId", s->task);
    put_hex_field(b, "worker", BYTES_OF(s->worker));
    put_hex_field(b, "enclaveChallenge", BYTES_OF(s->challenge));
    put_hash(b, "resultDigest", g->digest.digest);
    put_hash(b, "resultHash", g->result_hash);
    put_hash(b, "resultSeal", g->result_seal);
    put_hex_field(b, "enclaveSignature", BYTES_OF(g->signature));
    put_hex_field(b, "callbackData", g->digest.computed.callback);
    if (ok && s->callback) {
        put_str(b, ",\"resultLink\":\"{ \\\"storage\\\": \\\"ethereum\\\", \\\"location\\\": \\\"");
        put_0x(b, g->digest.computed.callback);
        put_str(b, "\\\" }\"");
    } else {
        put_text(b, "resultLink", bytes_str(g->link));
    }
    /* What an application prints may show what it saw: it is in the encrypted result. */
    struct buf none = {0};
    put_log(b, "stdout", show_logs ? &g->run.out : &none);
    put_log(b, "stderr", show_logs ? &g->run.err : &none);
    put_text(b, "notes", buf_bytes(&g->notes));
    put_evidence(b, g);
    put_str(b, "}\n");
}

/* --- the worker's side --- */

static rc take_text(const char **out, struct arena *a, const struct js *o, const char *key,
                    struct err *e)
{
    struct js j = js_key(o, key);
    const char *s = NULL;
    TRY(js_str(&s, &j, e));
    size_t n = strlen(s) + 1;
    char *p = arena_alloc(a, n);
    if (p == NULL) {
        return js_err(&j, e, "is too long");
    }
    memcpy(p, s, n);
    *out = p;
    return RC_OK;
}

static rc take_hash(struct hash *out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return js_hash(out, &j, e);
}

static rc take_result(struct enclave_report *out, struct arena *a, const struct js *top,
                      struct err *e)
{
    struct js cb = js_key(top, "callbackData"), sig = js_key(top, "enclaveSignature");
    const char *s = NULL;
    TRY(take_hash(&out->digest, top, "resultDigest", e));
    TRY(take_hash(&out->result_hash, top, "resultHash", e));
    TRY(take_hash(&out->result_seal, top, "resultSeal", e));
    TRY(take_text(&out->link, a, top, "resultLink", e));
    TRY(js_hex(&out->callback, a, &cb, CALLBACK_MAX, e));
    TRY(js_str(&s, &sig, e));
    return rc_ok(hex_decode_exact(out->signature, sizeof(out->signature), bytes_str(s)))
               ? RC_OK
               : js_err(&sig, e, "must be 65 bytes");
}

static rc take_evidence(struct enclave_report *out, struct arena *a, const struct js *top,
                        struct err *e)
{
    struct js ev = js_key(top, "evidence"), sim = js_key(&ev, "simulated");
    BUF_FREE text = buf_new(ENCLAVE_REPORT_MAX);
    TRY(js_object(&ev, e));
    TRY(take_text(&out->kind, a, &ev, "kind", e));
    TRY(js_bool(&out->simulated, &sim, e));
    json_put(&text, ev.v);
    char *p = arena_alloc(a, text.n + 1);
    if (p == NULL || !rc_ok(buf_end(&text))) {
        return js_err(&ev, e, "is too large");
    }
    memcpy(p, text.p, text.n);
    out->evidence_json = p;
    return RC_OK;
}

rc enclave_report_parse(struct enclave_report *out, struct arena *a, struct bytes json,
                        struct err *e)
{
    *out = (struct enclave_report){0};
    JSON_FREE *v = json_parse(json, 8, e);
    if (v == NULL) {
        return RC(MALFORMED);
    }
    struct js top = js_top(v), ok = js_key(&top, "ok"), enc = js_key(&top, "encrypted");
    struct js code = js_key(&top, "exitCode"), worker = js_key(&top, "worker");
    struct js challenge = js_key(&top, "enclaveChallenge"), away = js_key(&top, "away");
    TRY(js_object(&top, e));
    TRY(js_bool(&out->ok, &ok, e));
    TRY(js_bool(&out->encrypted, &enc, e));
    if (js_has(&top, "away")) {
        TRY(js_bool(&out->away, &away, e));
    }
    if (!json_is_integer(code.v) || json_integer_value(code.v) < -1 ||
        json_integer_value(code.v) > 255) {
        return js_err(&code, e, "must be -1 to 255");
    }
    out->exit_code = (int)json_integer_value(code.v);
    TRY(take_hash(&out->task, &top, "taskId", e));
    TRY(js_address(&out->worker, &worker, e));
    TRY(js_address(&out->challenge, &challenge, e));
    TRY(take_text(&out->cause, a, &top, "cause", e));
    TRY(take_text(&out->message, a, &top, "message", e));
    TRY(take_text(&out->out, a, &top, "stdout", e));
    TRY(take_text(&out->err, a, &top, "stderr", e));
    TRY(take_text(&out->notes, a, &top, "notes", e));
    TRY(take_result(out, a, &top, e));
    return take_evidence(out, a, &top, e);
}

struct arg_list {
    const char *v[64];
    char text[24][32]; /* of numbers */
    size_t n, texts;
};

static void add(struct arg_list *l, const char *name, const char *value)
{
    ASSERT(l->n + 3 < ARRAY_LEN(l->v));
    l->v[l->n++] = name;
    l->v[l->n++] = value;
}

static void add_number(struct arg_list *l, const char *name, uint64_t value)
{
    char *t = l->text[l->texts++];
    ASSERT(l->texts < ARRAY_LEN(l->text));
    (void)snprintf(t, sizeof(l->text[0]), "%llu", (unsigned long long)value);
    add(l, name, t);
}

rc enclave_spawn(struct enclave_report *out, struct arena *a, const struct enclave_config *cfg,
                 const char *tee_key, struct err *e)
{
    struct arg_list l = {.v = {"/proc/self/exe", "enclave"}, .n = 2};
    const struct run_limits *m = &cfg->limits;
    add(&l, "--sms", cfg->sms);
    add(&l, "--session", cfg->session);
    add(&l, "--image", cfg->image);
    add(&l, "--work", cfg->work);
    add(&l, "--store", cfg->store);
    add(&l, "--gateway", cfg->gateway);
    if (tee_key != NULL) {
        add(&l, "--simulated-tee", tee_key);
    }
    add_number(&l, "--wall", m->wall_ms);
    add_number(&l, "--cpu", m->cpu_ms);
    add_number(&l, "--memory", m->memory);
    add_number(&l, "--processes", m->processes);
    add_number(&l, "--tmp-size", m->tmp_size);
    add_number(&l, "--out-size", m->out_size);
    add_number(&l, "--out-files", m->out_files);
    add_number(&l, "--file-size", m->file_size);
    add_number(&l, "--open-files", m->open_files);
    add_number(&l, "--log-size", m->log_size);
    add_number(&l, "--data-max", cfg->data_max);
    l.v[l.n] = NULL;
    BUF_FREE json = buf_new(ENCLAVE_REPORT_MAX);
    BUF_FREE log = buf_new(4096);
    struct proc_spec spec = {.argv = l.v, .die_with_parent = true, .own_group = true};
    int status = 0;
    /* Fetching, asking and uploading have their own deadlines, far below this slack. */
    TRY(proc_run(&spec, m->wall_ms + 1800000, &json, &log, &status, e));
    if (json.n == 0) {
        return err_set(e, RC_CODE_IO, "the enclave agent ended with status %d: %.180s", status,
                       buf_cstr(&log));
    }
    return err_wrap(e, enclave_report_parse(out, a, buf_bytes(&json), e), "the agent's report");
}
