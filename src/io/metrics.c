/* SPDX-License-Identifier: Apache-2.0 */
#include "io/metrics.h"

#include <inttypes.h>

void metrics_put(struct buf *b, const struct metric *rows, const void *base)
{
    for (const struct metric *m = rows; m->name != NULL; m++) {
        uint64_t v;
        memcpy(&v, (const uint8_t *)base + m->offset, sizeof(v));
        put_fmt(b, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", m->name, m->help, m->name,
                m->kind == METRIC_COUNTER ? "counter" : "gauge", m->name, v);
    }
}
