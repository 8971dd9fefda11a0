/* The status page: what procd knows of itself, for statectl. A file "status" in the store, mapped by both, so that
 * telling it costs a memory copy and no disk write waits for it. Layout: 0..7 version, odd while it is written; 8..11
 * bytes of text; 12..15 pid of the writer; 16.. text, lines "key=value". All little-endian. */
#ifndef PIPELINE_PAGE_H
#define PIPELINE_PAGE_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

enum { PAGE_BYTES = 64 * 1024 };

struct page;

enum status page_open(struct page **out, const char *store_path, bool write, struct error *err);
void page_close(struct page *p);                    /* a writer's page then says that nobody runs */
void page_write(struct page *p, struct bytes text); /* cut at PAGE_BYTES - 16 */
/* Reads a consistent text into `out` (reset first). False where no process writes it. */
bool page_read(struct page *p, struct buffer *out);
/* Finds "key=" at a line's start; false where it is missing. `*value` borrows. */
bool page_find(struct bytes text, const char *key, struct bytes *value);

#endif
