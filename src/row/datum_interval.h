/* PostgreSQL's interval typmod: which fields are kept (bits 16..30) and the digits of the second (bits 0..15). Private
 * to the room. */
#ifndef ROW_DATUM_INTERVAL_H
#define ROW_DATUM_INTERVAL_H

enum {
    INTERVAL_MONTH_BIT = 1,
    INTERVAL_YEAR_BIT = 2,
    INTERVAL_DAY_BIT = 3,
    INTERVAL_HOUR_BIT = 10,
    INTERVAL_MINUTE_BIT = 11,
    INTERVAL_SECOND_BIT = 12,
    INTERVAL_RANGE_FULL = 0x7fff,
    INTERVAL_PRECISION_FULL = 0xffff
};

#endif
