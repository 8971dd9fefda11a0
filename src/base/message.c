#include "base/message.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The two mutable globals of the program beside the stop flag: how loud it is, and when progress was last shown. */
static enum message_level message_level_min = MESSAGE_INFO;
static _Atomic int64_t message_progress_shown_us;

enum { MESSAGE_BYTES_MAX = 4096, PROGRESS_TERMINAL_US = 200000, PROGRESS_LINE_US = 10000000 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static size_t append_escaped(char *out, size_t used, const char *text)
{
    for (const char *c = text; *c != '\0' && used + 6 < MESSAGE_BYTES_MAX; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte == 0x7f) {
            used += (size_t)snprintf(out + used, 5, "\\x%02x", byte);
        } else {
            out[used] = *c;
            used += 1;
        }
    }
    return used;
}

static size_t append_head(char *out, enum message_level level, const char *room)
{
    char time[CLOCK_TEXT_BYTES];
    clock_text(clock_wall_us(), time);
    return (size_t)snprintf(out, MESSAGE_BYTES_MAX, "%s %s %s: ", time, level_names[level], room);
}

static void write_out(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, data, len);
        if (n <= 0) {
            return;
        }
        data += n;
        len -= (size_t)n;
    }
}

void message_line(enum message_level level, const char *room, const char *format, ...)
{
    if (level < message_level_min) {
        return;
    }
    char text[MESSAGE_BYTES_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char line[MESSAGE_BYTES_MAX + 1];
    size_t used = append_escaped(line, append_head(line, level, room), text);
    line[used] = '\n';
    write_out(line, used + 1);
}

void message_level_set(enum message_level level)
{
    message_level_min = level;
}

void message_progress(const char *room, bool done, const char *format, ...)
{
    bool terminal = isatty(STDERR_FILENO) == 1;
    int64_t now = clock_mono_us();
    int64_t shown = atomic_load(&message_progress_shown_us);
    int64_t pause = terminal ? PROGRESS_TERMINAL_US : PROGRESS_LINE_US;
    if (!done && shown != 0 && now - shown < pause) {
        return;
    }
    atomic_store(&message_progress_shown_us, done ? 0 : now);
    char text[MESSAGE_BYTES_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char line[MESSAGE_BYTES_MAX + 16];
    size_t used = terminal ? (size_t)snprintf(line, sizeof line, "\r\033[K") : 0;
    used += append_head(line + used, MESSAGE_INFO, room);
    used = append_escaped(line, used, text);
    if (!terminal || done) {
        line[used] = '\n';
        used += 1;
    }
    write_out(line, used);
}
