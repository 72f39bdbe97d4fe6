/* SPDX-License-Identifier: Apache-2.0 */
/* bench/recover.c - public keys recovered per second by libsecp256k1 on all cores at once: what
 * bench/settle takes for the limit. Prints cores, recoveries per second, and recoveries per second of
 * processor time, which other work on the machine does not change. */
#include <inttypes.h>
#include <pthread.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "io/clock.h"

enum { CORES_MAX = 256, FOR_US = 1500000, SIGNATURES = 64 };

static secp256k1_ecdsa_recoverable_signature sigs[SIGNATURES];
static uint8_t digests[SIGNATURES][32];

static void sign_some(void)
{
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    uint8_t key[32] = {0};
    ASSERT(c != NULL);
    for (size_t i = 0; i < SIGNATURES; i++) {
        key[31] = (uint8_t)(i + 1);
        memset(digests[i], (int)(i + 7), sizeof(digests[i]));
        ASSERT(secp256k1_ecdsa_sign_recoverable(c, &sigs[i], digests[i], key, NULL, NULL) == 1);
    }
    secp256k1_context_destroy(c);
}

static void *work(void *done)
{
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_VERIFY);
    uint64_t *n = done;
    ASSERT(c != NULL);
    for (uint64_t end = clock_mono_us() + FOR_US; clock_mono_us() < end;) {
        for (size_t i = 0; i < SIGNATURES; i++) {
            secp256k1_pubkey key;
            ASSERT(secp256k1_ecdsa_recover(c, &key, &sigs[i], digests[i]) == 1);
        }
        *n += SIGNATURES;
    }
    secp256k1_context_destroy(c);
    return NULL;
}

int main(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t thread[CORES_MAX];
    static uint64_t done[CORES_MAX][8]; /* a cache line each */
    uint64_t sum = 0;
    cores = cores < 1 ? 1 : cores > CORES_MAX ? CORES_MAX : cores;
    sign_some();
    uint64_t from = clock_mono_us();
    for (long i = 0; i < cores; i++) {
        ASSERT(pthread_create(&thread[i], NULL, work, done[i]) == 0);
    }
    for (long i = 0; i < cores; i++) {
        ASSERT(pthread_join(thread[i], NULL) == 0);
        sum += done[i][0];
    }
    uint64_t us = clock_mono_us() - from;
    uint64_t cpu_us = (uint64_t)clock() * 1000000 / CLOCKS_PER_SEC;
    (void)printf("%ld %" PRIu64 " %" PRIu64 "\n", cores, sum * 1000000 / us,
                 sum * 1000000 / (cpu_us > 0 ? cpu_us : 1));
    return 0;
}
