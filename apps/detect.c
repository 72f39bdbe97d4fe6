/* SPDX-License-Identifier: Apache-2.0 */
/* detect - where things are in a picture: boxes of a rented detector, as data and drawn. */
#include <stdio.h>
#include <stdlib.h>

#include "apps/lib/app.h"
#include "apps/lib/see.h"

/* A color of its own for each label, told apart well by their order. */
static struct rgb color_of(uint32_t label)
{
    static const struct rgb colors[] = {
        {230, 25, 75},  {60, 180, 75}, {0, 130, 200},  {245, 130, 48},
        {145, 30, 180}, {0, 128, 128}, {170, 110, 40}, {128, 0, 0},
    };
    return colors[label % ARRAY_LEN(colors)];
}

/* Draws a box and its label; those of the boxes before it in the answer are drawn later, over it. A
 * label that would lie under theirs moves down. */
static void draw(struct img *m, const struct nn *net, const struct see_box *all, size_t at)
{
    const struct see_box *box = &all[at];
    int64_t scale = MAX(1, (int64_t)MIN(m->w, m->h) / 300);
    struct rgb color = color_of(box->label);
    struct buf text = buf_new(1024);
    put_bytes(&text, net->label[box->label]);
    uint32_t percent = (box->milli + 5) / 10;
    put_fmt(&text, " %u.%02u", percent / 100, percent % 100);
    img_frame(m, box->x, box->y, box->w, box->h, 2 * scale, color);
    int64_t w = (int64_t)text.n * IMG_CELL_W * scale + 2 * scale;
    int64_t h = (IMG_CELL_H + 2) * scale;
    int64_t y = box->y >= h ? box->y - h : box->y; /* above the box when there is room */
    for (size_t i = 0; i < at; i++) {
        if (llabs((long long)all[i].x - box->x) < w && llabs((long long)all[i].y - box->y) < h) {
            y += h;
        }
    }
    img_fill(m, box->x, y, w, h, color);
    img_text(m, box->x + 2 * scale, y + 2 * scale, scale, buf_bytes(&text),
             (struct rgb){255, 255, 255});
    buf_free(&text);
}

static void write_answer(struct app *a, const struct nn *net, const struct see_box *box, size_t n,
                         const struct img *m)
{
    struct buf json = buf_new(BUF_CAP_DEFAULT);
    struct buf text = buf_new(BUF_CAP_DEFAULT);
    put_fmt(&json, "{\"task\":\"detect\",\"width\":%u,\"height\":%u,\"boxes\":[", m->w, m->h);
    for (size_t i = 0; i < n; i++) {
        put_fmt(&json, "%s\n {\"label\":", i == 0 ? "" : ",");
        app_put_json(&json, net->label[box[i].label]);
        put_fmt(&json, ",\"score\":%u.%03u,\"x\":%d,\"y\":%d,\"w\":%d,\"h\":%d}",
                box[i].milli / 1000, box[i].milli % 1000, box[i].x, box[i].y, box[i].w, box[i].h);
        put_fmt(&text, "%u.%03u  ", box[i].milli / 1000, box[i].milli % 1000);
        put_bytes(&text, net->label[box[i].label]);
        put_fmt(&text, " at %d,%d, %d x %d\n", box[i].x, box[i].y, box[i].w, box[i].h);
    }
    put_str(&json, "\n]}\n");
    if (n == 0) {
        put_str(&text, "nothing found\n");
    }
    app_write(a, "answer.json", buf_bytes(&json));
    app_write(a, "answer.txt", buf_bytes(&text));
    buf_free(&json);
    buf_free(&text);
}

int main(void)
{
    static struct see_box box[SEE_BOXES_MAX];
    struct app a;
    struct err e;
    struct nn net;
    struct img m;
    struct nn_result r;
    size_t n = 0;
    app_init(&a, "detect");
    if (!rc_ok(img_decode(&m, app_input(&a, 1, IMG_FILE_MAX), &e))) {
        app_fail(&a, APP_PICTURE, "%s", e.msg);
    }
    if (!rc_ok(nn_parse(&net, app_model(&a, NN_FILE_MAX), &e))) {
        app_fail(&a, APP_MODEL, "%s", e.msg);
    }
    if (net.task != NN_DETECT) {
        app_fail(&a, APP_MODEL, "the rented model is no detector");
    }
    float *x = see_input(&net, &m);
    if (x == NULL) {
        app_fail(&a, APP_SYSTEM, "no memory for the picture");
    }
    rc done = nn_run(&r, &net, x, &e);
    if (rc_ok(done)) {
        done = see_boxes(box, &n, &net, &r, &m, &e);
    }
    if (!rc_ok(done)) {
        app_fail(&a, done.code == RC_CODE_LIMIT ? APP_SYSTEM : APP_MODEL, "%s", e.msg);
    }
    write_answer(&a, &net, box, n, &m);
    for (size_t i = n; i > 0; i--) { /* the surest on top */
        draw(&m, &net, box, i - 1);
    }
    struct buf png = buf_new((size_t)256 << 20);
    if (!rc_ok(img_encode_png(&png, &m, &e))) {
        app_fail(&a, APP_SYSTEM, "%s", e.msg);
    }
    app_write(&a, "boxes.png", buf_bytes(&png));
    buf_free(&png);
    free(x);
    nn_result_free(&r);
    nn_close(&net);
    img_free(&m);
    app_done(&a);
}
