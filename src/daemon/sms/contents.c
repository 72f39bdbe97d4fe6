/* SPDX-License-Identifier: Apache-2.0 */
/* contents.c - what a session gives to the enclave: the environment of each stage, with the secrets
 * in it. SPEC offchain 4.2, sdk-surface 6 and 10. Written straight into locked memory. */
#include <stdio.h>
#include <strings.h>

#include "crypto/sha2.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"

#define CONTENTS_MAX ((size_t)512 << 10) /* bytes of the JSON; params are the larger part */

enum { INPUT_FILES_MAX = 64, SECRETS_MAX = 64 };

#define KEY_NAME     "iexec-result-encryption-public-key"
#define PROXY_NAME   "iexec-result-iexec-result-proxy-url"
#define IPFS_NAME    "iexec-result-iexec-ipfs-token"
#define DROPBOX_NAME "iexec-result-dropbox-token"

struct params {
    json_t *doc;      /* what the others point into; the caller drops it */
    const char *args; /* "" when there are none */
    const char *input[INPUT_FILES_MAX];
    size_t n_input;
    bool encrypt;
    const char *provider, *proxy;
    const char *bulk_cid; /* NULL: no bulk */
    struct bulk bulk;
    const json_t *secrets; /* {"1": "name"} */
};

static const char *text_of(const json_t *o, const char *key, const char *def)
{
    const char *v = json_string_value(json_object_get(o, key));
    return v != NULL ? v : def;
}

/* SPEC sdk-surface 6: params that are no JSON object are the arguments themselves. */
static rc params_parse(struct params *p, const struct view_deal *deal, struct err *e)
{
    *p = (struct params){.args = "", .provider = "ipfs", .proxy = ""};
    p->doc = json_parse(deal->params, 16, NULL);
    if (!json_is_object(p->doc)) {
        p->args = deal->params.n > 0 ? (const char *)deal->params.p : "";
        return utf8_is_valid(deal->params)
                   ? RC_OK
                   : err_set(e, RC_CODE_MALFORMED, "the deal's params are not UTF-8");
    }
    p->args = text_of(p->doc, "iexec_args", "");
    p->provider = text_of(p->doc, "iexec_result_storage_provider", "ipfs");
    p->proxy = text_of(p->doc, "iexec_result_storage_proxy", "");
    p->encrypt = json_is_true(json_object_get(p->doc, "iexec_result_encryption"));
    p->bulk_cid = text_of(p->doc, "bulk_cid", NULL);
    p->secrets = json_object_get(p->doc, "iexec_secrets");
    const json_t *files = json_object_get(p->doc, "iexec_input_files");
    size_t n = json_array_size(files);
    if (n > INPUT_FILES_MAX || json_object_size(p->secrets) > SECRETS_MAX) {
        return err_set(e, RC_CODE_LIMIT, "the deal names more than %d input files or secrets",
                       INPUT_FILES_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        const char *url = json_string_value(json_array_get(files, i));
        if (url == NULL) {
            return err_set(e, RC_CODE_MALFORMED, "iexec_input_files[%zu]: must be a string", i);
        }
        p->input[p->n_input++] = url;
    }
    return RC_OK;
}

/* --- is everything there? --- */

static rc has(struct sms *s, bool *out, enum secret_kind kind, struct address owner,
              const char *name, struct err *e)
{
    struct secret_id id = {kind, owner, name};
    rc r = vault_has(s->vault, &id, e);
    *out = rc_ok(r);
    return r.code == RC_CODE_NOT_FOUND ? RC_OK : r;
}

/* {"n": "name"}: number and name must be as the interface says. */
static const char *requester_secret(const char *index, const json_t *value)
{
    const char *name = json_string_value(value);
    size_t digits = strspn(index, "0123456789");
    return name != NULL && digits > 0 && digits < 10 && index[digits] == '\0' ? name : NULL;
}

static rc check_requester(struct sms *s, const struct params *p, const struct view_deal *deal,
                          const char **missing, struct err *e)
{
    const char *index;
    json_t *value;
    json_t *walk = json_incref((json_t *)(uintptr_t)p->secrets);
    rc r = RC_OK;
    json_object_foreach(walk, index, value)
    {
        const char *name = requester_secret(index, value);
        bool there = false;
        if (rc_ok(r) && name != NULL) {
            r = has(s, &there, SECRET_REQUESTER, deal->requester, name, e);
        }
        if (rc_ok(r) && !there && *missing == NULL) {
            *missing = "APP_COMPUTE_GET_REQUESTER_SECRET_FAILED";
            (void)err_set(e, RC_CODE_NOT_FOUND, "the requester's secret '%.64s' is not here",
                          name != NULL ? name : index);
        }
    }
    json_decref(walk);
    return r;
}

static rc check(struct sms *s, const struct params *p, const struct view_deal *deal,
                struct address worker, const char **missing, struct err *e)
{
    bool there = true;
    (void)worker;
    if (!address_is_zero(deal->dataset.pointer)) {
        TRY(has(s, &there, SECRET_WEB3, deal->dataset.pointer, "", e));
        if (!there) {
            *missing = "PRE_COMPUTE_GET_DATASET_SECRET_FAILED";
            (void)err_set(e, RC_CODE_NOT_FOUND,
                          "the key of the deal's dataset is not here: its "
                          "owner must push it");
            return RC_OK;
        }
    }
    if (p->encrypt) {
        TRY(has(s, &there, SECRET_WEB2, deal->beneficiary, KEY_NAME, e));
        if (!there) {
            *missing = "POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY";
            (void)err_set(e, RC_CODE_NOT_FOUND,
                          "the beneficiary has pushed no key to encrypt the result for");
            return RC_OK;
        }
    }
    if (strcmp(p->provider, "dropbox") == 0) {
        TRY(has(s, &there, SECRET_WEB2, deal->requester, DROPBOX_NAME, e));
        if (!there) {
            *missing = "POST_COMPUTE_GET_STORAGE_TOKENS_FAILED";
            (void)err_set(e, RC_CODE_NOT_FOUND, "the requester has pushed no dropbox token");
            return RC_OK;
        }
    }
    return check_requester(s, p, deal, missing, e);
}

rc contents_check(struct sms *s, const struct view_deal *deal, struct address worker,
                  const char **missing, struct err *e)
{
    struct params p;
    *missing = NULL;
    rc r = params_parse(&p, deal, e);
    if (rc_ok(r)) {
        r = check(s, &p, deal, worker, missing, e);
    } else {
        *missing = "GET_TASK_DESCRIPTION_FAILED";
        r = RC_OK;
    }
    json_decref(p.doc);
    return r;
}

/* --- writing --- */

struct env {
    struct buf *b;
    bool first;
};

static void name(struct env *v, const char *key)
{
    put_str(v->b, v->first ? "" : ",");
    v->first = false;
    json_put_str(v->b, bytes_str(key));
    put_u8(v->b, ':');
}

static void text(struct env *v, const char *key, struct bytes value)
{
    name(v, key);
    json_put_str(v->b, value);
}

static void str(struct env *v, const char *key, const char *value)
{
    text(v, key, bytes_str(value));
}

static void number(struct env *v, const char *key, uint64_t n)
{
    name(v, key);
    put_fmt(v->b, "\"%llu\"", (unsigned long long)n);
}

static void address(struct env *v, const char *key, struct address a)
{
    char hex[HEX_ADDRESS_MAX];
    str(v, key, hex_address(hex, a));
}

static void hash(struct env *v, const char *key, struct hash h)
{
    char hex[HEX_HASH_MAX];
    str(v, key, hex_hash(hex, h));
}

/* Text as it is when it is UTF-8, else 0x-hex: multiaddresses come in both forms. */
static void text_or_hex(struct env *v, const char *key, struct bytes value)
{
    if (utf8_is_valid(value)) {
        text(v, key, value);
        return;
    }
    name(v, key);
    put_u8(v->b, '"');
    put_0x(v->b, value);
    put_u8(v->b, '"');
}

/* A stored secret as a variable; "" when it is not there. */
static rc stored(struct sms *s, struct env *v, const char *key, enum secret_kind kind,
                 struct address owner, const char *secret_name, bool *there, struct err *e)
{
    struct secret_id id = {kind, owner, secret_name};
    SECRET_FREE plain = {0};
    rc r = vault_get(s->vault, &plain, &id, e);
    *there = rc_ok(r);
    if (rc_ok(r)) {
        text(v, key, secret_bytes(&plain));
    }
    return r.code == RC_CODE_NOT_FOUND ? RC_OK : r;
}

static rc put_signing(struct sms *s, struct env *v, const struct contents *c, struct err *e)
{
    SECRET_FREE key = {0};
    struct address a;
    TRY(vault_challenge_key(s->vault, &key, &a, c->session->task, e));
    hash(v, "IEXEC_TASK_ID", c->session->task);
    address(v, "SIGN_WORKER_ADDRESS", c->session->worker);
    name(v, "SIGN_TEE_CHALLENGE_PRIVATE_KEY");
    put_u8(v->b, '"');
    put_0x(v->b, secret_bytes(&key));
    put_u8(v->b, '"');
    return RC_OK;
}

static void begin_service(struct env *v, const char *service, bool first)
{
    put_fmt(v->b, "%s{\"name\":\"%s\",\"environment\":{", first ? "" : ",", service);
    v->first = true;
}

/* One of the bulk's datasets; all empty when it does not fit or its key is not here. */
static rc put_bulk_item(struct sms *s, struct env *v, const struct bulk_item *b, size_t n,
                        struct err *e)
{
    struct secret_id id = {SECRET_WEB3, b->dataset, ""};
    SECRET_FREE plain = {0};
    char key[64];
    rc r = b->fits ? vault_get(s->vault, &plain, &id, e) : RC(NOT_FOUND);
    if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
        return r;
    }
    bool good = rc_ok(r);
    (void)snprintf(key, sizeof(key), "IEXEC_DATASET_%zu_URL", n);
    text_or_hex(v, key, good ? b->view.multiaddr : (struct bytes){0});
    (void)snprintf(key, sizeof(key), "IEXEC_DATASET_%zu_CHECKSUM", n);
    if (good) {
        hash(v, key, b->view.checksum);
    } else {
        str(v, key, "");
    }
    (void)snprintf(key, sizeof(key), "IEXEC_DATASET_%zu_KEY", n);
    text(v, key, secret_bytes(&plain));
    (void)snprintf(key, sizeof(key), "IEXEC_DATASET_%zu_FILENAME", n);
    address(v, key, b->dataset);
    return RC_OK;
}

static rc put_bulk(struct sms *s, struct env *v, const struct params *p, struct err *e)
{
    number(v, "IEXEC_BULK_SLICE_SIZE", p->bulk.n);
    for (size_t i = 0; i < p->bulk.n; i++) {
        TRY(put_bulk_item(s, v, &p->bulk.item[i], i + 1, e));
    }
    return RC_OK;
}

static rc put_pre(struct sms *s, struct env *v, const struct contents *c, const struct params *p,
                  struct err *e)
{
    char key[64], file[HEX_ADDRESS_MAX];
    bool there = false;
    begin_service(v, "pre-compute", true);
    TRY(put_signing(s, v, c, e));
    str(v, "IEXEC_PRE_COMPUTE_OUT", "/iexec_in");
    str(v, "IS_DATASET_REQUIRED", c->dataset != NULL ? "true" : "false");
    if (c->dataset != NULL) {
        TRY(stored(s, v, "IEXEC_DATASET_KEY", SECRET_WEB3, c->deal->dataset.pointer, "", &there,
                   e));
        text_or_hex(v, "IEXEC_DATASET_URL", c->dataset->multiaddr);
        str(v, "IEXEC_DATASET_FILENAME", hex_address(file, c->deal->dataset.pointer));
        hash(v, "IEXEC_DATASET_CHECKSUM", c->dataset->checksum);
    }
    hash(v, "IEXEC_DEAL_ID", c->session->deal);
    number(v, "IEXEC_TASK_INDEX", c->task->idx);
    str(v, "IEXEC_INPUT_FILES_FOLDER", "/iexec_in");
    number(v, "IEXEC_INPUT_FILES_NUMBER", p->n_input);
    for (size_t i = 0; i < p->n_input; i++) {
        (void)snprintf(key, sizeof(key), "IEXEC_INPUT_FILE_URL_%zu", i + 1);
        str(v, key, p->input[i]);
    }
    if (p->bulk_cid != NULL) {
        TRY(put_bulk(s, v, p, e));
    }
    put_str(v->b, "}}");
    return RC_OK;
}

static rc put_app_secrets(struct sms *s, struct env *v, const struct contents *c,
                          const struct params *p, struct err *e)
{
    char key[64];
    bool there = false;
    const char *index;
    json_t *value;
    TRY(stored(s, v, "IEXEC_APP_DEVELOPER_SECRET", SECRET_APP, c->deal->app.pointer, "1", &there,
               e));
    TRY(stored(s, v, "IEXEC_APP_DEVELOPER_SECRET_1", SECRET_APP, c->deal->app.pointer, "1", &there,
               e));
    json_t *walk = json_incref((json_t *)(uintptr_t)p->secrets);
    rc r = RC_OK;
    json_object_foreach(walk, index, value)
    {
        const char *secret_name = requester_secret(index, value);
        (void)snprintf(key, sizeof(key), "IEXEC_REQUESTER_SECRET_%.9s", index);
        if (rc_ok(r) && secret_name != NULL) {
            r = stored(s, v, key, SECRET_REQUESTER, c->deal->requester, secret_name, &there, e);
        }
    }
    json_decref(walk);
    return r;
}

static rc put_app(struct sms *s, struct env *v, const struct contents *c, const struct params *p,
                  bool first, struct err *e)
{
    char key[64], hex[HEX_HASH_MAX];
    const struct view_deal *d = c->deal;
    begin_service(v, "app", first);
    hash(v, "IEXEC_TASK_ID", c->session->task);
    hash(v, "IEXEC_DEAL_ID", c->session->deal);
    number(v, "IEXEC_TASK_INDEX", c->task->idx);
    str(v, "IEXEC_IN", "/iexec_in");
    str(v, "IEXEC_OUT", "/iexec_out");
    number(v, "IEXEC_BOT_SIZE", d->bot_size);
    number(v, "IEXEC_BOT_FIRST_INDEX", d->bot_first);
    number(v, "IEXEC_BOT_TASK_INDEX", c->task->idx);
    address(v, "IEXEC_DATASET_ADDRESS", d->dataset.pointer);
    address(v, "IEXEC_DATASET_FILENAME", d->dataset.pointer);
    number(v, "IEXEC_INPUT_FILES_NUMBER", p->n_input);
    for (size_t i = 0; i < p->n_input; i++) {
        if (i == 0) {
            str(v, "IEXEC_INPUT_FILES_FOLDER", "/iexec_in");
        }
        struct hash h = sha256(bytes_str(p->input[i]));
        (void)snprintf(key, sizeof(key), "IEXEC_INPUT_FILE_NAME_%zu", i + 1);
        str(v, key, hex_hash(hex, h));
    }
    if (p->bulk_cid != NULL) {
        number(v, "IEXEC_BULK_SLICE_SIZE", p->bulk.n);
    }
    for (size_t i = 0; i < p->bulk.n; i++) {
        (void)snprintf(key, sizeof(key), "IEXEC_DATASET_%zu_FILENAME", i + 1);
        address(v, key, p->bulk.item[i].dataset);
    }
    TRY(put_app_secrets(s, v, c, p, e));
    put_str(v->b, "},\"args\":");
    json_put_str(v->b, bytes_str(p->args));
    put_str(v->b, "}");
    return RC_OK;
}

static rc put_storage(struct sms *s, struct env *v, const struct contents *c,
                      const struct params *p, struct err *e)
{
    bool there = false, dropbox = strcmp(p->provider, "dropbox") == 0;
    str(v, "RESULT_STORAGE_PROVIDER", p->provider);
    if (p->proxy[0] != '\0') {
        str(v, "RESULT_STORAGE_PROXY", p->proxy);
    } else {
        TRY(stored(s, v, "RESULT_STORAGE_PROXY", SECRET_WEB2, c->deal->workerpool.owner, PROXY_NAME,
                   &there, e));
    }
    if (dropbox) {
        return stored(s, v, "RESULT_STORAGE_TOKEN", SECRET_WEB2, c->deal->requester, DROPBOX_NAME,
                      &there, e);
    }
    /* The worker's token, else the requester's. Without one the agent hands the encrypted result to
     * its worker, who puts it into the store: no token is needed there. */
    TRY(stored(s, v, "RESULT_STORAGE_TOKEN", SECRET_WEB2, c->session->worker, IPFS_NAME, &there,
               e));
    return there ? RC_OK
                 : stored(s, v, "RESULT_STORAGE_TOKEN", SECRET_WEB2, c->deal->requester, IPFS_NAME,
                          &there, e);
}

static rc put_post(struct sms *s, struct env *v, const struct contents *c, const struct params *p,
                   struct err *e)
{
    bool callback = !address_is_zero(c->deal->callback), there = false;
    begin_service(v, "post-compute", false);
    TRY(put_signing(s, v, c, e));
    str(v, "RESULT_ENCRYPTION", p->encrypt ? "yes" : "no");
    if (p->encrypt) {
        TRY(stored(s, v, "RESULT_ENCRYPTION_PUBLIC_KEY", SECRET_WEB2, c->deal->beneficiary,
                   KEY_NAME, &there, e));
    }
    str(v, "RESULT_STORAGE_CALLBACK", callback ? "yes" : "no");
    if (!callback) {
        TRY(put_storage(s, v, c, p, e));
    }
    put_str(v->b, "}}");
    return RC_OK;
}

/* What the chain says about the task: the enclave needs not ask a worker that it does not trust. */
static void put_task(struct env *v, const struct contents *c)
{
    const struct view_deal *d = c->deal;
    uint64_t trust = 0;
    bool small = u256_to_u64(d->trust, &trust);
    v->first = true;
    put_str(v->b, "\"task\":{");
    hash(v, "taskId", c->session->task);
    hash(v, "dealId", c->session->deal);
    name(v, "index");
    put_fmt(v->b, "%llu", (unsigned long long)c->task->idx);
    address(v, "app", d->app.pointer);
    hash(v, "appChecksum", c->app->checksum);
    text_or_hex(v, "appMultiaddr", c->app->multiaddr);
    address(v, "dataset", d->dataset.pointer);
    address(v, "worker", c->session->worker);
    address(v, "enclaveChallenge", c->session->challenge);
    address(v, "requester", d->requester);
    address(v, "beneficiary", d->beneficiary);
    address(v, "callback", d->callback);
    text_or_hex(v, "params", d->params);
    hash(v, "tag", d->tag);
    name(v, "trust");
    put_fmt(v->b, "%llu", (unsigned long long)(small ? trust : UINT64_MAX));
    name(v, "botFirst");
    put_fmt(v->b, "%llu", (unsigned long long)d->bot_first);
    name(v, "botSize");
    put_fmt(v->b, "%llu", (unsigned long long)d->bot_size);
    put_str(v->b, "}");
}

static rc write_all(struct sms *s, struct buf *b, const struct contents *c, const struct params *p,
                    struct err *e)
{
    struct env v = {.b = b};
    bool pre = c->dataset != NULL || p->n_input > 0 || p->bulk_cid != NULL;
    put_fmt(b, "{\"version\":1,\"sessionId\":\"%s\",\"simulated\":%s,", c->session->id,
            c->simulated ? "true" : "false");
    put_task(&v, c);
    put_str(b, ",\"services\":[");
    if (pre) {
        TRY(put_pre(s, &v, c, p, e));
    }
    TRY(put_app(s, &v, c, p, !pre, e));
    TRY(put_post(s, &v, c, p, e));
    put_str(b, "]}");
    return buf_end(b);
}

rc contents_make(struct sms *s, struct secret *out, const struct contents *c, const char **missing,
                 struct err *e)
{
    struct params p;
    *missing = NULL;
    rc r = params_parse(&p, c->deal, e);
    if (rc_ok(r)) {
        r = check(s, &p, c->deal, c->session->worker, missing, e);
    }
    if (rc_ok(r) && *missing != NULL) {
        r = RC(NOT_FOUND);
    }
    if (rc_ok(r) && p.bulk_cid != NULL) {
        r = bulk_read(s, &p.bulk, p.bulk_cid, c->task->idx, c->session->deal, e);
        *missing = rc_ok(r) ? NULL : "GET_TASK_DESCRIPTION_FAILED";
    }
    if (rc_ok(r)) {
        r = secret_new(out, CONTENTS_MAX);
    }
    if (rc_ok(r)) {
        struct buf b = {.p = out->p, .alloc = out->size, .cap = out->size}; /* never grows */
        r = write_all(s, &b, c, &p, e);
        out->n = b.n;
        if (!rc_ok(r)) {
            secret_free(out);
        }
    }
    json_decref(p.doc);
    return r;
}
