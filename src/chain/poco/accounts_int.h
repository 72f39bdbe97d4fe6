/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_POCO_ACCOUNTS_INT_H
#define SOUK_CHAIN_POCO_ACCOUNTS_INT_H

/* accounts_int.h - what the factories and their accounts share. */

#include "chain/poco/poco_int.h"

enum { WALLET_SIGNERS_MAX = 64 }; /* a check reads each signature; nobody needs more */

/* A wallet's record: threshold ‖ number of signers ‖ executions so far, u64 each. */
struct wallet {
    uint64_t threshold, signers, nonce;
};

/* Signers in ascending order, so that none is there twice. */
struct signers {
    struct address *list;
    size_t n;
    uint64_t threshold;
};

/* Reads n addresses and checks them; the list lives in the call's memory. */
enum outcome signers_take(struct frame *f, struct abi_in *list, struct u256 threshold,
                          struct signers *s);
/* Replaces the signers of a wallet, whose present record is `old` (zero for a new one). */
enum outcome signers_write(struct frame *f, struct address wallet, const struct signers *s,
                           struct wallet old);

#endif /* SOUK_CHAIN_POCO_ACCOUNTS_INT_H */
