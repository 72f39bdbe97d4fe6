/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/dagcbor.h"
#include "tests/test.h"

static void is_json(struct bytes in, const char *want)
{
    BUF_FREE b = buf_new(4096);
    CHECK(rc_ok(dagcbor_put_json(&b, in)));
    CHECK(strcmp(buf_cstr(&b), want) == 0);
}

static void refused(struct bytes in)
{
    BUF_FREE b = buf_new(4096);
    CHECK(dagcbor_put_json(&b, in).code == RC_CODE_MALFORMED);
    CHECK(dagcbor_links(in, NULL, NULL).code == RC_CODE_MALFORMED);
}

static void test_values(void)
{
    is_json(BYTES_LIT("\x00"), "0");
    is_json(BYTES_LIT("\x18\x18"), "24");
    is_json(BYTES_LIT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615");
    is_json(BYTES_LIT("\x20"), "-1");
    is_json(BYTES_LIT("\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), "-18446744073709551616");
    is_json(BYTES_LIT("\xf4"), "false");
    is_json(BYTES_LIT("\xf6"), "null");
    is_json(BYTES_LIT("\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00"), "1.5");
    is_json(BYTES_LIT("\xfb\x40\x00\x00\x00\x00\x00\x00\x00"), "2.0");
    is_json(BYTES_LIT("\x41\xff"), "{\"/\":{\"bytes\":\"/w\"}}");
    is_json(BYTES_LIT("\x63"
                      "a\"\n"),
            "\"a\\\"\\u000a\"");
    is_json(BYTES_LIT("\x82\x01\xa1\x61k\x80"), "[1,{\"k\":[]}]");
    is_json(BYTES_LIT("\xd8\x2a\x45\x00\x01\x55\x00\x00"), "{\"/\":\"bafkqaaa\"}");
}

static void test_refused(void)
{
    refused(BYTES_LIT(""));
    refused(BYTES_LIT("\x00\x00"));                             /* two items */
    refused(BYTES_LIT("\x18\x01"));                             /* not the shortest */
    refused(BYTES_LIT("\x19\x00\xff"));                         /* the same */
    refused(BYTES_LIT("\x9f\xff"));                             /* indefinite length */
    refused(BYTES_LIT("\x9a\xff\xff\xff\xff"));                 /* more members than bytes */
    refused(BYTES_LIT("\x5a\xff\xff\xff\xff"));                 /* longer than the block */
    refused(BYTES_LIT("\xa1\x01\x01"));                         /* key that is no text */
    refused(BYTES_LIT("\x61\xff"));                             /* no UTF-8 */
    refused(BYTES_LIT("\xf7"));                                 /* undefined */
    refused(BYTES_LIT("\xf9\x3c\x00"));                         /* half float */
    refused(BYTES_LIT("\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00")); /* infinite */
    refused(BYTES_LIT("\xc0\x60"));                             /* another tag */
    refused(BYTES_LIT("\xd8\x2a\x41\x00"));                     /* link without a CID */
    uint8_t deep[DAGCBOR_DEPTH_MAX + 3];
    memset(deep, 0x81, sizeof(deep));
    deep[sizeof(deep) - 1] = 0;
    refused((struct bytes){deep, sizeof(deep)});
}

static rc count(void *ctx, const struct cid *link)
{
    CHECK(link->codec == CID_RAW && link->mh_size == 0);
    return ++*(int *)ctx == 2 ? RC(DENIED) : RC_OK;
}

static void test_links_and_members(void)
{
    struct bytes block = BYTES_LIT(
        "\xa2\x61"
        "a\x82\xd8\x2a\x45\x00\x01\x55\x00\x00\x07\x61"
        "b\xd8\x2a\x45\x00\x01\x55\x00\x00");
    int n = 0;
    CHECK(dagcbor_links(block, count, &n).code == RC_CODE_DENIED && n == 2);
    struct bytes v;
    struct cid link;
    bool is_link;
    CHECK(rc_ok(dagcbor_get(&v, &link, &is_link, block, BYTES_LIT("b"))) && is_link);
    CHECK(rc_ok(dagcbor_get(&v, &link, &is_link, block, BYTES_LIT("a"))) && !is_link);
    CHECK(rc_ok(dagcbor_get(&v, &link, &is_link, v, BYTES_LIT("1"))) &&
          bytes_eq(v, BYTES_LIT("\x07")));
    CHECK(dagcbor_get(&v, &link, &is_link, block, BYTES_LIT("c")).code == RC_CODE_NOT_FOUND);
    CHECK(dagcbor_get(&v, &link, &is_link, BYTES_LIT("\x81\x07"), BYTES_LIT("01")).code ==
          RC_CODE_NOT_FOUND);
    CHECK(dagcbor_get(&v, &link, &is_link, BYTES_LIT("\x81\x07"), BYTES_LIT("1")).code ==
          RC_CODE_NOT_FOUND);
    CHECK(dagcbor_get(&v, &link, &is_link, BYTES_LIT("\x81"), BYTES_LIT("0")).code ==
          RC_CODE_MALFORMED);
}

int main(void)
{
    test_values();
    test_refused();
    test_links_and_members();
    return 0;
}
