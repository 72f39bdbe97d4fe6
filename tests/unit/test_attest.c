/* SPDX-License-Identifier: Apache-2.0 */
/* test_attest.c - the verifier's frame: policy documents, links, claims, envelopes, and the kind
 * "simulated" with every way to be refused. */
#include "tests/test.h"
#include "attest/attest.h"
#include "crypto/secp.h"
#include "crypto/secret.h"
#include "encoding/base64.h"
#include "encoding/hex.h"

static struct verdict v;
static struct arena scratch, keep;
static struct secret key;
static struct address signer;

static const char *text_of(const struct verdict *x, bool json)
{
    static struct buf b;
    buf_free(&b);
    b = buf_new(1 << 20);
    if (json) {
        attest_put_json(&b, x);
    } else {
        attest_put_text(&b, x);
    }
    return buf_cstr(&b);
}

static void policy(struct attest_policy *p, const char *json)
{
    struct err e = {0};
    if (!rc_ok(attest_policy_parse(p, &keep, bytes_str(json), &e))) {
        (void)fprintf(stderr, "%s\n", e.msg);
        CHECK(false);
    }
}

static void policy_bad(const char *json, const char *want)
{
    struct err e = {0};
    struct attest_policy p;
    CHECK(!rc_ok(attest_policy_parse(&p, &keep, bytes_str(json), &e)));
    if (strstr(e.msg, want) == NULL) {
        (void)fprintf(stderr, "%s: says %s\n", json, e.msg);
        CHECK(false);
    }
}

static struct attest_simulated sample(void)
{
    struct attest_simulated s = {.svn = 7};
    memset(s.measurement.b, 0x11, 32);
    memset(s.report_data, 0x22, 32);
    memset(s.platform, 0x33, 16);
    return s;
}

static bool judge(struct bytes evidence, const char *policy_json, const char *data_hex)
{
    static struct attest_policy p;
    struct attest_anchor anchor = {"simulated", ATTEST_ANCHOR_ADDRESS, BYTES_OF(signer), "dev"};
    struct attest_input in = {
        .evidence = evidence, .anchor = &anchor, .n_anchor = 1, .now = 1700000000};
    BUF_FREE data = buf_new(64);
    if (policy_json != NULL) {
        policy(&p, policy_json);
        in.policy = &p;
    }
    if (data_hex != NULL) {
        CHECK(rc_ok(hex_decode(&data, bytes_str(data_hex))));
        in.report_data = buf_bytes(&data);
    }
    arena_reset(&scratch);
    return attest_verify(&v, &in, &scratch);
}

#define ALLOW "{\"kinds\":[\"simulated\"]"

static void refused(enum attest_link l, const char *code)
{
    if (attest_first_broken(&v) != l || strcmp(v.line[l].code, code) != 0) {
        (void)fprintf(stderr, "expected %s/%s: %s\n", attest_link_name(l), code,
                      text_of(&v, false));
        CHECK(false);
    }
    CHECK(!v.accepted);
}

static void test_policy(void)
{
    struct attest_policy p;
    policy(&p, "{}");
    CHECK(p.kinds.n == 0 && !p.allow_debug && (p.tcb_accept & 1U << TCB_UP_TO_DATE) != 0 &&
          (p.tcb_accept & 1U << TCB_OUT_OF_DATE) == 0);
    policy(&p,
           " {\"kinds\":[\"simulated\"],\"measurements\":[\"0x1122\",\"AABB\"],\"min_svn\":3,"
           "\"debug\":true,\"tcb\":{\"accept\":[\"UpToDate\",\"OutOfDate\"],\"advisories\":"
           "[\"INTEL-SA-00615\"],\"min_evaluation\":17},\"collateral\":{\"max_age_s\":60,"
           "\"grace_s\":5},\"revocation\":\"optional\",\"products\":[3,\"Milan\"],"
           "\"claims\":{\"snp.vmpl\":[0,1],\"tdx.rtmr3\":\"00\"},\"max\":{\"snp.vmpl\":1}} ");
    CHECK(p.measurements.n == 2 && p.measurements.v[1].p[0] == 0xaa && p.min_svn == 3 &&
          p.allow_debug && (p.tcb_accept & 1U << TCB_OUT_OF_DATE) != 0 && p.max_age_s == 60 &&
          p.grace_s == 5 && p.revocation_optional && p.min_tcb_evaluation == 17);
    CHECK(bytes_eq(p.products.v[0], BYTES_LIT("3")));
    CHECK(p.n_rule == 4 && p.rule[1].alternative && !p.rule[2].alternative &&
          p.rule[3].op == ATTEST_MAX);
    policy_bad("{\"kind\":[]}", "policy: kind: unknown key");
    policy_bad("{\"tcb\":{\"accept\":[\"UpToDate\",\"Fine\"]}}",
               "policy: tcb.accept[1]: not a TCB");
    policy_bad("{\"tcb\":{\"accepts\":[]}}", "policy: tcb.accepts: unknown key");
    policy_bad("{\"kinds\":[\"sgxx\"]}", "policy: kinds[0]: no such kind");
    policy_bad("{\"kinds\":[]}", "policy: kinds: an empty list");
    policy_bad("{\"measurements\":[\"0x1\"]}", "policy: measurements[0]: must be bytes in hex");
    policy_bad("{\"debug\":1}", "policy: debug: json: boolean expected");
    policy_bad("{\"debug\":true,\"debug\":true}", "policy: debug: given twice");
    policy_bad("{\"tcb\":{\"accept\":[],\"accept\":[]}}", "policy: tcb.accept: given twice");
    policy_bad("{\"claims\":{\"a\":1,\"a\":2}}", "policy: claims.a: given twice");
    policy_bad("{\"claims\":{\"a\":[]}}", "policy: claims.a: an empty list");
    policy_bad("{\"min\":{\"a\":\"1\"}}", "policy: min.a: json: non-negative");
    policy_bad("{\"collateral\":{\"age\":1}}", "policy: collateral.age: unknown key");
    policy_bad("{\"revocation\":\"no\"}", "policy: revocation: must be");
    policy_bad("{} x", "text behind");
    policy_bad("[]", "policy: document");
    policy_bad("", "policy: document");
    policy_bad("{\"min_svn\":-1}", "policy: min_svn");
}

static void test_simulated(void)
{
    struct attest_simulated s = sample();
    BUF_FREE ev = buf_new(1 << 10);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, &key)) && ev.n == 220);
    struct bytes e = buf_bytes(&ev);

    CHECK(!judge(e, NULL, NULL)); /* the default refuses it */
    refused(ATTEST_POLICY, "simulated");
    CHECK(v.verified && v.simulated);
    CHECK(!judge(e, "{}", NULL));
    refused(ATTEST_POLICY, "simulated");

    CHECK(judge(e, ALLOW "}", NULL));
    CHECK(strstr(text_of(&v, false), "SIMULATED: no hardware") != NULL);
    CHECK(strstr(text_of(&v, true), "\"warning\":\"SIMULATED: no hardware\"") != NULL);
    CHECK(attest_claim_find(&v, "svn")->u64 == 7);
    CHECK(bytes_eq(attest_claim_find(&v, "signer")->bytes, BYTES_OF(signer)));
    CHECK(attest_claim_find(&v, "nothing") == NULL);

    CHECK(judge(e,
                ALLOW ",\"measurements\":[\"00\",\"1111111111111111111111111111111111111111111"
                      "111111111111111111111\"],\"min_svn\":7}",
                "2222222222222222222222222222222222222222222222222222222222222222"));
    CHECK(!judge(e, ALLOW "}", "22222222222222222222222222222222222222222222222222222222222222"));
    refused(ATTEST_BINDING, "report-data-differs");
    CHECK(!v.verified);
    CHECK(!judge(e, ALLOW ",\"report_data\":\"33\"}", NULL));
    refused(ATTEST_BINDING, "report-data-differs");
    CHECK(!judge(e, ALLOW ",\"nonce\":\"33\"}", NULL));
    refused(ATTEST_BINDING, "no-such-field");
    CHECK(!judge(e, ALLOW ",\"measurements\":[\"aa\"]}", NULL));
    refused(ATTEST_POLICY, "measurement-differs");
    CHECK(strstr(v.line[ATTEST_POLICY].reason, "expected aa, evidence says 1111") != NULL);
    CHECK(!judge(e, ALLOW ",\"signers\":[\"aa\"]}", NULL));
    refused(ATTEST_POLICY, "signer-differs");
    CHECK(!judge(e, ALLOW ",\"platforms\":[\"aa\"]}", NULL));
    refused(ATTEST_POLICY, "platform-differs");
    CHECK(!judge(e, ALLOW ",\"products\":[1]}", NULL));
    refused(ATTEST_POLICY, "product-differs");
    CHECK(!judge(e, ALLOW ",\"min_svn\":8}", NULL));
    refused(ATTEST_POLICY, "svn-too-low");
    CHECK(judge(e,
                ALLOW ",\"claims\":{\"svn\":[6,7],\"debug\":false,\"platform\":\"0x333333333333"
                      "33333333333333333333\"},\"min\":{\"svn\":7},\"max\":{\"svn\":7}}",
                NULL));
    CHECK(!judge(e, ALLOW ",\"claims\":{\"svn\":[5,6]}}", NULL));
    refused(ATTEST_POLICY, "claim-differs");
    CHECK(!judge(e, ALLOW ",\"claims\":{\"other\":1}}", NULL));
    refused(ATTEST_POLICY, "claim-differs");
    CHECK(!judge(e, ALLOW ",\"max\":{\"svn\":6}}", NULL));
    refused(ATTEST_POLICY, "claim-differs");

    s.debug = true;
    buf_reset(&ev);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, &key)));
    CHECK(!judge(buf_bytes(&ev), ALLOW "}", NULL));
    refused(ATTEST_POLICY, "debug-enabled");
    CHECK(judge(buf_bytes(&ev), ALLOW ",\"debug\":true}", NULL));
}

static void test_changed(void)
{
    struct attest_simulated s = sample();
    BUF_FREE ev = buf_new(1 << 10);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, &key)));
    for (size_t bit = 0; bit < ev.n * 8; bit++) { /* every single bit */
        ev.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK(!judge(buf_bytes(&ev), ALLOW "}", NULL));
        enum attest_link l = attest_first_broken(&v);
        CHECK(l == ATTEST_FORMAT || l == ATTEST_SIGNATURE);
        CHECK(!v.verified);
        ev.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    CHECK(strstr(text_of(&v, false), "UNVERIFIED") != NULL || v.n_claim == 0);
    for (size_t n = 0; n < ev.n; n++) { /* every truncation */
        CHECK(!judge((struct bytes){ev.p, n}, ALLOW "}", NULL));
        CHECK(attest_first_broken(&v) == ATTEST_FORMAT);
    }
    size_t n = ev.n;
    put_u8(&ev, 0);
    CHECK(!judge(buf_bytes(&ev), ALLOW "}", NULL));
    refused(ATTEST_FORMAT, "length");

    /* another key: not a trust anchor */
    SECRET_FREE other = {0};
    BUF_FREE foreign = buf_new(1 << 10);
    CHECK(rc_ok(secp_key_new(&other)) && rc_ok(attest_simulated_make(&foreign, &s, &other)));
    CHECK(!judge(buf_bytes(&foreign), ALLOW "}", NULL));
    refused(ATTEST_SIGNATURE, "signature-wrong");
    CHECK(strstr(text_of(&v, true), "\"unverified_claims\":{\"measurement\"") != NULL);

    /* no anchors at all */
    struct attest_input in = {.evidence = {ev.p, n}, .now = 0};
    arena_reset(&scratch);
    CHECK(!attest_verify(&v, &in, &scratch));
    refused(ATTEST_SIGNATURE, "signature-wrong");
}

static void test_envelope(void)
{
    struct attest_simulated s = sample();
    BUF_FREE ev = buf_new(1 << 10);
    BUF_FREE text = buf_new(1 << 12);
    BUF_FREE twice = buf_new(1 << 12);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, &key)));
    put_str(&text, " 0x");
    put_hex(&text, buf_bytes(&ev));
    put_str(&text, "\n");
    CHECK(judge(buf_bytes(&text), ALLOW "}", NULL) && strcmp(v.envelope, "hex") == 0);
    put_base64(&twice, buf_bytes(&text));
    put_str(&twice, "\n");
    CHECK(judge(buf_bytes(&twice), ALLOW "}", NULL) && strcmp(v.envelope, "base64, hex") == 0);
    CHECK(!judge(BYTES_LIT("no evidence at all!"), ALLOW "}", NULL));
    refused(ATTEST_FORMAT, "unknown-format");
    CHECK(!judge((struct bytes){0}, ALLOW "}", NULL));
    refused(ATTEST_FORMAT, "unknown-format");

    struct attest_input in = {.evidence = buf_bytes(&ev), .kind = "other"};
    arena_reset(&scratch);
    CHECK(!attest_verify(&v, &in, &scratch));
    refused(ATTEST_FORMAT, "unknown-format");
    arena_reset(&scratch);
    CHECK(attest_identify(&v, buf_bytes(&ev), &scratch) && strcmp(v.kind, "simulated") == 0);
    in.kind = NULL;
    arena_reset(&scratch);
    CHECK(attest_show(&v, &in, &scratch) && !v.accepted && !v.verified && v.n_claim == 6);
    CHECK(!attest_identify(&v, BYTES_LIT("x"), &scratch));

    /* a scratch arena that is too small refuses and says so */
    struct arena tiny;
    arena_init(&tiny, 16);
    CHECK(!attest_verify(&v, &in, &tiny));
    CHECK(v.line[ATTEST_FORMAT].state == ATTEST_FAILED);
    arena_reset(&tiny);
}

int main(void)
{
    arena_init(&scratch, ATTEST_SCRATCH);
    arena_init(&keep, 16 << 20);
    CHECK(rc_ok(secp_key_new(&key)) && rc_ok(secp_address(&signer, &key)));
    test_policy();
    test_simulated();
    test_changed();
    test_envelope();
    (void)text_of(&v, true);
    arena_reset(&scratch);
    arena_reset(&keep);
    secret_free(&key);
    return 0;
}
