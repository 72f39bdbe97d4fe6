/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - answers longer than memory: files, CAR and tar archives, a block at a time as the client
 * takes them. A fault after the head is out cuts the connection: the client sees a broken answer,
 * never a short one that looks whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "daemon/store/store_int.h"
#include "encoding/car.h"

struct stream {
    struct content_store *s;
    struct http_req *r;
    struct use use;
    struct file_reader file;
    bool has_file;
    struct dag_walk walk;
    bool has_walk;
    struct buf buf; /* of CAR sections, tar headers */
    /* The next piece of the answer; empty at its end. */
    rc (*next)(struct stream *st, struct bytes *out, struct err *e);
    /* tar: what is still to come, last first */
    struct tar_item *items;
    size_t n_items, alloc_items;
    uint64_t pad;
    bool ended;
};

struct tar_item {
    struct cid cid;
    char *name; /* owned */
};

static void stream_free(struct stream *st)
{
    use_end(st->s, &st->use);
    if (st->has_file) {
        file_close(&st->file);
    }
    if (st->has_walk) {
        walk_close(&st->walk);
    }
    for (size_t i = 0; i < st->n_items; i++) {
        free(st->items[i].name);
    }
    free(st->items);
    buf_free(&st->buf);
    free(st);
}

static void on_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    stream_free(http_user(r));
}

static void pump(void *ctx, struct http_req *r)
{
    struct stream *st = http_user(r);
    struct content_store *s = ctx;
    for (;;) {
        struct err e = {0};
        struct bytes part;
        rc got = st->next(st, &part, &e);
        if (!rc_ok(got)) {
            log_warn("store", "an answer was cut off: %s", e.msg);
            s->m.errors++;
            http_on_gone(r, NULL);
            http_abort(r);
            stream_free(st);
            return;
        }
        if (part.n == 0) {
            http_on_gone(r, NULL);
            http_end(r);
            stream_free(st);
            return;
        }
        s->m.read_bytes += part.n;
        if (!rc_ok(http_write(r, part))) {
            http_on_drain(r, pump);
            return;
        }
    }
}

static struct stream *stream_new(struct content_store *s, struct http_req *r,
                                 const struct cid *root)
{
    struct stream *st = calloc(1, sizeof(*st));
    ASSERT(st != NULL);
    st->s = s;
    st->r = r;
    st->buf = buf_new((size_t)8 << 20);
    use_read(s, &st->use, root);
    http_set_user(r, st);
    http_on_gone(r, on_gone);
    s->m.reads++;
    return st;
}

static void start(struct stream *st, int status, const char *type, int64_t size)
{
    http_begin(st->r, status, type, size);
    if (strcmp(http_method(st->r), "HEAD") == 0) {
        http_on_gone(st->r, NULL);
        http_end(st->r);
        stream_free(st);
        return;
    }
    pump(st->s, st->r);
}

static rc file_part(struct stream *st, struct bytes *out, struct err *e)
{
    return file_next(&st->file, out, e);
}

void stream_file(struct content_store *s, struct http_req *r, int status, const char *type,
                 struct file_reader *f)
{
    struct stream *st = stream_new(s, r, &f->root);
    st->file = *f;
    st->has_file = true;
    *f = (struct file_reader){0};
    st->next = file_part;
    start(st, status, type, (int64_t)st->file.left);
}

/* --- CAR --- */

static rc car_part(struct stream *st, struct bytes *out, struct err *e)
{
    struct cid cid;
    bool more;
    if (!st->ended) { /* used here for: the header is out */
        st->ended = true;
        buf_reset(&st->buf);
        put_car_header(&st->buf, &st->use.root, 1);
        *out = buf_bytes(&st->buf);
        return RC_OK;
    }
    *out = (struct bytes){0};
    TRY(walk_next(&st->walk, &cid, &more, e));
    if (!more) {
        return RC_OK;
    }
    if (!st->walk.has_block) {
        TRY(dag_block(st->s->blocks, &cid, &st->walk.block, e));
    }
    buf_reset(&st->buf);
    put_car_section(&st->buf, &cid, st->walk.block.n);
    put_bytes(&st->buf, buf_bytes(&st->walk.block));
    *out = buf_bytes(&st->buf);
    return buf_end(&st->buf);
}

void stream_car(struct content_store *s, struct http_req *r, const struct cid *root, bool shallow)
{
    struct stream *st = stream_new(s, r, root);
    walk_open(&st->walk, s->blocks);
    st->has_walk = true;
    st->walk.shallow = shallow;
    walk_add(&st->walk, root);
    st->next = car_part;
    start(st, 200, "application/vnd.ipld.car; version=1", -1);
}

/* --- tar (POSIX ustar, with pax headers for what it cannot say) --- */

#define TAR_BLOCK 512

static void tar_push(struct stream *st, const struct cid *cid, struct bytes dir, struct bytes name)
{
    if (st->n_items == st->alloc_items) {
        st->alloc_items = st->alloc_items == 0 ? 16 : st->alloc_items * 2;
        st->items = reallocarray(st->items, st->alloc_items, sizeof(*st->items));
        ASSERT(st->items != NULL);
    }
    char *text = calloc(1, dir.n + name.n + 2);
    ASSERT(text != NULL);
    size_t n = 0;
    if (dir.n > 0) {
        memcpy(text, dir.p, dir.n);
        text[dir.n] = '/';
        n = dir.n + 1;
    }
    memcpy(text + n, name.p, name.n);
    st->items[st->n_items++] = (struct tar_item){*cid, text};
}

static void put_tar_block(struct buf *b, const char *name, char type, uint64_t size,
                          const char *target)
{
    char h[TAR_BLOCK] = {0};
    (void)snprintf(h, 100, "%.99s", name);
    (void)snprintf(h + 100, 8, "%07o", type == '5' ? 0755U : 0644U);
    (void)snprintf(h + 108, 8, "%07o", 0U);
    (void)snprintf(h + 116, 8, "%07o", 0U);
    (void)snprintf(h + 124, 12, "%011llo", (unsigned long long)(size > 077777777777ULL ? 0 : size));
    (void)snprintf(h + 136, 12, "%011o", 0U);
    memset(h + 148, ' ', 8);
    h[156] = type;
    (void)snprintf(h + 157, 100, "%.99s", target);
    memcpy(h + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(h); i++) {
        sum += (uint8_t)h[i];
    }
    (void)snprintf(h + 148, 8, "%06o", sum);
    put_mem(b, h, sizeof(h));
}

/* "LEN key=value\n", where LEN counts itself. */
static void put_pax(struct buf *b, const char *key, const char *value)
{
    size_t body = strlen(key) + strlen(value) + 3;
    size_t digits = 1;
    while ((size_t)snprintf(NULL, 0, "%zu", body + digits) != digits) {
        digits++;
    }
    put_fmt(b, "%zu %s=%s\n", body + digits, key, value);
}

static void put_tar_head(struct buf *b, const char *name, char type, uint64_t size,
                         const char *target)
{
    BUF_FREE pax = buf_new((size_t)1 << 20);
    if (strlen(name) > 99) {
        put_pax(&pax, "path", name);
    }
    if (strlen(target) > 99) {
        put_pax(&pax, "linkpath", target);
    }
    if (size > 077777777777ULL) {
        char text[24];
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
        put_pax(&pax, "size", text);
    }
    if (pax.n > 0) {
        put_tar_block(b, "pax", 'x', pax.n, "");
        put_bytes(b, buf_bytes(&pax));
        put_zero(b, (TAR_BLOCK - pax.n % TAR_BLOCK) % TAR_BLOCK);
    }
    put_tar_block(b, name, type, size, target);
}

struct tar_dir {
    struct stream *st;
    const char *name;
};

static rc tar_entry(void *ctx, struct bytes name, const struct cid *cid, uint64_t tsize)
{
    struct tar_dir *d = ctx;
    (void)tsize;
    /* A name that would lead out of the folder the archive is unpacked in is not written. */
    if (name.n == 0 || memchr(name.p, '/', name.n) != NULL || memchr(name.p, 0, name.n) != NULL ||
        bytes_eq(name, BYTES_LIT("..")) || bytes_eq(name, BYTES_LIT("."))) {
        return RC(MALFORMED);
    }
    tar_push(d->st, cid, bytes_str(d->name), name);
    return RC_OK;
}

/* The head of the next thing; a directory's entries are pushed so that the first comes first. */
static rc tar_item(struct stream *st, struct err *e)
{
    struct tar_item it = st->items[--st->n_items];
    struct node_info info;
    rc r = dag_info(st->s->blocks, &it.cid, &info, e);
    if (rc_ok(r) && (info.type == UNIXFS_DIRECTORY || info.type == UNIXFS_HAMT)) {
        size_t from = st->n_items;
        struct tar_dir d = {st, it.name};
        put_tar_head(&st->buf, it.name, '5', 0, "");
        r = dag_dir(st->s->blocks, &it.cid, tar_entry, &d, e);
        for (size_t i = from, j = st->n_items; i + 1 < j; i++) {
            struct tar_item t = st->items[i];
            st->items[i] = st->items[--j];
            st->items[j] = t;
        }
    } else if (rc_ok(r) && info.type == UNIXFS_SYMLINK) {
        put_tar_head(&st->buf, it.name, '2', 0, buf_cstr(&info.target));
    } else if (rc_ok(r)) {
        r = file_open(&st->file, st->s->blocks, &it.cid, e);
        st->has_file = true;
        if (rc_ok(r)) {
            put_tar_head(&st->buf, it.name, '0', st->file.size, "");
            st->pad = (TAR_BLOCK - st->file.size % TAR_BLOCK) % TAR_BLOCK;
        }
    }
    buf_free(&info.target);
    free(it.name);
    return r;
}

static rc tar_part(struct stream *st, struct bytes *out, struct err *e)
{
    buf_reset(&st->buf);
    if (st->has_file) {
        TRY(file_next(&st->file, out, e));
        if (out->n > 0) {
            return RC_OK;
        }
        file_close(&st->file);
        st->has_file = false;
        put_zero(&st->buf, st->pad);
    }
    if (st->n_items > 0) {
        TRY(tar_item(st, e));
    } else if (!st->ended) {
        st->ended = true;
        put_zero(&st->buf, 2 * (size_t)TAR_BLOCK);
    }
    *out = buf_bytes(&st->buf);
    return buf_end(&st->buf);
}

void stream_tar(struct content_store *s, struct http_req *r, const struct cid *root,
                const char *name)
{
    struct stream *st = stream_new(s, r, root);
    tar_push(st, root, (struct bytes){0}, bytes_str(name));
    st->next = tar_part;
    start(st, 200, "application/x-tar", -1);
}
