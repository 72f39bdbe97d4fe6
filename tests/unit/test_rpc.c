/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/rpc/rpc_int.h"

#include <stdlib.h>

#include "io/file.h"
#include "tests/test.h"

/* The dispatcher in front of a real ledger. What real clients need is in tests/e2e. */

static struct rpc *rpc;
static struct err e;

static const char *ask(const char *text)
{
    static char out[1 << 20];
    struct arena a;
    BUF_FREE b = buf_new((size_t)4 << 20);
    arena_init(&a, HTTP_ARENA_MAX);
    rpc_answer(rpc, &a, NULL, bytes_str(text), &b);
    CHECK(b.n < sizeof(out));
    memcpy(out, buf_cstr(&b), b.n + 1);
    arena_reset(&a);
    return out;
}

#define IS(text, want)  CHECK(strcmp(ask(text), (want)) == 0)
#define HAS(text, part) CHECK(strstr(ask(text), (part)) != NULL)
#define CALL(id, method, params)                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":[" params "]}"
#define ERROR(id, code, text)                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"}}"
#define RESULT(id, v) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" v "}"

static void test_table(void)
{
    for (size_t i = 0; i < rpc_methods_n; i++) {
        const struct rpc_method *m = &rpc_methods[i];
        CHECK(i == 0 || strcmp(rpc_methods[i - 1].name, m->name) < 0); /* sorted, each once */
        CHECK(m->min <= m->max && m->help[0] != 0);
        CHECK(rpc_method_find(m->name) == m);
        BUF_FREE b = buf_new(1 << 16); /* its example is JSON with a number of arguments it takes */
        put_fmt(&b, "[%s]", m->example);
        JSON_FREE *v = json_parse(buf_bytes(&b), 32, &e);
        CHECK(v != NULL && json_array_size(v) >= m->min && json_array_size(v) <= m->max);
    }
    CHECK(rpc_method_find("eth_none") == NULL);
}

static void test_envelope(void)
{
    IS(CALL("1", "eth_chainId", ""), RESULT("1", "\"0x539\""));
    IS(" [ " CALL("\"a\"", "net_version", "") " ] ", "[" RESULT("\"a\"", "\"1337\"") "]");
    IS("{\"method\":\"eth_chainId\",\"id\":null,\"jsonrpc\":\"2.0\"}", RESULT("null", "\"0x539\""));
    IS("{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}", "");
    IS("[{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}]", "");
    IS("{\"jsonrpc\":\"2.0\",\"id\":1.25,\"method\":\"eth_chainId\"}", RESULT("1.25", "\"0x539\""));
    IS("{\"jsonrpc\":\"2.0\",\"id\":\"\\u0041\",\"method\":\"eth_chainId\",\"x\":0}",
       RESULT("\"A\"", "\"0x539\""));
    IS("", ERROR("null", "-32700", "parse error"));
    IS("{\"jsonrpc\":\"2.0\",\"id\":2.,\"method\":\"eth_chainId\"}",
       ERROR("null", "-32700", "parse error"));
    IS("[]", ERROR("null", "-32600", "empty batch"));
    IS("5", ERROR("null", "-32600", "invalid request"));
    IS("[1," CALL("2", "eth_chainId", "") "]",
       "[" ERROR("null", "-32600", "invalid request") "," RESULT("2", "\"0x539\"") "]");
    IS("{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"eth_chainId\"}",
       ERROR("null", "-32600", "invalid request"));
    IS("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"eth_chainId\",\"params\":{}}",
       ERROR("3", "-32602", "non-array args"));
    IS(CALL("1", "nope", ""),
       ERROR("1", "-32601", "the method nope does not exist/is not available"));
    HAS(CALL("1", "evm_mine", ""), "--dev");
    HAS(CALL("1", "eth_subscribe", "\"logs\""), "notifications not supported");
}

static void test_raw(void)
{
    HAS(CALL("1", "eth_sendRawTransaction", "\"0x\""), "typed transaction too short");
    HAS(CALL("1", "eth_sendRawTransaction", "\"0x1\""), "hex string of odd length");
    HAS(CALL("1", "eth_sendRawTransaction", "\"0xzz\""), "invalid hex string");
    HAS(CALL("1", "eth_sendRawTransaction", "\"12\""), "hex string without 0x prefix");
    HAS(CALL("1", "eth_sendRawTransaction", ""), "missing value for required argument 0");
    HAS(CALL("1", "eth_sendRawTransaction", "\"0x05\",1"), "too many arguments");
    /* grouped, single, and one whose params come first */
    const char *got = ask("[" CALL("1", "eth_sendRawTransaction", "\"0x05\"") "," CALL(
        "2", "eth_sendRawTransaction",
        "\"0xc0\"") ","
                    "{\"jsonrpc\":\"2.0\",\"method\":\"eth_sendRawTransaction\",\"params\":["
                    "\"0x05\"]}," CALL(
                        "3", "eth_blockNumber",
                        "") ","
                            "{\"params\":[\"0x06\"],\"jsonrpc\":\"2.0\",\"id\":4,"
                            "\"method\":\"eth_sendRawTransaction\"}]");
    JSON_FREE *v = json_parse(bytes_str(got), 8, &e);
    CHECK(v != NULL && json_array_size(v) == 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *one = json_array_get(v, i);
        CHECK(json_integer_value(json_object_get(one, "id")) == (json_int_t)i + 1);
        CHECK((json_object_get(one, "error") != NULL) == (i != 2));
    }
}

static void test_revert(void)
{
    static const uint8_t panic[36] = {0x4e, 0x48, 0x7b, 0x71, [35] = 0x11};
    struct rpc_req q = {.rpc = rpc};
    CHECK(!rc_ok(rpc_fail_revert(&q, (struct bytes){panic, sizeof(panic)})));
    CHECK(q.code == 3 && q.has_data);
    CHECK(strcmp(q.msg, "execution reverted: arithmetic underflow or overflow") == 0);
    CHECK(!rc_ok(rpc_fail_revert(&q, (struct bytes){0})));
    CHECK(strcmp(q.msg, "execution reverted") == 0 && q.has_data);
    CHECK(!rc_ok(rpc_fail_revert(&q, BYTES_LIT("\x08\xc3\x79\xa0 cut short"))));
    CHECK(strcmp(q.msg, "execution reverted") == 0);
}

int main(void)
{
    char dir[] = "/tmp/souk-rpc-XXXXXX";
    struct loop *loop;
    struct ledger *ledger;
    struct ledger_config lc = {
        .dir = dir,
        .genesis = BYTES_LIT("{\"chainId\":1337,\"owner\":"
                             "\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\",\"accounts\":[]}"),
        .history = 16,
        .threads = 2};
    CHECK(mkdtemp(dir) != NULL);
    CHECK(rc_ok(loop_open(&loop, &e)) && rc_ok(ledger_open(&ledger, &lc, &e)));
    struct rpc_config cfg = {.loop = loop, .ledger = ledger, .listen = "127.0.0.1:0"};
    CHECK(rc_ok(rpc_open(&rpc, &cfg, &e)));
    test_table();
    test_envelope();
    test_raw();
    test_revert();
    rpc_close(rpc);
    ledger_close(ledger);
    loop_close(loop);
    CHECK(rc_ok(dir_remove(dir, &e)));
    return 0;
}
