/* Finds tables and views by name. */
#include "plan/catalog.h"

#include <string.h>

static bool name_matches(const char *schema, const char *name, const char *have_schema, const char *have_name)
{
    return strcmp(name, have_name) == 0 && (schema == NULL || strcmp(schema, have_schema) == 0);
}

static const struct catalog_table *find_table_in(const struct catalog *c, const char *schema, const char *name,
                                                 uint32_t *count)
{
    const struct catalog_table *found = NULL;
    *count = 0;
    for (uint32_t i = 0; i < c->table_count; i++) {
        if (name_matches(schema, name, c->tables[i]->schema, c->tables[i]->name)) {
            found = c->tables[i];
            *count += 1;
        }
    }
    return found;
}

static const struct catalog_view *find_view_in(const struct catalog *c, const char *schema, const char *name,
                                               uint32_t *count)
{
    const struct catalog_view *found = NULL;
    *count = 0;
    for (uint32_t i = 0; i < c->view_count; i++) {
        if (name_matches(schema, name, c->views[i]->schema, c->views[i]->name)) {
            found = c->views[i];
            *count += 1;
        }
    }
    return found;
}

const struct catalog_table *catalog_find_table(const struct catalog *c, const char *schema, const char *name)
{
    uint32_t count = 0;
    const struct catalog_table *found = find_table_in(c, schema != NULL ? schema : "public", name, &count);
    if (found != NULL || schema != NULL) {
        return found;
    }
    found = find_table_in(c, NULL, name, &count);
    return count == 1 ? found : NULL;
}

const struct catalog_view *catalog_find_view(const struct catalog *c, const char *schema, const char *name)
{
    uint32_t count = 0;
    const struct catalog_view *found = find_view_in(c, schema != NULL ? schema : "public", name, &count);
    if (found != NULL || schema != NULL) {
        return found;
    }
    found = find_view_in(c, NULL, name, &count);
    return count == 1 ? found : NULL;
}
