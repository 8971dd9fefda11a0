/* Lines for people on standard error: `2026-01-31T12:00:00.123Z level room: message key=value`. */
#ifndef BASE_MESSAGE_H
#define BASE_MESSAGE_H

#include <stdbool.h>

enum message_level { MESSAGE_DEBUG, MESSAGE_INFO, MESSAGE_WARN, MESSAGE_ERROR };

/* Writes one line, atomically, whatever the thread. Control characters in the text are escaped. @thread any */
void message_line(enum message_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Lines below `level` are dropped; the start value is MESSAGE_INFO. Set once by main, before threads start. */
void message_level_set(enum message_level level);

/* Shows the progress of long work: on a terminal one line that is overwritten at most five times a second, elsewhere
 * a line every 10 s. `done` ends it with a line of its own. @thread any */
void message_progress(const char *room, bool done, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
