/* SPDX-License-Identifier: Apache-2.0 */
/* bench/sms [URL [SECONDS [CONNECTIONS]]] - secrets pushed a second into a running secret manager,
 * each signed by another requester, acknowledged when it is on disk. Without URL: starts one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "daemon/client/client.h"
#include "daemon/sms/sms.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "tests/test.h"

static const char *base;
static uint64_t end_ms;
static atomic_ulong done;

static void *pusher(void *arg)
{
    struct http_client *h;
    struct signer s = {.lock = NULL};
    SECRET_FREE value = {0};
    struct err e;
    char name[64];
    (void)arg;
    CHECK(rc_ok(http_client_open(&h, &e)));
    CHECK(rc_ok(secp_key_new(&s.key)) && rc_ok(secp_address(&s.address, &s.key)));
    CHECK(rc_ok(secret_copy(&value, BYTES_LIT("VGhlIG1vZGVsJ3MgMzItYnl0ZSBzZWNyZXQga2V5ISE="))));
    for (int i = 0; clock_mono_ms() < end_ms; i++) {
        (void)snprintf(name, sizeof(name), "key-%d", i);
        if (!rc_ok(sms_push_requester_secret(h, base, &s, name, &value, &e))) {
            (void)fprintf(stderr, "%s\n", e.msg);
            abort();
        }
        atomic_fetch_add(&done, 1);
    }
    http_client_close(h);
    signer_free(&s);
    return NULL;
}

static void *serve(void *l)
{
    CHECK(rc_ok(loop_run(l, NULL)));
    return NULL;
}

static void stop(void *l)
{
    loop_stop(l);
}

int main(int argc, char **argv)
{
    struct loop *l = NULL;
    struct sms *sms = NULL;
    struct attest_policy p;
    pthread_t server, t[256];
    struct err e = {0};
    char dir[] = "/tmp/souk-bench-XXXXXX", state[64], key[64];
    uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 3;
    size_t n = argc > 3 ? strtoull(argv[3], NULL, 10) : 64;
    log_set_level(LOG_WARN);
    if (argc > 1 && argv[1][0] != '-') {
        base = argv[1];
    } else {
        CHECK(mkdtemp(dir) != NULL);
        (void)snprintf(state, sizeof(state), "%s/s", dir);
        (void)snprintf(key, sizeof(key), "%s/k", dir);
        attest_policy_default(&p);
        struct sms_config cfg = {.dir = state,
                                 .key_file = key,
                                 .listen = "127.0.0.1:0",
                                 .node = "http://127.0.0.1:1",
                                 .policy = &p};
        CHECK(rc_ok(loop_open(&l, &e)) && rc_ok(sms_open(&sms, l, &cfg, &e)));
        CHECK(pthread_create(&server, NULL, serve, l) == 0);
        base = sms_url(sms);
    }
    n = MIN(n, ARRAY_LEN(t));
    uint64_t start = clock_mono_ms();
    end_ms = start + seconds * 1000;
    for (size_t i = 0; i < n; i++) {
        CHECK(pthread_create(&t[i], NULL, pusher, NULL) == 0);
    }
    for (size_t i = 0; i < n; i++) {
        CHECK(pthread_join(t[i], NULL) == 0);
    }
    uint64_t ms = clock_mono_ms() - start;
    (void)printf("{\"sms_push_per_s\":%lu,\"connections\":%zu}\n",
                 (unsigned long)(done * 1000 / MAX(ms, (uint64_t)1)), n);
    if (sms != NULL) {
        static struct loop_msg m;
        loop_post(l, &m, stop, l);
        CHECK(pthread_join(server, NULL) == 0);
        sms_close(sms);
        loop_close(l);
        CHECK(rc_ok(dir_remove(dir, &e)));
    }
    return 0;
}
