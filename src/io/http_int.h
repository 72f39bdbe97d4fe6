/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_HTTP_INT_H
#define SOUK_IO_HTTP_INT_H

/* http_int.h - what the files of the HTTP server share.
 *
 *   http_conn.c    sockets: accept, read, write, timeouts, end
 *   http_req.c     a request: its head, body, route
 *   http_reply.c   its answer
 *   http_ws.c      a connection that became a WebSocket
 *
 * Nothing is freed while a callback may still look at it: conn_doom() only marks a connection, and
 * everything that was put into its queue is sent, by on_round(), the hook at the end of a round. */

#include "io/http_parse.h"
#include "io/http_server.h"
#include "io/tls.h"

enum { PATH_PARAMS_MAX = 8 };

enum conn_state {
    CONN_HEAD,  /* between requests, or inside a head */
    CONN_BODY,  /* the body is coming in; the answer may be out already */
    CONN_WAIT,  /* the request is whole; its answer is not */
    CONN_DRAIN, /* answer out, then close: the rest of the input is thrown away for a while */
    CONN_WS,
};

/* A piece of output: memory, or a part of a file. */
struct seg {
    struct seg *next;
    uint8_t *p; /* owned */
    size_t n, off;
    int fd; /* -1: memory; else n bytes of the file from off on */
};

struct http_req {
    struct conn *c;
    struct http_head head;
    const char *path; /* decoded */
    struct http_pair params[PATH_PARAMS_MAX];
    size_t params_n;
    struct http_pair query[HTTP_PARAMS_MAX];
    size_t query_n;
    const struct http_route *route;
    struct arena arena;

    bool chunked;  /* body framing */
    uint64_t left; /* of a body with a length */
    uint64_t seen; /* body bytes taken so far */
    struct http_chunks chunks;
    struct buf body;
    bool paused;

    struct buf extra;  /* headers set by the handler */
    bool begun, ended; /* the answer */
    bool out_chunked, keep, is_head;
    http_fn drain, gone;
    void *user;
};

struct ws {
    struct conn *c;
    struct buf msg; /* fragments so far */
    bool in_msg;
    bool opened, closing, pinged;
    void *user;
};

struct conn {
    struct http_server *s;
    struct conn *next, *prev; /* all connections, least recently active first */
    int fd;
    char peer[64];
    struct loop_watch watch;
    struct loop_timer timer;
    struct tls *tls;
    bool tls_want_write;
    enum conn_state state;
    uint64_t active_ms; /* a byte moved */
    uint64_t since_ms;  /* the state began */

    struct buf in;
    size_t in_off;    /* consumed */
    size_t drained;   /* thrown away in CONN_DRAIN */
    size_t in_looked; /* searched for the end of a head */

    struct seg *out, **out_tail;
    size_t out_n; /* bytes queued in memory */
    size_t held;  /* bytes of this connection that the server's sum has counted */

    bool kicked, doomed;
    bool end_flushed; /* close as soon as the queue is empty */
    struct conn *kick_next;
    bool quiet, lazy; /* output may wait a little for more; it does */
    struct conn *lazy_next;

    struct http_req *req; /* CONN_BODY, CONN_WAIT */
    struct ws *ws;        /* CONN_WS */
};

struct http_server {
    struct loop *loop;
    struct http_config cfg;
    int fd;
    struct loop_watch watch;
    struct loop_timer accept_later;
    struct loop_hook hook;
    struct tls_server *tls;
    uint16_t port;
    char url[96];
    struct conn *first, *last; /* connections */
    size_t conns_n;
    size_t held; /* bytes that wait in memory, of all connections */
    struct conn *kicked;
    struct conn *lazy; /* with output that waits for company */
    uint64_t lazy_ms;  /* when such output last left */
    struct loop_timer lazy_timer;
    bool full_said; /* the limit on connections was logged */
    uint8_t scratch[65536];
};

/* http_conn.c */
void conn_kick(struct conn *c);
void conn_doom(struct conn *c);
void conn_put(struct conn *c, uint8_t *owned, size_t n); /* takes owned (malloc) */
void conn_put_copy(struct conn *c, const void *p, size_t n);
void conn_put_file(struct conn *c, int fd, uint64_t off, uint64_t n); /* takes fd */
void conn_process(struct conn *c);
void conn_set_state(struct conn *c, enum conn_state state);
void conn_update(struct conn *c);

/* http_req.c */
void req_take_head(struct conn *c);
void req_take_body(struct conn *c);
void req_free(struct conn *c);

/* http_reply.c */
void reply_plain(struct http_req *r, int status, const char *text);
void reply_builtin(struct http_req *r); /* /metrics, /health, preflight */

/* http_ws.c */
bool ws_upgrade(struct http_req *r); /* false: not a WebSocket request */
void ws_take(struct conn *c);
void ws_idle(struct conn *c);
void ws_free(struct conn *c);

#endif /* SOUK_IO_HTTP_INT_H */
