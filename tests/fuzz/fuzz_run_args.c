/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/runtime.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A task's arguments: words are never longer than the line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const *words = NULL;
    struct arena a;
    struct err e;
    BUF_FREE line = buf_new(1 << 20);
    put_mem(&line, data, size);
    arena_init(&a, 4 << 20);
    if (rc_ok(run_args_parse(&words, &a, buf_cstr(&line), &e))) {
        size_t total = 0;
        for (size_t i = 0; words[i] != NULL; i++) {
            total += strlen(words[i]);
            CHECK(i < IMAGE_ARGS_MAX);
        }
        CHECK(total <= size);
    }
    arena_reset(&a);
    return 0;
}
