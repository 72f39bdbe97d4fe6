/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_HD_H
#define SOUK_CRYPTO_HD_H

/* hd.h - keys from words: BIP-39 (phrase to seed) and BIP-32 (seed to private keys). The words are
 * taken as they are; whether they are on BIP-39's list and their checksum are not looked at. */

#include "crypto/secret.h"

/* The phrase every Ethereum development node unlocks. Public: never for anything of value. */
#define HD_TEST_PHRASE "test test test test test test test test test test test junk"

rc hd_seed(struct secret *seed, const char *phrase, const char *passphrase); /* 64 bytes */

/* The private key at m/44'/60'/0'/0/index, Ethereum's usual path. */
rc hd_key(struct secret *key, const struct secret *seed, uint32_t index);

#endif /* SOUK_CRYPTO_HD_H */
