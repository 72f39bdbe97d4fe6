/* SPDX-License-Identifier: Apache-2.0 */
/* Votes by weight, and who is paid what. SPEC poco 7.1, 7.2. */
#include "chain/poco/poco_int.h"

static struct key votes_key(struct hash id, struct hash result_hash)
{
    struct key k = key_with_hash(STATE_VOTES, id);
    key_hash(&k, result_hash);
    return k;
}

/* max(score / 3, 3) - 1 */
static enum outcome weight_of(struct frame *f, struct address worker, struct u256 *weight)
{
    struct key k = key_with_address(STATE_SCORE, worker);
    struct u256 three = u256_from(3);
    DO(get_u256(f, &k, weight));
    if (!u256_div(weight, NULL, *weight, three)) {
        return call_fault(f, "division");
    }
    if (u256_lt(*weight, three)) {
        *weight = three;
    }
    CHECKED(f, u256_sub(weight, *weight, u256_from(1)));
    return OUT_APPLIED;
}

/* The group's weight becomes the product of its members' weights. */
enum outcome consensus_add(struct frame *f, struct hash id, struct task *t, const struct deal *d,
                           struct hash result_hash, struct contribution *c)
{
    struct key k = votes_key(id, result_hash);
    struct u256 weight, group, one = u256_from(1), delta;
    (void)d;
    DO(weight_of(f, f->from, &weight));
    DO(get_u256(f, &k, &group));
    CHECKED(f, u256_mul(&delta, u256_is_zero(group) ? one : group, weight));
    CHECKED(f, u256_sub(&delta, delta, group));
    c->weight = u256_from(u256_bits(weight) - 1); /* floor(log2) */
    CHECKED(f, u256_add(&group, group, delta));
    CHECKED(f, u256_add(&t->total, t->total, delta));
    return put_u256(f, &k, group);
}

/* group * trust > total * (trust - 1); then the winners are counted. */
enum outcome consensus_check(struct frame *f, struct hash id, struct task *t, const struct deal *d,
                             struct hash result_hash, bool *reached)
{
    struct key k = votes_key(id, result_hash);
    struct u256 group, for_, against;
    uint64_t winners = 0;
    DO(get_u256(f, &k, &group));
    CHECKED(f, u256_mul(&for_, group, d->trust));
    CHECKED(f, u256_sub(&against, d->trust, u256_from(1)));
    CHECKED(f, u256_mul(&against, t->total, against));
    *reached = u256_lt(against, for_);
    for (uint32_t i = 0; *reached && i < t->contributors; i++) {
        struct address worker;
        struct contribution c;
        DO(contributor_get(f, id, i, &worker));
        DO(contribution_get(f, id, worker, &c));
        winners += hash_eq(c.hash, result_hash) && c.status == CONTRIB_CONTRIBUTED ? 1 : 0;
    }
    if (*reached) {
        t->winner_counter = u256_from(winners);
    }
    return OUT_APPLIED;
}

enum { KITTY_RATIO = 10, KITTY_MIN = 1000000000 };

enum outcome kitty_share(struct frame *f, struct u256 *share)
{
    struct account kitty;
    DO(stake_read(f, kitty_address, &kitty));
    CHECKED(f, u256_mul(share, kitty.locked, u256_from(KITTY_RATIO)));
    if (!u256_div(share, NULL, *share, u256_from(100))) {
        return call_fault(f, "division");
    }
    if (u256_lt(*share, u256_from(KITTY_MIN))) {
        *share = u256_from(KITTY_MIN);
    }
    if (u256_lt(kitty.locked, *share)) {
        *share = kitty.locked;
    }
    return OUT_APPLIED;
}

enum outcome success_work(struct frame *f, struct hash id, const struct deal *d)
{
    struct u256 price, stake, share;
    DO(deal_price(f, d, &price));
    DO(pool_stake(f, d->workerpool.price, &stake));
    DO(escrow_seize(f, d->sponsor, price, id));
    if (!u256_is_zero(d->app.price)) {
        DO(escrow_reward(f, d->app.owner, d->app.price, id));
    }
    if (!u256_is_zero(d->dataset.price) && !address_is_zero(d->dataset.pointer)) {
        DO(escrow_reward(f, d->dataset.owner, d->dataset.price, id));
    }
    DO(escrow_unlock(f, d->workerpool.owner, stake));
    DO(kitty_share(f, &share));
    if (!u256_is_zero(share)) {
        DO(escrow_seize(f, kitty_address, share, id));
        DO(escrow_reward(f, d->workerpool.owner, share, id));
    }
    return OUT_APPLIED;
}

enum outcome failed_work(struct frame *f, struct hash id, const struct deal *d)
{
    struct u256 price, stake;
    struct account kitty;
    DO(deal_price(f, d, &price));
    DO(pool_stake(f, d->workerpool.price, &stake));
    DO(escrow_unlock(f, d->sponsor, BROKEN(2) ? u256_from(0) : price));
    DO(escrow_seize(f, d->workerpool.owner, stake, id));
    /* The stake stays in the hub's balance; it is only booked to the kitty. */
    DO(stake_read(f, kitty_address, &kitty));
    CHECKED(f, u256_add(&kitty.locked, kitty.locked, stake));
    DO(stake_write(f, kitty_address, &kitty));
    struct hash words[] = {word_address(kitty_address), word_u256(stake), id};
    DO(log_words(f, EVENT_hub_Reward, 0, NULL, 3, words));
    return log_words(f, EVENT_hub_Lock, 0, NULL, 2, words);
}

/* price * (100 - scheduler's ratio) / 100 */
static enum outcome workers_part(struct frame *f, struct u256 total, const struct deal *d,
                                 struct u256 *part)
{
    CHECKED(f, u256_sub(part, u256_from(100), d->scheduler_ratio));
    CHECKED(f, u256_mul(part, total, *part));
    return u256_div(part, NULL, *part, u256_from(100)) ? OUT_APPLIED : call_fault(f, "division");
}

static enum outcome emit_verdict(struct frame *f, enum event e, struct address worker,
                                 struct hash id)
{
    struct hash topics[] = {word_address(worker), id};
    return log_words(f, e, 2, topics, 0, NULL);
}

static enum outcome pay_worker(struct frame *f, struct hash id, const struct task *t,
                               const struct deal *d, struct address worker, struct u256 part)
{
    struct key k = key_with_address(STATE_SCORE, worker);
    struct u256 score;
    DO(escrow_unlock(f, worker, d->worker_stake));
    DO(escrow_reward(f, worker, part, id));
    if (t->contributors <= 1) {
        return OUT_APPLIED; /* a single worker proves nothing about itself */
    }
    DO(get_u256(f, &k, &score));
    CHECKED(f, u256_add(&score, score, u256_from(1)));
    DO(put_u256(f, &k, score));
    return emit_verdict(f, EVENT_hub_AccurateContribution, worker, id);
}

static enum outcome punish_worker(struct frame *f, struct hash id, const struct deal *d,
                                  struct address worker)
{
    struct key k = key_with_address(STATE_SCORE, worker);
    struct u256 score;
    DO(escrow_seize(f, worker, d->worker_stake, id));
    DO(get_u256(f, &k, &score));
    CHECKED(f, u256_mul(&score, score, u256_from(2)));
    if (!u256_div(&score, NULL, score, u256_from(3))) {
        return call_fault(f, "division");
    }
    DO(put_u256(f, &k, score));
    return emit_verdict(f, EVENT_hub_FaultyContribution, worker, id);
}

/* Sum of the weights of those who revealed, and of all that is to be shared. */
static enum outcome shares(struct frame *f, struct hash id, const struct task *t,
                           const struct deal *d, struct u256 *weights, struct u256 *total)
{
    *weights = (struct u256){0};
    *total = d->workerpool.price;
    for (uint32_t i = 0; i < t->contributors; i++) {
        struct address worker;
        struct contribution c;
        DO(contributor_get(f, id, i, &worker));
        DO(contribution_get(f, id, worker, &c));
        if (c.status == CONTRIB_PROVED) {
            CHECKED(f, u256_add(weights, *weights, c.weight));
        } else {
            CHECKED(f, u256_add(total, *total, d->worker_stake));
        }
    }
    return OUT_APPLIED;
}

enum outcome distribute_rewards(struct frame *f, struct hash id, const struct task *t,
                                const struct deal *d)
{
    struct u256 weights, total, pot;
    DO(shares(f, id, t, d, &weights, &total));
    DO(workers_part(f, total, d, &pot));
    for (uint32_t i = 0; i < t->contributors; i++) {
        struct address worker;
        struct contribution c;
        struct u256 part;
        DO(contributor_get(f, id, i, &worker));
        DO(contribution_get(f, id, worker, &c));
        if (c.status != CONTRIB_PROVED) {
            DO(punish_worker(f, id, d, worker));
            continue;
        }
        CHECKED(f, u256_mul(&part, pot, c.weight));
        if (!u256_div(&part, NULL, part, weights)) {
            return revert_panic(f, PANIC_DIVISION);
        }
        CHECKED(f, u256_sub(&total, total, BROKEN(1) ? u256_from(0) : part));
        DO(pay_worker(f, id, t, d, worker, part));
    }
    return escrow_reward(f, d->workerpool.owner, total, id); /* the rest, rounding included */
}

enum outcome distribute_rewards_fast(struct frame *f, struct hash id, const struct deal *d)
{
    struct u256 part, rest;
    DO(workers_part(f, d->workerpool.price, d, &part));
    CHECKED(f, u256_sub(&rest, d->workerpool.price, part));
    DO(escrow_reward(f, f->from, part, id));
    return escrow_reward(f, d->workerpool.owner, rest, id);
}
