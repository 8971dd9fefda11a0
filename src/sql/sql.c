/* Schema files to a catalog: reads, parses, and goes through the statements in order. */
#include "sql/sql.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"
#include "plan/optimize.h"
#include "sql/analyze.h"

#include <pg_query.h>
#include <string.h>

static struct plan *optimized(struct sql *s, struct plan *root)
{
    struct plan **shared = arena_zalloc(s->arena, sizeof(struct plan *) * (s->ctes_made.count + 1));
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->ctes_made.count; i++) {
        const struct sql_cte *cte = s->ctes_made.items[i];
        if (*cte->uses > 1) {
            shared[count++] = cte->plan;
        }
    }
    return plan_optimize(s->arena, s->catalog, root, shared, count);
}

static enum status unique_columns(struct sql *s, const struct plan *p, uint32_t count, int32_t location)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(p->columns[i].name, p->columns[k].name) == 0) {
                return sql_fail(s, STATUS_INVALID, location, "column \"%s\" specified more than once",
                                p->columns[i].name);
            }
        }
    }
    return STATUS_OK;
}

static void view_add(struct sql *s, struct catalog_view *view)
{
    struct catalog *c = s->catalog;
    struct catalog_view **views = arena_zalloc(s->arena, sizeof(struct catalog_view *) * (c->view_count + 1));
    for (uint32_t i = 0; i < c->view_count; i++) {
        views[i] = c->views[i];
    }
    view->idx = c->view_count;
    views[c->view_count++] = view;
    c->views = views;
}

/* What CREATE VIEW and CREATE MATERIALIZED VIEW have in common. */
struct view_definition {
    const PgQuery__RangeVar *name;
    PgQuery__Node *const *columns;
    size_t column_count;
    const PgQuery__Node *query;
    bool materialized;
    bool if_not_exists;
    int32_t begin; /* of the statement's text */
    int32_t end;
};

static enum status view_query(struct sql *s, const struct view_definition *def, struct catalog_view *view)
{
    int32_t location = def->name->location;
    struct sql_query query;
    if (def->query->node_case != PG_QUERY__NODE__NODE_SELECT_STMT) {
        return sql_refuse(s, location, "a view that is no SELECT");
    }
    s->ctes = NULL;
    s->ctes_made = (struct sql_list){0};
    TRY(sql_query(s, def->query->select_stmt, false, &query));
    if (def->column_count > query.visible) {
        return sql_fail(s, STATUS_INVALID, location, "CREATE VIEW specifies more column names than columns");
    }
    if (def->column_count > 0) {
        TRY(sql_rename(s, &query.plan, view->name, def->columns, def->column_count, location));
    }
    TRY(unique_columns(s, query.plan, query.visible, location));
    view->plan = optimized(s, query.plan);
    view->visible_count = query.visible;
    view->order = query.order;
    view->order_count = query.order_count;
    return STATUS_OK;
}

static enum status create_view(struct sql *s, const struct view_definition *def)
{
    struct catalog_view *view = arena_zalloc(s->arena, sizeof *view);
    TRY(sql_target_name(s, def->name, &view->schema, &view->where));
    view->name = arena_strdup(s->arena, def->name->relname);
    view->materialized = def->materialized;
    const struct catalog_table *table = catalog_find_table(s->catalog, view->schema, view->name);
    const struct catalog_view *old = catalog_find_view(s->catalog, view->schema, view->name);
    if (table != NULL || old != NULL) {
        if (old != NULL && def->if_not_exists) {
            return STATUS_OK;
        }
        return sql_fail(s, STATUS_INVALID, def->name->location,
                        "relation \"%s.%s\" already exists: it is declared at %s", view->schema, view->name,
                        table != NULL ? table->where : old->where);
    }
    TRY(view_query(s, def, view));
    view->definition = sql_query_text(s, def->begin, def->end);
    view_add(s, view);
    return STATUS_OK;
}

static enum status plain_view(struct sql *s, const PgQuery__ViewStmt *stmt, int32_t begin, int32_t end)
{
    bool checked = stmt->with_check_option == PG_QUERY__VIEW_CHECK_OPTION__LOCAL_CHECK_OPTION ||
                   stmt->with_check_option == PG_QUERY__VIEW_CHECK_OPTION__CASCADED_CHECK_OPTION;
    if (stmt->n_options > 0 || checked) {
        return sql_refuse(s, stmt->view->location, checked ? "WITH CHECK OPTION" : "WITH (...) on a view");
    }
    struct view_definition def = {.name = stmt->view,
                                  .columns = stmt->aliases,
                                  .column_count = stmt->n_aliases,
                                  .query = stmt->query,
                                  .begin = begin,
                                  .end = end};
    return create_view(s, &def);
}

static enum status materialized_view(struct sql *s, const PgQuery__CreateTableAsStmt *stmt, int32_t begin, int32_t end)
{
    if (stmt->objtype != PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW) {
        return sql_refuse(s, stmt->into->rel->location, "CREATE TABLE ... AS");
    }
    if (stmt->into->n_options > 0) {
        return sql_refuse(s, stmt->into->rel->location, "WITH (...) on a view");
    }
    struct view_definition def = {.name = stmt->into->rel,
                                  .columns = stmt->into->col_names,
                                  .column_count = stmt->into->n_col_names,
                                  .query = stmt->query,
                                  .materialized = true,
                                  .if_not_exists = stmt->if_not_exists != 0,
                                  .begin = begin,
                                  .end = end};
    return create_view(s, &def);
}

static enum status statement(struct sql *s, const PgQuery__RawStmt *raw)
{
    int32_t end = raw->stmt_len > 0 ? raw->stmt_location + raw->stmt_len : (int32_t)s->text_bytes;
    int32_t begin = sql_skip_blanks(s, raw->stmt_location, end);
    const PgQuery__Node *node = raw->stmt;
    s->statement = begin;
    switch ((int)node->node_case) {
    case PG_QUERY__NODE__NODE_CREATE_SCHEMA_STMT:
        return node->create_schema_stmt->n_schema_elts > 0 ? sql_refuse(s, begin, "CREATE SCHEMA with its contents")
                                                           : STATUS_OK;
    case PG_QUERY__NODE__NODE_COMMENT_STMT:
        return STATUS_OK;
    case PG_QUERY__NODE__NODE_CREATE_STMT:
        return sql_create_table(s, node->create_stmt);
    case PG_QUERY__NODE__NODE_VIEW_STMT:
        return plain_view(s, node->view_stmt, begin, end);
    case PG_QUERY__NODE__NODE_CREATE_TABLE_AS_STMT:
        return materialized_view(s, node->create_table_as_stmt, begin, end);
    default:
        return sql_refuse(s, begin, sql_statement_name(s, begin, end));
    }
}

/* The byte offset of the character that libpg_query counts from 1. */
static int32_t byte_offset(const struct sql *s, int character)
{
    int seen = 0;
    for (size_t i = 0; i < s->text_bytes; i++) {
        seen += ((unsigned char)s->text[i] & 0xc0) != 0x80 ? 1 : 0;
        if (seen == character) {
            return (int32_t)i;
        }
    }
    return (int32_t)s->text_bytes;
}

static enum status statements(struct sql *s, const PgQueryProtobuf *tree)
{
    PgQuery__ParseResult *result = pg_query__parse_result__unpack(NULL, tree->len, (const uint8_t *)tree->data);
    if (result == NULL) {
        return sql_fail(s, STATUS_UNSUPPORTED, -1, "the parse tree is nested too deep");
    }
    enum status st = STATUS_OK;
    for (size_t i = 0; i < result->n_stmts && st == STATUS_OK; i++) {
        st = statement(s, result->stmts[i]);
    }
    pg_query__parse_result__free_unpacked(result, NULL);
    return st;
}

/* `text` ends in NUL. pg_query_exit() is not called: libpg_query could not be used again in this thread, and it frees
 * its memory by itself when the thread ends. */
static enum status load(struct catalog *c, const char *name, const char *text, size_t text_bytes, struct error *err)
{
    struct sql s = {.catalog = c,
                    .arena = &c->arena,
                    .err = err,
                    .file = arena_strdup(&c->arena, name),
                    .text = text,
                    .text_bytes = text_bytes};
    if (text_bytes > INT32_MAX / 2) {
        return sql_fail(&s, STATUS_INVALID, -1, "the file is larger than 1 GiB");
    }
    if (!bytes_is_utf8(bytes_of(text, text_bytes)) || memchr(text, 0, text_bytes) != NULL) {
        return sql_fail(&s, STATUS_INVALID, -1, "the file is not text in UTF-8");
    }
    TRY(sql_check_depth(&s));
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(text);
    enum status st = parsed.error != NULL ? sql_fail(&s, STATUS_INVALID, byte_offset(&s, parsed.error->cursorpos), "%s",
                                                     parsed.error->message)
                                          : statements(&s, &parsed.parse_tree);
    pg_query_free_protobuf_parse_result(parsed);
    return st;
}

enum status sql_load_text(struct catalog *out, const char *name, const char *text, struct error *err)
{
    *out = (struct catalog){0};
    enum status st = load(out, name, text, strlen(text), err);
    if (st != STATUS_OK) {
        catalog_release(out);
    }
    return st;
}

enum status sql_load(struct catalog *out, const char *const *paths, uint32_t path_count, struct error *err)
{
    *out = (struct catalog){0};
    enum status st = STATUS_OK;
    for (uint32_t i = 0; i < path_count && st == STATUS_OK; i++) {
        char *text = NULL;
        size_t text_bytes = 0;
        st = file_read_all(paths[i], &text, &text_bytes, err);
        if (st == STATUS_OK) {
            st = load(out, paths[i], text, text_bytes, err);
        }
        mem_free(text);
    }
    if (st != STATUS_OK) {
        catalog_release(out);
    }
    return st;
}

void catalog_release(struct catalog *c)
{
    arena_release(&c->arena);
    *c = (struct catalog){0};
}
