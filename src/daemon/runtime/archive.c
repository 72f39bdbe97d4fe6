/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/archive_int.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sha2.h"
#include "io/file.h"

#define BLOCK 65536

/* libarchive's own objects live on its heap; ours beside them. */
struct tar_out {
    struct archive *a;
    struct archive_entry *entry;
    int fd;
    struct sha256 sha;
    uint64_t size;
};

struct zip_out {
    struct archive *a;
    struct archive_entry *entry;
    struct buf *buf;
};

struct tar_in {
    struct archive *a;
    struct tar_in *outer; /* NULL: a file */
    struct sha256 sha;    /* of what was read from outer */
    uint64_t size;
    uint8_t block[BLOCK];
};

static void *must_alloc(size_t n)
{
    void *p = calloc(1, n);
    ASSERT(p != NULL);
    return p;
}

/* libarchive converts names by the thread's locale; ours are UTF-8 wherever we run. */
static locale_t utf8_enter(locale_t *old)
{
    locale_t l = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    *old = l == (locale_t)0 ? (locale_t)0 : uselocale(l);
    return l;
}

static void utf8_leave(locale_t l, locale_t old)
{
    if (l != (locale_t)0) {
        (void)uselocale(old);
        freelocale(l);
    }
}

static rc fail_in(struct archive *a, const char *what, struct err *e)
{
    const char *why = archive_error_string(a);
    return err_set(e, RC_CODE_MALFORMED, "%s: %.180s", what, why == NULL ? "unreadable" : why);
}

static rc fail_out(struct archive *a, const char *what, struct err *e)
{
    const char *why = archive_error_string(a);
    return err_set(e, RC_CODE_IO, "write %s: %.180s", what, why == NULL ? "failed" : why);
}

/* ---- writing ---- */

static la_ssize_t on_tar_write(struct archive *a, void *ctx, const void *p, size_t n)
{
    struct tar_out *t = ctx;
    if (!rc_ok(fd_write_all(t->fd, (struct bytes){p, n}, NULL))) {
        archive_set_error(a, errno, "cannot write the file");
        return -1;
    }
    sha256_add(&t->sha, (struct bytes){p, n});
    t->size += n;
    return (la_ssize_t)n;
}

rc tar_out_open(struct tar_out **out, int fd, struct err *e)
{
    struct tar_out *t = must_alloc(sizeof(*t));
    t->fd = fd;
    sha256_init(&t->sha);
    t->a = archive_write_new();
    t->entry = archive_entry_new();
    ASSERT(t->a != NULL && t->entry != NULL);
    if (archive_write_set_format_pax_restricted(t->a) != ARCHIVE_OK ||
        archive_write_add_filter_none(t->a) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(t->a, 1) != ARCHIVE_OK ||
        archive_write_open(t->a, t, NULL, on_tar_write, NULL) != ARCHIVE_OK) {
        rc r = fail_out(t->a, "tar", e);
        tar_out_drop(&t);
        return r;
    }
    *out = t;
    return RC_OK;
}

static rc put_header(struct archive *a, struct archive_entry *h, const char *name, unsigned type,
                     unsigned mode, uint64_t size, struct err *e)
{
    archive_entry_set_pathname(h, name);
    archive_entry_set_filetype(h, type);
    archive_entry_set_perm(h, mode);
    archive_entry_set_size(h, (la_int64_t)size);
    locale_t old, utf8 = utf8_enter(&old);
    int r = archive_write_header(a, h);
    utf8_leave(utf8, old);
    return r == ARCHIVE_OK ? RC_OK : fail_out(a, name, e);
}

static rc put_data(struct archive *a, const char *name, struct bytes data, struct err *e)
{
    while (data.n > 0) {
        la_ssize_t n = archive_write_data(a, data.p, data.n);
        if (n <= 0) {
            return fail_out(a, name, e);
        }
        data.p += n;
        data.n -= (size_t)n;
    }
    return RC_OK;
}

static rc put_fd(struct archive *a, const char *name, int fd, uint64_t size, struct err *e)
{
    uint8_t block[16384];
    while (size > 0) {
        ssize_t n = read(fd, block, (size_t)MIN(size, sizeof(block)));
        if (n <= 0) {
            return err_set(e, RC_CODE_IO, "read %s: %s", name,
                           n < 0 ? strerror(errno) : "became shorter while it was read");
        }
        TRY(put_data(a, name, (struct bytes){block, (size_t)n}, e));
        size -= (uint64_t)n;
    }
    return RC_OK;
}

/* Times and owners that archive_entry_clear() leaves unset are written as zero. */
static rc tar_header(struct tar_out *t, const char *name, unsigned type, unsigned mode,
                     uint64_t size, struct err *e)
{
    archive_entry_set_mtime(t->entry, 0, 0);
    return put_header(t->a, t->entry, name, type, mode, size, e);
}

rc tar_out_dir(struct tar_out *t, const char *name, struct err *e)
{
    archive_entry_clear(t->entry);
    return tar_header(t, name, S_IFDIR, 0755, 0, e);
}

rc tar_out_link(struct tar_out *t, const char *name, const char *target, struct err *e)
{
    archive_entry_clear(t->entry);
    archive_entry_set_symlink(t->entry, target);
    return tar_header(t, name, S_IFLNK, 0777, 0, e);
}

rc tar_out_fd(struct tar_out *t, const char *name, bool exec, int fd, uint64_t size, struct err *e)
{
    archive_entry_clear(t->entry);
    TRY(tar_header(t, name, S_IFREG, exec ? 0755 : 0644, size, e));
    return put_fd(t->a, name, fd, size, e);
}

rc tar_out_bytes(struct tar_out *t, const char *name, struct bytes data, struct err *e)
{
    archive_entry_clear(t->entry);
    TRY(tar_header(t, name, S_IFREG, 0644, data.n, e));
    return put_data(t->a, name, data, e);
}

rc tar_out_close(struct tar_out *t, struct hash *digest, uint64_t *size, struct err *e)
{
    rc r = archive_write_close(t->a) == ARCHIVE_OK ? RC_OK : fail_out(t->a, "tar", e);
    *digest = sha256_done(&t->sha);
    *size = t->size;
    tar_out_drop(&t);
    return r;
}

void tar_out_drop(struct tar_out **t)
{
    if (*t != NULL) {
        (void)archive_write_free((*t)->a);
        archive_entry_free((*t)->entry);
        free(*t);
        *t = NULL;
    }
}

static la_ssize_t on_zip_write(struct archive *a, void *ctx, const void *p, size_t n)
{
    struct zip_out *z = ctx;
    put_mem(z->buf, p, n);
    if (z->buf->full) {
        archive_set_error(a, EFBIG, "larger than %zu bytes", z->buf->cap);
        return -1;
    }
    return (la_ssize_t)n;
}

rc zip_out_open(struct zip_out **out, struct buf *zip, struct err *e)
{
    struct zip_out *z = must_alloc(sizeof(*z));
    z->buf = zip;
    z->a = archive_write_new();
    z->entry = archive_entry_new();
    ASSERT(z->a != NULL && z->entry != NULL);
    if (archive_write_set_format_zip(z->a) != ARCHIVE_OK ||
        archive_write_set_options(z->a, "compression=deflate") != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(z->a, 1) != ARCHIVE_OK ||
        archive_write_open(z->a, z, NULL, on_zip_write, NULL) != ARCHIVE_OK) {
        rc r = fail_out(z->a, "zip", e);
        (void)zip_out_close(z, NULL);
        return r;
    }
    *out = z;
    return RC_OK;
}

/* No times are set: the format then holds its own zero, 1980-01-01, in every time zone. */
rc zip_out_dir(struct zip_out *z, const char *name, struct err *e)
{
    archive_entry_clear(z->entry);
    return put_header(z->a, z->entry, name, S_IFDIR, 0755, 0, e);
}

rc zip_out_fd(struct zip_out *z, const char *name, int fd, uint64_t size, struct err *e)
{
    archive_entry_clear(z->entry);
    TRY(put_header(z->a, z->entry, name, S_IFREG, 0644, size, e));
    return put_fd(z->a, name, fd, size, e);
}

rc zip_out_bytes(struct zip_out *z, const char *name, struct bytes data, struct err *e)
{
    archive_entry_clear(z->entry);
    TRY(put_header(z->a, z->entry, name, S_IFREG, 0644, data.n, e));
    return put_data(z->a, name, data, e);
}

rc zip_out_close(struct zip_out *z, struct err *e)
{
    rc r = RC_OK;
    if (archive_write_close(z->a) != ARCHIVE_OK) {
        r = z->buf->full ? err_set(e, RC_CODE_LIMIT, "zip: larger than %zu bytes", z->buf->cap)
                         : fail_out(z->a, "zip", e);
    }
    (void)archive_write_free(z->a);
    archive_entry_free(z->entry);
    free(z);
    return r;
}

/* ---- reading ---- */

static rc tar_in_new(struct tar_in **out, enum tar_mode mode)
{
    struct tar_in *t = must_alloc(sizeof(*t));
    sha256_init(&t->sha);
    t->a = archive_read_new();
    ASSERT(t->a != NULL);
    int bad = archive_read_support_format_tar(t->a);
    if (mode == TAR_GZIP) {
        bad |= archive_read_support_filter_gzip(t->a);
    }
    ASSERT(bad == ARCHIVE_OK);
    *out = t;
    return RC_OK;
}

rc tar_in_open_fd(struct tar_in **out, int fd, struct err *e)
{
    struct tar_in *t = NULL;
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return err_set(e, RC_CODE_IO, "tar: cannot seek: %s", strerror(errno));
    }
    TRY(tar_in_new(&t, TAR_PLAIN));
    if (archive_read_open_fd(t->a, fd, BLOCK) != ARCHIVE_OK) {
        rc r = fail_in(t->a, "tar", e);
        tar_in_close(&t);
        return r;
    }
    *out = t;
    return RC_OK;
}

static la_ssize_t on_entry_read(struct archive *a, void *ctx, const void **p)
{
    struct tar_in *t = ctx;
    la_ssize_t n = archive_read_data(t->outer->a, t->block, sizeof(t->block));
    if (n < 0) {
        archive_set_error(a, EIO, "%s", archive_error_string(t->outer->a));
        return -1;
    }
    sha256_add(&t->sha, (struct bytes){t->block, (size_t)n});
    t->size += (uint64_t)n;
    *p = t->block;
    return n;
}

rc tar_in_open_entry(struct tar_in **out, struct tar_in *outer, enum tar_mode mode, struct err *e)
{
    struct tar_in *t = NULL;
    TRY(tar_in_new(&t, mode));
    t->outer = outer;
    if (archive_read_open(t->a, t, NULL, on_entry_read, NULL) != ARCHIVE_OK) {
        rc r = fail_in(t->a, "layer", e);
        tar_in_close(&t);
        return r;
    }
    *out = t;
    return RC_OK;
}

static enum tar_kind kind_of(struct archive_entry *h)
{
    if (archive_entry_hardlink(h) != NULL) {
        return TAR_HARDLINK;
    }
    switch (archive_entry_filetype(h)) {
    case AE_IFREG:
        return TAR_FILE;
    case AE_IFDIR:
        return TAR_DIR;
    case AE_IFLNK:
        return TAR_SYMLINK;
    default:
        return TAR_OTHER;
    }
}

static rc next_entry(struct tar_in *t, struct tar_entry *entry, bool *more, struct err *e)
{
    struct archive_entry *h = NULL;
    int r = archive_read_next_header(t->a, &h);
    *more = r == ARCHIVE_OK;
    *entry = (struct tar_entry){0};
    if (r == ARCHIVE_EOF) {
        return RC_OK;
    }
    /* A warning is a header that two readers may understand differently. */
    if (r != ARCHIVE_OK) {
        return fail_in(t->a, "archive", e);
    }
    entry->name = archive_entry_pathname(h);
    entry->kind = kind_of(h);
    entry->size = archive_entry_size(h) < 0 ? 0 : (uint64_t)archive_entry_size(h);
    entry->exec = (archive_entry_perm(h) & 0111) != 0;
    if (entry->kind == TAR_HARDLINK) {
        entry->target = archive_entry_hardlink(h);
    } else if (entry->kind == TAR_SYMLINK) {
        entry->target = archive_entry_symlink(h);
        if (entry->target == NULL) {
            return err_set(e, RC_CODE_MALFORMED, "archive: a link without target");
        }
    }
    return entry->name != NULL ? RC_OK
                               : err_set(e, RC_CODE_MALFORMED, "archive: an entry without name");
}

rc tar_in_next(struct tar_in *t, struct tar_entry *entry, bool *more, struct err *e)
{
    locale_t old, utf8 = utf8_enter(&old);
    rc r = next_entry(t, entry, more, e);
    utf8_leave(utf8, old);
    return r;
}

rc tar_in_read(struct tar_in *t, uint8_t *p, size_t size, size_t *n, struct err *e)
{
    la_ssize_t got = archive_read_data(t->a, p, size);
    *n = got > 0 ? (size_t)got : 0;
    return got >= 0 ? RC_OK : fail_in(t->a, "archive", e);
}

rc tar_in_drain(struct tar_in *t, struct hash *digest, uint64_t *size, struct err *e)
{
    const void *p = NULL;
    la_ssize_t n = 0;
    ASSERT(t->outer != NULL);
    while ((n = on_entry_read(t->a, t, &p)) > 0) {
    }
    *digest = sha256_done(&t->sha);
    *size = t->size;
    return n == 0 ? RC_OK : fail_in(t->a, "layer", e);
}

void tar_in_close(struct tar_in **t)
{
    if (*t != NULL) {
        (void)archive_read_free((*t)->a);
        free(*t);
        *t = NULL;
    }
}

rc zip_in_open(struct tar_in **out, struct bytes zip, struct err *e)
{
    struct tar_in *t = must_alloc(sizeof(*t));
    sha256_init(&t->sha);
    t->a = archive_read_new();
    ASSERT(t->a != NULL);
    if (archive_read_support_format_zip(t->a) != ARCHIVE_OK ||
        archive_read_open_memory(t->a, zip.p, zip.n) != ARCHIVE_OK) {
        rc r = fail_in(t->a, "zip", e);
        tar_in_close(&t);
        return r;
    }
    *out = t;
    return RC_OK;
}
