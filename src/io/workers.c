/* SPDX-License-Identifier: Apache-2.0 */
#include "io/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 256

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t *threads;
    unsigned n;
    bool stop;

    uint64_t job;  /* counts the calls of workers_run(); guarded by lock, like those below */
    unsigned busy; /* threads that are in the current job */
    size_t items;
    void (*fn)(void *ctx, size_t i);
    void *ctx;
    atomic_size_t next;
};

static void take_part(struct workers *w)
{
    for (size_t i = atomic_fetch_add(&w->next, 1); i < w->items;
         i = atomic_fetch_add(&w->next, 1)) {
        w->fn(w->ctx, i);
    }
}

static void *run(void *arg)
{
    struct workers *w = arg;
    uint64_t seen = 0;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->stop && w->job == seen) {
            pthread_cond_wait(&w->work, &w->lock);
        }
        if (w->stop) {
            break;
        }
        seen = w->job;
        w->busy++;
        pthread_mutex_unlock(&w->lock);
        take_part(w);
        pthread_mutex_lock(&w->lock);
        if (--w->busy == 0) {
            pthread_cond_signal(&w->done);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

rc workers_open(struct workers **out, unsigned threads, struct err *e)
{
    struct workers *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned want = threads != 0 ? threads : cores > 0 ? (unsigned)cores : 1;
    want = MIN(want, (unsigned)THREADS_MAX) - 1; /* the owner is one */
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->work, NULL);
    (void)pthread_cond_init(&w->done, NULL);
    w->threads = calloc(want + 1, sizeof(pthread_t));
    ASSERT(w->threads != NULL);
    sigset_t all, before;
    int code = 0;
    (void)sigfillset(&all); /* signals are the owner's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (w->n < want && code == 0) {
        code = pthread_create(&w->threads[w->n], NULL, run, w);
        w->n += code == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        workers_close(w);
        return err_set(e, RC_CODE_IO, "start a thread: %s", strerror(code));
    }
    *out = w;
    return RC_OK;
}

void workers_close(struct workers *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->n; i++) {
        (void)pthread_join(w->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_cond_destroy(&w->done);
    (void)pthread_mutex_destroy(&w->lock);
    free(w->threads);
    free(w);
}

unsigned workers_count(const struct workers *w)
{
    return w->n + 1;
}

void workers_run(struct workers *w, size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
    if (n <= 1 || w->n == 0) {
        for (size_t i = 0; i < n; i++) {
            fn(ctx, i);
        }
        return;
    }
    pthread_mutex_lock(&w->lock);
    while (w->busy > 0) { /* one that woke late and found nothing left to take */
        pthread_cond_wait(&w->done, &w->lock);
    }
    w->items = n;
    w->fn = fn;
    w->ctx = ctx;
    atomic_store(&w->next, 0);
    w->job++;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    take_part(w);
    /* All items are taken, but those that the threads took may still run. */
    pthread_mutex_lock(&w->lock);
    while (w->busy > 0) {
        pthread_cond_wait(&w->done, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}
