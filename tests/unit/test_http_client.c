/* SPDX-License-Identifier: Apache-2.0 */
/* The client against the real server, which runs in a child process. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/file.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "io/json.h"
#include "tests/test.h"

static size_t streamed;

static void on_echo(void *ctx, struct http_req *r)
{
    (void)ctx;
    const char *type = http_header(r, "content-type");
    http_set_header(r, "X-Type", type != NULL ? type : "none");
    http_reply(r, 200, "text/plain", http_body(r));
}

static void on_json(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_json(r, 200,
                    json_pack("{s:s, s:s}", "method", http_method(r), "h",
                              http_header(r, "x-test") != NULL ? http_header(r, "x-test") : ""));
}

static void on_refuse(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_error(r, 403, "you are not the owner");
}

static void on_part(void *ctx, struct http_req *r, struct bytes part, bool last)
{
    (void)ctx;
    streamed += part.n;
    if (last) {
        http_reply_text(r, 200, "%zu %.9s", streamed, http_header(r, "content-type"));
    }
}

static void on_upload(void *ctx, struct http_req *r)
{
    (void)ctx, (void)r;
    streamed = 0;
}

static void on_never(void *ctx, struct http_req *r)
{
    (void)ctx, (void)r;
}

static const struct http_route routes[] = {
    {"POST", "/echo", 1 << 20, on_echo, NULL}, {NULL, "/json", 1 << 20, on_json, NULL},
    {"GET", "/refuse", 0, on_refuse, NULL},    {"POST", "/upload", 16 << 20, on_upload, on_part},
    {"GET", "/never", 0, on_never, NULL},      {NULL, NULL, 0, NULL, NULL},
};

static pid_t start(uint16_t *port)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct loop *l = NULL;
        struct http_server *s = NULL;
        struct http_config cfg = {.listen = "127.0.0.1:0", .routes = routes};
        CHECK(rc_ok(loop_open(&l, NULL)) && rc_ok(http_server_open(&s, l, &cfg, NULL)));
        *port = http_server_port(s);
        CHECK(write(fds[1], port, sizeof(*port)) == (ssize_t)sizeof(*port));
        (void)loop_run(l, NULL);
        _exit(0);
    }
    CHECK(read(fds[0], port, sizeof(*port)) == (ssize_t)sizeof(*port));
    (void)close(fds[0]);
    (void)close(fds[1]);
    return pid;
}

static char url_text[128];

static const char *url(uint16_t port, const char *path)
{
    (void)snprintf(url_text, sizeof(url_text), "http://127.0.0.1:%u%s", port, path);
    return url_text;
}

static bool stop_now(void *ctx)
{
    (void)ctx;
    return true;
}

static void test_calls(struct http_client *c, uint16_t port)
{
    struct err e;
    HTTP_ANSWER a = {0};
    struct http_call call = {.url = url(port, "/echo"), .body = BYTES_LIT("hello")};
    for (int i = 0; i < 3; i++) { /* the connection is used again */
        CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.status == 200);
        CHECK(bytes_eq(buf_bytes(&a.body), BYTES_LIT("hello")) &&
              strcmp(a.type, "text/plain") == 0);
    }
    call = (struct http_call){.url = url(port, "/echo"), .method = "POST"};
    CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.status == 200 && a.body.n == 0);

    const char *const headers[] = {"X-Test: yes", NULL};
    call = (struct http_call){.url = url(port, "/json"), .headers = headers, .method = "PUT"};
    JSON_FREE *j = NULL;
    JSON_FREE *sent = json_pack("{s:i}", "a", 1);
    CHECK(rc_ok(http_json(c, &j, &call, sent, &e)));
    CHECK(strcmp(json_string_value(json_object_get(j, "method")), "PUT") == 0);
    CHECK(strcmp(json_string_value(json_object_get(j, "h")), "yes") == 0);

    call = (struct http_call){.url = url(port, "/json"), .method = "HEAD"};
    CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.status == 200 && a.body.n == 0);

    call = (struct http_call){.url = url(port, "/refuse")};
    CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.status == 403);
    CHECK(http_answer_check(&a, &e).code == RC_CODE_DENIED);
    CHECK(strcmp(e.msg, "you are not the owner (HTTP 403)") == 0);
    call.url = url(port, "/absent");
    CHECK(rc_ok(http_call(c, &a, &call, &e)));
    CHECK(http_answer_check(&a, &e).code == RC_CODE_NOT_FOUND);
}

static void test_files(struct http_client *c, uint16_t port)
{
    struct err e;
    HTTP_ANSWER a = {0};
    char dir[] = "/tmp/test_http_client.XXXXXX";
    char path[64];
    static uint8_t data[300000];
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/f", dir);
    memset(data, 'x', sizeof(data));
    CHECK(rc_ok(file_write(path, (struct bytes){data, sizeof(data)}, 0600, &e)));
    struct http_part part = {.name = "file", .path = path};
    struct http_call call = {.url = url(port, "/upload"), .parts = &part, .n_parts = 1};
    CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.status == 200);
    CHECK(strtoull(buf_cstr(&a.body), NULL, 10) > sizeof(data));
    CHECK(strstr(buf_cstr(&a.body), " multipart") != NULL);
    part.path = "/nonexistent/file";
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_IO);

    FILE *f = tmpfile();
    CHECK(f != NULL);
    call = (struct http_call){
        .url = url(port, "/echo"), .body = {data, 100000}, .out_fd = fileno(f), .file_max = 100000};
    CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.file_bytes == 100000 && a.body.n == 0);
    call.file_max = 99999;
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_LIMIT);
    call = (struct http_call){.url = url(port, "/refuse"), .out_fd = fileno(f)};
    CHECK(rc_ok(http_call(c, &a, &call, &e)) && a.file_bytes == 0);
    CHECK(http_answer_check(&a, &e).code == RC_CODE_DENIED);
    (void)fclose(f);
    CHECK(rc_ok(dir_remove(dir, &e)));
}

static void test_failures(struct http_client *c, uint16_t port)
{
    struct err e;
    HTTP_ANSWER a = {0};
    struct http_call call = {
        .url = url(port, "/echo"), .body = BYTES_LIT("hello"), .answer_max = 4};
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_LIMIT);
    CHECK(strstr(e.msg, "longer than allowed") != NULL);
    call = (struct http_call){.url = url(port, "/never"), .timeout_ms = 50};
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_LIMIT);
    CHECK(strstr(e.msg, "no answer within 50 ms") != NULL);
    call = (struct http_call){.url = url(port, "/never"), .stop = stop_now};
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_LIMIT);
    CHECK(strstr(e.msg, "stopped") != NULL);
    call = (struct http_call){.url = "file:///etc/passwd"};
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_MALFORMED);
    call = (struct http_call){.url = "http://127.0.0.1:1/"};
    CHECK(http_call(c, &a, &call, &e).code == RC_CODE_IO);
    CHECK(strcmp(e.msg, "connect to 127.0.0.1:1: Connection refused") == 0);
}

int main(void)
{
    uint16_t port = 0;
    struct http_client *c = NULL;
    pid_t pid = start(&port);
    CHECK(rc_ok(http_client_open(&c, NULL)));
    test_calls(c, port);
    test_files(c, port);
    test_failures(c, port);
    BUF_FREE u = buf_new(100);
    put_url(&u, BYTES_LIT("a b/c?~"));
    CHECK(bytes_eq(buf_bytes(&u), BYTES_LIT("a%20b%2Fc%3F~")));
    http_client_close(c);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    return 0;
}
