/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/sha2.h"
#include "daemon/runtime/image_int.h"
#include "io/file.h"

const char *const image_mounts[] = {"tmp", "dev", "proc", "iexec_in", "iexec_out", NULL};

/* A blob that the first pass has checked. Small ones may be JSON and are kept. */
struct blob {
    struct hash digest;
    uint64_t size;
    struct bytes data; /* p NULL: not kept */
};

struct scan {
    struct arena *a;
    struct blob blobs[IMAGE_BLOBS_MAX];
    size_t blobs_n;
    struct bytes index, layout;
};

bool image_name_clean(char out[], size_t size, const char *name)
{
    size_t n = 0;
    while (name[0] == '.' && name[1] == '/') {
        name += 2;
    }
    if (name[0] == '/') {
        return false;
    }
    for (const char *p = name; *p != 0;) {
        size_t len = strcspn(p, "/");
        bool dots = (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.');
        if ((dots && strcmp(name, ".") != 0) || len == 0 || len > 255 || n + len + 2 > size) {
            return false;
        }
        if (!dots) {
            if (n > 0) {
                out[n++] = '/';
            }
            memcpy(out + n, p, len);
            n += len;
        }
        p += len;
        p += *p == '/';
    }
    out[n] = 0;
    return true;
}

static rc take_small(struct bytes *out, struct scan *s, struct tar_in *tar, const char *name,
                     struct err *e)
{
    uint8_t part[4096];
    BUF_FREE b = buf_new(IMAGE_JSON_MAX);
    size_t n = 0;
    do {
        TRY(tar_in_read(tar, part, sizeof(part), &n, e));
        put_mem(&b, part, n);
    } while (n > 0);
    uint8_t *p = arena_alloc(s->a, b.n + 1);
    if (!rc_ok(buf_end(&b)) || p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "%s: larger than %zu bytes", name, IMAGE_JSON_MAX);
    }
    if (b.n > 0) {
        memcpy(p, b.p, b.n);
    }
    *out = (struct bytes){p, b.n};
    return RC_OK;
}

static rc take_blob(struct scan *s, struct tar_in *tar, const struct tar_entry *en, struct err *e)
{
    uint8_t part[16384];
    struct sha256 sha;
    char want[IMAGE_DIGEST_LEN + 1] = "sha256:";
    struct blob *b = &s->blobs[s->blobs_n];
    if (s->blobs_n == IMAGE_BLOBS_MAX) {
        return err_set(e, RC_CODE_LIMIT, "image: more than %d blobs", IMAGE_BLOBS_MAX);
    }
    memcpy(want + 7, en->name + 13, 64);
    TRY(image_digest_parse(&b->digest, want));
    sha256_init(&sha);
    BUF_FREE keep = buf_new(IMAGE_JSON_MAX);
    for (size_t n = 1; n > 0;) {
        TRY(tar_in_read(tar, part, sizeof(part), &n, e));
        sha256_add(&sha, (struct bytes){part, n});
        b->size += n;
        if (en->size <= IMAGE_JSON_MAX) {
            put_mem(&keep, part, n);
        }
        if (b->size > IMAGE_UNPACKED_MAX) {
            return err_set(e, RC_CODE_LIMIT, "image: a blob is larger than 4 GiB");
        }
    }
    if (!hash_eq(sha256_done(&sha), b->digest)) {
        return err_set(e, RC_CODE_MALFORMED, "image: blob %s has other contents than its name says",
                       want);
    }
    uint8_t *p = keep.n > 0 && !keep.full ? arena_alloc(s->a, keep.n) : NULL;
    if (p != NULL) {
        memcpy(p, keep.p, keep.n);
        b->data = (struct bytes){p, keep.n};
    }
    s->blobs_n++;
    return RC_OK;
}

static bool is_blob(const char *name)
{
    return strncmp(name, "blobs/sha256/", 13) == 0 && strlen(name) == 77 &&
           strspn(name + 13, "0123456789abcdef") == 64;
}

static rc scan_file(struct scan *s, int fd, struct err *e)
{
    TAR_IN_CLOSE *tar = NULL;
    TRY(tar_in_open_fd(&tar, fd, e));
    for (;;) {
        struct tar_entry en;
        bool more = false;
        TRY(tar_in_next(tar, &en, &more, e));
        if (!more) {
            return RC_OK;
        }
        if (en.kind == TAR_DIR) {
            continue;
        }
        if (en.kind == TAR_FILE && strcmp(en.name, "index.json") == 0 && s->index.p == NULL) {
            TRY(take_small(&s->index, s, tar, en.name, e));
        } else if (en.kind == TAR_FILE && strcmp(en.name, "oci-layout") == 0) {
            TRY(take_small(&s->layout, s, tar, en.name, e));
        } else if (en.kind == TAR_FILE && is_blob(en.name)) {
            TRY(take_blob(s, tar, &en, e));
        } else {
            return err_set(e, RC_CODE_MALFORMED, "image: \"%.100s\" has no place in an OCI layout",
                           en.name);
        }
    }
}

static const struct blob *find_blob(const struct scan *s, struct hash digest)
{
    for (size_t i = 0; i < s->blobs_n; i++) {
        if (hash_eq(s->blobs[i].digest, digest)) {
            return &s->blobs[i];
        }
    }
    return NULL;
}

static rc find_json(struct bytes *out, const struct scan *s, struct hash digest, const char *what,
                    struct err *e)
{
    const struct blob *b = find_blob(s, digest);
    if (b == NULL || b->data.p == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "image: the %s is %s", what,
                       b == NULL ? "missing" : "too large");
    }
    *out = b->data;
    return RC_OK;
}

static rc read_parts(struct image *out, struct arena *a, const struct scan *s, struct err *e)
{
    struct hash manifest, config;
    struct bytes json;
    if (s->layout.p == NULL || s->index.p == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "image: no %s in it",
                       s->index.p == NULL ? "index.json" : "oci-layout");
    }
    rc r = image_index_parse(&manifest, s->index, e);
    if (!rc_ok(r)) {
        return err_wrap(e, r, "index.json");
    }
    image_digest_text(out->digest, manifest);
    TRY(find_json(&json, s, manifest, "manifest", e));
    r = image_manifest_parse(out, &config, json, e);
    if (!rc_ok(r)) {
        return err_wrap(e, r, "image manifest");
    }
    for (size_t i = 0; i < out->layers_n; i++) {
        const struct blob *b = find_blob(s, out->layers[i].digest);
        if (b == NULL || b->size != out->layers[i].size) {
            return err_set(e, RC_CODE_MALFORMED, "image: layer %zu is %s", i,
                           b == NULL ? "missing" : "not as long as the manifest says");
        }
    }
    TRY(find_json(&json, s, config, "config", e));
    r = image_config_parse(out, a, json, e);
    return rc_ok(r) ? r : err_wrap(e, r, "image config");
}

/* The file is walked once a layer: layers lie in it in any order but apply in the manifest's. */
rc image_walk_layers(const struct image *img, int fd, int dir_fd, struct err *e)
{
    uint64_t files = 0, size = 0;
    for (size_t i = 0; i < img->layers_n; i++) {
        TAR_IN_CLOSE *tar = NULL;
        char want[IMAGE_DIGEST_LEN + 1];
        image_digest_text(want, img->layers[i].digest);
        TRY(tar_in_open_fd(&tar, fd, e));
        for (bool found = false; !found;) {
            struct tar_entry en;
            bool more = false;
            TRY(tar_in_next(tar, &en, &more, e));
            if (!more) {
                return err_set(e, RC_CODE_MALFORMED, "image: layer %zu is missing", i);
            }
            found = is_blob(en.name) && strcmp(en.name + 13, want + 7) == 0;
        }
        rc r = image_layer(tar, &img->layers[i], dir_fd, &files, &size, e);
        if (!rc_ok(r)) {
            return err_wrap(e, r, "image layer %zu", i);
        }
    }
    return RC_OK;
}

rc image_read_head(struct image *out, struct arena *a, int fd, struct err *e)
{
    *out = (struct image){0};
    struct arena tmp;
    arena_init(&tmp, IMAGE_ARENA_MAX);
    struct scan *s = ARENA_NEW(&tmp, struct scan);
    ASSERT(s != NULL);
    s->a = &tmp;
    rc r = scan_file(s, fd, e);
    if (rc_ok(r)) {
        r = read_parts(out, a, s, e);
    }
    arena_reset(&tmp);
    return r;
}

rc image_read_fd(struct image *out, struct arena *a, int fd, struct err *e)
{
    TRY(image_read_head(out, a, fd, e));
    return image_walk_layers(out, fd, -1, e);
}

rc image_read(struct image *out, struct arena *a, const char *file, struct err *e)
{
    CLOSE_FD fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO, "open %s: %s", file,
                       strerror(errno));
    }
    return image_read_fd(out, a, fd, e);
}
