/* SPDX-License-Identifier: Apache-2.0 */
/* bench/book - the order book under load; bench/services.py runs it beside real processes.
 *
 *   book fill DIR ORDERS CHAINID HUB      writes a book of open orders into the folder of a market
 *   book ask URL CHAINID SECONDS          asks listings over one connection: p50, p99 in µs
 *   book publish URL RPC SECONDS SIGNERS  each signer owns an app (made first, by an account of the
 *                                         development node) and publishes orders for it */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "daemon/market/market_int.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"
#include "tests/test.h"

enum {
    APPS = 5000,
    DATASETS = 5000,
    POOLS = 500,
    SIGNERS = 20000,
    CATEGORIES = 5,
    SAMPLES = 200000
};

static struct address address_of(const char *what, uint64_t i)
{
    BUF_FREE b = buf_new(64);
    struct address a;
    put_fmt(&b, "%s %llu", what, (unsigned long long)i);
    struct hash h = keccak256(buf_bytes(&b));
    memcpy(a.b, h.b, sizeof(a.b));
    return a;
}

static uint64_t seed = 88172645463325252ULL;

static uint64_t any(uint64_t n) /* xorshift: the same book each time */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static const char body[] =
    "{\"app\":\"0x0000000000000000000000000000000000000001\",\"appprice\":5,\"volume\":10,"
    "\"tag\":\"0x0000000000000000000000000000000000000000000000000000000000000000\","
    "\"datasetrestrict\":\"0x0000000000000000000000000000000000000000\","
    "\"workerpoolrestrict\":\"0x0000000000000000000000000000000000000000\","
    "\"requesterrestrict\":\"0x0000000000000000000000000000000000000000\","
    "\"salt\":\"0x0000000000000000000000000000000000000000000000000000000000000000\",\"sign\":"
    "\"0x000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0"
    "0000000000000000000000000000000000000001b\"}";

static void fill_one(struct market *m, uint64_t i)
{
    struct err e = {0};
    struct order_row o = {
        .kind = (enum order_kind)(i % KINDS),
        .hash = keccak256(BYTES_OF(i)),
        .signer = address_of("signer", any(SIGNERS)),
        .price = any(1000),
        .volume = 1 + any(1000),
        .published_ms = 1700000000000 + i,
        .body = body,
    };
    o.remaining = o.volume;
    bool restricted = any(10) == 0;
    if (o.kind == ORDER_APP || o.kind == ORDER_REQUEST) {
        o.app = address_of("app", any(APPS));
    }
    if (o.kind == ORDER_DATASET) {
        o.dataset = address_of("dataset", any(DATASETS));
    }
    if (o.kind == ORDER_WORKERPOOL) {
        o.workerpool = address_of("pool", any(POOLS));
    }
    if (o.kind == ORDER_WORKERPOOL || o.kind == ORDER_REQUEST) {
        o.category = any(CATEGORIES);
        o.trust = any(5);
    }
    if (o.kind == ORDER_REQUEST) {
        o.requester = o.signer;
    } else if (restricted) {
        o.requester = address_of("signer", any(SIGNERS));
    }
    o.tag.b[31] = any(3) == 0 ? 9 : 0;
    CHECK(rc_ok(order_put(m, &o, &e)));
}

static int fill(char **v)
{
    static struct market m;
    struct err e = {0};
    m.cfg.dir = v[0];
    uint64_t n = strtoull(v[1], NULL, 10);
    CHECK(rc_ok(dir_make(v[0], 0700, &e)) && rc_ok(book_open(&m, &e)));
    BUF_FREE chain = buf_new(64);
    struct address hub;
    CHECK(rc_ok(hex_parse_address(&hub, v[3])));
    put_be(&chain, strtoull(v[2], NULL, 10), 8);
    put_bytes(&chain, BYTES_OF(hub));
    CHECK(rc_ok(db_exec(m.db,
                        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                        "PRAGMA cache_size=-2000000",
                        &e)));
    for (uint64_t i = 0; i < n; i++) {
        if (i % 10000 == 0) {
            CHECK(i == 0 || rc_ok(db_commit(m.db, &e)));
            CHECK(rc_ok(db_begin(m.db, &e)));
        }
        fill_one(&m, i);
    }
    stmt_bind_text(m.state_put, 1, "chain");
    stmt_bind_bytes(m.state_put, 2, buf_bytes(&chain));
    CHECK(rc_ok(stmt_run(m.state_put, &e)) && rc_ok(db_commit(m.db, &e)));
    query_close(&m);
    db_close(m.db);
    return 0;
}

/* One of the questions that clients ask, each about another thing. */
static void question(struct buf *b, const char *url, const char *chain)
{
    char a[HEX_ADDRESS_MAX];
    buf_reset(b);
    put_str(b, url);
    switch (any(8)) {
    case 0:
        put_fmt(b, "/apporders?app=%s&minVolume=5", hex_address(a, address_of("app", any(APPS))));
        break;
    case 1:
        put_fmt(b, "/apporders?app=any&requester=%s",
                hex_address(a, address_of("signer", any(SIGNERS))));
        break;
    case 2:
        put_fmt(b, "/datasetorders?dataset=%s&app=any&requester=any",
                hex_address(a, address_of("dataset", any(DATASETS))));
        break;
    case 3:
        put_fmt(b, "/workerpoolorders?category=%llu", (unsigned long long)any(CATEGORIES));
        break;
    case 4:
        put_fmt(b, "/workerpoolorders?category=%llu&pageIndex=%llu&requester=any",
                (unsigned long long)any(CATEGORIES), (unsigned long long)any(20));
        break;
    case 5:
        put_fmt(b, "/workerpoolorders?workerpool=%s&minTrust=2",
                hex_address(a, address_of("pool", any(POOLS))));
        break;
    case 6:
        put_fmt(b, "/requestorders?category=%llu&workerpool=any",
                (unsigned long long)any(CATEGORIES));
        break;
    default:
        put_fmt(b, "/requestorders?requester=%s&workerpool=any",
                hex_address(a, address_of("signer", any(SIGNERS))));
    }
    put_fmt(b, "&chainId=%s", chain);
}

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x;
    uint64_t b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

static int ask(char **v)
{
    static uint64_t took[SAMPLES];
    struct http_client *h;
    struct err e = {0};
    size_t n = 0;
    CHECK(rc_ok(http_client_open(&h, &e)));
    uint64_t end = clock_mono_ms() + strtoull(v[2], NULL, 10) * 1000;
    BUF_FREE url = buf_new(1024);
    while (n < SAMPLES && clock_mono_ms() < end) {
        HTTP_ANSWER ans = {0};
        question(&url, v[0], v[1]);
        struct http_call req = {.method = "GET", .url = buf_cstr(&url), .timeout_ms = 30000};
        uint64_t t = clock_mono_us();
        rc r = http_call(h, &ans, &req, &e);
        took[n] = clock_mono_us() - t;
        CHECK(rc_ok(r) && ans.status == 200);
        if (getenv("BOOK_SLOW") != NULL && took[n] > 5000) {
            (void)fprintf(stderr, "%llu %s\n", (unsigned long long)took[n], buf_cstr(&url));
        }
        n++;
    }
    http_client_close(h);
    qsort(took, n, sizeof(took[0]), by_value);
    (void)printf("{\"queries\":%zu,\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu}\n", n,
                 (unsigned long long)took[n / 2], (unsigned long long)took[n * 99 / 100],
                 (unsigned long long)took[n - 1]);
    return 0;
}

/* --- publishing --- */

/* Account 0 of development nodes: its key is printed in every manual. */
static const char dev_key[] = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

struct publisher {
    struct signer signer;
    struct address app;
    const char *url, *rpc;
    struct hash domain;
    uint64_t end_ms;
    atomic_ulong *done;
    pthread_t thread;
};

static void *publisher(void *arg)
{
    struct publisher *p = arg;
    struct client *c;
    struct err e = {0};
    struct client_config cfg = {.url = p->rpc};
    CHECK(rc_ok(client_open(&c, &cfg, &e)));
    for (uint64_t i = 0; clock_mono_ms() < p->end_ms; i++) {
        uint8_t sign[65];
        struct app_order o = {.app = p->app, .appprice = u256_from(i), .volume = u256_from(10)};
        o.salt = keccak256(BYTES_OF(i));
        CHECK(rc_ok(sign_digest(sign, &p->signer, app_order_hash(p->domain, &o))));
        o.sign = (struct bytes){sign, sizeof(sign)};
        JSON_FREE *j = json_app_order(&o);
        if (!rc_ok(market_publish(c, NULL, p->url, &p->signer, ORDER_APP, j, &e))) {
            (void)fprintf(stderr, "%s\n", e.msg);
            abort();
        }
        atomic_fetch_add(p->done, 1);
    }
    client_close(c);
    return NULL;
}

static void make_app(struct client *c, const struct signer *payer, struct publisher *p)
{
    struct err e = {0};
    struct address registry;
    struct arena a;
    struct client_receipt r;
    BUF_FREE data = buf_new(4096);
    CHECK(rc_ok(client_hub_address(c, &registry, METHOD_hub_appregistry, &e)));
    CHECK(rc_ok(secp_key_new(&p->signer.key)));
    CHECK(rc_ok(secp_address(&p->signer.address, &p->signer.key)));
    struct abi_out out = call_begin(&data, METHOD_appRegistry_createApp, 6);
    abi_put_address(&out, p->signer.address);
    abi_put_bytes(&out, BYTES_LIT("bench"));
    abi_put_bytes(&out, BYTES_LIT("DOCKER"));
    abi_put_bytes(&out, BYTES_LIT("x"));
    abi_put_hash(&out, keccak256(BYTES_OF(p->signer.address)));
    abi_put_bytes(&out, (struct bytes){0});
    struct client_tx tx = {.to = registry, .data = buf_bytes(&data)};
    arena_init(&a, 1 << 20);
    CHECK(rc_ok(client_transact(c, &r, &a, payer, &tx, 20000, &e)));
    for (size_t i = 0; i < r.n_logs; i++) {
        if (address_eq(r.logs[i].address, registry) && r.logs[i].n_topics == 4) {
            memcpy(p->app.b, r.logs[i].topics[3].b + 12, sizeof(p->app.b));
        }
    }
    arena_reset(&a);
    CHECK(!address_is_zero(p->app));
}

static int publish(char **v)
{
    struct client *c;
    struct err e = {0};
    struct signer payer = {0};
    struct client_config cfg = {.url = v[1]};
    uint64_t ms = strtoull(v[2], NULL, 10) * 1000;
    size_t n = strtoull(v[3], NULL, 10);
    struct publisher *all = calloc(n, sizeof(*all));
    atomic_ulong done = 0;
    uint8_t key[32];
    CHECK(all != NULL && n > 0 && rc_ok(client_open(&c, &cfg, &e)));
    CHECK(rc_ok(hex_decode_exact(key, sizeof(key), bytes_str(dev_key))));
    CHECK(rc_ok(secret_copy(&payer.key, (struct bytes){key, sizeof(key)})));
    CHECK(rc_ok(secp_address(&payer.address, &payer.key)));
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct publisher){.url = v[0], .rpc = v[1], .done = &done};
        CHECK(rc_ok(client_domain(c, &all[i].domain, &e)));
        make_app(c, &payer, &all[i]);
    }
    uint64_t t = clock_mono_us();
    for (size_t i = 0; i < n; i++) {
        all[i].end_ms = t / 1000 + ms;
        CHECK(pthread_create(&all[i].thread, NULL, publisher, &all[i]) == 0);
    }
    for (size_t i = 0; i < n; i++) {
        CHECK(pthread_join(all[i].thread, NULL) == 0);
        signer_free(&all[i].signer);
    }
    (void)printf("{\"publish_per_s\":%llu}\n",
                 (unsigned long long)(done * 1000000 / (clock_mono_us() - t)));
    signer_free(&payer);
    client_close(c);
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "fill") == 0) {
        return fill(argv + 2);
    }
    if (argc == 5 && strcmp(argv[1], "ask") == 0) {
        return ask(argv + 2);
    }
    if (argc == 6 && strcmp(argv[1], "publish") == 0) {
        return publish(argv + 2);
    }
    (void)fprintf(stderr, "usage: see bench/book.c\n");
    return 2;
}
