/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_CID_H
#define SOUK_ENCODING_CID_H

/* cid.h - content identifiers: version, codec and multihash of a block, in binary and in text.
 * Spec: multiformats CID. Version 0 is a bare sha2-256 multihash in base58btc (Qm…); version 1 has
 * a multibase prefix: base32 (b) is written, base16 (f), base58btc (z) and base36 (k) are read too. */

#include "base/buf.h"
#include "base/cur.h"

#define CID_MH_MAX   64  /* bytes of the longest digest: sha2-512, or a small inlined block */
#define CID_BIN_MAX  96  /* 4 varints and the digest */
#define CID_STR_MAX  160 /* base32 of CID_BIN_MAX, prefix, NUL */
#define CID_TEXT_MAX 200 /* characters we read: base16 of CID_BIN_MAX and its prefix */

enum { /* on the wire: multicodec numbers */
       CID_RAW = 0x55,
       CID_DAG_PB = 0x70,
       CID_DAG_CBOR = 0x71,
       CID_DAG_JSON = 0x0129,
       CID_JSON = 0x0200,
       MH_IDENTITY = 0x00,
       MH_SHA2_256 = 0x12,
};

struct cid {
    uint64_t codec;
    uint64_t mh_code; /* hash function */
    uint8_t version;  /* 0 or 1 */
    uint8_t mh_size;  /* bytes of mh in use */
    uint8_t mh[CID_MH_MAX];
};

/* A CID of a sha2-256 digest. Version 0 is always dag-pb. */
struct cid cid_make(unsigned version, uint64_t codec, const struct hash *sha256);

/* True when the block is named by sha2-256; *out is then the digest. */
bool cid_sha256(struct hash *out, const struct cid *c);

bool cid_eq(const struct cid *a, const struct cid *b);
bool cid_same_block(const struct cid *a, const struct cid *b); /* same multihash */

/* Takes one binary CID; zero after a failure. */
struct cid cid_take(struct cur *c);
void put_cid(struct buf *b, const struct cid *c);

/* Whole input in text. MALFORMED for anything but one CID in a form named above. */
rc cid_parse(struct cid *out, struct bytes text);

/* base58btc for version 0, base32 for version 1; NUL-terminated; returns out. */
char *cid_str(const struct cid *c, char out[CID_STR_MAX]);

/* The same block as version 1. */
struct cid cid_as_v1(struct cid c);

#endif /* SOUK_ENCODING_CID_H */
