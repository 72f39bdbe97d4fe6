/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rsa.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static void free_bio(BIO **b)
{
    (void)BIO_free(*b);
}

static void free_key(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void free_ctx(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

#define BIO_FREE __attribute__((cleanup(free_bio))) BIO
#define KEY_FREE __attribute__((cleanup(free_key))) EVP_PKEY
#define CTX_FREE __attribute__((cleanup(free_ctx))) EVP_PKEY_CTX

/* An empty passphrase callback: without one OpenSSL would ask on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *user)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)user;
    return 0;
}

static EVP_PKEY *read_key(struct bytes pem, bool private)
{
    if (pem.n > INT_MAX) {
        return NULL;
    }
    BIO_FREE *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    if (b == NULL) {
        return NULL;
    }
    EVP_PKEY *k = private ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL)
                          : PEM_read_bio_PUBKEY(b, NULL, no_passphrase, NULL);
    if (k != NULL && EVP_PKEY_get_base_id(k) != EVP_PKEY_RSA) {
        EVP_PKEY_free(k);
        return NULL;
    }
    return k;
}

rc rsa_new(struct buf *public_pem, struct secret *private_pem, unsigned bits)
{
    if (bits < 2048 || bits > 8192) {
        return RC(LIMIT);
    }
    KEY_FREE *k = EVP_RSA_gen(bits);
    BIO_FREE *pub = BIO_new(BIO_s_mem());
    BIO_FREE *priv = BIO_new(BIO_s_secmem());
    char *p = NULL;
    if (k == NULL || pub == NULL || priv == NULL || PEM_write_bio_PUBKEY(pub, k) != 1 ||
        PEM_write_bio_PrivateKey(priv, k, NULL, NULL, 0, NULL, NULL) != 1) {
        return RC(IO);
    }
    long n = BIO_get_mem_data(pub, &p);
    put_mem(public_pem, p, (size_t)n);
    n = BIO_get_mem_data(priv, &p);
    TRY(secret_copy(private_pem, (struct bytes){(const uint8_t *)p, (size_t)n}));
    return buf_end(public_pem);
}

rc rsa_encrypt(struct buf *out, struct bytes public_pem, struct bytes plain)
{
    KEY_FREE *k = read_key(public_pem, false);
    if (k == NULL) {
        return RC(MALFORMED);
    }
    CTX_FREE *c = EVP_PKEY_CTX_new(k, NULL);
    size_t n = (size_t)EVP_PKEY_get_size(k);
    uint8_t *to = buf_grow(out, n);
    if (to == NULL) {
        return RC(LIMIT);
    }
    if (c == NULL || EVP_PKEY_encrypt_init(c) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_encrypt(c, to, &n, plain.p, plain.n) != 1) {
        out->n -= (size_t)EVP_PKEY_get_size(k);
        return RC(MALFORMED);
    }
    return RC_OK;
}

rc rsa_decrypt(struct secret *out, const struct secret *private_pem, struct bytes cipher)
{
    KEY_FREE *k = read_key(secret_bytes(private_pem), true);
    if (k == NULL) {
        return RC(MALFORMED);
    }
    CTX_FREE *c = EVP_PKEY_CTX_new(k, NULL);
    size_t n = (size_t)EVP_PKEY_get_size(k);
    TRY(secret_new(out, n));
    if (c == NULL || EVP_PKEY_decrypt_init(c) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_decrypt(c, out->p, &n, cipher.p, cipher.n) != 1) {
        secret_free(out);
        return RC(DENIED);
    }
    out->n = n;
    return RC_OK;
}
