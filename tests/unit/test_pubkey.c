/* SPDX-License-Identifier: Apache-2.0 */
/* test_pubkey.c - our ECDSA verification beside OpenSSL's own: random signatures, changed ones, the
 * edges of r and s, and a point whose x is not below the order. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>

#include "crypto/modinv.h"
#include "crypto/pubkey.h"
#include "tests/test.h"

static void test_modinv(const BIGNUM *p)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *a = BN_new(), *want = BN_new();
    uint8_t be[32];
    CHECK(BN_bn2binpad(p, be, 32) == 32);
    struct u256 prime = u256_from_be(be);
    for (int i = 0; i < 2000; i++) {
        if (i < 256) {
            CHECK(BN_one(a) == 1 && BN_lshift(a, a, i) == 1);
            CHECK(BN_nnmod(a, a, p, ctx) == 1);
        } else if (i == 256) {
            CHECK(BN_sub(a, p, BN_value_one()) == 1);
        } else {
            CHECK(BN_priv_rand_range(a, p) == 1);
        }
        if (BN_is_zero(a)) {
            continue;
        }
        CHECK(BN_mod_inverse(want, a, p, ctx) != NULL && BN_bn2binpad(a, be, 32) == 32);
        struct u256 got = modinv_var(u256_from_be(be), prime);
        CHECK(BN_bn2binpad(want, be, 32) == 32);
        CHECK(u256_eq(got, u256_from_be(be)));
    }
    BN_free(a);
    BN_free(want);
    BN_CTX_free(ctx);
}

struct sample {
    struct pubkey key;
    uint8_t point[132], digest[64], rs[132];
    size_t size;
};

static bool ours(const struct sample *s, size_t n_digest)
{
    return rc_ok(pk_verify_ecdsa_raw(&s->key, (struct bytes){s->digest, n_digest},
                                     (struct bytes){s->rs, 2 * s->size}));
}

static bool theirs(EC_KEY *k, const struct sample *s, size_t n_digest)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    CHECK(ECDSA_SIG_set0(sig, BN_bin2bn(s->rs, (int)s->size, NULL),
                         BN_bin2bn(s->rs + s->size, (int)s->size, NULL)) == 1);
    bool good = ECDSA_do_verify(s->digest, (int)n_digest, sig, k) == 1;
    ECDSA_SIG_free(sig);
    return good;
}

static void put_point(struct sample *s, const EC_GROUP *g, const EC_POINT *q)
{
    uint8_t oct[133];
    size_t n = EC_POINT_point2oct(g, q, POINT_CONVERSION_UNCOMPRESSED, oct, sizeof(oct), NULL);
    CHECK(n == 1 + 2 * s->size);
    memcpy(s->point, oct + 1, 2 * s->size);
    s->key.point = (struct bytes){s->point, 2 * s->size};
}

static void test_curve(int nid, enum pk_kind kind)
{
    EC_KEY *k = EC_KEY_new_by_curve_name(nid);
    const BIGNUM *n = EC_GROUP_get0_order(EC_KEY_get0_group(k));
    for (int round = 0; round < 10; round++) {
        struct sample s = {.key.kind = kind, .size = pk_coordinate(kind)};
        CHECK(EC_KEY_generate_key(k) == 1);
        put_point(&s, EC_KEY_get0_group(k), EC_KEY_get0_public_key(k));
        memset(s.digest, 0x80 + round, sizeof(s.digest));
        size_t n_digest = round % 2 == 0 ? 32 : 64; /* shorter and longer than the order */
        ECDSA_SIG *sig = ECDSA_do_sign(s.digest, (int)n_digest, k);
        CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(sig), s.rs, (int)s.size) > 0);
        CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(sig), s.rs + s.size, (int)s.size) > 0);
        ECDSA_SIG_free(sig);
        CHECK(ours(&s, n_digest) && theirs(k, &s, n_digest));
        for (size_t i = 0; i < 2 * s.size; i += 7) {
            struct sample t = s;
            t.key.point.p = t.point;
            t.rs[i] ^= 4;
            CHECK(!ours(&t, n_digest) && !theirs(k, &t, n_digest));
        }
        struct sample edge = s;
        edge.key.point.p = edge.point;
        memset(edge.rs, 0, s.size); /* r = 0 */
        CHECK(!ours(&edge, n_digest));
        CHECK(BN_bn2binpad(n, edge.rs, (int)s.size) > 0); /* r = n */
        CHECK(!ours(&edge, n_digest));
        memcpy(edge.rs, s.rs, s.size);
        memset(edge.rs + s.size, 0, s.size); /* s = 0 */
        CHECK(!ours(&edge, n_digest));
        CHECK(BN_bn2binpad(n, edge.rs + s.size, (int)s.size) > 0);
        CHECK(!ours(&edge, n_digest));
        edge = s;
        edge.key.point.p = edge.point;
        edge.point[3] ^= 1; /* not on the curve */
        CHECK(pk_verify_ecdsa_raw(&edge.key, (struct bytes){s.digest, 32},
                                  (struct bytes){s.rs, 2 * s.size})
                  .code == RC_CODE_MALFORMED);
    }
    EC_KEY_free(k);
}

/* R has x = n + i < p, so r = i: the key is then r^-1 (s R - e G). Only who adds the order back to r
 * finds this signature good. */
static void test_x_above_order(void)
{
    struct sample s = {.key.kind = PK_P256, .size = 32};
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_KEY *k = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    const BIGNUM *n = EC_GROUP_get0_order(g);
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *r_point = EC_POINT_new(g), *q = EC_POINT_new(g);
    BIGNUM *x = BN_new(), *r = BN_new(), *e = BN_new(), *sv = BN_new();
    BN_ULONG i = 1;
    do {
        CHECK(BN_set_word(r, i++) == 1 && BN_add(x, n, r) == 1 && i < 1000);
    } while (EC_POINT_set_compressed_coordinates(g, r_point, x, 1, ctx) != 1);
    memset(s.digest, 0x31, 32);
    CHECK(BN_bin2bn(s.digest, 32, e) != NULL && BN_set_word(sv, 77) == 1);
    CHECK(BN_bn2binpad(r, s.rs, 32) == 32 && BN_bn2binpad(sv, s.rs + 32, 32) == 32);
    CHECK(BN_mod_inverse(x, r, n, ctx) != NULL);
    CHECK(BN_mod_mul(sv, sv, x, n, ctx) == 1 && BN_mod_mul(e, e, x, n, ctx) == 1);
    CHECK(BN_sub(e, n, e) == 1);
    CHECK(EC_POINT_mul(g, q, e, r_point, sv, ctx) == 1 && EC_KEY_set_public_key(k, q) == 1);
    put_point(&s, g, q);
    CHECK(theirs(k, &s, 32) && ours(&s, 32));
    s.rs[31] ^= 1;
    CHECK(!theirs(k, &s, 32) && !ours(&s, 32));
    BN_free(x);
    BN_free(r);
    BN_free(e);
    BN_free(sv);
    EC_POINT_free(q);
    EC_POINT_free(r_point);
    BN_CTX_free(ctx);
    EC_KEY_free(k);
    EC_GROUP_free(g);
}

int main(void)
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    test_modinv(EC_GROUP_get0_order(g));
    test_modinv(EC_GROUP_get0_field(g));
    EC_GROUP_free(g);
    test_curve(NID_X9_62_prime256v1, PK_P256);
    test_curve(NID_secp384r1, PK_P384);
    test_curve(NID_secp521r1, PK_P521);
    test_x_above_order();
    return 0;
}
