/* SPDX-License-Identifier: Apache-2.0 */
/* snp.c - AMD SEV-SNP attestation reports, versions 1 to 5, with VCEK or VLEK certificates. Sources:
 * AMD 56860 (SNP firmware ABI, ATTESTATION_REPORT), 57230 (VCEK and VLEK). SPEC attestation 2 */
#include "attest/snp_int.h"
#include "crypto/pubkey.h"

enum { SIGNED_SIZE = 0x2a0, SIG_FIELD = 72, SIG_SIZE = 48 };
enum { KEY_VCEK = 0, KEY_VLEK = 1, KEY_NONE = 7 };

bool snp_identify(struct bytes b)
{
    /* version, and a signature algorithm that is ECDSA P-384: no other kind begins so */
    return b.n >= SNP_REPORT_SIZE && b.p[0] >= 1 && b.p[0] <= 5 && b.p[1] == 0 && b.p[2] == 0 &&
           b.p[3] == 0 && b.p[0x34] == 1 && b.p[0x35] == 0 && b.p[0x36] == 0 && b.p[0x37] == 0;
}

static struct bytes at(const struct snp_report *r, size_t off, size_t n)
{
    return (struct bytes){r->all.p + off, n};
}

static uint64_t le(const struct snp_report *r, size_t off, size_t n)
{
    struct cur c = cur_of(at(r, off, n));
    return take_le(&c, n);
}

static bool all_zero(struct bytes b)
{
    uint8_t any = 0;
    for (size_t i = 0; i < b.n; i++) {
        any |= b.p[i];
    }
    return any == 0;
}

/* The product by the processor's family and model, which version 3 and later state. */
static enum snp_product product_of(uint64_t family, uint64_t model)
{
    if (family == 0x19 && model <= 0x0f) {
        return SNP_MILAN;
    }
    if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf))) {
        return SNP_GENOA; /* Bergamo and Siena use Genoa's certificates */
    }
    return family == 0x1a && model <= 0x1f ? SNP_TURIN : SNP_UNKNOWN;
}

void snp_report_read(struct snp_report *r, struct bytes report)
{
    *r = (struct snp_report){.all = {report.p, SNP_REPORT_SIZE}};
    r->version = (uint32_t)le(r, 0, 4);
    r->guest_svn = (uint32_t)le(r, 4, 4);
    r->policy = le(r, 8, 8);
    r->vmpl = (uint32_t)le(r, 0x30, 4);
    uint64_t key_info = le(r, 0x48, 4);
    r->author_key_en = (key_info & 1) != 0;
    r->mask_chip_key = (key_info & 2) != 0;
    r->signing_key = (unsigned)(key_info >> 2 & 7);
    r->current_tcb = at(r, 0x38, 8);
    r->reported_tcb = at(r, 0x180, 8);
    r->committed_tcb = at(r, 0x1e0, 8);
    r->launch_tcb = at(r, 0x1f0, 8);
    r->chip_id = at(r, 0x1a0, 64);
    r->report_data = at(r, 0x50, 64);
    if (r->version >= 3) {
        r->family = r->all.p[0x188];
        r->model = r->all.p[0x189];
        r->stepping = r->all.p[0x18a];
        r->product = product_of(r->family, r->model);
    }
}

static const char *version_text(struct attest_ctx *c, const struct snp_report *r, size_t off)
{
    return attest_textf(c, "%u.%u.%u", r->all.p[off + 2], r->all.p[off + 1], r->all.p[off]);
}

static void claims(struct attest_ctx *c, const struct snp_report *r)
{
    static const char *const keys[] = {"VCEK", "VLEK"};
    const char *key = r->signing_key <= KEY_VLEK   ? keys[r->signing_key]
                      : r->signing_key == KEY_NONE ? "none"
                                                   : "unknown";
    claim_bytes(c, "measurement", at(r, 0x90, 48));
    claim_bytes(c, "signer", at(r, 0xe0, 48));
    claim_u64(c, "svn", r->guest_svn);
    claim_bool(c, "debug", (r->policy >> 19 & 1) != 0);
    claim_bytes(c, "report_data", r->report_data);
    claim_bytes(c, "configuration", at(r, 0xc0, 32));
    claim_bytes(c, "tcb", r->reported_tcb);
    claim_bytes(c, "platform", r->chip_id);
    claim_u64(c, "snp.version", r->version);
    claim_u64(c, "snp.guest_svn", r->guest_svn);
    claim_u64(c, "snp.policy", r->policy);
    claim_bool(c, "snp.debug_allowed", (r->policy >> 19 & 1) != 0);
    claim_bool(c, "snp.migrate_ma", (r->policy >> 18 & 1) != 0);
    claim_bool(c, "snp.smt", (r->policy >> 16 & 1) != 0);
    claim_bool(c, "snp.single_socket", (r->policy >> 20 & 1) != 0);
    claim_bytes(c, "snp.family_id", at(r, 0x10, 16));
    claim_bytes(c, "snp.image_id", at(r, 0x20, 16));
    claim_u64(c, "snp.vmpl", r->vmpl);
    claim_u64(c, "snp.sig_algo", le(r, 0x34, 4));
    claim_bytes(c, "snp.current_tcb", r->current_tcb);
    claim_u64(c, "snp.platform_info", le(r, 0x40, 8));
    claim_u64(c, "snp.key_info", le(r, 0x48, 4));
    claim_bool(c, "snp.author_key_en", r->author_key_en);
    claim_bool(c, "snp.mask_chip_key", r->mask_chip_key);
    claim_text(c, "snp.signing_key", bytes_str(key));
    claim_bytes(c, "snp.host_data", at(r, 0xc0, 32));
    claim_bytes(c, "snp.id_key_digest", at(r, 0xe0, 48));
    claim_bytes(c, "snp.author_key_digest", at(r, 0x110, 48));
    claim_bytes(c, "snp.report_id", at(r, 0x140, 32));
    claim_bytes(c, "snp.report_id_ma", at(r, 0x160, 32));
    claim_bytes(c, "snp.reported_tcb", r->reported_tcb);
    claim_bytes(c, "snp.chip_id", r->chip_id);
    claim_bytes(c, "snp.committed_tcb", r->committed_tcb);
    claim_text(c, "snp.current_ver", bytes_str(version_text(c, r, 0x1e8)));
    claim_text(c, "snp.committed_ver", bytes_str(version_text(c, r, 0x1ec)));
    claim_bytes(c, "snp.launch_tcb", r->launch_tcb);
    if (r->version >= 3) {
        claim_u64(c, "snp.cpuid_fam", r->family);
        claim_u64(c, "snp.cpuid_mod", r->model);
        claim_u64(c, "snp.cpuid_step", r->stepping);
    }
    if (r->version >= 5) {
        claim_u64(c, "snp.launch_mit_vector", le(r, 0x1f8, 8));
        claim_u64(c, "snp.current_mit_vector", le(r, 0x200, 8));
    }
}

bool snp_decode(struct attest_ctx *c)
{
    struct snp_report *r = ARENA_NEW(c->a, struct snp_report);
    size_t rest = c->evidence.n - SNP_REPORT_SIZE;
    if (r == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    snp_report_read(r, c->evidence);
    if (rest > 0 && !snp_take_table(c, r)) {
        return false;
    }
    if ((r->policy >> 17 & 1) != 1) {
        return attest_fail(c, ATTEST_FORMAT, .code = "policy-reserved", .at = 0x0a + 1,
                           .reason = "bit 17 of the guest policy must be 1");
    }
    c->parsed = r;
    c->v->title = attest_textf(c, "AMD SEV-SNP report v%u", (unsigned)r->version);
    claims(c, r);
    return true;
}

/* r and s are 72 bytes little-endian each, of which P-384 uses 48: the rest must be zero, or the same
 * signature would have many forms. */
static bool signature_rs(struct attest_ctx *c, const struct snp_report *r, uint8_t out[96])
{
    const uint8_t *sig = r->all.p + SIGNED_SIZE;
    for (size_t half = 0; half < 2; half++) {
        const uint8_t *v = sig + half * SIG_FIELD;
        if (!all_zero((struct bytes){v + SIG_SIZE, SIG_FIELD - SIG_SIZE})) {
            return attest_fail(c, ATTEST_SIGNATURE, .code = "signature-form",
                               .at = SIGNED_SIZE + half * SIG_FIELD + SIG_SIZE + 1,
                               .reason = "bytes of the signature that must be zero are not");
        }
        for (size_t i = 0; i < SIG_SIZE; i++) {
            out[half * SIG_SIZE + i] = v[SIG_SIZE - 1 - i];
        }
    }
    if (!all_zero((struct bytes){sig + 2 * SIG_FIELD, 512 - 2 * SIG_FIELD})) {
        return attest_fail(c, ATTEST_SIGNATURE, .code = "signature-form",
                           .at = SIGNED_SIZE + 2 * SIG_FIELD + 1,
                           .reason = "bytes behind the signature that must be zero are not");
    }
    return true;
}

static void verify_signature(struct attest_ctx *c, const struct snp_report *r,
                             const struct x509 *leaf)
{
    uint8_t rs[96], digest[64];
    if (!signature_rs(c, r, rs)) {
        return;
    }
    pk_digest(digest, PK_SHA384, (struct bytes){r->all.p, SIGNED_SIZE});
    if (!rc_ok(pk_verify_ecdsa_raw(&leaf->key, (struct bytes){digest, 48}, BYTES_OF(rs)))) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "signature-wrong", .at = SIGNED_SIZE + 1,
                          .reason = "the report is not signed by the chip's key, or was changed");
        return;
    }
    attest_pass(c, ATTEST_SIGNATURE, "the report is signed by the key of the certificate");
}

/* Component i of a is at most that of b, for all i that mean something. SPEC attestation 2 */
static bool tcb_at_most(struct bytes a, struct bytes b)
{
    for (size_t i = 0; i < 8; i++) {
        if (a.p[i] > b.p[i]) {
            return false;
        }
    }
    return true;
}

static void verify_tcb(struct attest_ctx *c, const struct snp_report *r, const struct snp_leaf *l)
{
    uint8_t want[8] = {0};
    bool turin = l->product == SNP_TURIN;
    want[0] = turin ? l->fmc : l->bl;
    want[1] = turin ? l->bl : l->tee;
    if (turin) {
        want[2] = l->tee;
        want[3] = l->snp;
    } else {
        want[6] = l->snp;
    }
    want[7] = l->ucode;
    if (memcmp(want, r->reported_tcb.p, 8) != 0) {
        (void)attest_fail(
            c, ATTEST_TCB, .code = "tcb-mismatch", .at = 0x180 + 1,
            .reason = attest_textf(c, "the report's TCB %s is not the certificate's %s",
                                   attest_hex(c, r->reported_tcb), attest_hex(c, BYTES_OF(want))),
            .fix = "get the certificate for the reported TCB from AMD's KDS");
        return;
    }
    if (!tcb_at_most(r->reported_tcb, r->committed_tcb) ||
        !tcb_at_most(r->committed_tcb, r->current_tcb) ||
        !tcb_at_most(r->launch_tcb, r->current_tcb)) {
        (void)attest_fail(c, ATTEST_TCB, .code = "tcb-order", .at = 0x180 + 1,
                          .reason =
                              "reported, committed, launch and current TCB contradict each other");
        return;
    }
    attest_pass(c, ATTEST_TCB,
                "the certificate is for the reported TCB; AMD publishes no TCB status");
}

/* The certificate speaks of this chip: its hardware id, unless the report masks it. */
static void verify_binding(struct attest_ctx *c, const struct snp_report *r,
                           const struct snp_leaf *l)
{
    if (l->is_vlek != (r->signing_key == KEY_VLEK) || r->signing_key > KEY_VLEK) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "signing-key", .at = 0x48 + 1,
                          .reason =
                              "the report names another kind of signing key than the certificate");
        return;
    }
    if (r->product != SNP_UNKNOWN && r->product != l->product) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "product", .at = 0x188 + 1,
                          .reason = "the report's processor is not of the certificate's product");
        return;
    }
    if (l->is_vlek || (r->mask_chip_key && all_zero(r->chip_id))) {
        attest_pass(c, ATTEST_BINDING,
                    l->is_vlek ? "the key is the cloud provider's (VLEK)"
                               : "the chip's id is masked by its owner");
        return;
    }
    /* Turin has ids of 8 bytes, zero-padded in the report */
    bool same = l->hwid.n <= 64 && memcmp(l->hwid.p, r->chip_id.p, l->hwid.n) == 0 &&
                all_zero((struct bytes){r->chip_id.p + l->hwid.n, 64 - l->hwid.n});
    if (l->hwid.n == 0 || !same) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "hwid-mismatch", .at = 0x1a0 + 1,
                          .reason = "the certificate is for another chip",
                          .fix = "get the VCEK for the report's chip id from AMD's KDS");
        return;
    }
    attest_pass(c, ATTEST_BINDING, "the certificate is for the report's chip");
}

void snp_verify(struct attest_ctx *c)
{
    const struct snp_report *r = c->parsed;
    struct snp_chain chain;
    if (!snp_find_chain(c, r, &chain)) {
        return;
    }
    verify_signature(c, r, &chain.leaf);
    verify_binding(c, r, &chain.info);
    snp_verify_chain(c, &chain);
    verify_tcb(c, r, &chain.info);
    claim_text(c, "product", bytes_str(snp_product_name(chain.info.product)));
    attest_na(c, ATTEST_FRESHNESS, "no dated collateral beside the certificates");
}

const struct attest_backend attest_backend_snp = {
    .name = "sev-snp",
    .title = "AMD SEV-SNP report",
    .identify = snp_identify,
    .decode = snp_decode,
    .verify = snp_verify,
};
