/* SPDX-License-Identifier: Apache-2.0 */
/* test_cca.c - Arm CCA tokens under test keys: the forms of the collection and of the realm's key,
 * and each way in which platform and realm can fail to belong together. */
#include <openssl/sha.h>

#include "tests/cose_fixture.h"

struct tok {
    int tag; /* 399, 907, 0: none */
    bool records, named, cose_key, alone, no_realm, extra, other_key, forged, three_rems;
    bool collection_type;
    const char *platform_profile, *realm_profile;
    int64_t lifecycle;
    struct buf text;
};

static struct verdict v;
static struct attest_policy policy;
static struct arena last;
static struct attest_anchor anchor;
static EVP_PKEY *cpak, *rak, *stranger;

static struct tok tok_new(void)
{
    return (struct tok){
        .tag = 399, .platform_profile = "http://arm.com/CCA-SSD/1.0.0", .lifecycle = 0x3003};
}

static void put_rak(struct buf *b, EVP_PKEY *key, bool cose)
{
    uint8_t point[133];
    size_t n = cose_fix_point(point, key);
    if (!cose) {
        put_mem(b, point, n);
        return;
    }
    cb_head(b, 5, 4);
    cb_int(b, 1);
    cb_int(b, 2);
    cb_int(b, -1);
    cb_int(b, 2);
    cb_int(b, -2);
    cb_bytes(b, (struct bytes){point + 1, 48});
    cb_int(b, -3);
    cb_bytes(b, (struct bytes){point + 49, 48});
}

static void put_platform(struct buf *b, const struct tok *t, struct bytes key)
{
    uint8_t digest[32];
    (void)SHA256(key.p, key.n, digest);
    cb_head(b, 5, 8);
    cb_int(b, 265);
    cb_text(b, t->platform_profile);
    cb_int(b, 10);
    cb_bytes(b, BYTES_OF(digest));
    cb_int(b, 2396);
    cb_fill(b, 32, 1);
    cb_int(b, 256);
    cb_fill(b, 33, 1);
    cb_int(b, 2401);
    cb_fill(b, 4, 0xcf);
    cb_int(b, 2395);
    cb_int(b, t->lifecycle);
    cb_int(b, 2402);
    cb_text(b, "sha-256");
    cb_int(b, 2399);
    cb_head(b, 4, 1);
    cb_head(b, 5, 2);
    cb_int(b, 2);
    cb_fill(b, 32, 2);
    cb_int(b, 5);
    cb_fill(b, 32, 3);
}

static void put_realm(struct buf *b, const struct tok *t, struct bytes key)
{
    size_t rems = t->three_rems ? 3 : 4;
    cb_head(b, 5, t->realm_profile != NULL ? 8 : 7);
    if (t->realm_profile != NULL) {
        cb_int(b, 265);
        cb_text(b, t->realm_profile);
    }
    cb_int(b, 10);
    cb_fill(b, 64, 0xab);
    cb_int(b, 44235);
    cb_fill(b, 64, 5);
    cb_int(b, 44236);
    cb_text(b, "sha-256");
    cb_int(b, 44240);
    cb_text(b, "sha-256");
    cb_int(b, 44237);
    cb_bytes(b, key);
    cb_int(b, 44238);
    cb_fill(b, 32, 6);
    cb_int(b, 44239);
    cb_head(b, 4, rems);
    for (size_t i = 0; i < rems; i++) {
        cb_fill(b, 32, (uint8_t)i);
    }
}

static void put_member(struct buf *b, const struct tok *t, int64_t label, struct bytes token)
{
    cb_int(b, label);
    if (t->records) {
        cb_head(b, 4, 2);
        if (t->named) {
            cb_text(b, "application/eat+cwt");
        } else {
            cb_int(b, 263);
        }
    }
    cb_bytes(b, token);
}

static void build(struct tok *t)
{
    BUF_FREE key = buf_new(256);
    BUF_FREE bound = buf_new(256);
    BUF_FREE platform = buf_new(8192);
    BUF_FREE realm = buf_new(8192);
    BUF_FREE p = buf_new(8192);
    BUF_FREE r = buf_new(8192);
    put_rak(&key, rak, t->cose_key);
    put_rak(&bound, t->other_key ? stranger : rak, t->cose_key);
    put_platform(&p, t, buf_bytes(&bound));
    put_realm(&r, t, buf_bytes(&key));
    cose_fix_sign1(&platform, 18, -35, cpak, 48, buf_bytes(&p));
    cose_fix_sign1(&realm, 18, -35, t->forged ? stranger : rak, 48, buf_bytes(&r));
    t->text = buf_new(1 << 16);
    if (t->alone) {
        put_bytes(&t->text, buf_bytes(&platform));
        return;
    }
    if (t->tag != 0) {
        cb_head(&t->text, 6, (uint64_t)t->tag);
    }
    cb_head(&t->text, 5,
            1 + (t->no_realm ? 0U : 1) + (t->extra ? 1U : 0) + (t->collection_type ? 1U : 0));
    put_member(&t->text, t, 44234, buf_bytes(&platform));
    if (t->collection_type) {
        cb_text(&t->text, "__cmwc_t");
        cb_text(&t->text, "tag:example.com,2026:x");
    }
    if (t->extra) {
        put_member(&t->text, t, 44242, buf_bytes(&realm));
    }
    if (!t->no_realm) {
        put_member(&t->text, t, 44241, buf_bytes(&realm));
    }
}

static bool judge(struct bytes text)
{
    struct attest_input in = {
        .evidence = text, .anchor = &anchor, .n_anchor = 1, .policy = &policy, .now = COSE_FIX_NOW};
    arena_reset(&last);
    arena_init(&last, ATTEST_SCRATCH);
    return attest_verify(&v, &in, &last);
}

static void show(const char *what)
{
    BUF_FREE text = buf_new(1 << 20);
    attest_put_text(&text, &v);
    (void)fprintf(stderr, "%s:\n%s\n", what, buf_cstr(&text));
}

static void refused(struct tok t, enum attest_link l, const char *code)
{
    build(&t);
    bool accepted = judge(buf_bytes(&t.text));
    if (accepted || attest_first_broken(&v) != l || strcmp(v.line[l].code, code) != 0) {
        show(code);
        CHECK(false);
    }
    buf_free(&t.text);
}

static void accepted(struct tok t)
{
    build(&t);
    if (!judge(buf_bytes(&t.text)) || !v.verified || strcmp(v.kind, "cca") != 0) {
        show("not accepted");
        CHECK(false);
    }
    buf_free(&t.text);
}

static void test_good(void)
{
    struct tok t = tok_new();
    accepted(t);
    CHECK(attest_claim_find(&v, "cca.platform.sw0.signer") != NULL);
    t.tag = 0;
    accepted(t);
    t.tag = 907;
    t.records = true;
    accepted(t);
    t.named = true;
    t.collection_type = true;
    accepted(t);
    t.cose_key = true;
    t.platform_profile = "tag:arm.com,2023:cca_platform#1.0.0";
    t.realm_profile = "tag:arm.com,2024:realm#2.0.0";
    accepted(t);
    t.alone = true;
    accepted(t);
    CHECK(attest_claim_find(&v, "cca.realm.rim") == NULL);
}

static void test_belonging(void)
{
    struct tok t = tok_new();
    t.forged = true;
    refused(t, ATTEST_SIGNATURE, "signature-wrong");
    t = tok_new();
    t.other_key = true;
    refused(t, ATTEST_BINDING, "realm-key");
    t.cose_key = true;
    refused(t, ATTEST_BINDING, "realm-key");
    t = tok_new();
    t.platform_profile = "tag:arm.com,2023:cca_platform#1.0.0";
    refused(t, ATTEST_FORMAT, "profile");
    t.realm_profile = "tag:arm.com,2023:realm#9";
    refused(t, ATTEST_FORMAT, "profile");
    t.platform_profile = "http://arm.com/CCA-SSD/9";
    refused(t, ATTEST_FORMAT, "profile");
    t = tok_new();
    t.lifecycle = 0x5000;
    refused(t, ATTEST_TCB, "lifecycle");
    t = tok_new();
    policy.has_nonce = true;
    policy.nonce = BYTES_LIT("other");
    refused(t, ATTEST_BINDING, "nonce-differs");
    attest_policy_default(&policy);
    anchor.kind = "psa";
    refused(t, ATTEST_SIGNATURE, "no-key");
    anchor.kind = "cca";
}

static void test_format(void)
{
    struct tok t = tok_new();
    t.no_realm = true;
    refused(t, ATTEST_FORMAT, "malformed");
    t = tok_new();
    t.extra = true;
    refused(t, ATTEST_FORMAT, "malformed");
    t = tok_new();
    t.three_rems = true;
    refused(t, ATTEST_FORMAT, "malformed");
    t = tok_new();
    t.tag = 398;
    refused(t, ATTEST_FORMAT, "unknown-format");
}

static void test_flips(void)
{
    struct tok t = tok_new();
    build(&t);
    CHECK(judge(buf_bytes(&t.text)));
    for (size_t bit = 0; bit < t.text.n * 8; bit += 7) {
        t.text.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK(!judge(buf_bytes(&t.text)));
        enum attest_link l = attest_first_broken(&v);
        CHECK(l == ATTEST_FORMAT || l == ATTEST_SIGNATURE);
        t.text.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t n = 0; n < t.text.n; n += 3) {
        CHECK(!judge((struct bytes){t.text.p, n}) && attest_first_broken(&v) == ATTEST_FORMAT);
    }
    put_u8(&t.text, 0);
    CHECK(!judge(buf_bytes(&t.text)) && attest_first_broken(&v) == ATTEST_FORMAT);
    buf_free(&t.text);
}

int main(void)
{
    BUF_FREE spki = buf_new(512);
    cpak = cose_fix_key(48);
    rak = cose_fix_key(48);
    stranger = cose_fix_key(48);
    cose_fix_spki(&spki, cpak);
    anchor = (struct attest_anchor){"cca", ATTEST_ANCHOR_KEY, buf_bytes(&spki), "cpak"};
    arena_init(&last, ATTEST_SCRATCH);
    attest_policy_default(&policy);
    test_good();
    test_belonging();
    test_format();
    test_flips();
    arena_reset(&last);
    EVP_PKEY_free(cpak);
    EVP_PKEY_free(rak);
    EVP_PKEY_free(stranger);
    return 0;
}
