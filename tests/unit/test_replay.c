/* SPDX-License-Identifier: Apache-2.0 */
/* The same blocks give the same roots anywhere: a chain written to a file, executed again from it and
 * from its own database; files that were cut, changed or are none; proofs of the state; and a process
 * that is killed between and within blocks. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain/ledger/ledger.h"
#include "crypto/keccak.h"
#include "io/file.h"
#include "tests/test.h"

static const char genesis[] =
    "{\"chainId\": 99, \"baseFee\": 0, \"accounts\": ["
    "{\"address\": \"0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1\", \"balance\": "
    "\"1000000000000000000\", \"rlc\": 5000}]}";

static struct secret key; /* 0x01 x 32 */
static char dir[] = "/tmp/souk-test-replay-XXXXXX";
static char path[8][64];

static const char *under(size_t i, const char *name)
{
    (void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
    return path[i];
}

static rc try_open(struct ledger **l, const char *at, struct err *e)
{
    struct ledger_config cfg = {.dir = at,
                                .genesis = {(const uint8_t *)genesis, sizeof(genesis) - 1},
                                .history = 8,
                                .threads = 1};
    CHECK(rc_ok(dir_make(at, 0700, NULL)));
    return ledger_open(l, &cfg, e);
}

static struct ledger *open_at(const char *at)
{
    struct ledger *l = NULL;
    struct err e = {0};
    rc r = try_open(&l, at, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    return l;
}

/* Sends `n` transactions that transfer the token of the genesis, or a coin, and seals them. */
static void block_of(struct ledger *l, uint64_t n)
{
    uint64_t nonce;
    struct address me;
    bool sealed;
    struct err e = {0};
    CHECK(rc_ok(secp_address(&me, &key)) && rc_ok(ledger_nonce(l, LEDGER_PENDING, me, &nonce)));
    for (uint64_t i = 0; i < n; i++) {
        struct hash h;
        BUF_FREE raw = buf_new(1 << 17);
        struct eth_tx t = {.has_to = true,
                           .chain_id = 99,
                           .nonce = nonce + i,
                           .gas = 21000 + i,
                           .gas_price = u256_from(3),
                           .value = u256_from(1)};
        t.to.b[19] = (uint8_t)(nonce + i);
        CHECK(rc_ok(eth_tx_sign(&raw, &t, &key)));
        CHECK(rc_ok(ledger_send(l, buf_bytes(&raw), &h, &e)));
    }
    CHECK(rc_ok(ledger_seal(l, 1000 + nonce, true, &sealed, &e)) && sealed);
}

static void check_verify(struct ledger *l)
{
    struct err e = {0};
    const char *scratch = under(7, "scratch");
    CHECK(rc_ok(dir_make(scratch, 0700, NULL)));
    rc r = ledger_verify(l, scratch, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    CHECK(rc_ok(r));
    CHECK(rc_ok(dir_remove(scratch, NULL)));
}

static rc import(const char *at, const char *file, uint64_t *height, struct err *e)
{
    struct ledger_config cfg = {.dir = at, .history = 8, .threads = 2};
    CHECK(rc_ok(dir_make(at, 0700, NULL)));
    return ledger_import(&cfg, file, height, e);
}

static void check_files(struct ledger *l)
{
    const char *file = under(1, "chain"), *copy = under(2, "copy"), *bad = under(3, "bad");
    struct err e = {0};
    struct block want, got;
    struct arena a;
    struct bytes all;
    uint64_t height = 0;
    arena_init(&a, 64 << 20);
    CHECK(rc_ok(ledger_export(l, file, &e)));
    CHECK(ledger_export(l, file, &e).code == RC_CODE_IO); /* never over another */
    CHECK(rc_ok(import(copy, file, &height, &e)) && height == ledger_height(l));
    CHECK(rc_ok(import(copy, file, &height, &e))); /* again: nothing new */
    struct ledger *again = open_at(copy);
    CHECK(rc_ok(ledger_block(l, &a, height, &want)) &&
          rc_ok(ledger_block(again, &a, height, &got)));
    CHECK(hash_eq(want.hash, got.hash));
    check_verify(again);
    ledger_close(again);
    CHECK(rc_ok(file_read_arena(&all, &a, file, 32 << 20, &e)));
    uint8_t *p = arena_alloc(&a, all.n);
    for (size_t i = 0; i < 40; i++) { /* cut, or one byte changed, anywhere */
        size_t at = all.n * i / 40, n = i % 2 == 0 ? at : all.n;
        memcpy(p, all.p, all.n);
        p[at] ^= 1;
        CHECK(rc_ok(file_write(bad, (struct bytes){p, n}, 0600, &e)));
        const char *to = under(4, "bad-copy");
        CHECK(!rc_ok(import(to, bad, &height, &e)) && e.msg[0] != 0);
        CHECK(rc_ok(dir_remove(to, NULL)));
    }
    arena_reset(&a);
}

static void check_proofs(struct ledger *l)
{
    struct arena a;
    struct state_proof p;
    struct block header, head;
    struct err e;
    uint8_t account[21] = {1};
    uint64_t n;
    arena_init(&a, 1 << 20);
    struct address me;
    CHECK(rc_ok(secp_address(&me, &key)));
    memcpy(account + 1, me.b, 20);
    CHECK(rc_ok(ledger_prove(l, &a, BYTES_OF(account), &p, &e)) && p.found && p.value.n == 40);
    CHECK(rc_ok(state_proof_check(&header, &a, BYTES_OF(account), &p, &e)));
    CHECK(rc_ok(ledger_block_number(l, header.hash, &n)) && n == ledger_height(l));
    CHECK(rc_ok(ledger_block(l, &a, n, &head)) && hash_eq(head.hash, header.hash));
    struct state_proof bad = p;
    bad.found = false;
    CHECK(state_proof_check(&header, &a, BYTES_OF(account), &bad, &e).code == RC_CODE_DENIED);
    bad = p;
    bad.value.n--;
    CHECK(state_proof_check(&header, &a, BYTES_OF(account), &bad, &e).code == RC_CODE_DENIED);
    bad = p;
    bad.proof.n--;
    CHECK(!rc_ok(state_proof_check(&header, &a, BYTES_OF(account), &bad, &e)));
    bad = p;
    bad.number--;
    CHECK(state_proof_check(&header, &a, BYTES_OF(account), &bad, &e).code == RC_CODE_DENIED);
    account[20] ^= 0x55; /* nobody's */
    CHECK(rc_ok(ledger_prove(l, &a, BYTES_OF(account), &p, &e)) && !p.found);
    CHECK(rc_ok(state_proof_check(&header, &a, BYTES_OF(account), &p, &e)));
    bad = p;
    bad.found = true;
    CHECK(state_proof_check(&header, &a, BYTES_OF(account), &bad, &e).code == RC_CODE_DENIED);
    CHECK(ledger_prove(l, &a, (struct bytes){0}, &p, &e).code == RC_CODE_MALFORMED);
    arena_reset(&a);
}

/* A child makes blocks and says so through a pipe; killed at some moment, all that it said is there. */
static void check_kills(void)
{
    const char *at = under(5, "killed");
    uint64_t said = 0;
    for (int round = 0; round < 6; round++) {
        int fd[2];
        CHECK(pipe(fd) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            CHECK(rc_ok(secret_new(&key, 32))); /* secrets do not survive a fork */
            memset(key.p, 1, 32);
            struct ledger *l = open_at(at);
            for (;;) {
                block_of(l, 5);
                uint64_t h = ledger_height(l);
                if (write(fd[1], &h, sizeof(h)) != sizeof(h)) {
                    _exit(1);
                }
            }
        }
        (void)close(fd[1]);
        for (int i = 0; i <= round * 3; i++) {
            CHECK(read(fd[0], &said, sizeof(said)) == sizeof(said));
        }
        (void)usleep((useconds_t)(137 * round));
        CHECK(kill(child, SIGKILL) == 0);
        while (read(fd[0], &said, sizeof(said)) == sizeof(said)) {
        }
        (void)close(fd[0]);
        CHECK(waitpid(child, NULL, 0) == child);
        struct ledger *l = open_at(at);
        struct err e;
        struct ledger *second;
        CHECK(try_open(&second, at, &e).code == RC_CODE_DENIED); /* one process a folder */
        CHECK(ledger_height(l) >= said);
        uint64_t nonce;
        struct address me;
        CHECK(rc_ok(secp_address(&me, &key)));
        CHECK(rc_ok(ledger_nonce(l, ledger_height(l), me, &nonce)));
        CHECK(nonce == 5 * ledger_height(l));
        check_verify(l);
        ledger_close(l);
    }
}

int main(void)
{
    CHECK(mkdtemp(dir) != NULL);
    CHECK(rc_ok(secret_new(&key, 32)));
    memset(key.p, 1, 32);
    struct ledger *l = open_at(under(0, "first"));
    for (uint64_t i = 0; i < 30; i++) {
        block_of(l, i % 7);
    }
    check_verify(l);
    check_files(l);
    check_proofs(l);
    ledger_close(l);
    check_kills();
    CHECK(rc_ok(dir_remove(dir, NULL)));
    secret_free(&key);
    return 0;
}
