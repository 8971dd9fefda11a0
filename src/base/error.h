/* One status enum and one caller-owned error: the class decides, the text explains. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* What a caller may do about a failure. STATUS_OK is 0, so `if (st)` means "failed". */
enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND,   /* the thing asked for is not there; the caller decides whether that is bad */
    STATUS_END,         /* the stream has no more for now */
    STATUS_INVALID,     /* bytes or text from outside that do not decode, or a value out of range */
    STATUS_UNSUPPORTED, /* understood, but this program does not do it */
    STATUS_RETRY,       /* a passing fault of another process or of the network */
    STATUS_IO,          /* this machine's disk or memory failed us: stop */
    STATUS_CORRUPT,     /* stored bytes do not match their checksum or format: stop */
    STATUS_LOCKED,      /* somebody else holds it */
    STATUS_MISMATCH,    /* it exists but belongs to another pipeline, source or version */
    STATUS_STOPPED      /* asked to stop */
};

enum { ERROR_TEXT_BYTES_MAX = 1024 };

/* Untouched on success. `text` is one line without a full stop: "could not <verb> <thing>: <cause>". */
struct error {
    enum status status;
    int os_errno; /* 0 where no system call is the cause */
    char text[ERROR_TEXT_BYTES_MAX];
};

/* Fills `err` and returns `status`, so that a function can `return error_set(...)`. A nonzero `os_errno` appends
 * its text. @thread any */
enum status error_set(struct error *err, enum status status, int os_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the text. Each layer may do so once. Returns err->status. @thread any */
enum status error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns a lower-case word for the status, for messages and exit codes. */
const char *status_name(enum status status);

/* Return at once on failure; only while nothing is held. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        enum status try_status_ = (expression);                                                                        \
        if (try_status_ != STATUS_OK) {                                                                                \
            return try_status_;                                                                                        \
        }                                                                                                              \
    } while (0)

/* Sets the local `st` and goes to `label` on failure. */
#define TRY_GOTO(label, expression)                                                                                    \
    do {                                                                                                               \
        st = (expression);                                                                                             \
        if (st != STATUS_OK) {                                                                                         \
            goto label;                                                                                                \
        }                                                                                                              \
    } while (0)

#endif
