/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "daemon/runtime/image_int.h"
#include "encoding/hex.h"
#include "io/json.h"

/* SPEC OCI image 1.0: index, manifest and config. Members that we do not use are ignored, as the
 * specification asks of readers. */

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE    "application/vnd.oci.image.layer.v1.tar"

rc image_digest_parse(struct hash *out, const char *text)
{
    *out = (struct hash){0};
    if (strlen(text) != IMAGE_DIGEST_LEN || memcmp(text, "sha256:", 7) != 0 ||
        strspn(text + 7, "0123456789abcdef") != 64) {
        return RC(MALFORMED);
    }
    return hex_decode_exact(out->b, sizeof(out->b), bytes_str(text + 7));
}

void image_digest_text(char out[IMAGE_DIGEST_LEN + 1], struct hash h)
{
    char hex[HEX_HASH_MAX];
    (void)snprintf(out, IMAGE_DIGEST_LEN + 1, "sha256:%s", hex_hash(hex, h) + 2);
}

static rc take_digest(struct hash *out, const struct js *j, struct err *e)
{
    const char *s = NULL;
    TRY(js_str(&s, j, e));
    return rc_ok(image_digest_parse(out, s))
               ? RC_OK
               : js_err(j, e, "must be \"sha256:\" and 64 lower-case hex digits");
}

/* A descriptor: mediaType, digest, size. */
static rc take_descriptor(const char **type, struct hash *digest, uint64_t *size,
                          const struct js *d, struct err *e)
{
    struct js media = js_key(d, "mediaType"), dig = js_key(d, "digest"), n = js_key(d, "size");
    TRY(js_object(d, e));
    TRY(js_str(type, &media, e));
    TRY(take_digest(digest, &dig, e));
    return js_u64(size, &n, IMAGE_UNPACKED_MAX, e);
}

static rc check_version(const struct js *top, struct err *e)
{
    struct js v = js_key(top, "schemaVersion");
    uint64_t n = 0;
    TRY(js_u64(&n, &v, 2, e));
    return n == 2 ? RC_OK : js_err(&v, e, "must be 2");
}

rc image_index_parse(struct hash *manifest, struct bytes json, struct err *e)
{
    JSON_FREE *v = json_parse(json, 16, e);
    if (v == NULL) {
        return RC(MALFORMED);
    }
    struct js top = js_top(v), list = js_key(&top, "manifests"), one = js_at(&list, 0);
    const char *type = NULL;
    uint64_t size = 0;
    TRY(check_version(&top, e));
    TRY(js_array(&list, 16, e));
    if (js_n(&list) != 1) {
        return js_err(&list, e, "must have one image, has %zu", js_n(&list));
    }
    TRY(take_descriptor(&type, manifest, &size, &one, e));
    return strcmp(type, MANIFEST_TYPE) == 0 ? RC_OK
                                            : js_err(&one, e, "is no manifest of an OCI image");
}

rc image_manifest_parse(struct image *out, struct hash *config, struct bytes json, struct err *e)
{
    JSON_FREE *v = json_parse(json, 16, e);
    if (v == NULL) {
        return RC(MALFORMED);
    }
    struct js top = js_top(v), conf = js_key(&top, "config"), list = js_key(&top, "layers");
    const char *type = NULL;
    uint64_t size = 0;
    TRY(check_version(&top, e));
    TRY(take_descriptor(&type, config, &size, &conf, e));
    if (strcmp(type, CONFIG_TYPE) != 0) {
        return js_err(&conf, e, "is no OCI image config");
    }
    TRY(js_array(&list, IMAGE_LAYERS_MAX, e));
    out->layers_n = js_n(&list);
    for (size_t i = 0; i < out->layers_n; i++) {
        struct js l = js_at(&list, i);
        struct image_layer *layer = &out->layers[i];
        TRY(take_descriptor(&type, &layer->digest, &layer->size, &l, e));
        layer->gzip = strcmp(type, LAYER_TYPE "+gzip") == 0;
        if (!layer->gzip && strcmp(type, LAYER_TYPE) != 0) {
            return js_err(&l, e, "has a type that we do not take: only tar and tar+gzip");
        }
    }
    return out->layers_n > 0 ? RC_OK : js_err(&list, e, "must not be empty");
}

static const char *copy_text(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = arena_alloc(a, n);
    if (p != NULL) {
        memcpy(p, s, n);
    }
    return p;
}

/* A list of strings, absent and null being empty. */
static rc take_words(const char *const **out, struct arena *a, const struct js *j, struct err *e)
{
    static const char *const none[] = {NULL};
    *out = none;
    if (j->v == NULL || json_is_null(j->v)) {
        return RC_OK;
    }
    TRY(js_array(j, IMAGE_ARGS_MAX, e));
    size_t n = js_n(j);
    const char **words = ARENA_ARRAY(a, const char *, n + 1);
    if (words == NULL) {
        return js_err(j, e, "is too long");
    }
    for (size_t i = 0; i < n; i++) {
        struct js w = js_at(j, i);
        const char *s = NULL;
        TRY(js_str(&s, &w, e));
        words[i] = copy_text(a, s);
        if (words[i] == NULL) {
            return js_err(j, e, "is too long");
        }
    }
    *out = words;
    return RC_OK;
}

static rc check_word(const struct js *top, const char *key, const char *want, struct err *e)
{
    struct js j = js_key(top, key);
    const char *s = NULL;
    TRY(js_str(&s, &j, e));
    return strcmp(s, want) == 0 ? RC_OK : js_err(&j, e, "must be \"%s\"", want);
}

static rc take_run(struct image *out, struct arena *a, const struct js *conf, struct err *e)
{
    struct js ep = js_key(conf, "Entrypoint"), cmd = js_key(conf, "Cmd");
    struct js env = js_key(conf, "Env"), dir = js_key(conf, "WorkingDir");
    TRY(js_object(conf, e));
    TRY(take_words(&out->entrypoint, a, &ep, e));
    TRY(take_words(&out->cmd, a, &cmd, e));
    TRY(take_words(&out->env, a, &env, e));
    for (size_t i = 0; out->env[i] != NULL; i++) {
        if (strchr(out->env[i], '=') == NULL || out->env[i][0] == '=') {
            struct js one = js_at(&env, i);
            return js_err(&one, e, "must be NAME=value");
        }
    }
    out->workdir = "/";
    if (dir.v != NULL && json_string_length(dir.v) > 0) {
        const char *s = NULL;
        TRY(js_str(&s, &dir, e));
        out->workdir = copy_text(a, s);
        if (s[0] != '/' || out->workdir == NULL) {
            return js_err(&dir, e, "must begin with /");
        }
    }
    if (out->entrypoint[0] == NULL || out->entrypoint[0][0] != '/') {
        return js_err(&ep, e, "must begin with the absolute path of the program");
    }
    return RC_OK;
}

rc image_config_parse(struct image *out, struct arena *a, struct bytes json, struct err *e)
{
    JSON_FREE *v = json_parse(json, 16, e);
    if (v == NULL) {
        return RC(MALFORMED);
    }
    struct js top = js_top(v), conf = js_key(&top, "config"), fs = js_key(&top, "rootfs");
    struct js ids = js_key(&fs, "diff_ids");
    TRY(check_word(&top, "os", "linux", e));
    TRY(check_word(&top, "architecture", "amd64", e));
    TRY(js_array(&ids, IMAGE_LAYERS_MAX, e));
    if (js_n(&ids) != out->layers_n) {
        return js_err(&ids, e, "must have one entry a layer (%zu)", out->layers_n);
    }
    for (size_t i = 0; i < out->layers_n; i++) {
        struct js one = js_at(&ids, i);
        TRY(take_digest(&out->layers[i].diff_id, &one, e));
    }
    return take_run(out, a, &conf, e);
}
