/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_RUNTIME_SANDBOX_INT_H
#define SOUK_DAEMON_RUNTIME_SANDBOX_INT_H

/* sandbox_int.h - the parts of one sandbox.
 *
 * The caller (parent) starts `init`, process 1 of a new pid namespace, which builds the root and
 * starts the application as its child. When the application ends, init reports and ends, and the
 * kernel kills whatever is left in the namespace. The parent only watches: pipes, clock, counters. */

#include <linux/filter.h>
#include <sys/types.h>

#include "daemon/runtime/runtime.h"

/* ---- seccomp.c ---- */

#define SECCOMP_OPS_MAX 1024

struct seccomp_prog {
    struct sock_filter ops[SECCOMP_OPS_MAX];
    unsigned short n;
};

/* Compiled by the parent: the child may not allocate. */
rc seccomp_compile(struct seccomp_prog *out, struct err *e);

/* ---- landlock.c: called in the child, no allocation ---- */

int landlock_abi(void); /* 0: the kernel has none */

/* Read and execute below /, write below /tmp, /iexec_out and /dev; no TCP, no abstract sockets or
 * signals to the outside, as far as this kernel's version goes. False with errno set. */
bool landlock_enter(int abi);

/* ---- cgroup.c ---- */

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

#define CGROUP_PATH_MAX 256

struct cgroup {
    enum cgroup_kind kind;
    bool has_memory, has_pids, has_cpu; /* what this host enforces, or counts (cpu) */
    char memory[CGROUP_PATH_MAX], pids[CGROUP_PATH_MAX], cpu[CGROUP_PATH_MAX]; /* folders */
    int fd; /* v2: for CLONE_INTO_CGROUP; else -1 */
};

/* A group of its own with the limits set, by whatever this host offers; never fails: what is
 * missing is written to notes. */
void cgroup_open(struct cgroup *c, const char *name, const struct run_limits *l, struct buf *notes);
rc cgroup_add(const struct cgroup *c, pid_t pid, struct err *e); /* v1; nothing to do for v2 */
bool cgroup_cpu_us(const struct cgroup *c, uint64_t *us);
uint64_t cgroup_memory_peak(const struct cgroup *c);
bool cgroup_was_oom(const struct cgroup *c);
void cgroup_close(struct cgroup *c); /* when its processes are gone */

/* ---- sandbox_child.c ---- */

#define SANDBOX_STEP_MAX 80

/* What init tells the parent, one packet each. MSG_READY carries the descriptor of /iexec_out. */
enum sandbox_msg_kind { MSG_READY = 1, MSG_FAILED, MSG_ENDED };

struct sandbox_msg {
    enum sandbox_msg_kind kind;
    int status;                  /* ENDED: of waitpid(2); FAILED: errno */
    uint64_t cpu_us;             /* ENDED: of the application and the children it waited for */
    char step[SANDBOX_STEP_MAX]; /* FAILED: what could not be done */
};

/* Everything the child needs, made before it is started: it allocates nothing. */
struct sandbox {
    const struct run_spec *spec;
    const char *const *argv;
    const char *const *envp;
    const struct seccomp_prog *seccomp;
    char tmp_opts[128], out_opts[128]; /* of the two tmpfs */
    int sock;                          /* its end of the packet socket */
    int out_fd, err_fd;                /* write ends of the log pipes */
    uid_t uid;                         /* of the application, as init sees it */
    bool user_ns, memory_rlimit;
    int landlock;
};

/* Runs init; does not return. */
_Noreturn void sandbox_init(struct sandbox *s);

/* ---- collect.c ---- */

/* Copies the tree below from_fd to the new or empty folder `to`. DENIED with a sentence when there
 * is something that is neither file nor folder, LIMIT when it is larger than the limits. */
rc collect_copy(int from_fd, const char *to, const struct run_limits *l, uint64_t *size,
                uint64_t *files, struct err *e);

#endif /* SOUK_DAEMON_RUNTIME_SANDBOX_INT_H */
