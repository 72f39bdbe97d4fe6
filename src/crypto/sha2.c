/* SPDX-License-Identifier: Apache-2.0 */
/* The low-level SHA calls are deprecated in OpenSSL 3 in favour of EVP, which allocates for every
 * digest; they are the same code underneath and stay in the library's ABI. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/sha2.h"

#include <openssl/crypto.h>

void sha256_init(struct sha256 *s)
{
    (void)SHA256_Init(&s->ctx);
}

void sha256_add(struct sha256 *s, struct bytes b)
{
    if (b.n > 0) {
        (void)SHA256_Update(&s->ctx, b.p, b.n);
    }
}

struct hash sha256_done(struct sha256 *s)
{
    struct hash h;
    (void)SHA256_Final(h.b, &s->ctx);
    return h;
}

struct hash sha256(struct bytes b)
{
    return sha256_2(b, (struct bytes){0});
}

struct hash sha256_2(struct bytes a, struct bytes b)
{
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, a);
    sha256_add(&s, b);
    return sha256_done(&s);
}

void sha384(uint8_t out[48], struct bytes b)
{
    (void)SHA384(b.n > 0 ? b.p : (const uint8_t *)"", b.n, out);
}

void sha512(uint8_t out[64], struct bytes b)
{
    (void)SHA512(b.n > 0 ? b.p : (const uint8_t *)"", b.n, out);
}

/* RFC 2104 over a message in up to three parts, so that HKDF needs no copy. */
static struct hash hmac3(struct bytes key, const struct bytes part[3])
{
    uint8_t pad[64] = {0};
    struct sha256 s;
    if (key.n > sizeof(pad)) {
        struct hash k = sha256(key);
        memcpy(pad, k.b, sizeof(k.b));
    } else if (key.n > 0) {
        memcpy(pad, key.p, key.n);
    }
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36;
    }
    sha256_init(&s);
    sha256_add(&s, (struct bytes){pad, sizeof(pad)});
    for (size_t i = 0; i < 3; i++) {
        sha256_add(&s, part[i]);
    }
    struct hash inner = sha256_done(&s);
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    struct hash outer = sha256_2((struct bytes){pad, sizeof(pad)}, BYTES_OF(inner));
    OPENSSL_cleanse(pad, sizeof(pad));
    OPENSSL_cleanse(&s, sizeof(s));
    return outer;
}

struct hash hmac_sha256(struct bytes key, struct bytes msg)
{
    return hmac3(key, (struct bytes[3]){msg});
}

rc hkdf_sha256(uint8_t *out, size_t out_size, struct bytes key, struct bytes salt,
               struct bytes info)
{
    struct hash prk = hmac_sha256(salt, key), t = {0};
    if (out_size > (size_t)255 * 32) {
        return RC(LIMIT);
    }
    uint8_t count = 1;
    for (size_t done = 0; done < out_size; count++) {
        struct bytes prev = {t.b, done == 0 ? 0 : sizeof(t.b)};
        t = hmac3(BYTES_OF(prk), (struct bytes[3]){prev, info, BYTES_OF(count)});
        size_t part = MIN(out_size - done, sizeof(t.b));
        memcpy(out + done, t.b, part);
        done += part;
    }
    OPENSSL_cleanse(&prk, sizeof(prk));
    OPENSSL_cleanse(&t, sizeof(t));
    return RC_OK;
}
