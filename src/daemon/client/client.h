/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_CLIENT_CLIENT_H
#define SOUK_DAEMON_CLIENT_CLIENT_H

/* client.h - what daemons and commands need to use the market: key files, the chain through
 * Ethereum JSON-RPC (calls, typed views, transactions, logs), orders in their JSON form, and the
 * REST services of the market, the secret manager and the store.
 *
 * A struct client belongs to one thread. Calls block, each with a deadline. What a chain answers is
 * parsed strictly; the codes are: IO or LIMIT when the chain is away or slow (try again later),
 * DENIED when a call or transaction is refused or reverts ("reverted: …"), NOT_FOUND, MALFORMED. */

#include "base/arena.h"
#include "crypto/secret.h"
#include "iface/iface.h"
#include "iface/order.h"
#include "io/http_client.h"
#include "io/json.h"
#include "io/loop.h"

/* --- keys ------------------------------------------------------------------------------------ */

/* Reads a private key: 64 hex digits ("0x" allowed) in a file that only its owner may read, or Web3
 * Secret Storage version 3 (JSON), which needs the password. */
rc key_file_read(struct secret *key, const char *path, const struct secret *password,
                 struct err *e);

/* Writes a new key file, mode 0600; DENIED when the file exists. With a password: version 3 with
 * scrypt; without: plain hex, for keys of development only. */
rc key_file_create(const char *path, const struct secret *key, const struct secret *password,
                   struct err *e);

/* The text of a version 3 file, and its inverse (DENIED: wrong password). */
rc key_json_put(struct buf *out, const struct secret *key, const struct secret *password,
                struct err *e);
rc key_json_parse(struct secret *key, struct bytes text, const struct secret *password,
                  struct err *e);

/* The first line of a file that only its owner may read. */
rc password_file_read(struct secret *out, const char *path, struct err *e);

/* One account that signs. `lock` names a file that processes which share the account lock while
 * they take a nonce and send; NULL when there is only one. */
struct signer {
    struct secret key;
    struct address address;
    const char *lock;
};

/* The key of a file and its address; the caller frees with signer_free(). */
rc signer_open(struct signer *s, const char *path, const struct secret *password, struct err *e);
void signer_free(struct signer *s);

#define SIGNER_FREE __attribute__((cleanup(signer_free))) struct signer

/* personal_sign of 32 bytes (EIP-191), and a plain signature of a digest; r ‖ s ‖ v. */
rc sign_message(uint8_t out[65], const struct signer *s, struct hash message);
rc sign_digest(uint8_t out[65], const struct signer *s, struct hash digest);

/* --- the chain ------------------------------------------------------------------------------- */

struct client;

struct client_config {
    const char *url;     /* of the JSON-RPC server */
    struct address hub;  /* zero: calls of the hub fail */
    uint64_t timeout_ms; /* of one call; 0: 10 s */
};

/* Does not talk to the chain yet. */
rc client_open(struct client **out, const struct client_config *cfg, struct err *e);
void client_close(struct client *c); /* NULL is allowed */

/* For a process about to fork: what every child would ask anew is asked now (hub, chain id, fees);
 * client_open_child() gives a child a client of its own that knows it. */
rc client_prepare(struct client *c, struct err *e);
rc client_open_child(struct client **out, const struct client *parent, struct err *e);
struct address client_hub(const struct client *c);
struct http_client *client_http(struct client *c);
const char *client_url(const struct client *c);

/* Waits until the chain answers, at most timeout_ms. */
rc client_wait_ready(struct client *c, uint64_t timeout_ms, struct err *e);

rc client_chain_id(struct client *c, uint64_t *out, struct err *e);  /* asked once */
rc client_domain(struct client *c, struct hash *out, struct err *e); /* EIP-712, of the hub */

/* One method; takes the reference of params (NULL: []); *result is a new reference. */
rc client_rpc(struct client *c, json_t **result, const char *method, json_t *params, struct err *e);

struct client_rpc_item {
    const char *method;
    json_t *params; /* taken; NULL: [] */
    json_t *result; /* the caller drops it; NULL when r says no */
    rc r;
    struct err err;
};

#define CLIENT_BATCH_MAX 100 /* entries that nodes accept in one request; more are cut up */

/* Many methods in one request. The rc is that of the transport; each item has its own. */
rc client_rpc_batch(struct client *c, struct client_rpc_item *items, size_t n, struct err *e);

struct client_head {
    uint64_t number, timestamp; /* of the newest block: the time that deadlines are compared with */
    struct hash hash;
    struct u256 base_fee; /* zero when there is none */
    uint64_t gas_limit;
};

rc client_head(struct client *c, struct client_head *out, struct err *e);
rc client_block_at(struct client *c, struct client_head *out, uint64_t number, struct err *e);

/* The time that a block made now would have, in seconds: of the pending block, where the node has
 * one, and of the newest otherwise. */
rc client_time(struct client *c, uint64_t *out, struct err *e);

/* Asks the node where the hub is, unless the configuration said so: calls of the hub do it too. */
rc client_find_hub(struct client *c, struct err *e);

/* --- contract calls -------------------------------------------------------------------------- */

/* Starts call data: the selector, then the arguments are put into the result. */
struct abi_out call_begin(struct buf *data, enum method m, size_t head_words);

/* eth_call on the newest block; appends the returned bytes. */
rc client_call(struct client *c, struct buf *out, struct address to, struct bytes data,
               struct err *e);

struct client_call_item {
    struct address to;
    struct bytes data;
    struct bytes out; /* in the arena */
    rc r;
    struct err err;
};

rc client_call_batch(struct client *c, struct client_call_item *items, size_t n, struct arena *a,
                     struct err *e);

/* --- views of the hub: SPEC poco 8. Variable parts live in the arena ---------------------------- */

struct view_owned {
    struct address pointer, owner;
    struct u256 price;
};

struct view_deal {
    struct view_owned app, dataset, workerpool;
    struct u256 trust, category;
    struct hash tag;
    struct address requester, beneficiary, callback;
    struct bytes params; /* NUL behind it */
    uint64_t start_time, bot_first, bot_size;
    struct u256 worker_stake, scheduler_reward_ratio;
    struct address sponsor;
};

enum task_status { /* SPEC poco 7 */
                   TASK_UNSET = 0,
                   TASK_ACTIVE = 1,
                   TASK_REVEALING = 2,
                   TASK_COMPLETED = 3,
                   TASK_FAILED = 4,
};

enum contribution_status {
    CONTRIBUTION_UNSET = 0,
    CONTRIBUTION_CONTRIBUTED = 1,
    CONTRIBUTION_PROVED = 2,
    CONTRIBUTION_REJECTED = 3,
};

struct view_task {
    enum task_status status;
    struct hash dealid;
    uint64_t idx, timeref, contribution_deadline, reveal_deadline, final_deadline;
    struct hash consensus_value;
    uint64_t reveal_counter, winner_counter;
    const struct address *contributors;
    size_t n_contributors;
    struct hash result_digest;
    struct bytes results, results_callback;
};

struct view_contribution {
    enum contribution_status status;
    struct hash result_hash, result_seal;
    struct address enclave_challenge;
    struct u256 weight;
};

struct view_account {
    struct u256 stake, locked;
};

struct view_category {
    struct bytes name, description;
    uint64_t work_clock_time_ref; /* seconds */
};

struct view_app {
    struct address owner;
    struct bytes name, type, multiaddr;
    struct hash checksum;
    struct bytes mrenclave;
};

struct view_dataset {
    struct address owner;
    struct bytes name, multiaddr;
    struct hash checksum;
};

struct view_workerpool {
    struct address owner;
    struct bytes description;
    struct u256 worker_stake_ratio, scheduler_reward_ratio;
};

/* NOT_FOUND when there is no such deal, or the task was never initialized. */
rc client_view_deal(struct client *c, struct view_deal *out, struct arena *a, struct hash id,
                    struct err *e);
rc client_view_task(struct client *c, struct view_task *out, struct arena *a, struct hash id,
                    struct err *e);
rc client_view_contribution(struct client *c, struct view_contribution *out, struct hash task,
                            struct address worker, struct err *e);
rc client_view_account(struct client *c, struct view_account *out, struct address who,
                       struct err *e);
rc client_view_score(struct client *c, struct u256 *out, struct address worker, struct err *e);
rc client_view_consumed(struct client *c, struct u256 *out, struct hash order, struct err *e);
rc client_view_category(struct client *c, struct view_category *out, struct arena *a, uint64_t id,
                        struct err *e);
rc client_view_app(struct client *c, struct view_app *out, struct arena *a, struct address app,
                   struct err *e);
rc client_view_dataset(struct client *c, struct view_dataset *out, struct arena *a,
                       struct address dataset, struct err *e);
rc client_view_workerpool(struct client *c, struct view_workerpool *out, struct arena *a,
                          struct address workerpool, struct err *e);

/* owner() of any contract: an asset, a registry, the hub. */
rc client_owner(struct client *c, struct address *out, struct address contract, struct err *e);

/* token(), appregistry(), datasetregistry(), workerpoolregistry(), teebroker() and the like: any
 * function of the hub without arguments that returns one address or one number. */
rc client_hub_address(struct client *c, struct address *out, enum method m, struct err *e);
rc client_hub_number(struct client *c, struct u256 *out, enum method m, struct err *e);

/* verifyPresignatureOrSignature() of the hub: false also for a signature of another length. */
rc client_verify(struct client *c, bool *out, struct address account, struct hash hash,
                 struct bytes sign, struct err *e);

/* The returned bytes of these views. */
rc view_deal_parse(struct view_deal *out, struct arena *a, struct bytes data);
rc view_task_parse(struct view_task *out, struct arena *a, struct bytes data);

/* True for the TEE bit of a tag; SPEC poco 5. */
static inline bool tag_is_tee(struct hash tag)
{
    return (tag.b[31] & 1) != 0;
}

/* --- transactions ---------------------------------------------------------------------------- */

struct client_tx {
    struct address to;
    struct bytes data;
    struct u256 value;
    uint64_t gas;     /* 0: the node's estimate and a quarter, which also finds reverts early */
    struct hash hash; /* out */
    rc r;             /* out: what the node said */
    struct err err;
};

/* Signs and sends n transactions with nonces in a row, in one request. Legacy (EIP-155) where blocks
 * have no base fee, EIP-1559 otherwise. The rc is not OK when any was not accepted: see each. */
rc client_send(struct client *c, const struct signer *s, struct client_tx *txs, size_t n,
               struct err *e);

struct client_log {
    struct address address;
    struct hash topics[4];
    size_t n_topics;
    struct bytes data;
    uint64_t block, index; /* index: of the log in the block */
    struct hash block_hash, tx_hash;
    enum event event; /* of the hub, when `known` */
    bool known;
};

struct client_receipt {
    bool ok; /* status 1 */
    uint64_t block, gas_used;
    struct hash block_hash;
    struct address created;
    const struct client_log *logs;
    size_t n_logs;
};

/* The receipt when there is one already: NOT_FOUND otherwise. */
rc client_receipt(struct client *c, struct client_receipt *out, struct arena *a, struct hash tx,
                  struct err *e);

/* Waits for the receipt: LIMIT when there is none after timeout_ms, DENIED with the revert's reason
 * when the transaction failed (the receipt is filled in then too). */
rc client_wait(struct client *c, struct client_receipt *out, struct arena *a,
               const struct client_tx *tx, struct address from, uint64_t timeout_ms, struct err *e);

/* One transaction, sent and waited for. */
rc client_transact(struct client *c, struct client_receipt *out, struct arena *a,
                   const struct signer *s, struct client_tx *tx, uint64_t timeout_ms,
                   struct err *e);

/* The first log of this event of the hub; NULL when there is none. */
const struct client_log *receipt_find(const struct client_receipt *r, enum event ev);

/* matchOrders, sent and waited for; *dealid and *volume (may be NULL) from its OrdersMatched. */
rc client_match(struct client *c, struct hash *dealid, uint64_t *volume, const struct signer *s,
                const struct orders *o, uint64_t timeout_ms, struct err *e);

/* The signed bytes of a transaction, for tests and offline use. */
struct tx_fees {
    bool eip1559;
    struct u256 price, tip; /* gas price, or maximum fee and priority fee */
};

rc tx_sign(struct buf *out, struct hash *hash, const struct signer *s, uint64_t chain_id,
           uint64_t nonce, const struct tx_fees *fees, const struct client_tx *tx);

/* --- logs ------------------------------------------------------------------------------------ */

struct client_filter {
    struct address address;
    struct address also[8]; /* logs of these contracts too */
    size_t n_also;
    struct hash topic0[16]; /* any of these */
    size_t n_topic0;
    struct hash topic1; /* zero: any */
    uint64_t from, to;  /* blocks, both included */
};

#define CLIENT_LOGS_MAX 20000 /* in one answer */

rc client_logs(struct client *c, const struct client_log **out, size_t *n, struct arena *a,
               const struct client_filter *f, struct err *e);
rc client_logs_parse(const struct client_log **out, size_t *n, struct arena *a, const json_t *list,
                     struct err *e);
rc client_receipt_parse(struct client_receipt *out, struct arena *a, const json_t *v,
                        struct err *e);

/* Where a follower is: plain data that its owner stores with what it learned, so that both survive
 * a kill together. The newest blocks seen are remembered by hash, to notice a reorganisation. */
enum { CURSOR_SEEN_MAX = 16 };

struct client_cursor {
    uint64_t next;  /* first block not handled yet */
    uint64_t start; /* never go back before it */
    struct {
        uint64_t number;
        struct hash hash;
    } seen[CURSOR_SEEN_MAX];
    size_t n_seen;
};

#define CURSOR_BYTES_MAX (17 + CURSOR_SEEN_MAX * 40)

void put_cursor(struct buf *b, const struct client_cursor *cur);
rc cursor_parse(struct client_cursor *out, struct bytes text);

/* Hands fn every log from the cursor to the newest block, at most 1,000 blocks a call, and moves
 * the cursor. *head is the newest block; *more: not there yet. After a reorganisation the cursor
 * goes back to the last block both know, and *reorg says so: logs may come a second time, and what
 * was learned from blocks since is to be asked again. fn's failure leaves the cursor as it was. */
struct client_step {
    struct client_head head;
    bool more, reorg;
};

rc client_follow(struct client *c, struct client_cursor *cur, struct client_step *step,
                 const struct client_filter *f,
                 rc (*fn)(void *ctx, const struct client_log *log, struct err *e), void *ctx,
                 struct err *e);

/* Calls fn on the loop soon after each new block: from a WebSocket subscription where the server
 * has one, else by asking every poll_ms. A hint, never the truth; fn also runs every poll_ms while
 * the subscription is down. */
struct client_watch;
rc client_watch_open(struct client_watch **out, struct loop *l, struct client *c, uint64_t poll_ms,
                     loop_fn fn, void *ctx, struct err *e);
void client_watch_poll(struct client_watch *w, uint64_t poll_ms); /* from now on */
void client_watch_close(struct client_watch *w);                  /* NULL is allowed */

/* --- orders in JSON: sdk-surface 4 --------------------------------------------------------------- */

/* Reads an order object. Views live in the arena. `sign` may be absent (then empty); unknown members
 * are refused. */
rc app_order_json(struct app_order *out, struct arena *a, const struct js *j, struct err *e);
rc dataset_order_json(struct dataset_order *out, struct arena *a, const struct js *j,
                      struct err *e);
rc workerpool_order_json(struct workerpool_order *out, struct arena *a, const struct js *j,
                         struct err *e);
rc request_order_json(struct request_order *out, struct arena *a, const struct js *j,
                      struct err *e);

/* New references. Numbers up to 2^53-1 are numbers, larger ones decimal strings; addresses have
 * their case checksum. Params that are no UTF-8 give NULL. */
json_t *json_app_order(const struct app_order *o);
json_t *json_dataset_order(const struct dataset_order *o);
json_t *json_workerpool_order(const struct workerpool_order *o);
json_t *json_request_order(const struct request_order *o);

/* Signs an order of any kind: its hash in the hub's domain. */
rc client_sign_order(struct client *c, uint8_t out[65], const struct signer *s,
                     struct hash struct_hash, struct err *e);

/* --- services -------------------------------------------------------------------------------- */

/* The market. `kind` says which of the four; the order must be signed. *orderhash may be NULL. */
rc market_publish(struct client *c, struct hash *orderhash, const char *market,
                  const struct signer *s, enum order_kind kind, const json_t *order, struct err *e);

/* GET path (from "/apporders?…" on, without chainId, which is added): the answer, {ok: true, …}. */
rc market_get(struct client *c, json_t **out, const char *market, const char *path, struct err *e);

/* The secret manager: sdk-surface 5. DENIED when the signer does not own the asset. */
rc sms_push_dataset_secret(struct http_client *h, const char *sms, const struct signer *owner,
                           struct address dataset, const struct secret *value, struct err *e);
rc sms_push_app_secret(struct http_client *h, const char *sms, const struct signer *owner,
                       struct address app, const struct secret *value, struct err *e);
rc sms_push_requester_secret(struct http_client *h, const char *sms, const struct signer *owner,
                             const char *key, const struct secret *value, struct err *e);
rc sms_push_web2_secret(struct http_client *h, const char *sms, const struct signer *owner,
                        const char *name, const struct secret *value, struct err *e);

/* The challenge address of a TEE task, for its scheduler. */
rc sms_tee_challenge(struct http_client *h, struct address *out, const char *sms,
                     const struct signer *scheduler, struct hash task, struct err *e);

/* The store (IPFS HTTP API). add: a file, or bytes when path is NULL; cid is its text. */
rc store_add(struct http_client *h, char cid[160], const char *api, const char *path,
             struct bytes data, struct err *e);

/* The URL of a location: "/ipfs/<cid>[/path]" and "ipfs://<cid>" at the gateway, "http://…" and
 * "https://…" as they are, /ipfs/ in a multiaddr's binary form as the SDK writes it. */
rc store_location(struct buf *url, const char *gateway, struct bytes location, struct err *e);

/* Fetches a location into fd; LIMIT beyond max bytes. */
rc store_fetch(struct http_client *h, int fd, uint64_t *size, const char *gateway,
               struct bytes location, uint64_t max, struct err *e);

#endif /* SOUK_DAEMON_CLIENT_CLIENT_H */
