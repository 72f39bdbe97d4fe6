/* SPDX-License-Identifier: Apache-2.0 */
/* cose_fixture.h - makes tokens under test keys: a CBOR writer, COSE_Sign1 and Mac0, certificates on
 * P-384. Nothing here is real evidence. Static so that the one header serves several tests. */
#ifndef SOUK_TESTS_COSE_FIXTURE_H
#define SOUK_TESTS_COSE_FIXTURE_H

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509v3.h>

#include "attest/attest.h"
#include "tests/test.h"

enum { COSE_FIX_NOW = 1750000000 };

/* --- writing CBOR --- */

static inline void cb_head(struct buf *b, unsigned major, uint64_t v)
{
    unsigned size = v < 24 ? 0 : v < 256 ? 1 : v < 65536 ? 2 : v >> 32 == 0 ? 4 : 8;
    unsigned info = size == 0 ? (unsigned)v : size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27;
    put_u8(b, (uint8_t)(major << 5 | info));
    if (size > 0) {
        put_be(b, v, size);
    }
}

static inline void cb_int(struct buf *b, int64_t v)
{
    cb_head(b, v < 0 ? 1 : 0, v < 0 ? (uint64_t)(-1 - v) : (uint64_t)v);
}

static inline void cb_bytes(struct buf *b, struct bytes v)
{
    cb_head(b, 2, v.n);
    put_bytes(b, v);
}

static inline void cb_text(struct buf *b, const char *v)
{
    cb_head(b, 3, strlen(v));
    put_str(b, v);
}

/* n bytes of value v */
static inline void cb_fill(struct buf *b, size_t n, uint8_t v)
{
    cb_head(b, 2, n);
    for (size_t i = 0; i < n; i++) {
        put_u8(b, v);
    }
}

/* --- COSE --- */

static inline void cose_fix_structure(struct buf *b, const char *context, struct bytes header,
                                      struct bytes payload)
{
    cb_head(b, 4, 4);
    cb_text(b, context);
    cb_bytes(b, header);
    cb_bytes(b, (struct bytes){0});
    cb_bytes(b, payload);
}

static inline void cose_fix_message(struct buf *out, int tag, struct bytes header,
                                    struct bytes payload, struct bytes sig)
{
    if (tag != 0) {
        cb_head(out, 6, (uint64_t)tag);
    }
    cb_head(out, 4, 4);
    cb_bytes(out, header);
    cb_head(out, 5, 0);
    cb_bytes(out, payload);
    cb_bytes(out, sig);
}

/* size: bytes of a coordinate; the hash has as many. */
static inline void cose_fix_sign1(struct buf *out, int tag, int64_t alg, EVP_PKEY *key, size_t size,
                                  struct bytes payload)
{
    BUF_FREE header = buf_new(64);
    BUF_FREE text = buf_new(1 << 20);
    uint8_t der[256], rs[132];
    const uint8_t *p = der;
    size_t n = sizeof(der);
    cb_head(&header, 5, 1);
    cb_int(&header, 1);
    cb_int(&header, alg);
    cose_fix_structure(&text, "Signature1", buf_bytes(&header), payload);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const EVP_MD *md = size == 32 ? EVP_sha256() : size == 48 ? EVP_sha384() : EVP_sha512();
    CHECK(EVP_DigestSignInit(c, NULL, md, NULL, key) == 1);
    CHECK(EVP_DigestSign(c, der, &n, text.p, text.n) == 1);
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(s), rs, (int)size) == (int)size);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(s), rs + size, (int)size) == (int)size);
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(c);
    cose_fix_message(out, tag, buf_bytes(&header), payload, (struct bytes){rs, 2 * size});
}

static inline void cose_fix_mac0(struct buf *out, struct bytes key, struct bytes payload)
{
    BUF_FREE text = buf_new(1 << 20);
    uint8_t mac[32];
    unsigned n = 0;
    struct bytes header = BYTES_LIT("\xa1\x01\x05");
    cose_fix_structure(&text, "MAC0", header, payload);
    CHECK(HMAC(EVP_sha256(), key.p, (int)key.n, text.p, text.n, mac, &n) != NULL && n == 32);
    cose_fix_message(out, 17, header, payload, (struct bytes){mac, 32});
}

static inline EVP_PKEY *cose_fix_key(size_t size)
{
    EVP_PKEY *k = EVP_EC_gen(size == 32 ? "P-256" : size == 48 ? "P-384" : "P-521");
    CHECK(k != NULL);
    return k;
}

static inline void cose_fix_spki(struct buf *out, const EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    CHECK(n > 0);
    put_mem(out, der, (size_t)n);
    OPENSSL_free(der);
}

/* 4 ‖ x ‖ y */
static inline size_t cose_fix_point(uint8_t out[133], EVP_PKEY *key)
{
    size_t n = 0;
    CHECK(EVP_PKEY_get_octet_string_param(key, "pub", out, 133, &n) == 1 && out[0] == 4);
    return n;
}

/* --- certificates --- */

struct cose_fix_ca {
    EVP_PKEY *key;
    X509 *cert;
};

struct cose_fix_cert {
    const char *cn;
    const struct cose_fix_ca *issuer; /* NULL: itself */
    bool ca, forged;
    int64_t from, until; /* 0: around COSE_FIX_NOW */
};

static inline void cose_fix_ext(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static inline struct cose_fix_ca cose_fix_make(struct cose_fix_cert w)
{
    struct cose_fix_ca r = {cose_fix_key(48), X509_new()};
    const struct cose_fix_ca *by = w.issuer != NULL ? w.issuer : &r;
    X509_NAME *n = X509_NAME_new();
    EVP_PKEY *stranger = cose_fix_key(48);
    CHECK(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)w.cn, -1, -1, 0) == 1);
    CHECK(X509_set_version(r.cert, 2) == 1 && X509_set_pubkey(r.cert, r.key) == 1);
    CHECK(X509_set_subject_name(r.cert, n) == 1);
    CHECK(X509_set_issuer_name(r.cert, w.issuer != NULL ? X509_get_subject_name(by->cert) : n) ==
          1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(r.cert), 7) == 1);
    (void)ASN1_TIME_set(X509_getm_notBefore(r.cert), w.from != 0 ? w.from : COSE_FIX_NOW - 3600);
    (void)ASN1_TIME_set(X509_getm_notAfter(r.cert), w.until != 0 ? w.until : COSE_FIX_NOW + 7200);
    cose_fix_ext(r.cert, NID_basic_constraints, w.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    cose_fix_ext(r.cert, NID_key_usage,
                 w.ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    CHECK(X509_sign(r.cert, w.forged ? stranger : by->key, EVP_sha384()) > 0);
    EVP_PKEY_free(stranger);
    X509_NAME_free(n);
    return r;
}

static inline void cose_fix_free(struct cose_fix_ca *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->cert);
}

static inline void cose_fix_der(struct buf *b, X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    CHECK(n > 0);
    put_mem(b, der, (size_t)n);
    OPENSSL_free(der);
}

#endif /* SOUK_TESTS_COSE_FIXTURE_H */
