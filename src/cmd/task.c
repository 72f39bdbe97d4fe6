/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - `souk task`, `souk claim` and `souk account`: where a task stands, money back after its
 * deadline, and what an account has. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/result.h"
#include "encoding/hex.h"

struct task_opts {
    struct session_opts so;
    const char *id;
    uint64_t timeout_ms, index;
    bool all;
};

static json_t *task_json(struct hash id, const struct view_task *t)
{
    static const char *const names[] = {"UNSET", "ACTIVE", "REVEALING", "COMPLETED", "FAILED"};
    json_t *workers = json_array();
    for (size_t i = 0; i < t->n_contributors; i++) {
        (void)json_array_append_new(workers, json_address_text(t->contributors[i]));
    }
    return json_pack("{s:o, s:o, s:I, s:s, s:I, s:I, s:o, s:o, s:s%}", "task", json_hash_text(id),
                     "deal", json_hash_text(t->dealid), "index", (json_int_t)t->idx, "status",
                     names[t->status], "contributionDeadline", (json_int_t)t->contribution_deadline,
                     "finalDeadline", (json_int_t)t->final_deadline, "workers", workers, "digest",
                     json_hash_text(t->result_digest), "results", (const char *)t->results.p,
                     t->results.n);
}

static void print_workers(struct session *s, struct hash id, const struct view_task *t)
{
    static const char *const names[] = {"unset", "contributed", "proved", "rejected"};
    for (size_t i = 0; i < t->n_contributors; i++) {
        struct view_contribution c;
        struct err e;
        char addr[HEX_ADDRESS_MAX], hash[HEX_HASH_MAX];
        if (rc_ok(client_view_contribution(s->client, &c, id, t->contributors[i], &e))) {
            (void)printf("  worker %s  %-11s %.18s…%s\n", hex_address(addr, t->contributors[i]),
                         names[c.status], hex_hash(hash, c.result_hash),
                         address_is_zero(c.enclave_challenge) ? "" : "  by an enclave");
        }
    }
}

static rc print_task(struct session *s, struct hash id, const struct view_task *t, struct err *e)
{
    struct client_head head;
    char text[HEX_HASH_MAX];
    (void)printf("task %s\n  %s\n", hex_hash(text, id), task_status_text(t->status));
    (void)printf("  deal   %s, task %llu\n", hex_hash(text, t->dealid), (unsigned long long)t->idx);
    print_workers(s, id, t);
    if (t->status == TASK_COMPLETED) {
        (void)printf("  result %.*s\n  digest %s\n", (int)MIN(t->results.n, 200),
                     (const char *)t->results.p, hex_hash(text, t->result_digest));
    } else if (t->status == TASK_ACTIVE || t->status == TASK_REVEALING) {
        TRY(client_head(s->client, &head, e));
        int64_t left = (int64_t)t->final_deadline - (int64_t)head.timestamp;
        (void)printf(left > 0
                         ? "  its deadline is in %lld s\n"
                         : "  its deadline passed %lld s ago: souk claim gives the money back\n",
                     (long long)(left > 0 ? left : -left));
    }
    return RC_OK;
}

static rc show(struct session *s, void *opts, struct err *e)
{
    const struct task_opts *o = opts;
    struct hash id;
    struct view_task t;
    TRY(task_lookup(s, &id, &t, o->id, o->index, e));
    if (o->so.json) {
        print_json(task_json(id, &t));
        return RC_OK;
    }
    return print_task(s, id, &t, e);
}

/* Every task of the deal, one after another. */
static rc watch_all(struct session *s, const struct task_opts *o, struct hash deal, struct err *e)
{
    struct view_deal d;
    uint64_t failed = 0;
    TRY(client_view_deal(s->client, &d, &s->a, deal, e));
    for (uint64_t i = 0; i < d.bot_size; i++) {
        struct view_task t;
        TRY(task_wait(s, &t, order_task_id(deal, u256_from(d.bot_first + i)), o->timeout_ms, false,
                      e));
        failed += t.status != TASK_COMPLETED;
    }
    if (o->so.json) {
        print_json(json_pack("{s:o, s:I, s:I}", "deal", json_hash_text(deal), "tasks",
                             (json_int_t)d.bot_size, "failed", (json_int_t)failed));
    } else {
        (void)printf("%llu tasks done, %llu failed\n", (unsigned long long)d.bot_size,
                     (unsigned long long)failed);
    }
    return failed == 0 ? RC_OK : err_set(e, RC_CODE_IO, "tasks failed");
}

static rc watch(struct session *s, void *opts, struct err *e)
{
    const struct task_opts *o = opts;
    struct hash id;
    struct view_task t;
    TRY(task_lookup(s, &id, &t, o->id, o->index, e));
    if (o->all) {
        return watch_all(s, o, t.dealid, e);
    }
    TRY(task_wait(s, &t, id, o->timeout_ms, !o->so.json, e));
    if (o->so.json) {
        print_json(task_json(id, &t));
    } else {
        TRY(print_task(s, id, &t, e));
    }
    return t.status == TASK_COMPLETED ? RC_OK : err_set(e, RC_CODE_IO, "the task failed");
}

/* Everything of a deal that can be claimed, or one task. */
static rc claim(struct session *s, void *opts, struct err *e)
{
    const struct task_opts *o = opts;
    struct hash id;
    struct view_task t;
    struct client_receipt receipt;
    BUF_FREE data = buf_new(4096);
    TRY(session_signer(s, e));
    TRY(task_lookup(s, &id, &t, o->id, o->index, e));
    if (t.status == TASK_UNSET) { /* never begun: initialize and claim at once */
        struct view_deal d;
        TRY(client_view_deal(s->client, &d, &s->a, t.dealid, e));
        struct abi_out a = call_begin(&data, METHOD_hub_initializeAndClaimArray, 2);
        struct abi_out ids = abi_put_array(&a, d.bot_size, 1);
        for (uint64_t i = 0; i < d.bot_size; i++) {
            abi_put_hash(&ids, t.dealid);
        }
        struct abi_out idx = abi_put_array(&a, d.bot_size, 1);
        for (uint64_t i = 0; i < d.bot_size; i++) {
            abi_put_u64(&idx, d.bot_first + i);
        }
    } else {
        struct abi_out a = call_begin(&data, METHOD_hub_claim, 1);
        abi_put_hash(&a, id);
    }
    struct client_tx tx = {.to = s->hub, .data = buf_bytes(&data)};
    rc r = client_transact(s->client, &receipt, &s->a, &s->signer, &tx, 30000, e);
    if (r.code == RC_CODE_DENIED) {
        return err_wrap(e, r, "claim: only an unfinished task whose deadline has passed");
    }
    TRY(r);
    if (o->so.json) {
        print_json(json_pack("{s:b, s:o, s:o}", "ok", 1, "task", json_hash_text(id), "transaction",
                             json_hash_text(tx.hash)));
    } else {
        (void)printf("claimed: the requester has the money back, the pool has lost its stake\n");
    }
    return RC_OK;
}

static rc account(struct session *s, void *opts, struct err *e)
{
    const struct task_opts *o = opts;
    struct address who;
    struct view_account acc;
    struct u256 score;
    char addr[HEX_ADDRESS_MAX], m1[MONEY_MAX], m2[MONEY_MAX], dec[U256_DEC_MAX];
    TRY(session_address(s, &who, o->id, e));
    TRY(client_view_account(s->client, &acc, who, e));
    TRY(client_view_score(s->client, &score, who, e));
    if (o->so.json) {
        print_json(json_pack("{s:o, s:o, s:o, s:o}", "address", json_address_text(who), "stake",
                             json_u256(acc.stake), "locked", json_u256(acc.locked), "score",
                             json_u256(score)));
    } else {
        (void)printf("%s  escrow %s, locked %s, score %s\n", hex_address(addr, who),
                     money(m1, acc.stake), money(m2, acc.locked), u256_dec(score, dec));
    }
    return RC_OK;
}

/* clang-format off */
#define TIMEOUT {"timeout", OPT_MS, offsetof(struct task_opts, timeout_ms), "TIME", "10m", 1, 0, "give up waiting after this time; the task goes on"}
#define INDEX {"index", OPT_U64, offsetof(struct task_opts, index), "N", "0", 0, 0, "which task of a deal, counted from 0"}
static const struct opt show_table[] = {INDEX, SESSION_OPTS(struct task_opts), {.name = NULL}};
static const struct opt watch_table[] = {INDEX, TIMEOUT, {"all", OPT_FLAG, offsetof(struct task_opts, all), NULL, NULL, 0, 0, "wait for every task of the deal"}, SESSION_OPTS(struct task_opts), {.name = NULL}};
static const struct opt claim_table[] = {INDEX, SESSION_SIGNER(struct task_opts), SESSION_OPTS(struct task_opts), {.name = NULL}};

static const struct opt account_table[] = {SESSION_OPTS(struct task_opts), {.name = NULL}};

static const struct opts show_options = {.command = "task show", .args = "TASK|DEAL", .args_min = 1, .args_max = 1, .table = show_table,
    .summary = "Where a task stands: status, workers, votes, result.", .example = "  souk task show 0x5c75bb…"};
static const struct opts watch_options = {.command = "task watch", .args = "TASK|DEAL", .args_min = 1, .args_max = 1, .table = watch_table,
    .summary = "Follows a task until it is completed or failed.", .example = "  souk task watch 0x5c75bb… --timeout 2m"};
static const struct opts claim_options = {.command = "claim", .args = "TASK|DEAL", .args_min = 1, .args_max = 1, .table = claim_table,
    .summary = "After a task's final deadline: ends it, gives the requester his money back and fines the pool. Anyone may.",
    .example = "  souk claim 0x5c75bb… --wallet alice"};
static const struct opts account_options = {.command = "account", .args = "NAME|ADDRESS", .args_min = 1, .args_max = 1, .table = account_table,
    .summary = "An account's escrow, what deals have locked of it, and its reputation.", .example = "  souk account worker-1"};
/* clang-format on */

static int run(const struct opts *options, rc (*fn)(struct session *, void *, struct err *),
               int argc, char **argv)
{
    struct task_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(options, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        o.id = rest.v[0];
        status = session_run(&o.so, options->command, fn, &o);
    }
    arena_reset(&a);
    return status;
}

static int run_show(int argc, char **argv)
{
    return run(&show_options, show, argc, argv);
}

static int run_watch(int argc, char **argv)
{
    return run(&watch_options, watch, argc, argv);
}

int cmd_task(int argc, char **argv)
{
    static const struct verb verbs[] = {{"show", "where a task stands", run_show},
                                        {"watch", "follow it to its end", run_watch},
                                        {0}};
    return verbs_run("task", "tasks of deals", verbs, argc, argv);
}

int cmd_claim(int argc, char **argv)
{
    return run(&claim_options, claim, argc, argv);
}

int cmd_account(int argc, char **argv)
{
    return run(&account_options, account, argc, argv);
}
