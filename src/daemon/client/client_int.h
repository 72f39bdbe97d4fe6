/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_CLIENT_CLIENT_INT_H
#define SOUK_DAEMON_CLIENT_CLIENT_INT_H

/* client_int.h - the struct behind a client, and the JSON forms of chain data. */

#include "daemon/client/client.h"

struct client {
    struct http_client *http;
    char url[512];
    struct address hub;
    uint64_t timeout_ms;

    uint64_t next_id;
    bool has_chain_id, has_domain, has_fees;
    uint64_t chain_id;
    struct hash domain;
    struct tx_fees fees; /* asked again when fees_ms is old or a transaction is refused */
    uint64_t fees_ms;
};

/* {"jsonrpc": "2.0", "id": id, …} of one method; takes params. */
json_t *rpc_request(uint64_t id, const char *method, json_t *params);

/* Takes the answer to one request apart: *result is a new reference. */
rc rpc_reply(json_t **result, const json_t *reply, struct err *e);

/* The sentence for revert data and a node's message. */
rc rpc_revert(struct err *e, const char *message, struct bytes data);

json_t *json_quantity(uint64_t v);
json_t *json_quantity256(struct u256 v);
json_t *json_bytes(struct bytes v); /* "0x…" */
json_t *json_address(struct address a);
json_t *json_hash(struct hash h);

/* Members of answers; MALFORMED with the place. Quantities may have leading zeros. */
rc js_quantity(uint64_t *out, const struct js *j, struct err *e);
rc js_quantity256(struct u256 *out, const struct js *j, struct err *e);

#endif /* SOUK_DAEMON_CLIENT_CLIENT_INT_H */
