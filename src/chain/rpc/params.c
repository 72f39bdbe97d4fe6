/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - arguments of calls: every error is -32602 "invalid argument N: …" as geth says it. */
#include <stdio.h>

#include "chain/rpc/rpc_int.h"
#include "encoding/hex.h"
#include "encoding/rlp.h"

/* "invalid argument 0: topics[1]: hex string without 0x prefix" */
static rc bad(struct rpc_req *q, size_t i, const struct js *v, const char *what)
{
    struct err e;
    struct js rel = *v;
    (void)js_err(&rel, &e, "%s", what);
    return rpc_fail(q, RPC_PARAMS, "invalid argument %zu: %s", i, e.msg);
}

bool p_given(const struct rpc_req *q, size_t i)
{
    const json_t *v = json_array_get(q->params.v, i);
    return v != NULL && !json_is_null(v);
}

/* The argument as the start of a way: errors inside it do not repeat its number. */
static struct js arg(const struct rpc_req *q, size_t i)
{
    return js_top(json_array_get(q->params.v, i));
}

static rc missing(struct rpc_req *q, size_t i)
{
    return rpc_fail(q, RPC_PARAMS, "missing value for required argument %zu", i);
}

/* Why a text is not "0x…" of the right kind; NULL when the prefix is fine. */
static const char *prefix_fault(const char *s)
{
    if (s == NULL) {
        return "must be a hex string";
    }
    if (s[0] == 0) {
        return "empty hex string";
    }
    return s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? NULL : "hex string without 0x prefix";
}

static rc fixed(struct rpc_req *q, size_t i, const struct js *v, uint8_t *out, size_t n,
                const char *type)
{
    const char *s = json_string_value(v->v);
    const char *fault = prefix_fault(s);
    if (fault != NULL) {
        return bad(q, i, v, fault);
    }
    size_t len = strlen(s) - 2;
    if (len != 2 * n) {
        char text[96];
        (void)snprintf(text, sizeof(text), "hex string has length %zu, want %zu for %s", len, 2 * n,
                       type);
        return bad(q, i, v, text);
    }
    return rc_ok(hex_decode_exact(out, n, (struct bytes){(const uint8_t *)s + 2, len}))
               ? RC_OK
               : bad(q, i, v, "invalid hex string");
}

rc v_address(struct rpc_req *q, size_t i, const struct js *v, struct address *out)
{
    return fixed(q, i, v, out->b, sizeof(out->b), "an address");
}

rc v_hash(struct rpc_req *q, size_t i, const struct js *v, struct hash *out)
{
    return fixed(q, i, v, out->b, sizeof(out->b), "a hash");
}

rc v_u256(struct rpc_req *q, size_t i, const struct js *v, struct u256 *out)
{
    const char *s = json_string_value(v->v);
    const char *fault = prefix_fault(s);
    if (fault != NULL) {
        return bad(q, i, v, fault);
    }
    if (s[2] == 0) {
        return bad(q, i, v, "hex string \"0x\"");
    }
    if (rc_ok(hex_parse_quantity256(out, s, false))) {
        return RC_OK;
    }
    return bad(q, i, v,
               s[2] == '0'      ? "hex number with leading zero digits"
               : strlen(s) > 66 ? "hex number > 256 bits"
                                : "invalid hex string");
}

rc v_u64(struct rpc_req *q, size_t i, const struct js *v, uint64_t *out)
{
    struct u256 wide;
    TRY(v_u256(q, i, v, &wide));
    return u256_to_u64(wide, out) ? RC_OK : bad(q, i, v, "hex number > 64 bits");
}

rc v_bytes(struct rpc_req *q, size_t i, const struct js *v, size_t max, struct bytes *out)
{
    const char *s = json_string_value(v->v);
    const char *fault = prefix_fault(s);
    if (fault != NULL) {
        return bad(q, i, v, fault);
    }
    size_t len = strlen(s) - 2;
    if (len % 2 != 0) {
        return bad(q, i, v, "hex string of odd length");
    }
    if (len / 2 > max) {
        return bad(q, i, v, "hex string too long");
    }
    uint8_t *p = arena_alloc(q->arena, len / 2);
    if (p == NULL) {
        return rpc_fail(q, RPC_LIMIT, "the request needs too much memory");
    }
    if (!rc_ok(hex_decode_exact(p, len / 2, (struct bytes){(const uint8_t *)s + 2, len}))) {
        return bad(q, i, v, "invalid hex string");
    }
    *out = (struct bytes){p, len / 2};
    return RC_OK;
}

#define P_OF(name, type)                                                                           \
    rc p_##name(struct rpc_req *q, size_t i, type *out)                                            \
    {                                                                                              \
        struct js v = arg(q, i);                                                                   \
        return p_given(q, i) ? v_##name(q, i, &v, out) : missing(q, i);                            \
    }

P_OF(address, struct address)
P_OF(hash, struct hash)
P_OF(u64, uint64_t)
P_OF(u256, struct u256)

rc p_bytes(struct rpc_req *q, size_t i, size_t max, struct bytes *out)
{
    struct js v = arg(q, i);
    return p_given(q, i) ? v_bytes(q, i, &v, max, out) : missing(q, i);
}

rc p_bool(struct rpc_req *q, size_t i, bool *out)
{
    struct js v = arg(q, i);
    *out = json_is_true(v.v);
    return json_is_boolean(v.v) ? RC_OK : bad(q, i, &v, "must be true or false");
}

rc p_str(struct rpc_req *q, size_t i, const char **out)
{
    struct js v = arg(q, i);
    *out = json_string_value(v.v);
    return *out != NULL ? RC_OK : bad(q, i, &v, "must be a string");
}

/* The development methods are called with numbers, decimal text and hex with leading zeroes. */
rc p_number(struct rpc_req *q, size_t i, uint64_t *out)
{
    struct js v = arg(q, i);
    struct u256 wide;
    if (!rc_ok(js_u256(&wide, &v, NULL)) || !u256_to_u64(wide, out)) {
        return bad(q, i, &v, "must be a number below 2^64");
    }
    return RC_OK;
}

/* --- blocks --- */

/* EIP-1898: {"blockNumber": …} or {"blockHash": …, "requireCanonical": bool}. */
static rc block_object(struct rpc_req *q, size_t i, const struct js *v, struct block_id *out)
{
    struct js number = js_key(v, "blockNumber");
    struct js hash = js_key(v, "blockHash");
    if ((number.v == NULL) == (hash.v == NULL)) {
        return bad(q, i, v,
                   "cannot specify both BlockHash and BlockNumber, choose one or the other");
    }
    if (hash.v != NULL) {
        out->tag = BLOCK_HASH;
        return v_hash(q, i, &hash, &out->hash);
    }
    return v_block(q, i, &number, out);
}

rc v_block(struct rpc_req *q, size_t i, const struct js *v, struct block_id *out)
{
    static const struct {
        const char *name;
        enum block_tag tag;
    } tags[] = {
        {"latest", BLOCK_LATEST},    {"pending", BLOCK_PENDING}, {"earliest", BLOCK_EARLIEST},
        {"safe", BLOCK_LATEST}, /* a block is final when it is there */
        {"finalized", BLOCK_LATEST}, {"", BLOCK_LATEST},
    };
    *out = (struct block_id){.tag = BLOCK_LATEST};
    const char *s = json_string_value(v->v);
    if (json_is_object(v->v) && v->up == NULL) {
        return block_object(q, i, v, out);
    }
    for (size_t k = 0; s != NULL && k < ARRAY_LEN(tags); k++) {
        if (strcmp(s, tags[k].name) == 0) {
            out->tag = tags[k].tag;
            return RC_OK;
        }
    }
    if (s != NULL && strlen(s) == 66) {
        out->tag = BLOCK_HASH;
        return v_hash(q, i, v, &out->hash);
    }
    out->tag = BLOCK_NUMBER;
    TRY(v_u64(q, i, v, &out->number));
    return out->number <= INT64_MAX ? RC_OK : bad(q, i, v, "block number larger than int64");
}

rc p_block(struct rpc_req *q, size_t i, struct block_id *out)
{
    struct js v = arg(q, i);
    if (!p_given(q, i)) {
        *out = (struct block_id){.tag = BLOCK_LATEST};
        return RC_OK;
    }
    return v_block(q, i, &v, out);
}

/* --- calls --- */

static bool has(const struct js *v)
{
    return v->v != NULL && !json_is_null(v->v);
}

/* EIP-2930: [{"address": …, "storageKeys": [hash, …]}, …] as the RLP items of a transaction. */
static rc access_list(struct rpc_req *q, size_t i, const struct js *v, struct call_args *out)
{
    BUF_FREE b = buf_new(RPC_DATA_MAX);
    if (!json_is_array(v->v)) {
        return bad(q, i, v, "must be an array");
    }
    for (size_t k = 0; k < js_n(v); k++) {
        struct js entry = js_at(v, k);
        struct js addr = js_key(&entry, "address"), keys = js_key(&entry, "storageKeys");
        struct address a;
        TRY(v_address(q, i, &addr, &a));
        size_t list = rlp_list_begin(&b);
        rlp_put_str(&b, BYTES_OF(a));
        size_t inner = rlp_list_begin(&b);
        for (size_t n = 0; n < js_n(&keys); n++) {
            struct js key = js_at(&keys, n);
            struct hash h;
            TRY(v_hash(q, i, &key, &h));
            rlp_put_str(&b, BYTES_OF(h));
        }
        rlp_list_end(&b, inner);
        rlp_list_end(&b, list);
        out->access_gas += 2400 + 1900 * js_n(&keys); /* EIP-2930 */
    }
    uint8_t *p = arena_alloc(q->arena, b.n);
    if (p == NULL || b.full) {
        return rpc_no_memory(q);
    }
    if (b.n > 0) {
        memcpy(p, b.p, b.n);
    }
    out->access_list = (struct bytes){p, b.n};
    return RC_OK;
}

rc p_call(struct rpc_req *q, size_t i, struct call_args *out)
{
    *out = (struct call_args){0};
    struct js o = arg(q, i);
    if (!p_given(q, i)) {
        return missing(q, i);
    }
    if (!json_is_object(o.v)) {
        return bad(q, i, &o, "must be an object");
    }
    struct js from = js_key(&o, "from"), to = js_key(&o, "to"), gas = js_key(&o, "gas");
    struct js price = js_key(&o, "gasPrice"), fee = js_key(&o, "maxFeePerGas");
    struct js tip = js_key(&o, "maxPriorityFeePerGas"), value = js_key(&o, "value");
    struct js nonce = js_key(&o, "nonce"), type = js_key(&o, "type");
    struct js data = js_key(&o, "data"), input = js_key(&o, "input");
    struct bytes in = {0};
    gas = has(&gas) ? gas : js_key(&o, "gasLimit");
    struct js access = js_key(&o, "accessList");
    out->has_access_list = has(&access);
    TRY(out->has_access_list ? access_list(q, i, &access, out) : RC_OK);
#define FIELD(flag, v, how, to_field)                                                              \
    do {                                                                                           \
        out->flag = has(&(v));                                                                     \
        if (out->flag) {                                                                           \
            TRY(how(q, i, &(v), &out->to_field));                                                  \
        }                                                                                          \
    } while (0)
    FIELD(has_from, from, v_address, from);
    FIELD(has_to, to, v_address, to);
    FIELD(has_gas, gas, v_u64, gas);
    FIELD(has_gas_price, price, v_u256, gas_price);
    FIELD(has_max_fee, fee, v_u256, max_fee);
    FIELD(has_tip, tip, v_u256, tip);
    FIELD(has_nonce, nonce, v_u64, nonce);
    FIELD(has_type, type, v_u64, type);
#undef FIELD
    if (has(&value)) {
        TRY(v_u256(q, i, &value, &out->value));
    }
    if (has(&data)) {
        TRY(v_bytes(q, i, &data, RPC_DATA_MAX, &out->data));
    }
    if (has(&input)) {
        TRY(v_bytes(q, i, &input, RPC_DATA_MAX, &in));
        if (has(&data) && !bytes_eq(in, out->data)) {
            return rpc_fail(q, RPC_SERVER,
                            "both \"data\" and \"input\" are set and not equal. Please use "
                            "\"input\" to pass transaction call data");
        }
        out->data = in;
    }
    if (out->has_gas_price && (out->has_max_fee || out->has_tip)) {
        return rpc_fail(q, RPC_SERVER,
                        "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
    }
    return RC_OK;
}

/* --- log filters --- */

static rc filter_addresses(struct rpc_req *q, size_t i, const struct js *v, struct arena *a,
                           struct log_filter *out)
{
    bool many = json_is_array(v->v);
    size_t n = many ? js_n(v) : 1;
    if (n > FILTER_ADDRESSES_MAX) {
        return rpc_fail(q, RPC_PARAMS, "exceed max addresses");
    }
    out->addresses = ARENA_ARRAY(a, struct address, n);
    if (out->addresses == NULL) {
        return rpc_fail(q, RPC_LIMIT, "the request needs too much memory");
    }
    for (size_t k = 0; k < n; k++) {
        struct js x = many ? js_at(v, k) : *v;
        TRY(v_address(q, i, &x, &out->addresses[k]));
    }
    out->addresses_n = n;
    return RC_OK;
}

static rc filter_topic(struct rpc_req *q, size_t i, const struct js *v, struct arena *a,
                       struct log_filter *out, size_t pos)
{
    bool many = json_is_array(v->v);
    size_t n = many ? js_n(v) : json_is_null(v->v) ? 0 : 1;
    if (n > FILTER_TOPICS_MAX) {
        return rpc_fail(q, RPC_PARAMS, "exceed max topics");
    }
    out->topics[pos].any = ARENA_ARRAY(a, struct hash, n);
    if (out->topics[pos].any == NULL) {
        return rpc_fail(q, RPC_LIMIT, "the request needs too much memory");
    }
    for (size_t k = 0; k < n; k++) {
        struct js x = many ? js_at(v, k) : *v;
        if (json_is_null(x.v)) {
            n = 0; /* one null among alternatives: every topic fits */
            break;
        }
        TRY(v_hash(q, i, &x, &out->topics[pos].any[k]));
    }
    out->topics[pos].n = n;
    return RC_OK;
}

rc v_filter(struct rpc_req *q, size_t i, const struct js *o, struct arena *a,
            struct log_filter *out)
{
    *out = (struct log_filter){.from = {.tag = BLOCK_LATEST}, .to = {.tag = BLOCK_LATEST}};
    if (!json_is_object(o->v)) {
        return bad(q, i, o, "must be an object");
    }
    struct js from = js_key(o, "fromBlock"), to = js_key(o, "toBlock");
    struct js hash = js_key(o, "blockHash"), addr = js_key(o, "address");
    struct js topics = js_key(o, "topics");
    out->has_from = has(&from);
    out->has_to = has(&to);
    out->has_hash = has(&hash);
    if (out->has_hash && (out->has_from || out->has_to)) {
        return bad(q, i, o,
                   "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other");
    }
    if (out->has_from) {
        TRY(v_block(q, i, &from, &out->from));
    }
    if (out->has_to) {
        TRY(v_block(q, i, &to, &out->to));
    }
    if (out->has_hash) {
        TRY(v_hash(q, i, &hash, &out->hash));
    }
    if (has(&addr)) {
        TRY(filter_addresses(q, i, &addr, a, out));
    }
    if (!has(&topics)) {
        return RC_OK;
    }
    out->topics_n = js_n(&topics);
    if (!json_is_array(topics.v) || out->topics_n > 4) {
        return json_is_array(topics.v) ? rpc_fail(q, RPC_PARAMS, "exceed max topics")
                                       : bad(q, i, &topics, "must be an array");
    }
    for (size_t k = 0; k < out->topics_n; k++) {
        struct js x = js_at(&topics, k);
        TRY(filter_topic(q, i, &x, a, out, k));
    }
    return RC_OK;
}

rc p_filter(struct rpc_req *q, size_t i, struct arena *a, struct log_filter *out)
{
    struct js v = arg(q, i);
    return p_given(q, i) ? v_filter(q, i, &v, a, out) : missing(q, i);
}

/* --- results --- */

static void put_quoted(struct buf *b, struct bytes v)
{
    put_u8(b, '"');
    put_0x(b, v);
    put_u8(b, '"');
}

void put_q_hash(struct buf *b, struct hash h)
{
    put_quoted(b, BYTES_OF(h));
}

void put_q_address(struct buf *b, struct address a)
{
    put_quoted(b, BYTES_OF(a));
}

void put_q_bytes(struct buf *b, struct bytes v)
{
    put_quoted(b, v);
}

void put_q_u64(struct buf *b, uint64_t v)
{
    put_u8(b, '"');
    put_quantity(b, v);
    put_u8(b, '"');
}

void put_q_u256(struct buf *b, struct u256 v)
{
    put_u8(b, '"');
    put_quantity256(b, v);
    put_u8(b, '"');
}
