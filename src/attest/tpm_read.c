/* SPDX-License-Identifier: Apache-2.0 */
/* tpm_read.c - TPM structures, read. Big-endian throughout. */
#include "attest/tpm_int.h"

enum { ST_ATTEST_QUOTE = 0x8018 };

static const uint8_t magic[4] = {0xff, 'T', 'C', 'G'};

bool tpm_hash(uint16_t alg, enum pk_hash *out)
{
    static const struct {
        uint16_t alg;
        enum pk_hash hash;
    } rows[] = {{TPM_SHA1, PK_SHA1},
                {TPM_SHA256, PK_SHA256},
                {TPM_SHA384, PK_SHA384},
                {TPM_SHA512, PK_SHA512}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].alg == alg) {
            *out = rows[i].hash;
            return true;
        }
    }
    return false;
}

const char *tpm_hash_name(uint16_t alg)
{
    switch (alg) {
    case TPM_SHA1:
        return "sha1";
    case TPM_SHA256:
        return "sha256";
    case TPM_SHA384:
        return "sha384";
    case TPM_SHA512:
        return "sha512";
    default:
        return NULL;
    }
}

static struct bytes take_2b(struct cur *c)
{
    return take_bytes(c, (size_t)take_be(c, 2));
}

/* --- TPMS_ATTEST -------------------------------------------------------------------------------- */

bool tpm_is_attest(struct bytes b)
{
    return b.n >= 6 && memcmp(b.p, magic, sizeof(magic)) == 0;
}

static const char *take_selections(struct cur *r, struct tpm_quote *q)
{
    q->n_bank = (size_t)take_be(r, 4);
    if (q->n_bank > TPM_SELECTIONS) {
        return "more PCR selections than there are kinds of banks";
    }
    for (size_t i = 0; i < q->n_bank; i++) {
        struct tpm_bank *b = &q->bank[i];
        b->alg = (uint16_t)take_be(r, 2);
        size_t n = (size_t)take_be(r, 1);
        struct bytes map = take_bytes(r, n);
        if (n > 4 || tpm_hash_name(b->alg) == NULL) {
            return "a PCR selection of an unknown bank or size";
        }
        for (size_t k = 0; k < map.n; k++) {
            b->mask |= (uint32_t)map.p[k] << 8 * k;
        }
        if (b->mask >> TPM_PCRS != 0) {
            return "a PCR beyond number 23 is selected";
        }
    }
    return NULL;
}

bool tpm_quote_read(struct attest_ctx *c, struct tpm_quote *q, struct bytes b)
{
    struct cur r = cur_of(b);
    *q = (struct tpm_quote){.all = b};
    struct bytes m = take_bytes(&r, sizeof(magic));
    uint64_t type = take_be(&r, 2);
    if (m.n != sizeof(magic) || memcmp(m.p, magic, sizeof(magic)) != 0) {
        /* a key that is not restricted could have signed anything that looks alike */
        return attest_fail(c, ATTEST_FORMAT, .code = "magic", .at = 1,
                           .reason = "not made inside a TPM: the magic is not TPM_GENERATED");
    }
    if (type != ST_ATTEST_QUOTE) {
        return attest_fail(c, ATTEST_FORMAT, .code = "not-a-quote", .at = 5,
                           .reason = attest_textf(c, "attestation of type %04x is no quote (8018)",
                                                  (unsigned)type));
    }
    q->signer = take_2b(&r);
    q->extra = take_2b(&r);
    q->clock = take_be(&r, 8);
    q->reset_count = (uint32_t)take_be(&r, 4);
    q->restart_count = (uint32_t)take_be(&r, 4);
    q->safe = (uint8_t)take_be(&r, 1);
    q->firmware = take_bytes(&r, 8);
    const char *why = take_selections(&r, q);
    q->digest = take_2b(&r);
    if (why == NULL && r.bad != NULL) {
        why = "the quote is truncated";
    }
    if (why == NULL && r.n > 0) {
        why = "bytes follow the quote";
    }
    if (why == NULL && (q->safe > 1 || q->signer.n > 66 || q->extra.n > TPM_DIGEST_MAX)) {
        why = "a field of the quote is out of its range";
    }
    if (why == NULL && q->digest.n != 20 && q->digest.n != 32 && q->digest.n != 48 &&
        q->digest.n != 64) {
        why = "the PCR digest is of no known hash's size";
    }
    if (why != NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "malformed", .reason = why,
                           .at = (r.bad != NULL ? b.n : (size_t)(r.p - b.p)) + 1);
    }
    return true;
}

void tpm_quote_claims(struct attest_ctx *c, const struct tpm_quote *q)
{
    claim_bytes(c, "nonce", q->extra);
    claim_bytes(c, "tpm.qualified_signer", q->signer);
    claim_bytes(c, "tpm.extra_data", q->extra);
    claim_u64(c, "tpm.clock", q->clock);
    claim_u64(c, "tpm.reset_count", q->reset_count);
    claim_u64(c, "tpm.restart_count", q->restart_count);
    claim_bool(c, "tpm.safe", q->safe == 1);
    claim_bytes(c, "tpm.firmware", q->firmware);
    claim_bytes(c, "tpm.pcr_digest", q->digest);
    for (size_t i = 0; i < q->n_bank; i++) {
        claim_u64(c, attest_textf(c, "tpm.pcr_select.%s", tpm_hash_name(q->bank[i].alg)),
                  q->bank[i].mask);
    }
}

/* --- TPMT_PUBLIC -------------------------------------------------------------------------------- */

/* TPMT_SYM_DEF_OBJECT and the scheme with its details. */
static void take_schemes(struct cur *r, struct tpm_public *p)
{
    if (take_be(r, 2) != TPM_NULL) {
        (void)take_be(r, 4); /* key bits, mode */
    }
    p->scheme = (uint16_t)take_be(r, 2);
    if (p->scheme != TPM_NULL && p->scheme != 0x15) { /* RSAES has no details */
        p->scheme_hash = (uint16_t)take_be(r, 2);
    }
}

static struct bytes strip(struct bytes v)
{
    while (v.n > 1 && v.p[0] == 0) {
        v = (struct bytes){v.p + 1, v.n - 1};
    }
    return v;
}

static bool take_rsa(struct cur *r, struct tpm_public *p, struct arena *a)
{
    take_schemes(r, p);
    uint64_t bits = take_be(r, 2), e = take_be(r, 4);
    p->key = (struct pubkey){.kind = PK_RSA, .n = strip(take_2b(r)), .e = BYTES_LIT("\x01\0\x01")};
    if (e != 0 && e != 65537) {
        uint8_t *v = arena_alloc(a, 4);
        if (v == NULL) {
            return false;
        }
        for (size_t i = 0; i < 4; i++) {
            v[i] = (uint8_t)(e >> (24 - 8 * i));
        }
        p->key.e = strip((struct bytes){v, 4});
    }
    return p->key.n.n * 8 == bits;
}

static bool take_ecc(struct cur *r, struct tpm_public *p, struct arena *a)
{
    take_schemes(r, p);
    if (p->scheme == 0x1a) { /* ECDAA's count */
        (void)take_be(r, 2);
    }
    uint64_t curve = take_be(r, 2);
    if (take_be(r, 2) != TPM_NULL) {
        (void)take_be(r, 2);
    }
    struct bytes x = take_2b(r), y = take_2b(r);
    p->key.kind = curve == 3 ? PK_P256 : curve == 4 ? PK_P384 : curve == 5 ? PK_P521 : PK_NONE;
    size_t n = pk_coordinate(p->key.kind);
    uint8_t *point = n > 0 && x.n <= n && y.n <= n ? arena_alloc(a, 2 * n) : NULL;
    if (point == NULL || r->bad != NULL || x.n == 0 || y.n == 0) {
        return false;
    }
    memcpy(point + n - x.n, x.p, x.n);
    memcpy(point + 2 * n - y.n, y.p, y.n);
    p->key.point = (struct bytes){point, 2 * n};
    return true;
}

bool tpm_public_read(struct tpm_public *p, struct arena *a, struct bytes b)
{
    if (b.n > 2 && (size_t)(b.p[0] << 8 | b.p[1]) == b.n - 2) { /* TPM2B_PUBLIC */
        b = (struct bytes){b.p + 2, b.n - 2};
    }
    struct cur r = cur_of(b);
    *p = (struct tpm_public){.all = b};
    uint64_t type = take_be(&r, 2);
    p->name_alg = (uint16_t)take_be(&r, 2);
    p->attributes = (uint32_t)take_be(&r, 4);
    if (b.n < 16 || (type != TPM_RSA && type != TPM_ECC) || tpm_hash_name(p->name_alg) == NULL) {
        return false;
    }
    (void)take_2b(&r); /* authorisation policy */
    bool good = type == TPM_RSA ? take_rsa(&r, p, a) : take_ecc(&r, p, a);
    return good && rc_ok(cur_end(&r));
}

bool tpm_key_eq(const struct pubkey *a, const struct pubkey *b)
{
    return a->kind == b->kind && a->kind != PK_NONE &&
           (a->kind == PK_RSA ? bytes_eq(a->n, b->n) && bytes_eq(a->e, b->e)
                              : bytes_eq(a->point, b->point));
}

size_t tpm_name(uint8_t out[2 + TPM_DIGEST_MAX], const struct tpm_public *p)
{
    enum pk_hash h;
    if (!tpm_hash(p->name_alg, &h)) {
        return 0;
    }
    out[0] = (uint8_t)(p->name_alg >> 8);
    out[1] = (uint8_t)p->name_alg;
    pk_digest(out + 2, h, p->all);
    return 2 + pk_digest_size(h);
}

/* --- signatures --------------------------------------------------------------------------------- */

static bool check_ecdsa(const struct pubkey *key, enum pk_hash h, struct bytes msg, struct cur *r)
{
    uint8_t digest[64], rs[2 * 66] = {0};
    struct bytes x = strip(take_2b(r)), y = strip(take_2b(r));
    size_t n = pk_coordinate(key->kind);
    if (!rc_ok(cur_end(r)) || n == 0 || x.n > n || y.n > n || x.n == 0 || y.n == 0) {
        return false;
    }
    memcpy(rs + n - x.n, x.p, x.n);
    memcpy(rs + 2 * n - y.n, y.p, y.n);
    pk_digest(digest, h, msg);
    return rc_ok(pk_verify_ecdsa_raw(key, (struct bytes){digest, pk_digest_size(h)},
                                     (struct bytes){rs, 2 * n}));
}

/* TPMT_SIGNATURE: 1 it verifies, 0 it does not, -1 the bytes are none. */
static int check_tpmt(const struct tpm_quote *q, const struct pubkey *key, struct bytes sig,
                      const char **scheme)
{
    struct cur r = cur_of(sig);
    uint16_t alg = (uint16_t)take_be(&r, 2);
    enum pk_hash h;
    uint8_t digest[64];
    bool rsa = alg == TPM_RSASSA || alg == TPM_RSAPSS;
    if ((!rsa && alg != TPM_ECDSA) || !tpm_hash((uint16_t)take_be(&r, 2), &h)) {
        return -1;
    }
    if (!rsa) {
        struct cur probe = r;
        (void)take_2b(&probe);
        (void)take_2b(&probe);
        *scheme = "ECDSA";
        return !rc_ok(cur_end(&probe)) ? -1 : check_ecdsa(key, h, q->all, &r) ? 1 : 0;
    }
    struct bytes s = take_2b(&r);
    if (!rc_ok(cur_end(&r))) {
        return -1;
    }
    pk_digest(digest, h, q->all);
    struct bytes d = {digest, pk_digest_size(h)};
    *scheme = alg == TPM_RSASSA ? "RSASSA" : "RSAPSS";
    if (key->kind != PK_RSA || s.n != key->n.n) {
        return 0;
    }
    return rc_ok(alg == TPM_RSASSA ? pk_verify_rsa_pkcs1(key, h, d, s)
                                   : pk_verify_rsa_pss(key, h, d, s, -1))
               ? 1
               : 0;
}

/* The signature's bytes alone, as some attesters send them: RSASSA with the hash of the PCR digest. */
static int check_raw(const struct tpm_quote *q, const struct pubkey *key, struct bytes sig,
                     const char **scheme)
{
    uint8_t digest[64];
    enum pk_hash h = q->digest.n == 20   ? PK_SHA1
                     : q->digest.n == 48 ? PK_SHA384
                     : q->digest.n == 64 ? PK_SHA512
                                         : PK_SHA256;
    if (key->kind != PK_RSA || sig.n != key->n.n) {
        return -1;
    }
    pk_digest(digest, h, q->all);
    *scheme = "RSASSA";
    return rc_ok(pk_verify_rsa_pkcs1(key, h, (struct bytes){digest, pk_digest_size(h)}, sig)) ? 1
                                                                                              : 0;
}

int tpm_signed_by(const struct attest_ctx *c, const struct tpm_quote *q, const struct pubkey *key,
                  const char **scheme)
{
    const struct attest_item *it;
    int result = -1;
    for (size_t i = 0; result < 1 && (it = attest_item_at(c, i)) != NULL; i++) {
        int r = check_tpmt(q, key, it->data, scheme);
        if (r < 0) {
            r = check_raw(q, key, it->data, scheme);
        }
        result = MAX(result, r);
    }
    return result;
}
