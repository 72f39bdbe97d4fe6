/* SPDX-License-Identifier: Apache-2.0 */
/* m_proof.c - proofs of the state against a block's state root, which `souk verify proof` checks. */
#include "chain/rpc/rpc_table_int.h"

enum { KEY_MAX = 120 }; /* the longest key of the state */

rc souk_get_proof(struct rpc_req *q)
{
    struct bytes key;
    struct state_proof p;
    struct block head;
    struct err e = {0};
    TRY(p_bytes(q, 0, KEY_MAX, &key));
    rc r = ledger_prove(q->rpc->ledger, q->arena, key, &p, &e);
    if (r.code == RC_CODE_CORRUPT || r.code == RC_CODE_IO) {
        return rpc_ledger_fault(q, r);
    }
    if (!rc_ok(r)) {
        return rpc_fail(q, r.code == RC_CODE_MALFORMED ? RPC_PARAMS : RPC_SERVER, "%s", e.msg);
    }
    r = ledger_block(q->rpc->ledger, q->arena, p.number, &head);
    if (!rc_ok(r)) {
        return rpc_ledger_fault(q, r);
    }
    put_str(q->out, "{\"key\":");
    put_q_bytes(q->out, key);
    put_str(q->out, ",\"value\":");
    if (p.found) {
        put_q_bytes(q->out, p.value);
    } else {
        put_str(q->out, "null");
    }
    put_str(q->out, ",\"blockNumber\":");
    put_q_u64(q->out, p.number);
    put_str(q->out, ",\"blockHash\":");
    put_q_hash(q->out, head.hash);
    put_str(q->out, ",\"stateRoot\":");
    put_q_hash(q->out, head.state_root);
    put_str(q->out, ",\"header\":");
    put_q_bytes(q->out, p.header);
    put_str(q->out, ",\"proof\":");
    put_q_bytes(q->out, p.proof);
    put_u8(q->out, '}');
    return RC_OK;
}
