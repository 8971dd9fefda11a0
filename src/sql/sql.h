/* Schema files in PostgreSQL's SQL -> catalog. libpg_query is included in this room alone. */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include "base/error.h"
#include "plan/catalog.h"
#include "plan/plan.h"

/* Reads the files in order into a fresh catalog (caller's memory; released with catalog_release). Statements: CREATE
 * SCHEMA [IF NOT EXISTS], CREATE TABLE with column types, NOT NULL, PRIMARY KEY (column or table form), DEFAULT and
 * other constraints accepted and ignored, WITH (topic = '...'); CREATE [OR REPLACE] VIEW; CREATE MATERIALIZED VIEW
 * [WITH [NO] DATA]; COMMENT ON is read and ignored. Anything else is refused. Every error begins "file:line:column:
 * ". */
enum status sql_load(struct catalog *out, const char *const *paths, uint32_t path_count, struct error *err);
/* The same from memory; `name` stands for the file in messages. For tests and tools. */
enum status sql_load_text(struct catalog *out, const char *name, const char *text, struct error *err);
void catalog_release(struct catalog *c);

#endif
