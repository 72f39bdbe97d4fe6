/* SPDX-License-Identifier: Apache-2.0 */
/* genesis.c - the file that a chain begins with: docs/genesis.md. Unknown members are errors that
 * name their place, so that a misspelt setting is not silently the default. */
#include "chain/ledger/ledger_int.h"
#include "io/json.h"

enum { ACCOUNTS_MAX = 1 << 20, CATEGORIES_MAX = 1024 };

#define GAS_LIMIT_DEFAULT 30000000000u

static const char *const members[] = {"chainId",
                                      "time",
                                      "gasLimit",
                                      "baseFee",
                                      "coinbase",
                                      "rules",
                                      "rulesSwitchHeight",
                                      "boost",
                                      "hub",
                                      "token",
                                      "appRegistry",
                                      "datasetRegistry",
                                      "workerpoolRegistry",
                                      "owner",
                                      "proxyCodeHash",
                                      "accounts",
                                      "categories",
                                      NULL};

static rc opt_u64(uint64_t *out, const struct js *o, const char *key, uint64_t max, struct err *e)
{
    struct js v = js_key(o, key);
    return js_has(o, key) ? js_u64(out, &v, max, e) : RC_OK;
}

static rc opt_u256(struct u256 *out, const struct js *o, const char *key, struct err *e)
{
    struct js v = js_key(o, key);
    return js_has(o, key) ? js_u256(out, &v, e) : RC_OK;
}

static rc opt_address(struct address *out, const struct js *o, const char *key, struct err *e)
{
    struct js v = js_key(o, key);
    return js_has(o, key) ? js_address(out, &v, e) : RC_OK;
}

static rc read_accounts(struct genesis *g, struct arena *a, const struct js *top, struct err *e)
{
    static const char *const names[] = {"address", "balance", "rlc", "stake", NULL};
    struct js list = js_key(top, "accounts");
    if (!js_has(top, "accounts")) {
        return RC_OK;
    }
    TRY(js_array(&list, ACCOUNTS_MAX, e));
    size_t n = js_n(&list);
    struct poco_account *acc = ARENA_ARRAY(a, struct poco_account, n);
    g->balances = ARENA_ARRAY(a, struct u256, n);
    if (acc == NULL || g->balances == NULL) {
        return err_set(e, RC_CODE_LIMIT, "genesis: too many accounts");
    }
    for (size_t i = 0; i < n; i++) {
        struct js o = js_at(&list, i), address = js_key(&o, "address");
        TRY(js_only(&o, names, e));
        TRY(js_address(&acc[i].address, &address, e));
        TRY(opt_u256(&g->balances[i], &o, "balance", e));
        TRY(opt_u256(&acc[i].rlc, &o, "rlc", e));
        TRY(opt_u256(&acc[i].stake, &o, "stake", e));
    }
    g->poco.accounts = acc;
    g->poco.accounts_n = n;
    return RC_OK;
}

static rc copy_text(const char **out, struct arena *a, const struct js *v, struct err *e)
{
    const char *s;
    TRY(js_str(&s, v, e));
    char *copy = arena_alloc(a, strlen(s) + 1);
    if (copy == NULL) {
        return err_set(e, RC_CODE_LIMIT, "genesis: too much text");
    }
    memcpy(copy, s, strlen(s));
    *out = copy;
    return RC_OK;
}

static rc read_categories(struct genesis *g, struct arena *a, const struct js *top, struct err *e)
{
    static const char *const names[] = {"name", "description", "workClockTimeRef", NULL};
    struct js list = js_key(top, "categories");
    if (!js_has(top, "categories")) {
        return RC_OK;
    }
    TRY(js_array(&list, CATEGORIES_MAX, e));
    size_t n = js_n(&list);
    struct poco_category *cat = ARENA_ARRAY(a, struct poco_category, n);
    if (cat == NULL) {
        return err_set(e, RC_CODE_LIMIT, "genesis: too many categories");
    }
    for (size_t i = 0; i < n; i++) {
        struct js o = js_at(&list, i), name = js_key(&o, "name");
        struct js text = js_key(&o, "description"), time = js_key(&o, "workClockTimeRef");
        TRY(js_only(&o, names, e));
        TRY(copy_text(&cat[i].name, a, &name, e));
        TRY(copy_text(&cat[i].description, a, &text, e));
        TRY(js_u256(&cat[i].work_clock_time_ref, &time, e));
    }
    g->poco.categories = cat;
    g->poco.categories_n = n;
    return RC_OK;
}

static rc read_rules(struct genesis *g, const struct js *top, struct err *e)
{
    const char *rules = "6.2";
    struct js v = js_key(top, "rules"), boost = js_key(top, "boost");
    if (js_has(top, "rules")) {
        TRY(js_str(&rules, &v, e));
    }
    if (strcmp(rules, "6.2") != 0 && strcmp(rules, "6.1") != 0) {
        return js_err(&v, e, "must be \"6.1\" or \"6.2\"");
    }
    g->poco.rules = strcmp(rules, "6.1") == 0 ? RULES_6_1 : RULES_6_2;
    TRY(opt_u64(&g->poco.switch_height, top, "rulesSwitchHeight", INT64_MAX, e));
    if (js_has(top, "boost")) {
        TRY(js_bool(&g->poco.boost, &boost, e));
    }
    return RC_OK;
}

static rc read_all(struct genesis *g, struct arena *a, const struct js *top, struct err *e)
{
    TRY(js_object(top, e));
    TRY(js_only(top, members, e));
    *g = (struct genesis){.poco.chain_id = 7685, .gas_limit = GAS_LIMIT_DEFAULT};
    TRY(opt_u64(&g->poco.chain_id, top, "chainId", (uint64_t)1 << 53, e));
    TRY(opt_u64(&g->time, top, "time", (uint64_t)1 << 40, e));
    TRY(opt_u64(&g->gas_limit, top, "gasLimit", (uint64_t)1 << 53, e));
    TRY(opt_u256(&g->base_fee, top, "baseFee", e));
    TRY(opt_address(&g->coinbase, top, "coinbase", e));
    TRY(read_rules(g, top, e));
    TRY(opt_address(&g->poco.hub, top, "hub", e));
    TRY(opt_address(&g->poco.token, top, "token", e));
    TRY(opt_address(&g->poco.app_registry, top, "appRegistry", e));
    TRY(opt_address(&g->poco.dataset_registry, top, "datasetRegistry", e));
    TRY(opt_address(&g->poco.workerpool_registry, top, "workerpoolRegistry", e));
    TRY(opt_address(&g->poco.owner, top, "owner", e));
    if (js_has(top, "proxyCodeHash")) {
        struct js v = js_key(top, "proxyCodeHash");
        TRY(js_hash(&g->poco.proxy_code_hash, &v, e));
    }
    TRY(read_accounts(g, a, top, e));
    return read_categories(g, a, top, e);
}

rc genesis_parse(struct genesis *g, struct arena *a, struct bytes json, struct err *e)
{
    JSON_FREE *j = json_parse(json, JSON_DEPTH_MAX, e);
    if (j == NULL) {
        return err_wrap(e, RC(MALFORMED), "genesis");
    }
    struct js top = js_top(j);
    TRY(err_wrap(e, read_all(g, a, &top, e), "genesis"));
    poco_defaults(&g->poco);
    return RC_OK;
}
