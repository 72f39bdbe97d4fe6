/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - the parent: it keeps the login, asks for work and starts a child for each piece. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/worker/worker_int.h"
#include "encoding/hex.h"
#include "io/clock.h"

#define WAIT_MS    25000 /* for work, while a slot is free */
#define FULL_MS    200   /* between questions while none is: reveals need no slot */
#define PAUSE_MS   200   /* after the scheduler could not be reached */
#define PAUSE_MAX  5000
#define GC_MS      600000
#define CRASHES    3  /* of the children of one task */
#define SIDE_SLOTS 16 /* reveals and uploads at a time, beside the slots */
#define ITEMS_MAX  128

struct child {
    pid_t pid; /* 0: free */
    int pidfd;
    struct work_item item, then; /* then: the next step of the same task, told meanwhile */
    bool has_then;
    int crashes;
};

struct serve {
    const struct worker_config *cfg;
    struct desk desk;
    struct http_client *http;
    struct client *chain;
    struct child *child;
    size_t n_child;
    uint64_t gc_ms;
    bool lost, logged_in, complained;
};

static volatile sig_atomic_t stopping;

static void on_signal(int signo)
{
    (void)signo;
    stopping = 1;
}

static bool is_stopping(void *ctx)
{
    (void)ctx;
    return stopping != 0;
}

/* --- children --- */

/* Secrets are wiped in a forked child: the key goes through a pipe. */
static bool take_key(struct signer *s, int fd)
{
    uint8_t raw[32];
    size_t n = 0;
    while (n < sizeof(raw)) {
        ssize_t got = read(fd, raw + n, sizeof(raw) - n);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
    }
    rc r = secret_copy(&s->key, (struct bytes){raw, sizeof(raw)});
    mem_wipe(raw, sizeof(raw));
    return rc_ok(r);
}

NORETURN static void child_main(struct serve *s, const struct work_item *item, int key_fd)
{
    char lock[FILE_PATH_MAX];
    struct signer signer = {.address = s->cfg->signer->address};
    struct worker_config cfg = *s->cfg;
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_IGN); /* Ctrl-C: the parent ends us */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!take_key(&signer, key_fd) || !rc_ok(path_join(lock, cfg.state, "nonce.lock", NULL))) {
        _exit(1);
    }
    (void)close(key_fd);
    signer.lock = lock;
    cfg.signer = &signer;
    struct desk desk = s->desk;
    _exit(job_main(&cfg, item, &desk, s->chain));
}

static rc start(struct serve *s, struct child *c, struct err *e)
{
    int fds[2];
    (void)!rc_ok(client_prepare(s->chain, NULL)); /* else the child asks, and waits if it must */
    if (pipe(fds) != 0) {
        return err_set(e, RC_CODE_IO, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[1]);
        child_main(s, &c->item, fds[0]);
    }
    (void)close(fds[0]);
    if (pid < 0) {
        (void)close(fds[1]);
        return err_set(e, RC_CODE_IO, "fork: %s", strerror(errno));
    }
    rc r = fd_write_all(fds[1], secret_bytes(&s->cfg->signer->key), e);
    (void)close(fds[1]);
    c->pid = pid;
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return r;
}

static bool is_side(const struct child *c)
{
    return c->item.what != WORK_RUN;
}

static size_t running(const struct serve *s, bool side)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_child; i++) {
        n += s->child[i].pid != 0 && is_side(&s->child[i]) == side;
    }
    return n;
}

static void drop(struct serve *s, const struct work_item *item)
{
    char id[HEX_HASH_MAX], tasks[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    if (rc_ok(path_join(tasks, s->cfg->state, "tasks", NULL)) &&
        rc_ok(path_join(dir, tasks, hex_hash(id, item->task), NULL)) && file_exists(dir)) {
        (void)!rc_ok(dir_remove(dir, NULL));
    }
}

static void take(struct serve *s, const struct work_item *item)
{
    struct err e = {0};
    struct child *room = NULL;
    for (size_t i = 0; i < s->n_child; i++) {
        struct child *c = &s->child[i];
        if (c->pid != 0 && hash_eq(c->item.task, item->task)) {
            c->has_then = item->what != c->item.what; /* else it was said twice */
            c->then = *item;
            return;
        }
        room = c->pid == 0 && room == NULL ? c : room;
    }
    if (item->what == WORK_DROP) {
        drop(s, item);
        return;
    }
    bool side = item->what != WORK_RUN;
    if (room == NULL || running(s, side) >= (side ? SIDE_SLOTS : s->cfg->slots)) {
        s->lost = true; /* told again with the next question */
        return;
    }
    *room = (struct child){.item = *item, .pidfd = -1};
    if (!rc_ok(start(s, room, &e))) {
        log_error(AREA, "%s", e.msg);
        s->lost = true;
    }
}

static void report_crash(struct serve *s, const struct child *c)
{
    struct err e;
    struct desk_report r = {.status = "FAILED",
                            .cause = "UNKNOWN_ISSUE",
                            .message = "the worker's process for this task crashed",
                            .exit_code = -1};
    if (!rc_ok(desk_report(&s->desk, c->item.task, &r, &e))) {
        log_warn(AREA, "%s", e.msg);
    }
}

static void go_on(struct serve *s, struct child *c)
{
    if (c->has_then) {
        c->has_then = false;
        struct work_item then = c->then;
        take(s, &then);
    }
}

static void reap(struct serve *s)
{
    struct err e;
    int status;
    for (size_t i = 0; i < s->n_child; i++) {
        struct child *c = &s->child[i];
        if (c->pid == 0 || waitpid(c->pid, &status, WNOHANG) != c->pid) {
            continue;
        }
        fd_close(&c->pidfd);
        c->pid = 0;
        if (!WIFSIGNALED(status) || stopping) {
            go_on(s, c);
            continue;
        }
        log_warn(AREA, "a child ended by signal %d", WTERMSIG(status));
        if (++c->crashes >= CRASHES) {
            report_crash(s, c);
        } else if (!rc_ok(start(s, c, &e))) {
            log_error(AREA, "%s", e.msg);
        }
    }
}

/* Until a child ends, at most ms. */
static void wait_children(struct serve *s, int ms)
{
    struct pollfd *p = calloc(s->n_child, sizeof(*p));
    ASSERT(p != NULL);
    nfds_t n = 0;
    for (size_t i = 0; i < s->n_child; i++) {
        if (s->child[i].pid != 0 && s->child[i].pidfd >= 0) {
            p[n++] = (struct pollfd){.fd = s->child[i].pidfd, .events = POLLIN};
        }
    }
    (void)poll(p, n, ms);
    free(p);
}

static void end_children(struct serve *s)
{
    for (size_t i = 0; i < s->n_child; i++) {
        struct child *c = &s->child[i];
        if (c->pid != 0) {
            (void)kill(c->pid, SIGKILL); /* each goes on from its journal, or begins again */
            (void)waitpid(c->pid, NULL, 0);
            fd_close(&c->pidfd);
            c->pid = 0;
        }
    }
}

/* --- what is left of tasks that are over --- */

static bool is_over(struct serve *s, struct hash task)
{
    struct arena a;
    struct view_task v;
    arena_init(&a, (size_t)1 << 20);
    rc r = client_view_task(s->chain, &v, &a, task, NULL);
    bool over = rc_ok(r) && (v.status == TASK_COMPLETED || v.status == TASK_FAILED);
    arena_reset(&a);
    return over;
}

static void collect_garbage(struct serve *s)
{
    char path[FILE_PATH_MAX];
    struct hash task;
    if (!rc_ok(path_join(path, s->cfg->state, "tasks", NULL))) {
        return;
    }
    DIR *d = opendir(path);
    struct dirent *ent;
    while (d != NULL && !stopping && (ent = readdir(d)) != NULL) {
        bool busy = !rc_ok(hex_parse_hash(&task, ent->d_name));
        for (size_t i = 0; i < s->n_child; i++) {
            busy = busy || (s->child[i].pid != 0 && hash_eq(s->child[i].item.task, task));
        }
        if (!busy && is_over(s, task)) {
            drop(s, &(struct work_item){.task = task});
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    s->gc_ms = clock_mono_ms() + GC_MS;
}

/* --- the round --- */

static rc login(struct serve *s, struct err *e)
{
    TRY(desk_login(&s->desk, e));
    s->logged_in = true;
    s->complained = false;
    return RC_OK;
}

static rc ask(struct serve *s, struct err *e)
{
    struct work_item items[ITEMS_MAX];
    size_t n, busy = running(s, false), free_slots = s->cfg->slots - MIN(busy, s->cfg->slots);
    bool then = false; /* a child's end is to be noticed soon: it has a next step */
    for (size_t i = 0; i < s->n_child; i++) {
        then = then || (s->child[i].pid != 0 && s->child[i].has_then);
    }
    uint64_t wait_ms = then || free_slots == 0 ? 0 : WAIT_MS;
    bool lost = s->lost;
    rc r = desk_work(&s->desk, items, ITEMS_MAX, &n, free_slots, wait_ms, lost, is_stopping, e);
    s->lost = !rc_ok(r); /* what an unread answer held is told again */
    TRY(r);
    reap(s);
    for (size_t i = 0; i < n; i++) {
        take(s, &items[i]);
    }
    if ((free_slots == 0 || then) && n == 0) {
        wait_children(s, FULL_MS);
    }
    return RC_OK;
}

static void round_of_work(struct serve *s, uint64_t *pause_ms)
{
    struct err e = {0};
    reap(s);
    if (clock_mono_ms() >= s->gc_ms) {
        collect_garbage(s);
    }
    rc r = s->logged_in ? ask(s, &e) : login(s, &e);
    if (rc_ok(r) || stopping) {
        *pause_ms = PAUSE_MS;
        return;
    }
    s->logged_in = s->logged_in && r.code != RC_CODE_DENIED;
    if (!s->complained) {
        log_warn(AREA, "%s; trying again", e.msg);
        s->complained = true;
    }
    wait_children(s, (int)*pause_ms);
    *pause_ms = MIN(*pause_ms * 2, (uint64_t)PAUSE_MAX);
}

/* A name that stays with the state folder: the scheduler tells a restart from a second worker. */
static rc instance_id(struct serve *s, struct err *e)
{
    char path[FILE_PATH_MAX];
    BUF_FREE text = buf_new(64);
    uint8_t raw[16];
    TRY(path_join(path, s->cfg->state, "instance", e));
    if (!file_exists(path)) {
        TRY(random_bytes(raw, sizeof(raw)));
        put_hex(&text, (struct bytes){raw, sizeof(raw)});
        TRY(file_create(path, buf_bytes(&text), 0600, e));
    } else {
        TRY(file_read(&text, path, e));
    }
    (void)snprintf(s->desk.instance, sizeof(s->desk.instance), "%s", buf_cstr(&text));
    return RC_OK;
}

static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal}; /* no SA_RESTART: waits are to end */
    (void)sigaction(SIGTERM, &a, NULL);
    (void)sigaction(SIGINT, &a, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static rc first_login(struct serve *s, struct err *e)
{
    for (uint64_t pause_ms = PAUSE_MS; !stopping;
         pause_ms = MIN(pause_ms * 2, (uint64_t)PAUSE_MAX)) {
        rc r = login(s, e);
        if (rc_ok(r) || r.code == RC_CODE_DENIED) {
            return r;
        }
        if (!s->complained) {
            log_warn(AREA, "%s; trying again", e->msg);
            s->complained = true;
        }
        clock_sleep_ms(pause_ms);
    }
    return err_set(e, RC_CODE_IO, "stopped before the scheduler answered");
}

static rc serve(struct serve *s, rc (*on_ready)(void *ctx, struct err *e), void *ctx, struct err *e)
{
    struct client_config net = {.url = s->cfg->node, .hub = s->cfg->hub, .timeout_ms = 3000};
    char tasks[FILE_PATH_MAX];
    TRY(path_join(tasks, s->cfg->state, "tasks", e));
    TRY(dir_make(tasks, 0755, e));
    TRY(instance_id(s, e));
    TRY(http_client_open(&s->http, e));
    TRY(client_open(&s->chain, &net, e));
    s->desk.http = s->http;
    catch_signals();
    TRY(first_login(s, e));
    TRY(on_ready(ctx, e));
    for (uint64_t pause_ms = PAUSE_MS; !stopping;) {
        round_of_work(s, &pause_ms);
    }
    return RC_OK;
}

rc worker_serve(const struct worker_config *given, rc (*on_ready)(void *ctx, struct err *e),
                void *ctx, struct err *e)
{
    CLOSE_FD lock = -1;
    char state[PATH_MAX];
    struct worker_config full = *given;
    const struct worker_config *cfg = &full;
    TRY(dir_lock(&lock, cfg->state, e));       /* one worker a folder */
    if (realpath(cfg->state, state) == NULL) { /* a sandbox has another working folder */
        return err_set(e, RC_CODE_IO, "%s: %s", cfg->state, strerror(errno));
    }
    full.state = state;
    struct serve s = {.cfg = cfg, .desk = {.cfg = cfg}, .n_child = cfg->slots + SIDE_SLOTS};
    s.child = calloc(s.n_child, sizeof(*s.child));
    ASSERT(s.child != NULL);
    rc r = serve(&s, on_ready, ctx, e);
    end_children(&s);
    client_close(s.chain);
    http_client_close(s.http);
    free(s.child);
    return r;
}
