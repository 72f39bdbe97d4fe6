/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOUK_IO_CLOCK_H
#define SOUK_IO_CLOCK_H

/* clock.h - the only callers of the system's clocks. Wall time may jump, also backwards: use it for
 * what people and the chain read, and monotonic time for deadlines and durations. */

#include "base/base.h"

uint64_t clock_wall_s(void);  /* seconds since 1970 */
uint64_t clock_wall_ms(void); /* milliseconds since 1970 */
uint64_t clock_mono_ms(void); /* milliseconds since some fixed moment of this boot */
uint64_t clock_mono_us(void);

void clock_sleep_ms(uint64_t ms); /* blocks the thread; a signal does not end it */

#define CLOCK_TEXT_MAX 32

/* "2026-01-31T12:00:00.123Z" of a wall time in milliseconds; returns out. */
char *clock_text(uint64_t wall_ms, char out[CLOCK_TEXT_MAX]);

#endif /* SOUK_IO_CLOCK_H */
