/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/file.h"
#include "io/http_server.h"
#include "tests/test.h"

struct state {
    struct http_req *later;
    size_t streamed, gone, opened, closed, parts;
    struct ws *ws;
    uint64_t count;
};

static struct loop *loop;
static struct http_server *server;
static struct state st;

static void on_hello(void *ctx, struct http_req *r)
{
    (void)ctx;
    const char *who = http_query(r, "who");
    http_reply_text(r, 200, "hello %s from %s", who == NULL ? "you" : who, http_peer(r));
}

static void on_echo(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply(r, 200, "application/octet-stream", http_body(r));
}

static void on_item(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200, "%s|%s", http_param(r, "id"),
                    http_param(r, "*") == NULL ? "-" : http_param(r, "*"));
}

static void on_gone(void *ctx, struct http_req *r)
{
    struct state *s = ctx;
    s->gone++;
    s->later = s->later == r ? NULL : s->later;
}

static void on_later(void *ctx, struct http_req *r)
{
    struct state *s = ctx;
    s->later = r;
    http_on_gone(r, on_gone);
}

static void on_part(void *ctx, struct http_req *r, struct bytes part, bool last)
{
    struct state *s = ctx;
    s->streamed += part.n;
    s->parts++;
    if (last) {
        http_reply_text(r, 200, "%zu", s->streamed);
    }
}

static void on_stream(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_begin(r, 200, "text/plain", -1);
    CHECK(rc_ok(http_write(r, BYTES_LIT("one,"))));
    CHECK(rc_ok(http_write(r, BYTES_LIT("two"))));
    http_end(r);
}

static void on_file(void *ctx, struct http_req *r)
{
    (void)ctx;
    char path[] = "/tmp/souk-test-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
    CHECK(unlink(path) == 0);
    http_reply_file(r, 200, "text/plain", fd, 10);
}

static bool on_health(void *ctx, struct buf *json)
{
    (void)ctx;
    put_str(json, "{\"status\":\"ok\"}");
    return true;
}

static void ws_open(void *ctx, struct ws *w)
{
    struct state *s = ctx;
    s->opened++;
    s->ws = w;
}

static void ws_text(void *ctx, struct ws *w, struct bytes text)
{
    (void)ctx;
    CHECK(rc_ok(ws_send(w, text)));
}

static void ws_closed(void *ctx, struct ws *w)
{
    struct state *s = ctx;
    (void)w;
    s->closed++;
    s->ws = NULL;
}

static const struct http_route ROUTES[] = {
    {.method = "GET", .path = "/hello", .on_request = on_hello},
    {.method = "POST", .path = "/echo", .body_max = 1000, .on_request = on_echo},
    {.method = "POST", .path = "/store", .body_max = 1000000, .on_request = on_echo},
    {.method = "GET", .path = "/item/:id", .on_request = on_item},
    {.method = "GET", .path = "/item/:id/*", .on_request = on_item},
    {.method = "GET", .path = "/later", .on_request = on_later},
    {.method = "POST", .path = "/upload", .body_max = 1 << 24, .on_body = on_part},
    {.method = "GET", .path = "/stream", .on_request = on_stream},
    {.method = "GET", .path = "/file", .on_request = on_file},
    {.path = NULL},
};

static const struct metric METRICS[] = {
    METRIC("souk_test_total", METRIC_COUNTER, state, count, "A test."),
    {NULL, METRIC_GAUGE, 0, NULL},
};

static void open_server(size_t max_conns)
{
    struct http_config cfg = {
        .listen = "127.0.0.1:0",
        .routes = ROUTES,
        .ctx = &st,
        .cors_origin = "*",
        .max_conns = max_conns,
        .held_max = 1000000,
        .header_ms = 100,
        .idle_ms = 200,
        .metrics = METRICS,
        .metrics_base = &st,
        .health = on_health,
        .ws = {"/ws", 100000, 200000, ws_open, ws_text, ws_closed},
    };
    struct err e;
    CHECK(rc_ok(http_server_open(&server, loop, &cfg, &e)));
}

static void steps(int n)
{
    while (n-- > 0) {
        CHECK(rc_ok(loop_step(loop, 1, NULL)));
    }
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

static void say(int fd, const char *text, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = write(fd, text + done, n - done);
        CHECK(k > 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        if (k < 0 && errno != EAGAIN) {
            return;
        }
        done += k > 0 ? (size_t)k : 0;
        steps(1);
    }
}

/* Reads until `until` is in the text, the peer closed, or nothing came for a while. */
static const char *hear(int fd, const char *until, bool *closed)
{
    static char text[1 << 20];
    size_t n = 0;
    uint64_t end = clock_mono_ms() + 5000;
    *closed = false;
    text[0] = 0;
    while (clock_mono_ms() < end && n < sizeof(text) - 1) {
        ssize_t k = read(fd, text + n, sizeof(text) - 1 - n);
        if (k == 0 || (k < 0 && errno != EAGAIN)) {
            *closed = true;
            break;
        }
        n += k > 0 ? (size_t)k : 0;
        text[n] = 0;
        if (until != NULL && strstr(text, until) != NULL) {
            break;
        }
        steps(1);
    }
    return text;
}

/* One request on a connection of its own. */
static const char *ask(const char *request, const char *until)
{
    bool closed;
    int fd = dial();
    say(fd, request, strlen(request));
    const char *got = hear(fd, until, &closed);
    (void)close(fd);
    steps(3);
    return got;
}

#define HAS(text, part) CHECK(strstr((text), (part)) != NULL)

static void test_simple(void)
{
    const char *t = ask("GET /hello?who=a%20b+c HTTP/1.1\r\nHost: x\r\n\r\n", "127.0.0.1");
    HAS(t, "HTTP/1.1 200 OK\r\n");
    HAS(t, "\r\n\r\nhello a b c from 127.0.0.1");
    HAS(ask("GET /item/7 HTTP/1.1\r\nHost: x\r\n\r\n", "|"), "7|-");
    HAS(ask("GET /item/7/a/b HTTP/1.1\r\nHost: x\r\n\r\n", "|a/b"), "7|a/b");
    HAS(ask("GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "}"), "404 Not Found");
    t = ask("PUT /echo HTTP/1.1\r\nHost: x\r\n\r\n", "}");
    HAS(t, "405 Method Not Allowed");
    HAS(t, "allow: POST\r\n");
    t = ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
    HAS(t, "content-length: 24");
    CHECK(strstr(t, "hello you") == NULL);
    HAS(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "total 0"),
        "# TYPE souk_test_total counter");
    HAS(ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "}"), "{\"status\":\"ok\"}");
    HAS(ask("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", "0\r\n\r\n"),
        "4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n");
    HAS(ask("GET /stream HTTP/1.0\r\n\r\n", NULL), "\r\n\r\none,two");
}

static void test_bodies(void)
{
    HAS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "hello"), "200 OK");
    HAS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n",
            "abcde"),
        "content-length: 5");
    HAS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            "hi"),
        "100 Continue");
    HAS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "}"), "413");
    HAS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "}"),
        "given twice");
    HAS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "}"),
        "400 Bad Request");
    char big[4096];
    memset(big, 'a', sizeof(big));
    char head[] = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n";
    int fd = dial();
    bool closed;
    say(fd, head, sizeof(head) - 1);
    say(fd, big, sizeof(big));
    HAS(hear(fd, "}", &closed), "413");
    (void)close(fd);
}

static void test_upload(void)
{
    size_t size = 3 << 20;
    char *big = calloc(1, size);
    CHECK(big != NULL);
    int fd = dial();
    bool closed;
    char head[128];
    int n = snprintf(head, sizeof(head),
                     "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %zu"
                     "\r\n\r\n",
                     size);
    say(fd, head, (size_t)n);
    say(fd, big, size);
    HAS(hear(fd, "3145728", &closed), "200 OK");
    CHECK(st.streamed == size && st.parts > 3);
    (void)close(fd);
    free(big);
}

static void test_pipeline(void)
{
    int fd = dial();
    bool closed;
    const char *two =
        "GET /hello?who=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /hello?who=2 HTTP/1.1\r\n"
        "Host: x\r\nConnection: close\r\n\r\n";
    say(fd, two, strlen(two));
    const char *t = hear(fd, NULL, &closed);
    CHECK(closed);
    HAS(t, "hello 1");
    HAS(strstr(t, "hello 1"), "hello 2");
    HAS(t, "connection: close");
    (void)close(fd);
}

static void test_bad_heads(void)
{
    HAS(ask("GET /hello\r\n\r\n", "}"), "400");
    HAS(ask("GET /hello HTTP/1.1\r\n\r\n", "}"), "no Host header");
    HAS(ask("GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", "}"), "header name");
    HAS(ask("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "}"), "broken % escape");
    HAS(ask("GET /h\x01 HTTP/1.1\r\nHost: x\r\n\r\n", "}"), "target");
    char long_head[20000];
    memset(long_head, 'a', sizeof(long_head));
    memcpy(long_head, "GET /", 5);
    int fd = dial();
    bool closed;
    say(fd, long_head, sizeof(long_head));
    HAS(hear(fd, "}", &closed), "431");
    (void)close(fd);
    fd = dial(); /* half a head: closed after header_ms */
    say(fd, "GET /he", 7);
    uint64_t from = clock_mono_ms();
    (void)hear(fd, NULL, &closed);
    CHECK(closed && clock_mono_ms() - from < 3000);
    (void)close(fd);
}

static void test_cors(void)
{
    const char *t =
        ask("OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\n"
            "Access-Control-Request-Headers: content-type\r\n\r\n",
            "\r\n\r\n");
    HAS(t, "204 No Content");
    HAS(t, "access-control-allow-origin: *");
    HAS(t, "access-control-allow-headers: content-type");
    HAS(ask("GET /hello HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\n\r\n", "hello"),
        "access-control-allow-origin: *");
}

static void test_range(void)
{
    HAS(ask("GET /file HTTP/1.1\r\nHost: x\r\n\r\n", "0123456789"), "accept-ranges: bytes");
    const char *t = ask("GET /file HTTP/1.1\r\nHost: x\r\nRange: bytes=2-4\r\n\r\n", "234");
    HAS(t, "206 Partial Content");
    HAS(t, "content-range: bytes 2-4/10");
    HAS(t, "\r\n\r\n234");
    HAS(ask("GET /file HTTP/1.1\r\nHost: x\r\nRange: bytes=-3\r\n\r\n", "789"), "bytes 7-9/10");
    HAS(ask("GET /file HTTP/1.1\r\nHost: x\r\nRange: bytes=10-\r\n\r\n", "\r\n\r\n"),
        "content-range: bytes */10");
}

static void test_later(void)
{
    bool closed;
    int fd = dial();
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n", 32);
    steps(5);
    CHECK(st.later != NULL);
    http_reply_text(st.later, 200, "at last");
    HAS(hear(fd, "at last", &closed), "200 OK");
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n", 32); /* same connection, then it leaves */
    steps(5);
    CHECK(st.gone == 0);
    (void)close(fd);
    steps(5);
    CHECK(st.gone == 1 && st.later == NULL);
}

static void test_full(void)
{
    int idle[6];
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        idle[i] = dial();
        steps(2);
    }
    /* more than the limit of 4, but idle ones make room */
    HAS(ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "hello"), "200 OK");
    for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
        (void)close(idle[i]);
    }
    steps(5);
}

static void frame(int fd, uint8_t op, const char *text, size_t n)
{
    BUF_FREE b = buf_new(1 << 20);
    static const uint8_t mask[4] = {1, 2, 3, 4};
    put_u8(&b, op);
    put_u8(&b, (uint8_t)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127)));
    if (n >= 126) {
        put_be(&b, n, n < 65536 ? 2 : 8);
    }
    put_mem(&b, mask, 4);
    for (size_t i = 0; i < n; i++) {
        put_u8(&b, (uint8_t)text[i] ^ mask[i & 3]);
    }
    say(fd, (const char *)b.p, b.n);
}

static int ws_dial(void)
{
    bool closed;
    int fd = dial();
    const char *hi =
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
        "\r\n\r\n";
    say(fd, hi, strlen(hi));
    /* RFC 6455 1.3: the key and answer of its example */
    HAS(hear(fd, "\r\n\r\n", &closed), "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    return fd;
}

static void test_ws(void)
{
    bool closed;
    int fd = ws_dial();
    CHECK(st.opened == 1);
    frame(fd, 0x81, "hello", 5);
    HAS(hear(fd, "hello", &closed), "\x81\x05hello");
    frame(fd, 0x01, "he", 2); /* fragments with a ping between */
    frame(fd, 0x89, "p", 1);
    frame(fd, 0x80, "y!", 2);
    HAS(hear(fd, "hey!", &closed), "\x8a\x01p");
    frame(fd, 0x88, "\x03\xe8", 2);
    (void)hear(fd, NULL, &closed);
    CHECK(closed && st.closed == 1);
    (void)close(fd);
    fd = ws_dial();
    frame(fd, 0x81, "\xff", 1); /* not UTF-8: 1007 */
    HAS(hear(fd, "UTF-8", &closed), "\x03\xef");
    (void)close(fd);
    steps(5);
    CHECK(st.closed == 2);
    fd = ws_dial(); /* never reads: closed when 200000 bytes wait */
    char *big = calloc(1, 90001);
    CHECK(big != NULL);
    memset(big, 'x', 90000);
    for (int i = 0; i < 400 && st.ws != NULL; i++) {
        (void)ws_send(st.ws, (struct bytes){(uint8_t *)big, 90000});
        steps(1);
    }
    CHECK(st.closed == 3);
    free(big);
    (void)close(fd);
}

/* Uploads that stand still: when they hold more than the server may, the oldest are cut, and others
 * are served. */
static void test_held(void)
{
    enum { N = 3, SIZE = 400000 };
    int fds[N];
    bool closed;
    char head[] = "POST /store HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n";
    char *part = calloc(1, SIZE);
    CHECK(part != NULL);
    for (int i = 0; i < N; i++) {
        fds[i] = dial();
        say(fds[i], head, sizeof(head) - 1);
        say(fds[i], part, SIZE);
        steps(3);
    }
    HAS(ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "hello"), "200 OK");
    (void)hear(fds[0], NULL, &closed);
    CHECK(closed);
    for (int i = 0; i < N; i++) {
        (void)close(fds[i]);
    }
    free(part);
    steps(5);
}

static void test_port_in_use(void)
{
    struct http_server *other = NULL;
    struct err e;
    char at[40];
    (void)snprintf(at, sizeof(at), "127.0.0.1:%u", http_server_port(server));
    struct http_config cfg = {.listen = at, .routes = ROUTES};
    CHECK(http_server_open(&other, loop, &cfg, &e).code == RC_CODE_IO);
    HAS(e.msg, "port in use");
    cfg.listen = "somewhere";
    CHECK(http_server_open(&other, loop, &cfg, &e).code == RC_CODE_MALFORMED);
}

int main(void)
{
    struct err e;
    CHECK(rc_ok(loop_open(&loop, &e)));
    CHECK(rc_ok(loop_stop_on_signals(loop, &e)));
    open_server(4);
    test_simple();
    test_bodies();
    test_upload();
    test_pipeline();
    test_bad_heads();
    test_cors();
    test_range();
    test_later();
    test_full();
    test_ws();
    test_held();
    test_port_in_use();
    http_server_close(server);
    loop_close(loop);
    return 0;
}
