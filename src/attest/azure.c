/* SPDX-License-Identifier: Apache-2.0 */
/* azure.c - Azure confidential VMs: the HCL report over SEV-SNP and over TDX. The hardware report's
 * data is the hash of a JSON document that holds the vTPM's attestation key; that key signs the vTPM
 * quote, whose extra data is the verifier's nonce. So: hardware report, its binding to the JSON, the
 * key in it, the quote. SPEC attestation 3
 *
 *   0 "HCLA"   4 version   8 size   12 request type   0x20 hardware report (slot of 1184 bytes)
 *   0x4c0 data size, version, report type, hash type, size of the JSON (u32 each)   0x4d4 JSON */
#include "attest/intel_int.h"
#include "attest/snp_int.h"
#include "attest/tpm_int.h"
#include "encoding/base64.h"
#include "encoding/jsonpull.h"

enum { HW = 0x20, DATA = 0x4c0, JSON = 0x4d4, HCL_MAX = 64 * 1024, TDREPORT_DATA = 128 };
enum { TYPE_SNP = 2, TYPE_TDX = 4, MEMBERS_MAX = 64 };

struct hcl {
    struct bytes json, report_data; /* 64 bytes, of the hardware report */
    bool is_tdx, has_ak;
    uint64_t hash_type;
    struct pubkey ak;
    struct attest_ctx hw; /* the hardware report's, judged by its own back end */
    bool has_hw;
    struct tpm_quote quote;
    bool has_quote;
};

static bool identify(struct bytes b)
{
    return b.n >= JSON && memcmp(b.p, "HCLA", 4) == 0;
}

/* --- the JSON document -------------------------------------------------------------------------- */

/* No object of the document has the same key twice: readers differ in which one they take. */
static const char *unique_keys(struct bytes value, unsigned depth)
{
    struct bytes seen[MEMBERS_MAX];
    struct jp j = jp_of(value);
    size_t n = 0;
    if (depth > JP_DEPTH_MAX) {
        return "the JSON is nested too deep";
    }
    if (value.n > 0 && value.p[0] == '[') {
        jp_array(&j);
        while (jp_elem(&j)) {
            const char *why = unique_keys(jp_skip(&j), depth + 1);
            if (why != NULL) {
                return why;
            }
        }
        return rc_ok(jp_end(&j)) ? NULL : "the JSON is malformed";
    }
    if (value.n == 0 || value.p[0] != '{') {
        return NULL;
    }
    struct bytes key;
    jp_object(&j);
    while (jp_key(&j, &key)) {
        for (size_t i = 0; i < n; i++) {
            if (bytes_eq(seen[i], key)) {
                return "a key of the JSON is given twice";
            }
        }
        if (n == MEMBERS_MAX) {
            return "an object of the JSON has too many members";
        }
        seen[n++] = key;
        const char *why = unique_keys(jp_skip(&j), depth + 1);
        if (why != NULL) {
            return why;
        }
    }
    return rc_ok(jp_end(&j)) ? NULL : "the JSON is malformed";
}

static bool decode_b64url(struct attest_ctx *c, struct bytes text, struct bytes *out)
{
    BUF_FREE b = buf_new(RSA_BITS_MAX / 8 + 1);
    if (text.n == 0 || !rc_ok(base64_decode(&b, text)) || b.n == 0) {
        return false;
    }
    uint8_t *p = arena_alloc(c->a, b.n);
    size_t skip = b.p[0] == 0 ? 1 : 0;
    if (p == NULL || b.n == skip || b.p[skip] == 0) {
        return false;
    }
    memcpy(p, b.p + skip, b.n - skip);
    *out = (struct bytes){p, b.n - skip};
    return true;
}

/* One of keys[]: kid, kty, n, e. */
static const char *take_jwk(struct attest_ctx *c, struct hcl *h, struct bytes value)
{
    struct bytes key, kid = {0}, kty = {0}, n = {0}, e = {0};
    struct jp j = jp_of(value);
    jp_object(&j);
    while (jp_key(&j, &key)) {
        struct bytes *to = bytes_eq(key, BYTES_LIT("kid"))   ? &kid
                           : bytes_eq(key, BYTES_LIT("kty")) ? &kty
                           : bytes_eq(key, BYTES_LIT("n"))   ? &n
                           : bytes_eq(key, BYTES_LIT("e"))   ? &e
                                                             : NULL;
        if (to != NULL) {
            *to = jp_string(&j);
        } else {
            (void)jp_skip(&j);
        }
    }
    if (!rc_ok(jp_end(&j))) {
        return "a key of the JSON is malformed";
    }
    if (!bytes_eq(kid, BYTES_LIT("HCLAkPub"))) {
        return NULL;
    }
    if (h->has_ak) {
        return "the JSON holds two attestation keys";
    }
    h->ak.kind = PK_RSA;
    h->has_ak = true;
    if (!bytes_eq(kty, BYTES_LIT("RSA")) || !decode_b64url(c, n, &h->ak.n) ||
        !decode_b64url(c, e, &h->ak.e)) {
        return "the JSON's attestation key is no RSA key";
    }
    return NULL;
}

/* vm-configuration: text, numbers and booleans become claims. */
static void take_configuration(struct attest_ctx *c, struct bytes value)
{
    struct bytes key;
    struct jp j = jp_of(value);
    jp_object(&j);
    while (jp_key(&j, &key)) {
        struct bytes v = jp_skip(&j);
        const char *name = attest_textf(c, "azure.%.*s", (int)MIN(key.n, 64), key.p);
        struct jp one = jp_of(v);
        if (v.n >= 2 && v.p[0] == '"') {
            struct bytes text = jp_string(&one);
            if (rc_ok(jp_end(&one))) {
                claim_text(c, name, text);
            }
        } else if (v.n > 0 && (v.p[0] == 't' || v.p[0] == 'f')) {
            claim_bool(c, name, v.p[0] == 't');
        } else if (v.n > 0 && v.p[0] >= '0' && v.p[0] <= '9') {
            uint64_t u = jp_u64(&one);
            if (rc_ok(jp_end(&one))) {
                claim_u64(c, name, u);
            }
        }
    }
}

static const char *read_json(struct attest_ctx *c, struct hcl *h)
{
    struct bytes key;
    const char *why = unique_keys(h->json, 0);
    struct jp j = jp_of(h->json);
    if (why != NULL) {
        return why;
    }
    jp_object(&j);
    while (why == NULL && jp_key(&j, &key)) {
        if (bytes_eq(key, BYTES_LIT("keys"))) {
            jp_array(&j);
            while (why == NULL && jp_elem(&j)) {
                why = take_jwk(c, h, jp_skip(&j));
            }
        } else if (bytes_eq(key, BYTES_LIT("vm-configuration"))) {
            take_configuration(c, jp_skip(&j));
        } else if (bytes_eq(key, BYTES_LIT("user-data"))) {
            claim_text(c, "azure.user_data", jp_string(&j));
        } else {
            (void)jp_skip(&j);
        }
    }
    if (why == NULL && !rc_ok(jp_end(&j))) {
        return "the JSON is malformed";
    }
    return why;
}

/* --- decode ------------------------------------------------------------------------------------- */

static bool read_header(struct attest_ctx *c, struct hcl *h)
{
    struct cur r = cur_of(c->evidence);
    (void)take_bytes(&r, 4);
    uint64_t version = take_le(&r, 4), size = take_le(&r, 4), request = take_le(&r, 4);
    (void)take_bytes(&r, DATA - 16);
    uint64_t data_size = take_le(&r, 4), data_version = take_le(&r, 4), type = take_le(&r, 4);
    h->hash_type = take_le(&r, 4);
    uint64_t n = take_le(&r, 4);
    h->json = take_bytes(&r, (size_t)n);
    struct attest_fault f = {.code = "malformed"};
    if (r.bad != NULL || c->evidence.n > HCL_MAX) {
        f.reason = "the JSON does not fit in the report";
        f.at = JSON - 3;
    } else if (version < 1 || version > 2 || request != 2 || data_version != 1) {
        f.reason = "an unknown version of the report";
        f.at = 5;
    } else if (data_size != n + 20) { /* the header counts itself */
        f.reason = "the sizes of the runtime data contradict each other";
        f.at = DATA + 1;
    } else if (type != TYPE_SNP && type != TYPE_TDX) {
        f.reason = "the hardware report is neither of SEV-SNP nor of TDX";
        f.at = DATA + 9;
    } else if (h->hash_type < 1 || h->hash_type > 3) {
        f.reason = "an unknown hash";
        f.at = DATA + 13;
    }
    for (size_t i = 0; f.reason == NULL && i < r.n; i++) { /* the vTPM's index is padded */
        if (r.p[i] != 0) {
            f.reason = "bytes follow the report";
            f.at = (size_t)(r.p - c->evidence.p) + i + 1;
        }
    }
    (void)size; /* of the report without padding; every producer counts it differently */
    h->is_tdx = type == TYPE_TDX;
    return f.reason == NULL || attest_fail_(c, ATTEST_FORMAT, ATTEST_FAILED, f);
}

/* Decodes the hardware evidence with its own back end; its claims become ours. */
static bool decode_hw(struct attest_ctx *c, struct hcl *h, const struct attest_backend *be,
                      struct bytes evidence)
{
    h->hw = *c;
    h->hw.be = be;
    h->hw.evidence = evidence;
    h->has_hw = true;
    return be->decode(&h->hw);
}

static void find_quote(struct attest_ctx *c, struct hcl *h, struct bytes *td_quote)
{
    const struct attest_item *it;
    for (size_t i = 0; (it = attest_item_at(c, i)) != NULL; i++) {
        if (!h->has_quote && tpm_is_attest(it->data)) {
            h->has_quote = tpm_quote_read(c, &h->quote, it->data);
        }
        if (h->is_tdx && td_quote->n == 0 && attest_backend_tdx.identify(it->data)) {
            *td_quote = it->data;
        }
    }
}

static bool decode(struct attest_ctx *c)
{
    struct hcl *h = ARENA_NEW(c->a, struct hcl);
    struct bytes td_quote = {0};
    if (h == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    if (!read_header(c, h)) {
        return false;
    }
    c->parsed = h;
    const char *why = read_json(c, h);
    if (why != NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "runtime-data", .reason = why, .at = JSON + 1);
    }
    find_quote(c, h, &td_quote);
    if (c->v->line[ATTEST_FORMAT].state == ATTEST_FAILED) {
        return false; /* a quote beside it is malformed */
    }
    struct bytes slot = {c->evidence.p + HW, SNP_REPORT_SIZE};
    h->report_data = (struct bytes){slot.p + (h->is_tdx ? TDREPORT_DATA : 0x50), 64};
    if (!h->is_tdx && !snp_identify(slot)) {
        return attest_fail(c, ATTEST_FORMAT, .code = "malformed", .at = HW + 1,
                           .reason = "the hardware report is no SEV-SNP report");
    }
    bool good = !h->is_tdx       ? decode_hw(c, h, &attest_backend_snp, slot)
                : td_quote.n > 0 ? decode_hw(c, h, &attest_backend_tdx, td_quote)
                                 : true;
    if (!h->has_hw) {
        claim_bytes(c, "report_data", h->report_data);
    }
    c->v->title = h->is_tdx ? "Azure HCL report over TDX" : "Azure HCL report over SEV-SNP";
    claim_text(c, "azure.hcl_report_type", bytes_str(h->is_tdx ? "TDX" : "SNP"));
    if (h->has_quote) {
        tpm_quote_claims(c, &h->quote);
    }
    return good;
}

/* --- verify ------------------------------------------------------------------------------------- */

static bool judge_binding(struct attest_ctx *c, const struct hcl *h)
{
    static const enum pk_hash hashes[] = {PK_SHA256, PK_SHA384, PK_SHA512};
    uint8_t d[64] = {0};
    pk_digest(d, hashes[h->hash_type - 1], h->json);
    bool bound = memcmp(d, h->report_data.p, sizeof(d)) == 0;
    claim_bool(c, "azure.runtime_data_bound", bound);
    if (!bound) {
        return attest_fail(c, ATTEST_BINDING, .code = "runtime-data", .at = JSON + 1,
                           .reason =
                               "the JSON with the attestation key is not the one whose hash "
                               "the hardware report states",
                           .fix = "the key was exchanged or the report is of another machine");
    }
    if (h->is_tdx && h->has_hw) {
        const struct intel_parsed *p = h->hw.parsed;
        bool same = p->q.is_tdx && bytes_eq(p->q.td.report_data, h->report_data);
        if (!same) {
            return attest_fail(c, ATTEST_BINDING, .code = "td-quote",
                               .reason = "the TD quote is not of this report",
                               .fix = "ask the platform to quote the report in the vTPM");
        }
    }
    attest_pass(c, ATTEST_BINDING, "the hardware report vouches for the runtime data");
    return true;
}

static void judge_quote(struct attest_ctx *c, const struct hcl *h)
{
    const char *scheme = "";
    int r = h->has_quote && h->has_ak ? tpm_signed_by(c, &h->quote, &h->ak, &scheme) : -1;
    if (!h->has_ak) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "no-key", .at = JSON + 1,
                          .reason = "the runtime data holds no attestation key (HCLAkPub)");
    } else if (r == 0) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "quote-signature", .subject = "vTPM quote",
                          .reason = "the vTPM quote is not signed by the key in the report");
    } else if (r < 0) {
        (void)attest_missing(
            c, ATTEST_SIGNATURE, .code = h->has_quote ? "no-quote-signature" : "no-quote",
            .subject = "vTPM quote",
            .reason = h->has_quote ? "no signature of the vTPM quote was given"
                                   : "no vTPM quote was given: anyone may show this report",
            .fix =
                "quote the vTPM's registers with your nonce, and put quote and signature beside "
                "the report");
    } else {
        attest_pass(c, ATTEST_SIGNATURE,
                    "hardware report and vTPM quote are signed by the keys that they name");
        tpm_judge_registers(c, &h->quote);
    }
}

static void verify(struct attest_ctx *c)
{
    struct hcl *h = c->parsed;
    bool bound = judge_binding(c, h);
    if (h->has_hw) {
        h->hw.companion = c->companion;
        h->hw.n_companion = c->n_companion;
        h->hw.be->verify(&h->hw);
    } else {
        const char *fix = "get the TD quote of the report from the platform's metadata service";
        (void)attest_missing(c, ATTEST_SIGNATURE, .code = "no-td-quote", .fix = fix,
                             .reason = "no TD quote was given: the report alone is not signed");
        (void)attest_missing(c, ATTEST_CHAIN, .code = "no-td-quote", .fix = fix,
                             .reason = "no TD quote was given");
    }
    if (bound) {
        judge_quote(c, h);
    }
}

const struct attest_backend attest_backend_azure = {
    .name = "azure",
    .title = "Azure HCL report",
    .identify = identify,
    .decode = decode,
    .verify = verify,
};
