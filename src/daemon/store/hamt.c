/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store/hamt_int.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t rotl(uint64_t v, unsigned r)
{
    return v << r | v >> (64 - r);
}

static uint64_t fmix(uint64_t k)
{
    k ^= k >> 33;
    k *= 0xff51afd7ed558ccdULL;
    k ^= k >> 33;
    k *= 0xc4ceb9fe1a85ec53ULL;
    return k ^ k >> 33;
}

static uint64_t le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

uint64_t murmur3_64(struct bytes in)
{
    const uint64_t c1 = 0x87c37b91114253d5ULL;
    const uint64_t c2 = 0x4cf5ad432745937fULL;
    uint64_t h1 = 0;
    uint64_t h2 = 0;
    size_t i = 0;
    for (; in.n - i >= 16; i += 16) {
        h1 ^= rotl(le(in.p + i, 8) * c1, 31) * c2;
        h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotl(le(in.p + i + 8, 8) * c2, 33) * c1;
        h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    size_t rest = in.n - i;
    if (rest > 8) {
        h2 ^= rotl(le(in.p + i + 8, rest - 8) * c2, 33) * c1;
    }
    if (rest > 0) {
        h1 ^= rotl(le(in.p + i, MIN(rest, (size_t)8)) * c1, 31) * c2;
    }
    h1 ^= in.n;
    h2 ^= in.n;
    h1 += h2;
    h2 += h1;
    return fmix(h1) + fmix(h2);
}

bool hamt_slot(unsigned *slot, uint64_t hash, unsigned depth, unsigned fanout)
{
    unsigned bits = (unsigned)__builtin_ctz(fanout);
    if ((depth + 1) * bits > 64) {
        return false;
    }
    *slot = (unsigned)(hash >> (64 - (depth + 1) * bits)) & (fanout - 1);
    return true;
}

bool hamt_is_due(const struct dir_entry *entries, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        BUF_FREE id = buf_new(CID_BIN_MAX);
        put_cid(&id, &entries[i].cid);
        size += entries[i].name.n + id.n;
    }
    return size > HAMT_DIR_MAX;
}

struct hashed {
    uint64_t hash;
    const struct dir_entry *entry;
};

static int by_hash(const void *a, const void *b)
{
    const struct hashed *x = a;
    const struct hashed *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* One node of the trie over v[0..n), whose hashes agree in the first depth bytes. */
static rc build(struct sink *sink, unsigned version, const struct hashed *v, size_t n,
                unsigned depth, struct import_node *out, struct err *e)
{
    if (depth == HAMT_DEPTH_MAX) {
        return err_set(e, RC_CODE_LIMIT, "two names of a directory have one hash");
    }
    BUF_FREE b = buf_new(BLOCK_MAX);
    uint8_t bits[HAMT_FANOUT / 8] = {0}; /* big-endian number: bit i is child i */
    uint64_t below = 0;
    for (size_t i = 0; i < n;) {
        unsigned slot = 0;
        (void)hamt_slot(&slot, v[i].hash, depth, HAMT_FANOUT);
        size_t end = i + 1;
        unsigned other = slot;
        while (end < n && hamt_slot(&other, v[end].hash, depth, HAMT_FANOUT) && other == slot) {
            end++;
        }
        bits[sizeof(bits) - 1 - slot / 8] |= (uint8_t)(1U << slot % 8);
        BUF_FREE name = buf_new(BLOCK_MAX);
        put_fmt(&name, "%02X", slot);
        struct import_node child;
        if (end - i == 1) {
            put_bytes(&name, v[i].entry->name);
            child = (struct import_node){.cid = v[i].entry->cid, .tsize = v[i].entry->tsize};
        } else {
            TRY(build(sink, version, v + i, end - i, depth + 1, &child, e));
        }
        put_dagpb_link(&b, &child.cid, buf_bytes(&name), child.tsize);
        below += child.tsize;
        i = end;
    }
    size_t skip = 0; /* the number is written without leading zero bytes */
    while (skip < sizeof(bits) && bits[skip] == 0) {
        skip++;
    }
    BUF_FREE fs = buf_new(256);
    put_unixfs(&fs, &(struct unixfs){.type = UNIXFS_HAMT,
                                     .data = {bits + skip, sizeof(bits) - skip},
                                     .has_data = true,
                                     .hash_type = HAMT_HASH,
                                     .fanout = HAMT_FANOUT});
    put_dagpb_data(&b, buf_bytes(&fs));
    if (b.full) {
        return err_set(e, RC_CODE_LIMIT, "directory does not fit into a block");
    }
    TRY(sink_put(sink, &out->cid, version, CID_DAG_PB, buf_bytes(&b), e));
    out->filesize = 0;
    out->tsize = below + b.n;
    return RC_OK;
}

rc hamt_build(struct sink *sink, unsigned cid_version, struct dir_entry *entries, size_t n,
              struct import_node *out, struct err *e)
{
    struct hashed *v = calloc(n, sizeof(*v));
    ASSERT(v != NULL);
    for (size_t i = 0; i < n; i++) {
        v[i] = (struct hashed){murmur3_64(entries[i].name), &entries[i]};
    }
    qsort(v, n, sizeof(*v), by_hash);
    rc r = build(sink, cid_version, v, n, 0, out, e);
    free(v);
    return r;
}
