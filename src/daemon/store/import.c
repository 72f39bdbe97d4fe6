/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/import_int.h"

#include <stdlib.h>

#include "base/log.h"
#include "crypto/sha2.h"
#include "daemon/store/hamt_int.h"

#define HEAD_ROOM 64 /* bytes around a chunk: a leaf's fields need at most 24 before, 11 behind */
#define LINK_ROOM ((size_t)DAGPB_FILE_LINKS * (CID_BIN_MAX + 32))

rc sink_keep(struct sink *s, const struct hash *h, struct bytes block, struct err *e)
{
    bool fresh;
    if (s->only_hash) {
        return RC_OK;
    }
    TRY(blocks_put(s->blocks, h, block, &fresh, e));
    (void)hashmap_set(s->young, h, s->epoch);
    if (fresh) {
        if (s->n_fresh == s->alloc_fresh) {
            s->alloc_fresh = s->alloc_fresh == 0 ? 16 : s->alloc_fresh * 2;
            s->fresh = reallocarray(s->fresh, s->alloc_fresh, sizeof(*s->fresh));
            ASSERT(s->fresh != NULL);
        }
        s->fresh[s->n_fresh++] = *h;
    }
    return RC_OK;
}

rc sink_put(struct sink *s, struct cid *out, unsigned version, uint64_t codec, struct bytes block,
            struct err *e)
{
    struct hash h = sha256(block);
    *out = cid_make(version, codec, &h);
    return sink_keep(s, &h, block, e);
}

void sink_undo(struct sink *s)
{
    for (size_t i = 0; i < s->n_fresh; i++) {
        uint64_t epoch;
        struct err e = {0};
        if (!hashmap_get(s->young, &s->fresh[i], &epoch) || epoch != s->epoch) {
            continue;
        }
        rc r = blocks_delete(s->blocks, &s->fresh[i], &e);
        if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) { /* garbage collection will try again */
            log_warn("store", "a block of a failed upload stays: %s", e.msg);
        }
    }
    s->n_fresh = 0;
}

void sink_close(struct sink *s)
{
    free(s->fresh);
    s->fresh = NULL;
    s->n_fresh = s->alloc_fresh = 0;
}

void import_open(struct import *im, struct sink *sink, const struct import_opts *opts)
{
    *im = (struct import){.sink = sink, .opts = *opts};
}

void import_close(struct import *im)
{
    for (size_t i = 0; i < IMPORT_DEPTH_MAX; i++) {
        if (im->levels[i] != NULL) {
            buf_free(&im->levels[i]->links);
            free(im->levels[i]);
        }
    }
    free(im->chunk);
    *im = (struct import){0};
}

/* Adds a finished node to a level; a full level first becomes a node of the level above. */
static rc add_node(struct import *im, size_t depth, const struct import_node *node, struct err *e);

static rc close_level(struct import *im, size_t depth, struct import_node *out, struct err *e)
{
    struct import_level *l = im->levels[depth];
    BUF_FREE fs = buf_new(64 + sizeof(l->sizes) * 2);
    put_unixfs(&fs, &(struct unixfs){.type = UNIXFS_FILE,
                                     .filesize = l->filesize,
                                     .has_filesize = true,
                                     .blocksizes = l->sizes,
                                     .n_blocksizes = l->n});
    put_dagpb_data(&l->links, buf_bytes(&fs));
    ASSERT(!fs.full && !l->links.full);
    TRY(sink_put(im->sink, &out->cid, im->opts.cid_version, CID_DAG_PB, buf_bytes(&l->links), e));
    out->filesize = l->filesize;
    out->tsize = l->tsize + l->links.n;
    buf_reset(&l->links);
    l->n = 0;
    l->filesize = l->tsize = 0;
    return RC_OK;
}

static rc add_node(struct import *im, size_t depth, const struct import_node *node, struct err *e)
{
    if (depth == IMPORT_DEPTH_MAX) {
        return err_set(e, RC_CODE_LIMIT, "file is too long");
    }
    if (im->levels[depth] == NULL) {
        im->levels[depth] = calloc(1, sizeof(*im->levels[depth]));
        ASSERT(im->levels[depth] != NULL);
        im->levels[depth]->links = buf_new(LINK_ROOM);
    }
    struct import_level *l = im->levels[depth];
    if (l->n == DAGPB_FILE_LINKS) {
        struct import_node full;
        TRY(close_level(im, depth, &full, e));
        TRY(add_node(im, depth + 1, &full, e));
    }
    put_dagpb_link(&l->links, &node->cid, (struct bytes){0}, node->tsize);
    l->sizes[l->n++] = node->filesize;
    l->filesize += node->filesize;
    l->tsize += node->tsize;
    return RC_OK;
}

/* The bytes collected in chunk become a leaf. They lie HEAD_ROOM into the buffer, so that a dag-pb
 * leaf is made around them without a copy. */
static rc make_leaf(struct import *im, struct import_node *out, struct err *e)
{
    struct bytes data = {im->chunk + HEAD_ROOM, im->n};
    struct bytes block = data;
    uint64_t codec = CID_RAW;
    unsigned version = 1;
    if (!im->opts.raw_leaves) {
        codec = CID_DAG_PB;
        version = im->opts.cid_version;
        BUF_FREE head = buf_new(HEAD_ROOM);
        BUF_FREE tail = buf_new(HEAD_ROOM);
        dagpb_leaf_around(&head, &tail, data.n);
        memcpy(im->chunk + HEAD_ROOM - head.n, head.p, head.n);
        memcpy(im->chunk + HEAD_ROOM + data.n, tail.p, tail.n);
        block = (struct bytes){data.p - head.n, head.n + data.n + tail.n};
    }
    TRY(sink_put(im->sink, &out->cid, version, codec, block, e));
    out->filesize = data.n;
    out->tsize = block.n;
    im->leaves++;
    im->n = 0;
    return RC_OK;
}

static void need_chunk(struct import *im)
{
    if (im->chunk == NULL) {
        im->chunk = malloc(im->opts.chunk + 2 * (size_t)HEAD_ROOM);
        ASSERT(im->chunk != NULL);
    }
}

rc import_write(struct import *im, struct bytes data, struct err *e)
{
    need_chunk(im);
    while (data.n > 0) {
        if (im->n == im->opts.chunk) { /* only now: the last chunk may be the only one */
            struct import_node leaf;
            TRY(make_leaf(im, &leaf, e));
            TRY(add_node(im, 0, &leaf, e));
        }
        size_t n = MIN(data.n, im->opts.chunk - im->n);
        memcpy(im->chunk + HEAD_ROOM + im->n, data.p, n);
        im->n += n;
        data = (struct bytes){data.p + n, data.n - n};
    }
    return RC_OK;
}

rc import_finish(struct import *im, struct import_node *out, struct err *e)
{
    need_chunk(im);
    TRY(make_leaf(im, out, e));
    if (im->leaves == 1) {
        return RC_OK; /* a file of one chunk is that leaf */
    }
    TRY(add_node(im, 0, out, e));
    for (size_t d = 0; d < IMPORT_DEPTH_MAX; d++) {
        bool above = d + 1 < IMPORT_DEPTH_MAX && im->levels[d + 1] != NULL;
        TRY(close_level(im, d, out, e));
        if (!above) {
            return RC_OK;
        }
        TRY(add_node(im, d + 1, out, e)); /* also a lone one: all leaves lie equally deep */
    }
    return err_set(e, RC_CODE_LIMIT, "file is too long");
}

rc import_symlink(struct sink *sink, const struct import_opts *opts, struct bytes target,
                  struct import_node *out, struct err *e)
{
    BUF_FREE fs = buf_new(target.n + 64);
    BUF_FREE b = buf_new(target.n + 128);
    put_unixfs(&fs, &(struct unixfs){.type = UNIXFS_SYMLINK, .data = target, .has_data = true});
    put_dagpb_data(&b, buf_bytes(&fs));
    TRY(sink_put(sink, &out->cid, opts->cid_version, CID_DAG_PB, buf_bytes(&b), e));
    out->filesize = target.n;
    out->tsize = b.n;
    return RC_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct dir_entry *x = a;
    const struct dir_entry *y = b;
    int c = memcmp(x->name.p, y->name.p, MIN(x->name.n, y->name.n));
    return c != 0 ? c : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

rc import_dir(struct sink *sink, unsigned cid_version, struct dir_entry *entries, size_t n,
              struct import_node *out, struct err *e)
{
    if (n > 0) {
        qsort(entries, n, sizeof(*entries), by_name);
    }
    if (hamt_is_due(entries, n)) {
        return hamt_build(sink, cid_version, entries, n, out, e);
    }
    BUF_FREE b = buf_new(BLOCK_MAX);
    uint64_t below = 0;
    for (size_t i = 0; i < n; i++) {
        put_dagpb_link(&b, &entries[i].cid, entries[i].name, entries[i].tsize);
        below += entries[i].tsize;
    }
    put_dagpb_data(&b, BYTES_LIT("\x08\x01")); /* UnixFS: a directory */
    if (b.full) {
        return err_set(e, RC_CODE_LIMIT, "directory does not fit into a block");
    }
    TRY(sink_put(sink, &out->cid, cid_version, CID_DAG_PB, buf_bytes(&b), e));
    out->filesize = 0;
    out->tsize = below + b.n;
    return RC_OK;
}
