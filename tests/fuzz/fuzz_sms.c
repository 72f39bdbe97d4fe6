/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sms/sms_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bodies that strangers send: an authorisation, a provisioning request, evidence to be judged, a
 * file of storage keys. Each is read whole or refused with a sentence. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    struct session se;
    struct provision_req *q = NULL;
    struct keyring k;
    struct arena a;
    struct err e = {0};
    arena_init(&a, 4 << 20);
    if (!rc_ok(session_parse(&se, in, &e))) {
        CHECK(e.msg[0] != '\0');
    }
    for (int verify = 0; verify < 2; verify++) {
        e.msg[0] = '\0';
        if (!rc_ok(provision_parse(&q, &a, in, verify != 0, &e))) {
            CHECK(e.msg[0] != '\0');
        }
    }
    if (rc_ok(keyring_parse(&k, in, &e))) {
        CHECK(k.n > 0 && k.n <= KEYS_MAX);
        keyring_free(&k);
    }
    (void)utf8_is_valid(in);
    arena_reset(&a);
    return 0;
}
