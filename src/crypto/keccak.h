/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_KECCAK_H
#define SOUK_CRYPTO_KECCAK_H

/* keccak.h - Keccak-256 with Ethereum's padding (0x01, not SHA-3's 0x06), over nettle's permutation.
 * Source: Yellow Paper, appendix H ("KEC"). */

#include "base/base.h"

struct keccak {
    uint64_t lanes[25]; /* the sponge */
    uint8_t block[136]; /* rate of Keccak-256 */
    size_t n;           /* bytes waiting in block, always < 136 */
};

void keccak_init(struct keccak *k);
void keccak_add(struct keccak *k, struct bytes b);
struct hash keccak_done(struct keccak *k); /* the state is spent afterwards */

struct hash keccak256(struct bytes b);
struct hash keccak256_2(struct bytes a, struct bytes b); /* of the concatenation */

#endif /* SOUK_CRYPTO_KECCAK_H */
