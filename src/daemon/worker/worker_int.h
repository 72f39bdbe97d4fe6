/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_WORKER_WORKER_INT_H
#define SOUK_DAEMON_WORKER_WORKER_INT_H

/* worker_int.h - the parts of a worker:
 *   serve.c    the parent: login, questions for work, children
 *   item.c     work items and deal parameters from JSON
 *   desk.c     the scheduler's REST
 *   job.c      one piece of work, step by step
 *   check.c    what the chain must say before anything is done
 *   fetch.c    images, datasets, input files
 *   ballot.c   contribute, reveal
 *   journal.c  what survives a kill */

#include "base/log.h"
#include "daemon/runtime/runtime.h"
#include "daemon/worker/worker.h"
#include "io/file.h"

#define AREA "worker"

#define CID_TEXT_MAX  160
#define LINK_TEXT_MAX ((size_t)512)
#define INPUTS_MAX    32
#define SECRETS_MAX   32
#define LOG_TAIL_MAX                                                                               \
    100000 /* bytes of stdout, and of stderr, for the scheduler: SPEC offchain 1.1 */

enum work { WORK_RUN, WORK_REVEAL, WORK_UPLOAD, WORK_DROP };

/* One thing that the scheduler wants done. */
struct work_item {
    enum work what;
    struct hash task, deal;
    uint64_t idx;
    struct address challenge; /* of the enclave; zero: none */
    uint8_t authorization[65];
    char sms[256]; /* "" when the scheduler names none */
};

rc work_item_parse(struct work_item *out, const struct js *j, struct err *e);

/* The deal's parameters: SPEC sdk-surface 6. Text that is no JSON object is the arguments. */
struct task_params {
    const char *args; /* NULL: none */
    const char *inputs[INPUTS_MAX];
    size_t n_inputs;
    bool encrypt;
    bool has_secrets;
    bool has_bulk;
};

rc task_params_parse(struct task_params *out, struct arena *a, struct bytes text, struct err *e);

/* --- the scheduler --- */

struct desk {
    struct http_client *http;
    const struct worker_config *cfg;
    char token[80];
    char instance[40];
};

rc desk_login(struct desk *d, struct err *e); /* challenge, login, register */

/* Asks for work: *n items, 0 when there was none in wait_ms. DENIED: log in again. */
rc desk_work(struct desk *d, struct work_item *items, size_t max, size_t *n, size_t slots,
             uint64_t wait_ms, bool lost, bool (*stop)(void *), struct err *e);

struct desk_report {
    const char *status, *cause, *message, *link; /* NULL: absent */
    const char *evidence;                        /* JSON text */
    struct bytes out, err, callback;
    int exit_code; /* -1: absent */
};

rc desk_report(struct desk *d, struct hash task, const struct desk_report *r, struct err *e);

/* --- the journal of one task --- */

struct journal {
    struct hash digest; /* what was computed, and is revealed */
    struct address challenge;
    uint8_t enclave_sign[65];
    bool tee;
    char link[LINK_TEXT_MAX]; /* "" until uploaded */
    struct bytes callback;    /* in the arena */
};

rc journal_write(const char *dir, const struct journal *j, struct err *e);
rc journal_read(struct journal *j, struct arena *a, const char *dir, struct err *e);
rc journal_parse(struct journal *j, struct arena *a, struct bytes text, struct err *e);

/* --- one job, in a process of its own --- */

struct job {
    const struct worker_config *cfg;
    const struct work_item *item;
    struct client *chain;
    struct desk *desk;
    struct arena *a;
    char dir[FILE_PATH_MAX]; /* state/tasks/<id> */

    struct view_deal deal;
    struct view_task task;
    struct view_contribution contribution;
    struct view_app app;
    struct view_dataset dataset;
    uint64_t now_s; /* chain time at the last check */
    struct task_params params;
    struct image image;             /* unpacked, for a plain task */
    char image_file[FILE_PATH_MAX]; /* as fetched and checked, for an enclave */
    const char *evidence;           /* of the enclave, JSON text; NULL: none */
    struct journal journal;
    bool checked, fetched, ran, reported;
    void (*report_now)(
        struct job *j);  /* tells the scheduler what was computed; no failure matters */
    uint64_t step_us;    /* monotonic, of the last step's end */
    struct buf out, err; /* tails of the application's output */
    int exit_code;
    const char *cause; /* SPEC offchain 2.2, when it failed for good */
};

struct run_limits job_limits(const struct job *j);

/* Runs the item to its end; the process's exit status. */
int job_main(const struct worker_config *cfg, const struct work_item *item, struct desk *desk,
             const struct client *parent);

/* Says at level debug how long a step took. */
void job_step(struct job *j, const char *what);

/* A failure that no retry mends: the cause is told to the scheduler. */
rc job_fail(struct job *j, struct err *e, const char *cause, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

rc check_task(struct job *j, struct err *e);   /* reads deal, task, contribution; may we? */
rc check_read(struct job *j, struct err *e);   /* only reads */
rc check_assets(struct job *j, struct err *e); /* reads app and dataset */
rc fetch_image(struct job *j, struct err *e);  /* into j->image, or j->image_file */
rc fetch_data(struct job *j, struct err *e);   /* dataset and inputs, into dir/in */
rc ballot_cast(struct job *j, struct err *e);  /* contribute, and reveal where that is sure */
rc ballot_reveal(struct job *j, struct err *e);
bool ballot_is_sure(const struct job *j); /* one vote decides */

/* Tasks in an enclave, through daemon/enclave: fills j->journal, out and err. */
rc tee_run(struct job *j, struct err *e);
rc tee_finalize(struct job *j, struct err *e); /* contributeAndFinalize */

#endif /* SOUK_DAEMON_WORKER_WORKER_INT_H */
