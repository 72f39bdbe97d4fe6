/* SPDX-License-Identifier: Apache-2.0 */
/* Boost: deals whose tasks one worker pushes a result for, without consensus. Served only where the
 * genesis says so. SPEC poco 10. */
#include "chain/poco/poco_int.h"
#include "crypto/keccak.h"

#define HANDLER(name)                                                                              \
    enum outcome on_hub_##name(struct frame *f);                                                   \
    enum outcome on_hub_##name(struct frame *f)

struct boost {
    struct address app_owner, dataset_owner, pool_owner, requester, callback, sponsor;
    struct u256 app_price, dataset_price, pool_price, worker_reward, deadline, bot_first, bot_size;
    uint8_t tag[3]; /* the last three bytes */
};

enum { BOOST_SIZE = 6 * 20 + 7 * 32 + 3 };

static enum outcome boost_read(struct frame *f, struct hash id, struct boost *d)
{
    struct key k = key_with_hash(STATE_BOOST, id);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *d = (struct boost){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    d->app_owner = take_address(&c);
    d->dataset_owner = take_address(&c);
    d->pool_owner = take_address(&c);
    d->requester = take_address(&c);
    d->callback = take_address(&c);
    d->sponsor = take_address(&c);
    d->app_price = take_u256(&c);
    d->dataset_price = take_u256(&c);
    d->pool_price = take_u256(&c);
    d->worker_reward = take_u256(&c);
    d->deadline = take_u256(&c);
    d->bot_first = take_u256(&c);
    d->bot_size = take_u256(&c);
    for (size_t i = 0; i < sizeof(d->tag); i++) {
        d->tag[i] = (uint8_t)take_be(&c, 1);
    }
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a boost deal is damaged");
}

static enum outcome boost_write(struct frame *f, struct hash id, const struct boost *d)
{
    struct key k = key_with_hash(STATE_BOOST, id);
    uint8_t b[BOOST_SIZE];
    struct pack w = {.p = b, .size = sizeof(b)};
    pack_address(&w, d->app_owner);
    pack_address(&w, d->dataset_owner);
    pack_address(&w, d->pool_owner);
    pack_address(&w, d->requester);
    pack_address(&w, d->callback);
    pack_address(&w, d->sponsor);
    pack_u256(&w, d->app_price);
    pack_u256(&w, d->dataset_price);
    pack_u256(&w, d->pool_price);
    pack_u256(&w, d->worker_reward);
    pack_u256(&w, d->deadline);
    pack_u256(&w, d->bot_first);
    pack_u256(&w, d->bot_size);
    pack_mem(&w, d->tag, sizeof(d->tag));
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

/* OpenZeppelin's SafeCast. */
static enum outcome fits(struct frame *f, struct u256 v, unsigned bits)
{
    struct hash words[] = {word_u256(u256_from(bits)), word_u256(v)};
    return u256_bits(v) <= bits ? OUT_APPLIED
                                : revert_error(f, ERROR_SafeCastOverflowedUintDowncast, 2, words);
}

static bool missing_bits(struct hash need, struct hash have)
{
    bool missing = false;
    for (size_t i = 0; i < sizeof(need.b); i++) {
        missing = missing || (need.b[i] & ~have.b[i]) != 0;
    }
    return missing;
}

static enum outcome check_terms(struct frame *f, const struct orders *o, struct hash *tag)
{
    const struct request_order *r = &o->request;
    uint64_t categories;
    struct key k = hub_key(HUB_CATEGORIES);
    for (size_t i = 0; i < sizeof(tag->b); i++) {
        tag->b[i] = o->app.tag.b[i] | o->dataset.tag.b[i] | r->tag.b[i];
    }
    REQUIRE_TEXT(f, !u256_lt(u256_from(1), r->trust), REVERT_BOOST_BAD_TRUST_LEVEL);
    REQUIRE_TEXT(f, u256_eq(r->category, o->workerpool.category), REVERT_BOOST_CATEGORY_MISMATCH);
    DO(get_u64(f, &k, &categories));
    REQUIRE_TEXT(f, u256_lt(r->category, u256_from(categories)), REVERT_BOOST_UNKNOWN_CATEGORY);
    REQUIRE_TEXT(f, !u256_lt(r->appmaxprice, o->app.appprice), REVERT_BOOST_OVERPRICED_APP);
    REQUIRE_TEXT(f, !u256_lt(r->datasetmaxprice, o->dataset.datasetprice),
                 REVERT_BOOST_OVERPRICED_DATASET);
    REQUIRE_TEXT(f, !u256_lt(r->workerpoolmaxprice, o->workerpool.workerpoolprice),
                 REVERT_BOOST_OVERPRICED_WORKERPOOL);
    REQUIRE_TEXT(f, !missing_bits(*tag, o->workerpool.tag),
                 REVERT_BOOST_WORKERPOOL_TAG_DOES_NOT_MATCH_DEMAND);
    REQUIRE_TEXT(f, tag_bit(*tag, 0) == tag_bit(o->app.tag, 0),
                 REVERT_BOOST_APP_TAG_DOES_NOT_MATCH_DEMAND);
    return OUT_APPLIED;
}

static enum outcome check_restrictions(struct frame *f, const struct orders *o)
{
    const struct app_order *a = &o->app;
    const struct dataset_order *d = &o->dataset;
    const struct workerpool_order *w = &o->workerpool;
    const struct request_order *r = &o->request;
    bool yes;
    REQUIRE_TEXT(f, address_eq(r->app, a->app), REVERT_BOOST_APP_MISMATCH);
    REQUIRE_TEXT(f, address_eq(r->dataset, d->dataset), REVERT_BOOST_DATASET_MISMATCH);
    const struct {
        struct address restriction, account;
        enum revert id;
    } rows[] = {
        {r->workerpool, w->workerpool, REVERT_BOOST_WORKERPOOL_RESTRICTED_BY_REQUEST_ORDER},
        {a->datasetrestrict, d->dataset, REVERT_BOOST_DATASET_RESTRICTED_BY_APP_ORDER},
        {a->workerpoolrestrict, w->workerpool, REVERT_BOOST_WORKERPOOL_RESTRICTED_BY_APP_ORDER},
        {a->requesterrestrict, r->requester, REVERT_BOOST_REQUESTER_RESTRICTED_BY_APP_ORDER},
        {d->apprestrict, a->app, REVERT_BOOST_APP_RESTRICTED_BY_DATASET_ORDER},
        {d->workerpoolrestrict, w->workerpool, REVERT_BOOST_WORKERPOOL_RESTRICTED_BY_DATASET_ORDER},
        {d->requesterrestrict, r->requester, REVERT_BOOST_REQUESTER_RESTRICTED_BY_DATASET_ORDER},
        {w->apprestrict, a->app, REVERT_BOOST_APP_RESTRICTED_BY_WORKERPOOL_ORDER},
        {w->datasetrestrict, d->dataset, REVERT_BOOST_DATASET_RESTRICTED_BY_WORKERPOOL_ORDER},
        {w->requesterrestrict, r->requester, REVERT_BOOST_REQUESTER_RESTRICTED_BY_WORKERPOOL_ORDER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        DO(is_authorized(f, rows[i].restriction, rows[i].account, &yes));
        REQUIRE_TEXT(f, yes, rows[i].id);
    }
    return OUT_APPLIED;
}

struct asset {
    struct address entry;
    unsigned registry;
    struct hash hash;
    struct bytes sign;
    enum revert unregistered, bad_signature;
};

/* Unlike matchOrders, registered comes before the owner is asked for. */
static enum outcome check_asset(struct frame *f, const struct asset *a, struct address *owner)
{
    const struct settings *s;
    bool yes;
    DO(settings_get(f, &s));
    DO(registry_has(f, s->registry[a->registry], a->entry, &yes));
    REQUIRE_TEXT(f, yes, a->unregistered);
    DO(owner_of_asset(f, a->entry, owner));
    DO(verify_presigned_or_signature(f, *owner, a->hash, a->sign, &yes));
    REQUIRE_TEXT(f, yes, a->bad_signature);
    return OUT_APPLIED;
}

static enum outcome check_owners(struct frame *f, const struct orders *o,
                                 const struct order_hashes *h, struct boost *d)
{
    bool yes;
    const struct asset app = {o->app.app,
                              POCO_APP,
                              h->app,
                              o->app.sign,
                              REVERT_BOOST_APP_NOT_REGISTERED,
                              REVERT_BOOST_INVALID_APP_ORDER_SIGNATURE};
    const struct asset dataset = {o->dataset.dataset,
                                  POCO_DATASET,
                                  h->dataset,
                                  o->dataset.sign,
                                  REVERT_BOOST_DATASET_NOT_REGISTERED,
                                  REVERT_BOOST_INVALID_DATASET_ORDER_SIGNATURE};
    const struct asset pool = {o->workerpool.workerpool,
                               POCO_WORKERPOOL,
                               h->workerpool,
                               o->workerpool.sign,
                               REVERT_BOOST_WORKERPOOL_NOT_REGISTERED,
                               REVERT_BOOST_INVALID_WORKERPOOL_ORDER_SIGNATURE};
    DO(check_asset(f, &app, &d->app_owner));
    if (!address_is_zero(dataset.entry)) {
        DO(check_asset(f, &dataset, &d->dataset_owner));
    }
    DO(check_asset(f, &pool, &d->pool_owner));
    DO(verify_presigned_or_signature(f, o->request.requester, h->request, o->request.sign, &yes));
    REQUIRE_TEXT(f, yes, REVERT_BOOST_INVALID_REQUEST_ORDER_SIGNATURE);
    return OUT_APPLIED;
}

/* Terms of the deal, in the reference's narrow types. */
static enum outcome fill(struct frame *f, const struct orders *o, struct hash tag, struct boost *d)
{
    struct policy policy;
    struct category c;
    DO(fits(f, d->bot_first, 16));
    DO(fits(f, d->bot_size, 16));
    d->requester = o->request.requester;
    d->pool_price = o->workerpool.workerpoolprice;
    DO(fits(f, d->pool_price, 96));
    DO(workerpool_policy(f, o->workerpool.workerpool, &policy));
    CHECKED(f, u256_sub(&d->worker_reward, u256_from(100), policy.scheduler_ratio));
    CHECKED(f, u256_mul(&d->worker_reward, d->worker_reward, d->pool_price));
    if (!u256_div(&d->worker_reward, NULL, d->worker_reward, u256_from(100))) {
        return call_fault(f, "division");
    }
    DO(fits(f, d->worker_reward, 96));
    memcpy(d->tag, tag.b + 29, sizeof(d->tag));
    DO(category_get(f, o->request.category, &c));
    CHECKED(f, u256_mul(&d->deadline, c.timeref, u256_from(7)));
    CHECKED(f, u256_add(&d->deadline, d->deadline, u256_from(f->run->env->time)));
    DO(fits(f, d->deadline, 40));
    d->app_price = o->app.appprice;
    DO(fits(f, d->app_price, 96));
    if (!address_is_zero(o->dataset.dataset)) {
        d->dataset_price = o->dataset.datasetprice;
        DO(fits(f, d->dataset_price, 96));
    }
    d->callback = o->request.callback;
    return OUT_APPLIED;
}

/* The parts that locking and failing share with an ordinary deal. */
static struct deal as_deal(const struct boost *b)
{
    struct deal d = {.exists = true, .sponsor = b->sponsor, .bot_size = b->bot_size};
    d.app.price = b->app_price;
    d.dataset.price = b->dataset_price;
    d.workerpool.price = b->pool_price;
    d.workerpool.owner = b->pool_owner;
    return d;
}

static enum outcome emit_notice(struct frame *f, const struct orders *o, struct hash id,
                                struct hash tag)
{
    struct bytes data;
    struct hash pool = word_address(o->workerpool.workerpool);
    struct abi_out out = out_begin(f, 7);
    abi_put_hash(&out, id);
    abi_put_address(&out, o->app.app);
    abi_put_address(&out, o->dataset.dataset);
    abi_put_u256(&out, o->request.category);
    abi_put_hash(&out, tag);
    abi_put_bytes(&out, o->request.params);
    abi_put_address(&out, o->request.beneficiary);
    DO(out_keep(f, &data));
    return log_emit(f, EVENT_hub_SchedulerNoticeBoost, 1, &pool, data);
}

static enum outcome lock_money(struct frame *f, const struct boost *b)
{
    struct deal d = as_deal(b);
    struct u256 price, stake;
    DO(deal_price(f, &d, &price));
    CHECKED(f, u256_mul(&price, price, b->bot_size));
    DO(escrow_lock(f, b->sponsor, price));
    DO(pool_stake(f, b->pool_price, &stake));
    CHECKED(f, u256_mul(&stake, stake, b->bot_size));
    return escrow_lock(f, b->pool_owner, stake);
}

static enum outcome match(struct frame *f, const struct orders *o, struct address sponsor,
                          struct hash *id)
{
    struct order_hashes h;
    struct boost d = {.sponsor = sponsor};
    struct hash tag;
    DO(check_terms(f, o, &tag));
    DO(check_restrictions(f, o));
    DO(order_hashes(f, o, &h));
    DO(check_owners(f, o, &h, &d));
    DO(deal_volume(f, o, &h, &d.bot_size));
    REQUIRE_TEXT(f, !u256_is_zero(d.bot_size), REVERT_BOOST_ONE_OR_MORE_ORDERS_CONSUMED);
    struct key used = key_with_hash(STATE_CONSUMED, h.request);
    DO(get_u256(f, &used, &d.bot_first));
    *id = order_deal_id(h.request, d.bot_first);
    DO(fill(f, o, tag, &d));
    DO(boost_write(f, *id, &d));
    DO(order_consume(f, h.app, d.bot_size));
    if (!address_is_zero(o->dataset.dataset)) {
        DO(order_consume(f, h.dataset, d.bot_size));
    }
    DO(order_consume(f, h.workerpool, d.bot_size));
    DO(order_consume(f, h.request, d.bot_size));
    DO(lock_money(f, &d));
    DO(emit_notice(f, o, *id, tag));
    struct hash words[] = {*id, h.app, h.dataset, h.workerpool, h.request, word_u256(d.bot_size)};
    return log_words(f, EVENT_hub_OrdersMatched, 0, NULL, 6, words);
}

HANDLER(matchOrdersBoost)
{
    struct orders o;
    struct hash id;
    take_orders(&f->in, &o);
    ARGS_END(f);
    DO(match(f, &o, o.request.requester, &id));
    return ret_word(f, id);
}

HANDLER(sponsorMatchOrdersBoost)
{
    struct orders o;
    struct hash id;
    take_orders(&f->in, &o);
    ARGS_END(f);
    DO(match(f, &o, f->from, &id));
    struct hash words[] = {id, word_address(f->from)};
    DO(log_words(f, EVENT_hub_DealSponsoredBoost, 0, NULL, 2, words));
    return ret_word(f, id);
}

/* The deal, and the task of that index, which must not have ended. */
static enum outcome find_task(struct frame *f, struct hash deal, struct u256 index, struct boost *d,
                              struct hash *id)
{
    struct task t;
    DO(boost_read(f, deal, d));
    REQUIRE_TEXT(f, u256_lt(index, d->bot_size), REVERT_BOOST_UNKNOWN_TASK);
    *id = order_task_id(deal, index);
    DO(task_read(f, *id, &t));
    REQUIRE_TEXT(f, t.status == TASK_UNSET, REVERT_BOOST_TASK_STATUS_NOT_UNSET);
    return OUT_APPLIED;
}

struct push {
    struct address challenge;
    struct bytes results, callback, authorization, enclave_sign;
};

static enum outcome check_push(struct frame *f, const struct push *p, const struct boost *d,
                               struct hash id)
{
    const struct settings *s;
    bool valid, enclave = !address_is_zero(p->challenge);
    REQUIRE_TEXT(f, u256_lt(u256_from(f->run->env->time), d->deadline),
                 REVERT_BOOST_DEADLINE_REACHED);
    REQUIRE_TEXT(f, enclave || (d->tag[2] & 1) == 0, REVERT_BOOST_TAG_REQUIRES_ENCLAVE_CHALLENGE);
    DO(settings_get(f, &s));
    struct address signer =
        enclave && !address_is_zero(s->teebroker) ? s->teebroker : d->pool_owner;
    struct hash digest = task_authorization_digest(f->from, id, p->challenge);
    DO(verify_signature(f, signer, digest, p->authorization, &valid));
    REQUIRE_TEXT(f, valid, REVERT_BOOST_INVALID_CONTRIBUTION_AUTHORIZATION_SIGNATURE);
    if (enclave) {
        struct hash result = keccak256(address_is_zero(d->callback) ? p->results : p->callback);
        digest = boost_enclave_digest(f->from, id, result);
        DO(verify_signature(f, p->challenge, digest, p->enclave_sign, &valid));
        REQUIRE_TEXT(f, valid, REVERT_BOOST_INVALID_ENCLAVE_SIGNATURE);
    }
    return OUT_APPLIED;
}

static enum outcome pay(struct frame *f, const struct boost *d, struct hash id)
{
    struct deal as = as_deal(d);
    struct u256 price, stake, share, rest;
    DO(deal_price(f, &as, &price));
    DO(escrow_seize(f, d->requester, price, id)); /* sic: not the sponsor */
    DO(escrow_reward(f, f->from, d->worker_reward, id));
    if (!u256_is_zero(d->app_price)) {
        DO(escrow_reward(f, d->app_owner, d->app_price, id));
    }
    if (!u256_is_zero(d->dataset_price)) {
        DO(escrow_reward(f, d->dataset_owner, d->dataset_price, id));
    }
    DO(pool_stake(f, d->pool_price, &stake));
    DO(escrow_unlock(f, d->pool_owner, stake));
    DO(kitty_share(f, &share));
    if (!u256_is_zero(share)) {
        DO(escrow_seize(f, kitty_address, share, id));
    }
    CHECKED(f, u256_sub(&rest, d->pool_price, d->worker_reward));
    CHECKED(f, u256_add(&rest, rest, share));
    return escrow_reward(f, d->pool_owner, rest, id);
}

HANDLER(pushResultBoost)
{
    struct push p;
    struct boost d;
    struct hash id;
    struct bytes data;
    bool enough;
    struct hash deal = abi_take_hash(&f->in);
    struct u256 index = abi_take_u256(&f->in);
    p.results = abi_take_bytes(&f->in);
    p.callback = abi_take_bytes(&f->in);
    p.authorization = abi_take_bytes(&f->in);
    p.challenge = abi_take_address(&f->in);
    p.enclave_sign = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(find_task(f, deal, index, &d, &id));
    DO(check_push(f, &p, &d, id));
    struct task t = {.status = TASK_COMPLETED};
    DO(task_write(f, id, &t));
    DO(pay(f, &d, id));
    struct abi_out o = out_begin(f, 3);
    abi_put_hash(&o, deal);
    abi_put_u256(&o, index);
    abi_put_bytes(&o, p.results);
    DO(out_keep(f, &data));
    DO(log_emit(f, EVENT_hub_ResultPushedBoost, 0, NULL, data));
    if (address_is_zero(d.callback)) {
        return ret_nothing(f);
    }
    REQUIRE_TEXT(f, p.callback.n > 0, REVERT_BOOST_CALLBACK_REQUIRES_DATA);
    DO(call_back(f, id, d.callback, p.callback, &enough));
    REQUIRE_TEXT(f, enough, REVERT_BOOST_NOT_ENOUGH_GAS_AFTER_CALLBACK);
    return ret_nothing(f);
}

HANDLER(claimBoost)
{
    struct boost d;
    struct hash id, deal = abi_take_hash(&f->in);
    struct u256 index = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(find_task(f, deal, index, &d, &id));
    REQUIRE_TEXT(f, !u256_lt(u256_from(f->run->env->time), d.deadline),
                 REVERT_BOOST_DEADLINE_NOT_REACHED);
    struct task t = {.status = TASK_FAILED};
    DO(task_write(f, id, &t));
    struct deal as = as_deal(&d);
    DO(failed_work(f, id, &as));
    return log_words(f, EVENT_hub_TaskClaimed, 1, &id, 0, NULL);
}

HANDLER(viewDealBoost)
{
    struct boost d;
    struct hash id = abi_take_hash(&f->in), tag = {{0}};
    ARGS_END(f);
    DO(boost_read(f, id, &d));
    memcpy(tag.b, d.tag, sizeof(d.tag));
    struct abi_out o = out_begin(f, 14);
    abi_put_address(&o, d.app_owner);
    abi_put_u256(&o, d.app_price);
    abi_put_address(&o, d.dataset_owner);
    abi_put_u256(&o, d.dataset_price);
    abi_put_address(&o, d.pool_owner);
    abi_put_u256(&o, d.pool_price);
    abi_put_address(&o, d.requester);
    abi_put_u256(&o, d.worker_reward);
    abi_put_address(&o, d.callback);
    abi_put_u256(&o, d.deadline);
    abi_put_u256(&o, d.bot_first);
    abi_put_u256(&o, d.bot_size);
    abi_put_hash(&o, tag);
    abi_put_address(&o, d.sponsor);
    return out_end(f);
}
