/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/rlp.h"
#include "encoding/tx.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses is written again to the same bytes: one transaction has one form. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eth_tx t;
    const char *why = NULL;
    if (!rc_ok(eth_tx_parse(&t, (struct bytes){data, size}, &why))) {
        CHECK(why != NULL);
        return 0;
    }
    BUF_FREE b = buf_new(TX_SIZE_MAX * 2);
    eth_tx_put(&b, &t);
    CHECK(bytes_eq(buf_bytes(&b), (struct bytes){data, size}));
    (void)eth_tx_count_access(&t);
    (void)eth_tx_signing_hash(&t);
    return 0;
}
