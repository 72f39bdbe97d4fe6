/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "daemon/runtime/sandbox_int.h"
#include "io/clock.h"
#include "io/file.h"

#define CPU_CHECK_MS 50 /* between two looks at the cgroup's counter */
#define ENV_ARENA    ((size_t)2 << 20)
#define NS_UID       1000 /* the application's user in a namespace of its own */

struct run {
    const struct run_spec *spec;
    struct run_result *res;
    struct sandbox box;
    struct seccomp_prog seccomp;
    struct cgroup cg;
    struct arena arena;
    int sock, out_fd, err_fd; /* our ends */
    int pidfd;
    pid_t pid;
    int tree; /* /iexec_out of the task */
    bool ended;
    struct sandbox_msg end, failed;
    uint64_t start_ms;
};

struct run_limits run_limits_default(void)
{
    return (struct run_limits){
        .wall_ms = 300000,
        .cpu_ms = 300000,
        .memory = (uint64_t)1 << 30,
        .processes = 64,
        .tmp_size = (uint64_t)64 << 20,
        .out_size = (uint64_t)256 << 20,
        .out_files = 1000,
        .file_size = (uint64_t)256 << 20,
        .open_files = 256,
        .log_size = 100000,
    };
}

const char *run_end_name(enum run_end end)
{
    switch (end) {
    case RUN_EXITED:
        return "exited";
    case RUN_SIGNALED:
        return "signaled";
    case RUN_TIMEOUT:
        return "timeout";
    case RUN_CPU:
        return "cpu";
    case RUN_MEMORY:
        return "memory";
    case RUN_CANCELLED:
        return "cancelled";
    case RUN_OUTPUT:
        return "output";
    }
    return "?";
}

void run_result_free(struct run_result *r)
{
    buf_free(&r->out);
    buf_free(&r->err);
    buf_free(&r->notes);
}

/* ---- before the start ---- */

static size_t words_n(const char *const *w)
{
    size_t n = 0;
    while (w != NULL && w[n] != NULL) {
        n++;
    }
    return n;
}

static rc make_argv(struct run *r, struct err *e)
{
    const struct run_spec *s = r->spec;
    const char *const *args = s->args == NULL ? s->image->cmd : s->args;
    size_t n = words_n(s->image->entrypoint), m = words_n(args);
    const char **v = ARENA_ARRAY(&r->arena, const char *, n + m + 1);
    if (v == NULL) {
        return err_set(e, RC_CODE_LIMIT, "run: too many arguments");
    }
    memcpy(v, s->image->entrypoint, n * sizeof(*v));
    if (m > 0) {
        memcpy(v + n, args, m * sizeof(*v));
    }
    r->box.argv = v;
    return RC_OK;
}

/* The last word for a name wins and keeps the first one's place. */
static void env_add(const char **env, size_t *n, const char *const *words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        size_t len = strcspn(words[i], "=") + 1, at = 0;
        while (at < *n && strncmp(env[at], words[i], len) != 0) {
            at++;
        }
        env[at] = words[i];
        *n += at == *n;
    }
}

static rc make_env(struct run *r, struct err *e)
{
    static const char *const base[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp",
                                       "IEXEC_IN=/iexec_in", "IEXEC_OUT=/iexec_out", NULL};
    const struct run_spec *s = r->spec;
    size_t max = words_n(base) + words_n(s->image->env) + words_n(s->env), n = 0;
    const char **v = ARENA_ARRAY(&r->arena, const char *, max + 1);
    if (v == NULL) {
        return err_set(e, RC_CODE_LIMIT, "run: too many environment variables");
    }
    env_add(v, &n, base);
    env_add(v, &n, s->image->env);
    env_add(v, &n, s->env);
    r->box.envp = v;
    return RC_OK;
}

/* A user that nobody else has, so that RLIMIT_NPROC counts this task alone and nothing on the host
 * is its own. A container's root may have few ids or one: then a user namespace does it. */
static rc choose_user(struct run *r, struct err *e)
{
    unsigned long inside = 0, outside = 0, n = 0;
    uint32_t pick = 0;
    r->box.user_ns = true;
    r->box.uid = NS_UID;
    if (geteuid() != 0) {
        return RC_OK;
    }
    BUF_FREE map = buf_new(4096);
    TRY(file_read(&map, "/proc/self/uid_map", e));
    if (sscanf(buf_cstr(&map), "%lu %lu %lu", &inside, &outside, &n) != 3 || inside != 0 ||
        n < 65536) {
        return RC_OK;
    }
    TRY(random_bytes((uint8_t *)&pick, sizeof(pick)));
    r->box.user_ns = false;
    r->box.uid = n > 0x7fff0000ul ? 0x70000000u + pick % 0x0fff0000u : 60000u + pick % 5000u;
    return RC_OK;
}

/* As root the task's user is another than the files' owner; the folder itself stays as private as
 * the one that holds it. */
static rc open_to_task(int dir, int depth, uint64_t *left, struct err *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL || depth > 64) {
        fd_close(&fd);
        return err_set(e, RC_CODE_IO, "read the input folder: %s", strerror(errno));
    }
    struct stat st;
    rc r = RC_OK;
    if (fstat(fd, &st) == 0 && (st.st_mode & 0555) != 0555) {
        (void)!fchmod(fd, (st.st_mode & 07777) | 0555);
    }
    for (struct dirent *en = NULL; rc_ok(r) && (en = readdir(d)) != NULL;) {
        if (strcmp(en->d_name, ".") == 0 || strcmp(en->d_name, "..") == 0) {
            continue;
        }
        if ((*left)-- == 0) {
            r = err_set(e, RC_CODE_LIMIT, "the input folder has too many files");
        } else if (fstatat(fd, en->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            r = err_set(e, RC_CODE_IO, "read %s: %s", en->d_name, strerror(errno));
        } else if (S_ISDIR(st.st_mode)) {
            CLOSE_FD sub = openat(fd, en->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            r = sub < 0 ? err_set(e, RC_CODE_IO, "open %s: %s", en->d_name, strerror(errno))
                        : open_to_task(sub, depth + 1, left, e);
        } else if (S_ISREG(st.st_mode) && (st.st_mode & 0444) != 0444 &&
                   fchmodat(fd, en->d_name, (st.st_mode & 0777) | 0444, 0) != 0) {
            r = err_set(e, RC_CODE_IO, "make %s readable: %s", en->d_name, strerror(errno));
        }
    }
    (void)closedir(d);
    return r;
}

static rc check_spec(const struct run_spec *s, struct err *e)
{
    const struct run_limits *l = &s->limits;
    if (s->image == NULL || s->image->rootfs == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "run: the image is not unpacked");
    }
    if (l->wall_ms == 0 || l->cpu_ms == 0 || l->memory < ((uint64_t)4 << 20) || l->processes == 0 ||
        l->tmp_size == 0 || l->out_size == 0 || l->out_files == 0 || l->open_files < 8) {
        return err_set(e, RC_CODE_MALFORMED,
                       "run: a limit is missing or too small (memory 4 MiB, 8 open files)");
    }
    return RC_OK;
}

static rc prepare(struct run *r, struct err *e)
{
    const struct run_limits *l = &r->spec->limits;
    struct sandbox *b = &r->box;
    TRY(check_spec(r->spec, e));
    TRY(choose_user(r, e));
    TRY(make_argv(r, e));
    TRY(make_env(r, e));
    TRY(seccomp_compile(&r->seccomp, e));
    b->spec = r->spec;
    b->seccomp = &r->seccomp;
    b->landlock = landlock_abi();
    if (b->landlock == 0) {
        put_str(&r->res->notes,
                "Landlock: this kernel has none; the mounts alone keep files "
                "apart\n");
    }
    (void)snprintf(b->tmp_opts, sizeof(b->tmp_opts),
                   "mode=0700,uid=%u,gid=%u,size=%llu,nr_inodes=65536", b->uid, b->uid,
                   (unsigned long long)l->tmp_size);
    (void)snprintf(b->out_opts, sizeof(b->out_opts),
                   "mode=0700,uid=%u,gid=%u,size=%llu,nr_inodes=%llu", b->uid, b->uid,
                   (unsigned long long)l->out_size, (unsigned long long)l->out_files + 1);
    if (!b->user_ns && r->spec->in_dir != NULL) {
        uint64_t left = 100000;
        CLOSE_FD in = open(r->spec->in_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (in < 0) {
            return err_set(e, RC_CODE_NOT_FOUND, "open input folder %s: %s", r->spec->in_dir,
                           strerror(errno));
        }
        TRY(open_to_task(in, 0, &left, e));
    }
    return RC_OK;
}

/* ---- the start ---- */

static rc write_proc(pid_t pid, const char *file, const char *text, struct err *e)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    CLOSE_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)
               ? RC_OK
               : err_set(e, RC_CODE_DENIED, "user namespace: write %s: %s", path, strerror(errno));
}

static rc map_user(const struct run *r, struct err *e)
{
    char line[64];
    TRY(write_proc(r->pid, "setgroups", "deny", e));
    (void)snprintf(line, sizeof(line), "%u %u 1", r->box.uid, (unsigned)geteuid());
    TRY(write_proc(r->pid, "uid_map", line, e));
    (void)snprintf(line, sizeof(line), "%u %u 1", r->box.uid, (unsigned)getegid());
    return write_proc(r->pid, "gid_map", line, e);
}

static rc start_child(struct run *r, struct err *e)
{
    struct clone_args ca = {
        .flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
                 CLONE_NEWUTS | CLONE_NEWCGROUP | (r->box.user_ns ? CLONE_NEWUSER : 0),
        .pidfd = (uint64_t)(uintptr_t)&r->pidfd,
        .exit_signal = SIGCHLD,
    };
    if (r->cg.kind == CGROUP_V2) {
        ca.flags |= CLONE_INTO_CGROUP;
        ca.cgroup = (unsigned)r->cg.fd;
    }
    long pid = syscall(SYS_clone3, &ca, sizeof(ca));
    if (pid == 0) {
        sandbox_init(&r->box);
    }
    if (pid < 0) {
        return err_set(e, errno == EPERM || errno == ENOSPC ? RC_CODE_DENIED : RC_CODE_IO,
                       "this host gives us no namespaces of our own (%s), so tasks cannot be kept "
                       "apart: run as root, or allow user namespaces",
                       strerror(errno));
    }
    r->pid = (pid_t)pid;
    return RC_OK;
}

static rc start(struct run *r, struct err *e)
{
    int sv[2], po[2], pe[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0) {
        return err_set(e, RC_CODE_IO, "run: socketpair: %s", strerror(errno));
    }
    r->sock = sv[0];
    r->box.sock = sv[1];
    if (pipe2(po, O_CLOEXEC) != 0) {
        return err_set(e, RC_CODE_IO, "run: pipe: %s", strerror(errno));
    }
    r->out_fd = po[0];
    r->box.out_fd = po[1];
    if (pipe2(pe, O_CLOEXEC) != 0) {
        return err_set(e, RC_CODE_IO, "run: pipe: %s", strerror(errno));
    }
    r->err_fd = pe[0];
    r->box.err_fd = pe[1];
    (void)fcntl(r->out_fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(r->err_fd, F_SETFL, O_NONBLOCK);
    r->start_ms = clock_mono_ms();
    TRY(start_child(r, e));
    fd_close(&r->box.sock);
    fd_close(&r->box.out_fd);
    fd_close(&r->box.err_fd);
    TRY(cgroup_add(&r->cg, r->pid, e));
    if (r->box.user_ns) {
        TRY(map_user(r, e));
    }
    return write(r->sock, "g", 1) == 1
               ? RC_OK
               : err_set(e, RC_CODE_IO, "run: the task's process is gone: %s", strerror(errno));
}

/* ---- watching ---- */

static void take_log(int *fd, struct buf *log, size_t max, uint64_t *dropped)
{
    uint8_t block[65536];
    for (int i = 0; *fd >= 0 && i < 16; i++) {
        ssize_t n = read(*fd, block, sizeof(block));
        if (n <= 0) {
            if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                fd_close(fd);
            }
            return;
        }
        size_t keep = MIN((size_t)n, max - MIN(max, log->n));
        put_mem(log, block, keep);
        *dropped += (size_t)n - keep;
    }
}

static void take_msg(struct run *r)
{
    struct sandbox_msg m;
    struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } ctl = {0};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl.room)};
    ssize_t n = recvmsg(r->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n != sizeof(m)) {
        if (n == 0 || errno != EAGAIN) {
            fd_close(&r->sock);
        }
        return;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (m.kind == MSG_READY && c != NULL && c->cmsg_type == SCM_RIGHTS && r->tree < 0) {
        memcpy(&r->tree, CMSG_DATA(c), sizeof(r->tree));
    } else if (m.kind == MSG_ENDED) {
        r->end = m;
        r->ended = true;
    } else if (m.kind == MSG_FAILED) {
        m.step[sizeof(m.step) - 1] = 0;
        r->failed = m;
    }
}

static void kill_all(const struct run *r)
{
    (void)syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
}

/* True when the task must die now; says why in res->end. */
static bool over_limit(struct run *r, const struct pollfd *cancel)
{
    const struct run_limits *l = &r->spec->limits;
    uint64_t us = 0;
    if (cancel->revents != 0) {
        r->res->end = RUN_CANCELLED;
    } else if (clock_mono_ms() - r->start_ms >= l->wall_ms) {
        r->res->end = RUN_TIMEOUT;
    } else if (r->cg.has_cpu && cgroup_cpu_us(&r->cg, &us) && us / 1000 >= l->cpu_ms) {
        r->res->end = RUN_CPU;
    }
    return r->res->end != RUN_EXITED;
}

static void watch(struct run *r)
{
    struct run_result *res = r->res;
    size_t max = r->spec->limits.log_size;
    bool dead = false, killed = false;
    while (!dead) {
        struct pollfd p[5] = {
            {.fd = r->pidfd, .events = POLLIN},
            {.fd = r->out_fd, .events = POLLIN},
            {.fd = r->err_fd, .events = POLLIN},
            {.fd = r->sock, .events = POLLIN},
            {.fd = r->spec->cancel_fd == NULL || killed ? -1 : *r->spec->cancel_fd,
             .events = POLLIN},
        };
        uint64_t spent = clock_mono_ms() - r->start_ms, wall = r->spec->limits.wall_ms;
        uint64_t wait = killed ? 1000 : wall > spent ? wall - spent : 0;
        if (r->cg.has_cpu && !killed) {
            wait = MIN(wait, CPU_CHECK_MS);
        }
        (void)poll(p, 5, (int)MIN(wait, 60000));
        dead = p[0].revents != 0;
        take_log(&r->out_fd, &res->out, max, &res->out_dropped);
        take_log(&r->err_fd, &res->err, max, &res->err_dropped);
        if (r->sock >= 0) {
            take_msg(r);
        }
        if (!dead && !killed && over_limit(r, &p[4])) {
            kill_all(r);
            killed = true;
        }
    }
    while (r->out_fd >= 0 || r->err_fd >= 0) {
        /* All writers are dead: what is in the pipes is at most their size. */
        take_log(&r->out_fd, &res->out, max, &res->out_dropped);
        take_log(&r->err_fd, &res->err, max, &res->err_dropped);
        if ((r->out_fd >= 0 &&
             poll(&(struct pollfd){.fd = r->out_fd, .events = POLLIN}, 1, 0) == 0) ||
            (r->err_fd >= 0 &&
             poll(&(struct pollfd){.fd = r->err_fd, .events = POLLIN}, 1, 0) == 0)) {
            break;
        }
    }
    for (int i = 0; i < 3 && r->sock >= 0; i++) {
        take_msg(r);
    }
}

/* ---- after the end ---- */

static void verdict(struct run *r)
{
    struct run_result *res = r->res;
    const struct run_limits *l = &r->spec->limits;
    int st = r->end.status;
    int sig = r->ended && WIFSIGNALED(st) ? WTERMSIG(st) : 0;
    uint64_t us = r->end.cpu_us;
    (void)cgroup_cpu_us(&r->cg, &us);
    res->cpu_ms = us / 1000;
    res->memory_peak = cgroup_memory_peak(&r->cg);
    res->exit_code = res->end == RUN_TIMEOUT ? 124 : 137;
    if (res->end == RUN_EXITED && r->ended) {
        res->exit_code = sig != 0 ? 128 + sig : WEXITSTATUS(st);
    }
    if (res->end == RUN_EXITED && sig != 0) {
        res->end = RUN_SIGNALED;
    }
    bool oom = cgroup_was_oom(&r->cg);
    if ((res->end == RUN_SIGNALED && sig == SIGKILL && oom) ||
        (res->end == RUN_EXITED && !r->ended && oom)) {
        res->end = RUN_MEMORY;
    } else if (res->end == RUN_SIGNALED &&
               (sig == SIGXCPU || (sig == SIGKILL && !oom && res->cpu_ms >= l->cpu_ms))) {
        res->end = RUN_CPU;
    }
    unsigned long long ms = (unsigned long long)l->wall_ms, cpu = (unsigned long long)l->cpu_ms;
    switch (res->end) {
    case RUN_EXITED:
    case RUN_OUTPUT:
        break;
    case RUN_SIGNALED:
        (void)snprintf(res->why, sizeof(res->why), "ended by signal %d (%s)", sig, strsignal(sig));
        break;
    case RUN_TIMEOUT:
        (void)snprintf(res->why, sizeof(res->why), "still running after %llu ms", ms);
        break;
    case RUN_CPU:
        (void)snprintf(res->why, sizeof(res->why), "used more than %llu ms of cpu time", cpu);
        break;
    case RUN_MEMORY:
        (void)snprintf(res->why, sizeof(res->why), "needed more than %llu bytes of memory",
                       (unsigned long long)l->memory);
        break;
    case RUN_CANCELLED:
        (void)snprintf(res->why, sizeof(res->why), "cancelled");
        break;
    }
}

static void close_log(struct buf *log, uint64_t dropped)
{
    if (dropped > 0) {
        put_fmt(log, "\n[%llu more bytes were cut]\n", (unsigned long long)dropped);
    }
}

static rc finish(struct run *r, struct err *e)
{
    struct run_result *res = r->res;
    res->wall_ms = clock_mono_ms() - r->start_ms;
    if (r->failed.kind == MSG_FAILED) {
        int no = r->failed.status;
        return err_set(e, no == EPERM || no == EACCES ? RC_CODE_DENIED : RC_CODE_IO,
                       "the sandbox cannot be built: %s: %s", r->failed.step, strerror(no));
    }
    if (r->tree < 0 && res->end == RUN_EXITED) {
        return err_set(e, RC_CODE_IO, "the sandbox's first process ended before it was ready");
    }
    verdict(r);
    close_log(&res->out, res->out_dropped);
    close_log(&res->err, res->err_dropped);
    if (r->tree < 0 || r->spec->out_dir == NULL) {
        return RC_OK;
    }
    struct err why = {0};
    rc c = collect_copy(r->tree, r->spec->out_dir, &r->spec->limits, &res->out_size,
                        &res->out_files, &why);
    if (c.code == RC_CODE_DENIED || c.code == RC_CODE_LIMIT) {
        if (res->end == RUN_EXITED) {
            res->end = RUN_OUTPUT;
            (void)snprintf(res->why, sizeof(res->why), "%.190s", why.msg);
        }
        /* Nothing of a refused result stays. */
        return dir_remove(r->spec->out_dir, e);
    }
    return rc_ok(c) ? RC_OK : err_set(e, c.code, "%s", why.msg);
}

static rc run_all(struct run *r, struct err *e)
{
    char name[64];
    TRY(prepare(r, e));
    (void)snprintf(name, sizeof(name), "%d-%llx", (int)getpid(),
                   (unsigned long long)clock_mono_us());
    cgroup_open(&r->cg, name, &r->spec->limits, &r->res->notes);
    r->box.memory_rlimit = !r->cg.has_memory;
    rc s = start(r, e);
    if (r->pid <= 0) {
        return s;
    }
    if (!rc_ok(s)) {
        kill_all(r);
    }
    watch(r);
    int status = 0;
    while (waitpid(r->pid, &status, __WALL) < 0 && errno == EINTR) {
    }
    return rc_ok(s) ? finish(r, e) : s;
}

rc runtime_run(const struct run_spec *spec, struct run_result *out, struct err *e)
{
    struct run *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    *out = (struct run_result){.out = buf_new(spec->limits.log_size + 100),
                               .err = buf_new(spec->limits.log_size + 100),
                               .notes = buf_new(4096)};
    *r = (struct run){.spec = spec,
                      .res = out,
                      .sock = -1,
                      .out_fd = -1,
                      .err_fd = -1,
                      .pidfd = -1,
                      .tree = -1,
                      .cg = {.fd = -1}};
    r->box = (struct sandbox){.sock = -1, .out_fd = -1, .err_fd = -1};
    arena_init(&r->arena, ENV_ARENA);
    rc v = run_all(r, e);
    int *fds[] = {&r->sock, &r->out_fd,   &r->err_fd,     &r->pidfd,
                  &r->tree, &r->box.sock, &r->box.out_fd, &r->box.err_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fd_close(fds[i]);
    }
    cgroup_close(&r->cg);
    arena_reset(&r->arena);
    free(r);
    return v;
}
