/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - listings of open orders: what a request asks for becomes the conditions of one SELECT.
 *
 * One condition (the order's subject, its signer or its category) leads: it chooses the index, which
 * also gives the order of the answer. All others are written with a unary plus, which keeps the
 * planner from using another index for them. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/market/market_int.h"
#include "encoding/hex.h"

#define CACHE_MAX 96

struct cached {
    char *sql;
    struct stmt *stmt;
    uint64_t used;
};

struct cached_query {
    struct cached v[CACHE_MAX];
    uint64_t tick;
};

/* --- conditions --- */

void where_text(struct where *w, const char *cond)
{
    put_str(&w->sql, " AND ");
    put_str(&w->sql, cond);
}

void where_number(struct where *w, const char *cond, uint64_t v)
{
    ASSERT(w->n < ARRAY_LEN(w->values));
    where_text(w, cond);
    w->values[w->n++].number = v;
}

void where_bytes(struct where *w, const char *cond, struct bytes v)
{
    ASSERT(w->n < ARRAY_LEN(w->values));
    where_text(w, cond);
    w->values[w->n++].bytes = v;
}

struct stmt *query_stmt(struct market *m, const char *sql, const struct where *w, struct err *e)
{
    if (m->queries == NULL) {
        m->queries = calloc(1, sizeof(*m->queries));
        ASSERT(m->queries != NULL);
    }
    struct cached *slot = &m->queries->v[0];
    bool found = false;
    for (size_t i = 0; i < CACHE_MAX && !found; i++) {
        struct cached *c = &m->queries->v[i];
        found = c->sql != NULL && strcmp(c->sql, sql) == 0;
        if (found || c->used < slot->used) {
            slot = c;
        }
    }
    if (!found) {
        stmt_free(slot->stmt);
        free(slot->sql);
        *slot = (struct cached){0};
        slot->stmt = db_prepare(m->db, sql, e);
        if (slot->stmt == NULL) {
            return NULL;
        }
        slot->sql = strdup(sql);
        ASSERT(slot->sql != NULL);
    }
    slot->used = ++m->queries->tick;
    stmt_reset(slot->stmt);
    for (size_t i = 0; i < w->n; i++) {
        if (w->values[i].bytes.p != NULL) {
            stmt_bind_bytes(slot->stmt, (int)i + 1, w->values[i].bytes);
        } else {
            stmt_bind_u64(slot->stmt, (int)i + 1, w->values[i].number);
        }
    }
    return slot->stmt;
}

void query_close(struct market *m)
{
    for (size_t i = 0; m->queries != NULL && i < CACHE_MAX; i++) {
        free(m->queries->v[i].sql); /* the database frees the statements */
    }
    free(m->queries);
    m->queries = NULL;
}

/* --- parameters --- */

rc query_number(struct http_req *r, const char *name, uint64_t max, bool *given, uint64_t *out,
                struct err *e)
{
    const char *v = http_query(r, name);
    unsigned long long n;
    char end;
    *given = v != NULL && v[0] != '\0';
    if (!*given) {
        return RC_OK;
    }
    if (v[0] < '0' || v[0] > '9' || strlen(v) > 19 || sscanf(v, "%llu%c", &n, &end) != 1 ||
        n > max) {
        return err_set(e, RC_CODE_MALFORMED, "%s must be a number from 0 to %llu", name,
                       (unsigned long long)max);
    }
    *out = n;
    return RC_OK;
}

rc query_address(struct http_req *r, const char *name, bool *given, bool *any, struct address *out,
                 struct err *e)
{
    const char *v = http_query(r, name);
    *given = v != NULL && v[0] != '\0';
    *any = *given && strcmp(v, "any") == 0;
    if (*given && !*any && !rc_ok(hex_parse_address(out, v))) {
        return err_set(e, RC_CODE_MALFORMED, "%s must be an ethereum address", name);
    }
    return RC_OK;
}

rc query_hash(struct http_req *r, const char *name, bool *given, struct hash *out, struct err *e)
{
    const char *v = http_query(r, name);
    *given = v != NULL && v[0] != '\0';
    if (*given && !rc_ok(hex_parse_hash(out, v))) {
        return err_set(e, RC_CODE_MALFORMED, "%s must be a bytes32 hexstring", name);
    }
    return RC_OK;
}

static bool query_flag(struct http_req *r, const char *name)
{
    const char *v = http_query(r, name);
    return v != NULL && (strcmp(v, "true") == 0 || strcmp(v, "1") == 0);
}

rc page_of(struct http_req *r, struct page *p, struct err *e)
{
    bool given;
    *p = (struct page){0, PAGE_DEF};
    TRY(query_number(r, "pageIndex", UINT32_MAX, &given, &p->index, e));
    TRY(query_number(r, "pageSize", UINT32_MAX, &given, &p->size, e));
    if (p->size < PAGE_MIN) {
        return err_set(e, RC_CODE_MALFORMED, "pageSize must be greater than or equal to %d",
                       PAGE_MIN);
    }
    if (p->size > PAGE_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "pageSize must be less than or equal to %d", PAGE_MAX);
    }
    return RC_OK;
}

/* --- filters --- */

struct restriction { /* to an address: not restricted, or to it */
    const char *column;
    uint64_t bit;
    struct bytes value;
};

struct list {
    struct market *m;
    struct http_req *r;
    enum order_kind kind;
    struct where w;      /* all conditions */
    struct where shared; /* those on tag and trust, which the tally has as well */
    const char *lead;    /* column that chooses the index; "" for the price alone */
    struct bytes lead_key;
    uint64_t lead_number; /* of a category */
    uint64_t mask_zero;   /* bits of mask that must be clear */
    const char *led_by;   /* a strict restriction that chooses the index instead */
    struct restriction to[3];
    size_t n_to;
    bool counted; /* the tally can tell how many */
    struct address store[8];
    size_t n_store;
};

/* A condition on a column that the tally has too. */
static void shared_number(struct list *l, const char *cond, uint64_t v)
{
    where_number(&l->w, cond, v);
    where_number(&l->shared, cond, v);
}

static struct bytes keep(struct list *l, struct address a)
{
    ASSERT(l->n_store < ARRAY_LEN(l->store));
    l->store[l->n_store] = a;
    return BYTES_OF(l->store[l->n_store++]);
}

/* The order's own subject or owner: leads when nothing leads yet. */
static rc subject(struct list *l, const char *param, const char *column, struct err *e)
{
    bool given;
    bool any;
    struct address a;
    char cond[64];
    TRY(query_address(l->r, param, &given, &any, &a, e));
    if (!given || any) {
        return RC_OK;
    }
    struct bytes key = keep(l, a);
    if (l->lead[0] == '\0') {
        l->lead = column;
        l->lead_key = key;
        (void)snprintf(cond, sizeof(cond), "%s = ?", column);
    } else {
        l->counted = false;
        (void)snprintf(cond, sizeof(cond), "+%s = ?", column);
    }
    where_bytes(&l->w, cond, key);
    return RC_OK;
}

/* SPEC sdk-surface 4: absent: not restricted; any: no filter; an address: not restricted or to it;
 * strict: to it. */
static rc restriction(struct list *l, const char *param, const char *strict, uint64_t bit,
                      struct err *e)
{
    bool given;
    bool any;
    struct address a;
    char cond[96];
    TRY(query_address(l->r, param, &given, &any, &a, e));
    if (!given) {
        l->mask_zero |= bit;
        return RC_OK;
    }
    if (any) {
        return RC_OK;
    }
    struct bytes value = keep(l, a);
    if (strict != NULL && query_flag(l->r, strict)) {
        /* Few orders are restricted: their own index leads. */
        bool leads = l->lead[0] == '\0' || strcmp(l->lead, "category") == 0;
        leads = leads && l->led_by == NULL;
        l->led_by = leads ? param : l->led_by;
        (void)snprintf(cond, sizeof(cond), "%s%s = ?", leads ? "" : "+", param);
        where_bytes(&l->w, cond, value);
        (void)snprintf(cond, sizeof(cond), "(mask & %llu) <> 0", (unsigned long long)bit);
        where_text(&l->w, cond);
        l->counted = false;
        return RC_OK;
    }
    (void)snprintf(cond, sizeof(cond), "((mask & %llu) = 0 OR %s = ?)", (unsigned long long)bit,
                   param);
    where_bytes(&l->w, cond, value);
    ASSERT(l->n_to < ARRAY_LEN(l->to));
    l->to[l->n_to++] = (struct restriction){param, bit, value};
    return RC_OK;
}

static rc tags(struct list *l, struct err *e)
{
    bool given;
    struct hash tag;
    uint64_t t[TAG_WORDS];
    static const uint64_t full = (1ULL << 56) - 1;
    TRY(query_hash(l->r, "minTag", &given, &tag, e));
    if (given) {
        tag_words(t, tag);
        for (size_t i = 0; i < TAG_WORDS; i++) {
            char cond[64];
            if (t[i] == 0) {
                continue;
            }
            (void)snprintf(cond, sizeof(cond), "(t%zu & %llu) = ?", i, (unsigned long long)t[i]);
            if (i == 0) {
                shared_number(l, cond, t[i]);
            } else {
                where_number(&l->w, cond, t[i]);
                l->counted = false;
            }
        }
    }
    TRY(query_hash(l->r, "maxTag", &given, &tag, e));
    if (!given) {
        return RC_OK;
    }
    tag_words(t, tag);
    if ((t[1] | t[2] | t[3] | t[4]) == 0) {
        l->mask_zero |= MASK_HIGH_TAG;
    }
    for (size_t i = 0; i < TAG_WORDS; i++) {
        char cond[64];
        bool covered = i > 0 && (l->mask_zero & MASK_HIGH_TAG) != 0;
        if (covered || t[i] == full) {
            continue;
        }
        (void)snprintf(cond, sizeof(cond), "(t%zu & ?) = 0", i);
        if (i == 0) {
            shared_number(l, cond, full & ~t[i]);
        } else {
            where_number(&l->w, cond, full & ~t[i]);
            l->counted = false;
        }
    }
    return RC_OK;
}

static rc numbers(struct list *l, struct err *e)
{
    bool given;
    uint64_t v = 0;
    TRY(query_number(l->r, "minVolume", NUMBER_MAX, &given, &v, e));
    if (given && v > 1) { /* open orders have at least one left */
        where_number(&l->w, "remaining >= ?", v);
        l->counted = false;
    }
    if (l->kind == ORDER_WORKERPOOL) {
        TRY(query_number(l->r, "minTrust", NUMBER_MAX, &given, &v, e));
        if (given && v > 1) {
            shared_number(l, "trust >= ?", v);
        }
    }
    if (l->kind == ORDER_REQUEST) {
        TRY(query_number(l->r, "maxTrust", NUMBER_MAX, &given, &v, e));
        if (given) {
            shared_number(l, "trust <= ?", v);
        }
    }
    if (l->kind == ORDER_DATASET && query_flag(l->r, "bulkOnly")) {
        where_number(&l->w, "volume >= ?", BULK_VOLUME);
        where_text(&l->w, "+price = 0");
        l->counted = false;
    }
    return RC_OK;
}

static rc category(struct list *l, struct err *e)
{
    bool given;
    TRY(query_number(l->r, "category", NUMBER_MAX, &given, &l->lead_number, e));
    if (!given) {
        return RC_OK;
    }
    bool leads = l->lead[0] == '\0';
    l->lead = leads ? "category" : l->lead;
    l->counted = l->counted && leads;
    where_number(&l->w, leads ? "category = ?" : "+category = ?", l->lead_number);
    return RC_OK;
}

static void where_mask(struct where *w, uint64_t zero)
{
    char cond[48];
    if (zero != 0) {
        (void)snprintf(cond, sizeof(cond), "(mask & %llu) = 0", (unsigned long long)zero);
        where_text(w, cond);
    }
}

static rc filters(struct list *l, struct err *e)
{
    switch (l->kind) {
    case ORDER_APP:
        TRY(subject(l, "app", "app", e));
        TRY(subject(l, "appOwner", "signer", e));
        TRY(restriction(l, "dataset", "isDatasetStrict", MASK_DATASET, e));
        TRY(restriction(l, "workerpool", "isWorkerpoolStrict", MASK_WORKERPOOL, e));
        TRY(restriction(l, "requester", "isRequesterStrict", MASK_REQUESTER, e));
        break;
    case ORDER_DATASET:
        TRY(subject(l, "dataset", "dataset", e));
        TRY(subject(l, "datasetOwner", "signer", e));
        TRY(restriction(l, "app", "isAppStrict", MASK_APP, e));
        TRY(restriction(l, "workerpool", "isWorkerpoolStrict", MASK_WORKERPOOL, e));
        TRY(restriction(l, "requester", "isRequesterStrict", MASK_REQUESTER, e));
        break;
    case ORDER_WORKERPOOL:
        TRY(subject(l, "workerpool", "workerpool", e));
        TRY(subject(l, "workerpoolOwner", "signer", e));
        TRY(category(l, e));
        TRY(restriction(l, "app", "isAppStrict", MASK_APP, e));
        TRY(restriction(l, "dataset", "isDatasetStrict", MASK_DATASET, e));
        TRY(restriction(l, "requester", "isRequesterStrict", MASK_REQUESTER, e));
        break;
    case ORDER_REQUEST:
        TRY(subject(l, "requester", "signer", e));
        TRY(subject(l, "app", "app", e));
        TRY(subject(l, "dataset", "dataset", e));
        TRY(subject(l, "beneficiary", "beneficiary", e));
        TRY(category(l, e));
        TRY(restriction(l, "workerpool", "isWorkerpoolStrict", MASK_WORKERPOOL, e));
        break;
    }
    TRY(tags(l, e));
    TRY(numbers(l, e));
    where_mask(&l->w, l->mask_zero);
    return RC_OK;
}

/* Columns that the tally counts by, for each kind. */
static bool is_tallied(const struct list *l)
{
    static const char *const columns[KINDS][4] = {
        {"", "signer", "app", "dataset"},
        {"", "signer", "dataset", "app"},
        {"", "signer", "workerpool", "category"},
        {"", "signer", "app", "category"},
    };
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(columns[l->kind][i], l->lead) == 0) {
            return l->counted;
        }
    }
    return false;
}

/* Appends the conditions of a where to another. */
static void where_join(struct where *to, const struct where *from)
{
    ASSERT(to->n + from->n <= ARRAY_LEN(to->values));
    put_bytes(&to->sql, buf_bytes(&from->sql));
    for (size_t i = 0; i < from->n; i++) {
        to->values[to->n++] = from->values[i];
    }
}

/* Adds the number that a SELECT of one number gives. */
static rc add_count(struct list *l, const char *select, const struct where *w, uint64_t *n,
                    struct err *e)
{
    BUF_FREE sql = buf_new(8192);
    put_str(&sql, select);
    put_bytes(&sql, buf_bytes(&w->sql));
    struct stmt *s = query_stmt(l->m, buf_cstr(&sql), w, e);
    if (s == NULL) {
        return RC(IO);
    }
    bool row;
    rc r = stmt_step(s, &row, e);
    *n += rc_ok(r) && row ? stmt_u64(s, 0) : 0;
    stmt_reset(s);
    return r;
}

static void where_lead(const struct list *l, struct where *w, const char *cond)
{
    if (strcmp(l->lead, "category") == 0) {
        where_number(w, cond, l->lead_number);
    } else if (l->lead[0] != '\0') {
        where_bytes(w, cond, l->lead_key);
    }
}

/* Orders restricted to whom `which` names, and by no restriction named before it. */
static rc count_restricted(struct list *l, size_t which, uint64_t *n, struct err *e)
{
    struct where w = WHERE_NEW;
    char text[160];
    uint64_t zero = l->mask_zero;
    for (size_t i = 0; i < which; i++) {
        zero |= l->to[i].bit;
    }
    (void)snprintf(text, sizeof(text), "%s = ?", l->to[which].column);
    where_bytes(&w, text, l->to[which].value);
    (void)snprintf(text, sizeof(text), "(mask & %llu) <> 0", (unsigned long long)l->to[which].bit);
    where_text(&w, text);
    where_mask(&w, zero);
    for (size_t i = which + 1; i < l->n_to; i++) {
        (void)snprintf(text, sizeof(text), "((mask & %llu) = 0 OR +%s = ?)",
                       (unsigned long long)l->to[i].bit, l->to[i].column);
        where_bytes(&w, text, l->to[i].value);
    }
    (void)snprintf(text, sizeof(text), "+%s = ?", l->lead);
    where_lead(l, &w, text);
    where_join(&w, &l->shared);
    (void)snprintf(text, sizeof(text), "SELECT count(*) FROM %s WHERE status = 0",
                   kind_names[l->kind]);
    rc r = add_count(l, text, &w, n, e);
    buf_free(&w.sql);
    return r;
}

/* How many orders the whole listing has. Those that nobody is named in come from the tally; those
 * restricted to somebody whom the request names are few, and counted one by one. */
static rc count(struct list *l, uint64_t *n, struct err *e)
{
    char text[160];
    *n = 0;
    if (!is_tallied(l)) {
        const char *kind = kind_names[l->kind];
        if (l->lead[0] == '\0' && l->led_by == NULL) { /* else the planner walks over whole rows */
            (void)snprintf(text, sizeof(text),
                           "SELECT count(*) FROM %s INDEXED BY %s_price WHERE status = 0", kind,
                           kind);
        } else {
            (void)snprintf(text, sizeof(text), "SELECT count(*) FROM %s WHERE status = 0", kind);
        }
        return add_count(l, text, &l->w, n, e);
    }
    struct where w = WHERE_NEW;
    uint64_t zero = l->mask_zero;
    for (size_t i = 0; i < l->n_to; i++) {
        zero |= l->to[i].bit;
    }
    where_lead(l, &w, "key = ?");
    where_mask(&w, zero);
    where_join(&w, &l->shared);
    (void)snprintf(text, sizeof(text), "SELECT sum(n) FROM tally WHERE kind = '%s' AND col = '%s'",
                   kind_names[l->kind], l->lead);
    rc r = add_count(l, text, &w, n, e);
    buf_free(&w.sql);
    for (size_t i = 0; i < l->n_to && rc_ok(r); i++) {
        r = count_restricted(l, i, n, e);
    }
    return r;
}

rc orders_fetch(struct market *m, enum order_kind kind, struct where *w, const char *sort,
                uint64_t max, struct arena *a, struct order_row **out, size_t *n, struct err *e)
{
    BUF_FREE sql = buf_new(8192);
    put_fmt(&sql, "SELECT %s FROM %s WHERE status = 0", order_columns, kind_names[kind]);
    put_bytes(&sql, buf_bytes(&w->sql));
    put_fmt(&sql, " ORDER BY %s LIMIT %llu", sort, (unsigned long long)max);
    *n = 0;
    *out = ARENA_ARRAY(a, struct order_row, max);
    struct stmt *s = query_stmt(m, buf_cstr(&sql), w, e);
    if (s == NULL || *out == NULL) {
        return s == NULL ? RC(IO) : err_set(e, RC_CODE_LIMIT, "too many orders at once");
    }
    rc r;
    for (;;) {
        bool row;
        r = stmt_step(s, &row, e);
        if (!rc_ok(r) || !row || *n == max) {
            break;
        }
        r = order_read(&(*out)[*n], a, kind, s);
        if (!rc_ok(r)) {
            (void)err_set(e, r.code, "too many orders at once");
            break;
        }
        ++*n;
    }
    stmt_reset(s);
    return r;
}

static rc list_orders(struct list *l, const struct page *p, struct buf *b, struct err *e)
{
    static const char *const sort[KINDS] = {"price, published, hash", "price, published, hash",
                                            "price, published, hash",
                                            "price DESC, published, hash"};
    uint64_t total;
    uint64_t n = 0;
    TRY(count(l, &total, e));
    BUF_FREE sql = buf_new(8192);
    put_fmt(&sql, "SELECT %s FROM %s WHERE status = 0", order_columns, kind_names[l->kind]);
    put_bytes(&sql, buf_bytes(&l->w.sql));
    put_fmt(&sql, " ORDER BY %s LIMIT ? OFFSET ?", sort[l->kind]);
    l->w.values[l->w.n++].number = p->size;
    l->w.values[l->w.n++].number = p->index * p->size;
    struct stmt *s = query_stmt(l->m, buf_cstr(&sql), &l->w, e);
    if (s == NULL) {
        return RC(IO);
    }
    put_str(b, "{\"ok\":true,\"orders\":[");
    rc r;
    for (;;) {
        bool row;
        struct order_row o;
        struct arena a;
        r = stmt_step(s, &row, e);
        if (!rc_ok(r) || !row) {
            break;
        }
        arena_init(&a, BODY_MAX * 2);
        r = order_read(&o, &a, l->kind, s);
        put_str(b, n++ > 0 ? "," : "");
        if (rc_ok(r)) {
            put_order(l->m, b, &o);
        }
        arena_reset(&a);
        if (!rc_ok(r)) {
            break;
        }
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

static void list_kind(struct market *m, struct http_req *r, enum order_kind kind)
{
    struct list l = {.m = m,
                     .r = r,
                     .kind = kind,
                     .w = WHERE_NEW,
                     .lead = "",
                     .counted = true,
                     .shared = WHERE_NEW};
    struct page p;
    struct err e = {0};
    struct buf b = buf_new(ANSWER_MAX);
    if (request_ok(m, r)) {
        rc res = page_of(r, &p, &e);
        res = rc_ok(res) ? filters(&l, &e) : res;
        static const char *const needed[KINDS] = {"app", "dataset", NULL, NULL};
        static const char *const owner[KINDS] = {"appOwner", "datasetOwner", NULL, NULL};
        if (rc_ok(res) && needed[kind] != NULL && http_query(r, needed[kind]) == NULL &&
            http_query(r, owner[kind]) == NULL) {
            res = err_set(&e, RC_CODE_MALFORMED, "%s or %s is required", needed[kind], owner[kind]);
        }
        res = rc_ok(res) ? list_orders(&l, &p, &b, &e) : res;
        m->m.queries++;
        if (rc_ok(res)) {
            answer(r, &b);
        } else {
            answer_rc(m, r, res, &e);
        }
    }
    buf_free(&b);
    buf_free(&l.w.sql);
    buf_free(&l.shared.sql);
}

void market_on_list_app(void *ctx, struct http_req *r)
{
    list_kind(ctx, r, ORDER_APP);
}

void market_on_list_dataset(void *ctx, struct http_req *r)
{
    list_kind(ctx, r, ORDER_DATASET);
}

void market_on_list_workerpool(void *ctx, struct http_req *r)
{
    list_kind(ctx, r, ORDER_WORKERPOOL);
}

void market_on_list_request(void *ctx, struct http_req *r)
{
    list_kind(ctx, r, ORDER_REQUEST);
}

/* --- one order --- */

static void get_kind(struct market *m, struct http_req *r, enum order_kind kind)
{
    struct hash hash;
    struct order_row o;
    struct err e = {0};
    bool found = false;
    if (!request_ok(m, r)) {
        return;
    }
    if (!rc_ok(hex_parse_hash(&hash, http_param(r, "hash")))) {
        answer_error(r, 400, "orderHash must be a bytes32 hexstring");
        return;
    }
    rc res = order_get(m, &o, http_arena(r), &found, kind, hash, &e);
    if (!rc_ok(res)) {
        answer_rc(m, r, res, &e);
        return;
    }
    if (!found) {
        answer_error(r, 404, "%s not found", kind_names[kind]);
        return;
    }
    BUF_FREE b = buf_new(ANSWER_MAX);
    put_order(m, &b, &o);
    BUF_FREE all = buf_new(ANSWER_MAX);
    put_str(&all, "{\"ok\":true,");
    put_bytes(&all, (struct bytes){b.p + 1, b.n - 1}); /* its own members, one level up */
    answer(r, &all);
}

void market_on_get_app(void *ctx, struct http_req *r)
{
    get_kind(ctx, r, ORDER_APP);
}

void market_on_get_dataset(void *ctx, struct http_req *r)
{
    get_kind(ctx, r, ORDER_DATASET);
}

void market_on_get_workerpool(void *ctx, struct http_req *r)
{
    get_kind(ctx, r, ORDER_WORKERPOOL);
}

void market_on_get_request(void *ctx, struct http_req *r)
{
    get_kind(ctx, r, ORDER_REQUEST);
}
