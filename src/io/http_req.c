/* SPDX-License-Identifier: Apache-2.0 */
/* http_req.c - a request: from the bytes of its head to the handler of its route. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "io/http_int.h"

/* --- routes --- */

static bool put_param(struct http_req *r, const char *name, size_t name_n, const char *v, size_t n)
{
    char *s = arena_alloc(&r->arena, name_n + 1 + n + 1);
    if (s == NULL || r->params_n == PATH_PARAMS_MAX) {
        return false;
    }
    memcpy(s, name, name_n);
    memcpy(s + name_n + 1, v, n);
    r->params[r->params_n++] = (struct http_pair){s, s + name_n + 1};
    return true;
}

/* Segment by segment: text, ":name" for one segment, "*" for all that is left. */
static bool path_fits(struct http_req *r, const char *pattern)
{
    const char *p = r->path;
    r->params_n = 0;
    while (*pattern != 0) {
        if (strcmp(pattern, "*") == 0) {
            return put_param(r, "*", 1, p, strlen(p));
        }
        if (*pattern == ':') {
            size_t n = strcspn(p, "/");
            size_t name_n = strcspn(pattern + 1, "/");
            if (n == 0 || !put_param(r, pattern + 1, name_n, p, n)) {
                return false;
            }
            p += n;
            pattern += 1 + name_n;
        } else if (*pattern++ != *p++) {
            return false;
        }
    }
    return *p == 0;
}

static bool method_fits(const struct http_req *r, const char *method)
{
    return method == NULL || strcmp(method, r->head.method) == 0 ||
           (r->is_head && strcmp(method, "GET") == 0);
}

/* Sets r->route, or answers 404 or 405 itself. */
static bool find_route(struct http_req *r)
{
    char allow[128] = "";
    size_t n = 0;
    for (const struct http_route *t = r->c->s->cfg.routes; t != NULL && t->path != NULL; t++) {
        if (!path_fits(r, t->path)) {
            continue;
        }
        if (method_fits(r, t->method)) {
            r->route = t;
            return true;
        }
        if (n < sizeof(allow)) {
            n += (size_t)snprintf(allow + n, sizeof(allow) - n, "%s%s", n == 0 ? "" : ", ",
                                  t->method);
        }
    }
    if (n > 0) {
        http_set_header(r, "allow", allow);
        http_reply_error(r, 405, "%s does not take %s, but %s", r->path, r->head.method, allow);
    } else {
        http_reply_error(r, 404, "no such path: %s", r->path);
    }
    return false;
}

/* --- head --- */

/* Decodes path and query of the target. */
static rc parse_target(struct http_req *r, const char **why)
{
    char *q = strchr(r->head.target, '?');
    if (q != NULL) {
        *q++ = 0;
        rc got = http_query_parse(q, r->query, HTTP_PARAMS_MAX, &r->query_n);
        if (!rc_ok(got)) {
            *why = got.code == RC_CODE_LIMIT ? "too many query parameters"
                                             : "the query has a broken % escape";
            return got;
        }
    }
    r->path = r->head.target;
    if (!rc_ok(http_decode(r->head.target, false))) {
        *why = "the path has a broken % escape";
        return RC(MALFORMED);
    }
    return RC_OK;
}

static rc parse_head(struct http_req *r, struct bytes text, const char **why)
{
    char *copy = arena_alloc(&r->arena, text.n + 1);
    if (copy == NULL) {
        *why = "the head is too long";
        return RC(LIMIT);
    }
    memcpy(copy, text.p, text.n);
    TRY(http_head_parse(&r->head, copy, text.n, why));
    const char *connection = http_head_get(&r->head, "connection");
    r->keep = r->head.minor == 1 ? !http_has_token(connection, "close")
                                 : http_has_token(connection, "keep-alive");
    r->is_head = strcmp(r->head.method, "HEAD") == 0;
    if (r->head.minor == 1 && http_head_get(&r->head, "host") == NULL) {
        *why = "there is no Host header";
        return RC(MALFORMED);
    }
    TRY(parse_target(r, why));
    return http_body_frame(&r->head, &r->chunked, &r->left, why);
}

/* The head is good: finds who answers, and whether the body may come. */
static void begin(struct http_req *r)
{
    struct conn *c = r->c;
    bool has_body = r->chunked || r->left > 0;
    conn_set_state(c, has_body ? CONN_BODY : CONN_WAIT);
    if (ws_upgrade(r)) {
        return;
    }
    reply_builtin(r);
    if (r->ended || !find_route(r)) {
        return;
    }
    if (r->left > r->route->body_max) {
        http_reply_error(r, 413, "the body is larger than %zu bytes", r->route->body_max);
        return;
    }
    r->body = buf_new(r->route->body_max);
    const char *expect = http_head_get(&r->head, "expect");
    if (has_body && expect != NULL && strcasecmp(expect, "100-continue") == 0) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        conn_put_copy(c, go_on, sizeof(go_on) - 1);
    }
    if (r->route->on_body != NULL) {
        if (r->route->on_request != NULL) {
            r->route->on_request(c->s->cfg.ctx, r);
        }
        if (!has_body && !r->ended && !c->doomed) {
            r->route->on_body(c->s->cfg.ctx, r, (struct bytes){0}, true);
        }
    } else if (!has_body) {
        r->route->on_request(c->s->cfg.ctx, r);
    }
}

void req_take_head(struct conn *c)
{
    /* RFC 9112 2.2: an empty line before a request is skipped. */
    while (c->in.n - c->in_off >= 2 && memcmp(c->in.p + c->in_off, "\r\n", 2) == 0) {
        c->in_off += 2;
    }
    struct bytes in = {c->in.p + c->in_off, c->in.n - c->in_off};
    if (in.n == 0) {
        return;
    }
    size_t size = http_head_end(in, c->in_looked);
    c->in_looked = in.n;
    bool too_long = size > c->s->cfg.header_max || (size == 0 && in.n >= c->s->cfg.header_max);
    if (size == 0 && !too_long) {
        return;
    }
    struct http_req *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->c = c;
    c->req = r;
    r->body = buf_new(0);
    r->extra = buf_new(16384);
    arena_init(&r->arena, HTTP_ARENA_MAX);
    const char *why = "the headers are too long";
    rc got = RC(LIMIT);
    if (!too_long) {
        got = parse_head(r, (struct bytes){in.p, size}, &why);
        c->in_off += size;
        c->in_looked = 0;
    }
    if (rc_ok(got)) {
        begin(r);
        return;
    }
    conn_set_state(c, CONN_BODY); /* unread input follows: the connection ends behind the answer */
    r->keep = false;
    http_reply_error(r, got.code == RC_CODE_LIMIT ? 431 : 400, "%s", why);
}

/* --- body --- */

static void give(struct http_req *r, struct bytes part, bool last)
{
    struct conn *c = r->c;
    if (r->route->on_body != NULL) {
        if (last) {
            conn_set_state(c, CONN_WAIT);
        }
        if (part.n > 0 || last) {
            r->route->on_body(c->s->cfg.ctx, r, part, last);
        }
        return;
    }
    put_bytes(&r->body, part);
    if (r->body.full) {
        http_reply_error(r, 413, "the body is larger than %zu bytes", r->route->body_max);
    } else if (last) {
        conn_set_state(c, CONN_WAIT);
        r->route->on_request(c->s->cfg.ctx, r);
    }
}

/* Ends a request whose body is bad. A handler that has begun to take the body is told by `gone`. */
static void refuse_body(struct http_req *r, int status, const char *text)
{
    http_fn gone = r->gone;
    r->gone = NULL;
    if (gone != NULL) {
        gone(r->c->s->cfg.ctx, r);
    }
    if (r->begun) {
        conn_doom(r->c);
    } else {
        http_reply_error(r, status, "%s", text);
    }
}

/* Takes one piece of the body from the input; false when it has to wait for more. */
static bool take_part(struct http_req *r)
{
    struct conn *c = r->c;
    struct bytes in = {c->in.p + c->in_off, c->in.n - c->in_off};
    struct bytes part = {in.p, MIN(in.n, r->left)};
    size_t used = part.n;
    bool last = false;
    if (in.n == 0) {
        return false;
    }
    if (r->chunked) {
        rc got = http_chunks_take(&r->chunks, in, &part, &used, &last);
        if (!rc_ok(got)) {
            refuse_body(r, 400, "the chunked body is malformed");
            return false;
        }
    } else {
        r->left -= part.n;
        last = r->left == 0;
    }
    c->in_off += used;
    r->seen += part.n;
    if (r->seen > r->route->body_max) {
        char text[80];
        (void)snprintf(text, sizeof(text), "the body is larger than %zu bytes", r->route->body_max);
        refuse_body(r, 413, text);
        return false;
    }
    give(r, part, last);
    return !last;
}

void req_take_body(struct conn *c)
{
    struct http_req *r = c->req;
    if (r->route == NULL) {
        return;
    }
    while (!c->doomed && !r->paused && !r->ended && c->state == CONN_BODY && take_part(r)) {
    }
}

void req_free(struct conn *c)
{
    struct http_req *r = c->req;
    http_fn gone = r->ended ? NULL : r->gone;
    r->gone = NULL;
    if (gone != NULL) {
        gone(c->s->cfg.ctx, r);
    }
    c->req = NULL;
    buf_free(&r->body);
    buf_free(&r->extra);
    arena_reset(&r->arena);
    free(r);
}

/* --- what handlers ask --- */

const char *http_method(const struct http_req *r)
{
    return r->head.method;
}

const char *http_path(const struct http_req *r)
{
    return r->path;
}

static const char *pair_get(const struct http_pair *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].name, name) == 0) {
            return v[i].value;
        }
    }
    return NULL;
}

const char *http_param(const struct http_req *r, const char *name)
{
    return pair_get(r->params, r->params_n, name);
}

const char *http_query(const struct http_req *r, const char *name)
{
    return pair_get(r->query, r->query_n, name);
}

size_t http_query_n(const struct http_req *r)
{
    return r->query_n;
}

const char *http_query_at(const struct http_req *r, size_t i, const char **name)
{
    ASSERT(i < r->query_n);
    *name = r->query[i].name;
    return r->query[i].value;
}

const char *http_header(const struct http_req *r, const char *name)
{
    return http_head_get(&r->head, name);
}

struct bytes http_body(const struct http_req *r)
{
    return buf_bytes(&r->body);
}

const char *http_peer(const struct http_req *r)
{
    return r->c->peer;
}

struct arena *http_arena(struct http_req *r)
{
    return &r->arena;
}

void http_set_user(struct http_req *r, void *user)
{
    r->user = user;
}

void *http_user(const struct http_req *r)
{
    return r->user;
}

void http_on_gone(struct http_req *r, http_fn fn)
{
    r->gone = fn;
}

void http_pause(struct http_req *r)
{
    r->paused = true;
    conn_update(r->c);
}

void http_resume(struct http_req *r)
{
    r->paused = false;
    r->c->since_ms = r->c->active_ms; /* the upload's clock stood still */
    conn_kick(r->c);
}
