/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_MARKET_MARKET_INT_H
#define SOUK_DAEMON_MARKET_MARKET_INT_H

/* market_int.h - what the parts of the order book share. */

#include "daemon/client/client.h"
#include "daemon/market/market.h"
#include "io/db.h"
#include "io/http_server.h"

#define KINDS       4                   /* enum order_kind */
#define NUMBER_MAX  ((1ULL << 53) - 1)  /* prices and volumes: numbers of JavaScript */
#define BODY_MAX    ((size_t)256 << 10) /* bytes of a published order */
#define ANSWER_MAX  ((size_t)32 << 20)
#define PAGE_MIN    10
#define PAGE_MAX    1000
#define PAGE_DEF    20
#define TAG_WORDS   5                /* a tag as numbers of 56 bits, lowest first */
#define BULK_VOLUME (NUMBER_MAX - 1) /* dataset orders for bulk processing: at least this */

enum order_status { /* on disk: never renumber */
                    ORDER_OPEN = 0,
                    ORDER_FILLED = 1,
                    ORDER_CANCELED = 2,
                    ORDER_DEAD = 3,
};

/* An order of any kind, as the book keeps it. Fields a kind does not have are zero; the addresses are
 * what the order sells, or whom it is restricted to. */
struct order_row {
    enum order_kind kind;
    struct hash hash;
    struct address signer;
    struct address app, dataset, workerpool, requester, beneficiary;
    uint64_t price; /* app, dataset or workerpool price; a request's maximum for the pool */
    uint64_t app_max, dataset_max; /* of a request */
    uint64_t volume, remaining, category, trust;
    struct hash tag;
    struct hash salt;
    enum order_status status;
    uint64_t published_ms;
    const char *body; /* the order in JSON */
};

struct cached_query;

struct market {
    struct loop *loop;
    struct market_config cfg;
    struct db *db;
    int lock_fd;
    struct client *client;
    uint64_t chain_id;
    struct hash domain;
    struct address registry[3]; /* app, dataset, workerpool */
    struct http_server *http;
    struct loop_hook hook;

    struct stmt *put[KINDS], *get[KINDS], *set[KINDS], *drop[KINDS], *count_open[KINDS];
    struct stmt *open_of_signer[KINDS], *touched[KINDS], *count_all[KINDS];
    struct stmt *deal_put, *deal_get, *deal_drop, *cat_put, *cat_get, *cat_max, *state_put,
        *state_get;
    struct cached_query *queries; /* prepared listings */

    struct challenge_table *challenges;
    struct rate_table *rates;

    struct publish *pending, **pending_tail; /* waiting for the end of the round */

    struct client_cursor cursor;
    struct client_watch *watch;
    struct loop_timer poll;
    bool chain_away; /* the last call of the chain failed */
    uint64_t head;   /* newest block seen */
    struct {
        uint64_t published, refused, queries, deals, closed, errors;
    } m;
};

extern const char *const kind_names[KINDS]; /* "apporder", … */

/* --- answers (market.c) --- */

/* {"ok":false,"error":"…"} */
void answer_error(struct http_req *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* From a failed step: 400, 403, 404, 500; internal messages stay inside. */
void answer_rc(struct market *m, struct http_req *r, rc why, const struct err *e);
void answer(struct http_req *r, struct buf *json); /* 200; takes the memory */

/* Counts the request against its address and checks chainId; false when it has answered. */
bool request_ok(struct market *m, struct http_req *r);

/* --- limits and challenges (auth.c) --- */

void market_auth_open(struct market *m);
void market_auth_close(struct market *m);
bool rate_take(struct market *m, const char *peer);

void market_on_challenge(void *ctx, struct http_req *r);

/* Checks the authorization header and spends its challenge. DENIED otherwise. */
rc market_auth_check(struct market *m, struct http_req *r, struct address *who);

/* --- the database (orders.c) --- */

rc book_open(struct market *m, struct err *e);
rc order_put(struct market *m, const struct order_row *o, struct err *e);

/* Views live in the arena. *found is false when there is none. */
rc order_get(struct market *m, struct order_row *o, struct arena *a, bool *found,
             enum order_kind kind, struct hash hash, struct err *e);
rc order_set(struct market *m, enum order_kind kind, struct hash hash, uint64_t remaining,
             enum order_status status, uint64_t block, struct err *e);
rc order_drop(struct market *m, enum order_kind kind, struct hash hash, struct err *e);
rc order_count_open(struct market *m, enum order_kind kind, struct address signer, uint64_t *n,
                    struct err *e);

typedef rc (*order_fn)(void *ctx, const struct order_row *o, struct err *e);

/* Every open order of a signer, or every order a block from `block` on has changed; fn must not
 * write. */
rc order_each_of(struct market *m, enum order_kind kind, struct address signer, order_fn fn,
                 void *ctx, struct arena *a, struct err *e);
rc order_each_touched(struct market *m, enum order_kind kind, uint64_t block, order_fn fn,
                      void *ctx, struct arena *a, struct err *e);

/* A row of any SELECT that begins with ORDER_COLUMNS. */
extern const char order_columns[];
rc order_read(struct order_row *o, struct arena *a, enum order_kind kind, struct stmt *s);

/* Which of an order's addresses are set, and whether its tag has bits above the lowest 56. */
enum { /* on disk: never renumber */
       MASK_APP = 1,
       MASK_DATASET = 2,
       MASK_WORKERPOOL = 4,
       MASK_REQUESTER = 8,
       MASK_HIGH_TAG = 16,
};

uint64_t order_mask(const struct order_row *o);
void tag_words(uint64_t out[TAG_WORDS], struct hash tag);

/* {"orderHash":…,"order":…,"chainId":…,"remaining":…,"status":…,"publicationTimestamp":…,"signer":…} */
void put_order(struct market *m, struct buf *b, const struct order_row *o);

/* --- listings (query.c) --- */

void market_on_list_app(void *ctx, struct http_req *r);
void market_on_list_dataset(void *ctx, struct http_req *r);
void market_on_list_workerpool(void *ctx, struct http_req *r);
void market_on_list_request(void *ctx, struct http_req *r);
void market_on_get_app(void *ctx, struct http_req *r);
void market_on_get_dataset(void *ctx, struct http_req *r);
void market_on_get_workerpool(void *ctx, struct http_req *r);
void market_on_get_request(void *ctx, struct http_req *r);
void query_close(struct market *m);

/* Conditions of a SELECT as they are collected, with their values. */
struct where {
    struct buf sql;
    struct {
        uint64_t number;
        struct bytes bytes; /* p NULL: a number */
    } values[32];
    size_t n;
};

#define WHERE_NEW ((struct where){.sql = buf_new(4096)})

void where_number(struct where *w, const char *cond, uint64_t v); /* cond holds one ? */
void where_bytes(struct where *w, const char *cond, struct bytes v);
void where_text(struct where *w, const char *cond); /* no value */

/* A prepared statement of this text, reset and with the values bound; kept for the next time. */
struct stmt *query_stmt(struct market *m, const char *sql, const struct where *w, struct err *e);

/* Open orders of a kind that meet the conditions, at most max, in the order given. */
rc orders_fetch(struct market *m, enum order_kind kind, struct where *w, const char *sort,
                uint64_t max, struct arena *a, struct order_row **out, size_t *n, struct err *e);

struct page {
    uint64_t index, size;
};

rc page_of(struct http_req *r, struct page *p, struct err *e);
rc query_number(struct http_req *r, const char *name, uint64_t max, bool *given, uint64_t *out,
                struct err *e);
rc query_address(struct http_req *r, const char *name, bool *given, bool *any, struct address *out,
                 struct err *e);
rc query_hash(struct http_req *r, const char *name, bool *given, struct hash *out, struct err *e);

/* --- publishing (publish.c) --- */

void market_on_publish_app(void *ctx, struct http_req *r);
void market_on_publish_dataset(void *ctx, struct http_req *r);
void market_on_publish_workerpool(void *ctx, struct http_req *r);
void market_on_publish_request(void *ctx, struct http_req *r);
void publish_round(struct market *m); /* handles what came in this round */
void publish_close(struct market *m);

/* Reads, checks and hashes an order in JSON: MALFORMED with the place of the fault. */
rc order_parse(struct market *m, struct order_row *o, struct bytes *sign, struct arena *a,
               enum order_kind kind, const struct js *j, struct err *e);

/* Whether a stake covers what the order's remaining tasks would lock; *need is that sum. */
bool order_affordable(const struct order_row *o, struct u256 stake, struct u256 *need);
struct u256 order_lock(const struct order_row *o); /* for one task */

/* --- unpublishing (unpublish.c) --- */

void market_on_unpublish_app(void *ctx, struct http_req *r);
void market_on_unpublish_dataset(void *ctx, struct http_req *r);
void market_on_unpublish_workerpool(void *ctx, struct http_req *r);
void market_on_unpublish_request(void *ctx, struct http_req *r);

/* An app or dataset order has left the book: */
rc asset_order_gone(struct market *m, const struct order_row *o, uint64_t block, struct err *e);

/* Open requests that no order for their app (or dataset) can serve any more become dead. */
rc requests_recheck(struct market *m, bool dataset, struct address asset, uint64_t block,
                    struct err *e);

/* --- matching (best.c) --- */

/* The cheapest open order of a kind that could serve a request; *found. */
rc best_for_request(struct market *m, enum order_kind kind, const struct order_row *request,
                    struct order_row *best, struct arena *a, bool *found, struct err *e);
void market_on_best(void *ctx, struct http_req *r);

/* --- deals, categories, numbers (deals.c) --- */

void market_on_deal(void *ctx, struct http_req *r);
void market_on_deals(void *ctx, struct http_req *r);
void market_on_category(void *ctx, struct http_req *r);
void market_on_categories(void *ctx, struct http_req *r);
void market_on_ohlc(void *ctx, struct http_req *r);
void market_on_metrics(void *ctx, struct http_req *r);

struct deal_row {
    struct hash id;
    struct hash orders[KINDS];
    uint64_t volume, block, block_s;
    struct hash tx;
    const struct view_deal *deal;
};

rc deal_put(struct market *m, const struct deal_row *d, struct err *e);
rc category_put(struct market *m, uint64_t id, const struct view_category *c, struct hash tx,
                uint64_t block, uint64_t block_s, struct err *e);

/* --- the chain (watch.c) --- */

rc watch_open(struct market *m, struct err *e);
void watch_close(struct market *m);

#endif /* SOUK_DAEMON_MARKET_MARKET_INT_H */
