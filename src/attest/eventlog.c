/* SPDX-License-Identifier: Apache-2.0 */
/* eventlog.c - event logs, replayed. */
#include "attest/eventlog_int.h"

/* TCG_EVENTTYPE */
enum {
    EV_NO_ACTION = 3,
    EV_SEPARATOR = 4,
    EV_ACTION = 5,
    EV_S_CRTM_VERSION = 8,
    EV_IPL = 0x0d,
};
#define EV_VARIABLE_DRIVER_CONFIG 0x80000001u
#define EV_VARIABLE_BOOT          0x80000002u
#define EV_GPT_EVENT              0x80000006u
#define EV_EFI_ACTION             0x80000007u
#define EV_VARIABLE_AUTHORITY     0x800000e0u

enum { EVENTS_MAX = 8192, HEADER = 32 };

#define SPEC_ID          BYTES_LIT("Spec ID Event03\0")
#define STARTUP_LOCALITY BYTES_LIT("StartupLocality\0")

struct event {
    uint32_t reg, type;
    struct bytes digest[EVLOG_BANKS]; /* by the log's banks; empty: none for this bank */
    struct bytes data;
};

static bool begins(struct bytes b, struct bytes with)
{
    return b.n >= with.n && memcmp(b.p, with.p, with.n) == 0;
}

/* A first event of a plausible register and type, and where it is crypto-agile its name. */
bool evlog_is(struct bytes b)
{
    struct cur r = cur_of(b);
    uint64_t reg = take_le(&r, 4), type = take_le(&r, 4);
    (void)take_bytes(&r, 20);
    uint64_t size = take_le(&r, 4);
    struct bytes data = take_bytes(&r, (size_t)size);
    if (r.bad != NULL || reg > 1) {
        return false;
    }
    if (type == EV_NO_ACTION) {
        return begins(data, SPEC_ID);
    }
    return reg == 0 && (type == EV_S_CRTM_VERSION || type == 1 || type == 7) && size > 0 &&
           size <= 4096;
}

const struct evlog_bank *evlog_bank_of(const struct evlog *l, uint16_t alg)
{
    for (size_t i = 0; i < l->n_bank; i++) {
        if (l->bank[i].alg == alg) {
            return &l->bank[i];
        }
    }
    return NULL;
}

/* --- what an event's data says ------------------------------------------------------------------ */

/* Types whose digest the profile defines as the hash of the data. */
static bool must_hash(uint32_t type)
{
    return type == EV_SEPARATOR || type == EV_ACTION || type == EV_S_CRTM_VERSION ||
           type == EV_VARIABLE_DRIVER_CONFIG || type == EV_VARIABLE_BOOT || type == EV_GPT_EVENT ||
           type == EV_EFI_ACTION || type == EV_VARIABLE_AUTHORITY;
}

static bool hashes_to(const struct evlog *l, const struct event *e, struct bytes data)
{
    size_t banks = 0;
    for (size_t i = 0; i < l->n_bank; i++) {
        enum pk_hash h;
        uint8_t d[64];
        if (e->digest[i].n == 0 || !tpm_hash(l->bank[i].alg, &h)) {
            continue;
        }
        pk_digest(d, h, data);
        if (memcmp(d, e->digest[i].p, e->digest[i].n) != 0) {
            return false;
        }
        banks++;
    }
    return banks > 0;
}

struct variable {
    struct bytes name, value; /* name: UTF-16LE */
};

/* UEFI_VARIABLE_DATA */
static bool read_variable(struct variable *v, struct bytes data)
{
    struct cur r = cur_of(data);
    (void)take_bytes(&r, 16);
    uint64_t chars = take_le(&r, 8), size = take_le(&r, 8);
    if (chars > data.n || size > data.n) {
        return false;
    }
    v->name = take_bytes(&r, (size_t)chars * 2);
    v->value = take_bytes(&r, (size_t)size);
    return rc_ok(cur_end(&r));
}

/* Boot loaders hash the text behind the word that says what it is, without the NUL. */
static struct bytes text_behind(struct bytes data, struct bytes word)
{
    if (!begins(data, word)) {
        return (struct bytes){0};
    }
    struct bytes t = {data.p + word.n, data.n - word.n};
    if (t.n > 0 && t.p[t.n - 1] == 0) {
        t.n--;
    }
    return t;
}

static bool is_printable(struct bytes t)
{
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < 0x20 || t.p[i] > 0x7e) {
            return false;
        }
    }
    return t.n > 0;
}

static void read_loader(struct evlog *l, const struct event *e)
{
    static const struct bytes words[] = {
        {(const uint8_t *)"kernel_cmdline: ", 16},
        {(const uint8_t *)"grub_kernel_cmdline ", 20},
        {(const uint8_t *)"grub_cmd: ", 10},
        {(const uint8_t *)"grub_cmd ", 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct bytes t = text_behind(e->data, words[i]);
        if (t.n > 0 && hashes_to(l, e, t)) {
            l->n_hashed++;
            if (i < 2 && is_printable(t)) {
                l->cmdline = t;
            }
            return;
        }
    }
}

static void read_data(struct evlog *l, const struct event *e, size_t at)
{
    struct variable v = {0};
    bool variable = e->type == EV_VARIABLE_DRIVER_CONFIG || e->type == EV_VARIABLE_BOOT;
    bool readable = variable && read_variable(&v, e->data);
    if (e->type == EV_IPL) {
        read_loader(l, e);
    }
    if (!must_hash(e->type)) {
        return;
    }
    bool whole = hashes_to(l, e, e->data);
    if (!whole && !(e->type == EV_VARIABLE_BOOT && readable && hashes_to(l, e, v.value))) {
        l->forged_at = l->forged_at == 0 ? at + 1 : l->forged_at;
        return;
    }
    l->n_hashed++;
    if (whole && e->type == EV_S_CRTM_VERSION) {
        l->crtm = e->data;
    }
    if (whole && readable && e->type == EV_VARIABLE_DRIVER_CONFIG && v.value.n == 1 &&
        bytes_eq(v.name, BYTES_LIT("S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0"))) {
        l->secure_boot = v.value.p[0] == 1 ? 1 : 0;
    }
}

/* --- replay ------------------------------------------------------------------------------------- */

static void start_registers(struct evlog *l)
{
    for (size_t i = 0; i < l->n_bank; i++) {
        for (size_t k = 17; k <= 22 && !l->cc; k++) { /* of dynamic launches: all ones */
            memset(l->bank[i].pcr[k], 0xff, TPM_DIGEST_MAX);
        }
    }
}

static const char *take_spec_id(struct evlog *l, struct bytes data)
{
    struct cur r = cur_of(data);
    (void)take_bytes(&r, SPEC_ID.n);
    (void)take_bytes(&r, 8); /* class, version, errata, size of an integer */
    uint64_t n = take_le(&r, 4);
    if (n == 0 || n > EVLOG_BANKS) {
        return "the log names no hash or more than four";
    }
    for (; l->n_bank < n; l->n_bank++) {
        enum pk_hash h;
        uint16_t alg = (uint16_t)take_le(&r, 2);
        uint64_t size = take_le(&r, 2);
        if (!tpm_hash(alg, &h) || size != pk_digest_size(h) || evlog_bank_of(l, alg) != NULL) {
            return "the log names an unknown hash, a wrong size or the same one twice";
        }
        l->bank[l->n_bank].alg = alg;
    }
    (void)take_bytes(&r, (size_t)take_le(&r, 1));
    return rc_ok(cur_end(&r)) ? NULL : "the log's first event is malformed";
}

static const char *extend(struct evlog *l, const struct event *e)
{
    if (e->reg >= (l->cc ? 5 : TPM_PCRS)) {
        return "an event names a register that does not exist";
    }
    for (size_t i = 0; i < l->n_bank; i++) {
        struct evlog_bank *b = &l->bank[i];
        enum pk_hash h;
        uint8_t both[2 * TPM_DIGEST_MAX];
        size_t n = e->digest[i].n;
        if (n == 0 || !tpm_hash(b->alg, &h)) {
            return "an event lacks the digest of a bank";
        }
        memcpy(both, b->pcr[e->reg], n);
        memcpy(both + n, e->digest[i].p, n);
        pk_digest(b->pcr[e->reg], h, (struct bytes){both, 2 * n});
        b->touched |= 1U << e->reg;
    }
    return NULL;
}

static const char *no_action(struct evlog *l, const struct event *e)
{
    if (e->data.n != STARTUP_LOCALITY.n + 1 || !begins(e->data, STARTUP_LOCALITY)) {
        return NULL;
    }
    uint8_t locality = e->data.p[STARTUP_LOCALITY.n];
    for (size_t i = 0; i < l->n_bank; i++) {
        enum pk_hash h;
        if ((l->bank[i].touched & 1) != 0 || locality > 4 || !tpm_hash(l->bank[i].alg, &h)) {
            return "the startup locality comes after events, or is none";
        }
        l->bank[i].pcr[0][pk_digest_size(h) - 1] = locality;
    }
    return NULL;
}

static const char *take_digests(struct evlog *l, struct cur *r, struct event *e)
{
    uint64_t n = take_le(r, 4);
    if (n == 0 || n > EVLOG_BANKS) {
        return r->bad != NULL ? "the log is truncated" : "an event has no digests or too many";
    }
    for (uint64_t k = 0; k < n; k++) {
        uint16_t alg = (uint16_t)take_le(r, 2);
        const struct evlog_bank *b = evlog_bank_of(l, alg);
        enum pk_hash h;
        if (r->bad != NULL || b == NULL || !tpm_hash(alg, &h) || e->digest[b - l->bank].n > 0) {
            return "an event's digest is of a hash that the log does not name, or comes twice";
        }
        e->digest[b - l->bank] = take_bytes(r, pk_digest_size(h));
    }
    return NULL;
}

static const char *take_event(struct evlog *l, struct cur *r, size_t at)
{
    struct event e = {0};
    const char *why = NULL;
    e.reg = (uint32_t)take_le(r, 4);
    e.type = (uint32_t)take_le(r, 4);
    if (l->legacy) {
        e.digest[0] = take_bytes(r, 20);
    } else {
        why = take_digests(l, r, &e);
    }
    e.data = take_bytes(r, (size_t)take_le(r, 4));
    if (why != NULL || r->bad != NULL) {
        return why != NULL ? why : "the log is truncated";
    }
    if (l->n_event++ >= EVENTS_MAX) {
        return "more events than any real log has";
    }
    if (e.type == EV_NO_ACTION) {
        return no_action(l, &e);
    }
    why = extend(l, &e);
    if (why == NULL) {
        read_data(l, &e, at);
    }
    return why;
}

/* Behind the last event: nothing, or the rest of the firmware's table, all ones or all zero. */
static bool at_end(const struct cur *r)
{
    if (r->n == 0) {
        return true;
    }
    if (r->p[0] != 0xff && r->p[0] != 0) {
        return false;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (r->p[i] != r->p[0]) {
            return false;
        }
        /* zeroes could be an event of register 0, but none is of type 0 with nothing in it */
    }
    return true;
}

bool evlog_replay(struct evlog *l, struct bytes b, const char **why, size_t *at)
{
    struct cur r = cur_of(b), head;
    *l = (struct evlog){.secure_boot = -1};
    *why = NULL;
    *at = 0;
    uint64_t reg = take_le(&r, 4), type = take_le(&r, 4);
    l->legacy = type != EV_NO_ACTION;
    head = r;
    if (l->legacy) {
        l->bank[0].alg = TPM_SHA1;
        l->n_bank = 1;
        r = cur_of(b);
    } else {
        (void)take_bytes(&head, 20);
        struct bytes data = take_bytes(&head, (size_t)take_le(&head, 4));
        if (head.bad == NULL && begins(data, SPEC_ID)) {
            *why = take_spec_id(l, data);
            r = head;
        } else { /* an old log may begin with another event that extends nothing */
            *why = "the log's first event is not its specification";
        }
        l->cc = reg == 1;
    }
    start_registers(l);
    while (*why == NULL && !at_end(&r)) {
        *at = (size_t)(r.p - b.p);
        *why = take_event(l, &r, *at);
    }
    return *why == NULL;
}

/* --- bound to evidence -------------------------------------------------------------------------- */

const struct evlog *evlog_find(struct attest_ctx *c, bool cc)
{
    const struct attest_item *it;
    for (size_t i = 0; (it = attest_item_at(c, i)) != NULL; i++) {
        if (it->data.n > ATTEST_EVIDENCE_MAX || !evlog_is(it->data)) {
            continue;
        }
        struct evlog *l = ARENA_NEW(c->a, struct evlog);
        const char *why = "no memory left";
        size_t at = 0;
        if (l == NULL || !evlog_replay(l, it->data, &why, &at)) {
            (void)attest_fail(
                c, ATTEST_BINDING, .code = "event-log", .subject = it->name,
                .reason = attest_textf(c, "the event log: %s (event at byte %zu)", why, at));
            return NULL;
        }
        if (l->cc != cc) {
            continue;
        }
        if (l->forged_at > 0) {
            (void)attest_fail(c, ATTEST_BINDING, .code = "event-data", .subject = it->name,
                              .reason = attest_textf(
                                  c, "the data of the event at byte %zu is not what was measured",
                                  l->forged_at - 1));
            return NULL;
        }
        return l;
    }
    return NULL;
}

void evlog_claims(struct attest_ctx *c, const struct evlog *l)
{
    claim_u64(c, "eventlog.events", l->n_event);
    claim_u64(c, "eventlog.events_proved", l->n_hashed);
    if (l->secure_boot >= 0) {
        claim_bool(c, "eventlog.secure_boot", l->secure_boot == 1);
    }
    if (l->cmdline.n > 0) {
        claim_text(c, "eventlog.kernel_cmdline", l->cmdline);
    }
    if (l->crtm.n > 0) {
        claim_bytes(c, "eventlog.crtm_version", l->crtm);
    }
}

void evlog_bind_rtmrs(struct attest_ctx *c, const struct bytes rtmr[4])
{
    const struct evlog *l = evlog_find(c, true);
    const struct evlog_bank *b = l != NULL ? evlog_bank_of(l, TPM_SHA384) : NULL;
    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        if ((b->touched >> (i + 1) & 1) != 0 && memcmp(b->pcr[i + 1], rtmr[i].p, 48) != 0) {
            (void)attest_fail(
                c, ATTEST_BINDING, .code = "event-log-differs",
                .reason = attest_textf(c, "the event log does not replay to RTMR%zu", i),
                .fix = "give the log of the same boot, taken when the quote was made");
            return;
        }
    }
    evlog_claims(c, l);
    attest_pass(c, ATTEST_BINDING, "the event log replays to the quote's registers");
}

/* --- a log on its own --------------------------------------------------------------------------- */

static bool decode(struct attest_ctx *c)
{
    struct evlog *l = ARENA_NEW(c->a, struct evlog);
    const char *why = "no memory left";
    size_t at = 0;
    if (l == NULL || !evlog_replay(l, c->evidence, &why, &at)) {
        return attest_fail(c, ATTEST_FORMAT, .code = "malformed", .reason = why, .at = at + 1);
    }
    c->parsed = l;
    if (l->legacy) {
        c->v->title = "TCG event log, SHA-1 form";
        return attest_fail(c, ATTEST_FORMAT, .code = "legacy-format",
                           .reason = "the log is of the old form that has SHA-1 digests alone",
                           .fix = "take the crypto-agile log from the firmware");
    }
    c->v->title = l->cc ? "CC event log" : "TCG crypto-agile event log";
    for (size_t i = 0; i < l->n_bank; i++) {
        const struct evlog_bank *b = &l->bank[i];
        enum pk_hash h;
        for (size_t k = 0; k < TPM_PCRS && tpm_hash(b->alg, &h); k++) {
            if ((b->touched >> k & 1) != 0) {
                claim_bytes(c, attest_textf(c, "eventlog.%zu:%s", k, tpm_hash_name(b->alg)),
                            (struct bytes){b->pcr[k], pk_digest_size(h)});
            }
        }
    }
    evlog_claims(c, l);
    return true;
}

static void verify(struct attest_ctx *c)
{
    const struct evlog *l = c->parsed;
    const char *fix =
        "judge the quote of the same boot, with this log in the folder given as --collateral";
    (void)attest_missing(c, ATTEST_SIGNATURE, .code = "not-signed", .fix = fix,
                         .reason =
                             "a log is not signed: it is true when a quote states the same "
                             "registers");
    (void)attest_missing(c, ATTEST_CHAIN, .code = "not-signed", .fix = fix,
                         .reason = "no key to trust");
    if (l->forged_at > 0) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "event-data", .at = l->forged_at,
                          .reason = "the data of this event is not what was measured");
        return;
    }
    attest_pass(c, ATTEST_BINDING, "the log replays, and its data is what was measured");
}

const struct attest_backend attest_backend_eventlog = {
    .name = "eventlog",
    .title = "event log",
    .identify = evlog_is,
    .decode = decode,
    .verify = verify,
};
