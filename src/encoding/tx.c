/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/tx.h"

#include "crypto/keccak.h"
#include "encoding/rlp.h"

static rc bad(const char **why, const char *text)
{
    *why = text;
    return RC(MALFORMED);
}

/* --- reading --- */

static void take_to(struct cur *c, struct eth_tx *t)
{
    struct bytes to = rlp_take_str(c);
    t->has_to = to.n > 0;
    if (to.n == sizeof(t->to.b)) {
        memcpy(t->to.b, to.p, to.n);
    } else if (to.n != 0) {
        cur_fail(c, "rlp: input string has the wrong size for an address");
    }
}

/* EIP-2930: [[address, [key, …]], …] */
static void take_access_list(struct cur *c, struct eth_tx *t)
{
    struct cur list = rlp_take_list(c);
    t->access_list = (struct bytes){list.p, list.n};
    while (list.n > 0) {
        struct cur entry = rlp_take_list(&list);
        bool ok = rlp_take_str(&entry).n == 20;
        struct cur keys = rlp_take_list(&entry);
        while (keys.n > 0 && ok) {
            ok = rlp_take_str(&keys).n == 32;
        }
        if (!ok || keys.bad != NULL || entry.n > 0 || entry.bad != NULL || list.bad != NULL) {
            cur_fail(c, "malformed access list");
            return;
        }
    }
}

static void take_word(struct cur *c, uint8_t out[32])
{
    u256_to_be(out, rlp_take_u256(c));
}

/* Which parity v stands for, and the chain id it carries. EIP-155. */
static rc read_v(struct eth_tx *t, const char **why)
{
    if (t->type > 0) {
        t->has_chain_id = true;
        t->sig.parity = (uint8_t)(t->v & 1);
        return t->v < 2 ? RC_OK : bad(why, "invalid transaction v, r, s values");
    }
    t->has_chain_id = t->v >= 35;
    if (t->has_chain_id) {
        t->chain_id = (t->v - 35) / 2;
        t->sig.parity = (uint8_t)((t->v - 35) & 1);
        return RC_OK;
    }
    t->sig.parity = (uint8_t)(t->v - 27);
    return t->v == 27 || t->v == 28 ? RC_OK : bad(why, "invalid transaction v, r, s values");
}

static bool is_zero(const uint8_t word[32])
{
    return u256_is_zero(u256_from_be(word));
}

rc eth_tx_parse(struct eth_tx *out, struct bytes raw, const char **why)
{
    *out = (struct eth_tx){0};
    struct cur c = cur_of(raw);
    if (raw.n == 0) {
        return bad(why, "typed transaction too short");
    }
    if (raw.n > TX_SIZE_MAX) {
        return bad(why, "oversized data");
    }
    if (raw.p[0] < 0x80) { /* EIP-2718 */
        out->type = (unsigned)take_be(&c, 1);
        if (out->type != 1 && out->type != 2) {
            return bad(why, "transaction type not supported");
        }
    }
    struct cur f = rlp_take_list(&c);
    if (out->type > 0) {
        out->chain_id = rlp_take_u64(&f);
    }
    out->nonce = rlp_take_u64(&f);
    if (out->type == 2) {
        out->tip = rlp_take_u256(&f);
        out->max_fee = rlp_take_u256(&f);
    } else {
        out->gas_price = rlp_take_u256(&f);
    }
    out->gas = rlp_take_u64(&f);
    take_to(&f, out);
    out->value = rlp_take_u256(&f);
    out->data = rlp_take_str(&f);
    if (out->type > 0) {
        take_access_list(&f, out);
    }
    out->v = rlp_take_u64(&f);
    take_word(&f, out->sig.rs);
    take_word(&f, out->sig.rs + 32);
    if (!rc_ok(cur_end(&c)) || !rc_ok(cur_end(&f))) {
        const char *text = c.bad != NULL ? c.bad : f.bad;
        return bad(why, text != NULL ? text : "rlp: input list has too many elements");
    }
    if (is_zero(out->sig.rs) || is_zero(out->sig.rs + 32) || !secp_s_is_low(out->sig.rs)) {
        return bad(why, "invalid transaction v, r, s values");
    }
    return read_v(out, why);
}

struct hash eth_tx_hash(struct bytes raw)
{
    return keccak256(raw);
}

struct address eth_tx_take_access(struct cur *list, struct cur *keys)
{
    struct cur entry = rlp_take_list(list);
    struct bytes a = rlp_take_str(&entry);
    struct cur addr = cur_of(a);
    *keys = rlp_take_list(&entry);
    return take_address(&addr);
}

struct eth_tx_access eth_tx_count_access(const struct eth_tx *t)
{
    struct eth_tx_access n = {0};
    struct cur list = cur_of(t->access_list);
    while (list.n > 0) {
        struct cur keys;
        (void)eth_tx_take_access(&list, &keys);
        n.addresses++;
        for (; keys.n > 0; n.keys++) {
            (void)rlp_take_str(&keys);
        }
    }
    return n;
}

/* --- writing --- */

static void put_list(struct buf *b, struct bytes items)
{
    size_t start = rlp_list_begin(b);
    put_bytes(b, items);
    rlp_list_end(b, start);
}

/* The members up to the signature. */
static void put_members(struct buf *b, const struct eth_tx *t)
{
    if (t->type > 0) {
        rlp_put_u64(b, t->chain_id);
    }
    rlp_put_u64(b, t->nonce);
    if (t->type == 2) {
        rlp_put_u256(b, t->tip);
        rlp_put_u256(b, t->max_fee);
    } else {
        rlp_put_u256(b, t->gas_price);
    }
    rlp_put_u64(b, t->gas);
    rlp_put_str(b, t->has_to ? BYTES_OF(t->to) : (struct bytes){0});
    rlp_put_u256(b, t->value);
    rlp_put_str(b, t->data);
    if (t->type > 0) {
        put_list(b, t->access_list);
    }
}

struct hash eth_tx_signing_hash(const struct eth_tx *t)
{
    BUF_FREE b = buf_new(TX_SIZE_MAX * 2);
    if (t->type > 0) {
        put_u8(&b, (uint8_t)t->type);
    }
    size_t list = rlp_list_begin(&b);
    put_members(&b, t);
    if (t->type == 0 && t->has_chain_id) { /* EIP-155 */
        rlp_put_u64(&b, t->chain_id);
        rlp_put_u64(&b, 0);
        rlp_put_u64(&b, 0);
    }
    rlp_list_end(&b, list);
    return keccak256(buf_bytes(&b));
}

rc eth_tx_sender(struct address *out, const struct eth_tx *t)
{
    return secp_recover(out, eth_tx_signing_hash(t), &t->sig);
}

void eth_tx_put(struct buf *b, const struct eth_tx *t)
{
    if (t->type > 0) {
        put_u8(b, (uint8_t)t->type);
    }
    size_t list = rlp_list_begin(b);
    put_members(b, t);
    rlp_put_u64(b, t->v);
    rlp_put_u256(b, u256_from_be(t->sig.rs));
    rlp_put_u256(b, u256_from_be(t->sig.rs + 32));
    rlp_list_end(b, list);
}

rc eth_tx_sign(struct buf *out, struct eth_tx *t, const struct secret *key)
{
    t->has_chain_id = true;
    TRY(secp_sign(&t->sig, key, eth_tx_signing_hash(t)));
    t->v = t->type > 0 ? t->sig.parity : t->chain_id * 2 + 35 + t->sig.parity;
    eth_tx_put(out, t);
    return buf_end(out);
}

bool eth_tx_price(struct u256 *out, const struct eth_tx *t, struct u256 base_fee)
{
    struct u256 room;
    if (t->type < 2) {
        *out = t->gas_price;
        return !u256_lt(t->gas_price, base_fee);
    }
    if (!u256_sub(&room, t->max_fee, base_fee)) {
        return false;
    }
    struct u256 tip = u256_lt(room, t->tip) ? room : t->tip;
    return u256_add(out, base_fee, tip);
}
