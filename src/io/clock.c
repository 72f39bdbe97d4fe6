/* SPDX-License-Identifier: Apache-2.0 */
#include "io/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static struct timespec now(clockid_t id)
{
    struct timespec t;
    ASSERT(clock_gettime(id, &t) == 0);
    return t;
}

static uint64_t to_us(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_wall_s(void)
{
    return (uint64_t)now(CLOCK_REALTIME).tv_sec;
}

uint64_t clock_wall_ms(void)
{
    return to_us(now(CLOCK_REALTIME)) / 1000;
}

uint64_t clock_mono_us(void)
{
    return to_us(now(CLOCK_MONOTONIC));
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

void clock_sleep_ms(uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {
    }
}

char *clock_text(uint64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    out[0] = 0;
    if (gmtime_r(&s, &tm) != NULL) {
        size_t n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(out + n, CLOCK_TEXT_MAX - n, ".%03uZ", (unsigned)(wall_ms % 1000));
    }
    return out;
}
