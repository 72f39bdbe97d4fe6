/* SPDX-License-Identifier: Apache-2.0 */
#include "io/typed_data.h"

#include "encoding/hex.h"
#include "tests/test.h"

static struct err e;

static const char *hash_of(const char *text)
{
    static char out[HEX_HASH_MAX];
    JSON_FREE *v = json_parse(bytes_str(text), 32, &e);
    struct hash h;
    CHECK(v != NULL);
    if (!rc_ok(typed_data_hash(&h, v, &e))) {
        return NULL;
    }
    return hex_hash(out, h);
}

/* The example of EIP-712 itself. */
#define MAIL_TYPES                                                                                 \
    "\"types\":{\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"version\","  \
    "\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"},{\"name\":"                  \
    "\"verifyingContract\",\"type\":\"address\"}],\"Person\":[{\"name\":\"name\",\"type\":"        \
    "\"string\"},{\"name\":\"wallet\",\"type\":\"address\"}],\"Mail\":[{\"name\":\"from\","        \
    "\"type\":\"Person\"},{\"name\":\"to\",\"type\":\"Person\"},{\"name\":\"contents\",\"type\":"  \
    "\"string\"}]}"
#define MAIL_DOMAIN                                                                                \
    "\"domain\":{\"name\":\"Ether Mail\",\"version\":\"1\",\"chainId\":1,\"verifyingContract\":"   \
    "\"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC\"}"
#define MAIL_MESSAGE                                                                               \
    "\"message\":{\"from\":{\"name\":\"Cow\",\"wallet\":"                                          \
    "\"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826\"},\"to\":{\"name\":\"Bob\",\"wallet\":"         \
    "\"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB\"},\"contents\":\"Hello, Bob!\"}"

int main(void)
{
    const char *h =
        hash_of("{" MAIL_TYPES "," MAIL_DOMAIN ",\"primaryType\":\"Mail\"," MAIL_MESSAGE "}");
    CHECK(h != NULL);
    CHECK(strcmp(h, "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2") == 0);
    CHECK(hash_of("{" MAIL_TYPES "," MAIL_DOMAIN ",\"primaryType\":\"Nail\"," MAIL_MESSAGE "}") ==
          NULL);
    CHECK(strstr(e.msg, "'Nail' is missing") != NULL);
#define ONE(type, value)                                                                           \
    hash_of("{\"types\":{\"T\":[{\"name\":\"v\",\"type\":\"" type                                  \
            "\"}]},\"domain\":{},\"primaryType\":\"T\",\"message\":{\"v\":" value "}}")
    CHECK(ONE("uint8", "255") != NULL && ONE("uint8", "256") == NULL && ONE("uint8", "-1") == NULL);
    CHECK(ONE("int8", "-128") != NULL && ONE("int8", "-129") == NULL && ONE("int8", "128") == NULL);
    CHECK(ONE("uint256", "\"0x10\"") != NULL && ONE("uint256", "true") == NULL);
    CHECK(ONE("bytes4", "\"0x12345678\"") != NULL && ONE("bytes4", "\"0x1234\"") == NULL);
    CHECK(ONE("uint8[]", "[1,2]") != NULL && ONE("uint8[3]", "[1,2]") == NULL);
    CHECK(ONE("bool", "1") == NULL && ONE("address", "\"0x12\"") == NULL);
    CHECK(ONE("nonsense", "1") == NULL && ONE("T", "{}") != NULL);
    CHECK(ONE("T", "null") != NULL); /* recursive types end in an absent struct */
    return 0;
}
