/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_INTEL_INT_H
#define SOUK_ATTEST_INTEL_INT_H

/* intel_int.h - what the SGX and TDX back ends share: the quote's fields, the PCK certificate's
 * extension, and the judgement of a platform, a TDX module and a quoting enclave by Intel's signed
 * TCB info and enclave identity. Everything is a view into the caller's bytes. Names of fields and
 * statuses are Intel's. Sources: SGX ECDSA QuoteLibReference DCAP API, TDX DCAP Quoting Library API
 * (quote versions 4 and 5), SGX PCK Certificate and CRL profile, PCS API v4. SPEC attestation 1 */

#include "base/cur.h"
#include "crypto/x509.h"

enum { QUOTE_MAX = 64 * 1024 }; /* bytes: genuine ones are below 9,000 with padding */

enum intel_body { INTEL_SGX, INTEL_TD10, INTEL_TD15 };

struct sgx_report {
    struct bytes all; /* 384 bytes */
    struct bytes cpusvn, attributes, mrenclave, mrsigner, config_id, report_data;
    uint32_t miscselect;
    uint16_t isvprodid, isvsvn, config_svn;
};

struct td_report {
    struct bytes tee_tcb_svn, mrseam, mrsignerseam, seamattributes, td_attributes, xfam, mrtd;
    struct bytes mrconfigid, mrowner, mrownerconfig, rtmr[4], report_data;
    struct bytes tee_tcb_svn2, mrservicetd; /* TD 1.5 */
};

struct intel_quote {
    uint16_t version; /* 3, 4, 5 */
    bool is_tdx;
    enum intel_body body;
    struct bytes user_data;
    struct sgx_report sgx;
    struct td_report td;
    struct bytes signed_part; /* header and body: what the attestation key signs */
    struct bytes signature, att_key;
    struct sgx_report qe;
    struct bytes qe_signature, qe_auth;
    uint16_t cert_type;
    struct bytes cert_data; /* type 5: PEM chain */
    size_t padding;         /* zero bytes behind the quote */
};

/* MALFORMED with a static reason in *why. Zero padding behind the quote is allowed and counted,
 * other trailing bytes are refused. */
rc intel_quote_parse(struct intel_quote *q, struct bytes quote, const char **why);

/* A 384-byte SGX report body at the cursor. */
void take_sgx_report(struct cur *c, struct sgx_report *r);

struct pck_info {
    struct bytes ppid, cpusvn, pceid, fmspc;
    uint8_t comp[16];
    uint16_t pcesvn;
};

/* The extension 1.2.840.113741.1.13.1 of a PCK certificate. */
rc pck_info_parse(struct pck_info *p, const struct x509 *leaf, const char **why);

/* In the order of the policy: a larger number is worse. */
enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_TD_RELAUNCH_ADVISED,
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_NOT_SUPPORTED, /* no level matches */
    TCB_STATUS_COUNT
};

const char *tcb_status_name(enum tcb_status s); /* Intel's spelling: "UpToDate" */

enum { ADVISORIES_MAX = 64, SIGNED_JSON_MAX = 256 * 1024 };

struct advisories {
    struct bytes id[ADVISORIES_MAX]; /* views, no repetitions */
    size_t n;
};

void advisories_add(struct advisories *a, struct bytes id);

/* {"tcbInfo":{…},"signature":"…"} or {"enclaveIdentity":{…},"signature":"…"}: the exact bytes of
 * the inner object, which are what was signed, and the 64 bytes of the signature. */
rc signed_json_parse(struct bytes *inner, uint8_t sig[64], struct bytes text, const char *member,
                     const char **why);

struct tcb_result {
    struct bytes id; /* "SGX", "TDX"; empty in version 2 */
    uint64_t version, eval_number;
    int64_t issue_date, next_update; /* Unix seconds */
    bool fmspc_matches, pceid_matches;
    enum tcb_status platform;
    bool has_module; /* the TDX module was judged by an identity of its own */
    enum tcb_status module;
    bool module_signer_matches;
    enum tcb_status current_module; /* TD 1.5: by tee_tcb_svn2 */
    bool current_is_newest;       /* tee_tcb_svn2 reaches the newest level of platform and module */
    struct advisories advisories; /* of the platform's and the module's matched levels */
};

/* Judges by the inner object of a TCB info. td is NULL for SGX. */
rc tcb_info_judge(struct tcb_result *out, struct bytes inner, const struct pck_info *pck,
                  const struct td_report *td, const char **why);

struct qe_result {
    struct bytes id; /* "QE", "TD_QE" */
    uint64_t version, eval_number;
    int64_t issue_date, next_update;
    const char *mismatch; /* which of the identity's fields the report misses; NULL: none */
    enum tcb_status status;
    struct advisories advisories;
};

rc qe_identity_judge(struct qe_result *out, struct bytes inner, const struct sgx_report *qe,
                     const char **why);

/* Platform, module and quoting enclave to one status. SPEC attestation 1.2 (11) */
enum tcb_status tcb_converge(const struct tcb_result *t, const struct qe_result *q);

#endif /* SOUK_ATTEST_INTEL_INT_H */
