/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_HTTP_SERVER_H
#define SOUK_IO_HTTP_SERVER_H

/* http_server.h - an HTTP/1.1 and WebSocket server on the loop: RFC 9110, 9112, 6455.
 *
 * A request goes to the first route that fits. Its handler answers at once or keeps the request and
 * answers later from the loop; either way exactly one answer. When the client goes away before, the
 * `gone` callback says so and the request is no more. Every request has an arena of its own.
 *
 * What a client can make us hold is bounded: connections, header bytes, body bytes, bytes queued
 * for a slow reader, time. The limits stand in struct http_config. */

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "io/loop.h"
#include "io/metrics.h"

struct http_server;
struct http_req;
struct ws;

#define HTTP_ARENA_MAX  ((size_t)4 << 20) /* a request's own memory, beside its body */
#define HTTP_PARAMS_MAX 64                /* query parameters; more is refused */

typedef void (*http_fn)(void *ctx, struct http_req *r);

/* A part of a streamed body, in order; `last` with the final one (which may be empty). */
typedef void (*http_body_fn)(void *ctx, struct http_req *r, struct bytes part, bool last);

struct http_route {
    const char *method; /* "GET" serves HEAD too; NULL: all */
    const char *path;   /* exact; ":name" takes one segment, a last "*" takes the rest */
    size_t body_max;    /* bytes; 0: no body is taken */
    http_fn on_request; /* whole request; with on_body: only its head, body follows there */
    http_body_fn on_body;
};

struct ws_endpoint {
    const char *path;   /* NULL: no WebSocket */
    size_t message_max; /* bytes of one message from the client */
    size_t queue_max;   /* bytes queued for the client; more closes it */
    void (*on_open)(void *ctx, struct ws *w);
    void (*on_text)(void *ctx, struct ws *w, struct bytes text); /* valid UTF-8 */
    void (*on_close)(void *ctx, struct ws *w);                   /* w is gone after it */
};

struct http_config {
    const char *listen;              /* "127.0.0.1:8545", "[::1]:0"; port 0 takes a free one */
    const struct http_route *routes; /* ends with a row whose path is NULL */
    struct ws_endpoint ws;
    void *ctx; /* first argument of all callbacks */

    const char *cors_origin;        /* "*", one origin; NULL: no CORS headers */
    const char *tls_cert, *tls_key; /* PEM files; NULL: plain */

    size_t max_conns;   /* 0: 1024 */
    size_t header_max;  /* bytes of request line and headers; 0: 16 KiB */
    size_t queue_max;   /* bytes of a streamed answer waiting for the client; 0: 1 MiB */
    size_t held_max;    /* bytes held for all clients together; beyond it the connections that moved
                           least recently are cut; 0: 256 MiB */
    uint64_t header_ms; /* from the first byte to the end of the headers; 0: 10 s */
    uint64_t idle_ms;   /* no byte moves in either direction; 0: 60 s. WebSockets get a ping */

    /* GET /metrics and GET /health are served when these are set. */
    const struct metric *metrics; /* ends with a row whose name is NULL */
    const void *metrics_base;
    bool (*health)(void *ctx, struct buf *json); /* puts {"status":"ok",…}; false answers 503 */
};

/* Binds and listens. IO with "port in use" in the message, MALFORMED for an address. */
rc http_server_open(struct http_server **out, struct loop *l, const struct http_config *cfg,
                    struct err *e);
uint16_t http_server_port(const struct http_server *s);
const char *http_server_url(const struct http_server *s); /* "http://127.0.0.1:8545" */

/* Closes all connections; `gone` and on_close run for what is open. NULL is allowed. */
void http_server_close(struct http_server *s);

/* The request. Strings live as long as the request. */
const char *http_method(const struct http_req *r);
const char *http_path(const struct http_req *r);                    /* percent-decoded, no query */
const char *http_param(const struct http_req *r, const char *name); /* ":name"; "*" for the rest */
const char *http_query(const struct http_req *r,
                       const char *name); /* first one, decoded; or NULL */
size_t http_query_n(const struct http_req *r);
const char *http_query_at(const struct http_req *r, size_t i, const char **name);
const char *http_header(const struct http_req *r, const char *name); /* any case; NULL if absent */
struct bytes http_body(const struct http_req *r);
const char *http_peer(const struct http_req *r); /* address without port */
struct arena *http_arena(struct http_req *r);
void http_set_user(struct http_req *r, void *user);
void *http_user(const struct http_req *r);

/* fn(user-context, r) when the client left before the answer was out, or sent a body that the server
 * refused while it was streamed; r is gone after it. */
void http_on_gone(struct http_req *r, http_fn fn);

/* Streamed bodies: stop and go on reading from the client. */
void http_pause(struct http_req *r);
void http_resume(struct http_req *r);

/* Answers. A header is set before the answer; a later one of the same name is added. */
void http_set_header(struct http_req *r, const char *name, const char *value);
void http_reply(struct http_req *r, int status, const char *content_type, struct bytes body);
void http_reply_buf(struct http_req *r, int status, const char *content_type,
                    struct buf *body); /* takes the memory of body, leaves it empty */
void http_reply_json(struct http_req *r, int status, json_t *take); /* takes the reference */
void http_reply_text(struct http_req *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* {"error": "…"} with a printf-style sentence. */
void http_reply_error(struct http_req *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The status that fits a code: 400, 413, 404, 403, 502, 500. */
int http_status_of(rc r);

/* size bytes of a file from its start; takes ownership of fd. Range requests are served (206,
 * 416) when the status is 200. */
void http_reply_file(struct http_req *r, int status, const char *content_type, int fd,
                     uint64_t size);

/* A streamed answer: begin, write…, end. size < 0: length unknown (chunked). http_write() answers
 * LIMIT when more than queue_max waits for the client: stop until `drain` runs. http_abort() cuts
 * the connection so that the client sees a broken answer. */
void http_begin(struct http_req *r, int status, const char *content_type, int64_t size);
rc http_write(struct http_req *r, struct bytes part);
void http_on_drain(struct http_req *r, http_fn fn);
void http_end(struct http_req *r);
void http_abort(struct http_req *r);

enum http_range { HTTP_RANGE_NONE, HTTP_RANGE_PART, HTTP_RANGE_BAD };

/* One "bytes=a-b", "bytes=a-" or "bytes=-n" of a thing of size bytes. NONE: send all of it (absent,
 * many ranges, unknown unit); BAD: 416. */
enum http_range http_range_parse(const char *header, uint64_t size, uint64_t *off, uint64_t *n);

/* WebSocket: sends one text message; LIMIT when the queue was full: the connection is then being
 * closed. Copies. */
rc ws_send(struct ws *w, struct bytes text);

/* The same for news that goes to many: may wait a few milliseconds for more to the same client. */
rc ws_push(struct ws *w, struct bytes text);
void ws_close(struct ws *w, uint16_t code, const char *reason);
void ws_set_user(struct ws *w, void *user);
void *ws_user(const struct ws *w);
size_t ws_queued(const struct ws *w); /* bytes */
const char *ws_peer(const struct ws *w);

#endif /* SOUK_IO_HTTP_SERVER_H */
