/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/abi.h"
#include "encoding/base64.h"
#include "encoding/hex.h"
#include "encoding/rlp.h"
#include "tests/test.h"

static void hex(void)
{
    BUF_FREE b = buf_new(1 << 12);
    put_quantity(&b, 0);
    put_quantity256(&b, u256_from(0x41));
    CHECK(strcmp(buf_cstr(&b), "0x00x41") == 0);
    struct address a;
    char text[HEX_ADDRESS_MAX];
    const char *sum = "0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E";
    CHECK(rc_ok(hex_parse_address(&a, "0xb2157bf2fab286b2a4170e3491ac39770111da3e")));
    CHECK(strcmp(hex_address(text, a), sum) == 0); /* EIP-55 */
    CHECK(!rc_ok(hex_parse_address(&a, sum + 2)) && !rc_ok(hex_parse_address(&a, "0x12")));
    uint64_t v;
    CHECK(rc_ok(hex_parse_quantity(&v, "0x1f", false)) && v == 31);
    CHECK(!rc_ok(hex_parse_quantity(&v, "0x01", false)) &&
          rc_ok(hex_parse_quantity(&v, "0x01", true)));
    const char *bad[] = {"", "0x", "1", "0xg", "0x10000000000000000"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!rc_ok(hex_parse_quantity(&v, bad[i], true)));
    }
    buf_reset(&b);
    CHECK(!rc_ok(hex_decode(&b, BYTES_LIT("0xabc"))) && !rc_ok(hex_decode(&b, BYTES_LIT("zz"))));
    CHECK(b.n == 0 && rc_ok(hex_decode(&b, BYTES_LIT("0xABcd"))) && b.p[1] == 0xcd);
}

static void base64(void)
{
    const char *const pairs[][2] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                    {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe", "//4="}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        BUF_FREE e = buf_new(100), d = buf_new(100);
        put_base64(&e, bytes_str(pairs[i][0]));
        CHECK(strcmp(buf_cstr(&e), pairs[i][1]) == 0);
        CHECK(rc_ok(base64_decode(&d, buf_bytes(&e))) &&
              bytes_eq(buf_bytes(&d), bytes_str(pairs[i][0])));
    }
    const char *bad[] = {"Z", "Zg=", "Zh==", "Zm9v=", "Z g=", "====", "Zg==Zg=="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        BUF_FREE d = buf_new(100);
        CHECK(!rc_ok(base64_decode(&d, bytes_str(bad[i]))));
    }
}

static void rlp(void)
{
    BUF_FREE b = buf_new(1 << 20);
    size_t outer = rlp_list_begin(&b);
    rlp_put_str(&b, BYTES_LIT("cat"));
    size_t inner = rlp_list_begin(&b);
    rlp_put_u64(&b, 0);
    rlp_put_u64(&b, 1024);
    rlp_list_end(&b, inner);
    uint8_t big[300] = {0};
    rlp_put_str(&b, BYTES_OF(big));
    rlp_put_u256(&b, u256_from(127));
    rlp_list_end(&b, outer);
    struct cur c = cur_of(buf_bytes(&b));
    struct cur l = rlp_take_list(&c);
    CHECK(bytes_eq(rlp_take_str(&l), BYTES_LIT("cat")));
    struct cur in = rlp_take_list(&l);
    CHECK(rlp_take_u64(&in) == 0 && rlp_take_u64(&in) == 1024 && rc_ok(cur_end(&in)));
    CHECK(rlp_take_str(&l).n == 300 && u256_eq(rlp_take_u256(&l), u256_from(127)));
    CHECK(rc_ok(cur_end(&l)) && rc_ok(cur_end(&c)));
    CHECK(rlp_size_str(BYTES_OF(big)) == 303 && rlp_size_head(55) == 1 && rlp_size_head(56) == 2);
    const char *bad[] = {"\x81\x05", "\xb8\x01z", "\xb9\x00\x40z", "\x83go", "\xc2\x01"};
    const size_t size[] = {2, 3, 4, 3, 2};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        c = cur_of((struct bytes){(const uint8_t *)bad[i], size[i]});
        if (bad[i][0] == '\xc2') {
            l = rlp_take_list(&c);
            c.bad = c.bad == NULL ? l.bad : c.bad;
        } else {
            (void)rlp_take_str(&c);
        }
        CHECK(c.bad != NULL);
    }
}

static void abi(void)
{
    BUF_FREE b = buf_new(1 << 16);
    struct address a = {{1, 2, 3}};
    struct abi_out o = abi_begin(&b, 4);
    abi_put_address(&o, a);
    abi_put_bytes(&o, BYTES_LIT("hello"));
    struct abi_out t = abi_put_tuple(&o, 2);
    abi_put_bool(&t, true);
    abi_put_bytes(&t, (struct bytes){0});
    struct abi_out arr = abi_put_array(&o, 2, 1);
    abi_put_u64(&arr, 7);
    abi_put_u64(&arr, 8);
    CHECK(b.n % 32 == 0);
    struct abi_in in = abi_of(buf_bytes(&b));
    CHECK(address_eq(abi_take_address(&in), a));
    CHECK(bytes_eq(abi_take_bytes(&in), BYTES_LIT("hello")));
    struct abi_in s = abi_take_tuple(&in);
    CHECK(abi_take_bool(&s) && abi_take_bytes(&s).n == 0 && rc_ok(abi_end(&s)));
    size_t n;
    s = abi_take_array(&in, &n, 1);
    CHECK(n == 2 && abi_take_uint(&s, 8) == 7 && abi_take_uint(&s, 64) == 8 && rc_ok(abi_end(&in)));
    for (size_t cut = 0; cut < b.n; cut += 16) { /* every truncation is refused, none crashes */
        in = abi_of((struct bytes){b.p, cut});
        (void)abi_take_address(&in);
        (void)abi_take_bytes(&in);
        s = abi_take_tuple(&in);
        (void)abi_take_bool(&s);
        (void)abi_take_bytes(&s);
        abi_join(&in, &s);
        s = abi_take_array(&in, &n, 1);
        CHECK(!rc_ok(abi_end(&in)));
    }
    b.p[5] = 1; /* dirty high bits of the address */
    in = abi_of(buf_bytes(&b));
    (void)abi_take_address(&in);
    CHECK(!rc_ok(abi_end(&in)));
    memset(b.p + 32, 0xff, 32); /* an offset near 2^256 */
    in = abi_of(buf_bytes(&b));
    (void)abi_take_u256(&in);
    CHECK(abi_take_bytes(&in).n == 0 && !rc_ok(abi_end(&in)));
}

int main(void)
{
    hex();
    base64();
    rlp();
    abi();
    return 0;
}
