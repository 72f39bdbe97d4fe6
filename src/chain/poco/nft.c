/* SPDX-License-Identifier: Apache-2.0 */
/* A registry's entries as ERC-721 tokens with enumeration. Two rule sets: OpenZeppelin 3 (6.1) and 5
 * (6.2); what they say when they refuse is in rules.c. SPEC poco 9, reference-chain 4. */
#include "chain/poco/poco_int.h"

static unsigned registry_kind_of(const struct frame *f)
{
    return f->record.n > 0 ? f->record.p[0] : 0;
}

static struct key nft_key(unsigned kind, struct address entry)
{
    struct key k = key_of(STATE_NFT);
    key_u8(&k, (uint8_t)kind);
    key_address(&k, entry);
    return k;
}

static struct key place_key(unsigned kind, uint64_t place)
{
    struct key k = key_of(STATE_NFT_AT);
    key_u8(&k, (uint8_t)kind);
    key_u64(&k, place);
    return k;
}

static struct key owned_key(unsigned kind, struct address owner, uint64_t place)
{
    struct key k = key_of(STATE_NFT_AT);
    key_u8(&k, (uint8_t)kind);
    key_address(&k, owner);
    key_u64(&k, place);
    return k;
}

static struct key balance_key(unsigned kind, struct address owner)
{
    struct key k = key_of(STATE_REGISTRY);
    key_u8(&k, (uint8_t)kind);
    key_address(&k, owner);
    return k;
}

static struct key operator_key(unsigned kind, struct address owner, struct address op)
{
    struct key k = key_of(STATE_OPERATOR);
    key_u8(&k, (uint8_t)kind);
    key_address(&k, owner);
    key_address(&k, op);
    return k;
}

enum outcome nft_get(struct frame *f, unsigned kind, struct address entry, struct nft *n)
{
    struct key k = nft_key(kind, entry);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *n = (struct nft){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    struct cur c = cur_of(b);
    n->exists = true;
    n->owner = take_address(&c);
    n->approved = take_address(&c);
    n->place = take_be(&c, 8);
    n->owner_place = take_be(&c, 8);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "an entry's ownership is damaged");
}

static enum outcome nft_put(struct frame *f, unsigned kind, struct address entry,
                            const struct nft *n)
{
    struct key k = nft_key(kind, entry);
    uint8_t b[20 + 20 + 8 + 8];
    struct pack w = {.p = b, .size = sizeof(b)};
    pack_address(&w, n->owner);
    pack_address(&w, n->approved);
    pack_u64(&w, n->place);
    pack_u64(&w, n->owner_place);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

enum outcome nft_owner(struct frame *f, unsigned kind, struct address entry, struct address *owner)
{
    struct nft n;
    DO(nft_get(f, kind, entry, &n));
    *owner = n.owner;
    return OUT_APPLIED;
}

static enum outcome emit_transfer(struct frame *f, struct address from, struct address to,
                                  struct address entry)
{
    struct hash topics[] = {word_address(from), word_address(to), word_address(entry)};
    return log_words(f, EVENT_registry_Transfer, 3, topics, 0, NULL);
}

/* Appends to the list of its owner; the caller writes n. */
static enum outcome append(struct frame *f, unsigned kind, struct address entry, struct nft *n)
{
    struct key count = balance_key(kind, n->owner);
    DO(get_u64(f, &count, &n->owner_place));
    struct key at = owned_key(kind, n->owner, n->owner_place);
    DO(st_put(f, &at, BYTES_OF(entry)));
    return put_u64(f, &count, n->owner_place + 1);
}

/* Takes out of the list of its owner: the last one fills the gap. */
static enum outcome unlist(struct frame *f, unsigned kind, const struct nft *n)
{
    struct key count = balance_key(kind, n->owner);
    uint64_t left;
    struct address moved;
    struct nft m;
    DO(get_u64(f, &count, &left));
    if (left == 0) {
        return call_fault(f, "an owner's list is damaged");
    }
    left--;
    struct key last = owned_key(kind, n->owner, left),
               gap = owned_key(kind, n->owner, n->owner_place);
    if (left != n->owner_place) {
        DO(get_address(f, &last, &moved));
        DO(st_put(f, &gap, BYTES_OF(moved)));
        DO(nft_get(f, kind, moved, &m));
        m.owner_place = n->owner_place;
        DO(nft_put(f, kind, moved, &m));
    }
    DO(st_del(f, &last));
    return put_u64(f, &count, left);
}

enum outcome nft_mint(struct frame *f, unsigned kind, struct address to, struct address entry)
{
    struct registry r;
    if (address_is_zero(to)) {
        return registry_refuse(f, REFUSE_MINT_ZERO, 1, &(struct hash){0});
    }
    DO(registry_get(f, kind, &r));
    struct nft n = {.exists = true, .owner = to, .place = r.total};
    struct key at = place_key(kind, r.total);
    DO(st_put(f, &at, BYTES_OF(entry)));
    r.total++;
    DO(registry_put(f, kind, &r));
    DO(append(f, kind, entry, &n));
    DO(nft_put(f, kind, entry, &n));
    return emit_transfer(f, (struct address){0}, to, entry);
}

/* A token id and the entry it names; no entry when the id is no address of one. */
struct token {
    struct hash id;
    struct address entry;
    struct nft n;
};

static enum outcome take_token(struct frame *f, struct token *t)
{
    static const uint8_t zero[12];
    t->id = abi_take_hash(&f->in);
    memcpy(t->entry.b, t->id.b + 12, sizeof(t->entry.b));
    t->n = (struct nft){0};
    return memcmp(t->id.b, zero, sizeof(zero)) == 0
               ? nft_get(f, registry_kind_of(f), t->entry, &t->n)
               : OUT_APPLIED;
}

static enum outcome is_operator(struct frame *f, struct address owner, struct address op, bool *yes)
{
    struct key k = operator_key(registry_kind_of(f), owner, op);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *yes = b.p != NULL;
    return OUT_APPLIED;
}

static enum outcome may_transfer(struct frame *f, const struct token *t)
{
    bool op;
    struct hash words[] = {word_address(f->from), t->id};
    if (f->run->rules->transfer_zero_first && address_is_zero(f->from)) {
        return OUT_APPLIED; /* OpenZeppelin 5 asks nothing of the zero sender */
    }
    if (!t->n.exists) {
        return registry_refuse(f, REFUSE_TRANSFER_UNKNOWN, 1, &t->id);
    }
    DO(is_operator(f, t->n.owner, f->from, &op));
    if (!op && !address_eq(f->from, t->n.owner) && !address_eq(f->from, t->n.approved)) {
        return registry_refuse(f, REFUSE_TRANSFER_STRANGER, 2, words);
    }
    return OUT_APPLIED;
}

static enum outcome transfer(struct frame *f, struct address from, struct address to,
                             struct token *t)
{
    const struct rules *rules = f->run->rules;
    struct hash zero = {0};
    if (rules->transfer_zero_first && address_is_zero(to)) {
        return registry_refuse(f, REFUSE_TRANSFER_ZERO, 1, &zero);
    }
    DO(may_transfer(f, t));
    if (!address_eq(t->n.owner, from) || !t->n.exists) {
        struct hash words[] = {word_address(from), t->id, word_address(t->n.owner)};
        return registry_refuse(f, REFUSE_TRANSFER_WRONG_FROM, 3, words);
    }
    if (address_is_zero(to)) {
        return registry_refuse(f, REFUSE_TRANSFER_ZERO, 1, &zero);
    }
    t->n.approved = (struct address){0};
    if (rules->transfer_approval_log) {
        struct hash topics[] = {word_address(from), zero, t->id};
        DO(log_words(f, EVENT_registry_Approval, 3, topics, 0, NULL));
    }
    if (!address_eq(from, to) || rules->self_transfer_moves) {
        DO(unlist(f, registry_kind_of(f), &t->n));
        t->n.owner = to;
        DO(append(f, registry_kind_of(f), t->entry, &t->n));
    }
    DO(nft_put(f, registry_kind_of(f), t->entry, &t->n));
    return emit_transfer(f, from, to, t->entry);
}

/* The receiver's consent, when it has code. */
static enum outcome ask_receiver(struct frame *f, struct address from, struct address to,
                                 const struct token *t, struct bytes data)
{
    const uint32_t magic = iface_method(METHOD_wallet_onERC721Received)->selector;
    struct bytes args, out;
    bool ok;
    DO(code_is_at(f, to, &ok));
    if (!ok) {
        return OUT_APPLIED;
    }
    struct buf *b = &f->run->buf;
    buf_reset(b);
    put_be(b, magic, 4);
    struct abi_out o = abi_begin(b, 4);
    abi_put_address(&o, f->from);
    abi_put_address(&o, from);
    abi_put_hash(&o, t->id);
    abi_put_bytes(&o, data);
    DO(out_keep(f, &args));
    struct inner c = {.to = to, .from = f->self, .data = args, .gas = UINT64_MAX};
    DO(call_inner(f, &c, &ok, &out));
    struct hash who = word_address(to);
    if (!ok) {
        return out.n > 0 ? revert_data(f, out) : registry_refuse(f, REFUSE_RECEIVER, 1, &who);
    }
    struct abi_in in = abi_of(out);
    uint32_t got = abi_take_selector(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    return got == magic ? OUT_APPLIED : registry_refuse(f, REFUSE_RECEIVER, 1, &who);
}

#define HANDLER(name)                                                                              \
    enum outcome on_registry_##name(struct frame *f);                                              \
    enum outcome on_registry_##name(struct frame *f)

static enum outcome transfer_from(struct frame *f, bool safe, bool with_data)
{
    struct token t;
    struct bytes data = {0};
    struct address from = take_registry_address(f), to = take_registry_address(f);
    DO(take_token(f, &t));
    if (with_data) {
        data = take_registry_memory(f);
    }
    ARGS_END(f);
    DO(transfer(f, from, to, &t));
    return safe ? ask_receiver(f, from, to, &t, data) : OUT_APPLIED;
}

HANDLER(transferFrom)
{
    return transfer_from(f, false, false);
}

HANDLER(safeTransferFrom)
{
    return transfer_from(f, true, false);
}

HANDLER(safeTransferFrom_data)
{
    return transfer_from(f, true, true);
}

HANDLER(approve)
{
    struct token t;
    bool op;
    const struct rules *rules = f->run->rules;
    struct address to = take_registry_address(f);
    DO(take_token(f, &t));
    ARGS_END(f);
    if (!t.n.exists) {
        return registry_refuse(f, REFUSE_APPROVE_UNKNOWN, 1, &t.id);
    }
    if (rules->refusal[REFUSE_APPROVE_OWNER] != REVERT_NONE && address_eq(to, t.n.owner)) {
        return registry_refuse(f, REFUSE_APPROVE_OWNER, 0, NULL);
    }
    DO(is_operator(f, t.n.owner, f->from, &op));
    bool anyone = rules->transfer_zero_first && address_is_zero(f->from);
    if (!op && !address_eq(f->from, t.n.owner) && !anyone) {
        struct hash who = word_address(f->from);
        return registry_refuse(f, REFUSE_APPROVE_STRANGER, 1, &who);
    }
    t.n.approved = to;
    DO(nft_put(f, registry_kind_of(f), t.entry, &t.n));
    struct hash topics[] = {word_address(t.n.owner), word_address(to), t.id};
    return log_words(f, EVENT_registry_Approval, 3, topics, 0, NULL);
}

HANDLER(setApprovalForAll)
{
    const struct rules *rules = f->run->rules;
    struct address op = take_registry_address(f);
    struct hash word = abi_take_hash(&f->in);
    ARGS_END(f);
    struct u256 v = u256_from_be(word.b);
    REQUIRE(f, !rules->registry_strict || !u256_lt(u256_from(1), v));
    bool on = !u256_is_zero(v);
    if (rules->refusal[REFUSE_OPERATOR_SELF] != REVERT_NONE && address_eq(op, f->from)) {
        return registry_refuse(f, REFUSE_OPERATOR_SELF, 0, NULL);
    }
    if (rules->refusal[REFUSE_OPERATOR_ZERO] != REVERT_NONE && address_is_zero(op)) {
        return registry_refuse(f, REFUSE_OPERATOR_ZERO, 1, &(struct hash){0});
    }
    struct key k = operator_key(registry_kind_of(f), f->from, op);
    DO(on ? st_put(f, &k, BYTES_LIT("\1")) : st_del(f, &k));
    struct hash topics[] = {word_address(f->from), word_address(op)};
    struct hash data = word_u256(u256_from(on ? 1 : 0));
    return log_words(f, EVENT_registry_ApprovalForAll, 2, topics, 1, &data);
}

HANDLER(isApprovedForAll)
{
    bool yes;
    struct address owner = take_registry_address(f), op = take_registry_address(f);
    ARGS_END(f);
    DO(is_operator(f, owner, op, &yes));
    return ret_bool(f, yes);
}

HANDLER(getApproved)
{
    struct token t;
    DO(take_token(f, &t));
    ARGS_END(f);
    return t.n.exists ? ret_address(f, t.n.approved)
                      : registry_refuse(f, REFUSE_APPROVED_QUERY, 1, &t.id);
}

HANDLER(ownerOf)
{
    struct token t;
    DO(take_token(f, &t));
    ARGS_END(f);
    return t.n.exists ? ret_address(f, t.n.owner)
                      : registry_refuse(f, REFUSE_OWNER_QUERY, 1, &t.id);
}

HANDLER(balanceOf)
{
    uint64_t n;
    struct address owner = take_registry_address(f);
    ARGS_END(f);
    if (address_is_zero(owner)) {
        return registry_refuse(f, REFUSE_BALANCE_ZERO, 1, &(struct hash){0});
    }
    struct key k = balance_key(registry_kind_of(f), owner);
    DO(get_u64(f, &k, &n));
    return ret_u64(f, n);
}

HANDLER(totalSupply)
{
    struct registry r;
    DO(registry_get(f, registry_kind_of(f), &r));
    return ret_u64(f, r.total);
}

HANDLER(tokenByIndex)
{
    struct registry r;
    struct address entry;
    uint64_t i;
    struct hash index = abi_take_hash(&f->in);
    ARGS_END(f);
    DO(registry_get(f, registry_kind_of(f), &r));
    if (!u256_to_u64(u256_from_be(index.b), &i) || i >= r.total) {
        struct hash words[] = {{{0}}, index};
        return registry_refuse(f, REFUSE_INDEX, 2, words);
    }
    struct key k = place_key(registry_kind_of(f), i);
    DO(get_address(f, &k, &entry));
    return ret_address(f, entry);
}

HANDLER(tokenOfOwnerByIndex)
{
    struct address entry;
    uint64_t i, n;
    struct address owner = take_registry_address(f);
    struct hash index = abi_take_hash(&f->in);
    ARGS_END(f);
    if (address_is_zero(owner)) {
        return registry_refuse(f, REFUSE_OWNER_INDEX_ZERO, 1, &(struct hash){0});
    }
    struct key count = balance_key(registry_kind_of(f), owner);
    DO(get_u64(f, &count, &n));
    if (!u256_to_u64(u256_from_be(index.b), &i) || i >= n) {
        struct hash words[] = {word_address(owner), index};
        return registry_refuse(f, REFUSE_OWNER_INDEX, 2, words);
    }
    struct key k = owned_key(registry_kind_of(f), owner, i);
    DO(get_address(f, &k, &entry));
    return ret_address(f, entry);
}

HANDLER(tokenURI)
{
    struct token t;
    struct registry r;
    char dec[U256_DEC_MAX];
    DO(take_token(f, &t));
    ARGS_END(f);
    if (!t.n.exists) {
        return registry_refuse(f, REFUSE_URI_QUERY, 1, &t.id);
    }
    DO(registry_get(f, registry_kind_of(f), &r));
    if (r.base_uri.n == 0) {
        return ret_bytes(f, r.base_uri);
    }
    struct bytes id = bytes_str(u256_dec(u256_from_be(t.id.b), dec));
    struct pack w = {.size = r.base_uri.n + id.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_mem(&w, r.base_uri.p, r.base_uri.n);
    pack_mem(&w, id.p, id.n);
    return ret_bytes(f, (struct bytes){w.p, w.n});
}

HANDLER(supportsInterface)
{
    /* ERC-165, ERC-721 and its metadata and enumeration. */
    static const uint32_t ids[] = {0x01ffc9a7, 0x80ac58cd, 0x5b5e139f, 0x780e9d63};
    struct hash w = abi_take_hash(&f->in);
    ARGS_END(f);
    struct abi_in in = abi_of(BYTES_OF(w));
    uint32_t id = abi_take_selector(&in);
    REQUIRE(f, !f->run->rules->registry_strict || rc_ok(abi_end(&in)));
    id = (uint32_t)w.b[0] << 24 | (uint32_t)w.b[1] << 16 | (uint32_t)w.b[2] << 8 | w.b[3];
    bool yes = false;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        yes = yes || ids[i] == id;
    }
    return ret_bool(f, yes);
}
