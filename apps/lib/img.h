/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_LIB_IMG_H
#define SOUK_APPS_LIB_IMG_H

/* img.h - pictures from outside, and pictures we draw. Everything in whole numbers, so that a picture
 * has the same bytes on every machine. */

#include "base/buf.h"
#include "base/cur.h"

#define IMG_FILE_MAX   ((size_t)64 << 20) /* bytes of a JPEG or PNG file */
#define IMG_SIDE_MAX   16384              /* pixels */
#define IMG_PIXELS_MAX 40000000           /* a large camera's picture: 120 MB once decoded */

struct img {
    uint32_t w, h;
    uint8_t *rgb; /* h rows of w pixels of 3 bytes; heap */
};

void img_free(struct img *m);

/* Decodes a JPEG or PNG file. Transparent places become white, 16 bits become 8, grey becomes RGB.
 * MALFORMED when it is neither or damaged, LIMIT when it is too large. */
rc img_decode(struct img *out, struct bytes file, struct err *e);

/* Bilinear, in fixed point: scales m to full_w × full_h and keeps the window of w × h pixels at x0,
 * y0 of that. out (w*h*3 bytes) is the caller's. */
struct img_window {
    uint32_t full_w, full_h, x0, y0, w, h;
};
void img_scale(uint8_t *out, const struct img *m, struct img_window win);

/* A PNG file of m, appended to out. */
rc img_encode_png(struct buf *out, const struct img *m, struct err *e);

struct rgb {
    uint8_t r, g, b;
};

/* Drawing; what lies outside the picture is left out. */
void img_fill(struct img *m, int64_t x, int64_t y, int64_t w, int64_t h, struct rgb color);
void img_frame(struct img *m, int64_t x, int64_t y, int64_t w, int64_t h, int64_t thick,
               struct rgb color);

/* ASCII text of 6×8 pixel cells, each pixel scale × scale; other characters show as a box. */
#define IMG_CELL_W 6
#define IMG_CELL_H 8
void img_text(struct img *m, int64_t x, int64_t y, int64_t scale, struct bytes text,
              struct rgb color);

#endif /* SOUK_APPS_LIB_IMG_H */
