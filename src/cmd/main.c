/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

static void usage(FILE *to)
{
    (void)fprintf(to,
                  "souk - an open market and runtime for confidential AI compute\n\n"
                  "usage: souk COMMAND [options]; souk COMMAND --help explains one\n\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        (void)fprintf(to, "  %-12s %s\n", c->name, c->help);
    }
}

int main(int argc, char **argv)
{
    for (const struct command *c = commands; argc > 1 && c->name != NULL; c++) {
        if (strcmp(argv[1], c->name) == 0) {
            return c->run(argc - 1, argv + 1);
        }
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        usage(stdout);
        return 0;
    }
    if (argc > 1) {
        (void)fprintf(stderr, "souk: no command '%s'\n\n", argv[1]);
    }
    usage(stderr);
    return 2;
}
