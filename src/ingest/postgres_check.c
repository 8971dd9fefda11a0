/* Compares the source's tables and publication with what the schema files declare, before anything is streamed.
 *
 * All problems are found in one pass, each with what to do about it, so that a first start does not become a series of
 * attempts. */
#include "ingest/postgres.h"

#include "base/memory.h"
#include "base/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was found so far, and the thing being looked at. */
struct check {
    struct postgres *p;
    unsigned problems;
    struct error first;
    bool publishes_old; /* updates or deletes */
    bool via_root;
};

struct source_table {
    char oid[24];
    char kind;     /* relkind */
    char identity; /* relreplident */
    bool readable;
};

struct source_column {
    char *name;
    struct type type;
    bool published;
    bool in_primary;
    bool in_identity;
};

struct source_columns {
    struct source_column *at;
    uint32_t count;
};

static void problem(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct check *c, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES_MAX - 64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    message_line(MESSAGE_ERROR, "source", "%s", text);
    if (c->problems == 0) {
        error_set(&c->first, STATUS_INVALID, 0, "%s", text);
    }
    c->problems += 1;
}

/* ---- types ---- */

enum status postgres_type_resolve(struct postgres *p, PGconn *conn, uint32_t oid, int32_t typmod, struct type *out,
                                  struct error *err)
{
    static const char sql[] =
        "WITH RECURSIVE base(typ, typmod) AS (SELECT $1::oid, $2::int4 UNION ALL SELECT t.typbasetype, t.typtypmod"
        " FROM base JOIN pg_type t ON t.oid = base.typ WHERE t.typtype = 'd')"
        " SELECT base.typ, base.typmod, format_type(base.typ, base.typmod) FROM base JOIN pg_type t ON t.oid = base.typ"
        " WHERE t.typtype <> 'd'";
    *out = type_from_oid(oid, typmod);
    if (out->kind != TYPE_OTHER) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < p->type_count; i++) {
        if (p->types[i].oid == oid && p->types[i].typmod == typmod) {
            *out = p->types[i].type;
            return STATUS_OK;
        }
    }
    char oid_text[16];
    char typmod_text[16];
    snprintf(oid_text, sizeof oid_text, "%u", oid);
    snprintf(typmod_text, sizeof typmod_text, "%d", typmod);
    const char *params[] = {oid_text, typmod_text};
    PGresult *result = NULL;
    TRY(postgres_query(conn, "could not ask the source for a type", sql, 2, params, &result, err));
    if (PQntuples(result) == 1) {
        *out = type_from_oid((uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10),
                             (int32_t)strtol(PQgetvalue(result, 0, 1), NULL, 10));
        if (out->kind == TYPE_OTHER) {
            snprintf(out->name, sizeof out->name, "%s", PQgetvalue(result, 0, 2));
        }
    }
    PQclear(result);
    mem_grow(&p->types, &p->type_capacity, p->type_count + 1, sizeof *p->types);
    p->types[p->type_count] = (struct postgres_type){.oid = oid, .typmod = typmod, .type = *out};
    p->type_count += 1;
    return STATUS_OK;
}

/* The schema file may leave out the schema of a user's own type. */
static bool type_fits(const struct type *declared, const struct type *found)
{
    char x[TYPE_NAME_BYTES];
    char y[TYPE_NAME_BYTES];
    if (strcmp(type_text(declared, x), type_text(found, y)) == 0) {
        return true;
    }
    const char *dot = strrchr(y, '.');
    return declared->kind == TYPE_OTHER && found->kind == TYPE_OTHER && dot != NULL && strcmp(dot + 1, x) == 0;
}

/* ---- the publication ---- */

static void append_table_name(struct buffer *out, const struct catalog_table *t)
{
    postgres_append_identifier(out, t->schema);
    buffer_append_byte(out, '.');
    postgres_append_identifier(out, t->name);
}

static void append_create_publication(struct check *c, bool via_root, struct buffer *out)
{
    const struct catalog *catalog = c->p->options.catalog;
    buffer_append_text(out, "CREATE PUBLICATION ");
    postgres_append_identifier(out, c->p->options.publication);
    buffer_append_text(out, " FOR TABLE ");
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        buffer_append_text(out, i == 0 ? "" : ", ");
        append_table_name(out, catalog->tables[i]);
    }
    if (via_root) {
        buffer_append_text(out, " WITH (publish_via_partition_root = true)");
    }
}

static enum status find_table(struct check *c, const struct catalog_table *t, struct source_table *out, bool *found,
                              struct error *err)
{
    static const char sql[] =
        "SELECT c.oid, c.relkind, c.relreplident, has_table_privilege(c.oid, 'SELECT') FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
    const char *params[] = {t->schema, t->name};
    PGresult *result = NULL;
    TRY(postgres_query(c->p->control, "could not ask the source for its tables", sql, 2, params, &result, err));
    *found = PQntuples(result) == 1;
    if (*found) {
        snprintf(out->oid, sizeof out->oid, "%s", PQgetvalue(result, 0, 0));
        out->kind = PQgetvalue(result, 0, 1)[0];
        out->identity = PQgetvalue(result, 0, 2)[0];
        out->readable = PQgetvalue(result, 0, 3)[0] == 't';
    }
    PQclear(result);
    return STATUS_OK;
}

/* Made before the slot: decoding looks the publication up as of the time of each change. */
static enum status make_publication(struct check *c, struct error *err)
{
    const struct catalog *catalog = c->p->options.catalog;
    bool via_root = false;
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        struct source_table t = {0};
        bool found = false;
        TRY(find_table(c, catalog->tables[i], &t, &found, err));
        via_root = via_root || (found && t.kind == 'p');
    }
    struct buffer sql = BUFFER_EMPTY;
    append_create_publication(c, via_root && c->p->server_version >= 130000, &sql);
    buffer_append_byte(&sql, 0);
    enum status st = STATUS_OK;
    if (!c->p->options.create || c->p->position_known) {
        problem(c, "publication \"%s\" does not exist at the source: run %.700s%s", c->p->options.publication,
                (const char *)sql.data,
                c->p->position_known ? " (and, since changes may be missing, remove the store folder and drop the slot)"
                                     : "");
    } else {
        st = postgres_command(c->p->control, "could not make the publication", (const char *)sql.data, NULL, err);
        if (st == STATUS_INVALID) {
            size_t used = strlen(err->text);
            snprintf(err->text + used, sizeof err->text - used, ": run it as an owner of the tables: %s",
                     (const char *)sql.data);
        } else if (st == STATUS_OK) {
            message_line(MESSAGE_INFO, "source", "made publication=%s tables=%u", c->p->options.publication,
                         catalog->table_count);
        }
    }
    buffer_release(&sql);
    return st;
}

static enum status check_publication(struct check *c, bool *exists, struct error *err)
{
    static const char sql[] =
        "SELECT p.pubinsert, p.pubupdate, p.pubdelete,"
        " coalesce((to_jsonb(p)->>'pubtruncate')::bool, true),"
        " coalesce((to_jsonb(p)->>'pubviaroot')::bool, false) FROM pg_publication p WHERE p.pubname = $1";
    const char *params[] = {c->p->options.publication};
    PGresult *result = NULL;
    TRY(postgres_query(c->p->control, "could not ask the source for its publications", sql, 1, params, &result, err));
    *exists = PQntuples(result) == 1;
    if (*exists) {
        bool publishes[5];
        for (int i = 0; i < 5; i++) {
            publishes[i] = PQgetvalue(result, 0, i)[0] == 't';
        }
        c->publishes_old = publishes[1] || publishes[2];
        c->via_root = publishes[4];
        if (!publishes[0] || !publishes[1] || !publishes[2] || !publishes[3]) {
            problem(c,
                    "publication \"%s\" leaves out%s%s%s%s: run ALTER PUBLICATION \"%s\" SET (publish = 'insert, "
                    "update, delete, truncate')",
                    c->p->options.publication, publishes[0] ? "" : " insert", publishes[1] ? "" : " update",
                    publishes[2] ? "" : " delete", publishes[3] ? "" : " truncate", c->p->options.publication);
        }
    }
    PQclear(result);
    return STATUS_OK;
}

static enum status check_published(struct check *c, const struct catalog_table *t, struct error *err)
{
    static const char sql[] =
        "SELECT 1 FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND tablename = $3";
    const char *params[] = {c->p->options.publication, t->schema, t->name};
    PGresult *result = NULL;
    TRY(postgres_query(c->p->control, "could not ask the source for its published tables", sql, 3, params, &result,
                       err));
    if (PQntuples(result) == 0) {
        problem(c, "publication \"%s\" lacks table %s.%s: run ALTER PUBLICATION \"%s\" ADD TABLE \"%s\".\"%s\"",
                c->p->options.publication, t->schema, t->name, c->p->options.publication, t->schema, t->name);
    }
    PQclear(result);
    return STATUS_OK;
}

/* ---- columns ---- */

static void columns_release(struct source_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        mem_free(columns->at[i].name);
    }
    mem_free(columns->at);
    *columns = (struct source_columns){0};
}

static enum status load_columns(struct check *c, const struct catalog_table *t, const char *oid,
                                struct source_columns *out, struct error *err)
{
    static const char format[] =
        "SELECT a.attname, a.atttypid, a.atttypmod, %s AND (l.names IS NULL OR l.names ? a.attname::text),"
        " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary"
        "  AND a.attnum = ANY ((i.indkey::int2[])[0:i.%s - 1])),"
        " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisreplident"
        "  AND a.attnum = ANY ((i.indkey::int2[])[0:i.%s - 1]))"
        " FROM pg_attribute a LEFT JOIN (SELECT to_jsonb(t)->'attnames' AS names FROM pg_publication_tables t"
        "  WHERE t.pubname = $2 AND t.schemaname = $3 AND t.tablename = $4) l ON true"
        " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    int version = c->p->server_version;
    const char *key_count = version >= 110000 ? "indnkeyatts" : "indnatts";
    char sql[1536];
    snprintf(sql, sizeof sql, format, version >= 120000 && version < 180000 ? "a.attgenerated = ''" : "true", key_count,
             key_count);
    const char *params[] = {oid, c->p->options.publication, t->schema, t->name};
    PGresult *r = NULL;
    TRY(postgres_query(c->p->control, "could not ask the source for its columns", sql, 4, params, &r, err));
    enum status st = STATUS_OK;
    int rows = PQntuples(r);
    out->at = mem_zalloc((size_t)(rows + 1) * sizeof *out->at);
    for (int i = 0; i < rows && st == STATUS_OK; i++) {
        struct source_column *column = &out->at[i];
        column->name = mem_strdup(PQgetvalue(r, i, 0));
        out->count += 1;
        column->published = PQgetvalue(r, i, 3)[0] == 't';
        column->in_primary = PQgetvalue(r, i, 4)[0] == 't';
        column->in_identity = PQgetvalue(r, i, 5)[0] == 't';
        st = postgres_type_resolve(c->p, c->p->control, (uint32_t)strtoul(PQgetvalue(r, i, 1), NULL, 10),
                                   (int32_t)strtol(PQgetvalue(r, i, 2), NULL, 10), &column->type, err);
    }
    PQclear(r);
    return st;
}

static void check_columns(struct check *c, const struct catalog_table *t, const struct source_columns *columns)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct catalog_column *declared = &t->columns[i];
        const struct source_column *found = NULL;
        for (uint32_t k = 0; k < columns->count && found == NULL; k++) {
            found = strcmp(columns->at[k].name, declared->name) == 0 ? &columns->at[k] : NULL;
        }
        char x[TYPE_NAME_BYTES];
        char y[TYPE_NAME_BYTES];
        if (found == NULL) {
            problem(c, "table %s.%s has no column \"%s\" (declared at %s)", t->schema, t->name, declared->name,
                    t->where);
        } else if (!type_fits(&declared->type, &found->type)) {
            problem(c, "column %s.%s.%s is %s at the source but declared %s at %s: declare the source's type",
                    t->schema, t->name, declared->name, type_text(&found->type, y), type_text(&declared->type, x),
                    t->where);
        } else if (!found->published) {
            problem(c, "publication \"%s\" does not send column %s.%s.%s (a column list, or a generated column)",
                    c->p->options.publication, t->schema, t->name, declared->name);
        }
    }
}

/* ---- the key ---- */

static bool is_declared_key(const struct catalog_table *t, const char *name)
{
    for (uint32_t k = 0; k < t->key_count; k++) {
        if (strcmp(t->columns[t->key_columns[k]].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the declared key's columns are exactly those of the primary key (or of the replica identity's index). */
static bool key_is(const struct catalog_table *t, const struct source_columns *columns, bool primary)
{
    uint32_t members = 0;
    for (uint32_t i = 0; i < columns->count; i++) {
        bool member = primary ? columns->at[i].in_primary : columns->at[i].in_identity;
        if (member && !is_declared_key(t, columns->at[i].name)) {
            return false;
        }
        members += member ? 1 : 0;
    }
    return members == t->key_count;
}

static bool has_primary(const struct source_columns *columns)
{
    bool found = false;
    for (uint32_t i = 0; i < columns->count; i++) {
        found = found || columns->at[i].in_primary;
    }
    return found;
}

/* Rows are kept by the declared key, so the source must keep it unique, not null, and at every moment of a
 * transaction. */
static enum status check_unique(struct check *c, const struct catalog_table *t, const char *oid, struct error *err)
{
    static const char format[] =
        "SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND "
        "i.indimmediate"
        " AND i.indpred IS NULL AND i.indexprs IS NULL AND (SELECT bool_and(a.attname = ANY ($2::text[]) AND "
        "a.attnotnull)"
        " FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.%s - 1])))";
    char sql[640];
    snprintf(sql, sizeof sql, format, c->p->server_version >= 110000 ? "indnkeyatts" : "indnatts");
    struct buffer keys = BUFFER_EMPTY;
    struct buffer words = BUFFER_EMPTY;
    for (uint32_t k = 0; k < t->key_count; k++) {
        const char *name = t->columns[t->key_columns[k]].name;
        buffer_append_text(&keys, k == 0 ? "{\"" : ",\"");
        for (const char *ch = name; *ch != '\0'; ch++) {
            if (*ch == '"' || *ch == '\\') {
                buffer_append_byte(&keys, '\\');
            }
            buffer_append_byte(&keys, (uint8_t)*ch);
        }
        buffer_append_byte(&keys, '"');
        buffer_printf(&words, "%s%s", k == 0 ? "" : ", ", name);
    }
    buffer_append(&keys, "}", 2);
    buffer_append_byte(&words, 0);
    const char *params[] = {oid, (const char *)keys.data};
    PGresult *result = NULL;
    enum status st =
        postgres_query(c->p->control, "could not ask the source for its indexes", sql, 2, params, &result, err);
    if (st == STATUS_OK && PQgetvalue(result, 0, 0)[0] != 't') {
        problem(c,
                "table %s.%s: the declared key (%s) is not unique at the source: it needs a PRIMARY KEY or an "
                "undeferrable UNIQUE index over "
                "NOT NULL columns of it (declared at %s)",
                t->schema, t->name, (const char *)words.data, t->where);
    }
    PQclear(result);
    buffer_release(&keys);
    buffer_release(&words);
    return st;
}

static enum status check_key(struct check *c, const struct catalog_table *t, const struct source_table *found,
                             const struct source_columns *columns, struct error *err)
{
    char full[320];
    snprintf(full, sizeof full, "run ALTER TABLE \"%s\".\"%s\" REPLICA IDENTITY FULL", t->schema, t->name);
    if (found->identity == 'n' && c->publishes_old) {
        problem(c, "table %s.%s has REPLICA IDENTITY NOTHING, so updates and deletes would fail at the source: %s%s",
                t->schema, t->name, full, key_is(t, columns, true) ? " (or DEFAULT)" : "");
        return STATUS_OK;
    }
    if (found->identity == 'd' && !has_primary(columns)) {
        problem(c, "table %s.%s has no primary key and REPLICA IDENTITY DEFAULT: add one there, or %s", t->schema,
                t->name, full);
        return STATUS_OK;
    }
    if (found->identity == 'd' && !key_is(t, columns, true)) {
        problem(c,
                "table %s.%s: the declared key (%s) is not the source's primary key, and REPLICA IDENTITY DEFAULT "
                "sends only that: "
                "%s, or declare the primary key",
                t->schema, t->name, t->where, full);
        return STATUS_OK;
    }
    if (found->identity == 'i' && !key_is(t, columns, false)) {
        problem(c,
                "table %s.%s: the declared key (%s) is not that of the index in REPLICA IDENTITY: %s, or declare the "
                "index's columns",
                t->schema, t->name, t->where, full);
        return STATUS_OK;
    }
    return check_unique(c, t, found->oid, err);
}

/* ---- all of it ---- */

static enum status check_table(struct check *c, const struct catalog_table *t, struct error *err)
{
    struct source_table found = {0};
    bool exists = false;
    TRY(find_table(c, t, &found, &exists, err));
    if (!exists) {
        problem(c, "table %s.%s (declared at %s) does not exist at the source", t->schema, t->name, t->where);
        return STATUS_OK;
    }
    if (found.kind != 'r' && found.kind != 'p') {
        problem(c, "%s.%s (declared at %s) is a view or foreign table at the source: only tables can be streamed",
                t->schema, t->name, t->where);
        return STATUS_OK;
    }
    if (found.kind == 'p' && !c->via_root) {
        problem(c,
                "table %s.%s is partitioned: run ALTER PUBLICATION \"%s\" SET (publish_via_partition_root = true), or "
                "declare its partitions",
                t->schema, t->name, c->p->options.publication);
    } else {
        TRY(check_published(c, t, err));
    }
    if (!found.readable && !c->p->position_known) {
        problem(c,
                "table %s.%s may not be read for the snapshot: run GRANT SELECT ON \"%s\".\"%s\" TO the role of the "
                "source's url",
                t->schema, t->name, t->schema, t->name);
    }
    struct source_columns columns = {0};
    enum status st = load_columns(c, t, found.oid, &columns, err);
    if (st == STATUS_OK) {
        check_columns(c, t, &columns);
        st = check_key(c, t, &found, &columns, err);
    }
    columns_release(&columns);
    return st;
}

enum status postgres_check(struct postgres *p, struct error *err)
{
    struct check c = {.p = p};
    bool exists = false;
    TRY(check_publication(&c, &exists, err));
    if (!exists) {
        TRY(make_publication(&c, err));
        if (c.problems == 0) {
            TRY(check_publication(&c, &exists, err));
        }
    }
    for (uint32_t i = 0; i < p->options.catalog->table_count && exists; i++) {
        TRY(check_table(&c, p->options.catalog->tables[i], err));
    }
    if (c.problems == 0) {
        return STATUS_OK;
    }
    *err = c.first;
    if (c.problems > 1) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, " (and %u more, see above)", c.problems - 1);
    }
    return err->status;
}
