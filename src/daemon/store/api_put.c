/* SPDX-License-Identifier: Apache-2.0 */
/* api_put.c - block/put, dag/put and dag/import: blocks as they are, each under its own digest. */
#include <stdlib.h>

#include "crypto/sha2.h"
#include "daemon/store/store_int.h"
#include "encoding/car.h"
#include "encoding/dagcbor.h"
#include "encoding/multipart.h"
#include "io/json.h"

#define LINES_MAX     ((size_t)16 << 20)
#define BLOCK_PUT_MAX ((size_t)1 << 20) /* what other nodes would exchange; more needs the flag */

enum put_kind { PUT_BLOCK, PUT_DAG, PUT_CAR };

struct put {
    enum put_kind kind;
    struct content_store *s;
    struct http_req *r;
    struct multipart mp;
    struct sink sink;
    struct use use;
    struct waiter waiter;
    struct buf block;
    struct car_reader car;
    struct cid *roots; /* of archives */
    size_t n_roots;
    uint64_t blocks, bytes; /* imported */
    uint64_t codec;
    unsigned version;
    size_t max;
    bool pin;
    struct buf lines;
    uint64_t generation;
    struct err e;
};

static void put_free(struct put *p)
{
    store_commit_cancel(&p->waiter);
    sink_undo(&p->sink); /* nothing is left to undo once the answer is out */
    sink_close(&p->sink);
    use_end(p->s, &p->use);
    multipart_close(&p->mp);
    if (p->kind == PUT_CAR) {
        car_close(&p->car);
    }
    buf_free(&p->block);
    buf_free(&p->lines);
    free(p->roots);
    free(p);
}

static void on_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    put_free(http_user(r));
}

static void fail(struct put *p, rc r)
{
    http_on_gone(p->r, NULL);
    api_error(p->s, p->r, r, p->e.msg[0] != '\0' ? p->e.msg : "the upload failed");
    put_free(p);
}

static rc on_root(void *ctx, const struct cid *root)
{
    struct put *p = ctx;
    p->roots = reallocarray(p->roots, p->n_roots + 1, sizeof(*p->roots));
    ASSERT(p->roots != NULL);
    p->roots[p->n_roots++] = *root;
    return RC_OK;
}

/* A block of an archive must be what its CID says. */
static rc on_block(void *ctx, const struct cid *cid, struct bytes block)
{
    struct put *p = ctx;
    struct hash want;
    char s[CID_STR_MAX];
    if (cid->mh_code == MH_IDENTITY) {
        return RC_OK;
    }
    struct hash h = sha256(block);
    if (!cid_sha256(&want, cid) || !hash_eq(h, want)) {
        return err_set(&p->e, RC_CODE_MALFORMED, "block of the archive does not match its CID %s",
                       cid_str(cid, s));
    }
    TRY(sink_keep(&p->sink, &h, block, &p->e));
    p->blocks++;
    p->bytes += block.n;
    return RC_OK;
}

static rc on_part(void *ctx, const struct multipart_part *part)
{
    static const struct car_handler handler = {on_root, on_block};
    struct put *p = ctx;
    (void)part;
    buf_reset(&p->block);
    if (p->kind == PUT_CAR) {
        car_close(&p->car);
        car_open(&p->car, &handler, p);
    }
    return RC_OK;
}

static rc on_data(void *ctx, struct bytes data)
{
    struct put *p = ctx;
    if (p->kind == PUT_CAR) {
        rc r = car_feed(&p->car, data);
        return rc_ok(r) || p->car.bad == NULL ? r : err_set(&p->e, r.code, "%s", p->car.bad);
    }
    put_bytes(&p->block, data);
    return p->block.n <= p->max && !p->block.full
               ? RC_OK
               : err_set(&p->e, RC_CODE_MALFORMED,
                         "produced block is over 1MiB: big blocks can't be exchanged with other "
                         "peers. consider using UnixFS for automatic chunking of bigger files, or "
                         "pass --allow-big-block to override");
}

static rc check_codec(struct put *p)
{
    struct arena a;
    struct dagpb node;
    rc r = RC_OK;
    if (p->codec == CID_DAG_CBOR) {
        r = dagcbor_links(buf_bytes(&p->block), NULL, NULL);
    } else if (p->codec == CID_DAG_PB) {
        arena_init(&a, DAG_ARENA_MAX);
        r = dagpb_parse(&node, &a, buf_bytes(&p->block));
        arena_reset(&a);
    }
    return rc_ok(r) ? r : err_set(&p->e, RC_CODE_MALFORMED, "the block is not of the codec named");
}

static rc on_part_end(void *ctx)
{
    struct put *p = ctx;
    struct cid cid;
    char s[CID_STR_MAX];
    if (p->kind == PUT_CAR) {
        rc r = car_end(&p->car);
        return rc_ok(r) ? r : err_set(&p->e, r.code, "%s", p->car.bad);
    }
    if (p->kind == PUT_DAG) {
        TRY(check_codec(p));
    }
    TRY(sink_put(&p->sink, &cid, p->version, p->codec, buf_bytes(&p->block), &p->e));
    if (p->pin) {
        TRY(pin_add(p->s, &cid, true, "", &p->e));
        p->sink.n_fresh = 0;
    }
    if (p->kind == PUT_BLOCK) {
        put_fmt(&p->lines, "{\"Key\":\"%s\",\"Size\":%zu}\n", cid_str(&cid, s), p->block.n);
    } else {
        put_fmt(&p->lines, "{\"Cid\":{\"/\":\"%s\"}}\n", cid_str(&cid, s));
    }
    return buf_end(&p->lines);
}

static struct put *begin(struct content_store *s, struct http_req *r, enum put_kind kind)
{
    static const struct multipart_handler handler = {on_part, on_data, on_part_end};
    if (!api_allowed(s, r)) {
        return NULL;
    }
    struct put *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->kind = kind;
    p->s = s;
    p->r = r;
    p->lines = buf_new(LINES_MAX);
    p->block = buf_new(BLOCK_MAX);
    p->max = api_flag(r, "allow-big-block", false) ? BLOCK_MAX : BLOCK_PUT_MAX;
    const char *type = http_header(r, "content-type");
    if (!rc_ok(multipart_open(&p->mp, bytes_str(type == NULL ? "" : type), &handler, p))) {
        api_client_error(r, "file argument is required: send it as multipart/form-data");
        put_free(p);
        return NULL;
    }
    use_upload(s, &p->use);
    p->sink = store_sink(s, &p->use, false);
    p->generation = blocks_generation(s->blocks);
    http_set_user(r, p);
    http_on_gone(r, on_gone);
    return p;
}

static void refuse(struct put *p, const char *msg)
{
    http_on_gone(p->r, NULL);
    api_client_error(p->r, msg);
    put_free(p);
}

static bool only_sha256(struct http_req *r, const char *name)
{
    const char *v = http_query(r, name);
    return v == NULL || v[0] == '\0' || strcmp(v, "sha2-256") == 0;
}

static const struct {
    const char *name;
    uint64_t codec;
} codecs[] = {
    {"raw", CID_RAW},           {"dag-pb", CID_DAG_PB}, {"dag-cbor", CID_DAG_CBOR},
    {"dag-json", CID_DAG_JSON}, {"json", CID_JSON},
};

static bool codec_of(const char *name, uint64_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        if (strcmp(name, codecs[i].name) == 0) {
            *out = codecs[i].codec;
            return true;
        }
    }
    return false;
}

void block_put_on_request(void *ctx, struct http_req *r)
{
    struct put *p = begin(ctx, r, PUT_BLOCK);
    if (p == NULL) {
        return;
    }
    const char *format = http_query(r, "format");
    const char *codec = http_query(r, "cid-codec");
    p->version = 1;
    p->codec = CID_RAW;
    p->pin = api_flag(r, "pin", false);
    if (format != NULL && (strcmp(format, "v0") == 0 || strcmp(format, "protobuf") == 0)) {
        p->version = strcmp(format, "v0") == 0 ? 0 : 1;
        p->codec = CID_DAG_PB;
    } else if (format != NULL && format[0] != '\0') {
        codec = format;
    }
    if (codec != NULL && codec[0] != '\0' && !codec_of(codec, &p->codec)) {
        refuse(p, "cid-codec must be raw, dag-pb, dag-cbor, dag-json or json");
    } else if (!only_sha256(r, "mhtype")) {
        refuse(p, "only mhtype=sha2-256 is served here");
    }
}

void dag_put_on_request(void *ctx, struct http_req *r)
{
    struct put *p = begin(ctx, r, PUT_DAG);
    if (p == NULL) {
        return;
    }
    const char *store = http_query(r, "store-codec");
    const char *input = http_query(r, "input-codec");
    p->version = 1;
    p->pin = api_flag(r, "pin", false);
    store = store == NULL || store[0] == '\0' ? "dag-cbor" : store;
    input = input == NULL || input[0] == '\0' ? "dag-json" : input;
    if (!only_sha256(r, "hash")) {
        refuse(p, "only hash=sha2-256 is served here");
    } else if (!codec_of(store, &p->codec)) {
        refuse(p, "store-codec must be raw, dag-pb, dag-cbor, dag-json or json");
    } else if (strcmp(store, input) != 0) {
        refuse(p, "input-codec must be the store-codec: this node does not convert between codecs");
    }
}

void dag_import_on_request(void *ctx, struct http_req *r)
{
    struct put *p = begin(ctx, r, PUT_CAR);
    if (p != NULL) {
        p->pin = api_flag(r, "pin-roots", true);
    }
}

/* The roots, pinned unless the caller did not want it. */
static rc finish_car(struct put *p)
{
    char s[CID_STR_MAX];
    for (size_t i = 0; i < p->n_roots; i++) {
        struct err e = {0};
        rc r = p->pin ? pin_add(p->s, &p->roots[i], true, "", &e) : RC_OK;
        if (r.code == RC_CODE_IO || r.code == RC_CODE_LIMIT) {
            p->e = e;
            return r;
        }
        put_fmt(&p->lines,
                "{\"Root\":{\"Cid\":{\"/\":\"%s\"},\"PinErrorMsg\":", cid_str(&p->roots[i], s));
        json_put_str(&p->lines, bytes_str(rc_ok(r) ? "" : e.msg));
        put_str(&p->lines, "}}\n");
    }
    p->sink.n_fresh = 0; /* a pin may need them, also when another root lacks blocks */
    if (api_flag(p->r, "stats", false)) {
        put_fmt(&p->lines, "{\"Stats\":{\"BlockCount\":%llu,\"BlockBytesCount\":%llu}}\n",
                (unsigned long long)p->blocks, (unsigned long long)p->bytes);
    }
    return buf_end(&p->lines);
}

static void on_commit(void *ctx, rc r, const struct err *e)
{
    struct put *p = ctx;
    if (!rc_ok(r)) {
        p->e = *e;
        fail(p, r);
        return;
    }
    http_on_gone(p->r, NULL);
    sink_close(&p->sink);
    api_reply(p->r, &p->lines);
    put_free(p);
}

void put_on_body(void *ctx, struct http_req *r, struct bytes part, bool last)
{
    struct content_store *s = ctx;
    struct put *p = http_user(r);
    p->e.msg[0] = '\0';
    rc res = multipart_feed(&p->mp, part);
    if (rc_ok(res) && last) {
        res = multipart_end(&p->mp);
        res = rc_ok(res) && p->kind == PUT_CAR ? finish_car(p) : res;
    }
    if (rc_ok(res) && p->generation != blocks_generation(s->blocks)) {
        res = err_set(&p->e, RC_CODE_IO, "the store lost part of the upload: send it again");
    }
    if (!rc_ok(res)) {
        if (p->mp.bad != NULL && p->e.msg[0] == '\0') {
            (void)err_set(&p->e, res.code, "%s", p->mp.bad);
        }
        fail(p, res);
        return;
    }
    if (last) {
        p->waiter.fn = on_commit;
        p->waiter.ctx = p;
        store_commit_wait(s, &p->waiter);
    }
}
