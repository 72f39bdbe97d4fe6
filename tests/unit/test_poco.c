/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lives of deals and tasks, money to the unit. */
#include "crypto/keccak.h"
#include "encoding/hex.h"
#include "tests/poco_fixture.h"

static const struct hash right = {{1, 2, 3}}, wrong = {{9}};
static const struct address kitty = {{0x99, 0xc2, 0x26, 0x84, 0x79, 0xb9, 0x3f, 0xde, 0x36, 0x23,
                                      0x23, 0x51, 0x22, 0x98, 0x15, 0xdf, 0x80, 0x83, 0x7e, 0x23}};

enum { FUND = 1000000000 };

static bool has(struct market *m, struct address a, uint64_t stake, uint64_t locked)
{
    uint64_t s, l;
    stake_of(m, a, &s, &l);
    if (s != stake || l != locked) {
        (void)fprintf(stderr, "has %llu, %llu locked\n", (unsigned long long)s,
                      (unsigned long long)l);
    }
    return s == stake && l == locked;
}

#define F ((uint64_t)1000 * FUND)

static void one_rent(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct hash deal = match_orders(&m, 1, 1);
    CHECK(m.res.logs_n == 6 && log_is(&m, 0, EVENT_hub_Transfer) && log_is(&m, 1, EVENT_hub_Lock) &&
          log_is(&m, 4, EVENT_hub_SchedulerNotice) && log_is(&m, 5, EVENT_hub_OrdersMatched));
    CHECK(has(&m, RITA, F - 1008, 1008) && has(&m, PAUL, F - 300, 300));
    struct hash task = initialize(&m, deal, 0);
    CHECK(m.res.logs_n == 1 && log_is(&m, 0, EVENT_hub_TaskInitialize));
    begin_contribute(&m, task, WORKER(0), right);
    CHECK(refused(&m, WORKER(1), m.config.hub, REVERT_NONE)); /* another's authorisation */
    CHECK(applied(&m, WORKER(0), m.config.hub));
    CHECK(m.res.logs_n == 4 && log_is(&m, 2, EVENT_hub_TaskContribute) &&
          log_is(&m, 3, EVENT_hub_TaskConsensus));
    CHECK(has(&m, WORKER(0), F - 300, 300));
    begin_reveal(&m, task, wrong);
    CHECK(refused(&m, WORKER(0), m.config.hub, REVERT_NONE));
    begin_finalize(&m, task, BYTES_LIT("ipfs"), (struct bytes){0});
    CHECK(refused(&m, PAUL, m.config.hub, REVERT_NONE)); /* nobody revealed */
    begin_reveal(&m, task, right);
    CHECK(applied(&m, WORKER(0), m.config.hub));
    begin_finalize(&m, task, BYTES_LIT("ipfs"), (struct bytes){0});
    CHECK(refused(&m, RITA, m.config.hub, REVERT_NONE));
    CHECK(applied(&m, PAUL, m.config.hub));
    /* 1000 to the pool: 99 % of it to the worker. */
    CHECK(has(&m, RITA, F - 1008, 0) && has(&m, ALICE, F + 3, 0) && has(&m, DORA, F + 5, 0));
    CHECK(has(&m, WORKER(0), F + 990, 0) && has(&m, PAUL, F + 10, 0));
    CHECK(has(&m, m.config.hub, 0, 0));
    abi_put_hash(begin(&m, METHOD_hub_viewTask, 1), task);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 1) == 3);
    abi_put_hash(begin(&m, METHOD_hub_viewDeal, 1), deal);
    CHECK(applied(&m, RITA, m.config.hub) && address_eq(addr(&m, 1), m.app));
    abi_put_hash(begin(&m, METHOD_hub_resultFor, 1), task);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 1) == 0);
    abi_put_hash(begin(&m, METHOD_hub_resultFor, 1), deal);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_TASK_PENDING));
    market_close(&m);
}

static void a_liar_loses(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct hash deal = match_orders(&m, 3, 1), task = initialize(&m, deal, 0);
    const struct hash *digest[] = {&wrong, &right, &right, &right};
    size_t n = 0;
    for (; n < ARRAY_LEN(digest); n++) {
        begin_contribute(&m, task, WORKER(n), *digest[n]);
        CHECK(applied(&m, WORKER(n), m.config.hub));
    }
    /* weights 2: groups 2 against 8, total 1 + 1 + 1 + 2 + 4; 8 * 3 > 9 * 2 */
    CHECK(log_is(&m, 3, EVENT_hub_TaskConsensus));
    for (size_t i = 1; i < n; i++) {
        begin_reveal(&m, task, right);
        CHECK(applied(&m, WORKER(i), m.config.hub));
    }
    begin_reveal(&m, task, wrong);
    CHECK(refused(&m, WORKER(0), m.config.hub, REVERT_NONE));
    begin_finalize(&m, task, BYTES_LIT("x"), (struct bytes){0});
    CHECK(applied(&m, PAUL, m.config.hub));
    /* 1300 to share: 1287 for three, 429 each; the rest to the pool. */
    CHECK(has(&m, WORKER(0), F - 300, 0) && has(&m, WORKER(1), F + 429, 0) &&
          has(&m, WORKER(3), F + 429, 0) && has(&m, PAUL, F + 13, 0));
    abi_put_address(begin(&m, METHOD_hub_viewScore, 1), WORKER(2));
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 0) == 1);
    market_close(&m);
}

static void nobody_works(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct hash deal = match_orders(&m, 5, 2), task = initialize(&m, deal, 1);
    begin_contribute(&m, task, WORKER(0), right);
    CHECK(applied(&m, WORKER(0), m.config.hub));
    abi_put_hash(begin(&m, METHOD_hub_claim, 1), task);
    m.env.time += 2999;
    CHECK(refused(&m, WORKER(5), m.config.hub, REVERT_NONE));
    m.env.time += 1;
    CHECK(applied(&m, WORKER(5), m.config.hub));
    CHECK(m.res.logs_n == 8 && log_is(&m, 7, EVENT_hub_TaskClaimed));
    CHECK(refused(&m, WORKER(5), m.config.hub, REVERT_NONE));
    CHECK(has(&m, RITA, F - 1008, 1008) && has(&m, PAUL, F - 600, 300));
    CHECK(has(&m, kitty, 0, 300) && has(&m, WORKER(0), F, 0));
    market_close(&m);
}

static void reopened_and_settled_by_another(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct hash deal = match_orders(&m, 1, 1), task = initialize(&m, deal, 0);
    begin_contribute(&m, task, WORKER(0), wrong);
    CHECK(applied(&m, WORKER(0), m.config.hub));
    abi_put_hash(begin(&m, METHOD_hub_reopen, 1), task);
    CHECK(refused(&m, PAUL, m.config.hub, REVERT_NONE));
    m.env.time += 600;
    CHECK(refused(&m, RITA, m.config.hub, REVERT_NONE));
    CHECK(applied(&m, PAUL, m.config.hub) && log_is(&m, 0, EVENT_hub_TaskReopen));
    begin_contribute(&m, task, WORKER(0), right);
    CHECK(refused(&m, WORKER(0), m.config.hub, REVERT_NONE));
    begin_contribute(&m, task, WORKER(1), right);
    CHECK(applied(&m, WORKER(1), m.config.hub) && log_is(&m, 3, EVENT_hub_TaskConsensus));
    begin_reveal(&m, task, right);
    CHECK(applied(&m, WORKER(1), m.config.hub));
    begin_finalize(&m, task, BYTES_LIT("x"), (struct bytes){0});
    CHECK(applied(&m, PAUL, m.config.hub));
    CHECK(has(&m, WORKER(0), F - 300, 0) && has(&m, WORKER(1), F + 1287, 0));
    CHECK(has(&m, PAUL, F + 13, 0) && has(&m, m.config.hub, 0, 0));
    market_close(&m);
}

static void contribute_and_finalize(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct hash deal = match_orders(&m, 1, 1), task = initialize(&m, deal, 0);
    struct address enclave = who(77);
    struct sig auth = fake_sign(PAUL, task_authorization_digest(WORKER(0), task, enclave));
    struct sig seal =
        fake_sign(enclave, task_enclave_digest(task_result_hash(task, right),
                                               task_result_seal(WORKER(0), task, right)));
    struct abi_out *o = begin(&m, METHOD_hub_contributeAndFinalize, 7);
    abi_put_hash(o, task);
    abi_put_hash(o, right);
    abi_put_bytes(o, BYTES_LIT("results"));
    abi_put_bytes(o, (struct bytes){0});
    abi_put_address(o, enclave);
    abi_put_bytes(o, BYTES_OF(seal));
    abi_put_bytes(o, BYTES_OF(auth));
    CHECK(applied(&m, WORKER(0), m.config.hub));
    CHECK(log_is(&m, m.res.logs_n - 1, EVENT_hub_TaskFinalize));
    CHECK(has(&m, WORKER(0), F + 990, 0) && has(&m, PAUL, F + 10, 0) && has(&m, RITA, F - 1008, 0));
    market_close(&m);
}

struct seen {
    size_t n;
};

static void on_signature(void *ctx, struct hash digest, const uint8_t sig[65])
{
    struct seen *s = ctx;
    struct address a;
    CHECK(fake_recover(NULL, digest, sig, &a) && a.b[0] == 0xaa);
    s->n++;
}

static void signatures_are_foreseen(void)
{
    struct market m;
    struct signed_orders s;
    struct seen seen = {0};
    market_open(&m, RULES_6_2);
    market_publish(&m);
    orders_fill(&m, &s, 1, 1);
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    struct poco_constants k = {m.config.hub, m.domain};
    struct call c = {.from = RITA, .to = m.config.hub, .data = buf_bytes(&m.data)};
    poco_signatures(&k, &c, on_signature, &seen);
    CHECK(seen.n == 4);
    begin_contribute(&m, right, WORKER(0), right);
    c = (struct call){.from = WORKER(0), .to = m.config.hub, .data = buf_bytes(&m.data)};
    poco_signatures(&k, &c, on_signature, &seen);
    CHECK(seen.n == 5);
    market_close(&m);
}

static void deposits_and_withdrawals(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    struct abi_out *o = begin(&m, METHOD_hub_deposit, 1);
    abi_put_u64(o, 100);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_NONE)); /* no allowance */
    o = begin(&m, METHOD_token_approve, 2);
    abi_put_address(o, m.config.hub);
    abi_put_u64(o, 100);
    CHECK(applied(&m, RITA, m.config.token));
    abi_put_u64(begin(&m, METHOD_hub_deposit, 1), 100);
    CHECK(applied(&m, RITA, m.config.hub) && m.res.logs_n == 2);
    CHECK(address_eq(m.res.logs[0].emitter, m.config.token));
    CHECK(has(&m, RITA, F + 100, 0));
    o = begin(&m, METHOD_token_approveAndCall, 3);
    abi_put_address(o, m.config.hub);
    abi_put_u64(o, 7);
    abi_put_bytes(o, (struct bytes){0});
    CHECK(applied(&m, RITA, m.config.token) && m.res.logs_n == 3);
    CHECK(has(&m, RITA, F + 107, 0));
    abi_put_u64(begin(&m, METHOD_hub_withdraw, 1), F + 107);
    CHECK(applied(&m, RITA, m.config.hub));
    CHECK(refused(&m, RITA, m.config.hub, REVERT_NONE));
    abi_put_address(begin(&m, METHOD_token_balanceOf, 1), RITA);
    CHECK(applied(&m, RITA, m.config.token) && num(&m, 0) == 2 * F);
    begin(&m, METHOD_hub_totalSupply, 0);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 0) == 19 * F);
    market_close(&m);
}

static void the_hub_refuses_the_unknown(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    buf_reset(&m.data);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_FALLBACK));
    put_be(&m.data, 0x156194, 3);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_FALLBACK));
    CHECK(refused(&m, RITA, m.config.token, REVERT_NONE));
    put_be(&m.data, 0xd4, 1);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_NONE)); /* matchOrders without arguments */
    begin(&m, METHOD_hub_owner, 0);
    CHECK(applied(&m, RITA, m.config.hub) && address_eq(addr(&m, 0), OWNER));
    CHECK(call_gas(&m, RITA, m.config.hub, 100) == OUT_REVERTED && m.res.out_of_gas);
    struct call c = {.from = RITA,
                     .to = m.config.hub,
                     .value = u256_from(1),
                     .data = buf_bytes(&m.data),
                     .gas = 1000000};
    CHECK(poco_apply(&m.env, &c, &m.res) == OUT_REVERTED && m.res.output.n == 0);
    CHECK(poco_has_code(m.state, m.config.hub) && !poco_has_code(m.state, RITA));
    market_close(&m);
}

/* keccak256(member ‖ base), as a mapping's member lies. */
static struct hash member_slot(struct address a, const char *base)
{
    struct hash member = {0}, b = {0};
    memcpy(member.b + 12, a.b, sizeof(a.b));
    CHECK(rc_ok(hex_parse_hash(&b, base)));
    return keccak256_2(BYTES_OF(member.b), BYTES_OF(b.b));
}

#define HUB_STORAGE "0x5862653c6982c162832160cf30593645e8487b257e44d77cdd6b51eee2651b"

static void storage_slots_of_mappings(void)
{
    struct market m;
    struct hash value = {.b = {[31] = 77}}, nine = {.b = {[31] = 9}}, got;
    struct hash live = member_slot(RITA,
                                   "0x52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eead"
                                   "abe20bace00");
    market_open(&m, RULES_6_1);
    m.env.dev = true;
    CHECK(rc_ok(poco_slot_set(m.state, m.config.token, live, value)));
    CHECK(rc_ok(poco_slot_get(m.state, m.config.token, live, &got)) &&
          memcmp(got.b, value.b, sizeof(got.b)) == 0);
    abi_put_address(begin(&m, METHOD_token_balanceOf, 1), RITA);
    CHECK(applied(&m, RITA, m.config.token) && num(&m, 0) == 77);

    /* A stake set by its slot leaves the locked half alone; a score has a record of its own. */
    CHECK(rc_ok(poco_slot_set(m.state, m.config.hub, member_slot(RITA, HUB_STORAGE "08"), value)));
    CHECK(rc_ok(poco_slot_set(m.state, m.config.hub, member_slot(RITA, HUB_STORAGE "12"), value)));
    abi_put_address(begin(&m, METHOD_hub_viewAccount, 1), RITA);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 0) == 77 && num(&m, 1) == 0);
    abi_put_address(begin(&m, METHOD_hub_viewScore, 1), RITA);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 0) == 77);

    /* Other contracts and plain numbers have no such slots. */
    CHECK(poco_slot_set(m.state, RITA, live, value).code == RC_CODE_NOT_FOUND);
    CHECK(poco_slot_set(m.state, m.config.token, nine, value).code == RC_CODE_NOT_FOUND);
    market_close(&m);
}

int main(void)
{
    storage_slots_of_mappings();
    one_rent();
    a_liar_loses();
    nobody_works();
    reopened_and_settled_by_another();
    contribute_and_finalize();
    signatures_are_foreseen();
    deposits_and_withdrawals();
    the_hub_refuses_the_unknown();
    return 0;
}
