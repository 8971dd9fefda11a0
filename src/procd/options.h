/* The command line of procd: what can be judged without opening the store is judged here. */
#ifndef PROCD_OPTIONS_H
#define PROCD_OPTIONS_H

#include "base/error.h"
#include "config/config.h"

#include <stdbool.h>

struct options {
    struct config config;
    bool once;
    bool check;
    bool replay;
    bool help;
    bool version;
    bool verbose;
};

/* Reads the configuration file and the command line over it. STATUS_INVALID is a usage error (exit 64). */
enum status options_read(struct options *o, int argc, char **argv, const char *env_conf, struct error *err);
void options_release(struct options *o);
void options_print_help(void); /* on stdout */

#endif
