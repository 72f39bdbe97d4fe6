/* SPDX-License-Identifier: Apache-2.0 */
/* vault.c - the database: sealed secrets, task keys, sessions, audit. */
#include <stdlib.h>

#include "base/cur.h"
#include "crypto/secp.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

enum { SCHEMA_VERSION = 1, PURGE_ROWS = 500, AUDIT_DAYS = 90 };

static const char schema[] =
    "CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE secret(kind INTEGER NOT NULL, owner BLOB NOT NULL, name TEXT NOT NULL,"
    " sealed BLOB NOT NULL, PRIMARY KEY(kind, owner, name)) WITHOUT ROWID;"
    "CREATE TABLE challenge(task BLOB PRIMARY KEY, address BLOB NOT NULL, sealed BLOB NOT NULL,"
    " deadline INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX challenge_deadline ON challenge(deadline);"
    "CREATE TABLE session(id TEXT PRIMARY KEY, task BLOB NOT NULL, deal BLOB NOT NULL,"
    " worker BLOB NOT NULL, challenge BLOB NOT NULL, auth BLOB NOT NULL, created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, nonce BLOB, nonce_at INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX session_expires ON session(expires);"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, session TEXT NOT NULL,"
    " task BLOB NOT NULL, worker BLOB NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,"
    " kind TEXT, simulated INTEGER NOT NULL);";

enum query {
    Q_HAS,
    Q_GET,
    Q_ADD,
    Q_SET,
    Q_CHALLENGE_GET,
    Q_CHALLENGE_ADD,
    Q_SESSION_ADD,
    Q_SESSION_GET,
    Q_SESSION_NONCE,
    Q_AUDIT,
    Q_PURGE_CHALLENGE,
    Q_PURGE_SESSION,
    Q_PURGE_AUDIT,
    Q_META_GET,
    Q_META_SET,
    QUERIES,
};

static const char *const sql[QUERIES] = {
    [Q_HAS] = "SELECT 1 FROM secret WHERE kind = ? AND owner = ? AND name = ?",
    [Q_GET] = "SELECT sealed FROM secret WHERE kind = ? AND owner = ? AND name = ?",
    [Q_ADD] = "INSERT INTO secret(kind, owner, name, sealed) VALUES(?, ?, ?, ?)",
    [Q_SET] = "UPDATE secret SET sealed = ?4 WHERE kind = ?1 AND owner = ?2 AND name = ?3",
    [Q_CHALLENGE_GET] = "SELECT address, sealed FROM challenge WHERE task = ?",
    [Q_CHALLENGE_ADD] = "INSERT INTO challenge(task, address, sealed, deadline) VALUES(?, ?, ?, ?)",
    [Q_SESSION_ADD] =
        "INSERT INTO session(id, task, deal, worker, challenge, auth, created,"
        " expires) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
    [Q_SESSION_GET] =
        "SELECT task, deal, worker, challenge, auth, expires, nonce, nonce_at"
        " FROM session WHERE id = ?",
    [Q_SESSION_NONCE] = "UPDATE session SET nonce = ?2, nonce_at = ?3 WHERE id = ?1",
    [Q_AUDIT] =
        "INSERT INTO audit(at, session, task, worker, outcome, reason, kind, simulated)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
    [Q_PURGE_CHALLENGE] =
        "DELETE FROM challenge WHERE task IN (SELECT task FROM challenge"
        " WHERE deadline < ? LIMIT ?)",
    [Q_PURGE_SESSION] =
        "DELETE FROM session WHERE id IN (SELECT id FROM session"
        " WHERE expires < ? LIMIT ?)",
    [Q_PURGE_AUDIT] =
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?"
        " ORDER BY id LIMIT ?)",
    [Q_META_GET] = "SELECT v FROM meta WHERE k = ?",
    [Q_META_SET] = "INSERT OR REPLACE INTO meta(k, v) VALUES(?, ?)",
};

struct vault {
    struct db *db;
    const struct keyring *keys;
    struct stmt *q[QUERIES];
};

/* Where a sealed value belongs: table ‖ kind ‖ owner or task ‖ name. */
static void put_place(struct buf *b, const struct secret_id *id)
{
    put_str(b, "secret");
    put_u8(b, (uint8_t)id->kind);
    put_bytes(b, BYTES_OF(id->owner));
    put_str(b, id->name);
}

static void put_task_place(struct buf *b, struct hash task)
{
    put_str(b, "challenge");
    put_bytes(b, BYTES_OF(task));
}

#define CHECK_PLACE BYTES_LIT("meta check")

/* A sealed word tells at the start whether the key fits this database. */
static rc check_key(struct vault *v, struct err *e)
{
    struct stmt *q = v->q[Q_META_GET];
    bool row = false;
    SECRET_FREE plain = {0};
    stmt_bind_text(q, 1, "check");
    rc r = stmt_step(q, &row, e);
    if (rc_ok(r) && row) {
        rc opened = keyring_unseal(v->keys, &plain, CHECK_PLACE, stmt_bytes(q, 0));
        stmt_reset(q);
        return rc_ok(opened) ? RC_OK
                             : err_set(e, RC_CODE_DENIED,
                                       "the storage key is not the one that this database was "
                                       "written with: give the right key file");
    }
    stmt_reset(q);
    TRY(r);
    BUF_FREE sealed = buf_new(256);
    TRY(keyring_seal(v->keys, &sealed, CHECK_PLACE, BYTES_LIT("souk sms")));
    stmt_bind_text(v->q[Q_META_SET], 1, "check");
    stmt_bind_bytes(v->q[Q_META_SET], 2, buf_bytes(&sealed));
    return stmt_run(v->q[Q_META_SET], e);
}

rc vault_open(struct vault **out, const char *dir, const struct keyring *k, struct err *e)
{
    char path[FILE_PATH_MAX];
    struct vault *v = calloc(1, sizeof(*v));
    ASSERT(v != NULL);
    v->keys = k;
    rc r = path_join(path, dir, "sms.db", e);
    if (rc_ok(r)) {
        r = db_open(&v->db, path, schema, SCHEMA_VERSION, e);
    }
    if (rc_ok(r)) {
        r = db_exec(v->db, "PRAGMA secure_delete = ON", e);
    }
    for (size_t i = 0; rc_ok(r) && i < QUERIES; i++) {
        v->q[i] = db_prepare(v->db, sql[i], e);
        r = v->q[i] != NULL ? RC_OK : RC(IO);
    }
    if (rc_ok(r)) {
        r = check_key(v, e);
    }
    if (!rc_ok(r)) {
        vault_close(v);
        return r;
    }
    *out = v;
    return RC_OK;
}

void vault_close(struct vault *v)
{
    if (v != NULL) {
        db_close(v->db);
        free(v);
    }
}

rc vault_begin(struct vault *v, struct err *e)
{
    return db_begin(v->db, e);
}

rc vault_commit(struct vault *v, struct err *e)
{
    return db_commit(v->db, e);
}

void vault_rollback(struct vault *v)
{
    db_rollback(v->db);
}

static struct stmt *bind_id(struct vault *v, enum query which, const struct secret_id *id)
{
    struct stmt *q = v->q[which];
    stmt_bind_u64(q, 1, (uint64_t)id->kind);
    stmt_bind_bytes(q, 2, BYTES_OF(id->owner));
    stmt_bind_text(q, 3, id->name);
    return q;
}

rc vault_has(struct vault *v, const struct secret_id *id, struct err *e)
{
    struct stmt *q = bind_id(v, Q_HAS, id);
    bool row = false;
    rc r = stmt_step(q, &row, e);
    stmt_reset(q);
    return !rc_ok(r) || row ? r : RC(NOT_FOUND);
}

static rc unseal(struct vault *v, struct secret *out, const struct buf *place, struct bytes sealed,
                 struct err *e)
{
    rc r = keyring_unseal(v->keys, out, buf_bytes(place), sealed);
    return rc_ok(r) ? r
                    : err_set(e, RC_CODE_CORRUPT,
                              "a stored secret does not open: the database was changed, or a "
                              "storage key is missing");
}

rc vault_get(struct vault *v, struct secret *out, const struct secret_id *id, struct err *e)
{
    struct stmt *q = bind_id(v, Q_GET, id);
    BUF_FREE place = buf_new(1024);
    bool row = false;
    put_place(&place, id);
    rc r = stmt_step(q, &row, e);
    if (rc_ok(r)) {
        r = row ? unseal(v, out, &place, stmt_bytes(q, 0), e) : RC(NOT_FOUND);
    }
    stmt_reset(q);
    return r;
}

rc vault_put(struct vault *v, const struct secret_id *id, struct bytes plain, bool replace,
             struct err *e)
{
    BUF_FREE place = buf_new(1024);
    BUF_FREE sealed = buf_new(SECRET_VALUE_MAX + 256);
    put_place(&place, id);
    TRY(buf_end(&place));
    TRY(keyring_seal(v->keys, &sealed, buf_bytes(&place), plain));
    struct stmt *q = bind_id(v, replace ? Q_SET : Q_ADD, id);
    stmt_bind_bytes(q, 4, buf_bytes(&sealed));
    TRY(stmt_run(q, e));
    return replace && db_changes(v->db) == 0 ? RC(NOT_FOUND) : RC_OK;
}

rc vault_challenge_key(struct vault *v, struct secret *out, struct address *addr, struct hash task,
                       struct err *e)
{
    struct stmt *q = v->q[Q_CHALLENGE_GET];
    BUF_FREE place = buf_new(256);
    bool row = false;
    put_task_place(&place, task);
    stmt_bind_bytes(q, 1, BYTES_OF(task));
    rc r = stmt_step(q, &row, e);
    if (rc_ok(r) && !row) {
        r = RC(NOT_FOUND);
    } else if (rc_ok(r)) {
        struct cur c = cur_of(stmt_bytes(q, 0));
        *addr = take_address(&c);
        r = rc_ok(cur_end(&c)) ? RC_OK : err_set(e, RC_CODE_CORRUPT, "challenge address");
        if (rc_ok(r) && out != NULL) {
            r = unseal(v, out, &place, stmt_bytes(q, 1), e);
        }
    }
    stmt_reset(q);
    return r;
}

rc vault_challenge(struct vault *v, struct address *out, struct hash task, uint64_t deadline_s,
                   struct err *e)
{
    rc r = vault_challenge_key(v, NULL, out, task, e);
    if (r.code != RC_CODE_NOT_FOUND) {
        return r;
    }
    SECRET_FREE key = {0};
    BUF_FREE place = buf_new(256);
    BUF_FREE sealed = buf_new(256);
    TRY(secp_key_new(&key));
    TRY(secp_address(out, &key));
    put_task_place(&place, task);
    TRY(keyring_seal(v->keys, &sealed, buf_bytes(&place), secret_bytes(&key)));
    struct stmt *q = v->q[Q_CHALLENGE_ADD];
    stmt_bind_bytes(q, 1, BYTES_OF(task));
    stmt_bind_bytes(q, 2, BYTES_OF(*out));
    stmt_bind_bytes(q, 3, buf_bytes(&sealed));
    stmt_bind_u64(q, 4, deadline_s);
    return stmt_run(q, e);
}

rc vault_session_add(struct vault *v, const struct session *s, uint64_t now_s, struct err *e)
{
    struct stmt *q = v->q[Q_SESSION_ADD];
    stmt_bind_text(q, 1, s->id);
    stmt_bind_bytes(q, 2, BYTES_OF(s->task));
    stmt_bind_bytes(q, 3, BYTES_OF(s->deal));
    stmt_bind_bytes(q, 4, BYTES_OF(s->worker));
    stmt_bind_bytes(q, 5, BYTES_OF(s->challenge));
    stmt_bind_bytes(q, 6, BYTES_OF(s->auth));
    stmt_bind_u64(q, 7, now_s);
    stmt_bind_u64(q, 8, s->expires_s);
    return stmt_run(q, e);
}

static rc read_session(struct session *out, struct stmt *q, struct err *e)
{
    struct bytes parts[] = {stmt_bytes(q, 0), stmt_bytes(q, 1), stmt_bytes(q, 2), stmt_bytes(q, 3),
                            stmt_bytes(q, 4)};
    uint8_t *to[] = {out->task.b, out->deal.b, out->worker.b, out->challenge.b, out->auth};
    static const size_t size[] = {32, 32, 20, 20, 65};
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        if (parts[i].n != size[i]) {
            return err_set(e, RC_CODE_CORRUPT, "a stored session is damaged");
        }
        memcpy(to[i], parts[i].p, size[i]);
    }
    out->expires_s = stmt_u64(q, 5);
    struct bytes nonce = stmt_bytes(q, 6);
    out->has_nonce = nonce.n == sizeof(out->nonce.b);
    if (out->has_nonce) {
        memcpy(out->nonce.b, nonce.p, nonce.n);
    }
    out->nonce_at_ms = stmt_u64(q, 7);
    return RC_OK;
}

rc vault_session_get(struct vault *v, struct session *out, const char *id, struct err *e)
{
    size_t n = strnlen(id, PROVISION_SESSION_MAX + 1);
    if (n > PROVISION_SESSION_MAX) {
        return RC(NOT_FOUND);
    }
    struct stmt *q = v->q[Q_SESSION_GET];
    bool row = false;
    *out = (struct session){0};
    memcpy(out->id, id, n);
    stmt_bind_text(q, 1, id);
    rc r = stmt_step(q, &row, e);
    if (rc_ok(r)) {
        r = row ? read_session(out, q, e) : RC(NOT_FOUND);
    }
    stmt_reset(q);
    return r;
}

rc vault_session_nonce(struct vault *v, const char *id, const struct hash *nonce, uint64_t at_ms,
                       struct err *e)
{
    struct stmt *q = v->q[Q_SESSION_NONCE];
    stmt_bind_text(q, 1, id);
    if (nonce != NULL) {
        stmt_bind_bytes(q, 2, BYTES_OF(*nonce));
    } else {
        stmt_bind_null(q, 2);
    }
    stmt_bind_u64(q, 3, at_ms);
    return stmt_run(q, e);
}

rc vault_audit(struct vault *v, const struct audit *a, uint64_t now_s, struct err *e)
{
    struct stmt *q = v->q[Q_AUDIT];
    stmt_bind_u64(q, 1, now_s);
    stmt_bind_text(q, 2, a->session);
    stmt_bind_bytes(q, 3, BYTES_OF(a->task));
    stmt_bind_bytes(q, 4, BYTES_OF(a->worker));
    stmt_bind_text(q, 5, a->outcome);
    stmt_bind_text(q, 6, a->reason);
    stmt_bind_text(q, 7, a->kind);
    stmt_bind_u64(q, 8, a->simulated ? 1 : 0);
    return stmt_run(q, e);
}

static rc purge_one(struct vault *v, enum query which, uint64_t before, struct err *e)
{
    stmt_bind_u64(v->q[which], 1, before);
    stmt_bind_u64(v->q[which], 2, PURGE_ROWS);
    return stmt_run(v->q[which], e);
}

rc vault_purge(struct vault *v, uint64_t now_s, struct err *e)
{
    uint64_t keep = (uint64_t)AUDIT_DAYS * 86400;
    TRY(purge_one(v, Q_PURGE_CHALLENGE, now_s, e));
    TRY(purge_one(v, Q_PURGE_SESSION, now_s, e));
    return purge_one(v, Q_PURGE_AUDIT, now_s > keep ? now_s - keep : 0, e);
}

/* Rows are read and written by turns: `next` finds the first one that is still under another key. */
static rc reseal_table(struct vault *v, bool secrets, uint64_t *rows, struct err *e)
{
    struct stmt *next = db_prepare(
        v->db,
        secrets ? "SELECT kind, owner, name, sealed FROM secret WHERE substr(sealed, 1, 8) <> ?"
                  " LIMIT 1"
                : "SELECT task, sealed FROM challenge WHERE substr(sealed, 1, 8) <> ? LIMIT 1",
        e);
    struct stmt *set = db_prepare(
        v->db,
        secrets ? "UPDATE secret SET sealed = ?1 WHERE kind = ?2 AND owner = ?3 AND name = ?4"
                : "UPDATE challenge SET sealed = ?1 WHERE task = ?2",
        e);
    if (next == NULL || set == NULL) {
        return RC(IO);
    }
    for (;;) {
        SECRET_FREE plain = {0};
        BUF_FREE place = buf_new(1024);
        BUF_FREE sealed = buf_new(SECRET_VALUE_MAX + 256);
        bool row = false;
        stmt_bind_bytes(next, 1, (struct bytes){v->keys->id[0], KEY_ID_SIZE});
        TRY(stmt_step(next, &row, e));
        if (!row) {
            stmt_reset(next);
            return RC_OK;
        }
        if (secrets) {
            put_str(&place, "secret");
            put_u8(&place, (uint8_t)stmt_u64(next, 0));
            put_bytes(&place, stmt_bytes(next, 1));
            put_str(&place, stmt_text(next, 2));
            stmt_bind_u64(set, 2, stmt_u64(next, 0));
            stmt_bind_bytes(set, 3, stmt_bytes(next, 1));
            stmt_bind_text(set, 4, stmt_text(next, 2));
        } else {
            put_str(&place, "challenge");
            put_bytes(&place, stmt_bytes(next, 0));
            stmt_bind_bytes(set, 2, stmt_bytes(next, 0));
        }
        TRY(unseal(v, &plain, &place, stmt_bytes(next, secrets ? 3 : 1), e));
        stmt_reset(next);
        TRY(keyring_seal(v->keys, &sealed, buf_bytes(&place), secret_bytes(&plain)));
        stmt_bind_bytes(set, 1, buf_bytes(&sealed));
        TRY(stmt_run(set, e));
        (*rows)++;
    }
}

rc vault_reseal(struct vault *v, uint64_t *rows, struct err *e)
{
    *rows = 0;
    TRY(db_begin(v->db, e));
    rc r = reseal_table(v, true, rows, e);
    if (rc_ok(r)) {
        r = reseal_table(v, false, rows, e);
    }
    BUF_FREE sealed = buf_new(256);
    if (rc_ok(r)) {
        r = keyring_seal(v->keys, &sealed, CHECK_PLACE, BYTES_LIT("souk sms"));
    }
    if (rc_ok(r)) {
        stmt_bind_text(v->q[Q_META_SET], 1, "check");
        stmt_bind_bytes(v->q[Q_META_SET], 2, buf_bytes(&sealed));
        r = stmt_run(v->q[Q_META_SET], e);
    }
    if (rc_ok(r)) {
        r = db_commit(v->db, e);
    } else {
        db_rollback(v->db);
    }
    /* What lay under the old key must not stay in free pages or in the log. */
    if (rc_ok(r)) {
        r = db_exec(v->db, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", e);
    }
    return r;
}

static void put_hex_member(struct buf *b, const char *name, struct bytes v)
{
    put_fmt(b, ",\"%s\":\"", name);
    put_0x(b, v);
    put_u8(b, '"');
}

static void put_text_member(struct buf *b, const char *name, const char *text)
{
    put_fmt(b, ",\"%s\":", name);
    json_put_str(b, bytes_str(text));
}

static void put_audit(struct buf *b, struct stmt *q)
{
    char when[CLOCK_TEXT_MAX];
    put_fmt(b, "{\"at\":\"%s\"", clock_text(stmt_u64(q, 0) * 1000, when));
    put_text_member(b, "session", stmt_text(q, 1));
    put_hex_member(b, "task", stmt_bytes(q, 2));
    put_hex_member(b, "worker", stmt_bytes(q, 3));
    put_text_member(b, "outcome", stmt_text(q, 4));
    put_text_member(b, "reason", stmt_text(q, 5));
    if (!stmt_is_null(q, 6)) {
        put_text_member(b, "evidence", stmt_text(q, 6));
    }
    put_fmt(b, ",\"simulated\":%s}\n", stmt_u64(q, 7) != 0 ? "true" : "false");
}

rc sms_audit(struct buf *out, const char *dir, uint64_t max, struct err *e)
{
    char path[FILE_PATH_MAX];
    struct db *db = NULL;
    bool row = true;
    TRY(path_join(path, dir, "sms.db", e));
    if (!file_exists(path)) {
        return err_set(e, RC_CODE_NOT_FOUND, "%s: no database of a secret manager there", dir);
    }
    TRY(db_open(&db, path, schema, SCHEMA_VERSION, e));
    struct stmt *q = db_prepare(db,
                                "SELECT at, session, task, worker, outcome, reason, kind, simulated"
                                " FROM (SELECT * FROM audit ORDER BY id DESC LIMIT ?) ORDER BY id",
                                e);
    rc r = q != NULL ? RC_OK : RC(IO);
    if (rc_ok(r)) {
        stmt_bind_u64(q, 1, max);
    }
    while (rc_ok(r) && row) {
        r = stmt_step(q, &row, e);
        if (rc_ok(r) && row) {
            put_audit(out, q);
        }
    }
    db_close(db);
    return rc_ok(r) ? buf_end(out) : r;
}
