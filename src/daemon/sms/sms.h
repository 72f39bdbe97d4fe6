/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_SMS_SMS_H
#define SOUK_DAEMON_SMS_SMS_H

/* sms.h - the secret manager: keeps the secrets of owners, app developers and requesters, and gives
 * a task's secrets to the enclave that runs it, after its evidence passed attest/ and the deal was
 * read on the chain. docs/sms.md has the protocol. SPEC sdk-surface 5, offchain 4. */

#include "attest/attest.h"
#include "base/buf.h"
#include "crypto/secret.h"
#include "io/loop.h"

struct sms;

/* --- the provisioning protocol: shared by the secret manager and the enclave agent -------------
 *
 * The worker gets {sessionId, secretProvisioningUrl} from POST /tee/sessions and hands both to the
 * agent, which
 *   1. POST {url}/provision/{sessionId}/nonce                                   (no body)
 *        200 {"sessionId", "taskId", "nonce": "0x…32", "expiresInS": 60}
 *   2. makes a secp256k1 key and gets evidence whose report data is provision_report_data();
 *   3. POST {url}/provision/{sessionId}/secrets
 *        {"nonce": "0x…32", "publicKey": "0x…64", "image": "0x…32", "agent": "0x…32",
 *         "evidence": "base64", "collateral": [{"name", "data": "base64"}…] (may be absent)}
 *        200 {"sessionId", "taskId", "simulated": bool, "warning": "SIMULATED: no hardware" or "",
 *             "publicKey": "0x…64", "sealed": "base64"}
 *        else {"error": CODE, "message": sentence, "link": link of the verdict that broke}
 *   4. opens `sealed` with provision_open(): UTF-8 JSON
 *        {"version": 1, "sessionId", "simulated", "task": {…},
 *         "services": [{"name": "pre-compute" | "app" | "post-compute", "environment": {…}}…]}
 *
 * `image` is the digest of the root filesystem that the agent starts: it must be the application's
 * checksum on the chain. `agent` is the SHA-256 of the agent's own program. */

#define PROVISION_BODY_MAX    ((size_t)1 << 20) /* evidence, collateral and base64 around them */
#define PROVISION_SESSION_MAX 80                /* characters of a session id */
#define PROVISION_NONCE_S     60                /* a nonce is good for so long, and once */

struct provision_binding {
    const char *session;
    struct hash task, nonce;
    uint8_t public_key[64]; /* x ‖ y of the agent's key for this session */
    struct hash image;
};

/* SHA-256 of "souk provisioning v1" ‖ session ‖ task ‖ nonce ‖ public key ‖ image, then 32 zeroes. */
void provision_report_data(uint8_t out[64], const struct provision_binding *b);

/* The measurement that simulated evidence must state: SHA-256 of "souk measurement v1" ‖ agent ‖
 * image. Hardware measures the agent alone; there the policy names it, and the agent vouches for
 * the image in the report data. */
struct hash provision_measurement(struct hash agent, struct hash image);

/* Seals for the agent's key: a fresh key pair is made, *ephemeral gets its public half. AES-256-GCM
 * under HKDF-SHA256(ECDH, salt nonce, info "souk provisioning v1" ‖ ephemeral ‖ public key); the
 * session id and the task are authenticated. */
rc provision_seal(struct buf *out, uint8_t ephemeral[64], const struct provision_binding *b,
                  const struct secret *plain);

/* The inverse, with the agent's private key. DENIED when anything differs. */
rc provision_open(struct secret *plain, const struct secret *key, const uint8_t ephemeral[64],
                  const struct provision_binding *b, struct bytes sealed);

/* --- the service ----------------------------------------------------------------------------- */

struct sms_config {
    const char *dir;      /* database; made when it is not there; one process at a time */
    const char *key_file; /* storage keys, not in dir; NULL: the environment's SOUK_SMS_KEY */
    const char *listen;   /* "127.0.0.1:13350" */
    const char *node;     /* JSON-RPC of the chain */
    struct address hub;
    const struct attest_policy *policy; /* outlives the service, as anchors and collateral do */
    const struct attest_anchor *anchor; /* beside the vendors' roots */
    size_t n_anchor;
    const struct attest_item *item; /* vendor collateral offered to the verifier */
    size_t n_item;
    const char *const *agents;   /* 0x…32: agents that may ask under simulated evidence */
    size_t n_agents;             /* 0: only the agent of this build, the running program */
    const char *framework;       /* "TDX", "SCONE", "GRAMINE": what GET /tee/framework says */
    const char *properties_file; /* JSON of GET /tee/properties/…; NULL: empty images */
    const char *provision_url;   /* told to workers; NULL: our own URL */
    const char *gateway;         /* of the store, where lists of bulk datasets are; NULL: none */
    uint64_t at;                 /* Unix seconds: pinned time for tests; 0: the clock */
    uint64_t session_ttl_s;      /* 0: 5 days */
};

rc sms_open(struct sms **out, struct loop *l, const struct sms_config *cfg, struct err *e);
void sms_close(struct sms *s); /* NULL is allowed */
const char *sms_url(const struct sms *s);

/* `souk sms rotate`: seals every row again under a new key. With a key file: makes the key, writes
 * it in front of the file, converts, takes the old ones out. With the environment: converts to the
 * first key of SOUK_SMS_KEY. A kill at any moment loses nothing. *rows: how many were converted. */
rc sms_rotate(const char *dir, const char *key_file, uint64_t *rows, struct err *e);

/* `souk sms audit`: the newest `max` releases and refusals, one JSON object a line, newest last. Also
 * while the service runs; needs no key, as nothing secret is in them. */
rc sms_audit(struct buf *out, const char *dir, uint64_t max, struct err *e);

#endif /* SOUK_DAEMON_SMS_SMS_H */
