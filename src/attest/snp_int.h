/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_SNP_INT_H
#define SOUK_ATTEST_SNP_INT_H

/* snp_int.h - AMD SEV-SNP: the report (snp.c) and its certificates (snp_chain.c). The Azure back end
 * finds such a report inside its own evidence and judges it by the same functions. */

#include "attest/attest_int.h"
#include "base/cur.h"
#include "crypto/x509.h"

enum { SNP_REPORT_SIZE = 1184 };

enum snp_product { SNP_UNKNOWN, SNP_MILAN, SNP_GENOA, SNP_TURIN };

struct snp_report {
    struct bytes all; /* 1184 bytes */
    uint32_t version, guest_svn, vmpl;
    uint64_t policy;
    bool author_key_en, mask_chip_key;
    unsigned signing_key; /* 0 VCEK, 1 VLEK, 7 none */
    struct bytes current_tcb, reported_tcb, committed_tcb, launch_tcb, chip_id, report_data;
    uint8_t family, model, stepping; /* version 3 and later */
    enum snp_product product;        /* by them; unknown in version 2 */
};

/* What the leaf's extensions say. */
struct snp_leaf {
    enum snp_product product;
    uint8_t bl, tee, snp, ucode, fmc;
    struct bytes hwid; /* 64 bytes, Turin 8; empty in a VLEK */
    bool is_vlek;
};

struct snp_chain {
    struct x509 leaf, ask, ark;
    bool has_ask, has_ark;
    struct snp_leaf info;
};

const char *snp_product_name(enum snp_product p);
void snp_report_read(struct snp_report *r, struct bytes report);

/* The certificate table of an extended report, behind the report: its certificates become companions.
 * False after attest_fail(FORMAT). */
bool snp_take_table(struct attest_ctx *c, const struct snp_report *r);

/* Finds leaf, ASK and ARK among companions and collateral by what they are. False after the links
 * that cannot be judged without a leaf are marked missing. */
bool snp_find_chain(struct attest_ctx *c, const struct snp_report *r, struct snp_chain *out);

/* Chain and revocation links. */
void snp_verify_chain(struct attest_ctx *c, const struct snp_chain *chain);

bool snp_identify(struct bytes b);
bool snp_decode(struct attest_ctx *c);
void snp_verify(struct attest_ctx *c); /* c->parsed is a struct snp_report */

extern const struct attest_backend attest_backend_snp;

#endif /* SOUK_ATTEST_SNP_INT_H */
