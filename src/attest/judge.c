/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - the checks that are the same for every kind: dates, report data and nonce, TCB status,
 * and the policy over claims. */
#include <stdio.h>

#include "attest/attest_int.h"

/* "2026-01-31T12:00:00Z" of Unix seconds; years outside 0..9999 as the number of seconds. */
static const char *date_text(struct attest_ctx *c, int64_t t)
{
    if (t < -62135596800 || t > 253402300799) {
        return t < 0 ? "the beginning" : "the end of time";
    }
    /* Days to civil date: Howard Hinnant's algorithm, eras of 400 years. */
    int64_t days = t / 86400;
    int64_t sec = t % 86400;
    if (sec < 0) {
        sec += 86400;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t d = doy - (153 * mp + 2) / 5 + 1;
    int64_t m = mp < 10 ? mp + 3 : mp - 9;
    int64_t y = yoe + era * 400 + (m <= 2 ? 1 : 0);
    return attest_textf(c, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)y, (int)m, (int)d,
                        (int)(sec / 3600), (int)(sec / 60 % 60), (int)(sec % 60));
}

/* a + b without leaving the range; b >= 0. */
static int64_t add_sat(int64_t a, uint64_t b)
{
    int64_t r;
    if (b > INT64_MAX || __builtin_add_overflow(a, (int64_t)b, &r)) {
        return INT64_MAX;
    }
    return r;
}

void attest_window(struct attest_ctx *c, bool chain, const char *subject, int64_t issued,
                   int64_t expires)
{
    enum attest_link l = chain ? ATTEST_CHAIN : ATTEST_FRESHNESS;
    const struct attest_policy *p = c->policy;
    int64_t now = c->in->now;
    c->v->valid_from = MAX(c->v->valid_from, issued);
    c->v->valid_until = MIN(c->v->valid_until, expires);
    if (now < issued) {
        (void)attest_fail(c, l, .code = "not-yet-valid",
                          .reason = attest_textf(c, "%s is valid from %s on, the time is %s",
                                                 subject, date_text(c, issued), date_text(c, now)),
                          .subject = subject, .fix = "check the time that is asked for");
    } else if (now > (chain ? expires : add_sat(expires, p->grace_s))) {
        (void)attest_fail(c, l, .code = "expired",
                          .reason = attest_textf(c, "%s expired on %s, the time is %s", subject,
                                                 date_text(c, expires), date_text(c, now)),
                          .subject = subject,
                          .fix = chain ? "get new evidence, or give the time at which it was made"
                                       : "fetch newer collateral from the vendor");
    } else if (!chain && p->max_age_s > 0 && issued != INT64_MIN &&
               now > add_sat(issued, p->max_age_s)) {
        (void)attest_fail(c, l, .code = "too-old",
                          .reason = attest_textf(c, "%s is of %s, older than the policy's %llu s",
                                                 subject, date_text(c, issued),
                                                 (unsigned long long)p->max_age_s),
                          .subject = subject, .fix = "fetch newer collateral from the vendor");
    } else if (!chain) {
        attest_pass(c, l, "all collateral is valid at the time");
    }
}

void attest_evaluation(struct attest_ctx *c, const char *subject, uint64_t number)
{
    if (number < c->policy->min_tcb_evaluation) {
        (void)attest_fail(
            c, ATTEST_FRESHNESS, .code = "evaluation-too-low", .subject = subject,
            .reason = attest_textf(c, "%s is of TCB evaluation %llu, the policy asks for %llu",
                                   subject, (unsigned long long)number,
                                   (unsigned long long)c->policy->min_tcb_evaluation),
            .fix = "fetch newer collateral from the vendor");
    }
}

/* Report data and nonce: what was asked for in the call, and by the policy. */

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= p[i];
    }
    return any == 0;
}

static void bind_one(struct attest_ctx *c, const char *claim, struct bytes want, bool padded)
{
    const struct attest_claim *have = attest_claim_find(c->v, claim);
    if (have == NULL || have->type != ATTEST_BYTES) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "no-such-field", .subject = claim,
                          .reason = attest_textf(c, "the evidence states no %s", claim),
                          .fix = "ask the attester to bind it");
        return;
    }
    bool eq = have->bytes.n >= want.n && memcmp(have->bytes.p, want.p, want.n) == 0 &&
              (padded ? all_zero(have->bytes.p + want.n, have->bytes.n - want.n)
                      : have->bytes.n == want.n);
    if (!eq) {
        (void)attest_fail(
            c, ATTEST_BINDING, .code = padded ? "report-data-differs" : "nonce-differs",
            .subject = claim,
            .reason = attest_textf(c, "%s differs: expected %.130s, evidence says %.130s", claim,
                                   attest_hex(c, want), attest_hex(c, have->bytes)),
            .fix = "the evidence was made for something else, or is replayed: ask for a new one");
    } else {
        attest_pass(c, ATTEST_BINDING, "binds what was asked for");
    }
}

static void judge_binding(struct attest_ctx *c)
{
    const struct attest_policy *p = c->policy;
    if (c->bound.p != NULL) {
        bind_one(c, "report_data", c->bound, true);
        attest_pass(c, ATTEST_BINDING, "made for the key of the certificate that it came in");
    }
    if (c->in->report_data.p != NULL) {
        bind_one(c, "report_data", c->in->report_data, true);
    }
    if (p->has_report_data) {
        bind_one(c, "report_data", p->report_data, true);
    }
    if (c->in->nonce.p != NULL) {
        bind_one(c, "nonce", c->in->nonce, false);
    }
    if (p->has_nonce) {
        bind_one(c, "nonce", p->nonce, false);
    }
    if (c->v->line[ATTEST_BINDING].state == ATTEST_NA) {
        attest_na(c, ATTEST_BINDING, "no report data or nonce was asked for: may be a replay");
    }
}

static void judge_tcb(struct attest_ctx *c)
{
    struct verdict *v = c->v;
    const struct attest_policy *p = c->policy;
    if ((p->tcb_accept & 1U << v->tcb) == 0 && v->tcb != TCB_NONE) {
        (void)attest_fail(c, ATTEST_TCB, .code = "tcb-status",
                          .reason =
                              attest_textf(c, "the platform's state is %s (%.300s)",
                                           attest_tcb_name(v->tcb), v->line[ATTEST_TCB].reason),
                          .fix = v->tcb == TCB_REVOKED || v->tcb == TCB_NOT_SUPPORTED
                                     ? "use another machine"
                                     : "update firmware and microcode, or accept this state by "
                                       "name in the policy's tcb.accept");
    }
    if (p->advisories.n == 0) {
        return;
    }
    for (size_t i = 0; i < v->n_advisory; i++) {
        bool known = false;
        for (size_t k = 0; k < p->advisories.n; k++) {
            known |= bytes_eq(p->advisories.v[k], v->advisory[i]);
        }
        if (!known) {
            (void)attest_fail(c, ATTEST_TCB, .code = "advisory",
                              .reason =
                                  attest_textf(c, "advisory %.*s applies and is not accepted",
                                               (int)MIN(v->advisory[i].n, 64), v->advisory[i].p),
                              .fix = "update the platform, or name the advisory in tcb.advisories");
            return;
        }
    }
}

/* Policy over claims. */

static bool set_has(const struct attest_set *s, struct bytes v)
{
    for (size_t i = 0; i < s->n; i++) {
        if (bytes_eq(s->v[i], v)) {
            return true;
        }
    }
    return false;
}

bool attest_allows_kind(const struct attest_policy *p, const struct attest_backend *be)
{
    return p->kinds.n == 0 ? !be->simulated : set_has(&p->kinds, bytes_str(be->name));
}

static void want_set(struct attest_ctx *c, const char *claim, const struct attest_set *s,
                     const char *code)
{
    if (s->n == 0) {
        return;
    }
    const struct attest_claim *have = attest_claim_find(c->v, claim);
    if (have == NULL) {
        (void)attest_fail(c, ATTEST_POLICY, .code = code, .subject = claim,
                          .reason = attest_textf(c, "the evidence states no %s", claim));
        return;
    }
    char number[24];
    struct bytes v = have->bytes;
    if (have->type == ATTEST_U64 || have->type == ATTEST_BOOL) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)have->u64);
        v = bytes_str(number);
    }
    if (!set_has(s, v)) {
        bool hex = have->type == ATTEST_BYTES;
        (void)attest_fail(
            c, ATTEST_POLICY, .code = code, .subject = claim,
            .reason = attest_textf(
                c, "%s differs: expected %.130s%s, evidence says %.130s", claim,
                hex ? attest_hex(c, s->v[0])
                    : attest_textf(c, "%.*s", (int)MIN(s->v[0].n, 130), s->v[0].p),
                s->n > 1 ? " or another of the policy's" : "",
                hex ? attest_hex(c, v) : attest_textf(c, "%.*s", (int)MIN(v.n, 130), v.p)),
            .fix = "run what the policy names, or add this value to the policy");
    }
}

static bool hex_eq(struct bytes hex, struct bytes v)
{
    if (hex.n != 2 * v.n) {
        return false;
    }
    for (size_t i = 0; i < hex.n; i++) {
        uint8_t d = i % 2 == 0 ? v.p[i / 2] >> 4 : v.p[i / 2] & 15;
        uint8_t want = (uint8_t)(d < 10 ? '0' + d : 'a' + d - 10);
        uint8_t got = hex.p[i] >= 'A' && hex.p[i] <= 'F' ? (uint8_t)(hex.p[i] + 32) : hex.p[i];
        if (want != got) {
            return false;
        }
    }
    return true;
}

static bool rule_holds(const struct attest_rule *r, const struct attest_claim *have)
{
    bool number = have->type == ATTEST_U64 || have->type == ATTEST_BOOL;
    switch (r->op) {
    case ATTEST_MIN:
        return number && have->u64 >= r->u64;
    case ATTEST_MAX:
        return number && have->u64 <= r->u64;
    case ATTEST_IS:
        break;
    }
    if (number) {
        return !r->is_text && have->u64 == r->u64;
    }
    if (!r->is_text) {
        return false;
    }
    if (have->type == ATTEST_TEXT) {
        return bytes_eq(have->bytes, r->text);
    }
    struct bytes hex = r->text;
    if (hex.n >= 2 && hex.p[0] == '0' && hex.p[1] == 'x') {
        hex = (struct bytes){hex.p + 2, hex.n - 2};
    }
    return hex_eq(hex, have->bytes);
}

static const char *rule_text(struct attest_ctx *c, const struct attest_rule *r)
{
    const char *op = r->op == ATTEST_MIN ? "at least " : r->op == ATTEST_MAX ? "at most " : "";
    return r->is_text ? attest_textf(c, "%.*s", (int)MIN(r->text.n, 130), r->text.p)
                      : attest_textf(c, "%s%llu", op, (unsigned long long)r->u64);
}

static const char *claim_value(struct attest_ctx *c, const struct attest_claim *v)
{
    switch (v->type) {
    case ATTEST_BYTES:
        return attest_hex(c, v->bytes);
    case ATTEST_TEXT:
        return attest_textf(c, "%.*s", (int)MIN(v->bytes.n, 130), v->bytes.p);
    case ATTEST_BOOL:
        return v->u64 != 0 ? "true" : "false";
    case ATTEST_U64:
        break;
    }
    return attest_textf(c, "%llu", (unsigned long long)v->u64);
}

/* Rules with `alternative` belong to the one before them: one of the group must hold. */
static void judge_rules(struct attest_ctx *c)
{
    const struct attest_policy *p = c->policy;
    for (size_t i = 0; i < p->n_rule;) {
        const struct attest_rule *first = &p->rule[i];
        const struct attest_claim *have = attest_claim_find(c->v, first->claim);
        bool holds = false;
        size_t n = 0;
        do {
            holds |= have != NULL && rule_holds(&p->rule[i], have);
            i++;
            n++;
        } while (i < p->n_rule && p->rule[i].alternative);
        if (!holds) {
            (void)attest_fail(
                c, ATTEST_POLICY, .code = "claim-differs", .subject = first->claim,
                .reason =
                    attest_textf(c, "%s differs: expected %s%s, evidence says %.130s", first->claim,
                                 rule_text(c, first), n > 1 ? " or another of the policy's" : "",
                                 have != NULL ? claim_value(c, have) : "nothing about it"));
        }
    }
}

static void judge_policy(struct attest_ctx *c)
{
    const struct attest_policy *p = c->policy;
    if (!attest_allows_kind(p, c->be)) {
        (void)attest_fail(
            c, ATTEST_POLICY, .code = c->be->simulated ? "simulated" : "kind-not-allowed",
            .reason = c->be->simulated
                          ? "SIMULATED: no hardware stands behind this evidence"
                          : attest_textf(c, "evidence of kind %s is not allowed", c->be->name),
            .fix = attest_textf(c, "name \"%s\" in the policy's kinds to allow it", c->be->name));
    }
    const struct attest_claim *debug = attest_claim_find(c->v, "debug");
    if (debug != NULL && debug->u64 != 0 && !p->allow_debug) {
        (void)attest_fail(c, ATTEST_POLICY, .code = "debug-enabled", .subject = "debug",
                          .reason = "debugging is enabled: the host can read everything inside",
                          .fix = "run without debugging; only tests may set \"debug\": true");
    }
    want_set(c, "measurement", &p->measurements, "measurement-differs");
    want_set(c, "signer", &p->signers, "signer-differs");
    want_set(c, "product", &p->products, "product-differs");
    want_set(c, "platform", &p->platforms, "platform-differs");
    if (p->has_min_svn) {
        const struct attest_claim *svn = attest_claim_find(c->v, "svn");
        if (svn == NULL || svn->type != ATTEST_U64 || svn->u64 < p->min_svn) {
            (void)attest_fail(
                c, ATTEST_POLICY, .code = "svn-too-low", .subject = "svn",
                .reason = attest_textf(c, "svn: expected at least %llu, evidence says %s",
                                       (unsigned long long)p->min_svn,
                                       svn != NULL ? claim_value(c, svn) : "nothing about it"),
                .fix = "run a newer version");
        }
    }
    judge_rules(c);
    attest_pass(c, ATTEST_POLICY, "the policy is met");
}

void attest_judge(struct attest_ctx *c)
{
    struct verdict *v = c->v;
    if (c->policy->revocation_optional && v->line[ATTEST_REVOCATION].state == ATTEST_MISSING) {
        v->line[ATTEST_REVOCATION].state = ATTEST_NA;
    }
    judge_binding(c);
    judge_tcb(c);
    judge_policy(c);
    v->verified = v->line[ATTEST_FORMAT].state == ATTEST_OK &&
                  v->line[ATTEST_SIGNATURE].state == ATTEST_OK &&
                  v->line[ATTEST_CHAIN].state == ATTEST_OK &&
                  v->line[ATTEST_BINDING].state != ATTEST_FAILED &&
                  v->line[ATTEST_REVOCATION].state != ATTEST_FAILED;
}
