/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_SHA1_H
#define SOUK_CRYPTO_SHA1_H

/* sha1.h - SHA-1, for the WebSocket handshake alone (RFC 6455 4.2.2): it proves nothing. */

#include "base/base.h"

void sha1(uint8_t out[20], struct bytes b);

#endif /* SOUK_CRYPTO_SHA1_H */
