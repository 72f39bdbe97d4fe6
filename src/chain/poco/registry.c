/* SPDX-License-Identifier: Apache-2.0 */
/* The three registries: creating entries, and what an owner may do. SPEC poco 9. */
#include "chain/poco/poco_int.h"
#include "crypto/keccak.h"

/* A native entry has no proxy; this stands where its creation code would. */
struct bytes proxy_code(void)
{
    return BYTES_LIT("\xfesouk:entry proxy, version 1");
}

struct address entry_address(struct address deployer, struct hash salt, struct hash code_hash)
{
    uint8_t b[1 + 20 + 32 + 32] = {0xff};
    struct address a;
    memcpy(b + 1, deployer.b, 20);
    memcpy(b + 21, salt.b, 32);
    memcpy(b + 53, code_hash.b, 32);
    struct hash h = keccak256((struct bytes){b, sizeof(b)});
    memcpy(a.b, h.b + 12, sizeof(a.b));
    return a;
}

enum outcome registry_refuse(struct frame *f, enum refusal why, size_t n, const struct hash *words)
{
    enum revert id = f->run->rules->refusal[why];
    return iface_revert(id)->is_text ? revert_text(f, id) : revert_error(f, id, n, words);
}

struct address take_registry_address(struct frame *f)
{
    if (f->run->rules->registry_strict) {
        return abi_take_address(&f->in);
    }
    struct hash w = abi_take_hash(&f->in);
    struct address a;
    memcpy(a.b, w.b + 12, sizeof(a.b));
    return a;
}

struct bytes take_registry_memory(struct frame *f)
{
    return f->run->rules->registry_strict ? abi_take_memory(&f->in) : abi_take_bytes(&f->in);
}

static struct key registry_key(unsigned kind)
{
    struct key k = key_of(STATE_REGISTRY);
    key_u8(&k, (uint8_t)kind);
    return k;
}

enum outcome registry_get(struct frame *f, unsigned kind, struct registry *r)
{
    struct key k = registry_key(kind);
    struct bytes b;
    DO(st_get(f, &k, &b));
    struct cur c = cur_of(b);
    r->owner = take_address(&c);
    r->previous = take_address(&c);
    r->initialized = take_be(&c, 1) != 0;
    r->total = take_be(&c, 8);
    r->base_uri = take_packed(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a registry in the state is damaged");
}

enum outcome registry_put(struct frame *f, unsigned kind, const struct registry *r)
{
    struct key k = registry_key(kind);
    struct pack w = {.size = 20 + 20 + 1 + 8 + 4 + r->base_uri.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_address(&w, r->owner);
    pack_address(&w, r->previous);
    pack_u8(&w, r->initialized ? 1 : 0);
    pack_u64(&w, r->total);
    pack_bytes(&w, r->base_uri);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

static unsigned registry_kind_of(const struct frame *f)
{
    return f->record.n > 0 ? f->record.p[0] : 0;
}

static enum outcome registry_only_owner(struct frame *f, struct registry *r)
{
    DO(registry_get(f, registry_kind_of(f), r));
    REQUIRE_TEXT(f, address_eq(r->owner, f->from), REVERT_NOT_OWNER);
    return OUT_APPLIED;
}

enum outcome registry_has(struct frame *f, struct address registry, struct address entry, bool *yes)
{
    enum code_kind kind;
    struct bytes record, out;
    struct nft n;
    DO(code_read(f, registry, &kind, &record));
    if (kind == CODE_REGISTRY && record.n == 1) {
        DO(nft_get(f, record.p[0], entry, &n));
        if (n.exists) {
            *yes = true;
            return OUT_APPLIED;
        }
    }
    uint8_t data[36] = {0xc3, 0xc5, 0xa5, 0x47};
    memcpy(data + 16, entry.b, sizeof(entry.b));
    struct inner c = {.to = registry,
                      .from = f->self,
                      .data = {data, sizeof(data)},
                      .gas = UINT64_MAX,
                      .is_static = true};
    DO(call_high(f, &c, &out));
    struct abi_in in = abi_of(out);
    *yes = abi_take_bool(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    return OUT_APPLIED;
}

/* --- creating --- */

struct creation {
    struct address owner, entry;
    struct bytes record; /* of the code table */
};

/* Takes the arguments of createX or predictX and finds the entry's address. */
static enum outcome take_creation(struct frame *f, struct creation *c)
{
    struct bytes s[4] = {0}, args;
    struct hash checksum = {0};
    unsigned kind = registry_kind_of(f);
    c->owner = take_registry_address(f);
    s[0] = abi_take_bytes(&f->in);
    if (kind == POCO_APP) {
        s[1] = abi_take_bytes(&f->in);
    }
    if (kind != POCO_WORKERPOOL) {
        s[2] = abi_take_bytes(&f->in);
        checksum = abi_take_hash(&f->in);
    }
    if (kind == POCO_APP) {
        s[3] = abi_take_bytes(&f->in);
    }
    ARGS_END(f);
    static const enum method init[] = {METHOD_app_initialize, METHOD_dataset_initialize,
                                       METHOD_workerpool_initialize};
    static const size_t words[] = {5, 3, 1};
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_method(init[kind])->selector, 4);
    struct abi_out o = abi_begin(b, words[kind]);
    struct pack w = {.size = 64 + 16 + s[0].n + s[1].n + s[2].n + s[3].n};
    DO(call_alloc(f, w.size, &w.p));
    if (kind == POCO_WORKERPOOL) {
        pack_u256(&w, u256_from(30)); /* stake ratio and scheduler's ratio of a new pool */
        pack_u256(&w, u256_from(1));
    }
    abi_put_bytes(&o, s[0]);
    pack_bytes(&w, s[0]);
    if (kind == POCO_APP) {
        abi_put_bytes(&o, s[1]);
        pack_bytes(&w, s[1]);
    }
    if (kind != POCO_WORKERPOOL) {
        abi_put_bytes(&o, s[2]);
        abi_put_hash(&o, checksum);
        pack_bytes(&w, s[2]);
        pack_hash(&w, checksum);
    }
    if (kind == POCO_APP) {
        abi_put_bytes(&o, s[3]);
        pack_bytes(&w, s[3]);
    }
    c->record = (struct bytes){w.p, w.n};
    DO(out_keep(f, &args));
    struct hash salt = keccak256_2(args, BYTES_OF(c->owner));
    c->entry = entry_address(f->self, salt, f->run->chain.proxy_code_hash);
    return OUT_APPLIED;
}

static enum outcome create(struct frame *f)
{
    struct creation c;
    bool taken;
    DO(take_creation(f, &c));
    DO(code_is_at(f, c.entry, &taken));
    REQUIRE_TEXT(f, !taken, REVERT_CREATE2_FAILED);
    DO(code_write(f, c.entry, (enum code_kind)(CODE_APP + registry_kind_of(f)), c.record));
    DO(nft_mint(f, registry_kind_of(f), c.owner, c.entry));
    return ret_address(f, c.entry);
}

static enum outcome predict(struct frame *f)
{
    struct creation c;
    DO(take_creation(f, &c));
    return ret_address(f, c.entry);
}

#define HANDLER(name)                                                                              \
    enum outcome on_##name(struct frame *f);                                                       \
    enum outcome on_##name(struct frame *f)

HANDLER(appRegistry_createApp)
{
    return create(f);
}

HANDLER(appRegistry_predictApp)
{
    return predict(f);
}

HANDLER(datasetRegistry_createDataset)
{
    return create(f);
}

HANDLER(datasetRegistry_predictDataset)
{
    return predict(f);
}

HANDLER(workerpoolRegistry_createWorkerpool)
{
    return create(f);
}

HANDLER(workerpoolRegistry_predictWorkerpool)
{
    return predict(f);
}

/* --- the registry itself --- */

HANDLER(registry_isRegistered)
{
    struct nft n;
    struct registry r;
    bool yes = false;
    struct address entry = take_registry_address(f);
    ARGS_END(f);
    DO(nft_get(f, registry_kind_of(f), entry, &n));
    if (!n.exists) {
        DO(registry_get(f, registry_kind_of(f), &r));
        if (!address_is_zero(r.previous)) {
            DO(registry_has(f, r.previous, entry, &yes));
        }
    }
    return ret_bool(f, n.exists || yes);
}

HANDLER(registry_initialize)
{
    struct registry r;
    struct address previous = take_registry_address(f);
    ARGS_END(f);
    DO(registry_only_owner(f, &r));
    REQUIRE(f, !r.initialized);
    r.initialized = true;
    r.previous = previous;
    return registry_put(f, registry_kind_of(f), &r);
}

HANDLER(registry_setBaseURI)
{
    struct registry r;
    struct bytes uri = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(registry_only_owner(f, &r));
    r.base_uri = uri;
    return registry_put(f, registry_kind_of(f), &r);
}

HANDLER(registry_setName)
{
    struct registry r;
    (void)take_registry_address(f);
    (void)abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(registry_only_owner(f, &r));
    return revert_text(f, REVERT_NOT_SUPPORTED); /* ENS is not here */
}

static enum outcome give_registry(struct frame *f, struct registry *r, struct address to)
{
    struct hash topics[] = {word_address(r->owner), word_address(to)};
    r->owner = to;
    DO(registry_put(f, registry_kind_of(f), r));
    return log_words(f, EVENT_registry_OwnershipTransferred, 2, topics, 0, NULL);
}

HANDLER(registry_transferOwnership)
{
    struct registry r;
    struct address to = take_registry_address(f);
    ARGS_END(f);
    DO(registry_only_owner(f, &r));
    if (address_is_zero(to)) {
        return registry_refuse(f, REFUSE_OWNER_ZERO, 1, &(struct hash){0});
    }
    return give_registry(f, &r, to);
}

HANDLER(registry_renounceOwnership)
{
    struct registry r;
    DO(registry_only_owner(f, &r));
    return give_registry(f, &r, (struct address){0});
}

HANDLER(registry_owner)
{
    struct registry r;
    DO(registry_get(f, registry_kind_of(f), &r));
    return ret_address(f, r.owner);
}

HANDLER(registry_previous)
{
    struct registry r;
    DO(registry_get(f, registry_kind_of(f), &r));
    return ret_address(f, r.previous);
}

HANDLER(registry_initialized)
{
    struct registry r;
    DO(registry_get(f, registry_kind_of(f), &r));
    return ret_bool(f, r.initialized);
}

HANDLER(registry_baseURI)
{
    struct registry r;
    DO(registry_get(f, registry_kind_of(f), &r));
    return ret_bytes(f, r.base_uri);
}

/* Where the reference keeps the entries' implementation: an address of the registry's own. */
HANDLER(registry_master)
{
    struct hash h = keccak256_2(BYTES_OF(f->self), BYTES_LIT("master"));
    struct address a;
    memcpy(a.b, h.b + 12, sizeof(a.b));
    return ret_address(f, a);
}

HANDLER(registry_proxyCode)
{
    return ret_bytes(f, proxy_code());
}

HANDLER(registry_proxyCodeHash)
{
    return ret_word(f, f->run->chain.proxy_code_hash);
}

HANDLER(registry_name)
{
    static const char *const names[] = {"iExec Application Registry (V5)",
                                        "iExec Dataset Registry (V5)",
                                        "iExec Workerpool Registry (V5)"};
    return ret_bytes(f, bytes_str(names[registry_kind_of(f)]));
}

HANDLER(registry_symbol)
{
    static const char *const symbols[] = {"iExecAppsV5", "iExecDatasetsV5", "iExecWorkerpoolV5"};
    return ret_bytes(f, bytes_str(symbols[registry_kind_of(f)]));
}
