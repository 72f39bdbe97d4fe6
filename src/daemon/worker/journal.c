/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - what a task needs after a kill: written once, before the contribution, durably. */
#include <stdio.h>

#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"

#define JOURNAL_MAX ((size_t)1 << 20)

static json_t *hex_json(struct bytes b)
{
    struct buf t = buf_new(JOURNAL_MAX);
    put_0x(&t, b);
    json_t *j = json_string(buf_cstr(&t));
    buf_free(&t);
    return j;
}

rc journal_write(const char *dir, const struct journal *j, struct err *e)
{
    char path[FILE_PATH_MAX];
    BUF_FREE text = buf_new(JOURNAL_MAX);
    JSON_FREE *o =
        json_pack("{s:o, s:o, s:o, s:b, s:s, s:o}", "digest", hex_json(BYTES_OF(j->digest)),
                  "enclaveChallenge", hex_json(BYTES_OF(j->challenge)), "enclaveSign",
                  hex_json((struct bytes){j->enclave_sign, 65}), "tee", j->tee, "link", j->link,
                  "callback", hex_json(j->callback));
    json_put(&text, o);
    TRY(path_join(path, dir, "journal.json", e));
    return file_write(path, buf_bytes(&text), 0600, e);
}

rc journal_parse(struct journal *j, struct arena *a, struct bytes text, struct err *e)
{
    JSON_FREE *v = json_parse(text, 4, e);
    struct js top = js_top(v), digest = js_key(&top, "digest"),
              challenge = js_key(&top, "enclaveChallenge"), sign = js_key(&top, "enclaveSign"),
              tee = js_key(&top, "tee"), link = js_key(&top, "link"), cb = js_key(&top, "callback");
    struct bytes sig;
    const char *s;
    *j = (struct journal){0};
    if (v == NULL) {
        return RC(MALFORMED);
    }
    TRY(js_hash(&j->digest, &digest, e));
    TRY(js_address(&j->challenge, &challenge, e));
    TRY(js_hex(&sig, a, &sign, 65, e));
    TRY(js_bool(&j->tee, &tee, e));
    TRY(js_str(&s, &link, e));
    TRY(js_hex(&j->callback, a, &cb, CALLBACK_MAX, e));
    if (sig.n != 65 || strlen(s) >= LINK_TEXT_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "enclaveSign or link has a wrong length");
    }
    memcpy(j->enclave_sign, sig.p, 65);
    (void)snprintf(j->link, sizeof(j->link), "%s", s);
    return RC_OK;
}

rc journal_read(struct journal *j, struct arena *a, const char *dir, struct err *e)
{
    char path[FILE_PATH_MAX];
    struct bytes text;
    TRY(path_join(path, dir, "journal.json", e));
    TRY(file_read_arena(&text, a, path, JOURNAL_MAX, e));
    return err_wrap(e, journal_parse(j, a, text, e), "%s", path);
}
