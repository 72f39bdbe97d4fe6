/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_ENCLAVE_ENCLAVE_H
#define SOUK_DAEMON_ENCLAVE_ENCLAVE_H

/* enclave.h - the agent inside the TEE: one process, one task.
 *
 * It makes a key, gets evidence for it, asks the secret manager for the task's session (docs/sms.md),
 * fetches and decrypts the dataset and the requester's files, runs the application under the same
 * limits as any task, digests, encrypts the result for the beneficiary, uploads it, signs the
 * enclave challenge and writes a report for its worker. The worker is not trusted: what it hands
 * over is checked (image by digest, data by checksum), and it sees ciphertext, digest, signature.
 *
 * The agent is measured as the SHA-256 of its executable; with simulated evidence the measurement
 * is SHA-256("souk measurement v1" ‖ agent ‖ image digest).
 *
 * Where plaintext is: in this process (no core dump; run as root, not traceable) and in
 * a tmpfs of a mount namespace that no other process is in but the application. When that namespace
 * cannot be had, in a folder of mode 0700 that is removed afterwards; the report's notes say so.
 *
 * What simulated evidence does NOT protect: no hardware keeps the memory apart, so the machine's
 * administrator can read all of it, and whoever holds the development key can make the same
 * evidence for any program. tmpfs pages may reach swap. Only real evidence (tdx) from a machine
 * that runs this agent inside the TEE changes that. */

#include "crypto/secret.h"
#include "daemon/runtime/runtime.h"

/* --- evidence: one vtable, one file a kind --- */

struct evidence_request {
    uint8_t report_data[64]; /* what the evidence must state */
    struct hash agent, image;
};

struct evidence_provider {
    const char *kind; /* as attest/ names it */
    bool simulated;
    rc (*quote)(void *ctx, struct buf *evidence, const struct evidence_request *q, struct err *e);
    void *ctx;
};

/* key: borrowed, 32 bytes. */
struct evidence_provider evidence_simulated(const struct secret *key);

/* Linux's configfs-tsm (/sys/kernel/config/tsm/report): TDX, SEV-SNP, CCA, whatever the guest's
 * driver offers. folder: NULL for that place. */
struct evidence_provider evidence_tsm(const char *folder);

/* --- the agent --- */

struct enclave_config {
    const char *sms;     /* secretProvisioningUrl of the session */
    const char *session; /* sessionId */
    const char *image;   /* the application's image file */
    const char *work;    /* folder for this task alone; made 0700, removed afterwards */
    const char *store;   /* IPFS API, for the result */
    const char *gateway; /* IPFS gateway, for the dataset */
    const struct evidence_provider *provider;
    struct run_limits limits;
    uint64_t data_max;    /* bytes of the dataset, and of each input file */
    const int *cancel_fd; /* readable: stop; NULL: none */
};

/* Does everything and writes the report, one JSON object; it is written for failures of the task
 * too, with "ok": false and the cause. Call it in a process of its own: it leaves the mount namespace
 * and makes the process untraceable. An error only when not even the report could be made. */
rc enclave_run(const struct enclave_config *cfg, struct buf *report, struct err *e);

/* --- the report, read by the worker --- */

#define ENCLAVE_REPORT_MAX ((size_t)4 << 20)

struct enclave_report {
    bool ok; /* digest and signature are there */
    struct hash task;
    struct address worker, challenge;
    const char *cause;   /* SPEC offchain 5, 6: "PRE_COMPUTE_…", "APP_…"; "" when ok */
    const char *message; /* sentence; "" when ok */
    bool away;           /* not ok because a service does not answer now: another try may do */
    int exit_code;       /* of the application; -1: it did not run */
    struct hash digest, result_hash, result_seal;
    uint8_t signature[65];     /* of the enclave over both, EIP-191 */
    const char *link;          /* what goes on the chain: "{ \"storage\": …" */
    struct bytes callback;     /* n 0: none */
    bool encrypted;            /* the result can be opened by the beneficiary alone */
    const char *out, *err;     /* tails of the logs; "" when encrypted: they are in the result */
    const char *notes;         /* lines about limits and places */
    const char *kind;          /* of the evidence */
    bool simulated;            /* no hardware stands behind it */
    const char *evidence_json; /* the object for the receipt, as text: kind, simulated, evidence
                                    (base64), sessionId, taskId, nonce, publicKey, image, agent */
};

rc enclave_report_parse(struct enclave_report *out, struct arena *a, struct bytes json,
                        struct err *e);

/* For the worker: starts `souk enclave` as a child that dies with us, waits, reads the report.
 * tee_key: file of the development key (simulated evidence); NULL: configfs-tsm. */
rc enclave_spawn(struct enclave_report *out, struct arena *a, const struct enclave_config *cfg,
                 const char *tee_key, struct err *e);

#endif /* SOUK_DAEMON_ENCLAVE_ENCLAVE_H */
