/* dump: views and tables as CSV or JSON lines, all of one seq (the store is open at one snapshot). */
#include "ctl.h"

#include "base/file.h"
#include "flow/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FLUSH_BYTES = 64 * 1024 };

struct dump {
    struct buffer text;
    FILE *file;
    bool json;
};

static void flush(struct dump *d)
{
    if (d->text.len > 0) {
        fwrite(d->text.data, 1, d->text.len, d->file);
        buffer_reset(&d->text);
    }
}

static void csv_header(struct dump *d, const struct ctl_columns *columns)
{
    const struct type text = type_make(TYPE_TEXT);
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *name = ctl_column_name(columns, i);
        struct datum value = datum_bytes(bytes_of(name, strlen(name)));
        if (i > 0) {
            buffer_append_byte(&d->text, ',');
        }
        print_csv_datum(&d->text, &text, &value, false);
    }
    buffer_append_byte(&d->text, '\n');
}

static enum status dump_row(void *ctx, const struct ctl_columns *columns, const struct datum *row, struct error *err)
{
    (void)err;
    struct dump *d = ctx;
    if (d->json) {
        buffer_append_byte(&d->text, '{');
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        if (i > 0) {
            buffer_append_byte(&d->text, ',');
        }
        const char *name = ctl_column_name(columns, i);
        if (d->json) {
            print_json_text(&d->text, bytes_of(name, strlen(name)));
            buffer_append_byte(&d->text, ':');
            print_json_datum(&d->text, ctl_column_type(columns, i), &row[i]);
        } else {
            print_csv_datum(&d->text, ctl_column_type(columns, i), &row[i], columns->count == 1);
        }
    }
    buffer_append_text(&d->text, d->json ? "}\n" : "\n");
    if (d->text.len > FLUSH_BYTES) {
        flush(d);
    }
    return STATUS_OK;
}

struct error_seen {
    const struct catalog_view *view;
    bool seen;
};

static int see_error(void *ctx, const char *text)
{
    struct error_seen *e = ctx;
    e->seen = true;
    fprintf(stderr, "statectl: view %s.%s is in error: %s\n", e->view->schema, e->view->name, text);
    return 1;
}

static int dump_to(struct ctl *c, const struct catalog_view *view, const struct catalog_table *table, FILE *file)
{
    struct error err;
    struct dump d = {.file = file, .json = c->options.json};
    struct error_seen seen = {.view = view};
    if (view != NULL) {
        if (view_errors(c->store, &c->catalog, view, see_error, &seen, &err) != STATUS_OK) {
            return ctl_fail(EXIT_NO_ANSWER, &err);
        }
        if (seen.seen) {
            return EXIT_ANSWER_BAD;
        }
    }
    if (!d.json) {
        struct ctl_columns columns = {.view_columns = view != NULL ? view->plan->columns : NULL,
                                      .table_columns = table != NULL ? table->columns : NULL,
                                      .count = view != NULL ? view->visible_count : table->column_count};
        csv_header(&d, &columns);
    }
    enum status st = ctl_rows(c, view, table, dump_row, &d, &err);
    flush(&d);
    buffer_release(&d.text);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}

/* Into a temporary file that takes its place when it is whole. */
static int dump_file(struct ctl *c, const struct catalog_view *view, const struct catalog_table *table, const char *dir)
{
    const char *name = view != NULL ? view->name : table->name;
    char path[512];
    char temp[512];
    struct error err;
    if (folder_make(dir, &err) != STATUS_OK) {
        return ctl_fail(EXIT_NO_ANSWER, &err);
    }
    int len = snprintf(path, sizeof path, "%s/%s.%s", dir, name, c->options.json ? "json" : "csv");
    if (len >= (int)sizeof path - 5) {
        return ctl_usage("--out %s is too long", dir);
    }
    snprintf(temp, sizeof temp, "%.500s.tmp", path);
    FILE *file = fopen(temp, "w");
    if (file == NULL) {
        error_set(&err, STATUS_IO, errno, "could not write %s", temp);
        return ctl_fail(EXIT_NO_ANSWER, &err);
    }
    int code = dump_to(c, view, table, file);
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        error_set(&err, STATUS_IO, errno, "could not write %s", temp);
        return ctl_fail(EXIT_NO_ANSWER, &err);
    }
    if (code != 0) {
        remove(temp);
        return code;
    }
    if (file_rename(temp, path, &err) != STATUS_OK) {
        return ctl_fail(EXIT_NO_ANSWER, &err);
    }
    fprintf(stderr, "%s\n", path);
    return 0;
}

int verb_dump(struct ctl *c)
{
    const struct ctl_options *o = &c->options;
    if (o->json && o->csv) {
        return ctl_usage("dump: --csv or --json, not both");
    }
    if (o->word_count == 0) {
        int worst = 0;
        for (uint32_t i = 0; i < c->catalog.view_count; i++) {
            if (c->catalog.views[i]->materialized) {
                int code = dump_file(c, c->catalog.views[i], NULL, o->out != NULL ? o->out : ".");
                worst = code > worst ? code : worst;
            }
        }
        return worst;
    }
    const struct catalog_view *view;
    const struct catalog_table *table;
    ctl_find(c, o->words[0], &view, &table);
    if (view == NULL && table == NULL) {
        return ctl_usage("dump: there is no view or table \"%s\"", o->words[0]);
    }
    return o->out != NULL ? dump_file(c, view, table, o->out) : dump_to(c, view, table, stdout);
}
