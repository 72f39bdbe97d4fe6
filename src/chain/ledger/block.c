/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - blocks: made on an overlay of the state, written as one transaction of the database, and
 * taken back for development nodes. */
#include <stdlib.h>

#include "base/log.h"
#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"
#include "encoding/mpt.h"
#include "encoding/rlp.h"

#define BLOCK_BYTES_MAX ((size_t)512 << 20) /* transactions or receipts of one block */
#define TX_MEMORY_MAX   ((size_t)256 << 20) /* results and logs of one transaction */
enum { TXS_MAX = MPT_ITEMS_MAX, RECORD_HEAD = 12 };

/* Items that lie one after the other in a buffer. */
struct items {
    struct buf data;
    size_t *end;
    size_t n, alloc;
};

enum { BLOOMED_BITS = 12 };

/* An emitter or topic and its bits in a bloom filter. */
struct bloomed {
    uint8_t n; /* bytes of the name; 0: empty */
    uint8_t name[32];
    uint16_t bit[3];
};

struct maker {
    struct ledger *l;
    struct bloomed bloomed[1 << BLOOMED_BITS];
    struct place place;
    struct block b;
    struct items raw, receipts;
    struct hash *hashes; /* of the transactions */
    size_t hashes_alloc;
    struct buf chunks; /* all chunks, plain */
    size_t *chunk_end; /* of chunks, and the index behind each */
    uint64_t *chunk_next;
    size_t chunk_n, chunk_alloc;
    struct buf logs;   /* of the transaction at hand, packed */
    struct buf packed; /* a record */
    struct log_index index;
    uint64_t log_n;
    struct arena mem; /* of the transaction at hand */
    struct tree_change *change;
    size_t change_n, change_alloc;
    struct undo *undo;
};

static void *must(void *p)
{
    ASSERT(p != NULL);
    return p;
}

struct maker *maker_new(struct ledger *l)
{
    struct maker *m = must(calloc(1, sizeof(*m)));
    m->l = l;
    m->raw.data = m->receipts.data = m->chunks = m->logs = m->packed = buf_new(BLOCK_BYTES_MAX);
    arena_init(&m->mem, TX_MEMORY_MAX);
    return m;
}

void maker_free(struct maker *m)
{
    if (m == NULL) {
        return;
    }
    buf_free(&m->raw.data);
    buf_free(&m->receipts.data);
    buf_free(&m->chunks);
    buf_free(&m->logs);
    buf_free(&m->packed);
    free(m->raw.end);
    free(m->receipts.end);
    free(m->hashes);
    free(m->chunk_end);
    free(m->chunk_next);
    free(m->change);
    log_index_free(&m->index);
    arena_reset(&m->mem);
    free(m);
}

/* What a large block took is given back with the next one. */
static void shrink(struct buf *b)
{
    if (b->alloc > (size_t)8 << 20) {
        buf_free(b);
    } else {
        buf_reset(b);
    }
}

void maker_begin(struct maker *m, const struct place *p, struct bytes extra)
{
    m->place = *p;
    shrink(&m->raw.data);
    shrink(&m->receipts.data);
    shrink(&m->chunks);
    m->raw.n = m->receipts.n = m->chunk_n = m->index.n = m->change_n = 0;
    m->log_n = 0;
    m->b = (struct block){.number = p->number,
                          .parent = m->l->head.hash,
                          .miner = p->coinbase,
                          .gas_limit = p->gas_limit,
                          .timestamp = p->time,
                          .base_fee = p->base_fee,
                          .extra = extra};
    state_reset(m->l->work);
}

uint64_t maker_count(const struct maker *m)
{
    return m->b.tx_n;
}

static void items_end(struct items *x)
{
    if (x->n == x->alloc) {
        x->alloc = x->alloc == 0 ? 256 : 2 * x->alloc;
        x->end = must(realloc(x->end, x->alloc * sizeof(*x->end)));
    }
    x->end[x->n++] = x->data.n;
}

static void chunk_end(struct maker *m)
{
    if (m->chunk_n == m->chunk_alloc) {
        m->chunk_alloc = m->chunk_alloc == 0 ? 64 : 2 * m->chunk_alloc;
        m->chunk_end = must(realloc(m->chunk_end, m->chunk_alloc * sizeof(*m->chunk_end)));
        m->chunk_next = must(realloc(m->chunk_next, m->chunk_alloc * sizeof(*m->chunk_next)));
    }
    m->chunk_end[m->chunk_n] = m->chunks.n;
    m->chunk_next[m->chunk_n++] = m->b.tx_n;
}

/* bloom_add(), but the keccak of names that come again and again is kept. */
static void bloom_name(struct maker *m, uint8_t bloom[256], struct bytes name)
{
    uint32_t at;
    memcpy(&at, name.p + name.n - 4, sizeof(at));
    struct bloomed *b = &m->bloomed[(at * 0x9e3779b1u) >> (32 - BLOOMED_BITS)];
    if (b->n != name.n || memcmp(b->name, name.p, name.n) != 0) {
        struct hash h = keccak256(name);
        b->n = (uint8_t)name.n;
        memcpy(b->name, name.p, name.n);
        for (size_t i = 0; i < 3; i++) {
            b->bit[i] = (uint16_t)((h.b[2 * i] << 8 | h.b[2 * i + 1]) & 2047);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        bloom[255 - b->bit[i] / 8] |= (uint8_t)(1u << b->bit[i] % 8);
    }
}

static void bloom_log(struct maker *m, uint8_t bloom[256], const struct log *l)
{
    bloom_name(m, bloom, BYTES_OF(l->address));
    for (size_t i = 0; i < l->topics_n; i++) {
        bloom_name(m, bloom, BYTES_OF(l->topics[i]));
    }
}

/* Bloom, index, receipt and packed logs of what a transaction emitted. */
static void take_logs(struct maker *m, const struct done *d, unsigned type)
{
    struct receipt r = {.type = type, .ok = d->ok, .cumulative_gas = m->b.gas_used};
    r.logs = must(calloc(d->logs_n + 1, sizeof(struct log)));
    r.logs_n = d->logs_n;
    buf_reset(&m->logs);
    for (size_t i = 0; i < d->logs_n; i++) {
        const struct poco_log *p = &d->logs[i];
        struct log *log = &r.logs[i];
        log->address = p->emitter;
        log->topics_n = p->topics_n;
        memcpy(log->topics, p->topics, sizeof(log->topics));
        log->data = p->data;
        bloom_log(m, r.bloom, log);
        log_index_add(&m->index, p->emitter, p->topics, p->topics_n, m->b.tx_n);
        body_put_log(&m->logs, p->emitter, p->topics, p->topics_n, p->data);
    }
    for (size_t i = 0; i < sizeof(r.bloom); i++) {
        m->b.bloom[i] |= r.bloom[i];
    }
    receipt_put(&m->receipts.data, &r);
    items_end(&m->receipts);
    free(r.logs);
}

static void take_tx(struct maker *m, const struct tx_in *t, const struct done *d)
{
    m->b.gas_used += d->gas_used;
    take_logs(m, d, t->e.type);
    put_bytes(&m->raw.data, t->raw);
    items_end(&m->raw);
    body_put_tx(&m->chunks, &(struct body_tx){.raw = t->raw,
                                              .from = t->from,
                                              .ok = d->ok,
                                              .unsigned_ = t->unsigned_,
                                              .gas_used = d->gas_used,
                                              .cumulative_gas = m->b.gas_used,
                                              .first_log = m->log_n,
                                              .logs_n = d->logs_n,
                                              .logs = buf_bytes(&m->logs)});
    m->log_n += d->logs_n;
    if (m->b.tx_n == m->hashes_alloc) {
        m->hashes_alloc = m->hashes_alloc == 0 ? 256 : 2 * m->hashes_alloc;
        m->hashes = must(realloc(m->hashes, m->hashes_alloc * sizeof(*m->hashes)));
    }
    m->hashes[m->b.tx_n++] = t->hash;
    size_t begun = m->chunk_n > 0 ? m->chunk_end[m->chunk_n - 1] : 0;
    if (m->chunks.n - begun >= BODY_CHUNK) {
        chunk_end(m);
    }
}

rc maker_add(struct maker *m, const struct tx_in *t, const char **why)
{
    struct done d;
    if (t->e.gas > m->b.gas_limit - m->b.gas_used || m->b.tx_n == TXS_MAX ||
        m->chunks.n > BLOCK_BYTES_MAX / 4) {
        *why = "the block's gas limit is reached";
        return RC(LIMIT);
    }
    rc r = exec_tx(m->l->work, &m->place, &t->e, t->from, &m->mem, &d, why);
    if (rc_ok(r)) {
        take_tx(m, t, &d);
    }
    arena_reset(&m->mem);
    return r;
}

/* --- writing --- */

static rc node_get(void *ctx, struct bytes key, struct bytes *node)
{
    return store_wget(ctx, T_TREE, key, node);
}

static rc node_put(void *ctx, struct bytes key, struct bytes node)
{
    return node.n > 0 ? store_put(ctx, T_TREE, key, node) : store_del(ctx, T_TREE, key);
}

static void tree_add(struct maker *m, struct bytes key, struct bytes value)
{
    if (m->change_n == m->change_alloc) {
        m->change_alloc = m->change_alloc == 0 ? 256 : 2 * m->change_alloc;
        m->change = must(realloc(m->change, m->change_alloc * sizeof(*m->change)));
    }
    m->change[m->change_n++] = (struct tree_change){
        .path = tree_path(key), .content = tree_content(value), .removed = value.p == NULL};
}

static rc put_record(struct maker *m, struct bytes key, struct bytes value)
{
    tree_add(m, key, value);
    if (value.p == NULL) {
        return store_del(m->l->store, T_STATE, key);
    }
    buf_reset(&m->packed);
    squeeze_put(&m->packed, value);
    return store_put(m->l->store, T_STATE, key, buf_bytes(&m->packed));
}

static rc on_change(void *ctx, struct bytes key, struct bytes value, struct bytes before)
{
    struct maker *m = ctx;
    undo_add(m->undo, key, before);
    return put_record(m, key, value);
}

/* The tree and what is written beside every change of the state. */
static rc update_root(struct maker *m, uint64_t height, struct hash *root)
{
    uint8_t head[8 + 32];
    struct tree_io io = {m->l->store, node_get, node_put};
    *root = m->l->root;
    TRY(tree_update(root, &io, m->change, m->change_n));
    m->change_n = 0;
    key_be64(head, height);
    memcpy(head + 8, root->b, sizeof(root->b));
    return store_put(m->l->store, T_META, BYTES_LIT("head"), (struct bytes){head, sizeof(head)});
}

rc state_write(struct ledger *l, struct undo *u, struct err *e)
{
    struct maker *m = l->maker;
    struct hash root;
    m->change_n = 0;
    m->undo = u;
    TRY(store_begin(l->store, e));
    rc r = state_changes(l->work, on_change, m);
    r = rc_ok(r) ? update_root(m, l->head.number, &root) : r;
    r = rc_ok(r) ? store_put(l->store, T_META, META_TOUCHED, BYTES_LIT("1")) : r;
    if (!rc_ok(r)) {
        store_abort(l->store);
        return err_set(e, r.code, "the state or its tree is damaged");
    }
    TRY(store_commit(l->store, e));
    l->root = root;
    ledger_moved(l);
    return RC_OK;
}

/* Adds a place to the rows of an 8-byte key: several names may begin alike. */
static rc put_place(struct store *s, enum table t, struct hash h, struct bytes place)
{
    struct bytes key = {h.b, 8}, have;
    rc r = store_wget(s, t, key, &have);
    if (r.code == RC_CODE_NOT_FOUND) {
        return store_put(s, t, key, place);
    }
    TRY(r);
    BUF_FREE b = buf_new(400);
    put_bytes(&b, have);
    put_bytes(&b, place);
    return b.full ? RC(CORRUPT) : store_put(s, t, key, buf_bytes(&b));
}

static rc remove_place(struct store *s, enum table t, struct hash h, struct bytes place)
{
    struct bytes key = {h.b, 8}, have;
    rc r = store_wget(s, t, key, &have);
    if (r.code == RC_CODE_NOT_FOUND) {
        return RC_OK;
    }
    TRY(r);
    BUF_FREE b = buf_new(400);
    for (size_t i = 0; i + place.n <= have.n; i += place.n) {
        struct bytes one = {have.p + i, place.n};
        put_bytes(&b, bytes_eq(one, place) ? (struct bytes){0} : one);
    }
    return b.n == 0 ? store_del(s, t, key) : store_put(s, t, key, buf_bytes(&b));
}

static struct bytes tx_place(uint8_t out[12], uint64_t number, uint64_t index)
{
    struct buf b = {.p = out, .alloc = 12, .cap = 12};
    put_be(&b, number, 8);
    put_be(&b, index, 4);
    return buf_bytes(&b);
}

static rc write_body(struct maker *m)
{
    struct store *s = m->l->store;
    uint8_t place[12];
    size_t begun = m->chunk_n > 0 ? m->chunk_end[m->chunk_n - 1] : 0;
    if (m->chunks.n > begun) {
        chunk_end(m);
    }
    for (size_t i = 0; i < m->chunk_n; i++) {
        size_t from = i > 0 ? m->chunk_end[i - 1] : 0;
        uint64_t first = i > 0 ? m->chunk_next[i - 1] : 0;
        TRY(body_write(m->l->body, m->b.number, first, m->chunk_next[i] - first,
                       (struct bytes){m->chunks.p + from, m->chunk_end[i] - from}));
    }
    for (uint64_t i = 0; i < m->b.tx_n; i++) {
        TRY(put_place(s, T_TX, m->hashes[i], tx_place(place, m->b.number, i)));
    }
    return log_index_write(&m->index, s, m->b.number);
}

static rc write_undo(struct maker *m, struct undo *u)
{
    uint64_t keep = m->l->cfg.history, n = m->b.number;
    if (n == 0) {
        return RC_OK; /* nothing is before the genesis */
    }
    TRY(undo_write(m->l->store, n, u));
    if (keep == UINT64_MAX || n <= keep) {
        return RC_OK;
    }
    uint8_t key[8] = {0};
    struct bytes found, value; /* all that are too old: fewer may be kept than before */
    rc r = store_seek(m->l->store, T_UNDO, BYTES_OF(key), &found, &value);
    while (rc_ok(r)) {
        struct cur c = cur_of(found);
        uint64_t at = take_be(&c, 8);
        if (at > n - keep) {
            return RC_OK;
        }
        key_be64(key, at);
        TRY(store_del(m->l->store, T_UNDO, BYTES_OF(key)));
        r = store_next(m->l->store, T_UNDO, &found, &value);
    }
    return r.code == RC_CODE_NOT_FOUND ? RC_OK : r;
}

static struct hash root_of(const struct items *x)
{
    struct bytes *item = must(calloc(x->n + 1, sizeof(*item)));
    for (size_t i = 0; i < x->n; i++) {
        size_t from = i > 0 ? x->end[i - 1] : 0;
        item[i] = (struct bytes){x->data.p + from, x->end[i] - from};
    }
    struct hash h = mpt_list_root(item, x->n);
    free(item);
    return h;
}

static void on_root(void *ctx, size_t i)
{
    struct maker *m = ctx;
    if (i == 0) {
        m->b.tx_root = root_of(&m->raw);
    } else {
        m->b.receipts_root = root_of(&m->receipts);
    }
}

/* Bytes of the block as Ethereum would send it: [header, [transaction, …], []]. */
static uint64_t size_of(const struct maker *m, size_t header)
{
    size_t txs = 0;
    for (size_t i = 0; i < m->raw.n; i++) {
        size_t from = i > 0 ? m->raw.end[i - 1] : 0;
        struct bytes raw = {m->raw.data.p + from, m->raw.end[i] - from};
        txs += raw.p[0] < 0x80 ? rlp_size_str(raw) : raw.n;
    }
    size_t all = header + rlp_size_head(txs) + txs + 1;
    return rlp_size_head(all) + all;
}

static rc write_header(struct maker *m, struct err *e)
{
    uint8_t key[8];
    BUF_FREE record = buf_new(4096);
    put_be(&record, m->b.tx_n, 4);
    put_zero(&record, 8);
    header_put(&record, &m->b);
    if (record.full) {
        return err_set(e, RC_CODE_LIMIT, "the header is too large");
    }
    struct bytes rlp = {record.p + RECORD_HEAD, record.n - RECORD_HEAD};
    m->b.hash = keccak256(rlp);
    m->b.size = size_of(m, rlp.n);
    key_be64(record.p + 4, m->b.size);
    key_be64(key, m->b.number);
    TRY(store_append(m->l->store, T_BLOCK, BYTES_OF(key), buf_bytes(&record)));
    return put_place(m->l->store, T_HASH, m->b.hash, BYTES_OF(key));
}

static rc write_all(struct maker *m, struct undo *u, struct err *e)
{
    m->undo = u;
    TRY(state_changes(m->l->work, on_change, m));
    TRY(update_root(m, m->b.number, &m->b.state_root));
    TRY(write_header(m, e));
    TRY(write_body(m));
    return write_undo(m, u);
}

rc maker_finish(struct maker *m, struct block *out, struct err *e)
{
    struct undo u = {0};
    if (m->raw.data.full || m->receipts.data.full || m->chunks.full || m->logs.full) {
        return err_set(e, RC_CODE_LIMIT, "the block is too large");
    }
    workers_run(m->l->workers, 2, on_root, m);
    TRY(store_begin(m->l->store, e));
    rc r = write_all(m, &u, e);
    undo_free(&u);
    if (!rc_ok(r)) {
        store_abort(m->l->store);
        return err_set(e, r.code,
                       "block %llu cannot be written: the database refused it, or the "
                       "state and its tree are damaged (see the log)",
                       (unsigned long long)m->b.number);
    }
    *out = m->b;
    return RC_OK;
}

void block_adopt(struct ledger *l, const struct block *b)
{
    l->head = *b;
    l->head.extra = (struct bytes){0};
    l->root = b->state_root;
    ledger_moved(l);
}

/* --- taking back --- */

rc undo_apply(struct ledger *l, struct bytes record)
{
    struct maker *m = l->maker;
    m->change_n = 0;
    for (uint64_t i = 0; i < undo_n(record); i++) {
        struct bytes key, before;
        TRY(undo_at(record, i, &l->record, &key, &before));
        TRY(put_record(m, key, before));
    }
    return RC_OK;
}

static rc remove_body(struct ledger *l, uint64_t number, uint64_t n)
{
    struct log_index index = {0};
    uint8_t place[12];
    rc r = RC_OK;
    for (uint64_t i = 0; i < n && rc_ok(r); i++) {
        struct body_tx t;
        struct log log;
        r = body_read(l->body, number, i, &t);
        struct cur c = cur_of(rc_ok(r) ? t.logs : (struct bytes){0});
        while (c.n > 0) {
            body_take_log(&c, &log);
            log_index_add(&index, log.address, log.topics, log.topics_n, i);
        }
        if (rc_ok(r)) {
            struct hash h = t.unsigned_ ? keccak256_2(t.raw, BYTES_OF(t.from)) : eth_tx_hash(t.raw);
            r = remove_place(l->store, T_TX, h, tx_place(place, number, i));
        }
    }
    r = rc_ok(r) ? log_index_remove(&index, l->store, number) : r;
    log_index_free(&index);
    return rc_ok(r) ? body_remove(l->body, number) : r;
}

static rc remove_all(struct ledger *l, struct hash *root)
{
    uint8_t key[8];
    struct bytes record;
    key_be64(key, l->head.number);
    TRY(store_get(l->store, T_UNDO, BYTES_OF(key), &record));
    TRY(undo_apply(l, record));
    TRY(update_root(l->maker, l->head.number - 1, root));
    TRY(remove_body(l, l->head.number, l->head.tx_n));
    TRY(remove_place(l->store, T_HASH, l->head.hash, BYTES_OF(key)));
    TRY(store_del(l->store, T_BLOCK, BYTES_OF(key)));
    return store_del(l->store, T_UNDO, BYTES_OF(key));
}

rc block_undo(struct ledger *l, struct err *e)
{
    struct hash root;
    if (l->head.number == 0) {
        return err_set(e, RC_CODE_NOT_FOUND, "the genesis cannot be taken back");
    }
    TRY(store_begin(l->store, e));
    rc r = remove_all(l, &root);
    if (!rc_ok(r)) {
        store_abort(l->store);
        return err_set(e, r.code, "block %llu cannot be taken back",
                       (unsigned long long)l->head.number);
    }
    TRY(store_commit(l->store, e));
    body_forget(l->body);
    return load_head(l, e);
}
