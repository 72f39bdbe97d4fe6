/* SPDX-License-Identifier: Apache-2.0 */
/* A result inbox: the consumer of callbacks (EIP-1154). The hub alone may fill it; a task's result is
 * received once. */
#include "chain/poco/accounts_int.h"

struct inbox {
    struct address owner;
    uint64_t results;
};

static enum outcome inbox_read(struct frame *f, struct inbox *x)
{
    struct cur c = cur_of(f->record);
    x->owner = take_address(&c);
    x->results = take_be(&c, 8);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "an inbox in the state is damaged");
}

static struct key result_key(const struct frame *f, struct hash id)
{
    struct key k = key_with_address(STATE_RESULT, f->self);
    key_hash(&k, id);
    return k;
}

#define HANDLER(name)                                                                              \
    enum outcome on_inbox_##name(struct frame *f);                                                 \
    enum outcome on_inbox_##name(struct frame *f)

HANDLER(receiveResult)
{
    struct inbox x;
    struct bytes b, data;
    uint8_t record[28];
    struct hash id = abi_take_hash(&f->in);
    struct bytes result = abi_take_bytes(&f->in);
    ARGS_END(f);
    REQUIRE_TEXT(f, address_eq(f->from, f->run->chain.hub), REVERT_INBOX_SENDER);
    struct key k = result_key(f, id);
    DO(st_get(f, &k, &b));
    REQUIRE_TEXT(f, b.p == NULL, REVERT_INBOX_EXISTS);
    DO(inbox_read(f, &x));
    DO(st_put(f, &k, result));
    struct pack w = {.p = record, .size = sizeof(record)};
    pack_address(&w, x.owner);
    pack_u64(&w, x.results + 1);
    DO(code_write(f, f->self, CODE_INBOX, (struct bytes){w.p, w.n}));
    struct abi_out o = out_begin(f, 1);
    abi_put_bytes(&o, result);
    DO(out_keep(f, &data));
    return log_emit(f, EVENT_inbox_ResultReceived, 1, &id, data);
}

HANDLER(resultOf)
{
    struct bytes b;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    struct key k = result_key(f, id);
    DO(st_get(f, &k, &b));
    return ret_bytes(f, b);
}

HANDLER(hasResult)
{
    struct bytes b;
    struct hash id = abi_take_hash(&f->in);
    ARGS_END(f);
    struct key k = result_key(f, id);
    DO(st_get(f, &k, &b));
    return ret_bool(f, b.p != NULL);
}

HANDLER(countResult)
{
    struct inbox x;
    DO(inbox_read(f, &x));
    return ret_u64(f, x.results);
}

HANDLER(owner)
{
    struct inbox x;
    DO(inbox_read(f, &x));
    return ret_address(f, x.owner);
}

HANDLER(sender)
{
    return ret_address(f, f->run->chain.hub);
}
