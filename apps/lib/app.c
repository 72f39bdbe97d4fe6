/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/lib/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESULT_DIR "result"
#define NAME_MAX31 31 /* SPEC sdk-surface 10: longer names fail the task */

static void path_of(struct app *a, char out[APP_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, APP_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= APP_PATH_MAX) {
        app_fail(a, APP_USAGE, "a path is too long: %.60s/…", dir);
    }
}

/* errno, or 0. */
static int write_file(const char *path, struct bytes data)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return errno;
    }
    int bad = 0;
    while (data.n > 0 && bad == 0) {
        ssize_t n = write(fd, data.p, data.n);
        if (n > 0) {
            data.p += n;
            data.n -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            bad = n == 0 ? ENOSPC : errno;
        }
    }
    if (close(fd) != 0 && bad == 0) {
        bad = errno;
    }
    return bad;
}

void app_init(struct app *a, const char *name)
{
    *a = (struct app){.name = name};
    arena_init(&a->mem, (size_t)640 << 20);
    a->out = getenv("IEXEC_OUT");
    a->in = getenv("IEXEC_IN");
    if (a->out == NULL || a->in == NULL) {
        app_fail(a, APP_USAGE,
                 "IEXEC_IN and IEXEC_OUT must name the folders of a task; this program runs as a "
                 "task, see docs/apps.md");
    }
}

/* A regular file named by a variable; only its last component may come from outside. */
static struct bytes read_in(struct app *a, enum app_exit blame, const char *name, size_t max)
{
    char path[APP_PATH_MAX];
    struct stat st;
    path_of(a, path, a->in, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        app_fail(a, blame, "cannot open %s: %s", path, strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        app_fail(a, blame, "%s is not a regular file", path);
    }
    if (st.st_size < 0 || (uint64_t)st.st_size > max) {
        app_fail(a, blame, "%s has %lld bytes; at most %zu are allowed", path,
                 (long long)st.st_size, max);
    }
    size_t size = (size_t)st.st_size;
    uint8_t *p = arena_alloc(&a->mem, size);
    if (p == NULL) {
        app_fail(a, APP_SYSTEM, "no memory for %s", path);
    }
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, p + got, size - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            app_fail(a, blame, "cannot read %s: %s", path, n == 0 ? "it shrank" : strerror(errno));
        }
        got += (size_t)n;
    }
    (void)close(fd);
    return (struct bytes){p, size};
}

/* The value of a variable that names a file in $IEXEC_IN. */
static const char *name_in(struct app *a, enum app_exit blame, const char *var, const char *what)
{
    const char *name = getenv(var);
    if (name == NULL || name[0] == '\0') {
        app_fail(a, blame, "the task names no %s: %s is not set", what, var);
    }
    if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        app_fail(a, APP_USAGE, "%s must be a plain file name", var);
    }
    return name;
}

struct bytes app_input(struct app *a, unsigned n, size_t max)
{
    char var[40];
    (void)snprintf(var, sizeof(var), "IEXEC_INPUT_FILE_NAME_%u", n);
    return read_in(a, APP_PICTURE, name_in(a, APP_PICTURE, var, "input file"), max);
}

struct bytes app_model(struct app *a, size_t max)
{
    return read_in(a, APP_MODEL, name_in(a, APP_MODEL, "IEXEC_DATASET_FILENAME", "rented model"),
                   max);
}

void app_model_path(struct app *a, char out[APP_PATH_MAX])
{
    path_of(a, out, a->in, name_in(a, APP_MODEL, "IEXEC_DATASET_FILENAME", "rented model"));
}

void app_write(struct app *a, const char *name, struct bytes data)
{
    char dir[APP_PATH_MAX];
    char path[APP_PATH_MAX];
    ASSERT(strlen(name) <= NAME_MAX31);
    path_of(a, dir, a->out, RESULT_DIR);
    path_of(a, path, dir, name);
    if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
        app_fail(a, APP_SYSTEM, "cannot make %s: %s", dir, strerror(errno));
    }
    int bad = write_file(path, data);
    if (bad != 0) {
        app_fail(a, APP_SYSTEM, "cannot write %s: %s", path, strerror(bad));
    }
}

static rc put_computed(struct app *a, struct buf *json)
{
    char path[APP_PATH_MAX];
    path_of(a, path, a->out, "computed.json");
    int bad = write_file(path, buf_bytes(json));
    buf_free(json);
    if (bad != 0) {
        (void)fprintf(stderr, "%s: cannot write %s: %s\n", a->name, path, strerror(bad));
    }
    return bad == 0 ? RC_OK : RC(IO);
}

NORETURN void app_done(struct app *a)
{
    char dir[APP_PATH_MAX];
    path_of(a, dir, a->out, RESULT_DIR);
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    put_str(&b, "{\"deterministic-output-path\":");
    app_put_json(&b, bytes_str(dir));
    put_str(&b, "}\n");
    rc r = put_computed(a, &b);
    exit(rc_ok(r) ? APP_OK : APP_SYSTEM);
}

NORETURN void app_done_callback(struct app *a, struct bytes callback)
{
    char dir[APP_PATH_MAX];
    path_of(a, dir, a->out, RESULT_DIR);
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    put_str(&b, "{\"deterministic-output-path\":");
    app_put_json(&b, bytes_str(dir));
    put_str(&b, ",\"callback-data\":\"0x");
    for (size_t i = 0; i < callback.n; i++) {
        put_fmt(&b, "%02x", callback.p[i]);
    }
    put_str(&b, "\"}\n");
    rc r = put_computed(a, &b);
    exit(rc_ok(r) ? APP_OK : APP_SYSTEM);
}

NORETURN void app_fail(struct app *a, enum app_exit status, const char *fmt, ...)
{
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "%s: %s\n", a->name, msg);
    if (a->out != NULL) {
        char path[APP_PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/computed.json", a->out);
        struct buf b = buf_new(BUF_CAP_DEFAULT);
        put_str(&b, "{\"error-message\":");
        app_put_json(&b, bytes_str(msg));
        put_str(&b, "}\n");
        if (n > 0 && (size_t)n < sizeof(path)) {
            (void)write_file(path, buf_bytes(&b)); /* the message is on standard error already */
        }
        buf_free(&b);
    }
    exit((int)status);
}

/* Bytes of the well-formed UTF-8 character at the front of s; 0 when there is none. */
static size_t utf8_len(struct bytes s)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t c = s.p[0];
    size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    if (n > s.n || (n == 4 && (c & 0xf8) != 0xf0)) {
        return 0;
    }
    uint32_t v = n == 1 ? c : c & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80) {
            return 0;
        }
        v = v << 6 | (s.p[i] & 0x3fU);
    }
    bool ok = v >= least[n] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
    return ok ? n : 0;
}

void app_put_json(struct buf *b, struct bytes s)
{
    put_u8(b, '"');
    while (s.n > 0) {
        size_t n = utf8_len(s);
        uint8_t c = s.p[0];
        if (n == 0) {
            put_str(b, "\xef\xbf\xbd");
            n = 1;
        } else if (c == '"' || c == '\\') {
            put_u8(b, '\\');
            put_u8(b, c);
        } else if (c == '\n') {
            put_str(b, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            put_fmt(b, "\\u%04x", c);
        } else {
            put_mem(b, s.p, n);
        }
        s.p += n;
        s.n -= n;
    }
    put_u8(b, '"');
}
