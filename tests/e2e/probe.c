/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - the application of the workerpool's tests: writes its arguments, after what they ask for:
 * sleep MS, fail, nothing (no result). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "sleep") == 0 && i + 1 < argc) {
            (void)usleep((useconds_t)strtoul(argv[i + 1], NULL, 10) * 1000);
        } else if (strcmp(argv[i], "fail") == 0) {
            (void)fprintf(stderr, "probe: told to fail\n");
            return 3;
        } else if (strcmp(argv[i], "nothing") == 0) {
            return 0;
        }
    }
    FILE *f = fopen("/iexec_out/result.txt", "w");
    FILE *c = fopen("/iexec_out/computed.json", "w");
    if (f == NULL || c == NULL) {
        return 4;
    }
    for (int i = 1; i < argc; i++) {
        (void)fprintf(f, "%s\n", argv[i]);
    }
    (void)fputs("{\"deterministic-output-path\":\"/iexec_out/result.txt\"}", c);
    (void)printf("task %s\n", getenv("IEXEC_TASK_ID"));
    return fclose(f) == 0 && fclose(c) == 0 ? 0 : 5;
}
