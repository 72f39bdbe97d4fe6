/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_KDF_H
#define SOUK_CRYPTO_KDF_H

/* kdf.h - keys from passwords (scrypt, RFC 7914; PBKDF2-HMAC-SHA256, RFC 8018) and AES-128-CTR: what
 * Web3 Secret Storage version 3 is made of. Over OpenSSL. */

#include "base/buf.h"
#include "crypto/secret.h"

#define SCRYPT_MEMORY_MAX ((uint64_t)512 << 20) /* bytes; 128 * n * r of common files is 256 MiB */

/* n bytes of key. MALFORMED for parameters out of range, LIMIT beyond SCRYPT_MEMORY_MAX. */
rc scrypt(struct secret *out, size_t size, const struct secret *password, struct bytes salt,
          uint64_t n, uint64_t r, uint64_t p);

#define PBKDF2_ROUNDS_MAX 10000000

rc pbkdf2_sha256(struct secret *out, size_t size, const struct secret *password, struct bytes salt,
                 uint64_t rounds);

/* Encrypts or decrypts (the same operation) in place of a copy: out gets in.n bytes. */
rc aes128_ctr(struct secret *out, const uint8_t key[16], const uint8_t iv[16], struct bytes in);

#endif /* SOUK_CRYPTO_KDF_H */
