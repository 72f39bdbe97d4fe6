/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ATTEST_EVENTLOG_INT_H
#define SOUK_ATTEST_EVENTLOG_INT_H

/* eventlog_int.h - measured-boot event logs: the TCG log of a TPM (crypto-agile, and the older form
 * with SHA-1 alone) and the CC log of a trust domain, whose registers 1..4 are RTMR0..3. Replaying
 * a log gives the registers' values; only evidence that states the same values makes it true. The
 * data of an event is the attacker's unless its digest is the hash of the data. Sources: TCG PC
 * Client Platform Firmware Profile, UEFI CC measurement protocol. SPEC attestation 4 */

#include "attest/tpm_int.h"

enum { EVLOG_BANKS = 4 };

struct evlog_bank {
    uint16_t alg;
    uint32_t touched; /* bit i: register i was extended */
    uint8_t pcr[TPM_PCRS][TPM_DIGEST_MAX];
};

struct evlog {
    bool legacy, cc;
    struct evlog_bank bank[EVLOG_BANKS];
    size_t n_bank;
    size_t n_event, n_hashed; /* all, and those whose data is proved by their digest */
    size_t forged_at;         /* offset + 1 of an event whose data must be hashed and is not */
    int secure_boot;          /* -1: not stated */
    struct bytes cmdline;     /* the kernel's, when its digest proves it */
    struct bytes crtm;        /* firmware version */
};

bool evlog_is(struct bytes b);

/* False with a static reason and the offset. */
bool evlog_replay(struct evlog *l, struct bytes b, const char **why, size_t *at);

/* The log among companions and collateral, replayed; NULL when there is none. A log that cannot be
 * read, or whose data is forged, breaks the binding. */
const struct evlog *evlog_find(struct attest_ctx *c, bool cc);

const struct evlog_bank *evlog_bank_of(const struct evlog *l, uint16_t alg);

/* Claims of what a log says that was bound to registers. */
void evlog_claims(struct attest_ctx *c, const struct evlog *l);

/* A CC log beside a TDX quote must replay to the quote's RTMRs. Nothing when there is none. */
void evlog_bind_rtmrs(struct attest_ctx *c, const struct bytes rtmr[4]);

extern const struct attest_backend attest_backend_eventlog;

#endif /* SOUK_ATTEST_EVENTLOG_INT_H */
