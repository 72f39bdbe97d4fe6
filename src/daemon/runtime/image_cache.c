/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/image_int.h"
#include "io/file.h"
#include "io/json.h"

/* cache/<64 hex>/rootfs and cache/<64 hex>/image.json. The folder is filled under another name and
 * renamed, so it is there whole or not at all; two processes may fill it at once and one wins. */

static rc cache_path(char out[FILE_PATH_MAX], const char *cache_dir, const char *digest,
                     struct err *e)
{
    struct hash h;
    if (!rc_ok(image_digest_parse(&h, digest))) {
        return err_set(e, RC_CODE_MALFORMED,
                       "\"%.80s\" is no image digest: sha256: and 64 lower-case hex digits",
                       digest);
    }
    return path_join(out, cache_dir, digest + 7, e);
}

static rc set_rootfs(struct image *out, struct arena *a, const char *dir, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, dir, "rootfs", e));
    size_t n = strlen(path) + 1;
    char *p = arena_alloc(a, n);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "image: out of arena");
    }
    memcpy(p, path, n);
    out->rootfs = p;
    return RC_OK;
}

static void put_list(struct buf *b, const char *const *words)
{
    put_str(b, "[");
    for (size_t i = 0; words[i] != NULL; i++) {
        put_str(b, i == 0 ? "" : ",");
        json_put_str(b, bytes_str(words[i]));
    }
    put_str(b, "]");
}

/* image.json has the form of an image config without layers, so one parser reads both. */
static rc write_info(const struct image *img, const char *dir, struct err *e)
{
    char path[FILE_PATH_MAX];
    BUF_FREE b = buf_new(IMAGE_JSON_MAX);
    TRY(path_join(path, dir, "image.json", e));
    put_str(&b, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":");
    put_list(&b, img->entrypoint);
    put_str(&b, ",\"Cmd\":");
    put_list(&b, img->cmd);
    put_str(&b, ",\"Env\":");
    put_list(&b, img->env);
    put_str(&b, ",\"WorkingDir\":");
    json_put_str(&b, bytes_str(img->workdir));
    put_str(&b, "},\"rootfs\":{\"diff_ids\":[]}}\n");
    return file_write(path, buf_bytes(&b), 0644, e);
}

rc image_cached(struct image *out, struct arena *a, const char *digest, const char *cache_dir,
                struct err *e)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    *out = (struct image){0};
    TRY(cache_path(dir, cache_dir, digest, e));
    TRY(path_join(path, dir, "image.json", e));
    BUF_FREE json = buf_new(IMAGE_JSON_MAX);
    TRY(file_read(&json, path, e));
    rc r = image_config_parse(out, a, buf_bytes(&json), e);
    if (!rc_ok(r)) {
        return err_wrap(e, r, "%s is damaged, remove its folder", path);
    }
    memcpy(out->digest, digest, IMAGE_DIGEST_LEN + 1);
    return set_rootfs(out, a, dir, e);
}

/* The folders that tasks mount over, and nothing that an image can have put in their place. */
static rc make_mounts(int root, struct err *e)
{
    struct stat st;
    for (size_t i = 0; image_mounts[i] != NULL; i++) {
        if (image_mkdir(root, image_mounts[i]) != 0 &&
            (fstatat(root, image_mounts[i], &st, AT_SYMLINK_NOFOLLOW) != 0 ||
             !S_ISDIR(st.st_mode))) {
            return err_set(e, RC_CODE_MALFORMED, "image: /%s must be a folder", image_mounts[i]);
        }
    }
    return RC_OK;
}

static rc fill_rootfs(const struct image *img, int fd, const char *dir, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, dir, "rootfs", e));
    if (chmod(dir, 0755) != 0 || image_mkdir(AT_FDCWD, path) != 0) {
        return err_set(e, RC_CODE_IO, "make %s: %s", path, strerror(errno));
    }
    CLOSE_FD root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0) {
        return err_set(e, RC_CODE_IO, "open %s: %s", path, strerror(errno));
    }
    TRY(image_walk_layers(img, fd, root, e));
    TRY(make_mounts(root, e));
    return write_info(img, dir, e);
}

/* Tasks run as another user, who must be able to read the image whatever this process's umask is. */
static rc fill(const struct image *img, int fd, const char *dir, struct err *e)
{
    mode_t ours = umask(022);
    rc r = fill_rootfs(img, fd, dir, e);
    (void)umask(ours);
    return r;
}

static rc unpack_fd(struct image *out, struct arena *a, int fd, const char *expected,
                    const char *cache_dir, struct err *e)
{
    char dir[FILE_PATH_MAX], tmp[FILE_PATH_MAX];
    TRY(image_read_head(out, a, fd, e)); /* what is in the layers is checked as it is unpacked */
    if (expected != NULL && strcmp(expected, out->digest) != 0) {
        return err_set(e, RC_CODE_DENIED, "image: its digest is %s, wanted %.80s", out->digest,
                       expected);
    }
    TRY(dir_make(cache_dir, 0755, e));
    TRY(cache_path(dir, cache_dir, out->digest, e));
    if (file_exists(dir)) {
        return set_rootfs(out, a, dir, e);
    }
    TRY(path_join(tmp, cache_dir, "unpack.XXXXXX", e));
    if (mkdtemp(tmp) == NULL) {
        return err_set(e, RC_CODE_IO, "make a folder in %s: %s", cache_dir, strerror(errno));
    }
    rc r = fill(out, fd, tmp, e);
    if (rc_ok(r) && rename(tmp, dir) != 0 && errno != EEXIST && errno != ENOTEMPTY) {
        r = err_set(e, RC_CODE_IO, "rename to %s: %s", dir, strerror(errno));
    }
    if (file_exists(tmp)) {
        struct err ignored;
        if (!rc_ok(dir_remove(tmp, &ignored)) && rc_ok(r)) {
            (void)err_set(e, RC_CODE_IO, "%s", ignored.msg);
        }
    }
    return rc_ok(r) ? set_rootfs(out, a, dir, e) : r;
}

rc image_unpack(struct image *out, struct arena *a, const char *file, const char *expected,
                const char *cache_dir, struct err *e)
{
    CLOSE_FD fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO, "open %s: %s", file,
                       strerror(errno));
    }
    return unpack_fd(out, a, fd, expected, cache_dir, e);
}
