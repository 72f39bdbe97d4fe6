/* SPDX-License-Identifier: Apache-2.0 */
/* A key file of version 3; without a password, so that no time goes into scrypt. */
#include "daemon/client/client.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct secret key = {0};
    struct err e = {0};
    CHECK(!rc_ok(key_json_parse(&key, (struct bytes){data, size}, NULL, &e)));
    CHECK(key.p == NULL && e.msg[0] != '\0');
    return 0;
}
