/* What names mean: columns of the FROM items, bare or qualified, and the stars. */
#include "sql/analyze.h"

#include "expr/build.h"

#include <string.h>

bool sql_is_star(const PgQuery__ColumnRef *ref)
{
    return ref->n_fields > 0 && ref->fields[ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
}

uint32_t sql_count_columns(const struct sql_from *from, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->column_count; i++) {
        count += strcmp(from->columns[i].name, name) == 0 ? 1 : 0;
    }
    return count;
}

const char *sql_column_text(const struct sql *s, const struct sql_from *from, uint32_t column)
{
    for (uint32_t r = 0; r < from->range_count; r++) {
        const struct sql_range *range = &from->ranges[r];
        for (uint32_t c = 0; c < range->column_count; c++) {
            const struct expr *e = range->columns[c].expr;
            if (e->kind == EXPR_COLUMN && e->column == column) {
                return arena_printf(s->arena, "%s.%s", range->alias, range->columns[c].name);
            }
        }
    }
    return column < from->plan->column_count ? from->plan->columns[column].name : "?";
}

/* A node of its own for each use, so that each knows its place. */
static struct expr *use_of(struct sql *s, const struct expr *e, int32_t location)
{
    struct expr *copy = arena_dup(s->arena, e, sizeof *e);
    copy->location = location;
    return copy;
}

static enum status unknown_column(struct sql *s, const struct sql_from *from, const char *range_name, const char *name,
                                  int32_t location)
{
    struct sql_nearest nearest = {0};
    for (uint32_t r = 0; r < from->range_count; r++) {
        const struct sql_range *range = &from->ranges[r];
        for (uint32_t c = 0; c < range->column_count; c++) {
            const char *candidate = range->columns[c].name;
            sql_nearest_try(&nearest, name, candidate, arena_printf(s->arena, "%s.%s", range->alias, candidate));
        }
    }
    const char *shown =
        range_name == NULL ? arena_printf(s->arena, "\"%s\"", name) : arena_printf(s->arena, "%s.%s", range_name, name);
    if (nearest.best != NULL) {
        return sql_fail(s, STATUS_INVALID, location,
                        "column %s does not exist: perhaps you meant to reference the column \"%s\"", shown,
                        nearest.best);
    }
    return sql_fail(s, STATUS_INVALID, location, "column %s does not exist", shown);
}

static enum status find_in(struct sql *s, const struct sql_from *from, const struct sql_column *columns, uint32_t count,
                           const char *range_name, const char *name, int32_t location, struct expr **out)
{
    const struct expr *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(columns[i].name, name) != 0) {
            continue;
        }
        if (found != NULL) {
            return sql_fail(s, STATUS_INVALID, location, "column reference \"%s\" is ambiguous", name);
        }
        found = columns[i].expr;
    }
    if (found == NULL) {
        return unknown_column(s, from, range_name, name, location);
    }
    *out = use_of(s, found, location);
    return STATUS_OK;
}

static enum status find_range(struct sql *s, const struct sql_from *from, const char *schema, const char *name,
                              int32_t location, const struct sql_range **out)
{
    const struct sql_range *found = NULL;
    struct sql_nearest nearest = {0};
    for (uint32_t r = 0; r < from->range_count; r++) {
        const struct sql_range *range = &from->ranges[r];
        bool schema_fits = schema == NULL || (range->schema != NULL && strcmp(range->schema, schema) == 0);
        if (strcmp(range->alias, name) == 0 && schema_fits) {
            if (found != NULL) {
                return sql_fail(s, STATUS_INVALID, location, "table reference \"%s\" is ambiguous", name);
            }
            found = range;
        }
        sql_nearest_try(&nearest, name, range->alias, range->alias);
        if (range->table != NULL && strcmp(range->table->name, name) == 0) {
            nearest = (struct sql_nearest){.best = range->alias};
        }
    }
    if (found == NULL && nearest.best != NULL && strcmp(nearest.best, name) != 0) {
        return sql_fail(s, STATUS_INVALID, location,
                        "missing FROM-clause entry for table \"%s\": perhaps you meant to reference the table "
                        "alias \"%s\"",
                        name, nearest.best);
    }
    if (found == NULL) {
        return sql_fail(s, STATUS_INVALID, location, "missing FROM-clause entry for table \"%s\"", name);
    }
    *out = found;
    return STATUS_OK;
}

enum status sql_find_column(struct sql *s, const struct sql_from *from, const PgQuery__ColumnRef *ref,
                            struct expr **out)
{
    const char *name = sql_string(ref->fields[ref->n_fields - 1]);
    if (ref->n_fields == 1) {
        if (from == NULL) {
            return sql_fail(s, STATUS_INVALID, ref->location, "column \"%s\" does not exist", name);
        }
        return find_in(s, from, from->columns, from->column_count, NULL, name, ref->location, out);
    }
    if (ref->n_fields > 3) {
        return sql_refuse(s, ref->location, "a column name of more than three parts");
    }
    const char *range_name = sql_string(ref->fields[ref->n_fields - 2]);
    const char *schema = ref->n_fields == 3 ? sql_string(ref->fields[0]) : NULL;
    if (from == NULL) {
        return sql_fail(s, STATUS_INVALID, ref->location, "missing FROM-clause entry for table \"%s\"", range_name);
    }
    const struct sql_range *range = NULL;
    TRY(find_range(s, from, schema, range_name, ref->location, &range));
    return find_in(s, from, range->columns, range->column_count, range_name, name, ref->location, out);
}

enum status sql_find_star(struct sql *s, const struct sql_from *from, const PgQuery__ColumnRef *ref,
                          const struct sql_column **out, uint32_t *count)
{
    if (ref->n_fields == 1) {
        if (from->range_count == 0) {
            return sql_fail(s, STATUS_INVALID, ref->location, "SELECT * with no tables specified is not valid");
        }
        *out = from->columns;
        *count = from->column_count;
        return STATUS_OK;
    }
    if (ref->n_fields > 3) {
        return sql_refuse(s, ref->location, "a column name of more than three parts");
    }
    const struct sql_range *range = NULL;
    TRY(find_range(s, from, ref->n_fields == 3 ? sql_string(ref->fields[0]) : NULL,
                   sql_string(ref->fields[ref->n_fields - 2]), ref->location, &range));
    *out = range->columns;
    *count = range->column_count;
    return STATUS_OK;
}
