/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/lib/img.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <png.h>

/* Both libraries report errors by a callback that must not return: we jump back to the decoder's
 * one exit. What is to be freed there lives in structs, never in locals that a jump may spoil. */

void img_free(struct img *m)
{
    free(m->rgb);
    *m = (struct img){0};
}

static rc img_alloc(struct img *m, uint64_t w, uint64_t h, struct err *e)
{
    if (w == 0 || h == 0) {
        return err_set(e, RC_CODE_MALFORMED, "the picture is empty");
    }
    if (w > IMG_SIDE_MAX || h > IMG_SIDE_MAX || w * h > IMG_PIXELS_MAX) {
        return err_set(e, RC_CODE_LIMIT,
                       "the picture has %llu x %llu pixels; at most %d a side and %d in all",
                       (unsigned long long)w, (unsigned long long)h, IMG_SIDE_MAX, IMG_PIXELS_MAX);
    }
    *m = (struct img){(uint32_t)w, (uint32_t)h, malloc(w * h * 3)};
    return m->rgb != NULL ? RC_OK : err_set(e, RC_CODE_LIMIT, "no memory for the picture");
}

/* JPEG */

struct jpeg_trap {
    struct jpeg_error_mgr mgr; /* first: the library hands out a pointer to it */
    jmp_buf out;
    char msg[JMSG_LENGTH_MAX];
    int warnings;
};

static void jpeg_fail(j_common_ptr c)
{
    struct jpeg_trap *t = (struct jpeg_trap *)(void *)c->err;
    t->mgr.format_message(c, t->msg);
    longjmp(t->out, 1);
}

/* Warnings mean damaged data that the library papers over. We refuse at the first: a picture with
 * a grey half would be judged as if it were whole. */
static void jpeg_warn(j_common_ptr c, int level)
{
    if (level < 0) {
        jpeg_fail(c);
    }
}

static rc decode_jpeg(struct img *out, struct bytes file, struct err *e)
{
    struct jpeg_decompress_struct d = {0};
    struct jpeg_trap t = {0};
    d.err = jpeg_std_error(&t.mgr);
    t.mgr.error_exit = jpeg_fail;
    t.mgr.emit_message = jpeg_warn;
    if (setjmp(t.out) != 0) {
        jpeg_destroy_decompress(&d);
        return err_set(e, RC_CODE_MALFORMED, "the JPEG picture is damaged: %s", t.msg);
    }
    jpeg_create_decompress(&d);
    d.mem->max_memory_to_use = (long)256 << 20;
    jpeg_mem_src(&d, file.p, (unsigned long)file.n);
    (void)jpeg_read_header(&d, TRUE);
    rc r = img_alloc(out, d.image_width, d.image_height, e);
    if (rc_ok(r) && (d.jpeg_color_space == JCS_CMYK || d.jpeg_color_space == JCS_YCCK)) {
        r = err_set(e, RC_CODE_MALFORMED, "the JPEG picture has printing colours (CMYK), not RGB");
    }
    if (!rc_ok(r)) {
        jpeg_destroy_decompress(&d);
        return r;
    }
    d.out_color_space = JCS_RGB;
    d.dct_method = JDCT_ISLOW; /* exact in whole numbers, the same with and without SIMD */
    (void)jpeg_start_decompress(&d);
    while (d.output_scanline < d.output_height) {
        JSAMPROW row = out->rgb + (size_t)d.output_scanline * out->w * 3;
        (void)jpeg_read_scanlines(&d, &row, 1);
    }
    (void)jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    return RC_OK;
}

/* PNG */

struct png_trap {
    jmp_buf out;
    char msg[160];
    struct cur in;
    png_structp png;
    png_infop info;
    uint8_t *rgba;
    png_bytep *rows;
};

static void png_fail(png_structp png, png_const_charp msg)
{
    struct png_trap *t = png_get_error_ptr(png);
    (void)snprintf(t->msg, sizeof(t->msg), "%s", msg);
    longjmp(t->out, 1);
}

/* Broken colour profiles and the like: the pixels are whole. */
static void png_warn(png_structp png, png_const_charp msg)
{
    (void)png;
    (void)msg;
}

static void png_take(png_structp png, png_bytep p, size_t n)
{
    struct cur *c = png_get_io_ptr(png);
    struct bytes b = take_bytes(c, n);
    if (b.n != n) {
        png_error(png, "cut short");
    }
    memcpy(p, b.p, n);
}

/* Pixels over white. */
static void flatten(struct img *m, const uint8_t *rgba)
{
    for (size_t i = 0; i < (size_t)m->w * m->h; i++) {
        unsigned a = rgba[i * 4 + 3];
        for (size_t c = 0; c < 3; c++) {
            unsigned v = rgba[i * 4 + c] * a + 255 * (255 - a);
            m->rgb[i * 3 + c] = (uint8_t)((v + 127) / 255);
        }
    }
}

static rc png_pixels(struct img *out, struct png_trap *t, struct err *e)
{
    png_set_user_limits(t->png, IMG_SIDE_MAX, IMG_SIDE_MAX);
    png_set_chunk_cache_max(t->png, 64);
    png_set_chunk_malloc_max(t->png, (png_alloc_size_t)8 << 20);
    png_set_read_fn(t->png, &t->in, png_take);
    png_read_info(t->png, t->info);
    TRY(img_alloc(out, png_get_image_width(t->png, t->info), png_get_image_height(t->png, t->info),
                  e));
    png_set_expand(t->png);
    png_set_strip_16(t->png);
    png_set_gray_to_rgb(t->png);
    png_set_add_alpha(t->png, 0xff, PNG_FILLER_AFTER);
    (void)png_set_interlace_handling(t->png);
    png_read_update_info(t->png, t->info);
    size_t row = (size_t)out->w * 4;
    if (png_get_rowbytes(t->png, t->info) != row) {
        return err_set(e, RC_CODE_MALFORMED, "the PNG picture has pixels of an unknown kind");
    }
    t->rgba = malloc(row * out->h);
    t->rows = malloc(out->h * sizeof(*t->rows));
    if (t->rgba == NULL || t->rows == NULL) {
        return err_set(e, RC_CODE_LIMIT, "no memory for the picture");
    }
    for (size_t y = 0; y < out->h; y++) {
        t->rows[y] = t->rgba + y * row;
    }
    png_read_image(t->png, t->rows);
    png_read_end(t->png, NULL);
    flatten(out, t->rgba);
    return RC_OK;
}

static rc decode_png(struct img *out, struct bytes file, struct err *e)
{
    struct png_trap t = {.in = cur_of(file)};
    t.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &t, png_fail, png_warn);
    t.info = t.png != NULL ? png_create_info_struct(t.png) : NULL;
    rc r;
    if (t.info == NULL) {
        r = err_set(e, RC_CODE_LIMIT, "no memory for the picture");
    } else if (setjmp(t.out) != 0) {
        r = err_set(e, RC_CODE_MALFORMED, "the PNG picture is damaged: %s", t.msg);
    } else {
        r = png_pixels(out, &t, e);
    }
    free(t.rgba);
    free(t.rows);
    png_destroy_read_struct(&t.png, &t.info, NULL);
    return r;
}

rc img_decode(struct img *out, struct bytes file, struct err *e)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg[3] = {0xff, 0xd8, 0xff};
    *out = (struct img){0};
    rc r;
    if (file.n > IMG_FILE_MAX) {
        r = err_set(e, RC_CODE_LIMIT, "the picture's file is larger than %zu MiB",
                    IMG_FILE_MAX >> 20);
    } else if (file.n > sizeof(png) && memcmp(file.p, png, sizeof(png)) == 0) {
        r = decode_png(out, file, e);
    } else if (file.n > sizeof(jpeg) && memcmp(file.p, jpeg, sizeof(jpeg)) == 0) {
        r = decode_jpeg(out, file, e);
    } else {
        r = err_set(e, RC_CODE_MALFORMED, "not a picture: neither JPEG nor PNG (%zu bytes)",
                    file.n);
    }
    if (!rc_ok(r)) {
        img_free(out);
    }
    return r;
}
