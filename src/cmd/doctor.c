/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - `souk doctor`: can this machine run souk, and what will it do less well? */
#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/session.h"
#include "io/file.h"

enum verdict { GOOD, WEAK, BROKEN };

struct doctor {
    struct session_opts so; /* first: session options live there */
    json_t *lines;
    unsigned weak, broken;
};

static void say(struct doctor *d, enum verdict v, const char *what, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static void say(struct doctor *d, enum verdict v, const char *what, const char *fmt, ...)
{
    static const char *const words[] = {"ok", "weak", "BROKEN"};
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    d->weak += v == WEAK;
    d->broken += v == BROKEN;
    (void)json_array_append_new(
        d->lines, json_pack("{s:s, s:s, s:s}", "check", what, "verdict", words[v], "text", text));
    if (!d->so.json) {
        (void)printf("%-7s %-14s %s\n", words[v], what, text);
    }
}

/* Tries it in a child: the parent must stay in its own namespaces. */
static bool can_unshare(int flags)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(unshare(flags) == 0 ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void check_namespaces(struct doctor *d)
{
    int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    bool root = geteuid() == 0;
    if (can_unshare(root ? flags : flags | CLONE_NEWUSER)) {
        say(d, GOOD, "namespaces", "tasks get their own mounts, processes, network and users%s",
            root ? "" : " (as an ordinary user)");
    } else {
        say(d, BROKEN, "namespaces",
            "this kernel or container forbids them: %s. Workers refuse to run here; allow user "
            "namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1)",
            strerror(errno));
    }
}

static void check_landlock(struct doctor *d)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi > 0) {
        say(d, GOOD, "landlock", "ABI %ld: a second fence around a task's files", abi);
    } else {
        say(d, WEAK, "landlock", "not in this kernel: a task's files are fenced by its root alone");
    }
}

static void check_cgroups(struct doctor *d)
{
    bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    bool v1 = access("/sys/fs/cgroup/memory", W_OK) == 0;
    if (geteuid() == 0 && (v2 || v1)) {
        say(d, GOOD, "cgroups", "%s: memory and number of processes of a task are limited together",
            v2 ? "version 2" : "version 1");
    } else {
        say(d, WEAK, "cgroups",
            "not writable for this user: memory and processes are limited one process at a time; "
            "tasks' logs say so");
    }
}

static void check_tee(struct doctor *d)
{
    static const char *const devices[][2] = {{"/dev/tdx_guest", "Intel TDX guest"},
                                             {"/dev/sev-guest", "AMD SEV-SNP guest"},
                                             {"/dev/nsm", "AWS Nitro enclave"},
                                             {"/dev/sgx_enclave", "Intel SGX"},
                                             {"/sys/kernel/config/tsm/report", "configfs-tsm"}};
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        if (access(devices[i][0], F_OK) == 0) {
            say(d, GOOD, "tee", "%s (%s)", devices[i][1], devices[i][0]);
            return;
        }
    }
    say(d, WEAK, "tee",
        "no TEE hardware: only simulated evidence, which protects nothing from this machine's "
        "administrator and is refused unless it is allowed by name");
}

static void check_disk(struct doctor *d)
{
    struct statvfs st;
    const char *dir = d->so.state != NULL && file_exists(d->so.state) ? d->so.state : ".";
    if (statvfs(dir, &st) != 0) {
        say(d, BROKEN, "disk", "%s: %s", dir, strerror(errno));
        return;
    }
    uint64_t free_mib = (uint64_t)st.f_bavail * st.f_frsize >> 20;
    say(d,
        free_mib < 256    ? BROKEN
        : free_mib < 2048 ? WEAK
                          : GOOD,
        "disk", "%llu MiB free%s", (unsigned long long)free_mib,
        free_mib < 2048 ? ": models and results need room" : "");
}

static void check_market(struct doctor *d)
{
    struct session s;
    struct client_head head;
    struct err e = {0};
    rc r = session_open(&s, &d->so, &e);
    if (rc_ok(r)) {
        r = client_head(s.client, &head, &e);
    }
    if (rc_ok(r)) {
        say(d, GOOD, "market", "chain %llu at %s, block %llu", (unsigned long long)s.chain_id,
            s.node, (unsigned long long)head.number);
    } else {
        say(d, WEAK, "market", "%s", e.msg);
    }
    session_close(&s);
}

/* clang-format off */
static const struct opt table[] = {SESSION_OPTS(struct doctor), {.name = NULL}};
/* clang-format on */

static const struct opts options = {
    .command = "doctor",
    .summary =
        "Looks at this machine: what souk needs, what it has, what will be weaker here and how "
        "to mend it. Exit 0: it can run; 1: something is broken.",
    .table = table,
    .example = "  souk doctor\n  souk doctor --json | jq '.checks[] | select(.verdict != \"ok\")'",
};

int cmd_doctor(int argc, char **argv)
{
    struct doctor d = {0};
    struct utsname u;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&options, &d, NULL, argc, argv, &a);
    if (what != OPTS_RUN) {
        arena_reset(&a);
        return what == OPTS_DONE ? 0 : 2;
    }
    d.lines = json_array();
    (void)uname(&u);
    say(&d, GOOD, "kernel", "%s %s", u.sysname, u.release);
    check_namespaces(&d);
    check_landlock(&d);
    check_cgroups(&d);
    check_tee(&d);
    check_disk(&d);
    check_market(&d);
    if (d.so.json) {
        print_json(json_pack("{s:b, s:O}", "ok", d.broken == 0, "checks", d.lines));
    } else {
        (void)printf("\n%s\n", d.broken > 0 ? "this machine cannot run souk as it is"
                               : d.weak > 0 ? "souk runs here; see what is weaker"
                                            : "all is well");
    }
    json_decref(d.lines);
    arena_reset(&a);
    return d.broken > 0;
}
