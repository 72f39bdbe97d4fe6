/* SPDX-License-Identifier: Apache-2.0 */
/* intel_verify.c - the links of an SGX or TDX quote: signatures, TCB and policy here, chain and
 * revocation in intel_chain.c. SPEC attestation 1.2 */
#include "attest/intel_int.h"

enum { TRIES_MAX = 6 /* signature checks spent on PCK certificates given */ };

/* Signatures inside the quote. */

static void check_quote_signature(struct intel_job *j)
{
    const struct intel_quote *q = &j->p->q;
    struct pubkey key = {.kind = PK_P256, .point = q->att_key};
    uint8_t digest[64];
    pk_digest(digest, PK_SHA256, q->signed_part);
    if (!rc_ok(pk_verify_ecdsa_raw(&key, (struct bytes){digest, 32}, q->signature))) {
        j->crypto_ok =
            attest_fail(j->c, ATTEST_SIGNATURE, .code = "quote-signature",
                        .reason = "the quote is not signed by its attestation key: it was changed",
                        .at = (size_t)(q->signature.p - j->c->evidence.p) + 1,
                        .fix = "get the quote again from the machine that made it");
    }
}

static void check_binding(struct intel_job *j)
{
    const struct intel_quote *q = &j->p->q;
    uint8_t want[64] = {0}, text[64 + 65535];
    memcpy(text, q->att_key.p, q->att_key.n);
    memcpy(text + q->att_key.n, q->qe_auth.p, q->qe_auth.n);
    pk_digest(want, PK_SHA256, (struct bytes){text, q->att_key.n + q->qe_auth.n});
    memset(want + 32, 0, 32);
    if (memcmp(want, q->qe.report_data.p, sizeof(want)) != 0) {
        j->crypto_ok = attest_fail(
            j->c, ATTEST_BINDING, .code = "qe-binding",
            .reason = "the quoting enclave's report does not vouch for this attestation key",
            .at = (size_t)(q->qe.report_data.p - j->c->evidence.p) + 1,
            .fix = "get the quote again from the machine that made it");
    }
}

/* OK, DENIED, or MALFORMED when the key is no point on its curve. */
static rc qe_signed_by(const struct intel_quote *q, const struct pubkey *key)
{
    uint8_t digest[64];
    pk_digest(digest, PK_SHA256, q->qe.all);
    return pk_verify_ecdsa_raw(key, (struct bytes){digest, 32}, q->qe_signature);
}

/* A quote that names its platform alone (types 1 to 3) needs the PCK certificate from outside: the
 * one whose key signed the QE report is the right one. */
static void find_leaf(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    const char *why = NULL;
    int tries = 0;
    struct intel_cert *x;
    for (size_t i = 0; (x = intel_cert_at(j->store, i)) != NULL && tries < TRIES_MAX; i++) {
        struct pck_info pck;
        if (x->x.is_ca || !rc_ok(pck_info_parse(&pck, &x->x, &why))) {
            continue;
        }
        tries++;
        if (rc_ok(qe_signed_by(&j->p->q, &x->x.key))) {
            j->leaf = x;
            j->p->pck = pck;
            intel_claims_pck(c, &pck);
            return;
        }
    }
    j->crypto_ok = attest_missing(
        c, ATTEST_CHAIN, .code = "pck-missing",
        .reason = attest_textf(c, "the quote has no certificate (certification data type %u)%s",
                               j->p->q.cert_type,
                               tries > 0 ? " and none of the PCK certificates given fits" : ""),
        .fix = "add the platform's PCK certificate chain to the collateral");
    (void)attest_missing(c, ATTEST_SIGNATURE, .code = "pck-missing",
                         .reason = "nothing shows who signed the quoting enclave's report");
}

static void check_signature(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    check_quote_signature(j);
    check_binding(j);
    if (j->p->leaf == NULL) {
        find_leaf(j);
    } else if (!rc_ok(qe_signed_by(&j->p->q, &j->leaf->x.key))) {
        j->crypto_ok = attest_fail(
            c, ATTEST_SIGNATURE, .code = "qe-report-signature",
            .reason = "the quoting enclave's report is not signed by the PCK certificate's key",
            .at = (size_t)(j->p->q.qe_signature.p - c->evidence.p) + 1,
            .fix = "get the quote again from the machine that made it");
    }
    attest_pass(c, ATTEST_SIGNATURE,
                "quote signed by its attestation key, that key vouched for by the quoting enclave, "
                "its report signed by the platform's PCK key");
}

/* TCB info and enclave identity. */

static struct intel_cert *find_tcb_signer(struct intel_job *j)
{
    struct intel_cert *x, *best = NULL;
    for (size_t i = 0; (x = intel_cert_at(j->store, i)) != NULL; i++) {
        if (!intel_named(x->x.subject, "Intel SGX TCB Signing") || x->x.key.kind != PK_P256) {
            continue;
        }
        /* Two genuine ones share a key: the time tells which counts. SPEC attestation 1.2 (6) */
        if (best == NULL ||
            (!intel_valid_at(&best->x, j->c->in->now) && intel_valid_at(&x->x, j->c->in->now))) {
            best = x;
        }
    }
    return best;
}

static bool check_tcb_signer(struct intel_job *j, struct intel_cert *x)
{
    struct attest_ctx *c = j->c;
    if (x == NULL) {
        return attest_missing(c, ATTEST_TCB, .code = "tcb-signer-missing",
                              .reason = "the TCB signing certificate is missing",
                              .fix = INTEL_FETCH);
    }
    if (!intel_root_named(j->trusted, x->x.issuer) || !intel_cert_signed_by(x, &j->trusted->key) ||
        x->x.is_ca || x->x.unknown_critical) {
        return attest_fail(c, ATTEST_TCB, .code = "tcb-signer", .subject = x->item,
                           .reason =
                               "the TCB signing certificate is not issued by the trusted root",
                           .fix = INTEL_FETCH);
    }
    attest_window(c, true, "TCB signing certificate", x->x.not_before, x->x.not_after);
    intel_check_revoked(j, x, &j->trusted->key, "root CA revocation list");
    return true;
}

/* Better of two for the time: valid first, then the higher evaluation number, then the newer. */
static bool better(int64_t now, int64_t issue, int64_t next, uint64_t eval, int64_t best_issue,
                   int64_t best_next, uint64_t best_eval)
{
    bool valid = issue <= now && now <= next, best_valid = best_issue <= now && now <= best_next;
    if (valid != best_valid) {
        return valid;
    }
    return eval != best_eval ? eval > best_eval : issue > best_issue;
}

static struct intel_json *find_tcb_info(struct intel_job *j, struct tcb_result *out)
{
    struct attest_ctx *c = j->c;
    const struct intel_quote *q = &j->p->q;
    struct intel_json *o, *best = NULL;
    const char *bad = NULL, *bad_item = NULL, *other = NULL;
    for (size_t i = 0; (o = intel_json_at(j->store, i)) != NULL; i++) {
        struct tcb_result r = {0};
        const char *why = o->bad;
        if (!o->is_tcb) {
            continue;
        }
        if (why == NULL &&
            rc_ok(tcb_info_judge(&r, o->inner, &j->p->pck, q->is_tdx ? &q->td : NULL, &why))) {
            if (!r.fmspc_matches || !r.pceid_matches) {
                other = o->item;
            } else if (best == NULL ||
                       better(c->in->now, r.issue_date, r.next_update, r.eval_number,
                              out->issue_date, out->next_update, out->eval_number)) {
                best = o;
                *out = r;
            }
        } else if (r.id.n == 0 || bytes_eq(r.id, bytes_str(q->is_tdx ? "TDX" : "SGX"))) {
            bad = why;
            bad_item = o->item;
        }
    }
    if (best == NULL && bad != NULL) {
        (void)attest_fail(c, ATTEST_TCB, .code = "tcb-info-malformed", .reason = bad,
                          .subject = bad_item, .fix = INTEL_FETCH);
    } else if (best == NULL) {
        (void)attest_missing(
            c, ATTEST_TCB, .code = "tcb-info-missing", .subject = other,
            .reason = attest_textf(c, "no %s TCB info for FMSPC %s among the collateral%s",
                                   q->is_tdx ? "TDX" : "SGX", attest_hex(c, j->p->pck.fmspc),
                                   other != NULL ? "; there is one for another platform" : ""),
            .fix = INTEL_FETCH);
    }
    return best;
}

static struct intel_json *find_qe_identity(struct intel_job *j, struct qe_result *out)
{
    struct attest_ctx *c = j->c;
    const struct intel_quote *q = &j->p->q;
    struct bytes want = bytes_str(q->is_tdx ? "TD_QE" : "QE");
    struct intel_json *o, *best = NULL;
    const char *bad = NULL, *bad_item = NULL, *other = NULL;
    for (size_t i = 0; (o = intel_json_at(j->store, i)) != NULL; i++) {
        struct qe_result r = {0};
        const char *why = o->bad;
        if (o->is_tcb) {
            continue;
        }
        if (why != NULL || !rc_ok(qe_identity_judge(&r, o->inner, &q->qe, &why))) {
            bad = why;
            bad_item = o->item;
        } else if (!bytes_eq(r.id, want)) {
            other = o->item;
        } else if (best == NULL || better(c->in->now, r.issue_date, r.next_update, r.eval_number,
                                          out->issue_date, out->next_update, out->eval_number)) {
            best = o;
            *out = r;
        }
    }
    if (best == NULL && bad != NULL) {
        (void)attest_fail(c, ATTEST_TCB, .code = "qe-identity-malformed", .reason = bad,
                          .subject = bad_item, .fix = INTEL_FETCH);
    } else if (best == NULL) {
        (void)attest_missing(c, ATTEST_TCB, .code = "qe-identity-missing", .subject = other,
                             .reason = attest_textf(
                                 c, "no identity of the quoting enclave (%s) among the collateral",
                                 (const char *)want.p),
                             .fix = INTEL_FETCH);
    }
    return best;
}

static bool check_json(struct intel_job *j, struct intel_json *o, const struct intel_cert *signer,
                       const char *what)
{
    if (intel_json_signed_by(o, &signer->x.key)) {
        return true;
    }
    return attest_fail(j->c, ATTEST_TCB, .code = "collateral-signature", .subject = o->item,
                       .reason = attest_textf(j->c, "the %s is not signed by %s: it was changed",
                                              what, intel_name_of(j->c, signer->x.subject)),
                       .fix = INTEL_FETCH);
}

static void add_advisories(struct attest_ctx *c, const struct advisories *a)
{
    for (size_t i = 0; i < a->n; i++) {
        attest_advisory(c, a->id[i]);
    }
    if (a->too_many) {
        (void)attest_fail(c, ATTEST_TCB, .code = "too-many-advisories",
                          .reason = "more advisories than this verifier keeps");
    }
}

static bool check_module(struct intel_job *j, struct tcb_result *t)
{
    struct attest_ctx *c = j->c;
    const struct td_report *td = &j->p->q.td;
    if (!j->p->q.is_tdx) {
        return true;
    }
    if (td->tee_tcb_svn.p[1] > 0 && !t->has_module) {
        c->v->tcb = TCB_NOT_SUPPORTED;
        return attest_fail(c, ATTEST_TCB, .code = "module-unknown",
                           .reason = attest_textf(c, "the TCB info knows no TDX module TDX_%02X",
                                                  td->tee_tcb_svn.p[1]),
                           .fix = "fetch newer collateral from the vendor");
    }
    if (!t->module_signer_matches) {
        return attest_fail(c, ATTEST_TCB, .code = "module-identity",
                           .reason =
                               "the TDX module's signer or attributes are not those of the "
                               "TCB info",
                           .fix = "use another machine");
    }
    return true;
}

static void check_tcb(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    struct tcb_result *t = ARENA_NEW(c->a, struct tcb_result);
    struct qe_result *qe = ARENA_NEW(c->a, struct qe_result);
    if (t == NULL || qe == NULL) {
        (void)attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
        return;
    }
    struct intel_json *info = find_tcb_info(j, t), *identity = find_qe_identity(j, qe);
    if (info == NULL || identity == NULL) {
        return;
    }
    struct intel_cert *signer = find_tcb_signer(j);
    if (!check_tcb_signer(j, signer) || !check_json(j, info, signer, "TCB info") ||
        !check_json(j, identity, signer, "identity of the quoting enclave")) {
        return;
    }
    attest_window(c, false, "TCB info", t->issue_date, t->next_update);
    attest_window(c, false, "QE identity", qe->issue_date, qe->next_update);
    attest_evaluation(c, "TCB info", t->eval_number);
    attest_evaluation(c, "QE identity", qe->eval_number);
    claim_u64(c, "intel.tcb_evaluation", t->eval_number);
    if (qe->mismatch != NULL) {
        (void)attest_fail(c, ATTEST_TCB, .code = "qe-identity", .subject = qe->mismatch,
                          .reason = attest_textf(c,
                                                 "the quoting enclave is not Intel's: its %s "
                                                 "differs from the identity",
                                                 qe->mismatch),
                          .at = (size_t)(j->p->q.qe.all.p - c->evidence.p) + 1);
        return;
    }
    add_advisories(c, &t->advisories);
    add_advisories(c, &qe->advisories);
    if (!check_module(j, t)) {
        return;
    }
    enum attest_tcb s = tcb_converge(t, qe);
    attest_set_tcb(c, s,
                   attest_textf(c, "platform %s%s%s, quoting enclave %s, TCB evaluation %llu",
                                attest_tcb_name(t->platform), t->has_module ? ", TDX module " : "",
                                t->has_module ? attest_tcb_name(t->module) : "",
                                attest_tcb_name(qe->status), (unsigned long long)t->eval_number));
}

/* What a TD may not be, whatever the policy: attributes that the module's specification reserves, a
 * module that is not the vendor's own, and a service TD that nobody asked for. */
static void check_td(struct intel_job *j)
{
    struct attest_ctx *c = j->c;
    const struct td_report *t = &j->p->q.td;
    /* bits: 0 debug, 4-6 profiling, 16 ICSSD, 27 LASS, 28 SEPT_VE_DISABLE, 29 MIGRATABLE, 30 PKS,
     * 31 KL, 62 TPA, 63 PERFMON */
    static const uint8_t known[8] = {0x71, 0x00, 0x01, 0xf8, 0, 0, 0, 0xc0};
    uint8_t foreign = 0, seam = 0, service = 0;
    for (size_t i = 0; i < 8; i++) {
        foreign |= (uint8_t)(t->td_attributes.p[i] & ~known[i]);
        seam |= t->seamattributes.p[i];
    }
    for (size_t i = 0; i < 48; i++) {
        seam |= t->mrsignerseam.p[i];
        service |= t->mrservicetd.n == 48 ? t->mrservicetd.p[i] : 0;
    }
    if (foreign != 0) {
        (void)attest_fail(c, ATTEST_POLICY, .code = "reserved-attributes",
                          .subject = "tdx.td_attributes",
                          .reason = attest_textf(c,
                                                 "reserved bits are set in the TD's attributes "
                                                 "(%s)",
                                                 attest_hex(c, t->td_attributes)),
                          .fix = "run the TD without them");
    }
    if ((t->td_attributes.p[0] & 0x70) != 0 && !c->policy->allow_debug) {
        (void)attest_fail(c, ATTEST_POLICY, .code = "debug-enabled", .subject = "tdx.td_attributes",
                          .reason = "profiling is enabled: the host can observe what is inside",
                          .fix = "run without profiling; only tests may set \"debug\": true");
    }
    if (seam != 0) {
        (void)attest_fail(c, ATTEST_POLICY, .code = "foreign-module", .subject = "tdx.mrsignerseam",
                          .reason = "the TDX module is not signed by Intel, or has attributes");
    }
    bool asked = false;
    for (size_t i = 0; i < c->policy->n_rule; i++) {
        asked |= strcmp(c->policy->rule[i].claim, "tdx.mrservicetd") == 0;
    }
    if (service != 0 && !asked) {
        (void)attest_fail(c, ATTEST_POLICY, .code = "service-td", .subject = "tdx.mrservicetd",
                          .reason = "a service TD is bound, which can reach into this one",
                          .fix =
                              "name its hash in the policy's claims as tdx.mrservicetd to "
                              "allow it");
    }
}

void intel_verify(struct attest_ctx *c)
{
    struct intel_parsed *p = c->parsed;
    struct intel_job *j = ARENA_NEW(c->a, struct intel_job);
    if (j == NULL) {
        (void)attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
        return;
    }
    *j = (struct intel_job){.c = c, .p = p, .store = &p->store, .leaf = p->leaf, .crypto_ok = true};
    const struct attest_item *item;
    for (size_t i = 0; (item = attest_item_at(c, i)) != NULL; i++) {
        intel_store_add(&p->store, item->name, item->data);
    }
    if (p->store.full) {
        (void)attest_fail(c, ATTEST_FORMAT, .code = "too-much-collateral",
                          .reason = "more certificates and lists than this verifier keeps",
                          .fix = "give only the collateral of this platform");
        return;
    }
    intel_collect_roots(j);
    check_signature(j);
    if (p->q.is_tdx) {
        check_td(j);
    }
    if (j->leaf == NULL) {
        return;
    }
    if (!intel_check_chain(j) && j->trusted == NULL) {
        (void)attest_missing(c, ATTEST_TCB, .code = "no-chain",
                             .reason = "not judged: the chain is broken");
        return;
    }
    intel_check_revoked(j, j->leaf, &j->ca->x.key, "PCK revocation list");
    intel_check_revoked(j, j->ca, &j->trusted->key, "root CA revocation list");
    check_tcb(j);
    attest_pass(c, ATTEST_REVOCATION, "no certificate on the way is revoked");
}
