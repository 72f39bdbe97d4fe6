/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_CMD_H
#define SOUK_CMD_CMD_H

/* cmd.h - the subcommands of the one binary. Each lives in a file of its own, named after it, and
 * has one row in table.c; `run` gets argv[0] = the command's name and returns the exit status:
 * 0 done, 1 refused or failed, 2 bad usage or unreadable input. */

struct command {
    const char *name, *help; /* help: one line, for the list */
    int (*run)(int argc, char **argv);
};

/* Stored data are damaged: whoever supervises must not start the command again. */
enum { EXIT_CORRUPT = 3 };

int cmd_up(int argc, char **argv);

extern const struct command commands[]; /* ends with a row whose name is NULL */

#endif /* SOUK_CMD_CMD_H */
