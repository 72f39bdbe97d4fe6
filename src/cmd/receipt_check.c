/* SPDX-License-Identifier: Apache-2.0 */
/* receipt_check.c - a receipt is read and every proof in it is checked, without any node: headers give
 * block hashes, Merkle proofs tie transactions and receipts to headers, signatures name the senders. */
#include "chain/ledger/ledger.h"
#include "cmd/receipt_int.h"
#include "crypto/keccak.h"
#include "encoding/hex.h"
#include "encoding/rlp.h"

static rc take_hex(struct bytes *out, struct arena *a, const struct js *o, const char *key,
                   struct err *e)
{
    struct js v = js_key(o, key);
    return js_hex(out, a, &v, RECEIPT_FILE_MAX, e);
}

static rc take_proof(struct mpt_proof *out, struct arena *a, const struct js *o, const char *key,
                     struct err *e)
{
    struct js list = js_key(o, key);
    TRY(js_array(&list, MPT_PROOF_MAX, e));
    out->n = js_n(&list);
    for (size_t i = 0; i < out->n; i++) {
        struct js v = js_at(&list, i);
        TRY(js_hex(&out->node[i], a, &v, RECEIPT_FILE_MAX, e));
    }
    return RC_OK;
}

/* The logs of a receipt's RLP, with or without an EIP-2718 type in front. */
static rc read_receipt(struct proven_tx *t, struct bytes rlp)
{
    struct cur c = cur_of(rlp);
    if (c.n > 0 && c.p[0] < 0xc0) {
        (void)take_be(&c, 1);
    }
    struct cur l = rlp_take_list(&c);
    t->ok = rlp_take_u64(&l) == 1;
    (void)rlp_take_u64(&l);
    (void)rlp_take_str(&l);
    struct cur logs = rlp_take_list(&l);
    while (logs.bad == NULL && logs.n > 0 && t->logs_n < RECEIPT_LOGS_MAX) {
        struct proven_log *log = &t->logs[t->logs_n];
        *log = (struct proven_log){0};
        struct cur one = rlp_take_list(&logs);
        struct cur addr = cur_of(rlp_take_str(&one));
        log->emitter = take_address(&addr);
        struct cur topics = rlp_take_list(&one);
        while (topics.bad == NULL && topics.n > 0 && log->topics_n < 4) {
            struct cur topic = cur_of(rlp_take_str(&topics));
            log->topics[log->topics_n++] = take_hash(&topic);
        }
        log->data = rlp_take_str(&one);
        if (!rc_ok(cur_end(&one)) || !rc_ok(cur_end(&addr)) || !rc_ok(cur_end(&topics))) {
            return RC(MALFORMED);
        }
        t->logs_n++;
    }
    TRY(cur_end(&logs));
    TRY(cur_end(&l));
    return cur_end(&c);
}

static rc check_tx(struct proven_tx *t, struct arena *a, const struct block *b, const struct js *o,
                   struct err *e)
{
    struct mpt_proof proof;
    struct bytes raw, receipt, proven;
    struct js index = js_key(o, "index");
    const char *why = "";
    *t = (struct proven_tx){.block = b->number, .timestamp = b->timestamp, .block_hash = b->hash};
    TRY(js_u64(&t->index, &index, MPT_ITEMS_MAX, e));
    TRY(take_hex(&raw, a, o, "transaction", e));
    TRY(take_proof(&proof, a, o, "transactionProof", e));
    if (!rc_ok(mpt_list_verify(&proven, b->tx_root, t->index, &proof)) || !bytes_eq(proven, raw)) {
        return err_set(e, RC_CODE_DENIED, "transaction %llu is not in block %llu",
                       (unsigned long long)t->index, (unsigned long long)b->number);
    }
    TRY(take_hex(&receipt, a, o, "receipt", e));
    TRY(take_proof(&proof, a, o, "receiptProof", e));
    if (!rc_ok(mpt_list_verify(&proven, b->receipts_root, t->index, &proof)) ||
        !bytes_eq(proven, receipt)) {
        return err_set(e, RC_CODE_DENIED, "the receipt of transaction %llu is not in block %llu",
                       (unsigned long long)t->index, (unsigned long long)b->number);
    }
    if (!rc_ok(eth_tx_parse(&t->tx, raw, &why)) || !rc_ok(read_receipt(t, receipt))) {
        return err_set(e, RC_CODE_MALFORMED, "transaction %llu of block %llu: %s",
                       (unsigned long long)t->index, (unsigned long long)b->number, why);
    }
    t->hash = eth_tx_hash(raw);
    if (!rc_ok(eth_tx_sender(&t->from, &t->tx))) {
        return err_set(e, RC_CODE_DENIED, "transaction %llu of block %llu is not signed",
                       (unsigned long long)t->index, (unsigned long long)b->number);
    }
    return RC_OK;
}

static rc check_block(struct proven *out, struct arena *a, const struct js *o, struct err *e)
{
    static const char *const names[] = {"header", "transactions", NULL};
    struct block b;
    struct bytes rlp;
    const char *why;
    struct js list = js_key(o, "transactions");
    TRY(js_only(o, names, e));
    TRY(take_hex(&rlp, a, o, "header", e));
    if (!rc_ok(header_parse(&b, a, rlp, &why))) {
        return err_set(e, RC_CODE_MALFORMED, "%s", why);
    }
    TRY(js_array(&list, RECEIPT_TXS_MAX, e));
    for (size_t i = 0; i < js_n(&list); i++) {
        struct js t = js_at(&list, i);
        if (out->n == RECEIPT_TXS_MAX) {
            return err_set(e, RC_CODE_LIMIT, "more than %d transactions", RECEIPT_TXS_MAX);
        }
        TRY(check_tx(&out->txs[out->n++], a, &b, &t, e));
    }
    return RC_OK;
}

rc receipt_check(struct proven *out, struct arena *a, const json_t *file, struct err *e)
{
    static const char *const names[] = {"souk", "version", "chainId", "hub",      "deal",
                                        "task", "index",   "blocks",  "evidence", NULL};
    struct js top = js_top(file), v = js_key(&top, "version"), hub = js_key(&top, "hub");
    struct js deal = js_key(&top, "deal"), task = js_key(&top, "task"), i = js_key(&top, "index");
    struct js blocks = js_key(&top, "blocks"), chain = js_key(&top, "chainId");
    uint64_t version = 0;
    memset(out, 0, sizeof(*out));
    TRY(js_object(&top, e));
    TRY(js_only(&top, names, e));
    TRY(js_u64(&version, &v, RECEIPT_VERSION, e));
    TRY(js_u64(&out->chain_id, &chain, INT64_MAX, e));
    TRY(js_address(&out->hub, &hub, e));
    TRY(js_hash(&out->deal, &deal, e));
    TRY(js_hash(&out->task, &task, e));
    TRY(js_u64(&out->index, &i, INT64_MAX, e));
    out->domain = order_domain(u256_from(out->chain_id), out->hub);
    out->evidence = json_object_get(file, "evidence");
    if (!hash_eq(out->task, order_task_id(out->deal, u256_from(out->index)))) {
        return err_set(e, RC_CODE_DENIED, "the task's id does not follow from the deal's");
    }
    TRY(js_array(&blocks, RECEIPT_TXS_MAX, e));
    for (size_t k = 0; k < js_n(&blocks); k++) {
        struct js b = js_at(&blocks, k);
        TRY(check_block(out, a, &b, e));
    }
    return RC_OK;
}
