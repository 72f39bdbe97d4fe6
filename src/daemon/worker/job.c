/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - one piece of work, in a process of its own: SPEC offchain 2.2. Each step can be done again;
 * what must not be lost is in the journal before the vote is cast. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/sha2.h"
#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define ARENA_MAX    ((size_t)64 << 20)
#define ZIP_MAX      ((size_t)512 << 20)
#define RETRY_MS     300000 /* while chain, store or scheduler are away */
#define RETRY_NOW_MS 100
#define RETRY_MAX_MS 5000
#define MISSING_MAX  5 /* times that something absent, or too slow, is asked for */

rc job_fail(struct job *j, struct err *e, const char *cause, const char *fmt, ...)
{
    char text[240]; /* the arguments may be e's own message */
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    j->cause = cause;
    return err_set(e, RC_CODE_DENIED, "%s", text);
}

void job_step(struct job *j, const char *what)
{
    uint64_t now = clock_mono_us();
    log_debug(AREA, "step=%s us=%llu", what, (unsigned long long)(now - j->step_us));
    j->step_us = now;
}

static rc in_dir(const struct job *j, char out[FILE_PATH_MAX], const char *name, struct err *e)
{
    return path_join(out, j->dir, name, e);
}

/* --- running --- */

struct env {
    const char *v[16 + INPUTS_MAX];
    size_t n;
    struct arena *a;
};

static void env_put(struct env *env, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void env_put(struct env *env, const char *fmt, ...)
{
    char *p = arena_alloc(env->a, 512);
    va_list ap;
    if (p == NULL || env->n + 1 >= ARRAY_LEN(env->v)) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(p, 512, fmt, ap);
    va_end(ap);
    env->v[env->n++] = p;
}

/* SPEC sdk-surface 10 */
static void make_env(const struct job *j, struct env *env)
{
    char task[HEX_HASH_MAX], deal[HEX_HASH_MAX], dataset[HEX_ADDRESS_MAX], name[HEX_HASH_MAX];
    unsigned long long idx = j->item->idx;
    (void)hex_address(dataset, j->deal.dataset.pointer);
    env_put(env, "IEXEC_TASK_ID=%s", hex_hash(task, j->item->task));
    env_put(env, "IEXEC_DEAL_ID=%s", hex_hash(deal, j->item->deal));
    env_put(env, "IEXEC_TASK_INDEX=%llu", idx);
    env_put(env, "IEXEC_IN=/iexec_in");
    env_put(env, "IEXEC_OUT=/iexec_out");
    env_put(env, "IEXEC_BOT_SIZE=%llu", (unsigned long long)j->deal.bot_size);
    env_put(env, "IEXEC_BOT_FIRST_INDEX=%llu", (unsigned long long)j->deal.bot_first);
    env_put(env, "IEXEC_BOT_TASK_INDEX=%llu", idx);
    env_put(env, "IEXEC_DATASET_ADDRESS=%s", dataset);
    env_put(env, "IEXEC_DATASET_FILENAME=%s", dataset);
    env_put(env, "IEXEC_INPUT_FILES_NUMBER=%zu", j->params.n_inputs);
    if (j->params.n_inputs > 0) {
        env_put(env, "IEXEC_INPUT_FILES_FOLDER=/iexec_in");
    }
    for (size_t i = 0; i < j->params.n_inputs; i++) {
        struct hash h = sha256(bytes_str(j->params.inputs[i]));
        env_put(env, "IEXEC_INPUT_FILE_NAME_%zu=%s", i + 1, hex_hash(name, h));
    }
}

struct run_limits job_limits(const struct job *j)
{
    struct run_limits l = run_limits_default();
    l.wall_ms = MIN(j->task.timeref, (uint64_t)365 * 24 * 3600) * 1000;
    l.cpu_ms = l.wall_ms * l.processes;
    l.log_size = LOG_TAIL_MAX;
    if (j->cfg->memory_max > 0) {
        l.memory = j->cfg->memory_max;
    }
    return l;
}

static rc run_app(struct job *j, struct run_result *res, const char *in, const char *out,
                  struct err *e)
{
    struct env env = {.a = j->a};
    char name[HEX_HASH_MAX];
    const char *const *args = NULL;
    make_env(j, &env);
    if (j->params.args != NULL && !rc_ok(run_args_parse(&args, j->a, j->params.args, e))) {
        return job_fail(j, e, "TASK_DESCRIPTION_INVALID", "iexec_args: %s",
                        e != NULL ? e->msg : "");
    }
    struct run_spec spec = {.image = &j->image,
                            .args = args,
                            .env = env.v,
                            .in_dir = in,
                            .out_dir = out,
                            .limits = job_limits(j),
                            .name = hex_hash(name, j->item->task)};
    rc r = runtime_run(&spec, res, e);
    job_step(j, "sandbox");
    if (r.code == RC_CODE_DENIED || r.code == RC_CODE_MALFORMED) {
        return job_fail(j, e, "APP_COMPUTE_FAILED", "%s", e != NULL ? e->msg : "");
    }
    return r;
}

static rc judge_run(struct job *j, const struct run_result *res, struct err *e)
{
    j->exit_code = res->exit_code;
    put_bytes(&j->out, buf_bytes(&res->out));
    put_bytes(&j->err, buf_bytes(&res->notes));
    put_bytes(&j->err, buf_bytes(&res->err));
    if (res->end == RUN_TIMEOUT || res->end == RUN_CPU) {
        return job_fail(j, e, "APP_COMPUTE_TIMEOUT", "%s", res->why);
    }
    if (res->end != RUN_EXITED) {
        return job_fail(j, e, "APP_COMPUTE_FAILED", "%s", res->why);
    }
    return res->exit_code == 0
               ? RC_OK
               : job_fail(j, e, "APP_COMPUTE_FAILED", "the application ended with exit code %d",
                          res->exit_code);
}

/* Not synced: it is in the zip in a moment. */
static rc put_file(const char *dir, const char *name, struct bytes data, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, dir, name, e));
    CLOSE_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd >= 0 ? fd_write_all(fd, data, e)
                   : err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
}

/* SPEC offchain 2.4: among the results when the application ended well. */
static rc keep_logs(const struct job *j, const char *out, struct err *e)
{
    TRY(put_file(out, "stdout.txt", buf_bytes(&j->out), e));
    return put_file(out, "stderr.txt", buf_bytes(&j->err), e);
}

/* Digest and zip of what the application left. */
static rc make_result(struct job *j, struct buf *zip, const char *out, struct err *e)
{
    struct run_digest d;
    rc r = result_digest(&d, j->a, out, e);
    if (!rc_ok(r)) {
        return job_fail(j, e,
                        r.code == RC_CODE_NOT_FOUND
                            ? "POST_COMPUTE_COMPUTED_FILE_NOT_FOUND"
                            : "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED",
                        "the application's result: %s", e != NULL ? e->msg : "");
    }
    if (!address_is_zero(j->deal.callback) && !d.computed.has_callback) {
        return job_fail(j, e, "POST_COMPUTE_RESULT_DIGEST_COMPUTATION_FAILED",
                        "the deal has a callback and computed.json has no callback-data");
    }
    j->journal.digest = d.digest;
    j->journal.callback = d.computed.has_callback ? d.computed.callback : (struct bytes){0};
    TRY(keep_logs(j, out, e));
    r = result_zip(zip, out, e);
    return rc_ok(r) ? r
                    : job_fail(j, e,
                               r.code == RC_CODE_DENIED ? "POST_COMPUTE_TOO_LONG_RESULT_FILE_NAME"
                                                        : "POST_COMPUTE_OUT_FOLDER_ZIP_FAILED",
                               "the application's result: %s", e != NULL ? e->msg : "");
}

static void set_link(struct job *j, const char *cid)
{
    /* SPEC sdk-surface 10: with exactly these spaces */
    (void)snprintf(j->journal.link, sizeof(j->journal.link),
                   "{ \"storage\": \"ipfs\", \"location\": \"/ipfs/%s\" }", cid);
}

static rc upload(struct job *j, struct bytes zip, const char *path, struct err *e)
{
    char cid[CID_TEXT_MAX];
    rc r = store_add(client_http(j->chain), cid, j->cfg->store, path, zip, e);
    if (!rc_ok(r)) {
        j->cause = "RESULT_LINK_MISSING";
        return r;
    }
    set_link(j, cid);
    return RC_OK;
}

static rc run_plain(struct job *j, struct err *e)
{
    char in[FILE_PATH_MAX], out[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct run_result res = {0};
    BUF_FREE zip = buf_new(ZIP_MAX);
    TRY(in_dir(j, in, "in", e));
    TRY(in_dir(j, out, "out", e));
    TRY(in_dir(j, path, "result.zip", e));
    TRY(dir_remove(out, e)); /* of an attempt that was killed */
    rc r = run_app(j, &res, in, out, e);
    if (rc_ok(r)) {
        r = judge_run(j, &res, e);
    }
    run_result_free(&res);
    TRY(r);
    TRY(make_result(j, &zip, out, e));
    job_step(j, "zip");
    if (j->cfg->lie) { /* each liar his own lie */
        j->journal.digest = sha256_2(BYTES_OF(j->cfg->signer->address), BYTES_OF(j->item->task));
        j->journal.callback = (struct bytes){0};
    }
    if (!address_is_zero(j->deal.callback)) {
        return RC_OK; /* the result is the callback's data, on the chain */
    }
    return ballot_is_sure(j) ? upload(j, buf_bytes(&zip), NULL, e)
                             : file_write(path, buf_bytes(&zip), 0600, e);
}

/* --- reports --- */

static void report_now(struct job *j)
{
    struct err e;
    char text[HEX_HASH_MAX];
    struct desk_report r = {.status = "COMPUTED",
                            .link = j->journal.link[0] != '\0' ? j->journal.link : NULL,
                            .callback = j->journal.callback,
                            .evidence = j->evidence,
                            .out = buf_bytes(&j->out),
                            .err = buf_bytes(&j->err),
                            .exit_code = j->ran ? j->exit_code : -1};
    rc ok = desk_report(j->desk, j->item->task, &r, &e);
    j->reported = rc_ok(ok);
    if (!j->reported) {
        log_warn(AREA, "task=%s %s", hex_hash(text, j->item->task), e.msg);
    }
}

static rc report_link(struct job *j, struct err *e)
{
    struct desk_report r = {.status = "RESULT_UPLOADED",
                            .link = j->journal.link[0] != '\0' ? j->journal.link : NULL,
                            .callback = j->journal.callback,
                            .exit_code = -1};
    return j->reported ? RC_OK : desk_report(j->desk, j->item->task, &r, e);
}

static void report_failure(struct job *j, const struct err *e)
{
    struct err why;
    char text[HEX_HASH_MAX];
    struct desk_report r = {.status = "FAILED",
                            .cause = j->cause != NULL ? j->cause : "UNKNOWN_ISSUE",
                            .message = e->msg,
                            .out = buf_bytes(&j->out),
                            .err = buf_bytes(&j->err),
                            .exit_code = j->out.n + j->err.n > 0 ? j->exit_code : -1};
    log_warn(AREA, "task=%s failed: %s: %s", hex_hash(text, j->item->task), r.cause, e->msg);
    if (!rc_ok(desk_report(j->desk, j->item->task, &r, &why))) {
        log_warn(AREA, "task=%s %s", hex_hash(text, j->item->task), why.msg);
    }
}

/* --- the steps --- */

/* Everything before the vote. */
static rc compute(struct job *j, struct err *e)
{
    bool tee = tag_is_tee(j->deal.tag);
    if (!j->fetched) {
        TRY(check_assets(j, e));
        job_step(j, "assets");
        TRY(fetch_image(j, e));
        TRY(tee ? RC_OK : fetch_data(j, e)); /* the agent fetches what it decrypts */
        j->fetched = true;
        job_step(j, "fetch");
    }
    if (!j->ran) {
        TRY(tee ? tee_run(j, e) : run_plain(j, e));
        j->ran = true;
        job_step(j, "run");
    }
    TRY(journal_write(j->dir, &j->journal, e));
    job_step(j, "journal");
    return RC_OK;
}

static rc upload_kept(struct job *j, struct err *e)
{
    char path[FILE_PATH_MAX];
    if (j->journal.link[0] == '\0' && j->journal.callback.n == 0) {
        TRY(in_dir(j, path, "result.zip", e));
        TRY(upload(j, (struct bytes){0}, path, e));
        TRY(journal_write(j->dir, &j->journal, e));
    }
    return report_link(j, e);
}

static rc step_run(struct job *j, struct err *e)
{
    rc known = journal_read(&j->journal, j->a, j->dir, NULL);
    TRY(check_task(j, e));
    job_step(j, "check");
    if (j->contribution.status != CONTRIBUTION_UNSET) { /* killed behind its contribution */
        if (!rc_ok(known)) {
            return job_fail(j, e, "DETERMINISM_HASH_NOT_FOUND",
                            "this worker has contributed, and what it contributed is lost");
        }
        if (j->task.status == TASK_REVEALING) {
            TRY(ballot_reveal(j, e));
            return upload_kept(j, e);
        }
        return RC_OK;
    }
    if (!rc_ok(known)) {
        TRY(compute(j, e));
    }
    if (j->journal.tee && ballot_is_sure(j) && j->task.n_contributors == 0) {
        return tee_finalize(j, e);
    }
    TRY(ballot_cast(j, e));
    job_step(j, "mined");
    return ballot_is_sure(j) ? report_link(j, e) : RC_OK;
}

static rc step(struct job *j, struct err *e)
{
    if (j->item->what == WORK_RUN) {
        return step_run(j, e);
    }
    if (!rc_ok(journal_read(&j->journal, j->a, j->dir, e))) {
        return job_fail(j, e, "DETERMINISM_HASH_NOT_FOUND", "what to reveal is lost: %s", e->msg);
    }
    if (j->item->what == WORK_REVEAL) {
        TRY(check_read(j, e));
        return ballot_reveal(j, e);
    }
    return upload_kept(j, e);
}

/* Again while others are away: a kill of chain, store or scheduler is none of the task's faults. */
static rc step_patiently(struct job *j, struct err *e)
{
    uint64_t end = clock_mono_ms() + RETRY_MS, pause_ms = RETRY_NOW_MS;
    for (int missing = 0;;) {
        rc r = step(j, e);
        bool away = r.code == RC_CODE_IO;
        bool absent = r.code == RC_CODE_NOT_FOUND || r.code == RC_CODE_LIMIT;
        missing += absent;
        if ((!away && !absent) || missing >= MISSING_MAX || clock_mono_ms() + pause_ms > end) {
            return r;
        }
        log_info(AREA, "trying again in %llu ms: %s", (unsigned long long)pause_ms, e->msg);
        clock_sleep_ms(pause_ms);
        pause_ms = MIN(pause_ms * 2, (uint64_t)RETRY_MAX_MS);
    }
}

int job_main(const struct worker_config *cfg, const struct work_item *item, struct desk *desk,
             const struct client *parent)
{
    struct arena a;
    struct err e = {0};
    char id[HEX_HASH_MAX], tasks[FILE_PATH_MAX];
    struct job j = {.cfg = cfg,
                    .item = item,
                    .desk = desk,
                    .a = &a,
                    .step_us = clock_mono_us(),
                    .out = buf_new((size_t)4 * LOG_TAIL_MAX),
                    .err = buf_new((size_t)4 * LOG_TAIL_MAX),
                    .report_now = report_now};
    arena_init(&a, ARENA_MAX);
    rc r = path_join(tasks, cfg->state, "tasks", &e);
    if (rc_ok(r)) {
        r = path_join(j.dir, tasks, hex_hash(id, item->task), &e);
    }
    if (rc_ok(r)) {
        r = dir_make(j.dir, 0755, &e);
    }
    if (rc_ok(r)) {
        r = client_open_child(&j.chain, parent, &e);
    }
    if (rc_ok(r)) {
        desk->http = client_http(j.chain);
        r = step_patiently(&j, &e);
        if (!rc_ok(r)) {
            report_failure(&j, &e);
        }
    } else {
        log_error(AREA, "task=%s %s", id, e.msg);
    }
    client_close(j.chain);
    buf_free(&j.out);
    buf_free(&j.err);
    arena_reset(&a);
    return rc_ok(r) ? 0 : 1;
}
