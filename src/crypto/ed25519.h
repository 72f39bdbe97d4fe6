/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_ED25519_H
#define SOUK_CRYPTO_ED25519_H

/* ed25519.h - Ed25519 (RFC 8032) with another hash inside, which no library offers: Keystone takes
 * SHA3-512 where the RFC has SHA-512. Verification alone, of public data: not constant in time. */

#include "base/rc.h"

/* Signed by the key, with SHA3-512? DENIED: no; MALFORMED: lengths, a key that is no point in its
 * one encoding, or an S that is not below the group's order. */
rc ed25519_sha3_verify(struct bytes key, struct bytes msg, struct bytes sig);

/* The same with the hash of R, key and message already taken, whatever the hash was. */
rc ed25519_check(struct bytes key, const uint8_t challenge[64], struct bytes sig);

#endif /* SOUK_CRYPTO_ED25519_H */
