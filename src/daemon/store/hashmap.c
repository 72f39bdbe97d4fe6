/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/hashmap_int.h"

#include <stdlib.h>

static struct hashmap_slot *slot_of(const struct hashmap *m, const struct hash *key)
{
    uint64_t h;
    memcpy(&h, key->b, sizeof(h));
    for (size_t i = (size_t)h & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        struct hashmap_slot *s = &m->slots[i];
        if (s->value_plus_one == 0 || hash_eq(s->key, *key)) {
            return s;
        }
    }
}

static void resize(struct hashmap *m, size_t size, uint64_t min)
{
    struct hashmap old = *m;
    *m = (struct hashmap){.slots = calloc(size, sizeof(*m->slots)), .size = size};
    ASSERT(m->slots != NULL);
    for (size_t i = 0; i < old.size; i++) {
        if (old.slots[i].value_plus_one > min) {
            *slot_of(m, &old.slots[i].key) = old.slots[i];
            m->n++;
        }
    }
    free(old.slots);
}

bool hashmap_set(struct hashmap *m, const struct hash *key, uint64_t value)
{
    if (m->n + 1 > m->size / 2) {
        resize(m, m->size == 0 ? 64 : m->size * 2, 0);
    }
    struct hashmap_slot *s = slot_of(m, key);
    bool fresh = s->value_plus_one == 0;
    m->n += fresh ? 1 : 0;
    s->key = *key;
    s->value_plus_one = value + 1;
    return fresh;
}

bool hashmap_get(const struct hashmap *m, const struct hash *key, uint64_t *value)
{
    const struct hashmap_slot *s = m->size == 0 ? NULL : slot_of(m, key);
    if (s == NULL || s->value_plus_one == 0) {
        return false;
    }
    *value = s->value_plus_one - 1;
    return true;
}

bool hashmap_has(const struct hashmap *m, const struct hash *key)
{
    uint64_t value;
    return hashmap_get(m, key, &value);
}

void hashmap_prune(struct hashmap *m, uint64_t min)
{
    if (m->size > 0) {
        resize(m, m->size, min);
    }
}

void hashmap_free(struct hashmap *m)
{
    free(m->slots);
    *m = (struct hashmap){0};
}
