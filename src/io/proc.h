/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_PROC_H
#define SOUK_IO_PROC_H

/* proc.h - child processes by pidfd: no race with a reused process id. */

#include <sys/types.h>

#include "base/buf.h"

struct proc {
    pid_t pid;
    int pidfd;  /* readable when the child has ended; -1: no child */
    int out_fd; /* the child's standard output, -1 unless asked for */
    int err_fd; /* the child's standard error, -1 unless asked for */
};

struct proc_spec {
    const char *const *argv;  /* ends with NULL; argv[0] is looked up in PATH unless it has a '/' */
    const char *const *env;   /* ends with NULL; NULL: this process's */
    const char *dir;          /* working folder; NULL: ours */
    int stdin_fd;             /* 0: /dev/null; else given to the child as standard input */
    int stdout_fd, stderr_fd; /* 0: inherited; PROC_PIPE: read it from out_fd, err_fd */
    const int *keep_fds;      /* inherited under the same number; every other one is closed */
    size_t keep_n;
    bool die_with_parent; /* SIGKILL when our thread ends */
    bool own_group;       /* its own process group, so that all of it can be killed */
};

#define PROC_PIPE (-2)

/* Starts the child. NOT_FOUND when there is no such program. */
rc proc_spawn(struct proc *out, const struct proc_spec *spec, struct err *e);

/* Waits at most timeout_ms and reaps: *status as of waitpid(2). LIMIT when it still runs. */
rc proc_wait(struct proc *p, uint64_t timeout_ms, int *status, struct err *e);

void proc_kill(const struct proc *p, int signo); /* the child only */

/* Kills and reaps what still runs, closes the descriptors. A zeroed or ended one is fine. */
void proc_end(struct proc *p);

/* Runs to the end: output of both streams up to the caps of out and err_out (NULL: discarded);
 * beyond the cap it is dropped, not an error. LIMIT and a kill when timeout_ms passes. *status: the
 * exit code, or 128 + signal. */
rc proc_run(const struct proc_spec *spec, uint64_t timeout_ms, struct buf *out, struct buf *err_out,
            int *status, struct err *e);

int proc_exit_code(int status); /* waitpid's status to exit code, or 128 + signal */

#endif /* SOUK_IO_PROC_H */
