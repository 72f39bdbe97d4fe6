/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/base64.h"

static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct buf *b, struct bytes v, const char *digits, bool pad)
{
    for (size_t i = 0; i < v.n; i += 3) {
        size_t left = MIN(v.n - i, 3);
        uint32_t w = (uint32_t)v.p[i] << 16;
        w |= left > 1 ? (uint32_t)v.p[i + 1] << 8 : 0;
        w |= left > 2 ? v.p[i + 2] : 0;
        char out[4] = {digits[w >> 18], digits[w >> 12 & 63], digits[w >> 6 & 63], digits[w & 63]};
        for (size_t k = left + 1; k < 4; k++) {
            out[k] = '=';
        }
        put_mem(b, out, pad ? 4 : left + 1);
    }
}

void put_base64(struct buf *b, struct bytes v)
{
    encode(b, v, std_digits, true);
}

void put_base64url(struct buf *b, struct bytes v)
{
    encode(b, v, url_digits, false);
}

static unsigned value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26u;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52u;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : 64;
}

rc base64_decode(struct buf *out, struct bytes text)
{
    size_t n = text.n, pads = 0, start = out->n;
    while (n > 0 && pads < 2 && text.p[n - 1] == '=') {
        n--;
        pads++;
    }
    if (n % 4 == 1 || (pads > 0 && text.n % 4 != 0)) {
        return RC(MALFORMED);
    }
    uint32_t w = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = value(text.p[i]);
        if (d > 63) {
            out->n = start;
            return RC(MALFORMED);
        }
        w = w << 6 | d;
        if (i % 4 == 3) {
            put_be(out, w & 0xffffff, 3);
            w = 0;
        }
    }
    if (n % 4 == 2) {
        put_u8(out, (uint8_t)(w >> 4));
        w &= 15;
    } else if (n % 4 == 3) {
        put_be(out, w >> 2, 2);
        w &= 3;
    } else {
        w = 0;
    }
    if (w != 0) {
        out->n = start;
        return RC(MALFORMED);
    }
    return buf_end(out);
}
