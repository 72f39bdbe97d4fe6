/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - export, import and verification: a chain executed again from its genesis, every root
 * compared with the one in the header. */
#include "chain/ledger/replay_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/keccak.h"
#include "crypto/sha2.h"
#include "io/file.h"

enum { WRITE_AT = 1 << 20, READ_AT = 1 << 16 };
#define BLOCK_MEMORY_MAX ((size_t)2 << 30)

/* --- one block --- */

static bool take_tx(struct cur *c, struct tx_in *t, const char **why)
{
    uint64_t kind = take_be(c, 1);
    t->unsigned_ = kind == 1;
    if (t->unsigned_) {
        t->from = take_address(c);
    }
    t->raw = take_bytes(c, take_be(c, 4));
    if (kind > 1 || c->bad != NULL || !rc_ok(eth_tx_parse(&t->e, t->raw, why))) {
        return false;
    }
    t->hash = t->unsigned_ ? keccak256_2(t->raw, BYTES_OF(t->from)) : eth_tx_hash(t->raw);
    return true;
}

rc replay_parse(struct replay_block *out, struct arena *a, struct bytes record, const char **why)
{
    struct cur c = cur_of(record);
    *why = "cut short";
    *out = (struct replay_block){.rlp = take_bytes(&c, take_be(&c, 4))};
    out->n = take_be(&c, 4);
    if (c.bad != NULL || out->n > c.n / 5) { /* a transaction takes five bytes at least */
        return RC(MALFORMED);
    }
    TRY(header_parse(&out->header, a, out->rlp, why));
    out->tx = ARENA_ARRAY(a, struct tx_in, out->n);
    if (out->tx == NULL) {
        *why = "no memory for so many transactions";
        return RC(LIMIT);
    }
    for (size_t i = 0; i < out->n; i++) {
        *why = "a transaction is cut short";
        if (!take_tx(&c, &out->tx[i], why)) {
            return RC(MALFORMED);
        }
    }
    *why = "bytes behind the last transaction";
    return cur_end(&c);
}

/* Which part of two headers differs first, for people. */
static const char *difference(const struct block *a, const struct block *b)
{
    return !hash_eq(a->state_root, b->state_root)         ? "the state root"
           : !hash_eq(a->receipts_root, b->receipts_root) ? "the receipts root"
           : !hash_eq(a->tx_root, b->tx_root)             ? "the transactions root"
           : memcmp(a->bloom, b->bloom, sizeof(a->bloom)) ? "the logs bloom"
           : a->gas_used != b->gas_used                   ? "the gas used"
           : !bytes_eq(a->extra, b->extra)                ? "the extra data"
                                                          : "another field of the header";
}

static rc bad_block(const struct block *h, struct err *e, const char *what)
{
    return err_set(e, RC_CODE_DENIED, "block %" PRIu64 ": %s", h->number, what);
}

static rc check_header(struct ledger *l, const struct block *h, struct err *e)
{
    if (h->number != l->head.number + 1 || !hash_eq(h->parent, l->head.hash)) {
        return bad_block(h, e, "does not follow the block before it");
    }
    if (h->timestamp < l->head.timestamp) {
        return bad_block(h, e, "is older than the block before it");
    }
    if (!u256_eq(h->base_fee, ledger_base_fee(l))) {
        return bad_block(h, e, "its base fee is not what EIP-1559 gives");
    }
    return RC_OK;
}

static rc execute(struct ledger *l, struct replay_block *b, struct err *e)
{
    size_t bad = 0;
    if (!rc_ok(recover_all(l, b->tx, b->n, &bad))) {
        return err_set(e, RC_CODE_DENIED, "block %" PRIu64 ": transaction %zu: nobody signed it",
                       b->header.number, bad);
    }
    struct place p = {.chain_id = l->genesis.chain_id,
                      .number = b->header.number,
                      .time = b->header.timestamp,
                      .gas_limit = b->header.gas_limit,
                      .base_fee = b->header.base_fee,
                      .coinbase = b->header.miner,
                      .sigs = l->sigs,
                      .dev = l->cfg.dev};
    maker_begin(l->maker, &p, b->header.extra);
    for (size_t i = 0; i < b->n; i++) {
        const char *why = "";
        if (b->tx[i].unsigned_ && !l->cfg.dev) {
            return err_set(e, RC_CODE_DENIED,
                           "block %" PRIu64
                           ": transaction %zu has no signature: it was made on a "
                           "development node",
                           b->header.number, i);
        }
        rc r = maker_add(l->maker, &b->tx[i], &why);
        if (!rc_ok(r)) {
            return err_set(e, r.code, "block %" PRIu64 ": transaction %zu: %s", b->header.number, i,
                           why);
        }
    }
    return RC_OK;
}

rc replay_apply(struct ledger *l, struct replay_block *b, struct err *e)
{
    struct block made;
    TRY(check_header(l, &b->header, e));
    TRY(execute(l, b, e));
    TRY(maker_finish(l->maker, &made, e));
    if (!hash_eq(made.hash, b->header.hash)) {
        store_abort(l->store);
        return err_set(e, RC_CODE_DENIED,
                       "block %" PRIu64 ": executed again, %s is not what its header says",
                       b->header.number, difference(&made, &b->header));
    }
    TRY(store_commit(l->store, e));
    block_adopt(l, &made);
    return RC_OK;
}

/* --- a block of the database, as a record --- */

static rc put_block(struct ledger *l, struct buf *b, uint64_t number, struct err *e)
{
    uint8_t key[8];
    struct bytes stored;
    key_be64(key, number);
    rc r = store_get(l->store, T_BLOCK, BYTES_OF(key), &stored);
    struct cur c = cur_of(rc_ok(r) ? stored : (struct bytes){0});
    uint64_t n = take_be(&c, 4);
    (void)take_be(&c, 8);
    put_be(b, c.n, 4);
    put_mem(b, c.p, c.n);
    put_be(b, n, 4);
    for (uint64_t i = 0; i < n && rc_ok(r); i++) {
        struct body_tx t;
        r = body_read(l->body, number, i, &t);
        if (rc_ok(r)) {
            put_u8(b, t.unsigned_);
            put_bytes(b, t.unsigned_ ? BYTES_OF(t.from) : (struct bytes){0});
            put_be(b, t.raw.n, 4);
            put_bytes(b, t.raw);
        }
    }
    if (!rc_ok(r) || c.bad != NULL || b->full) {
        return err_set(e, RC_CODE_CORRUPT, "block %" PRIu64 " cannot be read", number);
    }
    return RC_OK;
}

/* --- export --- */

struct writer {
    int fd;
    struct buf buf;
    struct sha256 sum;
};

static rc flush(struct writer *w, struct err *e)
{
    sha256_add(&w->sum, buf_bytes(&w->buf));
    TRY(fd_write_all(w->fd, buf_bytes(&w->buf), e));
    buf_reset(&w->buf);
    return RC_OK;
}

static rc write_chain(struct ledger *l, struct writer *w, struct err *e)
{
    struct bytes json;
    rc r = store_get(l->store, T_META, BYTES_LIT("genesis"), &json);
    if (!rc_ok(r)) {
        return err_set(e, r.code, "the genesis is missing");
    }
    put_bytes(&w->buf, REPLAY_MAGIC);
    put_be(&w->buf, json.n, 4);
    put_bytes(&w->buf, json);
    for (uint64_t i = 0; i <= l->head.number; i++) {
        size_t at = w->buf.n;
        put_zero(&w->buf, 4);
        TRY(put_block(l, &w->buf, i, e));
        size_t n = w->buf.n - at - 4;
        for (size_t k = 0; k < 4; k++) {
            w->buf.p[at + k] = (uint8_t)(n >> (24 - 8 * k));
        }
        if (w->buf.n >= WRITE_AT) {
            TRY(flush(w, e));
        }
    }
    put_zero(&w->buf, 4);
    TRY(flush(w, e));
    struct hash sum = sha256_done(&w->sum);
    TRY(fd_write_all(w->fd, BYTES_OF(sum), e));
    return fsync(w->fd) == 0 ? RC_OK : err_set(e, RC_CODE_IO, "sync: %s", strerror(errno));
}

rc ledger_export(struct ledger *l, const char *path, struct err *e)
{
    struct writer w = {.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600),
                       .buf = buf_new(REPLAY_BLOCK_MAX + WRITE_AT)};
    if (w.fd < 0) {
        return err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
    }
    sha256_init(&w.sum);
    rc r = write_chain(l, &w, e);
    buf_free(&w.buf);
    fd_close(&w.fd);
    if (!rc_ok(r)) {
        (void)unlink(path); /* half a chain helps nobody */
    }
    return rc_ok(r) ? RC_OK : err_wrap(e, r, "%s", path);
}

/* --- import --- */

struct reader {
    int fd;
    struct buf part;
    struct sha256 sum;
};

/* Exactly n more bytes into part. */
static rc read_part(struct reader *r, size_t n, struct err *e)
{
    buf_reset(&r->part);
    while (r->part.n < n) {
        size_t want = MIN(n - r->part.n, (size_t)READ_AT);
        uint8_t *to = buf_grow(&r->part, want);
        if (to == NULL) {
            return err_set(e, RC_CODE_LIMIT, "a part is larger than a block may be");
        }
        ssize_t got = read(r->fd, to, want);
        if (got < 0 && errno == EINTR) {
            got = 0;
        } else if (got < 0) {
            return err_set(e, RC_CODE_IO, "read: %s", strerror(errno));
        } else if (got == 0) {
            return err_set(e, RC_CODE_MALFORMED, "the file is cut short");
        }
        r->part.n -= want - (size_t)got;
    }
    sha256_add(&r->sum, buf_bytes(&r->part));
    return RC_OK;
}

static rc read_size(struct reader *r, size_t max, size_t *n, struct err *e)
{
    TRY(read_part(r, 4, e));
    struct cur c = cur_of(buf_bytes(&r->part));
    *n = take_be(&c, 4);
    return *n <= max ? RC_OK : err_set(e, RC_CODE_MALFORMED, "a part says it has %zu bytes", *n);
}

/* The next block of the file; *more is false at its end, which must be whole. */
static rc read_block(struct reader *r, bool *more, struct err *e)
{
    size_t n;
    TRY(read_size(r, REPLAY_BLOCK_MAX, &n, e));
    *more = n > 0;
    if (n > 0) {
        return read_part(r, n, e);
    }
    struct hash want = sha256_done(&r->sum);
    uint8_t rest;
    sha256_init(&r->sum);
    TRY(read_part(r, sizeof(want), e));
    if (!bytes_eq(buf_bytes(&r->part), BYTES_OF(want)) || read(r->fd, &rest, 1) != 0) {
        return err_set(e, RC_CODE_MALFORMED, "the file's checksum is wrong");
    }
    return RC_OK;
}

static rc import_block(struct ledger *l, struct bytes record, struct arena *a, struct err *e)
{
    struct replay_block b;
    const char *why;
    rc r = replay_parse(&b, a, record, &why);
    if (!rc_ok(r)) {
        return err_set(e, r.code, "after block %" PRIu64 ": %s", l->head.number, why);
    }
    if (b.header.number > l->head.number) {
        return replay_apply(l, &b, e);
    }
    struct block have; /* there already: it must be the same */
    r = ledger_block(l, a, b.header.number, &have);
    if (!rc_ok(r) || !hash_eq(have.hash, b.header.hash)) {
        return bad_block(&b.header, e, "is not the one that this chain has");
    }
    return RC_OK;
}

static rc import_blocks(struct ledger *l, struct reader *r, struct err *e)
{
    struct arena a;
    bool more = true;
    rc got = RC_OK;
    arena_init(&a, BLOCK_MEMORY_MAX);
    while (rc_ok(got)) {
        got = read_block(r, &more, e);
        if (!rc_ok(got) || !more) {
            break;
        }
        got = import_block(l, buf_bytes(&r->part), &a, e);
        arena_reset(&a);
    }
    arena_reset(&a);
    return got;
}

static rc import_from(struct reader *r, const struct ledger_config *cfg, uint64_t *height,
                      struct err *e)
{
    size_t n;
    struct ledger *l;
    TRY(read_part(r, REPLAY_MAGIC.n, e));
    if (!bytes_eq(buf_bytes(&r->part), REPLAY_MAGIC)) {
        return err_set(e, RC_CODE_MALFORMED, "not a chain that souk exported");
    }
    TRY(read_size(r, GENESIS_SIZE_MAX, &n, e));
    TRY(read_part(r, n, e));
    struct ledger_config with = *cfg;
    with.genesis = buf_bytes(&r->part);
    TRY(ledger_open(&l, &with, e));
    rc got = import_blocks(l, r, e);
    *height = l->head.number;
    ledger_close(l);
    return got;
}

rc ledger_import(const struct ledger_config *cfg, const char *path, uint64_t *height, struct err *e)
{
    struct reader r = {.fd = open(path, O_RDONLY | O_CLOEXEC), .part = buf_new(REPLAY_BLOCK_MAX)};
    *height = 0;
    if (r.fd < 0) {
        return err_set(e, RC_CODE_IO, "%s: %s", path, strerror(errno));
    }
    sha256_init(&r.sum);
    rc got = import_from(&r, cfg, height, e);
    buf_free(&r.part);
    fd_close(&r.fd);
    return rc_ok(got) ? RC_OK : err_wrap(e, got, "%s", path);
}

/* --- verify --- */

/* What the database says about a transaction, against what executing it again gave. */
static rc compare_bodies(struct ledger *l, struct ledger *again, const struct block *h,
                         struct err *e)
{
    for (uint64_t i = 0; i < h->tx_n; i++) {
        struct body_tx a, b;
        rc r = body_read(l->body, h->number, i, &a);
        r = rc_ok(r) ? body_read(again->body, h->number, i, &b) : r;
        bool same = rc_ok(r) && a.ok == b.ok && a.gas_used == b.gas_used &&
                    a.cumulative_gas == b.cumulative_gas && address_eq(a.from, b.from) &&
                    bytes_eq(a.logs, b.logs) && a.first_log == b.first_log;
        if (!same) {
            return err_set(e, RC_CODE_CORRUPT,
                           "block %" PRIu64 ": the stored receipt of transaction %" PRIu64
                           " is damaged",
                           h->number, i);
        }
    }
    return RC_OK;
}

/* Two tables hold the same entries. */
static rc compare_tables(struct ledger *l, struct ledger *again, enum table t, const char *what,
                         struct err *e)
{
    static const uint8_t first;
    struct bytes ka, va, kb, vb;
    rc a = store_seek(l->store, t, BYTES_OF(first), &ka, &va);
    rc b = store_seek(again->store, t, BYTES_OF(first), &kb, &vb);
    while (rc_ok(a) && rc_ok(b)) {
        if (!bytes_eq(ka, kb) || !bytes_eq(va, vb)) {
            break;
        }
        a = store_next(l->store, t, &ka, &va);
        b = store_next(again->store, t, &kb, &vb);
    }
    if (a.code == RC_CODE_NOT_FOUND && b.code == RC_CODE_NOT_FOUND) {
        return RC_OK;
    }
    return err_set(e, RC_CODE_CORRUPT, "%s in the database is damaged", what);
}

static rc verify_block(struct ledger *l, struct ledger *again, uint64_t number, struct buf *record,
                       struct arena *a, struct err *e)
{
    struct replay_block b;
    const char *why;
    buf_reset(record);
    TRY(put_block(l, record, number, e));
    if (!rc_ok(replay_parse(&b, a, buf_bytes(record), &why))) {
        return err_set(e, RC_CODE_CORRUPT, "block %" PRIu64 " is damaged: %s", number, why);
    }
    if (number > 0) {
        TRY(replay_apply(again, &b, e));
    } else if (!hash_eq(b.header.hash, again->head.hash)) {
        return err_set(e, RC_CODE_CORRUPT, "the genesis block is not what its settings give");
    }
    b.header.tx_n = b.n;
    return compare_bodies(l, again, &b.header, e);
}

static rc verify_all(struct ledger *l, struct ledger *again, struct err *e)
{
    struct arena a;
    BUF_FREE record = buf_new(REPLAY_BLOCK_MAX);
    rc r = RC_OK;
    arena_init(&a, BLOCK_MEMORY_MAX);
    for (uint64_t i = 0; i <= l->head.number && rc_ok(r); i++) {
        r = verify_block(l, again, i, &record, &a, e);
        arena_reset(&a);
    }
    TRY(r);
    if (!hash_eq(l->root, again->root)) {
        return err_set(e, RC_CODE_CORRUPT, "the state root in the database is damaged");
    }
    TRY(compare_tables(l, again, T_STATE, "the state", e));
    TRY(compare_tables(l, again, T_TREE, "the tree over the state", e));
    return compare_tables(l, again, T_LOG, "the index of logs", e);
}

rc ledger_verify(struct ledger *l, const char *scratch, struct err *e)
{
    struct bytes json, touched;
    struct ledger *again;
    if (rc_ok(store_get(l->store, T_META, META_TOUCHED, &touched))) {
        return err_set(e, RC_CODE_DENIED,
                       "the state was written by development calls outside of "
                       "blocks: this chain cannot be executed again");
    }
    rc r = store_get(l->store, T_META, BYTES_LIT("genesis"), &json);
    if (!rc_ok(r)) {
        return err_set(e, r.code, "the genesis is missing");
    }
    struct ledger_config cfg = {.dir = scratch,
                                .genesis = json,
                                .history = 0,
                                .threads = l->cfg.threads,
                                .dev = true, /* what has no signature is executed as it was */
                                .unsafe = true};
    TRY(ledger_open(&again, &cfg, e));
    r = verify_all(l, again, e);
    ledger_close(again);
    return r;
}
