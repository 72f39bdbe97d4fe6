/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/tree/tree.h"
#include "crypto/sha2.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A proof from anywhere, under the root that its first node has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hash path = {{0}}, content, root = {{1}};
    static const uint8_t tag = 1;
    bool found;
    if (size < 34) {
        return 0;
    }
    memcpy(path.b, data, 32);
    struct bytes proof = {data + 32, size - 32};
    size_t first = (size_t)(proof.p[0] << 8 | proof.p[1]);
    if (first <= proof.n - 2) {
        root = sha256_2(BYTES_OF(tag), (struct bytes){proof.p + 2, first});
    }
    (void)!rc_ok(tree_check(&found, &content, root, path, proof));
    return 0;
}
