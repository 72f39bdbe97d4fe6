/* SPDX-License-Identifier: Apache-2.0 */
/* api_dag.c - graphs: nodes as DAG-JSON, paths, sizes, archives, references. */
#include <stdlib.h>

#include "daemon/store/store_int.h"
#include "encoding/base64.h"
#include "encoding/dagcbor.h"
#include "io/json.h"

#define ANSWER_MAX ((size_t)256 << 20)

/* DAG-JSON of a dag-pb node: fields as the codec's schema orders them. */
static rc put_pb_json(struct buf *b, struct bytes block)
{
    struct arena a;
    struct dagpb node;
    arena_init(&a, DAG_ARENA_MAX);
    rc r = dagpb_parse(&node, &a, block);
    put_str(b, "{");
    if (rc_ok(r) && node.has_data) {
        put_str(b, "\"Data\":{\"/\":{\"bytes\":\"");
        put_base64(b, node.data);
        while (b->n > 0 && b->p[b->n - 1] == '=') {
            b->n--; /* DAG-JSON: without padding */
        }
        put_str(b, "\"}},");
    }
    put_str(b, "\"Links\":[");
    for (size_t i = 0; rc_ok(r) && i < node.n_links; i++) {
        char s[CID_STR_MAX];
        const struct dagpb_link *l = &node.links[i];
        put_fmt(b, "%s{\"Hash\":{\"/\":\"%s\"},\"Name\":", i > 0 ? "," : "", cid_str(&l->cid, s));
        json_put_str(b, l->name);
        put_fmt(b, ",\"Tsize\":%llu}", (unsigned long long)l->tsize);
    }
    put_str(b, "]}");
    arena_reset(&a);
    return rc_ok(r) ? buf_end(b) : r;
}

static rc put_raw_json(struct buf *b, struct bytes block)
{
    put_str(b, "{\"/\":{\"bytes\":\"");
    put_base64(b, block);
    while (b->n > 0 && b->p[b->n - 1] == '=') {
        b->n--;
    }
    put_str(b, "\"}}");
    return buf_end(b);
}

/* A block, or the value inside it that the rest of the path names, as DAG-JSON. */
static rc put_node(struct content_store *s, struct buf *b, const struct cid *cid, struct bytes rest,
                   struct err *e)
{
    BUF_FREE block = buf_new(BLOCK_MAX);
    char t[CID_STR_MAX];
    TRY(dag_block(s->blocks, cid, &block, e));
    struct bytes value = buf_bytes(&block);
    rc r = RC_OK;
    struct cur c = cur_of(rest);
    while (c.n > 0 && rc_ok(r)) {
        const uint8_t *slash = memchr(c.p, '/', c.n);
        struct bytes name = take_bytes(&c, slash == NULL ? c.n : (size_t)(slash - c.p));
        struct cid link;
        bool is_link;
        r = dagcbor_get(&value, &link, &is_link, value, name);
        (void)take_bytes(&c, MIN(c.n, (size_t)1));
    }
    if (rc_ok(r) && cid->codec == CID_DAG_PB) {
        r = put_pb_json(b, value);
    } else if (rc_ok(r) && cid->codec == CID_DAG_CBOR) {
        r = dagcbor_put_json(b, value);
    } else if (rc_ok(r) && (cid->codec == CID_DAG_JSON || cid->codec == CID_JSON)) {
        put_bytes(b, value);
    } else if (rc_ok(r)) {
        r = put_raw_json(b, value);
    }
    return rc_ok(r) ? r
                    : err_set(e, r.code, "%s is not a proper block of its codec", cid_str(cid, t));
}

/* The first argument with what is left of the path; false after it has answered. */
static bool resolve(struct content_store *s, struct http_req *r, struct cid *out, struct buf *rest)
{
    struct cid root;
    struct err e = {0};
    const char *path = api_arg(r, 0);
    if (!api_allowed(s, r)) {
        return false;
    }
    if (path == NULL) {
        api_client_error(r, "argument \"ref\" is required");
        return false;
    }
    rc res = dag_resolve(s->blocks, path, &root, out, rest, &e);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return false;
    }
    return true;
}

void api_dag_get(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    BUF_FREE rest = buf_new(4096);
    const char *codec = http_query(r, "output-codec");
    if (!resolve(s, r, &cid, &rest)) {
        return;
    }
    bool json = codec == NULL || codec[0] == '\0' || strcmp(codec, "dag-json") == 0;
    bool same = (codec != NULL) && ((cid.codec == CID_DAG_CBOR && strcmp(codec, "dag-cbor") == 0) ||
                                    (cid.codec == CID_DAG_PB && strcmp(codec, "dag-pb") == 0) ||
                                    (cid.codec == CID_RAW && strcmp(codec, "raw") == 0));
    if (!json && (!same || rest.n > 0)) {
        api_client_error(r, "output-codec must be dag-json, or the codec of the block itself");
        return;
    }
    BUF_FREE b = buf_new((size_t)4 * BLOCK_MAX);
    rc res =
        json ? put_node(s, &b, &cid, buf_bytes(&rest), &e) : dag_block(s->blocks, &cid, &b, &e);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    http_reply_buf(r, 200, json ? "application/json" : "application/octet-stream", &b);
}

void api_dag_resolve(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    char t[CID_STR_MAX];
    BUF_FREE rest = buf_new(4096);
    if (!resolve(s, r, &cid, &rest)) {
        return;
    }
    BUF_FREE b = buf_new(65536);
    put_fmt(&b, "{\"Cid\":{\"/\":\"%s\"},\"RemPath\":", cid_str(&cid, t));
    json_put_str(&b, buf_bytes(&rest));
    put_str(&b, "}\n");
    api_reply(r, &b);
}

void api_dag_stat(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    char t[CID_STR_MAX];
    struct err e = {0};
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    struct dag_walk w;
    walk_open(&w, s->blocks);
    walk_add(&w, &cid);
    uint64_t n = 0;
    uint64_t bytes = 0;
    rc res = RC_OK;
    for (bool more = true; rc_ok(res) && more;) {
        struct cid at;
        uint8_t first;
        uint64_t size = 0;
        res = walk_next(&w, &at, &more, &e);
        if (rc_ok(res) && more) {
            res = dag_peek(s->blocks, &at, &first, &size, &e);
            n++;
            bytes += size;
        }
    }
    walk_close(&w);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    BUF_FREE b = buf_new(1024);
    put_fmt(&b,
            "{\"UniqueBlocks\":%llu,\"TotalSize\":%llu,\"SharedSize\":0,\"Ratio\":1,\"DagStats\":"
            "[{\"Cid\":{\"/\":\"%s\"},\"Size\":%llu,\"NumBlocks\":%llu}]}\n",
            (unsigned long long)n, (unsigned long long)bytes, cid_str(&cid, t),
            (unsigned long long)bytes, (unsigned long long)n);
    api_reply(r, &b);
}

void api_dag_export(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    uint64_t size;
    uint8_t first;
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    rc res = dag_peek(s->blocks, &cid, &first, &size, &e);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    http_set_header(r, "x-stream-output", "1");
    stream_car(s, r, &cid, false);
}

/* --- references --- */

static void put_ref(struct buf *b, const struct cid *cid)
{
    char t[CID_STR_MAX];
    put_fmt(b, "{\"Ref\":\"%s\",\"Err\":\"\"}\n", cid_str(cid, t));
}

/* Every block below the argument; with recursive=false only those it links to itself. */
void api_refs(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    bool deep = api_flag(r, "recursive", false);
    struct dag_walk w;
    struct buf b = buf_new(ANSWER_MAX);
    walk_open(&w, s->blocks);
    walk_add(&w, &cid);
    struct cid at;
    bool more;
    rc res = walk_next(&w, &at, &more, &e); /* the root itself is no reference */
    if (rc_ok(res) && !deep) {
        for (size_t i = w.n; i > 0; i--) {
            put_ref(&b, &w.todo[i - 1]);
        }
    }
    while (rc_ok(res) && deep && more) {
        res = walk_next(&w, &at, &more, &e);
        if (rc_ok(res) && more) {
            put_ref(&b, &at);
            res = buf_end(&b);
        }
    }
    walk_close(&w);
    if (rc_ok(res)) {
        api_reply(r, &b);
    } else {
        api_error(s, r, res, e.msg[0] != '\0' ? e.msg : "too many references");
    }
    buf_free(&b);
}

static rc local_ref(void *ctx, const struct hash *h, uint64_t size)
{
    (void)size;
    struct cid cid =
        cid_make(1, CID_RAW, h); /* blocks are kept by digest: the codec is not known */
    put_ref(ctx, &cid);
    return buf_end(ctx);
}

void api_refs_local(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct err e = {0};
    if (!api_allowed(s, r)) {
        return;
    }
    BUF_FREE b = buf_new(ANSWER_MAX);
    rc res = blocks_each(s->blocks, local_ref, &b, &e);
    if (rc_ok(res)) {
        api_reply(r, &b);
    } else {
        api_error(s, r, res, e.msg[0] != '\0' ? e.msg : "too many blocks to be listed");
    }
}
