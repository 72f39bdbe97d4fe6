/* SPDX-License-Identifier: Apache-2.0 */
/* A model file of any bytes: refused, or run within its limits. The check value at the end is not
 * compared in fuzzing builds. */
#include <stdlib.h>

#include "apps/engine/nn.h"
#include "apps/lib/see.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1); /* aligned, as applications read files */
    struct nn net;
    struct err e;
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, size);
    if (rc_ok(nn_parse(&net, (struct bytes){copy, size}, &e))) {
        uint8_t px[3] = {1, 2, 3};
        struct img m = {1, 1, px};
        float *x = net.macs < 1000000 && nn_elems(net.in) < 100000 ? see_input(&net, &m) : NULL;
        struct nn_result r = {0};
        struct see_class top[1];
        static struct see_box box[SEE_BOXES_MAX];
        size_t n;
        if (x != NULL && rc_ok(nn_run(&r, &net, x, &e))) {
            rc done = net.task == NN_CLASSIFY ? see_top(top, 1, &r, &e)
                                              : see_boxes(box, &n, &net, &r, &m, &e);
            (void)done;
        }
        nn_result_free(&r);
        free(x);
        nn_close(&net);
    }
    free(copy);
    return 0;
}
