/* SPDX-License-Identifier: Apache-2.0 */
/* faulty.c - a disk that fails, put below LMDB by LD_PRELOAD. SOUK_FAULT=KIND:N:SEED, at the N-th write
 * to or sync of data.mdb, once:
 *   sync   the sync fails (a write: goes well, the next sync fails)
 *   full   the write says ENOSPC        short  half of the write is done and counted
 *   torn   half of the write is done and the process is gone
 *   power  the process is gone, and with it any part of what was written since the last sync
 *   lies   the same by a disk whose syncs do nothing: to see that the test finds losses
 * A line on standard error says what was done. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* A page as it was before a write that is not synced. */
struct before {
    struct before *older;
    int fd;
    off_t at;
    size_t n;
    uint8_t bytes[PAGE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct before *unsynced;
static long left = -1; /* calls to the fault; -1: not asked yet, 0: it is behind us */
static uint64_t seed;
static char kind[16];

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_fdatasync)(int);

static void set_up(void)
{
    if (left >= 0) {
        return;
    }
    *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    *(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
    *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    const char *what = getenv("SOUK_FAULT");
    left = 0;
    if (what != NULL && sscanf(what, "%15[a-z]:%ld:%lu", kind, &left, &seed) != 3) {
        abort();
    }
}

static uint64_t next(void)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return seed >> 33;
}

static bool ours(int fd)
{
    char link[32], path[4096];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = 0;
    return strstr(path, "/data.mdb") != NULL;
}

static void remember(int fd, off_t at, size_t n)
{
    if ((strcmp(kind, "power") != 0 && strcmp(kind, "lies") != 0) || left == 0 ||
        (fcntl(fd, F_GETFL) & (O_SYNC | O_DSYNC)) != 0) {
        return;
    }
    for (size_t i = 0; i < n; i += PAGE) {
        struct before *b = calloc(1, sizeof(*b));
        if (b == NULL) {
            abort();
        }
        b->fd = fd;
        b->at = at + (off_t)i;
        b->n = n - i < PAGE ? n - i : PAGE;
        (void)!pread(fd, b->bytes, b->n, b->at);
        b->older = unsynced;
        unsynced = b;
    }
}

static void gone(const char *how)
{
    size_t undone = 0, all = 0;
    for (struct before *b = unsynced; b != NULL; b = b->older) {
        all++;
        if (next() % 2 == 0) {
            (void)!real_pwrite(b->fd, b->bytes, b->n, b->at);
            undone++;
        }
    }
    (void)dprintf(2, "%s: %zu of %zu unsynced pages are lost\n", how, undone, all);
    (void)kill(getpid(), SIGKILL);
    (void)pause();
}

/* Is this call the one? */
static bool now(void)
{
    return left > 0 && --left == 0;
}

static bool is(const char *k)
{
    return strcmp(kind, k) == 0;
}

/* What becomes of a write of n bytes: how many are done; -1: it fails. */
static ssize_t fate(size_t n, const char *call)
{
    if (!now()) {
        return (ssize_t)n;
    }
    if (is("sync")) {
        left = 1;
        return (ssize_t)n;
    }
    (void)dprintf(2, "fault: %s at a %s of %zu bytes\n", kind, call, n);
    return is("full")                  ? -1
           : is("power") || is("lies") ? (ssize_t)(next() % (n + 1))
                                       : (ssize_t)(n / 2);
}

static bool fatal(void)
{
    return is("torn") || is("power") || is("lies");
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    (void)pthread_mutex_lock(&lock);
    set_up();
    ssize_t r;
    if (!ours(fd)) {
        r = real_pwrite(fd, p, n, at);
    } else {
        remember(fd, at, n);
        bool before = left > 0;
        ssize_t part = fate(n, "write");
        if (part < 0) {
            errno = ENOSPC;
            r = -1;
        } else {
            r = real_pwrite(fd, p, (size_t)part, at);
        }
        if (before && left == 0 && fatal()) {
            gone(kind);
        }
    }
    int code = errno;
    (void)pthread_mutex_unlock(&lock);
    errno = code;
    return r;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int k)
{
    (void)pthread_mutex_lock(&lock);
    set_up();
    bool mine = ours(fd);
    (void)pthread_mutex_unlock(&lock);
    if (!mine) {
        return real_writev(fd, v, k);
    }
    size_t n = 0;
    for (int i = 0; i < k; i++) {
        n += v[i].iov_len;
    }
    char *all = malloc(n + 1);
    if (all == NULL) {
        abort();
    }
    n = 0;
    for (int i = 0; i < k; i++) {
        memcpy(all + n, v[i].iov_base, v[i].iov_len);
        n += v[i].iov_len;
    }
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t r = pwrite(fd, all, n, at);
    int code = errno;
    if (r > 0) {
        (void)lseek(fd, at + r, SEEK_SET);
    }
    free(all);
    errno = code;
    return r;
}

int fdatasync(int fd)
{
    (void)pthread_mutex_lock(&lock);
    set_up();
    bool mine = ours(fd);
    if (mine && now()) {
        (void)dprintf(2, "fault: %s at a sync\n", kind);
        if (fatal()) {
            gone(kind);
        }
        (void)pthread_mutex_unlock(&lock);
        errno = EIO;
        return -1;
    }
    int r = real_fdatasync(fd);
    int code = errno;
    while (mine && r == 0 && !is("lies") && unsynced != NULL) {
        struct before *b = unsynced;
        unsynced = b->older;
        free(b);
    }
    (void)pthread_mutex_unlock(&lock);
    errno = code;
    return r;
}
