/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha2.h"
#include "encoding/cid.h"
#include "tests/test.h"

static void round_trip(const char *text)
{
    struct cid c;
    CHECK(rc_ok(cid_parse(&c, bytes_str(text))));
    char out[CID_STR_MAX];
    CHECK(strcmp(cid_str(&c, out), text) == 0);
    BUF_FREE b = buf_new(CID_BIN_MAX);
    put_cid(&b, &c);
    struct cur in = cur_of(buf_bytes(&b));
    struct cid again = cid_take(&in);
    CHECK(rc_ok(cur_end(&in)) && cid_eq(&again, &c));
}

static void refused(const char *text)
{
    struct cid c;
    CHECK(cid_parse(&c, bytes_str(text)).code == RC_CODE_MALFORMED);
}

static void test_published(void)
{
    /* The empty directory, the empty file, and the empty raw block, as every IPFS node names them. */
    struct hash empty_dir = sha256(BYTES_LIT("\x0a\x02\x08\x01"));
    struct cid c = cid_make(0, CID_DAG_PB, &empty_dir);
    char s[CID_STR_MAX];
    CHECK(strcmp(cid_str(&c, s), "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn") == 0);
    struct hash nothing = sha256(BYTES_LIT(""));
    c = cid_make(1, CID_RAW, &nothing);
    CHECK(strcmp(cid_str(&c, s), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku") ==
          0);
}

static void test_forms(void)
{
    round_trip("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
    round_trip("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    round_trip("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
    round_trip("bafkqaaa"); /* the empty block, inlined */

    struct cid a;
    struct cid b;
    CHECK(rc_ok(
        cid_parse(&a, bytes_str("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"))));
    CHECK(
        rc_ok(cid_parse(&b, bytes_str("f01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4"
                                      "95991b7852b855"))));
    CHECK(cid_eq(&a, &b));
    CHECK(rc_ok(cid_parse(&b, bytes_str("zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW"))));
    CHECK(cid_eq(&a, &b));
    struct hash h;
    CHECK(cid_sha256(&h, &a) && hash_eq(h, sha256(BYTES_LIT(""))));
    CHECK(rc_ok(cid_parse(&b, bytes_str("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"))));
    struct cid v1 = cid_as_v1(b);
    CHECK(!cid_eq(&v1, &b) && cid_same_block(&v1, &b) && !cid_same_block(&a, &b));
}

static void test_refused(void)
{
    refused("");
    refused("Q");
    refused("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N");   /* too short */
    refused("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3N0");  /* 0 is no digit of base58 */
    refused("zQmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"); /* version 0 has no prefix */
    refused("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv"); /* bits left over */
    refused("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvy");
    refused("BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU");
    refused("f02551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    refused("hello world");
    char big[CID_TEXT_MAX + 2];
    memset(big, 'f', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    refused(big);
}

/* Seeded: every digest survives binary and text. */
static void test_property(void)
{
    for (unsigned i = 0; i < 500; i++) {
        struct hash h = sha256(BYTES_OF(i));
        memset(h.b, 0, i % 6); /* leading zeroes are what base58 gets wrong */
        struct cid c = cid_make(i % 2, i % 4 == 1 ? CID_RAW : CID_DAG_CBOR, &h);
        char s[CID_STR_MAX];
        round_trip(cid_str(&c, s));
    }
}

int main(void)
{
    test_published();
    test_forms();
    test_refused();
    test_property();
    return 0;
}
