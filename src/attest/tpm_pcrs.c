/* SPDX-License-Identifier: Apache-2.0 */
/* tpm_pcrs.c - the registers behind a quote's digest: values that came along, or those that the
 * event log replays to. Only values whose digest is the quote's become claims. */
#include "attest/eventlog_int.h"

enum { TOOLS_FILE = 668 }; /* tpm2_quote's file with one selection and one list of digests */

static size_t bank_digest(const struct tpm_bank *b)
{
    enum pk_hash h;
    return tpm_hash(b->alg, &h) ? pk_digest_size(h) : 0;
}

static bool selected(const struct tpm_bank *b, size_t i)
{
    return (b->mask >> i & 1) != 0;
}

static size_t count_selected(const struct tpm_bank *b)
{
    size_t n = 0;
    for (size_t i = 0; i < TPM_PCRS; i++) {
        n += selected(b, i) ? 1 : 0;
    }
    return n;
}

/* Values one after the other: the selected ones, or all 24 of the one bank. */
static bool read_raw(struct tpm_pcrs *p, const struct tpm_quote *q, struct bytes b)
{
    size_t want = 0;
    for (size_t k = 0; k < q->n_bank; k++) {
        want += bank_digest(&q->bank[k]) * count_selected(&q->bank[k]);
    }
    bool all = q->n_bank == 1 && b.n == TPM_PCRS * bank_digest(&q->bank[0]);
    if (b.n == 0 || (b.n != want && !all)) {
        return false;
    }
    struct cur r = cur_of(b);
    for (size_t k = 0; k < q->n_bank; k++) {
        size_t n = bank_digest(&q->bank[k]);
        for (size_t i = 0; i < TPM_PCRS; i++) {
            if (all || selected(&q->bank[k], i)) {
                memcpy(p->v[k][i], take_bytes(&r, n).p, n);
            }
        }
    }
    return true;
}

/* What tpm2_quote writes: TPML_PCR_SELECTION and TPML_DIGEST as a little-endian machine keeps them
 * in memory (132 bytes; a count; lists of 532 bytes with up to eight values of 64). */
static bool read_tools(struct tpm_pcrs *p, const struct tpm_quote *q, struct bytes b)
{
    struct cur r = cur_of(b);
    uint64_t n = take_le(&r, 4);
    if (b.n < TOOLS_FILE || (b.n - 136) % 532 != 0 || n != q->n_bank) {
        return false;
    }
    for (size_t k = 0; k < 16; k++) {
        uint64_t alg = take_le(&r, 2), size = take_le(&r, 1), mask = take_le(&r, 4);
        (void)take_bytes(&r, 1);
        if (k < n && (alg != q->bank[k].alg || size > 4 || (uint32_t)mask != q->bank[k].mask)) {
            return false;
        }
    }
    uint64_t lists = take_le(&r, 4);
    size_t bank = 0, reg = 0;
    if (lists != (b.n - 136) / 532) {
        return false;
    }
    for (uint64_t i = 0; i < lists; i++) {
        uint64_t used = take_le(&r, 4);
        for (uint64_t k = 0; k < 8; k++) {
            uint64_t size = take_le(&r, 2);
            struct bytes v = take_bytes(&r, TPM_DIGEST_MAX);
            if (k >= used) {
                continue;
            }
            while (bank < n && (reg >= TPM_PCRS || !selected(&q->bank[bank], reg))) {
                reg = reg >= TPM_PCRS ? 0 : reg + 1;
                bank += reg == 0 ? 1 : 0;
            }
            if (bank >= n || size != bank_digest(&q->bank[bank])) {
                return false;
            }
            memcpy(p->v[bank][reg++], v.p, (size_t)size);
        }
    }
    return rc_ok(cur_end(&r));
}

static bool digest_is(const struct tpm_quote *q, const struct tpm_pcrs *p)
{
    static const enum pk_hash hashes[] = {PK_SHA1, PK_SHA256, PK_SHA384, PK_SHA512};
    uint8_t all[TPM_SELECTIONS * TPM_PCRS * TPM_DIGEST_MAX], d[64];
    size_t n = 0;
    for (size_t k = 0; k < q->n_bank; k++) {
        size_t size = bank_digest(&q->bank[k]);
        for (size_t i = 0; i < TPM_PCRS; i++) {
            if (selected(&q->bank[k], i)) {
                memcpy(all + n, p->v[k][i], size);
                n += size;
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) { /* the size says which hash it is */
        if (pk_digest_size(hashes[i]) == q->digest.n) {
            pk_digest(d, hashes[i], (struct bytes){all, n});
            return memcmp(d, q->digest.p, q->digest.n) == 0;
        }
    }
    return false;
}

static bool from_log(struct tpm_pcrs *p, const struct tpm_quote *q, const struct evlog *l)
{
    for (size_t k = 0; k < q->n_bank; k++) {
        const struct evlog_bank *b = evlog_bank_of(l, q->bank[k].alg);
        if (b == NULL) {
            return false;
        }
        memcpy(p->v[k], b->pcr, sizeof(b->pcr));
    }
    return q->n_bank > 0;
}

/* Registers that the log extends have the values that it replays to; false: the first other one. */
static bool log_explains(const struct tpm_pcrs *p, const struct tpm_quote *q, const struct evlog *l,
                         size_t *reg, bool *bound)
{
    for (size_t k = 0; k < q->n_bank; k++) {
        const struct evlog_bank *b = evlog_bank_of(l, q->bank[k].alg);
        for (size_t i = 0; b != NULL && i < TPM_PCRS; i++) {
            if ((b->touched >> i & 1) == 0 || !selected(&q->bank[k], i)) {
                continue;
            }
            *bound = true;
            *reg = i;
            if (memcmp(b->pcr[i], p->v[k][i], bank_digest(&q->bank[k])) != 0) {
                return false;
            }
        }
    }
    return true;
}

bool tpm_names_pcrs(const char *name)
{
    return name != NULL && memmem(name, strlen(name), "pcr", 3) != NULL;
}

static void find_values(struct attest_ctx *c, const struct tpm_quote *q, struct tpm_pcrs *p,
                        const char **wrong)
{
    const struct attest_item *it;
    for (size_t i = 0; !p->known && (it = attest_item_at(c, i)) != NULL; i++) {
        if (read_tools(p, q, it->data) || read_raw(p, q, it->data)) {
            p->known = digest_is(q, p);
            if (!p->known && tpm_names_pcrs(it->name)) {
                *wrong = it->name;
            }
        }
    }
}

void tpm_judge_registers(struct attest_ctx *c, const struct tpm_quote *q)
{
    struct tpm_pcrs *p = ARENA_NEW(c->a, struct tpm_pcrs);
    const char *wrong = NULL;
    const struct evlog *l = evlog_find(c, false);
    size_t reg = 0;
    bool bound = false;
    if (p == NULL) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "memory", .reason = "no memory left");
        return;
    }
    find_values(c, q, p, &wrong);
    if (!p->known && wrong != NULL) {
        (void)attest_fail(c, ATTEST_BINDING, .code = "pcr-digest", .subject = wrong,
                          .reason = "the register values are not those whose digest is quoted",
                          .fix = "read the registers again together with the quote");
        return;
    }
    if (!p->known && l != NULL && from_log(p, q, l)) {
        p->known = digest_is(q, p);
        if (!p->known) {
            (void)attest_fail(c, ATTEST_BINDING, .code = "event-log-differs",
                              .reason = "the event log does not replay to the quoted registers",
                              .fix = "give the log of the same boot, or the register values");
            return;
        }
    }
    if (!p->known) {
        attest_pass(c, ATTEST_BINDING,
                    "only the digest of the registers is known: give their "
                    "values to have rules over them");
        return;
    }
    for (size_t k = 0; k < q->n_bank; k++) {
        for (size_t i = 0; i < TPM_PCRS; i++) {
            if (selected(&q->bank[k], i)) {
                claim_bytes(c, attest_textf(c, "tpm.pcr.%s.%zu", tpm_hash_name(q->bank[k].alg), i),
                            (struct bytes){p->v[k][i], bank_digest(&q->bank[k])});
            }
        }
    }
    if (l != NULL && !log_explains(p, q, l, &reg, &bound)) {
        (void)attest_fail(
            c, ATTEST_BINDING, .code = "event-log-differs",
            .reason = attest_textf(c, "the event log does not replay to the quoted PCR %zu", reg),
            .fix = "give the log of the same boot, taken when the quote was made");
        return;
    }
    if (bound) {
        evlog_claims(c, l);
    }
    attest_pass(c, ATTEST_BINDING,
                bound ? "the quote covers the registers, and the event log replays to them"
                      : "the quote covers the register values");
}
