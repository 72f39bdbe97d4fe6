/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/attest_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cur.h"
#include "encoding/hex.h"
#include "encoding/pem.h"
#include "io/file.h"

#define ANCHOR_FILE_MAX     ((size_t)1 << 20)
#define COLLATERAL_FILE_MAX ((size_t)4 << 20)

rc attest_load_policy(struct attest_policy *p, struct arena *a, const char *path, struct err *e)
{
    struct bytes text;
    attest_policy_default(p);
    if (path == NULL) {
        return RC_OK;
    }
    TRY(file_read_arena(&text, a, path, ATTEST_POLICY_MAX, e));
    return err_wrap(e, attest_policy_parse(p, a, text, e), "%s", path);
}

static char *text_in(struct arena *a, const char *text, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (p != NULL) {
        memcpy(p, text, n);
    }
    return p;
}

static rc no_memory(struct err *e)
{
    return err_set(e, RC_CODE_LIMIT, "the files are larger than what is kept of them");
}

/* PEM is turned into the DER inside. */
static rc load_key(struct attest_anchor *anchor, struct arena *a, const char *path, struct err *e)
{
    BUF_FREE der = buf_new(ANCHOR_FILE_MAX);
    TRY(file_read_arena(&anchor->data, a, path, ANCHOR_FILE_MAX, e));
    struct cur certs = cur_of(anchor->data), keys = cur_of(anchor->data);
    anchor->type = ATTEST_ANCHOR_CERT;
    rc r = pem_take(&der, &certs, "CERTIFICATE");
    if (!rc_ok(r)) {
        buf_reset(&der);
        r = pem_take(&der, &keys, "PUBLIC KEY");
        anchor->type = rc_ok(r) ? ATTEST_ANCHOR_KEY : ATTEST_ANCHOR_CERT;
    }
    if (!rc_ok(r)) { /* DER: a certificate is a SEQUENCE that begins with another of some size; a
                        key's begins with the short AlgorithmIdentifier; all else is a raw key */
        const uint8_t *p = anchor->data.p;
        bool is_der = anchor->data.n > 80 && p[0] == 0x30;
        bool long_form = is_der && p[1] == 0x82 && p[4] == 0x30 && p[5] == 0x82;
        anchor->type = long_form ? ATTEST_ANCHOR_CERT : ATTEST_ANCHOR_KEY;
        return RC_OK;
    }
    char *copy = text_in(a, (const char *)der.p, der.n);
    if (copy == NULL) {
        return no_memory(e);
    }
    anchor->data = (struct bytes){(const uint8_t *)copy, der.n};
    return RC_OK;
}

static rc load_anchor(struct attest_anchor *anchor, struct arena *a, const char *text,
                      struct err *e)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') {
        return err_set(e, RC_CODE_MALFORMED,
                       "--anchor '%.80s': must be KIND:0xADDRESS or KIND:FILE", text);
    }
    struct address *address = ARENA_NEW(a, struct address);
    anchor->kind = text_in(a, text, (size_t)(colon - text));
    anchor->name = text;
    if (anchor->kind == NULL || address == NULL) {
        return no_memory(e);
    }
    bool known = strcmp(anchor->kind, "*") == 0;
    for (size_t i = 0; attest_kind_at(i, NULL) != NULL; i++) {
        known |= strcmp(attest_kind_at(i, NULL), anchor->kind) == 0;
    }
    if (!known) {
        return err_set(e, RC_CODE_MALFORMED,
                       "--anchor '%.80s': no such kind of evidence; `souk attest kinds` lists them",
                       text);
    }
    if (rc_ok(hex_parse_address(address, colon + 1))) {
        anchor->type = ATTEST_ANCHOR_ADDRESS;
        anchor->data = BYTES_OF(*address);
        return RC_OK;
    }
    return err_wrap(e, load_key(anchor, a, colon + 1, e), "--anchor %.80s", text);
}

rc attest_load_anchors(struct attest_anchor **out, size_t *n, struct arena *a,
                       const struct opt_list *texts, struct err *e)
{
    *n = texts->n;
    *out = ARENA_ARRAY(a, struct attest_anchor, texts->n + 1);
    if (*out == NULL) {
        return no_memory(e);
    }
    for (size_t i = 0; i < texts->n; i++) {
        TRY(load_anchor(&(*out)[i], a, texts->v[i], e));
    }
    return RC_OK;
}

static rc load_item(struct attest_item *it, struct arena *a, const char *dir, const char *name,
                    struct err *e)
{
    char path[FILE_PATH_MAX];
    it->name = text_in(a, name, strlen(name));
    if (it->name == NULL) {
        return no_memory(e);
    }
    TRY(path_join(path, dir, name, e));
    return file_read_arena(&it->data, a, path, COLLATERAL_FILE_MAX, e);
}

static int by_name(const void *x, const void *y)
{
    const struct attest_item *a = x, *b = y;
    return strcmp(a->name, b->name);
}

rc attest_load_folder(struct attest_item **out, size_t *n, struct arena *a, const char *dir,
                      struct err *e)
{
    *n = 0;
    *out = NULL;
    if (dir == NULL) {
        return RC_OK;
    }
    *out = ARENA_ARRAY(a, struct attest_item, ATTEST_ITEMS_MAX);
    DIR *d = opendir(dir);
    rc r = d == NULL      ? err_set(e, RC_CODE_IO, "open %s: %s", dir, strerror(errno))
           : *out == NULL ? no_memory(e)
                          : RC_OK;
    while (rc_ok(r)) {
        struct dirent *f = readdir(d);
        if (f == NULL) {
            break;
        }
        if (f->d_name[0] == '.' || (f->d_type != DT_REG && f->d_type != DT_UNKNOWN)) {
            continue;
        }
        r = *n == ATTEST_ITEMS_MAX
                ? err_set(e, RC_CODE_LIMIT, "%s: more than %d files", dir, ATTEST_ITEMS_MAX)
                : load_item(&(*out)[*n], a, dir, f->d_name, e);
        *n += rc_ok(r) ? 1 : 0;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    if (rc_ok(r)) { /* the same order on every file system */
        qsort(*out, *n, sizeof(**out), by_name);
    }
    return r;
}
