/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - the bytes of a UnixFS file in order, any range of them, one block in memory at a time. */
#include <stdlib.h>

#include "daemon/store/dag_int.h"

static rc push(struct file_reader *f, const struct cid *cid, struct err *e)
{
    if (f->depth == DAG_DEPTH_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "file is nested too deeply");
    }
    struct file_frame *fr = f->frames[f->depth];
    if (fr == NULL) {
        fr = calloc(1, sizeof(*fr));
        ASSERT(fr != NULL);
        fr->block = buf_new(BLOCK_MAX);
        arena_init(&fr->arena, DAG_ARENA_MAX);
        f->frames[f->depth] = fr;
    }
    char s[CID_STR_MAX];
    fr->next = 0;
    fr->did_data = false;
    arena_reset(&fr->arena);
    TRY(dag_block(f->blocks, cid, &fr->block, e));
    if (!rc_ok(dagpb_parse(&fr->node, &fr->arena, buf_bytes(&fr->block))) || !fr->node.has_data ||
        !rc_ok(unixfs_parse(&fr->fs, &fr->arena, fr->node.data))) {
        return err_set(e, RC_CODE_MALFORMED, "%s is no UnixFS node", cid_str(cid, s));
    }
    bool file = fr->fs.type == UNIXFS_FILE || fr->fs.type == UNIXFS_RAW;
    if (!file || fr->fs.n_blocksizes != fr->node.n_links) {
        return err_set(e, RC_CODE_MALFORMED, "%s",
                       file ? "the sizes in a file node do not fit its links"
                       : fr->fs.type == UNIXFS_SYMLINK ? "this dag node is a symlink"
                                                       : "this dag node is a directory");
    }
    f->depth++;
    return RC_OK;
}

/* All bytes below a frame, as its node says. */
static bool frame_size(const struct file_frame *fr, uint64_t *out)
{
    *out = fr->fs.data.n;
    for (size_t i = 0; i < fr->fs.n_blocksizes; i++) {
        if (__builtin_add_overflow(*out, fr->fs.blocksizes[i], out)) {
            return false;
        }
    }
    return true;
}

rc file_open(struct file_reader *f, struct blocks *b, const struct cid *cid, struct err *e)
{
    *f = (struct file_reader){.blocks = b, .root = *cid, .leaf = buf_new(BLOCK_MAX)};
    if (cid->codec == CID_RAW) {
        uint8_t first;
        TRY(dag_peek(b, cid, &first, &f->size, e));
    } else if (cid->codec == CID_DAG_PB) {
        TRY(push(f, cid, e));
        if (!frame_size(f->frames[0], &f->size) || f->size > INT64_MAX) {
            return err_set(e, RC_CODE_MALFORMED, "the sizes in a file node are too large");
        }
    } else {
        char s[CID_STR_MAX];
        return err_set(e, RC_CODE_MALFORMED, "%s is no UnixFS node", cid_str(cid, s));
    }
    f->left = f->size;
    return RC_OK;
}

void file_close(struct file_reader *f)
{
    for (size_t i = 0; i < DAG_DEPTH_MAX; i++) {
        if (f->frames[i] != NULL) {
            buf_free(&f->frames[i]->block);
            arena_reset(&f->frames[i]->arena);
            free(f->frames[i]);
        }
    }
    buf_free(&f->leaf);
    *f = (struct file_reader){0};
}

void file_range(struct file_reader *f, uint64_t off, uint64_t n)
{
    f->skip = MIN(off, f->size);
    f->left = MIN(n, f->size - f->skip);
}

/* What is wanted of bytes that come next in the file. */
static struct bytes cut(struct file_reader *f, struct bytes all)
{
    size_t skip = (size_t)MIN(f->skip, (uint64_t)all.n);
    f->skip -= skip;
    size_t n = (size_t)MIN(f->left, (uint64_t)(all.n - skip));
    f->left -= n;
    return (struct bytes){all.p + skip, n};
}

/* Goes to the link that is next in the frame on top: *out has bytes when it was a raw leaf. */
static rc descend(struct file_reader *f, struct file_frame *fr, struct bytes *out, struct err *e)
{
    const struct dagpb_link *l = &fr->node.links[fr->next];
    uint64_t size = fr->fs.blocksizes[fr->next++];
    uint64_t real = 0;
    if (f->skip >= size) {
        f->skip -= size;
        return RC_OK;
    }
    if (l->cid.codec == CID_RAW) {
        TRY(dag_block(f->blocks, &l->cid, &f->leaf, e));
        real = f->leaf.n;
        *out = cut(f, buf_bytes(&f->leaf));
    } else {
        TRY(push(f, &l->cid, e));
        if (!frame_size(f->frames[f->depth - 1], &real)) {
            real = UINT64_MAX;
        }
    }
    char s[CID_STR_MAX];
    return real == size ? RC_OK
                        : err_set(e, RC_CODE_MALFORMED,
                                  "%s holds other than the %llu bytes that "
                                  "its parent says",
                                  cid_str(&l->cid, s), (unsigned long long)size);
}

rc file_next(struct file_reader *f, struct bytes *out, struct err *e)
{
    *out = (struct bytes){0};
    if (f->left == 0) {
        return RC_OK;
    }
    if (f->root.codec == CID_RAW) {
        TRY(dag_block(f->blocks, &f->root, &f->leaf, e));
        *out = cut(f, buf_bytes(&f->leaf));
        f->left = 0;
        return RC_OK;
    }
    while (out->n == 0 && f->left > 0) {
        if (f->depth == 0) {
            return err_set(e, RC_CODE_MALFORMED, "file ends before its size");
        }
        struct file_frame *fr = f->frames[f->depth - 1];
        if (!fr->did_data) {
            fr->did_data = true;
            *out = cut(f, fr->fs.data);
        } else if (fr->next < fr->node.n_links) {
            TRY(descend(f, fr, out, e));
        } else {
            f->depth--;
        }
    }
    return RC_OK;
}
