/* SPDX-License-Identifier: Apache-2.0 */
/* provision.c - the cryptography of the provisioning protocol, used on both sides. */
#include "crypto/aes.h"
#include "crypto/secp.h"
#include "crypto/sha2.h"
#include "daemon/sms/sms.h"

#define DOMAIN BYTES_LIT("souk provisioning v1")

void provision_report_data(uint8_t out[64], const struct provision_binding *b)
{
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, DOMAIN);
    sha256_add(&s, bytes_str(b->session));
    sha256_add(&s, BYTES_OF(b->task)); /* the rest has fixed sizes: one reading only */
    sha256_add(&s, BYTES_OF(b->nonce));
    sha256_add(&s, BYTES_OF(b->public_key));
    sha256_add(&s, BYTES_OF(b->image));
    struct hash h = sha256_done(&s);
    memset(out, 0, 64);
    memcpy(out, h.b, sizeof(h.b));
}

struct hash provision_measurement(struct hash agent, struct hash image)
{
    struct sha256 s;
    sha256_init(&s);
    sha256_add(&s, BYTES_LIT("souk measurement v1"));
    sha256_add(&s, BYTES_OF(agent));
    sha256_add(&s, BYTES_OF(image));
    return sha256_done(&s);
}

/* The AES key from one side's private and the other's public half. */
static rc derive(struct secret *out, const struct secret *key, const uint8_t peer[64],
                 const uint8_t ephemeral[64], const struct provision_binding *b)
{
    SECRET_FREE shared = {0};
    uint8_t info[20 + 64 + 64];
    memcpy(info, DOMAIN.p, 20);
    memcpy(info + 20, ephemeral, 64);
    memcpy(info + 84, b->public_key, 64);
    TRY(secp_ecdh(&shared, key, peer));
    TRY(secret_new(out, 32));
    return hkdf_sha256(out->p, 32, secret_bytes(&shared), BYTES_OF(b->nonce),
                       (struct bytes){info, sizeof(info)});
}

static void put_aad(struct buf *aad, const struct provision_binding *b)
{
    put_bytes(aad, DOMAIN);
    put_str(aad, b->session);
    put_bytes(aad, BYTES_OF(b->task));
}

rc provision_seal(struct buf *out, uint8_t ephemeral[64], const struct provision_binding *b,
                  const struct secret *plain)
{
    SECRET_FREE key = {0};
    SECRET_FREE aes = {0};
    BUF_FREE aad = buf_new(1024);
    put_aad(&aad, b);
    TRY(buf_end(&aad));
    TRY(secp_key_new(&key));
    TRY(secp_public(ephemeral, &key));
    TRY(derive(&aes, &key, b->public_key, ephemeral, b));
    return aes_gcm_seal(out, aes.p, buf_bytes(&aad), secret_bytes(plain));
}

rc provision_open(struct secret *plain, const struct secret *key, const uint8_t ephemeral[64],
                  const struct provision_binding *b, struct bytes sealed)
{
    SECRET_FREE aes = {0};
    BUF_FREE aad = buf_new(1024);
    put_aad(&aad, b);
    TRY(buf_end(&aad));
    if (sealed.n < 28) {
        return RC(DENIED);
    }
    TRY(derive(&aes, key, ephemeral, ephemeral, b));
    size_t n = sealed.n - 28;
    TRY(secret_new(plain, n + 32)); /* the cipher wants a block of room */
    struct buf into = {.p = plain->p, .alloc = plain->size, .cap = plain->size};
    rc r = aes_gcm_open(&into, aes.p, buf_bytes(&aad), sealed);
    plain->n = n;
    if (!rc_ok(r)) {
        secret_free(plain);
    }
    return r;
}
