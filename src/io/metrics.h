/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_METRICS_H
#define SOUK_IO_METRICS_H

/* metrics.h - numbers an operator watches: a table of rows over the uint64_t fields of a daemon's
 * own struct, written in Prometheus' text format. */

#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    const char *name; /* "souk_node_blocks_total": unit and kind as the last words */
    enum metric_kind kind;
    size_t offset; /* of a uint64_t in the struct */
    const char *help;
};

#define METRIC(name, kind, type, field, help)                                                      \
    {                                                                                              \
        (name), (kind), offsetof(struct type, field), (help)                                       \
    }

/* rows end with one whose name is NULL; base is the struct they point into. */
void metrics_put(struct buf *b, const struct metric *rows, const void *base);

#endif /* SOUK_IO_METRICS_H */
