/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - who may: the challenges that are signed, and who signed. */
#include "crypto/keccak.h"
#include "crypto/secp.h"
#include "daemon/sms/sms_int.h"
#include "encoding/hex.h"

/* SPEC sdk-surface 5: keccak256("IEXEC_SMS_DOMAIN") */
static const uint8_t domain[32] = {
    0x0a, 0x26, 0x92, 0x3d, 0x45, 0xa0, 0x19, 0xb7, 0x7e, 0x85, 0x6d, 0x00, 0x01, 0x68, 0x1f, 0x98,
    0xab, 0x97, 0x07, 0xec, 0x15, 0xb2, 0xb9, 0x80, 0x48, 0xcc, 0x91, 0xee, 0xd0, 0x0b, 0x67, 0x93,
};

struct hash auth_web3(struct address contract, struct bytes value)
{
    struct keccak k;
    struct hash v = keccak256(value);
    keccak_init(&k);
    keccak_add(&k, (struct bytes){domain, sizeof(domain)});
    keccak_add(&k, BYTES_OF(contract));
    keccak_add(&k, BYTES_OF(v));
    return keccak_done(&k);
}

struct hash auth_named(struct address owner, const char *name, struct bytes value)
{
    struct keccak k;
    struct hash n = keccak256(bytes_str(name)), v = keccak256(value);
    keccak_init(&k);
    keccak_add(&k, (struct bytes){domain, sizeof(domain)});
    keccak_add(&k, BYTES_OF(owner));
    keccak_add(&k, BYTES_OF(n));
    keccak_add(&k, BYTES_OF(v));
    return keccak_done(&k);
}

struct hash auth_worker(struct address worker, struct hash task, struct address challenge)
{
    struct keccak k;
    keccak_init(&k);
    keccak_add(&k, BYTES_OF(worker));
    keccak_add(&k, BYTES_OF(task));
    keccak_add(&k, BYTES_OF(challenge));
    return keccak_done(&k);
}

rc auth_signer(struct address *out, const char *header, struct hash challenge)
{
    uint8_t sig[65];
    if (header == NULL || !rc_ok(hex_decode_exact(sig, sizeof(sig), bytes_str(header)))) {
        return RC(MALFORMED);
    }
    return secp_recover65(out, eip191_hash(challenge), (struct bytes){sig, sizeof(sig)});
}

/* RFC 3629: shortest forms only, no surrogates, no NUL (the values become C strings in the
 * application's environment). */
bool utf8_is_valid(struct bytes b)
{
    for (size_t i = 0; i < b.n;) {
        uint8_t c = b.p[i];
        size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
        uint32_t cp = n == 1 ? c : n == 2 ? c & 0x1fU : n == 3 ? c & 0x0fU : c & 0x07U;
        static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > b.n - i) {
            return false;
        }
        for (size_t k = 1; k < n; k++) {
            if ((b.p[i + k] & 0xc0) != 0x80) {
                return false;
            }
            cp = cp << 6 | (b.p[i + k] & 0x3fU);
        }
        if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) {
            return false;
        }
        i += n;
    }
    return true;
}
