/* SPDX-License-Identifier: Apache-2.0 */
/* Storage slots of the reference contracts that mean something here, for development nodes and the
 * tools written against them: what eth_getStorageAt shows and a test chain may set. The slots of
 * mappings are hashes: slot_map.c. SPEC poco 1, reference-chain 5. */
#include "chain/poco/poco_int.h"

/* keccak256("iexec.poco.storage.PocoStorage") as ERC-7201 has it. */
static const struct hash base = {{0x58, 0x62, 0x65, 0x3c, 0x69, 0x82, 0xc1, 0x62, 0x83, 0x21, 0x60,
                                  0xcf, 0x30, 0x59, 0x36, 0x45, 0xe8, 0x48, 0x7b, 0x25, 0x7e, 0x44,
                                  0xd7, 0x7c, 0xdd, 0x6b, 0x51, 0xee, 0xe2, 0x65, 0x1b, 0x00}};

struct hash slot_hub(uint8_t n)
{
    struct hash h = base;
    h.b[31] = n;
    return h;
}

enum hub_slot {
    SLOT_APP_REGISTRY = 0,
    SLOT_DATASET_REGISTRY = 1,
    SLOT_WORKERPOOL_REGISTRY = 2,
    SLOT_TOKEN = 3,
    SLOT_SUPPLY = 7,
    SLOT_SEPARATOR = 11,
    SLOT_TEEBROKER = 19,
    SLOT_CALLBACKGAS = 20,
    SLOT_CATEGORIES = 21,
    SLOT_V3_HUB = 22,
};

static struct address low20(struct hash w)
{
    struct address a;
    memcpy(a.b, w.b + 12, sizeof(a.b));
    return a;
}

static enum outcome slot_read(struct frame *f, uint8_t n, struct hash *v, bool *known)
{
    const struct settings *s;
    struct key k = hub_key(n == SLOT_SUPPLY ? HUB_SUPPLY : HUB_CATEGORIES);
    struct u256 supply;
    uint64_t count;
    DO(settings_get(f, &s));
    *known = true;
    switch (n) {
    case SLOT_APP_REGISTRY:
    case SLOT_DATASET_REGISTRY:
    case SLOT_WORKERPOOL_REGISTRY:
        *v = word_address(s->registry[n]);
        break;
    case SLOT_TOKEN:
        *v = word_address(s->token);
        break;
    case SLOT_SUPPLY:
        DO(get_u256(f, &k, &supply));
        *v = word_u256(supply);
        break;
    case SLOT_SEPARATOR:
        *v = s->separator;
        break;
    case SLOT_TEEBROKER:
        *v = word_address(s->teebroker);
        break;
    case SLOT_CALLBACKGAS:
        *v = word_u256(s->callbackgas);
        break;
    case SLOT_CATEGORIES:
        DO(get_u64(f, &k, &count));
        *v = word_u256(u256_from(count));
        break;
    case SLOT_V3_HUB:
        *v = word_address(s->v3_hub);
        break;
    default:
        *known = false;
        break;
    }
    return OUT_APPLIED;
}

static enum outcome slot_write(struct frame *f, uint8_t n, struct hash v, bool *known)
{
    const struct settings *s;
    struct key k = hub_key(HUB_SUPPLY);
    DO(settings_get(f, &s));
    struct settings w = *s;
    *known = true;
    switch (n) {
    case SLOT_APP_REGISTRY:
    case SLOT_DATASET_REGISTRY:
    case SLOT_WORKERPOOL_REGISTRY:
        w.registry[n] = low20(v);
        break;
    case SLOT_TOKEN:
        w.token = low20(v);
        break;
    case SLOT_SUPPLY:
        return put_u256(f, &k, u256_from_be(v.b));
    case SLOT_SEPARATOR:
        w.separator = v;
        break;
    case SLOT_TEEBROKER:
        w.teebroker = low20(v);
        break;
    case SLOT_CALLBACKGAS:
        w.callbackgas = u256_from_be(v.b);
        break;
    case SLOT_V3_HUB:
        w.v3_hub = low20(v);
        break;
    default:
        *known = false;
        return OUT_APPLIED;
    }
    return settings_put(f, &w);
}

/* A member of a mapping: its slot is a hash, so that one below 2^64 is none. */
static bool is_member(struct hash slot)
{
    static const uint8_t zero[24];
    return memcmp(slot.b, zero, sizeof(zero)) != 0;
}

/* The value waits, and shows as it was set, until the record that it belongs to is looked at. */
static enum outcome waiting_access(struct frame *f, struct hash slot, struct hash *v, bool write,
                                   bool *known)
{
    struct state *s = f->run->env->state;
    struct key k = slot_waiting_key(f->self, slot);
    struct bytes b;
    if (write) {
        state_put(s, (struct bytes){k.b, k.n}, BYTES_OF(v->b));
        *known = true;
        return OUT_APPLIED;
    }
    rc r = state_get(s, (struct bytes){k.b, k.n}, &b);
    *known = rc_ok(r) && b.n == sizeof(v->b);
    if (*known) {
        memcpy(v->b, b.p, b.n);
    }
    return rc_ok(r) || r.code == RC_CODE_NOT_FOUND
               ? OUT_APPLIED
               : call_fault(f, "a storage slot in the state cannot be read");
}

/* Runs one access on a slot of hub or token outside of any call. */
static rc access_slot(struct state *s, struct address of, struct hash slot, struct hash *value,
                      bool write)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct poco_env env = {.state = s, .arena = &arena};
    struct run run = {.env = &env, .gas = UINT64_MAX};
    struct frame f = {.run = &run, .self = of};
    bool known = false;
    enum outcome o = chain_get(&f, &run.chain);
    bool hub = o == OUT_APPLIED && address_eq(of, run.chain.hub);
    bool token = o == OUT_APPLIED && address_eq(of, run.chain.token);
    if (hub && memcmp(slot.b, base.b, sizeof(slot.b) - 1) == 0) {
        o = write ? slot_write(&f, slot.b[31], *value, &known)
                  : slot_read(&f, slot.b[31], value, &known);
    } else if ((hub || token) && is_member(slot)) {
        o = waiting_access(&f, slot, value, write, &known);
    }
    arena_reset(&arena);
    if (o != OUT_APPLIED) {
        return RC(CORRUPT);
    }
    return known ? RC_OK : RC(NOT_FOUND);
}

rc poco_slot_get(struct state *s, struct address of, struct hash slot, struct hash *value)
{
    return access_slot(s, of, slot, value, false);
}

rc poco_slot_set(struct state *s, struct address of, struct hash slot, struct hash value)
{
    return access_slot(s, of, slot, &value, true);
}
