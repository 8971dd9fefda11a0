/* CREATE TABLE: column types, the primary key, the topic. */
#include "sql/analyze.h"

#include <stdlib.h>
#include <string.h>

enum { INTERVAL_FULL_RANGE = 0x7fff }; /* PostgreSQL's mark for "no fields named" in an interval's modifiers */

/* Types of PostgreSQL's core that are carried as text and not computed with. */
static bool is_core_type(const char *name)
{
    static const char *const names[] = {
        "aclitem",
        "bit",
        "box",
        "char",
        "cid",
        "cidr",
        "circle",
        "datemultirange",
        "daterange",
        "gtsvector",
        "inet",
        "int2vector",
        "int4multirange",
        "int4range",
        "int8multirange",
        "int8range",
        "jsonpath",
        "line",
        "lseg",
        "macaddr",
        "macaddr8",
        "money",
        "name",
        "nummultirange",
        "numrange",
        "oid",
        "oidvector",
        "path",
        "pg_lsn",
        "pg_snapshot",
        "point",
        "polygon",
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
        "tid",
        "timetz",
        "tsmultirange",
        "tsquery",
        "tsrange",
        "tstzmultirange",
        "tstzrange",
        "tsvector",
        "txid_snapshot",
        "varbit",
        "xid",
        "xid8",
        "xml",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *last_name(const PgQuery__TypeName *name)
{
    return name->n_names == 0 ? "" : sql_string(name->names[name->n_names - 1]);
}

static enum status modifiers(struct sql *s, const PgQuery__TypeName *name, struct type_modifiers *out)
{
    *out = (struct type_modifiers){.count = 0};
    bool is_interval = strcmp(last_name(name), "interval") == 0;
    for (size_t i = 0; i < name->n_typmods; i++) {
        const PgQuery__Node *node = name->typmods[i];
        if (node->node_case != PG_QUERY__NODE__NODE_A_CONST ||
            node->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
            return sql_fail(s, STATUS_INVALID, name->location, "type modifiers must be simple constants");
        }
        int32_t value = node->a_const->ival->ival;
        if (is_interval && i == 0) {
            if (value != INTERVAL_FULL_RANGE) {
                return sql_refuse(s, name->location, "interval with fields");
            }
            continue;
        }
        if (out->count == 2) {
            return sql_fail(s, STATUS_INVALID, name->location, "too many type modifiers");
        }
        out->values[out->count++] = value;
    }
    return STATUS_OK;
}

static enum status no_such_type(struct sql *s, const PgQuery__TypeName *name)
{
    if (name->n_names > 1 && strcmp(sql_string(name->names[0]), "pg_catalog") != 0) {
        return sql_fail(s, STATUS_UNSUPPORTED, name->location,
                        "type \"%s.%s\" is not supported: only PostgreSQL's own types are", sql_string(name->names[0]),
                        last_name(name));
    }
    return sql_fail(s, STATUS_UNSUPPORTED, name->location, "type \"%s\" does not exist", last_name(name));
}

enum status sql_type(struct sql *s, const PgQuery__TypeName *name, struct type *out)
{
    if (name->setof || name->pct_type) {
        return sql_refuse(s, name->location, name->setof ? "SETOF" : "%TYPE");
    }
    const char *text = last_name(name);
    bool foreign = name->n_names > 1 && strcmp(sql_string(name->names[0]), "pg_catalog") != 0;
    bool core = is_core_type(text);
    struct type_modifiers mods;
    TRY(modifiers(s, name, &mods));
    struct type known;
    struct error ignored;
    if (foreign || (!core && type_from_name(text, (struct type_modifiers){.count = 0}, false, false, &known,
                                            &ignored) != STATUS_OK)) {
        return no_such_type(s, name);
    }
    bool array = name->n_array_bounds > 0;
    return sql_at(s, name->location, type_from_name(text, mods, array, array || core, out, s->err));
}

enum status sql_target_name(struct sql *s, const PgQuery__RangeVar *name, const char **schema, const char **where)
{
    if (name->catalogname != NULL && name->catalogname[0] != '\0') {
        return sql_refuse(s, name->location, "a name with a database");
    }
    if (name->relpersistence != NULL && strcmp(name->relpersistence, "t") == 0) {
        return sql_refuse(s, name->location, "TEMPORARY");
    }
    bool has_schema = name->schemaname != NULL && name->schemaname[0] != '\0';
    *schema = has_schema ? arena_strdup(s->arena, name->schemaname) : "public";
    *where = sql_where(s, name->location);
    return STATUS_OK;
}

struct table_state {
    struct sql *s;
    struct catalog_table *table;
    int32_t location;
    bool has_key;
};

static enum status find_key_column(struct table_state *t, const char *name, int32_t location, uint32_t *out)
{
    for (uint32_t i = 0; i < t->table->column_count; i++) {
        if (strcmp(t->table->columns[i].name, name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    return sql_fail(t->s, STATUS_INVALID, location, "column \"%s\" named in key does not exist", name);
}

static enum status set_primary_key(struct table_state *t, const char *const *names, size_t count, int32_t location)
{
    struct catalog_table *table = t->table;
    if (t->has_key) {
        return sql_fail(t->s, STATUS_INVALID, location, "multiple primary keys for table \"%s\" are not allowed",
                        table->name);
    }
    t->has_key = true;
    table->key_columns = arena_zalloc(t->s->arena, sizeof *table->key_columns * (count + 1));
    for (size_t i = 0; i < count; i++) {
        uint32_t column = 0;
        TRY(find_key_column(t, names[i], location, &column));
        for (uint32_t k = 0; k < table->key_count; k++) {
            if (table->key_columns[k] == column) {
                return sql_fail(t->s, STATUS_INVALID, location, "column \"%s\" appears twice in primary key constraint",
                                names[i]);
            }
        }
        if (!type_is_comparable(table->columns[column].type.kind)) {
            char type[TYPE_NAME_BYTES];
            return sql_fail(t->s, STATUS_UNSUPPORTED, location,
                            "column \"%s\" of type %s in the primary key is not supported", names[i],
                            type_text(&table->columns[column].type, type));
        }
        table->columns[column].not_null = true;
        table->key_columns[table->key_count++] = column;
    }
    return STATUS_OK;
}

/* Checks, uniqueness, references and defaults are the source's business; the primary key and NOT NULL are ours. */
static enum status column_constraint(struct table_state *t, const PgQuery__Constraint *constraint, uint32_t column)
{
    struct catalog_column *c = &t->table->columns[column];
    switch ((int)constraint->contype) {
    case PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL:
    case PG_QUERY__CONSTR_TYPE__CONSTR_IDENTITY:
        c->not_null = true;
        return STATUS_OK;
    case PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY:
        return set_primary_key(t, &c->name, 1, constraint->location);
    default:
        return STATUS_OK;
    }
}

static enum status column_type(struct table_state *t, const PgQuery__ColumnDef *def, struct catalog_column *column)
{
    static const char *const serials[][2] = {
        {"bigserial", "int8"}, {"serial8", "int8"},     {"serial", "int4"},
        {"serial4", "int4"},   {"smallserial", "int2"}, {"serial2", "int2"},
    };
    if (def->type_name == NULL) {
        return sql_refuse(t->s, def->location, "a column without a type");
    }
    const char *name = last_name(def->type_name);
    for (size_t i = 0; i < sizeof serials / sizeof serials[0]; i++) {
        if (strcmp(serials[i][0], name) == 0 && def->type_name->n_array_bounds == 0) {
            column->not_null = true;
            return sql_at(t->s, def->type_name->location,
                          type_from_name(serials[i][1], (struct type_modifiers){.count = 0}, false, false,
                                         &column->type, t->s->err));
        }
    }
    return sql_type(t->s, def->type_name, &column->type);
}

static enum status add_column(struct table_state *t, const PgQuery__ColumnDef *def)
{
    struct catalog_table *table = t->table;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, def->colname) == 0) {
            return sql_fail(t->s, STATUS_INVALID, def->location, "column \"%s\" specified more than once",
                            def->colname);
        }
    }
    if (table->column_count == SQL_COLUMNS_MAX) {
        return sql_fail(t->s, STATUS_INVALID, def->location, "tables can have at most %d columns", SQL_COLUMNS_MAX);
    }
    struct catalog_column *column = &table->columns[table->column_count];
    column->name = arena_strdup(t->s->arena, def->colname);
    TRY(column_type(t, def, column));
    column->not_null = column->not_null || def->is_not_null;
    uint32_t idx = table->column_count++;
    for (size_t i = 0; i < def->n_constraints; i++) {
        TRY(column_constraint(t, def->constraints[i]->constraint, idx));
    }
    return STATUS_OK;
}

static enum status table_constraint(struct table_state *t, const PgQuery__Constraint *constraint)
{
    if (constraint->contype != PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) {
        return STATUS_OK;
    }
    const char **names = arena_zalloc(t->s->arena, sizeof(char *) * (constraint->n_keys + 1));
    for (size_t i = 0; i < constraint->n_keys; i++) {
        names[i] = sql_string(constraint->keys[i]);
    }
    return set_primary_key(t, names, constraint->n_keys, constraint->location);
}

static enum status table_option(struct table_state *t, const PgQuery__DefElem *option)
{
    if (strcmp(option->defname, "topic") != 0) {
        return sql_fail(t->s, STATUS_INVALID, option->location,
                        "table option \"%s\" is unknown: the one option is topic", option->defname);
    }
    const char *topic = sql_string(option->arg);
    if (topic[0] == '\0') {
        return sql_fail(t->s, STATUS_INVALID, option->location,
                        "table option \"topic\" needs a quoted text: topic = 'name'");
    }
    if (t->table->topic != NULL) {
        return sql_fail(t->s, STATUS_INVALID, option->location, "table option \"topic\" is given twice");
    }
    const struct catalog *c = t->s->catalog;
    for (uint32_t i = 0; i < c->table_count; i++) {
        if (c->tables[i]->topic != NULL && strcmp(c->tables[i]->topic, topic) == 0) {
            return sql_fail(t->s, STATUS_INVALID, option->location, "topic \"%s\" belongs to table %s.%s already",
                            topic, c->tables[i]->schema, c->tables[i]->name);
        }
    }
    t->table->topic = arena_strdup(t->s->arena, topic);
    return STATUS_OK;
}

static enum status refuse_forms(struct sql *s, const PgQuery__CreateStmt *stmt)
{
    int32_t location = stmt->relation->location;
    if (stmt->partspec != NULL || stmt->partbound != NULL) {
        return sql_refuse(s, location, "a partitioned table");
    }
    if (stmt->n_inh_relations > 0) {
        return sql_refuse(s, location, "INHERITS");
    }
    return stmt->of_typename != NULL ? sql_refuse(s, location, "CREATE TABLE ... OF") : STATUS_OK;
}

static enum status table_elements(struct table_state *t, const PgQuery__CreateStmt *stmt)
{
    size_t count = stmt->n_table_elts;
    t->table->columns = arena_zalloc(t->s->arena, sizeof *t->table->columns * (count + 1));
    for (size_t i = 0; i < count; i++) {
        const PgQuery__Node *node = stmt->table_elts[i];
        if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_DEF) {
            TRY(add_column(t, node->column_def));
        } else if (node->node_case != PG_QUERY__NODE__NODE_CONSTRAINT) {
            return sql_refuse(t->s, stmt->relation->location,
                              node->node_case == PG_QUERY__NODE__NODE_TABLE_LIKE_CLAUSE ? "LIKE" : sql_node_name(node));
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (stmt->table_elts[i]->node_case == PG_QUERY__NODE__NODE_CONSTRAINT) {
            TRY(table_constraint(t, stmt->table_elts[i]->constraint));
        }
    }
    return STATUS_OK;
}

enum status sql_create_table(struct sql *s, const PgQuery__CreateStmt *stmt)
{
    struct catalog *c = s->catalog;
    struct catalog_table *table = arena_zalloc(s->arena, sizeof *table);
    struct table_state t = {.s = s, .table = table, .location = stmt->relation->location};
    TRY(sql_target_name(s, stmt->relation, &table->schema, &table->where));
    table->name = arena_strdup(s->arena, stmt->relation->relname);
    const struct catalog_table *old = catalog_find_table(c, table->schema, table->name);
    const struct catalog_view *view = catalog_find_view(c, table->schema, table->name);
    if (old != NULL || view != NULL) {
        if (old != NULL && stmt->if_not_exists) {
            return STATUS_OK;
        }
        return sql_fail(s, STATUS_INVALID, t.location, "relation \"%s.%s\" already exists: it is declared at %s",
                        table->schema, table->name, old != NULL ? old->where : view->where);
    }
    TRY(refuse_forms(s, stmt));
    TRY(table_elements(&t, stmt));
    for (size_t i = 0; i < stmt->n_options; i++) {
        TRY(table_option(&t, stmt->options[i]->def_elem));
    }
    if (!t.has_key) {
        return sql_fail(s, STATUS_UNSUPPORTED, t.location,
                        "table %s.%s has no PRIMARY KEY: logfold keeps rows by key; add one", table->schema,
                        table->name);
    }
    struct catalog_table **tables = arena_zalloc(s->arena, sizeof(struct catalog_table *) * (c->table_count + 1));
    for (uint32_t i = 0; i < c->table_count; i++) {
        tables[i] = c->tables[i];
    }
    table->idx = c->table_count;
    tables[c->table_count++] = table;
    c->tables = tables;
    return STATUS_OK;
}
