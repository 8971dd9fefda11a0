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

/* Has freed memory kept for whoever needs some next: up to 16 MiB at the end of each of glibc's arenas. By default
 * blocks of 128 KiB and more, and what is free at an arena's end, go back to the system at once, to be cleared and
 * mapped again a moment later. For the whole process; to be called before there are threads. */
void mem_keep_freed(void);
/* Gives what is kept back to the system. It takes some milliseconds, in which allocations may wait. @thread any */
void mem_give_back(void);

/* Grows `*array` (elements of `element_bytes`) so that it holds at least `needed`; doubles `*capacity`. */
void mem_grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_bytes);

#endif
