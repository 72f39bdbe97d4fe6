/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "io/file.h"
#include "io/json.h"

#define ERROR_TEXT_MAX ((size_t)4096) /* of a refusal's body when the file was wanted */

struct http_client {
    CURL *curl;
    char error[CURL_ERROR_SIZE];
};

/* What the callbacks of one call need. */
struct run {
    struct http_client *c;
    struct http_answer *ans;
    const struct http_call *call;
    uint64_t file_max;
    bool too_long, stopped;
    rc file_rc;
    struct err file_err;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

rc http_client_open(struct http_client **out, struct err *e)
{
    (void)pthread_once(&once, global_init);
    struct http_client *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    c->curl = curl_easy_init();
    if (c->curl == NULL) {
        free(c);
        return err_set(e, RC_CODE_IO, "start the HTTP client: libcurl refused");
    }
    *out = c;
    return RC_OK;
}

void http_client_close(struct http_client *c)
{
    if (c != NULL) {
        curl_easy_cleanup(c->curl);
        free(c);
    }
}

void http_answer_free(struct http_answer *ans)
{
    buf_free(&ans->body);
}

static bool to_file(const struct run *r)
{
    long status = 0;
    (void)curl_easy_getinfo(r->c->curl, CURLINFO_RESPONSE_CODE, &status);
    return r->call->out_fd > 0 && status >= 200 && status < 300;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct run *r = ctx;
    struct bytes in = {(const uint8_t *)p, size * n};
    if (to_file(r)) {
        if (in.n > r->file_max - r->ans->file_bytes) {
            r->too_long = true;
            return 0;
        }
        r->file_rc = fd_write_all(r->call->out_fd, in, &r->file_err);
        r->ans->file_bytes += in.n;
        return rc_ok(r->file_rc) ? in.n : 0;
    }
    if (r->call->out_fd > 0) { /* a refusal: its first words are enough */
        size_t room = ERROR_TEXT_MAX - MIN(ERROR_TEXT_MAX, r->ans->body.n);
        put_mem(&r->ans->body, in.p, MIN(in.n, room));
        return in.n;
    }
    put_bytes(&r->ans->body, in);
    r->too_long = r->ans->body.full;
    return r->too_long ? 0 : in.n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct run *r = ctx;
    (void)a, (void)b, (void)c, (void)d;
    r->stopped = r->call->stop != NULL && r->call->stop(r->call->stop_ctx);
    return r->stopped;
}

#define SET(c, opt, value) ASSERT(curl_easy_setopt((c), (opt), (value)) == CURLE_OK)

static void set_method(CURL *h, const struct http_call *call)
{
    bool body = call->body.n > 0 || call->n_parts > 0;
    const char *m = call->method != NULL ? call->method : body ? "POST" : "GET";
    if (call->n_parts == 0 && (body || strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0)) {
        SET(h, CURLOPT_POST, 1L);
        SET(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        SET(h, CURLOPT_POSTFIELDS, call->body.n > 0 ? (const char *)call->body.p : "");
    }
    if (strcmp(m, "HEAD") == 0) {
        SET(h, CURLOPT_NOBODY, 1L);
    } else if (strcmp(m, "GET") != 0 || body) {
        SET(h, CURLOPT_CUSTOMREQUEST, m);
    }
}

static curl_mime *make_mime(CURL *h, const struct http_call *call, bool *ok)
{
    curl_mime *m = curl_mime_init(h);
    ASSERT(m != NULL);
    for (size_t i = 0; i < call->n_parts; i++) {
        const struct http_part *p = &call->parts[i];
        curl_mimepart *part = curl_mime_addpart(m);
        ASSERT(part != NULL);
        CURLcode r =
            p->path != NULL
                ? curl_mime_filedata(part, p->path)
                : curl_mime_data(part, p->data.n > 0 ? (const char *)p->data.p : "", p->data.n);
        *ok = *ok && r == CURLE_OK;
        (void)curl_mime_name(part, p->name);
        (void)curl_mime_filename(part, p->filename != NULL ? p->filename : "file");
        (void)curl_mime_type(part, p->type != NULL ? p->type : "application/octet-stream");
    }
    return m;
}

static struct curl_slist *make_headers(const struct http_call *call)
{
    struct curl_slist *l = curl_slist_append(NULL, "Expect:"); /* no round trip before the body */
    char line[160];
    if (call->n_parts == 0) {
        (void)snprintf(line, sizeof(line), "Content-Type:%s%s", call->type != NULL ? " " : "",
                       call->type != NULL ? call->type : "");
        l = curl_slist_append(l, line);
    }
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        l = curl_slist_append(l, call->headers[i]);
    }
    ASSERT(l != NULL);
    return l;
}

/* "http://host:port" of a URL, for messages: query and path may hold what logs must not. */
static void host_of(char out[120], const char *url)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    (void)snprintf(out, 120, "%.*s", (int)MIN(strcspn(host, "/?#"), (size_t)100), host);
}

static rc explain(struct run *r, CURLcode code, struct err *e)
{
    char host[120];
    long os = 0;
    host_of(host, r->call->url);
    (void)curl_easy_getinfo(r->c->curl, CURLINFO_OS_ERRNO, &os);
    if (r->too_long) {
        return err_set(e, RC_CODE_LIMIT, "%s: the answer is longer than allowed", host);
    }
    if (!rc_ok(r->file_rc)) {
        return err_set(e, r->file_rc.code, "%s: store the answer: %s", host, r->file_err.msg);
    }
    if (r->stopped) {
        return err_set(e, RC_CODE_LIMIT, "%s: stopped while waiting for the answer", host);
    }
    if (code == CURLE_COULDNT_CONNECT && os != 0) {
        return err_set(e, RC_CODE_IO, "connect to %s: %s", host, strerror((int)os));
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        uint64_t ms = r->call->timeout_ms > 0 ? r->call->timeout_ms : HTTP_CALL_TIMEOUT_MS;
        return err_set(e, RC_CODE_LIMIT, "%s: no answer within %llu ms", host,
                       (unsigned long long)ms);
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        return err_set(e, RC_CODE_MALFORMED, "'%.100s' is no http:// or https:// address",
                       r->call->url);
    }
    return err_set(e, RC_CODE_IO, "connect to %s: %s", host,
                   r->c->error[0] != '\0' ? r->c->error : curl_easy_strerror(code));
}

static void set_limits(CURL *h, const struct http_call *call, struct run *r)
{
    uint64_t ms = call->timeout_ms > 0 ? call->timeout_ms : HTTP_CALL_TIMEOUT_MS;
    SET(h, CURLOPT_NOSIGNAL, 1L);
    SET(h, CURLOPT_PROXY, "");
    SET(h, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(h, CURLOPT_TIMEOUT_MS, (long)MIN(ms, (uint64_t)7 * 24 * 3600 * 1000));
    SET(h, CURLOPT_TCP_NODELAY, 1L);
    SET(h, CURLOPT_USERAGENT, "souk");
    SET(h, CURLOPT_ERRORBUFFER, r->c->error);
    SET(h, CURLOPT_WRITEFUNCTION, on_body);
    SET(h, CURLOPT_WRITEDATA, r);
    if (call->redirects > 0) {
        SET(h, CURLOPT_FOLLOWLOCATION, 1L);
        SET(h, CURLOPT_MAXREDIRS, (long)call->redirects);
        SET(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    }
    if (call->stop != NULL) {
        SET(h, CURLOPT_NOPROGRESS, 0L);
        SET(h, CURLOPT_XFERINFOFUNCTION, on_progress);
        SET(h, CURLOPT_XFERINFODATA, r);
    }
}

rc http_call(struct http_client *c, struct http_answer *ans, const struct http_call *call,
             struct err *e)
{
    CURL *h = c->curl;
    struct run r = {.c = c, .ans = ans, .call = call, .file_rc = RC_OK};
    r.file_max = call->file_max > 0 ? call->file_max : HTTP_FILE_MAX;
    ans->status = 0;
    ans->file_bytes = 0;
    ans->type[0] = '\0';
    buf_reset(&ans->body);
    ans->body.cap = call->answer_max > 0 ? call->answer_max : HTTP_ANSWER_MAX;
    if (call->out_fd > 0) {
        ans->body.cap = MAX(ans->body.cap, ERROR_TEXT_MAX);
    }
    curl_easy_reset(h); /* options only: connections stay */
    c->error[0] = '\0';
    bool ok = true;
    struct curl_slist *headers = make_headers(call);
    curl_mime *mime = NULL;
    set_limits(h, call, &r);
    set_method(h, call);
    if (call->n_parts > 0) {
        mime = make_mime(h, call, &ok);
        SET(h, CURLOPT_MIMEPOST, mime);
    }
    SET(h, CURLOPT_HTTPHEADER, headers);
    SET(h, CURLOPT_URL, call->url);
    CURLcode code = ok ? curl_easy_perform(h) : CURLE_READ_ERROR;
    long status = 0;
    const char *type = NULL;
    (void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(h, CURLINFO_CONTENT_TYPE, &type);
    rc out = RC_OK;
    if (!ok) {
        out = err_set(e, RC_CODE_IO, "read a file to send: %s", strerror(errno));
    } else if (code != CURLE_OK) {
        out = explain(&r, code, e);
    }
    ans->status = (int)status;
    (void)snprintf(ans->type, sizeof(ans->type), "%s", type != NULL ? type : "");
    curl_mime_free(mime);
    curl_slist_free_all(headers);
    return out;
}

static enum rc_code code_of(int status)
{
    switch (status) {
    case 404:
        return RC_CODE_NOT_FOUND;
    case 401:
    case 403:
        return RC_CODE_DENIED;
    case 400:
        return RC_CODE_MALFORMED;
    case 413:
    case 429:
    case 507:
        return RC_CODE_LIMIT;
    default:
        return RC_CODE_IO;
    }
}

rc http_answer_check(const struct http_answer *ans, struct err *e)
{
    if (ans->status >= 200 && ans->status < 300) {
        return RC_OK;
    }
    char text[200] = "";
    const char *why = NULL;
    JSON_FREE *j = strstr(ans->type, "json") != NULL
                       ? json_parse(buf_bytes(&ans->body), JSON_DEPTH_MAX, NULL)
                       : NULL;
    if (j != NULL) {
        const json_t *m = json_object_get(j, "error");
        m = m != NULL ? m : json_object_get(j, "Message"); /* as IPFS nodes say it */
        why = json_string_value(json_is_object(m) ? json_object_get(m, "message") : m);
    } else if (strstr(ans->type, "html") == NULL) {
        size_t n = MIN(ans->body.n, sizeof(text) - 1);
        for (size_t i = 0; i < n; i++) {
            uint8_t b = ans->body.p[i];
            text[i] = b >= 0x20 && b < 0x7f ? (char)b : ' ';
        }
        text[n] = '\0';
        why = n > 0 ? text : NULL;
    }
    return err_set(e, code_of(ans->status), "%s (HTTP %d)",
                   why != NULL ? why : "the server gives no reason", ans->status);
}

rc http_json(struct http_client *c, json_t **out, const struct http_call *call, const json_t *body,
             struct err *e)
{
    struct http_call full = *call;
    BUF_FREE text = buf_new(BUF_CAP_DEFAULT);
    HTTP_ANSWER ans = {0};
    if (body != NULL) {
        json_put(&text, body);
        full.body = buf_bytes(&text);
        full.type = "application/json";
    }
    TRY(http_call(c, &ans, &full, e));
    TRY(http_answer_check(&ans, e));
    *out = json_parse(buf_bytes(&ans.body), JSON_DEPTH_MAX, e);
    char host[120];
    host_of(host, call->url);
    return *out != NULL ? RC_OK : err_wrap(e, RC(MALFORMED), "answer of %s", host);
}

void put_url(struct buf *b, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != '\0' && strchr("-._~", c) != NULL);
        if (plain) {
            put_u8(b, c);
        } else {
            put_fmt(b, "%%%02X", c);
        }
    }
}
