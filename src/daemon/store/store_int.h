/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_STORE_INT_H
#define SOUK_DAEMON_STORE_STORE_INT_H

/* store_int.h - what the parts of the store share: its state, commits for a group, uses that keep
 * blocks alive, pins and garbage collection, the shapes of the API's answers. */

#include "daemon/store/dag_int.h"
#include "daemon/store/import_int.h"
#include "daemon/store/store.h"
#include "io/http_server.h"

/* Somebody who waits until what was written is on disk. Unlinked before fn runs. */
struct waiter {
    struct waiter *next, **at; /* at: what points to this one; NULL when not waiting */
    void (*fn)(void *ctx, rc r, const struct err *e);
    void *ctx;
};

/* A use of blocks that garbage collection respects: an upload's since `epoch`, a reader's root. */
struct use {
    struct use *next, **at;
    uint64_t epoch;  /* uploads; 0 for readers */
    struct cid root; /* readers */
};

struct content_store {
    struct loop *loop;
    struct store_config cfg;
    struct blocks *blocks;
    struct stmt *pin_put, *pin_get, *pin_del, *pin_all;
    struct hashmap young; /* digests put, by the epoch of their upload */
    uint64_t epoch;
    struct use *uses;
    struct waiter *waiters;
    struct loop_hook hook;
    struct http_server *api, *gateway;
    char peer_id[CID_STR_MAX];
    struct {
        uint64_t adds, add_bytes, reads, read_bytes, errors, commits, gc_removed, blocks, bytes;
    } m;
};

/* Calls w->fn once all that was written until now is durable, or failed to be. */
void store_commit_wait(struct content_store *s, struct waiter *w);
void store_commit_cancel(struct waiter *w);

void use_upload(struct content_store *s, struct use *u); /* sets u->epoch */
void use_read(struct content_store *s, struct use *u, const struct cid *root);
void use_end(struct content_store *s, struct use *u); /* also when it never began */

struct sink store_sink(struct content_store *s, const struct use *u, bool only_hash);

/* --- pins.c --- */

/* All blocks must be there; NOT_FOUND names the first that is not. */
rc pin_add(struct content_store *s, const struct cid *cid, bool recursive, const char *name,
           struct err *e);
/* NOT_FOUND when it is not pinned; a recursive pin needs recursive. */
rc pin_rm(struct content_store *s, const struct cid *cid, bool recursive, struct err *e);
rc pin_get(struct content_store *s, const struct cid *cid, bool *found, bool *recursive,
           struct err *e);

typedef rc (*pin_fn)(void *ctx, const struct cid *cid, bool recursive, const char *name);
rc pin_each(struct content_store *s, pin_fn fn, void *ctx, struct err *e);

/* Marks every block under recursive pins, their roots excepted, in out: pinned indirectly. */
rc pin_indirect(struct content_store *s, struct hashmap *out, struct err *e);

/* Removes what nobody pins or uses; fn sees each block removed. Durable when it returns. */
rc store_gc(struct content_store *s, void (*fn)(void *ctx, const struct hash *h), void *ctx,
            uint64_t *removed, struct err *e);

/* --- api.c --- */

extern const struct http_route api_routes[];

/* {"Message","Code","Type"} as IPFS nodes shape errors. client: the caller's fault (400, code 1). */
void api_error(struct content_store *s, struct http_req *r, rc why, const char *msg);
void api_client_error(struct http_req *r, const char *msg);

/* The query's argument number i, NULL when there are fewer. */
const char *api_arg(const struct http_req *r, size_t i);
bool api_flag(const struct http_req *r, const char *name, bool def);
void api_reply(struct http_req *r, struct buf *json); /* 200, takes the memory */

/* False after it has answered 403: a page of another origin. Every route calls it first. */
bool api_allowed(struct content_store *s, struct http_req *r);

/* The first argument resolved to a block; false after it has answered. */
bool api_resolve(struct content_store *s, struct http_req *r, struct cid *out);

/* --- api_add.c, api_put.c, api_read.c, api_dag.c, api_pin.c: handlers named after their routes --- */

void add_on_request(void *ctx, struct http_req *r);
void add_on_body(void *ctx, struct http_req *r, struct bytes part, bool last);
void block_put_on_request(void *ctx, struct http_req *r);
void dag_put_on_request(void *ctx, struct http_req *r);
void put_on_body(void *ctx, struct http_req *r, struct bytes part, bool last);
void dag_import_on_request(void *ctx, struct http_req *r);

void api_cat(void *ctx, struct http_req *r);
void api_get(void *ctx, struct http_req *r);
void api_ls(void *ctx, struct http_req *r);
void api_block_get(void *ctx, struct http_req *r);
void api_block_stat(void *ctx, struct http_req *r);
void api_block_rm(void *ctx, struct http_req *r);
void api_dag_get(void *ctx, struct http_req *r);
void api_dag_resolve(void *ctx, struct http_req *r);
void api_dag_stat(void *ctx, struct http_req *r);
void api_dag_export(void *ctx, struct http_req *r);
void api_refs(void *ctx, struct http_req *r);
void api_refs_local(void *ctx, struct http_req *r);
void api_pin_add(void *ctx, struct http_req *r);
void api_pin_rm(void *ctx, struct http_req *r);
void api_pin_ls(void *ctx, struct http_req *r);
void api_repo_gc(void *ctx, struct http_req *r);
void api_repo_stat(void *ctx, struct http_req *r);
void api_repo_verify(void *ctx, struct http_req *r);

/* --- stream.c: answers longer than memory --- */

/* Sends n bytes of a file from off; takes over f. The head (status, type, headers) is the caller's
 * to have set; size is the answer's length. */
void stream_file(struct content_store *s, struct http_req *r, int status, const char *type,
                 struct file_reader *f);

/* Sends the graph as CAR; takes over nothing. */
void stream_car(struct content_store *s, struct http_req *r, const struct cid *root, bool shallow);

/* Sends a tar archive of a file or directory under the name given. */
void stream_tar(struct content_store *s, struct http_req *r, const struct cid *root,
                const char *name);

/* --- gateway.c --- */

extern const struct http_route gateway_routes[];

#endif /* SOUK_DAEMON_STORE_STORE_INT_H */
