/* SPDX-License-Identifier: Apache-2.0 */
/* Who may: signatures of accounts with and without code, presignatures, restrictions. SPEC poco 4, 5. */
#include "chain/poco/poco_int.h"
#include "crypto/secp.h"

enum { SIG = 65, SIG_COMPACT = 64, GAS_RECOVER = 3000 };

/* r ‖ s ‖ v from 65 or 64 (EIP-2098) bytes. False when it can be no signature of ours: v other than
 * 27 and 28, or a high s, which OpenZeppelin's recovery refuses. */
static bool expand(uint8_t out[SIG], struct bytes sig)
{
    memcpy(out, sig.p, sig.n);
    if (sig.n == SIG_COMPACT) {
        out[64] = (uint8_t)(27 + (out[32] >> 7));
        out[32] &= 0x7f;
    }
    return (out[64] == 27 || out[64] == 28) && secp_s_is_low(out);
}

static struct address recover(struct frame *f, struct hash digest, const uint8_t sig[SIG])
{
    struct poco_env *env = f->run->env;
    struct address a = {0};
    if (env->recover != NULL) {
        return env->recover(env->recover_ctx, digest, sig, &a) ? a : (struct address){0};
    }
    struct secp_sig s = {.parity = (uint8_t)(sig[64] - 27)};
    memcpy(s.rs, sig, sizeof(s.rs));
    return rc_ok(secp_recover(&a, digest, &s)) ? a : (struct address){0};
}

/* As in the reference, a failed recovery is the zero address. */
enum outcome signer_of(struct frame *f, struct hash digest, struct bytes sig, struct address *who)
{
    uint8_t full[SIG];
    DO(gas_charge(f, GAS_RECOVER));
    *who = expand(full, sig) ? recover(f, digest, full) : (struct address){0};
    return OUT_APPLIED;
}

/* ERC-1271. The account reverts: not valid; it answers nonsense: this call reverts. */
static enum outcome ask_account(struct frame *f, struct address account, struct hash digest,
                                struct bytes sig, bool *valid)
{
    struct buf *b = &f->run->buf;
    struct bytes data, out;
    bool ok;
    buf_reset(b);
    put_be(b, iface_method(METHOD_wallet_isValidSignature)->selector, 4);
    struct abi_out o = abi_begin(b, 2);
    abi_put_hash(&o, digest);
    abi_put_bytes(&o, sig);
    DO(out_keep(f, &data));
    struct inner c = {
        .to = account, .from = f->self, .data = data, .gas = UINT64_MAX, .is_static = true};
    DO(call_inner(f, &c, &ok, &out));
    *valid = false;
    if (!ok) {
        return OUT_APPLIED;
    }
    struct abi_in in = abi_of(out);
    uint32_t magic = abi_take_selector(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    *valid = magic == iface_method(METHOD_wallet_isValidSignature)->selector;
    return OUT_APPLIED;
}

enum outcome verify_signature(struct frame *f, struct address account, struct hash digest,
                              struct bytes sig, bool *valid)
{
    bool code;
    DO(code_is_at(f, account, &code));
    if (code) {
        return ask_account(f, account, digest, sig, valid);
    }
    struct address who;
    REQUIRE_TEXT(f, sig.n == SIG || sig.n == SIG_COMPACT, REVERT_SIGNATURE_FORMAT);
    DO(signer_of(f, digest, sig, &who));
    *valid = address_eq(who, account);
    return OUT_APPLIED;
}

enum outcome verify_presigned_or_signature(struct frame *f, struct address account,
                                           struct hash digest, struct bytes sig, bool *valid)
{
    struct key k = key_with_hash(STATE_PRESIGNED, digest);
    struct address signer;
    DO(get_address(f, &k, &signer));
    if (!address_is_zero(account) && address_eq(signer, account)) {
        *valid = true;
        return OUT_APPLIED;
    }
    return verify_signature(f, account, digest, sig, valid);
}

enum { GROUPMEMBER_PURPOSE = 4 };

enum outcome is_authorized(struct frame *f, struct address restriction, struct address account,
                           bool *yes)
{
    bool ok;
    struct bytes out;
    *yes = address_is_zero(restriction) || address_eq(restriction, account);
    if (*yes) {
        return OUT_APPLIED;
    }
    DO(code_is_at(f, restriction, &ok));
    if (!ok) {
        return OUT_APPLIED;
    }
    uint8_t data[68] = {0xd2, 0x02, 0x15, 0x8d, [67] = GROUPMEMBER_PURPOSE}; /* keyHasPurpose */
    memcpy(data + 16, account.b, sizeof(account.b));
    struct inner c = {.to = restriction,
                      .from = f->self,
                      .data = {data, sizeof(data)},
                      .gas = UINT64_MAX,
                      .is_static = true};
    DO(call_inner(f, &c, &ok, &out));
    if (!ok) {
        return OUT_APPLIED;
    }
    struct abi_in in = abi_of(out);
    *yes = abi_take_bool(&in);
    REQUIRE(f, rc_ok(abi_end(&in)));
    return OUT_APPLIED;
}

/* --- ahead of time --- */

struct lister {
    poco_on_signature fn;
    void *ctx;
};

static void list(const struct lister *l, struct hash digest, struct bytes sig)
{
    uint8_t full[SIG];
    if ((sig.n == SIG || sig.n == SIG_COMPACT) && expand(full, sig)) {
        l->fn(l->ctx, digest, full);
    }
}

static void list_orders(const struct lister *l, struct hash domain, struct bytes args)
{
    struct orders o;
    struct abi_in in = abi_of(args);
    take_orders(&in, &o);
    if (rc_ok(abi_end(&in))) {
        list(l, app_order_hash(domain, &o.app), o.app.sign);
        if (!address_is_zero(o.dataset.dataset)) {
            list(l, dataset_order_hash(domain, &o.dataset), o.dataset.sign);
        }
        list(l, workerpool_order_hash(domain, &o.workerpool), o.workerpool.sign);
        list(l, request_order_hash(domain, &o.request), o.request.sign);
    }
}

static void list_contribution(const struct lister *l, struct address worker, struct bytes args,
                              bool and_finalize)
{
    struct abi_in in = abi_of(args);
    struct hash task = abi_take_hash(&in), a = abi_take_hash(&in), seal;
    if (and_finalize) {
        (void)abi_take_bytes(&in);
        (void)abi_take_bytes(&in);
        seal = task_result_seal(worker, task, a);
        a = task_result_hash(task, a);
    } else {
        seal = abi_take_hash(&in);
    }
    struct address challenge = abi_take_address(&in);
    struct bytes enclave = abi_take_bytes(&in), authorization = abi_take_bytes(&in);
    if (rc_ok(abi_end(&in))) {
        list(l, task_authorization_digest(worker, task, challenge), authorization);
        if (!address_is_zero(challenge)) {
            list(l, task_enclave_digest(a, seal), enclave);
        }
    }
}

void poco_signatures(const struct poco_constants *k, const struct call *call, poco_on_signature fn,
                     void *ctx)
{
    struct lister l = {fn, ctx};
    if (call->data.n < 4 || !address_eq(call->to, k->hub)) {
        return;
    }
    struct cur c = cur_of(call->data);
    enum method m = iface_find_method(CONTRACT_hub, (uint32_t)take_be(&c, 4));
    struct bytes args = {c.p, c.n};
    if (m == METHOD_hub_matchOrders || m == METHOD_hub_sponsorMatchOrders ||
        m == METHOD_hub_matchOrdersBoost || m == METHOD_hub_sponsorMatchOrdersBoost) {
        list_orders(&l, k->domain, args);
    } else if (m == METHOD_hub_contribute || m == METHOD_hub_contributeAndFinalize) {
        list_contribution(&l, call->from, args, m == METHOD_hub_contributeAndFinalize);
    }
}

/* --- views --- */

enum outcome on_hub_verifySignature(struct frame *f);
enum outcome on_hub_verifyPresignature(struct frame *f);
enum outcome on_hub_verifyPresignatureOrSignature(struct frame *f);

enum outcome on_hub_verifySignature(struct frame *f)
{
    bool valid;
    struct address a = abi_take_address(&f->in);
    struct hash h = abi_take_hash(&f->in);
    struct bytes sig = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(verify_signature(f, a, h, sig, &valid));
    return ret_bool(f, valid);
}

enum outcome on_hub_verifyPresignature(struct frame *f)
{
    struct address a = abi_take_address(&f->in), signer;
    struct hash h = abi_take_hash(&f->in);
    ARGS_END(f);
    struct key k = key_with_hash(STATE_PRESIGNED, h);
    DO(get_address(f, &k, &signer));
    return ret_bool(f, !address_is_zero(a) && address_eq(a, signer));
}

enum outcome on_hub_verifyPresignatureOrSignature(struct frame *f)
{
    bool valid;
    struct address a = abi_take_address(&f->in);
    struct hash h = abi_take_hash(&f->in);
    struct bytes sig = abi_take_bytes(&f->in);
    ARGS_END(f);
    DO(verify_presigned_or_signature(f, a, h, sig, &valid));
    return ret_bool(f, valid);
}
