/* SPDX-License-Identifier: Apache-2.0 */
/* up_run.c - the supervisor behind `souk up`: a child that dies is started again, sooner at first and
 * later more slowly; one that says its stored data are damaged (EXIT_CORRUPT) is not. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/up_int.h"
#include "io/clock.h"
#include "io/file.h"

enum {
    STOP_MS = 5000,    /* from SIGTERM to SIGKILL */
    STEADY_MS = 60000, /* a child that ran this long has recovered */
    BACKOFF_MAX_MS = 8000,
};

const char *up_fmt(struct up *u, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ASSERT(n >= 0 && (size_t)n < sizeof(text));
    char *copy = arena_alloc(u->a, (size_t)n + 1);
    ASSERT(copy != NULL);
    memcpy(copy, text, (size_t)n);
    return copy;
}

const char *up_path(struct up *u, const char *name)
{
    return up_fmt(u, "%s/%s", u->set.state, name);
}

struct up_service *up_add(struct up *u, const char *name, const char *command)
{
    ASSERT(u->n < UP_SERVICES_MAX);
    struct up_service *s = &u->service[u->n++];
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    s->argv[s->n_args++] = u->self;
    s->argv[s->n_args++] = command;
    s->up = u;
    s->wanted = true;
    return s;
}

void up_arg(struct up_service *s, const char *name, const char *value)
{
    ASSERT(s->n_args + 3 < UP_ARGS_MAX);
    s->argv[s->n_args++] = name;
    if (value != NULL) {
        s->argv[s->n_args++] = value;
    }
}

/* Starts the child with its log file and, with ready_fd >= 0, the descriptor for its ready line. */
static rc spawn(struct up *u, struct up_service *s, int ready_fd, struct err *e)
{
    const char *argv[UP_ARGS_MAX];
    char fd_text[16];
    size_t n = s->n_args;
    memcpy(argv, s->argv, n * sizeof(argv[0]));
    if (ready_fd >= 0) {
        (void)snprintf(fd_text, sizeof(fd_text), "%d", ready_fd);
        argv[n++] = "--ready-fd";
        argv[n++] = fd_text;
    }
    argv[n] = NULL;
    CLOSE_FD log = open(up_path(u, up_fmt(u, "log/%s.log", s->name)),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return err_set(e, RC_CODE_IO, "open the log of %s: %s", s->name, strerror(errno));
    }
    struct proc_spec spec = {.argv = argv,
                             .stdout_fd = log,
                             .stderr_fd = log,
                             .keep_fds = &ready_fd,
                             .keep_n = ready_fd >= 0 ? 1 : 0,
                             .die_with_parent = true};
    s->started_ms = clock_mono_ms();
    return proc_spawn(&s->proc, &spec, e);
}

/* The child's first line on fd within the time; IO when it ends without one. */
static rc read_ready(struct up_service *s, int fd, uint64_t timeout_ms, struct err *e)
{
    size_t n = 0;
    uint64_t until = clock_mono_ms() + timeout_ms;
    while (n + 1 < sizeof(s->ready)) {
        uint64_t now = clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0) {
            return err_set(e, RC_CODE_IO, "%s does not say that it is ready after %llu ms", s->name,
                           (unsigned long long)timeout_ms);
        }
        ssize_t got = read(fd, s->ready + n, 1);
        if (got <= 0) {
            return err_set(e, RC_CODE_IO, "%s ended before it was ready", s->name);
        }
        if (s->ready[n] == '\n') {
            break;
        }
        n++;
    }
    s->ready[n] = 0;
    return RC_OK;
}

rc up_start(struct up *u, struct up_service *s, uint64_t timeout_ms, struct err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return err_set(e, RC_CODE_IO, "pipe: %s", strerror(errno));
    }
    rc r = spawn(u, s, fds[1], e);
    (void)close(fds[1]);
    if (rc_ok(r)) {
        r = read_ready(s, fds[0], timeout_ms, e);
    }
    (void)close(fds[0]);
    if (!rc_ok(r)) {
        proc_end(&s->proc);
        return err_wrap(e, r, "start %s (its log: %s)", s->name,
                        up_path(u, up_fmt(u, "log/%s.log", s->name)));
    }
    return RC_OK;
}

rc up_command(struct up *u, struct buf *out, const char *const *args, struct err *e)
{
    const char *argv[UP_ARGS_MAX] = {u->self};
    int status = 0;
    for (size_t i = 0; args[i] != NULL; i++) {
        ASSERT(i + 2 < UP_ARGS_MAX);
        argv[i + 1] = args[i];
    }
    BUF_FREE said = buf_new(4096);
    TRY(proc_run(&(struct proc_spec){.argv = argv}, 30000, out, &said, &status, e));
    if (status != 0) {
        return err_set(e, RC_CODE_IO, "souk %s: %.180s", args[0], buf_cstr(&said));
    }
    return RC_OK;
}

static void watch(struct up_service *s);

static void restart(void *ctx)
{
    struct up_service *s = ctx;
    struct err e;
    if (!rc_ok(up_start(s->up, s, 10000, &e))) {
        log_error("up", "%s", e.msg);
    }
    watch(s);
}

static void schedule_restart(struct up_service *s)
{
    uint64_t wait = MIN((uint64_t)50 << MIN(s->failures, 8), BACKOFF_MAX_MS);
    loop_timer_set(s->up->loop, &s->restart, wait, restart, s);
}

static bool all_gone(const struct up *u)
{
    for (size_t i = 0; i < u->n; i++) {
        if (u->service[i].proc.pid > 0) {
            return false;
        }
    }
    return true;
}

static void stop_next(struct up *u);

static void on_exit_of(void *ctx, int status)
{
    struct up_service *s = ctx;
    struct up *u = s->up;
    uint64_t ran_ms = clock_mono_ms() - s->started_ms;
    loop_child_del(u->loop, &s->child);
    (void)close(s->proc.pidfd);
    s->proc = (struct proc){.pid = 0, .pidfd = -1, .out_fd = -1, .err_fd = -1};
    if (u->stopping) {
        stop_next(u);
        return;
    }
    int code = proc_exit_code(status);
    s->failures = ran_ms > STEADY_MS ? 0 : s->failures + 1;
    if (code == EXIT_CORRUPT) {
        log_error("up", "%s stopped: its stored data are damaged; see %s. It is not started again",
                  s->name, up_path(u, up_fmt(u, "log/%s.log", s->name)));
        s->wanted = false;
        return;
    }
    log_warn("up", "%s ended with status %d and is started again", s->name, code);
    schedule_restart(s);
}

static void watch(struct up_service *s)
{
    if (s->proc.pid <= 0) {
        s->failures++;
        schedule_restart(s);
        return;
    }
    if (!rc_ok(loop_child_add(s->up->loop, &s->child, s->proc.pidfd, on_exit_of, s))) {
        log_error("up", "cannot watch %s", s->name);
    }
}

/* Stops in reverse order of start, one after another, so that nobody loses a service it needs while
 * it still writes. */
static void stop_next(struct up *u)
{
    for (size_t i = u->n; i-- > 0;) {
        if (u->service[i].proc.pid > 0) {
            proc_kill(&u->service[i].proc, SIGTERM);
            return;
        }
    }
    loop_stop(u->loop);
}

static void kill_rest(void *ctx)
{
    struct up *u = ctx;
    for (size_t i = 0; i < u->n; i++) {
        if (u->service[i].proc.pid > 0) {
            log_warn("up", "%s does not stop and is killed", u->service[i].name);
            proc_kill(&u->service[i].proc, SIGKILL);
        }
    }
}

static void on_signal(void *ctx)
{
    struct up *u = ctx;
    if (u->stopping) {
        return;
    }
    u->stopping = true;
    for (size_t i = 0; i < u->n; i++) {
        loop_timer_cancel(u->loop, &u->service[i].restart);
    }
    loop_timer_set(u->loop, &u->deadline, STOP_MS, kill_rest, u);
    if (all_gone(u)) {
        loop_stop(u->loop);
        return;
    }
    stop_next(u);
}

int up_watch(struct up *u)
{
    struct err e;
    rc r = loop_signal(u->loop, SIGTERM, on_signal, u, &e);
    if (rc_ok(r)) {
        r = loop_signal(u->loop, SIGINT, on_signal, u, &e);
    }
    for (size_t i = 0; i < u->n && rc_ok(r); i++) {
        watch(&u->service[i]);
    }
    if (rc_ok(r)) {
        r = loop_run(u->loop, &e);
    }
    if (!rc_ok(r)) {
        log_error("up", "%s", e.msg);
        up_stop_all(u);
        return 1;
    }
    return 0;
}

void up_stop_all(struct up *u)
{
    for (size_t i = u->n; i-- > 0;) {
        struct up_service *s = &u->service[i];
        if (s->proc.pid > 0) {
            int status;
            struct err e;
            proc_kill(&s->proc, SIGTERM);
            if (!rc_ok(proc_wait(&s->proc, STOP_MS, &status, &e))) {
                log_warn("up", "%s: %s", s->name, e.msg);
            }
            proc_end(&s->proc);
        }
    }
}
