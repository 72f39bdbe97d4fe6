/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cmd/cmd.h"
#include "daemon/runtime/runtime.h"
#include "io/json.h"
#include "io/opts.h"

struct image_args {
    const char *out, *workdir;
    struct opt_list entrypoint, cmd, env;
    bool json;
};

/* clang-format off */
static const struct opt table[] = {
    OPT("out", OPT_STR, image_args, out, "FILE", NULL, 0, 0, "pack: where the image goes"),
    OPT("entrypoint", OPT_LIST, image_args, entrypoint, "WORD", NULL, 0, 0,
        "pack: the program's absolute path in the image; again for each fixed argument"),
    OPT("cmd", OPT_LIST, image_args, cmd, "WORD", NULL, 0, 0,
        "pack: arguments when a task brings none"),
    OPT("env", OPT_LIST, image_args, env, "NAME=VALUE", NULL, 0, 0, "pack: environment"),
    OPT("workdir", OPT_STR, image_args, workdir, "DIR", "/", 0, 0, "pack: working folder"),
    OPT("json", OPT_FLAG, image_args, json, NULL, NULL, 0, 0, "print JSON"),
    {NULL, OPT_FLAG, 0, NULL, NULL, 0, 0, NULL},
};
/* clang-format on */

static const struct opts opts = {
    .command = "image",
    .summary =
        "Pack an application's root filesystem into an image that has the same bytes on "
        "every machine, or\nlook into one and check it. The digest names the image on the "
        "chain.",
    .args = "pack ROOTFS | show FILE | verify FILE",
    .args_min = 2,
    .args_max = 2,
    .table = table,
    .example =
        "  souk image pack rootfs --out app.tar --entrypoint /app\n"
        "  souk image verify app.tar\n",
};

static int fail(const struct err *e)
{
    (void)fprintf(stderr, "souk image: %s\n", e->msg);
    return e->code == RC_CODE_IO ? 1 : 2;
}

static const char *const *words_of(struct opt_list *l)
{
    if (l->n == OPT_LIST_MAX) {
        l->n--;
    }
    l->v[l->n] = NULL;
    return l->v;
}

static int pack(struct image_args *args, const char *rootfs)
{
    struct err e = {0};
    char digest[IMAGE_DIGEST_LEN + 1];
    struct image_pack_spec spec = {.rootfs = rootfs,
                                   .entrypoint = words_of(&args->entrypoint),
                                   .cmd = words_of(&args->cmd),
                                   .env = words_of(&args->env),
                                   .workdir = args->workdir};
    if (args->out == NULL) {
        (void)fprintf(stderr, "souk image: pack needs --out FILE\n");
        return 2;
    }
    if (!rc_ok(image_pack(&spec, args->out, digest, &e))) {
        return fail(&e);
    }
    (void)printf(args->json ? "{\"digest\":\"%s\"}\n" : "%s\n", digest);
    return 0;
}

static void put_list(struct buf *b, const char *const *words)
{
    put_str(b, "[");
    for (size_t i = 0; words[i] != NULL; i++) {
        put_str(b, i == 0 ? "" : ",");
        json_put_str(b, bytes_str(words[i]));
    }
    put_str(b, "]");
}

static void show(const struct image *img, bool json)
{
    BUF_FREE b = buf_new(IMAGE_JSON_MAX);
    uint64_t size = 0;
    for (size_t i = 0; i < img->layers_n; i++) {
        size += img->layers[i].size;
    }
    put_fmt(&b, json ? "{\"digest\":\"%s\",\"entrypoint\":" : "digest      %s\nentrypoint  ",
            img->digest);
    put_list(&b, img->entrypoint);
    put_str(&b, json ? ",\"cmd\":" : "\ncmd         ");
    put_list(&b, img->cmd);
    put_str(&b, json ? ",\"env\":" : "\nenv         ");
    put_list(&b, img->env);
    put_str(&b, json ? ",\"workdir\":" : "\nworkdir     ");
    json_put_str(&b, bytes_str(img->workdir));
    put_fmt(&b, json ? ",\"layers\":%zu,\"size\":%llu}\n" : "\nlayers      %zu, %llu bytes\n",
            img->layers_n, (unsigned long long)size);
    (void)fputs(buf_cstr(&b), stdout);
}

static int run_action(struct image_args *args, struct arena *a, const char *action,
                      const char *path)
{
    struct err e = {0};
    if (strcmp(action, "pack") == 0) {
        return pack(args, path);
    }
    if (strcmp(action, "show") != 0 && strcmp(action, "verify") != 0) {
        (void)fprintf(stderr, "souk image: no action '%s': pack, show or verify\n", action);
        return 2;
    }
    struct image *img = ARENA_NEW(a, struct image);
    ASSERT(img != NULL);
    if (!rc_ok(image_read(img, a, path, &e))) {
        return fail(&e);
    }
    if (action[0] == 's') {
        show(img, args->json);
    } else {
        (void)printf(args->json ? "{\"digest\":\"%s\",\"ok\":true}\n" : "%s ok\n", img->digest);
    }
    return 0;
}

int cmd_image(int argc, char **argv)
{
    struct image_args args = {0};
    struct opts_rest rest;
    struct arena a;
    int status = 2;
    arena_init(&a, IMAGE_ARENA_MAX);
    switch (opts_parse(&opts, &args, &rest, argc, argv, &a)) {
    case OPTS_DONE:
        status = 0;
        break;
    case OPTS_BAD:
        break;
    case OPTS_RUN:
        status = run_action(&args, &a, rest.v[0], rest.v[1]);
        break;
    }
    arena_reset(&a);
    return status;
}
