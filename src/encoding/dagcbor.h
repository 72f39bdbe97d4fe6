/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_DAGCBOR_H
#define SOUK_ENCODING_DAGCBOR_H

/* dagcbor.h - reads DAG-CBOR: CBOR in its strict form (shortest numbers, definite lengths, text keys,
 * floats of 64 bits, tag 42 alone, for links). Spec: IPLD DAG-CBOR and DAG-JSON. */

#include "base/buf.h"
#include "base/cur.h"
#include "encoding/cid.h"

#define DAGCBOR_DEPTH_MAX 64

/* Checks the whole block and calls fn for every link in it, in order; fn may be NULL. Stops with
 * what fn returns when that is not OK. */
rc dagcbor_links(struct bytes block, rc (*fn)(void *ctx, const struct cid *link), void *ctx);

/* Appends the block as DAG-JSON. */
rc dagcbor_put_json(struct buf *b, struct bytes block);

/* The value under a key of a map, or under a decimal number of an array: *out is its bytes. When it
 * is a link, *link is set and *is_link true. NOT_FOUND when there is no such member. */
rc dagcbor_get(struct bytes *out, struct cid *link, bool *is_link, struct bytes value,
               struct bytes key);

#endif /* SOUK_ENCODING_DAGCBOR_H */
