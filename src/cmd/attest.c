/* SPDX-License-Identifier: Apache-2.0 */
/* attest.c - `souk attest`: is this evidence real, and does it say what is required? */
#include "attest/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/attest_files.h"
#include "cmd/cmd.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

struct settings {
    const char *collateral, *policy, *at, *nonce, *report_data, *kind;
    struct opt_list anchor;
    bool json, builtin_roots;
};

#define S(name, type, field, ...) OPT(name, type, settings, field, __VA_ARGS__)

/* clang-format off */
static const struct opt table[] = {
    S("collateral",  OPT_STR,  collateral,  .arg = "DIR", .help = "folder of vendor collateral (TCB infos, CRLs, certificates) and companions (signature, event log)"),
    S("policy",      OPT_STR,  policy,      .arg = "FILE", .help = "what is required (docs/attestation.md); default: no debug, nothing simulated, expired, revoked or out of date"),
    S("at",          OPT_STR,  at,          .arg = "TIME", .help = "the time at which it must hold: 2026-01-31T12:00:00Z or Unix seconds (default: now)"),
    S("report-data", OPT_STR,  report_data, .arg = "HEX", .help = "what the evidence must carry as its report data; zeroes may follow there"),
    S("nonce",       OPT_STR,  nonce,       .arg = "HEX", .help = "what the evidence must carry as its nonce"),
    S("anchor",      OPT_LIST, anchor,      .arg = "KIND:ADDRESS|FILE", .help = "a trust anchor beside the vendors' roots: simulated:0x…, tpm:ca.pem, psa:key.pem"),
    S("builtin-roots", OPT_FLAG, builtin_roots, .def = "true", .help = "--no-builtin-roots: trust only the anchors given, not the vendors' roots"),
    S("kind",        OPT_STR,  kind,        .arg = "KIND", .help = "take the bytes for this kind (default: found out)"),
    S("json",        OPT_FLAG, json,        .help = "one JSON object instead of text"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts options = {
    .command = "attest",
    .summary =
        "Judges attestation evidence of any TEE, offline. verify: a verdict with one line for each "
        "link of the proof, the first broken one on top; exit 0 accepted, 1 refused, 2 bad usage "
        "or "
        "unreadable input. show: decodes without judging. identify: what a file is. kinds: what is "
        "known. FILE may also be a configfs-tsm report folder, or - for standard input.",
    .args = "verify|show|identify|kinds [FILE]",
    .args_min = 1,
    .args_max = 2,
    .table = table,
    .example =
        "  souk attest verify quote.bin --collateral ./intel --report-data 0x00ff…\n"
        "  souk attest verify evidence.bin --policy policy.json --anchor simulated:0x1a64…14F1\n"
        "  souk attest show report.bin --json",
};

/* Civil date to Unix seconds; the inverse of what verdicts print. */
static int64_t seconds_of(int64_t y, int64_t m, int64_t d, int64_t h, int64_t min, int64_t s)
{
    y -= m <= 2 ? 1 : 0;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (era * 146097 + doe - 719468) * 86400 + h * 3600 + min * 60 + s;
}

static rc take_time(int64_t *out, const char *text, struct err *e)
{
    int y, mo, d, h, mi, s, n = 0;
    if (text == NULL) {
        *out = (int64_t)clock_wall_s();
        return RC_OK;
    }
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &y, &mo, &d, &h, &mi, &s, &n) == 6 && n == 20 &&
        text[n] == '\0' && y >= 1 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31 && h >= 0 &&
        h <= 23 && mi >= 0 && mi <= 59 && s >= 0 && s <= 60) {
        *out = seconds_of(y, mo, d, h, mi, s);
        return RC_OK;
    }
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits < 13 && text[digits] == '\0') {
        *out = strtoll(text, NULL, 10);
        return RC_OK;
    }
    return err_set(e, RC_CODE_MALFORMED,
                   "--at '%.40s': must be like 2026-01-31T12:00:00Z or Unix seconds", text);
}

static rc take_hex(struct bytes *out, struct arena *a, const char *name, const char *text,
                   struct err *e)
{
    if (text == NULL) {
        return RC_OK;
    }
    BUF_FREE raw = buf_new(64);
    uint8_t *p = arena_alloc(a, 64);
    if (p == NULL || !rc_ok(hex_decode(&raw, bytes_str(text))) || raw.n == 0) {
        return err_set(e, RC_CODE_MALFORMED, "--%s: must be 1 to 64 bytes in hex", name);
    }
    memcpy(p, raw.p, raw.n);
    *out = (struct bytes){p, raw.n};
    return RC_OK;
}

static rc add_items(struct attest_input *in, struct arena *a, const struct attest_item *more,
                    size_t n, struct err *e)
{
    struct attest_item *all = ARENA_ARRAY(a, struct attest_item, in->n_item + n + 1);
    if (all == NULL) {
        return err_set(e, RC_CODE_LIMIT, "too many files");
    }
    if (in->n_item > 0) {
        memcpy(all, in->item, in->n_item * sizeof(*all));
    }
    if (n > 0) {
        memcpy(all + in->n_item, more, n * sizeof(*all));
    }
    in->item = all;
    in->n_item += n;
    return RC_OK;
}

/* A file, or a configfs-tsm report folder: `outblob` is the evidence, the rest goes with it. */
static rc read_evidence(struct attest_input *in, struct arena *a, const char *path, struct err *e)
{
    struct stat st;
    const char *file = strcmp(path, "-") == 0 ? "/dev/stdin" : path;
    if (stat(file, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return file_read_arena(&in->evidence, a, file, 4 * ATTEST_EVIDENCE_MAX, e);
    }
    struct attest_item *list;
    size_t n;
    TRY(attest_load_folder(&list, &n, a, path, e));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, "outblob") == 0) {
            in->evidence = list[i].data;
            list[i] = list[--n];
            return add_items(in, a, list, n, e);
        }
    }
    return err_set(e, RC_CODE_NOT_FOUND, "%s: a folder without an outblob: no report of the TSM",
                   path);
}

static rc gather(struct attest_input *in, struct attest_policy *policy, struct arena *a,
                 const struct settings *set, const char *path, struct err *e)
{
    struct attest_item *list;
    struct attest_anchor *anchor;
    size_t n;
    in->no_builtin_roots = !set->builtin_roots;
    in->kind = set->kind;
    in->policy = policy;
    TRY(take_time(&in->now, set->at, e));
    TRY(take_hex(&in->report_data, a, "report-data", set->report_data, e));
    TRY(take_hex(&in->nonce, a, "nonce", set->nonce, e));
    TRY(attest_load_policy(policy, a, set->policy, e));
    TRY(attest_load_anchors(&anchor, &in->n_anchor, a, &set->anchor, e));
    in->anchor = anchor;
    TRY(attest_load_folder(&list, &n, a, set->collateral, e));
    TRY(add_items(in, a, list, n, e));
    return read_evidence(in, a, path, e);
}

static void print(const struct buf *b)
{
    (void)fwrite(b->p, 1, b->n, stdout);
    (void)fputc('\n', stdout);
}

static int kinds(bool json)
{
    BUF_FREE b = buf_new(1 << 16);
    const char *title = NULL;
    put_str(&b, json ? "[" : "");
    for (size_t i = 0; attest_kind_at(i, &title) != NULL; i++) {
        if (json) {
            put_fmt(&b, "%s{\"kind\":\"%s\",\"title\":\"%s\"}", i > 0 ? "," : "",
                    attest_kind_at(i, NULL), title);
        } else {
            put_fmt(&b, "%s%-12s %s", i > 0 ? "\n" : "", attest_kind_at(i, NULL), title);
        }
    }
    put_str(&b, json ? "]" : "");
    print(&b);
    return 0;
}

static int identify(const struct verdict *v, bool known, bool json)
{
    BUF_FREE b = buf_new(4096);
    if (json) {
        attest_put_json(&b, v);
    } else if (known) {
        put_fmt(&b, "%s (%s)%s%s", v->kind, v->title, v->envelope[0] != '\0' ? ", in " : "",
                v->envelope);
    } else {
        put_str(&b, "no known kind of evidence");
    }
    print(&b);
    return known ? 0 : 1;
}

static int judge(const char *verb, const struct attest_input *in, bool json)
{
    static struct verdict v;
    struct arena scratch;
    bool good;
    arena_init(&scratch, ATTEST_SCRATCH);
    BUF_FREE b = buf_new((size_t)4 << 20);
    if (strcmp(verb, "identify") == 0) {
        good = attest_identify(&v, in->evidence, &scratch);
        int status = identify(&v, good, json);
        arena_reset(&scratch);
        return status;
    }
    good = strcmp(verb, "verify") == 0 ? attest_verify(&v, in, &scratch)
                                       : attest_show(&v, in, &scratch);
    if (json) {
        attest_put_json(&b, &v);
    } else {
        attest_put_text(&b, &v);
        b.n -= b.n > 0 && b.p[b.n - 1] == '\n' ? 1 : 0;
    }
    print(&b);
    arena_reset(&scratch);
    return good ? 0 : 1;
}

int cmd_attest(int argc, char **argv)
{
    static struct attest_policy policy;
    struct settings set = {0};
    struct attest_input in = {0};
    struct opts_rest rest = {0};
    struct err e = {0};
    struct arena a;
    arena_init(&a, ATTEST_FILES_ARENA);
    enum opts_what what = opts_parse(&options, &set, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        const char *verb = rest.v[0];
        bool judges = strcmp(verb, "verify") == 0 || strcmp(verb, "show") == 0 ||
                      strcmp(verb, "identify") == 0;
        if (strcmp(verb, "kinds") == 0 && rest.n == 1) {
            status = kinds(set.json);
        } else if (!judges || rest.n != 2) {
            (void)fprintf(stderr, "souk attest: verify, show or identify and a FILE; or kinds\n");
        } else if (!rc_ok(gather(&in, &policy, &a, &set, rest.v[1], &e))) {
            (void)fprintf(stderr, "souk attest: %s\n", e.msg);
        } else {
            status = judge(verb, &in, set.json);
        }
    }
    arena_reset(&a);
    return status;
}
