/* SPDX-License-Identifier: Apache-2.0 */
/* sigs.c - signatures, each recovered once: a table of what is known. Senders are recovered on all
 * threads while the caller waits; what transactions carry (orders, authorisations) is recovered by
 * threads of its own while the caller goes on, and whoever comes first to an entry does it. A full
 * set loses its oldest entry, which costs time and nothing else.
 *
 * The owner's thread alone finds, makes and replaces entries. A background thread touches an entry
 * only between taking it (ASKED to TAKEN, atomically) and saying what came out. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "crypto/secp.h"

enum { WAYS = 4, SETS = 1 << 15 }; /* 131 072 signatures, 16 MiB when all are in use */
enum { THREADS_MAX = 64, AT_ONCE = 8, QUEUE = 1 << 16 };

enum known { NOTHING, ASKED, TAKEN, SIGNED, NOBODY };

struct slot {
    struct hash digest;
    uint8_t sig[65];
    atomic_uchar known;
    struct address signer;
};

struct sigs {
    struct workers *workers;
    struct slot *slot;
    uint8_t *turn; /* which way of a set is lost next */
    uint32_t *job; /* for sigs_run() */
    size_t jobs, alloc;

    pthread_t thread[THREADS_MAX];
    unsigned threads;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t work;
    uint32_t *queue; /* a ring of entries that are asked for */
    size_t first, queued;
    bool stop;
};

static void recover(struct slot *x)
{
    struct secp_sig sig = {.parity = (uint8_t)(x->sig[64] - 27)};
    memcpy(sig.rs, x->sig, sizeof(sig.rs));
    bool form = x->sig[64] == 27 || x->sig[64] == 28;
    bool ok = form && rc_ok(secp_recover(&x->signer, x->digest, &sig));
    atomic_store_explicit(&x->known, ok ? SIGNED : NOBODY, memory_order_release);
}

/* Does an entry unless another thread has; false when one is at it. */
static bool settle(struct slot *x)
{
    unsigned char was = ASKED;
    if (atomic_compare_exchange_strong(&x->known, &was, TAKEN)) {
        recover(x);
    }
    return was != TAKEN;
}

static void *background(void *arg)
{
    struct sigs *s = arg;
    (void)pthread_mutex_lock(&s->lock);
    for (;;) {
        uint32_t mine[AT_ONCE];
        size_t n = 0;
        while (!s->stop && s->queued == 0) {
            (void)pthread_cond_wait(&s->work, &s->lock);
        }
        if (s->stop) {
            break;
        }
        for (; n < AT_ONCE && s->queued > 0; n++) {
            mine[n] = s->queue[s->first];
            s->first = (s->first + 1) % QUEUE;
            s->queued--;
        }
        (void)pthread_mutex_unlock(&s->lock);
        for (size_t i = 0; i < n; i++) {
            (void)settle(&s->slot[mine[i]]);
        }
        (void)pthread_mutex_lock(&s->lock);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

rc sigs_open(struct sigs **out, struct workers *w, unsigned threads, struct err *e)
{
    struct sigs *s = calloc(1, sizeof(*s));
    sigset_t all, before;
    int code = 0;
    ASSERT(s != NULL);
    s->workers = w;
    s->slot = calloc((size_t)SETS * WAYS, sizeof(struct slot));
    s->turn = calloc(SETS, 1);
    s->queue = calloc(QUEUE, sizeof(*s->queue));
    ASSERT(s->slot != NULL && s->turn != NULL && s->queue != NULL);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->work, NULL);
    (void)sigfillset(&all); /* signals are the owner's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (s->threads + 1 < MIN(threads, (unsigned)THREADS_MAX) && code == 0) {
        code = pthread_create(&s->thread[s->threads], NULL, background, s);
        s->threads += code == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        sigs_close(s);
        return err_set(e, RC_CODE_IO, "start a thread: %s", strerror(code));
    }
    *out = s;
    return RC_OK;
}

void sigs_close(struct sigs *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_broadcast(&s->work);
    (void)pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->threads; i++) {
        (void)pthread_join(s->thread[i], NULL);
    }
    (void)pthread_cond_destroy(&s->work);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->queue);
    free(s->slot);
    free(s->turn);
    free(s->job);
    free(s);
}

/* r of a signature is as good as random, whoever made it. */
static size_t set_of(struct hash digest, const uint8_t sig[65])
{
    uint32_t a, b;
    memcpy(&a, digest.b, 4);
    memcpy(&b, sig + 28, 4);
    return (a ^ b * 0x9e3779b1u) % SETS;
}

static struct slot *find(struct sigs *s, struct hash digest, const uint8_t sig[65])
{
    struct slot *set = &s->slot[set_of(digest, sig) * WAYS];
    for (size_t i = 0; i < WAYS; i++) {
        if (atomic_load_explicit(&set[i].known, memory_order_relaxed) != NOTHING &&
            hash_eq(set[i].digest, digest) && memcmp(set[i].sig, sig, 65) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

/* A place for a new entry; NULL when all of its set are asked for and not yet recovered. */
static struct slot *take(struct sigs *s, struct hash digest, const uint8_t sig[65])
{
    size_t n = set_of(digest, sig);
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *x = &s->slot[n * WAYS + s->turn[n]++ % WAYS];
        unsigned char known = atomic_load_explicit(&x->known, memory_order_acquire);
        if (known != ASKED && known != TAKEN) {
            x->digest = digest;
            memcpy(x->sig, sig, 65);
            atomic_store_explicit(&x->known, ASKED, memory_order_release);
            return x;
        }
    }
    return NULL;
}

void sigs_want(struct sigs *s, struct hash digest, const uint8_t sig[65])
{
    struct slot *x = find(s, digest, sig);
    if (x == NULL) {
        x = take(s, digest, sig);
    } else if (atomic_load_explicit(&x->known, memory_order_acquire) != ASKED) {
        return;
    }
    if (x == NULL) {
        return;
    }
    if (s->jobs == s->alloc) {
        s->alloc = s->alloc == 0 ? 256 : 2 * s->alloc;
        s->job = realloc(s->job, s->alloc * sizeof(*s->job));
        ASSERT(s->job != NULL);
    }
    s->job[s->jobs++] = (uint32_t)(x - s->slot);
}

static void on_job(void *ctx, size_t i)
{
    struct sigs *s = ctx;
    (void)settle(&s->slot[s->job[i]]);
}

void sigs_run(struct sigs *s)
{
    workers_run(s->workers, s->jobs, on_job, s);
    s->jobs = 0;
}

void sigs_later(struct sigs *s, struct hash digest, const uint8_t sig[65])
{
    if (s->threads == 0 || find(s, digest, sig) != NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (s->queued < QUEUE) { /* else it is recovered where it is met */
        struct slot *x = take(s, digest, sig);
        if (x != NULL) {
            s->queue[(s->first + s->queued++) % QUEUE] = (uint32_t)(x - s->slot);
            (void)pthread_cond_signal(&s->work);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
}

/* Does what was asked for last, which the other threads will come to last; false when the queue is
 * empty. */
static bool help(struct sigs *s)
{
    uint32_t mine = 0;
    (void)pthread_mutex_lock(&s->lock);
    bool some = s->queued > 0;
    if (some) {
        mine = s->queue[(s->first + --s->queued) % QUEUE];
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (some) {
        (void)settle(&s->slot[mine]);
    }
    return some;
}

bool sigs_recover(void *ctx, struct hash digest, const uint8_t sig[65], struct address *out)
{
    struct sigs *s = ctx;
    struct slot *x = find(s, digest, sig), alone;
    if (x == NULL) {
        x = take(s, digest, sig);
    }
    if (x == NULL) {
        x = &alone;
        x->digest = digest;
        memcpy(x->sig, sig, 65);
        atomic_init(&x->known, ASKED);
    }
    (void)settle(x);
    while (atomic_load_explicit(&x->known, memory_order_acquire) == TAKEN) {
        if (!help(s)) {
            (void)sched_yield(); /* another thread is at it, for some 50 us at most */
        }
    }
    *out = x->signer;
    return atomic_load_explicit(&x->known, memory_order_acquire) == SIGNED;
}

struct hash sigs_of_tx(uint8_t sig[65], const struct eth_tx *t)
{
    memcpy(sig, t->sig.rs, 64);
    sig[64] = (uint8_t)(27 + t->sig.parity);
    return eth_tx_signing_hash(t);
}
