/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_COSE_KINDS_H
#define SOUK_ATTEST_COSE_KINDS_H

/* cose_kinds.h - what the kinds that travel in COSE share: Nitro, PSA, Arm CCA. */

#include "attest/attest_int.h"
#include "encoding/cose.h"

extern const struct attest_backend attest_backend_nitro, attest_backend_psa, attest_backend_cca;

/* Fails the format link with the cursor's reason, or with `trailing` when bytes are left over.
 * Returns false. */
bool cose_fault(struct attest_ctx *c, const struct cur *at, const char *trailing);

/* The signature link: signed by the key, or why not. Returns whether it is. */
bool cose_judge_sign1(struct attest_ctx *c, const struct cose *m, const struct pubkey *key,
                      const char *good);

#endif /* SOUK_ATTEST_COSE_KINDS_H */
