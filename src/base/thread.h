/* Starting a thread of the program's own. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/error.h"

#include <pthread.h>

/* Starts `run`, with all signals blocked, since they are the main thread's business; `name`, of up to 15 bytes, is what
 * tools like top show. STATUS_IO where the system has no thread left. */
enum status thread_start(pthread_t *out, const char *name, void *(*run)(void *arg), void *arg, struct error *err);

#endif
