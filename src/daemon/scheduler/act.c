/* SPDX-License-Identifier: Apache-2.0 */
/* act.c - what the scheduler sends to the chain: initialize, finalize, reopen, claim. All that is due
 * in a round goes in one request; whether it came to pass is seen in the logs. */
#include <stdlib.h>

#include "daemon/scheduler/scheduler_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define SENT_MS      6000 /* a transaction not seen in a log by then is looked into */
#define RETRY_MS     5000 /* after a refusal */
#define CHALLENGE_MS 2000 /* after the secret manager did not answer */
#define ARRAY_MAX    40   /* tasks in one initializeArray or claimArray */
#define TXS_MAX      64   /* transactions in one round */
#define TIMER_MAX_MS 30000

/* SPEC offchain 0, gas limits; arrays by the piece */
#define GAS_INITIALIZE  300000
#define GAS_FINALIZE    500000
#define GAS_CALLBACK    210000 /* callbackgas and its 1/63 */
#define GAS_BY_REPLICA  60000  /* of finalize and claim, for each contributor beyond a few */
#define GAS_CLAIM       400000
#define REPLICAS_IN_GAS 4

enum send {
    SEND_NOTHING,
    SEND_INITIALIZE,
    SEND_FINALIZE,
    SEND_REOPEN,
    SEND_CLAIM,
    SEND_INIT_CLAIM
};

static const char *const send_names[] = {"nothing", "initialize", "finalize",
                                         "reopen",  "claim",      "initializeAndClaim"};

struct outgoing { /* one transaction and the tasks it is about */
    enum send what;
    struct buf data;
    struct task *tasks[ARRAY_MAX];
    size_t n;
    bool careful; /* ask for the gas: a refusal then says why */
};

/* --- what is due --- */

static struct replica *with_link(const struct task *t)
{
    for (size_t i = 0; i < t->n_replicas; i++) {
        struct replica *r = &t->replicas[i];
        if ((r->state == RP_REVEALED || r->state == RP_RESULT_UPLOADED) &&
            replica_has_result(t, r)) {
            return r;
        }
    }
    return NULL;
}

static bool reveals_done(const struct task *t, uint64_t now)
{
    return t->reveals > 0 &&
           (t->reveals == t->winners || (t->reveal_deadline > 0 && t->reveal_deadline <= now));
}

/* Moves the state by the deadlines, and answers what to send. */
static enum send due(struct scheduler *s, struct task *t, uint64_t now)
{
    if (now >= t->final_deadline) {
        if (t->state < ST_FINAL_DEADLINE_REACHED) {
            task_set_state(s, t, ST_FINAL_DEADLINE_REACHED);
        }
        return t->chain == TASK_UNSET ? SEND_INIT_CLAIM : SEND_CLAIM;
    }
    switch (t->chain) {
    case TASK_UNSET:
        if (t->state == ST_CONTRIBUTION_TIMEOUT) {
            return SEND_NOTHING;
        }
        if (now < t->contribution_deadline) {
            return SEND_INITIALIZE;
        }
        task_set_state(s, t, ST_CONTRIBUTION_TIMEOUT);
        return SEND_NOTHING;
    case TASK_ACTIVE:
        if (now >= t->contribution_deadline && t->state != ST_CONTRIBUTION_TIMEOUT) {
            task_set_state(s, t, ST_CONTRIBUTION_TIMEOUT);
        }
        return SEND_NOTHING;
    case TASK_REVEALING:
        if (reveals_done(t, now)) {
            return with_link(t) != NULL ? SEND_FINALIZE : SEND_NOTHING;
        }
        return t->reveals == 0 && t->reveal_deadline > 0 && t->reveal_deadline <= now &&
                       now < t->contribution_deadline /* else nobody could contribute again */
                   ? SEND_REOPEN
                   : SEND_NOTHING;
    case TASK_COMPLETED:
    case TASK_FAILED:
        break;
    }
    return SEND_NOTHING;
}

/* The enclave's address, before any worker gets the task. */
static void need_challenge(struct scheduler *s, struct task *t)
{
    struct err e = {0};
    char text[HEX_HASH_MAX];
    if (!tag_is_tee(t->deal->tag) || t->has_challenge || t->chain != TASK_ACTIVE ||
        t->state == ST_CONTRIBUTION_TIMEOUT) {
        return;
    }
    rc r = sms_tee_challenge(client_http(s->chain), &t->challenge, s->cfg.sms, s->cfg.signer, t->id,
                             &e);
    if (!rc_ok(r)) {
        log_warn(AREA, "task=%s no enclave challenge yet: %s", hex_hash(text, t->id), e.msg);
        t->retry_ms = clock_mono_ms() + CHALLENGE_MS;
        return;
    }
    t->has_challenge = true;
    memory_task(s, t);
}

/* --- transactions --- */

static uint64_t gas_of(const struct outgoing *o)
{
    const struct task *t = o->tasks[0];
    size_t more = t->n_replicas > REPLICAS_IN_GAS ? t->n_replicas - REPLICAS_IN_GAS : 0;
    switch (o->what) {
    case SEND_INITIALIZE:
        return (uint64_t)GAS_INITIALIZE * o->n;
    case SEND_FINALIZE:
        return GAS_FINALIZE + more * GAS_BY_REPLICA +
               (address_is_zero(t->deal->callback) ? 0 : GAS_CALLBACK);
    case SEND_CLAIM:
    case SEND_INIT_CLAIM:
    case SEND_REOPEN:
    case SEND_NOTHING:
        break;
    }
    return 0; /* rare: the node's estimate, which also says when it is too early */
}

static void put_ids(struct abi_out *o, const struct outgoing *out, bool deals)
{
    struct abi_out list = abi_put_array(o, out->n, 1);
    for (size_t i = 0; i < out->n; i++) {
        abi_put_hash(&list, deals ? out->tasks[i]->deal->id : out->tasks[i]->id);
    }
}

static void put_indexes(struct abi_out *o, const struct outgoing *out)
{
    struct abi_out list = abi_put_array(o, out->n, 1);
    for (size_t i = 0; i < out->n; i++) {
        abi_put_u64(&list, out->tasks[i]->idx);
    }
}

/* SPEC sdk-surface 10: the location of the result; with a callback, the data itself. */
static void put_result(struct abi_out *o, const struct task *t, const struct replica *r)
{
    BUF_FREE text = buf_new(4 * CALLBACK_MAX);
    if (address_is_zero(t->deal->callback)) {
        abi_put_bytes(o, bytes_str(r->link));
        abi_put_bytes(o, (struct bytes){0});
        return;
    }
    put_str(&text, "{ \"storage\": \"ethereum\", \"location\": \"");
    put_0x(&text, r->callback);
    put_str(&text, "\" }");
    abi_put_bytes(o, buf_bytes(&text));
    abi_put_bytes(o, r->callback);
}

static void encode(struct outgoing *out)
{
    struct task *t = out->tasks[0];
    const struct replica *r = with_link(t);
    struct abi_out o;
    out->data = buf_new((size_t)1 << 20);
    switch (out->what) {
    case SEND_INITIALIZE:
    case SEND_INIT_CLAIM:
        if (out->what == SEND_INITIALIZE && out->n == 1) {
            o = call_begin(&out->data, METHOD_hub_initialize, 2);
            abi_put_hash(&o, t->deal->id);
            abi_put_u64(&o, t->idx);
            return;
        }
        o = call_begin(&out->data,
                       out->what == SEND_INITIALIZE ? METHOD_hub_initializeArray
                                                    : METHOD_hub_initializeAndClaimArray,
                       2);
        put_ids(&o, out, true);
        put_indexes(&o, out);
        return;
    case SEND_FINALIZE:
        o = call_begin(&out->data, METHOD_hub_finalize, 3);
        abi_put_hash(&o, t->id);
        put_result(&o, t, r);
        return;
    case SEND_REOPEN:
        o = call_begin(&out->data, METHOD_hub_reopen, 1);
        abi_put_hash(&o, t->id);
        return;
    case SEND_CLAIM:
        o = call_begin(&out->data, METHOD_hub_claimArray, 1);
        put_ids(&o, out, false);
        return;
    case SEND_NOTHING:
        return;
    }
}

static void note_state(struct scheduler *s, struct task *t, enum send what)
{
    if (what == SEND_INITIALIZE && t->state == ST_RECEIVED) {
        task_set_state(s, t, ST_INITIALIZING);
    } else if (what == SEND_FINALIZE) {
        task_set_state(s, t, ST_FINALIZING);
    } else if (what == SEND_REOPEN) {
        task_set_state(s, t, ST_REOPENING);
    }
}

static void sent(struct scheduler *s, struct outgoing *o, const struct client_tx *tx)
{
    uint64_t now = clock_mono_ms();
    char text[HEX_HASH_MAX];
    s->stats.txs++;
    for (size_t i = 0; i < o->n; i++) {
        struct task *t = o->tasks[i];
        if (rc_ok(tx->r)) {
            t->sent_ms = now;
            t->sent_tx = tx->hash;
            note_state(s, t, o->what);
        } else {
            t->retry_ms = now + RETRY_MS;
            t->careful = true;
        }
    }
    if (!rc_ok(tx->r)) {
        s->stats.tx_errors++;
        log_warn(AREA, "task=%s %s was refused: %s", hex_hash(text, o->tasks[0]->id),
                 send_names[o->what], tx->err.msg);
    }
}

/* Those with a fixed gas go together; one whose gas is to be estimated goes alone, so that its
 * refusal does not hold back the others. */
static void send_all(struct scheduler *s, struct outgoing *out, size_t n)
{
    struct client_tx *txs = calloc(n, sizeof(*txs));
    ASSERT(txs != NULL);
    size_t together = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < n; i++) {
            bool alone = out[i].careful || gas_of(&out[i]) == 0;
            if (alone != (pass == 1)) {
                continue;
            }
            struct err e = {0};
            struct client_tx *tx = alone ? &txs[n - 1] : &txs[together++];
            *tx = (struct client_tx){.to = client_hub(s->chain),
                                     .data = buf_bytes(&out[i].data),
                                     .gas = alone ? 0 : gas_of(&out[i])};
            if (alone) {
                tx->r = client_send(s->chain, s->cfg.signer, tx, 1, &e);
                tx->err = e;
                sent(s, &out[i], tx);
            }
        }
        if (pass == 0 && together > 0) {
            struct err e = {0};
            rc r = client_send(s->chain, s->cfg.signer, txs, together, &e);
            size_t k = 0;
            for (size_t i = 0; i < n; i++) {
                if (!out[i].careful && gas_of(&out[i]) != 0) {
                    if (!rc_ok(r) && rc_ok(txs[k].r) && hash_is_zero(txs[k].hash)) {
                        txs[k].r = r; /* the request itself failed */
                        txs[k].err = e;
                    }
                    sent(s, &out[i], &txs[k++]);
                }
            }
        }
    }
    free(txs);
}

static bool may_join(const struct outgoing *o, enum send what, const struct task *t)
{
    return o->what == what && !o->careful && !t->careful && o->n < ARRAY_MAX &&
           what != SEND_FINALIZE && what != SEND_REOPEN;
}

/* Puts the task into a transaction of this round; false when the round is full. */
static bool enlist(struct outgoing *out, size_t *n, enum send what, struct task *t)
{
    for (size_t i = *n; i > 0; i--) {
        if (may_join(&out[i - 1], what, t)) {
            out[i - 1].tasks[out[i - 1].n++] = t;
            return true;
        }
    }
    if (*n == TXS_MAX) {
        return false;
    }
    out[*n] = (struct outgoing){.what = what, .n = 1, .careful = t->careful};
    out[*n].tasks[0] = t;
    (*n)++;
    return true;
}

/* A transaction that no log followed: it failed, or the node lost it. */
static void look_into(struct scheduler *s, struct task *t)
{
    struct arena a;
    struct client_receipt receipt;
    struct err e = {0};
    char text[HEX_HASH_MAX];
    arena_init(&a, (size_t)1 << 20);
    rc r = client_receipt(s->chain, &receipt, &a, t->sent_tx, &e);
    if (rc_ok(r) && !receipt.ok) {
        log_warn(AREA, "transaction=%s failed in block %llu; trying its tasks one by one",
                 hex_hash(text, t->sent_tx), (unsigned long long)receipt.block);
    }
    t->careful = true;
    t->sent_ms = 0;
    arena_reset(&a);
}

void act_all(struct scheduler *s)
{
    struct outgoing *out = calloc(TXS_MAX, sizeof(*out));
    ASSERT(out != NULL);
    size_t n = 0;
    uint64_t now = sched_now_s(s), mono = clock_mono_ms();
    struct task *list = s->dirty;
    s->dirty = NULL;
    s->act_wanted = false;
    while (list != NULL) {
        struct task *t = list;
        list = t->next_dirty;
        t->dirty = false;
        t->next_dirty = NULL;
        if (s->chain_away || mono < t->retry_ms) {
            continue; /* act_timers() lists it again */
        }
        if (t->sent_ms > 0 && mono - t->sent_ms < SENT_MS) {
            continue;
        }
        if (t->sent_ms > 0) {
            look_into(s, t);
        }
        need_challenge(s, t);
        enum send what = due(s, t, now);
        if (what != SEND_NOTHING && !enlist(out, &n, what, t)) {
            task_dirty(s, t); /* the next round */
        }
        s->supply_wanted = true;
    }
    for (size_t i = 0; i < n; i++) {
        encode(&out[i]);
    }
    if (n > 0) {
        send_all(s, out, n);
    }
    for (size_t i = 0; i < n; i++) {
        buf_free(&out[i].data);
    }
    free(out);
}

/* --- time --- */

static void earlier(uint64_t *at_ms, uint64_t v)
{
    *at_ms = MIN(*at_ms, v);
}

static void on_tick(void *ctx)
{
    struct scheduler *s = ctx;
    act_timers(s);
}

void act_timers(struct scheduler *s)
{
    uint64_t now = sched_now_s(s), mono = clock_mono_ms(), next = mono + TIMER_MAX_MS;
    for (struct task *t = s->first; t != NULL; t = t->next) {
        const uint64_t deadlines[] = {t->contribution_deadline, t->reveal_deadline,
                                      t->final_deadline};
        uint64_t wait = MAX(t->retry_ms, t->sent_ms > 0 ? t->sent_ms + SENT_MS : 0);
        if (wait > 0) {
            if (mono >= wait) {
                t->retry_ms = 0;
                task_dirty(s, t);
            } else {
                earlier(&next, wait);
            }
        }
        if (t->wake_ms > mono) {
            earlier(&next, t->wake_ms);
        } else if (t->wake_ms > 0) {
            t->wake_ms = 0;
            task_dirty(s, t);
        }
        for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
            if (deadlines[i] > now) {
                earlier(&next, mono + (deadlines[i] - now) * 1000);
            } else if (deadlines[i] > t->timed_s) {
                task_dirty(s, t); /* passed since the last look */
            }
        }
        t->timed_s = now;
    }
    loop_timer_set(s->loop, &s->tick, MAX(next - mono, (uint64_t)50), on_tick, s);
}
