/* SPDX-License-Identifier: Apache-2.0 */
/* test_nitro.c - Nitro documents under a test root: the genuine is accepted, each change is refused
 * by the link that it breaks. */
#include "tests/cose_fixture.h"

struct doc {
    /* what a test may change */
    bool indefinite, root_twice, swapped, no_pcr0, zero_pcr0, no_nonce, forged, leaf_is_ca;
    bool twice, other_digest, mac_tag;
    int64_t leaf_until, made, ca_from;
    size_t pcrs, user_data;
    /* what it makes */
    struct cose_fix_ca root, mid, leaf;
    struct buf root_der, text;
};

static struct verdict v;
static struct attest_policy policy;
static struct arena last;

static void put_pcrs(struct buf *b, const struct doc *d)
{
    cb_text(b, "pcrs");
    cb_head(b, 5, d->pcrs);
    for (size_t i = 0; i < d->pcrs; i++) {
        cb_int(b, (int64_t)i + (d->no_pcr0 ? 1 : 0));
        cb_fill(b, 48, (uint8_t)(d->zero_pcr0 && i == 0 ? 0 : i + 1));
    }
}

static void put_optional(struct buf *b, const char *name, size_t n, bool none)
{
    cb_text(b, name);
    if (none) {
        put_u8(b, 0xf6);
    } else {
        cb_fill(b, n, 7);
    }
}

static void put_payload(struct buf *b, const struct doc *d, struct bytes leaf, struct bytes mid)
{
    struct bytes root = buf_bytes(&d->root_der);
    put_u8(b, d->indefinite ? 0xbf : d->twice ? 0xaa : 0xa9);
    cb_text(b, "module_id");
    cb_text(b, "i-test-enc");
    cb_text(b, "digest");
    cb_text(b, d->other_digest ? "SHA256" : "SHA384");
    cb_text(b, "timestamp");
    cb_int(b, d->made * 1000 + 7);
    put_pcrs(b, d);
    cb_text(b, "certificate");
    cb_bytes(b, leaf);
    cb_text(b, "cabundle");
    cb_head(b, 4, d->root_twice ? 3 : 2);
    cb_bytes(b, d->swapped ? mid : root);
    if (d->root_twice) {
        cb_bytes(b, root);
    }
    cb_bytes(b, d->swapped ? root : mid);
    put_optional(b, "public_key", 3, true);
    put_optional(b, "user_data", d->user_data, false);
    put_optional(b, "nonce", 32, d->no_nonce);
    if (d->twice) {
        put_optional(b, "nonce", 32, false);
    }
    if (d->indefinite) {
        put_u8(b, 0xff);
    }
}

static struct doc doc_new(void)
{
    return (struct doc){.made = COSE_FIX_NOW - 60, .pcrs = 16, .user_data = 20};
}

static void build(struct doc *d)
{
    BUF_FREE leaf = buf_new(4096);
    BUF_FREE mid = buf_new(4096);
    BUF_FREE payload = buf_new(1 << 16);
    d->root = cose_fix_make((struct cose_fix_cert){.cn = "root", .ca = true});
    d->mid = cose_fix_make((struct cose_fix_cert){
        .cn = "mid", .ca = true, .issuer = &d->root, .forged = d->forged, .from = d->ca_from});
    d->leaf = cose_fix_make((struct cose_fix_cert){
        .cn = "leaf", .issuer = &d->mid, .until = d->leaf_until, .ca = d->leaf_is_ca});
    d->root_der = buf_new(4096);
    d->text = buf_new(1 << 16);
    cose_fix_der(&d->root_der, d->root.cert);
    cose_fix_der(&leaf, d->leaf.cert);
    cose_fix_der(&mid, d->mid.cert);
    put_payload(&payload, d, buf_bytes(&leaf), buf_bytes(&mid));
    cose_fix_sign1(&d->text, d->mac_tag ? 17 : 0, -35, d->leaf.key, 48, buf_bytes(&payload));
}

static void doc_free(struct doc *d)
{
    cose_fix_free(&d->root);
    cose_fix_free(&d->mid);
    cose_fix_free(&d->leaf);
    buf_free(&d->root_der);
    buf_free(&d->text);
}

static bool judge(const struct doc *d, struct bytes text)
{
    struct attest_anchor anchor = {"nitro", ATTEST_ANCHOR_CERT, buf_bytes(&d->root_der), "test"};
    struct attest_input in = {.evidence = text,
                              .anchor = &anchor,
                              .n_anchor = d->root_der.n > 0 ? 1 : 0,
                              .policy = &policy,
                              .kind = "nitro",
                              .now = COSE_FIX_NOW};
    arena_reset(&last);
    arena_init(&last, ATTEST_SCRATCH);
    return attest_verify(&v, &in, &last);
}

static void refused(struct doc d, enum attest_link l, const char *code)
{
    build(&d);
    bool accepted = judge(&d, buf_bytes(&d.text));
    if (accepted || attest_first_broken(&v) != l || strcmp(v.line[l].code, code) != 0) {
        BUF_FREE text = buf_new(1 << 20);
        attest_put_text(&text, &v);
        (void)fprintf(stderr, "expected %s:\n%s\n", code, buf_cstr(&text));
        CHECK(false);
    }
    doc_free(&d);
}

static void accepted(struct doc d)
{
    build(&d);
    CHECK(judge(&d, buf_bytes(&d.text)) && v.verified && strcmp(v.kind, "nitro") == 0);
    doc_free(&d);
}

static void test_good(void)
{
    accepted(doc_new());
    struct doc d = doc_new();
    d.indefinite = true;
    d.pcrs = 17;
    d.user_data = 0;
    accepted(d);
    CHECK(attest_claim_find(&v, "nitro.pcr16") != NULL);
    CHECK(attest_claim_find(&v, "report_data")->bytes.n == 0);
    CHECK(attest_claim_find(&v, "nitro.public_key") == NULL);
    CHECK(v.valid_until == COSE_FIX_NOW + 7200);
}

static void test_policy(void)
{
    struct doc d = doc_new();
    d.zero_pcr0 = true;
    refused(d, ATTEST_POLICY, "debug-enabled");
    d = doc_new();
    d.no_nonce = true;
    policy.has_nonce = true;
    policy.nonce = BYTES_LIT("\7\7");
    refused(d, ATTEST_BINDING, "no-such-field");
    refused(doc_new(), ATTEST_BINDING, "nonce-differs");
    attest_policy_default(&policy);
    policy.max_age_s = 59;
    refused(doc_new(), ATTEST_FRESHNESS, "too-old");
    policy.max_age_s = 61;
    accepted(doc_new());
    attest_policy_default(&policy);
}

static void test_chain(void)
{
    struct doc d = doc_new();
    d.forged = true;
    refused(d, ATTEST_CHAIN, "certificate-signature");
    d = doc_new();
    d.root_twice = true;
    accepted(d); /* the root issued itself: a needless link, but a true one */
    d = doc_new();
    d.swapped = true;
    refused(d, ATTEST_CHAIN, "untrusted-root");
    d = doc_new();
    d.leaf_is_ca = true;
    refused(d, ATTEST_CHAIN, "leaf-usage");
    d = doc_new();
    d.leaf_until = COSE_FIX_NOW - 1;
    refused(d, ATTEST_CHAIN, "expired");
    d = doc_new();
    d.ca_from = COSE_FIX_NOW - 30; /* after the document was made */
    refused(d, ATTEST_CHAIN, "timestamp");
    d = doc_new();
    d.made = COSE_FIX_NOW + 5;
    refused(d, ATTEST_FRESHNESS, "not-yet-valid");
    /* without the anchor the same document leads to nobody that is trusted */
    d = doc_new();
    build(&d);
    buf_reset(&d.root_der);
    CHECK(!judge(&d, buf_bytes(&d.text)) && attest_first_broken(&v) == ATTEST_CHAIN);
    CHECK(strcmp(v.line[ATTEST_CHAIN].code, "untrusted-root") == 0);
    doc_free(&d);
}

static void test_format(void)
{
    struct doc d = doc_new();
    d.no_pcr0 = true;
    refused(d, ATTEST_FORMAT, "malformed");
    d = doc_new();
    d.pcrs = 33;
    refused(d, ATTEST_FORMAT, "malformed");
    d = doc_new();
    d.user_data = 513;
    refused(d, ATTEST_FORMAT, "malformed");
    d = doc_new();
    d.twice = true;
    refused(d, ATTEST_FORMAT, "malformed");
    d = doc_new();
    d.other_digest = true;
    refused(d, ATTEST_FORMAT, "malformed");
    d = doc_new();
    d.mac_tag = true;
    refused(d, ATTEST_FORMAT, "unknown-format");
}

/* Where a bit lies says which link breaks: the payload's CBOR and certificates may also break their
 * own, but never nothing, and a readable payload always breaks the signature. */
static void test_flips(void)
{
    struct doc d = doc_new();
    build(&d);
    CHECK(judge(&d, buf_bytes(&d.text)));
    size_t sig_at = d.text.n - 96;
    for (size_t bit = 0; bit < d.text.n * 8; bit += bit < 160 || bit > sig_at * 8 ? 5 : 61) {
        d.text.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CHECK(!judge(&d, buf_bytes(&d.text)));
        enum attest_link l = attest_first_broken(&v);
        CHECK(l == ATTEST_SIGNATURE || (l == ATTEST_FORMAT && bit / 8 < sig_at));
        d.text.p[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t n = 0; n < d.text.n; n += 13) {
        CHECK(!judge(&d, (struct bytes){d.text.p, n}));
        CHECK(attest_first_broken(&v) == ATTEST_FORMAT);
    }
    put_u8(&d.text, 0);
    CHECK(!judge(&d, buf_bytes(&d.text)) && attest_first_broken(&v) == ATTEST_FORMAT);
    doc_free(&d);
}

int main(void)
{
    arena_init(&last, ATTEST_SCRATCH);
    attest_policy_default(&policy);
    test_good();
    test_policy();
    test_chain();
    test_format();
    test_flips();
    arena_reset(&last);
    return 0;
}
