/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_DAEMON_STORE_STORE_H
#define SOUK_DAEMON_STORE_STORE_H

/* store.h - the content store: blocks on disk under their CIDs, with the HTTP API of an IPFS node on
 * one address and a gateway for readers on another.
 *
 * An upload is acknowledged when its blocks are on disk. Nothing that is pinned, being uploaded or
 * being read is taken by garbage collection. */

#include "io/loop.h"

struct content_store;

struct store_config {
    const char *dir;          /* made when it is not there; one process at a time */
    const char *listen;       /* API: "127.0.0.1:5001" */
    const char *gateway;      /* "127.0.0.1:8080"; NULL or "": none */
    const char *allow_origin; /* browsers' pages that may use the API; NULL: those of this host */
    uint64_t max_size;        /* bytes of blocks; 0: no limit */
};

rc content_store_open(struct content_store **out, struct loop *l, const struct store_config *cfg,
                      struct err *e);
void content_store_close(struct content_store *s); /* NULL is allowed */

const char *content_store_api_url(const struct content_store *s);
const char *content_store_gateway_url(const struct content_store *s); /* "" when there is none */

#endif /* SOUK_DAEMON_STORE_STORE_H */
