/* SPDX-License-Identifier: Apache-2.0 */
/* test_psa.c - PSA tokens under test keys, both profiles, signed and with a secret key. */
#include "tests/cose_fixture.h"

struct tok {
    bool first, mac, both, no_parts, twice, no_signer;
    const char *profile;
    int skip; /* leaves out the claim of this index */
    int64_t lifecycle, alg;
    size_t curve, nonce;
    struct buf text;
};

static struct verdict v;
static struct attest_policy policy;
static struct arena last;
static struct attest_anchor anchor[2];
static size_t n_anchor;
static EVP_PKEY *key256, *key384;
static const uint8_t secret[32] = {0x9f, 1, 2, 3};

static struct tok tok_new(void)
{
    return (struct tok){.skip = -1, .lifecycle = 0x3001, .alg = -7, .curve = 32, .nonce = 48};
}

static void put_part(struct buf *b, const struct tok *t)
{
    cb_head(b, 5, t->no_signer ? 2 : 3);
    cb_int(b, 1);
    cb_text(b, "BL");
    cb_int(b, 2);
    cb_fill(b, 32, 3);
    if (!t->no_signer) {
        cb_int(b, 5);
        cb_fill(b, 32, 4);
    }
}

static void put_claim(struct buf *b, const struct tok *t, int i, bool first)
{
    static const int64_t labels[2][8] = {
        {10, 256, 265, 2394, 2395, 2396, 2397, 2399},
        {-75008, -75009, -75000, -75001, -75002, -75003, -75004, -75006}};
    const char *profile = first ? "PSA_IOT_PROFILE_1" : "tag:psacertified.org,2023:psa#tfm";
    cb_int(b, labels[first ? 1 : 0][i]);
    switch (i) {
    case 0:
        cb_fill(b, t->nonce, 7);
        return;
    case 1:
        cb_head(b, 2, 33);
        put_u8(b, 1);
        put_zero(b, 32);
        return;
    case 2:
        cb_text(b, t->profile != NULL ? t->profile : profile);
        return;
    case 3:
        cb_int(b, -2);
        return;
    case 4:
        cb_int(b, t->lifecycle);
        return;
    case 7:
        cb_head(b, 4, t->no_parts ? 0 : 2);
        for (int k = 0; k < 2 && !t->no_parts; k++) {
            put_part(b, t);
        }
        return;
    default:
        cb_fill(b, 32, (uint8_t)i);
    }
}

static void build(struct tok *t)
{
    BUF_FREE payload = buf_new(1 << 16);
    t->text = buf_new(1 << 16);
    cb_head(&payload, 5, 8 - (t->skip >= 0 ? 1U : 0) + (t->both || t->twice ? 1U : 0));
    for (int i = 0; i < 8; i++) {
        if (i != t->skip) {
            put_claim(&payload, t, i, t->first);
        }
    }
    if (t->both || t->twice) {
        put_claim(&payload, t, 4, t->first != t->both);
    }
    if (t->mac) {
        cose_fix_mac0(&t->text, BYTES_OF(secret), buf_bytes(&payload));
    } else {
        cose_fix_sign1(&t->text, 18, t->alg, t->curve == 32 ? key256 : key384, t->curve,
                       buf_bytes(&payload));
    }
}

static bool judge(struct bytes text)
{
    struct attest_input in = {.evidence = text,
                              .anchor = anchor,
                              .n_anchor = n_anchor,
                              .policy = &policy,
                              .now = COSE_FIX_NOW};
    arena_reset(&last);
    arena_init(&last, ATTEST_SCRATCH);
    return attest_verify(&v, &in, &last);
}

static void refused(struct tok t, enum attest_link l, const char *code)
{
    build(&t);
    bool accepted = judge(buf_bytes(&t.text));
    if (accepted || attest_first_broken(&v) != l || strcmp(v.line[l].code, code) != 0) {
        BUF_FREE text = buf_new(1 << 20);
        attest_put_text(&text, &v);
        (void)fprintf(stderr, "expected %s:\n%s\n", code, buf_cstr(&text));
        CHECK(false);
    }
    buf_free(&t.text);
}

static void accepted(struct tok t)
{
    build(&t);
    if (!judge(buf_bytes(&t.text))) {
        BUF_FREE text = buf_new(1 << 20);
        attest_put_text(&text, &v);
        (void)fprintf(stderr, "refused:\n%s\n", buf_cstr(&text));
        CHECK(false);
    }
    CHECK(v.verified && strcmp(v.kind, "psa") == 0);
    buf_free(&t.text);
}

static void test_good(void)
{
    struct tok t = tok_new();
    accepted(t);
    CHECK(attest_claim_find(&v, "psa.sw1.measurement") != NULL);
    CHECK(attest_claim_find(&v, "psa.client_id")->u64 == (uint64_t)-2);
    t.first = true;
    accepted(t);
    t.skip = 2; /* profile 1 need not say so */
    accepted(t);
    t = tok_new();
    t.alg = -35;
    t.curve = 48;
    accepted(t);
    t = tok_new();
    t.profile = "http://arm.com/psa/2.0.0";
    t.skip = 6; /* the boot seed is optional in RFC 9783 */
    accepted(t);
}

static void test_claims(void)
{
    struct tok t = tok_new();
    t.profile = "http://example.com";
    refused(t, ATTEST_FORMAT, "claims");
    t.first = true;
    refused(t, ATTEST_FORMAT, "claims");
    t = tok_new();
    static const int needed[] = {0, 1, 2, 3, 4, 5, 7};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        t.skip = needed[i];
        refused(t, ATTEST_FORMAT, "claims");
    }
    t = tok_new();
    t.both = true;
    refused(t, ATTEST_FORMAT, "claims");
    t = tok_new();
    t.twice = true;
    refused(t, ATTEST_FORMAT, "malformed");
    t = tok_new();
    t.no_parts = true;
    refused(t, ATTEST_FORMAT, "malformed");
    t = tok_new();
    t.no_signer = true;
    refused(t, ATTEST_FORMAT, "malformed");
    t = tok_new();
    t.nonce = 31;
    refused(t, ATTEST_FORMAT, "malformed");
}

static void test_lifecycle(void)
{
    struct tok t = tok_new();
    static const int64_t bad[] = {0, 0x1000, 0x2fff, 0x3100, 0x4000, 0x5001, 0x6000};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        t.lifecycle = bad[i];
        refused(t, ATTEST_TCB, "lifecycle");
    }
    t.lifecycle = 0x10000;
    refused(t, ATTEST_FORMAT, "claims");
    t.lifecycle = 0x4000;
    policy.allow_debug = true;
    accepted(t);
    attest_policy_default(&policy);
    t.lifecycle = 0x1000;
    policy.n_rule = 1;
    policy.rule[0] = (struct attest_rule){.claim = "psa.lifecycle", .op = ATTEST_IS, .u64 = 0x1000};
    accepted(t);
    attest_policy_default(&policy);
}

static void test_keys(void)
{
    struct tok t = tok_new();
    size_t all = n_anchor;
    struct attest_anchor kept = anchor[1];
    anchor[1].kind = "none"; /* P-256 alone is trusted */
    n_anchor = 0;
    refused(t, ATTEST_SIGNATURE, "no-key");
    n_anchor = all;
    anchor[0].kind = "cca"; /* of another kind */
    refused(t, ATTEST_SIGNATURE, "no-key");
    anchor[0].kind = "psa";
    t.alg = -35; /* the algorithm is the key's: ES384 with a P-256 key is neither */
    refused(t, ATTEST_SIGNATURE, "no-key");
    t.alg = 5;
    refused(t, ATTEST_SIGNATURE, "no-key");
    t = tok_new();
    t.mac = true;
    refused(t, ATTEST_SIGNATURE, "needs-symmetric-key");
    /* a public key's bytes are never a secret */
    anchor[1] = (struct attest_anchor){"psa", ATTEST_ANCHOR_KEY, BYTES_OF(secret), "secret"};
    accepted(t);
    uint8_t other[32] = {0x9f, 1, 2, 4};
    anchor[1].data = BYTES_OF(other);
    refused(t, ATTEST_SIGNATURE, "signature-wrong");
    anchor[1] = kept;
}

static void test_flips(void)
{
    struct tok t = tok_new();
    build(&t);
    CHECK(judge(buf_bytes(&t.text)));
    for (size_t bit = 0; bit < t.text.n * 8; bit++) {
        t.text.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK(!judge(buf_bytes(&t.text)));
        enum attest_link l = attest_first_broken(&v);
        CHECK(l == ATTEST_FORMAT || l == ATTEST_SIGNATURE);
        CHECK(v.line[ATTEST_SIGNATURE].state != ATTEST_OK);
        t.text.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t n = 0; n < t.text.n; n++) {
        CHECK(!judge((struct bytes){t.text.p, n}) && attest_first_broken(&v) == ATTEST_FORMAT);
    }
    put_u8(&t.text, 0);
    CHECK(!judge(buf_bytes(&t.text)) && attest_first_broken(&v) == ATTEST_FORMAT);
    buf_free(&t.text);
}

int main(void)
{
    BUF_FREE spki256 = buf_new(512);
    BUF_FREE spki384 = buf_new(512);
    key256 = cose_fix_key(32);
    key384 = cose_fix_key(48);
    cose_fix_spki(&spki256, key256);
    cose_fix_spki(&spki384, key384);
    anchor[0] = (struct attest_anchor){"psa", ATTEST_ANCHOR_KEY, buf_bytes(&spki256), "256"};
    anchor[1] = (struct attest_anchor){"psa", ATTEST_ANCHOR_KEY, buf_bytes(&spki384), "384"};
    n_anchor = 2;
    arena_init(&last, ATTEST_SCRATCH);
    attest_policy_default(&policy);
    test_good();
    test_claims();
    test_lifecycle();
    test_keys();
    test_flips();
    arena_reset(&last);
    EVP_PKEY_free(key256);
    EVP_PKEY_free(key384);
    return 0;
}
