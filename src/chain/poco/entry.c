/* SPDX-License-Identifier: Apache-2.0 */
/* Apps, datasets and workerpools: what each entry answers itself. SPEC poco 9. */
#include "chain/poco/poco_int.h"

enum outcome app_entry_parse(struct frame *f, struct bytes record, struct app_entry *e)
{
    struct cur c = cur_of(record);
    e->name = take_packed(&c);
    e->type = take_packed(&c);
    e->multiaddr = take_packed(&c);
    e->checksum = take_hash(&c);
    e->mrenclave = take_packed(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "an app in the state is damaged");
}

enum outcome dataset_entry_parse(struct frame *f, struct bytes record, struct dataset_entry *e)
{
    struct cur c = cur_of(record);
    e->name = take_packed(&c);
    e->multiaddr = take_packed(&c);
    e->checksum = take_hash(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a dataset in the state is damaged");
}

enum outcome pool_entry_parse(struct frame *f, struct bytes record, struct pool_entry *e)
{
    struct cur c = cur_of(record);
    e->policy.stake_ratio = take_u256(&c);
    e->policy.scheduler_ratio = take_u256(&c);
    e->description = take_packed(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a workerpool in the state is damaged");
}

static bool is_entry(enum code_kind kind)
{
    return kind == CODE_APP || kind == CODE_DATASET || kind == CODE_WORKERPOOL;
}

enum outcome owner_of_asset(struct frame *f, struct address asset, struct address *owner)
{
    enum code_kind kind;
    struct bytes record, out;
    DO(code_read(f, asset, &kind, &record));
    if (is_entry(kind)) {
        return nft_owner(f, (unsigned)(kind - CODE_APP), asset, owner);
    }
    static const uint8_t data[] = {0x8d, 0xa5, 0xcb, 0x5b};
    struct inner c = {.to = asset,
                      .from = f->self,
                      .data = {data, sizeof(data)},
                      .gas = UINT64_MAX,
                      .is_static = true};
    DO(call_high(f, &c, &out));
    struct abi_in in = abi_of(out);
    *owner = abi_take_address(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    return OUT_APPLIED;
}

enum outcome workerpool_policy(struct frame *f, struct address pool, struct policy *p)
{
    enum code_kind kind;
    struct bytes record;
    struct pool_entry e;
    DO(code_read(f, pool, &kind, &record));
    /* A registered workerpool is one of ours, unless the owner changed the registries so that
     * entries of another kind pass; those have no policy to ask for. */
    REQUIRE(f, kind == CODE_WORKERPOOL);
    DO(pool_entry_parse(f, record, &e));
    *p = e.policy;
    return OUT_APPLIED;
}

static unsigned registry_kind_of(const struct frame *f)
{
    return (unsigned)(f->contract - CONTRACT_app);
}

static enum outcome entry_owner(struct frame *f)
{
    struct address owner;
    DO(nft_owner(f, registry_kind_of(f), f->self, &owner));
    return ret_address(f, owner);
}

static enum outcome entry_only_owner(struct frame *f)
{
    struct address owner;
    DO(nft_owner(f, registry_kind_of(f), f->self, &owner));
    REQUIRE_TEXT(f, address_eq(owner, f->from), REVERT_ENTRY_NOT_OWNER);
    return OUT_APPLIED;
}

static enum outcome entry_set_name(struct frame *f)
{
    (void)take_registry_address(f);
    (void)abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(entry_only_owner(f));
    return revert_text(f, REVERT_NOT_SUPPORTED);
}

/* Every entry was initialized when it was made. The arguments only have to decode. */
static enum outcome entry_initialize(struct frame *f, size_t strings_before, bool checksum,
                                     size_t strings_after)
{
    for (size_t i = 0; i < strings_before; i++) {
        (void)take_registry_memory(f);
    }
    if (checksum) {
        (void)abi_take_hash(&f->in);
    }
    for (size_t i = 0; i < strings_after; i++) {
        (void)take_registry_memory(f);
    }
    ARGS_END(f);
    return revert_text(f, REVERT_ENTRY_INITIALIZED);
}

#define HANDLER(name)                                                                              \
    enum outcome on_##name(struct frame *f);                                                       \
    enum outcome on_##name(struct frame *f)

HANDLER(app_owner)
{
    return entry_owner(f);
}

HANDLER(app_registry)
{
    return ret_address(f, f->run->chain.registry[POCO_APP]);
}

HANDLER(app_setName)
{
    return entry_set_name(f);
}

HANDLER(app_initialize)
{
    return entry_initialize(f, 3, true, 1);
}

HANDLER(app_m_appName)
{
    struct app_entry e;
    DO(app_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.name);
}

HANDLER(app_m_appType)
{
    struct app_entry e;
    DO(app_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.type);
}

HANDLER(app_m_appMultiaddr)
{
    struct app_entry e;
    DO(app_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.multiaddr);
}

HANDLER(app_m_appChecksum)
{
    struct app_entry e;
    DO(app_entry_parse(f, f->record, &e));
    return ret_word(f, e.checksum);
}

HANDLER(app_m_appMREnclave)
{
    struct app_entry e;
    DO(app_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.mrenclave);
}

HANDLER(dataset_owner)
{
    return entry_owner(f);
}

HANDLER(dataset_registry)
{
    return ret_address(f, f->run->chain.registry[POCO_DATASET]);
}

HANDLER(dataset_setName)
{
    return entry_set_name(f);
}

HANDLER(dataset_initialize)
{
    return entry_initialize(f, 2, true, 0);
}

HANDLER(dataset_m_datasetName)
{
    struct dataset_entry e;
    DO(dataset_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.name);
}

HANDLER(dataset_m_datasetMultiaddr)
{
    struct dataset_entry e;
    DO(dataset_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.multiaddr);
}

HANDLER(dataset_m_datasetChecksum)
{
    struct dataset_entry e;
    DO(dataset_entry_parse(f, f->record, &e));
    return ret_word(f, e.checksum);
}

HANDLER(workerpool_owner)
{
    return entry_owner(f);
}

HANDLER(workerpool_registry)
{
    return ret_address(f, f->run->chain.registry[POCO_WORKERPOOL]);
}

HANDLER(workerpool_setName)
{
    return entry_set_name(f);
}

HANDLER(workerpool_initialize)
{
    return entry_initialize(f, 1, false, 0);
}

HANDLER(workerpool_m_workerpoolDescription)
{
    struct pool_entry e;
    DO(pool_entry_parse(f, f->record, &e));
    return ret_bytes(f, e.description);
}

HANDLER(workerpool_m_workerStakeRatioPolicy)
{
    struct pool_entry e;
    DO(pool_entry_parse(f, f->record, &e));
    return ret_u256(f, e.policy.stake_ratio);
}

HANDLER(workerpool_m_schedulerRewardRatioPolicy)
{
    struct pool_entry e;
    DO(pool_entry_parse(f, f->record, &e));
    return ret_u256(f, e.policy.scheduler_ratio);
}

HANDLER(workerpool_changePolicy)
{
    struct pool_entry e;
    struct policy n;
    n.stake_ratio = abi_take_u256(&f->in);
    n.scheduler_ratio = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(entry_only_owner(f));
    REQUIRE(f, !u256_lt(u256_from(100), n.scheduler_ratio));
    DO(pool_entry_parse(f, f->record, &e));
    struct pack w = {.size = 64 + 4 + e.description.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_u256(&w, n.stake_ratio);
    pack_u256(&w, n.scheduler_ratio);
    pack_bytes(&w, e.description);
    DO(code_write(f, f->self, CODE_WORKERPOOL, (struct bytes){w.p, w.n}));
    struct hash words[] = {word_u256(e.policy.stake_ratio), word_u256(n.stake_ratio),
                           word_u256(e.policy.scheduler_ratio), word_u256(n.scheduler_ratio)};
    return log_words(f, EVENT_workerpool_PolicyUpdate, 0, NULL, 4, words);
}
