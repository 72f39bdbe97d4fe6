/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_SCHEDULER_SCHEDULER_INT_H
#define SOUK_DAEMON_SCHEDULER_SCHEDULER_INT_H

/* scheduler_int.h - tasks, replicas and workers in memory, and the modules that move them:
 *   chain.c   what the chain says      act.c    what is sent to the chain
 *   supply.c  who gets which work      rest.c   the workers' requests
 *   public.c  the requesters' requests memory.c the database */

#include "base/log.h"
#include "daemon/scheduler/scheduler.h"
#include "io/db.h"
#include "io/http_server.h"

#define AREA "scheduler"

/* Names are the interface's: SPEC offchain 1.3. On disk: never renumber. */
#define TASK_STATES(X)                                                                             \
    X(RECEIVED, 0)                                                                                 \
    X(INITIALIZING, 1)                                                                             \
    X(INITIALIZED, 2)                                                                              \
    X(RUNNING, 3)                                                                                  \
    X(CONSENSUS_REACHED, 4)                                                                        \
    X(AT_LEAST_ONE_REVEALED, 5)                                                                    \
    X(RESULT_UPLOADING, 6)                                                                         \
    X(RESULT_UPLOADED, 7)                                                                          \
    X(FINALIZING, 8)                                                                               \
    X(REOPENING, 9)                                                                                \
    X(CONTRIBUTION_TIMEOUT, 10)                                                                    \
    X(FINAL_DEADLINE_REACHED, 11)                                                                  \
    X(COMPLETED, 12)                                                                               \
    X(FAILED, 13)

/* From ST_COMPLETED on a task is over. */
enum task_state {
#define X(name, n) ST_##name = n,
    TASK_STATES(X)
#undef X
};

/* What a replica has reached; SPEC offchain 1.8, the steps between left out. Never renumber. */
#define REPLICA_STATES(X)                                                                          \
    X(STARTED, 0)                                                                                  \
    X(COMPUTED, 1)                                                                                 \
    X(CONTRIBUTED, 2)                                                                              \
    X(REVEALED, 3)                                                                                 \
    X(RESULT_UPLOADED, 4)                                                                          \
    X(CONTRIBUTE_AND_FINALIZE_DONE, 5)                                                             \
    X(COMPLETED, 6)                                                                                \
    X(FAILED, 7)                                                                                   \
    X(ABORTED, 8)

enum replica_state {
#define X(name, n) RP_##name = n,
    REPLICA_STATES(X)
#undef X
};

const char *task_state_name(enum task_state s);
const char *replica_state_name(enum replica_state s);

/* What a worker is to do next. */
enum action { DO_NOTHING, DO_RUN, DO_REVEAL, DO_UPLOAD, DO_DROP };
const char *action_name(enum action a); /* "run", … */

#define LINK_MAX     512 /* bytes of a result's location on the chain */
#define CALLBACK_MAX ((size_t)100 << 10)

struct deal {
    struct hash id;
    struct address app, requester, callback, pool_owner;
    struct hash tag;
    uint64_t trust, category, start_s, bot_first, bot_size, max_execution_s;
    struct u256 worker_stake;
    size_t tasks; /* alive; the deal goes with the last */
    struct deal *next;
};

struct replica {
    struct address worker;
    enum replica_state state;
    uint64_t weight, created_s;
    struct hash hash;       /* of its contribution */
    enum action given;      /* what its worker was told and has not answered yet */
    unsigned given_session; /* of the worker then: another one is told again */
    unsigned failures;      /* of this step */
    bool rejected;          /* by a reopen: may not contribute again */
    char link[LINK_MAX];    /* "" until uploaded */
    struct bytes callback;  /* owned */
};

struct task {
    struct hash id;
    uint64_t idx;
    struct deal *deal;
    enum task_state state;
    enum task_status chain;
    uint64_t contribution_deadline, reveal_deadline, final_deadline; /* chain time */
    struct hash consensus, digest;
    uint64_t winners, reveals;
    struct address challenge; /* of the enclave; zero: none */
    bool has_challenge;
    struct replica *replicas;
    size_t n_replicas, cap_replicas;
    uint64_t sent_ms; /* monotonic, of the last transaction about it; 0: none under way */
    struct hash sent_tx;
    bool careful;          /* its next transaction goes alone and asks for its gas first */
    bool dirty;            /* listed for act */
    uint64_t retry_ms;     /* monotonic: do not act before */
    uint64_t wake_ms;      /* monotonic: look again then; 0: no need */
    uint64_t consensus_ms; /* monotonic, when it was seen */
    uint64_t timed_s;      /* chain time of the last look at its deadlines */
    struct task *next_hash, *next, *prev, *next_dirty;
};

enum { WORKER_DROPS_MAX = 256 };

struct worker {
    struct address address;
    char token[65], instance[65], name[65];
    bool tee;
    uint64_t seen_ms, login_ms; /* monotonic */
    unsigned session;
    uint64_t computing; /* tasks it runs: given and not computed */
    struct u256 score;
    uint64_t score_ms;
    struct http_req *waiting;            /* its question for work, held back */
    uint64_t wants;                      /* tasks it has room for */
    struct loop_timer answer;            /* at the latest */
    struct hash drops[WORKER_DROPS_MAX]; /* tasks that it may forget */
    size_t n_drops;
    struct scheduler *s;
    struct worker *next;
};

struct challenge { /* for a worker's login, or a requester's logs */
    struct address who;
    char text[48];
    uint64_t made_ms;
    struct hash hash;
    struct challenge *next;
};

enum { TASK_BUCKETS = 4096, WORKERS_MAX = 4096, CHALLENGES_MAX = 1024 };

#define WORKER_LOST_MS     60000   /* SPEC offchain 1.8 */
#define LOGIN_CHALLENGE_MS 300000  /* SPEC offchain 1.6 */
#define LOGS_CHALLENGE_MS  3600000 /* SPEC offchain 1.6 */
#define REVEAL_GRACE_MS    3000    /* a worker whose vote decides alone reveals unasked; then ask */
#define LOG_TAIL_MAX       100000  /* SPEC offchain 1.1 */
#define WAIT_MAX_MS        30000

struct stats {
    uint64_t deals, tasks_live, tasks_completed, tasks_failed, workers, replicas, txs, tx_errors,
        chain_errors, head;
};

struct scheduler {
    struct loop *loop;
    struct scheduler_config cfg;
    struct client *chain;
    struct http_server *http;
    struct client_watch *watch;
    struct db *db;
    struct memory *memory;
    bool in_txn;

    struct client_cursor cursor;
    uint64_t saved_next; /* of the cursor in the database */
    struct client_head head;
    uint64_t head_mono_ms; /* when this head was first seen */
    bool chain_away;
    bool refreshed; /* what the database said of living tasks was compared with the chain */

    struct task *bucket[TASK_BUCKETS];
    struct task *first, *last; /* alive, oldest first */
    struct task *dirty;
    struct deal *deals;
    struct worker *workers;
    struct challenge *logins, *readers;
    struct address *allowed;
    size_t n_allowed;
    struct stats stats;
    unsigned next_session;
    struct loop_timer tick, housekeeping;
    struct loop_hook hook;
    bool act_wanted, supply_wanted;
};

/* The chain's time now: of the newest block, and as long since as this process knows it. */
uint64_t sched_now_s(const struct scheduler *s);

/* --- tasks (memory.c) --- */

struct task *task_find(struct scheduler *s, struct hash id);
struct task *task_add(struct scheduler *s, struct deal *d, uint64_t idx);
void task_forget(struct scheduler *s, struct task *t); /* from memory: it is over */
void task_dirty(struct scheduler *s, struct task *t);
struct replica *replica_find(struct task *t, struct address worker);
bool replica_has_result(const struct task *t, const struct replica *r); /* that can be finalized */
struct replica *replica_add(struct task *t, struct address worker);
struct deal *deal_find(struct scheduler *s, struct hash id);
struct deal *deal_add(struct scheduler *s, const struct deal *d);

/* A new state, remembered with its time and logged. */
void task_set_state(struct scheduler *s, struct task *t, enum task_state st);

/* --- the database (memory.c). A failing disk ends the process: it would forget. --- */

rc memory_open(struct scheduler *s, struct err *e); /* also loads what is alive */
void memory_close(struct scheduler *s);
void memory_begin(struct scheduler *s); /* opens a transaction unless one is */
void memory_commit(struct scheduler *s);
void memory_cursor(struct scheduler *s);
void memory_deal(struct scheduler *s, const struct deal *d);
void memory_task(struct scheduler *s, const struct task *t);
void memory_replica(struct scheduler *s, const struct task *t, const struct replica *r);
void memory_status(struct scheduler *s, const struct task *t);
void memory_log(struct scheduler *s, struct hash task, struct address worker, const char *out,
                const char *err);
void memory_evidence(struct scheduler *s, struct hash task, struct address worker,
                     const char *json);
void memory_old_logs(struct scheduler *s); /* drops those past their time */

/* TaskModel of any task ever seen, alive or over; NULL. SPEC offchain 1.6 */
json_t *memory_task_json(struct scheduler *s, struct hash id);
json_t *memory_replica_json(struct scheduler *s, struct hash id, struct address worker);
json_t *memory_logs_json(struct scheduler *s, struct hash id, const struct address *only);
bool memory_requester(struct scheduler *s, struct hash id, struct address *out);

/* --- chain.c --- */

/* Reads what is new; false while the chain is away. */
bool chain_read(struct scheduler *s);

/* --- act.c --- */

void act_all(struct scheduler *s);    /* over the dirty ones; sends one batch */
void act_timers(struct scheduler *s); /* marks those whose deadline passed, arms the next */

/* --- supply.c --- */

void supply_all(struct scheduler *s);                   /* answers the workers that wait */
void supply_drop(struct scheduler *s, struct task *t);  /* it is over: workers may forget it */
bool supply_one(struct scheduler *s, struct worker *w); /* true when it was answered */
enum action action_of(const struct scheduler *s, const struct task *t, const struct replica *r);

/* --- rest.c, public.c --- */

void rest_challenge(void *ctx, struct http_req *r);
void rest_login(void *ctx, struct http_req *r);
void rest_register(void *ctx, struct http_req *r);
void rest_ping(void *ctx, struct http_req *r);
void rest_config(void *ctx, struct http_req *r);
void rest_work(void *ctx, struct http_req *r);
void rest_update(void *ctx, struct http_req *r);
struct worker *worker_find(struct scheduler *s, struct address a);
bool worker_alive(const struct worker *w);
void workers_free(struct scheduler *s);

void public_version(void *ctx, struct http_req *r);
void public_task(void *ctx, struct http_req *r);
void public_replica(void *ctx, struct http_req *r);
void public_challenge(void *ctx, struct http_req *r);
void public_logs(void *ctx, struct http_req *r);

/* A status report of a worker, checked. */
struct report {
    enum replica_state state;
    uint64_t exit_code;
    const char *link, *cause, *message, *evidence, *out, *err; /* NULL: absent */
    struct bytes callback;
};

rc report_parse(struct report *out, struct arena *a, const json_t *v, struct err *e);

/* `{ "storage": "ipfs", "location": "/ipfs/<cid>" }` with exactly these spaces. */
rc link_check(const char *link, struct err *e);

/* Random text of n characters, base64 or hex, NUL behind it. */
void random_text(char *out, size_t n);

/* Chain's challenge list. */
struct challenge *challenge_get(struct challenge **list, struct address who, uint64_t ttl_ms,
                                bool make);

#endif /* SOUK_DAEMON_SCHEDULER_SCHEDULER_INT_H */
