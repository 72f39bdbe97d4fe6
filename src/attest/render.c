/* SPDX-License-Identifier: Apache-2.0 */
/* render.c - a verdict as text for a person and as JSON. */
#include "attest/attest.h"
#include "encoding/hex.h"

#define SIMULATED_TEXT "SIMULATED: no hardware"

/* Text of evidence may hold anything: control characters and non-ASCII become '?'. */
static void put_clean(struct buf *b, struct bytes v)
{
    for (size_t i = 0; i < v.n; i++) {
        put_u8(b, v.p[i] < 0x20 || v.p[i] > 0x7e ? '?' : v.p[i]);
    }
}

static void put_json_str(struct buf *b, struct bytes v)
{
    put_u8(b, '"');
    for (size_t i = 0; i < v.n; i++) {
        uint8_t ch = v.p[i];
        if (ch == '"' || ch == '\\') {
            put_u8(b, '\\');
            put_u8(b, ch);
        } else if (ch < 0x20 || ch > 0x7e) {
            put_fmt(b, "\\u%04x", ch); /* bytes beyond ASCII as Latin-1: always valid JSON */
        } else {
            put_u8(b, ch);
        }
    }
    put_u8(b, '"');
}

static void put_value(struct buf *b, const struct attest_claim *c, bool json)
{
    switch (c->type) {
    case ATTEST_BYTES:
        put_str(b, json ? "\"" : "");
        put_hex(b, c->bytes);
        put_str(b, json ? "\"" : "");
        break;
    case ATTEST_TEXT:
        if (json) {
            put_json_str(b, c->bytes);
        } else {
            put_clean(b, c->bytes);
        }
        break;
    case ATTEST_BOOL:
        put_str(b, c->u64 != 0 ? "true" : "false");
        break;
    case ATTEST_U64:
        put_fmt(b, "%llu", (unsigned long long)c->u64);
        break;
    }
}

void attest_put_summary(struct buf *b, const struct verdict *v)
{
    enum attest_link l = attest_first_broken(v);
    if (v->accepted) {
        put_fmt(b, "accepted: %s%s", v->simulated ? SIMULATED_TEXT : "",
                v->simulated ? "" : v->title);
    } else if (l < ATTEST_LINKS) {
        put_fmt(b, "refused: %s: %s", attest_link_name(l), v->line[l].reason);
    } else {
        put_str(b, "decoded, not judged");
    }
}

static void put_line(struct buf *b, const struct verdict *v, enum attest_link l)
{
    static const char *const marks[] = {"-", "ok", "FAILED", "MISSING"};
    const struct attest_line *line = &v->line[l];
    put_fmt(b, "  %-7s %-11s ", marks[line->state], attest_link_name(l));
    put_clean(b, bytes_str(line->reason));
    put_u8(b, '\n');
    if (line->state != ATTEST_FAILED && line->state != ATTEST_MISSING) {
        return;
    }
    put_fmt(b, "            code        %s\n", line->code);
    if (line->subject != NULL) {
        put_str(b, "            concerns    ");
        put_clean(b, bytes_str(line->subject));
        put_u8(b, '\n');
    }
    if (line->offset != ATTEST_NO_OFFSET) {
        put_fmt(b, "            at byte     %zu\n", line->offset);
    }
    if (line->fix != NULL) {
        put_fmt(b, "            what to do  %s\n", line->fix);
    }
}

static void put_claims_text(struct buf *b, const struct verdict *v)
{
    if (v->n_claim == 0) {
        return;
    }
    put_fmt(b, "claims%s\n",
            v->verified ? v->simulated ? " (" SIMULATED_TEXT ")" : "" : " (UNVERIFIED)");
    for (size_t i = 0; i < v->n_claim; i++) {
        put_fmt(b, "  %s%-22s ", v->verified ? "" : "? ", v->claim[i].name);
        put_value(b, &v->claim[i], false);
        put_u8(b, '\n');
    }
}

void attest_put_text(struct buf *b, const struct verdict *v)
{
    attest_put_summary(b, v);
    put_fmt(b, "\nkind    %s", v->kind != NULL ? v->kind : "unknown");
    if (v->title != NULL) {
        put_fmt(b, " (%s)", v->title);
    }
    if (v->envelope[0] != '\0') {
        put_fmt(b, ", unwrapped from %s", v->envelope);
    }
    if (v->simulated) {
        put_str(b, "\n" SIMULATED_TEXT " stands behind this evidence");
    }
    put_str(b, "\nlinks\n");
    enum attest_link first = attest_first_broken(v);
    if (first < ATTEST_LINKS) {
        put_line(b, v, first);
    }
    for (size_t l = 0; l < ATTEST_LINKS; l++) {
        if (l != (size_t)first) {
            put_line(b, v, (enum attest_link)l);
        }
    }
    if (v->tcb != TCB_NONE) {
        put_fmt(b, "tcb     %s\n", attest_tcb_name(v->tcb));
    }
    for (size_t i = 0; i < v->n_advisory; i++) {
        put_str(b, "  advisory ");
        put_clean(b, v->advisory[i]);
        put_u8(b, '\n');
    }
    put_claims_text(b, v);
}

static void put_lines_json(struct buf *b, const struct verdict *v)
{
    static const char *const states[] = {"na", "ok", "failed", "missing"};
    for (size_t l = 0; l < ATTEST_LINKS; l++) {
        const struct attest_line *line = &v->line[l];
        put_fmt(b, "%s\"%s\":{\"state\":\"%s\",\"code\":\"%s\",\"reason\":", l > 0 ? "," : "",
                attest_link_name((enum attest_link)l), states[line->state], line->code);
        put_json_str(b, bytes_str(line->reason));
        if (line->subject != NULL) {
            put_str(b, ",\"subject\":");
            put_json_str(b, bytes_str(line->subject));
        }
        if (line->offset != ATTEST_NO_OFFSET) {
            put_fmt(b, ",\"offset\":%zu", line->offset);
        }
        if (line->fix != NULL) {
            put_str(b, ",\"fix\":");
            put_json_str(b, bytes_str(line->fix));
        }
        put_u8(b, '}');
    }
}

void attest_put_json(struct buf *b, const struct verdict *v)
{
    put_fmt(b, "{\"accepted\":%s,\"verified\":%s,\"simulated\":%s,\"kind\":",
            v->accepted ? "true" : "false", v->verified ? "true" : "false",
            v->simulated ? "true" : "false");
    if (v->kind != NULL) {
        put_json_str(b, bytes_str(v->kind));
    } else {
        put_str(b, "null");
    }
    put_str(b, ",\"title\":");
    put_json_str(b, bytes_str(v->title != NULL ? v->title : ""));
    put_str(b, ",\"envelope\":");
    put_json_str(b, bytes_str(v->envelope));
    if (v->simulated) {
        put_str(b, ",\"warning\":\"" SIMULATED_TEXT "\"");
    }
    enum attest_link first = attest_first_broken(v);
    put_str(b, ",\"broken\":");
    if (first < ATTEST_LINKS) {
        put_json_str(b, bytes_str(attest_link_name(first)));
    } else {
        put_str(b, "null");
    }
    put_str(b, ",\"summary\":");
    BUF_FREE s = buf_new(4096);
    attest_put_summary(&s, v);
    put_json_str(b, buf_bytes(&s));
    put_str(b, ",\"links\":{");
    put_lines_json(b, v);
    put_fmt(b, "},\"tcb\":\"%s\",\"advisories\":[", attest_tcb_name(v->tcb));
    for (size_t i = 0; i < v->n_advisory; i++) {
        put_str(b, i > 0 ? "," : "");
        put_json_str(b, v->advisory[i]);
    }
    put_str(b, v->verified ? "],\"claims\":{" : "],\"unverified_claims\":{");
    for (size_t i = 0; i < v->n_claim; i++) {
        put_fmt(b, "%s\"%s\":", i > 0 ? "," : "", v->claim[i].name);
        put_value(b, &v->claim[i], true);
    }
    put_str(b, "}}");
}
