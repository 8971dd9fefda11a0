/* The words of a date, time or interval in text, and what each word means. For this folder only. @thread any */
#ifndef ROW_DATETIME_TOKEN_H
#define ROW_DATETIME_TOKEN_H

#include "base/bytes.h"
#include "row/datetime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOKENS_MAX = 25, TOKEN_DATETIME_BYTES_MAX = 153, TOKEN_INTERVAL_BYTES_MAX = 256 };

enum token_kind {
    TOKEN_NUMBER, /* digits, perhaps with a point */
    TOKEN_TEXT,   /* letters */
    TOKEN_DATE,   /* digits or letters joined by '-', '/' or '.'; also a zone's name */
    TOKEN_TIME,   /* digits and colons */
    TOKEN_SIGNED, /* a sign and digits: a zone's offset, or a signed number of an interval */
    TOKEN_SPECIAL /* a sign and letters: -infinity */
};
struct token {
    enum token_kind kind;
    char *text; /* lower case, ends with NUL */
};
struct tokens {
    struct token items[TOKENS_MAX];
    size_t count;
    char bytes[TOKEN_INTERVAL_BYTES_MAX];
};

/* False where `text` has a character that no token has, or more than fits (`bytes_max` with the ends of tokens). */
bool token_split(struct bytes text, size_t bytes_max, struct tokens *out);

enum word_kind {
    WORD_UNKNOWN,
    WORD_IGNORED,
    WORD_MONTH, /* value 1..12 */
    WORD_WEEKDAY,
    WORD_ERA,      /* value 1 = BC */
    WORD_MERIDIAN, /* value 1 = PM */
    WORD_UNIT,     /* value is an enum datetime_field */
    WORD_ISO_TIME, /* the T between date and time */
    WORD_UTC,      /* a name of the zone UTC */
    WORD_DST,
    WORD_AGO,
    WORD_FIELD, /* names a field of extract() only; value is an enum datetime_field */
    WORD_EPOCH,
    WORD_INFINITY,
    WORD_MINUS_INFINITY,
    WORD_CLOCK,   /* now, today, ... */
    WORD_ALLBALLS /* 00:00:00 UTC */
};
struct word {
    enum word_kind kind;
    int value;
};
/* The word's meaning in a date; in an interval or a field's name. Only the first ten letters count. */
struct word token_date_word(const char *text);
struct word token_unit_word(const char *text);
bool token_is_utc(const char *zone_name);

/* As strtol: what is no digit ends the number and *at stands there. False where it does not fit. */
bool token_scan_int64(char **at, int64_t *out);
bool token_scan_int(char **at, int *out);
/* "." and digits up to the end of the text, as 0 <= fraction <= 1. */
bool token_scan_fraction(const char *at, double *out);

static inline bool token_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
