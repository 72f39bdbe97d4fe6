/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_REPLAY_INT_H
#define SOUK_CHAIN_LEDGER_REPLAY_INT_H

/* replay_int.h - a chain as a file. Big-endian:
 *
 *     "soukchn1" ‖ u32 size ‖ genesis JSON ‖ per block: u32 size ‖ block ‖ u32 0 ‖ SHA-256 of all before
 *     block = u32 size ‖ header RLP ‖ u32 n ‖ n × transaction
 *     transaction = u8 0 ‖ u32 size ‖ signed bytes, or u8 1 ‖ sender 20 ‖ u32 size ‖ bytes (unsigned) */

#include "chain/ledger/ledger_int.h"

#define REPLAY_BLOCK_MAX ((size_t)768 << 20)
#define REPLAY_MAGIC     BYTES_LIT("soukchn1")

struct replay_block {
    struct block header;
    struct bytes rlp;
    struct tx_in *tx;
    size_t n;
};

/* Parses the block part of a file; views live as the bytes. MALFORMED with the reason in *why. */
rc replay_parse(struct replay_block *out, struct arena *a, struct bytes record, const char **why);

/* Executes a block on top of the chain and commits it when every root is as its header says. DENIED
 * with what differs. */
rc replay_apply(struct ledger *l, struct replay_block *b, struct err *e);

#endif /* SOUK_CHAIN_LEDGER_REPLAY_INT_H */
