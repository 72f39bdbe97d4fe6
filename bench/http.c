/* SPDX-License-Identifier: Apache-2.0 */
/* bench/http.c - the HTTP server alone: POSTs of 1 KiB over kept connections, one thread serves,
 * another process asks. Prints requests per second: min, median and max of the rounds. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/http_server.h"

enum { CONNS = 32, BODY = 1018, ROUNDS = 5, ROUND_MS = 1000 };

static void on_post(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply(r, 200, "application/json", http_body(r));
}

static const struct http_route ROUTES[] = {
    {.method = "POST", .path = "/", .body_max = 4096, .on_request = on_post},
    {.path = NULL},
};

static char request[2048];
static size_t request_n;

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ASSERT(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

static void ask(int fd)
{
    ASSERT(write(fd, request, request_n) == (ssize_t)request_n);
}

/* Answers counted in one round. */
static uint64_t round_of(int ep, size_t got[CONNS], const int fds[CONNS], size_t answer_n)
{
    uint64_t end = clock_mono_ms() + ROUND_MS;
    uint64_t n = 0;
    while (clock_mono_ms() < end) {
        struct epoll_event ev[CONNS];
        int k = epoll_wait(ep, ev, CONNS, 100);
        for (int i = 0; i < k; i++) {
            uint32_t c = ev[i].data.u32;
            char buf[8192];
            ssize_t r = read(fds[c], buf, sizeof(buf));
            ASSERT(r > 0);
            got[c] += (size_t)r;
            if (got[c] == answer_n) {
                got[c] = 0;
                n++;
                ask(fds[c]);
            }
        }
    }
    return n;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void client(uint16_t port)
{
    int fds[CONNS];
    size_t got[CONNS] = {0};
    uint64_t v[ROUNDS];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    char buf[8192];
    request_n = (size_t)snprintf(request, sizeof(request),
                                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                 "Content-Length: %d\r\n\r\n%0*d",
                                 BODY, BODY, 0);
    int probe = dial(port);
    ask(probe);
    ssize_t answer_n = 0;
    while (answer_n < BODY) {
        answer_n += read(probe, buf, sizeof(buf));
    }
    for (uint32_t i = 0; i < CONNS; i++) {
        fds[i] = dial(port);
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};
        ASSERT(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) == 0);
        ask(fds[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        v[i] = round_of(ep, got, fds, (size_t)answer_n) * 1000 / ROUND_MS;
    }
    qsort(v, ROUNDS, sizeof(v[0]), by_number);
    (void)printf("http: %d connections, %d bytes: min %llu median %llu max %llu requests/s\n",
                 CONNS, BODY, (unsigned long long)v[0], (unsigned long long)v[ROUNDS / 2],
                 (unsigned long long)v[ROUNDS - 1]);
}

int main(void)
{
    struct loop *l;
    struct http_server *s;
    struct err e;
    struct http_config cfg = {.listen = "127.0.0.1:0", .routes = ROUTES};
    ASSERT(rc_ok(loop_open(&l, &e)) && rc_ok(loop_stop_on_signals(l, &e)));
    ASSERT(rc_ok(http_server_open(&s, l, &cfg, &e)));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        client(http_server_port(s));
        (void)fflush(stdout);
        (void)kill(parent, SIGTERM);
        _exit(0);
    }
    ASSERT(rc_ok(loop_run(l, &e)));
    (void)waitpid(pid, NULL, 0);
    http_server_close(s);
    loop_close(l);
    return 0;
}
