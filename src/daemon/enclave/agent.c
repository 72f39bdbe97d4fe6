/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/enclave/enclave_int.h"

#define AGENT_ARENA ((size_t)32 << 20)

rc agent_fail(struct agent *g, struct err *e, rc r, const char *cause)
{
    (void)e;
    g->away = r.code == RC_CODE_IO;
    if (g->cause[0] == 0) {
        (void)snprintf(g->cause, sizeof(g->cause), "%s", cause);
    }
    return r;
}

static rc make_place(struct agent *g, struct err *e)
{
    const char *work = g->cfg->work;
    TRY(private_enter(work, &g->notes, e));
    TRY(path_join(g->in, work, "in", e));
    TRY(path_join(g->out, work, "out", e));
    TRY(path_join(g->fetch, work, "fetch", e));
    return dir_make(g->in, 0700, e);
}

/* The worker may own the image cache, so we do not take it from there: the file is checked against
 * its own digest and unpacked into the private place. */
static rc take_image(struct agent *g, struct err *e)
{
    char cache[FILE_PATH_MAX];
    TRY(path_join(cache, g->cfg->work, "image", e));
    rc r = image_unpack(&g->image, &g->arena, g->cfg->image, NULL, cache, e);
    if (!rc_ok(r)) {
        return agent_fail(g, e, r, "APP_IMAGE_DOWNLOAD_FAILED");
    }
    return image_digest_parse(&g->image_digest, g->image.digest);
}

static rc run_app(struct agent *g, struct err *e)
{
    struct run_spec spec = {.image = &g->image,
                            .env = g->session.env,
                            .in_dir = g->in,
                            .out_dir = g->out,
                            .limits = g->cfg->limits,
                            .cancel_fd = g->cfg->cancel_fd};
    if (g->session.args[0] != 0) {
        rc r = run_args_parse(&spec.args, &g->arena, g->session.args, e);
        if (!rc_ok(r)) {
            return agent_fail(g, e, r, "APP_COMPUTE_FAILED");
        }
    }
    rc r = runtime_run(&spec, &g->run, e);
    put_bytes(&g->notes, buf_bytes(&g->run.notes));
    if (!rc_ok(r)) {
        return agent_fail(g, e, r, "APP_COMPUTE_FAILED");
    }
    g->ran = true;
    if (g->run.end == RUN_EXITED && g->run.exit_code == 0) {
        return RC_OK;
    }
    if (g->run.end == RUN_EXITED) {
        return agent_fail(
            g, e,
            err_set(e, RC_CODE_DENIED, "the application ended with exit code %d", g->run.exit_code),
            "APP_COMPUTE_FAILED");
    }
    return agent_fail(
        g, e,
        err_set(e, RC_CODE_LIMIT, "the application: %s: %s", run_end_name(g->run.end), g->run.why),
        g->run.end == RUN_TIMEOUT ? "APP_COMPUTE_TIMEOUT" : "APP_COMPUTE_FAILED");
}

static rc steps(struct agent *g, struct err *e)
{
    rc r = make_place(g, e);
    if (rc_ok(r)) {
        r = http_client_open(&g->http, e);
    }
    if (!rc_ok(r)) {
        return agent_fail(g, e, r, "TEE_PREPARATION_FAILED");
    }
    TRY(take_image(g, e));
    r = agent_ask(g, e);
    if (!rc_ok(r)) {
        return agent_fail(g, e, r, "TEE_PREPARATION_FAILED");
    }
    TRY(agent_pre(g, e));
    TRY(run_app(g, e));
    return agent_post(g, e);
}

/* tmpfs goes with the namespace; a folder on disk is removed by us. */
static void leave_place(struct agent *g)
{
    struct err e;
    (void)umount2(g->cfg->work, MNT_DETACH);
    if (!rc_ok(dir_remove(g->cfg->work, &e)) && file_exists(g->cfg->work)) {
        put_fmt(&g->notes, "private place: not removed: %s\n", e.msg);
    }
}

rc enclave_run(const struct enclave_config *cfg, struct buf *report, struct err *e)
{
    struct err why = {0};
    struct agent *g = calloc(1, sizeof(*g));
    ASSERT(g != NULL);
    g->cfg = cfg;
    g->notes = buf_new(16384);
    g->evidence = buf_new((size_t)512 << 10);
    arena_init(&g->arena, AGENT_ARENA);
    rc r = steps(g, &why);
    leave_place(g);
    agent_report(report, g, rc_ok(r), &why);
    tee_session_free(&g->session);
    http_client_close(g->http);
    run_result_free(&g->run);
    buf_free(&g->notes);
    buf_free(&g->evidence);
    arena_reset(&g->arena);
    mem_wipe(g, sizeof(*g));
    free(g);
    return rc_ok(buf_end(report)) ? RC_OK : err_set(e, RC_CODE_LIMIT, "enclave: report too large");
}
