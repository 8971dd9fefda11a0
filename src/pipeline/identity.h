/* What pipeline a store was made with: kept in its map "meta", compared at every start. */
#ifndef PIPELINE_IDENTITY_H
#define PIPELINE_IDENTITY_H

#include "base/bytes.h"
#include "base/error.h"
#include "plan/catalog.h"
#include "state/store.h"

struct identity {
    uint64_t store_id; /* random, made with the store; outlives rebuilds */
};

/* Reads the store's identity, or writes it where the store is new (or being rebuilt: `store_id` nonzero is then kept).
 * STATUS_MISMATCH says which tables and views differ and which command rebuilds. */
enum status identity_check(struct store *store, const struct catalog *catalog, const char *name,
                           const char *schema_text, uint64_t store_id, struct identity *out, struct error *err);
/* The store's id alone, 0 where it is new. */
enum status identity_store_id(struct store *store, uint64_t *out, struct error *err);
/* How many events the state was folded from, as last noted, 0 where nobody has: a store of an older version begins to
 * count when it is first opened. */
enum status identity_events(struct store *store, uint64_t *out, struct error *err);
enum status identity_note_events(struct store *store, uint64_t events, struct error *err);
/* The schema text a store was made with, and the pipeline's name, into heap memory (mem_free). For statectl. */
enum status identity_schema(struct store *store, char **schema_text, char **name, struct error *err);

#endif
