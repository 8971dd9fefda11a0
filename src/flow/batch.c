#include "flow/inner.h"

#include "base/memory.h"

enum { ROWS_KEPT_MAX = 1 << 19 };

void batch_grow(struct batch *b)
{
    b->capacity = b->capacity < 64 ? 64 : b->capacity * 2;
    b->rows = mem_realloc(b->rows, b->capacity * (b->width + (b->width == 0)) * sizeof *b->rows);
    b->weights = mem_realloc(b->weights, b->capacity * sizeof *b->weights);
}

void batch_reset(struct batch *b)
{
    if (b->capacity > ROWS_KEPT_MAX) { /* what a giant run needed is given back */
        batch_release(b);
    }
    b->count = 0;
}

void batch_release(struct batch *b)
{
    mem_free(b->rows);
    mem_free(b->weights);
    b->rows = NULL;
    b->weights = NULL;
    b->count = 0;
    b->capacity = 0;
}
