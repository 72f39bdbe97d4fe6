/* SPDX-License-Identifier: Apache-2.0 */
/* Storage slots of the reference contracts that mean something here, for development nodes and the
 * tools written against them: what eth_getStorageAt shows and a test chain may set. Mappings are
 * hashed in the reference, so a slot is found by trying the accounts that the state knows; only what
 * can be computed backwards is served. SPEC poco 1, reference-chain 5. */
#include "chain/poco/poco_int.h"

/* keccak256("iexec.poco.storage.PocoStorage") as ERC-7201 has it. */
static const struct hash base = {{0x58, 0x62, 0x65, 0x3c, 0x69, 0x82, 0xc1, 0x62, 0x83, 0x21, 0x60,
                                  0xcf, 0x30, 0x59, 0x36, 0x45, 0xe8, 0x48, 0x7b, 0x25, 0x7e, 0x44,
                                  0xd7, 0x7c, 0xdd, 0x6b, 0x51, 0xee, 0xe2, 0x65, 0x1b, 0x00}};

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

/* Runs one access on a hub's slot outside of any call. */
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
    bool hub = o == OUT_APPLIED && address_eq(of, run.chain.hub) &&
               memcmp(slot.b, base.b, sizeof(slot.b) - 1) == 0;
    if (hub) {
        o = write ? slot_write(&f, slot.b[31], *value, &known)
                  : slot_read(&f, slot.b[31], value, &known);
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
