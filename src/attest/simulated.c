/* SPDX-License-Identifier: Apache-2.0 */
/* simulated.c - evidence without hardware. Its own magic, its own key; 220 bytes, big-endian:
 *   0 magic "SOUKSIM" and a NUL   8 version u16 = 1   10 flags u16 (bit 0 debug)   12 svn u32
 *   16 measurement 32             48 report data 64   112 platform 16   128 reserved 27, zero
 *   155 signature 65: r, s, v over keccak256("souk simulated evidence v1" and bytes 0..154)
 * The signer's address must be a trust anchor of kind "simulated". */
#include "attest/attest_int.h"
#include "base/cur.h"
#include "crypto/keccak.h"
#include "crypto/secp.h"

enum { BODY = 155, TOTAL = BODY + 65, RESERVED = 27, FLAG_DEBUG = 1 };

#define DOMAIN BYTES_LIT("souk simulated evidence v1")

static const uint8_t magic[8] = "SOUKSIM";

struct parsed {
    struct bytes body, sig;
    struct address signer;
};

static bool identify(struct bytes b)
{
    return b.n >= sizeof(magic) && memcmp(b.p, magic, sizeof(magic)) == 0;
}

static bool decode(struct attest_ctx *c)
{
    struct cur r = cur_of(c->evidence);
    (void)take_bytes(&r, sizeof(magic));
    uint64_t version = take_be(&r, 2), flags = take_be(&r, 2), svn = take_be(&r, 4);
    struct bytes measurement = take_bytes(&r, 32), data = take_bytes(&r, 64);
    struct bytes platform = take_bytes(&r, 16), reserved = take_bytes(&r, RESERVED);
    struct parsed *p = ARENA_NEW(c->a, struct parsed);
    if (p == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    p->sig = take_bytes(&r, 65);
    if (!rc_ok(cur_end(&r))) {
        return attest_fail(c, ATTEST_FORMAT, .code = "length",
                           .reason =
                               attest_textf(c, "%zu bytes; version 1 has %d", c->evidence.n, TOTAL),
                           .at = MIN(c->evidence.n, (size_t)TOTAL) + 1);
    }
    if (version != 1) {
        return attest_fail(c, ATTEST_FORMAT, .code = "version", .at = 9,
                           .reason = attest_textf(c, "version %u is not known", (unsigned)version));
    }
    if ((flags & ~(uint64_t)FLAG_DEBUG) != 0) {
        return attest_fail(c, ATTEST_FORMAT, .code = "flags", .at = 11,
                           .reason = "unknown flag bits are set");
    }
    for (size_t i = 0; i < reserved.n; i++) {
        if (reserved.p[i] != 0) {
            return attest_fail(c, ATTEST_FORMAT, .code = "reserved", .at = 129 + i,
                               .reason = "a reserved byte is not zero");
        }
    }
    p->body = (struct bytes){c->evidence.p, BODY};
    c->parsed = p;
    claim_bytes(c, "measurement", measurement);
    claim_bytes(c, "report_data", data);
    claim_u64(c, "svn", svn);
    claim_bool(c, "debug", (flags & FLAG_DEBUG) != 0);
    claim_bytes(c, "platform", platform);
    if (rc_ok(secp_recover65(&p->signer, keccak256_2(DOMAIN, p->body), p->sig))) {
        claim_bytes(c, "signer", BYTES_OF(p->signer));
    }
    return true;
}

static void verify(struct attest_ctx *c)
{
    const struct parsed *p = c->parsed;
    if (address_is_zero(p->signer)) {
        (void)attest_fail(c, ATTEST_SIGNATURE, .code = "signature-wrong", .at = BODY + 1,
                          .reason = "no key fits the signature");
        (void)attest_fail(c, ATTEST_CHAIN, .code = "no-key", .reason = "no key to trust");
        return;
    }
    size_t i = 0, asked = 0;
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        if (a->type == ATTEST_ANCHOR_ADDRESS && bytes_eq(a->data, BYTES_OF(p->signer))) {
            attest_pass(c, ATTEST_SIGNATURE, "SIMULATED: signed by a development key");
            attest_pass(c, ATTEST_CHAIN, "SIMULATED: the development key is a trust anchor");
            attest_na(c, ATTEST_REVOCATION, "simulated keys are not revoked but replaced");
            attest_na(c, ATTEST_FRESHNESS, "simulated evidence needs no collateral");
            attest_na(c, ATTEST_TCB, "SIMULATED: there is no hardware with a state");
            return;
        }
        asked++;
    }
    /* A key recovered from a changed message is a random one, so a wrong signature and an unknown
     * key look alike: the evidence is not signed by anyone that is trusted. */
    (void)attest_fail(
        c, ATTEST_SIGNATURE, .code = "signature-wrong", .at = BODY + 1,
        .reason = asked == 0
                      ? "no development key is trusted"
                      : attest_textf(c,
                                     "signed by 0x%s, which is no trusted development key, or "
                                     "changed after it was signed",
                                     attest_hex(c, BYTES_OF(p->signer))),
        .fix = "name the development key's address as an anchor if it is yours");
    (void)attest_fail(c, ATTEST_CHAIN, .code = "untrusted-key", .reason = "the key is no anchor");
}

const struct attest_backend attest_backend_simulated = {
    .name = "simulated",
    .title = "SIMULATED: no hardware",
    .simulated = true,
    .identify = identify,
    .decode = decode,
    .verify = verify,
};

rc attest_simulated_make(struct buf *out, const struct attest_simulated *s,
                         const struct secret *key)
{
    BUF_FREE body = buf_new(TOTAL);
    put_mem(&body, magic, sizeof(magic));
    put_be(&body, 1, 2);
    put_be(&body, s->debug ? FLAG_DEBUG : 0, 2);
    put_be(&body, s->svn, 4);
    put_mem(&body, s->measurement.b, sizeof(s->measurement.b));
    put_mem(&body, s->report_data, sizeof(s->report_data));
    put_mem(&body, s->platform, sizeof(s->platform));
    put_zero(&body, RESERVED);
    uint8_t sig[65];
    TRY(secp_sign65(sig, key, keccak256_2(DOMAIN, buf_bytes(&body))));
    put_mem(&body, sig, sizeof(sig));
    TRY(buf_end(&body));
    put_bytes(out, buf_bytes(&body));
    return buf_end(out);
}
