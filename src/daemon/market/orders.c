/* SPDX-License-Identifier: Apache-2.0 */
/* orders.c - the book's database: one table for each kind of order, all with the same columns, and
 * an index for each way in which people look for them. Listings show open orders only, so most
 * indexes hold no others. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/market/market_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define SCHEMA_VERSION 1

const char *const kind_names[KINDS] = {"apporder", "datasetorder", "workerpoolorder",
                                       "requestorder"};

#define ORDERS(T)                                                                                  \
    "CREATE TABLE " T                                                                              \
    "(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, signer BLOB NOT NULL,"                    \
    " status INTEGER NOT NULL, volume INTEGER NOT NULL, remaining INTEGER NOT NULL,"               \
    " published INTEGER NOT NULL, app BLOB NOT NULL, dataset BLOB NOT NULL,"                       \
    " workerpool BLOB NOT NULL, requester BLOB NOT NULL, beneficiary BLOB NOT NULL,"               \
    " price INTEGER NOT NULL, app_max INTEGER NOT NULL, dataset_max INTEGER NOT NULL,"             \
    " category INTEGER NOT NULL, trust INTEGER NOT NULL, t0 INTEGER NOT NULL,"                     \
    " t1 INTEGER NOT NULL, t2 INTEGER NOT NULL, t3 INTEGER NOT NULL, t4 INTEGER NOT NULL,"         \
    " mask INTEGER NOT NULL, tag BLOB NOT NULL, block INTEGER NOT NULL, body TEXT NOT NULL);"      \
    "CREATE INDEX " T "_price ON " T                                                               \
    "(price, published, hash) WHERE status = 0;"                                                   \
    "CREATE INDEX " T "_signer ON " T                                                              \
    "(signer, price, published, hash) WHERE status = 0;"                                           \
    "CREATE INDEX " T "_block ON " T "(block) WHERE block > 0;"

/* What listings filter by most stands in the index, so that orders that do not fit cost no more than
 * a step in it. */
#define MAIN(T, col)                                                                               \
    "CREATE INDEX " T "_" col " ON " T "(" col                                                     \
    ", price, published, hash, mask, remaining, t0,"                                               \
    " trust) WHERE status = 0;"

/* Orders that are restricted to somebody: few of all, found by whom. */
#define RESTRICTED(T, col, bit)                                                                    \
    "CREATE INDEX " T "_to_" col " ON " T "(" col ") WHERE status = 0 AND (mask & " bit ") <> 0;"

/* How many open orders there are for each value of a column people look by, and each mask, tag and
 * trust: what a listing tells as `count` without walking over all of them. Triggers keep it true. */
#define TALLY(T, row, sign, col, key)                                                              \
    "INSERT INTO tally VALUES('" T "', '" col "', " key ", " row ".mask, " row ".t0, " row         \
    ".trust, 1) ON CONFLICT DO UPDATE SET n = n " sign " 1;"
#define TALLIES(T, row, sign, a, b)                                                                \
    TALLY(T, row, sign, "", "x''")                                                                 \
    TALLY(T, row, sign, "signer", row ".signer")                                                   \
    TALLY(T, row, sign, a, row "." a) TALLY(T, row, sign, b, row "." b)
#define TRIGGERS(T, a, b)                                                                          \
    "CREATE TRIGGER " T "_in AFTER INSERT ON " T " WHEN new.status = 0 BEGIN " TALLIES(             \
        T, "new", "+", a, b) "END;"                                                                \
    "CREATE TRIGGER " T "_out AFTER DELETE ON " T " WHEN old.status = 0 BEGIN " TALLIES(            \
        T, "old", "-", a, b) "END;"                                                                \
    "CREATE TRIGGER " T "_close AFTER UPDATE OF status ON " T " WHEN old.status = 0 AND"            \
    " new.status <> 0 BEGIN " TALLIES(T, "old", "-", a, b) "END;"                                  \
    "CREATE TRIGGER " T "_open AFTER UPDATE OF status ON " T " WHEN old.status <> 0 AND"            \
    " new.status = 0 BEGIN " TALLIES(T, "new", "+", a, b) "END;"

/* In pieces: one string may not be longer than 4,095 characters in standard C. */
static const char *const schema[] = {
    ORDERS("apporder"),
    ORDERS("datasetorder"),
    ORDERS("workerpoolorder"),
    ORDERS("requestorder"),
    MAIN("apporder", "app") MAIN("datasetorder", "dataset"),
    MAIN("workerpoolorder", "workerpool") MAIN("workerpoolorder", "category"),
    MAIN("requestorder", "category"),
    "CREATE INDEX requestorder_app ON requestorder(app, price, published, hash) WHERE status = 0;"
    "CREATE INDEX requestorder_dataset ON requestorder(dataset, price, published, hash)"
    " WHERE status = 0;"
    "CREATE INDEX requestorder_desc ON requestorder(price DESC, published, hash) WHERE status = 0;"
    "CREATE INDEX requestorder_cat_desc ON requestorder(category, price DESC, published, hash)"
    " WHERE status = 0;",
    RESTRICTED("apporder", "dataset", "2") RESTRICTED("apporder", "workerpool", "4")
        RESTRICTED("apporder", "requester", "8") RESTRICTED("datasetorder", "app", "1")
            RESTRICTED("datasetorder", "workerpool", "4")
                RESTRICTED("datasetorder", "requester", "8"),
    RESTRICTED("workerpoolorder", "app", "1") RESTRICTED("workerpoolorder", "dataset", "2")
        RESTRICTED("workerpoolorder", "requester", "8")
            RESTRICTED("requestorder", "workerpool", "4"),
    "CREATE TABLE tally(kind TEXT, col TEXT, key BLOB, mask INTEGER, t0 INTEGER, trust INTEGER,"
    " n INTEGER NOT NULL, PRIMARY KEY(kind, col, key, mask, t0, trust)) WITHOUT ROWID;",
    TRIGGERS("apporder", "app", "dataset"),
    TRIGGERS("datasetorder", "dataset", "app"),
    TRIGGERS("workerpoolorder", "workerpool", "category"),
    TRIGGERS("requestorder", "app", "category"),
    "CREATE TABLE deal(id BLOB PRIMARY KEY, block INTEGER NOT NULL, category INTEGER NOT NULL,"
    " requester BLOB NOT NULL, beneficiary BLOB NOT NULL, app BLOB NOT NULL, dataset BLOB NOT NULL,"
    " workerpool BLOB NOT NULL, appOwner BLOB NOT NULL, datasetOwner BLOB NOT NULL,"
    " workerpoolOwner BLOB NOT NULL, apporderHash BLOB NOT NULL, datasetorderHash BLOB NOT NULL,"
    " workerpoolorderHash BLOB NOT NULL, requestorderHash BLOB NOT NULL, time INTEGER NOT NULL,"
    " price INTEGER NOT NULL, volume INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX deal_block ON deal(block DESC, id);"
    "CREATE INDEX deal_category ON deal(category, block DESC, id);"
    "CREATE INDEX deal_requester ON deal(requester, block DESC, id);"
    "CREATE INDEX deal_beneficiary ON deal(beneficiary, block DESC, id);"
    "CREATE INDEX deal_app ON deal(app, block DESC, id);"
    "CREATE INDEX deal_dataset ON deal(dataset, block DESC, id);"
    "CREATE INDEX deal_workerpool ON deal(workerpool, block DESC, id);"
    "CREATE INDEX deal_apporder ON deal(apporderHash, block DESC, id);"
    "CREATE INDEX deal_datasetorder ON deal(datasetorderHash, block DESC, id);"
    "CREATE INDEX deal_workerpoolorder ON deal(workerpoolorderHash, block DESC, id);"
    "CREATE INDEX deal_requestorder ON deal(requestorderHash, block DESC, id);"
    "CREATE TABLE category(id INTEGER PRIMARY KEY, timeref INTEGER NOT NULL, block INTEGER NOT "
    "NULL,"
    " body TEXT NOT NULL);"
    "CREATE TABLE state(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
};

const char order_columns[] =
    "hash, signer, status, volume, remaining, published, app, dataset, workerpool, requester,"
    " beneficiary, price, app_max, dataset_max, category, trust, tag, mask, body";

static rc prepare(struct market *m, struct stmt **to, struct err *e, const char *fmt,
                  const char *table)
{
    BUF_FREE b = buf_new(2048);
    for (const char *p = fmt; *p != '\0'; p++) { /* $: the table; @: the columns of an order */
        if (*p == '$') {
            put_str(&b, table);
        } else if (*p == '@') {
            put_str(&b, order_columns);
        } else {
            put_u8(&b, (uint8_t)*p);
        }
    }
    *to = db_prepare(m->db, buf_cstr(&b), e);
    return *to == NULL ? RC(IO) : RC_OK;
}

static rc prepare_kind(struct market *m, enum order_kind k, struct err *e)
{
    const char *t = kind_names[k];
    TRY(prepare(
        m, &m->put[k], e,
        "INSERT INTO $(hash, signer, status, volume, remaining, published, app,"
        " dataset, workerpool, requester, beneficiary, price, app_max, dataset_max,"
        " category, trust, tag, mask, body, t0, t1, t2, t3, t4, block) VALUES(?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        t));
    TRY(prepare(m, &m->get[k], e, "SELECT @ FROM $ WHERE hash = ?", t));
    TRY(prepare(m, &m->set[k], e,
                "UPDATE $ SET remaining = ?, status = ?, block = max(block, ?) WHERE hash = ?", t));
    TRY(prepare(m, &m->drop[k], e, "DELETE FROM $ WHERE hash = ?", t));
    TRY(prepare(m, &m->count_open[k], e, "SELECT count(*) FROM $ WHERE status = 0 AND signer = ?",
                t));
    TRY(prepare(m, &m->count_all[k], e, "SELECT count(*) FROM $ WHERE status = 0", t));
    TRY(prepare(m, &m->open_of_signer[k], e,
                "SELECT @ FROM $ WHERE status = 0 AND signer = ? ORDER BY price, published, hash",
                t));
    return prepare(m, &m->touched[k], e, "SELECT @ FROM $ WHERE block >= ? AND block > 0", t);
}

rc book_open(struct market *m, struct err *e)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/market.db", m->cfg.dir);
    BUF_FREE all = buf_new(65536);
    for (size_t i = 0; i < ARRAY_LEN(schema); i++) {
        put_str(&all, schema[i]);
    }
    TRY(db_open(&m->db, path, buf_cstr(&all), SCHEMA_VERSION, e));
    TRY(db_exec(m->db, "PRAGMA cache_size=-16384; PRAGMA mmap_size=4294967296;", e));
    for (int k = 0; k < KINDS; k++) {
        TRY(prepare_kind(m, (enum order_kind)k, e));
    }
    TRY(prepare(
        m, &m->deal_put, e,
        "INSERT OR REPLACE INTO deal VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?)",
        ""));
    TRY(prepare(m, &m->deal_get, e, "SELECT body FROM deal WHERE id = ?", ""));
    TRY(prepare(m, &m->deal_drop, e, "DELETE FROM deal WHERE block >= ?", ""));
    TRY(prepare(m, &m->cat_put, e, "INSERT OR REPLACE INTO category VALUES(?, ?, ?, ?)", ""));
    TRY(prepare(m, &m->cat_get, e, "SELECT body FROM category WHERE id = ?", ""));
    TRY(prepare(m, &m->cat_max, e, "SELECT count(*) FROM category", ""));
    TRY(prepare(m, &m->state_put, e, "INSERT OR REPLACE INTO state VALUES(?, ?)", ""));
    return prepare(m, &m->state_get, e, "SELECT value FROM state WHERE name = ?", "");
}

/* Words of 56 bits, lowest first: SQLite's integers hold them without a sign. */
void tag_words(uint64_t out[TAG_WORDS], struct hash tag)
{
    size_t end = sizeof(tag.b);
    for (size_t w = 0; w < TAG_WORDS; w++) {
        size_t n = MIN(end, (size_t)7);
        out[w] = 0;
        for (size_t i = end - n; i < end; i++) {
            out[w] = out[w] << 8 | tag.b[i];
        }
        end -= n;
    }
}

uint64_t order_mask(const struct order_row *o)
{
    uint64_t t[TAG_WORDS];
    tag_words(t, o->tag);
    return (address_is_zero(o->app) ? 0 : MASK_APP) |
           (address_is_zero(o->dataset) ? 0 : MASK_DATASET) |
           (address_is_zero(o->workerpool) ? 0 : MASK_WORKERPOOL) |
           (address_is_zero(o->requester) ? 0 : MASK_REQUESTER) |
           ((t[1] | t[2] | t[3] | t[4]) == 0 ? 0 : MASK_HIGH_TAG);
}

rc order_put(struct market *m, const struct order_row *o, struct err *e)
{
    struct stmt *s = m->put[o->kind];
    uint64_t t[TAG_WORDS];
    tag_words(t, o->tag);
    stmt_bind_bytes(s, 1, BYTES_OF(o->hash));
    stmt_bind_bytes(s, 2, BYTES_OF(o->signer));
    stmt_bind_u64(s, 3, o->status);
    stmt_bind_u64(s, 4, o->volume);
    stmt_bind_u64(s, 5, o->remaining);
    stmt_bind_u64(s, 6, o->published_ms);
    stmt_bind_bytes(s, 7, BYTES_OF(o->app));
    stmt_bind_bytes(s, 8, BYTES_OF(o->dataset));
    stmt_bind_bytes(s, 9, BYTES_OF(o->workerpool));
    stmt_bind_bytes(s, 10, BYTES_OF(o->requester));
    stmt_bind_bytes(s, 11, BYTES_OF(o->beneficiary));
    stmt_bind_u64(s, 12, o->price);
    stmt_bind_u64(s, 13, o->app_max);
    stmt_bind_u64(s, 14, o->dataset_max);
    stmt_bind_u64(s, 15, o->category);
    stmt_bind_u64(s, 16, o->trust);
    stmt_bind_bytes(s, 17, BYTES_OF(o->tag));
    stmt_bind_u64(s, 18, order_mask(o));
    stmt_bind_text(s, 19, o->body);
    for (int i = 0; i < TAG_WORDS; i++) {
        stmt_bind_u64(s, 20 + i, t[i]);
    }
    return stmt_run(s, e);
}

static struct address address_at(struct stmt *s, int i)
{
    struct address a = {0};
    struct bytes b = stmt_bytes(s, i);
    if (b.n == sizeof(a.b)) {
        memcpy(a.b, b.p, b.n);
    }
    return a;
}

static struct hash hash_at(struct stmt *s, int i)
{
    struct hash h = {0};
    struct bytes b = stmt_bytes(s, i);
    if (b.n == sizeof(h.b)) {
        memcpy(h.b, b.p, b.n);
    }
    return h;
}

rc order_read(struct order_row *o, struct arena *a, enum order_kind kind, struct stmt *s)
{
    *o = (struct order_row){
        .kind = kind,
        .hash = hash_at(s, 0),
        .signer = address_at(s, 1),
        .status = (enum order_status)stmt_u64(s, 2),
        .volume = stmt_u64(s, 3),
        .remaining = stmt_u64(s, 4),
        .published_ms = stmt_u64(s, 5),
        .app = address_at(s, 6),
        .dataset = address_at(s, 7),
        .workerpool = address_at(s, 8),
        .requester = address_at(s, 9),
        .beneficiary = address_at(s, 10),
        .price = stmt_u64(s, 11),
        .app_max = stmt_u64(s, 12),
        .dataset_max = stmt_u64(s, 13),
        .category = stmt_u64(s, 14),
        .trust = stmt_u64(s, 15),
        .tag = hash_at(s, 16),
    };
    const char *body = stmt_text(s, 18);
    size_t n = strlen(body);
    char *copy = arena_alloc(a, n + 1);
    if (copy == NULL) {
        return RC(LIMIT);
    }
    memcpy(copy, body, n);
    o->body = copy;
    return RC_OK;
}

rc order_get(struct market *m, struct order_row *o, struct arena *a, bool *found,
             enum order_kind kind, struct hash hash, struct err *e)
{
    struct stmt *s = m->get[kind];
    stmt_bind_bytes(s, 1, BYTES_OF(hash));
    rc r = stmt_step(s, found, e);
    if (rc_ok(r) && *found) {
        r = order_read(o, a, kind, s);
    }
    stmt_reset(s);
    return r;
}

rc order_set(struct market *m, enum order_kind kind, struct hash hash, uint64_t remaining,
             enum order_status status, uint64_t block, struct err *e)
{
    struct stmt *s = m->set[kind];
    stmt_bind_u64(s, 1, remaining);
    stmt_bind_u64(s, 2, status);
    stmt_bind_u64(s, 3, block);
    stmt_bind_bytes(s, 4, BYTES_OF(hash));
    m->m.closed += status != ORDER_OPEN ? 1 : 0;
    return stmt_run(s, e);
}

rc order_drop(struct market *m, enum order_kind kind, struct hash hash, struct err *e)
{
    stmt_bind_bytes(m->drop[kind], 1, BYTES_OF(hash));
    return stmt_run(m->drop[kind], e);
}

rc order_count_open(struct market *m, enum order_kind kind, struct address signer, uint64_t *n,
                    struct err *e)
{
    struct stmt *s = m->count_open[kind];
    bool row;
    stmt_bind_bytes(s, 1, BYTES_OF(signer));
    rc r = stmt_step(s, &row, e);
    *n = rc_ok(r) && row ? stmt_u64(s, 0) : 0;
    stmt_reset(s);
    return r;
}

static rc each(enum order_kind kind, struct stmt *s, order_fn fn, void *ctx, struct arena *a,
               struct err *e)
{
    rc r;
    for (;;) {
        bool row;
        struct order_row o;
        r = stmt_step(s, &row, e);
        if (!rc_ok(r) || !row) {
            break;
        }
        r = order_read(&o, a, kind, s);
        r = rc_ok(r) ? fn(ctx, &o, e) : err_set(e, r.code, "too many orders at once");
        if (!rc_ok(r)) {
            break;
        }
    }
    stmt_reset(s);
    return r;
}

rc order_each_of(struct market *m, enum order_kind kind, struct address signer, order_fn fn,
                 void *ctx, struct arena *a, struct err *e)
{
    stmt_bind_bytes(m->open_of_signer[kind], 1, BYTES_OF(signer));
    return each(kind, m->open_of_signer[kind], fn, ctx, a, e);
}

rc order_each_touched(struct market *m, enum order_kind kind, uint64_t block, order_fn fn,
                      void *ctx, struct arena *a, struct err *e)
{
    stmt_bind_u64(m->touched[kind], 1, block);
    return each(kind, m->touched[kind], fn, ctx, a, e);
}

void put_order(struct market *m, struct buf *b, const struct order_row *o)
{
    static const char *const statuses[] = {"open", "filled", "canceled", "dead"};
    char text[HEX_HASH_MAX];
    char when[CLOCK_TEXT_MAX];
    put_fmt(b, "{\"orderHash\":\"%s\",\"order\":", hex_hash(text, o->hash));
    put_str(b, o->body);
    put_fmt(
        b,
        ",\"chainId\":%llu,\"remaining\":%llu,\"status\":\"%s\",\"publicationTimestamp\":\"%s\","
        "\"signer\":\"%s\"",
        (unsigned long long)m->chain_id, (unsigned long long)o->remaining, statuses[o->status & 3],
        clock_text(o->published_ms, when), hex_address(text, o->signer));
    if (o->kind == ORDER_DATASET) {
        put_str(b,
                o->volume >= BULK_VOLUME && o->price == 0 ? ",\"bulk\":true" : ",\"bulk\":false");
    }
    put_str(b, "}");
}
