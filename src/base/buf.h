/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_BASE_BUF_H
#define SOUK_BASE_BUF_H

/* buf.h - the only way to write bytes of unknown length.
 *
 * A buffer grows on the heap up to its cap. Like a cursor, the first failure sticks: a put that
 * would pass the cap is dropped whole, `full` is set and later puts do nothing, so that a writer
 * reads straight down and asks buf_end() once. The system running out of memory aborts.
 * The owner calls buf_free(); a zeroed struct with a cap is a valid empty buffer. */

#include "base/rc.h"

struct buf {
    uint8_t *p;
    size_t n;     /* bytes written */
    size_t alloc; /* bytes owned */
    size_t cap;   /* bytes; never more */
    bool full;    /* a put was refused */
};

#define BUF_CAP_DEFAULT ((size_t)64 << 20) /* 64 MiB: no single message of ours is larger */

static inline struct buf buf_new(size_t cap)
{
    return (struct buf){.cap = cap};
}

void buf_free(struct buf *b);  /* frees the memory and zeroes the struct but for cap */
void buf_reset(struct buf *b); /* forgets the contents, keeps the memory */

/* Room for n more bytes at the end, counted as written; NULL when the cap would be passed. The
 * pointer is valid until the next put. */
uint8_t *buf_grow(struct buf *b, size_t n);

void put_bytes(struct buf *b, struct bytes v);
void put_mem(struct buf *b, const void *p, size_t n);
void put_str(struct buf *b, const char *s);
void put_u8(struct buf *b, uint8_t v);
void put_be(struct buf *b, uint64_t v, size_t size); /* size 1..8 bytes, big-endian */
void put_zero(struct buf *b, size_t n);
void put_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3); /* no terminating NUL */

static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->p, b->n};
}

/* The contents as a C string: appends a NUL that is not counted. "" when nothing fits. */
const char *buf_cstr(struct buf *b);

/* OK unless a put was refused. */
static inline rc buf_end(const struct buf *b)
{
    return b->full ? RC(LIMIT) : RC_OK;
}

#define BUF_FREE __attribute__((cleanup(buf_free))) struct buf

#endif /* SOUK_BASE_BUF_H */
