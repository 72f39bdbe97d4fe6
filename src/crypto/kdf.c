/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include <limits.h>
#include <openssl/evp.h>

rc scrypt(struct secret *out, size_t size, const struct secret *password, struct bytes salt,
          uint64_t n, uint64_t r, uint64_t p)
{
    if (n < 2 || (n & (n - 1)) != 0 || r == 0 || r > 1024 || p == 0 || p > 1024) {
        return RC(MALFORMED);
    }
    if (n > SCRYPT_MEMORY_MAX / (128 * r) || p > SCRYPT_MEMORY_MAX / (128 * r)) {
        return RC(LIMIT);
    }
    TRY(secret_new(out, size));
    if (EVP_PBE_scrypt((const char *)password->p, password->n, salt.p, salt.n, n, r, p,
                       2 * SCRYPT_MEMORY_MAX, out->p, size) != 1) {
        secret_free(out);
        return RC(MALFORMED);
    }
    return RC_OK;
}

rc pbkdf2_sha256(struct secret *out, size_t size, const struct secret *password, struct bytes salt,
                 uint64_t rounds)
{
    if (rounds == 0 || rounds > PBKDF2_ROUNDS_MAX || salt.n > INT_MAX || size > INT_MAX) {
        return RC(MALFORMED);
    }
    TRY(secret_new(out, size));
    if (PKCS5_PBKDF2_HMAC((const char *)password->p, (int)password->n, salt.p, (int)salt.n,
                          (int)rounds, EVP_sha256(), (int)size, out->p) != 1) {
        secret_free(out);
        return RC(MALFORMED);
    }
    return RC_OK;
}

rc aes128_ctr(struct secret *out, const uint8_t key[16], const uint8_t iv[16], struct bytes in)
{
    int n = 0;
    TRY(secret_new(out, in.n));
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = c != NULL && EVP_CipherInit_ex(c, EVP_aes_128_ctr(), NULL, key, iv, 1) == 1 &&
              EVP_CipherUpdate(c, out->p, &n, in.p, (int)in.n) == 1; /* in.n <= SECRET_MAX */
    EVP_CIPHER_CTX_free(c);
    if (!ok) {
        secret_free(out);
    }
    return ok ? RC_OK : RC(IO);
}
