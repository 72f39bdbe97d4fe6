/* SPDX-License-Identifier: Apache-2.0 */
/* intel_chain.c - from the PCK certificate to a trusted root, and whether anything on the way is
 * revoked. Certificates are linked by issuer and subject, never by position, and end at a pinned key,
 * never at the root that came along. SPEC attestation 1.2 (1, 2) */
#include "attest/intel_int.h"

enum { TRIES_MAX = 6 /* signature checks spent on equally named issuers */ };

const char *intel_name_of(struct attest_ctx *c, struct bytes name)
{
    struct bytes cn = x509_name_attr(name, BYTES_LIT("\x55\x04\x03"));
    char text[65];
    size_t n = MIN(cn.n, sizeof(text) - 1);
    for (size_t i = 0; i < n; i++) {
        text[i] = cn.p[i] >= 0x20 && cn.p[i] < 0x7f ? (char)cn.p[i] : '?';
    }
    text[n] = '\0';
    return attest_textf(c, "%s", n > 0 ? text : "(no common name)");
}

void intel_collect_roots(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    if (!c->in->no_builtin_roots) {
        j->root[j->n_root++] = (struct intel_root){
            .key = intel_root_key,
            .name = "Intel SGX Root CA",
            .builtin = true,
        };
    }
    size_t i = 0;
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        const char *why = NULL;
        struct intel_root r = {.name = a->name != NULL ? a->name : "the caller's anchor"};
        struct x509 *x = ARENA_NEW(c->a, struct x509);
        if (j->n_root == INTEL_ROOTS_MAX || x == NULL) {
            break;
        }
        if (a->type == ATTEST_ANCHOR_CERT && rc_ok(x509_parse(x, a->data, &why))) {
            r.key = x->key;
            r.subject = x->subject;
            r.cert = x;
        } else if (a->type == ATTEST_ANCHOR_KEY) {
            (void)!rc_ok(x509_parse_spki(&r.key, a->data, &why));
        }
        if (r.key.kind == PK_P256) {
            j->root[j->n_root++] = r;
        }
    }
}

bool intel_root_named(const struct intel_root *r, struct bytes name)
{
    if (r->builtin) {
        return intel_named(name, "Intel SGX Root CA");
    }
    return r->subject.n == 0 || bytes_eq(r->subject, name);
}

/* The chain. */

/* The two encodings of Intel's root certificate: known to be signed by themselves. */
static bool known_root(struct bytes der)
{
    static const uint8_t known[2][32] = {
        {0x44, 0xa0, 0x19, 0x6b, 0x2b, 0x99, 0xf8, 0x89, 0xb8, 0xe1, 0x49,
         0xe9, 0x5b, 0x80, 0x7a, 0x35, 0x0e, 0x74, 0x24, 0x96, 0x43, 0x99,
         0xe8, 0x85, 0xa7, 0xcb, 0xb8, 0xcc, 0xfa, 0xb6, 0x74, 0xd3},
        {0xfc, 0x64, 0xf8, 0x07, 0x6d, 0x79, 0xa4, 0xfe, 0xe9, 0xd1, 0xd4,
         0x73, 0xd7, 0x4c, 0x89, 0xeb, 0x8d, 0x8f, 0xd5, 0x5c, 0x5a, 0xba,
         0xfe, 0xab, 0xeb, 0xa7, 0x36, 0x6d, 0x20, 0x42, 0x94, 0x04},
    };
    uint8_t digest[64];
    pk_digest(digest, PK_SHA256, der);
    return memcmp(digest, known[0], 32) == 0 || memcmp(digest, known[1], 32) == 0;
}

/* A root certificate inside the quote adds nothing to a pinned key, but one that contradicts itself
 * is not passed over. */
static void check_enclosed_roots(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    for (size_t i = 0; i < j->p->n_enclosed; i++) {
        const struct x509 *x = &j->p->store.cert[i]->x;
        if (!bytes_eq(x->issuer, x->subject) ||
            bytes_eq(j->p->store.cert[i]->signer.point, x->key.point) || known_root(x->der)) {
            continue;
        }
        rc r = x509_signed_by(x, &x->key);
        if (r.code == RC_CODE_MALFORMED) {
            (void)attest_fail(c, ATTEST_FORMAT, .code = "certificate-key",
                              .subject = intel_name_of(c, x->subject),
                              .reason =
                                  "a certificate in the quote has a key or signature that is "
                                  "none");
        } else if (!rc_ok(r)) {
            (void)attest_fail(
                c, ATTEST_CHAIN, .code = "root-signature", .subject = intel_name_of(c, x->subject),
                .reason = "the root certificate in the quote is not signed by itself");
        }
    }
}

/* The certificate authority that issued x: by name and signature. When several have the name, one
 * that is valid at the time is preferred. *fault: why the best candidate failed. */
static struct intel_cert *find_issuer(struct intel_job *j, struct intel_cert *x, const char **fault)
{
    struct intel_cert *ca;
    int tries = 0;
    *fault = NULL;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; (ca = intel_cert_at(j->store, i)) != NULL; i++) {
            if (ca == x || !bytes_eq(x->x.issuer, ca->x.subject) ||
                intel_valid_at(&ca->x, j->c->in->now) != (pass == 0)) {
                continue;
            }
            const char *why = x509_issuer_fault(&x->x, &ca->x, 0);
            if (why == NULL && tries++ < TRIES_MAX && intel_cert_signed_by(x, &ca->x.key)) {
                return ca;
            }
            if (*fault == NULL) {
                *fault = why != NULL ? why : "its signature is not by the issuer's key";
            }
        }
    }
    return NULL;
}

static const struct intel_root *find_root(struct intel_job *j, struct intel_cert *x)
{
    for (size_t i = 0; i < j->n_root; i++) {
        if (intel_root_named(&j->root[i], x->x.issuer) &&
            intel_cert_signed_by(x, &j->root[i].key)) {
            return &j->root[i];
        }
    }
    return NULL;
}

/* Root certificates that came along add nothing to a pinned key, but one that contradicts itself or
 * the time is not passed over. */
static void check_root_certs(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    struct intel_cert *x, *best = NULL;
    const struct intel_root *r = j->trusted;
    if (r->cert != NULL) {
        attest_window(c, true, r->name, r->cert->not_before, r->cert->not_after);
        return;
    }
    for (size_t i = 0; (x = intel_cert_at(j->store, i)) != NULL; i++) {
        if (!bytes_eq(x->x.subject, j->ca->x.issuer) || !bytes_eq(x->x.key.point, r->key.point)) {
            continue;
        }
        if (best == NULL ||
            (!intel_valid_at(&best->x, c->in->now) && intel_valid_at(&x->x, c->in->now))) {
            best = x;
        }
    }
    if (best == NULL) {
        return;
    }
    const char *fault = x509_issuer_fault(&j->ca->x, &best->x, 1);
    if (fault != NULL) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "root-certificate", .reason = fault,
                          .subject = intel_name_of(c, best->x.subject));
    }
    attest_window(c, true, "root CA certificate", best->x.not_before, best->x.not_after);
}

static bool fail_chain(struct intel_job *j, const char *code, const struct intel_cert *x,
                       const char *reason)
{
    return attest_fail(j->c, ATTEST_CHAIN, .code = code, .reason = reason,
                       .subject = intel_name_of(j->c, x->x.subject),
                       .fix = "refuse it: genuine quotes lead to the vendor's root");
}

/* x's issuer is no anchor: is it another root, or a signature that does not fit? */
static bool fail_root(struct intel_job *j, struct intel_cert *x)
{
    struct attest_ctx *c = j->c;
    const char *fault;
    const struct intel_cert *other = find_issuer(j, x, &fault);
    if (j->n_root == 0) {
        return attest_fail(c, ATTEST_CHAIN, .code = "no-anchor",
                           .reason = "no trust anchor is given and the built-in roots are off",
                           .fix = "give the root's certificate as an anchor");
    }
    if (other != NULL) {
        return fail_chain(j, "untrusted-root", other,
                          attest_textf(c, "the chain ends in a root that is not trusted: %s",
                                       intel_name_of(c, other->x.subject)));
    }
    return fail_chain(
        j, "chain-signature", x,
        attest_textf(c, "%s is not signed by a trusted root", intel_name_of(c, x->x.subject)));
}

bool intel_check_chain(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    const char *fault;
    if (!intel_named(j->leaf->x.subject, "Intel SGX PCK Certificate") || j->leaf->x.is_ca ||
        j->leaf->x.unknown_critical) {
        return fail_chain(j, "pck-certificate", j->leaf, "the leaf is not a PCK certificate");
    }
    check_enclosed_roots(j);
    attest_window(c, true, "PCK certificate", j->leaf->x.not_before, j->leaf->x.not_after);
    j->ca = find_issuer(j, j->leaf, &fault);
    if (j->ca == NULL && fault == NULL && j->p->store.n_cert > 1 && j->p->q.cert_type == 5) {
        return fail_chain(j, "chain-names", j->leaf,
                          attest_textf(c, "no certificate of %s in the quote's chain",
                                       intel_name_of(c, j->leaf->x.issuer)));
    }
    if (j->ca == NULL && fault == NULL) {
        return attest_missing(c, ATTEST_CHAIN, .code = "issuer-missing",
                              .reason = attest_textf(c, "the certificate of %s is missing",
                                                     intel_name_of(c, j->leaf->x.issuer)),
                              .fix = INTEL_FETCH);
    }
    if (j->ca == NULL) {
        return fail_chain(j, "chain-signature", j->leaf,
                          attest_textf(c, "PCK certificate: %s", fault));
    }
    if (!intel_named(j->ca->x.subject, "Intel SGX PCK Platform CA") &&
        !intel_named(j->ca->x.subject, "Intel SGX PCK Processor CA")) {
        return fail_chain(j, "issuer-name", j->ca, "the PCK certificate's issuer is no PCK CA");
    }
    attest_window(c, true, intel_name_of(c, j->ca->x.subject), j->ca->x.not_before,
                  j->ca->x.not_after);
    j->trusted = find_root(j, j->ca);
    if (j->trusted == NULL) {
        return fail_root(j, j->ca);
    }
    check_root_certs(j);
    attest_pass(c, ATTEST_CHAIN,
                attest_textf(c, "PCK certificate, %s, %s", intel_name_of(c, j->ca->x.subject),
                             j->trusted->name));
    return c->v->line[ATTEST_CHAIN].state == ATTEST_OK;
}

/* Revocation. */

/* The issuer's list that is best at the time: valid rather than not, then the newest. */
static struct intel_crl *find_crl(struct intel_job *j, struct bytes issuer,
                                  const struct pubkey *key, bool *bad_signature)
{
    struct intel_crl *crl, *best = NULL;
    int64_t now = j->c->in->now;
    int tries = 0;
    *bad_signature = false;
    for (int pass = 0; pass < 2 && best == NULL; pass++) {
        for (size_t i = 0; (crl = intel_crl_at(j->store, i)) != NULL; i++) {
            bool valid = crl->crl.this_update <= now && now <= crl->crl.next_update;
            if (!bytes_eq(crl->crl.issuer, issuer) || valid != (pass == 0) ||
                (best != NULL && best->crl.this_update >= crl->crl.this_update)) {
                continue;
            }
            if (tries++ < TRIES_MAX && intel_crl_signed_by(crl, key)) {
                best = crl;
            } else {
                *bad_signature = true;
            }
        }
    }
    return best;
}

/* Is x on its issuer's list? `what` is the list's name in messages. */
void intel_check_revoked(struct intel_job *j, const struct intel_cert *x,
                         const struct pubkey *issuer_key, const char *what)
{
    struct attest_ctx *c = j->c;
    bool bad = false, by_root = issuer_key == &j->trusted->key;
    const struct intel_crl *crl =
        by_root && j->root_crl != NULL ? j->root_crl : find_crl(j, x->x.issuer, issuer_key, &bad);
    j->root_crl = by_root ? crl : j->root_crl;
    if (crl == NULL && bad) {
        (void)attest_fail(c, ATTEST_REVOCATION, .code = "crl-signature", .subject = what,
                          .reason = attest_textf(c, "the revocation list of %s is not signed by it",
                                                 intel_name_of(c, x->x.issuer)),
                          .fix = INTEL_FETCH);
        return;
    }
    if (crl == NULL) {
        (void)attest_missing(c, ATTEST_REVOCATION, .code = "crl-missing", .subject = what,
                             .reason =
                                 attest_textf(c, "no revocation list of %s among the collateral",
                                              intel_name_of(c, x->x.issuer)),
                             .fix = INTEL_FETCH);
        return;
    }
    attest_window(c, false, what, crl->crl.this_update, crl->crl.next_update);
    if (x509_crl_has(&crl->crl, x->x.serial)) {
        (void)attest_fail(c, ATTEST_REVOCATION, .code = "revoked", .subject = what,
                          .reason = attest_textf(c, "%s was revoked by %s",
                                                 intel_name_of(c, x->x.subject),
                                                 intel_name_of(c, x->x.issuer)),
                          .fix = "use another machine");
    }
}
