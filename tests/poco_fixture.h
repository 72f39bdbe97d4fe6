/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_TESTS_POCO_FIXTURE_H
#define SOUK_TESTS_POCO_FIXTURE_H

/* poco_fixture.h - a market for tests: genesis, accounts by number, calls, and signatures that need
 * no curve. A signature here is the first 12 bytes of the digest and the signer's address where r
 * would be; the recover hook undoes it. */

#include "chain/poco/poco.h"
#include "iface/iface.h"
#include "iface/order.h"
#include "tests/test.h"

struct market {
    struct state *state;
    struct arena arena;
    struct poco_env env;
    struct poco_config config;
    struct hash domain;
    struct result res; /* of the last call */
    struct buf data;   /* call data of the next call */
    struct abi_out args;
    struct address app, dataset, pool;
};

#define OWNER     who(1)
#define ALICE     who(10) /* owns apps */
#define DORA      who(11) /* owns datasets */
#define PAUL      who(12) /* owns pools */
#define RITA      who(13) /* requests */
#define WORKER(i) who((uint8_t)(100 + (i)))

__attribute__((unused)) static struct address who(uint8_t n)
{
    return (struct address){{0xaa, [19] = n}};
}

__attribute__((unused)) static rc nothing_read(void *ctx, struct bytes key, struct bytes *value)
{
    (void)ctx;
    (void)key;
    (void)value;
    return RC(NOT_FOUND);
}

__attribute__((unused)) static bool fake_recover(void *ctx, struct hash digest,
                                                 const uint8_t sig[65], struct address *out)
{
    (void)ctx;
    memcpy(out->b, sig + 12, 20);
    return memcmp(sig, digest.b, 12) == 0;
}

struct sig {
    uint8_t b[65];
};

__attribute__((unused)) static struct sig fake_sign(struct address signer, struct hash digest)
{
    struct sig s = {{0}};
    memcpy(s.b, digest.b, 12);
    memcpy(s.b + 12, signer.b, 20);
    s.b[63] = 1;
    s.b[64] = 27;
    return s;
}

__attribute__((unused)) static void market_open_with(struct market *m, enum poco_rules rules,
                                                     bool boost)
{
    static struct poco_account accounts[20];
    *m = (struct market){.data = buf_new(1 << 20)};
    m->state = state_new(nothing_read, NULL);
    arena_init(&m->arena, (size_t)256 << 20);
    for (uint8_t i = 0; i < 20; i++) {
        accounts[i] =
            (struct poco_account){.address = i < 10 ? who((uint8_t)(10 + i)) : WORKER(i - 10),
                                  .rlc = u256_from(1000000000000),
                                  .stake = u256_from(1000000000000)};
    }
    m->config = (struct poco_config){.chain_id = 134,
                                     .rules = rules,
                                     .boost = boost,
                                     .owner = OWNER,
                                     .accounts = accounts,
                                     .accounts_n = 20};
    poco_defaults(&m->config);
    CHECK(rc_ok(poco_genesis(m->state, &m->config, NULL)));
    m->env = (struct poco_env){.height = 1,
                               .time = 1700000000,
                               .chain_id = 134,
                               .state = m->state,
                               .arena = &m->arena,
                               .recover = fake_recover};
    m->domain = order_domain(u256_from(134), m->config.hub);
}

__attribute__((unused)) static void market_open(struct market *m, enum poco_rules rules)
{
    market_open_with(m, rules, false);
}

__attribute__((unused)) static void market_close(struct market *m)
{
    state_free(m->state);
    arena_reset(&m->arena);
    buf_free(&m->data);
}

/* Starts the call data of a method with so many head words; put arguments into the result. */
__attribute__((unused)) static struct abi_out *begin(struct market *m, enum method id, size_t words)
{
    buf_reset(&m->data);
    put_be(&m->data, iface_method(id)->selector, 4);
    m->args = abi_begin(&m->data, words);
    return &m->args;
}

__attribute__((unused)) static enum outcome call_gas(struct market *m, struct address from,
                                                     struct address to, uint64_t gas)
{
    struct call c = {.from = from, .to = to, .data = buf_bytes(&m->data), .gas = gas};
    return poco_apply(&m->env, &c, &m->res);
}

__attribute__((unused)) static enum outcome call(struct market *m, struct address from,
                                                 struct address to)
{
    return call_gas(m, from, to, 50000000);
}

__attribute__((unused)) static bool applied(struct market *m, struct address from,
                                            struct address to)
{
    enum outcome o = call(m, from, to);
    if (o != OUT_APPLIED) {
        enum revert r = iface_find_revert(m->res.output);
        (void)fprintf(stderr, "outcome %d %s%s\n", (int)o,
                      r == REVERT_NONE ? "" : iface_revert(r)->text,
                      m->res.fault != NULL ? m->res.fault : "");
    }
    return o == OUT_APPLIED;
}

__attribute__((unused)) static bool refused(struct market *m, struct address from,
                                            struct address to, enum revert why)
{
    if (call(m, from, to) != OUT_REVERTED || m->res.logs_n != 0) {
        return false;
    }
    return why == REVERT_NONE ? m->res.output.n == 0 && !m->res.out_of_gas
                              : iface_find_revert(m->res.output) == why;
}

__attribute__((unused)) static bool panicked(struct market *m, struct address from,
                                             struct address to, uint8_t code)
{
    return call(m, from, to) == OUT_REVERTED && m->res.output.n == 36 &&
           m->res.output.p[0] == 0x4e && m->res.output.p[35] == code;
}

/* The i-th word of the last answer. */
__attribute__((unused)) static struct u256 word(const struct market *m, size_t i)
{
    CHECK(m->res.output.n >= 32 * (i + 1));
    return u256_from_be(m->res.output.p + 32 * i);
}

__attribute__((unused)) static uint64_t num(const struct market *m, size_t i)
{
    uint64_t v;
    CHECK(u256_to_u64(word(m, i), &v));
    return v;
}

__attribute__((unused)) static struct address addr(const struct market *m, size_t i)
{
    struct address a;
    CHECK(m->res.output.n >= 32 * (i + 1));
    memcpy(a.b, m->res.output.p + 32 * i + 12, 20);
    return a;
}

__attribute__((unused)) static struct hash hash_word(const struct market *m, size_t i)
{
    struct hash h;
    CHECK(m->res.output.n >= 32 * (i + 1));
    memcpy(h.b, m->res.output.p + 32 * i, 32);
    return h;
}

__attribute__((unused)) static void stake_of(struct market *m, struct address a, uint64_t *stake,
                                             uint64_t *locked)
{
    abi_put_address(begin(m, METHOD_hub_viewAccount, 1), a);
    CHECK(applied(m, a, m->config.hub));
    *stake = num(m, 0);
    *locked = num(m, 1);
}

/* Checks one log of the last call: emitter, event and number of topics. */
__attribute__((unused)) static bool log_is(const struct market *m, size_t i, enum event e)
{
    return i < m->res.logs_n && hash_eq(m->res.logs[i].topics[0], iface_event(e)->topic);
}

/* An app, a dataset and a pool, owned by Alice, Dora and Paul. */
__attribute__((unused)) static void market_publish(struct market *m)
{
    struct abi_out *o = begin(m, METHOD_appRegistry_createApp, 6);
    abi_put_address(o, ALICE);
    abi_put_bytes(o, BYTES_LIT("app"));
    abi_put_bytes(o, BYTES_LIT("DOCKER"));
    abi_put_bytes(o, BYTES_LIT("multiaddr"));
    abi_put_hash(o, (struct hash){{7}});
    abi_put_bytes(o, BYTES_LIT(""));
    CHECK(applied(m, RITA, m->config.app_registry));
    m->app = addr(m, 0);
    o = begin(m, METHOD_datasetRegistry_createDataset, 4);
    abi_put_address(o, DORA);
    abi_put_bytes(o, BYTES_LIT("model"));
    abi_put_bytes(o, BYTES_LIT("multiaddr"));
    abi_put_hash(o, (struct hash){{8}});
    CHECK(applied(m, RITA, m->config.dataset_registry));
    m->dataset = addr(m, 0);
    o = begin(m, METHOD_workerpoolRegistry_createWorkerpool, 2);
    abi_put_address(o, PAUL);
    abi_put_bytes(o, BYTES_LIT("pool"));
    CHECK(applied(m, RITA, m->config.workerpool_registry));
    m->pool = addr(m, 0);
}

struct signed_orders {
    struct orders o;
    struct sig app, dataset, pool, request;
};

/* Orders that match: prices 3, 5 and 1000 of the base unit, trust and volume as given. */
__attribute__((unused)) static void orders_fill(struct market *m, struct signed_orders *s,
                                                uint64_t trust, uint64_t volume)
{
    struct orders *o = &s->o;
    *o = (struct orders){
        .app = {.app = m->app, .appprice = u256_from(3), .volume = u256_from(volume)},
        .dataset = {.dataset = m->dataset,
                    .datasetprice = u256_from(5),
                    .volume = u256_from(volume)},
        .workerpool = {.workerpool = m->pool,
                       .workerpoolprice = u256_from(1000),
                       .volume = u256_from(volume),
                       .trust = u256_from(trust)},
        .request = {.app = m->app,
                    .appmaxprice = u256_from(3),
                    .dataset = m->dataset,
                    .datasetmaxprice = u256_from(5),
                    .workerpool = m->pool,
                    .workerpoolmaxprice = u256_from(1000),
                    .requester = RITA,
                    .volume = u256_from(volume),
                    .trust = u256_from(trust),
                    .beneficiary = RITA,
                    .params = BYTES_LIT("{}")},
    };
}

__attribute__((unused)) static void orders_sign(struct market *m, struct signed_orders *s)
{
    s->app = fake_sign(ALICE, app_order_hash(m->domain, &s->o.app));
    s->dataset = fake_sign(DORA, dataset_order_hash(m->domain, &s->o.dataset));
    s->pool = fake_sign(PAUL, workerpool_order_hash(m->domain, &s->o.workerpool));
    s->request = fake_sign(s->o.request.requester, request_order_hash(m->domain, &s->o.request));
    s->o.app.sign = BYTES_OF(s->app);
    s->o.dataset.sign = BYTES_OF(s->dataset);
    s->o.workerpool.sign = BYTES_OF(s->pool);
    s->o.request.sign = BYTES_OF(s->request);
}

__attribute__((unused)) static void begin_match(struct market *m, enum method id,
                                                const struct orders *s)
{
    struct abi_out *o = begin(m, id, 4);
    put_app_order(o, &s->app);
    put_dataset_order(o, &s->dataset);
    put_workerpool_order(o, &s->workerpool);
    put_request_order(o, &s->request);
}

__attribute__((unused)) static struct hash match_orders(struct market *m, uint64_t trust,
                                                        uint64_t volume)
{
    struct signed_orders s;
    orders_fill(m, &s, trust, volume);
    s.o.request.salt.b[0] = (uint8_t)trust;
    orders_sign(m, &s);
    begin_match(m, METHOD_hub_matchOrders, &s.o);
    CHECK(applied(m, RITA, m->config.hub));
    return hash_word(m, 0);
}

__attribute__((unused)) static struct hash initialize(struct market *m, struct hash deal,
                                                      uint64_t idx)
{
    struct abi_out *o = begin(m, METHOD_hub_initialize, 2);
    abi_put_hash(o, deal);
    abi_put_u64(o, idx);
    CHECK(applied(m, PAUL, m->config.hub));
    return hash_word(m, 0);
}

/* Prepares a contribution of `worker` with the result `digest`, authorised by the pool. */
__attribute__((unused)) static void begin_contribute(struct market *m, struct hash task,
                                                     struct address worker, struct hash digest)
{
    struct sig auth = fake_sign(PAUL, task_authorization_digest(worker, task, (struct address){0}));
    struct abi_out *o = begin(m, METHOD_hub_contribute, 6);
    abi_put_hash(o, task);
    abi_put_hash(o, task_result_hash(task, digest));
    abi_put_hash(o, task_result_seal(worker, task, digest));
    abi_put_address(o, (struct address){0});
    abi_put_bytes(o, (struct bytes){0});
    abi_put_bytes(o, BYTES_OF(auth));
}

__attribute__((unused)) static void begin_reveal(struct market *m, struct hash task,
                                                 struct hash digest)
{
    struct abi_out *o = begin(m, METHOD_hub_reveal, 2);
    abi_put_hash(o, task);
    abi_put_hash(o, digest);
}

__attribute__((unused)) static void begin_finalize(struct market *m, struct hash task,
                                                   struct bytes results, struct bytes callback)
{
    struct abi_out *o = begin(m, METHOD_hub_finalize, 3);
    abi_put_hash(o, task);
    abi_put_bytes(o, results);
    abi_put_bytes(o, callback);
}

#endif /* SOUK_TESTS_POCO_FIXTURE_H */
