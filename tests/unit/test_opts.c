/* SPDX-License-Identifier: Apache-2.0 */
#include "io/opts.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/file.h"
#include "tests/test.h"

struct cfg {
    bool dev;
    uint64_t port, size, wait;
    const char *dir;
    struct opt_list peers;
};

/* clang-format off */
static const struct opt TABLE[] = {
    OPT("dev",  OPT_FLAG, cfg, dev,   NULL,   "false", 0, 0, "a flag"),
    OPT("port", OPT_U64,  cfg, port,  "PORT", "80",    1, 65535, "a number"),
    OPT("size", OPT_SIZE, cfg, size,  "SIZE", "1m",    0, 0, "a size"),
    OPT("wait", OPT_MS,   cfg, wait,  "TIME", "2s",    0, 0, "a time"),
    OPT("dir",  OPT_STR,  cfg, dir,   "DIR",  NULL,    0, 0, "a text"),
    OPT("peer", OPT_LIST, cfg, peers, "URL",  NULL,    0, 0, "a list"),
    {.name = NULL},
};
/* clang-format on */

static const struct opts OPTS = {
    .command = "test", .summary = "tests.", .args = "FILE", .args_max = 1, .table = TABLE};

static struct arena arena;
static struct cfg cfg;
static struct opts_rest rest;
static struct err e;

static rc read_args(const char *const *words)
{
    char *argv[16] = {NULL};
    int argc = 0;
    static char copies[16][128];
    for (; words[argc] != NULL; argc++) {
        (void)snprintf(copies[argc], sizeof(copies[0]), "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    bool help;
    cfg = (struct cfg){0};
    return opts_read(&OPTS, &cfg, &rest, &help, argc, argv, &arena, &e);
}

#define READ(...) read_args((const char *const[]){"test", __VA_ARGS__, NULL})

int main(void)
{
    arena_init(&arena, 1 << 20);
    CHECK(rc_ok(READ("--dev")) && cfg.dev && cfg.port == 80 && cfg.size == 1 << 20);
    CHECK(cfg.wait == 2000 && cfg.dir == NULL && rest.n == 0);
    CHECK(rc_ok(READ("--no-dev", "--port=81", "--wait", "3m", "file", "--peer", "a", "--peer=b")));
    CHECK(!cfg.dev && cfg.port == 81 && cfg.wait == 180000 && cfg.peers.n == 2 && rest.n == 1);
    CHECK(!rc_ok(READ("--port", "0")) && strstr(e.msg, "outside 1 to 65535") != NULL);
    CHECK(!rc_ok(READ("--port", "x")) && !rc_ok(READ("--port", "1k")));
    CHECK(!rc_ok(READ("--size", "99999999999999999999")) && !rc_ok(READ("--wait", "5d")));
    CHECK(!rc_ok(READ("--none")) && strstr(e.msg, "no option --none") != NULL);
    CHECK(!rc_ok(READ("--dir")) && strstr(e.msg, "--dir DIR") != NULL);
    CHECK(!rc_ok(READ("a", "b")) && !rc_ok(READ("--dev=yes")) && !rc_ok(READ("--no-port")));
    char path[] = "/tmp/souk-opts-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    fd_close(&fd);
    CHECK(rc_ok(file_write(
        path, BYTES_LIT("{\"port\":90,\"dev\":true,\"peer\":[\"x\"],\"wait\":\"1h\"}"), 0600, &e)));
    CHECK(rc_ok(READ("--config", path, "--port", "91")));
    CHECK(cfg.port == 91 && cfg.dev && cfg.peers.n == 1 && cfg.wait == 3600000);
    CHECK(rc_ok(file_write(path, BYTES_LIT("{\"prt\":90}"), 0600, &e)));
    CHECK(!rc_ok(READ("--config", path)) && strstr(e.msg, "no option 'prt'") != NULL);
    CHECK(unlink(path) == 0);
    CHECK(!rc_ok(READ("--config", path)));
    BUF_FREE b = buf_new(1 << 16);
    opts_help(&b, &OPTS);
    CHECK(strstr(buf_cstr(&b), "--port PORT") != NULL);
    CHECK(strstr(buf_cstr(&b), "[2s]") != NULL);
    arena_reset(&arena);
    return 0;
}
