/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/arm.h"
#include "crypto/sha2.h"
#include "crypto/x509.h"

enum { TAG_CWT = 61, KEYS_TRIED_MAX = 64 };

struct bytes arm_strip(struct bytes b)
{
    struct cur c = cur_of(b);
    return cbor_take_tag_if(&c, TAG_CWT) ? (struct bytes){c.p, c.n} : b;
}

struct bytes arm_take_sized(struct cur *c, size_t n)
{
    struct bytes b = cbor_take_bytes(c);
    if (c->bad == NULL && b.n != n) {
        cur_fail(c, "a claim is shorter or longer than it must be");
    }
    return c->bad != NULL ? (struct bytes){0} : b;
}

struct bytes arm_take_hash(struct cur *c)
{
    struct bytes b = cbor_take_bytes(c);
    if (c->bad == NULL && b.n != 32 && b.n != 48 && b.n != 64) {
        cur_fail(c, "a hash or nonce is not of 32, 48 or 64 bytes");
    }
    return c->bad != NULL ? (struct bytes){0} : b;
}

static void take_part(struct cur *c, struct arm_part *p)
{
    enum { TYPE = 1, MEASUREMENT = 2, VERSION = 4, SIGNER = 5, DESCRIPTION = 6 };
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        switch (cbor_key_int(c, &s)) {
        case TYPE:
            p->type = cbor_take_text(c);
            break;
        case MEASUREMENT:
            p->measurement = arm_take_hash(c);
            break;
        case VERSION:
            p->version = cbor_take_text(c);
            break;
        case SIGNER:
            p->signer = arm_take_hash(c);
            break;
        case DESCRIPTION:
            p->description = cbor_take_text(c);
            break;
        default:
            (void)cbor_skip(c, CBOR_DEFINITE);
        }
    }
    if (c->bad == NULL && (p->measurement.p == NULL || p->signer.p == NULL)) {
        cur_fail(c, "a software component has no measurement or no signer");
    }
}

void arm_take_parts(struct cur *c, struct arm_parts *p)
{
    struct cbor_seq s;
    const uint8_t *from = c->p;
    cbor_take_array(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        if (p->n == ARM_PARTS_MAX) {
            cur_fail(c, "more software components than are read");
            return;
        }
        take_part(c, &p->v[p->n++]);
    }
    if (c->bad == NULL && p->n == 0) {
        cur_fail(c, "the list of software components is empty");
    }
    if (c->bad == NULL) {
        p->all = (struct bytes){from, (size_t)(c->p - from)};
    }
}

static void claim_part_text(struct attest_ctx *c, const char *prefix, size_t i, const char *name,
                            struct bytes v)
{
    if (v.p != NULL) {
        claim_text(c, attest_textf(c, "%s.sw%zu.%s", prefix, i, name), v);
    }
}

void arm_claim_parts(struct attest_ctx *c, const char *prefix, const struct arm_parts *p,
                     const char *description)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct arm_part *x = &p->v[i];
        claim_part_text(c, prefix, i, "type", x->type);
        claim_bytes(c, attest_textf(c, "%s.sw%zu.measurement", prefix, i), x->measurement);
        claim_part_text(c, prefix, i, "version", x->version);
        claim_bytes(c, attest_textf(c, "%s.sw%zu.signer", prefix, i), x->signer);
        claim_part_text(c, prefix, i, description, x->description);
    }
}

void arm_claim_measurement(struct attest_ctx *c, const struct arm_parts *p)
{
    struct hash *h = p->n > 0 ? ARENA_NEW(c->a, struct hash) : NULL;
    if (h != NULL) {
        *h = sha256(p->all);
        claim_bytes(c, "measurement", BYTES_OF(*h));
    }
}

/* The upper byte is the state, the lower one is the implementation's. */
static const char *lifecycle_name(uint64_t state)
{
    static const char *const names[] = {"unknown",
                                        "assembly and test",
                                        "root of trust provisioning",
                                        "secured",
                                        "debugging outside of the root of trust",
                                        "recoverable debugging of the root of trust",
                                        "decommissioned"};
    bool known = (state & 0xf00) == 0 && state >> 12 < ARRAY_LEN(names);
    return known ? names[state >> 12] : "one that no specification names";
}

bool arm_lifecycle_is_debug(uint64_t state)
{
    return (state >= 0x4000 && state <= 0x40ff) || (state >= 0x5000 && state <= 0x50ff);
}

void arm_judge_lifecycle(struct attest_ctx *c, const char *claim, uint64_t state)
{
    bool secured = state >= 0x3000 && state <= 0x30ff;
    bool named = false;
    for (size_t i = 0; i < c->policy->n_rule; i++) {
        named |= strcmp(c->policy->rule[i].claim, claim) == 0;
    }
    if (secured) {
        attest_pass(c, ATTEST_TCB, "the lifecycle state is secured");
    } else if (named) {
        attest_pass(c, ATTEST_TCB, "the lifecycle state is one that the policy names");
    } else if (arm_lifecycle_is_debug(state) && c->policy->allow_debug) {
        attest_pass(c, ATTEST_TCB, "opened for debugging, which the policy allows");
    } else {
        (void)attest_fail(c, ATTEST_TCB, .code = "lifecycle", .subject = claim,
                          .reason = attest_textf(c, "the lifecycle state is 0x%04llx: %s",
                                                 (unsigned long long)state, lifecycle_name(state)),
                          .fix =
                              "use a machine whose state is secured (0x3000 to 0x30ff), or name "
                              "the state in the policy's claims");
    }
}

/* --- keys --------------------------------------------------------------------------------------- */

/* The anchor's public key. A certificate counts as what it is: trusted, but not beyond its dates. */
static bool anchor_key(const struct attest_anchor *a, struct pubkey *k, struct x509 *x)
{
    const char *why;
    x->der = (struct bytes){0};
    if (a->type == ATTEST_ANCHOR_KEY) {
        return rc_ok(x509_parse_spki(k, a->data, &why));
    }
    if (a->type != ATTEST_ANCHOR_CERT || !rc_ok(x509_parse(x, a->data, &why))) {
        return false;
    }
    *k = x->key;
    return true;
}

/* A symmetric key is raw bytes. What reads as a public key or certificate is never one: else anybody
 * could make a tag with it. */
static bool anchor_secret(const struct attest_anchor *a)
{
    struct pubkey k;
    struct x509 x;
    return a->type == ATTEST_ANCHOR_KEY && a->data.n >= 16 && a->data.n <= 64 &&
           !anchor_key(a, &k, &x) && a->data.p[0] != 0x04;
}

static bool anchor_made(struct attest_ctx *c, const struct attest_anchor *a, const struct cose *m,
                        size_t *tried)
{
    struct pubkey k;
    struct x509 x;
    rc r = RC(MALFORMED);
    if (m->tag == COSE_MAC0) {
        r = anchor_secret(a) ? cose_verify_mac0(m, a->data) : r;
    } else if (anchor_key(a, &k, &x)) {
        r = cose_verify_sign1(m, &k);
        if (rc_ok(r) && x.der.p != NULL) {
            attest_window(c, true, "the anchor's certificate", x.not_before, x.not_after);
        }
    }
    *tried += r.code == RC_CODE_MALFORMED ? 0 : 1;
    return rc_ok(r);
}

static void no_anchor(struct attest_ctx *c, const struct cose *m, const char *what)
{
    bool mac = m->tag == COSE_MAC0;
    const char *fix =
        attest_textf(c,
                     mac ? "give the secret key that was shared with the device: --anchor %s:FILE"
                         : "give the attestation key of the device: --anchor %s:FILE (PEM, DER)",
                     c->be->name);
    (void)attest_missing(c, ATTEST_SIGNATURE, .code = mac ? "needs-symmetric-key" : "no-key",
                         .reason =
                             mac ? "the token is authenticated with a secret key (COSE_Mac0), "
                                   "and none was given"
                                 : attest_textf(c, "no trusted key fits the algorithm of %s", what),
                         .fix = fix);
    (void)attest_missing(c, ATTEST_CHAIN, .code = "no-key", .reason = "no key to trust",
                         .fix = fix);
}

void arm_judge_by_anchor(struct attest_ctx *c, const struct cose *m, const char *what)
{
    size_t tried = 0, i = 0;
    if (!m->has_alg) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "no-algorithm",
                          .reason = "the protected header names no algorithm");
        (void)attest_fail(c, ATTEST_CHAIN, .code = "no-key", .reason = "no key can be chosen");
        return;
    }
    for (const struct attest_anchor *a = attest_anchor_next(c, &i);
         a != NULL && tried < KEYS_TRIED_MAX; a = attest_anchor_next(c, &i)) {
        if (anchor_made(c, a, m, &tried)) {
            attest_pass(c, ATTEST_SIGNATURE,
                        attest_textf(c, "%s is signed by a trusted key", what));
            attest_pass(c, ATTEST_CHAIN, "the key is a trust anchor");
            return;
        }
    }
    if (tried == 0) {
        no_anchor(c, m, what);
        return;
    }
    (void)attest_fail(c, ATTEST_SIGNATURE, .code = "signature-wrong",
                      .at = m->sig.n > 0 ? (size_t)(m->sig.p - c->evidence.p) + 1 : 0,
                      .reason = attest_textf(c,
                                             "%s is signed by none of the trusted keys, or was "
                                             "changed after it was signed",
                                             what),
                      .fix = "give the attestation key of this device as an anchor");
    (void)attest_fail(c, ATTEST_CHAIN, .code = "untrusted-key",
                      .reason = "the key is none of the trust anchors");
}
