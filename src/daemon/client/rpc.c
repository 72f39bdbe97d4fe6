/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.c - JSON-RPC 2.0 over HTTP: one call, many in one request, and what errors mean. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cur.h"
#include "daemon/client/client_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define ANSWER_MAX ((size_t)64 << 20) /* logs of 1,000 blocks are the longest */

rc client_open(struct client **out, const struct client_config *cfg, struct err *e)
{
    struct client *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    if (cfg->url == NULL || strlen(cfg->url) >= sizeof(c->url) ||
        (strncmp(cfg->url, "http://", 7) != 0 && strncmp(cfg->url, "https://", 8) != 0)) {
        free(c);
        return err_set(e, RC_CODE_MALFORMED, "address of the node: '%.100s' is no http:// URL",
                       cfg->url != NULL ? cfg->url : "");
    }
    (void)snprintf(c->url, sizeof(c->url), "%s", cfg->url);
    c->hub = cfg->hub;
    c->timeout_ms = cfg->timeout_ms > 0 ? cfg->timeout_ms : 10000;
    rc r = http_client_open(&c->http, e);
    if (!rc_ok(r)) {
        free(c);
        return r;
    }
    *out = c;
    return RC_OK;
}

rc client_open_child(struct client **out, const struct client *parent, struct err *e)
{
    struct client_config cfg = {
        .url = parent->url, .hub = parent->hub, .timeout_ms = parent->timeout_ms};
    TRY(client_open(out, &cfg, e));
    struct client *c = *out;
    c->has_chain_id = parent->has_chain_id;
    c->chain_id = parent->chain_id;
    c->has_fees = parent->has_fees;
    c->fees = parent->fees;
    c->fees_ms = parent->fees_ms;
    return RC_OK;
}

void client_close(struct client *c)
{
    if (c != NULL) {
        http_client_close(c->http);
        free(c);
    }
}

struct address client_hub(const struct client *c)
{
    return c->hub;
}

struct http_client *client_http(struct client *c)
{
    return c->http;
}

const char *client_url(const struct client *c)
{
    return c->url;
}

/* --- JSON forms --- */

static json_t *take_text(struct buf *b)
{
    json_t *j = json_string(buf_cstr(b));
    buf_free(b);
    return j;
}

json_t *json_quantity(uint64_t v)
{
    struct buf b = buf_new(64);
    put_quantity(&b, v);
    return take_text(&b);
}

json_t *json_quantity256(struct u256 v)
{
    struct buf b = buf_new(128);
    put_quantity256(&b, v);
    return take_text(&b);
}

json_t *json_bytes(struct bytes v)
{
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    put_0x(&b, v);
    return take_text(&b);
}

json_t *json_address(struct address a)
{
    char text[HEX_ADDRESS_MAX];
    return json_string(hex_address(text, a));
}

json_t *json_hash(struct hash h)
{
    char text[HEX_HASH_MAX];
    return json_string(hex_hash(text, h));
}

rc js_quantity256(struct u256 *out, const struct js *j, struct err *e)
{
    const char *s;
    TRY(js_str(&s, j, e));
    return rc_ok(hex_parse_quantity256(out, s, true)) ? RC_OK : js_err(j, e, "must be a 0x-number");
}

rc js_quantity(uint64_t *out, const struct js *j, struct err *e)
{
    struct u256 v;
    TRY(js_quantity256(&v, j, e));
    return u256_to_u64(v, out) ? RC_OK : js_err(j, e, "must be below 2^64");
}

/* --- requests and replies --- */

json_t *rpc_request(uint64_t id, const char *method, json_t *params)
{
    return json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id, "method",
                     method, "params", params != NULL ? params : json_array());
}

/* Error(string) carries the reason; a custom error is named where the interface knows it. */
rc rpc_revert(struct err *e, const char *message, struct bytes data)
{
    if (data.n >= 4) {
        struct cur c = cur_of(data);
        uint32_t selector = (uint32_t)take_be(&c, 4);
        enum revert known = iface_find_revert(data);
        if (selector == SELECTOR_ERROR) {
            struct abi_in a = abi_of((struct bytes){data.p + 4, data.n - 4});
            struct bytes text = abi_take_bytes(&a);
            if (rc_ok(abi_end(&a))) {
                return err_set(e, RC_CODE_DENIED, "reverted: %.*s", (int)MIN(text.n, (size_t)180),
                               (const char *)text.p);
            }
        } else if (known != REVERT_NONE) {
            return err_set(e, RC_CODE_DENIED, "reverted: %s", iface_revert(known)->text);
        } else if (selector == SELECTOR_PANIC) {
            return err_set(e, RC_CODE_DENIED, "reverted: Panic(0x%02x)", data.p[data.n - 1]);
        }
        return err_set(e, RC_CODE_DENIED, "reverted with an error unknown here (0x%08" PRIx32 ")",
                       selector);
    }
    return err_set(e, RC_CODE_DENIED, "reverted without a reason (%.100s)", message);
}

static enum rc_code code_of(json_int_t code)
{
    switch (code) {
    case -32700:
    case -32600:
    case -32602:
        return RC_CODE_MALFORMED;
    case -32601:
        return RC_CODE_NOT_FOUND;
    case -32005:
        return RC_CODE_LIMIT;
    default:
        return RC_CODE_DENIED;
    }
}

/* A block or state that this very node does not have at this very moment: ask again. */
static bool is_passing(const char *message)
{
    static const char *const known[] = {"BlockOutOfRange", "header not found", "missing trie node",
                                        "unknown block", "state not available"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strstr(message, known[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static rc reply_error(const json_t *error, struct err *e)
{
    const char *message = json_string_value(json_object_get(error, "message"));
    const json_t *data = json_object_get(error, "data");
    json_int_t code = json_integer_value(json_object_get(error, "code"));
    message = message != NULL ? message : "no message";
    if (json_is_object(data)) { /* some nodes nest it */
        data = json_object_get(data, "data");
    }
    const char *hex = json_string_value(data);
    BUF_FREE raw = buf_new(1 << 16);
    bool reverts = code == 3 || strstr(message, "revert") != NULL;
    if (reverts && (hex == NULL || rc_ok(hex_decode(&raw, bytes_str(hex))))) {
        return rpc_revert(e, message, buf_bytes(&raw));
    }
    return err_set(e, is_passing(message) ? RC_CODE_IO : code_of(code), "the node says: %.180s",
                   message);
}

rc rpc_reply(json_t **result, const json_t *reply, struct err *e)
{
    *result = NULL;
    const json_t *error = json_object_get(reply, "error");
    json_t *v = json_object_get(reply, "result");
    if (json_is_object(error)) {
        return reply_error(error, e);
    }
    if (v == NULL) {
        return err_set(e, RC_CODE_MALFORMED, "the node's answer has neither result nor error");
    }
    *result = json_incref(v);
    return RC_OK;
}

static rc exchange(struct client *c, json_t **reply, const json_t *request, struct err *e)
{
    struct http_call call = {.url = c->url, .timeout_ms = c->timeout_ms, .answer_max = ANSWER_MAX};
    return http_json(c->http, reply, &call, request, e);
}

rc client_rpc(struct client *c, json_t **result, const char *method, json_t *params, struct err *e)
{
    uint64_t id = ++c->next_id;
    JSON_FREE *reply = NULL;
    JSON_FREE *request = rpc_request(id, method, params);
    rc r = exchange(c, &reply, request, e);
    if (rc_ok(r) && json_integer_value(json_object_get(reply, "id")) != (json_int_t)id &&
        !json_is_object(json_object_get(reply, "error"))) {
        r = err_set(e, RC_CODE_MALFORMED, "the node answered another request");
    }
    if (rc_ok(r)) {
        r = rpc_reply(result, reply, e);
    }
    return err_wrap(e, r, "%s", method);
}

static rc batch_part(struct client *c, struct client_rpc_item *items, size_t n, struct err *e)
{
    JSON_FREE *request = json_array();
    JSON_FREE *reply = NULL;
    uint64_t first = c->next_id + 1;
    for (size_t i = 0; i < n; i++) {
        (void)json_array_append_new(request,
                                    rpc_request(++c->next_id, items[i].method, items[i].params));
        items[i].params = NULL;
        items[i].result = NULL;
        items[i].r = err_set(&items[i].err, RC_CODE_MALFORMED, "%s: the node did not answer it",
                             items[i].method);
    }
    TRY(exchange(c, &reply, request, e));
    if (!json_is_array(reply)) {
        rc r =
            json_is_object(reply) ? reply_error(json_object_get(reply, "error"), e) : RC(MALFORMED);
        return err_wrap(e, r, "many calls in one request");
    }
    for (size_t i = 0; i < json_array_size(reply); i++) {
        const json_t *one = json_array_get(reply, i);
        json_int_t id = json_integer_value(json_object_get(one, "id"));
        uint64_t at = (uint64_t)id - first;
        if (id > 0 && at < n && items[at].result == NULL) {
            items[at].r =
                err_wrap(&items[at].err, rpc_reply(&items[at].result, one, &items[at].err), "%s",
                         items[at].method);
        }
    }
    return RC_OK;
}

rc client_rpc_batch(struct client *c, struct client_rpc_item *items, size_t n, struct err *e)
{
    rc r = RC_OK;
    struct err why = {0};
    size_t i = 0;
    for (; i < n; i += CLIENT_BATCH_MAX) {
        r = batch_part(c, items + i, MIN(n - i, (size_t)CLIENT_BATCH_MAX), &why);
        if (!rc_ok(r)) {
            break;
        }
    }
    for (; i < n; i++) { /* not sent, or not answered */
        json_decref(items[i].params);
        items[i].params = NULL;
        items[i].r = r;
        items[i].err = why;
    }
    return rc_ok(r) ? r : err_set(e, r.code, "%s", why.msg);
}

/* --- what is asked once, and the newest block --- */

rc client_chain_id(struct client *c, uint64_t *out, struct err *e)
{
    if (!c->has_chain_id) {
        JSON_FREE *v = NULL;
        TRY(client_rpc(c, &v, "eth_chainId", NULL, e));
        struct js j = js_top(v);
        TRY(err_wrap(e, js_quantity(&c->chain_id, &j, e), "eth_chainId"));
        c->has_chain_id = true;
    }
    *out = c->chain_id;
    return RC_OK;
}

rc client_domain(struct client *c, struct hash *out, struct err *e)
{
    if (!c->has_domain) {
        uint64_t id;
        TRY(client_find_hub(c, e));
        TRY(client_chain_id(c, &id, e));
        c->domain = order_domain(u256_from(id), c->hub);
        c->has_domain = true;
    }
    *out = c->domain;
    return RC_OK;
}

rc client_wait_ready(struct client *c, uint64_t timeout_ms, struct err *e)
{
    uint64_t end = clock_mono_ms() + timeout_ms, id, pause_ms = 10;
    for (;;) {
        rc r = client_chain_id(c, &id, e);
        if (rc_ok(r) || (r.code != RC_CODE_IO && r.code != RC_CODE_LIMIT) ||
            clock_mono_ms() + pause_ms >= end) {
            return r;
        }
        clock_sleep_ms(pause_ms);
        pause_ms = MIN(pause_ms * 2, (uint64_t)500);
    }
}

static rc block_parse(struct client_head *out, const json_t *v, struct err *e)
{
    struct js top = js_top(v), number = js_key(&top, "number"), time = js_key(&top, "timestamp"),
              hash = js_key(&top, "hash"), gas = js_key(&top, "gasLimit"),
              fee = js_key(&top, "baseFeePerGas");
    *out = (struct client_head){0};
    if (json_is_null(v)) {
        return err_set(e, RC_CODE_NOT_FOUND, "the node has no such block");
    }
    TRY(js_object(&top, e));
    TRY(js_quantity(&out->number, &number, e));
    TRY(js_quantity(&out->timestamp, &time, e));
    TRY(js_hash(&out->hash, &hash, e));
    TRY(js_quantity(&out->gas_limit, &gas, e));
    return fee.v != NULL && !json_is_null(fee.v) ? js_quantity256(&out->base_fee, &fee, e) : RC_OK;
}

static rc get_block(struct client *c, struct client_head *out, json_t *which, struct err *e)
{
    JSON_FREE *v = NULL;
    TRY(client_rpc(c, &v, "eth_getBlockByNumber", json_pack("[o, b]", which, 0), e));
    return err_wrap(e, block_parse(out, v, e), "eth_getBlockByNumber");
}

rc client_head(struct client *c, struct client_head *out, struct err *e)
{
    return get_block(c, out, json_string("latest"), e);
}

rc client_time(struct client *c, uint64_t *out, struct err *e)
{
    struct client_rpc_item items[] = {
        {.method = "eth_getBlockByNumber", .params = json_pack("[s, b]", "latest", 0)},
        {.method = "eth_getBlockByNumber", .params = json_pack("[s, b]", "pending", 0)},
    };
    struct client_head head;
    uint64_t t;
    TRY(client_rpc_batch(c, items, 2, e));
    rc r = rc_ok(items[0].r) ? block_parse(&head, items[0].result, e)
                             : err_set(e, items[0].r.code, "%s", items[0].err.msg);
    struct js top = js_top(items[1].result), time = js_key(&top, "timestamp");
    if (rc_ok(r)) { /* not every node has a pending block */
        *out = rc_ok(items[1].r) && rc_ok(js_quantity(&t, &time, NULL)) ? MAX(t, head.timestamp)
                                                                        : head.timestamp;
    }
    json_decref(items[0].result);
    json_decref(items[1].result);
    return err_wrap(e, r, "eth_getBlockByNumber");
}

rc client_block_at(struct client *c, struct client_head *out, uint64_t number, struct err *e)
{
    return get_block(c, out, json_quantity(number), e);
}

rc client_find_hub(struct client *c, struct err *e)
{
    if (address_is_zero(c->hub)) { /* a souk node tells where its hub is */
        JSON_FREE *v = NULL;
        struct err why = {0};
        rc r = client_rpc(c, &v, "souk_contracts", NULL, &why);
        struct js top = js_top(v), j = js_key(&top, "hub");
        if (r.code == RC_CODE_IO || r.code == RC_CODE_LIMIT) {
            return err_set(e, r.code, "%s", why.msg);
        }
        if (!rc_ok(r) || !rc_ok(js_address(&c->hub, &j, NULL))) {
            return err_set(e, RC_CODE_MALFORMED,
                           "%s does not say where the hub is: name it with --hub", c->url);
        }
    }
    return RC_OK;
}
