#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_BYTES_MAX = 16 * 1024 * 1024, MAPPED_BYTES_MIN = 8 * 1024 * 1024 };

static void *memory_or_die(void *p, size_t bytes)
{
    if (p == NULL) {
        fprintf(stderr, "fatal base: out of memory bytes=%zu\n", bytes);
        abort();
    }
    return p;
}

void *mem_alloc(size_t bytes)
{
    size_t wanted = bytes == 0 ? 1 : bytes;
    return memory_or_die(malloc(wanted), wanted);
}

void *mem_zalloc(size_t bytes)
{
    size_t wanted = bytes == 0 ? 1 : bytes;
    return memory_or_die(calloc(1, wanted), wanted);
}

void *mem_realloc(void *old, size_t bytes)
{
    size_t wanted = bytes == 0 ? 1 : bytes;
    return memory_or_die(realloc(old, wanted), wanted);
}

char *mem_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

void mem_free(void *p)
{
    free(p);
}

void mem_keep_freed(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES_MAX);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
}

void mem_give_back(void)
{
    (void)malloc_trim(0);
}

void mem_grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_bytes)
{
    if (needed <= *capacity) {
        return;
    }
    size_t wanted = *capacity < 8 ? 8 : *capacity * 2;
    if (wanted < needed) {
        wanted = needed;
    }
    void *old;
    memcpy(&old, array_pointer, sizeof old);
    void *grown = mem_realloc(old, wanted * element_bytes);
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = wanted;
}
