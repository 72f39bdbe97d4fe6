/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level level_max = LOG_INFO; /* the one global that house style allows */

static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};

void log_set_level(enum log_level max)
{
    level_max = max;
}

bool log_level_parse(enum log_level *out, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(names[i], name) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    if (level > level_max) {
        return;
    }
    char line[2048];
    struct timespec ts;
    struct tm tm;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ %s %s ", ts.tv_nsec / 1000000,
                          names[level], area);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    va_end(ap);
    size_t end = m < 0 ? n : MIN(n + (size_t)m, sizeof(line) - 2);
    for (size_t i = n; i < end; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[end++] = '\n';
    if (write(STDERR_FILENO, line, end) < 0) {
        return; /* nowhere left to say so */
    }
}
