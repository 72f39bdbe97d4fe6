/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include "encoding/der.h"

#define OID(lit) BYTES_LIT(lit)

/* clang-format off */
#define OID_EC_KEY   OID("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_RSA      OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_PSS      OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")
#define OID_MGF1     OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08")
#define OID_ED25519  OID("\x2b\x65\x70")
#define OID_BASIC    OID("\x55\x1d\x13")
#define OID_USAGE    OID("\x55\x1d\x0f")

static const struct {
    struct bytes oid;
    enum pk_kind kind;
} curves[] = {
    {BYTES_INIT("\x2a\x86\x48\xce\x3d\x03\x01\x07"), PK_P256},
    {BYTES_INIT("\x2b\x81\x04\x00\x22"),             PK_P384},
    {BYTES_INIT("\x2b\x81\x04\x00\x23"),             PK_P521},
};

static const struct {
    struct bytes oid;
    enum x509_sigalg alg;
} sigalgs[] = {
    {BYTES_INIT("\x2a\x86\x48\xce\x3d\x04\x03\x02"),         X509_ECDSA_SHA256},
    {BYTES_INIT("\x2a\x86\x48\xce\x3d\x04\x03\x03"),         X509_ECDSA_SHA384},
    {BYTES_INIT("\x2a\x86\x48\xce\x3d\x04\x03\x04"),         X509_ECDSA_SHA512},
    {BYTES_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),     X509_RSA_SHA1},
    {BYTES_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"),     X509_RSA_SHA256},
    {BYTES_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"),     X509_RSA_SHA384},
    {BYTES_INIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"),     X509_RSA_SHA512},
    {BYTES_INIT("\x2b\x65\x70"), X509_SIG_ED25519},
};

static const struct {
    struct bytes oid;
    enum x509_sigalg alg;
    uint64_t salt;
} pss_hashes[] = {
    {BYTES_INIT("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), X509_PSS_SHA256, 32},
    {BYTES_INIT("\x60\x86\x48\x01\x65\x03\x04\x02\x02"), X509_PSS_SHA384, 48},
    {BYTES_INIT("\x60\x86\x48\x01\x65\x03\x04\x02\x03"), X509_PSS_SHA512, 64},
};
/* clang-format on */

/* Extensions whose meaning is known here or to the attestation formats; others must not be
 * critical. Subject and authority key identifiers, names and policies carry no rule for us. */
static const struct bytes understood[] = {
    BYTES_INIT("\x55\x1d\x0e"), BYTES_INIT("\x55\x1d\x0f"), BYTES_INIT("\x55\x1d\x11"),
    BYTES_INIT("\x55\x1d\x13"), BYTES_INIT("\x55\x1d\x1f"), BYTES_INIT("\x55\x1d\x20"),
    BYTES_INIT("\x55\x1d\x23"), BYTES_INIT("\x55\x1d\x25"),
};

static enum x509_sigalg pss_hash(struct bytes oid)
{
    for (size_t i = 0; i < ARRAY_LEN(pss_hashes); i++) {
        if (bytes_eq(oid, pss_hashes[i].oid)) {
            return pss_hashes[i].alg;
        }
    }
    return X509_SIG_OTHER;
}

/* RSASSA-PSS-params (RFC 4055 3.1): hash, MGF1 with the same hash, salt as long as the hash. Other
 * parameters are legal but no vendor uses them: they answer X509_SIG_OTHER. */
static enum x509_sigalg take_pss_params(struct cur *alg)
{
    struct cur p = der_take(alg, DER_SEQUENCE), f, seq;
    enum x509_sigalg hash = X509_SIG_OTHER, mgf = X509_SIG_OTHER;
    uint64_t salt = 20;
    if (der_take_opt(&p, DER_CONTEXT_EXPLICIT(0), &f)) {
        seq = der_take(&f, DER_SEQUENCE);
        hash = pss_hash(der_take_oid(&seq));
    }
    if (der_take_opt(&p, DER_CONTEXT_EXPLICIT(1), &f)) {
        seq = der_take(&f, DER_SEQUENCE);
        bool mgf1 = bytes_eq(der_take_oid(&seq), OID_MGF1);
        struct cur inner = der_take(&seq, DER_SEQUENCE);
        mgf = mgf1 ? pss_hash(der_take_oid(&inner)) : X509_SIG_OTHER;
    }
    if (der_take_opt(&p, DER_CONTEXT_EXPLICIT(2), &f)) {
        salt = der_take_u64(&f);
    }
    if (hash == X509_SIG_OTHER || hash != mgf || salt != pss_hashes[hash - X509_PSS_SHA256].salt) {
        return X509_SIG_OTHER;
    }
    return hash;
}

/* AlgorithmIdentifier; *whole so that the inner and outer ones can be compared. */
static enum x509_sigalg take_sigalg(struct cur *c, struct bytes *whole)
{
    uint8_t tag;
    struct cur alg = der_take_any(c, &tag, whole);
    if (c->bad == NULL && tag != DER_SEQUENCE) {
        cur_fail(c, "x509: algorithm is not a sequence");
    }
    struct bytes oid = der_take_oid(&alg);
    if (bytes_eq(oid, OID_PSS)) {
        return take_pss_params(&alg);
    }
    for (size_t i = 0; i < ARRAY_LEN(sigalgs); i++) {
        if (bytes_eq(oid, sigalgs[i].oid)) {
            return sigalgs[i].alg;
        }
    }
    return X509_SIG_OTHER;
}

static void read_ec_key(struct pubkey *k, struct cur *alg, struct bytes bits)
{
    struct bytes curve = der_take_oid(alg);
    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        size_t n = 2 * pk_coordinate(curves[i].kind);
        if (bytes_eq(curve, curves[i].oid) && bits.n == n + 1 && bits.p[0] == 4) {
            *k = (struct pubkey){.kind = curves[i].kind, .point = {bits.p + 1, n}};
        }
    }
}

static void read_rsa_key(struct pubkey *k, struct bytes bits)
{
    struct cur c = cur_of(bits);
    struct cur seq = der_take(&c, DER_SEQUENCE);
    struct bytes n = der_take_unsigned(&seq), e = der_take_unsigned(&seq);
    if (rc_ok(cur_end(&seq)) && rc_ok(cur_end(&c))) {
        *k = (struct pubkey){.kind = PK_RSA, .n = n, .e = e};
    }
}

static void take_spki(struct pubkey *k, struct cur *c, struct bytes *whole)
{
    uint8_t tag;
    struct cur seq = der_take_any(c, &tag, whole);
    if (c->bad == NULL && tag != DER_SEQUENCE) {
        cur_fail(c, "x509: key is not a sequence");
    }
    struct cur alg = der_take(&seq, DER_SEQUENCE);
    struct bytes oid = der_take_oid(&alg);
    struct bytes bits = der_take_bits(&seq);
    if (!rc_ok(cur_end(&seq))) {
        cur_fail(c, "x509: malformed public key");
        return;
    }
    *k = (struct pubkey){.kind = PK_NONE};
    if (bytes_eq(oid, OID_EC_KEY)) {
        read_ec_key(k, &alg, bits);
    } else if (bytes_eq(oid, OID_RSA)) {
        read_rsa_key(k, bits);
    } else if (bytes_eq(oid, OID_ED25519) && bits.n == 32) {
        *k = (struct pubkey){.kind = PK_ED25519, .point = bits};
    }
}

static void read_basic(struct x509 *x, struct bytes value, struct cur *fail)
{
    struct cur c = cur_of(value);
    struct cur seq = der_take(&c, DER_SEQUENCE);
    x->has_basic = true;
    if (der_peek(&seq) == DER_BOOLEAN) {
        x->is_ca = der_take_bool(&seq);
    }
    if (der_peek(&seq) == DER_INTEGER) {
        uint64_t n = der_take_u64(&seq);
        x->path_len = (int)MIN(n, 1000);
    }
    if (!rc_ok(cur_end(&seq)) || !rc_ok(cur_end(&c))) {
        cur_fail(fail, "x509: malformed basic constraints");
    }
}

static void read_usage(struct x509 *x, struct bytes value, struct cur *fail)
{
    struct cur c = cur_of(value);
    struct cur b = der_take(&c, DER_BIT_STRING);
    uint64_t unused = take_be(&b, 1);
    if (!rc_ok(cur_end(&c)) || b.bad != NULL || unused > 7 || b.n > 2) {
        cur_fail(fail, "x509: malformed key usage");
        return;
    }
    x->has_usage = true;
    for (size_t i = 0; i < 8 * b.n; i++) {
        if ((b.p[i / 8] >> (7 - i % 8) & 1) != 0) {
            x->usage |= (uint16_t)(1u << i);
        }
    }
}

static bool is_understood(struct bytes oid)
{
    for (size_t i = 0; i < ARRAY_LEN(understood); i++) {
        if (bytes_eq(oid, understood[i])) {
            return true;
        }
    }
    return false;
}

static void take_extensions(struct x509 *x, struct cur *c)
{
    struct cur list = der_take(c, DER_SEQUENCE);
    while (list.bad == NULL && list.n > 0) {
        struct cur seq = der_take(&list, DER_SEQUENCE);
        struct x509_ext e = {.oid = der_take_oid(&seq)};
        if (der_peek(&seq) == DER_BOOLEAN) {
            e.critical = der_take_bool(&seq);
        }
        e.value = der_take_octets(&seq);
        if (!rc_ok(cur_end(&seq)) || x->n_ext == X509_EXT_MAX || x509_ext_find(x, e.oid) != NULL) {
            cur_fail(&list, "x509: malformed, repeated or too many extensions");
            break;
        }
        x->ext[x->n_ext++] = e;
        x->unknown_critical |= e.critical && !is_understood(e.oid);
        if (bytes_eq(e.oid, OID_BASIC)) {
            read_basic(x, e.value, &list);
        } else if (bytes_eq(e.oid, OID_USAGE)) {
            read_usage(x, e.value, &list);
        }
    }
    if (list.bad != NULL) {
        cur_fail(c, list.bad);
    }
}

static struct bytes take_whole(struct cur *c, uint8_t want)
{
    uint8_t tag;
    struct bytes whole;
    (void)der_take_any(c, &tag, &whole);
    if (c->bad == NULL && tag != want) {
        cur_fail(c, "x509: unexpected tag");
    }
    return whole;
}

/* TBSCertificate, RFC 5280 4.1. Returns the inner algorithm for comparison with the outer. */
static struct bytes read_tbs(struct x509 *x, struct cur *t)
{
    struct cur f;
    struct bytes alg = {0};
    bool v1 = true;
    if (der_take_opt(t, DER_CONTEXT_EXPLICIT(0), &f)) {
        v1 = der_take_u64(&f) == 0;
    }
    x->serial = der_take_unsigned(t);
    (void)take_sigalg(t, &alg);
    x->issuer = take_whole(t, DER_SEQUENCE);
    struct cur validity = der_take(t, DER_SEQUENCE);
    x->not_before = der_take_time(&validity);
    x->not_after = der_take_time(&validity);
    if (!rc_ok(cur_end(&validity))) {
        cur_fail(t, validity.bad != NULL ? validity.bad : "x509: malformed validity");
    }
    x->subject = take_whole(t, DER_SEQUENCE);
    take_spki(&x->key, t, &x->spki);
    (void)der_take_opt(t, DER_CONTEXT(1), &f);
    (void)der_take_opt(t, DER_CONTEXT(2), &f);
    if (!v1 && der_take_opt(t, DER_CONTEXT_EXPLICIT(3), &f)) {
        take_extensions(x, &f);
        if (!rc_ok(cur_end(&f))) {
            cur_fail(t, f.bad != NULL ? f.bad : "x509: bytes behind the extensions");
        }
    }
    return alg;
}

rc x509_parse(struct x509 *x, struct bytes der, const char **why)
{
    *x = (struct x509){.der = der, .path_len = -1};
    struct cur c = cur_of(der);
    struct cur cert = der_take(&c, DER_SEQUENCE);
    if (c.bad == NULL && c.n != 0) {
        *why = "x509: bytes behind the certificate";
        return RC(MALFORMED);
    }
    uint8_t tag;
    struct cur tbs = der_take_any(&cert, &tag, &x->tbs);
    struct bytes inner = read_tbs(x, &tbs), outer = {0};
    x->sigalg = take_sigalg(&cert, &outer);
    x->sig = der_take_bits(&cert);
    *why = c.bad != NULL ? c.bad : tbs.bad != NULL ? tbs.bad : cert.bad;
    if (*why == NULL && (tbs.n != 0 || cert.n != 0 || !bytes_eq(inner, outer))) {
        *why = "x509: extra bytes or differing algorithms";
    }
    return *why == NULL ? RC_OK : RC(MALFORMED);
}

rc x509_parse_spki(struct pubkey *k, struct bytes spki, const char **why)
{
    struct bytes whole;
    struct cur c = cur_of(spki);
    take_spki(k, &c, &whole);
    *why = c.bad != NULL ? c.bad : c.n != 0 ? "x509: bytes behind the key" : NULL;
    return *why == NULL ? RC_OK : RC(MALFORMED);
}

const struct x509_ext *x509_ext_find(const struct x509 *x, struct bytes oid)
{
    for (size_t i = 0; i < x->n_ext; i++) {
        if (bytes_eq(x->ext[i].oid, oid)) {
            return &x->ext[i];
        }
    }
    return NULL;
}

struct bytes x509_name_attr(struct bytes name, struct bytes oid)
{
    struct cur c = cur_of(name);
    struct cur rdns = der_take(&c, DER_SEQUENCE);
    while (rdns.bad == NULL && rdns.n > 0) {
        struct cur set = der_take(&rdns, DER_SET);
        while (set.bad == NULL && set.n > 0) {
            struct cur pair = der_take(&set, DER_SEQUENCE);
            struct bytes type = der_take_oid(&pair);
            uint8_t tag;
            struct cur value = der_take_any(&pair, &tag, NULL);
            if (pair.bad == NULL && bytes_eq(type, oid)) {
                return (struct bytes){value.p, value.n};
            }
        }
    }
    return (struct bytes){0};
}

static rc verify(const struct pubkey *k, enum x509_sigalg alg, struct bytes tbs, struct bytes sig)
{
    static const enum pk_hash hashes[] = {
        [X509_ECDSA_SHA256] = PK_SHA256, [X509_ECDSA_SHA384] = PK_SHA384,
        [X509_ECDSA_SHA512] = PK_SHA512, [X509_RSA_SHA256] = PK_SHA256,
        [X509_RSA_SHA384] = PK_SHA384,   [X509_RSA_SHA512] = PK_SHA512,
        [X509_RSA_SHA1] = PK_SHA1,       [X509_PSS_SHA256] = PK_SHA256,
        [X509_PSS_SHA384] = PK_SHA384,   [X509_PSS_SHA512] = PK_SHA512,
    };
    if (alg == X509_SIG_OTHER || alg == X509_RSA_SHA1) {
        return RC(DENIED); /* unknown, or a hash that no longer binds */
    }
    if (alg == X509_SIG_ED25519) {
        return pk_verify_ed25519(k, tbs, sig);
    }
    uint8_t d[64];
    enum pk_hash hash = hashes[alg];
    pk_digest(d, hash, tbs);
    struct bytes digest = {d, pk_digest_size(hash)};
    if (alg <= X509_ECDSA_SHA512) {
        return pk_verify_ecdsa_der(k, digest, sig);
    }
    return alg <= X509_RSA_SHA1 ? pk_verify_rsa_pkcs1(k, hash, digest, sig)
                                : pk_verify_rsa_pss(k, hash, digest, sig, (int)digest.n);
}

rc x509_signed_by(const struct x509 *x, const struct pubkey *issuer)
{
    return verify(issuer, x->sigalg, x->tbs, x->sig);
}

const char *x509_issuer_fault(const struct x509 *x, const struct x509 *ca, int below)
{
    if (!bytes_eq(x->issuer, ca->subject)) {
        return "issuer name differs from the CA's subject";
    }
    if (!ca->has_basic || !ca->is_ca) {
        return "issuer is not marked as a CA (basicConstraints)";
    }
    if (ca->has_usage && (ca->usage & X509_USAGE_CERT_SIGN) == 0) {
        return "issuer's key usage does not allow signing certificates";
    }
    if (ca->path_len >= 0 && below > ca->path_len) {
        return "path is longer than the issuer's pathLenConstraint";
    }
    return ca->unknown_critical ? "issuer has an unknown critical extension" : NULL;
}

/* A list that is partial, indirect or a delta says so in a critical extension (RFC 5280 5.2): none of
 * them clears a certificate by silence, so it is not read at all. */
static void check_crl_extensions(struct cur *c, struct cur *fail)
{
    struct cur list = der_take(c, DER_SEQUENCE);
    while (list.bad == NULL && list.n > 0) {
        struct cur seq = der_take(&list, DER_SEQUENCE);
        struct bytes oid = der_take_oid(&seq);
        bool critical = der_peek(&seq) == DER_BOOLEAN && der_take_bool(&seq);
        (void)der_take_octets(&seq);
        if (!rc_ok(cur_end(&seq))) {
            cur_fail(&list, "x509: malformed extension in the CRL");
        } else if (critical && !bytes_eq(oid, OID("\x55\x1d\x14"))) {
            cur_fail(&list, "x509: critical extension in the CRL that is not read here");
        }
    }
    if (list.bad != NULL || !rc_ok(cur_end(c))) {
        cur_fail(fail, list.bad != NULL ? list.bad : "x509: bytes behind the CRL's extensions");
    }
}

/* TBSCertList, RFC 5280 5.1. */
rc x509_crl_parse(struct x509_crl *crl, struct bytes der, const char **why)
{
    *crl = (struct x509_crl){.next_update = INT64_MAX};
    struct cur c = cur_of(der), f;
    struct cur list = der_take(&c, DER_SEQUENCE);
    uint8_t tag;
    struct cur t = der_take_any(&list, &tag, &crl->tbs);
    struct bytes inner = {0}, outer = {0};
    if (der_peek(&t) == DER_INTEGER && der_take_u64(&t) > 1) {
        cur_fail(&t, "x509: CRL version");
    }
    (void)take_sigalg(&t, &inner);
    crl->issuer = take_whole(&t, DER_SEQUENCE);
    crl->this_update = der_take_time(&t);
    if (der_peek(&t) == DER_UTC_TIME || der_peek(&t) == DER_GENERALIZED_TIME) {
        crl->next_update = der_take_time(&t);
    }
    if (der_take_opt(&t, DER_SEQUENCE, &f)) {
        crl->revoked = (struct bytes){f.p, f.n};
    }
    if (der_take_opt(&t, DER_CONTEXT_EXPLICIT(0), &f)) {
        check_crl_extensions(&f, &t);
    }
    crl->sigalg = take_sigalg(&list, &outer);
    crl->sig = der_take_bits(&list);
    *why = c.bad != NULL ? c.bad : t.bad != NULL ? t.bad : list.bad;
    if (*why == NULL && (c.n != 0 || t.n != 0 || list.n != 0 || !bytes_eq(inner, outer))) {
        *why = "x509: extra bytes or differing algorithms in the CRL";
    }
    return *why == NULL ? RC_OK : RC(MALFORMED);
}

rc x509_crl_signed_by(const struct x509_crl *crl, const struct pubkey *issuer)
{
    return verify(issuer, crl->sigalg, crl->tbs, crl->sig);
}

bool x509_crl_has(const struct x509_crl *crl, struct bytes serial)
{
    struct cur c = cur_of(crl->revoked);
    while (c.bad == NULL && c.n > 0) {
        struct cur entry = der_take(&c, DER_SEQUENCE);
        if (bytes_eq(der_take_unsigned(&entry), serial)) {
            return true;
        }
    }
    return c.bad != NULL; /* a list that cannot be read clears nobody */
}
