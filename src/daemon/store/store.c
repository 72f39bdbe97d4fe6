/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "crypto/sha2.h"
#include "daemon/store/store_int.h"
#include "io/file.h"
#include "io/metrics.h"

#define YOUNG_PRUNE 65536 /* digests kept before those no upload needs are forgotten */

static const struct metric metrics[] = {
    METRIC("souk_store_adds_total", METRIC_COUNTER, content_store, m.adds, "files added"),
    METRIC("souk_store_add_bytes_total", METRIC_COUNTER, content_store, m.add_bytes,
           "bytes of files added"),
    METRIC("souk_store_reads_total", METRIC_COUNTER, content_store, m.reads, "files read"),
    METRIC("souk_store_read_bytes_total", METRIC_COUNTER, content_store, m.read_bytes,
           "bytes of files read"),
    METRIC("souk_store_errors_total", METRIC_COUNTER, content_store, m.errors,
           "requests that failed on our side"),
    METRIC("souk_store_commits_total", METRIC_COUNTER, content_store, m.commits,
           "commits to disk, each for a group of uploads"),
    METRIC("souk_store_gc_removed_total", METRIC_COUNTER, content_store, m.gc_removed,
           "blocks removed by garbage collection"),
    METRIC("souk_store_blocks", METRIC_GAUGE, content_store, m.blocks, "blocks kept"),
    METRIC("souk_store_bytes", METRIC_GAUGE, content_store, m.bytes, "bytes of blocks kept"),
    {0},
};

void store_commit_wait(struct content_store *s, struct waiter *w)
{
    w->next = s->waiters;
    w->at = &s->waiters;
    if (w->next != NULL) {
        w->next->at = &w->next;
    }
    s->waiters = w;
}

void store_commit_cancel(struct waiter *w)
{
    if (w->at != NULL) {
        *w->at = w->next;
        if (w->next != NULL) {
            w->next->at = w->at;
        }
        w->at = NULL;
    }
}

static void use_link(struct content_store *s, struct use *u)
{
    u->next = s->uses;
    u->at = &s->uses;
    if (u->next != NULL) {
        u->next->at = &u->next;
    }
    s->uses = u;
}

void use_upload(struct content_store *s, struct use *u)
{
    u->epoch = ++s->epoch;
    use_link(s, u);
}

void use_read(struct content_store *s, struct use *u, const struct cid *root)
{
    u->epoch = 0;
    u->root = *root;
    use_link(s, u);
}

void use_end(struct content_store *s, struct use *u)
{
    if (u->at == NULL) {
        return;
    }
    *u->at = u->next;
    if (u->next != NULL) {
        u->next->at = u->at;
    }
    u->at = NULL;
    uint64_t oldest = UINT64_MAX - 1;
    for (const struct use *o = s->uses; o != NULL; o = o->next) {
        oldest = o->epoch != 0 ? MIN(oldest, o->epoch) : oldest;
    }
    if (oldest == UINT64_MAX - 1) {
        hashmap_free(&s->young);
    } else if (s->young.n > YOUNG_PRUNE) {
        hashmap_prune(&s->young, oldest);
    }
}

struct sink store_sink(struct content_store *s, const struct use *u, bool only_hash)
{
    return (struct sink){
        .blocks = s->blocks, .young = &s->young, .epoch = u->epoch, .only_hash = only_hash};
}

/* End of a round of the loop: one commit for all who wait. */
static void on_round(void *ctx)
{
    struct content_store *s = ctx;
    struct err e = {0};
    if (s->waiters == NULL) {
        return;
    }
    rc r = blocks_commit(s->blocks, &e);
    s->m.commits++;
    struct blocks_stat st = blocks_stat(s->blocks);
    s->m.blocks = st.count;
    s->m.bytes = st.bytes;
    if (!rc_ok(r)) {
        log_error("store", "commit failed: %s", e.msg);
    }
    while (s->waiters != NULL) {
        struct waiter *w = s->waiters;
        store_commit_cancel(w);
        w->fn(w->ctx, r, &e);
    }
}

/* A name for this node that clients can parse: a digest of random bytes kept in the folder. */
static rc load_peer_id(struct content_store *s, struct err *e)
{
    char path[FILE_PATH_MAX];
    BUF_FREE b = buf_new(64);
    TRY(path_join(path, s->cfg.dir, "node-id", e));
    rc r = file_read(&b, path, e);
    if (r.code == RC_CODE_NOT_FOUND) {
        uint8_t seed[32];
        if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
            return err_set(e, RC_CODE_IO, "no random bytes from the system");
        }
        put_mem(&b, seed, sizeof(seed));
        r = file_write(path, buf_bytes(&b), 0600, e);
    }
    TRY(r);
    struct hash h = sha256(buf_bytes(&b));
    struct cid id = cid_make(0, CID_DAG_PB, &h);
    (void)cid_str(&id, s->peer_id);
    return RC_OK;
}

static rc prepare(struct content_store *s, struct err *e)
{
    struct db *db = blocks_db(s->blocks);
    s->pin_put =
        db_prepare(db, "INSERT OR REPLACE INTO pin(cid, recursive, name) VALUES(?, ?, ?)", e);
    s->pin_get = db_prepare(db, "SELECT recursive FROM pin WHERE cid = ?", e);
    s->pin_del = db_prepare(db, "DELETE FROM pin WHERE cid = ?", e);
    s->pin_all = db_prepare(db, "SELECT cid, recursive, name FROM pin ORDER BY cid", e);
    return s->pin_put == NULL || s->pin_get == NULL || s->pin_del == NULL || s->pin_all == NULL
               ? RC(IO)
               : RC_OK;
}

static bool health(void *ctx, struct buf *json)
{
    const struct content_store *s = ctx;
    struct blocks_stat st = blocks_stat(s->blocks);
    put_fmt(json, "{\"status\":\"ok\",\"blocks\":%llu,\"bytes\":%llu}",
            (unsigned long long)st.count, (unsigned long long)st.bytes);
    return true;
}

static rc serve(struct content_store *s, struct err *e)
{
    struct http_config api = {
        .listen = s->cfg.listen,
        .routes = api_routes,
        .ctx = s,
        .cors_origin = s->cfg.allow_origin,
        .queue_max = (size_t)4 << 20,
        .metrics = metrics,
        .metrics_base = s,
        .health = health,
    };
    TRY(http_server_open(&s->api, s->loop, &api, e));
    if (s->cfg.gateway == NULL || s->cfg.gateway[0] == '\0') {
        return RC_OK;
    }
    struct http_config gateway = {
        .listen = s->cfg.gateway,
        .routes = gateway_routes,
        .ctx = s,
        .cors_origin = "*",
        .queue_max = (size_t)4 << 20,
        .health = health,
    };
    return http_server_open(&s->gateway, s->loop, &gateway, e);
}

rc content_store_open(struct content_store **out, struct loop *l, const struct store_config *cfg,
                      struct err *e)
{
    struct content_store *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    *out = NULL;
    s->loop = l;
    s->cfg = *cfg;
    s->epoch = 1;
    loop_hook_add(l, &s->hook, on_round, s); /* before the servers' hooks, which send the answers */
    rc r = blocks_open(&s->blocks, cfg->dir, cfg->max_size, e);
    r = rc_ok(r) ? prepare(s, e) : r;
    r = rc_ok(r) ? load_peer_id(s, e) : r;
    r = rc_ok(r) ? serve(s, e) : r;
    if (!rc_ok(r)) {
        content_store_close(s);
        return err_wrap(e, r, "start store");
    }
    struct blocks_stat st = blocks_stat(s->blocks);
    s->m.blocks = st.count;
    s->m.bytes = st.bytes;
    *out = s;
    return RC_OK;
}

void content_store_close(struct content_store *s)
{
    if (s == NULL) {
        return;
    }
    http_server_close(s->api);
    http_server_close(s->gateway);
    loop_hook_del(s->loop, &s->hook);
    blocks_close(s->blocks);
    hashmap_free(&s->young);
    free(s);
}

const char *content_store_api_url(const struct content_store *s)
{
    return http_server_url(s->api);
}

const char *content_store_gateway_url(const struct content_store *s)
{
    return s->gateway == NULL ? "" : http_server_url(s->gateway);
}
