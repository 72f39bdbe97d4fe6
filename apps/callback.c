/* SPDX-License-Identifier: Apache-2.0 */
/* callback - an oracle in miniature: the SHA-256 of its arguments, joined by spaces, goes to the
 * chain as the task's callback. Used by tests. */
#include "apps/lib/app.h"
#include "apps/lib/sum.h"

int main(int argc, char **argv)
{
    struct app a;
    app_init(&a, "callback");
    struct buf b = buf_new(BUF_CAP_DEFAULT);
    for (int i = 1; i < argc; i++) {
        put_fmt(&b, "%s%s", i > 1 ? " " : "", argv[i]);
    }
    struct hash h = sum_sha256(buf_bytes(&b));
    app_write(&a, "answer.txt", buf_bytes(&b));
    buf_free(&b);
    app_done_callback(&a, BYTES_OF(h));
}
