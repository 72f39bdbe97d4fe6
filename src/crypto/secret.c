/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/secret.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

rc secret_new(struct secret *s, size_t n)
{
    *s = (struct secret){0};
    if (n > SECRET_MAX) {
        return RC(LIMIT);
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (MAX(n, 1) + page - 1) / page * page;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return RC(IO);
    }
    (void)madvise(p, size, MADV_DONTDUMP);
    (void)madvise(p, size, MADV_WIPEONFORK);
    *s = (struct secret){p, n, size, mlock(p, size) == 0};
    return RC_OK;
}

rc secret_copy(struct secret *s, struct bytes from)
{
    TRY(secret_new(s, from.n));
    if (from.n > 0) {
        memcpy(s->p, from.p, from.n);
    }
    return RC_OK;
}

rc secret_random(struct secret *s, size_t n)
{
    TRY(secret_new(s, n));
    return random_bytes(s->p, n);
}

void secret_free(struct secret *s)
{
    if (s->p != NULL) {
        mem_wipe(s->p, s->size);
        (void)munmap(s->p, s->size);
    }
    *s = (struct secret){0};
}

void mem_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

bool mem_eq_ct(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

rc random_bytes(uint8_t *out, size_t n)
{
    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);
        if (got <= 0) {
            return RC(IO);
        }
        out += got;
        n -= (size_t)got;
    }
    return RC_OK;
}
