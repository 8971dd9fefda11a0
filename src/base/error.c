#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *err, enum status status, int os_errno, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int written = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->status = status;
    err->os_errno = os_errno;
    if (os_errno != 0 && written >= 0 && (size_t)written < sizeof err->text) {
        char reason[128];
        snprintf(err->text + written, sizeof err->text - (size_t)written, ": %s",
                 strerror_r(os_errno, reason, sizeof reason));
    }
    return status;
}

enum status error_prefix(struct error *err, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int written = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (written >= 0 && (size_t)written < sizeof text) {
        snprintf(text + written, sizeof text - (size_t)written, ": %.*s", (int)(sizeof text - (size_t)written),
                 err->text);
    }
    memcpy(err->text, text, sizeof err->text);
    return err->status;
}

const char *status_name(enum status status)
{
    static const char *const names[] = {
        "ok", "not found", "end", "invalid", "unsupported", "retry", "io", "corrupt", "locked", "mismatch", "stopped",
    };
    return (unsigned)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}
