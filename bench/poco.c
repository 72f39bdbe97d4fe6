/* SPDX-License-Identifier: Apache-2.0 */
/* Calls per second of the market's rules: in memory, over an empty LMDB, and over one that holds
 * 1,000,000 tasks, 100,000 deals and 100,000 accounts: make bench-poco [ARGS=--json]. Signatures are answered by a hook, as a ledger answers those that
 * its threads have recovered. Only poco_apply() is timed; writing to the database is not. */
#include <lmdb.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/poco_fixture.h"

enum { BLOCK = 1000, CALLS = 20000, DEALS = 100000, TASKS_PER_DEAL = 10, WORKERS = 100 };

enum { DO_MATCH, DO_INITIALIZE, DO_CONTRIBUTE, DO_REVEAL, DO_FINALIZE, DO_VIEW, KINDS };

static const char *const names[KINDS] = {"matchOrders", "initialize", "contribute",
                                         "reveal",      "finalize",   "viewTask"};

struct bench {
    struct market m;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
    uint64_t salt;
    struct hash deal[CALLS], task[CALLS];
    double seconds[KINDS];
    uint64_t calls[KINDS];
};

/* Time of this thread on its core: others may use the machine. */
static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static rc read_db(void *ctx, struct bytes key, struct bytes *value)
{
    struct bench *b = ctx;
    uint8_t copy[STATE_KEY_MAX];
    memcpy(copy, key.p, key.n);
    MDB_val k = {key.n, copy}, v;
    if (mdb_get(b->txn, b->dbi, &k, &v) != 0) {
        return RC(NOT_FOUND);
    }
    *value = (struct bytes){v.mv_data, v.mv_size};
    return RC_OK;
}

static rc write_db(void *ctx, struct bytes key, struct bytes value, struct bytes before)
{
    struct bench *b = ctx;
    uint8_t copy[STATE_KEY_MAX];
    (void)before;
    memcpy(copy, key.p, key.n);
    MDB_val k = {key.n, copy}, v = {value.n, NULL};
    if (value.p == NULL) {
        CHECK(mdb_del(b->txn, b->dbi, &k, NULL) == 0);
        return RC_OK;
    }
    CHECK(mdb_put(b->txn, b->dbi, &k, &v, MDB_RESERVE) == 0);
    memcpy(v.mv_data, value.p, value.n);
    return RC_OK;
}

static void commit(struct bench *b)
{
    if (b->env == NULL) {
        return;
    }
    CHECK(rc_ok(state_changes(b->m.state, write_db, b)));
    state_reset(b->m.state);
    CHECK(mdb_txn_commit(b->txn) == 0);
    CHECK(mdb_txn_begin(b->env, NULL, 0, &b->txn) == 0);
}

static void open_bench(struct bench *b, const char *dir)
{
    market_open(&b->m, RULES_6_2);
    if (dir != NULL) {
        CHECK(mdb_env_create(&b->env) == 0 && mdb_env_set_mapsize(b->env, (size_t)8 << 30) == 0);
        CHECK(mdb_env_open(b->env, dir, MDB_NOSYNC | MDB_WRITEMAP, 0600) == 0);
        CHECK(mdb_txn_begin(b->env, NULL, 0, &b->txn) == 0);
        CHECK(mdb_dbi_open(b->txn, NULL, 0, &b->dbi) == 0);
        state_free(b->m.state);
        b->m.state = state_new(read_db, b);
        b->m.env.state = b->m.state;
        CHECK(rc_ok(poco_genesis(b->m.state, &b->m.config, NULL)));
    }
    market_publish(&b->m);
    for (uint32_t i = 0; i < WORKERS; i++) { /* everyone can stake */
        struct abi_out *o = begin(&b->m, METHOD_hub_transfer, 2);
        abi_put_address(o, WORKER(i % 150));
        abi_put_u64(o, 1000000);
        CHECK(applied(&b->m, ALICE, b->m.config.hub));
    }
    commit(b);
}

/* Prepares the i-th call of a kind. */
static struct address prepare(struct bench *b, int kind, size_t i, uint64_t volume)
{
    struct signed_orders s;
    struct address worker = WORKER(i % WORKERS);
    static const struct hash digest = {{5}};
    switch (kind) {
    case DO_MATCH:
        orders_fill(&b->m, &s, 1, 1u << 30);
        s.o.request.volume = u256_from(volume);
        s.o.request.workerpoolmaxprice = s.o.workerpool.workerpoolprice = u256_from(100);
        memcpy(s.o.request.salt.b, &b->salt, sizeof(b->salt));
        b->salt++;
        orders_sign(&b->m, &s);
        begin_match(&b->m, METHOD_hub_matchOrders, &s.o);
        return RITA;
    case DO_INITIALIZE: {
        struct abi_out *o = begin(&b->m, METHOD_hub_initialize, 2);
        abi_put_hash(o, b->deal[i]);
        abi_put_u64(o, 0);
        return PAUL;
    }
    case DO_CONTRIBUTE:
        begin_contribute(&b->m, b->task[i], worker, digest);
        return worker;
    case DO_REVEAL:
        begin_reveal(&b->m, b->task[i], digest);
        return worker;
    case DO_FINALIZE:
        begin_finalize(&b->m, b->task[i], BYTES_LIT("/ipfs/Qm"), (struct bytes){0});
        return PAUL;
    default:
        abi_put_hash(begin(&b->m, METHOD_hub_viewTask, 1), b->task[i]);
        return RITA;
    }
}

static void time_kind(struct bench *b, int kind)
{
    static struct buf data[BLOCK];
    static struct address from[BLOCK];
    for (size_t at = 0; at < CALLS; at += BLOCK) {
        for (size_t i = 0; i < BLOCK; i++) {
            from[i] = prepare(b, kind, at + i, 1);
            data[i].cap = 1 << 20;
            buf_reset(&data[i]);
            put_bytes(&data[i], buf_bytes(&b->m.data));
        }
        double start = now();
        for (size_t i = 0; i < BLOCK; i++) {
            struct call c = {.from = from[i],
                             .to = b->m.config.hub,
                             .data = buf_bytes(&data[i]),
                             .gas = 10000000};
            CHECK(poco_apply(&b->m.env, &c, &b->m.res) == OUT_APPLIED);
            if (kind == DO_MATCH) {
                b->deal[at + i] = hash_word(&b->m, 0);
            } else if (kind == DO_INITIALIZE) {
                b->task[at + i] = hash_word(&b->m, 0);
            }
            if (i % 100 == 99) {
                arena_reset(&b->m.arena);
            }
        }
        b->seconds[kind] += now() - start;
        b->calls[kind] += BLOCK;
        arena_reset(&b->m.arena);
        commit(b);
    }
}

static void measure(struct bench *b, double per_s[KINDS])
{
    for (int kind = 0; kind < KINDS; kind++) {
        b->seconds[kind] = 0;
        b->calls[kind] = 0;
        time_kind(b, kind);
        per_s[kind] = (double)b->calls[kind] / b->seconds[kind];
    }
}

static void fill(struct bench *b)
{
    for (size_t d = 0; d < DEALS; d++) {
        struct address from = prepare(b, DO_MATCH, 0, TASKS_PER_DEAL);
        CHECK(call(&b->m, from, b->m.config.hub) == OUT_APPLIED);
        struct hash deal = hash_word(&b->m, 0);
        for (uint64_t i = 0; i < TASKS_PER_DEAL; i++) {
            struct abi_out *o = begin(&b->m, METHOD_hub_initialize, 2);
            abi_put_hash(o, deal);
            abi_put_u64(o, i);
            CHECK(call(&b->m, PAUL, b->m.config.hub) == OUT_APPLIED);
        }
        struct abi_out *o = begin(&b->m, METHOD_hub_transfer, 2); /* and one account a deal */
        struct address a = {{0xbb}};
        memcpy(a.b + 4, &d, sizeof(d));
        abi_put_address(o, a);
        abi_put_u64(o, 1);
        CHECK(call(&b->m, ALICE, b->m.config.hub) == OUT_APPLIED);
        if (d % 200 == 199) {
            arena_reset(&b->m.arena);
            commit(b);
        }
    }
}

/* Memory of our own, without the pages of the database file. */
static double anonymous_mib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    double kib = 0;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtod(line + 8, NULL);
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kib / 1024;
}

int main(int argc, char **argv)
{
    static struct bench b;
    char dir[] = "/tmp/bench-poco-XXXXXX", path[64];
    double memory[KINDS], empty[KINDS], full[KINDS], worst = 0;
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    open_bench(&b, NULL);
    measure(&b, memory);
    market_close(&b.m);
    CHECK(mkdtemp(dir) != NULL);
    open_bench(&b, dir);
    measure(&b, empty);
    fill(&b);
    measure(&b, full);
    for (int i = 0; i < KINDS; i++) {
        worst = empty[i] / full[i] > worst ? empty[i] / full[i] : worst;
        if (!json) {
            (void)printf(
                "%-14s %9.0f calls/s in memory, %9.0f over LMDB, %9.0f with 1,000,000 tasks\n",
                names[i], memory[i], empty[i], full[i]);
        }
    }
    (void)printf(
        "{\"contribute_per_s\":%.0f,\"match_per_s\":%.0f,\"slowest_ratio_at_1m\":%.2f,"
        "\"resident_mib_at_1m\":%.0f}\n",
        memory[DO_CONTRIBUTE], memory[DO_MATCH], worst, anonymous_mib());
    mdb_txn_abort(b.txn);
    mdb_env_close(b.env);
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    market_close(&b.m);
    return 0;
}
