/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_TYPED_DATA_H
#define SOUK_IO_TYPED_DATA_H

/* typed_data.h - EIP-712 over its JSON form, as eth_signTypedData_v4 takes it:
 * {"types": {…}, "domain": {…}, "primaryType": "…", "message": {…}}. */

#include "io/json.h"

/* The 32 bytes to sign; MALFORMED with the place of the fault. Without EIP712Domain among the types
 * it is derived from the members of domain, as wallets do. */
rc typed_data_hash(struct hash *out, const json_t *data, struct err *e);

/* hashStruct() of one value of a type of "types". */
rc typed_data_struct(struct hash *out, const json_t *types, const char *type, const struct js *v,
                     struct err *e);

#endif /* SOUK_IO_TYPED_DATA_H */
