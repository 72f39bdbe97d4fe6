/* SPDX-License-Identifier: Apache-2.0 */
/* api_pin.c - pins and the repository: what stays, what goes, what is damaged. */
#include <stdlib.h>

#include "daemon/store/store_int.h"
#include "io/json.h"

#define ANSWER_MAX ((size_t)256 << 20)

/* An answer that waits for the disk. */
struct pin_call {
    struct waiter waiter;
    struct content_store *s;
    struct http_req *r;
    struct buf answer;
};

static void call_free(struct pin_call *c)
{
    store_commit_cancel(&c->waiter);
    buf_free(&c->answer);
    free(c);
}

static void on_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    call_free(http_user(r));
}

static void on_commit(void *ctx, rc r, const struct err *e)
{
    struct pin_call *c = ctx;
    http_on_gone(c->r, NULL);
    if (rc_ok(r)) {
        api_reply(c->r, &c->answer);
    } else {
        api_error(c->s, c->r, r, e->msg);
    }
    call_free(c);
}

/* Answers {"Pins":[…]} of all arguments once it is durable. */
static void reply_pins(struct content_store *s, struct http_req *r, struct buf *list)
{
    struct pin_call *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    c->s = s;
    c->r = r;
    c->answer = buf_new(ANSWER_MAX);
    put_fmt(&c->answer, "{\"Pins\":[");
    put_bytes(&c->answer, buf_bytes(list));
    put_str(&c->answer, "]}\n");
    http_set_user(r, c);
    http_on_gone(r, on_gone);
    c->waiter.fn = on_commit;
    c->waiter.ctx = c;
    store_commit_wait(s, &c->waiter);
}

typedef rc (*pin_op)(struct content_store *s, const struct cid *cid, bool recursive,
                     const char *name, struct err *e);

/* Does op for every argument; the first that fails is the answer. */
static void each_arg(struct content_store *s, struct http_req *r, pin_op op)
{
    if (!api_allowed(s, r)) {
        return;
    }
    BUF_FREE list = buf_new(1 << 20);
    const char *name = http_query(r, "name");
    if (api_arg(r, 0) == NULL) {
        api_client_error(r, "argument \"ipfs-path\" is required");
        return;
    }
    for (size_t i = 0; api_arg(r, i) != NULL; i++) {
        struct cid root;
        struct cid cid;
        char t[CID_STR_MAX];
        struct err e = {0};
        BUF_FREE rest = buf_new(4096);
        rc res = dag_resolve(s->blocks, api_arg(r, i), &root, &cid, &rest, &e);
        if (rc_ok(res)) {
            res = op(s, &cid, api_flag(r, "recursive", true), name == NULL ? "" : name, &e);
        }
        if (!rc_ok(res)) {
            api_error(s, r, res, e.msg);
            return;
        }
        put_fmt(&list, "%s\"%s\"", i > 0 ? "," : "", cid_str(&cid, t));
    }
    reply_pins(s, r, &list);
}

void api_pin_add(void *ctx, struct http_req *r)
{
    each_arg(ctx, r, pin_add);
}

static rc remove_pin(struct content_store *s, const struct cid *cid, bool recursive,
                     const char *name, struct err *e)
{
    (void)name;
    return pin_rm(s, cid, recursive, e);
}

void api_pin_rm(void *ctx, struct http_req *r)
{
    each_arg(ctx, r, remove_pin);
}

/* --- ls --- */

struct pin_list {
    struct buf b;
    bool stream, names, recursive, direct;
    size_t n;
    struct hashmap shown;
};

static void put_pin(struct pin_list *l, const struct cid *cid, const char *type, const char *name)
{
    char t[CID_STR_MAX];
    const char *cids = cid_str(cid, t);
    if (l->stream) {
        put_fmt(&l->b, "{\"Cid\":\"%s\",\"Type\":\"%s\",\"Name\":", cids, type);
    } else {
        put_fmt(&l->b, "%s\"%s\":{\"Type\":\"%s\",\"Name\":", l->n > 0 ? "," : "", cids, type);
    }
    json_put_str(&l->b, bytes_str(name));
    put_str(&l->b, l->stream ? "}\n" : "}");
    l->n++;
}

static rc list_pin(void *ctx, const struct cid *cid, bool recursive, const char *name)
{
    struct pin_list *l = ctx;
    struct hash h;
    if (cid_sha256(&h, cid)) {
        (void)hashmap_set(&l->shown, &h, 0);
    }
    if (recursive ? l->recursive : l->direct) {
        put_pin(l, cid, recursive ? "recursive" : "direct", l->names ? name : "");
    }
    return buf_end(&l->b);
}

/* Blocks below recursive pins that are no pins themselves. */
static rc list_indirect(struct content_store *s, struct pin_list *l, struct err *e)
{
    HASHMAP_FREE under = {0};
    TRY(pin_indirect(s, &under, e));
    for (size_t i = 0; i < under.size; i++) {
        const struct hashmap_slot *slot = &under.slots[i];
        if (slot->value_plus_one != 0 && !hashmap_has(&l->shown, &slot->key)) {
            struct cid cid = cid_make(1, CID_RAW, &slot->key);
            put_pin(l, &cid, "indirect", "");
        }
    }
    return buf_end(&l->b);
}

/* The arguments' own pins: an error names the first that has none. */
static rc list_args(struct content_store *s, struct http_req *r, struct pin_list *l, bool indirect,
                    struct err *e)
{
    HASHMAP_FREE under = {0};
    TRY(pin_indirect(s, &under, e));
    for (size_t i = 0; api_arg(r, i) != NULL; i++) {
        struct cid root;
        struct cid cid;
        struct hash h;
        char t[CID_STR_MAX];
        bool found;
        bool deep;
        BUF_FREE rest = buf_new(4096);
        TRY(dag_resolve(s->blocks, api_arg(r, i), &root, &cid, &rest, e));
        TRY(pin_get(s, &cid, &found, &deep, e));
        if (found && (deep ? l->recursive : l->direct)) {
            put_pin(l, &cid, deep ? "recursive" : "direct", "");
        } else if (indirect && cid_sha256(&h, &cid) && hashmap_has(&under, &h)) {
            put_pin(l, &cid, "indirect", "");
        } else {
            return err_set(e, RC_CODE_NOT_FOUND, "path '%s' is not pinned", cid_str(&cid, t));
        }
    }
    return buf_end(&l->b);
}

void api_pin_ls(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct err e = {0};
    const char *type = http_query(r, "type");
    if (!api_allowed(s, r)) {
        return;
    }
    type = type == NULL || type[0] == '\0' ? "all" : type;
    bool all = strcmp(type, "all") == 0;
    bool indirect = all || strcmp(type, "indirect") == 0;
    struct pin_list l = {.b = buf_new(ANSWER_MAX)};
    l.stream = api_flag(r, "stream", false);
    l.names = api_flag(r, "names", false);
    l.recursive = all || strcmp(type, "recursive") == 0;
    l.direct = all || strcmp(type, "direct") == 0;
    if (!l.recursive && !l.direct && !indirect) {
        api_client_error(r, "invalid type, must be one of {direct, indirect, recursive, all}");
        return;
    }
    put_str(&l.b, l.stream ? "" : "{\"Keys\":{");
    rc res;
    if (api_arg(r, 0) != NULL) {
        res = list_args(s, r, &l, indirect, &e);
    } else {
        res = pin_each(s, list_pin, &l, &e);
        res = rc_ok(res) && indirect ? list_indirect(s, &l, &e) : res;
    }
    put_str(&l.b, l.stream ? "" : "}}\n");
    if (rc_ok(res)) {
        api_reply(r, &l.b);
    } else {
        api_error(s, r, res, e.msg[0] != '\0' ? e.msg : "too many pins to be listed");
    }
    buf_free(&l.b);
    hashmap_free(&l.shown);
}

/* --- the repository --- */

static void put_removed(void *ctx, const struct hash *h)
{
    struct cid cid = cid_make(1, CID_RAW, h);
    char t[CID_STR_MAX];
    put_fmt(ctx, "{\"Key\":{\"/\":\"%s\"}}\n", cid_str(&cid, t));
}

void api_repo_gc(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct err e = {0};
    uint64_t removed;
    if (!api_allowed(s, r)) {
        return;
    }
    BUF_FREE b = buf_new(ANSWER_MAX);
    rc res = store_gc(s, put_removed, &b, &removed, &e);
    if (rc_ok(res)) {
        api_reply(r, &b);
    } else {
        api_error(s, r, res, e.msg);
    }
}

struct verify {
    struct content_store *s;
    struct buf block, lines;
    uint64_t good, bad;
};

static rc verify_block(void *ctx, const struct hash *h, uint64_t size)
{
    struct verify *v = ctx;
    struct err e = {0};
    char t[CID_STR_MAX];
    (void)size;
    rc r = blocks_get(v->s->blocks, h, &v->block, &e);
    v->good += rc_ok(r) ? 1 : 0;
    if (!rc_ok(r)) {
        struct cid cid = cid_make(1, CID_RAW, h);
        v->bad++;
        put_fmt(&v->lines, "{\"Msg\":\"block %s was corrupt\",\"Progress\":0}\n", cid_str(&cid, t));
    }
    return RC_OK;
}

/* Reads and hashes every block. */
void api_repo_verify(void *ctx, struct http_req *r)
{
    struct content_store *s = ctx;
    struct err e = {0};
    if (!api_allowed(s, r)) {
        return;
    }
    struct verify v = {.s = s, .block = buf_new(BLOCK_MAX), .lines = buf_new(ANSWER_MAX)};
    rc res = blocks_each(s->blocks, verify_block, &v, &e);
    if (rc_ok(res)) {
        put_fmt(&v.lines, "{\"Msg\":\"%s\",\"Progress\":%llu}\n",
                v.bad == 0 ? "verify complete, all blocks validated."
                           : "verify complete, some blocks were corrupt.",
                (unsigned long long)v.good);
        api_reply(r, &v.lines);
    } else {
        api_error(s, r, res, e.msg);
    }
    buf_free(&v.block);
    buf_free(&v.lines);
}
