/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/clock.h"

#define REMOVE_DEPTH_MAX 64
#define LOCK_WAIT_MS     20
#define LOCK_WAITS       150 /* three seconds in all */

void fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static rc fail(struct err *e, const char *verb, const char *path)
{
    return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO, "%s %s: %s", verb, path,
                   strerror(errno));
}

rc path_join(char out[FILE_PATH_MAX], const char *dir, const char *name, struct err *e)
{
    int n = snprintf(out, FILE_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= FILE_PATH_MAX) {
        return err_set(e, RC_CODE_LIMIT, "path %.60s…/%.60s is longer than %d bytes", dir, name,
                       FILE_PATH_MAX);
    }
    return RC_OK;
}

rc file_read(struct buf *out, const char *path, struct err *e)
{
    CLOSE_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(e, "open", path);
    }
    for (;;) {
        uint8_t part[16384];
        ssize_t n = read(fd, part, sizeof(part));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(e, "read", path);
        }
        if (n == 0) {
            return RC_OK;
        }
        put_mem(out, part, (size_t)n);
        if (out->full) {
            return err_set(e, RC_CODE_LIMIT, "read %s: longer than %zu bytes", path, out->cap);
        }
    }
}

rc file_read_arena(struct bytes *out, struct arena *a, const char *path, size_t max, struct err *e)
{
    BUF_FREE b = buf_new(max);
    TRY(file_read(&b, path, e));
    uint8_t *p = arena_alloc(a, b.n + 1);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "read %s: no room for %zu bytes", path, b.n);
    }
    if (b.n > 0) {
        memcpy(p, b.p, b.n);
    }
    *out = (struct bytes){p, b.n};
    return RC_OK;
}

rc fd_write_all(int fd, struct bytes data, struct err *e)
{
    for (size_t done = 0; done < data.n;) {
        ssize_t n = write(fd, data.p + done, data.n - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_set(e, RC_CODE_IO, "write: %s", strerror(errno));
        }
        done += (size_t)n;
    }
    return RC_OK;
}

/* Makes the new name of a file in its folder survive a loss of power. */
static rc sync_parent(const char *path, struct err *e)
{
    char dir[FILE_PATH_MAX];
    const char *slash = strrchr(path, '/');
    (void)snprintf(dir, sizeof(dir), "%.*s", slash == NULL ? 1 : MAX((int)(slash - path), 1),
                   slash == NULL ? "." : path);
    CLOSE_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return fail(e, "sync folder", dir);
    }
    return RC_OK;
}

/* A full, synced temporary file beside path; its name in tmp. */
static rc write_temp(char tmp[FILE_PATH_MAX], const char *path, struct bytes data, unsigned mode,
                     struct err *e)
{
    int n = snprintf(tmp, FILE_PATH_MAX, "%s.XXXXXX", path);
    if (n < 0 || n >= FILE_PATH_MAX) {
        return err_set(e, RC_CODE_LIMIT, "path %.100s… is too long", path);
    }
    CLOSE_FD fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) {
        return fail(e, "create", tmp);
    }
    rc r = fd_write_all(fd, data, e);
    if (rc_ok(r) && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
        r = fail(e, "sync", tmp);
    }
    if (!rc_ok(r)) {
        (void)unlink(tmp);
        return err_wrap(e, r, "%s", path);
    }
    return RC_OK;
}

rc file_write(const char *path, struct bytes data, unsigned mode, struct err *e)
{
    char tmp[FILE_PATH_MAX];
    TRY(write_temp(tmp, path, data, mode, e));
    if (rename(tmp, path) != 0) {
        rc r = fail(e, "rename to", path);
        (void)unlink(tmp);
        return r;
    }
    return sync_parent(path, e);
}

rc file_create(const char *path, struct bytes data, unsigned mode, struct err *e)
{
    char tmp[FILE_PATH_MAX];
    TRY(write_temp(tmp, path, data, mode, e));
    int linked = link(tmp, path);
    int saved = errno;
    (void)unlink(tmp);
    errno = saved;
    if (linked != 0) {
        return errno == EEXIST ? err_set(e, RC_CODE_DENIED, "%s exists already", path)
                               : fail(e, "create", path);
    }
    return sync_parent(path, e);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

rc file_size(uint64_t *out, const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return fail(e, "stat", path);
    }
    *out = (uint64_t)st.st_size;
    return RC_OK;
}

rc dir_make(const char *path, unsigned mode, struct err *e)
{
    char part[FILE_PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(part)) {
        return err_set(e, RC_CODE_LIMIT, "make folder: the path is empty or too long");
    }
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != 0) {
            continue;
        }
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            return fail(e, "make folder", part);
        }
    }
    struct stat st;
    if (stat(path, &st) != 0) {
        return fail(e, "make folder", path);
    }
    return S_ISDIR(st.st_mode) ? RC_OK : err_set(e, RC_CODE_IO, "%s is no folder", path);
}

static rc remove_at(int parent, const char *name, unsigned depth, struct err *e)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
        return RC_OK;
    }
    if (errno != EISDIR && errno != EPERM) {
        return fail(e, "remove", name);
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL || depth == 0) {
        rc r = fail(e, "remove", name);
        fd_close(&fd);
        return r;
    }
    rc r = RC_OK;
    for (struct dirent *x = readdir(d); x != NULL && rc_ok(r); x = readdir(d)) {
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0) {
            r = remove_at(fd, x->d_name, depth - 1, e);
        }
    }
    (void)closedir(d);
    TRY(r);
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 ? RC_OK : fail(e, "remove folder", name);
}

rc dir_remove(const char *path, struct err *e)
{
    return remove_at(AT_FDCWD, path, REMOVE_DEPTH_MAX, e);
}

/* Whether the process that a lock file names is there no more. */
static bool owner_is_gone(int fd, char pid[24])
{
    ssize_t n = pread(fd, pid, 23, 0);
    pid[n > 0 ? n : 0] = 0;
    pid[strspn(pid, "0123456789")] = 0;
    long id = strtol(pid, NULL, 10);
    return id > 0 && kill((pid_t)id, 0) != 0 && errno == ESRCH;
}

rc dir_lock(int *fd, const char *dir, struct err *e)
{
    char path[FILE_PATH_MAX], owner[24];
    unsigned waits = LOCK_WAITS;
    TRY(dir_make(dir, 0700, e));
    TRY(path_join(path, dir, "lock", e));
    CLOSE_FD f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f < 0) {
        return fail(e, "open", path);
    }
    while (flock(f, LOCK_EX | LOCK_NB) != 0) {
        /* The children of a process that was killed hold its lock until they have died too. */
        if (!owner_is_gone(f, owner) || waits-- == 0) {
            return err_set(e, RC_CODE_DENIED,
                           "%s is in use by process %s: stop it first, or use another folder", dir,
                           owner[0] == 0 ? "?" : owner);
        }
        clock_sleep_ms(LOCK_WAIT_MS);
    }
    char pid[24];
    int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(f, 0) != 0 || pwrite(f, pid, (size_t)n, 0) != n) {
        return fail(e, "write", path);
    }
    *fd = f;
    f = -1;
    return RC_OK;
}
