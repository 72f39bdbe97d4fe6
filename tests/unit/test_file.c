/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/db.h"
#include "tests/test.h"

static char dir[FILE_PATH_MAX];
static struct err e;

static const char *at(const char *name)
{
    static char path[FILE_PATH_MAX];
    CHECK(rc_ok(path_join(path, dir, name, &e)));
    return path;
}

static void test_files(void)
{
    BUF_FREE b = buf_new(10);
    CHECK(file_read(&b, at("none"), &e).code == RC_CODE_NOT_FOUND);
    CHECK(rc_ok(file_write(at("a"), BYTES_LIT("one"), 0600, &e)));
    CHECK(rc_ok(file_write(at("a"), BYTES_LIT("two"), 0600, &e)));
    CHECK(rc_ok(file_read(&b, at("a"), &e)) && bytes_eq(buf_bytes(&b), BYTES_LIT("two")));
    struct stat st;
    CHECK(stat(at("a"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(file_create(at("a"), BYTES_LIT("x"), 0600, &e).code == RC_CODE_DENIED);
    CHECK(rc_ok(file_create(at("b"), BYTES_LIT("12345678901"), 0600, &e)));
    buf_reset(&b);
    CHECK(file_read(&b, at("b"), &e).code == RC_CODE_LIMIT);
    uint64_t size;
    CHECK(rc_ok(file_size(&size, at("b"), &e)) && size == 11);
    CHECK(!rc_ok(file_write(at("no/such"), BYTES_LIT("x"), 0600, &e)));
    CHECK(rc_ok(dir_make(at("x/y/z"), 0700, &e)) && rc_ok(dir_make(at("x/y/z"), 0700, &e)));
    CHECK(!rc_ok(dir_make(at("a/b"), 0700, &e)));
    CHECK(rc_ok(dir_remove(at("x"), &e)) && !file_exists(at("x")));
}

static void test_lock(void)
{
    int one = -1;
    int two = -1;
    CHECK(rc_ok(dir_lock(&one, at("state"), &e)));
    CHECK(dir_lock(&two, at("state"), &e).code == RC_CODE_DENIED);
    char pid[24];
    (void)snprintf(pid, sizeof(pid), "process %d", (int)getpid());
    CHECK(strstr(e.msg, pid) != NULL);
    fd_close(&one);
    CHECK(rc_ok(dir_lock(&two, at("state"), &e)));
    fd_close(&two);
}

/* Locks, leaves a child behind that holds the lock for 200 ms, and dies. */
static void lock_and_die(void)
{
    int fd = -1;
    CHECK(rc_ok(dir_lock(&fd, at("killed"), &e)));
    if (fork() == 0) {
        clock_sleep_ms(200);
    }
    _exit(0);
}

static void test_lock_of_the_dead(void)
{
    int fd = -1, status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        lock_and_die();
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(rc_ok(dir_lock(&fd, at("killed"), &e)));
    fd_close(&fd);
}

static void test_db(void)
{
    struct db *db;
    bool row;
    const char *schema = "CREATE TABLE t(k BLOB PRIMARY KEY, n INTEGER, s TEXT);";
    CHECK(rc_ok(db_open(&db, at("db"), schema, 3, &e)));
    CHECK(db_prepare(db, "SELEKT", &e) == NULL);
    struct stmt *in = db_prepare(db, "INSERT INTO t VALUES(?,?,?)", &e);
    CHECK(in != NULL);
    CHECK(rc_ok(db_begin(db, &e)));
    stmt_bind_bytes(in, 1, BYTES_LIT("key"));
    stmt_bind_u64(in, 2, 7);
    stmt_bind_text(in, 3, NULL);
    CHECK(rc_ok(stmt_run(in, &e)) && db_changes(db) == 1);
    CHECK(rc_ok(db_commit(db, &e)));
    stmt_bind_bytes(in, 1, BYTES_LIT("key"));
    CHECK(stmt_run(in, &e).code == RC_CODE_DENIED);
    stmt_bind_u64(in, 2, UINT64_MAX);
    CHECK(stmt_run(in, &e).code == RC_CODE_LIMIT);
    db_rollback(db);
    db_close(db);
    CHECK(rc_ok(db_open(&db, at("db"), schema, 3, &e)));
    struct stmt *get = db_prepare(db, "SELECT k,n,s FROM t", &e);
    CHECK(rc_ok(stmt_step(get, &row, &e)) && row);
    CHECK(bytes_eq(stmt_bytes(get, 0), BYTES_LIT("key")) && stmt_u64(get, 1) == 7);
    CHECK(stmt_is_null(get, 2) && strcmp(stmt_text(get, 2), "") == 0);
    CHECK(rc_ok(stmt_step(get, &row, &e)) && !row);
    db_close(db);
    CHECK(db_open(&db, at("db"), schema, 4, &e).code == RC_CODE_CORRUPT);
    CHECK(rc_ok(file_write(at("bad"), BYTES_LIT("this is no database at all, is it?"), 0600, &e)));
    CHECK(db_open(&db, at("bad"), schema, 3, &e).code == RC_CODE_CORRUPT);
}

int main(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/souk-file-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    test_files();
    test_lock();
    test_lock_of_the_dead();
    test_db();
    CHECK(rc_ok(dir_remove(dir, &e)) && !file_exists(dir));
    return 0;
}
