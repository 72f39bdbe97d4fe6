/* SPDX-License-Identifier: Apache-2.0 */
/* Functions whose facet has not landed yet: they refuse. */
#include "chain/poco/poco_int.h"

handler on_groupFactory_createGroup;
enum outcome on_groupFactory_createGroup(struct frame *f)
{
    return revert_empty(f);
}

handler on_groupFactory_predictGroup;
enum outcome on_groupFactory_predictGroup(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_addKey;
enum outcome on_group_addKey(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_addMember;
enum outcome on_group_addMember(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_countMember;
enum outcome on_group_countMember(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_isMember;
enum outcome on_group_isMember(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_keyHasPurpose;
enum outcome on_group_keyHasPurpose(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_owner;
enum outcome on_group_owner(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_removeKey;
enum outcome on_group_removeKey(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_removeMember;
enum outcome on_group_removeMember(struct frame *f)
{
    return revert_empty(f);
}

handler on_group_transferOwnership;
enum outcome on_group_transferOwnership(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_claimBoost;
enum outcome on_hub_claimBoost(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_diamondCut;
enum outcome on_hub_diamondCut(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_facetAddress;
enum outcome on_hub_facetAddress(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_facetAddresses;
enum outcome on_hub_facetAddresses(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_facetFunctionSelectors;
enum outcome on_hub_facetFunctionSelectors(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_facets;
enum outcome on_hub_facets(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_matchOrdersBoost;
enum outcome on_hub_matchOrdersBoost(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_pushResultBoost;
enum outcome on_hub_pushResultBoost(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_renounceOwnership;
enum outcome on_hub_renounceOwnership(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_sponsorMatchOrdersBoost;
enum outcome on_hub_sponsorMatchOrdersBoost(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_supportsInterface;
enum outcome on_hub_supportsInterface(struct frame *f)
{
    return revert_empty(f);
}

handler on_hub_viewDealBoost;
enum outcome on_hub_viewDealBoost(struct frame *f)
{
    return revert_empty(f);
}

handler on_inboxFactory_createInbox;
enum outcome on_inboxFactory_createInbox(struct frame *f)
{
    return revert_empty(f);
}

handler on_inboxFactory_predictInbox;
enum outcome on_inboxFactory_predictInbox(struct frame *f)
{
    return revert_empty(f);
}

handler on_inbox_countResult;
enum outcome on_inbox_countResult(struct frame *f)
{
    return revert_empty(f);
}

handler on_inbox_hasResult;
enum outcome on_inbox_hasResult(struct frame *f)
{
    return revert_empty(f);
}

handler on_inbox_owner;
enum outcome on_inbox_owner(struct frame *f)
{
    return revert_empty(f);
}

handler on_inbox_receiveResult;
enum outcome on_inbox_receiveResult(struct frame *f)
{
    return revert_empty(f);
}

handler on_inbox_resultOf;
enum outcome on_inbox_resultOf(struct frame *f)
{
    return revert_empty(f);
}

handler on_inbox_sender;
enum outcome on_inbox_sender(struct frame *f)
{
    return revert_empty(f);
}

handler on_walletFactory_createWallet;
enum outcome on_walletFactory_createWallet(struct frame *f)
{
    return revert_empty(f);
}

handler on_walletFactory_predictWallet;
enum outcome on_walletFactory_predictWallet(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_countSigner;
enum outcome on_wallet_countSigner(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_domainSeparator;
enum outcome on_wallet_domainSeparator(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_execute;
enum outcome on_wallet_execute(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_isSigner;
enum outcome on_wallet_isSigner(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_isValidSignature;
enum outcome on_wallet_isValidSignature(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_nonce;
enum outcome on_wallet_nonce(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_onERC721Received;
enum outcome on_wallet_onERC721Received(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_setSigners;
enum outcome on_wallet_setSigners(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_signer;
enum outcome on_wallet_signer(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_threshold;
enum outcome on_wallet_threshold(struct frame *f)
{
    return revert_empty(f);
}

handler on_wallet_transactionHash;
enum outcome on_wallet_transactionHash(struct frame *f)
{
    return revert_empty(f);
}

rc poco_slot_get(struct state *s, struct address of, struct hash slot, struct hash *value)
{
    (void)s;
    (void)of;
    (void)slot;
    (void)value;
    return RC(NOT_FOUND);
}

rc poco_slot_set(struct state *s, struct address of, struct hash slot, struct hash value)
{
    (void)s;
    (void)of;
    (void)slot;
    (void)value;
    return RC(NOT_FOUND);
}
