/* SPDX-License-Identifier: Apache-2.0 */
/* bench/ledger.c - settled tasks through the ledger alone, without HTTP: single deals (four signed
 * orders, five transactions), signed beforehand, taken in by hundreds, sealed and synced. Prints
 * tasks per second, where the time goes, and bytes of disk per task.
 *     build/release/bench/ledger [tasks] [transactions a block] [folder] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "chain/ledger/ledger.h"
#include "iface/iface.h"
#include "iface/order.h"
#include "io/clock.h"
#include "io/file.h"
#include "tests/test.h"

enum { CHAIN = 7685, GAS = 5000000, REQUESTER = 0, POOL = 1, WORKER = 2, KEYS = 3, BATCH = 100 };

static struct secret key[KEYS];
static struct address who[KEYS];
static uint64_t nonce[KEYS];
static struct ledger *l;
static struct address hub, app, dataset, pool;
static struct hash domain;
static struct arena mem;

struct made {
    struct bytes *raw;
    size_t n, alloc;
};

static struct made txs;

static struct abi_out begin(struct buf *b, enum method id, size_t words)
{
    *b = buf_new(1 << 16);
    put_be(b, iface_method(id)->selector, 4);
    return abi_begin(b, words);
}

static struct bytes signed_tx(size_t k, struct address to, struct buf *data)
{
    BUF_FREE raw = buf_new(1 << 17);
    struct eth_tx t = {.type = 2,
                       .has_to = true,
                       .chain_id = CHAIN,
                       .nonce = nonce[k]++,
                       .gas = GAS,
                       .to = to,
                       .data = buf_bytes(data)};
    CHECK(rc_ok(eth_tx_sign(&raw, &t, &key[k])));
    uint8_t *p = arena_alloc(&mem, raw.n);
    CHECK(p != NULL);
    memcpy(p, raw.p, raw.n);
    buf_free(data);
    return (struct bytes){p, raw.n};
}

static void add(size_t k, struct buf *data)
{
    if (txs.n == txs.alloc) {
        txs.alloc = txs.alloc == 0 ? 1024 : 2 * txs.alloc;
        txs.raw = realloc(txs.raw, txs.alloc * sizeof(*txs.raw));
        CHECK(txs.raw != NULL);
    }
    txs.raw[txs.n++] = signed_tx(k, hub, data);
}

/* Sends a call, and says what address it made. */
static struct address create(enum method id, struct address registry, struct buf *data)
{
    struct call_msg m = {
        .from = who[0], .to = registry, .has_to = true, .data = buf_bytes(data), .gas = GAS};
    enum call_outcome how;
    struct bytes ret;
    uint64_t used;
    struct hash h;
    bool sealed;
    struct err e = {0};
    struct address a;
    (void)id;
    CHECK(rc_ok(ledger_call(l, &mem, ledger_height(l), &m, &how, &ret, &used, &e)));
    CHECK(how == CALL_OK && ret.n == 32);
    memcpy(a.b, ret.p + 12, 20);
    CHECK(rc_ok(ledger_send(l, signed_tx(0, registry, data), &h, &e)));
    CHECK(rc_ok(ledger_seal(l, clock_wall_s(), false, &sealed, &e)) && sealed);
    return a;
}

static struct address view_address(enum method id)
{
    struct buf data;
    (void)begin(&data, id, 0);
    struct call_msg m = {
        .from = who[0], .to = hub, .has_to = true, .data = buf_bytes(&data), .gas = GAS};
    enum call_outcome how;
    struct bytes ret;
    uint64_t used;
    struct address a;
    CHECK(rc_ok(ledger_call(l, &mem, ledger_height(l), &m, &how, &ret, &used, NULL)));
    CHECK(how == CALL_OK && ret.n == 32);
    memcpy(a.b, ret.p + 12, 20);
    buf_free(&data);
    return a;
}

static void publish(void)
{
    struct buf b;
    struct abi_out o = begin(&b, METHOD_appRegistry_createApp, 6);
    abi_put_address(&o, who[REQUESTER]);
    abi_put_bytes(&o, BYTES_LIT("app"));
    abi_put_bytes(&o, BYTES_LIT("DOCKER"));
    abi_put_bytes(&o, BYTES_LIT("multiaddr"));
    abi_put_hash(&o, (struct hash){{7}});
    abi_put_bytes(&o, BYTES_LIT(""));
    app = create(METHOD_appRegistry_createApp, view_address(METHOD_hub_appregistry), &b);
    o = begin(&b, METHOD_datasetRegistry_createDataset, 4);
    abi_put_address(&o, who[REQUESTER]);
    abi_put_bytes(&o, BYTES_LIT("model"));
    abi_put_bytes(&o, BYTES_LIT("multiaddr"));
    abi_put_hash(&o, (struct hash){{8}});
    dataset =
        create(METHOD_datasetRegistry_createDataset, view_address(METHOD_hub_datasetregistry), &b);
    o = begin(&b, METHOD_workerpoolRegistry_createWorkerpool, 2);
    abi_put_address(&o, who[POOL]);
    abi_put_bytes(&o, BYTES_LIT("pool"));
    pool = create(METHOD_workerpoolRegistry_createWorkerpool,
                  view_address(METHOD_hub_workerpoolregistry), &b);
}

static struct bytes sign65(size_t k, struct hash digest)
{
    uint8_t *p = arena_alloc(&mem, 65);
    CHECK(p != NULL && rc_ok(secp_sign65(p, &key[k], digest)));
    return (struct bytes){p, 65};
}

static struct hash salt(uint64_t i, uint8_t kind)
{
    struct hash h = {{kind}};
    memcpy(h.b + 8, &i, sizeof(i));
    return h;
}

/* Four orders of their own, and what happens with them until all are paid. */
static void make_task(uint64_t i)
{
    struct buf b;
    struct orders s = {
        .app = {.app = app, .appprice = u256_from(3), .volume = u256_from(1), .salt = salt(i, 1)},
        .dataset = {.dataset = dataset,
                    .datasetprice = u256_from(5),
                    .volume = u256_from(1),
                    .salt = salt(i, 2)},
        .workerpool = {.workerpool = pool,
                       .workerpoolprice = u256_from(100),
                       .volume = u256_from(1),
                       .trust = u256_from(1),
                       .category = u256_from(4),
                       .salt = salt(i, 3)},
        .request = {.app = app,
                    .appmaxprice = u256_from(3),
                    .dataset = dataset,
                    .datasetmaxprice = u256_from(5),
                    .workerpool = pool,
                    .workerpoolmaxprice = u256_from(100),
                    .requester = who[REQUESTER],
                    .volume = u256_from(1),
                    .trust = u256_from(1),
                    .category = u256_from(4),
                    .beneficiary = who[REQUESTER],
                    .params = BYTES_LIT("{\"iexec_args\":\"x\"}"),
                    .salt = salt(i, 4)}};
    s.app.sign = sign65(REQUESTER, app_order_hash(domain, &s.app));
    s.dataset.sign = sign65(REQUESTER, dataset_order_hash(domain, &s.dataset));
    s.workerpool.sign = sign65(POOL, workerpool_order_hash(domain, &s.workerpool));
    s.request.sign = sign65(REQUESTER, request_order_hash(domain, &s.request));
    struct hash deal = order_deal_id(request_order_hash(domain, &s.request), u256_from(0));
    struct hash task = order_task_id(deal, u256_from(0)), digest = {{1, 2, 3}};
    struct abi_out o = begin(&b, METHOD_hub_matchOrders, 4);
    put_app_order(&o, &s.app);
    put_dataset_order(&o, &s.dataset);
    put_workerpool_order(&o, &s.workerpool);
    put_request_order(&o, &s.request);
    add(REQUESTER, &b);
    o = begin(&b, METHOD_hub_initialize, 2);
    abi_put_hash(&o, deal);
    abi_put_u64(&o, 0);
    add(POOL, &b);
    o = begin(&b, METHOD_hub_contribute, 6);
    abi_put_hash(&o, task);
    abi_put_hash(&o, task_result_hash(task, digest));
    abi_put_hash(&o, task_result_seal(who[WORKER], task, digest));
    abi_put_address(&o, (struct address){0});
    abi_put_bytes(&o, (struct bytes){0});
    abi_put_bytes(&o,
                  sign65(POOL, task_authorization_digest(who[WORKER], task, (struct address){0})));
    add(WORKER, &b);
    o = begin(&b, METHOD_hub_reveal, 2);
    abi_put_hash(&o, task);
    abi_put_hash(&o, digest);
    add(WORKER, &b);
    o = begin(&b, METHOD_hub_finalize, 3);
    abi_put_hash(&o, task);
    abi_put_bytes(&o, BYTES_LIT("/ipfs/QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"));
    abi_put_bytes(&o, (struct bytes){0});
    add(POOL, &b);
}

static void open_chain(const char *dir)
{
    BUF_FREE json = buf_new(1 << 16);
    struct err e = {0};
    put_fmt(&json, "{\"chainId\": %d, \"accounts\": [", CHAIN);
    for (size_t k = 0; k < KEYS; k++) {
        CHECK(rc_ok(secret_new(&key[k], 32)));
        memset(key[k].p, (int)k + 1, 32);
        CHECK(rc_ok(secp_address(&who[k], &key[k])));
        put_fmt(&json, "%s{\"stake\": \"100000000000\", \"address\": \"0x", k > 0 ? "," : "");
        for (size_t i = 0; i < 20; i++) {
            put_fmt(&json, "%02x", who[k].b[i]);
        }
        put_str(&json, "\"}");
    }
    put_str(&json, "]}");
    struct ledger_config cfg = {.dir = dir, .genesis = buf_bytes(&json), .history = 1024};
    rc r = ledger_open(&l, &cfg, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    hub = ledger_hub(l);
    domain = order_domain(u256_from(CHAIN), hub);
}

/* Processor time of this thread, whatever else the machine does. */
static uint64_t cpu_us(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Recoveries a second of one thread, by the same library. */
static double recoveries(void)
{
    uint64_t from = clock_mono_us();
    struct address a;
    for (size_t i = 0; i < 2000; i++) {
        struct hash h = salt(i, 9);
        CHECK(rc_ok(secp_recover65(&a, h, sign65(0, h))));
    }
    uint64_t both = clock_mono_us() - from;
    from = clock_mono_us();
    for (size_t i = 0; i < 2000; i++) {
        (void)sign65(0, salt(i, 9));
    }
    return 2000e6 / (double)(both - (clock_mono_us() - from));
}

static uint64_t disk_bytes(const char *dir)
{
    char path[FILE_PATH_MAX];
    struct stat st;
    CHECK(rc_ok(path_join(path, dir, "data.mdb", NULL)) && stat(path, &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

int main(int argc, char **argv)
{
    uint64_t tasks = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000;
    size_t per_block = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    char dir[] = "/tmp/souk-bench-ledger-XXXXXX";
    const char *at = argc > 3 ? argv[3] : mkdtemp(dir);
    arena_init(&mem, (size_t)16 << 30);
    open_chain(at);
    publish();
    for (uint64_t i = 0; i < tasks; i++) {
        make_task(i);
    }
    uint64_t before = disk_bytes(at), sending = 0, sealing = 0, cpu = 0, blocks = 0, failed = 0;
    uint64_t start = clock_mono_us();
    for (size_t i = 0; i < txs.n;) {
        static struct hash h[BATCH];
        static rc r[BATCH];
        static struct err errs[BATCH];
        uint64_t t = clock_mono_us();
        for (size_t end = MIN(txs.n, i + per_block); i < end;) {
            size_t n = MIN((size_t)BATCH, end - i);
            ledger_send_many(l, txs.raw + i, n, h, r, errs);
            for (size_t k = 0; k < n; k++) {
                if (!rc_ok(r[k])) {
                    (void)fprintf(stderr, "%s\n", errs[k].msg);
                }
                CHECK(rc_ok(r[k]));
            }
            i += n;
        }
        sending += clock_mono_us() - t;
        t = clock_mono_us();
        uint64_t c = cpu_us();
        bool sealed = true;
        struct err e = {0};
        CHECK(rc_ok(ledger_seal(l, clock_wall_s(), false, &sealed, &e)) && sealed);
        sealing += clock_mono_us() - t;
        cpu += cpu_us() - c;
        blocks++;
    }
    double s = (double)(clock_mono_us() - start) / 1e6;
    for (uint64_t b = ledger_height(l), left = blocks; left > 0; b--, left--) {
        struct block k;
        CHECK(rc_ok(ledger_block(l, &mem, b, &k)));
        for (uint64_t i = 0; i < k.tx_n; i++) {
            struct receipt r;
            struct arena a;
            arena_init(&a, 1 << 20);
            CHECK(rc_ok(ledger_receipt_at(l, &a, b, i, &r)));
            failed += !r.ok;
            arena_reset(&a);
        }
    }
    double limit = recoveries() * (double)sysconf(_SC_NPROCESSORS_ONLN) / 10;
    (void)printf("%" PRIu64 " tasks, %" PRIu64
                 " blocks: %.0f tasks/s (%.1f us each: sending %.1f, sealing "
                 "%.1f, %.1f of this thread's processor); limit by 10 signatures %.0f, %.0f %%; "
                 "%.0f bytes of disk per task; %" PRIu64 " failed\n",
                 tasks, blocks, (double)tasks / s, s * 1e6 / (double)tasks,
                 (double)sending / (double)tasks, (double)sealing / (double)tasks,
                 (double)cpu / (double)tasks, limit, 100 * (double)tasks / s / limit,
                 (double)(disk_bytes(at) - before) / (double)tasks, failed);
    ledger_close(l);
    if (argc <= 3) {
        CHECK(rc_ok(dir_remove(at, NULL)));
    }
    return failed != 0;
}
