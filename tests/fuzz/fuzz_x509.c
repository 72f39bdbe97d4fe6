/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"
#include "encoding/pem.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct bytes view, const uint8_t *data, size_t size)
{
    return view.n == 0 || (view.p >= data && view.n <= size && view.p + view.n <= data + size);
}

/* Certificates, revocation lists, keys and PEM: no crash, and every view lies inside the input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct x509 x;
    struct x509_crl crl;
    struct pubkey k;
    const char *why = NULL;
    if (rc_ok(x509_parse(&x, in, &why))) {
        CHECK(inside(x.tbs, data, size) && inside(x.subject, data, size) &&
              inside(x.sig, data, size));
        CHECK(inside(x509_name_attr(x.subject, BYTES_LIT("\x55\x04\x03")), data, size));
        (void)x509_issuer_fault(&x, &x, 0);
    } else {
        CHECK(why != NULL);
    }
    if (rc_ok(x509_crl_parse(&crl, in, &why))) {
        (void)x509_crl_has(&crl, BYTES_LIT("\x01"));
        CHECK(inside(crl.revoked, data, size));
    }
    (void)x509_parse_spki(&k, in, &why);
    BUF_FREE out = buf_new(1 << 20);
    struct cur c = cur_of(in);
    while (rc_ok(pem_take(&out, &c, "CERTIFICATE"))) {
    }
    return 0;
}
