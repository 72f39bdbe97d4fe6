/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "chain/rpc/rpc_int.h"
#include "io/file.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rpc *rpc;
static struct loop *loop;
static struct ledger *ledger;
static char dir[] = "/tmp/souk-fuzz-XXXXXX";

static void clean(void)
{
    rpc_close(rpc);
    ledger_close(ledger);
    loop_close(loop);
    (void)!rc_ok(dir_remove(dir, NULL));
}

/* A development node without an engine: the methods that make blocks refuse, all others run. */
static void start(void)
{
    struct err e;
    struct ledger_config lc = {
        .dir = dir,
        .genesis = BYTES_LIT("{\"chainId\":31337,\"owner\":"
                             "\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\",\"accounts\":[]}"),
        .history = 16,
        .threads = 1,
        .dev = true};
    CHECK(mkdtemp(dir) != NULL);
    CHECK(rc_ok(loop_open(&loop, &e)) && rc_ok(ledger_open(&ledger, &lc, &e)));
    struct rpc_config rc_ = {.loop = loop, .ledger = ledger, .listen = "127.0.0.1:0", .dev = true};
    CHECK(rc_ok(rpc_open(&rpc, &rc_, &e)));
    (void)atexit(clean);
}

/* Any bytes: an answer that is JSON itself, or none. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (rpc == NULL) {
        start();
    }
    struct arena a;
    BUF_FREE out = buf_new((size_t)8 << 20);
    arena_init(&a, HTTP_ARENA_MAX);
    rpc_answer(rpc, &a, NULL, (struct bytes){data, size}, &out);
    if (out.n > 0) {
        struct err e;
        JSON_FREE *v = json_parse(buf_bytes(&out), JSON_DEPTH_MAX, &e);
        CHECK(v != NULL);
    }
    arena_reset(&a);
    return 0;
}
