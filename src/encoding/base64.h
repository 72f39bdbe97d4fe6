/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_BASE64_H
#define SOUK_ENCODING_BASE64_H

/* base64.h - RFC 4648 sections 4 and 5. */

#include "base/buf.h"

void put_base64(struct buf *b, struct bytes v);    /* standard alphabet, padded */
void put_base64url(struct buf *b, struct bytes v); /* URL alphabet, no padding */

/* Decodes standard or URL alphabet, padding optional but right where present, no spaces, no unused
 * bits set (so every value has one text per alphabet). Appends to out. */
rc base64_decode(struct buf *out, struct bytes text);

#endif /* SOUK_ENCODING_BASE64_H */
