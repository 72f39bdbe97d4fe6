/* SPDX-License-Identifier: Apache-2.0 */
/* public.c - what requesters and their SDK ask: states of tasks, and logs for the requester alone.
 * SPEC offchain 1.6, sdk-surface 8. */
#include <stdio.h>

#include "crypto/secp.h"
#include "daemon/scheduler/scheduler_int.h"
#include "encoding/hex.h"
#include "io/typed_data.h"

void public_version(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_reply_text(r, 200, "souk");
}

static bool task_id(struct http_req *r, struct hash *out)
{
    if (rc_ok(hex_parse_hash(out, http_param(r, "id")))) {
        return true;
    }
    http_reply_error(r, 404, "not a task id");
    return false;
}

void public_task(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct hash id;
    if (task_id(r, &id)) {
        json_t *j = memory_task_json(s, id);
        if (j != NULL) {
            http_reply_json(r, 200, j);
        } else {
            http_reply_error(r, 404, "this workerpool has no such task");
        }
    }
}

void public_replica(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct hash id;
    struct address who;
    if (task_id(r, &id)) {
        json_t *j = rc_ok(hex_parse_address(&who, http_param(r, "wallet")))
                        ? memory_replica_json(s, id, who)
                        : NULL;
        if (j != NULL) {
            http_reply_json(r, 200, j);
        } else {
            http_reply_error(r, 404, "this worker has no part in such a task");
        }
    }
}

static json_t *challenge_json(uint64_t chain_id, const char *text)
{
    return json_pack(
        "{s:{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}], s:[{s:s,s:s}]}, s:s, s:{s:s,s:s,s:I},"
        " s:{s:s}}",
        "types", "EIP712Domain", "name", "name", "type", "string", "name", "version", "type",
        "string", "name", "chainId", "type", "uint256", "Challenge", "name", "challenge", "type",
        "string", "primaryType", "Challenge", "domain", "name", "iExec Core", "version", "1",
        "chainId", (json_int_t)chain_id, "message", "challenge", text);
}

void public_challenge(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct address who;
    uint64_t chain_id;
    const char *text = http_query(r, "address");
    if (text == NULL || !rc_ok(hex_parse_address(&who, text))) {
        http_reply_error(r, 400, "address must be an address");
        return;
    }
    if (!rc_ok(client_chain_id(s->chain, &chain_id, NULL))) {
        http_reply_error(r, 503, "the chain is away");
        return;
    }
    struct challenge *c = challenge_get(&s->readers, who, LOGS_CHALLENGE_MS, true);
    json_t *j = challenge_json(chain_id, c->text);
    (void)!rc_ok(typed_data_hash(&c->hash, j, NULL));
    http_reply_json(r, 200, j);
}

/* "hash_sig_address": the reader's address, when the signature is his over his challenge. Answers
 * with a status otherwise: 401 malformed, 403 not the requester, 401 wrong signature. */
static int check_reader(struct scheduler *s, struct http_req *r, struct address requester)
{
    const char *h = http_header(r, "authorization");
    const char *sig_text = h != NULL ? strchr(h, '_') : NULL;
    const char *who_text = sig_text != NULL ? strchr(sig_text + 1, '_') : NULL;
    struct address who, signer;
    uint8_t sig[65];
    if (who_text == NULL || !rc_ok(hex_parse_address(&who, who_text + 1)) ||
        !rc_ok(hex_decode_exact(
            sig, sizeof(sig),
            (struct bytes){(const uint8_t *)sig_text + 1, (size_t)(who_text - sig_text - 1)}))) {
        return 401;
    }
    if (!address_eq(who, requester)) {
        return 403;
    }
    struct challenge *c = challenge_get(&s->readers, who, LOGS_CHALLENGE_MS, false);
    bool ok = c != NULL && !hash_is_zero(c->hash) &&
              rc_ok(secp_recover65(&signer, c->hash, (struct bytes){sig, sizeof(sig)})) &&
              address_eq(signer, who);
    return ok ? 200 : 401;
}

void public_logs(void *ctx, struct http_req *r)
{
    struct scheduler *s = ctx;
    struct hash id;
    struct address requester, only;
    char text[HEX_HASH_MAX];
    const char *wallet = http_param(r, "wallet");
    if (!task_id(r, &id)) {
        return;
    }
    bool known = memory_requester(s, id, &requester);
    int status = known ? check_reader(s, r, requester) : 404;
    if (status == 401) {
        http_reply_error(r, 401, "sign the challenge of /tasks/logs/challenge as the requester");
    } else if (status == 403) {
        http_reply_error(r, 403, "only the task's requester may read its logs");
    } else if (status == 404 || (wallet != NULL && !rc_ok(hex_parse_address(&only, wallet)))) {
        http_reply_error(r, 404, "this workerpool has no logs of such a task");
    } else {
        JSON_FREE *list = memory_logs_json(s, id, wallet != NULL ? &only : NULL);
        if (json_array_size(list) == 0) {
            http_reply_error(r, 404, "this workerpool has no logs of such a task");
        } else if (wallet != NULL) {
            http_reply_json(r, 200, json_incref(json_array_get(list, 0)));
        } else {
            http_reply_json(r, 200,
                            json_pack("{s:s, s:O}", "chainTaskId", hex_hash(text, id),
                                      "computeLogsList", list));
        }
    }
}
