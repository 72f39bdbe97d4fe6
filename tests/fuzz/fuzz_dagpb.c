/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/dagpb.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as a node and as a UnixFS record; a node that is accepted is written back and read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, (size_t)16 << 20);
    struct unixfs u;
    (void)!rc_ok(unixfs_parse(&u, &a, (struct bytes){data, size}));
    struct dagpb n;
    if (rc_ok(dagpb_parse(&n, &a, (struct bytes){data, size}))) {
        BUF_FREE b = buf_new(2 * size + 65536);
        for (size_t i = 0; i < n.n_links; i++) {
            put_dagpb_link(&b, &n.links[i].cid, n.links[i].name, n.links[i].tsize);
        }
        if (n.has_data) {
            put_dagpb_data(&b, n.data);
            (void)!rc_ok(unixfs_parse(&u, &a, n.data));
        }
        struct dagpb again;
        CHECK(b.full || (rc_ok(dagpb_parse(&again, &a, buf_bytes(&b))) &&
                         again.n_links == n.n_links && bytes_eq(again.data, n.data)));
    }
    arena_reset(&a);
    return 0;
}
