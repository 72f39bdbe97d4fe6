/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_RUNTIME_IMAGE_INT_H
#define SOUK_DAEMON_RUNTIME_IMAGE_INT_H

/* image_int.h - what the image files of this folder share. */

#include "daemon/runtime/archive_int.h"
#include "daemon/runtime/runtime.h"

/* Folders that every task mounts over; an image may hold them as folders only. */
extern const char *const image_mounts[]; /* "tmp", "dev", ...; ends with NULL */

void image_digest_text(char out[IMAGE_DIGEST_LEN + 1], struct hash h);

/* The manifest: its layers (diff ids still zero) and the config's digest. */
rc image_manifest_parse(struct image *out, struct hash *config, struct bytes json, struct err *e);

/* The config: entrypoint, cmd, env, workdir, diff ids of out->layers_n layers. */
rc image_config_parse(struct image *out, struct arena *a, struct bytes json, struct err *e);

/* index.json: the digest of the one manifest. */
rc image_index_parse(struct hash *manifest, struct bytes json, struct err *e);

/* Checks a layer's contents (names, kinds, sizes, digests); with dir_fd >= 0 also writes them there.
 * tar stands on the layer's blob. *files and *bytes count on over the layers. */
rc image_layer(struct tar_in *tar, const struct image_layer *layer, int dir_fd, uint64_t *files,
               uint64_t *bytes, struct err *e);

/* image_read_fd() without the layers' contents: every blob's digest, index, manifest, config. */
rc image_read_head(struct image *out, struct arena *a, int fd, struct err *e);

/* Checks the layers of an image whose JSON is read, in order; with dir_fd >= 0 unpacks them. */
rc image_walk_layers(const struct image *img, int fd, int dir_fd, struct err *e);

/* "a/b/c" without "..", "." and empty parts; "./" in front and "/" behind are taken off. False when
 * the name is not allowed; "" is the root. */
bool image_name_clean(char out[], size_t size, const char *name);

/* A folder that the application may enter, whatever our own umask says: 0, or -1 with errno. */
int image_mkdir(int at, const char *name);

#endif /* SOUK_DAEMON_RUNTIME_IMAGE_INT_H */
