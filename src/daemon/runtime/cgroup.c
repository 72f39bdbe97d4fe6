/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/runtime/sandbox_int.h"
#include "io/clock.h"
#include "io/file.h"

#define ROOT        "/sys/fs/cgroup"
#define SWEEP_AGE_S 60

static bool put_value(const char *dir, const char *file, const char *text)
{
    char path[CGROUP_PATH_MAX + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    CLOSE_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool put_number(const char *dir, const char *file, uint64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return put_value(dir, file, text);
}

/* The number after `key` in a file of lines "key value"; key "" is the whole file. */
static bool get_number(const char *dir, const char *file, const char *key, uint64_t *out)
{
    char path[CGROUP_PATH_MAX + 64], text[2048];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    CLOSE_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0) {
        return false;
    }
    text[n] = 0;
    size_t len = strlen(key);
    for (char *p = text; p != NULL && *p != 0; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, len) == 0 && (len == 0 || p[len] == ' ')) {
            *out = strtoull(p + len, NULL, 10);
            return true;
        }
    }
    return false;
}

/* Groups that killed workers left behind: empty and old. rmdir() refuses one that has processes, and
 * the age spares one that another worker has just made. */
static void sweep(const char *base, const char *prefix)
{
    DIR *d = opendir(base);
    uint64_t now = clock_wall_s();
    struct stat st;
    for (struct dirent *en = NULL; d != NULL && (en = readdir(d)) != NULL;) {
        if (en->d_type == DT_DIR && en->d_name[0] != '.' &&
            strncmp(en->d_name, prefix, strlen(prefix)) == 0 &&
            fstatat(dirfd(d), en->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (uint64_t)st.st_mtime + SWEEP_AGE_S < now) {
            (void)unlinkat(dirfd(d), en->d_name, AT_REMOVEDIR);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
}

/* ---- version 1: one tree a controller ---- */

static bool v1_make(char out[CGROUP_PATH_MAX], const char *controller, const char *name)
{
    char base[CGROUP_PATH_MAX];
    (void)snprintf(base, sizeof(base), ROOT "/%s/souk", controller);
    if (mkdir(base, 0755) != 0 && errno == EEXIST) {
        sweep(base, "");
    }
    (void)snprintf(out, CGROUP_PATH_MAX, ROOT "/%s/souk/%.100s", controller, name);
    if (mkdir(out, 0755) != 0) {
        out[0] = 0;
    }
    return out[0] != 0;
}

static void v1_open(struct cgroup *c, const char *name, const struct run_limits *l)
{
    if (v1_make(c->memory, "memory", name)) {
        c->has_memory = put_number(c->memory, "memory.limit_in_bytes", l->memory);
        /* Swap would let it grow beyond; a kernel without swap accounting has no such file. */
        (void)put_number(c->memory, "memory.memsw.limit_in_bytes", l->memory);
        (void)put_number(c->memory, "memory.swappiness", 0);
    }
    if (v1_make(c->pids, "pids", name)) {
        /* One more: init. */
        c->has_pids = put_number(c->pids, "pids.max", l->processes + 1);
    }
    c->has_cpu = v1_make(c->cpu, "cpuacct", name);
    c->kind = c->has_memory || c->has_pids || c->has_cpu ? CGROUP_V1 : CGROUP_NONE;
}

/* ---- version 2: one tree ---- */

static bool v2_has(const char *base, const char *controller)
{
    char path[CGROUP_PATH_MAX + 64], text[512], word[32];
    (void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", base);
    (void)snprintf(word, sizeof(word), "+%s", controller);
    (void)put_value(base, "cgroup.subtree_control", word);
    CLOSE_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0) {
        return false;
    }
    text[n] = 0;
    return strstr(text, controller) != NULL;
}

/* As root below the root; else below our own group, when it was delegated to us and has no
 * processes of its own (systemd: Delegate=yes with the daemon in a sub-group). */
static bool v2_base(char out[CGROUP_PATH_MAX])
{
    char line[CGROUP_PATH_MAX] = {0};
    if (mkdir(ROOT "/souk", 0755) == 0 || (errno == EEXIST && access(ROOT "/souk", W_OK) == 0)) {
        (void)v2_has(ROOT, "memory");
        (void)v2_has(ROOT, "pids");
        (void)v2_has(ROOT, "cpu");
        (void)snprintf(out, CGROUP_PATH_MAX, ROOT "/souk");
        return true;
    }
    CLOSE_FD fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    char *path = n > 0 ? strstr(line, "0::/") : NULL;
    if (path == NULL) {
        return false;
    }
    path[strcspn(path, "\n")] = 0;
    char *last = strrchr(path + 3, '/');
    *last = 0;
    int len = snprintf(out, CGROUP_PATH_MAX, ROOT "%s", path + 3);
    return len > 0 && len < CGROUP_PATH_MAX - 128 && access(out, W_OK) == 0;
}

static void v2_open(struct cgroup *c, const char *name, const struct run_limits *l)
{
    char base[CGROUP_PATH_MAX];
    if (!v2_base(base)) {
        return;
    }
    sweep(base, "task-");
    bool memory = v2_has(base, "memory"), pids = v2_has(base, "pids");
    (void)v2_has(base, "cpu");
    int len = snprintf(c->memory, sizeof(c->memory), "%s/task-%.100s", base, name);
    if (len < 0 || (size_t)len >= sizeof(c->memory) || mkdir(c->memory, 0755) != 0) {
        c->memory[0] = 0;
        return;
    }
    c->has_memory = memory && put_number(c->memory, "memory.max", l->memory);
    (void)put_number(c->memory, "memory.swap.max", 0);
    c->has_pids = pids && put_number(c->memory, "pids.max", l->processes + 1);
    c->has_cpu = true; /* cpu.stat is always there */
    c->fd = open(c->memory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    c->kind = c->fd >= 0 ? CGROUP_V2 : CGROUP_NONE;
}

void cgroup_open(struct cgroup *c, const char *name, const struct run_limits *l, struct buf *notes)
{
    *c = (struct cgroup){.fd = -1};
    if (access(ROOT "/cgroup.controllers", F_OK) == 0) {
        v2_open(c, name, l);
    } else if (access(ROOT "/memory", F_OK) == 0) {
        v1_open(c, name, l);
    }
    if (!c->has_memory) {
        put_fmt(notes,
                "memory: no cgroup here, so the limit of %llu bytes holds for each process, "
                "not for all together\n",
                (unsigned long long)l->memory);
    }
    if (!c->has_pids) {
        put_fmt(notes, "processes: no cgroup here, the limit of %llu is kept by RLIMIT_NPROC\n",
                (unsigned long long)l->processes);
    }
    if (!c->has_cpu) {
        put_fmt(notes, "cpu time: no cgroup here, so the limit of %llu ms holds for each process\n",
                (unsigned long long)l->cpu_ms);
    }
}

rc cgroup_add(const struct cgroup *c, pid_t pid, struct err *e)
{
    const char *const dirs[] = {c->memory, c->pids, c->cpu};
    for (size_t i = 0; c->kind == CGROUP_V1 && i < ARRAY_LEN(dirs); i++) {
        if (dirs[i][0] != 0 && !put_number(dirs[i], "cgroup.procs", (uint64_t)pid)) {
            return err_set(e, RC_CODE_IO, "cgroup %s: cannot add the task: %s", dirs[i],
                           strerror(errno));
        }
    }
    return RC_OK;
}

bool cgroup_cpu_us(const struct cgroup *c, uint64_t *us)
{
    if (c->kind == CGROUP_V2) {
        return get_number(c->memory, "cpu.stat", "usage_usec", us);
    }
    if (c->kind == CGROUP_V1 && c->has_cpu && get_number(c->cpu, "cpuacct.usage", "", us)) {
        *us /= 1000;
        return true;
    }
    return false;
}

uint64_t cgroup_memory_peak(const struct cgroup *c)
{
    uint64_t v = 0;
    if (c->has_memory) {
        (void)get_number(
            c->memory, c->kind == CGROUP_V2 ? "memory.peak" : "memory.max_usage_in_bytes", "", &v);
    }
    return v;
}

bool cgroup_was_oom(const struct cgroup *c)
{
    uint64_t v = 0;
    return c->has_memory &&
           get_number(c->memory, c->kind == CGROUP_V2 ? "memory.events" : "memory.oom_control",
                      "oom_kill", &v) &&
           v > 0;
}

void cgroup_close(struct cgroup *c)
{
    const char *const dirs[] = {c->memory, c->pids, c->cpu};
    fd_close(&c->fd);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        /* The last process may still be on its way out of the group. */
        for (int try = 0; dirs[i][0] != 0 && rmdir(dirs[i]) != 0 && errno == EBUSY && try < 100;
             try++) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    c->kind = CGROUP_NONE;
}
