/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_LEDGER_GENESIS_INT_H
#define SOUK_CHAIN_LEDGER_GENESIS_INT_H

/* genesis_int.h - what a chain begins with, from JSON. The format is in docs/genesis.md. */

#include "chain/poco/poco.h"

enum { GENESIS_ACCOUNTS_MAX = 200000, GENESIS_CATEGORIES_MAX = 1000, GENESIS_EXTRA_MAX = 32 };
#define GENESIS_SIZE_MAX ((size_t)64 << 20) /* bytes of JSON: room for that many accounts */

struct genesis_coin {
    struct address address;
    struct u256 balance; /* wei */
};

struct genesis {
    struct poco_config poco;
    uint64_t chain_id, time, gas_limit;
    struct u256 base_fee;
    struct address coinbase; /* gets the tips of the blocks that this node seals */
    struct bytes extra;
    struct genesis_coin *coins;
    size_t coins_n;
};

/* Whole text; empty text is `{}`. Strings and arrays live in a. MALFORMED with the place and what
 * must stand there. */
rc genesis_parse(struct genesis *out, struct arena *a, struct bytes json, struct err *e);

#endif /* SOUK_CHAIN_LEDGER_GENESIS_INT_H */
