/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/keccak.h"
#include "crypto/sha2.h"
#include "daemon/runtime/archive_int.h"
#include "daemon/runtime/image_int.h"
#include "daemon/runtime/runtime.h"
#include "io/file.h"
#include "io/json.h"

#define RESULT_FILES_MAX 10000
#define RESULT_DEPTH_MAX 16

rc run_args_parse(const char *const **out, struct arena *a, const char *line, struct err *e)
{
    size_t len = strlen(line), n = 0;
    char *text = arena_alloc(a, len + 1);
    const char **words = ARENA_ARRAY(a, const char *, IMAGE_ARGS_MAX + 1);
    if (text == NULL || words == NULL) {
        return err_set(e, RC_CODE_LIMIT, "arguments: too long");
    }
    for (const char *p = line; *p != 0;) {
        if (strchr(" \t\r\n", *p) != NULL) {
            p++;
            continue;
        }
        if (n == IMAGE_ARGS_MAX) {
            return err_set(e, RC_CODE_LIMIT, "arguments: more than %d", IMAGE_ARGS_MAX);
        }
        words[n++] = text;
        char quote = 0;
        for (; *p != 0 && (quote != 0 || strchr(" \t\r\n", *p) == NULL); p++) {
            if (quote == 0 && (*p == '\'' || *p == '"')) {
                quote = *p;
            } else if (quote != 0 && *p == quote) {
                quote = 0;
            } else if (*p == '\\' && quote != '\'' && p[1] != 0) {
                *text++ = *++p;
            } else {
                *text++ = *p;
            }
        }
        if (quote != 0) {
            return err_set(e, RC_CODE_MALFORMED, "arguments: a quote %c is not closed", quote);
        }
        *text++ = 0;
    }
    *out = words;
    return RC_OK;
}

rc computed_parse(struct computed *out, struct arena *a, struct bytes json, struct err *e)
{
    *out = (struct computed){0};
    JSON_FREE *v = json.n > COMPUTED_MAX ? NULL : json_parse(json, 8, e);
    if (v == NULL) {
        return json.n > COMPUTED_MAX ? err_set(e, RC_CODE_LIMIT, "computed.json: too large")
                                     : err_wrap(e, RC(MALFORMED), "computed.json");
    }
    struct js top = js_top(v);
    struct js path = js_key(&top, "deterministic-output-path"), cb = js_key(&top, "callback-data");
    TRY(js_object(&top, e));
    if (cb.v != NULL && !json_is_null(cb.v) && json_string_length(cb.v) > 0) {
        rc r = js_hex(&out->callback, a, &cb, CALLBACK_MAX, e);
        if (!rc_ok(r)) {
            return err_wrap(e, r, "computed.json");
        }
        out->has_callback = true;
    }
    if (path.v == NULL || json_is_null(path.v)) {
        return out->has_callback ? RC_OK
                                 : err_set(e, RC_CODE_MALFORMED,
                                           "computed.json: needs deterministic-output-path");
    }
    const char *s = NULL;
    char clean[FILE_PATH_MAX];
    TRY(js_str(&s, &path, e));
    if (strncmp(s, "/iexec_out/", 11) != 0 || !image_name_clean(clean, sizeof(clean), s + 11)) {
        return err_set(e, RC_CODE_MALFORMED,
                       "computed.json: deterministic-output-path must lie "
                       "below /iexec_out/");
    }
    char *copy = arena_alloc(a, strlen(clean) + 1);
    if (copy == NULL) {
        return err_set(e, RC_CODE_LIMIT, "computed.json: too large");
    }
    memcpy(copy, clean, strlen(clean) + 1);
    out->path = copy;
    return RC_OK;
}

static rc hash_file(struct hash *out, int dir, const char *name, struct err *e)
{
    uint8_t block[32768];
    struct sha256 sha;
    struct stat st;
    CLOSE_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO, "read result %s: %s",
                       name, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, RC_CODE_DENIED, "result %s: is no regular file", name);
    }
    sha256_init(&sha);
    for (;;) {
        ssize_t n = read(fd, block, sizeof(block));
        if (n < 0) {
            return err_set(e, RC_CODE_IO, "read result %s: %s", name, strerror(errno));
        }
        if (n == 0) {
            *out = sha256_done(&sha);
            return RC_OK;
        }
        sha256_add(&sha, (struct bytes){block, (size_t)n});
    }
}

struct name {
    char text[256];
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

/* The names in a folder by byte order; freed with the arena. */
static rc list_names(struct name **out, size_t *n, struct arena *a, int dir, struct err *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        fd_close(&fd);
        return err_set(e, RC_CODE_IO, "read result folder: %s", strerror(errno));
    }
    size_t room = 0;
    rc r = RC_OK;
    *n = 0;
    *out = NULL;
    for (struct dirent *en = NULL; rc_ok(r) && (en = readdir(d)) != NULL;) {
        if (strcmp(en->d_name, ".") == 0 || strcmp(en->d_name, "..") == 0) {
            continue;
        }
        if (*n == room) {
            room = room == 0 ? 16 : room * 2;
            struct name *more = ARENA_ARRAY(a, struct name, room);
            if (more == NULL) {
                r = err_set(e, RC_CODE_LIMIT, "result: too many files");
                break;
            }
            if (*n > 0) {
                memcpy(more, *out, *n * sizeof(*more));
            }
            *out = more;
        }
        memcpy((*out)[(*n)++].text, en->d_name, strlen(en->d_name) + 1);
    }
    (void)closedir(d);
    if (rc_ok(r) && *n > 1) {
        qsort(*out, *n, sizeof(**out), by_text);
    }
    return r;
}

/* SPEC sdk-surface 10: sha256 of each direct child, in the order of the names; keccak256 of all. */
static rc hash_dir(struct hash *out, struct arena *a, int dir, struct err *e)
{
    struct name *names = NULL;
    size_t n = 0;
    struct keccak k;
    keccak_init(&k);
    TRY(list_names(&names, &n, a, dir, e));
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        struct hash h;
        if (fstatat(dir, names[i].text, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
            continue;
        }
        TRY(hash_file(&h, dir, names[i].text, e));
        keccak_add(&k, BYTES_OF(h));
    }
    *out = keccak_done(&k);
    return RC_OK;
}

static rc hash_path(struct hash *out, struct arena *a, int dir, const char *path, struct err *e)
{
    struct stat st;
    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO,
                       "computed.json names /iexec_out/%.100s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return hash_file(out, dir, path, e);
    }
    CLOSE_FD sub = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return sub < 0 ? err_set(e, RC_CODE_IO, "open result %s: %s", path, strerror(errno))
                   : hash_dir(out, a, sub, e);
}

rc result_digest(struct run_digest *out, struct arena *a, const char *out_dir, struct err *e)
{
    char path[FILE_PATH_MAX];
    *out = (struct run_digest){0};
    BUF_FREE json = buf_new(COMPUTED_MAX);
    TRY(path_join(path, out_dir, "computed.json", e));
    rc r = file_read(&json, path, e);
    if (!rc_ok(r)) {
        return r.code == RC_CODE_NOT_FOUND
                   ? err_set(e, RC_CODE_NOT_FOUND,
                             "no result: the application wrote no /iexec_out/computed.json")
                   : r;
    }
    TRY(computed_parse(&out->computed, a, buf_bytes(&json), e));
    if (out->computed.has_callback) {
        out->digest = keccak256(out->computed.callback);
        return RC_OK;
    }
    CLOSE_FD dir = open(out_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return err_set(e, RC_CODE_IO, "open %s: %s", out_dir, strerror(errno));
    }
    struct arena tmp;
    arena_init(&tmp, (size_t)32 << 20);
    r = hash_path(&out->digest, &tmp, dir, out->computed.path, e);
    arena_reset(&tmp);
    return r;
}

/* ---- zip ---- */

static rc zip_dir(struct zip_out *z, struct arena *a, int dir, const char *path, size_t *left,
                  struct err *e);

static rc zip_one(struct zip_out *z, struct arena *a, int dir, const char *name, const char *path,
                  size_t *left, struct err *e)
{
    struct stat st;
    if (strlen(name) > RESULT_NAME_MAX) {
        return err_set(e, RC_CODE_DENIED, "result: the name %.60s is longer than %d characters",
                       name, RESULT_NAME_MAX);
    }
    if ((*left)-- == 0 || strlen(path) > 512) {
        return err_set(e, RC_CODE_LIMIT, "result: too many files or too deep");
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_set(e, RC_CODE_IO, "result %.100s: %s", path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        CLOSE_FD sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        TRY(zip_out_dir(z, path, e));
        return sub < 0 ? err_set(e, RC_CODE_IO, "result %.100s: %s", path, strerror(errno))
                       : zip_dir(z, a, sub, path, left, e);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, RC_CODE_DENIED, "result %.100s: is neither file nor folder", path);
    }
    CLOSE_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_set(e, RC_CODE_IO, "result %.100s: %s", path, strerror(errno))
                  : zip_out_fd(z, path, fd, (uint64_t)st.st_size, e);
}

static rc zip_dir(struct zip_out *z, struct arena *a, int dir, const char *path, size_t *left,
                  struct err *e)
{
    struct name *names = NULL;
    size_t n = 0;
    char sub[FILE_PATH_MAX];
    TRY(list_names(&names, &n, a, dir, e));
    for (size_t i = 0; i < n; i++) {
        if (path[0] == 0) {
            memcpy(sub, names[i].text, strlen(names[i].text) + 1);
        } else {
            TRY(path_join(sub, path, names[i].text, e));
        }
        TRY(zip_one(z, a, dir, names[i].text, sub, left, e));
    }
    return RC_OK;
}

rc result_zip(struct buf *zip, const char *dir, struct err *e)
{
    struct zip_out *z = NULL;
    struct arena a;
    size_t left = RESULT_FILES_MAX;
    CLOSE_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "open %s: %s", dir, strerror(errno));
    }
    TRY(zip_out_open(&z, zip, e));
    arena_init(&a, (size_t)64 << 20);
    rc r = zip_dir(z, &a, fd, "", &left, e);
    arena_reset(&a);
    if (!rc_ok(r)) {
        bool full = zip->full;
        (void)!rc_ok(zip_out_close(z, NULL));
        return full ? err_set(e, RC_CODE_LIMIT, "result: larger than %zu bytes", zip->cap) : r;
    }
    return zip_out_close(z, e);
}

rc zip_put(struct buf *zip, const struct zip_entry *entries, size_t n, struct err *e)
{
    struct zip_out *z = NULL;
    rc r = RC_OK;
    TRY(zip_out_open(&z, zip, e));
    for (size_t i = 0; rc_ok(r) && i < n; i++) {
        r = zip_out_bytes(z, entries[i].name, entries[i].data, e);
    }
    rc c = zip_out_close(z, rc_ok(r) ? e : NULL);
    return rc_ok(r) ? c : r;
}

static rc read_entry(struct zip_entry *out, struct arena *a, struct tar_in *in,
                     const struct tar_entry *en, struct err *e)
{
    uint8_t block[16384];
    char clean[FILE_PATH_MAX];
    BUF_FREE b = buf_new(a->cap);
    if (!image_name_clean(clean, sizeof(clean), en->name) || clean[0] == 0) {
        return err_set(e, RC_CODE_MALFORMED, "zip: the name \"%.80s\" is not allowed", en->name);
    }
    for (size_t n = 1; n > 0;) {
        TRY(tar_in_read(in, block, sizeof(block), &n, e));
        put_mem(&b, block, n);
    }
    char *name = arena_alloc(a, strlen(clean) + 1);
    uint8_t *p = b.full ? NULL : arena_alloc(a, b.n);
    if (name == NULL || p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "zip: unpacked it is larger than %zu bytes", a->cap);
    }
    memcpy(name, clean, strlen(clean) + 1);
    if (b.n > 0) {
        memcpy(p, b.p, b.n);
    }
    *out = (struct zip_entry){name, {p, b.n}};
    return RC_OK;
}

rc zip_parse(struct zip_entry *out, size_t *n, size_t max_n, struct arena *a, struct bytes zip,
             struct err *e)
{
    TAR_IN_CLOSE *in = NULL;
    *n = 0;
    TRY(zip_in_open(&in, zip, e));
    for (;;) {
        struct tar_entry en;
        bool more = false;
        TRY(tar_in_next(in, &en, &more, e));
        if (!more) {
            return RC_OK;
        }
        if (en.kind == TAR_DIR) {
            continue;
        }
        if (en.kind != TAR_FILE) {
            return err_set(e, RC_CODE_MALFORMED, "zip: \"%.80s\" is no file", en.name);
        }
        if (*n == max_n) {
            return err_set(e, RC_CODE_LIMIT, "zip: more than %zu files", max_n);
        }
        TRY(read_entry(&out[(*n)++], a, in, &en, e));
    }
}

static rc write_entry(int root, struct tar_in *in, const struct tar_entry *en, uint64_t *left,
                      struct err *e)
{
    char clean[FILE_PATH_MAX];
    uint8_t block[16384];
    if (!image_name_clean(clean, sizeof(clean), en->name)) {
        return err_set(e, RC_CODE_MALFORMED, "zip: the name \"%.80s\" is not allowed", en->name);
    }
    for (char *p = clean; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = 0;
        (void)mkdirat(root, clean, 0755);
    }
    if (en->kind == TAR_DIR) {
        (void)mkdirat(root, clean, 0755);
        return RC_OK;
    }
    if (en->kind != TAR_FILE) {
        return err_set(e, RC_CODE_MALFORMED, "zip: \"%.80s\" is neither file nor folder", clean);
    }
    /* We make no links below root, so a path through our own folders stays there. */
    CLOSE_FD fd = openat(root, clean, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "write %.100s: %s", clean, strerror(errno));
    }
    for (size_t n = 1; n > 0;) {
        TRY(tar_in_read(in, block, sizeof(block), &n, e));
        if (n > *left) {
            return err_set(e, RC_CODE_LIMIT, "zip: unpacked it is too large");
        }
        *left -= n;
        TRY(fd_write_all(fd, (struct bytes){block, n}, e));
    }
    return RC_OK;
}

rc zip_unpack(const char *dir, struct bytes zip, uint64_t max, struct err *e)
{
    TAR_IN_CLOSE *in = NULL;
    TRY(dir_make(dir, 0755, e));
    CLOSE_FD root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return err_set(e, RC_CODE_IO, "open %s: %s", dir, strerror(errno));
    }
    TRY(zip_in_open(&in, zip, e));
    for (size_t files = 0; files < RESULT_FILES_MAX; files++) {
        struct tar_entry en;
        bool more = false;
        TRY(tar_in_next(in, &en, &more, e));
        if (!more) {
            return RC_OK;
        }
        TRY(write_entry(root, in, &en, &max, e));
    }
    return err_set(e, RC_CODE_LIMIT, "zip: too many files");
}
