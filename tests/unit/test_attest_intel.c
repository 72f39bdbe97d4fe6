/* SPDX-License-Identifier: Apache-2.0 */
/* test_attest_intel.c - SGX and TDX quotes under test roots: what is genuine is accepted in every
 * version, and each attack on a quote, its chain or its collateral is refused by the right link. */
#include "attest/intel_int.h"
#include "tests/intel_fixture.h"

static struct verdict v;
static struct attest_policy policy;

static bool judge_with(const struct fix *f, struct bytes quote, const struct attest_held *held)
{
    struct arena a;
    struct attest_input in = {.evidence = quote,
                              .item = f->item,
                              .n_item = held != NULL ? 0 : f->n_item,
                              .anchor = &f->anchor,
                              .n_anchor = 1,
                              .no_builtin_roots = true,
                              .policy = &policy,
                              .now = FIX_NOW,
                              .held = held};
    static struct arena last;
    arena_reset(&last);
    arena_init(&a, ATTEST_SCRATCH);
    bool r = attest_verify(&v, &in, &a);
    last = a; /* the verdict's texts live until the next one */
    return r;
}

static bool judge(const struct fix *f)
{
    return judge_with(f, buf_bytes(&f->quote), NULL);
}

static void show_why(const char *what)
{
    BUF_FREE text = buf_new(1 << 20);
    attest_put_text(&text, &v);
    (void)fprintf(stderr, "%s:\n%s\n", what, buf_cstr(&text));
}

/* Builds, judges and expects this link to be broken with this code; frees. */
static void refused(struct fix f, enum attest_link l, const char *code)
{
    fix_build(&f);
    bool accepted = judge(&f);
    if (accepted || attest_first_broken(&v) != l || strcmp(v.line[l].code, code) != 0) {
        show_why(code);
        CHECK(false);
    }
    fix_free(&f);
}

static void accepted(struct fix f, enum attest_tcb tcb)
{
    fix_build(&f);
    if (!judge(&f) || v.tcb != tcb) {
        show_why("not accepted");
        CHECK(false);
    }
    fix_free(&f);
}

static void test_good(void)
{
    static const int kinds[][2] = {{3, 0}, {4, 0}, {5, 0}, {4, 1}, {5, 1}, {5, 2}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct fix f = fix_new(kinds[i][0], kinds[i][1]);
        accepted(f, TCB_UP_TO_DATE);
        CHECK(v.n_advisory == 1 && strcmp(v.kind, kinds[i][1] == 0 ? "sgx" : "tdx") == 0);
        f.order_swapped = true;
        accepted(f, TCB_UP_TO_DATE);
    }
}

/* Trust is the anchor's, not that of what the quote brings along. */
static void test_anchors(void)
{
    struct fix f = fix_new(3, 0), stranger = fix_new(3, 0);
    fix_build(&f);
    fix_build(&stranger);
    struct attest_anchor own = f.anchor;
    f.anchor = stranger.anchor; /* a root of the same name with another key */
    CHECK(!judge(&f) && attest_first_broken(&v) == ATTEST_CHAIN);
    CHECK(strcmp(v.line[ATTEST_CHAIN].code, "untrusted-root") == 0);
    f.anchor = own;
    uint8_t *spki = NULL; /* a key alone is an anchor too */
    int n = i2d_PUBKEY(f.root.key, &spki);
    f.anchor = (struct attest_anchor){"sgx", ATTEST_ANCHOR_KEY, {spki, (size_t)n}, NULL};
    CHECK(judge(&f));
    f.anchor.kind = "tdx"; /* of another kind: none is left */
    CHECK(!judge(&f) && strcmp(v.line[ATTEST_CHAIN].code, "no-anchor") == 0);
    OPENSSL_free(spki);
    fix_free(&f);
    fix_free(&stranger);
}

/* Every bit of header, body, QE report, signatures, key and authentication data. */
static void flips(int version, int body)
{
    struct fix f = fix_new(version, body);
    struct arena keep;
    struct attest_held *held;
    arena_init(&keep, ATTEST_SCRATCH);
    fix_build(&f);
    struct attest_input in = {
        .item = f.item, .n_item = f.n_item, .anchor = &f.anchor, .n_anchor = 1};
    CHECK(rc_ok(attest_hold(&held, &in, &keep)));
    CHECK(judge_with(&f, buf_bytes(&f.quote), held));
    size_t end = f.auth_at + 32;
    for (size_t bit = 0; bit < end * 8; bit += bit < 64 * 8 ? 1 : 5) {
        size_t at = bit / 8;
        f.quote.p[at] ^= (uint8_t)(1 << bit % 8);
        bool is = judge_with(&f, buf_bytes(&f.quote), held);
        enum attest_link l = attest_first_broken(&v);
        bool in_body = at >= (version == 5 ? 54 : 48) && at < f.signed_size;
        bool right = in_body           ? l == ATTEST_SIGNATURE
                     : at >= f.auth_at ? l == ATTEST_BINDING
                                       : l == ATTEST_SIGNATURE || l == ATTEST_FORMAT;
        if (is || !right || (in_body && v.verified)) {
            (void)fprintf(stderr, "v%d body %d, bit %zu of byte %zu: ", version, body, bit % 8, at);
            show_why("flip");
            CHECK(false);
        }
        f.quote.p[at] ^= (uint8_t)(1 << bit % 8);
    }
    arena_reset(&keep);
    fix_free(&f);
}

static void sizes(int version, int body)
{
    struct fix f = fix_new(version, body);
    fix_build(&f);
    BUF_FREE longer = buf_new(1 << 16);
    put_bytes(&longer, buf_bytes(&f.quote));
    put_zero(&longer, 100);
    for (size_t n = 48; n < f.quote.n; n++) {
        CHECK(!judge_with(&f, (struct bytes){f.quote.p, n}, NULL));
        CHECK(attest_first_broken(&v) == ATTEST_FORMAT);
    }
    CHECK(judge_with(&f, buf_bytes(&longer), NULL)); /* padding of zeroes occurs */
    for (size_t i = 0; i < 100; i++) {
        longer.p[f.quote.n + i] = 1;
        CHECK(!judge_with(&f, buf_bytes(&longer), NULL));
        CHECK(attest_first_broken(&v) == ATTEST_FORMAT);
        longer.p[f.quote.n + i] = 0;
    }
    const size_t lengths[][2] = {{f.signed_size, 4}, {f.auth_at - 2, 2}, {f.certs_at - 4, 4}};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        uint8_t *p = f.quote.p + lengths[i][0], was[4];
        memcpy(was, p, 4);
        for (int k = 0; k < 3; k++) {
            memset(p, k == 0 ? 0xff : 0, lengths[i][1]);
            p[lengths[i][1] - 1] = k == 2 ? 0x7f : p[lengths[i][1] - 1];
            CHECK(!judge(&f));
            CHECK(attest_first_broken(&v) == ATTEST_FORMAT);
            memcpy(p, was, 4);
        }
    }
    CHECK(judge(&f));
    fix_free(&f);
}

static void test_chain(void)
{
    struct fix f = fix_new(4, 1);
    f.ca_without_flag = true;
    refused(f, ATTEST_CHAIN, "chain-signature");
    f = fix_new(4, 1);
    f.ca_expired = true;
    refused(f, ATTEST_CHAIN, "expired");
    f = fix_new(4, 1);
    f.ca_forged = true; /* names fit, the signature does not */
    refused(f, ATTEST_CHAIN, "chain-signature");
    f = fix_new(3, 0);
    fix_build(&f);
    struct fix stranger = fix_new(3, 0);
    fix_build(&stranger);
    /* the whole chain of somebody else, with the same names, around our quote's collateral */
    CHECK(!judge_with(&f, buf_bytes(&stranger.quote), NULL));
    CHECK(attest_first_broken(&v) == ATTEST_CHAIN);
    CHECK(v.line[ATTEST_SIGNATURE].state == ATTEST_OK && !v.verified);
    fix_free(&stranger);
    fix_free(&f);
}

/* A certificate whose lengths are not minimal is not DER. */
static void test_der(void)
{
    struct fix f = fix_new(3, 0);
    fix_build(&f);
    BUF_FREE der = buf_new(1 << 16), bad = buf_new(1 << 16);
    fix_put_der(&der, f.leaf.cert);
    const char *why = NULL;
    struct x509 x;
    CHECK(rc_ok(x509_parse(&x, buf_bytes(&der), &why)));
    put_mem(&bad, "\x30\x83\x00", 3); /* 82 LL LL as 83 00 LL LL */
    put_mem(&bad, der.p + 2, der.n - 2);
    CHECK(!rc_ok(x509_parse(&x, buf_bytes(&bad), &why)));
    put_u8(&der, 0);
    CHECK(!rc_ok(x509_parse(&x, buf_bytes(&der), &why)));
    fix_free(&f);
}

static void test_revocation(void)
{
    struct fix f = fix_new(3, 0);
    f.leaf_revoked = true;
    refused(f, ATTEST_REVOCATION, "revoked");
    f = fix_new(3, 0);
    f.ca_revoked = true;
    refused(f, ATTEST_REVOCATION, "revoked");
    f = fix_new(3, 0);
    f.signer_revoked = true;
    refused(f, ATTEST_REVOCATION, "revoked");
    f = fix_new(3, 0);
    f.crl_of_other = true; /* platform and processor lists mixed up */
    refused(f, ATTEST_REVOCATION, "crl-missing");
    f = fix_new(3, 0);
    f.crl_forged = true;
    refused(f, ATTEST_REVOCATION, "crl-signature");
    f = fix_new(3, 0);
    f.crl_next = FIX_NOW - 1;
    refused(f, ATTEST_FRESHNESS, "expired");
}

static void test_collateral(void)
{
    struct fix f = fix_new(4, 1);
    f.fmspc_json = "90c06fabcdee";
    refused(f, ATTEST_TCB, "tcb-info-missing");
    f = fix_new(4, 1);
    f.tcb_id = "SGX";
    refused(f, ATTEST_TCB, "tcb-info-missing");
    f = fix_new(4, 1);
    f.tcb_next = FIX_NOW - 1;
    refused(f, ATTEST_FRESHNESS, "expired");
    f = fix_new(4, 1);
    f.tcb_version = 4;
    refused(f, ATTEST_TCB, "tcb-info-malformed");
    f = fix_new(4, 1);
    f.extra_tcb = "\"fmspc\":\"90c06fabcdef\",";
    refused(f, ATTEST_TCB, "tcb-info-malformed");
    f = fix_new(4, 1);
    f.tcb_levels = "{\"tcb\":{\"pcesvn\":1},\"tcbStatus\":\"UpToDate\"}";
    refused(f, ATTEST_TCB, "tcb-info-malformed");
    f = fix_new(4, 1);
    f.tcb_levels = "{\"tcb\":{},\"tcbStatus\":\"Fine\"}";
    refused(f, ATTEST_TCB, "tcb-info-malformed");
    f = fix_new(3, 0);
    f.qe_id = "TD_QE";
    refused(f, ATTEST_TCB, "qe-identity-missing");
    f = fix_new(3, 0);
    f.qe_signer = "8C4F577500000000000000000000000000000000000000000000000000000001";
    refused(f, ATTEST_TCB, "qe-identity");
    f = fix_new(3, 0);
    f.qe_report_debug = true;
    refused(f, ATTEST_TCB, "qe-identity");
    f = fix_new(3, 0);
    f.extra_qe = "\"isvprodid\":2,";
    refused(f, ATTEST_TCB, "qe-identity-malformed");
    f = fix_new(3, 0);
    f.eval_number = 16;
    policy.min_tcb_evaluation = 17;
    refused(f, ATTEST_FRESHNESS, "evaluation-too-low");
    policy.min_tcb_evaluation = 0;
}

/* Collateral that was changed, or that somebody else signed. */
static void test_forged_collateral(void)
{
    struct fix f = fix_new(4, 1), stranger = fix_new(4, 1);
    fix_build(&f);
    fix_build(&stranger);
    struct attest_item good = f.item[3];
    f.item[3] = stranger.item[3];
    CHECK(!judge(&f) && strcmp(v.line[ATTEST_TCB].code, "collateral-signature") == 0);
    CHECK(v.tcb == TCB_NONE && v.n_advisory == 0);
    f.item[3] = good;
    f.item[2] = stranger.item[2]; /* another root's signer */
    CHECK(!judge(&f) && strcmp(v.line[ATTEST_TCB].code, "tcb-signer") == 0);
    f.item[2] = (struct attest_item){"none", BYTES_LIT("nothing that is collateral")};
    CHECK(!judge(&f) && strcmp(v.line[ATTEST_TCB].code, "tcb-signer-missing") == 0);
    f.n_item = 0;
    CHECK(!judge(&f) && v.verified && attest_first_broken(&v) == ATTEST_REVOCATION);
    CHECK(v.line[ATTEST_TCB].state == ATTEST_MISSING);
    policy.revocation_optional = true;
    CHECK(!judge(&f) && attest_first_broken(&v) == ATTEST_TCB);
    policy.revocation_optional = false;
    fix_free(&f);
    fix_free(&stranger);
}

#define LEVEL(svn, status) "{\"tcb\":{\"isvsvn\":" #svn "},\"tcbStatus\":\"" status "\"}"

static void with_tcb(struct fix f, enum attest_tcb tcb)
{
    policy.tcb_accept = UINT32_MAX;
    accepted(f, tcb);
    attest_policy_default(&policy);
    if (tcb != TCB_UP_TO_DATE) {
        refused(f, ATTEST_TCB, "tcb-status");
    }
}

static void test_tcb(void)
{
    BUF_FREE level = buf_new(1 << 16);
    struct fix f = fix_new(3, 0);
    fix_put_level(&level, 4, 0, 13, "UpToDate");
    f.tcb_levels = buf_cstr(&level);
    with_tcb(f, TCB_NOT_SUPPORTED); /* no level fits */
    buf_reset(&level);
    fix_put_level(&level, 3, 0, 14, "UpToDate"); /* pcesvn counts as much as the components */
    put_str(&level, ",");
    fix_put_level(&level, 1, 0, 13, "ConfigurationNeeded");
    f.tcb_levels = buf_cstr(&level);
    with_tcb(f, TCB_CONFIGURATION_NEEDED);
    f.qe_levels = LEVEL(8, "OutOfDate");
    with_tcb(f, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
    f.qe_levels = LEVEL(9, "UpToDate"); /* the enclave is older than every level */
    with_tcb(f, TCB_NOT_SUPPORTED);
    f.qe_levels = LEVEL(8, "Revoked");
    with_tcb(f, TCB_REVOKED);
}

static void test_module(void)
{
    struct fix f = fix_new(4, 1);
    f.tee_svn[0] = 2; /* the module is old; component 0 is not asked of the platform */
    with_tcb(f, TCB_OUT_OF_DATE);
    f = fix_new(5, 2);
    f.tee_svn[0] = 2;
    with_tcb(f, TCB_TD_RELAUNCH_ADVISED); /* but the one loaded now is new */
    f.tee_svn2[0] = 4;
    with_tcb(f, TCB_OUT_OF_DATE); /* not new enough */
    f.tee_svn2[0] = 5;
    f.tee_svn2[1] = 2; /* of a version that nobody knows */
    with_tcb(f, TCB_NOT_SUPPORTED);
    f = fix_new(5, 2);
    BUF_FREE level = buf_new(1 << 16);
    fix_put_level(&level, 3, 3, 13, "ConfigurationNeeded");
    f.tcb_levels = buf_cstr(&level);
    f.tee_svn[0] = 2;
    with_tcb(f, TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED);
    f = fix_new(5, 2);
    f.tee_svn[2] = 2; /* the rest of what launched it is old, all that is loaded now is new */
    with_tcb(f, TCB_TD_RELAUNCH_ADVISED);
    f.tee_svn2[2] = 2;
    with_tcb(f, TCB_OUT_OF_DATE);
    f = fix_new(4, 1);
    f.tee_svn[2] = 2; /* another component is old: the platform's level drops */
    with_tcb(f, TCB_OUT_OF_DATE);
    f = fix_new(4, 1);
    f.tdx_module = "TDX_03";
    refused(f, ATTEST_TCB, "module-unknown");
    f = fix_new(4, 1);
    f.tee_svn[1] = 0;
    f.tee_svn[0] = 3;
    with_tcb(f, TCB_NOT_SUPPORTED); /* then all 16 components count, and [1] is 0 */
    f = fix_new(4, 1);
    f.seam[5] = 1;
    refused(f, ATTEST_TCB, "module-identity");
    f = fix_new(4, 1);
    f.modules = LEVEL(5, "UpToDate") "," LEVEL(2, "OutOfDate") "," LEVEL(1, "Revoked");
    f.tee_svn[0] = 1;
    with_tcb(f, TCB_REVOKED);
    f.tee_svn[0] = 0;
    with_tcb(f, TCB_NOT_SUPPORTED);
}

static void test_td(void)
{
    struct fix f = fix_new(4, 1);
    f.td_attributes[0] = 1;
    refused(f, ATTEST_POLICY, "debug-enabled");
    policy.allow_debug = true;
    accepted(f, TCB_UP_TO_DATE);
    policy.allow_debug = false;
    f = fix_new(4, 1);
    f.td_attributes[0] = 2;
    refused(f, ATTEST_POLICY, "reserved-attributes");
    f = fix_new(5, 2);
    f.service[0] = 9;
    refused(f, ATTEST_POLICY, "service-td");
    policy.rule[0] = (struct attest_rule){
        .claim = "tdx.mrservicetd",
        .op = ATTEST_IS,
        .is_text = true,
        .text = BYTES_LIT("0900000000000000000000000000000000000000000000000000000000000000000000"
                          "00000000000000000000000000")};
    policy.n_rule = 1;
    accepted(f, TCB_UP_TO_DATE);
    policy.n_rule = 0;
    f = fix_new(3, 0);
    f.attributes[0] |= 2;
    refused(f, ATTEST_POLICY, "debug-enabled");
}

/* Quotes that name their platform alone, or bring the leaf alone. */
static void test_cert_types(void)
{
    struct fix f = fix_new(3, 0);
    for (int type = 1; type <= 3; type++) {
        f.cert_type = type;
        refused(f, ATTEST_SIGNATURE, "pck-missing");
        CHECK(v.line[ATTEST_CHAIN].state == ATTEST_MISSING && !v.verified);
    }
    fix_build(&f);
    f.item[f.n_item++] = (struct attest_item){"pck", buf_bytes(&f.leaf_pem)};
    CHECK(judge(&f));
    fix_free(&f);
    f = fix_new(3, 0);
    f.cert_type = 4;
    refused(f, ATTEST_CHAIN, "issuer-missing");
    fix_build(&f);
    f.item[f.n_item++] = (struct attest_item){"pck", buf_bytes(&f.leaf_pem)};
    CHECK(judge(&f));
    fix_free(&f);
}

/* The same collateral as Open Enclave's blob, and the lists as hexadecimal text. */
static void test_forms(void)
{
    struct fix f = fix_new(4, 1);
    fix_build(&f);
    BUF_FREE blob = buf_new(1 << 20), data = buf_new(1 << 20), hex = buf_new(1 << 20);
    const struct buf *parts[] = {&f.tcb_info, &f.tcb_chain,   &f.pck_crl,  &f.root_crl,
                                 &f.leaf_pem, &f.qe_identity, &f.tcb_chain};
    fix_put_le(&data, 1, 4);
    size_t at[9] = {0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        at[i + 1] = data.n;
        put_bytes(&data, buf_bytes(parts[i]));
        put_zero(&data, parts[i] == &f.pck_crl || parts[i] == &f.root_crl ? 0 : 1);
    }
    at[8] = data.n;
    put_str(&data, "2025-06-01T00:00:00Z");
    fix_put_le(&blob, 1, 4);
    fix_put_le(&blob, 2, 4);
    fix_put_le(&blob, data.n + 36, 4);
    fix_put_le(&blob, 9, 4);
    for (size_t i = 0; i < 9; i++) {
        fix_put_le(&blob, at[i], 4);
    }
    put_bytes(&blob, buf_bytes(&data));
    struct attest_item was[5];
    memcpy(was, f.item, sizeof(was));
    f.item[0] = (struct attest_item){"endorsements", buf_bytes(&blob)};
    f.n_item = 1;
    CHECK(judge(&f));
    blob.p[16 + 8 + 3] = 0x7f; /* an offset beyond the end */
    CHECK(!judge(&f));
    memcpy(f.item, was, sizeof(was));
    f.n_item = 5;
    for (size_t i = 0; i < f.pck_crl.n; i++) {
        put_fmt(&hex, "%02x", f.pck_crl.p[i]);
    }
    put_str(&hex, "\n");
    f.item[1].data = buf_bytes(&hex);
    CHECK(judge(&f));
    fix_free(&f);
}

/* Both TCB signers, two TCB infos and lists at once: the time tells which count. */
static void test_choice(void)
{
    struct fix f = fix_new(4, 1);
    fix_build(&f);
    BUF_FREE good = buf_new(1 << 16), old = buf_new(1 << 16);
    put_bytes(&good, buf_bytes(&f.tcb_info));
    buf_reset(&f.tcb_info);
    f.tcb_next = FIX_NOW - 10;
    f.eval_number = 99;
    fix_build_tcb_info(&f);
    put_bytes(&old, buf_bytes(&f.tcb_info));
    f.item[3].data = buf_bytes(&old);
    CHECK(!judge(&f) && attest_first_broken(&v) == ATTEST_FRESHNESS);
    f.item[f.n_item++] = (struct attest_item){"good", buf_bytes(&good)};
    CHECK(judge(&f));
    fix_free(&f);
}

/* A certificate of `key` with one extension. */
static void make_cert(struct buf *out, EVP_PKEY *key, const char *oid, struct bytes value)
{
    X509 *x = X509_new();
    X509_NAME *name = fix_name("ra-tls");
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *v8 = ASN1_OCTET_STRING_new();
    CHECK(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1);
    CHECK(X509_set_subject_name(x, name) == 1 && X509_set_issuer_name(x, name) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(x), 5) == 1);
    (void)ASN1_TIME_set(X509_getm_notBefore(x), FIX_NOW);
    (void)ASN1_TIME_set(X509_getm_notAfter(x), FIX_NOW + FIX_DAY);
    CHECK(ASN1_OCTET_STRING_set(v8, value.p, (int)value.n) == 1);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, v8);
    CHECK(e != NULL && X509_add_ext(x, e, -1) == 1 && X509_sign(x, key, EVP_sha256()) > 0);
    fix_put_der(out, x);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(v8);
    ASN1_OBJECT_free(o);
    X509_NAME_free(name);
    X509_free(x);
}

static void cbor_string(struct buf *b, uint8_t major, struct bytes v8)
{
    put_u8(b, (uint8_t)(major << 5 | 25));
    put_be(b, v8.n, 2);
    put_bytes(b, v8);
}

/* RA-TLS in both forms, and Open Enclave's header. The quote counts for one key alone. */
static void test_envelopes(void)
{
    struct fix f = fix_new(3, 0);
    EVP_PKEY *key = fix_key(), *other = fix_key();
    BUF_FREE cert = buf_new(1 << 16), bad = buf_new(1 << 16), oe = buf_new(1 << 16);
    BUF_FREE claims = buf_new(1024), dice = buf_new(1 << 16);
    uint8_t *spki = NULL, digest[64];
    int n = i2d_PUBKEY(key, &spki);
    pk_digest(digest, PK_SHA256, (struct bytes){spki, (size_t)n});
    memcpy(f.report_data, digest, 32);
    fix_build(&f);
    make_cert(&cert, key, "1.2.840.113741.1337.6", buf_bytes(&f.quote));
    make_cert(&bad, other, "1.2.840.113741.1337.6", buf_bytes(&f.quote));
    CHECK(judge_with(&f, buf_bytes(&cert), NULL) && strcmp(v.envelope, "certificate") == 0);
    CHECK(v.line[ATTEST_BINDING].state == ATTEST_OK);
    CHECK(!judge_with(&f, buf_bytes(&bad), NULL) && attest_first_broken(&v) == ATTEST_BINDING);
    fix_put_le(&oe, 1, 4);
    fix_put_le(&oe, 2, 4);
    fix_put_le(&oe, f.quote.n, 8);
    put_bytes(&oe, buf_bytes(&f.quote));
    CHECK(judge_with(&f, buf_bytes(&oe), NULL));
    fix_free(&f);
    put_mem(&claims, "\xa1\x6bpubkey-hash\x58\x24\x82\x01\x58\x20", 19);
    put_mem(&claims, digest, 32);
    f = fix_new(4, 1);
    pk_digest(digest, PK_SHA256, buf_bytes(&claims));
    memcpy(f.report_data, digest, 32);
    fix_build(&f);
    put_mem(&dice, "\xd9\xea\x60\x82", 4);
    cbor_string(&dice, 2, buf_bytes(&f.quote));
    put_u8(&dice, 0x58);
    put_u8(&dice, (uint8_t)claims.n);
    put_bytes(&dice, buf_bytes(&claims));
    buf_reset(&cert);
    buf_reset(&bad);
    make_cert(&cert, key, "2.23.133.5.4.9", buf_bytes(&dice));
    make_cert(&bad, other, "2.23.133.5.4.9", buf_bytes(&dice));
    CHECK(judge_with(&f, buf_bytes(&cert), NULL));
    CHECK(!judge_with(&f, buf_bytes(&bad), NULL) && attest_first_broken(&v) == ATTEST_BINDING);
    CHECK(strcmp(v.line[ATTEST_BINDING].code, "certificate-key") == 0);
    fix_free(&f);
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

int main(void)
{
    attest_policy_default(&policy);
    test_good();
    test_anchors();
    test_chain();
    test_der();
    test_revocation();
    test_collateral();
    test_forged_collateral();
    test_tcb();
    test_module();
    test_td();
    test_cert_types();
    test_forms();
    test_choice();
    test_envelopes();
    sizes(3, 0);
    sizes(5, 2);
    flips(3, 0);
    flips(4, 1);
    flips(5, 2);
    (void)judge_with(&(struct fix){0}, (struct bytes){0}, NULL);
    return 0;
}
