/* SPDX-License-Identifier: Apache-2.0 */
/* cca.c - Arm CCA attestation tokens: a platform token and a realm token, bound by the hash of the
 * realm's key. Source: draft-ffm-rats-cca-token, RMM specification. SPEC attestation 6 */
#include "attest/arm.h"

enum { TAG_LEGACY = 399, TAG_CMW = 907, PLATFORM = 44234, REALM = 44241, REM_COUNT = 4 };
enum { CONTENT_FORMAT_EAT_CWT = 263, CHALLENGE_SIZE = 64, RAW_KEY_SIZE = 97 };

struct platform {
    struct cose cose;
    struct bytes profile, nonce, instance, implementation, config, service, hash_algorithm;
    uint64_t lifecycle;
    bool has_lifecycle;
    struct arm_parts parts;
};

struct realm {
    struct cose cose;
    struct bytes profile, challenge, personalization, hash_algorithm, key, key_hash_algorithm;
    struct bytes rim, rem[REM_COUNT], claim_256;
    uint64_t claim_44243;
    bool has_44243;
    struct pubkey rak;
    uint8_t point[132];
};

struct token {
    struct platform platform;
    struct realm realm;
    bool has_realm; /* a platform token may come alone */
};

static bool starts_with(struct bytes b, const char *text)
{
    size_t n = strlen(text);
    return b.n >= n && memcmp(b.p, text, n) == 0;
}

/* --- telling apart ------------------------------------------------------------------------------ */

static bool begins_collection(struct bytes b)
{
    struct cbor_seq s;
    struct cur c = cur_of(b);
    bool tagged = cbor_take_tag_if(&c, TAG_LEGACY) || cbor_take_tag_if(&c, TAG_CMW);
    if (tagged) {
        return cbor_peek(&c) == CBOR_MAP;
    }
    cbor_take_map(&c, &s, CBOR_DEFINITE);
    if (!cbor_more(&c, &s) || cbor_peek(&c) != CBOR_UINT) {
        return false;
    }
    int64_t key = cbor_key_int(&c, &s);
    return key == PLATFORM || key == REALM;
}

static bool identify(struct bytes b)
{
    enum cose_tag tag;
    struct cur payload;
    struct cbor_seq s;
    if (begins_collection(b)) {
        return true;
    }
    if (!cose_begins(arm_strip(b), &tag, &payload) || tag == COSE_MAC0) {
        return false;
    }
    cbor_take_map(&payload, &s, CBOR_DEFINITE);
    while (cbor_more(&payload, &s) && cbor_peek(&payload) != CBOR_TEXT) {
        if (cbor_key_int(&payload, &s) == 265) {
            struct bytes name = cbor_take_text(&payload);
            return starts_with(name, "http://arm.com/CCA") || starts_with(name, "tag:arm.com,");
        }
        (void)cbor_skip(&payload, CBOR_DEFINITE);
    }
    return false;
}

/* --- reading ------------------------------------------------------------------------------------ */

static struct bytes take_instance(struct cur *c)
{
    struct bytes b = arm_take_sized(c, 33);
    if (c->bad == NULL && b.p[0] != 1) {
        cur_fail(c, "the instance id is not of type RAND");
    }
    return b;
}

static void take_platform(struct cur *c, struct platform *p)
{
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        switch (cbor_key_int(c, &s)) {
        case 10:
            p->nonce = arm_take_hash(c);
            break;
        case 256:
            p->instance = take_instance(c);
            break;
        case 265:
            p->profile = cbor_take_text(c);
            break;
        case 2395:
            p->lifecycle = cbor_take_uint(c);
            p->has_lifecycle = true;
            break;
        case 2396:
            p->implementation = arm_take_sized(c, 32);
            break;
        case 2399:
            arm_take_parts(c, &p->parts);
            break;
        case 2400:
            p->service = cbor_take_text(c);
            break;
        case 2401:
            p->config = cbor_take_bytes(c);
            break;
        case 2402:
            p->hash_algorithm = cbor_take_text(c);
            break;
        default:
            (void)cbor_skip(c, CBOR_DEFINITE);
        }
    }
}

static void take_rems(struct cur *c, struct realm *r)
{
    struct cbor_seq s;
    cbor_take_array(c, &s, CBOR_DEFINITE);
    if (s.left != REM_COUNT) {
        cur_fail(c, "a realm has four extensible measurements");
    }
    for (size_t i = 0; i < REM_COUNT && cbor_more(c, &s); i++) {
        r->rem[i] = arm_take_hash(c);
    }
}

static void take_realm(struct cur *c, struct realm *r)
{
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        switch (cbor_key_int(c, &s)) {
        case 10:
            r->challenge = arm_take_sized(c, CHALLENGE_SIZE);
            break;
        case 256:
            r->claim_256 = cbor_take_bytes(c);
            break;
        case 265:
            r->profile = cbor_take_text(c);
            break;
        case 44235:
            r->personalization = arm_take_sized(c, 64);
            break;
        case 44236:
            r->hash_algorithm = cbor_take_text(c);
            break;
        case 44237:
            r->key = cbor_take_bytes(c);
            break;
        case 44238:
            r->rim = arm_take_hash(c);
            break;
        case 44239:
            take_rems(c, r);
            break;
        case 44240:
            r->key_hash_algorithm = cbor_take_text(c);
            break;
        case 44243:
            r->claim_44243 = cbor_take_uint(c);
            r->has_44243 = true;
            break;
        default:
            (void)cbor_skip(c, CBOR_DEFINITE);
        }
    }
}

/* The realm's key: a raw point, or in newer profiles a COSE_Key. */
static bool read_rak(struct realm *r)
{
    if (r->key.n == RAW_KEY_SIZE && r->key.p[0] == 4) {
        r->rak = (struct pubkey){.kind = PK_P384, .point = {r->key.p + 1, RAW_KEY_SIZE - 1}};
        return true;
    }
    return rc_ok(cose_take_key(&r->rak, r->point, r->key));
}

/* One member: a byte string, or a CMW record [type, value, ?indicator]. */
static struct bytes take_member(struct cur *c)
{
    struct cbor_seq s;
    if (cbor_peek(c) == CBOR_BYTES) {
        return cbor_take_bytes(c);
    }
    cbor_take_array(c, &s, CBOR_DEFINITE);
    if (s.left != 2 && s.left != 3) {
        cur_fail(c, "a collection's member is neither a string nor a record");
    }
    bool indicator = s.left == 3;
    bool named = cbor_peek(c) == CBOR_TEXT;
    bool known = named ? starts_with(cbor_take_text(c), "application/eat+cwt")
                       : cbor_take_uint(c) == CONTENT_FORMAT_EAT_CWT;
    if (!known) {
        cur_fail(c, "a collection's member is not an EAT in CWT");
    }
    struct bytes value = cbor_take_bytes(c);
    if (indicator) {
        (void)cbor_take_uint(c);
    }
    return value;
}

/* What is not signed is not read past: an unknown member is refused. */
static void take_collection(struct cur *c, struct bytes *platform, struct bytes *realm)
{
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        if (cbor_peek(c) == CBOR_TEXT) {
            if (!bytes_eq(cbor_key_text(c, &s), BYTES_LIT("__cmwc_t"))) {
                cur_fail(c, "the collection has a member that is not known");
            }
            (void)cbor_take_text(c);
            continue;
        }
        int64_t key = cbor_key_int(c, &s);
        if (key == PLATFORM) {
            *platform = take_member(c);
        } else if (key == REALM) {
            *realm = take_member(c);
        } else {
            cur_fail(c, "the collection has a member that is not known");
        }
    }
    if (c->bad == NULL && (platform->p == NULL || realm->p == NULL)) {
        cur_fail(c, "the platform's or the realm's token is missing");
    }
}

static bool decode_platform(struct attest_ctx *c, struct platform *p, struct bytes token)
{
    struct cur all = cur_of(arm_strip(token));
    if (!rc_ok(cose_take(&p->cose, &all)) || all.n > 0) {
        return cose_fault(c, &all, "bytes behind the platform token");
    }
    struct cur payload = cur_of(p->cose.payload);
    take_platform(&payload, p);
    if (payload.bad == NULL &&
        (p->profile.p == NULL || p->nonce.p == NULL || p->instance.p == NULL || !p->has_lifecycle ||
         p->implementation.p == NULL || p->config.p == NULL || p->parts.n == 0 ||
         p->hash_algorithm.p == NULL || p->lifecycle > 0xffff)) {
        cur_fail(&payload, "a claim that every platform token has is missing");
    }
    return rc_ok(cur_end(&payload)) ||
           cose_fault(c, &payload, "bytes behind the platform's claims");
}

static bool decode_realm(struct attest_ctx *c, struct realm *r, struct bytes token)
{
    struct cur all = cur_of(arm_strip(token));
    if (!rc_ok(cose_take(&r->cose, &all)) || all.n > 0) {
        return cose_fault(c, &all, "bytes behind the realm token");
    }
    struct cur payload = cur_of(r->cose.payload);
    take_realm(&payload, r);
    if (payload.bad == NULL &&
        (r->challenge.p == NULL || r->personalization.p == NULL || r->hash_algorithm.p == NULL ||
         r->key.p == NULL || r->rim.p == NULL || r->rem[REM_COUNT - 1].p == NULL ||
         r->key_hash_algorithm.p == NULL)) {
        cur_fail(&payload, "a claim that every realm token has is missing");
    }
    if (payload.bad == NULL && !read_rak(r)) {
        cur_fail(&payload, "the realm's key is neither a P-384 point nor a COSE_Key");
    }
    return rc_ok(cur_end(&payload)) || cose_fault(c, &payload, "bytes behind the realm's claims");
}

static void claim_realm(struct attest_ctx *c, const struct realm *r)
{
    static const char *const rems[REM_COUNT] = {"cca.realm.rem0", "cca.realm.rem1",
                                                "cca.realm.rem2", "cca.realm.rem3"};
    claim_bytes(c, "measurement", r->rim);
    claim_bytes(c, "report_data", r->challenge);
    claim_bytes(c, "nonce", r->challenge);
    claim_bytes(c, "configuration", r->personalization);
    if (r->profile.p != NULL) {
        claim_text(c, "cca.realm.profile", r->profile);
    }
    claim_bytes(c, "cca.realm.rim", r->rim);
    claim_text(c, "cca.realm.hash_algorithm", r->hash_algorithm);
    claim_bytes(c, "cca.realm.public_key", r->key);
    claim_text(c, "cca.realm.public_key_hash_algorithm", r->key_hash_algorithm);
    for (size_t i = 0; i < REM_COUNT; i++) {
        claim_bytes(c, rems[i], r->rem[i]);
    }
    if (r->claim_256.p != NULL) { /* not in the published profiles: named by their labels */
        claim_bytes(c, "cca.realm.256", r->claim_256);
    }
    if (r->has_44243) {
        claim_u64(c, "cca.realm.44243", r->claim_44243);
    }
}

static void claim_platform(struct attest_ctx *c, const struct platform *p, bool alone)
{
    if (alone) {
        arm_claim_measurement(c, &p->parts);
        claim_bytes(c, "nonce", p->nonce);
    }
    claim_bytes(c, "platform", p->instance);
    claim_bool(c, "debug", arm_lifecycle_is_debug(p->lifecycle));
    claim_text(c, "cca.platform.profile", p->profile);
    claim_bytes(c, "cca.platform.nonce", p->nonce);
    claim_u64(c, "cca.platform.lifecycle", p->lifecycle);
    claim_bytes(c, "cca.platform.implementation_id", p->implementation);
    claim_bytes(c, "cca.platform.config", p->config);
    claim_text(c, "cca.platform.hash_algorithm", p->hash_algorithm);
    if (p->service.p != NULL) {
        claim_text(c, "cca.platform.verification_service", p->service);
    }
    arm_claim_parts(c, "cca.platform", &p->parts, "hash_algorithm");
}

static bool decode(struct attest_ctx *c)
{
    struct token *t = ARENA_NEW(c->a, struct token);
    struct bytes platform = c->evidence, realm = {0};
    struct cur all = cur_of(c->evidence);
    if (t == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    t->has_realm = begins_collection(c->evidence);
    if (t->has_realm) {
        platform = (struct bytes){0};
        if (!cbor_take_tag_if(&all, TAG_LEGACY)) {
            (void)cbor_take_tag_if(&all, TAG_CMW);
        }
        take_collection(&all, &platform, &realm);
        if (!rc_ok(cur_end(&all))) {
            return cose_fault(c, &all, "bytes behind the token");
        }
    }
    if (!decode_platform(c, &t->platform, platform) ||
        (t->has_realm && !decode_realm(c, &t->realm, realm))) {
        return false;
    }
    c->parsed = t;
    c->v->title = t->has_realm ? "Arm CCA token" : "Arm CCA platform token, without a realm";
    if (t->has_realm) {
        claim_realm(c, &t->realm);
    }
    claim_platform(c, &t->platform, !t->has_realm);
    return true;
}

/* --- judging ------------------------------------------------------------------------------------ */

static bool is_any(struct bytes v, const char *const names[])
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (bytes_eq(v, bytes_str(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Known ones, and a realm of the first profile only under a platform of the first one. */
static const char *profile_fault(const struct token *t)
{
    static const char *const platforms[] = {"http://arm.com/CCA-SSD/1.0.0",
                                            "tag:arm.com,2023:cca_platform#1.0.0",
                                            "tag:arm.com,2024:cca_platform#2.0.0", NULL};
    static const char *const realms[] = {"tag:arm.com,2023:realm#1.0.0",
                                         "tag:arm.com,2024:realm#2.0.0", NULL};
    if (!is_any(t->platform.profile, platforms)) {
        return "the platform's profile is not one that is known";
    }
    if (!t->has_realm) {
        return NULL;
    }
    if (t->realm.profile.p != NULL && !is_any(t->realm.profile, realms)) {
        return "the realm's profile is not one that is known";
    }
    if (t->realm.profile.p == NULL && !bytes_eq(t->platform.profile, bytes_str(platforms[0]))) {
        return "the realm states no profile, though its platform is of a newer one";
    }
    return NULL;
}

static bool hash_of(struct bytes name, enum pk_hash *hash)
{
    static const struct {
        const char *name;
        enum pk_hash hash;
    } rows[] = {{"sha-256", PK_SHA256}, {"sha-384", PK_SHA384}, {"sha-512", PK_SHA512}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (bytes_eq(name, bytes_str(rows[i].name))) {
            *hash = rows[i].hash;
            return true;
        }
    }
    return false;
}

/* The platform vouches for the realm's key: its nonce is the hash of claim 44237's bytes. */
static void verify_binding(struct attest_ctx *c, const struct token *t)
{
    enum pk_hash hash;
    uint8_t digest[64];
    if (!hash_of(t->realm.key_hash_algorithm, &hash)) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "hash-algorithm", .subject = "44240",
                          .reason = "the hash of the realm's key is not one that is known");
        return;
    }
    pk_digest(digest, hash, t->realm.key);
    if (!bytes_eq(t->platform.nonce, (struct bytes){digest, pk_digest_size(hash)})) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "realm-key", .subject = "platform nonce",
                          .reason =
                              "the platform does not vouch for the realm's key: its nonce is "
                              "not the key's hash",
                          .fix = "the two tokens are not of one report: ask for a new one");
        return;
    }
    bool asked = c->in->nonce.p != NULL || c->in->report_data.p != NULL || c->policy->has_nonce ||
                 c->policy->has_report_data;
    attest_pass(c, ATTEST_BINDING,
                asked ? "the platform vouches for the realm's key, the challenge is ours"
                      : "the platform vouches for the realm's key; no challenge was asked for: may "
                        "be a replay");
}

static void verify(struct attest_ctx *c)
{
    const struct token *t = c->parsed;
    const char *fault = profile_fault(t);
    if (fault != NULL) {
        (void)attest_fail(c, ATTEST_FORMAT, .code = "profile", .reason = fault);
    }
    arm_judge_by_anchor(c, &t->platform.cose, "the platform token");
    if (t->has_realm) {
        (void)cose_judge_sign1(c, &t->realm.cose, &t->realm.rak,
                               "platform and realm token are signed by their keys");
        verify_binding(c, t);
    }
    arm_judge_lifecycle(c, "cca.platform.lifecycle", t->platform.lifecycle);
    attest_na(c, ATTEST_REVOCATION, "the trust anchors are given by hand: there is no list");
    attest_na(c, ATTEST_FRESHNESS, "a CCA token has no dates: the challenge says that it is fresh");
}

const struct attest_backend attest_backend_cca = {
    .name = "cca",
    .title = "Arm CCA token",
    .identify = identify,
    .decode = decode,
    .verify = verify,
};
