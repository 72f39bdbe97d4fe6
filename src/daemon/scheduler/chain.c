/* SPDX-License-Identifier: Apache-2.0 */
/* chain.c - what the chain says about the pool's deals and tasks, applied in its order. */
#include <stdlib.h>

#include "daemon/scheduler/scheduler_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define NUMBER_MAX       ((uint64_t)1 << 60) /* of anything counted or timed; the rest is nonsense */
#define DEAL_TASKS_MAX   100000              /* of one deal: beyond it its tasks are left alone */
#define SAVE_EVERY       500                 /* blocks without news that a restart may read again */
#define CONTRIBUTE_RATIO 7                   /* SPEC poco 1 */
#define FINAL_RATIO      10

/* What one step brought; nothing is applied before all of it could be read. */
struct inbox {
    struct scheduler *s;
    struct arena a;
    struct client_log *logs;
    size_t n, cap;
    struct deal **deals; /* of the SchedulerNotice with the same index; owned until applied */
};

static rc collect(void *ctx, const struct client_log *log, struct err *e)
{
    struct inbox *in = ctx;
    if (!log->known || log->n_topics < 2) {
        return RC_OK;
    }
    if (in->n == in->cap) {
        in->cap = MAX(in->cap * 2, (size_t)64);
        in->logs = realloc(in->logs, in->cap * sizeof(*in->logs));
        ASSERT(in->logs != NULL);
    }
    struct client_log *l = &in->logs[in->n];
    *l = *log;
    uint8_t *p = arena_alloc(&in->a, log->data.n);
    if (p == NULL) {
        return err_set(e, RC_CODE_LIMIT, "too many logs in one step");
    }
    if (log->data.n > 0) {
        memcpy(p, log->data.p, log->data.n);
    }
    l->data.p = p;
    in->n++;
    return RC_OK;
}

static uint64_t small(struct u256 v)
{
    uint64_t n;
    return u256_to_u64(v, &n) && n <= NUMBER_MAX ? n : NUMBER_MAX;
}

static uint64_t after(uint64_t start, uint64_t times, uint64_t each)
{
    uint64_t v;
    if (__builtin_mul_overflow(times, each, &v) || __builtin_add_overflow(start, v, &v)) {
        return NUMBER_MAX;
    }
    return MIN(v, NUMBER_MAX);
}

/* Reads the deal that a SchedulerNotice names. *out stays NULL when it is not for us. */
static rc read_deal(struct inbox *in, struct deal **out, const struct client_log *log,
                    struct err *e)
{
    struct scheduler *s = in->s;
    struct abi_in data = abi_of(log->data);
    struct view_deal v;
    struct view_category cat;
    struct deal d = {.id = abi_take_hash(&data)};
    struct arena a;
    if (memcmp(log->topics[1].b + 12, s->cfg.workerpool.b, 20) != 0 || !rc_ok(abi_end(&data))) {
        return RC_OK;
    }
    arena_init(&a, (size_t)1 << 20);
    rc r = client_view_deal(s->chain, &v, &a, d.id, e);
    if (rc_ok(r)) {
        r = client_view_category(s->chain, &cat, &a, small(v.category), e);
    }
    arena_reset(&a);
    if (r.code == RC_CODE_NOT_FOUND) { /* a reorganisation took it: the next step notices */
        return RC_OK;
    }
    TRY(r);
    d.app = v.app.pointer;
    d.requester = v.requester;
    d.callback = v.callback;
    d.pool_owner = v.workerpool.owner;
    d.tag = v.tag;
    d.trust = small(v.trust);
    d.category = small(v.category);
    d.start_s = MIN(v.start_time, NUMBER_MAX);
    d.bot_first = v.bot_first;
    d.bot_size = v.bot_size;
    d.max_execution_s = MIN(cat.work_clock_time_ref, NUMBER_MAX);
    d.worker_stake = v.worker_stake;
    *out = malloc(sizeof(d));
    ASSERT(*out != NULL);
    **out = d;
    return RC_OK;
}

/* Why the pool will not work for a deal; NULL when it will. Its tasks are refunded in the end. */
static const char *unfit(const struct scheduler *s, const struct deal *d)
{
    if (d->bot_size > DEAL_TASKS_MAX || d->bot_first > NUMBER_MAX) {
        return "it has too many tasks";
    }
    if (!address_eq(d->pool_owner, s->cfg.signer->address)) {
        return "the workerpool belonged to another account when it was matched";
    }
    if (tag_is_tee(d->tag) && d->trust > 1) { /* SPEC offchain 1.2 */
        return "it wants an enclave and votes: a trust above 1";
    }
    if (tag_is_tee(d->tag) && s->cfg.sms == NULL) {
        return "it wants an enclave, and no secret manager is configured (--sms)";
    }
    return NULL;
}

static void apply_deal(struct scheduler *s, const struct deal *from)
{
    char text[HEX_HASH_MAX];
    if (deal_find(s, from->id) != NULL) {
        return; /* seen before a reorganisation */
    }
    const char *why = unfit(s, from);
    log_info(AREA, "deal=%s tasks=%llu trust=%llu%s%s", hex_hash(text, from->id),
             (unsigned long long)from->bot_size, (unsigned long long)from->trust,
             why != NULL ? " left alone: " : "", why != NULL ? why : "");
    if (from->bot_size > DEAL_TASKS_MAX || from->bot_size == 0) {
        return;
    }
    struct deal *d = deal_add(s, from);
    memory_deal(s, d);
    for (uint64_t i = 0; i < d->bot_size; i++) {
        if (task_find(s, order_task_id(d->id, u256_from(d->bot_first + i))) != NULL) {
            continue;
        }
        struct task *t = task_add(s, d, d->bot_first + i);
        t->state = why != NULL ? ST_CONTRIBUTION_TIMEOUT : ST_RECEIVED;
        t->contribution_deadline = after(d->start_s, CONTRIBUTE_RATIO, d->max_execution_s);
        t->final_deadline = after(d->start_s, FINAL_RATIO, d->max_execution_s);
        memory_task(s, t);
        memory_status(s, t);
        task_dirty(s, t);
    }
}

static struct address topic_address(const struct client_log *l, size_t i)
{
    struct address a = {0};
    if (i < l->n_topics) {
        memcpy(a.b, l->topics[i].b + 12, 20);
    }
    return a;
}

static struct hash data_hash(const struct client_log *l)
{
    struct abi_in in = abi_of(l->data);
    return abi_take_hash(&in);
}

static void on_contribute(struct scheduler *s, struct task *t, const struct client_log *l)
{
    struct address who = topic_address(l, 2);
    struct replica *r = replica_find(t, who);
    if (r == NULL) { /* given out before a loss of our memory */
        r = replica_add(t, who);
        r->weight = 2;
        r->created_s = sched_now_s(s);
    }
    if (r->state < RP_CONTRIBUTED || r->state == RP_FAILED) {
        r->state = RP_CONTRIBUTED;
    }
    r->hash = data_hash(l);
    memory_replica(s, t, r);
    if (t->state < ST_RUNNING) {
        task_set_state(s, t, ST_RUNNING);
    }
}

static void on_consensus(struct scheduler *s, struct task *t, const struct client_log *l)
{
    t->consensus = data_hash(l);
    t->chain = TASK_REVEALING;
    t->winners = 0;
    t->reveal_deadline = 0; /* read_reveals() asks, when it still matters */
    t->consensus_ms = clock_mono_ms();
    if (t->deal->trust <= 1) {
        t->wake_ms = t->consensus_ms + REVEAL_GRACE_MS;
    }
    for (size_t i = 0; i < t->n_replicas; i++) {
        struct replica *r = &t->replicas[i];
        bool voted = r->state >= RP_CONTRIBUTED && r->state <= RP_RESULT_UPLOADED && !r->rejected;
        t->winners += voted && hash_eq(r->hash, t->consensus);
    }
    if (t->state < ST_CONSENSUS_REACHED || t->state == ST_CONTRIBUTION_TIMEOUT) {
        task_set_state(s, t, ST_CONSENSUS_REACHED);
    }
    memory_task(s, t);
}

static void on_reveal(struct scheduler *s, struct task *t, const struct client_log *l)
{
    struct replica *r = replica_find(t, topic_address(l, 2));
    t->digest = data_hash(l);
    uint64_t n = 0;
    if (r != NULL && r->state < RP_REVEALED) {
        r->state = RP_REVEALED;
        memory_replica(s, t, r);
    }
    for (size_t i = 0; i < t->n_replicas; i++) {
        n += t->replicas[i].state == RP_REVEALED || t->replicas[i].state == RP_RESULT_UPLOADED;
    }
    t->reveals = MAX(t->reveals, n); /* a view may have told of this reveal before its log */
    if (t->state == ST_CONSENSUS_REACHED) {
        task_set_state(s, t, ST_AT_LEAST_ONE_REVEALED);
    }
    memory_task(s, t);
}

static void on_reopen(struct scheduler *s, struct task *t)
{
    for (size_t i = 0; i < t->n_replicas; i++) {
        struct replica *r = &t->replicas[i];
        if (r->state == RP_CONTRIBUTED && hash_eq(r->hash, t->consensus)) {
            r->rejected = true;
            r->state = RP_FAILED;
            memory_replica(s, t, r);
        }
    }
    t->chain = TASK_ACTIVE;
    t->consensus = (struct hash){0};
    t->winners = t->reveals = 0;
    t->reveal_deadline = 0;
    task_set_state(s, t, ST_RUNNING);
}

static void on_over(struct scheduler *s, struct task *t, bool completed)
{
    for (size_t i = 0; i < t->n_replicas; i++) {
        struct replica *r = &t->replicas[i];
        if (r->state != RP_FAILED) {
            r->state = completed && r->state >= RP_REVEALED ? RP_COMPLETED : RP_ABORTED;
            memory_replica(s, t, r);
        }
    }
    t->chain = completed ? TASK_COMPLETED : TASK_FAILED;
    task_set_state(s, t, completed ? ST_COMPLETED : ST_FAILED);
    (*(completed ? &s->stats.tasks_completed : &s->stats.tasks_failed))++;
    supply_drop(s, t);
    task_forget(s, t);
}

static void apply(struct scheduler *s, const struct client_log *l, const struct deal *deal)
{
    if (l->event == EVENT_hub_SchedulerNotice) {
        if (deal != NULL) {
            apply_deal(s, deal);
        }
        return;
    }
    struct task *t = task_find(s, l->topics[1]);
    if (t == NULL) {
        return; /* another pool's */
    }
    t->sent_ms = 0;
    t->careful = false;
    task_dirty(s, t);
    switch ((unsigned)l->event) {
    case EVENT_hub_TaskInitialize:
        t->chain = TASK_ACTIVE;
        if (t->state < ST_INITIALIZED) {
            task_set_state(s, t, ST_INITIALIZED);
        }
        break;
    case EVENT_hub_TaskContribute:
        on_contribute(s, t, l);
        break;
    case EVENT_hub_TaskConsensus:
        on_consensus(s, t, l);
        break;
    case EVENT_hub_TaskReveal:
        on_reveal(s, t, l);
        break;
    case EVENT_hub_TaskReopen:
        on_reopen(s, t);
        break;
    case EVENT_hub_TaskFinalize:
        on_over(s, t, true);
        break;
    case EVENT_hub_TaskClaimed:
        on_over(s, t, false);
        break;
    default:
        break;
    }
}

/* --- what events do not tell --- */

static void take_view(struct scheduler *s, struct task *t, const struct view_task *v)
{
    t->reveal_deadline = MIN(v->reveal_deadline, NUMBER_MAX);
    t->contribution_deadline = MIN(v->contribution_deadline, NUMBER_MAX);
    t->final_deadline = MIN(v->final_deadline, NUMBER_MAX);
    t->winners = v->winner_counter;
    t->reveals = v->reveal_counter;
    t->consensus = v->consensus_value;
    t->chain = v->status;
    memory_task(s, t);
}

/* Asks for the reveal deadline of tasks that wait for reveals: one request for all. */
static rc read_reveals(struct scheduler *s, bool all, struct err *e)
{
    struct arena a;
    size_t n = 0, cap = s->stats.tasks_live;
    arena_init(&a, (size_t)64 << 20);
    struct client_call_item *items = ARENA_ARRAY(&a, struct client_call_item, cap + 1);
    struct task **tasks = ARENA_ARRAY(&a, struct task *, cap + 1);
    struct buf *data = ARENA_ARRAY(&a, struct buf, cap + 1);
    for (struct task *t = s->first; items != NULL && tasks != NULL && data != NULL && t != NULL;
         t = t->next) {
        bool waits = t->chain == TASK_REVEALING && t->reveal_deadline == 0;
        if ((all && t->chain != TASK_UNSET) || waits) {
            data[n] = buf_new(64);
            struct abi_out o = call_begin(&data[n], METHOD_hub_viewTask, 1);
            abi_put_hash(&o, t->id);
            items[n] =
                (struct client_call_item){.to = client_hub(s->chain), .data = buf_bytes(&data[n])};
            tasks[n++] = t;
        }
    }
    rc r = n > 0 ? client_call_batch(s->chain, items, n, &a, e) : RC_OK;
    for (size_t i = 0; i < n; i++) {
        struct view_task v;
        if (rc_ok(r) && rc_ok(items[i].r) && rc_ok(view_task_parse(&v, &a, items[i].out))) {
            take_view(s, tasks[i], &v);
            task_dirty(s, tasks[i]);
        }
        buf_free(&data[i]);
    }
    arena_reset(&a);
    return r;
}

/* --- one step --- */

static rc read_step(struct scheduler *s, bool *more, struct err *e)
{
    static const enum event events[] = {EVENT_hub_SchedulerNotice, EVENT_hub_TaskInitialize,
                                        EVENT_hub_TaskContribute,  EVENT_hub_TaskConsensus,
                                        EVENT_hub_TaskReveal,      EVENT_hub_TaskReopen,
                                        EVENT_hub_TaskFinalize,    EVENT_hub_TaskClaimed};
    struct client_filter f = {.address = client_hub(s->chain), .n_topic0 = ARRAY_LEN(events)};
    struct client_cursor cursor = s->cursor;
    struct client_step step;
    struct inbox in = {.s = s};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        f.topic0[i] = iface_event(events[i])->topic;
    }
    arena_init(&in.a, (size_t)64 << 20);
    rc r = client_follow(s->chain, &cursor, &step, &f, collect, &in, e);
    in.deals = calloc(in.n + 1, sizeof(struct deal *));
    ASSERT(in.deals != NULL);
    for (size_t i = 0; rc_ok(r) && i < in.n; i++) {
        if (in.logs[i].event == EVENT_hub_SchedulerNotice) {
            r = read_deal(&in, &in.deals[i], &in.logs[i], e);
        }
    }
    if (rc_ok(r)) {
        if (!hash_eq(step.head.hash, s->head.hash)) {
            s->head = step.head;
            s->head_mono_ms = clock_mono_ms();
            s->stats.head = step.head.number;
        }
        for (size_t i = 0; i < in.n; i++) {
            apply(s, &in.logs[i], in.deals[i]);
        }
        s->cursor = cursor;
        if (in.n > 0 || cursor.next > s->saved_next + SAVE_EVERY || step.reorg) {
            memory_cursor(s); /* in the transaction of what was learned */
            s->saved_next = cursor.next;
        }
        if (step.reorg) {
            log_warn(AREA, "the chain was reorganised; going on from block %llu",
                     (unsigned long long)cursor.next);
        }
        r = read_reveals(s, step.reorg || !s->refreshed, e);
        s->refreshed = s->refreshed || rc_ok(r);
        *more = step.more;
    }
    for (size_t i = 0; i < in.n; i++) {
        free(in.deals[i]);
    }
    free(in.deals);
    free(in.logs);
    arena_reset(&in.a);
    return r;
}

bool chain_read(struct scheduler *s)
{
    struct err e = {0};
    bool more = true;
    while (more) {
        rc r = read_step(s, &more, &e);
        if (!rc_ok(r)) {
            s->stats.chain_errors++;
            if (!s->chain_away) {
                log_warn(AREA, "the chain cannot be read now, waiting for it: %s", e.msg);
            }
            s->chain_away = true;
            return false;
        }
    }
    if (s->chain_away) {
        log_info(AREA, "the chain is back at block %llu", (unsigned long long)s->head.number);
        s->chain_away = false;
        for (struct task *t = s->first; t != NULL; t = t->next) {
            task_dirty(s, t);
        }
    }
    return true;
}

uint64_t sched_now_s(const struct scheduler *s)
{
    return s->head.timestamp + (clock_mono_ms() - s->head_mono_ms) / 1000;
}
