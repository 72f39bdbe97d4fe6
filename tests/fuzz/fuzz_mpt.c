/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"
#include "encoding/mpt.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is cut into nodes; the root is made to fit the first, so that the walk goes on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mpt_proof p = {0};
    struct bytes item;
    if (size < 2) {
        return 0;
    }
    size_t index = data[0] * (size_t)257, part = 1 + data[1];
    for (size_t at = 2; at < size && p.n < MPT_PROOF_MAX; at += part) {
        p.node[p.n++] = (struct bytes){data + at, MIN(part, size - at)};
    }
    struct hash root = p.n > 0 ? keccak256(p.node[0]) : (struct hash){0};
    if (rc_ok(mpt_list_verify(&item, root, index, &p))) {
        CHECK(item.n <= size);
    }
    return 0;
}
