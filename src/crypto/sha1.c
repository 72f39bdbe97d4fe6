/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha1.h"

#include <openssl/evp.h>

void sha1(uint8_t out[20], struct bytes b)
{
    unsigned n = 0;
    ASSERT(EVP_Digest(b.p, b.n, out, &n, EVP_sha1(), NULL) == 1 && n == 20);
}
