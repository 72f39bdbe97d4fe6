/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of accounts that have code. An EVM would plug in here. */
#include "chain/poco/poco_int.h"

/* Shown by eth_getCode: 0xfe (no valid instruction) and what answers there. */
#define CODE_TEXT(s)                                                                               \
    {                                                                                              \
        (const uint8_t *)"\xfesouk:" s, sizeof("\xfesouk:" s) - 1                                  \
    }

static const struct bytes codes[CODE_KINDS] = {
    [CODE_HUB] = CODE_TEXT("hub"),
    [CODE_TOKEN] = CODE_TEXT("token"),
    [CODE_REGISTRY] = CODE_TEXT("registry"),
    [CODE_APP] = CODE_TEXT("app"),
    [CODE_DATASET] = CODE_TEXT("dataset"),
    [CODE_WORKERPOOL] = CODE_TEXT("workerpool"),
    [CODE_GROUP_FACTORY] = CODE_TEXT("group factory"),
    [CODE_WALLET_FACTORY] = CODE_TEXT("wallet factory"),
    [CODE_INBOX_FACTORY] = CODE_TEXT("inbox factory"),
    [CODE_GROUP] = CODE_TEXT("group"),
    [CODE_WALLET] = CODE_TEXT("wallet"),
    [CODE_INBOX] = CODE_TEXT("inbox"),
    [CODE_FACET] = CODE_TEXT("facet"),
};

static enum code_kind split(struct bytes value, struct bytes *record)
{
    struct cur c = cur_of(value);
    uint64_t kind = take_be(&c, 1);
    *record = (struct bytes){c.p, c.n};
    return kind < CODE_KINDS ? (enum code_kind)kind : CODE_NONE;
}

enum outcome code_read(struct frame *f, struct address a, enum code_kind *kind,
                       struct bytes *record)
{
    struct key k = key_with_address(STATE_CODE, a);
    struct bytes b;
    DO(st_get(f, &k, &b));
    *kind = CODE_NONE;
    *record = (struct bytes){0};
    if (b.p == NULL) {
        return OUT_APPLIED;
    }
    *kind = split(b, record);
    return *kind == CODE_NONE ? call_fault(f, "an account with unknown code") : OUT_APPLIED;
}

enum outcome code_is_at(struct frame *f, struct address a, bool *yes)
{
    enum code_kind kind;
    struct bytes record;
    DO(code_read(f, a, &kind, &record));
    *yes = kind != CODE_NONE;
    return OUT_APPLIED;
}

enum outcome code_write(struct frame *f, struct address a, enum code_kind kind, struct bytes record)
{
    struct key k = key_with_address(STATE_CODE, a);
    struct pack w = {.size = 1 + record.n};
    DO(call_alloc(f, w.size, &w.p));
    pack_u8(&w, (uint8_t)kind);
    pack_mem(&w, record.p, record.n);
    return st_put(f, &k, (struct bytes){w.p, w.n});
}

struct bytes poco_code(struct state *s, struct address a)
{
    struct key k = key_with_address(STATE_CODE, a);
    struct bytes b, record;
    rc r = state_get(s, (struct bytes){k.b, k.n}, &b);
    ASSERT(rc_ok(r) || r.code == RC_CODE_NOT_FOUND);
    return rc_ok(r) ? codes[split(b, &record)] : (struct bytes){0};
}

bool poco_has_code(struct state *s, struct address a)
{
    return poco_code(s, a).n > 0;
}
