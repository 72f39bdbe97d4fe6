/* SPDX-License-Identifier: Apache-2.0 */
/* RLC, the base token: the reference is an old compiler's contract, so missing call data reads as
 * zero, dirty bits are ignored and every refusal is empty. SPEC poco 3, reference-chain 7. */
#include "chain/poco/poco_int.h"

#define HANDLER(name)                                                                              \
    enum outcome on_token_##name(struct frame *f);                                                 \
    enum outcome on_token_##name(struct frame *f)

static struct hash arg(const struct frame *f, size_t i)
{
    struct hash w = {0};
    size_t off = 4 + 32 * i;
    if (off < f->data.n) {
        memcpy(w.b, f->data.p + off, MIN(f->data.n - off, sizeof(w.b)));
    }
    return w;
}

static struct address arg_address(const struct frame *f, size_t i)
{
    struct hash w = arg(f, i);
    struct address a;
    memcpy(a.b, w.b + 12, sizeof(a.b));
    return a;
}

static struct u256 arg_u256(const struct frame *f, size_t i)
{
    struct hash w = arg(f, i);
    return u256_from_be(w.b);
}

struct supply {
    struct address owner;
    struct u256 total, initial;
};

static enum outcome supply_get(struct frame *f, struct supply *s)
{
    struct key k = hub_key(HUB_TOKEN);
    struct bytes b;
    DO(st_get(f, &k, &b));
    struct cur c = cur_of(b);
    s->owner = take_address(&c);
    s->total = take_u256(&c);
    s->initial = take_u256(&c);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "the token's supply is damaged");
}

static enum outcome supply_put(struct frame *f, const struct supply *s)
{
    struct key k = hub_key(HUB_TOKEN);
    uint8_t b[20 + 64];
    struct pack w = {.p = b, .size = sizeof(b)};
    pack_address(&w, s->owner);
    pack_u256(&w, s->total);
    pack_u256(&w, s->initial);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

static struct key balance_key(struct address a)
{
    struct key k = key_of(STATE_BALANCE);
    key_u8(&k, CODE_TOKEN);
    key_address(&k, a);
    return k;
}

static struct key allowance_key(struct address owner, struct address spender)
{
    struct key k = key_of(STATE_ALLOWANCE);
    key_u8(&k, CODE_TOKEN);
    key_address(&k, owner);
    key_address(&k, spender);
    return k;
}

static enum outcome emit_pair(struct frame *f, enum event e, struct address a, struct address b,
                              struct u256 v)
{
    struct hash topics[] = {word_address(a), word_address(b)}, word = word_u256(v);
    return log_words(f, e, 2, topics, 1, &word);
}

static enum outcome take_from(struct frame *f, struct address a, struct u256 v)
{
    struct key k = balance_key(a);
    struct u256 have;
    DO(get_u256(f, &k, &have));
    REQUIRE(f, u256_sub(&have, have, v));
    return put_u256(f, &k, have);
}

static enum outcome give_to(struct frame *f, struct address a, struct u256 v)
{
    struct key k = balance_key(a);
    struct u256 have;
    DO(get_u256(f, &k, &have));
    REQUIRE(f, u256_add(&have, have, v));
    return put_u256(f, &k, have);
}

/* The token's onlyOwner skips the body for strangers instead of reverting: they get a zero word. */
static enum outcome read_owner(struct frame *f, struct supply *s, bool *is_owner)
{
    DO(supply_get(f, s));
    *is_owner = address_eq(s->owner, f->from);
    return OUT_APPLIED;
}

HANDLER(transfer)
{
    struct address to = arg_address(f, 0);
    struct u256 v = arg_u256(f, 1);
    DO(take_from(f, f->from, v));
    DO(give_to(f, to, v));
    DO(emit_pair(f, EVENT_token_Transfer, f->from, to, v));
    return ret_bool(f, true);
}

HANDLER(transferFrom)
{
    struct address from = arg_address(f, 0), to = arg_address(f, 1);
    struct u256 v = arg_u256(f, 2), left;
    struct key k = allowance_key(from, f->from);
    DO(get_u256(f, &k, &left));
    DO(give_to(f, to, v));
    DO(take_from(f, from, v));
    REQUIRE(f, u256_sub(&left, left, v));
    DO(put_u256(f, &k, left));
    DO(emit_pair(f, EVENT_token_Transfer, from, to, v));
    return ret_bool(f, true);
}

static enum outcome approve(struct frame *f, struct address owner, struct address spender,
                            struct u256 v)
{
    struct key k = allowance_key(owner, spender);
    DO(put_u256(f, &k, v));
    return emit_pair(f, EVENT_token_Approval, owner, spender, v);
}

HANDLER(approve)
{
    DO(approve(f, f->from, arg_address(f, 0), arg_u256(f, 1)));
    return ret_bool(f, true);
}

/* More than this the old contract cannot copy with the gas that a call has. */
enum { COPY_MAX = 128 << 10 };

/* The bytes argument at word i, as the old decoder reads it: nothing is checked, offsets wrap
 * around, and what lies beyond the call data is zero. */
static enum outcome arg_bytes(struct frame *f, size_t i, struct bytes *out)
{
    struct u256 place, off = arg_u256(f, i);
    struct hash len = {0};
    uint64_t at, n;
    uint8_t *p;
    (void)!u256_add(&place, off, u256_from(4));
    *out = (struct bytes){0};
    if (!u256_to_u64(place, &at) || at >= f->data.n) {
        return OUT_APPLIED;
    }
    memcpy(len.b, f->data.p + at, MIN(f->data.n - at, sizeof(len.b)));
    REQUIRE(f, u256_to_u64(u256_from_be(len.b), &n) && n <= COPY_MAX);
    at += sizeof(len.b);
    if (at > f->data.n || n > f->data.n - at) {
        DO(call_alloc(f, n, &p));
        memset(p, 0, n);
        if (at < f->data.n) {
            memcpy(p, f->data.p + at, f->data.n - at);
        }
        *out = (struct bytes){p, n};
        return OUT_APPLIED;
    }
    *out = (struct bytes){f->data.p + at, n};
    return OUT_APPLIED;
}

HANDLER(approveAndCall)
{
    struct address spender = arg_address(f, 0);
    struct u256 v = arg_u256(f, 1);
    struct bytes extra, data, out;
    DO(arg_bytes(f, 2, &extra));
    DO(approve(f, f->from, spender, v));
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, iface_method(METHOD_hub_receiveApproval)->selector, 4);
    struct abi_out o = abi_begin(b, 4);
    abi_put_address(&o, f->from);
    abi_put_u256(&o, v);
    abi_put_address(&o, f->self);
    abi_put_bytes(&o, extra);
    DO(out_keep(f, &data));
    struct inner c = {.to = spender, .from = f->self, .data = data, .gas = UINT64_MAX};
    DO(call_high(f, &c, &out)); /* what the receiver answers is ignored */
    return ret_nothing(f);
}

HANDLER(burn)
{
    struct supply s;
    struct u256 v = arg_u256(f, 0);
    DO(take_from(f, f->from, v));
    DO(supply_get(f, &s));
    REQUIRE(f, u256_sub(&s.total, s.total, v));
    DO(supply_put(f, &s));
    DO(emit_pair(f, EVENT_token_Transfer, f->from, (struct address){0}, v));
    return ret_bool(f, true);
}

HANDLER(refill)
{
    struct supply s;
    bool is_owner;
    struct address to = arg_address(f, 0);
    struct u256 v = arg_u256(f, 1);
    DO(read_owner(f, &s, &is_owner));
    if (!is_owner) {
        return ret_bool(f, false);
    }
    REQUIRE(f, u256_add(&s.total, s.total, v));
    DO(give_to(f, to, v));
    DO(supply_put(f, &s));
    DO(emit_pair(f, EVENT_token_Transfer, f->from, to, v));
    return ret_bool(f, true);
}

HANDLER(forceApprove)
{
    struct supply s;
    bool is_owner;
    DO(read_owner(f, &s, &is_owner));
    if (!is_owner) {
        return ret_bool(f, false);
    }
    DO(approve(f, arg_address(f, 0), arg_address(f, 1), arg_u256(f, 2)));
    return ret_bool(f, true);
}

HANDLER(forceBurn)
{
    struct supply s;
    bool is_owner;
    struct address from = arg_address(f, 0);
    struct u256 v = arg_u256(f, 1);
    DO(read_owner(f, &s, &is_owner));
    if (!is_owner) {
        return ret_bool(f, false);
    }
    DO(take_from(f, from, v));
    REQUIRE(f, u256_sub(&s.total, s.total, v));
    DO(supply_put(f, &s));
    DO(emit_pair(f, EVENT_token_Transfer, from, (struct address){0}, v));
    return ret_bool(f, true);
}

HANDLER(transferOwnership)
{
    struct supply s;
    bool is_owner;
    DO(read_owner(f, &s, &is_owner));
    struct address to = arg_address(f, 0);
    if (!is_owner || address_is_zero(to)) {
        return ret_nothing(f);
    }
    s.owner = to;
    return supply_put(f, &s);
}

HANDLER(allowance)
{
    struct u256 v;
    struct key k = allowance_key(arg_address(f, 0), arg_address(f, 1));
    DO(get_u256(f, &k, &v));
    return ret_u256(f, v);
}

HANDLER(balanceOf)
{
    struct u256 v;
    struct key k = balance_key(arg_address(f, 0));
    DO(get_u256(f, &k, &v));
    return ret_u256(f, v);
}

HANDLER(totalSupply)
{
    struct supply s;
    DO(supply_get(f, &s));
    return ret_u256(f, s.total);
}

HANDLER(initialSupply)
{
    struct supply s;
    DO(supply_get(f, &s));
    return ret_u256(f, s.initial);
}

HANDLER(owner)
{
    struct supply s;
    DO(supply_get(f, &s));
    return ret_address(f, s.owner);
}

HANDLER(decimals)
{
    return ret_u64(f, 9);
}

HANDLER(locked)
{
    return ret_bool(f, false);
}

HANDLER(name)
{
    return ret_bytes(f, BYTES_LIT("iExec RLC Token"));
}

HANDLER(symbol)
{
    return ret_bytes(f, BYTES_LIT("RLC"));
}

HANDLER(version)
{
    return ret_bytes(f, BYTES_LIT("v0.1"));
}
