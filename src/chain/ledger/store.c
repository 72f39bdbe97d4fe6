/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/ledger/store_int.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/file.h"

/* Address space, not disk: the file grows as it is used. 1 TiB fits every machine we run on; where
 * the system refuses (a limit on address space) smaller ones are tried. */
#define MAP_MAX ((size_t)1 << 40)
#define MAP_MIN ((size_t)1 << 30)

static const char *const names[TABLE_COUNT] = {"meta",   "state", "tree",    "undo",  "undo-key",
                                               "header", "tx",    "receipt", "place", "log"};

struct store {
    MDB_env *env;
    MDB_dbi dbi[TABLE_COUNT];
    MDB_txn *write; /* of the block being made */
    MDB_txn *read;  /* renewed lazily; NULL or reset when a write transaction is open */
    bool read_live;
    char path[FILE_PATH_MAX];
};

static rc fail(struct err *e, const char *what, int code)
{
    bool corrupt = code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_PANIC ||
                   code == MDB_INVALID || code == MDB_VERSION_MISMATCH;
    const char *hint = code == ENOSPC ? " (free some disk space and start again: nothing is lost)"
                       : code == EROFS || code == EACCES ? " (the folder must be writable)"
                                                         : "";
    return err_set(e, corrupt ? RC_CODE_CORRUPT : RC_CODE_IO, "ledger database: %s: %s%s", what,
                   mdb_strerror(code), hint);
}

static MDB_val val(struct bytes b)
{
    return (MDB_val){b.n, (void *)(uintptr_t)b.p};
}

static struct bytes bytes(MDB_val v)
{
    return (struct bytes){v.mv_data, v.mv_size};
}

static int open_env(struct store *s, const char *dir)
{
    int code = 0;
    for (size_t size = MAP_MAX; size >= MAP_MIN; size /= 4) {
        code = mdb_env_create(&s->env);
        if (code != 0) {
            return code;
        }
        (void)mdb_env_set_maxdbs(s->env, TABLE_COUNT);
        (void)mdb_env_set_mapsize(s->env, size);
        /* No read-ahead: state is read at random. No meminit: pages are filled by us. */
        code = mdb_env_open(s->env, dir, MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600);
        if (code != ENOMEM) {
            return code;
        }
        mdb_env_close(s->env);
        s->env = NULL;
    }
    return code;
}

static int open_tables(struct store *s)
{
    MDB_txn *t;
    int code = mdb_txn_begin(s->env, NULL, 0, &t);
    for (size_t i = 0; code == 0 && i < TABLE_COUNT; i++) {
        code = mdb_dbi_open(t, names[i], MDB_CREATE, &s->dbi[i]);
    }
    if (code != 0) {
        if (t != NULL) {
            mdb_txn_abort(t);
        }
        return code;
    }
    return mdb_txn_commit(t);
}

rc store_open(struct store **out, const char *dir, struct err *e)
{
    struct store *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    TRY(dir_make(dir, 0700, e));
    int code = open_env(s, dir);
    if (code == 0) {
        code = open_tables(s);
    }
    if (code != 0) {
        mdb_env_close(s->env);
        free(s);
        return fail(e, "open", code);
    }
    (void)snprintf(s->path, sizeof(s->path), "%s/data.mdb", dir);
    *out = s;
    return RC_OK;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    store_abort(s);
    if (s->read != NULL) {
        mdb_txn_abort(s->read);
    }
    mdb_env_close(s->env);
    free(s);
}

static void end_read(struct store *s)
{
    if (s->read_live) {
        mdb_txn_reset(s->read);
        s->read_live = false;
    }
}

rc store_begin(struct store *s, struct err *e)
{
    ASSERT(s->write == NULL);
    end_read(s);
    int code = mdb_txn_begin(s->env, NULL, 0, &s->write);
    return code == 0 ? RC_OK : fail(e, "begin", code);
}

rc store_commit(struct store *s, struct err *e)
{
    MDB_txn *t = s->write;
    s->write = NULL;
    int code = mdb_txn_commit(t);
    return code == 0 ? RC_OK : fail(e, "commit", code);
}

void store_abort(struct store *s)
{
    if (s->write != NULL) {
        mdb_txn_abort(s->write);
        s->write = NULL;
    }
}

/* The transaction to read in: the open write, or a read that is renewed after each commit. */
static MDB_txn *reader(struct store *s)
{
    if (s->write != NULL) {
        return s->write;
    }
    if (!s->read_live) {
        int code = s->read == NULL ? mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->read)
                                   : mdb_txn_renew(s->read);
        ASSERT(code == 0);
        s->read_live = true;
    }
    return s->read;
}

static rc code_rc(int code)
{
    return code == 0 ? RC_OK : code == MDB_NOTFOUND ? RC(NOT_FOUND) : RC(CORRUPT);
}

rc store_get(struct store *s, enum table t, struct bytes key, struct bytes *value)
{
    MDB_val k = val(key), v;
    int code = mdb_get(reader(s), s->dbi[t], &k, &v);
    if (code == 0) {
        *value = bytes(v);
    }
    return code_rc(code);
}

static rc write_rc(int code)
{
    return code == 0 ? RC_OK : code == MDB_CORRUPTED ? RC(CORRUPT) : RC(IO);
}

rc store_put(struct store *s, enum table t, struct bytes key, struct bytes value)
{
    MDB_val k = val(key), v = val(value);
    ASSERT(s->write != NULL && key.n <= STORE_KEY_MAX);
    return write_rc(mdb_put(s->write, s->dbi[t], &k, &v, 0));
}

rc store_del(struct store *s, enum table t, struct bytes key)
{
    MDB_val k = val(key);
    ASSERT(s->write != NULL);
    int code = mdb_del(s->write, s->dbi[t], &k, NULL);
    return code == MDB_NOTFOUND ? RC_OK : write_rc(code);
}

rc store_seek(struct store *s, enum table t, struct bytes from, struct bytes *key,
              struct bytes *value)
{
    MDB_cursor *c;
    MDB_val k = val(from), v;
    int code = mdb_cursor_open(reader(s), s->dbi[t], &c);
    if (code != 0) {
        return code_rc(code);
    }
    code = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    if (code == 0) {
        *key = bytes(k);
        *value = bytes(v);
    }
    mdb_cursor_close(c);
    return code_rc(code);
}

rc store_scan(struct store *s, enum table t, struct bytes from,
              bool (*fn)(void *ctx, struct bytes key, struct bytes value), void *ctx)
{
    MDB_cursor *c;
    MDB_val k = val(from), v;
    int code = mdb_cursor_open(reader(s), s->dbi[t], &c);
    if (code != 0) {
        return code_rc(code);
    }
    code = mdb_cursor_get(c, &k, &v, from.n > 0 ? MDB_SET_RANGE : MDB_FIRST);
    while (code == 0 && fn(ctx, bytes(k), bytes(v))) {
        code = mdb_cursor_get(c, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return code == MDB_NOTFOUND ? RC_OK : code_rc(code);
}

uint64_t store_disk_bytes(struct store *s)
{
    struct stat st;
    return stat(s->path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}
