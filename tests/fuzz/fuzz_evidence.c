/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/attest.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* attest_verify() over every kind and envelope: no bytes without a trust anchor are accepted, the
 * memory stays within its bound, and both renderings hold together. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct verdict v;
    struct arena a;
    struct attest_input in = {
        .evidence = {data, size}, .now = 1700000000, .no_builtin_roots = true};
    arena_init(&a, ATTEST_SCRATCH);
    CHECK(!attest_verify(&v, &in, &a));
    CHECK(attest_first_broken(&v) < ATTEST_LINKS);
    BUF_FREE text = buf_new(1 << 20);
    attest_put_text(&text, &v);
    buf_reset(&text);
    attest_put_json(&text, &v);
    arena_reset(&a);
    (void)attest_show(&v, &in, &a);
    buf_reset(&text);
    attest_put_json(&text, &v);
    arena_reset(&a);
    return 0;
}
