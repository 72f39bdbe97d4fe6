/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_ATTEST_FILES_H
#define SOUK_CMD_ATTEST_FILES_H

/* attest_files.h - what the verifier is given, read from files: the verifier itself does no I/O.
 * Everything is kept in the arena. */

#include "attest/attest.h"
#include "io/opts.h"

#define ATTEST_FILES_ARENA ((size_t)512 << 20) /* 256 pieces of collateral of 1 MiB, and policy */

/* A policy document; path NULL: the default policy. MALFORMED with path and place. */
rc attest_load_policy(struct attest_policy *p, struct arena *a, const char *path, struct err *e);

/* "KIND:0xADDRESS", or "KIND:FILE" with a certificate or public key in DER or PEM, of each entry. */
rc attest_load_anchors(struct attest_anchor **out, size_t *n, struct arena *a,
                       const struct opt_list *texts, struct err *e);

/* Every file of a folder, with its name; dir NULL: none. */
rc attest_load_folder(struct attest_item **out, size_t *n, struct arena *a, const char *dir,
                      struct err *e);

#endif /* SOUK_CMD_ATTEST_FILES_H */
