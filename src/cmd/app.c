/* SPDX-License-Identifier: Apache-2.0 */
/* app.c - `souk app publish`: an image becomes an application that others can rent. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/publish.h"
#include "daemon/runtime/runtime.h"
#include "encoding/hex.h"
#include "io/file.h"

struct app_opts {
    struct session_opts so;
    const char *image, *name, *price, *tag, *type, *requester, *dataset, *workerpool, *secret;
    uint64_t volume;
    bool no_order;
};

#define A(name, type, field, ...) OPT(name, type, app_opts, field, __VA_ARGS__)

static rc register_app(struct session *s, const struct app_opts *o, struct address *app,
                       struct image *image, const char *cid, struct err *e)
{
    struct hash checksum;
    BUF_FREE args = buf_new((size_t)1 << 16);
    bool made;
    TRY(image_digest_parse(&checksum, image->digest));
    struct abi_out a = abi_begin(&args, 6);
    abi_put_address(&a, s->signer.address);
    abi_put_bytes(&a, bytes_str(o->name));
    abi_put_bytes(&a, bytes_str(o->type));
    abi_put_bytes(&a, bytes_str(session_fmt(s, "/ipfs/%s", cid)));
    abi_put_hash(&a, checksum);
    abi_put_bytes(&a,
                  (struct bytes){0}); /* no MREnclave: the measurement follows from the checksum */
    return asset_create(s, app, &made, METHOD_hub_appregistry, METHOD_appRegistry_predictApp,
                        METHOD_appRegistry_createApp, buf_bytes(&args), e);
}

static rc sell(struct session *s, const struct app_opts *o, struct address app, struct hash *hash,
               struct err *e)
{
    uint8_t sign[65];
    struct app_order order = {.app = app, .volume = u256_from(o->volume), .salt = salt_new()};
    TRY(money_parse(&order.appprice, o->price, e));
    TRY(tag_parse(&order.tag, o->tag, e));
    TRY(restrict_parse(s, &order.datasetrestrict, o->dataset, e));
    TRY(restrict_parse(s, &order.workerpoolrestrict, o->workerpool, e));
    TRY(restrict_parse(s, &order.requesterrestrict, o->requester, e));
    TRY(order_sign(s, sign, app_order_struct(&order), e));
    order.sign = BYTES_OF(sign);
    return order_publish(s, hash, ORDER_APP, json_app_order(&order), e);
}

static rc push_secret(struct session *s, const struct app_opts *o, struct address app,
                      struct err *e)
{
    SECRET_FREE value = {0};
    BUF_FREE text = buf_new(4096);
    rc r = file_read(&text, o->secret, e);
    if (rc_ok(r)) {
        r = secret_copy(&value, buf_bytes(&text));
    }
    if (text.p != NULL) {
        mem_wipe(text.p, text.n);
    }
    TRY(r);
    return err_wrap(e,
                    sms_push_app_secret(client_http(s->client), s->sms, &s->signer, app, &value, e),
                    "push the secret");
}

static rc publish(struct session *s, void *opts, struct err *e)
{
    const struct app_opts *o = opts;
    struct image image;
    struct address app;
    struct hash hash = {0};
    char cid[160], addr[HEX_ADDRESS_MAX], m[MONEY_MAX];
    struct u256 price;
    TRY(session_signer(s, e));
    TRY(money_parse(&price, o->price, e));
    TRY(image_read(&image, &s->a, o->image, e));
    TRY(store_add(client_http(s->client), cid, s->store, o->image, (struct bytes){0}, e));
    TRY(register_app(s, o, &app, &image, cid, e));
    TRY(asset_save(s, "app", o->name, app, e));
    if (o->secret != NULL) {
        TRY(push_secret(s, o, app, e));
    }
    if (!o->no_order) {
        TRY(sell(s, o, app, &hash, e));
    }
    if (o->so.json) {
        print_json(json_pack("{s:s, s:o, s:s, s:s, s:o}", "name", o->name, "app",
                             json_address_text(app), "digest", image.digest, "cid", cid,
                             "orderHash", json_hash_text(hash)));
    } else {
        (void)printf("application %s is at %s: image %.19s…, %s a task\n", o->name,
                     hex_address(addr, app), image.digest, money(m, price));
    }
    return RC_OK;
}

/* clang-format off */
static const struct opt table[] = {
    A("name",       OPT_STR, name,   .arg = "NAME", .def = "app", .help = "what people call it"),
    A("price",      OPT_STR, price,  .arg = "AMOUNT", .def = "0", .help = "price of one task, in RLC"),
    A("volume",     OPT_U64, volume, .arg = "N", .def = "1000000", .min = 1, .help = "tasks that the order is good for"),
    A("tag",        OPT_STR, tag,    .arg = "TAG", .def = "none", .help = "tee: it may run in enclaves; none"),
    A("type",       OPT_STR, type,   .arg = "TYPE", .def = "OCI", .help = "kind of the image, as the registry keeps it"),
    A("requester",  OPT_STR, requester, .arg = "WHO", .help = "only this requester (or group) may use the order"),
    A("dataset",    OPT_STR, dataset, .arg = "WHICH", .help = "only with this dataset"),
    A("workerpool", OPT_STR, workerpool, .arg = "WHICH", .help = "only on this workerpool"),
    A("secret",     OPT_STR, secret, .arg = "FILE", .help = "developer's secret, given to the application inside enclaves"),
    A("no-order",   OPT_FLAG, no_order, .help = "register it, sell nothing yet"),
    SESSION_SIGNER(struct app_opts), SESSION_SERVICES(struct app_opts), SESSION_OPTS(struct app_opts), {.name = NULL},
};
/* clang-format on */

static const struct opts publish_options = {
    .command = "app publish",
    .summary =
        "Puts an image into the store, registers it as an application on the chain with its "
        "digest, and offers it on the market.",
    .args = "IMAGE.tar",
    .args_min = 1,
    .args_max = 1,
    .table = table,
    .example =
        "  souk image pack rootfs/ --out app.tar --entrypoint /app\n"
        "  souk app publish app.tar --wallet carol --name classify --price 0.5 --tag tee",
};

static int run_publish(int argc, char **argv)
{
    struct app_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&publish_options, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        o.image = rest.v[0];
        status = session_run(&o.so, "app publish", publish, &o);
    }
    arena_reset(&a);
    return status;
}

int cmd_app(int argc, char **argv)
{
    static const struct verb verbs[] = {{"publish", "offer an application", run_publish}, {0}};
    return verbs_run("app", "applications for rent", verbs, argc, argv);
}
