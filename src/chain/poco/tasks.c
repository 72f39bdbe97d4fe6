/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a task. Nothing in this facet says why it refuses: empty reverts. SPEC poco 7. */
#include "chain/poco/poco_int.h"
#include "crypto/keccak.h"

enum { CONTRIBUTION_RATIO = 7, REVEAL_RATIO = 2, FINAL_RATIO = 10 };

static struct u256 now(const struct frame *f)
{
    return u256_from(f->run->env->time);
}

static bool is_before(const struct frame *f, struct u256 deadline)
{
    return BROKEN(3) ? !u256_lt(deadline, now(f)) : u256_lt(now(f), deadline);
}

static enum outcome deadline(struct frame *f, struct u256 from, struct u256 timeref, uint64_t ratio,
                             struct u256 *out)
{
    CHECKED(f, u256_mul(out, timeref, u256_from(ratio)));
    CHECKED(f, u256_add(out, from, *out));
    return OUT_APPLIED;
}

static enum outcome initialize(struct frame *f, struct hash deal_id, struct u256 idx,
                               struct hash *id)
{
    struct deal d;
    struct task t;
    struct category c;
    struct u256 end;
    DO(deal_read(f, deal_id, &d));
    CHECKED(f, u256_add(&end, d.bot_first, d.bot_size));
    REQUIRE(f, !u256_lt(idx, d.bot_first) && u256_lt(idx, end));
    *id = order_task_id(deal_id, idx);
    DO(task_read(f, *id, &t));
    REQUIRE(f, t.status == TASK_UNSET);
    DO(category_get(f, d.category, &c));
    t = (struct task){.status = TASK_ACTIVE,
                      .deal_id = deal_id,
                      .idx = idx,
                      .timeref = c.timeref,
                      .total = u256_from(1)};
    DO(deadline(f, d.start, c.timeref, CONTRIBUTION_RATIO, &t.contribution_deadline));
    DO(deadline(f, d.start, c.timeref, FINAL_RATIO, &t.final_deadline));
    DO(task_write(f, *id, &t));
    struct hash topics[] = {*id, word_address(d.workerpool.pointer)};
    return log_words(f, EVENT_hub_TaskInitialize, 2, topics, 0, NULL);
}

/* Both signatures of a contribution: the pool's (or the broker's) authorisation of this worker, and
 * the enclave's over the result, where the deal asks for one. */
struct signed_work {
    struct address challenge;
    struct bytes enclave_sign, authorization;
    struct hash hash, seal;
};

static enum outcome check_signatures(struct frame *f, struct hash id, const struct deal *d,
                                     const struct signed_work *w)
{
    const struct settings *s;
    bool valid, enclave = !address_is_zero(w->challenge);
    DO(settings_get(f, &s));
    REQUIRE(f, enclave || !tag_bit(d->tag, 0));
    struct address signer =
        enclave && !address_is_zero(s->teebroker) ? s->teebroker : d->workerpool.owner;
    struct hash digest = task_authorization_digest(f->from, id, w->challenge);
    DO(verify_signature(f, signer, digest, w->authorization, &valid));
    REQUIRE(f, valid);
    if (enclave) {
        digest = task_enclave_digest(w->hash, w->seal);
        DO(verify_signature(f, w->challenge, digest, w->enclave_sign, &valid));
        REQUIRE(f, valid);
    }
    return OUT_APPLIED;
}

static enum outcome emit_task(struct frame *f, enum event e, struct hash id, struct hash word)
{
    return log_words(f, e, 1, &id, 1, &word);
}

static enum outcome emit_worker(struct frame *f, enum event e, struct hash id, struct hash word)
{
    struct hash topics[] = {id, word_address(f->from)};
    return log_words(f, e, 2, topics, 1, &word);
}

static enum outcome emit_finalize(struct frame *f, struct hash id, struct bytes results)
{
    struct bytes data;
    struct abi_out o = out_begin(f, 1);
    abi_put_bytes(&o, results);
    DO(out_keep(f, &data));
    return log_emit(f, EVENT_hub_TaskFinalize, 1, &id, data);
}

/* SPEC poco 7: without a callback there may be no data for it; with data, the digest binds it. */
static bool callback_fits(const struct deal *d, struct bytes data, struct hash digest)
{
    return (address_is_zero(d->callback) && data.n == 0) || hash_eq(keccak256(data), digest);
}

enum outcome call_back(struct frame *f, struct hash id, struct address callback,
                       struct bytes results_callback, bool *enough_gas)
{
    const struct settings *s;
    struct bytes data, out;
    uint64_t gas;
    bool ok;
    *enough_gas = true;
    if (address_is_zero(callback)) {
        return OUT_APPLIED;
    }
    DO(settings_get(f, &s));
    if (!u256_to_u64(s->callbackgas, &gas)) {
        gas = UINT64_MAX;
    }
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_method(METHOD_inbox_receiveResult)->selector, 4);
    struct abi_out o = abi_begin(b, 2);
    abi_put_hash(&o, id);
    abi_put_bytes(&o, results_callback);
    DO(out_keep(f, &data));
    struct inner c = {.to = callback, .from = f->self, .data = data, .gas = gas};
    DO(call_inner(f, &c, &ok, &out)); /* what it answers does not matter */
    *enough_gas = f->run->gas > gas / 63;
    return OUT_APPLIED;
}

static enum outcome finish_callback(struct frame *f, struct hash id, const struct deal *d,
                                    struct bytes data)
{
    bool enough;
    DO(call_back(f, id, d->callback, data, &enough));
    return enough ? ret_nothing(f) : revert_panic(f, PANIC_ASSERT);
}

static enum outcome claim(struct frame *f, struct hash id)
{
    struct task t;
    struct deal d;
    struct address worker;
    DO(task_read(f, id, &t));
    REQUIRE(f, t.status == TASK_ACTIVE || t.status == TASK_REVEALING);
    REQUIRE(f, !is_before(f, t.final_deadline));
    DO(deal_read(f, t.deal_id, &d));
    t.status = TASK_FAILED;
    DO(task_write(f, id, &t));
    DO(failed_work(f, id, &d));
    for (uint32_t i = 0; i < t.contributors; i++) {
        DO(contributor_get(f, id, i, &worker));
        DO(escrow_unlock(f, worker, d.worker_stake));
    }
    return log_words(f, EVENT_hub_TaskClaimed, 1, &id, 0, NULL);
}

enum outcome on_hub_initialize(struct frame *f);
enum outcome on_hub_contribute(struct frame *f);
enum outcome on_hub_reveal(struct frame *f);
enum outcome on_hub_reopen(struct frame *f);
enum outcome on_hub_finalize(struct frame *f);
enum outcome on_hub_contributeAndFinalize(struct frame *f);
enum outcome on_hub_claim(struct frame *f);
enum outcome on_hub_initializeArray(struct frame *f);
enum outcome on_hub_claimArray(struct frame *f);
enum outcome on_hub_initializeAndClaimArray(struct frame *f);

enum outcome on_hub_initialize(struct frame *f)
{
    struct hash deal_id = abi_take_hash(&f->in), id;
    struct u256 idx = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(initialize(f, deal_id, idx, &id));
    return ret_word(f, id);
}

enum outcome on_hub_contribute(struct frame *f)
{
    struct signed_work w;
    struct task t;
    struct deal d;
    struct contribution c;
    bool reached;
    struct hash id = abi_take_hash(&f->in);
    w.hash = abi_take_hash(&f->in);
    w.seal = abi_take_hash(&f->in);
    w.challenge = abi_take_address(&f->in);
    w.enclave_sign = abi_take_bytes(&f->in);
    w.authorization = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    REQUIRE(f, t.status == TASK_ACTIVE);
    REQUIRE(f, is_before(f, t.contribution_deadline));
    DO(contribution_get(f, id, f->from, &c));
    REQUIRE(f, c.status == CONTRIB_UNSET);
    DO(deal_read(f, t.deal_id, &d));
    DO(check_signatures(f, id, &d, &w));
    c = (struct contribution){
        .status = CONTRIB_CONTRIBUTED, .hash = w.hash, .seal = w.seal, .challenge = w.challenge};
    DO(contributor_put(f, id, t.contributors, f->from));
    t.contributors++;
    DO(escrow_lock(f, f->from, d.worker_stake));
    DO(emit_worker(f, EVENT_hub_TaskContribute, id, w.hash));
    DO(consensus_add(f, id, &t, &d, w.hash, &c));
    DO(contribution_put(f, id, f->from, &c));
    DO(consensus_check(f, id, &t, &d, w.hash, &reached));
    if (reached) {
        t.status = TASK_REVEALING;
        t.consensus_value = w.hash;
        t.reveal_counter = (struct u256){0};
        DO(deadline(f, now(f), t.timeref, REVEAL_RATIO, &t.reveal_deadline));
        DO(emit_task(f, EVENT_hub_TaskConsensus, id, w.hash));
    }
    return task_write(f, id, &t);
}

enum outcome on_hub_reveal(struct frame *f)
{
    struct task t;
    struct contribution c;
    struct hash id = abi_take_hash(&f->in), digest = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    REQUIRE(f, t.status == TASK_REVEALING);
    REQUIRE(f, is_before(f, t.reveal_deadline));
    DO(contribution_get(f, id, f->from, &c));
    REQUIRE(f, c.status == CONTRIB_CONTRIBUTED);
    REQUIRE(f, hash_eq(c.hash, t.consensus_value));
    REQUIRE(f, hash_eq(c.hash, task_result_hash(id, digest)));
    REQUIRE(f, hash_eq(c.seal, task_result_seal(f->from, id, digest)));
    c.status = CONTRIB_PROVED;
    DO(contribution_put(f, id, f->from, &c));
    CHECKED(f, u256_add(&t.reveal_counter, t.reveal_counter, u256_from(1)));
    t.digest = digest;
    DO(task_write(f, id, &t));
    return emit_worker(f, EVENT_hub_TaskReveal, id, digest);
}

enum outcome on_hub_reopen(struct frame *f)
{
    struct task t;
    struct deal d;
    struct contribution c;
    struct address worker;
    struct u256 group;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    DO(deal_read(f, t.deal_id, &d));
    REQUIRE(f, address_eq(f->from, d.workerpool.owner));
    REQUIRE(f, t.status == TASK_REVEALING);
    REQUIRE(f, is_before(f, t.final_deadline));
    REQUIRE(f, !is_before(f, t.reveal_deadline) && u256_is_zero(t.reveal_counter));
    for (uint32_t i = 0; i < t.contributors; i++) {
        DO(contributor_get(f, id, i, &worker));
        DO(contribution_get(f, id, worker, &c));
        if (hash_eq(c.hash, t.consensus_value)) {
            c.status = CONTRIB_REJECTED;
            DO(contribution_put(f, id, worker, &c));
        }
    }
    struct key votes = key_with_hash(STATE_VOTES, id);
    key_hash(&votes, t.consensus_value);
    DO(get_u256(f, &votes, &group));
    CHECKED(f, u256_sub(&t.total, t.total, group));
    DO(put_u256(f, &votes, (struct u256){0}));
    t.status = TASK_ACTIVE;
    t.consensus_value = (struct hash){0};
    t.reveal_deadline = t.winner_counter = (struct u256){0};
    DO(task_write(f, id, &t));
    return log_words(f, EVENT_hub_TaskReopen, 1, &id, 0, NULL);
}

enum outcome on_hub_finalize(struct frame *f)
{
    struct task t;
    struct deal d;
    struct hash id = abi_take_hash(&f->in);
    struct bytes results = abi_take_bytes(&f->in);
    struct bytes callback = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    DO(deal_read(f, t.deal_id, &d));
    REQUIRE(f, address_eq(f->from, d.workerpool.owner));
    REQUIRE(f, t.status == TASK_REVEALING);
    REQUIRE(f, is_before(f, t.final_deadline));
    REQUIRE(f, u256_eq(t.reveal_counter, t.winner_counter) ||
                   (!u256_is_zero(t.reveal_counter) && !is_before(f, t.reveal_deadline)));
    REQUIRE(f, callback_fits(&d, callback, t.digest));
    t.status = TASK_COMPLETED;
    DO(task_write(f, id, &t));
    DO(results_put(f, id, results, callback));
    DO(success_work(f, id, &d));
    DO(distribute_rewards(f, id, &t, &d));
    DO(emit_finalize(f, id, results));
    return finish_callback(f, id, &d, callback);
}

enum outcome on_hub_contributeAndFinalize(struct frame *f)
{
    struct signed_work w;
    struct task t;
    struct deal d;
    struct hash id = abi_take_hash(&f->in), digest = abi_take_hash(&f->in);
    struct bytes results = abi_take_bytes(&f->in);
    struct bytes callback = abi_take_bytes(&f->in);
    w.challenge = abi_take_address(&f->in);
    w.enclave_sign = abi_take_bytes(&f->in);
    w.authorization = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    DO(deal_read(f, t.deal_id, &d));
    REQUIRE(f, t.status == TASK_ACTIVE);
    REQUIRE(f, is_before(f, t.contribution_deadline));
    REQUIRE(f, t.contributors == 0);
    REQUIRE(f, u256_eq(d.trust, u256_from(1)));
    REQUIRE(f, callback_fits(&d, callback, digest));
    w.hash = task_result_hash(id, digest);
    w.seal = task_result_seal(f->from, id, digest);
    DO(check_signatures(f, id, &d, &w));
    struct contribution c = {
        .status = CONTRIB_PROVED, .hash = w.hash, .seal = w.seal, .challenge = w.challenge};
    DO(contribution_put(f, id, f->from, &c));
    DO(contributor_put(f, id, 0, f->from));
    t.status = TASK_COMPLETED;
    t.consensus_value = w.hash;
    t.reveal_counter = t.winner_counter = u256_from(1);
    t.contributors = 1;
    t.digest = digest;
    DO(deadline(f, now(f), t.timeref, REVEAL_RATIO, &t.reveal_deadline));
    DO(task_write(f, id, &t));
    DO(results_put(f, id, results, callback));
    DO(success_work(f, id, &d));
    DO(distribute_rewards_fast(f, id, &d));
    DO(emit_worker(f, EVENT_hub_TaskContribute, id, w.hash));
    DO(emit_task(f, EVENT_hub_TaskConsensus, id, w.hash));
    DO(emit_worker(f, EVENT_hub_TaskReveal, id, digest));
    DO(emit_finalize(f, id, results));
    return finish_callback(f, id, &d, callback);
}

enum outcome on_hub_claim(struct frame *f)
{
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    return claim(f, id);
}

enum outcome on_hub_claimArray(struct frame *f)
{
    size_t n;
    struct abi_in ids = abi_take_array(&f->in, &n, 1);
    abi_join(&f->in, &ids);
    ARGS_END(f);
    for (size_t i = 0; i < n; i++) {
        DO(claim(f, abi_take_hash(&ids)));
    }
    return ret_bool(f, true);
}

static enum outcome initialize_all(struct frame *f, bool then_claim)
{
    size_t n, m;
    struct hash id;
    struct abi_in deals = abi_take_array(&f->in, &n, 1);
    struct abi_in indexes = abi_take_array(&f->in, &m, 1);
    abi_join(&f->in, &deals);
    abi_join(&f->in, &indexes);
    ARGS_END(f);
    REQUIRE(f, n == m);
    for (size_t i = 0; i < n; i++) {
        struct hash deal_id = abi_take_hash(&deals);
        DO(initialize(f, deal_id, abi_take_u256(&indexes), &id));
        if (then_claim) {
            DO(claim(f, id));
        }
    }
    return ret_bool(f, true);
}

enum outcome on_hub_initializeArray(struct frame *f)
{
    return initialize_all(f, false);
}

enum outcome on_hub_initializeAndClaimArray(struct frame *f)
{
    return initialize_all(f, true);
}
