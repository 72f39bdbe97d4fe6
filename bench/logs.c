/* SPDX-License-Identifier: Apache-2.0 */
/* bench/logs.c - how long questions about logs take on a chain of many blocks, each with a transfer
 * of the token: a rare topic, a rare topic of a common emitter, a common topic cut off at 10,000.
 *     build/release/bench/logs [blocks] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain/ledger/ledger.h"
#include "encoding/abi.h"
#include "iface/iface.h"
#include "io/clock.h"
#include "io/file.h"
#include "tests/test.h"

enum { CHAIN = 7685, ROUNDS = 20, RESULTS_MAX = 10000 };

static struct secret key;
static struct address me, token;
static struct ledger *l;
static uint64_t nonce;

static const char genesis[] =
    "{\"chainId\": 7685, \"token\": \"0x00000000000000000000000000000000000070ce\", \"accounts\": "
    "[{\"address\": \"0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1\", \"rlc\": 1000000000}]}";

static void transfer(struct address to)
{
    BUF_FREE raw = buf_new(1 << 12);
    BUF_FREE data = buf_new(1 << 10);
    struct hash h;
    struct err e = {0};
    bool sealed;
    put_be(&data, iface_method(METHOD_token_transfer)->selector, 4);
    struct abi_out o = abi_begin(&data, 2);
    abi_put_address(&o, to);
    abi_put_u64(&o, 1);
    struct eth_tx t = {.has_to = true,
                       .chain_id = CHAIN,
                       .nonce = nonce++,
                       .gas = 1000000,
                       .to = token,
                       .data = buf_bytes(&data)};
    CHECK(rc_ok(eth_tx_sign(&raw, &t, &key)));
    rc r = ledger_send(l, buf_bytes(&raw), &h, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r) && rc_ok(ledger_seal(l, nonce, false, &sealed, &e)) && sealed);
}

struct count {
    size_t n;
};

static bool on_log(void *ctx, const struct log *g)
{
    struct count *c = ctx;
    (void)g;
    return ++c->n < RESULTS_MAX;
}

static void ask(const char *what, const struct log_query *q)
{
    uint64_t least = UINT64_MAX, most = 0, sum = 0;
    struct count c = {0};
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t t = clock_mono_us();
        c.n = 0;
        CHECK(rc_ok(ledger_logs(l, q, on_log, &c, NULL)));
        t = clock_mono_us() - t;
        least = MIN(least, t);
        most = MAX(most, t);
        sum += t;
    }
    (void)printf("%-36s %6zu logs  min %.2f ms  mean %.2f ms  max %.2f ms\n", what, c.n,
                 (double)least / 1e3, (double)sum / 1e3 / ROUNDS, (double)most / 1e3);
}

int main(int argc, char **argv)
{
    uint64_t blocks = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    char dir[] = "/tmp/souk-bench-logs-XXXXXX";
    struct err e = {0};
    CHECK(mkdtemp(dir) != NULL && rc_ok(secret_new(&key, 32)));
    memset(key.p, 1, 32);
    CHECK(rc_ok(secp_address(&me, &key)));
    struct ledger_config cfg = {
        .dir = dir, .genesis = bytes_str(genesis), .history = 16, .threads = 1, .unsafe = true};
    CHECK(rc_ok(ledger_open(&l, &cfg, &e)));
    token = (struct address){{[18] = 0x70, [19] = 0xce}};
    struct address rare = {{0x55}}, common = {{0x77}};
    uint64_t start = clock_mono_us();
    for (uint64_t i = 0; i < blocks; i++) {
        transfer(i % 30000 == 123 ? rare : common);
    }
    (void)printf("%" PRIu64 " blocks made in %.1f s\n", blocks,
                 (double)(clock_mono_us() - start) / 1e6);
    struct hash rare_topic = {{0}}, common_topic = {{0}};
    struct hash moved = iface_event(EVENT_token_Transfer)->topic;
    memcpy(rare_topic.b + 12, rare.b, 20);
    memcpy(common_topic.b + 12, common.b, 20);
    struct log_query q = {.from = 0, .to = UINT64_MAX, .topics_n = 3};
    q.topics[2].any = &rare_topic;
    q.topics[2].n = 1;
    ask("a rare topic", &q);
    q.addresses = &token;
    q.addresses_n = 1;
    q.topics[0].any = &moved;
    q.topics[0].n = 1;
    ask("a rare topic of a common emitter", &q);
    q.topics[2].any = &common_topic;
    ask("a common topic, the first 10,000", &q);
    ledger_close(l);
    CHECK(rc_ok(dir_remove(dir, NULL)));
    secret_free(&key);
    return 0;
}
