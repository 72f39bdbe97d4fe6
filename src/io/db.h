/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_DB_H
#define SOUK_IO_DB_H

/* db.h - SQLite for daemons: a database file owned by one thread, statements prepared once.
 *
 *     struct stmt *s = db_prepare(db, "SELECT price FROM orders WHERE hash = ?", &e);
 *     stmt_bind_bytes(s, 1, BYTES_OF(h));
 *     while (stmt_step(s, &row, &e) is OK and row) { price = stmt_u64(s, 0); }
 *     stmt_reset(s);
 */

#include "base/rc.h"

struct db;
struct stmt;

/* Opens or creates; write-ahead log, synchronous=FULL, foreign keys on. With schema: runs it when
 * the file's user_version is 0 and sets it to version; CORRUPT when the file's version differs. */
rc db_open(struct db **out, const char *path, const char *schema, uint32_t version, struct err *e);
void db_close(struct db *db); /* finalizes its statements; NULL is allowed */

/* One or more statements without results. */
rc db_exec(struct db *db, const char *sql, struct err *e);

/* A statement owned by db (up to 256), or NULL with *e set. Text must outlive nothing. */
struct stmt *db_prepare(struct db *db, const char *sql, struct err *e);

/* Gives a statement back before the database is closed, for text that is made as it is needed. */
void stmt_free(struct stmt *s); /* NULL is allowed */

rc db_begin(struct db *db, struct err *e); /* BEGIN IMMEDIATE */
rc db_commit(struct db *db, struct err *e);
void db_rollback(struct db *db);    /* also when no transaction is open */
uint64_t db_changes(struct db *db); /* rows changed by the last statement */

/* Parameters count from 1. Bytes and text are copied. A failed bind makes the step fail. */
void stmt_bind_null(struct stmt *s, int i);
void stmt_bind_u64(struct stmt *s, int i, uint64_t v);     /* above 2^63-1 makes the step fail */
void stmt_bind_text(struct stmt *s, int i, const char *v); /* NULL binds NULL */
void stmt_bind_bytes(struct stmt *s, int i, struct bytes v);

/* *row: a row is there to be read. IO for a full or failing disk, CORRUPT for a damaged file. */
rc stmt_step(struct stmt *s, bool *row, struct err *e);

/* For statements without rows: step, reset. DENIED when a constraint (unique key) says no. */
rc stmt_run(struct stmt *s, struct err *e);
void stmt_reset(struct stmt *s); /* also clears the bindings */

/* Columns count from 0; views live until the next step or reset. */
bool stmt_is_null(struct stmt *s, int i);
uint64_t stmt_u64(struct stmt *s, int i);
const char *stmt_text(struct stmt *s, int i); /* "" for NULL */
struct bytes stmt_bytes(struct stmt *s, int i);

#endif /* SOUK_IO_DB_H */
