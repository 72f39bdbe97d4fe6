/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/hex.h"

#include "crypto/keccak.h"

static const char digits[] = "0123456789abcdef";

static void write_hex(uint8_t *to, struct bytes v)
{
    for (size_t i = 0; i < v.n; i++) {
        to[2 * i] = (uint8_t)digits[v.p[i] >> 4];
        to[2 * i + 1] = (uint8_t)digits[v.p[i] & 15];
    }
}

void put_hex(struct buf *b, struct bytes v)
{
    uint8_t *to = buf_grow(b, 2 * v.n);
    if (to != NULL) {
        write_hex(to, v);
    }
}

void put_0x(struct buf *b, struct bytes v)
{
    put_mem(b, "0x", 2);
    put_hex(b, v);
}

void put_quantity(struct buf *b, uint64_t v)
{
    put_fmt(b, "0x%llx", (unsigned long long)v);
}

void put_quantity256(struct buf *b, struct u256 v)
{
    uint8_t be[32], text[64];
    u256_to_be(be, v);
    write_hex(text, (struct bytes){be, sizeof(be)});
    size_t zeros = 0;
    while (zeros < sizeof(text) - 1 && text[zeros] == '0') {
        zeros++;
    }
    put_mem(b, "0x", 2);
    put_mem(b, text + zeros, sizeof(text) - zeros);
}

char *hex_address(char out[HEX_ADDRESS_MAX], struct address a)
{
    uint8_t text[40];
    write_hex(text, BYTES_OF(a));
    struct hash h = keccak256((struct bytes){text, sizeof(text)}); /* EIP-55 */
    for (size_t i = 0; i < sizeof(text); i++) {
        uint8_t nibble = i % 2 == 0 ? h.b[i / 2] >> 4 : h.b[i / 2] & 15;
        if (nibble >= 8 && text[i] >= 'a') {
            text[i] = (uint8_t)(text[i] - 'a' + 'A');
        }
    }
    memcpy(out, "0x", 2);
    memcpy(out + 2, text, sizeof(text));
    out[42] = 0;
    return out;
}

void put_address(struct buf *b, struct address a)
{
    char text[HEX_ADDRESS_MAX];
    put_str(b, hex_address(text, a));
}

char *hex_hash(char out[HEX_HASH_MAX], struct hash h)
{
    memcpy(out, "0x", 2);
    write_hex((uint8_t *)out + 2, BYTES_OF(h));
    out[66] = 0;
    return out;
}

/* Value of a digit, 16 for every other character: a table, for transactions are decoded by the
 * thousand. */
#define ROW(v) v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v
/* clang-format off */
static const uint8_t values[256] = {
    ROW(16), ROW(16), ROW(16),
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 16, 16, 16, 16, 16,
    16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16, ROW(16),
    16, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16, ROW(16),
    ROW(16), ROW(16), ROW(16), ROW(16), ROW(16), ROW(16), ROW(16), ROW(16),
};
/* clang-format on */

static inline unsigned digit(uint8_t c)
{
    return values[c];
}

static bool has_0x(struct bytes t)
{
    return t.n >= 2 && t.p[0] == '0' && (t.p[1] == 'x' || t.p[1] == 'X');
}

static struct bytes strip_0x(struct bytes t)
{
    return has_0x(t) ? (struct bytes){t.p + 2, t.n - 2} : t;
}

rc hex_decode_exact(uint8_t *out, size_t n, struct bytes text)
{
    struct bytes t = strip_0x(text);
    if (t.n % 2 != 0 || t.n / 2 != n) {
        return RC(MALFORMED);
    }
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned hi = digit(t.p[2 * i]), lo = digit(t.p[2 * i + 1]);
        bad |= hi | lo;
        out[i] = (uint8_t)(hi << 4 | (lo & 15));
    }
    return bad < 16 ? RC_OK : RC(MALFORMED);
}

rc hex_decode(struct buf *out, struct bytes text)
{
    size_t n = strip_0x(text).n / 2, start = out->n;
    uint8_t *to = buf_grow(out, n);
    if (to == NULL) {
        return RC(LIMIT);
    }
    rc r = hex_decode_exact(to, n, text);
    if (!rc_ok(r)) {
        out->n = start;
    }
    return r;
}

rc hex_parse_address(struct address *out, const char *s)
{
    struct bytes t = bytes_str(s);
    return has_0x(t) ? hex_decode_exact(out->b, sizeof(out->b), t) : RC(MALFORMED);
}

rc hex_parse_hash(struct hash *out, const char *s)
{
    struct bytes t = bytes_str(s);
    return has_0x(t) ? hex_decode_exact(out->b, sizeof(out->b), t) : RC(MALFORMED);
}

rc hex_parse_quantity256(struct u256 *out, const char *s, bool loose)
{
    struct bytes t = bytes_str(s);
    if (!has_0x(t) || t.n < 3 || t.n > 66 || (!loose && t.n > 3 && t.p[2] == '0')) {
        return RC(MALFORMED);
    }
    struct u256 v = {0};
    for (size_t i = 2; i < t.n; i++) {
        unsigned d = digit(t.p[i]);
        if (d > 15) {
            return RC(MALFORMED);
        }
        v = (struct u256){{v.w[0] << 4 | d, v.w[1] << 4 | v.w[0] >> 60, v.w[2] << 4 | v.w[1] >> 60,
                           v.w[3] << 4 | v.w[2] >> 60}};
    }
    *out = v;
    return RC_OK;
}

rc hex_parse_quantity(uint64_t *out, const char *s, bool loose)
{
    struct u256 v;
    TRY(hex_parse_quantity256(&v, s, loose));
    return u256_to_u64(v, out) ? RC_OK : RC(MALFORMED);
}
