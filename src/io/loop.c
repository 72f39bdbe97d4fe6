/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/file.h"

#define EVENTS_MAX  128
#define SIGNALS_MAX 8
#define SLEEP_MAX   ((uint64_t)60000) /* ms; wakes now and then for nothing */

struct signal_row {
    int signo;
    loop_fn fn;
    void *ctx;
};

struct loop {
    int epoll_fd;
    bool stop;
    bool again; /* do not sleep in the next round */

    struct loop_timer **heap; /* earliest first; slot = index + 1 */
    size_t heap_n, heap_alloc;

    struct epoll_event events[EVENTS_MAX]; /* of this round; a deleted watch is nulled in it */
    int events_n;

    pthread_mutex_t lock; /* guards head, tail */
    struct loop_msg *head, **tail;
    int wake_fd;
    struct loop_watch wake;

    struct loop_hook *hooks;

    int signal_fd;
    struct loop_watch signal;
    struct signal_row signals[SIGNALS_MAX];
    size_t signals_n;
};

/* --- messages from other threads --- */

static void on_wake(void *ctx, unsigned events)
{
    struct loop *l = ctx;
    uint64_t n;
    (void)events;
    (void)!read(l->wake_fd, &n, sizeof(n));
    pthread_mutex_lock(&l->lock);
    struct loop_msg *m = l->head;
    l->head = NULL;
    l->tail = &l->head;
    pthread_mutex_unlock(&l->lock);
    while (m != NULL) {
        struct loop_msg *next = m->next; /* fn may post m again */
        m->fn(m->ctx);
        m = next;
    }
}

void loop_post(struct loop *l, struct loop_msg *m, loop_fn fn, void *ctx)
{
    *m = (struct loop_msg){.fn = fn, .ctx = ctx};
    pthread_mutex_lock(&l->lock);
    bool first = l->head == NULL;
    *l->tail = m;
    l->tail = &m->next;
    pthread_mutex_unlock(&l->lock);
    if (first) {
        uint64_t one = 1;
        (void)!write(l->wake_fd, &one, sizeof(one)); /* fails only when already readable */
    }
}

/* --- open, close --- */

rc loop_open(struct loop **out, struct err *e)
{
    struct loop *l = calloc(1, sizeof(*l));
    ASSERT(l != NULL);
    l->tail = &l->head;
    l->signal_fd = -1;
    (void)pthread_mutex_init(&l->lock, NULL);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->epoll_fd < 0 || l->wake_fd < 0 ||
        !rc_ok(loop_watch_add(l, &l->wake, l->wake_fd, LOOP_READ, on_wake, l))) {
        int saved = errno;
        loop_close(l);
        return err_set(e, RC_CODE_IO, "event loop: %s", strerror(saved));
    }
    *out = l;
    return RC_OK;
}

void loop_close(struct loop *l)
{
    if (l == NULL) {
        return;
    }
    fd_close(&l->epoll_fd);
    fd_close(&l->wake_fd);
    fd_close(&l->signal_fd);
    (void)pthread_mutex_destroy(&l->lock);
    free(l->heap);
    free(l);
}

/* --- timers: a binary heap --- */

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
    l->heap[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct loop *l, size_t i)
{
    struct loop_timer *t = l->heap[i];
    for (; i > 0 && l->heap[(i - 1) / 2]->due_ms > t->due_ms; i = (i - 1) / 2) {
        heap_put(l, i, l->heap[(i - 1) / 2]);
    }
    heap_put(l, i, t);
}

static void sift_down(struct loop *l, size_t i)
{
    struct loop_timer *t = l->heap[i];
    for (size_t kid = 2 * i + 1; kid < l->heap_n; kid = 2 * i + 1) {
        if (kid + 1 < l->heap_n && l->heap[kid + 1]->due_ms < l->heap[kid]->due_ms) {
            kid++;
        }
        if (l->heap[kid]->due_ms >= t->due_ms) {
            break;
        }
        heap_put(l, i, l->heap[kid]);
        i = kid;
    }
    heap_put(l, i, t);
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
    if (t->slot == 0) {
        return;
    }
    size_t i = t->slot - 1;
    t->slot = 0;
    struct loop_timer *last = l->heap[--l->heap_n];
    if (last != t) {
        heap_put(l, i, last);
        sift_up(l, i);
        sift_down(l, last->slot - 1);
    }
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ms, loop_fn fn, void *ctx)
{
    loop_timer_cancel(l, t);
    if (l->heap_n == l->heap_alloc) {
        l->heap_alloc = l->heap_alloc == 0 ? 64 : l->heap_alloc * 2;
        l->heap = realloc(l->heap, l->heap_alloc * sizeof(struct loop_timer *));
        ASSERT(l->heap != NULL);
    }
    t->fn = fn;
    t->ctx = ctx;
    t->due_ms = clock_mono_ms() + MIN(after_ms, UINT64_MAX / 2);
    heap_put(l, l->heap_n++, t);
    sift_up(l, l->heap_n - 1);
}

static void run_timers(struct loop *l)
{
    /* A timer set again for "now" in its callback waits for the next round: input goes first. */
    uint64_t now = l->heap_n > 0 ? clock_mono_ms() : 0;
    for (size_t left = l->heap_n; left > 0 && l->heap_n > 0 && l->heap[0]->due_ms <= now; left--) {
        struct loop_timer *t = l->heap[0];
        loop_timer_cancel(l, t);
        t->fn(t->ctx);
    }
}

/* --- file descriptors --- */

static uint32_t to_epoll(unsigned events)
{
    return ((events & LOOP_READ) != 0 ? (uint32_t)EPOLLIN | EPOLLRDHUP : 0) |
           ((events & LOOP_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0);
}

rc loop_watch_add(struct loop *l, struct loop_watch *w, int fd, unsigned events, loop_watch_fn fn,
                  void *ctx)
{
    *w = (struct loop_watch){.fd = fd, .events = events, .fn = fn, .ctx = ctx};
    struct epoll_event ev = {.events = to_epoll(events), .data.ptr = w};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        return RC(IO);
    }
    w->armed = true;
    return RC_OK;
}

void loop_watch_set(struct loop *l, struct loop_watch *w, unsigned events)
{
    if (w->armed && w->events != events) {
        w->events = events;
        struct epoll_event ev = {.events = to_epoll(events), .data.ptr = w};
        ASSERT(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) == 0);
    }
}

void loop_watch_del(struct loop *l, struct loop_watch *w)
{
    if (!w->armed) {
        return;
    }
    w->armed = false;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = 0; i < l->events_n; i++) {
        if (l->events[i].data.ptr == w) {
            l->events[i].data.ptr = NULL;
        }
    }
}

static void run_watches(struct loop *l)
{
    for (int i = 0; i < l->events_n; i++) {
        struct loop_watch *w = l->events[i].data.ptr;
        uint32_t got = l->events[i].events;
        if (w == NULL) {
            continue;
        }
        unsigned events =
            ((got & EPOLLIN) != 0 ? (unsigned)LOOP_READ : 0) |
            ((got & EPOLLOUT) != 0 ? (unsigned)LOOP_WRITE : 0) |
            ((got & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0 ? (unsigned)LOOP_HANGUP : 0);
        w->fn(w->ctx, events);
    }
    l->events_n = 0;
}

/* --- running --- */

void loop_hook_add(struct loop *l, struct loop_hook *h, loop_fn fn, void *ctx)
{
    *h = (struct loop_hook){.fn = fn, .ctx = ctx};
    struct loop_hook **at = &l->hooks;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = h;
}

void loop_hook_del(struct loop *l, struct loop_hook *h)
{
    for (struct loop_hook **at = &l->hooks; *at != NULL; at = &(*at)->next) {
        if (*at == h) {
            *at = h->next;
            return;
        }
    }
}

void loop_again(struct loop *l)
{
    l->again = true;
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

rc loop_step(struct loop *l, uint64_t timeout_ms, struct err *e)
{
    uint64_t wait = l->again ? 0 : MIN(timeout_ms, SLEEP_MAX);
    l->again = false;
    if (l->heap_n > 0) {
        uint64_t now = clock_mono_ms();
        uint64_t due = l->heap[0]->due_ms;
        wait = due <= now ? 0 : MIN(wait, due - now);
    }
    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, (int)wait);
    if (n < 0 && errno != EINTR) {
        return err_set(e, RC_CODE_IO, "event loop: wait: %s", strerror(errno));
    }
    l->events_n = MAX(n, 0);
    run_watches(l);
    run_timers(l);
    for (struct loop_hook *h = l->hooks; h != NULL; h = h->next) {
        h->fn(h->ctx);
    }
    return RC_OK;
}

rc loop_run(struct loop *l, struct err *e)
{
    while (!l->stop) {
        TRY(loop_step(l, SLEEP_MAX, e));
    }
    l->stop = false;
    return RC_OK;
}

/* --- signals --- */

static void on_signal(void *ctx, unsigned events)
{
    struct loop *l = ctx;
    struct signalfd_siginfo si;
    (void)events;
    while (read(l->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        for (size_t i = 0; i < l->signals_n; i++) {
            if (l->signals[i].signo == (int)si.ssi_signo) {
                l->signals[i].fn(l->signals[i].ctx);
            }
        }
    }
}

rc loop_signal(struct loop *l, int signo, loop_fn fn, void *ctx, struct err *e)
{
    if (l->signals_n == SIGNALS_MAX) {
        return err_set(e, RC_CODE_LIMIT, "event loop: more than %d signals", SIGNALS_MAX);
    }
    l->signals[l->signals_n++] = (struct signal_row){signo, fn, ctx};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < l->signals_n; i++) {
        (void)sigaddset(&set, l->signals[i].signo);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    bool first = l->signal_fd < 0;
    int fd = signalfd(l->signal_fd, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return err_set(e, RC_CODE_IO, "event loop: signalfd: %s", strerror(errno));
    }
    l->signal_fd = fd;
    if (first && !rc_ok(loop_watch_add(l, &l->signal, fd, LOOP_READ, on_signal, l))) {
        return err_set(e, RC_CODE_IO, "event loop: watch signals: %s", strerror(errno));
    }
    return RC_OK;
}

static void on_stop_signal(void *ctx)
{
    loop_stop(ctx);
}

rc loop_stop_on_signals(struct loop *l, struct err *e)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file size is then an error of the write */
    TRY(loop_signal(l, SIGTERM, on_stop_signal, l, e));
    return loop_signal(l, SIGINT, on_stop_signal, l, e);
}

/* --- children --- */

static void on_child(void *ctx, unsigned events)
{
    struct loop_child *c = ctx;
    siginfo_t si = {0};
    (void)events;
    if (waitid((idtype_t)P_PIDFD, (id_t)c->watch.fd, &si, WEXITED | WNOHANG) != 0 ||
        si.si_pid == 0) {
        return;
    }
    loop_child_del(c->loop, c);
    int status = si.si_code == CLD_EXITED ? (si.si_status & 0xff) << 8 : si.si_status & 0x7f;
    c->fn(c->ctx, status);
}

rc loop_child_add(struct loop *l, struct loop_child *c, int pidfd,
                  void (*fn)(void *ctx, int status), void *ctx)
{
    *c = (struct loop_child){.fn = fn, .ctx = ctx, .loop = l};
    return loop_watch_add(l, &c->watch, pidfd, LOOP_READ, on_child, c);
}

void loop_child_del(struct loop *l, struct loop_child *c)
{
    loop_watch_del(l, &c->watch);
}
