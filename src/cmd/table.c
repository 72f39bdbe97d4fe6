/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cmd/cmd.h"

/* clang-format off */
const struct command commands[] = {
    {"up",          "start a whole market on this machine", cmd_up},
    {NULL, NULL, NULL},
};
/* clang-format on */
