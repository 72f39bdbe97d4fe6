/* SPDX-License-Identifier: Apache-2.0 */
/* One image, run the honest way and in every hostile way that we know; each must end with the right
 * verdict, in bounded time, with nothing left behind. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/runtime/runtime.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/proc.h"
#include "tests/test.h"

struct fixture {
    char dir[64];
    struct arena a;
    struct image image;
};

static void path_in(char out[FILE_PATH_MAX], const struct fixture *f, const char *name)
{
    CHECK(rc_ok(path_join(out, f->dir, name, NULL)));
}

static void copy_app(const char *to)
{
    char self[FILE_PATH_MAX] = {0}, from[FILE_PATH_MAX + 32];
    CHECK(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    *strrchr(self, '/') = 0;
    (void)snprintf(from, sizeof(from), "%s/../hostile/app", self);
    BUF_FREE b = buf_new((size_t)16 << 20);
    CHECK(rc_ok(file_read(&b, from, NULL)));
    CHECK(rc_ok(file_write(to, buf_bytes(&b), 0755, NULL)));
}

static void setup(struct fixture *f)
{
    char path[FILE_PATH_MAX], tar[FILE_PATH_MAX], digest[IMAGE_DIGEST_LEN + 1];
    struct err e = {0};
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/souk-test-runtime.XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL && chmod(f->dir, 0755) == 0);
    arena_init(&f->a, IMAGE_ARENA_MAX);
    path_in(path, f, "root/app");
    CHECK(rc_ok(dir_make(path, 0755, NULL)));
    path_in(path, f, "root/app/app");
    copy_app(path);
    path_in(path, f, "root");
    path_in(tar, f, "app.tar");
    static const char *const entry[] = {"/app/app", NULL};
    struct image_pack_spec spec = {.rootfs = path, .entrypoint = entry};
    CHECK(rc_ok(image_pack(&spec, tar, digest, &e)));
    path_in(path, f, "cache");
    CHECK(rc_ok(image_unpack(&f->image, &f->a, tar, digest, path, &e)));
    /* The second time it comes from the cache, and looks the same. */
    struct image again;
    CHECK(rc_ok(image_cached(&again, &f->a, digest, path, &e)));
    CHECK(strcmp(again.rootfs, f->image.rootfs) == 0 && strcmp(again.digest, digest) == 0);
    CHECK(image_unpack(&again, &f->a, tar,
                       "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                       path, &e)
              .code == RC_CODE_DENIED);
}

static struct run_limits small(void)
{
    struct run_limits l = run_limits_default();
    l.wall_ms = 1500;
    l.cpu_ms = 5000;
    l.memory = (uint64_t)64 << 20;
    l.processes = 16;
    l.out_size = (uint64_t)8 << 20;
    l.tmp_size = (uint64_t)8 << 20;
    l.file_size = (uint64_t)64 << 20;
    l.out_files = 50;
    return l;
}

struct row {
    const char *what;
    enum run_end end;
    int code;         /* -1: any */
    const char *says; /* in stdout or why; NULL: nothing in particular */
};

static void run_row(struct fixture *f, const struct row *row)
{
    char out[FILE_PATH_MAX];
    struct run_result res;
    struct err e = {0};
    const char *args[] = {row->what, NULL};
    struct run_spec spec = {.image = &f->image, .args = args, .limits = small()};
    /* Those that end by themselves may be slow on a busy machine. */
    spec.limits.wall_ms = row->end == RUN_TIMEOUT ? 1500 : 30000;
    path_in(out, f, row->what);
    spec.out_dir = out;
    uint64_t start = clock_mono_ms();
    rc r = runtime_run(&spec, &res, &e);
    uint64_t took = clock_mono_ms() - start;
    bool said = row->says == NULL || strstr(buf_cstr(&res.out), row->says) != NULL ||
                strstr(res.why, row->says) != NULL;
    /* Failing forks cost kernel memory that is freed a little later: a bomb may end either way. */
    bool bomb = strcmp(row->what, "forks") == 0 && res.end == RUN_MEMORY;
    if (bomb) {
        run_result_free(&res);
        return;
    }
    if (!rc_ok(r) || res.end != row->end || (row->code >= 0 && res.exit_code != row->code) ||
        !said || took > 40000) {
        (void)fprintf(stderr, "%s: %s, exit %d, %s, %llu ms %s\n%s%s\n", row->what,
                      run_end_name(res.end), res.exit_code, res.why, (unsigned long long)took,
                      e.msg, buf_cstr(&res.out), buf_cstr(&res.err));
        CHECK(false);
    }
    CHECK(res.out.n <= spec.limits.log_size + 100);
    run_result_free(&res);
}

static void test_table(struct fixture *f, bool whole_memory)
{
    static const struct row rows[] = {
        {"good", RUN_EXITED, 0, "hello"},
        {"loop", RUN_TIMEOUT, 124, "1500 ms"},
        {"sleep", RUN_TIMEOUT, 124, NULL},
        {"forks", RUN_TIMEOUT, 124, NULL},
        {"writes", RUN_EXITED, 4, "No space left"},
        {"tmp", RUN_EXITED, 4, "No space left"},
        {"many", RUN_EXITED, 4, "50 files"},
        {"outside", RUN_EXITED, 0, NULL},
        {"network", RUN_EXITED, 0, NULL},
        {"prints", RUN_EXITED, 0, "bytes were cut"},
        {"privileges", RUN_EXITED, 0, NULL},
        {"background", RUN_EXITED, 0, NULL},
        {"noresult", RUN_EXITED, 0, NULL},
        {"linked", RUN_OUTPUT, 0, "is a link"},
        {"linkedresult", RUN_OUTPUT, 0, "is a link"},
        {"fifo", RUN_EXITED, 0, NULL},
        {"closed", RUN_EXITED, 0, NULL},
        {"crash", RUN_SIGNALED, 134, "signal 6"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        run_row(f, &rows[i]);
    }
    struct row eats = {"eats", whole_memory ? RUN_MEMORY : RUN_EXITED, whole_memory ? 137 : 3,
                       NULL};
    run_row(f, &eats);
}

static void test_limits(struct fixture *f)
{
    struct run_result res;
    struct err e = {0};
    const char *args[] = {"loop", NULL};
    struct run_spec spec = {.image = &f->image, .args = args, .limits = small()};
    spec.limits.wall_ms = 20000;
    spec.limits.cpu_ms = 1000;
    CHECK(rc_ok(runtime_run(&spec, &res, &e)));
    CHECK(res.end == RUN_CPU);
    run_result_free(&res);

    args[0] = "writes";
    spec.limits.file_size = 1 << 20;
    CHECK(rc_ok(runtime_run(&spec, &res, &e)));
    CHECK(res.end == RUN_SIGNALED && res.exit_code == 128 + 25); /* SIGXFSZ */
    run_result_free(&res);

    int fds[2];
    args[0] = "sleep";
    CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
    spec.cancel_fd = &fds[0];
    CHECK(rc_ok(runtime_run(&spec, &res, &e)));
    CHECK(res.end == RUN_CANCELLED);
    run_result_free(&res);
    (void)close(fds[0]);
    (void)close(fds[1]);

    spec.cancel_fd = NULL;
    spec.limits.memory = 0;
    CHECK(runtime_run(&spec, &res, &e).code == RC_CODE_MALFORMED);
    run_result_free(&res);
    spec.limits = small();
    struct image none = {0};
    spec.image = &none;
    CHECK(runtime_run(&spec, &res, &e).code == RC_CODE_MALFORMED);
    run_result_free(&res);
}

static bool alive(const char *comm)
{
    char cmd[160];
    (void)snprintf(cmd, sizeof(cmd),
                   "for f in /proc/[0-9]*/comm; do read -r n 2>/dev/null <$f && "
                   "[ \"$n\" = %s ] && exit 0; done; exit 1",
                   comm);
    return system(cmd) == 0;
}

/* The worker dies in the middle: so does everything of the task. */
static void test_worker_killed(struct fixture *f)
{
    char link[FILE_PATH_MAX], name[16];
    (void)snprintf(name, sizeof(name), "hw%d", (int)getpid());
    struct image own = f->image;
    char entry[32];
    (void)snprintf(entry, sizeof(entry), "/app/%s", name);
    CHECK(rc_ok(path_join(link, f->image.rootfs, entry + 1, NULL)));
    char from[FILE_PATH_MAX];
    CHECK(rc_ok(path_join(from, f->image.rootfs, "app/app", NULL)));
    CHECK(linkat(AT_FDCWD, from, AT_FDCWD, link, 0) == 0);
    const char *const ep[] = {entry, NULL};
    own.entrypoint = ep;
    const char *args[] = {"sleep", NULL};
    struct run_spec spec = {.image = &own, .args = args, .limits = small()};
    spec.limits.wall_ms = 60000;
    pid_t worker = fork();
    if (worker == 0) {
        struct run_result res;
        struct err e;
        (void)!rc_ok(runtime_run(&spec, &res, &e));
        _exit(0);
    }
    uint64_t stop = clock_mono_ms() + 10000;
    while (!alive(name) && clock_mono_ms() < stop) {
        (void)usleep(10000);
    }
    CHECK(alive(name));
    CHECK(kill(worker, SIGKILL) == 0 && waitpid(worker, NULL, 0) == worker);
    stop = clock_mono_ms() + 5000;
    while (alive(name) && clock_mono_ms() < stop) {
        (void)usleep(10000);
    }
    CHECK(!alive(name));
}

static void test_input(struct fixture *f)
{
    /* An input folder, private to us, is read and not written. */
    char in[FILE_PATH_MAX], file[FILE_PATH_MAX];
    struct run_result res;
    struct err e = {0};
    path_in(in, f, "in");
    path_in(file, f, "in/data");
    CHECK(rc_ok(dir_make(in, 0700, NULL)));
    CHECK(rc_ok(file_write(file, BYTES_LIT("input"), 0600, NULL)));
    const char *args[] = {"outside", NULL};
    struct run_spec spec = {.image = &f->image, .args = args, .in_dir = in, .limits = small()};
    CHECK(rc_ok(runtime_run(&spec, &res, &e)));
    CHECK(res.end == RUN_EXITED && res.exit_code == 0);
    run_result_free(&res);
    args[0] = "reads";
    CHECK(rc_ok(runtime_run(&spec, &res, &e)));
    CHECK(res.exit_code == 0 && strcmp(buf_cstr(&res.out), "input") == 0);
    run_result_free(&res);
}

static void test_results(struct fixture *f)
{
    char dir[FILE_PATH_MAX], file[FILE_PATH_MAX];
    struct run_digest d;
    struct err e = {0};
    path_in(dir, f, "good");
    CHECK(rc_ok(result_digest(&d, &f->a, dir, &e)));
    /* sha256("42\n") */
    static const uint8_t want[4] = {0x08, 0x4c, 0x79, 0x9c};
    CHECK(memcmp(d.digest.b, want, 4) == 0 && strcmp(d.computed.path, "result.txt") == 0);
    BUF_FREE z1 = buf_new(1 << 20);
    BUF_FREE z2 = buf_new(1 << 20);
    CHECK(rc_ok(result_zip(&z1, dir, &e)) && rc_ok(result_zip(&z2, dir, &e)));
    CHECK(bytes_eq(buf_bytes(&z1), buf_bytes(&z2)));
    struct zip_entry en[4];
    size_t n = 0;
    CHECK(rc_ok(zip_parse(en, &n, 4, &f->a, buf_bytes(&z1), &e)));
    CHECK(n == 2 && strcmp(en[0].name, "computed.json") == 0 &&
          bytes_eq(en[1].data, BYTES_LIT("42\n")));
    CHECK(zip_parse(en, &n, 1, &f->a, buf_bytes(&z1), &e).code == RC_CODE_LIMIT);
    BUF_FREE tiny = buf_new(40);
    CHECK(result_zip(&tiny, dir, &e).code == RC_CODE_LIMIT);
    path_in(dir, f, "noresult");
    CHECK(result_digest(&d, &f->a, dir, &e).code == RC_CODE_NOT_FOUND);
    path_in(file, f, "noresult/12345678901234567890123456789012");
    CHECK(rc_ok(file_write(file, BYTES_LIT("x"), 0600, NULL)));
    BUF_FREE z3 = buf_new(1 << 20);
    CHECK(result_zip(&z3, dir, &e).code == RC_CODE_DENIED);
    path_in(dir, f, "unzipped");
    CHECK(rc_ok(zip_unpack(dir, buf_bytes(&z1), 1 << 20, &e)));
    path_in(file, f, "unzipped/result.txt");
    CHECK(file_exists(file));
    path_in(dir, f, "unzipped2");
    CHECK(zip_unpack(dir, buf_bytes(&z1), 5, &e).code == RC_CODE_LIMIT);
}

static void test_computed(struct arena *a)
{
    struct computed c;
    struct err e = {0};
    CHECK(rc_ok(computed_parse(&c, a, BYTES_LIT("{\"callback-data\":\"0x1234\"}"), &e)));
    CHECK(c.has_callback && c.callback.n == 2 && c.path == NULL);
    CHECK(computed_parse(&c, a, BYTES_LIT("{}"), &e).code == RC_CODE_MALFORMED);
    CHECK(computed_parse(&c, a, BYTES_LIT("{\"callback-data\":\"0x123\"}"), &e).code ==
          RC_CODE_MALFORMED);
    CHECK(!rc_ok(computed_parse(
        &c, a, BYTES_LIT("{\"deterministic-output-path\":\"/iexec_out/../etc/passwd\"}"), &e)));
    CHECK(!rc_ok(
        computed_parse(&c, a, BYTES_LIT("{\"deterministic-output-path\":\"/etc/passwd\"}"), &e)));
    const char *const *w = NULL;
    CHECK(rc_ok(run_args_parse(&w, a, " a 'b c'  \"d\\\"e\" f\\ g ", &e)));
    CHECK(strcmp(w[0], "a") == 0 && strcmp(w[1], "b c") == 0 && strcmp(w[2], "d\"e") == 0 &&
          strcmp(w[3], "f g") == 0 && w[4] == NULL);
    CHECK(run_args_parse(&w, a, "a 'b", &e).code == RC_CODE_MALFORMED);
}

int main(void)
{
    struct fixture f;
    struct run_result res;
    struct err e = {0};
    setup(&f);
    test_computed(&f.a);
    struct run_spec spec = {.image = &f.image, .limits = small()};
    rc r = runtime_run(&spec, &res, &e);
    bool whole = strstr(buf_cstr(&res.notes), "memory: no cgroup") == NULL;
    run_result_free(&res);
    if (r.code == RC_CODE_DENIED) {
        (void)fprintf(stderr, "SKIPPED: tasks cannot be isolated on this host: %s\n", e.msg);
    } else {
        CHECK(rc_ok(r));
        test_table(&f, whole);
        test_limits(&f);
        test_input(&f);
        test_results(&f);
        test_worker_killed(&f);
    }
    arena_reset(&f.a);
    CHECK(rc_ok(dir_remove(f.dir, &e)));
    return 0;
}
