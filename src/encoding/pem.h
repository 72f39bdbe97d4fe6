/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_PEM_H
#define SOUK_ENCODING_PEM_H

/* pem.h - PEM text (RFC 7468), one block after another. */

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"

/* Finds the next block "-----BEGIN label-----"; text before it is skipped. Appends the decoded
 * bytes to out. NOT_FOUND when there is no further block (c is then at its end), MALFORMED. */
rc pem_take(struct buf *out, struct cur *c, const char *label);

/* The same into an arena and without detours, for those who read chains often. LIMIT when
 * the arena is full. */
rc pem_take_arena(struct bytes *out, struct arena *a, struct cur *c, const char *label);

#endif /* SOUK_ENCODING_PEM_H */
