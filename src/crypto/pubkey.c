/* SPDX-License-Identifier: Apache-2.0 */
/* The direct EC and RSA calls are deprecated in OpenSSL 3 but are the code that EVP ends in; see the
 * header for what the detour costs. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/pubkey.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <pthread.h>

#include "crypto/modinv.h"
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

/* Over the direct calls: SHA256() and its kin look up a provider at each call, and the first loads
 * the library's configuration. */
void pk_digest(uint8_t out[64], enum pk_hash hash, struct bytes msg)
{
    pk_digest_2(out, hash, msg, (struct bytes){0});
}

void pk_digest_2(uint8_t out[64], enum pk_hash hash, struct bytes a, struct bytes b)
{
    SHA512_CTX big;
    SHA256_CTX small;
    SHA_CTX old;
    switch (hash) {
    case PK_SHA256:
        (void)SHA256_Init(&small);
        (void)SHA256_Update(&small, a.p, a.n);
        (void)SHA256_Update(&small, b.p, b.n);
        (void)SHA256_Final(out, &small);
        break;
    case PK_SHA384:
        (void)SHA384_Init(&big);
        (void)SHA384_Update(&big, a.p, a.n);
        (void)SHA384_Update(&big, b.p, b.n);
        (void)SHA384_Final(out, &big);
        break;
    case PK_SHA512:
        (void)SHA512_Init(&big);
        (void)SHA512_Update(&big, a.p, a.n);
        (void)SHA512_Update(&big, b.p, b.n);
        (void)SHA512_Final(out, &big);
        break;
    case PK_SHA1:
        (void)SHA1_Init(&old);
        (void)SHA1_Update(&old, a.p, a.n);
        (void)SHA1_Update(&old, b.p, b.n);
        (void)SHA1_Final(out, &old);
        break;
    }
}

static void free_point(EC_POINT **p)
{
    EC_POINT_free(*p);
}

static void free_ctx(BN_CTX **c)
{
    BN_CTX_free(*c);
}

static void free_rsa(RSA **r)
{
    RSA_free(*r);
}

/* x of the point, as X / Z² mod p, equals r or r + n: compared without the division that
 * ECDSA_do_verify() spends a field inversion on. */
static bool x_is(const EC_GROUP *g, const EC_POINT *point, const BIGNUM *r, BN_CTX *ctx)
{
    const BIGNUM *n = EC_GROUP_get0_order(g), *p = EC_GROUP_get0_field(g);
    BIGNUM *x = BN_CTX_get(ctx), *z = BN_CTX_get(ctx), *want = BN_CTX_get(ctx);
    BIGNUM *rn = BN_CTX_get(ctx);
    if (rn == NULL || EC_POINT_get_Jprojective_coordinates_GFp(g, point, x, NULL, z, ctx) != 1 ||
        BN_is_zero(z) || BN_mod_sqr(z, z, p, ctx) != 1 || BN_mod_mul(want, r, z, p, ctx) != 1) {
        return false;
    }
    if (BN_cmp(want, x) == 0) {
        return true;
    }
    return BN_add(rn, r, n) == 1 && BN_cmp(rn, p) < 0 && BN_mod_mul(want, rn, z, p, ctx) == 1 &&
           BN_cmp(want, x) == 0;
}

/* w = 1 / s mod n; 0 < s < n. */
static bool invert(BIGNUM *w, const BIGNUM *s, const BIGNUM *n, struct bytes s_bytes, BN_CTX *ctx)
{
    struct u256 a, p;
    uint8_t be[32];
    if (BN_num_bits(n) != 256 || !u256_from_bytes(&a, s_bytes)) {
        return BN_mod_inverse(w, s, n, ctx) != NULL;
    }
    if (BN_bn2binpad(n, be, sizeof(be)) != sizeof(be)) {
        return false;
    }
    p = u256_from_be(be);
    u256_to_be(be, modinv_var(a, p));
    return BN_bin2bn(be, sizeof(be), w) != NULL;
}

/* FIPS 186-4 6.4.2 on public data, so variable time. DENIED also when OpenSSL has no memory. */
static rc verify_on(const EC_GROUP *g, const EC_POINT *q, struct bytes digest, struct bytes rs[2],
                    BN_CTX *ctx)
{
    const BIGNUM *n = EC_GROUP_get0_order(g);
    BIGNUM *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *e = BN_CTX_get(ctx), *u = BN_CTX_get(ctx);
    BIGNUM *w = BN_CTX_get(ctx);
    int bits = BN_num_bits(n);
    size_t size = MIN(digest.n, ((size_t)bits + 7) / 8);
    if (w == NULL || BN_bin2bn(rs[0].p, (int)rs[0].n, r) == NULL ||
        BN_bin2bn(rs[1].p, (int)rs[1].n, s) == NULL || BN_bin2bn(digest.p, (int)size, e) == NULL ||
        BN_is_zero(r) || BN_is_zero(s) || BN_cmp(r, n) >= 0 || BN_cmp(s, n) >= 0) {
        return RC(DENIED);
    }
    if ((int)size * 8 > bits && BN_rshift(e, e, (int)size * 8 - bits) != 1) {
        return RC(DENIED);
    }
    EC_POINT *point = EC_POINT_new(g);
    bool good = point != NULL && invert(w, s, n, rs[1], ctx) && BN_mod_mul(u, e, w, n, ctx) == 1 &&
                BN_mod_mul(w, r, w, n, ctx) == 1 && EC_POINT_mul(g, point, u, q, w, ctx) == 1 &&
                x_is(g, point, r, ctx);
    EC_POINT_free(point);
    return good ? RC_OK : RC(DENIED);
}

static rc verify_ecdsa(const struct pubkey *k, struct bytes digest, struct bytes r, struct bytes s)
{
    size_t size = pk_coordinate(k->kind);
    uint8_t octets[1 + 2 * 66] = {4};
    if (size == 0 || k->point.n != 2 * size || r.n > size || s.n > size) {
        return RC(MALFORMED);
    }
    (void)pthread_once(&groups_once, make_groups);
    memcpy(octets + 1, k->point.p, k->point.n);
    const EC_GROUP *g = groups[k->kind - PK_P256];
    __attribute__((cleanup(free_point))) EC_POINT *q = EC_POINT_new(g);
    __attribute__((cleanup(free_ctx))) BN_CTX *ctx = BN_CTX_new();
    if (q == NULL || ctx == NULL) {
        return RC(IO);
    }
    BN_CTX_start(ctx);
    rc res = RC(MALFORMED);
    if (EC_POINT_oct2point(g, q, octets, 1 + k->point.n, ctx) == 1) { /* asks: on the curve? */
        res = verify_on(g, q, digest, (struct bytes[2]){r, s}, ctx);
    }
    BN_CTX_end(ctx);
    return res;
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
