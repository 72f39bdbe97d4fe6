/* SPDX-License-Identifier: Apache-2.0 */
/* What a server sends to our WebSocket client: a handshake, then frames. */
#include "io/ws_client.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    size_t head = 0;
    if (rc_ok(ws_handshake_parse(&head, in, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) && head > 0) {
        CHECK(head <= size);
        in = (struct bytes){data + head, size - head};
    }
    for (bool whole = true; whole;) {
        struct ws_server_frame f;
        if (!rc_ok(ws_server_frame_parse(&f, in, &whole)) || !whole) {
            break;
        }
        CHECK(f.head >= 2 && f.size <= in.n - f.head);
        in.p += f.head + f.size;
        in.n -= f.head + f.size;
    }
    return 0;
}
