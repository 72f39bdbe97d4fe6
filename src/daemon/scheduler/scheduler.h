/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_SCHEDULER_SCHEDULER_H
#define SOUK_DAEMON_SCHEDULER_SCHEDULER_H

/* scheduler.h - the brain of one workerpool. It follows the chain for deals of its pool, initializes
 * their tasks, hands them to workers as often as trust demands (SPEC offchain 1.4), watches the
 * deadlines by the chain's own time, and finalizes, reopens or claims.
 *
 * The chain is the truth and SQLite remembers what the chain does not say: who was given what, where
 * results lie, logs of tasks. It may be killed at any moment. Its wallet must own the workerpool. */

#include "daemon/client/client.h"

struct scheduler;

struct scheduler_config {
    const char *state;  /* folder of the database; made when it is not there */
    const char *listen; /* "127.0.0.1:13000" */
    struct client *chain;
    const struct signer *signer;
    struct address workerpool;
    const char *sms;     /* URL; NULL: tasks that need an enclave are refused */
    const char *gateway; /* of the store: results are looked up before they are named on the chain;
                              NULL: the worker's word is taken */
    const char *allowlist; /* file with one worker address a line; NULL: every worker */
    uint64_t from_block;   /* where a first start begins to look for deals */
};

/* DENIED when the wallet does not own the pool; IO while the chain is away. cfg's strings, client and
 * signer must outlive the scheduler. */
rc scheduler_open(struct scheduler **out, struct loop *l, const struct scheduler_config *cfg,
                  struct err *e);
const char *scheduler_url(const struct scheduler *s);
void scheduler_close(struct scheduler *s); /* NULL is allowed */

/* --- the replication rule, SPEC offchain 1.4 --- */

enum vote_state {
    VOTE_PENDING,     /* given out, not contributed */
    VOTE_CONTRIBUTED, /* with this hash */
    VOTE_FAILED,
};

struct vote {
    enum vote_state state;
    struct hash hash;   /* of a contribution */
    uint64_t weight;    /* 0 is ignored */
    uint64_t created_s; /* chain time */
};

/* weight = max(score / 3, 3) - 1 */
uint64_t vote_weight(struct u256 score);

/* True when the votes given out may reach consensus without one more worker. */
bool consensus_possible(uint64_t trust, const struct vote *v, size_t n, uint64_t now_s,
                        uint64_t max_execution_s);

#endif /* SOUK_DAEMON_SCHEDULER_SCHEDULER_H */
