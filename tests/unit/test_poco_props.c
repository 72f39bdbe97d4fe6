/* SPDX-License-Identifier: Apache-2.0 */
/* What is always true of the market, over random calls: test_poco_props [seed [runs]].
 *
 * After every call: the balances add up to the supply; the hub's own balance is the sum of what is
 * frozen; every account's frozen amount is what its open tasks ask for; a refused call left every byte
 * as it was; a call is refused and applied exactly when the clock says so; a task ends once. After
 * every run: the same calls on a new market give the same state. */
#include <signal.h>

#include "crypto/keccak.h"
#include "tests/poco_fixture.h"

enum { STEPS = 250, DEALS = 24, TASKS = 64, WORKERS = 6, TIMEREF = 300 };

static const struct address kitty = {{0x99, 0xc2, 0x26, 0x84, 0x79, 0xb9, 0x3f, 0xde, 0x36, 0x23,
                                      0x23, 0x51, 0x22, 0x98, 0x15, 0xdf, 0x80, 0x83, 0x7e, 0x23}};
static const struct hash digests[2] = {{{1}}, {{2}}};

static uint64_t rnd_state;

static uint64_t rnd(uint64_t n)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return rnd_state % n;
}

/* What the test knows by itself. */
struct mdeal {
    struct hash id;
    uint64_t price, pool_price, volume, started, ended, start;
};

struct mtask {
    struct hash id;
    size_t deal;
    bool ended;
    bool staked[WORKERS];
};

struct step {
    struct address from, to;
    struct bytes data;
    uint64_t time;
    enum outcome outcome;
};

struct model {
    struct market m;
    struct mdeal deals[DEALS];
    struct mtask tasks[TASKS];
    size_t deals_n, tasks_n;
    uint64_t kitty;
    struct step steps[STEPS * 2];
    size_t steps_n;
    struct arena log;
};

/* --- looking at the state --- */

struct totals {
    struct keccak k;
    uint64_t stake, locked;
};

static rc add_record(void *ctx, struct bytes key, struct bytes value, struct bytes before)
{
    struct totals *t = ctx;
    (void)before;
    keccak_add(&t->k, key);
    keccak_add(&t->k, value);
    if (value.p != NULL && key.p[0] == STATE_BALANCE && key.p[1] == 1) {
        uint64_t stake, locked;
        CHECK(u256_to_u64(u256_from_be(value.p), &stake));
        CHECK(u256_to_u64(u256_from_be(value.p + 32), &locked));
        t->stake += stake;
        t->locked += locked;
    }
    return RC_OK;
}

static struct hash root(struct state *s, struct totals *t)
{
    *t = (struct totals){0};
    keccak_init(&t->k);
    CHECK(rc_ok(state_changes(s, add_record, t)));
    struct keccak k = t->k;
    return keccak_done(&k);
}

static uint64_t locked_of(struct market *m, struct address a)
{
    uint64_t stake, locked;
    stake_of(m, a, &stake, &locked);
    return locked;
}

static void check_money(struct model *x)
{
    struct market *m = &x->m;
    struct totals t;
    uint64_t hub, none, rita = 0, paul = 0, workers[WORKERS] = {0};
    (void)root(m->state, &t);
    begin(m, METHOD_hub_totalSupply, 0);
    CHECK(applied(m, RITA, m->config.hub) && num(m, 0) == t.stake);
    stake_of(m, m->config.hub, &hub, &none);
    CHECK(hub == t.locked && none == 0);
    for (size_t i = 0; i < x->deals_n; i++) {
        uint64_t open = x->deals[i].volume - x->deals[i].ended;
        rita += open * x->deals[i].price;
        paul += open * (x->deals[i].pool_price * 30 / 100);
    }
    for (size_t i = 0; i < x->tasks_n; i++) {
        for (size_t w = 0; w < WORKERS; w++) {
            bool has = !x->tasks[i].ended && x->tasks[i].staked[w];
            workers[w] += has ? x->deals[x->tasks[i].deal].pool_price * 30 / 100 : 0;
        }
    }
    CHECK(locked_of(m, RITA) == rita && locked_of(m, PAUL) == paul);
    for (size_t w = 0; w < WORKERS; w++) {
        CHECK(locked_of(m, WORKER(w)) == workers[w]);
    }
    CHECK(locked_of(m, kitty) == x->kitty);
}

/* Runs the prepared call, notes it for the replay, and checks that a refusal changed nothing. */
static bool step(struct model *x, struct address from, struct address to)
{
    struct market *m = &x->m;
    struct totals t;
    struct hash before = root(m->state, &t);
    uint8_t *copy = arena_alloc(&x->log, m->data.n);
    CHECK(copy != NULL && x->steps_n < ARRAY_LEN(x->steps));
    memcpy(copy, m->data.p, m->data.n);
    enum outcome o = call(m, from, to);
    CHECK(o != OUT_FAULT);
    x->steps[x->steps_n++] = (struct step){from, to, {copy, m->data.n}, m->env.time, o};
    CHECK(o == OUT_APPLIED || hash_eq(before, root(m->state, &t)));
    return o == OUT_APPLIED;
}

/* --- the steps --- */

static void do_match(struct model *x)
{
    struct signed_orders s;
    if (x->deals_n == DEALS) {
        return;
    }
    uint64_t trust = rnd(4), volume = 1 + rnd(3), pool = rnd(3) == 0 ? 0 : 100 + rnd(9999);
    orders_fill(&x->m, &s, trust, volume);
    s.o.workerpool.workerpoolprice = s.o.request.workerpoolmaxprice = u256_from(pool);
    s.o.request.salt = (struct hash){{(uint8_t)x->deals_n, 7}};
    s.o.app.salt = s.o.dataset.salt = s.o.workerpool.salt = s.o.request.salt;
    if (rnd(10) == 0) {
        s.o.request.appmaxprice = u256_from(2); /* 0x03 */
    }
    orders_sign(&x->m, &s);
    begin_match(&x->m, METHOD_hub_matchOrders, &s.o);
    bool good = u256_eq(s.o.request.appmaxprice, u256_from(3));
    bool done = step(x, WORKER(rnd(WORKERS)), x->m.config.hub);
    CHECK(done == good);
    if (done) {
        x->deals[x->deals_n++] = (struct mdeal){.id = hash_word(&x->m, 0),
                                                .price = 8 + pool,
                                                .pool_price = pool,
                                                .volume = volume,
                                                .start = x->m.env.time};
    }
}

static void do_initialize(struct model *x)
{
    if (x->deals_n == 0 || x->tasks_n == TASKS) {
        return;
    }
    size_t d = rnd(x->deals_n);
    struct abi_out *o = begin(&x->m, METHOD_hub_initialize, 2);
    abi_put_hash(o, x->deals[d].id);
    abi_put_u64(o, x->deals[d].started);
    bool done = step(x, RITA, x->m.config.hub);
    CHECK(done == (x->deals[d].started < x->deals[d].volume));
    if (done) {
        x->deals[d].started++;
        x->tasks[x->tasks_n++] = (struct mtask){.id = hash_word(&x->m, 0), .deal = d};
    }
}

struct view {
    uint64_t status, reveal_deadline, final_deadline, revealed, winners;
};

static struct view view(struct model *x, const struct mtask *t)
{
    abi_put_hash(begin(&x->m, METHOD_hub_viewTask, 1), t->id);
    CHECK(applied(&x->m, RITA, x->m.config.hub));
    return (struct view){num(&x->m, 1), num(&x->m, 6), num(&x->m, 7), num(&x->m, 9),
                         num(&x->m, 10)};
}

static void do_contribute(struct model *x, struct mtask *t)
{
    size_t w = rnd(WORKERS);
    struct view v = view(x, t);
    begin_contribute(&x->m, t->id, WORKER(w), digests[rnd(3) == 0]);
    bool may =
        v.status == 1 && !t->staked[w] && x->m.env.time < x->deals[t->deal].start + 7 * TIMEREF;
    bool done = step(x, WORKER(w), x->m.config.hub);
    CHECK(done == may);
    t->staked[w] = t->staked[w] || done;
}

static void do_reveal(struct model *x, const struct mtask *t)
{
    struct view v = view(x, t);
    begin_reveal(&x->m, t->id, digests[rnd(3) == 0]);
    bool done = step(x, WORKER(rnd(WORKERS)), x->m.config.hub);
    CHECK(!done || (v.status == 2 && x->m.env.time < v.reveal_deadline));
}

static void do_reopen(struct model *x, const struct mtask *t)
{
    struct view v = view(x, t);
    abi_put_hash(begin(&x->m, METHOD_hub_reopen, 1), t->id);
    bool may = v.status == 2 && x->m.env.time >= v.reveal_deadline &&
               x->m.env.time < v.final_deadline && v.revealed == 0;
    CHECK(step(x, PAUL, x->m.config.hub) == may);
}

static uint64_t kitty_part(const struct model *x)
{
    uint64_t part = MAX(x->kitty / 10, (uint64_t)1000000000);
    return MIN(part, x->kitty);
}

static void end_task(struct model *x, struct mtask *t)
{
    CHECK(!t->ended);
    t->ended = true;
    x->deals[t->deal].ended++;
}

static void do_finalize(struct model *x, struct mtask *t)
{
    struct view v = view(x, t);
    begin_finalize(&x->m, t->id, BYTES_LIT("/ipfs/x"), (struct bytes){0});
    bool all = v.revealed == v.winners || (v.revealed > 0 && x->m.env.time >= v.reveal_deadline);
    bool may = v.status == 2 && x->m.env.time < v.final_deadline && all;
    bool done = step(x, PAUL, x->m.config.hub);
    CHECK(done == may);
    if (done) {
        x->kitty -= kitty_part(x);
        end_task(x, t);
    }
}

static void do_claim(struct model *x, struct mtask *t)
{
    const struct mdeal *d = &x->deals[t->deal];
    abi_put_hash(begin(&x->m, METHOD_hub_claim, 1), t->id);
    bool done = step(x, WORKER(rnd(WORKERS)), x->m.config.hub);
    CHECK(done == (!t->ended && x->m.env.time >= d->start + 10 * TIMEREF));
    if (done) {
        x->kitty += d->pool_price * 30 / 100;
        end_task(x, t);
    }
}

static void do_fast(struct model *x, struct mtask *t)
{
    size_t w = rnd(WORKERS);
    struct address worker = WORKER(w), none = {0};
    struct view v = view(x, t);
    struct sig auth = fake_sign(PAUL, task_authorization_digest(worker, t->id, none));
    struct abi_out *o = begin(&x->m, METHOD_hub_contributeAndFinalize, 7);
    abi_put_hash(o, t->id);
    abi_put_hash(o, digests[0]);
    abi_put_bytes(o, BYTES_LIT("r"));
    abi_put_bytes(o, none.b[0] == 0 ? (struct bytes){0} : BYTES_LIT("x"));
    abi_put_address(o, none);
    abi_put_bytes(o, (struct bytes){0});
    abi_put_bytes(o, BYTES_OF(auth));
    bool done = step(x, worker, x->m.config.hub);
    CHECK(!done || (v.status == 1 && x->m.env.time < x->deals[t->deal].start + 7 * TIMEREF));
    if (done) {
        x->kitty -= kitty_part(x);
        end_task(x, t);
    }
}

/* Often just before, at and just after a deadline. */
static void do_time(struct model *x)
{
    static const uint64_t ratios[] = {2, 7, 10};
    uint64_t to = x->m.env.time + rnd(60);
    if (x->deals_n > 0) {
        to = x->deals[rnd(x->deals_n)].start + ratios[rnd(3)] * TIMEREF + rnd(3) - 1;
    }
    if (to > x->m.env.time && rnd(4) == 0) {
        x->m.env.time = to;
    }
}

static void do_transfer(struct model *x)
{
    struct abi_out *o = begin(&x->m, METHOD_hub_transfer, 2);
    abi_put_address(o, rnd(2) == 0 ? RITA : WORKER(rnd(WORKERS)));
    abi_put_u64(o, rnd(2) == 0 ? rnd(100) : (uint64_t)1 << 50);
    (void)step(x, WORKER(rnd(WORKERS)), x->m.config.hub);
    abi_put_u64(begin(&x->m, METHOD_hub_withdraw, 1), rnd(50));
    (void)step(x, PAUL, x->m.config.hub);
}

static void one_step(struct model *x)
{
    struct mtask *t = x->tasks_n > 0 ? &x->tasks[x->tasks_n - 1 - rnd(MIN(x->tasks_n, 4))] : NULL;
    uint64_t what = rnd(20);
    if (what < 2) {
        do_match(x);
    } else if (what < 5 || t == NULL) {
        do_initialize(x);
    } else if (what < 10) {
        do_contribute(x, t);
    } else if (what < 13) {
        do_reveal(x, t);
    } else if (what < 15) {
        do_finalize(x, t);
    } else if (what < 16) {
        do_reopen(x, t);
    } else if (what < 17) {
        do_claim(x, t);
    } else if (what < 18) {
        do_fast(x, t);
    } else if (what < 19) {
        do_time(x);
    } else {
        do_transfer(x);
    }
}

static void replay(struct model *x, enum poco_rules rules)
{
    struct market again;
    struct totals t;
    market_open(&again, rules);
    market_publish(&again);
    for (size_t i = 0; i < x->steps_n; i++) {
        const struct step *s = &x->steps[i];
        struct call c = {.from = s->from, .to = s->to, .data = s->data, .gas = 50000000};
        again.env.time = s->time;
        CHECK(poco_apply(&again.env, &c, &again.res) == s->outcome);
    }
    CHECK(hash_eq(root(again.state, &t), root(x->m.state, &t)));
    market_close(&again);
}

static void run(uint64_t seed)
{
    static struct model x;
    enum poco_rules rules = seed % 2 == 0 ? RULES_6_1 : RULES_6_2;
    rnd_state = seed * 0x9e3779b97f4a7c15u + 1;
    x = (struct model){0};
    arena_init(&x.log, (size_t)64 << 20);
    market_open(&x.m, rules);
    market_publish(&x.m);
    for (int i = 0; i < STEPS; i++) {
        one_step(&x);
        check_money(&x);
        arena_reset(&x.m.arena);
    }
    x.m.env.time += 100 * TIMEREF; /* the end: whatever is open can be claimed */
    for (size_t i = 0; i < x.tasks_n; i++) {
        do_claim(&x, &x.tasks[i]);
        check_money(&x);
    }
    replay(&x, rules);
    market_close(&x.m);
    arena_reset(&x.log);
}

static uint64_t running;

static void say_seed(int sig)
{
    (void)sig;
    (void)fprintf(stderr, "seed %llu: repeat with test_poco_props %llu 1\n",
                  (unsigned long long)running, (unsigned long long)running);
}

int main(int argc, char **argv)
{
    (void)signal(SIGABRT, say_seed);
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20260101;
    uint64_t runs = argc > 2 ? strtoull(argv[2], NULL, 10) : 30;
    for (uint64_t i = 0; i < runs; i++) {
        running = seed + i;
        run(seed + i);
    }
    return 0;
}
