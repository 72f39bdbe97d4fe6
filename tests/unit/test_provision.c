/* SPDX-License-Identifier: Apache-2.0 */
/* test_provision.c - the sealing between secret manager and enclave agent: opens for the agent's key
 * and nothing else. */
#include "crypto/secp.h"
#include "crypto/sha2.h"
#include "daemon/sms/sms.h"
#include "tests/test.h"

int main(void)
{
    SECRET_FREE agent = {0};
    SECRET_FREE plain = {0};
    SECRET_FREE back = {0};
    SECRET_FREE other = {0};
    struct provision_binding b = {.session = "abcdefghij0000"};
    uint8_t eph[64], report[64];
    BUF_FREE sealed = buf_new(1 << 16);

    CHECK(rc_ok(secp_key_new(&agent)) && rc_ok(secp_public(b.public_key, &agent)));
    memset(b.task.b, 1, 32);
    memset(b.nonce.b, 2, 32);
    memset(b.image.b, 3, 32);
    CHECK(rc_ok(secret_new(&plain, 4096))); /* a whole page: the open needs room for a block */
    memset(plain.p, 'x', plain.n);
    CHECK(rc_ok(provision_seal(&sealed, eph, &b, &plain)));
    CHECK(sealed.n == plain.n + 28);
    CHECK(rc_ok(provision_open(&back, &agent, eph, &b, buf_bytes(&sealed))));
    CHECK(bytes_eq(secret_bytes(&back), secret_bytes(&plain)));
    secret_free(&back);

    /* another key, session, task, nonce, ephemeral key; a changed bit; too short */
    CHECK(rc_ok(secp_key_new(&other)));
    CHECK(!rc_ok(provision_open(&back, &other, eph, &b, buf_bytes(&sealed))));
    struct provision_binding x = b;
    x.session = "abcdefghij0001";
    CHECK(!rc_ok(provision_open(&back, &agent, eph, &x, buf_bytes(&sealed))));
    x = b;
    x.task.b[0] ^= 1;
    CHECK(!rc_ok(provision_open(&back, &agent, eph, &x, buf_bytes(&sealed))));
    x = b;
    x.nonce.b[0] ^= 1;
    CHECK(!rc_ok(provision_open(&back, &agent, eph, &x, buf_bytes(&sealed))));
    sealed.p[20] ^= 1;
    CHECK(!rc_ok(provision_open(&back, &agent, eph, &b, buf_bytes(&sealed))));
    CHECK(!rc_ok(provision_open(&back, &agent, eph, &b, (struct bytes){sealed.p, 27})));
    uint8_t bad[64] = {1};
    CHECK(!rc_ok(provision_open(&back, &agent, bad, &b, buf_bytes(&sealed))));
    x = b;
    memset(x.public_key, 0xff, 64); /* not on the curve */
    buf_reset(&sealed);
    CHECK(!rc_ok(provision_seal(&sealed, eph, &x, &plain)));

    /* report data: every field counts, the tail is zero */
    provision_report_data(report, &b);
    struct hash first;
    memcpy(first.b, report, 32);
    for (int i = 32; i < 64; i++) {
        CHECK(report[i] == 0);
    }
    struct provision_binding v[5] = {b, b, b, b, b};
    v[0].session = "other";
    v[1].task.b[31] ^= 1;
    v[2].nonce.b[31] ^= 1;
    v[3].public_key[63] ^= 1;
    v[4].image.b[31] ^= 1;
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        provision_report_data(report, &v[i]);
        CHECK(memcmp(report, first.b, 32) != 0);
    }
    struct hash m = provision_measurement(b.task, b.image);
    CHECK(!hash_eq(m, provision_measurement(b.image, b.task)));
    return 0;
}
