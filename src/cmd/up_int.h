/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_UP_INT_H
#define SOUK_CMD_UP_INT_H

/* up_int.h - `souk up`: settings and the services that follow from them (up.c, up_files.c), and the
 * supervisor that starts, watches, restarts and stops them (up_run.c). */

#include "base/arena.h"
#include "base/buf.h"
#include "io/loop.h"
#include "io/opts.h"
#include "io/proc.h"

enum { UP_SERVICES_MAX = 24, UP_ARGS_MAX = 48, UP_ANNOUNCED_MAX = 16 };

struct up_settings {
    const char *state, *host, *rules, *tee, *policy, *genesis;
    const char *hub, *token, *app_registry, *dataset_registry, *workerpool_registry, *owner;
    const char *log_level;
    uint64_t chain_id, block_ms, base_fee;
    uint64_t node_port, store_port, gateway_port, market_port, sms_port, scheduler_port,
        compass_port;
    uint64_t workers, slots, liars;
    struct opt_list fund, announce;
    bool dev, idle_pool, json;
};

/* One child process: its command line, and what the supervisor knows of it. */
struct up_service {
    char name[24];
    const char *argv[UP_ARGS_MAX];
    size_t n_args;
    bool wanted;     /* false: stopped on purpose */
    char ready[256]; /* the line it wrote on its ready descriptor, such as its URL */
    struct proc proc;
    struct loop_child child;
    struct loop_timer restart;
    unsigned failures; /* exits since it last ran for a minute */
    uint64_t started_ms;
    struct up *up;
};

struct up {
    struct up_settings set;
    struct arena *a; /* lives as long as the process: paths, arguments */
    char self[4096]; /* this executable */
    struct up_service service[UP_SERVICES_MAX];
    size_t n;
    struct loop *loop;
    struct loop_timer deadline; /* of the stop */
    char workerpool[64], hub[64];
    bool stopping;
    int status;
};

/* "state/name" in u->a. */
const char *up_path(struct up *u, const char *name);
const char *up_fmt(struct up *u, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Keys, genesis and policy: made on the first start, left alone later. */
rc up_make_files(struct up *u, struct err *e);

/* Reads keys/NAME.key, making it when it is not there; *addr gets its address. */
rc up_key(struct up *u, const char *name, struct address *addr, struct err *e);

/* up.json: where everything is, for people, scripts and the other commands. */
rc up_write_summary(struct up *u, struct err *e);

/* Adds a service and its first arguments (ends with NULL); arguments are added until it starts. */
struct up_service *up_add(struct up *u, const char *name, const char *command);
void up_arg(struct up_service *s, const char *name, const char *value); /* value NULL: a flag */

/* Starts one service and waits until it says that it serves; s->ready holds what it said. */
rc up_start(struct up *u, struct up_service *s, uint64_t timeout_ms, struct err *e);

/* Runs `souk ARGS…` to its end and gives its standard output. */
rc up_command(struct up *u, struct buf *out, const char *const *args, struct err *e);

/* Watches all services until a signal, then stops them in reverse order. Exit status. */
int up_watch(struct up *u);
void up_stop_all(struct up *u);

#endif /* SOUK_CMD_UP_INT_H */
