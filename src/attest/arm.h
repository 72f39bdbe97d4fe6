/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_ARM_H
#define SOUK_ATTEST_ARM_H

/* arm.h - what PSA tokens and Arm CCA platform tokens share: software components, lifecycle, and keys
 * that are known because somebody named them. */

#include "attest/cose_kinds.h"
#include "encoding/cborpull.h"

enum { ARM_PARTS_MAX = 24 }; /* the longest boot chain seen has 14 */

struct arm_part {
    struct bytes type, measurement, version, signer, description;
};

struct arm_parts {
    struct arm_part v[ARM_PARTS_MAX];
    size_t n;
    struct bytes all; /* the whole array as it stands in the token */
};

/* Bytes without a CWT tag (61) in front, which a CWT may carry. */
struct bytes arm_strip(struct bytes b);

/* A byte string of 32, 48 or 64 bytes: a hash or a nonce. */
struct bytes arm_take_hash(struct cur *c);
struct bytes arm_take_sized(struct cur *c, size_t n);

/* Claim 2399 or -75006: each component needs a measurement and a signer. */
void arm_take_parts(struct cur *c, struct arm_parts *p);

/* "PREFIX.sw0.measurement" and so on; `description`: what member 6 is called. */
void arm_claim_parts(struct attest_ctx *c, const char *prefix, const struct arm_parts *p,
                     const char *description);

/* "measurement" of kinds that have no single one: SHA-256 over the components as they stand in the
 * token. NULL when memory ends. */
void arm_claim_measurement(struct attest_ctx *c, const struct arm_parts *p);

/* Lifecycle: the `debug` claim, and a name for people. */
bool arm_lifecycle_is_debug(uint64_t state);

/* The TCB link: secured, or opened for debugging (the policy's matter), or refused unless the policy
 * has a rule for the claim. */
void arm_judge_lifecycle(struct attest_ctx *c, const char *claim, uint64_t state);

/* Signature and chain of a token whose key is known beforehand: one of the anchors has made it. */
void arm_judge_by_anchor(struct attest_ctx *c, const struct cose *m, const char *what);

#endif /* SOUK_ATTEST_ARM_H */
