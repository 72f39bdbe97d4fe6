/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_LOOP_H
#define SOUK_IO_LOOP_H

/* loop.h - the one event loop of a process: timers, file descriptors, signals, child exits, and
 * messages from other threads. One thread runs it and owns all state; every callback runs there.
 * Everything but loop_post() may be called from that thread alone.
 *
 * The structs below belong to the caller, are zeroed before first use and must stay where they are
 * while armed. A callback may cancel, delete or re-arm anything, itself included. */

#include "base/rc.h"

struct loop;

typedef void (*loop_fn)(void *ctx);

rc loop_open(struct loop **out, struct err *e);
void loop_close(struct loop *l); /* NULL is allowed; what is still armed is forgotten */

/* Serves until loop_stop(); IO when the system refuses to wait. */
rc loop_run(struct loop *l, struct err *e);

/* Ends loop_run() after the callbacks of this round; also before loop_run() began. */
void loop_stop(struct loop *l);

/* One round: waits at most timeout_ms (0: not at all) for something to do and does it. */
rc loop_step(struct loop *l, uint64_t timeout_ms, struct err *e);

/* Timers: one shot; set it again in the callback for a period. */
struct loop_timer {
    loop_fn fn;
    void *ctx;
    uint64_t due_ms; /* monotonic */
    size_t slot;     /* place in the heap plus one; 0: not armed */
};

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ms, loop_fn fn, void *ctx);
void loop_timer_cancel(struct loop *l, struct loop_timer *t); /* also when it is not armed */

/* File descriptors, level triggered. The loop never closes one. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 }; /* HANGUP is always reported */

typedef void (*loop_watch_fn)(void *ctx, unsigned events);

struct loop_watch {
    int fd;
    unsigned events;
    loop_watch_fn fn;
    void *ctx;
    bool armed;
};

rc loop_watch_add(struct loop *l, struct loop_watch *w, int fd, unsigned events, loop_watch_fn fn,
                  void *ctx);
void loop_watch_set(struct loop *l, struct loop_watch *w, unsigned events); /* 0: hang-up only */
void loop_watch_del(struct loop *l, struct loop_watch *w); /* before the fd is closed */

/* Messages: fn(ctx) runs once on the loop thread, in order. From any thread; m must not be posted
 * again before it ran. */
struct loop_msg {
    struct loop_msg *next;
    loop_fn fn;
    void *ctx;
};

void loop_post(struct loop *l, struct loop_msg *m, loop_fn fn, void *ctx);

/* Hooks run at the end of every round, when all input that was ready has been handled and before
 * the loop sleeps: the place to do for a group what came in one by one. */
struct loop_hook {
    struct loop_hook *next;
    loop_fn fn;
    void *ctx;
};

void loop_hook_add(struct loop *l, struct loop_hook *h, loop_fn fn, void *ctx);
void loop_hook_del(struct loop *l, struct loop_hook *h); /* not from inside a hook */

/* The next round does not sleep: for work left over by or after a hook. */
void loop_again(struct loop *l);

/* Signals: blocks signo in the process and calls fn in the loop. Call before threads start. */
rc loop_signal(struct loop *l, int signo, loop_fn fn, void *ctx, struct err *e);

/* SIGTERM and SIGINT call loop_stop(); SIGPIPE and SIGXFSZ are ignored. */
rc loop_stop_on_signals(struct loop *l, struct err *e);

/* Child exits: fn gets waitpid()'s status once, the child is then reaped. pidfd stays the
 * caller's to close (proc.h). */
struct loop_child {
    struct loop_watch watch;
    void (*fn)(void *ctx, int status);
    void *ctx;
    struct loop *loop;
};

rc loop_child_add(struct loop *l, struct loop_child *c, int pidfd,
                  void (*fn)(void *ctx, int status), void *ctx);
void loop_child_del(struct loop *l, struct loop_child *c);

#endif /* SOUK_IO_LOOP_H */
