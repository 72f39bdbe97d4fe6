/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/car.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rc on_root(void *ctx, const struct cid *root)
{
    (void)root;
    ++*(size_t *)ctx;
    return RC_OK;
}

static rc on_block(void *ctx, const struct cid *cid, struct bytes block)
{
    (void)cid;
    *(size_t *)ctx += block.n;
    return RC_OK;
}

/* Any bytes, in pieces whose size the first byte chooses and in one: the same is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct car_handler handler = {on_root, on_block};
    if (size == 0) {
        return 0;
    }
    size_t step = (size_t)data[0] + 1;
    size_t seen[2] = {0};
    bool ok[2];
    for (size_t k = 0; k < 2; k++) {
        struct car_reader r;
        car_open(&r, &handler, &seen[k]);
        rc res = RC_OK;
        for (size_t i = 1; i < size && rc_ok(res); i += step) {
            res = car_feed(&r, (struct bytes){data + i, MIN(step, size - i)});
        }
        ok[k] = rc_ok(res) && rc_ok(car_end(&r));
        CHECK(ok[k] || r.bad != NULL);
        car_close(&r);
        step = size;
    }
    CHECK(ok[0] == ok[1] && seen[0] == seen[1]);
    return 0;
}
