/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/blocks_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/sha2.h"
#include "io/file.h"

#define WRITE_BUFFER   ((size_t)1 << 20) /* small blocks are written together */
#define DIRECT_MIN     ((size_t)64 << 10)
#define WRITEBACK_STEP ((uint64_t)8 << 20) /* start writing early: the sync at the end is short */
#define OPEN_PACKS     64                  /* file descriptors kept for reading */
#define PAGE           4096

static const uint8_t record_magic[4] = {'S', 'k', 'B', '1'};

static const char schema[] =
    "CREATE TABLE pack(id INTEGER PRIMARY KEY, tail INTEGER NOT NULL, live INTEGER NOT NULL);"
    "CREATE TABLE block(hash BLOB PRIMARY KEY, pack INTEGER NOT NULL, off INTEGER NOT NULL,"
    " size INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE pin(cid BLOB PRIMARY KEY, recursive INTEGER NOT NULL, name TEXT NOT NULL)"
    " WITHOUT ROWID;";
#define SCHEMA_VERSION 1

struct pack_fd {
    uint64_t id; /* 0: free */
    int fd;
    uint64_t used; /* tick of the last use */
};

struct hole { /* of a deleted block, to be given back after the commit */
    uint64_t pack, off, size;
};

struct blocks {
    char dir[FILE_PATH_MAX];
    int lock_fd;
    struct db *db;
    struct stmt *find, *insert, *remove, *move, *each;
    struct stmt *set_pack, *drop_pack, *pack_live, *sparse;
    uint64_t max_size;
    struct pack_fd fds[OPEN_PACKS];
    uint64_t tick;

    uint64_t pack;      /* id of the pack that is appended to */
    uint64_t tail;      /* its end, unwritten bytes included */
    uint64_t synced;    /* its committed end */
    uint64_t writeback; /* end of what the system was told to write */
    struct buf wbuf;    /* the bytes before tail that are not written yet */
    bool open_txn;
    bool must_sync;
    uint64_t generation;
    uint64_t count, bytes, live;             /* live: of the current pack */
    uint64_t old_count, old_bytes, old_live; /* as committed */

    struct hole *holes;
    size_t n_holes, holes_alloc;
};

struct place {
    uint64_t pack, off, size;
};

static rc pack_path(const struct blocks *b, uint64_t id, char out[FILE_PATH_MAX], struct err *e)
{
    char name[48];
    (void)snprintf(name, sizeof(name), "packs/%08llu.pack", (unsigned long long)id);
    return path_join(out, b->dir, name, e);
}

/* The descriptor of a pack; opened, and made when create is set. Owned by b. */
static rc pack_open(struct blocks *b, uint64_t id, bool create, int *fd, struct err *e)
{
    struct pack_fd *slot = &b->fds[0];
    b->tick++;
    for (size_t i = 0; i < OPEN_PACKS; i++) {
        struct pack_fd *f = &b->fds[i];
        if (f->id == id) {
            f->used = b->tick;
            *fd = f->fd;
            return RC_OK;
        }
        if (f->id != b->pack && (slot->id == b->pack || f->used < slot->used)) {
            slot = f; /* never evict the one that is written to */
        }
    }
    char path[FILE_PATH_MAX];
    TRY(pack_path(b, id, path, e));
    int got = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (got < 0) {
        return err_set(e, RC_CODE_IO, "open %s: %s", path, strerror(errno));
    }
    if (slot->id != 0) {
        (void)close(slot->fd);
    }
    *slot = (struct pack_fd){.id = id, .fd = got, .used = b->tick};
    *fd = got;
    return RC_OK;
}

static void pack_forget(struct blocks *b, uint64_t id)
{
    for (size_t i = 0; i < OPEN_PACKS; i++) {
        if (b->fds[i].id == id) {
            (void)close(b->fds[i].fd);
            b->fds[i] = (struct pack_fd){0};
        }
    }
}

static rc sync_dir(const struct blocks *b, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, b->dir, "packs", e));
    CLOSE_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return err_set(e, RC_CODE_IO, "sync %s: %s", path, strerror(errno));
    }
    return RC_OK;
}

/* Begins a new pack. */
static rc pack_next(struct blocks *b, struct err *e)
{
    int fd;
    b->pack++;
    TRY(pack_open(b, b->pack, true, &fd, e));
    if (ftruncate(fd, 0) != 0) {
        return err_set(e, RC_CODE_IO, "empty pack %llu: %s", (unsigned long long)b->pack,
                       strerror(errno));
    }
    b->tail = b->synced = b->writeback = 0;
    b->live = b->old_live = 0;
    return sync_dir(b, e);
}

static rc prepare(struct blocks *b, struct err *e)
{
    struct {
        struct stmt **to;
        const char *sql;
    } all[] = {
        {&b->find, "SELECT pack, off, size FROM block WHERE hash = ?"},
        {&b->insert, "INSERT INTO block(hash, pack, off, size) VALUES(?, ?, ?, ?)"},
        {&b->remove, "DELETE FROM block WHERE hash = ?"},
        {&b->set_pack,
         "INSERT INTO pack(id, tail, live) VALUES(?, ?, ?) ON CONFLICT(id) DO UPDATE"
         " SET tail = excluded.tail, live = excluded.live"},
        {&b->pack_live, "UPDATE pack SET live = live - ? WHERE id = ?"},
        {&b->drop_pack, "DELETE FROM pack WHERE id = ?"},
        {&b->move, "UPDATE block SET pack = ?, off = ? WHERE hash = ?"},
        {&b->each, "SELECT hash, size FROM block WHERE hash > ? ORDER BY hash"},
        {&b->sparse,
         "SELECT id, tail FROM pack WHERE id > ? AND id <> ? AND live * 2 < tail"
         " ORDER BY id LIMIT 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        *all[i].to = db_prepare(b->db, all[i].sql, e);
        if (*all[i].to == NULL) {
            return RC(IO);
        }
    }
    return RC_OK;
}

/* Counts what is there and opens the last pack at its committed end. */
static rc load(struct blocks *b, struct err *e)
{
    struct stmt *s = db_prepare(b->db, "SELECT id, tail, live FROM pack ORDER BY id", e);
    struct stmt *n = db_prepare(b->db, "SELECT count(*) FROM block", e);
    if (s == NULL || n == NULL) {
        return RC(IO);
    }
    bool row = false;
    TRY(stmt_step(n, &row, e));
    b->count = row ? stmt_u64(n, 0) : 0;
    stmt_reset(n);
    for (;;) {
        TRY(stmt_step(s, &row, e));
        if (!row) {
            break;
        }
        b->pack = stmt_u64(s, 0);
        b->tail = stmt_u64(s, 1);
        b->live = stmt_u64(s, 2);
        b->bytes += b->live;
    }
    stmt_reset(s);
    b->old_count = b->count;
    b->old_bytes = b->bytes;
    b->old_live = b->live;
    if (b->pack == 0) {
        return pack_next(b, e);
    }
    int fd;
    struct stat st;
    TRY(pack_open(b, b->pack, false, &fd, e));
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size < b->tail) {
        return err_set(e, RC_CODE_CORRUPT,
                       "pack %llu is shorter than the index says: restore the folder from a backup",
                       (unsigned long long)b->pack);
    }
    if (ftruncate(fd, (off_t)b->tail) != 0) {
        return err_set(e, RC_CODE_IO, "cut pack %llu: %s", (unsigned long long)b->pack,
                       strerror(errno));
    }
    b->synced = b->writeback = b->tail;
    return RC_OK;
}

rc blocks_open(struct blocks **out, const char *dir, uint64_t max_size, struct err *e)
{
    struct blocks *b = calloc(1, sizeof(*b));
    ASSERT(b != NULL);
    *out = NULL;
    b->max_size = max_size;
    b->lock_fd = -1;
    b->wbuf = buf_new(WRITE_BUFFER);
    char path[FILE_PATH_MAX];
    rc r = path_join(b->dir, dir, "", e);
    r = rc_ok(r) ? path_join(path, dir, "packs", e) : r;
    r = rc_ok(r) ? dir_make(path, 0700, e) : r;
    r = rc_ok(r) ? dir_lock(&b->lock_fd, dir, e) : r;
    r = rc_ok(r) ? path_join(path, dir, "index.db", e) : r;
    r = rc_ok(r) ? db_open(&b->db, path, schema, SCHEMA_VERSION, e) : r;
    r = rc_ok(r) ? prepare(b, e) : r;
    r = rc_ok(r) ? load(b, e) : r;
    if (!rc_ok(r)) {
        blocks_close(b);
        return r;
    }
    *out = b;
    return RC_OK;
}

void blocks_close(struct blocks *b)
{
    if (b == NULL) {
        return;
    }
    if (b->db != NULL) {
        db_rollback(b->db);
        db_close(b->db);
    }
    for (size_t i = 0; i < OPEN_PACKS; i++) {
        if (b->fds[i].id != 0) {
            (void)close(b->fds[i].fd);
        }
    }
    fd_close(&b->lock_fd);
    buf_free(&b->wbuf);
    free(b->holes);
    free(b);
}

struct db *blocks_db(struct blocks *b)
{
    return b->db;
}

rc blocks_begin(struct blocks *b, struct err *e)
{
    if (b->open_txn) {
        return RC_OK;
    }
    TRY(db_begin(b->db, e));
    b->open_txn = true;
    return RC_OK;
}

static rc find(struct blocks *b, const struct hash *h, struct place *out, struct err *e)
{
    bool row = false;
    stmt_bind_bytes(b->find, 1, BYTES_OF(*h));
    rc r = stmt_step(b->find, &row, e);
    if (rc_ok(r) && row) {
        *out = (struct place){stmt_u64(b->find, 0), stmt_u64(b->find, 1), stmt_u64(b->find, 2)};
    }
    stmt_reset(b->find);
    TRY(r);
    return row ? RC_OK : err_set(e, RC_CODE_NOT_FOUND, "block not found");
}

static rc write_at(struct blocks *b, int fd, struct iovec *v, int n, uint64_t off, struct err *e)
{
    while (n > 0) {
        ssize_t w = pwritev(fd, v, n, (off_t)off);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            bool full = errno == ENOSPC || errno == EDQUOT;
            return err_set(e, full ? RC_CODE_LIMIT : RC_CODE_IO, "%s: write to pack %llu: %s",
                           full ? "the store is full" : "the store cannot write",
                           (unsigned long long)b->pack, strerror(errno));
        }
        off += (uint64_t)w;
        while (n > 0 && (size_t)w >= v->iov_len) {
            w -= (ssize_t)v->iov_len;
            v++;
            n--;
        }
        if (n > 0) {
            v->iov_base = (uint8_t *)v->iov_base + w;
            v->iov_len -= (size_t)w;
        }
    }
    return RC_OK;
}

/* Writes what is buffered, and extra behind it, so that the file ends at tail + extra. */
static rc flush(struct blocks *b, struct bytes extra, struct err *e)
{
    int fd;
    if (b->wbuf.n + extra.n == 0) {
        return RC_OK;
    }
    TRY(pack_open(b, b->pack, false, &fd, e));
    uint64_t start = b->tail - b->wbuf.n;
    uint64_t end = b->tail + extra.n;
    struct iovec v[2] = {
        {b->wbuf.p, b->wbuf.n}, {(void *)(uintptr_t)extra.p, extra.n}, /* pwritev() only reads */
    };
    TRY(write_at(b, fd, v, extra.n > 0 ? 2 : 1, start, e));
    buf_reset(&b->wbuf);
    b->must_sync = true;
    if (end - b->writeback >= WRITEBACK_STEP) {
        (void)sync_file_range(fd, (off_t)b->writeback, (off_t)(end - b->writeback),
                              SYNC_FILE_RANGE_WRITE); /* a hint: the sync decides */
        b->writeback = end;
    }
    return RC_OK;
}

static rc sync_pack(struct blocks *b, struct err *e)
{
    int fd;
    TRY(flush(b, (struct bytes){0}, e));
    if (b->must_sync) {
        TRY(pack_open(b, b->pack, false, &fd, e));
        if (fdatasync(fd) != 0) {
            return err_set(e, RC_CODE_IO, "sync pack %llu: %s", (unsigned long long)b->pack,
                           strerror(errno));
        }
        b->must_sync = false;
    }
    return RC_OK;
}

static rc save_pack(struct blocks *b, struct err *e)
{
    stmt_bind_u64(b->set_pack, 1, b->pack);
    stmt_bind_u64(b->set_pack, 2, b->tail);
    stmt_bind_u64(b->set_pack, 3, b->live);
    return stmt_run(b->set_pack, e);
}

/* A record of `size` bytes goes to the current pack, or to a new one. */
static rc pack_room(struct blocks *b, uint64_t size, struct err *e)
{
    if (b->tail + size <= PACK_MAX) {
        return RC_OK;
    }
    TRY(sync_pack(b, e));
    TRY(save_pack(b, e));
    return pack_next(b, e);
}

static rc append(struct blocks *b, const struct hash *h, struct bytes block, struct place *at,
                 struct err *e)
{
    uint64_t size = BLOCK_OVERHEAD + block.n;
    uint64_t buffered = block.n >= DIRECT_MIN ? BLOCK_OVERHEAD : size;
    TRY(pack_room(b, size, e));
    if (b->wbuf.cap - b->wbuf.n < buffered) {
        TRY(flush(b, (struct bytes){0}, e));
    }
    put_mem(&b->wbuf, record_magic, sizeof(record_magic));
    uint8_t le[4] = {(uint8_t)block.n, (uint8_t)(block.n >> 8), (uint8_t)(block.n >> 16),
                     (uint8_t)(block.n >> 24)};
    put_mem(&b->wbuf, le, sizeof(le));
    put_bytes(&b->wbuf, BYTES_OF(*h));
    b->tail += BLOCK_OVERHEAD;
    *at = (struct place){b->pack, b->tail, block.n};
    rc r = RC_OK;
    if (block.n >= DIRECT_MIN) {
        r = flush(b, block, e);
    } else {
        put_bytes(&b->wbuf, block);
    }
    if (!rc_ok(r)) { /* take the record's head back; what lies behind tail is garbage */
        b->tail -= BLOCK_OVERHEAD;
        b->wbuf.n -= MIN(b->wbuf.n, (size_t)BLOCK_OVERHEAD);
        return r;
    }
    b->tail += block.n;
    b->live += size;
    return RC_OK;
}

rc blocks_put(struct blocks *b, const struct hash *h, struct bytes block, bool *fresh,
              struct err *e)
{
    struct place at;
    *fresh = false;
    rc r = find(b, h, &at, e);
    if (r.code != RC_CODE_NOT_FOUND) {
        return r;
    }
    if (block.n > BLOCK_MAX) {
        return err_set(e, RC_CODE_LIMIT, "block of %zu bytes is over the limit of %zu", block.n,
                       BLOCK_MAX);
    }
    uint64_t size = BLOCK_OVERHEAD + block.n;
    if (b->max_size != 0 && (b->bytes > b->max_size || size > b->max_size - b->bytes)) {
        return err_set(e, RC_CODE_LIMIT,
                       "the store is full: %llu of %llu bytes are used; unpin and collect garbage, "
                       "or start it with a larger --max-size",
                       (unsigned long long)b->bytes, (unsigned long long)b->max_size);
    }
    TRY(blocks_begin(b, e));
    TRY(append(b, h, block, &at, e));
    stmt_bind_bytes(b->insert, 1, BYTES_OF(*h));
    stmt_bind_u64(b->insert, 2, at.pack);
    stmt_bind_u64(b->insert, 3, at.off);
    stmt_bind_u64(b->insert, 4, at.size);
    TRY(stmt_run(b->insert, e));
    b->count++;
    b->bytes += size;
    *fresh = true;
    return RC_OK;
}

/* n bytes at a place, from the file or from what is not written yet. */
static rc read_at(struct blocks *b, const struct place *at, uint8_t *out, size_t n, struct err *e)
{
    uint64_t unwritten = b->tail - b->wbuf.n;
    if (n == 0) {
        return RC_OK;
    }
    if (at->pack == b->pack && at->off >= unwritten) {
        memcpy(out, b->wbuf.p + (at->off - unwritten), n);
        return RC_OK;
    }
    int fd;
    TRY(pack_open(b, at->pack, false, &fd, e));
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, out + done, n - done, (off_t)(at->off + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return err_set(e, got == 0 ? RC_CODE_CORRUPT : RC_CODE_IO, "read pack %llu: %s",
                           (unsigned long long)at->pack, got == 0 ? "cut short" : strerror(errno));
        }
        done += (size_t)got;
    }
    return RC_OK;
}

rc blocks_get(struct blocks *b, const struct hash *h, struct buf *out, struct err *e)
{
    struct place at;
    TRY(find(b, h, &at, e));
    buf_reset(out);
    uint8_t *p = buf_grow(out, at.size);
    if (p == NULL) {
        return at.size == 0 ? RC_OK : err_set(e, RC_CODE_LIMIT, "block is too large to be read");
    }
    TRY(read_at(b, &at, p, at.size, e));
    if (!hash_eq(sha256((struct bytes){p, at.size}), *h)) {
        buf_reset(out);
        log_error("store", "damaged block pack=%llu offset=%llu size=%llu",
                  (unsigned long long)at.pack, (unsigned long long)at.off,
                  (unsigned long long)at.size);
        return err_set(e, RC_CODE_CORRUPT,
                       "block is damaged on disk: its bytes do not match its "
                       "CID; remove it and add it again");
    }
    return RC_OK;
}

rc blocks_peek(struct blocks *b, const struct hash *h, uint8_t *first, uint64_t *size,
               struct err *e)
{
    struct place at;
    TRY(find(b, h, &at, e));
    *size = at.size;
    *first = 0;
    return at.size == 0 ? RC_OK : read_at(b, &at, first, 1, e);
}

rc blocks_size(struct blocks *b, const struct hash *h, uint64_t *size, struct err *e)
{
    struct place at;
    TRY(find(b, h, &at, e));
    *size = at.size;
    return RC_OK;
}

bool blocks_dirty(const struct blocks *b)
{
    return b->open_txn;
}

uint64_t blocks_generation(const struct blocks *b)
{
    return b->generation;
}

void blocks_rollback(struct blocks *b)
{
    db_rollback(b->db);
    b->open_txn = false;
    b->generation++;
    b->n_holes = 0;
    buf_reset(&b->wbuf);
    /* A pack begun in this transaction stays as the current one, empty. */
    b->tail = b->writeback = b->synced;
    b->count = b->old_count;
    b->bytes = b->old_bytes;
    b->live = b->old_live;
}

/* Whole pages inside a deleted block become a hole in the file; its record's head stays. */
static void punch(struct blocks *b)
{
    for (size_t i = 0; i < b->n_holes; i++) {
        const struct hole *h = &b->holes[i];
        uint64_t from = (h->off + PAGE - 1) / PAGE * PAGE;
        uint64_t to = (h->off + h->size) / PAGE * PAGE;
        int fd;
        if (to > from && rc_ok(pack_open(b, h->pack, false, &fd, NULL))) {
            (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                            (off_t)(to - from)); /* a file system without holes keeps the room */
        }
    }
    b->n_holes = 0;
}

rc blocks_commit(struct blocks *b, struct err *e)
{
    if (!b->open_txn) {
        return RC_OK;
    }
    rc r = sync_pack(b, e);
    r = rc_ok(r) ? save_pack(b, e) : r;
    r = rc_ok(r) ? db_commit(b->db, e) : r;
    if (!rc_ok(r)) {
        blocks_rollback(b);
        return r;
    }
    b->open_txn = false;
    b->synced = b->tail;
    b->old_count = b->count;
    b->old_bytes = b->bytes;
    b->old_live = b->live;
    punch(b); /* a block's bytes go only after its name has */
    return RC_OK;
}

rc blocks_delete(struct blocks *b, const struct hash *h, struct err *e)
{
    struct place at;
    TRY(find(b, h, &at, e));
    TRY(blocks_begin(b, e));
    stmt_bind_bytes(b->remove, 1, BYTES_OF(*h));
    TRY(stmt_run(b->remove, e));
    uint64_t size = BLOCK_OVERHEAD + at.size;
    if (at.pack == b->pack) {
        b->live -= size;
    } else {
        stmt_bind_u64(b->pack_live, 1, size);
        stmt_bind_u64(b->pack_live, 2, at.pack);
        TRY(stmt_run(b->pack_live, e));
    }
    b->count--;
    b->bytes -= size;
    if (b->n_holes == b->holes_alloc) {
        b->holes_alloc = b->holes_alloc == 0 ? 256 : b->holes_alloc * 2;
        b->holes = reallocarray(b->holes, b->holes_alloc, sizeof(*b->holes));
        ASSERT(b->holes != NULL);
    }
    b->holes[b->n_holes++] = (struct hole){at.pack, at.off, at.size};
    return RC_OK;
}

/* Copies what still lives in a pack to the current one. */
static rc evacuate(struct blocks *b, uint64_t id, uint64_t tail, struct err *e)
{
    BUF_FREE block = buf_new(BLOCK_MAX);
    for (uint64_t off = 0; off < tail;) {
        uint8_t head[BLOCK_OVERHEAD];
        struct place at = {id, off, sizeof(head)};
        TRY(read_at(b, &at, head, sizeof(head), e));
        uint64_t size = (uint64_t)head[4] | (uint64_t)head[5] << 8 | (uint64_t)head[6] << 16 |
                        (uint64_t)head[7] << 24;
        if (memcmp(head, record_magic, sizeof(record_magic)) != 0 || size > BLOCK_MAX) {
            return err_set(e, RC_CODE_CORRUPT, "pack %llu has no record at %llu",
                           (unsigned long long)id, (unsigned long long)off);
        }
        struct hash h;
        memcpy(h.b, head + 8, sizeof(h.b));
        off += sizeof(head) + size;
        struct place live;
        rc r = find(b, &h, &live, e);
        if (r.code == RC_CODE_NOT_FOUND || (rc_ok(r) && live.pack != id)) {
            continue;
        }
        TRY(r);
        TRY(blocks_get(b, &h, &block, e));
        TRY(append(b, &h, buf_bytes(&block), &live, e));
        stmt_bind_u64(b->move, 1, live.pack);
        stmt_bind_u64(b->move, 2, live.off);
        stmt_bind_bytes(b->move, 3, BYTES_OF(h));
        TRY(stmt_run(b->move, e));
    }
    return RC_OK;
}

/* The next pack, after the given one, that is dead for more than half. *id 0: none. */
static rc next_sparse(struct blocks *b, uint64_t after, uint64_t *id, uint64_t *tail, struct err *e)
{
    struct stmt *s = b->sparse;
    bool row = false;
    stmt_bind_u64(s, 1, after);
    stmt_bind_u64(s, 2, b->pack);
    TRY(stmt_step(s, &row, e));
    *id = row ? stmt_u64(s, 0) : 0;
    *tail = row ? stmt_u64(s, 1) : 0;
    stmt_reset(s);
    return RC_OK;
}

rc blocks_reclaim(struct blocks *b, struct err *e)
{
    TRY(blocks_commit(b, e));
    uint64_t id = 0;
    uint64_t tail;
    for (;;) {
        TRY(next_sparse(b, id, &id, &tail, e));
        if (id == 0) {
            return RC_OK;
        }
        TRY(blocks_begin(b, e));
        rc r = evacuate(b, id, tail, e);
        if (rc_ok(r)) {
            stmt_bind_u64(b->drop_pack, 1, id);
            r = stmt_run(b->drop_pack, e);
        }
        if (!rc_ok(r)) {
            blocks_rollback(b);
            if (r.code == RC_CODE_CORRUPT) { /* it stays where it is; the reader will be told */
                log_warn("store", "pack %llu is not compacted: %s", (unsigned long long)id,
                         e == NULL ? "damaged" : e->msg);
                continue;
            }
            return r;
        }
        TRY(blocks_commit(b, e));
        char path[FILE_PATH_MAX];
        pack_forget(b, id);
        TRY(pack_path(b, id, path, e));
        (void)unlink(path); /* a file left over wastes room and nothing else */
    }
}

rc blocks_each(struct blocks *b, rc (*fn)(void *ctx, const struct hash *h, uint64_t size),
               void *ctx, struct err *e)
{
    struct stmt *s = b->each;
    rc r;
    stmt_bind_bytes(s, 1, (struct bytes){0});
    for (;;) {
        bool row = false;
        r = stmt_step(s, &row, e);
        if (!rc_ok(r) || !row) {
            break;
        }
        struct hash h;
        struct bytes key = stmt_bytes(s, 0);
        if (key.n != sizeof(h.b)) {
            r = err_set(e, RC_CODE_CORRUPT, "the index of blocks is damaged");
            break;
        }
        memcpy(h.b, key.p, sizeof(h.b));
        r = fn(ctx, &h, stmt_u64(s, 1));
        if (!rc_ok(r)) {
            break;
        }
    }
    stmt_reset(s);
    return r;
}

struct blocks_stat blocks_stat(const struct blocks *b)
{
    return (struct blocks_stat){b->count, b->bytes, b->max_size};
}
