/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_ATTEST_H
#define SOUK_ATTEST_ATTEST_H

/* attest.h - is this evidence real, and does it say what I require?
 *
 * One question for every TEE: evidence + collateral + trust anchors + policy + time go in, one
 * verdict comes out. The verdict has one line per link of the proof, and claims in one vocabulary.
 * Pure: no clock, no files, no network, no global state, no threads. Facts: spec/attestation.md.
 *
 * Memory: everything a verdict points to lives in the scratch arena or in the caller's own input
 * (evidence, collateral, policy), which must outlive it. ATTEST_SCRATCH bytes are always enough. */

#include "base/arena.h"
#include "base/buf.h"

#define ATTEST_SCRATCH ((size_t)1 << 20) /* memory of one verification */
#define ATTEST_EVIDENCE_MAX                                                                        \
    ((size_t)256 << 10)         /* bytes; the largest genuine sample is below 64 KiB */
#define ATTEST_ITEMS_MAX    256 /* pieces of collateral */
#define ATTEST_CLAIMS_MAX   160 /* a TPM with two banks states 48 registers */
#define ATTEST_ADVISORY_MAX 64
#define ATTEST_POLICY_MAX   ((size_t)64 << 10) /* bytes of a policy document */
#define ATTEST_SET_MAX      64                 /* members of one set in a policy */
#define ATTEST_RULES_MAX    64                 /* rules over named claims in a policy */

/* The links of the proof, in the order in which a reader asks. */
enum attest_link {
    ATTEST_FORMAT,     /* the bytes are what the format allows */
    ATTEST_SIGNATURE,  /* the evidence is signed by the key that it names */
    ATTEST_BINDING,    /* report data, nonce, inner keys: fresh and ours, parts belong together */
    ATTEST_CHAIN,      /* that key leads to a trust anchor, everything valid at the time */
    ATTEST_REVOCATION, /* nothing on the way is revoked */
    ATTEST_FRESHNESS,  /* the collateral is valid at the time and not too old */
    ATTEST_TCB,        /* the platform's state: up to date, out of date, … */
    ATTEST_POLICY,     /* what the caller requires beyond that */
    ATTEST_LINKS,
};

enum attest_state {
    ATTEST_NA, /* does not apply to this kind, or was not asked for: does not refuse */
    ATTEST_OK,
    ATTEST_FAILED,
    ATTEST_MISSING, /* something that is needed was not given: refuses */
};

#define ATTEST_NO_OFFSET SIZE_MAX

struct attest_line {
    enum attest_state state;
    const char *code;    /* a machine's word: "debug-enabled"; never NULL */
    const char *reason;  /* a sentence for a person; never NULL */
    const char *subject; /* certificate, collateral item or field concerned; NULL: none */
    const char *fix;     /* what to do about it; NULL: nothing to do */
    size_t offset;       /* byte in the unwrapped evidence; ATTEST_NO_OFFSET: none */
};

/* Ordered from good to bad; Intel's words are used for every kind. */
enum attest_tcb {
    TCB_NONE, /* the kind has no such notion, or it is not known */
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_TD_RELAUNCH_ADVISED,
    TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_NOT_SUPPORTED,
    TCB_STATES,
};

const char *attest_tcb_name(enum attest_tcb s); /* "UpToDate" */
const char *attest_link_name(enum attest_link l);
const char *attest_state_name(enum attest_state s);

enum attest_type { ATTEST_BYTES, ATTEST_U64, ATTEST_BOOL, ATTEST_TEXT };

/* One thing that the evidence says. Names common to all kinds:
 *   measurement (bytes)  what runs          report_data (bytes) what the enclave wants to say
 *   signer (bytes)       who signed it      nonce (bytes)       the verifier's, where it is apart
 *   product (u64, text)  which product      configuration (bytes)
 *   svn (u64)            its version        tcb (bytes)         the platform's version numbers
 *   debug (bool)         may be looked into platform (bytes)    which chip or machine
 * Others carry the kind in front: "tdx.rtmr0", "snp.vmpl", "tpm.pcr.sha256.7". */
struct attest_claim {
    const char *name;
    enum attest_type type;
    struct bytes bytes; /* BYTES, and TEXT without a NUL */
    uint64_t u64;       /* U64; BOOL as 0 or 1 */
};

struct verdict {
    bool accepted;
    bool verified;     /* signature, binding and chain hold: the claims are the hardware's words */
    bool simulated;    /* no hardware stands behind it */
    const char *kind;  /* back end's name: "sgx"; NULL when nothing recognised the bytes */
    const char *title; /* "Intel SGX quote v3" */
    const char *envelope; /* what was unwrapped: "hex, base64"; "" for raw */
    struct attest_line line[ATTEST_LINKS];
    enum attest_tcb tcb;
    struct bytes advisory[ATTEST_ADVISORY_MAX]; /* "INTEL-SA-00615", each once */
    size_t n_advisory;
    int64_t valid_from, valid_until; /* window of all dates that were met; INT64_MIN/MAX: none */
    struct attest_claim claim[ATTEST_CLAIMS_MAX];
    size_t n_claim;
};

/* A piece of collateral or a companion of the evidence (signature file, event log), as bytes with
 * the name under which it came. What it is, is found out from its bytes. */
struct attest_item {
    const char *name;
    struct bytes data;
};

enum attest_anchor_type {
    ATTEST_ANCHOR_ADDRESS, /* 20 bytes: a secp256k1 key's address (simulated) */
    ATTEST_ANCHOR_CERT,    /* DER certificate: its key and name are trusted */
    ATTEST_ANCHOR_KEY,     /* DER SubjectPublicKeyInfo, or the raw key of kinds that have no SPKI */
};

/* What the caller trusts beyond the vendors' roots that are built in. */
struct attest_anchor {
    const char *kind; /* back end for which it counts: "simulated", "tpm"; "*": all */
    enum attest_anchor_type type;
    struct bytes data;
    const char *name; /* for messages; may be NULL */
};

/* What the caller requires. attest_policy_parse() fills one; its text is in the caller's arena. */
struct attest_set {
    struct bytes v[ATTEST_SET_MAX];
    size_t n; /* 0: no requirement */
};

enum attest_op { ATTEST_IS, ATTEST_MIN, ATTEST_MAX };

struct attest_rule {
    const char *claim; /* name */
    enum attest_op op;
    struct bytes text; /* IS: hex for BYTES claims, the text for TEXT claims */
    uint64_t u64;      /* IS on numbers and booleans, MIN, MAX */
    bool is_text;
    bool alternative; /* another way to satisfy the rule before it */
};

struct attest_policy {
    struct attest_set kinds;                            /* empty: every kind but "simulated" */
    struct attest_set measurements, signers, platforms; /* bytes */
    struct attest_set products;                         /* text or decimal */
    bool has_min_svn;
    uint64_t min_svn;
    bool allow_debug;
    uint32_t tcb_accept;          /* bit per enum attest_tcb; TCB_NONE's bit is always set */
    struct attest_set advisories; /* accepted ones; empty: an advisory alone does not refuse */
    uint64_t min_tcb_evaluation;  /* floor of tcbEvaluationDataNumber; 0: none */
    uint64_t max_age_s;           /* of dated collateral; 0: its own dates decide */
    uint64_t grace_s;             /* collateral may be expired by so much; default 0 */
    bool revocation_optional;     /* a missing revocation list does not refuse */
    bool has_report_data, has_nonce;
    struct bytes report_data, nonce;
    struct attest_rule rule[ATTEST_RULES_MAX];
    size_t n_rule;
};

/* Refuses debug, simulated, expired, revoked, out of date; requires nothing else. */
void attest_policy_default(struct attest_policy *p);

/* A policy document (docs/attestation.md lists its keys). MALFORMED with "tcb.accept[1]: …": the
 * path in the document and what is wrong; unknown and repeated keys are errors. */
rc attest_policy_parse(struct attest_policy *p, struct arena *a, struct bytes json, struct err *e);

/* Collateral that was read and checked before, for callers that judge much evidence: signatures of
 * authorities over certificates, revocation lists and TCB documents are not checked again. It says
 * nothing about trust or time: anchors, windows and revocation are judged in every verification. */
struct attest_held;

struct attest_input {
    struct bytes evidence;
    const struct attest_item *item; /* collateral and companions */
    size_t n_item;
    const struct attest_anchor *anchor;
    size_t n_anchor;
    bool no_builtin_roots;              /* trust only the anchors given */
    const struct attest_policy *policy; /* NULL: the default */
    int64_t now;                        /* Unix seconds: the time at which it must hold */
    const char *kind;                   /* NULL: found out; else this back end alone */
    /* What the evidence must bind, beside what the policy says. p NULL: not asked. Shorter report
     * data must be followed by zeroes in the evidence; a nonce must be equal. */
    struct bytes report_data, nonce;
    const struct attest_held *held; /* NULL: none; may be used by several threads at once */
};

/* Reads in->item with the anchors of `in` into *out, which lives in `keep` (ATTEST_SCRATCH is
 * enough) and keeps no pointer to the items. LIMIT when it does not fit. */
rc attest_hold(struct attest_held **out, const struct attest_input *in, struct arena *keep);

/* Judges. Always fills *v; v->accepted says the result, and it is also what is returned. When the
 * arena is too small the format link says so and the evidence is refused. */
bool attest_verify(struct verdict *v, const struct attest_input *in, struct arena *scratch);

/* Decodes without judging: claims (unverified) and the format link. False: not readable. */
bool attest_show(struct verdict *v, const struct attest_input *in, struct arena *scratch);

/* What the bytes are: kind, title, envelope; false when nothing recognises them. */
bool attest_identify(struct verdict *v, struct bytes evidence, struct arena *scratch);

/* The claim, or NULL. */
const struct attest_claim *attest_claim_find(const struct verdict *v, const char *name);

/* The line to show first: the first failed one in the order of enum attest_link, then the first
 * missing one; ATTEST_LINKS when the evidence is accepted. */
enum attest_link attest_first_broken(const struct verdict *v);

/* One sentence: "accepted: …" or "refused: <link>: <reason>". */
void attest_put_summary(struct buf *b, const struct verdict *v);

/* The whole verdict for a person, a tree of links with the first broken one on top, and as one
 * JSON object. */
void attest_put_text(struct buf *b, const struct verdict *v);
void attest_put_json(struct buf *b, const struct verdict *v);

/* The back ends that are built in, for lists and help; NULL past the end. */
const char *attest_kind_at(size_t i, const char **title);

/* Simulated evidence: everything real evidence has but the hardware. For development: the key that
 * signs it lies in a file, so it proves nothing to a stranger. */
struct attest_simulated {
    struct hash measurement;
    uint8_t report_data[64];
    uint8_t platform[16];
    uint32_t svn;
    bool debug;
};

struct secret;

/* Appends the evidence, signed with key. */
rc attest_simulated_make(struct buf *out, const struct attest_simulated *s,
                         const struct secret *key);

#endif /* SOUK_ATTEST_ATTEST_H */
