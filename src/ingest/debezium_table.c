/* The usual row has the names of the last one in the same order: that is one comparison a column. */
#include "ingest/debezium_table.h"

#include "base/memory.h"
#include "base/message.h"
#include "event/event.h"

#include <string.h>

enum { NAME_BYTES_MAX = 255 }; /* four times PostgreSQL's */

static void release_columns(struct debezium_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        mem_free(columns[i].name);
    }
    mem_free(columns);
}

void debezium_table_release(struct debezium_table *t)
{
    release_columns(t->columns, t->column_count);
    mem_free(t->order);
    t->columns = NULL;
    t->order = NULL;
    t->column_count = 0;
}

static bool name_is(const struct debezium_column *c, struct bytes name)
{
    return c->name_len == name.len && memcmp(c->name, name.data, name.len) == 0;
}

static uint32_t find_declared(const struct catalog_table *t, struct bytes name)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (strlen(t->columns[i].name) == name.len && memcmp(t->columns[i].name, name.data, name.len) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static uint32_t find_column(const struct debezium_column *columns, uint32_t count, struct bytes name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (name_is(&columns[i], name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static struct bytes column_name(const struct debezium_column *c)
{
    return bytes_of(c->name, c->name_len);
}

/* Fills t->order; false where the row has other columns. */
static bool find_order(struct debezium_table *t, const struct debezium_members *row)
{
    if (row->count != t->column_count) {
        return false;
    }
    uint32_t i = 0;
    while (i < t->column_count && name_is(&t->columns[i], row->items[i].name)) {
        t->order[i] = i;
        i += 1;
    }
    if (i == t->column_count) {
        return true;
    }
    for (uint32_t c = 0; c < t->column_count; c++) {
        t->order[c] = UINT32_MAX;
    }
    for (uint32_t m = 0; m < row->count; m++) {
        uint32_t c = find_column(t->columns, t->column_count, row->items[m].name);
        if (c == UINT32_MAX || t->order[c] != UINT32_MAX) {
            return false;
        }
        t->order[c] = m;
    }
    return true;
}

/* ---- columns from a row ---- */

static void describe(const struct catalog_table *declared, const struct debezium_schema *schema, struct bytes name,
                     struct debezium_column *out)
{
    const struct debezium_field *field = debezium_schema_find(schema, name);
    uint32_t known = find_declared(declared, name);
    out->name = mem_alloc(name.len + 1);
    memcpy(out->name, name.data, name.len);
    out->name[name.len] = '\0';
    out->name_len = name.len;
    out->declared = known != UINT32_MAX;
    out->hint = field != NULL ? field->hint : (struct debezium_hint){.form = FORM_GUESSED};
    out->type = field != NULL ? field->type : type_make(TYPE_TEXT);
    if (out->declared) {
        out->type = declared->columns[known].type;
    } else if (out->type.kind == TYPE_TEXT) {
        out->hint.form = FORM_RAW;
    }
    for (uint32_t k = 0; k < declared->key_count; k++) {
        out->key = out->key || declared->key_columns[k] == known;
    }
}

static void find_key(const struct catalog_table *declared, const struct debezium_column *columns, uint32_t count,
                     uint32_t key[static DEBEZIUM_KEY_MAX])
{
    for (uint32_t k = 0; k < declared->key_count; k++) {
        const char *name = declared->columns[declared->key_columns[k]].name;
        key[k] = find_column(columns, count, bytes_of(name, strlen(name)));
    }
}

static enum status check_columns(const struct debezium_table *t, const struct debezium_column *columns, uint32_t count,
                                 struct error *err)
{
    uint32_t key[DEBEZIUM_KEY_MAX];
    if (count > EVENT_COLUMNS_MAX) {
        return error_set(err, STATUS_INVALID, 0, "a row of %u columns is wider than the limit of %d", count,
                         EVENT_COLUMNS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i].name_len > NAME_BYTES_MAX) {
            return error_set(err, STATUS_INVALID, 0, "a column name of %zu bytes", columns[i].name_len);
        }
        if (find_column(columns, i, column_name(&columns[i])) != UINT32_MAX) {
            return error_set(err, STATUS_INVALID, 0, "column \"%s\" is there twice", columns[i].name);
        }
    }
    find_key(t->declared, columns, count, key);
    for (uint32_t k = 0; k < t->declared->key_count; k++) {
        if (key[k] == UINT32_MAX) {
            return error_set(err, STATUS_INVALID, 0, "column \"%s\" of the primary key was not sent",
                             t->declared->columns[t->declared->key_columns[k]].name);
        }
    }
    if (t->change_count >= DEBEZIUM_CHANGES_MAX) {
        return error_set(err, STATUS_INVALID, 0, "the columns have changed more than %d times", DEBEZIUM_CHANGES_MAX);
    }
    return STATUS_OK;
}

/* Same names and types, whatever the order: then only what tells how values are written is new. */
static bool take_hints(struct debezium_table *t, const struct debezium_column *columns, uint32_t count)
{
    if (count != t->column_count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t known = find_column(t->columns, t->column_count, column_name(&columns[i]));
        if (known == UINT32_MAX || !type_equal(&t->columns[known].type, &columns[i].type)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        t->columns[find_column(t->columns, t->column_count, column_name(&columns[i]))].hint = columns[i].hint;
    }
    return true;
}

static void take_columns(struct debezium_table *t, struct debezium_column *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t known = find_column(t->columns, t->column_count, column_name(&columns[i]));
        if (known != UINT32_MAX) {
            columns[i].habits = t->columns[known].habits;
        }
    }
    debezium_table_release(t);
    t->columns = columns;
    t->column_count = count;
    t->order = mem_zalloc((count + 1) * sizeof *t->order);
    t->journalled = false;
    t->fitted_shape = 0;
    t->change_count += 1;
    find_key(t->declared, columns, count, t->key);
}

static void find_linear(struct debezium_table *t, const struct debezium_units *units)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        t->columns[i].linear = debezium_linear_of(&t->columns[i].type, &t->columns[i].hint, units);
    }
}

enum status debezium_table_fit(struct debezium_table *t, const struct debezium_schema *schema,
                               const struct debezium_members *row, uint64_t shape, const struct debezium_units *units,
                               struct error *err)
{
    uint64_t serial = schema != NULL ? schema->serial : 0;
    if (t->columns != NULL && t->columns_serial == serial && t->hints_serial == serial) {
        if (shape != 0 && shape == t->fitted_shape) {
            return STATUS_OK;
        }
        if (find_order(t, row)) {
            t->fitted_shape = shape;
            find_linear(t, units);
            return STATUS_OK;
        }
    }
    t->fitted_shape = 0;
    uint32_t count = (uint32_t)row->count;
    struct debezium_column *columns = mem_zalloc((count + 1) * sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        describe(t->declared, schema, row->items[i].name, &columns[i]);
    }
    enum status st = check_columns(t, columns, count, err);
    if (st != STATUS_OK || take_hints(t, columns, count)) {
        release_columns(columns, count);
    } else {
        take_columns(t, columns, count);
    }
    if (st == STATUS_OK) {
        t->columns_serial = serial;
        t->hints_serial = serial;
        (void)find_order(t, row);
        find_linear(t, units);
    }
    return st;
}

void debezium_table_fit_key(struct debezium_table *t, const struct debezium_schema *schema)
{
    uint64_t serial = schema != NULL ? schema->serial : 0;
    if (t->columns == NULL) {
        uint32_t count = t->declared->column_count;
        struct debezium_column *columns = mem_zalloc((count + 1) * sizeof *columns);
        for (uint32_t i = 0; i < count; i++) {
            const char *name = t->declared->columns[i].name;
            describe(t->declared, schema, bytes_of(name, strlen(name)), &columns[i]);
        }
        take_columns(t, columns, count);
        t->columns_serial = serial;
        t->hints_serial = serial;
    }
    if (t->hints_serial != serial) {
        for (uint32_t k = 0; k < t->declared->key_count; k++) {
            struct debezium_column *c = &t->columns[t->key[k]];
            const struct debezium_field *field = debezium_schema_find(schema, column_name(c));
            c->hint = field != NULL ? field->hint : (struct debezium_hint){.form = FORM_GUESSED};
        }
        t->hints_serial = serial;
    }
}

void debezium_table_adopt(struct debezium_table *t, const struct event_schema *schema)
{
    uint32_t count = schema->column_count;
    uint32_t change_count = t->change_count;
    bool same = true;
    struct error ignored;
    struct debezium_column *columns = mem_zalloc((count + 1) * sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        const struct event_column *from = &schema->columns[i];
        describe(t->declared, NULL, bytes_of(from->name, strlen(from->name)), &columns[i]);
        if (!columns[i].declared) {
            columns[i].type = from->type;
        }
        same = same && type_equal(&columns[i].type, &from->type);
    }
    t->change_count = 0;
    if (check_columns(t, columns, count, &ignored) == STATUS_OK) {
        take_columns(t, columns, count);
        t->journalled = same;
        t->table_id = schema->table_id;
    } else {
        release_columns(columns, count);
        debezium_table_release(t);
        t->journalled = false;
    }
    t->change_count = change_count;
    t->columns_serial = 0;
    t->hints_serial = 0;
}

void debezium_table_journal(struct debezium_table *t, uint32_t *table_id_next, struct buffer *out)
{
    if (t->journalled) {
        return;
    }
    struct event_column *columns = mem_zalloc((t->column_count + 1) * sizeof *columns);
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct debezium_column *c = &t->columns[i];
        columns[i] = (struct event_column){.name = c->name, .type = c->type, .key = c->key};
    }
    t->table_id = *table_id_next;
    *table_id_next += 1;
    t->journalled = true;
    event_append_schema(out, &(struct event_schema){.table_id = t->table_id,
                                                    .schema = t->declared->schema,
                                                    .table = t->declared->name,
                                                    .columns = columns,
                                                    .column_count = t->column_count});
    mem_free(columns);
}

void debezium_table_tell_losses(const struct debezium_table *t, struct debezium_column *c)
{
    static const struct {
        enum debezium_loss loss;
        const char *text;
    } losses[] = {
        {LOSS_DIGITS, "comes as a double: 15 to 17 digits, no trailing zeros (decimal.handling.mode=string keeps all)"},
        {LOSS_ZEROS, "comes without trailing zeros, and NaN as NULL (decimal.handling.mode=string keeps both)"},
        {LOSS_NAN, "has NULLs, which may be NaN at the source (decimal.handling.mode=string keeps it)"},
        {LOSS_MICROS, "comes in milliseconds, microseconds are lost (time.precision.mode=adaptive keeps them)"},
        {LOSS_MONTHS, "comes as microseconds, a month as 30.4375 days (interval.handling.mode=string keeps it)"},
        {LOSS_ZONE, "comes in UTC, its own zone is lost"},
        {LOSS_BITS, "comes without leading zeros"},
        {LOSS_UNCHANGED,
         "has NULLs, which may be unchanged large values (binary.handling.mode=bytes or hex keeps them)"},
    };
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        if ((c->habits.lost & ~c->habits.told & losses[i].loss) != 0) {
            message_line(MESSAGE_WARN, "source", "column \"%s\" of table %s.%s %s", c->name, t->declared->schema,
                         t->declared->name, losses[i].text);
        }
    }
    c->habits.told = c->habits.lost;
}
