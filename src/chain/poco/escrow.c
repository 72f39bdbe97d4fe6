/* SPDX-License-Identifier: Apache-2.0 */
/* The escrow's primitives: what is locked lies in the hub's own balance. SPEC poco 3. */
#include "chain/poco/poco_int.h"

/* The top 20 bytes of keccak256("iExecKitty") minus 1. */
const struct address kitty_address = {{0x99, 0xc2, 0x26, 0x84, 0x79, 0xb9, 0x3f, 0xde, 0x36, 0x23,
                                       0x23, 0x51, 0x22, 0x98, 0x15, 0xdf, 0x80, 0x83, 0x7e, 0x23}};

static struct key account_key(struct address a)
{
    struct key k = key_of(STATE_BALANCE);
    key_u8(&k, CODE_HUB);
    key_address(&k, a);
    return k;
}

enum outcome stake_read(struct frame *f, struct address a, struct account *acc)
{
    struct key k = account_key(a);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *acc = (struct account){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    acc->stake = take_u256(&c);
    acc->locked = take_u256(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a balance in the state is damaged");
}

enum outcome stake_write(struct frame *f, struct address a, const struct account *acc)
{
    struct key k = account_key(a);
    uint8_t b[64];
    if (u256_is_zero(acc->stake) && u256_is_zero(acc->locked)) {
        return st_del(f, &k);
    }
    u256_to_be(b, acc->stake);
    u256_to_be(b + 32, acc->locked);
    return st_put(f, &k, (struct bytes){b, sizeof(b)});
}

static enum outcome emit_move(struct frame *f, struct address from, struct address to,
                              struct u256 v)
{
    struct hash topics[] = {word_address(from), word_address(to)}, word = word_u256(v);
    return log_words(f, EVENT_hub_Transfer, 2, topics, 1, &word);
}

/* The reference's internal _transfer: its own texts, and no allowance. */
static enum outcome move(struct frame *f, struct address from, struct address to, struct u256 v)
{
    struct account acc;
    REQUIRE_TEXT(f, !address_is_zero(from), REVERT_ESCROW_FROM_ZERO);
    REQUIRE_TEXT(f, !address_is_zero(to), REVERT_ESCROW_TO_ZERO);
    DO(stake_read(f, from, &acc));
    REQUIRE_TEXT(f, u256_sub(&acc.stake, acc.stake, v), REVERT_ESCROW_BALANCE);
    DO(stake_write(f, from, &acc));
    DO(stake_read(f, to, &acc));
    CHECKED(f, u256_add(&acc.stake, acc.stake, v));
    DO(stake_write(f, to, &acc));
    return emit_move(f, from, to, v);
}

/* move() to the hub and the entry under `locked` in one read and write of each record. */
enum outcome escrow_lock(struct frame *f, struct address a, struct u256 v)
{
    struct account acc, hub;
    REQUIRE_TEXT(f, !address_is_zero(a), REVERT_ESCROW_FROM_ZERO);
    DO(stake_read(f, a, &acc));
    REQUIRE_TEXT(f, u256_sub(&acc.stake, acc.stake, v), REVERT_ESCROW_BALANCE);
    CHECKED(f, u256_add(&acc.locked, acc.locked, v));
    DO(stake_write(f, a, &acc));
    DO(stake_read(f, f->self, &hub));
    CHECKED(f, u256_add(&hub.stake, hub.stake, v));
    DO(stake_write(f, f->self, &hub));
    DO(emit_move(f, a, f->self, v));
    struct hash words[] = {word_address(a), word_u256(v)};
    return log_words(f, EVENT_hub_Lock, 0, NULL, 2, words);
}

enum outcome escrow_unlock(struct frame *f, struct address a, struct u256 v)
{
    struct account acc, hub;
    REQUIRE_TEXT(f, !address_is_zero(a), REVERT_ESCROW_TO_ZERO);
    DO(stake_read(f, f->self, &hub));
    REQUIRE_TEXT(f, u256_sub(&hub.stake, hub.stake, v), REVERT_ESCROW_BALANCE);
    DO(stake_write(f, f->self, &hub));
    DO(stake_read(f, a, &acc));
    CHECKED(f, u256_add(&acc.stake, acc.stake, v));
    CHECKED(f, u256_sub(&acc.locked, acc.locked, v));
    DO(stake_write(f, a, &acc));
    DO(emit_move(f, f->self, a, v));
    struct hash words[] = {word_address(a), word_u256(v)};
    return log_words(f, EVENT_hub_Unlock, 0, NULL, 2, words);
}

enum outcome escrow_reward(struct frame *f, struct address a, struct u256 v, struct hash ref)
{
    DO(move(f, f->self, a, v));
    struct hash words[] = {word_address(a), word_u256(v), ref};
    return log_words(f, EVENT_hub_Reward, 0, NULL, 3, words);
}

enum outcome escrow_seize(struct frame *f, struct address a, struct u256 v, struct hash ref)
{
    struct account acc;
    DO(stake_read(f, a, &acc));
    CHECKED(f, u256_sub(&acc.locked, acc.locked, v));
    DO(stake_write(f, a, &acc));
    struct hash words[] = {word_address(a), word_u256(v), ref};
    return log_words(f, EVENT_hub_Seize, 0, NULL, 3, words);
}
