/* Batch memory: many small allocations, one reset. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* Zero-initialised is a valid empty arena. Pointers stay valid until reset or release. */
struct arena {
    struct arena_chunk *chunks; /* newest first */
    struct arena_chunk *spare;  /* kept by reset for reuse, so that each batch does not fault its pages in anew */
    unsigned char *next;
    unsigned char *end;
    size_t bytes_held;
};

#define ARENA_EMPTY ((struct arena){0})

/* Forgets all allocations, keeps up to 32 MiB of memory for reuse. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

/* Used by arena_alloc when the current chunk is full. */
void *arena_alloc_slow(struct arena *a, size_t bytes);

/* Returns `bytes` of uninitialised memory aligned to 16. Never NULL. @thread owner of the arena */
static inline void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (rounded <= (size_t)(a->end - a->next) && a->next != NULL) {
        void *p = a->next;
        a->next += rounded;
        return p;
    }
    return arena_alloc_slow(a, rounded);
}

void *arena_zalloc(struct arena *a, size_t bytes);
void *arena_dup(struct arena *a, const void *data, size_t bytes);
char *arena_strdup(struct arena *a, const char *text);
/* Copies `bytes` of text and ends it with NUL. */
char *arena_strndup(struct arena *a, const char *text, size_t bytes);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
