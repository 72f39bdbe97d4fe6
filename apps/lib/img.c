/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/lib/img.h"

#include <setjmp.h>
#include <stdlib.h>

#include <png.h>

#include "apps/lib/font.h"

#define FRAC 11 /* bits behind the point of a place between two pixels */

/* Source place of destination pixel i of n, centres aligned: the pixel before it and the weight of
 * the one behind, in 2^-FRAC. */
static void place(uint32_t *at, uint32_t *next, uint32_t *frac, uint64_t i, uint64_t n,
                  uint64_t src)
{
    int64_t p = (int64_t)(((2 * i + 1) * src << FRAC) / (2 * n)) - (1 << (FRAC - 1));
    int64_t last = (int64_t)(src - 1) << FRAC;
    p = p < 0 ? 0 : p;
    p = p > last ? last : p;
    *at = (uint32_t)(p >> FRAC);
    *next = *at + 1 < src ? *at + 1 : *at;
    *frac = (uint32_t)(p & ((1 << FRAC) - 1));
}

void img_scale(uint8_t *out, const struct img *m, struct img_window win)
{
    for (uint32_t y = 0; y < win.h; y++) {
        uint32_t y0;
        uint32_t y1;
        uint32_t fy;
        place(&y0, &y1, &fy, win.y0 + y, win.full_h, m->h);
        const uint8_t *up = m->rgb + (size_t)y0 * m->w * 3;
        const uint8_t *down = m->rgb + (size_t)y1 * m->w * 3;
        for (uint32_t x = 0; x < win.w; x++) {
            uint32_t x0;
            uint32_t x1;
            uint32_t fx;
            place(&x0, &x1, &fx, win.x0 + x, win.full_w, m->w);
            for (uint32_t c = 0; c < 3; c++) {
                uint32_t a = up[x0 * 3 + c] * ((1U << FRAC) - fx) + up[x1 * 3 + c] * fx;
                uint32_t b = down[x0 * 3 + c] * ((1U << FRAC) - fx) + down[x1 * 3 + c] * fx;
                uint32_t v = a * ((1U << FRAC) - fy) + b * fy;
                *out++ = (uint8_t)((v + (1U << (2 * FRAC - 1))) >> (2 * FRAC));
            }
        }
    }
}

struct png_sink {
    jmp_buf out;
    struct buf *to;
};

static void sink_fail(png_structp png, png_const_charp msg)
{
    (void)msg;
    struct png_sink *s = png_get_error_ptr(png);
    longjmp(s->out, 1);
}

static void sink_warn(png_structp png, png_const_charp msg)
{
    (void)png;
    (void)msg;
}

static void sink_put(png_structp png, png_bytep p, size_t n)
{
    struct png_sink *s = png_get_io_ptr(png);
    put_mem(s->to, p, n);
}

static void sink_flush(png_structp png)
{
    (void)png;
}

rc img_encode_png(struct buf *out, const struct img *m, struct err *e)
{
    struct png_sink s = {.to = out};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s, sink_fail, sink_warn);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    if (info == NULL || setjmp(s.out) != 0) {
        png_destroy_write_struct(&png, &info);
        return err_set(e, RC_CODE_LIMIT, "the PNG picture could not be written");
    }
    png_set_write_fn(png, &s, sink_put, sink_flush);
    png_set_IHDR(png, info, m->w, m->h, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 3); /* a third of the time of the default, 5 % larger */
    png_write_info(png, info);
    for (size_t y = 0; y < m->h; y++) {
        png_write_row(png, m->rgb + y * m->w * 3);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return rc_ok(buf_end(out)) ? RC_OK : err_set(e, RC_CODE_LIMIT, "the PNG picture is too large");
}

void img_fill(struct img *m, int64_t x, int64_t y, int64_t w, int64_t h, struct rgb color)
{
    int64_t x1 = MIN(x + w, (int64_t)m->w);
    int64_t y1 = MIN(y + h, (int64_t)m->h);
    for (int64_t j = MAX(y, 0); j < y1; j++) {
        for (int64_t i = MAX(x, 0); i < x1; i++) {
            uint8_t *p = m->rgb + (size_t)(j * m->w + i) * 3;
            p[0] = color.r;
            p[1] = color.g;
            p[2] = color.b;
        }
    }
}

void img_frame(struct img *m, int64_t x, int64_t y, int64_t w, int64_t h, int64_t thick,
               struct rgb color)
{
    img_fill(m, x, y, w, thick, color);
    img_fill(m, x, y + h - thick, w, thick, color);
    img_fill(m, x, y, thick, h, color);
    img_fill(m, x + w - thick, y, thick, h, color);
}

void img_text(struct img *m, int64_t x, int64_t y, int64_t scale, struct bytes text,
              struct rgb color)
{
    for (size_t i = 0; i < text.n; i++, x += IMG_CELL_W * scale) {
        const uint8_t *glyph = font_glyph(text.p[i]);
        for (int64_t col = 0; col < FONT_COLS; col++) {
            for (int64_t row = 0; row < FONT_ROWS; row++) {
                if ((glyph[col] >> row & 1) != 0) {
                    img_fill(m, x + col * scale, y + row * scale, scale, scale, color);
                }
            }
        }
    }
}
