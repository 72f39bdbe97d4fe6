/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing state, with its price; keys and the packing of records. */
#include "chain/poco/poco_int.h"

enum { GAS_READ = 100, GAS_WRITE = 1000, GAS_WRITE_BYTE = 10 };

struct key key_of(enum state_table t)
{
    struct key k;
    k.b[0] = (uint8_t)t;
    k.n = 1;
    return k;
}

static void key_mem(struct key *k, const void *p, size_t n)
{
    ASSERT(n <= sizeof(k->b) - k->n);
    memcpy(k->b + k->n, p, n);
    k->n += n;
}

void key_u8(struct key *k, uint8_t v)
{
    key_mem(k, &v, 1);
}

void key_u64(struct key *k, uint64_t v)
{
    uint64_t be = __builtin_bswap64(v);
    key_mem(k, &be, sizeof(be));
}

void key_u32(struct key *k, uint32_t v)
{
    uint32_t be = __builtin_bswap32(v);
    key_mem(k, &be, sizeof(be));
}

void key_address(struct key *k, struct address a)
{
    key_mem(k, a.b, sizeof(a.b));
}

void key_hash(struct key *k, struct hash h)
{
    key_mem(k, h.b, sizeof(h.b));
}

enum outcome st_get(struct frame *f, const struct key *k, struct bytes *value)
{
    DO(gas_charge(f, GAS_READ));
    if (f->run->env->dev) {
        DO(slot_settle(f, k));
    }
    rc r = state_get(f->run->env->state, (struct bytes){k->b, k->n}, value);
    if (rc_ok(r)) {
        return OUT_APPLIED;
    }
    *value = (struct bytes){0};
    return r.code == RC_CODE_NOT_FOUND ? OUT_APPLIED : call_fault(f, "the state cannot be read");
}

enum outcome st_put(struct frame *f, const struct key *k, struct bytes value)
{
    DO(gas_charge(f, GAS_WRITE + GAS_WRITE_BYTE * value.n));
    if (value.n > STATE_VALUE_MAX) {
        return gas_charge(f, UINT64_MAX); /* no limit of gas pays for it */
    }
    state_put(f->run->env->state, (struct bytes){k->b, k->n}, value);
    return OUT_APPLIED;
}

enum outcome st_del(struct frame *f, const struct key *k)
{
    DO(gas_charge(f, GAS_WRITE));
    state_del(f->run->env->state, (struct bytes){k->b, k->n});
    return OUT_APPLIED;
}

enum outcome get_u256(struct frame *f, const struct key *k, struct u256 *v)
{
    struct bytes b;
    DO(st_get(f, k, &b));
    *v = (struct u256){0};
    if (b.p != NULL && !u256_from_bytes(v, b)) {
        return call_fault(f, "a number in the state is too long");
    }
    return OUT_APPLIED;
}

enum outcome put_u256(struct frame *f, const struct key *k, struct u256 v)
{
    struct hash h = word_u256(v);
    return u256_is_zero(v) ? st_del(f, k) : st_put(f, k, BYTES_OF(h));
}

enum outcome get_u64(struct frame *f, const struct key *k, uint64_t *v)
{
    struct bytes b;
    DO(st_get(f, k, &b));
    struct cur c = cur_of(b);
    *v = b.p == NULL ? 0 : take_be(&c, 8);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a counter in the state is damaged");
}

enum outcome put_u64(struct frame *f, const struct key *k, uint64_t v)
{
    uint64_t be = __builtin_bswap64(v);
    return v == 0 ? st_del(f, k) : st_put(f, k, BYTES_OF(be));
}

enum outcome get_address(struct frame *f, const struct key *k, struct address *a)
{
    struct bytes b;
    DO(st_get(f, k, &b));
    struct cur c = cur_of(b);
    *a = b.p == NULL ? (struct address){0} : take_address(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "an address in the state is damaged");
}

void pack_mem(struct pack *w, const void *p, size_t n)
{
    ASSERT(n <= w->size - w->n);
    if (n > 0) {
        memcpy(w->p + w->n, p, n);
    }
    w->n += n;
}

void pack_u8(struct pack *w, uint8_t v)
{
    pack_mem(w, &v, 1);
}

void pack_u64(struct pack *w, uint64_t v)
{
    uint64_t be = __builtin_bswap64(v);
    pack_mem(w, &be, sizeof(be));
}

void pack_u256(struct pack *w, struct u256 v)
{
    struct hash h = word_u256(v);
    pack_mem(w, h.b, sizeof(h.b));
}

void pack_address(struct pack *w, struct address a)
{
    pack_mem(w, a.b, sizeof(a.b));
}

void pack_hash(struct pack *w, struct hash h)
{
    pack_mem(w, h.b, sizeof(h.b));
}

void pack_bytes(struct pack *w, struct bytes v)
{
    uint32_t be = __builtin_bswap32((uint32_t)v.n);
    pack_mem(w, &be, sizeof(be));
    pack_mem(w, v.p, v.n);
}

struct u256 take_u256(struct cur *c)
{
    struct bytes b = take_bytes(c, 32);
    return b.n == 32 ? u256_from_be(b.p) : (struct u256){0};
}

struct bytes take_packed(struct cur *c)
{
    return take_bytes(c, take_be(c, 4));
}
