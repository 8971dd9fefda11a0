/* Decodes the tokens of a date, timestamp or time by PostgreSQL's rules. For this folder only. @thread any */
#ifndef ROW_DATETIME_DECODE_H
#define ROW_DATETIME_DECODE_H

#include "row/datetime_calendar.h"
#include "row/datetime_token.h"

enum decode_outcome {
    DECODE_OK,
    DECODE_SYNTAX,
    DECODE_RANGE,      /* a field's value is out of range */
    DECODE_ZONE_RANGE, /* the zone's offset is */
    DECODE_ZONE_NAME,  /* a zone other than UTC by name */
    DECODE_CLOCK       /* now, today and the like */
};
struct decoded {
    struct civil civil;
    enum word_kind special; /* WORD_EPOCH, WORD_INFINITY or WORD_MINUS_INFINITY: then `civil` means nothing */
    int zone_east_s;        /* 0 where none is given */
};
/* A date, perhaps with a time and a zone. Changes the tokens' text. */
enum decode_outcome decode_datetime(struct tokens *tokens, struct decoded *out);
/* A time, perhaps with a date and a zone. Changes the tokens' text. */
enum decode_outcome decode_time(struct tokens *tokens, struct decoded *out);
/* "h:m", "h:m:s" or "m:s.f" of a time or an interval: the clock's fields, the hour apart for it may be large. Sets the
 * hour, minute, second and us of `out`, the hour in `*hour`. */
enum decode_outcome decode_clock(char *text, struct civil *out, int64_t *hour);

#endif
