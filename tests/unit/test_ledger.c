/* SPDX-License-Identifier: Apache-2.0 */
/* A chain from its genesis on: coins sent, blocks sealed, what was sealed read back, and the same
 * again after the process began anew. */
#include "chain/ledger/ledger.h"

#include <unistd.h>

#include "crypto/keccak.h"
#include "io/file.h"
#include "tests/test.h"

static const char genesis[] =
    "{\"chainId\": 1337, \"baseFee\": 1000, \"time\": 100, \"accounts\": ["
    "{\"address\": \"0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1\", \"balance\": "
    "\"1000000000000000000\", \"rlc\": 5000}]}";

static struct secret key; /* 0x01 x 32 */
static struct address sender;
static struct arena mem;
static char dir[] = "/tmp/souk-test-ledger-XXXXXX";

static struct ledger *open_it(void)
{
    struct ledger *l = NULL;
    struct err e = {0};
    struct ledger_config cfg = {
        .dir = dir, .genesis = BYTES_LIT(""), .history = 8, .threads = 2, .dev = true};
    cfg.genesis = (struct bytes){(const uint8_t *)genesis, sizeof(genesis) - 1};
    rc r = ledger_open(&l, &cfg, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    return l;
}

static struct eth_tx plain(uint64_t nonce)
{
    return (struct eth_tx){.type = 2,
                           .has_to = true,
                           .chain_id = 1337,
                           .nonce = nonce,
                           .gas = 21000,
                           .max_fee = u256_from(5000),
                           .tip = u256_from(10),
                           .to = {{7}},
                           .value = u256_from(1)};
}

static rc send_tx(struct ledger *l, struct eth_tx t, struct hash *h, struct err *e)
{
    BUF_FREE raw = buf_new(1 << 17);
    CHECK(rc_ok(eth_tx_sign(&raw, &t, &key)));
    return ledger_send(l, buf_bytes(&raw), h, e);
}

static struct hash send_ok(struct ledger *l, struct eth_tx t)
{
    struct hash h;
    struct err e = {0};
    rc r = send_tx(l, t, &h, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    return h;
}

static void refused(struct ledger *l, struct eth_tx t, const char *text)
{
    struct hash h;
    struct err e = {0};
    CHECK(!rc_ok(send_tx(l, t, &h, &e)));
    if (strncmp(e.msg, text, strlen(text)) != 0) {
        (void)fprintf(stderr, "got \"%s\", want \"%s\"\n", e.msg, text);
    }
    CHECK(strncmp(e.msg, text, strlen(text)) == 0);
}

static void seal(struct ledger *l, uint64_t now, bool want)
{
    bool sealed = false;
    struct err e = {0};
    rc r = ledger_seal(l, now, false, &sealed, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r) && sealed == want);
}

static struct u256 balance(struct ledger *l, uint64_t number, struct address a)
{
    struct u256 v;
    CHECK(rc_ok(ledger_balance(l, number, a, &v)));
    return v;
}

static void check_refusals(struct ledger *l)
{
    struct eth_tx t = plain(0);
    t.gas = 20999;
    refused(l, t, "intrinsic gas too low: gas 20999, minimum needed 21000");
    t = plain(0);
    t.chain_id = 5;
    refused(l, t, "invalid sender: invalid chain id for signer: have 5 want 1337");
    t = plain(0);
    t.value.w[3] = 1;
    refused(l, t,
            "insufficient funds for gas * price + value: balance 1000000000000000000, tx cost");
    t = plain(0);
    t.tip = u256_from(6000);
    refused(l, t, "max priority fee per gas higher than max fee per gas");
    t = plain(0);
    t.has_to = false;
    refused(l, t, "contract creation is not supported");
    t = plain(0);
    t.gas = UINT64_MAX;
    refused(l, t, "exceeds block gas limit");
}

static void check_pool(struct ledger *l)
{
    struct eth_tx t = plain(1);
    struct hash h = send_ok(l, plain(0));
    refused(l, plain(0), "already known");
    t = plain(0);
    t.value = u256_from(2);
    refused(l, t, "replacement transaction underpriced");
    t.max_fee = u256_from(5499);
    t.tip = u256_from(11);
    refused(l, t, "replacement transaction underpriced");
    t.max_fee = u256_from(5500);
    struct hash second = send_ok(l, t);
    struct tx found;
    CHECK(ledger_tx(l, &mem, h, &found).code == RC_CODE_NOT_FOUND);
    CHECK(rc_ok(ledger_tx(l, &mem, second, &found)) && !found.mined);
    (void)send_ok(l, plain(2)); /* waits for nonce 1 */
    CHECK(ledger_pool(l).pending == 1 && ledger_pool(l).queued == 1);
    (void)send_ok(l, plain(1));
    CHECK(ledger_pool(l).pending == 3 && ledger_pool(l).queued == 0);
    uint64_t nonce;
    CHECK(rc_ok(ledger_nonce(l, LEDGER_PENDING, sender, &nonce)) && nonce == 3);
    CHECK(rc_ok(ledger_nonce(l, 0, sender, &nonce)) && nonce == 0);
    CHECK(u256_eq(balance(l, LEDGER_PENDING, plain(0).to), u256_from(4)));
    CHECK(u256_is_zero(balance(l, 0, plain(0).to)));
    seal(l, 200, true);
    seal(l, 200, false);
    refused(l, plain(2), "nonce too low: next nonce 3, tx nonce 2");
}

static void check_block(struct ledger *l)
{
    struct block b, g;
    struct tx t;
    struct receipt r;
    uint64_t n;
    CHECK(ledger_height(l) == 1);
    CHECK(rc_ok(ledger_block(l, &mem, 1, &b)) && rc_ok(ledger_block(l, &mem, 0, &g)));
    CHECK(hash_eq(b.parent, g.hash) && b.tx_n == 3 && b.gas_used == 63000 && b.timestamp == 200);
    CHECK(u256_eq(b.base_fee, u256_from(1000)) && g.timestamp == 100);
    CHECK(rc_ok(ledger_block_number(l, b.hash, &n)) && n == 1);
    CHECK(ledger_block_number(l, b.parent, &n).code == RC_CODE_OK && n == 0);
    CHECK(ledger_block(l, &mem, 2, &b).code == RC_CODE_NOT_FOUND);
    for (uint64_t i = 0; i < 3; i++) {
        CHECK(rc_ok(ledger_tx_at(l, &mem, 1, i, &t)) && t.mined && t.index == i);
        CHECK(address_eq(t.from, sender) && t.e.nonce == i);
        CHECK(rc_ok(ledger_receipt(l, &mem, t.hash, &r)) && r.ok && r.gas_used == 21000);
        CHECK(r.cumulative_gas == 21000 * (i + 1) &&
              u256_eq(r.gas_price, u256_from(i == 0 ? 1011 : 1010)));
    }
    CHECK(ledger_tx_at(l, &mem, 1, 3, &t).code == RC_CODE_NOT_FOUND);
    CHECK(u256_eq(balance(l, 1, plain(0).to), u256_from(4)));
    /* 63000 gas at 1000, burnt; tips; 4 wei sent */
    uint64_t cost = 21000 * 1011 + 2 * 21000 * 1010 + 4;
    CHECK(u256_eq(balance(l, 1, sender), u256_from(1000000000000000000 - cost)));
}

static void check_history(struct ledger *l)
{
    struct u256 v;
    for (uint64_t i = 3; i < 20; i++) {
        (void)send_ok(l, plain(i));
        seal(l, 200 + i / 2, true);
    }
    uint64_t h = ledger_height(l);
    for (uint64_t i = h - 8; i <= h; i++) {
        CHECK(u256_eq(balance(l, i, plain(0).to), u256_from(i + 3)));
    }
    CHECK(ledger_balance(l, h - 9, sender, &v).code == RC_CODE_NOT_FOUND);
    CHECK(ledger_balance(l, h + 1, sender, &v).code == RC_CODE_NOT_FOUND);
}

static void check_dev(struct ledger *l)
{
    struct block before, after;
    uint64_t h = ledger_height(l), id = ledger_dev_snapshot(l), nonce;
    CHECK(rc_ok(ledger_block(l, &mem, h, &before)));
    ledger_dev_set_balance(l, plain(0).to, u256_from(77));
    CHECK(u256_eq(balance(l, h, plain(0).to), u256_from(77)));
    CHECK(rc_ok(ledger_nonce(l, h, sender, &nonce)));
    struct hash tx = send_ok(l, plain(nonce));
    seal(l, 300, true);
    ledger_dev_set_balance(l, plain(0).to, u256_from(5));
    struct eth_tx u = plain(0);
    struct hash unsigned_tx;
    u.value = u256_from(5);
    u.max_fee = u.tip = u256_from(0);
    ledger_dev_set_base_fee(l, u256_from(0));
    CHECK(rc_ok(ledger_send_unsigned(l, plain(0).to, &u, &unsigned_tx, NULL)));
    seal(l, 300, true);
    struct tx t;
    CHECK(rc_ok(ledger_tx(l, &mem, unsigned_tx, &t)) && t.mined && address_eq(t.from, u.to));
    CHECK(ledger_dev_revert(l, id) && !ledger_dev_revert(l, id));
    CHECK(ledger_height(l) == h && ledger_tx(l, &mem, tx, &t).code == RC_CODE_NOT_FOUND);
    CHECK(u256_eq(balance(l, h, plain(0).to), u256_from(h + 3)));
    CHECK(rc_ok(ledger_block(l, &mem, h, &after)) && hash_eq(before.hash, after.hash));
    CHECK(!rc_ok(ledger_dev_next_time(l, 1, NULL)) && rc_ok(ledger_dev_next_time(l, 5000, NULL)));
    (void)send_ok(l, plain(nonce));
    seal(l, 300, true);
    CHECK(rc_ok(ledger_block(l, &mem, h + 1, &after)) && after.timestamp == 5000);
}

int main(void)
{
    CHECK(mkdtemp(dir) != NULL);
    arena_init(&mem, 64 << 20);
    CHECK(rc_ok(secret_new(&key, 32)));
    memset(key.p, 1, 32);
    CHECK(rc_ok(secp_address(&sender, &key)));
    struct ledger *l = open_it();
    CHECK(ledger_chain_id(l) == 1337 && ledger_height(l) == 0);
    check_refusals(l);
    check_pool(l);
    check_block(l);
    check_history(l);
    ledger_close(l);
    l = open_it();
    check_dev(l);
    uint64_t h = ledger_height(l);
    ledger_close(l);
    l = open_it();
    CHECK(ledger_height(l) == h);
    CHECK(rc_ok(ledger_dev_reset(l, NULL)) && ledger_height(l) == 0);
    check_pool(l);
    check_block(l);
    ledger_close(l);
    CHECK(rc_ok(dir_remove(dir, NULL)));
    secret_free(&key);
    arena_reset(&mem);
    return 0;
}
