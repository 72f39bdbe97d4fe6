/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_HAMT_INT_H
#define SOUK_DAEMON_STORE_HAMT_INT_H

/* hamt_int.h - directories that do not fit into one block: a trie over the hash of the names, 256
 * children a node. Spec: UnixFS HAMT; hash function murmur3-x64-64 (0x22), bits from the top. */

#include "daemon/store/import_int.h"

#define HAMT_FANOUT    256
#define HAMT_HASH      0x22
#define HAMT_DIR_MAX   ((size_t)256 << 10) /* estimated bytes of a directory in one block */
#define HAMT_PREFIX    2                   /* hexadecimal digits before a name */
#define HAMT_DEPTH_MAX 8                   /* 64 bits of hash, 8 a level */

/* True when entries must be spread over a trie. */
bool hamt_is_due(const struct dir_entry *entries, size_t n);
rc hamt_build(struct sink *sink, unsigned cid_version, struct dir_entry *entries, size_t n,
              struct import_node *out, struct err *e);

/* First 8 bytes of MurmurHash3 (x64, 128 bits, seed 0) in big-endian order. */
uint64_t murmur3_64(struct bytes in);

/* Child number of a name at a depth, for a fanout that is a power of two. DEPTH: bits used up. */
bool hamt_slot(unsigned *slot, uint64_t hash, unsigned depth, unsigned fanout);

#endif /* SOUK_DAEMON_STORE_HAMT_INT_H */
