/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_SECRET_H
#define SOUK_CRYPTO_SECRET_H

/* secret.h - the only home of key material and plaintext secrets.
 *
 * The memory is locked (never swapped), left out of core dumps, zeroed in forked children, and
 * wiped when freed. A secret is never printed, logged, put into an arena or into a struct err. */

#include "base/rc.h"

struct secret {
    uint8_t *p;
    size_t n;    /* bytes in use */
    size_t size; /* bytes mapped */
    bool locked; /* false where RLIMIT_MEMLOCK forbids it: the memory may then reach swap */
};

#define SECRET_MAX ((size_t)1 << 20) /* 1 MiB: no key or secret of ours is larger */

/* n zeroed bytes; LIMIT when n is over SECRET_MAX, IO when the system refuses to map memory. */
rc secret_new(struct secret *s, size_t n);
rc secret_copy(struct secret *s, struct bytes from);
rc secret_random(struct secret *s, size_t n); /* n random bytes */
void secret_free(struct secret *s);           /* wipes; harmless on a zeroed struct */

static inline struct bytes secret_bytes(const struct secret *s)
{
    return (struct bytes){s->p, s->n};
}

#define SECRET_FREE __attribute__((cleanup(secret_free))) struct secret

void mem_wipe(void *p, size_t n);                       /* not optimised away */
bool mem_eq_ct(const void *a, const void *b, size_t n); /* constant time */
rc random_bytes(uint8_t *out, size_t n);                /* from the kernel; IO on failure */

#endif /* SOUK_CRYPTO_SECRET_H */
