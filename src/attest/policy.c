/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - the policy document: one table of keys, every error with its path. */
#include <stdio.h>

#include "attest/attest_int.h"
#include "encoding/hex.h"
#include "encoding/jsonpull.h"

enum { VALUE_MAX = 128 }; /* bytes of one hex value; SHA-512 needs 64 */

struct pol {
    struct jp j;
    struct attest_policy *p;
    struct arena *a;
    struct err *e;
    rc r;
    char path[160]; /* of the value being read */
};

void attest_policy_default(struct attest_policy *p)
{
    *p = (struct attest_policy){.tcb_accept = 1U << TCB_NONE | 1U << TCB_UP_TO_DATE};
}

/* Records the first failure; the reader then runs dry because the input is cut. */
static void wrong(struct pol *s, const char *what)
{
    if (rc_ok(s->r)) {
        s->r = err_set(s->e, RC_CODE_MALFORMED, "policy: %s: %s",
                       s->path[0] != '\0' ? s->path : "document", what);
        s->j.bad = s->j.bad != NULL ? s->j.bad : what;
        s->j.p = s->j.end;
    }
}

/* Turns a failure of the JSON reader into ours, with the path. */
static bool good(struct pol *s)
{
    if (s->j.bad != NULL && rc_ok(s->r)) {
        wrong(s, s->j.bad);
    }
    return rc_ok(s->r);
}

static size_t path_push(struct pol *s, const char *sep, struct bytes name)
{
    size_t n = strlen(s->path);
    (void)snprintf(s->path + n, sizeof(s->path) - n, "%s%.*s", n > 0 ? sep : "",
                   (int)MIN(name.n, 64), name.p);
    return n;
}

static size_t path_index(struct pol *s, size_t i)
{
    size_t n = strlen(s->path);
    (void)snprintf(s->path + n, sizeof(s->path) - n, "[%zu]", i);
    return n;
}

static uint8_t next_byte(struct pol *s)
{
    while (s->j.p < s->j.end && strchr(" \n\r\t", *s->j.p) != NULL && *s->j.p != 0) {
        s->j.p++;
    }
    return s->j.p < s->j.end ? *s->j.p : 0;
}

static struct bytes text_value(struct pol *s)
{
    struct bytes v = jp_string(&s->j);
    if (good(s) && v.n == 0) {
        wrong(s, "must not be empty");
    }
    return v;
}

static struct bytes hex_value(struct pol *s, size_t max)
{
    struct bytes text = text_value(s);
    if (!good(s)) {
        return (struct bytes){0};
    }
    if (text.n > 2 * max + 2) {
        wrong(s, "longer than any value of its kind");
        return (struct bytes){0};
    }
    BUF_FREE raw = buf_new(max);
    if (!rc_ok(hex_decode(&raw, text)) || raw.n == 0) {
        wrong(s, "must be bytes in hex: an even number of digits, 0x allowed");
        return (struct bytes){0};
    }
    uint8_t *p = arena_alloc(s->a, raw.n);
    if (p == NULL) {
        wrong(s, "no memory left");
        return (struct bytes){0};
    }
    memcpy(p, raw.p, raw.n);
    return (struct bytes){p, raw.n};
}

static struct bytes decimal(struct pol *s, uint64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    uint8_t *p = arena_alloc(s->a, (size_t)n + 1);
    if (p == NULL) {
        wrong(s, "no memory left");
        return (struct bytes){0};
    }
    memcpy(p, text, (size_t)n);
    return (struct bytes){p, (size_t)n};
}

static struct bytes known_kind(struct pol *s)
{
    struct bytes v = text_value(s);
    for (size_t i = 0; attest_backends[i] != NULL; i++) {
        if (bytes_eq(v, bytes_str(attest_backends[i]->name))) {
            return v;
        }
    }
    wrong(s, "no such kind of evidence; souk attest kinds lists them");
    return v;
}

enum what { KINDS, HEX, TEXT_OR_NUMBER, TEXT };

static void take_set(struct pol *s, struct attest_set *out, enum what what)
{
    size_t i = 0;
    jp_array(&s->j);
    while (good(s) && jp_elem(&s->j)) {
        size_t up = path_index(s, i++);
        if (out->n == ATTEST_SET_MAX) {
            wrong(s, "more than 64 members");
            return;
        }
        struct bytes v = {0};
        if (what == HEX) {
            v = hex_value(s, VALUE_MAX);
        } else if (what == KINDS) {
            v = known_kind(s);
        } else if (what == TEXT_OR_NUMBER && next_byte(s) != '"') {
            uint64_t number = jp_u64(&s->j);
            v = good(s) ? decimal(s, number) : v;
        } else {
            v = text_value(s);
        }
        if (!good(s)) {
            return;
        }
        out->v[out->n++] = v;
        s->path[up] = '\0';
    }
    if (good(s) && out->n == 0) {
        wrong(s, "an empty list allows nothing; leave the key out to require nothing");
    }
}

/* A member not seen before; `seen` has one bit per row. */
static bool once(struct pol *s, uint32_t *seen, size_t row)
{
    if ((*seen & 1U << row) != 0) {
        wrong(s, "given twice");
        return false;
    }
    *seen |= 1U << row;
    return true;
}

static void take_accept(struct pol *s)
{
    size_t i = 0;
    s->p->tcb_accept = 1U << TCB_NONE;
    jp_array(&s->j);
    while (good(s) && jp_elem(&s->j)) {
        size_t up = path_index(s, i++), k = TCB_UP_TO_DATE;
        struct bytes v = text_value(s);
        while (k < TCB_STATES && !bytes_eq(v, bytes_str(attest_tcb_name((enum attest_tcb)k)))) {
            k++;
        }
        if (k == TCB_STATES) {
            wrong(s, "not a TCB state such as UpToDate or SWHardeningNeeded");
            return;
        }
        s->p->tcb_accept |= 1U << k;
        s->path[up] = '\0';
    }
}

static void take_tcb(struct pol *s)
{
    uint32_t seen = 0;
    struct bytes key;
    jp_object(&s->j);
    while (good(s) && jp_key(&s->j, &key)) {
        size_t up = path_push(s, ".", key);
        if (bytes_eq(key, BYTES_LIT("accept")) && once(s, &seen, 0)) {
            take_accept(s);
        } else if (bytes_eq(key, BYTES_LIT("advisories")) && once(s, &seen, 1)) {
            take_set(s, &s->p->advisories, TEXT);
        } else if (bytes_eq(key, BYTES_LIT("min_evaluation")) && once(s, &seen, 2)) {
            s->p->min_tcb_evaluation = jp_u64(&s->j);
        } else {
            wrong(s, "unknown key; known: accept, advisories, min_evaluation");
        }
        if (!good(s)) {
            return;
        }
        s->path[up] = '\0';
    }
}

static void take_collateral(struct pol *s)
{
    uint32_t seen = 0;
    struct bytes key;
    jp_object(&s->j);
    while (good(s) && jp_key(&s->j, &key)) {
        size_t up = path_push(s, ".", key);
        if (bytes_eq(key, BYTES_LIT("max_age_s")) && once(s, &seen, 0)) {
            s->p->max_age_s = jp_u64(&s->j);
        } else if (bytes_eq(key, BYTES_LIT("grace_s")) && once(s, &seen, 1)) {
            s->p->grace_s = jp_u64(&s->j);
        } else {
            wrong(s, "unknown key; known: max_age_s, grace_s");
        }
        if (!good(s)) {
            return;
        }
        s->path[up] = '\0';
    }
}

static void rule_value(struct pol *s, struct attest_rule r)
{
    uint8_t ch = next_byte(s);
    if (r.op == ATTEST_IS && ch == '"') {
        r.is_text = true;
        r.text = text_value(s);
    } else if (r.op == ATTEST_IS && (ch == 't' || ch == 'f')) {
        r.u64 = jp_bool(&s->j) ? 1 : 0;
    } else {
        r.u64 = jp_u64(&s->j);
    }
    if (!good(s)) {
        return;
    }
    if (s->p->n_rule == ATTEST_RULES_MAX) {
        wrong(s, "more than 64 rules over claims");
        return;
    }
    s->p->rule[s->p->n_rule++] = r;
}

/* "claims": {name: value or [values]}, "min" and "max": {name: number}. */
static void take_rules(struct pol *s, enum attest_op op)
{
    struct bytes key;
    jp_object(&s->j);
    while (good(s) && jp_key(&s->j, &key)) {
        size_t up = path_push(s, ".", key), first = s->p->n_rule;
        char *name = arena_alloc(s->a, key.n + 1);
        if (name == NULL || key.n == 0 || memchr(key.p, 0, key.n) != NULL) {
            wrong(s, "not the name of a claim");
            return;
        }
        memcpy(name, key.p, key.n);
        for (size_t i = 0; i < first; i++) {
            if (s->p->rule[i].op == op && strcmp(s->p->rule[i].claim, name) == 0) {
                wrong(s, "given twice");
                return;
            }
        }
        struct attest_rule r = {.claim = name, .op = op};
        if (op == ATTEST_IS && next_byte(s) == '[') {
            jp_array(&s->j);
            for (size_t i = 0; good(s) && jp_elem(&s->j); i++) {
                size_t below = path_index(s, i);
                r.alternative = i > 0;
                rule_value(s, r);
                s->path[good(s) ? below : strlen(s->path)] = '\0';
            }
            if (good(s) && s->p->n_rule == first) {
                wrong(s, "an empty list allows nothing");
            }
        } else {
            rule_value(s, r);
        }
        if (!good(s)) {
            return;
        }
        s->path[up] = '\0';
    }
}

static void take_revocation(struct pol *s)
{
    struct bytes v = text_value(s);
    if (bytes_eq(v, BYTES_LIT("optional"))) {
        s->p->revocation_optional = true;
    } else if (!bytes_eq(v, BYTES_LIT("required"))) {
        wrong(s, "must be \"required\" or \"optional\"");
    }
}

static void f_kinds(struct pol *s)
{
    take_set(s, &s->p->kinds, KINDS);
}
static void f_measurements(struct pol *s)
{
    take_set(s, &s->p->measurements, HEX);
}
static void f_signers(struct pol *s)
{
    take_set(s, &s->p->signers, HEX);
}
static void f_platforms(struct pol *s)
{
    take_set(s, &s->p->platforms, HEX);
}
static void f_products(struct pol *s)
{
    take_set(s, &s->p->products, TEXT_OR_NUMBER);
}
static void f_debug(struct pol *s)
{
    s->p->allow_debug = jp_bool(&s->j);
}
static void f_claims(struct pol *s)
{
    take_rules(s, ATTEST_IS);
}
static void f_min(struct pol *s)
{
    take_rules(s, ATTEST_MIN);
}
static void f_max(struct pol *s)
{
    take_rules(s, ATTEST_MAX);
}

static void f_min_svn(struct pol *s)
{
    s->p->has_min_svn = true;
    s->p->min_svn = jp_u64(&s->j);
}

static void f_report_data(struct pol *s)
{
    s->p->report_data = hex_value(s, 64);
    s->p->has_report_data = true;
}

static void f_nonce(struct pol *s)
{
    s->p->nonce = hex_value(s, 64);
    s->p->has_nonce = true;
}

static const struct {
    const char *name;
    void (*take)(struct pol *s);
} keys[] = {
    {"kinds", f_kinds},
    {"measurements", f_measurements},
    {"signers", f_signers},
    {"platforms", f_platforms},
    {"products", f_products},
    {"min_svn", f_min_svn},
    {"debug", f_debug},
    {"tcb", take_tcb},
    {"collateral", take_collateral},
    {"revocation", take_revocation},
    {"report_data", f_report_data},
    {"nonce", f_nonce},
    {"claims", f_claims},
    {"min", f_min},
    {"max", f_max},
};

rc attest_policy_parse(struct attest_policy *p, struct arena *a, struct bytes json, struct err *e)
{
    attest_policy_default(p);
    if (json.n > ATTEST_POLICY_MAX) {
        return err_set(e, RC_CODE_LIMIT, "policy: larger than 64 KiB");
    }
    uint8_t *copy = arena_alloc(a, json.n + 1); /* the policy's texts point into it */
    if (copy == NULL) {
        return err_set(e, RC_CODE_LIMIT, "policy: no memory left");
    }
    if (json.n > 0) {
        memcpy(copy, json.p, json.n);
    }
    struct pol s = {.j = jp_of((struct bytes){copy, json.n}), .p = p, .a = a, .e = e};
    uint32_t seen = 0;
    struct bytes key;
    jp_object(&s.j);
    while (good(&s) && jp_key(&s.j, &key)) {
        size_t up = path_push(&s, ".", key), i = 0;
        while (i < ARRAY_LEN(keys) && !bytes_eq(key, bytes_str(keys[i].name))) {
            i++;
        }
        if (i == ARRAY_LEN(keys)) {
            wrong(&s, "unknown key");
        } else if (once(&s, &seen, i)) {
            keys[i].take(&s);
        }
        if (!good(&s)) {
            break;
        }
        s.path[up] = '\0';
    }
    if (good(&s) && !rc_ok(jp_end(&s.j))) {
        (void)good(&s);
    }
    return s.r;
}
