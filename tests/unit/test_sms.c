/* SPDX-License-Identifier: Apache-2.0 */
/* test_sms.c - the secret manager over its own HTTP interface, beside a chain whose answers this
 * program decides: a JSON-RPC server that serves viewTask, viewDeal, viewApp, viewDataset and
 * owner(). Every refusal once, and what must stay as it was after each. tests/e2e does the same with
 * the real node. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/attest.h"
#include "base/cur.h"
#include "base/log.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "daemon/client/client.h"
#include "daemon/sms/sms.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/http_server.h"
#include "tests/test.h"

/* --- the chain --- */

static struct {
    struct loop *loop;
    struct http_server *http;
    pthread_t thread;
    bool away, no_dataset;
    enum task_status status;
    struct address app, dataset, hub, callback;
    struct address owner; /* of app, dataset, workerpool */
    struct hash task, deal, tag, checksum;
    const char *params;
    uint64_t final_deadline;
    struct address requester, beneficiary;
} chain;

static void put_view_task(struct buf *b, struct hash id)
{
    struct abi_out top = abi_begin(b, 1), o = abi_put_tuple(&top, 15);
    bool known = hash_eq(id, chain.task);
    abi_put_u64(&o, known ? (uint64_t)chain.status : 0);
    abi_put_hash(&o, known ? chain.deal : (struct hash){0});
    abi_put_u64(&o, 3); /* idx */
    abi_put_u64(&o, 60);
    abi_put_u64(&o, chain.final_deadline);
    abi_put_u64(&o, 0);
    abi_put_u64(&o, chain.final_deadline);
    abi_put_hash(&o, (struct hash){0});
    abi_put_u64(&o, 0);
    abi_put_u64(&o, 0);
    (void)abi_put_array(&o, 0, 1);
    abi_put_hash(&o, (struct hash){0});
    abi_put_bytes(&o, (struct bytes){0});
    abi_put_u64(&o, 0);
    abi_put_bytes(&o, (struct bytes){0});
}

static void put_owned(struct abi_out *o, struct address a)
{
    abi_put_address(o, a);
    abi_put_address(o, address_is_zero(a) ? a : chain.owner);
    abi_put_u64(o, 1);
}

static void put_view_deal(struct buf *b)
{
    struct address pool = {{9}};
    struct abi_out top = abi_begin(b, 1), o = abi_put_tuple(&top, 22);
    put_owned(&o, chain.app);
    put_owned(&o, chain.no_dataset ? (struct address){0} : chain.dataset);
    put_owned(&o, pool);
    abi_put_u64(&o, 1);
    abi_put_u64(&o, 0);
    abi_put_hash(&o, chain.tag);
    abi_put_address(&o, chain.requester);
    abi_put_address(&o, chain.beneficiary);
    abi_put_address(&o, chain.callback);
    abi_put_bytes(&o, bytes_str(chain.params));
    abi_put_u64(&o, 1000);
    abi_put_u64(&o, 0);
    abi_put_u64(&o, 5);
    abi_put_u64(&o, 0);
    abi_put_u64(&o, 0);
    abi_put_address(&o, chain.requester);
}

static void put_view_asset(struct buf *b, bool app)
{
    struct abi_out top = abi_begin(b, 1), o = abi_put_tuple(&top, app ? 6 : 4);
    abi_put_address(&o, chain.owner);
    abi_put_bytes(&o, BYTES_LIT("name"));
    if (app) {
        abi_put_bytes(&o, BYTES_LIT("DOCKER"));
    }
    abi_put_bytes(&o, BYTES_LIT("/ipfs/QmThing"));
    abi_put_hash(&o, chain.checksum);
    if (app) {
        abi_put_bytes(&o, (struct bytes){0});
    }
}

static void answer_call(struct buf *out, const json_t *one)
{
    BUF_FREE raw = buf_new(1 << 16);
    BUF_FREE data = buf_new(1 << 16);
    const json_t *call = json_array_get(json_object_get(one, "params"), 0);
    const char *text = json_string_value(json_object_get(call, "data"));
    struct address to = {0};
    CHECK(text != NULL && rc_ok(hex_decode(&data, bytes_str(text))));
    CHECK(rc_ok(hex_parse_address(&to, json_string_value(json_object_get(call, "to")))));
    struct cur c = cur_of(buf_bytes(&data));
    uint32_t sel = (uint32_t)take_be(&c, 4);
    struct abi_out o;
    if (sel == iface_method(METHOD_dataset_owner)->selector) {
        if (address_eq(to, chain.app) || address_eq(to, chain.dataset)) {
            o = abi_begin(&raw, 1);
            abi_put_address(&o, chain.owner);
        }
    } else if (sel == iface_method(METHOD_hub_viewTask)->selector) {
        put_view_task(&raw, take_hash(&c));
    } else if (sel == iface_method(METHOD_hub_viewDeal)->selector) {
        put_view_deal(&raw);
    } else if (sel == iface_method(METHOD_hub_viewApp)->selector) {
        put_view_asset(&raw, true);
    } else if (sel == iface_method(METHOD_hub_viewDataset)->selector) {
        put_view_asset(&raw, false);
    } else if (sel == iface_method(METHOD_hub_assertDatasetDealCompatibility)->selector) {
        /* nothing returned: it fits; the chain of this test refuses one dataset */
        if (memmem(data.p, data.n, "\xbb\xbb\xbb\xbb", 4) != NULL) {
            put_fmt(out,
                    "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":3,\"message\":"
                    "\"execution reverted\",\"data\":\"0x\"}}",
                    (long long)json_integer_value(json_object_get(one, "id")));
            return;
        }
    } else {
        CHECK(false);
    }
    put_fmt(out, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":\"",
            (long long)json_integer_value(json_object_get(one, "id")));
    put_0x(out, buf_bytes(&raw));
    put_str(out, "\"}");
}

static void on_rpc(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct err e;
    if (chain.away) {
        http_reply_text(r, 503, "away");
        return;
    }
    JSON_FREE *doc = json_parse(http_body(r), 16, &e);
    CHECK(doc != NULL);
    struct buf out = buf_new(1 << 20);
    if (json_is_array(doc)) {
        for (size_t i = 0; i < json_array_size(doc); i++) {
            put_str(&out, i == 0 ? "[" : ",");
            answer_call(&out, json_array_get(doc, i));
        }
        put_str(&out, "]");
    } else {
        answer_call(&out, doc);
    }
    http_reply_buf(r, 200, "application/json", &out);
}

/* The gateway: a root with two slices; the second has three orders (key here, does not fit, no key
 * here). */
static void on_ipfs(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct address who[] = {chain.dataset, {{0xbb, 0xbb, 0xbb, 0xbb}}, {{0xcc}}};
    char hex[HEX_ADDRESS_MAX];
    BUF_FREE b = buf_new(1 << 16);
    const char *cid = http_param(r, "cid");
    if (strcmp(cid, "QmRoot") == 0) {
        http_reply(r, 200, "application/json",
                   BYTES_LIT("[\"QmA\",\"QmB\",\"QmC\",\"QmSlice\",\"QmE\"]"));
        return;
    }
    if (strcmp(cid, "QmSlice") != 0) {
        http_reply_text(r, 404, "no");
        return;
    }
    put_str(&b, "[");
    for (size_t i = 0; i < ARRAY_LEN(who); i++) {
        put_fmt(
            &b,
            "%s{\"dataset\":\"%s\",\"datasetprice\":\"0\",\"volume\":\"9007199254740990\","
            "\"tag\":\"0x%064d\",\"apprestrict\":\"0x%040d\",\"workerpoolrestrict\":\"0x%040d\","
            "\"requesterrestrict\":\"0x%040d\",\"salt\":\"0x%064d\",\"sign\":\"0x01\"}",
            i > 0 ? "," : "", hex_address(hex, who[i]), 9, 0, 0, 0, 1);
    }
    put_str(&b, "]");
    http_reply(r, 200, "application/json", buf_bytes(&b));
}

static void *run_loop(void *l)
{
    CHECK(rc_ok(loop_run(l, NULL)));
    return NULL;
}

static void stop(void *l)
{
    loop_stop(l);
}

/* --- the service --- */

static struct {
    struct loop *loop;
    struct sms *sms;
    pthread_t thread;
    char dir[64], state[96], key[96];
    struct secret tee; /* the development key of simulated evidence */
    struct hash agent;
} world;

static struct signer owner, requester, worker, stranger;
static struct http_client *http;
static struct http_answer ans;
static struct arena mem;

static uint64_t session_ttl_s;

static void start_sms(const char *policy)
{
    struct err e = {0};
    char agent[HEX_HASH_MAX];
    const char *agents[] = {agent};
    static struct address tee;
    static struct attest_policy p;
    static struct attest_anchor anchor;
    anchor = (struct attest_anchor){"simulated", ATTEST_ANCHOR_ADDRESS, BYTES_OF(tee), NULL};
    CHECK(rc_ok(secp_address(&tee, &world.tee)));
    (void)hex_hash(agent, world.agent);
    arena_reset(&mem);
    CHECK(rc_ok(attest_policy_parse(&p, &mem, bytes_str(policy), &e)));
    struct sms_config cfg = {
        .dir = world.state,
        .key_file = world.key,
        .listen = "127.0.0.1:0",
        .node = http_server_url(chain.http),
        .hub = chain.hub,
        .gateway = http_server_url(chain.http),
        .session_ttl_s = session_ttl_s,
        .policy = &p,
        .anchor = &anchor,
        .n_anchor = 1,
        .agents = agents,
        .n_agents = 1,
    };
    CHECK(rc_ok(loop_open(&world.loop, &e)));
    if (!rc_ok(sms_open(&world.sms, world.loop, &cfg, &e))) {
        (void)fprintf(stderr, "%s\n", e.msg);
        CHECK(false);
    }
    CHECK(pthread_create(&world.thread, NULL, run_loop, world.loop) == 0);
}

static void stop_sms(void)
{
    static struct loop_msg m;
    loop_post(world.loop, &m, stop, world.loop);
    CHECK(pthread_join(world.thread, NULL) == 0);
    sms_close(world.sms);
    loop_close(world.loop);
}

static int call(const char *method, const char *path, const struct signer *by, struct hash what,
                struct bytes body)
{
    char url[512], header[160];
    struct err e = {0};
    uint8_t sig[65] = {0};
    BUF_FREE hex = buf_new(256);
    const char *headers[] = {header, NULL};
    (void)snprintf(url, sizeof(url), "%s%s", sms_url(world.sms), path);
    if (by != NULL) {
        CHECK(rc_ok(sign_message(sig, by, what)));
        put_0x(&hex, (struct bytes){sig, 65});
        (void)snprintf(header, sizeof(header), "Authorization: %s", buf_cstr(&hex));
    }
    struct http_call c = {.method = method,
                          .url = url,
                          .headers = by != NULL ? headers : NULL,
                          .type = "text/plain",
                          .body = body};
    rc r = http_call(http, &ans, &c, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s %s: %s\n", method, path, e.msg);
        CHECK(false);
    }
    return ans.status;
}

static bool says(const char *text)
{
    if (strstr(buf_cstr(&ans.body), text) == NULL) {
        (void)fprintf(stderr, "expected %s in: %s\n", text, buf_cstr(&ans.body));
        return false;
    }
    return true;
}

#define D BYTES_LIT("IEXEC_SMS_DOMAIN")

static struct hash named(struct address a, const char *name, struct bytes value)
{
    struct keccak k;
    struct hash d = keccak256(D), n = keccak256(bytes_str(name)), v = keccak256(value);
    keccak_init(&k);
    keccak_add(&k, BYTES_OF(d));
    keccak_add(&k, BYTES_OF(a));
    if (name[0] != '\0') {
        keccak_add(&k, BYTES_OF(n));
    }
    keccak_add(&k, BYTES_OF(v));
    return keccak_done(&k);
}

/* The text with "%s" replaced by the address. */
static const char *path1(const char *text, struct address a)
{
    static char out[256];
    char hex[HEX_ADDRESS_MAX];
    const char *at = strstr(text, "%s");
    CHECK(at != NULL);
    (void)snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, hex_address(hex, a),
                   at + 2);
    return out;
}

/* --- secrets --- */

#define MODEL_KEY "VGhlIG1vZGVsJ3MgMzItYnl0ZSBzZWNyZXQga2V5ISE="

static void test_secrets(void)
{
    struct hash none = {0};
    struct bytes v = BYTES_LIT(MODEL_KEY), foo = BYTES_LIT("foo");
    const char *w3 = "/secrets/web3?secretAddress=%s";
    char big[4200];
    memset(big, 'x', sizeof(big));

    CHECK(call("HEAD", path1(w3, chain.dataset), NULL, none, (struct bytes){0}) == 404);
    CHECK(call("POST", path1(w3, chain.dataset), NULL, none, v) == 401);
    CHECK(call("POST", path1(w3, chain.dataset), &stranger, named(chain.dataset, "", v), v) == 401);
    CHECK(says("owner"));
    CHECK(call("POST", path1(w3, chain.dataset), &owner, named(chain.dataset, "", foo), v) == 401);
    CHECK(call("POST", path1(w3, stranger.address), &owner, named(stranger.address, "", v), v) ==
          401); /* no contract there */
    CHECK(says("no contract"));
    chain.away = true;
    CHECK(call("POST", path1(w3, chain.dataset), &owner, named(chain.dataset, "", v), v) == 503);
    CHECK(call("HEAD", path1(w3, chain.dataset), NULL, none, (struct bytes){0}) == 404);
    chain.away = false;
    clock_sleep_ms(1100); /* the service asks again after a second */
    CHECK(call("POST", path1(w3, chain.dataset), &owner, named(chain.dataset, "", v), v) == 204);
    CHECK(call("HEAD", path1(w3, chain.dataset), NULL, none, (struct bytes){0}) == 204);
    CHECK(call("POST", path1(w3, chain.dataset), &owner, named(chain.dataset, "", v), v) == 409);
    CHECK(call("POST", path1(w3, chain.dataset), &owner, none, (struct bytes){0}) == 400);
    CHECK(call("POST", path1(w3, chain.dataset), &owner, none,
               (struct bytes){(uint8_t *)big, 4097}) == 413);
    CHECK(call("POST", "/secrets/web3?secretAddress=0x12", &owner, none, v) == 400);
    CHECK(call("POST", "/secrets/web3", &owner, none, v) == 400);
    CHECK(call("POST", path1(w3, chain.dataset), &owner, none, BYTES_LIT("\xff\xfe")) == 400);

    const char *w2 = "/secrets/web2?ownerAddress=%s&secretName=some-name";
    struct address me = requester.address;
    CHECK(call("HEAD", path1(w2, me), NULL, none, (struct bytes){0}) == 404);
    CHECK(call("PUT", path1(w2, me), &requester, named(me, "some-name", foo), foo) == 404);
    CHECK(call("POST", path1(w2, me), &stranger, named(me, "some-name", foo), foo) == 401);
    CHECK(call("POST", path1(w2, me), &requester, named(me, "other-name", foo), foo) == 401);
    CHECK(call("POST", path1(w2, me), &requester, named(me, "some-name", foo), foo) == 204);
    CHECK(call("POST", path1(w2, me), &requester, named(me, "some-name", foo), foo) == 409);
    CHECK(call("PUT", path1(w2, me), &requester, named(me, "some-name", v), v) == 204);
    CHECK(call("PUT", path1(w2, me), &stranger, named(me, "some-name", v), v) == 401);
    CHECK(call("HEAD", path1(w2, me), NULL, none, (struct bytes){0}) == 204);
    CHECK(call("POST", path1("/secrets/web2?ownerAddress=%s", me), &requester, none, foo) == 400);

    const char *app = "/apps/%s/secrets";
    CHECK(call("HEAD", path1(app, chain.app), NULL, none, (struct bytes){0}) == 404);
    CHECK(call("POST", path1(app, chain.app), &requester, named(chain.app, "1", foo), foo) == 401);
    CHECK(call("POST", path1(app, chain.app), &owner, named(chain.app, "1", foo), foo) == 204);
    CHECK(call("POST", path1(app, chain.app), &owner, named(chain.app, "1", foo), foo) == 409);
    CHECK(call("HEAD", path1(app, chain.app), NULL, none, (struct bytes){0}) == 204);

    const char *req = "/requesters/%s/secrets/my-key_1";
    CHECK(call("HEAD", path1(req, me), NULL, none, (struct bytes){0}) == 404);
    CHECK(call("POST", path1(req, me), &stranger, named(me, "my-key_1", foo), foo) == 401);
    CHECK(call("POST", path1(req, me), &requester, named(me, "my-key_1", foo), foo) == 204);
    CHECK(call("POST", path1(req, me), &requester, named(me, "my-key_1", foo), foo) == 409);
    CHECK(call("POST", path1("/requesters/%s/secrets/not.good", me), &requester, none, foo) == 400);
    CHECK(says("Secret key should contain at most 64 characters from [0-9A-Za-z-_]"));
    CHECK(call("DELETE", path1(w2, me), NULL, none, (struct bytes){0}) == 405);
    CHECK(call("GET", "/tee/framework", NULL, none, (struct bytes){0}) == 200 && says("\"TDX\""));
    CHECK(call("GET", "/tee/properties/SCONE/v1", NULL, none, (struct bytes){0}) == 409);
    CHECK(call("GET", "/tee/properties/TDX/v1", NULL, none, (struct bytes){0}) == 200);
    CHECK(says("teeFrameworkVersion"));
    CHECK(call("GET", "/tee/properties/TDX/v9", NULL, none, (struct bytes){0}) == 404);
    CHECK(call("GET", "/metrics", NULL, none, (struct bytes){0}) == 200);
    CHECK(says("souk_sms_pushes_total 5"));
}

/* --- challenge and session --- */

static struct address enclave; /* the task's challenge */

static struct hash auth_hash(struct address w, struct hash task, struct address challenge)
{
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, BYTES_OF(w));
    keccak_add(&k, BYTES_OF(task));
    keccak_add(&k, BYTES_OF(challenge));
    return keccak_done(&k);
}

static int post_session(const struct signer *pool, const struct signer *by, struct hash task,
                        struct address challenge)
{
    uint8_t sig[65];
    char t[HEX_HASH_MAX], w[HEX_ADDRESS_MAX], c[HEX_ADDRESS_MAX];
    BUF_FREE body = buf_new(4096);
    CHECK(rc_ok(sign_message(sig, pool, auth_hash(worker.address, task, challenge))));
    put_fmt(&body,
            "{\"chainTaskId\":\"%s\",\"workerWallet\":\"%s\",\"enclaveChallenge\":\"%s\","
            "\"dealId\":\"x\",\"signature\":{\"value\":\"",
            hex_hash(t, task), hex_address(w, worker.address), hex_address(c, challenge));
    put_0x(&body, (struct bytes){sig, 65});
    put_str(&body, "\"}}");
    return call("POST", "/tee/sessions", by, auth_hash(worker.address, task, challenge),
                buf_bytes(&body));
}

static void test_challenge(void)
{
    char path[160], t[HEX_HASH_MAX];
    struct hash other = {{7}};
    (void)snprintf(path, sizeof(path), "/tee/challenges/%s", hex_hash(t, chain.task));
    CHECK(call("POST", path, NULL, other, BYTES_LIT("")) == 401);
    CHECK(call("POST", path, &stranger, keccak256(BYTES_OF(chain.task)), BYTES_LIT("")) == 401);
    CHECK(call("POST", path, &owner, keccak256(BYTES_OF(chain.task)), BYTES_LIT("")) == 200);
    CHECK(rc_ok(hex_parse_address(&enclave, buf_cstr(&ans.body))));
    CHECK(call("POST", path, &owner, keccak256(BYTES_OF(chain.task)), BYTES_LIT("")) == 200);
    struct address again;
    CHECK(rc_ok(hex_parse_address(&again, buf_cstr(&ans.body))) && address_eq(again, enclave));
    (void)snprintf(path, sizeof(path), "/tee/challenges/%s", hex_hash(t, other));
    CHECK(call("POST", path, &owner, keccak256(BYTES_OF(other)), BYTES_LIT("")) == 401);
    CHECK(call("POST", "/tee/challenges/0x12", &owner, other, BYTES_LIT("")) == 400);
}

static char session[PROVISION_SESSION_MAX + 1];

static void take_session(void)
{
    struct err e;
    JSON_FREE *doc = json_parse(buf_bytes(&ans.body), 8, &e);
    const char *id = json_string_value(json_object_get(json_object_get(doc, "data"), "sessionId"));
    CHECK(id != NULL && strlen(id) == PROVISION_SESSION_MAX);
    (void)snprintf(session, sizeof(session), "%s", id);
}

static void test_session(void)
{
    struct hash other = {{7}};
    struct hash tag = chain.tag;
    CHECK(call("POST", "/tee/sessions", &worker, other, BYTES_LIT("{}")) == 401);
    CHECK(says("EXECUTION_NOT_AUTHORIZED_EMPTY_PARAMS_UNAUTHORIZED"));
    CHECK(call("POST", "/tee/sessions", &worker, other, BYTES_LIT("no")) == 401);
    CHECK(post_session(&owner, &stranger, chain.task, enclave) == 401);
    CHECK(says("INVALID_AUTHORIZATION"));
    CHECK(post_session(&owner, &worker, other, enclave) == 401);
    CHECK(says("EXECUTION_NOT_AUTHORIZED_GET_CHAIN_TASK_FAILED"));
    chain.status = TASK_REVEALING;
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 401);
    CHECK(says("EXECUTION_NOT_AUTHORIZED_TASK_NOT_ACTIVE"));
    chain.status = TASK_ACTIVE;
    CHECK(post_session(&stranger, &worker, chain.task, enclave) == 401);
    CHECK(says("EXECUTION_NOT_AUTHORIZED_INVALID_SIGNATURE"));
    CHECK(post_session(&owner, &worker, chain.task, stranger.address) == 500);
    CHECK(says("GET_SIGNATURE_TOKENS_FAILED_EMPTY_TEE_CHALLENGE"));
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 200);
    take_session();

    stop_sms(); /* another tag, other params: read anew by a fresh service; sessions stay */
    chain.tag.b[31] = 3;
    start_sms("{\"kinds\":[\"simulated\"]}");
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 401);
    CHECK(says("EXECUTION_NOT_AUTHORIZED_NO_MATCH_ONCHAIN_TYPE"));
    stop_sms();
    chain.tag = tag;
    const char *params = chain.params;
    chain.params = "{\"iexec_result_encryption\":true}";
    start_sms("{\"kinds\":[\"simulated\"]}");
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 500);
    CHECK(says("POST_COMPUTE_GET_ENCRYPTION_TOKENS_FAILED_EMPTY_BENEFICIARY_KEY"));
    stop_sms();
    chain.params = "{\"iexec_secrets\":{\"1\":\"absent\"}}";
    start_sms("{\"kinds\":[\"simulated\"]}");
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 500);
    CHECK(says("APP_COMPUTE_GET_REQUESTER_SECRET_FAILED") && says("'absent'"));
    stop_sms();
    chain.params = "{\"iexec_result_storage_provider\":\"dropbox\"}";
    start_sms("{\"kinds\":[\"simulated\"]}");
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 500);
    CHECK(says("POST_COMPUTE_GET_STORAGE_TOKENS_FAILED"));
    stop_sms();
    chain.params = params;
    start_sms("{\"kinds\":[\"simulated\"]}");
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 200);
    take_session();
}

/* --- provisioning --- */

struct attempt {
    struct provision_binding b; /* what the evidence binds */
    struct hash agent;
    struct secret key;
    const char *session; /* where it is sent */
    struct hash sent_nonce;
    struct hash sent_image;
    const struct secret *tee;
    bool debug, break_evidence;
};

static struct hash get_nonce(const char *id)
{
    char path[160];
    struct err e;
    struct hash nonce;
    (void)snprintf(path, sizeof(path), "/provision/%s/nonce", id);
    CHECK(call("POST", path, NULL, (struct hash){0}, BYTES_LIT("")) == 200);
    JSON_FREE *doc = json_parse(buf_bytes(&ans.body), 8, &e);
    CHECK(rc_ok(hex_parse_hash(&nonce, json_string_value(json_object_get(doc, "nonce")))));
    return nonce;
}

static struct attempt honest(void)
{
    struct attempt a = {.session = session, .tee = &world.tee, .agent = world.agent};
    a.sent_nonce = get_nonce(session);
    CHECK(rc_ok(secp_key_new(&a.key)) && rc_ok(secp_public(a.b.public_key, &a.key)));
    a.b.session = session;
    a.b.task = chain.task;
    a.b.nonce = a.sent_nonce;
    a.b.image = a.sent_image = chain.checksum;
    return a;
}

static int ask(struct attempt *a)
{
    char path[160], nonce[HEX_HASH_MAX], image[HEX_HASH_MAX], agent[HEX_HASH_MAX];
    struct attest_simulated s = {.svn = 1, .debug = a->debug};
    BUF_FREE ev = buf_new(1024);
    BUF_FREE body = buf_new(1 << 16);
    provision_report_data(s.report_data, &a->b);
    s.measurement = provision_measurement(a->agent, a->b.image);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, a->tee)));
    if (a->break_evidence) {
        ev.p[20] ^= 1;
    }
    put_fmt(&body, "{\"nonce\":\"%s\",\"image\":\"%s\",\"agent\":\"%s\",\"publicKey\":\"",
            hex_hash(nonce, a->sent_nonce), hex_hash(image, a->sent_image),
            hex_hash(agent, a->agent));
    put_0x(&body, (struct bytes){a->b.public_key, 64});
    put_str(&body, "\",\"evidence\":\"");
    put_base64(&body, buf_bytes(&ev));
    put_str(&body, "\"}");
    (void)snprintf(path, sizeof(path), "/provision/%s/secrets", a->session);
    return call("POST", path, NULL, (struct hash){0}, buf_bytes(&body));
}

static void refused(struct attempt a, int status, const char *code, const char *words)
{
    int got = ask(&a);
    if (got != status) {
        (void)fprintf(stderr, "%d instead of %d: %s\n", got, status, buf_cstr(&ans.body));
        CHECK(false);
    }
    CHECK(says(code) && says(words));
    secret_free(&a.key);
}

/* Asks as the agent does and opens what it gets. */
static json_t *released(struct attempt *a)
{
    struct err e = {0};
    uint8_t eph[64];
    BUF_FREE sealed = buf_new(1 << 20);
    SECRET_FREE plain = {0};
    if (ask(a) != 200) {
        (void)fprintf(stderr, "%s\n", buf_cstr(&ans.body));
        CHECK(false);
    }
    CHECK(says("\"simulated\":true") && says("SIMULATED: no hardware"));
    CHECK(strstr(buf_cstr(&ans.body), MODEL_KEY) == NULL);
    JSON_FREE *doc = json_parse(buf_bytes(&ans.body), 8, &e);
    CHECK(rc_ok(hex_decode_exact(eph, 64,
                                 bytes_str(json_string_value(json_object_get(doc, "publicKey"))))));
    CHECK(rc_ok(
        base64_decode(&sealed, bytes_str(json_string_value(json_object_get(doc, "sealed"))))));
    CHECK(rc_ok(provision_open(&plain, &a->key, eph, &a->b, buf_bytes(&sealed))));
    json_t *in = json_parse(secret_bytes(&plain), 8, &e);
    CHECK(in != NULL);
    return in;
}

static void is(const json_t *env, const char *key, const char *want)
{
    const char *got = json_string_value(json_object_get(env, key));
    if (got == NULL || strcmp(got, want) != 0) {
        (void)fprintf(stderr, "%s: %s instead of %s\n", key, got != NULL ? got : "(none)", want);
        CHECK(false);
    }
}

/* A task over many datasets: what fits and has a key is given, the rest is empty. */
static void test_bulk(void)
{
    const char *params = chain.params;
    chain.params = "{\"bulk_cid\":\"QmRoot\"}";
    chain.no_dataset = true;
    struct attempt a = honest();
    JSON_FREE *in = released(&a);
    const json_t *sv = json_object_get(in, "services");
    const json_t *pre = json_object_get(json_array_get(sv, 0), "environment");
    const json_t *app = json_object_get(json_array_get(sv, 1), "environment");
    is(pre, "IS_DATASET_REQUIRED", "false");
    is(pre, "IEXEC_BULK_SLICE_SIZE", "3");
    is(pre, "IEXEC_DATASET_1_KEY", MODEL_KEY);
    is(pre, "IEXEC_DATASET_1_URL", "/ipfs/QmThing");
    is(pre, "IEXEC_DATASET_2_KEY", "");
    is(pre, "IEXEC_DATASET_2_URL", "");
    is(pre, "IEXEC_DATASET_3_CHECKSUM", "");
    is(app, "IEXEC_BULK_SLICE_SIZE", "3");
    CHECK(json_object_get(app, "IEXEC_DATASET_1_KEY") == NULL);
    CHECK(json_object_get(app, "IEXEC_DATASET_3_FILENAME") != NULL);
    secret_free(&a.key);
    chain.params = "{\"bulk_cid\":\"QmNothing\"}";
    refused(honest(), 500, "GET_TASK_DESCRIPTION_FAILED", "404");
    chain.params = params;
    chain.no_dataset = false;
}

static void test_release(void)
{
    struct attempt a = honest();
    JSON_FREE *in = released(&a);
    const json_t *sv = json_object_get(in, "services");
    CHECK(json_array_size(sv) == 3);
    const json_t *pre = json_object_get(json_array_get(sv, 0), "environment");
    const json_t *app = json_object_get(json_array_get(sv, 1), "environment");
    const json_t *post = json_object_get(json_array_get(sv, 2), "environment");
    CHECK(strcmp(json_string_value(json_object_get(pre, "IEXEC_DATASET_KEY")), MODEL_KEY) == 0);
    CHECK(strcmp(json_string_value(json_object_get(pre, "IEXEC_DATASET_URL")), "/ipfs/QmThing") ==
          0);
    CHECK(strcmp(json_string_value(json_object_get(pre, "IEXEC_INPUT_FILE_URL_1")), "http://a/b") ==
          0);
    CHECK(strcmp(json_string_value(json_object_get(app, "IEXEC_APP_DEVELOPER_SECRET")), "foo") ==
          0);
    CHECK(strcmp(json_string_value(json_object_get(app, "IEXEC_REQUESTER_SECRET_1")), "foo") == 0);
    CHECK(strcmp(json_string_value(json_object_get(json_array_get(sv, 1), "args")), "a \"b\"") ==
          0);
    CHECK(strcmp(json_string_value(json_object_get(post, "RESULT_ENCRYPTION")), "no") == 0);
    /* the signing key is the one whose address the contribution will name */
    SECRET_FREE sign = {0};
    struct address addr;
    CHECK(rc_ok(secret_new(&sign, 32)));
    CHECK(rc_ok(hex_decode_exact(
        sign.p, 32,
        bytes_str(json_string_value(json_object_get(post, "SIGN_TEE_CHALLENGE_PRIVATE_KEY"))))));
    CHECK(rc_ok(secp_address(&addr, &sign)) && address_eq(addr, enclave));

    /* the same request again: its nonce is spent */
    refused(a, 401, "nonce-unknown", "used before");
}

static void test_refusals(void)
{
    struct attempt a = honest();
    struct attempt old = a;
    a.sent_nonce = a.b.nonce = get_nonce(session);
    CHECK(rc_ok(secp_key_new(&old.key)));
    refused(old, 401, "nonce-unknown", "last one given");
    CHECK(ask(&a) == 200); /* an attempt with a wrong nonce does not use up the right one */
    secret_free(&a.key);
}

static void test_refusals2(void)
{
    struct attempt a;
    struct hash other = {{8}};

    a = honest(); /* a changed application: the evidence says so, the chain says otherwise */
    a.b.image = a.sent_image = other;
    refused(a, 403, "measurement-differs", "measurement of the application differs: expected 0x");
    a = honest(); /* it lies about the image, the evidence does not */
    a.b.image = other;
    refused(a, 403, "evidence-refused", "report_data differs");
    a = honest(); /* an agent that nobody named */
    a.agent = other;
    refused(a, 403, "agent-unknown", "none that may ask");
    a = honest(); /* evidence for another nonce */
    a.b.nonce = other;
    refused(a, 403, "evidence-refused", "report_data differs");
    a = honest(); /* for another task */
    a.b.task = other;
    refused(a, 403, "evidence-refused", "\"link\":\"binding\"");
    a = honest(); /* for another session */
    a.b.session = "other";
    refused(a, 403, "evidence-refused", "\"link\":\"binding\"");
    a = honest(); /* signed by a key that is not trusted */
    a.tee = &stranger.key;
    refused(a, 403, "evidence-refused", "\"link\":\"signature\"");
    a = honest();
    a.break_evidence = true;
    refused(a, 403, "evidence-refused", "\"link\":\"signature\"");
    a = honest();
    a.debug = true;
    refused(a, 403, "evidence-refused", "debugging is enabled");

    a = honest(); /* the task is over */
    chain.status = TASK_COMPLETED;
    refused(a, 403, "task-not-active", "not active");
    chain.status = TASK_ACTIVE;
    a = honest(); /* it belongs to another deal now */
    struct hash deal = chain.deal;
    chain.deal = other;
    refused(a, 403, "task-not-active", "another deal");
    chain.deal = deal;
    a = honest(); /* the pool has another owner: the authorisation is not his */
    struct address o = chain.owner;
    chain.owner = stranger.address;
    refused(a, 403, "authorization-invalid", "did not authorise");
    chain.owner = o;
    a = honest();
    chain.away = true;
    refused(a, 503, "chain-away", "does not answer");
    chain.away = false;

    a = honest(); /* unknown session */
    a.session = "abcdefghij00000x12";
    refused(a, 404, "session-unknown", "no session");
    CHECK(call("POST", "/provision/UPPER/nonce", NULL, other, BYTES_LIT("")) == 404);

    char path[160];
    (void)snprintf(path, sizeof(path), "/provision/%s/secrets", session);
    CHECK(call("POST", path, NULL, other, BYTES_LIT("{}")) == 400 && says("nonce"));
    CHECK(call("POST", path, NULL, other, BYTES_LIT("x")) == 400);
    CHECK(call("POST", path, NULL, other, BYTES_LIT("{\"nonsense\":1}")) == 400);
    CHECK(says("nonsense"));
}

/* Evidence bound to one key, sent with another: the answer would be sealed for the thief. */
static void test_stolen(void)
{
    struct attempt a = honest();
    SECRET_FREE thief = {0};
    char path[160], nonce[HEX_HASH_MAX], image[HEX_HASH_MAX], agent[HEX_HASH_MAX];
    struct attest_simulated s = {.svn = 1};
    uint8_t pub[64];
    BUF_FREE ev = buf_new(1024);
    BUF_FREE body = buf_new(1 << 16);
    provision_report_data(s.report_data, &a.b);
    s.measurement = provision_measurement(a.agent, a.b.image);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, a.tee)));
    CHECK(rc_ok(secp_key_new(&thief)) && rc_ok(secp_public(pub, &thief)));
    put_fmt(&body, "{\"nonce\":\"%s\",\"image\":\"%s\",\"agent\":\"%s\",\"publicKey\":\"",
            hex_hash(nonce, a.sent_nonce), hex_hash(image, a.sent_image), hex_hash(agent, a.agent));
    put_0x(&body, (struct bytes){pub, 64});
    put_str(&body, "\",\"evidence\":\"");
    put_base64(&body, buf_bytes(&ev));
    put_str(&body, "\"}");
    (void)snprintf(path, sizeof(path), "/provision/%s/secrets", session);
    CHECK(call("POST", path, NULL, (struct hash){0}, buf_bytes(&body)) == 403);
    CHECK(says("report_data differs"));
    secret_free(&a.key);
}

static void test_verify(void)
{
    struct attest_simulated s = {.svn = 1};
    BUF_FREE ev = buf_new(1024);
    BUF_FREE body = buf_new(1 << 16);
    CHECK(rc_ok(attest_simulated_make(&ev, &s, &world.tee)));
    put_str(&body, "{\"evidence\":\"");
    put_base64(&body, buf_bytes(&ev));
    put_str(&body, "\",\"collateral\":[{\"name\":\"x\",\"data\":\"AAAA\"}]}");
    CHECK(call("POST", "/attest/verify", NULL, (struct hash){0}, buf_bytes(&body)) == 200);
    CHECK(says("\"accepted\":true") && says("SIMULATED: no hardware"));
    buf_reset(&body);
    put_str(&body, "{\"reportData\":\"0x01\",\"evidence\":\"");
    put_base64(&body, buf_bytes(&ev));
    put_str(&body, "\"}");
    CHECK(call("POST", "/attest/verify", NULL, (struct hash){0}, buf_bytes(&body)) == 200);
    CHECK(says("\"accepted\":false") && says("report-data-differs"));
    CHECK(call("POST", "/attest/verify", NULL, (struct hash){0},
               BYTES_LIT("{\"evidence\":\"!\"}")) == 400);
}

/* --- at rest --- */

static void file_lacks(const char *name, struct bytes text)
{
    char path[FILE_PATH_MAX];
    struct err e;
    BUF_FREE b = buf_new(64 << 20);
    CHECK(rc_ok(path_join(path, world.state, name, &e)));
    if (!file_exists(path)) {
        return;
    }
    CHECK(rc_ok(file_read(&b, path, &e)));
    CHECK(memmem(b.p, b.n, text.p, text.n) == NULL);
}

static rc try_open(const char *key_file, struct err *e)
{
    struct loop *l;
    struct sms *s = NULL;
    struct attest_policy p;
    attest_policy_default(&p);
    struct sms_config cfg = {.policy = &p,
                             .dir = world.state,
                             .key_file = key_file,
                             .listen = "127.0.0.1:0",
                             .node = "http://127.0.0.1:1",
                             .hub = chain.hub};
    CHECK(rc_ok(loop_open(&l, e)));
    rc r = sms_open(&s, l, &cfg, e);
    sms_close(rc_ok(r) ? s : NULL);
    loop_close(l);
    return r;
}

static void test_at_rest(void)
{
    struct err e = {0};
    char other[128], inside[128];
    uint64_t rows = 0;
    stop_sms();
    file_lacks("sms.db", BYTES_LIT(MODEL_KEY));
    file_lacks("sms.db-wal", BYTES_LIT(MODEL_KEY));

    (void)snprintf(other, sizeof(other), "%s/other.key", world.dir);
    (void)snprintf(inside, sizeof(inside), "%s/in.key", world.state);
    const char *zeroes = "0x0101010101010101010101010101010101010101010101010101010101010101\n";
    CHECK(rc_ok(file_write(other, bytes_str(zeroes), 0600, &e)));
    CHECK(!rc_ok(try_open(other, &e)) && strstr(e.msg, "not the one") != NULL);
    CHECK(chmod(other, 0640) == 0);
    CHECK(!rc_ok(try_open(other, &e)) && strstr(e.msg, "chmod 600") != NULL);
    CHECK(rc_ok(file_write(inside, bytes_str(zeroes), 0600, &e)));
    CHECK(!rc_ok(try_open(inside, &e)) && strstr(e.msg, "put the key elsewhere") != NULL);
    CHECK(unlink(inside) == 0);
    CHECK(rc_ok(file_write(other, BYTES_LIT("12\n"), 0600, &e)));
    CHECK(!rc_ok(try_open(other, &e)) && strstr(e.msg, "64 hex digits") != NULL);
    CHECK(!rc_ok(try_open(NULL, &e)) && strstr(e.msg, "SOUK_SMS_KEY") != NULL);

    BUF_FREE before = buf_new(4096);
    BUF_FREE after = buf_new(4096);
    CHECK(rc_ok(file_read(&before, world.key, &e)));
    CHECK(rc_ok(sms_rotate(world.state, world.key, &rows, &e)) && rows == 5);
    CHECK(rc_ok(file_read(&after, world.key, &e)));
    CHECK(after.n == before.n && !bytes_eq(buf_bytes(&before), buf_bytes(&after)));
    /* the old key opens nothing any more; with the new one everything is there */
    CHECK(rc_ok(file_write(other, buf_bytes(&before), 0600, &e)));
    CHECK(!rc_ok(try_open(other, &e)));
    /* as after a kill between the steps: new key in front, rows still under the old one */
    struct buf both = buf_new(4096);
    put_str(&both, zeroes);
    put_bytes(&both, buf_bytes(&after));
    CHECK(rc_ok(file_write(world.key, buf_bytes(&both), 0600, &e)));
    buf_free(&both);
    CHECK(rc_ok(sms_rotate(world.state, world.key, &rows, &e)) && rows == 5);
    CHECK(!rc_ok(sms_rotate("/nonexistent", world.key, &rows, &e)));
    start_sms("{\"kinds\":[\"simulated\"]}");
    test_release();

    stop_sms(); /* the default policy refuses simulated evidence, and so does any that is silent */
    start_sms("{}");
    refused(honest(), 403, "evidence-refused", "SIMULATED: no hardware stands behind");
    stop_sms();
    start_sms("{\"kinds\":[\"simulated\"],\"min_svn\":2}");
    refused(honest(), 403, "evidence-refused", "svn: expected at least 2, evidence says 1");
}

/* A session ends, before its nonce is given and after. */
static void test_expired(void)
{
    char path[160];
    stop_sms();
    session_ttl_s = 2;
    start_sms("{\"kinds\":[\"simulated\"]}");
    CHECK(post_session(&owner, &worker, chain.task, enclave) == 200);
    take_session();
    struct attempt a = honest();
    clock_sleep_ms(2100);
    refused(a, 410, "session-expired", "deadline has passed");
    (void)snprintf(path, sizeof(path), "/provision/%s/nonce", session);
    CHECK(call("POST", path, NULL, (struct hash){0}, BYTES_LIT("")) == 410);
}

/* What was released and refused above is on record, with reasons and without secrets. */
static void test_audit(void)
{
    struct err e;
    BUF_FREE out = buf_new(1 << 20);
    CHECK(rc_ok(sms_audit(&out, world.state, 1000, &e)));
    const char *text = buf_cstr(&out);
    CHECK(strstr(text, "\"outcome\":\"released\"") != NULL);
    CHECK(strstr(text, "\"outcome\":\"measurement-differs\",\"reason\":\"measurement of the") !=
          NULL);
    CHECK(strstr(text, "\"simulated\":true") != NULL && strstr(text, MODEL_KEY) == NULL);
    CHECK(sms_audit(&out, "/nonexistent", 1, &e).code == RC_CODE_NOT_FOUND);
}

static void new_signer(struct signer *s)
{
    CHECK(rc_ok(secp_key_new(&s->key)) && rc_ok(secp_address(&s->address, &s->key)));
}

int main(void)
{
    static const struct http_route routes[] = {{"POST", "/", 1 << 20, on_rpc, NULL},
                                               {"GET", "/ipfs/:cid", 0, on_ipfs, NULL},
                                               {.path = NULL}};
    struct http_config cfg = {.listen = "127.0.0.1:0", .routes = routes};
    struct err e = {0};
    log_set_level(LOG_ERROR);
    arena_init(&mem, 1 << 20);
    (void)snprintf(world.dir, sizeof(world.dir), "/tmp/souk-sms-XXXXXX");
    CHECK(mkdtemp(world.dir) != NULL);
    (void)snprintf(world.state, sizeof(world.state), "%s/state", world.dir);
    (void)snprintf(world.key, sizeof(world.key), "%s/storage.key", world.dir);
    memset(world.agent.b, 0xa9, 32);
    CHECK(rc_ok(secp_key_new(&world.tee)));
    new_signer(&owner);
    new_signer(&requester);
    new_signer(&worker);
    new_signer(&stranger);
    chain.status = TASK_ACTIVE;
    chain.app.b[0] = 1;
    chain.dataset.b[0] = 2;
    chain.hub.b[0] = 3;
    chain.owner = owner.address;
    chain.task.b[0] = 4;
    chain.deal.b[0] = 5;
    chain.checksum.b[0] = 6;
    chain.tag.b[31] = 9;
    chain.params =
        "{\"iexec_args\":\"a \\\"b\\\"\",\"iexec_input_files\":[\"http://a/b\"],"
        "\"iexec_secrets\":{\"1\":\"my-key_1\"}}";
    chain.final_deadline = clock_wall_s() + 1000;
    chain.requester = requester.address;
    chain.beneficiary = requester.address;
    CHECK(rc_ok(loop_open(&chain.loop, &e)));
    CHECK(rc_ok(http_server_open(&chain.http, chain.loop, &cfg, &e)));
    CHECK(rc_ok(http_client_open(&http, &e)));
    CHECK(pthread_create(&chain.thread, NULL, run_loop, chain.loop) == 0);

    start_sms("{\"kinds\":[\"simulated\"]}");
    test_secrets();
    test_challenge();
    test_session();
    test_release();
    test_refusals();
    test_refusals2();
    test_stolen();
    test_bulk();
    test_verify();
    test_at_rest();
    test_expired();
    test_audit();
    stop_sms();

    static struct loop_msg m;
    loop_post(chain.loop, &m, stop, chain.loop);
    CHECK(pthread_join(chain.thread, NULL) == 0);
    http_server_close(chain.http);
    loop_close(chain.loop);
    http_answer_free(&ans);
    http_client_close(http);
    signer_free(&owner);
    signer_free(&requester);
    signer_free(&worker);
    signer_free(&stranger);
    secret_free(&world.tee);
    arena_reset(&mem);
    CHECK(rc_ok(dir_remove(world.dir, &e)));
    return 0;
}
