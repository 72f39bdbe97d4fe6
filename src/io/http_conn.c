/* SPDX-License-Identifier: Apache-2.0 */
/* http_conn.c - sockets of the HTTP server: who may connect, what moves, how long it may take. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/http_int.h"

#define AREA            "http"
#define ACCEPT_MAX      64   /* new connections in one round */
#define EVICT_LOOK      64   /* idle connections looked at for one to give up */
#define DRAIN_MS        2000 /* how long input behind a refused request is thrown away */
#define DRAIN_MAX       ((size_t)4 << 20) /* and how much of it */
#define LAZY_MS         5   /* how long a push may wait for others to the same client */
#define ACCEPT_PAUSE_MS 100 /* when the process has no descriptor left */
#define BODY_RATE       1   /* bytes per millisecond that an upload must keep up */
#define IOV_MAX_SEGS    16
#define SENDFILE_MAX    ((size_t)1 << 20)
#define HELD_LEAST      65536 /* bytes; who holds less is not cut for memory */
#define IN_KEEP         16384 /* bytes of input buffer an idle connection may hold */

/* --- output queue --- */

static void put_seg(struct conn *c, struct seg s)
{
    struct seg *n = malloc(sizeof(*n));
    ASSERT(n != NULL);
    *n = s;
    *c->out_tail = n;
    c->out_tail = &n->next;
    if (!c->quiet) {
        conn_kick(c);
    } else if (!c->lazy && !c->kicked) {
        c->lazy = true;
        c->lazy_next = c->s->lazy;
        c->s->lazy = c;
        loop_again(c->s->loop);
    }
}

void conn_put(struct conn *c, uint8_t *owned, size_t n)
{
    if (c->doomed || n == 0) {
        free(owned);
        return;
    }
    c->out_n += n;
    put_seg(c, (struct seg){.p = owned, .n = n, .fd = -1});
}

void conn_put_copy(struct conn *c, const void *p, size_t n)
{
    if (n > 0) {
        uint8_t *copy = malloc(n);
        ASSERT(copy != NULL);
        memcpy(copy, p, n);
        conn_put(c, copy, n);
    }
}

void conn_put_file(struct conn *c, int fd, uint64_t off, uint64_t n)
{
    if (c->doomed || n == 0) {
        fd_close(&fd);
        return;
    }
    put_seg(c, (struct seg){.fd = fd, .off = off, .n = n});
}

static void pop_seg(struct conn *c)
{
    struct seg *s = c->out;
    c->out = s->next;
    if (c->out == NULL) {
        c->out_tail = &c->out;
    }
    fd_close(&s->fd);
    free(s->p);
    free(s);
}

static void out_done(struct conn *c, size_t n)
{
    while (n > 0) {
        struct seg *s = c->out;
        bool file = s->fd >= 0;
        size_t part = MIN(n, file ? s->n : s->n - s->off);
        n -= part;
        s->off += part;
        if (file) {
            s->n -= part;
        } else {
            c->out_n -= part;
        }
        if (file ? s->n == 0 : s->off == s->n) {
            pop_seg(c);
        }
    }
}

/* One write from the queue's front: bytes, 0 when it would block, -1 when the connection is lost. */
static long write_some(struct conn *c)
{
    struct seg *s = c->out;
    ssize_t n;
    if (c->tls != NULL) {
        const uint8_t *p = s->p + s->off;
        size_t size = s->n - s->off;
        if (s->fd >= 0) {
            ssize_t got =
                pread(s->fd, c->s->scratch, MIN(s->n, sizeof(c->s->scratch)), (off_t)s->off);
            if (got <= 0) {
                return -1;
            }
            p = c->s->scratch;
            size = (size_t)got;
        }
        long w = tls_write(c->tls, p, size);
        return w > 0 ? w : w == TLS_AGAIN_READ || w == TLS_AGAIN_WRITE ? 0 : -1;
    }
    if (s->fd >= 0) {
        off_t off = (off_t)s->off;
        n = sendfile(c->fd, s->fd, &off, MIN(s->n, SENDFILE_MAX));
        if (n == 0) {
            return -1; /* the file became shorter than announced */
        }
    } else {
        struct iovec iov[IOV_MAX_SEGS];
        int k = 0;
        for (; s != NULL && s->fd < 0 && k < IOV_MAX_SEGS; s = s->next) {
            iov[k++] = (struct iovec){s->p + s->off, s->n - s->off};
        }
        n = writev(c->fd, iov, k);
    }
    return n > 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void touch(struct conn *c);

static void flush(struct conn *c)
{
    while (c->out != NULL && !c->doomed) {
        long n = write_some(c);
        if (n < 0) {
            conn_doom(c);
        } else if (n == 0) {
            return;
        } else {
            out_done(c, (size_t)n);
            touch(c);
        }
    }
}

/* --- list of connections, least recently active first --- */

static void list_del(struct conn *c)
{
    struct http_server *s = c->s;
    *(c->prev == NULL ? &s->first : &c->prev->next) = c->next;
    *(c->next == NULL ? &s->last : &c->next->prev) = c->prev;
    c->next = c->prev = NULL;
}

static void list_add(struct conn *c)
{
    struct http_server *s = c->s;
    c->prev = s->last;
    *(s->last == NULL ? &s->first : &s->last->next) = c;
    s->last = c;
}

static void touch(struct conn *c)
{
    c->active_ms = clock_mono_ms();
    if (c->s->last != c) {
        list_del(c);
        list_add(c);
    }
}

/* --- end of a connection --- */

void conn_kick(struct conn *c)
{
    if (!c->kicked) {
        c->kicked = true;
        c->kick_next = c->s->kicked;
        c->s->kicked = c;
        loop_again(c->s->loop);
    }
}

void conn_doom(struct conn *c)
{
    if (!c->doomed) {
        c->doomed = true;
        loop_watch_del(c->s->loop, &c->watch);
        loop_timer_cancel(c->s->loop, &c->timer);
        conn_kick(c);
    }
}

static void lazy_del(struct conn *c)
{
    for (struct conn **at = &c->s->lazy; c->lazy && *at != NULL; at = &(*at)->lazy_next) {
        if (*at == c) {
            *at = c->lazy_next;
            c->lazy = false;
            return;
        }
    }
}

static void conn_free(struct conn *c)
{
    lazy_del(c);
    c->doomed = true; /* what callbacks put from here on is dropped */
    c->kicked = true;
    loop_watch_del(c->s->loop, &c->watch);
    loop_timer_cancel(c->s->loop, &c->timer);
    if (c->ws != NULL) {
        ws_free(c);
    }
    if (c->req != NULL) {
        req_free(c);
    }
    while (c->out != NULL) {
        pop_seg(c);
    }
    tls_free(c->tls);
    fd_close(&c->fd);
    list_del(c);
    c->s->held -= c->held;
    c->s->conns_n--;
    buf_free(&c->in);
    free(c);
}

/* --- time --- */

static uint64_t deadline(const struct conn *c)
{
    const struct http_config *cfg = &c->s->cfg;
    switch (c->state) {
    case CONN_HEAD:
        return c->in.n > c->in_off ? c->since_ms + cfg->header_ms : c->active_ms + cfg->idle_ms;
    case CONN_BODY:
        if (c->req->paused) {
            return UINT64_MAX;
        }
        return MIN(c->active_ms, c->since_ms + c->req->seen / BODY_RATE) + cfg->idle_ms;
    case CONN_WAIT:
        return c->out == NULL ? UINT64_MAX : c->active_ms + cfg->idle_ms;
    case CONN_DRAIN:
        return c->since_ms + DRAIN_MS;
    case CONN_WS:
        return c->active_ms + cfg->idle_ms;
    }
    return 0;
}

static void on_timer(void *ctx);

/* The timer is only moved forward when a state asks for less time; it re-arms itself when early. */
static void arm(struct conn *c)
{
    uint64_t due = deadline(c);
    if (due != UINT64_MAX && (c->timer.slot == 0 || c->timer.due_ms > due)) {
        uint64_t now = clock_mono_ms();
        loop_timer_set(c->s->loop, &c->timer, due > now ? due - now : 0, on_timer, c);
    }
}

static void on_timer(void *ctx)
{
    struct conn *c = ctx;
    uint64_t due = deadline(c);
    if (due > clock_mono_ms()) {
        arm(c);
    } else if (c->state == CONN_WS) {
        c->active_ms = clock_mono_ms();
        ws_idle(c);
        arm(c);
    } else {
        conn_doom(c);
    }
}

void conn_set_state(struct conn *c, enum conn_state state)
{
    c->state = state;
    c->since_ms = clock_mono_ms();
}

/* --- input --- */

static size_t in_left(const struct conn *c)
{
    return c->in.n - c->in_off;
}

/* Brings the sum of bytes held up to date. A sum beyond the limit is paid by who holds some and
 * moved least recently: a slow reader, or an upload that stands still. */
static void count_held(struct conn *c)
{
    struct http_server *s = c->s;
    size_t now = c->out_n + in_left(c) + (c->req != NULL ? c->req->body.n : 0) +
                 (c->ws != NULL ? c->ws->msg.n : 0);
    s->held += now - c->held; /* may wrap on the way, the sum does not */
    c->held = now;
    for (struct conn *x = s->first; x != NULL && s->held > s->cfg.held_max; x = x->next) {
        if (x->held >= HELD_LEAST && !x->doomed) {
            log_warn(AREA, "more than %zu bytes wait for clients: %s, who holds %zu, is cut",
                     s->cfg.held_max, x->peer, x->held);
            s->held -= x->held;
            x->held = 0;
            conn_doom(x);
        }
    }
}

/* Which events the connection waits for now. */
void conn_update(struct conn *c)
{
    if (c->doomed) {
        return;
    }
    count_held(c);
    if (c->doomed) {
        return;
    }
    size_t held = in_left(c);
    bool in = true;
    if (c->state == CONN_BODY) {
        in = !c->req->paused;
    } else if (c->state == CONN_WAIT || (c->state == CONN_HEAD && c->out != NULL)) {
        in = held < c->s->cfg.header_max; /* watches for the client leaving */
    } else if (c->state == CONN_WS) {
        in = c->out_n <= c->s->cfg.ws.queue_max / 2;
    }
    bool out = c->out != NULL || c->tls_want_write;
    loop_watch_set(c->s->loop, &c->watch,
                   (in ? (unsigned)LOOP_READ : 0) | (out ? (unsigned)LOOP_WRITE : 0));
    arm(c);
}

static void close_if_answered(struct conn *c)
{
    struct http_req *r = c->req;
    if (!r->ended || c->out != NULL) {
        return;
    }
    bool whole = c->state == CONN_WAIT;
    bool keep = whole && r->keep;
    req_free(c);
    conn_set_state(c, keep ? CONN_HEAD : CONN_DRAIN);
    if (!keep) {
        (void)shutdown(c->fd, SHUT_WR);
        if (whole && in_left(c) == 0) {
            conn_doom(c); /* nothing unread that would turn the close into a reset */
        }
    }
}

/* Goes as far as the input allows; at most one request begins. */
void conn_process(struct conn *c)
{
    if (!c->doomed && (c->state == CONN_WAIT || c->state == CONN_BODY)) {
        close_if_answered(c);
    }
    if (!c->doomed && c->state == CONN_HEAD && c->out == NULL) {
        req_take_head(c);
    }
    if (!c->doomed && c->state == CONN_BODY && !c->req->ended) {
        req_take_body(c);
    }
    if (!c->doomed && c->state == CONN_WS) {
        ws_take(c);
    }
    if (!c->doomed && c->state == CONN_DRAIN) {
        c->in_off = c->in.n;
    }
    if (in_left(c) == 0) {
        c->in_off = c->in_looked = 0;
        if (c->in.alloc > IN_KEEP || c->state == CONN_WS) {
            buf_free(&c->in);
        } else {
            buf_reset(&c->in);
        }
    } else if (c->in_off >= sizeof(c->s->scratch)) {
        memmove(c->in.p, c->in.p + c->in_off, in_left(c));
        c->in.n -= c->in_off;
        c->in_off = 0;
    }
}

/* Bytes into scratch; 0 the peer closed, -1 nothing there, -2 lost. */
static long read_some(struct conn *c)
{
    struct http_server *s = c->s;
    c->tls_want_write = false;
    if (c->tls != NULL) {
        long n = tls_read(c->tls, s->scratch, sizeof(s->scratch));
        c->tls_want_write = n == TLS_AGAIN_WRITE;
        return n >= 0 ? n : n == TLS_ERROR ? -2 : -1;
    }
    ssize_t n = recv(c->fd, s->scratch, sizeof(s->scratch), 0);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? -1 : -2;
}

static void on_readable(struct conn *c)
{
    do {
        long n = read_some(c);
        if (n == -1) {
            return;
        }
        if (n <= 0) {
            conn_doom(c); /* also a client that closed only its half: it wants no answer */
            return;
        }
        if (c->state == CONN_HEAD && in_left(c) == 0) {
            c->since_ms = clock_mono_ms();
        }
        touch(c);
        if (c->state == CONN_DRAIN) {
            c->drained += (size_t)n;
            if (c->drained > DRAIN_MAX) {
                conn_doom(c);
            }
        } else {
            put_mem(&c->in, c->s->scratch, (size_t)n);
            conn_process(c);
        }
    } while (!c->doomed && c->tls != NULL && tls_pending(c->tls) &&
             in_left(c) < c->s->cfg.header_max);
}

static void on_conn(void *ctx, unsigned events)
{
    struct conn *c = ctx;
    if ((events & LOOP_WRITE) != 0 && c->out != NULL) {
        conn_kick(c);
    }
    bool reading = (c->watch.events & LOOP_READ) != 0;
    if ((events & LOOP_READ) != 0 || ((events & LOOP_HANGUP) != 0 && reading) ||
        c->tls_want_write) {
        on_readable(c);
    } else if ((events & LOOP_HANGUP) != 0) {
        conn_doom(c);
    }
    conn_update(c);
}

static void on_lazy_timer(void *ctx)
{
    (void)ctx; /* the round that it starts does the work */
}

/* What is pushed to many leaves at once on an idle server; on a busy one it waits a moment, so that
 * one write carries several messages. */
static void send_lazy(struct http_server *s)
{
    if (s->lazy == NULL) {
        return;
    }
    uint64_t now = clock_mono_ms();
    if (now - s->lazy_ms < LAZY_MS) {
        if (s->lazy_timer.slot == 0) {
            loop_timer_set(s->loop, &s->lazy_timer, s->lazy_ms + LAZY_MS - now, on_lazy_timer, s);
        }
        return;
    }
    s->lazy_ms = now;
    while (s->lazy != NULL) {
        struct conn *c = s->lazy;
        s->lazy = c->lazy_next;
        c->lazy = false;
        conn_kick(c);
    }
}

static void on_round(void *ctx)
{
    struct http_server *s = ctx;
    send_lazy(s);
    struct conn *list = s->kicked;
    s->kicked = NULL;
    while (list != NULL) {
        struct conn *c = list;
        list = c->kick_next;
        c->kicked = false;
        flush(c);
        if (c->end_flushed && c->out == NULL) {
            conn_doom(c);
        }
        if (!c->doomed) {
            if (c->req != NULL && c->req->drain != NULL && c->out_n <= s->cfg.queue_max / 2) {
                http_fn drain = c->req->drain;
                c->req->drain = NULL;
                drain(s->cfg.ctx, c->req);
            }
            conn_process(c);
            conn_update(c);
        }
        if (c->doomed && !c->kicked) {
            conn_free(c);
        } else if (!c->doomed && c->tls != NULL && tls_pending(c->tls) &&
                   (c->watch.events & LOOP_READ) != 0) {
            on_readable(c);
            conn_update(c);
        }
    }
}

/* --- accepting --- */

/* Gives up an idle connection for a new one; false when all of them are at work. */
static bool evict(struct http_server *s)
{
    struct conn *c = s->first;
    for (int i = 0; c != NULL && i < EVICT_LOOK; i++, c = c->next) {
        if (c->state == CONN_HEAD && !c->kicked) {
            conn_free(c);
            return true;
        }
    }
    return false;
}

static void conn_new(struct http_server *s, int fd, const struct sockaddr_storage *from)
{
    struct conn *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    *c = (struct conn){.s = s, .fd = fd, .in = buf_new(BUF_CAP_DEFAULT)};
    c->out_tail = &c->out;
    const void *ip =
        from->ss_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)from)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)from)->sin_addr;
    (void)inet_ntop(from->ss_family, ip, c->peer, sizeof(c->peer));
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->active_ms = c->since_ms = clock_mono_ms();
    c->tls = s->tls == NULL ? NULL : tls_accept(s->tls, fd);
    list_add(c);
    s->conns_n++;
    if (!rc_ok(loop_watch_add(s->loop, &c->watch, fd, LOOP_READ, on_conn, c))) {
        conn_free(c);
        return;
    }
    arm(c);
}

static void on_accept_again(void *ctx)
{
    struct http_server *s = ctx;
    loop_watch_set(s->loop, &s->watch, LOOP_READ);
}

static void on_accept(void *ctx, unsigned events)
{
    struct http_server *s = ctx;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        struct sockaddr_storage from = {0};
        socklen_t n = sizeof(from);
        int fd = accept4(s->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_warn(AREA,
                         "no descriptor left for a new connection: raise the limit on open "
                         "files (ulimit -n) or lower the limit on connections");
                (void)evict(s);
                loop_watch_set(s->loop, &s->watch, 0);
                loop_timer_set(s->loop, &s->accept_later, ACCEPT_PAUSE_MS, on_accept_again, s);
            }
            return;
        }
        if (s->conns_n >= s->cfg.max_conns && !evict(s)) {
            if (!s->full_said) {
                log_warn(AREA, "all %zu connections are in use: new ones are refused",
                         s->cfg.max_conns);
            }
            s->full_said = true;
            fd_close(&fd);
            continue;
        }
        s->full_said = false;
        conn_new(s, fd, &from);
    }
}

/* --- open, close --- */

/* "host:port", "[v6]:port", with numbers or "localhost". */
static rc parse_listen(struct sockaddr_storage *out, socklen_t *n, const char *listen_at,
                       struct err *e)
{
    char host[80];
    const char *colon = strrchr(listen_at, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - listen_at);
    const char *from = listen_at;
    if (len >= 2 && from[0] == '[' && from[len - 1] == ']') {
        from++;
        len -= 2;
    }
    struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                            .ai_socktype = SOCK_STREAM};
    struct addrinfo *got = NULL;
    if (len > 0 && len < sizeof(host)) {
        memcpy(host, from, len);
        host[len] = 0;
        (void)getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, colon + 1, &hint,
                          &got);
    }
    if (got == NULL) {
        return err_set(e, RC_CODE_MALFORMED,
                       "cannot listen on '%s': give ADDRESS:PORT, as 127.0.0.1:8545", listen_at);
    }
    memcpy(out, got->ai_addr, got->ai_addrlen);
    *n = got->ai_addrlen;
    freeaddrinfo(got);
    return RC_OK;
}

static rc listen_on(struct http_server *s, struct err *e)
{
    struct sockaddr_storage at = {0};
    socklen_t n = 0;
    TRY(parse_listen(&at, &n, s->cfg.listen, e));
    s->fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(s->fd, (struct sockaddr *)&at, n) != 0 || listen(s->fd, 1024) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&at, &n) != 0) {
        return err_set(e, RC_CODE_IO, "listen on %s: %s", s->cfg.listen,
                       errno == EADDRINUSE ? "port in use: stop the other program or choose "
                                             "another port"
                                           : strerror(errno));
    }
    s->port =
        ntohs(at.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)&at)->sin6_port
                                       : ((const struct sockaddr_in *)(const void *)&at)->sin_port);
    int host_n = (int)(strrchr(s->cfg.listen, ':') - s->cfg.listen);
    (void)snprintf(s->url, sizeof(s->url), "http%s://%.*s:%u", s->tls == NULL ? "" : "s", host_n,
                   s->cfg.listen, s->port);
    return loop_watch_add(s->loop, &s->watch, s->fd, LOOP_READ, on_accept, s);
}

rc http_server_open(struct http_server **out, struct loop *l, const struct http_config *cfg,
                    struct err *e)
{
    struct http_server *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->loop = l;
    s->cfg = *cfg;
    s->fd = -1;
    s->cfg.max_conns = cfg->max_conns == 0 ? 1024 : cfg->max_conns;
    s->cfg.header_max = cfg->header_max == 0 ? 16384 : cfg->header_max;
    s->cfg.queue_max = cfg->queue_max == 0 ? (size_t)1 << 20 : cfg->queue_max;
    s->cfg.held_max = cfg->held_max == 0 ? (size_t)256 << 20 : cfg->held_max;
    s->cfg.header_ms = cfg->header_ms == 0 ? 10000 : cfg->header_ms;
    s->cfg.idle_ms = cfg->idle_ms == 0 ? 60000 : cfg->idle_ms;
    loop_hook_add(l, &s->hook, on_round, s);
    rc r = cfg->tls_cert == NULL ? RC_OK : tls_server_open(&s->tls, cfg->tls_cert, cfg->tls_key, e);
    if (rc_ok(r)) {
        r = listen_on(s, e);
    }
    if (!rc_ok(r)) {
        http_server_close(s);
        return r;
    }
    *out = s;
    return RC_OK;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

const char *http_server_url(const struct http_server *s)
{
    return s->url;
}

void http_server_close(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    for (struct conn *c = s->first, *next; c != NULL; c = next) {
        next = c->next;
        flush(c); /* what fits; nobody waits for slow readers at the end */
        conn_free(c);
    }
    loop_hook_del(s->loop, &s->hook);
    loop_timer_cancel(s->loop, &s->accept_later);
    loop_timer_cancel(s->loop, &s->lazy_timer);
    loop_watch_del(s->loop, &s->watch);
    fd_close(&s->fd);
    tls_server_close(s->tls);
    free(s);
}
