/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/enclave/enclave_int.h"

void buf_wipe(struct buf *b)
{
    if (b->p != NULL) {
        mem_wipe(b->p, b->alloc);
    }
    buf_free(b);
}

/* jansson's memory holds the session's keys for a moment: it is wiped before it is given back. The
 * size stands in front of each block. */
#define HEAD 16

static void *wiping_alloc(size_t n)
{
    if (n > (size_t)1 << 30) {
        return NULL;
    }
    uint8_t *p = calloc(1, n + HEAD);
    if (p == NULL) {
        return NULL;
    }
    memcpy(p, &n, sizeof(n));
    return p + HEAD;
}

static void wiping_free(void *v)
{
    if (v != NULL) {
        uint8_t *p = (uint8_t *)v - HEAD;
        size_t n = 0;
        memcpy(&n, p, sizeof(n));
        mem_wipe(p, n + HEAD);
        free(p);
    }
}

static bool put_file(const char *path, const char *text)
{
    CLOSE_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* As an ordinary user the namespace comes with a user namespace in which we stay who we are. */
static bool own_namespace(void)
{
    char uid[64], gid[64];
    if (geteuid() == 0) {
        return unshare(CLONE_NEWNS) == 0;
    }
    (void)snprintf(uid, sizeof(uid), "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    (void)snprintf(gid, sizeof(gid), "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put_file("/proc/self/setgroups", "deny") &&
           put_file("/proc/self/uid_map", uid) && put_file("/proc/self/gid_map", gid);
}

rc private_enter(const char *work, struct buf *notes, struct err *e)
{
    struct rlimit none = {0};
    json_set_alloc_funcs(wiping_alloc, wiping_free);
    (void)setrlimit(RLIMIT_CORE, &none);
    TRY(dir_make(work, 0700, e));
    if (chmod(work, 0700) != 0) {
        return err_set(e, RC_CODE_IO, "make %s private: %s", work, strerror(errno));
    }
    bool ok = own_namespace() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("tmpfs", work, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") == 0;
    if (!ok) {
        put_fmt(notes,
                "private place: no mount namespace here (%s); plaintext is in a folder of "
                "mode 0700 on disk until the task ends\n",
                strerror(errno));
    }
    /* An ordinary user's tasks need the maps of their user namespaces written, which a process that
     * cannot be traced may not do; and whoever is the same user owns our namespace anyway. */
    if (geteuid() != 0) {
        put_str(notes,
                "private place: other processes of this user can look into the agent; run "
                "workers as root, or as a user of their own\n");
    } else if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return err_set(e, RC_CODE_IO, "make the agent untraceable: %s", strerror(errno));
    }
    return RC_OK;
}
