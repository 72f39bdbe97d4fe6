/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - the IPFS HTTP API: its routes, the shapes of its answers, and what is short. */
#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "daemon/store/store_int.h"
#include "io/json.h"

#define BODY_ANY                                                                                   \
    ((size_t)1 << 62) /* uploads are bounded by the store's size, not by the request's */

static void put_error(struct buf *b, int code, const char *msg)
{
    put_str(b, "{\"Message\":");
    json_put_str(b, bytes_str(msg));
    put_fmt(b, ",\"Code\":%d,\"Type\":\"error\"}\n", code);
}

void api_error(struct content_store *s, struct http_req *r, rc why, const char *msg)
{
    BUF_FREE b = buf_new(8192);
    int status = why.code == RC_CODE_MALFORMED ? 400 : why.code == RC_CODE_LIMIT ? 507 : 500;
    s->m.errors += why.code == RC_CODE_IO || why.code == RC_CODE_CORRUPT ? 1 : 0;
    put_error(&b, status == 400 ? 1 : 0, msg);
    http_reply_buf(r, status, "application/json", &b);
}

void api_client_error(struct http_req *r, const char *msg)
{
    BUF_FREE b = buf_new(8192);
    put_error(&b, 1, msg);
    http_reply_buf(r, 400, "application/json", &b);
}

void api_reply(struct http_req *r, struct buf *json)
{
    http_reply_buf(r, 200, "application/json", json);
}

const char *api_arg(const struct http_req *r, size_t i)
{
    for (size_t k = 0; k < http_query_n(r); k++) {
        const char *name;
        const char *value = http_query_at(r, k, &name);
        if (strcmp(name, "arg") == 0 && i-- == 0) {
            return value;
        }
    }
    return NULL;
}

bool api_flag(const struct http_req *r, const char *name, bool def)
{
    const char *v = http_query(r, name);
    return v == NULL ? def : strcasecmp(v, "true") == 0 || strcmp(v, "1") == 0 || v[0] == '\0';
}

/* The API writes: a page from elsewhere, open in a browser of this host, must not reach it. */
bool api_allowed(struct content_store *s, struct http_req *r)
{
    const char *origin = http_header(r, "origin");
    if (origin == NULL) {
        return true;
    }
    const char *allow = s->cfg.allow_origin;
    if (allow != NULL && (strcmp(allow, "*") == 0 || strcmp(allow, origin) == 0)) {
        return true;
    }
    static const char *const own[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        size_t n = strlen(own[i]);
        if (strncmp(origin, own[i], n) == 0 && (origin[n] == '\0' || origin[n] == ':')) {
            return true;
        }
    }
    http_reply(r, 403, "text/plain", BYTES_LIT("403 - Forbidden\n"));
    return false;
}

static void api_id(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    if (!api_allowed(s, r)) {
        return;
    }
    BUF_FREE b = buf_new(4096);
    put_fmt(&b,
            "{\"ID\":\"%s\",\"PublicKey\":\"\",\"Addresses\":[],\"AgentVersion\":\"souk\","
            "\"Protocols\":[]}\n",
            s->peer_id);
    api_reply(r, &b);
}

static void api_version(void *ctx, struct http_req *r)
{
    if (!api_allowed(ctx, r)) {
        return;
    }
    BUF_FREE b = buf_new(512);
    put_str(&b,
            "{\"Version\":\"0.1.0-souk\",\"Commit\":\"\",\"Repo\":\"1\","
            "\"System\":\"amd64/linux\",\"Golang\":\"\"}\n");
    api_reply(r, &b);
}

void api_repo_stat(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    if (!api_allowed(s, r)) {
        return;
    }
    struct blocks_stat st = blocks_stat(s->blocks);
    BUF_FREE b = buf_new(1024);
    put_fmt(&b,
            "{\"RepoSize\":%llu,\"StorageMax\":%llu,\"NumObjects\":%llu,\"RepoPath\":\"\","
            "\"Version\":\"fs-repo@souk-1\"}\n",
            (unsigned long long)st.bytes, (unsigned long long)(st.max == 0 ? INT64_MAX : st.max),
            (unsigned long long)st.count);
    api_reply(r, &b);
}

/* clang-format off */
const struct http_route api_routes[] = {
    {"POST", "/api/v0/add",          BODY_ANY, add_on_request,        add_on_body},
    {"POST", "/api/v0/block/put",    BODY_ANY, block_put_on_request,  put_on_body},
    {"POST", "/api/v0/dag/put",      BODY_ANY, dag_put_on_request,    put_on_body},
    {"POST", "/api/v0/dag/import",   BODY_ANY, dag_import_on_request, put_on_body},
    {"POST", "/api/v0/cat",          0, api_cat,          NULL},
    {"POST", "/api/v0/get",          0, api_get,          NULL},
    {"POST", "/api/v0/ls",           0, api_ls,           NULL},
    {"POST", "/api/v0/block/get",    0, api_block_get,    NULL},
    {"POST", "/api/v0/block/stat",   0, api_block_stat,   NULL},
    {"POST", "/api/v0/block/rm",     0, api_block_rm,     NULL},
    {"POST", "/api/v0/dag/get",      0, api_dag_get,      NULL},
    {"POST", "/api/v0/dag/resolve",  0, api_dag_resolve,  NULL},
    {"POST", "/api/v0/dag/stat",     0, api_dag_stat,     NULL},
    {"POST", "/api/v0/dag/export",   0, api_dag_export,   NULL},
    {"POST", "/api/v0/refs",         0, api_refs,         NULL},
    {"POST", "/api/v0/refs/local",   0, api_refs_local,   NULL},
    {"POST", "/api/v0/pin/add",      0, api_pin_add,      NULL},
    {"POST", "/api/v0/pin/rm",       0, api_pin_rm,       NULL},
    {"POST", "/api/v0/pin/ls",       0, api_pin_ls,       NULL},
    {"POST", "/api/v0/repo/gc",      0, api_repo_gc,      NULL},
    {"POST", "/api/v0/repo/stat",    0, api_repo_stat,    NULL},
    {"POST", "/api/v0/stats/repo",   0, api_repo_stat,    NULL},
    {"POST", "/api/v0/repo/verify",  0, api_repo_verify,  NULL},
    {"POST", "/api/v0/id",           0, api_id,           NULL},
    {"POST", "/api/v0/version",      0, api_version,      NULL},
    {NULL, NULL, 0, NULL, NULL},
};
/* clang-format on */
