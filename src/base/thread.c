#include "base/thread.h"

#include <signal.h>

enum status thread_start(pthread_t *out, const char *name, void *(*run)(void *arg), void *arg, struct error *err)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        return error_set(err, STATUS_IO, failed, "could not start thread \"%s\"", name);
    }
    (void)pthread_setname_np(*out, name);
    return STATUS_OK;
}
