/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/file.h"
#include "io/http_server.h"
#include "io/proc.h"
#include "tests/test.h"

/* The server speaks TLS with curl: a small answer, and one that fills the socket many times. */

enum { BIG = 3 << 20 };

static struct loop *l;
static struct err e;
static int child_status = -1;

static void on_hello(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200, "hello");
}

static void on_big(void *ctx, struct http_req *r)
{
    (void)ctx;
    struct buf b = buf_new(SIZE_MAX);
    put_zero(&b, BIG);
    http_reply_buf(r, 200, "application/octet-stream", &b);
}

static void on_echo(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200, "%zu", http_body(r).n);
}

static const struct http_route ROUTES[] = {
    {.method = "GET", .path = "/hello", .on_request = on_hello},
    {.method = "GET", .path = "/big", .on_request = on_big},
    {.method = "POST", .path = "/echo", .body_max = BIG, .on_request = on_echo},
    {.path = NULL},
};

static void on_exit_status(void *ctx, int status)
{
    (void)ctx;
    child_status = proc_exit_code(status);
    loop_stop(l);
}

/* What curl writes with -w: size and status. */
static void curl(char out[256], const char *const *argv)
{
    struct proc p;
    struct loop_child c;
    struct proc_spec s = {.argv = argv, .stdout_fd = PROC_PIPE};
    CHECK(rc_ok(proc_spawn(&p, &s, &e)));
    CHECK(rc_ok(loop_child_add(l, &c, p.pidfd, on_exit_status, NULL)));
    CHECK(rc_ok(loop_run(l, &e)) && child_status == 0);
    ssize_t n = read(p.out_fd, out, 255);
    out[n > 0 ? n : 0] = 0;
    p.pid = 0;
    proc_end(&p);
}

int main(void)
{
    char dir[] = "/tmp/souk-tls-XXXXXX";
    char cert[64];
    char key[64];
    char url[96];
    char data[96];
    char out[256];
    int status;
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    (void)snprintf(key, sizeof(key), "%s/key.pem", dir);
    (void)snprintf(data, sizeof(data), "@%s/data", dir);
    struct proc_spec make = {
        .argv = (const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                      "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                                      cert, "-days", "1", "-subj", "/CN=localhost", NULL}};
    CHECK(rc_ok(proc_run(&make, 20000, NULL, NULL, &status, &e)) && status == 0);
    CHECK(rc_ok(loop_open(&l, &e)));
    struct http_server *s;
    struct http_config cfg = {
        .listen = "127.0.0.1:0", .routes = ROUTES, .tls_cert = key, .tls_key = key};
    CHECK(!rc_ok(http_server_open(&s, l, &cfg, &e)) && strstr(e.msg, "certificate") != NULL);
    cfg.tls_cert = cert;
    CHECK(rc_ok(http_server_open(&s, l, &cfg, &e)));

    (void)snprintf(url, sizeof(url), "%s/hello", http_server_url(s));
    CHECK(strncmp(url, "https://", 8) == 0);
    curl(out, (const char *const[]){"curl", "-sk", url, NULL});
    CHECK(strcmp(out, "hello") == 0);
    (void)snprintf(url, sizeof(url), "%s/big", http_server_url(s));
    curl(out, (const char *const[]){"curl", "-sk", "-o", "/dev/null", "-w", "%{size_download}", url,
                                    NULL});
    CHECK(atol(out) == BIG);
    BUF_FREE body = buf_new(BIG);
    put_zero(&body, 1 << 20);
    CHECK(rc_ok(file_write(data + 1, buf_bytes(&body), 0600, &e)));
    (void)snprintf(url, sizeof(url), "%s/echo", http_server_url(s));
    curl(out, (const char *const[]){"curl", "-sk", "--data-binary", data, url, NULL});
    CHECK(atol(out) == 1 << 20);
    http_server_close(s);
    loop_close(l);
    CHECK(rc_ok(dir_remove(dir, &e)));
    return 0;
}
