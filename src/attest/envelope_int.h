/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_ENVELOPE_INT_H
#define SOUK_ATTEST_ENVELOPE_INT_H

/* envelope_int.h - what several envelopes share. open(): true when the bytes are this envelope; *out
 * is what is inside, in the arena or a view; the rest becomes companions. */

#include "attest/attest_int.h"

enum { ENVELOPE_COMPANIONS = 96 };

bool envelope_open_hex(struct attest_ctx *c, struct bytes in, struct bytes *out);
bool envelope_open_base64(struct attest_ctx *c, struct bytes in, struct bytes *out);

/* JSON documents that carry evidence: trustee's and those of its relatives, go-tpm-tools'. Every
 * value that can be bytes (hex, base64, PEM, a list of numbers) is looked at; the strongest evidence
 * among them is judged, the others go with it. */
bool envelope_open_json(struct attest_ctx *c, struct bytes in, struct bytes *out);

/* One more companion; false when there are too many. */
bool envelope_add(struct attest_ctx *c, const char *name, struct bytes data);

#endif /* SOUK_ATTEST_ENVELOPE_INT_H */
