/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_PUBLISH_H
#define SOUK_CMD_PUBLISH_H

/* publish.h - what `souk app`, `souk model` and `souk pool` share: registering an asset, signing an
 * order for it, and putting the order on the market. */

#include "cmd/session.h"

enum { PUBLISH_WAIT_MS = 30000 };

/* Calls registry.predictX() and createX() with these arguments (their ABI bytes without selector),
 * unless the asset exists already. *made says which. */
rc asset_create(struct session *s, struct address *out, bool *made, enum method registry,
                enum method predict, enum method create, struct bytes args, struct err *e);

/* "tee", "tee,gpu", "none" or a 32-byte hex word to a tag. SPEC sdk-surface 1 */
rc tag_parse(struct hash *out, const char *text, struct err *e);

/* 0 for NULL or "any"; an address or name otherwise. */
rc restrict_parse(struct session *s, struct address *out, const char *text, struct err *e);

/* Signs struct_hash into sign[65] and publishes the order; *orderhash gets its name. */
rc order_sign(struct session *s, uint8_t sign[65], struct hash struct_hash, struct err *e);
rc order_publish(struct session *s, struct hash *orderhash, enum order_kind kind, json_t *take,
                 struct err *e);

struct hash salt_new(void);

#endif /* SOUK_CMD_PUBLISH_H */
