/* SPDX-License-Identifier: Apache-2.0 */
/* api_add.c - add: files and directories from a multipart body, named by content.
 *
 * Parts come in order; a directory is the parts whose names begin with its own. What shares a first
 * name is one tree, built and pinned when the next tree begins or the body ends. The answer goes out
 * when all of it is on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "daemon/store/store_int.h"
#include "encoding/multipart.h"
#include "io/http_parse.h"
#include "io/json.h"

#define ENTRIES_MAX 1000000            /* files in one request */
#define NAMES_MAX   ((size_t)64 << 20) /* bytes of all their names */
#define LINES_MAX   ((size_t)256 << 20)
#define NAME_MAX_   4096
#define SYMLINK_MAX 65536

enum part_kind { PART_NONE, PART_FILE, PART_DIR, PART_SYMLINK };

struct add_entry {
    const char *path; /* clean, without the slash at its front */
    enum part_kind kind;
    struct cid cid;
    uint64_t tsize;
};

struct add {
    struct content_store *s;
    struct http_req *r;
    struct multipart mp;
    struct import im;
    struct import_opts opts;
    struct sink sink;
    struct use use;
    struct waiter waiter;
    struct arena names;
    struct add_entry *entries; /* of the tree that is being read */
    size_t n, alloc, total;
    char top[NAME_MAX_]; /* its first name */
    bool has_tree;
    bool pin, wrap, progress, silent;
    enum part_kind part;
    char path[NAME_MAX_]; /* of the part that is being read */
    bool unnamed;
    struct buf target; /* of a symbolic link */
    struct buf lines;  /* the answer */
    uint64_t generation;
    struct err e;
};

static void add_free(struct add *a)
{
    store_commit_cancel(&a->waiter);
    sink_undo(&a->sink); /* nothing is left to undo once the answer is out */
    sink_close(&a->sink);
    use_end(a->s, &a->use);
    multipart_close(&a->mp);
    import_close(&a->im);
    arena_reset(&a->names);
    buf_free(&a->target);
    buf_free(&a->lines);
    free(a->entries);
    free(a);
}

static void on_gone(void *ctx, struct http_req *r)
{
    (void)ctx;
    add_free(http_user(r));
}

static void fail(struct add *a, rc r)
{
    struct http_req *req = a->r;
    struct content_store *s = a->s;
    http_on_gone(req, NULL);
    api_error(s, req, r, a->e.msg[0] != '\0' ? a->e.msg : "the upload failed");
    add_free(a);
}

static void put_line(struct add *a, const char *name, const struct cid *cid, uint64_t size)
{
    char s[CID_STR_MAX];
    if (a->silent) {
        return;
    }
    put_str(&a->lines, "{\"Name\":");
    json_put_str(&a->lines, bytes_str(name));
    put_fmt(&a->lines, ",\"Hash\":\"%s\",\"Size\":\"%llu\"}\n", cid_str(cid, s),
            (unsigned long long)size);
}

/* --- trees --- */

/* Order of names within their directory: the separator sorts before every other byte. */
static int by_path(const void *x, const void *y)
{
    const char *a = ((const struct add_entry *)x)->path;
    const char *b = ((const struct add_entry *)y)->path;
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int ca = *a == '/' ? 1 : *a == '\0' ? 0 : 2 + (uint8_t)*a;
    int cb = *b == '/' ? 1 : *b == '\0' ? 0 : 2 + (uint8_t)*b;
    return ca - cb;
}

/* The directory that entries [lo, hi) make below the first `skip` characters of their paths. */
static rc build_dir(struct add *a, size_t lo, size_t hi, size_t skip, unsigned depth,
                    struct import_node *out)
{
    struct dir_entry *list = calloc(hi - lo + 1, sizeof(*list));
    size_t n = 0;
    rc r = depth > DAG_PATH_MAX ? err_set(&a->e, RC_CODE_LIMIT, "directories are nested too deeply")
                                : RC_OK;
    ASSERT(list != NULL);
    for (size_t i = lo; i < hi && rc_ok(r);) {
        const struct add_entry *en = &a->entries[i];
        const char *name = en->path + skip;
        size_t len = strcspn(name, "/");
        size_t j = i + 1;
        while (j < hi && strncmp(a->entries[j].path + skip, name, len) == 0 &&
               (a->entries[j].path[skip + len] == '/' || a->entries[j].path[skip + len] == '\0')) {
            j++;
        }
        bool leaf = name[len] == '\0';
        struct import_node node = {.cid = en->cid, .tsize = en->tsize};
        if (leaf && en->kind != PART_DIR && j - i > 1) {
            r = err_set(&a->e, RC_CODE_MALFORMED, "two parts of the body are named %.150s",
                        en->path);
        } else if (!leaf || en->kind == PART_DIR) {
            size_t from = i; /* explicit directories stand first and hold nothing */
            while (from < j && a->entries[from].path[skip + len] == '\0' && rc_ok(r)) {
                if (a->entries[from].kind != PART_DIR) {
                    r = err_set(&a->e, RC_CODE_MALFORMED, "%.150s is a file and a directory",
                                en->path);
                }
                from++;
            }
            if (rc_ok(r)) {
                r = build_dir(a, from, j, skip + len + 1, depth + 1, &node);
            }
        }
        list[n++] = (struct dir_entry){{(const uint8_t *)name, len}, node.cid, node.tsize};
        i = j;
    }
    if (rc_ok(r)) {
        r = import_dir(&a->sink, a->opts.cid_version, list, n, out, &a->e);
    }
    if (rc_ok(r)) { /* skip - 1: without the slash behind the directory's own name */
        char name[NAME_MAX_] = "";
        if (skip > 0) {
            (void)snprintf(name, sizeof(name), "%.*s", (int)(skip - 1),
                           lo < hi ? a->entries[lo].path : a->entries[lo - 1].path);
        }
        put_line(a, name, &out->cid, out->tsize);
    }
    free(list);
    return r;
}

/* The tree is complete: its directories, its pin. */
static rc finish_tree(struct add *a)
{
    struct import_node root;
    if (!a->has_tree) {
        return RC_OK;
    }
    a->has_tree = false;
    if (a->n > 1) {
        qsort(a->entries, a->n, sizeof(*a->entries), by_path);
    }
    if (!a->wrap && a->n == 1 && a->entries[0].kind != PART_DIR &&
        strchr(a->entries[0].path, '/') == NULL) {
        root.cid = a->entries[0].cid;
    } else if (a->wrap) {
        TRY(build_dir(a, 0, a->n, 0, 0, &root));
    } else {
        size_t len = strlen(a->top);
        size_t from = 0;
        while (from < a->n && strcmp(a->entries[from].path, a->top) == 0) {
            if (a->entries[from].kind != PART_DIR) {
                return err_set(&a->e, RC_CODE_MALFORMED, "%.150s is a file and a directory",
                               a->top);
            }
            from++;
        }
        TRY(build_dir(a, from, a->n, len + 1, 1, &root));
    }
    a->n = 0;
    arena_reset(&a->names);
    if (a->pin && !a->opts.only_hash) {
        TRY(pin_add(a->s, &root.cid, true, "", &a->e));
        a->sink.n_fresh = 0; /* this tree stays, whatever becomes of the next one */
    }
    return RC_OK;
}

static rc add_entry(struct add *a, const char *path, enum part_kind kind,
                    const struct import_node *node)
{
    size_t len = strlen(path);
    if (a->n == a->alloc) {
        a->alloc = a->alloc == 0 ? 8 : a->alloc * 2;
        a->entries = reallocarray(a->entries, a->alloc, sizeof(*a->entries));
        ASSERT(a->entries != NULL);
    }
    char *copy = arena_alloc(&a->names, len + 1);
    if (copy == NULL || ++a->total > ENTRIES_MAX) {
        return err_set(&a->e, RC_CODE_LIMIT, "more than %d files in one request", ENTRIES_MAX);
    }
    memcpy(copy, path, len);
    a->entries[a->n++] = (struct add_entry){copy, kind, node->cid, node->tsize};
    return RC_OK;
}

/* --- parts --- */

/* "a/./b//../c" to "a/c"; false when a name is too long or holds a NUL. */
static bool clean_path(char out[NAME_MAX_], struct bytes in)
{
    char text[NAME_MAX_];
    size_t n = 0;
    if (in.n >= sizeof(text) ||
        memchr(in.p == NULL ? (const uint8_t *)"" : in.p, 0, in.n) != NULL) {
        return false;
    }
    memcpy(text, in.p == NULL ? (const uint8_t *)"" : in.p, in.n);
    text[in.n] = '\0';
    if (!rc_ok(http_decode(text, true))) {
        return false;
    }
    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, "/");
        if (len == 2 && memcmp(p, "..", 2) == 0) {
            while (n > 0 && out[n - 1] != '/') {
                n--;
            }
            n -= n > 0 ? 1 : 0;
        } else if (len > 0 && !(len == 1 && *p == '.')) {
            if (n > 0) {
                out[n++] = '/';
            }
            memcpy(out + n, p, len);
            n += len;
        }
        p += len + (p[len] == '/' ? 1 : 0);
    }
    out[n] = '\0';
    return true;
}

static bool is_type(struct bytes v, const char *type)
{
    size_t n = strlen(type);
    return v.n >= n && strncasecmp((const char *)v.p, type, n) == 0 && (v.n == n || v.p[n] == ';');
}

static rc on_part(void *ctx, const struct multipart_part *p)
{
    struct add *a = ctx;
    a->e.msg[0] = '\0';
    if (!clean_path(a->path, p->filename)) {
        return err_set(&a->e, RC_CODE_MALFORMED, "a part of the body has no proper file name");
    }
    a->unnamed = a->path[0] == '\0';
    a->part = is_type(p->content_type, "application/x-directory") ? PART_DIR
              : is_type(p->content_type, "application/symlink")   ? PART_SYMLINK
                                                                  : PART_FILE;
    if (a->part == PART_DIR && a->unnamed) {
        a->part = PART_NONE; /* the root itself: wrapping makes it */
        return RC_OK;
    }
    size_t len = strcspn(a->path, "/");
    bool same =
        a->has_tree && !a->unnamed && strlen(a->top) == len && strncmp(a->top, a->path, len) == 0;
    if (!a->wrap && !same) {
        TRY(finish_tree(a));
        (void)snprintf(a->top, sizeof(a->top), "%.*s", (int)len, a->path);
    }
    a->has_tree = true;
    buf_reset(&a->target);
    if (a->part == PART_FILE) {
        import_open(&a->im, &a->sink, &a->opts);
    }
    return RC_OK;
}

static rc on_data(void *ctx, struct bytes data)
{
    struct add *a = ctx;
    if (a->part == PART_FILE) {
        a->s->m.add_bytes += data.n;
        return import_write(&a->im, data, &a->e);
    }
    if (a->part == PART_SYMLINK) {
        put_bytes(&a->target, data);
        return a->target.full ? err_set(&a->e, RC_CODE_LIMIT, "a symbolic link is too long")
                              : RC_OK;
    }
    return RC_OK;
}

static rc on_part_end(void *ctx)
{
    struct add *a = ctx;
    struct import_node node = {0};
    char name[CID_STR_MAX];
    if (a->part == PART_NONE) {
        return RC_OK;
    }
    if (a->part == PART_FILE) {
        TRY(import_finish(&a->im, &node, &a->e));
        import_close(&a->im);
        a->s->m.adds++;
    } else if (a->part == PART_SYMLINK) {
        TRY(import_symlink(&a->sink, &a->opts, buf_bytes(&a->target), &node, &a->e));
    }
    const char *path = a->unnamed ? cid_str(&node.cid, name) : a->path;
    if (a->part != PART_DIR) {
        if (a->progress) {
            put_str(&a->lines, "{\"Name\":");
            json_put_str(&a->lines, bytes_str(path));
            put_fmt(&a->lines, ",\"Bytes\":%llu}\n", (unsigned long long)node.filesize);
        }
        put_line(a, path, &node.cid, node.tsize);
    }
    return add_entry(a, path, a->part, &node);
}

/* --- the request --- */

static bool read_options(struct add *a)
{
    struct http_req *r = a->r;
    const char *version = http_query(r, "cid-version");
    const char *chunker = http_query(r, "chunker");
    const char *hash = http_query(r, "hash");
    unsigned long long chunk = CHUNK_DEFAULT;
    char end;
    a->opts.cid_version = version != NULL && strcmp(version, "1") == 0 ? 1 : 0;
    if (version != NULL && strcmp(version, "0") != 0 && strcmp(version, "1") != 0) {
        api_client_error(r, "cid-version must be 0 or 1");
        return false;
    }
    if (chunker != NULL && chunker[0] != '\0' && strcmp(chunker, "default") != 0 &&
        (sscanf(chunker, "size-%llu%c", &chunk, &end) != 1 || chunk == 0 || chunk > CHUNK_MAX)) {
        api_client_error(r, "chunker must be size-N with N from 1 to 1048576");
        return false;
    }
    if (hash != NULL && hash[0] != '\0' && strcmp(hash, "sha2-256") != 0) {
        api_client_error(r, "only hash=sha2-256 is served here");
        return false;
    }
    if (api_flag(r, "trickle", false) || api_flag(r, "nocopy", false) ||
        api_flag(r, "inline", false)) {
        api_client_error(r, "trickle, nocopy and inline are not served here");
        return false;
    }
    a->opts.chunk = (size_t)chunk;
    a->opts.raw_leaves = api_flag(r, "raw-leaves", a->opts.cid_version == 1);
    a->opts.only_hash = api_flag(r, "only-hash", false);
    a->pin = api_flag(r, "pin", true);
    a->wrap = api_flag(r, "wrap-with-directory", false);
    a->progress = api_flag(r, "progress", false);
    a->silent = api_flag(r, "silent", false);
    return true;
}

void add_on_request(void *ctx, struct http_req *r)
{
    static const struct multipart_handler handler = {on_part, on_data, on_part_end};
    struct content_store *s = ctx;
    if (!api_allowed(s, r)) {
        return;
    }
    struct add *a = calloc(1, sizeof(*a));
    ASSERT(a != NULL);
    a->s = s;
    a->r = r;
    a->target = buf_new(SYMLINK_MAX);
    a->lines = buf_new(LINES_MAX);
    arena_init(&a->names, NAMES_MAX);
    const char *type = http_header(r, "content-type");
    if (!read_options(a)) {
        add_free(a);
        return;
    }
    if (!rc_ok(multipart_open(&a->mp, bytes_str(type == NULL ? "" : type), &handler, a))) {
        api_client_error(r, "file argument 'path' is required: send it as multipart/form-data");
        add_free(a);
        return;
    }
    use_upload(s, &a->use);
    a->sink = store_sink(s, &a->use, a->opts.only_hash);
    a->generation = blocks_generation(s->blocks);
    http_set_user(r, a);
    http_on_gone(r, on_gone);
}

static void on_commit(void *ctx, rc r, const struct err *e)
{
    struct add *a = ctx;
    if (!rc_ok(r)) {
        a->e = *e;
        fail(a, r);
        return;
    }
    http_on_gone(a->r, NULL);
    sink_close(&a->sink);
    http_set_header(a->r, "x-chunked-output", "1");
    api_reply(a->r, &a->lines);
    add_free(a);
}

void add_on_body(void *ctx, struct http_req *r, struct bytes part, bool last)
{
    struct content_store *s = ctx;
    struct add *a = http_user(r);
    a->e.msg[0] = '\0';
    rc res = multipart_feed(&a->mp, part);
    if (rc_ok(res) && last) {
        res = multipart_end(&a->mp);
        res = rc_ok(res) ? finish_tree(a) : res;
        if (rc_ok(res) && a->total == 0 && !a->wrap) {
            res = err_set(&a->e, RC_CODE_MALFORMED, "file argument 'path' is required");
        }
    }
    if (rc_ok(res) && a->lines.full) {
        res = err_set(&a->e, RC_CODE_LIMIT, "the answer to so many files is too long");
    }
    if (rc_ok(res) && !a->opts.only_hash && a->generation != blocks_generation(s->blocks)) {
        res = err_set(&a->e, RC_CODE_IO, "the store lost part of the upload: send it again");
    }
    if (!rc_ok(res)) {
        if (a->mp.bad != NULL && a->e.msg[0] == '\0') {
            (void)err_set(&a->e, res.code, "%s", a->mp.bad);
        }
        fail(a, res);
        return;
    }
    if (last) {
        a->waiter.fn = on_commit;
        a->waiter.ctx = a;
        store_commit_wait(s, &a->waiter);
    }
}
