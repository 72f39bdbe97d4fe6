/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_parse.h"

#include <strings.h>

#include "io/http_server.h"

#define CHUNK_LINE_MAX  256  /* a size with extensions, or one trailer line */
#define CHUNK_EXTRA_MAX 8192 /* trailers in all */

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t http_head_end(struct bytes in, size_t from)
{
    for (size_t i = from > 3 ? from - 3 : 0; i + 4 <= in.n; i++) {
        const uint8_t *p = memchr(in.p + i, '\r', in.n - i - 3);
        if (p == NULL) {
            return 0;
        }
        i = (size_t)(p - in.p);
        if (memcmp(p, "\r\n\r\n", 4) == 0) {
            return i + 4;
        }
    }
    return 0;
}

/* Cuts the next line at its CRLF and returns it; NULL for a bare CR, LF or NUL inside. */
static char *take_line(char **at, char *end)
{
    char *line = *at;
    for (char *p = line; p + 1 < end; p++) {
        if (p[0] == '\r' && p[1] == '\n') {
            *p = 0;
            *at = p + 2;
            return line;
        }
        if (*p == '\r' || *p == '\n' || *p == 0) {
            return NULL;
        }
    }
    return NULL;
}

static rc bad(const char **why, const char *text)
{
    *why = text;
    return RC(MALFORMED);
}

/* RFC 9112 3: method SP request-target SP HTTP-version. */
static rc parse_request_line(struct http_head *out, char *line, const char **why)
{
    char *sp = strchr(line, ' ');
    char *sp2 = sp == NULL ? NULL : strchr(sp + 1, ' ');
    if (sp2 == NULL || sp == line || strncmp(sp2 + 1, "HTTP/1.", 7) != 0 ||
        (sp2[8] != '0' && sp2[8] != '1') || sp2[9] != 0) {
        return bad(why, "the request line is not METHOD TARGET HTTP/1.1");
    }
    *sp = 0;
    *sp2 = 0;
    for (const char *p = line; *p != 0; p++) {
        if (!is_token(*p)) {
            return bad(why, "the method has characters that are not allowed");
        }
    }
    char *target = sp + 1;
    for (const char *p = target; *p != 0; p++) {
        if (*p <= ' ' || *p == 0x7f || *p == '#') {
            return bad(why, "the target has characters that are not allowed");
        }
    }
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        char *slash = strchr(strstr(target, "//") + 2, '/');
        if (slash == NULL) { /* "http://host" means its root */
            memcpy(target, "/", 2);
        } else {
            target = slash;
        }
    }
    if (target[0] != '/' && strcmp(target, "*") != 0) {
        return bad(why, "the target does not start with '/'");
    }
    out->method = line;
    out->target = target;
    out->minor = sp2[8] == '1';
    return RC_OK;
}

static rc parse_header(struct http_pair *out, char *line, const char **why)
{
    char *colon = strchr(line, ':');
    if (colon == NULL || colon == line) {
        return bad(why, "a header line has no name");
    }
    for (const char *p = line; p < colon; p++) {
        if (!is_token(*p)) {
            return bad(why, "a header name has characters that are not allowed");
        }
    }
    *colon = 0;
    char *v = colon + 1;
    v += strspn(v, " \t");
    size_t n = strlen(v);
    while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t')) {
        v[--n] = 0;
    }
    for (const char *p = v; *p != 0; p++) {
        if ((*p > 0 && *p < ' ' && *p != '\t') || *p == 0x7f) {
            return bad(why, "a header value has control characters");
        }
    }
    *out = (struct http_pair){line, v};
    return RC_OK;
}

rc http_head_parse(struct http_head *out, char *text, size_t n, const char **why)
{
    *out = (struct http_head){0};
    char *at = text;
    char *end = text + n;
    char *line = take_line(&at, end);
    if (line == NULL) {
        return bad(why, "a line does not end with CR LF");
    }
    TRY(parse_request_line(out, line, why));
    for (;;) {
        line = take_line(&at, end);
        if (line == NULL) {
            return bad(why, "a line does not end with CR LF");
        }
        if (*line == 0) {
            return at == end ? RC_OK : bad(why, "bytes behind the head");
        }
        if (out->n == HTTP_HEADERS_MAX) {
            *why = "too many headers";
            return RC(LIMIT);
        }
        TRY(parse_header(&out->h[out->n], line, why));
        out->n++;
    }
}

const char *http_head_get(const struct http_head *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++) {
        if (strcasecmp(h->h[i].name, name) == 0) {
            return h->h[i].value;
        }
    }
    return NULL;
}

bool http_has_token(const char *value, const char *token)
{
    size_t n = strlen(token);
    for (const char *p = value; p != NULL && *p != 0;) {
        p += strspn(p, " \t,");
        size_t len = strcspn(p, " \t,;");
        if (len == n && strncasecmp(p, token, n) == 0) {
            return true;
        }
        p = strchr(p, ',');
    }
    return false;
}

/* RFC 9112 6.3. A request with both framings may be an attack on a proxy: refused. */
rc http_body_frame(const struct http_head *h, bool *chunked, uint64_t *length, const char **why)
{
    const char *te = NULL;
    const char *cl = NULL;
    *chunked = false;
    *length = 0;
    for (size_t i = 0; i < h->n; i++) {
        const char **into = strcasecmp(h->h[i].name, "transfer-encoding") == 0 ? &te
                            : strcasecmp(h->h[i].name, "content-length") == 0  ? &cl
                                                                               : NULL;
        if (into != NULL && *into != NULL) {
            return bad(why, "the body's length is given twice");
        }
        if (into != NULL) {
            *into = h->h[i].value;
        }
    }
    if (te != NULL) {
        *chunked = true;
        return cl == NULL && h->minor == 1 && strcasecmp(te, "chunked") == 0
                   ? RC_OK
                   : bad(why, "the only transfer encoding is chunked, without Content-Length");
    }
    if (cl == NULL) {
        return RC_OK;
    }
    size_t n = strlen(cl);
    if (n == 0 || n > 18 || strspn(cl, "0123456789") != n) {
        return bad(why, "Content-Length is not a number");
    }
    for (size_t i = 0; i < n; i++) {
        *length = *length * 10 + (uint64_t)(cl[i] - '0');
    }
    return RC_OK;
}

rc http_decode(char *text, bool plus)
{
    char *out = text;
    for (const char *p = text; *p != 0; p++) {
        if (*p == '%') {
            int hi = hex_digit(p[1]);
            int lo = hi < 0 ? -1 : hex_digit(p[2]);
            if (lo < 0 || (hi == 0 && lo == 0)) {
                return RC(MALFORMED);
            }
            *out++ = (char)(hi << 4 | lo);
            p += 2;
        } else {
            *out++ = plus && *p == '+' ? ' ' : *p;
        }
    }
    *out = 0;
    return RC_OK;
}

rc http_query_parse(char *text, struct http_pair *out, size_t max, size_t *n)
{
    *n = 0;
    for (char *p = text; p != NULL && *p != 0;) {
        char *amp = strchr(p, '&');
        if (amp != NULL) {
            *amp++ = 0;
        }
        if (*p != 0) {
            if (*n == max) {
                return RC(LIMIT);
            }
            char *eq = strchr(p, '=');
            char *value = eq == NULL ? p + strlen(p) : eq + 1;
            if (eq != NULL) {
                *eq = 0;
            }
            TRY(http_decode(p, true));
            TRY(http_decode(value, true));
            out[(*n)++] = (struct http_pair){p, value};
        }
        p = amp;
    }
    return RC_OK;
}

/* --- chunked bodies: RFC 9112 7.1 --- */

enum {
    CHUNK_SIZE,
    CHUNK_EXT,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_CR,
    CHUNK_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF
};

static rc chunk_size_byte(struct http_chunks *c, char ch)
{
    int d = hex_digit(ch);
    if (d >= 0) {
        if (++c->digits > 15) {
            return RC(MALFORMED);
        }
        c->left = c->left << 4 | (uint64_t)d;
        return RC_OK;
    }
    if (c->digits == 0) {
        return RC(MALFORMED);
    }
    if (ch == '\r') {
        c->state = CHUNK_SIZE_LF;
        return RC_OK;
    }
    c->state = CHUNK_EXT;
    return ch == ';' || ch == ' ' || ch == '\t' ? RC_OK : RC(MALFORMED);
}

static rc chunk_line_byte(struct http_chunks *c, char ch, bool *done)
{
    if (++c->line > CHUNK_LINE_MAX || ++c->extra > CHUNK_EXTRA_MAX) {
        return RC(LIMIT);
    }
    switch (c->state) {
    case CHUNK_SIZE:
        return chunk_size_byte(c, ch);
    case CHUNK_EXT:
        c->state = ch == '\r' ? CHUNK_SIZE_LF : CHUNK_EXT;
        return ch == '\n' ? RC(MALFORMED) : RC_OK;
    case CHUNK_SIZE_LF:
        c->extra -= c->line; /* only trailers and extensions count in all */
        c->line = 0;
        c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return ch == '\n' ? RC_OK : RC(MALFORMED);
    case CHUNK_CR:
        c->state = CHUNK_LF;
        return ch == '\r' ? RC_OK : RC(MALFORMED);
    case CHUNK_LF:
        c->state = CHUNK_SIZE;
        c->digits = 0;
        c->line = 0;
        return ch == '\n' ? RC_OK : RC(MALFORMED);
    case CHUNK_TRAILER:
        c->state = ch == '\r' ? CHUNK_TRAILER_LF : CHUNK_TRAILER;
        return ch == '\n' ? RC(MALFORMED) : RC_OK;
    default: /* CHUNK_TRAILER_LF: an empty line ends the body */
        *done = c->line == 2;
        c->line = 0;
        c->state = CHUNK_TRAILER;
        return ch == '\n' ? RC_OK : RC(MALFORMED);
    }
}

rc http_chunks_take(struct http_chunks *c, struct bytes in, struct bytes *part, size_t *used,
                    bool *done)
{
    *part = (struct bytes){0};
    *done = false;
    size_t i = 0;
    while (i < in.n && c->state != CHUNK_DATA && !*done) {
        TRY(chunk_line_byte(c, (char)in.p[i], done));
        i++;
    }
    if (i < in.n && c->state == CHUNK_DATA) {
        *part = (struct bytes){in.p + i, MIN(c->left, in.n - i)};
        i += part->n;
        c->left -= part->n;
        if (c->left == 0) {
            c->state = CHUNK_CR;
        }
    }
    *used = i;
    return RC_OK;
}

/* --- ranges: RFC 9110 14.2 --- */

static bool take_number(const char **p, uint64_t *v)
{
    size_t n = strspn(*p, "0123456789");
    *v = 0;
    if (n == 0 || n > 18) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        *v = *v * 10 + (uint64_t)((*p)[i] - '0');
    }
    *p += n;
    return true;
}

enum http_range http_range_parse(const char *header, uint64_t size, uint64_t *off, uint64_t *n)
{
    uint64_t first;
    uint64_t last;
    *off = 0;
    *n = size;
    if (header == NULL || strncasecmp(header, "bytes=", 6) != 0 || strchr(header, ',') != NULL) {
        return HTTP_RANGE_NONE;
    }
    const char *p = header + 6;
    if (*p == '-') {
        p++;
        if (!take_number(&p, &last) || *p != 0) {
            return HTTP_RANGE_NONE;
        }
        *n = MIN(last, size);
        *off = size - *n;
        return *n == 0 ? HTTP_RANGE_BAD : HTTP_RANGE_PART;
    }
    if (!take_number(&p, &first) || *p++ != '-') {
        return HTTP_RANGE_NONE;
    }
    if (*p == 0) {
        last = UINT64_MAX;
    } else if (!take_number(&p, &last) || *p != 0 || last < first) {
        return HTTP_RANGE_NONE;
    }
    if (first >= size) {
        return HTTP_RANGE_BAD;
    }
    *off = first;
    *n = MIN(last, size - 1) - first + 1;
    return HTTP_RANGE_PART;
}

/* --- WebSocket frames: RFC 6455 5.2 --- */

rc ws_frame_parse(struct ws_frame *f, struct bytes in, bool *whole)
{
    *f = (struct ws_frame){0};
    *whole = false;
    if (in.n < 2) {
        return RC_OK;
    }
    f->fin = (in.p[0] & 0x80) != 0;
    f->opcode = in.p[0] & 0x0f;
    unsigned len = in.p[1] & 0x7f;
    bool control = f->opcode >= 8;
    if ((in.p[0] & 0x70) != 0 || (in.p[1] & 0x80) == 0 || (f->opcode > 2 && f->opcode < 8) ||
        f->opcode > 10 || (control && (!f->fin || len > 125))) {
        return RC(MALFORMED);
    }
    size_t ext = len == 126 ? 2 : len == 127 ? 8 : 0;
    f->head = 2 + ext + 4;
    if (in.n < f->head) {
        return RC_OK;
    }
    struct cur c = cur_of((struct bytes){in.p + 2, ext + 4});
    f->size = ext == 0 ? len : take_be(&c, ext);
    if ((ext == 2 && f->size < 126) || (ext == 8 && (f->size < 65536 || f->size >> 63 != 0))) {
        return RC(MALFORMED);
    }
    memcpy(f->mask, c.p, 4);
    *whole = true;
    return RC_OK;
}

void ws_unmask(uint8_t *p, size_t n, const uint8_t mask[4], size_t offset)
{
    for (size_t i = 0; i < n; i++) {
        p[i] ^= mask[(offset + i) & 3];
    }
}

bool utf8_valid(struct bytes text)
{
    for (size_t i = 0; i < text.n;) {
        uint64_t eight;
        if (text.n - i >= sizeof(eight)) { /* plain text goes by in strides */
            memcpy(&eight, text.p + i, sizeof(eight));
            if ((eight & 0x8080808080808080U) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        uint8_t b = text.p[i++];
        if (b < 0x80) {
            continue;
        }
        unsigned more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : 1;
        if (b < 0xc2 || b > 0xf4 || text.n - i < more) {
            return false;
        }
        uint32_t v = b & (0x3fU >> more);
        for (unsigned k = 0; k < more; k++) {
            uint8_t t = text.p[i++];
            if ((t & 0xc0) != 0x80) {
                return false;
            }
            v = v << 6 | (t & 0x3fU);
        }
        if ((more == 2 && (v < 0x800 || (v >= 0xd800 && v < 0xe000))) ||
            (more == 3 && (v < 0x10000 || v > 0x10ffff))) {
            return false;
        }
    }
    return true;
}
