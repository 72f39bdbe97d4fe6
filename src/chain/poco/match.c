/* SPDX-License-Identifier: Apache-2.0 */
/* Matching four orders into a deal: matchOrders, sponsorMatchOrders and their views. SPEC poco 6. */
#include "chain/poco/poco_int.h"

bool tag_bit(struct hash tag, unsigned bit)
{
    return (tag.b[31 - bit / 8] >> (bit % 8) & 1) != 0;
}

struct hash dataset_tag(const struct frame *f, struct hash tag)
{
    if (f->run->rules->dataset_tag_masked) {
        tag.b[31] &= 0xf1; /* the frameworks: Scone, Gramine, TDX */
    }
    return tag;
}

static struct hash tag_or(struct hash a, struct hash b)
{
    for (size_t i = 0; i < sizeof(a.b); i++) {
        a.b[i] |= b.b[i];
    }
    return a;
}

static bool tag_within(struct hash need, struct hash have)
{
    uint8_t missing = 0;
    for (size_t i = 0; i < sizeof(need.b); i++) {
        missing |= (uint8_t)(need.b[i] & ~have.b[i]);
    }
    return missing == 0;
}

enum outcome order_hashes(struct frame *f, const struct orders *o, struct order_hashes *h)
{
    const struct settings *s;
    DO(settings_get(f, &s));
    h->app = app_order_hash(s->separator, &o->app);
    h->dataset = address_is_zero(o->dataset.dataset)
                     ? (struct hash){0}
                     : dataset_order_hash(s->separator, &o->dataset);
    h->workerpool = workerpool_order_hash(s->separator, &o->workerpool);
    h->request = request_order_hash(s->separator, &o->request);
    return OUT_APPLIED;
}

static enum outcome left_of(struct frame *f, struct hash order, struct u256 volume,
                            struct u256 *least)
{
    struct key k = key_with_hash(STATE_CONSUMED, order);
    struct u256 used, left;
    DO(get_u256(f, &k, &used));
    CHECKED(f, u256_sub(&left, volume, used));
    if (u256_lt(left, *least)) {
        *least = left;
    }
    return OUT_APPLIED;
}

enum outcome deal_volume(struct frame *f, const struct orders *o, const struct order_hashes *h,
                         struct u256 *volume)
{
    *volume = (struct u256){{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    DO(left_of(f, h->app, o->app.volume, volume));
    if (!address_is_zero(o->dataset.dataset)) {
        DO(left_of(f, h->dataset, o->dataset.volume, volume));
    }
    DO(left_of(f, h->workerpool, o->workerpool.volume, volume));
    return left_of(f, h->request, o->request.volume, volume);
}

enum outcome order_consume(struct frame *f, struct hash order, struct u256 volume)
{
    struct key k = key_with_hash(STATE_CONSUMED, order);
    struct u256 used;
    DO(get_u256(f, &k, &used));
    CHECKED(f, u256_add(&used, used, volume));
    return put_u256(f, &k, used);
}

/* Head words of the orders' tuples; app and dataset orders are built alike. */
enum {
    ASSET = 0,
    PRICE = 1,
    TAG = 3,
    RESTRICT = 4, /* three of them; a workerpool's come two words later */
    POOL_CATEGORY = 4,
    POOL_TRUST = 5,
    POOL_RESTRICT = 6,
    REQUEST_APP = 0,
    REQUEST_APP_MAX = 1,
    REQUEST_DATASET = 2,
    REQUEST_DATASET_MAX = 3,
    REQUEST_POOL = 4,
    REQUEST_POOL_MAX = 5,
    REQUEST_REQUESTER = 6,
    REQUEST_TAG = 8,
    REQUEST_CATEGORY = 9,
    REQUEST_TRUST = 10,
};

/* 0x00 to 0x07: the numbers and tags of the orders fit. */
static enum outcome check_terms(struct frame *f, const struct lazy *l, struct hash *tag)
{
    uint64_t categories;
    struct key k = hub_key(HUB_CATEGORIES);
    const struct abi_in *app = &l->t[ORDER_APP], *dataset = &l->t[ORDER_DATASET];
    const struct abi_in *pool = &l->t[ORDER_WORKERPOOL], *request = &l->t[ORDER_REQUEST];
    struct u256 category = lazy_u256(request, REQUEST_CATEGORY);
    struct hash app_tag = lazy_hash(app, TAG);
    *tag = tag_or(tag_or(app_tag, dataset_tag(f, lazy_hash(dataset, TAG))),
                  lazy_hash(request, REQUEST_TAG));
    REQUIRE_TEXT(f, u256_eq(category, lazy_u256(pool, POOL_CATEGORY)), REVERT_MATCH_00);
    DO(get_u64(f, &k, &categories));
    REQUIRE_TEXT(f, u256_lt(category, u256_from(categories)), REVERT_MATCH_01);
    const struct {
        const struct abi_in *low, *high;
        uint8_t low_word, high_word;
        enum revert id;
    } rows[] = {
        {request, pool, REQUEST_TRUST, POOL_TRUST, REVERT_MATCH_02},
        {app, request, PRICE, REQUEST_APP_MAX, REVERT_MATCH_03},
        {dataset, request, PRICE, REQUEST_DATASET_MAX, REVERT_MATCH_04},
        {pool, request, PRICE, REQUEST_POOL_MAX, REVERT_MATCH_05},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct u256 low = lazy_u256(rows[i].low, rows[i].low_word);
        REQUIRE_TEXT(f, !u256_lt(lazy_u256(rows[i].high, rows[i].high_word), low), rows[i].id);
    }
    REQUIRE_TEXT(f, tag_within(*tag, lazy_hash(pool, TAG)), REVERT_MATCH_06);
    REQUIRE_TEXT(f, tag_bit(*tag, 0) == tag_bit(app_tag, 0), REVERT_MATCH_07);
    return OUT_APPLIED;
}

/* 0x10 and 0x11: the request names the very app and dataset. */
static enum outcome check_same(struct frame *f, const struct lazy *l, size_t word,
                               enum order_kind kind, enum revert id)
{
    struct address asked, given;
    DO(lazy_address(f, &l->t[ORDER_REQUEST], word, &asked));
    DO(lazy_address(f, &l->t[kind], ASSET, &given));
    REQUIRE_TEXT(f, address_eq(asked, given), id);
    return OUT_APPLIED;
}

/* 0x10 to 0x1b: every order lets the others in. */
static enum outcome check_restrictions(struct frame *f, const struct lazy *l)
{
    DO(check_same(f, l, REQUEST_APP, ORDER_APP, REVERT_MATCH_10));
    DO(check_same(f, l, REQUEST_DATASET, ORDER_DATASET, REVERT_MATCH_11));
    static const struct {
        enum order_kind by, whom;
        uint8_t restriction, account;
        enum revert id;
    } rows[] = {
        {ORDER_REQUEST, ORDER_WORKERPOOL, REQUEST_POOL, ASSET, REVERT_MATCH_12},
        {ORDER_APP, ORDER_DATASET, RESTRICT, ASSET, REVERT_MATCH_13},
        {ORDER_APP, ORDER_WORKERPOOL, RESTRICT + 1, ASSET, REVERT_MATCH_14},
        {ORDER_APP, ORDER_REQUEST, RESTRICT + 2, REQUEST_REQUESTER, REVERT_MATCH_15},
        {ORDER_DATASET, ORDER_APP, RESTRICT, ASSET, REVERT_MATCH_16},
        {ORDER_DATASET, ORDER_WORKERPOOL, RESTRICT + 1, ASSET, REVERT_MATCH_17},
        {ORDER_DATASET, ORDER_REQUEST, RESTRICT + 2, REQUEST_REQUESTER, REVERT_MATCH_18},
        {ORDER_WORKERPOOL, ORDER_APP, POOL_RESTRICT, ASSET, REVERT_MATCH_19},
        {ORDER_WORKERPOOL, ORDER_DATASET, POOL_RESTRICT + 1, ASSET, REVERT_MATCH_1a},
        {ORDER_WORKERPOOL, ORDER_REQUEST, POOL_RESTRICT + 2, REQUEST_REQUESTER, REVERT_MATCH_1b},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address restriction, account;
        bool yes;
        DO(lazy_address(f, &l->t[rows[i].by], rows[i].restriction, &restriction));
        DO(lazy_address(f, &l->t[rows[i].whom], rows[i].account, &account));
        DO(is_authorized(f, restriction, account, &yes));
        REQUIRE_TEXT(f, yes, rows[i].id);
    }
    return OUT_APPLIED;
}

struct check_asset {
    struct address asset;
    unsigned registry;
    struct hash hash;
    struct bytes sign;
    enum revert unregistered, unsigned_;
};

/* Registered, and its order signed or presigned by the present owner. */
static enum outcome check_asset(struct frame *f, const struct check_asset *c, struct address *owner)
{
    const struct settings *s;
    bool yes;
    DO(owner_of_asset(f, c->asset, owner));
    DO(settings_get(f, &s));
    DO(registry_has(f, s->registry[c->registry], c->asset, &yes));
    REQUIRE_TEXT(f, yes, c->unregistered);
    DO(verify_presigned_or_signature(f, *owner, c->hash, c->sign, &yes));
    REQUIRE_TEXT(f, yes, c->unsigned_);
    return OUT_APPLIED;
}

/* 0x20 to 0x50. Each order is decoded as a whole when its turn comes; a dataset order only where
 * there is a dataset. */
static enum outcome check_owners(struct frame *f, const struct lazy *l, struct orders *o,
                                 struct order_hashes *h, struct deal *d)
{
    const struct settings *s;
    bool yes;
    DO(settings_get(f, &s));
    DO(lazy_address(f, &l->t[ORDER_DATASET], ASSET, &o->dataset.dataset));
    DO(lazy_read_app(f, l->t[ORDER_APP], &o->app));
    h->app = app_order_hash(s->separator, &o->app);
    struct check_asset app = {o->app.app,  POCO_APP,        h->app,
                              o->app.sign, REVERT_MATCH_20, REVERT_MATCH_21};
    DO(check_asset(f, &app, &d->app.owner));
    if (!address_is_zero(o->dataset.dataset)) {
        DO(lazy_read_dataset(f, l->t[ORDER_DATASET], &o->dataset));
        h->dataset = dataset_order_hash(s->separator, &o->dataset);
        struct check_asset dataset = {o->dataset.dataset, POCO_DATASET,    h->dataset,
                                      o->dataset.sign,    REVERT_MATCH_30, REVERT_MATCH_31};
        DO(check_asset(f, &dataset, &d->dataset.owner));
    }
    DO(lazy_read_workerpool(f, l->t[ORDER_WORKERPOOL], &o->workerpool));
    h->workerpool = workerpool_order_hash(s->separator, &o->workerpool);
    struct check_asset pool = {o->workerpool.workerpool, POCO_WORKERPOOL, h->workerpool,
                               o->workerpool.sign,       REVERT_MATCH_40, REVERT_MATCH_41};
    DO(check_asset(f, &pool, &d->workerpool.owner));
    DO(lazy_read_request(f, l->t[ORDER_REQUEST], &o->request));
    h->request = request_order_hash(s->separator, &o->request);
    DO(verify_presigned_or_signature(f, o->request.requester, h->request, o->request.sign, &yes));
    REQUIRE_TEXT(f, yes, REVERT_MATCH_50);
    return OUT_APPLIED;
}

static void fill_deal(struct deal *d, const struct orders *o, struct hash tag)
{
    d->app.pointer = o->app.app;
    d->app.price = o->app.appprice;
    d->dataset.pointer = o->dataset.dataset;
    if (!address_is_zero(o->dataset.dataset)) {
        d->dataset.price = o->dataset.datasetprice;
    }
    d->workerpool.pointer = o->workerpool.workerpool;
    d->workerpool.price = o->workerpool.workerpoolprice;
    d->trust = u256_is_zero(o->request.trust) ? u256_from(1) : o->request.trust;
    d->category = o->request.category;
    d->tag = tag;
    d->requester = o->request.requester;
    d->beneficiary = o->request.beneficiary;
    d->callback = o->request.callback;
    d->params = o->request.params;
}

enum outcome pool_stake(struct frame *f, struct u256 price, struct u256 *stake)
{
    CHECKED(f, u256_mul(stake, price, u256_from(30)));
    return u256_div(stake, NULL, *stake, u256_from(100)) ? OUT_APPLIED : call_fault(f, "division");
}

enum outcome deal_price(struct frame *f, const struct deal *d, struct u256 *price)
{
    CHECKED(f, u256_add(price, d->app.price, d->dataset.price));
    CHECKED(f, u256_add(price, *price, d->workerpool.price));
    return OUT_APPLIED;
}

static enum outcome lock_money(struct frame *f, const struct deal *d)
{
    struct u256 price, stake;
    DO(deal_price(f, d, &price));
    CHECKED(f, u256_mul(&price, price, d->bot_size));
    DO(escrow_lock(f, d->sponsor, price));
    DO(pool_stake(f, d->workerpool.price, &stake));
    CHECKED(f, u256_mul(&stake, stake, d->bot_size));
    return escrow_lock(f, d->workerpool.owner, stake);
}

static enum outcome match(struct frame *f, const struct lazy *l, struct address sponsor,
                          struct hash *id)
{
    struct order_hashes h = {0};
    struct orders orders = {0}, *o = &orders;
    struct deal d = {.sponsor = sponsor};
    struct policy policy;
    struct hash tag;
    DO(check_terms(f, l, &tag));
    DO(check_restrictions(f, l));
    DO(check_owners(f, l, o, &h, &d));
    DO(deal_volume(f, o, &h, &d.bot_size));
    REQUIRE_TEXT(f, !u256_is_zero(d.bot_size), REVERT_MATCH_60);
    fill_deal(&d, o, tag);
    struct key used = key_with_hash(STATE_CONSUMED, h.request);
    DO(get_u256(f, &used, &d.bot_first));
    d.start = u256_from(f->run->env->time);
    DO(workerpool_policy(f, d.workerpool.pointer, &policy));
    CHECKED(f, u256_mul(&d.worker_stake, d.workerpool.price, policy.stake_ratio));
    if (!u256_div(&d.worker_stake, NULL, d.worker_stake, u256_from(100))) {
        return call_fault(f, "division");
    }
    d.scheduler_ratio = policy.scheduler_ratio;
    *id = order_deal_id(h.request, d.bot_first);
    DO(deal_write(f, *id, &d));
    DO(order_consume(f, h.app, d.bot_size));
    if (!address_is_zero(d.dataset.pointer)) {
        DO(order_consume(f, h.dataset, d.bot_size));
    }
    DO(order_consume(f, h.workerpool, d.bot_size));
    DO(order_consume(f, h.request, d.bot_size));
    DO(lock_money(f, &d));
    struct hash pool = word_address(d.workerpool.pointer);
    DO(log_words(f, EVENT_hub_SchedulerNotice, 1, &pool, 1, id));
    struct hash words[] = {*id, h.app, h.dataset, h.workerpool, h.request, word_u256(d.bot_size)};
    return log_words(f, EVENT_hub_OrdersMatched, 0, NULL, 6, words);
}

enum outcome on_hub_matchOrders(struct frame *f);
enum outcome on_hub_sponsorMatchOrders(struct frame *f);
enum outcome on_hub_computeDealVolume(struct frame *f);
enum outcome on_hub_assertDatasetDealCompatibility(struct frame *f);

enum outcome on_hub_matchOrders(struct frame *f)
{
    struct lazy l;
    struct address requester;
    struct hash id;
    DO(lazy_orders(f, &l));
    DO(lazy_address(f, &l.t[ORDER_REQUEST], REQUEST_REQUESTER, &requester));
    DO(match(f, &l, requester, &id));
    return ret_word(f, id);
}

enum outcome on_hub_sponsorMatchOrders(struct frame *f)
{
    struct lazy l;
    struct hash id;
    DO(lazy_orders(f, &l));
    DO(match(f, &l, f->from, &id));
    struct hash words[] = {id, word_address(f->from)};
    DO(log_words(f, EVENT_hub_DealSponsored, 0, NULL, 2, words));
    return ret_word(f, id);
}

enum outcome on_hub_computeDealVolume(struct frame *f)
{
    struct lazy l;
    struct orders o;
    struct order_hashes h;
    struct u256 volume;
    DO(lazy_orders(f, &l));
    DO(lazy_read(f, &l, &o));
    DO(order_hashes(f, &o, &h));
    DO(deal_volume(f, &o, &h, &volume));
    return ret_u256(f, volume);
}

/* IncompatibleDatasetOrder(string) */
static enum outcome incompatible(struct frame *f, enum revert why)
{
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_revert(ERROR_IncompatibleDatasetOrder)->selector, 4);
    struct abi_out o = abi_begin(b, 1);
    abi_put_bytes(&o, bytes_str(iface_revert(why)->text));
    DO(out_keep(f, &f->out));
    return OUT_REVERTED;
}

#define REQUIRE_FIT(f, cond, why)                                                                  \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return incompatible((f), (why));                                                       \
        }                                                                                          \
    } while (0)

enum outcome on_hub_assertDatasetDealCompatibility(struct frame *f)
{
    struct dataset_order o;
    const struct settings *s;
    struct address owner;
    struct deal d;
    struct u256 used;
    bool yes;
    struct abi_in t;
    DO(lazy_take(f, ORDER_DATASET, &t));
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(lazy_read_dataset(f, t, &o));
    DO(settings_get(f, &s));
    struct hash hash = dataset_order_hash(s->separator, &o);
    struct key k = key_with_hash(STATE_CONSUMED, hash);
    DO(get_u256(f, &k, &used));
    REQUIRE_FIT(f, u256_lt(used, o.volume), REVERT_DS_CONSUMED);
    DO(owner_of_asset(f, o.dataset, &owner));
    DO(verify_presigned_or_signature(f, owner, hash, o.sign, &yes));
    REQUIRE_FIT(f, yes, REVERT_DS_SIGNATURE);
    DO(deal_read(f, id, &d));
    REQUIRE_FIT(f, !address_is_zero(d.requester), REVERT_DS_NO_DEAL);
    REQUIRE_FIT(f, address_is_zero(d.dataset.pointer), REVERT_DS_HAS_DATASET);
    DO(is_authorized(f, o.apprestrict, d.app.pointer, &yes));
    REQUIRE_FIT(f, yes, REVERT_DS_APP);
    DO(is_authorized(f, o.workerpoolrestrict, d.workerpool.pointer, &yes));
    REQUIRE_FIT(f, yes, REVERT_DS_WORKERPOOL);
    DO(is_authorized(f, o.requesterrestrict, d.requester, &yes));
    REQUIRE_FIT(f, yes, REVERT_DS_REQUESTER);
    REQUIRE_FIT(f, tag_within(dataset_tag(f, o.tag), d.tag), REVERT_DS_TAG);
    return ret_nothing(f);
}
