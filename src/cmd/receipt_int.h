/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_RECEIPT_INT_H
#define SOUK_CMD_RECEIPT_INT_H

/* receipt_int.h - the receipt of a task: one JSON file that proves, without any node, what was agreed,
 * what was computed, and who was paid. docs/receipt.md has the format. receipt.c makes it from a node;
 * receipt_show.c checks and explains it. */

#include "attest/attest.h"
#include "cmd/session.h"
#include "encoding/mpt.h"
#include "encoding/tx.h"

enum { RECEIPT_TXS_MAX = 64, RECEIPT_LOGS_MAX = 64, RECEIPT_VERSION = 1 };

#define RECEIPT_FILE_MAX ((size_t)16 << 20)

struct proven_log {
    struct address emitter;
    struct hash topics[4];
    size_t topics_n;
    struct bytes data;
};

/* A transaction whose place in its block has been proven. */
struct proven_tx {
    uint64_t block, timestamp, index;
    struct hash block_hash, hash;
    struct eth_tx tx;
    struct address from;
    bool ok;
    struct proven_log logs[RECEIPT_LOGS_MAX];
    size_t logs_n;
};

struct proven {
    uint64_t chain_id;
    struct address hub;
    struct hash domain, deal, task;
    uint64_t index;
    struct proven_tx txs[RECEIPT_TXS_MAX];
    size_t n;
    const json_t *evidence; /* borrowed; NULL: none */
};

/* Reads a receipt and checks every proof and transaction signature in it. DENIED names what does not
 * hold. Views live in `a`. */
rc receipt_check(struct proven *out, struct arena *a, const json_t *file, struct err *e);

/* What a check says, one line each, and whether all of them hold. */
struct receipt_lines {
    json_t *list; /* [{"ok", "text"}] */
    bool good;
};

void receipt_line(struct receipt_lines *out, bool ok, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* What the reader trusts of enclaves; given: false when no option says so. */
struct receipt_judge {
    bool given;
    struct attest_policy policy;
    const struct attest_item *item;
    size_t n_item;
    const struct attest_anchor *anchor;
    size_t n_anchor;
};

/* One line for each piece of evidence: does it bind the task, what does the policy say of it. */
void receipt_evidence(struct receipt_lines *out, const struct proven *p, struct arena *a,
                      const struct receipt_judge *how);

/* What the proven transactions say, for people: 0 everything holds, 1 something does not. */
int receipt_explain(const struct proven *p, struct arena *a, const struct receipt_judge *how,
                    bool json);

#endif /* SOUK_CMD_RECEIPT_INT_H */
