/* SPDX-License-Identifier: Apache-2.0 */
/* The state of block 0: what a deployment of the contracts would have left. */
#include "chain/poco/poco_int.h"
#include "crypto/keccak.h"

#include <stdio.h>

/* souk's own addresses: 0x…50c0NN, so that a reader recognises them. */
static struct address fixed_address(uint8_t n)
{
    struct address a = {{0x50, 0xc0, 0x50, 0xc0, [18] = 0x50, [19] = n}};
    return a;
}

enum { ADDRESS_FACETS = 0x40 };

static void default_address(struct address *a, uint8_t n)
{
    if (address_is_zero(*a)) {
        *a = fixed_address(n);
    }
}

void poco_defaults(struct poco_config *c)
{
    default_address(&c->hub, 1);
    default_address(&c->token, 2);
    default_address(&c->app_registry, 3);
    default_address(&c->dataset_registry, 4);
    default_address(&c->workerpool_registry, 5);
    if (c->rules != RULES_6_1) {
        c->rules = RULES_6_2;
    }
    if (hash_is_zero(c->proxy_code_hash)) {
        c->proxy_code_hash = keccak256(proxy_code());
    }
}

static enum outcome put_chain(struct frame *f, const struct poco_config *c)
{
    struct key k = hub_key(HUB_CHAIN);
    uint8_t b[512];
    struct pack w = {.p = b, .size = sizeof(b)};
    struct chain *n = &f->run->chain;
    *n = (struct chain){.rules = c->rules,
                        .switch_height = c->switch_height,
                        .chain_id = c->chain_id,
                        .boost = c->boost,
                        .hub = c->hub,
                        .token = c->token,
                        .registry = {c->app_registry, c->dataset_registry, c->workerpool_registry},
                        .group_factory = fixed_address(6),
                        .wallet_factory = fixed_address(7),
                        .inbox_factory = fixed_address(8),
                        .proxy_code_hash = c->proxy_code_hash};
    pack_u8(&w, (uint8_t)n->rules);
    pack_u64(&w, n->switch_height);
    pack_u64(&w, n->chain_id);
    pack_u8(&w, n->boost ? 1 : 0);
    pack_address(&w, n->hub);
    pack_address(&w, n->token);
    for (size_t i = 0; i < 3; i++) {
        pack_address(&w, n->registry[i]);
    }
    pack_address(&w, n->group_factory);
    pack_address(&w, n->wallet_factory);
    pack_address(&w, n->inbox_factory);
    pack_hash(&w, n->proxy_code_hash);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

static enum outcome put_accounts_with_code(struct frame *f, const struct chain *n)
{
    DO(code_write(f, n->hub, CODE_HUB, (struct bytes){0}));
    DO(code_write(f, n->token, CODE_TOKEN, (struct bytes){0}));
    for (uint8_t i = 0; i < 3; i++) {
        DO(code_write(f, n->registry[i], CODE_REGISTRY, BYTES_OF(i)));
    }
    DO(code_write(f, n->group_factory, CODE_GROUP_FACTORY, (struct bytes){0}));
    DO(code_write(f, n->wallet_factory, CODE_WALLET_FACTORY, (struct bytes){0}));
    DO(code_write(f, n->inbox_factory, CODE_INBOX_FACTORY, (struct bytes){0}));
    for (uint8_t i = 0; i < FACETS; i++) {
        DO(code_write(f, facet_address(i), CODE_FACET, BYTES_OF(i)));
    }
    return OUT_APPLIED;
}

struct address facet_address(unsigned i)
{
    return fixed_address((uint8_t)(ADDRESS_FACETS + i));
}

static enum outcome put_registries(struct frame *f, const struct poco_config *c)
{
    static const char *const names[] = {"app", "dataset", "workerpool"};
    for (unsigned i = 0; i < 3; i++) {
        char uri[96];
        (void)snprintf(uri, sizeof(uri), "https://nfts-metadata.iex.ec/%s/%llu/", names[i],
                       (unsigned long long)c->chain_id);
        struct registry r = {.owner = c->owner, .initialized = true, .base_uri = bytes_str(uri)};
        DO(registry_put(f, i, &r));
    }
    return OUT_APPLIED;
}

static enum outcome put_settings(struct frame *f, const struct poco_config *c)
{
    struct settings s = {.owner = c->owner,
                         .token = c->token,
                         .registry = {c->app_registry, c->dataset_registry, c->workerpool_registry},
                         .callbackgas = u256_from(f->run->rules->callbackgas),
                         .separator = order_domain(u256_from(c->chain_id), c->hub),
                         .decimals = 9,
                         .name = BYTES_LIT("Staked RLC"),
                         .symbol = BYTES_LIT("SRLC")};
    return settings_put(f, &s);
}

static enum outcome put_categories(struct frame *f, const struct poco_config *c)
{
    static const struct poco_category usual[] = {
        {"XS", "\"\"", {{300, 0, 0, 0}}},   {"S", "\"\"", {{1200, 0, 0, 0}}},
        {"M", "\"\"", {{3600, 0, 0, 0}}},   {"L", "\"\"", {{10800, 0, 0, 0}}},
        {"XL", "\"\"", {{36000, 0, 0, 0}}},
    };
    const struct poco_category *list = c->categories_n > 0 ? c->categories : usual;
    size_t n = c->categories_n > 0 ? c->categories_n : ARRAY_LEN(usual);
    for (size_t i = 0; i < n; i++) {
        struct bytes name = bytes_str(list[i].name), text = bytes_str(list[i].description);
        struct key k = key_of(STATE_CATEGORY);
        key_u64(&k, i);
        struct pack w = {.size = 40 + name.n + text.n};
        DO(call_alloc(f, w.size, &w.p));
        pack_u256(&w, list[i].work_clock_time_ref);
        pack_bytes(&w, name);
        pack_bytes(&w, text);
        DO(st_put(f, &k, (struct bytes){w.p, w.n}));
    }
    struct key count = hub_key(HUB_CATEGORIES);
    return put_u64(f, &count, n);
}

static struct key token_key(struct address a)
{
    struct key k = key_of(STATE_BALANCE);
    key_u8(&k, CODE_TOKEN);
    key_address(&k, a);
    return k;
}

/* Balances add up: an account may be named more than once. */
static enum outcome put_balances(struct frame *f, const struct poco_config *c)
{
    struct u256 supply = {0}, staked = {0}, have;
    for (size_t i = 0; i < c->accounts_n; i++) {
        const struct poco_account *p = &c->accounts[i];
        struct key k = token_key(p->address);
        struct account acc;
        DO(get_u256(f, &k, &have));
        CHECKED(f, u256_add(&have, have, p->rlc) && u256_add(&supply, supply, p->rlc) &&
                       u256_add(&staked, staked, p->stake));
        DO(put_u256(f, &k, have));
        DO(stake_read(f, p->address, &acc));
        CHECKED(f, u256_add(&acc.stake, acc.stake, p->stake));
        DO(stake_write(f, p->address, &acc));
    }
    struct key hub = token_key(c->hub), sum = hub_key(HUB_SUPPLY), token = hub_key(HUB_TOKEN);
    DO(get_u256(f, &hub, &have));
    CHECKED(f, u256_add(&have, have, staked) && u256_add(&supply, supply, staked));
    DO(put_u256(f, &hub, have));
    DO(put_u256(f, &sum, staked));
    uint8_t b[84];
    struct pack w = {.p = b, .size = sizeof(b)};
    pack_address(&w, c->owner);
    pack_u256(&w, supply);
    pack_u256(&w, supply);
    return st_put(f, &token, (struct bytes){w.p, w.n});
}

static rc check(const struct poco_config *c, struct err *e)
{
    const struct address all[] = {c->hub,
                                  c->token,
                                  c->app_registry,
                                  c->dataset_registry,
                                  c->workerpool_registry,
                                  fixed_address(6),
                                  fixed_address(7),
                                  fixed_address(8)};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (size_t j = 0; j < i; j++) {
            if (address_eq(all[i], all[j])) {
                return err_set(e, RC_CODE_MALFORMED,
                               "genesis: two contracts have the same address");
            }
        }
    }
    if (c->rules == RULES_6_2 && c->switch_height != 0) {
        return err_set(e, RC_CODE_MALFORMED,
                       "genesis: rules 6.2 already hold; remove the height "
                       "at which they begin");
    }
    return RC_OK;
}

rc poco_genesis(struct state *s, const struct poco_config *config, struct err *e)
{
    struct poco_config c = *config;
    struct arena arena;
    poco_defaults(&c);
    TRY(check(&c, e));
    arena_init(&arena, (size_t)64 << 20);
    struct poco_env env = {.chain_id = c.chain_id, .state = s, .arena = &arena};
    struct run run = {.env = &env, .gas = UINT64_MAX, .buf = buf_new(1 << 20)};
    struct frame f = {.run = &run, .self = c.hub};
    run.rules = rules_at(c.rules, c.switch_height, 0);
    enum outcome o = put_chain(&f, &c);
    o = o == OUT_APPLIED ? put_accounts_with_code(&f, &run.chain) : o;
    o = o == OUT_APPLIED ? put_registries(&f, &c) : o;
    o = o == OUT_APPLIED ? put_settings(&f, &c) : o;
    o = o == OUT_APPLIED ? put_categories(&f, &c) : o;
    o = o == OUT_APPLIED ? put_balances(&f, &c) : o;
    buf_free(&run.buf);
    arena_reset(&arena);
    if (o == OUT_REVERTED) {
        return err_set(e, RC_CODE_MALFORMED, "genesis: the balances do not fit in 256 bits");
    }
    return o == OUT_APPLIED ? RC_OK
                            : err_set(e, RC_CODE_CORRUPT, "genesis: %s",
                                      run.fault != NULL ? run.fault : "the state failed");
}

rc poco_constants(struct state *s, uint64_t chain_id, struct poco_constants *out)
{
    struct poco_env env = {.state = s, .chain_id = chain_id};
    struct run run = {.env = &env};
    struct frame f = {.run = &run};
    if (chain_get(&f, &run.chain) != OUT_APPLIED) {
        return RC(CORRUPT);
    }
    out->hub = run.chain.hub;
    out->domain = order_domain(u256_from(chain_id), out->hub);
    return RC_OK;
}
