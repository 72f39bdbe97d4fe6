/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/secp.h"
#include "daemon/enclave/enclave_int.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/json.h"

/* The names are those of docs/sms.md and SPEC offchain 4.2. */

void tee_session_free(struct tee_session *s)
{
    for (size_t i = 0; i < SESSION_DATA_MAX; i++) {
        secret_free(&s->data[i].key);
    }
    secret_free(&s->sign_key);
    for (size_t i = 0; i < SESSION_INPUTS_MAX; i++) {
        secret_free(&s->input_key[i]);
    }
}

static rc keep(const char **out, struct arena *a, const char *s, struct err *e)
{
    size_t n = strlen(s) + 1;
    char *p = arena_alloc(a, n);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "session: too large");
    }
    memcpy(p, s, n);
    *out = p;
    return RC_OK;
}

static rc take_text(const char **out, struct arena *a, const struct js *o, const char *key,
                    struct err *e)
{
    struct js j = js_key(o, key);
    const char *s = NULL;
    TRY(js_str(&s, &j, e));
    return keep(out, a, s, e);
}

/* An absent or empty variable is "". */
static const char *opt_text(const struct js *o, const char *key)
{
    struct js j = js_key(o, key);
    const char *s = json_string_value(j.v);
    return s == NULL ? "" : s;
}

static rc take_yes(bool *out, const struct js *o, const char *key, const char *yes, struct err *e)
{
    struct js j = js_key(o, key);
    const char *s = NULL;
    TRY(js_str(&s, &j, e));
    *out = strcmp(s, yes) == 0;
    return RC_OK;
}

/* 32 bytes in base64, straight into locked memory as far as our own code goes. */
static rc key_of_base64(struct secret *out, const char *text)
{
    BUF_WIPE raw = buf_new(64);
    if (strlen(text) > 64 || !rc_ok(base64_decode(&raw, bytes_str(text))) || raw.n != 32) {
        return RC(MALFORMED);
    }
    return secret_copy(out, buf_bytes(&raw));
}

static rc take_task(struct tee_session *s, const struct js *top, struct err *e)
{
    struct js t = js_key(top, "task");
    struct js id = js_key(&t, "taskId"), deal = js_key(&t, "dealId");
    struct js sum = js_key(&t, "appChecksum"), data = js_key(&t, "dataset");
    struct js worker = js_key(&t, "worker"), challenge = js_key(&t, "enclaveChallenge");
    TRY(js_hash(&s->task, &id, e));
    TRY(js_hash(&s->deal, &deal, e));
    TRY(js_hash(&s->app_checksum, &sum, e));
    TRY(js_address(&s->dataset, &data, e));
    TRY(js_address(&s->worker, &worker, e));
    return js_address(&s->challenge, &challenge, e);
}

/* A multiaddress in binary form comes as 0x-hex. */
static rc take_url(struct bytes *out, struct arena *a, const char *text, struct err *e)
{
    *out = bytes_str(text);
    if (text[0] != '0' || text[1] != 'x') {
        return RC_OK;
    }
    BUF_FREE raw = buf_new(4096);
    uint8_t *p = NULL;
    if (!rc_ok(hex_decode(&raw, bytes_str(text))) || raw.n == 0 ||
        (p = arena_alloc(a, raw.n)) == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "session: a dataset's URL is no address");
    }
    memcpy(p, raw.p, raw.n);
    *out = (struct bytes){p, raw.n};
    return RC_OK;
}

/* The dataset of the variables prefix + URL, CHECKSUM, KEY, FILENAME. In a bulk those that the deal
 * may not use have empty values: they are left out. */
static rc take_dataset(struct tee_session *s, struct arena *a, const struct js *env,
                       const char *prefix, bool bulk, struct err *e)
{
    static const char *const parts[] = {"URL", "CHECKSUM", "KEY", "FILENAME"};
    char name[4][64];
    struct tee_data *d = &s->data[s->data_n];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(name[i], sizeof(name[i]), "%s%s", prefix, parts[i]);
    }
    struct js sum = js_key(env, name[1]), key = js_key(env, name[2]), file = js_key(env, name[3]);
    const char *url = NULL, *text = NULL;
    TRY(take_text(&url, a, env, name[0], e));
    if (bulk && url[0] == 0) {
        return RC_OK;
    }
    TRY(take_url(&d->url, a, url, e));
    TRY(take_text(&d->name, a, env, name[3], e));
    TRY(js_hash(&d->checksum, &sum, e));
    if (d->name[0] == 0 || d->name[0] == '.' || strlen(d->name) > 200 ||
        strchr(d->name, '/') != NULL) {
        return js_err(&file, e, "must be a plain file name");
    }
    TRY(js_str(&text, &key, e));
    s->data_n++;
    return rc_ok(key_of_base64(&d->key, text)) ? RC_OK
                                               : js_err(&key, e, "must be 32 bytes in base64");
}

static rc take_count(size_t *out, const struct js *env, const char *key, size_t max, struct err *e)
{
    const char *text = opt_text(env, key);
    size_t digits = strspn(text, "0123456789");
    unsigned long n = strtoul(text, NULL, 10);
    if (text[digits] != 0 || digits > 9 || n > max) {
        return err_set(e, RC_CODE_MALFORMED, "session: %s must be a number up to %zu", key, max);
    }
    *out = n;
    return RC_OK;
}

static rc take_pre(struct tee_session *s, struct arena *a, const struct js *env, struct err *e)
{
    char name[64];
    bool has_dataset = false;
    size_t bulk = 0, inputs = 0;
    TRY(take_yes(&has_dataset, env, "IS_DATASET_REQUIRED", "true", e));
    TRY(take_count(&bulk, env, "IEXEC_BULK_SLICE_SIZE", SESSION_DATA_MAX - 1, e));
    TRY(take_count(&inputs, env, "IEXEC_INPUT_FILES_NUMBER", SESSION_INPUTS_MAX, e));
    if (s->data_n > 0 || s->inputs_n > 0) {
        return err_set(e, RC_CODE_MALFORMED, "session: pre-compute twice");
    }
    if (has_dataset) {
        TRY(take_dataset(s, a, env, "IEXEC_DATASET_", false, e));
    }
    for (size_t i = 0; i < bulk; i++) {
        (void)snprintf(name, sizeof(name), "IEXEC_DATASET_%zu_", i + 1);
        TRY(take_dataset(s, a, env, name, true, e));
    }
    for (; s->inputs_n < inputs; s->inputs_n++) {
        (void)snprintf(name, sizeof(name), "IEXEC_INPUT_FILE_URL_%zu", s->inputs_n + 1);
        TRY(take_text(&s->input_url[s->inputs_n], a, env, name, e));
    }
    return RC_OK;
}

/* A requester's secret of the form "souk-input:N:BASE64" is the key of input file N: it is the
 * agent's, and the application never sees it. True when it was one. */
static rc take_input_key(struct tee_session *s, bool *taken, const char *value)
{
    char *end = NULL;
    *taken = strncmp(value, "souk-input:", 11) == 0;
    if (!*taken) {
        return RC_OK;
    }
    unsigned long n = strtoul(value + 11, &end, 10);
    if (*end != ':' || n == 0 || n > SESSION_INPUTS_MAX || s->input_key[n - 1].n != 0) {
        return RC(MALFORMED);
    }
    return key_of_base64(&s->input_key[n - 1], end + 1);
}

static rc take_app(struct tee_session *s, struct arena *a, const struct js *svc,
                   const struct js *env, struct err *e)
{
    size_t n = 0;
    void *it = json_object_iter((json_t *)(uintptr_t)env->v);
    for (; it != NULL; it = json_object_iter_next((json_t *)(uintptr_t)env->v, it)) {
        const char *key = json_object_iter_key(it);
        struct js value = js_key(env, key);
        const char *v = NULL;
        bool taken = false;
        TRY(js_str(&v, &value, e));
        if (strncmp(key, "IEXEC_REQUESTER_SECRET_", 23) == 0) {
            if (!rc_ok(take_input_key(s, &taken, v))) {
                return js_err(&value, e, "is no key of an input file: souk-input:N:BASE64");
            }
        }
        if (taken) {
            continue;
        }
        size_t size = strlen(key) + strlen(v) + 2;
        char *line = n < SESSION_ENV_MAX && strchr(key, '=') == NULL ? arena_alloc(a, size) : NULL;
        if (line == NULL) {
            return js_err(env, e, "has too many variables, or one with '=' in its name");
        }
        (void)snprintf(line, size, "%s=%s", key, v);
        s->env[n++] = line;
    }
    return keep(&s->args, a, opt_text(svc, "args"), e);
}

static rc take_post(struct tee_session *s, struct arena *a, const struct js *env, struct err *e)
{
    struct js key = js_key(env, "SIGN_TEE_CHALLENGE_PRIVATE_KEY");
    const char *text = NULL;
    TRY(js_str(&text, &key, e));
    TRY(secret_new(&s->sign_key, 32));
    struct address who;
    if (!rc_ok(hex_decode_exact(s->sign_key.p, 32, bytes_str(text))) ||
        !rc_ok(secp_address(&who, &s->sign_key)) || !address_eq(who, s->challenge)) {
        return js_err(&key, e, "is not the key of the task's enclave challenge");
    }
    TRY(take_yes(&s->encrypt, env, "RESULT_ENCRYPTION", "yes", e));
    TRY(take_yes(&s->callback, env, "RESULT_STORAGE_CALLBACK", "yes", e));
    TRY(keep(&s->provider, a, opt_text(env, "RESULT_STORAGE_PROVIDER"), e));
    if (!s->encrypt) {
        return RC_OK;
    }
    BUF_FREE pem = buf_new(16384);
    struct js pub = js_key(env, "RESULT_ENCRYPTION_PUBLIC_KEY");
    TRY(js_str(&text, &pub, e));
    if (!rc_ok(base64_decode(&pem, bytes_str(text))) || pem.n == 0) {
        return js_err(&pub, e, "must be a PEM public key in base64");
    }
    uint8_t *p = arena_alloc(a, pem.n);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "session: too large");
    }
    memcpy(p, pem.p, pem.n);
    s->public_pem = (struct bytes){p, pem.n};
    return RC_OK;
}

rc tee_session_parse(struct tee_session *out, struct arena *a, struct bytes json, struct err *e)
{
    *out = (struct tee_session){0};
    JSON_FREE *v = json_parse(json, 16, e);
    if (v == NULL) {
        return RC(MALFORMED);
    }
    struct js top = js_top(v), version = js_key(&top, "version");
    struct js simulated = js_key(&top, "simulated"), list = js_key(&top, "services");
    uint64_t n = 0;
    bool app = false, post = false;
    TRY(js_u64(&n, &version, 1000, e));
    if (n != 1) {
        return js_err(&version, e, "must be 1: this agent is of another release");
    }
    TRY(js_bool(&out->simulated, &simulated, e));
    TRY(take_task(out, &top, e));
    TRY(js_array(&list, 8, e));
    for (size_t i = 0; i < js_n(&list); i++) {
        struct js svc = js_at(&list, i), name = js_key(&svc, "name");
        struct js env = js_key(&svc, "environment");
        const char *s = NULL;
        TRY(js_str(&s, &name, e));
        TRY(js_object(&env, e));
        if (strcmp(s, "pre-compute") == 0) {
            TRY(take_pre(out, a, &env, e));
        } else if (strcmp(s, "app") == 0 && !app) {
            TRY(take_app(out, a, &svc, &env, e));
            app = true;
        } else if (strcmp(s, "post-compute") == 0 && !post) {
            TRY(take_post(out, a, &env, e));
            post = true;
        } else {
            return js_err(&name, e, "is no stage of a task");
        }
    }
    return app && post ? RC_OK : js_err(&list, e, "must have app and post-compute");
}
