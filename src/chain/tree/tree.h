/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_TREE_TREE_H
#define SOUK_CHAIN_TREE_TREE_H

/* tree.h - the authenticated tree over the state records: what a block's state root commits to.
 *
 * A record (key, value) is a leaf at path = SHA-256(key) with content SHA-256(value). The tree
 * branches by 16 at every nibble of the path; a subtree with one leaf is that leaf, so the same set
 * of records has one tree, however it came about. A node is the record
 *
 *     u16 children ‖ u16 which of them are leaves ‖ per child, ascending: leaf: path 32 ‖ content 32
 *                                                                        node: hash 32
 *
 * (big-endian; bit i = child i) and its hash is SHA-256(0x01 ‖ record). The root is the root node's
 * hash, or zero for no records. A root with one leaf is a node. Pure: nodes are kept by the caller. */

#include "base/buf.h"
#include "base/cur.h"

enum { TREE_KEY_MAX = 33, TREE_NODE_MAX = 4 + 16 * 64, TREE_DEPTH_MAX = 64 };

/* Where nodes are kept. The key names the place: depth ‖ path so far. */
struct tree_io {
    void *ctx;
    /* NOT_FOUND when there is none; the view must last until the next call. */
    rc (*get)(void *ctx, struct bytes key, struct bytes *node);
    rc (*put)(void *ctx, struct bytes key, struct bytes node); /* node.n == 0: remove */
};

struct tree_change {
    struct hash path, content;
    bool removed;
};

struct hash tree_path(struct bytes key);
struct hash tree_content(struct bytes value);

/* Applies n changes with different paths (sorted in place) to the tree with this root and gives the
 * new one. CORRUPT when a node is missing or damaged. */
rc tree_update(struct hash *root, const struct tree_io *io, struct tree_change *changes, size_t n);

/* Appends the proof of what stands at a path, or that nothing does: u16 size ‖ node, from the root
 * down. */
rc tree_prove(struct buf *out, struct hash root, const struct tree_io *io, struct hash path);

/* Checks a proof that comes from anywhere. OK with *found and, when found, the content. DENIED when
 * it does not lead from the root, MALFORMED when it is no proof. */
rc tree_check(bool *found, struct hash *content, struct hash root, struct hash path,
              struct bytes proof);

#endif /* SOUK_CHAIN_TREE_TREE_H */
