/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/poco/rules_int.h"

static const struct rules rules_6_1 = {
    .version = RULES_6_1,
    .approval_matches = false,
    .dataset_tag_masked = false,
    .escrow_is_erc20 = false,
    .escrow_panics = false,
    .legacy_category_panics = false,
    .registry_strict = false,
    .transfer_zero_first = false,
    .self_transfer_moves = true,
    .copies_past_end = true,
    .transfer_approval_log = true,
    .callbackgas = 100000,
    .failed_transfer_from = REVERT_FAILED_TRANSFERFROM_61,
    .refusal =
        {
            [REFUSE_MINT_ZERO] = REVERT_ERC721_MINT_ZERO,
            [REFUSE_OWNER_QUERY] = REVERT_ERC721_OWNER_QUERY,
            [REFUSE_URI_QUERY] = REVERT_ERC721_URI_QUERY,
            [REFUSE_APPROVED_QUERY] = REVERT_ERC721_APPROVED_QUERY,
            [REFUSE_BALANCE_ZERO] = REVERT_ERC721_BALANCE_ZERO,
            [REFUSE_INDEX] = REVERT_ENUMERABLE_MAP,
            [REFUSE_OWNER_INDEX] = REVERT_ENUMERABLE_SET,
            [REFUSE_OWNER_INDEX_ZERO] = REVERT_ENUMERABLE_SET,
            [REFUSE_APPROVE_STRANGER] = REVERT_ERC721_APPROVE_CALLER,
            [REFUSE_APPROVE_UNKNOWN] = REVERT_ERC721_OWNER_QUERY,
            [REFUSE_APPROVE_OWNER] = REVERT_ERC721_APPROVE_OWNER,
            [REFUSE_OPERATOR_SELF] = REVERT_ERC721_APPROVE_SELF,
            [REFUSE_OPERATOR_ZERO] = REVERT_NONE,
            [REFUSE_TRANSFER_STRANGER] = REVERT_ERC721_TRANSFER_CALLER,
            [REFUSE_TRANSFER_UNKNOWN] = REVERT_ERC721_OPERATOR_QUERY,
            [REFUSE_TRANSFER_WRONG_FROM] = REVERT_ERC721_NOT_OWN,
            [REFUSE_TRANSFER_ZERO] = REVERT_ERC721_TO_ZERO,
            [REFUSE_RECEIVER] = REVERT_ERC721_RECEIVER,
            [REFUSE_OWNER_ZERO] = REVERT_OWNER_ZERO,
        },
};

static const struct rules rules_6_2 = {
    .version = RULES_6_2,
    .approval_matches = true,
    .dataset_tag_masked = true,
    .escrow_is_erc20 = true,
    .escrow_panics = true,
    .legacy_category_panics = true,
    .registry_strict = true,
    .transfer_zero_first = true,
    .self_transfer_moves = false,
    .copies_past_end = false,
    .transfer_approval_log = false,
    .callbackgas = 200000,
    .failed_transfer_from = REVERT_FAILED_TRANSFERFROM,
    .refusal =
        {
            [REFUSE_MINT_ZERO] = ERROR_ERC721InvalidReceiver,
            [REFUSE_OWNER_QUERY] = ERROR_ERC721NonexistentToken,
            [REFUSE_URI_QUERY] = ERROR_ERC721NonexistentToken,
            [REFUSE_APPROVED_QUERY] = ERROR_ERC721NonexistentToken,
            [REFUSE_BALANCE_ZERO] = ERROR_ERC721InvalidOwner,
            [REFUSE_INDEX] = ERROR_ERC721OutOfBoundsIndex,
            [REFUSE_OWNER_INDEX] = ERROR_ERC721OutOfBoundsIndex,
            [REFUSE_OWNER_INDEX_ZERO] = ERROR_ERC721InvalidOwner,
            [REFUSE_APPROVE_STRANGER] = ERROR_ERC721InvalidApprover,
            [REFUSE_APPROVE_UNKNOWN] = ERROR_ERC721NonexistentToken,
            [REFUSE_APPROVE_OWNER] = REVERT_NONE,
            [REFUSE_OPERATOR_SELF] = REVERT_NONE,
            [REFUSE_OPERATOR_ZERO] = ERROR_ERC721InvalidOperator,
            [REFUSE_TRANSFER_STRANGER] = ERROR_ERC721InsufficientApproval,
            [REFUSE_TRANSFER_UNKNOWN] = ERROR_ERC721NonexistentToken,
            [REFUSE_TRANSFER_WRONG_FROM] = ERROR_ERC721IncorrectOwner,
            [REFUSE_TRANSFER_ZERO] = ERROR_ERC721InvalidReceiver,
            [REFUSE_RECEIVER] = ERROR_ERC721InvalidReceiver,
            [REFUSE_OWNER_ZERO] = ERROR_OwnableInvalidOwner,
        },
};

const struct rules *rules_at(enum poco_rules genesis, uint64_t switch_height, uint64_t height)
{
    bool newer = genesis == RULES_6_2 || (switch_height != 0 && height >= switch_height);
    return newer ? &rules_6_2 : &rules_6_1;
}
