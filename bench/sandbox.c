/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox IMAGE PROGRAM N - what the runtime adds to a task: the same application started N times in
 * the sandbox and N times bare, by turns. Prints one JSON object, times in milliseconds (medians). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/runtime.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/proc.h"

enum { N_MAX = 1000 };

static int cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double median_ms(uint64_t *us, size_t n)
{
    qsort(us, n, sizeof(us[0]), cmp);
    return (double)us[n / 2] / 1000.0;
}

static rc bare(const char *program, const char *dir, uint64_t *us, struct err *e)
{
    const char *in = "IEXEC_IN=/nonexistent", *argv[] = {program, "hello", NULL};
    BUF_FREE out = buf_new(4096);
    char env_out[FILE_PATH_MAX + 16];
    int status;
    (void)snprintf(env_out, sizeof(env_out), "IEXEC_OUT=%s", dir);
    const char *env[] = {in, env_out, "IEXEC_INPUT_FILES_NUMBER=0", NULL};
    uint64_t t0 = clock_mono_us();
    TRY(proc_run(&(struct proc_spec){.argv = argv, .env = env, .stdout_fd = PROC_PIPE}, 10000, &out,
                 NULL, &status, e));
    *us = clock_mono_us() - t0;
    return RC_OK;
}

static rc boxed(const struct image *image, const char *dir, uint64_t *us, struct err *e)
{
    const char *args[] = {"hello", NULL}, *env[] = {"IEXEC_INPUT_FILES_NUMBER=0", NULL};
    struct run_result r = {0};
    struct run_spec spec = {
        .image = image, .args = args, .env = env, .out_dir = dir, .limits = run_limits_default()};
    uint64_t t0 = clock_mono_us();
    rc got = runtime_run(&spec, &r, e);
    *us = clock_mono_us() - t0;
    if (rc_ok(got) && (r.end != RUN_EXITED || r.exit_code != 0)) {
        got = err_set(e, RC_CODE_IO, "the application ended with %d: %.100s", r.exit_code, r.why);
    }
    run_result_free(&r);
    return got;
}

static rc run(const char *file, const char *program, size_t n, const char *tmp, struct err *e)
{
    static uint64_t in_box[N_MAX], plain[N_MAX];
    struct image image;
    struct arena a;
    char cache[FILE_PATH_MAX], out[FILE_PATH_MAX];
    arena_init(&a, IMAGE_ARENA_MAX);
    TRY(path_join(cache, tmp, "cache", e));
    TRY(path_join(out, tmp, "out", e));
    TRY(image_unpack(&image, &a, file, NULL, cache, e));
    for (size_t i = 0; i < n; i++) {
        TRY(boxed(&image, out, &in_box[i], e));
        TRY(dir_remove(out, e));
        TRY(dir_make(out, 0700, e));
        TRY(bare(program, out, &plain[i], e));
        TRY(dir_remove(out, e));
    }
    double b = median_ms(in_box, n), p = median_ms(plain, n);
    (void)printf(
        "{\"sandbox_ms\": %.2f, \"bare_ms\": %.2f, \"overhead_ms\": %.2f, \"runs\": %zu}\n", b, p,
        b - p, n);
    arena_reset(&a);
    return RC_OK;
}

int main(int argc, char **argv)
{
    char tmp[] = "/tmp/souk-bench-XXXXXX";
    struct err e = {0};
    if (argc != 4 || mkdtemp(tmp) == NULL) {
        (void)fprintf(stderr, "usage: sandbox IMAGE.tar PROGRAM N\n");
        return 2;
    }
    size_t n = (size_t)strtoul(argv[3], NULL, 10);
    rc r = run(argv[1], argv[2], n == 0 ? 1 : MIN(n, N_MAX), tmp, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "sandbox: %s\n", e.msg);
    }
    (void)!rc_ok(dir_remove(tmp, NULL));
    return rc_ok(r) ? 0 : 1;
}
