#include "base/arena.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes; /* of data */
    _Alignas(16) unsigned char data[];
};

enum {
    ARENA_CHUNK_BYTES_MIN = 16 * 1024,
    ARENA_CHUNK_BYTES_MAX = 4 * 1024 * 1024,
    ARENA_KEPT_BYTES_MAX = 32 * 1024 * 1024
};

static struct arena_chunk *chunk_make(const struct arena *a, size_t bytes)
{
    size_t wanted = a->chunks == NULL ? ARENA_CHUNK_BYTES_MIN : a->chunks->bytes * 2;
    if (wanted > ARENA_CHUNK_BYTES_MAX) {
        wanted = ARENA_CHUNK_BYTES_MAX;
    }
    if (wanted < bytes) {
        wanted = bytes;
    }
    struct arena_chunk *chunk = mem_alloc(sizeof *chunk + wanted);
    chunk->bytes = wanted;
    return chunk;
}

void *arena_alloc_slow(struct arena *a, size_t bytes)
{
    struct arena_chunk *chunk = a->spare;
    if (chunk != NULL && chunk->bytes >= bytes) {
        a->spare = chunk->older;
    } else {
        chunk = chunk_make(a, bytes);
    }
    chunk->older = a->chunks;
    a->chunks = chunk;
    a->bytes_held += chunk->bytes;
    a->next = chunk->data + bytes;
    a->end = chunk->data + chunk->bytes;
    return chunk->data;
}

static void free_chunks(struct arena_chunk *first)
{
    for (struct arena_chunk *c = first, *older; c != NULL; c = older) {
        older = c->older;
        mem_free(c);
    }
}

void arena_reset(struct arena *a)
{
    size_t kept = 0;
    for (struct arena_chunk *c = a->spare; c != NULL; c = c->older) {
        kept += c->bytes;
    }
    for (struct arena_chunk *c = a->chunks, *older; c != NULL; c = older) {
        older = c->older;
        if (kept + c->bytes <= ARENA_KEPT_BYTES_MAX) {
            kept += c->bytes;
            c->older = a->spare;
            a->spare = c;
        } else {
            mem_free(c);
        }
    }
    a->chunks = NULL;
    a->bytes_held = 0;
    a->next = NULL;
    a->end = NULL;
}

void arena_release(struct arena *a)
{
    free_chunks(a->chunks);
    free_chunks(a->spare);
    *a = ARENA_EMPTY;
}

void *arena_zalloc(struct arena *a, size_t bytes)
{
    return memset(arena_alloc(a, bytes), 0, bytes);
}

void *arena_dup(struct arena *a, const void *data, size_t bytes)
{
    void *copy = arena_alloc(a, bytes);
    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *arena_strndup(struct arena *a, const char *text, size_t bytes)
{
    char *copy = arena_alloc(a, bytes + 1);
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(a, (size_t)bytes + 1);
    vsnprintf(text, (size_t)bytes + 1, format, again);
    va_end(again);
    return text;
}
