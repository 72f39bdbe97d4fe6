/* SPDX-License-Identifier: Apache-2.0 */
/* receipt_evidence.c - the enclave's evidence in a receipt: does it belong to this task, and is it
 * what the reader's policy asks for? The binding is that of docs/sms.md. */
#include <stdio.h>

#include "cmd/receipt_int.h"
#include "daemon/sms/sms.h"
#include "encoding/base64.h"
#include "encoding/hex.h"

struct one {
    struct provision_binding b;
    struct hash agent;
    const char *kind;
    struct bytes evidence;
    uint8_t report_data[64];
};

static rc hash_member(struct hash *out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return js_hash(out, &j, e);
}

static rc text_member(const char **out, const struct js *o, const char *key, struct err *e)
{
    struct js j = js_key(o, key);
    return js_str(out, &j, e);
}

static rc take_one(struct one *out, struct arena *a, const json_t *j, struct err *e)
{
    struct js top = js_top(j), pub = js_key(&top, "publicKey"), ev = js_key(&top, "evidence");
    BUF_FREE raw = buf_new(ATTEST_EVIDENCE_MAX);
    const char *text = NULL;
    TRY(js_object(&top, e));
    TRY(text_member(&out->kind, &top, "kind", e));
    TRY(text_member(&out->b.session, &top, "sessionId", e));
    TRY(hash_member(&out->b.task, &top, "taskId", e));
    TRY(hash_member(&out->b.nonce, &top, "nonce", e));
    TRY(hash_member(&out->b.image, &top, "image", e));
    TRY(hash_member(&out->agent, &top, "agent", e));
    TRY(js_str(&text, &pub, e));
    if (strlen(out->b.session) > PROVISION_SESSION_MAX ||
        !rc_ok(hex_decode_exact(out->b.public_key, sizeof(out->b.public_key), bytes_str(text)))) {
        return js_err(&pub, e, "must be 64 bytes, of a session with a short name");
    }
    TRY(js_str(&text, &ev, e));
    if (!rc_ok(base64_decode(&raw, bytes_str(text)))) {
        return js_err(&ev, e, "must be base64 of at most %zu bytes", ATTEST_EVIDENCE_MAX);
    }
    uint8_t *p = arena_alloc(a, raw.n + 1);
    if (p == NULL) {
        return js_err(&ev, e, "is too large");
    }
    memcpy(p, raw.p, raw.n);
    out->evidence = (struct bytes){p, raw.n};
    provision_report_data(out->report_data, &out->b);
    return RC_OK;
}

/* When the task's last transaction was sealed: evidence is judged as of then. */
static int64_t time_of(const struct proven *p)
{
    uint64_t t = 0;
    for (size_t i = 0; i < p->n; i++) {
        t = MAX(t, p->txs[i].timestamp);
    }
    return (int64_t)t;
}

/* Simulated evidence names its image in the measurement; hardware's agent vouches for the image in
 * the report data alone. */
static bool names_image(const struct verdict *v, const struct one *o)
{
    const struct attest_claim *c = attest_claim_find(v, "measurement");
    struct hash m = provision_measurement(o->agent, o->b.image);
    return !v->simulated || (c != NULL && bytes_eq(c->bytes, BYTES_OF(m)));
}

static void show_one(struct receipt_lines *out, const struct proven *p, const struct one *o,
                     const struct receipt_judge *how)
{
    static struct verdict v; /* some 10 KiB */
    struct attest_input in = {.evidence = o->evidence,
                              .item = how->item,
                              .n_item = how->n_item,
                              .anchor = how->anchor,
                              .n_anchor = how->n_anchor,
                              .policy = &how->policy,
                              .now = time_of(p),
                              .kind = o->kind,
                              .report_data = BYTES_OF(o->report_data)};
    struct arena scratch;
    char image[HEX_HASH_MAX], line[300];
    BUF_FREE text = buf_new(1024);
    arena_init(&scratch, ATTEST_SCRATCH);
    bool accepted = attest_verify(&v, &in, &scratch);
    bool bound = v.line[ATTEST_BINDING].state == ATTEST_OK && names_image(&v, o) &&
                 hash_eq(o->b.task, p->task);
    receipt_line(out, bound, "evidence of kind %s %s this task and the image %s%s", o->kind,
                 bound ? "binds" : "does NOT bind", hex_hash(image, o->b.image),
                 v.simulated ? " (SIMULATED: no hardware protected this task)" : "");
    attest_put_summary(&text, &v);
    (void)snprintf(line, sizeof(line), "%.250s", buf_cstr(&text));
    if (how->given) {
        receipt_line(out, accepted, "judged by your policy as of the last block: %s", line);
    } else {
        receipt_line(out, true,
                     "not judged: say what you trust with --policy, --anchor, --collateral");
    }
    arena_reset(&scratch);
}

void receipt_evidence(struct receipt_lines *out, const struct proven *p, struct arena *a,
                      const struct receipt_judge *how)
{
    size_t i;
    json_t *j;
    struct err e = {0};
    if (p->evidence == NULL) {
        return;
    }
    if (!json_is_array(p->evidence)) {
        receipt_line(out, false, "evidence: must be a list");
        return;
    }
    json_array_foreach(p->evidence, i, j)
    {
        struct one o = {0};
        if (rc_ok(take_one(&o, a, j, &e))) {
            show_one(out, p, &o, how);
        } else {
            receipt_line(out, false, "evidence %zu cannot be read: %s", i, e.msg);
        }
    }
}
