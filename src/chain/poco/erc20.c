/* SPDX-License-Identifier: Apache-2.0 */
/* The hub as a token of its own (Staked RLC), and the door between it and the base token. SPEC poco 3. */
#include "chain/poco/poco_int.h"

#define HANDLER(name)                                                                              \
    enum outcome on_hub_##name(struct frame *f);                                                   \
    enum outcome on_hub_##name(struct frame *f)

enum outcome escrow_overflow(struct frame *f)
{
    return f->run->rules->escrow_panics ? revert_panic(f, PANIC_ARITHMETIC) : revert_empty(f);
}

static enum outcome emit_transfer(struct frame *f, struct address from, struct address to,
                                  struct u256 v)
{
    struct hash topics[] = {word_address(from), word_address(to)}, word = word_u256(v);
    return log_words(f, EVENT_hub_Transfer, 2, topics, 1, &word);
}

static enum outcome transfer(struct frame *f, struct address from, struct address to, struct u256 v)
{
    struct account a;
    REQUIRE_TEXT(f, !address_is_zero(from), REVERT_ERC20_FROM_ZERO);
    REQUIRE_TEXT(f, !address_is_zero(to), REVERT_ERC20_TO_ZERO);
    DO(stake_read(f, from, &a));
    REQUIRE(f, u256_sub(&a.stake, a.stake, v));
    DO(stake_write(f, from, &a));
    DO(stake_read(f, to, &a));
    if (!u256_add(&a.stake, a.stake, v)) {
        return escrow_overflow(f);
    }
    DO(stake_write(f, to, &a));
    return emit_transfer(f, from, to, v);
}

static struct key allowance_key(struct address owner, struct address spender)
{
    struct key k = key_of(STATE_ALLOWANCE);
    key_u8(&k, CODE_HUB);
    key_address(&k, owner);
    key_address(&k, spender);
    return k;
}

static enum outcome approve(struct frame *f, struct address owner, struct address spender,
                            struct u256 v)
{
    struct key k = allowance_key(owner, spender);
    REQUIRE_TEXT(f, !address_is_zero(owner), REVERT_ERC20_APPROVE_FROM_ZERO);
    REQUIRE_TEXT(f, !address_is_zero(spender), REVERT_ERC20_APPROVE_TO_ZERO);
    DO(put_u256(f, &k, v));
    struct hash topics[] = {word_address(owner), word_address(spender)}, word = word_u256(v);
    return log_words(f, EVENT_hub_Approval, 2, topics, 1, &word);
}

static enum outcome mint(struct frame *f, struct address to, struct u256 v)
{
    struct key k = hub_key(HUB_SUPPLY);
    struct u256 supply;
    struct account a;
    REQUIRE_TEXT(f, !address_is_zero(to), REVERT_ERC20_MINT_ZERO);
    DO(get_u256(f, &k, &supply));
    DO(stake_read(f, to, &a));
    if (!u256_add(&supply, supply, v) || !u256_add(&a.stake, a.stake, v)) {
        return escrow_overflow(f);
    }
    DO(put_u256(f, &k, supply));
    DO(stake_write(f, to, &a));
    return emit_transfer(f, (struct address){0}, to, v);
}

static enum outcome burn(struct frame *f, struct address from, struct u256 v)
{
    struct key k = hub_key(HUB_SUPPLY);
    struct u256 supply;
    struct account a;
    REQUIRE_TEXT(f, !address_is_zero(from), REVERT_ERC20_BURN_ZERO);
    DO(stake_read(f, from, &a));
    REQUIRE(f, u256_sub(&a.stake, a.stake, v));
    DO(stake_write(f, from, &a));
    DO(get_u256(f, &k, &supply));
    if (!u256_sub(&supply, supply, v)) {
        return escrow_overflow(f);
    }
    DO(put_u256(f, &k, supply));
    return emit_transfer(f, from, (struct address){0}, v);
}

/* A call to the base token with up to three words; *first is the first word of its answer. */
static enum outcome ask_token(struct frame *f, enum method m, size_t n, const struct hash *words,
                              struct u256 *first)
{
    const struct settings *s;
    struct bytes out;
    uint8_t *p;
    uint32_t selector = __builtin_bswap32(iface_method(m)->selector);
    DO(settings_get(f, &s));
    DO(call_alloc(f, 4 + n * sizeof(words[0]), &p));
    memcpy(p, &selector, 4);
    memcpy(p + 4, words, n * sizeof(words[0]));
    struct inner c = {.to = s->token,
                      .from = f->self,
                      .data = {p, 4 + n * sizeof(words[0])},
                      .gas = UINT64_MAX,
                      .is_static = iface_method(m)->view};
    DO(call_high(f, &c, &out));
    struct abi_in in = abi_of(out);
    *first = abi_take_u256(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    return OUT_APPLIED;
}

/* The answer of a function that returns bool: dirty words revert. */
static enum outcome as_bool(struct frame *f, struct u256 word, bool *yes)
{
    REQUIRE(f, !u256_lt(u256_from(1), word));
    *yes = !u256_is_zero(word);
    return OUT_APPLIED;
}

static enum outcome deposit(struct frame *f, struct address from, struct address to, struct u256 v)
{
    struct hash words[] = {word_address(from), word_address(f->self), word_u256(v)};
    struct u256 answer;
    bool ok;
    DO(ask_token(f, METHOD_token_transferFrom, 3, words, &answer));
    DO(as_bool(f, answer, &ok));
    REQUIRE_TEXT(f, ok, f->run->rules->failed_transfer_from);
    return mint(f, to, v);
}

static enum outcome withdraw(struct frame *f, struct address to, struct u256 v)
{
    struct hash words[] = {word_address(to), word_u256(v)};
    struct u256 answer;
    bool ok;
    DO(burn(f, f->from, v));
    DO(ask_token(f, METHOD_token_transfer, 2, words, &answer));
    DO(as_bool(f, answer, &ok)); /* what it says is not looked at */
    return ret_bool(f, true);
}

HANDLER(transfer)
{
    struct address to = abi_take_address(&f->in);
    struct u256 v = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(transfer(f, f->from, to, v));
    return ret_bool(f, true);
}

HANDLER(transferFrom)
{
    struct address from = abi_take_address(&f->in), to = abi_take_address(&f->in);
    struct u256 v = abi_take_u256(&f->in), left;
    ARGS_END(f);
    DO(transfer(f, from, to, v));
    struct key k = allowance_key(from, f->from);
    DO(get_u256(f, &k, &left));
    REQUIRE(f, u256_sub(&left, left, v));
    DO(approve(f, from, f->from, left));
    return ret_bool(f, true);
}

HANDLER(approve)
{
    struct address spender = abi_take_address(&f->in);
    struct u256 v = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(approve(f, f->from, spender, v));
    return ret_bool(f, true);
}

HANDLER(increaseAllowance)
{
    struct address spender = abi_take_address(&f->in);
    struct u256 v = abi_take_u256(&f->in), old;
    ARGS_END(f);
    struct key k = allowance_key(f->from, spender);
    DO(get_u256(f, &k, &old));
    if (!u256_add(&v, old, v)) {
        return escrow_overflow(f);
    }
    DO(approve(f, f->from, spender, v));
    return ret_bool(f, true);
}

HANDLER(decreaseAllowance)
{
    struct address spender = abi_take_address(&f->in);
    struct u256 v = abi_take_u256(&f->in), old;
    ARGS_END(f);
    struct key k = allowance_key(f->from, spender);
    DO(get_u256(f, &k, &old));
    REQUIRE(f, u256_sub(&v, old, v));
    DO(approve(f, f->from, spender, v));
    return ret_bool(f, true);
}

HANDLER(approveAndCall)
{
    struct address spender = abi_take_address(&f->in);
    struct u256 v = abi_take_u256(&f->in);
    struct bytes extra = abi_take_bytes(&f->in), data, out;
    ARGS_END(f);
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
    DO(call_high(f, &c, &out));
    struct abi_in in = abi_of(out);
    bool ok = abi_take_bool(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    REQUIRE_TEXT(f, ok, REVERT_APPROVAL_REFUSED);
    return ret_bool(f, true);
}

HANDLER(deposit)
{
    struct u256 v = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(deposit(f, f->from, f->from, v));
    return ret_bool(f, true);
}

HANDLER(depositFor)
{
    struct u256 v = abi_take_u256(&f->in);
    struct address target = abi_take_address(&f->in);
    ARGS_END(f);
    DO(deposit(f, f->from, target, v));
    return ret_bool(f, true);
}

HANDLER(depositForArray)
{
    size_t n, m;
    struct abi_in amounts = abi_take_array(&f->in, &n, 1);
    struct abi_in targets = abi_take_array(&f->in, &m, 1);
    abi_join(&f->in, &amounts);
    abi_join(&f->in, &targets);
    ARGS_END(f);
    REQUIRE_TEXT(f, n == m, REVERT_ARRAY_LENGTH);
    for (size_t i = 0; i < n; i++) {
        struct u256 v = abi_take_u256(&amounts);
        struct address target = abi_take_address(&targets);
        DO(args_verdict(f, &targets));
        DO(deposit(f, f->from, target, v));
    }
    return ret_bool(f, true);
}

HANDLER(withdraw)
{
    struct u256 v = abi_take_u256(&f->in);
    ARGS_END(f);
    return withdraw(f, f->from, v);
}

HANDLER(withdrawTo)
{
    struct u256 v = abi_take_u256(&f->in);
    struct address target = abi_take_address(&f->in);
    ARGS_END(f);
    return withdraw(f, target, v);
}

HANDLER(recover)
{
    const struct settings *s;
    struct key k = hub_key(HUB_SUPPLY);
    struct hash self = word_address(f->self);
    struct u256 held, supply;
    DO(only_owner(f));
    DO(ask_token(f, METHOD_token_balanceOf, 1, &self, &held));
    DO(get_u256(f, &k, &supply));
    if (!u256_sub(&held, held, supply)) {
        return escrow_overflow(f);
    }
    DO(settings_get(f, &s));
    DO(mint(f, s->owner, held));
    return ret_u256(f, held);
}

/* The operation that a deposit may carry: matchOrders, by the requester who pays. */
static enum outcome run_operation(struct frame *f, struct address sender, struct bytes data)
{
    struct orders o;
    struct bytes out;
    bool ok;
    REQUIRE(f, data.n >= 4);
    struct hash word = {0};
    memcpy(word.b, data.p, 4);
    struct cur c = cur_of(data);
    if (take_be(&c, 4) != iface_method(METHOD_hub_matchOrders)->selector) {
        return revert_error(f, ERROR_UnsupportedOperation, 1, &word);
    }
    struct abi_in in = abi_of((struct bytes){data.p + 4, data.n - 4});
    take_orders(&in, &o);
    DO(args_verdict(f, &in));
    if (!address_eq(o.request.requester, sender)) {
        return revert_error(f, ERROR_CallerIsNotTheRequester, 0, NULL);
    }
    /* A delegatecall to itself: same account, same caller. */
    struct inner inner = {.to = f->self, .from = f->from, .data = data, .gas = UINT64_MAX};
    DO(call_inner(f, &inner, &ok, &out));
    if (!ok) {
        return out.n > 0 ? revert_data(f, out) : revert_error(f, ERROR_OperationFailed, 0, NULL);
    }
    return OUT_APPLIED;
}

HANDLER(receiveApproval)
{
    const struct settings *s;
    struct address sender = abi_take_address(&f->in);
    struct u256 amount = abi_take_u256(&f->in);
    struct address token = abi_take_address(&f->in);
    struct bytes data = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(settings_get(f, &s));
    REQUIRE_TEXT(f, address_eq(token, s->token), REVERT_WRONG_TOKEN);
    DO(deposit(f, sender, sender, amount));
    if (data.n > 0 && f->run->rules->approval_matches) {
        DO(run_operation(f, sender, data));
    }
    return ret_bool(f, true);
}

HANDLER(allowance)
{
    struct u256 v;
    struct address owner = abi_take_address(&f->in), spender = abi_take_address(&f->in);
    ARGS_END(f);
    struct key k = allowance_key(owner, spender);
    DO(get_u256(f, &k, &v));
    return ret_u256(f, v);
}

HANDLER(balanceOf)
{
    struct account a;
    struct address owner = abi_take_address(&f->in);
    ARGS_END(f);
    DO(stake_read(f, owner, &a));
    return ret_u256(f, a.stake);
}

HANDLER(frozenOf)
{
    struct account a;
    struct address owner = abi_take_address(&f->in);
    ARGS_END(f);
    DO(stake_read(f, owner, &a));
    return ret_u256(f, a.locked);
}

HANDLER(totalSupply)
{
    struct u256 v;
    struct key k = hub_key(HUB_SUPPLY);
    DO(get_u256(f, &k, &v));
    return ret_u256(f, v);
}
