/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "souk: internal error: %s:%d: %s does not hold\n", file, line, what);
    abort();
}
