/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - the index of logs and its questions. Each emitter and each topic at its place has a row
 * per block that names the transactions: key = 8 bytes of a mix ‖ number 8, value = indexes as
 * varints of differences, or empty when they are many: then the block is read through. Two names
 * that mix to the same key cost time only: every log is compared in the end. */
#include <stdlib.h>

#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"
#include "encoding/varint.h"

enum { KEY = 16, LISTED_MAX = 512, COUNT_MAX = 2000, PLACE_EMITTER = 4 };

struct log_ref {
    uint64_t key;
    uint64_t tx;
};

static uint64_t mix(uint64_t place, struct bytes name)
{
    uint64_t h = place * 0x9e3779b97f4a7c15u + name.n;
    for (size_t i = 0; i + 4 <= name.n; i += 4) {
        uint32_t w;
        memcpy(&w, name.p + i, 4);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static void add(struct log_index *x, uint64_t key, uint64_t tx)
{
    if (x->n == x->alloc) {
        x->alloc = x->alloc == 0 ? 1024 : 2 * x->alloc;
        x->v = realloc(x->v, x->alloc * sizeof(*x->v));
        ASSERT(x->v != NULL);
    }
    x->v[x->n++] = (struct log_ref){key, tx};
}

void log_index_add(struct log_index *x, struct address emitter, const struct hash *topics,
                   size_t topics_n, uint64_t tx_index)
{
    add(x, mix(PLACE_EMITTER, BYTES_OF(emitter)), tx_index);
    for (size_t i = 0; i < topics_n; i++) {
        add(x, mix(i, BYTES_OF(topics[i])), tx_index);
    }
}

void log_index_free(struct log_index *x)
{
    free(x->v);
    *x = (struct log_index){0};
}

static int by_key(const void *a, const void *b)
{
    const struct log_ref *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return (x->tx > y->tx) - (x->tx < y->tx);
}

static struct bytes row_key(uint8_t out[KEY], uint64_t key, uint64_t number)
{
    key_be64(out, key);
    key_be64(out + 8, number);
    return (struct bytes){out, KEY};
}

/* One call for each key of the sorted index. */
static rc each_row(struct log_index *x, struct store *s, uint64_t number, bool remove)
{
    BUF_FREE list = buf_new(1 << 20);
    uint8_t key[KEY];
    if (x->n > 1) {
        qsort(x->v, x->n, sizeof(*x->v), by_key);
    }
    for (size_t i = 0, end; i < x->n; i = end) {
        uint64_t last = 0, listed = 0;
        buf_reset(&list);
        for (end = i; end < x->n && x->v[end].key == x->v[i].key; end++) {
            if (end == i || x->v[end].tx != last) {
                put_varint(&list, x->v[end].tx - last);
                last = x->v[end].tx;
                listed++;
            }
        }
        struct bytes k = row_key(key, x->v[i].key, number);
        if (remove) {
            TRY(store_del(s, T_LOG, k));
        } else {
            TRY(store_put(s, T_LOG, k, listed > LISTED_MAX ? (struct bytes){0} : buf_bytes(&list)));
        }
    }
    return RC_OK;
}

rc log_index_write(struct log_index *x, struct store *s, uint64_t number)
{
    return each_row(x, s, number, false);
}

rc log_index_remove(struct log_index *x, struct store *s, uint64_t number)
{
    return each_row(x, s, number, true);
}

/* --- questions --- */

static bool one_of(const struct hash *any, size_t n, struct hash h)
{
    for (size_t i = 0; i < n; i++) {
        if (hash_eq(any[i], h)) {
            return true;
        }
    }
    return n == 0;
}

static bool fits(const struct log_query *q, const struct log *l)
{
    bool ok = q->addresses_n == 0;
    for (size_t i = 0; i < q->addresses_n && !ok; i++) {
        ok = address_eq(q->addresses[i], l->address);
    }
    ok = ok && q->topics_n <= l->topics_n;
    for (size_t i = 0; i < q->topics_n && ok; i++) {
        ok = one_of(q->topics[i].any, q->topics[i].n, l->topics[i]);
    }
    return ok;
}

struct asked {
    struct ledger *l;
    const struct log_query *q;
    bool (*fn)(void *ctx, const struct log *);
    void *ctx;
    struct block block; /* the one at hand */
    bool known, stop;
};

static rc ask_tx(struct asked *k, uint64_t index, const struct body_tx *t)
{
    struct cur c = cur_of(t->logs);
    struct log log = {.tx_index = index};
    bool hashed = false;
    for (uint64_t i = 0; i < t->logs_n && !k->stop; i++) {
        body_take_log(&c, &log);
        if (c.bad != NULL) {
            return RC(CORRUPT);
        }
        if (!fits(k->q, &log)) {
            continue;
        }
        if (!hashed) {
            log.tx_hash =
                t->unsigned_ ? keccak256_2(t->raw, BYTES_OF(t->from)) : eth_tx_hash(t->raw);
            hashed = true;
        }
        log.index = t->first_log + i;
        log.block_hash = k->block.hash;
        log.block_number = k->block.number;
        log.block_time = k->block.timestamp;
        k->stop = !k->fn(k->ctx, &log);
    }
    return RC_OK;
}

static rc know_block(struct asked *k, uint64_t number)
{
    if (k->known && k->block.number == number) {
        return RC_OK;
    }
    struct arena a;
    arena_init(&a, 4096);
    rc r = ledger_block(k->l, &a, number, &k->block);
    k->block.extra = (struct bytes){0};
    k->known = rc_ok(r);
    arena_reset(&a);
    return r.code == RC_CODE_NOT_FOUND ? RC(CORRUPT) : r;
}

/* All transactions of a block, or those that a row lists. */
static rc ask_block(struct asked *k, uint64_t number, struct bytes row, bool all)
{
    struct cur c = cur_of(row);
    struct body_tx t;
    TRY(know_block(k, number));
    for (uint64_t i = all ? 0 : take_varint(&c); !k->stop; i += all ? 1 : take_varint(&c)) {
        rc r = c.bad != NULL ? RC(CORRUPT) : body_read(k->l->body, number, i, &t);
        if (r.code == RC_CODE_NOT_FOUND && all) {
            return RC_OK;
        }
        TRY(r);
        TRY(ask_tx(k, i, &t));
        if (!all && c.n == 0) {
            break;
        }
    }
    return RC_OK;
}

/* Rows of one name, walked in the order of blocks. */
struct walk {
    uint64_t key, number; /* of the row at hand; UINT64_MAX: at the end */
    struct bytes row;
};

static rc walk_to(struct store *s, struct walk *w, uint64_t number, uint64_t last)
{
    uint8_t key[KEY];
    struct bytes found;
    rc r = store_seek(s, T_LOG, row_key(key, w->key, number), &found, &w->row);
    w->number = UINT64_MAX;
    if (!rc_ok(r)) {
        return r.code == RC_CODE_NOT_FOUND ? RC_OK : r;
    }
    struct cur c = cur_of(found);
    bool mine = take_be(&c, 8) == w->key;
    uint64_t at = take_be(&c, 8);
    if (mine && at <= last) {
        w->number = at;
    }
    return RC_OK;
}

/* The names of one part of a query: the emitters, or the topics at a place. */
static size_t names_of(const struct log_query *q, size_t part, uint64_t *keys)
{
    size_t n = part == PLACE_EMITTER ? q->addresses_n : q->topics[part].n;
    for (size_t i = 0; keys != NULL && i < n; i++) {
        keys[i] = part == PLACE_EMITTER ? mix(part, BYTES_OF(q->addresses[i]))
                                        : mix(part, BYTES_OF(q->topics[part].any[i]));
    }
    return n;
}

static struct walk *walks_of(const struct log_query *q, size_t part, size_t n)
{
    struct walk *w = calloc(n + 1, sizeof(*w));
    uint64_t *keys = calloc(n + 1, sizeof(*keys));
    ASSERT(w != NULL && keys != NULL);
    (void)names_of(q, part, keys);
    for (size_t i = 0; i < n; i++) {
        w[i].key = keys[i];
    }
    free(keys);
    return w;
}

/* How many rows a part has in the range, counted up to a maximum. */
static rc count_rows(struct ledger *l, const struct log_query *q, size_t part, size_t *count)
{
    size_t n = names_of(q, part, NULL);
    struct walk *w = walks_of(q, part, n);
    rc r = RC_OK;
    *count = 0;
    for (size_t i = 0; i < n && rc_ok(r); i++) {
        r = walk_to(l->store, &w[i], q->from, q->to);
        while (rc_ok(r) && w[i].number != UINT64_MAX && *count < COUNT_MAX) {
            struct bytes found, row;
            (*count)++;
            r = store_next(l->store, T_LOG, &found, &row);
            struct cur c = cur_of(found);
            bool more = rc_ok(r) && take_be(&c, 8) == w[i].key && take_be(&c, 8) <= q->to;
            w[i].number = more ? 0 : UINT64_MAX;
            r = r.code == RC_CODE_NOT_FOUND ? RC_OK : r;
        }
    }
    free(w);
    return r;
}

/* Merges the rows of one part by block. */
static rc ask_part(struct asked *k, size_t part)
{
    struct store *s = k->l->store;
    size_t n = names_of(k->q, part, NULL);
    struct walk *w = walks_of(k->q, part, n);
    rc r = RC_OK;
    for (size_t i = 0; i < n && rc_ok(r); i++) {
        r = walk_to(s, &w[i], k->q->from, k->q->to);
    }
    while (rc_ok(r) && !k->stop) {
        uint64_t number = UINT64_MAX;
        size_t at_it = 0;
        struct bytes row = {0};
        for (size_t i = 0; i < n; i++) {
            if (w[i].number < number) {
                number = w[i].number;
                at_it = 0;
            }
            if (w[i].number == number && number != UINT64_MAX) {
                row = w[i].row;
                at_it++;
            }
        }
        if (number == UINT64_MAX) {
            break;
        }
        r = ask_block(k, number, row, at_it > 1 || row.n == 0);
        for (size_t i = 0; i < n && rc_ok(r); i++) {
            if (w[i].number == number) {
                r = walk_to(s, &w[i], number + 1, k->q->to);
            }
        }
    }
    free(w);
    return r;
}

rc ledger_logs(struct ledger *l, const struct log_query *q,
               bool (*fn)(void *ctx, const struct log *), void *ctx, struct err *e)
{
    struct log_query asked = *q;
    struct asked k = {.l = l, .q = &asked, .fn = fn, .ctx = ctx};
    size_t best = SIZE_MAX, part = 0;
    asked.to = MIN(asked.to, l->head.number);
    rc r = RC_OK;
    for (size_t i = 0; i <= PLACE_EMITTER && rc_ok(r); i++) {
        size_t n = 0;
        if ((i < PLACE_EMITTER && i >= q->topics_n) || names_of(q, i, NULL) == 0) {
            continue;
        }
        r = count_rows(l, &asked, i, &n);
        if (n < best) {
            best = n;
            part = i;
        }
    }
    if (rc_ok(r) && best != SIZE_MAX) {
        r = ask_part(&k, part);
    } else {
        for (uint64_t i = asked.from; i <= asked.to && rc_ok(r) && !k.stop; i++) {
            r = ask_block(&k, i, (struct bytes){0}, true);
        }
    }
    return rc_ok(r) ? RC_OK : err_set(e, r.code, "the index of logs or a block is damaged");
}
