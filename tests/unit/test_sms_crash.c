/* SPDX-License-Identifier: Apache-2.0 */
/* test_sms_crash.c - the secret manager is killed in the middle of many pushes, three times: every
 * secret that was acknowledged is there afterwards. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/secp.h"
#include "daemon/client/client.h"
#include "daemon/sms/sms.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "tests/test.h"

enum { PUSHERS = 8, ROUNDS = 3 };

static char dir[] = "/tmp/souk-crash-XXXXXX", state[64], key[64], url[96];
static atomic_bool dead;
static atomic_uint acked;

static struct pusher {
    struct signer s;
    unsigned n; /* names 0..n-1 were acknowledged */
    pthread_t thread;
    char why[240]; /* why it stopped */
} pushers[PUSHERS];

/* The service in a child; its URL comes through the pipe. */
static pid_t start(void)
{
    int pipe_fd[2];
    CHECK(pipe(pipe_fd) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct loop *l;
        struct sms *s;
        struct err e = {0};
        struct attest_policy p;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        attest_policy_default(&p);
        struct sms_config cfg = {.dir = state,
                                 .key_file = key,
                                 .listen = "127.0.0.1:0",
                                 .node = "http://127.0.0.1:1",
                                 .policy = &p};
        if (!rc_ok(loop_open(&l, &e)) || !rc_ok(sms_open(&s, l, &cfg, &e))) {
            (void)fprintf(stderr, "%s\n", e.msg);
            _exit(1);
        }
        const char *u = sms_url(s);
        CHECK(write(pipe_fd[1], u, strlen(u)) == (ssize_t)strlen(u));
        (void)close(pipe_fd[1]);
        (void)loop_run(l, &e);
        _exit(0);
    }
    (void)close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], url, sizeof(url) - 1);
    CHECK(n > 0);
    url[n] = '\0';
    (void)close(pipe_fd[0]);
    return pid;
}

static void *push(void *arg)
{
    struct pusher *p = arg;
    struct http_client *h;
    struct err e;
    char name[32];
    SECRET_FREE value = {0};
    CHECK(rc_ok(http_client_open(&h, &e)) && rc_ok(secret_copy(&value, BYTES_LIT("a secret"))));
    while (!dead) {
        (void)snprintf(name, sizeof(name), "n%u", p->n);
        rc r = sms_push_requester_secret(h, url, &p->s, name, &value, &e);
        /* A push whose answer was lost may have been stored: then the name is taken. */
        if (!rc_ok(r) && strstr(e.msg, "already") == NULL) {
            if (!dead) {
                (void)snprintf(p->why, sizeof(p->why), "%s", e.msg);
            }
            break;
        }
        p->n++;
        atomic_fetch_add(&acked, 1);
    }
    http_client_close(h);
    return NULL;
}

static void check_all(void)
{
    struct http_client *h;
    HTTP_ANSWER ans = {0};
    struct err e;
    char at[256], who[HEX_ADDRESS_MAX];
    CHECK(rc_ok(http_client_open(&h, &e)));
    for (size_t i = 0; i < PUSHERS; i++) {
        for (unsigned k = 0; k < pushers[i].n; k++) {
            (void)snprintf(at, sizeof(at), "%s/requesters/%s/secrets/n%u", url,
                           hex_address(who, pushers[i].s.address), k);
            struct http_call c = {.method = "HEAD", .url = at};
            CHECK(rc_ok(http_call(h, &ans, &c, &e)));
            if (ans.status != 204) {
                (void)fprintf(stderr, "%s was acknowledged and is lost\n", at);
                CHECK(false);
            }
        }
    }
    http_client_close(h);
}

int main(void)
{
    struct err e = {0};
    int status;
    log_set_level(LOG_ERROR);
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(state, sizeof(state), "%s/s", dir);
    (void)snprintf(key, sizeof(key), "%s/k", dir);
    for (size_t i = 0; i < PUSHERS; i++) {
        CHECK(rc_ok(secp_key_new(&pushers[i].s.key)));
        CHECK(rc_ok(secp_address(&pushers[i].s.address, &pushers[i].s.key)));
    }
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pid = start();
        dead = false;
        unsigned before = acked;
        for (size_t i = 0; i < PUSHERS; i++) {
            CHECK(pthread_create(&pushers[i].thread, NULL, push, &pushers[i]) == 0);
        }
        for (int i = 0; i < 1000 && acked < before + 100; i++) {
            clock_sleep_ms(10);
        }
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
        dead = true;
        for (size_t i = 0; i < PUSHERS; i++) {
            CHECK(pthread_join(pushers[i].thread, NULL) == 0);
        }
        if (acked == before) {
            (void)fprintf(stderr, "nothing was stored: %s\n", pushers[0].why);
            CHECK(false);
        }
        uint64_t started = clock_mono_ms();
        pid = start();
        CHECK(clock_mono_ms() - started < 5000);
        check_all();
        CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
    }
    for (size_t i = 0; i < PUSHERS; i++) {
        signer_free(&pushers[i].s);
    }
    CHECK(rc_ok(dir_remove(dir, &e)));
    return 0;
}
