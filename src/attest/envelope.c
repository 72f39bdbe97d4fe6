/* SPDX-License-Identifier: Apache-2.0 */
/* envelope.c - what evidence travels in: hex, base64, and what the rows below know. Each layer that
 * is peeled off is named in the verdict. Bytes that a back end recognises are never unwrapped. */
#include "attest/envelope_int.h"

enum { ENVELOPE_DEPTH = 4 }; /* base64 of JSON of base64 is the deepest seen */

static bool is_space(uint8_t ch)
{
    return ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t';
}

static int hex_digit(uint8_t ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    uint8_t low = ch | 32;
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Hex digits with an optional 0x in front and white space anywhere between bytes. */
bool envelope_open_hex(struct attest_ctx *c, struct bytes in, struct bytes *out)
{
    size_t i = 0, n = 0;
    while (i < in.n && is_space(in.p[i])) {
        i++;
    }
    if (in.n - i >= 2 && in.p[i] == '0' && (in.p[i + 1] | 32) == 'x') {
        i += 2;
    }
    for (size_t k = i; k < MIN(in.n, i + 64); k++) {
        if (!is_space(in.p[k]) && hex_digit(in.p[k]) < 0) {
            return false; /* looks at little before it allocates */
        }
    }
    uint8_t *p = arena_alloc(c->a, in.n / 2 + 1);
    while (p != NULL && i < in.n) {
        if (is_space(in.p[i])) {
            i++;
            continue;
        }
        int hi = hex_digit(in.p[i]);
        int lo = i + 1 < in.n ? hex_digit(in.p[i + 1]) : -1;
        if (hi < 0 || lo < 0) {
            return false;
        }
        p[n++] = (uint8_t)(hi << 4 | lo);
        i += 2;
    }
    *out = (struct bytes){p, n};
    return p != NULL && n > 0;
}

static int b64_digit(uint8_t ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }
    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }
    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }
    return ch == '+' || ch == '-' ? 62 : ch == '/' || ch == '_' ? 63 : -1;
}

/* RFC 4648 sections 4 and 5 with white space between digits (as base64(1) writes it). */
bool envelope_open_base64(struct attest_ctx *c, struct bytes in, struct bytes *out)
{
    for (size_t k = 0; k < MIN(in.n, 64); k++) {
        if (!is_space(in.p[k]) && b64_digit(in.p[k]) < 0 && in.p[k] != '=') {
            return false;
        }
    }
    uint8_t *p = arena_alloc(c->a, in.n / 4 * 3 + 4);
    size_t n = 0, digits = 0, pads = 0;
    uint32_t acc = 0;
    for (size_t i = 0; p != NULL && i < in.n; i++) {
        int d = b64_digit(in.p[i]);
        if (is_space(in.p[i])) {
            continue;
        }
        if (in.p[i] == '=') {
            pads++;
            continue;
        }
        if (d < 0 || pads > 0) {
            return false;
        }
        acc = acc << 6 | (uint32_t)d;
        if (++digits % 4 == 0) {
            p[n++] = (uint8_t)(acc >> 16);
            p[n++] = (uint8_t)(acc >> 8);
            p[n++] = (uint8_t)acc;
        }
    }
    if (p == NULL || digits == 0 || digits % 4 == 1 || pads > 2) {
        return false;
    }
    if (digits % 4 == 2) {
        p[n++] = (uint8_t)(acc >> 4);
    } else if (digits % 4 == 3) {
        p[n++] = (uint8_t)(acc >> 10);
        p[n++] = (uint8_t)(acc >> 2);
    }
    *out = (struct bytes){p, n};
    return true;
}

bool envelope_add(struct attest_ctx *c, const char *name, struct bytes data)
{
    if (c->companion == NULL) {
        c->companion = ARENA_ARRAY(c->a, struct attest_item, ENVELOPE_COMPANIONS);
    }
    if (c->companion == NULL || c->n_companion == ENVELOPE_COMPANIONS) {
        return false;
    }
    c->companion[c->n_companion++] = (struct attest_item){name, data};
    return true;
}

/* open(): true when the bytes are this envelope; *out is what is inside, in the arena or a view.
 * Companions go to c->companion. A new envelope is one row; the most particular come first. */
static const struct {
    const char *name;
    bool (*open)(struct attest_ctx *c, struct bytes in, struct bytes *out);
} envelopes[] = {
    {"certificate", attest_open_certificate},
    {"Open Enclave report", attest_open_enclave},
    {"JSON", envelope_open_json},
    {"hex", envelope_open_hex},
    {"base64", envelope_open_base64},
};

void attest_unwrap(struct attest_ctx *c)
{
    for (int depth = 0; depth < ENVELOPE_DEPTH; depth++) {
        if (attest_find_backend(c, c->evidence) != NULL) {
            return;
        }
        bool opened = false;
        for (size_t i = 0; i < ARRAY_LEN(envelopes) && !opened; i++) {
            if (c->v->line[ATTEST_FORMAT].state == ATTEST_FAILED) {
                return; /* it is this envelope, and it is broken */
            }
            struct bytes in = c->evidence, out = {0};
            if (envelopes[i].open(c, in, &out)) {
                opened = true;
                c->evidence = out;
                c->v->envelope = c->v->envelope[0] == '\0'
                                     ? envelopes[i].name
                                     : attest_textf(c, "%s, %s", c->v->envelope, envelopes[i].name);
            }
        }
        if (!opened) {
            return;
        }
    }
}
