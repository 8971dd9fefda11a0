/* Dates and times as Debezium writes them: numbers since 1970 and ISO 8601 strings, with its codes for infinity. */
#ifndef INGEST_DEBEZIUM_TIME_H
#define INGEST_DEBEZIUM_TIME_H

#include "base/bytes.h"
#include "base/error.h"
#include "ingest/debezium_schema.h"

#include <stdint.h>

/* Results as in row/datum.h. STATUS_INVALID where out of PostgreSQL's range or not understood. @thread any */
enum status debezium_date_from_days(int64_t epoch_days, int64_t *out, struct error *err);
/* `form` is one of FORM_MILLIS, FORM_MICROS and FORM_NANOS. */
enum status debezium_time_from_number(int64_t value, enum debezium_form form, int64_t *out, struct error *err);
enum status debezium_timestamp_from_number(int64_t value, enum debezium_form form, int64_t *out, struct error *err);
enum status debezium_duration_from_number(int64_t value, enum debezium_form form, int64_t *out, struct error *err);

/* "2024-02-29Z", "-0043-03-15Z", "+12024-02-29Z", "infinity" */
enum status debezium_date_from_text(struct bytes text, int64_t *out, struct error *err);
/* "12:34:56.789Z": the zone is not looked at, as the value has none. */
enum status debezium_time_from_text(struct bytes text, int64_t *out, struct error *err);
/* "2024-02-29T12:34:56.789012Z", also with an offset (`with_zone`: taken off) and with a blank for the T. */
enum status debezium_timestamp_from_text(struct bytes text, bool with_zone, int64_t *out, struct error *err);

#endif
