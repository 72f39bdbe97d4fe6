/* SPDX-License-Identifier: Apache-2.0 */
/* header.c - headers, receipts and bloom filters as Ethereum encodes them (Yellow Paper 4.4, London
 * shape with baseFeePerGas; fields that proof of work needed hold their constants). */
#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"
#include "encoding/rlp.h"

/* keccak256(rlp([])): the hash of an empty list of uncles. */
static const struct hash no_uncles = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
                                       0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
                                       0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
                                       0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};

enum { EXTRA_MAX = 128 };

void header_put(struct buf *b, const struct block *h)
{
    static const uint8_t nonce[8];
    size_t list = rlp_list_begin(b);
    rlp_put_str(b, BYTES_OF(h->parent));
    rlp_put_str(b, BYTES_OF(no_uncles));
    rlp_put_str(b, BYTES_OF(h->miner));
    rlp_put_str(b, BYTES_OF(h->state_root));
    rlp_put_str(b, BYTES_OF(h->tx_root));
    rlp_put_str(b, BYTES_OF(h->receipts_root));
    rlp_put_str(b, BYTES_OF(h->bloom));
    rlp_put_u64(b, 0); /* difficulty */
    rlp_put_u64(b, h->number);
    rlp_put_u64(b, h->gas_limit);
    rlp_put_u64(b, h->gas_used);
    rlp_put_u64(b, h->timestamp);
    rlp_put_str(b, h->extra);
    rlp_put_str(b, BYTES_OF(h->mix));
    rlp_put_str(b, BYTES_OF(nonce));
    rlp_put_u256(b, h->base_fee);
    rlp_list_end(b, list);
}

static struct hash take_hash_str(struct cur *c)
{
    struct cur s = cur_of(rlp_take_str(c));
    struct hash h = take_hash(&s);
    if (!rc_ok(cur_end(&s))) {
        cur_fail(c, "header: a hash is not 32 bytes");
    }
    return h;
}

static void take_exact(struct cur *c, uint8_t *out, size_t n)
{
    struct bytes s = rlp_take_str(c);
    if (s.n != n) {
        cur_fail(c, "header: a field has another size");
        return;
    }
    memcpy(out, s.p, n);
}

rc header_parse(struct block *h, struct arena *a, struct bytes rlp, const char **why)
{
    uint8_t nonce[8];
    struct cur c = cur_of(rlp);
    struct cur l = rlp_take_list(&c);
    *h = (struct block){.parent = take_hash_str(&l)};
    struct hash uncles = take_hash_str(&l);
    take_exact(&l, h->miner.b, sizeof(h->miner.b));
    h->state_root = take_hash_str(&l);
    h->tx_root = take_hash_str(&l);
    h->receipts_root = take_hash_str(&l);
    take_exact(&l, h->bloom, sizeof(h->bloom));
    uint64_t difficulty = rlp_take_u64(&l);
    h->number = rlp_take_u64(&l);
    h->gas_limit = rlp_take_u64(&l);
    h->gas_used = rlp_take_u64(&l);
    h->timestamp = rlp_take_u64(&l);
    struct bytes extra = rlp_take_str(&l);
    h->mix = take_hash_str(&l);
    take_exact(&l, nonce, sizeof(nonce));
    h->base_fee = rlp_take_u256(&l);
    *why = c.bad != NULL ? c.bad : l.bad;
    if (*why == NULL && (c.n != 0 || l.n != 0 || difficulty != 0 || extra.n > EXTRA_MAX ||
                         !hash_eq(uncles, no_uncles))) {
        *why = "header: not a header of this chain";
    }
    if (*why != NULL) {
        return RC(MALFORMED);
    }
    uint8_t *copy = arena_alloc(a, extra.n);
    if (copy == NULL) {
        return RC(LIMIT);
    }
    memcpy(copy, extra.p, extra.n);
    h->extra = (struct bytes){copy, extra.n};
    h->hash = keccak256(rlp);
    return RC_OK;
}

/* Three bits of the keccak, 11 bits each (Yellow Paper 4.3.1, "M"). */
void bloom_add(uint8_t bloom[256], struct bytes item)
{
    struct hash h = keccak256(item);
    for (size_t i = 0; i < 6; i += 2) {
        unsigned bit = (unsigned)(h.b[i] << 8 | h.b[i + 1]) & 2047;
        bloom[255 - bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

void bloom_add_log(uint8_t bloom[256], const struct log *l)
{
    bloom_add(bloom, BYTES_OF(l->address));
    for (size_t i = 0; i < l->topics_n; i++) {
        bloom_add(bloom, BYTES_OF(l->topics[i]));
    }
}

void receipt_put(struct buf *b, const struct receipt *r)
{
    if (r->type != 0) {
        put_u8(b, (uint8_t)r->type);
    }
    size_t list = rlp_list_begin(b);
    rlp_put_u64(b, r->ok);
    rlp_put_u64(b, r->cumulative_gas);
    rlp_put_str(b, BYTES_OF(r->bloom));
    size_t logs = rlp_list_begin(b);
    for (size_t i = 0; i < r->logs_n; i++) {
        const struct log *l = &r->logs[i];
        size_t one = rlp_list_begin(b);
        rlp_put_str(b, BYTES_OF(l->address));
        size_t topics = rlp_list_begin(b);
        for (size_t k = 0; k < l->topics_n; k++) {
            rlp_put_str(b, BYTES_OF(l->topics[k]));
        }
        rlp_list_end(b, topics);
        rlp_put_str(b, l->data);
        rlp_list_end(b, one);
    }
    rlp_list_end(b, logs);
    rlp_list_end(b, list);
}

struct u256 base_fee_next(struct u256 fee, uint64_t gas_used, uint64_t gas_limit)
{
    uint64_t target = gas_limit / 2; /* EIP-1559: elasticity 2, change at most 1/8 */
    struct u256 t, delta;
    if (u256_is_zero(fee) || target == 0 || gas_used == target) {
        return fee;
    }
    uint64_t off = gas_used > target ? gas_used - target : target - gas_used;
    bool fits = u256_mul(&t, fee, u256_from(off)) && u256_div(&t, NULL, t, u256_from(target)) &&
                u256_div(&delta, NULL, t, u256_from(8));
    if (!fits) {
        return fee; /* a fee near 2^256 cannot be paid: nothing left to steer */
    }
    if (gas_used > target) {
        delta = u256_is_zero(delta) ? u256_from(1) : delta;
        return u256_add(&t, fee, delta) ? t : fee;
    }
    return u256_sub(&t, fee, delta) ? t : u256_from(0);
}
