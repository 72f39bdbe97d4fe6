/* SPDX-License-Identifier: Apache-2.0 */
/* Structs that stay in the call data, as solc reads them: only where a member is used is it looked
 * at, so a check that comes before may speak first. Whole orders are decoded where they are hashed. */
#include "chain/poco/poco_int.h"

/* The old compiler did not bound what it copies; gas did, at some hundred kilobytes. */
enum { WORD = 32, SLACK = 64 << 10 };

static const uint8_t order_words[] = {[ORDER_APP] = APP_ORDER_WORDS,
                                      [ORDER_DATASET] = APP_ORDER_WORDS,
                                      [ORDER_WORKERPOOL] = WORKERPOOL_ORDER_WORDS,
                                      [ORDER_REQUEST] = REQUEST_ORDER_WORDS};

enum outcome lazy_take(struct frame *f, enum order_kind kind, struct abi_in *t)
{
    *t = abi_take_struct(&f->in, order_words[kind]);
    return OUT_APPLIED;
}

enum outcome lazy_orders(struct frame *f, struct lazy *l)
{
    for (enum order_kind k = ORDER_APP; k <= ORDER_REQUEST; k++) {
        DO(lazy_take(f, k, &l->t[k]));
    }
    ARGS_END(f);
    return OUT_APPLIED;
}

struct hash lazy_hash(const struct abi_in *t, size_t word)
{
    struct hash h;
    memcpy(h.b, t->p + WORD * word, sizeof(h.b));
    return h;
}

struct u256 lazy_u256(const struct abi_in *t, size_t word)
{
    return u256_from_be(t->p + WORD * word);
}

enum outcome lazy_address(struct frame *f, const struct abi_in *t, size_t word, struct address *a)
{
    struct abi_in at = *t;
    at.head = WORD * word;
    *a = abi_take_address(&at);
    return args_verdict(f, &at);
}

enum outcome lazy_bytes(struct frame *f, const struct abi_in *t, size_t word, struct bytes *out)
{
    struct abi_in at = *t;
    at.head = WORD * word;
    at.start = f->data.p;
    *out = abi_take_memory(&at);
    return args_verdict(f, &at);
}

enum outcome lazy_order(struct frame *f, const struct abi_in *t, size_t word, enum order_kind kind,
                        struct abi_in *out)
{
    struct abi_in at = *t;
    at.head = WORD * word;
    at.start = f->data.p;
    *out = abi_take_signed_struct(&at, order_words[kind]);
    out->start = NULL;
    return args_verdict(f, &at);
}

enum outcome lazy_copy(struct frame *f, enum order_kind kind, struct abi_in *t)
{
    DO(lazy_take(f, kind, t));
    ARGS_END(f);
    t->start = f->data.p;
    if (f->run->rules->copies_past_end) {
        size_t at = (size_t)(t->p - f->data.p);
        uint8_t *p;
        DO(call_alloc(f, f->data.n + SLACK, &p));
        memcpy(p, f->data.p, f->data.n);
        memset(p + f->data.n, 0, SLACK);
        t->start = p;
        t->p = p + at;
        t->slack = SLACK;
    }
    return OUT_APPLIED;
}

#define READ_ORDER(name)                                                                           \
    enum outcome lazy_read_##name(struct frame *f, struct abi_in t, struct name##_order *o)        \
    {                                                                                              \
        read_##name##_order(&t, o);                                                                \
        return args_verdict(f, &t);                                                                \
    }
READ_ORDER(app)
READ_ORDER(dataset)
READ_ORDER(workerpool)
READ_ORDER(request)

enum outcome lazy_read(struct frame *f, const struct lazy *l, struct orders *o)
{
    DO(lazy_read_app(f, l->t[ORDER_APP], &o->app));
    DO(lazy_read_dataset(f, l->t[ORDER_DATASET], &o->dataset));
    DO(lazy_read_workerpool(f, l->t[ORDER_WORKERPOOL], &o->workerpool));
    return lazy_read_request(f, l->t[ORDER_REQUEST], &o->request);
}
