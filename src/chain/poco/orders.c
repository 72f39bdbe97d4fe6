/* SPDX-License-Identifier: Apache-2.0 */
/* Signing and closing orders on the chain, and broadcasting them. SPEC poco 4, "Order management". */
#include "chain/poco/poco_int.h"

/* What differs between the kinds. */
struct managed {
    enum order_kind kind;
    uint8_t asset, volume; /* head words of the order; a request's asset is its requester */
    enum event signed_, closed;
};

/* Head words of an operation's tuple. */
enum { OP_ORDER, OP_OPERATION, OP_SIGN, OP_WORDS };

static enum outcome struct_of(struct frame *f, enum order_kind kind, const struct abi_in *t,
                              struct hash *h)
{
    struct orders o;
    switch (kind) {
    case ORDER_APP:
        DO(lazy_read_app(f, *t, &o.app));
        *h = app_order_struct(&o.app);
        break;
    case ORDER_DATASET:
        DO(lazy_read_dataset(f, *t, &o.dataset));
        *h = dataset_order_struct(&o.dataset);
        break;
    case ORDER_WORKERPOOL:
        DO(lazy_read_workerpool(f, *t, &o.workerpool));
        *h = workerpool_order_struct(&o.workerpool);
        break;
    case ORDER_REQUEST:
        DO(lazy_read_request(f, *t, &o.request));
        *h = request_order_struct(&o.request);
        break;
    }
    return OUT_APPLIED;
}

static enum outcome take_operation(struct frame *f, const struct abi_in *t,
                                   enum order_operation *op)
{
    struct abi_in at = *t;
    at.head += 32 * OP_OPERATION;
    uint64_t v = abi_take_uint(&at, 8);
    REQUIRE(f, rc_ok(abi_end(&at)) && v <= ORDER_CLOSE);
    *op = (enum order_operation)v;
    return OUT_APPLIED;
}

/* Somebody else brings the owner's signature: the whole operation is decoded to be hashed. */
static enum outcome check_signature(struct frame *f, enum order_kind kind, const struct abi_in *t,
                                    struct address owner)
{
    const struct settings *s;
    struct abi_in at = *t, order = abi_take_tuple(&at);
    enum order_operation op;
    struct hash h;
    struct bytes sign;
    bool valid;
    DO(args_verdict(f, &at));
    DO(struct_of(f, kind, &order, &h));
    DO(take_operation(f, t, &op));
    at.head += 32;
    (void)abi_take_memory(&at);
    DO(args_verdict(f, &at));
    DO(lazy_bytes(f, t, OP_SIGN, &sign));
    DO(settings_get(f, &s));
    DO(verify_signature(f, owner, order_operation_hash(s->separator, kind, h, op), sign, &valid));
    REQUIRE_TEXT(f, valid, REVERT_SENDER_OR_SIGNATURE);
    return OUT_APPLIED;
}

static enum outcome manage(struct frame *f, const struct managed *m)
{
    const struct settings *s;
    struct address owner;
    enum order_operation op;
    struct abi_in t = abi_take_struct(&f->in, OP_WORDS), order;
    struct hash hash;
    ARGS_END(f);
    DO(lazy_order(f, &t, OP_ORDER, m->kind, &order));
    DO(lazy_address(f, &order, m->asset, &owner));
    if (m->kind != ORDER_REQUEST) {
        DO(owner_of_asset(f, owner, &owner));
    }
    if (!address_eq(owner, f->from)) {
        DO(check_signature(f, m->kind, &t, owner));
    }
    DO(struct_of(f, m->kind, &order, &hash));
    DO(take_operation(f, &t, &op));
    DO(settings_get(f, &s));
    hash = order_hash(s->separator, hash);
    if (op == ORDER_SIGN) {
        struct key k = key_with_hash(STATE_PRESIGNED, hash);
        DO(address_is_zero(owner) ? st_del(f, &k) : st_put(f, &k, BYTES_OF(owner)));
        return log_words(f, m->signed_, 0, NULL, 1, &hash);
    }
    struct key k = key_with_hash(STATE_CONSUMED, hash);
    DO(put_u256(f, &k, lazy_u256(&order, m->volume)));
    return log_words(f, m->closed, 0, NULL, 1, &hash);
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
    static const struct managed m = {ORDER_APP, 0, 2, EVENT_hub_SignedAppOrder,
                                     EVENT_hub_ClosedAppOrder};
    return manage(f, &m);
}

enum outcome on_hub_manageDatasetOrder(struct frame *f)
{
    static const struct managed m = {ORDER_DATASET, 0, 2, EVENT_hub_SignedDatasetOrder,
                                     EVENT_hub_ClosedDatasetOrder};
    return manage(f, &m);
}

enum outcome on_hub_manageWorkerpoolOrder(struct frame *f)
{
    static const struct managed m = {ORDER_WORKERPOOL, 0, 2, EVENT_hub_SignedWorkerpoolOrder,
                                     EVENT_hub_ClosedWorkerpoolOrder};
    return manage(f, &m);
}

enum outcome on_hub_manageRequestOrder(struct frame *f)
{
    static const struct managed m = {ORDER_REQUEST, 6, 7, EVENT_hub_SignedRequestOrder,
                                     EVENT_hub_ClosedRequestOrder};
    return manage(f, &m);
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
    struct abi_in t;
    DO(lazy_copy(f, ORDER_APP, &t));
    DO(lazy_read_app(f, t, &o));
    struct abi_out out = out_begin(f, 1);
    put_app_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastAppOrder);
}

enum outcome on_hub_broadcastDatasetOrder(struct frame *f)
{
    struct dataset_order o;
    struct abi_in t;
    DO(lazy_copy(f, ORDER_DATASET, &t));
    DO(lazy_read_dataset(f, t, &o));
    struct abi_out out = out_begin(f, 1);
    put_dataset_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastDatasetOrder);
}

enum outcome on_hub_broadcastWorkerpoolOrder(struct frame *f)
{
    struct workerpool_order o;
    struct abi_in t;
    DO(lazy_copy(f, ORDER_WORKERPOOL, &t));
    DO(lazy_read_workerpool(f, t, &o));
    struct abi_out out = out_begin(f, 1);
    put_workerpool_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastWorkerpoolOrder);
}

enum outcome on_hub_broadcastRequestOrder(struct frame *f)
{
    struct request_order o;
    struct abi_in t;
    DO(lazy_copy(f, ORDER_REQUEST, &t));
    DO(lazy_read_request(f, t, &o));
    struct abi_out out = out_begin(f, 1);
    put_request_order(&out, &o);
    return broadcast(f, EVENT_hub_BroadcastRequestOrder);
}
