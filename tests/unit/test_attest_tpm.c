/* SPDX-License-Identifier: Apache-2.0 */
/* test_attest_tpm.c - TPM quotes, Azure HCL reports over TDX and event logs, all made here under test
 * keys: the good ones are accepted, and each attack is refused by the right link. */
#include <openssl/rsa.h>

#include "attest/eventlog_int.h"
#include "crypto/sha2.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "tests/intel_fixture.h"

static struct verdict v;
static struct arena arena;
static struct attest_policy policy;

static const uint8_t nonce[4] = {'n', 'o', 'n', 'c'};

enum { ITEMS = 24 };

struct quote {
    EVP_PKEY *ak;
    int scheme; /* TPM_RSASSA, TPM_RSAPSS, TPM_ECDSA */
    uint32_t attributes;
    uint8_t pcr[24][32];
    struct buf msg, sig, raw, pub, spki, pcrs;
};

static EVP_PKEY *new_key(int scheme)
{
    EVP_PKEY *k = scheme == TPM_ECDSA ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
    CHECK(k != NULL);
    return k;
}

static void put_2b(struct buf *b, struct bytes s)
{
    put_be(b, s.n, 2);
    put_bytes(b, s);
}

static void put_public(struct quote *q)
{
    struct buf *b = &q->pub;
    bool ecc = q->scheme == TPM_ECDSA;
    put_be(b, ecc ? TPM_ECC : TPM_RSA, 2);
    put_be(b, TPM_SHA256, 2);
    put_be(b, q->attributes, 4);
    put_be(b, 0, 2);
    put_be(b, TPM_NULL, 2);
    put_be(b, (uint64_t)q->scheme, 2);
    put_be(b, TPM_SHA256, 2);
    if (ecc) {
        uint8_t p[64];
        fix_point(p, q->ak);
        put_be(b, 3, 2);
        put_be(b, TPM_NULL, 2);
        put_2b(b, (struct bytes){p, 32});
        put_2b(b, (struct bytes){p + 32, 32});
        return;
    }
    BIGNUM *n = NULL;
    uint8_t bytes[256];
    CHECK(EVP_PKEY_get_bn_param(q->ak, "n", &n) == 1 && BN_bn2binpad(n, bytes, 256) == 256);
    BN_free(n);
    put_be(b, 2048, 2);
    put_be(b, 0, 4);
    put_2b(b, BYTES_OF(bytes));
}

static void sign(struct quote *q)
{
    uint8_t sig[512];
    size_t n = sizeof(sig);
    buf_reset(&q->sig);
    buf_reset(&q->raw);
    put_be(&q->sig, (uint64_t)q->scheme, 2);
    put_be(&q->sig, TPM_SHA256, 2);
    if (q->scheme == TPM_ECDSA) {
        fix_sign(sig, q->ak, buf_bytes(&q->msg));
        put_2b(&q->sig, (struct bytes){sig, 32});
        put_2b(&q->sig, (struct bytes){sig + 32, 32});
        return;
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p = NULL;
    CHECK(EVP_DigestSignInit(c, &p, EVP_sha256(), NULL, q->ak) == 1);
    if (q->scheme == TPM_RSAPSS) {
        CHECK(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1);
    }
    CHECK(EVP_DigestSign(c, sig, &n, q->msg.p, q->msg.n) == 1);
    EVP_MD_CTX_free(c);
    put_mem(&q->raw, sig, n);
    put_2b(&q->sig, (struct bytes){sig, n});
}

static void build(struct quote *q)
{
    struct buf *bufs[] = {&q->msg, &q->sig, &q->raw, &q->pub, &q->spki, &q->pcrs};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        *bufs[i] = buf_new(1 << 16);
    }
    if (q->ak == NULL) {
        q->ak = new_key(q->scheme);
    }
    put_mem(&q->pcrs, q->pcr, sizeof(q->pcr));
    struct hash digest = sha256(buf_bytes(&q->pcrs));
    put_mem(&q->msg,
            "\xff"
            "TCG\x80\x18",
            6);
    put_2b(&q->msg, BYTES_LIT("\x00\x0b"));
    put_2b(&q->msg, BYTES_OF(nonce));
    put_be(&q->msg, 77, 8);
    put_be(&q->msg, 1, 4);
    put_be(&q->msg, 2, 4);
    put_u8(&q->msg, 1);
    put_be(&q->msg, 0x2020, 8);
    put_be(&q->msg, 1, 4);
    put_be(&q->msg, TPM_SHA256, 2);
    put_mem(&q->msg, "\x03\xff\xff\xff", 4);
    put_2b(&q->msg, BYTES_OF(digest));
    put_public(q);
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(q->ak, &der);
    CHECK(n > 0);
    put_mem(&q->spki, der, (size_t)n);
    OPENSSL_free(der);
    sign(q);
}

static void done(struct quote *q)
{
    struct buf *bufs[] = {&q->msg, &q->sig, &q->raw, &q->pub, &q->spki, &q->pcrs};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        buf_free(bufs[i]);
    }
    EVP_PKEY_free(q->ak);
    q->ak = NULL;
}

static struct quote good(int scheme)
{
    struct quote q = {.scheme = scheme,
                      .attributes =
                          TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_RESTRICTED | TPM_SIGN | 0x60};
    for (size_t i = 0; i < 24; i++) {
        q.pcr[i][0] = (uint8_t)i;
    }
    return q;
}

struct call {
    struct bytes evidence, nonce;
    struct attest_item item[ITEMS];
    size_t n_item;
    struct attest_anchor anchor[3];
    size_t n_anchor;
    const char *kind;
};

static void add(struct call *c, const char *name, struct bytes data)
{
    CHECK(c->n_item < ITEMS);
    c->item[c->n_item++] = (struct attest_item){name, data};
}

static void trust(struct call *c, const char *kind, enum attest_anchor_type type, struct bytes data)
{
    c->anchor[c->n_anchor++] = (struct attest_anchor){kind, type, data, "test"};
}

static struct call call_of(const struct quote *q)
{
    struct call c = {.evidence = buf_bytes(&q->msg), .nonce = BYTES_OF(nonce)};
    add(&c, "quote.sig", buf_bytes(&q->sig));
    add(&c, "ak.pub", buf_bytes(&q->pub));
    add(&c, "pcrs", buf_bytes(&q->pcrs));
    trust(&c, "tpm", ATTEST_ANCHOR_KEY, buf_bytes(&q->spki));
    return c;
}

static bool judge(const struct call *c)
{
    struct attest_input in = {.evidence = c->evidence,
                              .item = c->item,
                              .n_item = c->n_item,
                              .anchor = c->anchor,
                              .n_anchor = c->n_anchor,
                              .nonce = c->nonce,
                              .no_builtin_roots = true,
                              .policy = &policy,
                              .kind = c->kind,
                              .now = FIX_NOW};
    arena_reset(&arena);
    return attest_verify(&v, &in, &arena);
}

static void expect(const struct call *c, enum attest_link l, const char *code)
{
    bool accepted = judge(c);
    bool right = l == ATTEST_LINKS ? accepted
                                   : !accepted && attest_first_broken(&v) == l &&
                                         strcmp(v.line[l].code, code) == 0;
    if (!right) {
        BUF_FREE text = buf_new(1 << 20);
        attest_put_text(&text, &v);
        (void)fprintf(stderr, "expected %s: %s\n", code, buf_cstr(&text));
        CHECK(false);
    }
}

/* --- quotes ------------------------------------------------------------------------------------- */

static void test_schemes(void)
{
    static const int schemes[] = {TPM_RSASSA, TPM_RSAPSS, TPM_ECDSA};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct quote q = good(schemes[i]);
        build(&q);
        struct call c = call_of(&q);
        expect(&c, ATTEST_LINKS, "ok");
        const struct attest_claim *pcr = attest_claim_find(&v, "tpm.pcr.sha256.7");
        CHECK(pcr != NULL && pcr->bytes.n == 32 && pcr->bytes.p[0] == 7);
        CHECK(attest_claim_find(&v, "signer")->bytes.n == 34);
        c.nonce = BYTES_LIT("other");
        expect(&c, ATTEST_BINDING, "nonce-differs");
        c.nonce = BYTES_OF(nonce);

        for (size_t bit = 0; bit < q.msg.n * 8; bit++) { /* every bit, by the format or signature */
            q.msg.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CHECK(!judge(&c));
            enum attest_link l = attest_first_broken(&v);
            CHECK(l == ATTEST_FORMAT || l == ATTEST_SIGNATURE);
            q.msg.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n < q.msg.n; n++) {
            c.evidence.n = n;
            CHECK(!judge(&c) && attest_first_broken(&v) == ATTEST_FORMAT);
        }
        c.evidence = buf_bytes(&q.msg);
        q.sig.p[q.sig.n - 1] ^= 1;
        expect(&c, ATTEST_SIGNATURE, "signature-wrong");
        done(&q);
    }
}

static void test_trust(void)
{
    static const uint32_t lacking[] = {TPM_RESTRICTED, TPM_SIGN, TPM_FIXED_TPM, TPM_FIXED_PARENT};
    for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
        struct quote q = good(TPM_ECDSA);
        q.attributes &= ~lacking[i];
        build(&q);
        struct call c = call_of(&q);
        expect(&c, ATTEST_CHAIN, "key-attributes");
        done(&q);
    }
    struct quote q = good(TPM_RSASSA), other = good(TPM_RSASSA);
    build(&q);
    build(&other);
    struct call c = call_of(&q);
    c.item[1].data = buf_bytes(&other.pub); /* another key's area: not this signer */
    expect(&c, ATTEST_LINKS, "ok");         /* the anchor alone vouches */
    c = call_of(&q);
    c.anchor[0].data = buf_bytes(&other.spki);
    expect(&c, ATTEST_CHAIN, "untrusted-key");
    uint8_t name[34];
    struct hash h = sha256(buf_bytes(&q.pub));
    memcpy(name, "\x00\x0b", 2);
    memcpy(name + 2, h.b, 32);
    c.anchor[0].data = BYTES_OF(name);
    expect(&c, ATTEST_LINKS, "ok");
    name[33] ^= 1;
    expect(&c, ATTEST_CHAIN, "untrusted-key");
    c = call_of(&q);
    c.item[0].data = buf_bytes(&q.raw); /* the bytes alone */
    expect(&c, ATTEST_LINKS, "ok");
    c.item[0].data = buf_bytes(&other.sig);
    expect(&c, ATTEST_SIGNATURE, "signature-wrong");
    c.item[0].data = BYTES_LIT("no signature");
    expect(&c, ATTEST_SIGNATURE, "no-signature");
    c.n_item = c.n_anchor = 0;
    expect(&c, ATTEST_SIGNATURE, "no-key");
    c = call_of(&q);
    q.pcrs.p[5] ^= 1;
    expect(&c, ATTEST_BINDING, "pcr-digest");
    c.n_item = 2; /* without values: accepted, but nothing is said about registers */
    expect(&c, ATTEST_LINKS, "ok");
    CHECK(attest_claim_find(&v, "tpm.pcr.sha256.0") == NULL);
    done(&q);
    done(&other);
}

static void test_certificate(void)
{
    struct fix_ca root = fix_make((struct fix_cert){.cn = "TPM root", .ca = true, .serial = 1});
    struct fix_ca leaf = fix_make((struct fix_cert){.cn = "AK", .issuer = &root, .serial = 9});
    struct fix_ca forged =
        fix_make((struct fix_cert){.cn = "AK", .issuer = &root, .serial = 9, .forged = true});
    struct quote q = good(TPM_ECDSA);
    BUF_FREE root_der = buf_new(4096), leaf_der = buf_new(4096), crl = buf_new(4096);
    BUF_FREE gone = buf_new(4096);
    fix_put_der(&root_der, root.cert);
    fix_put_der(&leaf_der, leaf.cert);
    fix_put_crl(&crl, &root, root.key, FIX_NOW + FIX_DAY, (long[2]){5, 0});
    fix_put_crl(&gone, &root, root.key, FIX_NOW + FIX_DAY, (long[2]){5, 9});
    q.ak = leaf.key;
    build(&q);
    struct call c = call_of(&q);
    c.item[1].data = buf_bytes(&leaf_der);
    c.n_anchor = 0;
    trust(&c, "tpm", ATTEST_ANCHOR_CERT, buf_bytes(&root_der));
    expect(&c, ATTEST_REVOCATION, "no-crl");
    add(&c, "crl", buf_bytes(&crl));
    expect(&c, ATTEST_LINKS, "ok");
    c.item[3].data = buf_bytes(&gone);
    expect(&c, ATTEST_REVOCATION, "revoked");
    c.n_anchor = 0;
    expect(&c, ATTEST_CHAIN, "untrusted-root");
    done(&q);
    /* the same name and key usage, signed by a stranger */
    struct quote f = good(TPM_ECDSA);
    BUF_FREE forged_der = buf_new(4096);
    fix_put_der(&forged_der, forged.cert);
    f.ak = forged.key;
    build(&f);
    c = call_of(&f);
    c.item[1].data = buf_bytes(&forged_der);
    c.n_anchor = 0;
    trust(&c, "tpm", ATTEST_ANCHOR_CERT, buf_bytes(&root_der));
    expect(&c, ATTEST_CHAIN, "certificate-signature");
    done(&f);
    X509_free(root.cert);
    X509_free(leaf.cert);
    X509_free(forged.cert);
    EVP_PKEY_free(root.key);
}

/* --- event logs --------------------------------------------------------------------------------- */

static void put_event(struct buf *b, uint32_t reg, uint32_t type, struct bytes data,
                      uint8_t pcr[32])
{
    struct hash d = sha256(data);
    uint8_t both[64];
    fix_put_le(b, reg, 4);
    fix_put_le(b, type, 4);
    fix_put_le(b, 1, 4);
    fix_put_le(b, TPM_SHA256, 2);
    put_mem(b, d.b, 32);
    fix_put_le(b, data.n, 4);
    put_bytes(b, data);
    memcpy(both, pcr, 32);
    memcpy(both + 32, d.b, 32);
    d = sha256(BYTES_OF(both));
    memcpy(pcr, d.b, 32);
}

static void put_log(struct buf *b, uint8_t pcr[24][32])
{
    BUF_FREE variable = buf_new(256);
    fix_put_le(b, 0, 4);
    fix_put_le(b, 3, 4);
    put_zero(b, 20);
    fix_put_le(b, 33, 4);
    put_mem(b, "Spec ID Event03\0\0\0\0\0\0\x02\0\x02\x01\0\0\0\x0b\0\x20\0\0", 33);
    put_event(b, 0, 8, BYTES_LIT("firmware 1"), pcr[0]);
    put_zero(&variable, 16);
    fix_put_le(&variable, 10, 8);
    fix_put_le(&variable, 1, 8);
    put_mem(&variable, "S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0\x01", 21);
    put_event(b, 7, 0x80000001, buf_bytes(&variable), pcr[7]);
    put_event(b, 4, 4, BYTES_LIT("\0\0\0\0"), pcr[4]);
}

static void test_log(void)
{
    struct quote q = good(TPM_ECDSA);
    BUF_FREE log = buf_new(1 << 16);
    memset(q.pcr, 0, sizeof(q.pcr));
    for (size_t i = 17; i <= 22; i++) {
        memset(q.pcr[i], 0xff, 32);
    }
    put_log(&log, q.pcr);
    build(&q);
    struct call c = call_of(&q);
    add(&c, "log", buf_bytes(&log));
    expect(&c, ATTEST_LINKS, "ok");
    CHECK(attest_claim_find(&v, "eventlog.secure_boot")->u64 == 1);
    c.item[2] = c.item[3]; /* the log alone gives the values */
    c.n_item = 3;
    expect(&c, ATTEST_LINKS, "ok");
    CHECK(bytes_eq(attest_claim_find(&v, "tpm.pcr.sha256.7")->bytes, BYTES_OF(q.pcr[7])));
    CHECK(bytes_eq(attest_claim_find(&v, "eventlog.crtm_version")->bytes, BYTES_LIT("firmware 1")));

    size_t data_at = 65 + 12 + 2 + 32 + 4; /* of the first event */
    CHECK(log.p[data_at] == 'f');
    log.p[data_at] ^= 1; /* replays, but says something else */
    expect(&c, ATTEST_BINDING, "event-data");
    log.p[data_at] ^= 1;
    log.p[65 + 14] ^= 1; /* another digest */
    CHECK(!judge(&c) && attest_first_broken(&v) == ATTEST_BINDING);
    log.p[65 + 14] ^= 1;
    for (size_t n = 65 + 1; n < log.n; n++) { /* cut between events it is another log */
        c.item[2].data.n = n;
        CHECK(!judge(&c) && attest_first_broken(&v) == ATTEST_BINDING);
    }

    struct call alone = {.evidence = buf_bytes(&log)};
    expect(&alone, ATTEST_SIGNATURE, "not-signed");
    CHECK(bytes_eq(attest_claim_find(&v, "eventlog.7:sha256")->bytes, BYTES_OF(q.pcr[7])));
    log.p[data_at] ^= 1;
    expect(&alone, ATTEST_BINDING, "event-data");
    log.p[data_at] ^= 1;
    log.p[65 + 8] = 2; /* two digests where there is one */
    expect(&alone, ATTEST_FORMAT, "malformed");
    log.p[65 + 8] = 1;
    log.p[65] = 24; /* no such register */
    expect(&alone, ATTEST_FORMAT, "malformed");
    done(&q);
}

/* --- Azure over TDX ----------------------------------------------------------------------------- */

struct hcl {
    struct buf json, report;
    struct fix td;
    struct quote q;
};

static void put_jwk(struct buf *b, const char *kid, EVP_PKEY *key)
{
    BIGNUM *n = NULL;
    uint8_t bytes[256];
    CHECK(EVP_PKEY_get_bn_param(key, "n", &n) == 1 && BN_bn2binpad(n, bytes, 256) == 256);
    BN_free(n);
    put_fmt(b, "{\"kid\":\"%s\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"",
            kid);
    put_base64url(b, BYTES_OF(bytes));
    put_str(b, "\"}");
}

static void put_report(struct hcl *h, const uint8_t data[64])
{
    h->report = buf_new(1 << 16);
    put_mem(&h->report, "HCLA\x02\0\0\0\0\0\0\0\x02\0\0\0", 16);
    put_zero(&h->report, 16);
    put_mem(&h->report, "\x81", 1);
    put_zero(&h->report, 127);
    put_mem(&h->report, data, 64);
    put_zero(&h->report, 1184 - 192);
    fix_put_le(&h->report, h->json.n + 20, 4);
    fix_put_le(&h->report, 1, 4);
    fix_put_le(&h->report, 4, 4);
    fix_put_le(&h->report, 1, 4);
    fix_put_le(&h->report, h->json.n, 4);
    put_bytes(&h->report, buf_bytes(&h->json));
    put_zero(&h->report, 40);
}

static void hcl_build(struct hcl *h, const char *more)
{
    h->json = buf_new(1 << 16);
    h->q = good(TPM_RSASSA);
    build(&h->q);
    put_str(&h->json, "{\"keys\":[");
    put_jwk(&h->json, "HCLAkPub", h->q.ak);
    put_fmt(&h->json, "],\"vm-configuration\":{\"secure-boot\":true}%s}", more);
    h->td = fix_new(4, 1);
    struct hash d = sha256(buf_bytes(&h->json));
    memcpy(h->td.report_data, d.b, 32);
    memset(h->td.report_data + 32, 0, 32);
    fix_build(&h->td);
    put_report(h, h->td.report_data);
}

static void hcl_done(struct hcl *h)
{
    fix_free(&h->td);
    done(&h->q);
    buf_free(&h->json);
    buf_free(&h->report);
}

static struct call hcl_call(const struct hcl *h)
{
    struct call c = {.evidence = buf_bytes(&h->report), .nonce = BYTES_OF(nonce)};
    add(&c, "td quote", buf_bytes(&h->td.quote));
    add(&c, "quote", buf_bytes(&h->q.msg));
    add(&c, "signature", buf_bytes(&h->q.sig));
    add(&c, "pcrs", buf_bytes(&h->q.pcrs));
    for (size_t i = 0; i < h->td.n_item; i++) {
        add(&c, h->td.item[i].name, h->td.item[i].data);
    }
    trust(&c, "tdx", h->td.anchor.type, h->td.anchor.data);
    return c;
}

static void test_azure(void)
{
    struct hcl h = {0}, other = {0};
    hcl_build(&h, "");
    hcl_build(&other, "");
    struct call c = hcl_call(&h);
    expect(&c, ATTEST_LINKS, "ok");
    CHECK(attest_claim_find(&v, "azure.secure-boot")->u64 == 1);
    CHECK(attest_claim_find(&v, "tpm.pcr.sha256.3") != NULL);
    c.nonce = BYTES_LIT("replay");
    expect(&c, ATTEST_BINDING, "nonce-differs");

    struct call swapped = hcl_call(&h); /* the quote of another machine */
    swapped.item[1].data = buf_bytes(&other.q.msg);
    swapped.item[2].data = buf_bytes(&other.q.sig);
    expect(&swapped, ATTEST_SIGNATURE, "quote-signature");
    swapped = hcl_call(&h); /* the attacker's key in the JSON, everything else genuine */
    swapped.evidence = buf_bytes(&other.report);
    swapped.item[1].data = buf_bytes(&other.q.msg);
    swapped.item[2].data = buf_bytes(&other.q.sig);
    expect(&swapped, ATTEST_BINDING, "td-quote");
    size_t key_at = 0x4d4 + 100;
    uint8_t was = h.report.p[key_at]; /* a digit of the key */
    h.report.p[key_at] = was == 'A' ? 'B' : 'A';
    c = hcl_call(&h);
    expect(&c, ATTEST_BINDING, "runtime-data");
    h.report.p[key_at] = was;
    c = hcl_call(&h);
    c.item[1].data = c.item[2].data = BYTES_LIT("none");
    c.nonce = (struct bytes){0};
    expect(&c, ATTEST_SIGNATURE, "no-quote");
    c = hcl_call(&h);
    c.item[0].data = BYTES_LIT("none");
    expect(&c, ATTEST_SIGNATURE, "no-td-quote");
    h.q.pcrs.p[0] ^= 1;
    c = hcl_call(&h);
    expect(&c, ATTEST_BINDING, "pcr-digest");
    h.q.pcrs.p[0] ^= 1;
    for (size_t n = 0; n < h.report.n - 40; n += 7) {
        c = hcl_call(&h);
        c.evidence.n = n;
        CHECK(!judge(&c) && attest_first_broken(&v) == ATTEST_FORMAT);
    }
    h.report.p[h.report.n - 1] = 1;
    c = hcl_call(&h);
    expect(&c, ATTEST_FORMAT, "malformed");
    hcl_done(&h);

    hcl_build(&h, ",\"keys\":[]"); /* signed by the platform, and still ambiguous */
    c = hcl_call(&h);
    expect(&c, ATTEST_FORMAT, "runtime-data");
    hcl_done(&h);
    hcl_done(&other);
}

/* --- JSON --------------------------------------------------------------------------------------- */

static void put_b64_member(struct buf *b, const char *name, struct bytes data)
{
    put_fmt(b, "\"%s\":\"", name);
    put_base64(b, data);
    put_str(b, "\"");
}

static void test_json(void)
{
    struct quote q = good(TPM_ECDSA);
    BUF_FREE json = buf_new(1 << 16);
    build(&q);
    put_str(&json, "{");
    put_b64_member(&json, "akPub", buf_bytes(&q.pub));
    put_str(&json, ",\"quotes\":[{");
    put_b64_member(&json, "quote", buf_bytes(&q.msg));
    put_str(&json, ",");
    put_b64_member(&json, "rawSig", buf_bytes(&q.sig));
    put_str(&json, ",\"pcrs\":{\"hash\":\"SHA256\",\"pcrs\":{");
    for (size_t i = 0; i < 24; i++) { /* in the order of text, as such documents have them */
        size_t k = (i * 7 + 3) % 24;
        char name[8];
        (void)snprintf(name, sizeof(name), "%zu", k);
        put_str(&json, i > 0 ? "," : "");
        put_b64_member(&json, name, BYTES_OF(q.pcr[k]));
    }
    put_str(&json, "}}}]}");
    struct call c = {.evidence = buf_bytes(&json), .nonce = BYTES_OF(nonce)};
    trust(&c, "tpm", ATTEST_ANCHOR_KEY, buf_bytes(&q.spki));
    expect(&c, ATTEST_LINKS, "ok");
    CHECK(strcmp(v.envelope, "JSON") == 0);
    CHECK(attest_claim_find(&v, "tpm.pcr.sha256.23")->bytes.p[0] == 23);
    for (size_t n = 1; n < json.n; n += 11) {
        c.evidence.n = n;
        CHECK(!judge(&c) && attest_first_broken(&v) == ATTEST_FORMAT);
    }
    c.evidence = BYTES_LIT("{\"quote\":\"\",\"quote\":\"\"}");
    expect(&c, ATTEST_FORMAT, "json");
    c.evidence = BYTES_LIT("{\"a\":[1,2,3],\"b\":{\"c\":\"hello\"}}");
    expect(&c, ATTEST_FORMAT, "json");
    done(&q);
}

int main(void)
{
    arena_init(&arena, ATTEST_SCRATCH);
    attest_policy_default(&policy);
    test_schemes();
    test_trust();
    test_certificate();
    test_log();
    test_azure();
    test_json();
    arena_reset(&arena);
    return 0;
}
