/* SPDX-License-Identifier: Apache-2.0 */
/* deals.c - what the chain has seen: deals, categories, and the figures made of them. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/market/market_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define OHLC_MAX 10000

static void put_owned(struct buf *b, const char *name, const struct view_owned *v)
{
    char p[HEX_ADDRESS_MAX];
    char o[HEX_ADDRESS_MAX];
    char n[U256_DEC_MAX];
    put_fmt(b, "\"%s\":{\"pointer\":\"%s\",\"owner\":\"%s\",\"price\":%s},", name,
            hex_address(p, v->pointer), hex_address(o, v->owner), u256_dec(v->price, n));
}

static void put_text(struct buf *b, struct bytes v)
{
    /* Jansson refuses what is no UTF-8: such params are shown as empty. */
    json_t *s = json_stringn((const char *)v.p, v.n);
    json_put_str(b, s == NULL ? (struct bytes){0} : v);
    json_decref(s);
}

static void put_deal(struct market *m, struct buf *b, const struct deal_row *d)
{
    const struct view_deal *v = d->deal;
    char t[HEX_HASH_MAX];
    char n[U256_DEC_MAX];
    char when[CLOCK_TEXT_MAX];
    put_fmt(b, "{\"dealid\":\"%s\",\"chainId\":%llu,", hex_hash(t, d->id),
            (unsigned long long)m->chain_id);
    put_owned(b, "app", &v->app);
    put_owned(b, "dataset", &v->dataset);
    put_owned(b, "workerpool", &v->workerpool);
    put_fmt(b, "\"requester\":\"%s\",", hex_address(t, v->requester));
    put_fmt(b, "\"beneficiary\":\"%s\",", hex_address(t, v->beneficiary));
    put_fmt(b, "\"callback\":\"%s\",", hex_address(t, v->callback));
    put_fmt(b, "\"appHash\":\"%s\",", hex_hash(t, d->orders[ORDER_APP]));
    put_fmt(b, "\"datasetHash\":\"%s\",", hex_hash(t, d->orders[ORDER_DATASET]));
    put_fmt(b, "\"workerpoolHash\":\"%s\",", hex_hash(t, d->orders[ORDER_WORKERPOOL]));
    put_fmt(b, "\"requestHash\":\"%s\",\"params\":", hex_hash(t, d->orders[ORDER_REQUEST]));
    put_text(b, v->params);
    put_fmt(b, ",\"volume\":%llu,\"category\":%s,", (unsigned long long)d->volume,
            u256_dec(v->category, n));
    put_fmt(b, "\"tag\":\"%s\",\"trust\":%s,", hex_hash(t, v->tag), u256_dec(v->trust, n));
    put_fmt(b, "\"startTime\":%llu,\"botFirst\":%llu,\"botSize\":%llu,",
            (unsigned long long)v->start_time, (unsigned long long)v->bot_first,
            (unsigned long long)v->bot_size);
    put_fmt(b, "\"schedulerRewardRatio\":%s,", u256_dec(v->scheduler_reward_ratio, n));
    put_fmt(b, "\"workerStake\":%s,", u256_dec(v->worker_stake, n));
    put_fmt(b, "\"blockNumber\":%llu,\"blockTimestamp\":\"%s\",\"transactionHash\":\"%s\"}",
            (unsigned long long)d->block, clock_text(d->block_s * 1000, when), hex_hash(t, d->tx));
}

static uint64_t number_of(struct u256 v)
{
    uint64_t n;
    return u256_to_u64(v, &n) && n <= INT64_MAX ? n : INT64_MAX;
}

rc deal_put(struct market *m, const struct deal_row *d, struct err *e)
{
    const struct view_deal *v = d->deal;
    struct stmt *s = m->deal_put;
    BUF_FREE b = buf_new(BODY_MAX * 2);
    put_deal(m, &b, d);
    if (b.full) {
        return err_set(e, RC_CODE_LIMIT, "deal is too large");
    }
    stmt_bind_bytes(s, 1, BYTES_OF(d->id));
    stmt_bind_u64(s, 2, d->block);
    stmt_bind_u64(s, 3, number_of(v->category));
    stmt_bind_bytes(s, 4, BYTES_OF(v->requester));
    stmt_bind_bytes(s, 5, BYTES_OF(v->beneficiary));
    stmt_bind_bytes(s, 6, BYTES_OF(v->app.pointer));
    stmt_bind_bytes(s, 7, BYTES_OF(v->dataset.pointer));
    stmt_bind_bytes(s, 8, BYTES_OF(v->workerpool.pointer));
    stmt_bind_bytes(s, 9, BYTES_OF(v->app.owner));
    stmt_bind_bytes(s, 10, BYTES_OF(v->dataset.owner));
    stmt_bind_bytes(s, 11, BYTES_OF(v->workerpool.owner));
    for (int k = 0; k < KINDS; k++) {
        stmt_bind_bytes(s, 12 + k, BYTES_OF(d->orders[k]));
    }
    stmt_bind_u64(s, 16, d->block_s);
    stmt_bind_u64(s, 17, number_of(v->workerpool.price));
    stmt_bind_u64(s, 18, d->volume);
    stmt_bind_text(s, 19, buf_cstr(&b));
    m->m.deals++;
    return stmt_run(s, e);
}

rc category_put(struct market *m, uint64_t id, const struct view_category *c, struct hash tx,
                uint64_t block, uint64_t block_s, struct err *e)
{
    char t[HEX_HASH_MAX];
    char when[CLOCK_TEXT_MAX];
    struct stmt *s = m->cat_put;
    BUF_FREE b = buf_new(BODY_MAX);
    put_fmt(&b, "{\"catid\":%llu,\"chainId\":%llu,\"name\":", (unsigned long long)id,
            (unsigned long long)m->chain_id);
    put_text(&b, c->name);
    put_str(&b, ",\"description\":");
    put_text(&b, c->description);
    put_fmt(&b,
            ",\"workClockTimeRef\":%llu,\"transactionHash\":\"%s\",\"blockNumber\":%llu,"
            "\"blockTimestamp\":\"%s\"}",
            (unsigned long long)c->work_clock_time_ref, hex_hash(t, tx), (unsigned long long)block,
            clock_text(block_s * 1000, when));
    if (b.full) {
        return err_set(e, RC_CODE_LIMIT, "category %llu is too large", (unsigned long long)id);
    }
    stmt_bind_u64(s, 1, id);
    stmt_bind_u64(s, 2, MIN(c->work_clock_time_ref, (uint64_t)INT64_MAX));
    stmt_bind_u64(s, 3, block);
    stmt_bind_text(s, 4, buf_cstr(&b));
    return stmt_run(s, e);
}

/* --- answers --- */

/* {"ok":true, …the members of a stored object}; 404 with `missing` when s has no row. */
static void answer_body(struct market *m, struct http_req *r, struct stmt *s, const char *missing)
{
    struct err e = {0};
    bool row = false;
    rc res = stmt_step(s, &row, &e);
    if (rc_ok(res) && row) {
        BUF_FREE b = buf_new(ANSWER_MAX);
        put_str(&b, "{\"ok\":true,");
        put_str(&b, stmt_text(s, 0) + 1);
        answer(r, &b);
    } else if (rc_ok(res)) {
        answer_error(r, 404, "%s", missing);
    } else {
        answer_rc(m, r, res, &e);
    }
    stmt_reset(s);
}

void market_on_deal(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    struct hash id;
    if (!request_ok(m, r)) {
        return;
    }
    if (!rc_ok(hex_parse_hash(&id, http_param(r, "id")))) {
        answer_error(r, 400, "dealid must be a bytes32 hexstring");
        return;
    }
    stmt_bind_bytes(m->deal_get, 1, BYTES_OF(id));
    answer_body(m, r, m->deal_get, "deal not found");
}

void market_on_category(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    const char *text = http_param(r, "id");
    unsigned long long id;
    char end;
    if (!request_ok(m, r)) {
        return;
    }
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 16 ||
        sscanf(text, "%llu%c", &id, &end) != 1) {
        answer_error(r, 400, "catid must be a number");
        return;
    }
    stmt_bind_u64(m->cat_get, 1, id);
    answer_body(m, r, m->cat_get, "category not found");
}

/* A page of bodies from a table, and how many there are. */
static rc list_bodies(struct market *m, const char *table, const char *name, const char *sort,
                      struct where *w, const struct page *p, struct buf *b, struct err *e)
{
    BUF_FREE sql = buf_new(8192);
    bool row;
    uint64_t n = 0;
    put_fmt(&sql, "SELECT count(*) FROM %s WHERE 1", table);
    put_bytes(&sql, buf_bytes(&w->sql));
    struct stmt *s = query_stmt(m, buf_cstr(&sql), w, e);
    if (s == NULL) {
        return RC(IO);
    }
    rc r = stmt_step(s, &row, e);
    uint64_t total = rc_ok(r) ? stmt_u64(s, 0) : 0;
    stmt_reset(s);
    TRY(r);
    buf_reset(&sql);
    put_fmt(&sql, "SELECT body FROM %s WHERE 1", table);
    put_bytes(&sql, buf_bytes(&w->sql));
    put_fmt(&sql, " ORDER BY %s LIMIT ? OFFSET ?", sort);
    w->values[w->n++].number = p->size;
    w->values[w->n++].number = p->index * p->size;
    s = query_stmt(m, buf_cstr(&sql), w, e);
    if (s == NULL) {
        return RC(IO);
    }
    put_fmt(b, "{\"ok\":true,\"%s\":[", name);
    for (;;) {
        r = stmt_step(s, &row, e);
        if (!rc_ok(r) || !row) {
            break;
        }
        put_str(b, n++ > 0 ? "," : "");
        put_str(b, stmt_text(s, 0));
    }
    stmt_reset(s);
    TRY(r);
    put_fmt(b, "],\"count\":%llu", (unsigned long long)total);
    if (n == p->size) {
        put_fmt(b, ",\"nextPage\":%llu", (unsigned long long)((p->index + 1) * p->size));
    }
    put_str(b, "}");
    return buf_end(b);
}

static rc deal_filters(struct http_req *r, struct where *w, struct address store[9],
                       struct hash hashes[4], struct err *e)
{
    static const char *const addresses[] = {"requester",    "beneficiary",    "app",
                                            "dataset",      "workerpool",     "appOwner",
                                            "datasetOwner", "workerpoolOwner"};
    static const char *const orders[] = {"apporderHash", "datasetorderHash", "workerpoolorderHash",
                                         "requestorderHash"};
    bool given;
    bool any;
    char cond[64];
    uint64_t category = 0;
    TRY(query_number(r, "category", NUMBER_MAX, &given, &category, e));
    if (given) {
        where_number(w, "category = ?", category);
    }
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        TRY(query_address(r, addresses[i], &given, &any, &store[i], e));
        if (given && !any) {
            (void)snprintf(cond, sizeof(cond), "%s = ?", addresses[i]);
            where_bytes(w, cond, BYTES_OF(store[i]));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        TRY(query_hash(r, orders[i], &given, &hashes[i], e));
        if (given) {
            (void)snprintf(cond, sizeof(cond), "%s = ?", orders[i]);
            where_bytes(w, cond, BYTES_OF(hashes[i]));
        }
    }
    return RC_OK;
}

void market_on_deals(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    struct where w = WHERE_NEW;
    struct buf b = buf_new(ANSWER_MAX);
    struct address addresses[9];
    struct hash hashes[4];
    struct page p;
    struct err e = {0};
    if (request_ok(m, r)) {
        rc res = page_of(r, &p, &e);
        res = rc_ok(res) ? deal_filters(r, &w, addresses, hashes, &e) : res;
        res = rc_ok(res) ? list_bodies(m, "deal", "deals", "block DESC, id", &w, &p, &b, &e) : res;
        if (rc_ok(res)) {
            answer(r, &b);
        } else {
            answer_rc(m, r, res, &e);
        }
    }
    buf_free(&w.sql);
    buf_free(&b);
}

void market_on_categories(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    struct where w = WHERE_NEW;
    struct buf b = buf_new(ANSWER_MAX);
    struct page p;
    struct err e = {0};
    bool given;
    uint64_t v = 0;
    if (request_ok(m, r)) {
        rc res = page_of(r, &p, &e);
        res = rc_ok(res) ? query_number(r, "minWorkClockTimeRef", NUMBER_MAX, &given, &v, &e) : res;
        if (rc_ok(res) && given) {
            where_number(&w, "timeref >= ?", v);
        }
        res = rc_ok(res) ? query_number(r, "maxWorkClockTimeRef", NUMBER_MAX, &given, &v, &e) : res;
        if (rc_ok(res) && given) {
            where_number(&w, "timeref <= ?", v);
        }
        res = rc_ok(res) ? list_bodies(m, "category", "categories", "id", &w, &p, &b, &e) : res;
        if (rc_ok(res)) {
            answer(r, &b);
        } else {
            answer_rc(m, r, res, &e);
        }
    }
    buf_free(&w.sql);
    buf_free(&b);
}

void market_on_ohlc(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    struct where w = WHERE_NEW;
    struct buf b = buf_new(ANSWER_MAX);
    struct err e = {0};
    bool given = false;
    uint64_t category = 0;
    if (request_ok(m, r)) {
        rc res = query_number(r, "category", NUMBER_MAX, &given, &category, &e);
        if (rc_ok(res) && !given) {
            res = err_set(&e, RC_CODE_MALFORMED, "category is a required field");
        }
        BUF_FREE sql = buf_new(512);
        put_fmt(&sql,
                "SELECT time, price, volume FROM deal WHERE category = ?"
                " ORDER BY block DESC, id LIMIT %d",
                OHLC_MAX);
        w.values[w.n++].number = category;
        struct stmt *s = rc_ok(res) ? query_stmt(m, buf_cstr(&sql), &w, &e) : NULL;
        bool row = s != NULL;
        put_str(&b, "{\"ok\":true,\"ohlc\":[");
        for (uint64_t n = 0; row; n++) {
            res = stmt_step(s, &row, &e);
            row = row && rc_ok(res);
            if (row) {
                put_fmt(&b, "%s[%llu,%llu,%llu]", n > 0 ? "," : "",
                        (unsigned long long)stmt_u64(s, 0) * 1000,
                        (unsigned long long)stmt_u64(s, 1), (unsigned long long)stmt_u64(s, 2));
            }
        }
        if (s != NULL) {
            stmt_reset(s);
        }
        put_str(&b, "]}");
        if (rc_ok(res) && s != NULL) {
            answer(r, &b);
        } else {
            answer_rc(m, r, rc_ok(res) ? RC(IO) : res, &e);
        }
    }
    buf_free(&w.sql);
    buf_free(&b);
}

static uint64_t count_of(struct stmt *s)
{
    struct err e;
    bool row = false;
    uint64_t n = rc_ok(stmt_step(s, &row, &e)) && row ? stmt_u64(s, 0) : 0;
    stmt_reset(s);
    return n;
}

void market_on_metrics(void *ctx, struct http_req *r)
{
    struct market *m = ctx;
    if (!request_ok(m, r)) {
        return;
    }
    BUF_FREE b = buf_new(8192);
    put_fmt(&b, "{\"ok\":true,\"lastBlock\":%llu,\"checkpointBlock\":%llu",
            (unsigned long long)m->head, (unsigned long long)m->cursor.next);
    for (int k = 0; k < KINDS; k++) {
        put_fmt(&b, ",\"%ss\":%llu", kind_names[k], (unsigned long long)count_of(m->count_all[k]));
    }
    put_fmt(
        &b,
        ",\"categories\":%llu,\"deals\":%llu,\"published\":%llu,\"refused\":%llu,\"queries\":%llu,"
        "\"closed\":%llu,\"errors\":%llu}",
        (unsigned long long)count_of(m->cat_max), (unsigned long long)m->m.deals,
        (unsigned long long)m->m.published, (unsigned long long)m->m.refused,
        (unsigned long long)m->m.queries, (unsigned long long)m->m.closed,
        (unsigned long long)m->m.errors);
    answer(r, &b);
}
