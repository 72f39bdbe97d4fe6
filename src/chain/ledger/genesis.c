/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/ledger/genesis_int.h"

#include "io/json.h"

#define CHAIN_ID_MAX  ((uint64_t)1 << 52) /* exact in every client's numbers, EIP-155's v included */
#define GAS_LIMIT_MIN 5000000u            /* one matchOrders fits with room */
#define GAS_LIMIT_DEF 30000000000u
#define GAS_LIMIT_MAX ((uint64_t)1 << 50)

static rc opt_u64(uint64_t *out, const struct js *o, const char *key, uint64_t min, uint64_t max,
                  struct err *e)
{
    struct js j = js_key(o, key);
    struct u256 v;
    if (j.v == NULL) {
        return RC_OK;
    }
    TRY(js_u256(&v, &j, e));
    if (!u256_to_u64(v, out) || *out < min || *out > max) {
        return js_err(&j, e, "must be from %llu to %llu", (unsigned long long)min,
                      (unsigned long long)max);
    }
    return RC_OK;
}

static rc opt_u256(struct u256 *out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return j.v == NULL ? RC_OK : js_u256(out, &j, e);
}

static rc opt_address(struct address *out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return j.v == NULL ? RC_OK : js_address(out, &j, e);
}

static rc opt_bool(bool *out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return j.v == NULL ? RC_OK : js_bool(out, &j, e);
}

static rc take_rules(struct poco_config *c, const struct js *o, struct err *e)
{
    struct js j = js_key(o, "rules");
    const char *s;
    c->rules = RULES_6_2;
    if (j.v == NULL) {
        return RC_OK;
    }
    TRY(js_str(&s, &j, e));
    if (strcmp(s, "6.1") == 0) {
        c->rules = RULES_6_1;
    } else if (strcmp(s, "6.2") != 0) {
        return js_err(&j, e, "must be \"6.1\" or \"6.2\"");
    }
    return RC_OK;
}

static rc take_accounts(struct genesis *g, struct arena *a, const struct js *top, struct err *e)
{
    static const char *const names[] = {"address", "balance", "rlc", "stake", NULL};
    struct js list = js_key(top, "accounts");
    if (list.v == NULL) {
        return RC_OK;
    }
    TRY(js_array(&list, GENESIS_ACCOUNTS_MAX, e));
    size_t n = js_n(&list);
    struct poco_account *accounts = ARENA_ARRAY(a, struct poco_account, n);
    g->coins = ARENA_ARRAY(a, struct genesis_coin, n);
    if (accounts == NULL || g->coins == NULL) {
        return err_set(e, RC_CODE_LIMIT, "accounts: no memory for so many");
    }
    for (size_t i = 0; i < n; i++) {
        struct js j = js_at(&list, i);
        struct js address = js_key(&j, "address");
        TRY(js_object(&j, e));
        TRY(js_only(&j, names, e));
        TRY(js_address(&accounts[i].address, &address, e));
        TRY(opt_u256(&g->coins[i].balance, &j, "balance", e));
        TRY(opt_u256(&accounts[i].rlc, &j, "rlc", e));
        TRY(opt_u256(&accounts[i].stake, &j, "stake", e));
        g->coins[i].address = accounts[i].address;
    }
    g->coins_n = n;
    g->poco.accounts = accounts;
    g->poco.accounts_n = n;
    return RC_OK;
}

static rc copy_str(const char **out, struct arena *a, const struct js *j, struct err *e)
{
    const char *s;
    TRY(js_str(&s, j, e));
    size_t n = strlen(s) + 1;
    char *copy = arena_alloc(a, n);
    if (copy == NULL) {
        return err_set(e, RC_CODE_LIMIT, "genesis: no memory");
    }
    memcpy(copy, s, n);
    *out = copy;
    return RC_OK;
}

static rc take_categories(struct genesis *g, struct arena *a, const struct js *top, struct err *e)
{
    static const char *const names[] = {"name", "description", "workClockTimeRef", NULL};
    struct js list = js_key(top, "categories");
    if (list.v == NULL) {
        return RC_OK;
    }
    TRY(js_array(&list, GENESIS_CATEGORIES_MAX, e));
    size_t n = js_n(&list);
    struct poco_category *categories = ARENA_ARRAY(a, struct poco_category, n);
    if (categories == NULL) {
        return err_set(e, RC_CODE_LIMIT, "categories: no memory for so many");
    }
    for (size_t i = 0; i < n; i++) {
        struct js j = js_at(&list, i);
        struct js name = js_key(&j, "name"), description = js_key(&j, "description");
        struct js time = js_key(&j, "workClockTimeRef");
        TRY(js_object(&j, e));
        TRY(js_only(&j, names, e));
        TRY(copy_str(&categories[i].name, a, &name, e));
        categories[i].description = "";
        if (description.v != NULL) {
            TRY(copy_str(&categories[i].description, a, &description, e));
        }
        TRY(js_u256(&categories[i].work_clock_time_ref, &time, e));
    }
    g->poco.categories = categories;
    g->poco.categories_n = n;
    return RC_OK;
}

static rc take_contracts(struct genesis *g, const struct js *top, struct err *e)
{
    struct js proxy = js_key(top, "proxyCodeHash");
    struct poco_config *c = &g->poco;
    TRY(take_rules(c, top, e));
    TRY(opt_u64(&c->switch_height, top, "rulesSwitchHeight", 0, UINT64_MAX, e));
    TRY(opt_bool(&c->boost, top, "boost", e));
    TRY(opt_address(&c->owner, top, "owner", e));
    TRY(opt_address(&c->hub, top, "hub", e));
    TRY(opt_address(&c->token, top, "token", e));
    TRY(opt_address(&c->app_registry, top, "appRegistry", e));
    TRY(opt_address(&c->dataset_registry, top, "datasetRegistry", e));
    TRY(opt_address(&c->workerpool_registry, top, "workerpoolRegistry", e));
    return proxy.v == NULL ? RC_OK : js_hash(&c->proxy_code_hash, &proxy, e);
}

static rc take_chain(struct genesis *g, struct arena *a, const struct js *top, struct err *e)
{
    struct js extra = js_key(top, "extraData");
    g->chain_id = 7685;
    g->gas_limit = GAS_LIMIT_DEF;
    g->extra = BYTES_LIT("souk");
    TRY(opt_u64(&g->chain_id, top, "chainId", 1, CHAIN_ID_MAX, e));
    TRY(opt_u64(&g->time, top, "time", 0, (uint64_t)1 << 40, e));
    TRY(opt_u64(&g->gas_limit, top, "gasLimit", GAS_LIMIT_MIN, GAS_LIMIT_MAX, e));
    TRY(opt_u256(&g->base_fee, top, "baseFee", e));
    if (u256_bits(g->base_fee) > 128) {
        struct js fee = js_key(top, "baseFee");
        return js_err(&fee, e, "must be below 2^128");
    }
    TRY(opt_address(&g->coinbase, top, "coinbase", e));
    g->poco.chain_id = g->chain_id;
    return extra.v == NULL ? RC_OK : js_hex(&g->extra, a, &extra, GENESIS_EXTRA_MAX, e);
}

rc genesis_parse(struct genesis *out, struct arena *a, struct bytes json, struct err *e)
{
    static const char *const names[] = {"chainId",
                                        "time",
                                        "baseFee",
                                        "gasLimit",
                                        "coinbase",
                                        "extraData",
                                        "rules",
                                        "rulesSwitchHeight",
                                        "boost",
                                        "owner",
                                        "hub",
                                        "token",
                                        "appRegistry",
                                        "datasetRegistry",
                                        "workerpoolRegistry",
                                        "accounts",
                                        "categories",
                                        "proxyCodeHash",
                                        NULL};
    *out = (struct genesis){0};
    if (json.n > GENESIS_SIZE_MAX) {
        return err_set(e, RC_CODE_LIMIT, "genesis: more than %zu bytes", GENESIS_SIZE_MAX);
    }
    JSON_FREE *v = json_parse(json.n == 0 ? BYTES_LIT("{}") : json, 8, e);
    if (v == NULL) {
        return err_wrap(e, RC(MALFORMED), "genesis");
    }
    struct js top = js_top(v);
    rc r = js_object(&top, e);
    r = rc_ok(r) ? js_only(&top, names, e) : r;
    r = rc_ok(r) ? take_chain(out, a, &top, e) : r;
    r = rc_ok(r) ? take_contracts(out, &top, e) : r;
    r = rc_ok(r) ? take_accounts(out, a, &top, e) : r;
    r = rc_ok(r) ? take_categories(out, a, &top, e) : r;
    return rc_ok(r) ? RC_OK : err_wrap(e, r, "genesis");
}
