/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/secp.h"

#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>
#include <stdio.h>

#include "crypto/keccak.h"

/* One context, blinded once with fresh randomness against side channels, constant afterwards. */
static secp256k1_context *shared_ctx;
static pthread_once_t shared_once = PTHREAD_ONCE_INIT;

static void make_ctx(void)
{
    uint8_t seed[32];
    shared_ctx = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    ASSERT(shared_ctx != NULL);
    ASSERT(rc_ok(random_bytes(seed, sizeof(seed))));
    ASSERT(secp256k1_context_randomize(shared_ctx, seed) == 1);
    mem_wipe(seed, sizeof(seed));
}

static const secp256k1_context *ctx(void)
{
    (void)pthread_once(&shared_once, make_ctx);
    return shared_ctx;
}

bool secp_key_is_valid(const uint8_t key[32])
{
    return secp256k1_ec_seckey_verify(ctx(), key) == 1;
}

rc secp_key_new(struct secret *key)
{
    TRY(secret_new(key, 32));
    do {
        TRY(random_bytes(key->p, 32));
    } while (!secp_key_is_valid(key->p));
    return RC_OK;
}

static void point_bytes(uint8_t out[64], const secp256k1_pubkey *pub)
{
    uint8_t full[65];
    size_t n = sizeof(full);
    (void)secp256k1_ec_pubkey_serialize(ctx(), full, &n, pub, SECP256K1_EC_UNCOMPRESSED);
    memcpy(out, full + 1, 64);
}

static struct address point_address(const secp256k1_pubkey *pub)
{
    uint8_t xy[64];
    struct address a;
    point_bytes(xy, pub);
    struct hash h = keccak256((struct bytes){xy, sizeof(xy)});
    memcpy(a.b, h.b + 12, sizeof(a.b));
    return a;
}

static rc public_point(secp256k1_pubkey *pub, const struct secret *key)
{
    if (key->n != 32 || secp256k1_ec_pubkey_create(ctx(), pub, key->p) != 1) {
        return RC(MALFORMED);
    }
    return RC_OK;
}

rc secp_address(struct address *out, const struct secret *key)
{
    secp256k1_pubkey pub;
    TRY(public_point(&pub, key));
    *out = point_address(&pub);
    return RC_OK;
}

rc secp_public(uint8_t out[64], const struct secret *key)
{
    secp256k1_pubkey pub;
    TRY(public_point(&pub, key));
    point_bytes(out, &pub);
    return RC_OK;
}

rc secp_sign(struct secp_sig *out, const struct secret *key, struct hash digest)
{
    secp256k1_ecdsa_recoverable_signature sig;
    int parity = 0;
    if (key->n != 32 ||
        secp256k1_ecdsa_sign_recoverable(ctx(), &sig, digest.b, key->p, NULL, NULL) != 1) {
        return RC(MALFORMED);
    }
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(ctx(), out->rs, &parity, &sig);
    out->parity = (uint8_t)parity;
    return RC_OK;
}

rc secp_sign65(uint8_t out[65], const struct secret *key, struct hash digest)
{
    struct secp_sig sig;
    TRY(secp_sign(&sig, key, digest));
    memcpy(out, sig.rs, 64);
    out[64] = (uint8_t)(27 + sig.parity);
    return RC_OK;
}

rc secp_recover(struct address *out, struct hash digest, const struct secp_sig *sig)
{
    secp256k1_ecdsa_recoverable_signature s;
    secp256k1_pubkey pub;
    if (sig->parity > 1 ||
        secp256k1_ecdsa_recoverable_signature_parse_compact(ctx(), &s, sig->rs, sig->parity) != 1 ||
        secp256k1_ecdsa_recover(ctx(), &pub, &s, digest.b) != 1) {
        return RC(DENIED);
    }
    *out = point_address(&pub);
    return RC_OK;
}

bool secp_s_is_low(const uint8_t rs[64])
{
    /* half the group order, rounded down */
    static const uint8_t half[32] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d,
                                     0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};
    return memcmp(rs + 32, half, sizeof(half)) <= 0;
}

rc secp_recover65(struct address *out, struct hash digest, struct bytes sig)
{
    struct secp_sig s;
    if (sig.n != 65) {
        return RC(MALFORMED);
    }
    memcpy(s.rs, sig.p, 64);
    s.parity = (uint8_t)(sig.p[64] >= 27 ? sig.p[64] - 27 : sig.p[64]);
    if (s.parity > 1) {
        return RC(MALFORMED);
    }
    return secp_s_is_low(s.rs) ? secp_recover(out, digest, &s) : RC(DENIED);
}

struct hash eip191_message(struct bytes msg)
{
    char head[64];
    struct keccak k;
    int n = snprintf(head, sizeof(head), "\x19%s%zu", "Ethereum Signed Message:\n", msg.n);
    keccak_init(&k);
    keccak_add(&k, (struct bytes){(const uint8_t *)head, (size_t)n});
    keccak_add(&k, msg);
    return keccak_done(&k);
}

struct hash eip191_hash(struct hash h)
{
    return eip191_message(BYTES_OF(h));
}

rc secp_ecdh(struct secret *out, const struct secret *key, const uint8_t peer[64])
{
    uint8_t full[65] = {4};
    secp256k1_pubkey pub;
    memcpy(full + 1, peer, 64);
    if (key->n != 32 || secp256k1_ec_pubkey_parse(ctx(), &pub, full, sizeof(full)) != 1) {
        return RC(MALFORMED);
    }
    TRY(secret_new(out, 32));
    return secp256k1_ecdh(ctx(), out->p, &pub, key->p, NULL, NULL) == 1 ? RC_OK : RC(MALFORMED);
}
