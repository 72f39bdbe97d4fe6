/* SPDX-License-Identifier: Apache-2.0 */
/* The client's parts that need no chain: key files, orders in JSON, answers, cursors. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secp.h"
#include "daemon/client/client_int.h"
#include "encoding/cid.h"
#include "encoding/hex.h"
#include "encoding/tx.h"
#include "io/file.h"
#include "tests/test.h"

/* A file written by ethers 6, and a vector of the Web3 Secret Storage definition; the password is
 * "testpassword". */
static const char v3_scrypt[] =
    "{\"address\":\"008aeeda4d805471df9b2a5b0f38a0c3bcba786b\",\"id\":\"beef1bdc-84c8-400e-a"
    "963-0699862d663a\",\"version\":3,\"Crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\""
    "iv\":\"d3f2fadae8f7e33a2631fdb6df40bc28\"},\"ciphertext\":\"eb23e19f637f324553a6f16c4d"
    "97bc88c5a7282ba9b117570b04baefebb21337\",\"kdf\":\"scrypt\",\"kdfparams\":{\"salt\":\"60b5"
    "23b308ddbc30c9a8991e77cfa58326e581dbec9f1d0009fb4722652b5a29\",\"n\":4096,\"dklen\":3"
    "2,\"p\":1,\"r\":8},\"mac\":\"5382907d7abac3ee39a1e56ff43f1c103b0524ddc870c56a7299f9bf36"
    "c3fc35\"}}";
static const char v3_pbkdf2[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
    "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"pbkdf2\","
    "\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\",\"salt\":"
    "\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},\"mac\":"
    "\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},\"id\":"
    "\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";
static const char secret_hex[] = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

static void check_key(const struct secret *key)
{
    uint8_t want[32];
    CHECK(rc_ok(hex_decode_exact(want, 32, bytes_str(secret_hex))));
    CHECK(key->n == 32 && memcmp(key->p, want, 32) == 0);
}

static void test_v3(void)
{
    struct err e = {0};
    SECRET_FREE password = {0};
    SECRET_FREE wrong = {0};
    SECRET_FREE a = {0};
    SECRET_FREE b = {0};
    SECRET_FREE c = {0};
    SECRET_FREE d = {0};
    CHECK(rc_ok(secret_copy(&password, BYTES_LIT("testpassword"))));
    CHECK(rc_ok(secret_copy(&wrong, BYTES_LIT("testpasswore"))));
    CHECK(rc_ok(key_json_parse(&a, bytes_str(v3_scrypt), &password, &e)));
    check_key(&a);
    CHECK(rc_ok(key_json_parse(&b, bytes_str(v3_pbkdf2), &password, &e)));
    check_key(&b);
    CHECK(key_json_parse(&c, bytes_str(v3_scrypt), &wrong, &e).code == RC_CODE_DENIED);
    CHECK(strcmp(e.msg, "key file: wrong password") == 0);
    CHECK(key_json_parse(&c, bytes_str(v3_scrypt), NULL, &e).code == RC_CODE_DENIED);
    CHECK(key_json_parse(&c, BYTES_LIT("{}"), &password, &e).code == RC_CODE_MALFORMED);

    BUF_FREE text = buf_new(4096); /* written and read again */
    CHECK(rc_ok(key_json_put(&text, &a, &password, &e)));
    CHECK(rc_ok(key_json_parse(&d, buf_bytes(&text), &password, &e)));
    check_key(&d);
}

static void test_files(void)
{
    char dir[] = "/tmp/test_client.XXXXXX", path[64];
    struct err e = {0};
    SECRET_FREE key = {0};
    SIGNER_FREE s = {0};
    SIGNER_FREE t = {0};
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/key", dir);
    CHECK(rc_ok(secret_new(&key, 32)));
    memset(key.p, 1, 32);
    CHECK(rc_ok(key_file_create(path, &key, NULL, &e)));
    CHECK(key_file_create(path, &key, NULL, &e).code == RC_CODE_DENIED); /* never overwritten */
    CHECK(rc_ok(signer_open(&s, path, NULL, &e)));
    char text[HEX_ADDRESS_MAX];
    CHECK(strcmp(hex_address(text, s.address), "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1") == 0);

    CHECK(chmod(path, 0644) == 0);
    CHECK(signer_open(&t, path, NULL, &e).code == RC_CODE_DENIED);
    CHECK(strstr(e.msg, "chmod 600") != NULL);
    CHECK(rc_ok(file_write(path, BYTES_LIT("0x12\n"), 0600, &e)));
    CHECK(signer_open(&t, path, NULL, &e).code == RC_CODE_MALFORMED);
    CHECK(rc_ok(dir_remove(dir, &e)));

    /* SPEC sdk-surface 11: the authorisation that this key signs */
    struct address worker;
    struct hash task;
    uint8_t sig[65], want[65];
    memset(worker.b, 0x22, 20);
    CHECK(rc_ok(hex_parse_hash(
        &task, "0xb1dc38269deb7ee9be72513ec7aae272728039dc2bc39234e00ebf55719a4d7a")));
    CHECK(
        rc_ok(sign_digest(sig, &s, task_authorization_digest(worker, task, (struct address){0}))));
    CHECK(rc_ok(hex_decode_exact(
        want, 65,
        BYTES_LIT("02954a12dc9e0ef1e9953db057847790d61fdde49b7c7c1e57b9b855976aac315112ddca50d15275"
                  "1ed99d71b7114b6f9f3caf858f626f59a243d8f5d11b55cc1c"))));
    CHECK(memcmp(sig, want, 65) == 0);
}

static void test_orders(void)
{
    static const char text[] =
        "{\"app\":\"0x76fE91568d50C5fF9411223df5A0c50Ec5fa326A\",\"appprice\":0,\"volume\":1000000,"
        "\"tag\":\"0x0000000000000000000000000000000000000000000000000000000000000009\","
        "\"datasetrestrict\":\"0x0000000000000000000000000000000000000000\","
        "\"workerpoolrestrict\":\"0x0000000000000000000000000000000000000000\","
        "\"requesterrestrict\":\"0x0000000000000000000000000000000000000000\","
        "\"salt\":\"0xcadb4f169d98b940ae506dfc8ee7832e1ff36854aab92f89b7408257693207b3\","
        "\"sign\":\"0x\"}";
    struct err e = {0};
    struct arena a;
    struct address hub;
    struct app_order o;
    char hash[HEX_HASH_MAX];
    arena_init(&a, 1 << 20);
    JSON_FREE *j = json_parse(bytes_str(text), 8, &e);
    struct js top = js_top(j);
    CHECK(rc_ok(app_order_json(&o, &a, &top, &e)));
    CHECK(rc_ok(hex_parse_address(&hub, "0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E")));
    struct hash domain = order_domain(u256_from(421614), hub);
    CHECK(strcmp(hex_hash(hash, app_order_hash(domain, &o)),
                 "0xdf5b460cef1d8420f358a93d85f206415cfcf34f1be87a9e15886fca910a0363") == 0);
    JSON_FREE *back = json_app_order(&o);
    CHECK(json_equal(back, j));

    CHECK(json_object_set_new(j, "extra", json_true()) == 0);
    CHECK(app_order_json(&o, &a, &top, &e).code == RC_CODE_MALFORMED);
    CHECK(strstr(e.msg, "extra") != NULL);
    CHECK(json_object_del(j, "extra") == 0 && json_object_del(j, "salt") == 0);
    CHECK(app_order_json(&o, &a, &top, &e).code == RC_CODE_MALFORMED);
    CHECK(json_object_set_new(j, "salt", json_string("0x12")) == 0);
    CHECK(app_order_json(&o, &a, &top, &e).code == RC_CODE_MALFORMED);

    /* params and large numbers survive */
    struct request_order r = {.params = BYTES_LIT("{\"iexec_args\":\"\xc3\xa9\"}")};
    struct request_order r2;
    CHECK(u256_mul(&r.volume, u256_from(UINT64_MAX), u256_from(16)));
    JSON_FREE *rj = json_request_order(&r);
    struct js rtop = js_top(rj);
    CHECK(rc_ok(request_order_json(&r2, &a, &rtop, &e)));
    CHECK(bytes_eq(r.params, r2.params) && u256_eq(r.volume, r2.volume));
    r.params = BYTES_LIT("\xff");
    CHECK(json_request_order(&r) == NULL);
    arena_reset(&a);
}

static void reply(const char *text, enum rc_code code, const char *msg)
{
    struct err e = {0};
    JSON_FREE *result = NULL;
    JSON_FREE *j = json_parse(bytes_str(text), JSON_DEPTH_MAX, &e);
    CHECK(j != NULL);
    CHECK(rpc_reply(&result, j, &e).code == code);
    CHECK(code == RC_CODE_OK ? result != NULL : strcmp(e.msg, msg) == 0);
}

static void test_replies(void)
{
    reply("{\"id\":1,\"result\":null}", RC_CODE_OK, "");
    reply("{\"id\":1}", RC_CODE_MALFORMED, "the node's answer has neither result nor error");
    reply("{\"id\":1,\"error\":{\"code\":-32000,\"message\":\"nonce too low\"}}", RC_CODE_DENIED,
          "the node says: nonce too low");
    reply("{\"error\":{\"code\":-32601,\"message\":\"no such method\"}}", RC_CODE_NOT_FOUND,
          "the node says: no such method");
    reply(
        "{\"error\":{\"code\":3,\"message\":\"execution reverted: test\",\"data\":\"0x08c379a0"
        "0000000000000000000000000000000000000000000000000000000000000020"
        "0000000000000000000000000000000000000000000000000000000000000004"
        "7465737400000000000000000000000000000000000000000000000000000000\"}}",
        RC_CODE_DENIED, "reverted: test");
    reply("{\"error\":{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x\"}}",
          RC_CODE_DENIED, "reverted without a reason (execution reverted)");
    reply("{\"error\":{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x74a0583f\"}}",
          RC_CODE_DENIED, "reverted: CallerIsNotTheRequester()");
}

static void test_cursor(void)
{
    struct client_cursor c = {.next = 7, .start = 3, .n_seen = 2}, d;
    BUF_FREE b = buf_new(CURSOR_BYTES_MAX);
    c.seen[0].number = 5;
    c.seen[1].number = 6;
    c.seen[1].hash.b[3] = 9;
    put_cursor(&b, &c);
    CHECK(rc_ok(cursor_parse(&d, buf_bytes(&b))));
    CHECK(d.next == 7 && d.start == 3 && d.n_seen == 2 && d.seen[1].number == 6);
    CHECK(hash_eq(d.seen[1].hash, c.seen[1].hash));
    for (size_t n = 0; n < b.n; n++) {
        CHECK(n == 17 || n == 57 || !rc_ok(cursor_parse(&d, (struct bytes){b.p, n})));
    }
    b.p[0] = 9;
    CHECK(cursor_parse(&d, buf_bytes(&b)).code == RC_CODE_MALFORMED);
}

static void test_tx(void)
{
    struct signer s = {0};
    struct hash hash;
    struct address from;
    struct eth_tx t;
    const char *why;
    CHECK(rc_ok(secret_new(&s.key, 32)));
    memset(s.key.p, 1, 32);
    CHECK(rc_ok(secp_address(&s.address, &s.key)));
    for (int type = 0; type < 2; type++) {
        BUF_FREE raw = buf_new(4096);
        struct tx_fees fees = {.eip1559 = type == 1, .price = u256_from(7), .tip = u256_from(1)};
        struct client_tx tx = {.data = BYTES_LIT("data"), .gas = 21000, .value = u256_from(5)};
        CHECK(rc_ok(tx_sign(&raw, &hash, &s, 7685, 3, &fees, &tx)));
        CHECK(rc_ok(eth_tx_parse(&t, buf_bytes(&raw), &why)));
        CHECK(rc_ok(eth_tx_sender(&from, &t)) && address_eq(from, s.address));
        CHECK(hash_eq(hash, eth_tx_hash(buf_bytes(&raw))));
        CHECK(t.type == (type == 1 ? 2u : 0u) && t.nonce == 3 && t.chain_id == 7685 &&
              t.gas == 21000 && bytes_eq(t.data, tx.data));
    }
    signer_free(&s);
}

static void location(struct bytes in, const char *want)
{
    struct err e = {0};
    BUF_FREE url = buf_new(1000);
    rc r = store_location(&url, "http://127.0.0.1:8080/", in, &e);
    CHECK(want != NULL ? rc_ok(r) && strcmp(buf_cstr(&url), want) == 0
                       : r.code == RC_CODE_MALFORMED);
}

static void test_locations(void)
{
    location(BYTES_LIT("/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG/readme"),
             "http://127.0.0.1:8080/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG/readme");
    location(BYTES_LIT("ipfs://QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"),
             "http://127.0.0.1:8080/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG");
    location(BYTES_LIT("http://127.0.0.1:1/x"), "http://127.0.0.1:1/x");
    location(BYTES_LIT("/ipfs/nothing"), NULL);
    location(BYTES_LIT("/etc/passwd"), NULL);
    location(BYTES_LIT("file:///etc/passwd"), NULL);
    location(BYTES_LIT(""), NULL);
    BUF_FREE bin = buf_new(100);
    struct hash digest = {{1, 2, 3}};
    struct cid cid = cid_make(0, CID_DAG_PB, &digest);
    char text[CID_STR_MAX], want[256];
    put_mem(&bin, "\xa5\x03\x22\x12\x20", 5);
    put_bytes(&bin, BYTES_OF(digest));
    (void)snprintf(want, sizeof(want), "http://127.0.0.1:8080/ipfs/%s", cid_str(&cid, text));
    location(buf_bytes(&bin), want);
    location((struct bytes){bin.p, bin.n - 1}, NULL);
}

static void test_away(void)
{
    struct err e = {0};
    struct client *c = NULL;
    struct client_config bad = {.url = "ftp://x"}, gone = {.url = "http://127.0.0.1:1"};
    uint64_t id;
    CHECK(client_open(&c, &bad, &e).code == RC_CODE_MALFORMED);
    CHECK(rc_ok(client_open(&c, &gone, &e)));
    CHECK(client_chain_id(c, &id, &e).code == RC_CODE_IO);
    CHECK(strcmp(e.msg, "eth_chainId: connect to 127.0.0.1:1: Connection refused") == 0);
    CHECK(client_wait_ready(c, 30, &e).code == RC_CODE_IO);
    client_close(c);
}

int main(void)
{
    test_v3();
    test_files();
    test_orders();
    test_replies();
    test_cursor();
    test_tx();
    test_locations();
    test_away();
    return 0;
}
