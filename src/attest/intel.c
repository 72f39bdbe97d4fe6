/* SPDX-License-Identifier: Apache-2.0 */
/* intel.c - Intel SGX (quote version 3, and 4 with an SGX body) and Intel TDX (versions 4 and 5): the
 * two back ends. Reading is in intel_quote.c, judging in intel_verify.c and intel_tcb.c. */
#include "attest/eventlog_int.h"
#include "attest/intel_int.h"

enum { VENDOR_AT = 12, HEADER = 48 };

/* Header fields alone, so that a truncated quote is still told what it is. */
static bool looks_like(struct bytes b, bool tdx)
{
    static const uint8_t vendor[] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9};
    if (b.n < HEADER || memcmp(b.p + VENDOR_AT, vendor, sizeof(vendor)) != 0) {
        return false;
    }
    struct cur c = cur_of(b);
    uint64_t version = take_le(&c, 2);
    (void)take_le(&c, 2);
    uint64_t tee = take_le(&c, 4);
    return version >= 3 && version <= 5 && tdx == (version >= 4 && tee == 0x81);
}

static bool identify_sgx(struct bytes b)
{
    return looks_like(b, false);
}

static bool identify_tdx(struct bytes b)
{
    return looks_like(b, true);
}

static bool bit(struct bytes v, unsigned i)
{
    return (v.p[i / 8] >> i % 8 & 1) != 0;
}

static void claims_sgx(struct attest_ctx *c, const struct sgx_report *r)
{
    claim_bytes(c, "measurement", r->mrenclave);
    claim_bytes(c, "signer", r->mrsigner);
    claim_u64(c, "product", r->isvprodid);
    claim_u64(c, "svn", r->isvsvn);
    claim_bytes(c, "report_data", r->report_data);
    claim_bool(c, "debug", bit(r->attributes, 1));
    claim_bytes(c, "configuration", r->config_id);
    claim_bytes(c, "tcb", r->cpusvn);
    claim_bytes(c, "sgx.attributes", r->attributes);
    claim_u64(c, "sgx.miscselect", r->miscselect);
    claim_u64(c, "sgx.config_svn", r->config_svn);
    claim_bool(c, "sgx.provision_key", bit(r->attributes, 4));
}

static void claims_tdx(struct attest_ctx *c, const struct intel_quote *q)
{
    static const char *const rtmr[] = {"tdx.rtmr0", "tdx.rtmr1", "tdx.rtmr2", "tdx.rtmr3"};
    const struct td_report *t = &q->td;
    claim_bytes(c, "measurement", t->mrtd);
    claim_bytes(c, "report_data", t->report_data);
    claim_bool(c, "debug", bit(t->td_attributes, 0));
    claim_bytes(c, "configuration", t->mrconfigid);
    claim_bytes(c, "tcb", t->tee_tcb_svn);
    for (size_t i = 0; i < ARRAY_LEN(rtmr); i++) {
        claim_bytes(c, rtmr[i], t->rtmr[i]);
    }
    claim_bytes(c, "tdx.mrowner", t->mrowner);
    claim_bytes(c, "tdx.mrownerconfig", t->mrownerconfig);
    claim_bytes(c, "tdx.td_attributes", t->td_attributes);
    claim_bytes(c, "tdx.xfam", t->xfam);
    claim_bytes(c, "tdx.mrseam", t->mrseam);
    claim_bytes(c, "tdx.mrsignerseam", t->mrsignerseam);
    claim_bytes(c, "tdx.seamattributes", t->seamattributes);
    claim_bool(c, "tdx.sept_ve_disable", bit(t->td_attributes, 28));
    claim_bool(c, "tdx.migratable", bit(t->td_attributes, 29));
    if (q->body == INTEL_TD15) {
        claim_bytes(c, "tdx.tee_tcb_svn2", t->tee_tcb_svn2);
        claim_bytes(c, "tdx.mrservicetd", t->mrservicetd);
    }
}

void intel_claims_pck(struct attest_ctx *c, const struct pck_info *pck)
{
    if (pck->ppid.n > 0) {
        claim_bytes(c, "platform", pck->ppid);
    }
    claim_bytes(c, "intel.fmspc", pck->fmspc);
    claim_bytes(c, "intel.pceid", pck->pceid);
    claim_u64(c, "intel.pcesvn", pck->pcesvn);
    claim_bytes(c, "intel.pck_cpusvn", pck->cpusvn);
}

/* The certificates that came inside. The PCK certificate is the one with the SGX extension, wherever
 * it stands: genuine quotes differ in the order. */
static bool read_chain(struct attest_ctx *c, struct intel_parsed *p)
{
    const char *why = NULL;
    struct bytes pem = p->q.cert_data;
    size_t at = (size_t)(pem.p - c->evidence.p) + 1;
    if (p->q.cert_type != 4 && p->q.cert_type != 5) {
        return true; /* names the platform alone: verify() says what is missing */
    }
    if (!intel_store_add_pem(&p->store, "the quote", pem, &why)) {
        return attest_fail(c, ATTEST_FORMAT, .code = "certificate", .at = at,
                           .reason = attest_textf(c, "a certificate in the quote: %s", why));
    }
    p->n_enclosed = p->store.n_cert;
    for (size_t i = 0; i < p->store.n_cert && p->leaf == NULL; i++) {
        struct intel_cert *cert = p->store.cert[i];
        if (!cert->x.is_ca && rc_ok(pck_info_parse(&p->pck, &cert->x, &why))) {
            p->leaf = cert;
        }
    }
    if (p->leaf == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "pck-certificate", .at = at,
                           .reason =
                               attest_textf(c, "no readable PCK certificate in the quote (%s)",
                                            why != NULL ? why : "it holds none"));
    }
    if (p->leaf->x.key.kind != PK_P256) {
        return attest_fail(c, ATTEST_FORMAT, .code = "pck-key", .at = at,
                           .reason = "the PCK certificate's key is not on P-256");
    }
    return true;
}

static bool decode(struct attest_ctx *c)
{
    struct intel_parsed *p = ARENA_NEW(c->a, struct intel_parsed);
    const char *why = NULL;
    if (p == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    p->store.a = c->a;
    p->store.more = intel_held(c->in);
    if (!rc_ok(intel_quote_parse(&p->q, c->evidence, &why))) {
        return attest_fail(c, ATTEST_FORMAT, .code = "malformed", .reason = why);
    }
    c->parsed = p;
    if (p->q.is_tdx) {
        c->v->title = p->q.version == 4         ? "Intel TDX quote v4"
                      : p->q.body == INTEL_TD10 ? "Intel TDX quote v5 (TD 1.0)"
                                                : "Intel TDX quote v5 (TD 1.5)";
        claims_tdx(c, &p->q);
    } else {
        c->v->title = p->q.version == 3   ? "Intel SGX quote v3"
                      : p->q.version == 4 ? "Intel SGX quote v4"
                                          : "Intel SGX quote v5";
        claims_sgx(c, &p->q.sgx);
    }
    claim_bytes(c, "intel.qe_mrsigner", p->q.qe.mrsigner);
    claim_u64(c, "intel.qe_svn", p->q.qe.isvsvn);
    if (!read_chain(c, p)) {
        return false;
    }
    if (p->leaf != NULL) {
        intel_claims_pck(c, &p->pck);
    }
    return true;
}

static void verify_tdx(struct attest_ctx *c)
{
    const struct intel_parsed *p = c->parsed;
    intel_verify(c);
    evlog_bind_rtmrs(c, p->q.td.rtmr);
}

const struct attest_backend attest_backend_sgx = {
    .name = "sgx",
    .title = "Intel SGX quote",
    .identify = identify_sgx,
    .decode = decode,
    .verify = intel_verify,
};

const struct attest_backend attest_backend_tdx = {
    .name = "tdx",
    .title = "Intel TDX quote",
    .identify = identify_tdx,
    .decode = decode,
    .verify = verify_tdx,
};
