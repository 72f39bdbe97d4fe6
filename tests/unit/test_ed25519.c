/* SPDX-License-Identifier: Apache-2.0 */
/* test_ed25519.c - vectors of an independent implementation for SHA3-512; OpenSSL for the curve. */
#include "crypto/ed25519.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "tests/test.h"

static struct bytes unhex(uint8_t out[512], const char *text)
{
    size_t n = strlen(text) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        CHECK(sscanf(text + 2 * i, "%2x", &v) == 1);
        out[i] = (uint8_t)v;
    }
    return (struct bytes){out, n};
}

static void test_vectors(void)
{
    static const struct {
        const char *key, *msg, *sig;
    } rows[] = {
        {"817ced3c2846a792139b359149a1bbba4cdc3f26136f093aa3dcc9dd7b41e117", "",
         "85d2b210c8c7808b67ad5832cdc768243032b06efd0047b41423a0b944ead8beaeadd185"
         "9459e8955c4a402163d644ba3b81ca8421ff5a39f951a6eaa5e7480a"},
        {"69eea2efefbb7e72f21f9459603334e2e295926c684bc0b908e714cff5d1c390", "616263",
         "9ca8724adbac1230f80a34eb5b0ea52b3e07849ab2bad5ed1f1be26839a0341d52f2ad21"
         "c60a4f51880dfc298c33fd352710576aa022174905f4c9242c3ec102"},
        {"e7396f0b2c5d636638a036e1eeb6074c185069d4a4a42f9db1f2282825a09b89",
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
         "2425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4041424344454647"
         "48494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b"
         "6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
         "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3"
         "b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7",
         "0df10a0fe0a31ce458116c6422572142f4f81809f275a77837bb027b9c6930c901362141"
         "df4a9dab279a0778fd50de3fdaaf87029965f8145fd281bb5ad3a806"},
    };
    uint8_t key[512], msg[512], sig[512];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bytes k = unhex(key, rows[i].key), m = unhex(msg, rows[i].msg);
        struct bytes s = unhex(sig, rows[i].sig);
        CHECK(rc_ok(ed25519_sha3_verify(k, m, s)));
        for (size_t bit = 0; bit < 512; bit++) {
            sig[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK(!rc_ok(ed25519_sha3_verify(k, m, s)));
            sig[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        for (size_t bit = 0; bit < 256; bit++) {
            key[bit / 8] ^= (uint8_t)(1U << bit % 8);
            CHECK(!rc_ok(ed25519_sha3_verify(k, m, s)));
            key[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        if (m.n > 0) {
            msg[0] ^= 1;
            CHECK(ed25519_sha3_verify(k, m, s).code == RC_CODE_DENIED);
        }
        CHECK(ed25519_sha3_verify(k, m, (struct bytes){sig, 63}).code == RC_CODE_MALFORMED);
        CHECK(ed25519_sha3_verify((struct bytes){key, 31}, m, s).code == RC_CODE_MALFORMED);
    }
}

/* The same curve with SHA-512 is what OpenSSL signs with. */
static void test_against_openssl(void)
{
    for (int round = 0; round < 50; round++) {
        EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t sig[64], text[96], challenge[64];
        size_t n = 64, k = 32;
        CHECK(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pair) == 1);
        memset(text, round, sizeof(text));
        CHECK(EVP_DigestSign(ctx, sig, &n, text + 64, 32) == 1 && n == 64);
        memcpy(text, sig, 32);
        CHECK(EVP_PKEY_get_raw_public_key(pair, text + 32, &k) == 1 && k == 32);
        (void)SHA512(text, sizeof(text), challenge);
        struct bytes key = {text + 32, 32};
        CHECK(rc_ok(ed25519_check(key, challenge, BYTES_OF(sig))));
        CHECK(!rc_ok(ed25519_sha3_verify(key, (struct bytes){text + 64, 32}, BYTES_OF(sig))));
        challenge[round] ^= 1;
        CHECK(ed25519_check(key, challenge, BYTES_OF(sig)).code == RC_CODE_DENIED);
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(pair);
    }
}

/* One encoding of everything: S and y beyond their modulus, and a negative zero, are refused. */
static void test_encodings(void)
{
    uint8_t key[32], sig[64] = {0}, challenge[64] = {0};
    memset(key, 0xff, sizeof(key));
    key[31] = 0x7f;
    static const uint8_t low[] = {0xed, 0xee, 0xff}; /* p, p + 1, 2^255 - 1 */
    for (size_t i = 0; i < ARRAY_LEN(low); i++) {
        key[0] = low[i];
        CHECK(ed25519_check(BYTES_OF(key), challenge, BYTES_OF(sig)).code == RC_CODE_MALFORMED);
    }
    memset(key, 0, sizeof(key));
    key[0] = 1;
    key[31] = 0x80; /* (-0, 1) */
    CHECK(ed25519_check(BYTES_OF(key), challenge, BYTES_OF(sig)).code == RC_CODE_MALFORMED);
    uint8_t order[512];
    (void)unhex(order, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    uint8_t base[512];
    struct bytes b =
        unhex(base, "5866666666666666666666666666666666666666666666666666666666666666");
    sig[0] = 1; /* R neutral, S = 0, h = 0: holds for any key */
    CHECK(rc_ok(ed25519_check(b, challenge, BYTES_OF(sig))));
    memcpy(sig + 32, order, 32); /* S = the order: the same number in another form */
    CHECK(ed25519_check(b, challenge, BYTES_OF(sig)).code == RC_CODE_MALFORMED);
}

int main(void)
{
    test_vectors();
    test_against_openssl();
    test_encodings();
    return 0;
}
