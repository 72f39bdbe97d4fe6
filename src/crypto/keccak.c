/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"

#include <endian.h>
#include <nettle/sha3.h>

enum { RATE = 136 };

void keccak_init(struct keccak *k)
{
    memset(k->lanes, 0, sizeof(k->lanes));
    k->n = 0;
}

static void absorb(struct keccak *k, const uint8_t block[RATE])
{
    struct sha3_state s;
    for (size_t i = 0; i < RATE / 8; i++) {
        uint64_t lane;
        memcpy(&lane, block + 8 * i, 8);
        k->lanes[i] ^= le64toh(lane);
    }
    memcpy(s.a, k->lanes, sizeof(k->lanes));
    sha3_permute(&s);
    memcpy(k->lanes, s.a, sizeof(k->lanes));
}

void keccak_add(struct keccak *k, struct bytes b)
{
    const uint8_t *p = b.p;
    size_t n = b.n;
    while (n > 0) {
        if (k->n == 0 && n >= RATE) {
            absorb(k, p);
            p += RATE;
            n -= RATE;
            continue;
        }
        size_t part = MIN(n, RATE - k->n);
        memcpy(k->block + k->n, p, part);
        k->n += part;
        p += part;
        n -= part;
        if (k->n == RATE) {
            absorb(k, k->block);
            k->n = 0;
        }
    }
}

struct hash keccak_done(struct keccak *k)
{
    struct hash h;
    memset(k->block + k->n, 0, RATE - k->n);
    k->block[k->n] ^= 0x01;
    k->block[RATE - 1] ^= 0x80;
    absorb(k, k->block);
    for (size_t i = 0; i < 4; i++) {
        uint64_t lane = htole64(k->lanes[i]);
        memcpy(h.b + 8 * i, &lane, 8);
    }
    return h;
}

struct hash keccak256(struct bytes b)
{
    return keccak256_2(b, (struct bytes){0});
}

struct hash keccak256_2(struct bytes a, struct bytes b)
{
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, a);
    keccak_add(&k, b);
    return keccak_done(&k);
}
