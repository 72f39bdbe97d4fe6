/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_LEDGER_INT_H
#define SOUK_CHAIN_LEDGER_LEDGER_INT_H

/* ledger_int.h - what the files of the ledger share.
 *
 * header.c   headers, receipts and bloom filters as Ethereum encodes them */

#include "base/buf.h"
#include "base/cur.h"
#include "chain/ledger/ledger.h"

/* --- header.c --- */

/* The header's RLP; its keccak is the block's hash. */
void header_put(struct buf *b, const struct block *h);
rc header_parse(struct block *h, struct arena *a, struct bytes rlp, const char **why);

void bloom_add(uint8_t bloom[256], struct bytes item);
void bloom_add_log(uint8_t bloom[256], const struct log *l);

/* A receipt as the receipts trie holds it (EIP-2718 envelope for types 1 and 2). */
void receipt_put(struct buf *b, const struct receipt *r);

/* EIP-1559: the base fee of the block after one with these numbers; zero stays zero. */
struct u256 base_fee_next(struct u256 fee, uint64_t gas_used, uint64_t gas_limit);

#endif /* SOUK_CHAIN_LEDGER_LEDGER_INT_H */
