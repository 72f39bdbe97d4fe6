/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of any bytes: refused, or decoded and scaled. */
#include "apps/lib/img.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct img m;
    struct err e;
    if (rc_ok(img_decode(&m, (struct bytes){data, size}, &e))) {
        uint8_t out[8 * 8 * 3];
        img_scale(out, &m, (struct img_window){8, 8, 0, 0, 8, 8});
        img_free(&m);
    }
    return 0;
}
