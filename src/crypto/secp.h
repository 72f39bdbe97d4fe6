/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_SECP_H
#define SOUK_CRYPTO_SECP_H

/* secp.h - ECDSA on secp256k1 as Ethereum uses it: recoverable signatures over 32-byte digests and
 * addresses as the low 20 bytes of keccak256(public key). Source: Yellow Paper, appendix F.
 *
 * Everything here may be called from any thread: the context is made once and only read. */

#include "base/rc.h"
#include "crypto/secret.h"

struct secp_sig {
    uint8_t rs[64]; /* r ‖ s, big-endian */
    uint8_t parity; /* 0 or 1: y of the nonce point is odd */
};

/* True when the 32 bytes are a usable private key: not zero, below the group order. */
bool secp_key_is_valid(const uint8_t key[32]);

rc secp_key_new(struct secret *key); /* a random private key, 32 bytes */

/* The address of a private key; MALFORMED when the key is not valid. */
rc secp_address(struct address *out, const struct secret *key);

/* 64 bytes x ‖ y of the public key. */
rc secp_public(uint8_t out[64], const struct secret *key);

/* Deterministic nonce (RFC 6979), low s. */
rc secp_sign(struct secp_sig *out, const struct secret *key, struct hash digest);

/* Signs and lays the result out as r ‖ s ‖ v with v = 27 or 28. */
rc secp_sign65(uint8_t out[65], const struct secret *key, struct hash digest);

/* The signer of digest; DENIED when no public key fits. High s is accepted here: whether it is
 * allowed is the caller's rule (transactions and PoCo refuse it). */
rc secp_recover(struct address *out, struct hash digest, const struct secp_sig *sig);

bool secp_s_is_low(const uint8_t rs[64]); /* EIP-2 */

/* r ‖ s ‖ v (v 27/28 or 0/1, low s): the signer; MALFORMED for another length or v, DENIED. */
rc secp_recover65(struct address *out, struct hash digest, struct bytes sig);

/* keccak256("\x19Ethereum Signed Message:\n32" ‖ h): what personal_sign signs for 32 bytes. */
struct hash eip191_hash(struct hash h);

/* The same for a message of any length: its length in decimal precedes it. */
struct hash eip191_message(struct bytes msg);

/* SHA-256 of the compressed shared point (libsecp256k1's default) of key and a peer's 64-byte
 * public key; MALFORMED when the peer's point is not on the curve. */
rc secp_ecdh(struct secret *out, const struct secret *key, const uint8_t peer[64]);

#endif /* SOUK_CRYPTO_SECP_H */
