/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aes.h"

#include <limits.h>
#include <openssl/evp.h>

#include "crypto/secret.h"

enum { IV_SIZE = 16, BLOCK = 16, NONCE_SIZE = 12, TAG_SIZE = 16 };

static void ctx_free(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

#define CTX_FREE __attribute__((cleanup(ctx_free))) EVP_CIPHER_CTX

/* One pass of `in` through an initialised context to out, padding included. EVP counts in int, so
 * long inputs go in pieces. */
static rc run_cipher(struct buf *out, EVP_CIPHER_CTX *c, struct bytes in)
{
    size_t start = out->n, done = 0;
    uint8_t *to = buf_grow(out, in.n + BLOCK);
    if (to == NULL) {
        return RC(LIMIT);
    }
    int n = 0;
    bool good = true;
    for (size_t off = 0; good && off < in.n;) {
        size_t part = MIN(in.n - off, (size_t)1 << 30);
        good = EVP_CipherUpdate(c, to + done, &n, in.p + off, (int)part) == 1;
        off += part;
        done += (size_t)n;
    }
    n = 0;
    good = good && EVP_CipherFinal_ex(c, to + done, &n) == 1;
    if (!good) {
        mem_wipe(to, in.n + BLOCK);
        out->n = start;
        return RC(DENIED);
    }
    out->n = start + done + (size_t)n;
    return RC_OK;
}

rc aes_cbc_encrypt(struct buf *out, const uint8_t key[32], const uint8_t iv[16], struct bytes plain)
{
    CTX_FREE *c = EVP_CIPHER_CTX_new();
    if (c == NULL || EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv, 1) != 1) {
        return RC(IO);
    }
    put_mem(out, iv, IV_SIZE);
    return run_cipher(out, c, plain);
}

rc aes_cbc_decrypt(struct buf *out, const uint8_t key[32], struct bytes iv_and_cipher)
{
    struct bytes b = iv_and_cipher;
    if (b.n < IV_SIZE + BLOCK || b.n % BLOCK != 0) {
        return RC(MALFORMED);
    }
    CTX_FREE *c = EVP_CIPHER_CTX_new();
    if (c == NULL || EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key, b.p, 0) != 1) {
        return RC(IO);
    }
    return run_cipher(out, c, (struct bytes){b.p + IV_SIZE, b.n - IV_SIZE});
}

static rc gcm_start(EVP_CIPHER_CTX *c, const uint8_t key[32], const uint8_t *nonce,
                    struct bytes aad, int enc)
{
    int n = 0;
    if (c == NULL || aad.n > INT_MAX ||
        EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, enc) != 1 ||
        (aad.n > 0 && EVP_CipherUpdate(c, NULL, &n, aad.p, (int)aad.n) != 1)) {
        return RC(IO);
    }
    return RC_OK;
}

rc aes_gcm_seal(struct buf *out, const uint8_t key[32], struct bytes aad, struct bytes plain)
{
    uint8_t nonce[NONCE_SIZE], tag[TAG_SIZE];
    CTX_FREE *c = EVP_CIPHER_CTX_new();
    TRY(random_bytes(nonce, sizeof(nonce)));
    TRY(gcm_start(c, key, nonce, aad, 1));
    put_mem(out, nonce, sizeof(nonce));
    TRY(run_cipher(out, c, plain));
    if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) != 1) {
        return RC(IO);
    }
    put_mem(out, tag, sizeof(tag));
    return buf_end(out);
}

rc aes_gcm_open(struct buf *out, const uint8_t key[32], struct bytes aad, struct bytes sealed)
{
    uint8_t tag[TAG_SIZE];
    if (sealed.n < NONCE_SIZE + TAG_SIZE) {
        return RC(MALFORMED);
    }
    CTX_FREE *c = EVP_CIPHER_CTX_new();
    TRY(gcm_start(c, key, sealed.p, aad, 0));
    memcpy(tag, sealed.p + sealed.n - TAG_SIZE, TAG_SIZE);
    if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) != 1) {
        return RC(IO);
    }
    return run_cipher(out, c,
                      (struct bytes){sealed.p + NONCE_SIZE, sealed.n - NONCE_SIZE - TAG_SIZE});
}
