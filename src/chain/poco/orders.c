/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and closing orders on the chain, and broadcasting them. SPEC poco 4, "Order management". */
#include "chain/poco/poco_int.h"

/* One order of any kind, as management needs it. */
struct managed {
    enum order_kind kind;
    struct address asset; /* or the requester */
    struct u256 volume;
    struct hash struct_hash;
    enum event signed_, closed;
};

static enum outcome manage(struct frame *f, const struct managed *m, enum order_operation op,
                           struct bytes sign)
{
    const struct settings *s;
    struct address owner = m->asset;
    bool valid = true;
    if (m->kind != ORDER_REQUEST) {
        DO(owner_of_asset(f, m->asset, &owner));
    }
    DO(settings_get(f, &s));
    if (!address_eq(owner, f->from)) {
        struct hash digest = order_operation_hash(s->separator, m->kind, m->struct_hash, op);
        DO(verify_signature(f, owner, digest, sign, &valid));
    }
    REQUIRE_TEXT(f, valid, REVERT_SENDER_OR_SIGNATURE);
    struct hash hash = order_hash(s->separator, m->struct_hash);
    if (op == ORDER_SIGN) {
        struct key k = key_with_hash(STATE_PRESIGNED, hash);
        DO(address_is_zero(owner) ? st_del(f, &k) : st_put(f, &k, BYTES_OF(owner)));
        return log_words(f, m->signed_, 0, NULL, 1, &hash);
    }
    struct key k = key_with_hash(STATE_CONSUMED, hash);
    DO(put_u256(f, &k, m->volume));
    return log_words(f, m->closed, 0, NULL, 1, &hash);
}

/* What follows the order inside the operation's tuple, and the end of the arguments. */
static enum outcome take_operation(struct frame *f, struct abi_in *t, enum order_operation *op,
                                   struct bytes *sign)
{
    uint64_t v = abi_take_uint(t, 8);
    *sign = abi_take_bytes(t);
    abi_join(&f->in, t);
    ARGS_END(f);
    REQUIRE(f, v <= ORDER_CLOSE);
    *op = (enum order_operation)v;
    return OUT_APPLIED;
}

enum outcome on_hub_manageAppOrder(struct frame *f);
enum outcome on_hub_manageDatasetOrder(struct frame *f);
enum outcome on_hub_manageWorkerpoolOrder(struct frame *f);
enum outcome on_hub_manageRequestOrder(struct frame *f);
enum outcome on_hub_broadcastAppOrder(struct frame *f);
enum outcome on_hub_broadcastDatasetOrder(struct frame *f);
enum outcome on_hub_broadcastWorkerpoolOrder(struct frame *f);
enum outcome on_hub_broadcastRequestOrder(struct frame *f);

enum outcome on_hub_manageAppOrder(struct frame *f)
{
    struct app_order o;
    enum order_operation op;
    struct bytes sign;
    struct abi_in t = abi_take_tuple(&f->in);
    take_app_order(&t, &o);
    DO(take_operation(f, &t, &op, &sign));
    struct managed m = {.kind = ORDER_APP,
                        .asset = o.app,
                        .volume = o.volume,
                        .struct_hash = app_order_struct(&o),
                        .signed_ = EVENT_hub_SignedAppOrder,
                        .closed = EVENT_hub_ClosedAppOrder};
    return manage(f, &m, op, sign);
}

enum outcome on_hub_manageDatasetOrder(struct frame *f)
{
    struct dataset_order o;
    enum order_operation op;
    struct bytes sign;
    struct abi_in t = abi_take_tuple(&f->in);
    take_dataset_order(&t, &o);
    DO(take_operation(f, &t, &op, &sign));
    struct managed m = {.kind = ORDER_DATASET,
                        .asset = o.dataset,
                        .volume = o.volume,
                        .struct_hash = dataset_order_struct(&o),
                        .signed_ = EVENT_hub_SignedDatasetOrder,
                        .closed = EVENT_hub_ClosedDatasetOrder};
    return manage(f, &m, op, sign);
}

enum outcome on_hub_manageWorkerpoolOrder(struct frame *f)
{
    struct workerpool_order o;
    enum order_operation op;
    struct bytes sign;
    struct abi_in t = abi_take_tuple(&f->in);
    take_workerpool_order(&t, &o);
    DO(take_operation(f, &t, &op, &sign));
    struct managed m = {.kind = ORDER_WORKERPOOL,
                        .asset = o.workerpool,
                        .volume = o.volume,
                        .struct_hash = workerpool_order_struct(&o),
                        .signed_ = EVENT_hub_SignedWorkerpoolOrder,
                        .closed = EVENT_hub_ClosedWorkerpoolOrder};
    return manage(f, &m, op, sign);
}

enum outcome on_hub_manageRequestOrder(struct frame *f)
{
    struct request_order o;
    enum order_operation op;
    struct bytes sign;
    struct abi_in t = abi_take_tuple(&f->in);
    take_request_order(&t, &o);
    DO(take_operation(f, &t, &op, &sign));
    struct managed m = {.kind = ORDER_REQUEST,
                        .asset = o.requester,
                        .volume = o.volume,
                        .struct_hash = request_order_struct(&o),
                        .signed_ = EVENT_hub_SignedRequestOrder,
                        .closed = EVENT_hub_ClosedRequestOrder};
    return manage(f, &m, op, sign);
}

/* Emits the tuple that stands in the scratch buffer. */
static enum outcome broadcast(struct frame *f, enum event id)
{
    struct bytes data;
    DO(out_keep(f, &data));
    return log_emit(f, id, 0, NULL, data);
}

enum outcome on_hub_broadcastAppOrder(struct frame *f)
{
    struct app_order o;
    take_app_order(&f->in, &o);
    ARGS_END(f);
    struct abi_out out = out_begin(f, 1);
    put_app_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastAppOrder);
}

enum outcome on_hub_broadcastDatasetOrder(struct frame *f)
{
    struct dataset_order o;
    take_dataset_order(&f->in, &o);
    ARGS_END(f);
    struct abi_out out = out_begin(f, 1);
    put_dataset_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastDatasetOrder);
}

enum outcome on_hub_broadcastWorkerpoolOrder(struct frame *f)
{
    struct workerpool_order o;
    take_workerpool_order(&f->in, &o);
    ARGS_END(f);
    struct abi_out out = out_begin(f, 1);
    put_workerpool_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastWorkerpoolOrder);
}

enum outcome on_hub_broadcastRequestOrder(struct frame *f)
{
    struct request_order o;
    take_request_order(&f->in, &o);
    ARGS_END(f);
    struct abi_out out = out_begin(f, 1);
    put_request_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastRequestOrder);
}
