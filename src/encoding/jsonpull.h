/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_JSONPULL_H
#define SOUK_ENCODING_JSONPULL_H

/* jsonpull.h - JSON (RFC 8259) read in one pass without a tree, for signed collateral that must be
 * read often and fast; everything else uses jansson. The caller asks for what must come next:
 *
 *     jp_object(&j);
 *     while (jp_key(&j, &key)) {
 *         if (bytes_eq(key, BYTES_LIT("id"))) { id = jp_string(&j); }
 *         else { jp_skip(&j); }
 *     }
 *
 * The first failure sticks and ends every loop; jp_end() asks once. Strings that are asked for must
 * be free of escapes and control characters (none of our formats needs them); skipped ones may have
 * any valid escape. Repeated keys are the caller's to refuse. Depth is bounded by JP_DEPTH_MAX. */

#include "base/rc.h"

enum { JP_DEPTH_MAX = 16 };

struct jp {
    const uint8_t *p, *end;
    const char *bad; /* static string, NULL while good */
    unsigned depth;  /* open objects and arrays */
    bool first;      /* no member or element read yet in the innermost one */
};

struct jp jp_of(struct bytes text);

void jp_object(struct jp *j); /* '{' must follow */
void jp_array(struct jp *j);  /* '[' must follow */

/* The next key of the innermost object, the cursor before its value; false at its end. */
bool jp_key(struct jp *j, struct bytes *key);

/* True when a further element of the innermost array follows; false at its end. */
bool jp_elem(struct jp *j);

struct bytes jp_string(struct jp *j);

/* The same without a look at the characters: for long text that the caller decodes strictly, so that
 * an escape or a control character fails there. */
struct bytes jp_unchecked(struct jp *j);
uint64_t jp_u64(struct jp *j); /* digits only, below 2^63 */
bool jp_bool(struct jp *j);

/* Skips any value and returns its exact bytes. */
struct bytes jp_skip(struct jp *j);

/* The same by brackets and quotes alone, several times faster: for values that are read properly
 * afterwards, or whose signature decides about them. */
struct bytes jp_skip_raw(struct jp *j);

/* OK when nothing failed and only white space is left. */
rc jp_end(struct jp *j);

#endif /* SOUK_ENCODING_JSONPULL_H */
