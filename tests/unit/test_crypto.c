/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aes.h"
#include "crypto/keccak.h"
#include "crypto/rsa.h"
#include "crypto/secp.h"
#include "crypto/sha2.h"
#include "encoding/hex.h"
#include "tests/test.h"

static bool is_hex(struct bytes b, const char *want)
{
    BUF_FREE t = buf_new(4096);
    put_hex(&t, b);
    return strcmp(buf_cstr(&t), want) == 0;
}

#define IS_HEX(x, want) is_hex(BYTES_OF(x), want)

static void hashes(void)
{
    struct hash h = keccak256((struct bytes){0});
    CHECK(IS_HEX(h, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"));
    h = keccak256(BYTES_LIT("IEXEC_SMS_DOMAIN"));
    CHECK(IS_HEX(h, "0a26923d45a019b77e856d0001681f98ab9707ec15b2b98048cc91eed00b6793"));
    uint8_t long_msg[500];
    memset(long_msg, 'a', sizeof(long_msg));
    for (size_t cut = 0; cut <= sizeof(long_msg); cut += 17) { /* any split gives the same hash */
        struct keccak k;
        keccak_init(&k);
        keccak_add(&k, (struct bytes){long_msg, cut});
        keccak_add(&k, (struct bytes){long_msg + cut, sizeof(long_msg) - cut});
        struct hash a = keccak_done(&k), b = keccak256((struct bytes){long_msg, sizeof(long_msg)});
        CHECK(hash_eq(a, b));
    }
    h = sha256(BYTES_LIT("abc"));
    CHECK(IS_HEX(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    h = hmac_sha256(BYTES_LIT("Jefe"), BYTES_LIT("what do ya want for nothing?")); /* RFC 4231 */
    CHECK(IS_HEX(h, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    uint8_t okm[42], ikm[22], salt[13], info[10]; /* RFC 5869 A.1 */
    memset(ikm, 0x0b, sizeof(ikm));
    for (size_t i = 0; i < sizeof(salt); i++) {
        salt[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof(info); i++) {
        info[i] = (uint8_t)(0xf0 + i);
    }
    CHECK(rc_ok(hkdf_sha256(okm, sizeof(okm), BYTES_OF(ikm), BYTES_OF(salt), BYTES_OF(info))));
    CHECK(IS_HEX(okm,
                 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                 "34007208d5b887185865"));
}

static void signatures(void)
{
    SECRET_FREE key = {0};
    struct address a, b;
    uint8_t sig[65], one[32];
    char text[HEX_ADDRESS_MAX];
    memset(one, 1, sizeof(one));
    CHECK(rc_ok(secret_copy(&key, BYTES_OF(one))) && rc_ok(secp_address(&a, &key)));
    CHECK(strcmp(hex_address(text, a), "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1") == 0);
    struct hash h = keccak256(BYTES_LIT("x"));
    CHECK(rc_ok(secp_sign65(sig, &key, h)) && rc_ok(secp_recover65(&b, h, BYTES_OF(sig))));
    CHECK(address_eq(a, b));
    sig[5] ^= 1;
    rc r = secp_recover65(&b, h, BYTES_OF(sig));
    CHECK(!rc_ok(r) || !address_eq(a, b));
    sig[5] ^= 1;
    sig[64] = 29;
    CHECK(!rc_ok(secp_recover65(&b, h, BYTES_OF(sig))));
    CHECK(!rc_ok(secp_recover65(&b, h, (struct bytes){sig, 64})));
    /* authorisation vector: SPEC sdk-surface 11 */
    struct hash m;
    CHECK(rc_ok(
        hex_parse_hash(&m, "0x6c068d35bec9e7e181edc9016091d1f69762c48c2569808683264c7ae0a70c4a")));
    CHECK(rc_ok(secp_sign65(sig, &key, eip191_hash(m))));
    CHECK(IS_HEX(sig,
                 "02954a12dc9e0ef1e9953db057847790d61fdde49b7c7c1e57b9b855976aac31"
                 "5112ddca50d152751ed99d71b7114b6f9f3caf858f626f59a243d8f5d11b55cc1c"));
    SECRET_FREE other = {0}, s1 = {0}, s2 = {0};
    uint8_t pub_a[64], pub_b[64];
    CHECK(rc_ok(secp_key_new(&other)) && rc_ok(secp_public(pub_a, &key)));
    CHECK(rc_ok(secp_public(pub_b, &other)));
    CHECK(rc_ok(secp_ecdh(&s1, &key, pub_b)) && rc_ok(secp_ecdh(&s2, &other, pub_a)));
    CHECK(bytes_eq(secret_bytes(&s1), secret_bytes(&s2)));
    memset(pub_b, 0xff, sizeof(pub_b));
    SECRET_FREE s3 = {0};
    CHECK(!rc_ok(secp_ecdh(&s3, &key, pub_b)));
    uint8_t zero[32] = {0};
    CHECK(!secp_key_is_valid(zero) && !secp_s_is_low((uint8_t[64]){[32] = 0xff}));
}

static void ciphers(void)
{
    uint8_t key[32] = {1}, iv[16] = {2};
    BUF_FREE c = buf_new(1 << 16), p = buf_new(1 << 16);
    for (size_t n = 0; n < 50; n++) {
        buf_reset(&c);
        buf_reset(&p);
        uint8_t text[50];
        memset(text, (int)n, sizeof(text));
        CHECK(rc_ok(aes_cbc_encrypt(&c, key, iv, (struct bytes){text, n})));
        CHECK(c.n == 16 + (n / 16 + 1) * 16 && rc_ok(aes_cbc_decrypt(&p, key, buf_bytes(&c))));
        CHECK(bytes_eq(buf_bytes(&p), (struct bytes){text, n}));
        CHECK(!rc_ok(aes_cbc_decrypt(&p, key, (struct bytes){c.p, c.n - 1})));
        buf_reset(&c);
        buf_reset(&p);
        CHECK(rc_ok(aes_gcm_seal(&c, key, BYTES_LIT("aad"), (struct bytes){text, n})));
        CHECK(rc_ok(aes_gcm_open(&p, key, BYTES_LIT("aad"), buf_bytes(&c))));
        CHECK(bytes_eq(buf_bytes(&p), (struct bytes){text, n}));
        CHECK(!rc_ok(aes_gcm_open(&p, key, BYTES_LIT("dad"), buf_bytes(&c))));
        c.p[c.n - 1] ^= 1;
        CHECK(!rc_ok(aes_gcm_open(&p, key, BYTES_LIT("aad"), buf_bytes(&c))));
    }
}

static void rsa(void)
{
    BUF_FREE pub = buf_new(1 << 16), c = buf_new(1 << 16);
    SECRET_FREE priv = {0}, plain = {0}, bad = {0};
    CHECK(rc_ok(rsa_new(&pub, &priv, 2048)));
    CHECK(rc_ok(rsa_encrypt(&c, buf_bytes(&pub), BYTES_LIT("thirty-two bytes of a secret key"))));
    CHECK(rc_ok(rsa_decrypt(&plain, &priv, buf_bytes(&c))));
    CHECK(bytes_eq(secret_bytes(&plain), BYTES_LIT("thirty-two bytes of a secret key")));
    CHECK(!rc_ok(rsa_decrypt(&bad, &priv, (struct bytes){c.p, c.n - 1})));
    CHECK(!rc_ok(rsa_encrypt(&c, BYTES_LIT("no key"), BYTES_LIT("x"))));
}

int main(void)
{
    hashes();
    signatures();
    ciphers();
    rsa();
    SECRET_FREE s = {0};
    CHECK(!rc_ok(secret_new(&s, SECRET_MAX + 1)) && rc_ok(secret_random(&s, 32)));
    return 0;
}
