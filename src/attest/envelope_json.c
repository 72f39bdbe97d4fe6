/* SPDX-License-Identifier: Apache-2.0 */
/* envelope_json.c - evidence in JSON. The names of members differ from tool to tool and version to
 * version, so what a value is, is found out from its bytes, as everywhere. */
#include "attest/envelope_int.h"
#include "attest/tpm_int.h"
#include "encoding/jsonpull.h"

enum { DEPTH_MAX = 8, MEMBERS = 64, LEAVES = ENVELOPE_COMPANIONS };

struct leaf {
    const char *name;
    struct bytes data;
};

struct walk {
    struct attest_ctx *c;
    struct leaf leaf[LEAVES];
    size_t n;
    const char *why; /* why it cannot be read */
};

static void walk_value(struct walk *w, const char *name, struct bytes v, unsigned depth);

static void add_leaf(struct walk *w, const char *name, struct bytes data)
{
    if (w->n == LEAVES) {
        w->why = "more values than any evidence has";
    } else if (data.n > 0) {
        w->leaf[w->n++] = (struct leaf){name, data};
    }
}

/* Text between the quotes; of the escapes those that PEM needs. */
static bool unescape(struct walk *w, struct bytes v, struct bytes *out)
{
    uint8_t *p = arena_alloc(w->c->a, v.n);
    size_t n = 0;
    if (p == NULL) {
        w->why = "no memory left";
        return false;
    }
    for (size_t i = 1; i + 1 < v.n; i++) {
        uint8_t ch = v.p[i];
        if (ch == '\\') {
            static const char from[] = "nrt/\\\"", to[] = "\n\r\t/\\\"";
            const char *at = memchr(from, v.p[++i], sizeof(from) - 1);
            if (at == NULL || i + 1 >= v.n) {
                return false; /* not a value of ours */
            }
            ch = (uint8_t)to[at - from];
        }
        p[n++] = ch;
    }
    *out = (struct bytes){p, n};
    return true;
}

/* Bytes of a text: hex, base64, or itself (PEM). Nothing for other words. */
static struct bytes text_bytes(struct walk *w, struct bytes v)
{
    struct bytes text, out;
    if (v.n < 2 || !unescape(w, v, &text)) {
        return (struct bytes){0};
    }
    if (text.n > 11 && memcmp(text.p, "-----BEGIN ", 11) == 0) {
        return text;
    }
    if ((text.n % 2 == 0 && envelope_open_hex(w->c, text, &out)) ||
        envelope_open_base64(w->c, text, &out)) {
        return out;
    }
    return (struct bytes){0};
}

/* [1, 2, 255]; false when it is something else. */
static bool number_list(struct walk *w, struct bytes v, struct bytes *out)
{
    struct jp j = jp_of(v);
    uint8_t *p = arena_alloc(w->c->a, v.n / 2 + 1);
    size_t n = 0;
    jp_array(&j);
    while (p != NULL && jp_elem(&j)) {
        uint64_t u = jp_u64(&j);
        if (j.bad != NULL || u > 255 || n > v.n / 2) {
            return false;
        }
        p[n++] = (uint8_t)u;
    }
    *out = (struct bytes){p, n};
    return p != NULL && n > 0 && rc_ok(jp_end(&j));
}

static struct bytes value_bytes(struct walk *w, struct bytes v)
{
    struct bytes out = {0};
    if (v.n > 2 && v.p[0] == '"') {
        return text_bytes(w, v);
    }
    if (v.n > 2 && v.p[0] == '[' && number_list(w, v, &out)) {
        return out;
    }
    return (struct bytes){0};
}

/* A list of register values: one leaf, one value after the other. */
static bool register_list(struct walk *w, const char *name, struct bytes v)
{
    struct jp j = jp_of(v);
    uint8_t *p = arena_alloc(w->c->a, TPM_PCRS * TPM_DIGEST_MAX);
    size_t n = 0, count = 0;
    jp_array(&j);
    while (p != NULL && jp_elem(&j)) {
        struct bytes one = value_bytes(w, jp_skip(&j));
        if (++count > TPM_PCRS || one.n == 0 || one.n > TPM_DIGEST_MAX) {
            return false;
        }
        memcpy(p + n, one.p, one.n);
        n += one.n;
    }
    if (p == NULL || count < 2 || !rc_ok(jp_end(&j))) {
        return false;
    }
    add_leaf(w, name, (struct bytes){p, n});
    return true;
}

static void walk_array(struct walk *w, const char *name, struct bytes v, unsigned depth)
{
    struct bytes whole;
    if (number_list(w, v, &whole)) {
        add_leaf(w, name, whole);
        return;
    }
    if (tpm_names_pcrs(name) && register_list(w, name, v)) {
        return;
    }
    struct jp j = jp_of(v);
    jp_array(&j);
    while (w->why == NULL && jp_elem(&j)) {
        walk_value(w, name, jp_skip(&j), depth + 1);
    }
    if (!rc_ok(jp_end(&j))) {
        w->why = "malformed JSON";
    }
}

/* The number of a register as a member's name; -1: it is another name. */
static int register_number(struct bytes key)
{
    int n = 0;
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] < '0' || key.p[i] > '9' || i > 1) {
            return -1;
        }
        n = n * 10 + (key.p[i] - '0');
    }
    return key.n > 0 && n < TPM_PCRS ? n : -1;
}

static void walk_object(struct walk *w, const char *name, struct bytes v, unsigned depth)
{
    struct bytes seen[MEMBERS], key, reg[TPM_PCRS] = {0};
    struct jp j = jp_of(v);
    size_t n = 0, total = 0;
    jp_object(&j);
    while (w->why == NULL && jp_key(&j, &key)) {
        for (size_t i = 0; i < n; i++) {
            if (bytes_eq(seen[i], key)) {
                w->why = "a key is given twice";
                return;
            }
        }
        if (n == MEMBERS) {
            w->why = "an object has too many members";
            return;
        }
        seen[n++] = key;
        struct bytes value = jp_skip(&j);
        int number = register_number(key);
        if (number >= 0) {
            reg[number] = value_bytes(w, value);
            total += reg[number].n;
        } else {
            walk_value(w, attest_textf(w->c, "%.*s", (int)MIN(key.n, 40), key.p), value, depth + 1);
        }
    }
    if (w->why == NULL && !rc_ok(jp_end(&j))) {
        w->why = "malformed JSON";
    }
    uint8_t *p = total > 0 ? arena_alloc(w->c->a, total) : NULL;
    size_t at = 0;
    for (size_t i = 0; p != NULL && i < TPM_PCRS; i++) {
        if (reg[i].n > 0) {
            memcpy(p + at, reg[i].p, reg[i].n);
            at += reg[i].n;
        }
    }
    if (p != NULL) {
        add_leaf(w, name, (struct bytes){p, total});
    }
}

static void walk_value(struct walk *w, const char *name, struct bytes v, unsigned depth)
{
    if (v.n == 0 || w->why != NULL) {
        return;
    }
    if (depth > DEPTH_MAX) {
        w->why = "nested too deep";
    } else if (v.p[0] == '{') {
        walk_object(w, name, v, depth);
    } else if (v.p[0] == '[') {
        walk_array(w, name, v, depth);
    } else if (v.p[0] == '"') {
        add_leaf(w, name, text_bytes(w, v));
    }
}

/* Which of several pieces of evidence is judged: the one that says most. The HCL report vouches for
 * the quote beside it; of several quotes the one over SHA-256 is what policies name. */
static int rank_of(const struct attest_ctx *c, struct bytes b)
{
    const struct attest_backend *be = attest_find_backend(c, b);
    if (be == NULL) {
        return 0;
    }
    if (strcmp(be->name, "azure") == 0) {
        return 6;
    }
    if (strcmp(be->name, "eventlog") == 0) {
        return 1;
    }
    if (strcmp(be->name, "tpm") == 0) {
        return b.n > 34 && b.p[b.n - 34] == 0 && b.p[b.n - 33] == 32 ? 4 : 3;
    }
    return be->simulated ? 2 : 5;
}

bool envelope_open_json(struct attest_ctx *c, struct bytes in, struct bytes *out)
{
    size_t i = 0, best = 0;
    int rank = 0;
    while (i < in.n && (in.p[i] == ' ' || in.p[i] == '\n' || in.p[i] == '\r' || in.p[i] == '\t')) {
        i++;
    }
    if (i == in.n || in.p[i] != '{') {
        return false;
    }
    struct walk *w = ARENA_NEW(c->a, struct walk);
    if (w == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    w->c = c;
    struct bytes body = {in.p + i, in.n - i};
    struct jp j = jp_of(body);
    walk_value(w, "JSON", jp_skip(&j), 0);
    if (w->why != NULL || !rc_ok(jp_end(&j))) {
        return attest_fail(c, ATTEST_FORMAT, .code = "json",
                           .reason = attest_textf(c, "evidence in JSON: %s",
                                                  w->why != NULL ? w->why : "malformed JSON"));
    }
    for (size_t k = 0; k < w->n; k++) {
        int r = rank_of(c, w->leaf[k].data);
        if (r > rank) {
            rank = r;
            best = k;
        }
    }
    if (rank == 0) {
        return attest_fail(c, ATTEST_FORMAT, .code = "json",
                           .reason = "the JSON holds no evidence of a known kind");
    }
    for (size_t k = 0; k < w->n; k++) {
        if (k != best && !envelope_add(c, w->leaf[k].name, w->leaf[k].data)) {
            return attest_fail(c, ATTEST_FORMAT, .code = "json",
                               .reason = "more values than any evidence has");
        }
    }
    *out = w->leaf[best].data;
    return true;
}
