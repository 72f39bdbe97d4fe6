/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_HTTP_PARSE_H
#define SOUK_IO_HTTP_PARSE_H

/* http_parse.h - the bytes of HTTP/1.1 (RFC 9112) and WebSocket frames (RFC 6455), without I/O.
 * Strict where leniency lets two parsers disagree: CRLF only, no folded headers, no spaces before
 * a colon, one Content-Length or chunked, never both. */

#include "base/arena.h"
#include "base/cur.h"

#define HTTP_HEADERS_MAX 100

struct http_pair {
    const char *name, *value;
};

struct http_head {
    const char *method;
    char *target;   /* origin form: "/path?query", "*"; an absolute form is cut down to it */
    unsigned minor; /* HTTP/1.minor: 0 or 1 */
    struct http_pair h[HTTP_HEADERS_MAX];
    size_t n;
};

/* Offset behind the empty line that ends a head, 0 when it is not there yet. Looks from `from`,
 * so that a head arriving in small parts is not searched again. */
size_t http_head_end(struct bytes in, size_t from);

/* Parses a whole head in place: text is n characters that end with the empty line; it is cut into
 * NUL-terminated strings that out points to. *why names the fault. */
rc http_head_parse(struct http_head *out, char *text, size_t n, const char **why);

/* Value of a header, any case; NULL when absent. */
const char *http_head_get(const struct http_head *h, const char *name);

/* Whether a comma-separated header value lists the token, any case. */
bool http_has_token(const char *value, const char *token);

/* How the body is framed: *chunked, or *length bytes (0: none). MALFORMED for contradictions. */
rc http_body_frame(const struct http_head *h, bool *chunked, uint64_t *length, const char **why);

/* Percent-decodes text in place; plus: '+' is a space. MALFORMED for a broken escape or a NUL. */
rc http_decode(char *text, bool plus);

/* Cuts "a=1&b" in place into decoded pairs; LIMIT beyond max. */
rc http_query_parse(char *text, struct http_pair *out, size_t max, size_t *n);

/* Decoder of chunked bodies; zeroed to start. */
struct http_chunks {
    int state; /* private */
    uint64_t left;
    unsigned digits;
    size_t line;  /* bytes of the current size line or trailer */
    size_t extra; /* bytes of extensions and trailers in all */
};

/* Takes a prefix of in: *part is a piece of the body inside it (maybe empty), *used the bytes
 * taken, *done set behind the last chunk. Call again while *used > 0 and not *done. */
rc http_chunks_take(struct http_chunks *c, struct bytes in, struct bytes *part, size_t *used,
                    bool *done);

/* One frame header of a client. */
struct ws_frame {
    bool fin;
    unsigned opcode;
    uint64_t size;
    uint8_t mask[4];
    size_t head; /* bytes of the header */
};

/* *whole is false while bytes are missing. MALFORMED for reserved bits or opcodes, missing mask,
 * long or split control frames, sizes not in their shortest form. */
rc ws_frame_parse(struct ws_frame *f, struct bytes in, bool *whole);
void ws_unmask(uint8_t *p, size_t n, const uint8_t mask[4], size_t offset);

bool utf8_valid(struct bytes text);

#endif /* SOUK_IO_HTTP_PARSE_H */
