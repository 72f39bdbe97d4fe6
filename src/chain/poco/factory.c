/* SPDX-License-Identifier: Apache-2.0 */
/* The factories of the accounts with code that are no part of the market: anyone makes one, at an
 * address that depends on what it is made of. docs/protocol.md describes them. */
#include "chain/poco/accounts_int.h"
#include "crypto/keccak.h"

/* Arguments, salt last, name the account: the same ones cannot make two. */
static struct address account_address(const struct frame *f)
{
    struct hash salt = keccak256((struct bytes){f->data.p + 4, f->data.n - 4});
    return entry_address(f->self, salt, keccak256(BYTES_LIT("\xfesouk:account")));
}

static enum outcome make(struct frame *f, enum code_kind kind, struct bytes record,
                         struct address *a)
{
    bool taken;
    *a = account_address(f);
    DO(code_is_at(f, *a, &taken));
    REQUIRE_TEXT(f, !taken, REVERT_CREATE2_FAILED);
    return code_write(f, *a, kind, record);
}

#define HANDLER(name)                                                                              \
    enum outcome on_##name(struct frame *f);                                                       \
    enum outcome on_##name(struct frame *f)

/* owner, salt: groups and inboxes. The call data must be exactly these words, for the address. */
static enum outcome take_owner(struct frame *f, struct address *owner)
{
    *owner = abi_take_address(&f->in);
    (void)abi_take_hash(&f->in);
    ARGS_END(f);
    REQUIRE(f, f->data.n == 4 + 64);
    REQUIRE_TEXT(f, !address_is_zero(*owner), REVERT_GROUP_ZERO);
    return OUT_APPLIED;
}

static enum outcome create_owned(struct frame *f, enum code_kind kind, struct bytes record,
                                 enum event e, struct address owner)
{
    struct address a;
    DO(make(f, kind, record, &a));
    struct hash topics[] = {word_address(a), word_address(owner)};
    DO(log_words(f, e, 2, topics, 0, NULL));
    return ret_address(f, a);
}

HANDLER(groupFactory_createGroup)
{
    struct address owner;
    uint8_t b[28] = {0}; /* owner ‖ members u64 */
    DO(take_owner(f, &owner));
    memcpy(b, owner.b, sizeof(owner.b));
    return create_owned(f, CODE_GROUP, (struct bytes){b, sizeof(b)},
                        EVENT_groupFactory_GroupCreated, owner);
}

HANDLER(groupFactory_predictGroup)
{
    struct address owner;
    DO(take_owner(f, &owner));
    return ret_address(f, account_address(f));
}

HANDLER(inboxFactory_createInbox)
{
    struct address owner;
    uint8_t b[28] = {0}; /* owner ‖ results u64 */
    DO(take_owner(f, &owner));
    memcpy(b, owner.b, sizeof(owner.b));
    return create_owned(f, CODE_INBOX, (struct bytes){b, sizeof(b)},
                        EVENT_inboxFactory_InboxCreated, owner);
}

HANDLER(inboxFactory_predictInbox)
{
    struct address owner;
    DO(take_owner(f, &owner));
    return ret_address(f, account_address(f));
}

static enum outcome take_wallet(struct frame *f, struct signers *s)
{
    struct abi_in list = abi_take_array(&f->in, &s->n, 1);
    struct u256 threshold = abi_take_u256(&f->in);
    (void)abi_take_hash(&f->in);
    abi_join(&f->in, &list);
    ARGS_END(f);
    return signers_take(f, &list, threshold, s);
}

HANDLER(walletFactory_createWallet)
{
    struct signers s;
    struct address a;
    struct bytes data;
    DO(take_wallet(f, &s));
    DO(make(f, CODE_WALLET, (struct bytes){0}, &a));
    DO(signers_write(f, a, &s, (struct wallet){0}));
    struct abi_out o = out_begin(f, 2);
    abi_put_u64(&o, s.threshold);
    struct abi_out list = abi_put_array(&o, s.n, 1);
    for (size_t i = 0; i < s.n; i++) {
        abi_put_address(&list, s.list[i]);
    }
    DO(out_keep(f, &data));
    struct hash topic = word_address(a);
    DO(log_emit(f, EVENT_walletFactory_WalletCreated, 1, &topic, data));
    return ret_address(f, a);
}

HANDLER(walletFactory_predictWallet)
{
    struct signers s;
    DO(take_wallet(f, &s));
    return ret_address(f, account_address(f));
}
