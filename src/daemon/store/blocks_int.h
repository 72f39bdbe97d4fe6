/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_BLOCKS_INT_H
#define SOUK_DAEMON_STORE_BLOCKS_INT_H

/* blocks_int.h - blocks on disk, named by their sha2-256 digest.
 *
 * Blocks are appended to pack files; an index (SQLite) says which pack holds a digest, and where.
 * What is put becomes durable for a group at a time: blocks_commit() syncs the pack, then commits
 * the index, so that after a crash a block is wholly there or not at all. Bytes behind a pack's
 * committed end are garbage that the next start cuts off.
 *
 *     DIR/lock   DIR/index.db   DIR/packs/00000001.pack …
 *     record in a pack: "SkB1", size (4 bytes, little-endian), digest (32), bytes
 *
 * Every read hashes the bytes again: a damaged block is an error that names it, never an answer. */

#include "base/buf.h"
#include "io/db.h"

#define BLOCK_MAX      ((size_t)4 << 20)     /* bytes */
#define BLOCK_OVERHEAD 40                    /* bytes of a record before the block */
#define PACK_MAX       ((uint64_t)256 << 20) /* bytes after which the next pack begins */

struct blocks;

/* max_size: bytes of blocks, records included, that are taken; 0: no limit. */
rc blocks_open(struct blocks **out, const char *dir, uint64_t max_size, struct err *e);
void blocks_close(struct blocks *b); /* drops what was not committed; NULL is allowed */

/* The index's database, for other tables of the store: same transaction, same commit. */
struct db *blocks_db(struct blocks *b);

/* Opens the group's transaction when none is open. Everything that writes calls it first. */
rc blocks_begin(struct blocks *b, struct err *e);

/* Takes a block whose digest the caller has computed. LIMIT when the store is full: nothing has
 * changed then. A block that is there already costs nothing; *fresh says whether it was not. */
rc blocks_put(struct blocks *b, const struct hash *h, struct bytes block, bool *fresh,
              struct err *e);

/* Replaces out's contents. NOT_FOUND, CORRUPT (the bytes on disk are not those of the digest), IO.
 * The messages name no path and no CID: the caller knows what it asked for. */
rc blocks_get(struct blocks *b, const struct hash *h, struct buf *out, struct err *e);

/* First byte of a block and its size, without reading or checking the rest. */
rc blocks_peek(struct blocks *b, const struct hash *h, uint8_t *first, uint64_t *size,
               struct err *e);
rc blocks_size(struct blocks *b, const struct hash *h, uint64_t *size, struct err *e);

/* Makes all that was written since the last commit durable. On failure all of it is undone, and
 * blocks_generation() moves, so that unfinished uploads can see that they lost blocks. */
rc blocks_commit(struct blocks *b, struct err *e);
bool blocks_dirty(const struct blocks *b);
uint64_t blocks_generation(const struct blocks *b);
void blocks_rollback(struct blocks *b);

/* Removes a block from the index; after the next commit its pages go back to the system. */
rc blocks_delete(struct blocks *b, const struct hash *h, struct err *e);

/* Commits, then writes anew the packs that are dead for more than half. */
rc blocks_reclaim(struct blocks *b, struct err *e);

/* Calls fn for every block, in the order of digests; fn must not write. */
rc blocks_each(struct blocks *b, rc (*fn)(void *ctx, const struct hash *h, uint64_t size),
               void *ctx, struct err *e);

struct blocks_stat {
    uint64_t count; /* blocks */
    uint64_t bytes; /* of blocks and their records */
    uint64_t max;   /* 0: no limit */
};

struct blocks_stat blocks_stat(const struct blocks *b);

#endif /* SOUK_DAEMON_STORE_BLOCKS_INT_H */
