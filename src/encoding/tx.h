/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_TX_H
#define SOUK_ENCODING_TX_H

/* tx.h - signed Ethereum transactions: type 0 with and without chain id (EIP-155), 1 (EIP-2930) and
 * 2 (EIP-1559), from bytes and to bytes. Pure: fees, nonces and balances are the ledger's. */

#include "base/buf.h"
#include "base/cur.h"
#include "base/u256.h"
#include "crypto/secp.h"

#define TX_SIZE_MAX ((size_t)131072) /* bytes of one signed transaction */

struct eth_tx {
    unsigned type;     /* 0, 1, 2 */
    bool has_chain_id; /* false only for type 0 before EIP-155 */
    bool has_to;       /* false: creates a contract */
    uint64_t chain_id, nonce, gas;
    struct u256 gas_price;    /* types 0 and 1 */
    struct u256 max_fee, tip; /* type 2 */
    struct address to;
    struct u256 value;
    struct bytes data;        /* view into what was parsed */
    struct bytes access_list; /* RLP items of the list, checked; view */
    uint64_t v;               /* as signed: 27, 28, EIP-155's, or the parity of types 1 and 2 */
    struct secp_sig sig;
};

/* Whole input, canonical RLP only. MALFORMED with *why in geth's words where it has some. The
 * signature's form is checked (low s, EIP-2; v fits the type), not who made it. */
rc eth_tx_parse(struct eth_tx *out, struct bytes raw, const char **why);

struct hash eth_tx_hash(struct bytes raw); /* keccak256 of the bytes, which names the transaction */

/* What the sender signed. */
struct hash eth_tx_signing_hash(const struct eth_tx *t);

/* DENIED when no key fits the signature. The expensive part: about 50 µs. Any thread. */
rc eth_tx_sender(struct address *out, const struct eth_tx *t);

/* The whole transaction with the signature it has, appended. */
void eth_tx_put(struct buf *b, const struct eth_tx *t);

/* Signs t (its sig, v and, for type 0, has_chain_id are set) and appends its bytes. */
rc eth_tx_sign(struct buf *out, struct eth_tx *t, const struct secret *key);

/* Takes the next entry of an access list: an address, and a cursor over its keys, each to be taken
 * with rlp_take_str() (32 bytes). Only on lists that eth_tx_parse() accepted. */
struct address eth_tx_take_access(struct cur *list, struct cur *keys);

struct eth_tx_access {
    uint64_t addresses, keys;
};

struct eth_tx_access eth_tx_count_access(const struct eth_tx *t);

/* What a unit of gas costs its sender in a block of this base fee (EIP-1559); false when the
 * transaction does not offer the base fee. */
bool eth_tx_price(struct u256 *out, const struct eth_tx *t, struct u256 base_fee) MUST_CHECK;

#endif /* SOUK_ENCODING_TX_H */
