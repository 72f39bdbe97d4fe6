/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_SOUK_ATTEST_H
#define SOUK_ATTEST_SOUK_ATTEST_H

/* souk_attest.h - libsouk-attest, the verifier as a library for C, C++ and everything that can call
 * C. This header stands alone; it is the only one that a user of the library includes.
 *
 * The library reads no clock, no file and no network, keeps no state and starts no thread: calls may
 * run in parallel. Each takes at most a little over 1 MiB of memory and gives it back. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SOUK_ATTEST_ACCEPTED = 0,
    SOUK_ATTEST_REFUSED = 1,
    SOUK_ATTEST_BAD_INPUT = 2 /* the call is wrong, such as the policy: `out` says where */
};

enum souk_attest_format { SOUK_ATTEST_JSON = 0, SOUK_ATTEST_TEXT = 1 };

/* A piece of collateral (TCB info, CRL, certificate, …) or a companion of the evidence (signature,
 * event log). */
struct souk_attest_item {
    const char *name;
    const void *data;
    size_t size;
};

enum souk_attest_anchor_type {
    SOUK_ATTEST_ANCHOR_ADDRESS = 0, /* 20 bytes, for the kind "simulated" */
    SOUK_ATTEST_ANCHOR_CERT = 1,    /* DER certificate */
    SOUK_ATTEST_ANCHOR_KEY = 2      /* DER SubjectPublicKeyInfo or raw key */
};

struct souk_attest_anchor {
    const char *kind; /* "tpm", "simulated"; "*": all */
    int type;
    const void *data;
    size_t size;
};

struct souk_attest_input {
    size_t struct_size; /* sizeof(struct souk_attest_input) */
    const void *evidence;
    size_t evidence_size;
    const struct souk_attest_item *items;
    size_t n_items;
    const struct souk_attest_anchor *anchors; /* beside the vendors' roots, which are built in */
    size_t n_anchors;
    const char *policy; /* JSON, docs/attestation.md; NULL: the default */
    size_t policy_size;
    int64_t time;            /* Unix seconds: when it must hold */
    const void *report_data; /* NULL: not asked for */
    size_t report_data_size;
    const void *nonce; /* NULL: not asked for */
    size_t nonce_size;
    const char *kind; /* NULL: found out */
    int no_builtin_roots;
};

/* Judges. Writes the verdict, or for BAD_INPUT a sentence, to out: at most out_size bytes with the
 * NUL; *out_len (may be NULL) gets the length that it has in full. out may be NULL. */
int souk_attest_verify(const struct souk_attest_input *in, char *out, size_t out_size,
                       size_t *out_len, enum souk_attest_format format);

/* Decodes without judging: ACCEPTED means only that the evidence could be read. */
int souk_attest_show(const struct souk_attest_input *in, char *out, size_t out_size,
                     size_t *out_len, enum souk_attest_format format);

/* The name of the i-th kind of evidence; NULL past the end. */
const char *souk_attest_kind(size_t i);

#ifdef __cplusplus
}
#endif

#endif /* SOUK_ATTEST_SOUK_ATTEST_H */
