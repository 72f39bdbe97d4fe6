/* SPDX-License-Identifier: Apache-2.0 */
/* test_capi.c - the library's interface: good, refused, and wrong calls; outputs cut to size. */
#include "attest/attest.h"
#include "attest/souk_attest.h"
#include "crypto/secp.h"
#include "tests/test.h"

int main(void)
{
    SECRET_FREE key = {0};
    struct address signer;
    struct attest_simulated s = {.svn = 3};
    BUF_FREE ev = buf_new(1024);
    char out[4096];
    size_t n = 0;
    CHECK(rc_ok(secp_key_new(&key)) && rc_ok(secp_address(&signer, &key)));
    CHECK(rc_ok(attest_simulated_make(&ev, &s, &key)));

    struct souk_attest_anchor anchor = {"simulated", SOUK_ATTEST_ANCHOR_ADDRESS, signer.b, 20};
    struct souk_attest_item item = {"x", "y", 1};
    const char *policy = "{\"kinds\":[\"simulated\"]}";
    struct souk_attest_input in = {
        .struct_size = sizeof(in),
        .evidence = ev.p,
        .evidence_size = ev.n,
        .items = &item,
        .n_items = 1,
        .anchors = &anchor,
        .n_anchors = 1,
        .policy = policy,
        .policy_size = strlen(policy),
    };
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_JSON) == SOUK_ATTEST_ACCEPTED);
    CHECK(n == strlen(out) && strstr(out, "\"accepted\":true") != NULL);
    CHECK(souk_attest_verify(&in, out, sizeof(out), NULL, SOUK_ATTEST_TEXT) == 0);
    CHECK(strstr(out, "accepted: SIMULATED") == out);
    CHECK(souk_attest_show(&in, NULL, 0, &n, SOUK_ATTEST_TEXT) == 0 && n > 100);
    CHECK(souk_attest_verify(&in, out, 9, &n, SOUK_ATTEST_TEXT) == 0); /* cut, its length told */
    CHECK(strcmp(out, "accepted") == 0 && n > 100);

    in.policy = NULL;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_REFUSED);
    in.policy = "{\"x\":1}";
    in.policy_size = 7;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_BAD_INPUT);
    CHECK(strcmp(out, "policy: x: unknown key") == 0);
    in.policy = NULL;
    in.report_data = "x";
    in.report_data_size = 1;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_REFUSED);
    anchor.size = 19;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_BAD_INPUT);
    CHECK(strstr(out, "anchors[0]") != NULL);
    in.n_anchors = 1000000;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_BAD_INPUT);
    in.n_anchors = 0;
    in.evidence = NULL;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_BAD_INPUT);
    in.struct_size = 8;
    CHECK(souk_attest_verify(&in, out, sizeof(out), &n, SOUK_ATTEST_TEXT) == SOUK_ATTEST_BAD_INPUT);
    CHECK(souk_attest_kind(0) != NULL && souk_attest_kind(1000) == NULL);
    return 0;
}
