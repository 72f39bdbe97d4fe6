/* SPDX-License-Identifier: Apache-2.0 */
/* The vector is a header that anvil 1.7 sealed under London's rules. */
#include "chain/ledger/ledger_int.h"
#include "crypto/keccak.h"
#include "encoding/hex.h"
#include "tests/test.h"

static void base_fee(void)
{
    /* EIP-1559: an eighth up at a full block, an eighth down at an empty one */
    CHECK(u256_eq(base_fee_next(u256_from(800), 100, 100), u256_from(900)));
    CHECK(u256_eq(base_fee_next(u256_from(800), 0, 100), u256_from(700)));
    CHECK(u256_eq(base_fee_next(u256_from(800), 50, 100), u256_from(800)));
    CHECK(u256_eq(base_fee_next(u256_from(1), 51, 100), u256_from(2)));
    CHECK(u256_is_zero(base_fee_next(u256_from(0), 100, 100)));
}

static void header(void)
{
    struct block h = {.number = 1,
                      .gas_limit = 0x1c9c380,
                      .gas_used = 0x5208,
                      .timestamp = 0x6b05e16a,
                      .base_fee = u256_from(0x3b9aca00)};
    const struct {
        struct hash *to;
        const char *text;
    } f[] = {
        {&h.parent, "0xe6c91cb0dfdaeb1584313081206906eed04dfc3c0d5302d38b581b19ce3d8c06"},
        {&h.state_root, "0x47a51018117e1390ec277e295f9f1bc311a93add28a4756c2171f93ff5b9558c"},
        {&h.tx_root, "0xfba49b3226e22682ea11c07deea19ad2bed822bfa3f18533523ba44ca96d25d4"},
        {&h.receipts_root, "0xf78dfb743fbd92ade140711c8bbc542b5e307f0ab7984eff35d751969fe57efa"},
        {&h.mix, "0xaa88929c4184f06d82974e40c2fcb6e27867ae2f9d8967f163aeb8e0218e771d"},
    };
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        CHECK(rc_ok(hex_parse_hash(f[i].to, f[i].text)));
    }
    BUF_FREE b = buf_new(4096);
    char text[HEX_HASH_MAX];
    header_put(&b, &h);
    CHECK(strcmp(hex_hash(text, keccak256(buf_bytes(&b))),
                 "0xc02f549163357c338bed1964d98849545fbe178148762ad4c92517da19b2d1fb") == 0);
    struct arena a;
    struct block again;
    const char *why;
    arena_init(&a, 4096);
    CHECK(rc_ok(header_parse(&again, &a, buf_bytes(&b), &why)) && again.number == 1);
    CHECK(hash_eq(again.hash, keccak256(buf_bytes(&b))) && again.gas_used == 0x5208);
    CHECK(!rc_ok(header_parse(&again, &a, (struct bytes){b.p, b.n - 1}, &why)));
    arena_reset(&a);
}

int main(void)
{
    base_fee();
    header();
    return 0;
}
