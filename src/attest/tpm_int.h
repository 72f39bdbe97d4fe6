/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_TPM_INT_H
#define SOUK_ATTEST_TPM_INT_H

/* tpm_int.h - TPM 2.0 structures and quotes. The TPM back end judges a quote by an attestation key
 * that the caller trusts, the Azure one by the key in its own runtime data; both through the same
 * functions. Sources: TCG TPM 2.0 Library part 2 (structures). SPEC attestation 4 */

#include "attest/attest_int.h"
#include "base/cur.h"
#include "crypto/x509.h"

enum { TPM_PCRS = 24, TPM_SELECTIONS = 4, TPM_DIGEST_MAX = 64 };

/* TPM_ALG_ID */
enum {
    TPM_RSA = 0x01,
    TPM_SHA1 = 0x04,
    TPM_SHA256 = 0x0b,
    TPM_SHA384 = 0x0c,
    TPM_SHA512 = 0x0d,
    TPM_NULL = 0x10,
    TPM_RSASSA = 0x14,
    TPM_RSAPSS = 0x16,
    TPM_ECDSA = 0x18,
    TPM_ECC = 0x23,
};

/* TPMA_OBJECT */
enum {
    TPM_FIXED_TPM = 1 << 1,
    TPM_FIXED_PARENT = 1 << 4,
    TPM_RESTRICTED = 1 << 16,
    TPM_DECRYPT = 1 << 17,
    TPM_SIGN = 1 << 18,
};

/* A hash algorithm that PCR banks and signatures use. */
bool tpm_hash(uint16_t alg, enum pk_hash *out);
const char *tpm_hash_name(uint16_t alg); /* "sha256"; NULL when it is none of ours */

struct tpm_bank {
    uint16_t alg;
    uint32_t mask; /* bit i: PCR i */
};

/* TPMS_ATTEST with TPMS_QUOTE_INFO. */
struct tpm_quote {
    struct bytes all, signer, extra, digest, firmware;
    uint64_t clock;
    uint32_t reset_count, restart_count;
    uint8_t safe;
    struct tpm_bank bank[TPM_SELECTIONS];
    size_t n_bank;
};

/* TPMT_PUBLIC, alone or as TPM2B_PUBLIC. */
struct tpm_public {
    struct bytes all; /* TPMT_PUBLIC: what the name is the hash of */
    uint16_t name_alg, scheme, scheme_hash;
    uint32_t attributes;
    struct pubkey key;
};

/* What is judged with: the register values that the quote's digest covers. */
struct tpm_pcrs {
    bool known;
    uint8_t v[TPM_SELECTIONS][TPM_PCRS][TPM_DIGEST_MAX]; /* by the quote's selections */
};

bool tpm_is_attest(struct bytes b); /* magic */

/* False after attest_fail(FORMAT). */
bool tpm_quote_read(struct attest_ctx *c, struct tpm_quote *q, struct bytes b);
void tpm_quote_claims(struct attest_ctx *c, const struct tpm_quote *q);

/* False: the bytes are no public area of a kind that can sign. The arena holds padded points. */
bool tpm_public_read(struct tpm_public *p, struct arena *a, struct bytes b);
bool tpm_key_eq(const struct pubkey *a, const struct pubkey *b);

/* The name: algorithm and digest of the public area; n is 2 + digest. 0: unknown algorithm. */
size_t tpm_name(uint8_t out[2 + TPM_DIGEST_MAX], const struct tpm_public *p);

/* Is the quote signed by this key, with a signature among companions and collateral? 1 yes, 0 there
 * are signatures but none fits, -1 there is none. *scheme gets how, when 1. */
int tpm_signed_by(const struct attest_ctx *c, const struct tpm_quote *q, const struct pubkey *key,
                  const char **scheme);

/* Finds register values, by a companion or by the replay of a log, whose digest is the quote's: the
 * binding link, and one claim a register. An event log must explain the registers that it names. */
/* Whether the name of a file or member speaks of register values. */
bool tpm_names_pcrs(const char *name);

void tpm_judge_registers(struct attest_ctx *c, const struct tpm_quote *q);

extern const struct attest_backend attest_backend_tpm;

#endif /* SOUK_ATTEST_TPM_INT_H */
