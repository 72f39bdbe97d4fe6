/* SPDX-License-Identifier: Apache-2.0 */
/* classify - what a picture shows: the five likeliest classes of a rented classifier. */
#include <stdlib.h>

#include "apps/lib/app.h"
#include "apps/lib/see.h"

#define TOP 5

static void write_answer(struct app *a, const struct nn *net, const struct see_class *top, size_t n)
{
    struct buf json = buf_new(BUF_CAP_DEFAULT);
    struct buf text = buf_new(BUF_CAP_DEFAULT);
    put_str(&json, "{\"task\":\"classify\",\"top\":[");
    for (size_t i = 0; i < n; i++) {
        struct bytes label = net->label[top[i].index];
        put_fmt(&json, "%s\n {\"index\":%u,\"label\":", i == 0 ? "" : ",", top[i].index);
        app_put_json(&json, label);
        put_fmt(&json, ",\"score\":%u.%03u}", top[i].milli / 1000, top[i].milli % 1000);
        put_fmt(&text, "%u.%03u  ", top[i].milli / 1000, top[i].milli % 1000);
        put_bytes(&text, label);
        put_fmt(&text, " (%u)\n", top[i].index);
    }
    put_str(&json, "\n]}\n");
    app_write(a, "answer.json", buf_bytes(&json));
    app_write(a, "answer.txt", buf_bytes(&text));
    buf_free(&json);
    buf_free(&text);
}

int main(void)
{
    struct app a;
    struct err e;
    struct nn net;
    struct img m;
    struct nn_result r;
    struct see_class top[TOP];
    app_init(&a, "classify");
    if (!rc_ok(img_decode(&m, app_input(&a, 1, IMG_FILE_MAX), &e))) {
        app_fail(&a, APP_PICTURE, "%s", e.msg);
    }
    if (!rc_ok(nn_parse(&net, app_model(&a, NN_FILE_MAX), &e))) {
        app_fail(&a, APP_MODEL, "%s", e.msg);
    }
    if (net.task != NN_CLASSIFY) {
        app_fail(&a, APP_MODEL, "the rented model is no classifier");
    }
    float *x = see_input(&net, &m);
    if (x == NULL) {
        app_fail(&a, APP_SYSTEM, "no memory for the picture");
    }
    rc done = nn_run(&r, &net, x, &e);
    size_t n = MIN((size_t)TOP, (size_t)net.labels);
    if (rc_ok(done)) {
        done = see_top(top, n, &r, &e);
    }
    if (!rc_ok(done)) {
        app_fail(&a, done.code == RC_CODE_LIMIT ? APP_SYSTEM : APP_MODEL, "%s", e.msg);
    }
    write_answer(&a, &net, top, n);
    free(x);
    nn_result_free(&r);
    nn_close(&net);
    img_free(&m);
    app_done(&a);
}
