/* SPDX-License-Identifier: Apache-2.0 */
/* The mappings among the storage slots that a development node lets set: token balances, stakes,
 * locked stakes and scores. Such a slot is a hash, which does not tell whose it is; so the value
 * waits under its slot until somebody's record is looked at that the slot belongs to, and becomes a
 * part of that record then. SPEC reference-chain 5, sdk-surface 11. */
#include "chain/poco/poco_int.h"
#include "crypto/keccak.h"

/* Where the balances of RLC lie: in the proxy of the live chain (ERC-7201 of OpenZeppelin's ERC20),
 * and in the token that local chains deploy. */
static const struct hash token_live = {{0x52, 0xc6, 0x32, 0x47, 0xe1, 0xf4, 0x7d, 0xb1,
                                        0x9d, 0x5c, 0xe0, 0x46, 0x00, 0x30, 0xc4, 0x97,
                                        0xf0, 0x67, 0xca, 0x4c, 0xeb, 0xf7, 0x1b, 0xa9,
                                        0x8e, 0xea, 0xda, 0xbe, 0x20, 0xba, 0xce, 0x00}};

enum { TOKEN_BALANCES = 9, HUB_BALANCES = 8, HUB_FROZEN = 9, HUB_SCORES = 18 };

struct key slot_waiting_key(struct address contract, struct hash slot)
{
    struct key k = key_of(STATE_DEV_SLOT);
    key_address(&k, contract);
    key_hash(&k, slot);
    return k;
}

/* Takes the value that waits for the member of a mapping, if one does. */
static enum outcome take_waiting(struct frame *f, struct address contract, struct hash base,
                                 struct address of, struct u256 *v, bool *found)
{
    struct state *s = f->run->env->state;
    struct hash member = word_address(of);
    struct key k = slot_waiting_key(contract, keccak256_2(BYTES_OF(member.b), BYTES_OF(base.b)));
    struct bytes b;
    rc r = state_get(s, (struct bytes){k.b, k.n}, &b);
    if (r.code == RC_CODE_NOT_FOUND) {
        return OUT_APPLIED;
    }
    if (!rc_ok(r) || !u256_from_bytes(v, b)) {
        return call_fault(f, "a storage slot in the state cannot be read");
    }
    state_del(s, (struct bytes){k.b, k.n});
    *found = true;
    return OUT_APPLIED;
}

static struct hash slot_number(uint64_t n)
{
    return word_u256(u256_from(n));
}

/* One number under its own key: balances of the token, scores. */
static void keep_number(struct state *s, const struct key *k, struct u256 v)
{
    struct hash w = word_u256(v);
    if (u256_is_zero(v)) {
        state_del(s, (struct bytes){k->b, k->n});
    } else {
        state_put(s, (struct bytes){k->b, k->n}, BYTES_OF(w.b));
    }
}

static enum outcome settle_token(struct frame *f, const struct key *k, struct address of)
{
    struct u256 v;
    bool found = false;
    DO(take_waiting(f, f->run->chain.token, slot_number(TOKEN_BALANCES), of, &v, &found));
    DO(take_waiting(f, f->run->chain.token, token_live, of, &v, &found));
    if (found) {
        keep_number(f->run->env->state, k, v);
    }
    return OUT_APPLIED;
}

static enum outcome settle_score(struct frame *f, const struct key *k, struct address of)
{
    struct u256 v;
    bool found = false;
    DO(take_waiting(f, f->run->chain.hub, slot_hub(HUB_SCORES), of, &v, &found));
    if (found) {
        keep_number(f->run->env->state, k, v);
    }
    return OUT_APPLIED;
}

/* Stake and locked stake are two slots there and one record here: what does not wait stays. */
static enum outcome settle_stake(struct frame *f, const struct key *k, struct address of)
{
    struct state *s = f->run->env->state;
    struct u256 stake, locked;
    bool has_stake = false, has_locked = false;
    uint8_t record[64] = {0};
    struct bytes b;
    DO(take_waiting(f, f->run->chain.hub, slot_hub(HUB_BALANCES), of, &stake, &has_stake));
    DO(take_waiting(f, f->run->chain.hub, slot_hub(HUB_FROZEN), of, &locked, &has_locked));
    if (!has_stake && !has_locked) {
        return OUT_APPLIED;
    }
    rc r = state_get(s, (struct bytes){k->b, k->n}, &b);
    if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
        return call_fault(f, "the state cannot be read");
    }
    if (rc_ok(r) && b.n == sizeof(record)) {
        memcpy(record, b.p, sizeof(record));
    }
    if (has_stake) {
        u256_to_be(record, stake);
    }
    if (has_locked) {
        u256_to_be(record + 32, locked);
    }
    static const uint8_t none[sizeof(record)];
    if (memcmp(record, none, sizeof(record)) == 0) {
        state_del(s, (struct bytes){k->b, k->n});
    } else {
        state_put(s, (struct bytes){k->b, k->n}, BYTES_OF(record));
    }
    return OUT_APPLIED;
}

enum outcome slot_settle(struct frame *f, const struct key *k)
{
    struct address of;
    if (k->n < sizeof(of.b) + 1) {
        return OUT_APPLIED;
    }
    memcpy(of.b, k->b + k->n - sizeof(of.b), sizeof(of.b));
    if (k->b[0] == STATE_SCORE) {
        return settle_score(f, k, of);
    }
    if (k->b[0] != STATE_BALANCE) {
        return OUT_APPLIED;
    }
    return k->b[1] == CODE_TOKEN ? settle_token(f, k, of) : settle_stake(f, k, of);
}
