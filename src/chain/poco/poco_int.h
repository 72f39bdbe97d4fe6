/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_POCO_POCO_INT_H
#define SOUK_CHAIN_POCO_POCO_INT_H

/* poco_int.h - what the facets share: the running call, state access, reverts, logs and records.
 *
 * A handler reads its arguments from f->in, and returns OUT_APPLIED after setting f->out, or one of
 * the revert functions' results. Nothing needs undoing by hand: the frame's savepoint does it. */

#include "base/cur.h"
#include "chain/poco/poco.h"
#include "chain/poco/rules_int.h"
#include "encoding/abi.h"
#include "iface/iface.h"
#include "iface/order.h"

/* Test builds compile this folder with POCO_BROKEN set to 1, 2 or 3, and the property tests must
 * notice each: a wrong split, a missing refund, a deadline off by one. Always 0 in the product. */
#ifndef POCO_BROKEN
#define POCO_BROKEN 0
#endif
#define BROKEN(n) (POCO_BROKEN == (n))

/* --- the running call --- */

/* Constants of the chain, written by genesis. */
struct chain {
    enum poco_rules rules;
    uint64_t switch_height, chain_id;
    bool boost;
    struct address hub, token, registry[3], group_factory, wallet_factory, inbox_factory;
    struct hash proxy_code_hash;
};

/* What the hub's owner may change. */
struct settings {
    struct address owner, token, registry[3], v3_hub, teebroker;
    struct u256 callbackgas;
    struct hash separator;
    uint8_t decimals;
    struct bytes name, symbol;
};

struct log_node {
    struct log_node *next;
    struct poco_log log;
};

/* One poco_apply(). */
struct run {
    struct poco_env *env;
    struct chain chain;
    const struct rules *rules;
    struct settings settings;
    bool settings_loaded;
    struct log_node *logs, **tail;
    size_t logs_n;
    uint64_t gas; /* left */
    bool out_of_gas;
    unsigned depth;
    const char *fault;
    struct buf buf; /* scratch for outputs and log data */
};

/* One contract's part of it. */
struct frame {
    struct run *run;
    struct address self, from;
    struct bytes data; /* selector included */
    struct abi_in in;  /* arguments */
    struct bytes out;  /* return data or revert data; lives in the call's arena */
    enum contract contract;
    struct bytes record; /* what the account's code record holds after its kind */
    bool is_static;
};

typedef enum outcome handler(struct frame *f);

/* Kinds of account with code. On disk: never renumber. */
enum code_kind {
    CODE_NONE = 0,
    CODE_HUB = 1,
    CODE_TOKEN = 2,
    CODE_REGISTRY = 3, /* three: the next byte of the record says which */
    CODE_APP = 4,
    CODE_DATASET = 5,
    CODE_WORKERPOOL = 6,
    CODE_GROUP_FACTORY = 7,
    CODE_WALLET_FACTORY = 8,
    CODE_INBOX_FACTORY = 9,
    CODE_GROUP = 10,
    CODE_WALLET = 11,
    CODE_INBOX = 12,
    CODE_FACET = 13, /* the addresses that the loupe names */
    CODE_KINDS
};

/* Goes up with the outcome when it is not OUT_APPLIED. */
#define DO(expr)                                                                                   \
    do {                                                                                           \
        enum outcome do_ = (expr);                                                                 \
        if (do_ != OUT_APPLIED) {                                                                  \
            return do_;                                                                            \
        }                                                                                          \
    } while (0)

#define REQUIRE(f, cond)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return revert_empty(f);                                                                \
        }                                                                                          \
    } while (0)

#define REQUIRE_TEXT(f, cond, id)                                                                  \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return revert_text((f), (id));                                                         \
        }                                                                                          \
    } while (0)

/* Checked arithmetic: false from u256_add() and its kin is Solidity's Panic(0x11). */
#define CHECKED(f, cond)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            return revert_panic((f), PANIC_ARITHMETIC);                                            \
        }                                                                                          \
    } while (0)

/* The decoder's verdict over all arguments taken so far. */
#define ARGS_END(f) DO(args_verdict((f), &(f)->in))
enum outcome args_verdict(struct frame *f, const struct abi_in *in);

enum {
    PANIC_ASSERT = 0x01,
    PANIC_ARITHMETIC = 0x11,
    PANIC_DIVISION = 0x12,
    PANIC_INDEX = 0x32,
    PANIC_MEMORY = 0x41
};

enum outcome call_fault(struct frame *f, const char *what);
enum outcome revert_empty(struct frame *f);
enum outcome revert_text(struct frame *f, enum revert id);
enum outcome revert_panic(struct frame *f, unsigned code);
enum outcome revert_data(struct frame *f, struct bytes data);
/* A custom error with up to three words of arguments. */
enum outcome revert_error(struct frame *f, enum revert id, size_t n, const struct hash *words);

/* The word of a number or an address. */
struct hash word_u256(struct u256 v);
struct hash word_address(struct address a);

enum outcome gas_charge(struct frame *f, uint64_t gas); /* out of gas: reverts */

/* Memory of the call; NULL never: the frame faults instead. */
enum outcome call_alloc(struct frame *f, size_t n, void *out_ptr);

/* --- structs left in the call data (calldata.c) --- */

/* The four orders of matchOrders and its kin, only their places known. */
struct lazy {
    struct abi_in t[ORDER_REQUEST + 1]; /* by enum order_kind */
};

enum outcome lazy_orders(struct frame *f, struct lazy *l); /* all arguments */
enum outcome lazy_take(struct frame *f, enum order_kind kind, struct abi_in *t);
struct hash lazy_hash(const struct abi_in *t, size_t word);
struct u256 lazy_u256(const struct abi_in *t, size_t word);
enum outcome lazy_address(struct frame *f, const struct abi_in *t, size_t word, struct address *a);
enum outcome lazy_bytes(struct frame *f, const struct abi_in *t, size_t word, struct bytes *out);
/* An order inside a struct of the call data. */
enum outcome lazy_order(struct frame *f, const struct abi_in *t, size_t word, enum order_kind kind,
                        struct abi_in *out);

/* The one order that is all arguments, to be copied from where it stands. */
enum outcome lazy_copy(struct frame *f, enum order_kind kind, struct abi_in *t);

/* Decoded to memory: every member is checked. */
enum outcome lazy_read(struct frame *f, const struct lazy *l, struct orders *o);
enum outcome lazy_read_app(struct frame *f, struct abi_in t, struct app_order *o);
enum outcome lazy_read_dataset(struct frame *f, struct abi_in t, struct dataset_order *o);
enum outcome lazy_read_workerpool(struct frame *f, struct abi_in t, struct workerpool_order *o);
enum outcome lazy_read_request(struct frame *f, struct abi_in t, struct request_order *o);

/* --- return values --- */

enum outcome ret_nothing(struct frame *f);
enum outcome ret_word(struct frame *f, struct hash v);
enum outcome ret_u256(struct frame *f, struct u256 v);
enum outcome ret_u64(struct frame *f, uint64_t v);
enum outcome ret_address(struct frame *f, struct address a);
enum outcome ret_bool(struct frame *f, bool v);
enum outcome ret_bytes(struct frame *f, struct bytes v);
/* Several values: out_begin(), abi_put_*, out_end(). Nothing may be called in between. */
struct abi_out out_begin(struct frame *f, size_t head_words);
enum outcome out_end(struct frame *f);
enum outcome out_keep(struct frame *f, struct bytes *out); /* the scratch buffer, copied */

/* --- state --- */

struct key {
    uint8_t b[STATE_KEY_MAX];
    size_t n;
};

struct key key_of(enum state_table t);
void key_u8(struct key *k, uint8_t v);
void key_u64(struct key *k, uint64_t v);
void key_u32(struct key *k, uint32_t v);
void key_address(struct key *k, struct address a);
void key_hash(struct key *k, struct hash h);

static inline struct key key_with_hash(enum state_table t, struct hash h)
{
    struct key k = key_of(t);
    key_hash(&k, h);
    return k;
}

static inline struct key key_with_address(enum state_table t, struct address a)
{
    struct key k = key_of(t);
    key_address(&k, a);
    return k;
}

/* value->p is NULL when there is no record. */
enum outcome st_get(struct frame *f, const struct key *k, struct bytes *value);
enum outcome st_put(struct frame *f, const struct key *k, struct bytes value);
enum outcome st_del(struct frame *f, const struct key *k);

/* A record that is one number: zero when absent, and removed when it becomes zero. */
enum outcome get_u256(struct frame *f, const struct key *k, struct u256 *v);
enum outcome put_u256(struct frame *f, const struct key *k, struct u256 v);
enum outcome get_u64(struct frame *f, const struct key *k, uint64_t *v);
enum outcome put_u64(struct frame *f, const struct key *k, uint64_t v);

/* A record that is one address, zero when absent. */
enum outcome get_address(struct frame *f, const struct key *k, struct address *a);

/* Packing records: fixed fields one after another into memory that is large enough. */
struct pack {
    uint8_t *p;
    size_t n, size;
};

void pack_mem(struct pack *w, const void *p, size_t n);
void pack_u8(struct pack *w, uint8_t v);
void pack_u64(struct pack *w, uint64_t v);
void pack_u256(struct pack *w, struct u256 v);
void pack_address(struct pack *w, struct address a);
void pack_hash(struct pack *w, struct hash h);
void pack_bytes(struct pack *w, struct bytes v); /* u32 length ‖ bytes */

struct u256 take_u256(struct cur *c);
struct bytes take_packed(struct cur *c); /* what pack_bytes() wrote */

/* --- logs --- */

/* Emits with the indexed arguments as topics and ready-made data. */
enum outcome log_emit(struct frame *f, enum event id, size_t topics_n, const struct hash *topics,
                      struct bytes data);
/* The usual case: up to three topics and up to six data words. */
enum outcome log_words(struct frame *f, enum event id, size_t topics_n, const struct hash *topics,
                       size_t words_n, const struct hash *words);

/* --- calls between contracts --- */

struct inner {
    struct address to, from;
    struct bytes data;
    uint64_t gas; /* UINT64_MAX: all that is left */
    bool is_static;
};

/* Runs a call as a frame of its own. *ok: it did not revert; *out: return or revert data. A call to
 * an account without code succeeds with nothing. */
enum outcome call_inner(struct frame *f, const struct inner *c, bool *ok, struct bytes *out);

/* A high-level call: without code, or reverted: this frame reverts (with the callee's data). */
enum outcome call_high(struct frame *f, const struct inner *c, struct bytes *out);

enum outcome code_is_at(struct frame *f, struct address a, bool *yes);
enum outcome code_read(struct frame *f, struct address a, enum code_kind *kind,
                       struct bytes *record);

/* --- facets --- */

/* STATE_HUB ‖ one of these. On disk: never renumber. */
enum hub_record {
    HUB_CHAIN = 1,
    HUB_SETTINGS = 2,
    HUB_SUPPLY = 3,
    HUB_CATEGORIES = 4,
    HUB_TOKEN = 5,       /* the token's owner ‖ supply ‖ initial supply */
    HUB_ACCOUNT_SEQ = 6, /* accounts that the factories made */
};

struct key hub_key(enum hub_record which);

/* Storage slots of the reference contracts (slot.c, slot_map.c). */
struct hash slot_hub(uint8_t n); /* the n-th of the hub's storage */
struct key slot_waiting_key(struct address contract, struct hash slot);
/* Development nodes, before a record is read: what was set by its slot becomes part of it. */
enum outcome slot_settle(struct frame *f, const struct key *k);

enum outcome chain_get(struct frame *f, struct chain *c);
enum outcome settings_get(struct frame *f, const struct settings **s);
enum outcome settings_put(struct frame *f, const struct settings *s);
enum outcome only_owner(struct frame *f);

/* Escrow. SPEC poco 3. */
struct account {
    struct u256 stake, locked;
};

extern const struct address kitty_address;

enum outcome stake_read(struct frame *f, struct address a, struct account *acc);
enum outcome stake_write(struct frame *f, struct address a, const struct account *acc);
enum outcome escrow_lock(struct frame *f, struct address a, struct u256 v);
enum outcome escrow_unlock(struct frame *f, struct address a, struct u256 v);
enum outcome escrow_reward(struct frame *f, struct address a, struct u256 v, struct hash ref);
enum outcome escrow_seize(struct frame *f, struct address a, struct u256 v, struct hash ref);

/* Signatures and restrictions. SPEC poco 4, 5. */
enum outcome verify_signature(struct frame *f, struct address account, struct hash digest,
                              struct bytes sig, bool *valid);
/* The signer of 64 or 65 bytes; zero when there is none. */
enum outcome signer_of(struct frame *f, struct hash digest, struct bytes sig, struct address *who);
enum outcome verify_presigned_or_signature(struct frame *f, struct address account,
                                           struct hash digest, struct bytes sig, bool *valid);
enum outcome is_authorized(struct frame *f, struct address restriction, struct address account,
                           bool *yes);

/* asset.owner() as a high-level call. */
enum outcome owner_of_asset(struct frame *f, struct address asset, struct address *owner);
/* registry.isRegistered(entry) as a high-level call. */
enum outcome registry_has(struct frame *f, struct address registry, struct address entry,
                          bool *yes);

/* Deals and tasks. */
struct resource {
    struct address pointer, owner;
    struct u256 price;
};

struct deal {
    bool exists;
    struct resource app, dataset, workerpool;
    struct u256 trust, category;
    struct hash tag;
    struct address requester, beneficiary, callback;
    struct bytes params;
    struct u256 start, bot_first, bot_size, worker_stake, scheduler_ratio;
    struct address sponsor;
};

enum task_status { TASK_UNSET, TASK_ACTIVE, TASK_REVEALING, TASK_COMPLETED, TASK_FAILED };
enum contribution_status { CONTRIB_UNSET, CONTRIB_CONTRIBUTED, CONTRIB_PROVED, CONTRIB_REJECTED };

struct task {
    enum task_status status;
    struct hash deal_id;
    struct u256 idx, timeref, contribution_deadline, reveal_deadline, final_deadline;
    struct hash consensus_value;
    struct u256 reveal_counter, winner_counter;
    uint32_t contributors;
    struct hash digest;
    struct u256 total; /* of the consensus */
};

struct contribution {
    enum contribution_status status;
    struct hash hash, seal;
    struct address challenge;
    struct u256 weight;
};

struct category {
    bool exists;
    struct bytes name, description;
    struct u256 timeref;
};

enum outcome deal_read(struct frame *f, struct hash id, struct deal *d);
enum outcome deal_write(struct frame *f, struct hash id, const struct deal *d);
enum outcome task_read(struct frame *f, struct hash id, struct task *t);
enum outcome task_write(struct frame *f, struct hash id, const struct task *t);
enum outcome results_get(struct frame *f, struct hash id, struct bytes *results,
                         struct bytes *callback);
enum outcome results_put(struct frame *f, struct hash id, struct bytes results,
                         struct bytes callback);
enum outcome contribution_get(struct frame *f, struct hash task, struct address worker,
                              struct contribution *c);
enum outcome contribution_put(struct frame *f, struct hash task, struct address worker,
                              const struct contribution *c);
enum outcome contributor_get(struct frame *f, struct hash task, uint32_t i, struct address *a);
enum outcome contributor_put(struct frame *f, struct hash task, uint32_t i, struct address a);
enum outcome category_get(struct frame *f, struct u256 id, struct category *c);

/* Consensus and money. SPEC poco 7.1, 7.2. */
enum outcome consensus_add(struct frame *f, struct hash id, struct task *t, const struct deal *d,
                           struct hash result_hash, struct contribution *c);
enum outcome consensus_check(struct frame *f, struct hash id, struct task *t, const struct deal *d,
                             struct hash result_hash, bool *reached);
enum outcome success_work(struct frame *f, struct hash id, const struct deal *d);
enum outcome failed_work(struct frame *f, struct hash id, const struct deal *d);
enum outcome distribute_rewards(struct frame *f, struct hash id, const struct task *t,
                                const struct deal *d);
enum outcome distribute_rewards_fast(struct frame *f, struct hash id, const struct deal *d);
enum outcome deal_price(struct frame *f, const struct deal *d, struct u256 *price);
enum outcome pool_stake(struct frame *f, struct u256 price, struct u256 *stake);
enum outcome kitty_share(struct frame *f, struct u256 *share); /* takes nothing */
/* EIP-1154: tells the deal's callback, whatever it answers; false when too little gas is left. */
enum outcome call_back(struct frame *f, struct hash id, struct address callback,
                       struct bytes results_callback, bool *enough_gas);

/* Matching: shared with Boost. */
struct order_hashes {
    struct hash app, dataset, workerpool, request;
};

enum outcome order_hashes(struct frame *f, const struct orders *o, struct order_hashes *h);
enum outcome deal_volume(struct frame *f, const struct orders *o, const struct order_hashes *h,
                         struct u256 *volume);
enum outcome order_consume(struct frame *f, struct hash order, struct u256 volume);
struct hash dataset_tag(const struct frame *f, struct hash tag);
bool tag_bit(struct hash tag, unsigned bit);

/* Registries and entries. */
struct policy {
    struct u256 stake_ratio, scheduler_ratio;
};

enum outcome workerpool_policy(struct frame *f, struct address pool, struct policy *p);
enum outcome nft_owner(struct frame *f, unsigned kind, struct address entry, struct address *owner);

/* ERC-721 of one registry. `kind` counts the registries. */
struct nft {
    bool exists;
    struct address owner, approved;
    uint64_t place, owner_place;
};

struct registry {
    struct address owner, previous;
    bool initialized;
    uint64_t total;
    struct bytes base_uri;
};

enum outcome nft_get(struct frame *f, unsigned kind, struct address entry, struct nft *n);
enum outcome nft_mint(struct frame *f, unsigned kind, struct address to, struct address entry);
enum outcome registry_get(struct frame *f, unsigned kind, struct registry *r);
enum outcome registry_put(struct frame *f, unsigned kind, const struct registry *r);
enum outcome registry_refuse(struct frame *f, enum refusal why, size_t n, const struct hash *words);
/* Addresses and bools of registries and entries: dirty bits are refused or ignored by the rules. */
struct address take_registry_address(struct frame *f);
/* Bytes that the reference decodes to memory; the older compiler had no Panic for it. */
struct bytes take_registry_memory(struct frame *f);
struct bytes proxy_code(void);
struct address entry_address(struct address deployer, struct hash salt, struct hash code_hash);

/* Fields of the entries, views into their code records. */
struct app_entry {
    struct bytes name, type, multiaddr, mrenclave;
    struct hash checksum;
};

struct dataset_entry {
    struct bytes name, multiaddr;
    struct hash checksum;
};

struct pool_entry {
    struct policy policy;
    struct bytes description;
};

enum outcome app_entry_parse(struct frame *f, struct bytes record, struct app_entry *e);
enum outcome dataset_entry_parse(struct frame *f, struct bytes record, struct dataset_entry *e);
enum outcome pool_entry_parse(struct frame *f, struct bytes record, struct pool_entry *e);
enum outcome code_write(struct frame *f, struct address a, enum code_kind kind,
                        struct bytes record);

/* Overflow in the older facets: Panic or an empty revert, by the rules. */
enum outcome escrow_overflow(struct frame *f);

handler *handler_of(enum method m);

/* The facets that the loupe shows, as the live diamond has them. */
enum { FACETS = 16 };
struct address facet_address(unsigned i);

#endif /* SOUK_CHAIN_POCO_POCO_INT_H */
