/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/intel_int.h"
#include "encoding/der.h"

enum { HEADER_SIZE = 48, SGX_SIZE = 384, TD10_SIZE = 584, TD15_SIZE = 648, KEY_SIZE = 64 };
enum { TYPE_QE_REPORT = 6 };

static const uint8_t intel_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

void take_sgx_report(struct cur *c, struct sgx_report *r)
{
    *r = (struct sgx_report){.all = {c->p, SGX_SIZE}};
    r->cpusvn = take_bytes(c, 16);
    r->miscselect = (uint32_t)take_le(c, 4);
    (void)take_bytes(c, 28);
    r->attributes = take_bytes(c, 16);
    r->mrenclave = take_bytes(c, 32);
    (void)take_bytes(c, 32);
    r->mrsigner = take_bytes(c, 32);
    (void)take_bytes(c, 32);
    r->config_id = take_bytes(c, 64);
    r->isvprodid = (uint16_t)take_le(c, 2);
    r->isvsvn = (uint16_t)take_le(c, 2);
    r->config_svn = (uint16_t)take_le(c, 2);
    (void)take_bytes(c, 58);
    r->report_data = take_bytes(c, 64);
}

static void take_td_report(struct cur *c, struct td_report *t, bool is_15)
{
    *t = (struct td_report){.tee_tcb_svn = take_bytes(c, 16)};
    t->mrseam = take_bytes(c, 48);
    t->mrsignerseam = take_bytes(c, 48);
    t->seamattributes = take_bytes(c, 8);
    t->td_attributes = take_bytes(c, 8);
    t->xfam = take_bytes(c, 8);
    t->mrtd = take_bytes(c, 48);
    t->mrconfigid = take_bytes(c, 48);
    t->mrowner = take_bytes(c, 48);
    t->mrownerconfig = take_bytes(c, 48);
    for (size_t i = 0; i < 4; i++) {
        t->rtmr[i] = take_bytes(c, 48);
    }
    t->report_data = take_bytes(c, 64);
    if (is_15) {
        t->tee_tcb_svn2 = take_bytes(c, 16);
        t->mrservicetd = take_bytes(c, 48);
    }
}

/* The body's kind: by the header in versions 3 and 4, by its own descriptor in version 5. */
static void take_body_kind(struct cur *c, struct intel_quote *q)
{
    if (q->version != 5) {
        q->body = q->is_tdx ? INTEL_TD10 : INTEL_SGX;
        return;
    }
    static const uint64_t sizes[] = {[1] = SGX_SIZE, [2] = TD10_SIZE, [3] = TD15_SIZE};
    uint64_t type = take_le(c, 2), size = take_le(c, 4);
    if (c->bad == NULL && (type < 1 || type > 3 || size != sizes[type])) {
        cur_fail(c, "quote: body type and size do not fit");
        return;
    }
    q->body = type == 1 ? INTEL_SGX : type == 2 ? INTEL_TD10 : INTEL_TD15;
    if (c->bad == NULL && q->is_tdx != (q->body != INTEL_SGX)) {
        cur_fail(c, "quote: body type contradicts the TEE type");
    }
}

/* QE report, its signature, authentication data and certification data: the same in all versions. */
static void take_qe_block(struct cur *c, struct intel_quote *q)
{
    take_sgx_report(c, &q->qe);
    q->qe_signature = take_bytes(c, 64);
    q->qe_auth = take_bytes(c, take_le(c, 2));
    q->cert_type = (uint16_t)take_le(c, 2);
    q->cert_data = take_bytes(c, take_le(c, 4));
}

static void take_signature_data(struct cur *c, struct intel_quote *q)
{
    struct cur s = take_sub(c, take_le(c, 4));
    q->signature = take_bytes(&s, 64);
    q->att_key = take_bytes(&s, KEY_SIZE);
    if (q->version == 3) {
        take_qe_block(&s, q);
    } else {
        if (take_le(&s, 2) != TYPE_QE_REPORT) {
            cur_fail(&s, "quote: certification data is not a QE report (type 6)");
        }
        struct cur qe = take_sub(&s, take_le(&s, 4));
        take_qe_block(&qe, q);
        if (!rc_ok(cur_end(&qe))) {
            cur_fail(&s, qe.bad != NULL ? qe.bad : "quote: bytes behind the QE report data");
        }
    }
    if (!rc_ok(cur_end(&s))) {
        cur_fail(c, s.bad != NULL ? s.bad : "quote: bytes behind the signature data");
    }
}

static void take_header(struct cur *c, struct intel_quote *q)
{
    q->version = (uint16_t)take_le(c, 2);
    uint64_t key_type = take_le(c, 2), tee = take_le(c, 4);
    (void)take_bytes(c, 4);
    struct bytes vendor = take_bytes(c, 16);
    q->user_data = take_bytes(c, 20);
    q->is_tdx = tee == 0x81;
    if (c->bad != NULL) {
        return;
    }
    if (q->version < 3 || q->version > 5) {
        cur_fail(c, "quote: version is not 3, 4 or 5");
    } else if (key_type != 2) {
        cur_fail(c, "quote: attestation key is not ECDSA P-256");
    } else if ((tee != 0 && tee != 0x81) || (q->version == 3 && tee != 0)) {
        cur_fail(c, "quote: unknown TEE type");
    } else if (!bytes_eq(vendor, (struct bytes){intel_vendor, sizeof(intel_vendor)})) {
        cur_fail(c, "quote: quoting enclave is not Intel's");
    }
}

rc intel_quote_parse(struct intel_quote *q, struct bytes quote, const char **why)
{
    *q = (struct intel_quote){0};
    if (quote.n > QUOTE_MAX) {
        *why = "quote: too large";
        return RC(MALFORMED);
    }
    struct cur c = cur_of(quote);
    take_header(&c, q);
    take_body_kind(&c, q);
    if (q->body == INTEL_SGX) {
        take_sgx_report(&c, &q->sgx);
    } else {
        take_td_report(&c, &q->td, q->body == INTEL_TD15);
    }
    q->signed_part = (struct bytes){quote.p, c.bad == NULL ? (size_t)(c.p - quote.p) : 0};
    take_signature_data(&c, q);
    q->padding = c.n;
    for (size_t i = 0; i < q->padding; i++) {
        if (c.p[i] != 0) {
            cur_fail(&c, "quote: bytes behind the quote that are not zero");
            break;
        }
    }
    *why = c.bad;
    return c.bad == NULL ? RC_OK : RC(MALFORMED);
}

#define OID_SGX "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01" /* 1.2.840.113741.1.13.1 */

/* The value of SEQUENCE { OID OID_SGX.suffix, value }; the cursor's failure otherwise. */
static void read_tcb_comp(struct pck_info *p, struct bytes oid, struct cur *value)
{
    uint8_t which = oid.p[oid.n - 1];
    if (which >= 1 && which <= 16) {
        uint64_t v = der_take_u64(value);
        if (v > 255) {
            cur_fail(value, "pck: component SVN above 255");
        }
        p->comp[which - 1] = (uint8_t)v;
    } else if (which == 17) {
        uint64_t v = der_take_u64(value);
        if (v > 65535) {
            cur_fail(value, "pck: PCESVN above 65535");
        }
        p->pcesvn = (uint16_t)v;
    } else if (which == 18) {
        p->cpusvn = der_take_octets(value);
    }
}

static void read_tcb(struct pck_info *p, struct cur *tcb, uint32_t *seen)
{
    const struct bytes prefix = BYTES_LIT(OID_SGX "\x02");
    while (tcb->bad == NULL && tcb->n > 0) {
        struct cur pair = der_take(tcb, DER_SEQUENCE);
        struct bytes oid = der_take_oid(&pair);
        if (oid.n != prefix.n + 1 || memcmp(oid.p, prefix.p, prefix.n) != 0) {
            cur_fail(tcb, "pck: unexpected field in the TCB");
            return;
        }
        uint8_t which = oid.p[oid.n - 1];
        if (which < 1 || which > 18 || (*seen >> which & 1) != 0) {
            cur_fail(tcb, "pck: unknown or repeated field in the TCB");
            return;
        }
        *seen |= 1u << which;
        read_tcb_comp(p, oid, &pair);
        if (!rc_ok(cur_end(&pair))) {
            cur_fail(tcb, pair.bad != NULL ? pair.bad : "pck: bytes behind a TCB field");
        }
    }
}

rc pck_info_parse(struct pck_info *p, const struct x509 *leaf, const char **why)
{
    const struct bytes prefix = BYTES_LIT(OID_SGX);
    *p = (struct pck_info){0};
    const struct x509_ext *ext = x509_ext_find(leaf, prefix);
    if (ext == NULL) {
        *why = "pck: the SGX extension is missing";
        return RC(MALFORMED);
    }
    uint32_t seen_tcb = 0, seen = 0;
    struct cur c = cur_of(ext->value);
    struct cur list = der_take(&c, DER_SEQUENCE);
    while (list.bad == NULL && list.n > 0) {
        struct cur pair = der_take(&list, DER_SEQUENCE);
        struct bytes oid = der_take_oid(&pair);
        if (oid.n != prefix.n + 1 || memcmp(oid.p, prefix.p, prefix.n) != 0) {
            continue; /* fields that later profiles add */
        }
        uint32_t bit = 1u << (oid.p[oid.n - 1] & 31);
        if ((seen & bit) != 0) {
            cur_fail(&list, "pck: repeated field in the SGX extension");
            break;
        }
        seen |= bit;
        switch (oid.p[oid.n - 1]) {
        case 1:
            p->ppid = der_take_octets(&pair);
            break;
        case 2: {
            struct cur tcb = der_take(&pair, DER_SEQUENCE);
            read_tcb(p, &tcb, &seen_tcb);
            pair.bad = pair.bad == NULL ? tcb.bad : pair.bad;
            break;
        }
        case 3:
            p->pceid = der_take_octets(&pair);
            break;
        case 4:
            p->fmspc = der_take_octets(&pair);
            break;
        default:
            break;
        }
        if (pair.bad != NULL) {
            cur_fail(&list, pair.bad);
        }
    }
    *why = c.bad != NULL ? c.bad : list.bad;
    if (*why == NULL && (p->fmspc.n != 6 || p->pceid.n != 2 || seen_tcb != 0x7fffe)) {
        *why = "pck: FMSPC, PCEID or TCB missing from the SGX extension";
    }
    return *why == NULL ? RC_OK : RC(MALFORMED);
}
