/* SPDX-License-Identifier: Apache-2.0 */
#include "io/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/file.h"

extern char **environ;

/* What the child reports when it could not become the program. */
struct failure {
    int step; /* 0: exec */
    int code; /* errno */
};

/* --- the child, between fork and exec: system calls only --- */

static void close_all_but(const int *keep, size_t n, int report)
{
    unsigned from = 3;
    for (;;) {
        unsigned next = (unsigned)report; /* the lowest kept descriptor that is not below from */
        bool any = (unsigned)report >= from;
        for (size_t i = 0; i < n; i++) {
            if ((unsigned)keep[i] >= from && (!any || (unsigned)keep[i] < next)) {
                next = (unsigned)keep[i];
                any = true;
            }
        }
        if (!any) {
            (void)syscall(SYS_close_range, from, ~0U, 0U);
            return;
        }
        if (next > from) {
            (void)syscall(SYS_close_range, from, next - 1, 0U);
        }
        from = next + 1;
    }
}

NORETURN static void die(int report, int step)
{
    struct failure f = {step, errno};
    (void)!write(report, &f, sizeof(f));
    _exit(127);
}

NORETURN static void child(const struct proc_spec *s, const int std[3], int report)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    if (s->own_group) {
        (void)setpgid(0, 0);
    }
    if (s->die_with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    int high[3]; /* out of the way of 0, 1, 2 first */
    for (int i = 0; i < 3; i++) {
        high[i] = fcntl(std[i], F_DUPFD_CLOEXEC, 3);
        if (high[i] < 0) {
            die(report, 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(high[i], i) < 0) {
            die(report, 1);
        }
    }
    for (size_t i = 0; i < s->keep_n; i++) {
        (void)fcntl(s->keep_fds[i], F_SETFD, 0);
    }
    close_all_but(s->keep_fds, s->keep_n, report);
    if (s->dir != NULL && chdir(s->dir) != 0) {
        die(report, 2);
    }
    char *const *env = s->env == NULL ? environ : (char *const *)(uintptr_t)s->env;
    (void)execvpe(s->argv[0], (char *const *)(uintptr_t)s->argv, env);
    die(report, 0);
}

/* --- the parent --- */

/* The child's end in *std, ours in *ours (-1: none). */
static bool stream(int asked, int inherited, int *std, int *ours)
{
    int p[2];
    *ours = -1;
    *std = asked == 0 ? inherited : asked;
    if (asked == PROC_PIPE) {
        if (pipe2(p, O_CLOEXEC) != 0) {
            *std = -1;
            return false;
        }
        *ours = p[0];
        *std = p[1];
    }
    return true;
}

/* A pidfd of a child just forked: it cannot have been reaped yet, so there is no race. */
static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

static rc start(struct proc *out, const struct proc_spec *spec, const int std[3], struct err *e)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return err_set(e, RC_CODE_IO, "start %s: pipe: %s", spec->argv[0], strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(spec, std, report[1]);
    }
    (void)close(report[1]);
    CLOSE_FD in = report[0];
    if (pid < 0) {
        return err_set(e, RC_CODE_IO, "start %s: fork: %s", spec->argv[0], strerror(errno));
    }
    out->pid = pid;
    out->pidfd = open_pidfd(pid);
    struct failure f;
    ssize_t n = read(in, &f, sizeof(f));
    if (n == (ssize_t)sizeof(f)) {
        proc_end(out);
        return err_set(e, f.step == 0 && f.code == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO,
                       "start %s: %s%s", spec->argv[0], f.step == 2 ? "working folder: " : "",
                       strerror(f.code));
    }
    if (out->pidfd < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        out->pid = 0;
        return err_set(e, RC_CODE_IO, "start %s: pidfd: %s", spec->argv[0], strerror(errno));
    }
    return RC_OK;
}

rc proc_spawn(struct proc *out, const struct proc_spec *spec, struct err *e)
{
    *out = (struct proc){.pidfd = -1, .out_fd = -1, .err_fd = -1};
    int std[3] = {-1, -1, -1};
    CLOSE_FD null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    std[0] = spec->stdin_fd == 0 ? null : spec->stdin_fd;
    rc r = RC_OK;
    if (null < 0 || !stream(spec->stdout_fd, STDOUT_FILENO, &std[1], &out->out_fd) ||
        !stream(spec->stderr_fd, STDERR_FILENO, &std[2], &out->err_fd)) {
        r = err_set(e, RC_CODE_IO, "start %s: %s", spec->argv[0], strerror(errno));
    } else {
        r = start(out, spec, std, e);
    }
    if (spec->stdout_fd == PROC_PIPE) {
        fd_close(&std[1]);
    }
    if (spec->stderr_fd == PROC_PIPE) {
        fd_close(&std[2]);
    }
    if (!rc_ok(r)) {
        fd_close(&out->out_fd);
        fd_close(&out->err_fd);
    }
    return r;
}

rc proc_wait(struct proc *p, uint64_t timeout_ms, int *status, struct err *e)
{
    uint64_t end = clock_mono_ms() + timeout_ms;
    struct pollfd pf = {.fd = p->pidfd, .events = POLLIN};
    for (;;) {
        uint64_t now = clock_mono_ms();
        int n = poll(&pf, 1, (int)MIN(end > now ? end - now : 0, (uint64_t)60000));
        if (n > 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return err_set(e, RC_CODE_IO, "wait for process: %s", strerror(errno));
        }
        if (clock_mono_ms() >= end) {
            return err_set(e, RC_CODE_LIMIT, "process %d still runs after %llu ms", (int)p->pid,
                           (unsigned long long)timeout_ms);
        }
    }
    if (waitpid(p->pid, status, 0) != p->pid) {
        return err_set(e, RC_CODE_IO, "wait for process: %s", strerror(errno));
    }
    p->pid = 0;
    return RC_OK;
}

void proc_kill(const struct proc *p, int signo)
{
    if (p->pid > 0 && p->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0U);
    }
}

void proc_end(struct proc *p)
{
    if (p->pid > 0) {
        proc_kill(p, SIGKILL);
        (void)waitpid(p->pid, NULL, 0);
        fd_close(&p->pidfd);
        fd_close(&p->out_fd);
        fd_close(&p->err_fd);
    } else if (p->pidfd > 0) { /* ended by proc_wait(); a zeroed struct owns nothing */
        fd_close(&p->pidfd);
        fd_close(&p->out_fd);
        fd_close(&p->err_fd);
    }
    *p = (struct proc){.pidfd = -1, .out_fd = -1, .err_fd = -1};
}

int proc_exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* One read of a stream into a bounded buffer; false at its end. */
static bool drain(int *fd, struct buf *b)
{
    uint8_t part[16384];
    ssize_t n = read(*fd, part, sizeof(part));
    if (n <= 0) {
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            return true;
        }
        fd_close(fd);
        return false;
    }
    if (b != NULL) {
        put_mem(b, part, MIN((size_t)n, b->cap - b->n));
    }
    return true;
}

rc proc_run(const struct proc_spec *spec, uint64_t timeout_ms, struct buf *out, struct buf *err_out,
            int *status, struct err *e)
{
    struct proc_spec s = *spec;
    s.stdout_fd = s.stderr_fd = PROC_PIPE;
    struct proc p;
    TRY(proc_spawn(&p, &s, e));
    uint64_t end = clock_mono_ms() + timeout_ms;
    bool late = false;
    while (!late && (p.out_fd >= 0 || p.err_fd >= 0)) {
        struct pollfd pf[2] = {{.fd = p.out_fd, .events = POLLIN},
                               {.fd = p.err_fd, .events = POLLIN}};
        uint64_t now = clock_mono_ms();
        late = now >= end;
        int n = late ? 0 : poll(pf, 2, (int)MIN(end - now, (uint64_t)60000));
        if (n > 0 && pf[0].revents != 0) {
            (void)drain(&p.out_fd, out);
        }
        if (n > 0 && pf[1].revents != 0) {
            (void)drain(&p.err_fd, err_out);
        }
    }
    uint64_t now = clock_mono_ms();
    int raw = 0;
    rc r = proc_wait(&p, end > now ? end - now : 0, &raw, e);
    *status = proc_exit_code(raw);
    proc_end(&p);
    return rc_ok(r) ? r : err_wrap(e, r, "%s", spec->argv[0]);
}
