/* SPDX-License-Identifier: Apache-2.0 */
/* intel_store.c - sorts collateral by what its bytes are. Copies nothing but what must be decoded. */
#include "attest/intel_int.h"
#include "encoding/hex.h"
#include "encoding/jsonpull.h"
#include "encoding/pem.h"

static const char *keep_cert(struct intel_store *s, const char *item, struct bytes der)
{
    const char *why = NULL;
    for (size_t i = 0; i < s->n_cert; i++) {
        if (bytes_eq(s->cert[i]->x.der, der)) {
            return NULL; /* roots come with every chain */
        }
    }
    for (size_t i = 0; s->more != NULL && i < s->more->n_cert && s->n_cert < STORE_CERTS; i++) {
        if (bytes_eq(s->more->cert[i]->x.der, der)) {
            s->cert[s->n_cert++] = s->more->cert[i];
            return NULL;
        }
    }
    struct intel_cert *c = s->n_cert < STORE_CERTS ? ARENA_NEW(s->a, struct intel_cert) : NULL;
    if (c == NULL) {
        s->full = true;
        return NULL;
    }
    if (!rc_ok(x509_parse(&c->x, der, &why))) {
        return why;
    }
    c->item = item;
    s->cert[s->n_cert++] = c;
    return NULL;
}

static const char *keep_crl(struct intel_store *s, const char *item, struct bytes der)
{
    const char *why = NULL;
    struct intel_crl *c = s->n_crl < STORE_CRLS ? ARENA_NEW(s->a, struct intel_crl) : NULL;
    if (c == NULL) {
        s->full = true;
        return NULL;
    }
    if (!rc_ok(x509_crl_parse(&c->crl, der, &why))) {
        return why;
    }
    c->item = item;
    s->crl[s->n_crl++] = c;
    return NULL;
}

static void note(struct intel_store *s, const char *item, const char *why)
{
    if (why != NULL && s->why == NULL) {
        s->unreadable = item;
        s->why = why;
    }
}

static void add_der(struct intel_store *s, const char *item, struct bytes der)
{
    const char *why = keep_cert(s, item, der);
    if (why != NULL && keep_crl(s, item, der) == NULL) {
        why = NULL;
    }
    note(s, item, why);
}

bool intel_store_add_pem(struct intel_store *s, const char *item, struct bytes pem,
                         const char **why)
{
    struct cur c = cur_of(pem);
    for (;;) {
        struct bytes der;
        rc r = pem_take_arena(&der, s->a, &c, "CERTIFICATE");
        if (r.code == RC_CODE_NOT_FOUND) {
            return true;
        }
        if (!rc_ok(r)) {
            *why = "pem: malformed block";
            return false;
        }
        *why = keep_cert(s, item, der);
        if (*why != NULL) {
            return false;
        }
    }
}

static void add_pem(struct intel_store *s, const char *item, struct bytes pem)
{
    const char *why = NULL;
    struct cur c = cur_of(pem);
    struct bytes der;
    rc r = RC_OK;
    if (!intel_store_add_pem(s, item, pem, &why)) {
        note(s, item, why);
    }
    while (rc_ok(r = pem_take_arena(&der, s->a, &c, "X509 CRL"))) {
        note(s, item, keep_crl(s, item, der));
    }
    if (r.code != RC_CODE_NOT_FOUND) {
        note(s, item, "pem: malformed block");
    }
}

/* CRLs are also served as hexadecimal text. */
static void add_hex(struct intel_store *s, const char *item, struct bytes text)
{
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) {
        text.n--;
    }
    uint8_t *p = arena_alloc(s->a, text.n / 2 + 1);
    if (p == NULL) {
        s->full = true;
    } else if (rc_ok(hex_decode_exact(p, text.n / 2, text))) {
        add_der(s, item, (struct bytes){p, text.n / 2});
    }
}

static void add_json(struct intel_store *s, const char *item, struct bytes text)
{
    static const char *const members[] = {"tcbInfo", "enclaveIdentity"};
    struct jp j = jp_of(text);
    struct bytes key;
    size_t m = ARRAY_LEN(members);
    jp_object(&j);
    while (m == ARRAY_LEN(members) && jp_key(&j, &key)) {
        for (m = 0; m < ARRAY_LEN(members) && !bytes_eq(key, bytes_str(members[m])); m++) {
        }
        if (m == ARRAY_LEN(members)) {
            (void)jp_skip(&j);
        }
    }
    if (m == ARRAY_LEN(members)) {
        return; /* some other document */
    }
    struct intel_json *o = s->n_json < STORE_JSONS ? ARENA_NEW(s->a, struct intel_json) : NULL;
    if (o == NULL) {
        s->full = true;
        return;
    }
    o->is_tcb = m == 0;
    o->item = item;
    if (rc_ok(signed_json_parse(&o->inner, o->sig, text, members[m], &o->bad))) {
        o->bad = NULL;
    }
    s->json[s->n_json++] = o;
}

/* Open Enclave's endorsements: version 1, type 2 (SGX and TDX), size, count, offsets, then the
 * elements: version, TCB info, its chain, PCK CRL, root CRL, CRL issuers, QE identity, its chain,
 * creation time. Some writers have a reserved word behind the count. SPEC attestation 1.2 */
static bool add_endorsements(struct intel_store *s, const char *item, struct bytes data)
{
    enum { ELEMENTS = 9, HEAD = 16 };
    struct cur c = cur_of(data);
    uint64_t version = take_le(&c, 4), type = take_le(&c, 4), size = take_le(&c, 4);
    uint64_t count = take_le(&c, 4), at[ELEMENTS];
    if (c.bad != NULL || version != 1 || type != 2 || count != ELEMENTS) {
        return false;
    }
    if (data.n == HEAD + 4 + size) {
        (void)take_le(&c, 4);
    } else if (data.n != HEAD + size) {
        return false;
    }
    size_t whole = c.n;
    for (size_t i = 0; i < ELEMENTS; i++) {
        at[i] = take_le(&c, 4);
    }
    if (c.bad != NULL) {
        return false;
    }
    /* Offsets count from the first element, or from the table of offsets. */
    uint64_t base = at[0] == whole - c.n ? at[0] : 0;
    for (size_t i = 0; i < ELEMENTS; i++) {
        uint64_t end = i + 1 < ELEMENTS ? at[i + 1] - base : c.n;
        uint64_t start = at[i] - base;
        if (at[i] < base || start > end || end > c.n) {
            note(s, item, "endorsements: offsets are not in order");
            return true;
        }
        struct bytes element = {c.p + start, end - start};
        while (element.n > 0 && element.p[element.n - 1] == 0 && i != 3 && i != 4) {
            element.n--; /* texts end in a NUL */
        }
        if (i >= 1 && i <= 7 && element.n > 0) {
            intel_store_add(s, item, element);
        }
    }
    return true;
}

void intel_store_add(struct intel_store *s, const char *item, struct bytes data)
{
    size_t i = 0;
    while (i < data.n &&
           (data.p[i] == ' ' || data.p[i] == '\n' || data.p[i] == '\r' || data.p[i] == '\t')) {
        i++;
    }
    struct bytes text = {data.p + i, data.n - i};
    if (text.n < 16) {
        return;
    }
    if (text.p[0] == '{') {
        add_json(s, item, text);
    } else if (data.p[0] == 0x30 && data.p[1] >= 0x80) {
        add_der(s, item, data);
    } else if (memcmp(text.p, "30", 2) == 0) {
        add_hex(s, item, text);
    } else if (memcmp(text.p, "-----BEGIN ", 11) == 0) {
        add_pem(s, item, text);
    } else if (!add_endorsements(s, item, data) &&
               memmem(text.p, MIN(text.n, 4096), "-----BEGIN ", 11) != NULL) {
        add_pem(s, item, text); /* some tools write the subject in front */
    }
}

struct intel_cert *intel_cert_at(const struct intel_store *s, size_t i)
{
    for (; s != NULL; s = s->more) {
        if (i < s->n_cert) {
            return s->cert[i];
        }
        i -= s->n_cert;
    }
    return NULL;
}

struct intel_crl *intel_crl_at(const struct intel_store *s, size_t i)
{
    for (; s != NULL; s = s->more) {
        if (i < s->n_crl) {
            return s->crl[i];
        }
        i -= s->n_crl;
    }
    return NULL;
}

struct intel_json *intel_json_at(const struct intel_store *s, size_t i)
{
    for (; s != NULL; s = s->more) {
        if (i < s->n_json) {
            return s->json[i];
        }
        i -= s->n_json;
    }
    return NULL;
}

static bool same_key(const struct pubkey *a, const struct pubkey *b)
{
    return a->kind == b->kind && a->kind == PK_P256 && bytes_eq(a->point, b->point);
}

bool intel_cert_signed_by(struct intel_cert *c, const struct pubkey *key)
{
    return same_key(&c->signer, key) || rc_ok(x509_signed_by(&c->x, key));
}

bool intel_crl_signed_by(struct intel_crl *c, const struct pubkey *key)
{
    return same_key(&c->signer, key) || rc_ok(x509_crl_signed_by(&c->crl, key));
}

bool intel_json_signed_by(struct intel_json *j, const struct pubkey *key)
{
    uint8_t digest[64];
    if (same_key(&j->signer, key)) {
        return true;
    }
    pk_digest(digest, PK_SHA256, j->inner);
    return rc_ok(pk_verify_ecdsa_raw(key, (struct bytes){digest, 32}, (struct bytes){j->sig, 64}));
}

bool intel_named(struct bytes name, const char *common_name)
{
    return bytes_eq(x509_name_attr(name, BYTES_LIT("\x55\x04\x03")), bytes_str(common_name));
}

bool intel_valid_at(const struct x509 *x, int64_t now)
{
    return x->not_before <= now && now <= x->not_after;
}
