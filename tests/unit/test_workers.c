/* SPDX-License-Identifier: Apache-2.0 */
#include "io/workers.h"

#include "tests/test.h"

enum { ITEMS = 1000 };

static void square(void *ctx, size_t i)
{
    uint64_t *v = ctx;
    v[i] += i * i;
}

int main(void)
{
    struct err e;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct workers *w;
        uint64_t v[ITEMS] = {0};
        CHECK(rc_ok(workers_open(&w, threads, &e)));
        for (size_t round = 0; round < 300; round++) {
            size_t n = round % 7 == 0 ? ITEMS : round % 13;
            memset(v, 0, sizeof(v));
            workers_run(w, n, square, v);
            for (size_t i = 0; i < ITEMS; i++) {
                CHECK(v[i] == (i < n ? i * i : 0)); /* each once, and nothing beyond */
            }
        }
        workers_close(w);
    }
    workers_close(NULL);
    return 0;
}
