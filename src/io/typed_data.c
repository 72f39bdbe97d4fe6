/* SPDX-License-Identifier: Apache-2.0 */
#include "io/typed_data.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "encoding/hex.h"

enum {
    TYPE_MAX = 128, /* characters of a type's or member's name */
    TYPES_MAX = 64, /* struct types that one type refers to */
    DEPTH_MAX = 16, /* nested structs and arrays */
    BYTES_MAX = 1 << 20,
};

/* --- encodeType: the type, then the types it refers to, sorted --- */

/* "Person[2][]" is of base type "Person". */
static rc base_type(char out[TYPE_MAX], const char *type, struct err *e)
{
    size_t n = strcspn(type, "[");
    if (n == 0 || n >= TYPE_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "types: '%.40s' is not the name of a type", type);
    }
    memcpy(out, type, n);
    out[n] = 0;
    return RC_OK;
}

static rc member(const json_t *m, const char **name, const char **type, const char *of,
                 struct err *e)
{
    *name = json_string_value(json_object_get(m, "name"));
    *type = json_string_value(json_object_get(m, "type"));
    return *name != NULL && *type != NULL
               ? RC_OK
               : err_set(e, RC_CODE_MALFORMED, "types.%.40s: each member needs name and type", of);
}

struct type_set {
    const char *v[TYPES_MAX];
    size_t n;
};

/* Adds a type and all it refers to. Each type enters once, so recursion ends. */
static rc collect(struct type_set *s, const json_t *types, const char *type, struct err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->v[i], type) == 0) {
            return RC_OK;
        }
    }
    if (s->n == TYPES_MAX) {
        return err_set(e, RC_CODE_LIMIT, "types: more than %d", TYPES_MAX);
    }
    s->v[s->n++] = type;
    const json_t *fields = json_object_get(types, type);
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *name;
        const char *t;
        char base[TYPE_MAX];
        TRY(member(json_array_get(fields, i), &name, &t, type, e));
        TRY(base_type(base, t, e));
        if (json_object_get(types, base) != NULL) {
            void *it = json_object_iter_at((json_t *)(uintptr_t)types, base);
            TRY(collect(s, types, json_object_iter_key(it), e));
        }
    }
    return RC_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static rc type_hash(struct hash *out, const json_t *types, const char *type, struct err *e)
{
    struct type_set s = {.n = 0};
    BUF_FREE text = buf_new(65536);
    TRY(collect(&s, types, type, e));
    qsort(s.v + 1, s.n - 1, sizeof(s.v[0]), by_text);
    for (size_t i = 0; i < s.n; i++) {
        const json_t *fields = json_object_get(types, s.v[i]);
        put_fmt(&text, "%s(", s.v[i]);
        for (size_t k = 0; k < json_array_size(fields); k++) {
            const char *name;
            const char *t;
            TRY(member(json_array_get(fields, k), &name, &t, s.v[i], e));
            put_fmt(&text, "%s%s %s", k == 0 ? "" : ",", t, name);
        }
        put_str(&text, ")");
    }
    if (text.full) {
        return err_set(e, RC_CODE_LIMIT, "types: too long");
    }
    *out = keccak256(buf_bytes(&text));
    return RC_OK;
}

/* --- encodeData --- */

struct ctx {
    const json_t *types;
    unsigned depth;
};

static rc put_value(struct ctx *c, struct buf *b, const char *type, const struct js *v,
                    struct err *e);

static rc hash_struct(struct ctx *c, struct hash *out, const char *type, const struct js *v,
                      struct err *e)
{
    const json_t *fields = json_object_get(c->types, type);
    BUF_FREE b = buf_new(BUF_CAP_DEFAULT);
    struct hash th;
    if (!json_is_array(fields)) {
        return err_set(e, RC_CODE_MALFORMED, "types: '%.60s' is missing", type);
    }
    TRY(js_object(v, e));
    TRY(type_hash(&th, c->types, type, e));
    put_bytes(&b, BYTES_OF(th));
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const char *name;
        const char *t;
        TRY(member(json_array_get(fields, i), &name, &t, type, e));
        struct js x = js_key(v, name);
        TRY(put_value(c, &b, t, &x, e));
    }
    *out = keccak256(buf_bytes(&b));
    return RC_OK;
}

/* Arrays: the hash of their encoded elements. */
static rc put_array(struct ctx *c, struct buf *b, const char *type, const struct js *v,
                    struct err *e)
{
    char inner[TYPE_MAX];
    const char *open = strrchr(type, '[');
    size_t n = open == NULL ? 0 : (size_t)(open - type);
    if (n == 0 || n >= TYPE_MAX) {
        return js_err(v, e, "'%.60s' is not a type", type);
    }
    memcpy(inner, type, n);
    inner[n] = 0;
    TRY(js_array(v, 1 << 16, e));
    if (open[1] != ']' && strtoul(open + 1, NULL, 10) != js_n(v)) {
        return js_err(v, e, "has %zu elements, the type is %.60s", js_n(v), type);
    }
    BUF_FREE all = buf_new(BUF_CAP_DEFAULT);
    for (size_t i = 0; i < js_n(v); i++) {
        struct js x = js_at(v, i);
        TRY(put_value(c, &all, inner, &x, e));
    }
    struct hash h = keccak256(buf_bytes(&all));
    put_bytes(b, BYTES_OF(h));
    return RC_OK;
}

static rc put_number(struct buf *b, const char *type, const struct js *v, struct err *e)
{
    const char *digits = type + strcspn(type, "0123456789");
    unsigned long bits = *digits == 0 ? 256 : strtoul(digits, NULL, 10);
    bool is_signed = type[0] == 'i';
    const char *s = json_string_value(v->v);
    json_int_t small = json_integer_value(v->v);
    bool negative = (json_is_integer(v->v) && small < 0) || (s != NULL && s[0] == '-');
    struct u256 u = {0};
    uint8_t word[32];
    if (negative && json_is_integer(v->v)) {
        u = u256_from((uint64_t) - (small + 1) + 1);
    } else if (negative) {
        if (!rc_ok(u256_parse(&u, s + 1))) {
            return js_err(v, e, "must be a number");
        }
    } else {
        TRY(js_u256(&u, v, e));
    }
    unsigned used = u256_bits(u);
    bool min = negative && is_signed && used == bits; /* -2^(bits-1) alone has that many */
    for (unsigned i = 0; min && i + 1 < used; i++) {
        min = (u.w[i / 64] >> (i % 64) & 1) == 0;
    }
    if ((negative && !is_signed) || bits > 256 || (used > bits - (is_signed ? 1 : 0) && !min)) {
        return js_err(v, e, "is out of the range of %.20s", type);
    }
    if (negative) { /* two's complement */
        struct u256 max = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
        ASSERT(u256_sub(&u, max, u));
        if (!u256_add(&u, u, u256_from(1))) {
            u = u256_from(0);
        }
    }
    u256_to_be(word, u);
    put_mem(b, word, 32);
    return RC_OK;
}

static rc put_fixed_bytes(struct buf *b, const char *type, const struct js *v, struct err *e)
{
    unsigned long n = strtoul(type + 5, NULL, 10);
    const char *s;
    uint8_t word[32] = {0};
    TRY(js_str(&s, v, e));
    if (n == 0 || n > 32 || strlen(s) != 2 + 2 * n || s[0] != '0' || s[1] != 'x' ||
        !rc_ok(hex_decode_exact(word, n, bytes_str(s + 2)))) {
        return js_err(v, e, "must be %lu bytes in hex", n);
    }
    put_mem(b, word, 32);
    return RC_OK;
}

static rc put_dynamic(struct buf *b, bool is_text, const struct js *v, struct err *e)
{
    const char *s;
    TRY(js_str(&s, v, e));
    struct hash h = keccak256(bytes_str(s));
    if (!is_text) {
        BUF_FREE raw = buf_new(BYTES_MAX);
        if (s[0] != '0' || s[1] != 'x' || !rc_ok(hex_decode(&raw, bytes_str(s + 2)))) {
            return js_err(v, e, "must be bytes in hex");
        }
        h = keccak256(buf_bytes(&raw));
    }
    put_bytes(b, BYTES_OF(h));
    return RC_OK;
}

static rc put_atom(struct buf *b, const char *type, const struct js *v, struct err *e)
{
    if (strcmp(type, "string") == 0 || strcmp(type, "bytes") == 0) {
        return put_dynamic(b, type[0] == 's', v, e);
    }
    if (strncmp(type, "uint", 4) == 0 || strncmp(type, "int", 3) == 0) {
        return put_number(b, type, v, e);
    }
    if (strncmp(type, "bytes", 5) == 0) {
        return put_fixed_bytes(b, type, v, e);
    }
    if (strcmp(type, "address") == 0) {
        struct address a;
        TRY(js_address(&a, v, e));
        put_zero(b, 12);
        put_bytes(b, BYTES_OF(a));
        return RC_OK;
    }
    if (strcmp(type, "bool") == 0) {
        bool on;
        TRY(js_bool(&on, v, e));
        put_zero(b, 31);
        put_u8(b, on ? 1 : 0);
        return RC_OK;
    }
    return js_err(v, e, "has the unknown type '%.60s'", type);
}

static rc put_value(struct ctx *c, struct buf *b, const char *type, const struct js *v,
                    struct err *e)
{
    if (c->depth == DEPTH_MAX) {
        return js_err(v, e, "is nested too deep");
    }
    c->depth++;
    size_t n = strlen(type);
    rc r;
    if (n > 0 && type[n - 1] == ']') {
        r = put_array(c, b, type, v, e);
    } else if (json_object_get(c->types, type) != NULL) {
        struct hash h = {0};
        r = RC_OK;
        if (v->v != NULL && !json_is_null(v->v)) { /* an absent struct is the zero word */
            r = hash_struct(c, &h, type, v, e);
        }
        put_bytes(b, BYTES_OF(h));
    } else {
        r = put_atom(b, type, v, e);
    }
    c->depth--;
    return r;
}

rc typed_data_struct(struct hash *out, const json_t *types, const char *type, const struct js *v,
                     struct err *e)
{
    struct ctx c = {.types = types};
    return hash_struct(&c, out, type, v, e);
}

/* --- the whole --- */

/* EIP712Domain with those of its five members that domain has, in the standard's order. */
static json_t *domain_type(const json_t *domain)
{
    static const char *const members[][2] = {{"name", "string"},
                                             {"version", "string"},
                                             {"chainId", "uint256"},
                                             {"verifyingContract", "address"},
                                             {"salt", "bytes32"}};
    json_t *fields = json_array();
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (json_object_get(domain, members[i][0]) != NULL) {
            (void)json_array_append_new(
                fields, json_pack("{s:s,s:s}", "name", members[i][0], "type", members[i][1]));
        }
    }
    return fields;
}

rc typed_data_hash(struct hash *out, const json_t *data, struct err *e)
{
    struct js top = js_top(data);
    struct js types = js_key(&top, "types"), domain = js_key(&top, "domain");
    struct js primary = js_key(&top, "primaryType"), message = js_key(&top, "message");
    const char *type;
    TRY(js_object(&types, e));
    TRY(js_object(&domain, e));
    TRY(js_str(&type, &primary, e));
    JSON_FREE *with_domain = json_copy((json_t *)(uintptr_t)types.v);
    if (json_object_get(with_domain, "EIP712Domain") == NULL) {
        (void)json_object_set_new(with_domain, "EIP712Domain", domain_type(domain.v));
    }
    BUF_FREE b = buf_new(128);
    struct hash h;
    put_mem(&b, "\x19\x01", 2);
    TRY(typed_data_struct(&h, with_domain, "EIP712Domain", &domain, e));
    put_bytes(&b, BYTES_OF(h));
    if (strcmp(type, "EIP712Domain") != 0) { /* that one has no message of its own */
        TRY(typed_data_struct(&h, with_domain, type, &message, e));
        put_bytes(&b, BYTES_OF(h));
    }
    *out = keccak256(buf_bytes(&b));
    return RC_OK;
}
