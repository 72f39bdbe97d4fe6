/* SPDX-License-Identifier: Apache-2.0 */
#include "io/ws_client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cur.h"
#include "crypto/secret.h"
#include "crypto/sha1.h"
#include "encoding/base64.h"
#include "io/http_parse.h"

#define HANDSHAKE_MAX 8192

enum { OP_CONT = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

struct ws_client {
    struct loop *loop;
    struct loop_watch watch;
    struct ws_client_config cfg;
    int fd;
    bool connected, open, closing;
    char host[256], port[8], path[256], accept[64];
    struct buf in, out, message; /* message: the fragments so far */
    size_t sent;                 /* bytes of out */
};

/* --- the bytes --- */

rc ws_server_frame_parse(struct ws_server_frame *f, struct bytes in, bool *whole)
{
    struct cur c = cur_of(in);
    *whole = false;
    *f = (struct ws_server_frame){0};
    if (in.n < 2) {
        return RC_OK;
    }
    uint64_t b0 = take_be(&c, 1), b1 = take_be(&c, 1), n = b1 & 0x7f;
    size_t more = n == 126 ? 2 : n == 127 ? 8 : 0;
    f->fin = (b0 & 0x80) != 0;
    f->opcode = (unsigned)b0 & 0x0f;
    bool control = f->opcode >= OP_CLOSE;
    if ((b0 & 0x70) != 0 || (b1 & 0x80) != 0 || f->opcode > OP_PONG ||
        (f->opcode > OP_BINARY && !control) || (control && (!f->fin || more > 0))) {
        return RC(MALFORMED);
    }
    if (c.n < more) {
        return RC_OK;
    }
    f->size = more > 0 ? take_be(&c, more) : n;
    f->head = 2 + more;
    *whole = f->size <= c.n;
    return RC_OK;
}

rc ws_handshake_parse(size_t *size, struct bytes in, const char *accept)
{
    struct http_head h;
    const char *why = NULL;
    char text[HANDSHAKE_MAX + 64];
    static const char status[] = "HTTP/1.1 101";
    *size = 0;
    size_t end = http_head_end(in, 0);
    if (end == 0) {
        return in.n < HANDSHAKE_MAX ? RC_OK : RC(LIMIT);
    }
    if (end > HANDSHAKE_MAX || end < sizeof(status) ||
        memcmp(in.p, status, sizeof(status) - 1) != 0) {
        return RC(DENIED);
    }
    /* The header lines are a request's: they are read under a request line of our own. */
    const uint8_t *line = memchr(in.p, '\n', end);
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%.*s",
                     (int)(end - (size_t)(line + 1 - in.p)), (const char *)line + 1);
    TRY(http_head_parse(&h, text, (size_t)n, &why));
    const char *got = http_head_get(&h, "sec-websocket-accept");
    if (got == NULL || strcmp(got, accept) != 0 ||
        !http_has_token(http_head_get(&h, "upgrade"), "websocket")) {
        return RC(DENIED);
    }
    *size = end;
    return RC_OK;
}

static void put_frame(struct ws_client *w, unsigned opcode, struct bytes data)
{
    uint8_t mask[4];
    if (!rc_ok(random_bytes(mask, sizeof(mask)))) {
        return;
    }
    put_u8(&w->out, (uint8_t)(0x80 | opcode));
    if (data.n < 126) {
        put_u8(&w->out, (uint8_t)(0x80 | data.n));
    } else if (data.n < 65536) {
        put_u8(&w->out, 0x80 | 126);
        put_be(&w->out, data.n, 2);
    } else {
        put_u8(&w->out, 0x80 | 127);
        put_be(&w->out, data.n, 8);
    }
    put_mem(&w->out, mask, sizeof(mask));
    uint8_t *p = buf_grow(&w->out, data.n);
    for (size_t i = 0; p != NULL && i < data.n; i++) {
        p[i] = data.p[i] ^ mask[i % 4];
    }
}

/* --- the connection --- */

void ws_client_close(struct ws_client *w)
{
    if (w == NULL) {
        return;
    }
    if (w->watch.armed) {
        loop_watch_del(w->loop, &w->watch);
    }
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    buf_free(&w->in);
    buf_free(&w->out);
    buf_free(&w->message);
    free(w);
}

static void fail(struct ws_client *w, const char *why)
{
    struct ws_client_config cfg = w->cfg;
    ws_client_close(w);
    cfg.on_close(cfg.ctx, why);
}

/* Sends what is queued; false when the connection is broken. */
static bool flush(struct ws_client *w)
{
    while (w->sent < w->out.n) {
        ssize_t n = send(w->fd, w->out.p + w->sent, w->out.n - w->sent, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                return false;
            }
            break;
        }
        w->sent += (size_t)n;
    }
    if (w->sent == w->out.n) {
        buf_reset(&w->out);
        w->sent = 0;
    }
    loop_watch_set(w->loop, &w->watch, LOOP_READ | (w->out.n > 0 ? LOOP_WRITE : 0));
    return true;
}

void ws_client_send(struct ws_client *w, struct bytes text)
{
    put_frame(w, OP_TEXT, text);
    (void)flush(w); /* a broken connection shows itself to the watch */
}

static void put_handshake(struct ws_client *w)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t raw[16] = {0}, digest[20];
    BUF_FREE key = buf_new(128);
    BUF_FREE accept = buf_new(sizeof(w->accept));
    (void)!rc_ok(
        random_bytes(raw, sizeof(raw))); /* a fixed key would do: it protects caches only */
    put_base64(&key, (struct bytes){raw, sizeof(raw)});
    put_fmt(&w->out,
            "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
            w->path, w->host, w->port, buf_cstr(&key));
    put_str(&key, guid);
    sha1(digest, buf_bytes(&key));
    put_base64(&accept, (struct bytes){digest, sizeof(digest)});
    (void)snprintf(w->accept, sizeof(w->accept), "%s", buf_cstr(&accept));
}

static void drop_front(struct buf *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

/* One frame; NULL, or why the connection ends. */
static const char *on_frame(struct ws_client *w, const struct ws_server_frame *f, struct bytes data)
{
    switch (f->opcode) {
    case OP_PING:
        put_frame(w, OP_PONG, data);
        return flush(w) ? NULL : "connection lost";
    case OP_PONG:
        return NULL;
    case OP_CLOSE:
        return "closed by the server";
    default:
        break;
    }
    if ((f->opcode == OP_CONT) != (w->message.n > 0)) {
        return "fragments out of order";
    }
    put_bytes(&w->message, data);
    if (w->message.full) {
        return "message too long";
    }
    if (f->fin) {
        w->cfg.on_text(w->cfg.ctx, w, buf_bytes(&w->message));
        buf_reset(&w->message);
    }
    return NULL;
}

static const char *on_bytes(struct ws_client *w)
{
    if (!w->open) {
        size_t n;
        if (!rc_ok(ws_handshake_parse(&n, buf_bytes(&w->in), w->accept))) {
            return "the server offers no WebSocket";
        }
        if (n == 0) {
            return NULL;
        }
        drop_front(&w->in, n);
        w->open = true;
        w->cfg.on_open(w->cfg.ctx, w);
    }
    for (bool whole = true; whole;) {
        struct ws_server_frame f;
        if (!rc_ok(ws_server_frame_parse(&f, buf_bytes(&w->in), &whole)) ||
            f.size > w->cfg.message_max) {
            return "bad frame";
        }
        if (whole) {
            const char *why = on_frame(w, &f, (struct bytes){w->in.p + f.head, f.size});
            if (why != NULL) {
                return why;
            }
            drop_front(&w->in, f.head + f.size);
        }
    }
    return NULL;
}

static void on_event(void *ctx, unsigned events)
{
    struct ws_client *w = ctx;
    int so = 0;
    socklen_t n = sizeof(so);
    if (!w->connected && (events & (LOOP_WRITE | LOOP_HANGUP)) != 0) {
        if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &so, &n) != 0 || so != 0) {
            fail(w, strerror(so));
            return;
        }
        w->connected = true;
        put_handshake(w);
    }
    if (w->connected && !flush(w)) {
        fail(w, "connection lost");
        return;
    }
    if ((events & (LOOP_READ | LOOP_HANGUP)) != 0) {
        uint8_t part[4096];
        ssize_t got = recv(w->fd, part, sizeof(part), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            fail(w, "connection lost");
            return;
        }
        put_mem(&w->in, part, got > 0 ? (size_t)got : 0);
        const char *why = w->in.full ? "message too long" : on_bytes(w);
        if (why != NULL) {
            fail(w, why);
        }
    }
}

static bool cut_url(struct ws_client *w, const char *url)
{
    const char *p = strncmp(url, "http://", 7) == 0 ? url + 7
                    : strncmp(url, "ws://", 5) == 0 ? url + 5
                                                    : NULL;
    if (p == NULL) {
        return false;
    }
    size_t n = strcspn(p, "/?#"), host = n;
    for (size_t i = n; i > 0 && p[i - 1] != ']'; i--) {
        if (p[i - 1] == ':') {
            host = i - 1;
            break;
        }
    }
    (void)snprintf(w->port, sizeof(w->port), "%.*s", host < n ? (int)MIN(n - host - 1, 7UL) : 2,
                   host < n ? p + host + 1 : "80");
    bool six = host > 2 && p[0] == '[' && p[host - 1] == ']';
    (void)snprintf(w->host, sizeof(w->host), "%.*s", (int)MIN(host - (six ? 2U : 0U), 255UL),
                   p + (six ? 1 : 0));
    (void)snprintf(w->path, sizeof(w->path), "%s", p[n] == '/' ? p + n : "/");
    return strlen(p + n) < sizeof(w->path) && w->host[0] != '\0';
}

static rc start(struct ws_client *w, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int one = 1, got = getaddrinfo(w->host, w->port, &hints, &list);
    if (got != 0) {
        return err_set(e, RC_CODE_IO, "resolve %s: %s", w->host, gai_strerror(got));
    }
    w->fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rc r = RC_OK;
    if (w->fd < 0 ||
        (connect(w->fd, list->ai_addr, list->ai_addrlen) != 0 && errno != EINPROGRESS)) {
        r = err_set(e, RC_CODE_IO, "connect to %s:%s: %s", w->host, w->port, strerror(errno));
    }
    freeaddrinfo(list);
    TRY(r);
    (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return loop_watch_add(w->loop, &w->watch, w->fd, LOOP_READ | LOOP_WRITE, on_event, w);
}

rc ws_client_open(struct ws_client **out, struct loop *l, const struct ws_client_config *cfg,
                  struct err *e)
{
    struct ws_client *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->loop = l;
    w->cfg = *cfg;
    w->fd = -1;
    w->cfg.message_max = cfg->message_max > 0 ? cfg->message_max : (size_t)1 << 20;
    w->in = buf_new(w->cfg.message_max + HANDSHAKE_MAX);
    w->out = buf_new(w->cfg.message_max + HANDSHAKE_MAX);
    w->message = buf_new(w->cfg.message_max);
    rc r = cut_url(w, cfg->url) ? start(w, e)
                                : err_set(e, RC_CODE_NOT_FOUND,
                                          "'%.100s' is no http:// or ws:// "
                                          "address",
                                          cfg->url);
    if (!rc_ok(r)) {
        ws_client_close(w);
        return r;
    }
    *out = w;
    return RC_OK;
}
