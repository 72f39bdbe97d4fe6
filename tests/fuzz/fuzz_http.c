/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "io/http_parse.h"
#include "io/http_server.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void heads(struct bytes in)
{
    size_t end = http_head_end(in, 0);
    if (end == 0) {
        return;
    }
    char *copy = malloc(end); /* exact, so that an overread is seen */
    CHECK(copy != NULL);
    memcpy(copy, in.p, end);
    struct http_head h;
    const char *why = NULL;
    bool chunked;
    uint64_t n;
    if (rc_ok(http_head_parse(&h, copy, end, &why))) {
        struct http_pair q[8];
        size_t q_n;
        uint64_t off;
        (void)http_body_frame(&h, &chunked, &n, &why);
        (void)http_has_token(http_head_get(&h, "connection"), "upgrade");
        if (http_range_parse(http_head_get(&h, "range"), 1000, &off, &n) == HTTP_RANGE_PART) {
            CHECK(n > 0 && off < 1000 && off + n <= 1000);
        }
        char *mark = strchr(h.target, '?');
        (void)(mark == NULL ? RC_OK : http_query_parse(mark + 1, q, 8, &q_n));
        (void)http_decode(h.target, false);
    } else {
        CHECK(why != NULL);
    }
    free(copy);
}

static void chunks(struct bytes in)
{
    struct http_chunks c = {0};
    bool done = false;
    while (in.n > 0 && !done) {
        struct bytes part;
        size_t used;
        if (!rc_ok(http_chunks_take(&c, (struct bytes){in.p, MIN(in.n, (size_t)7)}, &part, &used,
                                    &done))) {
            return;
        }
        CHECK(used > 0 && used <= in.n && part.n <= used);
        in.p += used;
        in.n -= used;
    }
}

static void frames(struct bytes in)
{
    struct ws_frame f;
    bool whole;
    while (rc_ok(ws_frame_parse(&f, in, &whole)) && whole && in.n - f.head >= f.size) {
        (void)utf8_valid((struct bytes){in.p + f.head, f.size});
        in.p += f.head + f.size;
        in.n -= f.head + f.size;
    }
}

/* Any bytes as a head, a chunked body and a row of WebSocket frames. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    heads(in);
    chunks(in);
    frames(in);
    return 0;
}
