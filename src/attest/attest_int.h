/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_ATTEST_INT_H
#define SOUK_ATTEST_ATTEST_INT_H

/* attest_int.h - the seam between the verifier and its back ends.
 *
 * A new kind is one file with one `const struct attest_backend` and one row in backends.c. The
 * verifier calls decode() and, when it succeeded, verify(). The back end states what it found:
 * lines for the links that it knows, claims, dates, TCB status and advisories. What is the same for
 * all kinds (report data and nonce, ages, accepted TCB states, the policy) is judged afterwards by
 * judge.c from those statements; a back end reads the policy only where a rule is its own. */

#include "attest/attest.h"

struct attest_ctx {
    const struct attest_input *in;
    const struct attest_policy *policy;
    struct bytes evidence; /* unwrapped */
    struct arena *a;
    struct verdict *v;
    const struct attest_backend *be;
    void *parsed;                  /* decode() leaves it for verify() */
    struct attest_item *companion; /* parts found in the envelope (certificates, event log) */
    size_t n_companion;
    struct bytes bound; /* what the envelope says the report data must be; p NULL: nothing */
};

struct attest_backend {
    const char *name;  /* kind, as policies write it */
    const char *title; /* for people; decode() may set a finer one in v->title */
    bool simulated;    /* no hardware: refused unless the policy names it */

    /* Cheap: magic and lengths only. At most one back end may say yes to the same bytes. */
    bool (*identify)(struct bytes evidence);

    /* Reads the evidence: claims, and the format link. False after attest_fail(FORMAT). */
    bool (*decode)(struct attest_ctx *c);

    /* Judges signature, inner bindings, chain, revocation; states dates and TCB status. */
    void (*verify)(struct attest_ctx *c);
};

extern const struct attest_backend *const attest_backends[]; /* ends with NULL */

/* Links. The first failure of a link stays; OK does not overwrite a failure. Text must live as long
 * as the verdict: a literal, or attest_textf(). */
void attest_pass(struct attest_ctx *c, enum attest_link l, const char *reason);
void attest_na(struct attest_ctx *c, enum attest_link l, const char *reason);

struct attest_fault {
    const char *code, *reason, *subject, *fix;
    size_t at; /* offset + 1; 0: none */
};

/* attest_fail(c, ATTEST_CHAIN, .code = "expired", .reason = …, .subject = …); returns false. */
bool attest_fail_(struct attest_ctx *c, enum attest_link l, enum attest_state s,
                  struct attest_fault f);
#define attest_fail(c, l, ...)                                                                     \
    attest_fail_((c), (l), ATTEST_FAILED, (struct attest_fault){__VA_ARGS__})
#define attest_missing(c, l, ...)                                                                  \
    attest_fail_((c), (l), ATTEST_MISSING, (struct attest_fault){__VA_ARGS__})

/* A sentence in the arena, at most 400 bytes; "out of memory" as a literal when it is full. */
const char *attest_textf(struct attest_ctx *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Lower-case hex in the arena. */
const char *attest_hex(struct attest_ctx *c, struct bytes v);

/* Claims. name is a literal or arena text; values are borrowed. More than ATTEST_CLAIMS_MAX make
 * the format link fail. */
void claim_bytes(struct attest_ctx *c, const char *name, struct bytes v);
void claim_u64(struct attest_ctx *c, const char *name, uint64_t v);
void claim_bool(struct attest_ctx *c, const char *name, bool v);
void claim_text(struct attest_ctx *c, const char *name, struct bytes v);

/* Dates. Every validity window that the proof rests on. `chain`: a certificate, so being outside
 * of it breaks the chain; else collateral, judged with the policy's grace and maximum age under
 * freshness. issued/expires in Unix seconds, INT64_MIN/INT64_MAX when not stated. */
void attest_window(struct attest_ctx *c, bool chain, const char *subject, int64_t issued,
                   int64_t expires);

/* Numbered collateral (Intel's tcbEvaluationDataNumber) against the policy's floor. */
void attest_evaluation(struct attest_ctx *c, const char *subject, uint64_t number);

void attest_set_tcb(struct attest_ctx *c, enum attest_tcb s, const char *reason);
void attest_advisory(struct attest_ctx *c, struct bytes id); /* borrowed; each once */

/* Trust anchors of this back end, one after the other: *i starts with 0; NULL at the end. */
const struct attest_anchor *attest_anchor_next(const struct attest_ctx *c, size_t *i);

/* Collateral: companions of the envelope first, then the caller's items; NULL past the end. */
const struct attest_item *attest_item_at(const struct attest_ctx *c, size_t i);

bool attest_allows_kind(const struct attest_policy *p, const struct attest_backend *be);

/* What envelope.c peels off: sets c->evidence, c->companion, v->envelope. */
void attest_unwrap(struct attest_ctx *c);
bool attest_open_certificate(struct attest_ctx *c, struct bytes in, struct bytes *out);
bool attest_open_enclave(struct attest_ctx *c, struct bytes in, struct bytes *out);
const struct attest_backend *attest_find_backend(const struct attest_ctx *c, struct bytes b);

/* The checks shared by all kinds (judge.c). */
void attest_judge(struct attest_ctx *c);

extern const struct attest_backend attest_backend_simulated;
extern const struct attest_backend attest_backend_sgx, attest_backend_tdx; /* intel.c */
extern const struct attest_backend attest_backend_azure;

#endif /* SOUK_ATTEST_ATTEST_INT_H */
