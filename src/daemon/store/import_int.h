/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_IMPORT_INT_H
#define SOUK_DAEMON_STORE_IMPORT_INT_H

/* import_int.h - bytes to UnixFS graphs: chunks of a fixed size, a balanced tree of at most 174 links
 * a node, directories. The same bytes and options give the CID that other IPFS nodes give. */

#include "base/arena.h"
#include "daemon/store/blocks_int.h"
#include "daemon/store/hashmap_int.h"
#include "encoding/dagpb.h"

#define CHUNK_DEFAULT    ((size_t)256 << 10)
#define CHUNK_MAX        ((size_t)1 << 20)
#define IMPORT_DEPTH_MAX 12 /* 174^12 chunks are more than 2^64 bytes */

struct import_opts {
    unsigned cid_version;
    bool raw_leaves;
    bool only_hash; /* compute, keep nothing */
    size_t chunk;   /* bytes, 1..CHUNK_MAX */
};

/* Where the blocks of one upload go. `young` marks them as in use, so that garbage collection passes
 * them by; `fresh` lists those that were not there before, so that a failed upload leaves nothing. */
struct sink {
    struct blocks *blocks;
    struct hashmap *young;
    uint64_t epoch;
    bool only_hash;
    struct hash *fresh;
    size_t n_fresh, alloc_fresh;
};

/* Keeps a block under its digest. */
rc sink_keep(struct sink *s, const struct hash *h, struct bytes block, struct err *e);

/* Names a block and keeps it. */
rc sink_put(struct sink *s, struct cid *out, unsigned version, uint64_t codec, struct bytes block,
            struct err *e);

/* Removes the upload's fresh blocks but for those that another upload has put as well. */
void sink_undo(struct sink *s);
void sink_close(struct sink *s);

struct import_node {
    struct cid cid;
    uint64_t filesize; /* bytes of the file under it */
    uint64_t tsize;    /* bytes of all blocks under it, itself included */
};

struct import_level {
    struct buf links; /* encoded */
    uint64_t sizes[DAGPB_FILE_LINKS];
    size_t n;
    uint64_t filesize, tsize;
};

/* One file on its way in. */
struct import {
    struct sink *sink;
    struct import_opts opts;
    uint8_t *chunk; /* room for a chunk and what stands around it in a leaf block */
    size_t n;       /* bytes of the chunk so far */
    uint64_t leaves;
    struct import_level *levels[IMPORT_DEPTH_MAX]; /* [0] holds leaves */
};

void import_open(struct import *im, struct sink *sink, const struct import_opts *opts);
rc import_write(struct import *im, struct bytes data, struct err *e);

/* The file is complete: its root. */
rc import_finish(struct import *im, struct import_node *out, struct err *e);
void import_close(struct import *im); /* frees; after import_finish() or instead of it */

/* A link of a symbolic link's target. */
rc import_symlink(struct sink *sink, const struct import_opts *opts, struct bytes target,
                  struct import_node *out, struct err *e);

/* A named thing for a directory. */
struct dir_entry {
    struct bytes name;
    struct cid cid;
    uint64_t tsize;
};

/* Builds a directory of entries with different names; sorts them. Large ones become a HAMT. */
rc import_dir(struct sink *sink, unsigned cid_version, struct dir_entry *entries, size_t n,
              struct import_node *out, struct err *e);

#endif /* SOUK_DAEMON_STORE_IMPORT_INT_H */
