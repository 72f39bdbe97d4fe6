/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_AES_H
#define SOUK_CRYPTO_AES_H

/* aes.h - AES-256-CBC with PKCS#7 padding (the format of rented datasets and of encrypted results)
 * and AES-256-GCM (secrets at rest and in flight). Over OpenSSL. */

#include "base/buf.h"

/* Writes IV(16) ‖ AES-256-CBC/PKCS7(plain). SPEC sdk-surface 9 */
rc aes_cbc_encrypt(struct buf *out, const uint8_t key[32], const uint8_t iv[16],
                   struct bytes plain);

/* The inverse: MALFORMED when shorter than IV and one block or not whole blocks, DENIED when the
 * padding is wrong (which a wrong key gives 255 times in 256). */
rc aes_cbc_decrypt(struct buf *out, const uint8_t key[32], struct bytes iv_and_cipher);

/* nonce(12) ‖ ciphertext ‖ tag(16), nonce random; `aad` is authenticated, not stored. */
rc aes_gcm_seal(struct buf *out, const uint8_t key[32], struct bytes aad, struct bytes plain);

/* The inverse; DENIED when anything was changed or the key or aad is another. */
rc aes_gcm_open(struct buf *out, const uint8_t key[32], struct bytes aad, struct bytes sealed);

#endif /* SOUK_CRYPTO_AES_H */
