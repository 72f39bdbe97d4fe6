/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hd.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <secp256k1.h>
#include <stdio.h>

#include "crypto/secp.h"

#define HARDENED 0x80000000U

rc hd_seed(struct secret *seed, const char *phrase, const char *passphrase)
{
    char salt[264];
    int n = snprintf(salt, sizeof(salt), "mnemonic%s", passphrase);
    if (n < 0 || (size_t)n >= sizeof(salt)) {
        return RC(LIMIT);
    }
    TRY(secret_new(seed, 64));
    /* BIP-39: PBKDF2 with HMAC-SHA512, 2048 rounds */
    ASSERT(PKCS5_PBKDF2_HMAC(phrase, -1, (const unsigned char *)salt, n, 2048, EVP_sha512(), 64,
                             seed->p) == 1);
    mem_wipe(salt, sizeof(salt));
    return RC_OK;
}

/* BIP-32, private parent to private child; node is key ‖ chain code and is replaced. */
static rc child(uint8_t node[64], uint32_t index)
{
    const secp256k1_context *ctx = secp256k1_context_static;
    uint8_t msg[37] = {0};
    uint8_t mac[64];
    unsigned n = sizeof(mac);
    if ((index & HARDENED) != 0) {
        memcpy(msg + 1, node, 32);
    } else {
        SECRET_FREE key = {0};
        uint8_t xy[64];
        TRY(secret_copy(&key, (struct bytes){node, 32}));
        TRY(secp_public(xy, &key));
        msg[0] = (uint8_t)(2 + (xy[63] & 1));
        memcpy(msg + 1, xy, 32);
    }
    for (unsigned i = 0; i < 4; i++) {
        msg[33 + i] = (uint8_t)(index >> (24 - 8 * i));
    }
    ASSERT(HMAC(EVP_sha512(), node + 32, 32, msg, sizeof(msg), mac, &n) != NULL);
    rc r = secp256k1_ec_seckey_tweak_add(ctx, node, mac) == 1 ? RC_OK : RC(MALFORMED);
    memcpy(node + 32, mac + 32, 32);
    mem_wipe(msg, sizeof(msg));
    mem_wipe(mac, sizeof(mac));
    return r;
}

rc hd_key(struct secret *key, const struct secret *seed, uint32_t index)
{
    const uint32_t path[] = {44 | HARDENED, 60 | HARDENED, HARDENED, 0, index};
    static const char name[] = "Bitcoin seed"; /* BIP-32's constant */
    SECRET_FREE node = {0};
    unsigned n = 64;
    TRY(secret_new(&node, 64));
    ASSERT(HMAC(EVP_sha512(), name, sizeof(name) - 1, seed->p, seed->n, node.p, &n) != NULL);
    for (size_t i = 0; i < ARRAY_LEN(path); i++) {
        TRY(child(node.p, path[i]));
    }
    return secret_copy(key, (struct bytes){node.p, 32});
}
