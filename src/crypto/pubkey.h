/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_PUBKEY_H
#define SOUK_CRYPTO_PUBKEY_H

/* pubkey.h - signature checks with raw public keys: ECDSA on the NIST curves, RSA PKCS#1 v1.5 and
 * PSS. Nothing here touches secrets. Over OpenSSL's direct calls: the EVP way costs tens of
 * microseconds of key decoding for each use. Callable from any thread. */

#include "base/rc.h"

enum pk_kind { PK_NONE, PK_P256, PK_P384, PK_P521, PK_RSA, PK_ED25519 };
enum pk_hash { PK_SHA256, PK_SHA384, PK_SHA512, PK_SHA1 };

struct pubkey {
    enum pk_kind kind;
    struct bytes point; /* EC: x ‖ y without the leading 4; Ed25519: 32 bytes */
    struct bytes n, e;  /* RSA: big-endian, no leading zeros */
};

#define RSA_BITS_MAX 4096 /* the largest modulus of any vendor chain; bounds the work */

size_t pk_coordinate(enum pk_kind kind); /* bytes of x: 32, 48, 66; 0 for others */
size_t pk_digest_size(enum pk_hash hash);
void pk_digest(uint8_t out[64], enum pk_hash hash, struct bytes msg);
void pk_digest_2(uint8_t out[64], enum pk_hash hash, struct bytes a, struct bytes b); /* of a ‖ b */

/* r ‖ s, each as long as a coordinate, big-endian. DENIED when the signature does not fit,
 * MALFORMED when the point is not on the curve or a length is wrong. */
rc pk_verify_ecdsa_raw(const struct pubkey *k, struct bytes digest, struct bytes rs);

/* The same with DER SEQUENCE { r, s }. */
rc pk_verify_ecdsa_der(const struct pubkey *k, struct bytes digest, struct bytes sig);

rc pk_verify_rsa_pkcs1(const struct pubkey *k, enum pk_hash hash, struct bytes digest,
                       struct bytes sig);

/* MGF1 with the same hash; salt_len in bytes, or -1: whatever the signature carries. */
rc pk_verify_rsa_pss(const struct pubkey *k, enum pk_hash hash, struct bytes digest,
                     struct bytes sig, int salt_len);

rc pk_verify_ed25519(const struct pubkey *k, struct bytes msg, struct bytes sig);

#endif /* SOUK_CRYPTO_PUBKEY_H */
