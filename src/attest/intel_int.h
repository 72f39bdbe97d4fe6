/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_INTEL_INT_H
#define SOUK_ATTEST_INTEL_INT_H

/* intel_int.h - what the SGX and TDX back ends share: the quote's fields, the PCK certificate's
 * extension, and the judgement of a platform, a TDX module and a quoting enclave by Intel's signed
 * TCB info and enclave identity. Everything is a view into the caller's bytes. Names of fields and
 * statuses are Intel's. Sources: SGX ECDSA QuoteLibReference DCAP API, TDX DCAP Quoting Library API
 * (quote versions 4 and 5), SGX PCK Certificate and CRL profile, PCS API v4. SPEC attestation 1 */

#include "attest/attest_int.h"
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

enum { ADVISORIES_MAX = 64, SIGNED_JSON_MAX = 256 * 1024 };

struct advisories {
    struct bytes id[ADVISORIES_MAX]; /* views, no repetitions */
    size_t n;
    bool too_many;
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
    enum attest_tcb platform;
    bool has_module; /* the TDX module was judged by an identity of its own */
    enum attest_tcb module;
    bool module_signer_matches;
    bool has_current, has_current_module; /* TD 1.5: the same by tee_tcb_svn2 */
    enum attest_tcb current_platform, current_module;
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
    enum attest_tcb status;
    struct advisories advisories;
};

rc qe_identity_judge(struct qe_result *out, struct bytes inner, const struct sgx_report *qe,
                     const char **why);

/* Platform, module and quoting enclave to one status. SPEC attestation 1.2 (11) */
enum attest_tcb tcb_converge(const struct tcb_result *t, const struct qe_result *q);

/* Collateral by what its bytes are: certificates and revocation lists (DER, PEM, hex), TCB infos and
 * enclave identities (JSON as the PCS serves it), Open Enclave's endorsement blob. Reading says
 * nothing about trust. A `signer` is the key that was found to have signed the piece; what was
 * verified once in a store that lives on (struct attest_held) is not verified again. */
enum { STORE_CERTS = 48, STORE_CRLS = 32, STORE_JSONS = 48 };

struct intel_cert {
    struct x509 x;
    const char *item; /* where it came from, for messages */
    struct pubkey signer;
};

struct intel_crl {
    struct x509_crl crl;
    const char *item;
    struct pubkey signer;
};

struct intel_json {
    bool is_tcb; /* else an enclave identity */
    struct bytes inner;
    uint8_t sig[64];
    const char *item;
    const char *bad; /* why it could not be read */
    struct pubkey signer;
};

struct intel_store {
    struct arena *a;
    const struct intel_store *more; /* what was read before, or NULL */
    struct intel_cert *cert[STORE_CERTS];
    struct intel_crl *crl[STORE_CRLS];
    struct intel_json *json[STORE_JSONS];
    size_t n_cert, n_crl, n_json;
    bool full;              /* more pieces than fit, or no memory */
    const char *unreadable; /* an item that looked like a certificate or CRL but is none */
    const char *why;
};

/* Adds what the item holds; bytes that are nothing of Intel's are passed over. */
void intel_store_add(struct intel_store *s, const char *item, struct bytes data);

/* The certificates of a PEM text, such as a quote's. False with *why when one cannot be read. */
bool intel_store_add_pem(struct intel_store *s, const char *item, struct bytes pem,
                         const char **why);

/* Walks of a store and what it builds on; NULL past the end. */
struct intel_cert *intel_cert_at(const struct intel_store *s, size_t i);
struct intel_crl *intel_crl_at(const struct intel_store *s, size_t i);
struct intel_json *intel_json_at(const struct intel_store *s, size_t i);

/* Signed by this key? Remembered when it was found before. */
bool intel_cert_signed_by(struct intel_cert *c, const struct pubkey *key);
bool intel_crl_signed_by(struct intel_crl *c, const struct pubkey *key);
bool intel_json_signed_by(struct intel_json *j, const struct pubkey *key);

/* attest_hold(): finds out who signed what, among the certificates of s itself, the built-in root
 * and the anchors' keys. */
void intel_hold(struct intel_store *s, const struct attest_input *in);

/* The store that attest_hold() made, or NULL. */
const struct intel_store *intel_held(const struct attest_input *in);

extern const struct pubkey intel_root_key; /* Intel SGX Root CA */

bool intel_named(struct bytes name, const char *common_name);
bool intel_valid_at(const struct x509 *x, int64_t now);

/* What decode() leaves for verify(). */
struct intel_parsed {
    struct intel_quote q;
    struct intel_store store; /* the quote's own certificates first */
    size_t n_enclosed;        /* so many of them */
    struct intel_cert *leaf;  /* PCK certificate in the quote; NULL when it has none */
    struct pck_info pck;      /* of the leaf, when there is one */
};

/* Claims of the PCK certificate: machine, FMSPC, PCEID, SVNs. intel.c */
void intel_claims_pck(struct attest_ctx *c, const struct pck_info *pck);

/* One verification on its way through the links. */
enum { INTEL_ROOTS_MAX = 16 };

#define INTEL_FETCH "fetch it from the vendor's provisioning service or your cloud's cache"

struct intel_root {
    struct pubkey key;
    struct bytes subject; /* empty: a key alone */
    const char *name;
    const struct x509 *cert; /* the anchor's certificate, when it is one */
    bool builtin;
};

struct intel_job {
    struct attest_ctx *c;
    struct intel_parsed *p;
    const struct intel_store *store;
    struct intel_root root[INTEL_ROOTS_MAX];
    size_t n_root;
    const struct intel_root *trusted; /* the one that the chain ends in */
    struct intel_cert *leaf, *ca;
    const struct intel_crl *root_crl; /* verified already: it is asked twice */
    bool crypto_ok;                   /* signature and chain hold so far */
};

const char *intel_name_of(struct attest_ctx *c, struct bytes name); /* printable common name */
void intel_collect_roots(struct intel_job *j);
bool intel_root_named(const struct intel_root *r, struct bytes name);

/* The link chain; leaves j->ca and j->trusted where it found them. intel_chain.c */
bool intel_check_chain(struct intel_job *j);

/* Is x on its issuer's list? `what` is the list's name in messages. */
void intel_check_revoked(struct intel_job *j, const struct intel_cert *x,
                         const struct pubkey *issuer_key, const char *what);

/* The links signature, binding, chain, revocation, freshness and TCB. intel_verify.c */
void intel_verify(struct attest_ctx *c);

#endif /* SOUK_ATTEST_INTEL_INT_H */
