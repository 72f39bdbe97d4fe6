/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sha2.h"
#include "daemon/runtime/image_int.h"
#include "io/file.h"
#include "io/json.h"

#define PACK_DEPTH_MAX 128

struct pack {
    struct tar_out *tar;
    struct arena names; /* of the folders being walked */
    uint64_t files;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder, sorted by byte; dir is borrowed. */
static rc list_dir(const char ***out, size_t *n, struct arena *a, int dir, struct err *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        fd_close(&fd);
        return err_set(e, RC_CODE_IO, "read folder: %s", strerror(errno));
    }
    size_t room = 0;
    rc r = RC_OK;
    *n = 0;
    for (struct dirent *en = NULL; rc_ok(r) && (en = readdir(d)) != NULL;) {
        if (strcmp(en->d_name, ".") == 0 || strcmp(en->d_name, "..") == 0) {
            continue;
        }
        if (*n == room) {
            room = room == 0 ? 32 : room * 2;
            const char **more = ARENA_ARRAY(a, const char *, room);
            if (more != NULL && *n > 0) {
                memcpy(more, *out, *n * sizeof(*more));
            }
            *out = more;
        }
        size_t len = strlen(en->d_name) + 1;
        char *name = *out == NULL ? NULL : arena_alloc(a, len);
        if (name == NULL) {
            r = err_set(e, RC_CODE_LIMIT, "too many files");
        } else {
            memcpy(name, en->d_name, len);
            (*out)[(*n)++] = name;
        }
    }
    (void)closedir(d);
    if (rc_ok(r) && *n > 1) {
        qsort(*out, *n, sizeof(**out), by_name);
    }
    return r;
}

static rc refuse(const char *path, const char *why, struct err *e)
{
    return err_set(e, RC_CODE_MALFORMED, "%.150s: %s", path, why);
}

static rc pack_file(struct pack *p, int dir, const char *name, const char *path, struct err *e)
{
    struct stat st;
    CLOSE_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_set(e, RC_CODE_IO, "open %.150s: %s", path, strerror(errno));
    }
    return tar_out_fd(p->tar, path, (st.st_mode & 0111) != 0, fd, (uint64_t)st.st_size, e);
}

static rc pack_link(struct pack *p, int dir, const char *name, const char *path, struct err *e)
{
    char target[FILE_PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target));
    if (n <= 0 || (size_t)n >= sizeof(target)) {
        return refuse(path, "a link that cannot be read or is too long", e);
    }
    target[n] = 0;
    return tar_out_link(p->tar, path, target, e);
}

static rc pack_dir(struct pack *p, int dir, const char *path, int depth, struct err *e);

static rc pack_entry(struct pack *p, int dir, const char *name, const char *path, int depth,
                     struct err *e)
{
    struct stat st;
    if (++p->files > IMAGE_FILES_MAX || depth > PACK_DEPTH_MAX) {
        return err_set(e, RC_CODE_LIMIT, "%.150s: too many files or too deep", path);
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_set(e, RC_CODE_IO, "read %.150s: %s", path, strerror(errno));
    }
    if (strncmp(name, ".wh.", 4) == 0) {
        return refuse(path, "names beginning with .wh. mean removed files in a layer", e);
    }
    for (size_t i = 0; image_mounts[i] != NULL; i++) {
        if (strcmp(path, image_mounts[i]) == 0 && !S_ISDIR(st.st_mode)) {
            return refuse(path, "must be a folder: tasks mount over it", e);
        }
    }
    if (S_ISREG(st.st_mode)) {
        return pack_file(p, dir, name, path, e);
    }
    if (S_ISLNK(st.st_mode)) {
        return pack_link(p, dir, name, path, e);
    }
    if (!S_ISDIR(st.st_mode)) {
        return refuse(path, "devices, pipes and sockets cannot be packed", e);
    }
    CLOSE_FD sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0) {
        return err_set(e, RC_CODE_IO, "open %.150s: %s", path, strerror(errno));
    }
    TRY(tar_out_dir(p->tar, path, e));
    return pack_dir(p, sub, path, depth + 1, e);
}

static rc pack_dir(struct pack *p, int dir, const char *path, int depth, struct err *e)
{
    const char **names = NULL;
    size_t n = 0;
    char sub[FILE_PATH_MAX];
    TRY(list_dir(&names, &n, &p->names, dir, e));
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(sub, sizeof(sub), "%s%s%s", path, path[0] == 0 ? "" : "/", names[i]);
        if (len < 0 || (size_t)len >= sizeof(sub)) {
            return refuse(path, "the path becomes too long", e);
        }
        TRY(pack_entry(p, dir, names[i], sub, depth, e));
    }
    return RC_OK;
}

/* The only layer, into fd. */
static rc pack_layer(struct hash *digest, uint64_t *size, const char *rootfs, int fd, struct err *e)
{
    struct pack p = {0};
    CLOSE_FD dir = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return err_set(e, RC_CODE_NOT_FOUND, "open folder %s: %s", rootfs, strerror(errno));
    }
    arena_init(&p.names, (size_t)256 << 20);
    rc r = tar_out_open(&p.tar, fd, e);
    if (rc_ok(r)) {
        r = pack_dir(&p, dir, "", 0, e);
    }
    arena_reset(&p.names);
    if (!rc_ok(r)) {
        tar_out_drop(&p.tar);
        return r;
    }
    return tar_out_close(p.tar, digest, size, e);
}

static void put_words(struct buf *b, const char *key, const char *const *words)
{
    put_fmt(b, "\"%s\":[", key);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        put_str(b, i == 0 ? "" : ",");
        json_put_str(b, bytes_str(words[i]));
    }
    put_str(b, "]");
}

static void put_descriptor(struct buf *b, const char *type, struct hash digest, uint64_t size)
{
    char text[IMAGE_DIGEST_LEN + 1];
    image_digest_text(text, digest);
    put_fmt(b, "{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":\"%s\",\"size\":%llu}",
            type, text, (unsigned long long)size);
}

static void put_config(struct buf *b, const struct image_pack_spec *spec, struct hash layer)
{
    char text[IMAGE_DIGEST_LEN + 1];
    image_digest_text(text, layer);
    put_str(b, "{\"architecture\":\"amd64\",\"config\":{");
    put_words(b, "Cmd", spec->cmd);
    put_str(b, ",");
    put_words(b, "Entrypoint", spec->entrypoint);
    put_str(b, ",");
    put_words(b, "Env", spec->env);
    put_str(b, ",\"WorkingDir\":");
    json_put_str(b, bytes_str(spec->workdir == NULL ? "/" : spec->workdir));
    put_fmt(b, "},\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"%s\"],\"type\":\"layers\"}}", text);
}

static rc put_blob(struct tar_out *t, struct hash digest, struct bytes data, int fd, uint64_t size,
                   struct err *e)
{
    char name[96], text[IMAGE_DIGEST_LEN + 1];
    image_digest_text(text, digest);
    (void)snprintf(name, sizeof(name), "blobs/sha256/%s", text + 7);
    if (fd < 0) {
        return tar_out_bytes(t, name, data, e);
    }
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return err_set(e, RC_CODE_IO, "read the layer back: %s", strerror(errno));
    }
    return tar_out_fd(t, name, false, fd, size, e);
}

static rc write_layout(struct tar_out *t, const struct image_pack_spec *spec, int layer_fd,
                       struct hash layer, uint64_t layer_size, struct hash *manifest_digest,
                       struct err *e)
{
    BUF_FREE config = buf_new(IMAGE_JSON_MAX);
    BUF_FREE manifest = buf_new(IMAGE_JSON_MAX);
    BUF_FREE index = buf_new(IMAGE_JSON_MAX);
    put_config(&config, spec, layer);
    struct hash config_digest = sha256(buf_bytes(&config));
    put_str(&manifest,
            "{\"schemaVersion\":2,\"mediaType\":"
            "\"application/vnd.oci.image.manifest.v1+json\",\"config\":");
    put_descriptor(&manifest, "config.v1+json", config_digest, config.n);
    put_str(&manifest, ",\"layers\":[");
    put_descriptor(&manifest, "layer.v1.tar", layer, layer_size);
    put_str(&manifest, "]}");
    *manifest_digest = sha256(buf_bytes(&manifest));
    put_str(&index,
            "{\"schemaVersion\":2,\"mediaType\":"
            "\"application/vnd.oci.image.index.v1+json\",\"manifests\":[");
    put_descriptor(&index, "manifest.v1+json", *manifest_digest, manifest.n);
    put_str(&index, "]}");
    if (!rc_ok(buf_end(&config)) || !rc_ok(buf_end(&index))) {
        return err_set(e, RC_CODE_LIMIT, "entrypoint, cmd or env is too long");
    }
    TRY(tar_out_bytes(t, "oci-layout", BYTES_LIT("{\"imageLayoutVersion\":\"1.0.0\"}"), e));
    TRY(tar_out_bytes(t, "index.json", buf_bytes(&index), e));
    TRY(put_blob(t, *manifest_digest, buf_bytes(&manifest), -1, 0, e));
    TRY(put_blob(t, config_digest, buf_bytes(&config), -1, 0, e));
    return put_blob(t, layer, (struct bytes){0}, layer_fd, layer_size, e);
}

static rc write_image(const struct image_pack_spec *spec, int out_fd, int layer_fd,
                      struct hash *manifest, struct err *e)
{
    struct hash layer, whole;
    uint64_t size = 0, whole_size = 0;
    struct tar_out *t = NULL;
    TRY(pack_layer(&layer, &size, spec->rootfs, layer_fd, e));
    TRY(tar_out_open(&t, out_fd, e));
    rc r = write_layout(t, spec, layer_fd, layer, size, manifest, e);
    if (!rc_ok(r)) {
        tar_out_drop(&t);
        return r;
    }
    TRY(tar_out_close(t, &whole, &whole_size, e));
    return fsync(out_fd) == 0 ? RC_OK : err_set(e, RC_CODE_IO, "write image: %s", strerror(errno));
}

static int temp_beside(char tmp[FILE_PATH_MAX], const char *out)
{
    int n = snprintf(tmp, FILE_PATH_MAX, "%s.XXXXXX", out);
    return n < 0 || n >= FILE_PATH_MAX ? -1 : mkostemp(tmp, O_CLOEXEC);
}

rc image_pack(const struct image_pack_spec *spec, const char *out,
              char digest[IMAGE_DIGEST_LEN + 1], struct err *e)
{
    char tmp[FILE_PATH_MAX], tmp_layer[FILE_PATH_MAX];
    struct hash manifest = {0};
    if (spec->entrypoint == NULL || spec->entrypoint[0] == NULL || spec->entrypoint[0][0] != '/') {
        return err_set(e, RC_CODE_MALFORMED,
                       "an image needs an entrypoint that begins with the program's absolute path");
    }
    CLOSE_FD layer_fd = temp_beside(tmp_layer, out);
    if (layer_fd < 0) {
        return err_set(e, RC_CODE_IO, "write beside %s: %s", out, strerror(errno));
    }
    (void)unlink(tmp_layer);
    CLOSE_FD fd = temp_beside(tmp, out);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "write beside %s: %s", out, strerror(errno));
    }
    rc r = write_image(spec, fd, layer_fd, &manifest, e);
    if (rc_ok(r) && (fchmod(fd, 0644) != 0 || rename(tmp, out) != 0)) {
        r = err_set(e, RC_CODE_IO, "write %s: %s", out, strerror(errno));
    }
    if (!rc_ok(r)) {
        (void)unlink(tmp);
        return err_wrap(e, r, "pack %s", spec->rootfs);
    }
    image_digest_text(digest, manifest);
    return RC_OK;
}
