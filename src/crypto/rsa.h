/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_RSA_H
#define SOUK_CRYPTO_RSA_H

/* rsa.h - RSA with PKCS#1 v1.5 padding, as encrypted results use it (sdk-surface 9). Keys are PEM:
 * SubjectPublicKeyInfo for the beneficiary, PKCS#8 for the private half. Over OpenSSL. */

#include "base/buf.h"
#include "crypto/secret.h"

/* Generates a key pair of `bits` (2048..8192). */
rc rsa_new(struct buf *public_pem, struct secret *private_pem, unsigned bits);

/* MALFORMED when the PEM is not an RSA public key or plain does not fit the key. */
rc rsa_encrypt(struct buf *out, struct bytes public_pem, struct bytes plain);

/* DENIED when the ciphertext was not made for this key. */
rc rsa_decrypt(struct secret *out, const struct secret *private_pem, struct bytes cipher);

#endif /* SOUK_CRYPTO_RSA_H */
