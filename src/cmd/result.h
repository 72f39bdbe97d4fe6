/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_RESULT_H
#define SOUK_CMD_RESULT_H

/* result.h - following tasks and opening their results: shared by rent, task and result. */

#include "cmd/session.h"

/* Waits until the task is completed or failed. Says each change of status on standard error when
 * `talk`. LIMIT after timeout_ms. Views live in s->a. */
rc task_wait(struct session *s, struct view_task *out, struct hash task, uint64_t timeout_ms,
             bool talk, struct err *e);

const char *task_status_text(enum task_status st);

/* Fetches a completed task's result and unpacks it below dir. An encrypted result is opened with the
 * wallet's result key. *encrypted: it was. */
rc result_fetch(struct session *s, const struct view_task *t, const char *dir, bool *encrypted,
                struct err *e);

/* The RSA key of a wallet for its results, made on first use: state/keys/WALLET.result.pem. Appends
 * the public half (PEM) to `pub` when it is not NULL. */
rc result_key(struct session *s, struct secret *private_pem, struct buf *pub, struct err *e);

/* A task id, or a deal id, of which the task with this index (counted from the deal's first) is meant. */
rc task_lookup(struct session *s, struct hash *task, struct view_task *out, const char *text,
               uint64_t index, struct err *e);

#endif /* SOUK_CMD_RESULT_H */
