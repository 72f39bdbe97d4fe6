/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_OPTS_H
#define SOUK_IO_OPTS_H

/* opts.h - one table per command: it parses the command line and a JSON config file, checks ranges
 * and writes the --help text. A later source wins: default, --config FILE, command line. */

#include "base/arena.h"
#include "base/rc.h"

enum opt_type {
    OPT_FLAG, /* bool; --name, --no-name */
    OPT_U64,  /* uint64_t */
    OPT_SIZE, /* uint64_t bytes; k, m, g suffixes (1024) */
    OPT_MS,   /* uint64_t milliseconds; "250ms", "2s", "5m", "1h"; a bare number is milliseconds */
    OPT_STR,  /* const char * */
    OPT_LIST, /* struct opt_list; may be given many times */
};

#define OPT_LIST_MAX 64

struct opt_list {
    const char *v[OPT_LIST_MAX];
    size_t n;
};

struct opt {
    const char *name; /* without dashes */
    enum opt_type type;
    size_t offset;     /* of the field in the caller's struct */
    const char *arg;   /* what --help calls the value: "DIR"; NULL for flags */
    const char *def;   /* as it would be typed; NULL: zero, NULL, false */
    uint64_t min, max; /* of numbers; max 0: no limit */
    const char *help;
};

#define OPT(name, type, st, field, ...)                                                            \
    {                                                                                              \
        (name), (type), offsetof(struct st, field), __VA_ARGS__                                    \
    }

struct opts {
    const char *command; /* "node": shown as "souk node" */
    const char *summary; /* one or two sentences */
    const char *args;    /* positional arguments for the usage line, "FILE [OUT]"; NULL: none */
    size_t args_min, args_max;
    const struct opt *table; /* ends with a row whose name is NULL */
    const char *example;     /* lines under "example:"; NULL: none */
};

struct opts_rest {
    const char *const *v;
    size_t n;
};

enum opts_what { OPTS_RUN, OPTS_DONE, OPTS_BAD };

/* Fills *into from defaults, config file and argv; text is kept in a. DONE: --help was printed on
 * standard output, exit with 0. BAD: a message was printed on standard error, exit with 2.
 * rest (may be NULL) gets the positional arguments, which live in argv. */
enum opts_what opts_parse(const struct opts *o, void *into, struct opts_rest *rest, int argc,
                          char **argv, struct arena *a);

/* The same without printing: MALFORMED with the sentence. *help: --help was asked. */
rc opts_read(const struct opts *o, void *into, struct opts_rest *rest, bool *help, int argc,
             char **argv, struct arena *a, struct err *e);

struct buf;
void opts_help(struct buf *b, const struct opts *o);

#endif /* SOUK_IO_OPTS_H */
