/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_COSE_H
#define SOUK_ENCODING_COSE_H

/* cose.h - COSE_Sign1 and COSE_Mac0 (RFC 9052) with one signature or tag over an attached payload.
 * The algorithm counts only where it is protected, and only with a key of its kind: a token never
 * chooses how a key is used. */

#include "base/cur.h"
#include "crypto/pubkey.h"

enum cose_tag { COSE_UNTAGGED, COSE_MAC0 = 17, COSE_SIGN1 = 18 };

enum { COSE_PROTECTED_MAX = 512 };

struct cose {
    enum cose_tag tag;
    struct bytes protected; /* contents of the protected header's string: a map, or empty */
    struct bytes payload;
    struct bytes sig; /* signature or authentication tag */
    bool has_alg;     /* in the protected header */
    int64_t alg;
};

enum {
    COSE_ES256 = -7,
    COSE_ES384 = -35,
    COSE_ES512 = -36,
    COSE_ESP256 = -9, /* RFC 9864: the same with the curve said */
    COSE_ESP384 = -51,
    COSE_ESP512 = -52,
    COSE_HMAC256 = 5,
    COSE_HMAC384 = 6,
    COSE_HMAC512 = 7,
};

/* One message with its tag or without; bytes behind it stay in the cursor. MALFORMED with the reason
 * in c->bad. */
rc cose_take(struct cose *m, struct cur *c);

/* How a message begins: its tag, and a cursor over as much of the payload as is there. For telling
 * kinds apart, so truncation is no failure. False: it does not begin like a message. */
bool cose_begins(struct bytes b, enum cose_tag *tag, struct cur *payload);

/* Is it signed by the key? DENIED: no; MALFORMED: algorithm, key and signature do not fit. */
rc cose_verify_sign1(const struct cose *m, const struct pubkey *key);
rc cose_verify_mac0(const struct cose *m, struct bytes key);

/* The contents of a COSE_Key of type EC2 with both coordinates; point needs 132 bytes. */
rc cose_take_key(struct pubkey *k, uint8_t point[132], struct bytes key);

#endif /* SOUK_ENCODING_COSE_H */
