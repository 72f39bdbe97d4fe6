/* SPDX-License-Identifier: Apache-2.0 */
/* snp_chain.c - VCEK or VLEK, ASK or ASVK, ARK: found by what they say, not by name or order. */
#include "attest/snp_int.h"
#include "crypto/sha2.h"
#include "encoding/der.h"
#include "encoding/pem.h"

#define OID_AMD(suffix)                                                                            \
    BYTES_LIT("\x2b\x06\x01\x04\x01\x9c\x78\x01" suffix) /* 1.3.6.1.4.1.3704.1 */
#define OID_CN BYTES_LIT("\x55\x04\x03")

/* SHA-256 of the SubjectPublicKeyInfo of AMD's root keys. */
/* clang-format off */
static const struct {
    const char *name;
    struct hash spki;
} roots[] = {
    [SNP_MILAN] = {"Milan", {{0x9f, 0x05, 0x6b, 0xee, 0x44, 0x37, 0x7e, 0x29, 0x30, 0x8c, 0xb5, 0xff, 0xa8, 0x95, 0xbd, 0xfb,
                              0x62, 0xd1, 0x88, 0x81, 0xfa, 0x6b, 0xed, 0x8d, 0x6f, 0x07, 0x5b, 0x02, 0x04, 0x08, 0x9c, 0xb9}}},
    [SNP_GENOA] = {"Genoa", {{0x42, 0x9a, 0x69, 0xc9, 0x42, 0x2a, 0xa2, 0x58, 0xee, 0x4d, 0x8d, 0xb5, 0xfc, 0xda, 0x9c, 0x64,
                              0x70, 0xef, 0x15, 0xf8, 0xcd, 0x5a, 0x9c, 0xeb, 0xd6, 0xcb, 0xc7, 0xd9, 0x0b, 0x86, 0x38, 0x31}}},
    [SNP_TURIN] = {"Turin", {{0x4f, 0x12, 0x54, 0x10, 0x56, 0x3a, 0x2a, 0xb9, 0xa5, 0x03, 0x56, 0xf9, 0x24, 0x3f, 0x6f, 0xe0,
                              0xb6, 0xf7, 0x3d, 0xe9, 0x86, 0x03, 0xf5, 0x3f, 0x90, 0x33, 0x9c, 0x70, 0xe9, 0xd7, 0xad, 0x08}}},
};
/* clang-format on */

const char *snp_product_name(enum snp_product p)
{
    return p == SNP_UNKNOWN ? "unknown" : roots[p].name;
}

/* --- the certificate table of an extended report ------------------------------------------------ */

enum { ENTRIES_MAX = 16, ENTRY_SIZE = 24 };

bool snp_take_table(struct attest_ctx *c, const struct snp_report *r)
{
    struct bytes table = {r->all.p + SNP_REPORT_SIZE, c->evidence.n - SNP_REPORT_SIZE};
    struct attest_item *items = ARENA_ARRAY(c->a, struct attest_item, ENTRIES_MAX + c->n_companion);
    struct cur t = cur_of(table);
    size_t n = c->n_companion;
    if (items == NULL) {
        return attest_fail(c, ATTEST_FORMAT, .code = "memory", .reason = "no memory left");
    }
    for (size_t i = 0; i < c->n_companion; i++) {
        items[i] = c->companion[i];
    }
    for (size_t i = 0; i <= ENTRIES_MAX; i++) {
        struct bytes guid = take_bytes(&t, 16);
        uint64_t off = take_le(&t, 4), size = take_le(&t, 4);
        bool end = t.bad == NULL && off == 0 && size == 0;
        if (end) { /* the zero entry */
            c->companion = items;
            c->n_companion = n;
            return true;
        }
        if (t.bad != NULL || guid.n != 16 || i == ENTRIES_MAX || off > table.n ||
            size > table.n - off || off < (i + 1) * ENTRY_SIZE) {
            break;
        }
        items[n++] =
            (struct attest_item){.name = "certificate table", .data = {table.p + off, size}};
    }
    return attest_fail(c, ATTEST_FORMAT, .code = "table", .at = SNP_REPORT_SIZE + 1,
                       .reason = "bytes behind the report are not a certificate table");
}

/* --- the leaf's extensions ---------------------------------------------------------------------- */

static bool ext_u8(const struct x509 *x, struct bytes oid, uint8_t *out)
{
    const struct x509_ext *e = x509_ext_find(x, oid);
    if (e == NULL) {
        return false;
    }
    struct cur v = cur_of(e->value);
    uint64_t n = der_take_u64(&v);
    *out = (uint8_t)n;
    return rc_ok(cur_end(&v)) && n <= 255;
}

/* The hardware id is the raw extension value in some certificates and wrapped in others. */
static struct bytes ext_hwid(const struct x509 *x)
{
    const struct x509_ext *e = x509_ext_find(x, OID_AMD("\x04"));
    if (e == NULL) {
        return (struct bytes){0};
    }
    struct cur v = cur_of(e->value);
    if (e->value.n == 66 || e->value.n == 10) {
        struct bytes inner = der_take_octets(&v);
        if (rc_ok(cur_end(&v))) {
            return inner;
        }
    }
    return e->value;
}

static enum snp_product ext_product(const struct x509 *x)
{
    const struct x509_ext *e = x509_ext_find(x, OID_AMD("\x02"));
    struct cur v = cur_of(e != NULL ? e->value : (struct bytes){0});
    struct cur text = der_take(&v, DER_IA5); /* "Milan-B0", "Genoa", "Turin" */
    for (size_t p = SNP_MILAN; p <= SNP_TURIN; p++) {
        size_t n = strlen(roots[p].name);
        if (text.bad == NULL && text.n >= n && memcmp(text.p, roots[p].name, n) == 0) {
            return (enum snp_product)p;
        }
    }
    return SNP_UNKNOWN;
}

static bool is_leaf(const struct x509 *x)
{
    return x509_ext_find(x, OID_AMD("\x02")) != NULL && x->key.kind == PK_P384;
}

static bool read_leaf(struct snp_leaf *l, const struct x509 *x)
{
    *l = (struct snp_leaf){.product = ext_product(x), .hwid = ext_hwid(x)};
    l->is_vlek = x509_ext_find(x, OID_AMD("\x05")) != NULL;
    bool fmc = l->product != SNP_TURIN || ext_u8(x, OID_AMD("\x03\x09"), &l->fmc);
    return ext_u8(x, OID_AMD("\x03\x01"), &l->bl) && ext_u8(x, OID_AMD("\x03\x02"), &l->tee) &&
           ext_u8(x, OID_AMD("\x03\x03"), &l->snp) && ext_u8(x, OID_AMD("\x03\x08"), &l->ucode) &&
           fmc && l->product != SNP_UNKNOWN && (l->is_vlek ? l->hwid.n == 0 : l->hwid.n > 0);
}

/* --- finding ------------------------------------------------------------------------------------ */

static void consider(struct snp_chain *out, bool *has_leaf, const struct snp_report *r,
                     struct bytes der)
{
    struct x509 x;
    const char *why;
    if (!rc_ok(x509_parse(&x, der, &why))) {
        return;
    }
    struct bytes cn = x509_name_attr(x.subject, OID_CN);
    if (is_leaf(&x)) {
        /* Of several leaves the one for this chip counts. */
        struct bytes id = ext_hwid(&x);
        bool fits = id.n == 0 || (id.n <= 64 && memcmp(id.p, r->chip_id.p, id.n) == 0);
        if (!*has_leaf || fits) {
            out->leaf = x;
            *has_leaf = true;
        }
    } else if (cn.n > 4 && memcmp(cn.p, "ARK-", 4) == 0) {
        out->ark = x;
        out->has_ark = true;
    } else if (cn.n > 4 && memcmp(cn.p, "SEV-", 4) == 0 && !out->has_ask) {
        out->ask = x;
        out->has_ask = true;
    }
}

/* One item: DER, or PEM with any number of certificates, decoded into the arena. */
static void consider_item(struct attest_ctx *c, struct snp_chain *out, bool *has_leaf,
                          const struct snp_report *r, struct bytes data)
{
    if (data.n > 0 && data.p[0] == DER_SEQUENCE) {
        consider(out, has_leaf, r, data);
        return;
    }
    struct cur text = cur_of(data);
    for (size_t i = 0; i < 8; i++) {
        BUF_FREE der = buf_new(16 * 1024);
        if (!rc_ok(pem_take(&der, &text, "CERTIFICATE"))) {
            return;
        }
        uint8_t *copy = arena_alloc(c->a, der.n);
        if (copy == NULL) {
            return;
        }
        memcpy(copy, der.p, der.n);
        consider(out, has_leaf, r, (struct bytes){copy, der.n});
    }
}

bool snp_find_chain(struct attest_ctx *c, const struct snp_report *r, struct snp_chain *out)
{
    const struct attest_item *it;
    bool has_leaf = false;
    *out = (struct snp_chain){0};
    for (size_t i = 0; (it = attest_item_at(c, i)) != NULL; i++) {
        consider_item(c, out, &has_leaf, r, it->data);
    }
    if (!has_leaf) {
        const char *fix =
            "get the VCEK for chip id and reported TCB from AMD's KDS, and add it to the "
            "collateral";
        (void)attest_missing(c, ATTEST_SIGNATURE, .code = "no-certificate", .fix = fix,
                             .reason = "no VCEK or VLEK certificate was given");
        (void)attest_missing(c, ATTEST_CHAIN, .code = "no-certificate", .fix = fix,
                             .reason = "no certificate to trust");
        (void)attest_missing(c, ATTEST_BINDING, .code = "no-certificate", .fix = fix,
                             .reason = "no certificate to compare the chip with");
        (void)attest_missing(c, ATTEST_TCB, .code = "no-certificate", .fix = fix,
                             .reason = "no certificate to compare the TCB with");
        return false;
    }
    if (!read_leaf(&out->info, &out->leaf)) {
        return attest_fail(c, ATTEST_CHAIN, .code = "leaf-extensions", .subject = "VCEK",
                           .reason = "the certificate's AMD extensions are missing or malformed");
    }
    return true;
}

/* --- trust -------------------------------------------------------------------------------------- */

static bool is_anchor(struct attest_ctx *c, const struct x509 *ark, enum snp_product product)
{
    struct hash spki = sha256(ark->spki);
    if (!c->in->no_builtin_roots && hash_eq(spki, roots[product].spki)) {
        return true;
    }
    size_t i = 0;
    for (const struct attest_anchor *a = attest_anchor_next(c, &i); a != NULL;
         a = attest_anchor_next(c, &i)) {
        struct x509 x;
        const char *why;
        if ((a->type == ATTEST_ANCHOR_KEY && bytes_eq(a->data, ark->spki)) ||
            (a->type == ATTEST_ANCHOR_CERT && rc_ok(x509_parse(&x, a->data, &why)) &&
             bytes_eq(x.spki, ark->spki))) {
            return true;
        }
    }
    return false;
}

static bool check_link(struct attest_ctx *c, const struct x509 *x, const struct x509 *ca,
                       const char *name, int below)
{
    const char *fault = x509_issuer_fault(x, ca, below);
    if (fault != NULL) {
        return attest_fail(c, ATTEST_CHAIN, .code = "issuer", .subject = name, .reason = fault);
    }
    if (!rc_ok(x509_signed_by(x, &ca->key))) {
        return attest_fail(c, ATTEST_CHAIN, .code = "certificate-signature", .subject = name,
                           .reason = "the certificate is not signed by its issuer's key");
    }
    return true;
}

/* "SEV-Milan" or "SEV-VLEK-Milan", "ARK-Milan": the CA must be of the leaf's product. */
static bool is_named(struct attest_ctx *c, const struct x509 *x, const char *prefix,
                     enum snp_product product)
{
    const char *want = attest_textf(c, "%s%s", prefix, roots[product].name);
    return bytes_eq(x509_name_attr(x->subject, OID_CN), bytes_str(want));
}

static void check_revocation(struct attest_ctx *c, const struct snp_chain *chain)
{
    const struct attest_item *it;
    for (size_t i = 0; (it = attest_item_at(c, i)) != NULL; i++) {
        struct x509_crl crl;
        const char *why;
        if (!rc_ok(x509_crl_parse(&crl, it->data, &why)) ||
            !bytes_eq(crl.issuer, chain->ark.subject)) {
            continue;
        }
        if (!rc_ok(x509_crl_signed_by(&crl, &chain->ark.key))) {
            (void)attest_fail(c, ATTEST_REVOCATION, .code = "crl-signature", .subject = it->name,
                              .reason = "the revocation list is not signed by the ARK");
            return;
        }
        attest_window(c, false, "AMD revocation list", crl.this_update, crl.next_update);
        if (x509_crl_has(&crl, chain->ask.serial)) {
            (void)attest_fail(c, ATTEST_REVOCATION, .code = "revoked", .subject = "ASK",
                              .reason = "AMD has revoked the intermediate certificate");
            return;
        }
        attest_pass(c, ATTEST_REVOCATION, "AMD has not revoked the intermediate certificate");
        return;
    }
    (void)attest_missing(c, ATTEST_REVOCATION, .code = "no-crl",
                         .reason = "no revocation list of the product's ARK was given",
                         .fix =
                             "add AMD's list for the product to the collateral, or set "
                             "\"revocation\": \"optional\" in the policy");
}

void snp_verify_chain(struct attest_ctx *c, const struct snp_chain *chain)
{
    enum snp_product p = chain->info.product;
    const char *leaf = chain->info.is_vlek ? "VLEK" : "VCEK";
    if (!chain->has_ask || !chain->has_ark) {
        (void)attest_missing(
            c, ATTEST_CHAIN, .code = "no-issuer",
            .reason = chain->has_ask ? "the root certificate (ARK) was not given"
                                     : "the intermediate certificate (ASK) was not given",
            .fix = "add AMD's certificate chain for the product to the collateral");
        (void)attest_missing(c, ATTEST_REVOCATION, .code = "no-issuer",
                             .reason = "no issuer is known");
        return;
    }
    attest_window(c, true, leaf, chain->leaf.not_before, chain->leaf.not_after);
    attest_window(c, true, "ASK", chain->ask.not_before, chain->ask.not_after);
    attest_window(c, true, "ARK", chain->ark.not_before, chain->ark.not_after);
    if (!is_named(c, &chain->ask, chain->info.is_vlek ? "SEV-VLEK-" : "SEV-", p) ||
        !is_named(c, &chain->ark, "ARK-", p)) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "product",
                          .reason = "the issuers are of another product than the chip");
    } else if (!is_anchor(c, &chain->ark, p)) {
        (void)attest_fail(c, ATTEST_CHAIN, .code = "untrusted-root", .subject = "ARK",
                          .reason = "the root is not AMD's key for the product");
    } else if (check_link(c, &chain->leaf, &chain->ask, leaf, 0) &&
               check_link(c, &chain->ask, &chain->ark, "ASK", 1) &&
               check_link(c, &chain->ark, &chain->ark, "ARK", 1)) {
        attest_pass(c, ATTEST_CHAIN, "the key leads to AMD's root for the product");
    }
    check_revocation(c, chain);
}
