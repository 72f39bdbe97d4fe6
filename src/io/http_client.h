/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_HTTP_CLIENT_H
#define SOUK_IO_HTTP_CLIENT_H

/* http_client.h - an HTTP/1.1 client for one thread, over libcurl. A call blocks until it is answered
 * or its deadline passes; connections are kept open between calls. Proxies named in the environment
 * are not used, redirects are not followed unless asked for, and only http and https are spoken.
 *
 * A handle may not be used in a child after fork(): the child opens its own. */

#include <jansson.h>

#include "base/buf.h"

struct http_client;

#define HTTP_CALL_TIMEOUT_MS 30000                /* when a call names none */
#define HTTP_ANSWER_MAX      ((size_t)16 << 20)   /* bytes kept of an answer, unless it says more */
#define HTTP_FILE_MAX        ((uint64_t)16 << 30) /* bytes written to out_fd, unless it says less */

/* One part of a multipart/form-data body: a file on disk (streamed) or bytes. */
struct http_part {
    const char *name, *filename, *type; /* filename, type may be NULL */
    const char *path;                   /* NULL: data is sent */
    struct bytes data;
};

struct http_call {
    const char *method; /* NULL: "GET", or "POST" when there is a body or a part */
    const char *url;
    const char *const *headers;    /* "Name: value"; ends with NULL; NULL: none */
    const char *type;              /* Content-Type of body; NULL: none is sent */
    struct bytes body;             /* also sent empty, for POST and PUT */
    const struct http_part *parts; /* multipart/form-data instead of body */
    size_t n_parts;
    uint64_t timeout_ms;     /* for the whole call */
    size_t answer_max;       /* bytes; a longer answer fails with LIMIT */
    int out_fd;              /* > 0: the body of a 2xx answer is written there */
    uint64_t file_max;       /* bytes at most to out_fd */
    unsigned redirects;      /* followed at most */
    bool (*stop)(void *ctx); /* asked about once a second; true ends the call with LIMIT */
    void *stop_ctx;
};

struct http_answer {
    int status;
    char type[96];       /* Content-Type, "" when there is none */
    struct buf body;     /* empty when it went to out_fd */
    uint64_t file_bytes; /* written to out_fd */
};

/* Before other threads start. */
rc http_client_open(struct http_client **out, struct err *e);
void http_client_close(struct http_client *c); /* NULL is allowed */

/* OK for every answer, whatever its status. IO when there was none ("connect to 127.0.0.1:8545:
 * Connection refused"), LIMIT when the deadline or a bound was passed, MALFORMED for a bad URL.
 * ans must be zeroed or of an earlier call; the caller frees it. */
rc http_call(struct http_client *c, struct http_answer *ans, const struct http_call *call,
             struct err *e);
void http_answer_free(struct http_answer *ans);

#define HTTP_ANSWER __attribute__((cleanup(http_answer_free))) struct http_answer

/* OK for 2xx. Else the code that fits (404 NOT_FOUND; 401, 403 DENIED; 400 MALFORMED; 413, 429
 * LIMIT; others IO) and a sentence with the server's own reason: {"error": "…"} or short text. */
rc http_answer_check(const struct http_answer *ans, struct err *e);

/* Calls, checks the status and parses the answer: a new reference in *out. `body` (borrowed, may be
 * NULL) is sent as JSON when given. */
rc http_json(struct http_client *c, json_t **out, const struct http_call *call, const json_t *body,
             struct err *e);

/* Appends text with everything but RFC 3986's unreserved characters percent-encoded. */
void put_url(struct buf *b, struct bytes text);

#endif /* SOUK_IO_HTTP_CLIENT_H */
