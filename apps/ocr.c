/* SPDX-License-Identifier: Apache-2.0 */
/* ocr - the text in a picture, read by tesseract with rented language data. */
#include <stdlib.h>

#include <leptonica/allheaders.h>
#include <tesseract/capi.h>

#include "apps/lib/app.h"
#include "apps/lib/img.h"

#define DATA_MAX ((size_t)128 << 20)

/* Language data begins with a small table: a count and an offset for each part. */
static bool is_traineddata(struct bytes f)
{
    struct cur c = cur_of(f);
    uint64_t n = take_le(&c, 4);
    bool any = false;
    if (c.bad != NULL || n < 1 || n > 64) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = take_le(&c, 8);
        if (c.bad != NULL || (at != UINT64_MAX && (at < 4 + 8 * n || at >= f.n))) {
            return false;
        }
        any = any || at != UINT64_MAX;
    }
    return any;
}

/* The words with their places and confidence, as JSON. */
static void put_words(struct buf *json, TessBaseAPI *t)
{
    TessResultIterator *it = TessBaseAPIGetIterator(t);
    bool first = true;
    put_str(json, ",\"words\":[");
    if (it == NULL) {
        put_str(json, "]");
        return;
    }
    do {
        char *word = TessResultIteratorGetUTF8Text(it, RIL_WORD);
        if (word == NULL) {
            continue;
        }
        int x0 = 0;
        int y0 = 0;
        int x1 = 0;
        int y1 = 0;
        int confidence = (int)TessResultIteratorConfidence(it, RIL_WORD);
        (void)TessPageIteratorBoundingBox(TessResultIteratorGetPageIterator(it), RIL_WORD, &x0, &y0,
                                          &x1, &y1);
        put_fmt(json, "%s\n {\"text\":", first ? "" : ",");
        app_put_json(json, bytes_str(word));
        put_fmt(json, ",\"confidence\":%d,\"x\":%d,\"y\":%d,\"w\":%d,\"h\":%d}", confidence, x0, y0,
                x1 - x0, y1 - y0);
        first = false;
        TessDeleteText(word);
    } while (TessResultIteratorNext(it, RIL_WORD) != 0);
    put_str(json, "]");
    TessResultIteratorDelete(it);
}

/* Text without the empty lines that pages end with. */
static struct bytes trimmed(const char *text)
{
    struct bytes b = bytes_str(text);
    while (b.n > 0 && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\f' || b.p[b.n - 1] == ' ')) {
        b.n--;
    }
    return b;
}

static void read_page(struct app *a, TessBaseAPI *t)
{
    char *text = TessBaseAPIGetUTF8Text(t);
    if (text == NULL) {
        app_fail(a, APP_PICTURE, "the picture could not be read as a page");
    }
    struct bytes body = trimmed(text);
    struct buf json = buf_new(BUF_CAP_DEFAULT);
    struct buf plain = buf_new(BUF_CAP_DEFAULT);
    put_fmt(&json, "{\"task\":\"ocr\",\"confidence\":%d,\"text\":",
            body.n > 0 ? TessBaseAPIMeanTextConf(t) : 0);
    app_put_json(&json, body);
    put_words(&json, t);
    put_str(&json, "}\n");
    put_bytes(&plain, body);
    put_str(&plain, "\n");
    if (!rc_ok(buf_end(&json)) || !rc_ok(buf_end(&plain))) {
        app_fail(a, APP_SYSTEM, "the answer is too long");
    }
    app_write(a, "answer.json", buf_bytes(&json));
    app_write(a, "answer.txt", buf_bytes(&plain));
    buf_free(&json);
    buf_free(&plain);
    TessDeleteText(text);
}

int main(void)
{
    struct app a;
    struct err e;
    struct img m;
    app_init(&a, "ocr");
    /* The library reads this when it starts threads: more than one wait for each other, and sums
     * of several threads have no fixed order. */
    if (setenv("OMP_THREAD_LIMIT", "1", 1) != 0) {
        app_fail(&a, APP_SYSTEM, "no memory");
    }
    if (!rc_ok(img_decode(&m, app_input(&a, 1, IMG_FILE_MAX), &e))) {
        app_fail(&a, APP_PICTURE, "%s", e.msg);
    }
    struct bytes data = app_model(&a, DATA_MAX);
    if (!is_traineddata(data)) {
        app_fail(&a, APP_MODEL, "the rented model is not a file of language data, or is damaged");
    }
    TessBaseAPI *t = TessBaseAPICreate();
    char *none[1] = {NULL};
    if (TessBaseAPIInit5(t, (const char *)data.p, (int)data.n, "eng", OEM_LSTM_ONLY, none, 0, NULL,
                         NULL, 0, 0) != 0) {
        app_fail(&a, APP_MODEL, "tesseract refuses the language data");
    }
    TessBaseAPISetImage(t, m.rgb, (int)m.w, (int)m.h, 3, (int)m.w * 3);
    TessBaseAPISetSourceResolution(t, 150);
    if (TessBaseAPIRecognize(t, NULL) != 0) {
        app_fail(&a, APP_PICTURE, "the picture could not be read as a page");
    }
    read_page(&a, t);
    TessBaseAPIEnd(t);
    TessBaseAPIDelete(t);
    img_free(&m);
    app_done(&a);
}
