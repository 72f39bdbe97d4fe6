/* SPDX-License-Identifier: Apache-2.0 */
/* proof.c - proofs that a record stands in the newest block's state, or that none does. */
#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"

enum { PROOF_MAX = TREE_DEPTH_MAX * (TREE_NODE_MAX + 2) };

static rc node_get(void *ctx, struct bytes key, struct bytes *node)
{
    return store_get(ctx, T_TREE, key, node);
}

static rc to_arena(struct bytes *out, struct arena *a, struct bytes v)
{
    uint8_t *p = arena_alloc(a, v.n);
    if (p == NULL) {
        return RC(LIMIT);
    }
    if (v.n > 0) {
        memcpy(p, v.p, v.n);
    }
    *out = (struct bytes){p, v.n};
    return RC_OK;
}

rc ledger_prove(struct ledger *l, struct arena *a, struct bytes key, struct state_proof *out,
                struct err *e)
{
    uint8_t number[8];
    struct bytes stored, value = {0};
    struct tree_io io = {l->store, node_get, NULL};
    BUF_FREE proof = buf_new(PROOF_MAX);
    *out = (struct state_proof){.number = l->head.number};
    if (key.n == 0 || key.n > STATE_KEY_MAX) {
        return err_set(e, RC_CODE_MALFORMED, "a key of the state has 1 to %d bytes", STATE_KEY_MAX);
    }
    if (!hash_eq(l->root, l->head.state_root)) {
        return err_set(e, RC_CODE_DENIED,
                       "development calls wrote to the state after the newest "
                       "block: make a block first (evm_mine)");
    }
    rc r = record_read(l->store, &l->record, key, &value);
    out->found = rc_ok(r);
    if (!rc_ok(r) && r.code != RC_CODE_NOT_FOUND) {
        return err_set(e, r.code, "the state cannot be read");
    }
    r = tree_prove(&proof, l->root, &io, tree_path(key));
    key_be64(number, l->head.number);
    r = rc_ok(r) ? store_get(l->store, T_BLOCK, BYTES_OF(number), &stored) : r;
    if (!rc_ok(r)) {
        return err_set(e, RC_CODE_CORRUPT, "the tree over the state is damaged");
    }
    struct cur c = cur_of(stored);
    (void)take_bytes(&c, 12);
    r = to_arena(&out->value, a, value);
    r = rc_ok(r) ? to_arena(&out->header, a, (struct bytes){c.p, c.n}) : r;
    r = rc_ok(r) ? to_arena(&out->proof, a, buf_bytes(&proof)) : r;
    return rc_ok(r) ? RC_OK : err_set(e, r.code, "the proof is too large for this request");
}

rc state_proof_check(struct block *header, struct arena *a, struct bytes key,
                     const struct state_proof *p, struct err *e)
{
    const char *why;
    struct hash content;
    bool found;
    if (!rc_ok(header_parse(header, a, p->header, &why))) {
        return err_set(e, RC_CODE_MALFORMED, "%s", why);
    }
    rc r = tree_check(&found, &content, header->state_root, tree_path(key), p->proof);
    if (r.code == RC_CODE_MALFORMED) {
        return err_set(e, r.code, "these bytes are no proof");
    }
    if (!rc_ok(r)) {
        return err_set(e, RC_CODE_DENIED,
                       "the proof does not lead to the state root of the header");
    }
    if (found != p->found || (found && !hash_eq(content, tree_content(p->value)))) {
        return err_set(e, RC_CODE_DENIED, "the proof is of another value");
    }
    if (header->number != p->number) {
        return err_set(e, RC_CODE_DENIED, "the header is of another block");
    }
    return RC_OK;
}
