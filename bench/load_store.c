/* SPDX-License-Identifier: Apache-2.0 */
/* bench/load_store - uploads to a running store, each acknowledged when it is on disk.
 *
 *   load_store small API FILES CONNECTIONS   files of 1 KiB, files a second
 *   load_store large API FILE                one file, MB a second */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "io/clock.h"
#include "io/file.h"
#include "io/http_client.h"
#include "tests/test.h"

static const char *api;
static atomic_ulong next;
static uint64_t total;

static void add(struct http_client *h, const struct http_part *part)
{
    char url[512];
    struct err e = {0};
    HTTP_ANSWER ans = {0};
    (void)snprintf(url, sizeof(url), "%s/api/v0/add", api);
    struct http_call call = {.url = url, .parts = part, .n_parts = 1, .timeout_ms = 120000};
    rc r = http_call(h, &ans, &call, &e);
    if (!rc_ok(r) || ans.status != 200) {
        (void)fprintf(stderr, "add: %d %s\n", ans.status, e.msg);
        abort();
    }
}

static void *adder(void *arg)
{
    struct http_client *h;
    struct err e = {0};
    char text[1024];
    (void)arg;
    CHECK(rc_ok(http_client_open(&h, &e)));
    for (;;) {
        uint64_t i = atomic_fetch_add(&next, 1);
        if (i >= total) {
            break;
        }
        memset(text, (int)('a' + i % 26), sizeof(text));
        (void)snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)i,
                       (unsigned long long)clock_mono_us());
        struct http_part part = {.name = "file", .filename = "f", .data = {(uint8_t *)text, 1024}};
        add(h, &part);
    }
    http_client_close(h);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t t[256];
    struct err e = {0};
    struct http_client *h;
    if (argc == 5 && strcmp(argv[1], "small") == 0) {
        size_t n = strtoull(argv[4], NULL, 10);
        api = argv[2];
        total = strtoull(argv[3], NULL, 10);
        CHECK(n > 0 && n <= ARRAY_LEN(t) && rc_ok(http_client_open(&h, &e)));
        uint64_t began = clock_mono_us();
        for (size_t i = 0; i < n; i++) {
            CHECK(pthread_create(&t[i], NULL, adder, NULL) == 0);
        }
        for (size_t i = 0; i < n; i++) {
            CHECK(pthread_join(t[i], NULL) == 0);
        }
        (void)printf("{\"add_small_per_s\":%llu}\n",
                     (unsigned long long)(total * 1000000 / (clock_mono_us() - began)));
        http_client_close(h);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "large") == 0) {
        uint64_t size;
        api = argv[2];
        CHECK(rc_ok(file_size(&size, argv[3], &e)) && rc_ok(http_client_open(&h, &e)));
        struct http_part part = {.name = "file", .filename = "f", .path = argv[3]};
        uint64_t began = clock_mono_us();
        add(h, &part);
        (void)printf("{\"add_mb_per_s\":%llu}\n",
                     (unsigned long long)(size / (clock_mono_us() - began)));
        http_client_close(h);
        return 0;
    }
    (void)fprintf(stderr, "usage: see bench/load_store.c\n");
    return 2;
}
