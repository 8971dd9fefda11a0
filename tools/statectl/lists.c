/* views, tables, explain: what the store keeps and how. */
#include "ctl.h"

#include "flow/flow.h"
#include "flow/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct listed {
    const char *schema;
    const char *name;
    const char *map_name;
    const char *key;
    const char *state; /* "ok" or the error */
};

static enum status print_listed(struct ctl *c, const struct listed *l, struct buffer *out, struct error *err)
{
    uint64_t entries = 0;
    uint64_t bytes = 0;
    struct store_map *map;
    enum status st = store_map_open(c->store, l->map_name, &map, err);
    if (st == STATUS_OK) {
        TRY(store_map_stat(map, &entries, &bytes, err));
    } else if (st != STATUS_NOT_FOUND) {
        return st;
    }
    if (c->options.json) {
        buffer_printf(out, "{\"name\":\"%s.%s\",\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"key\":", l->schema,
                      l->name, entries, bytes);
        print_json_text(out, bytes_of(l->key, strlen(l->key)));
        buffer_append_text(out, ",\"state\":");
        print_json_text(out, bytes_of(l->state, strlen(l->state)));
        buffer_append_text(out, "}\n");
    } else {
        buffer_printf(out, "%s.%s\trows=%" PRIu64 "\tbytes=%" PRIu64 "\tkey=(%s)\t%s\n", l->schema, l->name, entries,
                      bytes, l->key, l->state);
    }
    return STATUS_OK;
}

static int keep_text(void *ctx, const char *text)
{
    struct buffer *out = ctx;
    buffer_append_text(out, text);
    return 1;
}

int verb_views(struct ctl *c)
{
    struct arena a = ARENA_EMPTY;
    struct buffer out = BUFFER_EMPTY;
    struct error err;
    enum status st = STATUS_OK;
    for (uint32_t i = 0; i < c->catalog.view_count && st == STATUS_OK; i++) {
        const struct catalog_view *v = c->catalog.views[i];
        if (!v->materialized) {
            continue;
        }
        const char *key = v->plan->has_key ? "" : "none";
        for (uint32_t k = 0; v->plan->has_key && k < v->plan->key_count; k++) {
            key = arena_printf(&a, "%s%s%s", key, k > 0 ? ", " : "", v->plan->columns[v->plan->key[k]].name);
        }
        struct buffer state = BUFFER_EMPTY;
        st = view_errors(c->store, &c->catalog, v, keep_text, &state, &err);
        buffer_append_byte(&state, '\0');
        struct listed l = {.schema = v->schema,
                           .name = v->name,
                           .map_name = view_map_name(&a, v),
                           .key = key,
                           .state = state.len == 1 ? "ok" : arena_printf(&a, "error: %s", (char *)state.data)};
        buffer_release(&state);
        st = st == STATUS_OK ? print_listed(c, &l, &out, &err) : st;
    }
    print_flush(&out);
    buffer_release(&out);
    arena_release(&a);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}

int verb_tables(struct ctl *c)
{
    struct arena a = ARENA_EMPTY;
    struct buffer out = BUFFER_EMPTY;
    struct error err;
    enum status st = STATUS_OK;
    for (uint32_t i = 0; i < c->catalog.table_count && st == STATUS_OK; i++) {
        const struct catalog_table *t = c->catalog.tables[i];
        const char *key = "";
        for (uint32_t k = 0; k < t->key_count; k++) {
            key = arena_printf(&a, "%s%s%s", key, k > 0 ? ", " : "", t->columns[t->key_columns[k]].name);
        }
        struct listed l = {
            .schema = t->schema, .name = t->name, .map_name = table_map_name(&a, t), .key = key, .state = "ok"};
        st = print_listed(c, &l, &out, &err);
    }
    print_flush(&out);
    buffer_release(&out);
    arena_release(&a);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}

int verb_explain(struct ctl *c)
{
    if (c->options.word_count != 1) {
        return ctl_usage("explain: name one view");
    }
    const struct catalog_view *view;
    const struct catalog_table *table;
    ctl_find(c, c->options.words[0], &view, &table);
    if (view == NULL) {
        return ctl_usage("explain: there is no materialized view \"%s\"", c->options.words[0]);
    }
    struct error err;
    struct buffer out = BUFFER_EMPTY;
    enum status st = flow_explain(c->store, &c->catalog, view, &out, &err);
    print_flush(&out);
    buffer_release(&out);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}
