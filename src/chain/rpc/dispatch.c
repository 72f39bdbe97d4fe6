/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - JSON-RPC 2.0 (jsonrpc.org/specification), with the codes and texts of geth. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "chain/rpc/rpc_int.h"
#include "encoding/abi.h"
#include "encoding/hex.h"
#include "encoding/jsonpull.h"
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

rc rpc_fail_revert(struct rpc_req *q, struct bytes data)
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

static void put_open(struct buf *out, struct bytes id)
{
    put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    put_bytes(out, id.n == 0 ? BYTES_LIT("null") : id);
}

static void put_error(struct buf *out, struct bytes id, const struct rpc_req *q)
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

/* One call of a request: views into its text, or into the arena. */
struct call {
    struct bytes id; /* its JSON text; empty: a notification */
    struct bytes method;
    json_t *params;    /* owned; NULL: absent */
    struct bytes text; /* eth_sendRawTransaction in its plain form: "0x…" */
    struct bytes raw;  /* and its bytes */
    bool is_raw, bad;  /* bad: not a request at all */
};

static void answer_fault(struct rpc *rpc, struct bytes id, int code, const char *text,
                         struct buf *out)
{
    struct rpc_req q = {.rpc = rpc};
    (void)rpc_fail(&q, code, "%s", text);
    put_error(out, id, &q);
}

/* Closes an answer that began at mark: with the error when there is one, and not at all for a
 * notification. */
static void close_answer(struct rpc_req *q, struct bytes id, size_t mark, rc r)
{
    struct buf *out = q->out;
    put_str(out, "}");
    if (out->full || out->n > out->cap - RPC_ERROR_ROOM) {
        out->full = false; /* the puts were dropped whole: the room behind mark is ours again */
        r = rpc_fail(q, RPC_TOO_LARGE, "response too large");
    }
    q->rpc->stats.requests++;
    if (!rc_ok(r)) {
        q->rpc->stats.errors++;
        out->n = mark;
        put_error(out, id, q);
    }
    if (id.n == 0) {
        out->n = mark;
    }
}

static void answer_call(struct rpc *rpc, struct arena *a, struct ws *ws, const struct call *c,
                        struct buf *out)
{
    struct rpc_req q = {.rpc = rpc, .arena = a, .ws = ws, .out = out};
    char name[96];
    size_t mark = out->n;
    if (c->bad) {
        answer_fault(rpc, c->id, RPC_REQUEST, "invalid request", out);
        return;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)MIN(c->method.n, sizeof(name) - 1),
                   (const char *)c->method.p);
    q.params = js_top(json_is_null(c->params) ? NULL : c->params);
    put_open(out, c->id);
    put_str(out, ",\"result\":");
    close_answer(&q, c->id, mark, run(&q, name));
}

/* --- signed transactions in a row: their signatures are recovered together --- */

static size_t count_raw(const struct call *c, size_t n)
{
    size_t k = 0;
    while (k < n && c[k].is_raw) {
        k++;
    }
    return k;
}

static bool answer_raw(struct rpc *rpc, struct arena *a, const struct call *c, size_t n,
                       struct buf *out)
{
    struct bytes *raw = ARENA_ARRAY(a, struct bytes, n);
    struct hash *hashes = ARENA_ARRAY(a, struct hash, n);
    rc *results = ARENA_ARRAY(a, rc, n);
    struct err *errs = ARENA_ARRAY(a, struct err, n);
    if (raw == NULL || hashes == NULL || results == NULL || errs == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        raw[i] = c[i].raw;
    }
    ledger_send_many(rpc->ledger, raw, n, hashes, results, errs);
    size_t start = out->n;
    for (size_t i = 0; i < n; i++) {
        struct rpc_req q = {.rpc = rpc, .arena = a, .out = out};
        size_t before = out->n;
        put_str(out, before > start ? "," : "");
        size_t mark = out->n;
        rc r = results[i];
        put_open(out, c[i].id);
        put_str(out, ",\"result\":");
        if (rc_ok(r)) {
            put_q_hash(out, hashes[i]);
        } else {
            r = send_fault(&q, r, &errs[i]);
        }
        close_answer(&q, c[i].id, mark, r);
        out->n = out->n == mark ? before : out->n; /* a notification */
    }
    return true;
}

/* --- reading --- */

/* The plain form of a signed transaction's params: ["0x…"] and nothing else, taken from j and decoded
 * into a. False leaves j where it was. */
static bool take_raw(struct jp *j, struct arena *a, struct call *c)
{
    struct jp at = *j;
    jp_array(&at);
    struct bytes s = jp_elem(&at) ? jp_unchecked(&at) : (struct bytes){0};
    bool more = jp_elem(&at);
    if (more || at.bad != NULL || s.n < 4 || s.n % 2 != 0 || s.n / 2 > RPC_DATA_MAX ||
        s.p[0] != '0' || s.p[1] != 'x') {
        return false;
    }
    size_t n = s.n / 2 - 1;
    uint8_t *p = arena_alloc(a, n);
    if (p == NULL || !rc_ok(hex_decode_exact(p, n, (struct bytes){s.p + 2, s.n - 2}))) {
        return false; /* the plain way says what is wrong with it */
    }
    c->text = s;
    c->raw = (struct bytes){p, n};
    *j = at;
    return true;
}

/* The usual ids: null, a whole number, a string without escapes. */
static bool plain_id(struct bytes id)
{
    size_t i = id.n > 0 && id.p[0] == '-' ? 1 : 0;
    if (id.n == 0 || id.n > 256 || bytes_eq(id, BYTES_LIT("null"))) {
        return id.n <= 256;
    }
    if (id.p[0] == '"') {
        return memchr(id.p, '\\', id.n) == NULL;
    }
    if (id.n - i > 18 || (id.n - i > 1 && id.p[i] == '0')) {
        return false;
    }
    bool digits = i < id.n;
    for (; i < id.n; i++) {
        digits = digits && id.p[i] >= '0' && id.p[i] <= '9';
    }
    return digits;
}

/* Reads one call in one pass; only its params become a tree, and those of signed transactions, the
 * long ones, do not. False for everything unusual: then the whole request is read the slow way,
 * which knows what is wrong. */
static bool read_call(struct jp *j, struct arena *a, struct call *c)
{
    struct bytes key;
    struct bytes params = {0};
    unsigned seen = 0;
    *c = (struct call){0};
    jp_object(j);
    while (jp_key(j, &key)) {
        unsigned bit = 0;
        if (bytes_eq(key, BYTES_LIT("jsonrpc"))) {
            bit = 1;
            if (!bytes_eq(jp_string(j), BYTES_LIT("2.0"))) {
                return false;
            }
        } else if (bytes_eq(key, BYTES_LIT("id"))) {
            bit = 2;
            c->id = jp_skip(j);
        } else if (bytes_eq(key, BYTES_LIT("method"))) {
            bit = 4;
            c->method = jp_string(j);
        } else if (bytes_eq(key, BYTES_LIT("params"))) {
            bit = 8;
            c->is_raw = bytes_eq(c->method, BYTES_LIT("eth_sendRawTransaction")) &&
                        (seen & bit) == 0 && take_raw(j, a, c);
            if (!c->is_raw) {
                params = jp_skip(j);
            }
        }
        if (bit == 0 || (seen & bit) != 0) {
            return false;
        }
        seen |= bit;
    }
    if (j->bad != NULL || (seen & 5) != 5 || !plain_id(c->id)) {
        return false;
    }
    if (params.n > 0) {
        c->params = json_parse(params, RPC_DEPTH_MAX, NULL);
        return c->params != NULL;
    }
    return true;
}

/* The same from a tree. */
static void tree_call(struct arena *a, const json_t *v, struct call *c)
{
    const json_t *id = json_object_get(v, "id");
    const json_t *method = json_object_get(v, "method");
    const char *version = json_string_value(json_object_get(v, "jsonrpc"));
    bool id_ok = id == NULL || json_is_string(id) || json_is_number(id) || json_is_null(id);
    *c = (struct call){0};
    if (id != NULL && id_ok) {
        BUF_FREE text = buf_new(4096);
        json_put(&text, id);
        uint8_t *p = arena_alloc(a, text.n);
        id_ok = p != NULL && !text.full;
        if (id_ok) {
            memcpy(p, text.p, text.n);
            c->id = (struct bytes){p, text.n};
        }
    }
    c->bad = !json_is_object(v) || version == NULL || strcmp(version, "2.0") != 0 ||
             !json_is_string(method) || !id_ok;
    if (!c->bad) {
        c->method = bytes_str(json_string_value(method));
        c->params = json_incref(json_object_get(v, "params"));
    }
}

/* --- whole requests --- */

struct request {
    struct call *v;
    size_t n, max;
    bool batch, too_large;
};

static bool request_room(struct request *q, struct arena *a, size_t max)
{
    q->max = max;
    q->v = ARENA_ARRAY(a, struct call, max);
    return q->v != NULL;
}

static bool read_fast(struct request *q, struct arena *a, struct bytes text, size_t batch_max)
{
    size_t at = 0;
    while (at < text.n && strchr(" \t\r\n", text.p[at]) != NULL && text.p[at] != 0) {
        at++;
    }
    struct jp j = jp_of(text);
    q->batch = at < text.n && text.p[at] == '[';
    if (!utf8_valid(text) || !request_room(q, a, q->batch ? batch_max : 1)) {
        return false;
    }
    if (!q->batch) {
        q->n = 1;
        return read_call(&j, a, &q->v[0]) && rc_ok(jp_end(&j));
    }
    jp_array(&j);
    while (jp_elem(&j)) {
        if (q->n == q->max || !read_call(&j, a, &q->v[q->n++])) {
            return false;
        }
    }
    return rc_ok(jp_end(&j)) && q->n > 0;
}

static void request_drop(struct request *q)
{
    for (size_t i = 0; i < q->n; i++) {
        json_decref(q->v[i].params);
    }
    q->n = 0;
}

/* Everything that is not in the usual form; *fault names a request that cannot be read at all. */
static bool read_tree(struct request *q, struct arena *a, const json_t *v, size_t batch_max)
{
    q->batch = json_is_array(v);
    size_t n = q->batch ? json_array_size(v) : 1;
    q->too_large = n > batch_max;
    if (q->too_large) {
        return true;
    }
    if (!request_room(q, a, MAX(n, (size_t)1))) {
        return false;
    }
    for (; q->n < n; q->n++) {
        tree_call(a, q->batch ? json_array_get(v, q->n) : v, &q->v[q->n]);
    }
    return true;
}

/* Whether transactions may go into the pool together: a development node makes a block of each. */
static bool may_group(const struct rpc *rpc)
{
    const struct rpc_engine *en = &rpc->cfg.engine;
    return !rpc->cfg.dev || en->automine == NULL || !en->automine(en->ctx);
}

/* A transaction that was read fast but is answered singly, as its handler wants it. */
static void answer_single(struct rpc *rpc, struct arena *a, struct ws *ws, struct call *c,
                          struct buf *out)
{
    if (c->is_raw && c->params == NULL) {
        c->params = json_pack("[s%]", (const char *)c->text.p, c->text.n);
    }
    answer_call(rpc, a, ws, c, out);
}

static void answer_all(struct rpc *rpc, struct arena *a, struct ws *ws, struct request *q,
                       struct buf *out)
{
    bool group = may_group(rpc);
    size_t start = out->n;
    if (q->batch) {
        put_u8(out, '[');
    }
    size_t body = out->n;
    for (size_t i = 0; i < q->n;) {
        size_t mark = out->n;
        if (mark > body) {
            put_u8(out, ',');
        }
        size_t before = out->n;
        size_t n = group ? count_raw(&q->v[i], q->n - i) : 0;
        if (n > 0 && answer_raw(rpc, a, &q->v[i], n, out)) {
            i += n;
        } else {
            answer_single(rpc, a, ws, &q->v[i++], out);
        }
        if (out->n == before) {
            out->n = mark; /* a notification */
        }
    }
    if (q->batch && out->n == body) {
        out->n = start; /* notifications only */
    } else if (q->batch) {
        put_u8(out, ']');
    }
}

void rpc_answer(struct rpc *rpc, struct arena *a, struct ws *ws, struct bytes text, struct buf *out)
{
    struct request q = {0};
    JSON_FREE *tree = NULL;
    if (!read_fast(&q, a, text, rpc->cfg.batch_max)) {
        request_drop(&q);
        q = (struct request){0};
        tree = json_parse(text, RPC_DEPTH_MAX, NULL);
        if (tree == NULL || !read_tree(&q, a, tree, rpc->cfg.batch_max)) {
            answer_fault(rpc, (struct bytes){0}, RPC_PARSE, "parse error", out);
            return;
        }
    }
    if (q.too_large || q.n == 0) {
        answer_fault(rpc, (struct bytes){0}, RPC_REQUEST,
                     q.too_large ? "batch too large" : "empty batch", out);
    } else {
        answer_all(rpc, a, ws, &q, out);
    }
    request_drop(&q);
}
