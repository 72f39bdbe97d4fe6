/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of matching, order management, registries under both rule sets, and accounts with code. */
#include "crypto/keccak.h"
#include "tests/poco_fixture.h"

static struct address factory(uint8_t n)
{
    return (struct address){{0x50, 0xc0, 0x50, 0xc0, [18] = 0x50, [19] = n}};
}

/* --- matching: each check by its code, in the order of the protocol --- */

struct match_case {
    enum revert why;
    void (*spoil)(struct market *m, struct orders *o);
};

#define SPOIL(name, stmt)                                                                          \
    static void spoil_##name(struct market *m, struct orders *o)                                   \
    {                                                                                              \
        (void)m;                                                                                   \
        stmt;                                                                                      \
    }

SPOIL(00, o->workerpool.category = u256_from(1))
SPOIL(01, o->workerpool.category = o->request.category = u256_from(99))
SPOIL(02, o->request.trust = u256_from(2))
SPOIL(03, o->app.appprice = u256_from(4))
SPOIL(04, o->dataset.datasetprice = u256_from(6))
SPOIL(05, o->workerpool.workerpoolprice = u256_from(1001))
SPOIL(06, o->request.tag.b[30] = 1)
SPOIL(07, o->request.tag.b[31] = o->workerpool.tag.b[31] = 1)
SPOIL(10, o->request.app = m->pool)
SPOIL(11, o->request.dataset = m->pool)
SPOIL(12, o->request.workerpool = who(9))
SPOIL(13, o->app.datasetrestrict = who(9))
SPOIL(14, o->app.workerpoolrestrict = who(9))
SPOIL(15, o->app.requesterrestrict = who(9))
SPOIL(16, o->dataset.apprestrict = who(9))
SPOIL(17, o->dataset.workerpoolrestrict = who(9))
SPOIL(18, o->dataset.requesterrestrict = who(9))
SPOIL(19, o->workerpool.apprestrict = who(9))
SPOIL(1a, o->workerpool.datasetrestrict = who(9))
SPOIL(1b, o->workerpool.requesterrestrict = who(9))
SPOIL(eoa, o->app.app = o->request.app = who(9))
SPOIL(20, o->app.app = o->request.app = m->dataset)
SPOIL(30, o->dataset.dataset = o->request.dataset = m->app)
SPOIL(40, o->workerpool.workerpool = m->app; o->request.workerpool = (struct address){0})
SPOIL(60, o->app.volume = (struct u256){0})

static void every_check_of_matching(void)
{
    static const struct match_case cases[] = {
        {REVERT_MATCH_00, spoil_00}, {REVERT_MATCH_01, spoil_01}, {REVERT_MATCH_02, spoil_02},
        {REVERT_MATCH_03, spoil_03}, {REVERT_MATCH_04, spoil_04}, {REVERT_MATCH_05, spoil_05},
        {REVERT_MATCH_06, spoil_06}, {REVERT_MATCH_07, spoil_07}, {REVERT_MATCH_10, spoil_10},
        {REVERT_MATCH_11, spoil_11}, {REVERT_MATCH_12, spoil_12}, {REVERT_MATCH_13, spoil_13},
        {REVERT_MATCH_14, spoil_14}, {REVERT_MATCH_15, spoil_15}, {REVERT_MATCH_16, spoil_16},
        {REVERT_MATCH_17, spoil_17}, {REVERT_MATCH_18, spoil_18}, {REVERT_MATCH_19, spoil_19},
        {REVERT_MATCH_1a, spoil_1a}, {REVERT_MATCH_1b, spoil_1b}, {REVERT_NONE, spoil_eoa},
        {REVERT_MATCH_20, spoil_20}, {REVERT_MATCH_30, spoil_30}, {REVERT_MATCH_40, spoil_40},
        {REVERT_MATCH_60, spoil_60},
    };
    struct market m;
    struct signed_orders s;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        orders_fill(&m, &s, 1, 1);
        cases[i].spoil(&m, &s.o);
        orders_sign(&m, &s);
        begin_match(&m, METHOD_hub_matchOrders, &s.o);
        CHECK(refused(&m, RITA, m.config.hub, cases[i].why));
    }
    static const enum revert unsigned_[] = {REVERT_MATCH_21, REVERT_MATCH_31, REVERT_MATCH_41,
                                            REVERT_MATCH_50};
    for (size_t i = 0; i < 4; i++) {
        orders_fill(&m, &s, 1, 1);
        orders_sign(&m, &s);
        struct sig *sigs[] = {&s.app, &s.dataset, &s.pool, &s.request};
        sigs[i]->b[0] ^= 1;
        begin_match(&m, METHOD_hub_matchOrders, &s.o);
        CHECK(refused(&m, RITA, m.config.hub, unsigned_[i]));
        orders_sign(&m, &s);
        struct bytes *sign[] = {&s.o.app.sign, &s.o.dataset.sign, &s.o.workerpool.sign,
                                &s.o.request.sign};
        *sign[i] = (struct bytes){0};
        begin_match(&m, METHOD_hub_matchOrders, &s.o);
        CHECK(refused(&m, RITA, m.config.hub, REVERT_SIGNATURE_FORMAT));
    }
    orders_fill(&m, &s, 1, 1u << 31);
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_ESCROW_BALANCE));
    orders_fill(&m, &s, 1, 3);
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_sponsorMatchOrders, &s.o);
    CHECK(applied(&m, DORA, m.config.hub) && m.res.logs_n == 7 &&
          log_is(&m, 6, EVENT_hub_DealSponsored));
    CHECK(refused(&m, DORA, m.config.hub, REVERT_MATCH_60));
    market_close(&m);
}

static void framework_bits_of_a_dataset(void)
{
    static const enum poco_rules sets[] = {RULES_6_1, RULES_6_2};
    for (size_t i = 0; i < 2; i++) {
        struct market m;
        struct signed_orders s;
        market_open(&m, sets[i]);
        market_publish(&m);
        orders_fill(&m, &s, 1, 1);
        s.o.dataset.tag.b[31] = 2;
        orders_sign(&m, &s);
        begin_match(&m, METHOD_hub_matchOrders, &s.o);
        CHECK(sets[i] == RULES_6_2 ? applied(&m, RITA, m.config.hub)
                                   : refused(&m, RITA, m.config.hub, REVERT_MATCH_06));
        market_close(&m);
    }
}

/* --- order management --- */

static void begin_manage(struct market *m, const struct app_order *a, uint64_t op,
                         struct bytes sign)
{
    struct abi_out *o = begin(m, METHOD_hub_manageAppOrder, 1), t = abi_put_tuple(o, 3);
    put_app_order(&t, a);
    abi_put_u64(&t, op);
    abi_put_bytes(&t, sign);
}

static void presigned_and_closed(void)
{
    struct market m;
    struct signed_orders s;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    orders_fill(&m, &s, 1, 1);
    orders_sign(&m, &s);
    s.o.app.sign = (struct bytes){0};
    begin_manage(&m, &s.o.app, 0, (struct bytes){0});
    CHECK(refused(&m, RITA, m.config.hub, REVERT_SIGNATURE_FORMAT));
    struct sig bad = fake_sign(ALICE, (struct hash){{1}});
    begin_manage(&m, &s.o.app, 0, BYTES_OF(bad));
    CHECK(refused(&m, RITA, m.config.hub, REVERT_SENDER_OR_SIGNATURE));
    begin_manage(&m, &s.o.app, 2, (struct bytes){0});
    CHECK(refused(&m, ALICE, m.config.hub, REVERT_NONE));
    struct sig good = fake_sign(
        ALICE, order_operation_hash(m.domain, ORDER_APP, app_order_struct(&s.o.app), ORDER_SIGN));
    begin_manage(&m, &s.o.app, 0, BYTES_OF(good));
    CHECK(applied(&m, RITA, m.config.hub) && log_is(&m, 0, EVENT_hub_SignedAppOrder));
    begin_match(&m, METHOD_hub_computeDealVolume, &s.o);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 0) == 1);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(applied(&m, RITA, m.config.hub));
    s.o.app.salt.b[0] = 1;
    begin_manage(&m, &s.o.app, 1, (struct bytes){0});
    CHECK(applied(&m, ALICE, m.config.hub) && log_is(&m, 0, EVENT_hub_ClosedAppOrder));
    market_close(&m);
}

/* --- registries --- */

static void begin_nft(struct market *m, enum method id, struct address a, struct address b,
                      struct address entry)
{
    struct abi_out *o = begin(m, id, 3);
    abi_put_address(o, a);
    abi_put_address(o, b);
    abi_put_address(o, entry);
}

static void registries(enum poco_rules rules)
{
    struct market m;
    bool old = rules == RULES_6_1;
    market_open(&m, rules);
    market_publish(&m);
    struct address reg = m.config.app_registry, first = m.app;
    market_close(&m);
    market_open(&m, rules); /* the same again, to compare addresses */
    market_publish(&m);
    CHECK(address_eq(first, m.app));
    struct abi_out *o = begin(&m, METHOD_appRegistry_createApp, 6);
    abi_put_address(o, ALICE);
    abi_put_bytes(o, BYTES_LIT("app"));
    abi_put_bytes(o, BYTES_LIT("DOCKER"));
    abi_put_bytes(o, BYTES_LIT("multiaddr"));
    abi_put_hash(o, (struct hash){{7}});
    abi_put_bytes(o, BYTES_LIT(""));
    CHECK(refused(&m, RITA, reg, REVERT_CREATE2_FAILED));
    abi_put_address(begin(&m, METHOD_registry_ownerOf, 1), who(99));
    CHECK(refused(&m, RITA, reg, old ? REVERT_ERC721_OWNER_QUERY : ERROR_ERC721NonexistentToken));
    begin_nft(&m, METHOD_registry_transferFrom, ALICE, RITA, m.app);
    CHECK(refused(&m, RITA, reg,
                  old ? REVERT_ERC721_TRANSFER_CALLER : ERROR_ERC721InsufficientApproval));
    CHECK(applied(&m, ALICE, reg) && m.res.logs_n == (old ? 2 : 1));
    CHECK(refused(&m, RITA, reg, old ? REVERT_ERC721_NOT_OWN : ERROR_ERC721IncorrectOwner));
    begin_nft(&m, METHOD_registry_safeTransferFrom, RITA, m.config.token, m.app);
    CHECK(refused(&m, RITA, reg, old ? REVERT_ERC721_RECEIVER : ERROR_ERC721InvalidReceiver));
    begin_nft(&m, METHOD_registry_safeTransferFrom, RITA, m.config.hub, m.app);
    CHECK(refused(&m, RITA, reg, REVERT_FALLBACK));
    begin(&m, METHOD_app_owner, 0);
    CHECK(applied(&m, RITA, m.app) && address_eq(addr(&m, 0), RITA));
    abi_put_address(begin(&m, METHOD_registry_balanceOf, 1), ALICE);
    CHECK(applied(&m, RITA, reg) && num(&m, 0) == 0);
    o = begin(&m, METHOD_registry_tokenOfOwnerByIndex, 2);
    abi_put_address(o, RITA);
    abi_put_u64(o, 0);
    CHECK(applied(&m, RITA, reg) && address_eq(addr(&m, 0), m.app));
    o = begin(&m, METHOD_workerpool_changePolicy, 2);
    abi_put_u64(o, 50);
    abi_put_u64(o, 101);
    CHECK(refused(&m, PAUL, m.pool, REVERT_NONE));
    CHECK(refused(&m, RITA, m.pool, REVERT_ENTRY_NOT_OWNER));
    o = begin(&m, METHOD_workerpool_changePolicy, 2);
    abi_put_u64(o, 50);
    abi_put_u64(o, 100);
    CHECK(applied(&m, PAUL, m.pool) && log_is(&m, 0, EVENT_workerpool_PolicyUpdate));
    abi_put_address(begin(&m, METHOD_hub_viewWorkerpool, 1), m.pool);
    CHECK(applied(&m, PAUL, m.config.hub) && num(&m, 3) == 50 && num(&m, 4) == 100);
    abi_put_u64(begin(&m, METHOD_hub_viewCategoryABILegacy, 1), 77);
    CHECK(old ? refused(&m, PAUL, m.config.hub, REVERT_NONE)
              : panicked(&m, PAUL, m.config.hub, 0x32));
    market_close(&m);
}

/* --- accounts with code --- */

static struct address create_owned(struct market *m, enum method id, struct address from,
                                   struct address owner)
{
    struct abi_out *o = begin(m, id, 2);
    abi_put_address(o, owner);
    abi_put_hash(o, (struct hash){{1}});
    CHECK(applied(m, owner, from));
    struct address a = addr(m, 0);
    CHECK(refused(m, owner, from, REVERT_CREATE2_FAILED));
    return a;
}

static void a_group_lets_members_in(void)
{
    struct market m;
    struct signed_orders s;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct address g = create_owned(&m, METHOD_groupFactory_createGroup, factory(6), DORA);
    orders_fill(&m, &s, 1, 1);
    s.o.dataset.requesterrestrict = g;
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_MATCH_18));
    abi_put_address(begin(&m, METHOD_group_addMember, 1), RITA);
    CHECK(refused(&m, RITA, g, REVERT_GROUP_NOT_OWNER));
    CHECK(applied(&m, DORA, g) && log_is(&m, 0, EVENT_group_KeyAdded));
    CHECK(refused(&m, DORA, g, REVERT_GROUP_KEY_EXISTS));
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(applied(&m, RITA, m.config.hub));
    abi_put_address(begin(&m, METHOD_group_removeMember, 1), RITA);
    CHECK(applied(&m, DORA, g));
    CHECK(refused(&m, DORA, g, REVERT_GROUP_KEY_MISSING));
    /* A restriction with code that is no group: asked, it reverts, which means no. */
    s.o.dataset.requesterrestrict = m.config.token;
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_MATCH_18));
    market_close(&m);
}

struct two {
    struct sig a, b;
};

static void a_wallet_of_two(void)
{
    struct market m;
    struct signed_orders s;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct abi_out *o = begin(&m, METHOD_walletFactory_createWallet, 3);
    struct abi_out list = abi_put_array(o, 3, 1);
    for (uint8_t i = 0; i < 3; i++) {
        abi_put_address(&list, who((uint8_t)(60 + i)));
    }
    abi_put_u64(o, 2);
    abi_put_hash(o, (struct hash){{1}});
    CHECK(applied(&m, RITA, factory(7)) && log_is(&m, 0, EVENT_walletFactory_WalletCreated));
    struct address w = addr(&m, 0);
    /* It owns the app: its signature is two of its signers'. */
    begin_nft(&m, METHOD_registry_safeTransferFrom, ALICE, w, m.app);
    CHECK(applied(&m, ALICE, m.config.app_registry));
    orders_fill(&m, &s, 1, 1);
    orders_sign(&m, &s);
    begin(&m, METHOD_wallet_domainSeparator, 0);
    CHECK(applied(&m, RITA, w));
    struct hash domain = hash_word(&m, 0), words[2];
    words[0] = keccak256(BYTES_LIT("WalletMessage(bytes32 hash)"));
    words[1] = app_order_hash(m.domain, &s.o.app);
    struct hash digest = order_hash(domain, keccak256(BYTES_OF(words)));
    struct two sigs = {fake_sign(who(60), digest), fake_sign(who(62), digest)};
    s.o.app.sign = BYTES_OF(sigs.a);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_MATCH_21));
    s.o.app.sign = BYTES_OF(sigs);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(applied(&m, RITA, m.config.hub));
    /* And what two of them signed is carried out once. */
    BUF_FREE data = buf_new(1000);
    put_be(&data, iface_method(METHOD_wallet_setSigners)->selector, 4);
    struct abi_out args = abi_begin(&data, 2);
    list = abi_put_array(&args, 1, 1);
    abi_put_address(&list, who(61));
    abi_put_u64(&args, 1);
    o = begin(&m, METHOD_wallet_transactionHash, 3);
    abi_put_address(o, w);
    abi_put_bytes(o, buf_bytes(&data));
    abi_put_u64(o, 0);
    CHECK(applied(&m, RITA, w));
    digest = hash_word(&m, 0);
    sigs = (struct two){fake_sign(who(61), digest), fake_sign(who(62), digest)};
    o = begin(&m, METHOD_wallet_execute, 3);
    abi_put_address(o, w);
    abi_put_bytes(o, buf_bytes(&data));
    abi_put_bytes(o, BYTES_OF(sigs));
    CHECK(applied(&m, RITA, w) && log_is(&m, 1, EVENT_wallet_SignersChanged));
    CHECK(refused(&m, RITA, w, REVERT_WALLET_SIGNATURES));
    market_close(&m);
}

static void an_inbox_gets_the_result(void)
{
    struct market m;
    struct signed_orders s;
    market_open(&m, RULES_6_2);
    market_publish(&m);
    struct address inbox = create_owned(&m, METHOD_inboxFactory_createInbox, factory(8), RITA);
    orders_fill(&m, &s, 1, 1);
    s.o.request.callback = inbox;
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_matchOrders, &s.o);
    CHECK(applied(&m, RITA, m.config.hub));
    struct hash task = initialize(&m, hash_word(&m, 0), 0);
    struct bytes answer = BYTES_LIT("forty-two");
    struct hash digest = keccak256(answer);
    begin_contribute(&m, task, WORKER(0), digest);
    CHECK(applied(&m, WORKER(0), m.config.hub));
    begin_reveal(&m, task, digest);
    CHECK(applied(&m, WORKER(0), m.config.hub));
    begin_finalize(&m, task, BYTES_LIT("x"), BYTES_LIT("forty-one"));
    CHECK(refused(&m, PAUL, m.config.hub, REVERT_NONE));
    begin_finalize(&m, task, BYTES_LIT("x"), answer);
    CHECK(applied(&m, PAUL, m.config.hub));
    CHECK(log_is(&m, m.res.logs_n - 1, EVENT_inbox_ResultReceived));
    CHECK(address_eq(m.res.logs[m.res.logs_n - 1].emitter, inbox));
    abi_put_hash(begin(&m, METHOD_inbox_resultOf, 1), task);
    CHECK(applied(&m, RITA, inbox) && num(&m, 1) == answer.n);
    struct abi_out *o = begin(&m, METHOD_inbox_receiveResult, 2);
    abi_put_hash(o, digest);
    abi_put_bytes(o, answer);
    CHECK(refused(&m, RITA, inbox, REVERT_INBOX_SENDER));
    market_close(&m);
}

/* --- token with an order inside, the loupe, Boost --- */

static void approve_call_and_match(void)
{
    static const enum poco_rules sets[] = {RULES_6_1, RULES_6_2};
    for (size_t i = 0; i < 2; i++) {
        struct market m;
        struct signed_orders s;
        BUF_FREE inner = buf_new(1 << 16);
        market_open(&m, sets[i]);
        market_publish(&m);
        orders_fill(&m, &s, 1, 1);
        orders_sign(&m, &s);
        begin_match(&m, METHOD_hub_matchOrders, &s.o);
        put_bytes(&inner, buf_bytes(&m.data));
        struct abi_out *o = begin(&m, METHOD_token_approveAndCall, 3);
        abi_put_address(o, m.config.hub);
        abi_put_u64(o, 1008);
        abi_put_bytes(o, buf_bytes(&inner));
        CHECK(applied(&m, RITA, m.config.token));
        CHECK(m.res.logs_n == (sets[i] == RULES_6_1 ? 3 : 9));
        CHECK(sets[i] == RULES_6_1
                  ? applied(&m, DORA, m.config.token)
                  : refused(&m, DORA, m.config.token, ERROR_CallerIsNotTheRequester));
        inner.p[0] ^= 1;
        o = begin(&m, METHOD_token_approveAndCall, 3);
        abi_put_address(o, m.config.hub);
        abi_put_u64(o, 1);
        abi_put_bytes(o, buf_bytes(&inner));
        CHECK(sets[i] == RULES_6_1 ? applied(&m, RITA, m.config.token)
                                   : refused(&m, RITA, m.config.token, ERROR_UnsupportedOperation));
        market_close(&m);
    }
}

static void the_loupe(void)
{
    struct market m;
    market_open(&m, RULES_6_2);
    abi_put_selector(begin(&m, METHOD_hub_facetAddress, 1), 0x156194d4);
    CHECK(applied(&m, RITA, m.config.hub) && !address_is_zero(addr(&m, 0)));
    struct address facet = addr(&m, 0);
    CHECK(poco_has_code(m.state, facet));
    abi_put_selector(begin(&m, METHOD_hub_facetAddress, 1), 0x12345678);
    CHECK(applied(&m, RITA, m.config.hub) && address_is_zero(addr(&m, 0)));
    abi_put_address(begin(&m, METHOD_hub_facetFunctionSelectors, 1), facet);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 1) == 6);
    begin(&m, METHOD_hub_facetAddresses, 0);
    CHECK(applied(&m, RITA, m.config.hub) && num(&m, 1) == 13);
    begin(&m, METHOD_hub_renounceOwnership, 0);
    CHECK(refused(&m, OWNER, m.config.hub, REVERT_FALLBACK));
    abi_put_address(begin(&m, METHOD_hub_transferOwnership, 1), RITA);
    CHECK(refused(&m, RITA, m.config.hub, ERROR_NotContractOwner));
    CHECK(applied(&m, OWNER, m.config.hub) && log_is(&m, 0, EVENT_hub_OwnershipTransferred));
    struct abi_out *o = begin(&m, METHOD_hub_diamondCut, 3);
    (void)abi_put_array(o, 0, 1);
    abi_put_address(o, (struct address){0});
    abi_put_bytes(o, (struct bytes){0});
    CHECK(refused(&m, OWNER, m.config.hub, ERROR_NotContractOwner));
    CHECK(applied(&m, RITA, m.config.hub) && log_is(&m, 0, EVENT_hub_DiamondCut));
    market_close(&m);
}

static void boost(void)
{
    struct market m;
    struct signed_orders s;
    market_open(&m, RULES_6_2);
    begin(&m, METHOD_hub_claimBoost, 2);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_FALLBACK));
    market_close(&m);
    market_open_with(&m, RULES_6_2, true);
    market_publish(&m);
    orders_fill(&m, &s, 1, 2);
    orders_sign(&m, &s);
    begin_match(&m, METHOD_hub_matchOrdersBoost, &s.o);
    CHECK(applied(&m, RITA, m.config.hub) && log_is(&m, 4, EVENT_hub_SchedulerNoticeBoost));
    struct hash deal = hash_word(&m, 0), task = order_task_id(deal, u256_from(0));
    struct sig auth =
        fake_sign(PAUL, task_authorization_digest(WORKER(0), task, (struct address){0}));
    struct abi_out *o = begin(&m, METHOD_hub_pushResultBoost, 7);
    abi_put_hash(o, deal);
    abi_put_u64(o, 0);
    abi_put_bytes(o, BYTES_LIT("result"));
    abi_put_bytes(o, (struct bytes){0});
    abi_put_bytes(o, BYTES_OF(auth));
    abi_put_address(o, (struct address){0});
    abi_put_bytes(o, (struct bytes){0});
    CHECK(applied(&m, WORKER(0), m.config.hub));
    CHECK(log_is(&m, m.res.logs_n - 1, EVENT_hub_ResultPushedBoost));
    CHECK(refused(&m, WORKER(0), m.config.hub, REVERT_BOOST_TASK_STATUS_NOT_UNSET));
    o = begin(&m, METHOD_hub_claimBoost, 2);
    abi_put_hash(o, deal);
    abi_put_u64(o, 1);
    CHECK(refused(&m, RITA, m.config.hub, REVERT_BOOST_DEADLINE_NOT_REACHED));
    m.env.time += 2100;
    CHECK(applied(&m, RITA, m.config.hub) && log_is(&m, m.res.logs_n - 1, EVENT_hub_TaskClaimed));
    uint64_t stake, locked;
    stake_of(&m, RITA, &stake, &locked);
    CHECK(locked == 0 && stake == (uint64_t)1000000000000 - 1008);
    market_close(&m);
}

int main(void)
{
    every_check_of_matching();
    framework_bits_of_a_dataset();
    presigned_and_closed();
    registries(RULES_6_1);
    registries(RULES_6_2);
    a_group_lets_members_in();
    a_wallet_of_two();
    an_inbox_gets_the_result();
    approve_call_and_match();
    the_loupe();
    boost();
    return 0;
}
