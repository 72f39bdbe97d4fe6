/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IFACE_IFACE_H
#define SOUK_IFACE_IFACE_H

/* iface.h - the contract interface as data: every public function, event and revert of the market's
 * contracts, shared by the chain (which dispatches and emits from it) and the daemons (which encode
 * calls and recognise logs with it). The tables are method.def, event.def and revert.def. */

#include "base/base.h"

/* Kinds of contract that have functions of their own. A registry answers `registry` and the one of
 * its kind; an entry (app, dataset, workerpool) and the accounts of the factories answer theirs. */
enum contract {
    CONTRACT_hub,
    CONTRACT_token,
    CONTRACT_registry,
    CONTRACT_appRegistry,
    CONTRACT_datasetRegistry,
    CONTRACT_workerpoolRegistry,
    CONTRACT_app,
    CONTRACT_dataset,
    CONTRACT_workerpool,
    CONTRACT_groupFactory,
    CONTRACT_walletFactory,
    CONTRACT_inboxFactory,
    CONTRACT_group,
    CONTRACT_wallet,
    CONTRACT_inbox,
    CONTRACT_COUNT
};

enum method_flags { F_UNSERVED = 1, F_BOOST = 2 };

enum method {
    METHOD_NONE = 0,
#define METHOD(contract, id, ...) METHOD_##contract##_##id,
#include "iface/method.def"
#undef METHOD
    METHOD_COUNT
};

enum event {
#define EVENT(contract, id, ...) EVENT_##contract##_##id,
#include "iface/event.def"
#undef EVENT
    EVENT_COUNT
};

enum revert {
    REVERT_NONE = 0,
#define REVERT(id, text)          REVERT_##id,
#define ERROR(id, selector, sign) ERROR_##id,
#include "iface/revert.def"
#undef REVERT
#undef ERROR
    REVERT_COUNT
};

struct method_row {
    enum contract contract;
    uint32_t selector;
    uint32_t gas; /* the fixed part of the price of a call */
    uint32_t flags;
    bool view;
    const char *name;      /* unique within the contract */
    const char *signature; /* canonical, orders as tuples: keccak gives the selector */
    const char *returns;   /* types of the results, separated by commas; "" for none */
};

struct event_row {
    enum contract contract;
    struct hash topic;
    const char *name;
    const char *signature;
    const char *declaration; /* types, `indexed` and names of the arguments */
};

struct revert_row {
    uint32_t selector; /* 0x08c379a0 for a text */
    const char *text;  /* the reason, or the signature of a custom error */
    bool is_text;
};

#define SELECTOR_ERROR 0x08c379a0u /* Error(string) */
#define SELECTOR_PANIC 0x4e487b71u /* Panic(uint256) */

/* Rows live as long as the process. */
const struct method_row *iface_method(enum method id);
const struct event_row *iface_event(enum event id);
const struct revert_row *iface_revert(enum revert id);

/* The function of a contract with this selector; METHOD_NONE when it has none. */
enum method iface_find_method(enum contract contract, uint32_t selector);

/* The event of a contract with this first topic; false when it has none. */
bool iface_find_event(enum event *out, enum contract contract, struct hash topic);

/* The text or custom error that revert data stands for, for messages to people; REVERT_NONE when
 * the data is empty or unknown. */
enum revert iface_find_revert(struct bytes data);

#endif /* SOUK_IFACE_IFACE_H */
