/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - `souk model publish`: a trained model (or any data) is encrypted and offered for use. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/publish.h"
#include "crypto/aes.h"
#include "crypto/sha2.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/file.h"

#define MODEL_MAX ((size_t)1 << 30)

struct model_opts {
    struct session_opts so;
    const char *file, *name, *price, *tag, *app, *requester, *workerpool;
    uint64_t volume;
};

#define M(name, type, field, ...) OPT(name, type, model_opts, field, __VA_ARGS__)

/* IV ‖ AES-256-CBC of the file into `out`, under a key made here. SPEC sdk-surface 9 */
static rc encrypt_file(struct buf *out, struct secret *key, const char *path, struct err *e)
{
    uint8_t iv[16];
    BUF_FREE plain = buf_new(MODEL_MAX);
    TRY(file_read(&plain, path, e));
    rc r = secret_random(key, 32);
    if (rc_ok(r)) {
        r = random_bytes(iv, sizeof(iv));
    }
    if (rc_ok(r)) {
        r = aes_cbc_encrypt(out, key->p, iv, buf_bytes(&plain));
    }
    if (plain.p != NULL) {
        mem_wipe(plain.p, plain.n);
    }
    return rc_ok(r) ? r : err_set(e, r.code, "encrypt %s", path);
}

/* The SMS keeps the key as base64 text, which is what the enclave's agent expects. */
static rc push_key(struct session *s, struct address dataset, const struct secret *key,
                   struct err *e)
{
    SECRET_FREE value = {0};
    BUF_FREE text = buf_new(128);
    put_base64(&text, secret_bytes(key));
    rc r = secret_copy(&value, buf_bytes(&text));
    mem_wipe(text.p, text.n);
    TRY(r);
    return err_wrap(
        e, sms_push_dataset_secret(client_http(s->client), s->sms, &s->signer, dataset, &value, e),
        "give the key to the secret manager");
}

static rc register_dataset(struct session *s, const struct model_opts *o, struct address *out,
                           struct hash checksum, const char *cid, struct err *e)
{
    bool made;
    BUF_FREE args = buf_new((size_t)1 << 16);
    struct abi_out a = abi_begin(&args, 4);
    abi_put_address(&a, s->signer.address);
    abi_put_bytes(&a, bytes_str(o->name));
    abi_put_bytes(&a, bytes_str(session_fmt(s, "/ipfs/%s", cid)));
    abi_put_hash(&a, checksum);
    return asset_create(s, out, &made, METHOD_hub_datasetregistry,
                        METHOD_datasetRegistry_predictDataset, METHOD_datasetRegistry_createDataset,
                        buf_bytes(&args), e);
}

static rc sell(struct session *s, const struct model_opts *o, struct address dataset,
               struct hash *hash, struct err *e)
{
    uint8_t sign[65];
    struct dataset_order order = {
        .dataset = dataset, .volume = u256_from(o->volume), .salt = salt_new()};
    TRY(money_parse(&order.datasetprice, o->price, e));
    TRY(tag_parse(&order.tag, o->tag, e));
    if (o->app != NULL) {
        TRY(asset_find(s, "app", o->app, &order.apprestrict, e));
    }
    TRY(restrict_parse(s, &order.workerpoolrestrict, o->workerpool, e));
    TRY(restrict_parse(s, &order.requesterrestrict, o->requester, e));
    TRY(order_sign(s, sign, dataset_order_struct(&order), e));
    order.sign = BYTES_OF(sign);
    return order_publish(s, hash, ORDER_DATASET, json_dataset_order(&order), e);
}

static rc publish(struct session *s, void *opts, struct err *e)
{
    const struct model_opts *o = opts;
    struct address dataset;
    struct hash hash = {0};
    char cid[160], addr[HEX_ADDRESS_MAX], m[MONEY_MAX];
    struct u256 price;
    SECRET_FREE key = {0};
    BUF_FREE cipher = buf_new(MODEL_MAX + 64);
    TRY(session_signer(s, e));
    TRY(money_parse(&price, o->price, e));
    TRY(encrypt_file(&cipher, &key, o->file, e));
    struct hash checksum = sha256(buf_bytes(&cipher));
    TRY(store_add(client_http(s->client), cid, s->store, NULL, buf_bytes(&cipher), e));
    TRY(register_dataset(s, o, &dataset, checksum, cid, e));
    TRY(push_key(s, dataset, &key, e));
    TRY(asset_save(s, "model", o->name, dataset, e));
    TRY(sell(s, o, dataset, &hash, e));
    if (o->so.json) {
        print_json(json_pack("{s:s, s:o, s:o, s:s, s:o, s:I}", "name", o->name, "dataset",
                             json_address_text(dataset), "checksum", json_hash_text(checksum),
                             "cid", cid, "orderHash", json_hash_text(hash), "size",
                             (json_int_t)cipher.n));
    } else {
        (void)printf(
            "model %s is at %s: %zu bytes, encrypted; %s a task; the key is with the secret "
            "manager\n",
            o->name, hex_address(addr, dataset), cipher.n, money(m, price));
    }
    return RC_OK;
}

/* clang-format off */
static const struct opt table[] = {
    M("name",       OPT_STR, name,   .arg = "NAME", .def = "model", .help = "what people call it"),
    M("price",      OPT_STR, price,  .arg = "AMOUNT", .def = "0", .help = "price of one task, in RLC"),
    M("volume",     OPT_U64, volume, .arg = "N", .def = "1000000", .min = 1, .help = "tasks that the order is good for"),
    M("tag",        OPT_STR, tag,    .arg = "TAG", .def = "tee", .help = "tee: only inside enclaves (elsewhere the key would be of no use)"),
    M("app",        OPT_STR, app,    .arg = "APP", .help = "only this application may use it: the one whose image you have read"),
    M("requester",  OPT_STR, requester, .arg = "WHO", .help = "only this requester (or group)"),
    M("workerpool", OPT_STR, workerpool, .arg = "WHICH", .help = "only on this workerpool"),
    SESSION_SIGNER(struct model_opts), SESSION_SERVICES(struct model_opts), SESSION_OPTS(struct model_opts), {.name = NULL},
};
/* clang-format on */

static const struct opts publish_options = {
    .command = "model publish",
    .summary =
        "Encrypts a trained model, or any data, puts the ciphertext into the store, registers "
        "it as a dataset, gives the key to the secret manager and offers its use on the market. "
        "The key goes to enclaves alone, and only for deals that the order allows.",
    .args = "FILE",
    .args_min = 1,
    .args_max = 1,
    .table = table,
    .example =
        "  souk model publish weights.bin --wallet bob --name mobilenet --price 2 --app classify",
};

static int run_publish(int argc, char **argv)
{
    struct model_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&publish_options, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        o.file = rest.v[0];
        status = session_run(&o.so, "model publish", publish, &o);
    }
    arena_reset(&a);
    return status;
}

int cmd_model(int argc, char **argv)
{
    static const struct verb verbs[] = {{"publish", "offer a model", run_publish}, {0}};
    return verbs_run("model", "trained models and data for rent", verbs, argc, argv);
}
