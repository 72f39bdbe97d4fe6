/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_TESTS_INTEL_FIXTURE_H
#define SOUK_TESTS_INTEL_FIXTURE_H

/* intel_fixture.h - makes SGX and TDX quotes with their whole collateral under a root of its own. For
 * tests alone: the keys are made at every run, the names say "test only", and nothing here is trusted
 * by anything but the test that gives the root as an anchor. */
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "attest/attest.h"
#include "tests/test.h"

enum { FIX_NOW = 1750000000, FIX_DAY = 86400 };

struct fix_ca {
    EVP_PKEY *key;
    X509 *cert;
};

struct fix {
    /* what a test may change before fix_build() */
    int version; /* 3, 4, 5 */
    int body;    /* 0 SGX, 1 TD 1.0, 2 TD 1.5 */
    int cert_type;
    uint8_t attributes[8], td_attributes[8], tee_svn[16], tee_svn2[16], service[48], seam[48];
    uint8_t report_data[64];
    bool seam_signer;
    const char *fmspc_json, *extra_tcb, *tcb_levels, *modules,
        *tdx_module; /* NULL: the good ones */
    const char *qe_id, *qe_signer, *qe_levels, *extra_qe, *tcb_id;
    int eval_number, tcb_version;
    int64_t tcb_next, crl_next;
    bool leaf_revoked, ca_revoked, signer_revoked, ca_without_flag, ca_expired, ca_forged;
    bool crl_forged, crl_of_other, qe_report_debug;
    bool order_swapped; /* leaf, root, intermediate */
    /* what it makes */
    struct fix_ca root, ca, other_ca, signer, leaf;
    EVP_PKEY *att;
    struct buf quote, root_der, root_crl, pck_crl, tcb_chain, tcb_info, qe_identity, leaf_pem;
    size_t signed_size, qe_at, auth_at, certs_at;
    struct attest_item item[8];
    size_t n_item;
    struct attest_anchor anchor;
};

static const uint8_t fix_fmspc[6] = {0x90, 0xc0, 0x6f, 0xab, 0xcd, 0xef};
static const uint8_t fix_qe_signer[32] = {0x8c, 0x4f, 0x57, 0x75};

static inline EVP_PKEY *fix_key(void)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    CHECK(k != NULL);
    return k;
}

static inline void fix_tlv(struct buf *b, uint8_t tag, struct bytes v)
{
    put_u8(b, tag);
    if (v.n >= 256) {
        put_u8(b, 0x82);
        put_be(b, v.n, 2);
    } else if (v.n >= 128) {
        put_u8(b, 0x81);
        put_u8(b, (uint8_t)v.n);
    } else {
        put_u8(b, (uint8_t)v.n);
    }
    put_bytes(b, v);
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1.suffix, tag value } */
static inline void fix_pair(struct buf *b, struct bytes suffix, uint8_t tag, struct bytes v)
{
    BUF_FREE in = buf_new(4096), oid = buf_new(64);
    put_mem(&oid, "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01", 9);
    put_bytes(&oid, suffix);
    fix_tlv(&in, 6, buf_bytes(&oid));
    fix_tlv(&in, tag, v);
    fix_tlv(b, 0x30, buf_bytes(&in));
}

/* Components 3 and PCESVN 13, as the levels below expect. */
static inline void fix_pck_extension(struct buf *out)
{
    BUF_FREE list = buf_new(4096), tcb = buf_new(4096);
    static const uint8_t ppid[16] = {0x11}, cpusvn[16] = {3}, pceid[2];
    for (uint8_t i = 1; i <= 17; i++) {
        uint8_t suffix[2] = {2, i}, svn = i == 17 ? 13 : 3;
        fix_pair(&tcb, (struct bytes){suffix, 2}, 2, (struct bytes){&svn, 1});
    }
    fix_pair(&tcb, BYTES_LIT("\x02\x12"), 4, BYTES_OF(cpusvn));
    fix_pair(&list, BYTES_LIT("\x01"), 4, BYTES_OF(ppid));
    fix_pair(&list, BYTES_LIT("\x02"), 0x30, buf_bytes(&tcb));
    fix_pair(&list, BYTES_LIT("\x03"), 4, BYTES_OF(pceid));
    fix_pair(&list, BYTES_LIT("\x04"), 4, BYTES_OF(fix_fmspc));
    fix_pair(&list, BYTES_LIT("\x05"), 10, BYTES_LIT("\x00"));
    fix_tlv(out, 0x30, buf_bytes(&list));
}

static inline void fix_ext(X509 *x, const X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static inline X509_NAME *fix_name(const char *cn)
{
    X509_NAME *n = X509_NAME_new();
    CHECK(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0) == 1);
    CHECK(X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const uint8_t *)"test only", -1, -1,
                                     0) == 1);
    return n;
}

struct fix_cert {
    const char *cn;
    const struct fix_ca *issuer; /* NULL: itself */
    bool ca, forged;             /* forged: signed by a key that is not the issuer's */
    long serial;
    int64_t until;
    const struct buf *pck;
};

static inline struct fix_ca fix_make(struct fix_cert w)
{
    struct fix_ca r = {fix_key(), X509_new()};
    X509 *x = r.cert;
    const struct fix_ca *by = w.issuer != NULL ? w.issuer : &r;
    X509_NAME *name = fix_name(w.cn);
    EVP_PKEY *stranger = fix_key();
    CHECK(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, r.key) == 1);
    CHECK(X509_set_subject_name(x, name) == 1);
    CHECK(X509_set_issuer_name(x, w.issuer != NULL ? X509_get_subject_name(by->cert) : name) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(x), w.serial) == 1);
    (void)ASN1_TIME_set(X509_getm_notBefore(x), FIX_NOW - 100 * FIX_DAY);
    (void)ASN1_TIME_set(X509_getm_notAfter(x), w.until != 0 ? w.until : FIX_NOW + 900 * FIX_DAY);
    if (w.ca) {
        fix_ext(x, by->cert, NID_basic_constraints,
                w.issuer != NULL ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE,pathlen:1");
        fix_ext(x, by->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        fix_ext(x, by->cert, NID_basic_constraints, "critical,CA:FALSE");
        fix_ext(x, by->cert, NID_key_usage, "critical,digitalSignature");
    }
    if (w.pck != NULL) {
        ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
        ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
        CHECK(ASN1_OCTET_STRING_set(v, w.pck->p, (int)w.pck->n) == 1);
        X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, v);
        CHECK(e != NULL && X509_add_ext(x, e, -1) == 1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(v);
        ASN1_OBJECT_free(oid);
    }
    CHECK(X509_sign(x, w.forged ? stranger : by->key, EVP_sha256()) > 0);
    EVP_PKEY_free(stranger);
    X509_NAME_free(name);
    return r;
}

static inline void fix_put_der(struct buf *b, const X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509((X509 *)(uintptr_t)x, &der);
    CHECK(n > 0);
    put_mem(b, der, (size_t)n);
    OPENSSL_free(der);
}

static inline void fix_put_pem(struct buf *b, const X509 *x)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    CHECK(PEM_write_bio_X509(bio, (X509 *)(uintptr_t)x) == 1);
    long n = BIO_get_mem_data(bio, &text);
    put_mem(b, text, (size_t)n);
    BIO_free(bio);
}

static inline void fix_put_crl(struct buf *b, const struct fix_ca *by, EVP_PKEY *key, int64_t next,
                               const long revoked[2])
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, FIX_NOW - 2 * FIX_DAY);
    CHECK(X509_CRL_set_version(crl, 1) == 1);
    CHECK(X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert)) == 1);
    CHECK(X509_CRL_set1_lastUpdate(crl, t) == 1);
    (void)ASN1_TIME_set(t, next);
    CHECK(X509_CRL_set1_nextUpdate(crl, t) == 1);
    for (int i = 0; i < 2; i++) {
        if (revoked[i] != 0) {
            X509_REVOKED *r = X509_REVOKED_new();
            ASN1_INTEGER *serial = ASN1_INTEGER_new();
            CHECK(ASN1_INTEGER_set(serial, revoked[i]) == 1);
            CHECK(X509_REVOKED_set_serialNumber(r, serial) == 1);
            (void)ASN1_TIME_set(t, FIX_NOW - 3 * FIX_DAY);
            CHECK(X509_REVOKED_set_revocationDate(r, t) == 1 && X509_CRL_add0_revoked(crl, r) == 1);
            ASN1_INTEGER_free(serial);
        }
    }
    CHECK(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
    uint8_t *der = NULL;
    int n = i2d_X509_CRL(crl, &der);
    CHECK(n > 0);
    put_mem(b, der, (size_t)n);
    OPENSSL_free(der);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
}

/* r ‖ s */
static inline void fix_sign(uint8_t out[64], EVP_PKEY *key, struct bytes msg)
{
    uint8_t der[128];
    const uint8_t *p = der;
    size_t n = sizeof(der);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1);
    CHECK(EVP_DigestSign(c, der, &n, msg.p, msg.n) == 1);
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(s), out, 32) == 32);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(s), out + 32, 32) == 32);
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(c);
}

static inline void fix_put_signed_json(struct buf *b, const char *member, EVP_PKEY *key,
                                       struct bytes inner)
{
    uint8_t sig[64];
    fix_sign(sig, key, inner);
    put_fmt(b, "{\"%s\":", member);
    put_bytes(b, inner);
    put_str(b, ",\"signature\":\"");
    for (size_t i = 0; i < 64; i++) {
        put_fmt(b, "%02x", sig[i]);
    }
    put_str(b, "\"}");
}

static inline void fix_put_date(struct buf *b, const char *name, int64_t t)
{
    ASN1_TIME *a = ASN1_TIME_set(NULL, t);
    struct tm tm;
    CHECK(ASN1_TIME_to_tm(a, &tm) == 1);
    put_fmt(b, "\"%s\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\",", name, tm.tm_year + 1900, tm.tm_mon + 1,
            tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    ASN1_TIME_free(a);
}

/* {"tcb":{components all `sgx`, all `tdx`, pcesvn},"tcbStatus":status,"advisoryIDs":[…]} */
static inline void fix_put_level(struct buf *b, int sgx, int tdx, int pcesvn, const char *status)
{
    put_str(b, "{\"tcb\":{\"sgxtcbcomponents\":[");
    for (int i = 0; i < 16; i++) {
        put_fmt(b, "%s{\"svn\":%d}", i > 0 ? "," : "", sgx);
    }
    put_fmt(b, "],\"pcesvn\":%d,\"tdxtcbcomponents\":[", pcesvn);
    for (int i = 0; i < 16; i++) {
        put_fmt(b, "%s{\"svn\":%d}", i > 0 ? "," : "", tdx);
    }
    put_fmt(b,
            "]},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"%s\",\"advisoryIDs\":["
            "\"INTEL-SA-%s\"]}",
            status, strcmp(status, "UpToDate") == 0 ? "00001" : "00002");
}

static inline void fix_build_tcb_info(struct fix *f)
{
    BUF_FREE in = buf_new(1 << 20);
    const char *id = f->tcb_id != NULL ? f->tcb_id : f->body == 0 ? "SGX" : "TDX";
    put_fmt(&in, "{\"id\":\"%s\",\"version\":%d,", id, f->tcb_version);
    fix_put_date(&in, "issueDate", FIX_NOW - FIX_DAY);
    fix_put_date(&in, "nextUpdate", f->tcb_next);
    put_fmt(&in,
            "\"fmspc\":\"%s\",\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%d,%s",
            f->fmspc_json != NULL ? f->fmspc_json : "90C06Fabcdef", f->eval_number,
            f->extra_tcb != NULL ? f->extra_tcb : "");
    static const char *const zeros =
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "0"
        "00000";
    put_fmt(&in,
            "\"tdxModule\":{\"mrsigner\":\"%.96s\",\"attributes\":\"0000000000000000\","
            "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},\"tdxModuleIdentities\":[",
            zeros);
    put_fmt(&in,
            "{\"id\":\"%s\",\"mrsigner\":\"%.96s\",\"attributes\":\"0000000000000000\","
            "\"attributesMask\":\"FFFFFFFFFFFFFFFF\",\"tcbLevels\":[%s]}],",
            f->tdx_module != NULL ? f->tdx_module : "TDX_01", zeros,
            f->modules != NULL
                ? f->modules
                : "{\"tcb\":{\"isvsvn\":5},\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":2},"
                  "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00003\"]}");
    put_str(&in, "\"tcbLevels\":[");
    if (f->tcb_levels != NULL) {
        put_str(&in, f->tcb_levels);
    } else {
        fix_put_level(&in, 3, 3, 13, "UpToDate");
        put_str(&in, ",");
        fix_put_level(&in, 2, 2, 12, "OutOfDate");
    }
    put_str(&in, "]}");
    fix_put_signed_json(&f->tcb_info, "tcbInfo", f->signer.key, buf_bytes(&in));
}

static inline void fix_build_identity(struct fix *f)
{
    BUF_FREE in = buf_new(1 << 16);
    const char *id = f->qe_id != NULL ? f->qe_id : f->body == 0 ? "QE" : "TD_QE";
    put_fmt(&in, "{\"id\":\"%s\",\"version\":2,", id);
    fix_put_date(&in, "issueDate", FIX_NOW - FIX_DAY);
    fix_put_date(&in, "nextUpdate", FIX_NOW + 20 * FIX_DAY);
    put_fmt(&in,
            "\"tcbEvaluationDataNumber\":%d,%s\"miscselect\":\"00000000\","
            "\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\""
            ",\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%s\","
            "\"isvprodid\":1,\"tcbLevels\":[%s]}",
            f->eval_number, f->extra_qe != NULL ? f->extra_qe : "",
            f->qe_signer != NULL
                ? f->qe_signer
                : "8C4F577500000000000000000000000000000000000000000000000000000000",
            f->qe_levels != NULL ? f->qe_levels
                                 : "{\"tcb\":{\"isvsvn\":8},\"tcbStatus\":\"UpToDate\"}");
    fix_put_signed_json(&f->qe_identity, "enclaveIdentity", f->signer.key, buf_bytes(&in));
}

static inline void fix_put_le(struct buf *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_u8(b, (uint8_t)(v >> 8 * i));
    }
}

static inline void fix_put_sgx_report(struct buf *b, const uint8_t attributes[8],
                                      const uint8_t signer[32], struct bytes data)
{
    put_zero(b, 48);
    put_mem(b, attributes, 8);
    put_zero(b, 8);
    for (int i = 0; i < 32; i++) {
        put_u8(b, 0x5a);
    }
    put_zero(b, 32);
    put_mem(b, signer, 32);
    put_zero(b, 96);
    fix_put_le(b, 1, 2); /* isvprodid */
    fix_put_le(b, 8, 2); /* isvsvn */
    put_zero(b, 60);
    put_bytes(b, data);
}

static inline void fix_put_td_report(struct fix *f, struct buf *b, struct bytes data)
{
    put_mem(b, f->tee_svn, 16);
    put_zero(b, 48);
    put_mem(b, f->seam, 48);
    put_zero(b, 8);
    put_mem(b, f->td_attributes, 8);
    put_zero(b, 8);
    for (int i = 0; i < 48; i++) {
        put_u8(b, 0x6b);
    }
    put_zero(b, (size_t)48 * 7);
    put_bytes(b, data);
    if (f->body == 2) {
        put_mem(b, f->tee_svn2, 16);
        put_mem(b, f->service, 48);
    }
}

static inline void fix_point(uint8_t out[64], EVP_PKEY *key)
{
    uint8_t p[65];
    size_t n = 0;
    CHECK(EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", p, sizeof(p), &n) == 1 &&
          n == 65);
    memcpy(out, p + 1, 64);
}

static inline void fix_put_qe_block(struct fix *f, struct buf *b, const uint8_t point[64])
{
    static const uint8_t auth[32] = {7, 7, 7};
    uint8_t data[64] = {0}, text[96], sig[64], attributes[8] = {0x11};
    attributes[0] |= f->qe_report_debug ? 2 : 0;
    memcpy(text, point, 64);
    memcpy(text + 64, auth, 32);
    (void)SHA256(text, sizeof(text), data);
    size_t at = b->n;
    f->qe_at = at;
    fix_put_sgx_report(b, attributes, fix_qe_signer, (struct bytes){data, 64});
    fix_sign(sig, f->leaf.key, (struct bytes){b->p + at, 384});
    put_mem(b, sig, 64);
    fix_put_le(b, sizeof(auth), 2);
    f->auth_at = b->n;
    put_mem(b, auth, sizeof(auth));
    fix_put_le(b, (uint64_t)f->cert_type, 2);
    BUF_FREE certs = buf_new(1 << 16);
    if (f->cert_type == 5) {
        fix_put_pem(&certs, f->leaf.cert);
        fix_put_pem(&certs, f->order_swapped ? f->root.cert : f->ca.cert);
        fix_put_pem(&certs, f->order_swapped ? f->ca.cert : f->root.cert);
        put_u8(&certs, 0);
    } else if (f->cert_type == 4) {
        fix_put_pem(&certs, f->leaf.cert);
    } else {
        put_zero(&certs, 404);
    }
    fix_put_le(b, certs.n, 4);
    f->certs_at = b->n;
    put_bytes(b, buf_bytes(&certs));
}

static inline void fix_build_quote(struct fix *f)
{
    static const uint8_t vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    uint8_t sig[64], point[64], signer[32] = {0x77};
    struct bytes data = {f->report_data, 64};
    struct buf *q = &f->quote;
    fix_put_le(q, (uint64_t)f->version, 2);
    fix_put_le(q, 2, 2);
    fix_put_le(q, f->body == 0 ? 0 : 0x81, 4);
    put_zero(q, 4);
    put_mem(q, vendor, 16);
    put_zero(q, 20);
    if (f->version == 5) {
        fix_put_le(q, (uint64_t)f->body + 1, 2);
        fix_put_le(q, f->body == 0 ? 384 : f->body == 1 ? 584 : 648, 4);
    }
    if (f->body == 0) {
        fix_put_sgx_report(q, f->attributes, signer, data);
    } else {
        fix_put_td_report(f, q, data);
    }
    f->signed_size = q->n;
    fix_sign(sig, f->att, buf_bytes(q));
    fix_point(point, f->att);
    BUF_FREE block = buf_new(1 << 16), s = buf_new(1 << 16);
    fix_put_qe_block(f, &block, point);
    put_mem(&s, sig, 64);
    put_mem(&s, point, 64);
    if (f->version > 3) {
        fix_put_le(&s, 6, 2);
        fix_put_le(&s, block.n, 4);
    }
    size_t shift = q->n + 4 + s.n;
    put_bytes(&s, buf_bytes(&block));
    fix_put_le(q, s.n, 4);
    put_bytes(q, buf_bytes(&s));
    f->qe_at += shift;
    f->auth_at += shift;
    f->certs_at += shift;
}

static inline struct fix fix_new(int version, int body)
{
    struct fix f = {.version = version, .body = body, .cert_type = 5, .eval_number = 17};
    f.tcb_version = 3;
    f.tcb_next = FIX_NOW + 20 * FIX_DAY;
    f.crl_next = FIX_NOW + 20 * FIX_DAY;
    f.attributes[0] = 5;
    f.report_data[0] = 1;
    f.td_attributes[3] = 0x10;
    memset(f.tee_svn, 3, 16);
    f.tee_svn[0] = 5;
    f.tee_svn[1] = 1;
    memcpy(f.tee_svn2, f.tee_svn, 16);
    return f;
}

static inline void fix_build(struct fix *f)
{
    BUF_FREE pck = buf_new(4096);
    struct buf *bufs[] = {&f->quote,     &f->root_der, &f->root_crl,    &f->pck_crl,
                          &f->tcb_chain, &f->tcb_info, &f->qe_identity, &f->leaf_pem};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        *bufs[i] = buf_new(1 << 20);
    }
    fix_pck_extension(&pck);
    f->att = fix_key();
    f->root = fix_make((struct fix_cert){.cn = "Intel SGX Root CA", .ca = true, .serial = 1});
    f->ca = fix_make((struct fix_cert){.cn = "Intel SGX PCK Platform CA",
                                       .issuer = &f->root,
                                       .ca = !f->ca_without_flag,
                                       .forged = f->ca_forged,
                                       .serial = 2,
                                       .until = f->ca_expired ? FIX_NOW - FIX_DAY : 0});
    f->other_ca = fix_make((struct fix_cert){
        .cn = "Intel SGX PCK Processor CA", .issuer = &f->root, .ca = true, .serial = 3});
    f->signer =
        fix_make((struct fix_cert){.cn = "Intel SGX TCB Signing", .issuer = &f->root, .serial = 4});
    f->leaf = fix_make((struct fix_cert){
        .cn = "Intel SGX PCK Certificate", .issuer = &f->ca, .serial = 77, .pck = &pck});
    fix_put_der(&f->root_der, f->root.cert);
    fix_put_pem(&f->leaf_pem, f->leaf.cert);
    fix_put_pem(&f->leaf_pem, f->ca.cert);
    fix_put_crl(&f->root_crl, &f->root, f->root.key, f->crl_next,
                (long[2]){f->ca_revoked ? 2 : 0, f->signer_revoked ? 4 : 0});
    const struct fix_ca *by = f->crl_of_other ? &f->other_ca : &f->ca;
    fix_put_crl(&f->pck_crl, by, f->crl_forged ? f->att : by->key, f->crl_next,
                (long[2]){1234, f->leaf_revoked ? 77 : 0});
    fix_put_pem(&f->tcb_chain, f->signer.cert);
    fix_put_pem(&f->tcb_chain, f->root.cert);
    fix_build_tcb_info(f);
    fix_build_identity(f);
    fix_build_quote(f);
    const struct buf *items[] = {&f->root_crl, &f->pck_crl, &f->tcb_chain, &f->tcb_info,
                                 &f->qe_identity};
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        CHECK(!items[i]->full);
        f->item[i] = (struct attest_item){"item", buf_bytes(items[i])};
    }
    f->n_item = ARRAY_LEN(items);
    f->anchor =
        (struct attest_anchor){"*", ATTEST_ANCHOR_CERT, buf_bytes(&f->root_der), "test root"};
}

static inline void fix_free(struct fix *f)
{
    struct fix_ca *cas[] = {&f->root, &f->ca, &f->other_ca, &f->signer, &f->leaf};
    struct buf *bufs[] = {&f->quote,     &f->root_der, &f->root_crl,    &f->pck_crl,
                          &f->tcb_chain, &f->tcb_info, &f->qe_identity, &f->leaf_pem};
    for (size_t i = 0; i < ARRAY_LEN(cas); i++) {
        EVP_PKEY_free(cas[i]->key);
        X509_free(cas[i]->cert);
    }
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        buf_free(bufs[i]);
    }
    EVP_PKEY_free(f->att);
}

#endif /* SOUK_TESTS_INTEL_FIXTURE_H */
