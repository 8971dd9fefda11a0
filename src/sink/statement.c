/* The statements that change a view's table. All rows of a sync come in one statement: from array parameters, or from a
 * temporary table filled by COPY where there are many. Either way the rows are called d and have the view's columns,
 * then "logfold count" and "logfold idx". */
#include "sink/inner.h"

#include <string.h>

#define COUNT_COLUMN "\"logfold count\""
#define INDEX_COLUMN "\"logfold idx\""

/* Types whose arrays cannot be unnested one dimension at a time, or that are none: handed over as text. */
static bool goes_as_text(enum type_kind kind)
{
    return kind == TYPE_OTHER || kind == TYPE_JSON || kind == TYPE_JSONB;
}

const char *statement_stage_name(struct arena *a, uint32_t view_idx)
{
    return arena_printf(a, "pg_temp.logfold_stage_%u", view_idx);
}

const char *statement_make_stage(struct sink *s, uint32_t view_idx, struct arena *a)
{
    return arena_printf(
        a,
        "CREATE TEMPORARY TABLE logfold_stage_%u ON COMMIT DELETE ROWS AS SELECT %s, 0::bigint AS " COUNT_COLUMN
        ", 0::bigint AS " INDEX_COLUMN " FROM %s WITH NO DATA",
        view_idx, s->views[view_idx].columns, s->views[view_idx].name);
}

static const char *rows_clause(const struct sink_view *sv, uint32_t view_idx, bool staged, struct arena *a)
{
    if (staged) {
        return arena_printf(a, "%s AS d", statement_stage_name(a, view_idx));
    }
    const struct catalog_view *view = sv->view;
    const char *params = "";
    for (uint32_t i = 0; i < view->visible_count; i++) {
        const struct type *t = &view->plan->columns[i].type;
        char name[TYPE_NAME_BYTES];
        params = arena_printf(a, "%s$%u::%s[], ", params, i + 1, goes_as_text(t->kind) ? "text" : type_text(t, name));
    }
    return arena_printf(a, "unnest(%s$%u::bigint[]) WITH ORDINALITY AS d(%s%s" COUNT_COLUMN ", " INDEX_COLUMN ")",
                        params, view->visible_count + 1, sv->columns, sv->columns[0] == '\0' ? "" : ", ");
}

static const char *column_name(const struct sink_view *sv, uint32_t column, struct arena *a)
{
    return schema_quoted(a, sv->view->plan->columns[column].name);
}

static const char *key_condition(const struct sink_view *sv, struct arena *a)
{
    const struct plan *p = sv->view->plan;
    const char *all = "true";
    for (uint32_t i = 0; i < p->key_count; i++) {
        const char *name = column_name(sv, p->key[i], a);
        all = p->columns[p->key[i]].not_null
                  ? arena_printf(a, "%s AND t.%s = d.%s", all, name, name)
                  : arena_printf(a, "%s AND (t.%s = d.%s OR (t.%s IS NULL AND d.%s IS NULL))", all, name, name, name,
                                 name);
    }
    return all;
}

static const char *with_alias(struct arena *a, const char *expression, char alias)
{
    char *text = arena_strdup(a, expression);
    for (char *c = text; *c != '\0'; c++) {
        if (c[0] == '@' && c[1] == '.') {
            *c = alias;
        }
    }
    return text;
}

/* Equal to the image: by text where equal values may look different, or where there is no equality. */
static const char *image_condition(const struct sink_view *sv, struct arena *a)
{
    const char *all = arena_printf(a, "%s = %s", with_alias(a, sv->hash, 't'), with_alias(a, sv->hash, 'd'));
    for (uint32_t i = 0; i < sv->view->visible_count; i++) {
        enum type_kind kind = sv->view->plan->columns[i].type.kind;
        const char *name = column_name(sv, i, a);
        const char *cast = type_is_image_lossy(kind) || !type_is_comparable(kind) ? "::text" : "";
        all = arena_printf(a, "%s AND t.%s%s IS NOT DISTINCT FROM d.%s%s", all, name, cast, name, cast);
    }
    return all;
}

const char *statement_delete(struct sink *s, uint32_t view_idx, bool staged, struct arena *a)
{
    const struct sink_view *sv = &s->views[view_idx];
    const char *rows = rows_clause(sv, view_idx, staged, a);
    if (sv->kind != TABLE_BAG) {
        return arena_printf(a, "DELETE FROM %s AS t USING %s WHERE %s", sv->name, rows, key_condition(sv, a));
    }
    return arena_printf(
        a,
        "DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT x.row FROM (SELECT t.ctid AS row, d." COUNT_COLUMN
        " AS wanted, row_number() OVER (PARTITION BY d." INDEX_COLUMN ") AS nth FROM %s JOIN %s AS t ON %s) AS x"
        " WHERE x.nth <= x.wanted))",
        sv->name, rows, sv->name, image_condition(sv, a));
}

static const char *conflict_clause(const struct sink_view *sv, struct arena *a)
{
    const struct catalog_view *view = sv->view;
    if (sv->kind == TABLE_BAG || view->plan->key_count == 0) {
        return "";
    }
    const char *sets = "";
    for (uint32_t i = 0; i < view->visible_count; i++) {
        const char *name = column_name(sv, i, a);
        sets = arena_printf(a, "%s%s%s = EXCLUDED.%s", sets, i > 0 ? ", " : "", name, name);
    }
    return arena_printf(a, " ON CONFLICT (%s) DO UPDATE SET %s",
                        schema_column_list(a, view, view->plan->key, view->plan->key_count), sets);
}

const char *statement_insert(struct sink *s, uint32_t view_idx, bool staged, struct arena *a)
{
    const struct sink_view *sv = &s->views[view_idx];
    const char *values = "";
    for (uint32_t i = 0; i < sv->view->visible_count; i++) {
        const struct type *t = &sv->view->plan->columns[i].type;
        char name[TYPE_NAME_BYTES];
        const char *cast = goes_as_text(t->kind) ? arena_printf(a, "::%s", type_text(t, name)) : "";
        values = arena_printf(a, "%s%sd.%s%s", values, i > 0 ? ", " : "", column_name(sv, i, a), cast);
    }
    const char *repeat = sv->kind == TABLE_BAG ? " CROSS JOIN LATERAL generate_series(1, d." COUNT_COLUMN ")" : "";
    return arena_printf(a, "INSERT INTO %s (%s) SELECT %s FROM %s%s%s", sv->name, sv->columns, values,
                        rows_clause(sv, view_idx, staged, a), repeat, conflict_clause(sv, a));
}
