/* SPDX-License-Identifier: Apache-2.0 */
/* The older, flat forms of the views. viewTask's and viewContribution's stand beside their structs.
 * SPEC poco 8. */
#include "chain/poco/poco_int.h"

#define HANDLER(name)                                                                              \
    enum outcome on_hub_##name(struct frame *f);                                                   \
    enum outcome on_hub_##name(struct frame *f)

static enum outcome take_deal(struct frame *f, struct deal *d)
{
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    return deal_read(f, id, d);
}

HANDLER(viewDealABILegacy_pt1)
{
    struct deal d;
    DO(take_deal(f, &d));
    struct abi_out o = out_begin(f, 9);
    const struct resource *all[] = {&d.app, &d.dataset, &d.workerpool};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        abi_put_address(&o, all[i]->pointer);
        abi_put_address(&o, all[i]->owner);
        abi_put_u256(&o, all[i]->price);
    }
    return out_end(f);
}

HANDLER(viewDealABILegacy_pt2)
{
    struct deal d;
    DO(take_deal(f, &d));
    struct abi_out o = out_begin(f, 6);
    abi_put_u256(&o, d.trust);
    abi_put_hash(&o, d.tag);
    abi_put_address(&o, d.requester);
    abi_put_address(&o, d.beneficiary);
    abi_put_address(&o, d.callback);
    abi_put_bytes(&o, d.params);
    return out_end(f);
}

HANDLER(viewConfigABILegacy)
{
    struct deal d;
    DO(take_deal(f, &d));
    struct abi_out o = out_begin(f, 6);
    abi_put_u256(&o, d.category);
    abi_put_u256(&o, d.start);
    abi_put_u256(&o, d.bot_first);
    abi_put_u256(&o, d.bot_size);
    abi_put_u256(&o, d.worker_stake);
    abi_put_u256(&o, d.scheduler_ratio);
    return out_end(f);
}

HANDLER(viewAccountABILegacy)
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

HANDLER(viewCategoryABILegacy)
{
    struct category c;
    struct u256 id = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(category_get(f, id, &c));
    if (!c.exists) {
        return f->run->rules->legacy_category_panics ? revert_panic(f, PANIC_INDEX)
                                                     : revert_empty(f);
    }
    struct abi_out o = out_begin(f, 3);
    abi_put_bytes(&o, c.name);
    abi_put_bytes(&o, c.description);
    abi_put_u256(&o, c.timeref);
    return out_end(f);
}
