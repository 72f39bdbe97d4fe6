/* SPDX-License-Identifier: Apache-2.0 */
/* bench/transfers.c - plain transfers through a real `souk node`: signed beforehand, sent in HTTP
 * batches over several connections, done when the last receipt is there. Prints transactions per
 * second, and what the machine could do if recovering signatures were all the work. SUBS=1000 adds
 * so many WebSockets that are pushed every block. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/hd.h"
#include "encoding/hex.h"
#include "encoding/tx.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/proc.h"

enum { SENDERS = 8, EACH = 2500, BATCH = 100, CHAIN = 1337 };

static struct buf raw[SENDERS][EACH];

static void die(const char *what)
{
    (void)fprintf(stderr, "bench/transfers: %s\n", what);
    exit(1);
}

static void sign_all(struct address who[SENDERS])
{
    SECRET_FREE seed = {0};
    ASSERT(rc_ok(hd_seed(&seed, HD_TEST_PHRASE, "")));
    for (uint32_t s = 0; s < SENDERS; s++) {
        SECRET_FREE key = {0};
        ASSERT(rc_ok(hd_key(&key, &seed, s)) && rc_ok(secp_address(&who[s], &key)));
        for (uint64_t n = 0; n < EACH; n++) {
            struct eth_tx t = {.type = 2,
                               .chain_id = CHAIN,
                               .nonce = n,
                               .gas = 21000,
                               .max_fee = u256_from(2000000000),
                               .tip = u256_from(1),
                               .has_to = true,
                               .to = {{0x11}},
                               .value = u256_from(1)};
            raw[s][n] = buf_new(1024);
            ASSERT(rc_ok(eth_tx_sign(&raw[s][n], &t, &key)));
        }
    }
}

/* Recoveries per second of one thread. */
static uint64_t recoveries(void)
{
    uint64_t from = clock_mono_us();
    for (int i = 0; i < 2000; i++) {
        struct eth_tx t;
        struct address a;
        const char *why;
        ASSERT(rc_ok(eth_tx_parse(&t, buf_bytes(&raw[0][i]), &why)) &&
               rc_ok(eth_tx_sender(&a, &t)));
    }
    return 2000ULL * 1000000 / (clock_mono_us() - from);
}

static int dial(const char *url)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        die("connect");
    }
    return fd;
}

static void post(int fd, struct bytes body)
{
    BUF_FREE b = buf_new(SIZE_MAX);
    put_fmt(&b,
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %zu"
            "\r\n\r\n",
            body.n);
    put_bytes(&b, body);
    ASSERT(rc_ok(fd_write_all(fd, buf_bytes(&b), NULL)));
}

/* The body of one answer, as text. */
static char *answer(int fd)
{
    static char text[1 << 20];
    size_t n = 0;
    for (;;) {
        ssize_t k = read(fd, text + n, sizeof(text) - 1 - n);
        if (k <= 0) {
            die("the node closed the connection");
        }
        n += (size_t)k;
        text[n] = 0;
        char *body = strstr(text, "\r\n\r\n");
        char *len = strstr(text, "content-length: ");
        if (body != NULL && len != NULL &&
            n - (size_t)(body + 4 - text) >= strtoul(len + 16, NULL, 10)) {
            return body + 4;
        }
    }
}

static void send_part(int fd, size_t s, size_t from)
{
    BUF_FREE b = buf_new(SIZE_MAX);
    for (size_t i = 0; i < BATCH; i++) {
        put_fmt(&b,
                "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"eth_sendRawTransaction\","
                "\"params\":[\"",
                i == 0 ? "[" : ",", i);
        put_0x(&b, buf_bytes(&raw[s][from + i]));
        put_str(&b, "\"]}");
    }
    put_str(&b, "]");
    post(fd, buf_bytes(&b));
}

static void wait_receipt(int fd, struct bytes tx)
{
    struct hash h = eth_tx_hash(tx);
    char text[HEX_HASH_MAX];
    BUF_FREE b = buf_new(1024);
    put_fmt(&b,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getTransactionReceipt\",\"params\":[\"%"
            "s\"]}",
            hex_hash(text, h));
    for (uint64_t end = clock_mono_ms() + 60000; clock_mono_ms() < end;) {
        post(fd, buf_bytes(&b));
        if (strstr(answer(fd), "\"status\":\"0x1\"") != NULL) {
            return;
        }
        (void)usleep(1000);
    }
    die("a transaction has no receipt");
}

static void start(struct proc *p, char *dir, const struct address who[SENDERS], char url[256])
{
    struct err e;
    char path[FILE_PATH_MAX];
    char state[FILE_PATH_MAX];
    BUF_FREE g = buf_new(65536);
    int fds[2];
    put_fmt(&g, "{\"chainId\":%d,\"accounts\":[", CHAIN);
    for (size_t i = 0; i < SENDERS; i++) {
        char text[HEX_ADDRESS_MAX];
        put_fmt(&g, "%s{\"address\":\"%s\",\"balance\":\"1000000000000000000000\"}",
                i == 0 ? "" : ",", hex_address(text, who[i]));
    }
    put_fmt(&g, "],\"owner\":\"0x%040d\"}", 1);
    if (mkdtemp(dir) == NULL || !rc_ok(path_join(path, dir, "genesis.json", &e)) ||
        !rc_ok(path_join(state, dir, "node", &e)) ||
        !rc_ok(file_write(path, buf_bytes(&g), 0600, &e)) || pipe(fds) != 0) {
        die("set up");
    }
    char fd_text[16];
    (void)snprintf(fd_text, sizeof(fd_text), "%d", fds[1]);
    const char *souk = getenv("SOUK") != NULL ? getenv("SOUK") : "build/release/souk";
    struct proc_spec spec = {.argv = (const char *const[]){souk, "node", "--state", state,
                                                           "--genesis", path, "--listen",
                                                           "127.0.0.1:0", "--log-level", "warn",
                                                           "--ready-fd", fd_text, NULL},
                             .keep_fds = &fds[1],
                             .keep_n = 1,
                             .die_with_parent = true};
    if (!rc_ok(proc_spawn(p, &spec, &e))) {
        die(e.msg);
    }
    (void)close(fds[1]);
    ssize_t n = read(fds[0], url, 255);
    if (n <= 1) {
        die("the node did not start");
    }
    url[n - 1] = 0;
}

/* --- subscribers: SUBS=n idle WebSockets that get every block --- */

static int subscribe(const char *url)
{
    static const char hello[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_subscribe\","
        "\"params\":[\"newHeads\"]}";
    int fd = dial(url);
    BUF_FREE b = buf_new(1024);
    put_mem(&b, hello, sizeof(hello) - 1);
    put_u8(&b, 0x81);
    put_u8(&b, 0x80 | (sizeof(call) - 1)); /* masked with zeroes */
    put_zero(&b, 4);
    put_mem(&b, call, sizeof(call) - 1);
    ASSERT(sizeof(call) - 1 < 126 && rc_ok(fd_write_all(fd, buf_bytes(&b), NULL)));
    return fd;
}

/* How often the text that only a pushed block has is in what came; carries a match over the end. */
static uint64_t count_blocks(const char *p, size_t n, size_t *match)
{
    static const char key[] = "\"eth_subscription\"";
    uint64_t found = 0;
    for (size_t i = 0; i < n; i++) {
        *match = p[i] == key[*match] ? *match + 1 : p[i] == key[0] ? 1 : 0;
        if (*match == sizeof(key) - 1) {
            found++;
            *match = 0;
        }
    }
    return found;
}

/* Reads until nothing comes for a second after `go` was closed; writes the sum of blocks seen. */
static void subscribers(const char *url, size_t n, int ready, int go)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    size_t *match = calloc(n + 1, sizeof(size_t));
    int *fds = calloc(n + 1, sizeof(int));
    uint64_t sum = 0;
    ASSERT(match != NULL && fds != NULL);
    for (size_t i = 0; i < n; i++) {
        fds[i] = subscribe(url);
        struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};
        ASSERT(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) == 0);
    }
    for (size_t i = 0; i < n; i++) { /* all have subscribed before the first block */
        char buf[4096] = "";
        size_t have = 0;
        while (strstr(buf, "\"result\"") == NULL) {
            ssize_t got = read(fds[i], buf + have, sizeof(buf) - 1 - have);
            ASSERT(got > 0);
            have += (size_t)got;
            buf[have] = 0;
        }
    }
    ASSERT(write(ready, "!", 1) == 1);
    struct pollfd done = {.fd = go, .events = POLLIN};
    for (;;) {
        struct epoll_event ev[256];
        int k = epoll_wait(ep, ev, 256, 1000);
        if (k == 0 && poll(&done, 1, 0) > 0) {
            break;
        }
        for (int i = 0; i < k; i++) {
            static char buf[65536];
            ssize_t got = read(fds[ev[i].data.u64], buf, sizeof(buf));
            if (got <= 0) {
                die("a subscriber was cut off");
            }
            sum += count_blocks(buf, (size_t)got, &match[ev[i].data.u64]);
        }
    }
    ASSERT(write(ready, &sum, sizeof(sum)) == (ssize_t)sizeof(sum));
    _exit(0);
}

static uint64_t height(int fd)
{
    post(fd, BYTES_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\"}"));
    return strtoull(strstr(answer(fd), "0x"), NULL, 16);
}

int main(void)
{
    struct address who[SENDERS];
    size_t subs = getenv("SUBS") != NULL ? strtoul(getenv("SUBS"), NULL, 10) : 0;
    int ready[2];
    int go[2];
    char mark;
    struct proc p;
    char dir[] = "/tmp/souk-bench-XXXXXX";
    char url[256];
    int fd[SENDERS];
    sign_all(who);
    start(&p, dir, who, url);
    for (size_t s = 0; s < SENDERS; s++) {
        fd[s] = dial(url);
    }
    ASSERT(pipe(ready) == 0 && pipe(go) == 0);
    if (subs > 0) {
        if (fork() == 0) {
            (void)close(go[1]);
            subscribers(url, subs, ready[1], go[0]);
        }
        ASSERT(read(ready[0], &mark, 1) == 1);
        (void)height(fd[0]);
    }
    uint64_t from = clock_mono_us();
    for (size_t n = 0; n < EACH; n += BATCH) {
        for (size_t s = 0; s < SENDERS; s++) {
            send_part(fd[s], s, n);
        }
        for (size_t s = 0; s < SENDERS; s++) {
            char *got = answer(fd[s]);
            if (strstr(got, "\"error\"") != NULL) {
                die(strstr(got, "\"error\""));
            }
        }
    }
    for (size_t s = 0; s < SENDERS; s++) {
        wait_receipt(fd[s], buf_bytes(&raw[s][EACH - 1]));
    }
    uint64_t us = clock_mono_us() - from;
    uint64_t one = recoveries();
    (void)printf("transfers: %d in %" PRIu64 " ms: %" PRIu64 "/s; one thread recovers %" PRIu64
                 " signatures/s\n",
                 SENDERS * EACH, us / 1000, (uint64_t)SENDERS * EACH * 1000000 / us, one);
    if (subs > 0) {
        uint64_t seen = 0;
        uint64_t want = height(fd[0]) * subs;
        (void)close(go[1]);
        ASSERT(read(ready[0], &seen, sizeof(seen)) == (ssize_t)sizeof(seen));
        (void)printf("subscribers: %zu, blocks pushed %" PRIu64 ", lost %" PRIu64 "\n", subs, seen,
                     want - seen);
    }
    proc_kill(&p, SIGTERM);
    int status;
    (void)!rc_ok(proc_wait(&p, 10000, &status, NULL));
    proc_end(&p);
    return rc_ok(dir_remove(dir, NULL)) ? 0 : 1;
}
