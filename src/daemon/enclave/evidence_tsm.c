/* SPDX-License-Identifier: Apache-2.0 */
/* evidence_tsm.c - evidence from the guest kernel: configfs-tsm, Linux 6.7 and later. A folder below
 * /sys/kernel/config/tsm/report is one request: 64 bytes are written to inblob, the evidence is read
 * from outblob; `generation` counts writes, so a change by somebody else in between is seen.
 * Source: the kernel's Documentation/ABI/testing/configfs-tsm. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/enclave/enclave_int.h"

#define TSM_DIR      "/sys/kernel/config/tsm/report"
#define EVIDENCE_MAX ((size_t)256 << 10)

static rc read_small(struct buf *out, const char *dir, const char *name, struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, dir, name, e));
    return file_read(out, path, e);
}

static rc write_inblob(const char *dir, const uint8_t data[64], struct err *e)
{
    char path[FILE_PATH_MAX];
    TRY(path_join(path, dir, "inblob", e));
    CLOSE_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, data, 64) == 64
               ? RC_OK
               : err_set(e, RC_CODE_IO, "write %s: %s", path, strerror(errno));
}

static rc ask(struct buf *evidence, const char *dir, const struct evidence_request *q,
              struct err *e)
{
    BUF_FREE before = buf_new(64);
    BUF_FREE after = buf_new(64);
    TRY(write_inblob(dir, q->report_data, e));
    TRY(read_small(&before, dir, "generation", e));
    TRY(read_small(evidence, dir, "outblob", e));
    TRY(read_small(&after, dir, "generation", e));
    if (!bytes_eq(buf_bytes(&before), buf_bytes(&after))) {
        return err_set(e, RC_CODE_IO, "tsm: the request was changed by another process");
    }
    return evidence->n > 0 && evidence->n <= EVIDENCE_MAX
               ? RC_OK
               : err_set(e, RC_CODE_IO, "tsm: the driver gave no evidence");
}

static rc quote(void *ctx, struct buf *evidence, const struct evidence_request *q, struct err *e)
{
    const char *base = ctx != NULL ? ctx : TSM_DIR;
    char dir[FILE_PATH_MAX], name[32];
    (void)snprintf(name, sizeof(name), "souk-%d", (int)getpid());
    TRY(path_join(dir, base, name, e));
    if (mkdir(dir, 0700) != 0) {
        return err_set(e, errno == ENOENT ? RC_CODE_NOT_FOUND : RC_CODE_IO,
                       "no evidence of a TEE to be had: make %s: %s. Run the agent inside a "
                       "confidential virtual machine, or use simulated evidence",
                       dir, strerror(errno));
    }
    rc r = ask(evidence, dir, q, e);
    (void)rmdir(dir);
    return r;
}

struct evidence_provider evidence_tsm(const char *folder)
{
    return (struct evidence_provider){
        .kind = "tsm", .quote = quote, .ctx = (void *)(uintptr_t)folder};
}
