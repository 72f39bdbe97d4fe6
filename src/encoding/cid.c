/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/cid.h"

#include "encoding/varint.h"

static const char b58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char b36[] = "0123456789abcdefghijklmnopqrstuvwxyz";
static const char b32[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char b16[] = "0123456789abcdef";

struct cid cid_make(unsigned version, uint64_t codec, const struct hash *sha256)
{
    struct cid c = {
        .codec = version == 0 ? CID_DAG_PB : codec,
        .mh_code = MH_SHA2_256,
        .version = version == 0 ? 0 : 1,
        .mh_size = sizeof(sha256->b),
    };
    memcpy(c.mh, sha256->b, sizeof(sha256->b));
    return c;
}

bool cid_sha256(struct hash *out, const struct cid *c)
{
    if (c->mh_code != MH_SHA2_256 || c->mh_size != sizeof(out->b)) {
        return false;
    }
    memcpy(out->b, c->mh, sizeof(out->b));
    return true;
}

bool cid_same_block(const struct cid *a, const struct cid *b)
{
    return a->mh_code == b->mh_code && a->mh_size == b->mh_size &&
           memcmp(a->mh, b->mh, a->mh_size) == 0;
}

bool cid_eq(const struct cid *a, const struct cid *b)
{
    return a->version == b->version && a->codec == b->codec && cid_same_block(a, b);
}

struct cid cid_as_v1(struct cid c)
{
    c.version = 1;
    return c;
}

static void take_multihash(struct cur *c, struct cid *out)
{
    out->mh_code = take_varint(c);
    uint64_t n = take_varint(c);
    if (n > CID_MH_MAX) {
        cur_fail(c, "digest of a CID is too long");
        return;
    }
    if (out->mh_code == MH_SHA2_256 && n != sizeof(struct hash)) {
        cur_fail(c, "sha2-256 digest is not 32 bytes");
        return;
    }
    struct bytes d = take_bytes(c, (size_t)n);
    if (c->bad == NULL) {
        out->mh_size = (uint8_t)n;
        if (n > 0) {
            memcpy(out->mh, d.p, (size_t)n);
        }
    }
}

struct cid cid_take(struct cur *c)
{
    struct cid out = {0};
    if (c->n >= 2 && c->p[0] == MH_SHA2_256 && c->p[1] == sizeof(struct hash)) {
        out.codec = CID_DAG_PB;
    } else {
        if (take_varint(c) != 1) {
            cur_fail(c, "CID version is neither 0 nor 1");
        }
        out.version = 1;
        out.codec = take_varint(c);
    }
    take_multihash(c, &out);
    return c->bad == NULL ? out : (struct cid){0};
}

void put_cid(struct buf *b, const struct cid *c)
{
    if (c->version == 1) {
        put_varint(b, 1);
        put_varint(b, c->codec);
    }
    put_varint(b, c->mh_code);
    put_varint(b, c->mh_size);
    put_mem(b, c->mh, c->mh_size);
}

static int digit_of(const char *alphabet, uint8_t ch)
{
    const char *at = ch == 0 ? NULL : strchr(alphabet, ch);
    return at == NULL ? -1 : (int)(at - alphabet);
}

/* Text in a base that is no power of two: one big number, leading zero digits are zero bytes.
 * Returns the bytes written to out[CID_BIN_MAX], 0 when the text is bad or too long. */
static size_t radix_decode(uint8_t *out, const char *alphabet, struct bytes text)
{
    unsigned base = (unsigned)strlen(alphabet);
    uint8_t num[CID_BIN_MAX] = {0}; /* big-endian, right-aligned */
    size_t zeros = 0;
    size_t used = 0;
    while (zeros < text.n && text.p[zeros] == (uint8_t)alphabet[0]) {
        zeros++;
    }
    for (size_t i = zeros; i < text.n; i++) {
        int d = digit_of(alphabet, text.p[i]);
        if (d < 0) {
            return 0;
        }
        unsigned carry = (unsigned)d;
        size_t k = 0;
        for (; k < used || carry != 0; k++) {
            if (k == CID_BIN_MAX) {
                return 0;
            }
            uint8_t *at = &num[CID_BIN_MAX - 1 - k];
            carry += (unsigned)*at * base;
            *at = (uint8_t)carry;
            carry >>= 8;
        }
        used = k;
    }
    if (zeros + used > CID_BIN_MAX) {
        return 0;
    }
    memset(out, 0, zeros);
    memcpy(out + zeros, num + CID_BIN_MAX - used, used);
    return zeros + used;
}

/* Text in a base of 2^bits, without padding; the bits left over must be zero. */
static size_t bits_decode(uint8_t *out, const char *alphabet, unsigned bits, struct bytes text)
{
    unsigned acc = 0;
    unsigned have = 0;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit_of(alphabet, text.p[i]);
        if (d < 0 || n == CID_BIN_MAX) {
            return 0;
        }
        acc = acc << bits | (unsigned)d;
        have += bits;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t)(acc >> have);
            acc &= (1U << have) - 1;
        }
    }
    return acc != 0 || have >= bits ? 0 : n;
}

rc cid_parse(struct cid *out, struct bytes text)
{
    *out = (struct cid){0};
    if (text.n < 2 || text.n > CID_TEXT_MAX) {
        return RC(MALFORMED);
    }
    uint8_t bin[CID_BIN_MAX];
    size_t n = 0;
    bool v0 = text.n == 46 && text.p[0] == 'Q' && text.p[1] == 'm';
    struct bytes rest = {text.p + 1, text.n - 1};
    if (v0) {
        n = radix_decode(bin, b58, text);
    } else if (text.p[0] == 'b') {
        n = bits_decode(bin, b32, 5, rest);
    } else if (text.p[0] == 'f') {
        n = bits_decode(bin, b16, 4, rest);
    } else if (text.p[0] == 'z') {
        n = radix_decode(bin, b58, rest);
    } else if (text.p[0] == 'k') {
        n = radix_decode(bin, b36, rest);
    }
    struct cur c = cur_of((struct bytes){bin, n});
    struct cid got = cid_take(&c);
    TRY(cur_end(&c));
    if (v0 != (got.version == 0)) {
        return RC(MALFORMED); /* version 0 has no multibase prefix, version 1 must have one */
    }
    *out = got;
    return RC_OK;
}

static void b58_encode(char *out, const uint8_t *p, size_t n)
{
    uint8_t digits[CID_STR_MAX] = {0};
    size_t used = 0;
    size_t zeros = 0;
    while (zeros < n && p[zeros] == 0) {
        *out++ = b58[0];
        zeros++;
    }
    for (size_t i = zeros; i < n; i++) {
        unsigned carry = p[i];
        size_t k = 0;
        for (; k < used || carry != 0; k++) {
            carry += (unsigned)digits[k] << 8;
            digits[k] = (uint8_t)(carry % 58);
            carry /= 58;
        }
        used = k;
    }
    while (used > 0) {
        *out++ = b58[digits[--used]];
    }
    *out = '\0';
}

static void b32_encode(char *out, const uint8_t *p, size_t n)
{
    unsigned acc = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        acc = acc << 8 | p[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            *out++ = b32[acc >> have & 31];
        }
        acc &= (1U << have) - 1;
    }
    if (have > 0) {
        *out++ = b32[acc << (5 - have) & 31];
    }
    *out = '\0';
}

char *cid_str(const struct cid *c, char out[CID_STR_MAX])
{
    BUF_FREE b = buf_new(CID_BIN_MAX);
    put_cid(&b, c);
    if (c->version == 0) {
        b58_encode(out, b.p, b.n);
    } else {
        out[0] = 'b';
        b32_encode(out + 1, b.p, b.n);
    }
    return out;
}
