#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { US_PER_S = 1000000 };

static int64_t clock_read(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return clock_read(CLOCK_REALTIME);
}

void clock_text(int64_t wall_us, char out[static CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(wall_us / US_PER_S);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    snprintf(out, CLOCK_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", ((unsigned)parts.tm_year + 1900) % 10000,
             ((unsigned)parts.tm_mon + 1) % 100, (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100,
             (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100, (unsigned)(wall_us % US_PER_S / 1000) % 1000);
}

void clock_sleep_us(int64_t us)
{
    struct timespec wait = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};
    (void)nanosleep(&wait, NULL);
}
