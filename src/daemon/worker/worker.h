/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_WORKER_WORKER_H
#define SOUK_DAEMON_WORKER_WORKER_H

/* worker.h - one wallet that runs tasks of one workerpool. The parent process asks the scheduler for
 * work and starts a child for each piece of it; a child checks the authorisation against the chain,
 * fetches what the task needs, runs it through daemon/runtime, contributes, reveals, uploads.
 *
 * Before it contributes it writes down what it needs to reveal: it may be killed at any moment and
 * goes on there, or starts the task again. It never looks at the machine's clock: deadlines are
 * compared with the chain's time. The stake is the wallet owner's business. */

#include "daemon/client/client.h"

struct worker_config {
    const char *state;     /* folder: journals, caches; made when it is not there */
    const char *node;      /* JSON-RPC */
    struct address hub;    /* zero: asked of the node */
    const char *scheduler; /* URL */
    const char *store;     /* IPFS API, for uploads */
    const char *gateway;   /* IPFS gateway, for downloads */
    const char *sms;       /* secret manager; NULL: the one that the scheduler names */
    const char *tee_key;   /* key file of simulated evidence; NULL: no enclave tasks */
    const char *name;      /* shown to the pool; NULL: the host's name */
    struct signer *signer;
    uint64_t slots;      /* tasks at a time */
    uint64_t memory_max; /* bytes for each task; 0: the runtime's default */
    uint64_t data_max;   /* bytes of one image, dataset or input file */
    uint64_t cache_max;  /* bytes of datasets kept */
    bool lie; /* for demonstrations and tests of the consensus: contributes a wrong digest */
};

/* Serves until SIGTERM or SIGINT. on_ready runs once, when the scheduler has accepted the login; its
 * failure ends the worker. DENIED when the scheduler refuses the wallet. */
rc worker_serve(const struct worker_config *given, rc (*on_ready)(void *ctx, struct err *e),
                void *ctx, struct err *e);

#endif /* SOUK_DAEMON_WORKER_WORKER_H */
