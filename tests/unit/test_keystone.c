/* SPDX-License-Identifier: Apache-2.0 */
/* test_keystone.c - a report under test keys (made by an independent implementation of the curve with
 * SHA3-512), and what becomes of it when each of its parts is changed. */
#include "attest/attest.h"
#include "tests/test.h"

enum { SIZE = 1352, DATA_AT = 72, ENCLAVE_SIG = 1096, MONITOR = 1160, MONITOR_SIG = 1256 };
enum { DEVICE = 1320, DATA_LEN = 7 };

static uint8_t report[SIZE + 1], device[32];
static struct verdict v;
static struct attest_policy policy;
static struct arena last;
static struct attest_anchor anchor = {"keystone", ATTEST_ANCHOR_KEY, {device, 32}, "device"};
static size_t n_anchor = 1;

static void put(size_t at, const char *hex)
{
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        unsigned b;
        CHECK(sscanf(hex + 2 * i, "%2x", &b) == 1);
        report[at + i] = (uint8_t)b;
    }
}

static void make(void)
{
    put(0,
        "9ac2acabedf19742056ccccb1e36ef9ffb2280a974cd51977beab24a9b382b9736fdd735"
        "fcc0a0fcf0afad8efaf42114e61d66222c59ddb5d693b80cac6fafc2");
    put(ENCLAVE_SIG,
        "451b4ee9637a483f6f292df4cd79eb0d325da8ae88b01ed0128722ab236378e9dac60cf8"
        "c9bf24539a12329874b24cfd04c8317c0a6501b6b6f59d64e5e28905");
    put(MONITOR,
        "bc99c10c839540dd3d575b40fa86c49c6bc7a8a15f6c362fba775749eb2d897209c829b2"
        "e1b1b8f61485ddb41f6ae0e82c2f3c623dcc15fd9641262b3c3bc350");
    put(MONITOR + 64, "108a50bd977eadb654530939787f1f7de1ddc245e2f2dfc6f736cbca52758686");
    put(MONITOR_SIG,
        "c427f62283bb3d67f20d8a7b75095c09ca9e5f7f96dc7f4824502b12a526c90169b5c9f4"
        "61f75fb108c6c31bd0671184fda4f0e92406d91bf26926869b51e10a");
    put(DEVICE, "85a1bb9896ce21d0b86f57de0a165da5bb0c44af4958fb0e076816d912ab0aaf");
    report[64] = DATA_LEN;
    memcpy(report + DATA_AT, "nonce:7", DATA_LEN);
    memcpy(device, report + DEVICE, sizeof(device));
}

static bool judge(size_t n)
{
    struct attest_input in = {
        .evidence = {report, n}, .anchor = &anchor, .n_anchor = n_anchor, .policy = &policy};
    arena_reset(&last);
    arena_init(&last, ATTEST_SCRATCH);
    return attest_verify(&v, &in, &last);
}

static void refused(enum attest_link l, const char *code)
{
    bool accepted = judge(SIZE);
    if (accepted || attest_first_broken(&v) != l || strcmp(v.line[l].code, code) != 0) {
        BUF_FREE text = buf_new(1 << 20);
        attest_put_text(&text, &v);
        (void)fprintf(stderr, "expected %s:\n%s\n", code, buf_cstr(&text));
        CHECK(false);
    }
}

static void test_good(void)
{
    CHECK(judge(SIZE) && v.verified && strcmp(v.kind, "keystone") == 0);
    CHECK(bytes_eq(attest_claim_find(&v, "report_data")->bytes, BYTES_LIT("nonce:7")));
    CHECK(attest_claim_find(&v, "keystone.test_key")->u64 == 0);
    policy.has_nonce = true;
    policy.nonce = BYTES_LIT("nonce:8");
    refused(ATTEST_BINDING, "nonce-differs");
    attest_policy_default(&policy);
}

static void test_keys(void)
{
    n_anchor = 0;
    refused(ATTEST_CHAIN, "no-key"); /* the key in the report is its own claim */
    n_anchor = 1;
    device[0] ^= 1;
    refused(ATTEST_CHAIN, "untrusted-key");
    device[0] ^= 1;
    anchor.kind = "psa";
    refused(ATTEST_CHAIN, "no-key");
    anchor.kind = "*";
    CHECK(judge(SIZE));
    anchor.kind = "keystone";
    anchor.type = ATTEST_ANCHOR_CERT;
    refused(ATTEST_CHAIN, "no-key");
    anchor.type = ATTEST_ANCHOR_KEY;
}

static void test_flips(void)
{
    for (size_t bit = 0; bit < (size_t)SIZE * 8; bit += 3) {
        size_t at = bit / 8;
        if (at >= DATA_AT + DATA_LEN && at < ENCLAVE_SIG) {
            continue; /* behind the data: signed by nobody, said by nobody */
        }
        report[at] ^= (uint8_t)(1U << bit % 8);
        CHECK(!judge(SIZE));
        enum attest_link l = attest_first_broken(&v);
        CHECK(l == ATTEST_SIGNATURE || (l == ATTEST_FORMAT && at >= 64 && at < DATA_AT));
        report[at] ^= (uint8_t)(1U << bit % 8);
    }
    report[MONITOR_SIG] ^= 1;
    refused(ATTEST_SIGNATURE, "monitor-signature");
    report[MONITOR_SIG] ^= 1;
    report[DATA_AT] ^= 1;
    refused(ATTEST_SIGNATURE, "enclave-signature");
    report[DATA_AT] ^= 1;
    CHECK(judge(SIZE));
}

static void test_format(void)
{
    for (size_t n = 0; n <= SIZE + 1; n += n < SIZE - 2 ? 19 : 1) {
        CHECK(judge(n) == (n == SIZE));
        CHECK(n == SIZE || attest_first_broken(&v) == ATTEST_FORMAT);
    }
    report[65] = 4;
    report[64] = 1; /* 1025 */
    refused(ATTEST_FORMAT, "data-length");
    report[64] = 0; /* 1024: all of it, which was not signed */
    refused(ATTEST_SIGNATURE, "enclave-signature");
    report[64] = DATA_LEN;
    report[65] = 0;
    report[71] = 0x80;
    CHECK(!judge(SIZE) && attest_first_broken(&v) == ATTEST_FORMAT);
    report[71] = 0;
}

int main(void)
{
    make();
    arena_init(&last, ATTEST_SCRATCH);
    attest_policy_default(&policy);
    test_good();
    test_keys();
    test_flips();
    test_format();
    arena_reset(&last);
    return 0;
}
