/* SPDX-License-Identifier: Apache-2.0 */
/* receipt_show.c - what a receipt's proven transactions say: who agreed to what, who computed and
 * vouched for it, who was paid. Each line that can be checked is checked here. */
#include <stdarg.h>
#include <stdio.h>

#include "cmd/receipt_int.h"
#include "crypto/keccak.h"
#include "encoding/hex.h"

enum { PEOPLE_MAX = 64 };

struct person {
    struct address a;
    const char *role;
    struct u256 in, out; /* of their escrow, over the proven transactions */
};

struct story {
    const struct proven *p;
    struct arena *a;
    struct receipt_lines lines;
    struct person who[PEOPLE_MAX];
    size_t n;
    struct orders orders;
    struct address app_owner, dataset_owner, pool_owner;
    bool has_match;
};

void receipt_line(struct receipt_lines *out, bool ok, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    out->good &= ok;
    (void)json_array_append_new(out->list, json_pack("{s:b, s:s}", "ok", ok, "text", text));
}

#define say(s, ...) receipt_line(&(s)->lines, __VA_ARGS__)

static struct person *person(struct story *s, struct address a, const char *role)
{
    for (size_t i = 0; i < s->n; i++) {
        if (address_eq(s->who[i].a, a)) {
            if (s->who[i].role == NULL) {
                s->who[i].role = role;
            }
            return &s->who[i];
        }
    }
    if (s->n == PEOPLE_MAX) {
        return NULL;
    }
    s->who[s->n] = (struct person){.a = a, .role = role};
    return &s->who[s->n++];
}

static const char *addr(struct story *s, struct address a)
{
    char *text = arena_alloc(s->a, HEX_ADDRESS_MAX);
    return text != NULL ? hex_address(text, a) : "?";
}

static bool is_method(const struct proven_tx *t, enum method m)
{
    uint32_t sel = iface_method(m)->selector;
    return t->tx.data.n >= 4 && t->tx.data.p[0] == sel >> 24 &&
           t->tx.data.p[1] == (sel >> 16 & 255) && t->tx.data.p[2] == (sel >> 8 & 255) &&
           t->tx.data.p[3] == (sel & 255);
}

static struct abi_in args(const struct proven_tx *t)
{
    return abi_of((struct bytes){t->tx.data.p + 4, t->tx.data.n - 4});
}

static bool is_event(const struct proven *p, const struct proven_log *l, enum event ev)
{
    return address_eq(l->emitter, p->hub) && l->topics_n > 0 &&
           hash_eq(l->topics[0], iface_event(ev)->topic);
}

/* --- the agreement ----------------------------------------------------------------------------------- */

static struct address signer_of(struct hash digest, struct bytes sign)
{
    struct address a = {0};
    (void)!rc_ok(secp_recover65(&a, digest, sign));
    return a;
}

static void check_order(struct story *s, const char *what, struct hash hash, struct bytes sign,
                        struct address *signer)
{
    *signer = signer_of(hash, sign);
    if (address_is_zero(*signer)) {
        say(s, true, "%s: agreed to on the chain beforehand (presigned, or by a contract)", what);
    } else {
        say(s, true, "%s: signed by %s", what, addr(s, *signer));
    }
}

/* The deal id must follow from the request order: keccak256(hash ‖ consumed before), and the log of
 * the match must name these very orders. */
static void check_deal(struct story *s, const struct proven_tx *t, struct hash request)
{
    for (size_t i = 0; i < t->logs_n; i++) {
        const struct proven_log *l = &t->logs[i];
        if (!is_event(s->p, l, EVENT_hub_OrdersMatched)) {
            continue;
        }
        struct abi_in in = abi_of(l->data);
        struct hash deal = abi_take_hash(&in), app = abi_take_hash(&in), ds = abi_take_hash(&in);
        struct hash pool = abi_take_hash(&in), req = abi_take_hash(&in);
        (void)ds;
        if (!hash_eq(deal, s->p->deal)) {
            continue;
        }
        bool same = hash_eq(req, request) &&
                    hash_eq(app, app_order_hash(s->p->domain, &s->orders.app)) &&
                    hash_eq(pool, workerpool_order_hash(s->p->domain, &s->orders.workerpool));
        say(s, same, "the chain matched these orders into the deal in block %llu",
            (unsigned long long)t->block);
        return;
    }
    say(s, false, "the match does not name the deal");
}

static void on_match(struct story *s, const struct proven_tx *t)
{
    struct abi_in in = args(t);
    struct orders *o = &s->orders;
    struct address requester;
    take_orders(&in, o);
    if (!rc_ok(abi_end(&in))) {
        say(s, false, "the orders of the match cannot be read");
        return;
    }
    s->has_match = true;
    check_order(s, "application's order", app_order_hash(s->p->domain, &o->app), o->app.sign,
                &s->app_owner);
    if (!address_is_zero(o->dataset.dataset)) {
        check_order(s, "model's order", dataset_order_hash(s->p->domain, &o->dataset),
                    o->dataset.sign, &s->dataset_owner);
    }
    check_order(s, "workerpool's order", workerpool_order_hash(s->p->domain, &o->workerpool),
                o->workerpool.sign, &s->pool_owner);
    struct hash request = request_order_hash(s->p->domain, &o->request);
    requester = signer_of(request, o->request.sign);
    say(s, address_is_zero(requester) || address_eq(requester, o->request.requester),
        "request: signed by the requester %s", addr(s, o->request.requester));
    check_deal(s, t, request);
    (void)person(s, o->request.requester, "requester");
    (void)person(s, s->app_owner, "application owner");
    (void)person(s, s->dataset_owner, "model owner");
    (void)person(s, s->pool_owner, "workerpool");
}

/* --- the work ---------------------------------------------------------------------------------------- */

static void check_enclave(struct story *s, struct address worker, struct hash result_hash,
                          struct hash seal, struct address enclave, struct bytes sign)
{
    (void)worker;
    if (address_is_zero(enclave)) {
        say(s, s->has_match && (s->orders.request.tag.b[31] & 1) == 0,
            "no enclave: the result rests on the workers' votes");
        return;
    }
    struct address by = signer_of(task_enclave_digest(result_hash, seal), sign);
    say(s, address_eq(by, enclave), "an enclave vouches for the result: signed by its key %s",
        addr(s, enclave));
}

static void check_authorization(struct story *s, struct address worker, struct address enclave,
                                struct bytes sign)
{
    struct address by = signer_of(task_authorization_digest(worker, s->p->task, enclave), sign);
    say(s, address_eq(by, s->pool_owner) || address_is_zero(s->pool_owner),
        "worker %s was authorised by %s", addr(s, worker), addr(s, by));
}

static void on_contribute(struct story *s, const struct proven_tx *t)
{
    struct abi_in in = args(t);
    struct hash task = abi_take_hash(&in), result = abi_take_hash(&in), seal = abi_take_hash(&in);
    struct address enclave = abi_take_address(&in);
    struct bytes enclave_sign = abi_take_bytes(&in), auth = abi_take_bytes(&in);
    if (!rc_ok(abi_end(&in)) || !hash_eq(task, s->p->task)) {
        return;
    }
    (void)person(s, t->from, "worker");
    say(s, true, "worker %s staked and voted in block %llu", addr(s, t->from),
        (unsigned long long)t->block);
    check_authorization(s, t->from, enclave, auth);
    check_enclave(s, t->from, result, seal, enclave, enclave_sign);
}

static void on_contribute_and_finalize(struct story *s, const struct proven_tx *t)
{
    struct abi_in in = args(t);
    struct hash task = abi_take_hash(&in), digest = abi_take_hash(&in);
    struct bytes results = abi_take_bytes(&in);
    (void)abi_take_bytes(&in);
    struct address enclave = abi_take_address(&in);
    struct bytes enclave_sign = abi_take_bytes(&in), auth = abi_take_bytes(&in);
    char hash[HEX_HASH_MAX];
    if (!rc_ok(abi_end(&in)) || !hash_eq(task, s->p->task)) {
        return;
    }
    (void)person(s, t->from, "worker");
    check_authorization(s, t->from, enclave, auth);
    check_enclave(s, t->from, task_result_hash(task, digest),
                  task_result_seal(t->from, task, digest), enclave, enclave_sign);
    say(s, true, "the result's digest is %s", hex_hash(hash, digest));
    say(s, true, "stored as %.*s", (int)MIN(results.n, 200), (const char *)results.p);
}

static void on_reveal(struct story *s, const struct proven_tx *t)
{
    struct abi_in in = args(t);
    struct hash task = abi_take_hash(&in), digest = abi_take_hash(&in);
    char hash[HEX_HASH_MAX];
    if (!rc_ok(abi_end(&in)) || !hash_eq(task, s->p->task)) {
        return;
    }
    /* The vote that this digest opens must be among the proven ones. */
    struct hash result = task_result_hash(task, digest);
    bool found = false;
    for (size_t i = 0; i < s->p->n; i++) {
        const struct proven_tx *c = &s->p->txs[i];
        if (c->ok && is_method(c, METHOD_hub_contribute) && address_eq(c->from, t->from)) {
            struct abi_in a = args(c);
            (void)abi_take_hash(&a);
            found |= hash_eq(abi_take_hash(&a), result);
        }
    }
    say(s, found, "worker %s revealed the digest %s, which his vote had hidden", addr(s, t->from),
        hex_hash(hash, digest));
}

static void on_finalize(struct story *s, const struct proven_tx *t)
{
    struct abi_in in = args(t);
    struct hash task = abi_take_hash(&in);
    struct bytes results = abi_take_bytes(&in);
    if (rc_ok(abi_end(&in)) && hash_eq(task, s->p->task)) {
        say(s, true, "finalized in block %llu; stored as %.*s", (unsigned long long)t->block,
            (int)MIN(results.n, 200), (const char *)results.p);
    }
}

static const struct {
    enum method m;
    void (*fn)(struct story *s, const struct proven_tx *t);
} chapters[] = {
    {METHOD_hub_matchOrders, on_match},
    {METHOD_hub_sponsorMatchOrders, on_match},
    {METHOD_hub_contribute, on_contribute},
    {METHOD_hub_contributeAndFinalize, on_contribute_and_finalize},
    {METHOD_hub_reveal, on_reveal},
    {METHOD_hub_finalize, on_finalize},
};

/* --- the money --------------------------------------------------------------------------------------- */

static void count_transfer(struct story *s, const struct proven_log *l)
{
    struct address from, to;
    struct abi_in in = abi_of(l->data);
    struct u256 v = abi_take_u256(&in);
    if (l->topics_n != 3 || !rc_ok(abi_end(&in))) {
        return;
    }
    memcpy(from.b, l->topics[1].b + 12, sizeof(from.b));
    memcpy(to.b, l->topics[2].b + 12, sizeof(to.b));
    struct person *f = person(s, from, NULL), *t = person(s, to, NULL);
    if (f == NULL || t == NULL || !u256_add(&f->out, f->out, v) || !u256_add(&t->in, t->in, v)) {
        say(s, false, "the sums of money cannot be followed");
    }
}

static void count_money(struct story *s)
{
    (void)person(s, s->p->hub, "escrow (still locked)");
    for (size_t i = 0; i < s->p->n; i++) {
        for (size_t k = 0; k < s->p->txs[i].logs_n; k++) {
            if (is_event(s->p, &s->p->txs[i].logs[k], EVENT_hub_Transfer)) {
                count_transfer(s, &s->p->txs[i].logs[k]);
            }
        }
    }
    struct u256 in = u256_from(0), out = u256_from(0);
    bool fits = true;
    for (size_t i = 0; i < s->n; i++) {
        fits = fits && u256_add(&in, in, s->who[i].in) && u256_add(&out, out, s->who[i].out);
    }
    say(s, fits && u256_eq(in, out), "what was paid and what was earned add up to zero");
}

static void put_net(char out[MONEY_MAX], const struct person *p)
{
    struct u256 net;
    char m[MONEY_MAX];
    bool plus = u256_sub(&net, p->in, p->out);
    if (!plus) {
        (void)!u256_sub(&net, p->out, p->in);
    }
    (void)snprintf(out, MONEY_MAX, "%s%.98s",
                   u256_is_zero(net) ? " "
                   : plus            ? "+"
                                     : "-",
                   money(m, net));
}

static json_t *people_json(const struct story *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n; i++) {
        char net[MONEY_MAX];
        put_net(net, &s->who[i]);
        (void)json_array_append_new(
            list, json_pack("{s:o, s:s, s:o, s:o, s:s}", "address", json_address_text(s->who[i].a),
                            "role", s->who[i].role != NULL ? s->who[i].role : "", "in",
                            json_u256(s->who[i].in), "out", json_u256(s->who[i].out), "net", net));
    }
    return list;
}

static json_t *blocks_json(const struct proven *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->n; i++) {
        if (i == 0 || p->txs[i].block != p->txs[i - 1].block) {
            (void)json_array_append_new(list, json_pack("{s:I, s:o}", "number",
                                                        (json_int_t)p->txs[i].block, "hash",
                                                        json_hash_text(p->txs[i].block_hash)));
        }
    }
    return list;
}

static void print_story(const struct story *s)
{
    char text[HEX_HASH_MAX];
    size_t i;
    json_t *line;
    (void)printf("task %s\n", hex_hash(text, s->p->task));
    (void)printf("deal %s\n\n", hex_hash(text, s->p->deal));
    json_array_foreach(s->lines.list, i, line)
    {
        (void)printf("  %s %s\n", json_is_true(json_object_get(line, "ok")) ? "ok    " : "BROKEN",
                     json_string_value(json_object_get(line, "text")));
    }
    (void)printf("\n  money of these transactions\n");
    for (i = 0; i < s->n; i++) {
        char net[MONEY_MAX], a[HEX_ADDRESS_MAX];
        put_net(net, &s->who[i]);
        if (!u256_eq(s->who[i].in, s->who[i].out)) {
            (void)printf("    %-22s %s %s\n", s->who[i].role != NULL ? s->who[i].role : "",
                         hex_address(a, s->who[i].a), net);
        }
    }
    (void)printf("\n  left to trust: that these blocks are the chain's\n");
    for (i = 0; i < s->p->n; i++) {
        if (i == 0 || s->p->txs[i].block != s->p->txs[i - 1].block) {
            (void)printf("    block %llu %s\n", (unsigned long long)s->p->txs[i].block,
                         hex_hash(text, s->p->txs[i].block_hash));
        }
    }
    (void)printf("\n%s\n", s->lines.good
                               ? "everything in this receipt holds"
                               : "THIS RECEIPT DOES NOT HOLD: see the lines marked BROKEN");
}

int receipt_explain(const struct proven *p, struct arena *a, const struct receipt_judge *how,
                    bool json)
{
    struct story s = {.p = p, .a = a, .lines = {json_array(), true}};
    say(&s, true, "%zu transactions are proven to be in their blocks, each signed by its sender",
        p->n);
    for (size_t c = 0; c < ARRAY_LEN(chapters); c++) {
        for (size_t i = 0; i < p->n; i++) {
            if (p->txs[i].ok && is_method(&p->txs[i], chapters[c].m)) {
                chapters[c].fn(&s, &p->txs[i]);
            }
        }
    }
    if (!s.has_match) {
        say(&s, false, "the match of the orders is not in the receipt");
    }
    receipt_evidence(&s.lines, p, a, how);
    count_money(&s);
    if (json) {
        print_json(json_pack("{s:b, s:o, s:o, s:O, s:o, s:o}", "ok", s.lines.good, "task",
                             json_hash_text(p->task), "deal", json_hash_text(p->deal), "checks",
                             s.lines.list, "people", people_json(&s), "blocks", blocks_json(p)));
    } else {
        print_story(&s);
    }
    json_decref(s.lines.list);
    return s.lines.good ? 0 : 1;
}
