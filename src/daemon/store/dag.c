/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/dag_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/store/hamt_int.h"
#include "encoding/dagcbor.h"

static rc name_block(struct err *e, rc r, const struct cid *cid)
{
    char s[CID_STR_MAX];
    if (r.code == RC_CODE_NOT_FOUND) {
        return err_set(e, r.code, "block was not found locally (offline): ipld: could not find %s",
                       cid_str(cid, s));
    }
    return rc_ok(r) ? r : err_wrap(e, r, "%s", cid_str(cid, s));
}

static rc digest_of(struct hash *h, const struct cid *cid, struct err *e)
{
    if (!cid_sha256(h, cid)) {
        char s[CID_STR_MAX];
        return err_set(e, RC_CODE_NOT_FOUND,
                       "%s: only sha2-256 blocks are kept here, not hash 0x%llx", cid_str(cid, s),
                       (unsigned long long)cid->mh_code);
    }
    return RC_OK;
}

rc dag_block(struct blocks *b, const struct cid *cid, struct buf *out, struct err *e)
{
    if (cid->mh_code == MH_IDENTITY) {
        buf_reset(out);
        put_mem(out, cid->mh, cid->mh_size);
        return RC_OK;
    }
    struct hash h;
    TRY(digest_of(&h, cid, e));
    return name_block(e, blocks_get(b, &h, out, e), cid);
}

rc dag_peek(struct blocks *b, const struct cid *cid, uint8_t *first, uint64_t *size, struct err *e)
{
    if (cid->mh_code == MH_IDENTITY) {
        *size = cid->mh_size;
        *first = cid->mh_size == 0 ? 0 : cid->mh[0];
        return RC_OK;
    }
    struct hash h;
    TRY(digest_of(&h, cid, e));
    return name_block(e, blocks_peek(b, &h, first, size, e), cid);
}

/* A decoded dag-pb node; buf and arena are the caller's. */
static rc load(struct blocks *b, const struct cid *cid, struct buf *block, struct arena *a,
               struct dagpb *node, struct err *e)
{
    char s[CID_STR_MAX];
    if (cid->codec != CID_DAG_PB) {
        return err_set(e, RC_CODE_MALFORMED, "%s is no UnixFS node", cid_str(cid, s));
    }
    TRY(dag_block(b, cid, block, e));
    arena_reset(a);
    rc r = dagpb_parse(node, a, buf_bytes(block));
    return rc_ok(r) ? r
                    : err_set(e, RC_CODE_MALFORMED, "%s is no proper dag-pb node", cid_str(cid, s));
}

static rc load_fs(struct blocks *b, const struct cid *cid, struct buf *block, struct arena *a,
                  struct dagpb *node, struct unixfs *fs, struct err *e)
{
    char s[CID_STR_MAX];
    TRY(load(b, cid, block, a, node, e));
    if (!node->has_data || !rc_ok(unixfs_parse(fs, a, node->data))) {
        return err_set(e, RC_CODE_MALFORMED, "%s is no UnixFS node", cid_str(cid, s));
    }
    return RC_OK;
}

/* --- paths --- */

/* Follows one name from a dag-pb node; goes down the trie of a HAMT. */
static rc step_pb(struct blocks *b, struct cid *at, struct bytes name, struct err *e)
{
    BUF_FREE block = buf_new(BLOCK_MAX);
    struct arena a;
    arena_init(&a, DAG_ARENA_MAX);
    struct cid cur = *at;
    rc r = RC_OK;
    bool found = false;
    for (unsigned depth = 0; !found && rc_ok(r); depth++) {
        struct dagpb node;
        struct unixfs fs = {0};
        r = load(b, &cur, &block, &a, &node, e);
        bool hamt = rc_ok(r) && node.has_data && rc_ok(unixfs_parse(&fs, &a, node.data)) &&
                    fs.type == UNIXFS_HAMT;
        char prefix[8] = "";
        unsigned slot = 0;
        size_t skip =
            hamt ? (size_t)snprintf(prefix, sizeof(prefix), "%0*X", fs.fanout > 256 ? 3 : 2, 0) : 0;
        if (!rc_ok(r) ||
            (hamt && !hamt_slot(&slot, murmur3_64(name), depth, (unsigned)fs.fanout))) {
            break;
        }
        bool down = false;
        (void)snprintf(prefix, sizeof(prefix), "%0*X", (int)skip, slot);
        for (size_t i = 0; i < node.n_links && !found && !down; i++) {
            struct bytes n = node.links[i].name;
            if (hamt && (n.n < skip || memcmp(n.p, prefix, skip) != 0)) {
                continue;
            }
            struct bytes rest = {n.p + skip, n.n - skip};
            down = hamt && rest.n == 0;
            found = !down && bytes_eq(rest, name);
            if (down || found) {
                cur = node.links[i].cid;
            }
        }
        if (!down) {
            break;
        }
    }
    arena_reset(&a);
    TRY(r);
    if (!found) {
        char s[CID_STR_MAX];
        return err_set(e, RC_CODE_NOT_FOUND, "no link named \"%.*s\" under %s",
                       (int)MIN(name.n, (size_t)100), (const char *)name.p, cid_str(at, s));
    }
    *at = cur;
    return RC_OK;
}

static struct bytes take_component(struct cur *c)
{
    while (c->n > 0 && c->p[0] == '/') {
        (void)take_bytes(c, 1);
    }
    const uint8_t *slash = c->n == 0 ? NULL : memchr(c->p, '/', c->n);
    return take_bytes(c, slash == NULL ? c->n : (size_t)(slash - c->p));
}

/* Follows names inside a DAG-CBOR block until a link or the end of the path. */
static rc step_cbor(struct blocks *b, struct cid *at, struct cur *path, struct buf *rest,
                    struct err *e)
{
    BUF_FREE block = buf_new(BLOCK_MAX);
    TRY(dag_block(b, at, &block, e));
    struct bytes value = buf_bytes(&block);
    for (;;) {
        struct bytes name = take_component(path);
        if (name.n == 0) {
            return RC_OK;
        }
        struct cid link;
        bool is_link;
        if (!rc_ok(dagcbor_get(&value, &link, &is_link, value, name))) {
            char s[CID_STR_MAX];
            return err_set(e, RC_CODE_NOT_FOUND, "no link named \"%.*s\" under %s",
                           (int)MIN(name.n, (size_t)100), (const char *)name.p, cid_str(at, s));
        }
        if (is_link) {
            buf_reset(rest);
            *at = link;
            return RC_OK;
        }
        put_str(rest, rest->n > 0 ? "/" : "");
        put_bytes(rest, name);
    }
}

rc dag_resolve(struct blocks *b, const char *path, struct cid *root, struct cid *out,
               struct buf *rest, struct err *e)
{
    const char *p = path;
    if (strncmp(p, "ipfs://", 7) == 0) {
        p += 7;
    } else if (strncmp(p, "/ipfs/", 6) == 0) {
        p += 6;
    }
    struct cur c = cur_of(bytes_str(p));
    struct bytes first = *p == '/' ? (struct bytes){0} : take_component(&c);
    if (first.n == 0) {
        return err_set(e, RC_CODE_MALFORMED,
                       "invalid path \"%.100s\": path does not begin with a CID or /ipfs/", path);
    }
    if (!rc_ok(cid_parse(root, first))) {
        return err_set(e, RC_CODE_MALFORMED, "invalid path \"%.100s\": invalid cid", path);
    }
    *out = *root;
    for (unsigned i = 0;; i++) {
        struct cur ahead = c;
        struct bytes name = take_component(&ahead);
        if (name.n == 0) {
            return RC_OK;
        }
        if (i == DAG_PATH_MAX) {
            return err_set(e, RC_CODE_MALFORMED, "path has more than %d components", DAG_PATH_MAX);
        }
        if (out->codec == CID_DAG_CBOR) {
            TRY(step_cbor(b, out, &c, rest, e));
            continue;
        }
        c = ahead;
        if (out->codec != CID_DAG_PB) {
            char s[CID_STR_MAX];
            return err_set(e, RC_CODE_NOT_FOUND, "no link named \"%.*s\" under %s",
                           (int)MIN(name.n, (size_t)100), (const char *)name.p, cid_str(out, s));
        }
        TRY(step_pb(b, out, name, e));
    }
}

/* --- nodes --- */

rc dag_info(struct blocks *b, const struct cid *cid, struct node_info *info, struct err *e)
{
    *info = (struct node_info){.target = buf_new(FILE_TARGET_MAX)};
    if (cid->codec == CID_RAW) {
        uint8_t first;
        TRY(dag_peek(b, cid, &first, &info->size, e));
        info->tsize = info->size;
        return RC_OK;
    }
    BUF_FREE block = buf_new(BLOCK_MAX);
    struct arena a;
    arena_init(&a, DAG_ARENA_MAX);
    struct dagpb node;
    struct unixfs fs;
    rc r = load_fs(b, cid, &block, &a, &node, &fs, e);
    if (rc_ok(r)) {
        info->type = fs.type;
        info->size = fs.has_filesize ? fs.filesize : fs.data.n;
        if (fs.type == UNIXFS_DIRECTORY || fs.type == UNIXFS_HAMT) {
            info->size = 0;
        } else if (fs.type == UNIXFS_SYMLINK) {
            put_bytes(&info->target, fs.data);
            info->size = fs.data.n;
        }
        info->tsize = block.n;
        for (size_t i = 0; i < node.n_links; i++) {
            info->tsize += node.links[i].tsize; /* may wrap for a liar's node: a figure to show */
        }
    }
    arena_reset(&a);
    return r;
}

static rc list(struct blocks *b, const struct cid *cid, unsigned depth, dag_entry_fn fn, void *ctx,
               struct err *e)
{
    BUF_FREE block = buf_new(BLOCK_MAX);
    struct arena a;
    arena_init(&a, DAG_ARENA_MAX);
    struct dagpb node;
    struct unixfs fs;
    rc r = load_fs(b, cid, &block, &a, &node, &fs, e);
    bool hamt = rc_ok(r) && fs.type == UNIXFS_HAMT;
    if (rc_ok(r) && !hamt && fs.type != UNIXFS_DIRECTORY) {
        r = err_set(e, RC_CODE_MALFORMED, "this dag node is no directory");
    } else if (depth > DAG_DEPTH_MAX) {
        r = err_set(e, RC_CODE_MALFORMED, "directory is nested too deeply");
    }
    size_t skip = hamt ? (fs.fanout > 256 ? 3 : 2) : 0;
    for (size_t i = 0; rc_ok(r) && i < node.n_links; i++) {
        const struct dagpb_link *l = &node.links[i];
        if (l->name.n < skip) {
            r = err_set(e, RC_CODE_MALFORMED, "a name of a HAMT has no prefix");
        } else if (hamt && l->name.n == skip) {
            r = list(b, &l->cid, depth + 1, fn, ctx, e);
        } else {
            r = fn(ctx, (struct bytes){l->name.p + skip, l->name.n - skip}, &l->cid, l->tsize);
        }
    }
    arena_reset(&a);
    return r;
}

rc dag_dir(struct blocks *b, const struct cid *cid, dag_entry_fn fn, void *ctx, struct err *e)
{
    return list(b, cid, 0, fn, ctx, e);
}

/* --- walks --- */

void walk_open(struct dag_walk *w, struct blocks *b)
{
    *w = (struct dag_walk){.blocks = b, .block = buf_new(BLOCK_MAX)};
}

void walk_close(struct dag_walk *w)
{
    hashmap_free(&w->seen);
    buf_free(&w->block);
    free(w->todo);
    *w = (struct dag_walk){0};
}

void walk_add(struct dag_walk *w, const struct cid *root)
{
    if (w->n == w->alloc) {
        w->alloc = w->alloc == 0 ? 64 : w->alloc * 2;
        w->todo = reallocarray(w->todo, w->alloc, sizeof(*w->todo));
        ASSERT(w->todo != NULL);
    }
    w->todo[w->n++] = *root;
}

static rc on_cbor_link(void *ctx, const struct cid *link)
{
    walk_add(ctx, link);
    return RC_OK;
}

/* Pushes the links of a block that may have some, so that the first is taken first. */
static rc push_links(struct dag_walk *w, const struct cid *cid, struct err *e)
{
    char s[CID_STR_MAX];
    size_t from = w->n;
    TRY(dag_block(w->blocks, cid, &w->block, e));
    w->has_block = true;
    if (cid->codec == CID_DAG_CBOR) {
        if (!rc_ok(dagcbor_links(buf_bytes(&w->block), on_cbor_link, w))) {
            return err_set(e, RC_CODE_MALFORMED, "%s is no proper DAG-CBOR block", cid_str(cid, s));
        }
    } else {
        struct arena a;
        struct dagpb node;
        arena_init(&a, DAG_ARENA_MAX);
        rc r = dagpb_parse(&node, &a, buf_bytes(&w->block));
        for (size_t i = 0; rc_ok(r) && i < node.n_links; i++) {
            walk_add(w, &node.links[i].cid);
        }
        arena_reset(&a);
        if (!rc_ok(r)) {
            return err_set(e, RC_CODE_MALFORMED, "%s is no proper dag-pb node", cid_str(cid, s));
        }
    }
    for (size_t i = from, j = w->n; i + 1 < j; i++) {
        struct cid t = w->todo[i];
        w->todo[i] = w->todo[--j];
        w->todo[j] = t;
    }
    return RC_OK;
}

rc walk_next(struct dag_walk *w, struct cid *out, bool *more, struct err *e)
{
    for (;;) {
        struct hash h;
        *more = w->n > 0;
        w->has_block = false;
        if (!*more) {
            return RC_OK;
        }
        *out = w->todo[--w->n];
        if (out->mh_code == MH_IDENTITY) {
            continue;
        }
        TRY(digest_of(&h, out, e));
        if (!hashmap_set(&w->seen, &h, 0)) {
            continue;
        }
        uint8_t first;
        uint64_t size;
        TRY(dag_peek(w->blocks, out, &first, &size, e));
        /* A dag-pb node that begins with its data has no links: leaves need not be read. */
        bool may_link =
            (out->codec == CID_DAG_PB && size > 0 && first != 0x0a) || out->codec == CID_DAG_CBOR;
        return may_link && !w->shallow ? push_links(w, out, e) : RC_OK;
    }
}
