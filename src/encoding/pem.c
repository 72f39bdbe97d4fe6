/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/pem.h"

#include <stdio.h>

#include "encoding/base64.h"

/* Moves c behind the next `mark` and returns what stood before it; NULL p when there is none. */
static struct bytes take_until(struct cur *c, const char *mark)
{
    const uint8_t *at = c->n > 0 ? memmem(c->p, c->n, mark, strlen(mark)) : NULL;
    if (at == NULL) {
        return (struct bytes){0};
    }
    struct bytes before = take_bytes(c, (size_t)(at - c->p));
    (void)take_bytes(c, strlen(mark));
    return before;
}

static rc take_block(struct bytes *text, struct cur *c, const char *label)
{
    char mark[80];
    (void)snprintf(mark, sizeof(mark), "-----BEGIN %.40s-----", label);
    if (take_until(c, mark).p == NULL) {
        (void)take_bytes(c, c->n);
        return RC(NOT_FOUND);
    }
    (void)snprintf(mark, sizeof(mark), "-----END %.40s-----", label);
    *text = take_until(c, mark);
    return text->p != NULL ? RC_OK : RC(MALFORMED);
}

rc pem_take(struct buf *out, struct cur *c, const char *label)
{
    struct bytes text;
    TRY(take_block(&text, c, label));
    BUF_FREE packed = buf_new(text.n);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\n' && text.p[i] != '\r' && text.p[i] != ' ' && text.p[i] != '\t') {
            put_u8(&packed, text.p[i]);
        }
    }
    return base64_decode(out, buf_bytes(&packed));
}

enum { SPACE = 64, PAD = 65, BAD = 66 };

/* clang-format off */
#define B BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD
static const uint8_t digits_of[256] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, SPACE, SPACE, BAD, BAD, SPACE, BAD, BAD, B, B,
    SPACE, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, 62, BAD, BAD, BAD, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, BAD, BAD, BAD, PAD, BAD, BAD,
    BAD, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, BAD, BAD, BAD, BAD, BAD,
    BAD, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, BAD, BAD, BAD, BAD, BAD,
    B, B, B, B, B, B, B, B, B, B, B, B, B, B, B, B,
};
#undef B
/* clang-format on */

rc pem_take_arena(struct bytes *out, struct arena *a, struct cur *c, const char *label)
{
    struct bytes text;
    TRY(take_block(&text, c, label));
    uint8_t *p = arena_alloc(a, text.n / 4 * 3 + 3);
    size_t n = 0, digits = 0, pads = 0;
    uint32_t w = 0;
    if (p == NULL) {
        return RC(LIMIT);
    }
    for (size_t i = 0; i < text.n; i++) {
        /* Lines are whole groups of four: taken at once where nothing is in between. */
        while (digits % 4 == 0 && text.n - i >= 4) {
            uint32_t a0 = digits_of[text.p[i]], a1 = digits_of[text.p[i + 1]];
            uint32_t a2 = digits_of[text.p[i + 2]], a3 = digits_of[text.p[i + 3]];
            if ((a0 | a1 | a2 | a3) > 63 || pads > 0) {
                break;
            }
            w = a0 << 18 | a1 << 12 | a2 << 6 | a3;
            p[n++] = (uint8_t)(w >> 16);
            p[n++] = (uint8_t)(w >> 8);
            p[n++] = (uint8_t)w;
            digits += 4;
            i += 4;
        }
        if (i == text.n) {
            break;
        }
        unsigned d = digits_of[text.p[i]];
        if (d == SPACE) {
            continue;
        }
        if (d == PAD) {
            pads++;
            continue;
        }
        if (d == BAD || pads > 0) {
            return RC(MALFORMED);
        }
        w = w << 6 | d;
        if (++digits % 4 == 0) {
            p[n++] = (uint8_t)(w >> 16);
            p[n++] = (uint8_t)(w >> 8);
            p[n++] = (uint8_t)w;
        }
    }
    size_t rest = digits % 4;
    if (rest == 1 || (rest + pads) % 4 != 0 || (rest == 2 && (w & 15) != 0) ||
        (rest == 3 && (w & 3) != 0)) {
        return RC(MALFORMED);
    }
    if (rest == 2) {
        p[n++] = (uint8_t)(w >> 4);
    } else if (rest == 3) {
        p[n++] = (uint8_t)(w >> 10);
        p[n++] = (uint8_t)(w >> 2);
    }
    *out = (struct bytes){p, n};
    return RC_OK;
}
