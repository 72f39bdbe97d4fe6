/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_APPS_LIB_APP_H
#define SOUK_APPS_LIB_APP_H

/* app.h - the application contract (docs/apps.md): what a task hands to the program in its
 * environment, and what the program leaves.
 *
 * Answers go to $IEXEC_OUT/result/, and $IEXEC_OUT/computed.json names that folder as the
 * deterministic part: nothing in it may depend on time, machine or chance. A failure leaves no
 * folder; its sentence is in computed.json and on standard error, and the exit status says whose
 * fault it is. */

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"

enum app_exit {
    APP_OK = 0,
    APP_USAGE = 2,   /* the contract: a variable is missing, an argument is wrong */
    APP_PICTURE = 3, /* the input file: absent, no picture, too large */
    APP_MODEL = 4,   /* the model file: absent, damaged, not for this program */
    APP_SYSTEM = 5,  /* no memory, no room for the answer */
};

struct app {
    const char *name;
    const char *out;  /* $IEXEC_OUT */
    const char *in;   /* $IEXEC_IN */
    struct arena mem; /* files read, aligned to 16 */
};

#define APP_PATH_MAX 4096

/* Reads the environment. Ends the program with APP_USAGE when it is not there. */
void app_init(struct app *a, const char *name);

/* The n-th input file (from 1), or the rented model; max bytes at most. Both end the program with a
 * message and the matching status when there is none, or it cannot be read. */
struct bytes app_input(struct app *a, unsigned n, size_t max);
struct bytes app_model(struct app *a, size_t max);
void app_model_path(struct app *a, char out[APP_PATH_MAX]); /* for libraries that open files */

/* Writes $IEXEC_OUT/result/name; ends the program when it cannot. Names have at most 31 characters. */
void app_write(struct app *a, const char *name, struct bytes data);

/* Writes computed.json and ends the program with APP_OK. With a callback (may be empty) its bytes
 * become the task's on-chain result. */
NORETURN void app_done(struct app *a);
NORETURN void app_done_callback(struct app *a, struct bytes callback);

/* Says what went wrong on standard error and in computed.json, and ends the program. */
NORETURN void app_fail(struct app *a, enum app_exit status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* s as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void app_put_json(struct buf *b, struct bytes s);

#endif /* SOUK_APPS_LIB_APP_H */
