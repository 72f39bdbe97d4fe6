/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - what the commands that run as services share: log level, the ready line, exit status. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "io/file.h"

rc cmd_log_level(const char *name, struct err *e)
{
    enum log_level level;
    if (!log_level_parse(&level, name)) {
        return err_set(e, RC_CODE_MALFORMED,
                       "--log-level: '%.40s' is none of error, warn, info, debug", name);
    }
    log_set_level(level);
    return RC_OK;
}

rc cmd_ready(uint64_t fd, struct err *e, const char *fmt, ...)
{
    BUF_FREE b = buf_new(1024);
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (fd == 0) {
        return RC_OK;
    }
    put_fmt(&b, "%s\n", text);
    rc r = fd_write_all((int)fd, buf_bytes(&b), e);
    (void)close((int)fd);
    return err_wrap(e, r, "--ready-fd");
}

int cmd_exit(const char *area, rc r, const struct err *e)
{
    if (rc_ok(r)) {
        return 0;
    }
    log_error(area, "%s", e->msg);
    return r.code == RC_CODE_CORRUPT ? EXIT_CORRUPT : r.code == RC_CODE_MALFORMED ? 2 : 1;
}
