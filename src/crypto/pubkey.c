/* SPDX-License-Identifier: Apache-2.0 */
/* The direct EC and RSA calls are deprecated in OpenSSL 3 but are the code that EVP ends in; see the
 * header for what the detour costs. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/pubkey.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <pthread.h>

#include "encoding/der.h"

/* Curve groups: made once, constant afterwards. */
static EC_GROUP *groups[3];
static pthread_once_t groups_once = PTHREAD_ONCE_INIT;

static void make_groups(void)
{
    static const int nids[] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    for (size_t i = 0; i < ARRAY_LEN(nids); i++) {
        groups[i] = EC_GROUP_new_by_curve_name(nids[i]);
        ASSERT(groups[i] != NULL);
    }
}

size_t pk_coordinate(enum pk_kind kind)
{
    switch (kind) {
    case PK_P256:
        return 32;
    case PK_P384:
        return 48;
    case PK_P521:
        return 66;
    case PK_NONE:
    case PK_RSA:
    case PK_ED25519:
        return 0;
    }
    return 0;
}

size_t pk_digest_size(enum pk_hash hash)
{
    static const size_t sizes[] = {32, 48, 64, 20};
    return sizes[hash];
}

void pk_digest(uint8_t out[64], enum pk_hash hash, struct bytes msg)
{
    const uint8_t *p = msg.n > 0 ? msg.p : (const uint8_t *)"";
    switch (hash) {
    case PK_SHA256:
        (void)SHA256(p, msg.n, out);
        break;
    case PK_SHA384:
        (void)SHA384(p, msg.n, out);
        break;
    case PK_SHA512:
        (void)SHA512(p, msg.n, out);
        break;
    case PK_SHA1:
        (void)SHA1(p, msg.n, out);
        break;
    }
}

static void free_key(EC_KEY **k)
{
    EC_KEY_free(*k);
}

static void free_sig(ECDSA_SIG **s)
{
    ECDSA_SIG_free(*s);
}

static void free_rsa(RSA **r)
{
    RSA_free(*r);
}

static rc verify_ecdsa(const struct pubkey *k, struct bytes digest, struct bytes r, struct bytes s)
{
    size_t size = pk_coordinate(k->kind);
    uint8_t point[1 + 2 * 66] = {4};
    if (size == 0 || k->point.n != 2 * size || r.n > size || s.n > size) {
        return RC(MALFORMED);
    }
    (void)pthread_once(&groups_once, make_groups);
    memcpy(point + 1, k->point.p, k->point.n);
    __attribute__((cleanup(free_key))) EC_KEY *key = EC_KEY_new();
    __attribute__((cleanup(free_sig))) ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *br = BN_bin2bn(r.p, (int)r.n, NULL), *bs = BN_bin2bn(s.p, (int)s.n, NULL);
    if (key == NULL || sig == NULL || br == NULL || bs == NULL ||
        ECDSA_SIG_set0(sig, br, bs) != 1) {
        BN_free(br);
        BN_free(bs);
        return RC(IO);
    }
    if (EC_KEY_set_group(key, groups[k->kind - PK_P256]) != 1 ||
        EC_KEY_oct2key(key, point, 1 + k->point.n, NULL) != 1) {
        return RC(MALFORMED);
    }
    return ECDSA_do_verify(digest.p, (int)digest.n, sig, key) == 1 ? RC_OK : RC(DENIED);
}

rc pk_verify_ecdsa_raw(const struct pubkey *k, struct bytes digest, struct bytes rs)
{
    size_t size = pk_coordinate(k->kind);
    if (size == 0 || rs.n != 2 * size) {
        return RC(MALFORMED);
    }
    return verify_ecdsa(k, digest, (struct bytes){rs.p, size}, (struct bytes){rs.p + size, size});
}

rc pk_verify_ecdsa_der(const struct pubkey *k, struct bytes digest, struct bytes sig)
{
    struct cur c = cur_of(sig);
    struct cur seq = der_take(&c, DER_SEQUENCE);
    struct bytes r = der_take_unsigned(&seq), s = der_take_unsigned(&seq);
    TRY(cur_end(&seq));
    TRY(cur_end(&c));
    return verify_ecdsa(k, digest, r, s);
}

static RSA *rsa_of(const struct pubkey *k)
{
    if (k->kind != PK_RSA || k->n.n * 8 > RSA_BITS_MAX || k->n.n < 128 || k->e.n > 8 ||
        k->e.n == 0) {
        return NULL;
    }
    RSA *r = RSA_new();
    BIGNUM *n = BN_bin2bn(k->n.p, (int)k->n.n, NULL), *e = BN_bin2bn(k->e.p, (int)k->e.n, NULL);
    if (r == NULL || RSA_set0_key(r, n, e, NULL) != 1) {
        BN_free(n);
        BN_free(e);
        RSA_free(r);
        return NULL;
    }
    return r;
}

rc pk_verify_rsa_pkcs1(const struct pubkey *k, enum pk_hash hash, struct bytes digest,
                       struct bytes sig)
{
    static const int nids[] = {NID_sha256, NID_sha384, NID_sha512, NID_sha1};
    __attribute__((cleanup(free_rsa))) RSA *r = rsa_of(k);
    if (r == NULL || sig.n != (size_t)RSA_size(r) || digest.n != pk_digest_size(hash)) {
        return RC(MALFORMED);
    }
    return RSA_verify(nids[hash], digest.p, (unsigned)digest.n, sig.p, (unsigned)sig.n, r) == 1
               ? RC_OK
               : RC(DENIED);
}

rc pk_verify_rsa_pss(const struct pubkey *k, enum pk_hash hash, struct bytes digest,
                     struct bytes sig, int salt_len)
{
    const EVP_MD *const mds[] = {EVP_sha256(), EVP_sha384(), EVP_sha512(), EVP_sha1()};
    __attribute__((cleanup(free_rsa))) RSA *r = rsa_of(k);
    uint8_t em[RSA_BITS_MAX / 8];
    if (r == NULL || sig.n != (size_t)RSA_size(r) || digest.n != pk_digest_size(hash)) {
        return RC(MALFORMED);
    }
    if (RSA_public_decrypt((int)sig.n, sig.p, em, r, RSA_NO_PADDING) != (int)sig.n) {
        return RC(DENIED);
    }
    int salt = salt_len < 0 ? RSA_PSS_SALTLEN_AUTO : salt_len;
    return RSA_verify_PKCS1_PSS_mgf1(r, digest.p, mds[hash], mds[hash], em, salt) == 1 ? RC_OK
                                                                                       : RC(DENIED);
}

rc pk_verify_ed25519(const struct pubkey *k, struct bytes msg, struct bytes sig)
{
    if (k->kind != PK_ED25519 || k->point.n != 32 || sig.n != 64) {
        return RC(MALFORMED);
    }
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->point.p, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = key != NULL && ctx != NULL &&
                EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, sig.p, sig.n, msg.p, msg.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good ? RC_OK : RC(DENIED);
}
