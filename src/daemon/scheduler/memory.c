/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - tasks, replicas and deals in memory, and the database that brings them back. */
#include <stdlib.h>
#include <unistd.h>

#include "daemon/scheduler/scheduler_int.h"
#include "encoding/hex.h"
#include "io/clock.h"
#include "io/file.h"

#define LOGS_KEPT_MS ((uint64_t)3 * 24 * 3600 * 1000) /* SPEC offchain 1.1: 3 days */
#define EXIT_CORRUPT 3                                /* as in cmd/: not to be started again */

struct memory {
    struct stmt *set_meta, *get_meta, *put_deal, *get_deals, *put_task, *get_tasks, *put_replica,
        *get_replicas, *put_status, *put_log, *drop_logs, *one_task, *one_statuses, *one_replicas,
        *one_logs, *one_requester, *put_evidence, *one_evidence;
};

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB);"
    "CREATE TABLE deals(id BLOB PRIMARY KEY, app BLOB, requester BLOB, callback BLOB, owner BLOB,"
    " tag BLOB, trust INT, category INT, start INT, first INT, size INT, max INT, stake BLOB)"
    " WITHOUT ROWID;"
    "CREATE TABLE tasks(id BLOB PRIMARY KEY, deal BLOB, idx INT, state INT, chain INT,"
    " contribution INT, reveal INT, final INT, consensus BLOB, digest BLOB, winners INT,"
    " reveals INT, challenge BLOB) WITHOUT ROWID;"
    "CREATE INDEX tasks_alive ON tasks(state) WHERE state < 12;"
    "CREATE TABLE replicas(task BLOB, worker BLOB, state INT, weight INT, created INT, hash BLOB,"
    " rejected INT, link TEXT, callback BLOB, PRIMARY KEY(task, worker)) WITHOUT ROWID;"
    "CREATE TABLE statuses(task BLOB, at INT, state INT);"
    "CREATE INDEX statuses_task ON statuses(task);"
    "CREATE TABLE logs(task BLOB, worker BLOB, out TEXT, err TEXT, at INT,"
    " PRIMARY KEY(task, worker)) WITHOUT ROWID;"
    "CREATE INDEX logs_at ON logs(at);"
    "CREATE TABLE evidence(task BLOB, worker BLOB, json TEXT, PRIMARY KEY(task, worker))"
    " WITHOUT ROWID;";

/* --- names --- */

const char *task_state_name(enum task_state s)
{
    switch (s) {
#define X(name, n)                                                                                 \
    case ST_##name:                                                                                \
        return #name;
        TASK_STATES(X)
#undef X
    }
    return "UNKNOWN";
}

const char *replica_state_name(enum replica_state s)
{
    switch (s) {
#define X(name, n)                                                                                 \
    case RP_##name:                                                                                \
        return #name;
        REPLICA_STATES(X)
#undef X
    }
    return "UNKNOWN";
}

/* --- in memory --- */

static size_t bucket_of(struct hash id)
{
    return ((size_t)id.b[0] << 8 | id.b[1]) % TASK_BUCKETS;
}

struct task *task_find(struct scheduler *s, struct hash id)
{
    struct task *t = s->bucket[bucket_of(id)];
    while (t != NULL && !hash_eq(t->id, id)) {
        t = t->next_hash;
    }
    return t;
}

struct task *task_add(struct scheduler *s, struct deal *d, uint64_t idx)
{
    struct task *t = calloc(1, sizeof(*t));
    ASSERT(t != NULL);
    t->id = order_task_id(d->id, u256_from(idx));
    t->idx = idx;
    t->deal = d;
    d->tasks++;
    size_t b = bucket_of(t->id);
    t->next_hash = s->bucket[b];
    s->bucket[b] = t;
    t->prev = s->last;
    *(s->last != NULL ? &s->last->next : &s->first) = t;
    s->last = t;
    s->stats.tasks_live++;
    return t;
}

static void deal_forget(struct scheduler *s, struct deal *d)
{
    for (struct deal **p = &s->deals; *p != NULL; p = &(*p)->next) {
        if (*p == d) {
            *p = d->next;
            free(d);
            s->stats.deals--;
            return;
        }
    }
}

static void undirty(struct scheduler *s, struct task *t)
{
    for (struct task **p = &s->dirty; t->dirty && *p != NULL; p = &(*p)->next_dirty) {
        if (*p == t) {
            *p = t->next_dirty;
            t->dirty = false;
            return;
        }
    }
}

void task_forget(struct scheduler *s, struct task *t)
{
    undirty(s, t);
    for (struct task **p = &s->bucket[bucket_of(t->id)]; *p != NULL; p = &(*p)->next_hash) {
        if (*p == t) {
            *p = t->next_hash;
            break;
        }
    }
    *(t->prev != NULL ? &t->prev->next : &s->first) = t->next;
    *(t->next != NULL ? &t->next->prev : &s->last) = t->prev;
    for (size_t i = 0; i < t->n_replicas; i++) {
        free((void *)(uintptr_t)t->replicas[i].callback.p);
    }
    free(t->replicas);
    if (--t->deal->tasks == 0) {
        deal_forget(s, t->deal);
    }
    free(t);
    s->stats.tasks_live--;
}

void task_dirty(struct scheduler *s, struct task *t)
{
    if (!t->dirty) {
        t->dirty = true;
        t->next_dirty = s->dirty;
        s->dirty = t;
    }
    s->act_wanted = true;
}

struct replica *replica_find(struct task *t, struct address worker)
{
    for (size_t i = 0; i < t->n_replicas; i++) {
        if (address_eq(t->replicas[i].worker, worker)) {
            return &t->replicas[i];
        }
    }
    return NULL;
}

bool replica_has_result(const struct task *t, const struct replica *r)
{
    return address_is_zero(t->deal->callback) ? r->link[0] != '\0' : r->callback.n > 0;
}

struct replica *replica_add(struct task *t, struct address worker)
{
    if (t->n_replicas == t->cap_replicas) {
        t->cap_replicas = MAX(t->cap_replicas * 2, (size_t)1);
        t->replicas = realloc(t->replicas, t->cap_replicas * sizeof(*t->replicas));
        ASSERT(t->replicas != NULL);
    }
    struct replica *r = &t->replicas[t->n_replicas++];
    *r = (struct replica){.worker = worker};
    return r;
}

struct deal *deal_find(struct scheduler *s, struct hash id)
{
    struct deal *d = s->deals;
    while (d != NULL && !hash_eq(d->id, id)) {
        d = d->next;
    }
    return d;
}

struct deal *deal_add(struct scheduler *s, const struct deal *from)
{
    struct deal *d = calloc(1, sizeof(*d));
    ASSERT(d != NULL);
    *d = *from;
    d->tasks = 0;
    d->next = s->deals;
    s->deals = d;
    s->stats.deals++;
    return d;
}

void task_set_state(struct scheduler *s, struct task *t, enum task_state st)
{
    char text[HEX_HASH_MAX];
    if (t->state == st) {
        return;
    }
    log_info(AREA, "task=%s %s -> %s", hex_hash(text, t->id), task_state_name(t->state),
             task_state_name(st));
    t->state = st;
    memory_task(s, t);
    memory_status(s, t);
}

/* --- the database --- */

NORETURN static void disk_failed(const struct err *e)
{
    log_error(AREA, "the database cannot be used; stopping: %s", e->msg);
    _exit(e->code == RC_CODE_CORRUPT ? EXIT_CORRUPT : 1);
}

#define DISK(x, e)                                                                                 \
    do {                                                                                           \
        if (!rc_ok(x)) {                                                                           \
            disk_failed(&(e));                                                                     \
        }                                                                                          \
    } while (0)

void memory_begin(struct scheduler *s)
{
    struct err e = {0};
    if (!s->in_txn) {
        DISK(db_begin(s->db, &e), e);
        s->in_txn = true;
    }
}

void memory_commit(struct scheduler *s)
{
    struct err e = {0};
    if (s->in_txn) {
        DISK(db_commit(s->db, &e), e);
        s->in_txn = false;
    }
}

static void run(struct scheduler *s, struct stmt *st)
{
    struct err e = {0};
    memory_begin(s);
    DISK(stmt_run(st, &e), e);
}

static bool step(struct stmt *st)
{
    struct err e = {0};
    bool row = false;
    DISK(stmt_step(st, &row, &e), e);
    return row;
}

void memory_cursor(struct scheduler *s)
{
    BUF_FREE b = buf_new(CURSOR_BYTES_MAX);
    put_cursor(&b, &s->cursor);
    stmt_bind_text(s->memory->set_meta, 1, "cursor");
    stmt_bind_bytes(s->memory->set_meta, 2, buf_bytes(&b));
    run(s, s->memory->set_meta);
}

void memory_deal(struct scheduler *s, const struct deal *d)
{
    struct stmt *st = s->memory->put_deal;
    uint8_t stake[32];
    u256_to_be(stake, d->worker_stake);
    stmt_bind_bytes(st, 1, BYTES_OF(d->id));
    stmt_bind_bytes(st, 2, BYTES_OF(d->app));
    stmt_bind_bytes(st, 3, BYTES_OF(d->requester));
    stmt_bind_bytes(st, 4, BYTES_OF(d->callback));
    stmt_bind_bytes(st, 5, BYTES_OF(d->pool_owner));
    stmt_bind_bytes(st, 6, BYTES_OF(d->tag));
    stmt_bind_u64(st, 7, d->trust);
    stmt_bind_u64(st, 8, d->category);
    stmt_bind_u64(st, 9, d->start_s);
    stmt_bind_u64(st, 10, d->bot_first);
    stmt_bind_u64(st, 11, d->bot_size);
    stmt_bind_u64(st, 12, d->max_execution_s);
    stmt_bind_bytes(st, 13, (struct bytes){stake, 32});
    run(s, st);
}

void memory_task(struct scheduler *s, const struct task *t)
{
    struct stmt *st = s->memory->put_task;
    stmt_bind_bytes(st, 1, BYTES_OF(t->id));
    stmt_bind_bytes(st, 2, BYTES_OF(t->deal->id));
    stmt_bind_u64(st, 3, t->idx);
    stmt_bind_u64(st, 4, t->state);
    stmt_bind_u64(st, 5, t->chain);
    stmt_bind_u64(st, 6, t->contribution_deadline);
    stmt_bind_u64(st, 7, t->reveal_deadline);
    stmt_bind_u64(st, 8, t->final_deadline);
    stmt_bind_bytes(st, 9, BYTES_OF(t->consensus));
    stmt_bind_bytes(st, 10, BYTES_OF(t->digest));
    stmt_bind_u64(st, 11, t->winners);
    stmt_bind_u64(st, 12, t->reveals);
    if (t->has_challenge) {
        stmt_bind_bytes(st, 13, BYTES_OF(t->challenge));
    } else {
        stmt_bind_null(st, 13);
    }
    run(s, st);
}

void memory_replica(struct scheduler *s, const struct task *t, const struct replica *r)
{
    struct stmt *st = s->memory->put_replica;
    stmt_bind_bytes(st, 1, BYTES_OF(t->id));
    stmt_bind_bytes(st, 2, BYTES_OF(r->worker));
    stmt_bind_u64(st, 3, r->state);
    stmt_bind_u64(st, 4, r->weight);
    stmt_bind_u64(st, 5, r->created_s);
    stmt_bind_bytes(st, 6, BYTES_OF(r->hash));
    stmt_bind_u64(st, 7, r->rejected);
    stmt_bind_text(st, 8, r->link);
    stmt_bind_bytes(st, 9, r->callback);
    run(s, st);
}

void memory_status(struct scheduler *s, const struct task *t)
{
    struct stmt *st = s->memory->put_status;
    stmt_bind_bytes(st, 1, BYTES_OF(t->id));
    stmt_bind_u64(st, 2, clock_wall_ms());
    stmt_bind_u64(st, 3, t->state);
    run(s, st);
}

void memory_log(struct scheduler *s, struct hash task, struct address worker, const char *out,
                const char *err)
{
    struct stmt *st = s->memory->put_log;
    stmt_bind_bytes(st, 1, BYTES_OF(task));
    stmt_bind_bytes(st, 2, BYTES_OF(worker));
    stmt_bind_text(st, 3, out);
    stmt_bind_text(st, 4, err);
    stmt_bind_u64(st, 5, clock_wall_ms());
    run(s, st);
}

void memory_evidence(struct scheduler *s, struct hash task, struct address worker, const char *json)
{
    struct stmt *st = s->memory->put_evidence;
    stmt_bind_bytes(st, 1, BYTES_OF(task));
    stmt_bind_bytes(st, 2, BYTES_OF(worker));
    stmt_bind_text(st, 3, json);
    run(s, st);
}

void memory_old_logs(struct scheduler *s)
{
    uint64_t now = clock_wall_ms();
    stmt_bind_u64(s->memory->drop_logs, 1, now > LOGS_KEPT_MS ? now - LOGS_KEPT_MS : 0);
    run(s, s->memory->drop_logs);
}

/* --- coming back --- */

static struct address col_address(struct stmt *st, int i)
{
    struct address a = {0};
    struct bytes b = stmt_bytes(st, i);
    if (b.n == sizeof(a.b)) {
        memcpy(a.b, b.p, b.n);
    }
    return a;
}

static struct hash col_hash(struct stmt *st, int i)
{
    struct hash h = {0};
    struct bytes b = stmt_bytes(st, i);
    if (b.n == sizeof(h.b)) {
        memcpy(h.b, b.p, b.n);
    }
    return h;
}

static void load_deals(struct scheduler *s)
{
    struct stmt *st = s->memory->get_deals;
    while (step(st)) {
        struct deal d = {.id = col_hash(st, 0),
                         .app = col_address(st, 1),
                         .requester = col_address(st, 2),
                         .callback = col_address(st, 3),
                         .pool_owner = col_address(st, 4),
                         .tag = col_hash(st, 5),
                         .trust = stmt_u64(st, 6),
                         .category = stmt_u64(st, 7),
                         .start_s = stmt_u64(st, 8),
                         .bot_first = stmt_u64(st, 9),
                         .bot_size = stmt_u64(st, 10),
                         .max_execution_s = stmt_u64(st, 11)};
        struct hash stake = col_hash(st, 12);
        d.worker_stake = u256_from_be(stake.b);
        (void)deal_add(s, &d);
    }
    stmt_reset(st);
}

static void load_tasks(struct scheduler *s)
{
    struct stmt *st = s->memory->get_tasks;
    while (step(st)) {
        struct deal *d = deal_find(s, col_hash(st, 1));
        if (d == NULL) {
            continue;
        }
        struct task *t = task_add(s, d, stmt_u64(st, 2));
        t->state = (enum task_state)stmt_u64(st, 3);
        t->chain = (enum task_status)stmt_u64(st, 4);
        t->contribution_deadline = stmt_u64(st, 5);
        t->reveal_deadline = stmt_u64(st, 6);
        t->final_deadline = stmt_u64(st, 7);
        t->consensus = col_hash(st, 8);
        t->digest = col_hash(st, 9);
        t->winners = stmt_u64(st, 10);
        t->reveals = stmt_u64(st, 11);
        t->has_challenge = !stmt_is_null(st, 12);
        t->challenge = col_address(st, 12);
        task_dirty(s, t);
    }
    stmt_reset(st);
}

static void take_callback(struct replica *r, struct bytes b)
{
    if (b.n > 0) {
        uint8_t *p = malloc(b.n);
        ASSERT(p != NULL);
        memcpy(p, b.p, b.n);
        r->callback = (struct bytes){p, b.n};
    }
}

static void load_replicas(struct scheduler *s)
{
    struct stmt *st = s->memory->get_replicas;
    while (step(st)) {
        struct task *t = task_find(s, col_hash(st, 0));
        if (t == NULL) {
            continue;
        }
        struct replica *r = replica_add(t, col_address(st, 1));
        r->state = (enum replica_state)stmt_u64(st, 2);
        r->weight = stmt_u64(st, 3);
        r->created_s = stmt_u64(st, 4);
        r->hash = col_hash(st, 5);
        r->rejected = stmt_u64(st, 6) != 0;
        (void)snprintf(r->link, sizeof(r->link), "%s", stmt_text(st, 7));
        take_callback(r, stmt_bytes(st, 8));
    }
    stmt_reset(st);
}

static rc load(struct scheduler *s, struct err *e)
{
    stmt_bind_text(s->memory->get_meta, 1, "cursor");
    if (step(s->memory->get_meta)) {
        rc r = cursor_parse(&s->cursor, stmt_bytes(s->memory->get_meta, 0));
        if (!rc_ok(r)) {
            return err_set(e, RC_CODE_CORRUPT, "scheduler.db: the cursor is damaged");
        }
    } else {
        s->cursor = (struct client_cursor){.next = s->cfg.from_block, .start = s->cfg.from_block};
    }
    stmt_reset(s->memory->get_meta);
    load_deals(s);
    load_tasks(s);
    load_replicas(s);
    for (struct deal *d = s->deals, *next; d != NULL; d = next) { /* those that are over */
        next = d->next;
        if (d->tasks == 0) {
            deal_forget(s, d);
        }
    }
    return RC_OK;
}

#define REPLICA_COLUMNS "task, worker, state, weight, created, hash, rejected, link, callback"
#define TASK_COLUMNS                                                                               \
    "id, deal, idx, state, chain, contribution, reveal, final, consensus, digest, winners,"        \
    " reveals, challenge"
#define DEAL_COLUMNS                                                                               \
    "id, app, requester, callback, owner, tag, trust, category, start, first, size, max, stake"

static rc prepare(struct memory *m, struct db *db, struct err *e)
{
    const struct {
        struct stmt **st;
        const char *sql;
    } all[] = {
        {&m->set_meta, "INSERT OR REPLACE INTO meta VALUES(?, ?)"},
        {&m->get_meta, "SELECT value FROM meta WHERE key = ?"},
        {&m->put_deal, "INSERT OR REPLACE INTO deals VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&m->get_deals, "SELECT " DEAL_COLUMNS " FROM deals WHERE id IN"
                        " (SELECT deal FROM tasks WHERE state < 12)"},
        {&m->put_task, "INSERT OR REPLACE INTO tasks VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&m->get_tasks, "SELECT " TASK_COLUMNS " FROM tasks WHERE state < 12"},
        {&m->put_replica, "INSERT OR REPLACE INTO replicas VALUES(?,?,?,?,?,?,?,?,?)"},
        {&m->get_replicas, "SELECT " REPLICA_COLUMNS " FROM replicas WHERE task IN"
                           " (SELECT id FROM tasks WHERE state < 12)"},
        {&m->put_status, "INSERT INTO statuses VALUES(?,?,?)"},
        {&m->put_log, "INSERT OR REPLACE INTO logs VALUES(?,?,?,?,?)"},
        {&m->drop_logs, "DELETE FROM logs WHERE at < ?"},
        {&m->one_task,
         "SELECT t.state, t.contribution, t.reveal, t.final, t.consensus, d.tag,"
         " d.trust, d.max, d.id, t.idx FROM tasks t JOIN deals d ON d.id = t.deal"
         " WHERE t.id = ?"},
        {&m->one_statuses, "SELECT at, state FROM statuses WHERE task = ? ORDER BY rowid"},
        {&m->one_replicas,
         "SELECT worker, state, hash, link, callback FROM replicas WHERE task = ?"},
        {&m->one_logs, "SELECT worker, out, err FROM logs WHERE task = ?"},
        {&m->put_evidence, "INSERT OR REPLACE INTO evidence VALUES(?,?,?)"},
        {&m->one_evidence, "SELECT json FROM evidence WHERE task = ?"},
        {&m->one_requester,
         "SELECT d.requester FROM tasks t JOIN deals d ON d.id = t.deal WHERE t.id = ?"},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        *all[i].st = db_prepare(db, all[i].sql, e);
        if (*all[i].st == NULL) {
            return RC(CORRUPT);
        }
    }
    return RC_OK;
}

rc memory_open(struct scheduler *s, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(dir_make(s->cfg.state, 0700, e));
    TRY(path_join(path, s->cfg.state, "scheduler.db", e));
    TRY(db_open(&s->db, path, schema, 1, e));
    /* What a power loss takes from the last moments is on the chain, or is asked for again. */
    TRY(db_exec(s->db, "PRAGMA synchronous = NORMAL", e));
    s->memory = calloc(1, sizeof(*s->memory));
    ASSERT(s->memory != NULL);
    TRY(err_wrap(e, prepare(s->memory, s->db, e), "%s", path));
    return load(s, e);
}

void memory_close(struct scheduler *s)
{
    if (s->db != NULL) {
        memory_commit(s);
    }
    while (s->first != NULL) {
        task_forget(s, s->first);
    }
    while (s->deals != NULL) {
        deal_forget(s, s->deals);
    }
    db_close(s->db);
    free(s->memory);
}

/* --- for readers --- */

static json_t *date_json(uint64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX];
    return json_string(clock_text(wall_ms, text));
}

static json_t *hex_json(struct bytes b)
{
    struct buf t = buf_new(1 << 20);
    put_0x(&t, b);
    json_t *j = json_string(buf_cstr(&t));
    buf_free(&t);
    return j;
}

static json_t *address_json(struct address a)
{
    char text[HEX_ADDRESS_MAX];
    return json_string(hex_address(text, a));
}

static json_t *replica_row(struct stmt *st, struct hash id)
{
    char task[HEX_HASH_MAX], worker[HEX_ADDRESS_MAX], self[200];
    struct hash hash = col_hash(st, 2);
    (void)snprintf(self, sizeof(self), "/tasks/%s/replicas/%s", hex_hash(task, id),
                   hex_address(worker, col_address(st, 0)));
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:s, s:[]}", "self", self, "chainTaskId", task, "walletAddress",
                  worker, "currentStatus", replica_state_name((enum replica_state)stmt_u64(st, 1)),
                  "statusUpdateList");
    if (!hash_is_zero(hash)) {
        (void)json_object_set_new(j, "contributionHash", hex_json(BYTES_OF(hash)));
    }
    if (stmt_text(st, 3)[0] != '\0') {
        (void)json_object_set_new(j, "resultLink", json_string(stmt_text(st, 3)));
    }
    if (stmt_bytes(st, 4).n > 0) {
        (void)json_object_set_new(j, "chainCallbackData", hex_json(stmt_bytes(st, 4)));
    }
    return j;
}

static json_t *replicas_of(struct scheduler *s, struct hash id, const struct address *only)
{
    struct stmt *st = s->memory->one_replicas;
    json_t *list = json_array();
    stmt_bind_bytes(st, 1, BYTES_OF(id));
    while (step(st)) {
        if (only == NULL || address_eq(*only, col_address(st, 0))) {
            (void)json_array_append_new(list, replica_row(st, id));
        }
    }
    stmt_reset(st);
    return list;
}

/* The evidence that enclaves gave for this task: for receipts. It holds no secret. */
static json_t *evidence_of(struct scheduler *s, struct hash id)
{
    struct stmt *st = s->memory->one_evidence;
    json_t *list = json_array();
    stmt_bind_bytes(st, 1, BYTES_OF(id));
    while (step(st)) {
        json_t *one = json_parse(bytes_str(stmt_text(st, 0)), JSON_DEPTH_MAX, NULL);
        (void)json_array_append_new(list, one != NULL ? one : json_null());
    }
    stmt_reset(st);
    return list;
}

json_t *memory_task_json(struct scheduler *s, struct hash id)
{
    struct stmt *st = s->memory->one_task;
    char text[HEX_HASH_MAX];
    stmt_bind_bytes(st, 1, BYTES_OF(id));
    if (!step(st)) {
        stmt_reset(st);
        return NULL;
    }
    json_t *j = json_pack(
        "{s:s, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "chainTaskId", hex_hash(text, id),
        "dealId", hex_json(stmt_bytes(st, 8)), "taskIndex", (json_int_t)stmt_u64(st, 9),
        "currentStatus", task_state_name((enum task_state)stmt_u64(st, 0)), "trust",
        (json_int_t)stmt_u64(st, 6), "maxExecutionTime", (json_int_t)stmt_u64(st, 7) * 1000,
        "contributionDeadline", (json_int_t)stmt_u64(st, 1) * 1000, "revealDeadline",
        (json_int_t)stmt_u64(st, 2) * 1000, "finalDeadline", (json_int_t)stmt_u64(st, 3) * 1000,
        "tag", hex_json(stmt_bytes(st, 5)));
    struct hash consensus = col_hash(st, 4);
    stmt_reset(st);
    if (!hash_is_zero(consensus)) {
        (void)json_object_set_new(j, "consensus", hex_json(BYTES_OF(consensus)));
    }
    json_t *dates = json_array();
    st = s->memory->one_statuses;
    stmt_bind_bytes(st, 1, BYTES_OF(id));
    while (step(st)) {
        (void)json_array_append_new(
            dates, json_pack("{s:o, s:s}", "date", date_json(stmt_u64(st, 0)), "status",
                             task_state_name((enum task_state)stmt_u64(st, 1))));
    }
    stmt_reset(st);
    (void)json_object_set_new(j, "dateStatusList", dates);
    json_t *replicas = replicas_of(s, id, NULL);
    for (size_t i = 0; i < json_array_size(replicas); i++) {
        json_t *link = json_object_get(json_array_get(replicas, i), "resultLink");
        if (link != NULL) {
            (void)json_object_set(j, "resultLink", link);
        }
    }
    (void)json_object_set_new(j, "replicates", replicas);
    json_t *evidence = evidence_of(s, id);
    if (json_array_size(evidence) > 0) {
        (void)json_object_set(j, "evidence", evidence);
    }
    json_decref(evidence);
    return j;
}

json_t *memory_replica_json(struct scheduler *s, struct hash id, struct address worker)
{
    JSON_FREE *list = replicas_of(s, id, &worker);
    return json_incref(json_array_get(list, 0));
}

json_t *memory_logs_json(struct scheduler *s, struct hash id, const struct address *only)
{
    struct stmt *st = s->memory->one_logs;
    json_t *list = json_array();
    stmt_bind_bytes(st, 1, BYTES_OF(id));
    while (step(st)) {
        struct address who = col_address(st, 0);
        if (only == NULL || address_eq(*only, who)) {
            json_t *o = json_pack("{s:o, s:s, s:s}", "walletAddress", address_json(who), "stdout",
                                  stmt_text(st, 1), "stderr", stmt_text(st, 2));
            (void)json_array_append_new(list, o);
        }
    }
    stmt_reset(st);
    return list;
}

bool memory_requester(struct scheduler *s, struct hash id, struct address *out)
{
    struct stmt *st = s->memory->one_requester;
    stmt_bind_bytes(st, 1, BYTES_OF(id));
    bool found = step(st);
    if (found) {
        *out = col_address(st, 0);
    }
    stmt_reset(st);
    return found;
}
