/* SPDX-License-Identifier: Apache-2.0 */
/* nitro.c - AWS Nitro Enclaves attestation documents. Source: AWS, attestation_process.md of the Nitro
 * Enclaves NSM API. SPEC attestation 5 */
#include "attest/attest_int.h"
#include "attest/cose_kinds.h"
#include "crypto/sha2.h"
#include "crypto/x509.h"
#include "encoding/cborpull.h"
#include "encoding/cose.h"

enum { PCR_MAX = 32, CA_MAX = 8, CERT_MAX = 2048, PCR_SIZE = 48 };
enum { PUBLIC_KEY_MAX = 1024, USER_DATA_MAX = 512, NONCE_MAX = 512, MODULE_ID_MAX = 256 };

/* SHA-256 of "aws.nitro-enclaves" root G1, DER. */
static const struct hash aws_root = {{0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef,
                                      0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
                                      0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0,
                                      0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b}};

struct document {
    struct cose cose;
    struct bytes module_id, digest, certificate, public_key, user_data, nonce;
    struct bytes pcr[PCR_MAX], ca[CA_MAX];
    size_t n_pcr, n_ca;
    uint64_t timestamp_ms;
};

/* --- reading ------------------------------------------------------------------------------------ */

static bool identify(struct bytes b)
{
    enum cose_tag tag;
    struct cur payload;
    struct cbor_seq s;
    if (!cose_begins(b, &tag, &payload) || tag == COSE_MAC0) {
        return false;
    }
    cbor_take_map(&payload, &s, CBOR_ANY_LENGTH);
    return cbor_more(&payload, &s) && cbor_peek(&payload) == CBOR_TEXT;
}

/* AWS limits every string; of the optional ones an empty one is genuine. */
static struct bytes take_limited(struct cur *c, size_t least, size_t most)
{
    struct bytes b = cbor_take_bytes(c);
    if (b.n < least || b.n > most) {
        cur_fail(c, "a field is shorter or longer than a document may have");
    }
    return c->bad != NULL ? (struct bytes){0} : b;
}

static struct bytes take_optional(struct cur *c, size_t most)
{
    return cbor_take_null(c) ? (struct bytes){0} : take_limited(c, 0, most);
}

static void take_pcrs(struct cur *c, struct document *d)
{
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_ANY_LENGTH);
    while (cbor_more(c, &s)) {
        int64_t i = cbor_key_int(c, &s);
        struct bytes v = take_limited(c, PCR_SIZE, PCR_SIZE);
        if (c->bad == NULL && (i < 0 || i >= PCR_MAX)) {
            cur_fail(c, "a PCR's index is out of range");
        } else if (c->bad == NULL) {
            d->pcr[i] = v;
            d->n_pcr++;
        }
    }
    if (c->bad == NULL && d->pcr[0].p == NULL) {
        cur_fail(c, "PCR 0 is missing");
    }
}

static void take_cabundle(struct cur *c, struct document *d)
{
    struct cbor_seq s;
    cbor_take_array(c, &s, CBOR_ANY_LENGTH);
    while (cbor_more(c, &s)) {
        if (d->n_ca == CA_MAX) {
            cur_fail(c, "more certificates than any chain has");
            return;
        }
        d->ca[d->n_ca++] = take_limited(c, 1, CERT_MAX);
    }
}

static void take_field(struct cur *c, struct document *d, struct bytes key)
{
    if (bytes_eq(key, BYTES_LIT("module_id"))) {
        d->module_id = cbor_take_text(c);
    } else if (bytes_eq(key, BYTES_LIT("digest"))) {
        d->digest = cbor_take_text(c);
    } else if (bytes_eq(key, BYTES_LIT("timestamp"))) {
        d->timestamp_ms = cbor_take_uint(c);
    } else if (bytes_eq(key, BYTES_LIT("pcrs"))) {
        take_pcrs(c, d);
    } else if (bytes_eq(key, BYTES_LIT("certificate"))) {
        d->certificate = take_limited(c, 1, CERT_MAX);
    } else if (bytes_eq(key, BYTES_LIT("cabundle"))) {
        take_cabundle(c, d);
    } else if (bytes_eq(key, BYTES_LIT("public_key"))) {
        d->public_key = take_optional(c, PUBLIC_KEY_MAX);
    } else if (bytes_eq(key, BYTES_LIT("user_data"))) {
        d->user_data = take_optional(c, USER_DATA_MAX);
    } else if (bytes_eq(key, BYTES_LIT("nonce"))) {
        d->nonce = take_optional(c, NONCE_MAX);
    } else {
        (void)cbor_skip(c, CBOR_ANY_LENGTH);
    }
}

static void take_payload(struct cur *c, struct document *d)
{
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_ANY_LENGTH);
    while (cbor_more(c, &s)) {
        struct bytes key = cbor_key_text(c, &s);
        take_field(c, d, key);
    }
    if (c->bad == NULL &&
        (d->module_id.n == 0 || d->module_id.n > MODULE_ID_MAX || d->timestamp_ms == 0 ||
         d->n_pcr == 0 || d->certificate.n == 0 || d->n_ca == 0)) {
        cur_fail(c, "a field that every document has is missing");
    }
    if (c->bad == NULL && !bytes_eq(d->digest, BYTES_LIT("SHA384"))) {
        cur_fail(c, "the PCRs' digest is not SHA384");
    }
}

static bool is_zero(struct bytes b)
{
    uint8_t any = 0;
    for (size_t i = 0; i < b.n; i++) {
        any |= b.p[i];
    }
    return any == 0;
}

static void claims(struct attest_ctx *c, const struct document *d)
{
    static const char *const names[PCR_MAX] = {
        "nitro.pcr0",  "nitro.pcr1",  "nitro.pcr2",  "nitro.pcr3",  "nitro.pcr4",  "nitro.pcr5",
        "nitro.pcr6",  "nitro.pcr7",  "nitro.pcr8",  "nitro.pcr9",  "nitro.pcr10", "nitro.pcr11",
        "nitro.pcr12", "nitro.pcr13", "nitro.pcr14", "nitro.pcr15", "nitro.pcr16", "nitro.pcr17",
        "nitro.pcr18", "nitro.pcr19", "nitro.pcr20", "nitro.pcr21", "nitro.pcr22", "nitro.pcr23",
        "nitro.pcr24", "nitro.pcr25", "nitro.pcr26", "nitro.pcr27", "nitro.pcr28", "nitro.pcr29",
        "nitro.pcr30", "nitro.pcr31"};
    claim_bytes(c, "measurement", d->pcr[0]);
    if (d->pcr[8].n > 0 && !is_zero(d->pcr[8])) {
        claim_bytes(c, "signer", d->pcr[8]);
    }
    claim_bool(c, "debug", is_zero(d->pcr[0]));
    if (d->user_data.p != NULL) {
        claim_bytes(c, "report_data", d->user_data);
        claim_bytes(c, "nitro.user_data", d->user_data);
    }
    if (d->nonce.p != NULL) {
        claim_bytes(c, "nonce", d->nonce);
    }
    if (d->pcr[4].n > 0 && !is_zero(d->pcr[4])) {
        claim_bytes(c, "platform", d->pcr[4]);
    }
    claim_text(c, "nitro.module_id", d->module_id);
    claim_text(c, "nitro.digest", d->digest);
    claim_u64(c, "nitro.timestamp_ms", d->timestamp_ms);
    claim_u64(c, "nitro.pcr_count", d->n_pcr);
    for (size_t i = 0; i < PCR_MAX; i++) {
        if (d->pcr[i].p != NULL) {
            claim_bytes(c, names[i], d->pcr[i]);
        }
    }
    if (d->public_key.p != NULL) {
        claim_bytes(c, "nitro.public_key", d->public_key);
    }
}

static bool decode(struct attest_ctx *c)
{
    struct document *d = ARENA_NEW(c->a, struct document);
    struct cur all = cur_of(c->evidence);
    if (d == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    if (!rc_ok(cose_take(&d->cose, &all)) || all.n > 0) {
        return cose_fault(c, &all, "bytes behind the document");
    }
    struct cur payload = cur_of(d->cose.payload);
    take_payload(&payload, d);
    if (!rc_ok(cur_end(&payload))) {
        return cose_fault(c, &payload, "bytes behind the document's map");
    }
    c->parsed = d;
    claims(c, d);
    return true;
}

/* --- judging ------------------------------------------------------------------------------------ */

static bool is_anchor(struct attest_ctx *c, const struct x509 *root)
{
    size_t i = 0;
    if (!c->in->no_builtin_roots && hash_eq(sha256(root->der), aws_root)) {
        return true;
    }
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        if ((a->type == ATTEST_ANCHOR_CERT && bytes_eq(a->data, root->der)) ||
            (a->type == ATTEST_ANCHOR_KEY && bytes_eq(a->data, root->spki))) {
            return true;
        }
    }
    return false;
}

/* Valid when it is asked for, and when the document says that it was made. */
static void check_dates(struct attest_ctx *c, const struct x509 *x, const char *name, int64_t made)
{
    attest_window(c, true, name, x->not_before, x->not_after);
    if (made < x->not_before || made > x->not_after) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "timestamp", .subject = name,
                          .reason = "the document's own time is outside of the certificate's");
    }
}

static bool read_cert(struct attest_ctx *c, struct x509 *x, struct bytes der, const char *name)
{
    const char *why = "";
    if (!rc_ok(x509_parse(x, der, &why))) {
        return attest_fail(c, ATTEST_CHAIN, .code = "certificate", .subject = name, .reason = why);
    }
    if (x->key.kind != PK_P384) {
        return attest_fail(c, ATTEST_CHAIN, .code = "certificate", .subject = name,
                           .reason = "the certificate's key is not of curve P-384");
    }
    return true;
}

static bool check_link(struct attest_ctx *c, const struct x509 *x, const struct x509 *ca,
                       const char *name, int below)
{
    const char *fault = x509_issuer_fault(x, ca, below);
    if (fault != NULL) {
        return attest_fail(c, ATTEST_CHAIN, .code = "issuer", .subject = name, .reason = fault);
    }
    if (!rc_ok(x509_signed_by(x, &ca->key))) {
        return attest_fail(c, ATTEST_CHAIN, .code = "certificate-signature", .subject = name,
                           .reason = "the certificate is not signed by its issuer's key");
    }
    return true;
}

static bool leaf_usable(struct attest_ctx *c, const struct x509 *leaf)
{
    if (leaf->is_ca || (leaf->has_usage && (leaf->usage & X509_USAGE_SIGN) == 0) ||
        leaf->unknown_critical) {
        return attest_fail(c, ATTEST_CHAIN, .code = "leaf-usage", .subject = "enclave certificate",
                           .reason = "the certificate is not one for signing documents");
    }
    return true;
}

/* cabundle is ordered from the root to the leaf's issuer. The root is trusted for its bytes, so its
 * own signature says nothing more. */
static void verify_chain(struct attest_ctx *c, const struct document *d, const struct x509 *leaf)
{
    struct x509 *ca = ARENA_ARRAY(c->a, struct x509, CA_MAX);
    int64_t made = (int64_t)(d->timestamp_ms / 1000);
    if (ca == NULL) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "memory", .reason = "no memory left");
        return;
    }
    for (size_t i = 0; i < d->n_ca; i++) {
        if (!read_cert(c, &ca[i], d->ca[i], attest_textf(c, "cabundle[%zu]", i))) {
            return;
        }
    }
    bool trusted = is_anchor(c, &ca[0]);
    if (!trusted) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "untrusted-root", .subject = "cabundle[0]",
                          .reason = "the root is not AWS's root for Nitro Enclaves",
                          .fix = "name the root as an anchor if it is your own");
    }
    check_dates(c, leaf, "enclave certificate", made);
    for (size_t i = d->n_ca; i-- > 0;) {
        const char *name = attest_textf(c, "cabundle[%zu]", i);
        check_dates(c, &ca[i], name, made);
    }
    for (size_t i = d->n_ca; trusted && i-- > 0;) {
        bool last = i + 1 == d->n_ca;
        const char *name = last ? "enclave certificate" : attest_textf(c, "cabundle[%zu]", i + 1);
        if (!check_link(c, last ? leaf : &ca[i + 1], &ca[i], name, (int)(d->n_ca - 1 - i))) {
            return;
        }
    }
    if (leaf_usable(c, leaf)) {
        attest_pass(c, ATTEST_CHAIN, "the key leads to AWS's root for Nitro Enclaves");
    }
}

/* The document's age is what a policy's maximum age bounds: the certificate alone lives for hours. */
static void verify_age(struct attest_ctx *c, const struct document *d)
{
    uint64_t made = d->timestamp_ms / 1000;
    uint64_t now = c->in->now > 0 ? (uint64_t)c->in->now : 0;
    if (now < made) {
        (void)attest_fail(c, ATTEST_FRESHNESS, .code = "not-yet-valid", .subject = "timestamp",
                          .reason = "the document was made after the time that is asked for",
                          .fix = "check the time that is asked for");
    } else if (c->policy->max_age_s > 0 && now - made > c->policy->max_age_s) {
        (void)attest_fail(c, ATTEST_FRESHNESS, .code = "too-old", .subject = "timestamp",
                          .reason = attest_textf(c,
                                                 "the document is %llu s old, the policy allows "
                                                 "%llu",
                                                 (unsigned long long)(now - made),
                                                 (unsigned long long)c->policy->max_age_s),
                          .fix = "ask the enclave for a new document");
    } else {
        attest_pass(c, ATTEST_FRESHNESS, "the document is not from the future nor too old");
    }
}

static void verify(struct attest_ctx *c)
{
    const struct document *d = c->parsed;
    struct x509 leaf;
    attest_na(c, ATTEST_REVOCATION,
              "AWS publishes no revocation list: certificates live for hours");
    attest_na(c, ATTEST_TCB, "AWS states no platform version");
    if (!read_cert(c, &leaf, d->certificate, "enclave certificate")) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "no-key",
                          .reason = "the certificate with the key cannot be read");
        return;
    }
    cose_judge_sign1(c, &d->cose, &leaf.key, "the document is signed by the enclave's certificate");
    verify_chain(c, d, &leaf);
    verify_age(c, d);
}

const struct attest_backend attest_backend_nitro = {
    .name = "nitro",
    .title = "AWS Nitro document",
    .identify = identify,
    .decode = decode,
    .verify = verify,
};
