/* The only door to the machine's clocks. Folding never looks at one. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT_BYTES = 32 };

int64_t clock_mono_us(void); /* since some fixed point; for intervals */
int64_t clock_wall_us(void); /* since 1970-01-01 UTC */
/* Writes "2026-01-31T12:00:00.123Z". @thread any */
void clock_text(int64_t wall_us, char out[static CLOCK_TEXT_BYTES]);
void clock_sleep_us(int64_t us);

#endif
