/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - logs and receipts from JSON, and following the chain's logs with a cursor. */
#include "base/cur.h"
#include "daemon/client/client_int.h"
#include "encoding/hex.h"

#define LOG_DATA_MAX  ((size_t)1 << 20)
#define LOGS_WINDOW   1000 /* blocks in one eth_getLogs: SPEC offchain 1.1 */
#define CURSOR_FORMAT 1    /* on disk: never reuse */

static rc log_parse(struct client_log *out, struct arena *a, const struct js *j, struct err *e)
{
    struct js address = js_key(j, "address"), topics = js_key(j, "topics"),
              data = js_key(j, "data"), block = js_key(j, "blockNumber"),
              bhash = js_key(j, "blockHash"), tx = js_key(j, "transactionHash"),
              index = js_key(j, "logIndex");
    TRY(js_object(j, e));
    TRY(js_address(&out->address, &address, e));
    TRY(js_array(&topics, ARRAY_LEN(out->topics), e));
    out->n_topics = js_n(&topics);
    for (size_t i = 0; i < out->n_topics; i++) {
        struct js t = js_at(&topics, i);
        TRY(js_hash(&out->topics[i], &t, e));
    }
    TRY(js_hex(&out->data, a, &data, LOG_DATA_MAX, e));
    TRY(js_quantity(&out->block, &block, e));
    TRY(js_hash(&out->block_hash, &bhash, e));
    TRY(js_hash(&out->tx_hash, &tx, e));
    TRY(js_quantity(&out->index, &index, e));
    out->known = out->n_topics > 0 && iface_find_event(&out->event, CONTRACT_hub, out->topics[0]);
    return RC_OK;
}

static rc logs_of(const struct client_log **out, size_t *n, struct arena *a, const struct js *list,
                  struct err *e)
{
    TRY(js_array(list, CLIENT_LOGS_MAX, e));
    *n = js_n(list);
    struct client_log *logs = ARENA_ARRAY(a, struct client_log, *n);
    if (logs == NULL) {
        return err_set(e, RC_CODE_LIMIT, "too many logs at once");
    }
    for (size_t i = 0; i < *n; i++) {
        struct js one = js_at(list, i);
        TRY(log_parse(&logs[i], a, &one, e));
    }
    *out = logs;
    return RC_OK;
}

rc client_logs_parse(const struct client_log **out, size_t *n, struct arena *a, const json_t *list,
                     struct err *e)
{
    struct js top = js_top(list);
    return logs_of(out, n, a, &top, e);
}

rc client_receipt_parse(struct client_receipt *out, struct arena *a, const json_t *v, struct err *e)
{
    struct js top = js_top(v), status = js_key(&top, "status"), block = js_key(&top, "blockNumber"),
              hash = js_key(&top, "blockHash"), gas = js_key(&top, "gasUsed"),
              created = js_key(&top, "contractAddress"), logs = js_key(&top, "logs");
    uint64_t ok;
    *out = (struct client_receipt){0};
    TRY(js_object(&top, e));
    TRY(js_quantity(&ok, &status, e));
    TRY(js_quantity(&out->block, &block, e));
    TRY(js_hash(&out->block_hash, &hash, e));
    TRY(js_quantity(&out->gas_used, &gas, e));
    if (created.v != NULL && !json_is_null(created.v)) {
        TRY(js_address(&out->created, &created, e));
    }
    out->ok = ok == 1;
    return logs_of(&out->logs, &out->n_logs, a, &logs, e);
}

static json_t *addresses_json(const struct client_filter *f)
{
    if (f->n_also == 0) {
        return json_address(f->address);
    }
    json_t *all = json_array();
    (void)json_array_append_new(all, json_address(f->address));
    for (size_t i = 0; i < f->n_also; i++) {
        (void)json_array_append_new(all, json_address(f->also[i]));
    }
    return all;
}

static json_t *filter_json(const struct client_filter *f)
{
    json_t *any = json_array(), *topics = json_array();
    for (size_t i = 0; i < f->n_topic0; i++) {
        (void)json_array_append_new(any, json_hash(f->topic0[i]));
    }
    if (f->n_topic0 > 0 || !hash_is_zero(f->topic1)) {
        (void)json_array_append_new(topics, f->n_topic0 > 0 ? json_incref(any) : json_null());
    }
    if (!hash_is_zero(f->topic1)) {
        (void)json_array_append_new(topics, json_hash(f->topic1));
    }
    json_decref(any);
    return json_pack("[{s:o, s:o, s:o, s:o}]", "address", addresses_json(f), "topics", topics,
                     "fromBlock", json_quantity(f->from), "toBlock", json_quantity(f->to));
}

rc client_logs(struct client *c, const struct client_log **out, size_t *n, struct arena *a,
               const struct client_filter *f, struct err *e)
{
    JSON_FREE *v = NULL;
    TRY(client_rpc(c, &v, "eth_getLogs", filter_json(f), e));
    return err_wrap(e, client_logs_parse(out, n, a, v, e), "eth_getLogs");
}

/* --- the cursor --- */

void put_cursor(struct buf *b, const struct client_cursor *cur)
{
    put_u8(b, CURSOR_FORMAT);
    put_be(b, cur->next, 8);
    put_be(b, cur->start, 8);
    for (size_t i = 0; i < cur->n_seen; i++) {
        put_be(b, cur->seen[i].number, 8);
        put_bytes(b, BYTES_OF(cur->seen[i].hash));
    }
}

rc cursor_parse(struct client_cursor *out, struct bytes text)
{
    struct cur c = cur_of(text);
    struct client_cursor v = {0};
    if (take_be(&c, 1) != CURSOR_FORMAT) {
        return RC(MALFORMED);
    }
    v.next = take_be(&c, 8);
    v.start = take_be(&c, 8);
    while (c.n > 0 && v.n_seen < CURSOR_SEEN_MAX) {
        v.seen[v.n_seen].number = take_be(&c, 8);
        v.seen[v.n_seen].hash = take_hash(&c);
        v.n_seen++;
    }
    TRY(cur_end(&c));
    *out = v;
    return RC_OK;
}

static void cursor_push(struct client_cursor *cur, uint64_t number, struct hash hash)
{
    if (cur->n_seen == CURSOR_SEEN_MAX) {
        memmove(&cur->seen[0], &cur->seen[1], sizeof(cur->seen[0]) * (CURSOR_SEEN_MAX - 1));
        cur->n_seen--;
    }
    cur->seen[cur->n_seen].number = number;
    cur->seen[cur->n_seen].hash = hash;
    cur->n_seen++;
}

/* Drops what the chain no longer has; afterwards the last one seen is on the chain, or none is. */
static rc cursor_check(struct client *c, struct client_cursor *cur, struct client_step *step,
                       struct err *e)
{
    while (cur->n_seen > 0) {
        uint64_t number = cur->seen[cur->n_seen - 1].number;
        struct hash hash = cur->seen[cur->n_seen - 1].hash;
        struct client_head there = step->head;
        rc r = number == step->head.number ? RC_OK : client_block_at(c, &there, number, e);
        if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
            return r;
        }
        if (rc_ok(r) && hash_eq(there.hash, hash)) {
            return RC_OK;
        }
        cur->n_seen--;
        step->reorg = true;
        cur->next = cur->n_seen > 0 ? cur->seen[cur->n_seen - 1].number + 1 : cur->start;
    }
    return RC_OK;
}

rc client_follow(struct client *c, struct client_cursor *cur, struct client_step *step,
                 const struct client_filter *f,
                 rc (*fn)(void *ctx, const struct client_log *log, struct err *e), void *ctx,
                 struct err *e)
{
    struct client_cursor next = *cur;
    struct client_filter window = *f;
    struct client_head last;
    struct arena a;
    const struct client_log *logs = NULL;
    size_t n = 0;
    *step = (struct client_step){0};
    TRY(client_head(c, &step->head, e));
    if (next.n_seen > 0 && next.next == step->head.number + 1 &&
        hash_eq(next.seen[next.n_seen - 1].hash, step->head.hash)) {
        return RC_OK; /* nothing new */
    }
    TRY(cursor_check(c, &next, step, e));
    if (next.next > step->head.number) {
        *cur = next;
        return RC_OK;
    }
    window.from = next.next;
    window.to = MIN(step->head.number, next.next + LOGS_WINDOW - 1);
    step->more = window.to < step->head.number;
    last = step->head;
    if (step->more) {
        TRY(client_block_at(c, &last, window.to, e));
    }
    arena_init(&a, (size_t)64 << 20);
    rc r = client_logs(c, &logs, &n, &a, &window, e);
    for (size_t i = 0; rc_ok(r) && i < n; i++) {
        r = fn(ctx, &logs[i], e);
    }
    arena_reset(&a);
    TRY(r);
    cursor_push(&next, window.to, last.hash);
    next.next = window.to + 1;
    *cur = next;
    return RC_OK;
}
