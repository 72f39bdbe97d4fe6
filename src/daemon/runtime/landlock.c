/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/runtime/sandbox_int.h"

/* Landlock's user interface, versions 1 to 7, written down here because Debian 12's headers know the
 * first two only. Source: the kernel's Documentation/userspace-api/landlock. */

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

struct ruleset_attr {
    uint64_t fs;     /* version 1 */
    uint64_t net;    /* version 4: bind and connect TCP */
    uint64_t scoped; /* version 6: abstract unix sockets, signals */
};

struct __attribute__((packed)) path_attr {
    uint64_t access;
    int32_t parent;
};

#define FS_EXECUTE    (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE  (1ull << 2)
#define FS_READ_DIR   (1ull << 3)
#define FS_V1         ((1ull << 13) - 1)
#define FS_REFER      (1ull << 13) /* 2: move between folders */
#define FS_TRUNCATE   (1ull << 14) /* 3 */
#define FS_IOCTL_DEV  (1ull << 15) /* 5 */
#define NET_TCP       3ull
#define SCOPED_ALL    3ull

/* Bits 6, 7, 9..12: devices, sockets, fifos are never made. */
#define FS_MAKE_DEVICES (1ull << 6 | 1ull << 9 | 1ull << 10 | 1ull << 11)

int landlock_abi(void)
{
    long n = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    return n > 0 ? (int)n : 0;
}

static uint64_t fs_of(int abi)
{
    return FS_V1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static bool allow(int set, const char *path, uint64_t access)
{
    struct path_attr at = {.access = access, .parent = open(path, O_PATH | O_CLOEXEC)};
    if (at.parent < 0) {
        return false;
    }
    long r = syscall(SYS_landlock_add_rule, set, RULE_PATH_BENEATH, &at, 0);
    (void)close(at.parent);
    return r == 0;
}

bool landlock_enter(int abi)
{
    uint64_t all = fs_of(abi);
    struct ruleset_attr attr = {
        .fs = all, .net = abi >= 4 ? NET_TCP : 0, .scoped = abi >= 6 ? SCOPED_ALL : 0};
    size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 16 : 8;
    int set = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (set < 0) {
        return false;
    }
    uint64_t rd = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
    uint64_t rw = all & ~(FS_MAKE_DEVICES | FS_IOCTL_DEV);
    bool ok = allow(set, "/", rd) && allow(set, "/tmp", rw) && allow(set, "/iexec_out", rw) &&
              allow(set, "/dev", FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE) &&
              syscall(SYS_landlock_restrict_self, set, 0) == 0;
    int keep = errno;
    (void)close(set);
    errno = keep;
    return ok;
}
