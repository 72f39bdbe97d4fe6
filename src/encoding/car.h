/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_CAR_H
#define SOUK_ENCODING_CAR_H

/* car.h - content-addressable archives, version 1: a header that names the roots, then blocks. Spec:
 * IPLD CARv1. A section is varint length, CID, bytes; the header is a section of DAG-CBOR
 * {"roots": [links], "version": 1}. */

#include "base/buf.h"
#include "encoding/cid.h"

#define CAR_ROOTS_MAX   1024
#define CAR_SECTION_MAX (((size_t)4 << 20) + CID_BIN_MAX) /* bytes; no block of ours is larger */

void put_car_header(struct buf *b, const struct cid *roots, size_t n);

/* The length and CID that stand before a block of n bytes. */
void put_car_section(struct buf *b, const struct cid *cid, size_t n);

struct car_handler { /* the reader stops and passes it on when one does not return OK */
    rc (*on_root)(void *ctx, const struct cid *root);
    rc (*on_block)(void *ctx, const struct cid *cid, struct bytes block);
};

/* Reads an archive piece by piece; keeps at most one section. */
struct car_reader {
    const struct car_handler *handler;
    void *ctx;
    struct buf hold;
    bool has_header;
    const char *bad; /* why the last call failed, static; NULL when a handler refused */
};

void car_open(struct car_reader *r, const struct car_handler *handler, void *ctx);
void car_close(struct car_reader *r);

rc car_feed(struct car_reader *r, struct bytes in);

/* MALFORMED when the input ended within a section or before the header. */
rc car_end(struct car_reader *r);

#endif /* SOUK_ENCODING_CAR_H */
