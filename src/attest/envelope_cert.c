/* SPDX-License-Identifier: Apache-2.0 */
/* envelope_cert.c - quotes inside of X.509 certificates (RA-TLS), and behind Open Enclave's header.
 *
 * The certificate's key is what the quote vouches for, so opening it also says what the report data
 * must be: in the older form (extension 1.2.840.113741.1337.6, the quote as it is) SHA-256 of the
 * SubjectPublicKeyInfo; in TCG DICE's (2.23.133.5.4.9, CBOR 60000([quote, claims])) SHA-256 of the
 * claims, whose "pubkey-hash" is the hash of the key. Who presents the certificate must also prove
 * that it has the key: that is TLS, not this. SPEC attestation 1.2 */
#include "attest/attest_int.h"
#include "crypto/x509.h"
#include "encoding/cborpull.h"
#include "encoding/pem.h"

#define OID_QUOTE BYTES_LIT("\x2a\x86\x48\x86\xf8\x4d\x8a\x39\x06")
#define OID_DICE  BYTES_LIT("\x67\x81\x05\x05\x04\x09")

enum { TAG_QUOTE = 60000 };

static bool fail(struct attest_ctx *c, const char *reason)
{
    return attest_fail(c, ATTEST_BINDING, .code = "certificate-key", .reason = reason,
                       .fix = "the certificate was not made for this key: ask for a new one");
}

/* "pubkey-hash": bytes that are CBOR [algorithm, hash]; algorithms of the IANA named information
 * registry: 1 SHA-256, 7 SHA-384, 8 SHA-512. */
static bool check_key_hash(struct bytes value, struct bytes spki)
{
    static const struct {
        uint64_t id;
        enum pk_hash hash;
    } known[] = {{1, PK_SHA256}, {7, PK_SHA384}, {8, PK_SHA512}};
    struct cur c = cur_of(value);
    struct cbor_seq s;
    uint8_t digest[64];
    cbor_take_array(&c, &s, CBOR_DEFINITE);
    uint64_t left = s.left, id = cbor_take_uint(&c);
    struct bytes hash = cbor_take_bytes(&c);
    if (!rc_ok(cur_end(&c)) || left != 2) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].id == id) {
            pk_digest(digest, known[i].hash, spki);
            return bytes_eq(hash, (struct bytes){digest, pk_digest_size(known[i].hash)});
        }
    }
    return false;
}

static bool check_claims(struct bytes claims, struct bytes spki)
{
    struct cur c = cur_of(claims);
    struct cbor_seq s;
    bool bound = false;
    cbor_take_map(&c, &s, CBOR_DEFINITE);
    while (cbor_more(&c, &s)) {
        struct bytes key = cbor_key_text(&c, &s);
        if (bytes_eq(key, BYTES_LIT("pubkey-hash"))) {
            bound = check_key_hash(cbor_take_bytes(&c), spki);
        } else {
            (void)cbor_skip(&c, CBOR_DEFINITE);
        }
    }
    return rc_ok(cur_end(&c)) && bound;
}

static bool open_dice(struct attest_ctx *c, struct bytes value, struct bytes spki,
                      struct bytes *quote, struct bytes *hashed)
{
    struct cur r = cur_of(value);
    struct cbor_seq s;
    if (cbor_take_tag(&r) != TAG_QUOTE) {
        return false;
    }
    cbor_take_array(&r, &s, CBOR_DEFINITE);
    bool two = s.left == 2;
    *quote = cbor_take_bytes(&r);
    *hashed = cbor_take_bytes(&r);
    if (!rc_ok(cur_end(&r)) || !two) {
        return false;
    }
    if (!check_claims(*hashed, spki)) {
        (void)fail(c, "the evidence in the certificate was not made for the certificate's key");
    }
    return true;
}

bool attest_open_certificate(struct attest_ctx *c, struct bytes in, struct bytes *out)
{
    struct bytes der = in, hashed;
    struct cur pem = cur_of(in);
    const char *why;
    if (in.n < 64 || (in.p[0] != 0x30 && in.p[0] != '-')) {
        return false;
    }
    struct x509 *x = ARENA_NEW(c->a, struct x509);
    uint8_t *digest = arena_alloc(c->a, 64);
    if (x == NULL || digest == NULL ||
        (in.p[0] == '-' && !rc_ok(pem_take_arena(&der, c->a, &pem, "CERTIFICATE"))) ||
        !rc_ok(x509_parse(x, der, &why))) {
        return false;
    }
    const struct x509_ext *dice = x509_ext_find(x, OID_DICE), *quote = x509_ext_find(x, OID_QUOTE);
    if (dice != NULL) { /* the newer form counts when both are there */
        if (!open_dice(c, dice->value, x->spki, out, &hashed)) {
            return false;
        }
    } else if (quote != NULL) {
        *out = quote->value;
        hashed = x->spki;
    } else {
        return false;
    }
    pk_digest(digest, PK_SHA256, hashed);
    c->bound = (struct bytes){digest, 32};
    return true;
}

bool attest_open_enclave(struct attest_ctx *c, struct bytes in, struct bytes *out)
{
    struct cur r = cur_of(in);
    (void)c;
    uint64_t version = take_le(&r, 4), type = take_le(&r, 4), size = take_le(&r, 8);
    if (r.bad != NULL || version != 1 || type != 2 || size != r.n || size < 48) {
        return false;
    }
    *out = take_bytes(&r, size);
    return true;
}
