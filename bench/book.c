/* SPDX-License-Identifier: Apache-2.0 */
/* bench/book - the order book under load; bench/services.py runs it beside real processes.
 *
 *   book fill DIR ORDERS CHAINID HUB      writes a book of open orders into the folder of a market
 *   book ask URL CHAINID SECONDS          asks listings over one connection: p50, p99 in µs
 *   book publish URL RPC HUB KEY SECONDS SIGNERS   each signer owns an app and publishes its orders */
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
    CHECK(rc_ok(db_exec(m.db, "PRAGMA synchronous=OFF", &e)));
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
        put_fmt(b, "/apporders?app=%s", hex_address(a, address_of("app", any(APPS))));
        break;
    case 1:
        put_fmt(b, "/apporders?app=%s&requester=%s&minVolume=5", "any",
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

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "fill") == 0) {
        return fill(argv + 2);
    }
    if (argc == 5 && strcmp(argv[1], "ask") == 0) {
        return ask(argv + 2);
    }
    (void)fprintf(stderr, "usage: see bench/book.c\n");
    return 2;
}
