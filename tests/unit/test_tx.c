/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/tx.h"

#include "encoding/hex.h"
#include "tests/test.h"

/* EIP-155's own example: key 0x46…46, chain 1, nonce 9. */
static const char *const EXAMPLE =
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef"
    "61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b380"
    "0ccf555c9f3dc64214b297fb1966a3b6d83";

static struct bytes raw_of(struct buf *b, const char *hex)
{
    buf_reset(b);
    CHECK(rc_ok(hex_decode(b, bytes_str(hex))));
    return buf_bytes(b);
}

static void key_of(struct secret *key, uint8_t byte)
{
    CHECK(rc_ok(secret_new(key, 32)));
    memset(key->p, byte, 32);
}

static void test_example(void)
{
    BUF_FREE b = buf_new(4096);
    BUF_FREE again = buf_new(4096);
    SECRET_FREE key = {0};
    struct eth_tx t;
    const char *why;
    struct address from;
    struct address want;
    key_of(&key, 0x46);
    CHECK(rc_ok(eth_tx_parse(&t, raw_of(&b, EXAMPLE), &why)));
    CHECK(t.type == 0 && t.has_chain_id && t.chain_id == 1 && t.nonce == 9 && t.gas == 21000);
    CHECK(rc_ok(eth_tx_sender(&from, &t)) && rc_ok(secp_address(&want, &key)));
    CHECK(address_eq(from, want));
    char text[HEX_HASH_MAX];
    CHECK(strcmp(hex_hash(text, eth_tx_signing_hash(&t)),
                 "0xdaf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53") == 0);
    CHECK(rc_ok(eth_tx_sign(&again, &t, &key)));
    CHECK(bytes_eq(buf_bytes(&again), buf_bytes(&b)));
}

static void test_types(void)
{
    SECRET_FREE key = {0};
    key_of(&key, 1);
    for (unsigned type = 0; type < 3; type++) {
        BUF_FREE b = buf_new(4096);
        /* one address with two keys */
        static uint8_t list[128];
        size_t n = 0;
        list[n++] = 0xf8;
        list[n++] = 21 + 2 + 66;
        list[n++] = 0x94;
        n += 20;
        list[n++] = 0xf8;
        list[n++] = 66;
        for (int k = 0; k < 2; k++) {
            list[n++] = 0xa0;
            n += 32;
        }
        struct eth_tx t = {.type = type,
                           .chain_id = 31337,
                           .gas = 1,
                           .max_fee = u256_from(5),
                           .tip = u256_from(2),
                           .gas_price = u256_from(4),
                           .data = BYTES_LIT("data")};
        if (type > 0) {
            t.access_list = (struct bytes){list, n};
        }
        CHECK(rc_ok(eth_tx_sign(&b, &t, &key)));
        struct eth_tx got;
        const char *why = "";
        CHECK(rc_ok(eth_tx_parse(&got, buf_bytes(&b), &why)));
        CHECK(got.type == type && !got.has_to && got.chain_id == 31337);
        CHECK(bytes_eq(got.data, BYTES_LIT("data")));
        struct eth_tx_access c = eth_tx_count_access(&got);
        CHECK(c.addresses == (type > 0 ? 1 : 0) && c.keys == (type > 0 ? 2 : 0));
        struct address from;
        struct address want;
        CHECK(rc_ok(eth_tx_sender(&from, &got)) && rc_ok(secp_address(&want, &key)));
        CHECK(address_eq(from, want));
        struct u256 price;
        CHECK(eth_tx_price(&price, &got, u256_from(1)));
        CHECK(u256_eq(price, u256_from(type < 2 ? 4 : 3)));
        CHECK(eth_tx_price(&price, &got, u256_from(4)));
        CHECK(u256_eq(price, u256_from(type < 2 ? 4 : 5)));
        CHECK(!eth_tx_price(&price, &got, u256_from(6)));
        b.p[b.n - 1] ^= 1; /* another s: another signer or none */
        CHECK(rc_ok(eth_tx_parse(&got, buf_bytes(&b), &why)));
        CHECK(!rc_ok(eth_tx_sender(&from, &got)) || !address_eq(from, want));
    }
}

static void test_bad(void)
{
    static const char *const bad[] = {
        "",
        "03c0",                                                               /* type 3 */
        "c0",                                                                 /* nothing in it */
        "f86c098504a817c800825208943535353535353535353535353535353535353535", /* cut */
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a0e7cbe9d8997f761aecb70330"
        "4b3800ccf555c9f3dc64214b297fb1966a3b6d83", /* high s */
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008005a0"
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb70330"
        "4b3800ccf555c9f3dc64214b297fb1966a3b6d83", /* v of 5 */
    };
    BUF_FREE b = buf_new(4096);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct eth_tx t;
        const char *why = NULL;
        CHECK(!rc_ok(eth_tx_parse(&t, raw_of(&b, bad[i]), &why)) && why != NULL);
    }
}

int main(void)
{
    test_example();
    test_types();
    test_bad();
    return 0;
}
