/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/runtime/sandbox_int.h"

/* Runs between clone and exec, perhaps beside threads that held locks when we were copied: system
 * calls and the stack only, no allocation, no stdio streams. */

static void send_msg(const struct sandbox *s, const struct sandbox_msg *m, int fd)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } ctl = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        msg.msg_control = &ctl;
        msg.msg_controllen = sizeof(ctl.room);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    (void)!sendmsg(s->sock, &msg, MSG_NOSIGNAL);
}

static _Noreturn void give_up(const struct sandbox *s, const char *step)
{
    struct sandbox_msg m = {.kind = MSG_FAILED, .status = errno};
    size_t n = strlen(step);
    memcpy(m.step, step, MIN(n, sizeof(m.step) - 1));
    send_msg(s, &m, -1);
    _exit(1);
}

static void must(const struct sandbox *s, bool ok, const char *step)
{
    if (!ok) {
        give_up(s, step);
    }
}

/* Adds flags to a mount without losing those that an outer namespace has locked on it. */
static bool set_flags(const char *path, uint64_t flags)
{
    struct mount_attr attr = {.attr_set = flags};
    return mount_setattr(AT_FDCWD, path, 0, &attr, sizeof(attr)) == 0;
}

static bool bind_mount(const char *from, const char *to, uint64_t flags)
{
    return mount(from, to, NULL, MS_BIND, NULL) == 0 && set_flags(to, flags);
}

static void make_dev(const struct sandbox *s)
{
    static const char *const nodes[] = {"null", "zero", "random", "urandom"};
    must(s,
         mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k,nr_inodes=16") ==
             0,
         "mount /dev");
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        char from[32], to[32];
        (void)snprintf(from, sizeof(from), "/dev/%s", nodes[i]);
        (void)snprintf(to, sizeof(to), "dev/%s", nodes[i]);
        int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        must(s, fd >= 0, "make a device's place in /dev");
        (void)close(fd);
        /* A host without the node: the application sees an empty file. */
        if (mount(from, to, NULL, MS_BIND, NULL) != 0 && errno != ENOENT) {
            give_up(s, "bind a device into /dev");
        }
    }
    must(s, set_flags("dev", MOUNT_ATTR_RDONLY), "make /dev read-only");
}

static void make_root(const struct sandbox *s)
{
    const char *root = s->spec->image->rootfs;
    const uint64_t ro = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    must(s, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0,
         "make mounts private (is this a chroot? pivot_root into it instead)");
    must(s, bind_mount(root, root, ro) && chdir(root) == 0, "bind the image");
    must(s, mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, s->tmp_opts) == 0, "mount /tmp");
    must(s,
         mount("tmpfs", "iexec_out", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, s->out_opts) == 0,
         "mount /iexec_out");
    if (s->spec->in_dir != NULL) {
        must(s, bind_mount(s->spec->in_dir, "iexec_in", ro | MOUNT_ATTR_NOEXEC), "bind /iexec_in");
    }
    make_dev(s);
    if (s->spec->proc) {
        must(s,
             mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   "subset=pid,hidepid=2") == 0,
             "mount /proc");
    }
    /* The old root is stacked under the new one and taken off: nothing of the host stays. */
    must(s, syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
    must(s, umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "leave the old root");
}

/* Lowers, never raises. */
static bool set_rlimit(__rlimit_resource_t which, uint64_t soft, uint64_t hard)
{
    struct rlimit r;
    if (getrlimit(which, &r) != 0) {
        return false;
    }
    r.rlim_max = MIN(r.rlim_max, (rlim_t)hard);
    r.rlim_cur = MIN(r.rlim_max, (rlim_t)soft);
    return setrlimit(which, &r) == 0;
}

static void set_rlimits(const struct sandbox *s)
{
    const struct run_limits *l = &s->spec->limits;
    uint64_t cpu_s = (l->cpu_ms + 999) / 1000;
    bool ok = set_rlimit(RLIMIT_CPU, cpu_s, cpu_s + 1) &&
              set_rlimit(RLIMIT_FSIZE, l->file_size, l->file_size) &&
              set_rlimit(RLIMIT_NOFILE, l->open_files, l->open_files) &&
              set_rlimit(RLIMIT_NPROC, l->processes + 1, l->processes + 1) &&
              set_rlimit(RLIMIT_CORE, 0, 0) && set_rlimit(RLIMIT_MEMLOCK, 65536, 65536) &&
              set_rlimit(RLIMIT_MSGQUEUE, 0, 0) && set_rlimit(RLIMIT_SIGPENDING, 1024, 1024) &&
              (!s->memory_rlimit || set_rlimit(RLIMIT_AS, l->memory, l->memory));
    must(s, ok, "set resource limits");
}

static void drop_rights(const struct sandbox *s)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++) {
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (!s->user_ns) {
        must(s, syscall(SYS_setgroups, 0, NULL) == 0, "drop groups");
    }
    must(s,
         syscall(SYS_setresgid, s->uid, s->uid, s->uid) == 0 &&
             syscall(SYS_setresuid, s->uid, s->uid, s->uid) == 0,
         "become the task's user");
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    must(s, syscall(SYS_capset, &head, none) == 0, "drop capabilities");
}

static _Noreturn void run_app(const struct sandbox *s)
{
    (void)setsid();
    must(s, dup2(s->out_fd, 1) == 1 && dup2(s->err_fd, 2) == 2, "connect the logs");
    must(s, syscall(SYS_close_range, 3U, ~0U, 1U << 2) == 0, "close descriptors"); /* on exec */
    must(s, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "set no_new_privs");
    set_rlimits(s);
    must(s, s->landlock == 0 || landlock_enter(s->landlock), "enter Landlock");
    drop_rights(s);
    (void)umask(022);
    const char *dir = s->spec->image->workdir;
    struct sock_fprog prog = {.len = s->seccomp->n,
                              .filter = (struct sock_filter *)(uintptr_t)s->seccomp->ops};
    bool there = chdir(dir) == 0;
    must(s, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) == 0, "enter seccomp");
    const char *what = there ? s->argv[0] : dir;
    if (there) {
        /* execve() takes what it never changes as not const. */
        (void)execve(s->argv[0], (char *const *)(uintptr_t)s->argv,
                     (char *const *)(uintptr_t)s->envp);
    }
    int why = errno;
    char line[256];
    int n = snprintf(line, sizeof(line), "souk: cannot run %.150s: %s\n", what,
                     why == ENOENT ? "no such file (or its loader is missing)" : strerror(why));
    (void)!write(2, line, n > 0 ? (size_t)n : 0);
    _exit(127);
}

/* Waits for every process; answers when the application itself has ended. */
static _Noreturn void reap(const struct sandbox *s, pid_t app)
{
    struct sandbox_msg m = {.kind = MSG_ENDED};
    struct rusage ru;
    for (;;) {
        pid_t got = wait4(-1, &m.status, 0, &ru);
        if (got == app) {
            m.cpu_us = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
                       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
            send_msg(s, &m, -1);
            _exit(0);
        }
        if (got < 0 && errno != EINTR) {
            _exit(1);
        }
    }
}

/* The worker must not be chosen when memory runs out because of a task. */
static void be_first_victim(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "1000", 4);
        (void)close(fd);
    }
}

static void own_stdio(const struct sandbox *s)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) { /* a bare root: an empty pipe reads as an end of file too */
        int p[2];
        must(s, pipe2(p, O_CLOEXEC) == 0, "open standard input");
        fd = p[0];
    }
    must(s, dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2, "open standard input");
}

void sandbox_init(struct sandbox *s)
{
    char go = 0;
    sigset_t none;
    /* The kernel's reading of the parent's end: when the parent's thread dies, so do we, and with
     * process 1 the whole namespace. The read below closes the gap before this call. */
    must(s, prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, "tie to the worker");
    if (read(s->sock, &go, 1) != 1) {
        _exit(1);
    }
    for (int sig = 1; sig < 65; sig++) {
        (void)signal(sig, SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_NAME, "souk-task", 0, 0, 0);
    be_first_victim();
    own_stdio(s);
    /* Everything of the worker but these three is closed now, not at exec: init never execs. */
    int keep[3] = {s->sock, s->out_fd, s->err_fd};
    for (int i = 0; i < 3; i++) {
        for (int j = i + 1; j < 3; j++) {
            if (keep[j] < keep[i]) {
                int t = keep[i];
                keep[i] = keep[j];
                keep[j] = t;
            }
        }
    }
    unsigned from = 3;
    for (int i = 0; i < 3; i++) {
        if ((unsigned)keep[i] > from) {
            (void)syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0U);
        }
        from = (unsigned)keep[i] + 1;
    }
    (void)syscall(SYS_close_range, from, ~0U, 0U);
    (void)!sethostname("souk", 4);
    make_root(s);
    int out = open("/iexec_out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(s, out >= 0, "open /iexec_out");
    struct sandbox_msg ready = {.kind = MSG_READY};
    send_msg(s, &ready, out);
    (void)close(out);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    pid_t app = fork();
    must(s, app >= 0, "start the application");
    if (app == 0) {
        run_app(s);
    }
    (void)close(s->out_fd);
    (void)close(s->err_fd);
    reap(s, app);
}
