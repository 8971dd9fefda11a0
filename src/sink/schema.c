/* The tables of the sink: how each is made, whose it is, and what is wrong with one that is there. */
#include "sink/inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *schema_quoted(struct arena *a, const char *name)
{
    struct buffer text = BUFFER_EMPTY;
    buffer_append_byte(&text, '"');
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '"') {
            buffer_append_byte(&text, '"');
        }
        buffer_append_byte(&text, (uint8_t)*c);
    }
    buffer_append_byte(&text, '"');
    const char *copy = arena_strndup(a, (const char *)text.data, text.len);
    buffer_release(&text);
    return copy;
}

static const char *literal(struct arena *a, const char *text)
{
    struct buffer out = BUFFER_EMPTY;
    buffer_append_byte(&out, '\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            buffer_append_byte(&out, '\'');
        }
        buffer_append_byte(&out, (uint8_t)*c);
    }
    buffer_append_byte(&out, '\'');
    const char *copy = arena_strndup(a, (const char *)out.data, out.len);
    buffer_release(&out);
    return copy;
}

/* The key can serve as one where all its columns are visible and comparable. */
static enum table_kind kind_of(const struct catalog_view *view)
{
    const struct plan *p = view->plan;
    if (!p->has_key) {
        return TABLE_BAG;
    }
    bool nullable = false;
    for (uint32_t i = 0; i < p->key_count; i++) {
        if (p->key[i] >= view->visible_count || !type_is_comparable(p->columns[p->key[i]].type.kind)) {
            return TABLE_BAG;
        }
        nullable = nullable || !p->columns[p->key[i]].not_null;
    }
    return nullable ? TABLE_KEYED_NULLABLE : TABLE_KEYED;
}

const char *schema_column_list(struct arena *a, const struct catalog_view *view, const uint32_t *columns,
                               uint32_t count)
{
    const char *list = "";
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = columns == NULL ? i : columns[i];
        list = arena_printf(a, "%s%s%s", list, i > 0 ? ", " : "", schema_quoted(a, view->plan->columns[c].name));
    }
    return list;
}

/* What the index of a bag is over: a hash of the columns that have an immutable one. "%1$s" stands for the table's
 * alias. */
static const char *hash_expression(struct arena *a, const struct catalog_view *view)
{
    const char *row = "";
    for (uint32_t i = 0; i < view->visible_count; i++) {
        const struct plan_column *column = &view->plan->columns[i];
        if (type_is_comparable(column->type.kind)) {
            row = arena_printf(a, "%s%s@.%s", row, row[0] == '\0' ? "" : ", ", schema_quoted(a, column->name));
        }
    }
    return row[0] == '\0' ? "0" : arena_printf(a, "hash_record_extended(ROW(%s), 0)", row);
}

void schema_describe(struct sink *s)
{
    struct arena *a = &s->arena;
    for (uint32_t v = 0; v < s->options.view_count; v++) {
        const struct catalog_view *view = s->options.views[v];
        struct sink_view *sv = &s->views[v];
        sv->view = view;
        sv->kind = kind_of(view);
        sv->name = arena_printf(a, "%s.%s", schema_quoted(a, s->options.schema), schema_quoted(a, view->name));
        sv->columns = schema_column_list(a, view, NULL, view->visible_count);
        sv->hash = sv->kind == TABLE_BAG ? hash_expression(a, view) : NULL;
        const char *key =
            sv->kind == TABLE_BAG ? "none" : schema_column_list(a, view, view->plan->key, view->plan->key_count);
        sv->comment = arena_printf(a, "logfold: view %s.%s of pipeline \"%s\", key %s%s", view->schema, view->name,
                                   s->options.pipeline, key[0] == '\0' ? "one row" : key,
                                   sv->kind == TABLE_KEYED_NULLABLE ? " (nullable)" : "");
    }
}

static const char *column_definitions(struct arena *a, const struct catalog_view *view)
{
    const char *list = "";
    for (uint32_t i = 0; i < view->visible_count; i++) {
        char type[TYPE_NAME_BYTES];
        list = arena_printf(a, "%s%s%s %s", list, i > 0 ? ", " : "", schema_quoted(a, view->plan->columns[i].name),
                            type_text(&view->plan->columns[i].type, type));
    }
    return list;
}

/* The hash expression for a table without an alias, as an index wants it. */
static const char *unaliased(struct arena *a, const char *expression)
{
    char *text = arena_strdup(a, expression);
    char *to = text;
    for (const char *from = expression; *from != '\0'; from++) {
        if (from[0] == '@' && from[1] == '.') {
            from += 1;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return text;
}

static const char *index_statement(const struct sink_view *sv, struct arena *a)
{
    const struct plan *p = sv->view->plan;
    switch (sv->kind) {
    case TABLE_KEYED:
        return p->key_count == 0 ? ""
                                 : arena_printf(a, "ALTER TABLE %s ADD PRIMARY KEY (%s)", sv->name,
                                                schema_column_list(a, sv->view, p->key, p->key_count));
    case TABLE_KEYED_NULLABLE:
        return arena_printf(a, "CREATE UNIQUE INDEX ON %s (%s) NULLS NOT DISTINCT", sv->name,
                            schema_column_list(a, sv->view, p->key, p->key_count));
    case TABLE_BAG:
        return sv->hash[0] == '0' ? "" : arena_printf(a, "CREATE INDEX ON %s ((%s))", sv->name, unaliased(a, sv->hash));
    }
    return "";
}

static enum status create_table(struct sink *s, struct sink_view *sv, struct arena *a, struct error *err)
{
    const char *sql = arena_printf(
        a, "BEGIN; DROP TABLE IF EXISTS %s; CREATE TABLE %s (%s); %s; COMMENT ON TABLE %s IS %s; COMMIT", sv->name,
        sv->name, column_definitions(a, sv->view), index_statement(sv, a), sv->name, literal(a, sv->comment));
    enum status st = connection_exec(s, arena_printf(a, "could not make table %s in the sink", sv->name), sql, err);
    if (st != STATUS_OK && PQtransactionStatus(s->conn) == PQTRANS_INERROR) {
        PQclear(PQexec(s->conn, "ROLLBACK"));
    }
    return st;
}

/* The columns of a table as column_definitions would write them, for comparison. */
static const char find_table[] =
    "SELECT pg_catalog.obj_description(c.oid, 'pg_class'), c.relkind,"
    " (SELECT pg_catalog.string_agg('\"' || pg_catalog.replace(a.attname, '\"', '\"\"') || '\" ' || "
    "pg_catalog.format_type(a.atttypid, a.atttypmod), ', '"
    " ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND "
    "a.attnum > 0 AND NOT a.attisdropped)"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2";

static enum status check_table(struct sink *s, struct sink_view *sv, struct arena *a, bool *rebuilt, struct error *err)
{
    const char *params[] = {s->options.schema, sv->view->name};
    PGresult *result;
    TRY(connection_query(s, "could not look at the sink's tables", find_table, 2, params, &result, err));
    if (PQntuples(result) == 0) {
        PQclear(result);
        *rebuilt = true;
        return create_table(s, sv, a, err);
    }
    const char *comment = arena_strdup(a, PQgetvalue(result, 0, 0));
    const char *columns = arena_strdup(a, PQgetvalue(result, 0, 2));
    bool is_table = strcmp(PQgetvalue(result, 0, 1), "r") == 0;
    PQclear(result);
    const char *ours = arena_printf(a, "of pipeline \"%s\", key ", s->options.pipeline);
    if (!is_table || strncmp(comment, "logfold: view ", 14) != 0) {
        return error_set(err, STATUS_MISMATCH, 0,
                         "the sink has a table %s that logfold did not make: rename or drop it, or name another schema "
                         "in [sink] schema",
                         sv->name);
    }
    if (strstr(comment, ours) == NULL) {
        return error_set(
            err, STATUS_MISMATCH, 0,
            "the sink's table %s belongs to another pipeline (%s): drop it, or name another schema in [sink] schema",
            sv->name, comment);
    }
    if (strcmp(comment, sv->comment) == 0 && strcmp(columns, column_definitions(a, sv->view)) == 0) {
        return STATUS_OK;
    }
    *rebuilt = true;
    return create_table(s, sv, a, err);
}

/* Run only where they are missing: a role that may write them need not be allowed to make them. */
static const char own_tables_exist[] =
    "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'logfold' AND c.relname IN ('progress', 'views') HAVING count(*) = 2";

static const char make_own_tables[] =
    "CREATE SCHEMA IF NOT EXISTS logfold;"
    "CREATE TABLE IF NOT EXISTS logfold.progress (pipeline text PRIMARY KEY, store_id bigint, seq bigint, position "
    "text,"
    " commit_time timestamptz, epoch bigint NOT NULL, synced_at timestamptz);"
    "COMMENT ON TABLE logfold.progress IS 'logfold: what the views of each pipeline show, written in the transaction "
    "that writes them';"
    "CREATE TABLE IF NOT EXISTS logfold.views (pipeline text, view text, error text, PRIMARY KEY (pipeline, view));"
    "COMMENT ON TABLE logfold.views IS 'logfold: a view with an error shows no rows until the error is gone'";

enum status schema_make(struct sink *s, bool *rebuilt, struct error *err)
{
    struct arena a = ARENA_EMPTY;
    enum status st;
    *rebuilt = false;
    PGresult *result;
    const char *params[] = {s->options.schema};
    TRY_GOTO(done, connection_query(s, "could not look for schema logfold in the sink", own_tables_exist, 0, NULL,
                                    &result, err));
    bool own_exist = PQntuples(result) > 0;
    PQclear(result);
    if (!own_exist) {
        TRY_GOTO(done, connection_exec(s, "could not make schema logfold in the sink", make_own_tables, err));
    }
    TRY_GOTO(done,
             connection_query(s, "could not look for the sink's schema",
                              "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", 1, params, &result, err));
    bool schema_exists = PQntuples(result) > 0;
    PQclear(result);
    if (!schema_exists) {
        TRY_GOTO(done,
                 connection_exec(s, "could not make the sink's schema",
                                 arena_printf(&a, "CREATE SCHEMA %s", schema_quoted(&a, s->options.schema)), err));
    }
    for (uint32_t v = 0; v < s->options.view_count; v++) {
        TRY_GOTO(done, check_table(s, &s->views[v], &a, rebuilt, err));
    }
done:
    arena_release(&a);
    return st;
}
