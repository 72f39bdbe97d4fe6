/* SPDX-License-Identifier: Apache-2.0 */
/* test_judge.c - what the verifier judges for every kind alike: dates, TCB states, advisories,
 * anchors, limits; through the seam that back ends use. */
#include "attest/attest_int.h"
#include "tests/test.h"

static bool never(struct bytes b)
{
    (void)b;
    return false;
}

static const struct attest_backend fake = {.name = "fake", .title = "a kind", .identify = never};

static struct verdict v;
static struct attest_policy policy;
static struct attest_input in;
static struct attest_ctx c;
static struct arena a;

/* A context as after decode(), everything good so far. */
static void fresh(const char *json, int64_t now)
{
    struct err e = {0};
    arena_reset(&a);
    CHECK(rc_ok(attest_policy_parse(&policy, &a, bytes_str(json), &e)));
    v = (struct verdict){.kind = "fake",
                         .title = "a kind",
                         .envelope = "",
                         .valid_from = INT64_MIN,
                         .valid_until = INT64_MAX};
    in = (struct attest_input){.now = now, .policy = &policy};
    c = (struct attest_ctx){.in = &in, .policy = &policy, .a = &a, .v = &v, .be = &fake};
    for (size_t l = 0; l < ATTEST_LINKS; l++) {
        attest_na(&c, (enum attest_link)l, "");
    }
    attest_pass(&c, ATTEST_FORMAT, "");
    attest_pass(&c, ATTEST_SIGNATURE, "");
    attest_pass(&c, ATTEST_CHAIN, "");
}

static void want(enum attest_link l, const char *code, const char *words)
{
    if (strcmp(v.line[l].code, code) != 0 || strstr(v.line[l].reason, words) == NULL) {
        (void)fprintf(stderr, "%s: %s: %s\n", attest_link_name(l), v.line[l].code,
                      v.line[l].reason);
        CHECK(false);
    }
}

static void test_dates(void)
{
    fresh("{}", 1000000000);
    attest_window(&c, false, "TCB info", 999999999, 1000000001);
    want(ATTEST_FRESHNESS, "ok", "valid");
    CHECK(v.valid_from == 999999999 && v.valid_until == 1000000001);
    attest_window(&c, false, "CRL", 999999000, 999999999); /* a failure is not overwritten… */
    want(ATTEST_FRESHNESS, "expired", "CRL expired on 2001-09-09T01:46:39Z");
    attest_window(&c, false, "other", 0, INT64_MAX);
    want(ATTEST_FRESHNESS, "expired", "CRL");
    CHECK(v.valid_until == 999999999);

    fresh("{}", 951782400); /* 2000-02-29 */
    attest_window(&c, true, "leaf", 951782401, INT64_MAX);
    want(ATTEST_CHAIN, "not-yet-valid", "from 2000-02-29T00:00:01Z on, the time is 2000-02-29T00");
    attest_judge(&c);
    CHECK(!v.verified && attest_first_broken(&v) == ATTEST_CHAIN);

    fresh("{}", -1);
    attest_window(&c, true, "leaf", INT64_MIN, -2);
    want(ATTEST_CHAIN, "expired", "1969-12-31T23:59:58Z");
    fresh("{}", INT64_MAX);
    attest_window(&c, true, "leaf", INT64_MIN, 1);
    want(ATTEST_CHAIN, "expired", "the end of time");
    fresh("{}", INT64_MIN);
    attest_window(&c, true, "leaf", 1, 2);
    want(ATTEST_CHAIN, "not-yet-valid", "the beginning");

    fresh("{\"collateral\":{\"grace_s\":10}}", 110);
    attest_window(&c, false, "CRL", 0, 100);
    want(ATTEST_FRESHNESS, "ok", "");
    attest_window(&c, true, "leaf", 0, 100); /* grace is for collateral alone */
    want(ATTEST_CHAIN, "expired", "leaf");
    fresh("{\"collateral\":{\"grace_s\":10}}", 111);
    attest_window(&c, false, "CRL", 0, 100);
    want(ATTEST_FRESHNESS, "expired", "CRL");
    fresh("{\"collateral\":{\"max_age_s\":10}}", 111);
    attest_window(&c, false, "CRL", 100, 200);
    want(ATTEST_FRESHNESS, "too-old", "older than the policy's 10 s");
    fresh("{\"collateral\":{\"max_age_s\":11,\"grace_s\":999999999999999999}}", 111);
    attest_window(&c, false, "CRL", 100, INT64_MAX - 1);
    attest_window(&c, false, "key", INT64_MIN, INT64_MAX); /* undated: no age */
    want(ATTEST_FRESHNESS, "ok", "");
}

static void test_tcb(void)
{
    for (int s = 0; s < TCB_STATES; s++) {
        fresh("{}", 0);
        attest_set_tcb(&c, (enum attest_tcb)s, "");
        attest_judge(&c);
        CHECK((v.line[ATTEST_TCB].state == ATTEST_OK) == (s <= TCB_UP_TO_DATE));
    }
    fresh("{}", 0);
    attest_set_tcb(&c, TCB_OUT_OF_DATE, "");
    attest_judge(&c);
    want(ATTEST_TCB, "tcb-status", "OutOfDate");
    CHECK(v.verified); /* the words are the hardware's, the policy does not like them */
    fresh("{\"tcb\":{\"accept\":[\"UpToDate\",\"OutOfDate\"]}}", 0);
    attest_set_tcb(&c, TCB_OUT_OF_DATE, "");
    attest_advisory(&c, BYTES_LIT("INTEL-SA-00001"));
    attest_judge(&c);
    want(ATTEST_TCB, "ok", "");
    fresh("{\"tcb\":{\"accept\":[]}}", 0);
    attest_set_tcb(&c, TCB_UP_TO_DATE, "");
    attest_judge(&c);
    want(ATTEST_TCB, "tcb-status", "UpToDate");

    fresh("{\"tcb\":{\"advisories\":[\"A\"]}}", 0);
    attest_set_tcb(&c, TCB_UP_TO_DATE, "");
    attest_advisory(&c, BYTES_LIT("A"));
    attest_advisory(&c, BYTES_LIT("A"));
    attest_judge(&c);
    want(ATTEST_TCB, "ok", "");
    CHECK(v.n_advisory == 1);
    fresh("{\"tcb\":{\"advisories\":[\"A\"]}}", 0);
    attest_set_tcb(&c, TCB_UP_TO_DATE, "");
    attest_advisory(&c, BYTES_LIT("A"));
    attest_advisory(&c, BYTES_LIT("B"));
    attest_judge(&c);
    want(ATTEST_TCB, "advisory", "advisory B applies");
    BUF_FREE text = buf_new(1 << 16);
    attest_put_text(&text, &v);
    CHECK(strstr(buf_cstr(&text), "advisory B") != NULL);
    buf_reset(&text);
    attest_put_json(&text, &v);
    CHECK(strstr(buf_cstr(&text), "\"advisories\":[\"A\",\"B\"]") != NULL);

    fresh("{}", 0);
    static char name[ATTEST_ADVISORY_MAX + 1][2];
    for (size_t i = 0; i < ARRAY_LEN(name); i++) {
        name[i][0] = (char)i;
        attest_advisory(&c, (struct bytes){(uint8_t *)name[i], 2});
    }
    want(ATTEST_TCB, "too-many-advisories", "");

    fresh("{\"tcb\":{\"min_evaluation\":17}}", 0);
    attest_evaluation(&c, "TCB info", 17);
    attest_pass(&c, ATTEST_FRESHNESS, "");
    want(ATTEST_FRESHNESS, "ok", "");
    attest_evaluation(&c, "TCB info", 16);
    want(ATTEST_FRESHNESS, "evaluation-too-low", "is of TCB evaluation 16, the policy asks for 17");
}

static void test_claims(void)
{
    fresh("{\"kinds\":[\"simulated\"]}", 0);
    attest_judge(&c);
    want(ATTEST_POLICY, "kind-not-allowed", "kind fake");
    fresh("{\"products\":[3,\"Milan\"]}", 0);
    claim_text(&c, "product", BYTES_LIT("Milan"));
    attest_judge(&c);
    want(ATTEST_POLICY, "ok", "");
    fresh("{\"products\":[3,\"Milan\"]}", 0);
    claim_u64(&c, "product", 3);
    attest_judge(&c);
    want(ATTEST_POLICY, "ok", "");
    fresh("{\"products\":[3,\"Milan\"]}", 0);
    claim_text(&c, "product", BYTES_LIT("Genoa"));
    attest_judge(&c);
    want(ATTEST_POLICY, "product-differs",
         "expected 3 or another of the policy's, evidence says G");
    fresh("{\"signers\":[\"aa\"],\"min_svn\":1}", 0);
    attest_judge(&c);
    want(ATTEST_POLICY, "signer-differs", "states no signer");
    fresh("{\"min_svn\":1}", 0);
    attest_judge(&c);
    want(ATTEST_POLICY, "svn-too-low", "nothing about it");
    fresh("{\"claims\":{\"x\":\"text\",\"y\":\"AB\",\"z\":true}}", 0);
    claim_text(&c, "x", BYTES_LIT("text"));
    claim_bytes(&c, "y", BYTES_LIT("\xab"));
    claim_bool(&c, "z", true);
    attest_judge(&c);
    want(ATTEST_POLICY, "ok", "");
    const char *bad[] = {"{\"claims\":{\"x\":\"other\"}}",
                         "{\"claims\":{\"y\":\"ac\"}}",
                         "{\"claims\":{\"y\":\"abab\"}}",
                         "{\"claims\":{\"y\":1}}",
                         "{\"claims\":{\"z\":false}}",
                         "{\"claims\":{\"z\":\"true\"}}",
                         "{\"min\":{\"x\":1}}",
                         "{\"max\":{\"z\":0}}",
                         "{\"claims\":{\"x\":[1,2]}}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fresh(bad[i], 0);
        claim_text(&c, "x", BYTES_LIT("text"));
        claim_bytes(&c, "y", BYTES_LIT("\xab"));
        claim_bool(&c, "z", true);
        attest_judge(&c);
        want(ATTEST_POLICY, "claim-differs", "differs: expected");
    }
    fresh("{\"nonce\":\"0102\"}", 0);
    claim_bytes(&c, "nonce", BYTES_LIT("\1\2"));
    attest_judge(&c);
    want(ATTEST_BINDING, "ok", "");
    fresh("{\"nonce\":\"0102\"}", 0); /* a nonce is equal, not a beginning */
    claim_bytes(&c, "nonce", BYTES_LIT("\1\2\0"));
    attest_judge(&c);
    want(ATTEST_BINDING, "nonce-differs", "expected 0102, evidence says 010200");
    fresh("{}", 0);
    in.nonce = BYTES_LIT("\1");
    claim_text(&c, "nonce", BYTES_LIT("\1")); /* text is no nonce */
    attest_judge(&c);
    want(ATTEST_BINDING, "no-such-field", "");

    fresh("{\"revocation\":\"optional\"}", 0);
    (void)attest_missing(&c, ATTEST_REVOCATION, .code = "no-crl", .reason = "no list");
    attest_judge(&c);
    CHECK(attest_first_broken(&v) == ATTEST_LINKS);
    fresh("{}", 0);
    (void)attest_missing(&c, ATTEST_REVOCATION, .code = "no-crl", .reason = "no list");
    attest_judge(&c);
    CHECK(attest_first_broken(&v) == ATTEST_REVOCATION && v.verified);
    (void)attest_fail(&c, ATTEST_REVOCATION, .code = "revoked", .reason = "it is revoked");
    want(ATTEST_REVOCATION, "revoked", ""); /* failed says more than missing… */
    (void)attest_missing(&c, ATTEST_REVOCATION, .code = "no-crl", .reason = "no list");
    want(ATTEST_REVOCATION, "revoked", ""); /* …and stays */

    fresh("{}", 0);
    for (size_t i = 0; i <= ATTEST_CLAIMS_MAX; i++) {
        claim_u64(&c, "n", i);
    }
    want(ATTEST_FORMAT, "too-many-claims", "");
}

static void test_names(void)
{
    CHECK(strcmp(attest_tcb_name(TCB_UP_TO_DATE), "UpToDate") == 0);
    CHECK(strcmp(attest_tcb_name((enum attest_tcb)99), "?") == 0);
    CHECK(strcmp(attest_link_name((enum attest_link)99), "?") == 0);
    CHECK(strcmp(attest_state_name(ATTEST_MISSING), "missing") == 0);
    CHECK(strcmp(attest_state_name((enum attest_state)99), "?") == 0);
    const char *title = NULL;
    size_t n = 0;
    while (attest_kind_at(n, &title) != NULL) {
        CHECK(title != NULL);
        n++;
    }
    CHECK(n >= 1);
}

static void test_anchors(void)
{
    struct attest_anchor list[] = {
        {.kind = "other"}, {.kind = "fake", .name = "1"}, {.kind = "*", .name = "2"}};
    struct attest_item item[] = {{.name = "caller's"}}, part[] = {{.name = "part"}};
    size_t i = 0;
    fresh("{}", 0);
    in.anchor = list;
    in.n_anchor = ARRAY_LEN(list);
    CHECK(strcmp(attest_anchor_next(&c, &i)->name, "1") == 0);
    CHECK(strcmp(attest_anchor_next(&c, &i)->name, "2") == 0);
    CHECK(attest_anchor_next(&c, &i) == NULL);
    in.item = item;
    in.n_item = 1;
    c.companion = part;
    c.n_companion = 1;
    CHECK(strcmp(attest_item_at(&c, 0)->name, "part") == 0);
    CHECK(strcmp(attest_item_at(&c, 1)->name, "caller's") == 0);
    CHECK(attest_item_at(&c, 2) == NULL);
}

static void test_bounds(void)
{
    static uint8_t big[ATTEST_EVIDENCE_MAX + 1];
    fresh("{}", 0);
    in.evidence = (struct bytes){big, sizeof(big)};
    CHECK(!attest_verify(&v, &in, &a));
    want(ATTEST_FORMAT, "too-large", "");
    in.evidence.n = 10;
    in.n_item = ATTEST_ITEMS_MAX + 1;
    CHECK(!attest_verify(&v, &in, &a));
    want(ATTEST_FORMAT, "too-much-collateral", "");

    struct arena none;
    arena_init(&none, 0);
    c.a = &none;
    CHECK(strstr(attest_textf(&c, "x"), "no memory") != NULL);
    CHECK(strstr(attest_hex(&c, BYTES_LIT("x")), "no memory") != NULL);
    struct err e = {0};
    CHECK(attest_policy_parse(&policy, &none, BYTES_LIT("{}"), &e).code == RC_CODE_LIMIT);
    CHECK(attest_policy_parse(&policy, &a, (struct bytes){big, ATTEST_POLICY_MAX + 1}, &e).code ==
          RC_CODE_LIMIT);
}

int main(void)
{
    arena_init(&a, ATTEST_SCRATCH);
    test_dates();
    test_tcb();
    test_claims();
    test_names();
    test_anchors();
    test_bounds();
    arena_reset(&a);
    return 0;
}
