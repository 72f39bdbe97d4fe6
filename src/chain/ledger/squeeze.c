/* SPDX-License-Identifier: Apache-2.0 */
/* squeeze.c - records without their zeroes: a zero byte is followed by how many zeroes it stands for
 * (1 to 255). Amounts and addresses in 32-byte words shrink to about half; the order and the meaning
 * of records do not change, because only values are squeezed, and only in the database. */
#include "chain/ledger/ledger_int.h"

void squeeze_put(struct buf *b, struct bytes v)
{
    for (size_t i = 0; i < v.n;) {
        size_t from = i;
        if (v.p[i] != 0) {
            while (i < v.n && v.p[i] != 0) {
                i++;
            }
            put_mem(b, v.p + from, i - from);
            continue;
        }
        while (i < v.n && v.p[i] == 0 && i - from < 255) {
            i++;
        }
        put_u8(b, 0);
        put_u8(b, (uint8_t)(i - from));
    }
}

rc unsqueeze_put(struct buf *b, struct bytes v)
{
    for (size_t i = 0; i < v.n;) {
        size_t from = i;
        if (v.p[i] != 0) {
            while (i < v.n && v.p[i] != 0) {
                i++;
            }
            put_mem(b, v.p + from, i - from);
            continue;
        }
        if (i + 1 == v.n || v.p[i + 1] == 0) {
            return RC(CORRUPT);
        }
        put_zero(b, v.p[i + 1]);
        i += 2;
    }
    return buf_end(b);
}

rc record_read(struct store *s, struct buf *into, struct bytes key, struct bytes *value)
{
    struct bytes stored;
    TRY(store_get(s, T_STATE, key, &stored));
    buf_reset(into);
    into->cap = STATE_VALUE_MAX;
    TRY(unsqueeze_put(into, stored));
    *value = into->n > 0 ? buf_bytes(into) : BYTES_LIT("");
    return RC_OK;
}
