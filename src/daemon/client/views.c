/* SPDX-License-Identifier: Apache-2.0 */
/* views.c - eth_call and the hub's views as structs: SPEC poco 8. */
#include "daemon/client/client_int.h"
#include "encoding/hex.h"

#define CALL_DATA_MAX ((size_t)1 << 20)
#define VIEW_OUT_MAX  ((size_t)4 << 20)

struct abi_out call_begin(struct buf *data, enum method m, size_t head_words)
{
    put_be(data, iface_method(m)->selector, 4);
    return abi_begin(data, head_words);
}

static json_t *call_params(struct address to, struct bytes data)
{
    return json_pack("[{s:o, s:o}, s]", "to", json_address(to), "data", json_bytes(data), "latest");
}

rc client_call(struct client *c, struct buf *out, struct address to, struct bytes data,
               struct err *e)
{
    JSON_FREE *v = NULL;
    TRY(client_rpc(c, &v, "eth_call", call_params(to, data), e));
    const char *s = json_string_value(v);
    if (s == NULL || !rc_ok(hex_decode(out, bytes_str(s)))) {
        return err_set(e, RC_CODE_MALFORMED, "eth_call: the node's answer is no hex");
    }
    return RC_OK;
}

static rc take_out(struct client_call_item *it, const json_t *v, struct arena *a)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    const char *s = json_string_value(v);
    if (s == NULL || !rc_ok(hex_decode(&raw, bytes_str(s)))) {
        return err_set(&it->err, RC_CODE_MALFORMED, "eth_call: the node's answer is no hex");
    }
    uint8_t *p = arena_alloc(a, raw.n);
    if (p == NULL) {
        return err_set(&it->err, RC_CODE_LIMIT, "eth_call: the answer is too long");
    }
    if (raw.n > 0) {
        memcpy(p, raw.p, raw.n);
    }
    it->out = (struct bytes){p, raw.n};
    return RC_OK;
}

rc client_call_batch(struct client *c, struct client_call_item *items, size_t n, struct arena *a,
                     struct err *e)
{
    struct client_rpc_item *rpc = ARENA_ARRAY(a, struct client_rpc_item, n);
    if (rpc == NULL) {
        return err_set(e, RC_CODE_LIMIT, "too many calls at once");
    }
    for (size_t i = 0; i < n; i++) {
        rpc[i].method = "eth_call";
        rpc[i].params = call_params(items[i].to, items[i].data);
    }
    rc r = client_rpc_batch(c, rpc, n, e);
    for (size_t i = 0; i < n; i++) {
        items[i].r = rpc[i].r;
        items[i].err = rpc[i].err;
        if (rc_ok(items[i].r)) {
            items[i].r = take_out(&items[i], rpc[i].result, a);
        }
        json_decref(rpc[i].result);
    }
    return r;
}

/* --- decoding --- */

static bool copy(struct bytes *b, struct arena *a)
{
    uint8_t *p = arena_alloc(a, b->n + 1); /* the NUL of those that are text */
    if (p == NULL) {
        return false;
    }
    if (b->n > 0) {
        memcpy(p, b->p, b->n);
    }
    b->p = p;
    return true;
}

static void take_owned(struct abi_in *in, struct view_owned *o)
{
    o->pointer = abi_take_address(in);
    o->owner = abi_take_address(in);
    o->price = abi_take_u256(in);
}

/* Times and counters: what does not fit 64 bits is not a chain we work with. */
static uint64_t take_u64(struct abi_in *in)
{
    return abi_take_uint(in, 64);
}

rc view_deal_parse(struct view_deal *out, struct arena *a, struct bytes data)
{
    struct abi_in top = abi_of(data), in = abi_take_tuple(&top);
    struct view_deal d = {0};
    take_owned(&in, &d.app);
    take_owned(&in, &d.dataset);
    take_owned(&in, &d.workerpool);
    d.trust = abi_take_u256(&in);
    d.category = abi_take_u256(&in);
    d.tag = abi_take_hash(&in);
    d.requester = abi_take_address(&in);
    d.beneficiary = abi_take_address(&in);
    d.callback = abi_take_address(&in);
    d.params = abi_take_bytes(&in);
    d.start_time = take_u64(&in);
    d.bot_first = take_u64(&in);
    d.bot_size = take_u64(&in);
    d.worker_stake = abi_take_u256(&in);
    d.scheduler_reward_ratio = abi_take_u256(&in);
    d.sponsor = abi_take_address(&in);
    abi_join(&top, &in);
    TRY(abi_end(&top));
    *out = d;
    return copy(&out->params, a) ? RC_OK : RC(LIMIT);
}

rc view_task_parse(struct view_task *out, struct arena *a, struct bytes data)
{
    struct abi_in top = abi_of(data), in = abi_take_tuple(&top);
    struct view_task t = {0};
    uint64_t status = abi_take_uint(&in, 8);
    t.dealid = abi_take_hash(&in);
    t.idx = take_u64(&in);
    t.timeref = take_u64(&in);
    t.contribution_deadline = take_u64(&in);
    t.reveal_deadline = take_u64(&in);
    t.final_deadline = take_u64(&in);
    t.consensus_value = abi_take_hash(&in);
    t.reveal_counter = take_u64(&in);
    t.winner_counter = take_u64(&in);
    struct abi_in list = abi_take_array(&in, &t.n_contributors, 1);
    struct address *who = ARENA_ARRAY(a, struct address, t.n_contributors);
    if (who == NULL) {
        return RC(LIMIT);
    }
    for (size_t i = 0; i < t.n_contributors; i++) {
        who[i] = abi_take_address(&list);
    }
    abi_join(&in, &list);
    t.contributors = who;
    t.result_digest = abi_take_hash(&in);
    t.results = abi_take_bytes(&in);
    (void)abi_take_u256(&in); /* resultsTimestamp: always 0 */
    t.results_callback = abi_take_bytes(&in);
    abi_join(&top, &in);
    TRY(abi_end(&top));
    if (status > TASK_FAILED) {
        return RC(MALFORMED);
    }
    t.status = (enum task_status)status;
    *out = t;
    return copy(&out->results, a) && copy(&out->results_callback, a) ? RC_OK : RC(LIMIT);
}

/* --- the views --- */

/* Calls a view with already written data and answers what it returned, in `out`. */
static rc view(struct client *c, struct buf *out, const struct buf *data, struct err *e)
{
    TRY(client_find_hub(c, e));
    return client_call(c, out, c->hub, buf_bytes(data), e);
}

static rc view_hash(struct client *c, struct buf *out, enum method m, struct hash id, struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    struct abi_out o = call_begin(&data, m, 1);
    abi_put_hash(&o, id);
    return err_wrap(e, view(c, out, &data, e), "%s", iface_method(m)->name);
}

static rc view_address(struct client *c, struct buf *out, enum method m, struct address who,
                       struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    struct abi_out o = call_begin(&data, m, 1);
    abi_put_address(&o, who);
    return err_wrap(e, view(c, out, &data, e), "%s", iface_method(m)->name);
}

static rc bad(struct err *e, rc r, enum method m)
{
    return rc_ok(r)
               ? r
               : err_set(e, r.code, "%s: the answer does not fit its type", iface_method(m)->name);
}

rc client_view_deal(struct client *c, struct view_deal *out, struct arena *a, struct hash id,
                    struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    char text[HEX_HASH_MAX];
    TRY(view_hash(c, &raw, METHOD_hub_viewDeal, id, e));
    TRY(bad(e, view_deal_parse(out, a, buf_bytes(&raw)), METHOD_hub_viewDeal));
    return address_is_zero(out->app.pointer)
               ? err_set(e, RC_CODE_NOT_FOUND, "there is no deal %s", hex_hash(text, id))
               : RC_OK;
}

rc client_view_task(struct client *c, struct view_task *out, struct arena *a, struct hash id,
                    struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    char text[HEX_HASH_MAX];
    TRY(view_hash(c, &raw, METHOD_hub_viewTask, id, e));
    TRY(bad(e, view_task_parse(out, a, buf_bytes(&raw)), METHOD_hub_viewTask));
    return out->status == TASK_UNSET
               ? err_set(e, RC_CODE_NOT_FOUND, "task %s is not initialized", hex_hash(text, id))
               : RC_OK;
}

rc client_view_contribution(struct client *c, struct view_contribution *out, struct hash task,
                            struct address worker, struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    struct abi_out o = call_begin(&data, METHOD_hub_viewContribution, 2);
    abi_put_hash(&o, task);
    abi_put_address(&o, worker);
    TRY(err_wrap(e, view(c, &raw, &data, e), "viewContribution"));
    struct abi_in in = abi_of(buf_bytes(&raw));
    uint64_t status = abi_take_uint(&in, 8);
    out->status = (enum contribution_status)status;
    out->result_hash = abi_take_hash(&in);
    out->result_seal = abi_take_hash(&in);
    out->enclave_challenge = abi_take_address(&in);
    out->weight = abi_take_u256(&in);
    rc r = status > CONTRIBUTION_REJECTED ? RC(MALFORMED) : abi_end(&in);
    return bad(e, r, METHOD_hub_viewContribution);
}

rc client_view_account(struct client *c, struct view_account *out, struct address who,
                       struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    TRY(view_address(c, &raw, METHOD_hub_viewAccount, who, e));
    struct abi_in in = abi_of(buf_bytes(&raw));
    out->stake = abi_take_u256(&in);
    out->locked = abi_take_u256(&in);
    return bad(e, abi_end(&in), METHOD_hub_viewAccount);
}

static rc one_u256(struct u256 *out, const struct buf *raw, enum method m, struct err *e)
{
    struct abi_in in = abi_of(buf_bytes(raw));
    *out = abi_take_u256(&in);
    return bad(e, abi_end(&in), m);
}

rc client_view_score(struct client *c, struct u256 *out, struct address worker, struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    TRY(view_address(c, &raw, METHOD_hub_viewScore, worker, e));
    return one_u256(out, &raw, METHOD_hub_viewScore, e);
}

rc client_view_consumed(struct client *c, struct u256 *out, struct hash order, struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    TRY(view_hash(c, &raw, METHOD_hub_viewConsumed, order, e));
    return one_u256(out, &raw, METHOD_hub_viewConsumed, e);
}

rc client_view_category(struct client *c, struct view_category *out, struct arena *a, uint64_t id,
                        struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    struct abi_out o = call_begin(&data, METHOD_hub_viewCategory, 1);
    abi_put_u64(&o, id);
    rc r = view(c, &raw, &data, e);
    if (r.code == RC_CODE_DENIED) {
        return err_set(e, RC_CODE_NOT_FOUND, "there is no category %llu", (unsigned long long)id);
    }
    TRY(err_wrap(e, r, "viewCategory"));
    struct abi_in top = abi_of(buf_bytes(&raw)), in = abi_take_tuple(&top);
    out->name = abi_take_bytes(&in);
    out->description = abi_take_bytes(&in);
    out->work_clock_time_ref = take_u64(&in);
    abi_join(&top, &in);
    TRY(bad(e, abi_end(&top), METHOD_hub_viewCategory));
    return copy(&out->name, a) && copy(&out->description, a) ? RC_OK : RC(LIMIT);
}

rc client_view_app(struct client *c, struct view_app *out, struct arena *a, struct address app,
                   struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    TRY(view_address(c, &raw, METHOD_hub_viewApp, app, e));
    struct abi_in top = abi_of(buf_bytes(&raw)), in = abi_take_tuple(&top);
    out->owner = abi_take_address(&in);
    out->name = abi_take_bytes(&in);
    out->type = abi_take_bytes(&in);
    out->multiaddr = abi_take_bytes(&in);
    out->checksum = abi_take_hash(&in);
    out->mrenclave = abi_take_bytes(&in);
    abi_join(&top, &in);
    TRY(bad(e, abi_end(&top), METHOD_hub_viewApp));
    return copy(&out->name, a) && copy(&out->type, a) && copy(&out->multiaddr, a) &&
                   copy(&out->mrenclave, a)
               ? RC_OK
               : RC(LIMIT);
}

rc client_view_dataset(struct client *c, struct view_dataset *out, struct arena *a,
                       struct address dataset, struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    TRY(view_address(c, &raw, METHOD_hub_viewDataset, dataset, e));
    struct abi_in top = abi_of(buf_bytes(&raw)), in = abi_take_tuple(&top);
    out->owner = abi_take_address(&in);
    out->name = abi_take_bytes(&in);
    out->multiaddr = abi_take_bytes(&in);
    out->checksum = abi_take_hash(&in);
    abi_join(&top, &in);
    TRY(bad(e, abi_end(&top), METHOD_hub_viewDataset));
    return copy(&out->name, a) && copy(&out->multiaddr, a) ? RC_OK : RC(LIMIT);
}

rc client_view_workerpool(struct client *c, struct view_workerpool *out, struct arena *a,
                          struct address workerpool, struct err *e)
{
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    TRY(view_address(c, &raw, METHOD_hub_viewWorkerpool, workerpool, e));
    struct abi_in top = abi_of(buf_bytes(&raw)), in = abi_take_tuple(&top);
    out->owner = abi_take_address(&in);
    out->description = abi_take_bytes(&in);
    out->worker_stake_ratio = abi_take_u256(&in);
    out->scheduler_reward_ratio = abi_take_u256(&in);
    abi_join(&top, &in);
    TRY(bad(e, abi_end(&top), METHOD_hub_viewWorkerpool));
    return copy(&out->description, a) ? RC_OK : RC(LIMIT);
}

/* An account without code answers eth_call with nothing at all. */
static rc one_address(struct address *out, const struct buf *raw, struct err *e, const char *what)
{
    struct abi_in in = abi_of(buf_bytes(raw));
    *out = abi_take_address(&in);
    return rc_ok(abi_end(&in)) ? RC_OK
                               : err_set(e, RC_CODE_NOT_FOUND, "%s: no such contract", what);
}

rc client_owner(struct client *c, struct address *out, struct address contract, struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    char text[HEX_ADDRESS_MAX];
    (void)call_begin(&data, METHOD_app_owner, 0); /* the same selector everywhere */
    rc r = client_call(c, &raw, contract, buf_bytes(&data), e);
    if (rc_ok(r)) {
        r = one_address(out, &raw, e, "owner()");
    }
    return err_wrap(e, r, "owner of %s", hex_address(text, contract));
}

rc client_hub_address(struct client *c, struct address *out, enum method m, struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    (void)call_begin(&data, m, 0);
    TRY(err_wrap(e, view(c, &raw, &data, e), "%s", iface_method(m)->name));
    return one_address(out, &raw, e, iface_method(m)->name);
}

rc client_hub_number(struct client *c, struct u256 *out, enum method m, struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    (void)call_begin(&data, m, 0);
    TRY(err_wrap(e, view(c, &raw, &data, e), "%s", iface_method(m)->name));
    return one_u256(out, &raw, m, e);
}

rc client_verify(struct client *c, bool *out, struct address account, struct hash hash,
                 struct bytes sign, struct err *e)
{
    BUF_FREE data = buf_new(CALL_DATA_MAX);
    BUF_FREE raw = buf_new(VIEW_OUT_MAX);
    struct abi_out o = call_begin(&data, METHOD_hub_verifyPresignatureOrSignature, 3);
    abi_put_address(&o, account);
    abi_put_hash(&o, hash);
    abi_put_bytes(&o, sign);
    *out = false;
    rc r = view(c, &raw, &data, e);
    if (r.code == RC_CODE_DENIED) { /* "invalid-signature-format" and its like */
        return RC_OK;
    }
    TRY(err_wrap(e, r, "verifyPresignatureOrSignature"));
    struct abi_in in = abi_of(buf_bytes(&raw));
    *out = abi_take_bool(&in);
    return bad(e, abi_end(&in), METHOD_hub_verifyPresignatureOrSignature);
}
