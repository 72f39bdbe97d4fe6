/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CRYPTO_X509_H
#define SOUK_CRYPTO_X509_H

/* x509.h - certificates and revocation lists (RFC 5280), read by our own bounded DER walk.
 *
 * A struct x509 is a set of views into the certificate's bytes, which must outlive it. Reading says
 * nothing about trust: x509_signed_by(), the validity window, the CA flag and path length, key usage
 * and revocation are separate questions, so that a verdict can name the one that failed. */

#include "base/cur.h"
#include "crypto/pubkey.h"

enum x509_sigalg {
    X509_SIG_OTHER,
    X509_ECDSA_SHA256,
    X509_ECDSA_SHA384,
    X509_ECDSA_SHA512,
    X509_RSA_SHA256,
    X509_RSA_SHA384,
    X509_RSA_SHA512,
    X509_RSA_SHA1,
    X509_PSS_SHA256, /* MGF1 with the same hash, salt as long as the hash */
    X509_PSS_SHA384,
    X509_PSS_SHA512,
    X509_SIG_ED25519,
};

enum { X509_EXT_MAX = 32 }; /* extensions of one certificate; vendor leaves carry about 12 */

struct x509_ext {
    struct bytes oid, value; /* value: contents of the OCTET STRING */
    bool critical;
};

struct x509 {
    struct bytes der, tbs, sig;
    struct bytes serial;          /* magnitude, no leading zeros */
    struct bytes issuer, subject; /* whole Name elements: compare byte by byte */
    struct bytes spki;            /* whole SubjectPublicKeyInfo */
    struct pubkey key;            /* kind PK_NONE when the algorithm is not one of ours */
    enum x509_sigalg sigalg;
    int64_t not_before, not_after; /* Unix seconds, inclusive */
    bool is_ca, has_basic, has_usage;
    int path_len;          /* -1: none stated */
    uint16_t usage;        /* bit i = KeyUsage bit i */
    bool unknown_critical; /* a critical extension that is not read here */
    struct x509_ext ext[X509_EXT_MAX];
    size_t n_ext;
};

enum { X509_USAGE_SIGN = 1 << 0, X509_USAGE_CERT_SIGN = 1 << 5, X509_USAGE_CRL_SIGN = 1 << 6 };

/* MALFORMED with a static reason in *why. Trailing bytes are refused. */
rc x509_parse(struct x509 *x, struct bytes der, const char **why);

/* A SubjectPublicKeyInfo on its own. */
rc x509_parse_spki(struct pubkey *k, struct bytes spki, const char **why);

/* The extension's contents, or NULL. oid: encoded contents, see OID() in the callers. */
const struct x509_ext *x509_ext_find(const struct x509 *x, struct bytes oid);

/* The first value of an attribute of a Name, such as common name "\x55\x04\x03"; empty if absent. */
struct bytes x509_name_attr(struct bytes name, struct bytes oid);

/* Is x's signature made by `issuer`'s key? Checks the mathematics alone. */
rc x509_signed_by(const struct x509 *x, const struct pubkey *issuer);

/* Is `ca` fit to have issued x: names link, CA flag, key usage, path length (`below`: number of CA
 * certificates between ca and the leaf)? Returns NULL, or what is wrong as a static sentence. */
const char *x509_issuer_fault(const struct x509 *x, const struct x509 *ca, int below);

struct x509_crl {
    struct bytes tbs, sig, issuer;
    enum x509_sigalg sigalg;
    int64_t this_update, next_update; /* next_update INT64_MAX when absent */
    struct bytes revoked;             /* the list, walked by x509_crl_has() */
};

rc x509_crl_parse(struct x509_crl *crl, struct bytes der, const char **why);
rc x509_crl_signed_by(const struct x509_crl *crl, const struct pubkey *issuer);
bool x509_crl_has(const struct x509_crl *crl, struct bytes serial);

#endif /* SOUK_CRYPTO_X509_H */
