/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/ledger/store_int.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#include "base/log.h"

/* The map is address space, not memory: it starts wide and doubles while more than half is used, so
 * that one block always finds room (a block is bounded far below half the smallest map). */
#define MAP_MIN ((size_t)16 << 30)

static const char *const names[T_COUNT] = {"meta", "state", "tree", "undo", "block",
                                           "body", "hash",  "tx",   "log"};

struct store {
    MDB_env *env;
    MDB_dbi dbi[T_COUNT];
    MDB_txn *read; /* reset while nothing is read */
    MDB_cursor *cursor[T_COUNT];
    bool reading;
    MDB_txn *write;
    rc broken; /* first failure of the open write */
    size_t page, map;
};

static rc fault(int code, const char *what, struct err *e)
{
    enum rc_code k = code == MDB_NOTFOUND ? RC_CODE_NOT_FOUND
                     : code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_PANIC ||
                             code == MDB_INVALID || code == MDB_VERSION_MISMATCH
                         ? RC_CODE_CORRUPT
                         : RC_CODE_IO;
    const char *hint = code == MDB_PANIC ? ": an earlier commit failed halfway: start again"
                       : code == ENOSPC  ? ": free space on the disk, then start again"
                       : code == EROFS   ? ": the disk is read-only"
                       : code == EACCES  ? ": this user may not write there"
                                         : "";
    if (k != RC_CODE_NOT_FOUND) {
        log_error("store", "%s: %s%s", what, mdb_strerror(code), hint);
    }
    return err_set(e, k, "%s: %s%s", what, mdb_strerror(code), hint);
}

static MDB_val val(struct bytes b)
{
    return (MDB_val){b.n, (void *)(uintptr_t)b.p};
}

static struct bytes view(MDB_val v)
{
    return (struct bytes){v.mv_data, v.mv_size};
}

static rc open_tables(struct store *s, const char *dir, struct err *e)
{
    MDB_txn *txn;
    int r = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (r != 0) {
        return fault(r, dir, e);
    }
    for (int i = 0; i < T_COUNT && r == 0; i++) {
        r = mdb_dbi_open(txn, names[i], MDB_CREATE, &s->dbi[i]);
    }
    if (r != 0) {
        mdb_txn_abort(txn);
        return fault(r, dir, e);
    }
    r = mdb_txn_commit(txn);
    return r == 0 ? RC_OK : fault(r, dir, e);
}

rc store_open(struct store **out, const char *dir, bool unsafe, struct err *e)
{
    struct store *s = calloc(1, sizeof(*s));
    MDB_stat st;
    MDB_envinfo info;
    ASSERT(s != NULL);
    int r = mdb_env_create(&s->env);
    s->map = MAP_MIN;
    r = r != 0 ? r : mdb_env_set_maxdbs(s->env, T_COUNT);
    r = r != 0 ? r : mdb_env_set_mapsize(s->env, s->map);
    r = r != 0 ? r
               : mdb_env_open(s->env, dir, MDB_NOTLS | MDB_NORDAHEAD | (unsafe ? MDB_NOSYNC : 0u),
                              0600);
    r = r != 0 ? r : mdb_env_stat(s->env, &st);
    r = r != 0 ? r : mdb_env_info(s->env, &info);
    if (r != 0) {
        store_close(s);
        return fault(r, dir, e);
    }
    s->page = st.ms_psize;
    s->map = info.me_mapsize; /* a larger one than asked, when it had grown */
    rc got = open_tables(s, dir, e);
    if (!rc_ok(got)) {
        store_close(s);
        return got;
    }
    *out = s;
    return RC_OK;
}

/* --- reading --- */

static void end_reading(struct store *s)
{
    if (s->reading) {
        mdb_txn_reset(s->read);
        s->reading = false;
    }
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    store_abort(s);
    for (int i = 0; i < T_COUNT; i++) {
        if (s->cursor[i] != NULL) {
            mdb_cursor_close(s->cursor[i]);
        }
    }
    if (s->read != NULL) {
        mdb_txn_abort(s->read);
    }
    if (s->env != NULL) {
        mdb_env_close(s->env);
    }
    free(s);
}

static rc begin_reading(struct store *s)
{
    if (s->reading) {
        return RC_OK;
    }
    int r = s->read == NULL ? mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->read)
                            : mdb_txn_renew(s->read);
    for (int i = 0; i < T_COUNT && r == 0; i++) {
        r = s->cursor[i] == NULL ? mdb_cursor_open(s->read, s->dbi[i], &s->cursor[i])
                                 : mdb_cursor_renew(s->read, s->cursor[i]);
    }
    s->reading = r == 0;
    return r == 0 ? RC_OK : fault(r, "begin reading", NULL);
}

rc store_get(struct store *s, enum table t, struct bytes key, struct bytes *value)
{
    MDB_val k = val(key), v;
    TRY(begin_reading(s));
    int r = mdb_get(s->read, s->dbi[t], &k, &v);
    if (r != 0) {
        return fault(r, names[t], NULL);
    }
    *value = view(v);
    return RC_OK;
}

static rc step(struct store *s, enum table t, MDB_val *k, MDB_cursor_op op, struct bytes *found,
               struct bytes *value)
{
    MDB_val v;
    int r = mdb_cursor_get(s->cursor[t], k, &v, op);
    if (r != 0) {
        return fault(r, names[t], NULL);
    }
    *found = view(*k);
    *value = view(v);
    return RC_OK;
}

rc store_seek(struct store *s, enum table t, struct bytes key, struct bytes *found,
              struct bytes *value)
{
    MDB_val k = val(key);
    TRY(begin_reading(s));
    return step(s, t, &k, MDB_SET_RANGE, found, value);
}

rc store_floor(struct store *s, enum table t, struct bytes key, struct bytes *found,
               struct bytes *value)
{
    MDB_val k = val(key), v;
    TRY(begin_reading(s));
    int r = mdb_cursor_get(s->cursor[t], &k, &v, MDB_SET_RANGE);
    if (r == 0 && bytes_eq(view(k), key)) {
        *found = view(k);
        *value = view(v);
        return RC_OK;
    }
    return step(s, t, &k, r == 0 ? MDB_PREV : MDB_LAST, found, value);
}

rc store_next(struct store *s, enum table t, struct bytes *found, struct bytes *value)
{
    MDB_val k = {0};
    TRY(begin_reading(s));
    return step(s, t, &k, MDB_NEXT, found, value);
}

/* --- writing --- */

uint64_t store_bytes(struct store *s)
{
    MDB_envinfo info;
    return mdb_env_info(s->env, &info) == 0 ? (uint64_t)(info.me_last_pgno + 1) * s->page : 0;
}

rc store_begin(struct store *s, struct err *e)
{
    ASSERT(s->write == NULL);
    if (store_bytes(s) > s->map / 2) {
        end_reading(s); /* the map moves */
        int r = mdb_env_set_mapsize(s->env, s->map * 2);
        if (r != 0) {
            return fault(r, "make the database's map larger", e);
        }
        s->map *= 2;
    }
    s->broken = RC_OK;
    int r = mdb_txn_begin(s->env, NULL, 0, &s->write);
    return r == 0 ? RC_OK : fault(r, "begin a write", e);
}

static rc wrote(struct store *s, int r, enum table t)
{
    if (r == 0 || r == MDB_NOTFOUND) {
        return RC_OK;
    }
    rc bad = fault(r, names[t], NULL);
    s->broken = rc_ok(s->broken) ? bad : s->broken;
    return bad;
}

rc store_wget(struct store *s, enum table t, struct bytes key, struct bytes *value)
{
    MDB_val k = val(key), v;
    int r = mdb_get(s->write, s->dbi[t], &k, &v);
    if (r != 0) {
        return fault(r, names[t], NULL);
    }
    *value = view(v);
    return RC_OK;
}

rc store_put(struct store *s, enum table t, struct bytes key, struct bytes value)
{
    MDB_val k = val(key), v = val(value);
    return wrote(s, mdb_put(s->write, s->dbi[t], &k, &v, 0), t);
}

rc store_append(struct store *s, enum table t, struct bytes key, struct bytes value)
{
    MDB_val k = val(key), v = val(value);
    return wrote(s, mdb_put(s->write, s->dbi[t], &k, &v, MDB_APPEND), t);
}

rc store_del(struct store *s, enum table t, struct bytes key)
{
    MDB_val k = val(key);
    return wrote(s, mdb_del(s->write, s->dbi[t], &k, NULL), t);
}

rc store_clear(struct store *s, enum table t)
{
    return wrote(s, mdb_drop(s->write, s->dbi[t], 0), t);
}

rc store_commit(struct store *s, struct err *e)
{
    if (!rc_ok(s->broken)) {
        rc bad = s->broken;
        store_abort(s);
        return err_set(e, bad.code, "the database refused a write (see the log)");
    }
    end_reading(s); /* the next read sees this commit */
    int r = mdb_txn_commit(s->write);
    s->write = NULL;
    return r == 0 ? RC_OK : fault(r, "commit a block", e);
}

void store_abort(struct store *s)
{
    if (s->write != NULL) {
        mdb_txn_abort(s->write);
        s->write = NULL;
    }
}
