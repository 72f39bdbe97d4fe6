/* SPDX-License-Identifier: Apache-2.0 */
/* psa.c - PSA attestation tokens: RFC 9783 (labels 10, 256, 265, 2394 to 2400) and the profile before
 * it, PSA_IOT_PROFILE_1 (labels -75000 to -75010). SPEC attestation 6 */
#include "attest/arm.h"

enum psa_claim {
    NONCE,
    INSTANCE_ID,
    PROFILE,
    CLIENT_ID,
    LIFECYCLE,
    IMPLEMENTATION_ID,
    BOOT_SEED,
    CERTIFICATION,
    SOFTWARE,
    SERVICE,
    NO_SOFTWARE, /* profile 1 alone */
    CLAIMS,
};

static const int64_t labels[2][CLAIMS] = {
    {-75008, -75009, -75000, -75001, -75002, -75003, -75004, -75005, -75006, -75010, -75007},
    {10, 256, 265, 2394, 2395, 2396, 2397, 2398, 2399, 2400, 0},
};

enum { PROFILE_1, PROFILE_2, BOTH };

struct token {
    struct cose cose;
    int profile;
    bool has[CLAIMS];
    struct bytes nonce, instance, name, implementation, boot_seed, certification, service;
    int64_t client;
    uint64_t lifecycle;
    struct arm_parts parts;
};

static bool starts_with(struct bytes b, const char *text)
{
    size_t n = strlen(text);
    return b.n >= n && memcmp(b.p, text, n) == 0;
}

/* COSE with a payload that is neither a Nitro document nor a CCA token. */
static bool identify(struct bytes b)
{
    enum cose_tag tag;
    struct cur payload;
    struct cbor_seq s;
    if (!cose_begins(arm_strip(b), &tag, &payload)) {
        return false;
    }
    if (cbor_peek(&payload) == CBOR_TAG) {
        return true; /* no PSA claims inside, but nothing else either */
    }
    cbor_take_map(&payload, &s, CBOR_DEFINITE);
    while (cbor_more(&payload, &s)) {
        if (cbor_peek(&payload) == CBOR_TEXT) {
            return false;
        }
        if (cbor_key_int(&payload, &s) == labels[PROFILE_2][PROFILE]) {
            struct bytes name = cbor_take_text(&payload);
            return !starts_with(name, "http://arm.com/CCA") &&
                   !(starts_with(name, "tag:arm.com,") && payload.bad == NULL);
        }
        (void)cbor_skip(&payload, CBOR_DEFINITE);
    }
    return s.n_key > 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

static struct bytes take_boot_seed(struct cur *c, int profile)
{
    struct bytes b = cbor_take_bytes(c);
    if (c->bad == NULL && (b.n > 32 || b.n < (profile == PROFILE_1 ? 32U : 8U))) {
        cur_fail(c, "the boot seed is shorter or longer than it may be");
    }
    return b;
}

/* An EAN-13, a hyphen and five digits; profile 1 also without them. */
static struct bytes take_certification(struct cur *c, int profile)
{
    struct bytes t = cbor_take_text(c);
    bool good = t.n == 19 || (profile == PROFILE_1 && t.n == 13);
    for (size_t i = 0; i < t.n; i++) {
        good &= i == 13 ? t.p[i] == '-' : t.p[i] >= '0' && t.p[i] <= '9';
    }
    if (!good) {
        cur_fail(c, "the certification reference is not one");
    }
    return c->bad != NULL ? (struct bytes){0} : t;
}

static struct bytes take_instance(struct cur *c)
{
    struct bytes b = arm_take_sized(c, 33);
    if (c->bad == NULL && b.p[0] != 1) {
        cur_fail(c, "the instance id is not of type RAND");
    }
    return b;
}

static void take_claim(struct cur *c, struct token *t, enum psa_claim which, int profile)
{
    switch (which) {
    case NONCE:
        t->nonce = arm_take_hash(c);
        break;
    case INSTANCE_ID:
        t->instance = take_instance(c);
        break;
    case PROFILE:
        t->name = cbor_take_text(c);
        break;
    case CLIENT_ID:
        t->client = cbor_take_int(c);
        break;
    case LIFECYCLE:
        t->lifecycle = cbor_take_uint(c);
        break;
    case IMPLEMENTATION_ID:
        t->implementation = arm_take_sized(c, 32);
        break;
    case BOOT_SEED:
        t->boot_seed = take_boot_seed(c, profile);
        break;
    case CERTIFICATION:
        t->certification = take_certification(c, profile);
        break;
    case SOFTWARE:
        arm_take_parts(c, &t->parts);
        break;
    case SERVICE:
        t->service = cbor_take_text(c);
        break;
    case NO_SOFTWARE:
        if (cbor_take_uint(c) != 1) {
            cur_fail(c, "no-software-measurements is not 1");
        }
        break;
    case CLAIMS:
        break;
    }
    t->has[which] = true;
}

/* Which claim a label is, and in which profile; CLAIMS: none of ours. */
static enum psa_claim find(int64_t label, int *profile)
{
    for (int p = PROFILE_1; p <= PROFILE_2; p++) {
        for (size_t i = 0; i < (p == PROFILE_1 ? (size_t)CLAIMS : (size_t)NO_SOFTWARE); i++) {
            if (labels[p][i] == label) {
                *profile = p;
                return (enum psa_claim)i;
            }
        }
    }
    return CLAIMS;
}

static void take_payload(struct cur *c, struct token *t)
{
    struct cbor_seq s;
    bool any = false;
    t->profile = PROFILE_2;
    cbor_take_map(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        int profile = PROFILE_2;
        if (cbor_peek(c) == CBOR_TEXT) {
            (void)cbor_key_text(c, &s);
            (void)cbor_skip(c, CBOR_DEFINITE);
            continue;
        }
        enum psa_claim which = find(cbor_key_int(c, &s), &profile);
        if (which == CLAIMS) {
            (void)cbor_skip(c, CBOR_DEFINITE); /* a vendor's own claim */
            continue;
        }
        take_claim(c, t, which, profile);
        t->profile = any && t->profile != profile ? BOTH : profile;
        any = true;
    }
}

static void claims(struct attest_ctx *c, const struct token *t)
{
    const struct {
        enum psa_claim which;
        const char *name;
        struct bytes v;
        bool text;
    } rows[] = {
        {NONCE, "nonce", t->nonce, false},
        {NONCE, "report_data", t->nonce, false},
        {INSTANCE_ID, "platform", t->instance, false},
        {PROFILE, "psa.profile", t->name, true},
        {IMPLEMENTATION_ID, "psa.implementation_id", t->implementation, false},
        {BOOT_SEED, "psa.boot_seed", t->boot_seed, false},
        {CERTIFICATION, "psa.certification_reference", t->certification, true},
        {SERVICE, "psa.verification_service", t->service, true},
    };
    arm_claim_measurement(c, &t->parts);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (t->has[rows[i].which]) {
            (rows[i].text ? claim_text : claim_bytes)(c, rows[i].name, rows[i].v);
        }
    }
    if (t->has[LIFECYCLE]) {
        claim_bool(c, "debug", arm_lifecycle_is_debug(t->lifecycle));
        claim_u64(c, "psa.lifecycle", t->lifecycle);
    }
    if (t->has[CLIENT_ID]) { /* negative ones are of the non-secure side; two's complement here */
        claim_u64(c, "psa.client_id", (uint64_t)t->client);
        claim_bool(c, "psa.client_secure", t->client > 0);
    }
    arm_claim_parts(c, "psa", &t->parts, "description");
}

static bool decode(struct attest_ctx *c)
{
    struct token *t = ARENA_NEW(c->a, struct token);
    struct cur all = cur_of(arm_strip(c->evidence));
    if (t == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    if (!rc_ok(cose_take(&t->cose, &all)) || all.n > 0) {
        return cose_fault(c, &all, "bytes behind the token");
    }
    struct cur payload = cur_of(t->cose.payload);
    take_payload(&payload, t);
    if (!rc_ok(cur_end(&payload))) {
        return cose_fault(c, &payload, "bytes behind the claims");
    }
    c->parsed = t;
    c->v->title = t->profile == PROFILE_1 ? "PSA token, PSA_IOT_PROFILE_1" : "PSA token, RFC 9783";
    claims(c, t);
    return true;
}

/* --- judging ------------------------------------------------------------------------------------ */

static const char *claims_fault(const struct token *t)
{
    static const enum psa_claim needed[] = {NONCE, INSTANCE_ID, CLIENT_ID, LIFECYCLE,
                                            IMPLEMENTATION_ID};
    if (t->profile == BOTH) {
        return "claims of both profiles in one token";
    }
    if (t->profile == PROFILE_1 && t->has[PROFILE] &&
        !bytes_eq(t->name, BYTES_LIT("PSA_IOT_PROFILE_1"))) {
        return "the profile is not PSA_IOT_PROFILE_1";
    }
    if (t->profile == PROFILE_2 && !bytes_eq(t->name, BYTES_LIT("http://arm.com/psa/2.0.0")) &&
        !bytes_eq(t->name, BYTES_LIT("tag:psacertified.org,2023:psa#tfm"))) {
        return "the profile is missing or not one of PSA tokens";
    }
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if (!t->has[needed[i]]) {
            return "a claim that every token has is missing (nonce, instance, client, lifecycle, "
                   "implementation)";
        }
    }
    if (t->profile == PROFILE_1 && !t->has[BOOT_SEED]) {
        return "the boot seed is missing";
    }
    if (t->has[SOFTWARE] == t->has[NO_SOFTWARE]) {
        return "software components are missing, or said to be missing though they are there";
    }
    return t->lifecycle > 0xffff ? "the lifecycle state is larger than 16 bits" : NULL;
}

static void verify(struct attest_ctx *c)
{
    const struct token *t = c->parsed;
    const char *fault = claims_fault(t);
    if (fault != NULL) {
        (void)attest_fail(c, ATTEST_FORMAT, .code = "claims", .reason = fault);
    }
    arm_judge_by_anchor(c, &t->cose, "the token");
    arm_judge_lifecycle(c, "psa.lifecycle", t->lifecycle);
    attest_na(c, ATTEST_REVOCATION, "the trust anchors are given by hand: there is no list");
    attest_na(c, ATTEST_FRESHNESS, "a PSA token has no dates: the nonce says that it is fresh");
}

const struct attest_backend attest_backend_psa = {
    .name = "psa",
    .title = "PSA token",
    .identify = identify,
    .decode = decode,
    .verify = verify,
};
