/* SPDX-License-Identifier: Apache-2.0 */
/* hostile.c - an application that does what an honest one does not; static, its argument says what.
 * Exit status 0: it was refused as it should be, or (good, noresult) all went well. 9: it got
 * through. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THROUGH 9

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        return -1;
    }
    return close(fd);
}

static int result(const char *text)
{
    return put("/iexec_out/result.txt", text) == 0 &&
                   put("/iexec_out/computed.json",
                       "{\"deterministic-output-path\":\"/iexec_out/result.txt\"}") == 0
               ? 0
               : 1;
}

static int forks(void)
{
    unsigned long long n = 0;
    for (;;) {
        pid_t p = fork();
        if (p < 0 && n > 2000) {
            (void)pause();
        }
        n++;
    }
}

static int eats(void)
{
    size_t block = (size_t)16 << 20;
    for (;;) {
        char *p = malloc(block);
        if (p == NULL) {
            return 3;
        }
        memset(p, 1, block);
    }
}

static int writes(const char *path)
{
    static char block[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    while (write(fd, block, sizeof(block)) > 0) {
    }
    (void)printf("%s\n", strerror(errno));
    return 4;
}

static int many(void)
{
    char path[64];
    for (int i = 0;; i++) {
        (void)snprintf(path, sizeof(path), "/iexec_out/f%d", i);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        if (fd < 0) {
            (void)printf("%d files\n", i);
            return 4;
        }
        (void)close(fd);
    }
}

static int outside(void)
{
    static const char *const paths[] = {"/x",       "/etc/x",   "/iexec_in/x", "/dev/x",  "/proc/x",
                                        "/usr/bin", "/../../x", "/app/app",    "/dev/sda"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (open(paths[i], O_WRONLY | O_CREAT, 0644) >= 0) {
            (void)printf("wrote %s\n", paths[i]);
            return THROUGH;
        }
    }
    return mkdir("/y", 0755) == 0 || mknod("/iexec_out/dev", S_IFBLK | 0600, 0x800) == 0 ? THROUGH
                                                                                         : 0;
}

static int network(void)
{
    static const int kinds[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (socket(kinds[i], SOCK_DGRAM, 0) >= 0 || socket(kinds[i], SOCK_STREAM, 0) >= 0) {
            return THROUGH;
        }
    }
    return 0;
}

static int prints(void)
{
    static char block[1 << 20];
    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 1024; i++) {
        if (write(1, block, sizeof(block)) <= 0) {
            return 5;
        }
    }
    return 0;
}

static int privileges(void)
{
    if (mount("t", "/tmp", "tmpfs", 0, NULL) == 0 || unshare(CLONE_NEWUSER) == 0 ||
        unshare(CLONE_NEWNS) == 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ||
        ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0 || setuid(0) == 0 || chroot("/tmp") == 0 ||
        syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0L) >= 0 ||
        syscall(SYS_bpf, 0, NULL, 0) >= 0 || syscall(SYS_keyctl, 0, 0) >= 0 ||
        syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0) >= 0 ||
        syscall(SYS_io_uring_setup, 1, NULL) >= 0 || syscall(SYS_setns, 0, 0) >= 0 ||
        umount2("/tmp", 0) == 0 || kill(1, SIGKILL) != 0) {
        /* Signals to init are allowed and ignored; all else must have failed. */
        return errno == EPERM ? 0 : THROUGH;
    }
    return 0;
}

static int background(void)
{
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            (void)setsid();
            if (fork() != 0) {
                _exit(0);
            }
            for (;;) {
                (void)sleep(1);
            }
        }
    }
    return result("left some behind\n");
}

static int linked(const char *target, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/iexec_out/%s", name);
    return symlink(target, path) == 0 ? 0 : 1;
}

/* Another result each time, as no honest application has it. */
static int differs(void)
{
    unsigned char raw[8];
    char text[2 * sizeof(raw) + 1];
    int fd = open("/dev/urandom", O_RDONLY);
    if (fd < 0 || read(fd, raw, sizeof(raw)) != sizeof(raw)) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(raw); i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", raw[i]);
    }
    return result(text);
}

/* Honest, and long enough for something to be killed meanwhile. */
static int slow(void)
{
    (void)usleep(1000000);
    return result("42\n");
}

/* Dataset, then the first input file, into the result. */
static int both(void)
{
    char text[4096], path[256];
    size_t n = 0;
    const char *names[] = {getenv("IEXEC_DATASET_FILENAME"), getenv("IEXEC_INPUT_FILE_NAME_1")};
    if (getenv("IEXEC_REQUESTER_SECRET_1") != NULL || getenv("IEXEC_REQUESTER_SECRET_2") == NULL) {
        return 5;
    }
    for (int i = 0; i < 2 && names[i] != NULL; i++) {
        (void)snprintf(path, sizeof(path), "/iexec_in/%s", names[i]);
        int fd = open(path, O_RDONLY);
        ssize_t got = fd < 0 ? -1 : read(fd, text + n, sizeof(text) - n - 1);
        if (got < 0) {
            return 6;
        }
        n += (size_t)got;
    }
    text[n] = 0;
    (void)printf("the plaintext is %s\n", text);
    return result(text);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "good";
    if (strcmp(what, "good") == 0) {
        (void)printf("hello\n");
        return result("42\n");
    }
    if (strcmp(what, "loop") == 0) {
        for (volatile int i = 0;; i++) {
        }
    }
    if (strcmp(what, "sleep") == 0) {
        for (;;) {
            (void)sleep(100);
        }
    }
    if (strcmp(what, "linked") == 0) {
        (void)result("x");
        return linked("/etc/passwd", "l");
    }
    if (strcmp(what, "linkedresult") == 0) {
        (void)linked("/etc/passwd", "result.txt");
        return put("/iexec_out/computed.json",
                   "{\"deterministic-output-path\":\"/iexec_out/result.txt\"}");
    }
    if (strcmp(what, "fifo") == 0) {
        return mkfifo("/iexec_out/p", 0600) == 0 ? THROUGH : 0;
    }
    if (strcmp(what, "closed") == 0) {
        return result("secret\n") != 0 || chmod("/iexec_out/result.txt", 0) != 0 ? 1 : 0;
    }
    if (strcmp(what, "tee") == 0) {
        return both();
    }
    if (strcmp(what, "reads") == 0) {
        char text[64];
        int fd = open("/iexec_in/data", O_RDONLY);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
        return n > 0 && write(1, text, (size_t)n) == n ? 0 : 1;
    }
    if (strcmp(what, "random") == 0) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%d %ld\n", getpid(), (long)random());
        int fd = open("/dev/urandom", O_RDONLY);
        return fd < 0 || read(fd, text, 8) != 8 ? 1 : result("r");
    }
    return strcmp(what, "forks") == 0        ? forks()
           : strcmp(what, "eats") == 0       ? eats()
           : strcmp(what, "writes") == 0     ? writes("/iexec_out/big")
           : strcmp(what, "tmp") == 0        ? writes("/tmp/big")
           : strcmp(what, "many") == 0       ? many()
           : strcmp(what, "outside") == 0    ? outside()
           : strcmp(what, "network") == 0    ? network()
           : strcmp(what, "prints") == 0     ? prints()
           : strcmp(what, "privileges") == 0 ? privileges()
           : strcmp(what, "background") == 0 ? background()
           : strcmp(what, "differs") == 0    ? differs()
           : strcmp(what, "slow") == 0       ? slow()
           : strcmp(what, "noresult") == 0   ? 0
           : strcmp(what, "crash") == 0      ? (abort(), 0)
                                             : 2;
}
