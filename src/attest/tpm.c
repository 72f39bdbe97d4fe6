/* SPDX-License-Identifier: Apache-2.0 */
/* tpm.c - TPM 2.0 quotes. The evidence is the TPMS_ATTEST; its signature, the key, register values
 * and the event log lie beside it and are known by what their bytes are. SPEC attestation 4
 *
 * The attestation key (AK) is trusted when an anchor is the key itself (as SubjectPublicKeyInfo, as
 * public area, or by its name: whoever proved by MakeCredential that the name lives in a TPM, or has
 * the key from an endorsement, says so), or when its certificate leads to an anchor. */
#include "attest/tpm_int.h"
#include "encoding/pem.h"

enum { CERTS = 24, PUBLICS = 8, SPKIS = 8, PATH_MAX_CERTS = 5 };

struct keys {
    struct x509 cert[CERTS];
    struct tpm_public pub[PUBLICS];
    struct pubkey spki[SPKIS];
    size_t n_cert, n_pub, n_spki;
};

static bool decode(struct attest_ctx *c)
{
    struct tpm_quote *q = ARENA_NEW(c->a, struct tpm_quote);
    if (q == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    if (!tpm_quote_read(c, q, c->evidence)) {
        return false;
    }
    c->parsed = q;
    tpm_quote_claims(c, q);
    return true;
}

/* --- what lies beside the quote ----------------------------------------------------------------- */

static void take_der(struct keys *k, struct bytes der)
{
    const char *why;
    if (k->n_cert < CERTS && rc_ok(x509_parse(&k->cert[k->n_cert], der, &why))) {
        k->n_cert++;
    } else if (k->n_spki < SPKIS && rc_ok(x509_parse_spki(&k->spki[k->n_spki], der, &why))) {
        k->n_spki++;
    }
}

static void take_key(struct attest_ctx *c, struct keys *k, struct bytes data)
{
    static const char *const labels[] = {"CERTIFICATE", "PUBLIC KEY"};
    if (data.n > 8192 * 4) {
        return;
    }
    if (data.n > 0 && data.p[0] == 0x30) {
        take_der(k, data);
        return;
    }
    if (k->n_pub < PUBLICS && tpm_public_read(&k->pub[k->n_pub], c->a, data)) {
        k->n_pub++;
        return;
    }
    for (size_t l = 0; l < ARRAY_LEN(labels); l++) {
        struct cur text = cur_of(data);
        struct bytes der;
        for (size_t i = 0; i < 8 && rc_ok(pem_take_arena(&der, c->a, &text, labels[l])); i++) {
            take_der(k, der);
        }
    }
}

static void take_all(struct attest_ctx *c, struct keys *k)
{
    const struct attest_item *it;
    size_t i = 0;
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        take_key(c, k, a->data);
    }
    for (i = 0; (it = attest_item_at(c, i)) != NULL; i++) {
        take_key(c, k, it->data);
    }
}

/* The key that signed the quote; NULL after the signature link is broken. */
static const struct pubkey *find_signer(struct attest_ctx *c, const struct keys *k,
                                        const struct tpm_quote *q)
{
    const char *scheme = "";
    bool signature = false, any = k->n_cert + k->n_pub + k->n_spki > 0;
    for (size_t i = 0; i < k->n_pub + k->n_spki + k->n_cert; i++) {
        const struct pubkey *key = i < k->n_pub ? &k->pub[i].key
                                   : i < k->n_pub + k->n_spki
                                       ? &k->spki[i - k->n_pub]
                                       : &k->cert[i - k->n_pub - k->n_spki].key;
        int r = tpm_signed_by(c, q, key, &scheme);
        if (r == 1) {
            attest_pass(c, ATTEST_SIGNATURE,
                        attest_textf(c, "the quote is signed (%s) by the attestation key", scheme));
            return key;
        }
        signature |= r == 0;
    }
    if (signature) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "signature-wrong", .at = 1,
                          .reason = "the quote is not signed by a key that was given, or changed");
    } else {
        (void)attest_missing(
            c, ATTEST_SIGNATURE, .code = any ? "no-signature" : "no-key",
            .reason = any ? "no signature of the quote was given" : "no attestation key was given",
            .fix = any ? "put the quote's signature (TPMT_SIGNATURE) beside it"
                       : "put the attestation key's certificate or public area beside the quote");
    }
    return NULL;
}

/* --- trust in the key --------------------------------------------------------------------------- */

static const struct tpm_public *public_of(const struct keys *k, const struct pubkey *key)
{
    for (size_t i = 0; i < k->n_pub; i++) {
        if (tpm_key_eq(&k->pub[i].key, key)) {
            return &k->pub[i];
        }
    }
    return NULL;
}

static bool check_attributes(struct attest_ctx *c, const struct tpm_public *p)
{
    static const struct {
        uint32_t bit;
        const char *without;
    } needed[] = {
        {TPM_RESTRICTED, "the key is not restricted: it signs what its owner likes"},
        {TPM_SIGN, "the key is not for signing"},
        {TPM_FIXED_TPM, "the key may leave the TPM"},
        {TPM_FIXED_PARENT, "the key may move to another parent"},
    };
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if ((p->attributes & needed[i].bit) == 0) {
            return attest_fail(c, ATTEST_CHAIN, .code = "key-attributes", .subject = "AK",
                               .reason = needed[i].without,
                               .fix = "quote with a restricted signing key fixed to the TPM");
        }
    }
    if ((p->attributes & TPM_DECRYPT) != 0) {
        return attest_fail(c, ATTEST_CHAIN, .code = "key-attributes", .subject = "AK",
                           .reason = "the key also decrypts");
    }
    return true;
}

static bool anchor_is_key(struct attest_ctx *c, const struct attest_anchor *a,
                          const struct pubkey *key, const struct tpm_public *pub)
{
    struct pubkey k;
    struct tpm_public p;
    uint8_t name[2 + TPM_DIGEST_MAX];
    const char *why;
    if (a->type != ATTEST_ANCHOR_KEY) {
        return false;
    }
    if (pub != NULL && bytes_eq(a->data, (struct bytes){name, tpm_name(name, pub)})) {
        return true;
    }
    if (rc_ok(x509_parse_spki(&k, a->data, &why))) {
        return tpm_key_eq(&k, key);
    }
    return tpm_public_read(&p, c->a, a->data) && tpm_key_eq(&p.key, key);
}

static bool anchor_is_cert(struct attest_ctx *c, const struct x509 *x)
{
    size_t i = 0;
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        struct x509 t;
        const char *why;
        if ((a->type == ATTEST_ANCHOR_KEY && bytes_eq(a->data, x->spki)) ||
            (a->type == ATTEST_ANCHOR_CERT && rc_ok(x509_parse(&t, a->data, &why)) &&
             bytes_eq(t.spki, x->spki) && bytes_eq(t.subject, x->subject))) {
            return true;
        }
    }
    return false;
}

static const char *subject_name(struct attest_ctx *c, const struct x509 *x)
{
    struct bytes cn = x509_name_attr(x->subject, BYTES_LIT("\x55\x04\x03"));
    return cn.n > 0 ? attest_textf(c, "%.*s", (int)MIN(cn.n, 80), cn.p) : "AK certificate";
}

/* Is x revoked by a list of its issuer? Says so in the revocation link. */
static void check_revoked(struct attest_ctx *c, const struct x509 *x, const struct x509 *ca)
{
    const struct attest_item *it;
    const char *name = subject_name(c, x);
    for (size_t i = 0; (it = attest_item_at(c, i)) != NULL; i++) {
        struct x509_crl crl;
        const char *why;
        if (!rc_ok(x509_crl_parse(&crl, it->data, &why)) || !bytes_eq(crl.issuer, ca->subject) ||
            !rc_ok(x509_crl_signed_by(&crl, &ca->key))) {
            continue;
        }
        attest_window(c, false, "revocation list", crl.this_update, crl.next_update);
        if (x509_crl_has(&crl, x->serial)) {
            (void)attest_fail(c, ATTEST_REVOCATION, .code = "revoked", .subject = name,
                              .reason = "the certificate's issuer has revoked it");
        } else {
            attest_pass(c, ATTEST_REVOCATION, "no certificate on the way is revoked");
        }
        return;
    }
    (void)attest_missing(c, ATTEST_REVOCATION, .code = "no-crl", .subject = name,
                         .reason = "no revocation list of the certificate's issuer was given",
                         .fix =
                             "add it to the collateral, or set \"revocation\": \"optional\" in "
                             "the policy");
}

static const struct x509 *issuer_of(const struct keys *k, const struct x509 *x, int below,
                                    const char **fault)
{
    for (size_t i = 0; i < k->n_cert; i++) {
        const struct x509 *ca = &k->cert[i];
        if (ca == x || !bytes_eq(ca->subject, x->issuer)) {
            continue;
        }
        const char *why = x509_issuer_fault(x, ca, below);
        if (why == NULL && rc_ok(x509_signed_by(x, &ca->key))) {
            return ca;
        }
        *fault = why != NULL ? why : "it is not signed by its issuer's key";
    }
    return NULL;
}

static void judge_certificate(struct attest_ctx *c, const struct keys *k, const struct x509 *leaf)
{
    const struct x509 *x = leaf;
    for (int below = 0; below < PATH_MAX_CERTS; below++) {
        const char *fault = NULL, *name = subject_name(c, x);
        attest_window(c, true, name, x->not_before, x->not_after);
        if (below == 0 && (x->is_ca || x->unknown_critical)) {
            (void)attest_fail(c, ATTEST_CHAIN, .code = "certificate", .subject = name,
                              .reason = x->is_ca ? "the attestation key's certificate is a CA's"
                                                 : "an unknown critical extension");
            return;
        }
        if (anchor_is_cert(c, x)) {
            if (below == 0) {
                attest_na(c, ATTEST_REVOCATION, "the certificate itself is a trust anchor");
            }
            attest_pass(c, ATTEST_CHAIN, "the attestation key's certificate leads to an anchor");
            return;
        }
        const struct x509 *ca = issuer_of(k, x, below, &fault);
        if (ca == NULL) {
            (void)attest_fail(
                c, ATTEST_CHAIN, .code = fault != NULL ? "certificate-signature" : "untrusted-root",
                .subject = name,
                .reason = fault != NULL ? fault : "the certificate leads to no trust anchor",
                .fix =
                    "give the TPM vendor's or cloud's root as an anchor (tpm:FILE) "
                    "and the certificates between in the collateral");
            return;
        }
        check_revoked(c, x, ca);
        x = ca;
    }
    (void)attest_fail(c, ATTEST_CHAIN, .code = "path-length", .reason = "the path is too long");
}

static void judge_key(struct attest_ctx *c, const struct keys *k, const struct pubkey *key)
{
    const struct tpm_public *pub = public_of(k, key);
    uint8_t *name = arena_alloc(c->a, 2 + TPM_DIGEST_MAX);
    size_t i = 0;
    if (pub != NULL && !check_attributes(c, pub)) {
        return;
    }
    if (pub != NULL && name != NULL) {
        struct bytes n = {name, tpm_name(name, pub)};
        claim_bytes(c, "signer", n);
        claim_bytes(c, "tpm.ak_name", n);
        claim_u64(c, "tpm.ak_attributes", pub->attributes);
    }
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        if (anchor_is_key(c, a, key, pub)) {
            attest_na(c, ATTEST_REVOCATION, "the key itself is a trust anchor");
            attest_pass(c, ATTEST_CHAIN,
                        pub != NULL ? "the attestation key is an anchor, and fixed to its TPM"
                                    : "the attestation key is an anchor");
            return;
        }
    }
    for (i = 0; i < k->n_cert; i++) {
        if (tpm_key_eq(&k->cert[i].key, key)) {
            judge_certificate(c, k, &k->cert[i]);
            return;
        }
    }
    (void)attest_fail(c, ATTEST_CHAIN, .code = "untrusted-key",
                      .reason = "nothing vouches for the attestation key",
                      .fix =
                          "give its certificate, or the key or its name as an anchor (tpm:FILE) "
                          "when you have proved by MakeCredential that it lives in the TPM");
}

static void verify(struct attest_ctx *c)
{
    const struct tpm_quote *q = c->parsed;
    struct keys *k = ARENA_NEW(c->a, struct keys);
    if (k == NULL) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "memory", .reason = "no memory left");
        return;
    }
    take_all(c, k);
    const struct pubkey *key = find_signer(c, k, q);
    if (key != NULL) {
        judge_key(c, k, key);
    } else {
        (void)attest_missing(c, ATTEST_CHAIN, .code = "no-key",
                             .reason = "no key is known that signed the quote");
    }
    tpm_judge_registers(c, q);
    attest_na(c, ATTEST_TCB, "a TPM states its firmware, vendors publish no TCB status");
}

const struct attest_backend attest_backend_tpm = {
    .name = "tpm",
    .title = "TPM 2.0 quote",
    .identify = tpm_is_attest,
    .decode = decode,
    .verify = verify,
};
