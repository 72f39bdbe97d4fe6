/* SPDX-License-Identifier: Apache-2.0 */
/* pins.c - what is to stay, and the removal of the rest. */
#include <stdlib.h>

#include "base/log.h"
#include "daemon/store/store_int.h"

static void bind_cid(struct stmt *st, const struct cid *cid)
{
    BUF_FREE b = buf_new(CID_BIN_MAX);
    put_cid(&b, cid);
    stmt_bind_bytes(st, 1, buf_bytes(&b));
}

rc pin_get(struct content_store *s, const struct cid *cid, bool *found, bool *recursive,
           struct err *e)
{
    bind_cid(s->pin_get, cid);
    rc r = stmt_step(s->pin_get, found, e);
    *recursive = rc_ok(r) && *found && stmt_u64(s->pin_get, 0) != 0;
    stmt_reset(s->pin_get);
    return r;
}

static rc check_present(struct content_store *s, const struct cid *cid, bool recursive,
                        struct err *e)
{
    struct dag_walk w;
    walk_open(&w, s->blocks);
    w.shallow = !recursive;
    walk_add(&w, cid);
    struct cid at;
    bool more = true;
    rc r = RC_OK;
    while (rc_ok(r) && more) {
        r = walk_next(&w, &at, &more, e);
    }
    walk_close(&w);
    return r;
}

rc pin_add(struct content_store *s, const struct cid *cid, bool recursive, const char *name,
           struct err *e)
{
    bool found;
    bool deep;
    TRY(pin_get(s, cid, &found, &deep, e));
    if (found && deep && !recursive) {
        char t[CID_STR_MAX];
        return err_set(e, RC_CODE_DENIED, "pin: %s already pinned recursively", cid_str(cid, t));
    }
    rc r = check_present(s, cid, recursive, e);
    if (!rc_ok(r)) {
        return err_wrap(e, r, "pin");
    }
    TRY(blocks_begin(s->blocks, e));
    bind_cid(s->pin_put, cid);
    stmt_bind_u64(s->pin_put, 2, recursive ? 1 : 0);
    stmt_bind_text(s->pin_put, 3, name);
    return stmt_run(s->pin_put, e);
}

rc pin_rm(struct content_store *s, const struct cid *cid, bool recursive, struct err *e)
{
    bool found;
    bool deep;
    char t[CID_STR_MAX];
    TRY(pin_get(s, cid, &found, &deep, e));
    if (!found) {
        return err_set(e, RC_CODE_NOT_FOUND, "not pinned or pinned indirectly");
    }
    if (deep && !recursive) {
        return err_set(e, RC_CODE_DENIED, "%s is pinned recursively", cid_str(cid, t));
    }
    TRY(blocks_begin(s->blocks, e));
    bind_cid(s->pin_del, cid);
    return stmt_run(s->pin_del, e);
}

rc pin_each(struct content_store *s, pin_fn fn, void *ctx, struct err *e)
{
    rc r = RC_OK;
    bool row = true;
    while (rc_ok(r) && row) {
        r = stmt_step(s->pin_all, &row, e);
        if (!rc_ok(r) || !row) {
            break;
        }
        struct cur c = cur_of(stmt_bytes(s->pin_all, 0));
        struct cid cid = cid_take(&c);
        r = rc_ok(cur_end(&c))
                ? fn(ctx, &cid, stmt_u64(s->pin_all, 1) != 0, stmt_text(s->pin_all, 2))
                : err_set(e, RC_CODE_CORRUPT, "the table of pins is damaged");
    }
    stmt_reset(s->pin_all);
    return r;
}

struct roots {
    struct dag_walk deep, flat;
};

static rc collect(void *ctx, const struct cid *cid, bool recursive, const char *name)
{
    struct roots *r = ctx;
    (void)name;
    walk_add(recursive ? &r->deep : &r->flat, cid);
    return RC_OK;
}

/* Walks to the end. A block that is missing or damaged below a root must not lead to the loss of
 * the others: the walk goes on past it. */
static rc exhaust(struct dag_walk *w, struct err *e)
{
    bool more = true;
    while (more) {
        struct cid at;
        rc r = walk_next(w, &at, &more, e);
        if (r.code == RC_CODE_IO || r.code == RC_CODE_LIMIT) {
            return r;
        }
        if (!rc_ok(r)) {
            log_warn("store", "garbage collection: a block in use cannot be read: %s",
                     e == NULL ? "" : e->msg);
            more = true;
        }
    }
    return RC_OK;
}

rc pin_indirect(struct content_store *s, struct hashmap *out, struct err *e)
{
    struct roots r;
    walk_open(&r.deep, s->blocks);
    walk_open(&r.flat, s->blocks);
    rc res = pin_each(s, collect, &r, e);
    struct cid *roots = NULL;
    size_t n = r.deep.n;
    if (rc_ok(res) && n > 0) {
        roots = calloc(n, sizeof(*roots));
        ASSERT(roots != NULL);
        memcpy(roots, r.deep.todo, n * sizeof(*roots));
        /* The roots' own links first, so that a root under another root counts as indirect too. */
        res = exhaust(&r.deep, e);
    }
    if (rc_ok(res)) {
        *out = r.deep.seen;
        r.deep.seen = (struct hashmap){0};
    }
    free(roots);
    walk_close(&r.deep);
    walk_close(&r.flat);
    return res;
}

struct sweep {
    struct content_store *s;
    const struct hashmap *deep, *flat;
    uint64_t oldest; /* epoch of the oldest upload */
    struct hash *dead;
    size_t n, alloc;
};

static rc judge(void *ctx, const struct hash *h, uint64_t size)
{
    struct sweep *w = ctx;
    uint64_t epoch = 0;
    (void)size;
    if (hashmap_has(w->deep, h) || hashmap_has(w->flat, h) ||
        (hashmap_get(&w->s->young, h, &epoch) && epoch >= w->oldest)) {
        return RC_OK;
    }
    if (w->n == w->alloc) {
        w->alloc = w->alloc == 0 ? 1024 : w->alloc * 2;
        w->dead = reallocarray(w->dead, w->alloc, sizeof(*w->dead));
        ASSERT(w->dead != NULL);
    }
    w->dead[w->n++] = *h;
    return RC_OK;
}

static rc mark(struct content_store *s, struct roots *r, struct sweep *w, struct err *e)
{
    w->oldest = UINT64_MAX;
    for (const struct use *u = s->uses; u != NULL; u = u->next) {
        if (u->epoch == 0) {
            walk_add(&r->deep, &u->root);
        } else {
            w->oldest = MIN(w->oldest, u->epoch);
        }
    }
    TRY(pin_each(s, collect, r, e));
    r->flat.shallow = true;
    TRY(exhaust(&r->deep, e));
    return exhaust(&r->flat, e);
}

rc store_gc(struct content_store *s, void (*fn)(void *ctx, const struct hash *h), void *ctx,
            uint64_t *removed, struct err *e)
{
    struct roots r;
    struct sweep w = {.s = s, .deep = &r.deep.seen, .flat = &r.flat.seen};
    *removed = 0;
    TRY(blocks_commit(s->blocks, e)); /* so that undoing the removal undoes nothing else */
    walk_open(&r.deep, s->blocks);
    walk_open(&r.flat, s->blocks);
    rc res = mark(s, &r, &w, e);
    res = rc_ok(res) ? blocks_each(s->blocks, judge, &w, e) : res;
    for (size_t i = 0; rc_ok(res) && i < w.n; i++) {
        res = blocks_delete(s->blocks, &w.dead[i], e);
    }
    if (!rc_ok(res)) {
        blocks_rollback(s->blocks);
    } else {
        res = blocks_reclaim(s->blocks, e);
    }
    if (rc_ok(res)) {
        *removed = w.n;
        s->m.gc_removed += w.n;
        for (size_t i = 0; i < w.n; i++) {
            fn(ctx, &w.dead[i]);
        }
    }
    free(w.dead);
    walk_close(&r.deep);
    walk_close(&r.flat);
    return res;
}
