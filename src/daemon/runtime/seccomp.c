/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/runtime/sandbox_int.h"
#include "io/file.h"

/* What a program that computes needs: memory, files, threads, time, pipes. Everything else answers
 * EPERM: sockets, mounts, ptrace, namespaces, keys, bpf, perf, io_uring, modules, clocks. */
/* clang-format off */
static const char *const allowed[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "open", "openat", "close", "close_range", "creat", "lseek", "stat", "lstat", "fstat",
    "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getdents", "getdents64", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
    "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "truncate",
    "ftruncate", "fallocate", "chmod", "fchmod", "fchmodat", "utime", "utimes", "utimensat",
    "futimesat", "umask", "getcwd", "chdir", "fchdir", "dup", "dup2", "dup3", "pipe", "pipe2",
    "fcntl", "flock", "fsync", "fdatasync", "sync_file_range", "fadvise64", "readahead", "sendfile",
    "copy_file_range", "splice", "tee", "vmsplice", "poll", "ppoll", "select", "pselect6",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd", "eventfd2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "signalfd", "signalfd4", "inotify_init1",
    "inotify_add_watch", "inotify_rm_watch",
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "munlock",
    "mlock2", "membarrier", "memfd_create", "get_mempolicy", "set_mempolicy", "mbind",
    "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "kill", "tkill",
    "tgkill", "getpid", "getppid", "gettid", "getpgid", "getpgrp", "setpgid", "getsid", "setsid",
    "set_tid_address", "set_robust_list", "get_robust_list", "futex", "rseq", "arch_prctl",
    "restart_syscall", "pause", "alarm", "setitimer", "getitimer",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "rt_sigsuspend", "rt_sigqueueinfo", "sigaltstack",
    "timer_create", "timer_settime", "timer_gettime", "timer_delete", "timer_getoverrun",
    "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "times",
    "getrusage", "getrlimit", "setrlimit", "prlimit64", "sysinfo", "uname", "getcpu",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getpriority", "getrandom", "getuid",
    "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget",
    "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop",
};

/* A kernel that does not know these says ENOSYS, and libraries then take the older way. */
static const char *const unknown[] = {"clone3", "openat2", "io_uring_setup", "pidfd_open"};
/* clang-format on */

/* Namespaces, and a child that would outlive its thread group. */
#define CLONE_REFUSED                                                                              \
    ((uint64_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |         \
                CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_PTRACE | CLONE_UNTRACED))

static int add_rules(scmp_filter_ctx f)
{
    int bad = 0;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        int nr = seccomp_syscall_resolve_name(allowed[i]);
        /* A name that this library does not know stays refused. */
        bad |= nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        int nr = seccomp_syscall_resolve_name(unknown[i]);
        bad |= nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
    }
    bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_REFUSED, 0));
    /* Is it a terminal, how much is there to read, close on exec: no other ioctl. */
    static const uint64_t ioctls[] = {TCGETS, TIOCGWINSZ, FIONREAD, FIOCLEX, FIONCLEX, FIONBIO};
    for (size_t i = 0; i < ARRAY_LEN(ioctls); i++) {
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
    }
    /* Between its own processes. */
    bad |=
        seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    /* PR_SET_NAME and friends; dumpable, seccomp, capabilities and the like stay as they are. */
    static const uint64_t prctls[] = {1, 2, 3, 15, 16, 38, 39};
    for (size_t i = 0; i < ARRAY_LEN(prctls); i++) {
        bad |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                SCMP_A0(SCMP_CMP_EQ, prctls[i]));
    }
    return bad;
}

static rc read_program(struct seccomp_prog *out, scmp_filter_ctx f, struct err *e)
{
    CLOSE_FD fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0 || seccomp_export_bpf(f, fd) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return err_set(e, RC_CODE_IO, "seccomp: cannot write the filter: %s", strerror(errno));
    }
    ssize_t n = read(fd, out->ops, sizeof(out->ops));
    if (n <= 0 || (size_t)n == sizeof(out->ops)) {
        return err_set(e, RC_CODE_IO, "seccomp: the filter has an unexpected size");
    }
    out->n = (unsigned short)((size_t)n / sizeof(out->ops[0]));
    return RC_OK;
}

rc seccomp_compile(struct seccomp_prog *out, struct err *e)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (f == NULL) {
        return err_set(e, RC_CODE_IO, "seccomp: the library refuses to start");
    }
    /* A balanced tree: one look-up costs a few comparisons instead of two hundred. */
    (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int bad = add_rules(f);
    rc r = bad != 0 ? err_set(e, RC_CODE_IO, "seccomp: a rule was refused") : RC_OK;
    if (rc_ok(r)) {
        r = read_program(out, f, e);
    }
    seccomp_release(f);
    return r;
}
