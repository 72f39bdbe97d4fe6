/* SPDX-License-Identifier: Apache-2.0 */
/* A group: an allow-list that its owner keeps, asked through ERC-734's keyHasPurpose. */
#include "chain/poco/accounts_int.h"

enum { MEMBER_PURPOSE = 4, KEY_TYPE_ECDSA = 1 };

struct group {
    struct address owner;
    uint64_t members; /* keys with the member purpose */
};

static enum outcome group_read(struct frame *f, struct group *g)
{
    struct cur c = cur_of(f->record);
    g->owner = take_address(&c);
    g->members = take_be(&c, 8);
    return rc_ok(cur_end(&c)) ? OUT_APPLIED : call_fault(f, "a group in the state is damaged");
}

static enum outcome group_write(struct frame *f, const struct group *g)
{
    uint8_t b[28];
    struct pack w = {.p = b, .size = sizeof(b)};
    pack_address(&w, g->owner);
    pack_u64(&w, g->members);
    return code_write(f, f->self, CODE_GROUP, (struct bytes){w.p, w.n});
}

static enum outcome group_only_owner(struct frame *f, struct group *g)
{
    DO(group_read(f, g));
    REQUIRE_TEXT(f, address_eq(g->owner, f->from), REVERT_GROUP_NOT_OWNER);
    return OUT_APPLIED;
}

static struct key member_key(const struct frame *f, struct hash key, struct u256 purpose)
{
    struct key k = key_with_address(STATE_MEMBER, f->self);
    key_hash(&k, key);
    key_hash(&k, word_u256(purpose));
    return k;
}

static enum outcome key_log(struct frame *f, enum event e, struct hash key, struct u256 purpose,
                            struct u256 type)
{
    struct hash topics[] = {key, word_u256(purpose), word_u256(type)};
    return log_words(f, e, 3, topics, 0, NULL);
}

static enum outcome add(struct frame *f, struct hash key, struct u256 purpose, struct u256 type)
{
    struct group g;
    struct bytes b;
    struct key k = member_key(f, key, purpose);
    DO(group_only_owner(f, &g));
    DO(st_get(f, &k, &b));
    REQUIRE_TEXT(f, b.p == NULL, REVERT_GROUP_KEY_EXISTS);
    struct hash value = word_u256(type);
    DO(st_put(f, &k, BYTES_OF(value)));
    if (u256_eq(purpose, u256_from(MEMBER_PURPOSE))) {
        g.members++;
        DO(group_write(f, &g));
    }
    return key_log(f, EVENT_group_KeyAdded, key, purpose, type);
}

static enum outcome drop(struct frame *f, struct hash key, struct u256 purpose)
{
    struct group g;
    struct bytes b;
    struct u256 type;
    struct key k = member_key(f, key, purpose);
    DO(group_only_owner(f, &g));
    DO(st_get(f, &k, &b));
    REQUIRE_TEXT(f, b.p != NULL, REVERT_GROUP_KEY_MISSING);
    if (!u256_from_bytes(&type, b)) {
        return call_fault(f, "a group's key is damaged");
    }
    DO(st_del(f, &k));
    if (u256_eq(purpose, u256_from(MEMBER_PURPOSE))) {
        g.members--;
        DO(group_write(f, &g));
    }
    return key_log(f, EVENT_group_KeyRemoved, key, purpose, type);
}

#define HANDLER(name)                                                                              \
    enum outcome on_group_##name(struct frame *f);                                                 \
    enum outcome on_group_##name(struct frame *f)

HANDLER(keyHasPurpose)
{
    struct bytes b;
    struct hash key = abi_take_hash(&f->in);
    struct u256 purpose = abi_take_u256(&f->in);
    ARGS_END(f);
    struct key k = member_key(f, key, purpose);
    DO(st_get(f, &k, &b));
    return ret_bool(f, b.p != NULL);
}

HANDLER(isMember)
{
    struct bytes b;
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    struct key k = member_key(f, word_address(a), u256_from(MEMBER_PURPOSE));
    DO(st_get(f, &k, &b));
    return ret_bool(f, b.p != NULL);
}

HANDLER(countMember)
{
    struct group g;
    DO(group_read(f, &g));
    return ret_u64(f, g.members);
}

HANDLER(owner)
{
    struct group g;
    DO(group_read(f, &g));
    return ret_address(f, g.owner);
}

HANDLER(transferOwnership)
{
    struct group g;
    struct address to = abi_take_address(&f->in);
    ARGS_END(f);
    DO(group_only_owner(f, &g));
    REQUIRE_TEXT(f, !address_is_zero(to), REVERT_GROUP_ZERO);
    struct hash topics[] = {word_address(g.owner), word_address(to)};
    g.owner = to;
    DO(group_write(f, &g));
    return log_words(f, EVENT_group_OwnershipTransferred, 2, topics, 0, NULL);
}

HANDLER(addKey)
{
    struct hash key = abi_take_hash(&f->in);
    struct u256 purpose = abi_take_u256(&f->in), type = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(add(f, key, purpose, type));
    return ret_bool(f, true);
}

HANDLER(removeKey)
{
    struct hash key = abi_take_hash(&f->in);
    struct u256 purpose = abi_take_u256(&f->in);
    ARGS_END(f);
    DO(drop(f, key, purpose));
    return ret_bool(f, true);
}

HANDLER(addMember)
{
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    return add(f, word_address(a), u256_from(MEMBER_PURPOSE), u256_from(KEY_TYPE_ECDSA));
}

HANDLER(removeMember)
{
    struct address a = abi_take_address(&f->in);
    ARGS_END(f);
    return drop(f, word_address(a), u256_from(MEMBER_PURPOSE));
}
