/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_DAGPB_H
#define SOUK_ENCODING_DAGPB_H

/* dagpb.h - dag-pb nodes and the UnixFS records inside them: files and directories as IPFS keeps
 * them. Spec: IPLD dag-pb (links before data, fields in order, nothing twice) and UnixFS v1.
 *
 * A node is PBNode{ repeated Links = 2 {Hash = 1, Name = 2, Tsize = 3}, Data = 1 }. Views in the
 * decoded structs point into the block. */

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"
#include "encoding/cid.h"

#define DAGPB_BLOCK_MAX  ((size_t)2 << 20) /* bytes: what IPFS nodes exchange at most */
#define DAGPB_FILE_LINKS 174               /* children of a file node, the layout's constant */

struct dagpb_link {
    struct cid cid;
    struct bytes name;
    uint64_t tsize; /* bytes of the whole graph under it, as its writer says */
};

struct dagpb {
    struct bytes data;
    bool has_data;
    struct dagpb_link *links;
    size_t n_links;
};

/* Decodes a whole block; the links live in a. MALFORMED, or LIMIT when a is full. */
rc dagpb_parse(struct dagpb *out, struct arena *a, struct bytes block);

/* Writers: every link first, then the data at most once. */
void put_dagpb_link(struct buf *b, const struct cid *cid, struct bytes name, uint64_t tsize);
void put_dagpb_data(struct buf *b, struct bytes data);

enum unixfs_type { /* on the wire */
                   UNIXFS_RAW = 0,
                   UNIXFS_DIRECTORY = 1,
                   UNIXFS_FILE = 2,
                   UNIXFS_METADATA = 3,
                   UNIXFS_SYMLINK = 4,
                   UNIXFS_HAMT = 5,
};

#define UNIXFS_FANOUT_MAX 1024

struct unixfs {
    enum unixfs_type type;
    struct bytes data; /* the file's bytes in this node; a link's target; a HAMT's bit field */
    bool has_data;
    bool has_filesize;
    uint64_t filesize;    /* bytes of the whole file under this node */
    uint64_t *blocksizes; /* file bytes under each link */
    size_t n_blocksizes;
    uint64_t hash_type, fanout; /* HAMT */
};

/* Decodes the data field of a node; the block sizes live in a. */
rc unixfs_parse(struct unixfs *out, struct arena *a, struct bytes data);

/* Field order and presence as go-ipfs writes them: the same bytes for the same file. */
void put_unixfs(struct buf *b, const struct unixfs *u);

/* A file of one node, without links. */
void put_unixfs_leaf(struct buf *b, struct bytes data);

/* What stands before and behind n bytes of data in such a node. */
void dagpb_leaf_around(struct buf *head, struct buf *tail, size_t n);

#endif /* SOUK_ENCODING_DAGPB_H */
