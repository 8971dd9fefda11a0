/* How a kind of source plugs in: source.c finds the method table by the URL's scheme, the rest of the program sees
 * source.h only. */
#ifndef INGEST_SOURCE_METHODS_H
#define INGEST_SOURCE_METHODS_H

#include "ingest/source.h"

struct source_methods {
    /* True where `url` is this kind's. */
    bool (*matches)(const char *url);
    /* The other functions are as in source.h; `open` leaves `*out` NULL on a final failure. */
    enum status (*open)(struct source **out, const struct source_options *options, struct error *err);
    void (*close)(struct source *s);
    enum status (*poll)(struct source *s, uint64_t budget_bytes, bool *more, struct error *err);
    int (*fd)(const struct source *s);
    int (*timeout_ms)(const struct source *s);
    enum status (*acknowledge)(struct source *s, uint64_t durable_seq_next, struct error *err);
    void (*status)(const struct source *s, struct source_status *out);
};

/* The first member of every implementation's own struct. */
struct source {
    const struct source_methods *methods;
    uint64_t received; /* counted by the implementation */
};

enum {
    SOURCE_CHUNK_BYTES = 1024 * 1024,          /* a big commit is handed over in pieces of about this */
    SOURCE_CHUNK_BYTES_MAX = 16 * 1024 * 1024, /* the store's limit of one append: no item may be larger */
    SOURCE_ITEM_BYTES_MAX = SOURCE_CHUNK_BYTES_MAX - 4096
};
_Static_assert(SOURCE_CHUNK_BYTES * 4 <= SOURCE_CHUNK_BYTES_MAX, "a chunk must hold several ordinary items");

/* Tells the output of the QUARANTINE item that `item` begins with. */
enum status source_quarantined(const struct source_output *output, struct bytes item, struct error *err);

extern const struct source_methods source_postgres_methods; /* postgresql://, postgres://, key=value */
extern const struct source_methods source_kafka_methods;    /* kafka://host:port,... */
extern const struct source_methods source_file_methods;     /* file:PATH and - */
extern const struct source_methods source_none_methods;     /* none: never has anything */

#endif
