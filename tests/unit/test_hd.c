/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hd.h"

#include "crypto/secp.h"
#include "encoding/hex.h"
#include "tests/test.h"

/* The accounts that every development node prints for the test phrase. */
static const char *const ACCOUNTS[] = {
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
};

int main(void)
{
    SECRET_FREE seed = {0};
    CHECK(rc_ok(hd_seed(&seed, HD_TEST_PHRASE, "")));
    for (uint32_t i = 0; i < ARRAY_LEN(ACCOUNTS); i++) {
        SECRET_FREE key = {0};
        struct address a;
        char text[HEX_ADDRESS_MAX];
        CHECK(rc_ok(hd_key(&key, &seed, i)) && rc_ok(secp_address(&a, &key)));
        CHECK(strcmp(hex_address(text, a), ACCOUNTS[i]) == 0);
    }
    SECRET_FREE vector = {0}; /* BIP-39's own vectors: passphrase TREZOR */
    CHECK(rc_ok(hd_seed(&vector,
                        "abandon abandon abandon abandon abandon abandon abandon abandon "
                        "abandon abandon abandon about",
                        "TREZOR")));
    CHECK(vector.p[0] == 0xc5 && vector.p[1] == 0x52 && vector.p[63] == 0x04);
    return 0;
}
