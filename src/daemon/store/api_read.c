/* SPDX-License-Identifier: Apache-2.0 */
/* api_read.c - cat, get, ls, and blocks: what is stored, given back. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/store_int.h"
#include "io/json.h"

#define ANSWER_MAX ((size_t)256 << 20)

bool api_resolve(struct content_store *s, struct http_req *r, struct cid *out)
{
    struct cid root;
    struct err e = {0};
    const char *path = api_arg(r, 0);
    BUF_FREE rest = buf_new(4096);
    if (!api_allowed(s, r)) {
        return false;
    }
    if (path == NULL) {
        api_client_error(r, "argument \"ipfs-path\" is required");
        return false;
    }
    rc res = dag_resolve(s->blocks, path, &root, out, &rest, &e);
    if (rc_ok(res) && rest.n > 0) {
        res = err_set(&e, RC_CODE_MALFORMED, "the path ends inside a block");
    }
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return false;
    }
    return true;
}

/* A number of the query; def when it is absent; false after it has answered. */
static bool number(struct http_req *r, const char *name, uint64_t def, uint64_t *out)
{
    const char *v = http_query(r, name);
    unsigned long long n = 0;
    char end;
    *out = def;
    if (v == NULL || v[0] == '\0') {
        return true;
    }
    if (v[0] < '0' || v[0] > '9' || sscanf(v, "%llu%c", &n, &end) != 1) {
        BUF_FREE b = buf_new(128);
        put_fmt(&b, "%s must be a number that is not negative", name);
        api_client_error(r, buf_cstr(&b));
        return false;
    }
    *out = n;
    return true;
}

void api_cat(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    struct file_reader f;
    uint64_t off;
    uint64_t len;
    if (!api_resolve(s, r, &cid) || !number(r, "offset", 0, &off) ||
        !number(r, "length", UINT64_MAX, &len)) {
        return;
    }
    rc res = file_open(&f, s->blocks, &cid, &e);
    if (!rc_ok(res)) {
        file_close(&f);
        api_error(s, r, res.code == RC_CODE_MALFORMED ? RC(NOT_FOUND) : res, e.msg);
        return;
    }
    if (off > f.size) {
        api_client_error(r, "offset is behind the end of the file");
        file_close(&f);
        return;
    }
    file_range(&f, off, len);
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)f.left);
    http_set_header(r, "x-content-length", text);
    http_set_header(r, "x-stream-output", "1");
    stream_file(s, r, 200, "text/plain", &f);
}

void api_get(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    if (api_flag(r, "compress", false)) {
        api_client_error(r, "compress is not served here: the archive is sent as tar");
        return;
    }
    struct node_info info;
    struct err e = {0};
    rc res = dag_info(s->blocks, &cid, &info, &e);
    buf_free(&info.target);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    const char *path = api_arg(r, 0);
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/') {
        n--;
    }
    size_t from = n;
    while (from > 0 && path[from - 1] != '/') {
        from--;
    }
    char name[4096];
    (void)snprintf(name, sizeof(name), "%.*s", (int)(n - from), path + from);
    http_set_header(r, "x-stream-output", "1");
    stream_tar(s, r, &cid, name);
}

/* --- ls --- */

struct ls {
    struct content_store *s;
    struct buf b;
    struct err *e;
    bool stream, resolve, size;
    const char *arg;
    size_t n;
};

static rc ls_entry(void *ctx, struct bytes name, const struct cid *cid, uint64_t tsize)
{
    struct ls *l = ctx;
    struct node_info info = {.type = UNIXFS_RAW, .size = tsize};
    char t[CID_STR_MAX];
    if (l->resolve && !rc_ok(dag_info(l->s->blocks, cid, &info, l->e))) {
        buf_free(&info.target); /* an entry that is elsewhere, or no UnixFS: shown by its link */
        info = (struct node_info){.type = UNIXFS_RAW, .size = tsize};
    }
    int type = info.type == UNIXFS_HAMT  ? UNIXFS_DIRECTORY
               : info.type == UNIXFS_RAW ? UNIXFS_FILE
                                         : (int)info.type;
    if (l->stream) {
        put_fmt(&l->b, "{\"Objects\":[{\"Hash\":");
        json_put_str(&l->b, bytes_str(l->arg));
        put_str(&l->b, ",\"Links\":[");
    } else {
        put_str(&l->b, l->n > 0 ? "," : "");
    }
    put_str(&l->b, "{\"Name\":");
    json_put_str(&l->b, name);
    put_fmt(&l->b, ",\"Hash\":\"%s\",\"Size\":%llu,\"Type\":%d,\"Target\":", cid_str(cid, t),
            (unsigned long long)info.size, l->resolve ? type : 0);
    json_put_str(&l->b, buf_bytes(&info.target));
    put_str(&l->b, l->stream ? "}]}]}\n" : "}");
    l->n++;
    buf_free(&info.target);
    return buf_end(&l->b);
}

/* A file lists its chunks, as other nodes do. */
static rc ls_file(struct ls *l, const struct cid *cid, struct err *e)
{
    if (cid->codec != CID_DAG_PB) {
        return RC_OK;
    }
    BUF_FREE block = buf_new(BLOCK_MAX);
    struct arena a;
    struct dagpb node;
    arena_init(&a, DAG_ARENA_MAX);
    rc r = dag_block(l->s->blocks, cid, &block, e);
    r = rc_ok(r) ? dagpb_parse(&node, &a, buf_bytes(&block)) : r;
    for (size_t i = 0; rc_ok(r) && i < node.n_links; i++) {
        r = ls_entry(l, node.links[i].name, &node.links[i].cid, node.links[i].tsize);
    }
    arena_reset(&a);
    return r;
}

void api_ls(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    struct node_info info;
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    struct ls l = {.s = s, .b = buf_new(ANSWER_MAX), .e = &e, .arg = api_arg(r, 0)};
    l.stream = api_flag(r, "stream", false);
    l.resolve = api_flag(r, "resolve-type", true);
    if (!l.stream) {
        put_str(&l.b, "{\"Objects\":[{\"Hash\":");
        json_put_str(&l.b, bytes_str(l.arg));
        put_str(&l.b, ",\"Links\":[");
    }
    rc res = dag_info(s->blocks, &cid, &info, &e);
    if (rc_ok(res)) {
        bool dir = info.type == UNIXFS_DIRECTORY || info.type == UNIXFS_HAMT;
        res = dir ? dag_dir(s->blocks, &cid, ls_entry, &l, &e) : ls_file(&l, &cid, &e);
    }
    buf_free(&info.target);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg[0] != '\0' ? e.msg : "the directory is too long to be listed");
    } else {
        put_str(&l.b, l.stream ? "" : "]}]}\n");
        api_reply(r, &l.b);
    }
    buf_free(&l.b);
}

/* --- blocks --- */

void api_block_get(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    BUF_FREE block = buf_new(BLOCK_MAX);
    rc res = dag_block(s->blocks, &cid, &block, &e);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    s->m.reads++;
    s->m.read_bytes += block.n;
    http_set_header(r, "x-stream-output", "1");
    http_reply_buf(r, 200, "application/vnd.ipld.raw", &block);
}

void api_block_stat(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct cid cid;
    struct err e = {0};
    uint8_t first;
    uint64_t size;
    char t[CID_STR_MAX];
    if (!api_resolve(s, r, &cid)) {
        return;
    }
    rc res = dag_peek(s->blocks, &cid, &first, &size, &e);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    BUF_FREE b = buf_new(512);
    put_fmt(&b, "{\"Key\":\"%s\",\"Size\":%llu}\n", cid_str(&cid, t), (unsigned long long)size);
    api_reply(r, &b);
}

struct removal {
    struct waiter waiter;
    struct content_store *s;
    struct http_req *r;
    struct buf lines;
};

static void removal_free(struct removal *m)
{
    store_commit_cancel(&m->waiter);
    buf_free(&m->lines);
    free(m);
}

static void removal_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    removal_free(http_user(r));
}

static void removal_done(void *ctx, rc r, const struct err *e)
{
    struct removal *m = ctx;
    http_on_gone(m->r, NULL);
    if (rc_ok(r)) {
        api_reply(m->r, &m->lines);
    } else {
        api_error(m->s, m->r, r, e->msg);
    }
    removal_free(m);
}

/* Removes one block unless a pin or a use holds it. */
static rc remove_block(struct content_store *s, const struct hashmap *held, const struct cid *cid,
                       struct err *e)
{
    struct hash h;
    bool found;
    bool deep;
    char t[CID_STR_MAX];
    if (!cid_sha256(&h, cid)) {
        return err_set(e, RC_CODE_NOT_FOUND, "ipld: could not find %s", cid_str(cid, t));
    }
    TRY(pin_get(s, cid, &found, &deep, e));
    if (found || hashmap_has(held, &h)) {
        return err_set(e, RC_CODE_DENIED, "pinned: %s", found ? "direct or recursive" : "indirect");
    }
    if (s->uses != NULL) {
        return err_set(e, RC_CODE_DENIED, "uploads or downloads are under way: try again");
    }
    return blocks_delete(s->blocks, &h, e);
}

void api_block_rm(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct err e = {0};
    if (!api_allowed(s, r)) {
        return;
    }
    HASHMAP_FREE held = {0};
    rc res = pin_indirect(s, &held, &e);
    if (!rc_ok(res)) {
        api_error(s, r, res, e.msg);
        return;
    }
    struct removal *m = calloc(1, sizeof(*m));
    ASSERT(m != NULL);
    m->s = s;
    m->r = r;
    m->lines = buf_new(1 << 20);
    for (size_t i = 0; api_arg(r, i) != NULL; i++) {
        struct cid cid;
        char t[CID_STR_MAX] = "";
        e.msg[0] = '\0';
        if (!rc_ok(cid_parse(&cid, bytes_str(api_arg(r, i))))) {
            res = err_set(&e, RC_CODE_MALFORMED, "invalid cid");
        } else {
            (void)cid_str(&cid, t);
            res = remove_block(s, &held, &cid, &e);
        }
        bool quiet = res.code == RC_CODE_NOT_FOUND && api_flag(r, "force", false);
        put_str(&m->lines, "{\"Hash\":");
        json_put_str(&m->lines, bytes_str(t[0] != '\0' ? t : api_arg(r, i)));
        if (!rc_ok(res) && !quiet) {
            put_str(&m->lines, ",\"Error\":");
            json_put_str(&m->lines, bytes_str(e.msg));
        }
        put_str(&m->lines, "}\n");
    }
    http_set_user(r, m);
    http_on_gone(r, removal_gone);
    m->waiter.fn = removal_done;
    m->waiter.ctx = m;
    store_commit_wait(s, &m->waiter);
}
