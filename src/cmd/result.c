/* SPDX-License-Identifier: Apache-2.0 */
/* result.c - `souk result get`, and what follows a task to its end. */
#include "cmd/result.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "crypto/aes.h"
#include "crypto/rsa.h"
#include "daemon/runtime/runtime.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

#define RESULT_MAX    ((uint64_t)1 << 30) /* as the SDK's limit for encrypted results */
#define RSA_KEY_MAX   1000                /* bytes of aes-key.rsa, as there */
#define RESULT_BITS   3072
#define POLL_FIRST_MS 10
#define POLL_MAX_MS   500

const char *task_status_text(enum task_status st)
{
    switch (st) {
    case TASK_UNSET:
        return "waiting for the scheduler";
    case TASK_ACTIVE:
        return "active: workers compute";
    case TASK_REVEALING:
        return "revealing: consensus is reached";
    case TASK_COMPLETED:
        return "completed";
    case TASK_FAILED:
        return "failed: claimed after the deadline";
    }
    return "unknown";
}

rc task_wait(struct session *s, struct view_task *out, struct hash task, uint64_t timeout_ms,
             bool talk, struct err *e)
{
    uint64_t t0 = clock_mono_ms(), pause = POLL_FIRST_MS;
    enum task_status last = TASK_UNSET;
    for (;;) {
        struct arena a;
        struct view_task t = {0};
        arena_init(&a, (size_t)8 << 20);
        rc r = client_view_task(s->client, &t, &a, task, e);
        enum task_status now = rc_ok(r) ? t.status : TASK_UNSET;
        arena_reset(&a);
        if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
            return r;
        }
        if (now != last) {
            if (talk) {
                (void)fprintf(stderr, "  %6.1f s  %s\n", (double)(clock_mono_ms() - t0) / 1000.0,
                              task_status_text(now));
            }
            last = now;
            pause = POLL_FIRST_MS;
        }
        if (now == TASK_COMPLETED || now == TASK_FAILED) {
            return client_view_task(s->client, out, &s->a, task, e);
        }
        if (clock_mono_ms() - t0 > timeout_ms) {
            return err_set(e, RC_CODE_LIMIT,
                           "the task is not done after %llu s; it goes on: souk task watch",
                           (unsigned long long)(timeout_ms / 1000));
        }
        clock_sleep_ms(pause);
        pause = MIN(pause + pause / 4 + 1, POLL_MAX_MS);
    }
}

rc result_key(struct session *s, struct secret *private_pem, struct buf *pub, struct err *e)
{
    if (s->o->wallet == NULL) {
        return err_set(e, RC_CODE_MALFORMED,
                       "an encrypted result needs --wallet NAME, whose result key opens it");
    }
    const char *path = session_fmt(s, "%s/keys/%s.result.pem", s->state, s->o->wallet);
    const char *pub_path = session_fmt(s, "%s/keys/%s.result.pub", s->state, s->o->wallet);
    if (!file_exists(path)) {
        BUF_FREE made = buf_new(8192);
        if (!rc_ok(rsa_new(&made, private_pem, RESULT_BITS))) {
            return err_set(e, RC_CODE_IO, "make a result key");
        }
        TRY(file_write(pub_path, buf_bytes(&made), 0600, e));
        TRY(file_create(path, secret_bytes(private_pem), 0600, e));
    } else {
        BUF_FREE pem = buf_new(16384);
        rc r = file_read(&pem, path, e);
        if (rc_ok(r)) {
            r = secret_copy(private_pem, buf_bytes(&pem));
        }
        if (pem.p != NULL) {
            mem_wipe(pem.p, pem.n);
        }
        TRY(r);
    }
    return pub != NULL ? file_read(pub, pub_path, e) : RC_OK;
}

/* `{ "storage": "ipfs", "location": "/ipfs/…" }` */
static rc location_of(struct session *s, const struct view_task *t, const char **out, struct err *e)
{
    JSON_FREE *j = json_parse(t->results, JSON_DEPTH_MAX, e);
    struct js top = js_top(j), storage = js_key(&top, "storage"), where = js_key(&top, "location");
    const char *kind = NULL, *loc = NULL;
    if (j == NULL || !rc_ok(js_str(&kind, &storage, e)) || !rc_ok(js_str(&loc, &where, e))) {
        return err_set(e, RC_CODE_NOT_FOUND, "the task stored no result that can be fetched");
    }
    if (strcmp(kind, "ipfs") != 0) {
        return err_set(e, RC_CODE_NOT_FOUND, "the result is stored by '%.30s' at %.100s", kind,
                       loc);
    }
    *out = session_fmt(s, "%s", loc);
    return RC_OK;
}

static rc fetch(struct session *s, struct buf *zip, const char *location, struct err *e)
{
    CLOSE_FD fd = memfd_create("result", MFD_CLOEXEC);
    uint64_t size = 0;
    if (fd < 0 || s->gateway == NULL) {
        return err_set(e, RC_CODE_NOT_FOUND, "no store: give --gateway URL");
    }
    TRY(store_fetch(client_http(s->client), fd, &size, s->gateway, bytes_str(location), RESULT_MAX,
                    e));
    uint8_t *to = buf_grow(zip, size);
    if (to == NULL || pread(fd, to, size, 0) != (ssize_t)size) {
        return err_set(e, RC_CODE_LIMIT, "the result is too large");
    }
    return RC_OK;
}

static const struct zip_entry *find(const struct zip_entry *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

/* iexec_out.zip.aes under an AES key that is under our RSA key. SPEC sdk-surface 9 */
static rc decrypt(struct session *s, struct buf *plain, const struct zip_entry *key,
                  const struct zip_entry *data, struct err *e)
{
    SECRET_FREE pem = {0}, aes = {0};
    if (key->data.n > RSA_KEY_MAX) {
        return err_set(e, RC_CODE_LIMIT, "aes-key.rsa is too large");
    }
    TRY(result_key(s, &pem, NULL, e));
    if (!rc_ok(rsa_decrypt(&aes, &pem, key->data)) || aes.n != 32 ||
        !rc_ok(aes_cbc_decrypt(plain, aes.p, data->data))) {
        return err_set(e, RC_CODE_DENIED,
                       "the result was encrypted for another key than %s's result key",
                       s->o->wallet);
    }
    return RC_OK;
}

rc result_fetch(struct session *s, const struct view_task *t, const char *dir, bool *encrypted,
                struct err *e)
{
    const char *location = NULL;
    struct zip_entry list[8];
    size_t n = 0;
    BUF_FREE zip = buf_new(RESULT_MAX), plain = buf_new(RESULT_MAX);
    if (t->status != TASK_COMPLETED) {
        return err_set(e, RC_CODE_NOT_FOUND, "the task is not completed (%s)",
                       task_status_text(t->status));
    }
    TRY(location_of(s, t, &location, e));
    TRY(fetch(s, &zip, location, e));
    struct arena a;
    arena_init(&a, RESULT_MAX);
    const struct zip_entry *key = NULL, *data = NULL;
    if (rc_ok(zip_parse(list, &n, ARRAY_LEN(list), &a, buf_bytes(&zip), NULL))) {
        key = find(list, n, "aes-key.rsa");
        data = find(list, n, "iexec_out.zip.aes");
    }
    *encrypted = key != NULL && data != NULL;
    rc r = RC_OK;
    if (*encrypted) {
        r = decrypt(s, &plain, key, data, e);
    }
    if (rc_ok(r)) {
        r = zip_unpack(dir, buf_bytes(*encrypted ? &plain : &zip), RESULT_MAX, e);
    }
    arena_reset(&a);
    if (plain.p != NULL) {
        mem_wipe(plain.p, plain.n);
    }
    return err_wrap(e, r, "result");
}

rc task_lookup(struct session *s, struct hash *task, struct view_task *out, const char *text,
               uint64_t index, struct err *e)
{
    struct view_deal deal;
    struct hash id;
    if (!rc_ok(hex_parse_hash(&id, text))) {
        return err_set(e, RC_CODE_MALFORMED, "'%.70s' is neither a task's nor a deal's id", text);
    }
    *task = id;
    rc r = client_view_task(s->client, out, &s->a, id, e);
    if (rc_ok(r) || r.code != RC_CODE_NOT_FOUND) {
        return r;
    }
    r = client_view_deal(s->client, &deal, &s->a, id, e);
    if (r.code == RC_CODE_NOT_FOUND) {
        return err_set(e, RC_CODE_NOT_FOUND, "there is no task and no deal %.66s", text);
    }
    TRY(r);
    if (index >= deal.bot_size) {
        return err_set(e, RC_CODE_NOT_FOUND, "the deal has %llu tasks, counted from 0",
                       (unsigned long long)deal.bot_size);
    }
    *task = order_task_id(id, u256_from(deal.bot_first + index));
    r = client_view_task(s->client, out, &s->a, *task, e);
    if (r.code == RC_CODE_NOT_FOUND) { /* agreed on, not begun */
        *out = (struct view_task){.status = TASK_UNSET, .dealid = id};
        return RC_OK;
    }
    return r;
}

/* --- souk result get --------------------------------------------------------------------------- */

struct result_opts {
    struct session_opts so;
    const char *id, *out;
    uint64_t index;
};

static rc get(struct session *s, void *opts, struct err *e)
{
    const struct result_opts *o = opts;
    struct hash task;
    struct view_task t;
    bool encrypted;
    char id[HEX_HASH_MAX];
    TRY(task_lookup(s, &task, &t, o->id, o->index, e));
    const char *dir = o->out != NULL ? o->out : session_fmt(s, "result-%.10s", hex_hash(id, task));
    TRY(result_fetch(s, &t, dir, &encrypted, e));
    if (o->so.json) {
        print_json(json_pack("{s:o, s:s, s:b, s:o}", "task", json_hash_text(task), "folder", dir,
                             "encrypted", encrypted, "digest", json_hash_text(t.result_digest)));
    } else {
        (void)printf("%s%s\n", dir, encrypted ? " (was encrypted for you)" : "");
    }
    return RC_OK;
}

/* clang-format off */
static const struct opt table[] = {
    {"index", OPT_U64, offsetof(struct result_opts, index), "N", "0", 0, 0, "which task of a deal, counted from 0"},
    {"out", OPT_STR, offsetof(struct result_opts, out), "DIR", NULL, 0, 0, "folder to unpack into (default: result-TASK)"},
    SESSION_SIGNER(struct result_opts), SESSION_SERVICES(struct result_opts), SESSION_OPTS(struct result_opts), {.name = NULL},
};
/* clang-format on */

static const struct opts get_options = {
    .command = "result get",
    .summary =
        "Fetches the result of a completed task from the store, opens it when it was encrypted "
        "for your wallet, and unpacks it.",
    .args = "TASK|DEAL",
    .args_min = 1,
    .args_max = 1,
    .table = table,
    .example = "  souk result get 0x5c75bb… --wallet alice --out answer",
};

static int run_get(int argc, char **argv)
{
    struct result_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&get_options, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        o.id = rest.v[0];
        status = session_run(&o.so, "result get", get, &o);
    }
    arena_reset(&a);
    return status;
}

int cmd_result(int argc, char **argv)
{
    static const struct verb verbs[] = {{"get", "fetch and open a result", run_get}, {0}};
    return verbs_run("result", "results of tasks", verbs, argc, argv);
}
