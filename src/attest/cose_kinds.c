/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/cose_kinds.h"

bool cose_fault(struct attest_ctx *c, const struct cur *at, const char *trailing)
{
    /* a view into the evidence says where; views into the arena do not exist here */
    const uint8_t *from = c->evidence.p;
    bool inside = at->p >= from && at->p <= from + c->evidence.n;
    return attest_fail(c, ATTEST_FORMAT, .code = "malformed",
                       .reason = at->bad != NULL ? at->bad : trailing,
                       .at = inside ? (size_t)(at->p - from) + 1 : 0);
}

bool cose_judge_sign1(struct attest_ctx *c, const struct cose *m, const struct pubkey *key,
                      const char *good)
{
    size_t at = m->sig.n > 0 ? (size_t)(m->sig.p - c->evidence.p) + 1 : 0;
    if (!m->has_alg) {
        return attest_fail(c, ATTEST_SIGNATURE, .code = "no-algorithm",
                           .reason = "the protected header names no algorithm");
    }
    rc r = cose_verify_sign1(m, key);
    if (r.code == RC_CODE_MALFORMED) {
        return attest_fail(c, ATTEST_SIGNATURE, .code = "algorithm", .at = at,
                           .reason = attest_textf(c,
                                                  "algorithm %lld, key and signature do not fit "
                                                  "each other",
                                                  (long long)m->alg));
    }
    if (!rc_ok(r)) {
        return attest_fail(c, ATTEST_SIGNATURE, .code = "signature-wrong", .at = at,
                           .reason = "not signed by this key, or changed after it was signed");
    }
    attest_pass(c, ATTEST_SIGNATURE, good);
    return true;
}
