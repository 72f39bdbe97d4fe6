/* SPDX-License-Identifier: Apache-2.0 */
/* sigs.c - signatures, each recovered once: a table of what is known, filled by all threads before
 * the one that executes asks. A full set loses its oldest entry, which costs time and nothing else. */
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "crypto/secp.h"

enum { WAYS = 4, SETS = 1 << 15 }; /* 131 072 signatures, 16 MiB when all are in use */

enum known { NOTHING, ASKED, SIGNED, NOBODY };

struct slot {
    struct hash digest;
    uint8_t sig[65];
    uint8_t known;
    struct address signer;
};

struct sigs {
    struct workers *workers;
    struct slot *slot;
    uint8_t *turn; /* which way of a set is lost next */
    uint32_t *job;
    size_t jobs, alloc;
};

struct sigs *sigs_new(struct workers *w)
{
    struct sigs *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->workers = w;
    s->slot = calloc((size_t)SETS * WAYS, sizeof(struct slot));
    s->turn = calloc(SETS, 1);
    ASSERT(s->slot != NULL && s->turn != NULL);
    return s;
}

void sigs_free(struct sigs *s)
{
    if (s != NULL) {
        free(s->slot);
        free(s->turn);
        free(s->job);
        free(s);
    }
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
        if (set[i].known != NOTHING && hash_eq(set[i].digest, digest) &&
            memcmp(set[i].sig, sig, 65) == 0) {
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
        if (x->known != ASKED) {
            x->digest = digest;
            memcpy(x->sig, sig, 65);
            x->known = ASKED;
            return x;
        }
    }
    return NULL;
}

void sigs_want(struct sigs *s, struct hash digest, const uint8_t sig[65])
{
    if (find(s, digest, sig) != NULL) {
        return;
    }
    struct slot *x = take(s, digest, sig);
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

static void recover(struct slot *x)
{
    struct secp_sig sig = {.parity = (uint8_t)(x->sig[64] - 27)};
    memcpy(sig.rs, x->sig, sizeof(sig.rs));
    bool form = x->sig[64] == 27 || x->sig[64] == 28;
    x->known = form && rc_ok(secp_recover(&x->signer, x->digest, &sig)) ? SIGNED : NOBODY;
}

static void on_job(void *ctx, size_t i)
{
    struct sigs *s = ctx;
    recover(&s->slot[s->job[i]]);
}

void sigs_run(struct sigs *s)
{
    workers_run(s->workers, s->jobs, on_job, s);
    s->jobs = 0;
}

bool sigs_recover(void *ctx, struct hash digest, const uint8_t sig[65], struct address *out)
{
    struct sigs *s = ctx;
    struct slot *x = find(s, digest, sig), alone;
    if (x == NULL) {
        x = take(s, digest, sig);
        if (x == NULL) {
            x = &alone;
            x->digest = digest;
            memcpy(x->sig, sig, 65);
        }
        recover(x);
    }
    if (x->known == ASKED) {
        recover(x);
    }
    *out = x->signer;
    return x->known == SIGNED;
}

struct hash sigs_of_tx(uint8_t sig[65], const struct eth_tx *t)
{
    memcpy(sig, t->sig.rs, 64);
    sig[64] = (uint8_t)(27 + t->sig.parity);
    return eth_tx_signing_hash(t);
}
