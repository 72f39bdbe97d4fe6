/* SPDX-License-Identifier: Apache-2.0 */
/* Images: packed the same twice, checked, and every way out of the unpacking refused. The hostile
 * ones lie in the fuzz corpus; all their digests are right, so the layer's own checks must speak. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/runtime/image_int.h"
#include "io/file.h"
#include "tests/test.h"

static char dir[] = "/tmp/souk-test-image.XXXXXX";
static struct arena mem;

static const char *at(const char *name)
{
    char *p = arena_alloc(&mem, FILE_PATH_MAX);
    CHECK(p != NULL && rc_ok(path_join(p, dir, name, NULL)));
    return p;
}

static void put(const char *name, struct bytes data, unsigned mode)
{
    CHECK(rc_ok(file_write(at(name), data, mode, NULL)));
}

static void pack(const char *out, char digest[IMAGE_DIGEST_LEN + 1])
{
    static const char *const entry[] = {"/bin/app", "--fixed", NULL};
    static const char *const env[] = {"A=b", NULL};
    struct image_pack_spec spec = {.rootfs = at("root"), .entrypoint = entry, .env = env};
    struct err e = {0};
    rc r = image_pack(&spec, at(out), digest, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
}

static void test_pack(void)
{
    char d1[IMAGE_DIGEST_LEN + 1], d2[IMAGE_DIGEST_LEN + 1], d3[IMAGE_DIGEST_LEN + 1];
    char longer[220];
    struct err e = {0};
    struct image img;
    CHECK(rc_ok(dir_make(at("root/bin"), 0755, NULL)));
    put("root/bin/app", BYTES_LIT("#!"), 0711);
    put("root/data", BYTES_LIT("x"), 0600);
    put("root/\xc3\xa9t\xc3\xa9", BYTES_LIT("summer"), 0644);
    memset(longer, 'n', sizeof(longer));
    memcpy(longer, "root/", 5);
    longer[sizeof(longer) - 1] = 0;
    put(longer, BYTES_LIT("long"), 0644);
    CHECK(symlink("bin", at("root/l")) == 0);
    pack("a.tar", d1);
    CHECK(chmod(at("root/data"), 0640) == 0); /* modes and times do not count */
    pack("b.tar", d2);
    BUF_FREE a = buf_new(1 << 20);
    BUF_FREE b = buf_new(1 << 20);
    CHECK(rc_ok(file_read(&a, at("a.tar"), &e)) && rc_ok(file_read(&b, at("b.tar"), &e)));
    CHECK(strcmp(d1, d2) == 0 && bytes_eq(buf_bytes(&a), buf_bytes(&b)));
    CHECK(rc_ok(image_unpack(&img, &mem, at("a.tar"), d1, at("cache"), &e)));
    CHECK(strcmp(img.entrypoint[1], "--fixed") == 0 && strcmp(img.env[0], "A=b") == 0);
    CHECK(strcmp(img.workdir, "/") == 0 && img.cmd[0] == NULL);
    char path[FILE_PATH_MAX];
    struct stat st;
    static const char *const names[] = {"\xc3\xa9t\xc3\xa9", "l/app", "iexec_in", "tmp"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK(rc_ok(path_join(path, img.rootfs, names[i], &e)) && file_exists(path));
    }
    CHECK(rc_ok(path_join(path, img.rootfs, "bin/app", &e)) && stat(path, &st) == 0);
    CHECK((st.st_mode & 07777) == 0755);
    put("root/data", BYTES_LIT("y"), 0644);
    pack("c.tar", d3);
    CHECK(strcmp(d1, d3) != 0);

    /* Every byte counts: each change is seen, wherever it lies. */
    for (size_t i = 0; i < a.n; i += 97) {
        a.p[i] ^= 0x20;
        put("bad.tar", buf_bytes(&a), 0644);
        rc r = image_unpack(&img, &mem, at("bad.tar"), d1, at("cache2"), &e);
        a.p[i] ^= 0x20;
        /* A header's time or the padding of the outer tar may change: the contents then do not. */
        CHECK(!rc_ok(r) || strcmp(img.digest, d1) == 0);
    }
    for (size_t n = 0; n < a.n - 1024; n += 511) {
        put("bad.tar", (struct bytes){a.p, n}, 0644);
        CHECK(!rc_ok(image_read(&img, &mem, at("bad.tar"), &e)));
    }
    CHECK(image_read(&img, &mem, at("none"), &e).code == RC_CODE_NOT_FOUND);
    CHECK(image_cached(&img, &mem, d3, at("cache"), &e).code == RC_CODE_NOT_FOUND);
    CHECK(image_cached(&img, &mem, "sha256:../../..", at("cache"), &e).code == RC_CODE_MALFORMED);
}

static void test_refused_to_pack(void)
{
    char digest[IMAGE_DIGEST_LEN + 1];
    struct err e = {0};
    static const char *const entry[] = {"/a", NULL};
    static const char *const relative[] = {"a", NULL};
    struct image_pack_spec spec = {.rootfs = at("root2"), .entrypoint = relative};
    CHECK(rc_ok(dir_make(at("root2"), 0755, NULL)));
    CHECK(image_pack(&spec, at("x.tar"), digest, &e).code == RC_CODE_MALFORMED);
    spec.entrypoint = entry;
    CHECK(mkfifo(at("root2/p"), 0600) == 0);
    CHECK(image_pack(&spec, at("x.tar"), digest, &e).code == RC_CODE_MALFORMED);
    CHECK(unlink(at("root2/p")) == 0 && symlink("/etc", at("root2/tmp")) == 0);
    CHECK(image_pack(&spec, at("x.tar"), digest, &e).code == RC_CODE_MALFORMED);
    CHECK(unlink(at("root2/tmp")) == 0);
    put("root2/.wh.x", BYTES_LIT(""), 0644);
    CHECK(image_pack(&spec, at("x.tar"), digest, &e).code == RC_CODE_MALFORMED);
    CHECK(!file_exists(at("x.tar")));
    spec.rootfs = at("nowhere");
    CHECK(image_pack(&spec, at("x.tar"), digest, &e).code == RC_CODE_NOT_FOUND);
}

static void test_hostile(void)
{
    static const struct {
        const char *name, *says; /* NULL: fine */
    } rows[] = {
        {"up", "\"..\""},
        {"abs", "absolute"},
        {"through-link", "no folder"},
        {"hard-out", "\"..\""},
        {"hard-link", "hard link"},
        {"device", "device"},
        {"fifo", "device"},
        {"mount-link", "must be a folder"},
        {"opaque", "opaque"},
        {"whiteout", NULL},
        {"gzip", NULL},
        {"small", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[128];
        struct image img;
        struct err e = {0};
        (void)snprintf(path, sizeof(path), "tests/fuzz/corpus/image/%s", rows[i].name);
        rc r = image_unpack(&img, &mem, path, NULL, at("cache3"), &e);
        if (rows[i].says == NULL
                ? !rc_ok(r)
                : r.code != RC_CODE_MALFORMED || strstr(e.msg, rows[i].says) == NULL) {
            (void)fprintf(stderr, "%s: %s\n", rows[i].name, e.msg);
            CHECK(false);
        }
    }
    CHECK(!file_exists("/tmp/evil") && !file_exists(at("evil")) && !file_exists(at("cache3/evil")));
}

static void test_names(void)
{
    char out[32];
    CHECK(image_name_clean(out, sizeof(out), "./a//b") == false);
    CHECK(image_name_clean(out, sizeof(out), "./a/b/") && strcmp(out, "a/b") == 0);
    CHECK(image_name_clean(out, sizeof(out), "./") && out[0] == 0);
    CHECK(!image_name_clean(out, sizeof(out), "a/../b") &&
          !image_name_clean(out, sizeof(out), ".."));
    CHECK(!image_name_clean(out, sizeof(out), "/a"));
    CHECK(!image_name_clean(out, sizeof(out), "a234567890123456789012345678901234567890"));
}

int main(void)
{
    struct err e;
    arena_init(&mem, (size_t)64 << 20);
    CHECK(mkdtemp(dir) != NULL);
    test_names();
    test_pack();
    test_refused_to_pack();
    test_hostile();
    CHECK(rc_ok(dir_remove(dir, &e)));
    arena_reset(&mem);
    return 0;
}
