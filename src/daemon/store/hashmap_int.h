/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_HASHMAP_INT_H
#define SOUK_DAEMON_STORE_HASHMAP_INT_H

/* hashmap_int.h - digests to numbers, in memory. Keys are sha2-256 digests of whole blocks, which
 * nobody can choose, so their first bytes serve as the hash. */

#include "base/base.h"

struct hashmap_slot {
    struct hash key;
    uint64_t value_plus_one; /* 0: free */
};

struct hashmap { /* zeroed: empty */
    struct hashmap_slot *slots;
    size_t n, size; /* size is 0 or a power of two */
};

/* Sets key to value (below 2^64-1); true when the key is new. */
bool hashmap_set(struct hashmap *m, const struct hash *key, uint64_t value);
bool hashmap_get(const struct hashmap *m, const struct hash *key, uint64_t *value);
bool hashmap_has(const struct hashmap *m, const struct hash *key);

/* Forgets keys whose value is below min. */
void hashmap_prune(struct hashmap *m, uint64_t min);
void hashmap_free(struct hashmap *m);

#define HASHMAP_FREE __attribute__((cleanup(hashmap_free))) struct hashmap

#endif /* SOUK_DAEMON_STORE_HASHMAP_INT_H */
