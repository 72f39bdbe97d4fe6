/* SPDX-License-Identifier: Apache-2.0 */
/* keystone.c - attestation reports of Keystone enclaves (RISC-V): the device's key signs the security
 * monitor's, which signs the enclave's report. SPEC attestation 7 */
#include "attest/keystone.h"

#include "base/cur.h"
#include "crypto/ed25519.h"

enum { DATA_MAX = 1024, REPORT_SIZE = 1352, DATA_LEN_AT = 64, HEAD_SIZE = 72, SM_SIGNED = 96 };

/* The public half of the key that Keystone's sources publish for emulators. Its other half is public
 * as well, so it says nothing about hardware. */
static const uint8_t test_key[32] = {
    0x0f, 0xaa, 0xd4, 0xff, 0x01, 0x17, 0x85, 0x83, 0xba, 0xa5, 0x88, 0x96, 0x6f, 0x7c, 0x1f, 0xf3,
    0x25, 0x64, 0xdd, 0x17, 0xd7, 0xdc, 0x2b, 0x46, 0xcb, 0x50, 0xa8, 0x4a, 0x69, 0x27, 0x0b, 0x4c};

struct report {
    struct bytes enclave_hash, data, enclave_sig;
    struct bytes sm_hash, sm_key, sm_sig, device_key;
    struct bytes enclave_signed, sm_signed;
    bool is_test_key;
};

static uint64_t data_len(struct bytes b)
{
    struct cur c = cur_of((struct bytes){b.p + DATA_LEN_AT, 8});
    return take_le(&c, 8);
}

/* There is no magic: the size, and a length whose upper half is zero where others have text or
 * hashes. Lengths that are too large are left to decode(), which says so. */
static bool identify(struct bytes b)
{
    return b.n == REPORT_SIZE && data_len(b) >> 32 == 0;
}

static void claims(struct attest_ctx *c, const struct report *r)
{
    claim_bytes(c, "measurement", r->enclave_hash);
    claim_bytes(c, "report_data", r->data);
    claim_bytes(c, "nonce", r->data);
    claim_bytes(c, "platform", r->device_key);
    claim_bytes(c, "keystone.sm_hash", r->sm_hash);
    claim_bytes(c, "keystone.sm_pubkey", r->sm_key);
    claim_bytes(c, "keystone.device_pubkey", r->device_key);
    claim_bool(c, "keystone.test_key", r->is_test_key);
}

static bool decode(struct attest_ctx *c)
{
    struct report *r = ARENA_NEW(c->a, struct report);
    struct cur all = cur_of(c->evidence);
    uint64_t n = data_len(c->evidence);
    if (r == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    if (n > DATA_MAX) {
        return attest_fail(c, ATTEST_FORMAT, .code = "data-length", .at = DATA_LEN_AT + 1,
                           .reason = attest_textf(c,
                                                  "%llu bytes of data are more than the 1024 that "
                                                  "a report has room for",
                                                  (unsigned long long)n));
    }
    r->enclave_hash = take_bytes(&all, 64);
    (void)take_le(&all, 8);
    r->data = (struct bytes){take_bytes(&all, DATA_MAX).p, (size_t)n};
    r->enclave_sig = take_bytes(&all, 64);
    r->sm_signed = (struct bytes){all.p, SM_SIGNED};
    r->sm_hash = take_bytes(&all, 64);
    r->sm_key = take_bytes(&all, 32);
    r->sm_sig = take_bytes(&all, 64);
    r->device_key = take_bytes(&all, 32);
    if (!rc_ok(cur_end(&all))) {
        return attest_fail(c, ATTEST_FORMAT, .code = "malformed",
                           .reason = "the report is not of 1352 bytes");
    }
    r->enclave_signed = (struct bytes){c->evidence.p, HEAD_SIZE + (size_t)n};
    r->is_test_key = bytes_eq(r->device_key, BYTES_OF(test_key));
    c->parsed = r;
    claims(c, r);
    return true;
}

static void judge_signatures(struct attest_ctx *c, const struct report *r)
{
    size_t sm_at = (size_t)(r->sm_sig.p - c->evidence.p) + 1;
    size_t enclave_at = (size_t)(r->enclave_sig.p - c->evidence.p) + 1;
    if (!rc_ok(ed25519_sha3_verify(r->device_key, r->sm_signed, r->sm_sig))) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "monitor-signature", .at = sm_at,
                          .reason =
                              "the security monitor is not signed by the device's key, or was "
                              "changed");
    } else if (!rc_ok(ed25519_sha3_verify(r->sm_key, r->enclave_signed, r->enclave_sig))) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "enclave-signature", .at = enclave_at,
                          .reason =
                              "the enclave's report is not signed by the security monitor's "
                              "key, or was changed");
    } else {
        attest_pass(c, ATTEST_SIGNATURE,
                    "the device's key signs the monitor's, and that one the enclave's report");
    }
}

/* The key in the report is a hint alone: it counts when it is an anchor. The published test key counts
 * only when an anchor of this very kind names it. */
static bool is_anchor(struct attest_ctx *c, const struct report *r, size_t *asked)
{
    size_t i = 0;
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        bool usable = a->type == ATTEST_ANCHOR_KEY && a->data.n == 32 &&
                      (!r->is_test_key || strcmp(a->kind, "keystone") == 0);
        *asked += usable ? 1 : 0;
        if (usable && bytes_eq(a->data, r->device_key)) {
            return true;
        }
    }
    return false;
}

static void verify(struct attest_ctx *c)
{
    const struct report *r = c->parsed;
    size_t asked = 0;
    judge_signatures(c, r);
    if (is_anchor(c, r, &asked)) {
        attest_pass(c, ATTEST_CHAIN,
                    r->is_test_key ? "PUBLIC TEST KEY: an anchor, but anybody can sign with it"
                                   : "the device's key is a trust anchor");
    } else if (asked == 0) {
        (void)attest_missing(c, ATTEST_CHAIN, .code = "no-key",
                             .reason =
                                 "no device key is trusted: the one in the report is its own "
                                 "claim",
                             .fix = "give the device's key (32 bytes): --anchor keystone:FILE");
    } else {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "untrusted-key", .subject = "device key",
                          .reason = "the device's key is none of the trust anchors",
                          .fix = "give the key of this device, if it is one of yours");
    }
    attest_na(c, ATTEST_REVOCATION, "device keys are given by hand: there is no list");
    attest_na(c, ATTEST_FRESHNESS, "a report has no dates: its data says that it is fresh");
    attest_na(c, ATTEST_TCB, "Keystone states no platform version: name the monitor's hash");
}

const struct attest_backend attest_backend_keystone = {
    .name = "keystone",
    .title = "Keystone report",
    .identify = identify,
    .decode = decode,
    .verify = verify,
};
