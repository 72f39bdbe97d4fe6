/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - GET and HEAD /ipfs/CID/path: files with ranges and types, directories as pages, blocks
 * and archives for who asks for them. Spec: IPFS path gateway and trustless gateway. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "daemon/store/store_int.h"
#include "io/http_parse.h"

#define PAGE_MAX  ((size_t)64 << 20)
#define IMMUTABLE "public, max-age=29030400, immutable"

enum format { FORMAT_FILE, FORMAT_RAW, FORMAT_CAR, FORMAT_TAR };

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/markdown; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".json", "application/json"},
    {".xml", "text/xml; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".pdf", "application/pdf"},
    {".wasm", "application/wasm"},
    {".zip", "application/zip"},
    {".gz", "application/gzip"},
    {".tar", "application/x-tar"},
    {".mp4", "video/mp4"},
    {".mp3", "audio/mpeg"},
};

static const char *type_by_name(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        size_t k = strlen(types[i].suffix);
        if (n > k && strcasecmp(name + n - k, types[i].suffix) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

static bool begins(struct bytes b, const char *magic, size_t n)
{
    return b.n >= n && memcmp(b.p, magic, n) == 0;
}

/* What the first bytes show. */
static const char *type_by_content(struct bytes b)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *type;
    } known[] = {
        {"PK\x03\x04", 4, "application/zip"},
        {"PK\x05\x06", 4, "application/zip"},
        {"\x89PNG\r\n\x1a\n", 8, "image/png"},
        {"\xff\xd8\xff", 3, "image/jpeg"},
        {"GIF8", 4, "image/gif"},
        {"%PDF-", 5, "application/pdf"},
        {"\x1f\x8b", 2, "application/gzip"},
        {"\0asm", 4, "application/wasm"},
        {"<!DOCTYPE html", 14, "text/html; charset=utf-8"},
        {"<!doctype html", 14, "text/html; charset=utf-8"},
        {"<html", 5, "text/html; charset=utf-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (begins(b, known[i].magic, known[i].n)) {
            return known[i].type;
        }
    }
    size_t n = MIN(b.n, (size_t)512);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = b.p[i];
        if (c < 0x20 && c != '\n' && c != '\r' && c != '\t') {
            return "application/octet-stream";
        }
        if (c >= 0xf8 || c == 0xc0 || c == 0xc1) { /* never in UTF-8 */
            return "application/octet-stream";
        }
    }
    return "text/plain; charset=utf-8";
}

static void fail(struct content_store *s, struct http_req *r, rc why, const char *path,
                 const char *msg)
{
    int status = http_status_of(why);
    status = why.code == RC_CODE_IO || why.code == RC_CODE_LIMIT ? 500 : status;
    s->m.errors += status >= 500 ? 1 : 0;
    http_reply_text(r, status, "failed to resolve %.512s: %s\n", path, msg);
}

static enum format format_of(const struct http_req *r)
{
    const char *q = http_query(r, "format");
    const char *accept = http_header(r, "accept");
    if (q != NULL) {
        return strcmp(q, "raw") == 0   ? FORMAT_RAW
               : strcmp(q, "car") == 0 ? FORMAT_CAR
               : strcmp(q, "tar") == 0 ? FORMAT_TAR
                                       : FORMAT_FILE;
    }
    if (accept != NULL && strstr(accept, "application/vnd.ipld.raw") != NULL) {
        return FORMAT_RAW;
    }
    if (accept != NULL && strstr(accept, "application/vnd.ipld.car") != NULL) {
        return FORMAT_CAR;
    }
    if (accept != NULL && strstr(accept, "application/x-tar") != NULL) {
        return FORMAT_TAR;
    }
    return FORMAT_FILE;
}

/* One of a list of entity tags, or *; weak comparison. */
static bool tag_matches(const char *list, const char *tag)
{
    if (list == NULL) {
        return false;
    }
    const char *bare = strncmp(tag, "W/", 2) == 0 ? tag + 2 : tag;
    return strcmp(list, "*") == 0 || strstr(list, bare) != NULL;
}

/* Headers of all answers; true when it has answered 304. */
static bool head(struct http_req *r, const char *path, const struct cid *root, const char *tag)
{
    char t[CID_STR_MAX];
    BUF_FREE etag = buf_new(256);
    put_fmt(&etag, "\"%s\"", tag);
    http_set_header(r, "etag", buf_cstr(&etag));
    http_set_header(r, "x-ipfs-path", path);
    http_set_header(r, "x-ipfs-roots", cid_str(root, t));
    http_set_header(r, "x-content-type-options", "nosniff");
    if (tag_matches(http_header(r, "if-none-match"), buf_cstr(&etag))) {
        http_reply(r, 304, NULL, (struct bytes){0});
        return true;
    }
    return false;
}

/* "inline; filename=…": quoted, without what could end the quotes. */
static void disposition(struct http_req *r, const char *kind, const char *name)
{
    BUF_FREE b = buf_new(1024);
    put_fmt(&b, "%s; filename=\"", kind);
    for (const char *p = name; *p != '\0' && b.n < 300; p++) {
        put_u8(&b, *p == '"' || *p == '\\' || (uint8_t)*p < 0x20 || (uint8_t)*p > 0x7e
                       ? '_'
                       : (uint8_t)*p);
    }
    put_str(&b, "\"");
    http_set_header(r, "content-disposition", buf_cstr(&b));
}

static void send_block(struct content_store *s, struct http_req *r, const char *path,
                       const struct cid *root, const struct cid *cid)
{
    struct err e = {0};
    char t[CID_STR_MAX];
    BUF_FREE block = buf_new(BLOCK_MAX);
    BUF_FREE name = buf_new(256);
    rc res = dag_block(s->blocks, cid, &block, &e);
    if (!rc_ok(res)) {
        fail(s, r, res, path, e.msg);
        return;
    }
    put_fmt(&name, "%s.raw", cid_str(cid, t));
    http_set_header(r, "cache-control", IMMUTABLE);
    if (head(r, path, root, buf_cstr(&name))) {
        return;
    }
    buf_reset(&name);
    put_fmt(&name, "%s.bin", t);
    disposition(r, "attachment", buf_cstr(&name));
    s->m.reads++;
    s->m.read_bytes += block.n;
    http_reply_buf(r, 200, "application/vnd.ipld.raw", &block);
}

static void send_car(struct content_store *s, struct http_req *r, const char *path,
                     const struct cid *root, const struct cid *cid)
{
    struct err e = {0};
    uint8_t first;
    uint64_t size;
    char t[CID_STR_MAX];
    const char *scope = http_query(r, "dag-scope");
    BUF_FREE name = buf_new(256);
    rc res = dag_peek(s->blocks, cid, &first, &size, &e);
    if (!rc_ok(res)) {
        fail(s, r, res, path, e.msg);
        return;
    }
    bool shallow = scope != NULL && strcmp(scope, "block") == 0;
    put_fmt(&name, "%s.car%s", cid_str(cid, t), shallow ? ".block" : "");
    http_set_header(r, "cache-control", IMMUTABLE);
    if (head(r, path, root, buf_cstr(&name))) {
        return;
    }
    BUF_FREE file = buf_new(256);
    put_fmt(&file, "%s.car", t);
    disposition(r, "attachment", buf_cstr(&file));
    stream_car(s, r, cid, shallow);
}

/* --- files --- */

/* The first bytes, for the type; reads one block. */
static const char *sniff(struct content_store *s, const struct cid *cid, const char *name)
{
    const char *type = type_by_name(name);
    struct file_reader f;
    struct bytes start = {0};
    if (type != NULL) {
        return type;
    }
    type = "application/octet-stream";
    if (rc_ok(file_open(&f, s->blocks, cid, NULL)) && rc_ok(file_next(&f, &start, NULL))) {
        type = type_by_content(start);
    }
    file_close(&f);
    return type;
}

static void send_file(struct content_store *s, struct http_req *r, const char *path,
                      const struct cid *root, const struct cid *cid, const char *name)
{
    struct err e = {0};
    struct file_reader f;
    char t[CID_STR_MAX];
    rc res = file_open(&f, s->blocks, cid, &e);
    if (!rc_ok(res)) {
        file_close(&f);
        fail(s, r, res, path, e.msg);
        return;
    }
    http_set_header(r, "cache-control", IMMUTABLE);
    http_set_header(r, "accept-ranges", "bytes");
    if (head(r, path, root, cid_str(cid, t))) {
        file_close(&f);
        return;
    }
    const char *as = http_query(r, "filename");
    if (as != NULL) {
        disposition(r, api_flag(r, "download", false) ? "attachment" : "inline", as);
    }
    char text[80];
    uint64_t off;
    uint64_t n;
    int status = 200;
    enum http_range range = http_range_parse(http_header(r, "range"), f.size, &off, &n);
    if (range == HTTP_RANGE_BAD) {
        (void)snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)f.size);
        http_set_header(r, "content-range", text);
        http_reply_text(r, 416, "the file has %llu bytes\n", (unsigned long long)f.size);
        file_close(&f);
        return;
    }
    if (range == HTTP_RANGE_PART) {
        status = 206;
        (void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)off,
                       (unsigned long long)(off + n - 1), (unsigned long long)f.size);
        http_set_header(r, "content-range", text);
        file_range(&f, off, n);
    }
    stream_file(s, r, status, sniff(s, cid, as != NULL ? as : name), &f);
}

/* --- directories --- */

static void put_html(struct buf *b, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '&':
            put_str(b, "&amp;");
            break;
        case '<':
            put_str(b, "&lt;");
            break;
        case '>':
            put_str(b, "&gt;");
            break;
        case '"':
            put_str(b, "&quot;");
            break;
        default:
            put_u8(b, text.p[i]);
        }
    }
}

static void put_url(struct buf *b, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            put_u8(b, c);
        } else {
            put_fmt(b, "%%%02X", c);
        }
    }
}

struct page {
    struct buf b;
    struct cid index; /* of index.html */
    bool has_index;
};

static rc page_entry(void *ctx, struct bytes name, const struct cid *cid, uint64_t tsize)
{
    struct page *p = ctx;
    char t[CID_STR_MAX];
    if (bytes_eq(name, BYTES_LIT("index.html"))) {
        p->index = *cid;
        p->has_index = true;
    }
    put_str(&p->b, "<tr><td><a href=\"./");
    put_url(&p->b, name);
    put_str(&p->b, "\">");
    put_html(&p->b, name);
    put_fmt(&p->b, "</a></td><td>%llu</td><td><code>%s</code></td></tr>\n",
            (unsigned long long)tsize, cid_str(cid, t));
    return buf_end(&p->b);
}

static void send_dir(struct content_store *s, struct http_req *r, const char *path,
                     const struct cid *root, const struct cid *cid)
{
    struct err e = {0};
    struct page p = {.b = buf_new(PAGE_MAX)};
    char t[CID_STR_MAX];
    put_str(&p.b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    put_html(&p.b, bytes_str(path));
    put_str(&p.b, "</title></head><body><h1>");
    put_html(&p.b, bytes_str(path));
    put_str(&p.b, "</h1>\n<table>\n");
    rc res = dag_dir(s->blocks, cid, page_entry, &p, &e);
    if (!rc_ok(res)) {
        fail(s, r, res, path, e.msg[0] != '\0' ? e.msg : "the directory is too long");
    } else if (path[strlen(path) - 1] != '/') { /* so that relative links work */
        BUF_FREE to = buf_new(16384);
        for (const char *q = path; *q != '\0'; q++) {
            if (*q == '/') {
                put_str(&to, "/");
            } else {
                put_url(&to, (struct bytes){(const uint8_t *)q, 1});
            }
        }
        put_str(&to, "/");
        http_set_header(r, "location", buf_cstr(&to));
        http_reply(r, 301, "text/plain; charset=utf-8", (struct bytes){0});
    } else if (p.has_index) {
        send_file(s, r, path, root, &p.index, "index.html");
    } else if (!head(r, path, root, cid_str(cid, t))) {
        put_str(&p.b, "</table>\n</body></html>\n");
        http_reply_buf(r, 200, "text/html; charset=utf-8", &p.b);
    }
    buf_free(&p.b);
}

static void on_path(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct err e = {0};
    struct cid root;
    struct cid cid;
    struct node_info info = {0};
    const char *path = http_path(r);
    BUF_FREE rest = buf_new(4096);
    rc res = dag_resolve(s->blocks, path, &root, &cid, &rest, &e);
    if (rc_ok(res) && rest.n > 0) {
        res = err_set(&e, RC_CODE_NOT_FOUND, "the path ends inside a block");
    }
    if (!rc_ok(res)) {
        fail(s, r, res, path, e.msg);
        return;
    }
    enum format format = format_of(r);
    if (format == FORMAT_RAW) {
        send_block(s, r, path, &root, &cid);
        return;
    }
    if (format == FORMAT_CAR) {
        send_car(s, r, path, &root, &cid);
        return;
    }
    if (cid.codec != CID_RAW && cid.codec != CID_DAG_PB) {
        send_block(s, r, path, &root, &cid); /* data of another kind: as it is */
        return;
    }
    res = dag_info(s->blocks, &cid, &info, &e);
    bool dir = info.type == UNIXFS_DIRECTORY || info.type == UNIXFS_HAMT;
    buf_free(&info.target);
    if (!rc_ok(res)) {
        fail(s, r, res, path, e.msg);
        return;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (format == FORMAT_TAR) {
        char t[CID_STR_MAX];
        stream_tar(s, r, &cid, name[0] != '\0' ? name : cid_str(&cid, t));
    } else if (dir) {
        send_dir(s, r, path, &root, &cid);
    } else {
        send_file(s, r, path, &root, &cid, name);
    }
}

/* clang-format off */
const struct http_route gateway_routes[] = {
    {"GET", "/ipfs/*", 0, on_path, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
/* clang-format on */
