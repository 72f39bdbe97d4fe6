/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_JSON_H
#define SOUK_IO_JSON_H

/* json.h - jansson, made strict: bounded depth, no duplicate keys, and errors that name the place,
 * such as "orders[0].price: must be a string".
 *
 * A struct js is a value with the way that leads to it. It lives on the caller's stack, borrows the
 * json_t and the js above it, and is only read when something is wrong. */

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/u256.h"

#define JSON_DEPTH_MAX 64 /* levels; our own formats need fewer than 10 */

/* New reference, or NULL with *e set. Any value at the top. Refuses duplicate keys, bad UTF-8, NUL
 * in strings, depth beyond depth_max. The caller drops it with json_decref() or JSON_FREE. */
json_t *json_parse(struct bytes text, size_t depth_max, struct err *e) MUST_CHECK;

void json_free_(json_t **j);
#define JSON_FREE __attribute__((cleanup(json_free_))) json_t

/* Compact text, appended. Real numbers do not occur in our formats. */
void json_put(struct buf *b, const json_t *v);

/* "text" with quotes and escapes, appended: for answers written by hand. */
void json_put_str(struct buf *b, struct bytes text);

struct js {
    const json_t *v; /* NULL: absent */
    const struct js *up;
    const char *key; /* NULL: an element of an array, or the top */
    size_t i;
};

static inline struct js js_top(const json_t *v)
{
    return (struct js){.v = v};
}

/* A member; absent when there is none or the value is no object. */
struct js js_key(const struct js *o, const char *key);
struct js js_at(const struct js *a, size_t i);
size_t js_n(const struct js *a); /* elements of an array, members of an object; else 0 */

static inline bool js_has(const struct js *o, const char *key)
{
    return json_is_object(o->v) && json_object_get(o->v, key) != NULL;
}

/* MALFORMED with "path: must be …". */
rc js_err(const struct js *j, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Each answers MALFORMED when the value is absent or of another type. Strings are borrowed. */
rc js_object(const struct js *j, struct err *e);
rc js_array(const struct js *j, size_t max, struct err *e);
rc js_str(const char **out, const struct js *j, struct err *e);
rc js_bool(bool *out, const struct js *j, struct err *e);
rc js_u64(uint64_t *out, const struct js *j, uint64_t max, struct err *e);

/* Number, decimal string or 0x-string, as order JSON mixes them. */
rc js_u256(struct u256 *out, const struct js *j, struct err *e);

/* 0x-hex strings: exactly 20 or 32 bytes, or any number of bytes up to max into an arena. */
rc js_address(struct address *out, const struct js *j, struct err *e);
rc js_hash(struct hash *out, const struct js *j, struct err *e);
rc js_hex(struct bytes *out, struct arena *a, const struct js *j, size_t max, struct err *e);

/* Fails on a member that is not in the list (ends with NULL): misspelt names are not ignored. */
rc js_only(const struct js *o, const char *const *names, struct err *e);

#endif /* SOUK_IO_JSON_H */
