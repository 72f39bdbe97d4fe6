/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/runtime/image_int.h"
#include "io/file.h"

/* A layer is written below one folder descriptor. Every path is opened beneath it without following
 * a link, so neither ".." nor a link that an earlier entry left leads out of it. */

struct place {
    char name[FILE_PATH_MAX]; /* clean; "" is the root */
    char *base;               /* its last part */
    int parent;               /* folder that holds it, or -1 when nothing is written */
};

static void place_close(struct place *p)
{
    fd_close(&p->parent);
}

#define PLACE __attribute__((cleanup(place_close))) struct place

static rc bad_entry(const char *name, const char *why, struct err *e)
{
    return err_set(e, RC_CODE_MALFORMED, "\"%.120s\": %s", name, why);
}

static int open_beneath(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int image_mkdir(int at, const char *name)
{
    return mkdirat(at, name, 0755) == 0 ? fchmodat(at, name, 0755, 0) : -1;
}

/* Folders that archives leave out are made on the way. */
static int make_parent(int dir, char *path)
{
    int at = open_beneath(dir, ".", O_PATH | O_DIRECTORY);
    for (char *p = path, *slash = NULL; at >= 0 && (slash = strchr(p, '/')) != NULL;
         p = slash + 1) {
        *slash = 0;
        (void)image_mkdir(at, p);
        int next = open_beneath(at, p, O_PATH | O_DIRECTORY);
        *slash = '/';
        (void)close(at);
        at = next;
    }
    return at;
}

static rc place_find(struct place *p, int dir_fd, const char *name, struct err *e)
{
    p->parent = -1;
    if (!image_name_clean(p->name, sizeof(p->name), name)) {
        return bad_entry(name, "is absolute, too long or has \"..\" in it", e);
    }
    char *slash = strrchr(p->name, '/');
    p->base = slash == NULL ? p->name : slash + 1;
    if (dir_fd < 0 || p->name[0] == 0) {
        return RC_OK;
    }
    p->parent = make_parent(dir_fd, p->name);
    return p->parent >= 0 ? RC_OK : bad_entry(name, "leads through something that is no folder", e);
}

/* Removes what an earlier layer or entry left under a name; links themselves, not their targets. */
static void remove_below(int parent, const char *name, int depth)
{
    if (unlinkat(parent, name, 0) == 0 || depth > 128) {
        return;
    }
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *en = NULL; d != NULL && (en = readdir(d)) != NULL;) {
        if (strcmp(en->d_name, ".") != 0 && strcmp(en->d_name, "..") != 0) {
            remove_below(fd, en->d_name, depth + 1);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

static rc sys_fail(const char *name, struct err *e)
{
    return err_set(e, RC_CODE_IO, "write %.120s: %s", name, strerror(errno));
}

static rc write_file(struct tar_in *tar, const struct place *p, bool exec, uint64_t *bytes,
                     struct err *e)
{
    uint8_t part[16384];
    CLOSE_FD fd = -1;
    if (p->parent >= 0) {
        remove_below(p->parent, p->base, 0);
        fd = openat(p->parent, p->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) {
            return sys_fail(p->name, e);
        }
    }
    for (size_t n = 1; n > 0;) {
        TRY(tar_in_read(tar, part, sizeof(part), &n, e));
        *bytes += n;
        if (*bytes > IMAGE_UNPACKED_MAX) {
            return err_set(e, RC_CODE_LIMIT, "more than 4 GiB unpacked");
        }
        if (fd >= 0) {
            TRY(fd_write_all(fd, (struct bytes){part, n}, e));
        }
    }
    /* Set-uid bits and owners of the archive mean nothing here. */
    return fd < 0 || fchmod(fd, exec ? 0755 : 0644) == 0 ? RC_OK : sys_fail(p->name, e);
}

static rc make_dir(const struct place *p, struct err *e)
{
    struct stat st;
    if (p->parent < 0) {
        return RC_OK;
    }
    if (fstatat(p->parent, p->base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(st.st_mode)) {
            return RC_OK;
        }
        remove_below(p->parent, p->base, 0);
    }
    return image_mkdir(p->parent, p->base) == 0 ? RC_OK : sys_fail(p->name, e);
}

static rc make_link(const struct place *p, const char *target, struct err *e)
{
    if (target[0] == 0 || strlen(target) >= FILE_PATH_MAX) {
        return bad_entry(p->name, "is a link to nothing or too long", e);
    }
    if (p->parent < 0) {
        return RC_OK;
    }
    remove_below(p->parent, p->base, 0);
    return symlinkat(target, p->parent, p->base) == 0 ? RC_OK : sys_fail(p->name, e);
}

static rc make_hard(const struct place *p, int dir_fd, const char *target, struct err *e)
{
    PLACE t;
    struct stat st;
    TRY(place_find(&t, dir_fd, target, e));
    if (p->parent < 0) {
        return RC_OK;
    }
    if (t.parent < 0 || fstatat(t.parent, t.base, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode)) {
        return bad_entry(p->name, "is a hard link to something that is no file of the image", e);
    }
    if (strcmp(t.name, p->name) == 0) {
        return bad_entry(p->name, "is a hard link to itself", e);
    }
    remove_below(p->parent, p->base, 0);
    return linkat(t.parent, t.base, p->parent, p->base, 0) == 0 ? RC_OK : sys_fail(p->name, e);
}

/* SPEC OCI layer "whiteouts": ".wh.NAME" takes NAME of lower layers away, ".wh..wh..opq" all that
 * its folder held. */
static rc whiteout(const struct place *p, struct err *e)
{
    const char *name = p->base + 4;
    if (strcmp(p->base, ".wh..wh..opq") == 0) {
        return bad_entry(p->name, "opaque whiteouts are not taken: flatten the image", e);
    }
    if (name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return bad_entry(p->name, "is a whiteout of nothing", e);
    }
    if (p->parent >= 0) {
        remove_below(p->parent, name, 0);
    }
    return RC_OK;
}

static bool is_mount(const char *name)
{
    for (size_t i = 0; image_mounts[i] != NULL; i++) {
        if (strcmp(name, image_mounts[i]) == 0) {
            return true;
        }
    }
    return false;
}

static rc take_entry(struct tar_in *tar, const struct tar_entry *en, int dir_fd, uint64_t *bytes,
                     struct err *e)
{
    PLACE p;
    TRY(place_find(&p, dir_fd, en->name, e));
    if (p.name[0] == 0) {
        return en->kind == TAR_DIR ? RC_OK : bad_entry(en->name, "is the root but no folder", e);
    }
    if (is_mount(p.name) && en->kind != TAR_DIR) {
        return bad_entry(p.name, "must be a folder: tasks mount over it", e);
    }
    if (strncmp(p.base, ".wh.", 4) == 0) {
        return whiteout(&p, e);
    }
    switch (en->kind) {
    case TAR_FILE:
        return write_file(tar, &p, en->exec, bytes, e);
    case TAR_DIR:
        return make_dir(&p, e);
    case TAR_SYMLINK:
        return make_link(&p, en->target, e);
    case TAR_HARDLINK:
        return make_hard(&p, dir_fd, en->target, e);
    case TAR_OTHER:
        break;
    }
    return bad_entry(p.name, "is a device, pipe or socket", e);
}

static rc check_entries(struct tar_in *layer, int dir_fd, uint64_t *files, uint64_t *bytes,
                        struct err *e)
{
    for (;;) {
        struct tar_entry en;
        bool more = false;
        TRY(tar_in_next(layer, &en, &more, e));
        if (!more) {
            return RC_OK;
        }
        if (++*files > IMAGE_FILES_MAX) {
            return err_set(e, RC_CODE_LIMIT, "more than %d files", IMAGE_FILES_MAX);
        }
        TRY(take_entry(layer, &en, dir_fd, bytes, e));
    }
}

rc image_layer(struct tar_in *tar, const struct image_layer *layer, int dir_fd, uint64_t *files,
               uint64_t *bytes, struct err *e)
{
    TAR_IN_CLOSE *in = NULL;
    struct hash got;
    uint64_t size = 0;
    TRY(tar_in_open_entry(&in, tar, layer->gzip ? TAR_GZIP : TAR_PLAIN, e));
    TRY(check_entries(in, dir_fd, files, bytes, e));
    TRY(tar_in_drain(in, &got, &size, e));
    if (!hash_eq(got, layer->digest) || size != layer->size) {
        return err_set(e, RC_CODE_MALFORMED, "changed while it was read");
    }
    /* Uncompressed, the blob is the tar: its two names must agree. Of a gzip layer the digest alone
     * is checked; it covers every byte that the diff_id does. */
    if (!layer->gzip && !hash_eq(layer->diff_id, layer->digest)) {
        return err_set(e, RC_CODE_MALFORMED, "the config's diff_id is another than the layer's");
    }
    return RC_OK;
}
