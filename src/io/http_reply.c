/* SPDX-License-Identifier: Apache-2.0 */
/* http_reply.c - answers: head, whole bodies, files, streams, and the paths every server has. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/file.h"
#include "io/http_int.h"
#include "io/json.h"

#define HEAD_MAX  32768
#define TEXT_MAX  2048
#define PAGE_MAX  ((size_t)1 << 20) /* /metrics, /health */
#define JSON_TYPE "application/json"

static const struct {
    int status;
    const char *text;
} REASONS[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

static const char *reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        if (REASONS[i].status == status) {
            return REASONS[i].text;
        }
    }
    return "Unknown";
}

/* Header text comes from our code, but may carry a client's words: nothing may end the line. */
static void put_value(struct buf *b, const char *v)
{
    for (const char *p = v; *p != 0; p++) {
        put_u8(b, (uint8_t)*p < ' ' || *p == 0x7f ? ' ' : (uint8_t)*p);
    }
}

void http_set_header(struct http_req *r, const char *name, const char *value)
{
    put_str(&r->extra, name);
    put_str(&r->extra, ": ");
    put_value(&r->extra, value);
    put_str(&r->extra, "\r\n");
}

static void put_cors(struct buf *b, const struct http_req *r)
{
    const char *origin = r->c->s->cfg.cors_origin;
    if (origin != NULL && http_header(r, "origin") != NULL) {
        put_fmt(b, "access-control-allow-origin: %s\r\n", origin);
        put_str(b, "access-control-expose-headers: *\r\nvary: origin\r\n");
    }
}

/* Queues the head. size < 0: the length is not known. */
static void put_head(struct http_req *r, int status, const char *type, int64_t size)
{
    struct buf b = buf_new(HEAD_MAX);
    bool bodiless = status == 204 || status == 304 || status < 200;
    r->begun = true;
    r->out_chunked = size < 0 && r->head.minor == 1;
    r->keep = r->keep && (size >= 0 || r->out_chunked);
    if (r->c->state == CONN_BODY) {
        r->keep = false; /* answered before the body was read */
    }
    put_fmt(&b, "HTTP/1.1 %d %s\r\n", status, reason(status));
    if (type != NULL && !bodiless) {
        put_fmt(&b, "content-type: %s\r\n", type);
    }
    if (size >= 0 && !bodiless) {
        put_fmt(&b, "content-length: %" PRId64 "\r\n", size);
    } else if (r->out_chunked) {
        put_str(&b, "transfer-encoding: chunked\r\n");
    }
    if (!r->keep) {
        put_str(&b, "connection: close\r\n");
    } else if (r->head.minor == 0) {
        put_str(&b, "connection: keep-alive\r\n");
    }
    put_cors(&b, r);
    put_bytes(&b, buf_bytes(&r->extra));
    put_str(&b, "\r\n");
    ASSERT(!b.full);
    conn_put(r->c, b.p, b.n);
}

static void finish(struct http_req *r)
{
    r->ended = true;
    conn_kick(r->c);
}

void http_reply_buf(struct http_req *r, int status, const char *content_type, struct buf *body)
{
    ASSERT(!r->begun);
    put_head(r, status, content_type, (int64_t)body->n);
    if (!r->is_head && status != 204 && status != 304) {
        conn_put(r->c, body->p, body->n);
        *body = (struct buf){.cap = body->cap};
    }
    buf_free(body);
    finish(r);
}

void http_reply(struct http_req *r, int status, const char *content_type, struct bytes body)
{
    struct buf b = buf_new(SIZE_MAX);
    put_bytes(&b, body);
    http_reply_buf(r, status, content_type, &b);
}

void http_reply_json(struct http_req *r, int status, json_t *take)
{
    struct buf b = buf_new(SIZE_MAX);
    json_put(&b, take);
    json_decref(take);
    http_reply_buf(r, status, JSON_TYPE, &b);
}

void http_reply_text(struct http_req *r, int status, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    http_reply(r, status, "text/plain; charset=utf-8", bytes_str(text));
}

void http_reply_error(struct http_req *r, int status, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    struct buf b = buf_new(SIZE_MAX);
    put_str(&b, "{\"error\":");
    json_put_str(&b, bytes_str(text));
    put_str(&b, "}");
    http_reply_buf(r, status, JSON_TYPE, &b);
}

int http_status_of(rc r)
{
    switch (r.code) {
    case RC_CODE_OK:
        return 200;
    case RC_CODE_MALFORMED:
        return 400;
    case RC_CODE_LIMIT:
        return 413;
    case RC_CODE_NOT_FOUND:
        return 404;
    case RC_CODE_DENIED:
        return 403;
    case RC_CODE_IO:
        return 502;
    case RC_CODE_CORRUPT:
        return 500;
    }
    return 500;
}

void http_reply_file(struct http_req *r, int status, const char *content_type, int fd,
                     uint64_t size)
{
    uint64_t off = 0;
    uint64_t n = size;
    char range[80];
    ASSERT(!r->begun);
    if (status == 200) {
        http_set_header(r, "accept-ranges", "bytes");
        enum http_range got = http_range_parse(http_header(r, "range"), size, &off, &n);
        if (got == HTTP_RANGE_BAD) {
            fd_close(&fd);
            (void)snprintf(range, sizeof(range), "bytes */%" PRIu64, size);
            http_set_header(r, "content-range", range);
            http_reply(r, 416, "text/plain", (struct bytes){0});
            return;
        }
        if (got == HTTP_RANGE_PART) {
            status = 206;
            (void)snprintf(range, sizeof(range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, off,
                           off + n - 1, size);
            http_set_header(r, "content-range", range);
        }
    }
    put_head(r, status, content_type, (int64_t)n);
    if (r->is_head) {
        fd_close(&fd);
    } else {
        conn_put_file(r->c, fd, off, n);
    }
    finish(r);
}

/* --- streams --- */

void http_begin(struct http_req *r, int status, const char *content_type, int64_t size)
{
    ASSERT(!r->begun);
    put_head(r, status, content_type, size);
}

rc http_write(struct http_req *r, struct bytes part)
{
    struct conn *c = r->c;
    ASSERT(r->begun && !r->ended);
    if (c->doomed || part.n == 0 || r->is_head) {
        return RC_OK; /* `gone` says it */
    }
    if (r->out_chunked) {
        struct buf b = buf_new(SIZE_MAX);
        put_fmt(&b, "%zx\r\n", part.n);
        put_bytes(&b, part);
        put_str(&b, "\r\n");
        conn_put(c, b.p, b.n);
    } else {
        conn_put_copy(c, part.p, part.n);
    }
    return c->out_n > c->s->cfg.queue_max ? RC(LIMIT) : RC_OK;
}

void http_on_drain(struct http_req *r, http_fn fn)
{
    r->drain = fn;
    conn_kick(r->c);
}

void http_end(struct http_req *r)
{
    ASSERT(r->begun && !r->ended);
    if (r->out_chunked && !r->is_head) {
        conn_put_copy(r->c, "0\r\n\r\n", 5);
    }
    finish(r);
}

void http_abort(struct http_req *r)
{
    r->gone = NULL;
    conn_doom(r->c);
}

/* --- what every server answers --- */

static void preflight(struct http_req *r)
{
    const char *asked = http_header(r, "access-control-request-headers");
    http_set_header(r, "access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    http_set_header(r, "access-control-allow-headers", asked == NULL ? "*" : asked);
    http_set_header(r, "access-control-max-age", "86400");
    http_reply(r, 204, NULL, (struct bytes){0});
}

void reply_builtin(struct http_req *r)
{
    const struct http_config *cfg = &r->c->s->cfg;
    if (strcmp(r->head.method, "OPTIONS") == 0 && cfg->cors_origin != NULL &&
        http_header(r, "origin") != NULL) {
        preflight(r);
        return;
    }
    if (!r->is_head && strcmp(r->head.method, "GET") != 0) {
        return;
    }
    struct buf b = buf_new(PAGE_MAX);
    if (cfg->metrics != NULL && strcmp(r->path, "/metrics") == 0) {
        metrics_put(&b, cfg->metrics, cfg->metrics_base);
        http_reply_buf(r, 200, "text/plain; version=0.0.4", &b);
    } else if (cfg->health != NULL && strcmp(r->path, "/health") == 0) {
        bool well = cfg->health(cfg->ctx, &b);
        http_reply_buf(r, well ? 200 : 503, JSON_TYPE, &b);
    }
}
