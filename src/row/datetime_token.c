/* Splits text as PostgreSQL's ParseDateTime does: by what a run of characters begins with, all other punctuation
 * separates. The tables of words are PostgreSQL 15's, without the names of time zones other than UTC. */
#include "row/datetime_token.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { WORD_LETTERS_MAX = 10 };

struct splitter {
    const char *at;
    const char *end;
    struct tokens *out;
    size_t used;
    size_t bytes_max;
    bool full;
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_date_mark(char c)
{
    return c == '-' || c == '/' || c == '.';
}
static char peek(const struct splitter *s)
{
    return s->at < s->end ? *s->at : '\0';
}

static void take(struct splitter *s)
{
    if (s->used + 1 >= s->bytes_max) {
        s->full = true;
        s->at++;
        return;
    }
    char c = *s->at++;
    s->out->bytes[s->used++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void take_digits_and(struct splitter *s, const char *others)
{
    while (token_is_digit(peek(s)) || (peek(s) != '\0' && strchr(others, peek(s)) != NULL)) {
        take(s);
    }
}

static enum token_kind take_number(struct splitter *s)
{
    take_digits_and(s, "");
    char mark = peek(s);
    if (mark == ':') {
        take_digits_and(s, ":.");
        return TOKEN_TIME;
    }
    if (!is_date_mark(mark)) {
        return TOKEN_NUMBER;
    }
    take(s);
    if (!token_is_digit(peek(s))) {
        while (token_is_digit(peek(s)) || is_alpha(peek(s)) || peek(s) == mark) {
            take(s);
        }
        return TOKEN_DATE;
    }
    take_digits_and(s, "");
    if (peek(s) != mark) {
        return mark == '.' ? TOKEN_NUMBER : TOKEN_DATE;
    }
    char marks[] = {mark, '\0'};
    take_digits_and(s, marks);
    return TOKEN_DATE;
}

static enum token_kind take_text(struct splitter *s, size_t begin)
{
    while (is_alpha(peek(s))) {
        take(s);
    }
    bool joined = is_date_mark(peek(s));
    if (!joined && (peek(s) == '+' || token_is_digit(peek(s)))) {
        s->out->bytes[s->used] = '\0';
        enum word_kind kind = token_date_word(s->out->bytes + begin).kind;
        joined = kind == WORD_UNKNOWN || kind == WORD_UTC;
    }
    if (!joined) {
        return TOKEN_TEXT;
    }
    while (peek(s) != '\0' && (token_is_digit(peek(s)) || is_alpha(peek(s)) || strchr("+-/_.:", peek(s)) != NULL)) {
        take(s);
    }
    return TOKEN_DATE;
}

/* False where neither a digit nor a letter follows the sign. */
static bool take_signed(struct splitter *s, enum token_kind *kind)
{
    take(s);
    while (is_space(peek(s))) {
        s->at++;
    }
    if (token_is_digit(peek(s))) {
        take_digits_and(s, ":.-");
        *kind = TOKEN_SIGNED;
        return true;
    }
    *kind = TOKEN_SPECIAL;
    bool any = is_alpha(peek(s));
    while (is_alpha(peek(s))) {
        take(s);
    }
    return any;
}

static bool take_token(struct splitter *s)
{
    size_t begin = s->used;
    enum token_kind kind = TOKEN_NUMBER;
    char c = peek(s);
    if (token_is_digit(c)) {
        kind = take_number(s);
    } else if (c == '.') {
        take(s);
        take_digits_and(s, "");
    } else if (is_alpha(c)) {
        kind = take_text(s, begin);
    } else if (c == '+' || c == '-') {
        if (!take_signed(s, &kind)) {
            return false;
        }
    } else if (c > ' ' && c < 127) {
        s->at++;
        return true;
    } else {
        return false;
    }
    if (s->full || s->out->count >= TOKENS_MAX) {
        return false;
    }
    s->out->bytes[s->used++] = '\0';
    s->out->items[s->out->count++] = (struct token){.kind = kind, .text = s->out->bytes + begin};
    return true;
}

bool token_split(struct bytes text, size_t bytes_max, struct tokens *out)
{
    out->count = 0;
    struct splitter s = {.at = (const char *)text.data, .out = out, .bytes_max = bytes_max};
    s.end = text.len > 0 ? s.at + text.len : s.at;
    while (s.at < s.end) {
        if (is_space(*s.at)) {
            s.at++;
        } else if (!take_token(&s)) {
            return false;
        }
    }
    return true;
}

struct entry {
    const char *name;
    struct word word;
};

static struct word find(const struct entry *entries, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].name[0] == text[0] && strncmp(entries[i].name, text, WORD_LETTERS_MAX) == 0) {
            return entries[i].word;
        }
    }
    return (struct word){.kind = WORD_UNKNOWN};
}

static const struct entry date_entries[] = {
    {"-infinity", {WORD_MINUS_INFINITY, 0}},
    {"infinity", {WORD_INFINITY, 0}},
    {"epoch", {WORD_EPOCH, 0}},
    {"now", {WORD_CLOCK, 0}},
    {"today", {WORD_CLOCK, 0}},
    {"tomorrow", {WORD_CLOCK, 0}},
    {"yesterday", {WORD_CLOCK, 0}},
    {"allballs", {WORD_ALLBALLS, 0}},
    {"ad", {WORD_ERA, 0}},
    {"bc", {WORD_ERA, 1}},
    {"am", {WORD_MERIDIAN, 0}},
    {"pm", {WORD_MERIDIAN, 1}},
    {"at", {WORD_IGNORED, 0}},
    {"on", {WORD_IGNORED, 0}},
    {"t", {WORD_ISO_TIME, 0}},
    {"z", {WORD_UTC, 0}},
    {"utc", {WORD_UTC, 0}},
    {"gmt", {WORD_UTC, 0}},
    {"ut", {WORD_UTC, 0}},
    {"uct", {WORD_UTC, 0}},
    {"zulu", {WORD_UTC, 0}},
    {"dst", {WORD_DST, 0}},
    {"jan", {WORD_MONTH, 1}},
    {"january", {WORD_MONTH, 1}},
    {"feb", {WORD_MONTH, 2}},
    {"february", {WORD_MONTH, 2}},
    {"mar", {WORD_MONTH, 3}},
    {"march", {WORD_MONTH, 3}},
    {"apr", {WORD_MONTH, 4}},
    {"april", {WORD_MONTH, 4}},
    {"may", {WORD_MONTH, 5}},
    {"jun", {WORD_MONTH, 6}},
    {"june", {WORD_MONTH, 6}},
    {"jul", {WORD_MONTH, 7}},
    {"july", {WORD_MONTH, 7}},
    {"aug", {WORD_MONTH, 8}},
    {"august", {WORD_MONTH, 8}},
    {"sep", {WORD_MONTH, 9}},
    {"sept", {WORD_MONTH, 9}},
    {"september", {WORD_MONTH, 9}},
    {"oct", {WORD_MONTH, 10}},
    {"october", {WORD_MONTH, 10}},
    {"nov", {WORD_MONTH, 11}},
    {"november", {WORD_MONTH, 11}},
    {"dec", {WORD_MONTH, 12}},
    {"december", {WORD_MONTH, 12}},
    {"sun", {WORD_WEEKDAY, 0}},
    {"sunday", {WORD_WEEKDAY, 0}},
    {"mon", {WORD_WEEKDAY, 1}},
    {"monday", {WORD_WEEKDAY, 1}},
    {"tue", {WORD_WEEKDAY, 2}},
    {"tues", {WORD_WEEKDAY, 2}},
    {"tuesday", {WORD_WEEKDAY, 2}},
    {"wed", {WORD_WEEKDAY, 3}},
    {"weds", {WORD_WEEKDAY, 3}},
    {"wednesday", {WORD_WEEKDAY, 3}},
    {"thu", {WORD_WEEKDAY, 4}},
    {"thur", {WORD_WEEKDAY, 4}},
    {"thurs", {WORD_WEEKDAY, 4}},
    {"thursday", {WORD_WEEKDAY, 4}},
    {"fri", {WORD_WEEKDAY, 5}},
    {"friday", {WORD_WEEKDAY, 5}},
    {"sat", {WORD_WEEKDAY, 6}},
    {"saturday", {WORD_WEEKDAY, 6}},
    {"y", {WORD_UNIT, FIELD_YEAR}},
    {"m", {WORD_UNIT, FIELD_MONTH}},
    {"d", {WORD_UNIT, FIELD_DAY}},
    {"h", {WORD_UNIT, FIELD_HOUR}},
    {"mm", {WORD_UNIT, FIELD_MINUTE}},
    {"s", {WORD_UNIT, FIELD_SECOND}},
    {"j", {WORD_UNIT, FIELD_JULIAN}},
    {"jd", {WORD_UNIT, FIELD_JULIAN}},
    {"julian", {WORD_UNIT, FIELD_JULIAN}},
    {"isoyear", {WORD_UNIT, FIELD_ISOYEAR}},
    {"dow", {WORD_FIELD, FIELD_DOW}},
    {"isodow", {WORD_FIELD, FIELD_ISODOW}},
    {"doy", {WORD_FIELD, FIELD_DOY}},
};

struct word token_date_word(const char *text)
{
    return find(date_entries, sizeof date_entries / sizeof date_entries[0], text);
}

struct word token_unit_word(const char *text)
{
    static const struct entry entries[] = {
        {"@", {WORD_IGNORED, 0}},
        {"ago", {WORD_AGO, 0}},
        {"us", {WORD_UNIT, FIELD_MICROSECONDS}},
        {"usec", {WORD_UNIT, FIELD_MICROSECONDS}},
        {"usecs", {WORD_UNIT, FIELD_MICROSECONDS}},
        {"usecond", {WORD_UNIT, FIELD_MICROSECONDS}},
        {"useconds", {WORD_UNIT, FIELD_MICROSECONDS}},
        {"microseconds", {WORD_UNIT, FIELD_MICROSECONDS}},
        {"ms", {WORD_UNIT, FIELD_MILLISECONDS}},
        {"msec", {WORD_UNIT, FIELD_MILLISECONDS}},
        {"msecs", {WORD_UNIT, FIELD_MILLISECONDS}},
        {"msecond", {WORD_UNIT, FIELD_MILLISECONDS}},
        {"mseconds", {WORD_UNIT, FIELD_MILLISECONDS}},
        {"milliseconds", {WORD_UNIT, FIELD_MILLISECONDS}},
        {"s", {WORD_UNIT, FIELD_SECOND}},
        {"sec", {WORD_UNIT, FIELD_SECOND}},
        {"secs", {WORD_UNIT, FIELD_SECOND}},
        {"second", {WORD_UNIT, FIELD_SECOND}},
        {"seconds", {WORD_UNIT, FIELD_SECOND}},
        {"m", {WORD_UNIT, FIELD_MINUTE}},
        {"min", {WORD_UNIT, FIELD_MINUTE}},
        {"mins", {WORD_UNIT, FIELD_MINUTE}},
        {"minute", {WORD_UNIT, FIELD_MINUTE}},
        {"minutes", {WORD_UNIT, FIELD_MINUTE}},
        {"h", {WORD_UNIT, FIELD_HOUR}},
        {"hr", {WORD_UNIT, FIELD_HOUR}},
        {"hrs", {WORD_UNIT, FIELD_HOUR}},
        {"hour", {WORD_UNIT, FIELD_HOUR}},
        {"hours", {WORD_UNIT, FIELD_HOUR}},
        {"d", {WORD_UNIT, FIELD_DAY}},
        {"day", {WORD_UNIT, FIELD_DAY}},
        {"days", {WORD_UNIT, FIELD_DAY}},
        {"w", {WORD_UNIT, FIELD_WEEK}},
        {"week", {WORD_UNIT, FIELD_WEEK}},
        {"weeks", {WORD_UNIT, FIELD_WEEK}},
        {"mon", {WORD_UNIT, FIELD_MONTH}},
        {"mons", {WORD_UNIT, FIELD_MONTH}},
        {"month", {WORD_UNIT, FIELD_MONTH}},
        {"months", {WORD_UNIT, FIELD_MONTH}},
        {"qtr", {WORD_UNIT, FIELD_QUARTER}},
        {"quarter", {WORD_UNIT, FIELD_QUARTER}},
        {"y", {WORD_UNIT, FIELD_YEAR}},
        {"yr", {WORD_UNIT, FIELD_YEAR}},
        {"yrs", {WORD_UNIT, FIELD_YEAR}},
        {"year", {WORD_UNIT, FIELD_YEAR}},
        {"years", {WORD_UNIT, FIELD_YEAR}},
        {"dec", {WORD_UNIT, FIELD_DECADE}},
        {"decs", {WORD_UNIT, FIELD_DECADE}},
        {"decade", {WORD_UNIT, FIELD_DECADE}},
        {"decades", {WORD_UNIT, FIELD_DECADE}},
        {"c", {WORD_UNIT, FIELD_CENTURY}},
        {"cent", {WORD_UNIT, FIELD_CENTURY}},
        {"century", {WORD_UNIT, FIELD_CENTURY}},
        {"centuries", {WORD_UNIT, FIELD_CENTURY}},
        {"mil", {WORD_UNIT, FIELD_MILLENNIUM}},
        {"mils", {WORD_UNIT, FIELD_MILLENNIUM}},
        {"millennium", {WORD_UNIT, FIELD_MILLENNIUM}},
        {"millennia", {WORD_UNIT, FIELD_MILLENNIUM}},
        {"timezone", {WORD_UNIT, FIELD_TIMEZONE}},
        {"timezone_hour", {WORD_UNIT, FIELD_TIMEZONE_HOUR}},
        {"timezone_minute", {WORD_UNIT, FIELD_TIMEZONE_MINUTE}},
    };
    return find(entries, sizeof entries / sizeof entries[0], text);
}

bool token_is_utc(const char *zone_name)
{
    static const char *const names[] = {"etc/utc",       "etc/gmt",   "etc/uct",   "etc/zulu", "etc/universal",
                                        "etc/greenwich", "universal", "greenwich", "utc",      "gmt",
                                        "uct",           "zulu",      "gmt0",      "gmt+0",    "gmt-0",
                                        "etc/gmt0",      "etc/gmt+0", "etc/gmt-0"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], zone_name) == 0) {
            return true;
        }
    }
    return false;
}

bool token_scan_int64(char **at, int64_t *out)
{
    errno = 0;
    *out = strtoll(*at, at, 10);
    return errno != ERANGE;
}

bool token_scan_int(char **at, int *out)
{
    int64_t value = 0;
    bool fits = token_scan_int64(at, &value) && value >= INT32_MIN && value <= INT32_MAX;
    *out = fits ? (int)value : 0;
    return fits;
}

bool token_scan_fraction(const char *at, double *out)
{
    for (const char *p = at + 1; *p != '\0'; p++) {
        if (!token_is_digit(*p)) {
            return false;
        }
    }
    *out = at[1] == '\0' ? 0.0 : strtod(at, NULL);
    return true;
}

bool datetime_field_from_name(struct bytes name, enum datetime_field *out)
{
    char text[32] = {0};
    if (name.len >= sizeof text) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = (char)name.data[i];
        text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    struct word word = token_unit_word(text);
    if (word.kind == WORD_UNKNOWN) {
        word = token_date_word(text);
    }
    if (word.kind == WORD_EPOCH) {
        *out = FIELD_EPOCH;
        return true;
    }
    *out = (enum datetime_field)word.value;
    return word.kind == WORD_UNIT || word.kind == WORD_FIELD;
}
