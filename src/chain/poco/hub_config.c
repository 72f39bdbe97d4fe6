/* SPDX-License-Identifier: Apache-2.0 */
/* The hub's configuration, ownership and categories. SPEC poco 2. */
#include "chain/poco/poco_int.h"

struct key hub_key(enum hub_record which)
{
    struct key k = key_of(STATE_HUB);
    key_u8(&k, (uint8_t)which);
    return k;
}

enum outcome chain_get(struct frame *f, struct chain *o)
{
    struct key k = hub_key(HUB_CHAIN);
    struct bytes b;
    rc r = state_get(f->run->env->state, (struct bytes){k.b, k.n}, &b);
    if (!rc_ok(r)) {
        return call_fault(f, "the state has no market: genesis is missing");
    }
    struct cur c = cur_of(b);
    o->rules = (enum poco_rules)take_be(&c, 1);
    o->switch_height = take_be(&c, 8);
    o->chain_id = take_be(&c, 8);
    o->boost = take_be(&c, 1) != 0;
    o->hub = take_address(&c);
    o->token = take_address(&c);
    for (size_t i = 0; i < 3; i++) {
        o->registry[i] = take_address(&c);
    }
    o->group_factory = take_address(&c);
    o->wallet_factory = take_address(&c);
    o->inbox_factory = take_address(&c);
    o->proxy_code_hash = take_hash(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "the chain's constants are damaged");
}

enum outcome settings_get(struct frame *f, const struct settings **out)
{
    struct run *r = f->run;
    struct settings *s = &r->settings;
    *out = s;
    if (r->settings_loaded) {
        return OUT_APPLIED;
    }
    struct key k = hub_key(HUB_SETTINGS);
    struct bytes b;
    DO(st_get(f, &k, &b));
    struct cur c = cur_of(b);
    s->owner = take_address(&c);
    s->token = take_address(&c);
    for (size_t i = 0; i < 3; i++) {
        s->registry[i] = take_address(&c);
    }
    s->v3_hub = take_address(&c);
    s->teebroker = take_address(&c);
    s->callbackgas = take_u256(&c);
    s->separator = take_hash(&c);
    s->decimals = (uint8_t)take_be(&c, 1);
    s->name = take_packed(&c);
    s->symbol = take_packed(&c);
    if (!rc_ok(cur_end(&c))) {
        return call_fault(f, "the hub's settings are damaged");
    }
    r->settings_loaded = true;
    return OUT_APPLIED;
}

enum outcome settings_put(struct frame *f, const struct settings *s)
{
    struct key k = hub_key(HUB_SETTINGS);
    struct pack w = {.size = 7 * 20 + 2 * 32 + 1 + 8 + s->name.n + s->symbol.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_address(&w, s->owner);
    pack_address(&w, s->token);
    for (size_t i = 0; i < 3; i++) {
        pack_address(&w, s->registry[i]);
    }
    pack_address(&w, s->v3_hub);
    pack_address(&w, s->teebroker);
    pack_u256(&w, s->callbackgas);
    pack_hash(&w, s->separator);
    pack_u8(&w, s->decimals);
    pack_bytes(&w, s->name);
    pack_bytes(&w, s->symbol);
    f->run->settings_loaded = false;
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

enum outcome only_owner(struct frame *f)
{
    const struct settings *s;
    DO(settings_get(f, &s));
    REQUIRE_TEXT(f, address_eq(s->owner, f->from), REVERT_NOT_OWNER);
    return OUT_APPLIED;
}

enum outcome on_hub_configure(struct frame *f);
enum outcome on_hub_updateDomainSeparator(struct frame *f);
enum outcome on_hub_importScore(struct frame *f);
enum outcome on_hub_setTeeBroker(struct frame *f);
enum outcome on_hub_setCallbackGas(struct frame *f);
enum outcome on_hub_changeRegistries(struct frame *f);
enum outcome on_hub_createCategory(struct frame *f);
enum outcome on_hub_owner(struct frame *f);
enum outcome on_hub_transferOwnership(struct frame *f);

enum outcome on_hub_configure(struct frame *f)
{
    struct settings n;
    const struct settings *s;
    n.token = abi_take_address(&f->in);
    n.name = abi_take_bytes(&f->in);
    n.symbol = abi_take_bytes(&f->in);
    n.decimals = (uint8_t)abi_take_uint(&f->in, 8);
    for (size_t i = 0; i < 3; i++) {
        n.registry[i] = abi_take_address(&f->in);
    }
    n.v3_hub = abi_take_address(&f->in);
    ARGS_END(f);
    DO(only_owner(f));
    DO(settings_get(f, &s));
    REQUIRE_TEXT(f, hash_is_zero(s->separator), REVERT_ALREADY_CONFIGURED);
    n.owner = s->owner;
    n.teebroker = s->teebroker;
    n.separator = order_domain(u256_from(f->run->env->chain_id), f->self);
    n.callbackgas = u256_from(f->run->rules->callbackgas);
    return settings_put(f, &n);
}

enum outcome on_hub_updateDomainSeparator(struct frame *f)
{
    const struct settings *s;
    DO(settings_get(f, &s));
    REQUIRE_TEXT(f, !hash_is_zero(s->separator), REVERT_NOT_CONFIGURED);
    struct settings n = *s;
    n.separator = order_domain(u256_from(f->run->env->chain_id), f->self);
    return settings_put(f, &n);
}

enum outcome on_hub_importScore(struct frame *f)
{
    const struct settings *s;
    struct bytes b, out;
    struct u256 score;
    struct address worker = abi_take_address(&f->in);
    ARGS_END(f);
    struct key k = key_with_address(STATE_IMPORTED, worker);
    DO(st_get(f, &k, &b));
    REQUIRE_TEXT(f, b.p == NULL, REVERT_SCORE_IMPORTED);
    DO(settings_get(f, &s));
    uint8_t data[36] = {0xdb, 0x23, 0x0b, 0x52}; /* viewScore(address) */
    memcpy(data + 16, worker.b, sizeof(worker.b));
    struct inner c = {.to = s->v3_hub,
                      .from = f->self,
                      .data = {data, sizeof(data)},
                      .gas = UINT64_MAX,
                      .is_static = true};
    DO(call_high(f, &c, &out));
    struct abi_in in = abi_of(out);
    struct u256 old = abi_take_u256(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    struct key ks = key_with_address(STATE_SCORE, worker);
    DO(get_u256(f, &ks, &score));
    DO(put_u256(f, &ks, u256_lt(score, old) ? old : score));
    return st_put(f, &k, BYTES_LIT("\1"));
}

enum outcome on_hub_setTeeBroker(struct frame *f)
{
    const struct settings *s;
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    DO(only_owner(f));
    DO(settings_get(f, &s));
    struct settings n = *s;
    n.teebroker = a;
    return settings_put(f, &n);
}

enum outcome on_hub_setCallbackGas(struct frame *f)
{
    const struct settings *s;
    struct u256 gas = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(only_owner(f));
    DO(settings_get(f, &s));
    struct settings n = *s;
    n.callbackgas = gas;
    return settings_put(f, &n);
}

enum outcome on_hub_changeRegistries(struct frame *f)
{
    const struct settings *s;
    struct address a[3];
    for (size_t i = 0; i < 3; i++) {
        a[i] = abi_take_address(&f->in);
    }
    ARGS_END(f);
    DO(only_owner(f));
    DO(settings_get(f, &s));
    struct settings n = *s;
    memcpy(n.registry, a, sizeof(a));
    return settings_put(f, &n);
}

enum outcome on_hub_createCategory(struct frame *f)
{
    uint64_t n;
    struct bytes name = abi_take_bytes(&f->in);
    struct bytes description = abi_take_bytes(&f->in);
    struct u256 timeref = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(only_owner(f));
    struct key count = hub_key(HUB_CATEGORIES);
    DO(get_u64(f, &count, &n));
    struct key k = key_of(STATE_CATEGORY);
    key_u64(&k, n);
    struct pack w = {.size = 40 + name.n + description.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_u256(&w, timeref);
    pack_bytes(&w, name);
    pack_bytes(&w, description);
    DO(st_put(f, &k, (struct bytes){w.p, w.n}));
    DO(put_u64(f, &count, n + 1));
    struct abi_out o = out_begin(f, 4);
    abi_put_u64(&o, n);
    abi_put_bytes(&o, name);
    abi_put_bytes(&o, description);
    abi_put_u256(&o, timeref);
    DO(out_end(f));
    DO(log_emit(f, EVENT_hub_CreateCategory, 0, NULL, f->out));
    return ret_u64(f, n);
}

enum outcome on_hub_owner(struct frame *f)
{
    const struct settings *s;
    DO(settings_get(f, &s));
    return ret_address(f, s->owner);
}

enum outcome on_hub_transferOwnership(struct frame *f)
{
    const struct settings *s;
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    DO(settings_get(f, &s));
    if (!address_eq(s->owner, f->from)) {
        struct hash words[] = {word_address(f->from), word_address(s->owner)};
        return revert_error(f, ERROR_NotContractOwner, 2, words);
    }
    struct hash topics[] = {word_address(s->owner), word_address(a)};
    struct settings n = *s;
    n.owner = a;
    DO(settings_put(f, &n));
    return log_words(f, EVENT_hub_OwnershipTransferred, 2, topics, 0, NULL);
}
