/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.cap = b->cap};
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->full = false;
}

static void reserve(struct buf *b, size_t size)
{
    size_t alloc = b->alloc < 256 ? 256 : b->alloc;
    while (alloc < size) {
        alloc *= 2;
    }
    uint8_t *p = realloc(b->p, alloc);
    if (p == NULL) {
        (void)fputs("souk: out of memory\n", stderr);
        abort();
    }
    b->p = p;
    b->alloc = alloc;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
    if (b->full || n > b->cap - b->n) {
        b->full = true;
        return NULL;
    }
    if (n > b->alloc - b->n || b->p == NULL) {
        reserve(b, b->n + n);
    }
    uint8_t *p = b->p + b->n;
    b->n += n;
    return p;
}

void put_mem(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_grow(b, n);
    if (to != NULL && n > 0) {
        memcpy(to, p, n);
    }
}

void put_bytes(struct buf *b, struct bytes v)
{
    put_mem(b, v.p, v.n);
}

void put_str(struct buf *b, const char *s)
{
    put_mem(b, s, strlen(s));
}

void put_u8(struct buf *b, uint8_t v)
{
    put_mem(b, &v, 1);
}

void put_be(struct buf *b, uint64_t v, size_t size)
{
    uint8_t *to = buf_grow(b, size);
    for (size_t i = 0; to != NULL && i < size; i++) {
        to[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
    }
}

void put_zero(struct buf *b, size_t n)
{
    uint8_t *to = buf_grow(b, n);
    if (to != NULL && n > 0) {
        memset(to, 0, n);
    }
}

void put_fmt(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->full = true;
        return;
    }
    if ((size_t)n < sizeof(small)) {
        put_mem(b, small, (size_t)n);
        return;
    }
    uint8_t *to = buf_grow(b, (size_t)n + 1);
    if (to != NULL) {
        va_start(ap, fmt);
        (void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
        va_end(ap);
        b->n--; /* the NUL does not count */
    }
}

const char *buf_cstr(struct buf *b)
{
    if (buf_grow(b, 1) == NULL) {
        return "";
    }
    b->p[--b->n] = 0;
    return (const char *)b->p;
}
