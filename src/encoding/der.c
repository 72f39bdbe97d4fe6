/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/der.h"

static size_t take_length(struct cur *c)
{
    uint64_t first = take_be(c, 1);
    if (first < 0x80) {
        return first;
    }
    size_t size = first & 0x7f;
    if (size == 0 || size > 4) {
        cur_fail(c, "der: indefinite or oversized length");
        return 0;
    }
    uint64_t n = take_be(c, size);
    if (n < 0x80 || n >> (8 * (size - 1)) == 0) {
        cur_fail(c, "der: length not minimal");
        return 0;
    }
    return n;
}

struct cur der_take_any(struct cur *c, uint8_t *tag, struct bytes *whole)
{
    const uint8_t *start = c->p;
    *tag = (uint8_t)take_be(c, 1);
    if ((*tag & 0x1f) == 0x1f) {
        cur_fail(c, "der: high tag number");
    }
    size_t n = take_length(c);
    struct cur body = take_sub(c, c->bad == NULL ? n : 0);
    if (whole != NULL) {
        *whole = c->bad == NULL ? (struct bytes){start, (size_t)(c->p - start)} : (struct bytes){0};
    }
    body.bad = c->bad;
    return body;
}

struct cur der_take(struct cur *c, uint8_t tag)
{
    uint8_t got;
    if (c->bad == NULL && der_peek(c) != tag) {
        cur_fail(c, c->n == 0 ? "der: element missing" : "der: unexpected tag");
    }
    return der_take_any(c, &got, NULL);
}

bool der_take_opt(struct cur *c, uint8_t tag, struct cur *body)
{
    if (der_peek(c) != tag) {
        return false;
    }
    *body = der_take(c, tag);
    return c->bad == NULL;
}

struct bytes der_take_oid(struct cur *c)
{
    struct cur b = der_take(c, DER_OID);
    if (c->bad == NULL && (b.n == 0 || (b.p[b.n - 1] & 0x80) != 0)) {
        cur_fail(c, "der: malformed object identifier");
    }
    return c->bad == NULL ? (struct bytes){b.p, b.n} : (struct bytes){0};
}

struct bytes der_take_unsigned(struct cur *c)
{
    struct cur b = der_take(c, DER_INTEGER);
    if (c->bad == NULL && (b.n == 0 || (b.p[0] & 0x80) != 0)) {
        cur_fail(c, "der: negative or empty integer");
    } else if (c->bad == NULL && b.n > 1 && b.p[0] == 0 && (b.p[1] & 0x80) == 0) {
        cur_fail(c, "der: integer not minimal");
    }
    if (c->bad != NULL) {
        return (struct bytes){0};
    }
    return b.n > 1 && b.p[0] == 0 ? (struct bytes){b.p + 1, b.n - 1} : (struct bytes){b.p, b.n};
}

uint64_t der_take_u64(struct cur *c)
{
    struct bytes b = der_take_unsigned(c);
    if (b.n > 8) {
        cur_fail(c, "der: integer too large");
        return 0;
    }
    struct cur sub = cur_of(b);
    return take_be(&sub, b.n);
}

bool der_take_bool(struct cur *c)
{
    struct cur b = der_take(c, DER_BOOLEAN);
    uint64_t v = take_be(&b, 1);
    if (c->bad == NULL && (b.bad != NULL || b.n != 0 || (v != 0 && v != 0xff))) {
        cur_fail(c, "der: malformed boolean");
    }
    return c->bad == NULL && v != 0;
}

struct bytes der_take_bits(struct cur *c)
{
    struct cur b = der_take(c, DER_BIT_STRING);
    if (take_be(&b, 1) != 0 || b.bad != NULL) {
        cur_fail(c, "der: bit string with unused bits");
        return (struct bytes){0};
    }
    return (struct bytes){b.p, b.n};
}

struct bytes der_take_octets(struct cur *c)
{
    struct cur b = der_take(c, DER_OCTET_STRING);
    return (struct bytes){b.p, b.n};
}

static unsigned take_digits(struct cur *c, size_t n)
{
    unsigned v = 0;
    struct bytes b = take_bytes(c, n);
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] < '0' || b.p[i] > '9') {
            cur_fail(c, "der: malformed time");
            return 0;
        }
        v = v * 10 + b.p[i] - '0';
    }
    return v;
}

/* Days from 1970-01-01 to the first of March of year y's era: the civil calendar by integer
 * arithmetic, years counted from March so that the leap day is the last. */
static int64_t days_from_civil(int64_t y, unsigned month, unsigned day)
{
    y -= month <= 2;
    int64_t era = y / 400;
    unsigned of_era = (unsigned)(y - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

int64_t der_take_time(struct cur *c)
{
    uint8_t tag;
    struct cur b = der_take_any(c, &tag, NULL);
    unsigned year = 0;
    if (tag == DER_UTC_TIME) {
        year = take_digits(&b, 2);
        year += year < 50 ? 2000 : 1900; /* RFC 5280 4.1.2.5.1 */
    } else if (tag == DER_GENERALIZED_TIME) {
        year = take_digits(&b, 4);
    } else {
        cur_fail(c, "der: not a time");
        return 0;
    }
    unsigned month = take_digits(&b, 2), day = take_digits(&b, 2), hour = take_digits(&b, 2);
    unsigned minute = take_digits(&b, 2), second = take_digits(&b, 2);
    if (take_be(&b, 1) != 'Z' || b.bad != NULL || b.n != 0 || month < 1 || month > 12 || day < 1 ||
        day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1950) {
        cur_fail(c, "der: malformed time");
        return 0;
    }
    return days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}
