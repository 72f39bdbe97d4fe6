/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_ENCODING_MULTIPART_H
#define SOUK_ENCODING_MULTIPART_H

/* multipart.h - reads a multipart/form-data body piece by piece. Spec: RFC 7578 on RFC 2046, 5.1.
 *
 * Data is handed on as it comes, never collected; only the headers of a part and a delimiter that
 * may have begun are kept. */

#include "base/buf.h"

#define MULTIPART_BOUNDARY_MAX 70   /* RFC 2046 */
#define MULTIPART_HEADERS_MAX  8192 /* bytes of the headers of one part */

struct multipart_part { /* views, valid in on_part only; empty when absent */
    struct bytes name, filename, content_type;
    bool has_filename;
};

struct multipart_handler {
    rc (*on_part)(void *ctx, const struct multipart_part *part);
    rc (*on_data)(void *ctx, struct bytes data);
    rc (*on_part_end)(void *ctx);
};

enum multipart_state { MULTIPART_DATA, MULTIPART_DELIMITER, MULTIPART_HEADERS, MULTIPART_END };

struct multipart {
    const struct multipart_handler *handler;
    void *ctx;
    enum multipart_state state;
    bool in_part;   /* false in the preamble */
    size_t matched; /* bytes of the delimiter seen at the end of the input so far */
    size_t n_delim;
    char delim[MULTIPART_BOUNDARY_MAX + 4]; /* CR LF - - boundary */
    struct buf head;
    const char *bad; /* why the last feed failed, static; NULL when a handler refused */
};

/* content_type is the request's header. MALFORMED when it is not multipart/form-data with a proper
 * boundary. The owner calls multipart_close(). */
rc multipart_open(struct multipart *m, struct bytes content_type,
                  const struct multipart_handler *handler, void *ctx);
void multipart_close(struct multipart *m);

/* The next bytes of the body. Fails with MALFORMED or LIMIT for bad input (m->bad says why) and
 * passes on what a handler returned. Call it no more after a failure. */
rc multipart_feed(struct multipart *m, struct bytes in);

/* The body has ended: MALFORMED when its last delimiter has not come. */
rc multipart_end(struct multipart *m);

#endif /* SOUK_ENCODING_MULTIPART_H */
