/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CHAIN_POCO_POCO_H
#define SOUK_CHAIN_POCO_POCO_H

/* poco.h - the market's rules as a pure state machine behind the hub's public ABI: same state and
 * calls in, same bytes out, on any machine. No clock, file, thread or randomness. */

#include "base/arena.h"
#include "base/u256.h"
#include "chain/state/state.h"

/* Never two: a revert is the caller's fault and part of the protocol; a fault is ours (damaged state
 * or a broken invariant): the block must not be committed and the process must stop. */
enum outcome { OUT_APPLIED, OUT_REVERTED, OUT_FAULT };

enum poco_kind { POCO_APP, POCO_DATASET, POCO_WORKERPOOL }; /* of registries and their entries */

enum poco_rules { RULES_6_1 = 61, RULES_6_2 = 62 };

/* Who signed: 65 bytes r ‖ s ‖ v with v 27 or 28 and low s have been checked by the caller of the hook.
 * False when no key fits. The ledger answers from a cache that its threads have filled. */
typedef bool (*poco_recover)(void *ctx, struct hash digest, const uint8_t sig[65],
                             struct address *out);

struct poco_env {
    uint64_t height, time, chain_id; /* of the block; time in seconds */
    struct state *state;
    struct arena *arena;  /* of the call: results and logs live there */
    poco_recover recover; /* NULL: secp256k1 itself */
    void *recover_ctx;
    bool dev; /* storage slots may have been set from outside */
};

struct call {
    struct address from, to;
    struct u256 value;
    struct bytes data;
    uint64_t gas;   /* the most it may use */
    bool is_static; /* eth_call of a view: writes are allowed and thrown away by the caller */
};

struct poco_log {
    struct address emitter;
    struct hash topics[4];
    size_t topics_n;
    struct bytes data;
};

struct result {
    struct bytes output;   /* return data, or revert data */
    struct poco_log *logs; /* none when reverted */
    size_t logs_n;
    uint64_t gas_used; /* of the call itself, without the transaction's intrinsic gas */
    bool out_of_gas;   /* reverted because call.gas did not suffice: all of it is used */
    const char *fault; /* OUT_FAULT: what is broken, static */
};

/* Runs one call to an address that poco_has_code(). Value, nonces and gas purchase are the ledger's.
 * A reverted call leaves the state as it was. */
enum outcome poco_apply(struct poco_env *env, const struct call *call, struct result *res);

/* Is there a contract at the address? Its code, as eth_getCode shows it (never empty). */
bool poco_has_code(struct state *s, struct address a);
struct bytes poco_code(struct state *s, struct address a);

/* Lists the signatures that a call will have checked, as far as call data and constants tell, so that
 * other threads can recover them beforehand. `domain`: order_domain() of the chain. */
struct poco_constants {
    struct address hub;
    struct hash domain;
};

typedef void (*poco_on_signature)(void *ctx, struct hash digest, const uint8_t sig[65]);

void poco_signatures(const struct poco_constants *k, const struct call *call, poco_on_signature fn,
                     void *ctx);

/* Genesis. Addresses that are zero get souk's defaults. Amounts in nRLC. */
struct poco_account {
    struct address address;
    struct u256 rlc,
        stake; /* token balance; deposited in the escrow (comes from the hub's tokens) */
};

struct poco_category {
    const char *name, *description;
    struct u256 work_clock_time_ref;
};

struct poco_config {
    uint64_t chain_id;
    enum poco_rules rules;
    uint64_t switch_height; /* from this block on rules 6.2; 0: never */
    bool boost;
    struct address hub, token, app_registry, dataset_registry, workerpool_registry;
    struct address owner;        /* of hub, registries and token */
    struct hash proxy_code_hash; /* zero: the default of the rules */
    const struct poco_account *accounts;
    size_t accounts_n;
    const struct poco_category *categories; /* none: XS S M L XL */
    size_t categories_n;
};

/* Fills the zero addresses of c with the defaults. */
void poco_defaults(struct poco_config *c);

/* Writes the state of block 0. MALFORMED with a sentence when the configuration contradicts itself. */
rc poco_genesis(struct state *s, const struct poco_config *c, struct err *e);

/* What stands at the address, for tools: the constants of a state that poco_genesis() began. */
rc poco_constants(struct state *s, uint64_t chain_id, struct poco_constants *out);

/* Development nodes: reads and writes a storage slot that the reference contracts have at `of`, when
 * it has a meaning here (balances, deadlines' inputs, scores…). NOT_FOUND when it has none. */
rc poco_slot_get(struct state *s, struct address of, struct hash slot, struct hash *value);
rc poco_slot_set(struct state *s, struct address of, struct hash slot, struct hash value);

#endif /* SOUK_CHAIN_POCO_POCO_H */
