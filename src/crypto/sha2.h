/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_SHA2_H
#define SOUK_CRYPTO_SHA2_H

/* sha2.h - SHA-256, SHA-384, SHA-512, HMAC and HKDF (FIPS 180-4, RFC 2104, RFC 5869), over OpenSSL.
 * The SHA-256 state is a plain struct without heap, so hashing in a hot loop costs no allocation. */

#include <openssl/sha.h>

#include "base/rc.h"

struct sha256 {
    SHA256_CTX ctx;
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, struct bytes b);
struct hash sha256_done(struct sha256 *s);

struct hash sha256(struct bytes b);
struct hash sha256_2(struct bytes a, struct bytes b); /* of the concatenation */
void sha384(uint8_t out[48], struct bytes b);
void sha512(uint8_t out[64], struct bytes b);

struct hash hmac_sha256(struct bytes key, struct bytes msg);

/* HKDF-SHA256, extract then expand, to out_size bytes (at most 255 * 32). */
rc hkdf_sha256(uint8_t *out, size_t out_size, struct bytes key, struct bytes salt,
               struct bytes info);

#endif /* SOUK_CRYPTO_SHA2_H */
