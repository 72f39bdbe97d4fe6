/* SPDX-License-Identifier: Apache-2.0 */
#include "io/json.h"

#include <stdarg.h>
#include <stdio.h>

#include "encoding/hex.h"

void json_free_(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

/* jansson recurses once a level: the depth is checked before it sees the text. */
static bool too_deep(struct bytes text, size_t max)
{
    size_t depth = 0;
    bool in_str = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t ch = text.p[i];
        if (in_str) {
            if (ch == '\\') {
                i++;
            } else if (ch == '"') {
                in_str = false;
            }
        } else if (ch == '"') {
            in_str = true;
        } else if (ch == '{' || ch == '[') {
            if (++depth > max) {
                return true;
            }
        } else if ((ch == '}' || ch == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *json_parse(struct bytes text, size_t depth_max, struct err *e)
{
    json_error_t je;
    if (too_deep(text, depth_max)) {
        (void)err_set(e, RC_CODE_LIMIT, "JSON: nested deeper than %zu levels", depth_max);
        return NULL;
    }
    json_t *v =
        json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (v == NULL) {
        (void)err_set(e, RC_CODE_MALFORMED, "JSON: line %d column %d: %.150s", je.line, je.column,
                      je.text);
    }
    return v;
}

static int dump_part(const char *p, size_t n, void *ctx)
{
    put_mem(ctx, p, n);
    return 0;
}

void json_put(struct buf *b, const json_t *v)
{
    ASSERT(json_dump_callback(v, dump_part, b, JSON_COMPACT | JSON_ENCODE_ANY) == 0);
}

void json_put_str(struct buf *b, struct bytes text)
{
    size_t from = 0;
    put_u8(b, '"');
    for (size_t i = 0; i < text.n; i++) {
        uint8_t ch = text.p[i];
        if (ch >= 0x20 && ch != '"' && ch != '\\') {
            continue;
        }
        put_mem(b, text.p + from, i - from);
        from = i + 1;
        if (ch == '"' || ch == '\\') {
            put_u8(b, '\\');
            put_u8(b, ch);
        } else {
            put_fmt(b, "\\u%04x", ch);
        }
    }
    put_mem(b, text.p + from, text.n - from);
    put_u8(b, '"');
}

/* --- values with their way --- */

struct js js_key(const struct js *o, const char *key)
{
    return (struct js){json_object_get(o->v, key), o, key, 0};
}

struct js js_at(const struct js *a, size_t i)
{
    return (struct js){json_array_get(a->v, i), a, NULL, i};
}

size_t js_n(const struct js *a)
{
    return json_is_array(a->v) ? json_array_size(a->v) : json_object_size(a->v);
}

static void put_path(struct buf *b, const struct js *j)
{
    if (j->up == NULL) {
        return;
    }
    put_path(b, j->up);
    if (j->key != NULL) {
        put_fmt(b, "%s%s", b->n > 0 ? "." : "", j->key);
    } else {
        put_fmt(b, "[%zu]", j->i);
    }
}

rc js_err(const struct js *j, struct err *e, const char *fmt, ...)
{
    BUF_FREE path = buf_new(120);
    char text[120];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    put_path(&path, j);
    return err_set(e, RC_CODE_MALFORMED, "%s%s%s", buf_cstr(&path), path.n > 0 ? ": " : "", text);
}

/* The one sentence for a value that is not there or not of its type. */
static rc wrong(const struct js *j, struct err *e, const char *what)
{
    return js_err(j, e, "%s %s", j->v == NULL ? "is missing; must be" : "must be", what);
}

rc js_object(const struct js *j, struct err *e)
{
    return json_is_object(j->v) ? RC_OK : wrong(j, e, "an object");
}

rc js_array(const struct js *j, size_t max, struct err *e)
{
    if (!json_is_array(j->v)) {
        return wrong(j, e, "an array");
    }
    return json_array_size(j->v) <= max ? RC_OK : js_err(j, e, "has more than %zu elements", max);
}

rc js_str(const char **out, const struct js *j, struct err *e)
{
    *out = json_string_value(j->v);
    return *out != NULL ? RC_OK : wrong(j, e, "a string");
}

rc js_bool(bool *out, const struct js *j, struct err *e)
{
    *out = json_is_true(j->v);
    return json_is_boolean(j->v) ? RC_OK : wrong(j, e, "true or false");
}

rc js_u64(uint64_t *out, const struct js *j, uint64_t max, struct err *e)
{
    json_int_t v = json_integer_value(j->v);
    if (!json_is_integer(j->v) || v < 0) {
        return wrong(j, e, "a whole number");
    }
    *out = (uint64_t)v;
    return *out <= max ? RC_OK : js_err(j, e, "must be at most %llu", (unsigned long long)max);
}

rc js_u256(struct u256 *out, const struct js *j, struct err *e)
{
    const char *s = json_string_value(j->v);
    if (json_is_integer(j->v) && json_integer_value(j->v) >= 0) {
        *out = u256_from((uint64_t)json_integer_value(j->v));
        return RC_OK;
    }
    return s != NULL && rc_ok(u256_parse(out, s)) ? RC_OK : wrong(j, e, "a number below 2^256");
}

rc js_address(struct address *out, const struct js *j, struct err *e)
{
    const char *s = json_string_value(j->v);
    return s != NULL && rc_ok(hex_parse_address(out, s))
               ? RC_OK
               : wrong(j, e, "an address (0x, 40 digits)");
}

rc js_hash(struct hash *out, const struct js *j, struct err *e)
{
    const char *s = json_string_value(j->v);
    return s != NULL && rc_ok(hex_parse_hash(out, s)) ? RC_OK
                                                      : wrong(j, e, "32 bytes (0x, 64 digits)");
}

rc js_hex(struct bytes *out, struct arena *a, const struct js *j, size_t max, struct err *e)
{
    const char *s = json_string_value(j->v);
    size_t n = s == NULL ? 0 : strlen(s);
    if (n < 2 || s[0] != '0' || s[1] != 'x' || n % 2 != 0) {
        return wrong(j, e, "bytes in hex (0x, an even number of digits)");
    }
    n = (n - 2) / 2;
    if (n > max) {
        return js_err(j, e, "is longer than %zu bytes", max);
    }
    uint8_t *p = arena_alloc(a, n);
    if (p == NULL) {
        return js_err(j, e, "there is no room for %zu bytes", n);
    }
    if (!rc_ok(hex_decode_exact(p, n, (struct bytes){(const uint8_t *)s + 2, 2 * n}))) {
        return wrong(j, e, "bytes in hex (0x, an even number of digits)");
    }
    *out = (struct bytes){p, n};
    return RC_OK;
}

rc js_only(const struct js *o, const char *const *names, struct err *e)
{
    TRY(js_object(o, e));
    for (void *it = json_object_iter((json_t *)(uintptr_t)o->v); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)o->v, it)) {
        const char *const *n = names;
        while (*n != NULL && strcmp(*n, json_object_iter_key(it)) != 0) {
            n++;
        }
        if (*n == NULL) {
            return js_err(o, e, "has an unknown member '%.40s'", json_object_iter_key(it));
        }
    }
    return RC_OK;
}
