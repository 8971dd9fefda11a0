/* Heap memory that is there or ends the process: running out of memory is not a state that logfold handles
 * (everything acknowledged is on disk, so ending at once loses nothing). */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Never return NULL; `bytes` 0 is taken as 1. @thread any */
void *mem_alloc(size_t bytes);
void *mem_zalloc(size_t bytes);
void *mem_realloc(void *old, size_t bytes);
char *mem_strdup(const char *text);
void mem_free(void *p);

/* Grows `*array` (elements of `element_bytes`) so that it holds at least `needed`; doubles `*capacity`. */
void mem_grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_bytes);

#endif
