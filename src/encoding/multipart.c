/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/multipart.h"

#include <strings.h>

#include "base/cur.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void skip_space(struct cur *c)
{
    while (c->n > 0 && is_space(c->p[0])) {
        (void)take_bytes(c, 1);
    }
}

/* The characters up to one of `stop` or the end, without spaces around. */
static struct bytes take_until(struct cur *c, const char *stop)
{
    skip_space(c);
    size_t n = 0;
    while (n < c->n && (c->p[n] == 0 || strchr(stop, c->p[n]) == NULL)) {
        n++;
    }
    struct bytes v = take_bytes(c, n);
    while (v.n > 0 && is_space(v.p[v.n - 1])) {
        v.n--;
    }
    return v;
}

static bool is_word(struct bytes v, const char *word)
{
    return v.n == strlen(word) && strncasecmp((const char *)v.p, word, v.n) == 0;
}

/* A quoted string is unescaped into scratch, whose capacity bounds it; others are views. */
static struct bytes take_value(struct cur *c, struct buf *scratch)
{
    skip_space(c);
    if (c->n == 0 || c->p[0] != '"') {
        return take_until(c, ";");
    }
    (void)take_bytes(c, 1);
    size_t start = scratch->n;
    while (c->n > 0 && c->p[0] != '"') {
        uint8_t ch = (uint8_t)take_be(c, 1);
        /* Some clients escape nothing in names such as C:\dir: only \" and \\ are escapes. */
        if (ch == '\\' && c->n > 0 && (c->p[0] == '"' || c->p[0] == '\\')) {
            ch = (uint8_t)take_be(c, 1);
        }
        put_u8(scratch, ch);
    }
    if (take_be(c, 1) != '"') {
        cur_fail(c, "quoted value without an end");
    }
    return (struct bytes){scratch->p + start, scratch->n - start};
}

/* Finds `key` among the ;-parameters that follow a header's first word. */
static bool take_param(struct cur c, const char *key, struct buf *scratch, struct bytes *out)
{
    (void)take_until(&c, ";");
    while (c.n > 0) {
        (void)take_bytes(&c, 1); /* the ; */
        struct bytes name = take_until(&c, "=;");
        if (c.n == 0 || c.p[0] != '=') {
            continue;
        }
        (void)take_bytes(&c, 1);
        struct bytes value = take_value(&c, scratch);
        if (c.bad == NULL && is_word(name, key)) {
            *out = value;
            return true;
        }
        (void)take_until(&c, ";");
    }
    return false;
}

static bool is_boundary(struct bytes b)
{
    static const char other[] = "'()+_,-./:=? ";
    for (size_t i = 0; i < b.n; i++) {
        uint8_t c = b.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == 0 || strchr(other, c) == NULL)) {
            return false;
        }
    }
    return b.n > 0 && b.n <= MULTIPART_BOUNDARY_MAX && b.p[b.n - 1] != ' ';
}

rc multipart_open(struct multipart *m, struct bytes content_type,
                  const struct multipart_handler *handler, void *ctx)
{
    *m = (struct multipart){.handler = handler, .ctx = ctx};
    m->head = buf_new(MULTIPART_HEADERS_MAX);
    struct cur c = cur_of(content_type);
    struct bytes type = take_until(&c, ";");
    BUF_FREE scratch = buf_new(content_type.n);
    struct bytes boundary = {0};
    /* Every value may be quoted: reserve once, so that views into scratch stay valid. */
    (void)buf_grow(&scratch, content_type.n);
    buf_reset(&scratch);
    if (!is_word(type, "multipart/form-data") ||
        !take_param(cur_of(content_type), "boundary", &scratch, &boundary) ||
        !is_boundary(boundary)) {
        return RC(MALFORMED);
    }
    memcpy(m->delim, "\r\n--", 4);
    memcpy(m->delim + 4, boundary.p, boundary.n);
    m->n_delim = 4 + boundary.n;
    m->matched = 2; /* the first delimiter may stand at the very start, without its CR LF */
    return RC_OK;
}

void multipart_close(struct multipart *m)
{
    buf_free(&m->head);
}

static rc bad(struct multipart *m, rc r, const char *why)
{
    m->bad = why;
    return r;
}

/* One line of a part's headers. */
static void header_line(struct multipart_part *part, struct bytes line, struct buf *scratch)
{
    struct cur c = cur_of(line);
    struct bytes key = take_until(&c, ":");
    if (c.n == 0) {
        return;
    }
    (void)take_bytes(&c, 1);
    if (is_word(key, "content-type")) {
        part->content_type = take_until(&c, "\r");
    } else if (is_word(key, "content-disposition")) {
        (void)take_param(c, "name", scratch, &part->name);
        part->has_filename = take_param(c, "filename", scratch, &part->filename);
    }
}

static rc headers_done(struct multipart *m)
{
    struct multipart_part part = {0};
    struct cur c = cur_of(buf_bytes(&m->head));
    /* Each parameter is read at most once per lookup: four times the size bounds the scratch. */
    BUF_FREE scratch = buf_new((size_t)4 * MULTIPART_HEADERS_MAX);
    (void)buf_grow(&scratch, 4 * m->head.n + 1);
    buf_reset(&scratch);
    while (c.n > 0) {
        struct bytes line = take_until(&c, "\r");
        header_line(&part, line, &scratch);
        (void)take_bytes(&c, MIN(c.n, (size_t)2));
    }
    m->state = MULTIPART_DATA;
    m->in_part = true;
    m->matched = 0;
    return m->handler->on_part(m->ctx, &part);
}

static rc feed_headers(struct multipart *m, struct cur *c)
{
    while (c->n > 0) {
        put_u8(&m->head, (uint8_t)take_be(c, 1));
        if (m->head.full) {
            return bad(m, RC(LIMIT), "the headers of a part are over 8 KiB");
        }
        const uint8_t *e = m->head.p + m->head.n;
        if ((m->head.n == 2 && memcmp(e - 2, "\r\n", 2) == 0) ||
            (m->head.n >= 4 && memcmp(e - 4, "\r\n\r\n", 4) == 0)) {
            return headers_done(m);
        }
    }
    return RC_OK;
}

/* What follows a delimiter: -- ends the body; spaces and CR LF begin a part. */
static rc feed_delimiter(struct multipart *m, struct cur *c)
{
    while (c->n > 0 && m->state == MULTIPART_DELIMITER) {
        uint8_t ch = (uint8_t)take_be(c, 1);
        if (m->head.n == 0 && is_space(ch)) {
            continue;
        }
        put_u8(&m->head, ch);
        if (m->head.n < 2) {
            continue;
        }
        if (memcmp(m->head.p, "--", 2) == 0) {
            m->state = MULTIPART_END;
        } else if (memcmp(m->head.p, "\r\n", 2) == 0) {
            m->state = MULTIPART_HEADERS;
        } else {
            return bad(m, RC(MALFORMED), "a boundary is followed by neither -- nor a new line");
        }
        buf_reset(&m->head);
    }
    return RC_OK;
}

static rc emit(struct multipart *m, struct bytes data)
{
    return m->in_part && data.n > 0 ? m->handler->on_data(m->ctx, data) : RC_OK;
}

static rc delimiter_found(struct multipart *m)
{
    m->matched = 0;
    m->state = MULTIPART_DELIMITER;
    buf_reset(&m->head);
    if (!m->in_part) {
        return RC_OK;
    }
    m->in_part = false;
    return m->handler->on_part_end(m->ctx);
}

/* Goes on with a delimiter that began in the input before. CR stands nowhere in a delimiter but at
 * its start, so what does not match on is data as a whole. */
static rc resume_delimiter(struct multipart *m, struct cur *c)
{
    size_t n = MIN(m->n_delim - m->matched, c->n);
    size_t same = 0;
    while (same < n && c->p[same] == (uint8_t)m->delim[m->matched + same]) {
        same++;
    }
    (void)take_bytes(c, same);
    m->matched += same;
    if (m->matched == m->n_delim) {
        return delimiter_found(m);
    }
    if (c->n == 0) {
        return RC_OK;
    }
    size_t seen = m->matched;
    m->matched = 0;
    return emit(m, (struct bytes){(const uint8_t *)m->delim, seen});
}

static rc feed_data(struct multipart *m, struct cur *c)
{
    if (m->matched > 0) {
        return resume_delimiter(m, c);
    }
    const uint8_t *at = memmem(c->p, c->n, m->delim, m->n_delim);
    if (at != NULL) {
        struct bytes data = take_bytes(c, (size_t)(at - c->p));
        (void)take_bytes(c, m->n_delim);
        TRY(emit(m, data));
        return delimiter_found(m);
    }
    /* A delimiter may begin at the last CR near the end. */
    size_t tail = MIN(c->n, m->n_delim - 1);
    const uint8_t *cr = memrchr(c->p + c->n - tail, '\r', tail);
    size_t partial = cr == NULL ? 0 : (size_t)(c->p + c->n - cr);
    if (partial > 0 && memcmp(cr, m->delim, partial) != 0) {
        partial = 0;
    }
    struct bytes data = take_bytes(c, c->n - partial);
    (void)take_bytes(c, partial);
    m->matched = partial;
    return emit(m, data);
}

rc multipart_feed(struct multipart *m, struct bytes in)
{
    struct cur c = cur_of(in);
    while (c.n > 0) {
        switch (m->state) {
        case MULTIPART_DATA:
            TRY(feed_data(m, &c));
            break;
        case MULTIPART_DELIMITER:
            TRY(feed_delimiter(m, &c));
            break;
        case MULTIPART_HEADERS:
            TRY(feed_headers(m, &c));
            break;
        case MULTIPART_END: /* the epilogue means nothing */
            return RC_OK;
        }
    }
    return RC_OK;
}

rc multipart_end(struct multipart *m)
{
    return m->state == MULTIPART_END
               ? RC_OK
               : bad(m, RC(MALFORMED), "the body ends before its last boundary");
}
