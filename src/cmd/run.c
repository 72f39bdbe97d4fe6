/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "daemon/runtime/runtime.h"
#include "encoding/hex.h"
#include "io/file.h"
#include "io/json.h"
#include "io/opts.h"

struct run_args {
    const char *in, *out, *cache, *args;
    struct opt_list env;
    struct run_limits l;
    uint64_t log_size;
    bool proc, json;
};

/* clang-format off */
static const struct opt table[] = {
    OPT("in", OPT_STR, run_args, in, "DIR", NULL, 0, 0, "seen by the application as /iexec_in"),
    OPT("out", OPT_STR, run_args, out, "DIR", NULL, 0, 0, "gets /iexec_out; must be new or empty"),
    OPT("args", OPT_STR, run_args, args, "LINE", NULL, 0, 0, "arguments, split like a shell does"),
    OPT("env", OPT_LIST, run_args, env, "NAME=VALUE", NULL, 0, 0, "environment; repeat it"),
    OPT("cache", OPT_STR, run_args, cache, "DIR", NULL, 0, 0,
        "where images are unpacked; default: a temporary folder"),
    OPT("wall", OPT_MS, run_args, l.wall_ms, "TIME", "5m", 1, 0, "time on the clock"),
    OPT("cpu", OPT_MS, run_args, l.cpu_ms, "TIME", "5m", 1, 0, "time on processors"),
    OPT("memory", OPT_SIZE, run_args, l.memory, "SIZE", "1g", 4194304, 0, "memory, /tmp included"),
    OPT("processes", OPT_U64, run_args, l.processes, "N", "64", 1, 0, "processes and threads"),
    OPT("tmp-size", OPT_SIZE, run_args, l.tmp_size, "SIZE", "64m", 4096, 0, "room in /tmp"),
    OPT("out-size", OPT_SIZE, run_args, l.out_size, "SIZE", "256m", 4096, 0, "room in /iexec_out"),
    OPT("out-files", OPT_U64, run_args, l.out_files, "N", "1000", 1, 0, "files in /iexec_out"),
    OPT("file-size", OPT_SIZE, run_args, l.file_size, "SIZE", "256m", 1, 0, "of one file"),
    OPT("open-files", OPT_U64, run_args, l.open_files, "N", "256", 8, 0, "descriptors"),
    OPT("log-size", OPT_SIZE, run_args, log_size, "SIZE", "100000", 0, 1073741824,
        "kept of stdout and of stderr"),
    OPT("proc", OPT_FLAG, run_args, proc, NULL, NULL, 0, 0, "give it a /proc of its own processes"),
    OPT("json", OPT_FLAG, run_args, json, NULL, NULL, 0, 0, "print the verdict as JSON"),
    {NULL, OPT_FLAG, 0, NULL, NULL, 0, 0, NULL},
};
/* clang-format on */

static const struct opts opts = {
    .command = "run",
    .summary =
        "Run an image as a worker would: isolated, without network, under limits. Prints "
        "its logs, the\nverdict and the result's digest. Exit status: the application's, "
        "1 when a limit ended it, 2 when\nit could not be started.",
    .args = "IMAGE",
    .args_min = 1,
    .args_max = 1,
    .table = table,
    .example = "  souk run app.tar --in inputs --out result --args 'hello world' --wall 10s\n",
};

static void put_json(const struct run_result *res, const char *digest)
{
    BUF_FREE b = buf_new(BUF_CAP_DEFAULT);
    put_fmt(&b,
            "{\"end\":\"%s\",\"exitCode\":%d,\"wallMs\":%llu,\"cpuMs\":%llu,\"memoryPeak\":%llu,"
            "\"outSize\":%llu,\"outFiles\":%llu,\"resultDigest\":",
            run_end_name(res->end), res->exit_code, (unsigned long long)res->wall_ms,
            (unsigned long long)res->cpu_ms, (unsigned long long)res->memory_peak,
            (unsigned long long)res->out_size, (unsigned long long)res->out_files);
    if (digest[0] != 0) {
        json_put_str(&b, bytes_str(digest));
    } else {
        put_str(&b, "null");
    }
    put_str(&b, ",\"why\":");
    json_put_str(&b, bytes_str(res->why));
    put_str(&b, ",\"notes\":");
    json_put_str(&b, buf_bytes(&res->notes));
    put_str(&b, "}\n");
    (void)fputs(buf_cstr(&b), stdout);
}

static void put_text(const struct run_result *res, const char *digest, const struct err *e)
{
    (void)fwrite(res->out.p, 1, res->out.n, stdout);
    (void)fwrite(res->err.p, 1, res->err.n, stderr);
    (void)fwrite(res->notes.p, 1, res->notes.n, stderr);
    (void)fprintf(stderr, "%s: exit code %d, %llu ms, cpu %llu ms%s%s\n", run_end_name(res->end),
                  res->exit_code, (unsigned long long)res->wall_ms, (unsigned long long)res->cpu_ms,
                  res->why[0] == 0 ? "" : ": ", res->why);
    if (digest[0] != 0) {
        (void)fprintf(stderr, "result digest %s\n", digest);
    } else if (e->msg[0] != 0) {
        (void)fprintf(stderr, "%s\n", e->msg);
    }
}

/* The sandbox has another working folder: its mounts need whole paths. NULL stays NULL. */
static rc whole_path(const char **path, struct arena *a, struct err *e)
{
    char real[PATH_MAX];
    if (*path == NULL) {
        return RC_OK;
    }
    if (realpath(*path, real) == NULL) {
        return err_set(e, RC_CODE_NOT_FOUND, "%s: %s", *path, strerror(errno));
    }
    size_t n = strlen(real) + 1;
    char *copy = arena_alloc(a, n);
    ASSERT(copy != NULL);
    memcpy(copy, real, n);
    *path = copy;
    return RC_OK;
}

static int run_image(struct run_args *args, struct arena *a, const char *file, const char *cache,
                     struct err *e)
{
    if (!rc_ok(whole_path(&args->in, a, e)) ||
        (args->out != NULL && !rc_ok(dir_make(args->out, 0700, e))) ||
        !rc_ok(whole_path(&args->out, a, e))) {
        return 2;
    }
    struct run_spec spec = {.in_dir = args->in, .out_dir = args->out, .proc = args->proc};
    struct run_result res;
    char digest[HEX_HASH_MAX] = {0};
    struct image *img = ARENA_NEW(a, struct image);
    ASSERT(img != NULL);
    args->l.log_size = (size_t)args->log_size;
    args->env.v[MIN(args->env.n, OPT_LIST_MAX - 1)] = NULL;
    spec.limits = args->l;
    spec.env = args->env.v;
    spec.image = img;
    if (!rc_ok(image_unpack(img, a, file, NULL, cache, e)) ||
        (args->args != NULL && !rc_ok(run_args_parse(&spec.args, a, args->args, e)))) {
        return 2;
    }
    rc r = runtime_run(&spec, &res, e);
    if (rc_ok(r)) {
        struct run_digest d;
        if (args->out != NULL && res.end == RUN_EXITED &&
            rc_ok(result_digest(&d, a, args->out, e))) {
            (void)hex_hash(digest, d.digest);
        }
        if (args->json) {
            put_json(&res, digest);
        } else {
            put_text(&res, digest, e);
        }
        e->msg[0] = 0;
    }
    int status = !rc_ok(r) ? 2 : res.end == RUN_EXITED ? res.exit_code : 1;
    run_result_free(&res);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct run_args args = {0};
    struct opts_rest rest;
    struct arena a;
    struct err e = {0};
    char tmp[] = "/tmp/souk-run.XXXXXX";
    arena_init(&a, IMAGE_ARENA_MAX);
    enum opts_what what = opts_parse(&opts, &args, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN && args.cache == NULL && mkdtemp(tmp) == NULL) {
        (void)fprintf(stderr, "souk run: cannot make a folder in /tmp; give --cache DIR\n");
    } else if (what == OPTS_RUN) {
        status = run_image(&args, &a, rest.v[0], args.cache == NULL ? tmp : args.cache, &e);
        if (e.msg[0] != 0) {
            (void)fprintf(stderr, "souk run: %s\n", e.msg);
        }
        if (args.cache == NULL && !rc_ok(dir_remove(tmp, &e))) {
            (void)fprintf(stderr, "souk run: %s\n", e.msg);
        }
    }
    arena_reset(&a);
    return status;
}
