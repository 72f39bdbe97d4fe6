/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a block of an exported chain; and as a proof of the state. */
#include <stdlib.h>

#include "chain/ledger/replay_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct replay_block b;
    const char *why = NULL;
    arena_init(&a, 16 << 20);
    rc r = replay_parse(&b, &a, (struct bytes){data, size}, &why);
    if (!rc_ok(r) && why == NULL) {
        abort();
    }
    size_t half = size / 2;
    struct block header;
    struct state_proof p = {.header = {data, half}, .proof = {data + half, size - half}};
    (void)state_proof_check(&header, &a, BYTES_LIT("k"), &p, NULL);
    arena_reset(&a);
    return 0;
}
