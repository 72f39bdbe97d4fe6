/* SPDX-License-Identifier: Apache-2.0 */
/* What the hub shows: constants, configuration and the structs of deals and tasks. SPEC poco 8. */
#include "chain/poco/poco_int.h"

#define HANDLER(name)                                                                              \
    enum outcome on_hub_##name(struct frame *f);                                                   \
    enum outcome on_hub_##name(struct frame *f)

/* --- constants (SPEC poco 1) --- */

HANDLER(contribution_deadline_ratio)
{
    return ret_u64(f, 7);
}

HANDLER(reveal_deadline_ratio)
{
    return ret_u64(f, 2);
}

HANDLER(final_deadline_ratio)
{
    return ret_u64(f, 10);
}

HANDLER(workerpool_stake_ratio)
{
    return ret_u64(f, 30);
}

HANDLER(kitty_ratio)
{
    return ret_u64(f, 10);
}

HANDLER(kitty_min)
{
    return ret_u64(f, 1000000000);
}

HANDLER(kitty_address)
{
    return ret_address(f, kitty_address);
}

HANDLER(groupmember_purpose)
{
    return ret_u64(f, 4);
}

/* --- configuration --- */

#define SETTING(name, expr)                                                                        \
    HANDLER(name)                                                                                  \
    {                                                                                              \
        const struct settings *s;                                                                  \
        DO(settings_get(f, &s));                                                                   \
        return expr;                                                                               \
    }

SETTING(token, ret_address(f, s->token))
SETTING(name, ret_bytes(f, s->name))
SETTING(symbol, ret_bytes(f, s->symbol))
SETTING(decimals, ret_u64(f, s->decimals))
SETTING(teebroker, ret_address(f, s->teebroker))
SETTING(callbackgas, ret_u256(f, s->callbackgas))
SETTING(appregistry, ret_address(f, s->registry[POCO_APP]))
SETTING(datasetregistry, ret_address(f, s->registry[POCO_DATASET]))
SETTING(workerpoolregistry, ret_address(f, s->registry[POCO_WORKERPOOL]))
SETTING(eip712domain_separator, ret_word(f, s->separator))

HANDLER(domain)
{
    struct abi_out top = out_begin(f, 1), o = abi_put_tuple(&top, 4);
    abi_put_bytes(&o, BYTES_LIT("iExecODB"));
    abi_put_bytes(&o, BYTES_LIT("5.0.0"));
    abi_put_u64(&o, f->run->env->chain_id);
    abi_put_address(&o, f->self);
    return out_end(f);
}

HANDLER(countCategory)
{
    uint64_t n;
    struct key k = hub_key(HUB_CATEGORIES);
    DO(get_u64(f, &k, &n));
    return ret_u64(f, n);
}

HANDLER(viewCategory)
{
    struct category c;
    struct u256 id = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(category_get(f, id, &c));
    REQUIRE(f, c.exists);
    struct abi_out top = out_begin(f, 1), o = abi_put_tuple(&top, 3);
    abi_put_bytes(&o, c.name);
    abi_put_bytes(&o, c.description);
    abi_put_u256(&o, c.timeref);
    return out_end(f);
}

/* --- accounts, orders, scores --- */

HANDLER(viewAccount)
{
    struct account a;
    struct address owner = abi_take_address(&f->in);
    ARGS_END(f);
    DO(stake_read(f, owner, &a));
    struct abi_out o = out_begin(f, 2);
    abi_put_u256(&o, a.stake);
    abi_put_u256(&o, a.locked);
    return out_end(f);
}

HANDLER(viewScore)
{
    struct u256 v;
    struct address worker = abi_take_address(&f->in);
    ARGS_END(f);
    struct key k = key_with_address(STATE_SCORE, worker);
    DO(get_u256(f, &k, &v));
    return ret_u256(f, v);
}

HANDLER(viewConsumed)
{
    struct u256 v;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    struct key k = key_with_hash(STATE_CONSUMED, id);
    DO(get_u256(f, &k, &v));
    return ret_u256(f, v);
}

HANDLER(viewPresigned)
{
    struct address a;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    struct key k = key_with_hash(STATE_PRESIGNED, id);
    DO(get_address(f, &k, &a));
    return ret_address(f, a);
}

/* --- deals, tasks, contributions --- */

static void put_resource(struct abi_out *o, const struct resource *r)
{
    abi_put_address(o, r->pointer);
    abi_put_address(o, r->owner);
    abi_put_u256(o, r->price);
}

HANDLER(viewDeal)
{
    struct deal d;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(deal_read(f, id, &d));
    struct abi_out top = out_begin(f, 1), o = abi_put_tuple(&top, 22);
    put_resource(&o, &d.app);
    put_resource(&o, &d.dataset);
    put_resource(&o, &d.workerpool);
    abi_put_u256(&o, d.trust);
    abi_put_u256(&o, d.category);
    abi_put_hash(&o, d.tag);
    abi_put_address(&o, d.requester);
    abi_put_address(&o, d.beneficiary);
    abi_put_address(&o, d.callback);
    abi_put_bytes(&o, d.params);
    abi_put_u256(&o, d.start);
    abi_put_u256(&o, d.bot_first);
    abi_put_u256(&o, d.bot_size);
    abi_put_u256(&o, d.worker_stake);
    abi_put_u256(&o, d.scheduler_ratio);
    abi_put_address(&o, d.sponsor);
    return out_end(f);
}

/* The contributors of a task, in the call's memory. */
static enum outcome list_contributors(struct frame *f, struct hash id, const struct task *t,
                                      struct address **out)
{
    DO(call_alloc(f, t->contributors * sizeof(struct address), out));
    for (uint32_t i = 0; i < t->contributors; i++) {
        DO(contributor_get(f, id, i, &(*out)[i]));
    }
    return OUT_APPLIED;
}

static void put_task_head(struct abi_out *o, const struct task *t)
{
    abi_put_u64(o, (uint64_t)t->status);
    abi_put_hash(o, t->deal_id);
    abi_put_u256(o, t->idx);
    abi_put_u256(o, t->timeref);
    abi_put_u256(o, t->contribution_deadline);
    abi_put_u256(o, t->reveal_deadline);
    abi_put_u256(o, t->final_deadline);
    abi_put_hash(o, t->consensus_value);
    abi_put_u256(o, t->reveal_counter);
    abi_put_u256(o, t->winner_counter);
}

static void put_contributors(struct abi_out *o, const struct address *list, uint32_t n)
{
    struct abi_out a = abi_put_array(o, n, 1);
    for (uint32_t i = 0; i < n; i++) {
        abi_put_address(&a, list[i]);
    }
}

static enum outcome view_task(struct frame *f, bool legacy)
{
    struct task t;
    struct bytes results, callback;
    struct address *list;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    DO(results_get(f, id, &results, &callback));
    DO(list_contributors(f, id, &t, &list));
    struct abi_out top = out_begin(f, legacy ? 12 : 1), o = top;
    if (!legacy) {
        o = abi_put_tuple(&top, 15);
    }
    put_task_head(&o, &t);
    put_contributors(&o, list, t.contributors);
    if (!legacy) {
        abi_put_hash(&o, t.digest);
    }
    abi_put_bytes(&o, results);
    if (!legacy) {
        abi_put_u64(&o, 0); /* resultsTimestamp is never set */
        abi_put_bytes(&o, callback);
    }
    return out_end(f);
}

HANDLER(viewTask)
{
    return view_task(f, false);
}

HANDLER(viewTaskABILegacy)
{
    return view_task(f, true);
}

static enum outcome view_contribution(struct frame *f, bool legacy)
{
    struct contribution c;
    struct hash id = abi_take_hash(&f->in);
    struct address worker = abi_take_address(&f->in);
    ARGS_END(f);
    DO(contribution_get(f, id, worker, &c));
    struct abi_out o = out_begin(f, legacy ? 4 : 5);
    abi_put_u64(&o, (uint64_t)c.status);
    abi_put_hash(&o, c.hash);
    abi_put_hash(&o, c.seal);
    abi_put_address(&o, c.challenge);
    if (!legacy) {
        abi_put_u256(&o, c.weight);
    }
    return out_end(f);
}

HANDLER(viewContribution)
{
    return view_contribution(f, false);
}

HANDLER(viewContributionABILegacy)
{
    return view_contribution(f, true);
}

HANDLER(resultFor)
{
    struct task t;
    struct bytes results, callback;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(task_read(f, id, &t));
    REQUIRE_TEXT(f, t.status == TASK_COMPLETED, REVERT_TASK_PENDING);
    DO(results_get(f, id, &results, &callback));
    return ret_bytes(f, callback);
}

/* --- entries --- */

/* The entry's owner and record when it is of the kind; else what the call to it would have said. */
static enum outcome take_entry(struct frame *f, enum code_kind want, enum method first,
                               struct address *owner, struct bytes *record)
{
    enum code_kind kind;
    struct bytes out;
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    DO(owner_of_asset(f, a, owner));
    DO(code_read(f, a, &kind, record));
    if (kind == want) {
        return OUT_APPLIED;
    }
    uint32_t selector = __builtin_bswap32(iface_method(first)->selector);
    struct inner c = {
        .to = a, .from = f->self, .data = BYTES_OF(selector), .gas = UINT64_MAX, .is_static = true};
    DO(call_high(f, &c, &out));
    return revert_empty(f); /* an answer that cannot be decoded */
}

HANDLER(viewApp)
{
    struct address owner;
    struct bytes record;
    struct app_entry e;
    DO(take_entry(f, CODE_APP, METHOD_app_m_appName, &owner, &record));
    DO(app_entry_parse(f, record, &e));
    struct abi_out top = out_begin(f, 1), o = abi_put_tuple(&top, 6);
    abi_put_address(&o, owner);
    abi_put_bytes(&o, e.name);
    abi_put_bytes(&o, e.type);
    abi_put_bytes(&o, e.multiaddr);
    abi_put_hash(&o, e.checksum);
    abi_put_bytes(&o, e.mrenclave);
    return out_end(f);
}

HANDLER(viewDataset)
{
    struct address owner;
    struct bytes record;
    struct dataset_entry e;
    DO(take_entry(f, CODE_DATASET, METHOD_dataset_m_datasetName, &owner, &record));
    DO(dataset_entry_parse(f, record, &e));
    struct abi_out top = out_begin(f, 1), o = abi_put_tuple(&top, 4);
    abi_put_address(&o, owner);
    abi_put_bytes(&o, e.name);
    abi_put_bytes(&o, e.multiaddr);
    abi_put_hash(&o, e.checksum);
    return out_end(f);
}

HANDLER(viewWorkerpool)
{
    struct address owner;
    struct bytes record;
    struct pool_entry e;
    DO(take_entry(f, CODE_WORKERPOOL, METHOD_workerpool_m_workerpoolDescription, &owner, &record));
    DO(pool_entry_parse(f, record, &e));
    struct abi_out top = out_begin(f, 1), o = abi_put_tuple(&top, 4);
    abi_put_address(&o, owner);
    abi_put_bytes(&o, e.description);
    abi_put_u256(&o, e.policy.stake_ratio);
    abi_put_u256(&o, e.policy.scheduler_ratio);
    return out_end(f);
}
