/* SPDX-License-Identifier: Apache-2.0 */
/* item.c - what the scheduler hands out, and a deal's parameters. */
#include <stdio.h>

#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"

static rc authorization_parse(struct work_item *out, const struct js *j, struct err *e)
{
    struct js auth = js_key(j, "workerpoolAuthorization"), task = js_key(&auth, "chainTaskId"),
              challenge = js_key(&auth, "enclaveChallenge"), sig = js_key(&auth, "signature"),
              value = js_key(&sig, "value"), sms = js_key(j, "smsUrl");
    const char *text;
    struct hash id;
    TRY(js_object(&auth, e));
    TRY(js_hash(&id, &task, e));
    TRY(js_address(&out->challenge, &challenge, e));
    TRY(js_str(&text, &value, e));
    if (!hash_eq(id, out->task)) {
        return js_err(&task, e, "is of another task");
    }
    if (!rc_ok(hex_decode_exact(out->authorization, 65, bytes_str(text)))) {
        return js_err(&value, e, "must be a signature of 65 bytes");
    }
    if (js_has(j, "smsUrl")) {
        TRY(js_str(&text, &sms, e));
        if (strlen(text) >= sizeof(out->sms)) {
            return js_err(&sms, e, "is too long");
        }
        (void)snprintf(out->sms, sizeof(out->sms), "%s", text);
    }
    return RC_OK;
}

rc work_item_parse(struct work_item *out, const struct js *j, struct err *e)
{
    static const char *const names[] = {"run", "reveal", "upload", "drop"};
    struct js action = js_key(j, "action"), task = js_key(j, "chainTaskId"),
              deal = js_key(j, "dealId"), idx = js_key(j, "taskIndex");
    const char *text;
    *out = (struct work_item){0};
    TRY(js_object(j, e));
    TRY(js_str(&text, &action, e));
    TRY(js_hash(&out->task, &task, e));
    size_t i = 0;
    while (i < ARRAY_LEN(names) && strcmp(names[i], text) != 0) {
        i++;
    }
    if (i == ARRAY_LEN(names)) {
        return js_err(&action, e, "must be run, reveal, upload or drop");
    }
    out->what = (enum work)i;
    if (out->what != WORK_DROP) {
        TRY(js_hash(&out->deal, &deal, e));
        TRY(js_u64(&out->idx, &idx, INT64_MAX, e));
    }
    return out->what == WORK_RUN ? authorization_parse(out, j, e) : RC_OK;
}

/* --- parameters --- */

static rc copy_text(const char **out, struct arena *a, const char *s, struct err *e)
{
    size_t n = strlen(s) + 1;
    char *p = arena_alloc(a, n);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "the deal's parameters are too long");
    }
    memcpy(p, s, n);
    *out = p;
    return RC_OK;
}

static rc inputs_parse(struct task_params *out, struct arena *a, const struct js *list,
                       struct err *e)
{
    TRY(js_array(list, INPUTS_MAX, e));
    for (size_t i = 0; i < js_n(list); i++) {
        struct js one = js_at(list, i);
        const char *url;
        TRY(js_str(&url, &one, e));
        if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
            return js_err(&one, e, "must be an http:// or https:// URL");
        }
        TRY(copy_text(&out->inputs[out->n_inputs++], a, url, e));
    }
    return RC_OK;
}

rc task_params_parse(struct task_params *out, struct arena *a, struct bytes text, struct err *e)
{
    struct err why;
    JSON_FREE *j = json_parse(text, 8, &why);
    *out = (struct task_params){0};
    if (!json_is_object(j)) {
        BUF_FREE line = buf_new(1 << 16);
        put_bytes(&line, text);
        return text.n == 0 ? RC_OK : copy_text(&out->args, a, buf_cstr(&line), e);
    }
    struct js top = js_top(j), args = js_key(&top, "iexec_args"),
              inputs = js_key(&top, "iexec_input_files"),
              encrypt = js_key(&top, "iexec_result_encryption");
    const char *s;
    if (args.v != NULL) {
        TRY(js_str(&s, &args, e));
        TRY(copy_text(&out->args, a, s, e));
    }
    if (inputs.v != NULL) {
        TRY(inputs_parse(out, a, &inputs, e));
    }
    if (encrypt.v != NULL) {
        TRY(js_bool(&out->encrypt, &encrypt, e));
    }
    out->has_secrets = js_has(&top, "iexec_secrets");
    out->has_bulk = js_has(&top, "bulk_cid");
    return RC_OK;
}
