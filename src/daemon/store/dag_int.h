/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_DAG_INT_H
#define SOUK_DAEMON_STORE_DAG_INT_H

/* dag_int.h - reading graphs of blocks: single blocks by CID, paths, files, directories, and walks
 * over all that a root reaches. */

#include "daemon/store/blocks_int.h"
#include "daemon/store/hashmap_int.h"
#include "encoding/dagpb.h"

#define DAG_DEPTH_MAX 32 /* nodes above one another in a file or a HAMT */
#define DAG_ARENA_MAX                                                                              \
    ((size_t)64 << 20)     /* a node's decoded links: 2 MiB hold 50,000 of 112 bytes */
#define DAG_PATH_MAX    64 /* components */
#define FILE_TARGET_MAX ((size_t)64 << 10) /* bytes of the target of a symbolic link */

/* A block by CID, checked. The messages name the CID, as other IPFS nodes word them. */
rc dag_block(struct blocks *b, const struct cid *cid, struct buf *out, struct err *e);

/* First byte and size of the block, unchecked. */
rc dag_peek(struct blocks *b, const struct cid *cid, uint8_t *first, uint64_t *size, struct err *e);

/* "/ipfs/CID/a/b", "ipfs://CID/a" or "CID/a/b" to the last block the path reaches; what is left of
 * the path inside that block (DAG-CBOR) goes to rest, without slashes at its ends. MALFORMED for
 * what is no path, NOT_FOUND for a name that is not there. */
rc dag_resolve(struct blocks *b, const char *path, struct cid *root, struct cid *out,
               struct buf *rest, struct err *e);

/* --- what a node is --- */

struct node_info {
    enum unixfs_type type; /* RAW for a raw block */
    uint64_t size;         /* bytes of the file; 0 for a directory */
    uint64_t tsize;        /* bytes of all blocks, as the links say */
    struct buf target;     /* of a symbolic link */
};

/* MALFORMED when the block is no UnixFS node. The caller frees info->target. */
rc dag_info(struct blocks *b, const struct cid *cid, struct node_info *info, struct err *e);

typedef rc (*dag_entry_fn)(void *ctx, struct bytes name, const struct cid *cid, uint64_t tsize);

/* Every entry of a directory; for HAMTs in the order of hashes. */
rc dag_dir(struct blocks *b, const struct cid *cid, dag_entry_fn fn, void *ctx, struct err *e);

/* --- files --- */

struct file_frame {
    struct buf block;
    struct arena arena;
    struct dagpb node;
    struct unixfs fs;
    size_t next;   /* link to go to */
    bool did_data; /* the node's own bytes are out */
};

struct file_reader {
    struct blocks *blocks;
    struct file_frame *frames[DAG_DEPTH_MAX];
    size_t depth;
    struct buf leaf; /* of raw blocks */
    struct cid root;
    uint64_t size; /* of the whole file */
    uint64_t skip; /* bytes to pass over */
    uint64_t left; /* bytes still to be given */
    bool started;
};

/* MALFORMED for what is no file ("this dag node is a directory"). */
rc file_open(struct file_reader *f, struct blocks *b, const struct cid *cid, struct err *e);
void file_close(struct file_reader *f);

/* Only the n bytes from off on: before the first file_next(). */
void file_range(struct file_reader *f, uint64_t off, uint64_t n);

/* The next bytes, valid until the next call; empty at the end. */
rc file_next(struct file_reader *f, struct bytes *out, struct err *e);

/* --- walks --- */

struct dag_walk {
    struct blocks *blocks;
    struct hashmap seen;
    struct cid *todo; /* a stack */
    size_t n, alloc;
    struct buf block; /* of the last CID given, when its links had to be read */
    bool has_block;
    bool shallow; /* links are not followed */
};

void walk_open(struct dag_walk *w, struct blocks *b);
void walk_close(struct dag_walk *w);
void walk_add(struct dag_walk *w, const struct cid *root);

/* The next block that was not given before, parents before children, children in order; *more is
 * false at the end. NOT_FOUND names a block that is missing. Inlined blocks are passed over. */
rc walk_next(struct dag_walk *w, struct cid *out, bool *more, struct err *e);

#endif /* SOUK_DAEMON_STORE_DAG_INT_H */
