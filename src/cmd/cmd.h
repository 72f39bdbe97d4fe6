/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_CMD_CMD_H
#define SOUK_CMD_CMD_H

/* cmd.h - the subcommands of the one binary. Each lives in a file of its own, named after it, and
 * has one row in table.c; `run` gets argv[0] = the command's name and returns the exit status:
 * 0 done, 1 refused or failed, 2 bad usage or unreadable input. */

#include "base/rc.h"

struct command {
    const char *name, *help; /* help: one line, for the list */
    int (*run)(int argc, char **argv);
};

/* Stored data are damaged: whoever supervises must not start the command again. */
enum { EXIT_CORRUPT = 3 };

/* daemon.c: for commands that run as services. */
rc cmd_log_level(const char *name,
                 struct err *e); /* --log-level; MALFORMED when there is none so */

/* --ready-fd: one line to the descriptor, which is then closed: the service serves. 0: none. */
rc cmd_ready(uint64_t fd, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Logs what failed; the exit status that fits. */
int cmd_exit(const char *area, rc r, const struct err *e);

int cmd_attest(int argc, char **argv);
int cmd_sms(int argc, char **argv);
int cmd_enclave(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_market(int argc, char **argv);
int cmd_scheduler(int argc, char **argv);
int cmd_worker(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_compass(int argc, char **argv);
int cmd_claim(int argc, char **argv);
int cmd_receipt(int argc, char **argv);
int cmd_rent(int argc, char **argv);
int cmd_result(int argc, char **argv);
int cmd_task(int argc, char **argv);
int cmd_app(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_pool(int argc, char **argv);
int cmd_node(int argc, char **argv);
int cmd_node_chain(int argc, char **argv); /* export, import, verify: argv[0] */
int cmd_up(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_wallet(int argc, char **argv);

extern const struct command commands[]; /* ends with a row whose name is NULL */

#endif /* SOUK_CMD_CMD_H */
