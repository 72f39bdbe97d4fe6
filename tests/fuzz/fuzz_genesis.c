/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a genesis file: it is taken whole, or refused with a sentence. */
#include <stdlib.h>

#include "chain/ledger/genesis_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct genesis g;
    struct err e = {0};
    arena_init(&a, 16 << 20);
    rc r = genesis_parse(&g, &a, (struct bytes){data, size}, &e);
    if (rc_ok(r) ? g.chain_id == 0 || g.gas_limit == 0 : e.msg[0] == 0) {
        abort();
    }
    arena_reset(&a);
    return 0;
}
