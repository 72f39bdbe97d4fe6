/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_POCO_RULES_INT_H
#define SOUK_CHAIN_POCO_RULES_INT_H

/* rules_int.h - what differs between the rule sets, as data. A later set is one more row. */

#include "chain/poco/poco.h"
#include "iface/iface.h"

/* How a registry refuses: a text (6.1) or a custom error (6.2). REVERT_NONE: it does not refuse. */
enum refusal {
    REFUSE_MINT_ZERO,
    REFUSE_OWNER_QUERY,
    REFUSE_URI_QUERY,
    REFUSE_APPROVED_QUERY,
    REFUSE_BALANCE_ZERO,
    REFUSE_INDEX,
    REFUSE_OWNER_INDEX,
    REFUSE_OWNER_INDEX_ZERO, /* of the zero address, which owns nothing */
    REFUSE_APPROVE_STRANGER,
    REFUSE_APPROVE_UNKNOWN,
    REFUSE_APPROVE_OWNER,
    REFUSE_OPERATOR_SELF,
    REFUSE_OPERATOR_ZERO,
    REFUSE_TRANSFER_STRANGER,
    REFUSE_TRANSFER_UNKNOWN,
    REFUSE_TRANSFER_WRONG_FROM,
    REFUSE_TRANSFER_ZERO,
    REFUSE_RECEIVER,
    REFUSE_OWNER_ZERO,
    REFUSALS
};

struct rules {
    enum poco_rules version;
    bool approval_matches;       /* receiveApproval with data runs matchOrders */
    bool dataset_tag_masked;     /* TEE framework bits of a dataset order do not count */
    bool escrow_is_erc20;        /* the loupe shows the ERC-20 functions in the escrow facet */
    bool escrow_panics;          /* overflow in ERC-20 and escrow: Panic, else empty revert */
    bool legacy_category_panics; /* viewCategoryABILegacy of an unknown id */
    bool registry_strict;        /* dirty high bits in a registry's call data are refused */
    bool transfer_zero_first;    /* an ERC-721 transfer to 0 is refused before anything else */
    bool self_transfer_moves;    /* a transfer to oneself puts the token last in its list */
    bool copies_past_end;        /* a broadcast signature may reach beyond the call data */
    bool transfer_approval_log;  /* an ERC-721 transfer emits Approval(owner, 0, id) first */
    uint32_t callbackgas;        /* after configure() */
    enum revert failed_transfer_from;
    enum revert refusal[REFUSALS];
};

/* The set that holds at a height of a chain with these constants. */
const struct rules *rules_at(enum poco_rules genesis, uint64_t switch_height, uint64_t height);

#endif /* SOUK_CHAIN_POCO_RULES_INT_H */
