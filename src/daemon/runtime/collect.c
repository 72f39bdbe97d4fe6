/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/sandbox_int.h"
#include "io/file.h"

#define COLLECT_DEPTH_MAX 16

/* The source's processes are dead, so nothing changes under us; its names and kinds are still the
 * application's choice. */
struct copy {
    const struct run_limits *l;
    uint64_t size, files;
};

static rc copy_dir(struct copy *c, int from, int to, const char *path, int depth, struct err *e);

static rc sys_fail(const char *what, const char *path, struct err *e)
{
    return err_set(e, RC_CODE_IO, "%s %.120s: %s", what, path, strerror(errno));
}

static rc copy_file(struct copy *c, int from, int to, const char *name, const char *path,
                    struct err *e)
{
    uint8_t block[32768];
    CLOSE_FD in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (in < 0) {
        return sys_fail("read", path, e);
    }
    CLOSE_FD out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (out < 0) {
        return sys_fail("write", path, e);
    }
    for (;;) {
        ssize_t n = read(in, block, sizeof(block));
        if (n < 0) {
            return sys_fail("read", path, e);
        }
        if (n == 0) {
            return RC_OK;
        }
        c->size += (uint64_t)n;
        /* A sparse file reads longer than the room that it took. */
        if (c->size > c->l->out_size) {
            return err_set(e, RC_CODE_LIMIT, "/iexec_out is larger than %llu bytes",
                           (unsigned long long)c->l->out_size);
        }
        TRY(fd_write_all(out, (struct bytes){block, (size_t)n}, e));
    }
}

static rc copy_entry(struct copy *c, int from, int to, const char *name, const char *up, int depth,
                     struct err *e)
{
    char path[FILE_PATH_MAX];
    struct stat st;
    TRY(path_join(path, up, name, e));
    if (++c->files > c->l->out_files || depth > COLLECT_DEPTH_MAX) {
        return err_set(e, RC_CODE_LIMIT, "/iexec_out has more than %llu files or %d levels",
                       (unsigned long long)c->l->out_files, COLLECT_DEPTH_MAX);
    }
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return sys_fail("read", path, e);
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return err_set(e, RC_CODE_DENIED, "%.120s is a %s: only files and folders are results",
                       path, S_ISLNK(st.st_mode) ? "link" : "special file");
    }
    /* Our own files when we are an ordinary user, and the application may have closed them to us. */
    (void)!fchmodat(from, name, S_ISDIR(st.st_mode) ? 0700 : 0600, 0);
    if (S_ISREG(st.st_mode)) {
        return copy_file(c, from, to, name, path, e);
    }
    CLOSE_FD sub = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0 || mkdirat(to, name, 0755) != 0) {
        return sys_fail("make", path, e);
    }
    CLOSE_FD dst = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dst < 0 ? sys_fail("open", path, e) : copy_dir(c, sub, dst, path, depth + 1, e);
}

static rc copy_dir(struct copy *c, int from, int to, const char *path, int depth, struct err *e)
{
    int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        fd_close(&fd);
        return sys_fail("read", path, e);
    }
    rc r = RC_OK;
    for (struct dirent *en = NULL; rc_ok(r) && (en = readdir(d)) != NULL;) {
        if (strcmp(en->d_name, ".") != 0 && strcmp(en->d_name, "..") != 0) {
            r = copy_entry(c, from, to, en->d_name, path, depth, e);
        }
    }
    (void)closedir(d);
    return r;
}

rc collect_copy(int from_fd, const char *to, const struct run_limits *l, uint64_t *size,
                uint64_t *files, struct err *e)
{
    struct copy c = {.l = l};
    TRY(dir_make(to, 0700, e));
    CLOSE_FD dst = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dst < 0) {
        return sys_fail("open", to, e);
    }
    (void)!fchmod(from_fd, 0700);
    rc r = copy_dir(&c, from_fd, dst, "/iexec_out", 0, e);
    *size = c.size;
    *files = c.files;
    return r;
}
