/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_SMS_SMS_INT_H
#define SOUK_DAEMON_SMS_SMS_INT_H

/* sms_int.h - inside the secret manager.
 *
 * A request becomes a job. Handlers check what needs nothing but the request (format, signatures)
 * and queue the job; at the end of each round of the loop all jobs are worked off together: what
 * they need from the chain in one call, one database transaction, one commit, then the answers. So
 * a burst of pushes costs one fsync, and an answer means that it is on disk. */

#include "attest/attest.h"
#include "daemon/client/client.h"
#include "daemon/sms/sms.h"
#include "io/db.h"
#include "io/http_server.h"

/* --- storage keys (keys.c) -------------------------------------------------------------------- */

enum { KEYS_MAX = 8, KEY_ID_SIZE = 8 };

struct keyring {
    struct secret key[KEYS_MAX]; /* 32 bytes each; the first one seals */
    uint8_t id[KEYS_MAX][KEY_ID_SIZE];
    size_t n;
};

/* From the file, which must be its owner's alone and not in dir, or from SOUK_SMS_KEY. When the
 * file is not there and `create`, makes it. */
rc keyring_open(struct keyring *k, const char *key_file, const char *dir, bool create,
                struct err *e);
rc keyring_parse(struct keyring *k, struct bytes text, struct err *e);
rc keyring_write(const struct keyring *k, const char *key_file, struct err *e);
rc keyring_put_front(struct keyring *k); /* a new random key; LIMIT when there is no room */
void keyring_free(struct keyring *k);

/* key id ‖ AES-256-GCM. `place` is authenticated: a sealed value opens only where it belongs. */
rc keyring_seal(const struct keyring *k, struct buf *out, struct bytes place, struct bytes plain);

/* DENIED: changed, of another place, or of a key that is not in the ring. */
rc keyring_unseal(const struct keyring *k, struct secret *out, struct bytes place,
                  struct bytes sealed);

/* --- the database (vault.c) ------------------------------------------------------------------- */

enum secret_kind { /* on disk: never renumber */
                   SECRET_WEB3 = 1,
                   SECRET_WEB2 = 2,
                   SECRET_APP = 3,
                   SECRET_REQUESTER = 4,
};

enum { SECRET_VALUE_MAX = 4096 }; /* bytes; SPEC sdk-surface 5 */

struct secret_id {
    enum secret_kind kind;
    struct address owner; /* web3: the contract; app: the application */
    const char *name;     /* web3: ""; app: "1" */
};

struct session {
    char id[PROVISION_SESSION_MAX + 1];
    struct hash task, deal;
    struct address worker, challenge; /* challenge: address of the enclave's signing key */
    uint8_t auth[65];                 /* the pool owner's signature */
    uint64_t expires_s;
    bool has_nonce;
    struct hash nonce;
    uint64_t nonce_at_ms;
};

struct audit {
    const char *session;
    struct hash task;
    struct address worker;
    const char *outcome; /* "released", or the error code */
    const char *reason;
    const char *kind; /* of evidence; NULL: none was looked at */
    bool simulated;
};

struct vault;

rc vault_open(struct vault **out, const char *dir, const struct keyring *k, struct err *e);
void vault_close(struct vault *v);
rc vault_begin(struct vault *v, struct err *e);
rc vault_commit(struct vault *v, struct err *e);
void vault_rollback(struct vault *v);

/* One round's statements. NOT_FOUND, DENIED (exists already) are answers, IO and CORRUPT failures. */
rc vault_has(struct vault *v, const struct secret_id *id, struct err *e);
rc vault_get(struct vault *v, struct secret *out, const struct secret_id *id, struct err *e);
rc vault_put(struct vault *v, const struct secret_id *id, struct bytes plain, bool replace,
             struct err *e);

/* The address of the task's signing key, made on the first call. */
rc vault_challenge(struct vault *v, struct address *out, struct hash task, uint64_t deadline_s,
                   struct err *e);
rc vault_challenge_key(struct vault *v, struct secret *out, struct address *addr, struct hash task,
                       struct err *e);

rc vault_session_add(struct vault *v, const struct session *s, uint64_t now_s, struct err *e);
rc vault_session_get(struct vault *v, struct session *out, const char *id, struct err *e);
rc vault_session_nonce(struct vault *v, const char *id, const struct hash *nonce, uint64_t at_ms,
                       struct err *e); /* nonce NULL: used up */
rc vault_audit(struct vault *v, const struct audit *a, uint64_t now_s, struct err *e);
rc vault_purge(struct vault *v, uint64_t now_s, struct err *e); /* what has expired */

/* Seals every row under the ring's first key; one transaction. */
rc vault_reseal(struct vault *v, uint64_t *rows, struct err *e);

/* --- jobs ---------------------------------------------------------------------------------------- */

struct sms;
struct job;

/* What a job needs to know from the chain before it runs. */
enum need { NEED_NOTHING, NEED_OWNER, NEED_TASK };

struct job {
    struct job *next;
    struct http_req *r;                        /* NULL: the client has left */
    void (*run)(struct sms *s, struct job *j); /* inside the transaction; ends in job_answer() */
    enum need need;
    struct address contract; /* NEED_OWNER */
    struct hash task;        /* NEED_TASK */

    /* from the chain */
    rc chain; /* OK, NOT_FOUND (no such contract or task), IO (away) */
    struct address owner;
    struct view_task view;

    /* what the handler parsed */
    struct secret_id secret;
    struct bytes value; /* in the request's body: wiped after the round */
    struct address signer;
    struct session session;
    struct provision_req *provision;

    /* the answer */
    int status;
    const char *type;
    struct buf body;
    bool write_failed;
};

struct sms_stats {
    uint64_t pushes, sessions, nonces, released, refused, challenges, rounds, chain_errors;
};

struct deal_slot;

struct sms {
    struct loop *loop;
    struct loop_hook hook;
    struct loop_timer purge;
    struct http_server *http;
    struct client *chain;
    struct vault *vault;
    struct keyring keys;
    int lock_fd;
    struct job *first, **last;
    uint64_t chain_away_until_ms;
    struct arena scratch; /* of one verification */
    struct arena round;   /* what the chain said, for the jobs of this round */
    struct deal_slot *deals;

    struct arena cfg_arena;
    const struct attest_policy *policy;
    const struct attest_anchor *anchor;
    size_t n_anchor;
    const struct attest_item *item;
    size_t n_item;
    struct hash *agent;
    size_t n_agent;
    const char *framework, *provision_url, *gateway;
    json_t *properties;
    uint64_t at, session_ttl_s;
    struct sms_stats m;
};

uint64_t sms_now_s(const struct sms *s); /* the clock, or the pinned time */

/* Queues a job for the end of the round; it belongs to the request's arena. */
struct job *job_new(struct sms *s, struct http_req *r, void (*run)(struct sms *s, struct job *j));
void job_text(struct job *j, int status, const char *text);
void job_error(struct job *j, int status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5); /* {"error": code, "message": …} */

/* Policy, anchors, collateral, agents, properties (settings.c). */
rc sms_settings(struct sms *s, const struct sms_config *cfg, struct err *e);

void deals_free(struct sms *s);

/* The chain did not answer: not the same as an answer that says no. */
static inline bool sms_is_away(rc r)
{
    return !rc_ok(r) && r.code != RC_CODE_NOT_FOUND && r.code != RC_CODE_DENIED;
}

/* A deal; from the cache unless fresh. Lives until the end of the round. */
rc sms_deal(struct sms *s, const struct view_deal **out, struct hash id, bool fresh, struct err *e);

/* --- checks (auth.c) ------------------------------------------------------------------------------ */

/* The challenges that secrets' owners sign; SPEC sdk-surface 5. */
struct hash auth_web3(struct address contract, struct bytes value);
struct hash auth_named(struct address owner, const char *name, struct bytes value);

/* keccak256(worker ‖ task ‖ enclave challenge); SPEC offchain 0. */
struct hash auth_worker(struct address worker, struct hash task, struct address challenge);

/* Who signed the challenge with personal_sign, from the Authorization header; MALFORMED, DENIED. */
rc auth_signer(struct address *out, const char *header, struct hash challenge);

bool utf8_is_valid(struct bytes b);

/* Request bodies: POST /tee/sessions; POST /provision/…/secrets and /attest/verify (into the arena). */
rc session_parse(struct session *out, struct bytes body, struct err *e);
rc provision_parse(struct provision_req **out, struct arena *a, struct bytes body, bool verify,
                   struct err *e);

/* --- endpoints -------------------------------------------------------------------------------------- */

void on_web3(void *ctx, struct http_req *r);
void on_web2(void *ctx, struct http_req *r);
void on_app(void *ctx, struct http_req *r);
void on_requester(void *ctx, struct http_req *r);
void on_challenge(void *ctx, struct http_req *r);
void on_session(void *ctx, struct http_req *r);
void on_framework(void *ctx, struct http_req *r);
void on_properties(void *ctx, struct http_req *r);
void on_nonce(void *ctx, struct http_req *r);
void on_secrets(void *ctx, struct http_req *r);
void on_verify(void *ctx, struct http_req *r);

/* The datasets of a bulk task (bulk.c); in the round's arena. */
struct bulk_item {
    struct address dataset;
    bool fits; /* the hub accepts the order for the deal */
    struct view_dataset view;
};

struct bulk {
    struct bulk_item *item;
    size_t n;
};

rc bulk_read(struct sms *s, struct bulk *out, const char *root_cid, uint64_t index,
             struct hash deal, struct err *e);

/* What goes to the enclave (contents.c): the JSON inside `sealed`. *missing names the session error
 * when a secret that the deal needs is not there. */
struct contents {
    const struct session *session;
    const struct view_task *task;
    const struct view_deal *deal;
    const struct view_app *app;
    const struct view_dataset *dataset; /* NULL: the deal has none */
    bool simulated;
};

/* NOT_FOUND with *missing set; LIMIT. */
rc contents_make(struct sms *s, struct secret *out, const struct contents *c, const char **missing,
                 struct err *e);

/* The same check without making anything, for POST /tee/sessions. NULL: nothing is missing. */
rc contents_check(struct sms *s, const struct view_deal *deal, struct address worker,
                  const char **missing, struct err *e);

#endif /* SOUK_DAEMON_SMS_SMS_INT_H */
