/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.c - `souk receipt make`: gathers a task's blocks, transactions and receipts from a node,
 * with the proofs that tie them to the block hashes. */
#include <stdio.h>

#include "cmd/attest_files.h"
#include "cmd/cmd.h"
#include "cmd/receipt_int.h"
#include "cmd/result.h"
#include "encoding/hex.h"
#include "encoding/rlp.h"
#include "io/file.h"
#include "io/http_client.h"

struct receipt_opts {
    struct session_opts so;
    const char *id, *out, *policy, *collateral;
    struct opt_list anchor;
    uint64_t index;
};

struct place {
    uint64_t block;
    struct hash tx;
};

struct gather {
    struct place at[RECEIPT_TXS_MAX];
    size_t n;
};

static rc add_place(struct gather *g, const struct client_log *l, struct err *e)
{
    for (size_t i = 0; i < g->n; i++) {
        if (hash_eq(g->at[i].tx, l->tx_hash)) {
            return RC_OK;
        }
    }
    if (g->n == RECEIPT_TXS_MAX) {
        return err_set(e, RC_CODE_LIMIT, "the task has more than %d transactions", RECEIPT_TXS_MAX);
    }
    g->at[g->n++] = (struct place){l->block, l->tx_hash};
    return RC_OK;
}

static struct hash topic(enum event ev)
{
    return iface_event(ev)->topic;
}

/* The match of the deal, and everything that names the task. */
static rc find_places(struct session *s, struct gather *g, struct hash deal, struct hash task,
                      struct address pool, struct err *e)
{
    static const enum event events[] = {EVENT_hub_TaskInitialize, EVENT_hub_TaskContribute,
                                        EVENT_hub_TaskReveal,     EVENT_hub_TaskReopen,
                                        EVENT_hub_TaskFinalize,   EVENT_hub_TaskClaimed};
    const struct client_log *logs;
    size_t n;
    struct client_head head;
    struct client_filter f = {.address = s->hub, .n_topic0 = 1};
    TRY(client_head(s->client, &head, e));
    f.to = head.number;
    f.topic0[0] = topic(EVENT_hub_SchedulerNotice);
    memcpy(f.topic1.b + 12, pool.b, sizeof(pool.b));
    TRY(client_logs(s->client, &logs, &n, &s->a, &f, e));
    for (size_t i = 0; i < n; i++) {
        if (bytes_eq(logs[i].data, BYTES_OF(deal))) {
            TRY(add_place(g, &logs[i], e));
        }
    }
    f.n_topic0 = ARRAY_LEN(events);
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        f.topic0[i] = topic(events[i]);
    }
    f.topic1 = task;
    TRY(client_logs(s->client, &logs, &n, &s->a, &f, e));
    for (size_t i = 0; i < n; i++) {
        TRY(add_place(g, &logs[i], e));
    }
    return g->n > 0 ? RC_OK : err_set(e, RC_CODE_NOT_FOUND, "the node has no logs of this task");
}

/* --- JSON of the node to the RLP that blocks commit to ---------------------------------------------- */

static rc put_member(struct buf *b, struct session *s, const struct js *o, const char *key,
                     bool number, struct err *e)
{
    struct js v = js_key(o, key);
    if (number) {
        const char *text;
        struct u256 n;
        TRY(js_str(&text, &v, e));
        if (!rc_ok(hex_parse_quantity256(&n, text, false))) {
            return js_err(&v, e, "must be a quantity");
        }
        rlp_put_u256(b, n);
        return RC_OK;
    }
    struct bytes raw;
    TRY(js_hex(&raw, &s->a, &v, RECEIPT_FILE_MAX, e));
    rlp_put_str(b, raw);
    return RC_OK;
}

static rc header_rlp(struct buf *b, struct session *s, const struct js *block, struct err *e)
{
    static const struct {
        const char *key;
        bool number;
    } f[] = {{"parentHash", false},  {"sha3Uncles", false},       {"miner", false},
             {"stateRoot", false},   {"transactionsRoot", false}, {"receiptsRoot", false},
             {"logsBloom", false},   {"difficulty", true},        {"number", true},
             {"gasLimit", true},     {"gasUsed", true},           {"timestamp", true},
             {"extraData", false},   {"mixHash", false},          {"nonce", false},
             {"baseFeePerGas", true}};
    size_t list = rlp_list_begin(b);
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        TRY(put_member(b, s, block, f[i].key, f[i].number, e));
    }
    rlp_list_end(b, list);
    return RC_OK;
}

static rc log_rlp(struct buf *b, struct session *s, const struct js *log, struct err *e)
{
    struct js topics = js_key(log, "topics");
    size_t list = rlp_list_begin(b);
    TRY(put_member(b, s, log, "address", false, e));
    size_t inner = rlp_list_begin(b);
    TRY(js_array(&topics, 4, e));
    for (size_t i = 0; i < js_n(&topics); i++) {
        struct js t = js_at(&topics, i);
        struct hash h;
        TRY(js_hash(&h, &t, e));
        rlp_put_str(b, BYTES_OF(h));
    }
    rlp_list_end(b, inner);
    TRY(put_member(b, s, log, "data", false, e));
    rlp_list_end(b, list);
    return RC_OK;
}

static rc receipt_rlp(struct buf *b, struct session *s, const struct js *r, struct err *e)
{
    struct js type = js_key(r, "type"), logs = js_key(r, "logs");
    const char *text;
    uint64_t kind = 0;
    TRY(js_str(&text, &type, e));
    if (!rc_ok(hex_parse_quantity(&kind, text, false)) || kind > 2) {
        return js_err(&type, e, "must be 0x0, 0x1 or 0x2");
    }
    if (kind != 0) {
        put_u8(b, (uint8_t)kind);
    }
    size_t list = rlp_list_begin(b);
    TRY(put_member(b, s, r, "status", true, e));
    TRY(put_member(b, s, r, "cumulativeGasUsed", true, e));
    TRY(put_member(b, s, r, "logsBloom", false, e));
    size_t inner = rlp_list_begin(b);
    TRY(js_array(&logs, 100000, e));
    for (size_t i = 0; i < js_n(&logs); i++) {
        struct js l = js_at(&logs, i);
        TRY(log_rlp(b, s, &l, e));
    }
    rlp_list_end(b, inner);
    rlp_list_end(b, list);
    return RC_OK;
}

/* --- one block --------------------------------------------------------------------------------------- */

struct block_parts {
    struct bytes *tx, *receipt;
    struct hash *hash;
    size_t n;
    json_t *header;
};

static struct bytes keep(struct session *s, const struct buf *b)
{
    uint8_t *p = arena_alloc(&s->a, b->n);
    ASSERT(p != NULL);
    memcpy(p, b->p, b->n);
    return (struct bytes){p, b->n};
}

static json_t *json_bytes(struct bytes v)
{
    BUF_FREE b = buf_new(RECEIPT_FILE_MAX * 2);
    put_0x(&b, v);
    return json_string(buf_cstr(&b));
}

static rc load_txs(struct session *s, struct block_parts *p, const struct js *block, struct err *e)
{
    struct js list = js_key(block, "transactions");
    TRY(js_array(&list, MPT_ITEMS_MAX, e));
    p->n = js_n(&list);
    p->tx = ARENA_ARRAY(&s->a, struct bytes, p->n);
    p->receipt = ARENA_ARRAY(&s->a, struct bytes, p->n);
    p->hash = ARENA_ARRAY(&s->a, struct hash, p->n);
    struct client_rpc_item *items = ARENA_ARRAY(&s->a, struct client_rpc_item, p->n);
    if (p->tx == NULL || p->receipt == NULL || p->hash == NULL || items == NULL) {
        return err_set(e, RC_CODE_LIMIT, "the block is too large");
    }
    for (size_t i = 0; i < p->n; i++) {
        struct js h = js_at(&list, i);
        char text[HEX_HASH_MAX];
        TRY(js_hash(&p->hash[i], &h, e));
        items[i] = (struct client_rpc_item){.method = "eth_getRawTransactionByHash",
                                            .params = json_pack("[s]", hex_hash(text, p->hash[i]))};
    }
    rc r = client_rpc_batch(s->client, items, p->n, e);
    for (size_t i = 0; i < p->n; i++) {
        struct js raw = js_top(items[i].result);
        if (rc_ok(r) && !rc_ok(items[i].r)) {
            *e = items[i].err;
            r = items[i].r;
        }
        if (rc_ok(r)) {
            r = js_hex(&p->tx[i], &s->a, &raw, RECEIPT_FILE_MAX, e);
        }
        json_decref(items[i].result);
    }
    return r;
}

static rc load_receipts(struct session *s, struct block_parts *p, const char *number, struct err *e)
{
    json_t *reply = NULL;
    TRY(client_rpc(s->client, &reply, "eth_getBlockReceipts", json_pack("[s]", number), e));
    JSON_FREE *hold = reply;
    struct js list = js_top(hold);
    TRY(js_array(&list, MPT_ITEMS_MAX, e));
    if (js_n(&list) != p->n) {
        return err_set(e, RC_CODE_MALFORMED, "the node's receipts do not fit its block");
    }
    for (size_t i = 0; i < p->n; i++) {
        struct js r = js_at(&list, i);
        BUF_FREE b = buf_new(RECEIPT_FILE_MAX);
        TRY(receipt_rlp(&b, s, &r, e));
        p->receipt[i] = keep(s, &b);
    }
    return RC_OK;
}

static rc load_block(struct session *s, struct block_parts *p, uint64_t number, struct err *e)
{
    char text[32];
    json_t *reply = NULL;
    (void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
    TRY(client_rpc(s->client, &reply, "eth_getBlockByNumber", json_pack("[s, b]", text, 0), e));
    JSON_FREE *hold = reply;
    struct js block = js_top(hold);
    BUF_FREE b = buf_new(1 << 16);
    TRY(header_rlp(&b, s, &block, e));
    p->header = json_bytes(buf_bytes(&b));
    TRY(load_txs(s, p, &block, e));
    return load_receipts(s, p, text, e);
}

static rc json_proof(struct session *s, json_t **out, const struct bytes *items, size_t n, size_t i)
{
    struct mpt_proof proof;
    TRY(mpt_list_prove(&proof, &s->a, items, n, i));
    *out = json_array();
    for (size_t k = 0; k < proof.n; k++) {
        (void)json_array_append_new(*out, json_bytes(proof.node[k]));
    }
    return RC_OK;
}

static rc add_tx(struct session *s, json_t *into, const struct block_parts *p, struct hash tx,
                 struct err *e)
{
    size_t i = 0;
    json_t *tx_proof = NULL, *receipt_proof = NULL;
    while (i < p->n && !hash_eq(p->hash[i], tx)) {
        i++;
    }
    if (i == p->n || !rc_ok(json_proof(s, &tx_proof, p->tx, p->n, i)) ||
        !rc_ok(json_proof(s, &receipt_proof, p->receipt, p->n, i))) {
        json_decref(tx_proof);
        return err_set(e, RC_CODE_MALFORMED, "the node's logs do not fit its blocks");
    }
    (void)json_array_append_new(
        into, json_pack("{s:I, s:o, s:o, s:o, s:o}", "index", (json_int_t)i, "transaction",
                        json_bytes(p->tx[i]), "transactionProof", tx_proof, "receipt",
                        json_bytes(p->receipt[i]), "receiptProof", receipt_proof));
    return RC_OK;
}

static rc add_blocks(struct session *s, json_t *blocks, const struct gather *g, struct err *e)
{
    for (size_t i = 0; i < g->n; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) {
            seen |= g->at[k].block == g->at[i].block;
        }
        if (seen) {
            continue;
        }
        struct block_parts p = {0};
        json_t *txs = json_array();
        rc r = load_block(s, &p, g->at[i].block, e);
        for (size_t k = i; rc_ok(r) && k < g->n; k++) {
            if (g->at[k].block == g->at[i].block) {
                r = add_tx(s, txs, &p, g->at[k].tx, e);
            }
        }
        (void)json_array_append_new(
            blocks, json_pack("{s:o?, s:o}", "header", p.header, "transactions", txs));
        TRY(r);
    }
    return RC_OK;
}

/* The scheduler keeps what the task's enclaves showed. A task without an enclave has none. */
static rc add_evidence(struct session *s, json_t *receipt, struct hash task, struct err *e)
{
    char text[HEX_HASH_MAX];
    JSON_FREE *reply = NULL;
    if (s->scheduler == NULL) {
        return RC_OK;
    }
    struct http_call call = {.url =
                                 session_fmt(s, "%s/tasks/%s", s->scheduler, hex_hash(text, task))};
    rc r = http_json(client_http(s->client), &reply, &call, NULL, e);
    if (!rc_ok(r)) {
        return r.code == RC_CODE_NOT_FOUND ? RC_OK : err_wrap(e, r, "the task's evidence");
    }
    json_t *list = json_object_get(reply, "evidence");
    if (json_is_array(list)) {
        (void)json_object_set(receipt, "evidence", list);
    }
    return RC_OK;
}

static rc make(struct session *s, void *opts, struct err *e)
{
    const struct receipt_opts *o = opts;
    struct hash task;
    struct view_task t;
    struct view_deal d;
    struct gather g = {0};
    char text[HEX_HASH_MAX];
    TRY(task_lookup(s, &task, &t, o->id, o->index, e));
    TRY(client_view_deal(s->client, &d, &s->a, t.dealid, e));
    TRY(find_places(s, &g, t.dealid, task, d.workerpool.pointer, e));
    JSON_FREE *receipt = json_pack(
        "{s:s, s:i, s:I, s:o, s:o, s:o, s:I}", "souk", "receipt", "version", RECEIPT_VERSION,
        "chainId", (json_int_t)s->chain_id, "hub", json_address_text(s->hub), "deal",
        json_hash_text(t.dealid), "task", json_hash_text(task), "index", (json_int_t)t.idx);
    json_t *blocks = json_array();
    (void)json_object_set_new(receipt, "blocks", blocks);
    TRY(add_blocks(s, blocks, &g, e));
    TRY(add_evidence(s, receipt, task, e));
    BUF_FREE out = buf_new(RECEIPT_FILE_MAX);
    json_put(&out, receipt);
    put_u8(&out, '\n');
    const char *path =
        o->out != NULL ? o->out : session_fmt(s, "receipt-%.10s.json", hex_hash(text, task));
    TRY(buf_end(&out));
    TRY(file_write(path, buf_bytes(&out), 0644, e));
    if (o->so.json) {
        print_json(json_pack("{s:s, s:o, s:I}", "file", path, "task", json_hash_text(task), "bytes",
                             (json_int_t)out.n));
    } else {
        (void)printf("%s: %zu transactions; explain it with `souk receipt show %s`\n", path, g.n,
                     path);
    }
    return RC_OK;
}

/* --- options ----------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct opt make_table[] = {
    {"index", OPT_U64, offsetof(struct receipt_opts, index), "N", "0", 0, 0, "which task of a deal, counted from 0"},
    {"out", OPT_STR, offsetof(struct receipt_opts, out), "FILE", NULL, 0, 0, "where to write it (default: receipt-TASK.json)"},
    {"scheduler", OPT_STR, offsetof(struct receipt_opts, so.scheduler), "URL", NULL, 0, 0, "scheduler that ran the task: it keeps the evidence of enclaves"},
    SESSION_OPTS(struct receipt_opts), {.name = NULL},
};
static const struct opt show_table[] = {
    {"policy", OPT_STR, offsetof(struct receipt_opts, policy), "FILE", NULL, 0, 0, "judge the evidence by this policy (docs/attestation.md)"},
    {"anchor", OPT_LIST, offsetof(struct receipt_opts, anchor), "KIND:ADDRESS|FILE", NULL, 0, 0, "a trust anchor beside the vendors' roots, like simulated:0x…"},
    {"collateral", OPT_STR, offsetof(struct receipt_opts, collateral), "DIR", NULL, 0, 0, "folder of vendor collateral for the evidence"},
    {"json", OPT_FLAG, offsetof(struct receipt_opts, so.json), NULL, NULL, 0, 0, "print JSON"}, {.name = NULL},
};
static const struct opts make_options = {
    .command = "receipt make", .args = "TASK|DEAL", .args_min = 1, .args_max = 1, .table = make_table,
    .summary = "Writes one file that proves a task: the blocks, transactions and receipts that hold it, with Merkle proofs.",
    .example = "  souk receipt make 0x5c75bb… --out receipt.json",
};
static const struct opts show_options = {
    .command = "receipt show", .args = "FILE", .args_min = 1, .args_max = 1, .table = show_table,
    .summary = "Explains a receipt and checks it without any node: inclusion in the blocks, every signature, the result's digests, the enclave's evidence, and that the money adds up. What is left to trust are the block hashes it prints.",
    .example = "  souk receipt show receipt.json",
};
/* clang-format on */

static int run_make(int argc, char **argv)
{
    struct receipt_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, (size_t)1 << 20);
    enum opts_what what = opts_parse(&make_options, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        o.id = rest.v[0];
        status = session_run(&o.so, "receipt make", make, &o);
    }
    arena_reset(&a);
    return status;
}

static rc read_judge(struct receipt_judge *how, struct arena *a, const struct receipt_opts *o,
                     struct err *e)
{
    struct attest_anchor *anchor;
    struct attest_item *item;
    how->given = o->policy != NULL || o->collateral != NULL || o->anchor.n > 0;
    TRY(attest_load_policy(&how->policy, a, o->policy, e));
    TRY(attest_load_anchors(&anchor, &how->n_anchor, a, &o->anchor, e));
    TRY(attest_load_folder(&item, &how->n_item, a, o->collateral, e));
    how->anchor = anchor;
    how->item = item;
    return RC_OK;
}

static int show_file(const char *path, struct arena *a, const struct receipt_opts *o)
{
    static struct receipt_judge how;
    struct err e = {0};
    struct bytes text;
    static struct proven p; /* a third of a megabyte of logs */
    rc r = file_read_arena(&text, a, path, RECEIPT_FILE_MAX, &e);
    JSON_FREE *j = rc_ok(r) ? json_parse(text, JSON_DEPTH_MAX, &e) : NULL;
    if (j == NULL || !rc_ok(read_judge(&how, a, o, &e))) {
        (void)fprintf(stderr, "souk receipt show: %s: %s\n", path, e.msg);
        return 2;
    }
    r = receipt_check(&p, a, j, &e);
    if (!rc_ok(r)) {
        (void)fprintf(stderr, "souk receipt show: %s does not hold: %s\n", path, e.msg);
        return r.code == RC_CODE_DENIED ? 1 : 2;
    }
    return receipt_explain(&p, a, &how, o->so.json);
}

static int run_show(int argc, char **argv)
{
    struct receipt_opts o = {0};
    struct opts_rest rest;
    struct arena a;
    arena_init(&a, ATTEST_FILES_ARENA);
    enum opts_what what = opts_parse(&show_options, &o, &rest, argc, argv, &a);
    int status = what == OPTS_DONE ? 0 : 2;
    if (what == OPTS_RUN) {
        status = show_file(rest.v[0], &a, &o);
    }
    arena_reset(&a);
    return status;
}

int cmd_receipt(int argc, char **argv)
{
    static const struct verb verbs[] = {{"make", "write a task's receipt", run_make},
                                        {"show", "check and explain one, offline", run_show},
                                        {0}};
    return verbs_run("receipt", "proofs of what was computed and paid", verbs, argc, argv);
}
