/* SPDX-License-Identifier: Apache-2.0 */
/* The records of deals, tasks, contributions and categories: what stands in the state, byte for
 * byte. A record that cannot be read is a fault: somebody damaged the database. */
#include "chain/poco/poco_int.h"

static void pack_resource(struct pack *w, const struct resource *r)
{
    pack_address(w, r->pointer);
    pack_address(w, r->owner);
    pack_u256(w, r->price);
}

static struct resource take_resource(struct cur *c)
{
    struct resource r;
    r.pointer = take_address(c);
    r.owner = take_address(c);
    r.price = take_u256(c);
    return r;
}

enum { DEAL_FIXED = 3 * (20 + 20 + 32) + 8 * 32 + 4 * 20 + 4 };

enum outcome deal_read(struct frame *f, struct hash id, struct deal *d)
{
    struct key k = key_with_hash(STATE_DEAL, id);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *d = (struct deal){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    d->exists = true;
    d->app = take_resource(&c);
    d->dataset = take_resource(&c);
    d->workerpool = take_resource(&c);
    d->trust = take_u256(&c);
    d->category = take_u256(&c);
    d->tag = take_hash(&c);
    d->requester = take_address(&c);
    d->beneficiary = take_address(&c);
    d->callback = take_address(&c);
    d->start = take_u256(&c);
    d->bot_first = take_u256(&c);
    d->bot_size = take_u256(&c);
    d->worker_stake = take_u256(&c);
    d->scheduler_ratio = take_u256(&c);
    d->sponsor = take_address(&c);
    d->params = take_packed(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a deal in the state is damaged");
}

enum outcome deal_write(struct frame *f, struct hash id, const struct deal *d)
{
    struct key k = key_with_hash(STATE_DEAL, id);
    struct pack w = {.size = DEAL_FIXED + d->params.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_resource(&w, &d->app);
    pack_resource(&w, &d->dataset);
    pack_resource(&w, &d->workerpool);
    pack_u256(&w, d->trust);
    pack_u256(&w, d->category);
    pack_hash(&w, d->tag);
    pack_address(&w, d->requester);
    pack_address(&w, d->beneficiary);
    pack_address(&w, d->callback);
    pack_u256(&w, d->start);
    pack_u256(&w, d->bot_first);
    pack_u256(&w, d->bot_size);
    pack_u256(&w, d->worker_stake);
    pack_u256(&w, d->scheduler_ratio);
    pack_address(&w, d->sponsor);
    pack_bytes(&w, d->params);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

enum { TASK_SIZE = 1 + 32 + 5 * 32 + 32 + 2 * 32 + 4 + 32 + 32 };

enum outcome task_read(struct frame *f, struct hash id, struct task *t)
{
    struct key k = key_with_hash(STATE_TASK, id);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *t = (struct task){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    uint64_t status = take_be(&c, 1);
    t->status = (enum task_status)status;
    t->deal_id = take_hash(&c);
    t->idx = take_u256(&c);
    t->timeref = take_u256(&c);
    t->contribution_deadline = take_u256(&c);
    t->reveal_deadline = take_u256(&c);
    t->final_deadline = take_u256(&c);
    t->consensus_value = take_hash(&c);
    t->reveal_counter = take_u256(&c);
    t->winner_counter = take_u256(&c);
    t->contributors = (uint32_t)take_be(&c, 4);
    t->digest = take_hash(&c);
    t->total = take_u256(&c);
    bool good = rc_ok(cur_end(&c)) && status > TASK_UNSET && status <= TASK_FAILED;
    return good ? OUT_APPLIED : call_fault(f, "a task in the state is damaged");
}

enum outcome task_write(struct frame *f, struct hash id, const struct task *t)
{
    struct key k = key_with_hash(STATE_TASK, id);
    uint8_t b[TASK_SIZE];
    struct pack w = {.p = b, .size = sizeof(b)};
    uint32_t n = __builtin_bswap32(t->contributors);
    pack_u8(&w, (uint8_t)t->status);
    pack_hash(&w, t->deal_id);
    pack_u256(&w, t->idx);
    pack_u256(&w, t->timeref);
    pack_u256(&w, t->contribution_deadline);
    pack_u256(&w, t->reveal_deadline);
    pack_u256(&w, t->final_deadline);
    pack_hash(&w, t->consensus_value);
    pack_u256(&w, t->reveal_counter);
    pack_u256(&w, t->winner_counter);
    pack_mem(&w, &n, sizeof(n));
    pack_hash(&w, t->digest);
    pack_u256(&w, t->total);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

enum outcome results_get(struct frame *f, struct hash id, struct bytes *results,
                         struct bytes *callback)
{
    struct key k = key_with_hash(STATE_RESULT, id);
    struct bytes b;
    DO(st_get(f, &k, &b));
    struct cur c = cur_of(b);
    *results = *callback = (struct bytes){0};
    if (b.p != NULL) {
        *results = take_packed(&c);
        *callback = take_packed(&c);
    }
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "results in the state are damaged");
}

enum outcome results_put(struct frame *f, struct hash id, struct bytes results,
                         struct bytes callback)
{
    struct key k = key_with_hash(STATE_RESULT, id);
    struct pack w = {.size = 8 + results.n + callback.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_bytes(&w, results);
    pack_bytes(&w, callback);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

static struct key contribution_key(struct hash task, struct address worker)
{
    struct key k = key_with_hash(STATE_CONTRIBUTION, task);
    key_address(&k, worker);
    return k;
}

enum { CONTRIBUTION_SIZE = 1 + 32 + 32 + 20 + 32 };

enum outcome contribution_get(struct frame *f, struct hash task, struct address worker,
                              struct contribution *o)
{
    struct key k = contribution_key(task, worker);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *o = (struct contribution){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    uint64_t status = take_be(&c, 1);
    o->status = (enum contribution_status)status;
    o->hash = take_hash(&c);
    o->seal = take_hash(&c);
    o->challenge = take_address(&c);
    o->weight = take_u256(&c);
    bool good = rc_ok(cur_end(&c)) && status > CONTRIB_UNSET && status <= CONTRIB_REJECTED;
    return good ? OUT_APPLIED : call_fault(f, "a contribution in the state is damaged");
}

enum outcome contribution_put(struct frame *f, struct hash task, struct address worker,
                              const struct contribution *c)
{
    struct key k = contribution_key(task, worker);
    uint8_t b[CONTRIBUTION_SIZE];
    struct pack w = {.p = b, .size = sizeof(b)};
    pack_u8(&w, (uint8_t)c->status);
    pack_hash(&w, c->hash);
    pack_hash(&w, c->seal);
    pack_address(&w, c->challenge);
    pack_u256(&w, c->weight);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

enum outcome contributor_get(struct frame *f, struct hash task, uint32_t i, struct address *a)
{
    struct key k = key_with_hash(STATE_CONTRIBUTOR, task);
    key_u32(&k, i);
    return get_address(f, &k, a);
}

enum outcome contributor_put(struct frame *f, struct hash task, uint32_t i, struct address a)
{
    struct key k = key_with_hash(STATE_CONTRIBUTOR, task);
    key_u32(&k, i);
    return st_put(f, &k, BYTES_OF(a));
}

enum outcome category_get(struct frame *f, struct u256 id, struct category *o)
{
    struct key k = key_of(STATE_CATEGORY);
    struct bytes b = {0};
    uint64_t n;
    *o = (struct category){0};
    if (!u256_to_u64(id, &n)) {
        return OUT_APPLIED;
    }
    key_u64(&k, n);
    DO(st_get(f, &k, &b));
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    o->exists = true;
    o->timeref = take_u256(&c);
    o->name = take_packed(&c);
    o->description = take_packed(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a category in the state is damaged");
}
