/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_WORKERS_H
#define SOUK_IO_WORKERS_H

/* workers.h - a fixed pool of threads for pure functions (signature recovery, hashing). The owner
 * hands it a row of items and takes part in the work itself; when workers_run() returns all are
 * done. What fn reads must not change meanwhile, and item i must write to its own place only. */

#include "base/rc.h"

struct workers;

/* threads: of the pool and the owner together; 0: one for each core. */
rc workers_open(struct workers **out, unsigned threads, struct err *e);
void workers_close(struct workers *w);           /* NULL is allowed */
unsigned workers_count(const struct workers *w); /* threads, the owner's among them */

/* Calls fn(ctx, i) for every i < n, each once, on any thread. A single item stays on this one. */
void workers_run(struct workers *w, size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

#endif /* SOUK_IO_WORKERS_H */
