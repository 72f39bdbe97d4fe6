/* SPDX-License-Identifier: Apache-2.0 */
/* http_ws.c - a connection that became a WebSocket: RFC 6455, text messages, no extensions. */
#include <stdlib.h>

#include "crypto/sha1.h"
#include "encoding/base64.h"
#include "io/http_int.h"

enum { WS_CONT = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum {
    CODE_NORMAL = 1000,
    CODE_PROTOCOL = 1002,
    CODE_TYPE = 1003,
    CODE_TEXT = 1007,
    CODE_TOO_BIG = 1009
};

static void put_frame(struct conn *c, unsigned opcode, struct bytes data)
{
    struct buf b = buf_new(SIZE_MAX);
    put_u8(&b, (uint8_t)(0x80 | opcode));
    if (data.n < 126) {
        put_u8(&b, (uint8_t)data.n);
    } else if (data.n < 65536) {
        put_u8(&b, 126);
        put_be(&b, data.n, 2);
    } else {
        put_u8(&b, 127);
        put_be(&b, data.n, 8);
    }
    put_bytes(&b, data);
    conn_put(c, b.p, b.n);
}

/* --- handshake --- */

static void accept_key(struct buf *out, const char *key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[20];
    BUF_FREE in = buf_new(256);
    put_str(&in, key);
    put_str(&in, guid);
    sha1(digest, buf_bytes(&in));
    put_base64(out, (struct bytes){digest, sizeof(digest)});
}

bool ws_upgrade(struct http_req *r)
{
    struct conn *c = r->c;
    const struct ws_endpoint *ep = &c->s->cfg.ws;
    const char *upgrade = http_header(r, "upgrade");
    if (ep->path == NULL || strcmp(r->path, ep->path) != 0 || upgrade == NULL ||
        !http_has_token(upgrade, "websocket") ||
        !http_has_token(http_header(r, "connection"), "upgrade")) {
        return false;
    }
    const char *key = http_header(r, "sec-websocket-key");
    const char *version = http_header(r, "sec-websocket-version");
    if (strcmp(r->head.method, "GET") != 0 || key == NULL || strlen(key) != 24 ||
        c->state != CONN_WAIT) {
        http_reply_error(r, 400, "not a WebSocket handshake: GET with a 24-character key");
        return true;
    }
    if (version == NULL || strcmp(version, "13") != 0) {
        http_set_header(r, "sec-websocket-version", "13");
        http_reply_error(r, 426, "the WebSocket version is 13");
        return true;
    }
    struct buf b = buf_new(1024);
    put_str(&b,
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
            "connection: Upgrade\r\nsec-websocket-accept: ");
    accept_key(&b, key);
    put_str(&b, "\r\n\r\n");
    conn_put(c, b.p, b.n);
    r->ended = true;
    req_free(c);
    struct ws *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->c = c;
    w->msg = buf_new(ep->message_max);
    c->ws = w;
    conn_set_state(c, CONN_WS);
    w->opened = true;
    if (ep->on_open != NULL) {
        ep->on_open(c->s->cfg.ctx, w);
    }
    return true;
}

/* --- input --- */

static void on_control(struct ws *w, unsigned opcode, struct bytes data)
{
    if (opcode == WS_PING) {
        put_frame(w->c, WS_PONG, data);
    } else if (opcode == WS_CLOSE) {
        if (!w->closing) {
            put_frame(w->c, WS_CLOSE, (struct bytes){data.p, MIN(data.n, (size_t)2)});
        }
        w->closing = true;
        w->c->end_flushed = true;
        conn_set_state(w->c, CONN_DRAIN);
    }
}

static void on_message(struct ws *w)
{
    struct bytes text = buf_bytes(&w->msg);
    if (!utf8_valid(text)) {
        ws_close(w, CODE_TEXT, "text is not UTF-8");
        return;
    }
    w->c->s->cfg.ws.on_text(w->c->s->cfg.ctx, w, text);
    if (w->msg.alloc > 65536) {
        buf_free(&w->msg);
    } else {
        buf_reset(&w->msg);
    }
}

static void on_data(struct ws *w, const struct ws_frame *f, struct bytes data)
{
    if ((f->opcode == WS_CONT) != w->in_msg) {
        ws_close(w, CODE_PROTOCOL, "fragments out of order");
        return;
    }
    if (f->opcode == WS_BINARY) {
        ws_close(w, CODE_TYPE, "text messages only");
        return;
    }
    put_bytes(&w->msg, data);
    if (w->msg.full) {
        ws_close(w, CODE_TOO_BIG, "message too large");
        return;
    }
    w->in_msg = !f->fin;
    if (f->fin) {
        on_message(w);
    }
}

void ws_take(struct conn *c)
{
    struct ws *w = c->ws;
    w->pinged = false; /* any byte shows that the client lives */
    while (!c->doomed && c->state == CONN_WS && c->out_n <= c->s->cfg.ws.queue_max / 2) {
        struct ws_frame f;
        bool whole;
        uint8_t *p = c->in.p + c->in_off;
        size_t n = c->in.n - c->in_off;
        if (!rc_ok(ws_frame_parse(&f, (struct bytes){p, n}, &whole))) {
            ws_close(w, CODE_PROTOCOL, "malformed frame");
            return;
        }
        if (whole && f.size > c->s->cfg.ws.message_max && f.opcode < 8) {
            ws_close(w, CODE_TOO_BIG, "message too large");
            return;
        }
        if (!whole || n - f.head < f.size) {
            return;
        }
        ws_unmask(p + f.head, f.size, f.mask, 0);
        c->in_off += f.head + f.size;
        struct bytes data = {p + f.head, f.size};
        if (w->closing && f.opcode != WS_CLOSE) {
            continue;
        }
        if (f.opcode >= 8) {
            on_control(w, f.opcode, data);
        } else {
            on_data(w, &f, data);
        }
    }
}

void ws_idle(struct conn *c)
{
    if (c->ws->pinged || c->ws->closing) {
        conn_doom(c);
        return;
    }
    c->ws->pinged = true;
    put_frame(c, WS_PING, (struct bytes){0});
}

void ws_free(struct conn *c)
{
    struct ws *w = c->ws;
    if (w->opened && c->s->cfg.ws.on_close != NULL) {
        c->s->cfg.ws.on_close(c->s->cfg.ctx, w);
    }
    buf_free(&w->msg);
    free(w);
    c->ws = NULL;
}

/* --- what handlers ask --- */

rc ws_send(struct ws *w, struct bytes text)
{
    struct conn *c = w->c;
    if (c->doomed || w->closing) {
        return RC_OK; /* on_close says it */
    }
    if (text.n > c->s->cfg.ws.queue_max - MIN(c->out_n, c->s->cfg.ws.queue_max)) {
        conn_doom(c); /* it does not read: what is queued helps nobody */
        return RC(LIMIT);
    }
    put_frame(c, WS_TEXT, text);
    return RC_OK;
}

rc ws_push(struct ws *w, struct bytes text)
{
    w->c->quiet = true;
    rc r = ws_send(w, text);
    w->c->quiet = false;
    return r;
}

void ws_close(struct ws *w, uint16_t code, const char *reason)
{
    if (w->closing) {
        return;
    }
    BUF_FREE b = buf_new(125);
    put_be(&b, code, 2);
    put_mem(&b, reason, MIN(strlen(reason), (size_t)120));
    put_frame(w->c, WS_CLOSE, buf_bytes(&b));
    w->closing = true;
    conn_set_state(w->c, CONN_DRAIN); /* the peer's own close, or a while */
    conn_update(w->c);
}

void ws_set_user(struct ws *w, void *user)
{
    w->user = user;
}

void *ws_user(const struct ws *w)
{
    return w->user;
}

size_t ws_queued(const struct ws *w)
{
    return w->c->out_n;
}

const char *ws_peer(const struct ws *w)
{
    return w->c->peer;
}
