/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtime/image_int.h"
#include "tests/test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* index.json, the manifest and the config, whose digests keep random bytes away in an image. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    static struct image img;
    struct arena a;
    struct hash h;
    struct err e;
    char text[IMAGE_DIGEST_LEN + 1] = {0};
    arena_init(&a, IMAGE_ARENA_MAX);
    (void)rc_ok(image_index_parse(&h, in, &e));
    img = (struct image){0};
    if (rc_ok(image_manifest_parse(&img, &h, in, &e))) {
        CHECK(img.layers_n > 0 && img.layers_n <= IMAGE_LAYERS_MAX);
    }
    img = (struct image){.layers_n = 1};
    if (rc_ok(image_config_parse(&img, &a, in, &e))) {
        CHECK(img.entrypoint[0][0] == '/' && img.workdir[0] == '/');
    }
    memcpy(text, data, size < IMAGE_DIGEST_LEN ? size : IMAGE_DIGEST_LEN);
    if (rc_ok(image_digest_parse(&h, text))) {
        char again[IMAGE_DIGEST_LEN + 1];
        image_digest_text(again, h);
        CHECK(strcmp(again, text) == 0);
    }
    arena_reset(&a);
    return 0;
}
