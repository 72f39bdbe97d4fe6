/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"

#include <stdarg.h>
#include <stdio.h>

#include "attest/attest_int.h"

static const char *const link_names[ATTEST_LINKS] = {
    "format", "signature", "binding", "chain", "revocation", "freshness", "tcb", "policy",
};

static const char *const tcb_names[TCB_STATES] = {
    "none",
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
    "NotSupported",
};

const char *attest_link_name(enum attest_link l)
{
    return (size_t)l < ATTEST_LINKS ? link_names[l] : "?";
}

const char *attest_tcb_name(enum attest_tcb s)
{
    return (size_t)s < TCB_STATES ? tcb_names[s] : "?";
}

const char *attest_state_name(enum attest_state s)
{
    static const char *const names[] = {"not applicable", "ok", "failed", "missing"};
    return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

static void set_line(struct attest_ctx *c, enum attest_link l, enum attest_state s,
                     const char *code, const char *reason)
{
    struct attest_line *line = &c->v->line[l];
    if (line->state == ATTEST_FAILED || line->state == ATTEST_MISSING) {
        return;
    }
    *line = (struct attest_line){s, code, reason, NULL, NULL, ATTEST_NO_OFFSET};
}

void attest_pass(struct attest_ctx *c, enum attest_link l, const char *reason)
{
    set_line(c, l, ATTEST_OK, "ok", reason);
}

void attest_na(struct attest_ctx *c, enum attest_link l, const char *reason)
{
    set_line(c, l, ATTEST_NA, "not-applicable", reason);
}

bool attest_fail_(struct attest_ctx *c, enum attest_link l, enum attest_state s,
                  struct attest_fault f)
{
    struct attest_line *line = &c->v->line[l];
    /* The first failure stays; a failure says more than something missing. */
    if (line->state == ATTEST_FAILED || (line->state == ATTEST_MISSING && s == ATTEST_MISSING)) {
        return false;
    }
    *line = (struct attest_line){
        .state = s,
        .code = f.code != NULL ? f.code : "failed",
        .reason = f.reason != NULL ? f.reason : "",
        .subject = f.subject,
        .fix = f.fix,
        .offset = f.at > 0 ? f.at - 1 : ATTEST_NO_OFFSET,
    };
    return false;
}

const char *attest_textf(struct attest_ctx *c, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof(text) - 1);
    char *out = arena_alloc(c->a, len + 1);
    if (out == NULL) {
        return "(no memory left for this sentence)";
    }
    memcpy(out, text, len);
    return out;
}

const char *attest_hex(struct attest_ctx *c, struct bytes v)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_array(c->a, v.n + 1, 2);
    if (out == NULL) {
        return "(no memory left)";
    }
    for (size_t i = 0; i < v.n; i++) {
        out[2 * i] = digits[v.p[i] >> 4];
        out[2 * i + 1] = digits[v.p[i] & 15];
    }
    return out;
}

/* Claims. */

static void claim_add(struct attest_ctx *c, struct attest_claim claim)
{
    if (c->v->n_claim >= ATTEST_CLAIMS_MAX) {
        (void)attest_fail(c, ATTEST_FORMAT, .code = "too-many-claims",
                          .reason = "the evidence states more than this verifier keeps");
        return;
    }
    c->v->claim[c->v->n_claim++] = claim;
}

void claim_bytes(struct attest_ctx *c, const char *name, struct bytes v)
{
    claim_add(c, (struct attest_claim){name, ATTEST_BYTES, v, 0});
}

void claim_u64(struct attest_ctx *c, const char *name, uint64_t v)
{
    claim_add(c, (struct attest_claim){.name = name, .type = ATTEST_U64, .u64 = v});
}

void claim_bool(struct attest_ctx *c, const char *name, bool v)
{
    claim_add(c, (struct attest_claim){.name = name, .type = ATTEST_BOOL, .u64 = v ? 1 : 0});
}

void claim_text(struct attest_ctx *c, const char *name, struct bytes v)
{
    claim_add(c, (struct attest_claim){name, ATTEST_TEXT, v, 0});
}

const struct attest_claim *attest_claim_find(const struct verdict *v, const char *name)
{
    for (size_t i = 0; i < v->n_claim; i++) {
        if (strcmp(v->claim[i].name, name) == 0) {
            return &v->claim[i];
        }
    }
    return NULL;
}

void attest_set_tcb(struct attest_ctx *c, enum attest_tcb s, const char *reason)
{
    c->v->tcb = s;
    attest_pass(c, ATTEST_TCB, reason);
}

void attest_advisory(struct attest_ctx *c, struct bytes id)
{
    for (size_t i = 0; i < c->v->n_advisory; i++) {
        if (bytes_eq(c->v->advisory[i], id)) {
            return;
        }
    }
    if (c->v->n_advisory == ATTEST_ADVISORY_MAX) {
        (void)attest_fail(c, ATTEST_TCB, .code = "too-many-advisories",
                          .reason = "more advisories than this verifier keeps");
        return;
    }
    c->v->advisory[c->v->n_advisory++] = id;
}

const struct attest_anchor *attest_anchor_next(const struct attest_ctx *c, size_t *i)
{
    while (*i < c->in->n_anchor) {
        const struct attest_anchor *a = &c->in->anchor[(*i)++];
        if (strcmp(a->kind, "*") == 0 || strcmp(a->kind, c->be->name) == 0) {
            return a;
        }
    }
    return NULL;
}

const struct attest_item *attest_item_at(const struct attest_ctx *c, size_t i)
{
    if (i < c->n_companion) {
        return &c->companion[i];
    }
    i -= c->n_companion;
    return i < MIN(c->in->n_item, (size_t)ATTEST_ITEMS_MAX) ? &c->in->item[i] : NULL;
}

/* The three entries. */

static bool start(struct attest_ctx *c)
{
    struct verdict *v = c->v;
    *v = (struct verdict){.envelope = "", .valid_from = INT64_MIN, .valid_until = INT64_MAX};
    for (size_t l = 0; l < ATTEST_LINKS; l++) {
        attest_na(c, (enum attest_link)l, "not checked: the evidence could not be read");
    }
    if (c->evidence.n > ATTEST_EVIDENCE_MAX) {
        return attest_fail(c, ATTEST_FORMAT, .code = "too-large",
                           .reason = "evidence is larger than any real one (256 KiB)");
    }
    if (c->in->n_item > ATTEST_ITEMS_MAX) {
        return attest_fail(c, ATTEST_FORMAT, .code = "too-much-collateral",
                           .reason = "more than 256 pieces of collateral");
    }
    attest_unwrap(c);
    c->be = attest_find_backend(c, c->evidence);
    if (c->be == NULL) {
        return attest_fail(
            c, ATTEST_FORMAT, .code = "unknown-format",
            .reason = c->in->kind != NULL
                          ? attest_textf(c, "the bytes are not evidence of kind %s", c->in->kind)
                          : "no known kind of evidence begins and is sized like this",
            .fix = "give the evidence as the TEE wrote it: raw, hex or base64");
    }
    v->kind = c->be->name;
    v->title = c->be->title;
    v->simulated = c->be->simulated;
    return true;
}

static bool decode(struct attest_ctx *c)
{
    if (!start(c)) {
        return false;
    }
    if (!c->be->decode(c) || c->v->line[ATTEST_FORMAT].state == ATTEST_FAILED) {
        return attest_fail(c, ATTEST_FORMAT, .code = "malformed",
                           .reason = "the evidence is not what its format allows");
    }
    attest_pass(c, ATTEST_FORMAT, c->v->title);
    return true;
}

bool attest_show(struct verdict *v, const struct attest_input *in, struct arena *scratch)
{
    struct attest_ctx c = {.in = in, .evidence = in->evidence, .a = scratch, .v = v};
    if (!decode(&c)) {
        return false;
    }
    for (size_t l = ATTEST_FORMAT + 1; l < ATTEST_LINKS; l++) {
        attest_na(&c, (enum attest_link)l, "not checked: decoded without judging");
    }
    return true;
}

bool attest_identify(struct verdict *v, struct bytes evidence, struct arena *scratch)
{
    struct attest_input in = {.evidence = evidence};
    struct attest_ctx c = {.in = &in, .evidence = evidence, .a = scratch, .v = v};
    return start(&c);
}

bool attest_verify(struct verdict *v, const struct attest_input *in, struct arena *scratch)
{
    struct attest_policy def;
    if (in->policy == NULL) {
        attest_policy_default(&def);
    }
    struct attest_ctx c = {
        .in = in,
        .policy = in->policy != NULL ? in->policy : &def,
        .evidence = in->evidence,
        .a = scratch,
        .v = v,
    };
    if (!decode(&c)) {
        return false;
    }
    for (size_t l = ATTEST_FORMAT + 1; l < ATTEST_LINKS; l++) {
        attest_na(&c, (enum attest_link)l, "this kind of evidence has no such step");
    }
    c.be->verify(&c);
    attest_judge(&c);
    v->accepted =
        attest_first_broken(v) == ATTEST_LINKS && v->line[ATTEST_SIGNATURE].state == ATTEST_OK &&
        v->line[ATTEST_CHAIN].state == ATTEST_OK && v->line[ATTEST_POLICY].state == ATTEST_OK;
    return v->accepted;
}

enum attest_link attest_first_broken(const struct verdict *v)
{
    for (size_t l = 0; l < ATTEST_LINKS; l++) {
        if (v->line[l].state == ATTEST_FAILED) {
            return (enum attest_link)l;
        }
    }
    for (size_t l = 0; l < ATTEST_LINKS; l++) {
        if (v->line[l].state == ATTEST_MISSING) {
            return (enum attest_link)l;
        }
    }
    return ATTEST_LINKS;
}
