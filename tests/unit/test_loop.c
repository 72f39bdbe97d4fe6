/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/proc.h"
#include "tests/test.h"

static struct loop *l;
static struct err e;
static char order[64];

static void note(void *ctx)
{
    size_t n = strlen(order);
    CHECK(n + 1 < sizeof(order));
    order[n] = *(const char *)ctx;
    order[n + 1] = 0;
}

static void note_stop(void *ctx)
{
    note(ctx);
    loop_stop(l);
}

static void test_timers(void)
{
    struct loop_timer t[5] = {0};
    static char names[] = "abcde";
    order[0] = 0;
    uint64_t from = clock_mono_ms();
    loop_timer_set(l, &t[0], 30, note_stop, &names[0]);
    loop_timer_set(l, &t[1], 5, note, &names[1]);
    loop_timer_set(l, &t[2], 15, note, &names[2]);
    loop_timer_set(l, &t[3], 1, note, &names[3]);
    loop_timer_set(l, &t[4], 2, note, &names[4]);
    loop_timer_cancel(l, &t[4]);
    loop_timer_cancel(l, &t[4]);
    loop_timer_set(l, &t[3], 10, note, &names[3]); /* moved */
    CHECK(rc_ok(loop_run(l, &e)));
    CHECK(strcmp(order, "bdca") == 0 && clock_mono_ms() - from >= 30);
}

static void *poster(void *ctx)
{
    static struct loop_msg m[2];
    static char names[] = "xy";
    (void)ctx;
    loop_post(l, &m[0], note, &names[0]);
    loop_post(l, &m[1], note_stop, &names[1]);
    return NULL;
}

static void test_post(void)
{
    pthread_t t;
    order[0] = 0;
    CHECK(pthread_create(&t, NULL, poster, NULL) == 0);
    CHECK(rc_ok(loop_run(l, &e)));
    CHECK(pthread_join(t, NULL) == 0 && strcmp(order, "xy") == 0);
}

static void test_signal(void)
{
    static char name[] = "s";
    order[0] = 0;
    CHECK(rc_ok(loop_signal(l, SIGUSR1, note_stop, name, &e)));
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(rc_ok(loop_run(l, &e)) && strcmp(order, "s") == 0);
    CHECK(kill(getpid(), SIGTERM) == 0); /* loop_stop_on_signals() */
    CHECK(rc_ok(loop_run(l, &e)));
}

static int got_status = -1;

static void on_exit_status(void *ctx, int status)
{
    (void)ctx;
    got_status = status;
    loop_stop(l);
}

static void test_child(void)
{
    struct proc p;
    struct loop_child c;
    struct proc_spec s = {.argv = (const char *const[]){"sh", "-c", "exit 7", NULL}};
    CHECK(rc_ok(proc_spawn(&p, &s, &e)));
    CHECK(rc_ok(loop_child_add(l, &c, p.pidfd, on_exit_status, NULL)));
    CHECK(rc_ok(loop_run(l, &e)) && proc_exit_code(got_status) == 7);
    p.pid = 0;
    proc_end(&p);
}

static void test_proc(void)
{
    BUF_FREE out = buf_new(5);
    BUF_FREE err_out = buf_new(100);
    int status;
    struct proc_spec s = {
        .argv = (const char *const[]){"sh", "-c", "echo 1234567; echo bad >&2; exit 3", NULL}};
    CHECK(rc_ok(proc_run(&s, 5000, &out, &err_out, &status, &e)) && status == 3);
    CHECK(bytes_eq(buf_bytes(&out), BYTES_LIT("12345")));
    CHECK(bytes_eq(buf_bytes(&err_out), BYTES_LIT("bad\n")));
    s.argv = (const char *const[]){"no-such-program-here", NULL};
    CHECK(proc_run(&s, 5000, NULL, NULL, &status, &e).code == RC_CODE_NOT_FOUND);
    s.argv = (const char *const[]){"sleep", "60", NULL};
    uint64_t from = clock_mono_ms();
    CHECK(proc_run(&s, 30, NULL, NULL, &status, &e).code == RC_CODE_LIMIT);
    CHECK(clock_mono_ms() - from < 5000);
    s = (struct proc_spec){.argv = (const char *const[]){"sh", "-c", "pwd; ls /proc/self/fd", NULL},
                           .dir = "/"};
    buf_free(&out);
    out = buf_new(4096);
    CHECK(rc_ok(proc_run(&s, 5000, &out, NULL, &status, &e)) && status == 0);
    CHECK(strncmp(buf_cstr(&out), "/\n0\n1\n2\n", 8) == 0); /* 3 is ls' own */
    s.dir = "/no/such/folder";
    CHECK(!rc_ok(proc_run(&s, 5000, NULL, NULL, &status, &e)));
    struct proc p;
    s = (struct proc_spec){.argv = (const char *const[]){"sleep", "60", NULL}};
    CHECK(rc_ok(proc_spawn(&p, &s, &e)));
    proc_kill(&p, SIGTERM);
    CHECK(rc_ok(proc_wait(&p, 5000, &status, &e)) && proc_exit_code(status) == 128 + SIGTERM);
    proc_end(&p);
}

static void test_clock(void)
{
    char t[CLOCK_TEXT_MAX];
    CHECK(strcmp(clock_text(1735689600123, t), "2025-01-01T00:00:00.123Z") == 0);
    CHECK(clock_wall_s() > 1700000000);
}

int main(void)
{
    CHECK(rc_ok(loop_open(&l, &e)) && rc_ok(loop_stop_on_signals(l, &e)));
    test_timers();
    test_post();
    test_signal();
    test_child();
    test_proc();
    test_clock();
    loop_close(l);
    return 0;
}
