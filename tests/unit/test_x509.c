/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates are made here with the openssl command, so that another implementation decides what
 * a good one looks like. */
#include "crypto/x509.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "encoding/der.h"
#include "encoding/pem.h"
#include "io/file.h"
#include "tests/test.h"

static char dir[] = "/tmp/souk-x509-XXXXXX";

static void run(const char *cmd)
{
    BUF_FREE b = buf_new(4096);
    put_fmt(&b, "cd %s && { %s; } >>log 2>&1", dir, cmd);
    CHECK(system(buf_cstr(&b)) == 0);
}

static void load(struct buf *out, const char *name, const char *label)
{
    char path[FILE_PATH_MAX];
    struct err e;
    BUF_FREE text = buf_new(1 << 16);
    CHECK(rc_ok(path_join(path, dir, name, &e)) && rc_ok(file_read(&text, path, &e)));
    struct cur c = cur_of(buf_bytes(&text));
    CHECK(rc_ok(pem_take(out, &c, label)));
    CHECK(pem_take(out, &c, label).code == RC_CODE_NOT_FOUND);
}

static void chain(const char *newkey, const char *extra)
{
    BUF_FREE cmd = buf_new(4096);
    put_fmt(&cmd,
            "openssl req -x509 %s -nodes -keyout ca.key -out ca.pem -days 10 -subj '/CN=ca' "
            "-addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext "
            "keyUsage=keyCertSign,cRLSign %s && "
            "openssl req %s -nodes -keyout leaf.key -out leaf.csr -subj '/O=o/CN=leaf' %s && "
            "openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 4660 -out "
            "leaf.pem -days 5 %s",
            newkey, extra, newkey, "", extra);
    run(buf_cstr(&cmd));
    BUF_FREE ca_der = buf_new(1 << 16), leaf_der = buf_new(1 << 16);
    load(&ca_der, "ca.pem", "CERTIFICATE");
    load(&leaf_der, "leaf.pem", "CERTIFICATE");
    struct x509 ca, leaf;
    const char *why = NULL;
    CHECK(rc_ok(x509_parse(&ca, buf_bytes(&ca_der), &why)) && ca.is_ca && ca.path_len == 0);
    CHECK(rc_ok(x509_parse(&leaf, buf_bytes(&leaf_der), &why)) && !leaf.is_ca);
    CHECK(bytes_eq(leaf.serial, BYTES_LIT("\x12\x34")));
    CHECK(bytes_eq(x509_name_attr(leaf.subject, BYTES_LIT("\x55\x04\x03")), BYTES_LIT("leaf")));
    CHECK(leaf.not_after - leaf.not_before == 5 * 86400 && leaf.not_before > 1700000000);
    CHECK(rc_ok(x509_signed_by(&leaf, &ca.key)) && rc_ok(x509_signed_by(&ca, &ca.key)));
    CHECK(!rc_ok(x509_signed_by(&leaf, &leaf.key)) || leaf.key.kind == PK_NONE);
    CHECK(x509_issuer_fault(&leaf, &ca, 0) == NULL && x509_issuer_fault(&leaf, &ca, 1) != NULL);
    CHECK(x509_issuer_fault(&ca, &leaf, 0) != NULL);
    for (size_t i = 0; i < leaf_der.n; i += 7) { /* a flip anywhere is refused somewhere */
        leaf_der.p[i] ^= 0x10;
        struct x509 bad;
        CHECK(!rc_ok(x509_parse(&bad, buf_bytes(&leaf_der), &why)) ||
              !rc_ok(x509_signed_by(&bad, &ca.key)));
        leaf_der.p[i] ^= 0x10;
        CHECK(!rc_ok(x509_parse(&bad, (struct bytes){leaf_der.p, i}, &why)) && why != NULL);
    }
}

static void revocation(void)
{
    run("mkdir -p db && : > db/index.txt && echo 01 > db/crlnumber && "
        "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=db/index.txt\\ncrlnumber=db/crlnumber\\n"
        "default_md=sha256\\ndefault_crl_days=30\\n' > ca.cnf && "
        "openssl ca -config ca.cnf -revoke leaf.pem -keyfile ca.key -cert ca.pem && "
        "openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out crl.pem");
    BUF_FREE der = buf_new(1 << 16), ca_der = buf_new(1 << 16);
    load(&der, "crl.pem", "X509 CRL");
    load(&ca_der, "ca.pem", "CERTIFICATE");
    struct x509 ca;
    struct x509_crl crl;
    const char *why = NULL;
    CHECK(rc_ok(x509_parse(&ca, buf_bytes(&ca_der), &why)));
    CHECK(rc_ok(x509_crl_parse(&crl, buf_bytes(&der), &why)));
    CHECK(bytes_eq(crl.issuer, ca.subject) && crl.next_update - crl.this_update == 30 * 86400);
    CHECK(rc_ok(x509_crl_signed_by(&crl, &ca.key)));
    CHECK(x509_crl_has(&crl, BYTES_LIT("\x12\x34")) && !x509_crl_has(&crl, BYTES_LIT("\x12\x35")));
    der.p[60] ^= 1;
    CHECK(!rc_ok(x509_crl_parse(&crl, buf_bytes(&der), &why)) ||
          !rc_ok(x509_crl_signed_by(&crl, &ca.key)));
}

static void der(void)
{
    struct cur c = cur_of(BYTES_LIT("\x02\x02\x00\x80\x02\x01\x7f\x01\x01\xff"));
    CHECK(der_take_u64(&c) == 128 && der_take_u64(&c) == 127 && der_take_bool(&c));
    CHECK(rc_ok(cur_end(&c)));
    const struct bytes bad[] = {BYTES_INIT("\x02\x02\x00\x7f"), BYTES_INIT("\x02\x01\xff"),
                                BYTES_INIT("\x02\x81\x01\x05"), BYTES_INIT("\x02\x80\x05"),
                                BYTES_INIT("\x02\x05\x01"),     BYTES_INIT("\x1f\x01\x01"),
                                BYTES_INIT("\x02\x00"),         BYTES_INIT("\x04\x01\x01")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        c = cur_of(bad[i]);
        (void)der_take_u64(&c);
        CHECK(c.bad != NULL);
    }
    c =
        cur_of(BYTES_LIT("\x17\x0d"
                         "700101000000Z"
                         "\x18\x0f"
                         "20240229235959Z"));
    CHECK(der_take_time(&c) == 0 && der_take_time(&c) == 1709251199 && rc_ok(cur_end(&c)));
    c =
        cur_of(BYTES_LIT("\x17\x0d"
                         "701301000000Z"));
    (void)der_take_time(&c);
    CHECK(c.bad != NULL);
}

int main(void)
{
    struct err e;
    der();
    CHECK(mkdtemp(dir) != NULL);
    chain("-newkey ec -pkeyopt ec_paramgen_curve:P-256", "-sha256");
    chain("-newkey ec -pkeyopt ec_paramgen_curve:P-384", "-sha384");
    chain("-newkey ed25519", "");
    chain("-newkey rsa:2048", "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48");
    chain("-newkey rsa:2048", "-sha256");
    revocation();
    CHECK(rc_ok(dir_remove(dir, &e)));
    return 0;
}
