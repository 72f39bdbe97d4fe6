/* SPDX-License-Identifier: Apache-2.0 */
/* supply.c - which worker gets which work: SPEC offchain 1.4, 1.5. */
#include <stdlib.h>

#include "daemon/scheduler/scheduler_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define SCORE_OLD_MS 10000
#define FAILURES_MAX 3 /* of a reveal or an upload before another is asked */
#define ITEMS_MAX    64
#define REPLICAS_MAX 64 /* of one task: more votes than any trust of sense needs */

const char *action_name(enum action a)
{
    static const char *const names[] = {"nothing", "run", "reveal", "upload", "drop"};
    return names[a];
}

/* The one that uploads: somebody who has a link, else the first who revealed and has not failed. */
static const struct replica *uploader(const struct task *t)
{
    const struct replica *best = NULL;
    for (size_t i = 0; i < t->n_replicas; i++) {
        const struct replica *r = &t->replicas[i];
        if (r->state != RP_REVEALED && r->state != RP_RESULT_UPLOADED) {
            continue;
        }
        if (replica_has_result(t, r)) {
            return r;
        }
        if (best == NULL || r->failures < best->failures) {
            best = r;
        }
    }
    return best;
}

enum action action_of(const struct scheduler *s, const struct task *t, const struct replica *r)
{
    uint64_t now = sched_now_s(s);
    switch (t->chain) {
    case TASK_ACTIVE:
        return r->state <= RP_COMPUTED && !r->rejected && now < t->contribution_deadline ? DO_RUN
               : r->state == RP_FAILED || r->rejected                                    ? DO_DROP
                                                      : DO_NOTHING;
    case TASK_REVEALING:
        if (t->deal->trust <= 1 && r->given == DO_RUN && t->wake_ms > clock_mono_ms()) {
            return DO_NOTHING; /* it is about to reveal and to say where the result is */
        }
        if (r->state == RP_CONTRIBUTED && hash_eq(r->hash, t->consensus)) {
            bool late = t->reveal_deadline > 0 && now >= t->reveal_deadline;
            return late || r->failures >= FAILURES_MAX ? DO_NOTHING : DO_REVEAL;
        }
        if (r->state == RP_REVEALED || r->state == RP_RESULT_UPLOADED) {
            return uploader(t) == r && !replica_has_result(t, r) ? DO_UPLOAD : DO_NOTHING;
        }
        return DO_DROP;
    case TASK_UNSET:
    case TASK_COMPLETED:
    case TASK_FAILED:
        break;
    }
    return DO_NOTHING;
}

static size_t votes_of(struct vote *out, const struct task *t)
{
    size_t n = 0;
    for (; n < t->n_replicas && n < REPLICAS_MAX; n++) {
        const struct replica *r = &t->replicas[n];
        bool failed = r->rejected || r->state == RP_FAILED || r->state == RP_ABORTED;
        out[n] = (struct vote){.state = failed                       ? VOTE_FAILED
                                        : r->state >= RP_CONTRIBUTED ? VOTE_CONTRIBUTED
                                                                     : VOTE_PENDING,
                               .hash = r->hash,
                               .weight = r->weight,
                               .created_s = r->created_s};
    }
    return n;
}

static bool needs_worker(const struct scheduler *s, const struct task *t, const struct worker *w)
{
    struct vote votes[REPLICAS_MAX];
    uint64_t now = sched_now_s(s);
    bool tee = tag_is_tee(t->deal->tag);
    if (t->chain != TASK_ACTIVE || (t->state != ST_INITIALIZED && t->state != ST_RUNNING) ||
        now >= t->contribution_deadline || (tee && (!w->tee || !t->has_challenge)) ||
        t->n_replicas >= REPLICAS_MAX) {
        return false;
    }
    size_t n = votes_of(votes, t);
    return !consensus_possible(t->deal->trust, votes, n, now, t->deal->max_execution_s);
}

/* Asked of the chain when a replica is made, and only where votes are counted. */
static uint64_t weight_of(struct scheduler *s, struct worker *w, uint64_t trust)
{
    struct err e = {0};
    uint64_t now = clock_mono_ms();
    if (trust <= 1) {
        return vote_weight(u256_from(0));
    }
    if (w->score_ms == 0 || now - w->score_ms > SCORE_OLD_MS) {
        rc r = client_view_score(s->chain, &w->score, w->address, &e);
        w->score_ms = rc_ok(r) ? now : 0;
    }
    return vote_weight(w->score);
}

static json_t *ids(const struct task *t, enum action a)
{
    char task[HEX_HASH_MAX], deal[HEX_HASH_MAX];
    return json_pack("{s:s, s:s, s:s, s:I}", "action", action_name(a), "chainTaskId",
                     hex_hash(task, t->id), "dealId", hex_hash(deal, t->deal->id), "taskIndex",
                     (json_int_t)t->idx);
}

/* The work item with the pool owner's signature over who may contribute what. */
static json_t *run_item(struct scheduler *s, const struct task *t, const struct worker *w)
{
    char worker[HEX_ADDRESS_MAX], challenge[HEX_ADDRESS_MAX];
    uint8_t sig[65];
    struct hash digest = task_authorization_digest(w->address, t->id, t->challenge);
    json_t *o = ids(t, DO_RUN);
    if (!rc_ok(sign_digest(sig, s->cfg.signer, digest))) {
        return o;
    }
    BUF_FREE text = buf_new(256);
    put_0x(&text, (struct bytes){sig, sizeof(sig)});
    json_t *auth = ids(t, DO_RUN);
    (void)json_object_del(auth, "action");
    (void)json_object_set_new(auth, "workerWallet", json_string(hex_address(worker, w->address)));
    (void)json_object_set_new(auth, "enclaveChallenge",
                              json_string(hex_address(challenge, t->challenge)));
    (void)json_object_set_new(auth, "signature", json_pack("{s:s}", "value", buf_cstr(&text)));
    (void)json_object_set_new(o, "workerpoolAuthorization", auth);
    if (tag_is_tee(t->deal->tag)) {
        (void)json_object_set_new(o, "smsUrl", json_string(s->cfg.sms));
    }
    return o;
}

static void give(struct scheduler *s, json_t *list, struct worker *w, struct task *t,
                 struct replica *r, enum action a)
{
    char task[HEX_HASH_MAX], who[HEX_ADDRESS_MAX];
    r->given = a;
    r->given_session = w->session;
    log_info(AREA, "task=%s %s by worker=%s", hex_hash(task, t->id), action_name(a),
             hex_address(who, w->address));
    (void)json_array_append_new(list, a == DO_RUN ? run_item(s, t, w) : ids(t, a));
    if (a == DO_RUN && t->state == ST_INITIALIZED) {
        task_set_state(s, t, ST_RUNNING);
    }
    if (a == DO_UPLOAD && t->state == ST_AT_LEAST_ONE_REVEALED) {
        task_set_state(s, t, ST_RESULT_UPLOADING);
    }
}

static void give_drops(json_t *list, struct worker *w)
{
    char text[HEX_HASH_MAX];
    for (size_t i = 0; i < w->n_drops; i++) {
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "action", action_name(DO_DROP),
                                                    "chainTaskId", hex_hash(text, w->drops[i])));
    }
    w->n_drops = 0;
}

/* What this worker may do now; takes its free slots down. */
static json_t *work_for(struct scheduler *s, struct worker *w)
{
    json_t *list = json_array();
    give_drops(list, w);
    for (struct task *t = s->first; t != NULL && json_array_size(list) < ITEMS_MAX; t = t->next) {
        struct replica *r = replica_find(t, w->address);
        if (r != NULL) {
            enum action a = action_of(s, t, r);
            bool told = r->given == a && r->given_session == w->session;
            if (a != DO_NOTHING && !told && (a != DO_RUN || w->wants > 0)) {
                w->wants -= a == DO_RUN;
                give(s, list, w, t, r, a);
            }
        } else if (w->wants > 0 && needs_worker(s, t, w)) {
            r = replica_add(t, w->address);
            r->weight = weight_of(s, w, t->deal->trust);
            r->created_s = sched_now_s(s);
            s->stats.replicas++;
            w->wants--;
            give(s, list, w, t, r, DO_RUN);
            memory_replica(s, t, r);
        }
    }
    return list;
}

static void answer(struct worker *w, json_t *list)
{
    struct http_req *r = w->waiting;
    w->waiting = NULL;
    loop_timer_cancel(w->s->loop, &w->answer);
    http_reply_json(r, 200, json_pack("{s:o}", "work", list));
}

bool supply_one(struct scheduler *s, struct worker *w)
{
    if (w->waiting == NULL) {
        return false;
    }
    json_t *list = work_for(s, w);
    if (json_array_size(list) == 0) {
        json_decref(list);
        return false;
    }
    answer(w, list);
    return true;
}

/* Workers take turns: the one that was served goes to the end. */
void supply_all(struct scheduler *s)
{
    struct worker *served = NULL, **p = &s->workers;
    s->supply_wanted = false;
    while (*p != NULL) {
        struct worker *w = *p;
        if (supply_one(s, w)) {
            *p = w->next;
            w->next = served;
            served = w;
        } else {
            p = &w->next;
        }
    }
    *p = served;
}

void supply_drop(struct scheduler *s, struct task *t)
{
    for (size_t i = 0; i < t->n_replicas; i++) {
        struct worker *w = worker_find(s, t->replicas[i].worker);
        if (w != NULL && w->n_drops < WORKER_DROPS_MAX) { /* else it finds out by itself */
            w->drops[w->n_drops++] = t->id;
        }
    }
}
