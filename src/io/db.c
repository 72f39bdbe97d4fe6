/* SPDX-License-Identifier: Apache-2.0 */
#include "io/db.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/buf.h"

enum { STMT_MAX = 256, BUSY_MS = 5000 };

struct stmt {
    sqlite3_stmt *s;
    struct db *db;
    bool bind_failed;
};

struct db {
    sqlite3 *h;
    struct stmt stmts[STMT_MAX];
    size_t n;
};

static rc fail(struct db *db, int code, struct err *e, const char *what)
{
    int primary = code & 0xff;
    enum rc_code rcc = primary == SQLITE_CONSTRAINT                            ? RC_CODE_DENIED
                       : primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ? RC_CODE_CORRUPT
                       : primary == SQLITE_TOOBIG                              ? RC_CODE_LIMIT
                                                                               : RC_CODE_IO;
    return err_set(e, rcc, "database: %s: %s", what,
                   db->h == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(db->h));
}

rc db_exec(struct db *db, const char *sql, struct err *e)
{
    int code = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? RC_OK : fail(db, code, e, "statement");
}

static rc read_version(struct db *db, uint64_t *v, struct err *e)
{
    bool row;
    struct stmt *s = db_prepare(db, "PRAGMA user_version", e);
    if (s == NULL) {
        return RC(IO);
    }
    TRY(stmt_step(s, &row, e));
    *v = stmt_u64(s, 0);
    stmt_reset(s);
    return RC_OK;
}

static rc setup(struct db *db, const char *path, const char *schema, uint32_t version,
                struct err *e)
{
    uint64_t have = 0;
    TRY(db_exec(db,
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                "PRAGMA trusted_schema=OFF;",
                e));
    TRY(read_version(db, &have, e));
    if (schema == NULL || have == version) {
        return RC_OK;
    }
    if (have != 0) {
        return err_set(e, RC_CODE_CORRUPT,
                       "database %s has schema %llu, this program needs %u: use the program that "
                       "made it, or another folder",
                       path, (unsigned long long)have, version);
    }
    BUF_FREE set = buf_new(128);
    put_fmt(&set, "PRAGMA user_version=%u;", version);
    TRY(db_begin(db, e));
    rc r = db_exec(db, schema, e);
    if (rc_ok(r)) {
        r = db_exec(db, buf_cstr(&set), e);
    }
    if (!rc_ok(r)) {
        db_rollback(db);
        return err_wrap(e, r, "schema of %s", path);
    }
    return db_commit(db, e);
}

rc db_open(struct db **out, const char *path, const char *schema, uint32_t version, struct err *e)
{
    struct db *db = calloc(1, sizeof(*db));
    ASSERT(db != NULL);
    int code = sqlite3_open_v2(path, &db->h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    rc r = RC_OK;
    if (code != SQLITE_OK) {
        r = err_wrap(e, fail(db, code, e, "open"), "%s", path);
    } else {
        (void)sqlite3_busy_timeout(db->h, BUSY_MS);
        (void)sqlite3_extended_result_codes(db->h, 1);
        r = err_wrap(e, setup(db, path, schema, version, e), "%s", path);
    }
    if (!rc_ok(r)) {
        db_close(db);
        return r;
    }
    *out = db;
    return RC_OK;
}

void db_close(struct db *db)
{
    if (db == NULL) {
        return;
    }
    for (size_t i = 0; i < db->n; i++) {
        (void)sqlite3_finalize(db->stmts[i].s);
    }
    (void)sqlite3_close(db->h);
    free(db);
}

struct stmt *db_prepare(struct db *db, const char *sql, struct err *e)
{
    size_t i = 0;
    while (i < db->n && db->stmts[i].s != NULL) {
        i++;
    }
    if (i == STMT_MAX) {
        (void)err_set(e, RC_CODE_LIMIT, "database: more than %d statements", STMT_MAX);
        return NULL;
    }
    struct stmt *s = &db->stmts[i];
    int code = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->s, NULL);
    if (code != SQLITE_OK) {
        s->s = NULL;
        (void)fail(db, code, e, sql);
        return NULL;
    }
    s->db = db;
    s->bind_failed = false;
    db->n = MAX(db->n, i + 1);
    return s;
}

void stmt_free(struct stmt *s)
{
    if (s != NULL) {
        (void)sqlite3_finalize(s->s);
        s->s = NULL;
    }
}

rc db_begin(struct db *db, struct err *e)
{
    return db_exec(db, "BEGIN IMMEDIATE", e);
}

rc db_commit(struct db *db, struct err *e)
{
    return db_exec(db, "COMMIT", e);
}

void db_rollback(struct db *db)
{
    if (sqlite3_get_autocommit(db->h) == 0) {
        (void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
    }
}

uint64_t db_changes(struct db *db)
{
    return (uint64_t)sqlite3_changes64(db->h);
}

static void bound(struct stmt *s, int code)
{
    s->bind_failed = s->bind_failed || code != SQLITE_OK;
}

void stmt_bind_null(struct stmt *s, int i)
{
    bound(s, sqlite3_bind_null(s->s, i));
}

void stmt_bind_u64(struct stmt *s, int i, uint64_t v)
{
    bound(s, v > INT64_MAX ? SQLITE_RANGE : sqlite3_bind_int64(s->s, i, (sqlite3_int64)v));
}

void stmt_bind_text(struct stmt *s, int i, const char *v)
{
    bound(s, sqlite3_bind_text(s->s, i, v, -1, SQLITE_TRANSIENT));
}

void stmt_bind_bytes(struct stmt *s, int i, struct bytes v)
{
    bound(s,
          sqlite3_bind_blob64(s->s, i, v.n == 0 ? (const void *)"" : v.p, v.n, SQLITE_TRANSIENT));
}

rc stmt_step(struct stmt *s, bool *row, struct err *e)
{
    *row = false;
    if (s->bind_failed) {
        return err_set(e, RC_CODE_LIMIT, "database: a value does not fit: %s", sqlite3_sql(s->s));
    }
    int code = sqlite3_step(s->s);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        rc r = fail(s->db, code, e, "step");
        stmt_reset(s);
        return r;
    }
    *row = code == SQLITE_ROW;
    return RC_OK;
}

rc stmt_run(struct stmt *s, struct err *e)
{
    bool row;
    rc r = stmt_step(s, &row, e);
    stmt_reset(s);
    return r;
}

void stmt_reset(struct stmt *s)
{
    (void)sqlite3_reset(s->s);
    (void)sqlite3_clear_bindings(s->s);
    s->bind_failed = false;
}

bool stmt_is_null(struct stmt *s, int i)
{
    return sqlite3_column_type(s->s, i) == SQLITE_NULL;
}

uint64_t stmt_u64(struct stmt *s, int i)
{
    return (uint64_t)sqlite3_column_int64(s->s, i);
}

const char *stmt_text(struct stmt *s, int i)
{
    const char *t = (const char *)sqlite3_column_text(s->s, i);
    return t == NULL ? "" : t;
}

struct bytes stmt_bytes(struct stmt *s, int i)
{
    const void *p = sqlite3_column_blob(s->s, i);
    return (struct bytes){p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(s->s, i)};
}
