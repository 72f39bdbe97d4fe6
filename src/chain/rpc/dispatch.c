/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - JSON-RPC 2.0 (jsonrpc.org/specification), with the codes and texts of geth. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "chain/rpc/rpc_int.h"
#include "encoding/abi.h"
#include "io/http_parse.h"

/* --- errors --- */

rc rpc_fail(struct rpc_req *q, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(q->msg, sizeof(q->msg), fmt, ap);
    va_end(ap);
    q->code = code;
    q->has_data = false;
    return RC(MALFORMED);
}

rc rpc_no_memory(struct rpc_req *q)
{
    return rpc_fail(q, RPC_LIMIT, "the request needs too much memory");
}

rc rpc_ledger_fault(struct rpc_req *q, rc r)
{
    log_error("rpc", "a read of the ledger failed with code %d", (int)r.code);
    return rpc_fail(q, RPC_INTERNAL, "internal error");
}

/* "Panic" codes of Solidity, in geth's words. */
static const char *panic_text(uint64_t code)
{
    switch (code) {
    case 0x00:
        return "generic panic";
    case 0x01:
        return "assert(false)";
    case 0x11:
        return "arithmetic underflow or overflow";
    case 0x12:
        return "division or modulo by zero";
    case 0x21:
        return "enum overflow";
    case 0x22:
        return "invalid encoded storage byte array accessed";
    case 0x31:
        return "out-of-bounds array access; popping on an empty array";
    case 0x32:
        return "out-of-bounds access of an array or bytesN";
    case 0x41:
        return "out of memory";
    case 0x51:
        return "uninitialized function";
    default:
        return NULL;
    }
}

rc rpc_revert(struct rpc_req *q, struct bytes data)
{
    static const uint8_t error[4] = {0x08, 0xc3, 0x79, 0xa0}; /* Error(string) */
    static const uint8_t panic[4] = {0x4e, 0x48, 0x7b, 0x71}; /* Panic(uint256) */
    char reason[RPC_ERROR_MAX - 32] = "";
    if (data.n >= 4) {
        struct abi_in in = abi_of((struct bytes){data.p + 4, data.n - 4});
        if (memcmp(data.p, error, 4) == 0) {
            struct bytes s = abi_take_bytes(&in);
            if (rc_ok(abi_end(&in)) && utf8_valid(s)) {
                (void)snprintf(reason, sizeof(reason), ": %.*s", (int)MIN(s.n, sizeof(reason) - 8),
                               (const char *)s.p);
            }
        } else if (memcmp(data.p, panic, 4) == 0) {
            uint64_t code = 0;
            struct u256 wide = abi_take_u256(&in);
            bool small = u256_to_u64(wide, &code);
            if (rc_ok(abi_end(&in)) && small && panic_text(code) != NULL) {
                (void)snprintf(reason, sizeof(reason), ": %s", panic_text(code));
            }
        }
    }
    rc r = rpc_fail(q, RPC_REVERT, "execution reverted%s", reason);
    q->data = data;
    q->has_data = true;
    return r;
}

/* --- one call --- */

static void put_open(struct buf *out, const json_t *id)
{
    put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id == NULL) {
        put_str(out, "null");
    } else {
        json_put(out, id);
    }
}

static void put_error(struct buf *out, const json_t *id, const struct rpc_req *q)
{
    put_open(out, id);
    put_fmt(out, ",\"error\":{\"code\":%d,\"message\":", q->code);
    json_put_str(out, bytes_str(q->msg));
    if (q->has_data) {
        put_str(out, ",\"data\":");
        put_q_bytes(out, q->data);
    }
    put_str(out, "}}");
}

static int by_name(const void *key, const void *row)
{
    return strcmp(key, ((const struct rpc_method *)row)->name);
}

const struct rpc_method *rpc_method_find(const char *name)
{
    return bsearch(name, rpc_methods, rpc_methods_n, sizeof(rpc_methods[0]), by_name);
}

/* Arguments given, trailing nulls not counted: they mean "absent". */
static size_t given(const struct rpc_req *q)
{
    size_t n = js_n(&q->params);
    while (n > 0 && json_is_null(json_array_get(q->params.v, n - 1))) {
        n--;
    }
    return n;
}

static rc run(struct rpc_req *q, const char *name)
{
    const struct rpc_method *m = rpc_method_find(name);
    if (m == NULL) {
        return rpc_fail(q, RPC_METHOD, "the method %.80s does not exist/is not available", name);
    }
    if ((m->flags & RPC_DEV) != 0 && !q->rpc->cfg.dev) {
        return rpc_fail(q, RPC_METHOD,
                        "the method %s does not exist/is not available: it is a development "
                        "method, start the node with --dev to use it",
                        name);
    }
    if ((m->flags & RPC_WS) != 0 && q->ws == NULL) {
        return rpc_fail(q, RPC_METHOD, "notifications not supported");
    }
    if (q->params.v != NULL && !json_is_array(q->params.v)) {
        return rpc_fail(q, RPC_PARAMS, "non-array args");
    }
    size_t n = given(q);
    if (n < m->min) {
        return rpc_fail(q, RPC_PARAMS, "missing value for required argument %zu", n);
    }
    if (js_n(&q->params) > m->max) {
        return rpc_fail(q, RPC_PARAMS, "too many arguments, want at most %u", m->max);
    }
    return m->fn(q);
}

/* Answers one call; a notification runs without an answer. */
static void answer_one(struct rpc *rpc, struct arena *a, struct ws *ws, const json_t *v,
                       struct buf *out)
{
    const json_t *id = json_object_get(v, "id");
    const char *version = json_string_value(json_object_get(v, "jsonrpc"));
    const char *method = json_string_value(json_object_get(v, "method"));
    struct rpc_req q = {.rpc = rpc, .arena = a, .ws = ws, .out = out};
    q.params = js_top(json_object_get(v, "params"));
    if (json_is_null(q.params.v)) {
        q.params.v = NULL;
    }
    bool id_ok = id == NULL || json_is_string(id) || json_is_number(id) || json_is_null(id);
    if (!json_is_object(v) || version == NULL || strcmp(version, "2.0") != 0 || method == NULL ||
        !id_ok) {
        (void)rpc_fail(&q, RPC_REQUEST, "invalid request");
        put_error(out, id_ok ? id : NULL, &q);
        return;
    }
    size_t mark = out->n;
    put_open(out, id);
    put_str(out, ",\"result\":");
    rc r = run(&q, method);
    put_str(out, "}");
    if (out->full || out->n > out->cap - RPC_ERROR_ROOM) {
        out->full = false; /* the puts were dropped whole: the room behind mark is ours again */
        r = rpc_fail(&q, RPC_TOO_LARGE, "response too large");
    }
    rpc->stats.requests++;
    if (!rc_ok(r)) {
        rpc->stats.errors++;
        out->n = mark;
        put_error(out, id, &q);
    }
    if (id == NULL) {
        out->n = mark;
    }
}

static void answer_fault(struct rpc *rpc, int code, const char *text, struct buf *out)
{
    struct rpc_req q = {.rpc = rpc};
    (void)rpc_fail(&q, code, "%s", text);
    put_error(out, NULL, &q);
}

static void answer_batch(struct rpc *rpc, struct arena *a, struct ws *ws, const json_t *v,
                         struct buf *out)
{
    size_t n = json_array_size(v);
    if (n == 0) {
        answer_fault(rpc, RPC_REQUEST, "empty batch", out);
        return;
    }
    if (n > rpc->cfg.batch_max) {
        answer_fault(rpc, RPC_REQUEST, "batch too large", out);
        return;
    }
    size_t start = out->n;
    put_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        size_t mark = out->n;
        if (mark > start + 1) {
            put_u8(out, ',');
        }
        size_t before = out->n;
        answer_one(rpc, a, ws, json_array_get(v, i), out);
        if (out->n == before) {
            out->n = mark;
        }
    }
    if (out->n == start + 1) {
        out->n = start; /* notifications only */
    } else {
        put_u8(out, ']');
    }
}

void rpc_answer(struct rpc *rpc, struct arena *a, struct ws *ws, struct bytes text, struct buf *out)
{
    struct err e;
    JSON_FREE *v = json_parse(text, RPC_DEPTH_MAX, &e);
    if (v == NULL) {
        answer_fault(rpc, RPC_PARSE, "parse error", out);
    } else if (json_is_array(v)) {
        answer_batch(rpc, a, ws, v, out);
    } else {
        answer_one(rpc, a, ws, v, out);
    }
}
