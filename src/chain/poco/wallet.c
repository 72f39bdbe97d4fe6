/* SPDX-License-Identifier: Apache-2.0 */
/* A wallet of several signers: m of n sign for it (ERC-1271), and anyone may carry out what they
 * signed. Signatures are 65 bytes each, one after another, in ascending order of their signers.
 *
 * What signers sign is never the bare hash, which another wallet of the same signers would accept
 * too, but keccak256(0x1901 ‖ domainSeparator() ‖ keccak256(TYPE ‖ …)), an EIP-712 message. */
#include "chain/poco/accounts_int.h"
#include "crypto/keccak.h"

#define TYPE_DOMAIN  "EIP712Domain(string name,uint256 chainId,address verifyingContract)"
#define TYPE_MESSAGE "WalletMessage(bytes32 hash)"
#define TYPE_EXECUTE "WalletTransaction(address to,bytes data,uint256 nonce)"

enum { SIG = 65 };

static enum outcome wallet_parse(struct frame *f, struct bytes record, struct wallet *w)
{
    struct cur c = cur_of(record);
    w->threshold = take_be(&c, 8);
    w->signers = take_be(&c, 8);
    w->nonce = take_be(&c, 8);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a wallet in the state is damaged");
}

static enum outcome wallet_write(struct frame *f, struct address a, const struct wallet *w)
{
    uint8_t b[24];
    struct pack p = {.p = b, .size = sizeof(b)};
    pack_u64(&p, w->threshold);
    pack_u64(&p, w->signers);
    pack_u64(&p, w->nonce);
    return code_write(f, a, CODE_WALLET, (struct bytes){p.p, p.n});
}

static struct key list_key(struct address wallet, uint64_t i)
{
    struct key k = key_with_address(STATE_MEMBER, wallet);
    key_u64(&k, i);
    return k;
}

static struct key signer_key(struct address wallet, struct address signer)
{
    struct key k = key_with_address(STATE_MEMBER, wallet);
    key_address(&k, signer);
    return k;
}

enum outcome signers_take(struct frame *f, struct abi_in *list, struct u256 threshold,
                          struct signers *s)
{
    REQUIRE_TEXT(f, s->n <= WALLET_SIGNERS_MAX, REVERT_WALLET_THRESHOLD);
    DO(call_alloc(f, s->n * sizeof(s->list[0]), &s->list));
    for (size_t i = 0; i < s->n; i++) {
        s->list[i] = abi_take_address(list);
    }
    REQUIRE(f, rc_ok(abi_end(list)));
    struct address last = {0};
    for (size_t i = 0; i < s->n; i++) {
        REQUIRE_TEXT(f, memcmp(last.b, s->list[i].b, sizeof(last.b)) < 0, REVERT_WALLET_SIGNER);
        last = s->list[i];
    }
    REQUIRE_TEXT(f,
                 u256_to_u64(threshold, &s->threshold) && s->threshold > 0 && s->threshold <= s->n,
                 REVERT_WALLET_THRESHOLD);
    return OUT_APPLIED;
}

enum outcome signers_write(struct frame *f, struct address wallet, const struct signers *s,
                           struct wallet old)
{
    for (uint64_t i = 0; i < old.signers; i++) {
        struct key k = list_key(wallet, i);
        struct address a;
        DO(get_address(f, &k, &a));
        DO(st_del(f, &k));
        k = signer_key(wallet, a);
        DO(st_del(f, &k));
    }
    for (size_t i = 0; i < s->n; i++) {
        struct key k = list_key(wallet, i);
        DO(st_put(f, &k, BYTES_OF(s->list[i])));
        k = signer_key(wallet, s->list[i]);
        DO(st_put(f, &k, BYTES_LIT("\1")));
    }
    struct wallet w = {.threshold = s->threshold, .signers = s->n, .nonce = old.nonce};
    return wallet_write(f, wallet, &w);
}

static struct hash separator(const struct frame *f)
{
    struct hash words[] = {keccak256(BYTES_LIT(TYPE_DOMAIN)), keccak256(BYTES_LIT("souk wallet")),
                           word_u256(u256_from(f->run->env->chain_id)), word_address(f->self)};
    return keccak256(BYTES_OF(words));
}

static struct hash message_digest(const struct frame *f, struct hash hash)
{
    struct hash words[] = {keccak256(BYTES_LIT(TYPE_MESSAGE)), hash};
    return order_hash(separator(f), keccak256(BYTES_OF(words)));
}

static struct hash execute_digest(const struct frame *f, struct address to, struct bytes data,
                                  struct u256 nonce)
{
    struct hash words[] = {keccak256(BYTES_LIT(TYPE_EXECUTE)), word_address(to), keccak256(data),
                           word_u256(nonce)};
    return order_hash(separator(f), keccak256(BYTES_OF(words)));
}

/* Enough different signers, in order? */
static enum outcome check(struct frame *f, struct hash digest, struct bytes sigs, bool *valid)
{
    struct wallet w;
    struct address last = {0};
    uint64_t good = 0;
    DO(wallet_parse(f, f->record, &w));
    *valid = false;
    if (sigs.n % SIG != 0 || sigs.n / SIG > w.signers) {
        return OUT_APPLIED;
    }
    for (size_t i = 0; i < sigs.n; i += SIG) {
        struct address who;
        struct bytes b;
        DO(signer_of(f, digest, (struct bytes){sigs.p + i, SIG}, &who));
        struct key k = signer_key(f->self, who);
        DO(st_get(f, &k, &b));
        if (b.p == NULL || memcmp(last.b, who.b, sizeof(last.b)) >= 0) {
            return OUT_APPLIED;
        }
        last = who;
        good++;
    }
    *valid = good >= w.threshold;
    return OUT_APPLIED;
}

static enum outcome ret_selector(struct frame *f, uint32_t selector)
{
    struct abi_out o = out_begin(f, 1);
    abi_put_selector(&o, selector);
    return out_end(f);
}

#define HANDLER(name)                                                                              \
    enum outcome on_wallet_##name(struct frame *f);                                                \
    enum outcome on_wallet_##name(struct frame *f)

HANDLER(isValidSignature)
{
    bool valid;
    struct hash hash = abi_take_hash(&f->in);
    struct bytes sigs = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(check(f, message_digest(f, hash), sigs, &valid));
    return ret_selector(f, valid ? iface_method(METHOD_wallet_isValidSignature)->selector
                                 : 0xffffffffu);
}

HANDLER(execute)
{
    struct wallet w;
    struct bytes out;
    bool ok;
    struct address to = abi_take_address(&f->in);
    struct bytes data = abi_take_bytes(&f->in), sigs = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(wallet_parse(f, f->record, &w));
    DO(check(f, execute_digest(f, to, data, u256_from(w.nonce)), sigs, &ok));
    REQUIRE_TEXT(f, ok, REVERT_WALLET_SIGNATURES);
    DO(code_is_at(f, to, &ok));
    REQUIRE_TEXT(f, ok, REVERT_WALLET_TARGET);
    struct hash topics[] = {word_u256(u256_from(w.nonce)), word_address(to)};
    struct hash success = word_u256(u256_from(1));
    w.nonce++;
    DO(wallet_write(f, f->self, &w)); /* before the call: it cannot be repeated from inside */
    DO(log_words(f, EVENT_wallet_Executed, 2, topics, 1, &success));
    struct inner c = {.to = to, .from = f->self, .data = data, .gas = UINT64_MAX};
    DO(call_high(f, &c, &out));
    return ret_bytes(f, out);
}

HANDLER(setSigners)
{
    struct signers s;
    struct wallet w;
    struct bytes data;
    struct abi_in list = abi_take_array(&f->in, &s.n, 1);
    struct u256 threshold = abi_take_u256(&f->in);
    abi_join(&f->in, &list);
    ARGS_END(f);
    REQUIRE_TEXT(f, address_eq(f->from, f->self), REVERT_WALLET_ONLY_SELF);
    DO(signers_take(f, &list, threshold, &s));
    DO(wallet_parse(f, f->record, &w));
    DO(signers_write(f, f->self, &s, w));
    struct abi_out o = out_begin(f, 2);
    abi_put_u64(&o, s.threshold);
    struct abi_out a = abi_put_array(&o, s.n, 1);
    for (size_t i = 0; i < s.n; i++) {
        abi_put_address(&a, s.list[i]);
    }
    DO(out_keep(f, &data));
    return log_emit(f, EVENT_wallet_SignersChanged, 0, NULL, data);
}

HANDLER(onERC721Received)
{
    (void)abi_take_address(&f->in);
    (void)abi_take_address(&f->in);
    (void)abi_take_u256(&f->in);
    (void)abi_take_bytes(&f->in);
    ARGS_END(f);
    return ret_selector(f, iface_method(METHOD_wallet_onERC721Received)->selector);
}

HANDLER(threshold)
{
    struct wallet w;
    DO(wallet_parse(f, f->record, &w));
    return ret_u64(f, w.threshold);
}

HANDLER(countSigner)
{
    struct wallet w;
    DO(wallet_parse(f, f->record, &w));
    return ret_u64(f, w.signers);
}

HANDLER(nonce)
{
    struct wallet w;
    DO(wallet_parse(f, f->record, &w));
    return ret_u64(f, w.nonce);
}

HANDLER(signer)
{
    struct address a;
    uint64_t i;
    struct u256 index = abi_take_u256(&f->in);
    ARGS_END(f);
    REQUIRE(f, u256_to_u64(index, &i));
    struct key k = list_key(f->self, i);
    DO(get_address(f, &k, &a));
    REQUIRE(f, !address_is_zero(a));
    return ret_address(f, a);
}

HANDLER(isSigner)
{
    struct bytes b;
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    struct key k = signer_key(f->self, a);
    DO(st_get(f, &k, &b));
    return ret_bool(f, b.p != NULL);
}

HANDLER(domainSeparator)
{
    return ret_word(f, separator(f));
}

HANDLER(transactionHash)
{
    struct address to = abi_take_address(&f->in);
    struct bytes data = abi_take_bytes(&f->in);
    struct u256 nonce = abi_take_u256(&f->in);
    ARGS_END(f);
    return ret_word(f, execute_digest(f, to, data, nonce));
}
