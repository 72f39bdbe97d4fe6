/* SPDX-License-Identifier: Apache-2.0 */
/* services.c - the REST services: order book (sdk-surface 4), secret manager (sdk-surface 5), store
 * (sdk-surface 7). */
#include <stdio.h>

#include "base/cur.h"
#include "crypto/keccak.h"
#include "daemon/client/client_int.h"
#include "encoding/cid.h"
#include "encoding/hex.h"
#include "encoding/varint.h"
#include "io/typed_data.h"

static void put_base(struct buf *b, const char *base)
{
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/') {
        n--;
    }
    put_mem(b, base, n);
}

/* --- the market --- */

static const char *const kinds[] = {[ORDER_APP] = "apporders",
                                    [ORDER_DATASET] = "datasetorders",
                                    [ORDER_WORKERPOOL] = "workerpoolorders",
                                    [ORDER_REQUEST] = "requestorders"};

rc market_get(struct client *c, json_t **out, const char *market, const char *path, struct err *e)
{
    uint64_t id;
    BUF_FREE url = buf_new(4096);
    TRY(client_chain_id(c, &id, e));
    put_base(&url, market);
    put_fmt(&url, "%s%cchainId=%llu", path, strchr(path, '?') != NULL ? '&' : '?',
            (unsigned long long)id);
    struct http_call call = {.url = buf_cstr(&url)};
    return err_wrap(e, http_json(c->http, out, &call, NULL, e), "market");
}

/* Only the text of the challenge comes from the server: what is signed is built here, so that no
 * market can get an order signed instead. */
static rc market_auth(struct client *c, struct buf *header, const char *market,
                      const struct signer *s, struct err *e)
{
    char address[HEX_ADDRESS_MAX], path[128];
    uint64_t id;
    struct hash h;
    uint8_t sig[65];
    JSON_FREE *reply = NULL;
    TRY(client_chain_id(c, &id, e));
    (void)snprintf(path, sizeof(path), "/challenge?address=%s", hex_address(address, s->address));
    TRY(market_get(c, &reply, market, path, e));
    struct js top = js_top(reply), data = js_key(&top, "data"), msg = js_key(&data, "message"),
              text_js = js_key(&msg, "challenge");
    const char *text;
    TRY(js_str(&text, &text_js, e));
    JSON_FREE *typed = json_pack(
        "{s:{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}], s:[{s:s,s:s}]}, s:{s:s,s:s,s:I}, s:s, s:{s:s}}",
        "types", "EIP712Domain", "name", "name", "type", "string", "name", "version", "type",
        "string", "name", "chainId", "type", "uint256", "Challenge", "name", "challenge", "type",
        "string", "domain", "name", "iExec Gateway", "version", "1", "chainId", (json_int_t)id,
        "primaryType", "Challenge", "message", "challenge", text);
    TRY(typed_data_hash(&h, typed, e));
    TRY(sign_digest(sig, s, h));
    put_str(header, "authorization: ");
    put_0x(header, BYTES_OF(h));
    put_u8(header, '_');
    put_0x(header, (struct bytes){sig, sizeof(sig)});
    put_fmt(header, "_%s", address);
    return buf_end(header);
}

rc market_publish(struct client *c, struct hash *orderhash, const char *market,
                  const struct signer *s, enum order_kind kind, const json_t *order, struct err *e)
{
    uint64_t id;
    BUF_FREE url = buf_new(4096);
    BUF_FREE auth = buf_new(1024);
    JSON_FREE *reply = NULL;
    TRY(client_chain_id(c, &id, e));
    TRY(market_auth(c, &auth, market, s, e));
    put_base(&url, market);
    put_fmt(&url, "/%s?chainId=%llu", kinds[kind], (unsigned long long)id);
    const char *const headers[] = {buf_cstr(&auth), NULL};
    struct http_call call = {.url = buf_cstr(&url), .headers = headers};
    JSON_FREE *body = json_pack("{s:O}", "order", order);
    if (body == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "publish: no order");
    }
    TRY(err_wrap(e, http_json(c->http, &reply, &call, body, e), "publish the order"));
    struct js top = js_top(reply), pub = js_key(&top, "published"),
              hash = js_key(&pub, "orderHash");
    struct hash h;
    TRY(err_wrap(e, js_hash(&h, &hash, e), "market"));
    if (orderhash != NULL) {
        *orderhash = h;
    }
    return RC_OK;
}

/* --- the secret manager --- */

/* keccak256("IEXEC_SMS_DOMAIN"): SPEC sdk-surface 5 */
static void sms_domain(struct keccak *k)
{
    struct hash d = keccak256(BYTES_LIT("IEXEC_SMS_DOMAIN"));
    keccak_init(k);
    keccak_add(k, BYTES_OF(d));
}

static rc sms_post(struct http_client *h, const struct buf *url, const struct signer *s,
                   struct hash challenge, struct bytes body, struct err *e)
{
    uint8_t sig[65];
    BUF_FREE auth = buf_new(256);
    BUF_FREE copy = buf_new(4096);
    HTTP_ANSWER ans = {0};
    TRY(sign_message(sig, s, challenge));
    put_str(&auth, "Authorization: ");
    put_0x(&auth, (struct bytes){sig, sizeof(sig)});
    put_bytes(&copy, buf_bytes(url));
    const char *const headers[] = {buf_cstr(&auth), NULL};
    struct http_call call = {.method = "POST",
                             .url = buf_cstr(&copy),
                             .headers = headers,
                             .type = "text/plain",
                             .body = body};
    TRY(http_call(h, &ans, &call, e));
    if (ans.status == 409) {
        return err_set(e, RC_CODE_DENIED, "the secret manager holds such a secret already");
    }
    return http_answer_check(&ans, e);
}

static rc sms_push(struct http_client *h, const struct buf *url, const struct signer *s,
                   struct address subject, const char *key, const struct secret *value,
                   struct err *e)
{
    struct keccak k;
    struct hash hv = keccak256(secret_bytes(value));
    sms_domain(&k);
    keccak_add(&k, BYTES_OF(subject));
    if (key != NULL) {
        struct hash hk = keccak256(bytes_str(key));
        keccak_add(&k, BYTES_OF(hk));
    }
    keccak_add(&k, BYTES_OF(hv));
    return err_wrap(e, sms_post(h, url, s, keccak_done(&k), secret_bytes(value), e),
                    "push the secret");
}

rc sms_push_dataset_secret(struct http_client *h, const char *sms, const struct signer *owner,
                           struct address dataset, const struct secret *value, struct err *e)
{
    char a[HEX_ADDRESS_MAX];
    BUF_FREE url = buf_new(1024);
    put_base(&url, sms);
    put_fmt(&url, "/secrets/web3?secretAddress=%s", hex_address(a, dataset));
    return sms_push(h, &url, owner, dataset, NULL, value, e);
}

rc sms_push_app_secret(struct http_client *h, const char *sms, const struct signer *owner,
                       struct address app, const struct secret *value, struct err *e)
{
    char a[HEX_ADDRESS_MAX];
    BUF_FREE url = buf_new(1024);
    put_base(&url, sms);
    put_fmt(&url, "/apps/%s/secrets", hex_address(a, app));
    return sms_push(h, &url, owner, app, "1", value, e);
}

rc sms_push_requester_secret(struct http_client *h, const char *sms, const struct signer *owner,
                             const char *key, const struct secret *value, struct err *e)
{
    char a[HEX_ADDRESS_MAX];
    BUF_FREE url = buf_new(1024);
    put_base(&url, sms);
    put_fmt(&url, "/requesters/%s/secrets/", hex_address(a, owner->address));
    put_url(&url, bytes_str(key));
    return sms_push(h, &url, owner, owner->address, key, value, e);
}

rc sms_push_web2_secret(struct http_client *h, const char *sms, const struct signer *owner,
                        const char *name, const struct secret *value, struct err *e)
{
    char a[HEX_ADDRESS_MAX];
    BUF_FREE url = buf_new(1024);
    put_base(&url, sms);
    put_fmt(&url, "/secrets/web2?ownerAddress=%s&secretName=", hex_address(a, owner->address));
    put_url(&url, bytes_str(name));
    return sms_push(h, &url, owner, owner->address, name, value, e);
}

rc sms_tee_challenge(struct http_client *h, struct address *out, const char *sms,
                     const struct signer *scheduler, struct hash task, struct err *e)
{
    uint8_t sig[65];
    char text[HEX_HASH_MAX];
    BUF_FREE url = buf_new(1024);
    BUF_FREE auth = buf_new(256);
    HTTP_ANSWER ans = {0};
    put_base(&url, sms);
    put_fmt(&url, "/tee/challenges/%s", hex_hash(text, task));
    TRY(sign_message(sig, scheduler, keccak256(BYTES_OF(task)))); /* SPEC offchain 0 */
    put_str(&auth, "Authorization: ");
    put_0x(&auth, (struct bytes){sig, sizeof(sig)});
    const char *const headers[] = {buf_cstr(&auth), NULL};
    struct http_call call = {.method = "POST", .url = buf_cstr(&url), .headers = headers};
    TRY(err_wrap(e, http_call(h, &ans, &call, e), "ask for the enclave challenge"));
    TRY(err_wrap(e, http_answer_check(&ans, e), "ask for the enclave challenge"));
    char address[HEX_ADDRESS_MAX];
    size_t skip = ans.body.n > 0 && ans.body.p[0] == '"' ? 1 : 0; /* text, or a JSON string */
    (void)snprintf(address, sizeof(address), "%.*s",
                   (int)MIN(ans.body.n, sizeof(address) - 1 + skip), buf_cstr(&ans.body) + skip);
    return rc_ok(hex_parse_address(out, address))
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "the enclave challenge is no address");
}

/* --- the store --- */

rc store_add(struct http_client *h, char cid[160], const char *api, const char *path,
             struct bytes data, struct err *e)
{
    BUF_FREE url = buf_new(1024);
    JSON_FREE *reply = NULL;
    struct http_part part = {.name = "file", .path = path, .data = data};
    put_base(&url, api);
    put_str(&url, "/api/v0/add?progress=false&pin=true");
    struct http_call call = {
        .url = buf_cstr(&url), .parts = &part, .n_parts = 1, .timeout_ms = 600000};
    TRY(err_wrap(e, http_json(h, &reply, &call, NULL, e), "add to the store"));
    struct js top = js_top(reply), hash = js_key(&top, "Hash");
    const char *s;
    struct cid parsed;
    TRY(err_wrap(e, js_str(&s, &hash, e), "add to the store"));
    if (strlen(s) >= 160 || !rc_ok(cid_parse(&parsed, bytes_str(s)))) {
        return err_set(e, RC_CODE_MALFORMED, "add to the store: its answer is no CID");
    }
    (void)snprintf(cid, 160, "%s", s);
    return RC_OK;
}

#define MULTIADDR_P2P 421 /* also written /ipfs/ */

/* "/ipfs/…" as the SDK writes it into a dataset's multiaddr: code, length, multihash or CID. */
static bool binary_ipfs(struct buf *text, struct bytes location)
{
    struct cur c = cur_of(location);
    struct cid cid;
    char out[CID_STR_MAX];
    if (take_varint(&c) != MULTIADDR_P2P) {
        return false;
    }
    struct cur sub = take_sub(&c, take_varint(&c));
    cid = cid_take(&sub);
    if (!rc_ok(cur_end(&c)) || !rc_ok(cur_end(&sub))) {
        return false;
    }
    put_fmt(text, "/ipfs/%s", cid_str(&cid, out));
    return true;
}

static bool is_printable(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] <= 0x20 || b.p[i] >= 0x7f) {
            return false;
        }
    }
    return b.n > 0;
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

rc store_location(struct buf *url, const char *gateway, struct bytes location, struct err *e)
{
    BUF_FREE text = buf_new(4096);
    if (!binary_ipfs(&text, location)) {
        if (!is_printable(location)) {
            return err_set(e, RC_CODE_MALFORMED, "the location is neither text nor /ipfs/");
        }
        put_bytes(&text, location);
    }
    const char *s = buf_cstr(&text);
    if (starts(s, "http://") || starts(s, "https://")) {
        put_str(url, s);
    } else if (starts(s, "/ipfs/") || starts(s, "ipfs://")) {
        struct cid cid;
        const char *rest = s + (s[0] == '/' ? 6 : 7);
        if (!rc_ok(cid_parse(&cid, (struct bytes){(const uint8_t *)rest, strcspn(rest, "/")}))) {
            return err_set(e, RC_CODE_MALFORMED, "'%.100s' holds no CID", s);
        }
        put_base(url, gateway);
        put_fmt(url, "/ipfs/%s", rest);
    } else {
        return err_set(e, RC_CODE_MALFORMED,
                       "'%.100s' is no /ipfs/, ipfs://, http:// or https:// location", s);
    }
    return buf_end(url);
}

rc store_fetch(struct http_client *h, int fd, uint64_t *size, const char *gateway,
               struct bytes location, uint64_t max, struct err *e)
{
    BUF_FREE url = buf_new(8192);
    HTTP_ANSWER ans = {0};
    TRY(store_location(&url, gateway, location, e));
    struct http_call call = {
        .url = buf_cstr(&url), .out_fd = fd, .file_max = max, .redirects = 3, .timeout_ms = 600000};
    TRY(err_wrap(e, http_call(h, &ans, &call, e), "fetch %.100s", call.url));
    TRY(err_wrap(e, http_answer_check(&ans, e), "fetch %.100s", call.url));
    *size = ans.file_bytes;
    return RC_OK;
}
