/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_BASE_LOG_H
#define SOUK_BASE_LOG_H

/* log.h - one line an event, on standard error: `2026-01-31T12:00:00.123Z INFO area message key=value…`.
 *
 * ERROR asks the operator to act, WARN may need him, INFO is a change of state, DEBUG and TRACE are
 * for developers. Hashes are written in full hex. Never log a secret. */

#include "base/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

void log_set_level(enum log_level max);

/* "error" … "trace"; false when the name is none of them. */
bool log_level_parse(enum log_level *out, const char *name);

/* Writes one line with a single write(); control characters of the message become '?'. */
void log_line(enum log_level level, const char *area, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_error(area, ...) log_line(LOG_ERROR, (area), __VA_ARGS__)
#define log_warn(area, ...)  log_line(LOG_WARN, (area), __VA_ARGS__)
#define log_info(area, ...)  log_line(LOG_INFO, (area), __VA_ARGS__)
#define log_debug(area, ...) log_line(LOG_DEBUG, (area), __VA_ARGS__)

#endif /* SOUK_BASE_LOG_H */
