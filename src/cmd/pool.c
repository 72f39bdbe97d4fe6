/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - `souk pool`: a workerpool is registered and offers its work. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/publish.h"
#include "encoding/hex.h"

struct pool_opts {
    struct session_opts so;
    const char *description, *price, *tag, *pool, *app, *dataset, *requester;
    uint64_t volume, category, trust;
};

#define P(name, type, field, ...) OPT(name, type, pool_opts, field, __VA_ARGS__)

static rc create(struct session *s, void *opts, struct err *e)
{
    const struct pool_opts *o = opts;
    struct address pool;
    bool made;
    char addr[HEX_ADDRESS_MAX];
    BUF_FREE args = buf_new((size_t)1 << 16);
    TRY(session_signer(s, e));
    struct abi_out a = abi_begin(&args, 2);
    abi_put_address(&a, s->signer.address);
    abi_put_bytes(&a, bytes_str(o->description));
    TRY(asset_create(s, &pool, &made, METHOD_hub_workerpoolregistry,
                     METHOD_workerpoolRegistry_predictWorkerpool,
                     METHOD_workerpoolRegistry_createWorkerpool, buf_bytes(&args), e));
    if (o->so.json) {
        print_json(json_pack("{s:o, s:b}", "workerpool", json_address_text(pool), "created", made));
    } else {
        (void)printf("workerpool %s %s\n", hex_address(addr, pool),
                     made ? "is registered" : "was registered before");
    }
    return RC_OK;
}

static rc publish(struct session *s, void *opts, struct err *e)
{
    const struct pool_opts *o = opts;
    struct hash hash;
    uint8_t sign[65];
    char addr[HEX_ADDRESS_MAX], m[MONEY_MAX];
    struct workerpool_order order = {.workerpool = s->workerpool,
                                     .volume = u256_from(o->volume),
                                     .category = u256_from(o->category),
                                     .trust = u256_from(o->trust),
                                     .salt = salt_new()};
    TRY(session_signer(s, e));
    if (o->pool != NULL) {
        TRY(session_address(s, &order.workerpool, o->pool, e));
    }
    if (address_is_zero(order.workerpool)) {
        return err_set(e, RC_CODE_MALFORMED, "which workerpool? give --pool ADDRESS");
    }
    TRY(money_parse(&order.workerpoolprice, o->price, e));
    TRY(tag_parse(&order.tag, o->tag, e));
    TRY(restrict_parse(s, &order.apprestrict, o->app, e));
    TRY(restrict_parse(s, &order.datasetrestrict, o->dataset, e));
    TRY(restrict_parse(s, &order.requesterrestrict, o->requester, e));
    TRY(order_sign(s, sign, workerpool_order_struct(&order), e));
    order.sign = BYTES_OF(sign);
    TRY(order_publish(s, &hash, ORDER_WORKERPOOL, json_workerpool_order(&order), e));
    if (o->so.json) {
        print_json(json_pack("{s:o, s:o}", "workerpool", json_address_text(order.workerpool),
                             "orderHash", json_hash_text(hash)));
    } else {
        (void)printf(
            "workerpool %s offers %llu tasks of category %llu, trust up to %llu, at %s each\n",
            hex_address(addr, order.workerpool), (unsigned long long)o->volume,
            (unsigned long long)o->category, (unsigned long long)o->trust,
            money(m, order.workerpoolprice));
    }
    return RC_OK;
}

/* clang-format off */
static const struct opt create_table[] = {
    P("description", OPT_STR, description, .arg = "TEXT", .def = "souk workerpool", .help = "what the registry says of it"),
    SESSION_SIGNER(struct pool_opts), SESSION_OPTS(struct pool_opts), {.name = NULL},
};
static const struct opt publish_table[] = {
    P("pool",      OPT_STR, pool,     .arg = "ADDRESS", .help = "which workerpool (default: the one of souk up)"),
    P("price",     OPT_STR, price,    .arg = "AMOUNT", .def = "0", .help = "price of one task, in RLC; the pool stakes 30 % of it"),
    P("volume",    OPT_U64, volume,   .arg = "N", .def = "1000", .min = 1, .help = "tasks that the order is good for; the stake must cover them"),
    P("category",  OPT_U64, category, .arg = "ID", .def = "0", .help = "length of the tasks: 0 XS … 4 XL"),
    P("trust",     OPT_U64, trust,    .arg = "N", .def = "1", .help = "the most certainty it sells: 1 is one worker's word, N takes votes of weight"),
    P("tag",       OPT_STR, tag,      .arg = "TAG", .def = "none", .help = "what it has: tee, tdx, gpu"),
    P("app",       OPT_STR, app,      .arg = "WHICH", .help = "only for this application"),
    P("dataset",   OPT_STR, dataset,  .arg = "WHICH", .help = "only with this dataset"),
    P("requester", OPT_STR, requester, .arg = "WHO", .help = "only for this requester (or group)"),
    SESSION_SIGNER(struct pool_opts), SESSION_SERVICES(struct pool_opts), SESSION_OPTS(struct pool_opts), {.name = NULL},
};
static const struct opts create_options = {
    .command = "pool create", .table = create_table,
    .summary = "Registers a workerpool; the wallet becomes its owner and scheduler.",
    .example = "  souk pool create --wallet scheduler --description 'two machines in a cellar'",
};
static const struct opts publish_options = {
    .command = "pool publish", .table = publish_table,
    .summary = "Offers a workerpool's work on the market.",
    .example = "  souk pool publish --wallet scheduler --price 1 --volume 100 --trust 5 --tag tee",
};
/* clang-format on */

static int run(const struct opts *options, rc (*fn)(struct session *, void *, struct err *),
               int argc, char **argv)
{
    struct pool_opts o = {0};
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(options, &o, NULL, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        status = session_run(&o.so, options->command, fn, &o);
    }
    arena_reset(&a);
    return status;
}

static int run_create(int argc, char **argv)
{
    return run(&create_options, create, argc, argv);
}

static int run_publish(int argc, char **argv)
{
    return run(&publish_options, publish, argc, argv);
}

int cmd_pool(int argc, char **argv)
{
    static const struct verb verbs[] = {{"create", "register a workerpool", run_create},
                                        {"publish", "offer its work", run_publish},
                                        {0}};
    return verbs_run("pool", "workerpools", verbs, argc, argv);
}
