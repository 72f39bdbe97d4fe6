/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - opening a chain, taking transactions in, sealing blocks. */
#include "chain/ledger/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"
#include "encoding/hex.h"
#include "io/file.h"

/* Of the database's layout. A node refuses one that it does not know. */
static const uint8_t schema[] = {0, 0, 0, 2};

/* Transactions of a block that is sealed here, whatever its gas limit: the thread that seals also
 * answers, and should do so within a second. */
enum { SEAL_TXS_MAX = 5000 };

#define LEDGER_MEMORY_MAX ((size_t)512 << 20) /* the genesis, parsed */

uint64_t ledger_chain_id(const struct ledger *l)
{
    return l->genesis.chain_id;
}

uint64_t ledger_height(const struct ledger *l)
{
    return l->head.number;
}

struct address ledger_hub(const struct ledger *l)
{
    return l->constants.hub;
}

rc head_read(void *ctx, struct bytes key, struct bytes *value)
{
    struct ledger *l = ctx;
    return record_read(l->store, &l->record, key, value);
}

void ledger_moved(struct ledger *l)
{
    state_reset(l->view);
    state_reset(l->work);
    l->stuck = 0;
    l->pend_version = 0;
}

/* --- opening --- */

rc load_head(struct ledger *l, struct err *e)
{
    struct bytes v;
    struct arena a;
    rc r = store_get(l->store, T_META, BYTES_LIT("head"), &v);
    struct cur c = cur_of(rc_ok(r) ? v : (struct bytes){0});
    uint64_t number = take_be(&c, 8);
    l->root = take_hash(&c);
    if (!rc_ok(cur_end(&c))) {
        return err_set(e, RC_CODE_CORRUPT, "%s: the record of the newest block is damaged",
                       l->cfg.dir);
    }
    arena_init(&a, 4096);
    r = ledger_block(l, &a, number, &l->head);
    l->head.extra = (struct bytes){0};
    arena_reset(&a);
    ledger_moved(l);
    return rc_ok(r) ? RC_OK
                    : err_set(e, RC_CODE_CORRUPT, "%s: block %" PRIu64 " is damaged", l->cfg.dir,
                              number);
}

static rc put_coins(struct ledger *l, struct err *e)
{
    for (size_t i = 0; i < l->genesis.coins_n; i++) {
        const struct genesis_coin *g = &l->genesis.coins[i];
        struct account a;
        TRY(account_get(l->work, g->address, &a));
        if (!u256_add(&a.balance, a.balance, g->balance) || u256_bits(a.balance) > 200) {
            return err_set(e, RC_CODE_MALFORMED, "genesis: accounts[%zu].balance: too large", i);
        }
        account_put(l->work, g->address, a);
    }
    return RC_OK;
}

rc ledger_begin_chain(struct ledger *l, struct bytes json, struct err *e)
{
    const struct genesis *g = &l->genesis;
    struct place p = {.chain_id = g->chain_id,
                      .time = g->time,
                      .gas_limit = g->gas_limit,
                      .base_fee = g->base_fee,
                      .coinbase = g->coinbase};
    struct block b;
    l->head = (struct block){0};
    l->root = (struct hash){0};
    maker_begin(l->maker, &p, g->extra);
    TRY(put_coins(l, e));
    TRY(poco_genesis(l->work, &g->poco, e));
    TRY(maker_finish(l->maker, &b, e));
    rc r = store_put(l->store, T_META, BYTES_LIT("schema"), BYTES_OF(schema));
    r = rc_ok(r) ? store_put(l->store, T_META, BYTES_LIT("genesis"), json) : r;
    TRY(store_commit(l->store, e));
    block_adopt(l, &b);
    return RC_OK;
}

static rc check_schema(struct ledger *l, struct bytes found, struct err *e)
{
    struct bytes json;
    if (!bytes_eq(found, BYTES_OF(schema))) {
        return err_set(e, RC_CODE_DENIED,
                       "%s: written by another version of souk: export the chain with that one and "
                       "import it with this",
                       l->cfg.dir);
    }
    if (!rc_ok(store_get(l->store, T_META, BYTES_LIT("genesis"), &json))) {
        return err_set(e, RC_CODE_CORRUPT, "%s: the genesis is missing", l->cfg.dir);
    }
    if (l->cfg.genesis.n > 0 && !bytes_eq(json, l->cfg.genesis)) {
        return err_set(e, RC_CODE_DENIED,
                       "%s: holds a chain that began with another genesis: use that genesis or an "
                       "empty folder",
                       l->cfg.dir);
    }
    TRY(genesis_parse(&l->genesis, &l->mem, json, e));
    poco_defaults(&l->genesis.poco);
    return load_head(l, e);
}

static rc open_chain(struct ledger *l, struct err *e)
{
    struct bytes found;
    rc r = store_get(l->store, T_META, BYTES_LIT("schema"), &found);
    if (rc_ok(r)) {
        r = check_schema(l, found, e);
    } else if (r.code == RC_CODE_NOT_FOUND && l->cfg.genesis.n == 0) {
        return err_set(e, RC_CODE_MALFORMED, "there is no chain in %s yet: it needs a genesis",
                       l->cfg.dir);
    } else if (r.code == RC_CODE_NOT_FOUND) {
        TRY(genesis_parse(&l->genesis, &l->mem, l->cfg.genesis, e));
        poco_defaults(&l->genesis.poco);
        r = ledger_begin_chain(l, l->cfg.genesis, e);
    }
    TRY(r);
    r = poco_constants(l->view, l->genesis.chain_id, &l->constants);
    return rc_ok(r) ? RC_OK : err_set(e, r.code, "%s: the state is damaged", l->cfg.dir);
}

static rc copy_config(struct ledger *l, struct err *e)
{
    size_t n = strlen(l->cfg.dir) + 1;
    char *dir = arena_alloc(&l->mem, n);
    if (dir == NULL) {
        return err_set(e, RC_CODE_LIMIT, "the folder's name is too long");
    }
    memcpy(dir, l->cfg.dir, n);
    l->cfg.dir = dir;
    return RC_OK;
}

static rc open_parts(struct ledger *l, struct err *e)
{
    TRY(copy_config(l, e));
    TRY(dir_lock(&l->lock, l->cfg.dir, e));
    TRY(store_open(&l->store, l->cfg.dir, l->cfg.unsafe, e));
    TRY(workers_open(&l->workers, l->cfg.threads, e));
    TRY(sigs_open(&l->sigs, l->workers, workers_count(l->workers), e));
    l->pool = pool_new(l->cfg.pool_max);
    l->body = body_new(l->store);
    l->maker = maker_new(l);
    l->view = state_new(head_read, l);
    l->work = state_new(head_read, l);
    l->pend = state_new(head_read, l);
    l->dev = l->cfg.dev ? dev_new() : NULL;
    return open_chain(l, e);
}

rc ledger_open(struct ledger **out, const struct ledger_config *cfg, struct err *e)
{
    struct ledger *l = calloc(1, sizeof(*l));
    ASSERT(l != NULL);
    l->cfg = *cfg;
    l->lock = -1;
    arena_init(&l->mem, LEDGER_MEMORY_MAX);
    rc r = open_parts(l, e);
    if (!rc_ok(r)) {
        ledger_close(l);
        return r;
    }
    l->cfg.genesis = (struct bytes){0}; /* the caller's */
    *out = l;
    return RC_OK;
}

void ledger_close(struct ledger *l)
{
    if (l == NULL) {
        return;
    }
    dev_free_(l->dev);
    if (l->view != NULL) {
        state_free(l->view);
        state_free(l->work);
        state_free(l->pend);
    }
    maker_free(l->maker);
    body_free(l->body);
    pool_free(l->pool);
    sigs_close(l->sigs);
    workers_close(l->workers);
    store_close(l->store);
    fd_close(&l->lock);
    buf_free(&l->record);
    arena_reset(&l->mem);
    free(l);
}

/* --- transactions in --- */

static rc denied(struct err *e, const char *text)
{
    return err_set(e, RC_CODE_DENIED, "%s", text);
}

static struct pooled *pooled_new(struct bytes raw)
{
    struct pooled *t = calloc(1, sizeof(*t) + raw.n);
    ASSERT(t != NULL);
    uint8_t *copy = (uint8_t *)(t + 1);
    memcpy(copy, raw.p, raw.n);
    t->raw = (struct bytes){copy, raw.n};
    return t;
}

/* What can be said before it is known who sent it. */
static rc check_form(struct ledger *l, const struct eth_tx *t, struct err *e)
{
    if (!t->has_chain_id && !l->cfg.allow_unprotected) {
        return denied(e, "only replay-protected (EIP-155) transactions allowed over RPC");
    }
    if (t->has_chain_id && t->chain_id != l->genesis.chain_id) {
        return err_set(e, RC_CODE_DENIED,
                       "invalid sender: invalid chain id for signer: have %" PRIu64
                       " want %" PRIu64,
                       t->chain_id, l->genesis.chain_id);
    }
    if (t->gas > ledger_gas_limit(l)) {
        return denied(e, "exceeds block gas limit");
    }
    if (t->type == 2 && u256_lt(t->max_fee, t->tip)) {
        return denied(e, "max priority fee per gas higher than max fee per gas");
    }
    if (t->nonce == UINT64_MAX) {
        return denied(e, "nonce has max value");
    }
    if (!t->has_to) {
        return denied(e,
                      "contract creation is not supported: souk has its contracts built in and "
                      "no EVM");
    }
    uint64_t least = gas_intrinsic(false, t->data, eth_tx_count_access(t));
    if (t->gas < least) {
        return err_set(e, RC_CODE_DENIED,
                       "intrinsic gas too low: gas %" PRIu64 ", minimum needed %" PRIu64, t->gas,
                       least);
    }
    return RC_OK;
}

static rc take_form(struct ledger *l, struct bytes raw, struct pooled **out, struct err *e)
{
    const char *why = "";
    if (raw.n > TX_SIZE_MAX) {
        return err_set(e, RC_CODE_DENIED, "oversized data: transaction size %zu, limit %zu", raw.n,
                       TX_SIZE_MAX);
    }
    struct pooled *t = pooled_new(raw);
    t->hash = eth_tx_hash(t->raw);
    rc r = eth_tx_parse(&t->e, t->raw, &why);
    if (!rc_ok(r)) {
        r = err_set(e, r.code, "%s", why);
    } else if (pool_find(l->pool, t->hash) != NULL) {
        r = denied(e, "already known");
    } else {
        r = check_form(l, &t->e, e);
    }
    if (!rc_ok(r)) {
        pooled_free(t);
        return r;
    }
    *out = t;
    return RC_OK;
}

static void on_pending(void *ctx, struct hash h)
{
    struct ledger *l = ctx;
    if (l->on_pending != NULL) {
        l->on_pending(l->on_pending_ctx, h);
    }
}

/* Into the pool, whose it is from then on; else it is freed. */
static rc admit(struct ledger *l, struct pooled *t, struct err *e)
{
    struct account a;
    rc r = account_get(l->view, t->from, &a);
    if (!rc_ok(r)) {
        r = err_set(e, r.code, "the account's record is damaged");
    } else if (!tx_cost(&t->cost, &t->e)) {
        r = denied(e, "insufficient funds for gas * price + value");
    } else {
        struct standing at = {a.nonce, a.balance};
        r = pool_add(l->pool, t, at, on_pending, l, e);
    }
    if (!rc_ok(r)) {
        pooled_free(t);
    }
    return r;
}

static void want_sender(struct ledger *l, const struct eth_tx *t)
{
    uint8_t sig[65];
    struct hash digest = sigs_of_tx(sig, t);
    sigs_want(l->sigs, digest, sig);
}

static void on_signature(void *ctx, struct hash digest, const uint8_t sig[65])
{
    sigs_later(ctx, digest, sig);
}

static void want_carried(struct ledger *l, const struct eth_tx *t, struct address from)
{
    struct call c = {.from = from, .to = t->to, .value = t->value, .data = t->data, .gas = t->gas};
    poco_signatures(&l->constants, &c, on_signature, l->sigs);
}

static rc sender_of(struct ledger *l, const struct eth_tx *t, struct address *out)
{
    uint8_t sig[65];
    struct hash digest = sigs_of_tx(sig, t);
    return sigs_recover(l->sigs, digest, sig, out) ? RC_OK : RC(DENIED);
}

rc recover_all(struct ledger *l, struct tx_in *t, size_t n, size_t *bad)
{
    for (size_t i = 0; i < n; i++) {
        if (!t[i].unsigned_) {
            want_sender(l, &t[i].e);
        }
    }
    sigs_run(l->sigs);
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        if (!t[i].unsigned_) {
            TRY(sender_of(l, &t[i].e, &t[i].from));
        }
        want_carried(l, &t[i].e, t[i].from);
    }
    return RC_OK;
}

void ledger_send_many(struct ledger *l, const struct bytes *raw, size_t n, struct hash *hashes,
                      rc *results, struct err *errs)
{
    struct pooled **t = calloc(n + 1, sizeof(struct pooled *));
    ASSERT(t != NULL);
    for (size_t i = 0; i < n; i++) {
        results[i] = take_form(l, raw[i], &t[i], &errs[i]);
        if (t[i] != NULL) {
            want_sender(l, &t[i]->e);
        }
    }
    sigs_run(l->sigs);
    for (size_t i = 0; i < n; i++) {
        if (t[i] == NULL) {
            continue;
        }
        hashes[i] = t[i]->hash;
        results[i] = sender_of(l, &t[i]->e, &t[i]->from);
        if (!rc_ok(results[i])) {
            results[i] = denied(&errs[i], "invalid sender");
            pooled_free(t[i]);
            continue;
        }
        results[i] = admit(l, t[i], &errs[i]);
        if (rc_ok(results[i])) {
            want_carried(l, &t[i]->e, t[i]->from);
        }
    }
    free(t);
}

rc ledger_send(struct ledger *l, struct bytes raw, struct hash *hash, struct err *e)
{
    rc r;
    struct err mine;
    ledger_send_many(l, &raw, 1, hash, &r, e != NULL ? e : &mine);
    return r;
}

rc ledger_send_unsigned(struct ledger *l, struct address from, const struct eth_tx *tx,
                        struct hash *hash, struct err *e)
{
    struct eth_tx as_signed = *tx;
    struct pooled *t;
    BUF_FREE raw = buf_new(TX_SIZE_MAX * 2);
    if (!l->cfg.dev) {
        return denied(e, "transactions without a signature are for development nodes (--dev)");
    }
    /* r = s = 1 keeps the place of a signature, so that the bytes parse like any others. */
    as_signed.has_chain_id = true;
    as_signed.chain_id = l->genesis.chain_id;
    as_signed.sig = (struct secp_sig){0};
    as_signed.sig.rs[31] = as_signed.sig.rs[63] = 1;
    as_signed.v = tx->type > 0 ? 0 : l->genesis.chain_id * 2 + 35;
    eth_tx_put(&raw, &as_signed);
    if (raw.full) {
        return denied(e, "oversized data");
    }
    TRY(take_form(l, buf_bytes(&raw), &t, e));
    t->from = from;
    t->unsigned_ = true;
    t->hash = keccak256_2(t->raw, BYTES_OF(from)); /* two accounts may send the same bytes */
    *hash = t->hash;
    return admit(l, t, e);
}

void ledger_on_pending(struct ledger *l, void (*fn)(void *ctx, struct hash hash), void *ctx)
{
    l->on_pending = fn;
    l->on_pending_ctx = ctx;
}

/* --- blocks out --- */

struct u256 ledger_base_fee(const struct ledger *l)
{
    struct u256 fee = l->head.number == 0
                          ? l->head.base_fee
                          : base_fee_next(l->head.base_fee, l->head.gas_used, l->head.gas_limit);
    return dev_base_fee(l, fee);
}

uint64_t ledger_gas_limit(const struct ledger *l)
{
    return dev_gas_limit(l, l->head.gas_limit);
}

struct place next_place(const struct ledger *l, uint64_t now_s)
{
    return (struct place){.chain_id = l->genesis.chain_id,
                          .number = l->head.number + 1,
                          .time = dev_time(l, now_s),
                          .gas_limit = ledger_gas_limit(l),
                          .base_fee = ledger_base_fee(l),
                          .coinbase = dev_coinbase(l, l->genesis.coinbase),
                          .sigs = l->sigs,
                          .dev = l->dev != NULL};
}

bool ledger_has_work(const struct ledger *l)
{
    return pool_counts(l->pool).pending > 0 && l->stuck != pool_version(l->pool);
}

/* What a block has left in the pool to be put right. */
struct leftover {
    struct address *sender; /* of what it took */
    size_t n, alloc;
    struct hash drop[64]; /* that can never be taken */
    size_t drop_n;
};

static void left_sender(struct leftover *x, struct address a)
{
    if (x->n > 0 && address_eq(x->sender[x->n - 1], a)) {
        return;
    }
    if (x->n == x->alloc) {
        x->alloc = x->alloc == 0 ? 256 : 2 * x->alloc;
        x->sender = realloc(x->sender, x->alloc * sizeof(*x->sender));
        ASSERT(x->sender != NULL);
    }
    x->sender[x->n++] = a;
}

static rc fill(struct ledger *l, const struct place *p, struct leftover *x, struct err *e)
{
    pool_pick_begin(l->pool, p->base_fee);
    for (struct pooled *t = pool_pick(l->pool); t != NULL; t = pool_pick(l->pool)) {
        if (maker_count(l->maker) == SEAL_TXS_MAX) {
            break;
        }
        const char *why = "";
        struct tx_in in = {t->raw, t->e, t->from, t->hash, t->unsigned_};
        rc r = maker_add(l->maker, &in, &why);
        if (rc_ok(r)) {
            left_sender(x, t->from);
            continue;
        }
        if (r.code != RC_CODE_LIMIT && r.code != RC_CODE_DENIED) {
            char hash[HEX_HASH_MAX];
            return err_set(e, RC_CODE_CORRUPT,
                           "transaction %s: %s: the block is not committed; keep the state folder "
                           "and report this",
                           hex_hash(hash, t->hash), why);
        }
        if (r.code == RC_CODE_DENIED && x->drop_n < ARRAY_LEN(x->drop)) {
            x->drop[x->drop_n++] = t->hash;
        }
        pool_pick_skip(l->pool);
    }
    return RC_OK;
}

static rc put_right(struct ledger *l, struct leftover *x, struct err *e)
{
    rc r = RC_OK;
    for (size_t i = 0; i < x->n && rc_ok(r); i++) {
        struct account a;
        r = account_get(l->view, x->sender[i], &a);
        pool_settle(l->pool, x->sender[i], a.nonce);
    }
    for (size_t i = 0; i < x->drop_n; i++) {
        (void)pool_drop(l->pool, x->drop[i]);
    }
    return rc_ok(r) ? RC_OK : err_set(e, r.code, "an account's record is damaged");
}

static rc seal(struct ledger *l, uint64_t now_s, bool empty, bool *sealed, struct leftover *x,
               struct err *e)
{
    struct place p = next_place(l, now_s);
    struct block b;
    maker_begin(l->maker, &p, l->genesis.extra);
    TRY(fill(l, &p, x, e));
    if (maker_count(l->maker) > 0 || empty) {
        TRY(maker_finish(l->maker, &b, e));
        TRY(store_commit(l->store, e));
        block_adopt(l, &b);
        dev_sealed(l, now_s);
        *sealed = true;
    }
    TRY(put_right(l, x, e));
    if (!*sealed) {
        l->stuck = pool_version(l->pool);
    }
    return RC_OK;
}

rc ledger_seal(struct ledger *l, uint64_t now_s, bool empty, bool *sealed, struct err *e)
{
    struct leftover x = {0};
    *sealed = false;
    if (!ledger_has_work(l) && !empty) {
        return RC_OK;
    }
    rc r = seal(l, now_s, empty, sealed, &x, e);
    free(x.sender);
    return r;
}
