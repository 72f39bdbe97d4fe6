/* SPDX-License-Identifier: Apache-2.0 */
/* intel_hold.c - collateral that lives longer than one verification: who signed which piece is found
 * out once. A verification then only compares keys. */
#include "attest/intel_int.h"

/* Intel SGX Root CA: SHA-256 of its SubjectPublicKeyInfo is a0af0312…6c67a49e. */
static const uint8_t root_point[64] = {
    0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
    0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5,
    0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac,
    0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
};

const struct pubkey intel_root_key = {.kind = PK_P256, .point = {root_point, sizeof(root_point)}};

struct attest_held {
    struct intel_store intel;
};

const struct intel_store *intel_held(const struct attest_input *in)
{
    return in->held != NULL ? &in->held->intel : NULL;
}

/* The i-th key that may have signed something named `issuer`; false past the end. */
static bool key_at(struct pubkey *key, const struct intel_store *s, const struct attest_input *in,
                   struct bytes issuer, size_t i)
{
    *key = (struct pubkey){0};
    if (i < s->n_cert) {
        const struct x509 *ca = &s->cert[i]->x;
        *key = bytes_eq(ca->subject, issuer) ? ca->key : *key;
        return true;
    }
    i -= s->n_cert;
    if (i == 0) {
        *key = intel_named(issuer, "Intel SGX Root CA") ? intel_root_key : *key;
        return true;
    }
    i--;
    if (i < in->n_anchor) {
        struct x509 x;
        const char *why;
        const struct attest_anchor *a = &in->anchor[i];
        if (a->type == ATTEST_ANCHOR_CERT && rc_ok(x509_parse(&x, a->data, &why))) {
            *key = bytes_eq(x.subject, issuer) ? x.key : *key;
        } else if (a->type == ATTEST_ANCHOR_KEY && !rc_ok(x509_parse_spki(key, a->data, &why))) {
            *key = (struct pubkey){0};
        }
        return true;
    }
    return false;
}

/* The key is kept with the piece, so its bytes must live as long: an anchor's do not. */
static void remember(struct intel_store *s, struct pubkey *signer, const struct pubkey *key)
{
    uint8_t *p = arena_alloc(s->a, key->point.n);
    if (p == NULL) {
        s->full = true;
        return;
    }
    memcpy(p, key->point.p, key->point.n);
    *signer = (struct pubkey){.kind = key->kind, .point = {p, key->point.n}};
}

void intel_hold(struct intel_store *s, const struct attest_input *in)
{
    struct pubkey key;
    for (size_t i = 0; i < s->n_cert; i++) {
        struct intel_cert *c = s->cert[i];
        for (size_t k = 0; c->signer.kind == PK_NONE && key_at(&key, s, in, c->x.issuer, k); k++) {
            if (key.kind == PK_P256 && intel_cert_signed_by(c, &key)) {
                remember(s, &c->signer, &key);
            }
        }
    }
    for (size_t i = 0; i < s->n_crl; i++) {
        struct intel_crl *c = s->crl[i];
        for (size_t k = 0; c->signer.kind == PK_NONE && key_at(&key, s, in, c->crl.issuer, k);
             k++) {
            if (key.kind == PK_P256 && intel_crl_signed_by(c, &key)) {
                remember(s, &c->signer, &key);
            }
        }
    }
    for (size_t i = 0; i < s->n_json; i++) {
        struct intel_json *o = s->json[i];
        for (size_t k = 0; o->bad == NULL && o->signer.kind == PK_NONE && k < s->n_cert; k++) {
            const struct x509 *x = &s->cert[k]->x;
            if (x->key.kind == PK_P256 && intel_named(x->subject, "Intel SGX TCB Signing") &&
                intel_json_signed_by(o, &x->key)) {
                remember(s, &o->signer, &x->key);
            }
        }
    }
}

rc attest_hold(struct attest_held **out, const struct attest_input *in, struct arena *keep)
{
    struct attest_held *h = ARENA_NEW(keep, struct attest_held);
    if (h == NULL) {
        return RC(LIMIT);
    }
    h->intel.a = keep;
    for (size_t i = 0; i < in->n_item; i++) {
        const struct attest_item *item = &in->item[i];
        size_t name_size = item->name != NULL ? strlen(item->name) + 1 : 1;
        char *name = arena_alloc(keep, name_size);
        uint8_t *data = arena_alloc(keep, item->data.n);
        if (name == NULL || data == NULL) {
            return RC(LIMIT);
        }
        memcpy(name, item->name != NULL ? item->name : "", name_size);
        memcpy(data, item->data.n > 0 ? item->data.p : (const uint8_t *)"", item->data.n);
        intel_store_add(&h->intel, name, (struct bytes){data, item->data.n});
    }
    intel_hold(&h->intel, in);
    *out = h;
    return h->intel.full ? RC(LIMIT) : RC_OK;
}
