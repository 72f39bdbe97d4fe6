/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_MPT_H
#define SOUK_ENCODING_MPT_H

/* mpt.h - Merkle Patricia tries over lists, as blocks commit to transactions and receipts: item i
 * stands under the key rlp(i). Source: Yellow Paper, appendix D. Roots and proofs are computed from
 * the whole list; nothing is stored. */

#include "base/arena.h"
#include "base/buf.h"
#include "base/rc.h"

enum { MPT_PROOF_MAX = 12, MPT_ITEMS_MAX = 1 << 20 }; /* nodes on a path; items of one list */

/* The root of n items; of none: keccak256(0x80). */
struct hash mpt_list_root(const struct bytes *items, size_t n);

struct mpt_proof {
    struct bytes node[MPT_PROOF_MAX]; /* RLP, from the root down */
    size_t n;
};

/* The nodes on the way to item i, in memory of `a`. NOT_FOUND when i >= n, LIMIT for memory. */
rc mpt_list_prove(struct mpt_proof *out, struct arena *a, const struct bytes *items, size_t n,
                  size_t i);

/* Checks a proof that comes from anywhere: *item gets a view into the last node. DENIED when it does
 * not lead from root to item i, MALFORMED when a node is not canonical. */
rc mpt_list_verify(struct bytes *item, struct hash root, size_t i, const struct mpt_proof *proof);

#endif /* SOUK_ENCODING_MPT_H */
