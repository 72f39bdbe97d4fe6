/* SPDX-License-Identifier: Apache-2.0 */
#include "encoding/pem.h"

#include <stdio.h>

#include "encoding/base64.h"

/* Moves c behind the next `mark` and returns what stood before it; NULL p when there is none. */
static struct bytes take_until(struct cur *c, const char *mark)
{
    const uint8_t *at = c->n > 0 ? memmem(c->p, c->n, mark, strlen(mark)) : NULL;
    if (at == NULL) {
        return (struct bytes){0};
    }
    struct bytes before = take_bytes(c, (size_t)(at - c->p));
    (void)take_bytes(c, strlen(mark));
    return before;
}

rc pem_take(struct buf *out, struct cur *c, const char *label)
{
    char mark[80];
    (void)snprintf(mark, sizeof(mark), "-----BEGIN %.40s-----", label);
    if (take_until(c, mark).p == NULL) {
        (void)take_bytes(c, c->n);
        return RC(NOT_FOUND);
    }
    (void)snprintf(mark, sizeof(mark), "-----END %.40s-----", label);
    struct bytes text = take_until(c, mark);
    if (text.p == NULL) {
        return RC(MALFORMED);
    }
    BUF_FREE packed = buf_new(text.n);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\n' && text.p[i] != '\r' && text.p[i] != ' ' && text.p[i] != '\t') {
            put_u8(&packed, text.p[i]);
        }
    }
    return base64_decode(out, buf_bytes(&packed));
}
