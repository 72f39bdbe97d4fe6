/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/cose.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "encoding/cborpull.h"

/* Common header parameters, RFC 9052 3.1. */
enum { LABEL_ALG = 1, LABEL_CRIT = 2 };

/* A header map. alg NULL: the unprotected one, where neither alg nor crit may be. */
static void take_header(struct cur *c, struct cose *m, bool is_protected)
{
    struct cbor_seq s;
    cbor_take_map(c, &s, CBOR_DEFINITE);
    while (cbor_more(c, &s)) {
        if (cbor_peek(c) == CBOR_TEXT) {
            (void)cbor_key_text(c, &s);
            (void)cbor_skip(c, CBOR_DEFINITE);
            continue;
        }
        int64_t label = cbor_key_int(c, &s);
        if (label == LABEL_CRIT) {
            cur_fail(c, "cose: a critical header that is not known");
        } else if (label == LABEL_ALG && !is_protected) {
            cur_fail(c, "cose: the algorithm is not protected by the signature");
        } else if (label == LABEL_ALG) {
            m->alg = cbor_take_int(c);
            m->has_alg = true;
        } else {
            (void)cbor_skip(c, CBOR_DEFINITE);
        }
    }
}

static void take_tag(struct cose *m, struct cur *c)
{
    m->tag = cbor_take_tag_if(c, COSE_SIGN1)  ? COSE_SIGN1
             : cbor_take_tag_if(c, COSE_MAC0) ? COSE_MAC0
                                              : COSE_UNTAGGED;
}

rc cose_take(struct cose *m, struct cur *c)
{
    struct cbor_seq s;
    *m = (struct cose){0};
    take_tag(m, c);
    cbor_take_array(c, &s, CBOR_DEFINITE);
    if (s.left != 4) {
        cur_fail(c, "cose: not four elements");
    }
    m->protected = cbor_take_bytes(c);
    if (m->protected.n > COSE_PROTECTED_MAX) {
        cur_fail(c, "cose: the protected header is too large");
    }
    struct cur header = cur_of(m->protected);
    if (header.n > 0) {
        take_header(&header, m, true);
        if (!rc_ok(cur_end(&header))) {
            cur_fail(c, header.bad != NULL ? header.bad : "cose: bytes behind the header map");
        }
    }
    take_header(c, m, false);
    m->payload = cbor_take_bytes(c);
    m->sig = cbor_take_bytes(c);
    return c->bad == NULL ? RC_OK : RC(MALFORMED);
}

bool cose_begins(struct bytes b, enum cose_tag *tag, struct cur *payload)
{
    struct cose m;
    struct cbor_seq s;
    struct cur c = cur_of(b);
    take_tag(&m, &c);
    *tag = m.tag;
    cbor_take_array(&c, &s, CBOR_DEFINITE);
    (void)cbor_take_bytes(&c);
    if (cbor_peek(&c) != CBOR_MAP || s.left != 4) {
        return false;
    }
    (void)cbor_skip(&c, CBOR_DEFINITE);
    if (cbor_peek(&c) != CBOR_BYTES) {
        return false;
    }
    /* the head of the payload's string, whose end may be missing */
    size_t info = c.p[0] & 31, head = info < 24   ? 1
                                      : info < 28 ? 1 + ((size_t)1 << (info - 24))
                                                  : 0;
    if (head == 0 || head > c.n) {
        return false;
    }
    (void)take_bytes(&c, head);
    *payload = c;
    return true;
}

/* --- Sig_structure and MAC_structure (RFC 9052 4.4, 6.3) ----------------------------------------- */

enum { PREFIX_MAX = COSE_PROTECTED_MAX + 32 };

static size_t put_head(uint8_t *p, unsigned major, size_t n)
{
    size_t size = n < 24 ? 0 : n < 256 ? 1 : n < 65536 ? 2 : 4;
    static const uint8_t info[] = {0, 24, 25, 0, 26};
    p[0] = (uint8_t)(major << 5 | (size == 0 ? n : info[size]));
    for (size_t i = 0; i < size; i++) {
        p[1 + i] = (uint8_t)(n >> 8 * (size - 1 - i));
    }
    return 1 + size;
}

/* All of the structure but the payload's bytes. An empty protected header is an empty string. */
static size_t put_prefix(uint8_t out[PREFIX_MAX], const struct cose *m, const char *context)
{
    size_t n = put_head(out, CBOR_ARRAY, 4), len = strlen(context);
    n += put_head(out + n, CBOR_TEXT, len);
    memcpy(out + n, context, len);
    n += len;
    n += put_head(out + n, CBOR_BYTES, m->protected.n);
    if (m->protected.n > 0) {
        memcpy(out + n, m->protected.p, m->protected.n);
        n += m->protected.n;
    }
    n += put_head(out + n, CBOR_BYTES, 0); /* no external data */
    return n + put_head(out + n, CBOR_BYTES, m->payload.n);
}

static bool algorithm(int64_t alg, enum pk_kind *kind, enum pk_hash *hash)
{
    switch (alg) {
    case COSE_ES256:
    case COSE_ESP256:
        *kind = PK_P256;
        *hash = PK_SHA256;
        return true;
    case COSE_ES384:
    case COSE_ESP384:
        *kind = PK_P384;
        *hash = PK_SHA384;
        return true;
    case COSE_ES512:
    case COSE_ESP512:
        *kind = PK_P521;
        *hash = PK_SHA512;
        return true;
    default:
        return false;
    }
}

rc cose_verify_sign1(const struct cose *m, const struct pubkey *key)
{
    enum pk_kind kind;
    enum pk_hash hash;
    uint8_t prefix[PREFIX_MAX], digest[64];
    if (m->tag == COSE_MAC0 || !m->has_alg || !algorithm(m->alg, &kind, &hash) ||
        key->kind != kind) {
        return RC(MALFORMED);
    }
    size_t n = put_prefix(prefix, m, "Signature1");
    pk_digest_2(digest, hash, (struct bytes){prefix, n}, m->payload);
    return pk_verify_ecdsa_raw(key, (struct bytes){digest, pk_digest_size(hash)}, m->sig);
}

rc cose_verify_mac0(const struct cose *m, struct bytes key)
{
    uint8_t prefix[PREFIX_MAX], tag[64];
    unsigned size = 0;
    const EVP_MD *md = m->alg == COSE_HMAC256   ? EVP_sha256()
                       : m->alg == COSE_HMAC384 ? EVP_sha384()
                       : m->alg == COSE_HMAC512 ? EVP_sha512()
                                                : NULL;
    if (m->tag != COSE_MAC0 || !m->has_alg || md == NULL || key.n == 0 || key.n > 128) {
        return RC(MALFORMED);
    }
    size_t n = put_prefix(prefix, m, "MAC0");
    BUF_FREE text = buf_new(n + m->payload.n);
    put_mem(&text, prefix, n);
    put_bytes(&text, m->payload);
    if (!rc_ok(buf_end(&text)) || HMAC(md, key.p, (int)key.n, text.p, text.n, tag, &size) == NULL) {
        return RC(IO);
    }
    return m->sig.n == size && CRYPTO_memcmp(m->sig.p, tag, size) == 0 ? RC_OK : RC(DENIED);
}

/* RFC 9053 7.1. */
rc cose_take_key(struct pubkey *k, uint8_t point[132], struct bytes key)
{
    enum { KTY = 1, CRV = -1, X = -2, Y = -3, KTY_EC2 = 2 };
    struct cur c = cur_of(key);
    struct cbor_seq s;
    struct bytes x = {0}, y = {0};
    int64_t kty = 0, crv = 0;
    cbor_take_map(&c, &s, CBOR_DEFINITE);
    while (cbor_more(&c, &s)) {
        int64_t label = cbor_key_int(&c, &s);
        if (label == KTY) {
            kty = cbor_take_int(&c);
        } else if (label == CRV) {
            crv = cbor_take_int(&c);
        } else if (label == X) {
            x = cbor_take_bytes(&c);
        } else if (label == Y) {
            y = cbor_take_bytes(&c);
        } else {
            (void)cbor_skip(&c, CBOR_DEFINITE);
        }
    }
    TRY(cur_end(&c));
    static const enum pk_kind curves[] = {PK_NONE, PK_P256, PK_P384, PK_P521};
    *k = (struct pubkey){.kind = crv > 0 && crv < 4 ? curves[crv] : PK_NONE};
    size_t size = pk_coordinate(k->kind);
    if (kty != KTY_EC2 || size == 0 || x.n != size || y.n != size) {
        return RC(MALFORMED);
    }
    memcpy(point, x.p, size);
    memcpy(point + size, y.p, size);
    k->point = (struct bytes){point, 2 * size};
    return RC_OK;
}
