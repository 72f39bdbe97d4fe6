/* SPDX-License-Identifier: Apache-2.0 */
/* hash - the smallest useful application: SHA-256 of the arguments, of each input file and of the
 * rented dataset, when there is one. Used by tests and benchmarks. */
#include <stdlib.h>

#include "apps/lib/app.h"
#include "apps/lib/sum.h"

#define FILE_MAX ((size_t)256 << 20)

static void put_line(struct buf *b, struct hash h, const char *what)
{
    for (size_t i = 0; i < sizeof(h.b); i++) {
        put_fmt(b, "%02x", h.b[i]);
    }
    put_fmt(b, "  %s\n", what);
}

int main(int argc, char **argv)
{
    struct app a;
    app_init(&a, "hash");
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    for (int i = 1; i < argc; i++) {
        put_line(&b, sum_sha256(bytes_str(argv[i])), "argument");
    }
    const char *count = getenv("IEXEC_INPUT_FILES_NUMBER");
    unsigned long n = count != NULL ? strtoul(count, NULL, 10) : 0;
    for (unsigned i = 1; i <= n && i <= 1000; i++) {
        put_line(&b, sum_sha256(app_input(&a, i, FILE_MAX)), "input");
        arena_reset(&a.mem);
    }
    const char *dataset = getenv("IEXEC_DATASET_FILENAME"); /* the zero address: none */
    if (dataset != NULL && dataset[strspn(dataset, "0x")] != '\0') {
        put_line(&b, sum_sha256(app_model(&a, FILE_MAX)), "dataset");
    }
    app_write(&a, "answer.txt", buf_bytes(&b));
    buf_free(&b);
    app_done(&a);
}
